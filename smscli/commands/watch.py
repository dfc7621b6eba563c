"""`smscli list --watch`: a live list, redrawn in place, with the same feed as `tail`."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from math import inf

from smscli.commands.activity import SessionReader
from smscli.commands.list import ListQuery
from smscli.commands.live import ServerClock, StatusReporter, WaitAlert, events
from smscli.commands.notices import no_live_sessions, none_matches, notice_no_match
from smscli.context import AppContext
from smscli.errors import UsageError
from smscli.model import (
    SAID_TYPES,
    Event,
    Idle,
    ListRead,
    NewMessages,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.output.columns import ListedSession
from smscli.output.render.session_list import SessionRow
from smscli.output.render.watch import FollowStatus, LiveList
from smscli.transcript.activity import Activity

# Seconds for which a change is marked, and for which a session stays that has gone.
_MARKED_SECONDS = 10.0
# Seconds for which notices stay below the list.
_NOTICE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Which sessions to watch and how; `waiting` is for how many seconds a customer may wait."""

    query: ListQuery
    waiting: float | None
    interval: float
    pushed: bool
    redact: bool
    zone: tzinfo | None


def watch_list(app: AppContext, options: WatchOptions) -> None:
    """Show the live list until `q` or Ctrl-C."""
    if not app.terminal.has_live_line:
        raise UsageError("--watch needs a terminal", hint="in a pipe: `smscli tail --all`")
    app.terminal.handle_ctrl_z()
    app.terminal.read_keys()
    screen = ListWatcher(app, options)
    following = events(
        app,
        None,
        redact=options.redact,
        interval=options.interval,
        pushed=options.pushed,
        refresh=screen.refresh,
    )
    with suppress(_Quit):
        for event in following:
            screen.on_event(event)


class _Quit(Exception):
    """`q` was pressed."""


class WatchedSession:
    """One session of the list and the activity of its log; `shown` is the session masked with `--redact`.

    Times are those of the monotonic clock.
    """

    def __init__(self, session: Session, shown: Session) -> None:
        self.session = session
        self.shown = shown
        self._reader = SessionReader(shown)
        self.changed_at = -inf
        self.gone_at = inf
        self._is_read = False

    def listed(self, session: Session, shown: Session, now: float) -> None:
        if session != self.session or self.gone_at < inf:
            self.changed_at = now
        self.session, self.shown, self.gone_at = session, shown, inf
        self.activity.session = shown

    def read(self, read: NewMessages, now: float) -> None:
        for message in read.messages:
            self._reader.add(message)
        if not read.first and any(message.type in SAID_TYPES for message in read.messages):
            self.changed_at = now
        self._is_read = self._is_read or read.done

    @property
    def activity(self) -> Activity:
        return self._reader.activity

    @property
    def may_wait(self) -> bool:
        """Whether the log has been read and the session is still listed."""
        return self._is_read and self.gone_at == inf

    def row(self, now: float, at: datetime | None, overdue: bool) -> SessionRow:
        """The row to draw; `at` is the server's clock."""
        activity = self._reader.summary(at) if self._is_read else None
        is_gone = self.gone_at < inf
        return SessionRow(
            ListedSession(self.shown, activity), overdue, now - self.changed_at < _MARKED_SECONDS, is_gone
        )


class ListWatcher:
    """Draws the live list from the events of a feed.

    Of a session that has gone all is kept: should it come back, its log is read on from where it was.
    """

    def __init__(self, app: AppContext, options: WatchOptions) -> None:
        self._app = app
        self._query = options.query
        self._redact = options.redact
        self._sessions: dict[str, WatchedSession] = {}
        self._server_clock = ServerClock(app.clock)
        self._reporter = StatusReporter(app, self._server_clock, options.zone)
        self._alert = WaitAlert(app, options.waiting, options.zone)
        whose = app.whose
        self._draw = LiveList(app.terminal, whose, options.query.columns, options.zone)
        self._painted: tuple[object, ...] = ()
        self._changes = 0
        self._is_listed = False
        self._last_notice: tuple[str, float] = ("", -inf)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Idle):
            self.refresh()
            return
        self._changes += 1
        match event:
            case ListRead():
                self._listed(event)
            case NewMessages():
                self._read(event)
            case SessionStarted():
                self._sessions[event.session.id].changed_at = self._app.clock() if event.announce else -inf
            case SessionEnded():
                self._sessions[event.session_id].gone_at = self._app.clock()
        self._reporter.report(event)

    def refresh(self) -> None:
        """Redraw, unless nothing can have changed."""
        if "q" in self._app.terminal.keys().lower():
            raise _Quit
        if not self._is_listed:
            return
        terminal, at, now = self._app.terminal, self._server_clock.now(), self._app.clock()
        painted = (self._changes, terminal.width, terminal.height, int(now), len(terminal.held_lines))
        if painted == self._painted:
            return
        self._painted = painted
        rows = self._rows(now, at)
        below = self._below(now)
        status = FollowStatus(self._reporter.status, self._reporter.is_live, at)
        lines = max(terminal.height - len(below), 1)
        terminal.show(self._draw(status, rows, lines, self._empty()), below)

    def _listed(self, event: ListRead) -> None:
        now, listing = self._app.clock(), event.listing
        self._server_clock.set(listing.at)
        # Filters judge the sessions before masking.
        unmasked = (listing.original or listing).sessions
        for session, shown in zip(unmasked, listing.sessions, strict=True):
            if session.id not in self._sessions:
                self._sessions[session.id] = WatchedSession(session, shown)
            self._sessions[session.id].listed(session, shown, now)
        if not self._is_listed:
            self._is_listed = True
            notice_no_match(self._app, self._query.notices(unmasked), redact=self._redact)
        # At once, before any log is read: notices from now on appear below the list.
        self.refresh()

    def _read(self, event: NewMessages) -> None:
        self._server_clock.set(event.at)
        if watched := self._sessions.get(event.session_id):
            watched.read(event, self._app.clock())

    def _empty(self) -> str:
        """Why the list is empty."""
        live = sum(seen.gone_at == inf for seen in self._sessions.values())
        return none_matches(live) if live else no_live_sessions(self._app)

    def _below(self, now: float) -> list[str]:
        """The recent notices."""
        notices = [*self._app.terminal.held_lines]
        if notices and notices[-1] is not self._last_notice[0]:
            self._last_notice = (notices[-1], now)
        is_recent = now - self._last_notice[1] < _NOTICE_SECONDS
        return self._draw.below(notices, self._app.terminal.height) if is_recent else []

    def _rows(self, now: float, at: datetime | None) -> list[SessionRow]:
        """The sessions that match the filters, in order."""
        visible = [seen.session for seen in self._sessions.values() if now - seen.gone_at < _MARKED_SECONDS]
        rows = {one.id: self._row(self._sessions[one.id], now, at) for one in self._query.select(visible)}
        # Sorted by what is not masked: masked values are all alike.
        sessions = [row.listed._replace(session=self._sessions[key].session) for key, row in rows.items()]
        return [rows[one.session.id] for one in self._query.arrange(sessions)]

    def _row(self, seen: WatchedSession, now: float, at: datetime | None) -> SessionRow:
        overdue = seen.may_wait and self._alert.exceeded(seen.session.id, seen.activity, at)
        return seen.row(now, at, bool(overdue))
