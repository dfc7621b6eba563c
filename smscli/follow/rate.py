"""The rate limit of requests, the poll interval, and whether push can be trusted.

Pure: times are passed in, in seconds of a monotonic clock.
"""

from collections import deque
from math import inf

from smscli.backoff import capped

LIMIT = 20
# A little over one, so that rounding can't allow a 21st read in one second.
_SECOND = 1.01
_HALVED_FOR = 60.0
_ACTIVE = 60.0
_SLOWER = 1.5
_SLOWEST = 5.0
_SHORTEST_INTERVAL = 0.05
_AROUND = 5.0
_WON_AGAIN_AFTER = 60.0


class RateLimit:
    """At most 20 reads in any one second, 10 for a minute after the server asked for fewer.

    A read counts from its start until a second after its response, since it isn't known when the server
    received it. `process` limits the reads from all servers together, `limit` is another one than 20.
    """

    def __init__(self, process: "RateLimit | None" = None, limit: int = LIMIT) -> None:
        self._process = process
        self._limit = limit
        self._under_way = 0
        self._responses: deque[float] = deque(maxlen=LIMIT)
        self._halved_until = self._held_until = -inf

    def per_second(self, now: float) -> int:
        return self._limit // 2 if now < self._halved_until else self._limit

    def free_at(self, now: float, keep: int = 0) -> float:
        """When the next read may start, and `keep` more: in the past if at once, infinite if only after
        another response."""
        free = self.per_second(now) - self._under_way - keep
        if free <= 0:
            return inf
        at = self._process.free_at(now, keep) if self._process else -inf
        if len(self._responses) < free:
            return max(self._held_until, at)
        return max(self._held_until, self._responses[-free] + _SECOND, at)

    def start(self) -> None:
        self._under_way += 1
        if self._process:
            self._process.start()

    def finish(self, now: float) -> None:
        self._under_way -= 1
        self._responses.append(now)
        if self._process:
            self._process.finish(now)

    def throttle(self, now: float, retry_after: float | None) -> float:
        """The server asked for fewer requests: halve the limit, and obey `Retry-After`; returns for how many
        seconds no read may start."""
        self._halved_until = now + _HALVED_FOR
        seconds = capped(retry_after)
        self._held_until = max(self._held_until, now + seconds)
        return seconds


class PollInterval:
    """The interval between polls: the base interval while a message was found in the last 60 s, then 1.5
    times longer after each empty read, up to five times the base."""

    def __init__(self, base: float) -> None:
        self._base = max(base, _SHORTEST_INTERVAL)
        self.interval = self._base
        self.active_at = -inf

    def on_messages(self, now: float, age: float = 0.0) -> None:
        """A message was found that is `age` seconds old; a negative age (the clocks differ) counts as 0."""
        self.active_at = max(self.active_at, now - max(age, 0.0))
        self.interval = self._base

    def on_empty_read(self, now: float) -> None:
        if now - self.active_at >= _ACTIVE:
            self.interval = min(self.interval * _SLOWER, self._base * _SLOWEST)


class PushTrust:
    """Whether push can be trusted to report every message: compares wake-ups with what reads find."""

    def __init__(self, trusted: bool) -> None:
        self._won = trusted
        self._is_broken = False
        self._lost_at = -inf
        self._wakes: dict[str, float] = {}
        self._reconnected_at = -inf
        self._doubts: dict[str, float] = {}

    @property
    def trusted(self) -> bool:
        return self._won and not self._is_broken

    @property
    def deadline(self) -> float:
        """When the trust ends unless the missing wake-up arrives."""
        return min(self._doubts.values(), default=inf)

    def on_wake(self, session_id: str, now: float) -> None:
        self._wakes[session_id] = now
        self._doubts.pop(session_id, None)

    def on_break(self) -> None:
        """The channel is down: push isn't trusted until it has reconnected."""
        self._is_broken = True
        self._doubts.clear()

    def on_reconnect(self, now: float) -> None:
        """The channel is back; wake-ups lost meanwhile don't end the trust."""
        self._is_broken = False
        self._reconnected_at = now
        self._doubts.clear()

    def on_page(self, session_id: str, now: float, read_before: float) -> bool:
        """A read found messages; returns whether push is trusted from now on, because a wake-up came after
        the start of the previous read."""
        announced = self._wakes.get(session_id, -inf) >= read_before
        if self._won or not announced or now - self._lost_at < _WON_AGAIN_AFTER:
            return False
        self._won = True
        return True

    def on_background_page(self, session_id: str, now: float) -> None:
        """A background read found messages: a wake-up must have come shortly before, or come soon."""
        woken_at = max(self._wakes.get(session_id, -inf), self._reconnected_at)
        if self.trusted and now - woken_at > _AROUND:
            self._doubts.setdefault(session_id, now + _AROUND)

    def expires(self, now: float) -> bool:
        """Ends the trust at the deadline; returns whether it ended now."""
        if now < self.deadline:
            return False
        self.lose(now)
        return True

    def lose(self, now: float) -> None:
        self._won = False
        self._lost_at = now
        self._doubts.clear()
