"""Records as `Reads`: sessions with their last state and messages, of one or several sources read as one."""

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

from smscli.errors import LocalError, NotFound, SmscliError
from smscli.model import Event, Listing, Message, Page, Session
from smscli.recordings.format import Line
from smscli.recordings.index import Disconnection, RecordedLog, RecordingIndex
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


class RecordSource(Protocol):
    """What records are read from, in their order: a file, or a stream's messages on some subjects.

    `is_stream`: it can be read only once, unless it was kept. Every method raises SmscliError.
    """

    @property
    def name(self) -> str: ...

    @property
    def is_stream(self) -> bool: ...

    def keep(self) -> None:
        """See that it can be read again."""
        ...

    def lines(self, notice: Callable[[str], None]) -> Iterator[tuple[int, Line]]:
        """Each line with its place, which grows from line to line; `notice` is told of what is left out."""
        ...


class SourceReads(ABC):
    """Reads from sources of records as if they were the server. Every read raises SmscliError.

    `notice` is told of what is left out. `kind` is what to call it; `is_shared`: it holds the sessions of
    many, of which only those that are asked for should be read.
    """

    kind = "recording"
    is_shared = False

    def __init__(self, sources: Sequence[RecordSource], notice: Callable[[str], None]) -> None:
        self._sources = sources
        self._notice = notice
        self._replayed: RecordingIndex | None = None

    @property
    def name(self) -> str:
        """What to call them."""
        first, *others = self._sources
        return f"{first.name} and {len(others)} more" if others else first.name

    @property
    def now(self) -> datetime | None:
        """The newest time of all sources together; None where they have none."""
        return self._summary.newest

    @property
    @abstractmethod
    def _index(self) -> RecordingIndex:
        """What is known of each session."""

    @abstractmethod
    def _log(self, session_id: str) -> RecordedLog:
        """What is known of one session. NotFound."""

    @abstractmethod
    def _messages_of(self, log: RecordedLog) -> Iterator[Message]:
        """The messages of a session in the log's order, each once."""

    @property
    def _summary(self) -> RecordingIndex:
        """What is known of the sessions, from whichever pass over the sources there was."""
        return self._replayed or self._index

    def listed(self, *, ended: bool) -> Listing:
        """What `list` shows; `ended`: sessions that have ended are asked for."""
        return self.sessions()

    def sessions_named(self, names: Collection[str]) -> Listing:
        """At least the sessions that these names may stand for."""
        return self.sessions()

    def stale_message(self, clock: datetime) -> str | None:
        """What to say where nothing new has come for too long, by our own clock; else None."""
        return None

    @abstractmethod
    def follow(self, wait: Callable[[float], None], ids: Sequence[str] | None) -> Iterator[Event]:
        """What it holds of these sessions, None for all live ones, and then what comes. NotFound.

        `wait(seconds)` waits for that long, is called several times a second, and may raise to end it.
        """

    def replay(
        self, new: Callable[[], Reader], ids: Collection[str] | None = None
    ) -> Sequence[Replayed[Reader]]:
        """Have a new reader read each of these sessions, None for all. Where the sources have a log in its
        order, in one pass over all of them."""
        index = RecordingIndex(places=False)
        found = self._replay(self._sources, index, new, ids)
        self._replayed = index
        return found

    def _replay(
        self,
        sources: Sequence[RecordSource],
        index: RecordingIndex,
        new: Callable[[], Reader],
        ids: Collection[str] | None,
    ) -> list[Replayed[Reader]]:
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

        scan(sources, index, self._notice, read)
        if index.failure:
            raise index.failure
        found = []
        for log in index.logs.values():
            if ids is None or log.name in ids:
                reader = readers[id(log)] if log.is_ordered else self._read_in_order(log, new())
                has_state = log.session is not None
                found.append(Replayed(log.last_session, reader, has_state, index.disconnections_of(log)))
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

    def sessions(self, *, retries: int | None = None) -> Listing:
        """All sessions, ended ones too, in the order in which they were recorded first."""
        if self._summary.failure:
            raise self._summary.failure
        return Listing(tuple(log.last_session for log in self._summary.logs.values()), self.now)

    def log(self, *, streamed: bool) -> Iterator[Page]:
        """The messages of all sessions, in order of arrival.

        `streamed`: read a source only once, as it arrives, without knowing its end.
        """
        (source,) = self._sources
        if not streamed:
            source.keep()
        messages = (one.record for _, one in source.lines(self._notice) if isinstance(one.record, Message))
        yield from _pages(messages, 1 if streamed and source.is_stream else _PAGE)

    def messages(
        self, session_id: str, start: int = 1, *, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Page]:
        """A session's messages in order, each once. NotFound if it is not recorded."""
        yield from _pages(self._messages_of(self._log(session_id)), _PAGE)

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


