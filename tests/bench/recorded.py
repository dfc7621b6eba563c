"""A `tail --record` process, and the server that it follows, whose true logs are known."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from tests.bench.bench_run import BenchRun
from tests.bench.processes import Failed, start_quietly
from tests.bench.recording_check import Verdict, compare, read_recording
from tests.server.process import ServerProcess

_GOODBYE = 10.0
_PULSE = 0.05


def judge_recording(server: ServerProcess, recording: Path) -> Verdict:
    """The verdict on a finished recording of this server's messages."""
    return judge_recordings(server, [recording])


def judge_recordings(server: ServerProcess, recordings: Sequence[Path]) -> Verdict:
    """The verdict on the files of one recording together, in their order."""
    lines = (line for recording in recordings for line in recording.read_bytes().splitlines())
    return compare(read_recording(lines), server.logs())


class Recorder:
    """A tail that records into `file` and can be restarted; `options` are passed to it.

    The name may hold `%H%M%S`; `move` gives the present file another name.
    """

    def __init__(self, bench: BenchRun, server: ServerProcess, file: Path, *options: str) -> None:
        self.file = file
        self._command = bench.smscli("tail", "--all", "--json", "--record", str(file), *options)
        self._environ = bench.environ(server)
        self._notes = file.with_name(f"{file.name.partition('-%')[0]}.err")
        self._moved = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lines = self._missed = 0
        # By inode: a moved file keeps it.
        self._read: dict[int, int] = {}
        # When each line was seen first, in epoch seconds.
        self._seen: list[float] = []

    def start(self) -> None:
        self._process = start_quietly(self._command, self._environ, self._notes)

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

    def move(self) -> None:
        """Move the file aside, as logrotate does."""
        if self.file.exists():
            self._moved += 1
            self.file.rename(self.file.with_name(f"{self.file.name}.{self._moved:03}"))

    @property
    def files(self) -> list[Path]:
        """Its files, the oldest first."""
        stem, _, code = self.file.name.partition("%")
        if code:
            return sorted(self.file.parent.glob(f"{stem}[0-9]*"))
        moved = sorted(self.file.parent.glob(f"{self.file.name}.[0-9]*"))
        return [*moved, *([self.file] if self.file.exists() else [])]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(one.stat().st_size for one in self.files)

    @property
    def lines(self) -> int:
        """The number of complete lines with a message. Raises Failed if the tail has ended."""
        self._check()
        for path in self.files:
            with path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                file.seek(self._read.get(inode, 0))
                fresh = file.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            self._lines += sum(not line.startswith(b'{"record"') for line in whole.splitlines())
            self._seen += [time.time()] * whole.count(b"\n")
            self._read[inode] = self._read.get(inode, 0) + len(whole)
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
