"""Options and arguments of the commands, each a type defined once, and the parsers of their values."""

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from smscli.context import AppContext
from smscli.errors import UsageError

if TYPE_CHECKING:
    from smscli.transcript.filters import EntryQuery

# The server counts in Java integers.
_MAX_INDEX = 2**31 - 1

DEFAULT_INTERVAL = 2.0
"""Seconds from one poll of an active session to the next."""

ProfileOption = Annotated[
    str | None, typer.Option("--profile", "-p", metavar="NAME", help="Saved profile to use.")
]
UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="Server URL, such as https://gws.example.com.")
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="User for HTTP Basic authentication.")
]
DemoOption = Annotated[
    bool | None, typer.Option("--demo", help="Use the built-in demo server, started for this command.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="Timeout per request, in seconds (default: 10)."),
]
CaBundleOption = Annotated[
    str | None,
    typer.Option("--ca-bundle", metavar="FILE", help="CA certificates to trust in addition to the system's."),
]
ClientCertOption = Annotated[
    str | None,
    typer.Option("--client-cert", metavar="FILE", help="PEM file with the client certificate and its key."),
]
ColorOption = Annotated[
    str | None,
    typer.Option(
        "--color", metavar="auto|always|never", help="When to use colour: auto (default), always, never."
    ),
]
DebugOption = Annotated[
    bool | None, typer.Option("--debug", help="Print a line per request on stderr, without secrets.")
]

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Session id, customer's nickname, or beginning or end of an id.")
]
TranscriptArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID|@FILE|-]", help="Session id, or a recording: @FILE, or - for standard input."
    ),
]
RecordedArgument = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="With a recording: only the session with this id.")
]
IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of the sessions to follow.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
TailJsonOption = Annotated[bool, typer.Option("--json", "--jsonl", help="Print one JSON object per line.")]
JsonlOption = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line.")]
AllOption = Annotated[bool, typer.Option("--all", help="Follow every session, including new ones.")]
EveryProfileOption = Annotated[bool, typer.Option("--all", help="All profiles.")]
IntervalOption = Annotated[
    float | None,
    typer.Option(
        "--interval",
        metavar="SECONDS",
        help=f"Polling interval of active sessions, in seconds (default: {DEFAULT_INTERVAL:g}).",
    ),
]
FromFileOption = Annotated[
    str | None,
    typer.Option("--from-file", metavar="FILE", help="Read a recording instead of the server."),
]
RecordOption = Annotated[
    str | None,
    typer.Option("--record", metavar="FILE", help="Append every message to FILE, each exactly once."),
]
PushOption = Annotated[
    str | None,
    typer.Option(
        "--push", metavar="auto|off", help="Use server push (CometD) if available: auto (default), off."
    ),
]
ActivityOption = Annotated[
    bool,
    typer.Option(
        "--activity", "-a", help="Read each session's messages: who waits, who is typing, the last message."
    ),
]
WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch", "-w", help="Keep the list on screen, with who waits, who is typing and the last message."
    ),
]
WaitingOption = Annotated[
    str | None,
    typer.Option(
        "--waiting",
        metavar="TIME",
        help="Customers who have waited this long, such as 90s or 5m: list shows only these, --watch and tail"
        " report them.",
    ),
]
StartIndexOption = Annotated[
    int | None,
    typer.Option(
        "--start-index", metavar="N", help="First message index, passed to the server (one request)."
    ),
]
CountOption = Annotated[
    int | None,
    typer.Option("--count", metavar="N", help="Number of messages, passed to the server (one request)."),
]
LastOption = Annotated[
    str | None, typer.Option("--last", "-n", metavar="N", help="Show only the last N entries (default: all).")
]
TailLastOption = Annotated[
    str | None,
    typer.Option(
        "--last",
        "-n",
        metavar="N",
        help="Start with the last N entries of each session, or all (default: 10).",
    ),
]
StateOption = Annotated[
    list[str] | None,
    typer.Option("--state", metavar="S", help="Only sessions in this state; repeatable."),
]
CustomerOption = Annotated[
    str | None,
    typer.Option("--customer", metavar="TEXT", help="Only sessions with TEXT in a customer's nickname."),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="T",
        help="Start: 90s, 5m, 2h30m or 1d ago, 09:00, today, yesterday, or an ISO time.",
    ),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="T", help="End time, in the same formats as --since.")
]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", metavar="T", help="Only messages of this type; repeatable.")
]
FromOption = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="NAME|ROLE", help="Only messages from this nickname or role; repeatable."),
]
GrepOption = Annotated[
    str | None,
    typer.Option(
        "--grep", metavar="RE", help="Only entries that match this regular expression, matches highlighted."
    ),
]
ExcludeOption = Annotated[
    str | None,
    typer.Option("--exclude", metavar="RE", help="Leave out entries that match this regular expression."),
]
HighlightOption = Annotated[
    str | None,
    typer.Option("--highlight", metavar="RE", help="Highlight matches of this regular expression."),
]
IgnoreCaseOption = Annotated[
    bool,
    typer.Option("--ignore-case", "-i", help="Ignore case in --grep, --exclude and --highlight."),
]
ContextOption = Annotated[
    int | None,
    typer.Option(
        "--context", metavar="N", help="With --grep: also show N entries before and after each match."
    ),
]


