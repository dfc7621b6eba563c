"""Paging: which requests read a session's log to its end, and the order of its messages."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from smscli.model import Message

PAGE = 500


class PageWindow(NamedTuple):
    """`startIndex` and `count` of a read of messages; None is left out."""

    start: int | None = None
    limit: int | None = None


class Paging:
    """The next request for a page of a log: `start` and `count`, None if left out. `highest` is the highest
    index so far, -1 before the first.

    A page without a new index ends the read, nothing else does: a short page may be a cap of the server's, a
    gap or a filter. So after one the rest is asked for without `count`. Messages without an index, or with a
    negative one, count for nothing here. With `overlap` each page begins with the last message of the one
    before, so that no request lies beyond the end.
    """

    def __init__(self, start: int = 1, *, overlap: bool = False) -> None:
        self.start: int | None = start
        self.count: int | None = PAGE
        self.done = False
        # The documents count from 1; where `startIndex` is ignored a log may begin with 0.
        self.highest = start - 1 if start > 1 else -1
        self._step = 0 if overlap else 1
        self._without_index: set[int] = set()
        self._narrow = False
        # The `count` of the last page if it brought nothing new, else 0.
        self._empty = 0

    @property
    def window(self) -> PageWindow:
        return PageWindow(self.start, self.count)

    @property
    def was_empty(self) -> bool:
        """Whether the last page brought nothing new."""
        return self._empty > 0

    def record(self, messages: Sequence[Message]) -> None:
        """Records the page that was requested and moves on to the next one."""
        indices = [one.index for one in messages if one.index is not None and one.index >= 0]
        seen = self.highest
        self.highest = max(seen, *indices) if indices else seen
        if self.start is None:
            self.done = True
        elif indices and min(indices) < self.start:
            # The server ignores `startIndex`: all there is to get comes without it.
            self.ask_for_all()
        else:
            self._advance(len(indices), self.highest > seen)

    def merge(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Like `record`; returns the new messages of the page, in the log's order."""
        new = messages if _is_ascending(messages, self.highest) else self._sorted_new(messages)
        self.record(messages)
        return new

    def _advance(self, placed: int, progress: bool) -> None:
        full = self.count is not None and placed >= self.count
        self.done = not progress and self.count is None
        self.start = max(self.highest + self._step, self.start or 0)
        self._empty = 0 if progress else self.count or self._empty
        self.count = PAGE if progress and (full or self._narrow) else None

    def ask_for_all(self) -> None:
        """The next request has no parameters and is the last one."""
        self.start = self.count = None

    def upcoming(self, most: int) -> Sequence[PageWindow]:
        """The pages that come next, if all are full and without gaps.

        Empty otherwise: a response without `count` may be far too long to be fetched in vain.
        """
        if self.done or self.start is None or self.count != PAGE or self._narrow:
            return ()
        return [PageWindow(start, PAGE) for start in range(self.start, self.start + most * PAGE, PAGE)]

    def narrow(self) -> bool:
        """Makes the next page smaller, after a response over the size limit; False if it can't be smaller."""
        if self.start is None or (self.count is not None and self.count <= PAGE):
            return False
        self._narrow = True
        # Where `count` is a range of indices it must grow over a gap, and may then take in too much.
        self.count = max(PAGE, 2 * self._empty) if self.count is None else (self._empty + self.count) // 2
        return self.count > self._empty

    def _sorted_new(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        found: set[int] = set()
        new: list[Message] = []
        for one in in_order(messages):
            known = self._without_index if one.order is None else found
            if (one.order is None or one.order > self.highest) and one.identity not in known:
                known.add(one.identity)
                new.append(one)
        return tuple(new)


def in_order(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Sorted by index; a message without one stays behind the message that it followed."""
    places: list[int] = []
    place = -1
    for message in messages:
        order = message.order
        place = place if order is None else order
        places.append(place)
    if places == sorted(places):
        return messages
    pairs = sorted(zip(places, messages, strict=True), key=itemgetter(0))
    return tuple(message for _, message in pairs)


def _is_ascending(messages: Sequence[Message], above: int) -> bool:
    """Whether every message has an index, and each is higher than the one before."""
    indices = [one.index for one in messages]
    for index in indices:
        if index is None or index <= above:
            return False
        above = index
    return True
