"""Output for programs: tab-separated lines, and JSON with what folding and activity add.

No line here ends in a newline.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from smscli.model import Json, Role, Session
from smscli.records import MESSAGE_KEYS, compact_json, json_number, message_json, rfc3339, session_object
from smscli.sanitize import pipe_joined, pipe_value

if TYPE_CHECKING:
    from smscli.transcript.activity import Summary
    from smscli.transcript.fold import Entry

SESSION_COLUMNS = ("id", "state", "customer", "agents", "receivedDate")
"""The columns of a list that is told no others."""

# activity.participants.0.nickname is as deep as we go; what a server sends may be nested without end.
_DEEPEST = 4
_ENTRY_KEYS = MESSAGE_KEYS | {"composingSeconds", "draft"}


def json_array(items: Sequence[str]) -> str:
    """JSON texts as one array; this one ends in a newline."""
    return "[" + ",\n".join(items) + "]\n"


def entry_json(entry: "Entry") -> str:
    """An entry of a folded transcript: its message with `composingSeconds`, and `draft` where it is one."""
    composing = "null" if entry.composing is None else json_number(entry.composing)
    draft = f',"draft":"{entry.draft}"' if entry.draft else ""
    return message_json(entry.message, f',"composingSeconds":{composing}{draft}', _ENTRY_KEYS)


def entry_row(entry: "Entry") -> str:
    """Time, session, index, type, participant type, nickname, visibility, body and composingSeconds."""
    message, sender = entry.message, entry.message.sender
    return (
        f"{rfc3339(message.at) if message.at else ''}\t"
        f"{pipe_value(message.session_id)}\t"
        f"{'' if message.index is None else message.index}\t"
        f"{pipe_value(message.type)}\t"
        f"{pipe_value(sender.type or '') if sender else ''}\t"
        f"{pipe_value(sender.nickname or '') if sender else ''}\t"
        f"{pipe_value(message.visibility or '')}\t"
        f"{pipe_value(entry.draft_text or message.body)}\t"
        f"{'' if entry.composing is None else json_number(entry.composing)}"
    )


def session_with_activity(session: Session, summary: "Summary") -> dict[str, object]:
    """A session as a JSON object with its `activity`."""
    return {**session_object(session), "activity": _activity(summary)}


def session_row(session: Session, columns: Sequence[str] = SESSION_COLUMNS) -> str:
    """The chosen columns of a session; `userData.KEY` is a column for every KEY."""
    return "\t".join(_cell(session, column) for column in columns)


def pair_rows(value: Json) -> list[str]:
    """A JSON object as `key TAB value`: `participants.0.nickname` leads into lists and objects, a list of
    plain values is joined with commas, null is empty."""
    return [f"{pipe_value(key)}\t{shown}" for key, shown in _leaves(value, "", 0)]


def _activity(summary: "Summary") -> Json:
    return {
        "messages": summary.messages,
        "participants": [
            {
                "participantId": one.participant_id,
                "nickname": one.nickname,
                "type": one.type,
                "messages": one.messages,
                "composingSeconds": json_number(one.composing_seconds),
            }
            for one in summary.participants
        ],
        "firstMessageAt": rfc3339(summary.first_message_at) if summary.first_message_at else None,
        "lastMessageAt": rfc3339(summary.last_message_at) if summary.last_message_at else None,
        "firstResponseSeconds": json_number(summary.first_response_seconds),
        "waitingSeconds": json_number(summary.waiting_seconds),
        "typing": list(summary.typing),
    }


_CELLS: Mapping[str, Callable[[Session], str]] = {
    "id": lambda session: pipe_value(session.id),
    "state": lambda session: pipe_value(session.state or ""),
    "customer": lambda session: pipe_joined(session.nicknames(Role.CUSTOMER)),
    "agents": lambda session: pipe_joined(session.nicknames(Role.AGENT)),
    "receivedDate": lambda session: rfc3339(session.received) if session.received else "",
    "uri": lambda session: pipe_value(session.uri or ""),
    "comment": lambda session: pipe_value(session.comment or ""),
    "capabilities": lambda session: pipe_joined(list(session.capabilities)),
}


def _cell(session: Session, column: str) -> str:
    if column in _CELLS:
        return _CELLS[column](session)
    return pipe_value(_plain(session.user_data.get(column.removeprefix("userData."))))


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every value in `value` that is no container, with the path that leads to it."""
    if isinstance(value, dict) and (depth == 0 or (value and depth < _DEEPEST)):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST and any(isinstance(one, dict) for one in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{place}", depth + 1)
    elif isinstance(value, list):
        yield path, pipe_joined([_plain(one) for one in value])
    else:
        yield path, pipe_value(_plain(value) if value != {} else "")


def _plain(value: object) -> str:
    """A JSON value as text: strings as they are, null as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else compact_json(value)
