"""`list --watch` as a whole command on a real terminal; who has waited for too long, there and in `tail`."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli, running
from tests.support.on_terminal import OnTerminal

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = "0000Na9B26EF0001", "0000Na9B26EF0002", "0000Na9B26EF0003"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with two sessions; in the first a customer waits."""
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(FIRST, customer="Mika", agents=("Robin",))
        server.store.add_session(SECOND, customer="Noor", agents=("Robin",))
        server.store.say(FIRST, "is anybody there?", by="Mika")
        server.store.say(SECOND, "hello", by="Robin")
        yield server


@pytest.fixture
def environ(home: dict[str, str], server: FakeServer) -> dict[str, str]:
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    return {**home, **signed_in, "TZ": "UTC", "PATH": os.environ["PATH"]}


def words(seen: OnTerminal) -> list[list[str]]:
    """The words of each line on the screen, without times and durations."""
    return [
        [word for word in line.split() if ":" not in word[2:] and not word.isdecimal() and word != "s"]
        for line in seen.screen
    ]


def until(seen: OnTerminal, condition: Callable[[], bool]) -> None:
    """Look until it holds."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end and seen.look(), "\n".join(seen.screen)


def test_the_list_is_redrawn_in_place_as_sessions_change(server: FakeServer, environ: dict[str, str]) -> None:
    with OnTerminal("list", "--watch", "--interval", "0.1", environ=environ) as seen:
        seen.until("hello")
        seen.until("is anybody there?")
        assert words(seen)[1:6] == [
            ["id", "state", "customer", "agents", "waiting", "typing"],
            [FIRST, "Chatting", "Mika", "Robin"],
            ["is", "anybody", "there?"],
            [SECOND, "Chatting", "Noor", "Robin"],
            ["hello"],
        ]
        # Both logs are read to their ends: only what comes now is a change.
        until(seen, lambda: sum("/messages" in path for _, path, _ in server.requests) >= 6)
        server.store.say(SECOND, "it is red again", by="Noor")
        seen.until("it is red again")
        assert words(seen)[4:6] == [["●", SECOND, "Chatting", "Noor", "Robin"], ["it", "is", "red", "again"]]
        robin = server.store.participant(FIRST, "Robin")
        server.store.append(FIRST, {"type": "TypingStarted", "from": robin})
        until(seen, lambda: words(seen)[2] == [FIRST, "Chatting", "Mika", "Robin", "Robin"])
        server.store.add_session(THIRD, customer="Ines", agents=())
        seen.until(THIRD)
        server.store.remove(SECOND)
        seen.until("gone")
        assert not seen.scrolled
        seen.press("\x03")
        assert seen.ended() == 130


def test_after_a_resize_it_fits_the_new_width(environ: dict[str, str]) -> None:
    with OnTerminal("list", "--watch", "--interval", "0.1", environ=environ) as seen:
        seen.until("hello")
        seen.resize(40, 24)
        until(seen, lambda: "  Chatting  ▶ Mika  ◆ Robin" in seen.screen and max(map(len, seen.screen)) < 40)
        seen.resize(130, 24)
        until(seen, lambda: "last message" in seen.screen[1] and "▶" not in "".join(seen.screen))
        seen.press("\x03")
        assert seen.ended() == 130


@pytest.mark.parametrize("key", ["q", "Q"])
def test_q_ends_it_as_it_ends_other_viewers(key: str, server: FakeServer, environ: dict[str, str]) -> None:
    bash = {**environ, "PS1": "ready> ", "HISTFILE": "", "PYTHONPATH": os.getcwd()}
    with OnTerminal("--norc", "-i", environ=bash, program=["/bin/bash"]) as seen:
        seen.until("ready>")
        seen.press(f"{sys.executable} -m smscli list --watch --interval 0.1\n")
        seen.until("hello")
        seen.press("x\x1a")
        seen.until("Stopped")
        # The shell's own line shows what is typed: the terminal's mode was restored.
        seen.press("echo $((6 * 7))\n")
        seen.until("42")
        seen.press("fg\n")
        until(seen, lambda: "● live" in "".join(seen.screen))
        seen.press(key)
        until(seen, lambda: seen.screen[seen.cursor[0]] == "ready>")
        seen.press("echo code $?; stty -a\n")
        seen.until("code 0")
        seen.until(" echo ")
        seen.until(" icanon ")
        seen.press("exit\n")
        assert seen.ended() == 0


def test_the_last_picture_stays_behind_with_what_was_said(
    server: FakeServer, environ: dict[str, str]
) -> None:
    with OnTerminal("list", "--watch", "--interval", "0.1", environ=environ) as seen:
        seen.until("hello")
        server.store.add_session(THIRD, customer="Ines", agents=())
        seen.until(f"session {THIRD} started: Ines")
        seen.press("\x03")
        assert seen.ended() == 130
        left = [line for line in [*seen.scrolled, *seen.screen] if line]
        assert sum("of demo at 127.0.0.1" in line for line in left) == 1
        assert re.fullmatch(rf"\d\d:\d\d:\d\d  session {THIRD} started: Ines", left[-1])
        assert seen.cursor == (len(left), 0), "\n".join(seen.screen)
        assert not seen.cursor_hidden


@pytest.mark.parametrize(
    ("command", "shown"), [("list --watch", "of demo at 127.0.0.1"), (f"tail {FIRST}", "● live · 1 session")]
)
def test_ctrl_z_gives_the_screen_back_and_takes_it_again(
    environ: dict[str, str], command: str, shown: str
) -> None:
    bash = {**environ, "PS1": "ready> ", "HISTFILE": "", "PYTHONPATH": os.getcwd()}
    with OnTerminal("--norc", "-i", environ=bash, program=["/bin/bash"]) as seen:
        seen.until("ready>")
        seen.press(f"{sys.executable} -m smscli {command} --interval 0.1\n")
        seen.until(shown)
        seen.press("\x1a")
        seen.until("Stopped")
        assert shown not in "".join(seen.screen)
        seen.press("fg\n")
        until(seen, lambda: shown in "".join(seen.screen))
        seen.press("\x03")
        until(seen, lambda: seen.screen[seen.cursor[0]] == "ready>")
        seen.press("exit\n")
        assert seen.ended() == 130


def test_a_session_that_comes_back_has_waited_all_the_time(
    server: FakeServer, environ: dict[str, str]
) -> None:
    asked = ("--interval", "0.1", "--push", "off")
    with OnTerminal("list", "--watch", *asked, environ=environ) as seen:
        seen.until("is anybody there?")
        gone = server.store.sessions[FIRST]
        server.store.remove(FIRST)
        time.sleep(1)
        # One list without it is no end.
        until(seen, lambda: any(line[:3] == [FIRST, "Chatting", "Mika"] for line in words(seen)))
        until(seen, lambda: any(line[:2] == [FIRST, "gone"] for line in words(seen)))
        server.store.sessions[FIRST] = gone
        until(seen, lambda: any(line[:3] == ["●", FIRST, "Chatting"] for line in words(seen)))
        row = next(line for line in seen.screen if FIRST in line)
        assert int(row.split()[row.split().index("s") - 1]) >= 4
        seen.press("\x03")
        assert seen.ended() == 130


def test_masked_sessions_are_chosen_by_what_is_masked(server: FakeServer, environ: dict[str, str]) -> None:
    server.store.add_session(THIRD, customer="Ines 555-010-4711", agents=())
    with OnTerminal("list", "--watch", "--redact", "--customer", "4711", environ=environ) as seen:
        seen.until(THIRD)
        assert "Ines ***-***-**11" in "".join(seen.screen)
        server.store.add_session("0000Na9B26EF0004", customer="Toni 555-010-4711", agents=())
        seen.until("started: Toni ***-***-**11")
        assert not [line for line in seen.screen if FIRST in line or "4711" in line]
        seen.press("\x03")
        assert seen.ended() == 130


@pytest.mark.parametrize("lines", [2, 3, 5])
def test_on_few_lines_the_list_comes_before_what_was_said(environ: dict[str, str], lines: int) -> None:
    with OnTerminal("list", "--watch", "--waiting", "0s", environ=environ, lines=lines) as seen:
        seen.until("● live")
        time.sleep(1)
        until(seen, lambda: "of demo at 127.0.0.1" in seen.screen[0])
        assert not seen.scrolled
        seen.press("\x03")
        assert seen.ended() == 130


def test_a_server_slower_than_the_interval_does_not_stop_the_clock(
    server: FakeServer, environ: dict[str, str]
) -> None:
    server.options.push, server.options.delay_ms = "off", 400
    with OnTerminal("list", "--watch", "--interval", "0.1", environ=environ) as seen:
        seen.until("hello")
        for number in range(3):
            server.store.say(SECOND, f"question {number}", by="Noor")
            seen.until(f"question {number}")
        seen.resize(40, 24)
        until(seen, lambda: "  Chatting  ▶ Mika  ◆ Robin" in seen.screen)
        seen.press("\x03")
        assert seen.ended() == 130


def test_an_error_stands_below_the_last_picture(server: FakeServer, environ: dict[str, str]) -> None:
    with OnTerminal("list", "--watch", "--interval", "0.1", "--push", "off", environ=environ) as seen:
        seen.until("hello")
        server.fail_next("status:20", times=1000)
        assert seen.ended() == 4
        left = [line for line in [*seen.scrolled, *seen.screen] if line]
        assert [line for line in left if line.startswith(("error:", "hint:"))]
        assert "of demo at 127.0.0.1" in "".join(left)


def test_filters_order_and_columns_hold_for_the_live_list_too(environ: dict[str, str]) -> None:
    asked = ("--sort", "waiting", "--columns", "id,comment", "--customer", "MIKA", "--utc")
    with OnTerminal("list", "-w", *asked, environ=environ, columns=100) as seen:
        seen.until("is anybody there?")
        assert words(seen)[1:3] == [
            ["id", "comment", "waiting", "typing", "last", "message"],
            [FIRST, "is", "anybody", "there?"],
        ]
        assert SECOND not in "".join(seen.screen)
        seen.press("\x03")
        assert seen.ended() == 130


@pytest.mark.parametrize(
    ("order", "first"), [("", FIRST), ("--sort -waiting", FIRST), ("--sort waiting", SECOND)]
)
def test_without_another_order_it_begins_with_who_waits_longest(
    server: FakeServer, environ: dict[str, str], order: str, first: str
) -> None:
    server.store.add_session(THIRD, customer="Ines")
    now = round(time.time() * 1000)
    server.store.say(FIRST, "still there?", by="Mika", timestampSeconds=now - 60_000)
    server.store.say(SECOND, "it is red again", by="Noor")
    with OnTerminal("list", "--watch", *order.split(), environ=environ) as seen:
        until(
            seen, lambda: "it is red again" in "".join(seen.screen) and "still there?" in "".join(seen.screen)
        )
        ids = [word for line in words(seen) for word in line if word.startswith("0000")]
        assert ids == [first, {FIRST: SECOND, SECOND: FIRST}[first], THIRD]
        seen.press("\x03")
        assert seen.ended() == 130


def test_an_empty_list_says_whose_it_is(environ: dict[str, str]) -> None:
    with OnTerminal("list", "--watch", "--customer", "nobody", environ=environ) as seen:
        seen.until("none of the 2 live SMS sessions matches the filters")
        seen.press("\x03")
        assert seen.ended() == 130


def without_times(lines: list[str]) -> list[str]:
    """However late a busy machine looks."""
    return [re.sub(r"^\d\d:\d\d:\d\d", "TIME", re.sub(r"[0-9]+ s", "N s", line)) for line in lines]


def test_who_has_waited_too_long_is_marked_and_said_once(server: FakeServer, environ: dict[str, str]) -> None:
    asked = ("--waiting", "1s", "--interval", "0.1")
    with OnTerminal("list", "--watch", *asked, environ=environ, columns=120) as seen:
        until(seen, lambda: any("  Mika has been waiting for" in line for line in seen.screen))
        seen.until("! ")
        server.store.say(FIRST, "here I am", by="Robin")
        seen.without("! ")
        server.store.say(FIRST, "at last", by="Mika")
        seen.until("at last")
        until(seen, lambda: sum("has been waiting" in line for line in seen.screen) == 2)
        seen.press("\x03")
        assert seen.ended() == 130
        left = [line for line in seen.screen if "has been waiting" in line]
        assert without_times(left) == [f"TIME  Mika has been waiting for N s in session {FIRST}"] * 2


def test_who_waits_too_long_from_the_start_is_said_below_the_picture(environ: dict[str, str]) -> None:
    with OnTerminal("list", "--watch", "--waiting", "0s", environ=environ) as seen:
        until(seen, lambda: any("  Mika has been waiting for" in line for line in seen.screen))
        assert "of demo at 127.0.0.1" in seen.screen[0]
        seen.press("\x03")
        assert seen.ended() == 130


def test_a_follower_marks_and_says_once_who_waits(server: FakeServer, environ: dict[str, str]) -> None:
    with OnTerminal("tail", FIRST, "--waiting", "1s", "--interval", "0.1", environ=environ) as seen:
        seen.until("● live · 1 session · ! Mika waits ")
        server.store.say(FIRST, "here I am", by="Robin")
        seen.without("! Mika")
        seen.press("\x03")
        assert seen.ended() == 130
        said = [line for line in [*seen.scrolled, *seen.screen] if "waiting" in line]
        assert without_times(said) == [f"TIME  Mika has been waiting for N s in session {FIRST}"]


def test_an_invitation_that_nobody_accepts_is_reported_as_without_an_agent(
    server: FakeServer, environ: dict[str, str]
) -> None:
    server.store.add_session(THIRD, state="Invited", agents=(), customer="Ines", age=330)
    since = datetime.fromtimestamp(time.time() - 330, UTC)
    with OnTerminal("tail", THIRD, "--waiting", "4m", "--utc", environ=environ, columns=120) as seen:
        seen.until("● live · 1 session · ! Ines waits 5 min")
        lines = [line for line in [*seen.scrolled, *seen.screen] if "has been waiting" in line]
        assert len(lines) == 1
        assert "  Ines has been waiting for 5 min" in lines[0]
        assert f" in session {THIRD}, no agent since {since:%H:}" in lines[0]
        server.store.join(THIRD, "Robin")
        seen.without("! Ines")
        seen.press("\x03")
        assert seen.ended() == 130


def test_a_script_is_told_as_an_object_whatever_it_filters(
    server: FakeServer, environ: dict[str, str]
) -> None:
    asked = ("tail", FIRST, "--json", "--waiting", "0s", "--grep", "nothing like it", "--last", "0")
    with running(environ, *asked) as child:
        assert child.stderr
        notices = [json.loads(child.stderr.readline())["notice"] for _ in range(3)]
        time.sleep(0.5)
        server.store.remove(FIRST)
        notices += [json.loads(line)["notice"] for line in child.stderr]
        assert child.wait(20) == 0
    assert [one["kind"] for one in notices] == ["whose", "no-match", "waiting", "session-ended"]
    assert notices[2]["sessionId"] == FIRST
    assert notices[2]["message"].startswith("Mika has been waiting for ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--watch", "--json"), "--watch can't be combined with --json or --jsonl"),
        (("--watch", "--jsonl"), "--watch can't be combined with --json or --jsonl"),
        (("--interval", "5"), "--interval requires --watch"),
        (("--push", "off"), "--push requires --watch"),
        (
            ("--watch", "--waiting", "soon"),
            "--waiting takes a duration such as 90s, 5m, 2h30m or 1d, not 'soon'",
        ),
        (("--watch", "--interval", "0"), "--interval takes 0.1 to 86400 seconds, not 0"),
        (("--waiting", "soon"), "--waiting takes a duration such as 90s, 5m, 2h30m or 1d, not 'soon'"),
    ],
)
def test_wrong_usage_is_said_before_any_request(
    smscli: Smscli, server: FakeServer, arguments: tuple[str, ...], message: str
) -> None:
    outcome = smscli("list", *arguments, server=server, tty=True)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert not server.requests


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}])
def test_without_a_terminal_that_can_redraw_it_is_wrong_usage(
    smscli: Smscli, server: FakeServer, environ: dict[str, str]
) -> None:
    outcome = smscli("list", "--watch", server=server, tty=bool(environ), **environ)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: --watch needs a terminal\nhint: in a pipe: `smscli tail --all`\n"
    assert not server.requests
