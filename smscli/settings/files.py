"""Our own small files: where they live, written by one process at a time, whole, for their owner alone."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def app_folder(environ: Mapping[str, str], variable: str, usual: str) -> Path:
    """Our folder in the one that an XDG variable names, else in `usual` of the home; it need not exist."""
    shared = environ.get(variable, "")
    # The XDG specification has relative paths ignored.
    if os.path.isabs(shared):
        return Path(shared, "smscli")
    return Path(environ.get("HOME") or os.path.expanduser("~"), usual, "smscli")


@contextmanager
def locked(path: Path, patience: float = 10.0) -> Iterator[None]:
    """Hold the right to change the file `path` against other processes; its folder is made (0700).

    The system gives the lock back when a process dies; the lock's own file stays, since removing it would let
    two processes hold two of them. OSError; TimeoutError after `patience` seconds.
    """
    import time

    os.makedirs(path.parent, mode=0o700, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "ab", opener=open_private) as file:
        until = time.monotonic() + patience
        while not try_lock(file.fileno()):
            if time.monotonic() > until:
                raise TimeoutError(0, "another process holds it")
            time.sleep(0.02)
        yield


def replace_file(path: Path, text: str) -> None:
    """Write a file, mode 0600, so that a reader or a crash meets the old or the new text whole. OSError."""
    import tempfile

    # A config file is often a link into a folder of dotfiles: the link stays.
    target = Path(os.path.realpath(path))
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        # A signal may come when it has been renamed already; an error about that must not take its place.
        with suppress(OSError):
            os.unlink(temporary)
        raise


def open_private(name: str, flags: int) -> int:
    """For `open`: a file that it makes is its owner's alone."""
    return os.open(name, flags, 0o600)


if sys.platform == "win32":

    def try_lock(handle: int) -> bool:
        """Lock an open file against other processes; False where one of them holds it."""
        import msvcrt

        # What is locked can't be read by others there: a byte far behind anything written.
        os.lseek(handle, 2**31 - 2, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def try_lock(handle: int) -> bool:
        """Lock an open file against other processes; False where one of them holds it."""
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
