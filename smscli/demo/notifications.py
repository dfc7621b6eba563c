"""Changes of the store as the data of CometD notifications."""

from itertools import count

from smscli.demo.resources import ResourceFormat
from smscli.demo.store import Change, Json, StoredSession

TOPIC = "/v2/me/smssession"
_TYPES = {"state": "StatusChange", "participants": "ParticipantsUpdated", "properties": "PropertiesUpdated"}
# The fields that each page prints: SMSComplete, SMSLeave, SMSAccept and SMSSwitchtoBargeIn. An update of user
# data carries the whole session (SMSAttachUserData).
_ENDED = ("state", "id", "uri")
_FIELDS = {
    "Completed": _ENDED,
    "Revoked": _ENDED,
    "LeftChat": ("state", "capabilities", "id", "uri"),
    "StatusChange": ("state", "capabilities", "id", "uri", "participants"),
    "ParticipantsUpdated": ("state", "capabilities", "id", "uri", "participants", "receivedDate", "chatType"),
}


class NotificationFormat:
    """Writes notifications. References are numbered from 17, the one that the page SMSAccept prints."""

    def __init__(self, resources: ResourceFormat) -> None:
        self.resources = resources
        self._references = count(17)

    def key(self) -> str:
        """The JSON key of the session."""
        return "smssession"

    def data(self, change: Change, session: StoredSession) -> Json | None:
        """The data of the change's notification; None if no page has one for it."""
        if change.message is not None:
            return {**message_log_update(self._message(change.message)), **self.address(session)}
        if change.kind in _TYPES:
            return self._state_change(_TYPES[change.kind], session)
        return None

    def address(self, session: StoredSession) -> Json:
        """The field that names the session of a message (SMSSendMessage)."""
        key = self.key()
        return {f"{key}Uri": self.resources.url(f"/{key}s/{session.id}")}

    def _message(self, stored: Json) -> Json:
        """The message with `timestampSeconds`, which only notifications have (SMSSendMessage)."""
        message = self.resources.message(stored)
        if "timestampSeconds" in stored:
            message["timestampSeconds"] = stored["timestampSeconds"]
        return message

    def _state_change(self, kind: str, session: StoredSession) -> Json:
        resource = self.resources.session(session, self.key())
        fields = _FIELDS.get(session.resource["state"] if kind == "StatusChange" else kind, _FIELDS.get(kind))
        if fields:
            resource = {name: resource[name] for name in fields if name in resource}
        data: Json = {
            "messageType": "SMSsessionStateChangeMessage",
            "notificationType": kind,
            self.key(): resource,
        }
        if kind != "ParticipantsUpdated" and fields != _ENDED:
            data["referenceId"] = next(self._references)
        return data


def message_log_update(message: Json) -> Json:
    """The fields of a notification of one new message (SMSSendMessage)."""
    return {"messages": [message], "notificationType": "NewMessages", "messageType": "MessageLogUpdated"}
