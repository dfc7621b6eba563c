"""What a follow reads: the session list and each session's messages, when each is due next, and the
connection that all of them share."""

from collections.abc import Collection, Iterator
from datetime import datetime
from enum import Enum, IntEnum
from math import inf
from typing import NamedTuple

from smscli.backoff import Backoff, capped
from smscli.errors import SmscliError
from smscli.follow.cursor import Cursor, PageRequest, PageResult
from smscli.follow.rate import Rhythm
from smscli.model import Listing, Notice, Page, Session, SessionEnded

CONNECTION_LOST = "connection lost, retrying"

SLOW = 0.5
"""A session is slow after a read that took longer, in seconds."""

WITNESS_FAILURES = 2
"""From so many failures of a session in a row on the list is read too, to judge the connection by."""

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


class Rank(IntEnum):
    """Which of the waiting reads goes first."""

    WAKE = 0
    FIRST = 1
    POLL = 2
    BACKGROUND = 3


class Phase(Enum):
    """Where a followed session is in its life."""

    UNCONFIRMED = "neither the list nor its messages have shown that it exists"
    LIVE = "it goes on"
    MISSING = "the list lacks it, which one more list must confirm"
    ENDING = "it has ended, and its messages are to be read once more"
    ENDED = "its messages have been read to the end; a wake-up reads them again"


class Due(NamedTuple):
    """A read of `target` is due at `at`; `since` orders the reads of one rank."""

    at: float
    rank: Rank
    since: float
    target: "Target"


class Target:
    """Something that is read again and again.

    `due`: its next poll, infinite when push does without. `woken`: since when a wake-up waits. `started`:
    when its read under way began, None without one. `read_at`: its last good answer, `read_from` that read's
    start. `refused`: its last read was refused, and the sign-in renewed since. `failing_since`: the first of
    its failures in a row.
    """

    def __init__(self, interval: float, now: float) -> None:
        self.rhythm = Rhythm(interval)
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
        """Wake-ups are coalesced: the first one that waits counts."""
        if self.woken is None:
            self.woken = now

    def next(self) -> Due:
        if self.woken is not None:
            return self._due(self.woken, Rank.WAKE)
        return self._due(self.due, Rank.POLL)

    def start(self, now: float) -> None:
        """A read begins; whatever asks for one from now on asks for another."""
        self.started = now
        self._claimed = (self.due, self.woken)
        self.due, self.woken = inf, None

    def was_read(self, started: float, now: float, empty: bool, polled: bool) -> None:
        """A good answer came: the next poll, if `polled`, is an interval after this one's start."""
        self.clear_failures()
        self.started = None
        self.refused = False
        self.read_at, self.read_from = now, started
        if empty and polled:
            self.rhythm.on_empty_read(now)
        self.due = min(self.due, started + self.rhythm.interval if polled else inf)

    def failed(self, now: float, jitter: float) -> None:
        self.backoff.failed(now, jitter)
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.retry(now)

    def retry(self, now: float) -> None:
        """No good answer came: what asked for the read still does."""
        due, woken = self._claimed
        self.started = None
        self.due = min(self.due, due, now)
        self.woken = self.woken if woken is None else woken

    def clear_failures(self) -> None:
        self.backoff.passed()
        self.failing_since = None

    def is_failing_alone(self, last_success: float) -> bool:
        """Whether something else has been read since its first failure in a row."""
        return self.failing_since is not None and last_success > self.failing_since

    def _due(self, since: float, rank: Rank) -> Due:
        return Due(max(since, self.backoff.until), rank, since, self)


