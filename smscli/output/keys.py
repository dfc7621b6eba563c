"""Single keys from the terminal of stdin, read without Enter."""

import os
import sys
from contextlib import suppress
from typing import Any

if sys.platform == "win32":

    class Keys:
        """Keys typed in the console."""

        @staticmethod
        def open() -> "Keys | None":
            """None where stdin is no console."""
            return Keys() if sys.stdin is not None and sys.stdin.isatty() else None

        def pressed(self) -> str:
            """The keys pressed since the last call."""
            import msvcrt

            keys = ""
            while msvcrt.kbhit():
                keys += msvcrt.getwch()
            return keys

        def close(self) -> None:
            """Nothing to restore: the console's mode was not changed."""

        def reopen(self) -> None:
            """Nothing to set."""

else:
    import select
    import termios
    import tty

    class Keys:
        """Keys typed on a terminal, which until `close` neither echoes them nor waits for Enter.

        Ctrl-C and Ctrl-Z stay signals.
        """

        def __init__(self, fd: int) -> None:
            self._fd = fd
            self._mode: list[Any] | None = None
            self.reopen()

        @staticmethod
        def open() -> "Keys | None":
            """None where stdin is no terminal, or this is a background job of its shell."""
            with suppress(OSError, ValueError, AttributeError):
                fd = sys.stdin.fileno()
                if os.tcgetpgrp(fd) == os.getpgrp():
                    return Keys(fd)
            return None

        def pressed(self) -> str:
            """The keys pressed since the last call."""
            with suppress(OSError):
                if select.select([self._fd], [], [], 0)[0]:
                    return os.read(self._fd, 1024).decode("ascii", "replace")
            return ""

        def close(self) -> None:
            """Restore the terminal's mode."""
            if self._mode is not None:
                mode, self._mode = self._mode, None
                with suppress(termios.error):
                    termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)

        def reopen(self) -> None:
            """The same after `close`, in the terminal's present mode."""
            with suppress(termios.error):
                self._mode = termios.tcgetattr(self._fd)
                tty.setcbreak(self._fd, termios.TCSANOW)
