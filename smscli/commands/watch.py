"""`smscli list --watch`: a live list, redrawn in place, with the same feed as `tail`."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from math import inf
from typing import NamedTuple

from smscli.commands.activity import SessionReader
from smscli.commands.following import FollowOptions, events
from smscli.commands.list import ListQuery
from smscli.commands.live import ServerClocks, StatusReporter, WaitAlert, session_key
from smscli.commands.notices import no_live_sessions, none_matches, notice_no_match
from smscli.context import AppContext
from smscli.errors import UsageError
from smscli.model import (
    SAID_TYPES,
    Event,
    Idle,
    ListRead,
    NewMessages,
    ReaderChanged,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.output.columns import ListedSession
from smscli.output.render.session_list import SessionRow
from smscli.output.render.watch import FollowStatus, LiveList
from smscli.records import SessionKey
from smscli.transcript.activity import Activity

# Seconds for which a change is marked, and for which a session stays that has gone.
_MARKED_SECONDS = 10.0
# Seconds for which notices stay below the list.
_NOTICE_SECONDS = 60.0


class WatchOptions(NamedTuple):
    """Which sessions to watch and how; `waiting` is for how many seconds a customer may wait."""

    query: ListQuery
    waiting: float | None
    interval: float
    pushed: bool
    redact: bool
    zone: tzinfo | None


def watch_list(apps: Sequence[AppContext], options: WatchOptions) -> None:
    """Show the live list until `q` or Ctrl-C."""
    app = apps[0]
    if not app.terminal.has_live_line:
        raise UsageError("--watch needs a terminal", hint="in a pipe: `smscli tail --all`")
    app.terminal.handle_ctrl_z()
    app.terminal.read_keys()
    screen = ListWatcher(apps, options)
    how = FollowOptions(options.redact, options.interval, options.pushed, screen.refresh)
    with suppress(_Quit):
        for of, event in events(apps, None, how):
            screen.on_event(of, event)


class _Quit(Exception):
    """`q` was pressed."""


class WatchedSession:
    """One session of the list and the activity of its log; `shown` is the session masked with `--redact`,
    `app` the context of the profile that shows it.

    Times are those of the monotonic clock.
    """

    def __init__(self, app: AppContext, session: Session, shown: Session) -> None:
        self.app = app
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
        listed = ListedSession(self.shown, activity, self.app.label)
        return SessionRow(listed, overdue, now - self.changed_at < _MARKED_SECONDS, self.gone_at < inf)


class ListWatcher:
    """Draws the live list from the events of a feed.

    Of a session that has gone all is kept: should it come back, its log is read on from where it was.
    """

    def __init__(self, apps: Sequence[AppContext], options: WatchOptions) -> None:
        self._apps = apps
        self._app = app = apps[0]
        self._query = options.query
        self._redact = options.redact
        self._sessions: dict[SessionKey, WatchedSession] = {}
        self._clocks = ServerClocks(app.clock)
        self._reporter = StatusReporter(apps, self._clocks, options.zone)
        self._alert = WaitAlert(options.waiting, options.zone)
        whose = app.whose if len(apps) == 1 else f"of {len(apps)} profiles"
        self._draw = LiveList(app.terminal, whose, options.query.columns, options.zone)
        self._painted: tuple[object, ...] = ()
        self._changes = 0
        self._is_listed = False
        self._last_notice: tuple[str, float] = ("", -inf)

    def on_event(self, app: AppContext, event: Event) -> None:
        if isinstance(event, Idle):
            self.refresh()
            return
        self._changes += 1
        match event:
            case ListRead():
                self._listed(app, event)
            case NewMessages():
                self._read(app, event)
            case SessionStarted():
                one = self._sessions[session_key(app, event.session.id)]
                one.changed_at = app.clock() if event.announce else -inf
            case SessionEnded():
                self._sessions[session_key(app, event.session_id)].gone_at = app.clock()
            case ReaderChanged():
                self._sessions[session_key(app, event.session_id)].app = app
        self._reporter.report(app, event)

    def refresh(self) -> None:
        """Redraw, unless nothing can have changed."""
        if "q" in self._app.terminal.keys().lower():
            raise _Quit
        if not self._is_listed:
            return
        terminal, at, now = self._app.terminal, self._clocks.now(self._app), self._app.clock()
        painted = (self._changes, terminal.width, terminal.height, int(now), len(terminal.held_lines))
        if painted == self._painted:
            return
        self._painted = painted
        rows = self._rows(now)
        below = self._below(now)
        status = FollowStatus(self._reporter.status, self._reporter.is_live, at)
        lines = max(terminal.height - len(below), 1)
        terminal.show(self._draw(status, rows, lines, self._empty()), below)

    def _listed(self, app: AppContext, event: ListRead) -> None:
        now, listing = app.clock(), event.listing
        self._clocks.set(app, listing.at)
        # Filters judge the sessions before masking.
        unmasked = (listing.original or listing).sessions
        for session, shown in zip(unmasked, listing.sessions, strict=True):
            key = session_key(app, session.id)
            if key not in self._sessions:
                self._sessions[key] = WatchedSession(app, session, shown)
            self._sessions[key].listed(session, shown, now)
        if not self._is_listed:
            self._is_listed = True
            notice_no_match(self._app.root, self._query.notices(unmasked), redact=self._redact)
        # At once, before any log is read: notices from now on appear below the list.
        self.refresh()

    def _read(self, app: AppContext, event: NewMessages) -> None:
        self._clocks.set(app, event.at)
        if watched := self._sessions.get(session_key(app, event.session_id)):
            watched.app = app
            watched.read(event, self._app.clock())

    def _empty(self) -> str:
        """Why the list is empty."""
        live = sum(seen.gone_at == inf for seen in self._sessions.values())
        return none_matches(live) if live else no_live_sessions(*self._apps)

    def _below(self, now: float) -> list[str]:
        """The recent notices."""
        notices = [*self._app.terminal.held_lines]
        if notices and notices[-1] is not self._last_notice[0]:
            self._last_notice = (notices[-1], now)
        is_recent = now - self._last_notice[1] < _NOTICE_SECONDS
        return self._draw.below(notices, self._app.terminal.height) if is_recent else []

    def _rows(self, now: float) -> list[SessionRow]:
        """The sessions that match the filters, in order."""
        # What is known of sessions whose profile was given up grows old.
        current = [one for one in self._sessions.values() if self._reporter.is_followed(one.app)]
        recent = [one for one in current if now - one.gone_at < _MARKED_SECONDS]
        visible = [one for one in recent if self._query.passes(one.session)]
        rows = {id(one.session): self._row(one, now) for one in visible}
        # Sorted by what is not masked: masked values are all alike.
        sessions = [rows[id(one.session)].listed._replace(session=one.session) for one in visible]
        return [rows[id(one.session)] for one in self._query.arrange(sessions)]

    def _row(self, seen: WatchedSession, now: float) -> SessionRow:
        at = self._clocks.now(seen.app)
        overdue = seen.may_wait and self._alert.exceeded(seen.app, seen.session.id, seen.activity, at)
        return seen.row(now, at, bool(overdue))
