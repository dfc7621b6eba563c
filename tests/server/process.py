"""The test server in another process, controlled by its commands."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_READ = "/me/smsessions"

Switch = str | int | float | bool | tuple[str, ...] | dict[str, Any]


class ServerEnded(Exception):
    """The server's process has ended."""


class ServerProcess:
    """A test server in another process; `sessions` holds the ids of the listed sessions."""

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
        return [target for _, _, target, _ in self.command("requests")]

    def reads(self) -> list[float]:
        """When the list or messages were read since the last `forget`, in monotonic seconds."""
        return [at for at, _, target, _ in self.command("requests") if _READ in target]

    def forget(self) -> None:
        """Forget the requests so far."""
        self.command("forget")

    def say(self, session_id: str, text: str = "") -> None:
        """Send a message as the customer, without a text one with a unique text."""
        self.command(f"say {session_id} {text}")

    def publish(self, rate: float) -> None:
        """Publish so many random messages per second from now on; 0 stops them."""
        self.command(f"publish {rate}")

    def change(self, session_id: str) -> None:
        """Change the session's user data: a higher number under `change`."""
        self.command(f"change {session_id}")

    def end(self, session_id: str) -> None:
        """Complete a session, which stays in the list."""
        self.command(f"end {session_id}")

    def states(self) -> dict[str, tuple[str, int | None]]:
        """The state of each listed session, and the number under `change` in its user data."""
        return {one: tuple(state) for one, state in self.command("states").items()}

    def inject(self, kind: str) -> None:
        """Inject this fault now, or into the next read to which it applies."""
        self.command(f"inject {kind}")

    def start_outage(self, seconds: float, kind: str = "500") -> None:
        """Let every read fail for so many seconds."""
        self.command(f"outage {seconds} {kind}")

    def set(self, **switches: Switch) -> None:
        """Change switches; the names are those of `Options`."""
        self.command(" ".join(["set", *_words(switches)]))

    def cancel_faults(self) -> None:
        """Cancel the faults that have not occurred yet, and end an outage."""
        self.command("cancel")

    @property
    def fault_counts(self) -> dict[str, int]:
        """How often each kind of fault has occurred."""
        return dict(self.command("state")["faults"])

    @property
    def good_reads(self) -> int:
        """The number of successful reads."""
        return int(self.command("state")["good"])

    @property
    def message_count(self) -> int:
        """The number of messages in all logs, including those lost in restarts."""
        return int(self.command("state")["messages"])

    def logs(self) -> list[dict[str, list[Any]]]:
        """The messages by session id, one set for each time between two restarts."""
        return list(self.command("logs"))

    def command(self, command: str) -> Any:
        """Send a command and return its answer; ServerEnded if there is none."""
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise ServerEnded("the test server has ended")
        return json.loads(line)


@contextmanager
def server_process(environ: Mapping[str, str], **switches: Switch) -> Iterator[ServerProcess]:
    """Run the test server's bulk scene with these switches."""
    command = [sys.executable, "-m", "tests.server", "--scene", "bulk", *_words(switches)]
    with subprocess.Popen(
        command, env=dict(environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield ServerProcess(process)


def _words(switches: Mapping[str, Switch]) -> list[str]:
    """The switches as options of the command line."""
    return [word for name, value in switches.items() for word in _option(name.replace("_", "-"), value)]


def _option(name: str, value: Switch) -> list[str]:
    match value:
        case bool():
            return [f"--{name}" if value else f"--no-{name}"]
        case tuple():
            return [f"--{name}={','.join(value)}"]
        case dict():
            # The first one empties the switch.
            return [f"--{name}=", *(f"--{name}={key}:{one}" for key, one in value.items())]
    return [f"--{name}={value}"]
