"""What a command loads before it does anything: ours and third parties' by name, and of the standard library
nothing beyond what these bring with them. A newcomer fails here, and has to be worth what it costs."""

import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer

_TOLD = "loaded: "
_PROGRAM = f"""
import sys
sys.argv = ["smscli", *sys.argv[1:]]
from smscli.__main__ import main
try:
    main()
except SystemExit:
    pass
print({_TOLD!r} + " ".join(sorted(sys.modules)), file=sys.stderr)
"""
_NOTHING = f"import sys; print({_TOLD!r} + ' '.join(sorted(sys.modules)), file=sys.stderr)"

VERSION = {"smscli", "smscli.__main__"}
COMPLETION = {
    "smscli", "smscli.__main__", "smscli.completion", "smscli.output", "smscli.output.console",
}  # fmt: skip
HELP = {
    "smscli", "smscli.__main__", "smscli.cli", "smscli.settings.config", "smscli.context", "smscli.errors",
    "smscli.commands", "smscli.commands.options", "smscli.output", "smscli.output.console",
    "smscli.output.writer", "smscli.settings", "smscli.settings.auth_schemes",
    "smscli.settings.profiles",
    "smscli.settings.files", "smscli.signals", "smscli.settings.urls",
    "smscli.output.terminal", "smscli.sanitize", "smscli.commands.help", "smscli.commands.examples",
}  # fmt: skip
LIST_HELP = HELP | {
    "smscli.commands.list", "smscli.commands.notices", "smscli.commands.sources",
    "smscli.commands.profiles",
    "smscli.commands.option_values",
    "smscli.output.formats", "smscli.output.view",
    "smscli.output.columns", "smscli.output.export", "smscli.model", "smscli.records",
}  # fmt: skip
LIST_JSON = LIST_HELP - {"smscli.commands.examples"} | {
    "smscli.gws", "smscli.gws.client", "smscli.gws.deadlines", "smscli.gws.decode", "smscli.gws.http",
    "smscli.gws.http_auth", "smscli.gws.json_body",
    "smscli.gws.network_errors", "smscli.gws.proxy", "smscli.gws.responses", "smscli.gws.tls",
    "smscli.paging", "smscli.settings.credentials", "smscli.settings.server_cache",
}  # fmt: skip
"""With the secret from the environment and no config file."""

# Standard library that ours need beside what typer and requests load, and why.
BESIDE = {
    "encodings.utf_8_sig",  # a config file, and an answer, may begin with a byte order mark
    "shlex",  # a password command in a hint
    "dataclasses",  # the records whose repr hides a secret, or whose equality leaves a field out
    "gc",  # asked less often
    "termios",  # how much room a pipe has
    "typer._click.decorators",  # typer's own, for a group
}
# Of Python itself, which loads them with pathlib.
_OF_PATHLIB = {"urllib", "urllib.parse", "ipaddress"} if sys.version_info >= (3, 13) else set()
# The same of a help, which is made of what is there already.
HELP_BESIDE = {
    *_OF_PATHLIB,
    "dataclasses",  # the records of the commands
    "gc",  # asked less often
    "typer._click._textwrap",  # typer's own, for a help
    "typer._click.decorators",  # typer's own, for a group
}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty")) as server:
        yield server


def loaded(program: str, *arguments: str, **environ: str) -> set[str]:
    """The modules that a process has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    line = next(line for line in done.stderr.splitlines() if line.startswith(_TOLD))
    return set(line.removeprefix(_TOLD).split())


def ours(modules: set[str]) -> set[str]:
    return {one for one in modules if one.split(".")[0] == "smscli"}


def of_others(modules: set[str]) -> set[str]:
    return modules - ours(modules)


def newcomers(arguments: Sequence[str], beside: str, **environ: str) -> set[str]:
    """What a command line loads of others' beyond `beside`, a program."""
    return of_others(loaded(_PROGRAM, *arguments, **environ)) - loaded(f"{beside}\n{_NOTHING}")


def test_the_version_loads_next_to_nothing() -> None:
    assert ours(loaded(_PROGRAM, "--version")) == VERSION
    assert newcomers(["--version"], "import contextlib, signal, threading, typing") == set()


def test_completing_a_command_loads_no_command() -> None:
    words = ["__complete", "lis"]
    assert ours(loaded(_PROGRAM, *words)) == COMPLETION
    assert (
        newcomers(words, "import contextlib, dataclasses, signal, threading, typing, json, pathlib") == set()
    )


def test_the_help_of_a_command_loads_its_module_and_nothing_to_run_it_with() -> None:
    assert ours(loaded(_PROGRAM, "list", "--help")) == LIST_HELP
    # The module writes JSON.
    assert newcomers(["list", "--help"], "import typer, json") <= HELP_BESIDE


def test_the_help_of_all_commands_loads_none_of_them() -> None:
    assert ours(loaded(_PROGRAM, "--help")) == HELP
    # What each command is for stands in a JSON file.
    assert newcomers(["--help"], "import typer, json") <= HELP_BESIDE


@pytest.mark.slow
def test_a_list_loads_what_it_needs(server: FakeServer) -> None:
    environ = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    assert ours(loaded(_PROGRAM, "list", "--json", **environ)) == LIST_JSON
    assert newcomers(["list", "--json"], "import typer, requests", **environ) <= BESIDE


def test_the_check_sees_a_newcomer() -> None:
    assert newcomers(["--version"], "pass") >= {"signal"}
    assert "decimal" in loaded(f"import decimal\n{_NOTHING}")
