"""Following sessions: wake-ups and timers in, events out, every message once.

One thread, one read at a time. What is read when is decided here, and what an answer means in `cursor`.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol, TypeVar

from smscli.errors import (
    NotFound,
    NotPermitted,
    ServerError,
    SignInRefused,
    SmscliError,
    Throttled,
    Unreachable,
    Untrusted,
    WireError,
    did_you_mean,
)
from smscli.follow.cursor import Cursor, PageRequest
from smscli.follow.rate import Trust, Window
from smscli.follow.schedule import (
    Connection,
    Due,
    FollowedSession,
    Phase,
    Rank,
    SessionList,
    Target,
    longest_unread,
)
from smscli.model import (
    Event,
    Idle,
    Listing,
    ListRead,
    NewMessages,
    Notice,
    Page,
    Session,
    SessionStarted,
    Wake,
    WakeKind,
)

_BACKGROUND_EVERY = 5.0
_LIST_EVERY = 4
_SHORTEST_WAIT = 0.001
# Whoever shows what was read gets his turn, even where a slow server has some read due all the time.
_LONGEST_BUSY = 0.25
_PASSING = (Unreachable, ServerError, WireError)
_Answer = TypeVar("_Answer", Listing, Page)


class Fetch(Protocol):
    """The reads, one request each, without retries of their own; they raise `SmscliError`."""

    def sessions(self) -> Listing: ...

    def page(self, session_id: str, start: int | None, count: int | None) -> Page:
        """Raises NotFound on a 404, without asking the list."""

    def renew(self) -> None:
        """Sign in anew: cookies dropped, the secret read again, one `GET me`."""


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """How to follow: `interval` in seconds between polls; `trusted`: push is tried, and the last run
    could rely on it."""

    interval: float = 2.0
    trusted: bool = False


def follow(
    fetch: Fetch,
    wanted: Sequence[str] | None,
    *,
    wait: Callable[[float], Sequence[Wake]],
    clock: Callable[[], float],
    settings: FollowSettings = FollowSettings(),
    jitter: Callable[[], float] = random.random,
    resume: Mapping[str, Cursor] | None = None,
    debug: Callable[[str], None] | None = None,
) -> Iterator[Event]:
    """Follow the sessions `wanted` until all have ended, or (None) whatever the list has, without end.

    `wait(seconds)` blocks up to that long, or less, and returns the wake-ups that came; 0 seconds is no wait.
    `clock()` counts seconds. `resume` holds the cursors of sessions that an earlier run kept.

    Raises what the first list read raises; NotFound for a session that neither the list nor messages know;
    later only a refused certificate, a sign-in refused again, and what is no answer of the server.
    """
    feed = _Feed(fetch, settings, _steady(clock), jitter, resume or {}, debug)
    yield from feed.begin(wanted)
    while feed.is_following:
        yield from feed.rest(wait)
        yield from feed.read_next()


def _steady(clock: Callable[[], float]) -> Callable[[], float]:
    """`clock`, but standing still where it jumps back: otherwise all would wait until it is where it was."""
    last = clock()
    back = 0.0

    def now() -> float:
        nonlocal last, back
        read = clock()
        back += max(last - read, 0.0)
        last = read
        return read + back

    return now


class _Feed:
    """The scheduler: the next due read, what came of it, and what that means for all other reads."""

    def __init__(
        self,
        fetch: Fetch,
        settings: FollowSettings,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        resume: Mapping[str, Cursor],
        debug: Callable[[str], None] | None,
    ) -> None:
        self._fetch = fetch
        self._interval = settings.interval
        self._clock = clock
        self._jitter = jitter
        self._resume = resume
        self._debug = debug
        self._window = Window()
        self._trust = Trust(settings.trusted)
        self._connection = Connection()
        self._list = SessionList(settings.interval, clock())
        self._followed: dict[str, FollowedSession] = {}
        self._all = True
        self._said: set[str] = set()
        self._background_due = clock() + _BACKGROUND_EVERY
        self._background_reads = 0
        self._rested_at = clock()

    # Beginning

    def begin(self, wanted: Sequence[str] | None) -> Iterator[Event]:
        """The first good list, and the sessions to follow."""
        started = self._clock()
        listing = self._counted(self._fetch.sessions)
        resume = self._resume
        end = max((cursor.last_at for cursor in resume.values() if cursor.last_at), default=None)
        for cursor in resume.values():
            cursor.settle(end, self._clock())
        if wanted is None:
            recent = [one for one, cursor in resume.items() if cursor.may_be_live(end)]
            self._adopt([*recent, *(session.id for session in listing.sessions)])
        else:
            self._all = False
            # Those the list doesn't know go first: one that messages doesn't know either is refused at once.
            self._adopt(sorted(wanted, key=lambda one: listing.find(one) is not None))
        yield from self._take_list(listing, started, announce=False)

    def _adopt(self, session_ids: Sequence[str]) -> None:
        for one in dict.fromkeys(session_ids):
            self._followed[one] = FollowedSession(one, self._resume.get(one), self._interval, self._clock())

    @property
    def is_following(self) -> bool:
        return self._all or any(one.phase is not Phase.ENDED for one in self._followed.values())

    # Waiting, and what it ends with

    def rest(self, wait: Callable[[float], Sequence[Wake]]) -> Iterator[Event]:
        """Wait until a read may start, or something is heard; take the wake-ups in."""
        now = self._clock()
        due = self._next(now)
        free_at = self._window.free_at(now)
        if due.rank is Rank.POLL and due.at <= now < free_at:
            yield from self._stretch(now)
        at = min(max(due.at, free_at), self._trust.deadline)
        seconds = max(at - now, _SHORTEST_WAIT) if at > now else 0.0
        if seconds or now - self._rested_at >= _LONGEST_BUSY:
            self._rested_at = now
            yield Idle(seconds)
        for wake in wait(seconds):
            yield from self._obey(wake)
        if self._trust.judge(self._clock()):
            yield from self._distrust("push-lost", "a message came without a wake-up: polling as well")

    def _obey(self, wake: Wake) -> Iterator[Event]:
        now = self._clock()
        if wake.kind is WakeKind.LIST:
            self._list.wake(now)
        elif wake.kind is WakeKind.EVERYTHING:
            self._trust.broke(now)
            self._poll_all(now)
        elif wake.kind is WakeKind.BROKEN:
            # A channel that is back within an interval costs no more than the reads that follow then.
            self._trust.interrupt()
            self._poll_all(now + self._interval)
        elif wake.kind is WakeKind.MESSAGES:
            self._wake_session(wake.session_id, now)
        else:
            reason = f" ({wake.reason})" if wake.reason else ""
            self._trust.lose(now)
            yield from self._distrust("polling", f"no push{reason}: polling every {self._interval:g} s")

    def _wake_session(self, session_id: str | None, now: float) -> None:
        one = self._followed.get(session_id or "")
        if one is not None:
            one.wake(now)
            self._trust.woken(one.id, now)
        elif session_id is None or not self._list.knows(session_id):
            self._list.wake(now)

    def _poll_all(self, at: float) -> None:
        """Polls, not wake-ups: a live message must not wait behind hundreds of sessions."""
        for target in (self._list, *self._followed.values()):
            target.due = min(target.due, at)

    def _distrust(self, kind: str, message: str) -> Iterator[Event]:
        self._poll_all(self._clock())
        yield from self._say_once(kind, message)

    def _stretch(self, now: float) -> Iterator[Event]:
        """Say when the polls that are wanted are more than the limit lets through."""
        live = [one for one in self._followed.values() if one.phase is not Phase.ENDED]
        wanted = sum(1 / target.rhythm.interval for target in (self._list, *live))
        if not self._trust.trusted and wanted > self._window.limit(now):
            yield from self._say_once("stretched", f"{len(live)} sessions: polling is slower than asked for")

    def _say_once(self, kind: str, message: str) -> Iterator[Event]:
        if kind not in self._said:
            self._said.add(kind)
            yield Notice(kind, message)

    # Reading

    def _next(self, now: float) -> Due:
        """The read to start now, or the first one to start later."""
        if self._connection.is_down:
            return Due(self._connection.backoff.until, Rank.WAKE, now, self._list)
        dues = [self._list.next(), *(one.next() for one in self._followed.values() if one.is_waiting)]
        if self._trust.trusted:
            dues.append(Due(self._background_due, Rank.BACKGROUND, self._background_due, self._list))
        ready = [due for due in dues if due.at <= now]
        if ready:
            return min(ready, key=lambda due: (due.rank, due.since))
        return min(dues, key=lambda due: due.at)

    def read_next(self) -> Iterator[Event]:
        """The read that is due, if one is and may start."""
        now = self._clock()
        due = self._next(now)
        if max(due.at, self._window.free_at(now)) > now:
            return
        target = self._background(now) if due.rank is Rank.BACKGROUND else due.target
        try:
            if isinstance(target, FollowedSession):
                yield from self._read_session(target, due.rank, now)
            else:
                yield from self._take_list(self._counted(self._fetch.sessions), now)
        except Untrusted:
            raise
        except SignInRefused as error:
            yield from self._renew(target, error)
        except (*_PASSING, NotPermitted, NotFound) as error:
            yield from self._fail(target, error)

    def _background(self, now: float) -> Target:
        self._background_due = now + _BACKGROUND_EVERY
        self._background_reads += 1
        if self._background_reads % _LIST_EVERY == 0:
            return self._list
        return longest_unread(self._followed.values(), now) or self._list

    def _counted(self, read: Callable[[], _Answer]) -> _Answer:
        try:
            return read()
        finally:
            self._window.count(self._clock())

    def _read_session(self, one: FollowedSession, rank: Rank, now: float) -> Iterator[Event]:
        request = one.cursor.next_request(now)
        page = self._counted(lambda: self._fetch.page(one.id, request.start, request.count))
        yield from self._take_page(one, request, page, rank)

    def _take_page(
        self, one: FollowedSession, request: PageRequest, page: Page, rank: Rank
    ) -> Iterator[Event]:
        now = self._clock()
        last_read, doubtful = one.read_at, one.cursor.doubtful
        result = one.take(request, page, now, self._is_polling)
        if not self._all and one.confirm():
            yield self._start_unlisted(one)
        yield from one.report_recovery()
        if result.reset and not doubtful and not one.has_ended:
            yield Notice("reset", f"the log of session {one.id} was reset: reading it again", one.id)
        self._name_gaps(one, result.gaps)
        if result.messages or request.first:
            yield NewMessages(
                one.id, result.messages, page.at, request.first, result.done or not request.first
            )
        if (
            rank is not Rank.FIRST
            and not request.first
            and any(not message.late for message in result.messages)
        ):
            yield from self._judge(one, rank, now, last_read)
        yield from self._connection.caught_up(one.id, len(result.messages), result.done)
        if one.is_done:
            yield from one.close()

    def _start_unlisted(self, one: FollowedSession) -> SessionStarted:
        """Messages knows a session that the list doesn't."""
        if one.missing_since is not None:
            self._list.due = min(self._list.due, one.absent(-inf, self._clock()))
        return SessionStarted(Session(one.id), announce=False)

    def _name_gaps(self, one: FollowedSession, gaps: Sequence[tuple[int, int]]) -> None:
        if self._debug is not None:
            for low, high in gaps:
                self._debug(f"session {one.id}: no messages between {max(low, 0)} and {high}")

    @property
    def _is_polling(self) -> bool:
        return not self._trust.trusted

    def _judge(self, one: FollowedSession, rank: Rank, now: float, last_read: float) -> Iterator[Event]:
        """What it says of push that this read found messages."""
        if rank is Rank.BACKGROUND:
            self._trust.found_in_background(one.id, now)
        elif self._trust.found(one.id, now, last_read):
            self._background_due = now + _BACKGROUND_EVERY
            for other in self._followed.values():
                other.stop_polling(now)
            yield from self._say_once("push-trusted", "push works: polling rests")

    def _take_list(self, listing: Listing, started: float, announce: bool = True) -> Iterator[Event]:
        now = self._clock()
        self._list.take(listing, started, now, self._is_polling)
        yield ListRead(listing)
        for session in listing.sessions:
            yield from self._take_listed(session, now, announce)
        listed = {session.id for session in listing.sessions}
        for one in self._followed.values():
            if one.id not in listed and not one.has_ended:
                self._list.due = min(self._list.due, one.absent(started, now))
        yield from self._connection.answered(
            {one.id for one in self._followed.values() if one.is_behind(now)}
        )

    def _take_listed(self, session: Session, now: float, announce: bool) -> Iterator[Event]:
        if session.id not in self._followed:
            if not self._all:
                return
            self._adopt([session.id])
        if self._followed[session.id].listed(session, now):
            yield SessionStarted(session, announce)

    # Failing

    def _renew(self, target: Target, error: SignInRefused) -> Iterator[Event]:
        if target.refused:
            raise error
        try:
            self._fetch.renew()
        except Untrusted:
            raise
        except _PASSING as failure:
            yield from self._lose(failure)
        else:
            target.refused = True
            target.due = min(target.due, self._clock())

    def _fail(self, target: Target, error: SmscliError) -> Iterator[Event]:
        """One session's trouble, or the connection's? No answer at all to a session that was well so far, a
        plea for patience and a list that can't be read are the connection's."""
        if isinstance(error, NotFound) and isinstance(target, FollowedSession):
            yield from self._not_found(target, error)
            return
        target.failed(self._clock(), self._jitter())
        silent = isinstance(error, Unreachable) and target.backoff.failures == 1
        if isinstance(target, FollowedSession) and not silent and not isinstance(error, Throttled):
            yield from self._fail_session(target, error)
        else:
            yield from self._lose(error)

    def _lose(self, error: SmscliError) -> Iterator[Event]:
        now = self._clock()
        if isinstance(error, Throttled):
            self._window.halve(now)
        yield from self._connection.lose(error, now, self._jitter())

    def _fail_session(self, one: FollowedSession, error: SmscliError) -> Iterator[Event]:
        self._list.wake(self._clock())
        yield from self._connection.caught_up(one.id, 0)
        if one.is_given_up:
            yield from one.close()
        else:
            yield from one.report_failure(error)

    def _not_found(self, one: FollowedSession, error: NotFound) -> Iterator[Event]:
        """It counts as a list without the session, but the list has the last word: a session without messages
        may have no log yet."""
        if one.phase is Phase.UNCONFIRMED:
            meant = self._list.last.meant(one.id) if self._list.last else None
            error.hint = did_you_mean(meant, error.hint)
            raise error
        now = self._clock()
        first = one.cursor.first
        one.cursor.stop()
        one.was_read(now, now, not first, self._is_polling)
        if first:
            yield NewMessages(one.id, (), first=True)
        yield from self._connection.caught_up(one.id, 0)
        if one.has_ended:
            yield from one.close()
        else:
            self._list.due = min(self._list.due, one.absent(-inf, now))
