"""Push as its user has it: wake-ups from a server, whatever happens on the way."""

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
from smscli.gws.http import Server, Transport
from smscli.gws.push import Push, WakeQueue
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


class Ear:
    """A push that listens, and how long it paused on the way (without pausing)."""

    def __init__(self, transport: Transport, **options: Any) -> None:
        self.rests: list[float] = []
        self.transport = transport
        usual: dict[str, Any] = {"jitter": lambda: 0.0, "pause": self.rests.append}
        self.push = Push(transport, **(usual | options))
        self.push.start()

    def next(self) -> list[Wake]:
        """The next wake-ups, for which it is an error to be long in coming."""
        wakes = self.push.wait(SOON)
        assert wakes, "nothing came"
        return wakes

    def until(self, wake: Wake) -> list[Wake]:
        """All wake-ups up to this one."""
        came: list[Wake] = []
        while wake not in came:
            came += self.next()
        return came

    def until_off(self) -> list[Wake]:
        """All wake-ups up to the last one, which says that there is no push."""
        came: list[Wake] = []
        while not came or came[-1].kind is not WakeKind.OFF:
            came += self.next()
        return came

    @property
    def url(self) -> str:
        return self.transport.url("notifications")


@contextmanager
def listening(base_url: str, secret: str = DEMO["Authorization"], **options: Any) -> Iterator[Ear]:
    server = Server(base_url, **{name: options.pop(name) for name in ("ca_bundle",) if name in options})
    authorization = options.pop("authorization", lambda: secret)
    transport = Transport(server, authorization, {}, clock=time.monotonic)
    for path in options.pop("reads", ()):
        transport.get(path, {})
    ear = Ear(transport, **options)
    try:
        yield ear
    finally:
        ear.push.close()
        transport.close()


@contextmanager
def demo(listen: bool = True, **options: Any) -> Iterator[tuple[FakeServer, Ear]]:
    """A demo server without conversations, and a push that listens to it."""
    switches = {name: options.pop(name) for name in list(options) if hasattr(Options, name)}
    with (
        FakeServer(Options(scene="empty", **switches)) as server,
        listening(f"{server.url}/api/v2", **options) as ear,
    ):
        if listen:
            assert ear.next() == [EVERYTHING]
            assert server.await_listeners()
        yield server, ear


@contextmanager
def scripted(
    script: Callable[..., Reply], tls: ssl.SSLContext | None = None, **options: Any
) -> Iterator[Ear]:
    with WireServer(script, tls) as server, listening(server.base_url, **options) as ear:
        yield ear


# --- wake-ups ---


@pytest.mark.parametrize("keys", ["single", "double"])
@pytest.mark.parametrize("address", ["uri", "path", "both"])
def test_a_message_wakes_its_session_and_a_change_of_state_the_list(keys: str, address: str) -> None:
    with demo(push_keys=keys, push_address=address) as (server, ear):
        session = server.store.add_session()
        assert ear.next() == [LIST]
        server.store.say(session, "hello")
        assert ear.next() == [messages(session)]


@pytest.mark.parametrize("topics", [("/v2/me/*",), *((topic,) for topic in SMS_TOPICS)])
def test_any_of_the_four_topics_will_do(topics: tuple[str, ...]) -> None:
    # A server that takes several subscriptions in one message takes all or none; these come one by one.
    topic = topics[0].replace("*", "anything")
    with demo(topics=topics, topic=topic) as (server, ear):
        server.store.add_session()
        assert ear.next() == [LIST]


def test_what_was_said_while_nobody_waited_comes_at_once_and_each_once() -> None:
    first, second = NEWS, {**NEWS, "data": NEWS["data"] | {"smssessionUri": "/smssessions/s2"}}
    news = [first, second, first, {"data": {"smssession": {}}}, second]
    script = CometdScript(connect=[news + connected(), news + connected(), connected(reconnect="none")])
    with scripted(script) as ear:
        came = ear.until(off("the server wants no more connects"))
    assert [wake for wake in came if wake.kind is not WakeKind.OFF][:4] == [
        messages("s1"),
        messages("s2"),
        LIST,
        EVERYTHING,
    ]


def test_nothing_comes_where_nothing_happens() -> None:
    with demo() as (_, ear):
        assert ear.push.wait(0.01) == []
        assert ear.push.wait(0) == []
        assert ear.push.wait(-1) == []


