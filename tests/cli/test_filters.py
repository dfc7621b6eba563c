"""Filters of whole commands: relative times, masking, unlisted values, composed letters, and what is said
when nothing matches."""

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli, running

ID, OTHER = "0000Na9B26EF0001", "0000Na9B26EF0002"
NUMBER, MASKED = "+44 7700 900123", "+** **** ****23"
NOW = 1772445600.0  # 2026-03-02T10:00:00Z, months before the clock of this machine
SAID = [(-600, NUMBER, "call 555-010-4711"), (-20, "Robin", "I call you"), (-10, NUMBER, "thanks")]
TAIL = ("tail", ID, "--push", "off", "--interval", "0.1")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A session of a customer who is called like their number; its last messages are seconds old."""
    time = [NOW - 700]
    with FakeServer(Options(scene="empty"), clock=lambda: time[0]) as server:
        server.store.add_session(ID, customer=NUMBER, agents=("Robin",), user_data={"Queue": "post"})
        for after, who, text in SAID:
            time[0] = NOW + after
            server.store.say(ID, text, by=who)
        server.store.set_state(ID, "Completed")
        server.store.add_session(OTHER, state="WaitingForAgent", customer="Jose\u0301", agents=())
        time[0] = NOW
        yield server


def texts(out: str) -> list[str]:
    return [line.split("\t")[7] for line in out.splitlines()]


def ids(out: str) -> list[str]:
    return [line.split("\t")[0] for line in out.splitlines()]


# Relative times count from the server's clock, or from the end of a recording.


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--since", "5m"], [1, 2]),
        (["--since", "15s"], [2]),
        (["--until", "15s"], [0, 1]),
        (["--since", "1h", "--until", "5m"], [0]),
        (["--since", "2026-03-02T09:59:45Z"], [2]),
    ],
)
@pytest.mark.parametrize("window", [[], ["--count", "10"]])
def test_relative_times_count_from_the_servers_clock(
    smscli: Smscli, server: FakeServer, options: list[str], shown: list[int], window: list[str]
) -> None:
    outcome = smscli("messages", ID, *options, *window, server=server)
    assert (outcome.code, texts(outcome.out), outcome.err) == (0, [SAID[number][2] for number in shown], "")


def test_tail_counts_from_the_servers_clock_too(smscli: Smscli, server: FakeServer) -> None:
    assert texts(smscli(*TAIL, "--since", "5m", server=server).out) == [SAID[1][2], SAID[2][2]]


@pytest.mark.parametrize("source", ["@FILE", "-"])
def test_of_a_recording_its_newest_time_is_now(
    smscli: Smscli, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Also where the newest message is of another session than the one that is read."""
    server.store.say(OTHER, "hello", by="Customer")
    file = tmp_path / "log.jsonl"
    lines = [smscli("messages", one, "--jsonl", server=server).out for one in (ID, OTHER)]
    file.write_text("".join(lines), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(file.read_bytes())))
    outcome = smscli("messages", source.replace("FILE", str(file)), ID, "--since", "15s")
    assert (outcome.code, texts(outcome.out)) == (0, [SAID[2][2]])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ({"record": "session", "at": "2026-03-02T10:04:38.000Z", "session": {"id": ID}}, [1, 2]),
        ({"record": "ended", "at": "2026-03-02T10:04:45.000Z", "sessionId": OTHER, "state": "x"}, [2]),
        ({"record": "alive", "at": "2026-03-02T09:59:00.000Z", "profiles": ["a"]}, [0, 1, 2]),
        ({"record": "of a later version", "at": "soon"}, [0, 1, 2]),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_records_of_other_kinds_are_passed_over_and_tell_the_time(
    smscli: Smscli,
    server: FakeServer,
    tmp_path: Path,
    line: dict[str, object],
    shown: list[int],
    is_first: bool,
) -> None:
    file, log = tmp_path / "log.jsonl", smscli("messages", ID, "--jsonl", server=server).out
    record = f"{json.dumps(line)}\n"
    file.write_text(record + log if is_first else log + record, encoding="utf-8")
    since = "5m" if shown != [0, 1, 2] else "15m"
    outcome = smscli("messages", f"@{file}", "--since", since)
    assert (outcome.code, texts(outcome.out), outcome.err) == (0, [SAID[number][2] for number in shown], "")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
