"""nats-py's client with what it lacks: TLS that is never left out, and errors it can retry after."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smscli.errors import SmscliError
from smscli.jetstream.stream_errors import Denied

if TYPE_CHECKING:
    from nats.aio.client import Client

_ERROR = re.compile(rb"-ERR\s+'([^\r\n]*)'\r\n")


def new_client(*, tls: bool, ca_bundle: str | None) -> "Client":
    """nats-py's client, but for TLS: `tls://` never speaks without it, and the operating system's
    certificates are trusted."""
    import ssl

    import nats.errors
    from nats.aio.client import Client

    class TlsClient(Client):
        @property
        def ssl_context(self) -> ssl.SSLContext:
            from smscli.gws.tls import tls_context

            return tls_context(ca_bundle)

        async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
            if initial_connection and tls and not info.get("tls_required"):
                # nats-py would go on in plain text.
                if not info.get("tls_available"):
                    raise nats.errors.SecureConnRequiredError
                info["tls_required"] = True
            await super()._process_info(info, initial_connection=initial_connection)

        async def _process_err(self, err_msg: str) -> None:
            if "permissions violation" in err_msg:
                # nats-py has lower-cased it, subjects too; what was received is still there.
                await self._error_cb(Denied(_received_error(self._ps.buf) or err_msg))
                return
            await super()._process_err(err_msg)

    return TlsClient()


def _received_error(buffer: bytes | bytearray) -> str | None:
    found = _ERROR.match(buffer)
    return found[1].decode("utf-8", "replace") if found else None


def for_nats(call: Callable[..., bytes]) -> Callable[..., bytes]:
    """The call with errors that nats-py expects while it reconnects."""

    def wrapped(*arguments: str) -> bytes:
        import nats.errors

        try:
            return call(*arguments)
        except SmscliError as error:
            raise nats.errors.InvalidUserCredentialsError from error

    return wrapped
