"""A `tail --record` process, and the server that it follows, whose true logs are known."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.bench.bench_run import BenchRun
from tests.bench.processes import Failed
from tests.bench.recording_check import Verdict, compare, read_recording
from tests.server.process import ServerProcess

_GOODBYE = 10.0
_PULSE = 0.05


def judge_recording(server: ServerProcess, recording: Path) -> Verdict:
    """The verdict on a finished recording of this server's messages."""
    with recording.open("rb") as lines:
        return compare(read_recording(lines), server.logs())


class Recorder:
    """A tail that records into `file` and can be restarted; `options` are passed to it."""

    def __init__(self, bench: BenchRun, server: ServerProcess, file: Path, *options: str) -> None:
        self.file = file
        self._command = bench.smscli("tail", "--all", "--json", "--record", str(file), *options)
        self._environ = bench.environ(server)
        self._notes = file.with_suffix(".err")
        self._process: subprocess.Popen[bytes] | None = None
        self._lines = self._read = self._missed = 0
        # When each line was seen first, in epoch seconds.
        self._seen: list[float] = []

    def start(self) -> None:
        with self._notes.open("ab") as notes:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=notes,
            )

    def kill(self) -> None:
        """End it with SIGKILL. Raises Failed if it has already ended."""
        assert self._process
        self._check()
        self._process.kill()
        self._process.wait()
        self._process = None

    def end(self) -> None:
        """End it with SIGTERM. Raises Failed if it has already ended, or doesn't end."""
        assert self._process
        self._check()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_GOODBYE)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise Failed("tail does not end on SIGTERM") from error
        self._process = None

    def abandon(self) -> None:
        """Kill it if it still runs."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def lines(self) -> int:
        """The number of complete lines of the file. Raises Failed if the tail has ended."""
        self._check()
        if self.file.exists():
            with self.file.open("rb") as file:
                file.seek(self._read)
                fresh = file.read()
            whole = fresh.rfind(b"\n") + 1
            self._lines += fresh.count(b"\n")
            self._seen += [time.time()] * fresh.count(b"\n")
            self._read += whole
        return self._lines

    def arrivals(self) -> Iterator[tuple[float, float]]:
        """For each message the epoch seconds at which it was published and was seen in the file."""
        with self.file.open("rb") as lines:
            for seen, line in zip(self._seen, lines, strict=False):
                record = json.loads(line)
                if "index" in record:
                    yield datetime.fromisoformat(record["timestamp"]).timestamp(), seen

    def await_all(self, server: ServerProcess, limit: float) -> bool:
        """Wait until the file has as many lines as there are messages; False after `limit` seconds.

        Messages that were missing then are not waited for the next time.
        """
        end = time.monotonic() + limit
        while (missing := server.message_count - self._missed - self.lines) > 0:
            if time.monotonic() >= end:
                self._missed += missing
                return False
            time.sleep(_PULSE)
        return True

    def _check(self) -> None:
        if self._process and self._process.poll() is not None:
            said = self._notes.read_text(errors="replace").strip().splitlines() or ["no message"]
            raise Failed(f"tail ended with {self._process.returncode}: {said[-1]}")
