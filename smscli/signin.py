"""What each request carries of who sends it: the sign-in, the cookies and the CSRF token, for all threads."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
from requests.cookies import RequestsCookieJar

from smscli.errors import AuthError


class SharedCookies(RequestsCookieJar):
    """A jar for several threads: requests goes through it at each request, while another one's answer may
    add to it."""

    def __init__(self) -> None:
        super().__init__()
        self._changing = threading.RLock()

    def __repr__(self) -> str:
        # What is inherited shows every value.
        return f"<SharedCookies {sorted(cookie.name for cookie in self)}>"

    def __iter__(self) -> Iterator[Any]:
        with self._changing:
            return iter(list(super().__iter__()))

    def extract_cookies(self, response: Any, request: Any) -> None:
        with self._changing:
            super().extract_cookies(response, request)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        with self._changing:
            super().clear(domain, path, name)


class SignIn(requests.auth.AuthBase):
    """Puts the Authorization header on each request, and the CSRF token where it is needed; the secret is
    asked for once."""

    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization
        self._value: str | None = None
        self._csrf: tuple[str, str] | None = None

    def read(self) -> str:
        if self._value is None:
            self._value = self._ask()
        return self._value

    def _ask(self) -> str:
        value = self._authorization()
        # http.client would quote the whole secret in its error.
        if not (value.isascii() and value.isprintable()):
            raise AuthError("the secret has a character that an HTTP header can't carry")
        return value

    def renew(self) -> None:
        # The old value stays until the new one is there: another thread finds one at any time.
        self._value = self._ask()
        self._csrf = None

    @property
    def has_token(self) -> bool:
        """Whether the server has given a CSRF token (CSRFProtection)."""
        return self._csrf is not None

    def learn(self, headers: Mapping[str, str]) -> None:
        """Keep the token that an answer brings, if both its name and itself can stand in a header."""
        name, token = headers.get("X-CSRF-HEADER", ""), headers.get("X-CSRF-TOKEN", "")
        # No other name: one like Host or Content-Length would turn the request into another.
        if re.fullmatch(r"X-[A-Za-z0-9-]+", name, re.IGNORECASE) and re.fullmatch(r"[!-~]+", token):
            self._csrf = name, token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.read()
        if self._csrf and request.method != "GET":
            name, token = self._csrf
            request.headers[name] = token
        return request
