"""Generates `smscli/completion.json` from the command tree: `python -m tests.support.completion_table`.

A test compares the file with the tree.
"""

import json
from pathlib import Path
from typing import Any

import smscli
from smscli.model import MessageType, Role, State
from smscli.output.columns import COLUMNS, WAITING

FILE = Path(smscli.__file__).with_name("completion.json")

_CHOICES: dict[str, list[str]] = {
    "--state": list(State),
    "--type": list(MessageType),
    "--from": list(Role),
    "--sort": [*COLUMNS, WAITING.name],
    "--columns": list(COLUMNS),
    "--last": ["all"],
}


def table() -> str:
    """The whole file's text."""
    from smscli.cli import command_tree

    root = command_tree()
    everywhere = [_option(one) for one in root.params]
    helping = {"names": ["--help", "-h"], "help": "Show this message and exit.", "value": None, "many": False}
    document = {**_command(root), "options": [*everywhere, helping]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _command(command: Any) -> dict[str, object]:
    everywhere = {"profile", "url", "user", "demo", "timeout", "ca_bundle", "client_cert", "color", "debug"}
    own = [one for one in command.params if one.name not in everywhere | {"version"}]
    arguments = [one for one in own if one.param_type_name == "argument"]
    return {
        "help": command.get_short_help_str(200),
        "options": [_option(one) for one in own if one not in arguments and not one.hidden],
        "argument": _argument(arguments[0].metavar) if arguments else None,
        "many": bool(arguments) and arguments[0].metavar.endswith("..."),
        "commands": {
            name: _command(inner)
            for name, inner in getattr(command, "commands", {}).items()
            if not inner.hidden
        },
    }


def _option(option: Any) -> dict[str, object]:
    return {
        "names": option.opts,
        "help": option.help,
        "value": None if option.is_flag else _values(option.opts[0], option.metavar or ""),
        "many": option.multiple,
    }


def _values(name: str, metavar: str) -> str | list[str]:
    """The completions of an option's value: choices, `files` or `profiles`; none for a free value."""
    if name == "--profile" or metavar in ("FILE", "SOURCE"):
        return "profiles" if name == "--profile" else "files"
    return _choices(metavar) or _CHOICES.get(name, [])


def _argument(metavar: str) -> str | list[str]:
    if metavar == "NAME":
        return "profiles"
    return "ids" if "[ID]" in metavar else _choices(metavar)


def _choices(metavar: str) -> list[str]:
    """The choices that a metavar such as `auto|off` names; none for `ID|@FILE`."""
    return metavar.split("|") if "|" in metavar and metavar.islower() else []


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8", newline="\n")
