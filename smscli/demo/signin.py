"""Who asks: HTTP Basic and Bearer sign-in, the HTTP session's cookie, and its CSRF token."""

import os
import threading
from base64 import b64decode
from binascii import Error as NotBase64

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


class HttpSessions:
    """The HTTP sessions by cookie, each with its CSRF token (CSRFProtection)."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def expire(self) -> None:
        """Forget every session, as after a restart or half an hour of silence."""
        with self._lock:
            self._tokens.clear()

    def headers(self, request: Request, options: Options) -> tuple[tuple[str, str], ...]:
        """What an answer adds: the cookie of a new session and, on a GET, the CSRF headers."""
        headers = []
        token = self._tokens.get(request.cookie(_COOKIE) or "")
        if token is None:
            cookie, token = self._open()
            headers.append(("Set-Cookie", f"{_COOKIE}={cookie};Path=/;HttpOnly"))
        if options.csrf and request.method == "GET":
            headers += [("X-CSRF-HEADER", _CSRF_HEADER), ("X-CSRF-TOKEN", token)]
        return tuple(headers)

    def forged(self, request: Request) -> bool:
        """Whether a writing request lacks its session's cookie or token."""
        token = self._tokens.get(request.cookie(_COOKIE) or "")
        return token is None or request.headers.get(_CSRF_HEADER.lower()) != token

    def _open(self) -> tuple[str, str]:
        cookie, raw = f"node0{os.urandom(12).hex()}", os.urandom(16).hex()
        token = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
        with self._lock:
            self._tokens[cookie] = token
            if len(self._tokens) > _MOST_SESSIONS:
                del self._tokens[next(iter(self._tokens))]
        return cookie, token
