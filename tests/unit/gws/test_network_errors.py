"""Errors of other platforms' certificate verification, and of a handshake without an answer."""

import ssl

import pytest

from smscli.errors import HandshakeTimeout, TlsError
from smscli.gws.network_errors import network_error
from smscli.gws.responses import is_temporary, retry_pause

CLOCK = "is this machine's clock right? if it is, the server needs a new certificate"
NAME = "is the name in the URL the one that the certificate is for?"
AUTHORITY = "if it was issued by your own CA, name that: --ca-bundle FILE"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (0x800B0101, CLOCK),
        (0x800B010F, NAME),
        (0x800B0109, AUTHORITY),
        (-67818, CLOCK),
        (-67819, CLOCK),
        (-67602, NAME),
        (-67843, AUTHORITY),
    ],
)
def test_a_platforms_verification_error_has_the_hint_of_its_cause(code: int, hint: str) -> None:
    error = ssl.SSLCertVerificationError("certificate problem.")
    error.verify_message, error.verify_code = "certificate problem.", code
    found = network_error(error, "gws.example", "", 10)
    assert isinstance(found, TlsError)
    assert (found.message, found.hint) == (
        "the certificate of gws.example is not trusted: certificate problem",
        hint,
    )


def test_a_handshake_timeout_is_temporary_and_not_retried_by_a_one_shot_command() -> None:
    error = network_error(
        TimeoutError("_ssl.c:1006: The handshake operation timed out"), "gws.example", "", 10
    )
    assert (type(error), error.message, error.hint) == (
        HandshakeTimeout,
        "gws.example did not answer in TLS in time",
        "is it http:// in place of https://? else wait longer: --timeout SECONDS",
    )
    assert (is_temporary(error), retry_pause(error, 1)) == (True, None)
