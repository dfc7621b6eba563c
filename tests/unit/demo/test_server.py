"""The server as a whole: connections, its end, its program."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection
from queue import Queue
from urllib.parse import urlsplit

import pytest

from smscli.demo.arguments import parse
from smscli.demo.options import Options
from smscli.demo.server import DemoServer
from smscli.demo.world import Change
from tests.support.demo_peer import DEMO, LIST, connect, get
from tests.unit.demo.conftest import Serve


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
    server = DemoServer().start()
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
    server = DemoServer(Options(scene="empty"))
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
    with DemoServer(Options(scene="bulk", sessions=1, messages=0, rate=50.0)) as server:
        server.world.subscribe(heard.put)
        change = heard.get(timeout=10)
    assert (change.kind, change.session_id) == ("message", "0000Nb0000000000")
    assert change.message is not None
    assert change.message["type"] == "Text"


def test_the_program_says_where_it_listens_and_ends_on_a_signal() -> None:
    command = [
        sys.executable,
        "-m",
        "smscli.demo.server",
        "--scene",
        "bulk",
        "--sessions",
        "2",
        "--messages",
        "5",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        connection = HTTPConnection(urlsplit(line.split()[-1]).netloc, timeout=20)
        connection.request("GET", "/api/v2/me/smsessions", headers=DEMO)
        assert connection.getresponse().read().count(b"0000Nb") == 2
        program.send_signal(signal.SIGTERM)
        out, errors = program.communicate(timeout=20)
        connection.close()
    assert (program.returncode, out, errors) == (0, "", "")


def test_every_option_is_an_argument_of_the_same_name() -> None:
    assert parse([]) == Options()
    given = "--port 8099 --scene bulk --rate 2.5 --first-index 0 --users a:b:c --users d:e"
    assert parse(f"{given} --fault cut,hang:2 --csrf".split()) == Options(
        port=8099,
        scene="bulk",
        rate=2.5,
        first_index=0,
        users={"a": "b:c", "d": "e"},
        fault=("cut", "hang:2"),
        csrf=True,
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--scene dead", "invalid choice: 'dead'"),
        ("--users demo", "'demo' is not NAME:VALUE"),
        ("--fault flood", "no such fault: flood"),
        ("--gaps 1", "every index would be left out"),
        ("--sessions many", "invalid int value"),
    ],
)
def test_wrong_arguments_end_the_program_with_2(
    arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(arguments.split())
    assert complaint in capsys.readouterr().err
