"""What waits for each subject of a stream, and what of it is to be published behind what the subject holds.

A lane has one publish under way at a time. The engine takes it only if the subject's last sequence number is
the one the lane knows (`Nats-Expected-Last-Subject-Sequence`); what another collector has published meanwhile
is read and absorbed first. After a change of leader the engine can still store a publish that timed out, and
what was read then lacks it: only the message id keeps its repetition out, so everything has one.
"""

from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from secrets import token_hex
from typing import NamedTuple

from smscli.errors import LocalError
from smscli.model import Message
from smscli.recordings.format import (
    EndedRecord,
    Line,
    Record,
    SessionRecord,
    line_of,
    parse_line,
)
from smscli.recordings.state import session_facts
from smscli.records import SessionKey, json_text, message_key, rfc3339

_ENDED = "ended"


class SignOfLife(NamedTuple):
    """A collector is at work, for these profiles of these servers."""

    at: datetime
    profiles: tuple[str, ...]
    servers: tuple[str, ...] = ()


class Waiting(NamedTuple):
    """A record to be published, of a server; `profile` and `account` are whose view it is."""

    record: Record | SignOfLife
    server: str
    profile: str | None = None
    account: str | None = None


class Publication(NamedTuple):
    """What is published next: the payload, its message id, the last sequence number that the subject must
    have, None for any, and of a state the account that saw it."""

    payload: bytes
    id: str
    after: int | None
    account: str | None = None


