"""The feed of `tail` and `list --watch`: starts reads and turns their results into events, each message once.

Single-threaded: up to four reads are under way at once, but they are started and their results handled here.
`schedule` says when a target is due and whether the connection is lost, `cursor` which messages are new.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from smscli.errors import (
    NotFound,
    NotPermitted,
    RequestTimeout,
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
from smscli.follow.rate import PushTrust, RateLimit
from smscli.follow.requests import ListRequest, MessagesRequest, ReadResult, Request, SignInRequest
from smscli.follow.schedule import (
    SLOW,
    WITNESS_FAILURES,
    Connection,
    Due,
    FollowedSession,
    Phase,
    Priority,
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
    SessionEnded,
    SessionStarted,
    Wake,
    WakeKind,
)

MAX_READS = 4
_MAX_SLOW_READS = 2
_BACKGROUND_EVERY = 5.0
_LIST_EVERY = 4
_SHORTEST_WAIT = 0.001
_LONGEST_WAIT = 60.0
# Output is flushed and the screen redrawn at each Idle: when no read is under way, else this often.
_LONGEST_BUSY = 0.25
_TEMPORARY = (Unreachable, ServerError, WireError, NotPermitted, NotFound)

Arrivals = Sequence[Wake | ReadResult]


@dataclass(frozen=True, slots=True)
class _Read:
    """A read under way. `is_try`: the connection was down when it started; `sign_ins`: how often the sign-in
    had been renewed by then."""

    target: Target
    priority: Priority
    started: float
    is_try: bool
    sign_ins: int


class Feed:
    """Follows sessions; `events` is called once.

    `start(request)` begins a request and returns at once. `wait(seconds)` blocks up to that long and returns
    the wake-ups and results that arrived; with 0 it doesn't block. `clock` is monotonic, in seconds, and
    `interval` the seconds between polls. `trusted`: push is tried, and was reliable in the last run. `jitter`
    returns numbers from 0 to 1. `resume` holds the cursors of sessions that an earlier run recorded.
    """

    def __init__(
        self,
        start: Callable[[Request], None],
        *,
        wait: Callable[[float], Arrivals],
        clock: Callable[[], float],
        interval: float,
        trusted: bool = False,
        jitter: Callable[[], float] = random.random,
        resume: Mapping[str, Cursor] | None = None,
    ) -> None:
        self._send = start
        self._wait = wait
        self._clock = clock
        self._interval = interval
        self._trust = PushTrust(trusted)
        self._jitter = jitter
        self._resume = resume or {}
        self._limit = RateLimit()
        self._connection = Connection(clock())
        self._list = SessionList(interval, clock())
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

    def events(self, ids: Sequence[str] | None) -> Iterator[Event]:
        """Follow the sessions of these ids until all have ended; or, with None, every session, without end.

        Raises what the first list read raises; NotFound for a session that neither the list nor messages
        know; later only a refused certificate, a sign-in refused again, and errors that no retry can fix.
        """
        yield from self._begin(ids)
        while self._all or any(one.phase is not Phase.ENDED for one in self._sessions.values()):
            yield from self._start_reads()
            yield from self._await_arrivals()

    def _begin(self, ids: Sequence[str] | None) -> Iterator[Event]:
        """Read the list, and choose the sessions to follow."""
        started = self._clock()
        self._start(self._list, Priority.POLL, started)
        listing = self._first_list()
        resume = self._resume
        end = max((cursor.last_at for cursor in resume.values() if cursor.last_at), default=None)
        for cursor in resume.values():
            cursor.settle(end, self._clock())
        if ids is None:
            recent = [one for one, cursor in resume.items() if cursor.may_be_live(end)]
            self._follow([*recent, *(session.id for session in listing.sessions)])
        else:
            self._all = False
            # Those the list doesn't know go first: one that messages doesn't know either is refused at once.
            self._follow(sorted(ids, key=lambda one: listing.find(one) is not None))
        yield from self._on_list(listing, started)

    def _first_list(self) -> Listing:
        while True:
            for item in self._wait(_LONGEST_WAIT):
                if isinstance(item, ReadResult):
                    self._finish(None)
                    if item.error is not None:
                        raise item.error
                    if isinstance(item.result, Listing):
                        return item.result

    def _follow(self, session_ids: Sequence[str]) -> None:
        for one in dict.fromkeys(session_ids):
            self._sessions[one] = FollowedSession(one, self._resume.get(one), self._interval, self._clock())

    # Waiting, and wake-ups

    def _await_arrivals(self) -> Iterator[Event]:
        """Wait until a read may start or something arrives; handle what arrived."""
        now = self._clock()
        due = self._next(now)
        at = self._trust.deadline if due is None else min(self._start_at(due, now), self._trust.deadline)
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
            yield from self._on_wake(item) if isinstance(item, Wake) else self._on_result(item)
        if self._trust.expires(self._clock()):
            yield from self._distrust("push-lost", "a message came without a wake-up: polling as well")

    def _start_at(self, due: Due, now: float) -> float:
        return max(due.at, self._limit.free_at(now))

    def _on_wake(self, wake: Wake) -> Iterator[Event]:
        now = self._clock()
        match wake.kind:
            case WakeKind.MESSAGES:
                self._wake_session(wake.session_id, now)
            case WakeKind.LIST:
                self._list.wake(now)
            case WakeKind.EVERYTHING:
                self._trust.on_reconnect(now)
                self._poll_all(now)
            case WakeKind.BROKEN:
                # If the channel is back within an interval, only the reads that follow then are needed.
                self._trust.on_break()
                self._poll_all(now + self._interval)
            case WakeKind.OFF:
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
        """As polls, not wake-ups: a live message must not wait behind hundreds of sessions."""
        for target in (self._list, *self._sessions.values()):
            target.due = min(target.due, at)

    def _distrust(self, kind: str, message: str) -> Iterator[Event]:
        self._poll_all(self._clock())
        yield from self._report_once(Notice(kind, message))

    def _report_stretch(self, now: float) -> Iterator[Event]:
        """Once, when more polls are due than the rate limit allows."""
        live = [one for one in self._sessions.values() if one.phase is not Phase.ENDED]
        polls_per_second = sum(1 / target.poll.interval for target in (self._list, *live))
        if not self._trust.trusted and polls_per_second > self._limit.per_second(now):
            message = f"{len(live)} sessions: polling is slower than asked for"
            yield from self._report_once(Notice("stretched", message))

    def _report_once(self, notice: Notice, cause: str | None = None) -> Iterator[Event]:
        """Report each cause once; by default there is one for each kind of notice."""
        cause = cause or notice.kind
        if cause not in self._reported:
            self._reported.add(cause)
            yield notice

    # Starting reads

    def _start_reads(self) -> Iterator[Event]:
        """Start the reads that are due, within the limits."""
        now = self._clock()
        while (due := self._next(now)) is not None and due.at <= now:
            if self._start_at(due, now) > now:
                if due.priority is Priority.POLL:
                    yield from self._report_stretch(now)
                return
            self._start_due(due, now)

    def _next(self, now: float) -> Due | None:
        """The read to start now, or the first one to start later; None before another result has arrived."""
        connection = self._connection
        if self._is_signing_in or len(self._under_way) >= MAX_READS:
            return None
        if connection.is_down:
            is_trying = any(read.is_try for read in self._under_way.values())
            return None if is_trying else Due(connection.backoff.until, Priority.WAKE, now, self._list)
        dues = [one.next() for one in self._startable()]
        if self._trust.trusted:
            dues.append(Due(self._background_due, Priority.BACKGROUND, self._background_due, self._list))
        ready = [due for due in dues if due.at <= now]
        if ready:
            return min(ready, key=lambda due: (due.priority, due.since))
        return min(dues, key=lambda due: due.at, default=None)

    def _startable(self) -> Iterator[Target]:
        """Targets that aren't being read; no slow session while enough slow ones are."""
        if self._list.started is None:
            yield self._list
        slow_reads = sum(read.target.is_slow for read in self._under_way.values())
        for one in self._sessions.values():
            is_held_back = one.is_slow and slow_reads >= _MAX_SLOW_READS
            if one.is_waiting and one.started is None and not is_held_back:
                yield one

    def _start_due(self, due: Due, now: float) -> None:
        target: Target | None = due.target
        if self._refused:
            self._is_signing_in = True
            self._limit.start()
            self._send(SignInRequest())
            return
        if self._connection.is_down:
            target = self._next_try(now)
        elif due.priority is Priority.BACKGROUND:
            self._background_due = now + _BACKGROUND_EVERY
            target = self._next_in_background(now)
        if target is not None:
            self._start(target, due.priority, now)

    def _next_try(self, now: float) -> Target:
        """While the connection is down: the list, and every other time the session longest unread."""
        session = longest_unread(self._sessions.values(), now)
        if self._list.started is None and (self._connection.backoff.failures % 2 or session is None):
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

    def _start(self, target: Target, priority: Priority, now: float) -> None:
        request: Request = ListRequest(is_first=self._list.last is None)
        key: str | None = None
        if isinstance(target, FollowedSession):
            key = target.id
            request = MessagesRequest(key, target.cursor.next_request(now))
        self._under_way[key] = _Read(target, priority, now, self._connection.is_down, self._sign_ins)
        target.start(now)
        self._limit.start()
        self._send(request)

    def _finish(self, key: str | None) -> _Read:
        self._limit.finish(self._clock())
        return self._under_way.pop(key)

    # Results

    def _on_result(self, result: ReadResult) -> Iterator[Event]:
        request, error = result.request, result.error
        if isinstance(request, SignInRequest):
            yield from self._on_sign_in(error)
            return
        read = self._finish(request.session_id if isinstance(request, MessagesRequest) else None)
        target = read.target
        target.is_slow = target is not self._list and (
            result.seconds > SLOW or isinstance(error, RequestTimeout)
        )
        if isinstance(error, NotFound) and isinstance(target, FollowedSession):
            yield from self._on_success()
            yield from self._on_not_found(target, error)
        elif isinstance(error, SignInRefused):
            self._on_refusal(read, error)
        elif error is not None:
            yield from self._on_failure(read, error)
        elif isinstance(result.result, Listing):
            yield from self._on_success()
            yield from self._on_list(result.result, read.started)
        elif result.result and isinstance(target, FollowedSession) and isinstance(request, MessagesRequest):
            yield from self._on_success()
            yield from self._on_page(target, request.page, result.result, read.priority)

    def _on_success(self) -> Iterator[Event]:
        """Any good response ends a loss of the connection."""
        now = self._clock()
        if self._connection.on_success(now):
            for one in (self._list, *self._sessions.values()):
                one.clear_failures()
            behind = {one.id for one in self._sessions.values() if one.is_behind(now)}
            yield from self._connection.catch_up(behind)

    def _on_page(
        self, one: FollowedSession, request: PageRequest, page: Page, priority: Priority
    ) -> Iterator[Event]:
        now = self._clock()
        read_before, doubtful = one.read_from, one.cursor.doubtful
        result = one.record(request, page, now, polled=not self._trust.trusted)
        if not self._all and one.confirm():
            yield self._start_unlisted(one)
        yield from one.report_recovery()
        if result.reset and not doubtful and not one.has_ended:
            yield Notice("reset", f"the log of session {one.id} was reset: reading it again", one.id)
        for low, high in result.gaps:
            yield Notice("debug", f"session {one.id}: no messages between {max(low, 0)} and {high}", one.id)
        if result.messages or request.first:
            done = result.done or not request.first
            yield NewMessages(one.id, result.messages, page.at, request.first, done)
        is_new = not request.first and any(not message.late for message in result.messages)
        if priority is not Priority.FIRST and is_new:
            yield from self._judge_push(one, priority, now, read_before)
        yield from self._connection.caught_up(one.id, len(result.messages), result.done)
        if one.is_done:
            yield from one.close()

    def _start_unlisted(self, one: FollowedSession) -> SessionStarted:
        """The messages resource knows a session that the list doesn't."""
        if one.missing_since is not None:
            self._list.due = min(self._list.due, one.absent(-inf, self._clock()))
        return SessionStarted(Session(one.id), announce=False)

    def _judge_push(
        self, one: FollowedSession, priority: Priority, now: float, read_before: float
    ) -> Iterator[Event]:
        """Update the trust in push: this read found messages."""
        if priority is Priority.BACKGROUND:
            self._trust.on_background_page(one.id, now)
        elif self._trust.on_page(one.id, now, read_before):
            self._background_due = now + _BACKGROUND_EVERY
            for other in self._sessions.values():
                other.stop_polling(now)
            yield from self._report_once(Notice("push-trusted", "push works: polling rests"))

    def _on_list(self, listing: Listing, started: float) -> Iterator[Event]:
        now, announce = self._clock(), self._list.last is not None
        self._list.record(listing, started, now, polled=not self._trust.trusted)
        yield ListRead(listing)
        for session in listing.sessions:
            if self._all and session.id not in self._sessions:
                self._follow([session.id])
            one = self._sessions.get(session.id)
            if one is not None and one.listed(session, now):
                yield SessionStarted(session, announce)
        listed = {session.id for session in listing.sessions}
        for one in self._sessions.values():
            if one.id not in listed and not one.has_ended:
                self._list.due = min(self._list.due, one.absent(started, now))

    def _on_not_found(self, one: FollowedSession, error: NotFound) -> Iterator[Event]:
        """A 404 counts as a list without the session, but the list decides: a session without messages may
        have no log yet."""
        if one.phase is Phase.UNCONFIRMED:
            meant = self._list.last.similar_id(one.id) if self._list.last else None
            error.hint = did_you_mean(meant, error.hint)
            raise error
        now = self._clock()
        first = one.cursor.first
        one.cursor.stop()
        one.was_read(now, now, empty=not first, polled=not self._trust.trusted)
        yield from one.report_recovery()
        if first:
            yield NewMessages(one.id, (), first=True)
        yield from self._connection.caught_up(one.id, 0)
        if one.has_ended:
            yield from one.close()
        else:
            self._list.due = min(self._list.due, one.absent(-inf, now))

    # Failures

    def _on_refusal(self, read: _Read, error: SignInRefused) -> None:
        """Sign in again, once for all reads that started before."""
        read.target.retry(self._clock())
        if read.sign_ins == self._sign_ins:
            if read.target.refused:
                raise error
            self._refused.append(read.target)

    def _on_sign_in(self, error: Exception | None) -> Iterator[Event]:
        now = self._clock()
        self._limit.finish(now)
        self._is_signing_in = False
        refused, self._refused = self._refused, []
        if error is None:
            self._sign_ins += 1
            for one in refused:
                one.refused = True
            return
        failure = _temporary(error)
        for one in refused:
            one.failed(now, self._jitter())
        yield from self._connection.on_failure(failure, now, self._jitter(), is_try=True)

    def _on_failure(self, read: _Read, error: Exception) -> Iterator[Event]:
        failure = _temporary(error)
        now, target = self._clock(), read.target
        target.failed(now, self._jitter())
        if isinstance(error, ServerBusy) and (seconds := self._limit.throttle(now, error.retry_after)):
            message = f"the server asks for no requests for {seconds:.0f} s ({error.message})"
            yield from self._report_once(Notice("stretched", message), "Retry-After")
        yield from self._connection.on_failure(failure, now, self._jitter(), read.is_try)
        if isinstance(target, FollowedSession):
            yield from self._on_session_failure(target, failure, now)
        else:
            yield from self._list.report_failure(failure, self._connection.last_success)

    def _on_session_failure(
        self, one: FollowedSession, error: SmscliError, now: float
    ) -> Iterator[Notice | SessionEnded]:
        if one.backoff.failures >= WITNESS_FAILURES:
            self._list.wake(now)
        yield from self._connection.caught_up(one.id, 0)
        if not self._connection.is_down and one.is_unreadable(now, self._connection.last_success):
            yield from one.close() if one.has_ended else one.report_failure(error)


def _temporary(error: Exception) -> SmscliError:
    """The error, if a retry may succeed; raises it otherwise."""
    if isinstance(error, _TEMPORARY) and not isinstance(error, TlsError):
        return error
    raise error
