"""The format of a recording: a JSON object per line, a message or another record; lines to records and back.

A message is the object of `tail --json`, any other record has its kind under `record`. All have `server`,
which names the server, those of several profiles `profile`, and those of a recording with `--redact` have
`"masked": true`; recordings of 0.1.0 have none of them, and mark a masked line by a blank in front.
"""

import codecs
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO, Literal, NamedTuple

from smscli.errors import LocalError, WireError
from smscli.gws.decode import message_from_json, parse_time, session_from_json
from smscli.gws.json_body import decode
from smscli.model import Json, Message, Participant, Session
from smscli.records import MESSAGE_KEYS, json_text, message_json, rfc3339, session_object

_HINT = "a recording has one message per line, as --record and `messages --jsonl` write them"
_UTF_16_HINT = "it is UTF-16, as `>` of PowerShell writes; use --record FILE, or save it as UTF-8"
_OPENINGS = (b'{"sessionId":', b'{"record":')
_MASKED = b" "
_OUR_KEYS = MESSAGE_KEYS | {"server", "profile", "masked"}
_MAX_CACHED_PEOPLE = 1024


class SessionRecord(NamedTuple):
    """A session as the list showed it at that time: at its start, and at each change."""

    at: datetime | None
    session: Session


class EndedRecord(NamedTuple):
    """A session had ended by then; `state` is None if it was gone from the list."""

    at: datetime | None
    session_id: str
    state: str | None


class ConnectionRecord(NamedTuple):
    """The connection was lost, or back."""

    at: datetime | None
    kind: Literal["lost", "reconnected"]
    message: str


Gap = tuple[int, int, datetime | None]
"""The indices below and above a gap in a log, and the time of the message above."""


class PositionRecord(NamedTuple):
    """Where older files of a recording stop in a session's log: index (`order`) and key of the last message,
    None before the first one, and the gaps that may still be filled.

    `unplaced` are the keys of messages without a place in the order, such as TranscriptSaveDone: they may
    come with any page.
    """

    at: datetime | None
    session_id: str
    order: int | None
    key: str | None
    gaps: tuple[Gap, ...] = ()
    unplaced: tuple[str, ...] = ()


class OtherRecord(NamedTuple):
    """A line that says nothing about a session; `at` is when it was recorded, None where it doesn't tell."""

    at: datetime | None = None


Record = Message | SessionRecord | EndedRecord | ConnectionRecord | PositionRecord | OtherRecord


class Line(NamedTuple):
    """A line that was read, of `size` bytes; `server` and `profile` are None where it names none."""

    record: Record
    server: str | None = None
    masked: bool = False
    size: int = 0
    profile: str | None = None


def line_of(
    record: Record, server: str | None = None, *, masked: bool = False, profile: str | None = None
) -> bytes:
    """The line of a record, with its newline. LocalError."""
    added = f',"server":{json_text(server)}' if server is not None else ""
    added += f',"profile":{json_text(profile)}' if profile is not None else ""
    added += ',"masked":true' if masked else ""
    try:
        if isinstance(record, Message):
            return f"{message_json(record, added, _OUR_KEYS)}\n".encode()
        return f"{json_text(_object(record))[:-1]}{added}}}\n".encode()
    except RecursionError as error:
        what = "a record"
        if isinstance(record, Message):
            what = f"message {record.index} of session {record.session_id}"
        raise LocalError(f"{what} is nested too deeply to be recorded") from error


def _object(record: Record) -> dict[str, object]:
    at = rfc3339(record.at) if record.at else None
    match record:
        case SessionRecord(_, session):
            return {"record": "session", "at": at, "session": session_object(session)}
        case EndedRecord(_, session_id, state):
            return {"record": "ended", "at": at, "sessionId": session_id, "state": state}
        case ConnectionRecord(_, kind, message):
            return {"record": kind, "at": at, "message": message}
        case PositionRecord(_, session_id, order, key, gaps, unplaced):
            open_gaps = [[low, high, rfc3339(above) if above else None] for low, high, above in gaps]
            position = {"sessionId": session_id, "index": order, "key": key, "gaps": open_gaps}
            added = {"unplaced": unplaced} if unplaced else {}
            return {"record": "position", "at": at, **position, **added}
    raise TypeError(record)


