"""Where secrets must not go: to another origin, into anything printed or kept, and unsaid over plain HTTP."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smscli.context import AppContext
from tests.support.captured_terminal import CapturedTerminal
from tests.support.command import Smscli
from tests.support.memory_keyring import Memory
from tests.support.secret_search import (
    PASSWORD,
    TOKEN,
    Case,
    SearchResult,
    cases,
    forms,
    search,
    search_all,
    watch_process,
)
from tests.support.wire_server import Reply, Request, WireServer, answer, in_turn

EMPTY_LIST = answer({"statusCode": 0, "smsessions": []})
EMPTY = "no live SMS sessions for maja at gws.example; the server shows a user's own sessions only"
EXPOSED = "no TLS to gws.example: the network can read the secret and the messages"


# --- without TLS ---


def plain(proxy: WireServer, **environ: str) -> dict[str, str]:
    """A server somewhere else, which only this machine's proxy leads to."""
    through = f"http://localhost:{proxy.port}"
    signed_in = {"SMSCLI_USERNAME": "maja", "SMSCLI_PASSWORD": "hunter2"}
    return {"SMSCLI_URL": "http://gws.example", "HTTP_PROXY": through, **signed_in, **environ}


def test_plain_http_to_another_machine_is_told(smscli: Smscli) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as proxy:
        outcome = smscli("list", **plain(proxy))
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"{EXPOSED}\n{EMPTY}\n")
    assert [one.target for one in proxy.requests] == ["http://gws.example/api/v2/me/smsessions?fields=*"]


def test_a_script_is_told_in_an_object(smscli: Smscli) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as proxy:
        outcome = smscli("list", "--json", **plain(proxy))
    assert (outcome.code, outcome.out) == (0, "[]\n")
    notices = [json.loads(line)["notice"] for line in outcome.err.splitlines()]
    assert [(one["kind"], one["sessionId"], one["message"]) for one in notices] == [
        ("insecure", None, EXPOSED),
        ("whose", None, EMPTY),
    ]


def test_it_is_told_once_a_run(home: dict[str, str]) -> None:
    terminal = CapturedTerminal(tty=False)
    with WireServer(in_turn(EMPTY_LIST)) as proxy:
        app = AppContext({**home, **plain(proxy)}, json_stderr=False, terminal=terminal)
        for _ in range(2):
            app.connect().sessions()
        app.close()
    assert (len(proxy.requests), terminal.err_text) == (2, f"{EXPOSED}\n")


@pytest.mark.parametrize("url", ["http://[::1]:1", "https://x.invalid"])
def test_neither_this_machine_nor_tls_is_told_of(smscli: Smscli, url: str) -> None:
    outcome = smscli("list", SMSCLI_URL=url, SMSCLI_USERNAME="maja", SMSCLI_PASSWORD="hunter2")
    error, hint = outcome.err.splitlines()
    assert (outcome.code, error.partition(": ")[0], hint.partition(": ")[0]) == (3, "error", "hint")


# --- to its own origin only ---

COOKIE, CSRF_TOKEN = "JSESSIONID=c00kie", "csrf-t0ken"
GIVEN = {"Set-Cookie": f"{COOKIE}; Path=/", "X-CSRF-HEADER": "X-CSRF-TOKEN", "X-CSRF-TOKEN": CSRF_TOKEN}
SECRETS = ("authorization", "cookie", "x-csrf-token", "proxy-authorization")
SESSION = {"id": "s1", "state": "Chatting"}


