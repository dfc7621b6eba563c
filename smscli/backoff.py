"""Exponential back-off with jitter."""

from math import inf

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 30.0
_LONGEST_RETRY_AFTER = 3600.0


class Backoff:
    """The time until the next attempt: from about 1 s to 30 s, or `Retry-After` up to an hour."""

    def __init__(self) -> None:
        self.failures = 0
        self.until = -inf

    def failed(self, now: float, jitter: float, retry_after: float | None = None) -> None:
        """Count a failure at `now`, in seconds; `jitter` from 0 to 1 shortens the delay by up to half."""
        delay = min(_FIRST_DELAY * 2 ** min(self.failures, 10), _LONGEST_DELAY) * (1 - jitter / 2)
        self.failures += 1
        self.until = now + max(delay, min(retry_after or 0.0, _LONGEST_RETRY_AFTER))

    def passed(self) -> None:
        self.failures = 0
        self.until = -inf
