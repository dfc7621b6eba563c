"""Stop signals where the platform has others than Linux."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
def test_ctrl_break_is_raised_like_ctrl_c() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CTRL_BREAK], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True 130\n"
