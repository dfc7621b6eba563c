"""The CometD channel as a client sees it: Bayeux messages, long polling, cookies, and failures."""

import json
import threading
import time
from collections.abc import Iterator
from http.client import RemoteDisconnected
from typing import Any

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.demo_bayeux import HANDSHAKE, PATH, Peer
from tests.support.demo_peer import DEMO, Clock, basic, connect, get
from tests.support.serving import Serve

CONNECTED = {"channel": "/meta/connect", "successful": True}
UNKNOWN = {
    "channel": "/meta/connect",
    "successful": False,
    "error": "402::Unknown client",
    "advice": {"reconnect": "handshake", "interval": 0},
}
ADVICE = {"reconnect": "retry", "interval": 0, "timeout": 30000}


@pytest.fixture
def server(serve: Serve) -> FakeServer:
    return serve()


@pytest.fixture
def peer(server: FakeServer) -> Iterator[Peer]:
    with Peer(server) as peer:
        yield peer


def test_a_handshake_makes_a_client_and_advises_it(peer: Peer) -> None:
    reply = peer.handshake()
    assert len(peer.client_id) == 40
    assert reply == {
        "id": "1",
        "channel": "/meta/handshake",
        "version": "1.0",
        "minimumVersion": "1.0",
        "supportedConnectionTypes": ["callback-polling", "long-polling"],
        "clientId": peer.client_id,
        "successful": True,
        "advice": ADVICE,
    }
    assert sorted(peer.cookies) == ["BAYEUX_BROWSER", "JSESSIONID"]


def test_the_advice_follows_the_options(serve: Serve) -> None:
    with Peer(serve(hold=5, push_interval=250, push_reconnect="handshake")) as peer:
        assert peer.handshake()["advice"] == {"reconnect": "retry", "interval": 250, "timeout": 5000}
        again = {"reconnect": "handshake", "interval": 250, "timeout": 5000}
        assert peer.connect() == [{**CONNECTED, "advice": again}]
        assert peer.connect(advice={"timeout": 0}) == [{**CONNECTED, "advice": again}]


def test_the_first_connect_is_answered_at_once_and_repeats_the_advice(peer: Peer) -> None:
    peer.handshake()
    assert peer.connect(id="7") == [{**CONNECTED, "id": "7", "advice": ADVICE}]


def test_a_connect_is_held_until_a_notification(peer: Peer) -> None:
    store = peer.server.store
    session = store.add_session()
    peer.begin().hang()
    store.say(session, "hello")
    [notice] = peer.notifications()
    assert (notice["channel"], notice["data"]["messages"][0]["text"]) == ("/v2/me/smssession", "hello")


def test_a_connect_without_a_notification_is_answered_at_its_timeout(serve: Serve) -> None:
    with Peer(serve(hold=0.02)) as peer:
        peer.begin()
        begin = time.monotonic()
        assert peer.connect() == [CONNECTED]
        assert time.monotonic() - begin >= 0.02


def test_a_client_may_ask_not_to_be_held(peer: Peer) -> None:
    peer.begin()
    assert peer.connect(advice={"timeout": 0}) == [{**CONNECTED, "advice": ADVICE}]


def test_what_happens_between_connects_comes_with_the_next_answer(peer: Peer) -> None:
    store = peer.server.store
    session = store.add_session()
    peer.begin()
    for text in ("one", "two"):
        store.say(session, text)
    *notifications, reply = peer.subscribe("/v2/me/calls")
    assert texts(notifications) == ["one", "two"]
    assert reply == {"channel": "/meta/subscribe", "successful": True, "subscription": "/v2/me/calls"}


def test_a_newer_connect_ends_the_older_one(peer: Peer) -> None:
    peer.begin().hang()
    with Peer(peer.server) as newer:
        newer.cookies, newer.client_id = peer.cookies, peer.client_id
        newer.hang()
        assert peer.receive().status == 408
        newer.server.store.add_session()
        assert len(newer.notifications()) == 1


def test_a_connect_that_comes_with_other_messages_is_not_held(peer: Peer) -> None:
    peer.begin()
    replies = peer.say(peer.message("subscribe", subscription="/**"), peer.message("connect"))
    assert [reply["channel"] for reply in replies] == ["/meta/subscribe", "/meta/connect"]


def test_clients_may_append_the_message_type_to_the_path(server: FakeServer) -> None:
    with Peer(server, path="/api/v2/notifications/handshake") as peer:
        assert peer.handshake()["successful"] is True
    assert list(server.requests) == [("POST", "/api/v2/notifications/handshake", "demo")]


