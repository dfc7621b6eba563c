"""Server push from the outside: the wake-ups that a server's notifications and failures cause."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from smscli.demo.cometd import SMS_TOPICS
from smscli.gws import cometd, push
from smscli.gws.client import GwsClient, Server
from smscli.gws.pool import Inbox
from smscli.gws.push import Push
from smscli.model import Wake, WakeKind
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.cometd_script import NEWS, REFUSED, UNKNOWN, CometdScript, connected
from tests.support.demo_peer import DEMO
from tests.support.wire_server import Reply, WireServer, answer, hang, reset

SOON = 10.0
LIST = Wake(WakeKind.LIST)
EVERYTHING = Wake(WakeKind.EVERYTHING)
BROKEN = Wake(WakeKind.BROKEN)


def off(reason: str) -> Wake:
    return Wake(WakeKind.OFF, reason=reason)


def messages(session_id: str) -> Wake:
    return Wake(WakeKind.MESSAGES, session_id)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("push"):
            thread.join(1)
            assert not thread.is_alive(), thread


class PushListener:
    """A started Push that records its pauses instead of waiting."""

    def __init__(self, client: GwsClient, **options: Any) -> None:
        self.pauses: list[float] = []
        self.client = client
        usual: dict[str, Any] = {"jitter": lambda: 0.0, "pause": self.pauses.append}
        self.inbox: Inbox[None] = Inbox()
        self.push = Push(client, self.inbox.wake, **(usual | options))
        self.push.start()

    def next(self) -> list[Wake]:
        """The next wake-ups; fails if none come within SOON seconds."""
        wakes = self.wait(SOON)
        assert wakes, "no wake-up"
        return wakes

    def wait(self, seconds: float) -> list[Wake]:
        wakes = self.inbox.take(seconds)
        self.client.report()
        return [one for one in wakes if one is not None]

    def until(self, wake: Wake) -> list[Wake]:
        """All wake-ups up to this one."""
        wakes: list[Wake] = []
        while wake not in wakes:
            wakes += self.next()
        return wakes

    def until_off(self) -> list[Wake]:
        """All wake-ups up to OFF."""
        wakes: list[Wake] = []
        while not wakes or wakes[-1].kind is not WakeKind.OFF:
            wakes += self.next()
        return wakes

    @property
    def url(self) -> str:
        return self.client.transport.url("notifications")


@contextmanager
def listening(base_url: str, secret: str = DEMO["Authorization"], **options: Any) -> Iterator[PushListener]:
    server = Server(base_url, **{name: options.pop(name) for name in ("ca_bundle",) if name in options})
    authorization = options.pop("authorization", lambda: secret)
    client = GwsClient(
        server, lambda: ("Authorization", authorization()), environ={}, debug=options.pop("debug", None)
    )
    for path in options.pop("reads", ()):
        client.transport.get(path, {})
    listener = PushListener(client, **options)
    try:
        yield listener
    finally:
        listener.push.close()
        client.close()


@contextmanager
def demo(listen: bool = True, **options: Any) -> Iterator[tuple[FakeServer, PushListener]]:
    """A demo server without conversations, and a listener to it."""
    switches = {name: options.pop(name) for name in list(options) if hasattr(Options, name)}
    with (
        FakeServer(Options(scene="empty", **switches)) as server,
        listening(f"{server.url}/api/v2", **options) as listener,
    ):
        if listen:
            assert listener.next() == [EVERYTHING]
            assert server.await_listeners()
        yield server, listener


@contextmanager
def scripted(
    script: Callable[..., Reply], tls: ssl.SSLContext | None = None, **options: Any
) -> Iterator[PushListener]:
    with WireServer(script, tls) as server, listening(server.base_url, **options) as listener:
        yield listener


# --- wake-ups ---


@pytest.mark.parametrize("keys", ["single", "double"])
@pytest.mark.parametrize("address", ["uri", "path", "both"])
def test_a_message_wakes_its_session_and_a_state_change_the_list(keys: str, address: str) -> None:
    with demo(push_keys=keys, push_address=address) as (server, listener):
        session = server.store.add_session()
        assert listener.next() == [LIST]
        server.store.say(session, "hello")
        assert listener.next() == [messages(session)]


@pytest.mark.parametrize("topics", [("/v2/me/*",), *((topic,) for topic in SMS_TOPICS)])
def test_any_of_the_four_topics_is_enough(topics: tuple[str, ...]) -> None:
    # A server that takes several subscriptions in one message takes all or none; these come one by one.
    topic = topics[0].replace("*", "anything")
    with demo(topics=topics, topic=topic) as (server, listener):
        server.store.add_session()
        assert listener.next() == [LIST]


def test_wake_ups_between_two_waits_are_delivered_once_each() -> None:
    first, second = NEWS, {**NEWS, "data": NEWS["data"] | {"smssessionUri": "/smssessions/s2"}}
    news = [first, second, first, {"data": {"smssession": {}}}, second]
    script = CometdScript(connect=[news + connected(), news + connected(), connected(reconnect="none")])
    with scripted(script) as listener:
        wakes = listener.until(off("the server wants no more connects"))
    assert [wake for wake in wakes if wake.kind is not WakeKind.OFF][:4] == [
        messages("s1"),
        messages("s2"),
        LIST,
        EVERYTHING,
    ]


def test_a_wait_without_notifications_is_empty() -> None:
    with demo() as (_, listener):
        assert listener.wait(0.01) == []
        assert listener.wait(0) == []
        assert listener.wait(-1) == []


def test_repeated_swapped_foreign_and_malformed_notifications_are_tolerated() -> None:
    shares = dict.fromkeys(("push_repeated", "push_reordered", "push_foreign", "push_malformed"), 0.5)
    with demo(**shares) as (server, listener):
        session = server.store.add_session()
        for number in range(60):
            server.store.say(session, f"number {number}")
        listener.until(messages(session))
        server.options.push_repeated = server.options.push_reordered = 0
        server.options.push_foreign = server.options.push_malformed = 0
        server.await_listeners()
        while listener.wait(0.05):
            pass
        server.store.say(session, "the last one")
        assert listener.until(messages(session))[-1] == messages(session)


def test_a_flood_of_notifications_is_coalesced() -> None:
    with demo(pause=None) as (server, listener):
        session = server.store.add_session()
        server.store.say(session, "again and again")
        listener.until(messages(session))
        before = len(server.bayeux)
        server.options.flood = 1000
        for _ in range(10):
            assert len(listener.next()) <= 2
            time.sleep(0.02)
        assert len(server.bayeux) - before < 30


# --- breaks ---


def test_after_a_cut_connection_the_client_is_kept_and_everything_is_read() -> None:
    with demo() as (server, listener):
        server.cut_push()
        assert listener.until(EVERYTHING) == [BROKEN, EVERYTHING]
        assert server.await_listeners()
        server.store.add_session()
        assert listener.next() == [LIST]
        assert [one["channel"] for one in server.bayeux].count("/meta/handshake") == 1
    assert 1.0 in listener.pauses


@pytest.mark.parametrize("cookies", ["demanded", "free"])
def test_an_unknown_client_handshakes_again_and_everything_is_read(cookies: str) -> None:
    with demo(push_cookies=cookies, csrf=True) as (server, listener):
        server.drop_push()
        assert listener.until(EVERYTHING) == [BROKEN, EVERYTHING]
        assert server.await_listeners()
        server.store.add_session()
        assert listener.next() == [LIST]
        assert [one["channel"] for one in server.bayeux].count("/meta/subscribe") == 8


def test_a_server_restarted_without_cookies_and_tokens_is_reconnected() -> None:
    with demo(csrf=True) as (server, listener):
        server.restart()
        assert listener.until(EVERYTHING)
        assert server.await_listeners()
        server.store.add_session()
        assert LIST in listener.until(LIST)


def test_an_unanswered_connect_times_out_and_everything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cometd, "_GRACE", 0.03)
    with demo(hold=0.03) as (server, listener):
        server.options.silence = True
        while 1.0 not in listener.pauses:
            time.sleep(0.005)
        server.options.silence = False
        assert listener.until(EVERYTHING) == [BROKEN, EVERYTHING]


def test_back_off_grows_to_thirty_seconds() -> None:
    script = CometdScript(handshake=[reset] * 7, connect=[connected(), connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as listener:
        listener.until(off("the server wants no more connects"))
    assert listener.pauses[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.slow
def test_back_off_is_jittered() -> None:
    with scripted(CometdScript(handshake=[reset]), jitter=lambda: 1.0) as listener:
        listener.next()
        assert listener.pauses[0] == 0.5


def test_retry_after_is_obeyed() -> None:
    busy = answer(b"", 503, {"Retry-After": "7"})
    with scripted(CometdScript(handshake=[busy])) as listener:
        listener.next()
        assert listener.pauses[0] == 7.0


def test_repeated_handshakes_back_off() -> None:
    script = CometdScript(connect=[[UNKNOWN]] * 5 + [connected(), connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as listener:
        listener.until(off("the server wants no more connects"))
    assert listener.pauses[:5] == [0.0, 2.0, 4.0, 8.0, 16.0]


def test_a_server_that_asks_for_a_handshake_after_each_connect_is_backed_off() -> None:
    again = [connected(reconnect="handshake", interval=250)] * 4
    with scripted(CometdScript(connect=[*again, connected(reconnect="none")])) as listener:
        assert listener.until(off("the server wants no more connects")) == [
            BROKEN,
            off("the server wants no more connects"),
        ]
    assert listener.pauses == [0.25, 2.0, 4.0, 8.0]


def test_a_channel_lost_soon_after_reconnecting_keeps_its_back_off() -> None:
    script = CometdScript(connect=[connected(), reset] * 3 + [connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as listener:
        listener.until(off("the server wants no more connects"))
    assert [rest for rest in listener.pauses if rest >= 1] == [1.0, 2.0, 4.0]


def test_a_stable_channel_resets_the_back_off() -> None:
    seconds = iter(range(0, 10**6, 8))
    script = CometdScript(connect=[connected(), connected(), reset] * 3 + [connected(reconnect="none")])
    with scripted(script, clock=lambda: float(next(seconds))) as listener:
        listener.until(off("the server wants no more connects"))
    assert [rest for rest in listener.pauses if rest >= 1] == [1.0, 1.0, 1.0]


# --- advice ---


def test_the_interval_between_connects_is_obeyed() -> None:
    script = CometdScript(connect=[connected(interval=250), connected(), connected(reconnect="none")])
    with scripted(script) as listener:
        listener.until(off("the server wants no more connects"))
    assert listener.pauses == [0.25, 0.25]


def test_one_of_multiple_clients_polls_at_the_advised_interval() -> None:
    crowded = connected(interval=2000, reconnect="retry", **{"multiple-clients": True})
    with scripted(CometdScript(connect=[crowded, crowded, connected(reconnect="none")])) as listener:
        listener.until(off("the server wants no more connects"))
    assert listener.pauses == [2.0, 2.0]


def test_immediate_empty_replies_slow_the_connects_down() -> None:
    script = CometdScript(connect=[*[connected()] * 9, connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as listener:
        listener.until(off("the server wants no more connects"))
    assert listener.pauses == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0]


def test_notifications_are_fetched_at_most_fifty_times_a_second() -> None:
    script = CometdScript(connect=[*[[NEWS, *connected()]] * 5, connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as listener:
        listener.until(off("the server wants no more connects"))
    assert listener.pauses == [0.02] * 5


@pytest.mark.parametrize("step", [-1000.0, 1000.0])
def test_a_clock_jump_does_not_lengthen_a_pause(step: float) -> None:
    now = 10**6

    def clock() -> float:
        nonlocal now
        now += int(step)
        return float(now)

    script = CometdScript(connect=[*[connected()] * 5, reset, connected(), connected(reconnect="none")])
    with scripted(script, clock=clock) as listener:
        listener.until(off("the server wants no more connects"))
    assert all(0 < rest <= 1.0 for rest in listener.pauses)


# --- no push ---


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"push": "off"},
            "the server answers: no such resource (statusCode 6, HTTP 404): Resource not found, at URL",
        ),
        ({"push": "off", "unknown_path": "404html"}, "the server answers: not found (HTTP 404), at URL"),
        (
            {"push": "off", "unknown_path": "200"},
            "the server answers: no such resource (statusCode 6): Resource not found, at URL",
        ),
        ({"push_refuse": "handshake"}, "the handshake is refused: 403::Handshake denied"),
        ({"push_refuse": "subscribe"}, "the subscription is refused: 403:/v2/me/*:subscribe_denied"),
    ],
)
def test_a_server_without_push_gives_one_reason(options: dict[str, str], reason: str) -> None:
    with demo(listen=False, **options) as (server, listener):
        url = f"{server.url}/api/v2/notifications"
        assert listener.next() == [off(reason.replace("URL", url))]
        asked = len(server.requests)
        assert listener.wait(0.02) == []
        assert len(server.requests) == asked


def test_the_wildcard_is_enough_where_the_sms_topics_are_refused() -> None:
    with demo(push_refuse="topics") as (server, listener):
        server.store.add_session()
        assert listener.next() == [LIST]


def test_reconnect_none_ends_push() -> None:
    with demo(listen=False, push_reconnect="none") as (_, listener):
        assert listener.next() == [off("the server wants no more connects")]


def test_malformed_responses_end_push_only_before_the_first_good_one() -> None:
    page = answer(b"<html>Sign in</html>")
    with scripted(CometdScript(handshake=[page] * 3)) as listener:
        assert listener.until_off() == [
            BROKEN,
            off("the server's response is a web page, not JSON, at " + listener.url),
        ]
    with scripted(CometdScript(handshake=[page, page])) as listener:
        assert listener.until(EVERYTHING) == [BROKEN, EVERYTHING]


def test_malformed_responses_after_a_good_one_are_losses() -> None:
    broken = [answer(body) for body in (b"", b"[", b"{}", b"7", b"<html>", b"\xff", b"[" * 100_000)]
    script = CometdScript(connect=[connected(), *broken, [NEWS, *connected()]])
    with scripted(script) as listener:
        wakes = listener.until(messages("s1"))
    assert EVERYTHING in wakes
    assert script.kinds.count("handshake") == 1


def test_an_untrusted_certificate_ends_push(tmp_path: Path) -> None:
    theirs, ours = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.issue_cert("localhost").configure_cert(context)
    for authority, kind in ((ours, WakeKind.OFF), (theirs, WakeKind.EVERYTHING)):
        bundle = tmp_path / f"{kind}.pem"
        authority.cert_pem.write_to_path(str(bundle))
        with scripted(CometdScript(), context, ca_bundle=str(bundle)) as listener:
            [wake] = listener.next()
        assert wake.kind is kind
        assert (wake.reason or "").startswith("the certificate of localhost" if wake.reason else "")


def test_an_internal_error_is_reported() -> None:
    def fail(seconds: float) -> None:
        raise ZeroDivisionError

    with scripted(CometdScript(handshake=[reset]), pause=fail) as listener:
        reason = off("internal error: ZeroDivisionError")
        assert listener.until(reason) == [BROKEN, reason]


# --- sign-in ---


def test_a_sign_in_refused_twice_ends_push_after_a_read_of_the_list() -> None:
    with scripted(CometdScript(handshake=[REFUSED, REFUSED])) as listener:
        reason = f"the server answers: not signed in (statusCode 20, HTTP 401), at {listener.url}"
        assert listener.until_off() == [LIST, BROKEN, off(reason)]
        assert listener.pauses == [5.0]


def test_a_renewed_sign_in_is_used() -> None:
    secrets = iter(["Bearer old", "Bearer new"])
    with WireServer(script := CometdScript(connect=[connected(), REFUSED])) as server:
        renewed = threading.Event()
        with listening(
            server.base_url, authorization=lambda: next(secrets), pause=lambda s: s < 5 or renewed.wait(SOON)
        ) as listener:
            listener.until(LIST)
            listener.client.transport.auth.renew()
            renewed.set()
            assert listener.next() == [EVERYTHING]
    assert script.headers("connect", "authorization")[:3] == ["Bearer old", "Bearer old", "Bearer new"]


def test_cookies_and_csrf_token_are_shared_with_the_reads() -> None:
    with (
        FakeServer(Options(scene="empty", csrf=True)) as server,
        listening(f"{server.url}/api/v2", reads=["me"]) as listener,
    ):
        assert listener.next() == [EVERYTHING]
        assert server.await_listeners()
        paths = [(method, path) for method, path, _ in server.requests]
    # No read in between: what the first one brought was enough.
    assert paths == [("GET", "/api/v2/me"), *[("POST", "/api/v2/notifications")] * 4]


# --- the end ---


def test_push_sends_only_meta_messages_and_disconnects_at_the_end() -> None:
    with demo() as (server, listener):
        listener.push.close()
        channels = [one["channel"] for one in server.bayeux]
    assert channels == [
        "/meta/handshake",
        *["/meta/subscribe"] * 4,
        *["/meta/connect"] * 2,
        "/meta/disconnect",
    ]
    assert listener.wait(0) == []


def test_an_unanswered_disconnect_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(push, "_DISCONNECT_TIMEOUT", 0.05)
    with scripted(CometdScript(disconnect=[hang])) as listener:
        listener.next()
        before = time.monotonic()
        listener.push.close()
        assert time.monotonic() - before < 0.5


def test_close_without_a_channel_sends_nothing() -> None:
    with demo(listen=False, push="off") as (server, listener):
        listener.next()
        listener.push.close()
        idle = Push(listener.client, listener.inbox.wake)
        idle.close()
        assert [path for _, path, _ in server.requests] == ["/api/v2/notifications"]


def test_debug_lines_are_written_in_the_waiting_thread_without_content() -> None:
    lines: list[tuple[str, str]] = []
    here = threading.current_thread().name
    script = CometdScript()
    with scripted(
        script, debug=lambda line: lines.append((threading.current_thread().name, line))
    ) as listener:
        listener.next()
    told = [(thread, line.rpartition(" bytes ")[0].rstrip("0123456789")) for thread, line in lines]
    # Handshake, subscription, connect and goodbye; the connect that was held may be told of, cut.
    assert told[:4] == [(here, "POST /api/v2/notifications 200 ")] * 4
