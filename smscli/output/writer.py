"""An output stream: encodes text, writes all of it, raises our errors."""

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

# What can be written without blocking when a terminal or a pipe is writable.
_AT_ONCE = getattr(select, "PIPE_BUF", 512)
# An empty pipe has this much room, and files don't block.
_CHUNK = 64 * 1024
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN})


def _visible(error: UnicodeError) -> tuple[str, int]:
    """Encoding error handler: missing characters become `\\u{HEX}`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(f"\\u{{{ord(one):X}}}" for one in missing), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Encoding error handler for JSON: missing characters become JSON escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from json import dumps

    return dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("smscli.visible", _visible)
codecs.register_error("smscli.escaped", _escaped)


class Raw(Protocol):
    """What a stream needs of an unbuffered binary file."""

    def write(self, data: bytes, /) -> int | None: ...
    def fileno(self) -> int: ...


class Stream:
    """Writes text to a file descriptor. `raw` is None if the process was started without it; `json`: all the
    text is JSON."""

    def __init__(self, raw: Raw | None, *, tty: bool, encoding: str = "utf-8", json: bool = False) -> None:
        self.tty = tty
        self.encoding = encoding
        self._error_handler = "smscli.escaped" if json else "smscli.visible"
        self._raw = raw
        self._fd = _selectable(raw)
        mode = _file_mode(self._fd)
        self._is_pipe = stat.S_ISFIFO(mode)
        self._is_file = not tty and (stat.S_ISREG(mode) or stat.S_ISCHR(mode))
        self._buffer = b""
        self._failed = False

    @classmethod
    def of(cls, file: TextIO | None, *, json: bool = False) -> Self:
        """The stream of `sys.stdout` or `sys.stderr`. A pipe is UTF-8 regardless of the locale."""
        if file is None:
            return cls(None, tty=False)
        raw: Raw = getattr(file.buffer, "raw", file.buffer)
        tty = file.isatty()
        return cls(raw, tty=tty, encoding=_terminal_encoding(file) if tty else "utf-8", json=json)

    def detach(self) -> None:
        """Write to a duplicate of the file descriptor from now on; the original one discards what it gets."""
        if self._fd is None:
            return
        self._raw = os.fdopen(os.dup(self._fd), "wb", buffering=0)
        with open(os.devnull, "wb") as discard:
            os.dup2(discard.fileno(), self._fd)
        self._fd = self._raw.fileno()

    def shows(self, characters: str) -> bool:
        """Whether its encoding has all of these characters."""
        try:
            characters.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal; 0 where unknown."""
        if self._raw is None or not self.tty:
            return 0, 0
        try:
            return os.get_terminal_size(self._raw.fileno())
        except (OSError, ValueError):
            return 0, 0

    def add(self, text: str) -> None:
        """Buffer `text` for `drain`; dropped after a failure."""
        if not self._failed:
            self._buffer += text.encode(self.encoding, self._error_handler)

    def drain(self) -> None:
        """Write the buffer. A signal may interrupt it; the next call writes the rest if there is time."""
        while self._buffer:
            room = self._await_room()
            if not room:
                self._failed, self._buffer = True, b""
                return
            with signals_deferred():
                self._buffer = self._buffer[self._write_some(room) :]

    def check(self) -> None:
        """Raise ReaderGone if the pipe has no reader any more."""
        if self._fd is None or self.tty:
            return
        poll = select.poll()
        poll.register(self._fd, 0)
        if any(events & select.POLLERR for _, events in poll.poll(0)):
            raise ReaderGone

    def _await_room(self) -> int:
        """Wait until a write doesn't block; signals may interrupt the wait, never the write.

        Returns how many bytes can be written; 0 when the shutdown time is over.
        """
        if self._fd is None:
            return _AT_ONCE
        if not select.select([], [self._fd], [], shutdown_time_left())[1]:
            return 0
        return _CHUNK if self._has_much_room(self._fd) else _AT_ONCE

    def _has_much_room(self, fd: int) -> bool:
        """Whether a whole chunk can be written without blocking."""
        if not self._is_pipe:
            return self._is_file
        import fcntl
        import termios

        try:
            unread = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
            return not any(unread) and fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) >= _CHUNK
        except (OSError, AttributeError):  # not every system has these calls
            return False

    def _write_some(self, room: int) -> int:
        try:
            if self._raw is None:
                raise OSError(errno.EBADF, "it is closed")
            return self._raw.write(self._buffer[:room]) or 0
        except OSError as error:
            self._failed, self._buffer = True, b""
            if error.errno in _GONE:
                raise ReaderGone from error
            raise LocalError(f"output can't be written: {error.strerror or error}") from error


def _selectable(raw: Raw | None) -> int | None:
    """The file descriptor for `select`; None where that is not possible."""
    try:
        return raw.fileno() if raw is not None and sys.platform != "win32" else None
    except (OSError, ValueError):
        return None


def _file_mode(fd: int | None) -> int:
    """The file's mode; 0 where unknown."""
    try:
        return 0 if fd is None else os.fstat(fd).st_mode
    except OSError:
        return 0


def _terminal_encoding(file: TextIO) -> str:
    """The terminal's encoding. In the C locale that is ASCII, although Python would write UTF-8."""
    if file.encoding.lower().replace("_", "-") != "utf-8" or sys.platform == "win32":
        return file.encoding
    named = locale.getencoding()
    try:
        return codecs.lookup(named).name
    except LookupError:
        return "ascii"
