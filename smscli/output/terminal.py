"""Where a command writes: what stdout and stderr can show, and writes that fail as errors of ours.

On a terminal a live line can stand under everything that was written. It is shorter than the terminal is
wide and the cursor waits at its first column, so that one erase removes it even after the terminal was made
narrower and broke it in two; it never gets into the scrollback.

A picture takes a screen of its own, which is left at the end: terminals don't break its lines anew when
they are resized. What is said meanwhile stands below the picture, and in the scrollback afterwards.
"""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from types import FrameType

from smscli.errors import LocalError, ReaderGone
from smscli.output.writer import Stream
from smscli.signals import raise_again, shutdown_time_left, signals_deferred

Line = Callable[[int], str]
"""A live line: the most cells it may fill -> one line of text without control characters."""

_CHUNK = 64 * 1024
_WIDTH, _HEIGHT = 80, 24
_SHAPES = "▶◆■·●○─│╭…⟦⟧"
_ERASE = "\r\x1b[J"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_OWN_SCREEN, _MAIN_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
_HOME, _TO_LINE_END, _TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"
# So much of what is said while there is a picture is kept for afterwards.
_MOST_ASIDES = 100
_CTRL_Z: int | None = getattr(signal, "SIGTSTP", None)


class Terminal:
    """stdout and stderr as one command sees them.

    `color` is the user's choice, `auto`, `always` or `never`, and may be set until the first write.
    """

    def __init__(self, out: Stream, err: Stream, environ: Mapping[str, str], *, color: str = "auto") -> None:
        self.color = color
        self._out = out
        self._err = err
        self._environment_color = _environment_color(environ)
        self._dumb = environ.get("TERM") == "dumb"
        self._columns = _columns(environ)
        self._waiting: list[str] = []
        self._size = 0
        self._failure: ReaderGone | LocalError | None = None
        self._bottom = out
        self._line: Line | None = None
        self._painted = ""
        self._within_line = False
        self._picture: tuple[str, ...] | None = None
        self.asides: deque[str] = deque(maxlen=_MOST_ASIDES)
        self._forgotten = 0
        self._resting: int | None = None
        self._heeds_ctrl_z = False
        self._parts: deque[tuple[Stream, str]] = deque()

    @classmethod
    def of_process(cls, environ: Mapping[str, str], *, json: bool = False) -> "Terminal":
        """The terminal of this process's own stdout and stderr; `json`: both get nothing but JSON."""
        return cls(Stream.of(sys.stdout, json=json), Stream.of(sys.stderr, json=json), environ)

    @staticmethod
    def for_test(
        *,
        width: int = _WIDTH,
        tty: bool = True,
        err_tty: bool | None = None,
        color: str = "auto",
        encoding: str = "utf-8",
        environ: Mapping[str, str] | None = None,
    ) -> "CapturedTerminal":
        """One that keeps what is written; `err_tty` is as `tty` where it isn't given."""
        return CapturedTerminal(
            width, tty, tty if err_tty is None else err_tty, encoding, environ or {}, color=color
        )

    @property
    def pipe(self) -> bool:
        """Whether stdout gets the form for programs."""
        return not self._out.tty and self._choice() != "always"

    @property
    def colour(self) -> bool:
        """Whether stdout gets colour."""
        return self._coloured(self._out)

    @property
    def err_colour(self) -> bool:
        """Whether stderr gets colour."""
        return self._coloured(self._err)

    @property
    def ascii(self) -> bool:
        """Whether shapes and box lines have to be ASCII."""
        return not self._out.shows(_SHAPES)

    @property
    def lively(self) -> bool:
        """Whether stdout can have a live line, or a picture."""
        return self._out.tty and not self._dumb

    @property
    def err_tty(self) -> bool:
        """Whether somebody is looking at stderr."""
        return self._err.tty

    @property
    def width(self) -> int:
        """Cells in a line of stdout, asked for anew each time."""
        return self._cells(self._out)

    def _cells(self, stream: Stream) -> int:
        # The terminal first: COLUMNS in the environment stays as it was when the window's size changes.
        return stream.size()[0] or self._columns or _WIDTH

    @property
    def height(self) -> int:
        """Lines of stdout's terminal, asked for anew each time."""
        return self._out.size()[1] or _HEIGHT

    def write(self, text: str) -> None:
        """Add data to stdout; it goes out in chunks and on `flush`."""
        self._waiting.append(text)
        self._size += len(text)
        if self._size >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write out what waits. `ReaderGone`: nobody reads it; `LocalError`: it can't be written."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        with signals_deferred():
            self._send(self._out, "".join(self._waiting))
            self._waiting.clear()
            self._size = 0
        self._drain()

    def check(self) -> None:
        """For one who waits and does not write: end where a signal asked for it, raise `ReaderGone` where
        nobody reads stdout any more, and stop where Ctrl-Z asked for it."""
        raise_again()
        self._out.check()
        if self._resting is not None:
            number, self._resting = self._resting, None
            self._rest(number)

    def heed_ctrl_z(self) -> None:
        """From now on let Ctrl-Z stop the program at the next `check`, with the screen left to the shell."""
        if self.lively and _CTRL_Z is not None and signal.getsignal(_CTRL_Z) == signal.SIG_DFL:
            signal.signal(_CTRL_Z, self._ask_to_rest)
            self._heeds_ctrl_z = True

    def _ask_to_rest(self, number: int, frame: FrameType | None) -> None:
        self._resting = number

    def _rest(self, number: int) -> None:
        """Leave the screen as a program does that has ended, and come back when it goes on."""
        line, self._line = self._line, None
        if self._picture is not None:
            self._picture = None
            self.write(_MAIN_SCREEN)
        self.flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._ask_to_rest)
        self._line = line

    def say(self, text: str) -> None:
        """Write a line to stderr, after all data before it. Never fails: a failure of stdout keeps until the
        next `flush`, and for one of stderr there is nobody to tell. While there is a picture it is kept in
        `asides` for a person, who sees it with the next picture and at the end."""
        if self._picture is not None and self._err.tty:
            self._forgotten += len(self.asides) == _MOST_ASIDES
            self.asides.append(text)
        else:
            self._say(f"{text}\n")

    def ask(self, prompt: str) -> None:
        """Write a prompt to stderr and leave the cursor behind it."""
        self._say(prompt)

    def ring(self) -> None:
        """Ring the terminal's bell, where stdout is one."""
        if self._out.tty:
            self.write("\a")

    def live(self, line: Line | None) -> None:
        """Let `line` stand under everything that is written to stdout from now on; None takes it away."""
        if self.lively:
            self._stand(self._out, line)

    def progress(self, line: Line | None) -> None:
        """The same on stderr, for a person who waits; nothing where stderr is no terminal."""
        if self._err.tty and not self._dumb:
            self._stand(self._err, line)

    def show(self, picture: Sequence[str], below: Sequence[str] = ()) -> None:
        """Let these lines, which fit, stand alone on the screen, in place of the picture before.

        Each is shorter than the terminal is wide. `picture` stays in the scrollback at the end, without what
        was `below` it.
        """
        begin = _HOME if self._picture is not None else f"{_OWN_SCREEN}{_HOME}"
        self._picture = tuple(picture)
        shown = "\r\n".join(f"{line}{_TO_LINE_END}" for line in (*picture, *below))
        self.write(f"{begin}{shown}{_TO_SCREEN_END}")
        self.flush()

    def close(self) -> None:
        """Take picture and live line away and write out what waits; fails as `flush` does. After a signal
        what comes next on the terminal stands on a line of its own."""
        self._line = None
        if self._heeds_ctrl_z and _CTRL_Z is not None:
            signal.signal(_CTRL_Z, signal.SIG_DFL)
        try:
            self._take_picture_away()
            self.flush()
        finally:
            if shutdown_time_left() is not None:
                self._end_line()
        if self._forgotten:
            self.say(f"{self._forgotten} more was said before:")
        while self.asides:
            self.say(self.asides.popleft())

    def _take_picture_away(self) -> None:
        if self._picture is not None:
            last, self._picture = self._picture, None
            self.write(_MAIN_SCREEN + "".join(f"{line}\n" for line in last))

    def _end_line(self) -> None:
        """Take away the `^C` that the terminal has put there, but not the prompt that it answers."""
        screen = self._err if self._err.tty else self._out
        if screen.tty:
            with suppress(ReaderGone, LocalError):
                self._send(screen, "\n" if self._within_line or self._dumb else _ERASE)
                self._drain()

    def _say(self, text: str) -> None:
        try:
            self.flush()
        except (ReaderGone, LocalError) as failure:
            self._failure = failure
        with suppress(ReaderGone, LocalError):
            self._send(self._err, text)
            self._drain()

    def _stand(self, bottom: Stream, line: Line | None) -> None:
        if bottom is not self._bottom:
            self._line = None
            self.flush()
        self._bottom, self._line = bottom, line
        self.flush()

    def _send(self, stream: Stream, text: str) -> None:
        """Take text on for one stream, with the live line taken away before and painted again below."""
        if stream.tty and text:
            self._within_line = not text.endswith("\n")
        shown = self._paint()
        if not (text and stream.tty) and shown == self._painted:
            self._parts.append((stream, text))
            return
        erase = _ERASE if self._painted else ""
        self._painted = shown
        self._parts += [(self._bottom, erase), (stream, text), (self._bottom, f"{shown}\r" if shown else "")]

    def _drain(self) -> None:
        """Write all that was taken on, in its order."""
        while self._parts:
            stream, text = self._parts[0]
            with signals_deferred():
                stream.add(text)
                self._parts.popleft()
            stream.drain()

    def _paint(self) -> str:
        """The live line as it should stand now; none below a line that isn't finished."""
        if self._line is None or self._within_line:
            return ""
        shown = self._line(self._cells(self._bottom) - 1)
        return f"{_DIM}{shown}{_PLAIN}" if shown and self._coloured(self._bottom) else shown

    def _choice(self) -> str:
        return self._environment_color if self.color == "auto" else self.color

    def _coloured(self, stream: Stream) -> bool:
        choice = self._choice()
        return choice == "always" or (choice == "auto" and stream.tty)


