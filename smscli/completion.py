"""What may stand where the cursor is, for the shells: `value TAB description` lines, no typer, no evaluation.

The commands come from a table beside this module, made from the commands themselves; ids come from the
server, or from what it said a moment ago. Whatever goes wrong, a person who presses TAB is told nothing.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from smscli.model import Session
    from smscli.settings.config import CliOptions, Settings
    from smscli.settings.credentials import Credential

FILES = "/"
"""The line that has the shell offer file names; nothing else has a slash in it."""

_PATIENCE = 0.8
_KEPT_SECONDS = 10.0
_LONGEST = 60
_SIGNS = frozenset("._+@-")
# The fillers of Hangul are letters to Python and blanks to the eye.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0")


class Choice(NamedTuple):
    """One thing that may stand there."""

    value: str
    description: str = ""


class Option(NamedTuple):
    """An option as the table has it: its `value` is None for a flag, else words, `files` or `profiles`."""

    names: list[str]
    help: str
    value: str | list[str] | None
    many: bool

    @property
    def name(self) -> str:
        return self.names[0]


class Command(NamedTuple):
    """A command or group as the table has it: its `argument` is None, `ids` or `profiles`."""

    help: str
    options: list[Option]
    argument: str | None
    many: bool
    commands: dict[str, "Command"]


@dataclass(slots=True)
class Place:
    """Where the cursor is: what stands before it, and the option whose value it is at, if any."""

    command: Command
    given: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    options_ended: bool = False
    awaiting: Option | None = None


Ids = Callable[[Mapping[str, str]], Iterable[Choice]]


def run(words: Sequence[str]) -> int:
    """Write what may stand in place of the last of `words`, the line without the program's name."""
    until = time.monotonic() + _PATIENCE
    # A word nobody can finish is no error, and a message would stand in the middle of somebody's line.
    with suppress(Exception):
        found = complete(
            words, os.environ, lambda given: live_ids(given, os.environ, until - time.monotonic())
        )
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.buffer.write(b"".join(_lines(found, encoding)))
        sys.stdout.flush()
    return 0


def complete(words: Sequence[str], environ: Mapping[str, str], ids: Ids) -> list[Choice]:
    """What may stand in place of the last word, in the commands' own order; `ids` is asked where ids may, and
    gets the options given so far by their long names."""
    *before, current = words or [""]
    root = _table()
    place = _place(before, root)
    prefix, kind = _wanted(place, current, root)
    if kind == "files":
        return [Choice(FILES)]
    found = _words(place, current, root) if kind is None else _values(kind, place, environ, ids)
    return [
        Choice(prefix + value, plain(description))
        for value, description in found
        if (prefix + value).startswith(current)
    ]


def _table() -> Command:
    return _command(json.loads(Path(__file__).with_name("completion.json").read_bytes()))


def _command(entry: Mapping[str, Any]) -> Command:
    return Command(
        entry["help"],
        [Option(**option) for option in entry["options"]],
        entry["argument"],
        entry["many"],
        {name: _command(inner) for name, inner in entry["commands"].items()},
    )


def _place(words: Iterable[str], root: Command) -> Place:
    place, rest = Place(root), iter(words)
    for word in rest:
        if place.options_ended or word == "-" or not word.startswith("-"):
            _enter(place, word)
        elif word == "--":
            place.options_ended = True
        else:
            _give(place, word, rest, root)
    return place


def _enter(place: Place, word: str) -> None:
    inner = place.command.commands.get(word)
    if inner and not place.arguments:
        place.command = inner
    else:
        place.arguments.append(word)


def _give(place: Place, word: str, rest: Iterator[str], root: Command) -> None:
    """Note an option, and its value: after `=`, as the next word, or right behind a short name."""
    name, equals, value = word.partition("=")
    if not word.startswith("--"):
        name, value = word[:2], word[2:]
    option = _option(name, place.command, root)
    if option is None:
        return
    if option.value is not None and not (value or equals):
        following = next(rest, None)
        if following is None:
            place.awaiting = option
            return
        value = following
    place.given[option.name] = value


