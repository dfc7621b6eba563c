"""A saved profile: what it holds, and how it is checked in the config file."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from smscli.errors import ConfigError, UsageError
from smscli.settings.auth_schemes import SCHEMES, AuthScheme
from smscli.settings.urls import origin_of

# A longer one is a typing error, and a much longer one overflows the system's own timeouts.
_MAX_TIMEOUT = 86400.0


class Profile(NamedTuple):
    """A saved server as in the config file: its URL not validated, its file names as written."""

    name: str
    url: str | None = None
    user: str | None = None
    auth: str = "basic"
    ca_bundle: str | None = None
    client_cert: str | None = None
    timeout: float | None = None
    password_command: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    site: str | None = None

    @property
    def origin(self) -> str | None:
        """The origin of the saved URL; None without a URL, or where it is invalid."""
        try:
            return origin_of(self.url) if self.url else None
        except UsageError:
            return None

    @property
    def scheme(self) -> AuthScheme:
        return SCHEMES[self.auth]

    @property
    def account(self) -> str | None:
        """The keyring account of its secret; None where user or URL is missing."""
        return self.scheme.account(self.user, self.name, self.origin)

    def limited_to(self, origin: str | None, user: str | None) -> "Profile":
        """This profile without what must not be used at another origin, or for another user."""
        same_origin = origin is not None and self.origin == origin
        same_user = not self.scheme.needs_user or self.user in (None, user)
        return self._replace(
            client_cert=self.client_cert if same_origin else None,
            password_command=self.password_command if same_origin and same_user else (),
            headers=self.headers if same_origin else {},
            site=self.site if same_origin else None,
        )


def is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_TIMEOUT


def _is_command(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def _are_headers(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, str)
        and _HEADER_NAME.fullmatch(name)
        and (one.isascii() and one.isprintable() and one == one.strip())
        for name, one in value.items()
    )


def _is_site(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_SITE and value.isprintable()


_LONGEST_SITE = 100
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Of the sign-in, the transport and the CSRF protection, and names that tell of a secret.
_RESERVED = re.compile(
    r"^(?:Authorization|Cookie2?|Host|Proxy-.*|Content-.*|X-CSRF-.*|Connection|Upgrade|TE|Transfer-Encoding"
    r"|Accept-Encoding|Expect|Range|If-.*)$|token|key|secret",
    re.IGNORECASE,
)
SECONDS = f"a positive number of seconds, at most {_MAX_TIMEOUT:.0f}"
_TEXT = (lambda value: isinstance(value, str), "a string")
_FILE = (lambda value: isinstance(value, str) and "\0" not in value, "a file name")
PROFILE_KEYS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "url": _TEXT,
    "user": _TEXT,
    "auth": (lambda value: value in list(SCHEMES), " or ".join(f'"{name}"' for name in SCHEMES)),
    "ca_bundle": _FILE,
    "client_cert": _FILE,
    "timeout": (is_seconds, SECONDS),
    "password_command": (_is_command, 'a list of strings, such as ["pass", "show", "gws"]'),
    "headers": (_are_headers, 'a table of strings, such as { ContactCenterId = "..." }'),
    "site": (_is_site, "a short name"),
}


def profile_from_toml(path: Path | None, name: str, table: object) -> Profile:
    """The profile of a table, without unknown keys. ConfigError for a value of a wrong type."""
    if not isinstance(table, dict):
        raise wrong_type(path, f"profiles.{name}", "a table")
    for key, (is_right, expected) in PROFILE_KEYS.items():
        if key in table and not is_right(table[key]):
            raise wrong_type(path, f"profiles.{name}.{key}", expected)
    known = {key: table[key] for key in PROFILE_KEYS if key in table}
    for header in known.get("headers", {}):
        if _RESERVED.search(header):
            raise ConfigError(
                f"{path}: profiles.{name}.headers can't have {header}",
                hint="smscli sets headers of sign-in and transport itself; a secret goes into the keyring",
            )
    return Profile(name, **known | {"password_command": tuple(known.get("password_command", ()))})


def wrong_type(path: Path | None, key: str, expected: str) -> ConfigError:
    return ConfigError(f"{path}: {key} must be {expected}")


def profile_to_toml(profile: Profile) -> dict[str, Any]:
    values = {key: getattr(profile, key) for key in PROFILE_KEYS}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value}
