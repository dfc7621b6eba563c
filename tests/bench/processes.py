"""Runs the programs that are measured, and returns their run time and peak memory."""

import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

# A million messages take less on any machine; a program that hangs is killed.
_TIMEOUT = 1800.0
_KIB = 1024
_ANY = rb".*"

Command = Sequence[str]
Environ = Mapping[str, str]


class Failed(Exception):
    """The measured program doesn't work correctly."""


class NotMeasured(Exception):
    """This can't be measured here; the message is the reason."""


class NoPeer(NotMeasured):
    """The program to compare with can't be installed here."""


@dataclass(frozen=True)
class Run:
    """One run of a program: its run time in seconds and its peak memory in bytes."""

    seconds: float
    _peak: int

    @property
    def peak(self) -> float:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
        # A child process inherits the peak of its parent.
        if self._peak <= own:
            raise NotMeasured("the bench holds more memory than the program that it measures")
        return self._peak


def run(command: Command, environ: Environ) -> Run:
    """Run to completion with the output discarded. Raises Failed."""
    with open(os.devnull, "wb") as nowhere:
        return _run(command, environ, nowhere)


def check(
    command: Command, environ: Environ, least: int, most: int, first: bytes = _ANY, last: bytes = _ANY
) -> None:
    """Run once, unmeasured; check the number of lines and the first and last of them. Raises Failed."""
    lines, begin, end = 0, b"", b""
    with TemporaryFile() as out:
        _run(command, environ, out)
        out.seek(0)
        for end in out:
            begin, lines = begin or end, lines + 1
    if not least <= lines <= most:
        raise Failed(f"{_name(command)} printed {lines} lines")
    for place, line, pattern in (("begin", begin, first), ("end", end, last)):
        if not re.fullmatch(pattern, line.rstrip(b"\n")):
            raise Failed(f"what {_name(command)} printed does not {place} with {pattern!r}: {line[:40]!r}")


def start_quietly(command: Command, environ: Environ, notes: Path) -> "subprocess.Popen[bytes]":
    """Start a command whose notices are appended to a file, and whose output is dropped."""
    with notes.open("ab") as err:
        return subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err
        )


def _run(command: Command, environ: Environ, out: IO[bytes]) -> Run:
    with TemporaryFile() as err:
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        with _limited(process):
            # Unlike Popen.wait this returns the resource usage.
            _, status, usage = os.wait4(process.pid, 0)
        ended = time.perf_counter()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            err.seek(0)
            said = err.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise Failed(f"{_name(command)} ended with {process.returncode}: {said[-1]}")
    return Run(ended - begun, usage.ru_maxrss * _KIB)


@contextmanager
def _limited(process: subprocess.Popen[bytes]) -> Iterator[None]:
    guard = threading.Timer(_TIMEOUT, process.kill)
    guard.start()
    try:
        yield
    finally:
        guard.cancel()


def _name(command: Command) -> str:
    return " ".join(os.path.basename(word) for word in command[:4])
