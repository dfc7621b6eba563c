"""Profiles and settings: what the options, the environment and the config file say, resolved in one place."""

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from smscli.errors import ConfigError, UsageError
from smscli.settings.files import app_folder, locked, replace_file
from smscli.settings.urls import normalize_url, origin_of

_DEFAULT_TIMEOUT = 10.0
# Longer waits are slips of the finger, and far longer ones overflow the system's own time-outs.
_LONGEST_TIMEOUT = 86400.0


class CliOptions(NamedTuple):
    """What options said; None is not given."""

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
    """A saved server, as the config file says it: its URL unchecked, its file names as they are written."""

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
        """The origin of the saved URL; None without one, or where it is none."""
        try:
            return origin_of(self.url) if self.url else None
        except UsageError:
            return None

    def at(self, origin: str | None, user: str | None) -> "Profile":
        """This profile without what must not be used at another origin, or for another user."""
        own = origin is not None and self.origin == origin
        # A token signs in whoever it was issued to; the user beside it is only a label.
        same_user = self.auth == "token" or self.user in (None, user)
        return self._replace(
            client_cert=self.client_cert if own else None,
            password_command=self.password_command if own and same_user else (),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run works with; `timeout` in seconds.

    `auth` is "basic" or "token"; `color` "auto", "always" or "never" as the option says: what the environment
    says of colour the terminal knows, since it tells errors before there are settings.
    `base_url` (ends in `/api/v2`) and `origin` are None for the demo server and where nothing is configured.
    `password` and `token` are the environment's.
    """

    profile: str | None
    base_url: str | None
    origin: str | None
    user: str | None
    auth: str
    timeout: float
    ca_bundle: str | None
    client_cert: str | None
    password_command: tuple[str, ...]
    color: str
    debug: bool
    demo: bool
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


class Config(NamedTuple):
    """The config file's content. The methods that change it write the file and return what it says then."""

    path: Path
    profiles: Mapping[str, Profile]
    default: str | None

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Config":
        """Read the config file; a missing one is empty. ConfigError: unreadable, no TOML, wrong types."""
        path = _path(environ)
        try:
            return _parsed(path, _text(path))
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}") from error

    @classmethod
    def empty(cls, environ: Mapping[str, str]) -> "Config":
        """A config file that says nothing, whatever stands in it."""
        return cls(_path(environ), {}, None)

    def profile(self, name: str) -> Profile:
        """The profile of that name. UsageError names the nearest one there is."""
        if name in self.profiles:
            return self.profiles[name]
        from difflib import get_close_matches

        meant = "".join(f"did you mean {near!r}? " for near in get_close_matches(name, self.profiles, n=1))
        known = ", ".join(self.profiles) or "none yet, see `smscli auth login`"
        raise UsageError(f"there is no profile {name!r}", hint=f"{meant}profiles: {known}")

    def save(self, profile: Profile) -> "Config":
        """Keep `profile` in place of the one of its name; the first kept is the default. ConfigError."""
        values = _as_toml(profile)

        def change(document: MutableMapping[str, Any], now: Config) -> None:
            profiles = document.setdefault("profiles", {})
            # A new table goes in whole: tomlkit loses what is added to one whose neighbours stand apart.
            table = profiles.setdefault(profile.name, dict(values))
            with _before_the_last_comments(table):
                for key in _CHECKS:
                    if key not in values:
                        table.pop(key, None)
                    elif table.get(key) != values[key]:
                        table[key] = values[key]
            if now.default is None:
                document["default"] = profile.name

        return _edited(self.path, change)

    def use(self, name: str) -> "Config":
        """Make a profile the default. UsageError where there is none of that name; ConfigError."""
        return _edited(self.path, lambda document, now: document.update(default=now.profile(name).name))


def _path(environ: Mapping[str, str]) -> Path:
    own = environ.get("SMSCLI_CONFIG_DIR")
    folder = Path(os.path.expanduser(own)) if own else app_folder(environ, "XDG_CONFIG_HOME", ".config")
    return folder / "config.toml"


