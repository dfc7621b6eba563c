"""A scripted server, its push channel and a clock moved by hand: all that a feed talks to.

Nothing sleeps: waiting moves the clock, and what the script says of that time happens meanwhile.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from math import inf

from smscli.errors import NotFound, SmscliError
from smscli.follow.cursor import Cursor
from smscli.follow.feed import Feed
from smscli.follow.loop import Arrivals, FeedBegan, FeedFailed, FeedLoop
from smscli.follow.requests import ListRequest, MessagesRequest, ReadResult, Request, SignInRequest
from smscli.follow.slots import ReadSlots
from smscli.model import (
    Event,
    Idle,
    Listing,
    Message,
    NewMessages,
    Notice,
    Page,
    Participant,
    Session,
    SessionEnded,
    SessionStarted,
    Wake,
    WakeKind,
)

EPOCH = datetime(2025, 1, 1, 12, 0, tzinfo=UTC)
CUSTOMER = Participant("Customer", "Ida", "0000C")


class Curtain(Exception):
    """The time to be played is over."""


@dataclass
class Asked:
    """One read, from its start to its answer: None stands for the list."""

    at: float
    session_id: str | None = None
    start: int | None = None
    count: int | None = None
    answered: float = inf


@dataclass
class Fault:
    error: SmscliError
    session_id: str | None
    times: int
    any_target: bool = False


@dataclass
class Stage:
    """The server's sessions and logs; `start`, `wait` and `clock` of a follow are its methods."""

    now: float = 0.0
    latency: float = 0.0
    latencies: dict[str | None, float] = field(default_factory=dict)
    """Of the sessions, or the list, whose answers take another time."""
    cap: int | None = None
    ignores_start: bool = False
    start_shift: int = 0
    shuffled: bool = False
    repeats: bool = False
    blanks: dict[str, int] = field(default_factory=dict)
    """How many answers of a session will be empty by mistake."""
    has_clock: bool = True
    offset: timedelta = timedelta(0)
    """What the server's clock is ahead."""
    end: float = 0.0
    jitter: float = 0.0
    sessions_listed: dict[str, Session] = field(default_factory=dict)
    logs: dict[str, list[Message]] = field(default_factory=dict)
    hidden: set[tuple[str, int]] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    renewals: list[SmscliError | None] = field(default_factory=list)
    renewed: int = 0
    played: list[tuple[float, Event]] = field(default_factory=list)
    debug: list[str] = field(default_factory=list)
    chance: Callable[[], SmscliError | None] = lambda: None
    """What a read fails with by chance."""
    _faults: list[Fault] = field(default_factory=list)
    _arrived: list[Wake | ReadResult] = field(default_factory=list)
    _script: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _under_way: list[tuple[float, int, Asked, Request]] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=count)

    # What happens at the server

    def open(self, *session_ids: str, state: str = "Chatting") -> None:
        for one in session_ids:
            self.sessions_listed[one] = Session(one, state)
            self.logs.setdefault(one, [])

    def say(self, session_id: str, text: str, *, index: int | None = None, age: float = 0.0) -> Message:
        """A message at the end of the log, or with an index of its own."""
        log = self.logs.setdefault(session_id, [])
        place = index if index is not None else max((one.order or 0 for one in log), default=0) + 1
        message = Message(
            session_id, place, "Text", CUSTOMER, "All", self._time() - timedelta(seconds=age), text
        )
        log.append(message)
        return message

    def fill(self, session_id: str, messages: int, *, age: float = 3600.0) -> None:
        for number in range(messages):
            self.say(session_id, f"old {number}", age=age)

    def hide(self, session_id: str, index: int) -> None:
        self.hidden.add((session_id, index))

    def show(self, session_id: str, index: int) -> None:
        self.hidden.discard((session_id, index))

    def restart(self, session_id: str) -> None:
        """The log is gone; new messages are numbered from 1."""
        self.logs[session_id] = []

    def state(self, session_id: str, state: str) -> None:
        self.sessions_listed[session_id] = replace(self.sessions_listed[session_id], state=state)

    def remove(self, session_id: str) -> None:
        del self.sessions_listed[session_id]

    def fail(self, error: SmscliError, session_id: str | None = None, times: int = 1) -> None:
        """The next reads of a session, or of the list, fail."""
        self._faults.append(Fault(error, session_id, times))

    def fail_all(self, error: SmscliError, times: int = 1_000_000) -> None:
        """Whatever is read next fails."""
        self._faults.append(Fault(error, None, times, any_target=True))

    def heal(self) -> None:
        self._faults.clear()

    def wake(self, session_id: str | None = None, kind: WakeKind = WakeKind.MESSAGES) -> None:
        self._arrived.append(Wake(kind, session_id))

    def push(self, wake: Wake) -> None:
        self._arrived.append(wake)

    def at(self, second: float, *actions: Callable[[], object]) -> None:
        """Do this at that second of the clock."""
        for action in actions:
            heappush(self._script, (second, next(self._turn), action))

    def _time(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now) + self.offset

    def _date(self) -> datetime | None:
        """The `Date` of an answer: whole seconds."""
        return self._time().replace(microsecond=0) if self.has_clock else None

    # What a follow is handed

    def clock(self) -> float:
        return self.now

    def start(self, request: Request) -> None:
        asked = Asked(self.now)
        if isinstance(request, MessagesRequest):
            asked = Asked(self.now, request.session_id, request.page.start, request.page.count)
        if not isinstance(request, SignInRequest):
            self.asked.append(asked)
        latency = self.latencies.get(asked.session_id, self.latency)
        heappush(self._under_way, (self.now + latency, next(self._turn), asked, request))

    def wait(self, seconds: float) -> Sequence[Wake | ReadResult]:
        target = self.now + seconds
        self._move(min(target, self.end))
        if self.now >= self.end and not self._arrived:
            raise Curtain
        arrived, self._arrived = self._arrived, []
        return arrived

    def arrivals(self, seconds: float) -> Arrivals:
        """What a loop with this feed only waits for."""
        return [("", item) for item in self.wait(seconds)]

    @property
    def next_due(self) -> float:
        """When something happens next."""
        if self._arrived:
            return self.now
        return min((one[0][0] for one in (self._script, self._under_way) if one), default=inf)

    def arrivals_by(self, target: float) -> Sequence[Wake | ReadResult]:
        """Move the clock to `target`; what has arrived by then."""
        self._move(target)
        self.now = max(self.now, target)
        arrived, self._arrived = self._arrived, []
        return arrived

    def _move(self, target: float) -> None:
        """Move the clock until something has arrived."""
        while True:
            due = min((one[0][0] for one in (self._script, self._under_way) if one), default=inf)
            if due > target or (self._arrived and due > self.now):
                break
            self.now = max(self.now, due)
            if self._script and self._script[0][0] <= due:
                _, _, action = heappop(self._script)
                action()
            else:
                started, _, asked, request = heappop(self._under_way)
                asked.answered = self.now
                self._arrived.append(self._answer(asked, request))
        if not self._arrived:
            self.now = max(self.now, target)

    def _answer(self, asked: Asked, request: Request) -> ReadResult:
        seconds = self.now - asked.at
        try:
            return ReadResult(request, self._result(asked, request), None, seconds)
        except SmscliError as error:
            return ReadResult(request, None, error, seconds)

    def _result(self, asked: Asked, request: Request) -> Listing | Page | None:
        if isinstance(request, SignInRequest):
            self._sign_in()
            return None
        self._strike(asked)
        if isinstance(request, ListRequest):
            return Listing(tuple(self.sessions_listed.values()), self._date())
        return self._page(request.session_id, request.page.start, request.page.count)

    def _page(self, session_id: str, start: int | None, count: int | None) -> Page:
        if session_id not in self.logs:
            raise NotFound(f"no such session: {session_id}")
        first = 0 if self.ignores_start else (start or 0) + self.start_shift
        shown = [one for one in self.logs[session_id] if (session_id, one.index) not in self.hidden]
        log = sorted(shown, key=lambda one: one.order or 0)
        found = [one for one in log if one.order is None or one.order >= first]
        most = min(count or len(found), self.cap or len(found))
        answer = found[:most] * (2 if self.repeats else 1)
        if self.blanks.get(session_id):
            self.blanks[session_id] -= 1
            answer = []
        return Page(tuple(answer[::-1] if self.shuffled else answer), self._date())

    def _sign_in(self) -> None:
        self.renewed += 1
        error = self.renewals.pop(0) if self.renewals else None
        if error is not None:
            raise error

    def _strike(self, asked: Asked) -> None:
        for fault in self._faults:
            if fault.any_target or fault.session_id == asked.session_id:
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                raise fault.error
        error = self.chance()
        if error is not None and self.played:
            raise error

    # Playing, and what was seen

    def play(
        self,
        seconds: float,
        *wanted: str,
        trusted: bool = False,
        interval: float = 2.0,
        resume: Mapping[str, Cursor] | None = None,
    ) -> "Stage":
        """Follow the `wanted` sessions, all without any, for so many seconds or to the end."""
        self.end = self.now + seconds
        self._under_way.clear()
        feed = Feed(
            self.start,
            clock=self.clock,
            interval=interval,
            slots=ReadSlots(),
            ids=wanted or None,
            trusted=trusted,
            jitter=lambda: self.jitter,
            resume=resume,
        )
        loop = FeedLoop({"": feed}, wait=self.arrivals, clock=self.clock)
        try:
            for _, event in loop.events():
                assert not isinstance(event, FeedBegan | FeedFailed)
                if isinstance(event, Notice) and event.kind == "debug":
                    self.debug.append(event.message)
                else:
                    self.played.append((self.now, event))
        except Curtain:
            return self
        return self

    def messages(self, session_id: str | None = None) -> list[Message]:
        """What was shown, in order."""
        return [
            message
            for _, event in self.played
            if isinstance(event, NewMessages) and session_id in (None, event.session_id)
            for message in event.messages
        ]

    def texts(self, session_id: str | None = None) -> list[str]:
        """What was shown, in order; late messages are marked."""
        return [f"{one.text} (late)" if one.late else one.text or "" for one in self.messages(session_id)]

    def shown_at(self, text: str) -> float:
        """When a text was shown."""
        return next(
            second
            for second, event in self.played
            if isinstance(event, NewMessages) and any(one.text == text for one in event.messages)
        )

    def news(self) -> list[str]:
        """Notices, and sessions that came and went."""
        lines = []
        for _, event in self.played:
            if isinstance(event, Notice):
                lines.append(f"{event.kind}: {event.message}")
            elif isinstance(event, SessionStarted):
                lines.append(f"started {event.session.id}" + ("" if event.announce else " quietly"))
            elif isinstance(event, SessionEnded):
                lines.append(f"ended {event.session_id} {event.state}")
        return lines

    def notice_times(self, kind: str) -> list[float]:
        """When a notice of this kind was given."""
        return [second for second, event in self.played if isinstance(event, Notice) and event.kind == kind]

    def notices(self) -> list[str]:
        return [event.kind for _, event in self.played if isinstance(event, Notice)]

    def lists(self) -> list[float]:
        """When the list was read."""
        return [one.at for one in self.asked if one.session_id is None]

    def reads(self, session_id: str) -> list[tuple[float, int | None, int | None]]:
        """When a session was read, and with which `startIndex` and `count`."""
        return [(one.at, one.start, one.count) for one in self.asked if one.session_id == session_id]

    def read_times(self, session_id: str) -> list[float]:
        """When a session was read; reads of one moment, as the pages of its log, count once."""
        return list(dict.fromkeys(one.at for one in self.asked if one.session_id == session_id))

    def most_in_a_second(self) -> int:
        """By the times of the starts or of the answers, whichever is more."""
        starts = [one.at for one in self.asked]
        answers = sorted(one.answered for one in self.asked)
        return max(
            bisect_right(times, one + 1) - place
            for times in (starts, answers)
            for place, one in enumerate(times)
            if one < inf
        )

    def most_at_once(self, *session_ids: str) -> int:
        """How many reads, of these sessions or of all, were under way at the same time."""
        reads = [one for one in self.asked if not session_ids or one.session_id in session_ids]
        return max(sum(other.at <= one.at < other.answered for other in reads) for one in reads)

    def idles(self) -> list[float]:
        return [event.seconds for _, event in self.played if isinstance(event, Idle)]
