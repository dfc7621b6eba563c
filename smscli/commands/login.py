"""`smscli auth login`: find the server, check a secret with it, and store both or neither."""

import json
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from smscli.commands import options as opt
from smscli.commands.notices import notice_overrides
from smscli.context import AppContext
from smscli.errors import (
    AuthError,
    ConfigError,
    LocalError,
    NotPermitted,
    Redirected,
    ServerError,
    SmscliError,
    UsageError,
)
from smscli.output.console import shell_words
from smscli.sanitize import clean
from smscli.settings.auth_schemes import BASIC, COOKIE, TOKEN, AuthScheme
from smscli.settings.config import CliOptions, profile_to_save
from smscli.settings.credentials import Credential, decode_secret, run_password_command
from smscli.settings.profiles import Profile
from smscli.settings.urls import normalize_url

# A secret is one line; no more than this is read from standard input.
_MAX_SECRET = 65536
# Of an answer on a terminal: a server's URL, a secret. More could lock the account.
_TRIES = 3
# A terminal hands over at most so many characters of a line (Linux 4,095; macOS 1,023).
_LONGEST_LINE = 1023 if sys.platform == "darwin" else 4095


def login(
    app: AppContext,
    password_stdin: opt.PasswordStdinOption = False,
    token_stdin: opt.TokenStdinOption = False,
    cookie_stdin: opt.CookieStdinOption = False,
    password_command: opt.PasswordCommandOption = None,
) -> None:
    """Sign in, and store the secret in the keyring.

    Prompts for server, user and password where no option gives them; an empty user prompts for a token, and a
    server with single sign-on for the cookie of a browser's session. The server must answer like Genesys Web
    Services before it is sent a secret, and accept the secret before anything is stored. Everything but the
    secret is saved in the config file, with the options given.
    """
    way = _Way.of(app, {BASIC: password_stdin, COOKIE: cookie_stdin, TOKEN: token_stdin}, password_command)
    _ = app.config.writable_path  # raises ConfigError before anything is asked for
    app.allow_new_profile()
    if app.settings.demo:
        raise UsageError("auth login is for a real server; --demo signs in by itself")
    way.check_usage(app, _saved(app))
    redirect = _find_server(app, way)
    if redirect and way.scheme and way.scheme is not COOKIE:
        # Every request is redirected: the secret would go to where the redirect leads.
        raise redirect
    by_cookie = redirect or (_saved(app).scheme is COOKIE and not app.options.user)
    scheme = way.scheme or (COOKIE if by_cookie else None)
    user = app.settings.user
    if user is None and (scheme is None or scheme.needs_user):
        user = _prompt(app, "user (empty for a token)").strip() or None
        app.add_options(CliOptions(user=user))
    scheme = scheme or (BASIC if user else TOKEN)
    if scheme.needs_user:
        scheme.check(user, "secret", "login")  # the user, before the secret is asked for
    else:
        user = app.options.user
    previous = _saved(app)
    profile = profile_to_save(
        app.options,
        app.environ,
        previous,
        url=app.base_url,
        user=user,
        auth=scheme,
        password_command=way.command,
    )
    old_secret = None if way.command else _stored_secret(app, profile)
    credential, name = _accepted(app, way, scheme, user)
    if way.command:
        app.config = app.config.save(profile)
    else:
        _store(app, profile, credential, old_secret)
        _forget(app, previous)
    app.say(f"signed in to {app.host} as {name}, profile {profile.name}")
    notice_overrides(app, profile._replace(password_command=()) if way.command else profile)
    option = "" if app.config.default == profile.name else f" --profile {shell_words([profile.name])}"
    app.say(f"next: smscli{option} list")


