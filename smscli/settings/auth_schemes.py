"""Sign-in methods, one class each: header, keyring account, environment variable and option."""

import re
from abc import ABC, abstractmethod
from typing import ClassVar

from smscli.errors import AuthError

Header = tuple[str, str]
"""The name and value of a request header."""


class AuthScheme(ABC):
    """A way to sign in.

    `name` is the profile's `auth`; `secret_name` says what the secret is, in prompts and errors; `variable`
    is the environment variable that holds it, `stdin_option` the option of `auth login` that reads it from
    standard input. With `needs_user` the secret belongs to a user; otherwise the user is only a label, and
    the secret is stored under the profile's name. `login_option` is what hints to sign
    in again add to `smscli auth login`.
    """

    name: ClassVar[str]
    secret_name: ClassVar[str]
    variable: ClassVar[str]
    stdin_option: ClassVar[str]
    needs_user: ClassVar[bool]
    login_option: ClassVar[str] = ""

    def __repr__(self) -> str:
        return self.name

    def account(self, user: str | None, profile: str | None, origin: str | None) -> str | None:
        """The keyring account of a secret, `USER@https://host:443`; None where a part of it is missing."""
        owner = user if self.needs_user else profile
        return f"{owner}@{origin}" if owner and origin else None

    def check(self, user: str | None, secret: str, source: str) -> None:
        """Raise AuthError where HTTP can't carry user or secret; it names the secret's `source` only."""
        # It was read from UTF-16, as PowerShell writes files.
        if "\0" in secret:
            raise AuthError(
                f"the {self.secret_name}{_of(source)} has a NUL character in it",
                hint="if its file is UTF-16, save it as UTF-8",
            )

    @abstractmethod
    def header(self, user: str | None, secret: str) -> Header:
        """The header that signs in, for what `check` accepts."""


def _of(source: str) -> str:
    """Where a secret came from; who has just typed it knows."""
    return "" if source == "login" else f" ({source})"


class Token(AuthScheme):
    """A bearer token."""

    name = "token"
    secret_name = "token"
    variable = "SMSCLI_TOKEN"
    stdin_option = "--token-stdin"
    needs_user = False

    def check(self, user: str | None, secret: str, source: str) -> None:
        super().check(user, secret, source)
        if not secret or " " in secret or not (secret.isascii() and secret.isprintable()):
            raise AuthError(f"the token{_of(source)} is empty, or has a character that tokens can't have")

    def header(self, user: str | None, secret: str) -> Header:
        return "Authorization", f"Bearer {secret}"


class SessionCookie(AuthScheme):
    """The cookies of a session that was signed in elsewhere, as single sign-on does in a browser."""

    name = "cookie"
    secret_name = "cookie"
    variable = "SMSCLI_COOKIE"
    stdin_option = "--cookie-stdin"
    needs_user = False
    login_option = "--cookie-stdin"

    def check(self, user: str | None, secret: str, source: str) -> None:
        super().check(user, secret, source)
        if not (_COOKIES.fullmatch(_cookies(secret)) and secret.isascii() and secret.isprintable()):
            raise AuthError(
                f"the cookie{_of(source)} is not of the form NAME=VALUE",
                hint="copy the value of the Cookie header, or only JSESSIONID=..., from the browser",
            )

    def header(self, user: str | None, secret: str) -> Header:
        return "Cookie", _cookies(secret)


# Several are separated by semicolons (RFC 6265, 4.2.1).
_COOKIES = re.compile(r"[^\s=;,]+=[^\s;]*(?:;\s*[^\s=;,]+=[^\s;]*)*")


def _cookies(secret: str) -> str:
    """The header's value; developer tools copy its name too."""
    return re.sub(r"(?i)^cookie:", "", secret.strip()).strip(" ;")


class Basic(AuthScheme):
    """HTTP Basic: a user and a password."""

    name = "basic"
    secret_name = "password"
    variable = "SMSCLI_PASSWORD"
    stdin_option = "--password-stdin"
    needs_user = True

    def check(self, user: str | None, secret: str, source: str) -> None:
        super().check(user, secret, source)
        if not secret:
            raise AuthError(f"the password{_of(source)} is empty")
        if not user or any(char == ":" or char < " " or char == "\x7f" for char in user):
            raise AuthError("the user name is empty, or has a colon or a control character in it")
        try:
            self._encoded(user, secret)
        except UnicodeEncodeError:
            # The error's own text contains user and password.
            raise AuthError(f"user or password{_of(source)} has a lone surrogate in it") from None

    def header(self, user: str | None, secret: str) -> Header:
        import base64

        return "Authorization", f"Basic {base64.b64encode(self._encoded(user or '', secret)).decode()}"

    @staticmethod
    def _encoded(user: str, secret: str) -> bytes:
        """Latin-1 where it fits, as servers expect it, else UTF-8."""
        pair = f"{user}:{secret}"
        try:
            return pair.encode("latin-1")
        except UnicodeEncodeError:
            # Bytes that are not UTF-8 arrive as lone surrogates.
            return pair.encode("utf-8", "surrogateescape")


BASIC, COOKIE, TOKEN = Basic(), SessionCookie(), Token()
# Where the environment has several secrets, the last one of these is used.
SCHEMES: dict[str, AuthScheme] = {scheme.name: scheme for scheme in (BASIC, COOKIE, TOKEN)}
VARIABLES = "SMSCLI_PASSWORD, SMSCLI_COOKIE or SMSCLI_TOKEN"
