"""HTTP with one server, tamed: what goes out is decided here alone, what comes back is bounded, and whatever
goes wrong becomes one of our errors, in words.

`requests` may trust nothing of the environment: it would let .netrc replace the sign-in, send loopback
through a proxy, and trust a CA bundle of its own beside the operating system's store.
"""

import copy
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from smscli import __version__
from smscli.errors import TimedOut, Unreachable, WireError
from smscli.gws.http_auth import SharedCookies, SignIn, veiled
from smscli.gws.network_errors import WAIT_LONGER, failure
from smscli.gws.proxy import is_loopback, proxy_for
from smscli.gws.tls import adapter, tls_context

BODY_LIMIT = 64 * 2**20
# With its head, its frames and what is dropped of it; all of it could go on without end.
_ANSWER_LIMIT = 2 * BODY_LIMIT
# So many values of JSON take some 600 MB, as does the longest transcript within the limit, which has fewer.
_MOST_VALUES = 4_000_000
# Never taking back what it took, it has one look at each byte, whatever is cut or doubled in there.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
# An answer that drips in for ever never meets the time-out of a single read.
_TIMEOUTS_AN_ANSWER = 6
_TIMEOUTS_A_POST = 2
_MOST_DIGITS = 20
# Nobody is kept waiting longer by a server that is out of its mind.
_A_DAY = 86400.0
# What a debug line may tell of a query; anything else could be somebody's data.
_TOLD = ("fields", "startIndex", "count")


class TooLong(WireError):
    """A body over the limit, dropped."""


class Server(NamedTuple):
    """Where the Web Services are: `base_url` ends in `/api/v2`; `timeout` is in seconds, for each request."""

    base_url: str
    timeout: float = 10.0
    ca_bundle: str | None = None
    client_cert: str | None = None


class Answer(NamedTuple):
    """One whole HTTP answer. `at` is the server's clock, `retry_after` in seconds."""

    status: int
    body: bytes
    at: datetime | None = None
    location: str | None = None
    retry_after: float | None = None


