"""What went on in one session, in figures: who said how much, how soon it was answered, who waits.

Only what somebody said counts as a message here, `Text` and `PushUrl`: typing, joins and notices do not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from smscli.model import SAID_TYPES, VISIBLE_TO_ALL, Message, MessageType, Participant, Role

# A session has a handful of people: only a server gone wrong, or a hostile one, has more of them to count.
_MOST_PEOPLE = 1000


@dataclass(frozen=True, slots=True)
class PersonActivity:
    """One participantId's share; those without one go by type and nickname.

    `composing_seconds` adds up what their messages and given-up drafts took, None where nothing could be
    measured.
    """

    participant_id: str | None
    nickname: str | None
    type: str | None
    messages: int
    composing_seconds: float | None


@dataclass(frozen=True, slots=True)
class ActivitySummary:
    """The figures of a session so far. Seconds are to the millisecond; None means nothing to tell."""

    messages: int
    participants: tuple[PersonActivity, ...]
    first_message_at: datetime | None
    last_message_at: datetime | None
    first_response_seconds: float | None
    waiting_seconds: float | None
    typing: tuple[str, ...]


class Activity:
    """The figures of one session, message by message."""

    def __init__(self) -> None:
        self._people: dict[object, _Person] = {}
        self._messages = 0
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None
        self._answers = _Answers()

    def add(self, message: Message, composing: float | None = None) -> None:
        """Counts one message or folded entry; `composing` is the entry's, in seconds."""
        said = message.type in SAID_TYPES
        if message.sender:
            self._count(message.sender, said, composing)
        if not said:
            return
        self._messages += 1
        self._first_at = self._first_at or message.at
        if message.at and not (message.late and self._last_at):
            self._last_at = message.at
        self._answers.add(message)

    def waiting(self, now: datetime | None) -> float | None:
        """Seconds since the oldest customer `Text` not yet answered, by the server's clock, or None."""
        return self._answers.waiting(now)

    @property
    def who_waits(self) -> str | None:
        """The nickname of the customer who waits, else the participantId."""
        waiter = self._answers.waiter
        return (waiter.nickname or waiter.participant_id) if waiter else None

    def summary(
        self, now: datetime | None = None, ended: bool = False, typing: Iterable[Participant] = ()
    ) -> ActivitySummary:
        """The figures by the server's clock (None in a recording); `typing` are those who type now."""
        return ActivitySummary(
            messages=self._messages,
            participants=tuple(person.activity() for person in self._people.values()),
            first_message_at=self._first_at,
            last_message_at=self._last_at,
            first_response_seconds=self._answers.first_response,
            waiting_seconds=None if ended else self.waiting(now),
            typing=tuple(one.nickname or one.participant_id or "" for one in typing),
        )

    def _count(self, sender: Participant, said: bool, composing: float | None) -> None:
        who = sender.participant_id or sender.person
        person = self._people.get(who)
        if person is None:
            if len(self._people) >= _MOST_PEOPLE:
                return
            person = self._people[who] = _Person(sender)
        person.messages += said
        if composing is not None:
            person.composing = (person.composing or 0.0) + composing


class _Person:
    """What one participant has done so far."""

    def __init__(self, participant: Participant) -> None:
        self.participant = participant
        self.messages = 0
        self.composing: float | None = None

    def activity(self) -> PersonActivity:
        who = self.participant
        composing = None if self.composing is None else round(self.composing, 3)
        return PersonActivity(who.participant_id, who.nickname, who.type, self.messages, composing)


class _Answers:
    """Which customer `Text` an agent has answered with a `Text` or `PushUrl` that the customer can see.

    Who waits is judged by the places in the log, also of a message that came late: a question that stands
    before an answer is answered, and an answer that stands before a question does not answer it.
    """

    def __init__(self) -> None:
        self.first_response: float | None = None
        self.waiter: Participant | None = None
        self._first_question: Message | None = None
        self._responded = False
        self._question: Message | None = None
        self._answer: Message | None = None
        self._waiting_since: datetime | None = None

    def add(self, message: Message) -> None:
        if _asks(message):
            self._ask(message)
        elif _answers(message):
            self._respond(message)

    def waiting(self, now: datetime | None) -> float | None:
        if now is None or self._waiting_since is None:
            return None
        # The clocks of the server's parts may differ: nobody waits for less than no time.
        return max(0.0, round((now - self._waiting_since).total_seconds(), 3))

    def _ask(self, question: Message) -> None:
        self._first_question = self._first_question or question
        if _stands_before(question, self._answer):
            return
        if not _stands_before(question, self._question):
            self._question = question
        if question.at and (self._waiting_since is None or question.at < self._waiting_since):
            self._waiting_since = question.at
            self.waiter = question.sender

    def _respond(self, answer: Message) -> None:
        if self._first_question and not self._responded and not _stands_before(answer, self._first_question):
            self._responded = True
            self.first_response = _seconds_between(self._first_question, answer)
        if not _stands_before(answer, self._question):
            self._answer = answer
            self._waiting_since = self.waiter = None


def _asks(message: Message) -> bool:
    return message.type == MessageType.TEXT and _role(message) == Role.CUSTOMER


def _answers(message: Message) -> bool:
    """Whether it answers a customer. Supervisors are agents too: what only agents can see is no answer.

    The SMS Session Resource page prints a visibility with each message; where one is missing, its sender's
    (SMSSendUrl) stands for it, else it is for all.
    """
    if message.type not in SAID_TYPES or _role(message) != Role.AGENT:
        return False
    visibility = message.visibility or (message.sender and message.sender.visibility)
    return not visibility or visibility == VISIBLE_TO_ALL


def _role(message: Message) -> str | None:
    return message.sender.type if message.sender else None


def _stands_before(message: Message, other: Message | None) -> bool:
    """Whether a late message has its place before another one that came sooner."""
    if not message.late or other is None or message.order is None or other.order is None:
        return False
    return message.order < other.order


def _seconds_between(first: Message, second: Message) -> float | None:
    """None where a time is missing or goes backwards."""
    if first.at is None or second.at is None or second.at < first.at:
        return None
    return round((second.at - first.at).total_seconds(), 3)
