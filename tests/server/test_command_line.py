"""The test server as a program: its options and its end."""

import json
import signal
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.server.command_line import parse, switches
from tests.server.options import Options
from tests.support.demo_peer import DEMO


def test_the_program_answers_commands_and_ends_on_a_signal() -> None:
    command = [sys.executable, "-m", "tests.server", "--scene", "bulk", "--sessions", "2", "--messages", "5"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin and program.stdout
        greeting = json.loads(program.stdout.readline())
        assert greeting["sessions"] == ["0000Nb0000000000", "0000Nb0000000001"]
        connection = HTTPConnection(urlsplit(greeting["url"]).netloc, timeout=20)
        connection.request("GET", "/api/v2/me/smsessions", headers=DEMO)
        assert connection.getresponse().read().count(b"0000Nb") == 2
        connection.close()
        program.stdin.write("state\n")
        program.stdin.flush()
        assert json.loads(program.stdout.readline())["messages"] == 10
        program.send_signal(signal.SIGTERM)
        out, errors = program.communicate(timeout=20)
    assert (program.returncode, out, errors) == (0, "", "")


def test_every_switch_is_an_option_of_the_same_name() -> None:
    assert parse([]) == Options()
    given = "--port 8099 --scene bulk --rate 2.5 --first-index 0 --users a:b:c --users d:e"
    assert parse(f"{given} --fault cut,hang:2 --csrf".split()) == Options(
        port=8099,
        scene="bulk",
        rate=2.5,
        first_index=0,
        users={"a": "b:c", "d": "e"},
        fault=("cut", "hang:2"),
        csrf=True,
    )


def test_only_the_given_switches_are_set() -> None:
    assert switches(
        ["--fault", "500", "--fault-rate", "0.1", "--no-silence", "--slow", "A:2", "--slow", "B:0.5"]
    ) == {
        "fault": ("500",),
        "fault_rate": 0.1,
        "silence": False,
        "slow": {"A": 2.0, "B": 0.5},
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--scene dead", "invalid choice: 'dead'"),
        ("--users demo", "'demo' is not NAME:VALUE"),
        ("--fault flood", "no such fault: flood"),
        ("--gaps 1", "every index would be left out"),
        ("--sessions many", "invalid int value"),
    ],
)
def test_wrong_options_end_the_program_with_2(
    arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(arguments.split())
    assert complaint in capsys.readouterr().err
