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
_LONGEST_KEPT = 200
_LONGEST_NORMALIZED = 2000
_NOTICES = frozenset({MessageType.NOTICE, MessageType.CUSTOM_NOTICE})
# As Chat Server's default texts say it (docs. ESChat/latest/Admin/ChatInactivity).
_INACTIVITY = "inactivity"

Result = Literal["ok", "warn", "fail"]


class Quote(str):
    """What a person wrote: masked, cleaned and cut before it is shown. Other strings are not."""

    __slots__ = ()


Value = str | datetime | timedelta
"""What a judgement says: quotes, ids and states, times and durations."""


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


def quote(text: str) -> Quote:
    """The beginning of what a person wrote, longer than what is shown: it is masked before it is cut."""
    return Quote(text[:_LONGEST_KEPT])


def who(message: Message) -> str:
    """Its sender, as people name them: the nickname, else the participantId."""
    sender = message.sender
    return quote(sender.nickname) if sender and sender.nickname else sender.name if sender else "somebody"


class Outage(NamedTuple):
    """The recorder had no connection from `lost_at` on; `message` says what was caught up on.

    `back_at` is None where the recording ends before it was back.
    """

    lost_at: datetime | None
    back_at: datetime | None = None
    message: str | None = None


class LogFacts:
    """The facts of a log that checks need, collected message by message, in the order of the log.

    `ended_at`: when the state said that the session has ended, None while it is live; `is_end_exact`: it
    ended then. `is_masked`: the texts and the user data are.
    """

    def __init__(self) -> None:
        self.ended_at: datetime | None = None
        self.is_end_exact = True
        self.is_masked = False
        self.activity = Activity()
        self.is_empty = True
        self.last_timed: Message | None = None
        self.last_at: datetime | None = None
        self.last_agent_text: Message | None = None
        self.last_of: dict[object, Message] = {}
        self.sides = Sides()
        self.questions: dict[object, Message] = {}
        self.left_unanswered: dict[object, tuple[Message, timedelta]] = {}
        self.gaps: list[tuple[int, int]] = []
        self.gaps_left_out = 0
        self._last_order: int | None = None
        self._recent = _RecentTexts()

    def add(self, message: Message) -> None:
        """Add the next message."""
        self.is_empty = False
        self.activity.add(message)
        self._number(message)
        if message.at is not None:
            if message.order is not None:
                self.last_timed = message
            if self.last_at is None or message.at > self.last_at:
                self.last_at = message.at
        self.sides.add(message)
        if message.sender is not None:
            self._note_sender(message, message.sender)
        if message.type == MessageType.TEXT:
            self._recent.add(message)

    def earlier_copy(self, message: Message) -> int | None:
        """The index of the same text by the same sender, at most 30 s before; None without one."""
        # Different addresses and numbers are masked alike.
        if self.is_masked and "**" in (message.text or ""):
            return None
        return self._recent.copy_of(message)

    def unanswered(self) -> Message | None:
        """The oldest text of a customer that is not answered yet."""
        return next(iter(self.questions.values()), None)

    def _number(self, message: Message) -> None:
        order, last = message.order, self._last_order
        if order is None:
            return
        if last is not None and order < last:
            # The log was renumbered: what comes now may be what was there before.
            self.last_timed, self._recent = None, _RecentTexts()
        elif last is not None and order > last + 1:
            if len(self.gaps) < _MOST_GAPS:
                self.gaps.append((last + 1, order - 1))
            else:
                self.gaps_left_out += 1
        self._last_order = order

    def _note_sender(self, message: Message, sender: Participant) -> None:
        key, kind, role = sender.key, message.type, sender.role
        if key in self.last_of or len(self.last_of) < _MOST_PEOPLE:
            self.last_of[key] = message
        if kind in ENTERING_TYPES:
            self.left_unanswered.pop(key, None)
        if role == Role.AGENT:
            if kind == MessageType.TEXT:
                self.last_agent_text = message
            if kind in SAID_TYPES and message.is_public:
                self.questions.clear()
        elif role == Role.CUSTOMER and kind == MessageType.TEXT:
            if len(self.questions) < _MOST_PEOPLE:
                self.questions.setdefault(key, message)
        elif role == Role.CUSTOMER and kind == MessageType.LEFT and key not in self.left_unanswered:
            asked = self.questions.get(key)
            if asked and asked.at and message.at:
                self.left_unanswered[key] = (asked, message.at - asked.at)


class Sides:
    """Who of customers and visible agents is there, by the log, and how they parted.

    `parted` is the leave with which the last of a side went, unless one of that side came (back);
    `inactivity` a notice of inactivity before it, with nothing said in between.
    """

    def __init__(self) -> None:
        self.parted: Message | None = None
        self.inactivity: Message | None = None
        self.last_leave: dict[Role, Message] = {}
        self._present: dict[Role, set[object]] = {Role.CUSTOMER: set(), Role.AGENT: set()}

    def add(self, message: Message) -> None:
        kind, sender = message.type, message.sender
        if kind in SAID_TYPES:
            self.inactivity = None
        elif kind in _NOTICES and _INACTIVITY in (message.notice or message.text or "").casefold():
            self.inactivity = self.inactivity if self.parted else message
        role = sender.role if sender else None
        if sender is None or role is None or not message.is_public:
            return
        present, key = self._present[role], sender.key
        if kind == MessageType.LEFT:
            present.discard(key)
            self.last_leave[role] = message
            if not present and self.parted is None:
                self.parted = message
        elif kind in ENTERING_TYPES and len(present) < _MOST_PEOPLE:
            present.add(key)
            if self.parted and self.parted.sender and self.parted.sender.role == role:
                self.parted = None


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
    # A text made for it takes the square of its length to normalize.
    if not text.isascii() and len(text) <= _LONGEST_NORMALIZED:
        text = normalize("NFC", text)
    text = text.strip()
    if len(text) < _LEAST_DUPLICATE:
        return None
    return hash((text, message.sender.key if message.sender else None, message.is_public))


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a check knows when the log has been read.

    `session` is None where its state is not known; `now` is the server's time, of a recording its newest
    time. `limit`: seconds of waiting that fail. `recorded`: a recording or a stream, None for the server;
    `stale`: that nothing new comes from there.
    """

    session: Session | None
    log: LogFacts
    now: datetime | None
    outages: tuple[Outage, ...] = ()
    recorded: str | None = None
    stale: str | None = None
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
                yield Participant(one.type, one.nickname, one.participant_id).key
