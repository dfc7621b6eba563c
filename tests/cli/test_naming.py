"""Sessions named by a customer or by part of an id, wherever an ID is taken, as whole commands."""

import json
from collections.abc import Iterator

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

MIKA, ZOE, NOOR = "0000Na9B26EF0001", "0000Na9B26EF0002", "0000Na9C77ZZ0003"
COMMANDS = ("show", "messages", "tail")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty"), clock=lambda: 1772445600.0) as server:
        for session_id, customer in ((MIKA, "Mika"), (ZOE, "Zoë van Dyke"), (NOOR, "+49 151 2345678")):
            server.store.add_session(session_id, customer=customer)
            server.store.say(session_id, f"I am {customer}")
        yield server


def paths(server: FakeServer) -> list[str]:
    return [target.partition("/me/")[2] for _, target, _ in server.requests]


@pytest.mark.parametrize("command", ["show", "messages"])
@pytest.mark.parametrize(
    ("name", "session_id", "customer"),
    [
        ("mika", MIKA, "Mika"),
        ("ZOE\u0308 VAN dyke", ZOE, "Zoë van Dyke"),
        ("+49 151 2345678", NOOR, "+49 151 2345678"),
        ("0000Na9C", NOOR, "+49 151 2345678"),
        ("0002", ZOE, "Zoë van Dyke"),
        ("zz0003", NOOR, "+49 151 2345678"),
    ],
)
def test_a_session_is_found_and_named(
    command: str, name: str, session_id: str, customer: str, smscli: Smscli, server: FakeServer
) -> None:
    outcome = smscli(command, name, server=server)
    assert (outcome.code, outcome.err) == (0, f"{name} is session {session_id} ({customer})\n")
    assert outcome.out == smscli(command, session_id, server=server).out


def test_a_script_gets_the_id(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("messages", "Mika", "--json", server=server)
    assert {one["sessionId"] for one in json.loads(outcome.out)} == {MIKA}
    notice = json.loads(outcome.err)["notice"]
    assert (notice["kind"], notice["sessionId"]) == ("whose", MIKA)


def test_tail_takes_a_name_too(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(MIKA, customer="Mika")
        server.store.say(MIKA, "hello")
        server.store.set_state(MIKA, "Completed")
        outcome = smscli("tail", "mika", "--interval", "0.1", server=server)
    assert outcome.code == 0
    assert outcome.out.split("\t")[7] == "hello"
    assert outcome.err.splitlines()[:2] == [
        f"mika is session {MIKA} (Mika)",
        f"following session {MIKA} (Mika) of demo at 127.0.0.1",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_several_that_fit_are_candidates(command: str, smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli(command, "0000Na9B", server=server)
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == (f"error: 0000Na9B fits 2 sessions\nhint: {MIKA} (Mika), {ZOE} (Zoë van Dyke)\n")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["nobody", "mik", "000", "EF00"])
def test_none_that_fits_is_no_such_session(
    command: str, name: str, smscli: Smscli, server: FakeServer
) -> None:
    outcome = smscli(command, name, server=server)
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == (
        f"error: no such session: {name}\nhint: `smscli list` shows the live sessions of demo: "
        "0000Na9B26EF0001 (Mika), 0000Na9B26EF0002 (Zoë van Dyke), 0000Na9C77ZZ0003 (+49 151 2345678)\n"
    )


def test_what_looks_like_an_id_is_tried_first_without_a_further_request(
    smscli: Smscli, server: FakeServer
) -> None:
    smscli("messages", MIKA, server=server)
    assert paths(server)[0] == f"smsessions/{MIKA}/messages?startIndex=1&count=500"
    assert not [path for path in paths(server) if path.startswith("smsessions?")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_long_nickname_that_looks_like_an_id_is_found_by_the_list(command: str, smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(MIKA, customer="Maximiliane")
        server.store.add_session(ZOE, customer="Maximilianus")
        server.store.say(ZOE, "hello")
        server.store.set_state(ZOE, "Completed")
        outcome = smscli(command, "maximilianus", server=server)
    assert outcome.code == 0
    assert f"maximilianus is session {ZOE} (Maximilianus)\n" in outcome.err
    assert "hello" in outcome.out


def test_redact_masks_the_candidates(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("show", "0003", "--redact", server=server)
    assert outcome.err == f"0003 is session {NOOR} (+** *** *****78)\n"


def test_an_exact_id_beats_a_nickname_and_a_nickname_part_of_an_id(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session("Mika", customer="Noor")
        server.store.add_session("Mika0001", customer="Ines")
        server.store.add_session("S3", customer="Mika")
        server.store.add_session("S4", customer="0001")
        ids = [
            json.loads(smscli("show", name, "--json", server=server).out)["id"]
            for name in ("Mika", "mika", "0001")
        ]
    assert ids == ["Mika", "S3", "S4"]


def test_a_session_named_twice_is_followed_once(smscli: Smscli, server: FakeServer) -> None:
    for one in server.store.sessions:
        server.store.set_state(one, "Completed")
    outcome = smscli("tail", "Mika", "MIKA", "--interval", "0.1", "--push", "off", server=server)
    assert outcome.code == 0
    assert "following session 0000Na9B26EF0001 (Mika) of demo" in outcome.err
