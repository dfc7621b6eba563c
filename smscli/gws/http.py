"""HTTP requests to one server: authenticated, bounded in size and time, with network failures as SmscliError.

`requests` must not read the environment (`trust_env`): it would let .netrc replace the sign-in, send
loopback requests through a proxy, and trust a CA bundle beside the operating system's store.
"""

import copy
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from smscli import __version__
from smscli.errors import RequestTimeout, ResponseTooLarge
from smscli.gws.deadlines import Deadlines
from smscli.gws.http_auth import Header, HttpAuth, mask_secrets
from smscli.gws.network_errors import TIMEOUT_HINT, network_error
from smscli.gws.proxy import is_loopback, proxy_for
from smscli.gws.tls import ClosableAdapter, tls_context
from smscli.signals import interruptible

BODY_LIMIT = 64 * 2**20
# About 600 MB once parsed. The longest transcript that fits the body limit has fewer values.
_MAX_JSON_VALUES = 4_000_000
# Possessive quantifiers: without backtracking each byte is looked at once, in malformed JSON too.
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
# For the whole response: one that arrives byte by byte never exceeds the timeout of a single read.
_TIMEOUTS = {"GET": 6, "POST": 2}
# The query parameters that debug lines show; the others could hold personal data.
_TRACED_PARAMETERS = ("fields", "startIndex", "count")
_DEADLINES = Deadlines()


class Server(NamedTuple):
    """Address of the Web Services: `base_url` ends in `/api/v2`; `timeout` is in seconds per request;
    `headers` go with each."""

    base_url: str
    timeout: float = 10.0
    ca_bundle: str | None = None
    client_cert: str | None = None
    headers: Mapping[str, str] = {}


class HttpResponse(NamedTuple):
    """A complete HTTP response. `at` is the server's clock (`Date`), `retry_after` is in seconds."""

    status: int
    body: bytes
    at: datetime | None = None
    location: str | None = None
    retry_after: float | None = None


