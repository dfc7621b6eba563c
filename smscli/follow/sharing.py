"""Sessions that several agents of one server have: which feed reads their logs, and whose view is shown."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from smscli.follow.feed import Feed
from smscli.follow.targets import FollowedSession
from smscli.model import Event, Listing, ListRead, Session, SessionEnded, SessionStarted


class _View(NamedTuple):
    """A session as one feed follows it."""

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
        self._readers: dict[str, FollowedSession] = {}
        self._live: set[str] = set()

    def drop(self, name: str) -> None:
        """A profile is no longer followed; its sessions have not ended."""
        del self._feeds[name]

    def merged(self, event: Event) -> Event | None:
        """The event as it is for all feeds together; None where it says nothing new."""
        match event:
            case ListRead(listing):
                return self._merged_list(listing)
            case SessionStarted(session) if session.id in self._live:
                return None
            case SessionStarted(session):
                self._live.add(session.id)
            case SessionEnded(session_id):
                self._live.discard(session_id)
        return event

    def assign(self) -> None:
        """Have each session read by the feed that is to read it now."""
        for session_id, views in self._views().items():
            current = self._readers.get(session_id)
            reader = _reader(views, current)
            for view in views:
                if view.one is not reader:
                    view.one.stop_reading()
            if current not in (None, reader):
                reader.take_over(current, self._clock())
            self._readers[session_id] = reader

    def _views(self) -> dict[str, list[_View]]:
        views: dict[str, list[_View]] = {}
        for feed in self._feeds.values():
            for session_id, one in feed.sessions.items():
                views.setdefault(session_id, []).append(_View(feed, one))
        return views

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


def _reader(views: Sequence[_View], current: FollowedSession | None) -> FollowedSession:
    """The feed that reads a session: the first by name that has it live, in its list, and can read it."""
    live = [view for view in views if not view.one.has_ended]
    listed = [view for view in live if view.one.gone_at == inf]
    able = [view for view in listed if view.feed.is_connected and not view.one.is_failing]
    for candidates in (able, listed, live):
        if candidates:
            return candidates[0].one
    return current if any(view.one is current for view in views) and current else views[0].one
