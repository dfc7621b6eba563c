"""Answers fetched before they are asked for, in threads of their own."""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

Asked = TypeVar("Asked", contravariant=True)
Got = TypeVar("Got", covariant=True)
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
# Seconds after which somebody who waits looks round.
_A_WHILE = 0.1


class Fetcher(Protocol[Asked, Got]):
    """One thread's own way to fetch."""

    def __call__(self, asked: Asked, /) -> Got: ...
    def close(self) -> None: ...


class _Slot(Generic[_Key, _Value]):
    """One answer on its way, or `error` in its place."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.value: _Value | None = None
        self.error: Exception | None = None
        self.is_wanted = True
        self.is_begun = False
        self.done: SimpleQueue[None] = SimpleQueue()


class Ahead(Generic[_Key, _Value]):
    """Fetches what is foreseen, `most` at a time at the most; `fetcher` makes each thread's own.

    `meanwhile` is called now and then while an answer is waited for.

    At first it looks one ahead, and one further after each answer that was asked for as foreseen. After one
    that was not it never looks further than one again: whoever foresees wrongly asks for too much.
    """

    def __init__(
        self, fetcher: Callable[[], Fetcher[_Key, _Value]], most: int, meanwhile: Callable[[], None]
    ) -> None:
        self._fetcher = fetcher
        self._most = most
        self._meanwhile = meanwhile
        self._far = 1
        self._slots: dict[_Key, _Slot[_Key, _Value]] = {}
        self._queue: SimpleQueue[_Slot[_Key, _Value] | None] = SimpleQueue()
        self._threads = 0

    def foresee(self, keys: Sequence[_Key]) -> None:
        """Have the first of these be on their way, and nothing else."""
        for key in self._slots.keys() - set(keys[: self._far]):
            self._slots.pop(key).is_wanted = False
            self._most = self._far = 1
        for key in keys[: self._far]:
            if key not in self._slots:
                slot = self._slots[key] = _Slot[_Key, _Value](key)
                self._start(len(self._slots))
                self._queue.put(slot)

    def take(self, key: _Key) -> _Value | None:
        """The answer, waited for where it is on its way, or the error in its place raised; None where it was
        not foreseen."""
        slot = self._slots.get(key)
        if slot is None:
            return None
        while not self._is_done(slot):
            self._meanwhile()
        del self._slots[key]
        self._far = min(self._far + 1, self._most)
        if slot.error is not None:
            self._far = 1
            raise slot.error
        return slot.value

    def _is_done(self, slot: _Slot[_Key, _Value]) -> bool:
        """Wait for it for a little while."""
        try:
            # Not a condition variable: a signal that ends its wait can leave it in disorder.
            slot.done.get(timeout=_A_WHILE)
        except Empty:
            return False
        return True

    def close(self) -> list[_Key]:
        """Fetch nothing more; what is under way, which is returned, ends by itself."""
        under_way = [slot.key for slot in self._slots.values() if slot.is_begun and slot.done.empty()]
        for slot in self._slots.values():
            slot.is_wanted = False
        self._slots.clear()
        for _ in range(self._threads):
            self._queue.put(None)
        return under_way

    def _start(self, threads: int) -> None:
        """Have so many threads at least."""
        while self._threads < threads:
            self._threads += 1
            fetch = self._fetcher()
            threading.Thread(target=self._work, args=(fetch,), name="ahead", daemon=True).start()

    def _work(self, fetch: Fetcher[_Key, _Value]) -> None:
        try:
            while (slot := self._queue.get()) is not None:
                if slot.is_wanted:
                    slot.is_begun = True
                    try:
                        slot.value = fetch(slot.key)
                    except Exception as error:
                        slot.error = error
                slot.done.put(None)
        finally:
            fetch.close()
