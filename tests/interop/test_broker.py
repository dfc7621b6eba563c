"""The README's way into a message broker, with a real one: every message of the server's arrives."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.readme import blocks, lines, scripts, search_path, the

BROKER = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.skipif(BROKER is None and "CI" not in os.environ, reason="needs mosquitto and its clients"),
]

PUBLISH, SUBSCRIBE = the(lines(), "| mosquitto_pub"), the(lines(), "mosquitto_sub")
LOOP = the(scripts(), "mosquitto_pub")
_PATIENCE = 40.0

Log = list[tuple[str, int, str | None]]
"""Each message's session, index and text."""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Broker:
    """Mosquitto with what the README has it told, on a free port of loopback."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "broker.log"
        self._file = folder / "mosquitto.conf"
        told = [
            the(blocks("conf"), "persistence"),
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            f"persistence_location {folder}/",
            f"log_dest file {self.log}",
            "log_type all",
            # Started by root it would change to a user who must not write here.
            *(["user root"] if os.getuid() == 0 else []),
        ]
        self._file.write_text("\n".join(told) + "\n")
        self.start()

    def start(self) -> None:
        self._child = subprocess.Popen([str(BROKER), "-c", str(self._file)], stderr=subprocess.DEVNULL)
        until(self._listens)

    def stop(self) -> None:
        self._child.terminate()
        self._child.wait(_PATIENCE)

    def _listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0


class Running:
    """A command line in a shell and a process group of its own."""

    def __init__(self, command: list[str], environ: dict[str, str], out: Path) -> None:
        with out.open("ab") as file:
            self.child = subprocess.Popen(
                command, env=environ, cwd=environ["HOME"], stdout=file, stderr=file, start_new_session=True
            )
        self._out = out

    def signal(self, program: str, number: signal.Signals) -> None:
        """Send a signal to that part of the command line, as soon as there is one."""
        until(lambda: bool(self._parts(program)))
        for part in self._parts(program):
            os.kill(part, number)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(_PATIENCE)

    @property
    def said(self) -> str:
        return self._out.read_text()

    @property
    def messages(self) -> Log:
        """What has arrived, down to the last whole line."""
        found = map(json.loads, self._out.read_text(encoding="utf-8").split("\n")[:-1])
        return [(one["sessionId"], one["index"], one.get("text")) for one in found]

    def _parts(self, program: str) -> list[int]:
        """The processes of this command line that run that program, its shells left out."""
        found = []
        for number in (int(entry.name) for entry in Path("/proc").glob("[0-9]*")):
            with suppress(OSError):
                arguments = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if os.getsid(number) == self.child.pid and program in arguments and "sh -c" not in arguments:
                    found.append(number)
        return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def environ(tmp_path: Path, home: dict[str, str], broker: Broker) -> dict[str, str]:
    """A home in which the broker's clients know where it is."""
    (tmp_path / ".config").mkdir()
    for client in ("mosquitto_pub", "mosquitto_sub"):
        (tmp_path / ".config" / client).write_text(f"-h 127.0.0.1\n-p {broker.port}\n")
    return {**home, "PATH": search_path(tmp_path)}


