"""Several profiles on `tail` and `list --watch`: one stream, whatever happens to one of the agents."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli, running
from tests.support.on_terminal import OnTerminal
from tests.support.profiles import (
    BOTH,
    CLOSED,
    MIKA,
    NOOR,
    north_server,
    profiles,
    south_server,
    with_ended_view,
)

pytestmark = pytest.mark.slow

_PATIENCE = 30.0
_HELLO = [(MIKA, "hello from 1"), (NOOR, "hello from 2"), (BOTH, "hello from 3")]


@pytest.fixture
def north() -> Iterator[FakeServer]:
    with north_server() as server:
        yield server


@pytest.fixture
def south() -> Iterator[FakeServer]:
    with south_server() as server:
        yield server


@pytest.fixture
def home(profile_home: dict[str, str], north: FakeServer) -> dict[str, str]:
    profiles(profile_home, north=(north.url, "ann"), west=(north.url, "bob"))
    return profile_home


class Follower:
    """A `tail --json` in a process of its own: what it showed and said."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        self.messages: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self._readers = [
            threading.Thread(target=target, daemon=True) for target in (self._read, self._listen)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self._child.stdout
        for line in self._child.stdout:
            self.messages.append(json.loads(line))

    def _listen(self) -> None:
        assert self._child.stderr
        for line in self._child.stderr:
            value = json.loads(line)
            self.notices.append(value.get("notice", value))

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < end, (self.notices, self.shown)
            assert self._child.poll() is None, self.notices
            time.sleep(0.02)

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        """Session, text and profile of each message."""
        return [(one["sessionId"], one["text"], one["profile"]) for one in self.messages]

    def said(self, *kinds: str) -> list[tuple[str, str | None, str]]:
        """Kind, profile and message of the notices of these kinds."""
        known = [one for one in self.notices if one.get("kind") in kinds]
        return [(one["kind"], one.get("profile"), one["message"]) for one in known]

    def end(self) -> int:
        self._child.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        code = self._child.wait(_PATIENCE)
        for reader in self._readers:
            reader.join(_PATIENCE)
        return code


@contextmanager
def following(home: dict[str, str], *more: str) -> Iterator[Follower]:
    with running(home, "tail", "--json", "--interval", "0.2", *more) as child:
        yield Follower(child)


def readers(server: FakeServer, session_id: str) -> list[str | None]:
    """Who has asked for the messages of a session, in order."""
    return [user for _, path, user in server.requests if f"{session_id}/messages" in path]


def failing(monkeypatch: pytest.MonkeyPatch, server: FakeServer, user: str) -> threading.Event:
    """While the event is set, every request of this user is answered by an error."""
    usual, fails = server.api.answer, threading.Event()

    def answer(request: object, asker: str | None) -> object:
        answered = usual(request, asker)  # type: ignore[arg-type]
        if fails.is_set() and asker == user:
            answered.status, answered.body = 500, b"oops"
        return answered

    monkeypatch.setattr(server.api, "answer", answer)
    return fails


def test_one_stream_says_whose_each_message_is_and_shows_a_shared_session_once(
    home: dict[str, str], north: FakeServer, south: FakeServer
) -> None:
    profiles(home, north=(north.url, "ann"), west=(north.url, "bob"), south=(south.url, "ann"))
    with following(home, "--all", "-p", "*") as seen:
        seen.until(lambda: len(seen.shown) == 4)
        north.store.say(BOTH, "for two")
        south.store.say(MIKA, "from the south")
        seen.until(lambda: len(seen.shown) == 6)
        before = len(north.requests)
        seen.until(lambda: len(north.requests) >= before + 10)
        assert seen.end() == 130
    hello = [*_HELLO, (MIKA, "hello from the south")]
    news = [(BOTH, "for two"), (MIKA, "from the south")]
    assert sorted(one[:2] for one in seen.shown) == sorted([*hello, *news])
    whose = {(session_id, profile) for session_id, text, profile in seen.shown if text != "hello from 3"}
    assert whose == {(MIKA, "north"), (NOOR, "west"), (BOTH, "north"), (MIKA, "south")}
    assert seen.said("whose") == [("whose", None, "following the SMS sessions of 3 profiles")]
    # Whichever list came first; in the end the first by name.
    assert readers(north, BOTH)[-1] == "ann"


