"""The command line as a whole: options in any place, help, exit codes, errors in one line."""

import json
import subprocess
import sys

import pytest

from smscli import __version__
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli
from tests.support.on_terminal import OnTerminal

pytestmark = pytest.mark.usefixtures("quick_retries")

LISTED = "0000Na9B26EF002G"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--demo", "--user", "sample", "list"],
        ["list", "--demo", "--user", "sample"],
        ["sessions", "--demo", "list", "--user", "sample"],
        ["--demo", "sessions", "--user", "sample", "list"],
        ["--user", "nobody", "sessions", "--user", "demo", "list", "--demo", "--user", "sample"],
    ],
)
def test_an_option_of_every_command_stands_in_any_place(smscli: Smscli, arguments: list[str]) -> None:
    outcome = smscli(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{LISTED}\tChatting\tPersonP\tAgent1\t\n", "")


def test_the_documents_sample_is_the_sample_users_alone(smscli: Smscli) -> None:
    assert LISTED not in smscli("--demo", "list").out


def test_the_demos_ids_are_the_same_at_each_start(smscli: Smscli) -> None:
    first = [line.split("\t")[0] for line in smscli("--demo", "list").out.splitlines()]
    again = [line.split("\t")[0] for line in smscli("--demo", "list").out.splitlines()]
    assert first == again
    assert len(first) >= 4
    assert smscli("--demo", "show", first[0], "--json").code == 0


@pytest.mark.parametrize("arguments", [["--version"], ["list", "--version"]])
def test_the_version_is_told_anywhere(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smscli", *arguments], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"smscli {__version__}\n", "")


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str], smscli: Smscli) -> None:
    assert smscli().code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Usage: smscli [OPTIONS] COMMAND [ARGS]...\n")
    assert smscli("-h").code == 0
    assert capsys.readouterr().out == printed


LOGIN = ["auth", "login", "--url", "http://127.0.0.1:9", "--user", "maja"]
AT_SIGN = """\
error: --url: a user name or password in the URL is not allowed
hint: give the user with --user; smscli auth login asks for the password
"""
TYPO = """\
error: no such option: --jsn
hint: did you mean `--json` or `--jsonl`?
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["lst"], "error: no such command 'lst'\nhint: did you mean `smscli list`?\n"),
        (["list", "--jsn"], TYPO),
        (["show"], "error: show takes a session\nhint: `smscli list` shows the ids\n"),
        (
            ["list", "--timeout", "0"],
            "error: --timeout must be a positive number of seconds, at most 86400\n",
        ),
        (["list", "--color", "red"], "error: --color takes auto, always or never, not 'red'\n"),
        (["list", "--url", "http://a:b@c"], AT_SIGN),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(smscli: Smscli, arguments: list[str], told: str) -> None:
    outcome = smscli(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", told)


def test_wrong_usage_with_json_is_an_object(smscli: Smscli) -> None:
    outcome = smscli("list", "--json", "--url")
    error = {
        "kind": "usage",
        "exitCode": 2,
        "message": "option '--url' requires an argument",
        "hint": None,
        "httpStatus": None,
        "statusCode": None,
    }
    assert (outcome.code, outcome.out, json.loads(outcome.err)) == (2, "", {"error": error})


def test_nothing_configured_names_the_way_in(smscli: Smscli) -> None:
    hint = "hint: sign in with `smscli auth login`, or try `smscli --demo list`"
    told = f"error: no server is configured\n{hint}\n"
    outcome = smscli("list")
    assert (outcome.code, outcome.out, outcome.err) == (4, "", told)


def test_a_refused_secret_is_exit_4(smscli: Smscli, empty_server: FakeServer) -> None:
    outcome = smscli("list", "--json", server=empty_server, SMSCLI_PASSWORD="wrong")
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, error["kind"], error["httpStatus"], error["statusCode"]) == (4, "auth", 401, 20)


def test_a_refusal_with_http_200_is_exit_4_too(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty", refuse="200")) as server:
        outcome = smscli("list", "--json", server=server, SMSCLI_PASSWORD="wrong")
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, error["kind"], error["httpStatus"], error["statusCode"]) == (4, "auth", 200, 20)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("500", "server", 1),
        ("html", "wire", 1),
        ("empty", "wire", 1),
        ("truncated-json", "wire", 1),
        ("wrong-json", "wire", 1),
        ("deep", "wire", 1),
        ("redirect", "server", 1),
        ("503:60", "server", 1),
        ("403", "auth", 4),
        ("cut", "unreachable", 3),
        ("reset", "unreachable", 3),
    ],
)
def test_a_fault_of_the_server_is_one_line(
    smscli: Smscli, empty_server: FakeServer, fault: str, kind: str, code: int
) -> None:
    empty_server.fail_next(fault, times=9)
    outcome = smscli("list", "--json", server=empty_server)
    assert len(outcome.err.splitlines()) == 1
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, error["kind"], error["exitCode"]) == (code, kind, code)
    assert outcome.out == ""


def test_a_server_that_is_not_there_is_exit_3(smscli: Smscli) -> None:
    outcome = smscli("list", SMSCLI_URL="http://127.0.0.1:9", SMSCLI_USERNAME="a", SMSCLI_PASSWORD="b")
    assert (outcome.code, outcome.out, outcome.err) == (
        3,
        "",
        (
            "error: 127.0.0.1:9 refuses the connection\n"
            "hint: is the URL right, and is the server up? some are reached through a VPN only\n"
        ),
    )


def test_debug_names_requests_and_no_secret(smscli: Smscli, empty_server: FakeServer) -> None:
    outcome = smscli("list", "--debug", server=empty_server, SMSCLI_USERNAME="demo")
    first = outcome.err.splitlines()[0].split()
    assert first[:4] == ["debug:", "GET", "/api/v2/me/smsessions", "fields=*"]
    assert "Basic" not in outcome.err


@pytest.mark.slow
def test_a_full_disk_is_told(empty_server: FakeServer, home: dict[str, str]) -> None:
    signed_in = {"SMSCLI_URL": empty_server.url, "SMSCLI_USERNAME": "sample", "SMSCLI_PASSWORD": "demo"}
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "smscli", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**home, **signed_in},
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, "error: output can't be written: No space left on device\n")


def test_help_is_no_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from smscli.cli import run

    for columns in (40, 60, 80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert run(["list", "--help"]) == 0
        page, _, commands = capfd.readouterr().out.partition("\nExamples:\n")
        assert "  smscli list --activity --sort -waiting\n" in commands
        lines = page.splitlines()
        assert max(map(len, lines)) <= min(columns, 80)
        assert "A server shows the sessions of the" in " ".join(" ".join(lines).split())


def test_what_goes_wrong_with_others_is_told_without_a_traceback(
    smscli: Smscli, empty_server: FakeServer
) -> None:
    empty_server.fail_next("wrong-json")
    outcome = smscli("list", "--debug", server=empty_server)
    assert [line.split()[0] for line in outcome.err.splitlines()] == ["debug:", "error:"]


def test_settings_that_cannot_be_found_out_are_an_error_like_any_other(
    smscli: Smscli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--debug` is looked for in the settings while an error is told, which may be theirs."""

    def broken(*_: object, **__: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr("smscli.context.resolve", broken)
    outcome = smscli("list", "--json")
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, error["kind"], error["message"]) == (1, "internal", "internal error: ValueError")


