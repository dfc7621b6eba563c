"""Recordings as `Reads`: sessions with their last state and messages, of one or several files read as one."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

from smscli.errors import LocalError, NotFound
from smscli.model import Listing, Message, Page, Participant, Session
from smscli.recordings.format import parse_line
from smscli.recordings.index import Disconnection, LogPart, RecordedLog, RecordingIndex
from smscli.recordings.reading import Source, expand_sources, matching_files

_PAGE = 500


class RecordReader(Protocol):
    """What is told of a recorded session: its messages in order, since when its state says that it has ended
    (None: it is live again; `exact`: it ended then), and that it is masked."""

    def add(self, message: Message) -> object: ...

    def end(self, at: datetime | None, *, exact: bool) -> None: ...

    def mask(self) -> None: ...


Reader = TypeVar("Reader", bound=RecordReader)


class Replayed(NamedTuple, Generic[Reader]):
    """A session that was read whole; `has_state` is False where only its messages are recorded."""

    session: Session
    reader: Reader
    has_state: bool
    disconnections: Sequence[Disconnection]


class RecordedReads:
    """Reads from recordings as if they were the server. LocalError for what can't be read.

    `sources` are file names, patterns, or `-`; `notice` is told of a truncated last line.
    """

    def __init__(self, sources: Sequence[str], notice: Callable[[str], None]) -> None:
        self._names = sources
        self._sources = [Source(one) for one in expand_sources(sources)]
        self._notice = notice

    @property
    def name(self) -> str:
        """What to call them."""
        first, *others = self._sources
        return f"{first.name} and {len(others)} more" if others else first.name

    @property
    def now(self) -> datetime | None:
        """The newest time of all files together; None where they have none."""
        return self._summary.newest

    @cached_property
    def _index(self) -> RecordingIndex:
        """Where each session's messages stand. Reads everything once."""
        return self._scan(RecordingIndex(), lambda log, message: None)

    @property
    def _summary(self) -> RecordingIndex:
        """What is known of the sessions, from whichever pass over the files there was."""
        replayed: RecordingIndex | None = self.__dict__.get("_replayed")
        return replayed or self._index

    def _scan(
        self, index: RecordingIndex, on_record: Callable[[RecordedLog, Message | None], None]
    ) -> RecordingIndex:
        """Read everything once; `on_record` is told of each record of a session in the order of the files."""
        for number, source in enumerate(self._sources):
            source.keep()
            try:
                for place, line in source.lines(self._notice):
                    record = line.record
                    log = index.add(number, place, line.server, record)
                    index.ends[number] = place + line.size
                    if log is not None:
                        log.is_masked = log.is_masked or line.masked
                        on_record(log, record if isinstance(record, Message) else None)
            except LocalError as error:
                index.failure = index.failure or error
        index.join_unnamed()
        index.name_servers()
        return index

    def replay(self, new: Callable[[], Reader]) -> Sequence[Replayed[Reader]]:
        """Have a new reader read each session. Where the files have a log in its order, in one pass over all
        of them. LocalError."""
        readers: dict[int, Reader] = {}

        def read(log: RecordedLog, message: Message | None) -> None:
            reader = readers.get(id(log))
            if reader is None:
                reader = readers[id(log)] = new()
            if log.is_masked:
                reader.mask()
            if message is None:
                reader.end(log.ended_at, exact=log.is_end_exact)
            elif log.is_ordered:
                reader.add(message)

        index = self.__dict__["_replayed"] = self._scan(RecordingIndex(places=False), read)
        if index.failure:
            raise index.failure
        found = []
        for log in index.logs.values():
            reader = readers[id(log)] if log.is_ordered else self._read_in_order(log, new())
            disconnections = index.disconnections_of(log)
            has_state = log.session is not None
            found.append(Replayed(log.last_session, reader, has_state, disconnections))
        return found

    def _read_in_order(self, log: RecordedLog, reader: Reader) -> Reader:
        """Messages that came late are read at their place."""
        if log.ended_at:
            reader.end(log.ended_at, exact=log.is_end_exact)
        if log.is_masked:
            reader.mask()
        pages = self.messages(log.name)
        late = sorted(
            (one for page in pages for one in page.messages if one.late and one.order is not None),
            key=lambda one: one.order or 0,
            reverse=True,
        )
        seen: set[int] = set()
        for page in self.messages(log.name):
            for message in page.messages:
                if message.identity in seen:
                    continue
                seen.add(message.identity)
                while late and message.order is not None and (late[-1].order or 0) < message.order:
                    reader.add(late.pop())
                if not message.late:
                    reader.add(message)
        for message in reversed(late):
            reader.add(message)
        return reader

    def ends(self) -> dict[str, int]:
        """How far each file was read, in bytes; files that a pattern fits by now too."""
        read = {source.path: self._index.ends.get(place, 0) for place, source in enumerate(self._sources)}
        now = dict.fromkeys(file for name in self._names for file in matching_files(name))
        return {file: read.get(file, 0) for file in [*now, *read]}

    def sessions(self, *, retries: int | None = None) -> Listing:
        """All sessions, ended ones too, in the order in which they were recorded first."""
        if self._summary.failure:
            raise self._summary.failure
        return Listing(tuple(log.last_session for log in self._summary.logs.values()), self.now)

    def log(self, *, streamed: bool) -> Iterator[Page]:
        """The messages of all sessions: of one file in order of arrival, of several session by session.

        `streamed`: read a single source only once, as it arrives, without knowing its end.
        """
        if len(self._sources) == 1:
            if not streamed:
                self._sources[0].keep()
            size = 1 if streamed and self._sources[0].is_stream else _PAGE
            yield from _pages(self._arrivals(), size)
        else:
            for log in self._index.logs.values():
                yield from _pages(self._messages_of(log), _PAGE)
            if self._index.failure:
                raise self._index.failure

    def _arrivals(self) -> Iterator[Message]:
        for _, line in self._sources[0].lines(self._notice):
            if isinstance(line.record, Message):
                yield line.record

    def messages(
        self, session_id: str, start: int = 1, *, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Page]:
        """A session's messages in order, each once. NotFound if it is not recorded."""
        log = next((one for one in self._index.logs.values() if one.name == session_id), None)
        if log is None:
            raise NotFound(f"no session {session_id} in {self.name}")
        yield from _pages(self._messages_of(log), _PAGE)
        if self._index.failure:
            raise self._index.failure

    def page(
        self,
        session_id: str,
        start: int | None = None,
        count: int | None = None,
        *,
        retries: int | None = None,
    ) -> Page:
        """The messages from index `start` on, at most `count` of them."""
        messages = (one for page in self.messages(session_id) for one in page.messages)
        wanted = (one for one in messages if start is None or (one.order is not None and one.order >= start))
        return Page(tuple(islice(wanted, count)), self.now)

    def window(self, session_id: str, start: int | None = None, count: int | None = None) -> Page:
        return self.page(session_id, start, count)

    def _messages_of(self, log: "RecordedLog") -> Iterator[Message]:
        for parts in log.groups():
            if len(parts) == 1:
                yield from self._part(parts[0])
            else:
                yield from _merged([self._part(one) for one in parts])

    def _part(self, part: "LogPart") -> Iterator[Message]:
        """The messages of one file."""
        source = self._sources[part.source]
        known: dict[str, Participant] = {}
        with source.opened() as file:
            for place in part.places:
                file.seek(place)
                record = parse_line(file.readline(), 0, source.name, known).record
                if isinstance(record, Message):
                    yield record


def _merged(parts: Sequence[Iterator[Message]]) -> Iterator[Message]:
    """The messages of overlapping files in the log's order, each once."""
    seen: set[int] = set()
    for _, message in heapq.merge(*map(_placed, parts), key=itemgetter(0)):
        if message.identity not in seen:
            seen.add(message.identity)
            yield message


def _placed(messages: Iterator[Message]) -> Iterator[tuple[int, Message]]:
    """Each message with its place in the log; one that came late, or has no place, stays where it came."""
    place = -1
    for message in messages:
        place = max(place, -1 if message.order is None else message.order)
        yield place, message


def _pages(messages: Iterator[Message], size: int) -> Iterator[Page]:
    """Messages as pages, the first of which may be empty; those before an unreadable line are kept."""
    page: list[Message] = []
    is_first = True
    try:
        for message in messages:
            page.append(message)
            if len(page) == size:
                yield Page(tuple(page))
                page, is_first = [], False
    except LocalError:
        yield Page(tuple(page))
        raise
    if page or is_first:
        yield Page(tuple(page))
