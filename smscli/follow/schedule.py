"""The targets that are read again and again (the session list, each session's messages), when each is due,
and whether the connection is lost."""

from collections.abc import Collection, Iterator
from datetime import datetime
from enum import Enum, IntEnum
from math import inf
from typing import NamedTuple

from smscli.backoff import Backoff
from smscli.errors import SmscliError
from smscli.follow.cursor import Cursor, PageRequest, PageResult
from smscli.follow.rate import PollInterval
from smscli.model import Listing, Notice, Page, Session, SessionEnded

CONNECTION_LOST = "connection lost, retrying"

SLOW = 0.5
"""A session is slow after a read that took longer than this, in seconds."""

WITNESS_FAILURES = 2
"""After this many failures of a session in a row the list is read too, to judge the connection."""

_LONG_ACTIVE = 300.0
_ACTIVE_WEIGHT = 4.0
_GONE_AFTER = 5.0
_FIRST_RETRY = 0.5
_LONGEST_RETRY = 2.0
_LIST_FAILURES = 3
_SESSION_FAILING = 10.0
_LOST_FAILURES = 3
_LOST_AFTER = 3.0
_SHORT_LOSS = 300.0
_LONGEST_TRY = 5.0
_LONGEST_TRY_LATER = 30.0


class Priority(IntEnum):
    """The order of the reads that are due."""

    WAKE = 0
    FIRST = 1
    POLL = 2
    BACKGROUND = 3


class Phase(Enum):
    """The life of a followed session."""

    UNCONFIRMED = "it isn't known yet whether it exists"
    LIVE = "live"
    MISSING = "not in the last list; another list must confirm that"
    ENDING = "it has ended, and its messages must be read once more"
    ENDED = "its messages were read to the end; only a wake-up reads them again"


class Due(NamedTuple):
    """A read of `target` is due at `at`; reads of one priority go in the order of `since`."""

    at: float
    priority: Priority
    since: float
    target: "Target"


class Target:
    """Something that is read again and again.

    `due`: when to poll it next, infinite if push makes that unnecessary. `woken`: the first wake-up not yet
    read for. `started`: the start of the read under way, None without one. `read_at`, `read_from`: the end
    and start of the last successful read. `refused`: the sign-in was renewed because its last read was
    refused. `failing_since`: the first of its failures in a row.
    """

    def __init__(self, interval: float, now: float) -> None:
        self.poll = PollInterval(interval)
        self.backoff = Backoff(_FIRST_RETRY, _LONGEST_RETRY)
        self.due = now
        self.woken: float | None = None
        self.started: float | None = None
        self.is_slow = False
        self.refused = False
        self.read_at = self.read_from = now
        self.failing_since: float | None = None
        self._failure_reported = False
        self._claimed: tuple[float, float | None] = (now, None)

    def wake(self, now: float) -> None:
        """A wake-up came; several before the next read count as one."""
        if self.woken is None:
            self.woken = now

    def next(self) -> Due:
        if self.woken is not None:
            return self._due(self.woken, Priority.WAKE)
        return self._due(self.due, Priority.POLL)

    def start(self, now: float) -> None:
        """A read starts; a wake-up from now on requires another read."""
        self.started = now
        self._claimed = (self.due, self.woken)
        self.due, self.woken = inf, None

    def was_read(self, started: float, now: float, empty: bool, polled: bool) -> None:
        """A read succeeded; if `polled`, the next one is due an interval after its start."""
        self.clear_failures()
        self.started = None
        self.refused = False
        self.read_at, self.read_from = now, started
        if empty and polled:
            self.poll.on_empty_read(now)
        self.due = min(self.due, started + self.poll.interval if polled else inf)

    def failed(self, now: float, jitter: float) -> None:
        self.backoff.failed(now, jitter)
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.retry(now)

    def retry(self, now: float) -> None:
        """A read has failed: it is due again, with its wake-up."""
        due, woken = self._claimed
        self.started = None
        self.due = min(self.due, due, now)
        self.woken = self.woken if woken is None else woken

    def clear_failures(self) -> None:
        self.backoff.passed()
        self.failing_since = None

    def is_failing_alone(self, last_success: float) -> bool:
        """Whether other reads have succeeded since its first failure in a row."""
        return self.failing_since is not None and last_success > self.failing_since

    def _due(self, since: float, priority: Priority) -> Due:
        return Due(max(since, self.backoff.until), priority, since, self)


