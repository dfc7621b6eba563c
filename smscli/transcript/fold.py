"""Folds messages into transcript entries: typing becomes part of the message it led to.

One `Transcript` belongs to one session. It keeps the open drafts and nothing else, so that a log of any
length is folded in constant memory.
"""

from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Literal, NamedTuple

from smscli.model import SAID_TYPES, TYPING_TYPES, Message, MessageType, Participant

PAUSE = 60_000
"""Milliseconds without a refresh after which a draft is paused."""

GIVE_UP = 120_000
"""Milliseconds of a pause after which a draft is given up."""

FRESH = 15_000
"""Somebody types now if the last `TypingStarted` is no further away, in milliseconds."""

# Bounds memory: only a faulty or hostile server has more participants typing at once.
_MOST_DRAFTS = 100

_GONE = frozenset({MessageType.LEFT, MessageType.REJOINED})


# A tuple: a frozen dataclass takes 0.3 µs longer to create, noticeable with a million messages.
class Entry(NamedTuple):
    """One thing a person would notice.

    `composing` is in seconds (to the millisecond), None where there is none or it can't be measured.
    `draft` is set where this is not a message that was sent but a draft that was not: `message` is then its
    last `TypingStarted`, `draft_text` its last wording that was not empty, and `at_end` tells that the read
    ended before its author did (`was typing, not sent`).
    """

    message: Message
    composing: float | None = None
    draft: Literal["given-up", "typing", "cut"] | None = None
    draft_text: str | None = None
    at_end: bool = False


class ActiveTyping(NamedTuple):
    """A participant who is typing now, and the preview, None without one."""

    participant: Participant
    preview: str | None


class Transcript:
    """Every message as the server sent it (`show`); base class of the other typing modes."""

    def add(self, message: Message) -> Sequence[Entry]:
        """The entries that this message completes, in order."""
        return (Entry(message),)

    def expire(self, now: datetime | None) -> Sequence[Entry]:
        """The drafts that are given up by `now`, in the session's time."""
        return ()

    def at_end(self, now: datetime | None) -> Sequence[Entry]:
        """The drafts still open where a read ends; `now` is the server's clock, None in a recording."""
        return ()

    def cut(self) -> Sequence[Entry]:
        """The drafts still open where a window of the log ends: whether they were sent is unknown."""
        return ()

    def end(self, now: datetime | None = None) -> Sequence[Entry]:
        """The drafts given up because the session has ended, by `now` where that is known."""
        return ()

    def typing(self, now: datetime | None) -> Sequence[ActiveTyping]:
        """Who is typing now, in the order in which they began."""
        return ()


class TypingHidden(Transcript):
    """Every message except typing (`hide`)."""

    def add(self, message: Message) -> Sequence[Entry]:
        return () if message.type in TYPING_TYPES else (Entry(message),)


class TypingFold(Transcript):
    """Typing folded by participantId: a message carries its composing time, an unsent draft is one entry."""

    def __init__(self) -> None:
        self._drafts: dict[str, _Draft] = {}
        self._next_due = inf  # no draft is due before this; it may be too early, never too late

    def add(self, message: Message) -> Sequence[Entry]:
        if message.type in TYPING_TYPES:
            return self._type(message)
        if not self._drafts:
            return (Entry(message),)
        given_up = self.expire(message.at)
        is_said = message.type in SAID_TYPES
        draft = self._close(message) if is_said or message.type in _GONE else None
        if draft is None:
            return (*given_up, Entry(message))
        at = _milliseconds(message.at)
        if is_said:
            return (*given_up, Entry(message, draft.composed(at)))
        return (*given_up, draft.given_up(at), Entry(message))

    def expire(self, now: datetime | None) -> Sequence[Entry]:
        moment = _milliseconds(now) if self._drafts else None
        if moment is None or moment < self._next_due:
            return ()
        due = sorted((one for one in self._drafts.values() if one.due <= moment), key=lambda one: one.due)
        for draft in due:
            del self._drafts[draft.author]
        self._next_due = min((one.due for one in self._drafts.values()), default=inf)
        return [draft.given_up(moment) for draft in due]

    def at_end(self, now: datetime | None) -> Sequence[Entry]:
        entries = [*self.expire(now)]
        moment = _milliseconds(now)
        for draft in self._drafts.values():
            types_now = draft.is_fresh(moment)
            entry = draft.given_up(draft.known_until(moment))
            entries.append(entry._replace(draft="typing") if types_now else entry._replace(at_end=True))
        self._forget()
        return entries

    def cut(self) -> Sequence[Entry]:
        entries = [draft.cut() for draft in self._drafts.values()]
        self._forget()
        return entries

    def end(self, now: datetime | None = None) -> Sequence[Entry]:
        moment = _milliseconds(now)
        entries = [*self.expire(now)]
        entries += [draft.given_up(draft.known_until(moment)) for draft in self._drafts.values()]
        self._forget()
        return entries

    def typing(self, now: datetime | None) -> Sequence[ActiveTyping]:
        moment = _milliseconds(now)
        return [draft.as_typing() for draft in self._drafts.values() if draft.is_fresh(moment)]

    def _type(self, message: Message) -> Sequence[Entry]:
        sender = message.sender
        author = sender.participant_id if sender else None
        if message.late or not sender or not author:
            return ()
        given_up = self.expire(message.at)
        draft = self._drafts.get(author)
        if message.type == MessageType.TYPING_STARTED:
            if draft is None:
                given_up = (*given_up, *self._make_room())
                draft = self._drafts[author] = _Draft(author, sender, message)
            draft.refresh(message)
        elif draft:
            draft.stop(_milliseconds(message.at))
        if draft:
            self._next_due = min(self._next_due, draft.due)
        return given_up

    def _make_room(self) -> Sequence[Entry]:
        """Give up the oldest draft if there are too many."""
        if len(self._drafts) < _MOST_DRAFTS:
            return ()
        oldest = self._drafts.pop(next(iter(self._drafts)))
        return (oldest.given_up(oldest.known_until(None)),)

    def _close(self, message: Message) -> "_Draft | None":
        """The draft that became this message, or that its author left behind."""
        draft = self._drafts.get(message.participant_id or "")
        if draft is None or _stood_before(message, draft.message):
            return None
        return self._drafts.pop(draft.author)

    def _forget(self) -> None:
        self._drafts.clear()
        self._next_due = inf


