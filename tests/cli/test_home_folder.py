"""Whole commands without a usable home folder, and `~` in file names."""

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

ID = "0000Na9B26EF0001"
# The folders a relative home of each kind would lead to.
FOLDERS = ["~", ".", "rel"]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(ID, customer="Mika", agents=("Robin",))
        yield server


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with configs whose password command leaves a file; no passwd entry of the user."""
    monkeypatch.chdir(tmp_path)
    config = 'default = "trap"\n[profiles.trap]\nurl = "http://127.0.0.1:9"\nuser = "x"\n'
    command = f"password_command = {json.dumps(['touch', str(tmp_path / 'ran')])}\n"
    for folder in FOLDERS:
        for place in (".config/smscli", "smscli", ""):
            Path(folder, place).mkdir(parents=True, exist_ok=True)
            Path(folder, place, "config.toml").write_text(config + command)

    def no_entry(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


HOMES = [
    {"HOME": ""},
    {"HOME": "."},
    {"HOME": "rel"},
    {"HOME": "~"},
    {"HOME": "", "XDG_CONFIG_HOME": "rel", "XDG_STATE_HOME": "rel", "XDG_CACHE_HOME": "rel"},
    {"HOME": "rel", "SMSCLI_CONFIG_DIR": "rel"},
]


@pytest.mark.parametrize("home", HOMES, ids=str)
def test_without_a_home_the_working_directory_is_not_used(
    smscli: Smscli, server: FakeServer, trap: Path, home: dict[str, str]
) -> None:
    before = files(trap)
    nothing = smscli("list", **home)
    assert (nothing.code, nothing.err.splitlines()[0]) == (4, "error: no server is configured")
    # Finds the path's spelling and clears the id cache: both would write a file.
    assert smscli("list", server=server, **home).code == 0
    assert smscli("auth", "logout", **home).code == 4
    assert files(trap) == before


@pytest.mark.parametrize("home", HOMES, ids=str)
def test_without_a_home_completion_reads_and_writes_no_file(
    server: FakeServer, trap: Path, home: dict[str, str]
) -> None:
    from smscli.completion import complete, live_ids

    environ = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo", **home}
    before = files(trap)
    assert [one.value for one in live_ids({}, environ, 30.0)] == [ID]
    assert complete(["-p", ""], home, lambda options: []) == []
    assert files(trap) == before


def test_without_a_home_a_profile_cannot_be_saved(smscli: Smscli, server: FakeServer, trap: Path) -> None:
    before = files(trap)
    outcome = smscli("auth", "login", "--password-stdin", "--url", server.url, "--user", "demo", HOME="")
    assert (outcome.code, outcome.err) == (
        1,
        "error: there is no home folder to save the config file in\n"
        "hint: set HOME or SMSCLI_CONFIG_DIR to an absolute path\n",
    )
    assert (list(server.requests), files(trap)) == ([], before)


def test_a_home_that_is_no_folder_is_an_empty_config(smscli: Smscli, server: FakeServer) -> None:
    assert smscli("list", server=server, HOME="/dev/null").code == 0
    assert smscli("list", HOME="/dev/null").err.splitlines()[0] == "error: no server is configured"


def test_the_home_of_the_system_is_used_without_the_variable(
    smscli: Smscli, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = pwd.struct_passwd(("x", "x", os.getuid(), 0, "", str(tmp_path / "h"), ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda number: entry)
    assert smscli("list", server=server, HOME="").code == 0
    assert (tmp_path / "h/.local/state/smscli/state.json").exists()


# `~` in file names.

RECORD = {"index": 1, "type": "Text", "from": None, "text": "hi", "timestamp": None, "sessionId": ID}


@pytest.mark.parametrize(
    "arguments", [["@~/rec.jsonl"], ["--source", "~/rec.jsonl"], ["--source=~/rec.jsonl"]]
)
def test_a_recording_is_read_from_the_home(
    smscli: Smscli, home: dict[str, str], arguments: list[str]
) -> None:
    Path(home["HOME"], "rec.jsonl").write_text(json.dumps(RECORD) + "\n")
    outcome = smscli("messages", *arguments, "--json")
    assert (outcome.code, [one["text"] for one in json.loads(outcome.out)]) == (0, ["hi"])


def test_a_page_and_a_recording_are_written_to_the_home(
    smscli: Smscli, home: dict[str, str], server: FakeServer
) -> None:
    server.store.append(ID, {"type": "Text", "text": "hello"})
    assert smscli("messages", ID, "--html=~/page.html", server=server).code == 0
    assert "hello" in Path(home["HOME"], "page.html").read_text()
    server.store.end(ID)
    smscli("tail", ID, "--record=~/rec.jsonl", server=server)
    assert Path(home["HOME"], "rec.jsonl").exists()


@pytest.mark.parametrize("option", ["--ca-bundle", "--client-cert"])
def test_a_certificate_is_read_from_the_home(smscli: Smscli, home: dict[str, str], option: str) -> None:
    variable = "SMSCLI_" + option[2:].upper().replace("-", "_")
    url = ["--url", "https://127.0.0.1:9", "--user", "x"]
    for outcome in (
        smscli("list", *url, f"{option}=~/missing.pem", SMSCLI_PASSWORD="x"),
        smscli("list", *url, SMSCLI_PASSWORD="x", **{variable: "~/missing.pem"}),
    ):
        assert f"{home['HOME']}/missing.pem can't be read: No such file or directory" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["messages", "@~/rec.jsonl"],
        ["messages", ID, "--html", "~/page.html"],
        ["tail", ID, "--record", "~/rec.jsonl"],
        ["list", "--ca-bundle", "~/ca.pem"],
        ["list", "--client-cert", "~/cert.pem"],
    ],
    ids=lambda arguments: arguments[0] + arguments[-1],
)
def test_a_tilde_without_a_home_is_wrong_usage(
    smscli: Smscli, server: FakeServer, trap: Path, arguments: list[str]
) -> None:
    before = files(trap)
    outcome = smscli(*arguments, server=server, HOME="")
    name = arguments[-1].removeprefix("@")
    assert (outcome.code, outcome.err) == (
        2,
        f"error: there is no home folder ~ for {name}\nhint: write the absolute path\n",
    )
    assert (list(server.requests), files(trap)) == ([], before)
