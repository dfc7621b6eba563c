"""`smscli auth`: sign out, and show the saved profiles and the state of the sign-in."""

from smscli.commands import options as opt
from smscli.commands.notices import notice_overrides
from smscli.context import AppContext
from smscli.errors import AuthError, SmscliError
from smscli.output.formats import output_format
from smscli.settings.auth_schemes import COOKIE
from smscli.settings.profiles import Profile


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
    notice_overrides(app)


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
        by_cookie = f" ({COOKIE.secret_name})" if credential.scheme is COOKIE else ""
        found |= {"user": credential.user, "secretSource": credential.source + by_cookie}
        app.client.me()
        found["accepted"] = True
    except SmscliError as error:
        if isinstance(error, AuthError) and found["secretSource"]:
            found["accepted"] = False
        problem = error
    app.terminal.write(output_format(app.terminal, json=json).pairs(found))
    if problem:
        raise problem
