"""`auth login`, `logout` and `status` as whole commands, with a keyring in memory."""

import io
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from keyring.errors import KeyringLocked

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli
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
    assert outcome.err == "signed in to 127.0.0.1 as demo, profile default\n"
    assert stored == {("smscli", f"demo@{server.url}"): "demo"}
    assert tomllib.loads(config(home).read_text()) == {
        "default": "default",
        "profiles": {
            "default": {"url": f"{server.url}/api/v2", "user": "demo", "auth": "basic", "timeout": 7.0}
        },
    }
    assert [path for _, path, _ in server.requests] == ["/api/v2/me"]
    assert smscli("list").code == 0


def test_nothing_of_the_servers_name_for_a_user_acts_on_the_terminal(
    smscli: Smscli, stored: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe_in(monkeypatch, "t0k3n\n")
    user = {"userName": "\x1b]0;owned\x07demo\u202e\n"}
    with WireServer(lambda request: answer({"statusCode": 0, "user": user})) as server:
        outcome = smscli("auth", "login", "--token-stdin", "--url", server.base_url)
    shown = "\\u{1B}]0;owned\\u{7}demo\\u{202E}\\n"
    assert outcome.err == f"signed in to localhost as {shown}, profile default\n"


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
