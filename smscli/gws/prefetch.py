"""Prefetches pages in background threads."""

from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from smscli.gws.pool import Pool

FetchKey = TypeVar("FetchKey", contravariant=True)
FetchValue = TypeVar("FetchValue", covariant=True)
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_WAIT_SECONDS = 0.1


class Fetcher(Protocol[FetchKey, FetchValue]):
    """Fetches in one thread, on a connection of its own."""

    def __call__(self, key: FetchKey, /) -> FetchValue: ...
    def close(self) -> None: ...


class _Request(Generic[_Key, _Value]):
    """A scheduled fetch, and its value or error once `done`."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.value: _Value | None = None
        self.error: Exception | None = None
        self.is_cancelled = False
        self.is_started = False
        self.done: SimpleQueue[None] = SimpleQueue()


class Prefetcher(Generic[_Key, _Value]):
    """Fetches scheduled keys in up to `max_depth` threads; `new_fetcher` makes each thread's own fetcher.

    `on_wait` is called every 0.1 s while a result is waited for. The depth starts at one and grows by one
    with each result that was used. After a schedule that proved wrong it stays at one, so that little is
    fetched in vain.
    """

    def __init__(
        self, new_fetcher: Callable[[], Fetcher[_Key, _Value]], max_depth: int, on_wait: Callable[[], None]
    ) -> None:
        self._pool = Pool(new_fetcher, max_depth)
        self._max_depth = max_depth
        self._on_wait = on_wait
        self._depth = 1
        self._requests: dict[_Key, _Request[_Key, _Value]] = {}

    def schedule(self, keys: Sequence[_Key]) -> None:
        """Fetches the first of these keys, as many as the depth allows, and cancels all others."""
        for key in self._requests.keys() - set(keys[: self._depth]):
            self._requests.pop(key).is_cancelled = True
            self._max_depth = self._depth = 1
        for key in keys[: self._depth]:
            if key not in self._requests:
                request = self._requests[key] = _Request[_Key, _Value](key)
                self._pool.submit(partial(_fetch, request))

    def result(self, key: _Key) -> _Value | None:
        """Waits for a scheduled key's value, or raises its error; None for a key that is not scheduled."""
        request = self._requests.get(key)
        if request is None:
            return None
        while not self._is_done(request):
            self._on_wait()
        del self._requests[key]
        self._depth = min(self._depth + 1, self._max_depth)
        if request.error is not None:
            self._depth = 1
            raise request.error
        return request.value

    def _is_done(self, request: _Request[_Key, _Value]) -> bool:
        try:
            # Not a condition variable: a signal that interrupts its wait can corrupt it.
            request.done.get(timeout=_WAIT_SECONDS)
        except Empty:
            return False
        return True

    def close(self) -> list[_Key]:
        """Stops fetching without waiting; returns the keys whose requests are still running."""
        running = [one.key for one in self._requests.values() if one.is_started and one.done.empty()]
        for request in self._requests.values():
            request.is_cancelled = True
        self._requests.clear()
        self._pool.close()
        return running


def _fetch(request: _Request[_Key, _Value], fetcher: Fetcher[_Key, _Value]) -> None:
    if not request.is_cancelled:
        request.is_started = True
        try:
            request.value = fetcher(request.key)
        except Exception as error:
            request.error = error
    request.done.put(None)
