"""`smscli sessions tail`: follow sessions live."""

from collections.abc import Callable
from datetime import UTC, datetime

from smscli.commands.live import FollowReads, events, nap, waiting_limit
from smscli.commands.options import (
    NO_FILTERS,
    AllOption,
    BellOption,
    Filters,
    IdsArgument,
    IntervalOption,
    PushOption,
    RecordOption,
    RedactOption,
    SinceOption,
    TailJsonOption,
    TailLastOption,
    TypingOption,
    TzOption,
    UtcOption,
    WaitingOption,
    interval_seconds,
    last_entries,
    record_file,
    typing_mode,
    wants_push,
)
from smscli.commands.tail_view import Screen, View
from smscli.commands.writers import entry_writer
from smscli.commands.zones import zone_of
from smscli.context import AppContext
from smscli.errors import UsageError
from smscli.follow.cursor import Cursor
from smscli.model import Event, Idle, NewMessages
from smscli.transcript import filters as selection

_LAST = "10"


def tail(
    app: AppContext,
    ids: IdsArgument = None,
    every: AllOption = False,
    json: TailJsonOption = False,
    last: TailLastOption = None,
    since: SinceOption = None,
    filters: Filters = NO_FILTERS,
    typing: TypingOption = None,
    interval: IntervalOption = None,
    push: PushOption = None,
    record: RecordOption = None,
    redact: RedactOption = False,
    waiting: WaitingOption = None,
    bell: BellOption = False,
    utc: UtcOption = False,
    tz: TzOption = None,
) -> None:
    """Follow sessions live, message by message.

    Begins with what was said last. Ends when every named session has ended; with --all it goes on until
    Ctrl-C.
    """
    if bool(ids) == every:
        wrong = "tail takes ids or --all, not both" if ids else "tail takes the ids of sessions, or --all"
        raise UsageError(wrong, hint="`smscli list` shows the ids")
    zone, mode, pushed = zone_of(utc, tz), typing_mode(typing, json=json), wants_push(push)
    entry_filter = selection.entry_filter(
        now=datetime.now(UTC),
        report=lambda message: app.notice("skipped", message),
        zone=zone,
        since=since,
        **filters._asdict(),
    )
    # A time to begin at takes the place of a number to begin with.
    keep = last_entries(last if last is not None or since is not None else _LAST)
    rhythm, file = interval_seconds(interval), record_file(record)
    many = every or len(ids or ()) > 1
    writer = entry_writer(app.terminal, mode, json=False, jsonl=json, many=many, zone=zone)
    screen = Screen(
        app, writer, nap(app, pushed), View(mode, entry_filter, keep, waiting_limit(waiting), bell)
    )
    recorder = Recorder(app, file, redact) if file is not None else None
    takers: list[Callable[[Event], None]] = [*([recorder.take] if recorder else []), screen.take]
    app.terminal.heed_ctrl_z()
    app.notice("whose", f"following the SMS sessions of {app.user} at {app.host}")
    resume = recorder.cursors if recorder else None
    happening = events(
        app, FollowReads(app, redact), ids, wait=screen.wait, interval=rhythm, pushed=pushed, resume=resume
    )
    for event in happening:
        for take in takers:
            take(event)
    writer.close()


class Recorder:
    """Keeps every message in a file before it is shown, and knows where an earlier run left off."""

    def __init__(self, app: AppContext, path: str, redact: bool) -> None:
        from smscli.recordings.recording import Recording

        self._recording = Recording.open(path, redact=redact)
        app.on_close(self._recording.close)
        self.cursors: dict[str, Cursor] = {}
        for message in self._recording.messages():
            self.cursors.setdefault(message.session_id, Cursor()).recall(message)

    def take(self, event: Event) -> None:
        if isinstance(event, NewMessages):
            self._recording.append(event.messages)
        elif isinstance(event, Idle):
            self._recording.sync()
