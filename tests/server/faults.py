"""Faults of responses: each is a function from the good response to the bad one.

A fault is written `kind` or `kind:value`; the docstring of its function explains the value.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from tests.server.options import Options
from tests.server.responses import FaultyResponse

_PIECE = 64 * 1024


@dataclass(slots=True, eq=False)
class Fault:
    """A fault for a request; one that is not `queued` was chosen at random."""

    kind: str
    path_part: str = ""
    queued: bool = True


class Outage(NamedTuple):
    """A fault of every request until `end` (monotonic seconds) whose path and query contain `path_part`."""

    kind: str
    path_part: str
    end: float

    def hits(self, target: str) -> bool:
        return self.path_part in target and time.monotonic() < self.end


class Faults:
    """Chooses the requests that fail: first the queued faults, then at random as the switches say.

    `counts` holds how often each kind has taken effect, including those of the server and the channel.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._queue: list[Fault] = []
        self._lock = threading.Lock()
        self._random: Iterator[float] | None = None
        self._outage: Outage | None = None

    def fail_next(self, kind: str, path_part: str = "", times: int = 1) -> None:
        """Let the next `times` requests fail whose path and query contain `path_part`.

        ValueError if there is no such kind.
        """
        _known(kind)
        with self._lock:
            self._queue += [Fault(kind, path_part) for _ in range(times)]

    def count(self, kind: str, times: int = 1) -> None:
        """Count a fault that has taken effect."""
        with self._lock:
            self.counts[kind] += times

    def start_outage(self, kind: str, path_part: str, seconds: float) -> None:
        """Let every request fail for so many seconds whose path and query contain `path_part`.

        ValueError if there is no such kind.
        """
        _known(kind)
        self._outage = Outage(kind, path_part, time.monotonic() + seconds)

    def cancel(self) -> None:
        """Drop the queued faults and end an outage."""
        with self._lock:
            self._queue.clear()
        self._outage = None

    def draw(self, target: str, options: Options) -> Fault | None:
        """The fault for a request with this path and query, None if it has none."""
        if (outage := self._outage) and outage.hits(target):
            return Fault(outage.kind, queued=False)
        if not self._queue and not options.fault:
            return None
        with self._lock:
            for queued in self._queue:
                if queued.path_part in target:
                    self._queue.remove(queued)
                    return queued
            if options.fault and options.fault_path in target:
                return self._by_chance(options)
        return None

    def apply(self, fault: Fault, response: FaultyResponse) -> FaultyResponse:
        """The response with this fault; if the fault leaves it as it is, the next response gets it."""
        bad = damage(fault.kind, response)
        with self._lock:
            if bad is not response:
                self.counts[fault.kind.partition(":")[0]] += 1
            elif fault.queued:
                self._queue.insert(0, fault)
        return bad

    def _by_chance(self, options: Options) -> Fault | None:
        if self._random is None:
            self._random = random_numbers(options.fault_seed)
        if next(self._random) >= options.fault_rate:
            return None
        kind = options.fault[int(next(self._random) * len(options.fault))]
        return Fault(kind, queued=False)


def damage(kind: str, response: FaultyResponse) -> FaultyResponse:
    """The response with this fault; it keeps its headers, so also its Date and cookies."""
    name, _, value = kind.partition(":")
    return _known(kind)(response, value)


def random_numbers(seed: int) -> Iterator[float]:
    """Numbers from 0 up to 1, the same for the same seed."""
    from random import Random

    random = Random(seed)
    while True:
        yield random.random()


def _known(kind: str) -> "Callable[[FaultyResponse, str], FaultyResponse]":
    name = kind.partition(":")[0]
    if name not in KINDS:
        raise ValueError(f"no such fault: {kind!r} (there are {', '.join(KINDS)})")
    return KINDS[name]


def _reset(response: FaultyResponse, value: str) -> FaultyResponse:
    """The connection is reset: at once, or after `value` bytes of the body."""
    return replace(response, reset=True, stop_after=int(value) if value else None)