@pytest.fixture
def elsewhere() -> Iterator[WireServer]:
    """Another origin, which answers as a server does and keeps what it gets."""
    with WireServer(in_turn(EMPTY_LIST)) as other:
        yield other


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], str]]:
    """What the keyring holds."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.support.memory_keyring.Memory")
    Memory.secrets.clear()
    yield Memory.secrets
    Memory.secrets.clear()


def by_end(**replies: Reply) -> Callable[[Request], Reply]:
    """Replies by the last segment of the path; every other path has a user."""
    user = answer({"statusCode": 0, "user": {"userName": "maja"}}, headers=GIVEN)
    return lambda request: replies.get(request.path.rpartition("/")[2], user)


def given_away(server: WireServer) -> list[str]:
    """The headers with a secret that reached it."""
    return [name for request in server.requests for name in SECRETS if name in request.headers]


def at(server: WireServer) -> dict[str, str]:
    url = f"http://localhost:{server.port}"
    return {"SMSCLI_URL": url, "SMSCLI_USERNAME": "maja", "SMSCLI_PASSWORD": "hunter2"}


READS = [
    ["list"],
    ["show", "s1"],
    ["messages", "s1"],
    ["tail", "s1"],
    ["tail", "--all", "--push", "off"],
    ["doctor"],
    ["auth", "status"],
]


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_a_redirect_takes_no_secret_to_another_port(
    smscli: Smscli, elsewhere: WireServer, arguments: list[str]
) -> None:
    there = answer({}, 302, {"Location": f"http://localhost:{elsewhere.port}/api/v2/me"})
    with WireServer(in_turn(there)) as server:
        outcome = smscli(*arguments, **at(server))
    assert (outcome.code, elsewhere.requests) == (1, [])
    assert f"the server redirects to http://localhost:{elsewhere.port}" in outcome.out + outcome.err


def test_nothing_is_redirected_after_a_sign_in_either(smscli: Smscli, elsewhere: WireServer) -> None:
    """By then there are a cookie and a CSRF token to give away, and posts that would carry it."""
    there = answer({}, 307, {"Location": f"http://localhost:{elsewhere.port}/api/v2/notifications"})
    listed = answer({"statusCode": 0, "smsessions": []}, headers=GIVEN)
    with WireServer(by_end(smsessions=listed, notifications=there)) as server:
        smscli("doctor", **at(server))
        posts = [one.headers for one in server.requests if one.method == "POST"]
    assert [(one["cookie"], one["x-csrf-token"]) for one in posts] == [(COOKIE, CSRF_TOKEN)] * len(posts)
    assert (len(posts) > 0, elsewhere.requests) == (True, [])


def test_the_uri_of_a_session_is_shown_and_never_followed(smscli: Smscli, elsewhere: WireServer) -> None:
    uri = f"http://localhost:{elsewhere.port}/api/v2/smsessions/s1"
    sender = {"type": "Agent", "nickname": "Robin", "participantId": "p1", "uri": uri}
    session = {**SESSION, "uri": uri, "participants": [sender]}
    log = {"messages": [{"index": 1, "type": "PushUrl", "from": sender, "url": uri}]}
    replies = {
        "smsessions": answer({"statusCode": 0, "smsessions": [session]}, headers=GIVEN),
        "messages": answer(log),
    }
    with WireServer(by_end(**replies)) as server:
        for arguments in (["list", "--json"], ["show", "s1"], ["messages", "s1"], ["doctor"]):
            outcome = smscli(*arguments, **at(server))
            assert outcome.code == 0, outcome.err
    assert elsewhere.requests == []


def test_a_list_of_addresses_only_is_not_followed(smscli: Smscli, elsewhere: WireServer) -> None:
    uris = [f"http://localhost:{elsewhere.port}/api/v2/smsessions/s1"]
    with WireServer(by_end(smsessions=answer({"statusCode": 0, "uris": uris}))) as server:
        assert smscli("list", **at(server)).out.startswith("s1\t")
    assert elsewhere.requests == []


def saved(home: dict[str, str], server: WireServer, *more: str) -> None:
    """A profile for the server, which is the default."""
    config = Path(home["HOME"], ".config", "smscli", "config.toml")
    config.parent.mkdir(parents=True)
    lines = ["[profiles.default]", f'url = "http://localhost:{server.port}"', 'user = "maja"', *more]
    config.write_text("\n".join(lines))


@pytest.mark.parametrize("how", ["option", "variable"])
def test_another_url_finds_no_secret_of_the_profile_s(
    smscli: Smscli,
    home: dict[str, str],
    kept: dict[tuple[str, str], str],
    elsewhere: WireServer,
    how: str,
) -> None:
    other = f"http://localhost:{elsewhere.port}"
    with WireServer(in_turn(EMPTY_LIST)) as server:
        saved(home, server)
        kept["smscli", f"maja@http://localhost:{server.port}"] = "hunter2"
        assert smscli("list").code == 0
        outcome = smscli("list", "--url", other) if how == "option" else smscli("list", SMSCLI_URL=other)
    assert (outcome.code, outcome.err) == (
        4,
        f"error: no password is stored for maja@{other}\n"
        "hint: sign in: smscli auth login, or set SMSCLI_PASSWORD\n",
    )
    assert elsewhere.requests == []


def test_a_profile_s_command_is_not_run_for_another_url(
    smscli: Smscli,
    home: dict[str, str],
    kept: dict[tuple[str, str], str],
    elsewhere: WireServer,
    tmp_path: Path,
) -> None:
    noted = tmp_path / "ran"
    with WireServer(in_turn(EMPTY_LIST)) as server:
        saved(home, server, f'password_command = ["sh", "-c", "echo run >>{noted}; echo hunter2"]')
        assert smscli("list").code == 0
        outcome = smscli("list", "--url", f"http://localhost:{elsewhere.port}")
    assert (outcome.code, noted.read_text(), elsewhere.requests) == (4, "run\n", [])


def test_a_proxy_that_only_passes_on_tls_learns_nothing(smscli: Smscli) -> None:
    with WireServer(in_turn(answer(b"", 502))) as proxy:
        through = f"http://u:pr0xy@localhost:{proxy.port}"
        environ = {**at(proxy), "SMSCLI_URL": "https://gws.example", "HTTPS_PROXY": through}
        outcome = smscli("list", "--debug", **environ)
    assert outcome.code == 3
    assert "pr0xy" not in outcome.err
    assert {one.target for one in proxy.requests} == {"gws.example:443"}
    assert set(given_away(proxy)) == {"proxy-authorization"}


def test_a_cookie_of_one_host_is_not_sent_to_the_other(smscli: Smscli, elsewhere: WireServer) -> None:
    """Cookies know no ports: a run that asks one server only has none of another's."""
    with WireServer(in_turn(answer({"statusCode": 0, "smsessions": []}, headers=GIVEN))) as server:
        assert smscli("list", **at(server)).code == 0
    assert smscli("list", **at(elsewhere)).code == 0
    assert given_away(elsewhere) == ["authorization"]


