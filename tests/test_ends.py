"""However a run ends: by Ctrl-C anywhere, by a signal, without a reader, without room, without a terminal."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smscli.demo.options import Options
from smscli.demo.server import DemoServer

Environ = dict[str, str]

ID = "0000Na9B26EF0001"
_PATIENCE = 20.0
# As the installed program starts, with a byte to say that the interpreter itself is up.
_LAUNCHER = "import os; from smscli.__main__ import main; os.write(1, b'.'); main()"


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
