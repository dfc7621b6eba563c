"""Shell completion: prints `value TAB description` lines for the word at the cursor.

Commands and options come from `completion.json`, which is generated from the command tree, so that typer is
not loaded; session ids come from the server, or from a cache. Errors are not printed: the output would stand
in the middle of the user's command line.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from smscli.output.console import console_api, shell_encoding

if TYPE_CHECKING:
    from smscli.context import AppContext
    from smscli.model import Session

FILES = "/"
"""The output that tells the shell to complete file names; no other value contains a slash."""

_TIME_LIMIT = 0.8
# For the end of a password command that is killed at the time limit.
_GRACE_SECONDS = 0.1
_CACHE_SECONDS = 10.0
# The options with a value that a request for ids depends on.
_SERVER_OPTIONS = ("profile", "url", "user", "ca_bundle", "client_cert")
_MAX_DESCRIPTION = 60
_PLAIN_SIGNS = frozenset("._+@-")
# Python calls the Hangul fillers letters, but they are invisible.
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0")


class Choice(NamedTuple):
    """A possible completion."""

    value: str
    description: str = ""


class OptionEntry(NamedTuple):
    """An option of the table, its long name first; its `value` is None for a flag, else the choices, `files`
    or `profiles`."""

    names: list[str]
    help: str
    value: str | list[str] | None
    many: bool


class CommandEntry(NamedTuple):
    """A command or group of the table; its `argument` is None, `ids`, `profiles` or the choices."""

    help: str
    options: list[OptionEntry]
    argument: str | list[str] | None
    many: bool
    commands: dict[str, "CommandEntry"]

    def option(self, name: str) -> OptionEntry | None:
        return next((one for one in self.options if name in one.names), None)


@dataclass(slots=True)
class ParsedLine:
    """The line before the cursor; `awaiting` is the option whose value comes next, if any."""

    command: CommandEntry
    options: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    options_ended: bool = False
    awaiting: OptionEntry | None = None


FetchIds = Callable[[Mapping[str, str]], Iterable[Choice]]


def run(words: Sequence[str]) -> int:
    """Print the completions of the last of `words`, the command line without the program's name."""
    deadline = time.monotonic() + _TIME_LIMIT
    with suppress(Exception):
        # A keyring's back end must not write into the completions: stdout itself may be detached.
        output, encoding = os.dup(sys.stdout.fileno()), shell_encoding(console_api(), sys.stdout)
        found = complete(
            words, os.environ, lambda options: live_ids(options, os.environ, deadline - time.monotonic())
        )
        with os.fdopen(output, "wb") as file:
            file.writelines(_lines(found, encoding))
    return 0


def complete(words: Sequence[str], environ: Mapping[str, str], fetch_ids: FetchIds) -> list[Choice]:
    """The completions of the last word, in the order of the commands' help.

    `fetch_ids` gets the options before the cursor, by their long names.
    """
    *before, current = words or [""]
    line = _parse(before)
    prefix, kind = _value_kind(line, current)
    if kind == "files":
        return [Choice(FILES)]
    found = _commands_and_options(line, current) if kind is None else _values(kind, line, environ, fetch_ids)
    return [
        Choice(prefix + value, plain(description))
        for value, description in found
        if (prefix + value).startswith(current)
    ]


def _command(entry: Mapping[str, Any], inherited: list[OptionEntry]) -> CommandEntry:
    """A command of the table; the root's options, which every command inherits, come after its own."""
    options = [OptionEntry(**option) for option in entry["options"]]
    everywhere = inherited or options
    commands = {name: _command(inner, everywhere) for name, inner in entry["commands"].items()}
    return CommandEntry(entry["help"], options + inherited, entry["argument"], entry["many"], commands)


def _parse(words: Iterable[str]) -> ParsedLine:
    table = json.loads(Path(__file__).with_name("completion.json").read_bytes())
    line, rest = ParsedLine(_command(table, [])), iter(words)
    for word in rest:
        if line.options_ended or word == "-" or not word.startswith("-"):
            _add_argument(line, word)
        elif word == "--":
            line.options_ended = True
        else:
            _add_option(line, word, rest)
    return line


def _add_argument(line: ParsedLine, word: str) -> None:
    inner = line.command.commands.get(word)
    if inner and not line.arguments:
        line.command = inner
    else:
        line.arguments.append(word)


def _add_option(line: ParsedLine, word: str, rest: Iterator[str]) -> None:
    """Add an option with its value, which follows `=`, is the next word, or is joined to a short name."""
    name, equals, value = word.partition("=")
    if not word.startswith("--"):
        name, value = word[:2], word[2:]
    option = line.command.option(name)
    if option is None:
        return
    if option.value is not None and not (value or equals):
        following = next(rest, None)
        if following is None:
            line.awaiting = option
            return
        value = following
    line.options[option.names[0]] = value


def _value_kind(line: ParsedLine, current: str) -> tuple[str, str | list[str] | None]:
    """The part of the word before the value, and the kind of the value: None for a command or an option."""
    if line.awaiting:
        return "", line.awaiting.value
    if current.startswith("-") and not line.options_ended:
        name, equals, _ = current.partition("=")
        option = line.command.option(name) if equals else None
        return (f"{name}=", option.value) if option else ("", None)
    return "", line.command.argument if line.command.many or not line.arguments else None