# --- as Python shows it ---


def test_no_object_that_holds_a_secret_shows_it(home: dict[str, str]) -> None:
    with WireServer(by_end()) as server:
        proxied = {
            "SMSCLI_URL": "http://gws.example",
            "HTTP_PROXY": f"http://u:pr0xy@localhost:{server.port}",
        }
        environ = {**home, **at(server), **proxied, "SMSCLI_TOKEN": "t0ken"}
        app = AppContext(environ, json_stderr=False, terminal=CapturedTerminal())
        app.client.me()
        transport = app.client.transport
        holders = [app, app.read_credential(), app.settings, app.client, transport, transport.clone()]
        holders += [transport.auth, transport.auth.cookies]
        parts = [part for one in (app, app.client, transport) for part in vars(one).values()]
        # Plain strings and mappings are what they are: these are the values themselves.
        shown = [repr(one) for one in (*holders, *parts) if not isinstance(one, str | dict)]
        app.close()
    assert "<SharedCookies ['JSESSIONID']>" in shown
    assert server.requests[0].headers["authorization"] == "Bearer t0ken"
    for secret in ("hunter2", "t0ken", "c00kie", "pr0xy"):
        assert not [one for one in shown if secret in one], secret


# --- into anything that is printed, kept or to be seen ---

ON_PROC = pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc"
)


@pytest.mark.slow
@ON_PROC
def test_no_run_leaves_a_secret_anywhere(tmp_path: Path) -> None:
    """A third of what the bench searches; every command and every trouble is among them."""
    asked = cases(quick=True)[::3]
    found = search_all(asked, tmp_path)
    assert found.occurrences == []
    assert (found.runs, found.places > 4 * found.runs) == (44, True)


def occurrences(case: Case, tmp_path: Path) -> list[str]:
    """Where a secret was found, without what it looked like there."""
    return [told.partition(" of ")[0].partition(" ")[0] for told in search(case, tmp_path).occurrences]


@ON_PROC
def test_the_search_finds_a_secret_on_the_command_line_and_in_an_error(tmp_path: Path) -> None:
    assert set(occurrences(Case(("show", TOKEN), "environment"), tmp_path)) == {"cmdline", "stderr"}


@ON_PROC
def test_the_search_finds_a_secret_in_what_a_command_is_given() -> None:
    given = {"PATH": "/usr/bin:/bin", "SMSCLI_PASSWORD": PASSWORD}
    asking = subprocess.Popen(["sh", "-c", "sleep 0.3; true"], env=given)
    with asking, watch_process(asking.pid, own_environ=False) as seen:
        asking.wait()
    holding = [where for where, text in seen.items() if PASSWORD.encode() in text]
    assert [where.partition(" ")[0] for where in holding] == ["environ"]
    assert {where.partition(" ")[2] for where in seen if where.startswith("cmdline")} == {
        r"b'sh\x00-c\x00sleep 0.3; true\x00'",
        r"b'sleep\x000.3\x00'",
    }


@ON_PROC
def test_the_search_finds_a_secret_in_a_file_of_the_home(tmp_path: Path) -> None:
    kept = tmp_path / "home" / ".cache" / "smscli" / "old.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(f'{{"password": {json.dumps(PASSWORD)}}}')
    assert occurrences(Case(("auth", "list"), "keyring"), tmp_path) == [".cache/smscli/old.json"]


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD,
        "Basic bWFqYTpww4Rzcy8idzByZCsmJSBvZiBtYWph",
        "Basic bWFqYTpwxHNzLyJ3MHJkKyYlIG9mIG1hamE=",
        "p%C3%84ss/%22w0rd%2B%26%25%20of%20maja",
        "p%C3%84ss%2F%22w0rd%2B%26%25+of+maja",
        'p\\u00c4ss/\\"w0rd+&% of maja',
    ],
)
def test_a_secret_is_known_in_each_of_its_forms(text: str) -> None:
    found = SearchResult()
    found.look("a log", f"before {text} behind".encode(), forms(PASSWORD))
    found.look("a log", b"before and behind", forms(PASSWORD))
    assert (len(found.occurrences), found.places) == (1, 2)
