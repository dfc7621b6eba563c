"""A running `tail`: its output with times, its processor time, its memory."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests.bench.bench_run import BenchRun
from tests.bench.processes import Environ, Failed, NotMeasured

_TEXT = re.compile(r"message (\d+) of this run")
_PROC = Path("/proc")
# Each check parses the whole output, on the machine that runs the tail and its server.
_PULSE = 0.5
_GOODBYE = 10.0


class Arrival(NamedTuple):
    """One of the messages that the server publishes at its rate: its sequence number, and the epoch seconds
    at which it was published and printed."""

    number: int
    published: float
    printed: float
    session_id: str


class Tail:
    """A `smscli tail` process; a thread reads its output without delay."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: int) -> None:
        self._process = process
        self._output = output
        self._printed: list[tuple[float, bytes]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def arrivals(self) -> list[Arrival]:
        """The messages published at the server's rate, in the order they were printed."""
        found = []
        for printed, line in self._lines():
            message = json.loads(line)
            if number := _TEXT.fullmatch(message.get("text") or ""):
                published = datetime.fromisoformat(message["timestamp"]).timestamp()
                found.append(Arrival(int(number[1]), published, printed, message["sessionId"]))
        return found

    def count(self, text: str) -> int:
        """The number of printed lines that contain this."""
        return sum(text.encode() in line for _, line in self._lines())

    def await_sessions(self, count: int, limit: float) -> None:
        """Wait until messages of this many sessions are printed. Raises Failed."""
        self.wait_until(lambda: len(self._sessions()) >= count, limit, "has not printed every session")

    def wait_until(self, condition: Callable[[], bool], limit: float, else_: str) -> None:
        """Raises Failed if the condition isn't met in time, or the tail ends."""
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() >= end:
                raise Failed(f"after {limit:g} s tail {else_}")
            self.watch(_PULSE)

    def watch(self, seconds: float) -> None:
        """Let it run. Raises Failed if it ends."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise Failed(f"tail ended with {code}")

    def processor_seconds(self) -> float:
        """Its processor time, in steps of a hundredth of a second. Raises NotMeasured."""
        # The second field, the name, may contain blanks.
        fields = self._proc("stat").rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def peak(self) -> int:
        """Its peak memory so far, in bytes. Raises NotMeasured."""
        (line,) = (line for line in self._proc("status").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def _proc(self, name: str) -> str:
        try:
            return (_PROC / str(self._process.pid) / name).read_text()
        except OSError as error:
            raise NotMeasured("no /proc on this system") from error

    def _sessions(self) -> set[str]:
        return {json.loads(line)["sessionId"] for _, line in self._lines()}

    def _lines(self) -> Iterator[tuple[float, bytes]]:
        """The complete lines so far, each with the time of its end."""
        rest = b""
        for at, chunk in list(self._printed):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield at, line

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._output, 65536)
            except OSError:  # A pseudo-terminal without a writer raises instead of returning nothing.
                return
            if not chunk:
                return
            self._printed.append((time.time(), chunk))

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_GOODBYE)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise Failed("tail does not end on SIGTERM") from error
        finally:
            self._reader.join()
            os.close(self._output)


@contextmanager
def tail(bench: BenchRun, environ: Environ, *options: str) -> Iterator[Tail]:
    """A tail on a pipe."""
    output, inlet = os.pipe()
    yield from _running(bench, environ, options, output, inlet, subprocess.DEVNULL)


@contextmanager
def tail_on_terminal(bench: BenchRun, environ: Environ, *options: str) -> Iterator[Tail]:
    """A tail on a terminal, with its status line."""
    import pty

    output, inlet = pty.openpty()
    yield from _running(bench, environ, options, output, inlet, inlet)


def _running(
    bench: BenchRun, environ: Environ, options: tuple[str, ...], output: int, inlet: int, err: int
) -> Iterator[Tail]:
    process = subprocess.Popen(
        bench.smscli("tail", *options),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=inlet,
        stderr=err,
    )
    os.close(inlet)
    running = Tail(process, output)
    try:
        yield running
    finally:
        running.end()
