"""The file of `--record`: one message per line, each once; valid after a crash at any byte, and read back.

The lines are those of `tail --json`. A masked line begins with a blank, which JSON parsers ignore, so every
line shows under which setting it was recorded.
"""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from io import SEEK_END, FileIO
from types import TracebackType
from typing import BinaryIO, Self

from smscli.errors import LocalError, NotFound, WireError
from smscli.gws.decode import decode, message_from_json
from smscli.model import Message, Participant
from smscli.records import message_json
from smscli.settings.files import open_private, try_lock

# A response has at most 64 MiB, and a message grows at most threefold: a C1 control of two bytes becomes an
# escape of six. So every recorded line can be read back.
LONGEST_LINE = 192 * 2**20
_SYNC_SECONDS = 1.0
_OPENING = b'{"sessionId":'
_MASKED = b" "
_BLOCK = 1 << 16
_MOST_KNOWN = 1024
_MOST_NAMED = 10
_LONGEST_NAME = 64


class Recording:
    """A recording that only this process appends to, from `open` until `close` or the end of the process.

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
        self._unfinished = True

    @classmethod
    def open(cls, path: str, *, redact: bool = False) -> Self:
        """Create a recording, mode 0600, or resume one: lock it and cut off a partial last line.

        `redact`: the messages are masked. Raises LocalError also if `path` is not a regular file or not a
        recording, has the other setting, or is open in another process; the file is then unchanged.
        """
        try:
            with ExitStack() as closing:
                recording = cls(closing.enter_context(_open(path)), path, redact=redact)
                recording._begin()
                closing.pop_all()
        except OSError as error:
            raise _failed(path, "opened", error) from error
        return recording

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except LocalError:
            # The first error is the more useful one, but an interrupt doesn't report the state of the file.
            if not isinstance(error, Exception):
                raise

    def messages(self) -> Iterator[Message]:
        """All recorded messages in order of arrival; must be exhausted before the first `append`.

        Each has the identity of the received message, and `message_json` returns its line. LocalError names
        a line that is not a message or has the other setting.
        """
        known: dict[str, Participant] = {}
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as file:
            for number, line in _lines(file, self._name):
                message = _message(line, number, self._name, known)
                if message is not None:
                    self._check_setting(line)
                    yield message

    def append(self, messages: Iterable[Message]) -> None:
        """Append messages that the file doesn't contain yet; sync if the last sync is over a second old.

        After a failure the file ends with the last complete line.
        """
        lines = b"".join([self._line(one) for one in messages])
        try:
            if self._unfinished:
                self._mend()
            self._write(lines)
        except OSError as error:
            with suppress(OSError):
                self._mend()
            hint = "its messages are kept; run tail again with the same file to add the rest"
            raise _failed(self._name, "written", error, hint) from error
        if self._clock() - self._synced_at >= _SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Flush appended messages to the disk; does nothing if there are none."""
        if self._unsynced:
            try:
                self._fsync(self._file.fileno())
            except OSError as error:
                raise _failed(self._name, "written", error) from error
            self._unsynced = False
        self._synced_at = self._clock()

    def close(self) -> None:
        """Sync and unlock. May be called again."""
        if self._file.closed:
            return
        try:
            if self._unfinished:
                self._mend()
            self.sync()
        except OSError as error:
            raise _failed(self._name, "written", error) from error
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
        self._mend()

    def _check_first_line(self) -> None:
        """Called before anything is changed: a file that is not a recording must not lose its last line."""
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as file:
            for number, line in _lines(file, self._name):
                try:
                    message = _message(line, number, self._name)
                except LocalError as error:
                    if _is_torn(line, number):
                        return
                    raise LocalError(
                        f"{self._name} is not a recording; it is unchanged", hint="name a new file"
                    ) from error
                if message is not None:
                    self._check_setting(line)
                    return

    def _check_setting(self, line: bytes) -> None:
        if line.startswith(_MASKED) != self._redact:
            begun = "without" if self._redact else "with"
            raise LocalError(
                f"{self._name} was started {begun} --redact",
                hint=f"run tail {begun} it, or record to another file",
            )

    def _line(self, message: Message) -> bytes:
        try:
            line = message_json(message).encode()
        except RecursionError as error:
            where = f"message {message.index} of session {message.session_id}"
            raise LocalError(f"{where} is nested too deeply to be recorded") from error
        return b"%b%b\n" % (_MASKED if self._redact else b"", line)

    def _mend(self) -> None:
        """Make the file end with a complete line."""
        size = self._file.seek(0, SEEK_END)
        start = self._last_line(size)
        if start < size:
            self._file.seek(start)
            # A line without its newline only is kept: the server may no longer have the message.
            if size - start <= LONGEST_LINE and _is_message(self._file.read(size - start)):
                self._write(b"\n")
            else:
                self._file.truncate(start)
                self._unsynced = True
        self._unfinished = False

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
        self._unfinished = False


