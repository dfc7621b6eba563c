"""The deadline of a whole response: one thread closes the connections of requests that take too long.

Timeouts of the socket start anew with each byte; http.client reads headers, chunk sizes and trailers without
any limit of its own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from smscli.signals import start_thread

# A connection that is only being made can't be closed yet: each period tries again.
_PERIOD = 0.25


@dataclass(eq=False, slots=True)
class Deadline:
    """A request's deadline in monotonic seconds; `close` ends its connection, from another thread."""

    at: float
    close: Callable[[], None]
    is_over: bool = False


class Deadlines:
    """Enforces the deadlines of any number of requests in one thread, started with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: set[Deadline] = set()
        self._is_started = False

    @contextmanager
    def within(self, seconds: float, close: Callable[[], None]) -> Iterator[Deadline]:
        """Calls `close` when the block takes longer, and again until it ends; `is_over` is then True."""
        deadline = Deadline(time.monotonic() + seconds, close)
        try:
            with self._lock:
                self._pending.add(deadline)
                starts, self._is_started = not self._is_started, True
            if starts:
                start_thread(self._run, name="deadlines")
            yield deadline
        finally:
            with self._lock:
                self._pending.discard(deadline)

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD)
            # Locked: once a block has ended nothing closes its connection, which serves the next request.
            with self._lock:
                for deadline in self._pending:
                    if deadline.at <= time.monotonic():
                        deadline.is_over = True
                        deadline.close()
