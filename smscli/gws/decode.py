"""Decodes the server's JSON to records: all documented envelopes, spellings and timestamp layouts.

Only this module knows the names of fields. An unreadable value is None in the record and stays as it was in
`sent`; a document without the expected records raises WireError, which describes it.
"""

import json
import re
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote

from smscli.errors import WireError
from smscli.model import Json, Message, Participant, Session, Wake, WakeKind

# smsession, smssession and smsssession, singular and plural: the SMS pages print them all.
SESSION_KEY = re.compile(r"sms+essions?", re.IGNORECASE)
_ADDRESS_KEY = re.compile(r"(?:(sms+ession)|.+)(?:uri|path)", re.IGNORECASE)
_STATE_CHANGE = re.compile(r"\s*sms+essionstatechangemessage\s*", re.IGNORECASE)
# A wider index would not fit the packed sets of indices.
_WIDEST = 2**63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAYOUTS = re.compile(
    r"(\d{4}-\d\d-\d\d) *T? *(\d\d) *: *(\d\d) *: *(\d\d)(?:[.,](\d{1,9}))? *(Z|[+-]\d\d:?\d\d)"
)


class Status(NamedTuple):
    """A refusal: `statusCode` and `statusMessage` (Return Values page)."""

    code: int
    message: str | None = None


class User(NamedTuple):
    """The signed-in user. `features` is None where the server sent no list of them."""

    name: str | None
    features: tuple[str, ...] | None = None


class Service(NamedTuple):
    """One service behind the Web Services (Services page); SMS needs the one of type `Media`."""

    type: str | None
    status: str | None


class DecodedSessions(NamedTuple):
    """The sessions of a list; `uris_only`: the server sent no more than their uris; `skipped`: the number of
    entries and participants that are not objects."""

    sessions: tuple[Session, ...]
    uris_only: bool = False
    skipped: int = 0


class DecodedMessages(NamedTuple):
    """The messages of a page; `skipped`: the number of entries that are not objects."""

    messages: tuple[Message, ...]
    skipped: int = 0


def status_from_json(body: object) -> Status | None:
    """The refusal in a document; None where `statusCode` is 0, absent or not a number (Return Values)."""
    if isinstance(body, dict) and (code := _integer(body.get("statusCode"))):
        return Status(code, _text(body.get("statusMessage")))
    return None


def sessions_from_json(body: object) -> DecodedSessions:
    """The sessions of a list.

    Accepts the bare object of SMSResources, a bare array, and the envelopes of Return Values with the name of
    the collection, its singular or `uris`. Raises WireError for anything else.
    """
    entries = _records(body, (SESSION_KEY, "uris"), {"id", "uri"}, "session list")
    skipped = sum(not isinstance(one, dict | str) for one in entries)
    sessions: list[Session] = []
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, dict):
            skipped += _skipped_participants(entry)
        if isinstance(entry, dict | str):
            sessions.append(session_from_json(entry, f"session {number} of the list"))
    return DecodedSessions(tuple(sessions), any(isinstance(one, str) for one in entries), skipped)


def _records(
    body: object, keys: Sequence[str | re.Pattern[str]], single: Set[str], what: str
) -> list[object]:
    """The records of a document: an array, the value of a key, or a bare object with a key of `single`."""
    if isinstance(body, list):
        return body
    if isinstance(body, dict):
        key = next((key for form in keys for key in body if re.fullmatch(form, key)), None)
        if key is not None:
            return _entries(body[key], key)
        if single & body.keys():
            return [body]
    raise WireError(f"the server's response has no {what}, but {_description(body)}")


def session_from_json(value: Json | str, place: str = "the session") -> Session:
    """A session from its object or its uri alone. Raises WireError, naming `place`, if it has no id."""
    if isinstance(value, str):
        value = {"uri": value}
    uri = _text(value.get("uri"))
    session_id = _text(value.get("id")) or (session_id_from_uri(uri) if uri else "")
    if not session_id:
        raise WireError(f"{place} has no id, but {_description(value)}")
    user_data, participants = value.get("userData"), _objects(value.get("participants"))
    if _skipped_participants(value):
        value = {**value, "participants": participants}
    return Session(
        id=session_id,
        state=_text(value.get("state")),
        uri=uri,
        participants=tuple(map(_participant, participants)),
        capabilities=_texts(value.get("capabilities")),
        user_data=user_data if isinstance(user_data, dict) else {},
        received=parse_time(value.get("receivedDate")),
        comment=_text(value.get("comment")),
        sent=value,
    )


