"""The layout of each command's help: its own options in groups, the global ones by name, examples."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

import smscli
from smscli.commands.options import GLOBAL
from smscli.errors import UsageError

# Less alike than this is another word. difflib's own limit lets `version` be a slip of `sessions`.
_SIMILARITY = 0.75
# What other programs call it.
_OTHER_NAMES = {
    "version": "smscli --version",
    "ls": "smscli list",
    "watch": "smscli list --watch",
    **{name: f"smscli auth {name}" for name in ("login", "logout", "status")},
}


class LeafCommand(TyperCommand):
    """A command; its help has groups of options, and examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)
        if _words(ctx)[-1:] == ["check"]:
            _write_checks(formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(ctx, formatter)


class CommandGroup(TyperGroup):
    """A group of commands; its help shows the commands first."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(_summaries(_words(ctx)))
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments begin with. UsageError if there is none of that name."""
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            raise UsageError(f"no such command {name!r}", hint=self._advice(ctx, name))
        return super().resolve_command(ctx, args)

    def _advice(self, ctx: Any, name: str) -> str:
        here = " ".join(["smscli", *_words(ctx)])
        similar = [f"{here} {one}" for one in similar_names(name, list(self.commands))]
        guesses = similar or [other for known, other in _OTHER_NAMES.items() if known == name]
        return did_you_mean(guesses) if guesses else f"see `{here} --help`"


def similar_names(typed: str, names: Sequence[str]) -> list[str]:
    """The names that differ from what was typed by a slip, the most similar first."""
    from difflib import get_close_matches

    return get_close_matches(typed, names, cutoff=_SIMILARITY)


def did_you_mean(guesses: Sequence[str]) -> str:
    return f"did you mean {' or '.join(f'`{one}`' for one in guesses)}?"


def help_width() -> int:
    """The terminal's width, 78 at most; typer's own default is never below 50."""
    return max(min(shutil.get_terminal_size().columns, 80) - 2, 20)


def _words(ctx: Any) -> list[str]:
    """The command's name in words, without `smscli`."""
    words: list[str] = []
    while ctx.parent:
        words.insert(0, ctx.info_name)
        ctx = ctx.parent
    return words


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments and options in groups; of the global options only the root has more than the names."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    everywhere: list[str] = []
    for parameter in command.get_params(ctx):
        title = _group(parameter)
        if title == GLOBAL and ctx.parent:
            everywhere.append("/".join(sorted(parameter.opts, key=len)))
        elif record := parameter.get_help_record(ctx):
            sections.setdefault(title, []).append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
    if everywhere:
        with formatter.section(f"{GLOBAL} (see `smscli --help`)"):
            formatter.write_text(", ".join(everywhere))


def _group(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    # typer makes --help itself, without a group.
    return GLOBAL if parameter.name == "help" else parameter.rich_help_panel or "Options"


def _write_checks(formatter: Any) -> None:
    """What the checks of `check` look for."""
    from smscli.transcript.findings import CHECKS

    with formatter.section("Checks"):
        formatter.write_dl([(check.name, check.help) for check in CHECKS])


def _write_examples(ctx: Any, formatter: Any) -> None:
    from smscli.commands.examples import examples

    with formatter.section("Examples"):
        for what, command in examples(" ".join(_words(ctx))):
            formatter.write_text(f"# {what}")
            # A command line is never broken: it is there to be copied.
            formatter.write(f"{'':>{formatter.current_indent}}{command}\n")


def _summaries(group: Sequence[str]) -> list[tuple[str, str]]:
    """Names and short helps of a group's commands, from the completion table: it loads no command."""
    import json

    table = json.loads(Path(smscli.__file__).with_name("completion.json").read_bytes())
    for name in group:
        table = table["commands"][name]
    return [(name, one["help"]) for name, one in table["commands"].items()]
