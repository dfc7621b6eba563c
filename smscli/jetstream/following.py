"""Follows a stream, as the events of a feed."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import NamedTuple

from smscli.errors import NotFound, Unreachable
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.read_consumer import StreamMessage, StreamSelection
from smscli.jetstream.read_cursor import StreamCursor
from smscli.jetstream.reads import StreamReads, stale_message
from smscli.jetstream.source import parsed_subject
from smscli.jetstream.stream_errors import NO_STREAM
from smscli.jetstream.subjects import COLLECTOR, SubjectParts, all_of, message_subject, session_subject
from smscli.model import (
    Event,
    Idle,
    Listing,
    ListRead,
    Message,
    NewMessages,
    Notice,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.recordings.format import ConnectionRecord, EndedRecord, Record, SessionRecord
from smscli.recordings.index import LogKey
from smscli.records import message_key

_WAIT_SECONDS = 0.25
_MOST_WAITING = 5000
# A new leader that is elected sooner is not worth a notice.
_AWAY_SECONDS = 1.0
# Messages and states are published side by side: the last messages may come behind the end.
_ENDING_SECONDS = 1.0
_AWAY = "the connection to the stream is lost, retrying"
_DELETED = "the stream was deleted: smscli tail --all --to creates it"
_BACK = "the stream is back"


class _ReaderState(NamedTuple):
    """What is wrong with a reader, in words; None when it works (again)."""

    reader: int
    trouble: str | None


class _Failure(NamedTuple):
    error: Exception


class _Ending(NamedTuple):
    """A session that has ended, whose messages may still come until then (`time.monotonic`)."""

    state: str | None
    until: float


class StreamTail:
    """What is published from a sequence number on, read in the connection's thread."""

    def __init__(self, connection: StreamConnection, subjects: Sequence[str | None], start: int) -> None:
        self._connection = connection
        self._arrived: SimpleQueue[StreamMessage | _ReaderState | _Failure] = SimpleQueue()
        self._cursors = [StreamCursor(connection, StreamSelection(one, start)) for one in subjects]
        self._tasks = [connection.start(self._read(*one)) for one in enumerate(self._cursors)]

    def take(self, seconds: float) -> list[StreamMessage | _ReaderState]:
        """What has come since, in order; waits up to `seconds` for the first. Raises what ended a reader."""
        found: list[StreamMessage | _ReaderState] = []
        try:
            one = self._arrived.get(timeout=seconds)
            while True:
                if isinstance(one, _Failure):
                    raise one.error
                found.append(one)
                one = self._arrived.get_nowait()
        except Empty:
            return found

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _read(self, number: int, cursor: StreamCursor) -> None:
        before: str | None = None

        def on_state(error: Exception | None) -> None:
            nonlocal before
            trouble = _trouble(error)
            if trouble != before:
                before = trouble
                self._arrived.put(_ReaderState(number, trouble))

        try:
            await cursor.follow(self._put, on_state)
        except Exception as error:
            self._arrived.put(_Failure(error))
        finally:
            await cursor.close()

    async def _put(self, message: StreamMessage) -> None:
        import asyncio

        while self._arrived.qsize() >= _MOST_WAITING:
            await asyncio.sleep(_WAIT_SECONDS)
        self._arrived.put(message)


