"""Config, state and cache files: their folders, locks, and atomic writes with mode 0600."""

import errno
import ntpath
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from smscli.errors import UsageError

# Of Windows' errors: access denied, and a file that another process has open.
_IN_USE = (5, 32)
_REPLACE_SECONDS = 2.0
_LOCK_SECONDS = 10.0


def home_folder(environ: Mapping[str, str]) -> str | None:
    """The user's home, from the environment or else the system; None where that is not an absolute path."""
    home = environ.get("HOME") or _system_home()
    # A relative one would mean another folder in each working directory.
    return home if os.path.isabs(home) else None


def _system_home() -> str:
    if sys.platform == "win32":
        return os.path.expanduser("~")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container may run under a user id that has no entry
        return ""


# An XDG variable and a folder of the home; on Windows also a variable of its own, and another folder.
_PLACES = {
    "config": ("XDG_CONFIG_HOME", ".config", "APPDATA", "AppData/Roaming"),
    "state": ("XDG_STATE_HOME", ".local/state", "LOCALAPPDATA", "AppData/Local"),
    "cache": ("XDG_CACHE_HOME", ".cache", "LOCALAPPDATA", "AppData/Local"),
}


def app_folder(environ: Mapping[str, str], kind: Literal["config", "state", "cache"]) -> Path | None:
    """The `smscli` folder for files of this kind; it may not exist.

    None without a home: the working directory is never used in its place.
    """
    xdg, folder, windows_variable, windows_folder = _PLACES[kind]
    variables = [xdg]
    if sys.platform == "win32":
        variables, folder = [xdg, windows_variable], windows_folder
    for variable in variables:
        shared = environ.get(variable, "")
        # The XDG specification says to ignore relative paths.
        if os.path.isabs(shared):
            return Path(shared, "smscli")
    home = home_folder(environ)
    return Path(home, folder, "smscli") if home else None


def expand_home(name: str, environ: Mapping[str, str]) -> str:
    """A file name with `~` and `~USER` at its beginning expanded. UsageError for an empty name, and where
    there is no such home."""
    if not name:
        raise UsageError("a file name is empty")
    if not name.startswith("~"):
        return name
    separators = f"{os.sep}{os.altsep or ''}"
    first = name[: next((at for at, sign in enumerate(name) if sign in separators), None)]
    home = home_folder(environ) if first == "~" else os.path.expanduser(first)
    if not home or home == first:
        raise UsageError(f"there is no home folder {first} for {name}", hint="write the absolute path")
    return home.rstrip(separators) + name[len(first) :]


def option_file(name: str, environ: Mapping[str, str]) -> str:
    """The file that an option names, with its home expanded. UsageError.

    Windows takes `log:1` for a hidden stream of the file `log`, which no folder shows.
    """
    expanded = expand_home(name, environ)
    if sys.platform == "win32" and ":" in ntpath.splitdrive(expanded)[1]:
        raise UsageError(f"{name} has a colon in it", hint="on Windows no file name can have one")
    return expanded


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file `path`; its folder is created (0700).

    The system releases the lock of a process that dies. The lock file stays: removing it would let two
    processes lock two different files. OSError; TimeoutError after 10 seconds.
    """
    import time

    os.makedirs(path.parent, mode=0o700, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "ab", opener=open_private) as file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise TimeoutError(0, "another process holds it")
            time.sleep(0.02)
        yield


def replace_file(path: Path, text: str | Iterable[bytes]) -> None:
    """Replace a file atomically, mode 0600; bytes may come in pieces. OSError."""
    import tempfile

    # A config file is often a symlink into a dotfiles repository: keep the link.
    target = Path(os.path.realpath(path))
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(handle, "wb") as file:
            file.writelines([text.encode()] if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, target)
    except BaseException:
        # After a signal the file may have been renamed already.
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _replace(source: str, target: Path) -> None:
    """`os.replace`, tried again for a while where Windows refuses it: a virus scanner or an editor may have
    the file open."""
    import time

    deadline = time.monotonic() + _REPLACE_SECONDS
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def open_private(name: str, flags: int) -> int:
    """An opener for `open`: creates files with mode 0600."""
    return os.open(name, flags, 0o600)


def try_lock(handle: int) -> bool:
    """Lock an open file; False where another process holds the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            # On Windows a locked range can't be read by others: lock a byte far beyond the content.
            os.lseek(handle, 2**31 - 2, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Windows has EACCES, and Wine sets no error number.
        if error.errno not in (errno.EAGAIN, errno.EACCES, 0):
            raise
        return False
    return True