def test_a_chunked_request_is_understood(peer: Peer) -> None:
    connection = connect(peer.server)
    body = iter([b'[{"channel":', b'"/meta/handshake"}]'])
    headers = {**DEMO, "Transfer-Encoding": "chunked"}
    connection.request("POST", PATH, body=body, headers=headers, encode_chunked=True)
    assert json.loads(connection.getresponse().read())[0]["successful"] is True
    connection.close()


def test_the_messages_of_clients_are_logged(peer: Peer) -> None:
    peer.begin()
    assert [message["channel"] for message in peer.server.bayeux] == [
        "/meta/handshake",
        "/meta/subscribe",
        "/meta/connect",
    ]


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b"17", b"[17]", b'["x"]', b"null", b"[" * 50_000, b"\xff"]
)
def test_a_body_without_bayeux_messages_is_a_bad_request(peer: Peer, body: bytes) -> None:
    assert peer.post(body).status == 400
    assert peer.handshake()["successful"] is True


def test_a_get_is_a_bad_request(peer: Peer) -> None:
    assert peer.post(b"", "GET").status == 400


def test_a_client_may_not_publish(peer: Peer) -> None:
    peer.handshake()
    published = {"channel": "/v2/me/chats", "clientId": peer.client_id, "data": {}}
    assert peer.say(published) == [
        {"channel": "/v2/me/chats", "successful": False, "error": "403:/v2/me/chats:publish_denied"}
    ]


@pytest.mark.parametrize("odd", [None, 7, [], ["x"], {}])
def test_odd_fields_are_answered(peer: Peer, odd: object) -> None:
    peer.handshake()
    for message in (
        {"channel": odd, "clientId": peer.client_id, "id": odd},
        {"channel": "/meta/connect", "clientId": odd},
        peer.message("subscribe", subscription=[odd]),
        peer.message("connect", advice={"timeout": 0, "interval": odd}),
    ):
        assert peer.say(message)[-1]["successful"] in (True, False)


def test_no_or_wrong_credentials_get_no_channel(server: FakeServer) -> None:
    for headers in ({}, basic("demo", "wrong")):
        with Peer(server, headers) as peer:
            peer.send(b"[]")
            assert peer.receive().status == 401


def test_push_off_is_not_found(serve: Serve) -> None:
    with Peer(serve(push="off")) as peer:
        answer = peer.post(b"[]")
        assert (answer.status, answer.json()["statusCode"]) == (404, 6)


# Subscriptions


@pytest.mark.parametrize("topic", ["/**", "/v2/**", "/v2/me/**", "/v2/me/*", "/v2/me/smssession"])
def test_a_topic_and_its_wildcards_cover_it(serve: Serve, topic: str) -> None:
    server = serve(topics=(topic,))
    with Peer(server) as peer:
        peer.begin(topic).hang()
        server.store.add_session()
        assert len(peer.notifications()) == 1


@pytest.mark.parametrize("topic", ["/*", "/v2/*", "/v2/me/smssession/*", "/v2/me/smssessions", "/v2/me"])
def test_other_topics_do_not_cover_it(serve: Serve, topic: str) -> None:
    server = serve(topics=(topic,), hold=0.01)
    with Peer(server) as peer:
        peer.begin(topic)
        server.store.add_session()
        assert peer.connect() == [CONNECTED]


def test_several_topics_bring_each_notification_once(peer: Peer) -> None:
    peer.begin("/v2/me/*", "/v2/me/smssession", "/**").hang()
    peer.server.store.add_session()
    assert len(peer.notifications()) == 1


def test_one_message_may_subscribe_to_several_topics(peer: Peer) -> None:
    peer.handshake()
    both = ["/v2/me/smssession", "/v2/me/chats"]
    assert peer.say(peer.message("subscribe", subscription=both, id="4")) == [
        {"id": "4", "channel": "/meta/subscribe", "successful": True, "subscription": both}
    ]


def test_the_topic_is_a_switch(serve: Serve) -> None:
    server = serve(topic="/v2/me/smsessions")
    with Peer(server) as peer:
        peer.begin("/v2/me/smsessions").hang()
        server.store.add_session()
        assert [notice["channel"] for notice in peer.notifications()] == ["/v2/me/smsessions"]


def test_an_unsubscribed_topic_brings_nothing(serve: Serve) -> None:
    server = serve(hold=0.01)
    with Peer(server) as peer:
        peer.begin("/v2/me/*")
        gone = peer.message("unsubscribe", subscription="/v2/me/*")
        assert peer.say(gone) == [
            {"channel": "/meta/unsubscribe", "successful": True, "subscription": "/v2/me/*"}
        ]
        server.store.add_session()
        assert peer.connect() == [CONNECTED]


