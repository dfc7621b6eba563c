"""Signals that end the program: raised as exceptions, but never between doing a thing and noting it down."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# What was begun may still be written out to a reader who is slow; one who sleeps holds nobody up.
_LAST_WORDS_SECONDS = 0.5
_AGAIN_SECONDS = 0.01


class Stopped(BaseException):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = 128 + number


class _State:
    """`depth` of what must not be interrupted, the signal that came meanwhile, when the first one came, and
    the last one that was raised."""

    depth = 0
    pending: int | None = None
    since: float | None = None
    raised: int | None = None


def time_left() -> float | None:
    """How many seconds a program that was asked to end has to write what it began; None where it was not."""
    if _State.since is None:
        return None
    return max(_State.since + _LAST_WORDS_SECONDS - time.monotonic(), 0.0)


def _stop(number: int, frame: FrameType | None) -> None:
    if _State.since is None:
        _State.since = time.monotonic()
    if _State.depth:
        _State.pending = number
        return
    _raise(number)


def _raise(number: int) -> NoReturn:
    _State.raised = number
    raise Stopped(number)


def insist() -> None:
    """For one who would wait on: raise again what was raised, and lost behind an error of a clean-up."""
    if _State.raised is not None:
        raise Stopped(_State.raised)


def _send_again(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        # To the main thread itself: it may be in a wait that only a signal of its own ends.
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


@contextmanager
def _never_lost() -> Iterator[None]:
    """Have a signal come again that was raised where Python drops exceptions, as in a finalizer."""
    before = sys.unraisablehook

    def dropped(what: Any) -> None:
        if isinstance(what.exc_value, Stopped):
            threading.Timer(_AGAIN_SECONDS, _send_again, (what.exc_value.number,)).start()
        else:
            before(what)

    sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def heeded() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP end what is inside by raising `Stopped`."""
    # What is ignored from the start stays so: under nohup a hang-up ends nothing.
    heard = [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _stop) for number in heard}
    try:
        with _never_lost():
            yield
    finally:
        with held():
            for number, handler in before.items():
                signal.signal(number, handler)
            _State.since = _State.raised = None


class held:
    """What stands inside is done whole: a signal that comes meanwhile is raised at its end.

    Nothing that may wait belongs in it. Only for the main thread, where signals are raised.
    """

    def __enter__(self) -> None:
        _State.depth += 1

    def __exit__(self, *_: object) -> None:
        _State.depth -= 1
        if not _State.depth and _State.pending is not None:
            number, _State.pending = _State.pending, None
            _raise(number)
