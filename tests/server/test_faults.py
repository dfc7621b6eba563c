"""Every kind of fault as a client sees it."""

import gzip
import json
import socket
import time
from http.client import IncompleteRead

import pytest

from tests.server.faults import KINDS
from tests.server.server import FakeServer
from tests.support.demo_peer import DEMO, LIST, get, indices
from tests.support.serving import Serve


@pytest.fixture
def server(serve: Serve) -> FakeServer:
    server = serve()
    session = server.store.add_session("A")
    for text in ("one", "two", "three"):
        server.store.say(session, text)
    return server


def test_a_queued_fault_occurs_once_and_only_on_its_path(server: FakeServer) -> None:
    server.fail_next("500", "/messages")
    server.fail_next("503:7", "fields", times=2)
    messages = "/api/v2/me/smsessions/A/messages"
    assert [get(server, target).status for target in (LIST, messages, LIST, messages, LIST)] == [
        503,
        500,
        503,
        200,
        200,
    ]


def test_a_fault_of_the_options_occurs_until_it_is_switched_off(server: FakeServer) -> None:
    server.options.fault, server.options.fault_path = ("500",), "/messages"
    messages = "/api/v2/me/smsessions/A/messages"
    assert [get(server, target).status for target in (messages, LIST, messages)] == [500, 200, 500]
    server.options.fault = ()
    assert get(server, messages).status == 200


def test_the_same_share_of_requests_fails_for_the_same_seed(serve: Serve) -> None:
    def statuses(seed: int) -> list[int]:
        server = serve(fault=("500", "429"), fault_rate=0.5, fault_seed=seed)
        return [get(server, LIST).status for _ in range(40)]

    first = statuses(1)
    assert set(first) == {200, 429, 500}
    assert first == statuses(1)
    assert first != statuses(2)


def test_a_fault_that_does_not_exist_is_refused_at_once(server: FakeServer) -> None:
    with pytest.raises(ValueError, match="no such fault: 'earthquake'"):
        server.fail_next("earthquake")


def test_a_bad_answer_still_has_its_date_and_cookie(server: FakeServer) -> None:
    server.fail_next("500")
    answer = get(server, LIST)
    assert answer.headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"
    assert "Set-Cookie" in answer.headers


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [
        ("401", 401, None),
        ("403", 403, None),
        ("404", 404, None),
        ("500", 500, None),
        ("503", 503, "1"),
        ("503:Mon, 02 Mar 2026 09:00:09 GMT", 503, "Mon, 02 Mar 2026 09:00:09 GMT"),
        ("429", 429, "1"),
        ("429:30", 429, "30"),
    ],
)
def test_http_errors_carry_their_status_and_retry_after(
    server: FakeServer, kind: str, status: int, retry_after: str | None
) -> None:
    server.fail_next(kind)
    answer = get(server, LIST)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
    assert answer.json() == {"statusCode": 4, "statusMessage": "Request failed"}


def test_a_status_code_comes_with_http_200(server: FakeServer) -> None:
    server.fail_next("status:5")
    answer = get(server, LIST)
    assert (answer.status, answer.json()["statusCode"]) == (200, 5)


@pytest.mark.parametrize(("kind", "status"), [("502html", 502), ("html", 200)])
def test_html_comes_instead_of_json(server: FakeServer, kind: str, status: int) -> None:
    server.fail_next(kind)
    answer = get(server, LIST)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html")
    assert b"<html>" in answer.body


def test_a_redirect_leads_to_another_origin(server: FakeServer) -> None:
    server.fail_next("redirect")
    server.fail_next("redirect:http://elsewhere.example/")
    answer = get(server, LIST)
    assert (answer.status, answer.headers["Location"]) == (
        302,
        "https://login.example/sso?next=%2Fapi%2Fv2",
    )
    assert get(server, LIST).headers["Location"] == "http://elsewhere.example/"


@pytest.mark.parametrize("kind", ["truncated-json", "empty"])
def test_a_body_can_be_invalid_json_with_a_valid_http_response(server: FakeServer, kind: str) -> None:
    server.fail_next(kind)
    answer = get(server, LIST)
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_json_can_be_of_the_wrong_shape(server: FakeServer) -> None:
    server.fail_next("wrong-json")
    server.fail_next("wrong-json:[null]")
    assert get(server, LIST).json() == {"statusCode": 0, "smsessions": 7, "messages": "none"}
    assert get(server, LIST).json() == [None]


def test_a_connection_is_reset_at_once_or_in_the_body(server: FakeServer) -> None:
    server.fail_next("reset")
    with pytest.raises(ConnectionResetError):
        get(server, LIST)
    server.fail_next("reset:20")
    with pytest.raises((ConnectionResetError, IncompleteRead)):
        get(server, LIST)


