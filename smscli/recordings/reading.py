"""Reading a recording from a file or standard input."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from smscli.errors import LocalError, NotFound
from smscli.model import Message, Participant
from smscli.recordings.format import OtherRecord, file_error, is_torn, numbered_lines, parse_line

_MAX_NAMED = 10
_MAX_NAME = 64


def read_messages(
    source: str, session_id: str | None = None, *, stdin: BinaryIO | None, notice: Callable[[str], None]
) -> Iterator[Message]:
    """The messages of one session or of all sessions of a recording, in its order.

    `source` is a file name, or `-` for `stdin` (None: closed), and is streamed. Notices and errors of
    `tail --json` among the lines are skipped; a truncated last line is skipped with a `notice`. LocalError
    names a line that is not a message, NotFound the existing sessions if `session_id` is none of them.
    """
    name = "standard input" if source == "-" else source
    others: dict[str, None] = {}
    found = session_id is None
    with _opened(source, stdin) as file:
        for message in _records(file, name, notice):
            if not isinstance(message, Message):
                continue
            if session_id is None or message.session_id == session_id:
                found = True
                yield message
            elif len(others) <= _MAX_NAMED:
                others[message.session_id] = None
    if not found:
        raise NotFound(f"no session {session_id} in {name}", hint=_named(list(others)))


def buffered(source: str, stdin: BinaryIO | None) -> BytesIO:
    """All of a recording that can be read only once: standard input, a pipe. LocalError."""
    name = "standard input" if source == "-" else source
    try:
        with _opened(source, stdin) as file:
            return BytesIO(file.read())
    except OSError as error:
        raise file_error(name, "read", error) from error


def newest_time(source: str, stdin: BinaryIO | None) -> datetime | None:
    """The newest time of a recording's lines, up to one that can't be read; None without any. LocalError."""
    newest = None
    with _opened(source, stdin) as file, suppress(LocalError):
        for record in _records(file, source, notice=lambda line: None):
            newest = max(filter(None, (newest, record.at)), default=None)
    return newest


def _named(sessions: list[str]) -> str:
    if not sessions:
        return "it contains no messages"
    shown = (f"{one[:_MAX_NAME]}..." if len(one) > _MAX_NAME else one for one in sessions[:_MAX_NAMED])
    names = ", ".join(shown)
    return f"it contains {names}" + (" and others" if len(sessions) > _MAX_NAMED else "")


def _opened(source: str, stdin: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    if source == "-":
        if stdin is None:
            raise LocalError("standard input can't be read: it is closed")
        return nullcontext(stdin)
    try:
        return open(source, "rb")
    except OSError as error:
        raise file_error(source, "read", error) from error


def _records(file: BinaryIO, name: str, notice: Callable[[str], None]) -> Iterator[Message | OtherRecord]:
    known: dict[str, Participant] = {}
    for number, line in numbered_lines(file, name):
        try:
            record = parse_line(line, number, name, known)
        except LocalError:
            if not is_torn(line, number):
                raise
            notice(f"the last line of {name} is truncated and was skipped")
            return
        yield record
