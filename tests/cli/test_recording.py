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
from tests.support.command import Smscli, running

FIRST, SECOND = "0000Na9B26EF0001", "0000Na9B26EF0002"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with two sessions, which end when they are followed."""
    with FakeServer(Options(scene="empty")) as server:
        for session_id, customer in ((FIRST, "Mika"), (SECOND, "Noor")):
            server.store.add_session(session_id, customer=customer, agents=(), user_data={"Account": "4711"})
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
    told = "error: --start-index and --count can't be combined with --last, a recording or a stream\n"
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


# Recordings as a source, of sessions that the server no longer knows


@pytest.fixture
def yesterday(smscli: Smscli, server: FakeServer, file: Path) -> Path:
    follow(smscli, server, file)
    for session_id in (FIRST, SECOND):
        server.store.remove(session_id)
    return file


def test_a_recording_is_listed_with_its_sessions_last_state(smscli: Smscli, yesterday: Path) -> None:
    outcome = smscli("list", f"@{yesterday}", "--columns", "id,state,customer")
    listed = f"{FIRST}\tCompleted\tMika\n{SECOND}\tCompleted\tNoor\n"
    assert (outcome.code, sorted(outcome.out.splitlines(True)), outcome.err) == (
        0,
        listed.splitlines(True),
        "",
    )
    assert smscli("list", "--source", str(yesterday), "--state", "Chatting").err == (
        "none of the 2 recorded SMS sessions matches the filters\n"
    )


def test_a_recorded_session_is_shown_by_its_customer(smscli: Smscli, yesterday: Path) -> None:
    outcome = smscli("show", f"@{yesterday}", "noor", "--json")
    shown = json.loads(outcome.out)
    assert (outcome.code, shown["id"], shown["state"]) == (0, SECOND, "Completed")
    assert [one["nickname"] for one in shown["participants"]] == ["Noor"]
    assert (shown["activity"]["messages"], shown["activity"]["waitingSince"]) == (3, None)
    assert outcome.err == json_notice("whose", f"noor is session {SECOND} (Noor)", SECOND, outcome.err)


def json_notice(kind: str, message: str, session_id: str, err: str) -> str:
    """The line of a notice, with the time that it has."""
    at = json.loads(err)["notice"]["at"]
    value = {"notice": {"kind": kind, "sessionId": session_id, "message": message, "at": at}}
    return json.dumps(value, separators=(",", ":")) + "\n"


def test_the_page_of_a_recorded_session_is_that_of_a_live_one(smscli: Smscli, yesterday: Path) -> None:
    page = smscli("messages", f"@{yesterday}", "Mika", "--html", "-").out
    for part in (f"<h1>SMS session {FIRST}</h1>", "Completed", "question 3", "4711"):
        assert part in page


def test_several_files_are_one(smscli: Smscli, yesterday: Path, tmp_path: Path) -> None:
    lines = yesterday.read_bytes().splitlines(keepends=True)
    for name, part in (("sms-1.jsonl", lines[:-4]), ("sms-2.jsonl", lines[3:])):
        (tmp_path / name).write_bytes(b"".join(part))
    whole = smscli("messages", f"@{yesterday}", "Noor", "--json").out
    pattern = str(tmp_path / "sms-?.jsonl")
    assert smscli("messages", f"@{pattern}", "Noor", "--json").out == whole
    assert smscli("messages", "--source", pattern, "Noor", "--json").out == whole
    none = smscli("list", f"@{tmp_path}/none-*")
    assert (none.code, none.err) == (1, f"error: no file fits {tmp_path}/none-*\n")


def test_an_ended_recording_is_followed_to_its_end(smscli: Smscli, yesterday: Path) -> None:
    outcome = smscli("tail", f"@{yesterday}", FIRST, "--last", "2", tty=True, NO_COLOR="1")
    assert (outcome.code, outcome.out.count("question")) == (0, 2)
    assert outcome.err.splitlines()[-1].endswith(f"session {FIRST} ended (Completed)")


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows an open file can't be moved")
def test_a_growing_recording_is_followed_through_a_rotation(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "sms.jsonl"
    session = {"id": FIRST, "state": "Chatting", "participants": [{"type": "Customer", "nickname": "Mika"}]}
    write(file, {"record": "session", "at": AT, "session": session}, message(1))
    with running(home, "tail", f"@{file}", FIRST, "--json") as follower:
        assert follower.stdout
        found = [json.loads(follower.stdout.readline())]
        write(file, message(2))
        found.append(json.loads(follower.stdout.readline()))
        file.rename(tmp_path / "sms.jsonl.1")
        write(tmp_path / "sms.jsonl.1", message(3))
        write(file, {"record": "session", "at": AT, "session": session}, message(4))
        found += [json.loads(follower.stdout.readline()) for _ in range(2)]
        write(file, {"record": "ended", "at": AT, "sessionId": FIRST, "state": "Completed"})
        assert follower.wait(20) == 0
    assert [one["index"] for one in found] == [1, 2, 3, 4]


AT = "2026-03-02T10:00:00.000Z"


def message(index: int) -> dict[str, object]:
    return {"sessionId": FIRST, "index": index, "type": "Text", "text": f"words {index}", "timestamp": AT}


def write(file: Path, *records: dict[str, object]) -> None:
    with file.open("a") as lines:
        lines.write("".join(json.dumps(one) + "\n" for one in records))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("messages", "@none-*", "--count", "1"),
         "--start-index and --count can't be combined with --last, a recording or a stream"),
        (("list", "@none-*", "--watch"),
         "--watch works with a server only, not with a recording or a stream\n"
         "hint: `smscli tail '@none-*'` follows it"),
        (("list", "-", "--watch"), "--watch works with a server only, not with a recording or a stream"),
        (("list", "--source", "nats://h/S", "-w"),
         "--watch works with a server only, not with a recording or a stream\n"
         "hint: `smscli tail --source nats://h/S` follows it"),
        (("list", FIRST), f"list takes no session, but {FIRST!r} was given\nhint: see `smscli show --help`"),
        (("messages", "nats://h/S"), "a stream is read with --source\nhint: write --source nats://h/S"),
        (("show", FIRST, SECOND), f"show takes one session, not {SECOND!r} too"),
        (("tail", "-"), "tail can't follow standard input\nhint: record to a file, and follow that"),
        (("tail", "@f", "--record", "g"),
         "--record works with a server only, not with a recording or a stream"),
        (("tail", "@f", "--to", "nats://h/S"),
         "--to works with a server only, not with a recording or a stream"),
        (("tail", "--all", "--to", "nats://h"),
         "'nats://h' names no stream\nhint: write nats://HOST[:PORT][,HOST...]/STREAM"),
        (("list", "@f", "--source", "nats://h/S"), "a stream can't be read together with another one or with "
         "a recording\nhint: give one --source with the address of the stream"),
        (("list", "--source", "http://h/S"),
         "'http://h/S' is neither a recording nor the address of a stream\n"
         "hint: a stream is nats://HOST[:PORT][,HOST...]/STREAM, or tls://"),
        (("list", "--source", "nats://me:pw@h/S"),
         "a user name or password in the address of a stream is not allowed\n"
         "hint: use a credentials file: --nats-creds FILE"),
        (("tail", "--all", "--record", "a-%q"), "--record: %q is not known in the name of a recording\n"
         "hint: known are %Y %m %d %H %M %S %j; %% is a percent sign"),
        (("show", "@"), "a file name is empty"),
    ],
)  # fmt: skip
def test_what_goes_with_no_recording_is_wrong_usage(
    smscli: Smscli, server: FakeServer, arguments: tuple[str, ...], told: str
) -> None:
    outcome = smscli(*arguments, server=server)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"error: {told}\n")


def test_a_recording_of_several_sessions_asks_for_one(smscli: Smscli, yesterday: Path) -> None:
    named = f"name one of {FIRST} (Mika), {SECOND} (Noor)"
    other = f"name one of {SECOND} (Noor), {FIRST} (Mika)"
    for arguments, code, told in (
        (("show", f"@{yesterday}"), 5, f"there are 2 sessions in {yesterday}"),
        (("messages", f"@{yesterday}", "--customer-view"), 2, "--customer-view takes one session"),
    ):
        outcome = smscli(*arguments)
        assert outcome.code == code
        assert outcome.err in {f"error: {told}\nhint: {one}\n" for one in (named, other)}
