"""Errors of requests, urllib3 and the socket layer as SmscliError, in words of our own.

The libraries' messages may quote what was sent.
"""

import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator

import requests
from urllib3.exceptions import InvalidHeader

from smscli.errors import (
    HTTPS_HINT,
    UNREACHABLE_HINT,
    HandshakeTimeout,
    RequestTimeout,
    SmscliError,
    TlsError,
    Unreachable,
    WireError,
)

TIMEOUT_HINT = "wait longer: --timeout SECONDS"
# OpenSSL's reasons when the answer to its greeting is not one of TLS.
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})

# The first row that matches any exception of the chain; a reset connection can be the cause of a cut body.
_ERRORS: tuple[tuple[tuple[type[Exception], ...], type[SmscliError], str, str | None], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        TlsError,
        "the certificate of {host} is not trusted: {reason}",
        "if it was issued by your own CA, name that: --ca-bundle FILE",
    ),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), Unreachable, "{host} closed the connection", None),
    ((ssl.SSLError,), TlsError, "no TLS connection to {host}: {reason}", None),
    ((socket.gaierror, UnicodeError), Unreachable, "the name {host} can't be resolved", UNREACHABLE_HINT),
    ((ConnectionRefusedError,), Unreachable, "{host} refuses the connection", UNREACHABLE_HINT),
    (
        (TimeoutError,),
        RequestTimeout,
        "{host} did not answer within {timeout:g} s",
        f"{UNREACHABLE_HINT}; {TIMEOUT_HINT}",
    ),
    ((ConnectionError,), Unreachable, "{host} closed the connection", None),
    ((http.client.IncompleteRead,), Unreachable, "the response of {host} was cut short", None),
    ((zlib.error,), WireError, "the response of {host} can't be decompressed", None),
    ((http.client.HTTPException, InvalidHeader), WireError, "the response of {host} is not valid HTTP", None),
)

_CLOCK_HINT = "is this machine's clock right? if it is, the server needs a new certificate"
_NAME_HINT = "is the name in the URL the one that the certificate is for?"
# Where an unknown CA is not the cause: not yet valid, expired, issued for another name.
_VERIFY_HINTS = {
    **dict.fromkeys((9, 10), _CLOCK_HINT),  # OpenSSL
    **dict.fromkeys((62, 64), _NAME_HINT),
    0x800B0101: _CLOCK_HINT,  # Windows: CERT_E_EXPIRED, CERT_E_CN_NO_MATCH
    0x800B010F: _NAME_HINT,
    **dict.fromkeys((-67819, -67818), _CLOCK_HINT),  # macOS: errSecCertificateNotValidYet and its neighbours
    -67602: _NAME_HINT,
}


def network_error(error: Exception, host: str, proxy: str, timeout: float) -> SmscliError:
    """The SmscliError for a library's exception at a request to `host`, through `proxy` unless empty."""
    causes = list(_causes(error))
    is_proxy = any(isinstance(one, requests.exceptions.ProxyError) for one in causes)
    peer = f"the proxy {proxy}" if is_proxy else host
    reason = _reason(causes[-1])
    if wrong := _wrong_scheme(causes[-1], peer):
        return wrong
    for kinds, error_class, text, hint in _ERRORS:
        if any(isinstance(one, kinds) for one in causes):
            verify_hint = _VERIFY_HINTS.get(getattr(causes[-1], "verify_code", 0), hint)
            return error_class(text.format(host=peer, timeout=timeout, reason=reason), hint=verify_hint)
    return Unreachable(f"{peer} can't be reached: {reason}")


def _wrong_scheme(cause: BaseException, peer: str) -> SmscliError | None:
    """The error where one side speaks TLS and the other doesn't."""
    if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in _NOT_TLS:
        return TlsError(f"{peer} answers without TLS", hint="is it http:// in place of https://?")
    # A server without TLS may take the greeting for the beginning of a request, and wait for its end.
    if isinstance(cause, TimeoutError) and "handshake" in str(cause):
        told = f"{peer} did not answer in TLS in time"
        return HandshakeTimeout(told, hint=f"is it http:// in place of https://? else {TIMEOUT_HINT}")
    if isinstance(cause, http.client.BadStatusLine) and str(cause).startswith("\x15\x03"):
        return TlsError(f"{peer} answers in TLS", hint=HTTPS_HINT)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None and not isinstance(error, SmscliError):
        yield error
        # urllib3 wraps some errors without raising them: then the cause is only an argument.
        wrapped = next((one for one in error.args if isinstance(one, Exception)), None)
        error = error.__cause__ or error.__context__ or wrapped


def _reason(cause: BaseException) -> str:
    """The innermost cause in a few words."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message.rstrip(".")
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return cause.reason.replace("_", " ").lower()
    if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException):
        return cause.strerror or str(cause)
    return "no reason given"
