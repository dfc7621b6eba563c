"""The command tree, the global options, and the translation of errors into exit codes."""

import inspect
import os
from collections import UserDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, wraps
from importlib import import_module
from typing import Annotated, Any

import typer

from smscli.commands import options
from smscli.commands.help import CommandGroup, LeafCommand, did_you_mean, help_width, similar_names
from smscli.context import AppContext
from smscli.errors import LocalError, ReaderGone, SmscliError, UsageError
from smscli.output.console import is_reader_gone
from smscli.output.terminal import Terminal
from smscli.settings.config import CliOptions
from smscli.signals import StopSignal, stop_signals_raised

_JSON_FLAGS = frozenset({"--json", "--jsonl"})
_READER_GONE = 141


class LazyCommands(UserDict[str, Any]):
    """A group's commands by name, made from functions that import each on first access."""

    def __getitem__(self, name: str) -> Any:
        return self.data[name]()


def _show_version(requested: bool) -> None:
    if requested:
        from smscli import __version__

        typer.echo(f"smscli {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option(
        "--version",
        is_eager=True,
        callback=_show_version,
        help="Show the version and exit.",
        rich_help_panel=options.GLOBAL,
    ),
]


def _global_options(
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
    """The options that every command and every group takes, before or after its name."""


_GLOBAL = inspect.signature(_global_options).parameters
_FILTERS = tuple(inspect.signature(options.Filters).parameters.values())


def with_global_options(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """`function(app, ...)` with the signature that typer reads: its own options, `Filters` expanded, then the
    global options. It returns an exit code; None is 0."""
    own = [one for one in inspect.signature(function).parameters.values() if one.name != "app"]
    filters = next((one.name for one in own if one.annotation is options.Filters), None)
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    expanded = [single for one in own for single in (_FILTERS if one.name == filters else (one,))]
    parameters = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (context, *expanded, *_GLOBAL.values())
    ]

    @wraps(function)
    def command(ctx: typer.Context, **values: Any) -> int | None:
        values.pop("version")
        ctx.obj.add_options(CliOptions(**{name: values.pop(name) for name in CliOptions._fields}))
        if filters:
            values[filters] = options.Filters(**{one.name: values.pop(one.name) for one in _FILTERS})
        code = function(ctx.obj, **values)
        if isinstance(ctx.command, CommandGroup) and ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())
        return code

    typed: Any = command
    typed.__signature__ = inspect.Signature(parameters)
    typed.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _smscli(app: AppContext) -> None:
    """Inspect live SMS sessions on Genesys Web Services: participants, messages, typing.

    Read-only: no session and no agent's state is ever changed. Sign in with `smscli auth login`, or set
    SMSCLI_PASSWORD, SMSCLI_TOKEN or SMSCLI_COOKIE. Options override the environment variables [in brackets].
    """


def _sessions(app: AppContext) -> None:
    """The same as `smscli list`, `show`, `messages`, `tail` and `check`."""


def _auth(app: AppContext) -> None:
    """Sign in to a server, sign out, manage profiles.

    Secrets are stored in the system's keyring, everything else in the config file.
    """


def _help(app: AppContext, commands: options.CommandsArgument = None) -> None:
    """Show the help of a command."""
    words, command = [*(commands or ())], command_tree()
    for place, word in enumerate(words):
        inner = getattr(command, "commands", None)
        if inner is None:
            raise UsageError(f"`{' '.join(words[:place])}` has no command {word!r}")
        # The group itself reports a name that it doesn't have.
        command = inner.get(word)
    _main(app, [*words, "--help"])


# Module in `commands` and function of each command.
_READ_COMMANDS = {
    "list": ("list", "list_"),
    "show": ("show", "show"),
    "messages": ("messages", "messages"),
    "tail": ("tail", "tail"),
    "check": ("check", "check"),
}
_AUTH_COMMANDS = {
    "login": ("login", "login"),
    "logout": ("auth", "logout"),
    "status": ("auth", "status"),
    "list": ("auth", "list_"),
    "use": ("auth", "use"),
}
_OTHER_COMMANDS = {
    "doctor": ("doctor", "doctor"),
    "demo": ("demo", "demo"),
    "completion": ("completion_script", "completion"),
}


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None, **settings)


