"""Who is in a session, who waits, and its figures, computed message by message in constant memory.

The log decides, in the order of its indices: a message that arrives late is judged at its place in it.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import NamedTuple

from smscli.model import SAID_TYPES, VISIBLE_TO_ALL, Message, MessageType, Participant, Role, Session

# Real sessions have a handful of participants; these bound what a faulty or hostile server makes us keep.
_MAX_PEOPLE = 1000
_MAX_PENDING = 100

ENTERING_TYPES = frozenset(
    {MessageType.JOINED, MessageType.REJOINED, MessageType.TYPING_STARTED, *SAID_TYPES},
)
"""The types that let their sender in, also after a Left."""

Place = tuple[int, int, int]
"""Sort key of a message: number of log resets before it, index, number of messages received before it."""


class PersonActivity(NamedTuple):
    """One participant, told apart by participantId, else by type and nickname.

    `composing_seconds` sums up their messages and drafts that were given up; None where nothing was measured.
    `left_at` is the last leave, None for one who is present or left at an unreadable time.
    """

    participant_id: str | None
    nickname: str | None
    type: str | None
    messages: int = 0
    composing_seconds: float | None = None
    joined_at: datetime | None = None
    left_at: datetime | None = None
    present: bool = False
    visibility: str | None = None


class CustomerWait(NamedTuple):
    """A customer waits. `no_agent`: because no agent has ever attended, rather than for an answer.

    `customer` is a nickname or participantId, None where no customer is known; `message_index` is that of
    the oldest Text that waits.
    """

    since: datetime
    customer: str | None
    no_agent: bool = False
    message_index: int | None = None

    def seconds(self, now: datetime | None) -> float | None:
        """The seconds up to now, to the millisecond; never negative, since servers' clocks differ."""
        return None if now is None else max(0.0, round((now - self.since).total_seconds(), 3))


class ActivitySummary(NamedTuple):
    """The activity of a session so far. Seconds are to the millisecond; None where there is nothing.
    `last_message` is the last Text or PushUrl."""

    messages: int
    participants: tuple[PersonActivity, ...]
    first_message_at: datetime | None = None
    last_message_at: datetime | None = None
    first_response_seconds: float | None = None
    waiting_seconds: float | None = None
    wait: CustomerWait | None = None
    typing: tuple[str, ...] = ()
    last_message: Message | None = None


