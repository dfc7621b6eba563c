"""Parts of Windows on Linux: a console that records its mode, what a pipe without a reader answers there."""

import errno
from io import BytesIO


class FakeConsole:
    """A console whose every mode is recorded; `mode_now` None: the descriptors are no consoles."""

    def __init__(self, mode: int | None = 3, *, code_page: int = 0, accepts: bool = True) -> None:
        self.mode_now = mode
        self.modes: list[tuple[int, int]] = []
        self._code_page = code_page
        self._accepts = accepts

    def output_code_page(self) -> int:
        return self._code_page

    def mode(self, fd: int) -> int | None:
        return self.mode_now

    def set_mode(self, fd: int, mode: int) -> bool:
        if self._accepts:
            self.modes.append((fd, mode))
            self.mode_now = mode
        return self._accepts


class ConsoleFile(BytesIO):
    """What Python writes to a console with, by its descriptor."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class PipeWithoutReader:
    """A pipe whose reader has closed it: Windows fails a write with EINVAL."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes, /) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    def fileno(self) -> int:
        return self._fd
