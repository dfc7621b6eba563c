"""`tail --record` through everything that breaks: the recording is the log, and each break is said."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import running

pytestmark = pytest.mark.slow

FIRST, SECOND = "0000Na9B26EF0001", "0000Na9B26EF0002"
_PATIENCE = 30.0


class Following:
    """A follower in a process of its own, what it recorded and what it said."""

    def __init__(self, child: "subprocess.Popen[str]", file: Path) -> None:
        self._child = child
        self._file = file
        self.notices: list[str] = []
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self._child.stderr
        for line in self._child.stderr:
            kind = json.loads(line)["notice"]["kind"]
            # Where it records is not what these tests are about.
            self.notices += [kind] * (kind != "recording")

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < end, (self.notices, self.recorded)
            assert self._child.poll() is None, self.notices
            time.sleep(0.02)

    def told(self, kind: str, times: int = 1) -> None:
        self.until(lambda: self.notices.count(kind) >= times)

    @property
    def recorded(self) -> dict[str, list[str]]:
        """The texts of each session, in the recording's order."""
        found: dict[str, list[str]] = {FIRST: [], SECOND: []}
        for message in self._messages():
            found[message["sessionId"]].append(message["text"])
        return found

    @property
    def bodies(self) -> list[str]:
        """What the messages of all sessions say, in the recording's order."""
        return [message.get("text") or message["noticeText"] for message in self._messages()]

    def _messages(self) -> list[dict[str, Any]]:
        lines = self._file.read_bytes().split(b"\n")[:-1] if self._file.exists() else []
        return [one for one in map(json.loads, lines) if "record" not in one]

    def end(self) -> int:
        self._child.send_signal(signal.SIGINT)
        code = self._child.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        return code


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty", hold=2.0)) as server:
        for session_id in (FIRST, SECOND):
            server.store.add_session(session_id, customer="Mika", agents=())
        yield server


@contextmanager
def following(server: FakeServer, home: dict[str, str], tmp_path: Path, *more: str) -> Iterator[Following]:
    file = tmp_path / "log.jsonl"
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    arguments = ["tail", "--all", "--json", "--interval", "0.2", "--record", str(file), *more]
    with running({**home, **signed_in}, *arguments) as child:
        yield Following(child, file)


def say(server: FakeServer, *numbers: int) -> None:
    for number in numbers:
        for session_id in (FIRST, SECOND):
            server.store.say(session_id, f"message {number}", by="Mika")


def win_trust(server: FakeServer, seen: Following) -> int:
    """Say messages until push is trusted, that is, one was announced before it was found. How many."""
    assert server.await_listeners()
    numbers: list[int] = []
    while "push-trusted" not in seen.notices:
        numbers.append(len(numbers) + 1)
        say(server, numbers[-1])
        seen.until(lambda: seen.recorded == said(*numbers))
        time.sleep(0.2)
    return len(numbers)


def said(*numbers: int) -> dict[str, list[str]]:
    return {one: [f"message {number}" for number in numbers] for one in (FIRST, SECOND)}


@pytest.mark.parametrize("uris", ["signed-query", "signed-path"])
def test_an_attachment_whose_address_is_signed_anew_at_each_read_is_one_message(
    server: FakeServer, home: dict[str, str], tmp_path: Path, uris: Literal["signed-query", "signed-path"]
) -> None:
    server.options.attachment_uris = uris
    customer = server.store.participant(FIRST, "Mika")
    photo = {"id": "f1", "name": "photo.jpg", "uri": "http://h/f1"}
    server.store.say(FIRST, "look", by="Mika")
    server.store.append(
        FIRST,
        {"type": "SystemCommand", "from": customer, "noticeText": "file-uploaded", "attachment": photo},
    )
    with following(server, home, tmp_path, "--push", "off") as seen:
        seen.until(lambda: len(seen.bodies) == 2)
        before = len(server.requests)
        seen.until(lambda: len(server.requests) >= before + 10)
        server.store.say(FIRST, "and this", by="Mika")
        seen.until(lambda: len(seen.bodies) == 3)
        assert seen.end() == 130
    assert seen.bodies == ["look", "file-uploaded", "and this"]
    assert seen.notices == ["whose"]