def _cut(response: FaultyResponse, value: str) -> FaultyResponse:
    """The connection closes after `value` bytes of the body, by default half of it."""
    body = response.content()
    return replace(response, stop_after=int(value) if value else len(body) // 2)


def _hang(response: FaultyResponse, value: str) -> FaultyResponse:
    """No byte is sent for `value` seconds (an hour)."""
    return replace(response, delay=float(value or 3600))


def _slow(response: FaultyResponse, value: str) -> FaultyResponse:
    """The body arrives slowly: 16 bytes every `value` seconds (0.05)."""
    body = response.content()
    pieces = [body[at : at + 16] for at in range(0, len(body), 16)]
    return replace(response, body=pieces, length=len(body), pause=float(value or 0.05))


def _no_length(response: FaultyResponse, value: str) -> FaultyResponse:
    """There is no Content-Length; the body ends with the connection."""
    return replace(response, framing="close")


def _chunked(response: FaultyResponse, value: str) -> FaultyResponse:
    """The body comes in chunks of `value` bytes (1000)."""
    body, size = response.content(), int(value or 1000)
    return replace(
        response, body=[body[at : at + size] for at in range(0, len(body), size)], framing="chunked"
    )


def _http(status: int, default_wait: str = "") -> "Callable[[FaultyResponse, str], FaultyResponse]":
    """This HTTP status with `statusCode` 4 in the body; `value` is the Retry-After header."""

    def fault(response: FaultyResponse, value: str) -> FaultyResponse:
        wait = value or default_wait
        headers = (*response.headers, ("Retry-After", wait)) if wait else response.headers
        return replace(_status_code(response, "4"), status=status, headers=headers)

    return fault


def _bad_gateway(response: FaultyResponse, value: str) -> FaultyResponse:
    """HTTP 502 with a proxy's page."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return replace(response, status=502, body=page, type="text/html")


def _login_page(response: FaultyResponse, value: str) -> FaultyResponse:
    """HTTP 200 with a sign-in page."""
    page = b"<!DOCTYPE html><html><body><form action='/login'><input name='user'></form></body></html>"
    return replace(response, body=page, type="text/html")


def _redirect(response: FaultyResponse, value: str) -> FaultyResponse:
    """HTTP 302 to `value`, by default a sign-in page at another origin."""
    location = value or "https://login.example/sso?next=%2Fapi%2Fv2"
    return replace(response, status=302, body=b"", headers=(*response.headers, ("Location", location)))


def _truncated(response: FaultyResponse, value: str) -> FaultyResponse:
    """The JSON ends `value` bytes early (a third of it), with a Content-Length to match."""
    body = response.content()
    return replace(response, body=body[: len(body) - int(value or len(body) // 3 + 1)])


def _wrong(response: FaultyResponse, value: str) -> FaultyResponse:
    """Valid JSON that is no valid resource, or `value` itself."""
    return replace(
        response, body=value.encode() if value else b'{"statusCode":0,"smsessions":7,"messages":"none"}'
    )


def _empty(response: FaultyResponse, value: str) -> FaultyResponse:
    """HTTP 200 without a body."""
    return replace(response, body=b"")


def _status_code(response: FaultyResponse, value: str) -> FaultyResponse:
    """HTTP 200 with `statusCode` `value` (4)."""
    code = int(value or 4)
    return replace(response, body=b'{"statusCode":%d,"statusMessage":"Request failed"}' % code)


def _huge(response: FaultyResponse, value: str) -> FaultyResponse:
    """A body of `value` MiB (80), streamed."""
    pieces = int(value or 80) * 1024 * 1024 // _PIECE
    start, end = b'{"statusCode":0,"padding":"', b'"}'

    def stream() -> Iterator[bytes]:
        yield start
        for _ in range(pieces):
            yield b"x" * _PIECE
        yield end

    return replace(response, body=stream(), length=len(start) + pieces * _PIECE + len(end))


def _deep(response: FaultyResponse, value: str) -> FaultyResponse:
    """JSON nested `value` deep (200,000)."""
    depth = int(value or 200_000)
    return replace(response, body=b'{"statusCode":0,"messages":' + b"[" * depth + b"]" * depth + b"}")


def _gzip_bomb(response: FaultyResponse, value: str) -> FaultyResponse:
    """A compressed body that unpacks to `value` MiB (1024) of blanks."""
    import gzip

    # Gzip members may follow one another, so one small member sent often is a large file.
    member = gzip.compress(b" " * (16 * 1024 * 1024))
    count = int(value or 1024) // 16
    headers = (*response.headers, ("Content-Encoding", "gzip"))
    return replace(response, body=[member] * count, length=len(member) * count, headers=headers)


def _rearranged(
    rearrange: "Callable[[list[object]], list[object]]",
) -> "Callable[[FaultyResponse, str], FaultyResponse]":
    """The page's messages in another order; a response with no or one message stays as it is."""

    def fault(response: FaultyResponse, value: str) -> FaultyResponse:
        if response.status != 200:
            return response
        body = json.loads(response.content())
        before = body if isinstance(body, list) else body.get("messages", [])
        after = rearrange(before)
        if after == before:
            return response
        body = after if isinstance(body, list) else body | {"messages": after}
        return replace(response, body=json.dumps(body).encode())

    return fault


KINDS: "dict[str, Callable[[FaultyResponse, str], FaultyResponse]]" = {
    "reset": _reset,
    "cut": _cut,
    "hang": _hang,
    "slow": _slow,
    "no-length": _no_length,
    "chunked": _chunked,
    "401": _http(401),
    "403": _http(403),
    "404": _http(404),
    "500": _http(500),
    "503": _http(503, "1"),
    "429": _http(429, "1"),
    "502html": _bad_gateway,
    "html": _login_page,
    "redirect": _redirect,
    "truncated-json": _truncated,
    "wrong-json": _wrong,
    "empty": _empty,
    "status": _status_code,
    "huge": _huge,
    "deep": _deep,
    "gzip-bomb": _gzip_bomb,
    "reorder": _rearranged(lambda messages: messages[::-1]),
    "repeat": _rearranged(lambda messages: [twice for message in messages for twice in (message, message)]),
}
