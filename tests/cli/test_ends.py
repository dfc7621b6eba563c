"""However a run ends: by Ctrl-C anywhere, by a signal, without a reader, without room, without a terminal."""

import array
import fcntl
import json
import os
import random
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from smscli.context import AppContext
from smscli.signals import StopSignal, stop_signals_raised
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.captured_terminal import CapturedTerminal
from tests.support.on_terminal import OnTerminal

pytestmark = pytest.mark.slow

Environ = dict[str, str]

ID = "0000Na9B26EF0001"
LONG = "0000Nb0000000000"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
READING = (["list"], ["list", "--json"], ["show", ID], ["messages", ID], ["messages", ID, "--json"])
FOLLOWING = (["tail", ID], ["tail", "--all", "--json"])
CHECKING = (["doctor"], ["doctor", "--json"], ["auth", "status"])
ALL = (*READING, *FOLLOWING, *CHECKING, ["auth", "list"])
OTHERS = (["demo"], ["--help"], ["--version"], ["tail", "--help"], ["messages", ID, "--html", "-"])
_PATIENCE = 20.0
# Before it takes Ctrl-C over, which it tells here, a program in Python can do nothing about it.
_LAUNCHER = """
import os, signal
from smscli.__main__ import main
take = signal.signal
def taken(number, way):
    before = take(number, way)
    os.write(1, b".")
    return before
signal.signal = taken
main()
"""