def test_repeated_swapped_foreign_and_malformed_notifications_do_no_harm() -> None:
    shares = dict.fromkeys(("push_repeated", "push_reordered", "push_foreign", "push_malformed"), 0.5)
    with demo(**shares) as (server, ear):
        session = server.store.add_session()
        for number in range(60):
            server.store.say(session, f"number {number}")
        ear.until(messages(session))
        server.options.push_repeated = server.options.push_reordered = 0
        server.options.push_foreign = server.options.push_malformed = 0
        server.await_listeners()
        while ear.push.wait(0.05):
            pass
        server.store.say(session, "the last one")
        assert ear.until(messages(session))[-1] == messages(session)


def test_a_flood_coalesces() -> None:
    with demo(pause=None) as (server, ear):
        session = server.store.add_session()
        server.store.say(session, "again and again")
        ear.until(messages(session))
        before = len(server.bayeux)
        server.options.flood = 1000
        for _ in range(10):
            assert len(ear.next()) <= 2
            time.sleep(0.02)
        assert len(server.bayeux) - before < 30


# --- breaks ---


def test_a_channel_that_was_cut_goes_on_with_the_same_client_and_everything_is_read() -> None:
    with demo() as (server, ear):
        server.cut_push()
        assert ear.until(EVERYTHING) == [BROKEN, EVERYTHING]
        assert server.await_listeners()
        server.store.add_session()
        assert ear.next() == [LIST]
        assert [one["channel"] for one in server.bayeux].count("/meta/handshake") == 1
    assert 1.0 in ear.rests


@pytest.mark.parametrize("cookies", ["demanded", "free"])
def test_a_client_that_was_forgotten_begins_anew_and_everything_is_read(cookies: str) -> None:
    with demo(push_cookies=cookies, csrf=True) as (server, ear):
        server.drop_push()
        assert ear.until(EVERYTHING) == [BROKEN, EVERYTHING]
        assert server.await_listeners()
        server.store.add_session()
        assert ear.next() == [LIST]
        assert [one["channel"] for one in server.bayeux].count("/meta/subscribe") == 8


def test_a_server_that_came_back_without_cookies_and_tokens_is_found_again() -> None:
    with demo(csrf=True) as (server, ear):
        server.restart()
        assert ear.until(EVERYTHING)
        assert server.await_listeners()
        server.store.add_session()
        assert LIST in ear.until(LIST)


def test_a_connect_that_is_never_answered_is_cut_and_everything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cometd, "_GRACE", 0.03)
    with demo(hold=0.03) as (server, ear):
        server.options.silence = True
        while 1.0 not in ear.rests:
            time.sleep(0.005)
        server.options.silence = False
        assert ear.until(EVERYTHING) == [BROKEN, EVERYTHING]


