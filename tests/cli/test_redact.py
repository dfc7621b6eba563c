"""`--redact` in every output and in recordings."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

ID = "0000Na9B26EF0001"
SECRETS = ("555-010-4711", "5550104711", "mika@example.com", "B-20817")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A session that has ended, in which a number and an address were written."""
    with FakeServer(Options(scene="empty")) as server:
        data = {"Contract": "B-20817", "Phone": "555-010-4711"}
        server.store.add_session(ID, customer="5550104711", agents=("Robin",), user_data=data)
        server.store.say(ID, "call 555-010-4711 or write to mika@example.com", by="5550104711")
        server.store.set_state(ID, "Completed")
        yield server


TAIL = ("tail", ID, "--push", "off", "--interval", "0.1")


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("list", "--json"),
        ("list", "--columns", "id,userData.Contract,userData.Phone"),
        ("show", ID),
        ("show", ID, "--json"),
        ("messages", ID),
        ("messages", ID, "--json"),
        ("messages", ID, "--start-index", "1"),
        TAIL,
        (*TAIL, "--json"),
    ],
)
@pytest.mark.parametrize("tty", [False, True])
def test_what_is_masked_is_in_no_output(
    smscli: Smscli, server: FakeServer, command: tuple[str, ...], tty: bool
) -> None:
    plain = smscli(*command, server=server, tty=tty)
    masked = smscli(*command, "--redact", server=server, tty=tty)
    assert (plain.code, masked.code) == (0, 0)
    assert any(secret in plain.out for secret in SECRETS)
    assert not [secret for secret in SECRETS if secret in masked.out + masked.err]
    assert ID in masked.out or tty


def test_a_masked_message_says_what_was_masked(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("messages", ID, "--redact", "--jsonl", server=server)
    assert json.loads(outcome.out)["text"] == "call ***-***-**11 or write to ***@***"


def test_a_recording_is_masked_and_goes_on_masked_only(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    file = tmp_path / "log.jsonl"
    recording = (*TAIL, "--record", str(file))
    assert smscli(*recording, "--redact", server=server).code == 0
    kept = file.read_text()
    assert not [secret for secret in SECRETS if secret in kept]
    again = smscli(*recording, "--redact", server=server)
    assert (again.code, file.read_text()) == (0, kept)
    assert smscli(*recording, server=server).code == 1


def test_a_plain_recording_is_masked_as_it_is_read(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    file = tmp_path / "log.jsonl"
    assert smscli(*TAIL, "--record", str(file), server=server).code == 0
    outcome = smscli("messages", f"@{file}", "--redact")
    assert not [secret for secret in SECRETS if secret in outcome.out]
