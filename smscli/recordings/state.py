"""What a recording says of each session so far: its last state, and where its log goes on.

A new file begins with it (`opening`), so that the newest file is enough to resume.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smscli.model import Message, Session
from smscli.recordings.format import EndedRecord, Gap, PositionRecord, Record, SessionRecord
from smscli.records import compact_json, message_key, session_object

# Older gaps are not read again.
RECENT = timedelta(seconds=60)
_WATCHED = ("state", "participants", "capabilities", "userData", "comment")
_BEFORE_ALL = -1


@dataclass(slots=True)
class RecordedSession:
    """One session: its last record, whether it has ended, and its position in the log; `at` is the time of
    the last record of it, `profile` the profile that it came from."""

    at: datetime | None = None
    profile: str | None = None
    session: Session | None = None
    has_ended: bool = False
    order: int | None = None
    gaps: list[Gap] = field(default_factory=list)
    # Of messages without a place in the order.
    unplaced: list[str] = field(default_factory=list)
    _last: Message | str | None = None

    def add(self, message: Message) -> None:
        """Move on to a message; called in the order of arrival."""
        order = message.order
        self.at = message.at or self.at
        if order is None:
            self.unplaced.append(message_key(message))
            return
        if message.late and self.order is not None and order < self.order:
            self.gaps = [part for gap in self.gaps for part in _split(gap, order)]
            return
        if self.order is not None and order < self.order:
            self.gaps.clear()  # It isn't marked late, so the log was reset.
        elif order > (1 if self.order is None else self.order + 1):
            self.gaps.append((_BEFORE_ALL if self.order is None else self.order, order, message.at))
        self.order, self._last = order, message
        if self.gaps:
            self.gaps = [gap for gap in self.gaps if _is_recent(gap, message.at)]

    def restore(self, position: PositionRecord) -> None:
        """Go on from the position in an older file."""
        self.at = position.at
        self.order, self._last = position.order, position.key
        self.gaps, self.unplaced = list(position.gaps), list(position.unplaced)

    def position(self, session_id: str, at: datetime | None) -> PositionRecord | None:
        """Where its log goes on; None before its first message."""
        if self.order is None and not self.unplaced:
            return None
        key = message_key(self._last) if isinstance(self._last, Message) else self._last
        gaps = tuple(gap for gap in self.gaps if _is_recent(gap, at))
        return PositionRecord(at, session_id, self.order, key, gaps, tuple(self.unplaced))


class RecordedState:
    """All sessions of one server, by their ids."""

    def __init__(self) -> None:
        self.sessions: dict[str, RecordedSession] = {}

    def add(self, record: Record, profile: str | None = None) -> None:
        match record:
            case Message():
                self._of(record.session_id, profile).add(record)
            case SessionRecord(at, session):
                one = self._of(session.id, profile)
                one.at, one.session, one.has_ended = at, session, False
            case EndedRecord(_, session_id):
                self._of(session_id, profile).has_ended = True
            case PositionRecord():
                self._of(record.session_id, profile).restore(record)

    def _of(self, session_id: str, profile: str | None) -> RecordedSession:
        one = self.sessions.setdefault(session_id, RecordedSession())
        one.profile = profile or one.profile
        return one

    def forget(self, session_id: str) -> None:
        """Drop a session that has ended and is no longer listed: nothing more comes of it."""
        self.sessions.pop(session_id, None)

    def opening(self, at: datetime | None = None) -> Iterator[tuple[Record, str | None]]:
        """The records that a new file begins with, which hold at that time, and the profile of each; without
        it (of sessions that are not followed now) each at its own time."""
        for one in self.sessions.values():
            if one.session is not None and not one.has_ended:
                yield SessionRecord(at or one.at, one.session), one.profile
        for session_id, one in self.sessions.items():
            if position := one.position(session_id, at or one.at):
                yield position, one.profile


def session_facts(session: Session) -> str:
    """What is worth a new record when it changes."""
    value = session_object(session)
    return compact_json([value.get(name) for name in _WATCHED])


def _split(gap: Gap, order: int) -> list[Gap]:
    low, high, above = gap
    return [(low, order, above), (order, high, above)] if low < order < high else [gap]


def _is_recent(gap: Gap, now: datetime | None) -> bool:
    return gap[2] is not None and now is not None and now - gap[2] <= RECENT