def signed_in(environ: dict[str, str], server: FakeServer) -> dict[str, str]:
    return {**environ, "SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}


@contextmanager
def running(command: list[str], environ: dict[str, str], out: Path) -> Iterator[Running]:
    made = Running(command, environ, out)
    try:
        yield made
    finally:
        made.end()


@contextmanager
def subscribed(name: str, environ: dict[str, str], broker: Broker, tmp_path: Path) -> Iterator[Running]:
    """The README's subscriber under a name of its own, once the broker has heard of it."""
    heard = f"Sending SUBACK to {name}"
    times = broker.log.read_text().count(heard)
    line = SUBSCRIBE.replace("wallboard", name)
    assert name in line
    with running(["bash", "-c", line], environ, tmp_path / f"{name}.jsonl") as made:
        until(lambda: broker.log.read_text().count(heard) > times)
        yield made


def log_of(server: FakeServer) -> Log:
    """Every message of the server's, those of sessions that have gone too, but for its built-in sample's."""
    sessions = {**server.store.sessions, **server.store.removed}
    return [
        (session_id, message["index"], message.get("text"))
        for session_id, session in sessions.items()
        for message in server.store.logs[session_id]
        if session.owner is None
    ]


def by_session(log: Log) -> dict[str, Log]:
    """Each session's messages in their order, each once."""
    once = dict.fromkeys(log)
    return {name: [one for one in once if one[0] == name] for name in {one[0] for one in log}}


def test_machines_that_were_away_have_every_message_after_a_restart_of_the_broker(
    environ: dict[str, str], broker: Broker, tmp_path: Path
) -> None:
    with FakeServer(Options(scene="bulk", sessions=3, messages=500)) as server:
        first, *_ = (session.id for session in server.store.visible_to("demo"))
        for name in ("wallboard", "archive"):
            with subscribed(name, environ, broker, tmp_path):
                pass
        with running(["bash", "-c", PUBLISH], signed_in(environ, server), tmp_path / "said"):
            until(lambda: broker.log.read_text().count("Received PUBLISH") >= 1500)
            broker.stop()
            for number in range(20):
                server.store.say(first, f"while it is away {number}")
            time.sleep(1)
            broker.start()
            server.store.say(first, "after that")
            until(lambda: broker.log.read_text().count("Received PUBLISH") >= 1521)
            for name in ("wallboard", "archive"):
                with subscribed(name, environ, broker, tmp_path) as machine:
                    until(lambda machine=machine: by_session(machine.messages) == by_session(log_of(server)))


def test_when_the_publisher_ends_so_does_tail(
    environ: dict[str, str], broker: Broker, tmp_path: Path
) -> None:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session("0000Na9B26EF0001")
        command = ["bash", "-c", f"{PUBLISH}\necho ${{PIPESTATUS[*]}}"]
        with running(command, signed_in(environ, server), tmp_path / "said") as line:
            assert server.await_listeners()
            line.signal("mosquitto_pub", signal.SIGKILL)
            until(lambda: line.said.endswith("141 137\n"))


def test_with_a_recording_nothing_is_lost_whatever_ends(
    environ: dict[str, str], broker: Broker, tmp_path: Path
) -> None:
    """Publisher, follower and broker end in turn while sessions come and go."""
    script = tmp_path / "to-broker"
    script.write_text(LOOP)
    with FakeServer(Options(scene="empty")) as server:
        over = threading.Event()
        talks = [threading.Thread(target=talk, args=(server, tmp_path / "sms.jsonl", over)) for _ in range(2)]
        with (
            subscribed("wallboard", environ, broker, tmp_path) as machine,
            running(["sh", str(script)], signed_in(environ, server), tmp_path / "said") as loop,
        ):
            for one in talks:
                one.start()
            for program in ("mosquitto_pub", "smscli tail", "mosquitto_pub"):
                known = set(log_of(server))
                until(lambda known=known: not known.issuperset(machine.messages))
                # What it is handed from now on goes down with it.
                loop.signal("mosquitto_pub", signal.SIGSTOP)
                gone = len(server.store.removed)
                until(lambda gone=gone: len(server.store.removed) > gone + 1)
                loop.signal(program, signal.SIGKILL)
                loop.signal("mosquitto_pub", signal.SIGCONT)
            broker.stop()
            time.sleep(0.5)
            broker.start()
            over.set()
            for one in talks:
                one.join()
            until(lambda: set(machine.messages) == set(log_of(server)))
        assert server.store.removed


def talk(server: FakeServer, recording: Path, over: threading.Event) -> None:
    """One session after the other; each goes as soon as it is kept, so that nothing else has it."""
    while not over.is_set():
        session_id = server.store.add_session()
        for number in range(10):
            server.store.say(session_id, f"message {number}")
            over.wait(0.02)
        line = f'"sessionId":"{session_id}"'
        until(lambda line=line: recording.exists() and recording.read_text().count(line) == 10)
        server.store.remove(session_id)


def test_the_loop_ends_where_the_sign_in_is_refused(
    environ: dict[str, str], broker: Broker, tmp_path: Path
) -> None:
    script = tmp_path / "to-broker"
    script.write_text(LOOP)
    with FakeServer(Options(scene="empty")) as server:
        wrong = {**signed_in(environ, server), "SMSCLI_PASSWORD": "wrong"}
        with running(["sh", str(script)], wrong, tmp_path / "said") as loop:
            assert loop.child.wait(_PATIENCE) == -signal.SIGTERM
            assert loop.said.count('"kind":"auth"') == 1
        assert len(server.requests) == 1