def resolve(
    given: CliOptions, environ: Mapping[str, str], config: Config, *, new_profile: bool = False
) -> Settings:
    """Option before environment before profile, for every setting.

    `new_profile` is for signing in: the profile may be one that does not exist yet, `default` where none is
    named. UsageError and ConfigError name the option, variable or key that is wrong.
    """
    demo = uses_demo(given, environ)
    profile = Profile("") if demo else _profile(given, environ, config, new_profile)
    base_url = None if demo else _base_url(given, environ, config, profile)
    origin = origin_of(base_url) if base_url else None
    token = None if demo else environ.get("SMSCLI_TOKEN") or None
    password = None if demo or token else environ.get("SMSCLI_PASSWORD") or None
    auth = "token" if token else "basic" if password else profile.auth
    user = given.user or environ.get("SMSCLI_USERNAME") or None
    if auth == "basic" or profile.auth == "token":
        user = user or profile.user
    own, folder = profile.at(origin, user), config.path.parent
    return Settings(
        profile=profile.name or None,
        base_url=base_url,
        origin=origin,
        user=user,
        auth=auth,
        timeout=_timeout(given, environ, profile),
        ca_bundle=_file(given.ca_bundle, environ.get("SMSCLI_CA_BUNDLE"), own.ca_bundle, folder),
        client_cert=_file(given.client_cert, environ.get("SMSCLI_CLIENT_CERT"), own.client_cert, folder),
        password_command=own.password_command,
        color=_color(given),
        debug=_truth(environ.get("SMSCLI_DEBUG")) if given.debug is None else given.debug,
        demo=demo,
        password=password,
        token=token,
    )


def profile_to_save(
    given: CliOptions, previous: Profile, *, url: str, user: str | None, auth: str
) -> Profile:
    """The profile to keep after signing in: the options given, else what `previous` says of the same server.

    `previous` is the saved profile, or `Profile(name)` for a new one; `url` a base URL.
    """
    kept = previous.at(origin_of(url), user)
    return kept._replace(
        url=url,
        user=user,
        auth=auth,
        ca_bundle=_absolute(given.ca_bundle) or kept.ca_bundle,
        client_cert=_absolute(given.client_cert) or kept.client_cert,
        timeout=kept.timeout if given.timeout is None else given.timeout,
        password_command=kept.password_command if auth == previous.auth else (),
    )


@contextmanager
def _before_the_last_comments(table: Any) -> Iterator[None]:
    """Have new keys stand before the comments that end a table, which speak of the next one."""
    from tomlkit import items

    body = table.value.body if isinstance(table, items.Table) else []
    end = len(body)
    while end and body[end - 1][0] is None:
        end -= 1
    last, body[end:] = body[end:], []
    yield
    body.extend(last)


def _edited(path: Path, change: Callable[[MutableMapping[str, Any], Config], None]) -> Config:
    """Change the file under its lock, and only where nothing else in it changes."""
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
                raise ValueError("the layout does not bear it")
            replace_file(path, written)
            return _parsed(path, written)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    except (ValueError, RecursionError, tomlkit.exceptions.TOMLKitError) as error:
        raise ConfigError(f"{path} can't be changed by smscli", hint="change it with an editor") from error


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file() and not os.path.samefile(path, os.devnull):
            # Reading a pipe could wait for ever, and some devices never end.
            raise ConfigError(f"{path} can't be read: it is no file")
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8") from error


def _parsed(path: Path, text: str) -> Config:
    if not text:
        return Config(path, {}, None)
    import tomllib

    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"{path} is not TOML: {reason}") from error
    for keys, expected in _wrong(document):
        raise ConfigError(f"{path}, line {_line_of(text, keys)}: {'.'.join(keys)} must be {expected}")
    profiles = {name: _from_toml(name, table) for name, table in document.get("profiles", {}).items()}
    return Config(path, profiles, document.get("default") or ("default" if "default" in profiles else None))


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LONGEST_TIMEOUT


