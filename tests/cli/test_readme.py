"""Every command line that the README shows, run as a reader would paste it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.readme import blocks, lines, scripts, search_path, the

pytestmark = pytest.mark.slow

# These two make an environment of their own: CI runs them in a clean clone.
_ENVIRONMENT = "python3 -m venv"
_PARCEL, _CARD, _ROUTER = "0000Na9B26EF0001", "0000Na9B26EF0002", "0000Na9B26EF0003"

needs_jq = pytest.mark.skipif(shutil.which("jq") is None and "CI" not in os.environ, reason="needs jq")

ON_THE_DEMO = [line for line in lines() if "--demo" in line and _ENVIRONMENT not in line]
# A crontab's line without its five times.
CRON = the(blocks("cron"), "smscli list").split(maxsplit=5)[5]
ELSEWHERE = [line for line in lines() if "--demo" not in line and _ENVIRONMENT not in line]
MONITOR = the(ELSEWHERE, "check --all --json")
OF_A_RECORDING = [line for line in ELSEWHERE if "@sms" in line]


@pytest.fixture
def environ(tmp_path: Path, home: dict[str, str]) -> dict[str, str]:
    return {**home, "PATH": search_path(tmp_path)}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Of three customers the first got an answer, the second asked 301 seconds ago and the third just now."""
    times = [1772445600.0]
    with FakeServer(Options(scene="empty"), clock=lambda: times[-1]) as server:
        for session_id in (_PARCEL, _CARD, _ROUTER):
            server.store.add_session(session_id, customer="Mika", agents=("Robin",))
        server.store.say(_PARCEL, "is anybody there?", by="Mika")
        server.store.say(_CARD, "hello", by="Mika")
        server.store.say(_PARCEL, "I am", by="Robin")
        times.append(times[0] + 301)
        server.store.say(_ROUTER, "good morning", by="Mika")
        yield server


def cron(environ: dict[str, str], server: FakeServer, password: str = "demo") -> str:
    """What cron would mail."""
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": password}
    done = subprocess.run(
        ["sh", "-c", CRON],
        env={**environ, **signed_in},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.system
@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=needs_jq if "| jq" in line else ()) for line in ON_THE_DEMO]
)
def test_a_recipe_works_as_pasted(line: str, environ: dict[str, str]) -> None:
    endless = re.search(r"\btail\b", line) is not None
    command = (
        ["timeout", "--signal=INT", "5", "bash", "-c", f"exec {line}"] if endless else ["bash", "-c", line]
    )
    done = subprocess.run(
        command, env=environ, cwd=environ["HOME"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "error:" in done.stderr) == (124 if endless else 0, False), done.stderr
    kept = [Path(environ["HOME"], name) for name in re.findall(r"(?:>|--html) (\w+\.\w+)", line)]
    assert all(file.read_text() for file in kept), "a recipe keeps something"
    assert done.stdout or kept, "or shows something"


@pytest.mark.system
@needs_jq
def test_what_goes_into_a_ticket_is_masked(environ: dict[str, str]) -> None:
    for line in (line for line in ON_THE_DEMO if "page." in line):
        subprocess.run(["sh", "-c", line], env=environ, cwd=environ["HOME"], timeout=60, check=True)
    page, text = (Path(environ["HOME"], name).read_text() for name in ("page.html", "page.txt"))
    assert text.startswith("Noor: internet is down since 7, the box blinks red. I work from home...\nRobin: ")
    assert "internet is down since 7" in page
    # The customer's number stands in the session's user data.
    assert "PhoneNumber" in page
    assert "555-0117" not in page


def test_cron_mails_who_has_waited_and_nothing_else(environ: dict[str, str], server: FakeServer) -> None:
    assert cron(environ, server) == f"{_CARD}\tMika\t301\thello\n"
    server.store.say(_CARD, "here I am", by="Robin")
    assert cron(environ, server) == ""
    for session_id in (_PARCEL, _CARD, _ROUTER):
        server.store.remove(session_id)
    assert cron(environ, server) == ""


def test_cron_mails_that_nobody_can_tell(environ: dict[str, str], server: FakeServer) -> None:
    refused = cron(environ, server, password="wrong")
    server.options.fault = ("500",)
    failed = cron(environ, server)
    server.close()
    unreachable = cron(environ, server)
    told = "smscli failed with code {}: see smscli doctor\n"
    assert (refused, failed, unreachable) == (told.format(4), told.format(1), told.format(3))


@pytest.fixture
def recording(environ: dict[str, str]) -> Path:
    """A few seconds of the demo, as the README records them."""
    line = the(ON_THE_DEMO, "--record")
    command = ["timeout", "--signal=INT", "4", "bash", "-c", f"exec {line}"]
    subprocess.run(command, env=environ, cwd=environ["HOME"], capture_output=True, timeout=60, check=False)
    return Path(environ["HOME"], "sms.jsonl")


def test_the_questions_to_a_recording_are_answered(recording: Path, environ: dict[str, str]) -> None:
    for line in OF_A_RECORDING:
        done = subprocess.run(
            ["bash", "-c", line],
            env=environ,
            cwd=recording.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, "error:" in done.stderr) == (0, False), done.stderr
    assert len(OF_A_RECORDING) == 5
    assert "Noor" in (recording.parent / "noor.html").read_text(encoding="utf-8")


def test_a_recording_is_counted_with_duckdb(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    monkeypatch.chdir(recording.parent)
    rows = duckdb.sql(the(blocks("sql"), "GROUP BY")).fetchall()
    assert {customer for customer, _, _ in rows} >= {"Mika", "Noor", "Toni"}


def test_a_monitor_is_silent_until_something_fails(
    environ: dict[str, str], server: FakeServer, tmp_path: Path
) -> None:
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}

    def monitor() -> str:
        done = subprocess.run(
            ["bash", "-c", MONITOR],
            env={**environ, **signed_in},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    assert monitor() == ""
    server.start_outage(60, "403", _CARD)
    assert monitor() == "smscli check ended with 6: see findings.json\n"
    found = json.loads((tmp_path / "findings.json").read_text())
    assert [one["sessionId"] for one in found if one["result"] == "fail"] == [_CARD]


def test_the_other_lines_are_signing_in_or_need_a_real_server() -> None:
    """Those of the broker and of streams have tests of their own."""
    tested = (*OF_A_RECORDING, MONITOR)
    others = [line for line in ELSEWHERE if "mosquitto" not in line and line not in tested]
    known = r"smscli (auth|--profile default list|tail --all -p '\*'|.* --source nats:)|systemctl|loginctl"
    assert all(re.match(known, line) for line in others)
    assert len(ON_THE_DEMO) >= 10
    assert len(scripts()) == 1
