"""The demo server itself: a store, its REST interface and a loopback port."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from smscli.demo.api import Api
from smscli.demo.bulk import add_bulk, trickle
from smscli.demo.connection import Listener
from smscli.demo.conversations import timeline
from smscli.demo.options import Options
from smscli.demo.sample import add_sample
from smscli.demo.signin import BUILT_IN_PASSWORD
from smscli.demo.store import Cue, Json, Log, SessionStore

# How often a clock that was set by hand is looked at.
_PULSE = 0.25


class DemoServer:
    """A server on 127.0.0.1; `clock` gives epoch seconds and drives the store, its times and the Date header.

    `user` and `password` sign in; `sample` has the same password. `store` is what it serves.
    """

    user = "demo"
    password = BUILT_IN_PASSWORD

    def __init__(self, options: Options | None = None, clock: Callable[[], float] = time.time) -> None:
        options = options or Options()
        self.store = build_store(options, clock)
        self._clock = clock
        self._api = Api(options, self.store, clock)
        self._listener = Listener(self._api.respond, options.port)
        self.url = f"http://127.0.0.1:{self._listener.port}"
        self._api.base = f"{self.url}/api/v2"
        self._closing = threading.Event()
        self._pump = threading.Thread(target=self._keep_going, name="demo-pump", daemon=True)

    @property
    def options(self) -> Options:
        """The switches; set one, or all of them, while the server runs."""
        return self._api.options

    @options.setter
    def options(self, options: Options) -> None:
        self._api.options = options

    @property
    def requests(self) -> deque[tuple[str, str, str | None]]:
        """Each request so far as (method, path with query, user; None if not signed in)."""
        return self._api.requests

    def fail_next(self, kind: str, path_part: str = "", times: int = 1) -> None:
        """Let the next `times` requests whose path and query hold `path_part` go wrong; kinds in `faults`."""
        self._api.faults.fail_next(kind, path_part, times)

    @property
    def befallen(self) -> Counter[str]:
        """How often each fault has befallen an answer, a notification or a client so far."""
        return self._api.faults.befallen

    def heal(self) -> None:
        """Take back the faults and losses that are still to come."""
        self._api.faults.heal()
        self._api.push.lose(0)

    def expire_sessions(self) -> None:
        """Forget every cookie and CSRF token."""
        self._api.http_sessions.expire()

    @property
    def bayeux(self) -> deque[Json]:
        """The Bayeux messages that clients have sent."""
        return self._api.push.received

    def await_listeners(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Wait until so many clients would hear of a change at once; False after `timeout` seconds."""
        return self._api.push.await_listeners(count, timeout)

    def lose_notifications(self, times: int = 1) -> None:
        """Let the next `times` notifications get lost."""
        self._api.push.lose(times)

    def cut_push(self) -> None:
        """Reset the connections that hold a connect; the clients are still known."""
        if self._api.push.cut():
            self._api.faults.count("push-cut")

    def drop_push(self) -> None:
        """Forget every CometD client; each is told at its next message, or at once where it waits."""
        if self._api.push.drop():
            self._api.faults.count("push-dropped")

    def restart(self) -> dict[str, Log]:
        """Come back as after a crash: message logs, HTTP sessions and CometD clients are gone.

        Returns the old logs.
        """
        self._api.push.cut()
        self._api.push.drop()
        self.expire_sessions()
        self._api.faults.count("restart")
        return self.store.restart()

    def start(self) -> Self:
        """Begin to serve; returns at once."""
        self._listener.start()
        self._pump.start()
        return self

    def close(self) -> None:
        """Stop, cutting whatever is open; every thread has ended on return."""
        self._closing.set()
        self._api.push.close()
        self._listener.close()
        if self._pump.is_alive():
            self._pump.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep_going(self) -> None:
        """Let the store happen on time, for those who subscribed to it; reads do so by themselves."""
        while (due := self.store.advance()) is not None:
            if self._closing.wait(min(max(due - self._clock(), 0.0), _PULSE)):
                return


def build_store(options: Options, clock: Callable[[], float]) -> SessionStore:
    """The store of the options' scene, as it is at the clock's time."""
    start = clock()
    store = SessionStore(
        clock, first_index=options.first_index, gaps=options.gaps, cues=_cues(options, start)
    )
    add_sample(store)
    if options.scene == "bulk":
        add_bulk(store, options, start)
    store.advance()
    return store


def _cues(options: Options, start: float) -> Iterator[Cue]:
    if options.scene == "live":
        return timeline(start)
    return trickle(options, start) if options.scene == "bulk" else iter(())
