"""What each request carries of who sends it: the sign-in, the cookies and the CSRF token, for all threads."""

import json
import re
import threading
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import requests
from requests.cookies import RequestsCookieJar

from smscli.errors import AuthError

# What is shorter is in too many words to be found in them.
_SHORTEST = 4
# Secrets of before are remembered too: an answer may quote one that has been renewed meanwhile.
_MOST_SECRETS = 100
_HIDDEN = "***"


class SharedCookies(RequestsCookieJar):
    """A jar for several threads: requests goes through it at each request, while another one's answer may
    add to it."""

    def __init__(self) -> None:
        super().__init__()
        self._changing = threading.RLock()
        self.secrets: deque[str] = deque(maxlen=_MOST_SECRETS)

    def __repr__(self) -> str:
        # What is inherited shows every value.
        return f"<SharedCookies {sorted(cookie.name for cookie in self)}>"

    def __iter__(self) -> Iterator[Any]:
        with self._changing:
            return iter(list(super().__iter__()))

    def set_cookie(self, cookie: Any, *arguments: Any, **named: Any) -> Any:
        if cookie.value and cookie.value not in self.secrets:
            self.secrets.append(cookie.value)
        return super().set_cookie(cookie, *arguments, **named)

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
        self.secrets: deque[str] = deque(maxlen=_MOST_SECRETS)
        self.tokens: deque[str] = deque(maxlen=_MOST_SECRETS)

    def read(self) -> str:
        if self._value is None:
            self._value = self._ask()
        return self._value

    def _ask(self) -> str:
        value = self._authorization()
        # http.client would quote the whole secret in its error.
        if not (value.isascii() and value.isprintable()):
            raise AuthError("the secret has a character that an HTTP header can't carry")
        self.secrets.extend(one for one in _parts(value) if one not in self.secrets)
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
            if token not in self.tokens:
                self.tokens.append(token)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.read()
        if self._csrf and request.method != "GET":
            name, token = self._csrf
            request.headers[name] = token
        return request


def veiled(text: str, secrets: Iterable[str]) -> str:
    """A server's words without these secrets, in whatever form it repeats them."""
    forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), _HIDDEN, text, flags=re.IGNORECASE)


def _forms(secret: str) -> Iterator[str]:
    """As it is, and as JSON, URLs, base64 and hexadecimal digits write it."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    for encoding in ("utf-8", "latin-1"):
        content = secret.encode(encoding, "replace")
        yield content.hex()
        yield from (write(content).rstrip(b"=").decode() for write in (b64encode, urlsafe_b64encode))
        yield from (write(content, safe) for write in (quote, quote_plus) for safe in ("", "/"))


def _parts(authorization: str) -> Iterator[str]:
    """What of an Authorization header must not come to light: all, its credentials, and what Basic packs."""
    scheme, _, credentials = authorization.partition(" ")
    yield authorization
    yield credentials
    if scheme == "Basic":
        content = b64decode(credentials)
        for pair in (content.decode("utf-8", "surrogateescape"), content.decode("latin-1")):
            yield pair
            yield pair.partition(":")[2]