class Lane(ABC):
    """The records that wait for one subject, in order.

    `is_compared`: they are published behind what the lane knows of the subject, and only there.
    """

    is_compared = True

    def __init__(self, subject: str, session_id: str | None = None) -> None:
        self.subject = subject
        self.session_id = session_id
        self.waiting: deque[Waiting] = deque()
        # The subject's last sequence number as far as known, and whether it must be read first.
        self.sequence = 0
        self.must_read = True
        # Ids count for the whole stream, so another subject may have one; from 1 on they are made longer.
        self.id_number = 0
        self.refusals = 0
        self.conflicts = 0
        # How many of the first records are not published, since their log is read again.
        self._outdated = 0
        # How many records have come to their end, published or not.
        self.dropped = 0
        self.used_at = 0.0

    def next(self, *, masked: bool) -> Publication | None:
        """The first waiting record as it is published; those that needn't be are dropped, None if none is
        left. LocalError for one that can't be written."""
        while self.waiting and (self._outdated or not self._is_news(self.waiting[0])):
            self.drop()
        if not self.waiting:
            return None
        return self._publication(self.waiting[0], masked=masked)

    def absorb(self, payload: bytes, sequence: int) -> bool | None:
        """Note what the subject holds, in order. Whether it is masked, None if that can't be told."""
        self.sequence = sequence
        line = _parsed(payload)
        if line is None:
            return None
        # Nested more deeply than we can write: no record of ours.
        with suppress(RecursionError):
            self._note(line.record)
        return line.masked

    def restart(self) -> None:
        """The subject holds less than it did: it was emptied, or its stream is another one."""
        self.sequence = 0

    def forget(self) -> None:
        """The stream is another one: take nothing for published that isn't read again."""
        self.restart()
        self.must_read = True

    def leave_out(self) -> None:
        """Publish nothing of what waits now: the whole log is read again."""
        self._outdated = len(self.waiting)

    def published(self, sequence: int) -> None:
        """The first waiting record is stored."""
        if not self._outdated:
            self.sequence = sequence
            self._note(self.waiting[0].record)
        self.drop()

    def drop(self) -> None:
        self.waiting.popleft()
        self._outdated = max(0, self._outdated - 1)
        self.dropped += 1
        self.id_number = self.refusals = 0

    def take_another_id(self) -> None:
        """The engine takes the id for known, but the subject doesn't hold the record."""
        self.id_number += 1
        self.refusals = 0

    @abstractmethod
    def _is_news(self, waiting: Waiting) -> bool:
        """Whether the subject lacks it."""

    @abstractmethod
    def _publication(self, waiting: Waiting, *, masked: bool) -> Publication:
        """How it is published. LocalError."""

    @abstractmethod
    def _note(self, record: Record | SignOfLife) -> None:
        """Note that the subject holds it."""

    def _payload(self, waiting: Waiting, *, masked: bool) -> bytes:
        """The one place where a record becomes a payload."""
        assert not isinstance(waiting.record, SignOfLife)
        line = line_of(waiting.record, waiting.server, masked=masked, profile=waiting.profile)
        return line.removesuffix(b"\n")

    def _long_id(self, name: str) -> str:
        """An id that no other subject has."""
        return sha256(f"{self.subject}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def masked_of(payload: bytes) -> bool | None:
    """Whether a record is masked, None if it is none of ours."""
    line = _parsed(payload)
    return line.masked if line else None


def _parsed(payload: bytes) -> Line | None:
    try:
        return parse_line(payload, 0, "the stream")
    except LocalError:
        return None


class MessageLane(Lane):
    """The messages of one session. Their id is their `key`; where another server's session has taken it, one
    made of subject and key."""

    def __init__(self, subject: str, key: SessionKey) -> None:
        super().__init__(subject, key.session_id)
        self.key = key
        self._keys: set[bytes] = set()
        self._orders: set[int] = set()
        self._highest = -1

    def forget(self) -> None:
        super().forget()
        self._keys, self._orders, self._highest = set(), set(), -1

    def _is_news(self, waiting: Waiting) -> bool:
        record = waiting.record
        return isinstance(record, Message) and bytes.fromhex(message_key(record)) not in self._keys

    def _publication(self, waiting: Waiting, *, masked: bool) -> Publication:
        message = waiting.record
        assert isinstance(message, Message)
        if not message.late and self._is_behind(message.order):
            waiting = waiting._replace(record=replace(message, late=True))
        key = message_key(message)
        name = self._long_id(f"{key}\n{self.id_number}") if self.id_number else key
        return Publication(self._payload(waiting, masked=masked), name, self.sequence)

    def _is_behind(self, order: int | None) -> bool:
        """Whether it fills a gap below what is published; an index that is published under another key is
        one of a log that was renumbered."""
        return order is not None and order < self._highest and order not in self._orders

    def _note(self, record: Record | SignOfLife) -> None:
        if not isinstance(record, Message):
            return
        self._keys.add(bytes.fromhex(message_key(record)))
        order = record.order
        if order is None:
            return
        if order in self._orders and not record.late:
            self._orders = {one for one in self._orders if one < order}
            self._highest = -1
        self._orders.add(order)
        self._highest = max(self._highest, order)


class SessionLane(Lane):
    """The states of one session. Their id is made of what they say and of the record before them, so that a
    change there and back is three records.

    `is_doubtful`: a record was dropped since another collector tells of another state, then or later. Times
    have whole seconds, and servers' clocks may differ, so which one holds only a later list can tell.
    """

    def __init__(self, subject: str, key: SessionKey) -> None:
        super().__init__(subject, key.session_id)
        self.key = key
        self._facts: str | None = None
        self._has_ended = False
        self._at: datetime | None = None
        self._is_ours = False
        self.is_doubtful = False

    def restart(self) -> None:
        super().restart()
        self._facts, self._has_ended, self._at, self._is_ours = None, False, None, False

    def published(self, sequence: int) -> None:
        super().published(sequence)
        self._is_ours = True

    def absorb(self, payload: bytes, sequence: int) -> bool | None:
        self._is_ours = False
        is_masked = super().absorb(payload, sequence)
        self._drop_known()
        return is_masked

    def _is_news(self, waiting: Waiting) -> bool:
        match waiting.record:
            case SessionRecord(at, session):
                is_back = self._has_ended and not session.ended
                is_other = is_back or session_facts(session) != self._facts
                return is_other and not self._is_doubted(at, at == self._at)
            case EndedRecord(at):
                return not self._has_ended and not self._is_doubted(at)
        return False

    def _is_doubted(self, at: datetime | None, is_of_one_time: bool = False) -> bool:
        """Whether it may be an old state behind another collector's record."""
        if at is None or self._at is None or self._is_ours or not (at < self._at or is_of_one_time):
            return False
        self.is_doubtful = True
        return True

    def _publication(self, waiting: Waiting, *, masked: bool) -> Publication:
        record = waiting.record
        says = session_facts(record.session) if isinstance(record, SessionRecord) else _ENDED
        name = self._long_id(f"{self.sequence}\n{says}\n{self.id_number}")
        return Publication(self._payload(waiting, masked=masked), name, self.sequence, waiting.account)

    def _note(self, record: Record | SignOfLife) -> None:
        match record:
            case SessionRecord(at, session):
                self._facts, self._has_ended, self._at = session_facts(session), False, at
            case EndedRecord(at):
                self._has_ended, self._at = True, at

    def _drop_known(self) -> None:
        """Another collector has published what waits here: that, and what came before it, is told."""
        for place, waiting in enumerate(self.waiting):
            if self._is_told(waiting.record):
                for _ in range(place + 1):
                    self.drop()
                return

    def _is_told(self, record: Record | SignOfLife) -> bool:
        """Whether it says what the subject's last record does, at that time or before."""
        if record.at is None or self._at is None or record.at > self._at:
            return False
        if isinstance(record, SessionRecord):
            return not self._has_ended and session_facts(record.session) == self._facts
        return self._has_ended


class CollectorLane(Lane):
    """What one collector says of itself: when its servers were lost and reconnected, and that it is alive.
    Nothing is compared; the ids keep out repetitions only."""

    is_compared = False
    _MOST = 1000

    def __init__(self, subject: str) -> None:
        super().__init__(subject)
        self.must_read = False
        self._run = token_hex(8)
        self._number = 0

    def add(self, waiting: Waiting) -> None:
        """Of signs of life only the latest waits. The first one that waits is being published."""
        later = list(self.waiting)[1:]
        if isinstance(waiting.record, SignOfLife):
            later = [one for one in later if not isinstance(one.record, SignOfLife)]
        self.waiting = deque([*list(self.waiting)[:1], *later[-self._MOST :], waiting])

    def _is_news(self, waiting: Waiting) -> bool:
        return True

    def _publication(self, waiting: Waiting, *, masked: bool) -> Publication:
        return Publication(
            self._payload(waiting, masked=masked), self._long_id(f"{self._run}-{self._number}"), None
        )

    def _payload(self, waiting: Waiting, *, masked: bool) -> bytes:
        if not isinstance(waiting.record, SignOfLife):
            return super()._payload(waiting, masked=masked)
        at, profiles, servers = waiting.record
        value = {"record": "alive", "at": rfc3339(at), "profiles": profiles, "servers": servers}
        return json_text(value | ({"masked": True} if masked else {})).encode()

    def drop(self) -> None:
        super().drop()
        self._number += 1

    def _note(self, record: Record | SignOfLife) -> None:
        pass
