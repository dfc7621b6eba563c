"""Notices about lists and filters that let nothing through."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from smscli.context import AppContext
from smscli.settings.auth_schemes import SCHEMES
from smscli.settings.profiles import Profile

if TYPE_CHECKING:
    from smscli.transcript.filters import FilterTally


def no_live_sessions(app: AppContext) -> str:
    if app.recorded:
        return f"no SMS sessions {app.whose}"
    return f"no live SMS sessions for {app.user} at {app.host}; the server shows a user's own sessions only"


def notice_overrides(app: AppContext, saved: Profile | None = None) -> None:
    """Name the variables that take precedence over what was just saved or forgotten."""
    names = [scheme.variable for scheme in SCHEMES.values() if app.environ.get(scheme.variable)]
    if saved is not None:
        others = {"SMSCLI_URL": saved.url, "SMSCLI_USERNAME": saved.user}
        names += [name for name, value in others.items() if app.environ.get(name) not in (None, "", value)]
    if names:
        takes = "takes" if len(names) == 1 else "take"
        app.notice("override", f"{', '.join(names)} in the environment {takes} precedence over the profile")
    if saved is not None and saved.password_command:
        app.notice("override", "the profile's password_command takes precedence over the keyring")


def none_matches(sessions: int, kind: str = "live") -> str:
    """There are sessions, but the filters let none through."""
    return f"none of the {sessions} {kind} SMS sessions matches the filters"


def notice_unmatched(app: AppContext, tally: "FilterTally", *, redact: bool) -> None:
    """Say which filter values match nothing, and that no entry passed."""
    notice_no_match(app, tally.notices(), redact=redact)


def notice_no_match(app: AppContext, messages: Iterable[str], *, redact: bool) -> None:
    """Notices of the kind `no-match`; they name values of the server's, which `redact` masks."""
    for message in messages:
        if redact:
            from smscli.transcript.redact import mask_text

            message = mask_text(message)
        app.notice("no-match", message)
