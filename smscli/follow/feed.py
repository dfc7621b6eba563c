"""The feed of `tail` and `list --watch`: starts reads and turns their results into events, each message once.

Single-threaded: up to four reads are under way at once, but they are started and their results handled here.
`schedule` chooses the next read, `targets` say when they are due, `cursor` says which messages are new.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from smscli.follow.connection import Connection
from smscli.follow.cursor import Cursor, PageRequest
from smscli.follow.rate import PushTrust, RateLimit
from smscli.follow.requests import ListRequest, MessagesRequest, ReadResult, Request, SignInRequest
from smscli.follow.schedule import Schedule
from smscli.follow.targets import FollowedSession, Phase, Priority, SessionList, Target
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

# A session is slow after a read that took longer than this, in seconds.
_SLOW = 0.5
# After this many failures of a session in a row the list is read too, to judge the connection.
_WITNESS_FAILURES = 2
_SHORTEST_WAIT = 0.001
_LONGEST_WAIT = 60.0
# Output is flushed and the screen redrawn at each Idle: when no read is under way, else this often.
_LONGEST_BUSY = 0.25
_TEMPORARY = (Unreachable, ServerError, WireError, NotPermitted, NotFound)

Arrivals = Sequence[Wake | ReadResult]


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
        self._schedule = Schedule(self._list, self._sessions, self._connection, self._trust, clock())
        self._all = True
        self._refused: list[Target] = []
        self._sign_ins = 0
        self._reported: set[str] = set()
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
        listing, resume = self._first_list(), self._resume
        end = max((cursor.last_at for cursor in resume.values() if cursor.last_at), default=None)
        for cursor in resume.values():
            cursor.settle(end, self._clock())
        self._all = ids is None
        if ids is None:
            self._follow([one for one, cursor in resume.items() if cursor.may_be_live(end)])
        else:
            # Those the list doesn't know go first: one that messages doesn't know either is refused at once.
            self._follow(sorted(ids, key=lambda one: listing.find(one) is not None))
        yield from self._on_list(listing)

    def _first_list(self) -> Listing:
        self._start(self._list, Priority.POLL, self._clock())
        while True:
            for item in self._wait(_LONGEST_WAIT):
                if isinstance(item, ReadResult):
                    self._limit.finish(self._clock())
                    self._schedule.under_way.remove(self._list)
                    if item.error is not None:
                        raise item.error
                    if isinstance(item.result, Listing):
                        return item.result

    def _follow(self, session_ids: Sequence[str]) -> None:
        for one in session_ids:
            self._sessions[one] = FollowedSession(one, self._resume.get(one), self._interval, self._clock())

    # Waiting, and wake-ups

    def _await_arrivals(self) -> Iterator[Event]:
        """Wait until a read may start or something arrives; handle what arrived."""
        now = self._clock()
        due = self._schedule.next(now)
        at = self._trust.deadline
        if due is not None:
            at = min(at, max(due.at, self._limit.free_at(now)))
        seconds = min(max(at - now, _SHORTEST_WAIT), _LONGEST_WAIT) if at > now else 0.0
        idle_due = self._idle_at + _LONGEST_BUSY
        if now >= idle_due or (seconds and not self._schedule.under_way):
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

    def _on_wake(self, wake: Wake) -> Iterator[Event]:
        now = self._clock()
        match wake.kind:
            case WakeKind.MESSAGES:
                self._wake_session(wake.session_id, now)
            case WakeKind.LIST:
                self._list.wake(now)
            case WakeKind.EVERYTHING:
                self._trust.on_reconnect(now)
                self._schedule.poll_all(now)
            case WakeKind.BROKEN:
                # If the channel is back within an interval, only the reads that follow then are needed.
                self._trust.on_break()
                self._schedule.poll_all(now + self._interval)
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

    def _distrust(self, kind: str, message: str) -> Iterator[Event]:
        self._schedule.poll_all(self._clock())
        yield from self._report_once(kind, message)

    def _report_stretch(self, now: float) -> Iterator[Event]:
        """Once, when more polls are due than the rate limit allows."""
        live = [one for one in self._sessions.values() if one.phase is not Phase.ENDED]
        polls_per_second = sum(1 / target.poll.interval for target in (self._list, *live))
        if not self._trust.trusted and polls_per_second > self._limit.per_second(now):
            message = f"{len(live)} sessions: polling is slower than asked for"
            yield from self._report_once("stretched", message)

    def _report_once(self, kind: str, message: str, cause: str | None = None) -> Iterator[Event]:
        """Report each cause once; by default there is one for each kind of notice."""
        cause = cause or kind
        if cause not in self._reported:
            self._reported.add(cause)
            yield Notice(kind, message)

    # Starting reads

    def _start_reads(self) -> Iterator[Event]:
        """Start the reads that are due, within the limits."""
        now = self._clock()
        while (due := self._schedule.next(now)) is not None and due.at <= now:
            if self._limit.free_at(now) > now:
                if due.priority is Priority.POLL:
                    yield from self._report_stretch(now)
                return
            if self._refused:
                self._schedule.is_paused = True
                self._limit.start()
                self._send(SignInRequest())
            elif target := self._schedule.target(due, now):
                self._start(target, due.priority, now)

    def _start(self, target: Target, priority: Priority, now: float) -> None:
        target.start(now, priority, self._connection.is_down, self._sign_ins)
        self._schedule.under_way.append(target)
        self._limit.start()
        self._send(target.request(now))

    # Results

    def _on_result(self, result: ReadResult) -> Iterator[Event]:
        self._limit.finish(self._clock())
        request, error = result.request, result.error
        if isinstance(request, SignInRequest):
            yield from self._on_sign_in(error)
            return
        target = self._list if isinstance(request, ListRequest) else self._sessions[request.session_id]
        is_slow = result.seconds > _SLOW or isinstance(error, RequestTimeout)
        target.is_slow = is_slow and target is not self._list
        match request, error or result.result:
            case MessagesRequest(session_id, page_request), Page() as page:
                yield from self._on_success()
                yield from self._on_page(self._sessions[session_id], page_request, page)
            case MessagesRequest(session_id), NotFound() as not_found:
                yield from self._on_success()
                yield from self._on_not_found(self._sessions[session_id], not_found)
            case ListRequest(), Listing() as listing:
                yield from self._on_success()
                yield from self._on_list(listing)
            case _, SignInRefused() as refusal:
                self._on_refusal(target, refusal)
            case _, Exception() as failure:
                yield from self._on_failure(target, failure)
        # Not before: after a loss of the connection this session is behind too.
        self._schedule.under_way.remove(target)

    def _on_success(self) -> Iterator[Event]:
        """Any good response ends a loss of the connection."""
        now = self._clock()
        if self._connection.on_success(now):
            for one in (self._list, *self._sessions.values()):
                one.clear_failures()
            yield from self._connection.catch_up(self._schedule.behind(now))

    def _on_page(self, one: FollowedSession, request: PageRequest, page: Page) -> Iterator[Event]:
        now = self._clock()
        read_before, doubtful = one.read_from, one.cursor.doubtful
        result = one.record(request, page, now, polled=not self._trust.trusted)
        if not self._all and one.confirm():
            # The list doesn't have it: read that again soon, in case it has just ended.
            self._list.poll_by(one.gone_at)
            yield SessionStarted(Session(one.id), announce=False)
        yield from one.report_recovery()
        if result.reset and not doubtful and not one.has_ended:
            yield Notice("reset", f"the log of session {one.id} was reset: reading it again", one.id)
        for low, high in result.gaps:
            yield Notice("debug", f"session {one.id}: no messages between {max(low, 0)} and {high}", one.id)
        if result.messages or request.first:
            done = result.done or not request.first
            yield NewMessages(one.id, result.messages, page.at, request.first, done)
        is_new = not request.first and any(not message.late for message in result.messages)
        if is_new and one.priority is not Priority.FIRST:
            yield from self._judge_push(one, now, read_before)
        yield from self._connection.caught_up(one.id, len(result.messages), result.done)
        if one.is_done:
            yield from one.close()

    def _judge_push(self, one: FollowedSession, now: float, read_before: float) -> Iterator[Event]:
        """Update the trust in push: this read found messages."""
        if one.priority is Priority.BACKGROUND:
            self._trust.on_background_page(one.id, now)
        elif self._trust.on_page(one.id, now, read_before):
            self._schedule.stop_polling(now)
            yield from self._report_once("push-trusted", "push works: polling rests")

    def _on_list(self, listing: Listing) -> Iterator[Event]:
        now, announce = self._clock(), self._list.last is not None
        self._list.record(listing, now, polled=not self._trust.trusted)
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
                self._list.poll_by(one.absent(self._list.read_from, now))

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
            self._list.poll_by(one.absent(-inf, now))

    # Failures

    def _on_refusal(self, target: Target, error: SignInRefused) -> None:
        """Sign in again, once for all reads that started before."""
        target.retry(self._clock())
        if target.sign_ins == self._sign_ins:
            if target.refused:
                raise error
            self._refused.append(target)

    def _on_sign_in(self, error: Exception | None) -> Iterator[Event]:
        now = self._clock()
        self._schedule.is_paused = False
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

    def _on_failure(self, target: Target, error: Exception) -> Iterator[Event]:
        failure, now = _temporary(error), self._clock()
        target.failed(now, self._jitter())
        if isinstance(error, ServerBusy) and (seconds := self._limit.throttle(now, error.retry_after)):
            message = f"the server asks for no requests for {seconds:.0f} s ({error.message})"
            yield from self._report_once("stretched", message, "Retry-After")
        yield from self._connection.on_failure(failure, now, self._jitter(), target.is_try)
        last_success = self._connection.last_success
        if not isinstance(target, FollowedSession):
            yield from self._list.report_failure(failure, last_success)
            return
        if target.backoff.failures >= _WITNESS_FAILURES:
            self._list.wake(now)
        yield from self._connection.caught_up(target.id, 0)
        if not self._connection.is_down:
            yield from target.report_failure(failure, now, last_success)


def _temporary(error: Exception) -> SmscliError:
    """The error, if a retry may succeed; raises it otherwise."""
    if isinstance(error, _TEMPORARY) and not isinstance(error, TlsError):
        return error
    raise error
