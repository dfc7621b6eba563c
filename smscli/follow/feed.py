"""Following sessions: wake-ups, timers and answers in, reads to start and events out, every message once.

Single-threaded: up to four reads are under way at once, but they are started and their answers taken here.
What is read when is decided in `schedule`, and what an answer means in `cursor`.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from smscli.errors import (
    NotFound,
    NotPermitted,
    RequestTimeout,
    ResponseTooLarge,
    ServerBusy,
    ServerError,
    SignInRefused,
    SmscliError,
    TlsError,
    Unreachable,
    WireError,
    did_you_mean,
)
from smscli.follow.cursor import Cursor, PageRequest
from smscli.follow.rate import Trust, Window
from smscli.follow.requests import Answer, ListRequest, MessagesRequest, Request, SignInRequest
from smscli.follow.schedule import (
    SLOW,
    WITNESS_FAILURES,
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

READS_UNDER_WAY = 4
_SLOW_READS_UNDER_WAY = 2
_BACKGROUND_EVERY = 5.0
_LIST_EVERY = 4
_SHORTEST_WAIT = 0.001
_LONGEST_WAIT = 60.0
# Output is flushed and the screen drawn at each Idle: when no read is under way, and else after so long.
_LONGEST_BUSY = 0.25
_TEMPORARY = (Unreachable, ServerError, WireError, NotPermitted, NotFound)

Wait = Callable[[float], Sequence[Wake | Answer]]


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """How to follow: `interval` in seconds between polls; `trusted`: push is tried, and the last run
    could rely on it."""

    interval: float
    trusted: bool = False


@dataclass(slots=True)
class _Read:
    """A read under way. `page`: what is asked of a session's log; `is_try`: the connection was down at its
    start; `sign_in`: how often the sign-in had been renewed by then."""

    target: Target
    rank: Rank
    started: float
    page: PageRequest | None
    is_try: bool
    sign_in: int


def follow(
    start: Callable[[Request], None],
    wanted: Sequence[str] | None,
    *,
    wait: Wait,
    clock: Callable[[], float],
    settings: FollowSettings,
    jitter: Callable[[], float] = random.random,
    resume: Mapping[str, Cursor] | None = None,
    debug: Callable[[str], None] | None = None,
) -> Iterator[Event]:
    """Follow the sessions `wanted` until all have ended, or (None) whatever the list has, without end.

    `start(request)` begins a request and returns at once. `wait(seconds)` blocks up to that long, or less,
    and returns the wake-ups and answers that came; 0 seconds is no wait. `clock()` counts seconds. `resume`
    holds the cursors of sessions that an earlier run recorded.

    Raises what the first list read raises; NotFound for a session that neither the list nor messages know;
    later only a refused certificate, a sign-in refused again, and faults that no retry mends.
    """
    feed = _Feed(start, wait, settings, _steady(clock), jitter, resume or {}, debug)
    yield from feed.begin(wanted)
    while feed.is_following:
        yield from feed.start_reads()
        yield from feed.rest()


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
    """The scheduler: which reads to start, what their answers mean, and what that means for other reads."""

    def __init__(
        self,
        start: Callable[[Request], None],
        wait: Wait,
        settings: FollowSettings,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        resume: Mapping[str, Cursor],
        debug: Callable[[str], None] | None,
    ) -> None:
        self._send = start
        self._wait = wait
        self._interval = settings.interval
        self._clock = clock
        self._jitter = jitter
        self._resume = resume
        self._debug = debug
        self._window = Window()
        self._trust = Trust(settings.trusted)
        self._connection = Connection(clock())
        self._list = SessionList(settings.interval, clock())
        self._sessions: dict[str, FollowedSession] = {}
        self._all = True
        self._under_way: dict[str | None, _Read] = {}
        self._sign_ins = 0
        self._is_signing_in = False
        self._refused: list[Target] = []
        self._reported: set[str] = set()
        self._background_due = clock() + _BACKGROUND_EVERY
        self._background_reads = 0
        self._idle_at = clock()
        self._is_idle = False

    # Beginning

    def begin(self, wanted: Sequence[str] | None) -> Iterator[Event]:
        """The first good list, and the sessions to follow."""
        started = self._clock()
        self._start(self._list, Rank.POLL, started, is_first=True)
        listing = self._first_list()
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
        yield from self._on_list(listing, started, announce=False)

    def _first_list(self) -> Listing:
        while True:
            for item in self._wait(_LONGEST_WAIT):
                if isinstance(item, Answer) and isinstance(item.request, ListRequest):
                    self._finish(None)
                    if item.error is not None:
                        raise item.error
                    assert isinstance(item.result, Listing)
                    return item.result

    def _adopt(self, session_ids: Sequence[str]) -> None:
        for one in dict.fromkeys(session_ids):
            self._sessions[one] = FollowedSession(one, self._resume.get(one), self._interval, self._clock())

    @property
    def is_following(self) -> bool:
        return self._all or any(one.phase is not Phase.ENDED for one in self._sessions.values())

    # Waiting, and what it ends with

    def rest(self) -> Iterator[Event]:
        """Wait until a read may start, or something comes; take in what came."""
        now = self._clock()
        at = min(self._next_start(now), self._trust.deadline)
        seconds = min(max(at - now, _SHORTEST_WAIT), _LONGEST_WAIT) if at > now else 0.0
        idle_due = self._idle_at + _LONGEST_BUSY
        if now >= idle_due or (seconds and not self._under_way):
            self._idle_at = now
            self._is_idle = True
            yield Idle(seconds)
        elif not self._is_idle:
            seconds = min(seconds, idle_due - now)
        for item in self._wait(seconds):
            self._is_idle = False
            yield from self._on_wake(item) if isinstance(item, Wake) else self._on_answer(item)
        if self._trust.judge(self._clock()):
            yield from self._distrust("push-lost", "a message came without a wake-up: polling as well")

    def _next_start(self, now: float) -> float:
        due = self._next(now)
        return inf if due is None else max(due.at, self._window.free_at(now))

    def _on_wake(self, wake: Wake) -> Iterator[Event]:
        now = self._clock()
        if wake.kind is WakeKind.LIST:
            self._list.wake(now)
        elif wake.kind is WakeKind.EVERYTHING:
            self._trust.on_reconnect(now)
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
        one = self._sessions.get(session_id or "")
        if one is not None:
            one.wake(now)
            self._trust.on_wake(one.id, now)
        elif session_id is None or not self._list.knows(session_id):
            self._list.wake(now)

    def _poll_all(self, at: float) -> None:
        """Polls, not wake-ups: a live message must not wait behind hundreds of sessions."""
        for target in (self._list, *self._sessions.values()):
            target.due = min(target.due, at)

    def _distrust(self, kind: str, message: str) -> Iterator[Event]:
        self._poll_all(self._clock())
        yield from self._report_once(Notice(kind, message))

    def _report_stretch(self, now: float) -> Iterator[Event]:
        """Once, when the polls that are wanted are more than the limit lets through."""
        live = [one for one in self._sessions.values() if one.phase is not Phase.ENDED]
        wanted = sum(1 / target.rhythm.interval for target in (self._list, *live))
        if not self._trust.trusted and wanted > self._window.limit(now):
            message = f"{len(live)} sessions: polling is slower than asked for"
            yield from self._report_once(Notice("stretched", message))

    def _report_once(self, notice: Notice, cause: str | None = None) -> Iterator[Event]:
        """Report each cause once; by default there is one for each kind of notice."""
        cause = cause or notice.kind
        if cause not in self._reported:
            self._reported.add(cause)
            yield notice

    # Starting reads

    def start_reads(self) -> Iterator[Event]:
        """Start the reads that are due, as far as the limits let through."""
        now = self._clock()
        while (due := self._next(now)) is not None and due.at <= now:
            if self._window.free_at(now) > now:
                if due.rank is Rank.POLL:
                    yield from self._report_stretch(now)
                return
            self._start_due(due, now)

    def _next(self, now: float) -> Due | None:
        """The read to start now, or the first one to start later; None before some answer has come."""
        connection = self._connection
        if self._is_signing_in or len(self._under_way) >= READS_UNDER_WAY:
            return None
        if connection.held_until > now:
            return Due(connection.held_until, Rank.WAKE, now, self._list)
        if connection.is_down:
            trying = any(read.is_try for read in self._under_way.values())
            return None if trying else Due(connection.backoff.until, Rank.WAKE, now, self._list)
        dues = [one.next() for one in self._startable()]
        if self._trust.trusted:
            dues.append(Due(self._background_due, Rank.BACKGROUND, self._background_due, self._list))
        ready = [due for due in dues if due.at <= now]
        if ready:
            return min(ready, key=lambda due: (due.rank, due.since))
        return min(dues, key=lambda due: due.at, default=None)

    def _startable(self) -> Iterator[Target]:
        """What is not being read, and no slow session too many."""
        if self._list.started is None:
            yield self._list
        slow_reads = sum(read.target.is_slow for read in self._under_way.values())
        for one in self._sessions.values():
            is_held_back = one.is_slow and slow_reads >= _SLOW_READS_UNDER_WAY
            if one.is_waiting and one.started is None and not is_held_back:
                yield one

    def _start_due(self, due: Due, now: float) -> None:
        if self._refused:
            self._start_sign_in()
        elif self._connection.is_down:
            self._start(self._next_try(now), due.rank, now)
        elif due.rank is Rank.BACKGROUND:
            self._background_due = now + _BACKGROUND_EVERY
            if target := self._next_in_background(now):
                self._start(target, due.rank, now)
        else:
            self._start(due.target, due.rank, now)

    def _start_sign_in(self) -> None:
        self._is_signing_in = True
        self._window.start()
        self._send(SignInRequest())

    def _next_try(self, now: float) -> Target:
        """While the connection is down: the list, and every other time the session longest unread."""
        self._connection.tries += 1
        session = longest_unread(self._sessions.values(), now)
        if self._list.started is None and (self._connection.tries % 2 or session is None):
            return self._list
        return session or self._list

    def _next_in_background(self, now: float) -> Target | None:
        self._background_reads += 1
        startable = list(self._startable())
        sessions = [one for one in startable if isinstance(one, FollowedSession) and one.backoff.until <= now]
        session = longest_unread(sessions, now)
        if session is None or self._background_reads % _LIST_EVERY == 0:
            return self._list if self._list in startable else None
        return session

    def _start(self, target: Target, rank: Rank, now: float, is_first: bool = False) -> None:
        page: PageRequest | None = None
        request: Request = ListRequest(is_first)
        key: str | None = None
        if isinstance(target, FollowedSession):
            page, key = target.cursor.next_request(now), target.id
            request = MessagesRequest(key, page.start, page.count)
        self._under_way[key] = _Read(target, rank, now, page, self._connection.is_down, self._sign_ins)
        target.start(now)
        self._window.start()
        self._send(request)

    def _finish(self, key: str | None) -> _Read:
        self._window.finish(self._clock())
        return self._under_way.pop(key)

    # What came of them

    def _on_answer(self, answer: Answer) -> Iterator[Event]:
        if isinstance(answer.request, SignInRequest):
            yield from self._on_sign_in(answer.error)
            return
        is_list = isinstance(answer.request, ListRequest)
        read = self._finish(None if isinstance(answer.request, ListRequest) else answer.request.session_id)
        target, error = read.target, answer.error
        target.is_slow = not is_list and (answer.seconds > SLOW or isinstance(error, RequestTimeout))
        if isinstance(error, NotFound) and isinstance(target, FollowedSession):
            yield from self._on_success(target)
            yield from self._on_not_found(target, error)
        elif isinstance(error, ResponseTooLarge) and self._narrow(target):
            yield from self._on_success(target)
        elif isinstance(error, SignInRefused):
            self._on_refusal(read, error)
        elif error is not None:
            yield from self._on_failure(read, error)
        elif isinstance(answer.result, Listing):
            yield from self._on_success(target)
            yield from self._on_list(answer.result, read.started)
        elif isinstance(answer.result, Page) and isinstance(target, FollowedSession) and read.page:
            yield from self._on_success(target)
            yield from self._on_page(target, read.page, answer.result, read.rank)

    def _narrow(self, target: Target) -> bool:
        """Read a page that is too large again at once, as smaller pages; whether that is possible."""
        if isinstance(target, FollowedSession) and target.cursor.narrow():
            target.retry(self._clock())
            return True
        return False

    def _on_success(self, target: Target) -> Iterator[Event]:
        """Any good answer ends a loss of the connection."""
        now = self._clock()
        if self._connection.on_success(now):
            for one in (self._list, *self._sessions.values()):
                one.clear_failures()
            behind = {one.id for one in self._sessions.values() if one.is_behind(now)}
            yield from self._connection.catch_up(behind)

    def _on_page(self, one: FollowedSession, request: PageRequest, page: Page, rank: Rank) -> Iterator[Event]:
        now = self._clock()
        read_before, doubtful = one.read_from, one.cursor.doubtful
        result = one.record(request, page, now, self._is_polling)
        if not self._all and one.confirm():
            yield self._start_unlisted(one)
        yield from one.report_recovery()
        if result.reset and not doubtful and not one.has_ended:
            yield Notice("reset", f"the log of session {one.id} was reset: reading it again", one.id)
        self._name_gaps(one, result.gaps)
        if result.messages or request.first:
            done = result.done or not request.first
            yield NewMessages(one.id, result.messages, page.at, request.first, done)
        is_news = any(not message.late for message in result.messages)
        if rank is not Rank.FIRST and not request.first and is_news:
            yield from self._judge_push(one, rank, now, read_before)
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

    def _judge_push(
        self, one: FollowedSession, rank: Rank, now: float, read_before: float
    ) -> Iterator[Event]:
        """What it says of push that this read found messages."""
        if rank is Rank.BACKGROUND:
            self._trust.on_background_page(one.id, now)
        elif self._trust.on_page(one.id, now, read_before):
            self._background_due = now + _BACKGROUND_EVERY
            for other in self._sessions.values():
                other.stop_polling(now)
            yield from self._report_once(Notice("push-trusted", "push works: polling rests"))

    def _on_list(self, listing: Listing, started: float, announce: bool = True) -> Iterator[Event]:
        now = self._clock()
        self._list.record(listing, started, now, self._is_polling)
        yield ListRead(listing)
        for session in listing.sessions:
            yield from self._on_listed(session, now, announce)
        listed = {session.id for session in listing.sessions}
        for one in self._sessions.values():
            if one.id not in listed and not one.has_ended:
                self._list.due = min(self._list.due, one.absent(started, now))

    def _on_listed(self, session: Session, now: float, announce: bool) -> Iterator[Event]:
        if session.id not in self._sessions:
            if not self._all:
                return
            self._adopt([session.id])
        if self._sessions[session.id].listed(session, now):
            yield SessionStarted(session, announce)

    def _on_not_found(self, one: FollowedSession, error: NotFound) -> Iterator[Event]:
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
        yield from one.report_recovery()
        if first:
            yield NewMessages(one.id, (), first=True)
        yield from self._connection.caught_up(one.id, 0)
        if one.has_ended:
            yield from one.close()
        else:
            self._list.due = min(self._list.due, one.absent(-inf, now))

    # Failing

    def _on_refusal(self, read: _Read, error: SignInRefused) -> None:
        """Sign in again, once for all reads that were begun before."""
        read.target.retry(self._clock())
        if read.sign_in == self._sign_ins:
            if read.target.refused:
                raise error
            self._refused.append(read.target)

    def _on_sign_in(self, error: Exception | None) -> Iterator[Event]:
        now = self._clock()
        self._window.finish(now)
        self._is_signing_in = False
        refused, self._refused = self._refused, []
        if error is None:
            self._sign_ins += 1
            for one in refused:
                one.refused = True
        elif isinstance(error, SignInRefused | TlsError) or not isinstance(error, _TEMPORARY):
            raise error
        else:
            for one in refused:
                one.failed(now, self._jitter())
            yield from self._connection.on_failure(error, now, self._jitter(), is_try=True)

    def _on_failure(self, read: _Read, error: Exception) -> Iterator[Event]:
        if isinstance(error, TlsError) or not isinstance(error, _TEMPORARY):
            raise error
        now, target = self._clock(), read.target
        target.failed(now, self._jitter())
        if isinstance(error, ServerBusy):
            yield from self._throttle(error, now)
        yield from self._connection.on_failure(error, now, self._jitter(), read.is_try)
        if isinstance(target, FollowedSession):
            yield from self._on_session_failure(target, error, now)
        else:
            yield from self._list.report_failure(error, self._connection.last_success)

    def _throttle(self, error: ServerBusy, now: float) -> Iterator[Event]:
        self._window.halve(now)
        if seconds := self._connection.hold(now, error.retry_after):
            message = f"the server asks for no requests for {seconds:.0f} s ({error.message})"
            yield from self._report_once(Notice("stretched", message), "Retry-After")

    def _on_session_failure(self, one: FollowedSession, error: SmscliError, now: float) -> Iterator[Event]:
        if one.backoff.failures >= WITNESS_FAILURES:
            self._list.wake(now)
        yield from self._connection.caught_up(one.id, 0)
        if not self._connection.is_down and one.is_unreadable(now, self._connection.last_success):
            yield from one.close() if one.has_ended else one.report_failure(error)