class Transport:
    """Sends requests below a server's base URL over kept-alive connections.

    For use by one thread; `clone` makes another one for another thread, with the same `auth`. `debug`
    receives one line per request. Raises LocalError or ConfigError when the CA bundle, client certificate or
    proxy is unusable.
    """

    def __init__(
        self,
        server: Server,
        sign_in: Callable[[], Header],
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float],
        debug: Callable[[str], None] | None = None,
    ) -> None:
        self.host = urlsplit(server.base_url).netloc
        self._server = server
        self._clock = clock
        self._debug = debug
        self.auth = HttpAuth(sign_in)
        self._proxy = proxy_for(server.base_url, environ)
        parts, files = urlsplit(server.base_url), (server.ca_bundle, server.client_cert)
        self._trust = tls_context(*files, parts.netloc) if parts.scheme == "https" else None
        self._adapter = ClosableAdapter(self._trust)
        self._session = self._new_session()

    def _new_session(self) -> requests.Session:
        session = _NoRedirectSession()
        session.trust_env = False
        session.auth = self.auth
        session.cookies = self.auth.cookies
        session.hooks["response"].append(self.auth.drop_refused_cookies)
        # requests would also offer brotli and zstd where such a package is installed.
        session.headers.update(
            {"User-Agent": f"smscli/{__version__}", "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        session.headers.update(self._server.headers)
        scheme = urlsplit(self._server.base_url).scheme
        if self._proxy:
            session.proxies = {scheme: self._proxy}
        session.mount(f"{scheme}://", self._adapter)
        return session

    def url(self, path: str) -> str:
        return f"{self._server.base_url}/{path}"

    def clone(self, debug: Callable[[str], None] | None = None) -> "Transport":
        """A transport for another thread: same authentication state and cookies, its own connections.

        Reads the secret now if needed, so that the other thread never prompts for it.
        """
        self.auth.read()
        other = copy.copy(self)
        other._debug = debug
        other._adapter = ClosableAdapter(self._trust)
        other._session = other._new_session()
        return other

    def get(self, path: str, query: Mapping[str, str]) -> HttpResponse:
        """Sends a GET; returns any status. Raises Unreachable or WireError without a complete response."""
        return self._send("GET", path, query, None, self._server.timeout)

    def post(self, path: str, body: bytes, timeout: float | None = None) -> HttpResponse:
        """Sends a POST of JSON, with the CSRF token if there is one (CSRFProtection); otherwise like `get`.

        `timeout` is in seconds, by default the server's.
        """
        timeout = self._server.timeout if timeout is None else timeout
        return self._send("POST", path, {}, body, timeout)

    def trace_abandoned(self, path: str, query: Mapping[str, str]) -> None:
        """Writes the debug line of a GET that another thread still waits for."""
        if self._debug:
            self._debug(_trace("GET", urlsplit(self.url(path)).path, query, None, None))

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        """`timeout` is in seconds and applies to each read; the whole response has a multiple of it."""
        url = self.url(path)
        # Before the clock starts: a keyring may prompt for the secret.
        self.auth.read()
        started, response = self._clock(), None
        full_url = f"{url}?{urlencode(query, safe='*,')}" if query else url
        try:
            with _DEADLINES.within(timeout * _TIMEOUTS[method], self._adapter.shut_down) as deadline:
                response = interruptible(lambda: self._exchange(method, full_url, body, timeout))
        except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
            if deadline.is_over:
                raise self._too_late() from error
            proxy = urlsplit(self._proxy or "").netloc.rpartition("@")[2]
            raise network_error(error, self.host, proxy, timeout) from error
        finally:
            if self._debug:
                self._debug(_trace(method, urlsplit(url).path, query, response, self._clock() - started))
        if deadline.is_over:
            # A body without a length ends where its connection does.
            raise self._too_late()
        return response

    def _too_late(self) -> RequestTimeout:
        return RequestTimeout(f"{self.host} did not send the whole response in time", hint=TIMEOUT_HINT)

    def _exchange(self, method: str, url: str, body: bytes | None, timeout: float) -> HttpResponse:
        timeouts = (min(self._server.timeout, timeout), timeout)
        headers = {} if body is None else {"Content-Type": "application/json;charset=UTF-8"}
        with self._session.request(
            method, url, data=body, headers=headers, timeout=timeouts, stream=True
        ) as response:
            at = http_date(response.headers.get("Date"))
            self.auth.store_csrf_token(response.headers)
            body = b"".join(self._body(response))
            if _has_too_many_values(body):
                raise ResponseTooLarge(
                    f"the response of {self.host} has more than {_MAX_JSON_VALUES:,} values"
                )
            return HttpResponse(
                response.status_code,
                body,
                at,
                response.headers.get("Location"),
                _seconds(response.headers.get("Retry-After"), at),
            )

    def _body(self, response: requests.Response) -> Iterator[bytes]:
        size = 0
        # `iter_content` would wait for a whole chunk.
        while data := response.raw.read1(65536, decode_content=True):
            size += len(data)
            if size > BODY_LIMIT:
                raise ResponseTooLarge(f"the response of {self.host} is over {BODY_LIMIT >> 20} MiB")
            yield data

    def mask_secrets(self, text: str) -> str:
        """A text of the server without the secrets that it may quote."""
        return mask_secrets(text, [*self.auth.secrets, *self.auth.tokens, *self.auth.cookies.secrets])

    @property
    def is_exposed(self) -> bool:
        """Whether requests go to another machine without TLS."""
        parts = urlsplit(self._server.base_url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    def forget_cookies(self, prefix: str) -> None:
        """Drops the cookies whose names begin with `prefix`."""
        cookies = self.auth.cookies
        cookies.drop([one for one in cookies if one.name.startswith(prefix)])

    def close(self) -> None:
        self._session.close()


class _NoRedirectSession(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: redirects are not followed. With `allow_redirects=False` requests would read the body."""


def _has_too_many_values(body: bytes) -> bool:
    if len(body) <= _MAX_JSON_VALUES or _separators(body) <= _MAX_JSON_VALUES:
        return False
    # Texts may hold as many commas.
    return _separators(_JSON_STRING.sub(b"", body)) > _MAX_JSON_VALUES


def _separators(body: bytes) -> int:
    """The number of characters that each begin one more value."""
    return sum(map(body.count, (b",", b"[", b"{")))


def _trace(
    method: str, path: str, query: Mapping[str, str], response: HttpResponse | None, seconds: float | None
) -> str:
    """One debug line; `seconds` is None for a request that was abandoned."""
    parameters = [f"{key}={query[key]}" for key in _TRACED_PARAMETERS if key in query]
    result = f"{response.status} {len(response.body)} bytes" if response else "no response"
    duration = "abandoned" if seconds is None else f"{seconds * 1000:.0f} ms"
    return " ".join([method, path, *parameters, result, duration])


def http_date(literal: str | None) -> datetime | None:
    """An HTTP date, aware and in UTC; None when absent or unreadable."""
    try:
        at = parsedate_to_datetime(literal or "")
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _seconds(retry_after: str | None, at: datetime | None) -> float | None:
    """`Retry-After` in seconds; a date is compared with the response's own `Date` if it has one."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        seconds = float(retry_after)
    elif until := http_date(retry_after):
        seconds = (until - (at or datetime.now(UTC))).total_seconds()
    else:
        return None
    return max(seconds, 0.0)
