"""Differences of platforms in consoles and pipes: escape sequences, encodings, blocking, closed readers."""

import codecs
import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO

# An empty pipe has this much room, and files don't block.
_CHUNK = 64 * 1024
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN})
# ENABLE_VIRTUAL_TERMINAL_PROCESSING of SetConsoleMode.
_ESCAPE_SEQUENCES = 0x0004


class ConsoleApi(Protocol):
    """The calls of Windows for a console, by file descriptor."""

    def output_code_page(self) -> int:
        """The code page of the console's output; 0 without a console."""

    def mode(self, fd: int) -> int | None:
        """The console's output mode; None where `fd` is no console."""

    def set_mode(self, fd: int, mode: int) -> bool:
        """Set the console's output mode; False where it does not support that."""


if sys.platform == "win32":

    class _Kernel32:
        """`ConsoleApi` by ctypes."""

        def __init__(self) -> None:
            import ctypes

            self._ctypes = ctypes
            self._dll = ctypes.WinDLL("kernel32")

        def output_code_page(self) -> int:
            return int(self._dll.GetConsoleOutputCP())

        def mode(self, fd: int) -> int | None:
            mode = self._ctypes.c_uint32()
            known = self._dll.GetConsoleMode(self._handle(fd), self._ctypes.byref(mode))
            return mode.value if known else None

        def set_mode(self, fd: int, mode: int) -> bool:
            return bool(self._dll.SetConsoleMode(self._handle(fd), mode))

        def _handle(self, fd: int) -> object:
            import msvcrt

            return self._ctypes.c_void_p(msvcrt.get_osfhandle(fd))


def console_api() -> ConsoleApi | None:
    """The console calls of this platform; None where terminals need none."""
    if sys.platform == "win32":
        return _Kernel32()
    return None


def enable_escape_sequences(api: ConsoleApi | None, fd: int) -> Callable[[], object] | None:
    """Make the terminal `fd` interpret escape sequences.

    Returns a function that restores its mode; None where it can't interpret them.
    """
    if api is None:
        return lambda: None
    mode = api.mode(fd)
    if mode is None or not api.set_mode(fd, mode | _ESCAPE_SEQUENCES):
        return None
    return lambda: api.set_mode(fd, mode)


def terminal_encoding(file: TextIO) -> str:
    """The encoding of a terminal. In the C locale that is ASCII, although Python would write UTF-8."""
    # Python writes UTF-8 to a Windows console, whatever its code page.
    if file.encoding.lower().replace("_", "-") != "utf-8" or sys.platform == "win32":
        return file.encoding
    import locale

    return _codec(locale.getencoding())


def shell_encoding(api: ConsoleApi | None, file: TextIO) -> str:
    """The encoding in which the shell reads our output.

    PowerShell decodes it by the console's code page, which is not the one that Python writes to pipes.
    """
    code_page = api.output_code_page() if api is not None else 0
    return _codec(f"cp{code_page}" if code_page else file.encoding or "utf-8")


def _codec(encoding: str) -> str:
    """Python's name of an encoding; ASCII for one that Python doesn't know."""
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return "ascii"


def shell_words(words: Sequence[str]) -> str:
    """A command line as the platform's shell takes it."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return list2cmdline(words)
    from shlex import join

    return join(words)


def with_variable(name: str, value: str, command: str) -> list[str]:
    """Lines to paste into a shell that run `command` with an environment variable; on Windows one for each
    shell. `value` has no quotes or blanks."""
    if sys.platform != "win32":
        return [f"{name}={value} {command}"]
    return [
        f"PowerShell:  $env:{name}='{value}'; {command}",
        f'cmd:         set "{name}={value}" && {command}',
    ]


def _file_mode(fd: int | None) -> int:
    """The file's mode; 0 where unknown."""
    try:
        return 0 if fd is None else os.fstat(fd).st_mode
    except OSError:
        return 0


def is_reader_gone(error: OSError, fd: int | None) -> bool:
    """Whether a write to `fd` failed because its reader has closed it."""
    # Windows reports EINVAL for a pipe without a reader.
    return error.errno in _GONE or (error.errno == errno.EINVAL and stat.S_ISFIFO(_file_mode(fd)))


def has_reader(fd: int) -> bool:
    """Whether the pipe `fd` still has a reader, without writing; True where the platform can't say."""
    import select

    if sys.platform == "win32" or not hasattr(select, "poll"):
        return True
    poll = select.poll()
    # macOS reports the reader's end only to those who ask for an event.
    poll.register(fd, select.POLLOUT)
    return not any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def room(fd: int | None, *, tty: bool, timeout: float | None) -> int:
    """How many bytes can be written to `fd` without blocking; waits for it. 0 when `timeout` is over.

    On Windows, where only sockets can be waited for, a write may block.
    """
    import select

    # What can be written when a terminal or a pipe is writable.
    at_once = getattr(select, "PIPE_BUF", 512)
    if fd is None or not hasattr(select, "poll"):
        return at_once
    if not select.select([], [fd], [], timeout)[1]:
        return 0
    mode = _file_mode(fd)
    if stat.S_ISFIFO(mode):
        return _CHUNK if _is_empty_pipe(fd) else at_once
    return _CHUNK if not tty and (stat.S_ISREG(mode) or stat.S_ISCHR(mode)) else at_once


def _is_empty_pipe(fd: int) -> bool:
    """Whether a whole chunk can be written to the pipe without blocking."""
    if sys.platform == "win32":
        return False
    import fcntl
    import termios

    try:
        unread = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
        return not any(unread) and fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) >= _CHUNK
    except (OSError, AttributeError):  # not every system has these calls
        return False


def whole_characters(data: bytes, size: int) -> int:
    """`size`, or less where it would cut a UTF-8 character in two.

    Up to Python 3.11 a Windows console shows both halves as U+FFFD.
    """
    if size >= len(data):
        return size
    return next((at for at in range(size, max(size - 4, 0), -1) if data[at] & 0xC0 != 0x80), size)