def _command(name: str, module: str, function: str) -> Any:
    return _leaf(name, getattr(import_module(f"smscli.commands.{module}"), function))


def _leaf(name: str, function: Callable[..., int | None]) -> Any:
    app = _typer()
    app.command(name, cls=LeafCommand)(with_global_options(function))
    return typer.main.get_command(app)


def _factories(places: Mapping[str, tuple[str, str]]) -> dict[str, Callable[[], Any]]:
    return {name: partial(_command, name, *place) for name, place in places.items()}


def _group(doc: Callable[..., None], commands: Mapping[str, Callable[[], Any]]) -> Any:
    app = _typer(
        cls=CommandGroup,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": help_width()},
    )
    app.callback()(with_global_options(doc))
    group: Any = typer.main.get_command(app)
    group.commands = LazyCommands({name: cache(factory) for name, factory in commands.items()})
    return group


def command_tree() -> Any:
    """The root command, as typer sees it."""
    reading = _factories(_READ_COMMANDS)
    groups = {
        "sessions": partial(_group, _sessions, reading),
        "auth": partial(_group, _auth, _factories(_AUTH_COMMANDS)),
    }
    other: dict[str, Callable[[], Any]] = {
        **_factories(_OTHER_COMMANDS),
        "help": partial(_leaf, "help", _help),
    }
    return _group(_smscli, {**reading, **other, **groups})


def _main(app: AppContext, arguments: Sequence[str]) -> object:
    return command_tree().main(list(arguments), prog_name="smscli", standalone_mode=False, obj=app)


def _usage_error(error: Any) -> UsageError:
    """One of typer's usage errors in our wording."""
    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path} --help`" if context else None
    if possible := getattr(error, "possibilities", None):
        # Its own message lists options that are hardly alike.
        similar = similar_names(error.option_name, possible)
        hint = did_you_mean(similar) if similar else hint
        return UsageError(f"no such option: {error.option_name}", hint=hint)
    message = error.format_message().strip().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _translated(error: Exception) -> SmscliError:
    """Any exception as one of our errors."""
    if isinstance(error, SmscliError):
        return error
    if isinstance(error, typer.TyperException):
        return _usage_error(error)
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        return LocalError(f"{why}, {error.filename}" if error.filename else f"output can't be written: {why}")
    return SmscliError(
        f"internal error: {type(error).__name__}", hint="run it again with --debug and report what it prints"
    )


def _run(app: AppContext, arguments: Sequence[str]) -> object:
    try:
        return _main(app, arguments)
    except SystemExit as error:
        # typer exits by itself only when the reader of its help has closed the pipe.
        raise ReaderGone from error
    except OSError as error:
        # typer knows the error of POSIX only.
        if error.filename is None and is_reader_gone(error, 1):
            raise ReaderGone from error
        raise


def _exit_code(app: AppContext, step: Callable[[], object]) -> int:
    """Run a step, report its error, return the exit code: the step's result if it is a number."""
    try:
        result = step()
        return result if isinstance(result, int) else 0
    except ReaderGone:
        return _READER_GONE
    except StopSignal as signal:
        return signal.exit_code
    except Exception as error:
        return app.report_error(_translated(error), error)


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str] = os.environ,
    terminal: Terminal | None = None,
) -> int:
    """Run one command line, report errors on stderr, and return the exit code."""
    app = AppContext(environ, json_stderr=not _JSON_FLAGS.isdisjoint(arguments), terminal=terminal)
    try:
        with stop_signals_raised():
            code = _exit_code(app, lambda: _run(app, arguments))
            closing_code = _exit_code(app, app.close)
    except StopSignal as signal:
        return signal.exit_code
    return code or closing_code
