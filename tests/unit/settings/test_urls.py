"""Server URLs: one base URL and one origin for every spelling."""

import pytest

from smscli.errors import UsageError
from smscli.settings.urls import normalize_url, origin_of


@pytest.mark.parametrize(
    ("written", "base_url"),
    [
        ("https://gws.example.com", "https://gws.example.com/api/v2"),
        ("https://gws.example.com/", "https://gws.example.com/api/v2"),
        ("https://gws.example.com/api/v2", "https://gws.example.com/api/v2"),
        ("https://gws.example.com/api/v2/", "https://gws.example.com/api/v2"),
        ("https://gws.example.com/gws", "https://gws.example.com/gws/api/v2"),
        ("https://gws.example.com/gws//", "https://gws.example.com/gws/api/v2"),
        ("https://gws.example.com/myapi/v2", "https://gws.example.com/myapi/v2/api/v2"),
        ("  https://gws.example.com\n", "https://gws.example.com/api/v2"),
        ("HTTPS://GWS.Example.COM", "https://gws.example.com/api/v2"),
        ("https://gws.example.com:443", "https://gws.example.com/api/v2"),
        ("gws.example.com", "https://gws.example.com/api/v2"),
        ("localhost:8443/sms", "https://localhost:8443/sms/api/v2"),
        ("http://gws.example.com:80", "http://gws.example.com/api/v2"),
        ("http://gws.example.com:443", "http://gws.example.com:443/api/v2"),
        ("https://gws.example.com:", "https://gws.example.com/api/v2"),
        ("http://localhost:8080", "http://localhost:8080/api/v2"),
        ("https://gws.example.com.", "https://gws.example.com/api/v2"),
        ("https://gws_east-1.example", "https://gws_east-1.example/api/v2"),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090/api/v2"),
        ("http://[::1]:8090", "http://[::1]:8090/api/v2"),
        ("https://[2001:DB8:0:0::1]/", "https://[2001:db8::1]/api/v2"),
        ("https://bücher.example", "https://xn--bcher-kva.example/api/v2"),
        ("https://BÜCHER。example", "https://xn--bcher-kva.example/api/v2"),
        ("https://straße.example", "https://xn--strae-oqa.example/api/v2"),
    ],
)
def test_every_way_of_writing_a_server_becomes_one_base_url(written: str, base_url: str) -> None:
    assert normalize_url(written) == base_url
    assert normalize_url(base_url) == base_url


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("//gws.example.com", "the URL has no host", "write https://gws.example.com"),
        ("https:/gws.example.com", "the URL has no host", "write https://gws.example.com"),
        (
            "ftp://gws.example.com",
            "ftp://gws.example.com is neither http nor https",
            "write https://HOST or http://HOST:PORT",
        ),
        ("https://gws.example.com/?a=1", "the URL has a query or a fragment", "write https://HOST/PATH"),
        ("https://gws.example.com/?", "the URL has a query or a fragment", "write https://HOST/PATH"),
        ("https://gws.example.com/#top", "the URL has a query or a fragment", "write https://HOST/PATH"),
        (
            "https://gws example.com",
            "the URL has a blank, a backslash or a control character in it",
            None,
        ),
        (
            "https://gws.example.com\\x",
            "the URL has a blank, a backslash or a control character in it",
            None,
        ),
        (
            "https://gws.exa\x1b[31mmple.com",
            "the URL has a blank, a backslash or a control character in it",
            None,
        ),
        (
            "https://gws.example.com/\udce9",
            "the URL has a blank, a backslash or a control character in it",
            None,
        ),
    ],
)
def test_what_is_no_server_is_refused_with_a_next_step(written: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        normalize_url(written)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    "written",
    [
        "https://",
        "https:///path",
        "https://:8080",
        "https://gws.example.com:0",
        "https://gws.example.com:65536",
        "https://gws.example.com:-1",
        "https://gws.example.com:http",
        "https://gws.example.com:８０",
        "https://gws..example.com",
        "https://-gws.example.com",
        "https://gws.example.com%2f",
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 127 + "example",
        "https://[::1",
        "https://[gws.example.com]",
        "https://[12345::]",
        "https://ⅷ℀.example",
    ],
)
def test_a_host_or_port_that_cannot_be_is_refused(written: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalize_url(written)
    assert caught.value.message == f"the host or port of {written} is not valid"


@pytest.mark.parametrize(
    "written",
    [
        "https://maja:hunter2@gws.example.com",
        "https://hunter2@gws.example.com",
        "maja:hunter2@gws.example.com",
        "https://maja:hun/ter2@gws.example.com",
        "https://maja:12/hunter2@gws.example.com",
        "https://maja:?hunter2@gws.example.com",
        "https://maja:#hunter2@gws.example.com:99999",
        "https://gws.example.com/?password=hunter2",
    ],
)
def test_a_secret_in_the_url_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalize_url(written)
    shown = f"{caught.value.message} {caught.value.hint} {caught.value!r} {caught.value.__context__!r}"
    assert "ter2" not in shown


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://gws.example.com/api/v2", "https://gws.example.com:443"),
        ("http://GWS.example.com", "http://gws.example.com:80"),
        ("https://gws.example.com:8443/gws", "https://gws.example.com:8443"),
        ("https://gws.example.com:80", "https://gws.example.com:80"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:443"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example:443"),
    ],
)
def test_an_origin_always_has_its_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin
