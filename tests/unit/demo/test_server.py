"""The server as a whole: connections, its end, its program."""

import threading
import time
from contextlib import suppress
from queue import Queue

import pytest

from smscli.demo.store import Change
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.demo_peer import DEMO, LIST, connect, get
from tests.support.serving import Serve


def demo_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("demo-")]


def test_one_connection_serves_many_requests(serve: Serve) -> None:
    server = serve()
    connection = connect(server)
    for _ in range(3):
        connection.request("GET", LIST, headers=DEMO)
        assert connection.getresponse().read() == b'{"statusCode":0,"smsessions":[]}'
    connection.close()
    assert list(server.requests) == [("GET", LIST, "demo")] * 3


def test_closing_ends_every_thread_at_once_though_connections_are_open() -> None:
    server = FakeServer().start()
    connections = [connect(server) for _ in range(3)]
    for connection in connections:
        connection.request("GET", LIST, headers=DEMO)
        connection.getresponse().read()
    server.fail_next("hang")
    connections[0].request("GET", LIST, headers=DEMO)
    begin = time.monotonic()
    server.close()
    assert time.monotonic() - begin < 2
    assert demo_threads() == []
    for connection in connections:
        connection.close()


def test_a_server_never_started_closes_too() -> None:
    server = FakeServer(Options(scene="empty"))
    server.close()
    assert demo_threads() == []


def test_small_answers_are_not_held_back(serve: Serve) -> None:
    connection = connect(serve())
    begin = time.monotonic()
    for _ in range(50):
        connection.request("GET", LIST, headers=DEMO)
        connection.getresponse().read()
    connection.close()
    # Delayed acknowledgements would cost 40 ms each, two seconds in all.
    assert time.monotonic() - begin < 1.5


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_the_server_goes_on(serve: Serve, nonsense: bytes) -> None:
    server = serve()
    connection = connect(server)
    connection.connect()
    connection.sock.sendall(nonsense)
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    connection.close()
    assert get(server, LIST).status == 200


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"x" * 70_000,
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"100000\r\n"
        + b"x" * 0x100000
        + b"\r\n1\r\nx\r\n0\r\n\r\n",
    ],
)
def test_a_request_without_bounds_ends_its_connection(serve: Serve, start: bytes) -> None:
    server = serve()
    connection = connect(server)
    connection.connect()
    connection.sock.sendall(start)
    # What was sent and not read makes the kernel's goodbye a reset.
    with suppress(ConnectionResetError):
        assert connection.sock.recv(1000) == b""
    connection.close()
    assert get(server, LIST).status == 200


def test_a_body_is_read_past_so_that_the_next_request_is_understood(serve: Serve) -> None:
    connection = connect(serve())
    connection.request("POST", LIST, body=b"x" * 100_000, headers=DEMO)
    assert connection.getresponse().read() == b'{"statusCode":3,"statusMessage":"Operation forbidden"}'
    connection.request("GET", LIST, headers={**DEMO, "Connection": "Close"})
    assert connection.getresponse().read() == b'{"statusCode":0,"smsessions":[]}'
    connection.close()


def test_a_chunked_body_is_read_past_too(serve: Serve) -> None:
    connection = connect(serve())
    chunks = iter([b"{", b"}" * 70_000, b" "])
    connection.request("POST", LIST, body=chunks, headers=DEMO, encode_chunked=True)
    assert connection.getresponse().read() == b'{"statusCode":3,"statusMessage":"Operation forbidden"}'
    connection.request("GET", LIST, headers=DEMO)
    assert connection.getresponse().read() == b'{"statusCode":0,"smsessions":[]}'
    connection.close()


def test_options_can_be_replaced_while_it_runs(serve: Serve) -> None:
    server = serve()
    server.options = Options(scene="empty", no_status_code=True)
    assert get(server, LIST).json() == {"smsessions": []}


def test_subscribers_hear_of_scripted_events_without_any_request() -> None:
    heard: Queue[Change] = Queue()
    with FakeServer(Options(scene="bulk", sessions=1, messages=0, rate=50.0)) as server:
        server.store.subscribe(heard.put)
        change = heard.get(timeout=10)
    assert (change.kind, change.session_id) == ("message", "0000Nb0000000000")
    assert change.message is not None
    assert change.message["type"] == "Text"