class RecordedReads(SourceReads):
    """Reads from recordings. LocalError for what can't be read.

    `names` are file names, patterns, or `-`; `notice` is told of a truncated last line.
    """

    def __init__(self, names: Sequence[str], notice: Callable[[str], None]) -> None:
        self._names = names
        self._files = [Source(one) for one in expand_sources(names)]
        super().__init__(self._files, notice)

    def follow(self, wait: Callable[[float], None], ids: Sequence[str] | None) -> Iterator[Event]:
        from smscli.recordings.following import RecordedFeed

        return RecordedFeed(self, wait).events(ids)

    @cached_property
    def _index(self) -> RecordingIndex:
        """Where each session's messages stand. Reads everything once."""
        return scan(self._sources, RecordingIndex(), self._notice)

    def log(self, *, streamed: bool) -> Iterator[Page]:
        """The messages of all sessions: of one file in order of arrival, of several session by session."""
        if len(self._sources) == 1:
            yield from super().log(streamed=streamed)
            return
        for log in self._index.logs.values():
            yield from _pages(self._messages_of(log), _PAGE)
        if self._index.failure:
            raise self._index.failure

    def messages(
        self, session_id: str, start: int = 1, *, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Page]:
        yield from super().messages(session_id)
        if self._index.failure:
            raise self._index.failure

    def ends(self) -> dict[str, int]:
        """How far each file was read, in bytes; files that a pattern fits by now too."""
        read = {file.path: self._index.ends.get(number, 0) for number, file in enumerate(self._files)}
        now = dict.fromkeys(file for name in self._names for file in matching_files(name))
        return {file: read.get(file, 0) for file in [*now, *read]}

    def _log(self, session_id: str) -> RecordedLog:
        log = next((one for one in self._index.logs.values() if one.name == session_id), None)
        if log is None:
            raise NotFound(f"no session {session_id} in {self.name}")
        return log

    def _messages_of(self, log: RecordedLog) -> Iterator[Message]:
        for parts in log.groups():
            if len(parts) == 1:
                yield from self._files[parts[0].source].messages(parts[0].places)
            else:
                yield from _merged([self._files[one.source].messages(one.places) for one in parts])


def scan(
    sources: Sequence[RecordSource],
    index: RecordingIndex,
    notice: Callable[[str], None],
    on_record: Callable[[RecordedLog, Message | None], None] = lambda log, message: None,
) -> RecordingIndex:
    """Read everything once; `on_record` is told of each record of a session in the order of the sources."""
    for number, source in enumerate(sources):
        source.keep()
        try:
            for place, line in source.lines(notice):
                record = line.record
                log = index.add(number, place, line)
                index.ends[number] = place + line.size
                if log is not None:
                    log.is_masked = log.is_masked or line.masked
                    on_record(log, record if isinstance(record, Message) else None)
        except LocalError as error:
            index.failure = index.failure or error
    index.join_unnamed()
    index.name_servers()
    return index


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
    """Messages as pages, the first of which may be empty; those before an error are kept."""
    page: list[Message] = []
    is_first = True
    try:
        for message in messages:
            page.append(message)
            if len(page) == size:
                yield Page(tuple(page))
                page, is_first = [], False
    except SmscliError:
        yield Page(tuple(page))
        raise
    if page or is_first:
        yield Page(tuple(page))
