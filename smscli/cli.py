"""The command line as a whole: the tree of commands, the options that stand in any place, and the one edge
where an error becomes a line of text and an exit code."""

import inspect
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from smscli.commands import options
from smscli.context import AppContext
from smscli.errors import InternalError, LocalError, ReaderGone, SmscliError, UsageError
from smscli.output.terminal import Terminal
from smscli.settings.config import CliOptions
from smscli.signals import StopSignal, stop_signals_raised

_MACHINE_FLAGS = frozenset({"--json", "--jsonl"})
_READER_GONE = 141


def _write_help(command: Any, ctx: Any, formatter: Any) -> None:
    """The parameters of a command, those that every command takes apart at the end."""
    sections: dict[str, list[tuple[str, str]]] = {
        "Arguments": [],
        "Options": [],
        "Options of every command": [],
    }
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        is_argument = parameter.param_type_name == "argument"
        title = "Arguments" if is_argument else "Options"
        if record is not None:
            sections["Options of every command" if parameter.name in _EVERYWHERE else title].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class Verb(TyperCommand):
    """A command whose own options come first in its help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_help(self, ctx, formatter)


class Group(TyperGroup):
    """A group whose commands come first in its help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _write_help(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(_summaries(ctx.command_path.split()[1:]))


def _summaries(group: Sequence[str]) -> list[tuple[str, str]]:
    """What each command of a group is for, from the table of completion: to ask the commands themselves would
    load all that they are made of."""
    import json

    table = json.loads(Path(__file__).with_name("completion.json").read_bytes())
    for name in group:
        table = table["commands"][name]
    return [(name, one["help"]) for name, one in table["commands"].items()]


class Commands(Mapping[str, Any]):
    """A group's commands, each made when it is first asked for: most command lines are about one."""

    def __init__(self, made_by: Mapping[str, Callable[[], Any]]) -> None:
        self._made_by = {name: cache(make) for name, make in made_by.items()}

    def __getitem__(self, name: str) -> Any:
        return self._made_by[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._made_by)

    def __len__(self) -> int:
        return len(self._made_by)


def _show_version(wanted: bool) -> None:
    if wanted:
        from smscli import __version__

        typer.echo(f"smscli {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
]


def _everywhere(
    profile: options.ProfileOption = None,
    url: options.UrlOption = None,
    user: options.UserOption = None,
    demo: options.DemoOption = None,
    timeout: options.TimeoutOption = None,
    ca_bundle: options.CaBundleOption = None,
    client_cert: options.ClientCertOption = None,
    color: options.ColorOption = None,
    debug: options.DebugOption = None,
    version: VersionOption = False,
) -> None:
    """The options that every command and every group takes."""


_GLOBAL = inspect.signature(_everywhere).parameters
_FILTERS = tuple(inspect.signature(options.Filters).parameters.values())
_GIVEN = CliOptions._fields
_EVERYWHERE = {*_GLOBAL, "help"}


def with_globals(verb: Callable[..., None]) -> Callable[..., None]:
    """`verb(app, ...)` as typer is to see it: its own options, those of `Filters` one by one, then those that
    every command takes."""
    own = [one for one in inspect.signature(verb).parameters.values() if one.name != "app"]
    filters = next((one.name for one in own if one.annotation is options.Filters), None)
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    said = [single for one in own for single in (_FILTERS if one.name == filters else (one,))]
    seen = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (context, *said, *_GLOBAL.values())]

    @wraps(verb)
    def command(ctx: typer.Context, **values: Any) -> None:
        values.pop("version")
        ctx.obj.add_options(CliOptions(**{name: values.pop(name) for name in _GIVEN}))
        if filters:
            values[filters] = options.Filters(**{one.name: values.pop(one.name) for one in _FILTERS})
        verb(ctx.obj, **values)
        if isinstance(ctx.command, Group) and ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())

    typed: Any = command
    typed.__signature__ = inspect.Signature(seen)
    typed.__annotations__ = {one.name: one.annotation for one in seen}
    return command


