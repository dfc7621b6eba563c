"""What recordings hold of each session: its last state, its span of time, and where its messages stand."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from math import inf
from operator import attrgetter
from typing import NamedTuple

from smscli.errors import LocalError
from smscli.model import Message, Participant, Session
from smscli.recordings.format import ConnectionRecord, EndedRecord, Line, SessionRecord

_MOST_PEOPLE = 100
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class LogPart:
    """Where the messages of a session stand in one file, and their first and last time."""

    source: int
    places: "array[int]" = field(default_factory=lambda: array("Q"))
    first: datetime | None = None
    last: datetime | None = None

    @property
    def start(self) -> float:
        return self.first.timestamp() if self.first else -inf

    def add(self, place: int | None, at: datetime | None) -> None:
        """Note a message at that place; None: places are not kept."""
        if place is not None:
            self.places.append(place)
        if at is not None:
            self.first = min(at, self.first or at)
            self.last = max(at, self.last or at)


@dataclass(slots=True)
class RecordedLog:
    """What is recorded of one session. `name` is its id, with the server in front where several have it.

    `changed_at` is the time of the last record of its state, `changed_in` the source of it. `ended_at` is
    when its state said first that it had ended, `is_end_exact` whether it ended then, `first_at` the earliest
    time known of it. `is_ordered`: each message has a higher index than the one before, over all sources.
    `sources` are those that name it.
    """

    session_id: str
    server: str | None
    name: str = field(init=False)
    session: Session | None = None
    changed_at: datetime | None = None
    changed_in: int | None = None
    first_at: datetime | None = None
    ended_at: datetime | None = None
    is_end_exact: bool = True
    is_masked: bool = False
    is_ordered: bool = True
    parts: dict[int, LogPart] = field(default_factory=dict)
    people: dict[Participant, None] = field(default_factory=dict)
    sources: set[int] = field(default_factory=set)
    _readers: list[tuple[datetime, str]] = field(default_factory=list)
    _last_order: int = -1
    _has_unplaced: bool = False

    def __post_init__(self) -> None:
        self.name = self.session_id

    def add(self, source: int, place: int | None, message: Message) -> None:
        """Note a message, and its place in a file."""
        if source not in self.parts:
            self.parts[source] = LogPart(source)
            # A message without a place in the order may stand in several files.
            self.is_ordered = self.is_ordered and not self._has_unplaced
        self.parts[source].add(place, message.at)
        if message.sender and len(self.people) < _MOST_PEOPLE:
            self.people[message.sender] = None
        order = message.order
        if order is None:
            self._has_unplaced = True
            self.is_ordered = self.is_ordered and len(self.parts) == 1
        else:
            self.is_ordered = self.is_ordered and order > self._last_order
            self._last_order = order

    def read_by(self, profile: str | None, at: datetime | None) -> None:
        """Note which of several profiles a record of it came from."""
        if profile is not None and (not self._readers or self._readers[-1][1] != profile):
            self._readers.append((at or _NEVER, profile))

    def depended_on(self, profile: str | None, lost_at: datetime | None, back_at: datetime | None) -> bool:
        """Whether this was the only one of several profiles that read it in that time."""
        if profile is None or lost_at is None or not self._readers:
            return True
        before = [reader for at, reader in self._readers if at <= lost_at]
        others = [at for at, _ in self._readers if lost_at < at and (back_at is None or at <= back_at)]
        return (before or [self._readers[0][1]])[-1] == profile and not others

    def change(self, source: int, at: datetime | None, session: Session, *, exact: bool) -> None:
        """Note a record of its state, unless another source has a newer one; `exact`: it changed then."""
        is_older = at is not None and self.changed_at is not None and at < self.changed_at
        if is_older and source != self.changed_in:
            return
        if session.ended and self.ended_at is None:
            self.ended_at, self.is_end_exact = at, exact
        elif not session.ended:
            self.ended_at = None
        self.session, self.changed_at, self.changed_in = session, at, source

    @property
    def last_session(self) -> Session:
        """Its last state; where there is no record of it, the senders of its messages."""
        session = self.session or Session(self.name, participants=tuple(self.people))
        return session if session.id == self.name else replace(session, id=self.name)

    def was_live(self, start: datetime | None, end: datetime | None) -> bool:
        """Whether it may have been live in a time; None is unknown, or not over."""
        began_later = self.first_at and end and self.first_at > end
        ended_before = self.ended_at and start and self.ended_at < start
        return not began_later and not ended_before

    def groups(self) -> Iterator[list[LogPart]]:
        """Its parts in the order of time; those that overlap are to be merged."""
        group: list[LogPart] = []
        end: datetime | None = None
        for part in sorted(self.parts.values(), key=attrgetter("start")):
            if group and end is not None and part.first is not None and part.first > end:
                yield group
                group, end = [], None
            group.append(part)
            end = max(filter(None, (end, part.last)), default=None)
        yield group

    def join(self, other: "RecordedLog") -> None:
        """Take over what is recorded of the same session."""
        for source, part in other.parts.items():
            mine = self.parts.setdefault(source, part)
            if mine is not part:
                merged = sorted([*mine.places, *part.places])
                times = [at for at in (mine.first, mine.last, part.first, part.last) if at]
                self.parts[source] = LogPart(
                    source, array("Q", merged), min(times, default=None), max(times, default=None)
                )
        self.people.update(other.people)
        self.sources |= other.sources
        if self.session is None:
            self.session, self.changed_at, self.changed_in = other.session, other.changed_at, other.changed_in
            self.ended_at, self.is_end_exact = other.ended_at, other.is_end_exact
        self.first_at = min(filter(None, (self.first_at, other.first_at)), default=None)
        self.is_masked = self.is_masked or other.is_masked
        self.is_ordered = False


class LogKey(NamedTuple):
    server: str | None
    session_id: str


class Disconnection(NamedTuple):
    """From `lost_at` to `back_at` a recorder had no connection to `server`; `message` says what was caught up
    on. These two are None where the recording ends before. `sources` are the files that say so; `profile` is
    the one that had no connection, where several are recorded."""

    server: str | None
    lost_at: datetime | None
    back_at: datetime | None = None
    message: str | None = None
    sources: frozenset[int] = frozenset()
    profile: str | None = None


class _ConnectionLine(NamedTuple):
    server: str | None
    source: int
    record: ConnectionRecord
    profile: str | None


class RecordingIndex:
    """The sessions of all files; `newest` is the newest time in them, `failure` the first line that can't be
    read. Without `places` the messages can't be found again: 8 bytes for each are saved."""

    def __init__(self, *, places: bool = True) -> None:
        self.failure: LocalError | None = None
        self.ends: dict[int, int] = {}
        self.logs: dict[LogKey, RecordedLog] = {}
        self.newest: datetime | None = None
        self._connections: list[_ConnectionLine] = []
        self._keeps_places = places

    def add(self, source: int, place: int, line: Line) -> "RecordedLog | None":
        """Note a line: its file and the place of its first byte; returns the session that it is about."""
        record, server = line.record, line.server
        if record.at is not None and (self.newest is None or record.at > self.newest):
            self.newest = record.at
        match record:
            case Message():
                log = self._log(server, record.session_id)
                log.add(source, place if self._keeps_places else None, record)
            case SessionRecord(at, session):
                log = self._log(server, session.id)
                # The first record may be of a session that had ended before.
                log.change(source, at, session, exact=bool(log.session or log.parts))
            case EndedRecord(at, session_id, state):
                log = self._log(server, session_id)
                # One that is gone may have ended between two runs of the recorder.
                log.change(source, at, _ended(log.last_session, state), exact=state is not None)
            case ConnectionRecord():
                self._connections.append(_ConnectionLine(server, source, record, line.profile))
                return None
            case _:
                return None
        log.sources.add(source)
        log.read_by(line.profile, record.at)
        if record.at is not None and (log.first_at is None or record.at < log.first_at):
            log.first_at = record.at
        return log

    @cached_property
    def disconnections(self) -> list[Disconnection]:
        """When the connection was lost, and back, in the order of time.

        Two recorders of one server each have a file of their own; a recorder that goes on in another file may
        have lost it in one and found it again in the next.
        """
        found: list[Disconnection] = []
        lines = sorted(self._connections, key=lambda one: one.record.at or _NEVER)
        for server, source, record, profile in lines:
            of = server, profile
            mine = [one for one in found if (one.server, one.profile) == of and one.message is None]
            mine.sort(key=lambda one: source in one.sources)
            if record.kind == "lost":
                if not mine or source not in mine[-1].sources:
                    sources = frozenset({source})
                    found.append(Disconnection(server, record.at, sources=sources, profile=profile))
            elif mine:
                sources = mine[-1].sources | {source}
                back = mine[-1]._replace(back_at=record.at, message=record.message, sources=sources)
                found[found.index(mine[-1])] = back
        return found

    def disconnections_of(self, log: RecordedLog) -> list[Disconnection]:
        """Those of the recorders of this session, while it was live."""
        return [one for one in self.disconnections if _concerns(one, log)]

    def _log(self, server: str | None, session_id: str) -> RecordedLog:
        key = LogKey(server, session_id)
        if key not in self.logs:
            self.logs[key] = RecordedLog(session_id, server)
        return self.logs[key]

    def join_unnamed(self) -> None:
        """Lines that name no server belong to the only server that has their session."""
        for key in [key for key in self.logs if key.server is None]:
            named = [one for one in self.logs if one.session_id == key.session_id and one.server is not None]
            if len(named) == 1:
                self.logs[named[0]].join(self.logs.pop(key))

    def name_servers(self) -> None:
        """Sessions of two servers are two sessions, also where their ids are equal."""
        servers = Counter(key.session_id for key in self.logs)
        for key, log in self.logs.items():
            if servers[key.session_id] > 1:
                log.name = f"{key.server or 'unknown'}/{key.session_id}"


def _ended(session: Session, state: str | None) -> Session:
    if state is None:
        return replace(session, gone=True)
    return replace(session, state=state, sent={**session.sent, "state": state})


def _concerns(one: Disconnection, log: RecordedLog) -> bool:
    if (None not in (one.server, log.server) and one.server != log.server) or not one.sources & log.sources:
        return False
    return log.was_live(one.lost_at, one.back_at) and log.depended_on(one.profile, one.lost_at, one.back_at)
