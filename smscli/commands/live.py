"""Shared by `tail` and `list --watch`: the server's clock, notices and alerts."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

from smscli.context import AppContext
from smscli.follow.connection import CONNECTION_LOST
from smscli.model import (
    Event,
    ListRead,
    NewMessages,
    Notice,
    ProfileFailed,
    Role,
    SessionEnded,
    SessionStarted,
)
from smscli.output.render.layout import duration, local_time, paint
from smscli.records import SessionKey
from smscli.transcript.activity import Activity

_CONNECTING = "connecting"
_LIVE = "live"
_UNREADABLE = "can't be read, retrying"
_DROPPED = "can't be read"


# States of a profile that is still followed, without a connection.
_INTERRUPTED = (CONNECTION_LOST, _UNREADABLE)


def session_key(app: AppContext, session_id: str) -> SessionKey:
    return SessionKey("" if app.reads_recordings else app.server_name, session_id)


class StatusReporter:
    """Prints the notices of a followed run, and knows the state of each profile's connection.

    On a terminal all notices of the run begin with the time from now on, by the server's clock where it is
    known, as the messages beside them; `zone` None is the machine's.
    """

    def __init__(self, apps: Sequence[AppContext], clocks: "ServerClocks", zone: tzinfo | None) -> None:
        self._states = dict.fromkeys(apps, _CONNECTING)
        self._zone = zone
        self._clocks = clocks
        apps[0].root.style_notices(partial(self._styled, apps[0]))
        for app in apps:
            app.style_notices(partial(self._styled, app))

    @property
    def status(self) -> str:
        """The state of the connection in words; of several the one of those that are not connected."""
        lost = [app for app, state in self._states.items() if state in _INTERRUPTED]
        if not lost or len(self._states) == 1:
            return _LIVE if _LIVE in self._states.values() else next(iter(self._states.values()))
        of = f"profile {lost[0].label}" if len(lost) == 1 else f"{len(lost)} of {len(self._states)} profiles"
        return f"{of}: {self._states[lost[0]]}"

    @property
    def is_live(self) -> bool:
        """Whether all that are still followed are connected."""
        states = self._states.values()
        return _LIVE in states and not any(one in _INTERRUPTED for one in states)

    @property
    def is_connecting(self) -> bool:
        """Whether some have not been read yet."""
        return _CONNECTING in self._states.values()

    def is_followed(self, app: AppContext) -> bool:
        """Whether it has not been given up."""
        return self._states[app] != _DROPPED

    def is_connected(self, app: AppContext) -> bool:
        return self._states[app] == _LIVE

    def _styled(self, app: AppContext, kind: str, message: str) -> str:
        at = self._clocks.now(app) or datetime.now(UTC)
        ink = paint("bold red" if kind == "lost" else "", app.terminal.notices_in_color)
        return ink(f"{local_time(at, self._zone):%H:%M:%S}  {message}")

    def report(self, app: AppContext, event: Event) -> None:
        match event:
            case ListRead() | NewMessages():
                self._states[app] = _LIVE
            case ProfileFailed(message, is_retried):
                self._states[app] = _UNREADABLE if is_retried else _DROPPED
                app.notice("lost", f"{self._states[app]}: {message}")
            case SessionStarted(session, announce) if announce:
                customers = ", ".join(session.nicknames(Role.CUSTOMER))
                message = f"session {session.id} started" + (f": {customers}" if customers else "")
                app.notice("session-started", message, session.id)
            case SessionEnded(session_id, state):
                message = f"session {session_id} ended" + (f" ({state})" if state else "")
                app.notice("session-ended", message, session_id)
            case Notice("debug" | "push-trusted" as kind, message):
                if app.json_stderr and kind != "debug":
                    app.notice(kind, message)
                elif app.settings.debug:
                    app.debug(message)
            case Notice(kind, message, session_id):
                if session_id is None and app in self._states:
                    known = {"lost": CONNECTION_LOST, "reconnected": _LIVE}
                    self._states[app] = known.get(kind, self._states[app])
                app.notice(kind, message, session_id)


class ServerClocks:
    """The clock of each server that is followed, estimated from its last response; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, tuple[datetime, float]] = {}

    def set(self, app: AppContext, at: datetime | None) -> None:
        """Record the time of a response, None if it had none."""
        if at is not None:
            self._last[session_key(app, "").server] = (at, self._clock())

    def now(self, app: AppContext) -> datetime | None:
        """None before the first response with a time."""
        last = self._last.get(session_key(app, "").server)
        return last and last[0] + timedelta(seconds=max(0.0, self._clock() - last[1]))


class WaitAlert:
    """Reports once each wait of a customer that exceeds `limit` seconds; none with None."""

    def __init__(self, limit: float | None, zone: tzinfo | None) -> None:
        self.limit = limit
        self._zone = zone
        self._reported_at: dict[SessionKey, datetime] = {}
        self._is_clock_reported = False

    def exceeded(
        self, app: AppContext, session_id: str, activity: Activity, now: datetime | None
    ) -> str | None:
        """The customer of a session who has waited for too long, and for how long; None without one."""
        if self.limit is not None and now is None:
            self._report_missing_clock(app)
        key = session_key(app, session_id)
        wait = activity.wait()
        waiting = wait.seconds(now) if wait else None
        if self.limit is None or wait is None or waiting is None or waiting < self.limit:
            if waiting is None:
                self._reported_at.pop(key, None)
            return None
        who = wait.customer or "a customer"
        why = f", no agent since {local_time(wait.since, self._zone):%H:%M:%S}" if wait.no_agent else ""
        reported_at = self._reported_at.get(key)
        # An answer and the next question may come in one read: a wait that began since is another one.
        if now and (reported_at is None or wait.since > reported_at):
            # The `Date` of a response is cut to whole seconds.
            self._reported_at[key] = max(now, wait.since)
            message = f"{who} has been waiting for {duration(waiting)} in session {session_id}{why}"
            app.notice("waiting", message, session_id)
        return f"{who} waits {duration(waiting)}{why}"

    def _report_missing_clock(self, app: AppContext) -> None:
        if not self._is_clock_reported:
            self._is_clock_reported = True
            app.notice(
                "waiting", "the server sends no time: how long customers have been waiting is not known"
            )
