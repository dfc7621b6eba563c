"""`auth login`, `logout` and `status` as whole commands, with a keyring in memory."""

import io
import json
import signal
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from keyring.errors import KeyringLocked

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Outcome, Smscli
from tests.support.memory_keyring import Memory
from tests.support.wire_server import WireServer, answer


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], str]]:
    """The content of the keyring."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.support.memory_keyring.Memory")
    Memory.secrets.clear()
    yield Memory.secrets
    Memory.secrets.clear()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty")) as server:
        yield server


def pipe_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def config(home: dict[str, str]) -> Path:
    return Path(home["HOME"], ".config", "smscli", "config.toml")


def test_login_checks_the_secret_and_then_stores_it(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe_in(monkeypatch, "demo\n")
    outcome = smscli(
        "auth", "login", "--password-stdin", "--url", server.url, "--user", "demo", "--timeout", "7"
    )
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "signed in to 127.0.0.1 as demo, profile default\nnext: smscli list\n"
    assert stored == {("smscli", f"demo@{server.url}"): "demo"}
    assert tomllib.loads(config(home).read_text()) == {
        "default": "default",
        "profiles": {
            "default": {"url": f"{server.url}/api/v2", "user": "demo", "auth": "basic", "timeout": 7.0}
        },
    }
    assert [path for _, path, _ in server.requests] == ["/api/v2/me", "/api/v2/me"]
    assert smscli("list").code == 0


def test_nothing_of_the_servers_name_for_a_user_acts_on_the_terminal(
    smscli: Smscli, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe_in(monkeypatch, "t0k3n\n")
    user = {"userName": "\x1b]0;owned\x07demo\u202e\n"}
    with WireServer(lambda request: answer({"statusCode": 0, "user": user})) as server:
        outcome = smscli("auth", "login", "--token-stdin", "--url", server.base_url)
    shown = "\\u{1B}]0;owned\\u{7}demo\\u{202E}\\n"
    assert outcome.err == f"signed in to localhost as {shown}, profile default\nnext: smscli list\n"


def test_a_refused_secret_is_not_stored(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe_in(monkeypatch, "wrong\n")
    outcome = smscli("auth", "login", "--password-stdin", "--url", server.url, "--user", "demo")
    assert outcome.code == 4
    assert outcome.err.startswith("error: ")
    assert "wrong" not in outcome.err
    assert (stored, config(home).exists()) == ({}, False)


def test_a_token_is_stored_for_the_profile(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe_in(monkeypatch, "demo-token")
    outcome = smscli("auth", "login", "--token-stdin", "--url", server.url, "--profile", "lab")
    assert outcome.code == 0, outcome.err
    assert stored == {("smscli", f"lab@{server.url}"): "demo-token"}
    assert tomllib.loads(config(home).read_text()) == {
        "default": "lab",
        "profiles": {"lab": {"url": f"{server.url}/api/v2", "auth": "token"}},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--password-stdin", "--token-stdin"], "--password-stdin and --token-stdin exclude each other"),
        (["--password-stdin"], "auth login needs --url without a terminal to prompt on"),
        (
            ["--password-stdin", "--url", "http://127.0.0.1:1"],
            "auth login needs --user without a terminal to prompt on",
        ),
        (
            ["--url", "http://127.0.0.1:1", "--user", "a"],
            "auth login needs --password-stdin without a terminal to prompt on",
        ),
        (["--demo"], "auth login is for a real server; --demo signs in by itself"),
    ],
)
def test_login_without_a_terminal_names_the_option(
    smscli: Smscli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    pipe_in(monkeypatch, "x\n")
    outcome = smscli("auth", "login", *arguments)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"error: {message}\n")


def signed_in(smscli: Smscli, server: FakeServer, monkeypatch: pytest.MonkeyPatch, *profile: str) -> None:
    pipe_in(monkeypatch, "demo\n")
    login = ["auth", "login", "--password-stdin", "--url", server.url, "--user", "demo", *profile]
    assert smscli(*login).code == 0


def test_logout_deletes_the_secret_and_keeps_the_profile(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_in(smscli, server, monkeypatch)
    outcome = smscli("auth", "logout")
    assert (outcome.code, stored) == (0, {})
    assert outcome.err == f"signed out of {server.url}/api/v2, profile default\n"
    assert "default" in tomllib.loads(config(home).read_text())["profiles"]
    again = smscli("auth", "logout")
    assert (again.code, again.err) == (0, "no secret was stored for profile default\n")


def test_logout_all_deletes_the_secret_of_every_profile(
    smscli: Smscli, server: FakeServer, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(smscli, server, monkeypatch, "--profile", "one")
    stored["smscli", "other@https://elsewhere:443"] = "not ours to forget"
    outcome = smscli("auth", "logout", "--all")
    assert outcome.code == 0
    assert stored == {("smscli", "other@https://elsewhere:443"): "not ours to forget"}


def test_logout_all_goes_on_after_one_that_fails(
    smscli: Smscli, server: FakeServer, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(smscli, server, monkeypatch, "--profile", "one")
    signed_in(smscli, server, monkeypatch, "--profile", "two", "--user", "sample")
    signed_in(smscli, server, monkeypatch, "--profile", "three")

    def partly_locked(keyring: Memory, service: str, username: str) -> str | None:
        if username.startswith("demo@"):
            raise KeyringLocked
        return stored.get((service, username))

    monkeypatch.setattr(Memory, "get_password", partly_locked)
    outcome = smscli("auth", "logout", "--all")
    assert (outcome.code, list(stored)) == (4, [("smscli", f"demo@{server.url}")])
    assert outcome.err.splitlines()[:4] == [
        "profile one: the keyring is locked",
        f"signed out of {server.url}/api/v2, profile two",
        "profile three: the keyring is locked",
        "error: the keyring is locked",
    ]


def test_status_says_where_the_secret_comes_from(
    smscli: Smscli, server: FakeServer, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(smscli, server, monkeypatch)
    found = {
        "profile": "default",
        "url": f"{server.url}/api/v2",
        "user": "demo",
        "secretSource": "keyring",
        "accepted": True,
    }
    outcome = smscli("auth", "status", "--json")
    assert (outcome.code, json.loads(outcome.out), outcome.err) == (0, found, "")
    piped = smscli("auth", "status")
    assert piped.out == (
        f"profile\tdefault\nurl\t{server.url}/api/v2\nuser\tdemo\nsecretSource\tkeyring\naccepted\ttrue\n"
    )
    other = smscli("auth", "status", "--json", SMSCLI_PASSWORD="demo")
    assert json.loads(other.out)["secretSource"] == "environment"


def test_status_of_a_refused_secret_fails(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("auth", "status", "--json", server=server, SMSCLI_PASSWORD="wrong")
    found = json.loads(outcome.out)
    assert (outcome.code, found["accepted"], found["secretSource"]) == (4, False, "environment")
    assert json.loads(outcome.err)["error"]["kind"] == "auth"


def test_status_of_the_demo_is_the_demos_own(smscli: Smscli) -> None:
    found = json.loads(smscli("auth", "status", "--json", "--demo").out)
    assert {**found, "url": ""} == {
        "profile": None,
        "url": "",
        "user": "demo",
        "secretSource": "demo",
        "accepted": True,
    }


# A refused secret: whose it was, where it came from, and a hint for that source.

REFUSAL = "the server answers: not signed in (statusCode 20, HTTP 401): Authentication required, at"


def refused(user: str, source: str, hint: str, url: str) -> str:
    return f"error: {REFUSAL} {url}; used the {user} from {source}\nhint: {hint}\n"


def configure(home: dict[str, str], profile: str, text: str) -> None:
    config(home).parent.mkdir(parents=True)
    config(home).write_text(f'default = "{profile}"\n[profiles.{profile}]\n{text}\n')


@pytest.mark.parametrize(
    ("environ", "used"),
    [
        ({"SMSCLI_USERNAME": "anna", "SMSCLI_PASSWORD": "wrong"}, ("password of anna", "SMSCLI_PASSWORD")),
        ({"SMSCLI_TOKEN": "wrong"}, ("token", "SMSCLI_TOKEN")),
        ({"SMSCLI_USERNAME": "anna", "SMSCLI_TOKEN": "wrong"}, ("token of anna", "SMSCLI_TOKEN")),
    ],
    ids=["password", "token", "token of a user"],
)
@pytest.mark.parametrize(
    "command", [["list"], ["show", "S1"], ["messages", "S1"], ["tail", "--all"]], ids=" ".join
)
def test_a_refused_secret_of_the_environment_names_the_variable(
    smscli: Smscli, server: FakeServer, command: list[str], environ: dict[str, str], used: tuple[str, str]
) -> None:
    outcome = smscli(*command, "--url", server.url, **environ)
    assert outcome.code == 4
    error, hint = outcome.err.splitlines()[-2:]
    assert error.startswith(f"error: {REFUSAL} {server.url}/api/v2/")
    assert error.endswith(f"; used the {used[0]} from {used[1]}")
    assert hint == f"hint: set {used[1]} anew"


def test_a_refused_secret_of_a_password_command_names_the_profile(
    smscli: Smscli, home: dict[str, str], server: FakeServer
) -> None:
    configure(home, "work", f'url = "{server.url}"\nuser = "demo"\npassword_command = ["echo", "wrong"]')
    outcome = smscli("list")
    command, url = "password_command of profile work", f"{server.url}/api/v2/me/smsessions"
    assert (outcome.code, outcome.err) == (4, refused("password of demo", command, f"see {command}", url))


def test_a_refused_secret_of_the_keyring_names_the_sign_in(
    smscli: Smscli, home: dict[str, str], server: FakeServer, stored: dict[tuple[str, str], str]
) -> None:
    configure(home, "work", f'url = "{server.url}"\nuser = "demo"')
    stored["smscli", f"demo@{server.url}"] = "wrong"
    outcome = smscli("list")
    hint, url = "sign in again: `smscli auth login --profile work`", f"{server.url}/api/v2/me/smsessions"
    assert (outcome.code, outcome.err) == (4, refused("password of demo", "the keyring", hint, url))


def test_a_refused_login_says_what_to_check(
    smscli: Smscli, server: FakeServer, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe_in(monkeypatch, "wrong\n")
    outcome = smscli("auth", "login", "--password-stdin", "--url", server.url, "--user", "demo")
    hint, url = "check the user and the password", f"{server.url}/api/v2/me"
    assert outcome.err == refused("password of demo", "the prompt or standard input", hint, url)


def test_doctor_and_status_name_the_variable_too(smscli: Smscli, server: FakeServer) -> None:
    for command in (["doctor"], ["auth", "status"]):
        outcome = smscli(*command, "--json", server=server, SMSCLI_PASSWORD="wrong")
        error = json.loads(outcome.err.splitlines()[-1])["error"]
        assert error["hint"] == "set SMSCLI_PASSWORD anew"
        assert error["message"].endswith("; used the password of demo from SMSCLI_PASSWORD")
        assert error["message"].count("; used") == 1


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (20, "set SMSCLI_PASSWORD anew"),
        (8, "change the password in the agent's desktop, then set SMSCLI_PASSWORD anew"),
    ],
)
def test_a_refusal_by_status_code_has_the_same_hint(smscli: Smscli, code: int, hint: str) -> None:
    with WireServer(lambda request: answer({"statusCode": code})) as server:
        outcome = smscli("list", "--json", "--url", server.base_url, "--user", "a", SMSCLI_PASSWORD="b")
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, error["hint"]) == (4, hint)


def test_a_missing_permission_does_not_blame_the_secret(smscli: Smscli) -> None:
    with WireServer(lambda request: answer({"statusCode": 5})) as server:
        outcome = smscli("list", "--url", server.base_url, "--user", "a", SMSCLI_PASSWORD="b")
    assert (outcome.code, "; used" in outcome.err) == (4, False)


# Secret and profile are stored together or not at all.


def login(
    smscli: Smscli, server: FakeServer, monkeypatch: pytest.MonkeyPatch, *more: str, **environ: str
) -> Outcome:
    pipe_in(monkeypatch, "demo\n")
    return smscli(
        "auth", "login", "--password-stdin", "--url", server.url, "--user", "demo", *more, **environ
    )


def test_a_config_folder_that_cannot_be_written_stores_no_secret(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(home["HOME"], ".config").write_text("a file in the way")
    outcome = login(smscli, server, monkeypatch)
    path = config(home)
    assert (outcome.code, outcome.err) == (1, f"error: {path} can't be written: Not a directory\n")
    assert stored == {}


def test_a_config_that_cannot_be_changed_keeps_the_old_secret(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config(home).parent.mkdir(parents=True)
    # tomlkit would put the new table before `theme`, and so `theme` into it.
    layout = "profiles.lab.url = 'http://lab.example'\ntheme = { dark = 1 }\n"
    config(home).write_text(layout)
    stored["smscli", f"demo@{server.url}"] = "old"
    outcome = login(smscli, server, monkeypatch, "--profile", "work")
    assert (outcome.code, outcome.err) == (
        1,
        f"error: {config(home)} can't be changed by smscli\nhint: change it with an editor\n",
    )
    assert stored == {("smscli", f"demo@{server.url}"): "old"}
    assert config(home).read_text() == layout


def test_an_interrupted_login_stores_nothing(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved: list[bool] = []

    def interrupted(keyring: Memory, service: str, username: str, password: str) -> None:
        saved.append(config(home).exists())
        stored[service, username] = password
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Memory, "set_password", interrupted)
    assert (login(smscli, server, monkeypatch).code, stored) == (130, {})
    assert (saved, config(home).exists()) == ([True], False)


def test_a_secret_that_cannot_be_stored_leaves_the_config_file_as_it_was(
    smscli: Smscli,
    home: dict[str, str],
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layout = "# mine\n[profiles.default]\nurl = 'http://lab.example'\n"
    config(home).parent.mkdir(parents=True)
    config(home).write_text(layout)

    def locked(keyring: Memory, service: str, username: str, password: str) -> None:
        raise KeyringLocked

    monkeypatch.setattr(Memory, "set_password", locked)
    outcome = login(smscli, server, monkeypatch)
    assert (outcome.code, outcome.err.splitlines()[0]) == (4, "error: the keyring is locked")
    assert (stored, config(home).read_text()) == ({}, layout)


def test_a_keyring_that_cuts_a_long_secret_keeps_none_of_it(
    smscli: Smscli,
    home: dict[str, str],
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cut(keyring: Memory, service: str, username: str, password: str) -> None:
        stored[service, username] = password[:1280]

    monkeypatch.setattr(Memory, "set_password", cut)
    pipe_in(monkeypatch, "t" * 2561)
    with WireServer(lambda request: answer({"statusCode": 0, "user": {"userName": "demo"}})) as server:
        outcome = smscli("auth", "login", "--token-stdin", "--url", server.base_url)
    assert (outcome.code, outcome.err) == (
        4,
        "error: the secret of 2561 characters is too long for this keyring\n"
        "hint: set SMSCLI_PASSWORD, SMSCLI_COOKIE or SMSCLI_TOKEN, or give the profile a password_command\n",
    )
    assert (stored, config(home).exists()) == ({}, False)


# A byte order mark.


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize(
    ("option", "secret"), [("--password-stdin", "demo"), ("--token-stdin", "demo-token")]
)
def test_a_byte_order_mark_is_no_part_of_the_secret(
    smscli: Smscli,
    server: FakeServer,
    stored: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    secret: str,
    end: str,
) -> None:
    pipe_in(monkeypatch, f"\ufeff{secret}{end}")
    outcome = smscli("auth", "login", option, "--url", server.url, "--user", "demo")
    assert (outcome.code, list(stored.values())) == (0, [secret])


def test_blanks_are_part_of_the_secret(
    smscli: Smscli, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe_in(monkeypatch, "\ufeff \t pass\ufeff word \n")
    with WireServer(lambda request: answer({"statusCode": 0, "user": {"userName": "demo"}})) as server:
        assert smscli("auth", "login", "--password-stdin", "--url", server.base_url, "--user", "a").code == 0
    assert list(stored.values()) == [" \t pass\ufeff word "]


# The demo.


@pytest.mark.parametrize(
    "environ",
    [
        {"SMSCLI_USERNAME": "anna"},
        {"SMSCLI_PASSWORD": "wrong"},
        {"SMSCLI_TOKEN": "wrong"},
        {"SMSCLI_USERNAME": "anna", "SMSCLI_PASSWORD": "wrong", "SMSCLI_TOKEN": "wrong"},
        {"SMSCLI_CLIENT_CERT": "/missing.pem", "SMSCLI_CA_BUNDLE": "/missing.pem"},
    ],
    ids=" ".join,
)
def test_the_demo_takes_no_user_or_secret_from_the_environment(
    smscli: Smscli, environ: dict[str, str]
) -> None:
    for outcome in (
        smscli("auth", "status", "--json", "--demo", **environ),
        smscli("auth", "status", "--json", SMSCLI_DEMO="1", **environ),
    ):
        found = json.loads(outcome.out)
        assert (outcome.code, found["user"], found["secretSource"]) == (0, "demo", "demo")


def test_an_option_chooses_the_demos_user(smscli: Smscli) -> None:
    found = json.loads(
        smscli("auth", "status", "--json", "--demo", "--user", "sample", SMSCLI_USERNAME="anna").out
    )
    assert (found["user"], found["accepted"]) == ("sample", True)
    unknown = smscli("list", "--demo", "--user", "anna")
    assert unknown.code == 4
    assert unknown.err.endswith("; used the password of anna from the demo server\nhint: leave out --user\n")
