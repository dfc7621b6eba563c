"""Stop signals where the platform has others than Linux."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from smscli.signals import StopSignal, interruptible, stop_signals_raised
from tests.support.paths import ROOT

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")

# Of Windows' signals: no SIGHUP, no pthread_kill, and SIGBREAK, for which SIGUSR1 stands here.
_CTRL_BREAK = """
import os, signal
for name in ("SIGHUP", "pthread_kill", "SIGTSTP"):
    delattr(signal, name)
signal.SIGBREAK = signal.SIGUSR1
from smscli.signals import StopSignal, stop_signals_raised
try:
    with stop_signals_raised():
        os.kill(os.getpid(), signal.SIGUSR1)
except StopSignal as stop:
    print(stop.number == signal.SIGUSR1, stop.exit_code)
"""


@posix
def test_ctrl_break_is_raised_like_ctrl_c() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CTRL_BREAK], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True 130\n"


@posix
def test_on_windows_a_wait_for_the_network_ends_on_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    answered, waiting = threading.Event(), threading.Event()

    def call() -> None:
        waiting.set()
        answered.wait(60)

    def press() -> None:
        waiting.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    begun = time.monotonic()
    try:
        with pytest.raises(StopSignal), stop_signals_raised():
            presser.start()
            interruptible(call)
    finally:
        answered.set()
        presser.join()
    assert time.monotonic() - begun < 30


def test_on_windows_another_thread_brings_result_and_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert interruptible(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)


def test_elsewhere_the_calling_thread_waits_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert interruptible(threading.get_ident) == threading.get_ident()
