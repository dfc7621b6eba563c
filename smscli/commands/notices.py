"""Why a list is empty, in words: a server shows the sessions of the user that signs in, and no others."""

from smscli.context import AppContext


def none_live(app: AppContext) -> str:
    """There are no sessions."""
    return f"no live SMS sessions for {app.user} at {app.host}; the server shows a user's own sessions only"


def none_as_asked(sessions: int) -> str:
    """There are, but not such as are asked for."""
    return f"none of the {sessions} live SMS sessions is as asked for"