def test_a_recording_down_a_named_pipe_is_read_once(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    log = smscli("messages", ID, "--jsonl", server=server).out
    writer = threading.Thread(target=pipe.write_text, args=(log,), daemon=True)
    writer.start()
    assert texts(smscli("messages", f"@{pipe}", "--since", "15s").out) == [SAID[1][2], SAID[2][2]]
    writer.join(5)


def test_of_a_recording_without_times_everything_passes(smscli: Smscli, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"sessionId":"S1","index":1,"type":"Text","text":"when?"}\n')
    assert texts(smscli("messages", f"@{file}", "--since", "5m").out) == ["when?"]


# What was said is judged, and masked afterwards.

REDACTED = [
    (["--from", NUMBER], [0, 2]),
    (["--from", "robin"], [1]),
    (["--grep", "4711"], [0]),
    (["--exclude", "010-4"], [1, 2]),
    (["--grep", "555.*4711", "--context", "1"], [0, 1]),
    (["--highlight", "0900"], [0, 1, 2]),
]
MASKED_TEXTS = ["call ***-***-**11", SAID[1][2], SAID[2][2]]


@pytest.mark.parametrize(("options", "shown"), REDACTED)
@pytest.mark.parametrize("command", [("messages", ID), TAIL])
def test_filters_judge_what_was_said_and_masking_follows(
    smscli: Smscli, server: FakeServer, command: tuple[str, ...], options: list[str], shown: list[int]
) -> None:
    outcome = smscli(*command, *options, "--redact", server=server)
    assert (outcome.code, texts(outcome.out)) == (0, [MASKED_TEXTS[number] for number in shown])
    senders = [line.split("\t")[5] for line in outcome.out.splitlines()]
    assert senders == ["Robin" if number == 1 else MASKED for number in shown]


@pytest.mark.parametrize(("options", "shown"), REDACTED)
def test_of_a_recording_too_what_was_said_is_judged(
    smscli: Smscli, server: FakeServer, tmp_path: Path, options: list[str], shown: list[int]
) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(smscli("messages", ID, "--jsonl", server=server).out, encoding="utf-8")
    outcome = smscli("messages", f"@{file}", *options, "--redact")
    assert (outcome.code, texts(outcome.out)) == (0, [MASKED_TEXTS[number] for number in shown])
    page = smscli("messages", f"@{file}", *options, "--redact", "--html", "-").out
    assert [text in page for text in MASKED_TEXTS] == [number in shown for number in range(3)]
    assert "4711" not in page and "900123" not in page


@pytest.mark.parametrize("command", ["show", "messages", "tail"])
def test_a_customer_named_in_place_of_an_id_is_found_before_masking(
    smscli: Smscli, server: FakeServer, command: str
) -> None:
    outcome = smscli(command, NUMBER, "--redact", server=server)
    assert (outcome.code, outcome.err.splitlines()[0]) == (0, f"{MASKED} is session {ID} ({MASKED})")
    assert "900123" not in outcome.out + outcome.err


def test_a_match_in_what_is_masked_is_not_marked_and_another_one_is(
    smscli: Smscli, server: FakeServer
) -> None:
    options = ["--grep", "4711|call", "--redact", "--utc"]
    out = smscli("messages", ID, *options, server=server, tty=True, color="never").out
    assert "⟦call⟧ ***-***-**11" in out
    assert "I ⟦call⟧ you" in out


def test_a_list_is_filtered_by_the_names_that_it_masks(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", "--customer", "7700 900", "--redact", server=server)
    assert [line.split("\t")[:3] for line in outcome.out.splitlines()] == [[ID, "Completed", MASKED]]


def test_notices_about_filters_are_masked_too(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("messages", ID, "--from", "nobody", "--redact", server=server)
    assert outcome.err == (
        f"--from nobody matches nothing; known roles: Agent, Customer; "
        f"found here: Customer, {MASKED}, Agent, Robin\n"
        "no entry of 3 matches\n"
    )


# Values that the documents do not list.

STATES = "Invited, Chatting, LeftChat, Completed, Revoked"
TYPES = (
    "Text, ParticipantJoined, ParticipantLeft, ParticipantRejoined, TypingStarted, TypingStopped, PushUrl, "
    "Notice, TranscriptSaveDone, CustomNotice, SystemCommand"
)


@pytest.mark.parametrize("state", ["WaitingForAgent", "waitingforagent"])
def test_a_state_that_the_documents_do_not_list_is_found(
    smscli: Smscli, server: FakeServer, state: str
) -> None:
    outcome = smscli("list", "--state", state, server=server)
    assert (outcome.code, ids(outcome.out), outcome.err) == (0, [OTHER], "")


def test_the_role_customer_has_clients_too(smscli: Smscli, server: FakeServer) -> None:
    server.store.append(ID, {"type": "Text", "from": {"type": "client", "nickname": "Noor"}, "text": "hello"})
    assert "hello" in texts(smscli("messages", ID, "--from", "Customer", server=server).out)
    assert texts(smscli("messages", ID, "--from", "Client", server=server).out) == ["hello"]


def test_a_type_that_the_documents_do_not_list_is_found(smscli: Smscli, server: FakeServer) -> None:
    server.store.append(ID, {"type": "CoBrowse", "text": "joined a co-browse"})
    for command in (("messages", ID), TAIL):
        outcome = smscli(*command, "--type", "cobrowse", server=server)
        assert (outcome.code, texts(outcome.out)) == (0, ["joined a co-browse"])


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            ("list", "--state", "Chating", "--state", "Completed"),
            [
                f"--state Chating matches nothing; known states: {STATES}; "
                "found here: Completed, WaitingForAgent"
            ],
        ),
        (
            ("list", "--state", "Chating"),
            [
                f"--state Chating matches nothing; known states: {STATES}; "
                "found here: Completed, WaitingForAgent",
                "none of the 2 live SMS sessions matches the filters",
            ],
        ),
        (("list", "--customer", "Mika"), ["none of the 2 live SMS sessions matches the filters"]),
        (
            ("list", "--columns", "id,userData.Queu", "--sort", "userData.Prio"),
            [
                "--columns userData.Queu matches nothing; user data found here: Queue",
                "--sort userData.Prio matches nothing; user data found here: Queue",
            ],
        ),
        (
            ("messages", ID, "--type", "Txt"),
            [f"--type Txt matches nothing; known types: {TYPES}; found here: Text", "no entry of 3 matches"],
        ),
        (("messages", ID, "--type", "Notice"), ["no entry of 3 matches"]),
        (("messages", ID, "--grep", "pear", "--last", "2"), ["no entry of 3 matches"]),
        (("messages", ID, "--since", "1s"), ["no entry of 3 matches"]),
        (("messages", ID, "--highlight", "pear"), []),
    ],
)
def test_what_matches_nothing_is_said(
    smscli: Smscli, server: FakeServer, command: tuple[str, ...], told: list[str]
) -> None:
    outcome = smscli(*command, server=server)
    assert (outcome.code, outcome.err.splitlines()) == (0, told)
    as_json = smscli(*command, "--json", server=server)
    notices = [json.loads(line)["notice"] for line in as_json.err.splitlines()]
    assert [(one["kind"], one["message"]) for one in notices] == [("no-match", text) for text in told]