def numbered_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Each line, with its newline, and its number from 1; the last line may have no newline."""
    try:
        yield from enumerate(file, 1)
    except OSError as error:
        raise file_error(name, "read", error) from error


def parse_line(line: bytes, number: int, name: str, known: dict[str, Participant] | None = None) -> Line:
    """The record of a line. Notices and errors of `tail --json`, blanks and records that aren't known are an
    OtherRecord. LocalError for anything else."""
    if line.isspace():
        return Line(OtherRecord(), size=len(line))
    try:
        return _parsed(decode(line), known, line)
    except (WireError, RecursionError) as error:
        is_utf_16 = line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        raise LocalError(
            f"line {number} of {name} is not a message", hint=_UTF_16_HINT if is_utf_16 else _HINT
        ) from error


def _parsed(value: object, known: dict[str, Participant] | None, line: bytes) -> Line:
    if not isinstance(value, dict):
        raise WireError("neither a message nor a record of another kind")
    server, profile = (_name(value.pop(key, None)) for key in ("server", "profile"))
    is_masked = value.pop("masked", None) is True or line.startswith(_MASKED)
    return Line(_record(value, known), server, is_masked, len(line), profile)


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _record(value: dict[str, object], known: dict[str, Participant] | None) -> Record:
    session_id = value.get("sessionId")
    if isinstance(session_id, str) and isinstance(value.get("type"), str):
        return _restored(value, session_id, known)
    if isinstance(value.get("record"), str):
        return _other_record(value, parse_time(value.get("at")))
    if value.keys() in ({"notice"}, {"error"}):
        return OtherRecord()
    raise WireError("neither a message nor a record of another kind")


def _other_record(value: dict[str, object], at: datetime | None) -> Record:
    """A record by its kind; one that lacks what its kind needs is not known."""
    match value:
        case {"record": "session", "session": dict(session)}:
            return SessionRecord(at, _restored_session(session))
        case {"record": "ended", "sessionId": str(session_id)}:
            state = value.get("state")
            return EndedRecord(at, session_id, state if isinstance(state, str) else None)
        case {"record": "lost" | "reconnected" as kind, "message": str(message)}:
            return ConnectionRecord(at, kind, message)
        case {"record": "position", "sessionId": str(id_), "index": int(order), "key": str(key)}:
            return PositionRecord(at, id_, order, key, tuple(_gaps(value.get("gaps"))), _unplaced(value))
        case {"record": "position", "sessionId": str(id_), "index": None}:
            return PositionRecord(at, id_, None, None, (), _unplaced(value))
    return OtherRecord(at)


def _gaps(value: object) -> Iterator[Gap]:
    for one in value if isinstance(value, list) else ():
        match one:
            case [int(low), int(high), above]:
                yield low, high, parse_time(above)


def _unplaced(value: dict[str, object]) -> tuple[str, ...]:
    keys = value.get("unplaced")
    return tuple(one for one in keys if isinstance(one, str)) if isinstance(keys, list) else ()


def _restored(value: dict[str, object], session_id: str, known: dict[str, Participant] | None) -> Message:
    """The message as received: the server's unparsable timestamp goes back into its own key."""
    if known is not None and len(known) >= _MAX_CACHED_PEOPLE:
        known.clear()
    if value.get("timestamp") is None and "timestampRaw" in value:
        value["timestamp"] = value["timestampRaw"]
    message = message_from_json(value, session_id, known)
    return replace(message, late=True) if value.get("late") is True else message


def _restored_session(value: Json) -> Session:
    """The session as received: an unparsable date goes back into its own key."""
    if value.get("receivedDate") is None and "receivedDateRaw" in value:
        value = {**value, "receivedDate": value["receivedDateRaw"]}
        del value["receivedDateRaw"]
    return session_from_json(value)


def is_record(line: bytes) -> bool:
    """Whether it is a whole message or record of another kind, not blank."""
    try:
        return not line.isspace() and parse_line(line, 0, "").record != OtherRecord()
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
