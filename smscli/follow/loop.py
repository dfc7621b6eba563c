"""Runs the feeds of one or several profiles in one thread: which of them reads next, and what arrived."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from smscli.errors import SmscliError
from smscli.follow.feed import Feed
from smscli.follow.requests import ReadResult
from smscli.follow.sharing import SharedSessions
from smscli.follow.targets import Due, Priority
from smscli.model import Event, Idle, ListRead, Notice, Wake

_SHORTEST_WAIT = 0.001
_LONGEST_WAIT = 60.0
# Output is flushed and the screen redrawn at each Idle: when no read is under way, else this often.
_LONGEST_BUSY = 0.25
_KEPT_FOR_WAKES = 2

Arrivals = Sequence[tuple[str, Wake | ReadResult]]
"""What arrived, each with the name of the feed that it is for."""


class FeedFailed(NamedTuple):
    """A profile can't be read, while others can; `is_retried`: it is tried again."""

    error: SmscliError
    is_retried: bool


class FeedBegan(NamedTuple):
    """A profile that could not be read at the start can be read now."""


class _Dropped(NamedTuple):
    """A feed that is no longer followed, and why."""

    name: str
    feed: Feed
    error: SmscliError


ProfileEvent = tuple[str | None, Event | FeedFailed | FeedBegan]
"""An event, and the name of the profile that it came from; None for one that is about all."""


class _Candidate(NamedTuple):
    """A read that a feed would start next, and when the limits let it start."""

    at: float
    due: Due
    feed: Feed


