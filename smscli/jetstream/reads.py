"""A stream as `Reads`: the sessions of a whole contact centre with their last state, and their messages."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property

from smscli.errors import NotFound
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.read_consumer import StreamMessage, StreamSelection, stream_info, stream_subjects
from smscli.jetstream.read_outages import SILENT_SECONDS, CollectorSigns
from smscli.jetstream.source import StreamParser, StreamSource, parsed_subject
from smscli.jetstream.subjects import (
    COLLECTOR,
    MESSAGE,
    SESSION,
    Kind,
    SubjectParts,
    all_of,
    encode_token,
    message_subject,
)
from smscli.model import Event, Listing, Message
from smscli.recordings.format import Line
from smscli.recordings.index import Disconnection, LogKey, RecordedLog, RecordingIndex
from smscli.recordings.reads import Reader, Replayed, SourceReads, scan
from smscli.records import rfc3339

# Signs of life come every 30 s, so the newest time is among the last records, or in such a sign.
_LAST_RECORDS = 100
# How long before a session the records of collectors are read: who is connected shows within 30 s, who
# is disconnected says so when the connection is lost.
_COLLECTORS_BEFORE = timedelta(hours=1)
_MOST_SLASHES = 10
# Each has a consumer of its own.
_MOST_SOURCES = 100
_LAST = datetime.max.replace(tzinfo=UTC)


class StreamReads(SourceReads):
    """Reads from a stream, up to what it held at the first read. Each read raises SmscliError: NotFound
    without the stream, ServerError for one with other subjects, Unreachable when nothing comes in time.

    `connection` is open, and stays so. `notice` is told once that messages of others were passed over.
    """

    kind = "stream"
    is_shared = True

    def __init__(self, connection: StreamConnection, notice: Callable[[str], None]) -> None:
        self.connection = connection
        self.parser = StreamParser(connection.address.url, notice)
        self._stream = connection.address.stream
        # Whatever was read may hold the newest time.
        self._read: list[RecordingIndex] = []
        self._keys: dict[str, LogKey] = {}
        super().__init__([self._source(all_of(self._stream, MESSAGE))], notice)

    @property
    def now(self) -> datetime | None:
        """The newest time in the stream; None if it has none."""
        return max(filter(None, (self._newest, *(one.newest for one in self._read))), default=None)

    @cached_property
    def end(self) -> int:
        """The last sequence number of the stream when it was read first."""
        self.connection.check_stream()
        return self.connection.run(lambda: stream_info(self.connection)).state.last_seq

    def stale_message(self, clock: datetime) -> str | None:
        """What to say when the newest record is over 90 s old, by our own clock; else None."""
        return stale_message(self.name, self.now, clock)

    def listed(self, *, ended: bool) -> Listing:
        """The live sessions; with `ended` all."""
        return self.sessions() if ended else self.live()

    def follow(self, wait: Callable[[float], None], ids: Sequence[str] | None) -> Iterator[Event]:
        from smscli.jetstream.following import StreamFeed

        return StreamFeed(self, wait).events(ids)

    def live(self) -> Listing:
        """The live sessions, by the date they were received, at the cost of one record for each session."""
        index = self._states(["*"], last_only=True)
        found = [log.last_session for log in index.logs.values() if not log.last_session.ended]
        return Listing(tuple(sorted(found, key=lambda one: (one.received or _LAST, one.id))), self.now)

    def last_states(self) -> Iterator[tuple[Line, str | None]]:
        """The last record of each session's state, and the account that saw it, where that is known."""
        states = StreamSelection(all_of(self._stream, SESSION), last_only=True)
        for message in self._source(states).messages():
            if line := self.parser.line(message):
                yield line, message.account

    def sessions_named(self, names: Collection[str]) -> Listing:
        """Where all names are ids, these sessions only; else the live ones, and of those that have ended what
        fits a name that fits no live one, which is more to read."""
        keys = [self.key(one) for one in names]
        if not names:
            return self.sessions()
        if None in keys:
            live = self.live()
            missing = [one for one in names if not live.named(one)]
            every = self.sessions() if missing else live
            wanted = {one.id for name in missing for one in every.named(name)}
            chosen = (one for one in every.sessions if not one.ended or one.id in wanted)
            return every._replace(sessions=tuple(chosen))
        index = self._states(_tokens(one.session_id for one in keys if one))
        found = [log.last_session for log in index.logs.values() if log.name in names]
        return Listing(tuple(found), self.now)

    def key(self, name: str) -> LogKey | None:
        """Server and id of the session with this name, which has the server in front where several have the
        id; None if there is none."""
        if name in self._keys:
            return self._keys[name]
        parts = name.split("/")
        for start in range(min(len(parts), _MOST_SLASHES)):
            server, session_id = "/".join(parts[:start]), "/".join(parts[start:])
            servers = {one.site for one in self._subjects(encode_token(session_id))}
            if start == 0 and len(servers) == 1:
                return self._keys.setdefault(name, LogKey(servers.pop(), session_id))
            if start and len(servers) > 1 and server in servers:
                return self._keys.setdefault(name, LogKey(server, session_id))
        return None

    def name_of(self, key: LogKey) -> str:
        """The name of a session that may have begun since; sessions that are known keep theirs."""
        known = next((name for name, one in self._keys.items() if one == key), None)
        if known is None:
            is_taken = any(one.session_id == key.session_id for one in self._keys.values())
            known = f"{key.server}/{key.session_id}" if is_taken else key.session_id
            self._keys[known] = key
        return known

    def replay(
        self, new: Callable[[], Reader], ids: Collection[str] | None = None
    ) -> Sequence[Replayed[Reader]]:
        """Of named sessions only their subjects are read, and the collectors' records around them."""
        if ids is None:
            signs = CollectorSigns()
            sources = [self._source(StreamSelection(None), signs.add)]
            index = self._replayed = _StreamIndex(lambda: signs, lambda: self.now)
        else:
            tokens = _tokens(self._log(one).session_id for one in ids)
            sources = [
                self._source([self._all_of(MESSAGE, one), self._all_of(SESSION, one)]) for one in tokens
            ]
            index = _StreamIndex(lambda: self._signs(sources), lambda: self.now)
        self._read.append(index)
        return self._replay(sources, index, new, ids)

    @cached_property
    def _newest(self) -> datetime | None:
        signs = StreamSelection(all_of(self._stream, COLLECTOR), last_only=True)
        last = StreamSelection(None, max(1, self.end + 1 - _LAST_RECORDS))
        return self._scan([self._source(signs), self._source(last)]).newest

    @cached_property
    def _index(self) -> RecordingIndex:
        """The state of every session, from all records of all of them."""
        return self._states(["*"])

    def _states(self, tokens: Sequence[str], *, last_only: bool = False) -> RecordingIndex:
        """What is known of the sessions with these ids, encoded; `*` is any. From their session records, of
        those without any, unless only last ones count, from their messages."""
        chosen = (StreamSelection(self._all_of(SESSION, one), last_only=last_only) for one in tokens)
        states = [self._source(one) for one in chosen]
        index = self._scan([*states, *(() if last_only else self._stateless(tokens))])
        if last_only and (unknown := [subject for one in states for subject in one.unknown]):
            # Others have published there, or a later version: what comes before it decides.
            index = self._scan([*states, *map(self._source, unknown)])
        self._read.append(index)
        self._keys |= {log.name: LogKey(log.server, log.session_id) for log in index.logs.values()}
        return index

    def _stateless(self, tokens: Sequence[str]) -> list[StreamSource]:
        """The messages of the sessions with these ids that have no session record."""
        found = [one for token in tokens for one in _without_state(self._subjects(token))]
        if len(found) > _MOST_SOURCES:
            return [self._source(all_of(self._stream, MESSAGE))]
        return [self._source(self._message_subject(one.site, one.session_id)) for one in found]

    def _scan(self, sources: Sequence[StreamSource]) -> RecordingIndex:
        return scan(sources, RecordingIndex(places=False), self._notice)

    def _subjects(self, token: str) -> list[SubjectParts]:
        """The subjects of the sessions with this id, encoded; `*` is any."""
        wildcard = f"{self._stream}.*.*.{token}"
        _ = self.end
        found = self.connection.run(lambda: stream_subjects(self.connection, wildcard))
        return [*filter(None, map(parsed_subject, found))]

    def _log(self, session_id: str) -> RecordedLog:
        key = self.key(session_id)
        if key is None:
            raise NotFound(f"no session {session_id} in {self.name}")
        return RecordedLog(key.session_id, key.server)

    def _messages_of(self, log: RecordedLog) -> Iterator[Message]:
        source = self._source(self._message_subject(log.server, log.session_id))
        return (line.record for _, line in source.lines() if isinstance(line.record, Message))

    def _all_of(self, kind: Kind, token: str) -> str:
        """The wildcard of the sessions with an id, encoded, on whichever server."""
        return f"{self._stream}.{kind}.*.{token}"

    def _message_subject(self, server: str | None, session_id: str | None) -> str:
        return message_subject(self._stream, server or "", session_id or "")

    def _signs(self, sources: Sequence[StreamSource]) -> CollectorSigns:
        """The collectors' records from shortly before the first record of these sources on."""
        signs = CollectorSigns()
        began = min((one.began for one in sources if one.began), default=None)
        since = began - _COLLECTORS_BEFORE if began else None
        for _ in self._source(
            StreamSelection(all_of(self._stream, COLLECTOR), since=since), signs.add
        ).lines():
            pass
        return signs

    def _source(
        self,
        chosen: StreamSelection | str | Sequence[str],
        on_collector: Callable[[StreamMessage, Line], None] = lambda message, line: None,
    ) -> StreamSource:
        """A source of what is selected, or of all messages on some subjects."""
        if isinstance(chosen, StreamSelection):
            selections = [chosen]
        else:
            selections = [*map(StreamSelection, [chosen] if isinstance(chosen, str) else chosen)]
        return StreamSource(self.connection, selections, lambda: self.end, self.parser, on_collector)