def test_a_card_longer_than_the_screen_ends_with_its_beginning(home: dict[str, str]) -> None:
    environ = {**home, "SMSCLI_DEMO": "1"}
    beginning = [
        f"session {LISTED}, times are UTC",
        "  state         Chatting",
        "  customer      PersonP",
        "  agents        Agent1",
    ]
    for lines, times in ((24, 2), (60, 1)):
        with OnTerminal("--user", "sample", "show", LISTED, "--utc", environ=environ, lines=lines) as seen:
            assert seen.ended() == 0
            shown = [*seen.scrolled, *seen.screen]
        starts = [place for place, line in enumerate(shown) if line.startswith("session 0")]
        assert [shown[one : one + 4] for one in starts] == [beginning] * times


def test_json_stays_json_on_a_terminal_of_another_encoding(home: dict[str, str]) -> None:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session("S1", customer="Zoë 🙂", agents=())
        signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
        environ = {**home, **signed_in, "LC_ALL": "C"}
        with OnTerminal("list", "--json", environ=environ, columns=2000) as seen:
            assert seen.ended() == 0
            (listed,) = json.loads("".join(seen.screen))
    assert r"Zo\u00eb \ud83d\ude42" in "".join(seen.screen)
    assert [one["nickname"] for one in listed["participants"]] == ["Zoë 🙂"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["messages", "-"], 1, "error: standard input can't be read: it is closed\n"),
        (LOGIN, 2, "error: auth login needs --password-stdin without a terminal to prompt on\n"),
        ([*LOGIN, "--password-stdin"], 1, "error: standard input can't be read: it is closed\n"),
    ],
)
def test_a_closed_standard_input_is_one_line(
    smscli: Smscli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, told: str
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    outcome = smscli(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (code, "", told)


def test_a_hint_in_the_demo_leads_to_the_demo(smscli: Smscli) -> None:
    outcome = smscli("--demo", "show", "nobody")
    assert outcome.code == 5
    told = "hint: `smscli --demo list` shows the live sessions of demo"
    assert outcome.err.startswith(f"error: no such session: nobody\n{told}: 0000Na9C009E6UOL (Toni), ")
