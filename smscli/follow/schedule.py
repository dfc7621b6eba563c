"""What a feed reads: the session list and each session's messages, each with when its next read is due,
and the connection that all of them share."""

from collections.abc import Collection, Iterator
from datetime import datetime
from enum import Enum, IntEnum
from math import inf
from typing import NamedTuple

from smscli.backoff import Backoff
from smscli.errors import SmscliError, Throttled
from smscli.follow.cursor import Cursor, PageRequest, PageResult
from smscli.follow.rate import Rhythm
from smscli.model import Listing, Notice, Page, Session, SessionEnded

_LONG_ACTIVE = 300.0
_ACTIVE_WEIGHT = 4.0
_GONE_AFTER = 5.0
_LAST_TRIES = 5


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

    `due`: its next poll, infinite when push does without. `woken`: since when a wake-up waits. `refused`: its
    last read was refused, and the sign-in renewed since.
    """

    def __init__(self, interval: float, now: float) -> None:
        self.rhythm = Rhythm(interval)
        self.backoff = Backoff()
        self.due = now
        self.woken: float | None = None
        self.refused = False
        self.read_at = now

    def wake(self, now: float) -> None:
        """Wake-ups are coalesced: the first one that waits counts."""
        if self.woken is None:
            self.woken = now

    def next(self) -> Due:
        if self.woken is not None:
            return self._due(self.woken, Rank.WAKE)
        return self._due(self.due, Rank.POLL)

    def was_read(self, started: float, now: float, empty: bool, polled: bool) -> None:
        """A good answer came: the next poll, if `polled`, is an interval after this one's start."""
        self.backoff.passed()
        self.refused = False
        self.woken = None
        self.read_at = now
        if empty and polled:
            self.rhythm.missed(now)
        self.due = started + self.rhythm.interval if polled else inf

    def failed(self, now: float, jitter: float) -> None:
        self.backoff.failed(now, jitter)
        self.due = min(self.due, now)

    def _due(self, since: float, rank: Rank) -> Due:
        return Due(max(since, self.backoff.until), rank, since, self)


class SessionList(Target):
    """The session list; `last` is its last good answer, None before the first."""

    def __init__(self, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.last: Listing | None = None

    def knows(self, session_id: str) -> bool:
        return self.last is not None and self.last.find(session_id) is not None

    def take(self, listing: Listing, started: float, now: float, polled: bool) -> None:
        before, self.last = self.last, listing
        changed = before is not None and before.sessions != listing.sessions
        if changed:
            self.rhythm.found(now)
        self.was_read(started, now, before is not None and not changed, polled)


class FollowedSession(Target):
    """One session's messages.

    `session` is what the last list said of it, None before. `missing_since`: the first of the lists without
    it. `failure_reported`: a notice said that it can't be read.
    """

    def __init__(self, session_id: str, cursor: Cursor | None, interval: float, now: float) -> None:
        super().__init__(interval, now)
        self.id = session_id
        self.session: Session | None = None
        self.phase = Phase.UNCONFIRMED if cursor is None else Phase.LIVE
        self.cursor = cursor or Cursor()
        self.missing_since: float | None = None
        self.failure_reported = False
        self._answered_at: datetime | None = None

    def next(self) -> Due:
        if self.woken is not None:
            return self._due(self.woken, Rank.WAKE)
        if self.cursor.paging:
            return self._due(self.read_at, Rank.FIRST)
        return self._due(self._poll_due(), Rank.POLL)

    def is_behind(self, now: float) -> bool:
        """Whether a read should have been by now, and may be hoped for soon."""
        return self.is_waiting and self.next().since <= now and self.backoff.failures < 2

    def stop_polling(self, now: float) -> None:
        """Leave it to push, but for a poll that is due."""
        if self.due > now:
            self.due = inf

    def _poll_due(self) -> float:
        reread = self.cursor.reread_due
        return self.due if reread is None else min(self.due, reread)

    def take(self, request: PageRequest, page: Page, now: float, polled: bool) -> PageResult:
        """The answer's news, and the next read's time set by them."""
        result = self.cursor.record(request, page, now)
        if result.messages:
            self.rhythm.found(now, _age(result, page))
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
        return self.has_ended and not self.cursor.paging and self.cursor.reread_due is None

    @property
    def is_given_up(self) -> bool:
        """Whether its last read has failed too often to wait for it."""
        return self.has_ended and self.backoff.failures >= _LAST_TRIES

    def close(self) -> Iterator[SessionEnded]:
        """Nothing more is to be read of it."""
        self.woken = None
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            if self.session is not None:
                yield SessionEnded(self.id, self.session.state if self.session.ended else None)

    def report_failure(self, error: SmscliError) -> Iterator[Notice]:
        """A notice at the second failure: the list, read after the first, judges the connection."""
        if self.backoff.failures > 1 and not self.failure_reported:
            self.failure_reported = True
            yield Notice("lost", f"session {self.id} can't be read, retrying ({error.message})", self.id)

    def report_recovery(self) -> Iterator[Notice]:
        if self.failure_reported:
            self.failure_reported = False
            yield Notice("reconnected", f"session {self.id} can be read again", self.id)

    def age(self, now: float) -> float:
        """How long it has been unread, counted four times while it was active in the last five minutes."""
        active = now - self.rhythm.active_at < _LONG_ACTIVE
        return (now - self.read_at) * (_ACTIVE_WEIGHT if active else 1)


def longest_unread(sessions: Collection[FollowedSession], now: float) -> FollowedSession | None:
    """The session that the background should read."""
    waiting = [one for one in sessions if one.phase is not Phase.ENDED and one.backoff.until <= now]
    return max(waiting, key=lambda one: one.age(now), default=None)


def _age(result: PageResult, page: Page) -> float:
    """How many seconds before the answer the newest of the messages was sent, by the server's clock."""
    times = [message.at for message in result.messages if message.at is not None]
    return (page.at - max(times)).total_seconds() if times and page.at else 0.0


class Connection:
    """Whether the server is lost; once it is back, which sessions have yet to be read, and what was late.

    While it is lost the list alone is tried.
    """

    def __init__(self) -> None:
        self.lost = False
        self.backoff = Backoff()
        self._behind: set[str] | None = None
        self._late = 0

    @property
    def is_down(self) -> bool:
        return self.lost and self._behind is None

    def lose(self, error: SmscliError, now: float, jitter: float) -> Iterator[Notice]:
        self.backoff.failed(now, jitter, error.retry_after if isinstance(error, Throttled) else None)
        self._behind = None
        if not self.lost:
            self.lost, self._late = True, 0
            yield Notice("lost", f"connection lost, retrying ({error.message})")

    def answered(self, behind: set[str]) -> Iterator[Notice]:
        """The list was read: these sessions should have been meanwhile."""
        if self.is_down:
            self._behind = behind
            yield from self._back()

    def caught_up(self, session_id: str, messages: int, done: bool = True) -> Iterator[Notice]:
        """A session has been read, or has failed by itself."""
        if self._behind is None or session_id not in self._behind:
            return
        self._late += messages
        if done:
            self._behind.discard(session_id)
            yield from self._back()

    def _back(self) -> Iterator[Notice]:
        if self._behind:
            return
        self.lost, self._behind = False, None
        self.backoff.passed()
        late = "1 message" if self._late == 1 else f"{self._late or 'no'} messages"
        yield Notice("reconnected", f"reconnected, {late} late")