class _StreamIndex(RecordingIndex):
    """The sessions of a stream, whose outages are those of all collectors of a server together."""

    def __init__(self, signs: Callable[[], CollectorSigns], now: Callable[[], datetime | None]) -> None:
        super().__init__(places=False)
        self._read_signs = signs
        self._now = now
        self._outages: dict[str | None, list[Disconnection]] = {}

    @cached_property
    def _signs(self) -> CollectorSigns:
        return self._read_signs()

    def disconnections_of(self, log: RecordedLog) -> list[Disconnection]:
        if log.server not in self._outages:
            self._outages[log.server] = self._signs.outages(log.server, self._now())
        return [one for one in self._outages[log.server] if log.was_live(one.lost_at, one.back_at)]


def stale_message(name: str, newest: datetime | None, clock: datetime) -> str | None:
    """What to say of a stream whose newest record is over 90 s old; else None."""
    if newest is None or clock - newest <= timedelta(seconds=SILENT_SECONDS):
        return None
    return f"the newest record of {name} is of {rfc3339(newest)}: is a collector running?"


def _tokens(ids: Iterable[str]) -> list[str]:
    return [encode_token(one) for one in dict.fromkeys(ids)]


def _without_state(subjects: Collection[SubjectParts]) -> list[SubjectParts]:
    """The subjects of messages whose session has no subject."""
    known = {one[1:3] for one in subjects if one.kind == SESSION}
    return [one for one in subjects if one.kind == MESSAGE and one[1:3] not in known]
