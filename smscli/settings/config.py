"""Profiles and settings: options, environment and config file, resolved in one place."""

import codecs
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from smscli.errors import ConfigError, UsageError
from smscli.settings.auth_schemes import BASIC, SCHEMES, AuthScheme
from smscli.settings.files import app_folder, expand_home, locked, replace_file
from smscli.settings.urls import normalize_url, origin_of

_DEFAULT_TIMEOUT = 10.0
# A longer one is a typing error, and a much longer one overflows the system's own timeouts.
_MAX_TIMEOUT = 86400.0


class CliOptions(NamedTuple):
    """The global options; None for one that is not given."""

    profile: str | None = None
    url: str | None = None
    user: str | None = None
    demo: bool | None = None
    timeout: float | None = None
    ca_bundle: str | None = None
    client_cert: str | None = None
    color: str | None = None
    debug: bool | None = None


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

    def limited_to(self, origin: str | None, user: str | None) -> "Profile":
        """This profile without what must not be used at another origin, or for another user."""
        same_origin = origin is not None and self.origin == origin
        same_user = not self.scheme.needs_user or self.user in (None, user)
        return self._replace(
            client_cert=self.client_cert if same_origin else None,
            password_command=self.password_command if same_origin and same_user else (),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolved settings of one run; `timeout` in seconds.

    `color` is the option's value, "auto", "always" or "never"; the terminal reads the environment's by
    itself, since errors are printed before there are settings. `base_url` (ends in `/api/v2`) and `origin`
    are None for the demo server and where nothing is configured. `secret` is the environment's.
    """

    profile: str | None
    base_url: str | None
    origin: str | None
    user: str | None
    auth: AuthScheme
    timeout: float
    ca_bundle: str | None
    client_cert: str | None
    password_command: tuple[str, ...]
    color: str
    debug: bool
    demo: bool
    secret: str | None = field(default=None, repr=False)


class Config(NamedTuple):
    """The content of the config file. Methods that change it write the file and return the new content.

    `path` is None where there is no home folder for it.
    """

    path: Path | None
    profiles: Mapping[str, Profile]
    default: str | None

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Config":
        """Read the config file; a missing one is empty. ConfigError: unreadable, not TOML, wrong types."""
        path = _path(environ)
        if path is None:
            return cls(None, {}, None)
        try:
            return _parsed(path, _text(path))
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}") from error

    @classmethod
    def empty(cls, environ: Mapping[str, str]) -> "Config":
        """An empty configuration, without reading the file."""
        return cls(_path(environ), {}, None)

    @property
    def writable_path(self) -> Path:
        """The path to save to. ConfigError without a home folder."""
        if self.path is None:
            raise ConfigError(
                "there is no home folder to save the config file in",
                hint="set HOME or SMSCLI_CONFIG_DIR to an absolute path",
            )
        return self.path

    def profile(self, name: str) -> Profile:
        """The profile of that name. UsageError suggests the closest name."""
        if name in self.profiles:
            return self.profiles[name]
        from difflib import get_close_matches

        meant = "".join(f"did you mean {near!r}? " for near in get_close_matches(name, self.profiles, n=1))
        known = ", ".join(self.profiles) or "none yet, see `smscli auth login`"
        raise UsageError(f"there is no profile {name!r}", hint=f"{meant}profiles: {known}")

    def save(self, profile: Profile, then: Callable[[], object] = lambda: None) -> "Config":
        """Save `profile` under its name; the first one saved becomes the default. ConfigError.

        `then` is called once the file is written; if it raises an error, the earlier file is restored.
        """
        values = _as_toml(profile)

        def change(document: MutableMapping[str, Any], now: Config) -> None:
            profiles = document.setdefault("profiles", {})
            # A new table is added whole: tomlkit loses keys added to it when its siblings are not adjacent.
            table = profiles.setdefault(profile.name, dict(values))
            with _before_trailing_comments(table):
                for key in _CHECKS:
                    if key not in values:
                        table.pop(key, None)
                    elif table.get(key) != values[key]:
                        table[key] = values[key]
            if now.default is None:
                document["default"] = profile.name

        return _edited(self.writable_path, change, then)

    def use(self, name: str) -> "Config":
        """Make a profile the default. UsageError where there is no such profile; ConfigError."""
        return _edited(
            self.writable_path, lambda document, now: document.update(default=now.profile(name).name)
        )


def _path(environ: Mapping[str, str]) -> Path | None:
    own = environ.get("SMSCLI_CONFIG_DIR")
    folder = Path(expand_home(own, environ)) if own else app_folder(environ, "config")
    return folder / "config.toml" if folder and folder.is_absolute() else None


def resolve(
    options: CliOptions, environ: Mapping[str, str], config: Config, *, new_profile: bool = False
) -> Settings:
    """Every setting, from the option, else the environment, else the profile.

    `new_profile` (signing in) allows a profile that does not exist yet, by default one named `default`.
    UsageError and ConfigError name the option, variable or key that is wrong.
    """
    demo = uses_demo(options, environ)
    profile = Profile("") if demo else _profile(options, environ, config, new_profile)
    base_url = None if demo else _base_url(options, environ, config, profile)
    origin = origin_of(base_url) if base_url else None
    scheme, secret = (BASIC, None) if demo else _environment_secret(environ)
    auth = scheme or profile.scheme
    user = options.user or (None if demo else environ.get("SMSCLI_USERNAME")) or None
    # The saved user does not own a token or cookie that the environment holds.
    if auth.needs_user or not profile.scheme.needs_user:
        user = user or profile.user
    own = profile.limited_to(origin, user)
    files = _Files(environ, config.path)
    return Settings(
        profile=profile.name or None,
        base_url=base_url,
        origin=origin,
        user=user,
        auth=auth,
        timeout=_timeout(options, environ, profile),
        ca_bundle=files.chosen(options.ca_bundle, environ.get("SMSCLI_CA_BUNDLE"), own.ca_bundle),
        client_cert=files.chosen(options.client_cert, environ.get("SMSCLI_CLIENT_CERT"), own.client_cert),
        password_command=own.password_command,
        color=_color(options),
        debug=_is_true(environ.get("SMSCLI_DEBUG")) if options.debug is None else options.debug,
        demo=demo,
        secret=secret,
    )


def _environment_secret(environ: Mapping[str, str]) -> tuple[AuthScheme | None, str | None]:
    for scheme in reversed(SCHEMES.values()):
        if secret := environ.get(scheme.variable):
            return scheme, secret
    return None, None


def profile_to_save(
    options: CliOptions,
    environ: Mapping[str, str],
    previous: Profile,
    *,
    url: str,
    user: str | None,
    auth: AuthScheme,
) -> Profile:
    """The profile to save after signing in: the options, else the values of `previous` for the same server.

    File names of options are saved as absolute paths; `environ` says where the home is.
    `previous` is the saved profile, or `Profile(name)` for a new one; `url` is a base URL.
    """
    limited = previous.limited_to(origin_of(url), user)
    return limited._replace(
        url=url,
        user=user,
        auth=auth.name,
        ca_bundle=_absolute(options.ca_bundle, environ) or limited.ca_bundle,
        client_cert=_absolute(options.client_cert, environ) or limited.client_cert,
        timeout=limited.timeout if options.timeout is None else options.timeout,
        password_command=limited.password_command if auth is previous.scheme else (),
    )


@contextmanager
def _before_trailing_comments(table: Any) -> Iterator[None]:
    """Insert new keys before the comments at the end of a table, which belong to the next one."""
    from tomlkit import items

    body = table.value.body if isinstance(table, items.Table) else []
    end = len(body)
    while end and body[end - 1][0] is None:
        end -= 1
    last, body[end:] = body[end:], []
    yield
    body.extend(last)


def _edited(
    path: Path,
    change: Callable[[MutableMapping[str, Any], Config], None],
    then: Callable[[], object] = lambda: None,
) -> Config:
    """Change the file under its lock; refuse where tomlkit would damage the rest of it."""
    import tomllib

    import tomlkit

    try:
        with locked(path):
            text = _text(path)
            now = _parsed(path, text)
            document, expected = tomlkit.parse(text), tomllib.loads(text)
            change(document, now)
            change(expected, now)
            written = tomlkit.dumps(document)
            if tomllib.loads(written) != expected:
                raise ValueError("tomlkit changed more than it should")
            try:
                replace_file(path, written)
                then()
            except BaseException:
                _restore(path, text)
                raise
            return _parsed(path, written)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    except (ValueError, tomlkit.exceptions.TOMLKitError) as error:
        raise ConfigError(f"{path} can't be changed by smscli", hint="change it with an editor") from error


def _restore(path: Path, text: str) -> None:
    with suppress(OSError):
        if text:
            replace_file(path, text)
        else:
            path.unlink()


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):  # HOME=/dev/null
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        hint = "it is UTF-16; save it as UTF-8" if is_utf_16 else None
        raise ConfigError(f"{path}, line {line}: not UTF-8", hint=hint) from error


def _parsed(path: Path, text: str) -> Config:
    if not text:
        return Config(path, {}, None)
    import tomllib

    try:
        document = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint=_backslash_hint(text)) from error
    for keys, expected in _type_errors(document):
        raise ConfigError(f"{path}: {'.'.join(keys)} must be {expected}")
    profiles = {name: _from_toml(name, table) for name, table in document.get("profiles", {}).items()}
    return Config(path, profiles, document.get("default") or ("default" if "default" in profiles else None))


def _backslash_hint(text: str) -> str | None:
    """A hint for a Windows path in double quotes, where TOML reads escapes such as `\\U`."""
    import re

    found = re.search(r'"[A-Za-z]:\\[^"\n]*"', text)
    if not found or "\\\\" in found[0]:
        return None
    return f"write a path with backslashes in single quotes: '{found[0][1:-1]}'"


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_TIMEOUT


def _is_command(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


_SECONDS = f"a positive number of seconds, at most {_MAX_TIMEOUT:.0f}"
_Check = tuple[Callable[[object], bool], str]
_TEXT: _Check = (lambda value: isinstance(value, str), "a string")
_FILE: _Check = (lambda value: isinstance(value, str) and "\0" not in value, "a file name")
_CHECKS: Mapping[str, _Check] = {
    "url": _TEXT,
    "user": _TEXT,
    "auth": (
        lambda value: isinstance(value, str) and value in SCHEMES,
        " or ".join(f'"{name}"' for name in SCHEMES),
    ),
    "ca_bundle": _FILE,
    "client_cert": _FILE,
    "timeout": (_is_seconds, _SECONDS),
    "password_command": (_is_command, 'a list of strings, such as ["pass", "show", "gws"]'),
}


def _type_errors(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each known key that has a wrong value, and what it must be."""
    if not isinstance(document.get("default", ""), str):
        yield ("default",), "a profile name"
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict):
        yield ("profiles",), "a table"
        return
    for name, table in profiles.items():
        if not isinstance(table, dict):
            yield ("profiles", name), "a table"
            continue
        for key, (is_right, expected) in _CHECKS.items():
            if key in table and not is_right(table[key]):
                yield ("profiles", name, key), expected


