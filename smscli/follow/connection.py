"""Whether the connection to the server is lost, and the notices of its loss and return."""

from collections.abc import Iterator
from math import inf

from smscli.backoff import Backoff
from smscli.errors import (
    NotFound,
    NotPermitted,
    ServerError,
    SmscliError,
    TlsError,
    Unreachable,
    WireError,
)
from smscli.model import Notice

CONNECTION_LOST = "connection lost, retrying"
_LOST_FAILURES = 3
_LOST_AFTER = 3.0
_SHORT_LOSS = 300.0
_FIRST_TRY = 0.5
_LONGEST_TRY = 5.0
_LONGEST_TRY_LATER = 30.0
_TEMPORARY = (Unreachable, ServerError, WireError, NotPermitted, NotFound)


def is_temporary(error: Exception) -> bool:
    """Whether a retry may succeed."""
    return isinstance(error, _TEMPORARY) and not isinstance(error, TlsError)


def temporary(error: Exception) -> SmscliError:
    """The error, if a retry may succeed; raises it otherwise."""
    if isinstance(error, SmscliError) and is_temporary(error):
        return error
    raise error


class Connection:
    """Whether the connection is lost; after a reconnect, which sessions must still catch up.

    `last_success` is the time of the last good response to any read. While the connection `is_down`, one read
    is tried at a time.
    """

    def __init__(self, now: float) -> None:
        self.last_success = now
        self.backoff = Backoff(_FIRST_TRY, _LONGEST_TRY)
        self._failures = 0
        self._lost_since = inf
        # After a reconnect the sessions that must still catch up; None while there is nothing to catch up on.
        self._behind: set[str] | None = None
        self._late = 0

    @property
    def is_down(self) -> bool:
        return self._lost_since < inf and self._behind is None

    def on_success(self, now: float) -> bool:
        """A read succeeded; returns whether the connection was down until now."""
        was_down = self.is_down
        self.last_success = now
        self._failures = 0
        self.backoff.passed()
        return was_down

    def on_failure(self, error: SmscliError, now: float, jitter: float, is_try: bool) -> Iterator[Notice]:
        """A read failed; `is_try`: it started while the connection was down."""
        self._failures += 1
        is_lost = self._failures >= _LOST_FAILURES and now - self.last_success >= _LOST_AFTER
        if not (is_try if self.is_down else is_lost):
            return
        self._behind = None
        if self._lost_since == inf:
            self._lost_since, self._late = now, 0
            yield Notice("lost", f"{CONNECTION_LOST} ({error.message})")
        self.backoff.longest = _LONGEST_TRY if now - self._lost_since < _SHORT_LOSS else _LONGEST_TRY_LATER
        self.backoff.failed(now, jitter)

    def catch_up(self, behind: set[str]) -> Iterator[Notice]:
        """The server is back; these sessions must catch up."""
        self._behind = behind
        yield from self.report_end()

    def caught_up(self, session_id: str, messages: int, done: bool = True) -> Iterator[Notice]:
        """A session was read, or failed on its own."""
        if self._behind is not None and session_id in self._behind:
            self._late += messages
            if done:
                self._behind.discard(session_id)
                yield from self.report_end()

    def leave(self, session_id: str) -> None:
        """Another profile reads a session from now on."""
        if self._behind is not None:
            self._behind.discard(session_id)

    def report_end(self) -> Iterator[Notice]:
        """Once all have caught up."""
        if self._behind is not None and not self._behind:
            self._lost_since, self._behind = inf, None
            late = "1 message" if self._late == 1 else f"{self._late or 'no'} messages"
            yield Notice("reconnected", f"reconnected, {late} late")
