"""The demo server: the session store, its REST and CometD interfaces, and a loopback port."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from smscli.demo.api import PREFIX, Api
from smscli.demo.authentication import PASSWORD
from smscli.demo.cometd import CometdChannel
from smscli.demo.http_server import HttpServer
from smscli.demo.notifications import NotificationFormat
from smscli.demo.resources import ResourceFormat
from smscli.demo.sample import add_sample
from smscli.demo.simulation import events
from smscli.demo.store import SessionStore

# Longest wait in seconds before the clock, which a test may set, is read again.
_CLOCK_CHECK = 0.25


class DemoServer:
    """A server on 127.0.0.1 with scripted conversations; `user` and `password` sign in.

    `clock` gives epoch seconds and drives the conversations, the timestamps and the Date header.
    """

    user = "demo"
    password = PASSWORD

    def __init__(self, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._http = HttpServer(port)
        self.url = f"http://127.0.0.1:{self._http.port}"
        self._clock = clock
        self.api = self.build_api(f"{self.url}{PREFIX}", clock)
        self._closing = threading.Event()
        self._ticker = threading.Thread(target=self._advance, name="demo-clock", daemon=True)

    def build_api(self, base_url: str, clock: Callable[[], float]) -> Api:
        """The parts of the server; `base_url` is its URL up to and with `/api/v2`."""
        store = SessionStore(clock, events(clock()))
        add_sample(store)
        store.advance()
        resources = ResourceFormat(base_url)
        return Api(store, resources, CometdChannel(store, NotificationFormat(resources)), clock)

    @property
    def store(self) -> SessionStore:
        """The sessions and logs that are served."""
        return self.api.store

    def start(self) -> Self:
        """Start to serve; returns at once."""
        self._http.start(self.api.respond)
        self._ticker.start()
        return self

    def close(self) -> None:
        """Stop and close every connection; all threads have ended on return."""
        self._closing.set()
        self.api.channel.close()
        self._http.close()
        if self._ticker.is_alive():
            self._ticker.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _advance(self) -> None:
        """Apply events when they are due, for CometD's subscribers; each request does so by itself."""
        while (due := self.store.advance()) is not None:
            if self._closing.wait(min(max(due - self._clock(), 0.0), _CLOCK_CHECK)):
                return
