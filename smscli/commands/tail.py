"""`smscli tail`: follow sessions live."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from smscli.commands import options as opt
from smscli.commands.live import events, waiting_limit
from smscli.commands.naming import session_ids
from smscli.commands.tail_view import TailOptions, TailView
from smscli.context import AppContext
from smscli.errors import NotFound, UsageError
from smscli.follow.cursor import Cursor
from smscli.model import Event, Idle, NewMessages
from smscli.output.formats import OutputFormat, output_format
from smscli.output.view import EntryView

_DEFAULT_LAST = "10"


def tail(
    app: AppContext,
    ids: opt.IdsArgument = None,
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

    Starts with the last entries. Ends when every named session has ended; with --all it runs until Ctrl-C.
    """
    _check_targets(ids, every)
    zone, pushed = opt.zone_option(utc, tz), opt.uses_push(push)
    form = output_format(app.terminal, jsonl=json, zone=zone)
    view = TailOptions(
        opt.typing_mode(typing, form.typing),
        opt.parse_entry_query(app, filters, zone, since=since),
        # --since takes the place of the default number of entries.
        opt.last_entries(_DEFAULT_LAST if last is None and since is None else last),
        waiting_limit(waiting),
        bell,
        redact,
        zone,
    )
    seconds, file = opt.interval_seconds(interval), opt.record_file(record)
    recorder = Recorder(app, app.file(file), redact) if file is not None else None
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
        """Follow these sessions until they have ended, or all until Ctrl-C. NotFound if the server has one of
        them not."""
        view = replace(self.view, ids=tuple(ids) if ids else None)
        many = ids is None or len(ids) > 1
        writer = self.form.entries(view.typing, EntryView(many, wide=self.wide))
        screen = TailView(app, writer, view)
        recorder = self.recorder
        following = events(
            app,
            ids,
            redact=view.redact,
            interval=self.interval,
            pushed=self.pushed,
            refresh=screen.refresh,
            resume=recorder.cursors if recorder else None,
        )
        for event in following:
            if recorder:
                recorder.record(event)
            screen.on_event(event)
        screen.finish()


def _check_targets(ids: Sequence[str] | None, every: bool) -> None:
    """Refuse neither ids nor `--all`, and both. UsageError."""
    if bool(ids) == every:
        wrong = "tail takes ids or --all, not both" if ids else "tail takes the ids of sessions, or --all"
        raise UsageError(wrong, hint="`smscli list` shows the ids")


class Recorder:
    """Records every message before it is shown; `cursors`: where an earlier run stopped, by session id."""

    def __init__(self, app: AppContext, path: str, redact: bool) -> None:
        from smscli.recordings.writing import Recording

        self._recording = Recording.open(path, redact=redact)
        app.on_close(self._recording.close)
        self.cursors: dict[str, Cursor] = {}
        for message in self._recording.messages():
            self.cursors.setdefault(message.session_id, Cursor()).recall(message)

    def record(self, event: Event) -> None:
        if isinstance(event, NewMessages):
            self._recording.append(event.messages)
        elif isinstance(event, Idle):
            self._recording.sync()
