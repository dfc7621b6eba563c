"""However a run ends: by Ctrl-C anywhere, by a signal, without a reader, without room, without a terminal."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smscli.context import AppContext
from smscli.demo.options import Options
from smscli.demo.server import DemoServer
from smscli.interrupts import Stopped, heeded
from smscli.terminal import Terminal
from tests.on_terminal import OnTerminal

Environ = dict[str, str]

ID = "0000Na9B26EF0001"
_PATIENCE = 20.0
# As the installed program starts, with a byte to say that the interpreter itself is up.
_LAUNCHER = "import os; from smscli.__main__ import main; os.write(1, b'.'); main()"


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
def server() -> Iterator[DemoServer]:
    """A server with one session in which three things have been said."""
    with DemoServer(Options(scene="empty")) as server:
        server.world.add_session(ID, customer="Mika", agents=("Robin",))
        for number in range(1, 4):
            server.world.say(ID, f"question {number}", by="Mika")
        yield server


@pytest.fixture
def environ(home: Environ) -> Environ:
    """A user who has a profile, for `auth list` to print."""
    config = Path(home["HOME"], ".config", "smscli")
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[profiles.work]\nurl = "https://gws.example"\n')
    return {**home, "TZ": "UTC", "PATH": os.environ["PATH"]}


def at(server: DemoServer, environ: Environ) -> Environ:
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    return {**environ, **signed_in}


def ended(child: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """The exit code and what was told on stderr."""
    assert child.stderr
    code = child.wait(_PATIENCE)
    return as_a_shell_counts(code), child.stderr.read().decode()


def hangs(server: DemoServer) -> Callable[[], bool]:
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
    server: DemoServer, environ: Environ
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

    with pytest.raises(Stopped) as stopped, heeded():
        Finalized()
        time.sleep(_PATIENCE)
    assert stopped.value.exit_code == 130


def test_an_interrupted_end_still_ends_everything(home: Environ) -> None:
    ended: list[str] = []

    def interrupted() -> None:
        raise Stopped(signal.SIGINT)

    terminal = Terminal.for_test()
    app = AppContext(home, machine=False, terminal=terminal)
    app.at_close(lambda: ended.append("the first"))
    app.at_close(interrupted)
    app.at_close(lambda: ended.append("the last"))
    terminal.live(lambda width: "live")
    with pytest.raises(Stopped):
        app.close()
    assert ended == ["the last", "the first"]
    assert terminal.out_text == "\x1b[2mlive\x1b[0m\r\r\x1b[J"


@pytest.mark.parametrize("gap", [0.0, 0.001, 0.01, 0.05])
@pytest.mark.parametrize("arguments", [["list"], ["tail", ID]], ids=words)
def test_ctrl_c_twice_in_a_row(
    server: DemoServer, environ: Environ, arguments: list[str], gap: float
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
