"""The requests of the feeds: sent side by side, each profile with its own sign-in and push channel."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from smscli.context import AppContext, masked
from smscli.errors import SignInRefused, SmscliError
from smscli.follow.loop import Arrivals
from smscli.follow.requests import ListRequest, MessagesRequest, ReadResult, Request, SignInRequest
from smscli.follow.slots import MAX_READS
from smscli.gws.pool import ClientPool, Inbox, Pool, return_large_blocks
from smscli.model import Listing, Page, Wake

if TYPE_CHECKING:
    from smscli.commands.following import FollowOptions
    from smscli.gws.client import GwsClient
    from smscli.gws.http_auth import HttpAuth
    from smscli.gws.push import Push
    from smscli.settings.credentials import Credential

# How often the screen is redrawn while waiting: after a resize, or for what only time changes.
_REFRESH_SECONDS = 0.25
_CLOSE_SECONDS = 1.0
_POLL_SECONDS = 0.02


class _SecretRead(NamedTuple):
    """The secret for a request was read by the profile's password command."""

    request: Request
    credential: "Credential"


Item = tuple[str, Wake | ReadResult | _SecretRead]


class FollowReads:
    """The requests of all feeds, sent side by side on one pool of threads.

    Their results return through one queue with the wake-ups of server push.
    """

    def __init__(self, apps: Mapping[str, AppContext], options: "FollowOptions") -> None:
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
        self, name: str, app: AppContext, options: "FollowOptions", pool: Pool, inbox: Inbox[Item]
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
        self._under_way: list[Request] = []
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
        self._under_way.append(request)
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
        self._under_way.remove(request)
        return ReadResult(request, result, failure, time.monotonic() - started)

    def _result(self, client: "GwsClient", request: Request) -> Listing | Page | None:
        reads = masked(client, self._redact)
        match request:
            case ListRequest(is_first):
                return reads.sessions(retries=None if is_first else 0)
            case MessagesRequest(session_id, page):
                return reads.page(session_id, page.start, page.count, retries=0)
            case SignInRequest():
                self._sign_in(client)
        return None

    def _sign_in(self, client: "GwsClient") -> None:
        """Whether the renewed sign-in is accepted. A cookie has further chances: the server's own may be what
        it refuses, and the one that replaces it may come with the response to a read still under way."""
        auth = client.transport.auth
        try:
            client.me()
            return
        except SignInRefused as error:
            refusal = error
        if auth.kept_cookies:
            auth.renew()
        elif not (auth.is_by_cookie and self._is_replaced(auth)):
            raise refusal
        try:
            client.me()
        except SignInRefused:
            if not self._is_replaced(auth):
                raise
            client.me()

    def _is_replaced(self, auth: "HttpAuth") -> bool:
        """Whether the server has replaced the cookie. Waits until the other reads under way have ended."""
        while len(self._under_way) > 1:
            time.sleep(_POLL_SECONDS)
        return auth.has_replaced()
