"""HTTP/1.1 on loopback: reads requests, writes answers, and can break either as a bad network would."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple
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


class Request(NamedTuple):
    """One request; header names are lower case, `path` is without query and unquoted."""

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def cookie(self, name: str) -> str | None:
        """The value of a cookie the client sent."""
        for pair in self.headers.get("cookie", "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return None


@dataclass(slots=True)
class Answer:
    """One answer and how it travels.

    A body in pieces is streamed. `hold` seconds pass before the first byte and `pace` after each piece;
    `stop_after` bytes of the body the connection is closed (or, with `reset`, reset). `left_out` messages are
    still to come, and others that follow them are in this answer.
    """

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    type: str = "application/json;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()
    framing: Literal["length", "chunked", "close"] = "length"
    length: int | None = None
    hold: float = 0.0
    pace: float = 0.0
    stop_after: int | None = None
    reset: bool = False
    left_out: int = 0

    def head(self) -> bytes:
        """The status line and headers as they go out."""
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}",
            f"Content-Type: {self.type}",
        ]
        if self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif self.framing == "close":
            lines.append("Connection: close")
        else:
            size = self.length if self.length is not None else len(bytes_of(self))
            lines.append(f"Content-Length: {size}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def pieces(self) -> Iterator[bytes]:
        """The body as it goes on the wire, cut where `stop_after` says."""
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


def bytes_of(answer: Answer) -> bytes:
    """The whole body; a streamed one is gathered and kept."""
    if not isinstance(answer.body, bytes):
        answer.body = b"".join(answer.body)
    return answer.body


def json_bytes(value: object) -> bytes:
    """Compact JSON in UTF-8; where a lone surrogate forbids that, in ASCII."""
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


class Gone(Exception):
    """The client has closed its side, or sent what is no request."""


class Listener:
    """Accepts connections on 127.0.0.1 and serves each in a daemon thread of its own."""

    def __init__(self, respond: Callable[[Request], Answer], port: int) -> None:
        self._respond = respond
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="demo-accept", daemon=True)

    def start(self) -> None:
        """Begin to accept connections."""
        self._thread.start()

    def close(self) -> None:
        """Stop accepting, cut every connection and wait for the threads to end."""
        self._closing = True
        if self._thread.is_alive():
            # Closing a socket does not wake accept() everywhere; a connection does.
            with socket.create_connection(("127.0.0.1", self.port)):
                self._thread.join()
        self._socket.close()
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            _shut(connection)
        for thread in open_now.values():
            thread.join(5)

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._closing:
                connection.close()
                return
            # Without this the kernel holds small answers back for 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), name="demo-serve", daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                incoming = _Incoming(connection)
                while not self._closing:
                    request = incoming.request()
                    answer = self._respond(request)
                    if (
                        not _send(connection, answer)
                        or request.headers.get("connection", "").lower() == "close"
                    ):
                        return
        except (OSError, Gone):
            return
        finally:
            with self._lock:
                del self._connections[connection]


class _Incoming:
    """The requests that arrive on one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def request(self) -> Request:
        """The next request; Gone when there is none."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise Gone
            self._receive()
        head, self._buffer = self._buffer[:end].decode("latin-1"), self._buffer[end + 4 :]
        line, *fields = head.split("\r\n")
        headers = {}
        for name, _, value in (field.partition(":") for field in fields):
            headers[name.lower()] = value.strip()
        try:
            method, target, _ = line.split(" ")
            chunked = headers.get("transfer-encoding", "").lower() == "chunked"
            body = self._chunks() if chunked else self._bytes(int(headers.get("content-length", "0")))
        except ValueError as error:
            self._connection.sendall(Answer(400, framing="close").head())
            raise Gone from error
        path, _, query = target.partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        return Request(method, target, unquote(path), parameters, headers, body)

    def _chunks(self) -> bytes:
        """A chunked body, which ends with an empty chunk and an empty line, perhaps after trailers."""
        body = b""
        while size := int(self._line().partition(b";")[0], 16):
            body += self._bytes(size)
            self._line()
            if len(body) > _BODY_LIMIT:
                raise Gone
        while self._line():
            continue
        return body

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise Gone
            self._receive()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _bytes(self, size: int) -> bytes:
        if not 0 <= size <= _BODY_LIMIT:
            raise Gone
        while len(self._buffer) < size:
            self._receive()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def _receive(self) -> None:
        received = self._connection.recv(65536)
        if not received:
            raise Gone
        self._buffer += received


def _send(connection: socket.socket, answer: Answer) -> bool:
    """Write the answer; whether the connection lives on."""
    if answer.hold:
        _hold(connection, answer.hold)
    if answer.reset and answer.stop_after is None:
        _reset(connection)
        return False
    if (
        isinstance(answer.body, bytes)
        and answer.framing == "length"
        and answer.stop_after is None
        and not answer.pace
    ):
        connection.sendall(answer.head() + answer.body)
        return True
    connection.sendall(answer.head())
    for piece in answer.pieces():
        connection.sendall(piece)
        time.sleep(answer.pace)
    if answer.reset:
        _reset(connection)
    return answer.stop_after is None and answer.framing != "close"


def _hold(connection: socket.socket, seconds: float) -> None:
    """Wait, but no longer than the client or the server keeps the connection."""
    connection.settimeout(seconds)
    try:
        if not connection.recv(1, socket.MSG_PEEK):
            raise Gone
    except TimeoutError:
        pass
    finally:
        connection.settimeout(None)


def _reset(connection: socket.socket) -> None:
    """Make the close that follows a reset instead of a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Its thread has closed it meanwhile.
        return
