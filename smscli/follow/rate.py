"""How fast to read: the request rate, the polling rhythm, and whether push is trusted.

All of it is arithmetic on times that are handed in, in seconds of a clock that does not run backwards.
"""

from collections import deque
from math import inf

LIMIT = 20
# A little over one, so that no rounding lets a 21st read into a second.
_SECOND = 1.01
_HALVED_FOR = 60.0
_ACTIVE = 60.0
_SLOWER = 1.5
_SLOWEST = 5.0
_SHORTEST_INTERVAL = 0.05
_AROUND = 5.0
_WON_AGAIN_AFTER = 60.0


class Window:
    """At most 20 reads in any one second, 10 for a minute after the server asked for fewer.

    A read counts from its start to a second after its answer: whenever the server saw it, no 21st falls into
    the same second.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._answers: deque[float] = deque(maxlen=LIMIT)
        self._halved_until = -inf

    def limit(self, now: float) -> int:
        return LIMIT // 2 if now < self._halved_until else LIMIT

    def free_at(self, now: float) -> float:
        """When the next read may start; in the past when it may at once, infinite before an answer."""
        free = self.limit(now) - self._under_way
        if free <= 0:
            return inf
        return self._answers[-free] + _SECOND if len(self._answers) >= free else -inf

    def start(self) -> None:
        self._under_way += 1

    def finish(self, now: float) -> None:
        self._under_way -= 1
        self._answers.append(now)

    def halve(self, now: float) -> None:
        self._halved_until = now + _HALVED_FOR


class Rhythm:
    """The interval of polling: the base one while something was found in the last 60 s, then 1.5 times longer
    at each empty read, up to five times."""

    def __init__(self, base: float) -> None:
        self._base = max(base, _SHORTEST_INTERVAL)
        self.interval = self._base
        self.active_at = -inf

    def on_messages(self, now: float, age: float = 0.0) -> None:
        """Something came that is `age` seconds old; below 0 (two clocks that disagree) is 0."""
        self.active_at = max(self.active_at, now - max(age, 0.0))
        self.interval = self._base

    def on_empty_read(self, now: float) -> None:
        if now - self.active_at >= _ACTIVE:
            self.interval = min(self.interval * _SLOWER, self._base * _SLOWEST)


class Trust:
    """Whether wake-ups can be relied on, judged by what wake-ups and reads find, session by session."""

    def __init__(self, trusted: bool) -> None:
        self._won = trusted
        self._interrupted = False
        self._lost_at = -inf
        self._wakes: dict[str, float] = {}
        self._reconnected_at = -inf
        self._doubts: dict[str, float] = {}

    @property
    def trusted(self) -> bool:
        """Whether wake-ups are relied on now."""
        return self._won and not self._interrupted

    @property
    def deadline(self) -> float:
        """When the next doubt turns into distrust."""
        return min(self._doubts.values(), default=inf)

    def on_wake(self, session_id: str, now: float) -> None:
        self._wakes[session_id] = now
        self._doubts.pop(session_id, None)

    def interrupt(self) -> None:
        """The channel is down: there is nothing to rely on before it is back."""
        self._interrupted = True
        self._doubts.clear()

    def on_reconnect(self, now: float) -> None:
        """The channel is back, and wake-ups may have been lost: that excuses all that are."""
        self._interrupted = False
        self._reconnected_at = now
        self._doubts.clear()

    def on_page(self, session_id: str, now: float, read_before: float) -> bool:
        """A read found messages: whether that wins the trust, a wake-up having come since the start of the
        read before."""
        announced = self._wakes.get(session_id, -inf) >= read_before
        if self._won or not announced or now - self._lost_at < _WON_AGAIN_AFTER:
            return False
        self._won = True
        return True

    def on_background_page(self, session_id: str, now: float) -> None:
        """A background read found messages, for which a wake-up should come or have come."""
        woken_at = max(self._wakes.get(session_id, -inf), self._reconnected_at)
        if self.trusted and now - woken_at > _AROUND:
            self._doubts.setdefault(session_id, now + _AROUND)

    def judge(self, now: float) -> bool:
        """Whether the trust ends now."""
        if now < self.deadline:
            return False
        self.lose(now)
        return True

    def lose(self, now: float) -> None:
        self._won = False
        self._lost_at = now
        self._doubts.clear()
