"""Errors of other platforms' certificate verification."""

import ssl

import pytest

from smscli.errors import TlsError
from smscli.gws.network_errors import network_error

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
