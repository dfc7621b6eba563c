"""What the README shows to be typed: its lines, its scripts, its configuration."""

import os
import re
import sys
from pathlib import Path

from tests.support.paths import README


def blocks(kind: str) -> list[str]:
    """The blocks of one kind, such as `sh` or `console`."""
    text = README.read_text(encoding="utf-8")
    return re.findall(f"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def lines() -> list[str]:
    """The lines of its `sh` blocks, and those behind a `$` of its `console` blocks."""
    typed = [line for block in blocks("sh") if not _is_script(block) for line in block.splitlines() if line]
    typed += [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    return typed


def scripts() -> list[str]:
    """Its `sh` blocks that are a program as a whole."""
    return [block for block in blocks("sh") if _is_script(block)]


def the(found: list[str], words: str) -> str:
    """The only one of these in which the words stand."""
    (one,) = [text for text in found if words in text]
    return one


def search_path(folder: Path) -> str:
    """A search path on which `smscli` is this checkout's; `folder` takes the program."""
    program = folder / "bin" / "smscli"
    program.parent.mkdir()
    source = README.parent
    program.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m smscli "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def _is_script(block: str) -> bool:
    return block.startswith("#!")
