"""The demo server's CometD channel, without any switch of the test server."""

import time
from collections.abc import Iterator

import pytest

from smscli.demo.cometd import SMS_TOPICS
from smscli.demo.server import DemoServer
from tests.support.demo_bayeux import Peer
from tests.support.demo_peer import Clock

CONNECTED = {"channel": "/meta/connect", "successful": True}
UNKNOWN = {
    "channel": "/meta/connect",
    "successful": False,
    "error": "402::Unknown client",
    "advice": {"reconnect": "handshake", "interval": 0},
}
ADVICE = {"reconnect": "retry", "interval": 0, "timeout": 30000}


@pytest.fixture
def peer(demo: DemoServer) -> Iterator[Peer]:
    with Peer(demo) as peer:
        yield peer


def test_a_client_is_advised_and_its_first_connect_is_not_held(peer: Peer) -> None:
    reply = peer.handshake()
    assert (reply["successful"], reply["advice"]) == (True, ADVICE)
    assert sorted(peer.cookies) == ["BAYEUX_BROWSER", "JSESSIONID"]
    assert peer.connect() == [{**CONNECTED, "advice": ADVICE}]


def test_every_topic_that_may_carry_sms_is_accepted_and_others_are_refused(peer: Peer) -> None:
    peer.handshake()
    replies = peer.subscribe("/v2/me/*", *SMS_TOPICS, "/v2/other")
    assert [reply["successful"] for reply in replies] == [True, True, True, True, False]
    assert replies[4]["error"] == "403:/v2/other:subscribe_denied"


def test_a_held_connect_brings_the_next_message(peer: Peer, clock: Clock) -> None:
    peer.begin()
    clock.now += 0.9
    *notifications, reply = peer.connect()
    assert reply == CONNECTED
    assert [notification["channel"] for notification in notifications] == ["/v2/me/smssession"]
    data = notifications[0]["data"]
    assert data["smssessionUri"] == f"{peer.server.url}/api/v2/smssessions/0000Na9C00R4QA87"
    assert (data["messageType"], data["notificationType"]) == ("MessageLogUpdated", "NewMessages")
    assert data["messages"][0]["timestampSeconds"] == 1772442000800


def test_a_connect_may_ask_not_to_be_held(peer: Peer) -> None:
    peer.begin()
    begin = time.monotonic()
    assert peer.connect(advice={"timeout": 0}) == [{**CONNECTED, "advice": ADVICE}]
    assert peer.connect(advice={"timeout": 20}) == [{**CONNECTED, "advice": ADVICE}]
    assert 0.02 <= time.monotonic() - begin < 10


@pytest.mark.parametrize("cookie", ["JSESSIONID", "BAYEUX_BROWSER"])
def test_a_client_without_its_cookies_is_unknown(peer: Peer, cookie: str) -> None:
    peer.begin()
    del peer.cookies[cookie]
    assert peer.connect() == [UNKNOWN]


def test_a_client_expires(peer: Peer) -> None:
    peer.server.api.channel.expiry = 0.01
    peer.handshake()
    time.sleep(0.02)
    assert peer.connect() == [UNKNOWN]


def test_a_disconnected_client_is_unknown(peer: Peer) -> None:
    peer.begin()
    assert peer.say(peer.message("disconnect")) == [{"channel": "/meta/disconnect", "successful": True}]
    assert peer.connect() == [UNKNOWN]
