"""Authentication: Basic, Bearer, refusals, the cookie of the HTTP session, and CSRF."""

import re

import pytest

from tests.support.demo_peer import DEMO, LIST, basic, get
from tests.support.serving import Serve


def test_basic_and_bearer_sign_in_as_their_user(serve: Serve) -> None:
    server = serve(users={"robin": "s:e:c"}, tokens={"t0ken": "robin"})
    for headers in (basic("robin", "s:e:c"), {"Authorization": "Bearer t0ken"}):
        assert get(server, "/api/v2/me", headers).json()["user"]["userName"] == "robin"
    assert list(server.requests) == [("GET", "/api/v2/me", "robin")] * 2


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_a_password_may_come_as_latin_1_or_utf_8(serve: Serve, encoding: str) -> None:
    server = serve(users={"zoë": "straße"})
    assert get(server, "/api/v2/me", basic("zoë", "straße", encoding)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("demo", "wrong"),
        basic("nobody", ""),
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !"},
        {"Authorization": "Negotiate x"},
    ],
)
def test_no_or_wrong_credentials_are_refused_with_code_20(serve: Serve, headers: dict[str, str]) -> None:
    server = serve()
    answer = get(server, LIST, headers)
    assert answer.json() == {"statusCode": 20, "statusMessage": "Authentication required"}
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="Genesys Web Services"')
    server.options.refuse = "200"
    answer = get(server, LIST, headers)
    assert (answer.status, answer.json()["statusCode"]) == (200, 20)
    assert list(server.requests) == [("GET", LIST, None)] * 2


def test_a_session_cookie_is_set_once(serve: Serve) -> None:
    server = serve()
    first = get(server, LIST)
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    assert re.fullmatch(r"JSESSIONID=node0[0-9a-f]{24}", cookie)
    assert "Set-Cookie" not in get(server, LIST, {**DEMO, "Cookie": f"other=1; {cookie}"}).headers
    server.expire_sessions()
    assert "Set-Cookie" in get(server, LIST, {**DEMO, "Cookie": cookie}).headers


def test_with_csrf_a_get_returns_the_token_and_a_post_needs_it(serve: Serve) -> None:
    server = serve(csrf=True)
    headers = get(server, "/api/v2/me").headers
    assert headers["X-CSRF-HEADER"] == "X-CSRF-TOKEN"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["X-CSRF-TOKEN"])
    cookie = {**DEMO, "Cookie": headers["Set-Cookie"].partition(";")[0]}
    refused = get(server, "/api/v2/me", cookie, "POST")
    assert (refused.status, refused.body) == (403, b"Missing or invalid Csrf token")
    without_cookie = get(server, "/api/v2/me", {**DEMO, "X-CSRF-TOKEN": headers["X-CSRF-TOKEN"]}, "POST")
    assert without_cookie.status == 403
    passed = get(server, "/api/v2/me", {**cookie, "X-CSRF-TOKEN": headers["X-CSRF-TOKEN"]}, "POST")
    assert passed.json() == {"statusCode": 3, "statusMessage": "Operation forbidden"}


def test_without_csrf_no_get_returns_a_token(serve: Serve) -> None:
    assert not {"X-CSRF-HEADER", "X-CSRF-TOKEN"} & get(serve(), "/api/v2/me").headers.keys()


def test_an_operation_is_refused_and_logged(serve: Serve) -> None:
    server = serve()
    session = server.store.add_session()
    answer = get(server, f"/api/v2/me/smsessions/{session}", DEMO, "POST")
    assert answer.json() == {"statusCode": 3, "statusMessage": "Operation forbidden"}
    assert list(server.requests) == [("POST", f"/api/v2/me/smsessions/{session}", "demo")]
