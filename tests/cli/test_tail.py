"""`tail` as a whole command: on a real terminal, in a pipe, and as JSON lines."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli, running
from tests.support.on_terminal import OnTerminal

pytestmark = pytest.mark.slow

FIRST, SECOND = "0000Na9B26EF0001", "0000Na9B26EF0002"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with one session in which three things have been said."""
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(FIRST, customer="Mika", agents=("Robin",))
        for number in range(1, 4):
            server.store.say(FIRST, f"question {number}", by="Mika")
        yield server


@pytest.fixture
def environ(home: dict[str, str], server: FakeServer) -> dict[str, str]:
    return {
        **home,
        "SMSCLI_URL": server.url,
        "SMSCLI_USERNAME": "demo",
        "SMSCLI_PASSWORD": "demo",
        "TZ": "UTC",
        "PATH": os.environ["PATH"],
    }


def bodies(lines: list[str]) -> list[str]:
    """What was said, on a screen or in tab-separated lines."""
    words = [word for line in lines for word in line.replace("\t", " ").split("  ") if "question" in word]
    return [word.strip() for word in words]


def test_what_is_typed_stands_in_the_live_line_and_never_scrolls(
    server: FakeServer, environ: dict[str, str]
) -> None:
    with OnTerminal("tail", FIRST, "--interval", "0.1", environ=environ, lines=8) as seen:
        seen.until("question 3")
        server.store.append(FIRST, typing(server, "I am wri"))
        seen.until("● live · 1 session · Mika is typing: I am wri")
        for number in range(4, 20):
            server.store.say(FIRST, f"question {number}", by="Mika")
        seen.until("question 19")
        seen.without("is typing")
        seen.press("\x03")
        assert seen.ended() == 130
        everything = [line for line in [*seen.scrolled, *seen.screen] if line]
    assert bodies(everything) == [f"question {number}" for number in range(1, 20)]
    assert not [line for line in everything if "live" in line or "is typing" in line]


def typing(server: FakeServer, text: str) -> dict[str, object]:
    customer = server.store.sessions[FIRST].resource["participants"][-1]
    return {"type": "TypingStarted", "from": customer, "text": text, "visibility": "All"}


def test_ctrl_c_leaves_a_clean_prompt(server: FakeServer, environ: dict[str, str]) -> None:
    with OnTerminal("tail", "--all", environ=environ) as seen:
        seen.until("● live · 1 session")
        seen.until("question 3")
        seen.press("\x03")
        assert seen.ended() == 130
        lines = [line for line in seen.screen if line]
        assert (seen.cursor, seen.cursor_hidden) == ((len(lines), 0), False)
        assert "question 3" in lines[-1]
        assert not [line for line in lines if "Traceback" in line or "live" in line]


def test_a_terminal_made_narrower_keeps_every_line_and_one_live_line(
    server: FakeServer, environ: dict[str, str]
) -> None:
    with OnTerminal("tail", FIRST, "--interval", "0.1", environ=environ, lines=12) as seen:
        seen.until("● live · 1 session")
        seen.resize(40, 12)
        server.store.say(FIRST, "question 4", by="Mika")
        seen.until("question 4")
        seen.until("● live")
        live = [line for line in [*seen.scrolled, *seen.screen] if "live" in line]
        assert live == ["● live · 1 session"]
        assert bodies([*seen.scrolled, *seen.screen]) == [f"question {number}" for number in range(1, 5)]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_it_in_order(
    server: FakeServer, environ: dict[str, str], number: signal.Signals, code: int
) -> None:
    with running(environ, "tail", FIRST, "--json") as child:
        assert child.stdout and child.stderr
        lines = [json.loads(child.stdout.readline()) for _ in range(3)]
        child.send_signal(number)
        rest, told = child.stdout.read(), child.stderr.read()
        child.wait()
    assert (child.returncode, rest) == (code, "")
    assert [line.get("text") for line in lines] == ["question 1", "question 2", "question 3"]
    assert [json.loads(line)["notice"]["kind"] for line in told.splitlines()] == ["whose"]


def test_it_ends_with_the_last_named_session(smscli: Smscli, server: FakeServer) -> None:
    server.store.end(FIRST)
    outcome = smscli("tail", FIRST, "--json", "--last", "1", "--interval", "0.1", server=server)
    assert outcome.code == 0
    assert [json.loads(line)["text"] for line in outcome.out.splitlines()] == ["question 3"]
    notices = [json.loads(line)["notice"] for line in outcome.err.splitlines()]
    assert [(one["kind"], one["sessionId"], one["message"]) for one in notices] == [
        ("whose", None, f"following session {FIRST} (Mika) of demo at 127.0.0.1"),
        ("session-ended", FIRST, f"session {FIRST} ended (Completed)"),
    ]
    assert all(one["at"].endswith("Z") for one in notices)


