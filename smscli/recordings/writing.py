"""A recording's file as it is written: locked, whole lines after a crash at any byte."""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from io import SEEK_END, FileIO
from typing import IO, Self

from smscli.errors import LocalError
from smscli.model import Participant
from smscli.recordings.format import (
    Line,
    OtherRecord,
    file_error,
    is_record,
    is_torn,
    numbered_lines,
    parse_line,
)
from smscli.settings.files import open_private, try_lock

_SYNC_SECONDS = 1.0
_BLOCK = 1 << 16


class RecordingFile:
    """A file that only this process appends to, from `open` until `close` or the end of the process.

    Every method raises LocalError when the file can't be read or written.
    """

    def __init__(
        self,
        file: FileIO,
        name: str,
        *,
        redact: bool = False,
        clock: Callable[[], float] = time.monotonic,
        fsync: Callable[[int], None] = os.fsync,
    ) -> None:
        """`file` is open for reading and appending; `clock` counts seconds. Usually called by `open`."""
        self._file = file
        self._name = name
        self._redact = redact
        self._clock = clock
        self._fsync = fsync
        self._synced_at = clock()
        self._unsynced = False
        # Whether an append has not come to its end, and where the last one that has ended.
        self._unfinished = False
        self._size = file.seek(0, SEEK_END)

    @classmethod
    def open(cls, path: str, *, redact: bool = False) -> Self:
        """Create a recording, mode 0600, or resume one: lock it and cut off a partial last line.

        `redact`: the messages are masked. Raises LocalError also if `path` is not a regular file or not a
        recording, has the other setting, or is open in another process; the file is then unchanged.
        """
        try:
            if os.path.exists(path) and not os.path.isfile(path):
                raise OSError(0, "not a regular file")
            with ExitStack() as closing:
                file = closing.enter_context(FileIO(path, "a+", opener=open_private))
                recording = cls(file, path, redact=redact)
                recording._begin()
                closing.pop_all()
        except OSError as error:
            raise file_error(path, "opened", error) from error
        return recording

    def lines(self) -> Iterator[Line]:
        """All lines in order of arrival; must be exhausted before the first `append`.

        A message has the identity of the received one, and `line_of` returns its line. LocalError names a
        line that is no record or has the other setting.
        """
        known: dict[str, Participant] = {}
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as file:
            for number, text in numbered_lines(file, self._name):
                line = parse_line(text, number, self._name, known)
                self._check_setting(line)
                yield line

    def append(self, lines: bytes) -> None:
        """Append whole lines, all or none; sync if the last sync is over a second old."""
        try:
            if self._unfinished:
                self._take_back()
            self._write(lines)
        except OSError as error:
            with suppress(OSError):
                self._take_back()
            raise file_error(self._name, "written", error) from error
        if self._clock() - self._synced_at >= _SYNC_SECONDS:
            self.sync()

    def is_current(self) -> bool:
        """Whether it still has its name and its length, which Windows keeps of an open file."""
        return sys.platform == "win32" or is_unchanged(self._file, self._name, self._size)

    def sync(self) -> None:
        """Flush appended messages to the disk; does nothing if there are none."""
        if self._unsynced:
            try:
                self._fsync(self._file.fileno())
            except OSError as error:
                raise file_error(self._name, "written", error) from error
            self._unsynced = False
        self._synced_at = self._clock()

    def close(self) -> None:
        """Sync and unlock."""
        try:
            self.sync()
        finally:
            self._file.close()

    def _begin(self) -> None:
        handle = self._file.fileno()
        if not try_lock(handle):
            raise LocalError(f"another process is recording to {self._name}", hint="use one file per tail")
        self._check_first_line()
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if sys.platform != "win32" and mode & ~0o600:
            os.fchmod(handle, mode & 0o600)
        self._repair()

    def _check_first_line(self) -> None:
        """Called before anything is changed: a file that is not a recording must not lose its last line."""
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as file:
            for number, line in numbered_lines(file, self._name):
                try:
                    parsed = parse_line(line, number, self._name)
                except LocalError as error:
                    if is_torn(line, number):
                        return
                    raise LocalError(
                        f"{self._name} is not a recording; it is unchanged", hint="name a new file"
                    ) from error
                if not isinstance(parsed.record, OtherRecord):
                    self._check_setting(parsed)
                    return

    def _check_setting(self, line: Line) -> None:
        if line.masked != self._redact and not isinstance(line.record, OtherRecord):
            begun = "without" if self._redact else "with"
            raise LocalError(
                f"{self._name} was started {begun} --redact",
                hint=f"run tail {begun} it, or record to another file",
            )

    def _take_back(self) -> None:
        """Cut off what an `append` that failed has written."""
        self._file.truncate(self._size)
        self._unfinished, self._unsynced = False, True

    def _repair(self) -> None:
        """Make the file that an earlier run wrote end with a complete line."""
        size = self._file.seek(0, SEEK_END)
        start = self._last_line(size)
        if start < size:
            self._file.seek(start)
            # A line without its newline only is kept: the server may no longer have the message.
            if is_record(self._file.read(size - start)):
                self._write(b"\n")
            else:
                self._file.truncate(start)
                self._unsynced = True
        self._size = self._file.seek(0, SEEK_END)

    def _last_line(self, size: int) -> int:
        """The start of a last line without newline; `size` if there is none."""
        end = size
        while end > 0:
            start = max(0, end - _BLOCK)
            self._file.seek(start)
            newline = self._file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return 0

    def _write(self, data: bytes) -> None:
        """Until all is written the file counts as unfinished: a signal may raise at any point."""
        rest = memoryview(data)
        self._unfinished = self._unsynced = True
        while rest:
            rest = rest[self._file.write(rest) :]
        self._size += len(data)
        self._unfinished = False


def is_unchanged(file: IO[bytes], path: str, size: int) -> bool:
    """Whether an open file still has its name, and was not cut to less than `size`."""
    mine = os.fstat(file.fileno())
    try:
        named = os.stat(path)
    except OSError:
        return False
    return os.path.samestat(mine, named) and mine.st_size >= size


def is_held(path: str) -> bool:
    """Whether another process records to a file."""
    with open(path, "rb") as file:
        return not try_lock(file.fileno())
