"""Options and arguments of the commands, each a type defined once; `option_values` says what values mean."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, NamedTuple

import typer

from smscli.errors import UsageError

GLOBAL = "Global options"
"""The group of the options that every command takes."""

# As the enums of `model` have them, which takes too long to import for a help.
_STATES = "Invited, Chatting, LeftChat, Completed, Revoked"
_TYPES = (
    "Text, ParticipantJoined, ParticipantLeft, ParticipantRejoined, TypingStarted, TypingStopped, PushUrl,"
    " Notice, TranscriptSaveDone, CustomNotice, SystemCommand"
)

# Each shows its options in a group of its own in help.
filter_option = partial(typer.Option, rich_help_panel="Filter options")
output_option = partial(typer.Option, rich_help_panel="Output options")
follow_option = partial(typer.Option, rich_help_panel="Follow options")
_global_option = partial(typer.Option, rich_help_panel=GLOBAL)

_SECONDS = "a number of seconds"

DEFAULT_INTERVAL = 2.0
"""Seconds from one poll of an active session to the next."""


def _number(
    option: str, parse: Callable[[str], float], what: str = "a whole number"
) -> Callable[[str], float]:
    """The parser of a numeric option's value, as typer calls it. UsageError."""

    def parsed(value: str) -> float:
        try:
            return parse(value)
        except ValueError:
            raise UsageError(f"{option} takes {what}, not {value!r}") from None

    return parsed


ProfileOption = Annotated[
    str | None,
    _global_option(
        "--profile",
        "-p",
        metavar="NAME",
        help="Saved profile to use; on list, tail and check several, NAME,NAME or '*' [SMSCLI_PROFILE].",
    ),
]
UrlOption = Annotated[
    str | None, _global_option("--url", metavar="URL", help="Server, such as gws.example.com [SMSCLI_URL].")
]
UserOption = Annotated[
    str | None,
    _global_option("--user", metavar="NAME", help="User for HTTP Basic authentication [SMSCLI_USERNAME]."),
]
DemoOption = Annotated[
    bool | None, _global_option("--demo", help="Use the built-in demo server [SMSCLI_DEMO=1].")
]
TimeoutOption = Annotated[
    float | None,
    _global_option(
        "--timeout",
        metavar="SECONDS",
        parser=_number("--timeout", float, _SECONDS),
        help="Timeout per request, in seconds (default: 10) [SMSCLI_TIMEOUT].",
    ),
]
CaBundleOption = Annotated[
    str | None,
    _global_option(
        "--ca-bundle",
        metavar="FILE",
        help="CA certificates to trust in addition to the system's [SMSCLI_CA_BUNDLE].",
    ),
]
ClientCertOption = Annotated[
    str | None,
    _global_option(
        "--client-cert",
        metavar="FILE",
        help="PEM file with the client certificate and its key [SMSCLI_CLIENT_CERT].",
    ),
]
ColorOption = Annotated[
    str | None,
    _global_option(
        "--color",
        metavar="auto|always|never",
        help="When to use colour: auto (default), always, never. NO_COLOR and CLICOLOR_FORCE count too.",
    ),
]
DebugOption = Annotated[
    bool | None,
    _global_option("--debug", help="Print a line per request on stderr, without secrets [SMSCLI_DEBUG=1]."),
]

