"""GwsClient against a scripted server on loopback."""

import gc
import gzip
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import pytest
import requests.adapters
import trustme

from smscli.errors import (
    AuthError,
    ConfigError,
    LocalError,
    NotFound,
    NotPermitted,
    Redirected,
    RequestTimeout,
    ResponseTooLarge,
    ServerBusy,
    ServerError,
    SignInRefused,
    SmscliError,
    TlsError,
    Unreachable,
    WireError,
)
from smscli.gws import http
from smscli.gws.client import GwsClient, Server
from smscli.gws.decode import Service, User
from smscli.gws.http import http_date
from smscli.gws.proxy import proxy_for
from smscli.model import Listing, Message, Page, Session
from tests.support.wire_server import (
    Reply,
    Request,
    WireServer,
    answer,
    cut_after,
    drip,
    hang,
    in_turn,
    reset,
    whole,
)

SECRET = "Bearer s3cret-t0ken"
EMPTY_LIST = answer({"statusCode": 0, "smsessions": []})
NOT_THERE = answer({"statusCode": 6, "statusMessage": "Resource not found"}, 404)
DATE = {"Date": "Fri, 27 Dec 2013 21:16:41 GMT"}
NOON = datetime(2013, 12, 27, 21, 16, 41, tzinfo=UTC)

