"""Profiles and settings: options, environment and config file, resolved in one place."""

import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from smscli.errors import ConfigError, UsageError, did_you_mean
from smscli.settings.auth_schemes import BASIC, SCHEMES, AuthScheme
from smscli.settings.files import app_folder, expand_home
from smscli.settings.profiles import (
    PROFILE_KEYS,
    SECONDS,
    Profile,
    is_seconds,
    profile_from_toml,
    profile_to_toml,
    wrong_type,
)
from smscli.settings.urls import normalize_url, origin_of

_DEFAULT_TIMEOUT = 10.0
EVERY_PROFILE = "*"
_SEPARATORS = frozenset(",*")


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


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolved settings of one run; `timeout` in seconds.

    `base_url` (ends in `/api/v2`) and `origin` are None for the demo server and where nothing is configured.
    `secret` is the environment's.
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
    debug: bool
    demo: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    site: str | None = None
    unknown_keys: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)


class Config(NamedTuple):
    """The content of the config file. Methods that change it write the file and return the new content.

    `path` is None where there is no home folder for it; `unknown_keys` are those of each profile, if any.
    """

    path: Path | None = None
    profiles: Mapping[str, Profile] = {}
    default: str | None = None
    unknown_keys: Mapping[str, tuple[str, ...]] = {}

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Config":
        """Read the config file; a missing one is empty. ConfigError: unreadable, not TOML, wrong types."""
        path = _path(environ)
        if path is None:
            return cls()
        try:
            return _from_document(path, _read(path)[1])
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}") from error

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

        meant = next((repr(near) for near in get_close_matches(name, self.profiles, n=1)), None)
        known = ", ".join(self.profiles) or "none yet, see `smscli auth login`"
        raise UsageError(f"there is no profile {name!r}", hint=did_you_mean(meant, f"profiles: {known}"))

    def save(self, profile: Profile, then: Callable[[], object] = lambda: None) -> "Config":
        """Save `profile` under its name; the first one saved becomes the default. ConfigError.

        `then` is called once the file is written; if it raises an error, the earlier file is restored.
        """
        from smscli.settings.config_edit import update_table

        values = profile_to_toml(profile)

        def change(document: MutableMapping[str, Any]) -> None:
            is_first = _from_document(self.path, document).default is None
            profiles = document.setdefault("profiles", {})
            # A new table is added whole: tomlkit loses keys added to it when its siblings are not adjacent.
            table = profiles.setdefault(profile.name, dict(values))
            update_table(table, {key: values.get(key) for key in PROFILE_KEYS})
            if is_first:
                document["default"] = profile.name

        return self._edited(change, then)

    def use(self, name: str) -> "Config":
        """Make a profile the default. UsageError where there is no such profile; ConfigError."""
        return self._edited(
            lambda document: document.update(default=_from_document(self.path, document).profile(name).name)
        )

    def _edited(
        self, change: Callable[[MutableMapping[str, Any]], None], then: Callable[[], object] = lambda: None
    ) -> "Config":
        from smscli.settings.config_edit import edit

        path = self.writable_path
        return _from_document(path, edit(path, _read, change, then))


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
    if options.color not in (None, "auto", "always", "never"):
        raise UsageError(f"--color takes auto, always or never, not {options.color!r}")
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
    return Settings(
        profile=profile.name or None,
        base_url=base_url,
        origin=origin,
        user=user,
        auth=auth,
        timeout=_timeout(options, environ, profile),
        ca_bundle=_file(config, environ, options.ca_bundle, "SMSCLI_CA_BUNDLE", own.ca_bundle),
        client_cert=_file(config, environ, options.client_cert, "SMSCLI_CLIENT_CERT", own.client_cert),
        password_command=own.password_command,
        debug=_is_true(environ.get("SMSCLI_DEBUG")) if options.debug is None else options.debug,
        demo=demo,
        headers=own.headers,
        site=own.site,
        unknown_keys=config.unknown_keys.get(profile.name, ()),
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
    password_command: tuple[str, ...] = (),
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
        password_command=password_command or (limited.password_command if auth is previous.scheme else ()),
    )


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of the file and the document in it; a missing file is empty. ConfigError, OSError."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):  # HOME=/dev/null
        return "", {}
    import tomllib

    try:
        text = content.decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        hint = "it is UTF-16; save it as UTF-8" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        raise ConfigError(f"{path}, line {line}: not UTF-8", hint=hint) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint=_backslash_hint(text)) from error


