"""Parallel reads: threads, the clients they use, and the queue on which results and wake-ups come back."""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

from smscli.signals import start_thread

if TYPE_CHECKING:
    from smscli.gws.client import GwsClient

# glibc's number of the parameter (malloc.h), and a size below that of most pages of messages, in bytes.
_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 64 * 1024

_Item = TypeVar("_Item")


class Pool:
    """Up to `size` threads, started when needed, that do jobs."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = 0
        self._waiting = 0
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, job: Callable[[], None]) -> None:
        """Does `job` in one of the threads; it passes on its own result and error."""
        with self._lock:
            self._waiting += 1
            is_more = self._waiting > self._threads and self._threads < self._size
        if is_more:
            self._threads += 1
            start_thread(self._work, name="reads")
        self._jobs.put(job)

    def close(self) -> None:
        """Does no more jobs; those that are being done end by themselves."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            finally:
                with self._lock:
                    self._waiting -= 1


class ClientPool:
    """The clients of one profile, each for one thread at a time; `connect` makes another one.

    `connect` is called in the thread of the caller of `take`, since it may ask for the secret.
    """

    def __init__(self, connect: "Callable[[], GwsClient]") -> None:
        self._connect = connect
        # The last one used is the next one taken: the others' connections may be closed by the server.
        self._idle: list[GwsClient] = []
        self._is_closed = False

    def take(self) -> "GwsClient":
        """A client that is not in use."""
        return self._idle.pop() if self._idle else self._connect()

    def give_back(self, client: "GwsClient") -> None:
        """May be called in any thread, when the client is no longer used."""
        self._idle.append(client)
        if self._is_closed:
            self.close()

    def close(self) -> None:
        """Closes the clients, those in use when they are given back."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()


def return_large_blocks() -> None:
    """Lets the C library return large blocks to the system once they are freed, in a long-running process.

    glibc raises its threshold for that with each one; then the responses that several threads hold fragment
    the heap: a follow of long logs took 66 MiB in place of 42.
    """
    import ctypes

    # Other C libraries have no mallopt, and other systems no such way to load their own.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


class Inbox(Generic[_Item]):
    """A queue from other threads to the one that waits: wake-ups, without repetitions, and other items."""

    def __init__(self) -> None:
        self._wakes: dict[_Item, None] = {}
        self._items: list[_Item] = []
        self._lock = threading.Lock()
        # A condition variable can be left in disorder by a signal that ends a wait; this queue can't.
        self._bell: SimpleQueue[None] = SimpleQueue()

    def wake(self, wake: _Item) -> None:
        with self._lock:
            self._ring()
            self._wakes[wake] = None

    def put(self, item: _Item) -> None:
        with self._lock:
            self._ring()
            self._items.append(item)

    def _ring(self) -> None:
        if not self._wakes and not self._items:
            self._bell.put(None)

    def take(self, seconds: float) -> list[_Item]:
        """What arrived since, in order; waits up to `seconds` for the first arrival."""
        try:
            self._bell.get(timeout=max(seconds, 0.0))
        except Empty:
            return []
        with self._lock:
            wakes, self._wakes = self._wakes, {}
            items, self._items = self._items, []
        return [*wakes, *items]
