"""Operators, accounts and users of NATS, as `nsc` would make them: signed tokens and credentials files."""

import json
import secrets
import time
from base64 import b32encode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

_SEED_PREFIX = {"O": 14 << 3, "A": 0, "U": 20 << 3}


class Identity:
    """A key pair of an operator (`O`), account (`A`) or user (`U`)."""

    def __init__(self, kind: str) -> None:
        import nkeys

        seed = nkeys.encode_seed(secrets.token_bytes(32), _SEED_PREFIX[kind])
        self.seed = bytes(seed).decode()
        self._pair = nkeys.from_seed(bytearray(seed))
        self.name = self._pair.public_key.decode()

    def token(self, of: str, kind: str, expires: float | None = None, **claims: Any) -> str:
        """A token about another identity, signed by this one."""
        content: dict[str, Any] = {
            "iat": int(time.time()),
            "iss": self.name,
            "name": kind,
            "sub": of,
            "nats": {"type": kind, "version": 2, **claims},
        }
        if expires is not None:
            content["exp"] = int(expires)
        digest = sha256(json.dumps(content, separators=(",", ":")).encode()).digest()
        content["jti"] = b32encode(digest).decode().rstrip("=")
        parts = [_encoded({"typ": "JWT", "alg": "ed25519-nkey"}), _encoded(content)]
        signature = self._pair.sign(".".join(parts).encode())
        return ".".join([*parts, urlsafe_b64encode(signature).decode().rstrip("=")])


class Operator:
    """An operator with one account that may use JetStream; `config` is what a node needs to know of them."""

    def __init__(self) -> None:
        self._operator, self._account = Identity("O"), Identity("A")
        unlimited = dict.fromkeys(("subs", "conn", "leaf", "imports", "exports", "data", "payload"), -1)
        storage = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
        operator = self._operator.token(self._operator.name, "operator")
        system = Identity("A").name
        limits = {system: unlimited, self._account.name: {**unlimited, **storage}}
        accounts = {
            name: self._operator.token(name, "account", limits={**of, "wildcards": True})
            for name, of in limits.items()
        }
        preload = ", ".join(f'{name}: "{token}"' for name, token in accounts.items())
        self.config = (
            f"operator: {operator}\nsystem_account: {system}\n"
            f"resolver: MEMORY\nresolver_preload: {{ {preload} }}\n"
        )

    def write_user(self, path: Path, expires: float | None = None, **permissions: Any) -> Path:
        """A credentials file for a new user."""
        user = Identity("U")
        limits = {"subs": -1, "data": -1, "payload": -1}
        token = self._account.token(user.name, "user", expires, **limits, **permissions)
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )
        return path


def _encoded(value: object) -> str:
    data = json.dumps(value, separators=(",", ":")).encode()
    return urlsafe_b64encode(data).decode().rstrip("=")
