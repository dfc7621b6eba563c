"""What can go wrong with an answer: each fault takes the good answer and gives back the bad one.

A fault is named `kind` or `kind:value`; the kinds and what their value means stand at each function.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from smscli.demo.connection import Answer, bytes_of
from smscli.demo.options import Options

_PIECE = 64 * 1024


@dataclass(slots=True, eq=False)
class Fault:
    """A fault on its way to a request; one that is not `queued` was drawn by chance."""

    kind: str
    path_part: str = ""
    queued: bool = True


class Faults:
    """Decides which requests go wrong: those queued first, then by the options' seeded chance.

    `befallen` counts what really went wrong, by kind, whatever else goes wrong at the server included.
    """

    def __init__(self) -> None:
        self.befallen: Counter[str] = Counter()
        self._queue: list[Fault] = []
        self._lock = threading.Lock()
        self._chance: Iterator[float] | None = None

    def fail_next(self, kind: str, path_part: str = "", times: int = 1) -> None:
        """Let the next `times` requests whose path and query hold `path_part` go wrong.

        ValueError when there is no such kind.
        """
        _known(kind)
        with self._lock:
            self._queue += [Fault(kind, path_part) for _ in range(times)]

    def count(self, kind: str, times: int = 1) -> None:
        """Note that something has gone wrong."""
        with self._lock:
            self.befallen[kind] += times

    def heal(self) -> None:
        """Let no queued fault strike any more."""
        with self._lock:
            self._queue.clear()

    def draw(self, target: str, options: Options) -> Fault | None:
        """The fault for the request of this path and query, None if it goes well."""
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

    def strike(self, fault: Fault, answer: Answer) -> Answer:
        """The answer with this fault; one that it leaves as it was does not count: the next gets it."""
        bad = damage(fault.kind, answer)
        with self._lock:
            if bad is not answer:
                self.befallen[fault.kind.partition(":")[0]] += 1
            elif fault.queued:
                self._queue.insert(0, fault)
        return bad

    def _by_chance(self, options: Options) -> Fault | None:
        if self._chance is None:
            self._chance = chances(options.fault_seed)
        if next(self._chance) >= options.fault_rate:
            return None
        kind = options.fault[int(next(self._chance) * len(options.fault))]
        return Fault(kind, queued=False)


def damage(kind: str, answer: Answer) -> Answer:
    """The answer with this fault; its headers stay, for even a bad answer has its Date and cookies."""
    name, _, value = kind.partition(":")
    return _known(kind)(answer, value)


def chances(seed: int) -> Iterator[float]:
    """Numbers from 0 up to 1, the same ones for the same seed."""
    from random import Random

    random = Random(seed)
    while True:
        yield random.random()


def _known(kind: str) -> "Callable[[Answer, str], Answer]":
    name = kind.partition(":")[0]
    if name not in KINDS:
        raise ValueError(f"no such fault: {kind!r} (there are {', '.join(KINDS)})")
    return KINDS[name]


def _reset(answer: Answer, value: str) -> Answer:
    """The connection is reset: at once, or after `value` bytes of the body."""
    return replace(answer, reset=True, stop_after=int(value) if value else None)


def _cut(answer: Answer, value: str) -> Answer:
    """The connection closes after `value` bytes of the body, by default half of it."""
    body = bytes_of(answer)
    return replace(answer, stop_after=int(value) if value else len(body) // 2)


def _hang(answer: Answer, value: str) -> Answer:
    """Nothing comes for `value` seconds (an hour)."""
    return replace(answer, hold=float(value or 3600))


def _slow(answer: Answer, value: str) -> Answer:
    """The body dribbles: 16 bytes every `value` seconds (0.05)."""
    body = bytes_of(answer)
    pieces = [body[at : at + 16] for at in range(0, len(body), 16)]
    return replace(answer, body=pieces, length=len(body), pace=float(value or 0.05))


def _no_length(answer: Answer, value: str) -> Answer:
    """No length is told; the end of the connection ends the body."""
    return replace(answer, framing="close")


def _chunked(answer: Answer, value: str) -> Answer:
    """The body comes in chunks of `value` bytes (1000)."""
    body, size = bytes_of(answer), int(value or 1000)
    return replace(answer, body=[body[at : at + size] for at in range(0, len(body), size)], framing="chunked")


def _http(status: int, default_wait: str = "") -> "Callable[[Answer, str], Answer]":
    """This HTTP status with status code 4 in the body; `value` is the Retry-After, as it is to be sent."""

    def fault(answer: Answer, value: str) -> Answer:
        wait = value or default_wait
        headers = (*answer.headers, ("Retry-After", wait)) if wait else answer.headers
        return replace(_status_code(answer, "4"), status=status, headers=headers)

    return fault


def _bad_gateway(answer: Answer, value: str) -> Answer:
    """HTTP 502 with a proxy's page."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return replace(answer, status=502, body=page, type="text/html")


