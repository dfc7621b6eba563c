"""What the checks of a conversation work with: the facts of its log, its session and the time, and the
judgement that each of them returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from unicodedata import normalize

from smscli.model import SAID_TYPES, Message, MessageType, Participant, Role, Session
from smscli.transcript.activity import ENTERING_TYPES, Activity, CustomerWait

DEFAULT_LIMIT = 600.0
"""Seconds of waiting from which `waiting` fails."""

_DUPLICATE_WITHIN = timedelta(seconds=30)
_LEAST_DUPLICATE = 8
_MOST_RECENT = 1000
_MOST_GAPS = 10
_MOST_PEOPLE = 1000
_NOTICES = frozenset({MessageType.NOTICE, MessageType.CUSTOM_NOTICE})
# As Chat Server's default texts say it (docs. ESChat/latest/Admin/ChatInactivity).
_INACTIVITY = "inactivity"

Result = Literal["ok", "warn", "fail"]
Value = str | datetime | timedelta
"""What a judgement quotes: words of people, which are masked and cleaned, times and durations."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check says: `text` has `{}` for each of the values, `index` and `at` are those of the message
    that it is about, `hint` replaces the check's own.
    """

    result: Result
    text: str
    values: tuple[Value, ...] = ()
    index: int | None = None
    at: datetime | None = None
    hint: str | None = None


def warn(text: str, *values: Value, about: Message | None = None, hint: str | None = None) -> Judgement:
    """Something to look at."""
    return Judgement("warn", text, values, *_place(about), hint)


def ok(text: str, *values: Value, about: Message | None = None) -> Judgement:
    """Nothing wrong, but something worth saying."""
    return Judgement("ok", text, values, *_place(about))


def _place(message: Message | None) -> tuple[int | None, datetime | None]:
    return (message.index, message.at) if message else (None, None)


def role(message: Message) -> Role | None:
    """The role of its sender."""
    return message.sender.role if message.sender else None


def who(message: Message) -> str:
    """Its sender, as people name them."""
    return message.sender.name if message.sender else "somebody"


def key_of(one: Participant) -> object:
    """Tells participants apart."""
    return one.participant_id or one.person


class Outage(NamedTuple):
    """The recorder had no connection from `lost_at` on; `message` says what was caught up on.

    `back_at` is None where the recording ends before it was back.
    """

    lost_at: datetime | None
    back_at: datetime | None = None
    message: str | None = None


class LogFacts:
    """The facts of a log that checks need, collected message by message, in the order of the log.

    `ended_at`: when the session is known to have ended, None while it isn't.
    """

    def __init__(self) -> None:
        self.ended_at: datetime | None = None
        self.activity = Activity()
        self.last_timed: Message | None = None
        self.last_at: datetime | None = None
        self.last_agent_text: Message | None = None
        self.last_agent_leave: Message | None = None
        self.last_customer_leave: Message | None = None
        self.inactivity_notice: Message | None = None
        self.departed: dict[object, Message] = {}
        self.last_of: dict[object, Message] = {}
        self.customer_left_unanswered: tuple[Message, timedelta] | None = None
        self.gaps: list[tuple[int, int]] = []
        self.gaps_left_out = 0
        self._question: Message | None = None
        self._last_order: int | None = None
        self._recent = _RecentTexts()

    def add(self, message: Message) -> None:
        """Add the next message."""
        self.activity.add(message)
        self._number(message)
        if message.at is not None:
            self.last_timed = message
            if self.last_at is None or message.at > self.last_at:
                self.last_at = message.at
        if message.sender is not None:
            self._note_sender(message, message.sender)
        kind = message.type
        if kind == MessageType.TEXT:
            self._recent.add(message)
        elif kind in _NOTICES and _INACTIVITY in (message.notice or message.text or "").casefold():
            self.inactivity_notice = message

    def earlier_copy(self, message: Message) -> int | None:
        """The index of the same text by the same sender, at most 30 s before; None without one."""
        return self._recent.copy_of(message)

    def unanswered_for(self, until: datetime | None) -> tuple[Message, timedelta] | None:
        """The customer's oldest text that is not answered yet, and how long it had waited by then."""
        asked = self._question
        if asked is None or asked.at is None or until is None:
            return None
        return asked, until - asked.at

    def _number(self, message: Message) -> None:
        order, last = message.order, self._last_order
        if order is None:
            return
        if last is not None and order > last + 1:
            if len(self.gaps) < _MOST_GAPS:
                self.gaps.append((last + 1, order - 1))
            else:
                self.gaps_left_out += 1
        self._last_order = order

    def _note_sender(self, message: Message, sender: Participant) -> None:
        key, kind, role = key_of(sender), message.type, sender.role
        if key in self.last_of or len(self.last_of) < _MOST_PEOPLE:
            self.last_of[key] = message
        if kind == MessageType.LEFT:
            self._leave(message, key, role)
        elif key in self.departed and kind in ENTERING_TYPES:
            del self.departed[key]
        if role == Role.AGENT:
            if kind == MessageType.TEXT:
                self.last_agent_text = message
            if kind in SAID_TYPES and message.is_public:
                self._question = None
        elif role == Role.CUSTOMER and kind == MessageType.TEXT and self._question is None and message.at:
            self._question = message

    def _leave(self, message: Message, key: object, role: Role | None) -> None:
        if len(self.departed) < _MOST_PEOPLE:
            self.departed[key] = message
        if role == Role.AGENT:
            self.last_agent_leave = message
        elif role == Role.CUSTOMER:
            self.last_customer_leave = message
            self.customer_left_unanswered = self.unanswered_for(message.at)


