"""`smscli sessions tail`: follow sessions live."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from smscli import selection
from smscli.commands.logs import zone_of
from smscli.commands.screen import Nap, Screen, View
from smscli.commands.writers import entry_writer
from smscli.context import AppContext
from smscli.cursor import Cursor
from smscli.errors import UsageError
from smscli.feed import Following, follow
from smscli.model import Event, Idle, Listing, Read, Turn, Wake
from smscli.options import (
    AllOption,
    BellOption,
    ContextOption,
    ExcludeOption,
    FromOption,
    GrepOption,
    HighlightOption,
    IdsArgument,
    IntervalOption,
    PushOption,
    RecordOption,
    RedactOption,
    SinceOption,
    TailJsonOption,
    TailLastOption,
    TypeOption,
    TypingOption,
    TzOption,
    UtcOption,
    interval_seconds,
    last_entries,
    record_file,
    typing_mode,
    wants_push,
)

_LAST = "10"


def tail(
    app: AppContext,
    ids: IdsArgument = None,
    every: AllOption = False,
    json: TailJsonOption = False,
    last: TailLastOption = None,
    since: SinceOption = None,
    type_: TypeOption = None,
    from_: FromOption = None,
    grep: GrepOption = None,
    exclude: ExcludeOption = None,
    highlight: HighlightOption = None,
    context: ContextOption = 0,
    typing: TypingOption = None,
    interval: IntervalOption = 2.0,
    push: PushOption = "auto",
    record: RecordOption = None,
    redact: RedactOption = False,
    bell: BellOption = False,
    utc: UtcOption = False,
    tz: TzOption = None,
) -> None:
    """Follow sessions live, message by message.

    Begins with what was said last. Ends when every named session has ended; with --all it goes on until
    Ctrl-C.
    """
    if bool(ids) == every:
        raise UsageError("tail takes the ids of sessions, or --all", hint="`smscli list` shows the ids")
    zone, mode, pushed = zone_of(utc, tz), typing_mode(typing, json=json), wants_push(push)
    wanted = selection.wanted(
        now=datetime.now(UTC),
        zone=zone,
        since=since,
        types=type_ or (),
        people=from_ or (),
        grep=grep,
        exclude=exclude,
        highlight=highlight,
        context=context,
    )
    # A time to begin at takes the place of a number to begin with.
    keep = last_entries(last if last is not None or since is not None else _LAST)
    rhythm, file = interval_seconds(interval), record_file(record)
    many = every or len(ids or ()) > 1
    writer = entry_writer(app.terminal, mode, json=False, jsonl=json, many=many, zone=zone)
    screen = Screen(app, writer, _woken(app) if pushed else _sleep, View(mode, wanted, keep, bell))
    recorder = Recorder(app, file, redact) if file is not None else None
    takers: list[Callable[[Event], None]] = [
        partial(_learn, app),
        *([recorder.take] if recorder else []),
        screen.take,
    ]
    app.notice("whose", f"following the SMS sessions of {app.user} at {app.host}")
    events = follow(
        Reads(app, redact),
        ids,
        wait=screen.wait,
        clock=app.clock,
        settings=Following(rhythm, pushed and app.learned.trusted),
        resume=recorder.cursors if recorder else None,
        debug=app.debug if app.settings.debug else None,
    )
    for event in events:
        for take in takers:
            take(event)
    writer.close()


def _sleep(seconds: float) -> Sequence[Wake]:
    time.sleep(seconds)
    return ()


def _woken(app: AppContext) -> Nap:
    # Asked for at the first wait, and so after the first list: a server that refuses us is told once.
    return lambda seconds: app.push.wait(seconds)


class Reads:
    """A follower's reads: as patient as a one-shot command's until the first list, then without retries."""

    def __init__(self, app: AppContext, redact: bool) -> None:
        self._client = app.client
        self._reads = app.reads(redact)
        self.page = self._reads.page
        self.renew = self._reads.renew

    def sessions(self) -> Listing:
        listing = self._reads.sessions()
        self._client.retries = 0
        return listing


class Recorder:
    """Keeps every message in a file before it is shown, and knows where an earlier run left off."""

    def __init__(self, app: AppContext, path: str, redact: bool) -> None:
        from smscli.recording import Recording

        self._recording = Recording.open(path, redact=redact)
        app.at_close(self._recording.close)
        self.cursors: dict[str, Cursor] = {}
        for message in self._recording.messages():
            self.cursors.setdefault(message.session_id, Cursor()).recall(message)

    def take(self, event: Event) -> None:
        if isinstance(event, Read):
            self._recording.append(event.messages)
        elif isinstance(event, Idle):
            self._recording.sync()


def _learn(app: AppContext, event: Event) -> None:
    """Remember whether this server's push can be relied on."""
    if isinstance(event, Turn) and event.kind in ("push-trusted", "push-lost"):
        app.learn(trusted=event.kind == "push-trusted")
