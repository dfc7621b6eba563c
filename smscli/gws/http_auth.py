"""Authentication state shared by all threads: sign-in header, cookies, CSRF token."""

import re
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import requests
from requests.cookies import RequestsCookieJar

from smscli.errors import AuthError

# A shorter secret occurs in too many words.
_MIN_MASKED_LENGTH = 4
# Former secrets are kept too: a response may quote one that was renewed in the meantime.
_MAX_SECRETS = 100
_MASK = "***"
_COOKIE = "Cookie"


Header = tuple[str, str]
"""The name and value of a request header; both empty for none."""


class SharedCookies(RequestsCookieJar):
    """A cookie jar for several threads: requests iterates over it while another response may change it."""

    _cookies_lock: AbstractContextManager[bool]

    def __init__(self) -> None:
        super().__init__()
        self.secrets: deque[str] = deque(maxlen=_MAX_SECRETS)

    def __repr__(self) -> str:
        # The inherited one shows every value.
        return f"<SharedCookies {sorted(cookie.name for cookie in self)}>"

    def __iter__(self) -> Iterator[Any]:
        with self._cookies_lock:
            return iter(list(super().__iter__()))

    def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> Any:
        if cookie.value and cookie.value not in self.secrets:
            self.secrets.append(cookie.value)
        return super().set_cookie(cookie, *args, **kwargs)

    def drop(self, cookies: Iterable[Any]) -> None:
        """Remove these cookies, but for those that were replaced."""
        old = {id(cookie) for cookie in cookies}
        with self._cookies_lock:
            for cookie in [one for one in super().__iter__() if id(one) in old]:
                self.clear(cookie.domain, cookie.path, cookie.name)


class HttpAuth(requests.auth.AuthBase):
    """Adds the sign-in header to each request and the CSRF token to each POST; keeps the server's cookies.

    `sign_in` reads the secret. Cookies that sign in go with every request, but for those of which the server
    has set others; these are kept at the first `renew`, since a refusal may be of one that was replaced.
    `csrf` is the token's header and value, None without one.
    """

    def __init__(self, sign_in: Callable[[], Header]) -> None:
        self._read_sign_in = sign_in
        self._sign_in: Header | None = None
        self.cookies = SharedCookies()
        self.kept_cookies = False
        self.csrf: tuple[str, str] | None = None
        self.secrets: deque[str] = deque(maxlen=_MAX_SECRETS)
        self.tokens: deque[str] = deque(maxlen=_MAX_SECRETS)

    @property
    def is_by_cookie(self) -> bool:
        """Whether the sign-in is a session's cookie, which a redirect to sign in again refuses."""
        return self._sign_in is not None and self._sign_in[0] == _COOKIE

    def read(self) -> None:
        """Read the secret, unless that was done. Raises AuthError."""
        if self._sign_in is None:
            self._sign_in = self._read()

    def _read(self) -> Header:
        name, value = self._read_sign_in()
        # http.client would quote the whole secret in its error.
        if not (value.isascii() and value.isprintable()):
            raise AuthError("the secret has a character that an HTTP header can't carry")
        parts = _cookie_values(value) if name == _COOKIE else _secret_parts(value)
        self.secrets.extend(one for one in parts if one not in self.secrets)
        return name, value

    def renew(self) -> None:
        """Read the secret again, and drop cookies and CSRF token of the old sign-in."""
        self.csrf = None
        present = list(self.cookies)
        self.kept_cookies = not self.kept_cookies and self.is_by_cookie and self.has_replaced(present)
        if self.kept_cookies:
            return
        # The old value stays in place until the new one has been read: other threads go on using it.
        self._sign_in = self._read()
        # Not one that a response has set meanwhile.
        self.cookies.drop(present)

    def has_replaced(self, cookies: Iterable[Any] | None = None) -> bool:
        """Whether the server has set a cookie of a name that was given, among `cookies` or all there are."""
        given = {name for name, _ in _cookie_pairs(self._sign_in[1] if self._sign_in else "")}
        return any(cookie.name in given for cookie in (self.cookies if cookies is None else cookies))

    def drop_refused_cookies(self, response: requests.Response, *args: object, **kwargs: object) -> None:
        """A hook of requests: what a refusal sets, such as an anonymous session, replaces no sign-in."""
        is_refusal = response.status_code == 401 or 300 <= response.status_code < 400
        original = getattr(response.raw, "_original_response", None)
        if self.is_by_cookie and is_refusal and original is not None:
            del original.msg["Set-Cookie"]

    def store_csrf_token(self, headers: Mapping[str, str]) -> None:
        """Keeps the CSRF token of a response if its name and value can stand in a header (CSRFProtection)."""
        name, token = headers.get("X-CSRF-HEADER", ""), headers.get("X-CSRF-TOKEN", "")
        # Only X- names: Host or Content-Length would change the meaning of the request.
        if re.fullmatch(r"X-[A-Za-z0-9-]+", name, re.IGNORECASE) and re.fullmatch(r"[!-~]+", token):
            self.csrf = name, token
            if token not in self.tokens:
                self.tokens.append(token)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.read()
        name, value = self._sign_in or ("", "")
        if name == _COOKIE:
            # requests has put the jar's cookies for this path there before.
            request.headers[name] = _joined(value, request.headers.get(name, ""))
        elif name:
            request.headers[name] = value
        if self.csrf and request.method != "GET":
            name, token = self.csrf
            request.headers[name] = token
        return request


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of these secrets masked, plain or in base64."""
    plain = {secret for secret in secrets if len(secret) >= _MIN_MASKED_LENGTH}
    if not plain:
        return text
    padded = {b64encode(secret.encode(errors="replace")).decode() for secret in plain}
    forms = plain | padded | {one.rstrip("=") for one in padded}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), _MASK, text, flags=re.IGNORECASE)


def _secret_parts(authorization: str) -> Iterator[str]:
    """The header's value, its credentials, and for Basic the decoded `user:password` and the password."""
    scheme, _, credentials = authorization.partition(" ")
    yield authorization
    yield credentials
    if scheme == "Basic":
        content = b64decode(credentials)
        for pair in (content.decode("utf-8", "surrogateescape"), content.decode("latin-1")):
            yield pair
            yield pair.partition(":")[2]


def _cookie_pairs(header: str) -> Iterator[tuple[str, str]]:
    """Name and text of each cookie of a `Cookie` header, but for that by which CometD knows a browser."""
    for cookie in filter(None, map(str.strip, header.split(";"))):
        name = cookie.partition("=")[0]
        if not name.startswith("BAYEUX_BROWSER"):
            yield name, cookie


def _joined(given: str, of_server: str) -> str:
    """The cookies that were given, but for those that the server has set, and the server's."""
    own = dict(_cookie_pairs(of_server))
    kept = [cookie for name, cookie in _cookie_pairs(given) if name not in own]
    return "; ".join(filter(None, [*kept, of_server]))


def _cookie_values(header: str) -> Iterator[str]:
    """What must not be shown: the header, and each value, with and without quotes."""
    yield header
    for _, cookie in _cookie_pairs(header):
        value = cookie.partition("=")[2]
        yield value
        yield value.strip('"')
