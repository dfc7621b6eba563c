"""What `tail` and `list --watch` follow: the events of one or several profiles, or of recordings."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from smscli.context import AppContext, masked
from smscli.errors import SignInRefused, SmscliError
from smscli.follow.cursor import Cursor
from smscli.follow.feed import Feed
from smscli.follow.loop import Arrivals, FeedBegan, FeedFailed, FeedLoop
from smscli.follow.rate import LIMIT, RateLimit
from smscli.follow.requests import ListRequest, MessagesRequest, ReadResult, Request, SignInRequest
from smscli.follow.slots import MAX_READS, ReadSlots
from smscli.gws.pool import ClientPool, Inbox, Pool, return_large_blocks
from smscli.model import (
    Event,
    Listing,
    ListRead,
    NewMessages,
    Notice,
    Page,
    ProfileFailed,
    SessionStarted,
    Wake,
)

if TYPE_CHECKING:
    from smscli.gws.client import GwsClient
    from smscli.gws.push import Push
    from smscli.recordings.server import FollowedServer
    from smscli.settings.credentials import Credential

# How often the screen is redrawn while waiting: after a resize, or for what only time changes.
_REFRESH_SECONDS = 0.25
_CLOSE_SECONDS = 1.0

ProfileEvent = tuple[AppContext, Event]
"""An event, and the context of the profile that it came from."""


class _SecretRead(NamedTuple):
    """The secret for a request was read by the profile's password command."""

    request: Request
    credential: "Credential"


Item = tuple[str, Wake | ReadResult | _SecretRead]


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where an earlier run stopped in the logs of one server: cursors by session id, and the profile that
    read each of them last, where that is recorded."""

    cursors: dict[str, Cursor] = field(default_factory=dict)
    profiles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FollowOptions:
    """How profiles are followed: with masking, the polling interval in seconds, whether to use push, what
    redraws the screen while nothing arrives, where an earlier run stopped, by server, and how many reads may
    start in a second."""

    redact: bool
    interval: float
    pushed: bool
    refresh: Callable[[], None]
    resume: Mapping[str, Resumed] = field(default_factory=dict)
    reads_per_second: int = LIMIT


def events(
    apps: Sequence[AppContext],
    ids: Mapping[AppContext, Sequence[str]] | None,
    options: FollowOptions,
) -> Iterator[ProfileEvent]:
    """Follow the sessions with these ids of each profile, or all sessions; raises what `FeedLoop.events`
    raises."""
    by_name = {app.label or "": app for app in apps}
    reads = FollowReads(by_name, options)
    loop = FeedLoop(
        _feeds(by_name, ids, options, reads),
        wait=reads.wait,
        clock=apps[0].clock,
        # A shared session is asked for in the order of names.
        groups=[sorted(group) for group in _grouped(by_name, lambda app: app.server_name) if len(group) > 1],
    )
    try:
        yield from _events(loop, by_name, apps[0].root)
    except SmscliError as error:
        if loop.failed:
            by_name[loop.failed].explain_as_profile(error)
        raise


def _events(loop: FeedLoop, by_name: Mapping[str, AppContext], root: AppContext) -> Iterator[ProfileEvent]:
    for name, event in loop.events():
        app = by_name[name] if name is not None else root
        if isinstance(event, Notice) and event.kind in ("push-trusted", "push-lost"):
            app.update_server_info(trusted=event.kind == "push-trusted")
        yield app, _explained(app, event)
        if isinstance(event, FeedFailed) and not event.is_retried:
            # Its push channel too.
            app.close()


def followed_servers(apps: Sequence[AppContext]) -> "dict[str, FollowedServer]":
    """The servers of these profiles by their names; the time of each is the newest answer's."""
    from smscli.recordings.server import FollowedServer

    servers: dict[str, list[AppContext]] = {}
    for app in apps:
        servers.setdefault(app.server_name, []).append(app)

    def followed(of_server: list[AppContext]) -> FollowedServer:
        def now() -> datetime | None:
            return max(filter(None, (app.server_time for app in of_server)), default=None)

        return FollowedServer(now, [one for app in of_server if (one := app.profile_name)])

    return {server: followed(of_server) for server, of_server in servers.items()}