def words(arguments: Sequence[str]) -> str:
    return " ".join(arguments)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def as_a_shell_counts(code: int) -> int:
    return 128 - code if code < 0 else code


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with one session in which three things have been said."""
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(ID, customer="Mika", agents=("Robin",))
        for number in range(1, 4):
            server.store.say(ID, f"question {number}", by="Mika")
        yield server


@pytest.fixture
def long_log() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="bulk", sessions=1, messages=20_000)) as server:
        yield server


@pytest.fixture
def environ(home: Environ) -> Environ:
    """A user who has a profile, for `auth list` to print."""
    config = Path(home["HOME"], ".config", "smscli")
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[profiles.work]\nurl = "https://gws.example"\n')
    return {**home, "TZ": "UTC", "PATH": os.environ["PATH"]}


def at(server: FakeServer, environ: Environ) -> Environ:
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    return {**environ, **signed_in}


@contextmanager
def running(
    environ: Environ, *arguments: str, stdout: int = subprocess.PIPE
) -> Iterator["subprocess.Popen[bytes]"]:
    """`smscli ARGUMENTS` in a process of its own, which does not outlive the block."""
    command = [sys.executable, "-m", "smscli", *arguments]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def ended(child: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """The exit code and what was told on stderr."""
    assert child.stderr
    code = child.wait(_PATIENCE)
    return as_a_shell_counts(code), child.stderr.read().decode()


def hangs(server: FakeServer) -> Callable[[], bool]:
    """From now on no request is answered; whether one is waiting."""
    server.options.fault = ("hang:60",)
    asked = len(server.requests)
    return lambda: len(server.requests) > asked


# --- Ctrl-C ---


def interrupted_at(environ: Environ, moment: float) -> tuple[float, int, bytes]:
    command = [sys.executable, "-c", _LAUNCHER, "list", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe) as child:
        assert child.stdout
        child.stdout.read(1)
        time.sleep(moment)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=_PATIENCE)
    return moment, as_a_shell_counts(child.returncode), told


def test_ctrl_c_at_any_moment_of_the_start_ends_it_without_a_word(
    server: FakeServer, environ: Environ
) -> None:
    hangs(server)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    moments = [chance.uniform(0.0, 0.5) for _ in range(40)]
    with ThreadPoolExecutor(2) as hands:
        ends = list(hands.map(lambda moment: interrupted_at(at(server, environ), moment), moments))
    assert ends == [(moment, 130, b"") for moment in moments], f"seed {seed}"


def test_a_signal_that_python_drops_comes_again() -> None:
    """An exception out of a finalizer goes nowhere."""

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(StopSignal) as stopped, stop_signals_raised():
        Finalized()
        time.sleep(_PATIENCE)
    assert stopped.value.exit_code == 130


def test_ctrl_c_lost_behind_an_error_of_a_clean_up_ends_the_next_wait() -> None:
    terminal = CapturedTerminal()
    with pytest.raises(StopSignal) as stopped, stop_signals_raised():
        terminal.check()
        with suppress(FileNotFoundError):
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                raise FileNotFoundError
        terminal.check()
    assert stopped.value.exit_code == 130
    # It is over: whoever waits later is not ended by it.
    terminal.check()


def test_an_interrupted_end_still_ends_everything(home: Environ) -> None:
    ended: list[str] = []

    def interrupted() -> None:
        raise StopSignal(signal.SIGINT)

    terminal = CapturedTerminal()
    app = AppContext(home, json_stderr=False, terminal=terminal)
    app.on_close(lambda: ended.append("the first"))
    app.on_close(interrupted)
    app.on_close(lambda: ended.append("the last"))
    terminal.live(lambda width: "live")
    with pytest.raises(StopSignal):
        app.close()
    assert ended == ["the last", "the first"]
    assert terminal.out_text == "\x1b[2mlive\x1b[0m\r\r\x1b[J"


def seen_to_end(seen: OnTerminal) -> tuple[int, int, bool]:
    """The exit code, the column the prompt comes to stand in, and whether the cursor is hidden."""
    return seen.ended(), seen.cursor[1], seen.cursor_hidden


CLEAN = (130, 0, False)


@pytest.mark.parametrize("arguments", [*READING, *CHECKING], ids=words)
def test_ctrl_c_while_the_server_hangs(server: FakeServer, environ: Environ, arguments: list[str]) -> None:
    waiting = hangs(server)
    with OnTerminal(*arguments, environ=at(server, environ)) as seen:
        until(waiting)
        seen.press("\x03")
        assert seen_to_end(seen) == CLEAN
        assert "Traceback" not in "".join(seen.screen)


def test_ctrl_c_in_a_long_poll(server: FakeServer, environ: Environ) -> None:
    with OnTerminal("tail", ID, environ=at(server, environ)) as seen:
        seen.until("● live")
        seen.until("question 3")
        assert server.await_listeners()
        seen.press("\x03")
        assert seen_to_end(seen) == CLEAN
        assert "question 3" in [line for line in seen.screen if line][-1]


@pytest.mark.parametrize("command", ["messages", "tail"])
def test_ctrl_c_while_a_long_log_is_read_to_its_last_entries(
    long_log: FakeServer, environ: Environ, command: str
) -> None:
    long_log.options.delay_ms = 50.0
    with OnTerminal(command, LONG, "--last", "10", environ=at(long_log, environ)) as seen:
        until(lambda: len(long_log.requests) > 5)
        seen.press("\x03")
        assert seen_to_end(seen) == CLEAN
        assert not [line for line in seen.screen if "read" in line or "Traceback" in line]


@pytest.mark.parametrize("gap", [0.0, 0.001, 0.01, 0.05])
@pytest.mark.parametrize("arguments", [["list"], ["tail", ID]], ids=words)
def test_ctrl_c_twice_in_a_row(
    server: FakeServer, environ: Environ, arguments: list[str], gap: float
) -> None:
    with OnTerminal(*arguments, environ=at(server, environ)) as seen:
        if arguments[0] == "tail":
            seen.until("● live")
            assert server.await_listeners()
            waiting = hangs(server)
        else:
            waiting = hangs(server)
            until(waiting)
        seen.press("\x03")
        time.sleep(gap)
        seen.press("\x03")
        assert (seen.ended(), seen.cursor_hidden) == (130, False)
        assert not [line for line in seen.screen if "live" in line or "Traceback" in line]


@pytest.mark.parametrize("prompt", ["server URL", "user", "password"])
def test_ctrl_c_at_a_prompt_leaves_the_next_line_to_the_shell(
    environ: Environ, server: FakeServer, prompt: str
) -> None:
    given = ["--url", server.url] if prompt != "server URL" else []
    given += ["--user", "maja"] if prompt == "password" else []
    environ = {**environ, "PYTHON_KEYRING_BACKEND": "tests.support.memory_keyring.Memory"}
    with OnTerminal("auth", "login", *given, environ=environ) as seen:
        seen.until(prompt)
        assert seen.echoes is (prompt != "password")
        seen.press("\x03")
        assert seen_to_end(seen) == CLEAN
        assert seen.echoes
        assert not [line for line in seen.screen if line and not line.startswith(prompt)]


def unread(pipe: int) -> int:
    """Bytes that wait in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


