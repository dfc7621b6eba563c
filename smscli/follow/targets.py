"""What is read again and again (the session list, each session's messages), and when each is due."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum, IntEnum
from math import inf
from typing import NamedTuple

from smscli.backoff import Backoff
from smscli.errors import SmscliError
from smscli.follow.cursor import Cursor, PageRequest, PageResult
from smscli.follow.rate import PollInterval
from smscli.follow.requests import ListRequest, MessagesRequest, Request, SignInRequest
from smscli.model import Listing, Notice, Page, Session, SessionEnded

_LONG_ACTIVE = 300.0
_ACTIVE_WEIGHT = 4.0
_GONE_AFTER = 5.0
_FIRST_RETRY = 0.5
LONGEST_RETRY = 2.0
_LIST_FAILURES = 3
_SESSION_FAILING = 10.0
_FAILING = 2


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
    ENDING = "it has ended, and its messages must be read once more"
    ENDED = "its messages were read to the end; only a wake-up reads them again"


class Due(NamedTuple):
    """A read of `target` is due at `at`; reads of one priority go in the order of `since`."""

    at: float
    priority: Priority
    since: float
    target: "Target"


class Target(ABC):
    """Something that is read again and again; a time that is infinite means never.

    `due`: when to poll it next. `woken`: the first wake-up not yet read for. `started`, `priority`, `is_try`,
    `sign_ins`: of the read under way or the last one its start and priority, whether the connection was down
    then, and how often the sign-in had been renewed. `read_at`, `read_from`: the end and start of the last
    successful read. `refused`: the sign-in was renewed because its last read was refused. `failing_since`:
    its first failure in a row.
    """

    def __init__(self, interval: float, now: float) -> None:
        self.poll = PollInterval(interval)
        self.backoff = Backoff(_FIRST_RETRY, LONGEST_RETRY)
        self.due = now
        self.woken = inf
        self.started = now
        self.priority = Priority.POLL
        self.is_try = False
        self.sign_ins = 0
        self.is_slow = False
        self.refused = False
        self.read_at = self.read_from = now
        self.failing_since = inf
        self._failure_reported = False
        self._claimed = (now, inf)

    @abstractmethod
    def request(self, now: float) -> Request:
        """The request of its next read."""

    def wake(self, now: float) -> None:
        """A wake-up came; several before the next read count as one."""
        self.woken = min(self.woken, now)

    def poll_by(self, at: float) -> None:
        """Poll it at `at` or earlier."""
        self.due = min(self.due, at)

    def next(self) -> Due:
        since, priority = (self.woken, Priority.WAKE) if self.woken < inf else self._next_poll()
        return Due(max(since, self.backoff.until), priority, since, self)

    def start(self, now: float, priority: Priority, is_try: bool, sign_ins: int) -> None:
        """A read starts; a wake-up from now on requires another read."""
        self.started, self.priority, self.is_try, self.sign_ins = now, priority, is_try, sign_ins
        self._claimed = (self.due, self.woken)
        self.due = self.woken = inf

    def was_read(self, started: float, now: float, empty: bool, polled: bool) -> None:
        """A read succeeded; if `polled`, the next one is due an interval after its start."""
        self.clear_failures()
        self.refused = False
        self.read_at, self.read_from = now, started
        if empty and polled:
            self.poll.on_empty_read(now)
        if polled:
            self.poll_by(started + self.poll.interval)

    def failed(self, now: float, jitter: float) -> None:
        self.backoff.failed(now, jitter)
        self.failing_since = min(self.failing_since, now)
        self.retry(now)

    def retry(self, now: float) -> None:
        """A read has failed: it is due again, with its wake-up."""
        due, woken = self._claimed
        self.poll_by(min(due, now))
        self.woken = min(self.woken, woken)

    def clear_failures(self) -> None:
        self.backoff.passed()
        self.failing_since = inf

    def _next_poll(self) -> tuple[float, Priority]:
        """When the next read without a wake-up is due, and its priority."""
        return self.due, Priority.POLL


class SignIn(Target):
    """Signing in again, which counts as a read."""

    def request(self, now: float) -> SignInRequest:
        return SignInRequest()


class SessionList(Target):
    """The session list; `last` is the last one read, None before the first."""

    def __init__(self, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.last: Listing | None = None

    def request(self, now: float) -> ListRequest:
        return ListRequest(is_first=self.last is None)

    def knows(self, session_id: str) -> bool:
        return self.last is not None and self.last.find(session_id) is not None

    def record(self, listing: Listing, now: float, polled: bool) -> None:
        before, self.last = self.last, listing
        changed = before is not None and before.sessions != listing.sessions
        if changed:
            self.poll.on_messages(now)
        self._failure_reported = False
        self.was_read(self.started, now, before is not None and not changed, polled)

    def report_failure(self, error: SmscliError, last_success: float) -> Iterator[Notice]:
        """Once, when it has failed several times while messages could be read."""
        is_failing = self.backoff.failures >= _LIST_FAILURES and last_success > self.failing_since
        if is_failing and not self._failure_reported:
            self._failure_reported = True
            yield Notice("stale", f"list can't be read, retrying ({error.message})")


class FollowedSession(Target):
    """One session's messages; `session` as last listed, None before. `gone_at`: it has ended if a list
    requested from then on lacks it; infinite while the last list has it. `is_reader`: its log is read here,
    and not by the feed of another profile; `has_other_views`: one could take over."""

    def __init__(self, session_id: str, cursor: Cursor | None, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.id = session_id
        self.session: Session | None = None
        self.phase = Phase.UNCONFIRMED if cursor is None else Phase.LIVE
        self.is_reader = True
        self.has_other_views = False
        self.cursor = cursor or Cursor()
        self.gone_at = inf
        self._page_at: datetime | None = None

    def request(self, now: float) -> MessagesRequest:
        return MessagesRequest(self.id, self.cursor.next_request(now))

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

    def _next_poll(self) -> tuple[float, Priority]:
        if self.cursor.paging:
            return self.read_at, Priority.FIRST
        return min(self.due, self.cursor.reread_due), Priority.POLL

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
        self.gone_at = inf
        if session.ended:
            self.end(now)
        else:
            self.due = now if self.phase is Phase.ENDED else self.due
            self.phase = Phase.LIVE
        return starts

    def confirm(self) -> bool:
        """Its messages could be read, so it exists; returns whether that wasn't known before."""
        if self.phase is Phase.UNCONFIRMED:
            self.phase = Phase.LIVE
        if self.session is not None:
            return False
        self.session = Session(self.id)
        return True

    def absent(self, asked_at: float, now: float) -> float:
        """A list requested at `asked_at` lacks it; returns when to read the list again to confirm that."""
        self.gone_at = min(self.gone_at, now + _GONE_AFTER)
        if asked_at < self.gone_at:
            return self.gone_at
        if self.phase is Phase.LIVE:
            self.end(now)
        return inf

    def end(self, now: float) -> None:
        """It has ended: read its messages once more."""
        if not self.is_reader:
            self.phase = Phase.ENDED
        elif not self.has_ended:
            self.phase = Phase.ENDING
            self.wake(now)

    def take_over(self, other: "FollowedSession", now: float) -> None:
        """Read its log from now on, from where the feed of another profile stopped."""
        other.stop_reading()
        self.cursor = other.cursor
        self.poll.active_at = max(self.poll.active_at, other.poll.active_at)
        self._failure_reported, other._failure_reported = other._failure_reported, False
        self.begin_reading(now)

    def begin_reading(self, now: float) -> None:
        """Read its log here from now on; of one that has ended once more."""
        self.is_reader = True
        self.phase = Phase.ENDING if self.has_ended else self.phase
        self.wake(now)

    def stop_reading(self) -> None:
        """The feed of another profile reads its log."""
        self.is_reader = False
        if self.phase is Phase.ENDING:
            self.phase = Phase.ENDED

    @property
    def has_ended(self) -> bool:
        return self.phase in (Phase.ENDING, Phase.ENDED)

    @property
    def is_waiting(self) -> bool:
        """Whether it must be read again."""
        return self.is_reader and (self.phase is not Phase.ENDED or self.woken < inf)

    @property
    def is_failing(self) -> bool:
        """Whether another profile should read it: several reads in a row have failed."""
        return self.backoff.failures >= _FAILING

    @property
    def is_done(self) -> bool:
        """Whether it has ended and all is read: no gap waits for a late message."""
        return self.has_ended and self.woken == self.cursor.reread_due == inf and not self.cursor.paging

    def close(self) -> Iterator[SessionEnded]:
        """Stop reading it."""
        self.woken = inf
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            if self.session is not None:
                yield SessionEnded(self.id, self.session.state if self.session.ended else None)

    def report_failure(
        self, error: SmscliError, now: float, last_success: float
    ) -> Iterator[Notice | SessionEnded]:
        """Once, when it has failed for ten seconds while other reads succeeded; closes one that has ended."""
        if now - self.failing_since < _SESSION_FAILING or last_success <= self.failing_since:
            return
        if self.has_ended:
            yield from self.close()
        elif not self._failure_reported:
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


