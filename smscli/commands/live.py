"""Shared by `tail` and `list --watch`: reads, events, the server's clock, notices and alerts."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from smscli.context import AppContext, masked
from smscli.errors import SignInRefused, SmscliError
from smscli.follow.connection import CONNECTION_LOST
from smscli.follow.cursor import Cursor
from smscli.follow.feed import Arrivals, Feed
from smscli.follow.requests import ListRequest, MessagesRequest, ReadResult, Request, SignInRequest
from smscli.follow.schedule import MAX_READS
from smscli.gws.pool import Inbox, Pool, return_large_blocks
from smscli.model import (
    Event,
    Listing,
    ListRead,
    NewMessages,
    Notice,
    Page,
    Role,
    SessionEnded,
    SessionStarted,
)
from smscli.output.render.layout import duration, local_time, paint
from smscli.transcript.activity import Activity

if TYPE_CHECKING:
    from smscli.gws.client import GwsClient

# How often the screen is redrawn while waiting: after a resize, or for what only time changes.
_REFRESH_SECONDS = 0.25
_LIVE = "live"


def events(
    app: AppContext,
    ids: Sequence[str] | None,
    *,
    redact: bool,
    interval: float,
    pushed: bool,
    refresh: Callable[[], None],
    resume: Mapping[str, Cursor] | None = None,
) -> Iterator[Event]:
    """Follow the sessions of these ids, or all sessions; raises what `Feed.events` raises.

    `refresh` redraws the screen while nothing arrives.
    """
    reads = FollowReads(app, redact, pushed=pushed, refresh=refresh)
    feed = Feed(
        reads.start,
        wait=reads.wait,
        clock=app.clock,
        interval=interval,
        trusted=pushed and app.server_info.trusted,
        resume=resume,
    )
    for event in feed.events(ids):
        if isinstance(event, Notice) and event.kind in ("push-trusted", "push-lost"):
            app.update_server_info(trusted=event.kind == "push-trusted")
        yield event


def recorded_events(
    app: AppContext, ids: Sequence[str] | None, *, redact: bool, refresh: Callable[[], None]
) -> Iterator[Event]:
    """Follow the sessions of recordings, as `events` those of the server."""
    from smscli.recordings.following import RecordedFeed

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        app.terminal.check()
        refresh()

    assert app.recorded
    for event in RecordedFeed(app.recorded, wait).events(ids):
        yield _masked(event) if redact else event


def _masked(event: Event) -> Event:
    from smscli.transcript.redact import mask_listing, mask_page, mask_session

    match event:
        case NewMessages(_, messages):
            return event._replace(messages=mask_page(Page(messages)).messages)
        case ListRead(listing):
            return ListRead(mask_listing(listing))
        case SessionStarted(session):
            return event._replace(session=mask_session(session))
    return event


class FollowReads:
    """The requests of a feed, sent side by side on a pool of connections.

    Their results return through one queue with the wake-ups of server push (`pushed`), whose channel is
    opened after the first list, so that a refused sign-in is reported once.
    """

    def __init__(self, app: AppContext, redact: bool, *, pushed: bool, refresh: Callable[[], None]) -> None:
        self._app = app
        self._redact = redact
        self._refresh = refresh
        self._inbox: Inbox[ReadResult] = Inbox()
        self._pool = Pool(lambda: app.client.clone(), MAX_READS)
        self._push_wanted = pushed
        self._listed = False
        app.on_close(self._pool.close)
        return_large_blocks()

    def start(self, request: Request) -> None:
        if isinstance(request, SignInRequest):
            try:
                # In this thread: it may prompt for the secret.
                self._app.client.transport.auth.renew()
            except SmscliError as error:
                self._inbox.put(ReadResult(request, error=error))
                return
        self._pool.submit(lambda client: self._inbox.put(self._read(client, request)))

    def wait(self, seconds: float) -> Arrivals:
        """The results and wake-ups that arrived; waits up to `seconds` for the first of them."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            arrivals = self._take(max(0.0, min(left, _REFRESH_SECONDS)))
            self._app.terminal.check()
            if arrivals or left <= _REFRESH_SECONDS:
                return arrivals
            self._refresh()

    def _take(self, seconds: float) -> Arrivals:
        if self._push_wanted and self._listed:
            self._push_wanted = False
            self._app.open_push(self._inbox.wake)
        arrivals = self._inbox.take(seconds)
        self._app.client.report()
        self._listed = self._listed or any(isinstance(one, ReadResult) for one in arrivals)
        return arrivals

    def _read(self, client: "GwsClient", request: Request) -> ReadResult:
        started = time.monotonic()
        result, failure = None, None
        try:
            result = self._result(client, request)
        except Exception as error:
            # An internal error too: it ends the run in the main thread.
            failure = error
        return ReadResult(request, result, failure, time.monotonic() - started)

    def _result(self, client: "GwsClient", request: Request) -> Listing | Page | None:
        reads = masked(client, self._redact)
        match request:
            case ListRequest(is_first):
                return reads.sessions(retries=None if is_first else 0)
            case MessagesRequest(session_id, page):
                return reads.page(session_id, page.start, page.count, retries=0)
            case SignInRequest():
                _sign_in(client)
        return None


