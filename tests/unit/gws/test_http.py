"""Transport: POST requests, and the state that clones share (sign-in, cookies, CSRF token)."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smscli.errors import AuthError, RequestTimeout, Unreachable
from smscli.gws.http import Server, Transport
from smscli.gws.http_auth import SharedCookies
from tests.support.wire_server import Reply, Request, WireServer, answer, cut_after, drip, hang, in_turn

SECRET = "Bearer s3cret-t0ken"
OK = answer({"statusCode": 0})
TOKEN = "3f1c2b6e-0000-4000-8000-5d0f7c9a1b2e"
CSRF = {"X-CSRF-HEADER": "X-CSRF-TOKEN", "X-CSRF-TOKEN": TOKEN}

Make = Callable[..., Transport]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes transports to a scripted server, and clones of a transport; closes them at the end."""
    made: list[Transport] = []

    def transport(to: WireServer | Transport, timeout: float = 10, **options: Any) -> Transport:
        if isinstance(to, Transport):
            one = to.clone(**options)
        else:
            authorization = options.pop("authorization", lambda: SECRET)
            usual: dict[str, Any] = {
                "sign_in": lambda: ("Authorization", authorization()),
                "environ": {},
                "clock": lambda: 0.0,
            }
            one = Transport(Server(to.base_url, timeout), **(usual | options))
        made.append(one)
        return one

    yield transport
    for one in made:
        one.close()


def cookie(value: str) -> Reply:
    return answer({}, headers={"Set-Cookie": value})


def test_a_post_carries_json_and_the_sign_in(make: Make) -> None:
    with WireServer(in_turn(OK)) as server:
        sent = make(server).post("notifications", b"[1]")
        [request] = server.requests
    assert (sent.status, sent.body) == (200, b'{"statusCode": 0}')
    assert (request.method, request.target, request.body) == ("POST", "/api/v2/notifications", b"[1]")
    assert request.headers["content-type"] == "application/json;charset=UTF-8"
    assert request.headers["authorization"] == SECRET


def test_a_redirected_post_is_not_sent_again(make: Make) -> None:
    with WireServer(in_turn(answer({}, 302, {"Location": "/elsewhere"}))) as server:
        assert make(server).post("notifications", b"[]").status == 302
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (hang, RequestTimeout, "localhost:{port} did not answer within 0.05 s"),
        (cut_after(b""), Unreachable, "localhost:{port} closed the connection"),
    ],
)
def test_a_post_has_its_own_timeout(make: Make, reply: Reply, kind: type[Unreachable], said: str) -> None:
    with WireServer(in_turn(reply)) as server:
        with pytest.raises(kind) as caught:
            make(server).post("notifications", b"[]", timeout=0.05)
        assert caught.value.message == said.format(port=server.port)


def test_a_slow_response_has_a_deadline(make: Make) -> None:
    head = b"HTTP/1.1 200 Said\r\nContent-Length: 1000\r\n\r\n"
    late = pytest.raises(RequestTimeout, match="did not send the whole response in time")
    with WireServer(in_turn(drip(head, b" ", 0.005))) as server, late:
        make(server).post("notifications", b"[]", timeout=0.4)


def test_a_body_without_a_length_is_not_taken_for_whole_at_its_deadline(make: Make) -> None:
    late = pytest.raises(RequestTimeout, match="did not send the whole response in time")
    with WireServer(in_turn(drip(b"HTTP/1.1 200 OK\r\n\r\n", b" ", 0.005))) as server, late:
        make(server).post("notifications", b"[]", timeout=0.4)


def test_after_a_late_response_the_next_request_has_a_connection_of_its_own(make: Make) -> None:
    dripping = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" ", 0.005)
    with WireServer(in_turn(dripping, OK)) as server:
        transport = make(server)
        with pytest.raises(RequestTimeout):
            transport.post("notifications", b"[]", timeout=0.4)
        assert transport.post("notifications", b"[]").status == 200
        assert [request.connection for request in server.requests] == [1, 2]


def test_a_debug_line_of_a_post_has_no_content(make: Make) -> None:
    lines: list[str] = []
    with WireServer(in_turn(OK)) as server:
        make(make(server), debug=lines.append).post("notifications", b'[{"clientId":"c1"}]')
    assert lines == ["POST /api/v2/notifications 200 17 bytes 0 ms"]


def test_the_csrf_token_of_a_get_is_sent_with_the_posts_of_all_transports(make: Make) -> None:
    with WireServer(in_turn(answer({}, headers=CSRF), OK)) as server:
        rest = make(server)
        push = make(rest)
        rest.get("me", {})
        push.post("notifications", b"[]")
        rest.get("me", {})
        sent = [request.headers.get("x-csrf-token") for request in server.requests]
    assert sent == [None, TOKEN, None]


