"""Where a reader stands in one session's log: what it has seen, what to ask for next, which answers are new.

Pure: times are handed in, in seconds of any clock that does not run backwards.
"""

from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from smscli.model import Message, Page
from smscli.paging import Paging, in_order

RECENT = timedelta(seconds=60)
_REREAD_AFTER = (2.0, 10.0)
_BEFORE_ALL = -1
_RESUMED_WITHIN = timedelta(days=1)
_WORD = 0xFFFF_FFFF_FFFF_FFFF


class SeenIds:
    """A set of 64-bit identities in 12 to 24 bytes each, where a `set` of integers takes about 70.

    Open addressing: an identity stands in the first free place at or after its own low bits.
    """

    __slots__ = ("_count", "_table")

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 16))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, identity: int) -> bool:
        return self._table[self._place(identity)] != 0

    def add(self, identity: int) -> bool:
        """Whether it is new."""
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
        for key in old:
            if key:
                self._table[self._place(key)] = key


def _key(identity: int) -> int:
    return identity & _WORD or 1  # 0 marks a free place


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What to ask the messages resource for (`startIndex`, `count`).

    `anchor` is the index of a message that must come back, None where none must. `first`: no read of the log
    has reached its end. `at`: when it was asked. `paged`: a page of a read of the whole log.
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
    """What an answer brought: new messages in the log's order, and gaps as the indices on both sides.

    `done` when nothing more is to be asked for at once; `reset` when the anchor did not come back: the
    answer is dropped and the log is read from its start.
    """

    messages: tuple[Message, ...]
    gaps: tuple[tuple[int, int], ...] = ()
    done: bool = True
    reset: bool = False


