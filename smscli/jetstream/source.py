"""A stream as a source of records: its messages on some subjects, each checked against its subject."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from heapq import merge
from operator import attrgetter

from smscli.errors import LocalError
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.read_consumer import StreamMessage, StreamSelection
from smscli.jetstream.read_cursor import StreamCursor
from smscli.jetstream.subjects import COLLECTOR, SubjectParts, parse_subject
from smscli.model import Message, Participant
from smscli.recordings.format import (
    ConnectionRecord,
    EndedRecord,
    Line,
    OtherRecord,
    SessionRecord,
    parse_line,
)

_SEQUENCE = attrgetter("sequence")

parsed_subject = lru_cache(maxsize=4096)(parse_subject)


class StreamParser:
    """Parses a stream's messages. Others may publish too: what is none of our records, or is about another
    session than its subject, is passed over; `notice` is told of the first."""

    def __init__(self, name: str, notice: Callable[[str], None]) -> None:
        self._name = name
        self._notice = notice
        self._is_told = False
        self._known: dict[str, Participant] = {}

    def line(self, message: StreamMessage) -> Line | None:
        """The record of a message; None for one that is passed over."""
        subject = parsed_subject(message.subject)
        if subject is not None:
            try:
                line = parse_line(message.payload, message.sequence, self._name, self._known)
            except LocalError:
                line = None
            if line is not None and _belongs(line, subject):
                return line
        if not self._is_told:
            self._is_told = True
            self._notice(
                f"message {message.sequence} of {self._name} is no record for its subject: "
                "it was passed over, as others like it will be"
            )
        return None


def _belongs(line: Line, subject: SubjectParts) -> bool:
    """Whether a record is where it belongs; kinds that aren't known may be anywhere."""
    match line.record:
        case OtherRecord():
            return True
        case ConnectionRecord():
            return subject.kind == COLLECTOR
        case Message(session_id=session_id):
            named = ("message", line.server, session_id)
        case SessionRecord(_, session):
            named = ("session", line.server, session.id)
        case EndedRecord(_, session_id, _):
            named = ("session", line.server, session_id)
        case _:
            return False
    return named == subject[:3]


class StreamSource:
    """Selections of a stream's messages up to the sequence `end`, which is asked for when reading begins.

    `on_collector` is told of each message of a collector. Every method raises SmscliError.
    """

    is_stream = False

    def __init__(
        self,
        connection: StreamConnection,
        selections: Sequence[StreamSelection],
        end: Callable[[], int],
        parser: StreamParser,
        on_collector: Callable[[StreamMessage, Line], None] = lambda message, line: None,
    ) -> None:
        self.name = connection.address.url
        # The engine's time of the first message, and the subjects whose last message is no known record.
        self.began: datetime | None = None
        self.unknown: dict[str, None] = {}
        self._connection = connection
        self._selections = selections
        self._end = end
        self._parser = parser
        self._on_collector = on_collector

    def keep(self) -> None:
        """A stream can be read again anyway."""

    def lines(self, notice: Callable[[str], None] = lambda line: None) -> Iterator[tuple[int, Line]]:
        """Each record with its sequence number."""
        for message in self.messages():
            self.began = self.began or message.at
            line = self._parser.line(message)
            if line is None or isinstance(line.record, OtherRecord):
                self.unknown[message.subject] = None
            else:
                self.unknown.pop(message.subject, None)
            if line is None:
                continue
            subject = parsed_subject(message.subject)
            if subject is not None and subject.kind == COLLECTOR:
                self._on_collector(message, line)
            yield message.sequence, line

    def messages(self) -> Iterator[StreamMessage]:
        """The messages, in the order of the stream."""
        return merge(*map(self._messages, self._selections), key=_SEQUENCE)

    def _messages(self, selection: StreamSelection) -> Iterator[StreamMessage]:
        end = self._end()
        cursor = StreamCursor(self._connection, selection)
        try:
            while page := self._connection.run(lambda: cursor.page(end)):
                yield from page
        finally:
            cursor.discard()
