"""For programs: JSON and tab-separated lines, written from what the server itself sent.

No line here ends in a newline. A key that is always present and was not sent gets null or its empty value; a
key we don't know stays as it came.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

from smscli.model import Json, Message, Role, Session
from smscli.sanitize import pipe_joined, pipe_value

if TYPE_CHECKING:
    from smscli.transcript.activity import Summary
    from smscli.transcript.fold import Entry

SESSION_COLUMNS = ("id", "state", "customer", "agents", "receivedDate")
"""The columns of a list that is told no others."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# DEL and C1 controls, bidi marks, line separators, lone surrogates: a terminal would act on them, and UTF-8
# can't hold the last. In JSON they can only stand inside a string, where an escape is the same data.
_HARMFUL = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# activity.participants.0.nickname is as deep as we go; what a server sends may be nested without end.
_DEEPEST = 4

_ALWAYS = frozenset({"index", "from", "visibility"})
_OF_A_MESSAGE = frozenset({"sessionId", "type", "timestamp"})
_OF_AN_ENTRY = _OF_A_MESSAGE | {"composingSeconds", "draft"}
_SENDER: dict[str, object] = {"type": None, "nickname": None, "participantId": None}
_MOST_SENDERS = 1024
_MOST_KEYS = 256
_LONGEST_KEY = 100
_senders: dict[str, tuple[Json, str]] = {}
_TWO = tuple(f"{number:02}" for number in range(60))


class _Keys(dict[str, str]):
    """Keys as they stand between two members: a log has the same few in each message."""

    def __missing__(self, key: str) -> str:
        text = f",{encode_basestring(key)}:"
        if len(self) < _MOST_KEYS and len(key) < _LONGEST_KEY:
            self[key] = text
        return text


_KEYS = _Keys()


def json_text(value: object) -> str:
    """Any JSON value on one line, harmless on a terminal."""
    return _harmless(_ENCODER.encode(value))


def json_array(items: Sequence[str]) -> str:
    """JSON texts as one array; this one ends in a newline."""
    return "[" + ",\n".join(items) + "]\n"


def message_json(message: Message) -> str:
    """A message as one JSON object."""
    return _harmless(f"{_members(message, _OF_A_MESSAGE)}}}")


def entry_json(entry: "Entry") -> str:
    """An entry of a folded transcript: its message with `composingSeconds`, and `draft` where it is one."""
    composing = "null" if entry.composing is None else _number(entry.composing)
    draft = f',"draft":"{entry.draft}"' if entry.draft else ""
    return _harmless(f'{_members(entry.message, _OF_AN_ENTRY)},"composingSeconds":{composing}{draft}}}')


def entry_row(entry: "Entry") -> str:
    """Time, session, index, type, participant type, nickname, visibility, body and composingSeconds."""
    message, sender = entry.message, entry.message.sender
    return (
        f"{_rfc3339(message.at) if message.at else ''}\t"
        f"{pipe_value(message.session_id)}\t"
        f"{'' if message.index is None else message.index}\t"
        f"{pipe_value(message.type)}\t"
        f"{pipe_value(sender.type or '') if sender else ''}\t"
        f"{pipe_value(sender.nickname or '') if sender else ''}\t"
        f"{pipe_value(message.visibility or '')}\t"
        f"{pipe_value(entry.draft_text or message.body)}\t"
        f"{'' if entry.composing is None else _number(entry.composing)}"
    )


def session_object(session: Session, summary: "Summary | None" = None) -> dict[str, object]:
    """A session as a JSON object, with its `activity` where a summary is given."""
    value: dict[str, object] = {
        "id": session.id,
        "state": session.state,
        "uri": session.uri,
        "participants": [],
        "capabilities": [],
        "userData": {},
    }
    value.update({key: sent for key, sent in session.sent.items() if sent is not None or key not in value})
    value["id"] = session.id
    if session.sent.get("receivedDate") is not None:
        _put_time(value, "receivedDate", session.received)
    if summary is not None:
        value["activity"] = _activity(summary)
    return value


def session_json(session: Session, summary: "Summary | None" = None) -> str:
    """A session as one JSON object."""
    return json_text(session_object(session, summary))


def session_row(session: Session, columns: Sequence[str] = SESSION_COLUMNS) -> str:
    """The chosen columns of a session; `userData.KEY` is a column for every KEY."""
    return "\t".join(_cell(session, column) for column in columns)


def pair_rows(value: Json) -> list[str]:
    """A JSON object as `key TAB value`: `participants.0.nickname` leads into lists and objects, a list of
    plain values is joined with commas, null is empty."""
    return [f"{pipe_value(key)}\t{shown}" for key, shown in _leaves(value, "", 0)]


