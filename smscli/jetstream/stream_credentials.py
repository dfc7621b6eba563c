"""The credentials file of a NATS user: a signed token and the key to prove it, as `nsc` writes them."""

import re
from base64 import b64encode

from smscli.errors import NotPermitted

_TOKEN = re.compile(rb"-+BEGIN NATS USER JWT-+\s+([A-Za-z0-9_.-]+)\s+-+END")
_SEED = re.compile(rb"-+BEGIN USER NKEY SEED-+\s+(SU[A-Z2-7]{56})\s+-+END")
_HINT = "name a file that nsc has written: --nats-creds FILE"


class CredentialsFile:
    """Read anew for each connection, since a token may expire and be replaced.

    nats-py itself never ends reading a file that has no token.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def check(self) -> None:
        """NotPermitted unless the file can be used."""
        self._read()
        self.sign("")

    def token(self) -> bytes:
        """The signed token. NotPermitted."""
        return self._read()[0]

    def sign(self, nonce: str) -> bytes:
        """The signature of what the engine has sent. NotPermitted."""
        import nkeys

        try:
            pair = nkeys.from_seed(bytearray(self._read()[1]))
            return b64encode(pair.sign(nonce.encode()))
        except (nkeys.NkeysError, ValueError) as error:
            raise NotPermitted(f"the key in {self._path} is not valid", hint=_HINT) from error

    def _read(self) -> tuple[bytes, bytes]:
        try:
            with open(self._path, "rb") as file:
                content = file.read(1 << 20)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a valid file name"
            raise NotPermitted(
                f"the credentials file {self._path} can't be read: {why}", hint=_HINT
            ) from error
        token, seed = _TOKEN.search(content), _SEED.search(content)
        if not token or not seed:
            raise NotPermitted(f"{self._path} is not a credentials file", hint=_HINT)
        return token[1], seed[1]
