"""The session of the page SMSResources, value for value; the user `sample` sees only this one."""

import pytest

from smscli.demo.server import DemoServer
from tests.support.demo_peer import LIST, SAMPLE, get, indices

SESSION = {
    "state": "Chatting",
    "id": "0000Na9B26EF002G",
    "uri": "http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
    "participants": [
        {"type": "Agent", "nickname": "Agent1", "participantId": "009052BDEE4A003E"},
        {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"},
    ],
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
MESSAGES = [
    {
        "index": 1,
        "type": "ParticipantJoined",
        "from": {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"},
        "visibility": "All",
        "timestamp": "2013-12-27T13:16:41.000-0800",
    },
    {
        "index": 2,
        "type": "ParticipantJoined",
        "from": {"type": "Agent", "nickname": "Agent1", "participantId": "009052BDEE4A003E"},
        "visibility": "All",
        "timestamp": "2013-12-27T13:16:41.018-0800",
    },
    {
        "index": 3,
        "type": "TypingStarted",
        "from": {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"},
        "visibility": "All",
        "timestamp": "2013-12-27T13:16:41.186-0800",
    },
    {
        "index": 4,
        "type": "Text",
        "from": {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"},
        "text": "dddd",
        "visibility": "All",
        "timestamp": "2013-12-27T13:16:41.187-0800",
    },
]


def test_the_list_is_the_printed_session(demo: DemoServer) -> None:
    assert get(demo, LIST, SAMPLE).json() == {"statusCode": 0, "smsessions": [SESSION]}


@pytest.mark.parametrize("session_id", ["0000Na9B26EF002G", "009052BDEE39003A"])
def test_its_messages_answer_to_both_ids_of_the_page(demo: DemoServer, session_id: str) -> None:
    target = f"/api/v2/me/smsessions/{session_id}/messages?startIndex=1&count=10"
    assert get(demo, target, SAMPLE).json() == {"statusCode": 0, "messages": MESSAGES}


def test_no_other_user_sees_it(demo: DemoServer) -> None:
    listed = get(demo, LIST).json()["smsessions"]
    assert "0000Na9B26EF002G" not in [session["id"] for session in listed]
    assert get(demo, "/api/v2/me/smsessions/0000Na9B26EF002G/messages").status == 404


def test_the_user_sample_sees_no_other_session(demo: DemoServer) -> None:
    other = get(demo, LIST).json()["smsessions"][0]["id"]
    assert get(demo, f"/api/v2/me/smsessions/{other}/messages", SAMPLE).status == 404
    assert indices(demo, other)