@contextmanager
def blocked(environ: Environ, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that writes to a pipe which is full, and which nobody reads."""
    reading, writing = os.pipe()
    try:
        with running(environ, *arguments, stdout=writing) as child:
            os.close(writing)
            until(lambda: unread(reading) >= 60_000)
            time.sleep(0.1)
            yield child
    finally:
        os.close(reading)


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("form", ["--jsonl", "--json"])
def test_a_signal_in_a_write_that_nobody_reads(
    long_log: FakeServer, environ: Environ, form: str, number: signal.Signals
) -> None:
    with blocked(at(long_log, environ), "messages", LONG, form) as child:
        begun = time.monotonic()
        child.send_signal(number)
        assert ended(child) == (CODES[number], "")
        assert time.monotonic() - begun < 5


# --- signals ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("arguments", [*READING, *FOLLOWING, *CHECKING], ids=words)
def test_a_signal_ends_each_command(
    server: FakeServer, environ: Environ, arguments: list[str], number: signal.Signals
) -> None:
    waiting = hangs(server)
    with running(at(server, environ), *arguments) as child:
        until(waiting)
        child.send_signal(number)
        code, told = ended(child)
    assert (code, [line for line in told.splitlines() if "following" not in line]) == (CODES[number], [])


@pytest.mark.parametrize("number", CODES)
def test_a_signal_ends_the_demo_server(environ: Environ, number: signal.Signals) -> None:
    with running(environ, "demo", "--port", "0") as child:
        assert child.stdout
        child.stdout.readline()
        child.send_signal(number)
        code, told = ended(child)
    assert (code, "Traceback" in told) == (CODES[number], False)


def test_a_terminal_that_vanishes_is_a_hang_up(server: FakeServer, environ: Environ, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    with OnTerminal("tail", ID, "--record", str(file), environ=at(server, environ)) as seen:
        seen.until("● live")
        seen.until("question 3")
        seen.vanish()
        assert seen.ended() == 129
    records = map(json.loads, file.read_text().splitlines())
    assert [one["text"] for one in records if "text" in one] == [
        "question 1",
        "question 2",
        "question 3",
    ]


# --- nobody reads, nothing fits ---


@pytest.mark.parametrize("arguments", [*ALL, *OTHERS], ids=words)
def test_a_pipe_without_a_reader_is_silent(
    server: FakeServer, environ: Environ, arguments: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with running(at(server, environ), *arguments, stdout=writing) as child:
        os.close(writing)
        code, told = ended(child)
    assert (code, [line for line in told.splitlines() if "following" not in line]) == (141, [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("arguments", ALL, ids=words)
def test_a_full_disk_is_one_line(server: FakeServer, environ: Environ, arguments: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with running(at(server, environ), *arguments, stdout=full) as child:
        os.close(full)
        code, told = ended(child)
    message = "output can't be written: No space left on device"
    lines = [line for line in told.splitlines() if "following" not in line]
    assert code == 1
    if "--json" in arguments:
        assert [json.loads(line)["error"]["message"] for line in lines] == [message]
    else:
        assert lines == [f"error: {message}"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("arguments", OTHERS, ids=words)
def test_help_version_demo_and_page_meet_a_full_disk_with_one_line(
    server: FakeServer, environ: Environ, arguments: list[str]
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with running(at(server, environ), *arguments, stdout=full) as child:
        os.close(full)
        code, told = ended(child)
    (line,) = told.splitlines()
    assert (code, line.startswith("error: "), "No space left on device" in line) == (1, True, True)


FORMS = ([], ["--color", "always"], ["--json"], ["--jsonl"])


@pytest.mark.parametrize("form", FORMS, ids=words)
def test_the_first_page_is_there_while_the_second_hangs_and_its_reader_may_go(
    long_log: FakeServer, environ: Environ, form: list[str]
) -> None:
    """With the time-out and its repetition the second page would be waited for for 20 s."""
    long_log.fail_next("hang:60", times=9, path_part="startIndex=501")
    with running(at(long_log, environ), "messages", LONG, *form) as child:
        assert child.stdout
        came = b""
        while b"parcel" not in came:
            assert select.select([child.stdout], [], [], _PATIENCE)[0], "nothing comes of the first page"
            came += os.read(child.stdout.fileno(), 65536)
        child.stdout.close()
        gone = time.monotonic()
        code, told = ended(child)
    assert (code, told) == (141, "")
    assert time.monotonic() - gone < 5


# --- the recording ---


@pytest.mark.parametrize("number", CODES)
def test_no_half_line_is_left_in_a_recording(
    long_log: FakeServer, environ: Environ, tmp_path: Path, number: signal.Signals
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    file = tmp_path / "kept.jsonl"
    for _ in range(6):
        with running(
            at(long_log, environ), "tail", LONG, "--record", str(file), "--json", stdout=subprocess.DEVNULL
        ) as child:
            assert child.stderr
            while b"following" not in child.stderr.readline():
                pass
            until(lambda: file.stat().st_size > 0)
            time.sleep(chance.uniform(0.0, 0.3))
            child.send_signal(number)
            code, told = ended(child)
            assert (code, "Traceback" in told) == (CODES[number], False), f"seed {seed}"
        kept = file.read_bytes()
        assert kept.endswith(b"\n"), f"seed {seed}"
        records = map(json.loads, kept.splitlines())
        indices = [one["index"] for one in records if "index" in one]
        assert indices == list(range(1, len(indices) + 1)), f"seed {seed}"
