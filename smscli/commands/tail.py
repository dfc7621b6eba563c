"""`smscli tail`: follow sessions live."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smscli.commands import option_values as values
from smscli.commands import options as opt
from smscli.commands.live import events, recorded_events
from smscli.commands.naming import session_ids
from smscli.commands.sources import check_named, open_sources
from smscli.commands.tail_view import TailOptions, TailView
from smscli.context import AppContext
from smscli.errors import NotFound, UsageError
from smscli.follow.cursor import Cursor, Position
from smscli.model import Message
from smscli.output.formats import OutputFormat, output_format
from smscli.output.view import EntryView
from smscli.records import message_key

if TYPE_CHECKING:
    from smscli.recordings.format import PositionRecord
    from smscli.recordings.recorder import Recorder

_DEFAULT_LAST = "10"


def tail(
    app: AppContext,
    sessions: opt.IdsArgument = None,
    source: opt.SourceOption = None,
    every: opt.AllOption = False,
    json: opt.TailJsonOption = False,
    last: opt.TailLastOption = None,
    since: opt.SinceOption = None,
    filters: opt.Filters = opt.NO_FILTERS,
    typing: opt.TypingOption = None,
    interval: opt.IntervalOption = None,
    push: opt.PushOption = None,
    record: opt.RecordOption = None,
    redact: opt.RedactOption = False,
    waiting: opt.TailWaitingOption = None,
    bell: opt.BellOption = False,
    wide: opt.WideOption = False,
    utc: opt.UtcOption = False,
    tz: opt.TzOption = None,
) -> None:
    """Follow sessions live, message by message.

    Starts with the last entries. Ends when every named session has ended; with --all it runs until Ctrl-C. A
    recording that another `tail` writes is followed as it grows, without the server.
    """
    ids = open_sources(app, sessions, source, stdin=False)
    check_named(app, "tail", ids, every=every)
    zone, pushed = values.zone_option(utc, tz), values.uses_push(push)
    form = output_format(app.terminal, jsonl=json, zone=zone)
    view = TailOptions(
        values.typing_mode(typing, form.typing),
        values.parse_entry_query(app, filters, zone, since=since),
        # --since takes the place of the default number of entries.
        values.last_entries(_DEFAULT_LAST if last is None and since is None else last),
        values.waiting_seconds(waiting),
        bell,
        redact,
        zone,
    )
    seconds, file = values.interval_seconds(interval), values.record_file(record)
    if file is not None and app.reads_recordings:
        raise UsageError("--record works with a server only, not with a recording")
    recorder = _recorder(app, app.file(file), redact) if file is not None else None
    following = Following(form, view, seconds, pushed, recorder, wide)
    app.terminal.handle_ctrl_z()
    if not ids:
        following.run(app, None)
        return
    named = session_ids(app, ids, redact=redact)
    try:
        following.run(app, named)
    except NotFound:
        # Refused before anything was shown: what looked like an id may be a customer's name.
        others = session_ids(app, named, redact=redact, by_list=True)
        if others == named:
            raise
        following.run(app, others)


@dataclass(frozen=True, slots=True)
class Following:
    """How sessions are followed: the format, what to show, polling interval in seconds, whether to use push,
    the recorder, and `--wide`."""

    form: OutputFormat
    view: TailOptions
    interval: float
    pushed: bool
    recorder: "Recorder | None"
    wide: bool

    def run(self, app: AppContext, ids: Sequence[str] | None) -> None:
        """Follow these sessions until they have ended, or all until Ctrl-C. Raises NotFound if the server
        doesn't have one of them."""
        view = replace(self.view, ids=tuple(ids) if ids else None)
        many = ids is None or len(ids) > 1
        writer = self.form.entries(view.typing, EntryView(many, wide=self.wide))
        screen = TailView(app, writer, view)
        recorder = self.recorder

        def refresh() -> None:
            if recorder:
                recorder.write()
            screen.refresh()

        if app.recorded:
            following = recorded_events(app, ids, redact=view.redact, refresh=screen.refresh)
        else:
            following = events(
                app,
                ids,
                redact=view.redact,
                interval=self.interval,
                pushed=self.pushed,
                refresh=refresh,
                resume=_cursors(recorder) if recorder else None,
            )
        for event in following:
            if recorder:
                recorder.on_event(event)
            screen.on_event(event)
        screen.finish()


def _recorder(app: AppContext, path: str, redact: bool) -> "Recorder":
    """The recorder of a file, which is locked from now on. LocalError, UsageError."""
    from smscli.recordings.recorder import Recorder

    recorder = Recorder(
        path,
        server=app.server_name,
        redact=redact,
        notice=lambda message: app.notice("recording", message),
        now=lambda: app.server_time,
    )
    app.on_close(recorder.close)
    return recorder


def _cursors(recorder: "Recorder") -> dict[str, Cursor]:
    """Where an earlier run stopped, by session id."""
    cursors: dict[str, Cursor] = {}
    for record in recorder.resume():
        cursor = cursors.setdefault(record.session_id, Cursor())
        if isinstance(record, Message):
            cursor.recall(record)
        else:
            cursor.restore(_position(recorder, record))
    return cursors


def _position(recorder: "Recorder", record: "PositionRecord") -> Position:
    keys = {record.key, *record.unplaced}
    return Position(
        record.order,
        lambda message: message_key(message) in keys,
        record.gaps,
        lambda: recorder.older_messages(record.session_id),
        record.at,
    )
