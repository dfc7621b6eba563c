"""The environment of the rows: a folder, the servers, and the programs that are compared."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.bench.children import Command, Environ, Failed, NoPeer, Run, run
from tests.bench.figures import Samples, mebibytes, seconds

_ROOT = Path(__file__).resolve().parents[2]
_HERE = Path(__file__).parent
# The script that pip generates for the entry point.
_LAUNCHER = "import sys\nfrom smscli.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
_PASSWORD = "demo"
_READ = "/me/smsessions"

Switch = str | int | float


class Served:
    """A test server in another process, and its log of requests."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        greeting = self._answer()
        self.url: str = greeting["url"]
        self.sessions: list[str] = greeting["sessions"]

    @property
    def list_url(self) -> str:
        return f"{self.url}/api/v2{_READ}?fields=*"

    def messages_url(self, session_id: str) -> str:
        return f"{self.url}/api/v2{_READ}/{session_id}/messages"

    def requests(self) -> list[str]:
        """The paths with query requested since the last `forget`."""
        return [target for _, _, target, _ in self._tell("requests")]

    def reads(self) -> list[float]:
        """When the list or messages were read since the last `forget`."""
        return [at for at, _, target, _ in self._tell("requests") if _READ in target]

    def forget(self) -> None:
        self._tell("forget")

    def say(self, session_id: str) -> None:
        """Send a message as the customer."""
        self._tell(f"say {session_id}")

    def _tell(self, command: str) -> Any:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise Failed("the demo server has ended")
        return json.loads(line)


@dataclass(frozen=True)
class Setting:
    """One run of the bench. `folder` is empty at the start; `size` is the length of a long log; `seed`
    determines all random choices."""

    folder: Path
    rounds: int = 7
    quick: bool = False
    size: int = 100_000
    seed: int = 0

    @contextmanager
    def serve(self, **switches: Switch) -> Iterator[Served]:
        """The server's bulk scene with these switches."""
        with self.served("tests.bench.served", **switches) as process:
            yield Served(process)

    @contextmanager
    def served(self, program: str, **switches: Switch) -> Iterator["subprocess.Popen[str]"]:
        """A server program of this folder with these switches, in its bulk scene."""
        words = [word for name, value in switches.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", program, "--scene", "bulk", *words]
        with subprocess.Popen(
            command, env=self.environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield process

    def environ(self, server: Served | None = None, **more: str) -> dict[str, str]:
        """A child's environment: its own home, this checkout, and the sign-in for `server`."""
        own = {"HOME": str(self.folder), "PATH": os.defpath, "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        own["PYTHONPATH"] = str(_ROOT)
        # Its own home would hide packages installed with `pip install --user`.
        own["PYTHONUSERBASE"] = os.environ.get("PYTHONUSERBASE", str(Path("~/.local").expanduser()))
        if server:
            own |= {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": _PASSWORD}
        return own | more

    def with_keyring(self, server: Served) -> dict[str, str]:
        """The same with a profile in the config file, and the password in a keyring."""
        config = self.folder / "config"
        config.mkdir(exist_ok=True)
        profile = f'[profiles.bench]\nurl = "{server.url}/api/v2"\nuser = "demo"\nauth = "basic"\n'
        (config / "config.toml").write_text(f'default = "bench"\n{profile}')
        return self.environ(
            SMSCLI_CONFIG_DIR=str(config),
            PYTHON_KEYRING_BACKEND="tests.bench.kept.Kept",
            BENCH_SECRET=_PASSWORD,
        )

    def smscli(self, *arguments: str) -> Command:
        """The tool, started as its entry point does."""
        launcher = self.folder / "smscli"
        if not launcher.exists():
            launcher.write_text(_LAUNCHER)
        return [sys.executable, str(launcher), *arguments]

    def floor(self, what: str, url: str) -> Command:
        return [sys.executable, str(_HERE / "floor.py"), what, url]

    @cached_property
    def httpie(self) -> str:
        """Its `http`, in an environment of its own. NoPeer where it can't be had."""
        home = self.folder / "httpie"
        try:
            venv.create(home, with_pip=True)
        except subprocess.CalledProcessError as error:  # Some systems package ensurepip separately.
            raise _no_httpie(error.output.decode(errors="replace")) from error
        installed = subprocess.run(
            [home / "bin" / "python", "-m", "pip", "install", "-q", "httpie"], capture_output=True, text=True
        )
        if installed.returncode:
            raise _no_httpie(installed.stderr)
        # Otherwise httpie starts a background process that looks for its newest version.
        (home / "config.json").write_text('{"disable_update_warnings": true}')
        return str(home / "bin" / "http")

    def with_httpie(self) -> Environ:
        return self.environ(HTTPIE_CONFIG_DIR=str(self.folder / "httpie"))

    def times(self, *sides: tuple[Command, Environ]) -> list[Samples]:
        """The run time of each side, the sides alternating."""
        return self._alternate(sides, lambda one: one.seconds, seconds)

    def peaks(self, *sides: tuple[Command, Environ]) -> list[Samples]:
        """The peak memory of each side, the sides alternating."""
        return self._alternate(sides, lambda one: one.peak, mebibytes)

    def _alternate(
        self,
        sides: tuple[tuple[Command, Environ], ...],
        figure: Callable[[Run], float],
        unit: Callable[[float], str],
    ) -> list[Samples]:
        rounds = [[figure(run(*side)) for side in sides] for _ in range(self.rounds)]
        return [Samples(values, unit) for values in zip(*rounds, strict=True)]


def _no_httpie(said: str) -> NoPeer:
    return NoPeer(f"no httpie: {(said.strip().splitlines() or ['pip failed'])[-1]}")
