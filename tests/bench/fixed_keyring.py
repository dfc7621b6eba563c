"""A keyring back end without cost: its only secret comes from the environment."""

import os

from keyring.backend import KeyringBackend


class FixedKeyring(KeyringBackend):
    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return os.environ["BENCH_SECRET"]

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError
