"""Output for programs: tab-separated lines, and JSON with what folding and activity add.

No line here ends in a newline.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from smscli.model import Json, Message, Session
from smscli.output.columns import DEFAULT_COLUMNS, Column, ListedSession
from smscli.records import (
    MESSAGE_KEYS,
    compact_json,
    json_number,
    json_text,
    message_json,
    rfc3339,
    session_object,
)
from smscli.sanitize import pipe_joined, pipe_value

if TYPE_CHECKING:
    from smscli.transcript.activity import ActivitySummary
    from smscli.transcript.fold import Entry

# activity.participants.0.nickname is as deep as we go; what a server sends may be nested without end.
_DEEPEST = 4
_ENTRY_KEYS = MESSAGE_KEYS | {"composingSeconds", "draft"}


def entry_json(entry: "Entry", profile: str | None = None) -> str:
    """An entry of a folded transcript: its message with `composingSeconds`, and `draft` where it is one."""
    added, omitted = _of_profile(profile)
    composing = "null" if entry.composing is None else json_number(entry.composing)
    draft = f',"draft":"{entry.draft}"' if entry.draft else ""
    text = f',"composingSeconds":{composing}{draft}{added}'
    return message_json(entry.message, text, _ENTRY_KEYS | omitted)


def unfolded_json(message: Message, profile: str | None = None) -> str:
    """A message as it is; `profile` is that of several from which it came."""
    added, omitted = _of_profile(profile)
    return message_json(message, added, MESSAGE_KEYS | omitted)


def _of_profile(profile: str | None) -> tuple[str, frozenset[str]]:
    """What names the profile in an object, and the key of the server's that it replaces."""
    if profile is None:
        return "", frozenset()
    return f',"profile":{json_text(profile)}', frozenset({"profile"})


def entry_row(entry: "Entry", profile: str | None = None) -> str:
    """Time, session, index, type, participant type, nickname, visibility, body and composingSeconds, and the
    profile where there are several."""
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
        f"{'' if profile is None else chr(9) + pipe_value(profile)}"
    )


def session_with_activity(session: Session, summary: "ActivitySummary | None") -> dict[str, object]:
    """A session as a JSON object with its `activity`, null where the log could not be read."""
    return {**session_object(session), "activity": _activity(summary) if summary else None}


def listed_json(listed: ListedSession, *, with_activity: bool) -> str:
    """A session of the list as one JSON object."""
    value = session_object(listed.session)
    if with_activity:
        value = session_with_activity(listed.session, listed.activity)
    return json_text({**value, "profile": listed.profile} if listed.profile else value)


def session_row(session: ListedSession, columns: Sequence[Column] = DEFAULT_COLUMNS) -> str:
    """The chosen columns of a session of the list."""
    return "\t".join(_cell(column.value(session)) for column in columns)


def pair_rows(value: Json) -> list[str]:
    """A JSON object as `key TAB value`: `participants.0.nickname` leads into lists and objects, a list of
    plain values is joined with commas, null is empty."""
    return [f"{pipe_value(key)}\t{shown}" for key, shown in _leaves(value, "", 0)]


def _activity(summary: "ActivitySummary") -> Json:
    return {
        "messages": summary.messages,
        "firstMessageAt": _time(summary.first_message_at),
        "lastMessageAt": _time(summary.last_message_at),
        "firstResponseSeconds": json_number(summary.first_response_seconds),
        "waitingSeconds": json_number(summary.waiting_seconds),
        "waitingSince": _time(summary.wait.since if summary.wait else None),
        "typing": list(summary.typing),
        "lastMessage": _last_message(summary.last_message) if summary.last_message else None,
        "participants": [
            {
                "participantId": one.participant_id,
                "nickname": one.nickname,
                "type": one.type,
                "messages": one.messages,
                "composingSeconds": json_number(one.composing_seconds),
                "joinedAt": _time(one.joined_at),
                "leftAt": _time(one.left_at),
                "present": one.present,
            }
            for one in summary.participants
        ],
    }


def _last_message(message: Message) -> Json:
    return {
        "index": message.index,
        "timestamp": _time(message.at),
        "nickname": message.sender.nickname if message.sender else None,
        "type": message.type,
        "text": message.text or message.url,
    }


def _time(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    return pipe_joined(list(value)) if isinstance(value, tuple) else pipe_value(_plain(value))


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
