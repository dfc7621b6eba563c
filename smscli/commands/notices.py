"""The texts of notices about an empty list: the server shows the signed-in user's own sessions only."""

from smscli.context import AppContext


def no_live_sessions(app: AppContext) -> str:
    return f"no live SMS sessions for {app.user} at {app.host}; the server shows a user's own sessions only"


def none_matches(sessions: int) -> str:
    """There are live sessions, but the filters let none through."""
    return f"none of the {sessions} live SMS sessions matches the filters"