def test_a_cut_and_a_forgotten_push_channel_lose_nothing(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    with following(server, home, tmp_path) as seen:
        last = win_trust(server, seen)
        for number, trouble in enumerate((server.cut_push, server.drop_push), start=last + 1):
            trouble()
            say(server, number)
            seen.until(lambda number=number: seen.recorded == said(*range(1, number + 1)))
            assert server.await_listeners()
        assert seen.end() == 130
        assert seen.recorded == said(*range(1, last + 3))
    assert seen.notices == ["whose", "push-trusted"]


def test_a_lost_server_is_said_once_and_once_more_when_it_is_back(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    with following(server, home, tmp_path, "--push", "off") as seen:
        say(server, 1)
        seen.until(lambda: seen.recorded == said(1))
        server.options.fault, server.options.fault_rate = ("reset",), 1.0
        seen.told("lost")
        say(server, 2, 3)
        time.sleep(0.3)
        server.options.fault = ()
        seen.told("reconnected")
        seen.until(lambda: seen.recorded == said(1, 2, 3))
        assert seen.end() == 130
    assert seen.notices == ["whose", "lost", "reconnected"]


def test_a_server_that_began_its_logs_anew_is_read_from_their_start(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    with following(server, home, tmp_path) as seen:
        say(server, 1, 2)
        seen.until(lambda: seen.recorded == said(1, 2))
        server.restart()
        say(server, 3)
        seen.until(lambda: seen.recorded == said(1, 2, 3))
        assert seen.end() == 130
    assert seen.notices.count("reset") == 2


def test_without_push_it_polls_and_says_so_once(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    server.options.push = "off"
    with following(server, home, tmp_path) as seen:
        seen.told("polling")
        say(server, 1)
        seen.until(lambda: seen.recorded == said(1))
        assert seen.end() == 130
    assert seen.notices == ["whose", "polling"]


def test_killed_at_any_moment_it_goes_on_where_it_was(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    for number in range(1, 6):
        with following(server, home, tmp_path, "--last", "0") as seen:
            say(server, 2 * number - 1, 2 * number)
            if number < 5:
                time.sleep(0.25 + number * 0.05)
                continue
            seen.until(lambda: seen.recorded == said(*range(1, 11)))


def test_while_the_channel_is_down_it_polls_as_if_there_were_none(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    with following(server, home, tmp_path) as seen:
        last = win_trust(server, seen)
        server.options.fault, server.options.fault_path = ("reset",), "notifications"
        server.cut_push()
        for number in range(last + 1, last + 5):
            say(server, number)
            before = time.monotonic()
            seen.until(lambda number=number: seen.recorded == said(*range(1, number + 1)))
            # Trusted, it would read one session every five seconds.
            assert time.monotonic() - before < 4
        assert seen.end() == 130
    assert seen.notices == ["whose", "push-trusted"]


def test_a_dead_server_is_noticed_although_push_was_trusted(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    with following(server, home, tmp_path) as seen:
        last = win_trust(server, seen)
        server.options.fault = ("reset",)
        server.cut_push()
        seen.told("lost")
        say(server, last + 1)
        server.options.fault = ()
        seen.told("reconnected")
        seen.until(lambda: seen.recorded == said(*range(1, last + 2)))
        assert seen.end() == 130
    assert seen.notices == ["whose", "push-trusted", "lost", "reconnected"]


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows an open file can't be moved")
def test_a_moved_recording_is_begun_anew_at_once_though_nothing_arrives(
    server: FakeServer, home: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "log.jsonl"
    with following(server, home, tmp_path) as seen:
        win_trust(server, seen)
        before = time.monotonic()
        for number in range(3):
            file.rename(tmp_path / f"log.jsonl.{number}")
            seen.until(file.exists)
        # Trusted, it would read one session every five seconds.
        assert time.monotonic() - before < 3
        assert seen.end() == 130
