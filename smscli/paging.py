"""Which reads a session's log takes to its end, apart from how they are sent."""

from collections.abc import Sequence
from operator import itemgetter

from smscli.model import Message

PAGE = 500


class Paging:
    """What to ask next while a log is read page by page: `start` and `count`, each None to be left out.
    `highest` is the highest index so far, -1 before the first.

    A page without a new index ends the read, nothing else does: a short page may be a cap of the server's, a
    gap or a filter. So after one the rest is asked for without `count`. Messages without a place in the order
    count for nothing here.
    """

    def __init__(self, start: int = 1) -> None:
        self.start: int | None = start
        self.count: int | None = PAGE
        self.done = False
        # The documents count from 1; where `startIndex` is ignored a log may begin with 0.
        self.highest = start - 1 if start > 1 else -1
        self._unplaced: set[int] = set()
        self._narrow = False
        # How wide a counted page was that brought nothing new.
        self._empty = 0

    @property
    def was_empty(self) -> bool:
        """Whether the last page brought nothing new."""
        return self._empty > 0

    def take(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """What is new on the page that was asked for, in the log's order."""
        indices = [one.index for one in messages if one.index is not None and one.index >= 0]
        seen = self.highest
        new = messages if _rises(indices, seen, len(messages)) else self._sorted_new(messages)
        self.highest = max(seen, *indices) if indices else seen
        if self.start is None:
            self.done = True
        elif indices and min(indices) < self.start:
            # The server ignores `startIndex`: all there is to get comes without it.
            self.ask_for_all()
        else:
            self._advance(len(indices), self.highest > seen)
        return new

    def _advance(self, placed: int, progress: bool) -> None:
        full = self.count is not None and placed >= self.count
        self.done = not progress and self.count is None
        self.start = max(self.highest + 1, self.start or 0)
        self._empty = 0 if progress else self.count or self._empty
        self.count = PAGE if progress and (full or self._narrow) else None

    def ask_for_all(self) -> None:
        """Ask once, without parameters, for whatever there is."""
        self.start = self.count = None

    def foreseen(self, most: int) -> Sequence[tuple[int | None, int | None]]:
        """`start` and `count` of the pages that come next, where all are full and without gaps.

        None beside them: an answer without `count` may be far too long to be fetched for nothing.
        """
        if self.done or self.start is None or self.count != PAGE or self._narrow:
            return ()
        return [(start, PAGE) for start in range(self.start, self.start + most * PAGE, PAGE)]

    def narrow(self) -> bool:
        """The answer was over the limit: ask for less of it. False where no less can be asked."""
        if self.start is None or (self.count is not None and self.count <= PAGE):
            return False
        self._narrow = True
        # Where `count` is a range of indices it must grow over a gap, and may then take in too much.
        self.count = max(PAGE, 2 * self._empty) if self.count is None else (self._empty + self.count) // 2
        return self.count > self._empty

    def _sorted_new(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """The unseen ones; an unplaced one stays behind the message it came after."""
        met: set[int] = set()
        found: list[tuple[int, Message]] = []
        place = self.highest
        for one in messages:
            if one.order is not None:
                place = one.order
            known = self._unplaced if one.order is None else met
            if (one.order is None or one.order > self.highest) and one.identity not in known:
                known.add(one.identity)
                found.append((place, one))
        return tuple(one for _, one in sorted(found, key=itemgetter(0)))


def _rises(indices: list[int], above: int, length: int) -> bool:
    """Whether every message of a page has an index, and each is higher than the one before."""
    return len(indices) == length and (not indices or indices[0] > above) and indices == sorted(set(indices))
