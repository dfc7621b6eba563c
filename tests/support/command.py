"""Whole commands in tests: the shape of the `smscli` fixture, and a command in a process of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What one command line came to: its exit code and what it wrote."""

    code: int
    out: str
    err: str


Smscli = Callable[..., Outcome]
"""The fixture `smscli` of conftest."""


# Prints the completions of the words behind it. Its time limit is longer than a person would accept: the
# machine that runs tests may be busy.
COMPLETE = (
    sys.executable,
    "-c",
    "import sys; from smscli import completion; from smscli.__main__ import main; "
    "assert completion._TIME_LIMIT; completion._TIME_LIMIT = 30; sys.exit(main())",
    "__complete",
)


@contextmanager
def running(environ: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """`smscli ARGUMENTS` in a process of its own, killed at the end of the block."""
    command = [sys.executable, "-m", "smscli", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True) as child:
        try:
            yield child
        finally:
            child.kill()
