"""Exponential back-off with jitter."""

from math import inf

_LONGEST_RETRY_AFTER = 3600.0


class Backoff:
    """Exponential, with jitter, from about `first` to `longest` seconds; `Retry-After` is obeyed up to an
    hour."""

    def __init__(self, first: float = 1.0, longest: float = 30.0) -> None:
        self.first = first
        self.longest = longest
        self.failures = 0
        self.until = -inf

    def failed(self, now: float, jitter: float, retry_after: float | None = None) -> None:
        """`jitter` is from 0 to 1, and takes up to half of the delay away."""
        delay = min(self.first * 2 ** min(self.failures, 10), self.longest) * (1 - jitter / 2)
        self.failures += 1
        self.until = now + max(delay, capped(retry_after))

    def passed(self) -> None:
        self.failures = 0
        self.until = -inf


def capped(retry_after: float | None) -> float:
    """The seconds of a `Retry-After` header, 0 without; an upper bound for absurd values."""
    seconds = retry_after or 0.0
    return min(seconds, _LONGEST_RETRY_AFTER) if seconds > 0 else 0.0