class SessionList(Target):
    """The session list; `last` is its last good answer, None before the first."""

    def __init__(self, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.last: Listing | None = None

    def knows(self, session_id: str) -> bool:
        return self.last is not None and self.last.find(session_id) is not None

    def record(self, listing: Listing, started: float, now: float, polled: bool) -> None:
        before, self.last = self.last, listing
        changed = before is not None and before.sessions != listing.sessions
        if changed:
            self.rhythm.on_messages(now)
        self._failure_reported = False
        self.was_read(started, now, before is not None and not changed, polled)

    def report_failure(self, error: SmscliError, last_success: float) -> Iterator[Notice]:
        """Once, when it has failed several times while messages are read."""
        is_worth_it = self.backoff.failures >= _LIST_FAILURES and self.is_failing_alone(last_success)
        if is_worth_it and not self._failure_reported:
            self._failure_reported = True
            yield Notice("stale", f"list can't be read, retrying ({error.message})")


class FollowedSession(Target):
    """One session's messages.

    `session` is what the last list said of it, None before. `missing_since`: the first of the lists without
    it.
    """

    def __init__(self, session_id: str, cursor: Cursor | None, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.id = session_id
        self.session: Session | None = None
        self.phase = Phase.UNCONFIRMED if cursor is None else Phase.LIVE
        self.cursor = cursor or Cursor()
        self.missing_since: float | None = None
        self._answered_at: datetime | None = None

    def next(self) -> Due:
        if self.woken is not None:
            return self._due(self.woken, Rank.WAKE)
        if self.cursor.paging:
            return self._due(self.read_at, Rank.FIRST)
        return self._due(self._poll_due(), Rank.POLL)

    def is_behind(self, now: float) -> bool:
        """Whether a read should have been by now."""
        return self.is_waiting and (self.started is not None or self.next().since <= now)

    def stop_polling(self, now: float) -> None:
        """Leave it to push, but for a poll that is due."""
        if self.due > now:
            self.due = inf

    def _poll_due(self) -> float:
        reread = self.cursor.reread_due
        return self.due if reread is None else min(self.due, reread)

    def record(self, request: PageRequest, page: Page, now: float, polled: bool) -> PageResult:
        """What is new in the answer; the next read's time is set by it."""
        result = self.cursor.record(request, page, now)
        if result.messages:
            self.rhythm.on_messages(now, _age(result, page))
        self.was_read(request.at, now, not result.messages and not request.first, polled)
        if result.messages and self._was_there_before(result, request):
            self.due = now
        self._answered_at = page.at
        return result

    def _was_there_before(self, result: PageResult, request: PageRequest) -> bool:
        """Whether the last answer should have had all of this: the server cuts its answers short."""
        before = self._answered_at
        if request.whole or before is None:
            return False
        return all(one.at is not None and one.at < before and not one.late for one in result.messages)

    def listed(self, session: Session, now: float) -> bool:
        """The list has it; whether it is followed from now on, being new or live again."""
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
        """Its messages could be read; whether only that shows that it exists."""
        if self.phase is Phase.UNCONFIRMED:
            self.phase = Phase.LIVE if self.missing_since is None else Phase.MISSING
        if self.session is not None:
            return False
        self.session = Session(self.id)
        return True

    def absent(self, asked_at: float, now: float) -> float:
        """A list asked for at `asked_at` lacks it: when the list is to be read again to be sure."""
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
        """It has ended: its messages are to be read once more."""
        if not self.has_ended:
            self.phase = Phase.ENDING
            self.wake(now)

    @property
    def has_ended(self) -> bool:
        return self.phase in (Phase.ENDING, Phase.ENDED)

    @property
    def is_waiting(self) -> bool:
        """Whether there is anything to read for."""
        return self.phase is not Phase.ENDED or self.woken is not None

    @property
    def is_done(self) -> bool:
        """Whether the last read of it was the last: no gap in it waits for a late message."""
        is_read = self.woken is None and not self.cursor.paging and self.cursor.reread_due is None
        return self.has_ended and is_read

    def close(self) -> Iterator[SessionEnded]:
        """Nothing more is to be read of it."""
        self.woken = None
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            if self.session is not None:
                yield SessionEnded(self.id, self.session.state if self.session.ended else None)

    def is_unreadable(self, now: float, last_success: float) -> bool:
        """Whether it has failed for long while other reads succeeded."""
        failing_since = now if self.failing_since is None else self.failing_since
        return now - failing_since >= _SESSION_FAILING and self.is_failing_alone(last_success)

    def report_failure(self, error: SmscliError) -> Iterator[Notice]:
        if not self._failure_reported:
            self._failure_reported = True
            yield Notice("lost", f"session {self.id} can't be read, retrying ({error.message})", self.id)

    def report_recovery(self) -> Iterator[Notice]:
        if self._failure_reported:
            self._failure_reported = False
            yield Notice("reconnected", f"session {self.id} can be read again", self.id)

    def age(self, now: float) -> float:
        """How long it has been unread, counted four times while it was active in the last five minutes."""
        active = now - self.rhythm.active_at < _LONG_ACTIVE
        return (now - self.read_at) * (_ACTIVE_WEIGHT if active else 1)


def longest_unread(sessions: Collection[FollowedSession], now: float) -> FollowedSession | None:
    """The one of these sessions that the background should read."""
    waiting = [one for one in sessions if one.phase is not Phase.ENDED and one.started is None]
    return max(waiting, key=lambda one: one.age(now), default=None)


def _age(result: PageResult, page: Page) -> float:
    """How many seconds before the answer the newest of the messages was sent, by the server's clock."""
    times = [message.at for message in result.messages if message.at is not None]
    return (page.at - max(times)).total_seconds() if times and page.at else 0.0


class Connection:
    """Whether the server is lost; once it is back, which sessions have yet to be read, and what was late.

    `last_success` is the last good answer, of whatever read. `held_until`: the server asked for no requests
    before. While the connection `is_down`, single reads are tried, one after the other; `tries` counts them.
    """

    def __init__(self, now: float) -> None:
        self.last_success = now
        self.held_until = -inf
        self.backoff = Backoff(_FIRST_RETRY, _LONGEST_TRY)
        self.tries = 0
        self._failures = 0
        self._lost_since: float | None = None
        self._behind: set[str] | None = None
        self._late = 0

    @property
    def is_down(self) -> bool:
        return self._lost_since is not None and self._behind is None

    def hold(self, now: float, retry_after: float | None) -> float:
        """Obey `Retry-After`: for how many seconds nothing is read."""
        seconds = capped(retry_after)
        self.held_until = max(self.held_until, now + seconds)
        return seconds

    def on_success(self, now: float) -> bool:
        """A good answer came; whether the connection was down until now."""
        was_down = self.is_down
        self.last_success = now
        self._failures = 0
        self.backoff.passed()
        return was_down

    def on_failure(self, error: SmscliError, now: float, jitter: float, is_try: bool) -> Iterator[Notice]:
        """A read failed, in whatever way; `is_try`: it was begun while the connection was down."""
        self._failures += 1
        if self.is_down:
            if is_try:
                self._retry_later(now, jitter)
        elif self._failures >= _LOST_FAILURES and now - self.last_success >= _LOST_AFTER:
            self._behind = None
            self.tries = 0
            if self._lost_since is None:
                self._lost_since, self._late = now, 0
                yield Notice("lost", f"{CONNECTION_LOST} ({error.message})")
            self._retry_later(now, jitter)

    def _retry_later(self, now: float, jitter: float) -> None:
        lost_since = now if self._lost_since is None else self._lost_since
        self.backoff.longest = _LONGEST_TRY if now - lost_since < _SHORT_LOSS else _LONGEST_TRY_LATER
        self.backoff.failed(now, jitter)

    def catch_up(self, behind: set[str]) -> Iterator[Notice]:
        """The server is back; these sessions should have been read meanwhile."""
        self._behind = behind
        yield from self._report_end()

    def caught_up(self, session_id: str, messages: int, done: bool = True) -> Iterator[Notice]:
        """A session has been read, or has failed by itself."""
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
