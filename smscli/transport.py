"""HTTP with one server, tamed: what goes out is decided here alone, what comes back is bounded, and whatever
goes wrong becomes one of our errors, in words.

`requests` may trust nothing of the environment: it would let .netrc replace the sign-in, send loopback
through a proxy, and trust a CA bundle of its own beside the operating system's store.
"""

import http.client
import ipaddress
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, InvalidHeader

from smscli import __version__
from smscli.errors import (
    AuthError,
    ConfigError,
    LocalError,
    SmscliError,
    TimedOut,
    Unreachable,
    Untrusted,
    WireError,
)

BODY_LIMIT = 64 * 2**20
# A body that drips in for ever never meets the time-out of a single read.
_TIMEOUTS_A_BODY = 6
# Nobody is kept waiting longer by a server that is out of its mind.
_A_DAY = 86400.0
# What a debug line may tell of a query; anything else could be somebody's data.
_TOLD = ("fields", "startIndex", "count")


class TooLong(WireError):
    """A body over the limit, dropped."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the Web Services are: `base_url` ends in `/api/v2`; `timeout` is in seconds, for each request."""

    base_url: str
    timeout: float = 10.0
    ca_bundle: str | None = None
    client_cert: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer. `at` is the server's clock, `retry_after` in seconds."""

    status: int
    body: bytes
    at: datetime | None = None
    location: str | None = None
    retry_after: float | None = None


class Transport:
    """Sends GETs below a server's base URL, on kept connections and with its cookies; `debug` hears of each.

    Raises LocalError or ConfigError when the CA bundle, the client certificate or the proxy can't be used.
    """

    def __init__(
        self,
        server: Server,
        authorization: Callable[[], str],
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float],
        debug: Callable[[str], None] | None = None,
    ) -> None:
        parts = urlsplit(server.base_url)
        self.host = parts.netloc
        self._server = server
        self._clock = clock
        self._debug = debug
        self._sign_in = _SignIn(authorization)
        self._session = _Session()
        self._session.trust_env = False
        self._session.auth = self._sign_in
        # Packed, a transcript is a tenth of its size; requests would ask for whatever is installed.
        self._session.headers.update(
            {"User-Agent": f"smscli/{__version__}", "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        self._proxy = proxy_for(server.base_url, environ)
        if self._proxy:
            self._session.proxies = {parts.scheme: self._proxy}
        if parts.scheme == "https":
            self._session.mount("https://", _SystemTrust(_tls_context(server)))

    def get(self, path: str, query: Mapping[str, str]) -> Answer:
        """One GET, whatever status it brings. Raises Unreachable or WireError where no whole answer comes."""
        url = f"{self._server.base_url}/{path}"
        # Asking for the secret may take a person's time: it is no part of the request.
        self._sign_in.read()
        started, answer = self._clock(), None
        try:
            answer = self._exchange(f"{url}?{urlencode(query, safe='*,')}" if query else url)
        except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
            raise self._failure(error) from error
        finally:
            if self._debug:
                self._debug(_trace(urlsplit(url).path, query, answer, self._clock() - started))
        return answer

    def _exchange(self, url: str) -> Answer:
        with self._session.get(url, timeout=self._server.timeout, stream=True) as response:
            at = http_date(response.headers.get("Date"))
            return Answer(
                response.status_code,
                b"".join(self._body(response)),
                at,
                response.headers.get("Location"),
                _seconds(response.headers.get("Retry-After"), at),
            )

    def _body(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it comes, unpacked, while it keeps to the limits of size and time."""
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > BODY_LIMIT:
            raise self._too_long()
        inflate = self._inflater(response.headers.get("Content-Encoding", ""))
        deadline = self._clock() + self._server.timeout * _TIMEOUTS_A_BODY
        size = 0
        # `iter_content` would fill a whole chunk before anyone can look at the clock.
        while data := response.raw.read1(65536, decode_content=False):
            if inflate:
                data = inflate.decompress(data)
            size += len(data)
            if size > BODY_LIMIT:
                raise self._too_long()
            if self._clock() > deadline:
                raise TimedOut(f"the answer of {self.host} was not whole in time")
            yield data
        if inflate and size and not inflate.eof:
            raise Unreachable(f"the answer of {self.host} was cut short")

    def _inflater(self, encoding: str) -> "zlib._Decompress | None":
        match encoding.strip().lower():
            case "" | "identity":
                return None
            case "gzip" | "x-gzip":
                return zlib.decompressobj(zlib.MAX_WBITS | 16)
        raise WireError(f"the answer of {self.host} is packed in a way nobody asked for")

    def _too_long(self) -> TooLong:
        return TooLong(f"the answer of {self.host} is over {BODY_LIMIT >> 20} MiB")

    def _failure(self, error: Exception) -> SmscliError:
        """What went wrong, without the libraries' own wording."""
        causes = list(_causes(error))
        behind_proxy = any(isinstance(one, requests.exceptions.ProxyError) for one in causes)
        host = (
            f"the proxy {urlsplit(self._proxy or '').netloc.rpartition('@')[2]}"
            if behind_proxy
            else self.host
        )
        why = _why(causes[-1])
        for kinds, failure, words, hint in _FAILURES:
            if any(isinstance(one, kinds) for one in causes):
                said = words.format(host=host, timeout=self._server.timeout, why=why)
                return failure(said, hint=hint)
        return Unreachable(f"{host} can't be reached: {why}")

    def renew(self) -> None:
        """Forget what belongs to the old sign-in, cookies included; the secret is asked for again."""
        self._session.cookies.clear()
        self._sign_in.value = None

    def close(self) -> None:
        self._session.close()


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: no redirect is followed. Told so at a request, requests would still read its whole body."""


class _SignIn(requests.auth.AuthBase):
    """Puts the Authorization header on each request; the secret is asked for once."""

    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization
        self.value: str | None = None

    def read(self) -> str:
        if self.value is None:
            value = self._authorization()
            # http.client would quote the whole secret in its error.
            if not (value.isascii() and value.isprintable()):
                raise AuthError("the secret has a character that an HTTP header can't carry")
            self.value = value
        return self.value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.read()
        return request


class _SystemTrust(HTTPAdapter):
    """TLS as one context judges it, to the server and to a proxy."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

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


def _tls_context(server: Server) -> ssl.SSLContext:
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if server.ca_bundle:
        try:
            context.load_verify_locations(server.ca_bundle)
        except OSError as error:
            raise _unusable("CA bundle", server.ca_bundle, error) from error
    if server.client_cert:
        try:
            context.load_cert_chain(server.client_cert, password=_refuse_to_ask)
        except OSError as error:
            raise _unusable("client certificate", server.client_cert, error) from error
    return context


def _unusable(what: str, path: str, error: OSError) -> LocalError:
    why = (
        "is no PEM file of that kind"
        if isinstance(error, ssl.SSLError)
        else f"can't be read: {error.strerror}"
    )
    return LocalError(f"the {what} {path} {why}")


def _refuse_to_ask() -> str:
    # Without this OpenSSL itself would ask, on the terminal.
    raise LocalError(
        "the key in the client certificate's file is encrypted",
        hint="decrypt it first: openssl pkey -in FILE -out FILE",
    )


# The first row that fits any link of the chain of causes; a reset connection can be the cause of a cut body.
_FAILURES: tuple[tuple[tuple[type[Exception], ...], type[SmscliError], str, str | None], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        Untrusted,
        "the certificate of {host} is not trusted: {why}",
        "if its authority is your own, name it: --ca-bundle FILE",
    ),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), Unreachable, "{host} closed the connection", None),
    ((ssl.SSLError,), Untrusted, "no TLS connection to {host}: {why}", None),
    ((socket.gaierror, UnicodeError), Unreachable, "the name {host} can't be resolved", None),
    ((ConnectionRefusedError,), Unreachable, "{host} refuses the connection", None),
    (
        (TimeoutError,),
        TimedOut,
        "{host} did not answer within {timeout:g} s",
        "wait longer: --timeout SECONDS",
    ),
    ((ConnectionError,), Unreachable, "{host} closed the connection", None),
    ((http.client.IncompleteRead,), Unreachable, "the answer of {host} was cut short", None),
    ((zlib.error,), WireError, "the answer of {host} can't be unpacked", None),
    ((http.client.HTTPException, InvalidHeader), WireError, "{host} does not answer in HTTP", None),
)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None and not isinstance(error, SmscliError):
        yield error
        # urllib3 wraps some errors without raising them: those have their cause as an argument only.
        wrapped = next((one for one in error.args if isinstance(one, Exception)), None)
        error = error.__cause__ or error.__context__ or wrapped


