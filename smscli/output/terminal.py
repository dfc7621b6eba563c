"""stdout and stderr of a command: buffering, colour, the live line and the full-screen picture.

The live line is the last line on the terminal. It is narrower than the terminal and the cursor stays in its
first column, so that one erase removes it even after a resize has wrapped it; it never enters the scrollback.

A picture uses the alternate screen, which terminals don't rewrap on a resize. Lines for stderr meanwhile are
held: the caller shows them below the picture, and they are written to the scrollback at the end.
"""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from io import StringIO
from types import FrameType
from typing import TYPE_CHECKING

from smscli.errors import LocalError, ReaderGone
from smscli.output.console import ConsoleApi, console_api, enable_escape_sequences
from smscli.output.writer import Stream
from smscli.signals import raise_again, shutdown_time_left, signals_deferred

if TYPE_CHECKING:
    from smscli.output.keys import Keys

Line = Callable[[int], str]
"""Draws a live line: the number of cells available -> one line without control characters."""

_CHUNK = 64 * 1024
_WIDTH, _HEIGHT = 80, 24
_SHAPES = "▶◆■·●○─│╭…⟦⟧"
_ERASE = "\r\x1b[J"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_OWN_SCREEN, _MAIN_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
_HOME, _TO_LINE_END, _TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"
# Bounds the lines held while there is a picture.
_MAX_HELD_LINES = 100
_CTRL_Z: int | None = getattr(signal, "SIGTSTP", None)


