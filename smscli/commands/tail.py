"""`smscli tail`: follow sessions live."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smscli.commands import option_values as values
from smscli.commands import options as opt
from smscli.commands.following import (
    FollowOptions,
    ProfileEvent,
    Resumed,
    configured,
    events,
    followed_servers,
    recorded_events,
)
from smscli.commands.naming import named_sessions, session_ids
from smscli.commands.profiles import read_lists, selected_profiles
from smscli.commands.sources import check_named, open_sources, stream_address
from smscli.commands.tail_view import TailOptions, TailView
from smscli.context import AppContext
from smscli.errors import NotFound, UsageError
from smscli.follow.cursor import Cursor, Position
from smscli.follow.rate import LIMIT
from smscli.model import Event, Idle, Message
from smscli.output.formats import OutputFormat, output_format
from smscli.output.view import EntryView
from smscli.records import SessionKey, message_key

if TYPE_CHECKING:
    from smscli.commands.publishing import StreamPublishing
    from smscli.recordings.format import PositionRecord
    from smscli.recordings.recorder import Recorder

_DEFAULT_LAST = "10"


def tail(
    app: AppContext,
    sessions: opt.IdsArgument = None,
    source: opt.SourceOption = None,
    nats_creds: opt.CredentialsOption = None,
    every: opt.AllOption = False,
    json: opt.TailJsonOption = False,
    last: opt.TailLastOption = None,
    since: opt.SinceOption = None,
    filters: opt.Filters = opt.NO_FILTERS,
    typing: opt.TypingOption = None,
    interval: opt.IntervalOption = None,
    push: opt.PushOption = None,
    record: opt.RecordOption = None,
    to: opt.PublishOption = None,
    redact: opt.RedactOption = False,
    waiting: opt.TailWaitingOption = None,
    bell: opt.BellOption = False,
    wide: opt.WideOption = False,
    utc: opt.UtcOption = False,
    tz: opt.TzOption = None,
    every_profile: opt.AllProfilesOption = False,
) -> None:
    """Follow sessions live, message by message.

    Starts with the last entries. Ends when every named session has ended; with --all it runs until Ctrl-C. A
    recording that another `tail` writes is followed as it grows, without the server.
    """
    ids = open_sources(app, sessions, source, nats_creds, stdin=False)
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
    if app.reads_recordings and (file is not None or to is not None):
        option = "--to" if file is None else "--record"
        raise UsageError(f"{option} works with a server only, not with a recording or a stream")
    if to is not None:
        stream_address(to)
    apps = configured(selected_profiles(app, every=every_profile))
    recorder = _recorder(apps, app.file(file), redact) if file is not None else None
    resume = _resumed(recorder) if recorder else {}
    publishing = _publishing(apps, to, nats_creds, resume, redact=redact) if to is not None else None
    following = Following(form, view, seconds, pushed, recorder, publishing, resume, wide)
    app.terminal.handle_ctrl_z()
    if not ids:
        following.run(apps, None)
        return
    if len(apps) > 1:
        following.run(*_named(apps, ids, redact=redact))
        return
    named = session_ids(app, ids, redact=redact)
    try:
        following.run(apps, {apps[0]: named})
    except NotFound:
        # Refused before anything was shown: what looked like an id may be a customer's name.
        others = session_ids(app, named, redact=redact, by_list=True)
        if others == named:
            raise
        following.run(apps, {apps[0]: others})


@dataclass(frozen=True, slots=True)
class Following:
    """How sessions are followed: the format, what to show, polling interval in seconds, whether to use push,
    the recorder, what is published, where an earlier run stopped, and `--wide`."""

    form: OutputFormat
    view: TailOptions
    interval: float
    pushed: bool
    recorder: "Recorder | None"
    publishing: "StreamPublishing | None"
    resume: Mapping[str, Resumed]
    wide: bool

    def run(self, apps: Sequence[AppContext], ids: Mapping[AppContext, Sequence[str]] | None) -> None:
        """Follow these sessions of each profile until they have ended, or all until Ctrl-C. Raises NotFound
        if the server doesn't have one of them."""
        named = None if ids is None else tuple(dict.fromkeys(one for some in ids.values() for one in some))
        view = self.view._replace(ids=named)
        many = named is None or len(named) > 1 or len(apps) > 1
        writer = self.form.entries(view.typing, EntryView(many, wide=self.wide, profiles=len(apps) > 1))
        screen = TailView(apps, writer, view)
        for app, event in self._events(apps, ids, screen):
            if isinstance(event, Idle) and self.recorder:
                self.recorder.sync()
            elif app in apps:
                # What is about all of several profiles is about no server.
                self._keep(app, event)
            screen.on_event(app, event)
            if self.publishing:
                # Also while so much comes that nothing is waited for.
                self.publishing.report()
        screen.finish()

    def _events(
        self, apps: Sequence[AppContext], ids: Mapping[AppContext, Sequence[str]] | None, screen: TailView
    ) -> Iterator[ProfileEvent]:
        recorder, publishing, (app, *_) = self.recorder, self.publishing, apps

        def refresh() -> None:
            if recorder:
                recorder.write()
            if publishing:
                publishing.report()
            screen.refresh()

        if app.recorded:
            named = None if ids is None else ids[app]
            return recorded_events(app, named, redact=self.view.redact, refresh=screen.refresh)
        options = FollowOptions(self.view.redact, self.interval, self.pushed, refresh, self.resume)
        if publishing:
            options = replace(options, reads_per_second=LIMIT - publishing.reads_per_second)
        return events(apps, ids, options)

    def _keep(self, app: AppContext, event: Event) -> None:
        if self.recorder:
            self.recorder.on_event(event, app.server_name, app.label)
        if self.publishing:
            self.publishing.on_event(app, event)


