"""One way out, stdout or stderr: text in, bytes written whole, failures as errors of ours."""

import codecs
import errno
import locale
import os
import select
import stat
import sys
from typing import Protocol, Self, TextIO

from smscli.errors import LocalError, ReaderGone
from smscli.signals import shutdown_time_left, signals_deferred

# What a terminal or a pipe that has room has room for.
_AT_ONCE = getattr(select, "PIPE_BUF", 512)
# Room in a pipe that has been emptied; and a file never makes anybody wait.
_CHUNK = 64 * 1024
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN})


def _visible(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks as `\\u{HEX}`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(f"\\u{{{ord(one):X}}}" for one in lacking), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks as JSON does, in a string of which alone it can be a part."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from json import dumps

    return dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("smscli.visible", _visible)
codecs.register_error("smscli.escaped", _escaped)


class Raw(Protocol):
    """The part of an unbuffered binary file that a stream needs."""

    def write(self, data: bytes, /) -> int | None: ...
    def fileno(self) -> int: ...


class Stream:
    """One way out: text in, bytes written whole. `raw` is None where the process was started without it;
    `json`: all the text is JSON."""

    def __init__(self, raw: Raw | None, *, tty: bool, encoding: str = "utf-8", json: bool = False) -> None:
        self.tty = tty
        self.encoding = encoding
        self._lacking = "smscli.escaped" if json else "smscli.visible"
        self._raw = raw
        self._fd = _selectable(raw)
        mode = _mode(self._fd)
        self._is_pipe = stat.S_ISFIFO(mode)
        self._is_file = not tty and (stat.S_ISREG(mode) or stat.S_ISCHR(mode))
        self._rest = b""
        self._failed = False

    @classmethod
    def of(cls, file: TextIO | None, *, json: bool = False) -> Self:
        """The stream under one of `sys`'s text files. A pipe is UTF-8 whatever the locale says."""
        if file is None:
            return cls(None, tty=False)
        raw: Raw = getattr(file.buffer, "raw", file.buffer)
        tty = file.isatty()
        return cls(raw, tty=tty, encoding=_terminal_encoding(file) if tty else "utf-8", json=json)

    def shows(self, characters: str) -> bool:
        """Whether its encoding has all of these."""
        try:
            characters.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def size(self) -> tuple[int, int]:
        """Cells in a line, and lines, as the terminal says now; 0 where none says so."""
        if self._raw is None or not self.tty:
            return 0, 0
        try:
            return os.get_terminal_size(self._raw.fileno())
        except (OSError, ValueError):
            return 0, 0

    def add(self, text: str) -> None:
        """Take `text` on; `drain` writes it. After a failure, what follows is dropped."""
        if not self._failed:
            self._rest += text.encode(self.encoding, self._lacking)

    def drain(self) -> None:
        """Write what was taken on. A signal may end it; what it leaves is written by the next call, where
        somebody reads in time."""
        while self._rest:
            room = self._await_room()
            if not room:
                self._failed, self._rest = True, b""
                return
            with signals_deferred():
                self._rest = self._rest[self._write_some(room) :]

    def check(self) -> None:
        """Raise `ReaderGone` where a pipe has no reader any more, without having to write to it."""
        if self._fd is None or self.tty:
            return
        poll = select.poll()
        poll.register(self._fd, 0)
        if any(events & select.POLLERR for _, events in poll.poll(0)):
            raise ReaderGone

    def _await_room(self) -> int:
        """Wait, open to signals, until a write won't: then what is written is noted as written.

        Returns how many bytes can be written without waiting: none where the program was asked to end, and
        that takes too long.
        """
        if self._fd is None:
            return _AT_ONCE
        if not select.select([], [self._fd], [], shutdown_time_left())[1]:
            return 0
        return _CHUNK if self._has_much_room(self._fd) else _AT_ONCE

    def _has_much_room(self, fd: int) -> bool:
        """Whether a whole chunk can be written without waiting."""
        if not self._is_pipe:
            return self._is_file
        import fcntl
        import termios

        try:
            unread = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
            return not any(unread) and fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) >= _CHUNK
        except (OSError, AttributeError):  # not every system tells a pipe's size
            return False

    def _write_some(self, room: int) -> int:
        try:
            if self._raw is None:
                raise OSError(errno.EBADF, "it is closed")
            return self._raw.write(self._rest[:room]) or 0
        except OSError as error:
            self._failed, self._rest = True, b""
            if error.errno in _GONE:
                raise ReaderGone from error
            raise LocalError(f"output can't be written: {error.strerror or error}") from error


def _selectable(raw: Raw | None) -> int | None:
    """The number under which the system tells whether a write would wait; None where it can't."""
    try:
        return raw.fileno() if raw is not None and sys.platform != "win32" else None
    except (OSError, ValueError):
        return None


def _mode(fd: int | None) -> int:
    """What kind of file that is; 0 where nobody knows."""
    try:
        return 0 if fd is None else os.fstat(fd).st_mode
    except OSError:
        return 0


def _terminal_encoding(file: TextIO) -> str:
    """What the terminal takes. Python itself writes UTF-8 in the C locale, which promises ASCII only."""
    if file.encoding.lower().replace("_", "-") != "utf-8" or sys.platform == "win32":
        return file.encoding
    named = locale.getencoding()
    try:
        return codecs.lookup(named).name
    except LookupError:
        return "ascii"