def _commands_and_options(line: ParsedLine, current: str) -> list[Choice]:
    command = line.command
    if command.commands and not current.startswith("-"):
        # Nothing can follow a mistyped command.
        inner = {} if line.arguments else command.commands
        return [Choice(name, one.help) for name, one in inner.items()]
    if line.options_ended:
        return []
    return [
        Choice(name, one.help)
        for one in command.options
        if one.many or one.names[0] not in line.options
        for name in one.names
        if name.startswith("--")
    ]


def _values(
    kind: str | Collection[str], line: ParsedLine, environ: Mapping[str, str], fetch_ids: FetchIds
) -> list[Choice]:
    if not isinstance(kind, str):
        return [Choice(word) for word in kind]
    found = _profiles(environ) if kind == "profiles" else fetch_ids(line.options)
    return [one for one in found if _is_harmless(one.value) and one.value not in line.arguments]


def _profiles(environ: Mapping[str, str]) -> list[Choice]:
    from smscli.settings.config import Config

    profiles = Config.load(environ).profiles.values()
    return [
        Choice(one.name, f"{one.user or ''} {(one.origin or '').partition('://')[2]}") for one in profiles
    ]


def _is_harmless(value: str) -> bool:
    """Whether a shell takes a server's value for nothing but one word: letters, digits, blanks and
    `. _ + @ -`, not an option, no blank at its ends."""
    if not value or value != value.strip() or value.startswith("-"):
        return False
    return all(_is_plain(sign) or sign == " " for sign in value)


def _is_plain(sign: str) -> bool:
    return sign in _PLAIN_SIGNS or (sign.isalnum() and sign not in _INVISIBLE)


def plain(text: str) -> str:
    """A short description on one line; other characters become blanks, apostrophes are dropped."""
    start = text[: 4 * _MAX_DESCRIPTION].replace("'", "")
    reduced = "".join(sign if _is_plain(sign) else " " for sign in start)
    return " ".join(reduced.split())[:_MAX_DESCRIPTION].rstrip(" .")


def _lines(found: Iterable[Choice], encoding: str) -> Iterator[bytes]:
    """The output in the terminal's encoding: bytes of another one can be control characters there."""
    for value, description in found:
        with suppress(UnicodeEncodeError):
            tail = f"\t{description}".encode(encoding, "ignore") if description else b""
            yield value.encode(encoding) + tail + b"\n"


def live_ids(options: Mapping[str, str], environ: Mapping[str, str], seconds: float) -> list[Choice]:
    """The live sessions' ids with state and customer, from the cache or else from the server.

    `options` by their long names; empty without a server, or where the answer takes more than `seconds`.
    UsageError and ConfigError as for resolving the settings.
    """
    from smscli.context import AppContext
    from smscli.settings.config import CliOptions

    given: dict[str, Any] = {name: options.get(f"--{name.replace('_', '-')}") for name in _SERVER_OPTIONS}
    given["demo"] = True if "--demo" in options else None
    app = AppContext.for_completion(environ, CliOptions(**given), seconds)
    settings = app.settings
    if not (settings.base_url or settings.demo):
        return []
    owner = [settings.origin or "demo", settings.user, settings.profile]
    found = read_cache(environ, owner, time.time())
    if found is None:
        found = _fetch(app, seconds)
        if found is None:
            return []
        write_cache(environ, owner, found, time.time())
    return found


def _fetch(app: "AppContext", seconds: float) -> list[Choice] | None:
    """The ids, None without an answer in time: a lookup of the server's name has no timeout of its own."""
    from concurrent.futures import wait

    from smscli.signals import call_in_thread

    future = call_in_thread(
        lambda: [_described(one) for one in app.client.sessions(retries=0).sessions], name="completion"
    )
    if not wait([future], max(0.0, seconds) + _GRACE_SECONDS).done:
        return None
    app.close()
    return None if future.exception() else future.result()


def _described(session: "Session") -> Choice:
    from smscli.model import Role

    return Choice(session.id, plain(" ".join([session.state or "", *session.nicknames(Role.CUSTOMER)])))


def read_cache(environ: Mapping[str, str], owner: Sequence[str | None], now: float) -> list[Choice] | None:
    """The ids of the last completion, None where they are too old, of another owner, or unreadable.

    `owner` is origin, user and profile; `now` in seconds since 1970.
    """
    path = _cache_path(environ)
    with suppress(OSError, ValueError, LookupError, TypeError):
        entry = json.loads(path.read_bytes() if path else b"{}")
        if entry["owner"] == list(owner) and 0 <= now - entry["at"] < _CACHE_SECONDS:
            return [Choice(str(value), str(description)) for value, description in entry["sessions"]]
    return None


def write_cache(
    environ: Mapping[str, str], owner: Sequence[str | None], found: Iterable[Choice], now: float
) -> None:
    """Replace the cached ids; a cache that can't be written is no error."""
    from smscli.settings.files import replace_file

    path = _cache_path(environ)
    with suppress(OSError):
        if path is not None:
            os.makedirs(path.parent, mode=0o700, exist_ok=True)
            replace_file(path, json.dumps({"owner": owner, "at": now, "sessions": list(found)}))


def clear_cache(environ: Mapping[str, str]) -> None:
    path = _cache_path(environ)
    with suppress(OSError):
        if path is not None:
            path.unlink()


def _cache_path(environ: Mapping[str, str]) -> Path | None:
    from smscli.settings.files import app_folder

    folder = app_folder(environ, "cache")
    return folder and folder / "sessions.json"