def _named(
    apps: Sequence[AppContext], names: Sequence[str], *, redact: bool
) -> tuple[list[AppContext], dict[AppContext, list[str]]]:
    """The profiles that have the named sessions, and which of them each has. NotFound."""
    found: dict[AppContext, list[str]] = {}
    for shared in named_sessions(apps, read_lists(apps), names, redact=redact):
        for app, session in shared.views:
            found.setdefault(app, []).append(session.id)
    return [*found], found


def _recorder(apps: Sequence[AppContext], path: str, redact: bool) -> "Recorder":
    """The recorder of a file, which is locked from now on. LocalError, UsageError."""
    from smscli.recordings.recorder import Recorder

    app = apps[0]
    recorder = Recorder(
        path,
        servers=followed_servers(apps),
        redact=redact,
        notice=lambda message: app.root.notice("recording", message),
    )
    app.root.on_close(recorder.close)
    return recorder


def _publishing(
    apps: Sequence[AppContext],
    to: str,
    credentials: str | None,
    resume: Mapping[str, Resumed],
    *,
    redact: bool,
) -> "StreamPublishing":
    """What publishes to this stream, which is there from now on. SmscliError."""
    from smscli.commands.publishing import StreamPublishing

    resumed = [SessionKey(server, one) for server, of_server in resume.items() for one in of_server.cursors]
    publishing = StreamPublishing(apps, redact=redact, resumed=resumed)
    publishing.open(to, credentials)
    return publishing


def _resumed(recorder: "Recorder") -> dict[str, Resumed]:
    """Where an earlier run stopped, by server."""
    resumed: dict[str, Resumed] = {}
    for one in recorder.resume():
        of_server = resumed.setdefault(one.server, Resumed())
        session_id = one.record.session_id
        cursor = of_server.cursors.setdefault(session_id, Cursor())
        if one.profile:
            of_server.profiles[session_id] = one.profile
        if isinstance(one.record, Message):
            cursor.recall(one.record)
        else:
            cursor.restore(_position(recorder, one.server, one.record))
    return resumed


def _position(recorder: "Recorder", server: str, record: "PositionRecord") -> Position:
    keys = {record.key, *record.unplaced}
    return Position(
        record.order,
        lambda message: message_key(message) in keys,
        record.gaps,
        lambda: recorder.older_messages(server, record.session_id),
        record.at,
    )
