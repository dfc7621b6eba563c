"""The live line of `tail`: connection status, number of sessions, who waits and who is typing."""

from collections.abc import Sequence

from smscli.output.render.layout import cut
from smscli.output.render.wording import counted, lamp
from smscli.sanitize import clean
from smscli.transcript.fold import ActiveTyping

# In a shorter line the words about following leave no room for who is typing.
_NARROW = 40


def live_line(
    status: str,
    sessions: int,
    typing: Sequence[ActiveTyping],
    width: int,
    *,
    waiting: Sequence[str] = (),
    ascii: bool,
    connected: bool = True,
) -> str:
    """One line of at most `width` cells, such as `● live · 2 sessions · PersonP is typing: hello th…`.

    `status` is `connecting`, `live` or `connection lost, retrying`; `connected` chooses the shape before it;
    `waiting` says who has waited for too long. Where it is narrow and a wait or typing is to be shown, that
    comes alone, behind a shape, or a status, that tells of trouble.
    """
    shape = lamp(connected, ascii)
    who = [*(f"! {clean(one)}" for one in waiting), *dict.fromkeys(map(_typing, typing))]
    parts = [clean(status), counted(sessions, "session"), *who]
    if who and width < _NARROW:
        parts = who if connected else [clean(status), *who]
    return cut(f"{shape} " + (" - " if ascii else " · ").join(parts), width, "..." if ascii else "…")


def _typing(one: ActiveTyping) -> str:
    who = clean(one.participant.name)
    return f"{who} is typing: {clean(one.preview)}" if one.preview else f"{who} is typing"
