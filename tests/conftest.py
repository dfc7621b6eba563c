"""What whole-command tests share: a command line run in this process, against a demo server."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.captured_terminal import CapturedTerminal
from tests.support.command import Outcome, Smscli
from tests.support.nats_nodes import NatsNode

if TYPE_CHECKING:
    from smscli.jetstream.connection import StreamConnection

_stream_numbers = count(1)

# Other processes run beside the tests: the time that an example takes means nothing.
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("whole"), max_examples=10)


def pytest_configure(config: pytest.Config) -> None:
    """Fewer examples of each property in the fast loop."""
    settings.load_profile("fast" if "not slow" in config.option.markexpr else "whole")


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, whatever the machine says; Windows reads it from elsewhere."""
    import time

    read_zone = getattr(time, "tzset", lambda: None)
    monkeypatch.setenv("TZ", "UTC")
    read_zone()
    yield
    monkeypatch.undo()
    read_zone()


@pytest.fixture(autouse=True)
def without_a_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks a person's own keyring, or one of another test's that the library has found."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """One-shot commands retry at once: for tests of what a failure says. Tests of retries have their own."""
    monkeypatch.setattr("smscli.gws.responses._RETRY_SECONDS", 0.01)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has never used the tool."""
    return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color"}


@pytest.fixture
def profile_home(tmp_path: Path) -> dict[str, str]:
    """A new user's environment, with a folder for the config file that is the same on every platform."""
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color"}
    return {**environ, "SMSCLI_CONFIG_DIR": str(tmp_path / "config")}


@pytest.fixture
def smscli(home: dict[str, str]) -> Smscli:
    """Runs one command line: `smscli("list", "--json", server=server, tty=True, width=40)`."""
    from smscli.cli import run

    def call(
        *arguments: str,
        server: FakeServer | None = None,
        tty: bool = False,
        width: int = 80,
        color: str = "auto",
        **environ: str,
    ) -> Outcome:
        own = {**home, **environ}
        if server:
            signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
            own = {**home, **signed_in, **environ}
        terminal = CapturedTerminal(width=width, tty=tty, color=color, environ=own)
        code = run(list(arguments), own, terminal)
        return Outcome(code, terminal.out_text, terminal.err_text)

    return call


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NatsNode]:
    """A nats-server of its own, which a test may kill."""
    with NatsNode(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsNode]:
    """A nats-server for all tests of a module."""
    with NatsNode(tmp_path_factory.mktemp("nats")) as one:
        yield one


@pytest.fixture
def connection(shared_node: NatsNode) -> "Iterator[StreamConnection]":
    """A connection to a new stream."""
    from tests.support.stream_records import opened

    opened_one = opened(shared_node.url(f"S{next(_stream_numbers)}"))
    yield opened_one
    opened_one.close()


@pytest.fixture
def empty_server() -> Iterator[FakeServer]:
    """A server with no sessions, its clock standing at 2026-03-02T10:00:00Z."""
    with FakeServer(Options(scene="empty"), clock=lambda: 1772445600.0) as server:
        yield server
