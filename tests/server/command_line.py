"""The command line of the test server: one option per switch, with the switch's name."""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tests.server.faults import KINDS
from tests.server.options import Options

_DESCRIPTION = "A fake Genesys Web Services on 127.0.0.1; users demo and sample, password demo."


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line, by default the program's own; a wrong one exits with 2."""
    return Options(**switches(arguments))


def switches(arguments: Sequence[str] | None) -> dict[str, Any]:
    """The switches that a command line sets, by name; a wrong one exits with 2."""
    parser = argparse.ArgumentParser(prog="python -m tests.server", description=_DESCRIPTION)
    parser.epilog = f"Kinds of fault: {', '.join(KINDS)}; some take a value, as in hang:2."
    hints = get_type_hints(Options)
    for option in fields(Options):
        parser.add_argument(f"--{option.name.replace('_', '-')}", **_reading(hints[option.name]))
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    for name in {"users", "tokens", "slow"} & given.keys():
        given[name] = dict(filter(None, given[name]))
    if "slow" in given:
        given["slow"] = {session: float(seconds) for session, seconds in given["slow"].items()}
    unknown = {kind.partition(":")[0] for kind in given.get("fault", ())} - KINDS.keys()
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    try:
        Options(**given)
    except ValueError as error:
        parser.error(str(error))
    return given


def _reading(hint: Any) -> dict[str, Any]:
    """How argparse reads an option of this type."""
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction, "default": None}
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return {"type": type(choices[0]), "choices": choices}
    if get_origin(hint) is tuple:
        return {"type": _names, "metavar": "A,B"}
    if get_origin(hint) is dict:
        return {"type": _pair, "action": "append", "metavar": "NAME:VALUE"}
    return {"type": hint}


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _pair(text: str) -> tuple[str, str] | None:
    """The name and value, None for an empty text, with which a switch can be emptied."""
    if not text:
        return None
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:VALUE")
    return name, value
