"""Connections to a server: whom they trust, and that what comes on them is watched as it comes."""

import http.client
import io
import ssl
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from smscli.errors import LocalError


def adapter(watch: Callable[[int], None], trust: ssl.SSLContext | None) -> HTTPAdapter:
    """Connections with TLS as `trust` judges it, where it is given; `watch` is asked before each read of an
    answer, and told after it how many bytes came."""
    return _SystemTrust(watch, trust) if trust else _Adapter(watch)


class _Watched(io.RawIOBase):
    """What comes on a connection.

    The head of an answer, what stands between the pieces of its body and what follows it are read by
    libraries that look at no clock, and some of it may have any length.
    """

    def __init__(self, raw: io.RawIOBase, watch: Callable[[int], None]) -> None:
        self._raw = raw
        self._watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._watch(0)
        came: int | None = self._raw.readinto(buffer)
        self._watch(came or 0)
        return came

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Adapter(HTTPAdapter):
    """Connections whose answers are watched."""

    def __init__(self, watch: Callable[[int], None]) -> None:
        self._pools = _watched_pools(watch)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _watched_pools(watch: Callable[[int], None]) -> dict[str, Any]:
    """urllib3's pools by scheme, whose connections have `watch` asked at each read of an answer."""

    class Response(http.client.HTTPResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.fp = io.BufferedReader(_Watched(self.fp.detach(), watch))

    class Plain(HTTPConnectionPool):
        class ConnectionCls(HTTPConnection):
            response_class = Response

    class Tls(HTTPSConnectionPool):
        class ConnectionCls(HTTPSConnection):
            response_class = Response

    return {"http": Plain, "https": Tls}


class _SystemTrust(_Adapter):
    """TLS as one context judges it, to the server and to a proxy."""

    def __init__(self, watch: Callable[[int], None], context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(watch)

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
    """The operating system's trust store, these PEM files beside it. LocalError where one can't be used."""
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bundle:
        try:
            context.load_verify_locations(ca_bundle)
        except (OSError, ValueError) as error:
            raise _unusable("CA bundle", ca_bundle, error) from error
    if client_cert:
        try:
            context.load_cert_chain(client_cert, password=_refuse_to_ask)
        except (OSError, ValueError) as error:
            raise _unusable("client certificate", client_cert, error) from error
    return context


def _unusable(what: str, path: str, error: OSError | ValueError) -> LocalError:
    if isinstance(error, ssl.SSLError):
        return LocalError(f"the {what} {path} is no PEM file of that kind")
    # A path with a NUL in it is refused before anyone looks for the file.
    why = error.strerror if isinstance(error, OSError) else "no file has such a name"
    return LocalError(f"the {what} {path} can't be read: {why}")


def _refuse_to_ask() -> str:
    # Without this OpenSSL itself would ask, on the terminal.
    raise LocalError(
        "the key in the client certificate's file is encrypted",
        hint="decrypt it first: openssl pkey -in FILE -out FILE",
    )