def _login_page(answer: Answer, value: str) -> Answer:
    """HTTP 200 with a sign-in page."""
    page = b"<!DOCTYPE html><html><body><form action='/login'><input name='user'></form></body></html>"
    return replace(answer, body=page, type="text/html")


def _redirect(answer: Answer, value: str) -> Answer:
    """HTTP 302 to `value`, by default a sign-in page at another origin."""
    location = value or "https://login.example/sso?next=%2Fapi%2Fv2"
    return replace(answer, status=302, body=b"", headers=(*answer.headers, ("Location", location)))


def _truncated(answer: Answer, value: str) -> Answer:
    """The JSON ends `value` bytes early (a third of it) though HTTP is in order."""
    body = bytes_of(answer)
    return replace(answer, body=body[: len(body) - int(value or len(body) // 3 + 1)])


def _wrong(answer: Answer, value: str) -> Answer:
    """Valid JSON of a shape that is no answer, or `value` itself."""
    return replace(
        answer, body=value.encode() if value else b'{"statusCode":0,"smsessions":7,"messages":"none"}'
    )


def _empty(answer: Answer, value: str) -> Answer:
    """HTTP 200 without a body."""
    return replace(answer, body=b"")


def _status_code(answer: Answer, value: str) -> Answer:
    """HTTP 200 with status code `value` (4)."""
    code = int(value or 4)
    return replace(answer, body=b'{"statusCode":%d,"statusMessage":"Request failed"}' % code)


def _huge(answer: Answer, value: str) -> Answer:
    """A body of `value` MiB (80), streamed."""
    pieces = int(value or 80) * 1024 * 1024 // _PIECE
    start, end = b'{"statusCode":0,"padding":"', b'"}'

    def stream() -> Iterator[bytes]:
        yield start
        for _ in range(pieces):
            yield b"x" * _PIECE
        yield end

    return replace(answer, body=stream(), length=len(start) + pieces * _PIECE + len(end))


def _deep(answer: Answer, value: str) -> Answer:
    """JSON nested `value` deep (200,000)."""
    depth = int(value or 200_000)
    return replace(answer, body=b'{"statusCode":0,"messages":' + b"[" * depth + b"]" * depth + b"}")


def _gzip_bomb(answer: Answer, value: str) -> Answer:
    """A compressed body that unpacks to `value` MiB (1024) of blanks."""
    import gzip

    # Gzip members may follow one another, so one small member sent often is a large file.
    member = gzip.compress(b" " * (16 * 1024 * 1024))
    count = int(value or 1024) // 16
    headers = (*answer.headers, ("Content-Encoding", "gzip"))
    return replace(answer, body=[member] * count, length=len(member) * count, headers=headers)


def _rearranged(rearrange: "Callable[[list[object]], list[object]]") -> "Callable[[Answer, str], Answer]":
    """The page's messages in another order; an answer that has none, or one only, stays as it is."""

    def fault(answer: Answer, value: str) -> Answer:
        if answer.status != 200:
            return answer
        body = json.loads(bytes_of(answer))
        before = body if isinstance(body, list) else body.get("messages", [])
        after = rearrange(before)
        if after == before:
            return answer
        body = after if isinstance(body, list) else body | {"messages": after}
        return replace(answer, body=json.dumps(body).encode())

    return fault


KINDS: "dict[str, Callable[[Answer, str], Answer]]" = {
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