def _sign_in(client: "GwsClient") -> None:
    """Whether the renewed sign-in is accepted; where only cookies of the server's were kept, once more."""
    try:
        client.me()
    except SignInRefused:
        if not client.transport.auth.kept_cookies:
            raise
        client.transport.auth.renew()
        client.me()


class StatusReporter:
    """Prints the notices of a followed run; `status` is the state of the connection, in words.

    On a terminal all notices of the run begin with the time from now on, by the server's clock where it is
    known, as the messages beside them; `zone` None is the machine's.
    """

    def __init__(self, app: AppContext, clock: "ServerClock", zone: tzinfo | None) -> None:
        self.status = "connecting"
        self._app = app
        self._clock = clock
        self._zone = zone
        app.style_notices(self._styled)

    @property
    def is_live(self) -> bool:
        return self.status == _LIVE

    def _styled(self, kind: str, message: str) -> str:
        at = self._clock.now() or datetime.now(UTC)
        ink = paint("bold red" if kind == "lost" else "", self._app.terminal.notices_in_color)
        return ink(f"{local_time(at, self._zone):%H:%M:%S}  {message}")

    def report(self, event: Event) -> None:
        match event:
            case ListRead() | NewMessages():
                self.status = _LIVE
            case SessionStarted(session, announce) if announce:
                customers = ", ".join(session.nicknames(Role.CUSTOMER))
                message = f"session {session.id} started" + (f": {customers}" if customers else "")
                self._app.notice("session-started", message, session.id)
            case SessionEnded(session_id, state):
                message = f"session {session_id} ended" + (f" ({state})" if state else "")
                self._app.notice("session-ended", message, session_id)
            case Notice("debug" | "push-trusted" as kind, message):
                if self._app.json_stderr and kind != "debug":
                    self._app.notice(kind, message)
                elif self._app.settings.debug:
                    self._app.debug(message)
            case Notice(kind, message, session_id):
                if session_id is None:
                    self.status = {"lost": CONNECTION_LOST, "reconnected": _LIVE}.get(kind, self.status)
                self._app.notice(kind, message, session_id)


class ServerClock:
    """The server's clock, estimated from its last response; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: tuple[datetime, float] | None = None

    def set(self, at: datetime | None) -> None:
        """Record the time of a response, None if it had none."""
        if at is not None:
            self._last = (at, self._clock())

    def now(self) -> datetime | None:
        """None before the first response with a time."""
        if self._last is None:
            return None
        at, read = self._last
        return at + timedelta(seconds=max(0.0, self._clock() - read))


class WaitAlert:
    """Reports once each wait of a customer that exceeds `limit` seconds; none with None."""

    def __init__(self, app: AppContext, limit: float | None, zone: tzinfo | None) -> None:
        self.limit = limit
        self._zone = zone
        self._app = app
        self._reported_at: dict[str, datetime] = {}
        self._is_clock_reported = False

    def exceeded(self, session_id: str, activity: Activity, now: datetime | None) -> str | None:
        """The customer of a session who has waited for too long, and for how long; None without one."""
        if self.limit is not None and now is None:
            self._report_missing_clock()
        wait = activity.wait()
        waiting = wait.seconds(now) if wait else None
        if self.limit is None or wait is None or waiting is None or waiting < self.limit:
            if waiting is None:
                self._reported_at.pop(session_id, None)
            return None
        who = wait.customer or "a customer"
        why = f", no agent since {local_time(wait.since, self._zone):%H:%M:%S}" if wait.no_agent else ""
        reported_at = self._reported_at.get(session_id)
        # An answer and the next question may come in one read: a wait that began since is another one.
        if now and (reported_at is None or wait.since > reported_at):
            # The `Date` of a response is cut to whole seconds.
            self._reported_at[session_id] = max(now, wait.since)
            message = f"{who} has been waiting for {duration(waiting)} in session {session_id}{why}"
            self._app.notice("waiting", message, session_id)
        return f"{who} waits {duration(waiting)}{why}"

    def _report_missing_clock(self) -> None:
        if not self._is_clock_reported:
            self._is_clock_reported = True
            self._app.notice(
                "waiting", "the server sends no time: how long customers have been waiting is not known"
            )
