"""Reads side by side: threads with a connection each, and the queue on which what they bring comes back."""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from smscli.model import Wake, WakeKind
from smscli.signals import start_thread

_MOST_WAKES = 1000
# glibc's number of the parameter (malloc.h), and a size below that of most pages of messages, in bytes.
_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 64 * 1024
_EVERYTHING = Wake(WakeKind.EVERYTHING)


class Closable(Protocol):
    def close(self) -> None: ...


_Connection = TypeVar("_Connection", bound=Closable)
_Item = TypeVar("_Item")


class Pool(Generic[_Connection]):
    """Up to `size` threads, started when needed; `connect` makes each one's connection.

    `connect` is called in the thread of the caller, since it may ask for the secret.
    """

    def __init__(self, connect: Callable[[], _Connection], size: int) -> None:
        self._connect = connect
        self._size = size
        self._threads = 0
        self._waiting = 0
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Callable[[_Connection], None] | None] = SimpleQueue()

    def submit(self, job: Callable[[_Connection], None]) -> None:
        """Have one of the threads run `job` with its connection; a job leaves its result where it likes, and
        raises nothing."""
        with self._lock:
            self._waiting += 1
            is_more = self._waiting > self._threads and self._threads < self._size
        if is_more:
            connection = self._connect()
            self._threads += 1
            start_thread(self._work, connection, name="reads")
        self._jobs.put(job)

    def close(self) -> None:
        """Run nothing more; what is under way ends by itself."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self, connection: _Connection) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                try:
                    job(connection)
                finally:
                    with self._lock:
                        self._waiting -= 1
        finally:
            connection.close()


def return_large_blocks() -> None:
    """Has large blocks of memory returned to the system once they are free, in a process that runs long.

    glibc raises its threshold for that with each one; then the responses that several threads hold fragment
    the heap: a follow of long logs took 66 MiB in place of 42.
    """
    import ctypes

    # Other C libraries have no mallopt, and other systems no such way to load their own.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


class Inbox(Generic[_Item]):
    """What other threads bring to the one that waits: wake-ups, each once, and items, every one.

    Too many different wake-ups are one for everything.
    """

    def __init__(self) -> None:
        self._wakes: dict[Wake, None] = {}
        self._items: list[_Item] = []
        self._lock = threading.Lock()
        # A condition variable can be left in disorder by a signal that ends a wait; this queue can't.
        self._bell: SimpleQueue[None] = SimpleQueue()

    def wake(self, wake: Wake) -> None:
        with self._lock:
            self._ring()
            if len(self._wakes) >= _MOST_WAKES:
                self._wakes = {_EVERYTHING: None}
            self._wakes[wake] = None

    def put(self, item: _Item) -> None:
        with self._lock:
            self._ring()
            self._items.append(item)

    def _ring(self) -> None:
        if not self._wakes and not self._items:
            self._bell.put(None)

    def take(self, seconds: float) -> list[Wake | _Item]:
        """What came since, in order; waits up to `seconds` for the first of it."""
        try:
            self._bell.get(timeout=max(seconds, 0.0))
        except Empty:
            return []
        with self._lock:
            wakes, self._wakes = self._wakes, {}
            items, self._items = self._items, []
        return [*wakes, *items]