def _smscli(app: AppContext) -> None:
    """See live SMS sessions on Genesys Web Services: who is in them, what is said, who is typing.

    It only looks: no session and no agent's state is ever changed.

    \b
    Try it without a server:   smscli --demo tail --all
    Sign in to a real one:     smscli auth login
    """


def _sessions(app: AppContext) -> None:
    """The same four, under their full names."""


def _auth(app: AppContext) -> None:
    """Sign in to a server, and out.

    The secret lives in the system's keyring, the rest in the config file.
    """


# Where each command's function is found: the module in `commands`, and its name there.
_READING = {
    "list": ("list", "list_"),
    "show": ("show", "show"),
    "messages": ("messages", "messages"),
    "tail": ("tail", "tail"),
}
_SIGNING = {
    "login": ("auth", "login"),
    "logout": ("auth", "logout"),
    "status": ("auth", "status"),
    "list": ("auth", "list_"),
    "use": ("auth", "use"),
}
_OTHERS = {"doctor": ("doctor", "doctor"), "demo": ("demo", "demo")}


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        **settings,
    )


def _verb(name: str, module: str, function: str) -> Any:
    app = _typer()
    verb = getattr(import_module(f"smscli.commands.{module}"), function)
    app.command(name, cls=Verb)(with_globals(verb))
    return typer.main.get_command(app)


def _verbs(places: Mapping[str, tuple[str, str]]) -> dict[str, Callable[[], Any]]:
    return {name: partial(_verb, name, *place) for name, place in places.items()}


def _help_width() -> int:
    """As wide as the terminal, up to what is easy to read; left alone, typer writes no narrower than 50."""
    return max(min(shutil.get_terminal_size().columns, 80) - 2, 20)


def _group(doc: Callable[..., None], commands: Mapping[str, Callable[[], Any]]) -> Any:
    app = _typer(
        cls=Group,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _help_width()},
    )
    app.callback()(with_globals(doc))
    group: Any = typer.main.get_command(app)
    group.commands = Commands(commands)
    return group


def tree() -> Any:
    """The whole command line, as typer sees it."""
    reading = _verbs(_READING)
    groups = {
        "sessions": partial(_group, _sessions, reading),
        "auth": partial(_group, _auth, _verbs(_SIGNING)),
    }
    return _group(_smscli, {**reading, **_verbs(_OTHERS), **groups})


def _usage(error: typer.TyperException) -> UsageError:
    """A usage error of typer's own in our words."""
    message = error.format_message().strip().rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path} --help`" if context else None
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _translated(error: Exception) -> SmscliError:
    """Any error as one of ours."""
    if isinstance(error, SmscliError):
        return error
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        return LocalError(f"{why}, {error.filename}" if error.filename else f"output can't be written: {why}")
    return InternalError(
        f"internal error: {type(error).__name__}", hint="run it again with --debug and report what it prints"
    )


def _run(app: AppContext, arguments: Sequence[str]) -> int:
    try:
        result = tree().main(list(arguments), prog_name="smscli", standalone_mode=False, obj=app)
    except SystemExit as error:
        # typer ends the process itself only where the reader of its help has gone.
        raise ReaderGone from error
    return result if isinstance(result, int) else 0


def _close(app: AppContext) -> int:
    app.close()
    return 0


def _ended(app: AppContext, step: Callable[[], int]) -> int:
    """The exit code of a step, its error told."""
    try:
        return step()
    except ReaderGone:
        return _READER_GONE
    except StopSignal as stopped:
        return stopped.exit_code
    except Exception as error:
        return app.report_error(_translated(error), error)


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str] = os.environ,
    terminal: Terminal | None = None,
) -> int:
    """Run one command line and return the exit code; every error has been told on stderr."""
    app = AppContext(environ, json_stderr=not _MACHINE_FLAGS.isdisjoint(arguments), terminal=terminal)
    try:
        with stop_signals_raised():
            code = _ended(app, lambda: _run(app, arguments))
            closed = _ended(app, lambda: _close(app))
    except StopSignal as stopped:
        return stopped.exit_code
    return code or closed
