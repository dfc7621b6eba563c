"""Describes which of the documented JSON layouts a response has, for `doctor`."""

import re
from urllib.parse import urlsplit

from smscli.gws import decode
from smscli.gws.responses import one_line
from smscli.model import Json

_ZONE = re.compile(r"[+-]\d\d(:?)\d\d$")
# A fraction, a year, or a part of two digits, with or without a separator.
_FIELD = re.compile(r"(?<=[.,])\d+|\d{4}(?=-)|\d\d")


def of_sessions(body: object) -> str:
    """The envelope of a session list (SMSResources, Return Values), with its key as it is spelled."""
    keys = body if isinstance(body, dict) else ()
    return _enclosed(body, next(filter(decode.SESSION_KEY.fullmatch, keys), "uris"))


def of_messages(body: object) -> str:
    """The envelope of a page of messages (SMSResources, SMSSendMessage)."""
    return _enclosed(body, "messages")


def _enclosed(body: object, key: str) -> str:
    if not isinstance(body, dict):
        return "a bare array"
    status = "with statusCode" if "statusCode" in body else "without statusCode"
    if key not in body:
        return f"one bare object, {status}"
    what = "an array" if isinstance(body[key], list) else "one object" if body[key] else "nothing"
    return f"{what} under {one_line(key)}, {status}"


def collection_of(uri: str) -> str | None:
    """The spelling of the collection in a session's `uri`; None without one."""
    try:
        segments = urlsplit(uri).path.strip("/").split("/")
    except ValueError:
        return None
    return one_line(segments[-2]) if len(segments) > 1 else None


def of_time(sent: Json) -> str | None:
    """The layout of a message's timestamp, such as `yyyy-MM-ddTHH:mm:ss.SSS+hhmm`.

    Empty if the message has none, None if it can't be parsed.
    """
    literal = sent.get("timestamp")
    if literal is None or literal == "":
        return ""
    if not isinstance(literal, str) or decode.parse_time(literal) is None:
        return None
    fields = iter(("yyyy", "MM", "dd", "HH", "mm", "ss"))
    layout = _ZONE.sub(r"+hh\1mm", literal.strip())
    return _FIELD.sub(lambda digits: next(fields, "S" * len(digits[0])), layout)


def has_milliseconds(sent: Json) -> bool:
    """Whether a message also has `timestampSeconds`, which holds milliseconds."""
    return sent.get("timestampSeconds") is not None