def test_a_newer_csrf_token_replaces_the_older(make: Make) -> None:
    newer = {"X-CSRF-HEADER": "X-CSRF-TOKEN", "X-CSRF-TOKEN": "new"}
    with WireServer(in_turn(answer({}, headers=CSRF), answer({}, headers=newer), OK)) as server:
        transport = make(server)
        transport.get("me", {})
        transport.get("me", {})
        transport.post("notifications", b"[]")
        assert server.requests[-1].headers["x-csrf-token"] == "new"


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("Host", "t"),
        ("Content-Length", "0"),
        ("Authorization", "t"),
        ("X-Csrf Token", "t"),
        ("X-CSRF-TOKEN", ""),
        ("X-CSRF-TOKEN", "caf\xe9"),
        ("", "t"),
    ],
)
def test_a_csrf_header_that_would_change_the_request_is_ignored(make: Make, name: str, token: str) -> None:
    def choose(request: Request) -> Reply:
        raw = f"X-CSRF-HEADER: {name}\r\nX-CSRF-TOKEN: {token}\r\nContent-Length: 0\r\n\r\n"
        return lambda line: line.send(b"HTTP/1.1 200 Said\r\n" + raw.encode("latin-1"))

    with WireServer(choose) as server:
        transport = make(server)
        transport.get("me", {})
        transport.post("notifications", b"[]")
        headers = server.requests[-1].headers
    assert "x-csrf-token" not in headers
    assert headers["host"] == f"localhost:{server.port}"
    assert headers["content-length"] == "2"
    assert headers["authorization"] == SECRET


def test_cookies_are_shared_and_connections_are_not(make: Make) -> None:
    with WireServer(in_turn(cookie("JSESSIONID=n1"), cookie("BAYEUX_BROWSER=b1"), OK)) as server:
        rest = make(server)
        push = make(rest)
        rest.get("me", {})
        push.post("notifications", b"[]")
        rest.get("me", {})
        seen = [(one.connection, one.headers.get("cookie")) for one in server.requests]
    assert seen == [(1, None), (2, "JSESSIONID=n1"), (1, "JSESSIONID=n1; BAYEUX_BROWSER=b1")]


def test_only_the_cookies_named_are_forgotten(make: Make) -> None:
    replies = [
        cookie(f"{one}; Path=/") for one in ("JSESSIONID=n1", "BAYEUX_BROWSER=b1", "BAYEUX_BROWSER_2=b2")
    ]
    with WireServer(in_turn(*replies, OK)) as server:
        rest = make(server)
        push = make(rest)
        for _ in range(3):
            rest.get("me", {})
        push.forget_cookies("BAYEUX_BROWSER")
        push.forget_cookies("BAYEUX_BROWSER")
        push.post("notifications", b"[]")
        assert server.requests[-1].headers["cookie"] == "JSESSIONID=n1"


def test_a_renewal_applies_to_all_transports_and_drops_cookies_and_token(make: Make) -> None:
    secrets = iter(["Bearer old", "Bearer new"])
    first = answer({}, headers={**CSRF, "Set-Cookie": "JSESSIONID=n1"})
    with WireServer(in_turn(first, OK)) as server:
        rest = make(server, authorization=lambda: next(secrets))
        push = make(rest)
        rest.get("me", {})
        rest.auth.renew()
        push.post("notifications", b"[]")
        headers = server.requests[-1].headers
    assert headers["authorization"] == "Bearer new"
    assert "cookie" not in headers
    assert "x-csrf-token" not in headers


def test_a_clone_never_reads_the_secret(make: Make) -> None:
    asked: list[str] = []

    def authorization() -> str:
        asked.append(threading.current_thread().name)
        return SECRET

    with WireServer(in_turn(OK)) as server:
        push = make(make(server, authorization=authorization))
        other = threading.Thread(target=push.post, args=("notifications", b"[]"), name="other")
        other.start()
        other.join()
    assert asked == [threading.current_thread().name]


def test_a_failed_renewal_keeps_the_old_secret(make: Make) -> None:
    given = iter([SECRET])

    def authorization() -> str:
        try:
            return next(given)
        except StopIteration as error:
            raise AuthError("the keyring is locked") from error

    with WireServer(in_turn(OK)) as server:
        rest = make(server, authorization=authorization)
        push = make(rest)
        with pytest.raises(AuthError):
            rest.auth.renew()
        push.post("notifications", b"[]")
        assert server.requests[-1].headers["authorization"] == SECRET


def test_cookies_may_change_during_iteration() -> None:
    cookies = SharedCookies()
    cookies.set("c1", "1")
    for number, _ in enumerate(cookies):
        cookies.set(f"another{number}", "1", domain=f"host{number}.example")
        cookies.clear()
    assert len(cookies) == 0
