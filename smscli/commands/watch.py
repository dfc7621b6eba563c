"""`smscli list --watch`: a live list, redrawn in place, with the same feed as `tail`."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from math import inf

from smscli.commands.activity import SessionReader
from smscli.commands.list import ListQuery
from smscli.commands.live import (
    Arrivals,
    FollowReads,
    ServerClock,
    StatusReporter,
    WaitAlert,
    events,
    wait_and_refresh,
)
from smscli.commands.notices import no_live_sessions, none_matches, notice_no_match
from smscli.context import AppContext
from smscli.errors import UsageError
from smscli.follow.feed import Wait
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

Mask = Callable[[Session], Session]


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
    reads = FollowReads(app, options.redact, pushed=options.pushed, lists_masked=False)
    screen = ListWatcher(app, options, reads.wait)
    happening = events(app, reads, None, wait=screen.wait, interval=options.interval, pushed=options.pushed)
    with suppress(_Quit):
        for event in happening:
            screen.on_event(event)


class _Quit(Exception):
    """`q` was pressed."""


class WatchedSession:
    """One session of the list and the activity of its log; `shown` is the session masked with `--redact`.

    Times are those of the monotonic clock.
    """

    def __init__(self, session: Session, mask: Mask) -> None:
        self.session = session
        self.shown = mask(session)
        self._reader = SessionReader(self.shown)
        self.changed_at = -inf
        self.gone_at = inf
        self._mask = mask
        self._is_read = False

    def listed(self, session: Session, now: float) -> None:
        if session != self.session or self.gone_at < inf:
            self.changed_at = now
            self.shown = self._mask(session)
        self.session, self.gone_at = session, inf
        self._reader.activity.session = self.shown

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

    def __init__(self, app: AppContext, options: WatchOptions, wait: Wait) -> None:
        self._app = app
        self._query = options.query
        self._redact = options.redact
        self._has_reported = False
        self._mask = _mask(options.redact)
        self._wait = wait
        self._sessions: dict[str, WatchedSession] = {}
        self._reporter = StatusReporter(app)
        self._server_clock = ServerClock(app.clock)
        self._alert = WaitAlert(app, options.waiting, options.zone)
        whose = f"of {app.user} at {app.host}"
        self._draw = LiveList(app.terminal, whose, options.query.columns, options.zone)
        self._painted: tuple[object, ...] = ()
        self._changes = 0
        self._is_listed = False
        self._last_notice: tuple[str, float] = ("", -inf)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Idle):
            self._paint()
            return
        self._changes += 1
        match event:
            case ListRead():
                self._listed(event)
            case NewMessages():
                self._read(event)
            case SessionStarted():
                self._sessions[event.session.id].changed_at = self._app.clock() if event.announce else -inf
                event = event._replace(session=self._mask(event.session))
            case SessionEnded():
                self._sessions[event.session_id].gone_at = self._app.clock()
        self._reporter.report(event)

    def wait(self, seconds: float) -> Arrivals:
        """Wait for a wake-up, at most so many seconds, and redraw meanwhile."""
        return wait_and_refresh(self._app, self._wait, seconds, self._paint)

    def _listed(self, event: ListRead) -> None:
        self._is_listed = True
        now, listing = self._app.clock(), event.listing
        self._server_clock.set(listing.at)
        for session in listing.sessions:
            if session.id not in self._sessions:
                self._sessions[session.id] = WatchedSession(session, self._mask)
            self._sessions[session.id].listed(session, now)
        if not self._has_reported:
            self._has_reported = True
            notice_no_match(self._app, self._query.notices(listing.sessions), redact=self._redact)
        # At once, before any log is read: notices from now on appear below the list.
        self._paint()

    def _read(self, event: NewMessages) -> None:
        self._server_clock.set(event.at)
        if watched := self._sessions.get(event.session_id):
            watched.read(event, self._app.clock())

    def _paint(self) -> None:
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

    def _empty(self) -> str:
        """Why the list is empty."""
        live = sum(seen.gone_at == inf for seen in self._sessions.values())
        return none_matches(live) if live else no_live_sessions(self._app)

    def _below(self, now: float) -> list[str]:
        """The recent notices."""
        asides = [*self._app.terminal.held_lines]
        if asides and asides[-1] is not self._last_notice[0]:
            self._last_notice = (asides[-1], now)
        return (
            self._draw.below(asides, self._app.terminal.height)
            if now - self._last_notice[1] < _NOTICE_SECONDS
            else []
        )

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


def _mask(redact: bool) -> Mask:
    """Masks sessions with `--redact`."""
    if not redact:
        return lambda session: session
    from smscli.transcript import redact as masking

    return masking.mask_session
