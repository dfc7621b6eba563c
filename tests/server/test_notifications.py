"""Notifications: the documented forms, and lost, repeated, swapped, foreign and malformed ones."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.demo_bayeux import Peer
from tests.support.demo_peer import SAMPLE, START
from tests.support.serving import Serve

AGENT = {"type": "Agent", "nickname": "Robin", "participantId": "0090000000000000"}
CUSTOMER = {"type": "Customer", "nickname": "Mika", "participantId": "0090000000000001"}
CAPABILITIES = [
    "AttachUserData",
    "UpdateUserData",
    "DeleteUserData",
    "Leave",
    "LeaveAndComplete",
    "Transfer",
    "Invite",
    "Consult",
    "SetDisposition",
    "SendMessage",
    "SendStartTypingNotification",
    "SendStopTypingNotification",
]


@pytest.fixture
def peer(serve: Serve) -> Iterator[Peer]:
    """A client that subscribes to everything and whose connects are hardly held."""
    with Peer(serve(hold=0.001)) as peer:
        yield peer.begin("/**")


def delivered(peer: Peer) -> list[Any]:
    """The notifications for this client since the last call."""
    *elements, reply = peer.connect()
    assert reply == {"channel": "/meta/connect", "successful": True}
    return [
        notice["data"] if isinstance(notice, dict) and "data" in notice else notice for notice in elements
    ]


def texts(elements: list[Any]) -> list[str]:
    return [message["text"] for data in elements for message in data["messages"]]


# Forms


def test_a_message_comes_as_sms_send_message_prints_it(peer: Peer) -> None:
    store = peer.server.store
    session = store.add_session("A")
    delivered(peer)
    store.say(session, "hello")
    assert peer.connect()[0] == {
        "channel": "/v2/me/smssession",
        "data": {
            "messages": [
                {
                    "index": 1,
                    "type": "Text",
                    "from": CUSTOMER,
                    "text": "hello",
                    "visibility": "All",
                    "timestamp": "2026-03-02T09:00:00.000+0000",
                    "timestampSeconds": int(START * 1000),
                }
            ],
            "notificationType": "NewMessages",
            "messageType": "MessageLogUpdated",
            "smssessionUri": f"{peer.server.url}/api/v2/smssessions/A",
        },
    }


@pytest.mark.parametrize(
    ("keys", "address", "named"),
    [
        ("single", "uri", {"smsessionUri": "URL/api/v2/smsessions/A"}),
        ("double", "path", {"smssessionPath": "/smssessions/A"}),
        ("single", "both", {"smsessionPath": "/smsessions/A", "smsessionUri": "URL/api/v2/smsessions/A"}),
    ],
)
def test_which_key_names_the_session_is_a_switch(
    peer: Peer, keys: str, address: str, named: dict[str, str]
) -> None:
    options, store = peer.server.options, peer.server.store
    options.push_keys, options.push_address = keys, address
    session = store.add_session("A")
    [data] = delivered(peer)
    key = next(iter(named)).removesuffix("Uri").removesuffix("Path")
    assert data[key]["uri"] == f"{peer.server.url}/api/v2/{key}s/A"
    store.say(session, "hello")
    [data] = delivered(peer)
    assert {name: value for name, value in data.items() if key in name} == {
        name: value.replace("URL", peer.server.url) for name, value in named.items()
    }


def test_a_message_may_come_without_its_session(peer: Peer) -> None:
    peer.server.options.push_address = "none"
    session = peer.server.store.add_session("A")
    delivered(peer)
    peer.server.store.say(session, "hello")
    [data] = delivered(peer)
    assert data.keys() == {"messages", "notificationType", "messageType"}


def test_each_change_comes_with_the_fields_that_its_page_prints(peer: Peer) -> None:
    store = peer.server.store
    session = store.add_session("A", user_data={"OrderId": "4471"})
    store.update(session, participants=[CUSTOMER])
    store.update(session, comment="calls back")
    store.set_state(session, "LeftChat")
    store.end(session)
    store.remove(session)
    kind = "SMSsessionStateChangeMessage"
    uri = f"{peer.server.url}/api/v2/smssessions/A"
    chatting = {
        "state": "Chatting",
        "capabilities": CAPABILITIES,
        "id": "A",
        "uri": uri,
        "participants": [CUSTOMER],
    }
    received = {"receivedDate": "2026-03-02T09:00:00.000+0000", "chatType": "Inbound"}
    left = ["Complete", "SetDisposition", "AttachUserData", "UpdateUserData"]
    assert delivered(peer) == [
        {
            "messageType": kind,
            "notificationType": "StatusChange",
            "referenceId": 17,
            "smssession": {**chatting, "participants": [AGENT, CUSTOMER]},
        },
        {
            "messageType": kind,
            "notificationType": "ParticipantsUpdated",
            "smssession": {**chatting, **received},
        },
        {
            "messageType": kind,
            "notificationType": "PropertiesUpdated",
            "referenceId": 18,
            "smssession": {
                **chatting,
                **received,
                "userData": {"OrderId": "4471"},
                "comment": "calls back",
            },
        },
        {
            "messageType": kind,
            "notificationType": "StatusChange",
            "referenceId": 19,
            "smssession": {"state": "LeftChat", "capabilities": left, "id": "A", "uri": uri},
        },
        {
            "messageType": kind,
            "notificationType": "StatusChange",
            "smssession": {"state": "Completed", "id": "A", "uri": uri},
        },
    ]


def test_minimal_sessions_and_odd_times_reach_notifications_too(peer: Peer) -> None:
    options, store = peer.server.options, peer.server.store
    options.minimal, options.timestamps = True, "glued"
    session = store.add_session("A")
    store.say(session, "hello")
    state, log = delivered(peer)
    uri = f"{peer.server.url}/api/v2/smssessions/A"
    assert state["smssession"] == {"state": "Chatting", "id": "A", "uri": uri}
    assert log["messages"][0]["timestamp"] == "2026-03-0209:00:00.000+0000"


def test_users_get_notifications_of_their_own_sessions_only(serve: Serve) -> None:
    server = serve(hold=0.001)
    with Peer(server) as demo, Peer(server, SAMPLE) as sample:
        demo.begin()
        sample.begin()
        server.store.add_session("A")
        server.store.add_session("B", owner="sample")
        assert [data["smssession"]["id"] for data in delivered(demo)] == ["A"]
        assert [data["smssession"]["id"] for data in delivered(sample)] == ["B"]


def test_a_message_that_comes_late_is_not_notified(peer: Peer) -> None:
    store = peer.server.store
    session = store.add_session()
    delivered(peer)
    store.append(session, {"type": "Text", "text": "late"}, late=3)
    store.say(session, "next")
    assert texts(delivered(peer)) == ["next"]


# Failures


def say(peer: Peer, count: int) -> list[Any]:
    """The notifications of `count` messages, each with its number as text."""
    session = next(iter(peer.server.store.visible_to("demo"))).id
    for number in range(count):
        peer.server.store.say(session, str(number))
    return delivered(peer)


@pytest.fixture
def chatting(peer: Peer) -> Peer:
    """The same client, with one session."""
    peer.server.store.add_session("A")
    delivered(peer)
    return peer


def test_without_switches_nothing_is_lost(chatting: Peer) -> None:
    assert texts(say(chatting, 20)) == [str(number) for number in range(20)]


def test_the_next_notifications_can_be_lost(chatting: Peer) -> None:
    chatting.server.lose_notifications(2)
    assert texts(say(chatting, 4)) == ["2", "3"]


def test_a_share_gets_lost_the_same_one_each_time(serve: Serve) -> None:
    def left(seed: int) -> list[str]:
        server = serve(hold=0.001, push_lost=0.5, fault_seed=seed)
        server.store.add_session("A")
        with Peer(server) as peer:
            return texts(say(peer.begin(), 40))

    some = left(1)
    assert 8 < len(some) < 32
    assert left(1) == some
    assert left(2) != some


def test_every_notification_can_come_twice(chatting: Peer) -> None:
    chatting.server.options.push_repeated = 1
    assert texts(say(chatting, 2)) == ["0", "0", "1", "1"]


def test_neighbours_can_change_places(chatting: Peer) -> None:
    chatting.server.options.push_reordered = 1
    assert texts(say(chatting, 5)) == ["1", "0", "3", "2"]
    chatting.server.options.push_reordered = 0
    assert texts(say(chatting, 1)) == ["0", "4"]


def test_foreign_notifications_come_in_between(chatting: Peer) -> None:
    chatting.server.options.push_foreign = 1
    foreign, own = say(chatting, 5)[::2], say(chatting, 5)[1::2]
    api = f"{chatting.server.url}/api/v2"
    message = {"index": 1, "type": "Text", "text": "elsewhere", "visibility": "All"}
    log = {"messages": [message], "notificationType": "NewMessages", "messageType": "MessageLogUpdated"}
    chat = f"{api}/chats/0000Nc0000000001"
    assert foreign == [
        {
            "messageType": "ChatStateChangeMessage",
            "notificationType": "StatusChange",
            "chat": {"id": "0000Nc0000000001", "state": "Chatting", "uri": chat},
        },
        {**log, "chatUri": chat, "chatPath": "/chats/0000Nc0000000001"},
        {"messageType": "CallStateChangeMessage", "notificationType": "StatusChange", "call": {}},
        {"notificationType": "Error", "errorMessage": "Request failed", "referenceId": 5},
        {**log, "smssessionUri": f"{api}/smssessions/0000Nf0000000000"},
    ]
    assert texts(own) == ["0", "1", "2", "3", "4"]


def test_notifications_of_chats_need_their_subscription(serve: Serve) -> None:
    server = serve(hold=0.001, push_foreign=1)
    server.store.add_session("A")
    with Peer(server) as peer:
        elements = say(peer.begin("/v2/me/smssession"), 3)
    assert texts(elements) == ["0", "1", "2"]


def test_malformed_elements_come_in_between_and_are_json(chatting: Peer) -> None:
    chatting.server.options.push_malformed = 1
    elements = say(chatting, 20)
    malformed, own = elements[::2], elements[1::2]
    assert texts(own) == [str(number) for number in range(20)]
    assert malformed[:4] == [17, None, "junk", [[]]]
    assert malformed[17:] == malformed[:3]
