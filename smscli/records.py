"""Messages and sessions as JSON objects: what the server sent, and the keys that are always present.

A key that is always present and was not sent is null or its empty value; unknown keys stay as they came. No
text here ends in a newline.
"""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from functools import cache, lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, NamedTuple

from smscli.model import Json, Message, Session

if TYPE_CHECKING:
    from hashlib import _Hash

MESSAGE_KEYS = frozenset({"key", "sessionId", "type", "timestamp"})
"""Keys of a message whose values are never the server's own."""


class SessionKey(NamedTuple):
    """Tells sessions apart: those of two servers are two, even with the same id."""

    server: str
    session_id: str


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# DEL and C1 controls, bidi marks, line separators, lone surrogates: a terminal acts on them, and UTF-8 can't
# hold the last. In JSON they occur only inside strings, where an escape is the same data.
_HARMFUL = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_ALWAYS = frozenset({"index", "from", "visibility"})
_SENDER: dict[str, object] = {"type": None, "nickname": None, "participantId": None}
_MOST_SENDERS = 1024
_MOST_CACHED = 1024
_LONGEST_CACHED = 100
_senders: dict[str, tuple[Json, str]] = {}
_TWO = tuple(f"{number:02}" for number in range(60))
_MILLISECONDS = tuple(f"{number:03}Z" for number in range(1000))


class _Cached(dict[str, str]):
    """Caches what a function makes of strings that a log repeats: keys, types, ids."""

    def __init__(self, function: Callable[[str], str]) -> None:
        self._function = function

    def __missing__(self, string: str) -> str:
        text = self._function(string)
        if len(self) < _MOST_CACHED and len(string) < _LONGEST_CACHED:
            self[string] = text
        return text


# With the comma before and the colon behind.
_KEYS = _Cached(lambda key: f",{encode_basestring(key)}:")
_ASCII = _Cached(encode_basestring_ascii)


def json_text(value: object) -> str:
    """Any JSON value on one line; characters that a terminal would act on are escaped."""
    return _escape(compact_json(value))


def compact_json(value: object) -> str:
    """Any JSON value on one line, with every character as it is."""
    return _ENCODER.encode(value)


def message_json(message: Message, added: str = "", omitted: frozenset[str] = MESSAGE_KEYS) -> str:
    """A message as one JSON object.

    `added` are further members, each with a comma before it; keys of the server's in `omitted` are left out.
    """
    sent = message.sent if message.at and not message.late else _annotated(message)
    timestamp = _quoted_time(message)
    key = _key(message, timestamp or _ascii_json(message.raw_time))
    text = f'{{"sessionId":{encode_basestring(message.session_id)},"key":"{key}"'
    for name, value in sent.items():
        if name in omitted:
            continue
        if isinstance(value, str):
            text += f"{_KEYS[name]}{encode_basestring(value)}"
        elif type(value) is int:
            text += f"{_KEYS[name]}{value}"
        elif name == "from" and isinstance(value, dict):
            text += f"{_KEYS[name]}{_sender(value)}"
        else:
            text += f"{_KEYS[name]}{compact_json(value)}"
    if not sent.keys() >= _ALWAYS:
        text += "".join(f"{_KEYS[name]}null" for name in sorted(_ALWAYS - sent.keys()))
    kind = encode_basestring(message.type)
    return _escape(f'{text},"type":{kind},"timestamp":{timestamp or "null"}{added}}}')


def message_key(message: Message) -> str:
    """The message's `key`: 32 hexadecimal digits, the same in every run and on every machine.

    Two messages have the same key exactly when they have the same `identity`.
    """
    return _key(message, _quoted_time(message) or _ascii_json(message.raw_time))


def _quoted_time(message: Message) -> str | None:
    return f'"{rfc3339(message.at)}"' if message.at else None


def _key(message: Message, time: str) -> str:
    """The key of a message whose time is `time` in JSON. Long reads spend a tenth of their time here."""
    index, sender = message.index, message.sender
    attachment = message.attachment_id if message.attachment else None
    person = sender.participant_id if sender else None
    text, url, notice = message.text, message.url, message.notice
    fields = (
        f"[{_ASCII[message.session_id]},{'null' if index is None else index},"
        f"{_ASCII[message.type]},{time},"
        f"{'null' if person is None else _ASCII[person]},"
        f"{'null' if text is None else encode_basestring_ascii(text)},"
        f"{'null' if url is None else encode_basestring_ascii(url)},"
        f"{'null' if notice is None else encode_basestring_ascii(notice)},"
        f"{'null' if attachment is None else json.dumps(attachment)}]"
    )
    return _sha256()(fields.encode()).hexdigest()[:32]


@cache
def _sha256() -> Callable[[bytes], "_Hash"]:
    from hashlib import sha256

    return sha256


def _ascii_json(text: str | None) -> str:
    return "null" if text is None else encode_basestring_ascii(text)


def session_object(session: Session) -> dict[str, object]:
    """A session as a JSON object."""
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
        # One that can't be read becomes null, and stays as it was sent under another key.
        if session.received is None:
            value["receivedDateRaw"] = value["receivedDate"]
        value["receivedDate"] = rfc3339(session.received) if session.received else None
    return value


def json_number(seconds: float | None) -> float | None:
    """Seconds as an integer where they are a whole number."""
    return int(seconds) if seconds is not None and seconds.is_integer() else seconds


def rfc3339(at: datetime) -> str:
    """RFC 3339 with milliseconds; `at` is in UTC."""
    # Six times as fast as isoformat(): it matters for a million messages.
    clock = f"{_TWO[at.hour]}:{_TWO[at.minute]}:{_TWO[at.second]}"
    return f"{_day(at.toordinal())}T{clock}.{_MILLISECONDS[at.microsecond // 1000]}"


@lru_cache(maxsize=64)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _annotated(message: Message) -> dict[str, object]:
    """The server's object with `late` and `timestampRaw` where they apply."""
    sent = {**message.sent, "late": True} if message.late else {**message.sent}
    if message.at is None and sent.get("timestamp") is not None:
        sent["timestampRaw"] = sent["timestamp"]
    return sent


def _sender(value: Json) -> str:
    """The sender as JSON, cached: a log names the same few again and again."""
    participant_id = value.get("participantId")
    known = _senders.get(participant_id) if isinstance(participant_id, str) else None
    if known and known[0] == value:
        return known[1]
    text = compact_json({**_SENDER, **value})
    # Equal only to what is written the same: 1 equals true.
    has_texts_only = all(isinstance(one, str) for one in value.values())
    if isinstance(participant_id, str) and has_texts_only and len(text) < 1000:
        if len(_senders) >= _MOST_SENDERS:
            _senders.clear()
        _senders[participant_id] = (value, text)
    return text


def _escape(text: str) -> str:
    if text.isascii() and "\x7f" not in text:
        return text
    return _HARMFUL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