class SessionList(Target):
    """The session list; `last` is the last one read, None before the first."""

    def __init__(self, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.last: Listing | None = None

    def knows(self, session_id: str) -> bool:
        return self.last is not None and self.last.find(session_id) is not None

    def record(self, listing: Listing, started: float, now: float, polled: bool) -> None:
        before, self.last = self.last, listing
        changed = before is not None and before.sessions != listing.sessions
        if changed:
            self.poll.on_messages(now)
        self._failure_reported = False
        self.was_read(started, now, before is not None and not changed, polled)

    def report_failure(self, error: SmscliError, last_success: float) -> Iterator[Notice]:
        """Once, when it has failed several times while messages could be read."""
        is_failing = self.backoff.failures >= _LIST_FAILURES and self.is_failing_alone(last_success)
        if is_failing and not self._failure_reported:
            self._failure_reported = True
            yield Notice("stale", f"list can't be read, retrying ({error.message})")


class FollowedSession(Target):
    """One session's messages; `session` as last listed, None before; `missing_since`: the first of the lists
    without it."""

    def __init__(self, session_id: str, cursor: Cursor | None, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.id = session_id
        self.session: Session | None = None
        self.phase = Phase.UNCONFIRMED if cursor is None else Phase.LIVE
        self.cursor = cursor or Cursor()
        self.missing_since: float | None = None
        self._page_at: datetime | None = None

    def next(self) -> Due:
        if self.woken is not None:
            return self._due(self.woken, Priority.WAKE)
        if self.cursor.paging:
            return self._due(self.read_at, Priority.FIRST)
        return self._due(min(self.due, self.cursor.reread_due), Priority.POLL)

    def is_behind(self, now: float) -> bool:
        """Whether it should have been read by now."""
        return self.is_waiting and (self.started is not None or self.next().since <= now)

    def stop_polling(self, now: float) -> None:
        """Rely on push from now on; a poll that is already due remains."""
        if self.due > now:
            self.due = inf

    def record(self, request: PageRequest, page: Page, now: float, polled: bool) -> PageResult:
        """What is new on the page; sets when the next read is due."""
        result = self.cursor.record(request, page, now)
        if result.messages:
            self.poll.on_messages(now, _age(result, page))
        self.was_read(request.at, now, not result.messages and not request.first, polled)
        if result.messages and self._was_there_before(result, request):
            self.due = now
        self._page_at = page.at
        return result

    def _was_there_before(self, result: PageResult, request: PageRequest) -> bool:
        """Whether the previous page should have had all of this: the server limits its pages."""
        before = self._page_at
        if request.whole or before is None:
            return False
        return all(one.at is not None and one.at < before and not one.late for one in result.messages)

    def listed(self, session: Session, now: float) -> bool:
        """The list has it; returns whether it is new or live again."""
        starts = self.session is None or (self.phase is Phase.ENDED and not session.ended)
        self.session = session
        self.missing_since = None
        if session.ended:
            self.end(now)
        else:
            self.due = now if self.phase is Phase.ENDED else self.due
            self.phase = Phase.LIVE
        return starts

    def confirm(self) -> bool:
        """Its messages could be read, so it exists; returns whether that wasn't known before."""
        if self.phase is Phase.UNCONFIRMED:
            self.phase = Phase.LIVE if self.missing_since is None else Phase.MISSING
        if self.session is not None:
            return False
        self.session = Session(self.id)
        return True

    def absent(self, asked_at: float, now: float) -> float:
        """A list requested at `asked_at` lacks it; returns when to read the list again to confirm that."""
        if self.missing_since is None:
            self.missing_since = now
        if self.phase is Phase.LIVE:
            self.phase = Phase.MISSING
        if asked_at - self.missing_since < _GONE_AFTER:
            return self.missing_since + _GONE_AFTER
        if self.phase is Phase.MISSING:
            self.end(now)
        return inf

    def end(self, now: float) -> None:
        """It has ended: read its messages once more."""
        if not self.has_ended:
            self.phase = Phase.ENDING
            self.wake(now)

    @property
    def has_ended(self) -> bool:
        return self.phase in (Phase.ENDING, Phase.ENDED)

    @property
    def is_waiting(self) -> bool:
        """Whether it must be read again."""
        return self.phase is not Phase.ENDED or self.woken is not None

    @property
    def is_done(self) -> bool:
        """Whether it has ended and all is read: no gap waits for a late message."""
        return (
            self.has_ended and self.woken is None and not self.cursor.paging and self.cursor.reread_due == inf
        )

    def close(self) -> Iterator[SessionEnded]:
        """Stop reading it."""
        self.woken = None
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            if self.session is not None:
                yield SessionEnded(self.id, self.session.state if self.session.ended else None)

    def is_unreadable(self, now: float, last_success: float) -> bool:
        """Whether it has failed for ten seconds while other reads succeeded."""
        is_long = self.failing_since is not None and now - self.failing_since >= _SESSION_FAILING
        return is_long and self.is_failing_alone(last_success)

    def report_failure(self, error: SmscliError) -> Iterator[Notice]:
        if not self._failure_reported:
            self._failure_reported = True
            yield Notice("lost", f"session {self.id} can't be read, retrying ({error.message})", self.id)

    def report_recovery(self) -> Iterator[Notice]:
        if self._failure_reported:
            self._failure_reported = False
            yield Notice("reconnected", f"session {self.id} can be read again", self.id)

    def age(self, now: float) -> float:
        """Seconds since its last read, times four if it was active in the last five minutes."""
        active = now - self.poll.active_at < _LONG_ACTIVE
        return (now - self.read_at) * (_ACTIVE_WEIGHT if active else 1)


def longest_unread(sessions: Collection[FollowedSession], now: float) -> FollowedSession | None:
    """The session that a background read should read next."""
    waiting = [one for one in sessions if one.phase is not Phase.ENDED and one.started is None]
    return max(waiting, key=lambda one: one.age(now), default=None)


def _age(result: PageResult, page: Page) -> float:
    """The age in seconds of the newest of the messages, by the server's clock."""
    times = [message.at for message in result.messages if message.at is not None]
    return (page.at - max(times)).total_seconds() if times and page.at else 0.0


class Connection:
    """Whether the connection is lost; after a reconnect, which sessions must still catch up.

    `last_success` is the time of the last good response to any read. While the connection `is_down`, one read
    is tried at a time.
    """

    def __init__(self, now: float) -> None:
        self.last_success = now
        self.backoff = Backoff(_FIRST_RETRY, _LONGEST_TRY)
        self._failures = 0
        self._lost_since: float | None = None
        self._behind: set[str] | None = None
        self._late = 0

    @property
    def is_down(self) -> bool:
        return self._lost_since is not None and self._behind is None

    def on_success(self, now: float) -> bool:
        """A read succeeded; returns whether the connection was down until now."""
        was_down = self.is_down
        self.last_success = now
        self._failures = 0
        self.backoff.passed()
        return was_down

    def on_failure(self, error: SmscliError, now: float, jitter: float, is_try: bool) -> Iterator[Notice]:
        """A read failed; `is_try`: it started while the connection was down."""
        self._failures += 1
        if self.is_down:
            if is_try:
                self._retry_later(now, jitter)
        elif self._failures >= _LOST_FAILURES and now - self.last_success >= _LOST_AFTER:
            self._behind = None
            if self._lost_since is None:
                self._lost_since, self._late = now, 0
                yield Notice("lost", f"{CONNECTION_LOST} ({error.message})")
            self._retry_later(now, jitter)

    def _retry_later(self, now: float, jitter: float) -> None:
        lost_since = now if self._lost_since is None else self._lost_since
        self.backoff.longest = _LONGEST_TRY if now - lost_since < _SHORT_LOSS else _LONGEST_TRY_LATER
        self.backoff.failed(now, jitter)

    def catch_up(self, behind: set[str]) -> Iterator[Notice]:
        """The server is back; these sessions must catch up."""
        self._behind = behind
        yield from self._report_end()

    def caught_up(self, session_id: str, messages: int, done: bool = True) -> Iterator[Notice]:
        """A session was read, or failed on its own."""
        if self._behind is None or session_id not in self._behind:
            return
        self._late += messages
        if done:
            self._behind.discard(session_id)
            yield from self._report_end()

    def _report_end(self) -> Iterator[Notice]:
        if self._behind:
            return
        self._lost_since, self._behind = None, None
        late = "1 message" if self._late == 1 else f"{self._late or 'no'} messages"
        yield Notice("reconnected", f"reconnected, {late} late")
