"""Errors of nats-py and of the engine as SmscliError, in words of our own and with a next step."""

import re
import ssl
from typing import TYPE_CHECKING, Any

from smscli.errors import (
    NotFound,
    NotPermitted,
    RequestTimeout,
    ServerError,
    SmscliError,
    TlsError,
    Unreachable,
    UsageError,
)
from smscli.jetstream.address import StreamAddress
from smscli.jetstream.subjects import subjects_of

if TYPE_CHECKING:
    from nats.js.api import StreamInfo

MISSING_HINT = "pip install 'smscli[nats]'"
SERVER_HINT = "is it a NATS server, and is it up?"
_NODES_HINT = "is a majority of its nodes up?"
PERMISSION_HINT = "ask the engine's administrator for the permission, or use other --nats-creds"

NOT_ENABLED = frozenset({10039, 10076})
NO_STREAM = 10059
NAME_IN_USE = 10058
SUBJECTS_TAKEN = 10065
TOO_MANY_REPLICAS = frozenset({10005, 10074})
NO_MESSAGE = 10037
WRONG_SEQUENCE = 10071
UNAVAILABLE = 10008
TOO_LARGE = 10054
# Limits of the stream or the account, and the disk.
FULL = frozenset({10002, 10023, 10028, 10047, 10077})

_REFUSALS = (
    "authorization violation",
    "authentication",
    "authorization failed",
    "user credentials",
    "revoked",
)
_DENIAL = re.compile('(publish|subscription) to "([^"]+)"', re.IGNORECASE)
_CAPACITY = ("maximum connections", "maximum account")


class StreamFull(ServerError):
    """The stream, its account or the disk has no room left."""


class Denied(Exception):
    """The engine's own words on what we have no permission for."""


def package_missing() -> UsageError:
    return UsageError("reading and publishing streams needs the package nats-py", hint=MISSING_HINT)


def stream_error(error: BaseException, address: StreamAddress, timeout: float) -> SmscliError:
    """The SmscliError for an exception of nats-py, of the engine or of the network."""
    import nats.errors
    import nats.js.errors as js

    for one in (error, error.__cause__):
        if isinstance(one, SmscliError):
            return one
    if isinstance(error, Denied):
        return NotPermitted(f"{address.host} doesn't permit {_denied(str(error))}", hint=PERMISSION_HINT)
    if isinstance(error, js.APIError):
        return _api_error(error, address)
    if isinstance(error, js.NoStreamResponseError):
        return Unreachable(
            f"no node at {address.host} leads the stream {address.stream} now", hint=_NODES_HINT
        )
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return _network_error(error, address, timeout)
    if isinstance(error, TimeoutError | nats.errors.TimeoutError):
        return timed_out(address, timeout)
    if isinstance(error, nats.errors.Error):
        return _client_error(error, address, timeout)
    return ServerError(f"{address.host} sent what can't be read: {type(error).__name__}")


def _denied(text: str) -> str:
    """What isn't permitted, from the engine's own words."""
    found = _DENIAL.search(text)
    if not found:
        return f"it: {text}"
    return f"{'publishing' if found[1].lower() == 'publish' else 'subscribing'} to {found[2]}"


def timed_out(address: StreamAddress, timeout: float, question: str = _NODES_HINT) -> RequestTimeout:
    return RequestTimeout(
        f"{address.host} did not answer within {timeout:g} s",
        hint=f"{question} wait longer: --timeout SECONDS",
    )


def has_our_subjects(info: "StreamInfo") -> bool:
    """Whether a stream is configured for the subjects that smscli publishes on, and no others."""
    return set(info.config.subjects or ()) == set(subjects_of(info.config.name or ""))


def wrong_subjects(address: StreamAddress) -> ServerError:
    return ServerError(
        f"the stream {address.stream} at {address.host} is configured for other subjects than smscli's",
        hint="name another stream; smscli tail --to creates one that doesn't exist",
    )


def worst(errors: list[Exception]) -> Exception | None:
    """The error that tells most about why no server could be connected to: TLS, then a refusal."""
    for fits in (_is_tls, is_refusal):
        if found := [one for one in errors if fits(one)]:
            return found[-1]
    return errors[-1] if errors else None


def is_refusal(error: Exception) -> bool:
    """Whether the engine refuses whom we are."""
    text = str(error).lower()
    return any(one in text for one in _REFUSALS)


def _is_tls(error: Exception) -> bool:
    import nats.errors

    return isinstance(
        error, ssl.SSLError | nats.errors.SecureConnRequiredError | nats.errors.SecureConnFailedError
    )


def _api_error(error: Any, address: StreamAddress) -> SmscliError:
    """An answer of JetStream's API."""
    code, where = error.err_code, address.host
    if code == NO_STREAM:
        return NotFound(
            f"there is no stream {address.stream} at {where}",
            hint="smscli tail --all --to creates it",
        )
    if code in TOO_MANY_REPLICAS:
        return ServerError(
            f"{where} can't keep {address.replicas} replicas: it has fewer nodes", hint="lower replicas=N"
        )
    if code == SUBJECTS_TAKEN:
        return ServerError(
            f"another stream at {where} has subjects that begin with {address.stream}",
            hint="name another stream",
        )
    if code == UNAVAILABLE:
        return Unreachable(f"{where} has no leader now", hint=_NODES_HINT)
    if code in NOT_ENABLED or (code is None and error.code in (None, 503)):
        return ServerError(
            f"{where} has no JetStream, or not for this account", hint="start nats-server with -js"
        )
    if code in FULL:
        return StreamFull(
            f"the stream {address.stream} is full: {error.description}",
            hint="raise its limits, or remove old messages",
        )
    return ServerError(f"{where} answered: {error.description}", status_code=code)


def _client_error(error: Exception, address: StreamAddress, timeout: float) -> SmscliError:
    """What the engine said when we connected, or nats-py found itself."""
    import nats.errors

    if isinstance(error, nats.errors.SecureConnRequiredError):
        return TlsError(f"{address.host} offers no TLS", hint="is it nats:// in place of tls://?")
    if is_refusal(error):
        return NotPermitted(
            f"{address.host} refuses the connection: {_said(error)}",
            hint="give a credentials file that it accepts: --nats-creds FILE",
        )
    if isinstance(error, nats.errors.MaxPayloadError):
        return ServerError(f"a record is larger than {address.host} accepts", hint="raise its max_payload")
    if any(one in str(error).lower() for one in _CAPACITY):
        return ServerError(f"{address.host} refuses the connection: {_said(error)}")
    return Unreachable(f"no connection to {address.host}: {_said(error)}", hint=SERVER_HINT)


def _said(error: Exception) -> str:
    return str(error).removeprefix("nats: ").strip().strip("'") or type(error).__name__


def _network_error(error: OSError, address: StreamAddress, timeout: float) -> SmscliError:
    # It loads requests, which only an error should cost.
    from smscli.gws.network_errors import network_error

    return network_error(error, address.host, "", timeout)