def _members(message: Message, ours: frozenset[str]) -> str:
    """A message as a JSON object that is still open; what stands in `ours` is never taken from the server."""
    sent = message.sent if message.at and not message.late else _remarked(message)
    text = f'{{"sessionId":{encode_basestring(message.session_id)}'
    for key, value in sent.items():
        if key in ours:
            continue
        if isinstance(value, str):
            text += f"{_KEYS[key]}{encode_basestring(value)}"
        elif type(value) is int:
            text += f"{_KEYS[key]}{value}"
        elif key == "from" and isinstance(value, dict):
            text += f"{_KEYS[key]}{_sender(value)}"
        else:
            text += f"{_KEYS[key]}{_ENCODER.encode(value)}"
    if not sent.keys() >= _ALWAYS:
        text += "".join(f"{_KEYS[key]}null" for key in sorted(_ALWAYS - sent.keys()))
    timestamp = f'"{_rfc3339(message.at)}"' if message.at else "null"
    return f'{text},"type":{encode_basestring(message.type)},"timestamp":{timestamp}'


def _remarked(message: Message) -> dict[str, object]:
    """What was sent, with our own remarks on it: that it came late, that its time can't be read."""
    sent = {**message.sent, "late": True} if message.late else {**message.sent}
    if message.at is None and sent.get("timestamp") is not None:
        sent["timestampRaw"] = sent["timestamp"]
    return sent


def _put_time(value: dict[str, object], key: str, at: datetime | None) -> None:
    """The time in RFC 3339; null, and beside it what was sent, where that can't be read."""
    if at is not None:
        value[key] = _rfc3339(at)
    elif value[key] is not None:
        value[f"{key}Raw"] = value[key]
        value[key] = None


def _activity(summary: "Summary") -> Json:
    return {
        "messages": summary.messages,
        "participants": [
            {
                "participantId": one.participant_id,
                "nickname": one.nickname,
                "type": one.type,
                "messages": one.messages,
                "composingSeconds": _number(one.composing_seconds),
            }
            for one in summary.participants
        ],
        "firstMessageAt": _rfc3339(summary.first_message_at) if summary.first_message_at else None,
        "lastMessageAt": _rfc3339(summary.last_message_at) if summary.last_message_at else None,
        "firstResponseSeconds": _number(summary.first_response_seconds),
        "waitingSeconds": _number(summary.waiting_seconds),
        "typing": list(summary.typing),
    }


_CELLS: Mapping[str, Callable[[Session], str]] = {
    "id": lambda session: pipe_value(session.id),
    "state": lambda session: pipe_value(session.state or ""),
    "customer": lambda session: pipe_joined(session.nicknames(Role.CUSTOMER)),
    "agents": lambda session: pipe_joined(session.nicknames(Role.AGENT)),
    "receivedDate": lambda session: _rfc3339(session.received) if session.received else "",
    "uri": lambda session: pipe_value(session.uri or ""),
    "comment": lambda session: pipe_value(session.comment or ""),
    "capabilities": lambda session: pipe_joined(list(session.capabilities)),
}


def _cell(session: Session, column: str) -> str:
    if column in _CELLS:
        return _CELLS[column](session)
    return pipe_value(_plain(session.user_data.get(column.removeprefix("userData."))))


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every value in `value` that is no container, with the path that leads to it."""
    if isinstance(value, dict) and (depth == 0 or (value and depth < _DEEPEST)):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST and any(isinstance(one, dict) for one in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{place}", depth + 1)
    elif isinstance(value, list):
        yield path, pipe_joined([_plain(one) for one in value])
    else:
        yield path, pipe_value(_plain(value) if value != {} else "")


def _plain(value: object) -> str:
    """A JSON value as a text: strings as they are, null as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _ENCODER.encode(value)


def _number(seconds: float | None) -> float | None:
    """Without a fraction that is none."""
    return int(seconds) if seconds is not None and seconds.is_integer() else seconds


def _rfc3339(at: datetime) -> str:
    """RFC 3339 with milliseconds; `at` is in UTC already."""
    # Six times as fast as isoformat(), which a million messages feel.
    clock = f"{_TWO[at.hour]}:{_TWO[at.minute]}:{_TWO[at.second]}"
    return f"{_day(at.toordinal())}T{clock}.{at.microsecond // 1000:03}Z"


@lru_cache(maxsize=64)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _sender(value: Json) -> str:
    """Who sent a message, remembered: a log names the same few again and again."""
    participant_id = value.get("participantId")
    known = _senders.get(participant_id) if isinstance(participant_id, str) else None
    if known and known[0] == value:
        return known[1]
    text = _ENCODER.encode({**_SENDER, **value})
    if isinstance(participant_id, str) and _worth_remembering(value, text):
        if len(_senders) >= _MOST_SENDERS:
            _senders.clear()
        _senders[participant_id] = (value, text)
    return text


def _worth_remembering(value: Json, text: str) -> bool:
    """Not what would fill the memory, nor what equals a value that is written otherwise (1 and true)."""
    return len(text) < 1000 and all(isinstance(one, str) for one in value.values())


def _harmless(text: str) -> str:
    if text.isascii() and "\x7f" not in text:
        return text
    return _HARMFUL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
