"""`smscli list --watch`: the list as it is now, kept on the screen, fed as `tail` is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from math import inf

from smscli.commands.list import ListQuery
from smscli.commands.live import (
    Arrivals,
    FollowReads,
    ServerClock,
    StatusReporter,
    WaitAlert,
    events,
    wait_and_refresh,
    waiting_limit,
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
from smscli.output.columns import WAITING
from smscli.output.render.watch import FollowStatus, LiveList, LiveRow
from smscli.transcript.activity import Activity
from smscli.transcript.fold import transcript_for

# A change is marked for so many seconds, and a session that has gone stays for as long.
_NEWS = 10.0
# What was said stands below the list for so long.
_TOLD = 60.0

Mask = Callable[[Session], Session]


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Which sessions to watch and how; `waiting` is for how long a customer may wait."""

    query: ListQuery
    waiting: str | None
    interval: float
    pushed: bool
    redact: bool
    zone: tzinfo | None


def watch_list(app: AppContext, asked: WatchOptions) -> None:
    """Keep the list on the screen until Ctrl-C."""
    if not app.terminal.has_live_line:
        raise UsageError("--watch needs a terminal", hint="in a pipe: `smscli tail --all`")
    app.terminal.handle_ctrl_z()
    reads = FollowReads(app, asked.redact, pushed=asked.pushed, lists_masked=False)
    screen = ListWatcher(app, asked, reads.wait)
    happening = events(app, reads, None, wait=screen.wait, interval=asked.interval, pushed=asked.pushed)
    for event in happening:
        screen.take(event)


class WatchedSession:
    """One session: what the list says of it, `shown` is how that may be seen, and what its log tells.

    Times are the local clock's.
    """

    def __init__(self, session: Session, mask: Mask) -> None:
        self.session = session
        self.shown = mask(session)
        self.activity = Activity(self.shown)
        self.changed_at = -inf
        self.gone_at = inf
        self._mask = mask
        self._drafts = transcript_for("fold")()
        self._is_read = False

    def listed(self, session: Session, now: float) -> None:
        if session != self.session or self.gone_at < inf:
            self.changed_at = now
            self.shown = self._mask(session)
        self.session, self.gone_at = session, inf
        self.activity.session = self.shown

    def read(self, read: NewMessages, now: float) -> None:
        for message in read.messages:
            self.activity.add(message)
            self._drafts.add(message)
        if not read.first and any(message.type in SAID_TYPES for message in read.messages):
            self.changed_at = now
        self._is_read = self._is_read or read.done

    @property
    def may_wait(self) -> bool:
        """Whether the log has been read and the session is still listed."""
        return self._is_read and self.gone_at == inf

    def row(self, now: float, at: datetime | None, overdue: bool) -> LiveRow:
        """As it is now; `at` is the server's clock."""
        self._drafts.expire(at)
        wait = self.activity.wait() if self.may_wait else None
        return LiveRow(
            self.shown,
            wait.seconds(at) if wait else None,
            overdue,
            [*dict.fromkeys(one.participant.name for one in self._drafts.typing(at))],
            self.activity.last_message,
            now - self.changed_at < _NEWS,
            self.gone_at < inf,
        )


class ListWatcher:
    """Takes a feed's events and keeps the picture true.

    Of a session that has gone all is kept: should it come back, its log is read on from where it was.
    """

    def __init__(self, app: AppContext, asked: WatchOptions, wait: Wait) -> None:
        self._app = app
        self._query = asked.query
        self._redact = asked.redact
        self._has_reported = False
        self._mask = _mask(asked.redact)
        self._wait = wait
        self._sessions: dict[str, WatchedSession] = {}
        self._reporter = StatusReporter(app)
        self._server_clock = ServerClock(app.clock)
        self._alert = WaitAlert(app, waiting_limit(asked.waiting), asked.zone)
        whose = f"of {app.user} at {app.host}"
        self._draw = LiveList(app.terminal, whose, asked.query.columns, asked.zone)
        self._painted: tuple[object, ...] = ()
        self._changes = 0
        self._is_listed = False
        self._said: tuple[str, float] = ("", -inf)

    def take(self, event: Event) -> None:
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
        self._reporter.take(event)

    def wait(self, seconds: float) -> Arrivals:
        """Until something wakes the feed, for so long at most; the picture is kept true meanwhile."""
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
        # At once: no log may have been read yet, and what is said from now on stands below the picture.
        self._paint()

    def _read(self, event: NewMessages) -> None:
        self._server_clock.set(event.at)
        if watched := self._sessions.get(event.session_id):
            watched.read(event, self._app.clock())

    def _paint(self) -> None:
        """Draw the picture, where anything in it can be another than before."""
        if not self._is_listed:
            return
        terminal, at, now = self._app.terminal, self._server_clock.now(), self._app.clock()
        painted = (self._changes, terminal.width, terminal.height, int(now), len(terminal.held_lines))
        if painted == self._painted:
            return
        self._painted = painted
        rows = self._rows(now, at)
        below = self._below(now)
        going = FollowStatus(self._reporter.status, self._reporter.is_live, at)
        lines = max(terminal.height - len(below), 1)
        terminal.show(self._draw(going, rows, lines, self._empty()), below)

    def _empty(self) -> str:
        """Why there is nothing to see."""
        live = sum(seen.gone_at == inf for seen in self._sessions.values())
        return none_matches(live) if live else no_live_sessions(self._app)

    def _below(self, now: float) -> list[str]:
        """What was said a moment ago."""
        asides = [*self._app.terminal.held_lines]
        if asides and asides[-1] is not self._said[0]:
            self._said = (asides[-1], now)
        return self._draw.below(asides, self._app.terminal.height) if now - self._said[1] < _TOLD else []

    def _rows(self, now: float, at: datetime | None) -> list[LiveRow]:
        """The sessions that are asked for, in the order that is."""
        there = [seen.session for seen in self._sessions.values() if now - seen.gone_at < _NEWS]
        # Chosen and sorted by what is masked, or all would be alike.
        rows = [self._row(self._sessions[one.id], now, at) for one in self._query.apply(there)]
        order = self._query.order
        return _by_waiting(rows, order.descending) if order and order.column is WAITING else rows

    def _row(self, seen: WatchedSession, now: float, at: datetime | None) -> LiveRow:
        overdue = seen.may_wait and self._alert.exceeded(seen.session.id, seen.activity, at)
        return seen.row(now, at, bool(overdue))


def _mask(redact: bool) -> Mask:
    """How sessions may be seen."""
    if not redact:
        return lambda session: session
    from smscli.transcript import redact as masking

    return masking.mask_session


def _by_waiting(rows: Sequence[LiveRow], descending: bool) -> list[LiveRow]:
    """By when they began to wait, which has whom it takes longest first; those who don't as they came."""
    waiting = [row for row in rows if row.waiting is not None]
    waiting.sort(key=lambda row: row.waiting or 0.0, reverse=not descending)
    return waiting + [row for row in rows if row.waiting is None]