def test_a_session_goes_on_through_the_agent_who_still_has_it(
    home: dict[str, str], north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(home, "--all", "-p", "north,west", "--push", "off") as seen:
        seen.until(lambda: len(seen.shown) == 3)
        seen.until(lambda: readers(north, BOTH)[-1] == "ann")
        with_ended_view(monkeypatch, north, "ann", BOTH)
        seen.until(lambda: readers(north, BOTH)[-1] == "bob")
        north.store.say(BOTH, "still here")
        seen.until(lambda: (BOTH, "still here", "west") in seen.shown)
        assert seen.said("session-ended") == []
        north.store.say(BOTH, "the last word")
        north.store.end(BOTH)
        seen.until(lambda: seen.said("session-ended"))
        assert seen.end() == 130
    of_both = [text for session_id, text, _ in seen.shown if session_id == BOTH]
    assert of_both == ["hello from 3", "still here", "the last word"]
    assert seen.said("session-ended") == [
        ("session-ended", "west", f"session {BOTH} ended (Completed)"),
    ]


def test_one_profiles_faults_are_said_with_its_name_while_others_go_on(
    home: dict[str, str], north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = failing(monkeypatch, north, "ann")
    with following(home, "--all", "-p", "north,west") as seen:
        seen.until(lambda: len(seen.shown) == 3)
        fails.set()
        seen.until(lambda: seen.said("lost"))
        north.store.say(BOTH, "read by the other one")
        north.store.say(NOOR, "not held up")
        north.store.say(MIKA, "held up")
        seen.until(lambda: len(seen.shown) == 5)
        fails.clear()
        seen.until(lambda: (MIKA, "held up", "north") in seen.shown and seen.said("reconnected"))
        before = len(north.requests)
        seen.until(lambda: len(north.requests) >= before + 10)
        assert seen.end() == 130
    assert sorted(seen.shown[3:]) == [
        (MIKA, "held up", "north"),
        (NOOR, "not held up", "west"),
        (BOTH, "read by the other one", "west"),
    ]
    (lost, of, why), back = seen.said("lost", "reconnected")
    assert (lost, of, why[:25]) == ("lost", "north", "connection lost, retrying")
    assert back == ("reconnected", "north", "reconnected, 1 message late")


def test_a_profile_that_fails_at_the_start_is_tried_again(
    profile_home: dict[str, str], north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles(profile_home, north=(north.url, "ann"), west=(north.url, "bob"), wrong=(north.url, "nobody"))
    fails = failing(monkeypatch, north, "bob")
    fails.set()
    with following(profile_home, "--all", "-p", "*") as seen:
        seen.until(lambda: len(seen.shown) == 2 and len(seen.said("lost")) == 2)
        fails.clear()
        seen.until(lambda: (NOOR, "hello from 2", "west") in seen.shown)
        assert seen.end() == 130
    assert sorted(one[:2] for one in seen.shown) == sorted(_HELLO)
    refused, failed = sorted(seen.said("lost"))[::-1]
    assert (failed[1], failed[2][:24]) == ("west", "can't be read, retrying:")
    assert (refused[1], refused[2][:35]) == ("wrong", "can't be read: the server answers: ")
    assert refused[2].endswith("used the password of nobody from password_command of profile wrong")
    assert seen.said("reconnected") == [("reconnected", "west", "can be read now")]


@pytest.mark.parametrize(("first", "code"), [("dead", 3), ("wrong", 4)])
def test_if_all_fail_at_the_start_the_first_error_counts(
    smscli: Smscli, profile_home: dict[str, str], north: FakeServer, first: str, code: int
) -> None:
    failures = {"dead": (CLOSED, "ann"), "wrong": (north.url, "nobody")}
    profiles(profile_home, **failures)
    last = next(one for one in failures if one != first)
    outcome = smscli("tail", "--all", "-p", f"{first},{last}", **profile_home)
    assert (outcome.code, outcome.out) == (code, "")
    errors = {3: "127.0.0.1:1 refuses the connection", 4: "the server answers: not signed in"}
    assert outcome.err.startswith(f"error: profile {first}: {errors[code]}")
    assert len(outcome.err.splitlines()) == 2


def test_named_sessions_end_the_run_when_every_view_has_ended(
    home: dict[str, str], north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(home, "Otto", "Noor", "-p", "north,west") as seen:
        seen.until(lambda: len(seen.shown) == 2)
        with_ended_view(monkeypatch, north, "ann", BOTH)
        north.store.end(NOOR)
        seen.until(lambda: len(seen.said("session-ended")) == 1)
        north.store.say(BOTH, "goodbye")
        north.store.end(BOTH)
        assert seen.wait() == 0
    shown = [(session_id, text) for session_id, text, _ in seen.shown]
    assert sorted(shown) == [(NOOR, "hello from 2"), (BOTH, "goodbye"), (BOTH, "hello from 3")]


def test_an_unknown_session_is_refused(smscli: Smscli, home: dict[str, str]) -> None:
    outcome = smscli("tail", "nobody", "-p", "north,west", **home)
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == (
        "error: no such session: nobody\n"
        "hint: `smscli list` shows the live sessions of the profiles: "
        f"{MIKA} (Mika), {BOTH} (Otto), {NOOR} (Noor)\n"
    )


def test_a_recording_of_all_goes_on_where_each_profile_stopped(
    home: dict[str, str], north: FakeServer, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    every = ("--all", "-p", "north,west", "--record", str(file))
    with following(home, *every) as seen:
        seen.until(lambda: len(seen.shown) == 3)
        assert seen.end() == 130
    north.store.say(MIKA, "missed 1")
    north.store.say(NOOR, "missed 2")
    north.store.say(BOTH, "missed 3")
    # One of the agents alone, on the same file: the sessions of the other one have not ended.
    with following(home, "--all", "-p", "north", "--record", str(file)) as seen:
        seen.until(lambda: len(seen.messages) == 2)
        time.sleep(6.0)
        assert seen.end() == 130
    with following(home, *every) as seen:
        seen.until(lambda: len(seen.shown) == 1)
        assert seen.end() == 130
    assert seen.shown == [(NOOR, "missed 2", "west")]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one for one in lines if one.get("record") == "ended"] == []
    server = north.url.removeprefix("http://")
    assert {one["server"] for one in lines} == {server}
    texts = sorted((one["sessionId"], one["text"]) for one in lines if "text" in one)
    assert texts == sorted([*_HELLO, (MIKA, "missed 1"), (NOOR, "missed 2"), (BOTH, "missed 3")])
    # Read by one profile alone a message doesn't name it; which of two agents reads their session varies.
    said = [one for one in lines if "text" in one and one["text"] != "hello from 3"]
    named = {(one["sessionId"], one.get("profile")) for one in said}
    assert {(MIKA, "north"), (NOOR, "west"), (MIKA, None), (BOTH, None)} <= named
    whose = {one["session"]["id"]: one["profile"] for one in lines if one.get("record") == "session"}
    assert (whose[MIKA], whose[NOOR]) == ("north", "west")


def test_on_a_terminal_each_line_has_the_profile_before_the_session(
    home: dict[str, str], north: FakeServer
) -> None:
    environ = {**home, "TZ": "UTC", "NO_COLOR": "1", "PATH": os.environ["PATH"]}
    with OnTerminal("tail", "--all", "-p", "*", "--last", "1", environ=environ) as seen:
        seen.until("hello from 3")
        lines = [re.sub(r"\d\d:\d\d:\d\d", "10:00:00", line.rstrip()) for line in seen.screen]
        assert sorted(line for line in lines if "▶" in line and "Otto" not in line) == [
            "north/…F0001  10:00:00  ▶ Mika     hello from 1",
            "west/…EF0002  10:00:00  ▶ Noor     hello from 2",
        ]
        assert lines[0] == "10:00:00  following the SMS sessions of 2 profiles"
        seen.press("\x03")
        assert seen.ended() == 130


def test_a_list_of_several_profiles_is_watched(
    home: dict[str, str], north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {**home, "TZ": "UTC", "NO_COLOR": "1", "PATH": os.environ["PATH"]}

    with OnTerminal("list", "--watch", "-p", "*", "--columns", "id,state", environ=environ) as seen:

        def whose() -> dict[str, str]:
            """The profile behind each session."""
            lines = [line.split() for line in seen.screen if "Chatting" in line]
            return {next(one for one in line if one.startswith("0000")): line[-1] for line in lines}

        def until(expected: dict[str, str]) -> None:
            end = time.monotonic() + _PATIENCE
            while whose() != expected:
                assert time.monotonic() < end and seen.look(), "\n".join(seen.screen)

        until({MIKA: "north", BOTH: "north", NOOR: "west"})
        assert "3 SMS sessions of 2 profiles" in seen.screen[0]
        with_ended_view(monkeypatch, north, "ann", BOTH)
        north.store.say(NOOR, "a wake-up")
        until({MIKA: "north", BOTH: "west", NOOR: "west"})
        seen.press("q")
        assert seen.ended() == 0


def test_a_server_that_hangs_delays_no_other(
    profile_home: dict[str, str], north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeServer(Options(scene="empty", users={"eve": "p"})) as south:
        for number in range(6):
            south.store.add_session(f"0000Na9B26EF100{number}", customer="Yuki")
        usual, hangs = south.api.answer, threading.Event()

        def answer(request: object, asker: str | None) -> object:
            hangs.wait(_PATIENCE)
            return usual(request, asker)  # type: ignore[arg-type]

        monkeypatch.setattr(south.api, "answer", answer)
        profiles(profile_home, a=(south.url, "eve"), b=(south.url, "eve"), north=(north.url, "ann"))
        with following(profile_home, "--all", "-p", "*") as seen:
            seen.until(lambda: len(seen.shown) == 2)
            said = time.monotonic()
            north.store.say(MIKA, "at once")
            seen.until(lambda: (MIKA, "at once", "north") in seen.shown)
            assert time.monotonic() - said < 5
            hangs.set()
            assert seen.end() == 130


def test_a_notice_about_all_profiles_is_of_no_profile(
    home: dict[str, str], north: FakeServer, tmp_path: Path
) -> None:
    often = ("--push", "off", "--interval", "0.1", "--record", str(tmp_path / "all.jsonl"))
    with following(home, "--all", "-p", "north,west", *often) as seen:
        seen.until(lambda: seen.said("stretched"))
        north.store.say(NOOR, "still followed")
        seen.until(lambda: (NOOR, "still followed", "west") in seen.shown)
        assert seen.end() == 130
    assert seen.said("stretched") == [
        ("stretched", None, "3 sessions: polling is slower than asked for"),
    ]


def test_a_profile_that_is_refused_later_is_given_up_and_the_others_go_on(
    home: dict[str, str], north: FakeServer, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    with following(home, "Mika", "Noor", "-p", "north,west", "--record", str(file)) as seen:
        seen.until(lambda: len(seen.shown) == 2)
        north.options.users["ann"] = "another one"
        seen.until(lambda: seen.said("lost"))
        north.store.say(NOOR, "still followed")
        seen.until(lambda: (NOOR, "still followed", "west") in seen.shown)
        north.store.end(NOOR)
        assert seen.wait() == 4
    (lost,) = seen.said("lost")
    assert (lost[1], lost[2][:36]) == ("north", "can't be read: the server answers: n")
    (error,) = [one["error"] for one in seen.notices if "error" in one]
    assert error["message"].startswith("profile north: the server answers: not signed in")
    recorded = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["text"] for one in recorded if "text" in one and one["sessionId"] == NOOR] == [
        "hello from 2",
        "still followed",
    ]


def test_when_all_are_refused_later_the_last_ones_error_is_the_end(
    home: dict[str, str], north: FakeServer
) -> None:
    with following(home, "--all", "-p", "north,west") as seen:
        seen.until(lambda: len(seen.shown) == 3)
        north.options.users.update(ann="another one", bob="another one")
        assert seen.wait() == 4
    assert len(seen.said("lost")) == 1
