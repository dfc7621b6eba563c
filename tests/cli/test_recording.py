"""Recordings as whole commands: kept by `tail --record`, read back by `messages`."""

import io
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

FIRST, SECOND = "0000Na9B26EF0001", "0000Na9B26EF0002"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with two sessions, which end when they are followed."""
    with FakeServer(Options(scene="empty")) as server:
        for session_id, customer in ((FIRST, "Mika"), (SECOND, "Noor")):
            server.store.add_session(session_id, customer=customer, agents=())
            for number in range(1, 4):
                server.store.say(session_id, f"question {number}", by=customer)
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def follow(smscli: Smscli, server: FakeServer, file: Path, *more: str) -> list[str]:
    """Follow both sessions to their end; what was shown of them."""
    for session_id in (FIRST, SECOND):
        server.store.set_state(session_id, "Completed")
    arguments = ["tail", FIRST, SECOND, "--interval", "0.1", "--push", "off", "--record", str(file)]
    outcome = smscli(*arguments, *more, server=server)
    assert outcome.code == 0, outcome.err
    return outcome.out.splitlines()


def log(file: Path) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return sorted((line["sessionId"], line["text"]) for line in lines if "text" in line)


def said(*numbers: int) -> list[tuple[str, str]]:
    return [(one, f"question {number}") for one in (FIRST, SECOND) for number in numbers]


def test_the_whole_log_is_kept_whatever_the_screen_shows(
    smscli: Smscli, server: FakeServer, file: Path
) -> None:
    shown = follow(smscli, server, file, "--last", "0")
    assert (shown, log(file)) == ([], said(1, 2, 3))
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_a_second_run_goes_on_and_shows_what_was_missed(
    smscli: Smscli, server: FakeServer, file: Path
) -> None:
    follow(smscli, server, file)
    for session_id, customer in ((FIRST, "Mika"), (SECOND, "Noor")):
        for number in range(4, 20):
            server.store.say(session_id, f"question {number}", by=customer)
    shown = follow(smscli, server, file, "--last", "2")
    assert sorted((line.split("\t")[1], line.split("\t")[7]) for line in shown) == sorted(said(*range(4, 20)))
    assert log(file) == sorted(said(*range(1, 20)))


def test_a_torn_last_line_is_fetched_again(smscli: Smscli, server: FakeServer, file: Path) -> None:
    follow(smscli, server, file)
    file.write_bytes(file.read_bytes()[:-20])
    follow(smscli, server, file)
    assert log(file) == said(1, 2, 3)


def test_what_can_hold_no_recording_is_an_error_before_any_request(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    outcome = smscli("tail", "--all", "--record", str(tmp_path), "--json", server=server)
    error = json.loads(outcome.err.splitlines()[-1])["error"]
    assert (outcome.code, error["kind"], list(server.requests)) == (1, "io", [])


def recorded(smscli: Smscli, server: FakeServer, file: Path) -> bytes:
    follow(smscli, server, file)
    return file.read_bytes()


def test_a_recording_reads_as_the_server_did(smscli: Smscli, server: FakeServer, file: Path) -> None:
    recorded(smscli, server, file)
    live = smscli("messages", FIRST, "--json", server=server)
    kept = smscli("messages", "--source", str(file), FIRST, "--json")
    assert (kept.code, kept.out, kept.err) == (0, live.out, "")


def test_at_file_and_a_dash_are_short_for_it(
    smscli: Smscli, server: FakeServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = recorded(smscli, server, file)
    long = smscli("messages", "--source", str(file), "--jsonl")
    assert len(long.out.splitlines()) == 6
    assert smscli("messages", f"@{file}", "--jsonl").out == long.out
    one = smscli("messages", "--source", str(file), SECOND, "--jsonl")
    assert smscli("messages", f"@{file}", SECOND, "--jsonl").out == one.out
    assert len(one.out.splitlines()) == 3
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert smscli("messages", "-", "--jsonl").out == long.out


def test_of_several_sessions_each_line_says_whose_it_is(
    smscli: Smscli, server: FakeServer, file: Path
) -> None:
    # The two sessions are read side by side: either may be recorded last.
    lines = map(json.loads, recorded(smscli, server, file).splitlines())
    last = [line["sessionId"] for line in lines if "text" in line][-1]
    outcome = smscli("messages", f"@{file}", tty=True, color="never")
    assert outcome.out.splitlines()[-1].startswith(f"0000…{last[-4:]}  ")


def test_a_session_that_is_not_in_it_is_no_session(smscli: Smscli, server: FakeServer, file: Path) -> None:
    recorded(smscli, server, file)
    outcome = smscli("messages", "--source", str(file), "NOPE", "--jsonl")
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, error["kind"], FIRST in error["hint"]) == (5, "not_found", True)


@pytest.mark.parametrize("option", ["--start-index", "--count"])
def test_a_window_of_a_recording_is_wrong_usage(smscli: Smscli, option: str) -> None:
    outcome = smscli("messages", "@file", option, "3")
    told = "error: --start-index and --count go with neither --last nor a recording\n"
    assert (outcome.code, outcome.err) == (2, told)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("messages", FIRST, SECOND), f"error: messages takes one session, not {SECOND!r} too\n"),
        (
            ("tail", "--all", "--record", "-"),
            "error: --record takes a file\nhint: `tail --json` writes to standard output\n",
        ),
    ],
)
def test_what_names_no_recording_is_wrong_usage(
    smscli: Smscli, arguments: tuple[str, ...], told: str
) -> None:
    outcome = smscli(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", told)


def test_a_missing_recording_is_one_line(smscli: Smscli) -> None:
    outcome = smscli("messages", "@no-such-file")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "error: no-such-file can't be read: No such file or directory\n"
