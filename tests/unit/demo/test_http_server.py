"""The HTTP server: connections, requests that it can't read, and bodies."""

from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection

import pytest

from smscli.demo.http_server import DemoRequest, DemoResponse, HttpServer, json_bytes


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers with the method, the path, the query and the length of the body."""

    def respond(request: DemoRequest) -> DemoResponse:
        return DemoResponse(
            body=json_bytes([request.method, request.path, request.query, len(request.body)]),
            headers=(("X-Cookie", request.cookie("a") or "none"),),
        )

    server = HttpServer(0)
    server.start(respond)
    yield server.port
    server.close()


@pytest.fixture
def connection(port: int) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    yield connection
    connection.close()


def test_one_connection_serves_many_requests(connection: HTTPConnection) -> None:
    for number in range(3):
        connection.request("GET", f"/a%20b?n={number}&empty=", headers={"Cookie": f"b=1; a={number}"})
        answer = connection.getresponse()
        body = b'["GET","/a b",{"n":"%d","empty":""},0]' % number
        assert (answer.status, answer.getheader("X-Cookie"), answer.read()) == (200, str(number), body)


def test_small_answers_are_not_delayed(connection: HTTPConnection) -> None:
    import time

    begin = time.monotonic()
    for _ in range(50):
        connection.request("GET", "/")
        connection.getresponse().read()
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
def test_an_invalid_request_is_refused_and_the_server_goes_on(
    connection: HTTPConnection, port: int, nonsense: bytes
) -> None:
    connection.connect()
    connection.sock.sendall(nonsense)
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answers(port)


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
def test_a_request_that_is_too_long_ends_its_connection(
    connection: HTTPConnection, port: int, start: bytes
) -> None:
    connection.connect()
    connection.sock.sendall(start)
    # Data that was not read makes the kernel reset the connection.
    with suppress(ConnectionResetError):
        assert connection.sock.recv(1000) == b""
    assert answers(port)


def test_a_body_is_read_so_that_the_next_request_is_understood(connection: HTTPConnection) -> None:
    connection.request("POST", "/", body=b"x" * 100_000)
    assert connection.getresponse().read() == b'["POST","/",{},100000]'
    connection.request("GET", "/", headers={"Connection": "Close"})
    assert connection.getresponse().read() == b'["GET","/",{},0]'


def test_a_chunked_body_is_read_too(connection: HTTPConnection) -> None:
    chunks = iter([b"{", b"}" * 70_000, b" "])
    connection.request("POST", "/", body=chunks, encode_chunked=True)
    assert connection.getresponse().read() == b'["POST","/",{},70002]'
    connection.request("GET", "/")
    assert connection.getresponse().read() == b'["GET","/",{},0]'


def answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()
    return status == 200
