"""What the commands that follow sessions share: their reads and rests, the server's clock, who waits too
long, and what is learned of the server's push."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

from smscli.context import AppContext
from smscli.follow.cursor import Cursor
from smscli.follow.feed import FollowSettings, follow
from smscli.model import (
    READ_RETRIES,
    Event,
    Listing,
    ListRead,
    NewMessages,
    Notice,
    Page,
    Role,
    SessionEnded,
    SessionStarted,
    Wake,
)
from smscli.output.render.layout import duration, local_time
from smscli.transcript import filters
from smscli.transcript.activity import Activity

Nap = Callable[[float], Sequence[Wake]]
"""Sleeps so many seconds, or until the server wakes us."""

# How long a resize, or what only time changes, may wait to be seen.
_REPAINT_SECONDS = 0.25
_LIVE = "live"


def events(
    app: AppContext,
    reads: "FollowReads",
    ids: Sequence[str] | None,
    *,
    wait: Nap,
    interval: float,
    pushed: bool,
    resume: Mapping[str, Cursor] | None = None,
) -> Iterator[Event]:
    """What happens in the sessions of these ids, in all of them without any; raises what `follow` raises."""
    following = follow(
        reads,
        ids,
        wait=wait,
        clock=app.clock,
        settings=FollowSettings(interval, pushed and app.server_info.trusted),
        resume=resume,
        debug=app.debug if app.settings.debug else None,
    )
    for event in following:
        _learn(app, event)
        yield event


def nap(app: AppContext, pushed: bool) -> Nap:
    """How to rest: until the server wakes us, where it may."""
    # Push is asked for at the first rest, and so after the first list: a server that refuses us is told once.
    return (lambda seconds: app.push.wait(seconds)) if pushed else _sleep


def _sleep(seconds: float) -> Sequence[Wake]:
    time.sleep(seconds)
    return ()


def rest(app: AppContext, nap: Nap, seconds: float, meanwhile: Callable[[], None]) -> Sequence[Wake]:
    """Rest for so long at most, or until something wakes us; `meanwhile` keeps what is seen true."""
    until = time.monotonic() + seconds
    while True:
        left = until - time.monotonic()
        wakes = nap(max(0.0, min(left, _REPAINT_SECONDS)))
        app.terminal.check()
        if wakes or left <= _REPAINT_SECONDS:
            return wakes
        meanwhile()


class FollowReads:
    """The reads of a followed run: with a one-shot command's retries until the first list, then without.

    Masked where asked for; `lists_masked` off leaves the lists to be chosen from first.
    """

    def __init__(self, app: AppContext, redact: bool, *, lists_masked: bool = True) -> None:
        self._reads = app.reads(redact)
        self._lists = self._reads if lists_masked else app.reads(redact=False)
        self._retries = READ_RETRIES
        self.renew = self._reads.renew

    def sessions(self) -> Listing:
        listing = self._lists.sessions(retries=self._retries)
        self._retries = 0
        return listing

    def page(self, session_id: str, start: int | None, count: int | None) -> Page:
        return self._reads.page(session_id, start, count, retries=self._retries)


class StatusReporter:
    """Tells what becomes of sessions and of the connection; `status` is how following goes, in words."""

    def __init__(self, app: AppContext) -> None:
        self.status = "connecting"
        self._app = app

    @property
    def is_live(self) -> bool:
        return self.status == _LIVE

    def take(self, event: Event) -> None:
        match event:
            case ListRead() | NewMessages():
                self.status = _LIVE
            case SessionStarted(session, announce) if announce:
                who = ", ".join(session.nicknames(Role.CUSTOMER))
                told = f"session {session.id} started" + (f": {who}" if who else "")
                self._app.notice("session-started", told, session.id)
            case SessionEnded(session_id, state):
                how = f" ({state})" if state else ""
                self._app.notice("session-ended", f"session {session_id} ended{how}", session_id)
            case Notice():
                self._turn(event)

    def _turn(self, turn: Notice) -> None:
        if turn.kind == "lost" and turn.session_id is None:
            self.status = "connection lost, retrying"
        elif turn.kind == "reconnected":
            self.status = _LIVE
        self._app.notice(turn.kind, turn.message, turn.session_id)


class ServerClock:
    """The server's clock, carried on from its last answer; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: tuple[datetime, float] | None = None

    def set(self, at: datetime | None) -> None:
        """An answer told the time, or none."""
        if at is not None:
            self._told = (at, self._clock())

    def now(self) -> datetime | None:
        """None before any answer told it."""
        if self._told is None:
            return None
        at, read = self._told
        return at + timedelta(seconds=max(0.0, self._clock() - read))


def waiting_limit(value: str | None) -> float | None:
    """The seconds that `--waiting` names; None where it doesn't."""
    return filters.duration("--waiting", value) if value is not None else None


class WaitAlert:
    """Knows which customers have waited for `limit` seconds, and says so once of each wait; None: of none."""

    def __init__(self, app: AppContext, limit: float | None, zone: tzinfo | None) -> None:
        self.limit = limit
        self._zone = zone
        self._app = app
        self._said: set[str] = set()
        self._is_lost = False

    def exceeded(self, session_id: str, activity: Activity, now: datetime | None) -> str | None:
        """Who has waited for too long in a session, and for how long; None where nobody has."""
        if self.limit is not None and now is None:
            self._say_why_not()
        wait = activity.wait()
        waiting = wait.seconds(now) if wait else None
        if self.limit is None or wait is None or waiting is None or waiting < self.limit:
            if waiting is None:
                self._said.discard(session_id)
            return None
        who = wait.customer or "a customer"
        why = f", no agent since {local_time(wait.since, self._zone):%H:%M:%S}" if wait.no_agent else ""
        if session_id not in self._said:
            self._said.add(session_id)
            told = f"{who} has been waiting for {duration(waiting)} in session {session_id}{why}"
            self._app.notice("waiting", told, session_id)
        return f"{who} waits {duration(waiting)}{why}"

    def _say_why_not(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._app.notice("waiting", "the server tells no time: who has been waiting is not known")


def _learn(app: AppContext, event: Event) -> None:
    """Remember whether this server's push can be relied on."""
    if isinstance(event, Notice) and event.kind in ("push-trusted", "push-lost"):
        app.update_server_info(trusted=event.kind == "push-trusted")
