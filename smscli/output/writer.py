"""An output stream: encodes text, writes all of it, raises our errors."""

import codecs
import errno
import os
import sys
from contextlib import suppress
from typing import BinaryIO, Self, TextIO

from smscli.errors import LocalError, ReaderGone
from smscli.output.console import has_reader, is_reader_gone, room, terminal_encoding, whole_characters
from smscli.signals import shutdown_time_left, signals_deferred


def _visible(error: UnicodeError) -> tuple[str, int]:
    """Encoding error handler: missing characters become `\\u{HEX}`."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(f"\\u{{{ord(one):X}}}" for one in missing), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Encoding error handler for JSON: missing characters become JSON escapes."""
    assert isinstance(error, UnicodeEncodeError)
    from json import dumps

    return dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("smscli.visible", _visible)
codecs.register_error("smscli.escaped", _escaped)


class Stream:
    """Writes text to a file descriptor. `raw`, unbuffered, is None if the process was started without it;
    `json`: all the text is JSON."""

    def __init__(
        self, raw: BinaryIO | None, *, tty: bool, encoding: str = "utf-8", json: bool = False
    ) -> None:
        self.tty = tty
        self.encoding = encoding
        self._error_handler = "smscli.escaped" if json else "smscli.visible"
        self._raw = raw
        self.fd: int | None = None
        # A stream in memory has none.
        with suppress(OSError, ValueError):
            self.fd = raw.fileno() if raw is not None else None
        self._buffer = b""
        self._failed = False

    @classmethod
    def of(cls, file: TextIO | None, *, json: bool = False) -> Self:
        """The stream of `sys.stdout` or `sys.stderr`. A pipe is UTF-8 regardless of the locale."""
        if file is None:
            return cls(None, tty=False)
        raw: BinaryIO = getattr(file.buffer, "raw", file.buffer)
        tty = file.isatty()
        return cls(raw, tty=tty, encoding=terminal_encoding(file) if tty else "utf-8", json=json)

    def detach(self) -> None:
        """Write to a duplicate of the file descriptor from now on; the original one discards what it gets."""
        # A Windows console is known by its first descriptors only.
        if self.fd is None or (self.tty and sys.platform == "win32"):
            return
        self._raw = os.fdopen(os.dup(self.fd), "wb", buffering=0)
        with open(os.devnull, "wb") as discard:
            os.dup2(discard.fileno(), self.fd)
        self.fd = self._raw.fileno()

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
            # Signals may interrupt the wait, never the write.
            size = room(self.fd, tty=self.tty, timeout=shutdown_time_left())
            if not size:
                self._failed, self._buffer = True, b""
                return
            with signals_deferred():
                self._buffer = self._buffer[self._write_some(size) :]

    def check(self) -> None:
        """Raise ReaderGone if the pipe has no reader any more."""
        if self.fd is not None and not self.tty and not has_reader(self.fd):
            raise ReaderGone

    def _write_some(self, size: int) -> int:
        try:
            if self._raw is None:
                raise OSError(errno.EBADF, "it is closed")
            return self._raw.write(self._buffer[: whole_characters(self._buffer, size)]) or 0
        except OSError as error:
            self._failed, self._buffer = True, b""
            if is_reader_gone(error, self.fd):
                raise ReaderGone from error
            raise LocalError(f"output can't be written: {error.strerror or error}") from error
