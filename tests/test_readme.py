"""Every command line that the README shows, run as a reader would paste it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
# These two make an environment of their own: CI runs them in a clean clone.
_ENVIRONMENT = "python3 -m venv"


def shown() -> list[str]:
    """The lines of its `sh` blocks, and those behind a `$` of its `console` blocks."""
    text = README.read_text(encoding="utf-8")
    scripts = re.findall("^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    consoles = re.findall("^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    typed = [line for block in scripts for line in block.splitlines() if line]
    return typed + [line[2:] for block in consoles for line in block.splitlines() if line.startswith("$ ")]


ON_THE_DEMO = [line for line in shown() if "--demo" in line and _ENVIRONMENT not in line]
ELSEWHERE = [line for line in shown() if "--demo" not in line and _ENVIRONMENT not in line]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path on which `smscli` is this checkout's."""
    program = tmp_path / "bin" / "smscli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m smscli "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.system
@pytest.mark.parametrize("line", ON_THE_DEMO)
def test_a_recipe_works_as_pasted(line: str, path: str, home: dict[str, str]) -> None:
    if "jq" in line and shutil.which("jq") is None:
        pytest.skip("needs jq")
    environ = {**home, "PATH": path, "PYTHONPATH": str(README.parent)}
    endless = re.search(r"\btail\b", line) is not None
    command = (
        ["timeout", "--signal=INT", "5", "bash", "-c", f"exec {line}"] if endless else ["bash", "-c", line]
    )
    done = subprocess.run(
        command, env=environ, cwd=home["HOME"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "error:" in done.stderr) == (124 if endless else 0, False), done.stderr
    assert done.stdout or " > " in line, "a recipe shows something"


def test_the_other_lines_are_signing_in_or_need_a_real_server() -> None:
    assert all(re.match(r"smscli (auth|--profile default list)", line) for line in ELSEWHERE)
    assert len(ON_THE_DEMO) >= 10
