"""Signing in with the cookie of a session that was signed in elsewhere, and what else a profile sends."""

import io
import json
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from smscli.demo.http_server import DemoRequest, DemoResponse
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli, running
from tests.support.memory_keyring import Memory
from tests.support.wire_server import WireServer, answer, in_turn

Environ = dict[str, str]
ID = "0000Na9B26EF0001"


@pytest.fixture
def home(home: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """With a folder for the config file that is the same on every platform."""
    return {**home, "SMSCLI_CONFIG_DIR": str(tmp_path / "config")}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Requests without a sign-in are redirected to an identity provider."""
    sso = "https://idp.example/saml?for=gws"
    options = Options(scene="empty", cookies={"c1": "demo"}, sso_url=sso, sso_for="unauthenticated")
    with FakeServer(options) as server:
        server.store.add_session(ID, customer="Mika")
        server.store.say(ID, "hello")
        yield server


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], str]]:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.support.memory_keyring.Memory")
    Memory.secrets.clear()
    yield Memory.secrets
    Memory.secrets.clear()


def signed_in(
    smscli: Smscli, server: FakeServer, monkeypatch: pytest.MonkeyPatch, cookie: str = "JSESSIONID=c1"
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(cookie.encode())))
    outcome = smscli("auth", "login", "--cookie-stdin", "--url", server.url)
    assert outcome.code == 0, outcome.err


def config(home: Environ) -> Path:
    return Path(home["SMSCLI_CONFIG_DIR"], "config.toml")


@pytest.mark.parametrize(
    "given",
    ["JSESSIONID=c1", "\ufeffJSESSIONID=c1\r\n", "Cookie: a=b=c; JSESSIONID=c1;", "a=; JSESSIONID=c1"],
)
def test_a_cookie_is_stored_like_any_secret(
    smscli: Smscli,
    home: Environ,
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    given: str,
) -> None:
    signed_in(smscli, server, monkeypatch, given)
    assert list(stored) == [("smscli", f"default@{server.url}")]
    profile = {"url": f"{server.url}/api/v2", "auth": "cookie"}
    assert tomllib.loads(config(home).read_text())["profiles"] == {"default": profile}
    assert smscli("list", "--columns", "id").out == f"{ID}\n"
    status = json.loads(smscli("auth", "status", "--json").out)
    assert (status["secretSource"], status["accepted"]) == ("keyring (cookie)", True)
    assert smscli("auth", "logout").code == 0
    assert stored == {}


@pytest.mark.parametrize("given", ["", "JSID", "=c1", "a b=c", "a=b\tc", "a=b\u00e9", "J\0S=1"])
def test_what_is_no_cookie_is_refused_and_not_shown(smscli: Smscli, server: FakeServer, given: str) -> None:
    outcome = smscli("list", server=None, SMSCLI_URL=server.url, SMSCLI_COOKIE=given or " ")
    assert (outcome.code, [*server.requests]) == (4, [])
    assert outcome.err.startswith("error: the cookie (environment) ")
    assert given not in outcome.err or len(given) < 2


def test_a_token_comes_before_a_cookie_and_a_cookie_before_a_password(
    smscli: Smscli, server: FakeServer
) -> None:
    both = {"SMSCLI_URL": server.url, "SMSCLI_COOKIE": "JSESSIONID=c1", "SMSCLI_PASSWORD": "wrong"}
    assert smscli("list", **both).code == 0
    refused = smscli("list", **both, SMSCLI_TOKEN="wrong")
    assert (refused.code, refused.err.splitlines()[0].startswith("error: the server redirects")) == (1, True)


def test_the_servers_own_cookie_takes_its_place(smscli: Smscli, server: FakeServer) -> None:
    server.options.renews_cookies = True
    outcome = smscli("messages", ID, SMSCLI_URL=server.url, SMSCLI_COOKIE="x=1; JSESSIONID=c1")
    assert (outcome.code, outcome.out.split("\t")[7]) == (0, "hello")
    assert [user for _, _, user in server.requests] == ["demo", "demo"]
    assert "c1" not in server.options.cookies


@pytest.mark.parametrize("refusal", ["302", "401", "200"])
def test_an_expired_cookie_is_told_as_that(
    smscli: Smscli,
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    refusal: str,
) -> None:
    signed_in(smscli, server, monkeypatch)
    server.options.cookies.clear()
    if refusal != "302":
        server.options.sso_url, server.options.refuse = "", refusal  # type: ignore[assignment]
    outcome = smscli("list")
    assert (outcome.code, outcome.out) == (4, "")
    assert "; used the cookie from the keyring, which has expired or is not accepted\n" in outcome.err
    assert outcome.err.endswith("hint: sign in again: `smscli auth login --cookie-stdin`\n")
    environ = smscli("list", SMSCLI_URL=server.url, SMSCLI_COOKIE="JSESSIONID=c2")
    hint = "hint: set SMSCLI_COOKIE anew, or sign in again: `smscli auth login --cookie-stdin`\n"
    assert (environ.code, environ.err.endswith(hint)) == (4, True)


def test_a_cookie_goes_to_its_own_origin_only(
    smscli: Smscli, server: FakeServer, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(smscli, server, monkeypatch)
    with WireServer(in_turn(answer({"statusCode": 0, "smsessions": []}))) as elsewhere:
        outcome = smscli("list", "--url", elsewhere.base_url)
        assert (outcome.code, elsewhere.requests) == (4, [])
    server.options.sso_url = "http://127.0.0.1:1/"
    server.options.cookies.clear()
    assert smscli("list").code == 4


def test_a_redirect_without_a_cookie_names_the_way_in(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", SMSCLI_URL=server.url, SMSCLI_USERNAME="maja", SMSCLI_PASSWORD="p")
    assert outcome.code == 1
    assert "single sign-on" in outcome.err
    assert "`smscli auth login --cookie-stdin`" in outcome.err


@pytest.mark.slow
def test_a_cookie_that_expires_while_following_is_read_again(
    home: Environ, server: FakeServer, tmp_path: Path
) -> None:
    secret = tmp_path / "cookie"
    secret.write_text("JSESSIONID=c1\n")
    folder = config(home).parent
    folder.mkdir(parents=True)
    command = json.dumps([sys.executable, "-c", f"print(open({str(secret)!r}).read())"])
    config(home).write_text(
        f'[profiles.default]\nurl = "{server.url}"\nauth = "cookie"\npassword_command = {command}\n'
    )
    words = ("tail", ID, "--json", "--interval", "0.1", "--push", "off")
    with running(home, *words) as child:
        assert child.stdout and child.stderr
        assert json.loads(child.stdout.readline())["text"] == "hello"
        secret.write_text("JSESSIONID=c2\n")
        server.options.cookies = {"c2": "demo"}
        server.store.say(ID, "still there?")
        assert json.loads(child.stdout.readline())["text"] == "still there?"
        server.options.cookies = {}
        assert child.wait(20) == 4
        error = json.loads(child.stderr.readlines()[-1])["error"]
    assert (error["kind"], error["exitCode"]) == ("auth", 4)
    used = "; used the cookie from password_command of profile default, which has expired or is not accepted"
    assert error["message"].endswith(used)
    assert error["hint"].endswith("or sign in again: `smscli auth login --cookie-stdin`")


# what else a profile sends


def profile(home: Environ, server: WireServer | FakeServer, more: str) -> None:
    url = server.base_url if isinstance(server, WireServer) else server.url
    config(home).parent.mkdir(parents=True, exist_ok=True)
    config(home).write_text(f'[profiles.default]\nurl = "{url}"\nuser = "maja"\n{more}')


def test_fixed_headers_go_to_their_own_origin(smscli: Smscli, home: Environ) -> None:
    empty = answer({"statusCode": 0, "smsessions": []})
    with WireServer(in_turn(empty)) as own, WireServer(in_turn(empty)) as other:
        profile(home, own, 'headers = { ContactCenterId = "4f-2", X-Site = "north" }\n')
        assert smscli("list", SMSCLI_PASSWORD="p").code == 0
        assert smscli("list", "--url", other.base_url, SMSCLI_PASSWORD="p").code == 0
        sent, elsewhere = own.requests[0].headers, other.requests[0].headers
    assert (sent["contactcenterid"], sent["x-site"]) == ("4f-2", "north")
    assert "contactcenterid" not in elsewhere


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "cookie", "HOST", "Proxy-Authorization", "Content-Type", "X-CSRF-TOKEN"),
        *("X-Api-Key", "My-Token", "clientSecret"),
    ],
)
def test_headers_of_sign_in_and_transport_are_refused(smscli: Smscli, home: Environ, name: str) -> None:
    config(home).parent.mkdir(parents=True)
    config(home).write_text(f'[profiles.default]\nurl = "http://127.0.0.1:1"\nheaders = {{ {name} = "x" }}\n')
    outcome = smscli("list")
    assert (outcome.code, outcome.out) == (1, "")
    assert f"profiles.default.headers can't have {name}\n" in outcome.err


@pytest.mark.parametrize("value", ["1", '"x"', "{ A = 1 }", '{ A = "x\\ny" }', '{ "A B" = "x" }'])
def test_headers_of_a_wrong_type_are_refused(smscli: Smscli, home: Environ, value: str) -> None:
    config(home).parent.mkdir(parents=True)
    config(home).write_text(f'[profiles.default]\nurl = "http://127.0.0.1:1"\nheaders = {value}\n')
    outcome = smscli("list")
    assert outcome.code == 1
    assert "profiles.default.headers must be a table of strings, such as " in outcome.err


def test_a_site_names_the_server_in_records(smscli: Smscli, home: Environ, server: FakeServer) -> None:
    profile(home, server, 'auth = "cookie"\nsite = "north"\n')
    server.store.set_state(ID, "Completed")
    file = config(home).parent / "log.jsonl"
    words = ("--interval", "0.1", "--push", "off", "--record", str(file))
    assert smscli("tail", ID, *words, SMSCLI_COOKIE="JSESSIONID=c1").code == 0
    assert {json.loads(line)["server"] for line in file.read_text().splitlines()} == {"north"}


def test_unknown_keys_are_named_once(smscli: Smscli, home: Environ, server: FakeServer) -> None:
    profile(home, server, 'auth = "cookie"\ncolour = "green"\ncertificate = "x"\n')
    outcome = smscli("messages", ID, "--json", SMSCLI_COOKIE="JSESSIONID=c1")
    (notice,) = [json.loads(line)["notice"] for line in outcome.err.splitlines()]
    assert (outcome.code, notice["kind"]) == (0, "config")
    assert notice["message"] == "unknown keys in profile default: colour, certificate"


# what the server does with cookies


def sent(server: WireServer) -> list[str | None]:
    return [request.headers.get("cookie") for request in server.requests]


@pytest.mark.parametrize(
    "attributes",
    ["Path=/elsewhere", "Path=/api/v2/notifications", "Path=/; Secure", "Path=/; Domain=x.example"],
)
def test_a_servers_cookie_for_elsewhere_does_not_replace_the_sign_in(smscli: Smscli, attributes: str) -> None:
    page = answer(
        {"statusCode": 0, "messages": []}, headers={"Set-Cookie": f"JSESSIONID=other; {attributes}"}
    )
    with WireServer(in_turn(page)) as server:
        smscli("messages", ID, SMSCLI_URL=server.base_url, SMSCLI_COOKIE="JSESSIONID=c1")
        assert set(sent(server)) == {"JSESSIONID=c1"}


def test_cookies_are_sent_as_they_were_given(smscli: Smscli) -> None:
    with WireServer(in_turn(answer({"statusCode": 0, "smsessions": []}))) as server:
        given = 'JSESSIONID=first; JSESSIONID=second; a="b=c"; BAYEUX_BROWSER=x'
        assert smscli("list", SMSCLI_URL=server.base_url, SMSCLI_COOKIE=given).code == 0
        assert sent(server) == ['JSESSIONID=first; JSESSIONID=second; a="b=c"']


def test_what_a_refusal_sets_replaces_no_cookie(smscli: Smscli) -> None:
    anonymous = {"Set-Cookie": "JSESSIONID=anonymous; Path=/", "Location": "https://idp.example/"}
    replies = in_turn(answer(b"", 503), answer(b"", 302, anonymous))
    with WireServer(replies) as server:
        assert smscli("list", SMSCLI_URL=server.base_url, SMSCLI_COOKIE="JSESSIONID=c1").code == 4
        assert smscli("list", SMSCLI_URL=server.base_url, SMSCLI_COOKIE="JSESSIONID=c1").code == 4
        assert set(sent(server)) == {"JSESSIONID=c1"}


def test_a_quoted_value_is_masked_without_its_quotes_too(smscli: Smscli) -> None:
    quoted = answer({"statusCode": 5, "statusMessage": "no second222 here"}, 403)
    with WireServer(in_turn(quoted)) as server:
        outcome = smscli("list", SMSCLI_URL=server.base_url, SMSCLI_COOKIE='a=first1111; b="second222"')
    assert "no *** here" in outcome.err


@pytest.mark.slow
def test_a_cookie_that_is_replaced_amid_reads_side_by_side_goes_on(home: Environ, server: FakeServer) -> None:
    for number in range(2, 7):
        server.store.add_session(f"0000Na9B26EF000{number}", customer=f"Customer{number}")
    server.options.delay_ms = 150
    environ = {**home, "SMSCLI_URL": server.url, "SMSCLI_COOKIE": "JSESSIONID=c1"}
    with running(environ, "tail", "--all", "--json", "--interval", "0.2", "--push", "off") as child:
        assert child.stdout
        assert json.loads(child.stdout.readline())["text"] == "hello"
        server.options.renews_cookies = True
        for number in range(2, 7):
            server.store.say(f"0000Na9B26EF000{number}", f"after {number}")
        found = {json.loads(child.stdout.readline())["text"] for _ in range(5)}
    assert found == {f"after {number}" for number in range(2, 7)}


@pytest.mark.slow
def test_a_replacing_response_may_come_after_the_refusal_of_the_old_cookie(
    home: Environ, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, delayed = server.api.answer, threading.Event()

    def late(request: DemoRequest, user: str | None) -> DemoResponse:
        """The response that replaces the cookie takes a second, unlike the refusals of others."""
        answered = usual(request, user)
        if (
            not delayed.is_set()
            and server.options.renews_cookies
            and any(name == "Set-Cookie" for name, _ in answered.headers)
        ):
            delayed.set()
            time.sleep(1.0)
        return answered

    server.store.add_session("0000Na9B26EF0002", customer="Noor")
    monkeypatch.setattr(server.api, "answer", late)
    environ = {**home, "SMSCLI_URL": server.url, "SMSCLI_COOKIE": "JSESSIONID=c1"}
    with running(environ, "tail", "--all", "--json", "--interval", "0.2", "--push", "off") as child:
        assert child.stdout
        assert json.loads(child.stdout.readline())["text"] == "hello"
        server.options.renews_cookies = True
        server.store.say("0000Na9B26EF0002", "still signed in")
        assert json.loads(child.stdout.readline())["text"] == "still signed in"
    assert delayed.is_set()


@pytest.mark.parametrize("value", ['{ A = " x" }', '{ Transfer-Encoding = "x" }', '{ If-None-Match = "x" }'])
def test_headers_that_would_break_requests_are_refused(smscli: Smscli, home: Environ, value: str) -> None:
    config(home).parent.mkdir(parents=True)
    config(home).write_text(f'[profiles.default]\nurl = "http://127.0.0.1:1"\nheaders = {value}\n')
    outcome = smscli("list")
    assert (outcome.code, "profiles.default.headers" in outcome.err) == (1, True)
