"""Raises the signals that end the program as exceptions, but not inside a block that defers them."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
# Enough for a slow reader to take the last output; a reader that hangs must not delay the exit.
_SHUTDOWN_SECONDS = 0.5
_RESEND_SECONDS = 0.01
# On Windows a wait ends before the signal that came meanwhile is raised.
_SLICE_SECONDS = 0.1

_Result = TypeVar("_Result")


class StopSignal(BaseException):
    """SIGINT, SIGTERM or SIGHUP was received, or Windows' SIGBREAK: Ctrl-Break or a closed window."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = 128 + (signal.SIGINT if number == getattr(signal, "SIGBREAK", None) else number)


class _SignalState:
    """`depth`: nesting of deferred blocks; `pending`: signal deferred by them; `since`: time of the first
    signal; `raised`: the last signal that was raised."""

    depth = 0
    pending: int | None = None
    since: float | None = None
    raised: int | None = None


def shutdown_time_left() -> float | None:
    """Seconds left to write pending output after a stop signal; None when there was no signal."""
    if _SignalState.since is None:
        return None
    return max(_SignalState.since + _SHUTDOWN_SECONDS - time.monotonic(), 0.0)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _SignalState.since is None:
        _SignalState.since = time.monotonic()
    if _SignalState.depth:
        _SignalState.pending = number
        return
    _raise(number)


def _raise(number: int) -> NoReturn:
    _SignalState.raised = number
    raise StopSignal(number)


def raise_again() -> None:
    """Call before a wait: raises a signal again whose exception was replaced by an error of a clean-up."""
    if _SignalState.raised is not None:
        raise StopSignal(_SignalState.raised)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _resend(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        # A blocking call of the main thread is only interrupted by a signal to that thread.
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def interruptible(call: Callable[[], _Result]) -> _Result:
    """The result of a call that waits for the network, which a stop signal must be able to interrupt.

    On Windows a signal interrupts no socket: there the main thread leaves the call to another one.
    """
    if sys.platform != "win32" or not _is_main_thread():
        return call()
    from concurrent.futures import wait

    future = call_in_thread(call, name="request")
    while not wait([future], _SLICE_SECONDS).done:
        pass
    return future.result()


def call_in_thread(call: Callable[[], _Result], *, name: str) -> "Future[_Result]":
    """Start a call in a daemon thread; the future gets its result or its error."""
    from concurrent.futures import Future

    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    start_thread(run, name=name)
    return future


def start_thread(target: Callable[..., object], *arguments: object, name: str) -> threading.Thread:
    """Start a daemon thread.

    A signal raised inside `Thread.start` would leave the condition variable that it waits on without its
    lock, and end the program with a RuntimeError.
    """
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    with signals_deferred():
        thread.start()
    return thread


@contextmanager
def _resent_from_finalizers() -> Iterator[None]:
    """Resend a signal that was raised inside a finalizer, where Python drops exceptions."""
    previous = sys.unraisablehook

    def on_unraisable(unraisable: Any) -> None:
        if isinstance(unraisable.exc_value, StopSignal):
            threading.Timer(_RESEND_SECONDS, _resend, (unraisable.exc_value.number,)).start()
        else:
            previous(unraisable)

    sys.unraisablehook = on_unraisable
    try:
        yield
    finally:
        sys.unraisablehook = previous


@contextmanager
def stop_signals_raised() -> Iterator[None]:
    """Raise `StopSignal` inside this block on a stop signal."""
    # A signal that was ignored at the start stays ignored: under nohup SIGHUP ends nothing.
    numbers = [number for number in _STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, _on_signal) for number in numbers}
    try:
        with _resent_from_finalizers():
            yield
    finally:
        with signals_deferred():
            for number, handler in previous.items():
                signal.signal(number, handler)
            _SignalState.since = _SignalState.raised = None


class signals_deferred:
    """Defers stop signals to the end of this block.

    The block must not wait for anything. In another thread than the main one, where no signal is raised, it
    does nothing.
    """

    def __enter__(self) -> None:
        if _is_main_thread():
            _SignalState.depth += 1

    def __exit__(self, *_: object) -> None:
        if not _is_main_thread():
            return
        _SignalState.depth -= 1
        if not _SignalState.depth and _SignalState.pending is not None:
            number, _SignalState.pending = _SignalState.pending, None
            _raise(number)
