"""The position in one session's log: which messages were seen, what to request next, which are new.

Pure: times are passed in, in seconds of a monotonic clock.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

from smscli.model import Message, Page
from smscli.paging import Paging, in_order

RECENT = timedelta(seconds=60)
_REREAD_AFTER = (2.0, 10.0)
_RESUMED_WITHIN = timedelta(days=1)


class SeenIds:
    """A set of 64-bit integers in 12 to 24 bytes each, where a `set` takes about 70.

    A hash table with open addressing and linear probing; the low bits of an identity are its hash.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 16))
        self._count = 0

    def __contains__(self, identity: int) -> bool:
        return self._table[self._place(identity)] != 0

    def add(self, identity: int) -> bool:
        """Add it; returns whether it is new."""
        place = self._place(identity)
        if self._table[place]:
            return False
        self._table[place] = _key(identity)
        self._count += 1
        if self._count * 3 > len(self._table) * 2:
            self._grow()
        return True

    def _place(self, identity: int) -> int:
        table, key = self._table, _key(identity)
        last = len(table) - 1
        place = key & last
        while table[place] and table[place] != key:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        old = self._table
        self._table = array("Q", bytes(16 * len(old)))
        for key in filter(None, old):
            self._table[self._place(key)] = key


def _key(identity: int) -> int:
    return identity & (2**64 - 1) or 1  # 0 marks a free place


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for messages: `start` is `startIndex`.

    `anchor` is the index of a message that the page must contain, None for none. `first`: no read has reached
    the end of the log yet. `at`: when it was sent. `paged`: a page of a read of the whole log.
    """

    start: int | None
    count: int | None
    anchor: int | None
    first: bool
    at: float
    paged: bool = False

    @property
    def whole(self) -> bool:
        """Whether it belongs to a read of the whole log."""
        return self.paged or self.anchor is None


class PageResult(NamedTuple):
    """The new messages of a page, in the log's order, and its gaps, as the indices on both sides.

    `done`: no further page must be requested at once. `reset`: the anchor is missing, so the page is dropped
    and the log is read from its start.
    """

    messages: tuple[Message, ...]
    gaps: tuple[tuple[int, int], ...] = ()
    done: bool = True
    reset: bool = False


class Position(NamedTuple):
    """Where an earlier run stopped in a log whose messages are not at hand.

    `is_same` says whether a message is the last one, with the index `order` (None before the first), or one
    of those that had no place in the order; between the indices on both sides of `gaps` messages may be
    missing. `older` reads the messages up to there, if they are kept. `at` is the time of that run's end.
    """

    order: int | None
    is_same: Callable[[Message], bool]
    gaps: Sequence[tuple[int, int, datetime | None]]
    older: Callable[[], Iterable[Message]]
    at: datetime | None

    def has(self, message: Message) -> bool:
        """Whether that run had seen a message."""
        order = message.order
        if order is None or order == self.order:
            return self.is_same(message)
        is_missing = any(low < order < high for low, high, _ in self.gaps)
        return self.order is not None and order < self.order and not is_missing


class Cursor:
    """The position in one session's log: `next_request` returns what to read next, `record` what is new.

    `highest` is the highest index so far, -1 before the first. `paging`: the read of the whole log that is
    under way. `first`: no read has reached the end of the log yet. `doubtful`: an anchor was missing, and no
    read has found one since.
    """

    def __init__(self) -> None:
        self.seen = SeenIds()
        self.highest = -1
        self.paging: Paging | None = Paging(overlap=True)
        self.first = True
        self.doubtful = False
        self.last_at: datetime | None = None
        # When to read gaps again, and the indices below the first and above the last of them.
        self._rereads: list[tuple[float, int, int]] = []
        self._upper: deque[tuple[datetime, int]] = deque()
        self._position: Position | None = None

    def restore(self, position: Position) -> None:
        """Go on at a position, as if all messages up to it had been recalled."""
        self.stop()
        self.highest = -1 if position.order is None else position.order
        self.last_at, self._position = position.at, position
        self._upper.extend((at, low) for low, _, at in position.gaps if at is not None)

    def recall(self, message: Message) -> None:
        """Mark a message of an earlier run as seen; called in the order of arrival."""
        self.seen.add(message.identity)
        self.stop()
        if message.at is not None and (self.last_at is None or message.at > self.last_at):
            self.last_at = message.at
        if message.order is None or message.late:
            return
        if message.order < self.highest:
            # It isn't marked late, so the log was reset: what stands below the position is another log.
            self._upper.clear()
            self._position = self._position and self._position._replace(order=None)
        elif message.at is not None and self._leaves_gap(message.order):
            self._upper.append((message.at, self.highest))
        self.highest = message.order
        while self._upper and self.last_at is not None and self.last_at - self._upper[0][0] > RECENT:
            self._upper.popleft()

    def settle(self, end: datetime | None, now: float) -> None:
        """After the last `recall`: read gaps again that were under 60 s old at `end`, the end of that run."""
        lows = [low for at, low in self._upper if end is not None and end - at <= RECENT]
        self._upper.clear()
        if lows:
            self._read_again(min(lows), now, at_once=True)

    def may_be_live(self, end: datetime | None) -> bool:
        """Whether the session was active in the last day before `end`, the end of the earlier run."""
        return end is not None and self.last_at is not None and end - self.last_at <= _RESUMED_WITHIN

    @property
    def reread_due(self) -> float:
        """When to read a gap again next; infinite for never."""
        return min(self._rereads)[0] if self._rereads else inf

    def next_request(self, now: float) -> PageRequest:
        anchor = self.highest if self.highest >= 0 else None
        if self.paging is not None:
            return PageRequest(self.paging.start, self.paging.count, anchor, self.first, now, paged=True)
        low = min((low for due, low, _ in self._rereads if due <= now), default=self.highest)
        if low < 0:
            return PageRequest(1, None, anchor, False, now)
        return PageRequest(low, None, low, False, now)

    def record(self, request: PageRequest, page: Page, now: float) -> PageResult:
        """What is new on `page`, the response to `request`."""
        messages = in_order(page.messages)
        if self._position:
            for message in filter(self._position.has, messages):
                self.seen.add(message.identity)
        pairs = [(message, message.identity) for message in messages]
        known = [one.order for one, identity in pairs if one.order is not None and identity in self.seen]
        if request.anchor is not None and request.anchor not in known and self._is_reset(request, messages):
            self._start_again()
            return PageResult((), done=False, reset=True)
        top = max([self.highest, *known])
        new = tuple(
            replace(one, late=True) if one.order is not None and one.order < top else one
            for one, identity in pairs
            if self.seen.add(identity)
        )
        gaps = self._advance(request, messages, page.at, now)
        if self.paging is not None:
            self.paging.record(messages)
            if self.paging.done:
                self.stop()
        if request.start == request.anchor in known:
            self.doubtful = False
        if not request.whole:
            self._rereads = list(self._rereads_left(request, messages))
        return PageResult(new, gaps, done=self.paging is None)

    def _is_reset(self, request: PageRequest, messages: Sequence[Message]) -> bool:
        """Whether a missing anchor means that the log was reset.

        A page of a whole read may also lack it because it is the last one and the server's `startIndex` is
        exclusive; another message with the anchor's index does mean a reset.
        """
        if not request.paged:
            return True
        orders = [message.order for message in messages if message.order is not None]
        return bool(orders) and (request.anchor in orders or not self.doubtful)

    def stop(self) -> None:
        """End a read of the whole log."""
        self.paging, self.first = None, False

    def _start_again(self) -> None:
        if self._position:
            for message in self._position.older():
                self.seen.add(message.identity)
            self._position = None
        self.highest = -1
        self.paging = Paging(overlap=True)
        self.doubtful = True
        self._rereads.clear()

    def _leaves_gap(self, order: int) -> bool:
        return order > max(self.highest, 0) + 1

    def _advance(
        self, request: PageRequest, messages: Sequence[Message], at: datetime | None, now: float
    ) -> tuple[tuple[int, int], ...]:
        """Move `highest` to the last of `messages`; returns the gaps; recent ones will be read again."""
        gaps: list[tuple[int, int]] = []
        lows: list[int] = []
        for message in messages:
            order = message.order
            if order is None or order <= self.highest:
                continue
            if self._leaves_gap(order):
                gaps.append((self.highest, order))
                is_recent = message.at is not None and at is not None and at - message.at < RECENT
                if not request.whole or is_recent:
                    lows.append(self.highest)
            self.highest = order
        if lows:
            self._read_again(min(lows), now)
        return tuple(gaps)

    def _read_again(self, low: int, now: float, at_once: bool = False) -> None:
        delays = (0.0, *_REREAD_AFTER) if at_once else _REREAD_AFTER
        self._rereads += [(now + after, low, self.highest) for after in delays]

    def _rereads_left(
        self, request: PageRequest, messages: Sequence[Message]
    ) -> Iterator[tuple[float, int, int]]:
        """Those still to come after the response to `request`: after a short page the rest is read again."""
        reached = max((one.order for one in messages if one.order is not None), default=0)
        for due, low, high in self._rereads:
            if due > request.at:
                yield due, low, high
            elif request.anchor is not None and request.anchor < reached < high:
                yield due, max(low, reached), high