class Activity:
    """The activity of one session; `session` is how the list shows it, None in a recording of messages."""

    def __init__(self, session: Session | None = None) -> None:
        self._session = session
        self._places = _Places()
        self._people: dict[object, _Person] = {}
        self._messages = 0
        self._first_at: datetime | None = None
        self._last_at: tuple[Place, datetime] | None = None
        self._last: tuple[Place, Message] | None = None
        self._first_entry: tuple[Place, datetime] | None = None
        self._answers = _Answers()

    @property
    def session(self) -> Session | None:
        return self._session

    @session.setter
    def session(self, session: Session | None) -> None:
        self._session = session
        self._forget_attendance()

    def add(self, message: Message) -> None:
        """Count one message of the log."""
        place = self._places.next(message)
        if message.at and (self._first_entry is None or place < self._first_entry[0]):
            self._first_entry = (place, message.at)
        if message.sender and (person := self._person(message.sender)):
            person.messages += message.type in SAID_TYPES
            if person.move(message, place):
                self._forget_attendance()
        if message.type in SAID_TYPES:
            self._say(message, place)

    def add_composing(self, sender: Participant | None, seconds: float | None) -> None:
        """Count the time in which a message, or a draft that was given up, was composed."""
        if seconds is not None and sender and (person := self._person(sender)):
            person.composing = (person.composing or 0.0) + seconds

    def wait(self) -> CustomerWait | None:
        """Who waits and since when; None where nobody does."""
        if self._session is not None and self._session.ended:
            return None
        attendance = self.attendance
        if attendance.is_left_by_customers:
            return None
        waits = []
        if question := self._answers.oldest_question:
            who = question.sender.nickname or question.sender.participant_id
            waits.append(CustomerWait(question.at, who, message_index=question.index))
        since = self.began_at
        if since and not attendance.was_attended:
            waits.append(CustomerWait(since, attendance.customer, no_agent=True))
        return min(waits, key=attrgetter("since"), default=None)

    @property
    def began_at(self) -> datetime | None:
        """When the session was received, else the time of the log's first entry."""
        received = self._session.received if self._session is not None else None
        return received or (self._first_entry[1] if self._first_entry else None)

    def summary(self, now: datetime | None = None, typing: Iterable[Participant] = ()) -> ActivitySummary:
        """The activity at the time `now` (None: unknown); `typing` are those who are typing now."""
        wait = self.wait()
        is_live = self._session is None or not self._session.ended
        return ActivitySummary(
            messages=self._messages,
            participants=tuple(person.activity(listed, is_live) for person, listed in self._known()),
            first_message_at=self._first_at,
            last_message_at=self._last_at[1] if self._last_at else None,
            first_response_seconds=self._answers.first_response_seconds(),
            waiting_seconds=wait.seconds(now) if wait else None,
            wait=wait,
            typing=tuple(one.nickname or one.participant_id or "" for one in typing),
            last_message=self._last[1] if self._last else None,
        )

    def _say(self, message: Message, place: Place) -> None:
        self._messages += 1
        self._first_at = self._first_at or message.at
        if self._last is None or self._last[0] < place:
            self._last = (place, message)
        if message.at and (self._last_at is None or self._last_at[0] < place):
            self._last_at = (place, message.at)
        role = message.sender.role if message.sender else None
        if role == Role.CUSTOMER and message.type == MessageType.TEXT:
            self._answers.ask(message, place)
        elif role == Role.AGENT and message.is_public:
            self._answers.answer(message, place)

    def _person(self, sender: Participant) -> "_Person | None":
        key = sender.key
        person = self._people.get(key)
        if person is None and len(self._people) < _MAX_PEOPLE:
            person = self._people[key] = _Person(sender)
            self._forget_attendance()
        return person

    def _known(self) -> Iterator[tuple["_Person", Participant | None]]:
        """Everyone in the log, with how the session names them; then everyone whom only the session names."""
        listed = {one.key: one for one in self._session.participants} if self._session else {}
        for key, person in self._people.items():
            yield person, listed.pop(key, None)
        for one in listed.values():
            yield _Person(one), one

    @cached_property
    def attendance(self) -> "Attendance":
        """Which sides are or were there, by the log and the list."""
        attendance = Attendance()
        for person, listed in self._known():
            if person.is_in is not None or listed is not None:
                visibility = (listed and listed.visibility) or person.visibility or VISIBLE_TO_ALL
                who, is_present = listed or person.participant, person.is_present(listed)
                attendance.add(who, is_present, visibility == VISIBLE_TO_ALL, person.was_visible)
        return attendance

    def _forget_attendance(self) -> None:
        self.__dict__.pop("attendance", None)


class _Places:
    """Gives each message its place in the log."""

    def __init__(self) -> None:
        self._renumberings = self._arrivals = 0
        self._last = -1

    def next(self, message: Message) -> Place:
        self._arrivals += 1
        index = message.order
        if index is None:
            index = self._last
        elif index > self._last or not message.late:
            self._renumberings += index < self._last
            self._last = index
        return (self._renumberings, index, self._arrivals)


