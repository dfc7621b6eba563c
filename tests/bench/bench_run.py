"""The environment of the rows: a folder, the servers, and the programs that are compared."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.bench.figures import Samples, mebibytes, seconds
from tests.bench.processes import Command, Environ, Failed, NoPeer, Run, run
from tests.server.process import ServerEnded, ServerProcess, Switch, server_process

_ROOT = Path(__file__).resolve().parents[2]
_HERE = Path(__file__).parent
# The script that pip generates for the entry point.
_LAUNCHER = "import sys\nfrom smscli.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
_PASSWORD = "demo"


@dataclass(frozen=True)
class BenchRun:
    """One run of the bench. `folder` is empty at the start; `size` is the length of a long log; `seed`
    determines all random choices."""

    folder: Path
    rounds: int = 7
    quick: bool = False
    size: int = 100_000
    seed: int = 0

    @contextmanager
    def serve(self, **switches: Switch) -> Iterator[ServerProcess]:
        """The test server's bulk scene with these switches, in another process."""
        try:
            with server_process(self.environ(), **switches) as server:
                yield server
        except ServerEnded as error:
            raise Failed(str(error)) from error

    def environ(self, server: ServerProcess | None = None, **more: str) -> dict[str, str]:
        """A child's environment: its own home, this checkout, and the sign-in for `server`."""
        own = {"HOME": str(self.folder), "PATH": os.defpath, "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        own["PYTHONPATH"] = str(_ROOT)
        # Its own home would hide packages installed with `pip install --user`.
        own["PYTHONUSERBASE"] = os.environ.get("PYTHONUSERBASE", str(Path("~/.local").expanduser()))
        if server:
            own |= {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": _PASSWORD}
        return own | more

    def with_keyring(self, server: ServerProcess) -> dict[str, str]:
        """The same with a profile in the config file, and the password in a keyring."""
        return self._with_config(self.folder, 'default = "bench"\n' + _profile("bench", server, "demo"))

    def with_profiles(self, server: ServerProcess, users: Iterable[str], home: Path) -> dict[str, str]:
        """The same in a home of its own, with a profile for each of these users."""
        return self._with_config(home, "".join(_profile(one, server, one) for one in users))

    def _with_config(self, home: Path, text: str) -> dict[str, str]:
        config = home / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "config.toml").write_text(text)
        return self.environ(
            HOME=str(home),
            SMSCLI_CONFIG_DIR=str(config),
            PYTHON_KEYRING_BACKEND="tests.bench.fixed_keyring.FixedKeyring",
            BENCH_SECRET=_PASSWORD,
        )

    def smscli(self, *arguments: str) -> Command:
        """The tool, started as its entry point does."""
        launcher = self.folder / "smscli"
        if not launcher.exists():
            launcher.write_text(_LAUNCHER)
        return [sys.executable, str(launcher), *arguments]

    def floor(self, what: str, *urls: str) -> Command:
        return [sys.executable, str(_HERE / "floor.py"), what, *urls]

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


def _profile(name: str, server: ServerProcess, user: str) -> str:
    return f'[profiles.{name}]\nurl = "{server.url}/api/v2"\nuser = "{user}"\nauth = "basic"\n'


def _no_httpie(said: str) -> NoPeer:
    return NoPeer(f"no httpie: {(said.strip().splitlines() or ['pip failed'])[-1]}")
