"""A command on a real pseudo-terminal, and what a person would see of it through a terminal emulator."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

_PATIENCE = 20.0
_SCREENS = re.compile(rb"(\x1b\[\?1049[hl])")
# What may be the beginning of such a sequence, at the end of what was read.
_BEGUN = re.compile(rb"(?:\x1b(?:\[(?:\?(?:1(?:0(?:4(?:9)?)?)?)?)?)?)?\Z")


class OnTerminal:
    """`smscli ARGUMENTS` in a process of its own; `screen` and `scrolled` lines lack trailing blanks, and
    `written` is all that it was sent."""

    _gone = False

    def __init__(
        self,
        *arguments: str,
        environ: Mapping[str, str],
        columns: int = 80,
        lines: int = 24,
        program: Sequence[str] = (sys.executable, "-m", "smscli"),
        folder: Path = Path(),
    ) -> None:
        self._main = pyte.HistoryScreen(columns, lines, history=10_000)
        self._screen = self._main
        self._stream = pyte.ByteStream(self._screen)
        self._cut = b""
        self.written = bytearray()
        self.bells = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            usual = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
            os.execvpe(program[0], [*program, *arguments], {**usual, **environ})
        self.resize(columns, lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        if not self._gone:
            os.close(self._fd)

    def vanish(self) -> None:
        """Be gone, as a terminal whose window is closed."""
        self._gone = True
        os.close(self._fd)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        for screen in {self._main, self._screen}:
            screen.resize(lines, columns)

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def look(self, seconds: float = 0.05) -> bool:
        """Take in what comes within `seconds`; False at the end of the program, or of the terminal."""
        if self._gone:
            return False
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False
        self.written += data
        self.bells += data.count(b"\a")
        self._feed(self._cut + data)
        return bool(data)

    def _feed(self, data: bytes) -> None:
        """Show it; a program's own screen, which pyte does not know, is one beside the main one."""
        *pieces, last = _SCREENS.split(data)
        for piece, mode in zip(pieces[::2], pieces[1::2], strict=True):
            self._stream.feed(piece)
            own = pyte.HistoryScreen(self._main.columns, self._main.lines)
            self._stream.detach(self._screen)
            self._screen = own if mode.endswith(b"h") else self._main
            self._stream.attach(self._screen)
        begun = _BEGUN.search(last)
        whole = begun.start() if begun else len(last)
        self._stream.feed(last[:whole])
        self._cut = last[whole:]

    def until(self, text: str) -> None:
        """Look until `text` is to be seen."""
        end = time.monotonic() + _PATIENCE
        while not any(text in line for line in [*self.scrolled, *self.screen]):
            assert time.monotonic() < end and self.look(), "\n".join([*self.scrolled, *self.screen])

    def without(self, text: str) -> None:
        """Look until `text` is no longer on the screen."""
        end = time.monotonic() + _PATIENCE
        while any(text in line for line in self.screen):
            assert time.monotonic() < end and self.look(), "\n".join(self.screen)

    def ended(self) -> int:
        """Look until the program has ended; its exit code, as a shell counts it."""
        end = time.monotonic() + _PATIENCE
        while self.look():
            assert time.monotonic() < end, "\n".join(self.screen)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return 128 - code if code < 0 else code

    @property
    def screen(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def scrolled(self) -> list[str]:
        """What has scrolled off the screen that is shown."""
        columns = self._screen.columns
        return [
            "".join(row[column].data for column in range(columns)).rstrip()
            for row in self._screen.history.top
        ]

    @property
    def cursor(self) -> tuple[int, int]:
        """Line and column, from 0."""
        return self._screen.cursor.y, self._screen.cursor.x

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self._fd)[3] & termios.ECHO)

    @property
    def cursor_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)