class _Person:
    """What one participant has done so far. `is_in`: present by the log; None while the log says neither."""

    def __init__(self, participant: Participant) -> None:
        self.participant = participant
        self.visibility = participant.visibility
        self.messages = 0
        self.composing: float | None = None
        self.is_in: bool | None = None
        self.was_visible = False
        self._joined: tuple[Place, datetime] | None = None
        self._left_at: datetime | None = None
        self._moved: Place | None = None

    def move(self, message: Message, place: Place) -> bool:
        """Apply a join, leave or other message; True if it changes whether they are present or visible."""
        enters = message.type in ENTERING_TYPES
        if not enters and message.type != MessageType.LEFT:
            return False
        if enters and message.at and (self._joined is None or place < self._joined[0]):
            self._joined = (place, message.at)
        if self._moved is not None and place < self._moved:
            return False
        visibility = (message.sender and message.sender.visibility) or self.visibility
        before, now = (self.is_in, self.visibility), (enters, visibility)
        # One who was hidden before, or is hidden again, attended while the log said so.
        told = message.sender and message.sender.visibility
        self.was_visible = self.was_visible or (enters and told == VISIBLE_TO_ALL)
        self.is_in, self.visibility = now
        self._moved = place
        self._left_at = None if enters else message.at
        return before != now

    def is_present(self, listed: Participant | None) -> bool:
        """By the log, or where that says neither, because the session lists them."""
        return listed is not None if self.is_in is None else self.is_in

    def activity(self, listed: Participant | None, is_live: bool) -> PersonActivity:
        """`listed` is how the session names them, if it does."""
        who, other = self.participant, listed or Participant()
        return PersonActivity(
            who.participant_id or other.participant_id,
            who.nickname or other.nickname,
            who.type or other.type,
            self.messages,
            None if self.composing is None else round(self.composing, 3),
            self._joined[1] if self._joined else None,
            self._left_at,
            is_live and self.is_present(listed),
            other.visibility or self.visibility,
        )


class Attendance:
    """Which sides are or were there. `customer` is one who is present, by nickname or participantId;
    `is_attended`: an agent whom the customer can see is present, `was_attended`: is or was present."""

    def __init__(self) -> None:
        self.customer: str | None = None
        self.was_attended = self.is_attended = False
        self._had_customers = self._has_customers = False

    def add(self, who: Participant, is_present: bool, is_visible: bool, was_visible: bool) -> None:
        if who.role == Role.CUSTOMER:
            self._had_customers = True
            self._has_customers = self._has_customers or is_present
            if is_present:
                self.customer = self.customer or who.nickname or who.participant_id
        elif who.role == Role.AGENT:
            # A supervisor is an Agent too; a customer sees one whose visibility is All.
            self.was_attended = self.was_attended or is_visible or was_visible
            self.is_attended = self.is_attended or (is_visible and is_present)

    @property
    def is_left_by_customers(self) -> bool:
        """Whether every customer who was there has left."""
        return self._had_customers and not self._has_customers


@dataclass(frozen=True, slots=True)
class _Said:
    place: Place
    at: datetime
    sender: Participant
    index: int | None


class _Answers:
    """Which customer Texts an agent has answered, and how soon the first one was."""

    def __init__(self) -> None:
        self.oldest_question: _Said | None = None
        self._questions: list[_Said] = []  # not yet answered, with a readable time
        self._answered_until: Place = (-1, -1, -1)
        self._first_question: tuple[Place, datetime | None] | None = None
        self._first_answer: tuple[Place, datetime | None] | None = None
        self._early_answers: list[tuple[Place, datetime | None]] = []

    def ask(self, message: Message, place: Place) -> None:
        if self._first_question is None or place < self._first_question[0]:
            self._first_question = (place, message.at)
            self._find_first_answer()
        if message.at is None or message.sender is None or place < self._answered_until:
            return
        question = _Said(place, message.at, message.sender, message.index)
        insort(self._questions, question, key=attrgetter("place"))
        if self.oldest_question is None or question.at < self.oldest_question.at:
            self.oldest_question = question
        if len(self._questions) > _MAX_PENDING:
            del self._questions[1]

    def answer(self, message: Message, place: Place) -> None:
        if message.late or self._first_answer is None:
            insort(self._early_answers, (place, message.at), key=itemgetter(0))
            # Those before the first question count only if a question before them arrives late.
            del self._early_answers[:-_MAX_PENDING]
            self._find_first_answer()
        if place > self._answered_until:
            self._answered_until = place
            self._questions = [one for one in self._questions if one.place > place]
            self.oldest_question = min(self._questions, key=attrgetter("at"), default=None)

    def first_response_seconds(self) -> float | None:
        """From the first customer Text to the first answer; None where a time is missing or goes back."""
        asked = self._first_question[1] if self._first_question else None
        answered = self._first_answer[1] if self._first_answer else None
        if asked is None or answered is None or answered < asked:
            return None
        return round((answered - asked).total_seconds(), 3)

    def _find_first_answer(self) -> None:
        if self._first_question is not None:
            asked = self._first_question[0]
            self._first_answer = next((one for one in self._early_answers if one[0] > asked), None)