def _option(name: str, command: Command, root: Command) -> Option | None:
    return next((one for one in _options(command, root) if name in one.names), None)


def _options(command: Command, root: Command) -> list[Option]:
    """A command's own options, then those that every command takes."""
    return root.options if command is root else [*command.options, *root.options]


def _wanted(place: Place, current: str, root: Command) -> tuple[str, str | list[str] | None]:
    """What of the word stands before the value, and which kind of value that is: None for a command or an
    option."""
    if place.awaiting:
        return "", place.awaiting.value
    if current.startswith("-") and not place.options_ended:
        name, equals, _ = current.partition("=")
        option = _option(name, place.command, root) if equals else None
        return (f"{name}=", option.value) if option else ("", None)
    return "", place.command.argument if place.command.many or not place.arguments else None


def _words(place: Place, current: str, root: Command) -> list[Choice]:
    """The commands or the options that may stand there."""
    command = place.command
    if command.commands and not current.startswith("-"):
        # A word before it that is no command is a slip: nothing can follow.
        inner = {} if place.arguments else command.commands
        return [Choice(name, one.help) for name, one in inner.items()]
    if place.options_ended:
        return []
    return [
        Choice(name, one.help)
        for one in _options(command, root)
        if one.many or one.name not in place.given
        for name in one.names
        if name.startswith("--")
    ]


def _values(kind: str | Collection[str], place: Place, environ: Mapping[str, str], ids: Ids) -> list[Choice]:
    if not isinstance(kind, str):
        return [Choice(word) for word in kind]
    found = _profiles(environ) if kind == "profiles" else ids(place.given)
    return [one for one in found if _is_harmless(one.value) and one.value not in place.arguments]


def _profiles(environ: Mapping[str, str]) -> list[Choice]:
    from smscli.settings.config import Config

    profiles = Config.load(environ).profiles.values()
    return [
        Choice(one.name, f"{one.user or ''} {(one.origin or '').partition('://')[2]}") for one in profiles
    ]


def _is_harmless(value: str) -> bool:
    """Whether a stranger's value may be typed for somebody: letters, digits, blanks, `. _ + @ -`, and neither
    an option nor empty at its ends."""
    if not value or value != value.strip() or value.startswith("-"):
        return False
    return all(_is_plain(sign) or sign == " " for sign in value)


def _is_plain(sign: str) -> bool:
    return sign in _SIGNS or (sign.isalnum() and sign not in _UNSEEN)


def plain(text: str) -> str:
    """A description on one short line, every run of other characters made one blank; apostrophes just go."""
    some = text[: 4 * _LONGEST].replace("'", "")
    reduced = "".join(sign if _is_plain(sign) else " " for sign in some)
    return " ".join(reduced.split())[:_LONGEST].rstrip(" .")


def _lines(found: Iterable[Choice], encoding: str) -> Iterator[bytes]:
    """The lines in the terminal's encoding: bytes of another one can be control characters there."""
    for value, description in found:
        with suppress(UnicodeEncodeError):
            tail = f"\t{description}".encode(encoding, "ignore") if description else b""
            yield value.encode(encoding) + tail + b"\n"


def live_ids(given: Mapping[str, str], environ: Mapping[str, str], patience: float) -> list[Choice]:
    """The live sessions' ids with state and customer: those of the last ten seconds, else what the server
    says within `patience` seconds; none where it does not.

    `given` are options by their long names. UsageError and ConfigError as resolving the settings raises them.
    """
    from smscli.settings.config import Config, resolve, uses_demo

    options = _given(given)
    config = Config.empty(environ) if uses_demo(options, environ) else Config.load(environ)
    settings = resolve(options, environ, config)
    if not (settings.base_url or settings.demo):
        return []
    kept = IdCache(environ, [settings.origin or "demo", settings.user, settings.profile])
    found = kept.read(time.time())
    if found is None:
        found = _in_time(lambda: [_described(one) for one in _sessions(settings, environ)], patience)
        if found is None:
            return []
        kept.write(found, time.time())
    return found