def wake_from_json(data: object) -> Wake | None:
    """What a notification's `data` makes us read: a session's messages, the list, or nothing (None).

    Accepts all forms of the operation pages: a new message with `...Uri`, `...Path` or both (SMSSendMessage,
    SMSSendCustomNotice), a state change of any type (SMSAccept prints `test_accept `). None for another
    medium and for a failed operation (SMSCancelConsult); the list where an SMS session is not named.
    """
    if not isinstance(data, dict) or data.get("notificationType") == "Error":
        return None
    kind = _text(data.get("messageType")) or ""
    if kind == "MessageLogUpdated":
        return _log_wake(data)
    ours = _STATE_CHANGE.fullmatch(kind) or any(map(SESSION_KEY.fullmatch, data))
    return Wake(WakeKind.LIST) if ours else None


def _log_wake(data: Json) -> Wake | None:
    addresses = [(key[1], data[key[0]]) for key in map(_ADDRESS_KEY.fullmatch, data) if key]
    ours = [address if isinstance(address, str) else "" for medium, address in addresses if medium]
    if addresses and not ours:
        return None
    ids = [one for one in map(session_id_from_uri, ours) if one]
    return Wake(WakeKind.MESSAGES, ids[0]) if ids else Wake(WakeKind.LIST)


def session_id_from_uri(uri: str) -> str:
    """The last segment of a `uri` or `path`; empty where there is none."""
    path = re.split(r"[?#]", uri, maxsplit=1)[0]
    return unquote(path.strip().rstrip("/").rpartition("/")[2])


def messages_from_json(body: object, session_id: str) -> DecodedMessages:
    """The messages of one session's log, in the order sent.

    Accepts `{"messages": [...]}` with or without a status (SMSResources, SMSSendMessage), a bare array and a
    single bare message. Raises WireError for anything else.
    """
    known: dict[str, Participant] = {}
    try:
        entries = _records(body, ("messages",), {"type", "index"}, "messages")
        messages = [message_from_json(one, session_id, known) for one in entries if isinstance(one, dict)]
        return DecodedMessages(tuple(messages), len(entries) - len(messages))
    except RecursionError as error:
        raise WireError("the server's response is nested too deeply") from error


def message_from_json(value: Json, session_id: str, known: dict[str, Participant] | None = None) -> Message:
    """One message; a field that can't be read is None.

    `known` holds participants by id, so that equal ones share one record.
    """
    get = value.get
    index, sender, attachment = get("index"), get("from"), get("attachment")
    kind, text, url, notice = get("type"), get("text"), get("url"), get("noticeText")
    visibility = get("visibility")
    # Checked inline: a call for each field would slow down long transcripts.
    return Message(
        session_id,
        index if type(index) is int and -_WIDEST <= index < _WIDEST else _integer(index),
        kind if type(kind) is str else _text(kind) or "",
        _sender(sender, known) if isinstance(sender, dict) else None,
        visibility if type(visibility) is str else _text(visibility),
        _message_time(get("timestampSeconds"), get("timestamp")),
        text if type(text) is str else _text(text),
        None if url is None else _text(url),
        None if notice is None else _text(notice),
        attachment if isinstance(attachment, dict) else None,
        False,
        value,
    )


def _sender(value: Json, known: dict[str, Participant] | None) -> Participant:
    participant_id = value.get("participantId")
    if known is None or not isinstance(participant_id, str):
        return _participant(value)
    participant = known.get(participant_id)
    # A participant's nickname or visibility can change within a log: the whole object must be equal.
    if participant is None or participant.sent != value:
        participant = known[participant_id] = _participant(value)
    return participant