class _Way(NamedTuple):
    """How the secret is given: `scheme` None where prompts decide; `command` prints it; `reads_stdin`."""

    scheme: AuthScheme | None
    reads_stdin: bool
    command: tuple[str, ...]
    can_prompt: bool

    @classmethod
    def of(cls, app: AppContext, given: dict[AuthScheme, bool], command: str | None) -> "_Way":
        """From the options. UsageError."""
        options = [scheme.stdin_option for scheme, is_given in given.items() if is_given]
        options += ["--password-command"] if command is not None else []
        if len(options) > 1:
            raise UsageError(f"{options[0]} and {options[1]} exclude each other")
        words = _words(command) if command is not None else ()
        scheme = next((scheme for scheme, is_given in given.items() if is_given), None)
        if scheme and sys.stdin is None:
            raise LocalError("standard input can't be read: it is closed")
        is_terminal = sys.stdin is not None and sys.stdin.isatty()
        can_prompt = is_terminal and app.terminal.err_tty
        return cls(scheme, scheme is not None and not can_prompt, words, can_prompt)

    def check_usage(self, app: AppContext, saved: Profile) -> None:
        """Without a terminal everything must be given. UsageError."""
        if self.can_prompt:
            return
        missing = None
        scheme = self.scheme or (saved.scheme if saved.scheme is COOKIE else BASIC)
        if app.settings.base_url is None:
            missing = "--url"
        elif app.settings.user is None and scheme.needs_user:
            missing = "--user"
        elif not (self.reads_stdin or self.command):
            missing = BASIC.stdin_option
        if missing:
            raise UsageError(f"auth login needs {missing} without a terminal to prompt on")

    def secret(self, app: AppContext, scheme: AuthScheme, user: str | None) -> str:
        """The secret, read in this way. AuthError, LocalError."""
        if self.command:
            return run_password_command(self.command)
        if self.reads_stdin:
            return decode_secret(sys.stdin.buffer.readline(_MAX_SECRET))
        owner = f" of {clean(user)}" if user else ""
        secret = _hidden_prompt(app, f"{scheme.secret_name}{owner} at {app.host}")
        if len(secret) >= _LONGEST_LINE:
            raise AuthError(
                f"the {scheme.secret_name} was cut by the terminal, at {len(secret)} characters",
                hint=f"write it to a file, and use {scheme.stdin_option} < FILE",
            )
        return secret


def _words(command: str) -> tuple[str, ...]:
    """The program and its arguments, split as the system's shell does. UsageError."""
    try:
        words = _windows_words(command) if sys.platform == "win32" else shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--password-command: {str(error).lower()}") from error
    if not words:
        raise UsageError("--password-command takes a program and its arguments")
    return tuple(words)


def _windows_words(command: str) -> list[str]:
    import ctypes

    if sys.platform != "win32" or not command.strip():
        return []
    number = ctypes.c_int()
    split = ctypes.windll.shell32.CommandLineToArgvW
    split.restype = ctypes.POINTER(ctypes.c_wchar_p)
    words = split(ctypes.c_wchar_p(command), ctypes.byref(number))
    return [words[place] or "" for place in range(number.value)]


def _saved(app: AppContext) -> Profile:
    """The profile of that name; a new one is empty."""
    name = app.settings.profile or "default"
    return app.config.profiles.get(name, Profile(name))


def _find_server(app: AppContext, way: _Way) -> Redirected | None:
    """Make sure that the server answers like Genesys Web Services, asking for another URL up to three times;
    its redirect to a sign-in, if it does that."""
    if app.settings.base_url is not None:
        return _probe(app)
    for tries_left in reversed(range(_TRIES)):
        url = _prompt(app, "server URL").strip()
        try:
            app.add_options(CliOptions(url=normalize_url(url)))
            return _probe(app)
        except UsageError as error:
            wrong: SmscliError = ConfigError(error.message, hint=error.hint)
        except SmscliError as error:
            wrong = error
        if not tries_left:
            raise wrong
        _tell(app, wrong)
    raise AssertionError


def _probe(app: AppContext) -> Redirected | None:
    """Ask the server without a secret; its redirect to a sign-in, if any. Raises what else it answers."""
    client = app.connect_anonymously()
    try:
        user = client.me()
    except Redirected as error:
        if error.to_https:
            raise
        return error
    except SmscliError as error:
        if error.status_code is not None or error.http_status in (401, 403):
            return None
        raise
    finally:
        client.close()
    # A client certificate or a proxy may have signed in already.
    if user.name is None:
        raise ServerError(
            f"nothing like Genesys Web Services answers at {app.base_url}", hint="is the URL right?"
        )
    return None


