"""The words a conversation is scripted in: who does what, and how long after the step before."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Who = Literal["customer", "agent", "colleague", "service"]
Visibility = Literal["All", "Agents"]
# What a thumb types in a second.
_CHARACTERS_A_SECOND = 11.0


class Step(NamedTuple):
    """One step; `after` and `typing` are seconds, `typing` the time its author composes."""

    kind: str
    who: Who = "customer"
    text: str = ""
    after: float = 2.0
    typing: float = 0.0
    visibility: Visibility = "All"


@dataclass(frozen=True)
class Script:
    """A conversation from the customer's first message to its disappearance from the list.

    When the demo starts with it under way, `opening` lies behind, then `idle` seconds of silence, and
    `live` goes on `live_at` seconds later.
    """

    user_data: dict[str, object]
    opening: tuple[Step, ...]
    idle: float = 0.0
    live_at: float = 0.0
    live: tuple[Step, ...] = ()

    def behind(self) -> float:
        """Seconds from the first step to the demo's start, when it is under way then."""
        return sum(step.after + step.typing for step in self.opening) + self.idle


def say(who: Who, text: str, after: float = 2.5, to: Visibility = "All") -> Step:
    """Type, then send."""
    return Step("say", who, text, after, min(max(len(text) / _CHARACTERS_A_SECOND, 2.0), 7.0), to)


def falter(who: Who, text: str, after: float = 2.5, typing: float = 4.0) -> Step:
    """Type and stop; unless something is sent later, the draft is given up."""
    return Step("falter", who, text, after, typing)


def push_url(who: Who, url: str, after: float = 3.0) -> Step:
    """Send a URL."""
    return Step("url", who, url, after)


def note(text: str, after: float = 2.0, to: Visibility = "All") -> Step:
    """The agent's desktop sends a custom notice."""
    return Step("custom-notice", "agent", text, after, visibility=to)


def service_notice(text: str, after: float = 2.0) -> Step:
    """The server sends a notice that is from nobody."""
    return Step("notice", "service", text, after)


def accept(after: float) -> Step:
    """The agent takes the session; what the customer wrote before now enters the log."""
    return Step("accept", "agent", after=after)


def join(who: Who, after: float = 3.0) -> Step:
    """A further participant joins."""
    return Step("join", who, after=after)


def leave(who: Who, after: float = 2.0) -> Step:
    """A participant leaves."""
    return Step("leave", who, after=after)


def rejoin(who: Who, after: float = 4.0) -> Step:
    """A participant comes back."""
    return Step("rejoin", who, after=after)


def comment(text: str, after: float = 1.5) -> Step:
    """The agent comments on the session."""
    return Step("comment", "agent", text, after)


def dispose(code: str, after: float = 1.5) -> Step:
    """The agent sets the disposition."""
    return Step("dispose", "agent", code, after)


def save_transcript(after: float = 1.0) -> Step:
    """The server says that the transcript is saved."""
    return Step("saved", "service", after=after)


def end(state: str = "Completed", after: float = 2.0) -> Step:
    """The session ends in this state and a little later leaves the list."""
    return Step("end", "agent", state, after)