class _RecentTexts:
    """The texts of the last 30 s, by hash: a text may be very long."""

    def __init__(self) -> None:
        self._recent: dict[int, tuple[int | None, datetime]] = {}

    def copy_of(self, message: Message) -> int | None:
        key = _text_key(message)
        known = self._recent.get(key) if key is not None else None
        if known is None or message.at is None or known[0] == message.index:
            return None
        return known[0] if abs(message.at - known[1]) <= _DUPLICATE_WITHIN else None

    def add(self, message: Message) -> None:
        key = _text_key(message)
        if key is None or message.at is None:
            return
        self._recent.pop(key, None)
        self._recent[key] = (message.index, message.at)
        while len(self._recent) > 1:
            oldest = next(iter(self._recent))
            is_old = message.at - self._recent[oldest][1] > _DUPLICATE_WITHIN
            if not is_old and len(self._recent) <= _MOST_RECENT:
                break
            del self._recent[oldest]


def _text_key(message: Message) -> int | None:
    """A hash of text and sender; None for a text that is too short to be told from a usual answer."""
    text = message.text or ""
    if not text.isascii():
        text = normalize("NFC", text)
    text = text.strip()
    if len(text) < _LEAST_DUPLICATE:
        return None
    return hash((text, key_of(message.sender) if message.sender else None))


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a check knows when the log has been read.

    `session` is None where its state is not known; `now` is the server's time, of a recording its newest
    time. `limit`: seconds of waiting that fail. `is_masked`: the user data is.
    """

    session: Session | None
    log: LogFacts
    now: datetime | None
    is_masked: bool = False
    outages: tuple[Outage, ...] = ()
    is_recorded: bool = False
    limit: float = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        self.log.activity.session = self.session

    @property
    def activity(self) -> Activity:
        return self.log.activity

    @property
    def wait(self) -> CustomerWait | None:
        return self.activity.wait()

    @property
    def is_live(self) -> bool:
        """Whether the session is known to be live."""
        return self.session is not None and not self.session.ended

    @property
    def has_ended(self) -> bool:
        return self.session is not None and self.session.ended

    def since(self, at: datetime | None) -> timedelta | None:
        """The time from then to now."""
        return self.now - at if self.now and at else None

    def present(self) -> Iterator[object]:
        """The keys of those who are present."""
        for one in self.activity.summary().participants:
            if one.present:
                yield one.participant_id or (one.type, one.nickname or one.participant_id)
