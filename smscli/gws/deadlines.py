"""The deadline of a whole response: one thread closes the connections of requests that take too long.

Timeouts of the socket start anew with each byte; http.client reads headers, chunk sizes and trailers without
any limit of its own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from queue import Empty, SimpleQueue

from smscli.signals import start_thread

# A connection that is only being made can't be closed yet.
_AGAIN = 0.25


class Deadline:
    """A request's deadline in monotonic seconds; `close` ends its connection, from another thread."""

    __slots__ = ("at", "close", "is_over")

    def __init__(self, at: float, close: Callable[[], None]) -> None:
        self.at = at
        self.close = close
        self.is_over = False


class Deadlines:
    """Enforces the deadlines of any number of requests in one thread, started with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: set[Deadline] = set()
        self._changed: SimpleQueue[None] = SimpleQueue()
        self._wakes_at = inf
        self._is_started = False

    @contextmanager
    def within(self, seconds: float, close: Callable[[], None]) -> Iterator[Deadline]:
        """Calls `close` when the block takes longer, and again until it ends; `is_over` tells that it did."""
        deadline = Deadline(time.monotonic() + seconds, close)
        try:
            with self._lock:
                self._pending.add(deadline)
                is_first = deadline.at < self._wakes_at
                starts, self._is_started = not self._is_started, True
            if starts:
                start_thread(self._run, name="deadlines")
            elif is_first:
                self._changed.put(None)
            yield deadline
        finally:
            with self._lock:
                self._pending.discard(deadline)

    def _run(self) -> None:
        while True:
            seconds = self._enforce()
            try:
                self._changed.get(timeout=None if seconds == inf else seconds)
            except Empty:
                continue

    def _enforce(self) -> float:
        """Closes what is overdue; the seconds until the next deadline."""
        now = time.monotonic()
        # With the lock: once a block has ended nothing closes its connection, which serves the next request.
        with self._lock:
            for deadline in self._pending:
                if deadline.at <= now:
                    deadline.is_over = True
                    deadline.at = now + _AGAIN
                    deadline.close()
            self._wakes_at = min((one.at for one in self._pending), default=inf)
            return max(self._wakes_at - now, 0.0)