def test_tail_says_so_at_its_end(smscli: Smscli, server: FakeServer) -> None:
    told = smscli(*TAIL, "--grep", "pear", server=server).err.splitlines()
    assert told[1:] == [f"session {ID} ended (Completed)", "no entry of 3 matches"]


def test_tail_says_so_while_it_goes_on(home: dict[str, str], server: FakeServer) -> None:
    server.store.set_state(ID, "Chatting")
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    with running({**home, **signed_in}, *TAIL, "--grep", "pear") as child:
        assert child.stderr is not None
        assert [child.stderr.readline() for _ in range(2)][1] == "no entry of 3 matches\n"


# Letters, composed or not.


@pytest.mark.parametrize("name", ["jos\u00e9", "JOSE\u0301", "os\u00c9"])
def test_a_customer_is_found_however_the_name_is_composed(
    smscli: Smscli, server: FakeServer, name: str
) -> None:
    assert ids(smscli("list", "--customer", name, server=server).out) == [OTHER]


@pytest.mark.parametrize(
    "options", [["--from", "JOS\u00c9"], ["--grep", "caf\u00e9"], ["--exclude", "th\u00e9"]]
)
def test_messages_are_found_however_they_are_composed(
    smscli: Smscli, server: FakeServer, options: list[str]
) -> None:
    server.store.say(OTHER, "un cafe\u0301", by="Jose\u0301")
    server.store.say(OTHER, "un the\u0301", by="Customer", **{"from": {"type": "Agent", "nickname": "Ana"}})
    assert texts(smscli("messages", OTHER, *options, server=server).out) == ["un cafe\u0301"]


def test_a_key_of_the_user_data_is_found_however_it_is_composed(smscli: Smscli, server: FakeServer) -> None:
    server.store.add_session("S3", customer="Mika", agents=(), user_data={"Priorite\u0301": "high"})
    out = smscli("list", "--customer", "Mika", "--columns", "id,userData.Priorit\u00e9", server=server).out
    assert out == "S3\thigh\n"
