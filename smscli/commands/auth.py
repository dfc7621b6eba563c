"""`smscli auth`: sign in to a server, sign out, see how things stand."""

import sys

from smscli.commands.options import (
    EveryProfileOption,
    JsonOption,
    NameArgument,
    PasswordStdinOption,
    TokenStdinOption,
)
from smscli.context import AppContext
from smscli.errors import AuthError, LocalError, SmscliError, UsageError
from smscli.output.export import pair_rows
from smscli.records import json_text
from smscli.sanitize import pipe_value
from smscli.settings.config import CliOptions, Profile, Settings, profile_to_save
from smscli.settings.credentials import Credential, account

# A secret is a line; of what is piped in no more is read.
_LONGEST_SECRET = 65536


def login(
    app: AppContext, password_stdin: PasswordStdinOption = False, token_stdin: TokenStdinOption = False
) -> None:
    """Sign in, and keep the secret in the keyring.

    The secret is checked with the server before anything is kept. Asks for the server, the user and the
    password where no option says them; an empty user asks for a token. The rest goes to the config file, with
    the options given.
    """
    if password_stdin and token_stdin:
        raise UsageError("--password-stdin and --token-stdin exclude each other")
    piped = "token" if token_stdin else "password" if password_stdin else None
    credential = _credential(app, piped)
    name = app.connect(credential).me().name or credential.user or "the token's user"
    _keep(app, credential)
    app.say(f"signed in to {app.host} as {name}, profile {app.settings.profile}")


def _credential(app: AppContext, piped: str | None) -> Credential:
    """Who wants to sign in, and with what, asked for where nothing says it."""
    app.allow_new_profile()
    if app.settings.demo:
        raise UsageError("auth login is for a real server; --demo signs in by itself")
    if app.settings.base_url is None:
        app.add_options(CliOptions(url=_ask(app, "server URL", "--url", piped)))
    user = app.settings.user
    if user is None and piped != "token":
        user = _ask(app, "user (empty for a token)", "--user", piped)
        app.add_options(CliOptions(user=user or None))
    scheme = "token" if piped == "token" or not user else "basic"
    secret = _piped() if piped else _typed(app, scheme)
    return Credential(user or None, "token" if scheme == "token" else "basic", secret, "login")


def _ask(app: AppContext, what: str, option: str, piped: str | None) -> str:
    if piped or not _can_ask(app):
        raise UsageError(f"auth login needs {option} where nobody can be asked")
    app.terminal.ask(f"{what}: ")
    name = what.partition(" (")[0]
    try:
        answer = sys.stdin.readline()
    except UnicodeDecodeError as error:
        raise _unreadable(name) from error
    if not answer:
        raise _behind_the_prompt(app, _not_given(name))
    return answer.strip()


def _typed(app: AppContext, scheme: str) -> str:
    import getpass

    what = "token" if scheme == "token" else "password"
    if not _can_ask(app):
        raise UsageError(f"auth login needs --{what}-stdin where nobody can be asked")
    try:
        return getpass.getpass(f"{what}: ")
    except EOFError as error:
        raise _behind_the_prompt(app, _not_given(what)) from error
    except UnicodeDecodeError:
        # Its own words would hold what was typed.
        raise _behind_the_prompt(app, _unreadable(what)) from None


def _behind_the_prompt(app: AppContext, error: AuthError) -> AuthError:
    """The error, on a line of its own: the cursor still stands where an answer was asked for."""
    app.terminal.ask("\n")
    return error


def _not_given(what: str) -> AuthError:
    return AuthError(f"no {what} was given")


def _unreadable(what: str) -> AuthError:
    return AuthError(f"the {what} is not in the terminal's encoding")


def _can_ask(app: AppContext) -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and app.terminal.err_tty


def _piped() -> str:
    """The first line of standard input, whatever its encoding."""
    if sys.stdin is None:
        raise LocalError("standard input can't be read: it is closed")
    line = sys.stdin.buffer.readline(_LONGEST_SECRET)
    return line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")