Connect = Callable[..., GwsClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients that know the spelling, get an empty environment by default and never wait."""
    clients: list[GwsClient] = []

    def make(to: WireServer | str, timeout: float = 10, **options: Any) -> GwsClient:
        base_url = to if isinstance(to, str) else to.base_url
        files = {name: options.pop(name) for name in ("ca_bundle", "client_cert") if name in options}
        authorization = options.pop("authorization", lambda: SECRET)
        usual: dict[str, Any] = {"environ": {}, "wait": lambda _: None, "spelling": "smsessions"}
        client = GwsClient(
            Server(base_url, timeout, **files),
            lambda: ("Authorization", authorization()),
            **(usual | options),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def failure(read: Callable[[], object], kind: type[SmscliError]) -> SmscliError:
    """The error of exactly this class that a read raises."""
    try:
        read()
    except SmscliError as error:
        assert type(error) is kind, error
        # Returned at once: the traceback keeps this frame and its sockets alive.
        return error
    pytest.fail("nothing was raised")


def by_path(**replies: Reply) -> Callable[[Request], Reply]:
    """Replies by the last segment of the path, 404 for any other."""
    return lambda request: replies.get(request.path.rpartition("/")[2], NOT_THERE)


def messages(*indices: int) -> dict[str, object]:
    return {"messages": [{"index": index, "type": "Text"} for index in indices]}


def text(index: int) -> Message:
    return Message("s1", index, "Text")


# --- what goes out ---


def test_each_request_carries_the_sign_in_and_asks_for_json(connect: Connect) -> None:
    asked: list[str] = []

    def authorization() -> str:
        asked.append("asked")
        return SECRET

    with WireServer(in_turn(EMPTY_LIST)) as server:
        client = connect(server, authorization=authorization)
        client.sessions()
        client.sessions()
    sent = [(one.headers["authorization"], one.headers["accept"]) for one in server.requests]
    assert sent == [(SECRET, "application/json")] * 2
    assert asked == ["asked"]


def test_requests_share_one_connection(connect: Connect) -> None:
    chunked = whole(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    )
    with WireServer(in_turn(EMPTY_LIST, chunked, NOT_THERE, EMPTY_LIST)) as server:
        client = connect(server)
        client.sessions()
        client.sessions()
        client.sessions()
    assert [one.connection for one in server.requests] == [1, 1, 1, 1]


def test_cookies_are_sent_back_until_the_sign_in_is_renewed(connect: Connect) -> None:
    secrets = iter(["Bearer old", "Bearer new"])
    with WireServer(
        in_turn(
            answer([], headers={"Set-Cookie": "JSESSIONID=j1; Path=/"}),
            EMPTY_LIST,
            answer({"statusCode": 0, "user": {"userName": "agent"}}),
        )
    ) as server:
        client = connect(server, authorization=lambda: next(secrets))
        client.sessions()
        client.sessions()
        client.transport.auth.renew()
        client.me()
    assert [(one.headers["authorization"], one.headers.get("cookie")) for one in server.requests] == [
        ("Bearer old", None),
        ("Bearer old", "JSESSIONID=j1"),
        ("Bearer new", None),
    ]
    assert server.targets == ["me/smsessions?fields=*", "me/smsessions?fields=*", "me"]


def test_netrc_is_never_read(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with WireServer(in_turn(EMPTY_LIST)) as server:
        connect(server).sessions()
    assert server.requests[0].headers["authorization"] == SECRET


@pytest.mark.parametrize("secret", ["Bearer a\r\nX-Evil: 1", "Bearer tök€n", "Bearer a\x00b"])
def test_a_secret_that_no_header_can_carry_is_neither_sent_nor_quoted(connect: Connect, secret: str) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as server:
        error = failure(connect(server, authorization=lambda: secret).sessions, AuthError)
    assert error.message == "the secret has a character that an HTTP header can't carry"
    assert server.requests == []


UNREACHABLE = "is the URL right, and is the server up? some are reached through a VPN only"
MOVED_HINT = "redirects are not followed; if the Web Services are there, name them with --url"
SSO_HINT = (
    "this looks like single sign-on (SSO): sign in with a browser, and give its cookie to "
    "`smscli auth login --cookie-stdin`; if the Web Services are there, name them with --url"
)


@pytest.mark.parametrize(
    ("location", "origin", "hint"),
    [
        ("https://sso.example/login?to=x", "https://sso.example", SSO_HINT),
        ("https://user:pass@sso.example:444/", "https://sso.example:444", SSO_HINT),
        ("//idp.example/saml", "http://idp.example", SSO_HINT),
        ("http://localhost:1/saml", "http://localhost:1", SSO_HINT),
        ("https://localhost/api/v2/me/smsessions", "https://localhost", MOVED_HINT),
        ("http://[broken", "an unreadable address", MOVED_HINT),
    ],
)
def test_a_redirect_is_not_followed_and_its_origin_is_named(
    connect: Connect, location: str, origin: str, hint: str
) -> None:
    endless = drip(
        f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode(), b"", 1
    )
    with WireServer(in_turn(endless)) as server:
        error = failure(connect(server).sessions, Redirected)
    assert error.message == (
        f"the server redirects to {origin} (HTTP 302), at {server.base_url}/me/smsessions"
    )
    assert (error.http_status, error.hint, len(server.requests)) == (302, hint, 1)


def test_a_redirect_target_receives_nothing(connect: Connect) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as other:
        moved = answer(b"", 307, {"Location": other.base_url})
        with WireServer(in_turn(moved)) as server:
            failure(connect(server).sessions, Redirected)
    assert other.requests == []


# --- the list and its spelling ---


def test_a_list_is_one_request_when_the_spelling_is_known(connect: Connect) -> None:
    listed = answer({"statusCode": 0, "smssessions": [{"id": "s1", "state": "Chatting"}]}, headers=DATE)
    with WireServer(in_turn(listed)) as server:
        listing = connect(server, spelling="smssessions").sessions()
    assert listing == Listing((Session("s1", "Chatting"),), NOON)
    assert server.targets == ["me/smssessions?fields=*"]


@pytest.mark.parametrize(
    "missing",
    [NOT_THERE, answer({"statusCode": 6}), answer(b"<html>no</html>", 404)],
    ids=["404 with a status", "status 6", "404 as a page"],
)
def test_the_spelling_is_found_and_learned(connect: Connect, missing: Reply) -> None:
    learned: list[str] = []
    with WireServer(lambda request: EMPTY_LIST if "smssessions" in request.path else missing) as server:
        client = connect(server, spelling=None, on_spelling=learned.append)
        assert client.sessions() == Listing(())
        client.sessions()
    assert server.targets == [
        "me/smsessions?fields=*",
        "me/smssessions?fields=*",
        "me/smssessions?fields=*",
    ]
    assert (learned, client.spelling) == (["smssessions"], "smssessions")


def test_the_first_spelling_that_works_is_learned_too(connect: Connect) -> None:
    learned: list[str] = []
    with WireServer(in_turn(EMPTY_LIST)) as server:
        connect(server, spelling=None, on_spelling=learned.append).sessions()
    assert (server.targets, learned) == (["me/smsessions?fields=*"], ["smsessions"])


def test_a_spelling_that_stops_working_is_forgotten(connect: Connect) -> None:
    learned: list[str] = []
    with WireServer(by_path(smsessions=EMPTY_LIST)) as server:
        connect(server, spelling="smssessions", on_spelling=learned.append).sessions()
    assert server.targets == ["me/smssessions?fields=*", "me/smsessions?fields=*"]
    assert learned == ["smsessions"]


def test_a_server_with_both_spellings_does_not_change_the_known_one(connect: Connect) -> None:
    learned: list[str] = []
    with WireServer(by_path(smsessions=EMPTY_LIST, smssessions=EMPTY_LIST)) as server:
        client = connect(server, on_spelling=learned.append)
        failure(lambda: client.window("s1"), NotFound)
    assert (learned, client.spelling) == ([], "smsessions")


def test_no_list_under_either_spelling_is_a_server_without_sms(connect: Connect) -> None:
    learned: list[str] = []
    with WireServer(in_turn(NOT_THERE)) as server:
        error = failure(connect(server, spelling=None, on_spelling=learned.append).sessions, ServerError)
    assert error.message == f"nothing like Genesys Web Services answers at {server.base_url}"
    assert error.hint == "is the URL right? see `smscli doctor`"
    assert (error.exit_code, error.http_status, error.status_code, learned) == (1, 404, 6, [])


def test_a_list_of_uris_says_so(connect: Connect) -> None:
    with WireServer(in_turn(answer({"statusCode": 0, "uris": ["/smsessions/s1"]}))) as server:
        listing = connect(server).sessions()
    assert listing == Listing((Session("s1", uri="/smsessions/s1"),), uris_only=True)


# --- messages ---


def test_a_page_is_one_request_with_the_window_given(connect: Connect) -> None:
    with WireServer(in_turn(answer(messages(3, 4), headers=DATE))) as server:
        client = connect(server)
        assert client.page("s1", 3, 2) == Page((text(3), text(4)), NOON)
        client.page("s1")
        client.page("s1", 5)
    assert server.targets == [
        "me/smsessions/s1/messages?startIndex=3&count=2",
        "me/smsessions/s1/messages",
        "me/smsessions/s1/messages?startIndex=5",
    ]


@pytest.mark.parametrize(
    ("session_id", "segment"),
    [
        ("0000Na9B26EF002G", "0000Na9B26EF002G"),
        ("../x", "..%2Fx"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("a b%2e", "a%20b%252e"),
        ("é", "%C3%A9"),
        ("\ud83d", "%ED%A0%BD"),
        ("...", "..."),
    ],
)
def test_a_session_id_is_one_segment_of_the_path(connect: Connect, session_id: str, segment: str) -> None:
    with WireServer(in_turn(answer(messages()))) as server:
        connect(server).page(session_id)
    assert server.targets == [f"me/smsessions/{segment}/messages"]


@pytest.mark.parametrize("session_id", ["", ".", ".."])
def test_an_id_that_is_not_a_path_segment_is_no_session(connect: Connect, session_id: str) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as server:
        failure(lambda: connect(server).window(session_id), NotFound)
    assert server.targets == ["me/smsessions?fields=*", "me/smssessions?fields=*"]


def test_a_base_url_may_have_any_path(connect: Connect) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as server:
        connect(f"http://localhost:{server.port}/gws%2Fone/~x;v=1/api/v2").sessions()
    assert server.requests[0].target == "/gws%2Fone/~x;v=1/api/v2/me/smsessions?fields=*"


def test_an_unlisted_id_is_no_session(connect: Connect) -> None:
    with WireServer(by_path(smsessions=EMPTY_LIST)) as server:
        error = failure(lambda: connect(server).window("s1"), NotFound)
    assert error.message == f"no SMS session s1 at {server.base_url}"
    assert (error.exit_code, error.http_status, error.status_code) == (5, 404, 6)
    assert server.targets == [
        "me/smsessions/s1/messages",
        "me/smsessions?fields=*",
        "me/smssessions?fields=*",
    ]


def test_a_listed_session_whose_messages_are_not_found_has_none_yet(connect: Connect) -> None:
    listed = answer({"smsessions": [{"id": "s1"}]}, headers=DATE)
    with WireServer(by_path(smsessions=listed)) as server:
        assert connect(server).window("s1") == Page((), NOON)
        assert list(connect(server).messages("s1")) == [Page((), NOON)]


def test_messages_are_found_under_the_other_spelling(connect: Connect) -> None:
    def double(request: Request) -> Reply:
        if "smssessions" not in request.path:
            return NOT_THERE
        return answer(messages(1)) if request.path.endswith("messages") else EMPTY_LIST

    learned: list[str] = []
    with WireServer(double) as server:
        page = connect(server, spelling=None, on_spelling=learned.append).window("s1")
    assert (page, learned) == (Page((text(1),)), ["smssessions"])
    assert server.targets == [
        "me/smsessions/s1/messages",
        "me/smsessions?fields=*",
        "me/smssessions?fields=*",
        "me/smssessions/s1/messages",
    ]


def test_a_server_without_any_list_has_no_sms(connect: Connect) -> None:
    with WireServer(in_turn(NOT_THERE)) as server:
        error = failure(lambda: connect(server).window("s1"), ServerError)
    assert error.message == f"nothing like Genesys Web Services answers at {server.base_url}"


def test_a_page_of_a_missing_session_does_not_ask_the_list(connect: Connect) -> None:
    with WireServer(by_path(smsessions=EMPTY_LIST)) as server:
        failure(lambda: connect(server).page("s1"), NotFound)
    assert server.targets == ["me/smsessions/s1/messages"]


def test_now_is_the_servers_clock_at_its_last_answer(connect: Connect) -> None:
    with WireServer(in_turn(answer([], headers=DATE), EMPTY_LIST)) as server:
        client = connect(server)
        clocks = [client.now]
        client.sessions()
        clocks.append(client.now)
        client.sessions()
        clocks.append(client.now)
    assert clocks == [None, NOON, None]


def test_other_refusals_of_messages_do_not_ask_the_list(connect: Connect) -> None:
    with WireServer(in_turn(answer({"statusCode": 5}, 403))) as server:
        failure(lambda: connect(server).window("s1"), NotPermitted)
    assert server.targets == ["me/smsessions/s1/messages"]


def log_of(length: int) -> Callable[[Request], Reply]:
    """A log that supports `startIndex` and `count`."""

    def choose(request: Request) -> Reply:
        start = int(request.query.get("startIndex", 1))
        count = int(request.query.get("count", length))
        return answer(messages(*range(start, min(start + count, length + 1))), headers=DATE)

    return choose


def test_a_log_of_one_page_takes_two_requests(connect: Connect) -> None:
    with WireServer(log_of(3)) as server:
        assert list(connect(server).messages("s1")) == [Page((text(1), text(2), text(3)), NOON)]
    assert server.targets == [
        "me/smsessions/s1/messages?startIndex=1&count=500",
        "me/smsessions/s1/messages?startIndex=4",
    ]


def test_a_long_log_comes_in_pages_of_500(connect: Connect) -> None:
    with WireServer(log_of(1200)) as server:
        pages = list(connect(server).messages("s1"))
    assert [len(page.messages) for page in pages] == [500, 500, 200]
    assert [one.index for page in pages for one in page.messages] == list(range(1, 1201))
    # What lies ahead of the last page may have been asked for in vain.
    assert [one for one in server.targets if "=1501&" not in one] == [
        "me/smsessions/s1/messages?startIndex=1&count=500",
        "me/smsessions/s1/messages?startIndex=501&count=500",
        "me/smsessions/s1/messages?startIndex=1001&count=500",
        "me/smsessions/s1/messages?startIndex=1201",
    ]


def test_a_page_is_yielded_before_the_next_is_requested(connect: Connect) -> None:
    with WireServer(log_of(1200)) as server:
        next(iter(connect(server).messages("s1")))
        # So long as another thread could need to ask.
        time.sleep(0.2)
        assert len(server.requests) == 1


def test_a_failed_prefetch_is_retried(connect: Connect) -> None:
    asked: list[int] = []

    def moody(request: Request) -> Reply:
        start = int(request.query["startIndex"])
        asked.append(start)
        if start > 1 and asked.count(start) == 1:
            return answer({"statusCode": 4}, status=500)
        return log_of(2600)(request)

    with WireServer(moody) as server:
        pages = list(connect(server).messages("s1"))
    assert [one.index for page in pages for one in page.messages] == list(range(1, 2601))


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (answer({"statusCode": 20}, 401), SignInRefused),
        (answer({}, 503, {"Retry-After": "60"}), ServerBusy),
        (answer(b"no JSON"), WireError),
    ],
    ids=["not signed in", "come back in a minute", "no JSON"],
)
def test_a_refused_prefetch_is_not_retried(connect: Connect, refusal: Reply, kind: type[SmscliError]) -> None:
    def until_1500(request: Request) -> Reply:
        return log_of(2600)(request) if int(request.query["startIndex"]) < 1501 else refusal

    read: list[int | None] = []
    with WireServer(until_1500) as server:
        log = connect(server).messages("s1")
        failure(lambda: read.extend(one.index for page in log for one in page.messages), kind)
    assert read == list(range(1, 1501))
    # The pages beyond may have been on their way already.
    assert [one for one in server.targets if "=1501&" in one] == [
        "me/smsessions/s1/messages?startIndex=1501&count=500"
    ]


@pytest.mark.parametrize("indices", [(), (1, 2, 3)])
def test_a_server_that_refuses_a_window_is_read_without_one(
    connect: Connect, indices: tuple[int, ...]
) -> None:
    def plain(request: Request) -> Reply:
        return answer({"statusCode": 10}) if request.query else answer(messages(*indices))

    with WireServer(plain) as server:
        pages = list(connect(server).messages("s1"))
    assert [one.index for page in pages for one in page.messages] == list(indices)
    assert server.targets == ["me/smsessions/s1/messages?startIndex=1&count=500", "me/smsessions/s1/messages"]


@pytest.mark.parametrize("length", [499, 500, 2000, 2499])
def test_a_404_beyond_the_end_reads_the_last_message_once(connect: Connect, length: int) -> None:
    def until_the_end(request: Request) -> Reply:
        return log_of(length)(request) if int(request.query["startIndex"]) <= length else NOT_THERE

    with WireServer(until_the_end) as server:
        pages = list(connect(server).messages("s1"))
    assert [one.index for page in pages for one in page.messages] == list(range(1, length + 1))
    last = f"me/smsessions/s1/messages?startIndex={length}&count=1"
    assert [one for one in server.targets if one.endswith(("fields=*", "&count=1"))] == [last]


def test_a_log_of_an_unlisted_session_is_read_to_its_end(connect: Connect) -> None:
    """The session is not in any list, and its messages are not found beyond their end."""

    def unlisted(request: Request) -> Reply:
        if not request.path.endswith("messages"):
            return EMPTY_LIST
        return log_of(3)(request) if int(request.query["startIndex"]) <= 3 else NOT_THERE

    with WireServer(unlisted) as server:
        pages = list(connect(server).messages("s1"))
    assert [one.index for page in pages for one in page.messages] == [1, 2, 3]


def test_a_session_that_disappears_during_a_read_is_an_error(connect: Connect) -> None:
    def gone(request: Request) -> Reply:
        if not request.path.endswith("messages"):
            return EMPTY_LIST
        start = int(request.query["startIndex"])
        return log_of(2600)(request) if start < 1501 and start % 500 == 1 else NOT_THERE

    read: list[int | None] = []
    with WireServer(gone) as server:
        log = connect(server).messages("s1")
        failure(lambda: read.extend(one.index for page in log for one in page.messages), NotFound)
    assert read == list(range(1, 1501))


def test_abandoned_requests_have_a_debug_line_too(connect: Connect) -> None:
    told: list[str] = []

    def hanging(request: Request) -> Reply:
        if int(request.query["startIndex"]) < 1501:
            return log_of(5000)(request)
        return hang

    with WireServer(hanging) as server:
        log = connect(server, debug=told.append).messages("s1")
        for _ in range(3):
            next(log)
        while len(server.requests) < 5:
            time.sleep(0.01)
        log.close()
    asked = [line.split(" ")[2] for line in told]
    assert sorted(asked) == sorted(f"startIndex={one.query['startIndex']}" for one in server.requests)
    assert [line.endswith("no response abandoned") for line in told].count(True) == len(told) - 3


def test_pages_that_begin_elsewhere_than_prefetched_are_not_skipped(connect: Connect) -> None:
    indices = [index for index in range(1, 4000) if index % 7]

    def gappy(request: Request) -> Reply:
        rest = [index for index in indices if index >= int(request.query["startIndex"])]
        return answer(messages(*rest[: int(request.query.get("count", len(rest)))]))

    with WireServer(gappy) as server:
        pages = list(connect(server).messages("s1"))
    assert [one.index for page in pages for one in page.messages] == indices
    assert len(server.requests) <= -(-len(indices) // 500) + 4


def test_an_uncounted_response_over_the_limit_is_read_in_counted_pages(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_LIMIT", 20_000)

    def capped(request: Request) -> Reply:
        start = int(request.query["startIndex"])
        count = min(int(request.query.get("count", 5000)), 300 if start == 1 else 5000)
        return answer(messages(*range(start, min(start + count, 1500))))

    with WireServer(capped) as server:
        pages = list(connect(server).messages("s1"))
    assert [one.index for page in pages for one in page.messages] == list(range(1, 1500))
    assert [one.query.get("count") for one in server.requests] == [
        "500",
        None,
        "500",
        "500",
        "500",
        "500",
        None,
    ]


def test_a_counted_page_over_the_limit_names_the_option_that_helps(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_LIMIT", 1000)
    with WireServer(log_of(500)) as server, pytest.raises(WireError) as raised:
        list(connect(server).messages("s1"))
    assert raised.value.hint == "ask for fewer messages: --count N"


# --- me and services ---


def test_me_and_services_are_one_request_each(connect: Connect) -> None:
    user = {"userName": "agent.one", "features": ["api-multimedia-chat"]}
    with WireServer(
        by_path(me=answer({"user": user}), services=answer({"services": [{"name": "ixn", "type": "Media"}]}))
    ) as server:
        client = connect(server)
        assert client.me() == User("agent.one", features=("api-multimedia-chat",))
        assert client.me(features=True).features == ("api-multimedia-chat",)
        assert client.services() == (Service("Media", None),)
    assert server.targets == ["me", "me?subresources=features", "services?fields=*"]


def test_without_me_there_are_no_web_services(connect: Connect) -> None:
    with WireServer(in_turn(answer(b"<html>nothing here</html>", 404))) as server:
        error = failure(connect(server).me, ServerError)
    assert error.message == f"nothing like Genesys Web Services answers at {server.base_url}"


# --- refusals ---

AGAIN = "sign in again: `smscli auth login`"
FEATURE = "the user needs the feature api-multimedia-chat and a role that may read SMS sessions"
CHANGE = "change the password in the agent's desktop, then `smscli auth login`"


@pytest.mark.parametrize(
    ("http", "code", "kind", "said", "hint"),
    [
        (401, None, SignInRefused, "unauthorized (HTTP 401)", AGAIN),
        (200, 20, SignInRefused, "not signed in (statusCode 20): why", AGAIN),
        (401, 20, SignInRefused, "not signed in (statusCode 20, HTTP 401): why", AGAIN),
        (401, 8, AuthError, "the password must be changed first (statusCode 8, HTTP 401): why", CHANGE),
        (200, 8, AuthError, "the password must be changed first (statusCode 8): why", CHANGE),
        (403, None, NotPermitted, "forbidden (HTTP 403)", FEATURE),
        (200, 3, NotPermitted, "the operation is forbidden (statusCode 3): why", FEATURE),
        (200, 5, NotPermitted, "the user lacks a permission (statusCode 5): why", FEATURE),
        (200, 1, ServerError, "a required parameter is missing (statusCode 1): why", None),
        (200, 2, ServerError, "a parameter is not valid in this state (statusCode 2): why", None),
        (200, 4, ServerError, "internal error (statusCode 4): why", None),
        (500, 4, ServerError, "internal error (statusCode 4, HTTP 500): why", None),
        (200, 7, ServerError, "done in part only (statusCode 7): why", None),
        (200, 9, ServerError, "processing is incomplete (statusCode 9): why", None),
        (400, 10, ServerError, "the input is not valid (statusCode 10, HTTP 400): why", None),
        (200, 12, ServerError, "the resource can't be read (statusCode 12): why", None),
        (200, 99, ServerError, "an error (statusCode 99): why", None),
        (418, None, ServerError, "i'm a teapot (HTTP 418)", None),
        (499, None, ServerError, "an error (HTTP 499)", None),
        (500, None, ServerError, "internal server error (HTTP 500)", None),
        (502, None, ServerError, "bad gateway (HTTP 502)", None),
        (304, None, ServerError, "not modified (HTTP 304)", None),
        (429, None, ServerBusy, "too many requests (HTTP 429)", None),
        (503, None, ServerBusy, "service unavailable (HTTP 503)", None),
    ],
)
def test_each_refusal_is_one_of_our_errors(
    connect: Connect, http: int, code: int | None, kind: type[SmscliError], said: str, hint: str | None
) -> None:
    body = {"statusCode": code, "statusMessage": "why"} if code else b"<html><h1>no</h1></html>"
    with WireServer(in_turn(answer(b"" if http == 304 else body, http))) as server:
        error = failure(lambda: connect(server).sessions(retries=0), kind)
    assert error.message == f"the server answers: {said}, at {server.base_url}/me/smsessions"
    assert (error.hint, error.http_status, error.status_code) == (hint, http, code)


@pytest.mark.parametrize(
    ("authorization", "quoted"),
    [
        ("Bearer s3cret-t0ken", "Bearer s3cret-t0ken, s3cret-t0ken, czNjcmV0LXQwa2Vu"),
        ("Basic bWFqYTpw5HNzL3cwcmQ=", "bWFqYTpw5HNzL3cwcmQ=, maja:päss/w0rd, päss/w0rd"),
        ("Basic bWFqYTpww6Rzcy93MHJk", "bWFqYTpww6Rzcy93MHJk, maja:päss/w0rd, cMOkc3MvdzByZA=="),
    ],
)
def test_secrets_in_a_refusal_are_masked(connect: Connect, authorization: str, quoted: str) -> None:
    words = {"statusCode": 20, "statusMessage": f"cannot use {quoted}"}
    with WireServer(in_turn(answer(words, 401))) as server:
        error = failure(connect(server, authorization=lambda: authorization).sessions, SignInRefused)
    assert error.message.partition("cannot use ")[2].partition(", at ")[0] == "***, ***, ***"


@pytest.mark.parametrize("quoted", ["bWFqYTpww6Rzcy93MHJk", "cMOkc3MvdzByZA", "P\u00c4SS/W0RD"])
def test_secrets_in_base64_or_capitals_are_masked(connect: Connect, quoted: str) -> None:
    words = {"statusCode": 20, "statusMessage": quoted}
    with WireServer(in_turn(answer(words, 401))) as server:
        client = connect(server, authorization=lambda: "Basic bWFqYTpww6Rzcy93MHJk")
        error = failure(client.sessions, SignInRefused)
    assert error.message.partition("HTTP 401): ")[2].partition(", at ")[0] == "***"


def test_many_csrf_tokens_do_not_unmask_the_secret(connect: Connect) -> None:
    tokens = ({"X-CSRF-HEADER": "X-CSRF", "X-CSRF-TOKEN": f"t0k3n-{number}"} for number in range(150))
    words = {"statusCode": 3, "statusMessage": "no s3cret-t0ken"}
    with WireServer(in_turn(*(answer([], headers=one) for one in tokens), answer(words))) as server:
        client = connect(server)
        for _ in range(150):
            client.sessions()
        error = failure(client.sessions, NotPermitted)
    assert error.message.partition("statusCode 3): ")[2].partition(", at ")[0] == "no ***"


def test_secrets_in_a_location_or_a_key_are_masked(connect: Connect) -> None:
    redirect = answer(b"", 302, {"Location": "https://s3cret-t0ken.example/login"})
    with WireServer(in_turn(redirect)) as server:
        error = failure(connect(server).sessions, Redirected)
    assert error.message.startswith("the server redirects to https://***.example (HTTP 302), at ")
    with WireServer(in_turn(answer({"x" * 130 + "s3cret-t0ken": 1}))) as server:
        error = failure(connect(server).sessions, WireError)
    assert error.message.partition(" with ")[2].partition(", at ")[0] == "x" * 130 + "***"


def test_former_cookies_and_csrf_tokens_are_masked(connect: Connect) -> None:
    given = {"Set-Cookie": "JSESSIONID=c00kie", "X-CSRF-HEADER": "X-CSRF", "X-CSRF-TOKEN": "t0k3n"}
    renewed = {"Set-Cookie": "JSESSIONID=n3wer", "X-CSRF-HEADER": "X-CSRF", "X-CSRF-TOKEN": "n3west"}
    words = {"statusCode": 3, "statusMessage": "no c00kie, t0k3n, n3wer, n3west"}
    with WireServer(in_turn(answer([], headers=given), answer([], headers=renewed), answer(words))) as server:
        client = connect(server)
        client.sessions()
        client.sessions()
        error = failure(client.sessions, NotPermitted)
    assert error.message.partition("no ")[2].partition(", at ")[0] == "***, ***, ***, ***"


def test_a_refusal_is_cut_to_one_line_after_masking(connect: Connect) -> None:
    words = {"statusCode": 4, "statusMessage": "two\nlines " + "x" * 180 + " s3cret-t0ken" + "y" * 1000}
    with WireServer(in_turn(answer(words))) as server:
        error = failure(lambda: connect(server).sessions(retries=0), ServerError)
    said = error.message.partition("(statusCode 4): ")[2].partition(", at ")[0]
    assert said == "two lines " + "x" * 180 + " ***" + "y" * 6 + "..."


def test_an_error_status_is_a_refusal_with_any_body(connect: Connect) -> None:
    with WireServer(in_turn(answer({"statusCode": 0, "smsessions": []}, 500))) as server:
        error = failure(lambda: connect(server).sessions(retries=0), ServerError)
    assert error.message == (
        f"the server answers: internal server error (HTTP 500), at {server.base_url}/me/smsessions"
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the server's response is empty"),
        (b"<html>sign in</html>", "the server's response is a web page, not JSON"),
        (b'{"chats": []}', "the server's response has no session list, but an object with chats"),
        (b"[" * 100_000, "the server's response is nested too deeply"),
    ],
)
def test_a_malformed_response_is_reported_with_its_url(connect: Connect, body: bytes, why: str) -> None:
    with WireServer(in_turn(answer(body))) as server:
        error = failure(connect(server).sessions, WireError)
    assert error.message == f"{why}, at {server.base_url}/me/smsessions"
    assert (error.http_status, len(server.requests)) == (200, 1)


# --- entries that are not objects ---


def test_entries_that_are_not_objects_are_left_out_with_one_notice(connect: Connect) -> None:
    said: list[tuple[str, str | None]] = []
    sessions = {"smsessions": [None, {"id": "s1", "participants": [7, {"nickname": "Pat"}]}, [], "/s2"]}
    log = {"messages": [{"index": 1, "type": "Text"}, None, "text", 7, [], {"index": 2, "type": "Text"}]}
    replies = by_path(smsessions=answer(sessions), messages=answer(log))
    with WireServer(replies) as server:
        client = connect(server, on_skipped=lambda message, session_id: said.append((message, session_id)))
        for _ in range(2):
            [first, second] = client.sessions().sessions
            assert [one.index for one in client.page("s1").messages] == [1, 2]
        client.page("s2")
    assert (first.id, first.nicknames(""), second.id) == ("s1", [], "s2")
    assert first.sent["participants"] == [{"nickname": "Pat"}]
    assert said == [
        ("left out 3 entries of the session list: not JSON objects", None),
        ("left out 4 entries of the messages of session s1: not JSON objects", "s1"),
        ("left out 4 entries of the messages of session s2: not JSON objects", "s2"),
    ]


@pytest.mark.parametrize("entries", [[None], [7, []], ["text", None]])
def test_a_log_of_nothing_but_such_entries_is_empty(connect: Connect, entries: list[object]) -> None:
    said: list[str] = []
    with WireServer(in_turn(answer({"messages": entries}))) as server:
        client = connect(server, on_skipped=lambda message, session_id: said.append(message))
        assert [page.messages for page in client.messages("s1")] == [()]
    assert len(said) == 1


def test_whole_lists_skip_nothing(connect: Connect) -> None:
    said: list[str] = []
    sessions = {"smsessions": [{"id": "s1", "participants": [{"nickname": "Pat"}]}, {"id": "s2"}, "/s3"]}
    replies = by_path(smsessions=answer(sessions), messages=answer({"messages": [{"index": 1}, {}]}))
    with WireServer(replies) as server:
        client = connect(server, on_skipped=lambda message, session_id: said.append(message))
        assert len(client.sessions().sessions) == 3
        assert len(client.page("s1").messages) == 2
    assert said == []


# --- retries ---


def waits_of(
    connect: Connect, *replies: Reply, retries: int = 2, **options: Any
) -> tuple[int, list[float], str | None]:
    """The number of requests for a list, the waits between them, and the class of the error if any."""
    waits: list[float] = []
    outcome = None
    with WireServer(in_turn(*replies)) as server:
        try:
            connect(server, wait=waits.append, **options).sessions(retries=retries)
        except SmscliError as error:
            outcome = type(error).__name__
    return len(server.requests), waits, outcome


FAILED = answer({"statusCode": 4}, 500)


def asked_to_wait(seconds: int | str) -> Reply:
    return answer(b"", 429, {"Retry-After": str(seconds)})


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ((FAILED, EMPTY_LIST), (2, [0.5], None)),
        ((FAILED, FAILED, EMPTY_LIST), (3, [0.5, 1.0], None)),
        ((FAILED,), (3, [0.5, 1.0], "ServerError")),
        ((answer({"statusCode": 4}), EMPTY_LIST), (2, [0.5], None)),
        ((answer(b"<html>", 502), EMPTY_LIST), (2, [0.5], None)),
        ((reset, EMPTY_LIST), (2, [0.5], None)),
        ((cut_after(b""), EMPTY_LIST), (2, [0.5], None)),
        ((cut_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["), EMPTY_LIST), (2, [0.5], None)),
        ((answer(b"", 503), EMPTY_LIST), (2, [0.5], None)),
        ((asked_to_wait(2), EMPTY_LIST), (2, [2.0], None)),
        ((asked_to_wait(0), asked_to_wait(3), EMPTY_LIST), (3, [0.0, 3.0], None)),
        ((asked_to_wait(2), asked_to_wait(2), EMPTY_LIST), (2, [2.0], "ServerBusy")),
        ((asked_to_wait(4), EMPTY_LIST), (1, [], "ServerBusy")),
        ((answer(b"", 401), EMPTY_LIST), (1, [], "SignInRefused")),
        ((answer(b"", 403), EMPTY_LIST), (1, [], "NotPermitted")),
        ((answer({"statusCode": 2}), EMPTY_LIST), (1, [], "ServerError")),
        ((answer(b"", 302, {"Location": "/x"}), EMPTY_LIST), (1, [], "Redirected")),
        ((answer(b"["), EMPTY_LIST), (2, [0.5], None)),
        ((answer(b"["),), (3, [0.5, 1.0], "TruncatedJson")),
        ((answer(b'["caf\xc3'), EMPTY_LIST), (2, [0.5], None)),
        ((answer(b"x"), EMPTY_LIST), (1, [], "WireError")),
        ((answer(b"", 408), EMPTY_LIST), (2, [0.5], None)),
        ((answer(b"", 501), EMPTY_LIST), (1, [], "ServerError")),
    ],
)
def test_only_temporary_failures_are_retried(
    connect: Connect, replies: tuple[Reply, ...], expected: object
) -> None:
    assert waits_of(connect, *replies) == expected


def test_a_timeout_is_retried_once(connect: Connect) -> None:
    assert waits_of(connect, hang, timeout=0.1) == (2, [0.5], "RequestTimeout")


@pytest.mark.parametrize("reply", [FAILED, reset, asked_to_wait(1)])
def test_no_retries_when_none_are_asked_for(connect: Connect, reply: Reply) -> None:
    assert waits_of(connect, reply, retries=0)[:2] == (1, [])


def test_a_kept_alive_connection_that_was_closed_is_reopened(connect: Connect) -> None:
    def once(line: Any) -> None:
        EMPTY_LIST(line)
        line.cut()

    with WireServer(in_turn(once, EMPTY_LIST)) as server:
        client = connect(server)
        client.sessions()
        assert client.sessions() == Listing(())
    assert server.requests[-1].connection == 2


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("7", None, 7.0),
        ("Fri, 27 Dec 2013 21:17:11 GMT", DATE["Date"], 30.0),
        ("Fri, 27 Dec 2013 21:16:00 GMT", DATE["Date"], 0.0),
        ("Fri, 27 Dec 2013 21:16:00 GMT", None, 0.0),
        ("9" * 400, None, inf),
        ("-5", None, None),
        ("soon", None, None),
    ],
)
def test_retry_after_is_read_as_seconds_by_the_servers_own_clock(
    connect: Connect, retry_after: str, date: str | None, seconds: float | None
) -> None:
    headers = {"Retry-After": retry_after} | ({"Date": date} if date else {})
    with WireServer(in_turn(answer(b"", 503, headers))) as server:
        error = failure(lambda: connect(server).sessions(retries=0), ServerBusy)
    assert isinstance(error, ServerBusy)
    assert error.retry_after == seconds
    if seconds is not None:
        assert error.message.endswith(f": retry after {seconds:.0f} s")


# --- limits ---


def test_a_body_over_64_mib_is_dropped(connect: Connect) -> None:
    def flood(line: Any) -> None:
        line.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(65):
            line.send(b" " * 2**20)

    with WireServer(in_turn(flood)) as server:
        error = failure(connect(server).sessions, ResponseTooLarge)
    assert (error.message, error.hint) == (f"the response of localhost:{server.port} is over 64 MiB", None)


def packed(body: bytes, encoding: str = "gzip") -> Reply:
    return answer(body, headers={"Content-Encoding": encoding})


def test_a_gzip_response_is_read(connect: Connect) -> None:
    with WireServer(in_turn(packed(gzip.compress(b'{"smsessions": [{"id": "s1"}]}')))) as server:
        assert connect(server).sessions() == Listing((Session("s1"),))
    assert server.requests[0].headers["accept-encoding"] == "gzip"


def test_a_gzip_response_of_several_members_is_read_whole(connect: Connect) -> None:
    parts = gzip.compress(b'{"smsessions": ') + gzip.compress(b'[{"id": "s1"}]}')
    with WireServer(in_turn(packed(parts))) as server:
        assert [one.id for one in connect(server).sessions().sessions] == ["s1"]


@pytest.mark.slow
def test_a_gzip_bomb_is_dropped(connect: Connect) -> None:
    with WireServer(in_turn(packed(gzip.compress(b" " * (65 * 2**20))))) as server:
        error = failure(connect(server).sessions, ResponseTooLarge)
    assert error.message == f"the response of localhost:{server.port} is over 64 MiB"


@pytest.mark.parametrize("behind", [b"\0", b"\0" * 512, b"\0" * 70_000, b"garbage"])
def test_bytes_after_a_gzip_response_are_ignored(connect: Connect, behind: bytes) -> None:
    with WireServer(in_turn(packed(gzip.compress(b'{"smsessions": [{"id": "s1"}]}') + behind))) as server:
        assert connect(server).sessions() == Listing((Session("s1"),))


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip"])
def test_a_malformed_gzip_response_is_refused(connect: Connect, encoding: str) -> None:
    with WireServer(in_turn(packed(b"not gzip at all", encoding))) as server:
        error = failure(connect(server).sessions, WireError)
        assert len(server.requests) == 1
    assert error.message == f"the response of localhost:{server.port} can't be decompressed"


def test_a_truncated_gzip_response_is_retried(connect: Connect) -> None:
    whole = gzip.compress(json.dumps([{"id": f"s{number}"} for number in range(1000)]).encode())
    with WireServer(in_turn(packed(whole[:1000]), packed(whole))) as server:
        assert len(connect(server).sessions().sessions) == 1000
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ],
    ids=["many headers", "a long header", "a long status", "no HTTP"],
)
def test_malformed_http_is_refused(connect: Connect, head: bytes) -> None:
    with WireServer(in_turn(cut_after(head))) as server:
        error = failure(connect(server).sessions, WireError)
    assert error.message == f"the response of localhost:{server.port} is not valid HTTP"
    assert len(server.requests) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_response_with_two_lengths_is_refused(connect: Connect) -> None:
    """urllib3 leaves the connection of such an answer to the garbage collector, which warns of it."""
    with WireServer(in_turn(cut_after(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n[]"))) as server:
        error = failure(connect(server).sessions, WireError)
    assert error.message == f"the response of localhost:{server.port} is not valid HTTP"
    del error
    gc.collect()


@pytest.mark.slow
def test_an_endless_slow_body_times_out(connect: Connect) -> None:
    dripping = drip(b"HTTP/1.1 200 OK\r\n\r\n", b" ", 0.01)
    with WireServer(in_turn(dripping)) as server:
        error = failure(lambda: connect(server, timeout=0.4).sessions(retries=0), RequestTimeout)
    assert error.message == f"localhost:{server.port} did not send the whole response in time"


# --- no answer ---


def test_a_refused_connection_is_reported(connect: Connect) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as server:
        port = server.port
    error = failure(connect(f"http://127.0.0.1:{port}/api/v2").sessions, Unreachable)
    assert (error.message, error.exit_code) == (f"127.0.0.1:{port} refuses the connection", 3)
    assert error.hint == UNREACHABLE


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid", "a..invalid"])
def test_an_unresolvable_name_is_reported(connect: Connect, host: str) -> None:
    error = failure(connect(f"http://{host}/api/v2").sessions, Unreachable)
    assert (error.message, error.hint) == (f"the name {host} can't be resolved", UNREACHABLE)


def test_an_invalid_host_is_reported(connect: Connect) -> None:
    error = failure(connect("http://gws example/api/v2").sessions, Unreachable)
    # The second is the message with urllib3 2.6.
    assert error.message in (
        "gws example can't be reached: no reason given",
        "the name gws example can't be resolved",
    )


@pytest.mark.parametrize(
    ("reply", "kind", "why"),
    [
        (hang, RequestTimeout, "{host} did not answer within 0.2 s"),
        (
            whole(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["),
            RequestTimeout,
            "{host} did not answer within 0.2 s",
        ),
        (reset, Unreachable, "{host} closed the connection"),
        (cut_after(b""), Unreachable, "{host} closed the connection"),
        (
            cut_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["),
            Unreachable,
            "the response of {host} was cut short",
        ),
        (
            cut_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n["),
            Unreachable,
            "the response of {host} was cut short",
        ),
        (
            cut_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n["),
            Unreachable,
            "the response of {host} was cut short",
        ),
    ],
)
def test_incomplete_responses(connect: Connect, reply: Reply, kind: type[SmscliError], why: str) -> None:
    with WireServer(in_turn(reply)) as server:
        error = failure(lambda: connect(server, timeout=0.2).sessions(retries=0), kind)
    assert error.message == why.format(host=f"localhost:{server.port}")


def test_an_interrupt_passes_through(connect: Connect) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with WireServer(in_turn(FAILED)) as server, pytest.raises(KeyboardInterrupt):
        connect(server, wait=interrupt).sessions()


# --- TLS ---


@pytest.fixture(scope="module")
def ours() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def theirs() -> trustme.CA:
    return trustme.CA()


def served_by(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def pem(authority: trustme.CA, folder: Path, name: str) -> str:
    path = folder / name
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_a_ca_bundle_is_trusted_beside_the_systems_store(
    connect: Connect,
    ours: trustme.CA,
    theirs: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system's store is, for OpenSSL, the file that SSL_CERT_FILE names."""
    monkeypatch.setenv("SSL_CERT_FILE", pem(theirs, tmp_path, "system.pem"))
    bundle = pem(ours, tmp_path, "bundle.pem")
    with WireServer(in_turn(EMPTY_LIST), served_by(ours)) as one:
        assert connect(one, ca_bundle=bundle).sessions() == Listing(())
    with WireServer(in_turn(EMPTY_LIST), served_by(theirs)) as other:
        assert connect(other, ca_bundle=bundle).sessions() == Listing(())


def test_certifi_is_not_trusted(
    connect: Connect, ours: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = pem(ours, tmp_path, "certifi.pem")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("CURL_CA_BUNDLE", bundle)
    waits: list[float] = []
    with WireServer(in_turn(EMPTY_LIST), served_by(ours)) as server:
        error = failure(connect(server, wait=waits.append).sessions, TlsError)
    assert error.message.startswith(f"the certificate of localhost:{server.port} is not trusted: ")
    assert error.hint == "if it was issued by your own CA, name that: --ca-bundle FILE"
    assert (error.exit_code, waits, server.requests) == (3, [], [])


def test_a_certificate_of_another_name_is_not_trusted(
    connect: Connect, ours: trustme.CA, tmp_path: Path
) -> None:
    with WireServer(in_turn(EMPTY_LIST), served_by(ours, "gws.example")) as server:
        client = connect(server, ca_bundle=pem(ours, tmp_path, "ca.pem"))
        error = failure(client.sessions, TlsError)
    assert error.message == (
        f"the certificate of localhost:{server.port} is not trusted: "
        "Hostname mismatch, certificate is not valid for 'localhost'"
    )


def test_a_server_without_tls_is_reported(connect: Connect) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as server:
        error = failure(connect(server.base_url.replace("http:", "https:")).sessions, TlsError)
    assert error.message == f"localhost:{server.port} answers without TLS"
    assert error.hint == "is it http:// in place of https://?"


def wanting_a_client(authority: trustme.CA) -> ssl.SSLContext:
    context = served_by(authority)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    # TLS 1.3 lets the client go on before it hears that its certificate is missed.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def test_a_client_certificate_is_sent(connect: Connect, ours: trustme.CA, tmp_path: Path) -> None:
    own = tmp_path / "client.pem"
    ours.issue_cert("agent@gws.example").private_key_and_cert_chain_pem.write_to_path(str(own))
    bundle = pem(ours, tmp_path, "ca.pem")
    with WireServer(in_turn(EMPTY_LIST), wanting_a_client(ours)) as server:
        assert connect(server, ca_bundle=bundle, client_cert=str(own)).sessions() == Listing(())
        error = failure(connect(server, ca_bundle=bundle).sessions, TlsError)
    assert error.message.startswith(f"no TLS connection to localhost:{server.port}: ")
    assert "alert" in error.message


def test_an_encrypted_key_is_a_clear_error_without_a_prompt(
    connect: Connect, ours: trustme.CA, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization

    leaf = ours.issue_cert("agent@gws.example")
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    path = tmp_path / "client.pem"
    path.write_bytes(locked + leaf.cert_chain_pems[0].bytes())
    error = failure(lambda: connect("https://localhost/api/v2", client_cert=str(path)), LocalError)
    assert error.message == "the key in the client certificate's file is encrypted"


@pytest.mark.parametrize(
    ("option", "what"), [("ca_bundle", "CA bundle"), ("client_cert", "client certificate")]
)
@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "can't be read: No such file or directory"), ("nothing\n", "is not a PEM file of that kind")],
)
def test_a_file_that_cannot_be_used_is_named(
    connect: Connect, tmp_path: Path, option: str, what: str, content: str | None, why: str
) -> None:
    path = tmp_path / "some.pem"
    if content:
        path.write_text(content)
    error = failure(lambda: connect("https://localhost/api/v2", **{option: str(path)}), LocalError)
    assert error.message == f"the {what} {path} {why}"


