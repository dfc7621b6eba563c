"""The printed session, which is all that the user `sample` sees, value for value."""

import json

import pytest

from tests.server.server import FakeServer
from tests.support.demo_peer import LIST, SAMPLE, get, indices
from tests.support.serving import Serve

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
PRINTED = """{
  "messages": [
    {
      "index": 1,
      "type": "ParticipantJoined",
      "from": {
        "type": "Customer",
        "nickname": "PersonP",
        "participantId": "009052BDEE39003C"
      },
      "visibility": "All",
      "timestamp": "2013-12-27T13:16:41.000-0800"
    },
  ],
}

{
  {
    "index": 2,
    "type": "ParticipantJoined",
    "from": {
      "type": "Agent",
      "nickname": "Agent1",
      "participantId": "009052BDEE4A003E"
    },
    "visibility": "All",
    "timestamp": "2013-12-27T13:16:41.018-0800"
  },
  {
    "index": 3,
    "type": "TypingStarted",
    "from": {
      "type": "Customer",
      "nickname": "PersonP",
      "participantId": "009052BDEE39003C"
    },
    "visibility": "All",
    "timestamp": "2013-12-27T13:16:41.186-0800"
  },
  {
    "index": 4,
    "type": "Text",
    "from": {
      "type": "Customer",
      "nickname": "PersonP",
      "participantId": "009052BDEE39003C"
    },
    "text": "dddd",
    "visibility": "All",
    "timestamp": "2013-12-27T13:16:41.187-0800"
  }
}
"""


@pytest.fixture
def server(serve: Serve) -> FakeServer:
    return serve(scene="live")


def test_the_list_is_the_printed_session(server: FakeServer) -> None:
    assert get(server, LIST, SAMPLE).json() == {"statusCode": 0, "smsessions": [SESSION]}


def test_the_printed_envelope_is_the_bare_session_with_its_keys_in_order(server: FakeServer) -> None:
    server.options.envelope = "bare-object"
    assert get(server, LIST, SAMPLE).body == json.dumps(SESSION, separators=(",", ":")).encode()


@pytest.mark.parametrize("session_id", ["0000Na9B26EF002G", "009052BDEE39003A"])
def test_its_messages_answer_to_both_ids_of_the_page(server: FakeServer, session_id: str) -> None:
    target = f"/api/v2/me/smsessions/{session_id}/messages?startIndex=1&count=10"
    assert get(server, target, SAMPLE).json() == {"statusCode": 0, "messages": MESSAGES}


def test_no_other_user_sees_it(server: FakeServer) -> None:
    listed = get(server, LIST).json()["smsessions"]
    assert "0000Na9B26EF002G" not in [session["id"] for session in listed]
    assert get(server, "/api/v2/me/smsessions/0000Na9B26EF002G/messages").status == 404


def test_the_user_sample_sees_no_other_session(server: FakeServer) -> None:
    other = get(server, LIST).json()["smsessions"][0]["id"]
    assert get(server, f"/api/v2/me/smsessions/{other}/messages", SAMPLE).status == 404
    assert indices(server, other)


def test_messages_can_come_exactly_as_printed(server: FakeServer) -> None:
    server.options.printed_sample = True
    answer = get(server, "/api/v2/me/smsessions/009052BDEE39003A/messages?startIndex=1&count=10", SAMPLE)
    assert answer.body.decode() == PRINTED
    with pytest.raises(json.JSONDecodeError):
        answer.json()