def _keep(app: AppContext, credential: Credential) -> None:
    """The secret first: a profile without one would only look signed in."""
    settings, name = app.settings, app.settings.profile or "default"
    previous = app.config.profiles.get(name, Profile(name))
    app.keyring.set(_account(credential.scheme, credential.user, name, settings), credential.secret)
    saved = profile_to_save(
        app.options, previous, url=app.base_url, user=credential.user, auth=credential.scheme
    )
    app.config.save(saved)


def _account(scheme: str, user: str | None, profile: str, settings: Settings) -> str:
    return account(scheme, user, profile, settings.origin) or ""


def logout(app: AppContext, every: EveryProfileOption = False) -> None:
    """Forget a secret.

    This profile's, or every profile's; the rest of the profile stays.
    """
    from smscli import completion

    profiles = list(app.config.profiles.values()) if every else [_this(app)]
    completion.forget(app.environ)
    failed: AuthError | None = None
    for profile in profiles:
        try:
            _forget(app, profile)
        except AuthError as error:
            # The next one's may be kept where it can be forgotten.
            if every:
                app.say(f"profile {profile.name}: {error.message}")
            failed = failed or error
    if failed is not None:
        raise failed


def _forget(app: AppContext, profile: Profile) -> None:
    if profile.origin:
        app.server_cache.remove(profile.origin)
    named = account(profile.auth, profile.user, profile.name, profile.origin)
    forgotten = app.keyring.delete(named) if named else False
    app.say(
        f"signed out of {profile.url}, profile {profile.name}"
        if forgotten
        else f"no secret was kept for profile {profile.name}"
    )


def _this(app: AppContext) -> Profile:
    name = app.settings.profile
    if name is None:
        raise AuthError("no profile is saved: there is nothing to forget")
    return app.config.profile(name)


def list_(app: AppContext, json: JsonOption = False) -> None:
    """List the profiles, the default one marked."""
    profiles, default = app.config.profiles.values(), app.config.default
    if json:
        found = [
            {"name": one.name, "url": one.url, "user": one.user, "default": one.name == default}
            for one in profiles
        ]
        app.terminal.write(json_text(found) + "\n")
        return
    rows = [
        (one.name, one.url or "", one.user or "", "yes" if one.name == default else "") for one in profiles
    ]
    if app.terminal.pipe:
        app.terminal.write("".join("\t".join(map(pipe_value, row)) + "\n" for row in rows))
    elif rows:
        from smscli.output.render.tables import profiles_table

        app.terminal.write(profiles_table(rows, app.terminal))
    if not rows:
        app.notice("whose", "no profile is saved yet: `smscli auth login` saves one")


def use(app: AppContext, name: NameArgument) -> None:
    """Make a profile the default."""
    app.config.use(name)
    app.say(f"the default profile is {name}")


def status(app: AppContext, json: JsonOption = False) -> None:
    """Show who is signed in where.

    Which profile, server and user, where the secret comes from, and whether the server takes it.
    """
    found: dict[str, object] = {
        "profile": app.settings.profile,
        "url": app.base_url,
        "user": app.settings.user,
        "secretSource": None,
        "accepted": None,
    }
    problem: SmscliError | None = None
    try:
        credential = app.credential
        found |= {"user": credential.user, "secretSource": credential.source}
        app.client.me()
        found["accepted"] = True
    except AuthError as error:
        found["accepted"] = False if found["secretSource"] else None
        problem = error
    except SmscliError as error:
        problem = error
    app.terminal.write(_status_text(app, found, json=json))
    if problem:
        raise problem


def _status_text(app: AppContext, found: dict[str, object], *, json: bool) -> str:
    if json:
        return json_text(found) + "\n"
    if app.terminal.pipe:
        return "".join(f"{row}\n" for row in pair_rows(found))
    from smscli.output.render.tables import pairs_table

    return pairs_table(found, app.terminal)
