"""The test server: the demo server with switches, faults and sessions that a test controls."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

from smscli.demo.sample import add_sample
from smscli.demo.server import DemoServer
from smscli.demo.simulation import events
from smscli.demo.store import Json, TimedEvent
from tests.server.api import FakeApi
from tests.server.bulk import add_bulk, arrivals
from tests.server.cometd import FakeChannel
from tests.server.faults import Faults
from tests.server.options import Options
from tests.server.resources import FakeNotificationFormat, FakeResourceFormat
from tests.server.store import FakeLog, FakeStore


class FakeServer(DemoServer):
    """A server on 127.0.0.1 that behaves as its options say; they may be changed while it runs.

    `clock` gives epoch seconds and drives the scene, the timestamps and the Date header.
    """

    api: FakeApi

    def __init__(self, options: Options | None = None, clock: Callable[[], float] = time.time) -> None:
        self.options = options or Options()
        self._faults = Faults()
        super().__init__(self.options.port, lambda: clock() + self.options.clock_offset)

    def build_api(self, base_url: str, clock: Callable[[], float]) -> FakeApi:
        def options() -> Options:
            return self.options

        store = build_store(self.options, clock)
        resources = FakeResourceFormat(base_url, options)
        notifications = FakeNotificationFormat(resources, options)
        channel = FakeChannel(store, resources, notifications, options, self._faults.count)
        return FakeApi(store, resources, channel, clock, options, self._faults)

    @property
    def store(self) -> FakeStore:
        """The sessions and logs, for tests to change."""
        return self.api.store

    @property
    def requests(self) -> deque[tuple[str, str, str | None]]:
        """Each request so far as (method, path with query, user; None if not authenticated)."""
        return self.api.requests

    @property
    def bayeux(self) -> deque[Json]:
        """The Bayeux messages that clients have sent."""
        return self.api.channel.received

    @property
    def fault_counts(self) -> Counter[str]:
        """How often each kind of fault has taken effect so far."""
        return self._faults.counts

    def fail_next(self, kind: str, path_part: str = "", times: int = 1) -> None:
        """Let the next `times` requests fail whose path and query contain `path_part`; kinds in `faults`."""
        self._faults.fail_next(kind, path_part, times)

    def start_outage(self, seconds: float, kind: str = "500", path_part: str = "sessions") -> None:
        """Let every request fail for so many seconds whose path and query contain `path_part`."""
        self._faults.start_outage(kind, path_part, seconds)

    def cancel_faults(self) -> None:
        """Cancel the faults and losses that have not taken effect yet, and end an outage."""
        self._faults.cancel()
        self.api.channel.lose(0)

    def expire_sessions(self) -> None:
        """Close every HTTP session, so that its cookie and CSRF token are invalid."""
        self.api.http_sessions.expire()

    def await_listeners(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Wait until so many clients would hear of a change at once; False after `timeout` seconds."""
        return self.api.channel.await_listeners(count, timeout)

    def lose_notifications(self, times: int = 1) -> None:
        """Lose the next `times` notifications."""
        self.api.channel.lose(times)

    def cut_push(self) -> None:
        """Reset the connections of held connects; the clients are still known."""
        if self.api.channel.cut():
            self._faults.count("push-cut")

    def drop_push(self) -> None:
        """Forget every CometD client; each learns it with its next message, or at once while it waits."""
        if self.api.channel.drop():
            self._faults.count("push-dropped")

    def restart(self) -> dict[str, FakeLog]:
        """Restart as after a crash: logs, HTTP sessions and CometD clients are lost. Returns the old logs."""
        self.api.channel.cut()
        self.api.channel.drop()
        self.expire_sessions()
        self._faults.count("restart")
        return self.store.restart()


def build_store(options: Options, clock: Callable[[], float]) -> FakeStore:
    """The store of the options' scene, as it is at the clock's time."""
    start = clock()
    scene = _events(options, start)
    store = FakeStore(clock, first_index=options.first_index, gaps=options.gaps, events=scene)
    add_sample(store)
    if options.scene == "bulk":
        add_bulk(store, options, start)
    store.advance()
    return store


def _events(options: Options, start: float) -> Iterator[TimedEvent]:
    if options.scene == "live":
        return events(start)
    return arrivals(options, start) if options.scene == "bulk" else iter(())