def _why(cause: BaseException) -> str:
    """A short reason in words, from the innermost cause."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message.rstrip(".")
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return cause.reason.replace("_", " ").lower()
    if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException):
        return cause.strerror or str(cause)
    return "no reason given"


def _trace(path: str, query: Mapping[str, str], answer: Answer | None, seconds: float) -> str:
    told = [f"{key}={query[key]}" for key in _TOLD if key in query]
    came = f"{answer.status} {len(answer.body)} bytes" if answer else "no answer"
    return " ".join(["GET", path, *told, came, f"{seconds * 1000:.0f} ms"])


def http_date(literal: str | None) -> datetime | None:
    """An HTTP date, aware and in UTC; None when absent or unreadable."""
    try:
        at = parsedate_to_datetime(literal or "")
    except (ValueError, OverflowError):
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _seconds(retry_after: str | None, at: datetime | None) -> float | None:
    """`Retry-After` as seconds; a date in it is judged by the answer's own clock, where it has one."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        seconds = float(retry_after)
    elif until := http_date(retry_after):
        seconds = (until - (at or datetime.now(UTC))).total_seconds()
    else:
        return None
    return min(max(seconds, 0.0), _A_DAY)


def proxy_for(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTPS_PROXY or HTTP_PROXY names for a server, unless NO_PROXY or loopback spares it.

    Raises ConfigError for a proxy that is no http or https address.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    name = f"{parts.scheme.upper()}_PROXY"
    proxy = environ.get(name) or environ.get(name.lower())
    spared = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if not proxy or _is_loopback(host) or _is_spared(host, parts.port or _PORTS[parts.scheme], spared):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        given = urlsplit(proxy)
        if given.scheme in _PORTS and given.hostname and given.port != 0:
            return proxy
    except ValueError:
        pass
    raise ConfigError(f"the proxy that {name} names is no http:// or https:// address")


_PORTS = {"http": 80, "https": 443}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_spared(host: str, port: int, spared: str) -> bool:
    """Whether NO_PROXY has the host: `*`, a name and all below it, an address, a network; `:PORT` narrows."""
    for entry in spared.lower().replace(",", " ").split():
        name, _, its_port = entry.rpartition(":")
        if not its_port.isdecimal() or (":" in name and not name.endswith("]")):
            name, its_port = entry, ""
        if its_port and int(its_port) != port:
            continue
        name = name.strip("[]").removeprefix("*.").lstrip(".")
        if name == "*" or host == name or host.endswith(f".{name}") or _in_network(host, name):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
