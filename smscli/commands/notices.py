"""Notices about lists and filters that let nothing through."""

from collections.abc import Iterable

from smscli.context import AppContext
from smscli.settings.auth_schemes import SCHEMES
from smscli.settings.profiles import Profile
from smscli.settings.urls import normalize_url


def no_live_sessions(app: AppContext, *others: AppContext) -> str:
    """For one profile, or several."""
    if others:
        return f"no live SMS sessions for {1 + len(others)} profiles"
    if app.recorded:
        return f"no {'live ' if app.recorded.is_shared else ''}SMS sessions {app.whose}"
    return f"no live SMS sessions for {app.user} at {app.host}; the server shows a user's own sessions only"


def notice_overrides(app: AppContext, saved: Profile | None = None) -> None:
    """Name the variables that take precedence over what was just saved or forgotten."""
    values: dict[str, str | None] = dict.fromkeys(scheme.variable for scheme in SCHEMES.values())
    if saved is not None:
        values |= {"SMSCLI_USERNAME": saved.user, "SMSCLI_PROFILE": saved.name, "SMSCLI_DEMO": None}
        values |= {"SMSCLI_CA_BUNDLE": saved.ca_bundle, "SMSCLI_CLIENT_CERT": saved.client_cert}
        values["SMSCLI_TIMEOUT"] = f"{saved.timeout:g}" if saved.timeout else None
    names = [name for name, value in values.items() if app.environ.get(name) not in (None, "", value)]
    url = app.environ.get("SMSCLI_URL")
    if saved is not None and url and normalize_url(url) != saved.url:
        names.append("SMSCLI_URL")
    if names:
        takes = "takes" if len(names) == 1 else "take"
        app.notice("override", f"{', '.join(names)} in the environment {takes} precedence over the profile")
    if saved is not None and saved.password_command:
        app.notice("override", "the profile's password_command takes precedence over the keyring")


def none_matches(sessions: int, kind: str = "live") -> str:
    """There are sessions, but the filters let none through."""
    return f"none of the {sessions} {kind} SMS sessions matches the filters"


def notice_no_match(app: AppContext, messages: Iterable[str], *, redact: bool) -> None:
    """Notices of the kind `no-match`; they name values of the server's, which `redact` masks."""
    for message in messages:
        app.notice("no-match", masked_text(message, redact=redact))


def masked_text(text: str, *, redact: bool) -> str:
    """A text with what strangers wrote in it, masked with `redact`."""
    if not redact:
        return text
    from smscli.transcript.redact import mask_text

    return mask_text(text)
