"""Generates the man page `completions/smscli.1` from the command tree: `python -m tests.support.man_page`.

A test compares the file with the tree.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from smscli.cli import command_tree
from smscli.commands.examples import examples
from smscli.commands.options import GLOBAL
from tests.support.paths import ROOT

FILE = ROOT / "completions" / "smscli.1"

_EXIT_STATUS = (
    ("0", "Done; also an empty list, and \\fBtail\\fR when all its sessions have ended."),
    ("1", "The server answered with an error, or a file, the output or the config can't be used."),
    ("2", "Wrong usage."),
    ("3", "The server can't be reached."),
    ("4", "Nothing configured, no usable secret, sign-in refused, or not permitted."),
    ("5", "No such session."),
    ("129, 130, 143", "Hung up, interrupted with Ctrl-C, terminated."),
    ("141", "The reader of the pipe has gone."),
)
_FILES = (
    ("~/.config/smscli/config.toml", "Profiles; on Windows %APPDATA%\\smscli\\config.toml."),
    ("~/.local/state/smscli, ~/.cache/smscli", "What was detected about servers; ids for completion."),
)


def page() -> str:
    """The whole file's text."""
    return "\n".join(_lines(command_tree())) + "\n"


def _lines(root: Any) -> Iterator[str]:
    yield '.TH SMSCLI 1 "" "smscli" "User Commands"'
    yield ".SH NAME"
    yield r"smscli \- inspect live SMS sessions on Genesys Web Services, read-only"
    yield ".SH SYNOPSIS"
    yield r"\fBsmscli\fR [\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]"
    yield ".SH DESCRIPTION"
    yield from _text(root)
    yield ".SH COMMANDS"
    for name, command in _commands(root, "smscli"):
        yield from _command(name, command)
    yield ".SH GLOBAL OPTIONS"
    yield "Every command takes these, before or after its name."
    yield from _options(one for one in root.params if one.rich_help_panel == GLOBAL)
    yield ".SH EXIT STATUS"
    yield from _definitions(_EXIT_STATUS)
    yield ".SH FILES"
    yield from _definitions((name, _escaped(text)) for name, text in _FILES)
    yield ".SH EXAMPLES"
    yield from _examples("smscli")


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The commands below a group by their whole names; `sessions` has only those that are there already."""
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if name != "sessions":
            yield from _commands(command, f"{path} {name}") if hasattr(command, "commands") else ()


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = " ".join(one.metavar for one in command.params if one.param_type_name == "argument")
    yield f".SS {_escaped(f'{name} {arguments}'.strip())}"
    yield from _text(command)
    yield from _options(
        one
        for one in command.params
        if one.param_type_name == "option" and one.rich_help_panel != GLOBAL and one.name != "help"
    )
    yield from _examples(name)


def _text(command: Any) -> Iterator[str]:
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        literal = paragraph.startswith("\b\n")
        yield ".PP"
        yield from (
            [".nf", *map(_line, paragraph[2:].splitlines()), ".fi"]
            if literal
            else [_line(" ".join(paragraph.split()))]
        )


def _options(options: Any) -> Iterator[str]:
    yield from _definitions(
        (
            ", ".join(sorted(one.opts, key=len)) + (f" {one.metavar}" if one.metavar else ""),
            _escaped(one.help),
        )
        for one in options
    )


def _definitions(pairs: Any) -> Iterator[str]:
    for name, text in pairs:
        yield ".TP"
        yield rf"\fB{_escaped(name)}\fR"
        yield text


def _examples(name: str) -> Iterator[str]:
    for what, line in examples(name.removeprefix("smscli").strip()):
        yield from (".PP", _line(f"{what[0].upper()}{what[1:]}:"), ".PP", ".nf", f"    {_line(line)}", ".fi")


def _line(text: str) -> str:
    """A line of text; `words in backticks` become bold."""
    escaped = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _escaped(text))
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8", newline="\n")
