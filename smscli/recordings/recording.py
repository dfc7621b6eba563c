"""The file that `--record` keeps: one message a line, each once, whole after a crash at any byte, read back.

Its lines are those of `tail --json`. With `--redact` each begins with a blank, which no reader of JSON sees:
so every line says under which setting it was kept, and the objects are the same as ever.
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

# An answer has 64 MiB at most, and a message in it grows to three times its size at most: a C1 control of two
# bytes is written in six. So whatever was kept can be read back.
LONGEST_LINE = 192 * 2**20
_SYNC_SECONDS = 1.0
_OPENING = b'{"sessionId":'
_MASKED = b" "
_BLOCK = 1 << 16
_MOST_KNOWN = 1024
_MOST_NAMED = 10
_LONGEST_NAME = 64


class Recording:
    """A recording that this process alone appends to, from `open` until `close` or its death.

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
        """`file` is open for reading and appending; `clock` counts seconds. `open` is the usual way here."""
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
        """Begin a recording, mode 0600, or go on with one: lock it, and cut off what a crash left of a line.

        `redact`: the messages will come masked. LocalError too when `path` is no regular file or no
        recording, was begun under the other setting, or is open in another process; it is left as it was.
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
            # What went wrong first says more, but an interrupt says nothing of the file.
            if not isinstance(error, Exception):
                raise

    def messages(self) -> Iterator[Message]:
        """Every message kept so far, in the order of arrival; to be read through before the first `append`.

        Each has the identity that it had when it came, and `message_json` gives its line again. LocalError
        names a line that is no message or was kept under the other setting.
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
        """Keep messages that the file does not hold yet, and sync when that was last done a second ago.

        After a failure the file ends with the last line that was written whole.
        """
        lines = b"".join([self._line(one) for one in messages])
        try:
            if self._unfinished:
                self._mend()
            self._write(lines)
        except OSError as error:
            with suppress(OSError):
                self._mend()
            hint = "what it holds is kept; start again with the same file to get the rest"
            raise _failed(self._name, "written", error, hint) from error
        if self._clock() - self._synced_at >= _SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Have the disk hold what was appended; costs nothing when it does already."""
        if self._unsynced:
            try:
                self._fsync(self._file.fileno())
            except OSError as error:
                raise _failed(self._name, "written", error) from error
            self._unsynced = False
        self._synced_at = self._clock()

    def close(self) -> None:
        """Sync, and let others have the file. Closing twice is harmless."""
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
            raise LocalError(
                f"{self._name} is being recorded to by another process", hint="give each tail its own file"
            )
        self._check_first_line()
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if sys.platform != "win32" and mode & ~0o600:
            os.fchmod(handle, mode & 0o600)
        self._mend()

    def _check_first_line(self) -> None:
        """Before anything is changed: a file that is no recording must not lose its last line."""
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as file:
            for number, line in _lines(file, self._name):
                try:
                    message = _message(line, number, self._name)
                except LocalError as error:
                    if _is_torn(line, number):
                        return
                    raise LocalError(
                        f"{self._name} is no recording, and is left as it is", hint="name a new file"
                    ) from error
                if message is not None:
                    self._check_setting(line)
                    return

    def _check_setting(self, line: bytes) -> None:
        if line.startswith(_MASKED) != self._redact:
            begun = "without" if self._redact else "with"
            raise LocalError(
                f"{self._name} was begun {begun} --redact",
                hint=f"go on {begun} it, or record to another file",
            )

    def _line(self, message: Message) -> bytes:
        try:
            line = message_json(message).encode()
        except RecursionError as error:
            where = f"message {message.index} of session {message.session_id}"
            raise LocalError(f"{where} is nested too deeply to be recorded") from error
        return b"%b%b\n" % (_MASKED if self._redact else b"", line)

    def _mend(self) -> None:
        """Make the file end with a whole line."""
        size = self._file.seek(0, SEEK_END)
        start = self._last_line(size)
        if start < size:
            self._file.seek(start)
            # A line that lacks its newline alone is kept: the server may not have the message any more.
            if size - start <= LONGEST_LINE and _is_message(self._file.read(size - start)):
                self._write(b"\n")
            else:
                self._file.truncate(start)
                self._unsynced = True
        self._unfinished = False

    def _last_line(self, size: int) -> int:
        """Where the line begins that ends the file without a newline; `size` when there is none."""
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
        """Until the end is reached the file counts as torn: a signal may raise out of any line here."""
        rest = memoryview(data)
        self._unfinished = self._unsynced = True
        while rest:
            rest = rest[self._file.write(rest) :]
        self._unfinished = False


def read(
    source: str, session_id: str | None = None, *, stdin: BinaryIO | None, notice: Callable[[str], None]
) -> Iterator[Message]:
    """The messages of one session of a recording, or of all that are in it, in its order.

    `source` is a file's name, or `-` for `stdin` (None: it is closed), and is read as it comes. What
    `tail --json` said on stderr among them is passed over; a last line that is cut short is left out with a
    `notice`. LocalError names a line that is no message, NotFound the sessions there are when `session_id` is
    none of them.
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
        return "it holds no messages"
    shown = (
        f"{one[:_LONGEST_NAME]}..." if len(one) > _LONGEST_NAME else one for one in sessions[:_MOST_NAMED]
    )
    names = ", ".join(shown)
    return f"it holds {names}" + (" and others" if len(sessions) > _MOST_NAMED else "")


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
            notice(f"the last line of {name} is cut short, and left out")
            return
        if message is not None:
            yield message


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, from 1, and its newline, which only the last may lack."""
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
    """The message on a line; None for a blank line and for what was said on stderr."""
    if line.isspace():
        return None
    try:
        return _parsed(decode(line), known)
    except (WireError, RecursionError) as error:
        raise LocalError(
            f"line {number} of {name} is no message",
            hint="a recording has one message a line, as --record and `messages --jsonl` write them",
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
    """The message as it came from the server: a time that can't be read stands in its own place again."""
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
    """Whether a line that can't be read is what a crash left of one, and not some other text.

    After a power failure a file system may show zeros where it had no time to write.
    """
    start = line.lstrip(_MASKED)[: len(_OPENING)].rstrip(b"\0")
    return not line.endswith(b"\n") and (number > 1 or _OPENING.startswith(start))


def _failed(name: str, what: str, error: OSError, hint: str | None = None) -> LocalError:
    return LocalError(f"{name} can't be {what}: {error.strerror or error}", hint=hint)


def _open(path: str) -> FileIO:
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(0, "it is no regular file")
    return FileIO(path, "a+", opener=open_private)
