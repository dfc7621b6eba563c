"""Signals that end the program: raised as exceptions, but never between doing a thing and noting it down."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(BaseException):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class _State:
    """`depth` of what must not be interrupted, and the signal that came meanwhile."""

    depth = 0
    pending: int | None = None


def _stop(number: int, frame: FrameType | None) -> None:
    if _State.depth:
        _State.pending = number
        return
    raise Stopped(number)


@contextmanager
def heeded() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP end what is inside by raising `Stopped`."""
    # What is ignored from the start stays so: under nohup a hang-up ends nothing.
    heard = [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
            raise Stopped(number)
