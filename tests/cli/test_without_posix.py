"""Whole commands without what Windows lacks: the same output as with it, down to the bytes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smscli import __version__
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.paths import ROOT

SAMPLE = "009052BDEE39003A"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(), clock=lambda: 1772445600.0) as server:
        yield server


@pytest.fixture
def environ(home: dict[str, str], server: FakeServer) -> dict[str, str]:
    return {
        **home,
        "PYTHONPATH": str(ROOT),
        "SMSCLI_URL": server.url,
        "SMSCLI_USERNAME": "sample",
        "SMSCLI_PASSWORD": "demo",
        "APPDATA": f"{home['HOME']}/roaming",
        "LOCALAPPDATA": f"{home['HOME']}/local",
    }


def done(
    environ: dict[str, str], *arguments: str, module: str = "tests.support.without_posix"
) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-m", module, *arguments]
    ended = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["list", "--color", "always"],
        ["messages", "{id}"],
        ["messages", "{id}", "--jsonl"],
        ["messages", "{id}", "--grep", "a+", "--context", "1"],
        ["show", "{id}", "--json"],
        ["show", "no-such-session"],
        ["list", "--state"],
        ["auth", "status"],
        ["messages", "--help"],
    ],
    ids=" ".join,
)
def test_a_command_writes_the_same(server: FakeServer, environ: dict[str, str], arguments: list[str]) -> None:
    words = [word.replace("{id}", SAMPLE) for word in arguments]
    assert done(environ, *words) == done(environ, *words, module="smscli")


def test_the_version_ends_in_a_line_feed(environ: dict[str, str]) -> None:
    assert done(environ, "--version") == (0, f"smscli {__version__}\n".encode(), b"")


@pytest.mark.slow
def test_files_are_in_the_folders_of_windows(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    assert done(environ, "list")[0] == 0
    (home / "roaming" / "smscli").mkdir(parents=True)
    (home / "roaming" / "smscli" / "config.toml").write_bytes(b"[profiles.work]\r\nurl = 'x.example'\r\n")
    code, out, _ = done(environ, "auth", "list")
    assert (code, out.split(b"\t")[:2]) == (0, [b"work", b"x.example"])
    assert (home / "local" / "smscli" / "state.json").exists()
    assert sorted(path.name for path in home.iterdir()) == ["local", "roaming"]


@pytest.mark.slow
def test_without_a_time_zone_database_the_error_says_so(environ: dict[str, str]) -> None:
    assert done(environ, "messages", SAMPLE, "--tz", "Pacific/Chatham") == (
        2,
        b"",
        b"error: there is no time zone database on this machine\n"
        b"hint: install it: `pip install tzdata`; or give an offset such as +02:00\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["list", "--help"], ["messages", SAMPLE]], ids=" ".join
)
def test_a_pipe_without_a_reader_ends_silently(environ: dict[str, str], arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tests.support.without_posix", *arguments]
    with os.fdopen(writer, "wb") as pipe:
        ended = subprocess.run(
            command, env=environ, stdout=pipe, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.slow
def test_a_recording_is_written_until_ctrl_c(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "tests.support.without_posix", "tail", SAMPLE, "--json"]
    with subprocess.Popen([*command, "--record", str(file)], env=environ, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        rest = child.stdout.read()
        assert child.wait(30) == 130
    shown = [json.loads(line) for line in (first + rest).splitlines()]
    kept = [json.loads(line) for line in file.read_bytes().splitlines()]
    server = kept[0].pop("server")
    assert [one.get("record") for one in kept[:1]] == ["session"]
    assert [one for one in kept if "record" not in one] == [{**one, "server": server} for one in shown]


@pytest.mark.slow
def test_the_demo_prints_the_commands_of_cmd_and_powershell(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.support.without_posix", "demo", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline().decode() for _ in range(4)]
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
    url = lines[0].split()[3].rstrip(";")
    assert lines == [
        f"demo server at {url}; Ctrl-C ends it\n",
        "in another terminal:\n",
        f"  PowerShell:  $env:SMSCLI_PASSWORD='demo'; smscli --url {url} --user demo tail --all\n",
        f'  cmd:         set "SMSCLI_PASSWORD=demo" && smscli --url {url} --user demo tail --all\n',
    ]