class Filters(NamedTuple):
    """The filter options of every command that shows a transcript."""

    types: TypeOption = None
    people: FromOption = None
    grep: GrepOption = None
    exclude: ExcludeOption = None
    highlight: HighlightOption = None
    context: ContextOption = None
    ignore_case: IgnoreCaseOption = False


NO_FILTERS = Filters()


TypingOption = Annotated[
    str | None,
    typer.Option(
        "--typing",
        metavar="fold|show|hide",
        help="Typing: fold into the transcript (default), show (default for JSON), hide.",
    ),
]
WideOption = Annotated[
    bool, typer.Option("--wide", help="On a terminal show index, milliseconds and participantId too.")
]
UtcOption = Annotated[bool, typer.Option("--utc", help="Show times in UTC.")]
TzOption = Annotated[
    str | None,
    typer.Option(
        "--tz", metavar="ZONE", help="Time zone of displayed times, such as Europe/Berlin (default: local)."
    ),
]
HtmlOption = Annotated[
    str | None,
    typer.Option(
        "--html", metavar="FILE", help="Write an HTML page to a new file, or to standard output with -."
    ),
]
RedactOption = Annotated[
    bool, typer.Option("--redact", help="Mask numbers of 7 or more digits, e-mail addresses and user data.")
]
CustomerViewOption = Annotated[
    bool,
    typer.Option(
        "--customer-view",
        help="Only what the customer was sent: no typing, agents-only messages, user data or timeline.",
    ),
]
BellOption = Annotated[bool, typer.Option("--bell", help="Ring the terminal bell on customer messages.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Profile name.")]
PasswordStdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
TokenStdinOption = Annotated[bool, typer.Option("--token-stdin", help="Read a token from standard input.")]
SHELLS = ("bash", "zsh", "fish", "powershell")
ShellArgument = Annotated[
    str, typer.Argument(metavar="|".join(SHELLS), help="The shell that is to complete smscli.")
]
PortOption = Annotated[
    int,
    typer.Option("--port", metavar="N", min=0, max=65535, help="Port to listen on; 0 for any free port."),
]


def last_entries(value: str | None) -> int | None:
    """The number of entries `--last` asks for; None for `all` and when not given. UsageError."""
    if value is None or value == "all":
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    raise UsageError(f"--last takes a whole number or `all`, not {value!r}")


def typing_mode(value: str | None, default: str) -> str:
    """`fold`, `show` or `hide`, as `--typing` says. UsageError."""
    if value not in (None, "fold", "show", "hide"):
        raise UsageError(f"--typing takes fold, show or hide, not {value!r}")
    return value or default


def check_window(start: int | None, count: int | None) -> None:
    """Refuse a `--start-index` or `--count` outside the server's range. UsageError."""
    if start is not None and not 0 <= start <= _MAX_INDEX:
        raise UsageError(f"--start-index takes a number from 0 to {_MAX_INDEX}, not {start}")
    if count is not None and not 1 <= count <= _MAX_INDEX:
        raise UsageError(f"--count takes a number from 1 to {_MAX_INDEX}, not {count}")


def recording_named(argument: str | None, from_file: str | None) -> str | None:
    """The recording to read, if any: `--from-file FILE`, else `@FILE` or `-` in place of an id."""
    if from_file is not None or argument is None:
        return from_file
    return argument[1:] if argument.startswith("@") else "-" if argument == "-" else None


def record_file(value: str | None) -> str | None:
    """The file to record to. UsageError."""
    if value == "-":
        raise UsageError("--record takes a file", hint="`tail --json` writes to standard output")
    return value


def uses_push(value: str | None) -> bool:
    """Whether `--push` allows server push. UsageError."""
    if value not in (None, "auto", "off"):
        raise UsageError(f"--push takes auto or off, not {value!r}")
    return value != "off"


def interval_seconds(value: float | None) -> float:
    """The polling interval in seconds. UsageError."""
    if value is None:
        return DEFAULT_INTERVAL
    # A shorter one only meets the request limit; one over a day is a mistake.
    if not 0.1 <= value <= 86400:
        raise UsageError(f"--interval takes 0.1 to 86400 seconds, not {value:g}")
    return value


def zone_option(utc: bool, tz: str | None) -> tzinfo | None:
    """The zone of displayed times; None for the machine's own. UsageError."""
    if utc and tz is not None:
        raise UsageError("--utc and --tz exclude each other")
    if tz is None:
        return UTC if utc else None
    from smscli.transcript.times import zone

    return zone(tz)


def parse_entry_query(
    app: AppContext,
    filters: Filters,
    zone: tzinfo | None,
    *,
    since: str | None = None,
    until: str | None = None,
) -> "EntryQuery":
    """What the filter options ask for. UsageError."""
    from smscli.transcript.filters import entry_query

    return entry_query(
        now=datetime.now(UTC),
        report=lambda message: app.notice("skipped", message),
        zone=zone,
        since=since,
        until=until,
        **filters._asdict(),
    )
