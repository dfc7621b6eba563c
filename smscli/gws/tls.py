"""Connections to a server: which certificates they trust, and the deadline of each response."""

import http.client
import io
import ssl
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from smscli.errors import LocalError


def make_adapter(check_deadline: Callable[[], None], trust: ssl.SSLContext | None) -> HTTPAdapter:
    """An adapter that verifies TLS by `trust` if given; calls `check_deadline` around each socket read."""
    return _TrustStoreAdapter(check_deadline, trust) if trust else _DeadlineAdapter(check_deadline)


class _DeadlineReader(io.RawIOBase):
    """Checks the deadline at each read from a connection.

    http.client reads headers, chunk sizes and trailers without a time limit of its own.
    """

    def __init__(self, raw: io.RawIOBase, check_deadline: Callable[[], None]) -> None:
        self._raw = raw
        self._check_deadline = check_deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._check_deadline()
        size: int | None = self._raw.readinto(buffer)
        self._check_deadline()
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineAdapter(HTTPAdapter):
    """Connections whose responses have a deadline."""

    def __init__(self, check_deadline: Callable[[], None]) -> None:
        self._pools = _deadline_pools(check_deadline)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _deadline_pools(check_deadline: Callable[[], None]) -> dict[str, Any]:
    """urllib3's connection pools by scheme, with a deadline for each response."""

    class DeadlineResponse(http.client.HTTPResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), check_deadline))

    class PlainPool(HTTPConnectionPool):
        class ConnectionCls(HTTPConnection):
            response_class = DeadlineResponse

    class TlsPool(HTTPSConnectionPool):
        class ConnectionCls(HTTPSConnection):
            response_class = DeadlineResponse

    return {"http": PlainPool, "https": TlsPool}


class _TrustStoreAdapter(_DeadlineAdapter):
    """Verifies TLS by one SSL context, for the server and for a proxy."""

    def __init__(self, check_deadline: Callable[[], None], context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(check_deadline)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(
            proxy, ssl_context=self._context, proxy_ssl_context=self._context, **kwargs
        )

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # requests would load certifi's bundle into the context here.
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = conn.ca_cert_dir = None


def tls_context(ca_bundle: str | None = None, client_cert: str | None = None) -> ssl.SSLContext:
    """The operating system's trust store plus these PEM files. Raises LocalError for an unusable file."""
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bundle:
        try:
            context.load_verify_locations(ca_bundle)
        except (OSError, ValueError) as error:
            raise _unusable("CA bundle", ca_bundle, error) from error
    if client_cert:
        try:
            context.load_cert_chain(client_cert, password=_refuse_prompt)
        except (OSError, ValueError) as error:
            raise _unusable("client certificate", client_cert, error) from error
    return context


def _unusable(what: str, path: str, error: OSError | ValueError) -> LocalError:
    if isinstance(error, ssl.SSLError):
        return LocalError(f"the {what} {path} is not a PEM file of that kind")
    # ValueError: the path has a NUL in it.
    why = error.strerror if isinstance(error, OSError) else "not a valid file name"
    return LocalError(f"the {what} {path} can't be read: {why}")


def _refuse_prompt() -> str:
    # Otherwise OpenSSL would prompt on the terminal.
    raise LocalError(
        "the key in the client certificate's file is encrypted",
        hint="decrypt it first: openssl pkey -in FILE -out FILE",
    )