def configured(apps: Sequence[AppContext]) -> list[AppContext]:
    """Those of several profiles whose settings say which server to ask; the others are reported. SmscliError
    if there is none."""
    if len(apps) == 1:
        return [*apps]
    usable, failures = [], []
    for app in apps:
        try:
            _ = app.server_name
            usable.append(app)
        except SmscliError as error:
            failures.append((app, error))
    if not usable:
        raise failures[0][1]
    for app, failure in failures:
        app.notice("lost", f"can't be read: {failure.message}")
    return usable


def _feeds(
    apps: Mapping[str, AppContext],
    ids: Mapping[AppContext, Sequence[str]] | None,
    options: FollowOptions,
    reads: "FollowReads",
) -> dict[str, Feed]:
    process = RateLimit(limit=options.reads_per_second)
    slots = {
        name: slot
        for group in _grouped(apps, lambda app: app.base_url)
        for slot in [ReadSlots(process)]
        for name in group
    }
    feeds = {}
    for name, app in apps.items():
        resumed = options.resume.get(app.server_name, Resumed())
        feeds[name] = Feed(
            reads.profiles[name].start,
            clock=app.clock,
            interval=options.interval,
            slots=slots[name],
            ids=None if ids is None else ids[app],
            are_known=len(apps) > 1,
            trusted=options.pushed and app.server_info.trusted,
            resume=resumed.cursors,
            unfinished=_unfinished(app, apps.values(), resumed),
        )
    return feeds


def _unfinished(app: AppContext, apps: Iterable[AppContext], resumed: Resumed) -> list[str]:
    """The sessions of an earlier run that this profile reads even where its list lacks them: those that it
    recorded; the first profile also those of which that isn't known."""
    is_first = app is next(one for one in apps if one.server_name == app.server_name)
    whose = {one: resumed.profiles.get(one) for one in resumed.cursors}
    return [one for one, name in whose.items() if (is_first if name is None else name == app.profile_name)]


def _grouped(apps: Mapping[str, AppContext], key: Callable[[AppContext], str]) -> list[list[str]]:
    """The names of the profiles with the same key together."""
    groups: dict[str, list[str]] = {}
    for name, app in apps.items():
        groups.setdefault(key(app), []).append(name)
    return [*groups.values()]


def _explained(app: AppContext, event: Event | FeedFailed | FeedBegan) -> Event:
    match event:
        case FeedBegan():
            return Notice("reconnected", "can be read now")
        case FeedFailed(error, is_retried):
            app.explain(error)
            return ProfileFailed(error.message, is_retried)
    return event