@pytest.mark.parametrize(
    ("options", "accepted"),
    [
        ({}, ["/v2/me/*", "/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions"]),
        ({"topics": ("/v2/me/smsessions",)}, ["/v2/me/smsessions"]),
        ({"push_refuse": "topics"}, ["/v2/me/*"]),
        ({"push_refuse": "subscribe"}, []),
    ],
)
def test_subscriptions_are_refused_as_the_options_say(
    serve: Serve, options: dict[str, Any], accepted: list[str]
) -> None:
    with Peer(serve(**options)) as peer:
        peer.handshake()
        replies = peer.subscribe("/v2/me/*", "/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions")
        assert [reply["subscription"] for reply in replies if reply["successful"]] == accepted
        for reply in replies:
            if not reply["successful"]:
                assert reply["error"] == f"403:{reply['subscription']}:subscribe_denied"


def test_a_refused_handshake_says_not_to_try_again(serve: Serve) -> None:
    with Peer(serve(push_refuse="handshake")) as peer:
        assert peer.say(HANDSHAKE) == [
            {
                "id": "1",
                "channel": "/meta/handshake",
                "successful": False,
                "error": "403::Handshake denied",
                "advice": {"reconnect": "none"},
            }
        ]


# Clients and their cookies


def test_an_unknown_client_is_advised_to_handshake(peer: Peer) -> None:
    assert peer.connect() == [UNKNOWN]
    assert peer.subscribe("/v2/me/*") == [
        {"channel": "/meta/subscribe", "successful": False, "error": "402::Unknown client"}
    ]


@pytest.mark.parametrize("cookie", ["JSESSIONID", "BAYEUX_BROWSER"])
def test_a_client_without_its_cookies_is_unknown(peer: Peer, cookie: str) -> None:
    peer.begin()
    del peer.cookies[cookie]
    assert peer.connect() == [UNKNOWN]


def test_a_lost_http_session_loses_its_clients(peer: Peer) -> None:
    peer.begin()
    peer.server.expire_sessions()
    assert peer.connect() == [UNKNOWN]
    assert peer.handshake()["successful"] is True
    assert peer.connect() == [{**CONNECTED, "advice": ADVICE}]


def test_cookies_may_be_ignored(serve: Serve) -> None:
    with Peer(serve(push_cookies="free")) as peer:
        peer.handshake()
        peer.cookies.clear()
        assert peer.connect() == [{**CONNECTED, "advice": ADVICE}]


def test_a_client_belongs_to_its_user(serve: Serve) -> None:
    with Peer(serve(push_cookies="free", users={"other": "x"})) as peer:
        peer.handshake()
        peer.headers = basic("other", "x")
        assert peer.connect() == [UNKNOWN]


def test_a_second_client_of_one_browser_gets_an_interval(peer: Peer) -> None:
    peer.begin().hang()
    with Peer(peer.server) as second:
        second.cookies = dict(peer.cookies)
        second.handshake()
        advice = {"multiple-clients": True, "reconnect": "retry", "interval": 2000}
        for _ in range(2):
            assert second.connect() == [{**CONNECTED, "advice": advice}]
        peer.server.options.crowded_interval = 0
        refused = {"multiple-clients": True, "reconnect": "none"}
        assert second.connect() == [{**CONNECTED, "successful": False, "advice": refused}]


def test_a_handshake_with_the_old_browser_cookie_is_crowded_by_the_old_connect(peer: Peer) -> None:
    peer.begin().hang()
    with Peer(peer.server) as again:
        again.cookies = dict(peer.cookies)
        again.handshake()
        assert again.connect()[0]["advice"]["multiple-clients"] is True
        del again.cookies["BAYEUX_BROWSER"]
        again.handshake()
        assert again.connect() == [{**CONNECTED, "advice": ADVICE}]


def test_more_clients_of_one_browser_may_be_allowed(peer: Peer) -> None:
    peer.server.options.browser_sessions = 2
    peer.begin().hang()
    with Peer(peer.server) as second:
        second.cookies = dict(peer.cookies)
        second.begin().hang()
        assert peer.server.await_listeners(2)


def test_a_client_without_connects_expires(serve: Serve) -> None:
    with Peer(serve(push_expiry=0.01)) as peer:
        peer.handshake()
        time.sleep(0.02)
        assert peer.connect() == [UNKNOWN]


def test_a_client_whose_connect_is_held_does_not_expire(serve: Serve) -> None:
    server = serve(push_expiry=0.01)
    with Peer(server) as peer:
        peer.begin().hang()
        time.sleep(0.02)
        server.store.add_session()
        assert len(peer.notifications()) == 1