class CapturedTerminal(Terminal):
    """A terminal for tests, with what was written to it."""

    def __init__(
        self,
        width: int,
        tty: bool,
        err_tty: bool,
        encoding: str,
        environ: Mapping[str, str],
        *,
        color: str = "auto",
    ) -> None:
        self._out_bytes = BytesIO()
        self._err_bytes = BytesIO()
        super().__init__(
            Stream(self._out_bytes, tty=tty, encoding=encoding),
            Stream(self._err_bytes, tty=err_tty, encoding=encoding),
            {"COLUMNS": str(width), **environ},
            color=color,
        )

    @property
    def out_text(self) -> str:
        """Everything written to stdout so far."""
        self.flush()
        return self._out_bytes.getvalue().decode(self._out.encoding)

    @property
    def err_text(self) -> str:
        """Everything said so far."""
        return self._err_bytes.getvalue().decode(self._err.encoding)

    def resize(self, width: int) -> None:
        """Make it wider or narrower."""
        self._columns = width


def _environment_color(environ: Mapping[str, str]) -> str:
    """What the environment chooses: `NO_COLOR` before `CLICOLOR_FORCE`, as both conventions ask."""
    if environ.get("NO_COLOR"):
        return "never"
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return "always"
    return "never" if environ.get("TERM") == "dumb" else "auto"


def _columns(environ: Mapping[str, str]) -> int:
    """`COLUMNS` where it makes sense, else 0."""
    value = environ.get("COLUMNS", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 5 else 0
