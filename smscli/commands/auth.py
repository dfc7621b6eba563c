"""`smscli auth`: sign in to a server, sign out, and show the state of both."""

import sys
from collections.abc import Callable
from contextlib import suppress

from smscli.commands import options as opt
from smscli.context import AppContext
from smscli.errors import AuthError, LocalError, SmscliError, UsageError
from smscli.output.formats import output_format
from smscli.settings.auth_schemes import BASIC, TOKEN, AuthScheme
from smscli.settings.config import CliOptions, Profile, profile_to_save
from smscli.settings.credentials import Credential, decode_secret

# A secret is one line; no more than this is read from standard input.
_MAX_SECRET = 65536


def login(
    app: AppContext,
    password_stdin: opt.PasswordStdinOption = False,
    token_stdin: opt.TokenStdinOption = False,
) -> None:
    """Sign in, and store the secret in the keyring.

    The secret is checked with the server before anything is stored. Prompts for server, user and password
    where no option gives them; an empty user prompts for a token. Everything but the secret is saved in the
    config file, with the options given.
    """
    if password_stdin and token_stdin:
        raise UsageError(f"{BASIC.stdin_option} and {TOKEN.stdin_option} exclude each other")
    from_stdin = BASIC if password_stdin else TOKEN if token_stdin else None
    _ = app.config.writable_path  # raises ConfigError before anything is asked for
    credential = _login_credential(app, from_stdin)
    name = app.connect(credential).me().name or credential.user or "the token's user"
    _store(app, credential)
    app.say(f"signed in to {app.host} as {name}, profile {app.settings.profile}")


def _login_credential(app: AppContext, from_stdin: AuthScheme | None) -> Credential:
    """User and secret to sign in with, from options, standard input or prompts."""
    app.allow_new_profile()
    if app.settings.demo:
        raise UsageError("auth login is for a real server; --demo signs in by itself")
    if app.settings.base_url is None:
        app.add_options(CliOptions(url=_prompt(app, "server URL", "--url", from_stdin)))
    user = app.settings.user
    if user is None and (from_stdin is None or from_stdin.needs_user):
        user = _prompt(app, "user (empty for a token)", "--user", from_stdin) or None
        app.add_options(CliOptions(user=user))
    scheme = from_stdin or (BASIC if user else TOKEN)
    secret = _secret_from_stdin() if from_stdin else _secret_from_prompt(app, scheme)
    return Credential(user, scheme, secret, "login")


def _prompt(app: AppContext, what: str, option: str, from_stdin: AuthScheme | None) -> str:
    if from_stdin or not _can_prompt(app):
        raise UsageError(f"auth login needs {option} without a terminal to prompt on")
    app.terminal.ask(f"{what}: ")
    return _answer(app, what.partition(" (")[0], _read_line).strip()


def _read_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _secret_from_prompt(app: AppContext, scheme: AuthScheme) -> str:
    import getpass

    if not _can_prompt(app):
        raise UsageError(f"auth login needs {scheme.stdin_option} without a terminal to prompt on")
    return _answer(app, scheme.secret_name, lambda: getpass.getpass(f"{scheme.secret_name}: "))


def _answer(app: AppContext, what: str, read: Callable[[], str]) -> str:
    """The answer to a prompt. AuthError where there is none, or one that can't be decoded."""
    try:
        return read()
    except (EOFError, UnicodeDecodeError) as error:
        app.terminal.ask("\n")
        if isinstance(error, EOFError):
            raise AuthError(f"no {what} was given") from error
        # Not chained: its text contains what was typed.
        raise AuthError(f"the {what} is not in the terminal's encoding") from None


def _can_prompt(app: AppContext) -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and app.terminal.err_tty


def _secret_from_stdin() -> str:
    """The first line of standard input, in any encoding."""
    if sys.stdin is None:
        raise LocalError("standard input can't be read: it is closed")
    return decode_secret(sys.stdin.buffer.readline(_MAX_SECRET))


def _store(app: AppContext, credential: Credential) -> None:
    """Store profile and secret, or neither of them.

    The profile comes first: after a kill in between, the next command reports that no secret is stored for
    it, while a secret without its profile would stay in the keyring unnoticed.
    """
    name = app.settings.profile or "default"
    profile = profile_to_save(
        app.options,
        app.environ,
        app.config.profiles.get(name, Profile(name)),
        url=app.base_url,
        user=credential.user,
        auth=credential.scheme,
    )
    account = profile.account or ""
    old_secret = app.keyring.get(account)
    try:
        app.config.save(profile, then=lambda: app.keyring.set(account, credential.secret))
    except BaseException:
        _restore(app, account, old_secret)
        raise


def _restore(app: AppContext, account: str, secret: str | None) -> None:
    with suppress(AuthError):
        if secret is None:
            app.keyring.delete(account)
        else:
            app.keyring.set(account, secret)


def logout(app: AppContext, every: opt.EveryProfileOption = False) -> None:
    """Delete the stored secret.

    Of this profile, or of every profile; the rest of the profile stays.
    """
    from smscli import completion

    profiles = list(app.config.profiles.values()) if every else [_this_profile(app)]
    completion.clear_cache(app.environ)
    failed: AuthError | None = None
    for profile in profiles:
        try:
            _sign_out(app, profile)
        except AuthError as error:
            # Another profile may use another keyring entry that can be deleted.
            if every:
                app.say(f"profile {profile.name}: {error.message}")
            failed = failed or error
    if failed is not None:
        raise failed


def _sign_out(app: AppContext, profile: Profile) -> None:
    if profile.origin:
        app.server_cache.remove(profile.origin)
    if profile.account and app.keyring.delete(profile.account):
        app.say(f"signed out of {profile.url}, profile {profile.name}")
    else:
        app.say(f"no secret was stored for profile {profile.name}")


def _this_profile(app: AppContext) -> Profile:
    name = app.settings.profile
    if name is None:
        raise AuthError("no profile is saved: there is nothing to sign out of")
    return app.config.profile(name)


def list_(app: AppContext, json: opt.JsonOption = False) -> None:
    """List the profiles and mark the default."""
    default = app.config.default
    profiles = [
        {"name": one.name, "url": one.url, "user": one.user, "default": one.name == default}
        for one in app.config.profiles.values()
    ]
    app.terminal.write(output_format(app.terminal, json=json).profiles(profiles))
    if not profiles:
        app.notice("whose", "no profile is saved yet: `smscli auth login` saves one")


def use(app: AppContext, name: opt.NameArgument) -> None:
    """Make a profile the default."""
    app.config.use(name)
    app.say(f"the default profile is {name}")


def status(app: AppContext, json: opt.JsonOption = False) -> None:
    """Show profile, server and user.

    Also where the secret comes from, and whether the server accepts it.
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
    except SmscliError as error:
        if isinstance(error, AuthError) and found["secretSource"]:
            found["accepted"] = False
        problem = error
    app.terminal.write(output_format(app.terminal, json=json).pairs(found))
    if problem:
        raise problem