def _participant(value: Json) -> Participant:
    return Participant(
        type=_text(value.get("type")),
        nickname=_text(value.get("nickname")),
        participant_id=_text(value.get("participantId")),
        visibility=_text(value.get("visibility")),
        sent=value,
    )


def _objects(value: object) -> list[Json]:
    entries = value if isinstance(value, list) else [value]
    return [one for one in entries if isinstance(one, dict)]


def _skipped_participants(session: Json) -> int:
    listed = session.get("participants")
    return len(listed) - len(_objects(listed)) if isinstance(listed, list) else 0


def parse_time(literal: object) -> datetime | None:
    """A timestamp in any documented layout, aware and in UTC; None for anything else, such as one without an
    offset.

    Date and time may have no separator, and blanks after the colons (SMSSendUrl, SMSSwitchtoCoach,
    CHGetInteractionContent).
    """
    if not isinstance(literal, str):
        return None
    try:
        # Fast path for the messages resource. Other layouts of that length may have longer fractions.
        if len(literal) == 28 and literal[7:17:3] == "-T::" and literal[23] in "+-":
            at = datetime.fromisoformat(literal)
            return at if at.tzinfo is UTC else at.astimezone(UTC)
        return _parse_loosely(literal)
    except (ValueError, OverflowError):
        return None


def _parse_loosely(literal: str) -> datetime | None:
    match = _LAYOUTS.fullmatch(literal.strip())
    if match is None:
        return None
    day, hour, minute, second, fraction, offset = match.groups()
    micro = (fraction or "").ljust(3, "0")[:3]  # milliseconds, as we write them
    return datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}.{micro}{offset}").astimezone(UTC)


def _message_time(milliseconds: object, literal: object) -> datetime | None:
    """`timestampSeconds`, which holds milliseconds despite its name, else `timestamp`."""
    if milliseconds is not None and (number := _integer(milliseconds)) and number > 0:
        try:
            return _EPOCH + timedelta(milliseconds=number)
        except OverflowError:
            pass
    return parse_time(literal)


def user_from_json(body: object) -> User:
    """The user of `GET me`, with features if `subresources` asked for them."""
    user = body.get("user", body) if isinstance(body, dict) else None
    if not isinstance(user, dict) or not ("userName" in user or "id" in user):
        raise WireError(f"the server's response has no user, but {_description(body)}")
    features = user.get("features")
    return User(
        name=_text(user.get("userName")),
        features=tuple(map(_feature, features)) if isinstance(features, list) else None,
    )


def _feature(value: object) -> str:
    """A feature's id, which the server sends as such, as a uri or in an object."""
    if isinstance(value, dict):
        value = value.get("id") or value.get("name") or value.get("uri")
    return session_id_from_uri(_text(value) or "")


def services_from_json(body: object) -> tuple[Service, ...]:
    """The services of `GET services?fields=*` (Services page)."""
    listed = body if isinstance(body, list) else body.get("services") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise WireError(f"the server's response has no services, but {_description(body)}")
    # The page ends before it names the field of the status.
    return tuple(
        Service(_text(one.get("type")), _text(one.get("status")) or _text(one.get("state")))
        for one in _objects(listed)
    )


def _integer(value: object) -> int | None:
    """A whole number of 64 bits, sent as number or text; anything else is None."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_WIDEST <= value < _WIDEST else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else None


def _texts(value: object) -> tuple[str, ...]:
    entries = value if isinstance(value, list) else [value]
    return tuple(text for one in entries if (text := _text(one)) is not None)


def _entries(value: object, key: str) -> list[object]:
    """The entries of a list, which may also be a single object, or null if empty."""
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, dict):
        return [value] if value is not None else []
    raise WireError(f"{key} in the server's response is not a list, but {_description(value)}")


def _description(value: object) -> str:
    """What a value is, for an error message."""
    if isinstance(value, Mapping):
        names = ", ".join(list(value)[:6])
        return f"an object with {names}" if names else "an empty object"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return "a list" if isinstance(value, list) else "a text" if isinstance(value, str) else "a number"
