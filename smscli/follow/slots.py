"""Which reads of one server are under way, over the feeds of all its profiles, and whether more may start."""

from math import inf
from typing import TYPE_CHECKING

from smscli.follow.rate import RateLimit

if TYPE_CHECKING:
    from smscli.follow.targets import Target

MAX_READS = 4
_MAX_SLOW_READS = 2
# At most four background reads a second: the profiles of a server take turns.
_BACKGROUND_PAUSE = 0.25


class ReadSlots:
    """Up to four reads at once; slow sessions hold at most two of them, and so do slow lists.

    Each server has its own, so that one that hangs doesn't delay the others; `process` limits the reads a
    second from all of them. `background_at`: when the next background read may start.
    """

    def __init__(self, process: RateLimit | None = None) -> None:
        self.limit = RateLimit(process)
        self.reads: list[Target] = []
        self.background_at = -inf

    @property
    def is_full(self) -> bool:
        return len(self.reads) >= MAX_READS

    def have_room_for(self, target: "Target") -> bool:
        """Whether one of the slots that slow targets of this kind may hold is free, if it is slow."""
        alike = (one for one in self.reads if type(one) is type(target))
        return not target.is_slow or sum(one.is_slow for one in alike) < _MAX_SLOW_READS

    def start(self, target: "Target") -> None:
        self.limit.start()
        self.reads.append(target)

    def start_background(self, now: float) -> None:
        self.background_at = now + _BACKGROUND_PAUSE
