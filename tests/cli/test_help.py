"""Help: of each command, its groups and examples, and the man page made from the same source."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smscli.commands.examples import EXAMPLES
from smscli.model import MessageType, Role, State
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support import man_page
from tests.support.command import Smscli
from tests.support.paths import PACKAGE

COMPLETION_HELP = """\
Usage: smscli completion [OPTIONS] {bash|zsh|fish|powershell}

  Print the completion script of a shell.

  bash        source <(smscli completion bash)        in ~/.bashrc
  zsh         smscli completion zsh > FOLDER/_smscli  FOLDER is in $fpath
  fish        smscli completion fish > ~/.config/fish/completions/smscli.fish
  powershell  smscli completion powershell | Out-String | Invoke-Expression
                                                      in $PROFILE

Arguments:
  bash|zsh|fish|powershell  The shell that is to complete smscli.  [required]

Global options (see `smscli --help`):
  -p/--profile, --url, --user, --demo, --timeout, --ca-bundle, --client-cert,
  --color, --debug, --version, -h/--help

Examples:
  # complete commands and ids in bash
  source <(smscli completion bash)
"""
# Read nothing that the demo has, or never end.
NOT_RUN = {"demo", "completion", "tail", "auth", "auth login", "auth logout", "auth use"}


def _commands(table: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in table["commands"].items():
        yield from _commands(inner, (*path, name))


COMMANDS = sorted(_commands(json.loads((PACKAGE / "completion.json").read_bytes())))


@pytest.fixture
def printed(smscli: Smscli, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> str:
        assert smscli(*arguments).code == 0
        return capsys.readouterr().out

    return run


def test_a_help_has_arguments_groups_and_examples(printed: Any) -> None:
    assert printed("completion", "--help") == COMPLETION_HELP


def test_options_stand_in_groups_the_global_ones_by_name(printed: Any) -> None:
    titles = [line for line in printed("tail", "--help").splitlines() if line.endswith(":")]
    assert titles == [
        "Arguments:",
        "Options:",
        "Follow options:",
        "Output options:",
        "Filter options:",
        "Global options (see `smscli --help`):",
        "Examples:",
    ]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_of_a_command_is_its_own_page(printed: Any, path: tuple[str, ...]) -> None:
    page = printed("help", *path)
    assert page.startswith(" ".join(["Usage: smscli", *path, "[OPTIONS]"]))
    assert page == printed(*path, "--help")
    assert "\nExamples:\n  # " in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["version"], "no such command 'version'\nhint: did you mean `smscli --version`?"),
        (["login"], "no such command 'login'\nhint: did you mean `smscli auth login`?"),
        (["auth", "logn"], "no such command 'logn'\nhint: did you mean `smscli auth login`?"),
        (["help", "mesages"], "no such command 'mesages'\nhint: did you mean `smscli messages`?"),
        (["help", "list", "extra"], "`list` has no command 'extra'"),
        (["help", "auth", "use", "x"], "`auth use` has no command 'x'"),
        (["frobnicate"], "no such command 'frobnicate'\nhint: see `smscli --help`"),
        (["list", "--state-of-mind"], "no such option: --state-of-mind\nhint: see `smscli list --help`"),
        (["list", "--timeout", "abc"], "--timeout takes a number of seconds, not 'abc'"),
        (["tail", "--all", "--interval", "2s"], "--interval takes a number of seconds, not '2s'"),
        (["messages", "x", "--count", "1.5"], "--count takes a whole number, not '1.5'"),
        (["messages", "x", "--start-index", ""], "--start-index takes a whole number, not ''"),
        (["tail", "x", "--grep", "a", "--context", "b"], "--context takes a whole number, not 'b'"),
        (["demo", "--port", "70000"], "--port takes a port number from 0 to 65535, not '70000'"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(smscli: Smscli, arguments: list[str], told: str) -> None:
    outcome = smscli(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"error: {told}\n")


@pytest.mark.parametrize("command", sorted(EXAMPLES.keys() - NOT_RUN))
def test_the_examples_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smscli: Smscli
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sms.jsonl", "sms-2026-11-25.jsonl"):
        Path(name).write_text('{"sessionId": "S", "index": 1, "type": "Text", "text": "hi"}\n')
    with FakeServer(Options(scene="empty")) as server:
        for name in ("Mika", "Toni"):
            server.store.add_session(f"{name}0001", customer=name)
        for _, line in EXAMPLES[command]:
            words = shlex.split(line.partition(" | ")[0])
            if "--watch" in words or "nats://" in line or words[1:3] == ["auth", "login"] or "tail" in words:
                continue
            outcome = smscli(*words[1:], server=server, tty=True, NO_COLOR="1")
            assert (outcome.code, "error" in outcome.err) == (0, False), line
            Path("mika.html").unlink(missing_ok=True)


def test_the_choices_are_those_of_the_model(printed: Any) -> None:
    page = " ".join(printed("list", "--help").split() + printed("messages", "--help").split())
    for kind in (State, MessageType, Role):
        assert f"({', '.join(kind)}); repeatable." in page


def test_the_man_page_is_that_of_the_command_tree() -> None:
    assert man_page.FILE.read_text(encoding="utf-8") == man_page.page()


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_has_no_mistake_that_groff_finds() -> None:
    done = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8", str(man_page.FILE)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "who waits longest" in done.stdout.lower()
