"""The address of a stream: what is understood, and what is refused without being repeated."""

import pytest

from smscli.errors import UsageError
from smscli.jetstream.address import StreamAddress, is_stream, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nats://nats.example.com/CC", StreamAddress(("nats.example.com:4222",), False, "CC")),
        ("tls://Nats.Example.com:4333/CC", StreamAddress(("nats.example.com:4333",), True, "CC")),
        ("NATS://a/CC", StreamAddress(("a:4222",), False, "CC")),
        (
            "nats://a,b:4333,[::1]:4444,[2001:db8::1]/my_STREAM-1",
            StreamAddress(("a:4222", "b:4333", "[::1]:4444", "[2001:db8::1]:4222"), False, "my_STREAM-1"),
        ),
        (
            "nats://a/CC?replicas=3&max_age=30d",
            StreamAddress(("a:4222",), False, "CC", 3, 30 * 86400.0),
        ),
        ("nats://a/CC?max_age=1d12h30m5s", StreamAddress(("a:4222",), False, "CC", 1, 131405.0)),
        ("nats://a/CC?", StreamAddress(("a:4222",), False, "CC")),
    ],
)
def test_an_address_is_understood(text: str, expected: StreamAddress) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nats://a", "'nats://a' names no stream"),
        ("nats://a/", "'nats://a/' names no stream"),
        ("nats://a/?replicas=3", "'nats://a/?replicas=3' names no stream"),
        ("nats://a/C.C", "the stream name 'C.C' is not valid"),
        ("nats://a/CC/", "the stream name 'CC/' is not valid"),
        ("nats://a/*", "the stream name '*' is not valid"),
        ("nats://a/CÖ", "the stream name 'CÖ' is not valid"),
        ("nats:///CC", "the host or port '' in 'nats:///CC' is not valid"),
        ("nats://a,/CC", "the host or port '' in 'nats://a,/CC' is not valid"),
        ("nats://a:0/CC", "the host or port 'a:0' in 'nats://a:0/CC' is not valid"),
        ("nats://a:70000/CC", "the host or port 'a:70000' in 'nats://a:70000/CC' is not valid"),
        ("nats://::1/CC", "the host or port '::1' in 'nats://::1/CC' is not valid"),
        ("nats://[::g]/CC", "the host or port '[::g]' in 'nats://[::g]/CC' is not valid"),
        ("nats://[1:2]/CC", "the host or port '[1:2]' in 'nats://[1:2]/CC' is not valid"),
        ("https://a/CC", "'https://a/CC' is not the address of a stream"),
        ("nats://a/CC?max_bytes=1", "the address of a stream has no option 'max_bytes'"),
        ("nats://a/CC?replicas=0", "replicas takes a number from 1 to 5, not '0'"),
        ("nats://a/CC?replicas=6", "replicas takes a number from 1 to 5, not '6'"),
        ("nats://a/CC?replicas=two", "replicas takes a number from 1 to 5, not 'two'"),
        ("nats://a/CC?max_age=", "max_age takes a duration such as 12h or 30d, not ''"),
        ("nats://a/CC?max_age=0s", "max_age takes a duration such as 12h or 30d, not '0s'"),
        ("nats://a/CC?max_age=30", "max_age takes a duration such as 12h or 30d, not '30'"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address(text)
    assert refused.value.message == message


@pytest.mark.parametrize(
    "text",
    ["nats://ann:secret@a/CC", "tls://secret@a/CC", "nats://ann:se/cret@a/CC", "nats://a,ann:secret@b/CC"],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address(text)
    assert refused.value.message == "a user name or password in the address of a stream is not allowed"
    assert refused.value.hint == "use a credentials file: --nats-creds FILE"


def test_an_address_is_named_without_its_options() -> None:
    address = parse_address("tls://a,b:4333,[::1]/CC?replicas=3&max_age=1d")
    assert address.url == "tls://a,b:4333,[::1]/CC"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("nats://a", True), ("TLS://a", True), ("nats", False), ("a.jsonl", False), ("", False)],
)
def test_a_stream_is_told_by_its_scheme(text: str, expected: bool) -> None:
    assert is_stream(text) is expected
