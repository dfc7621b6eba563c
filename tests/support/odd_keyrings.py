"""Fake keyrings for every failure mode, for `PYTHON_KEYRING_BACKEND`."""

import os
import time
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


class Hanging(KeyringBackend):
    """Answers when the file named by TEST_UNLOCKED exists."""

    priority = 1

    def _wait(self) -> None:
        while not Path(os.environ["TEST_UNLOCKED"]).exists():
            time.sleep(0.02)

    def get_password(self, service: str, username: str) -> str | None:
        self._wait()
        return "demo"

    def set_password(self, service: str, username: str, password: str) -> None:
        self._wait()

    def delete_password(self, service: str, username: str) -> None:
        self._wait()
