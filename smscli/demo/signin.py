"""Who asks: HTTP Basic and Bearer sign-in, the HTTP session's cookie, and its CSRF token."""

import os
import threading
from base64 import b64decode
from binascii import Error as NotBase64
from typing import NamedTuple

from smscli.demo.connection import Request
from smscli.demo.options import Options

BUILT_IN_PASSWORD = "demo"
_COOKIE = "JSESSIONID"
_CSRF_HEADER = "X-CSRF-TOKEN"
# A client without a cookie jar opens one HTTP session per request.
_MOST_SESSIONS = 1000


def user_of(request: Request, options: Options) -> str | None:
    """The user whose credentials the request carries; None without or with wrong ones."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return options.tokens.get(credentials)
    if scheme.lower() != "basic":
        return None
    try:
        raw = b64decode(credentials, validate=True)
    except (NotBase64, ValueError):
        return None
    passwords = {"demo": BUILT_IN_PASSWORD, "sample": BUILT_IN_PASSWORD, **options.users}
    # Clients encode as Latin-1 or as UTF-8; no page says which the server expects.
    for encoding in ("utf-8", "latin-1"):
        user, _, password = raw.decode(encoding, "replace").partition(":")
        if passwords.get(user) == password:
            return user
    return None


class HttpSession(NamedTuple):
    """One HTTP session: its cookie, its CSRF token, and whether this request has opened it."""

    cookie: str
    token: str
    new: bool

    def headers(self, request: Request, options: Options) -> tuple[tuple[str, str], ...]:
        """What an answer adds: the cookie of a new session and, on a GET, the CSRF headers."""
        headers = [("Set-Cookie", f"{_COOKIE}={self.cookie};Path=/;HttpOnly")] if self.new else []
        if options.csrf and request.method == "GET":
            headers += [("X-CSRF-HEADER", _CSRF_HEADER), ("X-CSRF-TOKEN", self.token)]
        return tuple(headers)

    def forged(self, request: Request) -> bool:
        """Whether a writing request lacks its session's cookie, and so its session, or the token."""
        return request.headers.get(_CSRF_HEADER.lower()) != self.token


class HttpSessions:
    """The HTTP sessions by cookie (CSRFProtection)."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def expire(self) -> None:
        """Forget every session, as after a restart or half an hour of silence."""
        with self._lock:
            self._tokens.clear()

    def enter(self, request: Request) -> HttpSession:
        """The session whose cookie the request carries, else a new one."""
        cookie = request.cookie(_COOKIE)
        with self._lock:
            if cookie is not None and (token := self._tokens.pop(cookie, None)):
                # Put back as the latest, so that only those no one uses are forgotten.
                self._tokens[cookie] = token
                return HttpSession(cookie, token, new=False)
            return self._open()

    def _open(self) -> HttpSession:
        cookie, raw = f"node0{os.urandom(12).hex()}", os.urandom(16).hex()
        token = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
        self._tokens[cookie] = token
        if len(self._tokens) > _MOST_SESSIONS:
            del self._tokens[next(iter(self._tokens))]
        return HttpSession(cookie, token, new=True)