def test_back_off_grows_to_half_a_minute_while_the_channel_stays_broken() -> None:
    script = CometdScript(handshake=[reset] * 7, connect=[connected(), connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as ear:
        ear.until(off("the server wants no more connects"))
    assert ear.rests[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_back_off_is_jittered() -> None:
    with scripted(CometdScript(handshake=[reset]), jitter=lambda: 1.0) as ear:
        ear.next()
        assert ear.rests[0] == 0.5


def test_a_plea_for_patience_is_obeyed() -> None:
    busy = answer(b"", 503, {"Retry-After": "7"})
    with scripted(CometdScript(handshake=[busy])) as ear:
        ear.next()
        assert ear.rests[0] == 7.0


def test_a_client_forgotten_again_and_again_is_not_renewed_in_a_rage() -> None:
    script = CometdScript(connect=[[UNKNOWN]] * 5 + [connected(), connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as ear:
        ear.until(off("the server wants no more connects"))
    assert ear.rests[:5] == [0.0, 2.0, 4.0, 8.0, 16.0]


def test_a_server_that_wants_a_handshake_after_each_connect_is_obeyed_ever_slower() -> None:
    again = [connected(reconnect="handshake", interval=250)] * 4
    with scripted(CometdScript(connect=[*again, connected(reconnect="none")])) as ear:
        assert ear.until(off("the server wants no more connects")) == [
            BROKEN,
            off("the server wants no more connects"),
        ]
    assert ear.rests == [0.25, 2.0, 4.0, 8.0]


def test_a_channel_that_breaks_soon_after_it_was_back_waits_longer_each_time() -> None:
    script = CometdScript(connect=[connected(), reset] * 3 + [connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as ear:
        ear.until(off("the server wants no more connects"))
    assert [rest for rest in ear.rests if rest >= 1] == [1.0, 2.0, 4.0]


def test_a_channel_that_was_well_for_a_while_is_soon_tried_again() -> None:
    seconds = iter(range(0, 10**6, 8))
    script = CometdScript(connect=[connected(), connected(), reset] * 3 + [connected(reconnect="none")])
    with scripted(script, clock=lambda: float(next(seconds))) as ear:
        ear.until(off("the server wants no more connects"))
    assert [rest for rest in ear.rests if rest >= 1] == [1.0, 1.0, 1.0]


# --- advice ---


def test_the_interval_between_connects_is_obeyed() -> None:
    script = CometdScript(connect=[connected(interval=250), connected(), connected(reconnect="none")])
    with scripted(script) as ear:
        ear.until(off("the server wants no more connects"))
    assert ear.rests == [0.25, 0.25]


def test_one_of_many_clients_polls_as_slowly_as_it_is_told() -> None:
    crowded = connected(interval=2000, reconnect="retry", **{"multiple-clients": True})
    with scripted(CometdScript(connect=[crowded, crowded, connected(reconnect="none")])) as ear:
        ear.until(off("the server wants no more connects"))
    assert ear.rests == [2.0, 2.0]


def test_a_server_that_answers_at_once_with_nothing_is_asked_ever_less() -> None:
    script = CometdScript(connect=[*[connected()] * 9, connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as ear:
        ear.until(off("the server wants no more connects"))
    assert ear.rests == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0]


def test_news_are_fetched_at_most_fifty_times_a_second() -> None:
    script = CometdScript(connect=[*[[NEWS, *connected()]] * 5, connected(reconnect="none")])
    with scripted(script, clock=lambda: 0.0) as ear:
        ear.until(off("the server wants no more connects"))
    assert ear.rests == [0.02] * 5


@pytest.mark.parametrize("step", [-1000.0, 1000.0])
def test_a_clock_that_jumps_makes_no_pause_long(step: float) -> None:
    now = 10**6

    def clock() -> float:
        nonlocal now
        now += int(step)
        return float(now)

    script = CometdScript(connect=[*[connected()] * 5, reset, connected(), connected(reconnect="none")])
    with scripted(script, clock=clock) as ear:
        ear.until(off("the server wants no more connects"))
    assert all(0 < rest <= 1.0 for rest in ear.rests)


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
def test_without_push_there_is_one_last_word_that_says_why(options: dict[str, str], reason: str) -> None:
    with demo(listen=False, **options) as (server, ear):
        url = f"{server.url}/api/v2/notifications"
        assert ear.next() == [off(reason.replace("URL", url))]
        asked = len(server.requests)
        assert ear.push.wait(0.02) == []
        assert len(server.requests) == asked


def test_topics_refused_to_sms_alone_leave_the_wildcard() -> None:
    with demo(push_refuse="topics") as (server, ear):
        server.store.add_session()
        assert ear.next() == [LIST]


def test_a_server_that_advises_no_connect_gets_none() -> None:
    with demo(listen=False, push_reconnect="none") as (_, ear):
        assert ear.next() == [off("the server wants no more connects")]


def test_answers_that_are_none_end_it_where_there_never_was_a_good_one() -> None:
    page = answer(b"<html>Sign in</html>")
    with scripted(CometdScript(handshake=[page] * 3)) as ear:
        assert ear.until_off() == [
            BROKEN,
            off("the server's response is a web page, not JSON, at " + ear.url),
        ]
    with scripted(CometdScript(handshake=[page, page])) as ear:
        assert ear.until(EVERYTHING) == [BROKEN, EVERYTHING]


def test_broken_answers_are_breaks_where_there_was_a_good_one() -> None:
    broken = [answer(body) for body in (b"", b"[", b"{}", b"7", b"<html>", b"\xff", b"[" * 100_000)]
    script = CometdScript(connect=[connected(), *broken, [NEWS, *connected()]])
    with scripted(script) as ear:
        came = ear.until(messages("s1"))
    assert EVERYTHING in came
    assert script.kinds.count("handshake") == 1


def test_a_certificate_that_is_not_trusted_ends_it(tmp_path: Path) -> None:
    theirs, ours = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.issue_cert("localhost").configure_cert(context)
    for authority, kind in ((ours, WakeKind.OFF), (theirs, WakeKind.EVERYTHING)):
        bundle = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        with scripted(CometdScript(), context, ca_bundle=str(bundle)) as ear:
            [wake] = ear.next()
        assert wake.kind is kind
        assert (wake.reason or "").startswith("the certificate of localhost" if wake.reason else "")


def test_a_fault_of_our_own_does_not_look_like_a_quiet_server() -> None:
    def fail(seconds: float) -> None:
        raise ZeroDivisionError

    with scripted(CometdScript(handshake=[reset]), pause=fail) as ear:
        reason = off("internal error: ZeroDivisionError")
        assert ear.until(reason) == [BROKEN, reason]


# --- sign-in ---


def test_a_sign_in_refused_twice_ends_it_and_the_list_is_asked_for_between() -> None:
    with scripted(CometdScript(handshake=[REFUSED, REFUSED])) as ear:
        reason = f"the server answers: not signed in (statusCode 20, HTTP 401), at {ear.url}"
        assert ear.until_off() == [LIST, BROKEN, off(reason)]
        assert ear.rests == [5.0]


def test_a_sign_in_renewed_meanwhile_is_used() -> None:
    secrets = iter(["Bearer old", "Bearer new"])
    with WireServer(script := CometdScript(connect=[connected(), REFUSED])) as server:
        renewed = threading.Event()
        with listening(
            server.base_url, authorization=lambda: next(secrets), pause=lambda s: s < 5 or renewed.wait(SOON)
        ) as ear:
            ear.until(LIST)
            ear.transport.renew()
            renewed.set()
            assert ear.next() == [EVERYTHING]
    assert script.headers("connect", "authorization")[:3] == ["Bearer old", "Bearer old", "Bearer new"]


def test_cookies_and_csrf_token_are_those_of_the_reads() -> None:
    with (
        FakeServer(Options(scene="empty", csrf=True)) as server,
        listening(f"{server.url}/api/v2", reads=["me"]) as ear,
    ):
        assert ear.next() == [EVERYTHING]
        assert server.await_listeners()
        paths = [(method, path) for method, path, _ in server.requests]
    # No read in between: what the first one brought was enough.
    assert paths == [("GET", "/api/v2/me"), *[("POST", "/api/v2/notifications")] * 4]


# --- the end ---


def test_the_server_is_told_when_it_ends_and_nothing_else_was_ever_said() -> None:
    with demo() as (server, ear):
        ear.push.close()
        channels = [one["channel"] for one in server.bayeux]
    assert channels == [
        "/meta/handshake",
        *["/meta/subscribe"] * 4,
        *["/meta/connect"] * 2,
        "/meta/disconnect",
    ]
    assert ear.push.wait(0) == []


def test_a_server_that_says_nothing_to_a_goodbye_gets_a_second_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(push, "_DISCONNECT_TIMEOUT", 0.05)
    with scripted(CometdScript(disconnect=[hang])) as ear:
        ear.next()
        before = time.monotonic()
        ear.push.close()
        assert time.monotonic() - before < 0.5


def test_before_it_began_and_after_it_ended_there_is_nothing_to_end() -> None:
    with demo(listen=False, push="off") as (server, ear):
        ear.next()
        ear.push.close()
        idle = Push(ear.transport)
        idle.close()
        assert [path for _, path, _ in server.requests] == ["/api/v2/notifications"]


def test_requests_are_told_to_whoever_waits_and_without_what_they_say() -> None:
    lines: list[tuple[str, str]] = []
    here = threading.current_thread().name
    script = CometdScript()
    with scripted(script, debug=lambda line: lines.append((threading.current_thread().name, line))) as ear:
        ear.next()
    told = [(thread, line.rpartition(" bytes ")[0].rstrip("0123456789")) for thread, line in lines]
    # Handshake, subscription, connect and goodbye; the connect that was held may be told of, cut.
    assert told[:4] == [(here, "POST /api/v2/notifications 200 ")] * 4


# --- the queue ---


def test_wake_ups_come_in_order_and_each_once() -> None:
    queue = WakeQueue()
    for wake in (messages("s2"), LIST, messages("s1"), LIST, messages("s2")):
        queue.put(wake)
    assert queue.get(0) == [messages("s2"), LIST, messages("s1")]
    assert queue.get(0) == []
    queue.put(LIST)
    assert queue.get(0) == [LIST]


def test_more_wake_ups_than_anyone_can_use_become_one_and_the_last_word_stays() -> None:
    queue = WakeQueue()
    for number in range(100_000):
        queue.put(messages(f"s{number}"))
    queue.put(off("that is all"))
    taken = queue.get(0)
    assert len(taken) <= 1001
    assert taken[0] == EVERYTHING
    assert taken[-1] == off("that is all")


def test_a_waiting_reader_is_woken() -> None:
    queue = WakeQueue()
    timer = threading.Timer(0.01, queue.put, [LIST])
    timer.start()
    assert queue.get(SOON) == [LIST]
    timer.join()
