"""The format of a recording: a message per line, as `tail --json` prints it; lines to messages and back.

With `--redact` a line begins with a blank, which is no part of its JSON: each line says how it was recorded.
"""

import codecs
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO, NamedTuple

from smscli.errors import LocalError, WireError
from smscli.gws.decode import decode, message_from_json, parse_time
from smscli.model import Message, Participant
from smscli.records import message_json

_HINT = "a recording has one message per line, as --record and `messages --jsonl` write them"
_UTF_16_HINT = "it is UTF-16, as `>` of PowerShell writes; use --record FILE, or save it as UTF-8"
_OPENINGS = (b'{"sessionId":', b'{"record":')
_MASKED = b" "
_MAX_CACHED_PEOPLE = 1024


class OtherRecord(NamedTuple):
    """A line that is no message; `at` is when it was recorded, None where it doesn't tell."""

    at: datetime | None = None


def message_line(message: Message, *, masked: bool) -> bytes:
    """The line of a message, with its newline. LocalError."""
    try:
        line = message_json(message).encode()
    except RecursionError as error:
        where = f"message {message.index} of session {message.session_id}"
        raise LocalError(f"{where} is nested too deeply to be recorded") from error
    return b"%b%b\n" % (_MASKED if masked else b"", line)


def is_masked(line: bytes) -> bool:
    """Whether a line was recorded with `--redact`."""
    return line.startswith(_MASKED)


def numbered_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Each line, with its newline, and its number from 1; the last line may have no newline."""
    try:
        yield from enumerate(file, 1)
    except OSError as error:
        raise file_error(name, "read", error) from error


def parse_line(
    line: bytes, number: int, name: str, known: dict[str, Participant] | None = None
) -> Message | OtherRecord:
    """The message of a line, or what else it is: a record of another kind, a notice, an error, blank."""
    if line.isspace():
        return OtherRecord()
    try:
        return _parsed(decode(line), known)
    except (WireError, RecursionError) as error:
        is_utf_16 = line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        raise LocalError(
            f"line {number} of {name} is not a message", hint=_UTF_16_HINT if is_utf_16 else _HINT
        ) from error


def _parsed(value: object, known: dict[str, Participant] | None) -> Message | OtherRecord:
    if isinstance(value, dict):
        session_id = value.get("sessionId")
        if isinstance(session_id, str) and isinstance(value.get("type"), str):
            return _restored(value, session_id, known)
        if isinstance(value.get("record"), str):
            at = value.get("at")
            return OtherRecord(parse_time(at))
        if value.keys() in ({"notice"}, {"error"}):
            return OtherRecord()
    raise WireError("neither a message nor a record of another kind")


def _restored(value: dict[str, object], session_id: str, known: dict[str, Participant] | None) -> Message:
    """The message as received: the server's unparsable timestamp goes back into its own key."""
    if known is not None and len(known) >= _MAX_CACHED_PEOPLE:
        known.clear()
    if value.get("timestamp") is None and "timestampRaw" in value:
        value["timestamp"] = value["timestampRaw"]
    message = message_from_json(value, session_id, known)
    return replace(message, late=True) if value.get("late") is True else message


def is_message(line: bytes) -> bool:
    try:
        return isinstance(parse_line(line, 0, ""), Message)
    except LocalError:
        return False


def is_torn(line: bytes, number: int) -> bool:
    """Whether an invalid line is the beginning of one that a crash cut off, and not other text.

    After a power failure a file system may show zeros in place of unwritten data.
    """
    start = line.lstrip(_MASKED).rstrip(b"\0")
    begins = any(one.startswith(start[: len(one)]) for one in _OPENINGS)
    return not line.endswith(b"\n") and (number > 1 or begins)


def file_error(name: str, what: str, error: OSError, hint: str | None = None) -> LocalError:
    """LocalError for a file that can't be `what`."""
    return LocalError(f"{name} can't be {what}: {error.strerror or error}", hint=hint)
