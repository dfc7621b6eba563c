"""The options and arguments of the commands, each a type defined once, and the parsers of their values."""

from typing import Annotated, NamedTuple

import typer

from smscli.errors import UsageError

# The server counts in Java integers.
_MOST = 2**31 - 1
_INTERVAL = 2.0

ProfileOption = Annotated[
    str | None, typer.Option("--profile", "-p", metavar="NAME", help="Which saved server to use.")
]
UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The server, such as https://gws.example.com.")
]
UserOption = Annotated[str | None, typer.Option("--user", metavar="NAME", help="The user for HTTP Basic.")]
DemoOption = Annotated[
    bool | None, typer.Option("--demo", help="Talk to a demo server that runs inside this command.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="Patience with each request (default 10)."),
]
CaBundleOption = Annotated[
    str | None,
    typer.Option("--ca-bundle", metavar="FILE", help="Trust this CA beside the operating system's."),
]
ClientCertOption = Annotated[
    str | None,
    typer.Option("--client-cert", metavar="FILE", help="PEM file with a client certificate and its key."),
]
ColorOption = Annotated[
    str | None, typer.Option("--color", metavar="auto|always|never", help="Colour and the terminal's form.")
]
DebugOption = Annotated[
    bool | None, typer.Option("--debug", help="Name each request on stderr; never a secret.")
]

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A session's id, as `smscli list` shows it.")]
TranscriptArgument = Annotated[
    str | None,
    typer.Argument(metavar="[ID|@FILE|-]", help="A session's id; or a recording, `-` on standard input."),
]
RecordedArgument = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Of a recording, the session with this id alone.")
]
IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="The ids of the sessions to follow.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]
TailJsonOption = Annotated[bool, typer.Option("--json", "--jsonl", help="One JSON object a line.")]
JsonlOption = Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")]
AllOption = Annotated[bool, typer.Option("--all", help="Follow every session, those that come later too.")]
EveryProfileOption = Annotated[bool, typer.Option("--all", help="Every profile.")]
IntervalOption = Annotated[
    float | None,
    typer.Option("--interval", metavar="SECONDS", help="How often to ask a session that is talking (2)."),
]
FromFileOption = Annotated[
    str | None,
    typer.Option("--from-file", metavar="FILE", help="Read a recording instead of the server."),
]
RecordOption = Annotated[
    str | None,
    typer.Option("--record", metavar="FILE", help="Keep the whole log too, each message exactly once."),
]
PushOption = Annotated[
    str | None, typer.Option("--push", metavar="auto|off", help="Whether the server may wake us.")
]
WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch", "-w", help="Keep the list on the screen, with who waits, who types, what was said."
    ),
]
WaitingOption = Annotated[
    str | None,
    typer.Option("--waiting", metavar="TIME", help="Mark, and say once, who has waited that long: 90s, 5m."),
]
StartIndexOption = Annotated[
    int | None, typer.Option("--start-index", metavar="N", help="Only from this index on: one request.")
]
CountOption = Annotated[
    int | None, typer.Option("--count", metavar="N", help="Only so many messages: one request.")
]
LastOption = Annotated[
    str | None, typer.Option("--last", metavar="N", help="Only the last N entries, or `all`.")
]
TailLastOption = Annotated[
    str | None,
    typer.Option(
        "--last", metavar="N", help="Begin with the last N entries of each session (10), `all` or 0."
    ),
]
StateOption = Annotated[
    list[str] | None,
    typer.Option("--state", metavar="S", help="Only sessions in this state; may be repeated."),
]
CustomerOption = Annotated[
    str | None, typer.Option("--customer", metavar="TEXT", help="Only customers with this in their nickname.")
]
SortOption = Annotated[
    str | None,
    typer.Option(
        "--sort", metavar="KEY", help="Sort by a column, by -KEY descending; with --watch by `waiting` too."
    ),
]
ColumnsOption = Annotated[
    str | None, typer.Option("--columns", metavar="A,B", help="These columns, such as id,userData.KEY.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="T", help="From then on: 90s, 5m, 2h30m, 1d, or an ISO time.")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="T", help="Up to then, likewise.")]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", metavar="T", help="Only this type of message; may be repeated.")
]
FromOption = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="NAME|ROLE", help="Only from this nickname or role; may be repeated."),
]
GrepOption = Annotated[
    str | None, typer.Option("--grep", metavar="RE", help="Show only entries that match, matches marked.")
]
ExcludeOption = Annotated[
    str | None, typer.Option("--exclude", metavar="RE", help="Leave out entries that match.")
]
HighlightOption = Annotated[
    str | None, typer.Option("--highlight", metavar="RE", help="Mark matches; filters nothing.")
]
IgnoreCaseOption = Annotated[
    bool,
    typer.Option("--ignore-case", "-i", help="Ignore case in --grep, --exclude and --highlight."),
]
ContextOption = Annotated[
    int, typer.Option("--context", metavar="N", help="So many entries around each match too.")
]


