"""What the customer of a session was sent, for output that goes to a customer.

Kept is what is known to be the customer's, so that neither an unknown type nor an unknown field of the
server's can tell more.
"""

from dataclasses import replace

from smscli.model import VISIBLE_TO_ALL, Json, Message, MessageType, Participant, Role

_SENT = frozenset(
    {MessageType.TEXT, MessageType.PUSH_URL, MessageType.NOTICE, MessageType.CUSTOM_NOTICE},
)
_COMES_AND_GOES = frozenset({MessageType.JOINED, MessageType.REJOINED, MessageType.LEFT})
_FILE_COMMANDS = frozenset({"file-uploaded", "file-deleted"})

_MESSAGE_KEYS = frozenset(
    (
        *("index", "type", "from", "visibility", "timestamp", "timestampRaw"),
        *("text", "url", "noticeText", "attachment"),
    )
)
_SENDER_KEYS = frozenset({"type", "nickname", "participantId", "visibility"})


def customer_message(message: Message) -> Message | None:
    """The message as the customer was sent it, None if they were not.

    An agent whom customers can't see keeps only the type, and fields other than a message's own are left out.
    """
    if not _was_sent(message):
        return None
    sender = message.sender and _seen_sender(message.sender)
    sent = _only(message.sent, _MESSAGE_KEYS)
    if sender and "from" in sent:
        sent["from"] = sender.sent
    return replace(message, sender=sender, late=False, sent=sent, original=None)


def _was_sent(message: Message) -> bool:
    if message.type in _COMES_AND_GOES:
        # Supervisors come and go too: without a visibility they could be anyone.
        told = {message.visibility, message.sender and message.sender.visibility} - {None, ""}
        return told == {VISIBLE_TO_ALL}
    is_file = message.type == MessageType.SYSTEM_COMMAND and message.notice in _FILE_COMMANDS
    return (message.type in _SENT or is_file) and message.is_public


def _seen_sender(sender: Participant) -> Participant:
    is_hidden = sender.visibility and sender.visibility != VISIBLE_TO_ALL
    if is_hidden and sender.role != Role.CUSTOMER:
        return Participant(sender.type, sent={"type": sender.type})
    return replace(sender, sent=_only(sender.sent, _SENDER_KEYS))


def _only(sent: Json, keys: frozenset[str]) -> dict[str, object]:
    return {key: value for key, value in sent.items() if key in keys}
