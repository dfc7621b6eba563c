"""What can go wrong on the way to a server and back, in words: never the libraries' own, which may hold what
was sent.
"""

import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator

import requests
from urllib3.exceptions import InvalidHeader

from smscli.errors import SmscliError, TimedOut, Unreachable, Untrusted, WireError

WAIT_LONGER = "wait longer: --timeout SECONDS"

# The first row that fits any link of the chain of causes; a reset connection can be the cause of a cut body.
_FAILURES: tuple[tuple[tuple[type[Exception], ...], type[SmscliError], str, str | None], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        Untrusted,
        "the certificate of {host} is not trusted: {why}",
        "if its authority is your own, name it: --ca-bundle FILE",
    ),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), Unreachable, "{host} closed the connection", None),
    ((ssl.SSLError,), Untrusted, "no TLS connection to {host}: {why}", None),
    ((socket.gaierror, UnicodeError), Unreachable, "the name {host} can't be resolved", None),
    ((ConnectionRefusedError,), Unreachable, "{host} refuses the connection", None),
    (
        (TimeoutError,),
        TimedOut,
        "{host} did not answer within {timeout:g} s",
        WAIT_LONGER,
    ),
    ((ConnectionError,), Unreachable, "{host} closed the connection", None),
    ((http.client.IncompleteRead,), Unreachable, "the answer of {host} was cut short", None),
    ((zlib.error,), WireError, "the answer of {host} can't be unpacked", None),
    ((http.client.HTTPException, InvalidHeader), WireError, "{host} does not answer in HTTP", None),
)

_CLOCK = "is this machine's clock right? if it is, the server needs a new certificate"
_NAME = "is the name in the URL the one that the certificate is for?"
# By OpenSSL's number of what is wrong with a certificate, where its authority is not what is missing.
_HINTS = {9: _CLOCK, 10: _CLOCK, 62: _NAME, 64: _NAME}


def failure(error: Exception, host: str, proxy: str, wait: float) -> SmscliError:
    """The error of ours that a library's stands for: `host` was asked, through `proxy` where that is not
    empty, and waited for `wait` seconds."""
    causes = list(_causes(error))
    behind_proxy = any(isinstance(one, requests.exceptions.ProxyError) for one in causes)
    asked = f"the proxy {proxy}" if behind_proxy else host
    why = _why(causes[-1])
    for kinds, found, words, hint in _FAILURES:
        if any(isinstance(one, kinds) for one in causes):
            better = _HINTS.get(getattr(causes[-1], "verify_code", 0), hint)
            return found(words.format(host=asked, timeout=wait, why=why), hint=better)
    return Unreachable(f"{asked} can't be reached: {why}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None and not isinstance(error, SmscliError):
        yield error
        # urllib3 wraps some errors without raising them: those have their cause as an argument only.
        wrapped = next((one for one in error.args if isinstance(one, Exception)), None)
        error = error.__cause__ or error.__context__ or wrapped


def _why(cause: BaseException) -> str:
    """A short reason in words, from the innermost cause."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message.rstrip(".")
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return cause.reason.replace("_", " ").lower()
    if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException):
        return cause.strerror or str(cause)
    return "no reason given"
