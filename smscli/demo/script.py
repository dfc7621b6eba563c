"""The steps of a scripted conversation: who does what, and how long after the step before."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Role = Literal["customer", "agent", "colleague", "server"]
Visibility = Literal["All", "Agents"]
# Characters per second typed on a phone.
_TYPING_SPEED = 11.0


class Step(NamedTuple):
    """One step; `after` and `typing` are seconds, `typing` the time for which its author types."""

    kind: str
    role: Role = "customer"
    text: str = ""
    after: float = 2.0
    typing: float = 0.0
    visibility: Visibility = "All"


@dataclass(frozen=True)
class Script:
    """A conversation from the customer's first message until it leaves the list.

    A conversation that is in progress when the demo starts has `opening` behind it, then `idle` seconds
    without a message; `live` goes on `live_at` seconds after the start.
    """

    user_data: dict[str, object]
    opening: tuple[Step, ...]
    idle: float = 0.0
    live_at: float = 0.0
    live: tuple[Step, ...] = ()

    def age(self) -> float:
        """Seconds from the first step to the demo's start, if it is in progress then."""
        return sum(step.after + step.typing for step in self.opening) + self.idle


def send(role: Role, text: str, after: float = 2.5, visibility: Visibility = "All") -> Step:
    """Type and send a text."""
    typing = min(max(len(text) / _TYPING_SPEED, 2.0), 7.0)
    return Step("send", role, text, after, typing, visibility)


def draft(role: Role, text: str, after: float = 2.5, typing: float = 4.0) -> Step:
    """Type and stop without sending."""
    return Step("draft", role, text, after, typing)


def push_url(role: Role, url: str, after: float = 3.0) -> Step:
    """Send a URL."""
    return Step("push-url", role, url, after)


def custom_notice(text: str, after: float = 2.0, visibility: Visibility = "All") -> Step:
    """The agent's desktop sends a custom notice."""
    return Step("custom-notice", "agent", text, after, visibility=visibility)


def notice(text: str, after: float = 2.0) -> Step:
    """The server sends a notice, which has no sender."""
    return Step("notice", "server", text, after)


def accept(after: float) -> Step:
    """The agent accepts the session; what the customer wrote before enters the log."""
    return Step("accept", "agent", after=after)


def join(role: Role, after: float = 3.0) -> Step:
    """Another participant joins."""
    return Step("join", role, after=after)


def leave(role: Role, after: float = 2.0) -> Step:
    """A participant leaves."""
    return Step("leave", role, after=after)


def rejoin(role: Role, after: float = 4.0) -> Step:
    """A participant comes back."""
    return Step("rejoin", role, after=after)


def comment(text: str, after: float = 1.5) -> Step:
    """The agent comments on the session."""
    return Step("comment", "agent", text, after)


def set_disposition(code: str, after: float = 1.5) -> Step:
    """The agent sets the disposition."""
    return Step("disposition", "agent", code, after)


def save_transcript(after: float = 1.0) -> Step:
    """The server reports that the transcript is saved."""
    return Step("transcript-saved", "server", after=after)


def end(state: str = "Completed", after: float = 2.0) -> Step:
    """The session ends in this state and leaves the list some seconds later."""
    return Step("end", "agent", state, after)