class Terminal:
    """stdout and stderr of one command.

    `color_choice` is `auto`, `always` or `never`, and may be set until the first write. `api` makes consoles
    interpret escape sequences until `close`; where one of them can't, it is used like a dumb terminal.
    """

    def __init__(
        self, out: Stream, err: Stream, environ: Mapping[str, str], api: ConsoleApi | None = None
    ) -> None:
        terminals = [one.fd for one in (out, err) if one.tty and one.fd is not None]
        restoring = [enable_escape_sequences(api, fd) for fd in terminals]
        if not all(restoring):
            environ = {**environ, "TERM": "dumb"}
        self._console_modes = ExitStack()
        for restore in filter(None, restoring):
            self._console_modes.callback(restore)
        self._is_isolated = False
        self.color_choice = "auto"
        self._out = out
        self._err = err
        self._color_of_environment = _color_of_environment(environ)
        self._dumb = environ.get("TERM") == "dumb"
        self._columns = _columns(environ)
        self._buffer = StringIO()
        self._failure: ReaderGone | LocalError | None = None
        self._bottom = out
        self._line: Line | None = None
        self._drawn_line = ""
        self._is_mid_line = False
        self._picture: tuple[str, ...] | None = None
        self.held_lines: deque[str] = deque(maxlen=_MAX_HELD_LINES)
        self._dropped_lines = 0
        self._suspend_signal: int | None = None
        self._keys: Keys | None = None
        self._queued: deque[tuple[Stream, str]] = deque()

    @classmethod
    def of_process(cls, environ: Mapping[str, str], *, json: bool = False) -> "Terminal":
        """The terminal of this process's stdout and stderr; `json`: both get JSON only."""
        streams = Stream.of(sys.stdout, json=json), Stream.of(sys.stderr, json=json)
        return cls(*streams, environ, console_api())

    def isolate(self) -> None:
        """Discard what other code of this process writes to stdout and stderr from now on."""
        if self._is_isolated:
            return  # Each call would take further file descriptors.
        self._is_isolated = True
        self._out.detach()
        self._err.detach()
        # On Windows the console is no file descriptor: there this alone keeps Python code out.
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115

    @property
    def pipe(self) -> bool:
        """Whether stdout gets the output for programs."""
        return not self._out.tty and self._effective_choice() != "always"

    @property
    def color(self) -> bool:
        """Whether stdout is coloured."""
        return self._uses_color(self._out)

    @property
    def ascii(self) -> bool:
        """Whether stdout's encoding lacks our shapes and box lines."""
        return not self._out.shows(_SHAPES)

    @property
    def has_live_line(self) -> bool:
        """Whether stdout can show a live line and a picture."""
        return self._out.tty and not self._dumb

    @property
    def notices_in_color(self) -> bool:
        """Whether lines of stderr are coloured now; those held while there is a picture are not."""
        return self._uses_color(self._err) and self._picture is None

    @property
    def err_tty(self) -> bool:
        return self._err.tty

    @property
    def width(self) -> int:
        """Cells in a line of stdout; queried each time."""
        return self._cells(self._out)

    def _cells(self, stream: Stream) -> int:
        # The terminal first: COLUMNS in the environment doesn't follow a resize.
        return stream.size()[0] or self._columns or _WIDTH

    @property
    def height(self) -> int:
        """Lines of stdout's terminal; queried each time."""
        return self._out.size()[1] or _HEIGHT

    def write(self, text: str) -> None:
        """Buffer data for stdout; written in chunks and on `flush`."""
        self._buffer.write(text)
        if self._buffer.tell() >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write out the buffer. Raises ReaderGone when the pipe is closed, LocalError when a write fails."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        with signals_deferred():
            self._queue(self._out, self._buffer.getvalue())
            self._buffer = StringIO()
        self._drain()

    def check(self) -> None:
        """Handle pending stop signals and Ctrl-Z while waiting; raises ReaderGone when the pipe is closed."""
        raise_again()
        self._out.check()
        if self._suspend_signal is not None:
            number, self._suspend_signal = self._suspend_signal, None
            self._suspend(number)

    def handle_ctrl_z(self) -> None:
        """From now on Ctrl-Z suspends the program at the next `check`, with the screen restored."""
        if self.has_live_line and _CTRL_Z is not None and signal.getsignal(_CTRL_Z) == signal.SIG_DFL:
            signal.signal(_CTRL_Z, self._on_ctrl_z)

    def read_keys(self) -> None:
        """From now on `keys` gets each key without Enter. At the end, and while the program is suspended, the
        terminal has its own mode."""
        from smscli.output.keys import Keys

        self._keys = Keys.open()

    def keys(self) -> str:
        """The keys pressed since the last call."""
        return self._keys.pressed() if self._keys else ""

    def _on_ctrl_z(self, number: int, frame: FrameType | None) -> None:
        self._suspend_signal = number

    def _suspend(self, number: int) -> None:
        """Restore the screen, suspend the process, and draw again when it is resumed."""
        line, self._line = self._line, None
        if self._picture is not None:
            self._picture = None
            self.write(_MAIN_SCREEN)
        self.flush()
        if self._keys:
            self._keys.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._on_ctrl_z)
        if self._keys:
            self._keys.reopen()
        self._line = line

    def say(self, text: str) -> None:
        """Write a line to stderr, after all data before it. Never fails: a failure of stdout is raised by the
        next `flush`, one of stderr is ignored. While there is a picture on a terminal the line is added to
        `held_lines` instead."""
        if self._picture is not None and self._err.tty:
            self._dropped_lines += len(self.held_lines) == _MAX_HELD_LINES
            self.held_lines.append(text)
        else:
            self._say(f"{text}\n")

    def ask(self, prompt: str) -> None:
        """Write a prompt to stderr, without a newline."""
        self._say(prompt)

    def ring(self) -> None:
        """Ring the bell if stdout is a terminal."""
        if self._out.tty:
            self.write("\a")

    def live(self, line: Line | None) -> None:
        """Show `line` below all output to stdout from now on; None removes it."""
        if self.has_live_line:
            self._set_line(self._out, line)

    def progress(self, line: Line | None) -> None:
        """The same on stderr; ignored when stderr is no terminal."""
        if self._err.tty and not self._dumb:
            self._set_line(self._err, line)

    def show(self, picture: Sequence[str], below: Sequence[str] = ()) -> None:
        """Show these lines on the alternate screen, in place of the picture before.

        Each must be narrower than the terminal. At the end `picture` is left in the scrollback.
        """
        begin = _HOME if self._picture is not None else f"{_OWN_SCREEN}{_HOME}"
        self._picture = tuple(picture)
        shown = "\r\n".join(f"{line}{_TO_LINE_END}" for line in (*picture, *below))
        self.write(f"{begin}{shown}{_TO_SCREEN_END}")
        self.flush()

    def close(self) -> None:
        """Remove picture and live line and write out the buffer; raises what `flush` raises. After a signal
        the shell's prompt begins on a line of its own."""
        with self._console_modes:
            if self._keys:
                self._console_modes.callback(self._keys.close)
            self._close()

    def _close(self) -> None:
        self._line = None
        if _CTRL_Z is not None and signal.getsignal(_CTRL_Z) == self._on_ctrl_z:
            signal.signal(_CTRL_Z, signal.SIG_DFL)
        try:
            if self._picture is not None:
                last, self._picture = self._picture, None
                self.write(_MAIN_SCREEN + "".join(f"{line}\n" for line in last))
            self.flush()
        finally:
            if shutdown_time_left() is not None:
                self._end_line()
        if self._dropped_lines:
            self.say(f"{self._dropped_lines} earlier lines were dropped:")
        while self.held_lines:
            self.say(self.held_lines.popleft())

    def _end_line(self) -> None:
        """Erase the `^C` that the terminal has echoed, but not a prompt before it."""
        screen = self._err if self._err.tty else self._out
        if screen.tty:
            with suppress(ReaderGone, LocalError):
                self._queue(screen, "\n" if self._is_mid_line or self._dumb else _ERASE)
                self._drain()

    def _say(self, text: str) -> None:
        try:
            self.flush()
        except (ReaderGone, LocalError) as failure:
            self._failure = failure
        with suppress(ReaderGone, LocalError):
            self._queue(self._err, text)
            self._drain()

    def _set_line(self, bottom: Stream, line: Line | None) -> None:
        if bottom is not self._bottom:
            self._line = None
            self.flush()
        self._bottom, self._line = bottom, line
        self.flush()

    def _queue(self, stream: Stream, text: str) -> None:
        """Queue text for a stream, erasing the live line before it and drawing it again below."""
        if stream.tty and text:
            self._is_mid_line = not text.endswith("\n")
        shown = self._draw_line()
        if not (text and stream.tty) and shown == self._drawn_line:
            self._queued.append((stream, text))
            return
        erase = _ERASE if self._drawn_line else ""
        self._drawn_line = shown
        self._queued += [(self._bottom, erase), (stream, text), (self._bottom, f"{shown}\r" if shown else "")]

    def _drain(self) -> None:
        """Write the queue, in order."""
        while self._queued:
            stream, text = self._queued[0]
            with signals_deferred():
                stream.add(text)
                self._queued.popleft()
            stream.drain()

    def _draw_line(self) -> str:
        """The live line's current text; empty while the line above it is unfinished."""
        if self._line is None or self._is_mid_line:
            return ""
        shown = self._line(self._cells(self._bottom) - 1)
        return f"{_DIM}{shown}{_PLAIN}" if shown and self._uses_color(self._bottom) else shown

    def _effective_choice(self) -> str:
        return self._color_of_environment if self.color_choice == "auto" else self.color_choice

    def _uses_color(self, stream: Stream) -> bool:
        choice = self._effective_choice()
        return choice == "always" or (choice == "auto" and stream.tty)


def _color_of_environment(environ: Mapping[str, str]) -> str:
    """The choice of the environment; `NO_COLOR` wins over `CLICOLOR_FORCE`, as both conventions ask."""
    if environ.get("NO_COLOR"):
        return "never"
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return "always"
    return "never" if environ.get("TERM") == "dumb" else "auto"


def _columns(environ: Mapping[str, str]) -> int:
    """`COLUMNS` where it is a sensible number, else 0."""
    value = environ.get("COLUMNS", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 5 else 0
