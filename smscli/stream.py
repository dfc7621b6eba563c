"""One way out, stdout or stderr: text in, bytes written whole, failures as errors of ours."""

import codecs
import errno
import locale
import os
import select
import sys
from typing import Protocol, Self, TextIO

from smscli.errors import LocalError, ReaderGone
from smscli.interrupts import held

# A pipe that has room has it for so much.
_AT_ONCE = getattr(select, "PIPE_BUF", 512)
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN})


def _visible(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks as `\\u{HEX}`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(f"\\u{{{ord(one):X}}}" for one in lacking), error.end


codecs.register_error("smscli.visible", _visible)


class Raw(Protocol):
    """The part of an unbuffered binary file that a stream needs."""

    def write(self, data: bytes, /) -> int | None: ...
    def fileno(self) -> int: ...


class Stream:
    """One way out: text in, bytes written whole. `raw` is None where the process was started without it."""

    def __init__(self, raw: Raw | None, *, tty: bool, encoding: str = "utf-8") -> None:
        self.tty = tty
        self.encoding = encoding
        self._raw = raw
        self._fd = _selectable(raw)
        self._rest = b""
        self._failed = False

    @classmethod
    def of(cls, file: TextIO | None) -> Self:
        """The stream under one of `sys`'s text files. A pipe is UTF-8 whatever the locale says."""
        if file is None:
            return cls(None, tty=False)
        raw: Raw = getattr(file.buffer, "raw", file.buffer)
        tty = file.isatty()
        return cls(raw, tty=tty, encoding=_terminal_encoding(file) if tty else "utf-8")

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
            self._rest += text.encode(self.encoding, "smscli.visible")

    def drain(self) -> None:
        """Write what was taken on. A signal may end it; what it leaves is written by the next call."""
        while self._rest:
            self._await_room()
            with held():
                self._rest = self._rest[self._write_some() :]

    def check(self) -> None:
        """Raise `ReaderGone` where a pipe has no reader any more, without having to write to it."""
        if self._fd is None or self.tty:
            return
        poll = select.poll()
        poll.register(self._fd, 0)
        if any(events & select.POLLERR for _, events in poll.poll(0)):
            raise ReaderGone

    def _await_room(self) -> None:
        """Wait, open to signals, until a write won't: then what is written is noted as written."""
        if self._fd is not None:
            select.select([], [self._fd], [])

    def _write_some(self) -> int:
        try:
            if self._raw is None:
                raise OSError(errno.EBADF, "it is closed")
            return self._raw.write(self._rest[:_AT_ONCE]) or 0
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


def _terminal_encoding(file: TextIO) -> str:
    """What the terminal takes. Python itself writes UTF-8 in the C locale, which promises ASCII only."""
    if file.encoding.lower().replace("_", "-") != "utf-8" or sys.platform == "win32":
        return file.encoding
    named = locale.getencoding()
    try:
        return codecs.lookup(named).name
    except LookupError:
        return "ascii"
