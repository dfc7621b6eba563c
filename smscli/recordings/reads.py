"""Recordings as `Reads`: sessions with their last state and messages, of one or several files read as one."""

import heapq
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import islice
from math import inf
from operator import attrgetter, itemgetter
from typing import NamedTuple

from smscli.errors import LocalError, NotFound
from smscli.model import Listing, Message, Page, Participant, Session
from smscli.recordings.format import EndedRecord, Record, SessionRecord, parse_line
from smscli.recordings.reading import Source, expand_sources, matching_files

_PAGE = 500
_MOST_PEOPLE = 100


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
        return self._index.newest

    @cached_property
    def _index(self) -> "_Index":
        """Where each session's messages stand. Reads everything once."""
        index = _Index()
        for number, source in enumerate(self._sources):
            source.keep()
            try:
                for place, line in source.lines(self._notice):
                    index.add(number, place, line.server, line.record)
                    index.ends[number] = place + line.size
            except LocalError as error:
                index.failure = index.failure or error
        index.join_unnamed()
        index.name_servers()
        return index

    def ends(self) -> dict[str, int]:
        """How far each file was read, in bytes; files that a pattern fits by now too."""
        read = {source.path: self._index.ends.get(place, 0) for place, source in enumerate(self._sources)}
        now = dict.fromkeys(file for name in self._names for file in matching_files(name))
        return {file: read.get(file, 0) for file in [*now, *read]}

    def sessions(self, *, retries: int | None = None) -> Listing:
        """All sessions, ended ones too, in the order in which they were recorded first."""
        if self._index.failure:
            raise self._index.failure
        return Listing(tuple(log.last_session for log in self._index.logs.values()), self.now)

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

    def _messages_of(self, log: "_Log") -> Iterator[Message]:
        for parts in log.groups():
            if len(parts) == 1:
                yield from self._part(parts[0])
            else:
                yield from _merged([self._part(one) for one in parts])

    def _part(self, part: "_Part") -> Iterator[Message]:
        """The messages of one file."""
        source = self._sources[part.source]
        known: dict[str, Participant] = {}
        with source.opened() as file:
            for place in part.places:
                file.seek(place)
                record = parse_line(file.readline(), 0, source.name, known).record
                if isinstance(record, Message):
                    yield record


@dataclass(slots=True)
class _Part:
    """Where the messages of a session stand in one file, and their first and last time."""

    source: int
    places: "array[int]" = field(default_factory=lambda: array("Q"))
    first: datetime | None = None
    last: datetime | None = None

    @property
    def start(self) -> float:
        return self.first.timestamp() if self.first else -inf

    def add(self, place: int, at: datetime | None) -> None:
        self.places.append(place)
        if at is not None:
            self.first = min(at, self.first or at)
            self.last = max(at, self.last or at)


@dataclass(slots=True)
class _Log:
    """What is recorded of one session. `name` is its id, with the server in front where several have it."""

    name: str
    server: str | None
    session: Session | None = None
    changed_at: datetime | None = None
    parts: dict[int, _Part] = field(default_factory=dict)
    people: dict[Participant, None] = field(default_factory=dict)

    @property
    def last_session(self) -> Session:
        """Its last state; where there is no record of it, the senders of its messages."""
        session = self.session or Session(self.name, participants=tuple(self.people))
        return session if session.id == self.name else replace(session, id=self.name)

    def groups(self) -> Iterator[list[_Part]]:
        """Its parts in the order of time; those that overlap are to be merged."""
        group: list[_Part] = []
        end: datetime | None = None
        for part in sorted(self.parts.values(), key=attrgetter("start")):
            if group and end is not None and part.first is not None and part.first > end:
                yield group
                group, end = [], None
            group.append(part)
            end = max(filter(None, (end, part.last)), default=None)
        yield group

    def join(self, other: "_Log") -> None:
        """Take over what is recorded of the same session."""
        for source, part in other.parts.items():
            mine = self.parts.setdefault(source, part)
            if mine is not part:
                merged = sorted([*mine.places, *part.places])
                times = [at for at in (mine.first, mine.last, part.first, part.last) if at]
                self.parts[source] = _Part(
                    source, array("Q", merged), min(times, default=None), max(times, default=None)
                )
        self.people.update(other.people)
        self.session = self.session or other.session


class _Key(NamedTuple):
    server: str | None
    session_id: str


class _Index:
    """The sessions of all files; `newest` is the newest time in them, `failure` the first line that can't be
    read."""

    def __init__(self) -> None:
        self.failure: LocalError | None = None
        self.ends: dict[int, int] = {}
        self.logs: dict[_Key, _Log] = {}
        self.newest: datetime | None = None

    def add(self, source: int, place: int, server: str | None, record: Record) -> None:
        """Note a line: its file and the place of its first byte."""
        if record.at is not None and (self.newest is None or record.at > self.newest):
            self.newest = record.at
        match record:
            case Message():
                log = self._log(server, record.session_id)
                log.parts.setdefault(source, _Part(source)).add(place, record.at)
                if record.sender and len(log.people) < _MOST_PEOPLE:
                    log.people[record.sender] = None
            case SessionRecord(at, session):
                log = self._log(server, session.id)
                if _is_newer(at, log.changed_at):
                    log.session, log.changed_at = session, at
            case EndedRecord(at, session_id, state):
                log = self._log(server, session_id)
                if _is_newer(at, log.changed_at):
                    log.session, log.changed_at = _ended(log.last_session, state), at

    def _log(self, server: str | None, session_id: str) -> _Log:
        key = _Key(server, session_id)
        if key not in self.logs:
            self.logs[key] = _Log(session_id, server)
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


def _is_newer(at: datetime | None, known: datetime | None) -> bool:
    return at is None or known is None or at >= known


def _ended(session: Session, state: str | None) -> Session:
    if state is None:
        return replace(session, gone=True)
    return replace(session, state=state, sent={**session.sent, "state": state})


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