class FollowedSessions(dict[str, FollowedSession]):
    """The sessions of one profile by their ids. `ids` are those that it was to follow to their end, None for
    all; `resume` holds the cursors of sessions that an earlier run recorded."""

    def __init__(self, ids: Sequence[str] | None, resume: Mapping[str, Cursor], interval: float) -> None:
        super().__init__()
        self._ids = ids
        self._resume = resume
        self._interval = interval

    def follow(self, session_ids: Sequence[str], now: float, *, are_known: bool = False) -> None:
        """Follow these too; `are_known`: that they exist."""
        for one in session_ids:
            self[one] = FollowedSession(one, self._resume.get(one), self._interval, now)
            if are_known:
                self[one].confirm()

    @property
    def open_ids(self) -> set[str]:
        """Those that were to be followed to their end and have not ended."""
        over = {one.id for one in self.values() if one.phase is Phase.ENDED}
        return set(self._ids or ()) - over

    @property
    def live(self) -> list[FollowedSession]:
        """Those that are read here and have not ended."""
        return [one for one in self.values() if one.is_reader and one.phase is not Phase.ENDED]


def _age(result: PageResult, page: Page) -> float:
    """The age in seconds of the newest of the messages, by the server's clock."""
    times = [message.at for message in result.messages if message.at is not None]
    return (page.at - max(times)).total_seconds() if times and page.at else 0.0