def _from_document(path: Path | None, document: Mapping[str, Any]) -> Config:
    """The content of a document. ConfigError for a value of a wrong type."""
    default, tables = document.get("default", ""), document.get("profiles", {})
    if not isinstance(default, str):
        raise wrong_type(path, "default", "a profile name")
    if not isinstance(tables, dict):
        raise wrong_type(path, "profiles", "a table")
    profiles = {name: profile_from_toml(path, name, table) for name, table in tables.items()}
    unknown = {name: tuple(key for key in table if key not in PROFILE_KEYS) for name, table in tables.items()}
    return Config(
        path,
        profiles,
        default or ("default" if "default" in profiles else None),
        {name: keys for name, keys in unknown.items() if keys},
    )


def _backslash_hint(text: str) -> str | None:
    """A hint for a Windows path in double quotes, where TOML reads escapes such as `\\U`."""
    found = re.search(r'"[A-Za-z]:\\[^"\n]*"', text)
    if not found or "\\\\" in found[0]:
        return None
    return f"write a path with backslashes in single quotes: '{found[0][1:-1]}'"


def _is_true(value: str | None) -> bool:
    return (value or "").lower() not in ("", "0", "false", "no", "off")


def uses_demo(options: CliOptions, environ: Mapping[str, str]) -> bool:
    """Whether to use the demo server, which needs no config file. UsageError for contradicting options."""
    if options.demo and options.url:
        raise UsageError("--demo and --url exclude each other")
    if options.demo is not None:
        return options.demo
    return not (options.url or options.profile) and _is_true(environ.get("SMSCLI_DEMO"))


def profile_names(options: CliOptions, environ: Mapping[str, str], config: Config) -> tuple[str, ...]:
    """The profiles that option or environment name, `*` for all of them; empty where neither does. UsageError
    for one that does not exist."""
    named = options.profile or environ.get("SMSCLI_PROFILE")
    if not named or named in config.profiles:
        return (named,) if named else ()
    if named == EVERY_PROFILE:
        return tuple(config.profiles)
    parts = dict.fromkeys(part.strip() for part in named.split(",") if part.strip())
    return tuple(config.profile(part).name for part in parts or [named])


def check_several_profiles(options: CliOptions, environ: Mapping[str, str]) -> None:
    """Refuse what would send one server's secret to every server. UsageError."""
    given = [f"--{name}" for name in ("url", "user") if getattr(options, name)]
    variables = ("SMSCLI_URL", "SMSCLI_USERNAME", *(scheme.variable for scheme in SCHEMES.values()))
    given += [name for name in variables if environ.get(name)]
    if given:
        raise UsageError(f"{given[0]} can't be combined with several profiles")


def _profile(options: CliOptions, environ: Mapping[str, str], config: Config, new_profile: bool) -> Profile:
    if new_profile:
        name = options.profile or environ.get("SMSCLI_PROFILE") or "default"
        if name not in config.profiles and not _SEPARATORS.isdisjoint(name):
            raise UsageError(f"a profile's name can't have a comma or an asterisk in it: {name!r}")
        return config.profiles.get(name) or Profile(name)
    names = profile_names(options, environ, config)
    if len(names) > 1 and options.profile:
        raise UsageError("several profiles work with list, tail and check only")
    if names:
        return config.profiles[names[0]]
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
    if not is_seconds(seconds):
        raise UsageError(f"{where} must be {SECONDS}")
    return seconds


def _file(
    config: Config, environ: Mapping[str, str], option: str | None, variable: str, saved: str | None
) -> str | None:
    """The file that option, variable or profile names; the profile's is relative to the config file."""
    # An empty variable counts as not set; an empty option is refused.
    name = (environ.get(variable) or None) if option is None else option
    if name is not None:
        return expand_home(name, environ)
    if not saved or config.path is None:
        return None
    return os.path.join(config.path.parent, expand_home(saved, environ))


def _absolute(name: str | None, environ: Mapping[str, str]) -> str | None:
    return os.path.abspath(expand_home(name, environ)) if name else None
