"""Who sends a request: HTTP Basic authentication and the cookie of the HTTP session."""

import os
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import NamedTuple

from smscli.demo.http_server import DemoRequest

PASSWORD = "demo"
USERS = {"demo": PASSWORD, "sample": PASSWORD}
SESSION_COOKIE = "JSESSIONID"


class HttpSession(NamedTuple):
    """An HTTP session, known by its cookie; `new` if this request has opened it."""

    cookie: str
    new: bool


def basic_user(request: DemoRequest, passwords: Mapping[str, str]) -> str | None:
    """The user whose Basic credentials the request carries; None without or with wrong ones."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = b64decode(credentials, validate=True)
    except (Base64Error, ValueError):
        return None
    # Clients encode as Latin-1 or as UTF-8; no page says which the server expects.
    for encoding in ("utf-8", "latin-1"):
        user, _, password = raw.decode(encoding, "replace").partition(":")
        if passwords.get(user) == password:
            return user
    return None


def new_cookie() -> str:
    """The cookie of a new HTTP session, in the form of the servlet container."""
    return f"node0{os.urandom(12).hex()}"