class Filters(NamedTuple):
    """What of a transcript is wanted, beside times: options of every command that shows one."""

    types: TypeOption = None
    people: FromOption = None
    grep: GrepOption = None
    exclude: ExcludeOption = None
    highlight: HighlightOption = None
    context: ContextOption = 0
    ignore_case: IgnoreCaseOption = False


NO_FILTERS = Filters()


TypingOption = Annotated[
    str | None, typer.Option("--typing", metavar="fold|show|hide", help="Fold typing in (JSON: show it).")
]
UtcOption = Annotated[bool, typer.Option("--utc", help="Show times in UTC.")]
TzOption = Annotated[str | None, typer.Option("--tz", metavar="ZONE", help="Show times in this zone.")]
HtmlOption = Annotated[
    str | None,
    typer.Option("--html", metavar="FILE", help="Write an HTML page for a ticket; `-` is standard output."),
]
RedactOption = Annotated[
    bool, typer.Option("--redact", help="Mask numbers of 7 digits and more, e-mail addresses, user data.")
]
BellOption = Annotated[bool, typer.Option("--bell", help="Ring on a customer's message.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A profile's name.")]
PasswordStdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
TokenStdinOption = Annotated[bool, typer.Option("--token-stdin", help="Read a token from standard input.")]
PortOption = Annotated[
    int,
    typer.Option("--port", metavar="N", min=0, max=65535, help="The port to listen on; 0 takes a free one."),
]


def last_entries(value: str | None) -> int | None:
    """How many entries `--last` asks for: a number from 0, None for `all` and for nothing given."""
    if value is None or value == "all":
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    raise UsageError(f"--last takes a whole number or `all`, not {value!r}")


def typing_mode(value: str | None, *, json: bool) -> str:
    """How typing is shown: as `--typing` says, else folded in, or in JSON as it came."""
    if value not in (None, "fold", "show", "hide"):
        raise UsageError(f"--typing takes fold, show or hide, not {value!r}")
    return value or ("show" if json else "fold")


def window(start: int | None, count: int | None) -> None:
    """Refuse a `--start-index` or `--count` that no server could mean."""
    if start is not None and not 0 <= start <= _MOST:
        raise UsageError(f"--start-index takes a number from 0 to {_MOST}, not {start}")
    if count is not None and not 1 <= count <= _MOST:
        raise UsageError(f"--count takes a number from 1 to {_MOST}, not {count}")


def recording_named(argument: str | None, from_file: str | None) -> str | None:
    """The recording to read, if any: `--from-file FILE`, else `@FILE` or `-` in place of an id."""
    if from_file is not None or argument is None:
        return from_file
    return argument[1:] if argument.startswith("@") else "-" if argument == "-" else None


def record_file(value: str | None) -> str | None:
    """The file to record into."""
    if value == "-":
        raise UsageError("--record takes a file", hint="`tail --json` writes to standard output")
    return value


def wants_push(value: str | None) -> bool:
    """Whether `--push` lets the server wake us."""
    if value not in (None, "auto", "off"):
        raise UsageError(f"--push takes auto or off, not {value!r}")
    return value != "off"


def interval_seconds(value: float | None) -> float:
    """A polling interval. A shorter one only meets the request limit; one over a day is a slip."""
    if value is None:
        return _INTERVAL
    if not 0.1 <= value <= 86400:
        raise UsageError(f"--interval takes 0.1 to 86400 seconds, not {value:g}")
    return value