def read(
    source: str, session_id: str | None = None, *, stdin: BinaryIO | None, notice: Callable[[str], None]
) -> Iterator[Message]:
    """The messages of one session or of all sessions of a recording, in its order.

    `source` is a file name, or `-` for `stdin` (None: closed), and is streamed. Notices and errors of
    `tail --json` among the lines are skipped; a truncated last line is skipped with a `notice`. LocalError
    names a line that is not a message, NotFound the existing sessions if `session_id` is none of them.
    """
    name = "standard input" if source == "-" else source
    others: dict[str, None] = {}
    found = session_id is None
    with _opened(source, stdin) as file:
        for message in _read_lines(file, name, notice):
            if session_id is None or message.session_id == session_id:
                found = True
                yield message
            elif len(others) <= _MOST_NAMED:
                others[message.session_id] = None
    if not found:
        raise NotFound(f"no session {session_id} in {name}", hint=_named(list(others)))


def newest_time(source: str, stdin: BinaryIO | None) -> datetime | None:
    """The newest timestamp in a recording, which stands for now; None without any. LocalError as `read`."""
    with _opened(source, stdin) as file:
        messages = _read_lines(file, source, notice=lambda line: None)
        return max((one.at for one in messages if one.at), default=None)


def _named(sessions: list[str]) -> str:
    if not sessions:
        return "it contains no messages"
    shown = (
        f"{one[:_LONGEST_NAME]}..." if len(one) > _LONGEST_NAME else one for one in sessions[:_MOST_NAMED]
    )
    names = ", ".join(shown)
    return f"it contains {names}" + (" and others" if len(sessions) > _MOST_NAMED else "")


def _opened(source: str, stdin: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    if source == "-":
        if stdin is None:
            raise LocalError("standard input can't be read: it is closed")
        return nullcontext(stdin)
    try:
        return open(source, "rb")
    except OSError as error:
        raise _failed(source, "read", error) from error


def _read_lines(file: BinaryIO, name: str, notice: Callable[[str], None]) -> Iterator[Message]:
    known: dict[str, Participant] = {}
    for number, line in _lines(file, name):
        try:
            message = _message(line, number, name, known)
        except LocalError:
            if not _is_torn(line, number):
                raise
            notice(f"the last line of {name} is truncated and was skipped")
            return
        if message is not None:
            yield message


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Each line, with its newline, and its number from 1; the last line may have no newline."""
    number = 0
    while line := _next_line(file, name):
        number += 1
        if len(line) > LONGEST_LINE:
            raise LocalError(f"line {number} of {name} is over {LONGEST_LINE >> 20} MiB")
        yield number, line


def _next_line(file: BinaryIO, name: str) -> bytes:
    try:
        return file.readline(LONGEST_LINE + 1)
    except OSError as error:
        raise _failed(name, "read", error) from error


def _message(
    line: bytes, number: int, name: str, known: dict[str, Participant] | None = None
) -> Message | None:
    """The message of a line; None for a blank line, a notice or an error."""
    if line.isspace():
        return None
    try:
        return _parsed(decode(line), known)
    except (WireError, RecursionError) as error:
        raise LocalError(
            f"line {number} of {name} is not a message",
            hint="a recording has one message per line, as --record and `messages --jsonl` write them",
        ) from error


def _parsed(value: object, known: dict[str, Participant] | None) -> Message | None:
    if isinstance(value, dict):
        session_id = value.get("sessionId")
        if isinstance(session_id, str) and isinstance(value.get("type"), str):
            return _restored(value, session_id, known)
        if value.keys() in ({"notice"}, {"error"}):
            return None
    raise WireError("neither a message nor a notice")


def _restored(value: dict[str, object], session_id: str, known: dict[str, Participant] | None) -> Message:
    """The message as received: the server's unparsable timestamp goes back into its own key."""
    if known is not None and len(known) >= _MOST_KNOWN:
        known.clear()
    if value.get("timestamp") is None and "timestampRaw" in value:
        value["timestamp"] = value["timestampRaw"]
    message = message_from_json(value, session_id, known)
    return replace(message, late=True) if value.get("late") is True else message


def _is_message(line: bytes) -> bool:
    try:
        return _message(line, 0, "") is not None
    except LocalError:
        return False


def _is_torn(line: bytes, number: int) -> bool:
    """Whether an invalid line is the beginning of one that a crash cut off, and not other text.

    After a power failure a file system may show zeros in place of unwritten data.
    """
    start = line.lstrip(_MASKED)[: len(_OPENING)].rstrip(b"\0")
    return not line.endswith(b"\n") and (number > 1 or _OPENING.startswith(start))


def _failed(name: str, what: str, error: OSError, hint: str | None = None) -> LocalError:
    return LocalError(f"{name} can't be {what}: {error.strerror or error}", hint=hint)


def _open(path: str) -> FileIO:
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(0, "not a regular file")
    return FileIO(path, "a+", opener=open_private)
