"""The session that the page SMSResources prints, value for value; the user `sample` sees only this one."""

from smscli.demo.store import Json, SessionStore, StoredSession

USER = "sample"
LIST_ID = "0000Na9B26EF002G"
# The URL of the page's messages has another id than its list.
MESSAGES_ID = "009052BDEE39003A"
_AGENT = {"type": "Agent", "nickname": "Agent1", "participantId": "009052BDEE4A003E"}
_CUSTOMER = {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"}
_RESOURCE: Json = {
    "state": "Chatting",
    "uri": f"http://localhost:8080/api/v2/smsessions/{LIST_ID}",
    "participants": [_AGENT, _CUSTOMER],
    "capabilities": [
        "AttachUserData",
        "UpdateUserData",
        "DeleteUserData",
        "Leave",
        "LeaveAndComplete",
        "Transfer",
        "Invite",
        "Consult",
    ],
    "userData": {},
}


def _message(index: int, kind: str, sender: Json, seconds: str, **body: str) -> Json:
    timestamp = f"2013-12-27T13:16:{seconds}-0800"
    return {"index": index, "type": kind, "from": sender, **body, "visibility": "All", "timestamp": timestamp}


MESSAGES = (
    _message(1, "ParticipantJoined", _CUSTOMER, "41.000"),
    _message(2, "ParticipantJoined", _AGENT, "41.018"),
    _message(3, "TypingStarted", _CUSTOMER, "41.186"),
    _message(4, "Text", _CUSTOMER, "41.187", text="dddd"),
)


def add_sample(store: SessionStore) -> None:
    """Put the printed session and its four messages into the store."""
    log = store.new_log()
    for message in MESSAGES:
        log.add(dict(message))
    store.sessions[LIST_ID] = StoredSession(LIST_ID, dict(_RESOURCE), owner=USER)
    store.logs[LIST_ID] = log
    store.aliases[MESSAGES_ID] = LIST_ID
