"""Authentication state shared by all threads: sign-in header, cookies, CSRF token."""

import re
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
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
    """A cookie jar for several threads: requests iterates over it while another response may change it.

    It is for one server: cookies that were `given` go with every request, until the server sets them anew.
    """

    _cookies_lock: AbstractContextManager[bool]

    def __init__(self) -> None:
        super().__init__()
        self.secrets: deque[str] = deque(maxlen=_MAX_SECRETS)
        self._given: set[str] = set()

    def give(self, cookies: str) -> None:
        """Add the cookies of a `Cookie` header."""
        for cookie in filter(None, map(str.strip, cookies.split(";"))):
            name, _, value = cookie.partition("=")
            self._given.discard(name)
            # Without a domain: the path and domain that the server uses are not known.
            self.set(name, value, domain="", path="/")
            self._given.add(name)

    def __repr__(self) -> str:
        # The inherited one shows every value.
        return f"<SharedCookies {sorted(cookie.name for cookie in self)}>"

    def __iter__(self) -> Iterator[Any]:
        with self._cookies_lock:
            return iter(list(super().__iter__()))

    def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> Any:
        if cookie.value and cookie.value not in self.secrets:
            self.secrets.append(cookie.value)
        with self._cookies_lock:
            if cookie.name in self._given:
                # The server's own, of whatever domain and path, takes its place.
                self._given.remove(cookie.name)
                with suppress(KeyError):
                    self.clear("", "/", cookie.name)
            return super().set_cookie(cookie, *args, **kwargs)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        with self._cookies_lock:
            super().clear(domain, path, name)


class HttpAuth(requests.auth.AuthBase):
    """Adds the sign-in header to each request and the CSRF token to each POST; keeps the server's cookies.

    `sign_in` reads the secret; a `Cookie` header becomes part of `cookies`, which the server may set anew.
    `csrf` is the token's header and value, None without one.
    """

    def __init__(self, sign_in: Callable[[], Header]) -> None:
        self._read_sign_in = sign_in
        self._sign_in: Header | None = None
        self.cookies = SharedCookies()
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
            self._give_cookies()

    def _read(self) -> Header:
        name, value = self._read_sign_in()
        # http.client would quote the whole secret in its error.
        if not (value.isascii() and value.isprintable()):
            raise AuthError("the secret has a character that an HTTP header can't carry")
        self.secrets.extend(one for one in _secret_parts(value) if one not in self.secrets)
        return name, value

    def renew(self) -> None:
        """Read the secret again, and drop cookies and CSRF token of the old sign-in."""
        # The old value stays in place until the new one has been read: other threads go on using it.
        self._sign_in = self._read()
        self.csrf = None
        self.cookies.clear()
        self._give_cookies()

    def _give_cookies(self) -> None:
        if self._sign_in is not None and self.is_by_cookie:
            self.cookies.give(self._sign_in[1])

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
        if self._sign_in and self._sign_in[0] not in ("", _COOKIE):
            name, value = self._sign_in
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