class FollowReads:
    """The requests of all feeds, sent side by side on one pool of threads.

    Their results return through one queue with the wake-ups of server push.
    """

    def __init__(self, apps: Mapping[str, AppContext], options: FollowOptions) -> None:
        self._terminal = next(iter(apps.values())).terminal
        self._refresh = options.refresh
        self._inbox: Inbox[Item] = Inbox()
        pool = Pool(MAX_READS * len({app.base_url for app in apps.values()}))
        self.profiles = {
            name: ProfileReads(name, app, options, pool, self._inbox) for name, app in apps.items()
        }
        # Not of one of them: it may be given up.
        root = next(iter(apps.values())).root
        root.on_close(pool.close)
        root.on_close(self._close_channels)
        return_large_blocks()

    def _close_channels(self) -> None:
        """All at once: a server that hangs takes a second."""
        channels = [one.push for one in self.profiles.values() if one.push]
        for channel in channels:
            channel.begin_close()
        end = time.monotonic() + _CLOSE_SECONDS
        for channel in channels:
            channel.close(max(0.0, end - time.monotonic()))

    def wait(self, seconds: float) -> Arrivals:
        """The results and wake-ups that arrived; waits up to `seconds` for the first of them."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            arrivals = [*self._handled(self._inbox.take(max(0.0, min(left, _REFRESH_SECONDS))))]
            for one in self.profiles.values():
                one.report()
            self._terminal.check()
            if arrivals or left <= _REFRESH_SECONDS:
                return arrivals
            self._refresh()

    def _handled(self, items: Sequence[Item]) -> Iterator[tuple[str, Wake | ReadResult]]:
        """What is for the feeds."""
        for name, item in items:
            if isinstance(item, _SecretRead):
                self.profiles[name].go_on(item)
                continue
            if isinstance(item, ReadResult) and item.error is None:
                self.profiles[name].open_push()
            yield name, item


class ProfileReads:
    """The requests of one profile's feed.

    The channel of server push is opened after the first list, so that a refused sign-in is reported once. A
    password command of one of several profiles runs in a thread: it may take its time.
    """

    def __init__(
        self, name: str, app: AppContext, options: FollowOptions, pool: Pool, inbox: Inbox[Item]
    ) -> None:
        self._name = name
        self._app = app
        self._redact = options.redact
        self._pool = pool
        self._inbox = inbox
        self._clients = ClientPool(lambda: app.client.clone())
        self.push: Push | None = None
        self._push_wanted = options.pushed
        self._has_started = False
        app.on_close(self._clients.close)

    def start(self, request: Request) -> None:
        needs_secret = isinstance(request, SignInRequest) or not self._has_started
        if needs_secret and self._app.label and self._app.has_password_command:
            self._pool.submit(lambda: self._read_secret(request))
        else:
            self._start(request)

    def _read_secret(self, request: Request) -> None:
        """By the password command, which can't prompt here."""
        try:
            read = _SecretRead(request, self._app.read_credential())
        except Exception as error:
            self._put(ReadResult(request, error=error))
        else:
            self._inbox.put((self._name, read))

    def go_on(self, read: _SecretRead) -> None:
        """Start the request whose secret was read."""
        self._app.use_next(read.credential)
        self._start(read.request)

    def _start(self, request: Request) -> None:
        try:
            if isinstance(request, SignInRequest):
                # In this thread: it may prompt for the secret.
                self._app.client.transport.auth.renew()
            client = self._clients.take()
        except SmscliError as error:
            self._put(ReadResult(request, error=error))
            return
        self._has_started = True
        self._pool.submit(lambda: self._put(self._read(client, request)))

    def report(self) -> None:
        """Say, in this thread, what the reads had to report."""
        if self._has_started:
            self._app.client.report()

    def open_push(self) -> None:
        """Open the channel of server push, if it is wanted and not open yet."""
        if not self._push_wanted:
            return
        from smscli.gws.push import Push

        self._push_wanted = False
        self.push = Push(self._app.client, lambda wake: self._inbox.wake((self._name, wake)))
        self._app.on_close(self.push.close)
        self.push.start()

    def _put(self, result: ReadResult) -> None:
        self._inbox.put((self._name, result))

    def _read(self, client: "GwsClient", request: Request) -> ReadResult:
        started = time.monotonic()
        result, failure = None, None
        try:
            result = self._result(client, request)
        except Exception as error:
            # An internal error too: it ends the run in the main thread.
            failure = error
        self._clients.give_back(client)
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


def recorded_events(
    app: AppContext, ids: Sequence[str] | None, *, redact: bool, refresh: Callable[[], None]
) -> Iterator[ProfileEvent]:
    """Follow the sessions of recordings or of a stream, as `events` those of servers."""

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        app.terminal.check()
        refresh()

    assert app.recorded
    for event in app.recorded.follow(wait, ids):
        yield app, _masked(event) if redact else event


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