class StreamFeed:
    """The events of a stream: what its live sessions hold, then what is published.

    `wait(0)` is called at least every 0.25 s, and may raise to end it. Raises what `StreamReads` does; once
    there was a list it retries without end.
    """

    def __init__(
        self,
        reads: StreamReads,
        wait: Callable[[float], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reads = reads
        self._connection = reads.connection
        self._stream = reads.connection.address.stream
        self._wait = wait
        self._clock = clock
        # The named sessions; None for all.
        self._named: set[LogKey] | None = None
        self._live: dict[LogKey, str] = {}
        # The sessions whose history was read, and the sequence number up to which the stream held it.
        self._begun: set[LogKey] = set()
        self._history_end = 0
        self._ending: dict[LogKey, _Ending] = {}
        # The keys of live sessions' messages: collectors publish them again to a stream that replaces a
        # deleted one.
        self._shown: dict[LogKey, set[str]] = {}
        self._failing: dict[int, str] = {}
        self._failing_since: float | None = None
        # What was said of the stream, while it can't be read.
        self._told: list[str] = []
        self._newest: datetime | None = None
        self._is_stale = False

    def events(self, ids: Sequence[str] | None) -> Iterator[Event]:
        """Follow these sessions until all have ended; with None all that are live, and those to come, without
        end. A stream that is stale at the start is not said to be so. NotFound."""
        self._history_end = end = self._reads.end
        listing = self._listing(ids)
        self._newest = self._reads.now
        self._is_stale = self._stale_message() is not None
        yield ListRead(listing)
        tail = StreamTail(self._connection, self._subjects(), end + 1)
        try:
            for session in listing.sessions:
                yield from self._begin(session, listing)
            while self._named is None or self._live:
                yield Idle(_WAIT_SECONDS)
                yield from self._arrivals(tail.take(_WAIT_SECONDS))
                yield from self._notices()
        finally:
            tail.close()

    def _listing(self, ids: Sequence[str] | None) -> Listing:
        if ids is None:
            return self._reads.live()
        keys = {one: self._reads.key(one) for one in ids}
        if missing := [one for one, key in keys.items() if key is None]:
            raise NotFound(f"no session {missing[0]} in {self._reads.name}")
        self._named = {key for key in keys.values() if key}
        listing = self._reads.sessions_named(keys)
        return listing._replace(sessions=tuple(filter(None, map(listing.find, keys))))

    def _subjects(self) -> list[str | None]:
        if self._named is None:
            return [None]
        named = [(self._stream, one.server or "", one.session_id) for one in self._named]
        sessions = (subject(*one) for one in named for subject in (message_subject, session_subject))
        return [*sessions, all_of(self._stream, COLLECTOR)]

    def _begin(self, session: Session, listing: Listing) -> Iterator[Event]:
        """What the stream held of a session at the start."""
        key = self._reads.key(session.id)
        if key is None:
            return
        self._live[key] = session.id
        yield SessionStarted(session, announce=False)
        yield from self._history(key, listing.at, first=True)
        if session.ended:
            yield from self._end(key, session.state)

    def _history(self, key: LogKey, at: datetime | None, *, first: bool) -> Iterator[NewMessages | Notice]:
        """The messages of a session that the stream held at the start, however long the engine is away."""
        self._begun.add(key)
        subject = message_subject(self._stream, key.server or "", key.session_id)
        cursor = StreamCursor(self._connection, StreamSelection(subject))
        page: Sequence[StreamMessage] | None = None
        try:
            while page is None or page:
                self._wait(0)
                try:
                    page = self._connection.run(lambda: cursor.page(self._history_end))
                except Unreachable:
                    yield from self._set_trouble(_AWAY)
                    continue
                yield from self._set_trouble(None)
                messages = self._unseen(key, self._messages(page))
                if first or messages:
                    yield NewMessages(self._name(key), messages, at, first=first, done=not page)
        finally:
            cursor.discard()

    def _messages(self, page: Sequence[StreamMessage]) -> list[Message]:
        lines = filter(None, map(self._reads.parser.line, page))
        return [one.record for one in lines if isinstance(one.record, Message)]

    def _unseen(self, key: LogKey, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Those of a session's messages that were not shown yet."""
        shown = self._shown.setdefault(key, set())
        found = {one: message for message in messages if (one := message_key(message)) not in shown}
        shown.update(found)
        return tuple(found.values())

    def _arrivals(self, arrived: Sequence[StreamMessage | _ReaderState]) -> Iterator[Event]:
        """What has come, consecutive messages of one session together."""
        together: list[Message] = []
        owner: LogKey | None = None
        for one in arrived:
            if isinstance(one, _ReaderState):
                yield from self._set_failing(one)
                continue
            line, subject = self._reads.parser.line(one), parsed_subject(one.subject)
            if line is None or subject is None:
                continue
            record = line.record
            self._newest = max(filter(None, (self._newest, record.at)), default=None)
            self._is_stale = self._is_stale and self._stale_message() is not None
            key = LogKey(subject.site, subject.session_id or "")
            if together and (key != owner or not isinstance(record, Message)):
                yield from self._new(owner, together)
                together = []
            if isinstance(record, Message):
                owner = key
                together.append(record)
            else:
                yield from self._other(record, key, subject, line.server)
        if together:
            yield from self._new(owner, together)

    def _new(self, key: LogKey | None, messages: Sequence[Message]) -> Iterator[Event]:
        if key is None or not self._follows(key):
            return
        if key in self._ending:
            self._ending[key] = self._ending[key]._replace(until=time.monotonic() + _ENDING_SECONDS)
        if unseen := self._unseen(key, messages):
            yield NewMessages(self._name(key), unseen, messages[-1].at)

    def _other(
        self, record: Record, key: LogKey, subject: SubjectParts, server: str | None
    ) -> Iterator[Event]:
        match record:
            case SessionRecord(at, session) if self._follows(key):
                yield from self._changed(key, replace(session, id=self._name(key)), at)
            case EndedRecord(_, _, state) if key in self._live:
                self._ending[key] = _Ending(state, time.monotonic() + _ENDING_SECONDS)
            case ConnectionRecord(_, kind, message) if self._concerns(server):
                yield Notice(kind, f"collector {subject.collector}: {message}")

    def _changed(self, key: LogKey, session: Session, at: datetime | None) -> Iterator[Event]:
        yield ListRead(Listing((session,), at))
        if session.ended:
            return
        self._ending.pop(key, None)
        if key not in self._live:
            self._live[key] = session.id
            yield SessionStarted(session)
            if key not in self._begun:
                # Its first messages may have come before its state, and before we began.
                yield from self._history(key, at, first=False)

    def _notices(self) -> Iterator[Event]:
        """Who has ended, and how the stream is."""
        self._wait(0)
        now = time.monotonic()
        for key, ending in [*self._ending.items()]:
            if now >= ending.until:
                del self._ending[key]
                yield from self._end(key, ending.state)
        if self._failing_since is not None and now - self._failing_since >= _AWAY_SECONDS:
            yield from self._set_trouble(_DELETED if _DELETED in self._failing.values() else _AWAY)
        message = None if self._told else self._stale_message()
        if message and not self._is_stale:
            yield Notice("stale", message)
        self._is_stale = bool(message) or (bool(self._told) and self._is_stale)

    def _end(self, key: LogKey, state: str | None) -> Iterator[Event]:
        name = self._live.pop(key, None)
        self._shown.pop(key, None)
        if name is not None:
            yield SessionEnded(name, state)

    def _set_failing(self, one: _ReaderState) -> Iterator[Notice]:
        if one.trouble:
            self._failing[one.reader] = one.trouble
        else:
            self._failing.pop(one.reader, None)
        if not self._failing:
            self._failing_since = None
            yield from self._set_trouble(None)
        elif self._failing_since is None:
            self._failing_since = time.monotonic()

    def _set_trouble(self, trouble: str | None) -> Iterator[Notice]:
        """Say what is wrong, each once, and that it is over."""
        if trouble and trouble not in self._told:
            self._told.append(trouble)
            why = self._connection.trouble
            yield Notice("stream", f"{trouble} ({why.message})" if why else trouble)
        elif self._told and trouble is None:
            self._told.clear()
            yield Notice("stream", _BACK)

    def _stale_message(self) -> str | None:
        return stale_message(self._reads.name, self._newest, self._clock())

    def _follows(self, key: LogKey) -> bool:
        return self._named is None or key in self._named

    def _concerns(self, server: str | None) -> bool:
        """Whether a collector's connection to this server matters for what is followed."""
        return self._named is None or server is None or any(server == one.server for one in self._named)

    def _name(self, key: LogKey) -> str:
        return self._live.get(key) or self._reads.name_of(key)


def _trouble(error: Exception | None) -> str | None:
    """What a reader's error tells of the stream."""
    if error is None:
        return None
    return _DELETED if getattr(error, "err_code", None) == NO_STREAM else _AWAY
