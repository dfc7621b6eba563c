"""Config, state and cache files: their folders, locks, and atomic writes with mode 0600."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from smscli.errors import UsageError


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


def app_folder(environ: Mapping[str, str], variable: str, fallback: str) -> Path | None:
    """The `smscli` folder in that of an XDG variable, else in `fallback` of the home; it may not exist.

    None without a home: the working directory is never used in its place.
    """
    shared = environ.get(variable, "")
    # The XDG specification says to ignore relative paths.
    if os.path.isabs(shared):
        return Path(shared, "smscli")
    home = home_folder(environ)
    return Path(home, fallback, "smscli") if home else None


def expand_home(name: str, environ: Mapping[str, str]) -> str:
    """A file name with `~` and `~USER` at its beginning expanded. UsageError where there is no such home."""
    if not name.startswith("~"):
        return name
    first, slash, rest = name.partition("/")
    home = home_folder(environ) if first == "~" else os.path.expanduser(first)
    if not home or home == first:
        raise UsageError(f"there is no home folder {first} for {name}", hint="write the absolute path")
    return f"{home.rstrip('/')}{slash}{rest}"


@contextmanager
def locked(path: Path, timeout: float = 10.0) -> Iterator[None]:
    """Hold the lock of the file `path`; its folder is created (0700).

    The system releases the lock of a process that dies. The lock file stays: removing it would let two
    processes lock two different files. OSError; TimeoutError after `timeout` seconds.
    """
    import time

    os.makedirs(path.parent, mode=0o700, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "ab", opener=open_private) as file:
        deadline = time.monotonic() + timeout
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise TimeoutError(0, "another process holds it")
            time.sleep(0.02)
        yield


def replace_file(path: Path, text: str) -> None:
    """Replace a file atomically, mode 0600. OSError."""
    import tempfile

    # A config file is often a symlink into a dotfiles repository: keep the link.
    target = Path(os.path.realpath(path))
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        # After a signal the file may have been renamed already.
        with suppress(OSError):
            os.unlink(temporary)
        raise


def open_private(name: str, flags: int) -> int:
    """An opener for `open`: creates files with mode 0600."""
    return os.open(name, flags, 0o600)


if sys.platform == "win32":

    def try_lock(handle: int) -> bool:
        """Lock an open file; False where another process holds the lock."""
        import msvcrt

        # On Windows a locked range can't be read by others: lock a byte far beyond the content.
        os.lseek(handle, 2**31 - 2, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def try_lock(handle: int) -> bool:
        """Lock an open file; False where another process holds the lock."""
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
