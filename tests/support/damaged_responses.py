"""Responses of a broken server: documented bodies with damaged values, bytes or framing, chosen at random."""

import copy
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from tests.support.paths import WIRE_FIXTURES

_WIRE = WIRE_FIXTURES
SESSION = "0000Na9B26EF002G"
"""The session of the documented samples."""

# The share of undamaged responses: higher where a command ends after a bad one.
_UNDAMAGED_SHARE = {"me": 0.85, "list": 0.5, "notifications": 0.3}
_FIXTURES = {
    "list": ("list_*.json", "session_*.json", "state_*.json"),
    "messages": ("messages_*.json", "message_*.json", "type_*.json", "time_*.json"),
    "me": ("me.json", "me_*.json"),
    "services": ("services*.json",),
    "notifications": ("notification_*.json",),
    "any": ("status_*.json",),
}
# Depths around the limits of the decoder and of other JSON readers.
_DEPTHS = (3, 10, 40, 49, 50, 51, 60, 200, 600, 900, 960, 980, 990, 3000)
_NESTED = re.compile(r'"@@(\d+)([\[{])@@"')
_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "true",
    "null",
    "\ud800",
    "\udfff\ud800",
    "\0",
    "\x1b[2J\x1b]0;x\x07",
    "\x9b31m",
    "\u202e\u2066x",
    "\u2028\u2029\x85",
    "a\tb\nc\rd\\e",
    "[red]x[/red] [/] [link=http://x]",
    "<script>alert(1)</script>",
    "e\u0301\u200d\u0301" * 40,
    "\U0001f469\u200d\U0001f4bb\ufe0f",
    "x" * 5000,
    "+1 (555) 010-0199 kiwi@peel.example",
    "..",
    "../../me",
    "a/b?c#d",
    "%",
    "%00%ff%2f",
    "http://[::1",
    "http://x/%zz/\ud800",
    "javascript:alert(1)",
    "All",
    "Agent",
    "Customer",
    "Text",
    "TypingStarted",
    "TypingStopped",
    "Completed",
    "2013-12-27T13:16:41.000-0800",
    "0001-01-01T00:00:00.000+1400",
    "9999-12-31T23:59:59.999-1400",
    "0001-01-01T00:00:00.000+0000",
    "9999-12-31T23:59:59.999Z",
    "0001-01-01 00:00:00Z",
    "2013-12-27T13:16:41.000+9999",
    "2013-12-27T25:61:61.000Z",
    "2016-12-31T23:59:60.000Z",
    "٢٠١٣-١٢-٢٧T١٣:١٦:٤١.٠٠٠-٠٨٠٠",
    "²",
)
_NUMBERS: tuple[object, ...] = (
    *(0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1e15, 1e22, 1e308, -1e308, 5e-324, float("nan"), float("inf")),
    *(253402300799999, 253402300800000, -62135596800001, 20, 6, 4, 8),
)
_DATES = (
    "Fri, 27 Dec 2013 21:16:41 GMT",
    "Fri, 27 Dec 2013 21:16:41 -0000",
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Fri, 31 Dec 99999 23:59:59 GMT",
    "Fri, 32 Foo 2013 25:61:61 GMT",
    "Fri, 27 Dec 2013 21:16:41 +99999999999999",
    "1388179001",
    "2013-12-27T21:16:41Z",
    "",
    "²",
    "\xff\xfe",
    "x" * 5000,
)
_RETRIES = ("0", "1", "3", "4", "-1", "1e9", "99999999999999999999", "²", "soon", "", *_DATES)
_SHORT_RETRIES = ("0", "1", "-1", "soon", "")
_LOCATIONS = (
    "/elsewhere",
    "http://other.example/x",
    "http://[::1",
    "//user:secret@x",
    "",
    "\xff",
    "javascript:x",
    "http://x:99999/",
)
_TYPES = (
    *("application/json", "application/json;charset=UTF-8", "application/json; charset=utf-16"),
    *("text/html", "text/plain; charset=latin-1", "application/octet-stream", "\xff/\xff", "x" * 3000, ""),
)
_STATUSES = (
    *(200, 200, 200, 200, 200, 201, 202, 203, 204, 206, 226, 299),
    *(300, 301, 302, 303, 304, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413),
    *(418, 429, 429, 451, 499, 500, 501, 503, 505, 511, 599, 600, 999),
)
_HEADERS = (
    b"Set-Cookie: JSESSIONID=x; Path=/; Expires=Thu, 01 Jan 0001 00:00:00 GMT",
    b"Set-Cookie: =; ;;; Domain=.; Max-Age=-99999999999999999999",
    b'Set-Cookie: \xff\x00=\x80; Version=x; Port="1,x"',
    b"Set-Cookie: BAYEUX_BROWSER=" + b"x" * 4000,
    b"X-CSRF-HEADER: Content-Length\r\nX-CSRF-TOKEN: 1",
    b"X-CSRF-HEADER: X\xff Y:\r\nX-CSRF-TOKEN: \x80\x00",
    b"X-CSRF-HEADER:\r\nX-CSRF-TOKEN:",
    b"X-Folded: one\r\n two\r\n\tthree",
    b"no colon at all",
    b": no name",
    b"X-\xff: \xff",
    b"X-Null: a\x00b",
    b"Connection: close",
    b"Connection: upgrade\r\nUpgrade: websocket",
    b"Trailer: Expires",
    b"Content-Range: bytes 0-1/x",
    b'WWW-Authenticate: Basic realm="\xff',
    b"Retry-After: soon",
    b"Date: again",
)