@pytest.mark.parametrize(
    ("option", "what"), [("ca_bundle", "CA bundle"), ("client_cert", "client certificate")]
)
def test_a_name_that_no_file_can_have_is_refused(connect: Connect, option: str, what: str) -> None:
    error = failure(lambda: connect("https://localhost/api/v2", **{option: "a\0b"}), LocalError)
    assert error.message == f"the {what} a\0b can't be read: not a valid file name"


# --- proxies ---

GWS = "https://gws.example:8443/api/v2"
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("base_url", "environ", "expected"),
    [
        (GWS, {}, None),
        (GWS, {"HTTPS_PROXY": PROXY}, PROXY),
        (GWS, {"https_proxy": PROXY}, PROXY),
        (GWS, {"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        (GWS, {"HTTP_PROXY": PROXY}, None),
        (GWS, {"ALL_PROXY": PROXY, "all_proxy": PROXY}, None),
        ("http://gws.example/api/v2", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://gws.example/api/v2", {"HTTPS_PROXY": PROXY}, None),
        ("https://localhost/api/v2", {"HTTPS_PROXY": PROXY}, None),
        ("https://gws.localhost/api/v2", {"HTTPS_PROXY": PROXY}, None),
        ("https://127.8.9.1/api/v2", {"HTTPS_PROXY": PROXY}, None),
        ("https://[::1]:8443/api/v2", {"HTTPS_PROXY": PROXY}, None),
        (GWS, {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None),
        (GWS, {"HTTPS_PROXY": PROXY, "NO_PROXY": "other.example, gws.example"}, None),
        (GWS, {"HTTPS_PROXY": PROXY, "NO_PROXY": "EXAMPLE"}, None),
        (GWS, {"HTTPS_PROXY": PROXY, "NO_PROXY": ".example"}, None),
        (GWS, {"HTTPS_PROXY": PROXY, "NO_PROXY": "*.example"}, None),
        (GWS, {"HTTPS_PROXY": PROXY, "NO_PROXY": "gws.example:8443"}, None),
        (GWS, {"HTTPS_PROXY": PROXY, "NO_PROXY": "gws.example:443,other.example,10.0.0.0/8"}, PROXY),
        ("https://10.1.2.3/api/v2", {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://[2001:db8::7]/api/v2", {"HTTPS_PROXY": PROXY, "NO_PROXY": "2001:db8::7"}, None),
    ],
)
def test_proxies_come_from_three_variables_and_never_for_loopback(
    base_url: str, environ: dict[str, str], expected: str | None
) -> None:
    assert proxy_for(base_url, environ) == expected


@pytest.mark.parametrize("proxy", ["socks5://proxy.example", "http://", "http://proxy:99999", "http://[x"])
def test_an_invalid_proxy_is_reported_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError) as raised:
        proxy_for(GWS, {"HTTPS_PROXY": proxy})
    assert raised.value.message == "the proxy that HTTPS_PROXY names is not an http:// or https:// address"


def test_a_request_goes_through_the_proxy(connect: Connect) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as proxy:
        environ = {"HTTP_PROXY": f"http://user:pass@localhost:{proxy.port}"}
        connect("http://gws.example/api/v2", environ=environ).sessions()
    (sent,) = proxy.requests
    assert sent.target == "http://gws.example/api/v2/me/smsessions?fields=*"
    assert sent.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    assert sent.headers["authorization"] == SECRET


def test_a_failing_proxy_is_named_without_its_password(connect: Connect) -> None:
    refusal = answer(b"", 407)
    with WireServer(in_turn(refusal)) as proxy:
        environ = {"HTTPS_PROXY": f"http://user:pass@localhost:{proxy.port}"}
        error = failure(lambda: connect(GWS, environ=environ).sessions(retries=0), Unreachable)
    assert error.message == (
        f"the proxy localhost:{proxy.port} can't be reached: Tunnel connection failed: 407 Said"
    )


def test_the_processs_own_proxies_never_catch_loopback(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://localhost:1")
    with WireServer(in_turn(EMPTY_LIST)) as server:
        assert connect(server, environ=os.environ).sessions() == Listing(())


# --- what a debug line tells ---


def test_a_debug_line_shows_the_request_and_nothing_else(connect: Connect) -> None:
    lines: list[str] = []
    times = iter([0.0, 0.012, 1.0, 1.25])
    with WireServer(
        in_turn(
            answer(messages(), headers={"Set-Cookie": "JSESSIONID=hidden"}),
            answer({"user": {"userName": "hidden"}}),
        )
    ) as server:
        client = connect(server, debug=lines.append, clock=lambda: next(times))
        client.page("a b", 1, 500)
        client.me(features=True)
    assert lines == [
        "GET /api/v2/me/smsessions/a%20b/messages startIndex=1 count=500 200 16 bytes 12 ms",
        "GET /api/v2/me 200 32 bytes 250 ms",
    ]


def test_a_debug_line_shows_a_request_without_a_response(connect: Connect) -> None:
    lines: list[str] = []
    times = iter([0.0, 0.1])
    with WireServer(in_turn(reset)) as server:
        client = connect(server, debug=lines.append, clock=lambda: next(times))
        failure(lambda: client.sessions(retries=0), Unreachable)
    assert lines == ["GET /api/v2/me/smsessions fields=* no response 100 ms"]


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("Fri, 27 Dec 2013 21:16:41 GMT", NOON),
        ("Fri, 27 Dec 2013 21:16:41 -0000", NOON),
        ("Fri, 27 Dec 2013 23:16:41 +0200", NOON),
        ("Fri, 32 Dec 2013 21:16:41 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_the_servers_clock(literal: str | None, expected: datetime | None) -> None:
    assert http_date(literal) == expected
