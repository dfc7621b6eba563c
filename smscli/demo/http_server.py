"""A small HTTP/1.1 server on loopback: it parses requests and sends responses, one thread per connection."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

_HEAD_LIMIT = 64 * 1024
_BODY_LIMIT = 1024 * 1024
_REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    429: "Too Many Requests",
    500: "Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class DemoRequest(NamedTuple):
    """One request; header names are in lower case, `path` is without query and unquoted."""

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def cookie(self, name: str) -> str | None:
        """The value of a cookie, None if the client did not send it."""
        for pair in self.headers.get("cookie", "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return None


@dataclass(slots=True)
class DemoResponse:
    """One response, sent with its length."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, framing: str) -> bytes:
        """The status line and the headers; `framing` is the header that says where the body ends."""
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}",
            f"Content-Type: {self.type}",
            framing,
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def send(self, connection: socket.socket) -> bool:
        """Write the response; False if the connection must be closed after it."""
        connection.sendall(self.head(f"Content-Length: {len(self.body)}") + self.body)
        return True


def json_bytes(value: object) -> bytes:
    """Compact JSON in UTF-8, or in ASCII if a string holds a lone surrogate."""
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


class Disconnected(Exception):
    """The connection ends without a response: the client closed it, its request is invalid, or we stop."""


class HttpServer:
    """Accepts connections on 127.0.0.1 and serves each in a daemon thread; port 0 takes any free port."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self, respond: Callable[[DemoRequest], DemoResponse]) -> None:
        """Start accepting connections; `respond` is called in the thread of each connection."""
        self._thread = threading.Thread(target=self._accept, args=(respond,), name="demo-accept", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting, close every connection and wait for the threads to end. May be called again."""
        self._closing = True
        if self._thread and self._thread.is_alive():
            # Closing a socket does not wake accept() on every system; a connection does.
            with socket.create_connection(("127.0.0.1", self.port)):
                self._thread.join()
            self._thread = None
        self._socket.close()
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            _shut_down(connection)
        for thread in open_now.values():
            thread.join(5)

    def _accept(self, respond: Callable[[DemoRequest], DemoResponse]) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._closing:
                connection.close()
                return
            # Otherwise the kernel delays small responses by 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(
                target=self._serve, args=(connection, respond), name="demo-serve", daemon=True
            )
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket, respond: Callable[[DemoRequest], DemoResponse]) -> None:
        try:
            with connection:
                reader = _RequestReader(connection)
                keep_alive = True
                while keep_alive and not self._closing:
                    request = reader.read()
                    keep_alive = request.headers.get("connection", "").lower() != "close"
                    keep_alive = respond(request).send(connection) and keep_alive
        except (OSError, Disconnected):
            return
        finally:
            with self._lock:
                del self._connections[connection]


class _RequestReader:
    """Reads the requests of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def read(self) -> DemoRequest:
        """The next request; Disconnected if there is none."""
        line, *fields = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for name, _, value in (field.partition(":") for field in fields):
            headers[name.lower()] = value.strip()
        try:
            method, target, _ = line.split(" ")
            chunked = headers.get("transfer-encoding", "").lower() == "chunked"
            body = self._chunks() if chunked else self._bytes(int(headers.get("content-length", "0")))
        except ValueError as error:
            self._connection.sendall(DemoResponse(400).head("Connection: close"))
            raise Disconnected from error
        path, _, query = target.partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        return DemoRequest(method, target, unquote(path), parameters, headers, body)

    def _chunks(self) -> bytes:
        """A chunked body: it ends with an empty chunk, optional trailers and an empty line."""
        body = b""
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            body += self._bytes(size)
            self._until(b"\r\n")
            if len(body) > _BODY_LIMIT:
                raise Disconnected
        while self._until(b"\r\n"):
            continue
        return body

    def _until(self, end: bytes) -> bytes:
        """What comes before `end`, which is removed."""
        while (place := self._buffer.find(end)) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise Disconnected
            self._receive()
        found, self._buffer = self._buffer[:place], self._buffer[place + len(end) :]
        return found

    def _bytes(self, size: int) -> bytes:
        if not 0 <= size <= _BODY_LIMIT:
            raise Disconnected
        while len(self._buffer) < size:
            self._receive()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def _receive(self) -> None:
        received = self._connection.recv(65536)
        if not received:
            raise Disconnected
        self._buffer += received


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Its thread has closed it in the meantime.
        return