def test_a_disconnect_ends_the_client_and_its_held_connect(peer: Peer) -> None:
    peer.begin().hang()
    with Peer(peer.server) as other:
        other.cookies, other.client_id = peer.cookies, peer.client_id
        assert other.say(other.message("disconnect")) == [{"channel": "/meta/disconnect", "successful": True}]
        assert peer.receive().json() == [{**CONNECTED, "advice": {"reconnect": "none"}}]
        assert other.connect() == [UNKNOWN]


# CSRF


def test_with_csrf_the_channel_needs_the_token_of_the_session(serve: Serve) -> None:
    server = serve(csrf=True)
    with Peer(server) as peer:
        refused = peer.post(b"[]")
        assert (refused.status, refused.body) == (403, b"Missing or invalid Csrf token")
        headers = get(server, "/api/v2/me").headers
        peer.cookies["JSESSIONID"] = headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        peer.headers = {**DEMO, headers["X-CSRF-HEADER"]: headers["X-CSRF-TOKEN"]}
        assert peer.handshake()["successful"] is True


def test_the_channel_may_do_without_the_token(serve: Serve) -> None:
    with Peer(serve(csrf=True, csrf_connect="none")) as peer:
        assert peer.handshake()["successful"] is True


# Failures of the channel


def test_a_cut_resets_held_connects_and_keeps_the_client(peer: Peer) -> None:
    peer.begin().hang()
    peer.server.cut_push()
    with pytest.raises((ConnectionResetError, RemoteDisconnected)):
        peer.receive()
    with Peer(peer.server) as again:
        again.cookies, again.client_id = peer.cookies, peer.client_id
        again.hang()
        peer.server.store.add_session()
        assert len(again.notifications()) == 1


def test_dropped_clients_are_answered_at_once(peer: Peer) -> None:
    peer.begin().hang()
    peer.server.drop_push()
    assert peer.receive().json() == [UNKNOWN]
    assert peer.connect() == [UNKNOWN]


def test_a_restart_loses_logs_sessions_and_clients(peer: Peer) -> None:
    store = peer.server.store
    session = store.add_session()
    store.say(session, "old")
    peer.begin().hang()
    old = peer.server.restart()
    assert [message["text"] for message in old[session]] == ["old"]
    assert store.say(session, "new")["index"] == 1
    with Peer(peer.server) as again:
        again.cookies, again.client_id = dict(peer.cookies), peer.client_id
        assert again.connect() == [UNKNOWN]
        assert again.cookies["JSESSIONID"] != peer.cookies["JSESSIONID"]


def test_no_connect_is_answered_during_silence(peer: Peer) -> None:
    server = peer.server
    session = server.store.add_session()
    peer.begin()
    server.options.silence = True
    peer.hang(advice={"timeout": 0})
    server.store.say(session, "unreceived")
    assert server.await_listeners(1, timeout=0)
    server.options.silence = False
    *notifications, reply = peer.receive().json()
    assert texts(notifications) == ["unreceived"]
    assert reply == {**CONNECTED, "advice": ADVICE}


def test_a_flood_repeats_the_latest_notifications(serve: Serve) -> None:
    server = serve(flood=1000)
    session = server.store.add_session()
    with Peer(server) as peer:
        begin = time.monotonic()
        peer.begin()
        server.store.say(session, "drop")
        received: list[str] = []
        while len(received) < 100:
            received += texts(peer.connect()[:-1])
        took = time.monotonic() - begin
    assert set(received) == {"drop"}
    assert took < 2
    assert len(received) <= 1 + 1000 * took


def test_faults_of_responses_apply_to_the_channel_too(peer: Peer) -> None:
    peer.begin()
    peer.server.fail_next("502html", "notifications")
    assert peer.post(b"[]").status == 502


def test_closing_ends_held_connects_at_once() -> None:
    server = FakeServer(Options(scene="empty", silence=True)).start()
    peers = [Peer(server) for _ in range(3)]
    for number, peer in enumerate(peers):
        peer.handshake()
        peer.subscribe("/v2/me/*")
        peer.hang()
        assert server.await_listeners(number + 1)
    begin = time.monotonic()
    server.close()
    assert time.monotonic() - begin < 1
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("demo-")] == []
    for peer in peers:
        peer.__exit__()


def test_scheduled_messages_are_published_without_any_read(serve: Serve, clock: Clock) -> None:
    server = serve(scene="bulk", sessions=1, messages=0, rate=50.0)
    with Peer(server) as peer:
        peer.begin().hang()
        clock.now += 0.03
        assert texts(peer.notifications()) == ["message 1 of this run"]


def texts(notices: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for notice in notices for message in notice["data"]["messages"]]