def test_a_session_that_comes_is_announced_and_followed(server: FakeServer, environ: dict[str, str]) -> None:
    with running(environ, "tail", "--all", "--last", "0", "--interval", "0.1") as child:
        assert child.stdout and child.stderr
        assert child.stderr.readline() == "following the SMS sessions of demo at 127.0.0.1\n"
        wait_for_reads(server, 2)
        server.store.add_session(SECOND, customer="Noor", agents=())
        server.store.say(SECOND, "hello", by="Noor")
        assert child.stderr.readline() == f"session {SECOND} started: Noor\n"
        server.store.say(SECOND, "anybody there?", by="Noor")
        rows = [child.stdout.readline().split("\t") for _ in range(2)]
    assert [(row[1], row[3], row[7]) for row in rows] == [
        (SECOND, "Text", "hello"),
        (SECOND, "Text", "anybody there?"),
    ]


def wait_for_reads(server: FakeServer, count: int) -> None:
    end = time.monotonic() + 20
    while len(server.requests) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_unknown_id_is_refused_at_the_start(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("tail", FIRST, "NOPE", server=server)
    assert (outcome.code, outcome.out) == (5, "")
    assert "NOPE" in outcome.err


def test_a_closed_pipe_ends_it_silently(server: FakeServer, environ: dict[str, str]) -> None:
    command = f"{sys.executable} -m smscli tail --all --json --last all | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", f"(sleep 0; {command})"], env=environ, capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert (len(lines), lines[-1]) == (2, "141")
    assert [json.loads(line)["notice"]["kind"] for line in done.stderr.splitlines()] == ["whose"]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["tail"], "tail takes the ids of sessions, or --all"),
        (["tail", FIRST, "--all"], "tail takes ids or --all, not both"),
    ],
)
def test_neither_ids_nor_all_is_wrong_usage_and_so_are_both(
    smscli: Smscli, server: FakeServer, arguments: list[str], wrong: str
) -> None:
    outcome = smscli(*arguments, server=server)
    told = f"error: {wrong}\nhint: `smscli list` shows the ids\n"
    assert (outcome.code, outcome.out, outcome.err, list(server.requests)) == (2, "", told, [])


def test_a_long_history_is_folded_by_its_own_time(smscli: Smscli) -> None:
    with FakeServer(Options(scene="bulk", sessions=1, messages=12_000)) as server:
        session_id = next(one for one in server.store.sessions if one.startswith("0000Nb"))
        read = smscli("messages", session_id, server=server).out
        server.store.end(session_id)
        followed = smscli("tail", session_id, "--last", "all", "--push", "off", server=server)
        last = smscli("tail", session_id, "--last", "2", "--push", "off", server=server)
    assert followed.out.splitlines() == read.splitlines()
    assert last.out.splitlines() == read.splitlines()[-2:]


def test_one_sessions_trouble_is_no_lost_connection(server: FakeServer, environ: dict[str, str]) -> None:
    server.store.add_session(SECOND, customer="Noor", agents=())
    server.options.fault, server.options.fault_path = ("500",), SECOND
    with OnTerminal("tail", FIRST, SECOND, "--interval", "0.1", "--push", "off", environ=environ) as seen:
        seen.until(f"session {SECOND}")
        seen.until("● live · 2 sessions")
        assert not [line for line in seen.screen if "retrying" in line and "○" in line]


def test_without_sessions_it_is_live_all_the_same(environ: dict[str, str], server: FakeServer) -> None:
    server.store.remove(FIRST)
    with OnTerminal("tail", "--all", environ=environ) as seen:
        seen.until("● live · 0 sessions")