def test_a_body_is_cut_in_the_middle(server: FakeServer) -> None:
    whole = get(server, LIST).body
    server.fail_next("cut")
    with pytest.raises(IncompleteRead) as cut:
        get(server, LIST)
    assert cut.value.partial == whole[: len(whole) // 2]


def test_a_chunked_body_is_cut_in_the_middle(serve: Serve) -> None:
    server = serve(scene="bulk", sessions=1, messages=6000)
    server.fail_next("cut:1000")
    with pytest.raises(IncompleteRead):
        get(server, "/api/v2/me/smsessions/0000Nb0000000000/messages")


def test_a_body_comes_in_chunks_or_without_a_length(server: FakeServer) -> None:
    whole = get(server, LIST).body
    server.fail_next("chunked:7")
    chunked = get(server, LIST)
    assert (chunked.headers["Transfer-Encoding"], chunked.body) == ("chunked", whole)
    server.fail_next("no-length")
    endless = get(server, LIST)
    assert (endless.headers["Connection"], endless.body) == ("close", whole)
    assert "Content-Length" not in endless.headers


def test_a_slow_body_is_whole_in_the_end(server: FakeServer) -> None:
    whole = get(server, LIST).body
    server.fail_next("slow:0.001")
    assert get(server, LIST).body == whole


def test_a_hanging_response_outlasts_the_timeout_of_the_client(server: FakeServer) -> None:
    server.fail_next("hang")
    with pytest.raises(TimeoutError):
        get(server, LIST, timeout=0.05)
    server.fail_next("hang:0.05")
    assert get(server, LIST).status == 200


def test_a_huge_body_is_as_large_as_it_says(server: FakeServer) -> None:
    server.fail_next("huge:65")
    answer = get(server, LIST)
    assert len(answer.body) == int(answer.headers["Content-Length"]) > 65 * 1024 * 1024
    assert answer.body.endswith(b'xxx"}')


def test_a_deep_body_is_too_deep_to_parse(server: FakeServer) -> None:
    server.fail_next("deep")
    with pytest.raises(RecursionError):
        get(server, LIST).json()


@pytest.mark.slow
def test_a_gzip_bomb_is_small_until_it_is_opened(server: FakeServer) -> None:
    server.fail_next("gzip-bomb:32")
    answer = get(server, LIST)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 64 * 1024
    assert gzip.decompress(answer.body) == b" " * (32 * 1024 * 1024)


def test_pages_are_reordered_and_repeated(server: FakeServer) -> None:
    server.fail_next("reorder", "/messages")
    assert indices(server, "A") == [3, 2, 1]
    server.fail_next("repeat", "/messages")
    assert indices(server, "A") == [1, 1, 2, 2, 3, 3]
    server.options.message_envelope = "bare-array"
    server.fail_next("reorder", "/messages")
    page = get(server, "/api/v2/me/smsessions/A/messages").json()
    assert [message["index"] for message in page] == [3, 2, 1]


@pytest.mark.parametrize("kind", ["reorder", "repeat"])
def test_a_response_without_messages_is_neither_reordered_nor_repeated(server: FakeServer, kind: str) -> None:
    server.options.fault = (kind,)
    assert get(server, LIST).json()["statusCode"] == 0
    server.options.unknown_path = "404html"
    assert get(server, "/nothing").status == 404


def test_a_fault_counts_when_it_has_occurred(server: FakeServer) -> None:
    server.fail_next("503:7", "fields", times=2)
    assert server.fault_counts == {}
    for target in ("/api/v2/me", LIST):
        get(server, target)
    assert server.fault_counts == {"503": 1}


def test_a_page_that_has_no_other_order_leaves_the_fault_to_the_next(server: FakeServer) -> None:
    server.store.say(server.store.add_session("B"), "alone")
    server.fail_next("reorder", "/messages")
    assert indices(server, "B") == [1]
    assert server.fault_counts == {}
    assert [indices(server, "A") for _ in range(2)] == [[3, 2, 1], [1, 2, 3]]
    assert server.fault_counts == {"reorder": 1}


def test_a_queued_fault_can_be_cancelled(server: FakeServer) -> None:
    server.fail_next("500")
    server.cancel_faults()
    assert get(server, LIST).status == 200


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_server_goes_on_after_every_kind(server: FakeServer, kind: str) -> None:
    server.fail_next(kind, LIST)
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(f"GET {LIST} HTTP/1.1\r\nAuthorization: {DEMO['Authorization']}\r\n\r\n".encode())
    assert get(server, "/api/v2/me").status == 200


def test_every_answer_can_be_delayed(server: FakeServer) -> None:
    server.options.delay_ms = 20
    begin = time.monotonic()
    get(server, LIST)
    assert time.monotonic() - begin >= 0.02
