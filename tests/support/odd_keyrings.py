"""Fake keyrings for every failure mode, for `PYTHON_KEYRING_BACKEND`."""

import getpass
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked


class Locked(KeyringBackend):
    """Stays locked."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("Failed to unlock the collection!")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("Failed to unlock the collection!")

    def delete_password(self, service: str, username: str) -> None:
        raise KeyringLocked("Failed to unlock the collection!")


class Broken(KeyringBackend):
    """Its service can't be reached."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        raise InitError("Failed to create the collection: no session bus.")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise InitError(f"Failed to store {password!r}: no session bus.")

    def delete_password(self, service: str, username: str) -> None:
        raise InitError("Failed to create the collection: no session bus.")


class PlaintextKeyring(KeyringBackend):
    """Has the name of the back end that stores plain text."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return "demo"

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("a secret was kept as plain text")

    def delete_password(self, service: str, username: str) -> None:
        raise AssertionError


class Killing(KeyringBackend):
    """Is empty; the process ends as by a kill before anything is stored."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        os._exit(9)

    def delete_password(self, service: str, username: str) -> None:
        raise AssertionError


class Hanging(KeyringBackend):
    """Answers when the file named by TEST_UNLOCKED exists; creates one beside it when it is asked."""

    priority = 1

    def _wait(self) -> None:
        unlocked = Path(os.environ["TEST_UNLOCKED"])
        unlocked.with_name("asked").touch()
        while not unlocked.exists():
            time.sleep(0.02)

    def get_password(self, service: str, username: str) -> str | None:
        self._wait()
        return "demo"

    def set_password(self, service: str, username: str, password: str) -> None:
        self._wait()

    def delete_password(self, service: str, username: str) -> None:
        self._wait()


class Asking(KeyringBackend):
    """Asks for its own password on the terminal, with `getpass`."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return getpass.getpass("keyring password: ")

    def set_password(self, service: str, username: str, password: str) -> None:
        getpass.getpass("keyring password: ")

    def delete_password(self, service: str, username: str) -> None:
        getpass.getpass("keyring password: ")


class Talking(KeyringBackend):
    """Writes to stdout and stderr in every way there is, and after it has answered too."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        talk()
        threading.Timer(0.1, talk).start()
        return "demo"

    def set_password(self, service: str, username: str, password: str) -> None:
        talk()

    def delete_password(self, service: str, username: str) -> None:
        talk()


class Failing(Talking):
    """Writes, and then fails."""

    def get_password(self, service: str, username: str) -> str | None:
        talk()
        raise InitError("no session bus")


class Stuck(Talking):
    """Writes again and again, and never answers."""

    def get_password(self, service: str, username: str) -> str | None:
        while True:
            talk()
            time.sleep(0.05)


def talk() -> None:
    print("talk")
    print("talk", file=sys.stderr)
    print("talk", file=sys.__stdout__, flush=True)
    for number in (1, 2):
        os.write(number, b"talk\n")
    subprocess.run(["sh", "-c", "echo talk; echo talk >&2"], check=False)
    warnings.warn("talk", stacklevel=1)
    logging.getLogger("talking").warning("talk")


if os.environ.get("TEST_TALK_AT_IMPORT"):
    talk()
