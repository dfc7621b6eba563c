"""Changes in the store as CometD notifications, and what befalls those on their way."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

from smscli.demo.faults import chances
from smscli.demo.options import Options
from smscli.demo.store import Change, Json, Session
from smscli.demo.variants import message_json, session_json

_KEYS = {"single": "smsession", "double": "smssession"}
_TYPES = {"state": "StatusChange", "participants": "ParticipantsUpdated", "properties": "PropertiesUpdated"}
# Which fields each page prints: SMSComplete, SMSLeave, SMSAccept and SMSSwitchtoBargeIn; an update of user
# data brings the whole session (SMSAttachUserData).
_ENDED = ("state", "id", "uri")
_FIELDS = {
    "Completed": _ENDED,
    "Revoked": _ENDED,
    "LeftChat": ("state", "capabilities", "id", "uri"),
    "StatusChange": ("state", "capabilities", "id", "uri", "participants"),
    "ParticipantsUpdated": ("state", "capabilities", "id", "uri", "participants", "receivedDate", "chatType"),
}
_CHATS, _CALLS = "/v2/me/chats", "/v2/me/calls"
# A session that no list has.
STRANGER = "0000Nf0000000000"


class Delivery(NamedTuple):
    """One element of a Bayeux answer, for the subscribers of `channel`; None is for everyone."""

    channel: str | None
    element: object


class Notices:
    """Words changes as the options say and lets notifications get lost, doubled, swapped or accompanied.

    `befell` hears of each that is lost on demand.
    """

    def __init__(self, befell: Callable[[str], None]) -> None:
        self.to_lose = 0
        self._befell = befell
        self._references = count(17)
        self._foreign = count()
        self._malformed = count()
        self._delayed: list[Delivery] = []
        self._chance: Iterator[float] | None = None

    def of(self, change: Change, session: Session, base: str, options: Options) -> list[Delivery]:
        """What a subscriber gets of this change; `base` is the server's URL down to `/api/v2`."""
        key = _KEYS[options.push_keys]
        if change.message is not None:
            data = _new_message(session, change.message, key, base, options)
        elif change.kind in _TYPES:
            data = self._state_change(_TYPES[change.kind], session, key, base, options)
        else:
            # No page has a notification of a session that leaves the list.
            return []
        return list(self._on_the_way(_published(options.topic, data), base, options))

    def _state_change(self, kind: str, session: Session, key: str, base: str, options: Options) -> Json:
        resource = session_json(session, key, base, options)
        fields = _FIELDS.get(session.resource["state"] if kind == "StatusChange" else kind, _FIELDS.get(kind))
        if fields:
            resource = {name: resource[name] for name in fields if name in resource}
        data: Json = {"messageType": "SMSsessionStateChangeMessage", "notificationType": kind, key: resource}
        if kind != "ParticipantsUpdated" and fields != _ENDED:
            data["referenceId"] = next(self._references)
        return data

    def _on_the_way(self, notice: Delivery, base: str, options: Options) -> Iterator[Delivery]:
        if self.to_lose:
            self.to_lose -= 1
            self._befell("notification-lost")
            return
        if self._strikes(options.push_lost, options):
            return
        delayed, self._delayed = self._delayed, []
        if not delayed and self._strikes(options.push_reordered, options):
            self._delayed.append(notice)
            return
        if self._strikes(options.push_foreign, options):
            yield _foreign(next(self._foreign), options.topic, base)
        if self._strikes(options.push_malformed, options):
            yield _malformed(next(self._malformed), options.topic)
        yield notice
        if self._strikes(options.push_repeated, options):
            yield notice
        yield from delayed

    def _strikes(self, share: float, options: Options) -> bool:
        if not share:
            return False
        if self._chance is None:
            self._chance = chances(options.fault_seed)
        return next(self._chance) < share


def _published(channel: str, data: object) -> Delivery:
    return Delivery(channel, {"channel": channel, "data": data})


def _new_message(session: Session, stored: Json, key: str, base: str, options: Options) -> Json:
    """The form of SMSSendMessage, whose `timestampSeconds` is there whatever the messages resource does."""
    message = message_json(stored, base, options)
    if "timestampSeconds" in stored:
        message["timestampSeconds"] = stored["timestampSeconds"]
    data = _log_update(message)
    path = f"/{key}s/{session.id}"
    if options.push_address in ("path", "both"):
        data[f"{key}Path"] = path
    if options.push_address in ("uri", "both"):
        data[f"{key}Uri"] = base + path
    return data


def _log_update(message: Json) -> Json:
    return {"messages": [message], "notificationType": "NewMessages", "messageType": "MessageLogUpdated"}


def _foreign(number: int, topic: str, base: str) -> Delivery:
    """The so-many-th notification that is no news of the user's SMS sessions; they come round by turns."""
    message = {"index": 1, "type": "Text", "text": "elsewhere", "visibility": "All"}
    chat = {"id": "0000Nc0000000001", "state": "Chatting", "uri": f"{base}/chats/0000Nc0000000001"}
    strangers = (
        (_CHATS, {"messageType": "ChatStateChangeMessage", "notificationType": "StatusChange", "chat": chat}),
        (_CHATS, _log_update(message) | {"chatUri": chat["uri"], "chatPath": f"/chats/{chat['id']}"}),
        (_CALLS, {"messageType": "CallStateChangeMessage", "notificationType": "StatusChange", "call": {}}),
        # SMSCancelConsult: no message type, no session.
        (topic, {"notificationType": "Error", "errorMessage": "Request failed", "referenceId": 5}),
        (topic, _log_update(message) | {"smssessionUri": f"{base}/smssessions/{STRANGER}"}),
    )
    return _published(*strangers[number % len(strangers)])


def _malformed(number: int, topic: str) -> Delivery:
    """The so-many-th element that is no notification, or a notification of nothing; by turns."""
    elements: tuple[object, ...] = (
        17,
        None,
        "junk",
        [[]],
        {},
        {"channel": topic},
        {"channel": topic, "data": None},
        {"channel": topic, "data": "text"},
        {"channel": topic, "data": {}},
        {"channel": 5, "data": {"messageType": "MessageLogUpdated"}},
        {"channel": topic, "data": {"messageType": ["MessageLogUpdated"]}},
        {"channel": topic, "data": {"messageType": "MessageLogUpdated", "messages": []}},
        {"channel": topic, "data": {"messageType": "MessageLogUpdated", "smssessionUri": 7, "messages": 7}},
        {
            "channel": topic,
            "data": {"messageType": "MessageLogUpdated", "smssessionUri": "", "messages": [1]},
        },
        {"channel": topic, "data": {"messageType": "SMSsessionStateChangeMessage"}},
        {"channel": topic, "data": {"messageType": "SMSsessionStateChangeMessage", "smssession": None}},
        {"channel": topic, "data": {"messageType": "SMSsessionStateChangeMessage", "smssession": {"id": 7}}},
    )
    return Delivery(None, elements[number % len(elements)])