class FeedLoop:
    """Runs feeds by name, in the order in which the profiles of a shared session are asked.

    `wait(seconds)` blocks up to that long and returns the wake-ups and results that arrived; with 0 it
    doesn't block. `clock` is monotonic, in seconds. `groups` are feeds that may have sessions in common.
    """

    def __init__(
        self,
        feeds: Mapping[str, Feed],
        *,
        wait: Callable[[float], Arrivals],
        clock: Callable[[], float],
        groups: Sequence[Sequence[str]] = (),
    ) -> None:
        self._feeds = dict(feeds)
        self._wait = wait
        self._clock = clock
        self._shared: dict[str, SharedSessions] = {}
        for group in groups:
            shared = SharedSessions({name: feeds[name] for name in group}, clock)
            self._shared.update(dict.fromkeys(group, shared))
        self._dropped: list[_Dropped] = []
        # The name of the feed whose error is raised.
        self.failed: str | None = None
        # In the order of the feeds: which could not be read at the start, and why.
        self._failures: dict[str, SmscliError | None] = dict.fromkeys(feeds)
        self._has_begun = False
        self._is_stretched = False
        self._idle_at = clock()
        self._is_idle = False

    def events(self) -> Iterator[ProfileEvent]:
        """What happens, until all sessions have ended that are to be followed.

        With one feed, raises what `Feed.handle` raises. Of several, one that fails ends nothing else; raises
        the first one's error if all fail at the start, the last one's once none is left, and at the end that
        of one whose sessions could not be followed to theirs. `failed` is whose it was.
        """
        while not all(feed.is_over for feed in self._feeds.values()):
            yield from self._start_reads()
            yield from self._await_arrivals()
        for name, feed, error in self._dropped:
            shared = self._shared.get(name)
            if any(not shared or not shared.has(one) for one in feed.sessions.open_ids):
                raise self._of(name, error)

    def _start_reads(self) -> Iterator[ProfileEvent]:
        """Start the reads that are due, within the limits."""
        now = self._clock()
        while (one := self._next(now)) is not None and one.at <= now:
            one.feed.start(one.due, now)
        if one and one.due.at <= now and one.due.priority is Priority.POLL:
            yield from self._report_stretch(one.feed, now)

    def _next(self, now: float) -> _Candidate | None:
        """The read to start now, or the first one to start later; None before another result has arrived."""
        dues = ((feed.next(now), feed) for feed in self._feeds.values())
        candidates = [
            _Candidate(max(due.at, self._free_at(feed, due, now)), due, feed) for due, feed in dues if due
        ]
        ready = [one for one in candidates if one.at <= now]
        if ready:
            return min(ready, key=lambda one: (one.due.priority, one.due.since))
        return min(candidates, key=lambda one: one.at, default=None)

    def _free_at(self, feed: Feed, due: Due, now: float) -> float:
        """When the limits let a read start; with many profiles some room is left for wake-ups."""
        keep = _KEPT_FOR_WAKES if len(self._feeds) > 1 and due.priority is not Priority.WAKE else 0
        return feed.free_at(now, keep)

    def _report_stretch(self, feed: Feed, now: float) -> Iterator[ProfileEvent]:
        """Once, when more polls are due than the rate limit allows."""
        polls_per_second = sum(one.polls_per_second for one in self._feeds.values())
        if not self._is_stretched and polls_per_second > feed.reads_per_second(now):
            self._is_stretched = True
            live = sum(len(one.sessions.live) for one in self._feeds.values())
            yield None, Notice("stretched", f"{live} sessions: polling is slower than asked for")

    def _await_arrivals(self) -> Iterator[ProfileEvent]:
        """Wait until a read may start or something arrives; handle what arrived."""
        now = self._clock()
        upcoming = self._next(now)
        at = min(feed.deadline for feed in self._feeds.values())
        at = min(at, upcoming.at) if upcoming else at
        seconds = min(max(at - now, _SHORTEST_WAIT), _LONGEST_WAIT) if at > now else 0.0
        if self._has_begun:
            idle_due = self._idle_at + _LONGEST_BUSY
            if now >= idle_due or (seconds and not any(feed.is_reading for feed in self._feeds.values())):
                self._idle_at = now
                self._is_idle = True
                yield None, Idle(seconds)
            elif not self._is_idle:
                seconds = min(seconds, idle_due - now)
        for name, item in self._wait(seconds):
            self._is_idle = False
            yield from self._handle(name, item)
        for name, feed in self._feeds.items():
            for event in feed.check(self._clock()):
                yield name, event

    def _handle(self, name: str, item: Wake | ReadResult) -> Iterator[ProfileEvent]:
        feed, shared = self._feeds.get(name), self._shared.get(name)
        if feed is None:
            return
        try:
            for event in feed.handle(item):
                if isinstance(event, ListRead):
                    yield from self._begin(name)
                yield from shared.merged(name, event) if shared else [(name, event)]
        except SmscliError as error:
            yield from self._on_failure(name, feed, error)
        if shared:
            yield from shared.assign()

    def _begin(self, name: str) -> Iterator[ProfileEvent]:
        """A list was read; with the first one of all, those profiles are named that failed before."""
        if not self._has_begun:
            self._has_begun = True
            for failed, error in self._failures.items():
                if error is not None:
                    yield failed, FeedFailed(error, failed in self._feeds)
        elif self._failures.get(name) is not None:
            yield name, FeedBegan()
        self._failures[name] = None

    def _on_failure(self, name: str, feed: Feed, error: SmscliError) -> Iterator[ProfileEvent]:
        is_first = self._failures[name] is None
        self._failures[name] = error
        if not (len(self._failures) > 1 and feed.try_again(error)):
            self._feeds.pop(name).stop()
            self._dropped.append(_Dropped(name, feed, error))
            if shared := self._shared.get(name):
                shared.drop(name)
        if not self._feeds:
            raise self._of(name, error) if self._has_begun else self._first_failure()
        if not self._has_begun and all(self._failures.values()):
            raise self._first_failure()
        if self._has_begun and (is_first or name not in self._feeds):
            yield name, FeedFailed(error, name in self._feeds)

    def _first_failure(self) -> SmscliError:
        return next(self._of(name, error) for name, error in self._failures.items() if error is not None)

    def _of(self, name: str, error: SmscliError) -> SmscliError:
        self.failed = name
        return error
