"""Connections to a server: which certificates they trust, and how another thread can close them."""

import os
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from smscli.errors import LocalError

# For a Python whose OpenSSL looks elsewhere: RHEL and Fedora, Debian, SUSE, Alpine and the BSDs.
_SYSTEM_CERTIFICATES = (
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class ClosableAdapter(HTTPAdapter):
    """Connections for one thread, which another thread can close during a request.

    TLS is verified by `trust`, for the server and for a proxy; None for plain HTTP.
    """

    def __init__(self, trust: ssl.SSLContext | None) -> None:
        self._trust = trust
        # The connection itself forgets its socket before it reads a body that ends with the connection.
        self.newest_socket: Any = None
        self._connection_classes = _tracked_connections(self)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._trust, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(
            proxy, ssl_context=self._trust, proxy_ssl_context=self._trust, **kwargs
        )

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = self._connection_classes[pool.scheme]
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # requests would load certifi's bundle into the context here.
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = conn.ca_cert_dir = None

    def shut_down(self) -> None:
        """Ends the connection that was made last; a read from it returns at once."""
        # TLS within TLS, for an https proxy, wraps the socket once more.
        sock = getattr(self.newest_socket, "socket", self.newest_socket)
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                # Not that of SSLSocket, which drops its state under a thread that reads from it.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _tracked_connections(adapter: ClosableAdapter) -> dict[str, Any]:
    """urllib3's connections by scheme, which tell `adapter` the socket of each new one."""

    class PlainConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            adapter.newest_socket = sock = super()._new_conn()
            return sock

    class TlsConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            adapter.newest_socket = sock = super()._new_conn()
            if not self._tunnel_host and (limit := sock.gettimeout()):
                # A server without TLS may wait for the rest of what it takes for a request.
                sock.settimeout(limit / 2)
            return sock

        def connect(self) -> None:
            super().connect()
            adapter.newest_socket = self.sock

    return {"http": PlainConnection, "https": TlsConnection}


@cache
def tls_context(
    ca_bundle: str | None = None, client_cert: str | None = None, server: str | None = None
) -> ssl.SSLContext:
    """The operating system's trust store plus these PEM files, one for all connections to a server. Raises
    LocalError for an unusable file."""
    context = _system_context()
    if ca_bundle:
        with _readable(f"CA bundle {ca_bundle}"):
            context.load_verify_locations(ca_bundle)
    if client_cert:
        with _readable(f"client certificate {client_cert}"):
            context.load_cert_chain(client_cert, password=_refuse_prompt)
    return context


def _system_context() -> ssl.SSLContext:
    """A context that trusts what the operating system does.

    truststore, whose context makes one handshake at a time, asks the systems that have an interface for it.
    Elsewhere it would read the same files as below, once more for each connection.
    """
    if sys.platform in ("darwin", "win32"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    known = ssl.get_default_verify_paths()
    if known.cafile or (known.capath and os.listdir(known.capath)):
        context.set_default_verify_paths()
    elif file := next(filter(os.path.isfile, _SYSTEM_CERTIFICATES), None):
        context.load_verify_locations(file)
    return context


@contextmanager
def _readable(file: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise LocalError(f"the {file} is not a PEM file of that kind") from error
    except (OSError, ValueError) as error:
        # ValueError: the path has a NUL in it.
        why = error.strerror if isinstance(error, OSError) else "not a valid file name"
        raise LocalError(f"the {file} can't be read: {why}") from error


def _refuse_prompt() -> str:
    # Otherwise OpenSSL would prompt on the terminal.
    raise LocalError(
        "the key in the client certificate's file is encrypted",
        hint="decrypt it first: openssl pkey -in FILE -out FILE",
    )