def _from_toml(name: str, table: Mapping[str, Any]) -> Profile:
    known = {key: table[key] for key in _CHECKS if key in table}
    return Profile(name, **known | {"password_command": tuple(known.get("password_command", ()))})


def _as_toml(profile: Profile) -> dict[str, Any]:
    values = {key: getattr(profile, key) for key in _CHECKS}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value}


def _is_true(value: str | None) -> bool:
    return (value or "").lower() not in ("", "0", "false", "no", "off")


def uses_demo(options: CliOptions, environ: Mapping[str, str]) -> bool:
    """Whether to use the demo server, which needs no config file. UsageError for contradicting options."""
    if options.demo and options.url:
        raise UsageError("--demo and --url exclude each other")
    if options.demo is not None:
        return options.demo
    return not (options.url or options.profile) and _is_true(environ.get("SMSCLI_DEMO"))


def _profile(options: CliOptions, environ: Mapping[str, str], config: Config, new_profile: bool) -> Profile:
    named = options.profile or environ.get("SMSCLI_PROFILE")
    if new_profile:
        name = named or "default"
        return config.profiles.get(name) or Profile(name)
    if named:
        return config.profile(named)
    if config.default is None:
        return Profile("")
    if config.default not in config.profiles:
        raise ConfigError(
            f"{config.path}: the default profile {config.default!r} does not exist",
            hint="choose one with `smscli auth use NAME`",
        )
    return config.profiles[config.default]


