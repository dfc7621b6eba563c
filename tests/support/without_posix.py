"""Runs smscli without what Windows lacks: `python -m tests.support.without_posix ARGUMENTS`.

Modules and functions are hidden, only sockets can be waited for, a pipe without a reader fails with EINVAL,
there is no time zone database, and the console's code page is 850.
"""

import ctypes
import errno
import fcntl
import importlib
import os
import select
import signal
import sys
import time
import types
import zoneinfo
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any

# These choose by the platform when they are imported: as they are here, they work here.
_THIRD_PARTIES = (
    "asyncio", "ctypes.util", "http.server", "keyring.backends.fail", "requests", "rich.console",
    "socketserver", "ssl",
    "truststore", "typer.main", "urllib3", "uuid", "webbrowser",
)  # fmt: skip
_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
_FUNCTIONS: dict[Any, tuple[str, ...]] = {
    os: ("fchmod", "fork", "getuid", "killpg", "mkfifo", "openpty", "set_blocking"),
    select: ("poll", "epoll", "PIPE_BUF"),
    signal: ("SIGHUP", "SIGTSTP", "SIGALRM", "SIGKILL", "pthread_kill", "setitimer"),
    time: ("tzset",),
}
_LOCK = fcntl.LOCK_EX | fcntl.LOCK_NB


class _Pipe(FileIO):
    """A pipe that fails as on Windows when its reader is gone."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise OSError(errno.EINVAL, "Invalid argument") from None


class _Dll:
    """Of `kernel32` what smscli calls; no descriptor is a console."""

    def __init__(self, name: str) -> None:
        assert name == "kernel32"

    def GetConsoleOutputCP(self) -> int:
        return 850

    def GetConsoleMode(self, handle: object, mode: object) -> int:
        return 0


def _locking(fd: int, mode: int, size: int) -> None:
    try:
        _flock(fd, _LOCK)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


_flock = fcntl.flock


def hide() -> None:
    """Take it all away from this process."""
    for name in _THIRD_PARTIES:
        importlib.import_module(name)
    zoneinfo.reset_tzpath(())
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in _FUNCTIONS.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    msvcrt: Any = types.ModuleType("msvcrt")
    msvcrt.LK_NBLCK, msvcrt.locking, msvcrt.get_osfhandle = 2, _locking, lambda fd: fd
    sys.modules["msvcrt"] = msvcrt
    vars(ctypes)["WinDLL"] = _Dll
    sys.platform = "win32"
    for name, fd in (("stdout", 1), ("stderr", 2)):
        pipe = BufferedWriter(_Pipe(fd, "w", closefd=False))
        setattr(sys, name, TextIOWrapper(pipe, encoding="cp1252", newline="\r\n", write_through=True))


if __name__ == "__main__":
    hide()
    from smscli.__main__ import main

    sys.argv[0] = "smscli"
    main()
