"""BayeuxClient against a scripted CometD server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from smscli.errors import (
    NotFound,
    ServerBusy,
    ServerError,
    SignInRefused,
    SmscliError,
    Unreachable,
    WireError,
)
from smscli.gws.cometd import TOPICS, Advice, BayeuxClient, ClientUnknown, PushUnavailable
from smscli.gws.http import HttpResponse, Server, Transport
from smscli.model import Wake, WakeKind
from tests.support.cometd_script import NEWS, UNKNOWN, CometdScript, connected
from tests.support.wire_server import WireServer, answer, cut_after

GOOD = connected()[0]
S1 = Wake(WakeKind.MESSAGES, "s1")


class Heard(list[Wake]):
    """Records the wake-ups of a client."""


@contextmanager
def client_of(script: CometdScript) -> Iterator[tuple[BayeuxClient, Heard]]:
    heard = Heard()
    with WireServer(script) as server:
        transport = Transport(
            Server(server.base_url), lambda: ("Authorization", "Bearer s3cret"), {}, clock=lambda: 0.0
        )
        yield BayeuxClient(transport, heard.append), heard
        transport.close()


def refused(kind: str, error: str = "403::denied", **more: object) -> dict[str, Any]:
    return {"channel": f"/meta/{kind}", "successful": False, "error": error, **more}


def open_client(client: BayeuxClient) -> None:
    client.open()


def connect(client: BayeuxClient) -> None:
    client.open()
    client.connect(immediate=True)


# --- requests ---


def test_open_sends_a_handshake_and_four_subscriptions_in_one_request() -> None:
    script = CometdScript()
    with client_of(script) as (client, _):
        client.open()
        assert client.is_open
    assert script.kinds == ["handshake", "subscribe"]
    assert script.sent("handshake") == [
        {
            "channel": "/meta/handshake",
            "version": "1.0",
            "minimumVersion": "1.0",
            "supportedConnectionTypes": ["long-polling"],
        }
    ]
    assert script.sent("subscribe") == [
        {"channel": "/meta/subscribe", "clientId": "c1", "subscription": topic}
        for topic in ("/v2/me/*", "/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions")
    ]
    ids = [message["id"] for _, messages in script.requests for message in messages]
    assert ids == ["1", "2", "3", "4", "5"]


def test_only_an_immediate_connect_asks_not_to_be_held() -> None:
    script = CometdScript(connect=[connected(), connected()])
    with client_of(script) as (client, _):
        client.open()
        assert client.connect(immediate=True) is False
        assert client.connect(immediate=False) is False
    usual = {"channel": "/meta/connect", "clientId": "c1", "connectionType": "long-polling"}
    assert script.sent("connect") == [usual | {"advice": {"timeout": 0}}, usual]


def test_disconnect_is_sent_only_by_an_open_client() -> None:
    script = CometdScript()
    with client_of(script) as (client, _), WireServer(script) as server:
        second = Transport(
            Server(server.base_url), lambda: ("Authorization", "Bearer s3cret"), {}, clock=lambda: 0.0
        )
        client.disconnect(second, 1.0)
        client.open()
        client.disconnect(second, 1.0)
        second.close()
    assert script.sent("disconnect") == [{"channel": "/meta/disconnect", "clientId": "c1"}]


def test_each_handshake_drops_the_browser_s_cookie_and_keeps_the_session_s() -> None:
    cookies = answer([UNKNOWN], headers={"Set-Cookie": "JSESSIONID=n1; Path=/"})
    script = CometdScript(connect=[cookies])
    with client_of(script) as (client, _):
        with pytest.raises(ClientUnknown):
            connect(client)
        client.open()
    assert script.headers("subscribe", "cookie") == ["BAYEUX_BROWSER=b1", "JSESSIONID=n1; BAYEUX_BROWSER=b2"]
    assert script.headers("handshake", "cookie") == [None, "JSESSIONID=n1"]


def test_a_403_that_names_the_csrf_token_renews_it_once() -> None:
    forged = answer(b"Missing or invalid Csrf token", 403)
    script = CometdScript(handshake=[forged])
    with client_of(script) as (client, _):
        client.open()
    assert script.kinds == ["handshake", "me", "handshake", "subscribe"]
    assert script.headers("handshake", "x-csrf-token") == [None, "t0k3n"]


def test_a_403_that_the_new_csrf_token_does_not_help_is_final() -> None:
    forged = answer(b"Missing or invalid Csrf token", 403)
    script = CometdScript(handshake=[forged, forged])
    with client_of(script) as (client, _), pytest.raises(PushUnavailable, match=r"forbidden \(HTTP 403\)"):
        client.open()
    assert script.kinds == ["handshake", "me", "handshake"]


# --- responses ---


def test_notifications_arrive_in_any_response_and_any_order() -> None:
    state = {"channel": "/v2/me/smssession", "data": {"smssession": {"id": "s2"}}}
    subscribed = {"channel": "/meta/subscribe", "successful": True}
    script = CometdScript(subscribe=[[NEWS, subscribed]], connect=[[NEWS, GOOD, state], [GOOD, NEWS]])
    with client_of(script) as (client, heard):
        client.open()
        assert client.connect(immediate=True) is True
        assert client.connect(immediate=True) is True
    assert heard == [S1, S1, Wake(WakeKind.LIST), S1]


def test_elements_that_are_not_messages_are_ignored() -> None:
    odd = [17, None, "junk", [[]], {}, {"channel": "/v2/me/calls"}, {"channel": 5, "data": NEWS["data"]}]
    foreign = {"channel": "/meta/elsewhere", "successful": False, "advice": "none"}
    script = CometdScript(connect=[[*odd, foreign, GOOD, {"data": None}]])
    with client_of(script) as (client, heard):
        client.open()
        client.connect(immediate=True)
    assert heard == [S1]


def test_a_single_message_needs_no_list() -> None:
    with client_of(CometdScript(connect=[GOOD])) as (client, _):
        connect(client)


@pytest.mark.parametrize("accepted", TOPICS)
def test_one_subscription_accepted_is_enough(accepted: str) -> None:
    replies = [
        refused("subscribe", subscription=topic) | ({"successful": True} if topic == accepted else {})
        for topic in TOPICS
    ]
    with client_of(CometdScript(subscribe=[replies])) as (client, _):
        client.open()
        assert client.is_open


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"interval": 2000, "timeout": 5000}, Advice(2.0, 5.0)),
        ({"interval": 0.5}, Advice(0.0005, 20.0)),
        ({"timeout": 0}, Advice(1.0, 0.0)),
        ({"interval": 10**30, "timeout": 1e300}, Advice(300.0, 600.0)),
        ({"interval": -1, "timeout": "5000"}, Advice(1.0, 20.0)),
        ({"interval": True, "timeout": None}, Advice(1.0, 20.0)),
        ({}, Advice(1.0, 20.0)),
        (None, Advice(1.0, 20.0)),
        (["interval"], Advice(1.0, 20.0)),
    ],
)
def test_advice_stays_until_it_is_changed(sent: object, expected: Advice) -> None:
    assert Advice(1.0, 20.0).updated(sent) == expected


def test_a_handshake_resets_the_advice() -> None:
    script = CometdScript(connect=[connected(interval=2000, reconnect="retry", **{"multiple-clients": True})])
    with client_of(script) as (client, _):
        connect(client)
        assert client.advice == Advice(2.0, 30.0)
        client.open()
        assert client.advice == Advice(0.0, 30.0)


def test_a_connect_times_out_ten_seconds_after_the_hold_time() -> None:
    times: list[float | None] = []

    class Timed(Transport):
        def post(self, path: str, body: bytes, timeout: float | None = None) -> HttpResponse:
            times.append(timeout)
            return super().post(path, body, timeout)

    with WireServer(CometdScript(connect=[connected(timeout=5000), connected()])) as server:
        transport = Timed(
            Server(server.base_url), lambda: ("Authorization", "Bearer s3cret"), {}, clock=lambda: 0.0
        )
        client = BayeuxClient(transport, Heard().append)
        connect(client)
        client.connect(immediate=True)
        transport.close()
    assert times == [None, None, 40.0, 15.0]


# --- refusals ---


def failure(script: CometdScript, act: Callable[[BayeuxClient], None]) -> Exception:
    with client_of(script) as (client, _):
        try:
            act(client)
        except (PushUnavailable, ClientUnknown, SmscliError) as error:
            return error
    pytest.fail("nothing was raised")


@pytest.mark.parametrize(
    ("handshake", "kind", "said"),
    [
        (
            answer({"statusCode": 6}, 404),
            PushUnavailable,
            "no such resource (statusCode 6, HTTP 404), at http",
        ),
        (answer(b"<html>", 404), PushUnavailable, "the server answers: not found (HTTP 404), at http"),
        (answer(b"", 405), PushUnavailable, "method not allowed (HTTP 405)"),
        (answer(b"", 501), PushUnavailable, "not implemented (HTTP 501)"),
        (
            answer(b"", 302, {"Location": "/login"}),
            PushUnavailable,
            "the server redirects to http://localhost",
        ),
        (answer({"statusCode": 6}), PushUnavailable, "no such resource (statusCode 6), at http"),
        (answer({"statusCode": 20}), SignInRefused, "not signed in (statusCode 20), at http"),
        (answer({"statusCode": 4}), ServerError, "internal error (statusCode 4), at http"),
        (answer({"statusCode": 20}, 401), SignInRefused, "not signed in (statusCode 20, HTTP 401)"),
        (answer(b"", 502), ServerError, "bad gateway (HTTP 502)"),
        (answer(b"", 503, {"Retry-After": "7"}), ServerBusy, "service unavailable (HTTP 503)"),
        (answer(b"", 429), ServerBusy, "too many requests (HTTP 429)"),
        (answer(b""), WireError, "the server's response is empty"),
        (answer(b"<html>login"), WireError, "the server's response is a web page, not JSON"),
        (answer(b"[" * 100_000), WireError, "the server's response is nested too deeply"),
        (answer(b"[]"), WireError, "the server does not reply to a handshake"),
        (answer(b"7"), WireError, "the response has no Bayeux messages"),
        (answer({"statusCode": 0}), WireError, "the response has no Bayeux messages"),
        ([GOOD], WireError, "the server does not reply to a handshake"),
        ([{"channel": "/meta/handshake", "successful": True}], WireError, "names no client"),
        ([{"channel": "/meta/handshake", "successful": True, "clientId": 7}], WireError, "names no client"),
        (
            [{"channel": "/meta/handshake", "successful": "yes"}],
            PushUnavailable,
            "the handshake is refused: no reason given",
        ),
        ([refused("handshake")], PushUnavailable, "the handshake is refused: 403::denied"),
        ([refused("handshake", "a\nb\x1b[2J")], PushUnavailable, "the handshake is refused: a b\x1b[2J"),
        ([refused("handshake", advice={"reconnect": "none"})], PushUnavailable, "the handshake is refused"),
        ([refused("handshake", advice={"reconnect": "retry"})], ServerError, "the handshake is refused"),
        ([refused("handshake", advice={"reconnect": "handshake"})], ServerError, "the handshake is refused"),
        (cut_after(b""), Unreachable, "closed the connection"),
    ],
)
def test_handshake_failures(handshake: object, kind: type[Exception], said: str) -> None:
    error = failure(CometdScript(handshake=[handshake]), open_client)
    assert type(error) is kind
    assert said in str(error)


@pytest.mark.parametrize(
    ("replies", "kind", "said"),
    [
        ([refused("subscribe")] * 4, PushUnavailable, "the subscription is refused: 403::denied"),
        ([refused("subscribe", "402::Unknown client")] * 4, ClientUnknown, ""),
        ([], WireError, "the server does not reply to a subscription"),
    ],
)
def test_subscription_failures(replies: object, kind: type[Exception], said: str) -> None:
    def subscribe(client: BayeuxClient) -> None:
        try:
            client.open()
        finally:
            assert not client.is_open

    error = failure(CometdScript(subscribe=[replies]), subscribe)
    assert type(error) is kind
    assert said in str(error)


@pytest.mark.parametrize(
    ("reply", "kind", "is_open"),
    [
        ([UNKNOWN], ClientUnknown, False),
        ([refused("connect", "402::Unknown client")], ClientUnknown, False),
        (connected(reconnect="handshake"), ClientUnknown, False),
        (connected(reconnect="none"), PushUnavailable, True),
        ([refused("connect", advice={"reconnect": "none", "multiple-clients": True})], PushUnavailable, True),
        ([refused("connect", advice={"reconnect": "retry"})], ServerError, True),
        ([refused("connect")], ServerError, False),
        (answer(b"", 404), NotFound, True),
        (answer(b"", 408), ServerError, True),
        (answer(b"nothing"), WireError, True),
        ([NEWS], WireError, True),
        (cut_after(b"HTTP/1.1 200 Said\r\nContent-Length: 9\r\n\r\n["), Unreachable, True),
    ],
)
def test_connect_failures(reply: object, kind: type[Exception], is_open: bool) -> None:
    with client_of(CometdScript(connect=[reply])) as (client, _):
        client.open()
        with pytest.raises(kind) as caught:
            client.connect(immediate=True)
        assert (type(caught.value), client.is_open) == (kind, is_open)


def test_refusals_after_a_success_are_temporary() -> None:
    script = CometdScript(handshake=[None, answer(b"", 404), [refused("handshake")], None])
    with client_of(script) as (client, _):
        client.open()
        for _ in range(2):
            with pytest.raises((NotFound, ServerError)):
                client.open()
        client.open()
        assert client.is_open
