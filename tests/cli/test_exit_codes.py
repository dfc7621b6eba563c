"""What scripts rely on, whatever version of typer reads the command line: exit codes and kinds of errors.

`.ci/run` runs this file with the newest typer too; the texts are other tests' business.
"""

import json

import pytest

from tests.support.command import Smscli

pytestmark = pytest.mark.usefixtures("quick_retries")

# One of the demo's.
ID = "0000Na9C009E6UOL"

RIGHT = [
    "--help",
    "-h",
    "list --help",
    "sessions --help",
    "auth --help",
    "--demo list",
    "list --demo",
    "sessions list --demo --json",
    "list --demo --state Chatting --state Invited",
    "list --demo --columns id,state --sort -id",
    "list --demo --timeout 1 --timeout 5",
    f"--demo show {ID}",
    f"sessions show {ID} --demo",
    f"messages {ID} --demo --last 3 --type Text --type PushUrl",
    f"messages --demo {ID} --start-index 1 --count 2",
    f"messages --demo -- {ID}",
    f"messages --demo --last=3 {ID}",
    f"messages {ID} -p none --demo --jsonl",
    "auth list",
]

WRONG = [
    "list --profile none",
    "lst",
    "sessions lst",
    "auth",
    "auth lgin",
    "list extra",
    "list --jsn",
    "list --timeout",
    "list --timeout soon",
    "list --timeout 0",
    "list --color red",
    "list --url http://a:b@c",
    "list --state Odd-one",
    "list --sort odd",
    "list --watch",
    "list --password x",
    "show",
    f"show {ID} {ID}",
    "messages",
    f"messages {ID} --count many",
    f"messages {ID} --count 1 --last 1",
    f"messages {ID} --grep (",
    f"messages {ID} --since soon",
    "tail",
    f"tail --all {ID}",
    "tail --all --interval 0",
    "auth use",
    "demo --port many",
]

FAILED = [
    ("list", "", 4, "config"),
    ("list --url http://127.0.0.1:9 --user anna", "", 4, "auth"),
    ("list --url http://127.0.0.1:9 --user anna", "x", 3, "unreachable"),
    ("list --url https://127.0.0.1:9 --user anna --ca-bundle none", "x", 1, "io"),
    ("--demo show none", "", 5, "not_found"),
    ("--demo messages none", "", 5, "not_found"),
    ("--demo tail none", "", 5, "not_found"),
    ("messages @none", "", 1, "io"),
]


@pytest.mark.parametrize("line", RIGHT)
def test_a_valid_command_line_ends_with_0(smscli: Smscli, line: str) -> None:
    outcome = smscli(*line.split())
    assert (outcome.code, outcome.err.startswith("error")) == (0, False), outcome.err


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage_ends_with_2_and_prints_one_error(smscli: Smscli, line: str) -> None:
    outcome = smscli(*line.split(), "--json", SMSCLI_DEMO="1")
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, outcome.out, error["kind"], error["exitCode"]) == (2, "", "usage", 2)


@pytest.mark.parametrize(("line", "password", "code", "kind"), FAILED)
def test_a_failure_keeps_its_code_and_kind(
    smscli: Smscli, line: str, password: str, code: int, kind: str
) -> None:
    outcome = smscli(*line.split(), "--json", SMSCLI_PASSWORD=password)
    told = json.loads(outcome.err.splitlines()[-1])["error"]
    assert (outcome.code, told["kind"], told["exitCode"]) == (code, kind, code)