class _Draft:
    """What one participant is writing.

    Times are milliseconds since 1970: exact, and no hostile date overflows when something is added to it.
    """

    def __init__(self, author: str, participant: Participant, first: Message) -> None:
        self.author = author
        self.message = first
        self.due: float = inf  # when it will have been paused for too long
        self._participant = participant
        self._preview: str | None = None
        self._last_preview: str | None = None
        self._running = False
        self._refreshed: int | None = None
        self._sum: int | None = 0

    def refresh(self, message: Message) -> None:
        """A `TypingStarted`: its first, one within a span, or one that begins a new span."""
        at = _milliseconds(message.at)
        self.stop(at)
        self._running = True
        self._refreshed = at
        self.due = inf if at is None else at + PAUSE + GIVE_UP
        self.message = message
        if message.text is not None:
            self._preview = message.text
            self._last_preview = message.text or self._last_preview

    def stop(self, at: int | None) -> None:
        """Ends the running span, if any; when it has paused by itself before, it ended there."""
        if not self._running:
            return
        self._running = False
        # A span is a chain of steps from one refresh to the next. Without a refresh the draft pauses after
        # 60 s, so no step is longer.
        step = None if at is None or self._refreshed is None else at - self._refreshed
        if self._sum is None or step is None or step < 0:
            self._sum = None
        else:
            self._sum += min(step, PAUSE)
        if at is not None:
            self.due = min(self.due, at + GIVE_UP)

    def composed(self, at: int | None) -> float | None:
        """The seconds of all its spans, the last one ended `at`; None where a time is missing or backward."""
        self.stop(at)
        return None if self._sum is None else self._sum / 1000

    def given_up(self, at: int | None) -> Entry:
        return Entry(self.message, self.composed(at), "given-up", self._last_preview)

    def cut(self) -> Entry:
        return Entry(self.message, None, "cut", self._last_preview)

    def known_until(self, moment: int | None) -> int | None:
        """The later of `moment` and the last refresh: the clocks may differ."""
        if moment is None or self._refreshed is None:
            return self._refreshed
        return max(moment, self._refreshed)

    def is_fresh(self, moment: int | None) -> bool:
        """Whether its author types at that moment."""
        if not self._running or moment is None or self._refreshed is None:
            return False
        return abs(moment - self._refreshed) <= FRESH

    def as_typing(self) -> ActiveTyping:
        return ActiveTyping(self._participant, self._preview or None)


def _milliseconds(at: datetime | None) -> int | None:
    return round(at.timestamp() * 1000) if at else None


def _stood_before(late: Message, draft: Message) -> bool:
    """Whether a message that came late stands before the draft in the log: then the draft is a newer one."""
    return late.late and late.order is not None and draft.order is not None and late.order < draft.order


TRANSCRIPTS: dict[str, type[Transcript]] = {"fold": TypingFold, "show": Transcript, "hide": TypingHidden}
"""The class for each typing mode; one instance per session."""
