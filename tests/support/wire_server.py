"""A small HTTP server on loopback that sends scripted bytes and records the requests."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """A received request; `connection` counts connections from 1, header names are in lower case."""

    target: str
    headers: Mapping[str, str]
    connection: int
    method: str = "GET"
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


class Line:
    """A connection for a reply to write to; `over` is set at the end of the test."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._connection = connection
        self.over = over

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def cut(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()


Reply = Callable[[Line], None]


def whole(data: bytes) -> Reply:
    return lambda line: line.send(data)


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A complete response on a kept-alive connection; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Length": str(len(content)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return whole(f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content)


def cut_after(data: bytes) -> Reply:
    """Sends some bytes, then closes the connection."""

    def say(line: Line) -> None:
        line.send(data)
        line.cut()

    return say


def reset(line: Line) -> None:
    """Resets the connection without a byte."""
    line.reset()


def hang(line: Line) -> None:
    """Sends nothing until the end of the test."""
    line.over.wait(30)


def drip(head: bytes, drop: bytes, pause: float) -> Reply:
    """Sends a head, then one small piece after another until the end of the test."""

    def say(line: Line) -> None:
        line.send(head)
        while not line.over.wait(pause):
            line.send(drop)

    return say


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """The replies in turn; the last one is repeated."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


class WireServer:
    """A context manager that serves the replies of `choose`."""

    def __init__(self, choose: Callable[[Request], Reply], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._choose = choose
        self._tls = tls
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}/api/v2"

    @property
    def targets(self) -> list[str]:
        """The request targets in order, without their common prefix."""
        return [one.target.removeprefix("/api/v2/") for one in self.requests]

    def __enter__(self) -> "WireServer":
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # A blocked accept does not notice a close; a connection wakes it.
        socket.create_connection(("127.0.0.1", self.port)).close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        number = 0
        while True:
            connection, _ = self._listener.accept()
            if self._over.is_set():
                connection.close()
                return
            number += 1
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(30)
        # Whatever the client does to the connection is its own affair.
        with connection, suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            with connection:
                while request := _read(connection, number):
                    self.requests.append(request)
                    self._choose(request)(Line(connection, self._over))


def _read(connection: socket.socket, number: int) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
        # A TLS greeting gets what a plain server says to it.
        if not data[:1].isalpha():
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Request(target, headers, number, method, body)