class _Gunzip:
    """Unpacks gzip as it comes: any number of members, one after the other, as the format allows."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        """Whether what came so far can be all."""
        return self._member.eof

    def decompress(self, data: bytes, limit: int) -> bytes:
        """What `data` unpacks to; where that is over the limit, no more than shows that it is."""
        parts: list[bytes] = []
        while data and limit >= 0:
            if self._member.eof:
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            parts.append(self._member.decompress(data, limit + 1))
            limit -= len(parts[-1])
            data = self._member.unused_data
        return b"".join(parts)


class Transport:
    """Sends requests below a server's base URL, on kept connections and with its cookies; `debug` hears of
    each.

    It is one thread's own; `beside` makes another thread's. Raises LocalError or ConfigError when the CA
    bundle, the client certificate or the proxy can't be used.
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
        self.host = urlsplit(server.base_url).netloc
        self._server = server
        self._clock = clock
        self._debug = debug
        self._sign_in = SignIn(authorization)
        self._cookies = SharedCookies()
        self._proxy = proxy_for(server.base_url, environ)
        is_tls = urlsplit(server.base_url).scheme == "https"
        self._trust = tls_context(server.ca_bundle, server.client_cert) if is_tls else None
        self._deadline = 0.0
        self._came = 0
        self._session = self._open()

    def _open(self) -> requests.Session:
        session = _Session()
        session.trust_env = False
        session.auth = self._sign_in
        session.cookies = self._cookies
        # Packed, a transcript is a tenth of its size; requests would ask for whatever is installed.
        session.headers.update(
            {"User-Agent": f"smscli/{__version__}", "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        scheme = urlsplit(self._server.base_url).scheme
        if self._proxy:
            session.proxies = {scheme: self._proxy}
        session.mount(f"{scheme}://", adapter(self._watch, self._trust))
        return session

    def beside(self, debug: Callable[[str], None] | None = None) -> "Transport":
        """One for another thread: the same sign-in, cookies and CSRF token, on connections of its own.

        The secret is asked for here where that has not happened yet, so that the other thread never asks.
        """
        self._sign_in.read()
        other = copy.copy(self)
        other._debug = debug
        other._session = other._open()
        return other

    def get(self, path: str, query: Mapping[str, str]) -> Answer:
        """One GET, whatever status it brings. Raises Unreachable or WireError where no whole answer comes."""
        wait = self._server.timeout
        return self._send("GET", path, query, None, wait, wait * _TIMEOUTS_AN_ANSWER)

    def give_up(self, path: str, query: Mapping[str, str]) -> None:
        """Tell of a GET whose answer nobody waits for any more."""
        if self._debug:
            whole = urlsplit(f"{self._server.base_url}/{path}").path
            self._debug(_trace("GET", whole, query, None, None))

    def post(self, path: str, body: bytes, timeout: float | None = None) -> Answer:
        """One POST of JSON, with the CSRF token where one is known (CSRFProtection); otherwise like `get`.

        After `timeout` seconds without an answer, by default the server's, it is given up.
        """
        wait = self._server.timeout if timeout is None else timeout
        return self._send("POST", path, {}, body, wait, wait * _TIMEOUTS_A_POST)

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None, wait: float, whole: float
    ) -> Answer:
        """`wait` is for the answer to begin and to go on, `whole` for all of it, in seconds."""
        url = f"{self._server.base_url}/{path}"
        # Asking for the secret may take a person's time: it is no part of the request.
        self._sign_in.read()
        started, answer = self._clock(), None
        self._deadline, self._came = started + whole, 0
        try:
            full = f"{url}?{urlencode(query, safe='*,')}" if query else url
            answer = self._exchange(method, full, body, wait)
        except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
            proxy = urlsplit(self._proxy or "").netloc.rpartition("@")[2]
            raise failure(error, self.host, proxy, wait) from error
        finally:
            if self._debug:
                self._debug(_trace(method, urlsplit(url).path, query, answer, self._clock() - started))
        return answer

    def _exchange(self, method: str, url: str, body: bytes | None, wait: float) -> Answer:
        timeouts = (min(self._server.timeout, wait), wait)
        headers = {} if body is None else {"Content-Type": "application/json;charset=UTF-8"}
        with self._session.request(
            method, url, data=body, headers=headers, timeout=timeouts, stream=True
        ) as response:
            at = http_date(response.headers.get("Date"))
            self._sign_in.learn(response.headers)
            body = b"".join(self._body(response))
            if _has_too_many_values(body):
                raise TooLong(f"the answer of {self.host} has over {_MOST_VALUES:,} values in it")
            return Answer(
                response.status_code,
                body,
                at,
                response.headers.get("Location"),
                _seconds(response.headers.get("Retry-After"), at),
            )

    def _watch(self, came: int) -> None:
        """Keep an answer to the limits of size and time, whatever part of it comes."""
        self._came += came
        if self._came > _ANSWER_LIMIT:
            raise self._too_long()
        if self._clock() > self._deadline:
            raise TimedOut(f"the answer of {self.host} was not whole in time", hint=WAIT_LONGER)

    def _body(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it comes, unpacked, while it keeps to the limit."""
        length = response.headers.get("Content-Length", "")
        # Python refuses to read a number of thousands of digits.
        if length.isdecimal() and (len(length) > _MOST_DIGITS or int(length) > BODY_LIMIT):
            raise self._too_long()
        inflate = self._inflater(response.headers.get("Content-Encoding", ""))
        size = 0
        # `iter_content` would wait for a whole chunk.
        while data := response.raw.read1(65536, decode_content=False):
            if inflate:
                data = inflate.decompress(data, BODY_LIMIT - size)
            size += len(data)
            if size > BODY_LIMIT:
                raise self._too_long()
            yield data
        if inflate and size and not inflate.eof:
            raise Unreachable(f"the answer of {self.host} was cut short")

    def _inflater(self, encoding: str) -> "_Gunzip | None":
        match encoding.strip().lower():
            case "" | "identity":
                return None
            case "gzip" | "x-gzip":
                return _Gunzip()
        raise WireError(f"the answer of {self.host} is packed in a way nobody asked for")

    def _too_long(self) -> TooLong:
        return TooLong(f"the answer of {self.host} is over {BODY_LIMIT >> 20} MiB")

    def renew(self) -> None:
        """Ask for the secret again, and forget what belongs to the old sign-in: cookies and CSRF token."""
        self._sign_in.renew()
        self._cookies.clear()

    def veiled(self, words: str) -> str:
        """What a server says, without the secrets that it may repeat: some quote what they refuse."""
        return veiled(words, [*self._sign_in.secrets, *self._sign_in.tokens, *self._cookies.secrets])

    @property
    def is_exposed(self) -> bool:
        """Whether others on the way can read what is sent: to another machine, without TLS."""
        parts = urlsplit(self._server.base_url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    @property
    def has_csrf_token(self) -> bool:
        """Whether an answer so far has brought a CSRF token, which each POST then carries."""
        return self._sign_in.has_token

    def forget_cookies(self, prefix: str) -> None:
        """Drop the cookies whose names begin so."""
        for cookie in self._cookies:
            if cookie.name.startswith(prefix):
                # Another thread's renewal may have been faster.
                with suppress(KeyError):
                    self._cookies.clear(cookie.domain, cookie.path, cookie.name)

    def close(self) -> None:
        self._session.close()


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: no redirect is followed. Told so at a request, requests would still read its whole body."""


def _has_too_many_values(body: bytes) -> bool:
    """Whether it holds more values of JSON than memory should bear; most bodies are too short for that."""
    if len(body) <= _MOST_VALUES or _marks(body) <= _MOST_VALUES:
        return False
    # Somebody may have written as many commas.
    return _marks(_STRING.sub(b"", body)) > _MOST_VALUES


def _marks(body: bytes) -> int:
    """The signs each of which brings one more value."""
    return sum(map(body.count, (b",", b"[", b"{")))


def _trace(
    method: str, path: str, query: Mapping[str, str], answer: Answer | None, seconds: float | None
) -> str:
    """`seconds` is None where the answer was not waited for."""
    told = [f"{key}={query[key]}" for key in _TOLD if key in query]
    came = f"{answer.status} {len(answer.body)} bytes" if answer else "no answer"
    took = "given up" if seconds is None else f"{seconds * 1000:.0f} ms"
    return " ".join([method, path, *told, came, took])


def http_date(literal: str | None) -> datetime | None:
    """An HTTP date, aware and in UTC; None when absent or unreadable."""
    try:
        at = parsedate_to_datetime(literal or "")
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


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
