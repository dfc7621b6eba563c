"""Responses that travel badly: delayed, streamed, cut, or ended by a reset."""

import gzip
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Literal, Self

from smscli.demo.http_server import DemoResponse, Disconnected


@dataclass(slots=True)
class FaultyResponse(DemoResponse):
    """A response and how it is sent.

    A body in pieces is streamed. `delay` seconds pass before the first byte and `pause` after each piece.
    After `stop_after` bytes of the body the connection is closed, or with `reset` reset. `left_out` is the
    number of withheld messages that later ones in this response follow.
    """

    body: bytes | Iterable[bytes] = b""
    framing: Literal["length", "chunked", "close"] = "length"
    length: int | None = None
    delay: float = 0.0
    pause: float = 0.0
    stop_after: int | None = None
    reset: bool = False
    left_out: int = 0

    @classmethod
    def of(cls, response: DemoResponse) -> Self:
        """The same response, so that it can be made to fail."""
        if isinstance(response, cls):
            return response
        return cls(**{field.name: getattr(response, field.name) for field in fields(response)})

    def send(self, connection: socket.socket) -> bool:
        if self.delay:
            _wait(connection, self.delay)
        if self.reset and self.stop_after is None:
            _reset(connection)
            return False
        head = self.head(self._framing())
        if isinstance(self.body, bytes) and (self.framing, self.stop_after, self.pause) == (
            "length",
            None,
            0,
        ):
            connection.sendall(head + self.body)
            return True
        connection.sendall(head)
        for piece in self._pieces():
            connection.sendall(piece)
            time.sleep(self.pause)
        if self.reset:
            _reset(connection)
        return self.stop_after is None and self.framing != "close"

    def content(self) -> bytes:
        """The whole body; a streamed one is collected and kept."""
        if not isinstance(self.body, bytes):
            self.body = b"".join(self.body)
        return self.body

    def _framing(self) -> str:
        if self.framing == "chunked":
            return "Transfer-Encoding: chunked"
        if self.framing == "close":
            return "Connection: close"
        return f"Content-Length: {self.length if self.length is not None else len(self.content())}"

    def _pieces(self) -> Iterator[bytes]:
        """The body as it is sent, cut after `stop_after` bytes."""
        left = self.stop_after
        for piece in [self.body] if isinstance(self.body, bytes) else self.body:
            sent = piece if left is None else piece[:left]
            if sent:
                yield b"%x\r\n%b\r\n" % (len(sent), sent) if self.framing == "chunked" else sent
            if left is not None:
                left -= len(sent)
                if left <= 0:
                    return
        if self.framing == "chunked":
            yield b"0\r\n\r\n"


def compressed(response: FaultyResponse, padding: int) -> FaultyResponse:
    """The response as one gzip member, followed by so many zero bytes."""
    body = gzip.compress(response.content(), compresslevel=1) + bytes(padding)
    headers = (*response.headers, ("Content-Encoding", "gzip"))
    return replace(response, body=body, headers=headers, framing="length", length=None)


def _wait(connection: socket.socket, seconds: float) -> None:
    """Wait, but not longer than the client or the server keeps the connection open."""
    connection.settimeout(seconds)
    try:
        if not connection.recv(1, socket.MSG_PEEK):
            raise Disconnected
    except TimeoutError:
        pass
    finally:
        connection.settimeout(None)


def _reset(connection: socket.socket) -> None:
    """Let the close that follows be a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
