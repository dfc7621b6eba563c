"""A TLS front on loopback for a demo server, like a load balancer; counts connections."""

import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.server.server import FakeServer


class TlsFront:
    """Forwards decrypted connections to `server`. `context` may change; `tunnel`: acts as a CONNECT proxy."""

    def __init__(self, server: FakeServer, context: ssl.SSLContext, *, tunnel: bool = False) -> None:
        self.context = context
        self.connections = 0
        self._refusals: list[str] = []
        self._serving: list[threading.Thread] = []
        self._behind = int(server.url.rpartition(":")[2])
        self._tunnel = tunnel
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._over = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def refusals(self) -> list[str]:
        """The reasons of refused connections, after all have ended: a client may see its refusal first."""
        for thread in self._serving:
            thread.join(10)
        return self._refusals

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        # A blocked accept does not notice a close; a connection wakes it.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(10)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Closes every open connection."""
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._over:
                connection.close()
                return
            self.connections += 1
            serving = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            serving.start()
            self._serving.append(serving)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        # TLS takes the connection over, and closes it where it fails.
        with connection, connection.dup() as bare, suppress(OSError):
            try:
                if self._tunnel:
                    _establish(connection)
                secure = self.context.wrap_socket(connection, server_side=True)
                with secure, socket.create_connection(("127.0.0.1", self._behind), 30) as behind:
                    self._open += [secure, behind]
                    answering = threading.Thread(target=_pass_on, args=(behind, secure), daemon=True)
                    answering.start()
                    _pass_on(secure, behind)
                    answering.join(30)
            except ssl.SSLError as error:
                self._refusals.append(error.reason or "")
                _let_go(bare)


def _establish(connection: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")


def _let_go(connection: socket.socket) -> None:
    """Closes so that the peer can read the alert: unread data would reset the connection."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copies until the source ends, then shuts the target down."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