SOURCES = "recordings: @FILE ('@FILE' in PowerShell), - for standard input"
RecordingsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[@FILE|-]...", help=f"In place of the server, {SOURCES}."),
]
SessionArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[@FILE|-]... [ID]",
        help=f"Session id, customer's nickname, or beginning or end of an id; in front of it {SOURCES}.",
    ),
]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[@FILE]... [ID]...",
        help="Session ids, nicknames, beginnings or ends of ids; @FILE is a recording that grows.",
    ),
]
JsonOption = Annotated[bool, output_option("--json", help="Print one JSON document.")]
TailJsonOption = Annotated[bool, output_option("--json", "--jsonl", help="Print one JSON object per line.")]
JsonlOption = Annotated[bool, output_option("--jsonl", help="Print one JSON object per line.")]
AllOption = Annotated[bool, follow_option("--all", help="Follow every session, including new ones.")]
AllProfilesOption = Annotated[
    bool, typer.Option("--all-profiles", help="Read all saved profiles, as with -p '*'.")
]
EveryProfileOption = Annotated[bool, typer.Option("--all", help="All profiles.")]
IntervalOption = Annotated[
    float | None,
    follow_option(
        "--interval",
        metavar="SECONDS",
        parser=_number("--interval", float, _SECONDS),
        help=f"Polling interval of active sessions, in seconds (default: {DEFAULT_INTERVAL:g}).",
    ),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Read a recording (FILE as @FILE, repeatable) or a stream (nats://HOST/STREAM) instead.",
    ),
]
CredentialsOption = Annotated[
    str | None,
    typer.Option("--nats-creds", metavar="FILE", help="Credentials file for NATS [SMSCLI_NATS_CREDS]."),
]
RecordOption = Annotated[
    str | None,
    follow_option("--record", metavar="FILE", help="Append every message to FILE, each exactly once."),
]
PublishOption = Annotated[
    str | None,
    follow_option(
        "--to",
        metavar="STREAM",
        help="Publish every record to a stream: nats://HOST/STREAM, ?replicas=3&max_age=30d for a new one.",
    ),
]
PushOption = Annotated[
    str | None,
    follow_option(
        "--push", metavar="auto|off", help="Use server push (CometD) if available: auto (default), off."
    ),
]
ActivityOption = Annotated[
    bool,
    output_option(
        "--activity", "-a", help="Read each session's messages: who waits, who is typing, the last message."
    ),
]
WatchOption = Annotated[
    bool,
    follow_option(
        "--watch", "-w", help="Keep the list on screen, with who waits, who is typing and the last message."
    ),
]
WaitingOption = Annotated[
    str | None,
    filter_option(
        "--waiting",
        metavar="TIME",
        help="Only customers who have waited this long, such as 90s or 5m; --watch marks them instead.",
    ),
]
TailWaitingOption = Annotated[
    str | None,
    follow_option(
        "--waiting", metavar="TIME", help="Report customers who have waited this long, such as 90s or 5m."
    ),
]
StartIndexOption = Annotated[
    int | None,
    filter_option(
        "--start-index",
        metavar="N",
        parser=_number("--start-index", int),
        help="First message index, passed to the server (one request).",
    ),
]
CountOption = Annotated[
    int | None,
    filter_option(
        "--count",
        metavar="N",
        parser=_number("--count", int),
        help="Number of messages, passed to the server (one request).",
    ),
]
LastOption = Annotated[
    str | None,
    filter_option("--last", "-n", metavar="N", help="Show only the last N entries (default: all)."),
]
TailLastOption = Annotated[
    str | None,
    filter_option(
        "--last",
        "-n",
        metavar="N",
        help="Start with the last N entries of each session, or all (default: 10).",
    ),
]
StateOption = Annotated[
    list[str] | None,
    filter_option("--state", metavar="S", help=f"Only sessions in this state ({_STATES}); repeatable."),
]
CustomerOption = Annotated[
    str | None,
    filter_option("--customer", metavar="TEXT", help="Only sessions with TEXT in a customer's nickname."),
]
SinceOption = Annotated[
    str | None,
    filter_option(
        "--since",
        metavar="T",
        help="Start: 90s, 5m, 2h30m or 1d ago, 09:00, today, yesterday, or an ISO time.",
    ),
]
UntilOption = Annotated[
    str | None, filter_option("--until", metavar="T", help="End time, in the same formats as --since.")
]
TypeOption = Annotated[
    list[str] | None,
    filter_option("--type", metavar="T", help=f"Only messages of this type ({_TYPES}); repeatable."),
]
FromOption = Annotated[
    list[str] | None,
    filter_option(
        "--from",
        metavar="NAME|ROLE",
        help="Only messages from this nickname or role (Agent, Customer); repeatable.",
    ),
]
GrepOption = Annotated[
    str | None,
    filter_option(
        "--grep", metavar="RE", help="Only entries that match this regular expression, matches highlighted."
    ),
]
ExcludeOption = Annotated[
    str | None,
    filter_option("--exclude", metavar="RE", help="Leave out entries that match this regular expression."),
]
HighlightOption = Annotated[
    str | None,
    filter_option("--highlight", metavar="RE", help="Highlight matches of this regular expression."),
]
IgnoreCaseOption = Annotated[
    bool,
    filter_option("--ignore-case", "-i", help="Ignore case in --grep, --exclude and --highlight."),
]
ContextOption = Annotated[
    int | None,
    filter_option(
        "--context",
        metavar="N",
        parser=_number("--context", int),
        help="With --grep: also show N entries before and after each match.",
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
    output_option(
        "--typing",
        metavar="fold|show|hide",
        help="Typing: fold into the messages (default), show (default for JSON), hide.",
    ),
]
WideOption = Annotated[
    bool, output_option("--wide", help="On a terminal show index, milliseconds and participantId too.")
]
UtcOption = Annotated[bool, output_option("--utc", help="Show times in UTC.")]
TzOption = Annotated[
    str | None,
    output_option(
        "--tz", metavar="ZONE", help="Time zone of displayed times, such as Europe/Berlin (default: local)."
    ),
]
HtmlOption = Annotated[
    str | None,
    output_option(
        "--html", metavar="FILE", help="Write an HTML page to a new file, or to standard output with -."
    ),
]
RedactOption = Annotated[
    bool, output_option("--redact", help="Mask numbers of 7 or more digits, e-mail addresses and user data.")
]
CustomerViewOption = Annotated[
    bool,
    output_option(
        "--customer-view",
        help="Only what the customer was sent: no typing, agents-only messages, user data or timeline.",
    ),
]
BellOption = Annotated[bool, follow_option("--bell", help="Ring the terminal bell on customer messages.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Profile name.")]
PasswordStdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
TokenStdinOption = Annotated[bool, typer.Option("--token-stdin", help="Read a token from standard input.")]
CookieStdinOption = Annotated[
    bool,
    typer.Option(
        "--cookie-stdin",
        help="Read the Cookie header of a browser's session, or only JSESSIONID=..., from standard input.",
    ),
]
PasswordCommandOption = Annotated[
    str | None,
    typer.Option(
        "--password-command",
        metavar="'PROGRAM ARG...'",
        help="Save a command that prints the secret, in place of storing it in the keyring.",
    ),
]
CommandsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[COMMAND]...", help="The command, such as `auth login`.")
]
SHELLS = ("bash", "zsh", "fish", "powershell")
ShellArgument = Annotated[
    str, typer.Argument(metavar="|".join(SHELLS), help="The shell that is to complete smscli.")
]


def _port(value: str) -> int:
    """A port to listen on. ValueError."""
    number = int(value)
    if not 0 <= number <= 65535:
        raise ValueError(value)
    return number


PortOption = Annotated[
    int,
    typer.Option(
        "--port",
        metavar="N",
        parser=_number("--port", _port, "a port number from 0 to 65535"),
        help="Port to listen on (default: 8090); 0 for any free port.",
    ),
]
