"""Prefetches pages of messages in background threads."""

from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from smscli.gws.pool import ClientPool, Pool
from smscli.paging import PageWindow

if TYPE_CHECKING:
    from smscli.gws.client import GwsClient
    from smscli.gws.http import HttpResponse

_WAIT_SECONDS = 0.1


class _Request:
    """A scheduled page; `outcome` receives its response or error."""

    def __init__(self, window: PageWindow) -> None:
        self.window = window
        self.outcome: SimpleQueue[HttpResponse | Exception] = SimpleQueue()
        self.is_cancelled = False
        self.is_started = False


class Prefetcher:
    """Fetches scheduled pages in up to `max_depth` threads, with clients that `connect` makes.

    `on_wait` is called every 0.1 s while a result is waited for. The depth starts at one and grows by one
    with each result that was used. After a schedule that proved wrong it stays at one, so that little is
    fetched in vain.
    """

    def __init__(
        self,
        connect: "Callable[[], GwsClient]",
        fetch: "Callable[[GwsClient, PageWindow], HttpResponse]",
        max_depth: int,
        on_wait: Callable[[], None],
    ) -> None:
        self._pool = Pool(max_depth)
        self._clients = ClientPool(connect)
        self._fetch = fetch
        self._max_depth = max_depth
        self._on_wait = on_wait
        self._depth = 1
        self._requests: dict[PageWindow, _Request] = {}

    def schedule(self, windows: Sequence[PageWindow]) -> None:
        """Fetches the first of these pages, as many as the depth allows, and cancels all others."""
        for window in self._requests.keys() - set(windows[: self._depth]):
            self._requests.pop(window).is_cancelled = True
            self._max_depth = self._depth = 1
        for window in windows[: self._depth]:
            if window not in self._requests:
                request = self._requests[window] = _Request(window)
                self._pool.submit(partial(self._run, request, self._clients.take()))

    def result(self, window: PageWindow) -> "HttpResponse | Exception | None":
        """Waits for a scheduled page's response or error; None for a page that is not scheduled."""
        request = self._requests.get(window)
        if request is None:
            return None
        outcome = None
        while outcome is None:
            try:
                # Not a condition variable: a signal that interrupts its wait can corrupt it.
                outcome = request.outcome.get(timeout=_WAIT_SECONDS)
            except Empty:
                self._on_wait()
        del self._requests[window]
        self._depth = 1 if isinstance(outcome, Exception) else min(self._depth + 1, self._max_depth)
        return outcome

    def close(self) -> list[PageWindow]:
        """Stops fetching without waiting; returns the pages whose requests are still running."""
        running = [one.window for one in self._requests.values() if one.is_started and one.outcome.empty()]
        self.schedule(())
        self._pool.close()
        self._clients.close()
        return running

    def _run(self, request: _Request, client: "GwsClient") -> None:
        outcome: HttpResponse | Exception | None = None
        if not request.is_cancelled:
            request.is_started = True
            try:
                outcome = self._fetch(client, request.window)
            except Exception as error:
                outcome = error
        self._clients.give_back(client)
        if outcome is not None:
            request.outcome.put(outcome)
