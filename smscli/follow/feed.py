"""The feed of one profile: starts reads and turns their results into events, each message once.

Single-threaded: several reads are under way at once, but they are started and their results handled here.
`loop` runs one feed or several; `schedule` chooses the next read, `targets` say when they are due, `cursor`
says which messages are new.
"""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import inf

from smscli.errors import (
    NotFound,
    RequestTimeout,
    ServerBusy,
    SignInRefused,
    SmscliError,
    did_you_mean,
)
from smscli.follow.connection import Connection, is_temporary, temporary
from smscli.follow.cursor import Cursor, PageRequest
from smscli.follow.rate import PushTrust
from smscli.follow.requests import ListRequest, MessagesRequest, ReadResult, Request, SignInRequest
from smscli.follow.schedule import Schedule
from smscli.follow.slots import ReadSlots
from smscli.follow.targets import (
    LONGEST_RETRY,
    Due,
    FollowedSession,
    FollowedSessions,
    Phase,
    Priority,
    SessionList,
    Target,
)
from smscli.model import (
    Event,
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
# Between the first reads of a list that fails while other profiles can be read.
_LONGEST_START_RETRY = 30.0


class Feed:
    """Follows the sessions of one profile.

    `start(request)` begins a request and returns at once. `clock` is monotonic, in seconds, and `interval`
    the seconds between polls. `slots` limit the reads from its server. `ids`: the sessions to follow until
    they have ended; None for every session, without end. `trusted`: push is tried, and was reliable in the
    last run. `jitter` returns numbers from 0 to 1. `resume` holds the cursors of sessions that an earlier run
    recorded, `unfinished` those read even where no list has them (None: all); `are_known`: a list has ids.
    """

    def __init__(
        self,
        start: Callable[[Request], None],
        *,
        clock: Callable[[], float],
        interval: float,
        slots: ReadSlots,
        ids: Sequence[str] | None = None,
        trusted: bool = False,
        jitter: Callable[[], float] = random.random,
        resume: Mapping[str, Cursor] | None = None,
        unfinished: Collection[str] | None = None,
        are_known: bool = False,
    ) -> None:
        self._send = start
        self._clock = clock
        self._interval = interval
        self._slots = slots
        self._trust = PushTrust(trusted)
        self._jitter = jitter
        self._ids = ids
        self._resume = resume or {}
        self._unfinished = unfinished
        self._are_known = are_known
        self._connection = Connection(clock())
        self._list = SessionList(interval, clock())
        self.sessions = FollowedSessions(ids, self._resume, interval)
        self._schedule = Schedule(self._list, self.sessions, self._connection, self._trust, slots, clock())
        self._refused: list[Target] = []
        self._sign_ins = 0
        self._reported: set[str] = set()

    @property
    def listing(self) -> Listing | None:
        """The last list; None before the first."""
        return self._list.last

    @property
    def is_over(self) -> bool:
        """Whether every session that it was to follow has ended."""
        is_limited = self._ids is not None and self.listing is not None
        return is_limited and not self.sessions.open_ids

    @property
    def is_connected(self) -> bool:
        return not self._connection.is_down

    @property
    def deadline(self) -> float:
        """When `check` is to be called."""
        return self._trust.deadline

    @property
    def polls_per_second(self) -> float:
        """How often it has to read without wake-ups."""
        polled = () if self._trust.trusted else (self._list, *self.sessions.live)
        return sum(1 / target.poll.interval for target in polled)

    @property
    def is_reading(self) -> bool:
        return self._schedule.is_reading

    def free_at(self, now: float, keep: int = 0) -> float:
        """When the limits let it start a read and `keep` more: in the past if at once."""
        return self._slots.limit.free_at(now, keep)

    def reads_per_second(self, now: float) -> int:
        """How many reads its server allows."""
        return self._slots.limit.per_second(now)

    def next(self, now: float) -> Due | None:
        """The read to start now or later; None before another result has arrived."""
        return self._schedule.next(now)

    def start(self, due: Due, now: float) -> None:
        """Start a read that is due."""
        if self._refused:
            self._schedule.start_sign_in()
            self._send(SignInRequest())
        elif target := self._schedule.start(due, now, self._sign_ins):
            self._send(target.request(now))

    def handle(self, item: Wake | ReadResult) -> Iterator[Event]:
        """What a wake-up, or the result of a read, leads to.

        Raises what the first list read raises; NotFound for a session that neither the list nor messages
        know; later only a refused certificate, a sign-in refused again, and errors that no retry can fix.
        """
        return self._on_wake(item) if isinstance(item, Wake) else self._on_result(item)

    def check(self, now: float) -> Iterator[Event]:
        """What only time leads to, and that another profile reads a session now."""
        yield from self._connection.report_end()
        if self._trust.expires(now):
            yield from self._distrust("push-lost", "a message came without a wake-up: polling as well")

    def release(self, one: FollowedSession) -> None:
        """Leave a session's log to the feed of another profile."""
        one.stop_reading()
        self._connection.leave(one.id)

    def stop(self) -> None:
        """Nothing more is read; reads under way no longer count."""
        self._schedule.abandon(self._clock())

    def try_again(self, error: SmscliError) -> bool:
        """After the first list failed: read it again later; False where that can't help."""
        if self.listing is not None or not is_temporary(error):
            return False
        self._list.backoff.longest = _LONGEST_START_RETRY
        self._list.failed(self._clock(), self._jitter())
        return True

    def _begin(self, listing: Listing) -> Iterator[Event]:
        """Choose the sessions to follow: the first list has been read."""
        resume, ids, now = self._resume, self._ids, self._clock()
        self._list.backoff.longest = LONGEST_RETRY
        end = max((cursor.last_at for cursor in resume.values() if cursor.last_at), default=None)
        for cursor in resume.values():
            cursor.settle(end, now)
        if ids is None:
            unfinished = [one for one, cursor in resume.items() if cursor.may_be_live(end)]
            mine = [one for one in unfinished if self._unfinished is None or one in self._unfinished]
            self.sessions.follow(mine, now)
        else:
            # Those the list doesn't know go first: one that messages doesn't know either is refused at once.
            unlisted_first = sorted(ids, key=lambda one: listing.find(one) is not None)
            self.sessions.follow(unlisted_first, now, are_known=self._are_known)
        yield from self._on_list(listing)

    # Wake-ups

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
        one = self.sessions.get(session_id or "")
        if one is not None:
            one.wake(now)
            self._trust.on_wake(one.id, now)
        elif session_id is None or not self._list.knows(session_id):
            self._list.wake(now)

    def _distrust(self, kind: str, message: str) -> Iterator[Event]:
        self._schedule.poll_all(self._clock())
        yield from self._report_once(kind, message)

    def _report_once(self, kind: str, message: str, cause: str | None = None) -> Iterator[Event]:
        """Report each cause once; by default there is one for each kind of notice."""
        cause = cause or kind
        if cause not in self._reported:
            self._reported.add(cause)
            yield Notice(kind, message)

    # Results

    def _on_result(self, result: ReadResult) -> Iterator[Event]:
        self._slots.limit.finish(self._clock())
        target = self._target_of(result.request)
        target.is_slow = result.seconds > _SLOW or isinstance(result.error, RequestTimeout)
        try:
            if result.error is not None and self.listing is None:
                raise result.error
            yield from self._on_response(target, result)
        finally:
            # Not before: after a loss of the connection this session is behind too.
            self._schedule.finish(target)

    def _target_of(self, request: Request) -> Target:
        match request:
            case MessagesRequest(session_id):
                return self.sessions[session_id]
            case ListRequest():
                return self._list
        return self._schedule.sign_in

    def _on_response(self, target: Target, result: ReadResult) -> Iterator[Event]:
        match result.request, result.error or result.result:
            case SignInRequest(), Exception() | None as error:
                yield from self._on_sign_in(error)
            case MessagesRequest(session_id, page_request), Page() as page:
                yield from self._on_success()
                yield from self._on_page(self.sessions[session_id], page_request, page)
            case MessagesRequest(session_id), NotFound() as not_found:
                yield from self._on_success()
                yield from self._on_not_found(self.sessions[session_id], not_found)
            case ListRequest(), Listing() as listing:
                yield from self._on_success()
                yield from self._on_list(listing) if self.listing else self._begin(listing)
            case _, SignInRefused() as refusal:
                self._on_refusal(target, refusal)
            case _, Exception() as failure:
                yield from self._on_failure(target, failure)

    def _on_success(self) -> Iterator[Event]:
        """Any good response ends a loss of the connection."""
        now = self._clock()
        if self._connection.on_success(now):
            for one in (self._list, *self.sessions.values()):
                one.clear_failures()
            yield from self._connection.catch_up(self._schedule.behind(now))

    def _on_page(self, one: FollowedSession, request: PageRequest, page: Page) -> Iterator[Event]:
        if not one.is_reader:
            # Another profile's feed reads the log now, this page too.
            yield from self._connection.caught_up(one.id, 0)
            return
        now = self._clock()
        read_before, doubtful = one.read_from, one.cursor.doubtful
        result = one.record(request, page, now, polled=not self._trust.trusted)
        if self._ids is not None and one.confirm():
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
            if self._ids is None and session.id not in self.sessions:
                self.sessions.follow([session.id], now)
            one = self.sessions.get(session.id)
            if one is not None and one.listed(session, now):
                yield SessionStarted(session, announce)
        listed = {session.id for session in listing.sessions}
        for one in self.sessions.values():
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
        if not one.is_reader or one.has_other_views:
            # Another profile goes on from where the cursor is.
            yield from self._connection.caught_up(one.id, 0)
            one.was_read(now, now, empty=False, polled=not self._trust.trusted)
            self._list.poll_by(one.absent(-inf, now))
            return
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
        failure = temporary(error)
        for one in refused:
            one.failed(now, self._jitter())
        yield from self._connection.on_failure(failure, now, self._jitter(), is_try=True)

    def _on_failure(self, target: Target, error: Exception) -> Iterator[Event]:
        failure, now = temporary(error), self._clock()
        target.failed(now, self._jitter())
        if isinstance(error, ServerBusy) and (seconds := self._slots.limit.throttle(now, error.retry_after)):
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