def resource(path: str) -> str:
    """Which of the documented resources a path leads to."""
    last = path.partition("?")[0].rstrip("/").rpartition("/")[2]
    if last in ("messages", "me", "services", "notifications"):
        return last
    return "list"


@dataclass(frozen=True)
class Response:
    """One whole HTTP response, whether it is damaged, and whether the connection ends after it."""

    sent: bytes
    is_damaged: bool = True
    is_last: bool = False


def response(random: Random, kind: str, request_body: bytes, *, is_follower: bool) -> Response:
    """The response to a request for a resource of that kind.

    `is_follower`: the command waits as long as Retry-After says, and so gets only short times.
    """
    document = _document(random, kind, request_body)
    if random.random() < _UNDAMAGED_SHARE.get(kind, 0.1):
        return Response(_plain(json.dumps(document).encode()), is_damaged=False)
    if random.random() < 0.9:
        for _ in range(random.choice((1, 1, 2, 5))):
            document = _damaged(random, document)
    body = _written(random, document)
    if random.random() < 0.15:
        body = random.choice(_BYTE_DAMAGES)(random, body)
    if random.random() < (0.1 if is_follower else 0.2):
        return Response(_with_damaged_frame(random, body, is_follower), is_last=True)
    return Response(_plain(body))


def _plain(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Date: Fri, 27 Dec 2013 21:16:43 GMT\r\n\r\n".encode() + body


# Documented bodies


@cache
def _samples(kind: str) -> tuple[Any, ...]:
    names = sorted(name for pattern in _FIXTURES[kind] for name in _WIRE.glob(pattern))
    return tuple(json.loads(name.read_bytes().decode("utf-8-sig")) for name in names)


def _document(random: Random, kind: str, request_body: bytes) -> Any:
    if kind == "notifications":
        return _bayeux(random, request_body)
    if random.random() < 0.05:
        return random.choice(_samples("any"))
    if kind == "messages" and random.random() < 0.7:
        return _log(random)
    if kind == "list" and random.random() < 0.5:
        state = random.choice(("Chatting", "Completed", "Invited"))
        sample = next(one for one in _samples("list") if isinstance(one, dict) and one.get("id") == SESSION)
        known = {**sample, "state": state, "userData": {"Phone": "5550199"}}
        return {"statusCode": 0, "smssessions": [known]}
    return random.choice(_samples(kind))


def _log(random: Random) -> Any:
    """Some of the documented messages in a row, seconds apart."""
    entries = [one for sample in _samples("messages") for one in _messages_of(sample)]
    log = []
    for index in range(1, random.choice((2, 6, 20, 60))):
        second = f"2013-12-27T13:{index % 60:02}:41.000-0800"
        log.append({**random.choice(entries), "index": index, "timestamp": second})
    return {"statusCode": 0, "messages": log}


def _messages_of(sample: Any) -> list[Any]:
    found = sample.get("messages", [sample]) if isinstance(sample, dict) else sample
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _bayeux(random: Random, request_body: bytes) -> Any:
    """Good replies to the messages of a request, and notifications among them."""
    replies = [
        {
            "channel": one["channel"],
            "id": one["id"],
            "successful": True,
            "clientId": "c1",
            "subscription": one.get("subscription", ""),
            "advice": {"reconnect": "retry", "interval": 0, "timeout": 0},
        }
        for one in json.loads(request_body)
    ]
    notifications = [{"channel": "/v2/me/smssession", "data": one} for one in _samples("notifications")]
    return [*replies, *random.sample(notifications, random.randrange(3))]


# Damaged values


def _damaged(random: Random, document: Any) -> Any:
    """The document with one of its places changed."""
    document = copy.deepcopy(document)
    places = list(_places(document))
    if not places or random.random() < 0.03:
        return _anything(random, document)
    inside, key = random.choice(places)
    random.choice(_VALUE_DAMAGES)(random, inside, key)
    return document


def _places(value: Any, depth: int = 0) -> Any:
    """Every place in a value: what it stands in, and its key there."""
    if depth < 20 and isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(inner, depth + 1)


def _drop(random: Random, inside: Any, key: Any) -> None:
    del inside[key]


def _replace(random: Random, inside: Any, key: Any) -> None:
    inside[key] = _anything(random, inside[key])


def _anything(random: Random, value: Any) -> Any:
    match random.randrange(8):
        case 0:
            return random.choice((None, True, False))
        case 1:
            return random.choice(_NUMBERS)
        case 2 | 3:
            return random.choice(_TEXTS)
        case 4:
            return random.choice(([], {}, [[]], [None], {"": None}))
        case 5:
            return [value]
        case 6:
            return {random.choice(_TEXTS): value}
        case _:
            return json.dumps(value) if random.random() < 0.5 else [value] * random.choice((2, 50))


def _nest(random: Random, inside: Any, key: Any) -> None:
    # Only a mark, replaced in the JSON text: nested objects of this depth would overflow the encoder.
    inside[key] = f"@@{random.choice(_DEPTHS)}{random.choice('[{')}@@"


def _rename(random: Random, inside: Any, key: Any) -> None:
    if isinstance(inside, dict):
        value = inside.pop(key)
        inside[random.choice((key.upper(), key.title(), f" {key}", "", random.choice(_TEXTS)))] = value


def _repeat(random: Random, inside: Any, key: Any) -> None:
    if isinstance(inside, list):
        inside[key:key] = [inside[key]] * random.choice((1, 3, 600))
    else:
        inside[f"{key}s"] = inside[key]


def _swap(random: Random, inside: Any, key: Any) -> None:
    other = random.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    inside[key], inside[other] = inside[other], inside[key]


def _add(random: Random, inside: Any, key: Any) -> None:
    names = ("id", "uri", "from", "text", "attachment", "statusCode", "late", "draft", "timestamp")
    if isinstance(inside, dict):
        inside[random.choice((*names, *_TEXTS))] = _anything(random, inside[key])


_VALUE_DAMAGES: tuple[Callable[[Random, Any, Any], None], ...] = (
    _drop,
    _replace,
    _replace,
    _replace,
    _nest,
    _rename,
    _repeat,
    _swap,
    _add,
)


# Damaged text and bytes


def _written(random: Random, document: Any) -> bytes:
    """The document as JSON, or nearly so."""
    text = json.dumps(document, ensure_ascii=random.random() < 0.8, indent=random.choice((None, None, 1)))
    return _NESTED.sub(_nested, text).encode("utf-8", "surrogatepass")


def _nested(mark: re.Match[str]) -> str:
    depth = int(mark[1])
    return "[" * depth + "]" * depth if mark[2] == "[" else '{"a":' * depth + "1" + "}" * depth


def _cut(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def _random_bytes(random: Random, body: bytes) -> bytes:
    place = random.randrange(len(body) + 1)
    return body[:place] + random.randbytes(random.randrange(1, 4)) + body[place + random.randrange(3) :]


def _duplicate_key(random: Random, body: bytes) -> bytes:
    """A key twice in one object."""
    place = body.find(b"{", random.randrange(len(body) + 1))
    key = random.choice((b'"id":null,', b'"messages":7,', b'"type":"Text",', b'"index":9,', b'"":0,'))
    return body[: place + 1] + key + body[place + 1 :]


def _odd_number(random: Random, body: bytes) -> bytes:
    """A number in place of the first zero or a text's start."""
    literal = random.choice((b"1e999", b"-1e999", b"9" * 5000, b"NaN", b"-Infinity", b"01", b".5", b"0x1"))
    return body.replace(random.choice((b"0", b'"')), literal, 1)


def _other_encoding(random: Random, body: bytes) -> bytes:
    text = body.decode("utf-8", "replace")
    codec = random.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp037", "utf-7"))
    return text.encode(codec, "replace")


def _other_body(random: Random, body: bytes) -> bytes:
    return random.choice(
        (
            b"",
            b" \n",
            b"\0",
            b"null",
            b'"text"',
            b"<!DOCTYPE html><title>Sign in</title>",
            b"[" * 100_000,
            b'{"messages":' * 50_000,
            b"\xff\xfe",
            random.randbytes(200),
            b"{}" * 1000,
            b'{"messages":[' + b"{}," * 20_000 + b"{}]}",
            b"while(1);" + body,
            body + body,
            body + b",",
            body.replace(b'"', b"'"),
            body.replace(b",", b",,", 1),
            body.replace(b":", b"", 1),
        )
    )


_BYTE_DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut,
    _random_bytes,
    _random_bytes,
    _duplicate_key,
    _odd_number,
    _other_encoding,
    _other_body,
)


# Damaged framing


def _with_damaged_frame(random: Random, body: bytes, is_follower: bool) -> bytes:
    status = random.choice(_STATUSES)
    first = random.choice((f"HTTP/1.1 {status} Reason",) * 8 + _first_lines(status))
    lines = [first.encode("latin-1")]
    lines += random.sample(_HEADERS[:-2] if is_follower else _HEADERS, random.randrange(3))
    lines.append(f"Date: {random.choice(_DATES)}".encode("latin-1"))
    if random.random() < 0.5:
        lines.append(f"Content-Type: {random.choice(_TYPES)}".encode("latin-1"))
    if random.random() < 0.3:
        retries = _SHORT_RETRIES if is_follower else _RETRIES
        lines.append(f"Retry-After: {random.choice(retries)}".encode("latin-1"))
    if random.random() < 0.5:
        lines.append(f"Location: {random.choice(_LOCATIONS)}".encode("latin-1"))
    if status in (204, 304):
        body = b""
    more, sent = random.choice(_FRAMES)(random, body)
    before = random.choice((b"",) * 9 + (b"HTTP/1.1 100 Continue\r\n\r\n",))
    return before + b"\r\n".join([*lines, *more, b"", sent])


def _first_lines(status: int) -> tuple[str, ...]:
    return (
        f"HTTP/1.0 {status} Reason",
        f"HTTP/1.1 {status}",
        f"HTTP/2 {status} \xff",
        f"HTTP/1.1 -{status} Reason",
        "HTTP/1.1 OK",
        "ICY 200 OK",
        "",
        "\xff\xfe",
    )


Frame = tuple[list[bytes], bytes]


def _length(random: Random, body: bytes) -> Frame:
    return [b"Content-Length: %d" % len(body)], body


def _wrong_length(random: Random, body: bytes) -> Frame:
    lengths = (len(body) + 5, len(body) // 2, 0, -1, 2**26 + 1, 10**30)
    length = str(random.choice((*lengths, "²", "+5", "5, 6", "")))
    return [f"Content-Length: {length}".encode(), b"Connection: close"], body


def _to_the_end(random: Random, body: bytes) -> Frame:
    return [b"Connection: close"], body


def _chunked(random: Random, body: bytes) -> Frame:
    size = random.choice((1, 7, 4096))
    body = body[: size * 200]
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks)
    ends = (b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0;x=y\r\n\r\n", b"zz\r\n", b"-1\r\n", b"fffffffff\r\n", b"")
    return [b"Transfer-Encoding: chunked", b"Connection: close"], framed + random.choice(ends)


def _compressed(random: Random, body: bytes) -> Frame:
    packed = gzip.compress(body, 1)
    spoiled = (packed, packed[:-3], packed[:10], packed + packed, packed + b"x", b"x" + packed, body, b"")
    sent = random.choice((packed, *spoiled))
    encoding = random.choice((b"gzip",) * 6 + (b"deflate", b"br", b"gzip, gzip", b"\xff"))
    return [b"Content-Encoding: " + encoding, b"Content-Length: %d" % len(sent)], sent


_FRAMES: tuple[Callable[[Random, bytes], Frame], ...] = (
    _length,
    _length,
    _length,
    _wrong_length,
    _to_the_end,
    _chunked,
    _compressed,
)
