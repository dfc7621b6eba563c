"""When no collector of a server was connected, from the collectors' own records.

A collector that has lost its connection delays a message only if no other one was connected to the same
server: the others publish what it can't read. So an outage is a time in which at least one collector of the
server was known to be disconnected, or had stopped sending signs of life, and none was known to be connected.

A collector serves the servers that its connection records name, and its signs of life under `servers` or
`profiles`. One that names a server nowhere is not counted for it: then an outage is told that another
collector may have covered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from smscli.gws.json_body import decode
from smscli.jetstream.read_consumer import StreamMessage
from smscli.jetstream.subjects import parse_subject
from smscli.recordings.format import ConnectionRecord, Line
from smscli.recordings.index import Disconnection

SILENT_SECONDS = 90
_SILENT = timedelta(seconds=SILENT_SECONDS)
_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_MOST_SERVERS = 1000


class _Down(NamedTuple):
    """A time without a connection; `message` says what was caught up on."""

    start: datetime
    end: datetime
    message: str


@dataclass(slots=True)
class _Collector:
    """What one collector says: when it lost the connection to a server and had it back, and when it was
    silent."""

    name: str
    servers: set[str] = field(default_factory=set)
    connections: dict[str | None, list[ConnectionRecord]] = field(default_factory=dict)
    silences: list[_Down] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None
    is_alive: bool = False

    def note(self, at: datetime, *, alive: bool) -> None:
        """Note a sign of any kind. One that never sent a sign of life can't be silent."""
        if self.is_alive and self.last and at - self.last > _SILENT:
            message = f"collector {self.name} was silent before"
            self.silences.append(_Down(self.last, at, message))
        self.first = min(at, self.first or at)
        self.last = max(at, self.last or at)
        self.is_alive = self.is_alive or alive

    def serves(self, server: str | None) -> bool:
        return server in self.servers or server in self.connections or None in self.connections

    def downs(self, server: str | None, newest: datetime) -> list[_Down]:
        """When it was not connected to a server, in order, the time before its first sign included."""
        found = [*self.silences, *self._lost(server)]
        if self.is_alive and self.last and newest - self.last > _SILENT:
            found.append(_Down(self.last, _NEVER, ""))
        if began := self._began(server):
            found.append(_Down(_EVER, began, f"collector {self.name} began"))
        return _united(found)

    def _records(self, server: str | None) -> list[ConnectionRecord]:
        both = [*self.connections.get(server, ()), *(self.connections.get(None, ()) if server else ())]
        return sorted((one for one in both if one.at), key=lambda one: one.at or _EVER)

    def _lost(self, server: str | None) -> Iterator[_Down]:
        since: datetime | None = None
        for record in self._records(server):
            if record.kind == "lost":
                since = since or record.at
            elif since and record.at:
                yield _Down(since, record.at, record.message)
                since = None
        if since:
            yield _Down(since, _NEVER, "")

    def _began(self, server: str | None) -> datetime | None:
        """Since when it is known to be connected; None for ever: what it loses it had before."""
        first = next(iter(self._records(server)), None)
        if first and first.kind == "reconnected":
            return first.at
        return None if first and first.at == self.first else self.first


class CollectorSigns:
    """The records of collectors, read in the order of the stream."""

    def __init__(self) -> None:
        self._collectors: dict[str, _Collector] = {}

    def add(self, message: StreamMessage, line: Line) -> None:
        """Note a collector's record."""
        subject = parse_subject(message.subject)
        record = line.record
        if subject is None or subject.collector is None or record.at is None:
            return
        one = self._collectors.setdefault(subject.collector, _Collector(subject.collector))
        if isinstance(record, ConnectionRecord):
            one.connections.setdefault(line.server, []).append(record)
            one.note(record.at, alive=False)
        elif (servers := _alive(message.payload)) is not None:
            if len(one.servers) < _MOST_SERVERS:
                one.servers.update(servers)
            one.note(record.at, alive=True)

    def outages(self, server: str | None, newest: datetime | None) -> list[Disconnection]:
        """When no collector was connected to a server, in the order of time; `newest` is the newest time of
        the stream."""
        serving = [one for one in self._collectors.values() if one.serves(server)]
        if not serving or newest is None:
            return []
        first, *others = (one.downs(server, newest) for one in serving)
        for downs in others:
            first = _common(first, downs)
        return [
            Disconnection(server, one.start, None if one.end == _NEVER else one.end, one.message or None)
            for one in first
            # Before the first sign no collector is known to be disconnected.
            if one.start != _EVER
        ]


def _alive(payload: bytes) -> set[str] | None:
    """The servers that a sign of life names; None for another record."""
    value = decode(payload)
    if not isinstance(value, dict) or value.get("record") != "alive":
        return None
    named = [one for key in ("servers", "profiles") if isinstance(one := value.get(key), list)]
    return {one for names in named for one in names if isinstance(one, str)}


def _united(downs: Iterable[_Down]) -> list[_Down]:
    """The same times in order, those that overlap made one, with the message of the last to end."""
    found: list[_Down] = []
    for one in sorted(downs):
        if found and one.start <= found[-1].end:
            last = max(found[-1], one, key=lambda down: down.end)
            found[-1] = last._replace(start=found[-1].start)
        else:
            found.append(one)
    return found


def _common(ours: list[_Down], theirs: list[_Down]) -> list[_Down]:
    """The times that both have; the first connection ends one."""
    found = []
    mine, yours = iter(ours), iter(theirs)
    one, other = next(mine, None), next(yours, None)
    while one and other:
        start, ends_first = max(one.start, other.start), min(one, other, key=lambda down: down.end)
        if start < ends_first.end:
            found.append(ends_first._replace(start=start))
        if ends_first is one:
            one = next(mine, None)
        else:
            other = next(yours, None)
    return found
