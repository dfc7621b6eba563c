"""A regular expression that somebody typed: where it matches, and an error where it would never end."""

import re
import signal
import sys
import warnings
from dataclasses import dataclass

from smscli.errors import UsageError

Span = tuple[int, int]
"""Where something begins in a text, and where it ends."""

# Far beyond a chat message; what a search takes can grow with the square of what it sees, and worse.
_SEEN = 4096
# Thousands of times what an honest pattern takes for one text.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression and the option that gave it."""

    option: str
    compiled: re.Pattern[str]

    def find(self, text: str) -> tuple[Span, ...] | None:
        """Where it matches, without matches of nothing; None where it does not match at all.

        It sees the first 4,096 characters. UsageError where it takes more than a second. To be called in the
        main thread, where signals are raised.
        """
        try:
            spans = _spans(self.compiled, text[:_SEEN])
        except _RunAway as error:
            raise UsageError(
                f"{self.option} takes more than {_PATIENCE_SECONDS:g} s for a single message",
                hint="repeat nothing that is itself repeated, as (a+)+ does",
            ) from error
        return tuple(span for span in spans if span[0] < span[1]) if spans else None


def pattern(option: str, text: str) -> Pattern:
    """A regular expression of Python's; `^` and `$` are those of a line, as for grep. UsageError."""
    try:
        with warnings.catch_warnings():
            # What a later Python might read otherwise is no concern of who types it now.
            warnings.simplefilter("ignore")
            compiled = re.compile(text, re.MULTILINE)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise UsageError(f"{option} is no regular expression: {error.msg}{where}") from error
    except (ValueError, OverflowError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{option} is no regular expression: {reason}") from error
    _watch()
    return Pattern(option, compiled)


class _RunAway(Exception):
    """A search has used up its time."""


class _Search:
    """Whether one is going on, which the timer may end."""

    running = False


def _spans(compiled: re.Pattern[str], text: str) -> list[Span]:
    """All matches, or _RunAway.

    No look at a pattern tells how long it will take, and no text that is worth reading is too short for
    (a+)+$. But a search heeds signals.
    """
    _Search.running = True
    try:
        _set_timer(_PATIENCE_SECONDS)
        return [match.span() for match in compiled.finditer(text)]
    finally:
        _Search.running = False
        _set_timer(0)


def _end_search() -> None:
    if _Search.running:
        raise _RunAway


if sys.platform == "win32":
    # It has no timer that ends a search: there it takes Ctrl-C.
    def _watch() -> None: ...

    def _set_timer(seconds: float) -> None: ...

else:

    def _watch() -> None:
        signal.signal(signal.SIGVTALRM, lambda number, frame: _end_search())

    def _set_timer(seconds: float) -> None:
        # The processor's time: a busy machine, or a pause by Ctrl-Z, is no reason to give up.
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