def _is_command(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


_SECONDS = f"a positive number of seconds, at most {_LONGEST_TIMEOUT:.0f}"
_Check = tuple[Callable[[object], bool], str]
_TEXT: _Check = (lambda value: isinstance(value, str), "text")
_FILE: _Check = (lambda value: isinstance(value, str) and "\0" not in value, "the name of a file")
_CHECKS: Mapping[str, _Check] = {
    "url": _TEXT,
    "user": _TEXT,
    "auth": (lambda value: value in ("basic", "token"), '"basic" or "token"'),
    "ca_bundle": _FILE,
    "client_cert": _FILE,
    "timeout": (_is_seconds, _SECONDS),
    "password_command": (_is_command, 'a list of words, such as ["pass", "show", "gws"]'),
}


def _wrong(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each known key with a value of the wrong type, and what it should be."""
    if not isinstance(document.get("default", ""), str):
        yield ("default",), "the name of a profile"
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


def _line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line on which a value ends; tomllib keeps no places, so it is given ever more lines."""
    import tomllib

    lines = text.split("\n")
    for count in range(1, len(lines)):
        try:
            found: Any = tomllib.loads("\n".join(lines[:count]))
        except ValueError:
            continue
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return count
    return len(lines)


def _from_toml(name: str, table: Mapping[str, Any]) -> Profile:
    known = {key: table[key] for key in _CHECKS if key in table}
    return Profile(name, **known | {"password_command": tuple(known.get("password_command", ()))})


def _as_toml(profile: Profile) -> dict[str, Any]:
    values = {key: getattr(profile, key) for key in _CHECKS}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value}


def _truth(value: str | None) -> bool:
    return (value or "").lower() not in ("", "0", "false", "no", "off")


def uses_demo(given: CliOptions, environ: Mapping[str, str]) -> bool:
    """Whether the demo server is meant, for which the config file does not matter."""
    if given.demo and given.url:
        raise UsageError("--demo and --url exclude each other")
    if given.demo is not None:
        return given.demo
    return not (given.url or given.profile) and _truth(environ.get("SMSCLI_DEMO"))


def _profile(given: CliOptions, environ: Mapping[str, str], config: Config, new_profile: bool) -> Profile:
    named = given.profile or environ.get("SMSCLI_PROFILE")
    if new_profile:
        name = named or "default"
        return config.profiles.get(name) or Profile(name)
    if named:
        return config.profile(named)
    if config.default is None:
        return Profile("")
    if config.default not in config.profiles:
        raise ConfigError(
            f"{config.path}: the default is {config.default!r}, and there is no such profile",
            hint="choose one with `smscli auth use NAME`",
        )
    return config.profiles[config.default]


def _base_url(given: CliOptions, environ: Mapping[str, str], config: Config, profile: Profile) -> str | None:
    saved = f"{config.path}: profiles.{profile.name}.url"
    said = [("--url", given.url), ("SMSCLI_URL", environ.get("SMSCLI_URL")), (saved, profile.url)]
    where, url = next(((where, url) for where, url in said if url), (saved, None))
    try:
        return normalize_url(url) if url else None
    except UsageError as error:
        wrong = ConfigError if where == saved else UsageError
        raise wrong(f"{where}: {error.message}", hint=error.hint) from error


def _timeout(given: CliOptions, environ: Mapping[str, str], profile: Profile) -> float:
    text = environ.get("SMSCLI_TIMEOUT")
    if given.timeout is None and not text:
        return profile.timeout or _DEFAULT_TIMEOUT
    where, said = ("SMSCLI_TIMEOUT", text) if given.timeout is None else ("--timeout", given.timeout)
    try:
        seconds = float(said or 0)
    except ValueError:
        seconds = 0.0
    if not _is_seconds(seconds):
        raise UsageError(f"{where} must be {_SECONDS}")
    return seconds


def _color(given: CliOptions) -> str:
    if given.color not in (None, "auto", "always", "never"):
        raise UsageError(f"--color takes auto, always or never, not {given.color!r}")
    return given.color or "auto"


def _file(option: str | None, variable: str | None, saved: str | None, folder: Path) -> str | None:
    if named := option or variable:
        return os.path.expanduser(named)
    return os.path.join(folder, os.path.expanduser(saved)) if saved else None


def _absolute(path: str | None) -> str | None:
    return os.path.abspath(os.path.expanduser(path)) if path else None
