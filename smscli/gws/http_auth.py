"""Authentication state shared by all threads: Authorization header, cookies, CSRF token."""

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

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        with self._cookies_lock:
            super().clear(domain, path, name)


class HttpAuth(requests.auth.AuthBase):
    """Adds the Authorization header to each request, unless it is empty, and the CSRF token to each POST.

    `csrf` is the token's header and value, None without one.
    """

    def __init__(self, authorization: Callable[[], str]) -> None:
        self._read_authorization = authorization
        self._authorization: str | None = None
        self.csrf: tuple[str, str] | None = None
        self.secrets: deque[str] = deque(maxlen=_MAX_SECRETS)
        self.tokens: deque[str] = deque(maxlen=_MAX_SECRETS)

    def authorization(self) -> str:
        """The Authorization header's value; the secret is read once. Raises AuthError."""
        if self._authorization is None:
            self._authorization = self._read()
        return self._authorization

    def _read(self) -> str:
        value = self._read_authorization()
        # http.client would quote the whole secret in its error.
        if not (value.isascii() and value.isprintable()):
            raise AuthError("the secret has a character that an HTTP header can't carry")
        self.secrets.extend(one for one in _secret_parts(value) if one not in self.secrets)
        return value

    def renew(self) -> None:
        # The old value stays in place until the new one has been read: other threads go on using it.
        self._authorization = self._read()
        self.csrf = None

    def store_csrf_token(self, headers: Mapping[str, str]) -> None:
        """Keeps the CSRF token of a response if its name and value can stand in a header (CSRFProtection)."""
        name, token = headers.get("X-CSRF-HEADER", ""), headers.get("X-CSRF-TOKEN", "")
        # Only X- names: Host or Content-Length would change the meaning of the request.
        if re.fullmatch(r"X-[A-Za-z0-9-]+", name, re.IGNORECASE) and re.fullmatch(r"[!-~]+", token):
            self.csrf = name, token
            if token not in self.tokens:
                self.tokens.append(token)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if authorization := self.authorization():
            request.headers["Authorization"] = authorization
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
