"""What the customer of a session was sent, for output that goes to a customer.

Kept is what is known to be the customer's, so that neither an unknown type nor an unknown field of the
server's can tell more.
"""

from collections.abc import Iterable
from dataclasses import replace

from smscli.model import VISIBLE_TO_ALL, Json, Message, MessageType, Participant, Role

_SENT = frozenset({MessageType.TEXT, MessageType.PUSH_URL, MessageType.NOTICE, MessageType.CUSTOM_NOTICE})
_COMES_AND_GOES = frozenset({MessageType.JOINED, MessageType.REJOINED, MessageType.LEFT})
_FILE_COMMANDS = frozenset({"file-uploaded", "file-deleted"})

_MESSAGE_KEYS = frozenset(
    (
        *("index", "type", "from", "visibility", "timestamp", "timestampRaw"),
        *("text", "url", "noticeText", "attachment"),
    )
)
_ATTACHMENT_KEYS = frozenset({"id", "fileId", "documentId", "name"})
_SENDER_KEYS = frozenset({"type", "nickname", "participantId", "visibility"})


class CustomerView:
    """What the customer was sent of one session.

    An agent whom customers can't see, as its messages or `participants` (of the session) say, keeps only the
    type, and fields other than a message's own are left out.
    """

    def __init__(self, participants: Iterable[Participant] = ()) -> None:
        self._visibility = {one.participant_id: one.visibility for one in participants if one.visibility}

    def message(self, message: Message) -> Message | None:
        """The message as the customer was sent it, None if they were not."""
        sender = message.sender and self._known(message.sender)
        if not _was_sent(replace(message, sender=sender)):
            return None
        seen = sender and _seen_sender(sender)
        sent = _only(message.sent, _MESSAGE_KEYS)
        attachment = message.attachment and _only(message.attachment, _ATTACHMENT_KEYS)
        sent |= {"from": seen.sent} if seen and "from" in sent else {}
        sent |= {"attachment": attachment} if "attachment" in sent else {}
        return replace(message, sender=seen, attachment=attachment, late=False, sent=sent, original=None)

    def _known(self, sender: Participant) -> Participant:
        """The sender, hidden if they were told to be elsewhere."""
        if sender.visibility:
            self._visibility[sender.participant_id] = sender.visibility
        told = self._visibility.get(sender.participant_id)
        return sender if told in (None, VISIBLE_TO_ALL) else replace(sender, visibility=told)


def _was_sent(message: Message) -> bool:
    if message.type in _COMES_AND_GOES:
        # Supervisors come and go too: without a visibility they could be anyone.
        told = {message.visibility, message.sender and message.sender.visibility} - {None, ""}
        return told == {VISIBLE_TO_ALL} and _is_readable(message)
    is_file = message.type == MessageType.SYSTEM_COMMAND and message.notice in _FILE_COMMANDS
    return (message.type in _SENT or is_file) and message.is_public and _is_readable(message)


def _is_readable(message: Message) -> bool:
    """Whether its visibility is not something else than a word, which could mean anything."""
    sender = message.sender.sent.get("visibility") if message.sender else None
    return all(one is None or isinstance(one, str) for one in (message.sent.get("visibility"), sender))


def _seen_sender(sender: Participant) -> Participant:
    is_hidden = sender.visibility and sender.visibility != VISIBLE_TO_ALL
    if is_hidden and sender.role != Role.CUSTOMER:
        return Participant(sender.type, sent={"type": sender.type})
    return replace(sender, sent=_only(sender.sent, _SENDER_KEYS))


def _only(sent: Json, keys: frozenset[str]) -> dict[str, object]:
    return {key: value for key, value in sent.items() if key in keys}
