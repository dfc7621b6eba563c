"""Notices about lists and filters that let nothing through."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from smscli.context import AppContext

if TYPE_CHECKING:
    from smscli.transcript.filters import FilterTally


def no_live_sessions(app: AppContext) -> str:
    if app.recorded:
        return f"no SMS sessions {app.whose}"
    return f"no live SMS sessions for {app.user} at {app.host}; the server shows a user's own sessions only"


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