def test_under_nohup_a_hang_up_ends_nothing(server: FakeServer, environ: dict[str, str]) -> None:
    command = f"trap '' HUP; exec {sys.executable} -m smscli tail {FIRST} --json --interval 0.1"
    pipe = subprocess.PIPE
    with subprocess.Popen(["bash", "-c", command], env=environ, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout
        for _ in range(3):
            child.stdout.readline()
        child.send_signal(signal.SIGHUP)
        server.store.say(FIRST, "question 4", by="Mika")
        assert json.loads(child.stdout.readline())["text"] == "question 4"
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 143


@pytest.mark.parametrize("name", ["0000na9b26ef0002", "0000Na9B26EF000l"])
@pytest.mark.parametrize("command", ["show", "messages", "tail"])
def test_an_id_that_is_nearly_one_names_the_one_that_was_meant(
    smscli: Smscli, server: FakeServer, command: str, name: str
) -> None:
    outcome = smscli(command, name, server=server)
    assert (outcome.code, outcome.out) == (5, "")
    assert f"hint: did you mean {FIRST}? `smscli list` shows the live" in outcome.err


def test_json_has_no_live_line_between_its_lines(server: FakeServer, environ: dict[str, str]) -> None:
    with OnTerminal("tail", FIRST, "--json", "--interval", "0.1", environ=environ, columns=400) as seen:
        seen.until("question 3")
        server.store.say(FIRST, "question 4", by="Mika")
        seen.until("question 4")
        seen.press("\x03")
        assert seen.ended() == 130
        lines = [line.removeprefix("^C") for line in [*seen.scrolled, *seen.screen] if line]
    assert [json.loads(line).get("index") for line in lines if "question" in line] == [1, 2, 3, 4]
    assert not [line for line in lines if "live" in line]


def test_the_first_entries_of_all_sessions_stand_in_order_of_time(
    server: FakeServer, environ: dict[str, str]
) -> None:
    server.store.add_session(SECOND, customer="Noor", agents=("Robin",))
    now = round(time.time() * 1000)
    for session_id, number, age in ((SECOND, 8, 90), (FIRST, 9, 60), (SECOND, 10, 30)):
        at = now - age * 1000
        server.store.say(session_id, f"question {number}", timestampSeconds=at)
    with OnTerminal("tail", "--all", "--last", "2", environ=environ) as seen:
        seen.until("question 10")
        assert bodies(seen.screen) == ["question 8", "question 9", "question 10", "question 3"]
        seen.press("\x03")
        assert seen.ended() == 130


def test_in_a_pipe_the_first_entries_come_session_by_session(
    server: FakeServer, environ: dict[str, str]
) -> None:
    server.store.add_session(SECOND, customer="Noor", agents=("Robin",))
    server.store.say(SECOND, "question 8", timestampSeconds=1)
    server.store.say(SECOND, "question 9")
    with running(environ, "tail", "--all", "--last", "2") as child:
        assert child.stdout
        rows = [child.stdout.readline().split("\t") for _ in range(4)]
    assert sorted(row[7] for row in rows[:2]) in (["question 2", "question 3"], ["question 8", "question 9"])
    assert len({row[1] for row in rows[:2]}) == 1


def test_a_loss_is_red_and_nobody_is_said_to_type_meanwhile(
    server: FakeServer, environ: dict[str, str]
) -> None:
    with OnTerminal("tail", FIRST, "--interval", "0.1", "--push", "off", environ=environ) as seen:
        seen.until("question 3")
        server.store.append(FIRST, typing(server, "I am wri"))
        seen.until("Mika is typing")
        server.start_outage(60, "500", "sessions")
        seen.until("connection lost, retrying (")
        seen.without("Mika is typing")
        line = re.search(
            rb"\x1b\[1;31m\d\d:\d\d:\d\d  connection lost, retrying [^\x1b]*\x1b\[0m", seen.written
        )
        assert line is not None
        server.cancel_faults()
        seen.until("  reconnected, ")
        seen.press("\x03")
        assert seen.ended() == 130


def test_that_push_works_is_no_news_for_people(server: FakeServer, environ: dict[str, str]) -> None:
    with OnTerminal("tail", FIRST, environ=environ) as seen:
        seen.until("question 3")
        server.await_listeners()
        server.store.say(FIRST, "question 4", by="Mika")
        seen.until("question 4")
        server.store.say(FIRST, "question 5", by="Mika")
        seen.until("question 5")
        assert "push works" not in "".join([*seen.scrolled, *seen.screen])
        seen.press("\x03")
        assert seen.ended() == 130


def test_a_script_is_told_that_push_works(server: FakeServer, environ: dict[str, str]) -> None:
    with running(environ, "tail", FIRST, "--json") as child:
        assert child.stdout and child.stderr
        server.await_listeners()
        is_told = threading.Event()

        def talk() -> None:
            # A poll may find a message before its notification comes.
            while not is_told.wait(0.3):
                server.store.say(FIRST, "another question", by="Mika")

        talking = threading.Thread(target=talk)
        talking.start()
        kinds = [json.loads(child.stderr.readline())["notice"]["kind"] for _ in range(2)]
        is_told.set()
        talking.join()
    assert kinds == ["whose", "push-trusted"]


def test_the_sessions_that_are_followed_are_named_with_their_customers(
    server: FakeServer, environ: dict[str, str]
) -> None:
    server.store.add_session(SECOND, customer="Noor", agents=())
    with running(environ, "tail", FIRST, SECOND, "--last", "0") as child:
        assert child.stderr
        told = child.stderr.readline()
    assert told == f"following sessions {FIRST} (Mika), {SECOND} (Noor) of demo at 127.0.0.1\n"
