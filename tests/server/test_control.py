"""The commands of the test server, and the process that they are sent to."""

import json
import os
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import trustme

from tests.server.control import ControlledServer
from tests.server.options import Options
from tests.server.process import ServerEnded, ServerProcess, server_process
from tests.support.demo_peer import DEMO, LIST, get, indices, messages
from tests.support.paths import TESTS

FIRST, SECOND = "0000Nb0000000000", "0000Nb0000000001"


@pytest.fixture
def server() -> Iterator[ControlledServer]:
    with ControlledServer(Options(scene="bulk", sessions=2, messages=3)) as server:
        yield server


def test_requests_are_logged_with_their_times_until_they_are_forgotten(server: ControlledServer) -> None:
    begin = time.monotonic()
    get(server, LIST)
    [[at, *request]] = server.obey("requests")
    assert begin <= at <= time.monotonic()
    assert request == ["GET", LIST, "demo"]
    server.obey("forget")
    assert server.obey("requests") == []
    assert server.obey("state")["good"] == 1


def test_a_message_has_the_given_text_or_a_unique_one(server: ControlledServer) -> None:
    server.obey(f"say {FIRST} is it me?")
    for _ in range(2):
        server.obey(f"say {FIRST}")
    sent = messages(server, FIRST, "?startIndex=4")
    assert [message.get("text") for message in sent] == ["is it me?", "message 1", "message 2"]
    assert sent[0]["from"]["type"] == "Customer"


def test_random_messages_are_published_at_their_rate(server: ControlledServer) -> None:
    server.obey("publish 200")
    time.sleep(0.5)
    server.obey("publish 0")
    published = server.obey("state")["messages"] - 6
    assert 30 < published < 200
    time.sleep(0.05)
    assert server.obey("state")["messages"] == published + 6


def test_a_fault_is_injected_or_cancelled(server: ControlledServer) -> None:
    server.obey("inject 503")
    assert [get(server, LIST).status for _ in range(2)] == [503, 200]
    server.obey("inject 500")
    server.obey("cancel")
    assert get(server, LIST).status == 200
    state = server.obey("state")
    assert (state["faults"]["503"], state["faults"]["500"], state["good"]) == (1, 0, 2)


def test_an_outage_lasts_until_it_is_cancelled(server: ControlledServer) -> None:
    server.obey("outage 60")
    assert [get(server, LIST).status for _ in range(2)] == [500, 500]
    server.obey("outage 60 429:7")
    assert get(server, LIST).headers["Retry-After"] == "7"
    server.obey("cancel")
    assert get(server, LIST).status == 200


def test_switches_are_changed_and_the_others_stay(server: ControlledServer) -> None:
    server.obey("set --fault=500 --fault-path=sessions --omit-status-code")
    assert get(server, LIST).status == 500
    server.obey("set --fault= --no-omit-status-code")
    assert get(server, LIST).json()["statusCode"] == 0
    assert server.options.fault_path == "sessions"


def test_the_logs_of_all_lives_are_known(server: ControlledServer) -> None:
    server.obey("inject restart")
    server.obey(f"say {SECOND} new")
    old, new = server.obey("logs")
    assert [len(old[FIRST]), len(old[SECOND])] == [3, 3]
    assert (new[FIRST], new[SECOND]) == ([], messages(server, SECOND))
    assert server.obey("state")["messages"] == 7


def test_the_sessions_of_owners_are_known_and_published_in() -> None:
    with ControlledServer(Options(scene="bulk", sessions=2, messages=3, owners=("bob", "ann"))) as server:
        assert [session.id for session in server.listed] == [FIRST, SECOND]
        server.obey(f"say {SECOND}")
        server.obey("publish 200")
        time.sleep(0.2)
        server.obey("publish 0")
        assert server.obey("state")["messages"] > 7


def test_a_session_of_everybody_is_listed_once() -> None:
    with ControlledServer(Options(scene="bulk", sessions=2, messages=1, owners=("bob", "*"))) as server:
        assert [session.id for session in server.listed] == [FIRST, SECOND]


def test_changes_and_ends_are_known(server: ControlledServer) -> None:
    for command in (f"change {SECOND}", f"change {FIRST}", f"change {SECOND}", f"end {FIRST}"):
        server.obey(command)
    assert server.obey("states") == {FIRST: ("Completed", 2), SECOND: ("Chatting", 3)}


def test_nothing_is_said_in_a_session_that_has_ended(server: ControlledServer) -> None:
    server.obey(f"end {FIRST}")
    server.obey("inject late")
    server.obey("publish 200")
    time.sleep(0.2)
    server.obey("publish 0")
    (logs,) = server.obey("logs")
    assert len(logs[FIRST]) == 3
    assert len(logs[SECOND]) > 5


@pytest.mark.parametrize("command", ["", "dance", "say", "publish", "inject rain", "publish fast"])
def test_an_unknown_command_is_an_error(server: ControlledServer, command: str) -> None:
    with pytest.raises(ValueError):
        server.obey(command)


# The process


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServerProcess]:
    environ = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONPATH": str(TESTS.parent)}
    with server_process(environ, sessions=2, messages=3, minimal=True) as process:
        yield process


def test_the_process_is_controlled_by_methods(process: ServerProcess) -> None:
    assert process.sessions == [FIRST, SECOND]
    assert list(get(process, LIST).json()["smsessions"][0]) == ["state", "id", "uri"]
    process.set(minimal=False, count_cap=1)
    assert indices(process, FIRST) == [1]
    assert process.requests() == [LIST, f"/api/v2/me/smsessions/{FIRST}/messages"]
    assert len(process.reads()) == 2
    process.set(count_cap=0, fault=("500", "429"), fault_path="/messages", slow={FIRST: 0.05, SECOND: 0})
    begin = time.monotonic()
    assert get(process, f"/api/v2/me/smsessions/{FIRST}/messages").status in (500, 429)
    assert time.monotonic() - begin >= 0.05
    process.set(fault=(), slow={})
    assert indices(process, FIRST) == [1, 2, 3]
    process.forget()
    assert process.requests() == []
    process.inject("500")
    assert get(process, LIST).status == 500
    process.start_outage(60)
    assert get(process, LIST).status == 500
    process.cancel_faults()
    assert sum(process.fault_counts[kind] for kind in ("500", "429")) == 3
    process.say(FIRST, "is it me?")
    process.say(FIRST)
    assert (process.message_count, process.good_reads) == (8, 3)
    assert [message["text"] for message in process.logs()[0][FIRST][3:]] == ["is it me?", "message 1"]
    process.publish(0)


def test_the_process_serves_https_with_a_certificate(tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "localhost.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(file))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    environ = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONPATH": str(TESTS.parent)}
    with server_process(environ, sessions=2, messages=3, certificate=str(file)) as process:
        connection = HTTPSConnection(process.url.removeprefix("https://"), timeout=20, context=trust)
        connection.request("GET", LIST, headers=DEMO)
        assert len(json.load(connection.getresponse())["smsessions"]) == 2
        connection.close()
        assert len(process.reads()) == 1


def test_a_process_that_has_ended_answers_nothing(process: ServerProcess) -> None:
    with pytest.raises(ServerEnded):
        process.command("dance")