def _base_url(
    options: CliOptions, environ: Mapping[str, str], config: Config, profile: Profile
) -> str | None:
    saved = f"{config.path}: profiles.{profile.name}.url"
    sources = [("--url", options.url), ("SMSCLI_URL", environ.get("SMSCLI_URL")), (saved, profile.url)]
    where, url = next(((where, url) for where, url in sources if url), (saved, None))
    try:
        return normalize_url(url) if url else None
    except UsageError as error:
        error_class = ConfigError if where == saved else UsageError
        raise error_class(f"{where}: {error.message}", hint=error.hint) from error


def _timeout(options: CliOptions, environ: Mapping[str, str], profile: Profile) -> float:
    text = environ.get("SMSCLI_TIMEOUT")
    if options.timeout is None and not text:
        return profile.timeout or _DEFAULT_TIMEOUT
    where, value = ("SMSCLI_TIMEOUT", text) if options.timeout is None else ("--timeout", options.timeout)
    try:
        seconds = float(value or 0)
    except ValueError:
        seconds = 0.0
    if not _is_seconds(seconds):
        raise UsageError(f"{where} must be {_SECONDS}")
    return seconds


def _color(options: CliOptions) -> str:
    if options.color not in (None, "auto", "always", "never"):
        raise UsageError(f"--color takes auto, always or never, not {options.color!r}")
    return options.color or "auto"


class _Files(NamedTuple):
    """File names of one environment; those of a profile are relative to the config file's folder."""

    environ: Mapping[str, str]
    config: Path | None

    def chosen(self, option: str | None, variable: str | None, saved: str | None) -> str | None:
        # An empty variable counts as not set; an empty option is refused.
        if option is not None or variable:
            return expand_home(option if option is not None else variable or "", self.environ)
        if not saved or self.config is None:
            return None
        return os.path.join(self.config.parent, expand_home(saved, self.environ))


def _absolute(name: str | None, environ: Mapping[str, str]) -> str | None:
    return os.path.abspath(expand_home(name, environ)) if name else None