def _stored_secret(app: AppContext, profile: Profile) -> str | None:
    """The keyring's secret of this profile, None without one. AuthError, before a secret is asked for, if
    there is no usable keyring; it says what to do without one."""
    try:
        return app.keyring.get(profile.account or "")
    except AuthError as error:
        values = {"url": profile.url, "user": profile.user, "auth": profile.auth}
        entries = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value]
        entries.append('password_command = ["PROGRAM", "ARGUMENT"]')
        name = profile.name if profile.name.isidentifier() else json.dumps(profile.name)
        given = [("--profile", profile.name), ("--url", profile.url), ("--user", profile.user)]
        words = [word for option, value in given if value for word in (option, value)]
        command = shell_words(["smscli", "auth", "login", *words, "--password-command", "PROGRAM ARGUMENT"])
        error.hint = (
            f"{error.hint}: `{command}`, or this line at the beginning of {app.config.path}: "
            f"profiles.{name} = {{ {', '.join(entries)} }}"
        )
        raise


def _accepted(app: AppContext, way: _Way, scheme: AuthScheme, user: str | None) -> tuple[Credential, str]:
    """The credential that the server accepts, and whom it knows by it."""
    tries = _TRIES if way.can_prompt and not way.command else 1
    for tries_left in reversed(range(tries)):
        try:
            source = "option" if way.command else "login"
            credential = Credential(user, scheme, way.secret(app, scheme, user), source)
            return credential, app.connect(credential).me().name or user or "the token's user"
        except AuthError as error:
            if not tries_left or isinstance(error, NotPermitted | _NoAnswer):
                raise
            app.explain(error)
            _tell(app, error)
    raise AssertionError


class _NoAnswer(AuthError):
    """The input ended at a prompt."""


def _tell(app: AppContext, error: SmscliError) -> None:
    """Report an error that another answer may mend."""
    app.say(f"error: {error.message}")
    if error.hint:
        app.say(f"hint: {error.hint}")


def _prompt(app: AppContext, what: str) -> str:
    app.terminal.ask(f"{what}: ")
    return _answer(app, what.partition(" (")[0], _read_line)


def _hidden_prompt(app: AppContext, what: str) -> str:
    import getpass

    return _answer(app, what.partition(" ")[0], lambda: getpass.getpass(f"{what}: "))


def _read_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _answer(app: AppContext, what: str, read: Callable[[], str]) -> str:
    """The answer to a prompt. AuthError where there is none, or one that can't be decoded."""
    try:
        return read()
    except (EOFError, UnicodeDecodeError) as error:
        app.terminal.ask("\n")
        if isinstance(error, EOFError):
            raise _NoAnswer(f"no {what} was given") from error
        # Not chained: its text contains what was typed.
        raise AuthError(f"the {what} is not in the terminal's encoding") from None


def _store(app: AppContext, profile: Profile, credential: Credential, old_secret: str | None) -> None:
    """Store profile and secret, or neither of them.

    The profile comes first: after a kill in between, the next command reports that no secret is stored for
    it, while a secret without its profile would stay in the keyring unnoticed.
    """
    account = profile.account or ""
    try:
        app.config = app.config.save(profile, then=lambda: app.keyring.set(account, credential.secret))
    except BaseException:
        _restore(app, account, old_secret)
        raise


def _forget(app: AppContext, previous: Profile) -> None:
    """Delete the secret that the profile had under another account, unless another profile has that."""
    others = {one.account for one in app.config.profiles.values()}
    if previous.account and previous.account not in others:
        with suppress(AuthError):
            app.keyring.delete(previous.account)


def _restore(app: AppContext, account: str, secret: str | None) -> None:
    app.keyring.hurry()
    with suppress(AuthError):
        if secret is None:
            app.keyring.delete(account)
        else:
            app.keyring.set(account, secret)
