"""The completion scripts in the shells they are for: what TAB offers and types, and that nothing of it runs.

Two programs stand behind TAB here: smscli itself at a server whose people try to run something, and one that
prints such text unreduced, to see that the scripts would not run it either.
"""

import os
import shlex
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import COMPLETE
from tests.support.on_terminal import OnTerminal
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

SCRIPTS = ROOT / "completions"
COLUMNS, LINES = 120, 30

FIRST, SECOND, LAST = "0000Na9B26EF0001", "0000Na9B26EF0002", "0000Nb.+_@-"
EVIL = (
    "$(touch ran)", "`touch ran`", "';touch ran;'", '";touch ran;"', "a:b:(touch ran)", "$(touch\nran)",
    "${(e):-$(touch ran)}", "\\$(touch ran)", "%$(touch ran)", "(touch ran)", "{$(touch ran)}",
    "&touch ran&", "*", "~root", "|touch ran", ">ran",
)  # fmt: skip


class Shell(OnTerminal):
    """An interactive shell on a pseudo-terminal, its prompt `ready> `; `listing` are the keys that list what
    there is where nothing can be typed."""

    def __init__(self, *command: str, environ: Mapping[str, str], folder: Path) -> None:
        super().__init__(environ=environ, columns=COLUMNS, lines=LINES, program=command, folder=folder)
        self.listing = "\t\t" if command[0] == "bash" else "\t"
        self.until("ready>")

    def line(self, typed: str, becomes: str) -> None:
        """Type, and look until the line at the prompt has become so."""
        self.press(typed)
        end = time.monotonic() + 20
        while self.typed != becomes:
            assert time.monotonic() < end and self.look(), "\n".join(self.screen)

    @property
    def typed(self) -> str:
        """What stands at the last prompt."""
        prompts = [line for line in self.screen if line.startswith("ready>")]
        return prompts[-1].removeprefix("ready>").strip() if prompts else ""


def shell_or_skip(name: str) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    return name


class Desk:
    """A user's machine: a home, a folder to work in, and `smscli` on the path."""

    def __init__(self, folder: Path, server: FakeServer) -> None:
        self.folder, self._bin = folder / "work", folder / "bin"
        self.folder.mkdir()
        self._bin.mkdir()
        self.install(f'exec {shlex.join(COMPLETE[:-1])} "$@"')
        self.environ = {
            "HOME": str(folder),
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "SMSCLI_URL": server.url,
            "SMSCLI_USERNAME": "demo",
            "SMSCLI_PASSWORD": "demo",
        }

    def install(self, line: str) -> None:
        program = self._bin / "smscli"
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)

    def install_a_hostile_one(self) -> None:
        """A program that prints text unreduced, as no smscli does."""
        lines = self._bin / "lines"
        texts = [one.replace("\n", " ") for one in EVIL]
        lines.write_text("".join(f"x{text}\t{text}\n{text}\t{text}\n" for text in texts))
        self.install(f"cat {shlex.quote(str(lines))}")

    def bash(self) -> Shell:
        rc = self.folder.parent / "bashrc"
        rc.write_text(f"PS1='ready> '\nsource {shlex.quote(str(SCRIPTS / 'smscli.bash'))}\n")
        command = [shell_or_skip("bash"), "--noprofile", "--rcfile", str(rc), "-i"]
        return Shell(*command, environ=self.environ, folder=self.folder)

    def zsh(self) -> Shell:
        name = shell_or_skip("zsh")
        rc = self.folder.parent / ".zshrc"
        rc.write_text(
            f"PS1='ready> '\nunsetopt promptsp\nfpath=({shlex.quote(str(SCRIPTS))} $fpath)\n"
            "autoload -Uz compinit\ncompinit -u -D\n"
        )
        return Shell(name, "-d", "-i", environ=self.environ, folder=self.folder)

    def fish(self, line: str) -> list[str]:
        """What fish would offer for a line."""
        script = f"source {shlex.quote(str(SCRIPTS / 'smscli.fish'))}; complete -C $argv[1]"
        command = [shell_or_skip("fish"), "--no-config", "-c", script, line]
        done = subprocess.run(
            command, env=self.environ, cwd=self.folder, capture_output=True, timeout=60, check=True
        )
        assert done.stderr == b""
        return done.stdout.decode().splitlines()

    @property
    def untouched(self) -> bool:
        """Whether nothing that was printed has run."""
        return list(self.folder.iterdir()) == []


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(FIRST, customer="Mika", agents=())
        server.store.add_session(SECOND, state="$(touch ran)", customer="".join(EVIL), agents=())
        server.store.add_session(LAST, state="Invited", customer="`touch ran`", agents=())
        for evil in EVIL:
            server.store.add_session(evil, customer=evil, agents=())
        yield Desk(tmp_path, server)


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Shell]:
    opened: Callable[[], Shell] = getattr(desk, request.param)
    with opened() as shell:
        yield shell


