"""Sessions that several agents of one server have: which feed reads their logs, and whose view is shown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from smscli.follow.feed import Feed
from smscli.follow.targets import FollowedSession
from smscli.model import Event, Listing, ListRead, ReaderChanged, Session, SessionEnded, SessionStarted

# A view that has ended says nothing of the others: so long their first lists are waited for, in seconds.
_LONGEST_WAIT = 30.0

SharedEvent = tuple[str, Event]
"""An event, and the name of the feed whose view it shows."""


class _View(NamedTuple):
    """A session as one feed follows it."""

    name: str
    feed: Feed
    one: FollowedSession


class SharedSessions:
    """The feeds of one server's profiles, in the order in which they are asked.

    A session's log is read by one of them: the first whose view of it is live and that can read it. A session
    has ended when every view of it has.
    """

    def __init__(self, feeds: Mapping[str, Feed], clock: Callable[[], float]) -> None:
        self._names = tuple(feeds)
        self._feeds = dict(feeds)
        self._clock = clock
        self._until = clock() + _LONGEST_WAIT
        self._readers: dict[str, FollowedSession] = {}
        self._live: set[str] = set()
        # Sessions whose only known views have ended, while not every list is known.
        self._held: dict[str, SharedEvent] = {}

    def drop(self, name: str) -> None:
        """A profile is no longer followed; its sessions have not ended."""
        del self._feeds[name]

    @property
    def is_known(self) -> bool:
        """Whether the list of every profile is known that can be."""
        return all(feed.listing for feed in self._feeds.values()) or self._clock() >= self._until

    def has(self, session_id: str) -> bool:
        """Whether a profile that is still followed has a session."""
        return any(session_id in feed.sessions for feed in self._feeds.values())

    def merged(self, name: str, event: Event) -> Iterator[SharedEvent]:
        """The event as it is for all feeds together; none where it says nothing new."""
        match event:
            case ListRead(listing):
                yield name, self._merged_list(listing)
                return
            case SessionStarted(session):
                if session.id in self._live:
                    return
                if session.ended and not self.is_known:
                    self._held[session.id] = name, event
                    return
                self._live.add(session.id)
            case SessionEnded(session_id):
                self._live.discard(session_id)
        yield name, event

    def assign(self) -> Iterator[SharedEvent]:
        """Have each session read by the feed that is to read it now."""
        for session_id, views in self._views().items():
            current = self._readers.get(session_id)
            reader = self._reader(views, current)
            for view in views:
                view.one.has_other_views = any(_is_listed(other) for other in views if other is not view)
                if view is not reader:
                    view.feed.release(view.one)
            if reader and reader.one is not current:
                yield from self._change(session_id, reader, current)

    def _change(
        self, session_id: str, reader: _View, current: FollowedSession | None
    ) -> Iterator[SharedEvent]:
        self._readers[session_id] = reader.one
        held = self._held.pop(session_id, None)
        if current is not None:
            reader.one.take_over(current, self._clock())
            yield reader.name, ReaderChanged(session_id)
        elif not reader.one.is_reader:
            reader.one.begin_reading(self._clock())
        if held and session_id not in self._live:
            self._live.add(session_id)
            yield held

    def _views(self) -> dict[str, list[_View]]:
        views: dict[str, list[_View]] = {}
        for name, feed in self._feeds.items():
            for session_id, one in feed.sessions.items():
                views.setdefault(session_id, []).append(_View(name, feed, one))
        return views

    def _reader(self, views: Sequence[_View], current: FollowedSession | None) -> _View | None:
        """The first by name that has it live, in its list, and can read it; None while that isn't known."""
        live = [view for view in views if not view.one.has_ended]
        listed = [view for view in views if _is_listed(view)]
        able = [view for view in listed if view.feed.is_connected and not view.one.is_failing]
        for candidates in (able, listed, live):
            if candidates:
                return candidates[0]
        if current is None and not self.is_known:
            return None
        return next((view for view in views if view.one is current), views[0])

    def _merged_list(self, listing: Listing) -> ListRead:
        """The lists of all feeds as one, at the time of `listing`, which was read last."""
        lists = [feed.listing for feed in self._feeds.values() if feed.listing is not None]
        views: dict[str, list[tuple[Listing, Session]]] = {}
        for one in lists:
            for session in one.sessions:
                views.setdefault(session.id, []).append((one, session))
        shown = [self._shown(session_id, found) for session_id, found in views.items()]
        merged = listing._replace(sessions=tuple(session for _, session in shown))
        if listing.original is not None:
            unmasked = tuple((of.original or of).find(session.id) or session for of, session in shown)
            merged = merged._replace(original=listing.original._replace(sessions=unmasked))
        return ListRead(merged, is_complete=len(lists) == len(self._names))

    def _shown(self, session_id: str, found: Sequence[tuple[Listing, Session]]) -> tuple[Listing, Session]:
        """Of the lists that have a session, the one of its reader; else the first whose view is live."""
        reader = self._readers.get(session_id)
        of_reader = (one for one in found if reader is not None and one[1] is reader.session)
        return next(of_reader, None) or min(found, key=lambda one: one[1].ended)


def _is_listed(view: _View) -> bool:
    """Whether it is live by the last list."""
    return not view.one.has_ended and view.one.gone_at == inf