def _given(options: Mapping[str, str]) -> "CliOptions":
    from smscli.settings.config import CliOptions

    return CliOptions(
        profile=options.get("--profile"),
        url=options.get("--url"),
        user=options.get("--user"),
        demo=True if "--demo" in options else None,
        ca_bundle=options.get("--ca-bundle"),
        client_cert=options.get("--client-cert"),
    )


def _described(session: "Session") -> Choice:
    return Choice(session.id, plain(" ".join([session.state or "", *session.nicknames("Customer")])))


def _in_time(ask: Callable[[], list[Choice]], patience: float) -> list[Choice] | None:
    """The answer, None where there is none in time; a question that hangs ends with the process."""
    import threading

    answers: list[list[Choice]] = []

    def answer() -> None:
        with suppress(Exception):
            answers.append(ask())

    asked = threading.Thread(target=answer, name="completion", daemon=True)
    asked.start()
    asked.join(max(0.0, patience))
    return answers[0] if answers else None


def _sessions(settings: "Settings", environ: Mapping[str, str]) -> tuple["Session", ...]:
    from smscli.gws.client import GwsClient, Server
    from smscli.settings.credentials import Credential

    with ExitStack() as ending:
        if settings.demo:
            from smscli.demo.server import DemoServer

            demo = ending.enter_context(DemoServer())
            base_url = f"{demo.url}/api/v2"
            credential = Credential(settings.user or demo.user, "basic", demo.password, "demo")
        else:
            base_url, credential = settings.base_url or "", _credential(settings)
        server = Server(base_url, settings.timeout, settings.ca_bundle, settings.client_cert)
        client = GwsClient(
            server,
            credential.header,
            spelling=_spelling(settings.origin, environ),
            environ=environ,
        )
        ending.callback(client.close)
        return client.sessions(retries=0).sessions


def _credential(settings: "Settings") -> "Credential":
    """The secret, from a source that gives it at once: nobody unlocks anything to finish a word."""
    from smscli.settings.credentials import Credential, Keyring, find, run_password_command

    if settings.password_command and not (settings.token or settings.password):
        secret = run_password_command(settings.password_command, _PATIENCE)
        return Credential(settings.user, settings.auth, secret, "command")
    return find(settings, Keyring(on_terminal=False, notice=lambda message: None, limit=_PATIENCE))


def _spelling(origin: str | None, environ: Mapping[str, str]) -> str | None:
    from smscli.settings.server_cache import ServerCache

    return ServerCache.load(environ, lambda line: None).get(origin).spelling if origin else None


class IdCache:
    """The ids last found, on disk for the next few seconds; `owner` says whose: origin, user, profile."""

    def __init__(self, environ: Mapping[str, str], owner: Sequence[str | None]) -> None:
        self._path = _kept_at(environ)
        self._owner = list(owner)

    def read(self, now: float) -> list[Choice] | None:
        """This owner's ids, None where they are too old or unreadable; `now` in seconds since 1970."""
        try:
            said = json.loads(self._path.read_bytes())
            if said["owner"] == self._owner and 0 <= now - said["at"] < _KEPT_SECONDS:
                return [Choice(str(value), str(description)) for value, description in said["sessions"]]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            pass
        return None

    def write(self, found: Iterable[Choice], now: float) -> None:
        """Keep ids in place of the last ones; where that can't be, they are asked for again."""
        from smscli.settings.files import replace_file

        document = {"owner": self._owner, "at": now, "sessions": list(found)}
        with suppress(OSError):
            os.makedirs(self._path.parent, mode=0o700, exist_ok=True)
            replace_file(self._path, json.dumps(document))


def forget(environ: Mapping[str, str]) -> None:
    """Keep no ids any more."""
    with suppress(OSError):
        _kept_at(environ).unlink()


def _kept_at(environ: Mapping[str, str]) -> Path:
    from smscli.settings.files import app_folder

    return app_folder(environ, "XDG_CACHE_HOME", ".cache") / "sessions.json"