@pytest.mark.system
def test_tab_types_commands_options_and_choices(shell: Shell) -> None:
    shell.line("smscli mes\t", "smscli messages")
    shell.line("--typi\t", "smscli messages --typing")
    shell.line("sh\t", "smscli messages --typing show")
    shell.line("--color=al\t", "smscli messages --typing show --color=always")


@pytest.mark.system
def test_tab_types_an_id_and_lists_several_with_state_and_customer(shell: Shell, desk: Desk) -> None:
    shell.line("smscli show \t", "smscli show 0000N")
    shell.line("a\t", "smscli show 0000Na9B26EF000")
    shell.press(shell.listing)
    shell.until("Chatting Mika")
    shell.until("touch ran touch ran touch ran")
    assert shell.typed == "smscli show 0000Na9B26EF000"
    shell.line("1\t", f"smscli show {FIRST}")
    assert desk.untouched


@pytest.mark.system
def test_an_id_with_every_sign_there_may_be_is_typed_whole(shell: Shell) -> None:
    shell.line("smscli tail 0000Nb\t", f"smscli tail {LAST}")


@pytest.mark.system
def test_an_id_is_finished_behind_an_at_sign(shell: Shell) -> None:
    shell.line("smscli tail 0000Nb.+_@\t", f"smscli tail {LAST}")


@pytest.mark.system
def test_a_profile_with_a_blank_is_one_word(shell: Shell, desk: Desk) -> None:
    folder = Path(desk.environ["HOME"], ".config", "smscli")
    folder.mkdir(parents=True)
    folder.joinpath("config.toml").write_text('[profiles."my lab"]\nurl = "http://lab.example"\n')

    shell.line("smscli auth use my\t", "smscli auth use my\\ lab")


@pytest.mark.system
def test_file_names_are_the_shells_own(shell: Shell, desk: Desk) -> None:
    desk.folder.joinpath("a file.jsonl").touch()

    shell.line("smscli tail --record a\t", "smscli tail --record a\\ file.jsonl")


@pytest.mark.system
def test_tab_is_silent_where_the_server_is_away(desk: Desk, shell: Shell) -> None:
    desk.install("echo error >&2; exit 3")

    shell.line("smscli show x\t\t", "smscli show x")
    shell.line("y", "smscli show xy")
    assert [line for line in shell.screen if line] == ["ready> smscli show xy"]


@pytest.mark.system
def test_what_a_program_prints_is_never_run(desk: Desk, shell: Shell) -> None:
    desk.install_a_hostile_one()

    shell.press("smscli show \t\t\t")
    shell.until("touch ran")
    shell.press("\x15smscli show x\t\t\t")
    shell.until("xa:b")
    shell.press("\x15echo all is w'e'll\r")
    shell.until("all is well")
    assert desk.untouched


@pytest.mark.system
def test_what_is_typed_is_never_run(desk: Desk, shell: Shell) -> None:
    shell.press("smscli --user '$(touch ran)' --profile \"$(touch ran)\" --url `touch ran` show \t\t")
    shell.press("\x15echo all is w'e'll\r")
    shell.until("all is well")
    assert desk.untouched


@pytest.mark.system
def test_fish_offers_commands_choices_and_ids(desk: Desk) -> None:
    assert desk.fish("smscli mes") == ["messages\tRead the messages of one session"]
    assert desk.fish("smscli tail --push=o") == ["--push=off"]
    assert desk.fish("smscli show 0000N") == [
        f"{FIRST}\tChatting Mika",
        f"{SECOND}\ttouch ran touch ran touch ran touch ran touch ran a b touch",
        f"{LAST}\tInvited touch ran",
    ]
    assert desk.fish("smscli --user '$(touch ran)' --url (touch ran) --profile \"$(touch ran)\" show ") == []
    assert desk.untouched


@pytest.mark.system
def test_fish_offers_its_own_file_names(desk: Desk) -> None:
    desk.folder.joinpath("a.jsonl").touch()

    assert desk.fish("smscli tail --record a") == ["a.jsonl"]
    assert desk.fish("smscli tail --record=a") == ["--record=a.jsonl"]


@pytest.mark.system
def test_fish_runs_nothing_of_what_a_program_prints(desk: Desk) -> None:
    desk.install_a_hostile_one()

    assert "x$(touch ran)\t$(touch ran)" in desk.fish("smscli show x")
    assert desk.untouched


@pytest.mark.system
def test_fish_is_silent_where_the_server_is_away(desk: Desk) -> None:
    desk.install("echo error >&2; exit 3")

    assert desk.fish("smscli show ") == []


def test_the_wheel_brings_each_script_where_its_shell_looks() -> None:
    with ROOT.joinpath("pyproject.toml").open("rb") as file:
        shared = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]

    assert shared == {
        "completions/smscli.bash": "share/bash-completion/completions/smscli",
        "completions/_smscli": "share/zsh/site-functions/_smscli",
        "completions/smscli.fish": "share/fish/vendor_completions.d/smscli.fish",
        "completions/smscli.ps1": "share/smscli/smscli.ps1",
        "completions/smscli.1": "share/man/man1/smscli.1",
    }
    assert {f"completions/{path.name}" for path in SCRIPTS.iterdir()} == set(shared)
