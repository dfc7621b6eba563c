"""Connecting to a real nats-server: what each failure is called, and that nothing reaches stderr."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from smscli.errors import (
    NotFound,
    NotPermitted,
    RequestTimeout,
    ServerError,
    SmscliError,
    TlsError,
    Unreachable,
)
from smscli.jetstream.address import parse_address
from smscli.jetstream.connection import StreamConnection
from smscli.signals import StopSignal, stop_signals_raised
from tests.support.nats_credentials import Operator
from tests.support.nats_nodes import NatsCluster, NatsNode, free_port, needs_nats, until

pytestmark = [*needs_nats, pytest.mark.slow]


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")
    assert not [one for one in threading.enumerate() if one.name == "nats"]


def connect(
    url: str, credentials: Path | None = None, ca: Path | None = None, timeout: float = 2.0
) -> StreamConnection:
    connection = StreamConnection(
        parse_address(url),
        credentials=str(credentials) if credentials else None,
        timeout=timeout,
        ca_bundle=str(ca) if ca else None,
    )
    connection.open()
    return connection


def refusal(url: str, credentials: Path | None = None, ca: Path | None = None) -> SmscliError:
    """The error of connecting and finding or creating the stream."""
    connection = None
    try:
        connection = connect(url, credentials, ca)
        connection.ensure_stream()
    except SmscliError as error:
        return error
    finally:
        if connection:
            connection.close()
    pytest.fail("it was not refused")


def test_the_stream_is_created_as_the_address_says_and_then_left_alone(node: NatsNode) -> None:
    for query, url in (("?max_age=30m", "/CC?max_age=30m"), ("", "/CC")):
        connection = connect(f"nats://127.0.0.1:{node.port}{url}")
        connection.ensure_stream()
        connection.check_stream()
        connection.close()
        assert query in url
    (stream,) = node.streams()
    config = stream["config"]
    assert {
        name: config[name] for name in ("subjects", "storage", "num_replicas", "max_age", "duplicate_window")
    } == {
        "subjects": ["CC.message.*.*", "CC.session.*.*", "CC.collector.*"],
        "storage": "file",
        "num_replicas": 1,
        "max_age": 1800 * 10**9,
        "duplicate_window": 1800 * 10**9,
    }


def test_reading_needs_a_stream(node: NatsNode) -> None:
    connection = connect(node.url())
    with pytest.raises(NotFound) as refused:
        connection.check_stream()
    connection.close()
    assert refused.value.exit_code == 5
    assert refused.value.message == f"there is no stream CC at 127.0.0.1:{node.port}"


def test_more_replicas_than_nodes_are_refused(node: NatsNode) -> None:
    error = refusal(f"{node.url()}?replicas=3")
    assert isinstance(error, ServerError)
    assert error.message == f"127.0.0.1:{node.port} can't keep 3 replicas: it has fewer nodes"
    assert error.hint == "lower replicas=N"


def test_many_may_create_the_stream_at_once(tmp_path: Path) -> None:
    with NatsCluster(tmp_path) as cluster:
        urls = [f"{cluster.url()}?replicas=3&max_age={number}h" for number in range(1, 5)]
        connections = [connect(url, timeout=20) for url in urls]
        threads = [threading.Thread(target=one.ensure_stream) for one in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in connections:
            one.check_stream()
            one.close()


def test_no_engine_is_found_out_quickly() -> None:
    begun = time.monotonic()
    error = refusal(f"nats://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/CC")
    assert isinstance(error, Unreachable)
    assert "refuses the connection" in error.message
    assert time.monotonic() - begun < 1.5


def test_an_engine_that_does_not_answer_costs_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        error = refusal(f"nats://127.0.0.1:{silent.getsockname()[1]}/CC")
    assert isinstance(error, RequestTimeout)
    assert error.hint == "is it a NATS server, and is it up? wait longer: --timeout SECONDS"
    assert 1.9 < time.monotonic() - begun < 3.5


def test_one_living_node_of_several_is_enough(node: NatsNode) -> None:
    connect(f"nats://127.0.0.1:{free_port()},127.0.0.1:{node.port}/CC").close()


def test_a_node_without_jetstream_is_an_error_of_the_engine(tmp_path: Path) -> None:
    with NatsNode(tmp_path, jetstream=False) as node:
        error = refusal(node.url())
    assert isinstance(error, ServerError)
    assert error.message == f"127.0.0.1:{node.port} has no JetStream, or not for this account"


def test_whom_the_engine_does_not_know_gets_4(tmp_path: Path) -> None:
    with NatsNode(tmp_path, "authorization { user: ann, password: secret }") as node:
        error = refusal(node.url())
    assert isinstance(error, NotPermitted)
    assert error.message == f"127.0.0.1:{node.port} refuses the connection: Authorization Violation"
    assert error.hint == "give a credentials file that it accepts: --nats-creds FILE"


def test_a_credentials_file_lets_in(tmp_path: Path) -> None:
    operator = Operator()
    with NatsNode(tmp_path, operator.config) as node:
        connection = connect(node.url(), operator.write_user(tmp_path / "ann.creds"))
        connection.ensure_stream()
        node.kill()
        until(lambda: not connection.connected)
        node.restart()
        until(lambda: connection.connected)
        connection.check_stream()
        connection.close()
        for creds in (None, Operator().write_user(tmp_path / "stranger.creds")):
            assert isinstance(refusal(node.url(), creds), NotPermitted)


def test_an_expired_token_is_replaced_by_the_files_new_one(tmp_path: Path) -> None:
    operator = Operator()
    creds = operator.write_user(tmp_path / "ann.creds", expires=time.time() + 2)
    with NatsNode(tmp_path, operator.config) as node:
        connection = connect(node.url(), creds)
        until(lambda: not connection.connected)
        until(lambda: connection.trouble)
        assert isinstance(connection.trouble, NotPermitted)
        operator.write_user(creds)
        until(lambda: connection.connected)
        connection.ensure_stream()
        connection.close()


@pytest.mark.parametrize(
    "content", [None, "", "-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n"]
)
def test_a_file_that_holds_no_credentials_is_refused_before_connecting(
    tmp_path: Path, content: str | None
) -> None:
    creds = tmp_path / "ann.creds"
    if content is not None:
        creds.write_text(content)
    error = refusal(f"nats://127.0.0.1:{free_port()}/CC", creds)
    assert isinstance(error, NotPermitted)
    assert str(creds) in error.message


def tls_config(folder: Path, ca: trustme.CA) -> str:
    """A node's certificate for localhost and 127.0.0.1; the CA's in ca.pem."""
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = ca.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    with (folder / "cert.pem").open("wb") as file:
        file.writelines(one.bytes() for one in issued.cert_chain_pems)
    return f'tls {{ cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem" }}'


def test_tls_trusts_a_ca_that_is_named_and_no_other(tmp_path: Path) -> None:
    with NatsNode(tmp_path, tls_config(tmp_path, trustme.CA())) as node:
        for scheme in ("tls", "nats"):
            url = node.url(scheme=scheme, host="localhost")
            connection = connect(url, ca=tmp_path / "ca.pem")
            connection.ensure_stream()
            connection.close()
            error = refusal(url)
            assert isinstance(error, TlsError)
            assert error.message.startswith(f"the certificate of localhost:{node.port} is not trusted: ")
            assert error.hint == "if it was issued by your own CA, name that: --ca-bundle FILE"


def test_tls_is_never_left_out(node: NatsNode) -> None:
    error = refusal(node.url(scheme="tls"))
    assert isinstance(error, TlsError)
    assert error.message == f"127.0.0.1:{node.port} offers no TLS"


def test_tls_is_used_where_the_engine_leaves_it_open(tmp_path: Path) -> None:
    config = f"{tls_config(tmp_path, trustme.CA())}\nallow_non_tls: true"
    with NatsNode(tmp_path, config) as node:
        connection = connect(node.url(scheme="tls", host="localhost"), ca=tmp_path / "ca.pem")
        assert isinstance(connection.client._transport._io_writer.get_extra_info("ssl_object"), ssl.SSLObject)
        connection.close()


def test_it_knows_whether_it_is_connected_and_why_not(node: NatsNode) -> None:
    connection = connect(node.url())
    assert (connection.connected, connection.trouble) == (True, None)
    node.kill()
    until(lambda: not connection.connected)
    until(lambda: isinstance(connection.trouble, Unreachable))
    node.restart()
    until(lambda: connection.connected)
    assert connection.trouble is None
    connection.close()


def test_a_closed_connection_says_so(node: NatsNode) -> None:
    connection = connect(node.url())
    connection.close()
    connection.close()
    with pytest.raises(Unreachable):
        connection.check_stream()


def test_a_stop_signal_ends_a_wait(node: NatsNode) -> None:
    connection = connect(node.url())
    begun = time.monotonic()
    with stop_signals_raised(), pytest.raises(StopSignal):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        connection.run(lambda: asyncio.sleep(20), 20)
    assert time.monotonic() - begun < 2
    connection.close()


def test_a_process_that_closes_nothing_ends_silently(node: NatsNode) -> None:
    code = (
        "from smscli.jetstream.address import parse_address\n"
        "from smscli.jetstream.connection import StreamConnection\n"
        f"connection = StreamConnection(parse_address({node.url()!r}))\n"
        "connection.open()\n"
        "connection.ensure_stream()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