class Cursor:
    """One session's place: `next_request` says what to read next, `record` what the answer brought.

    `first`: no read of the log has reached its end. `doubtful`: an anchor was missed, and no inclusive read
    has brought it back since.
    """

    __slots__ = ("_paging", "_rereads", "_upper", "doubtful", "first", "highest", "last_at", "seen")

    def __init__(self) -> None:
        self.seen = SeenIds()
        self.highest: int | None = None
        self._paging: Paging | None = Paging(overlap=True)
        self.first = True
        self.doubtful = False
        self.last_at: datetime | None = None
        # When, from which message on and up to which a gap or several are to be read again.
        self._rereads: list[tuple[float, int, int]] = []
        self._upper: deque[tuple[datetime, int]] = deque()

    def recall(self, message: Message) -> None:
        """Count as seen a message that an earlier run kept; they are given in the order of arrival."""
        self.seen.add(message.identity)
        self.stop()
        if message.at is not None and (self.last_at is None or message.at > self.last_at):
            self.last_at = message.at
        if message.order is None or message.late:
            return
        if self.highest is not None and message.order < self.highest:
            self._upper.clear()  # It is not late, and so of a new log: there was a reset.
        elif message.at is not None and self._leaves_gap(message.order):
            self._upper.append((message.at, self._below()))
        self.highest = message.order
        while self._upper and self.last_at is not None and self.last_at - self._upper[0][0] > RECENT:
            self._upper.popleft()

    def settle(self, end: datetime | None, now: float) -> None:
        """After the last `recall`: gaps of the last 60 s before `end`, the end of the earlier run, count."""
        lows = [low for at, low in self._upper if end is not None and end - at <= RECENT]
        self._upper.clear()
        if lows:
            self._read_again(min(lows), now, at_once=True)

    def may_be_live(self, end: datetime | None) -> bool:
        """Whether the session was active in the last day before `end`, the end of the earlier run."""
        return end is not None and self.last_at is not None and end - self.last_at <= _RESUMED_WITHIN

    @property
    def paging(self) -> bool:
        """Whether a read of the whole log is under way."""
        return self._paging is not None

    @property
    def reread_due(self) -> float | None:
        """When a gap is to be read again next."""
        return min(self._rereads)[0] if self._rereads else None

    def next_request(self, now: float) -> PageRequest:
        if self._paging is not None:
            start, count = self._paging.start, self._paging.count
            return PageRequest(start, count, self.highest, self.first, now, paged=True)
        if self.highest is None:
            return PageRequest(1, None, None, False, now)
        low = min((low for due, low, _ in self._rereads if due <= now), default=self.highest)
        if low == _BEFORE_ALL:
            return PageRequest(1, None, self.highest, False, now)
        return PageRequest(low, None, low, False, now)

    def record(self, request: PageRequest, page: Page, now: float) -> PageResult:
        """What `page`, the answer to `request`, brought."""
        messages = in_order(page.messages)
        identities = [message.identity for message in messages]
        known = [
            message.order
            for message, identity in zip(messages, identities, strict=True)
            if message.order is not None and identity in self.seen
        ]
        if request.anchor is not None and request.anchor not in known and self._is_reset(request, messages):
            self._start_again()
            return PageResult((), done=False, reset=True)
        top = max(known, default=-1)
        if self.highest is not None:
            top = max(top, self.highest)
        new = tuple(
            replace(message, late=True) if message.order is not None and message.order < top else message
            for message, identity in zip(messages, identities, strict=True)
            if self.seen.add(identity)
        )
        gaps = self._advance(request, messages, page.at, now)
        if self._paging is not None:
            self._paging.record(messages)
            if self._paging.done:
                self.stop()
        if request.start is not None and request.start == request.anchor in known:
            self.doubtful = False
        if not request.whole:
            self._rereads = list(self._rereads_left(request, messages))
        return PageResult(new, gaps, done=not self.paging)

    def narrow(self) -> bool:
        """The answer was too large: ask for less of it. False where no less can be asked."""
        if self._paging is not None:
            return self._paging.narrow()
        if self.highest is not None:
            self._paging = Paging(self.highest, overlap=True)
        return self.highest is not None

    def _is_reset(self, request: PageRequest, messages: Sequence[Message]) -> bool:
        """Whether a missing anchor means another log.

        A read of the whole log may have reached its end, on a server whose `startIndex` is exclusive; with
        another message in the anchor's place it goes on in a log that has begun anew.
        """
        if not request.paged:
            return True
        orders = [message.order for message in messages if message.order is not None]
        return bool(orders) and (request.anchor in orders or not self.doubtful)

    def stop(self) -> None:
        """End a read of the whole log where it stands."""
        self._paging, self.first = None, False

    def _start_again(self) -> None:
        self.highest = None
        self._paging = Paging(overlap=True)
        self.doubtful = True
        self._rereads.clear()

    def _leaves_gap(self, order: int) -> bool:
        return order > (1 if self.highest is None else self.highest + 1)

    def _below(self) -> int:
        return _BEFORE_ALL if self.highest is None else self.highest

    def _advance(
        self, request: PageRequest, messages: Sequence[Message], at: datetime | None, now: float
    ) -> tuple[tuple[int, int], ...]:
        """Move `highest` to the last of `messages`; the gaps passed, and those worth it noted for later."""
        gaps: list[tuple[int, int]] = []
        lows: list[int] = []
        for message in messages:
            order = message.order
            if order is None or (self.highest is not None and order <= self.highest):
                continue
            if self._leaves_gap(order):
                gaps.append((self._below(), order))
                if not request.whole or _is_recent(message.at, at):
                    lows.append(self._below())
            self.highest = order
        if lows:
            self._read_again(min(lows), now)
        return tuple(gaps)

    def _read_again(self, low: int, now: float, at_once: bool = False) -> None:
        delays = (0.0, *_REREAD_AFTER) if at_once else _REREAD_AFTER
        self._rereads += [(now + after, low, self.highest or 0) for after in delays]

    def _rereads_left(
        self, request: PageRequest, messages: Sequence[Message]
    ) -> Iterator[tuple[float, int, int]]:
        """Those still to come after the answer to `request`: where the server has cut it short it goes on."""
        reached = max((one.order for one in messages if one.order is not None), default=0)
        for due, low, high in self._rereads:
            if due > request.at:
                yield due, low, high
            elif request.anchor is not None and request.anchor < reached < high:
                yield due, max(low, reached), high


def _is_recent(at: datetime | None, now: datetime | None) -> bool:
    return at is not None and now is not None and now - at < RECENT
