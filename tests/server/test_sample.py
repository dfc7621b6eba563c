"""The documented sample in the forms that the demo server does not serve."""

import json

import pytest

from tests.server.server import FakeServer
from tests.support.demo_peer import LIST, SAMPLE, get
from tests.support.serving import Serve

BARE = (
    '{"state":"Chatting","id":"0000Na9B26EF002G",'
    '"uri":"http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",'
    '"participants":[{"type":"Agent","nickname":"Agent1","participantId":"009052BDEE4A003E"},'
    '{"type":"Customer","nickname":"PersonP","participantId":"009052BDEE39003C"}],'
    '"capabilities":["AttachUserData","UpdateUserData","DeleteUserData","Leave","LeaveAndComplete",'
    '"Transfer","Invite","Consult"],"userData":{}}'
)
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
    return serve()


def test_the_printed_envelope_is_the_bare_session_with_its_keys_in_order(server: FakeServer) -> None:
    server.options.envelope = "bare-object"
    assert get(server, LIST, SAMPLE).body.decode() == BARE


def test_messages_can_come_exactly_as_printed(server: FakeServer) -> None:
    server.options.printed_sample = True
    answer = get(server, "/api/v2/me/smsessions/009052BDEE39003A/messages?startIndex=1&count=10", SAMPLE)
    assert answer.body.decode() == PRINTED
    with pytest.raises(json.JSONDecodeError):
        answer.json()
