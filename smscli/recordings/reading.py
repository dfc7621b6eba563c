"""Reading recordings as lines: from files, whose names may hold `*` and `?`, or from standard input."""

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from typing import BinaryIO

from smscli.errors import LocalError
from smscli.model import Message, Participant
from smscli.recordings.format import Line, file_error, is_torn, numbered_lines, parse_line

STDIN = "-"


def expand_sources(sources: Iterable[str]) -> list[str]:
    """The files that sources name, those of a pattern sorted by name. LocalError where there is none."""
    found: list[str] = []
    for source in sources:
        files = matching_files(source)
        if not files:
            raise LocalError(f"no file fits {source}")
        found += files
    return list(dict.fromkeys(found))


def matching_files(source: str) -> list[str]:
    """The files that a source names at this moment: a pattern may fit none, a name stands for itself."""
    if not any(sign in source for sign in "*?") or os.path.exists(source):
        return [source]
    # Brackets are part of a name.
    return sorted(filter(os.path.isfile, glob.glob(source.replace("[", "[[]"))))


class Source:
    """A file, or standard input (`-`). A regular file can be read more than once, a stream where it was kept.

    Every method raises LocalError.
    """

    def __init__(self, name: str) -> None:
        self.path = name
        self.name = "standard input" if name == STDIN else name
        self._kept: BytesIO | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it can be read only once."""
        return self.path == STDIN or not os.path.isfile(self.path)

    def keep(self) -> None:
        """Hold all of a stream, so that it can be read again."""
        if self.is_stream and self._kept is None:
            try:
                with self.opened() as file:
                    self._kept = BytesIO(file.read())
            except OSError as error:
                raise file_error(self.name, "read", error) from error

    def opened(self) -> AbstractContextManager[BinaryIO]:
        if self._kept is not None:
            self._kept.seek(0)
            return nullcontext(self._kept)
        if self.path == STDIN:
            if sys.stdin is None:
                raise LocalError("standard input can't be read: it is closed")
            return nullcontext(sys.stdin.buffer)
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise file_error(self.name, "read", error) from error

    def lines(self, notice: Callable[[str], None] = lambda line: None) -> Iterator[tuple[int, Line]]:
        """Each line with the place of its first byte. A truncated last line is left out with a `notice`;
        LocalError names a line that is no record."""
        known: dict[str, Participant] = {}
        place = 0
        with self.opened() as file:
            for number, text in numbered_lines(file, self.name):
                try:
                    yield place, parse_line(text, number, self.name, known)
                except LocalError:
                    if not is_torn(text, number):
                        raise
                    notice(f"the last line of {self.name} is truncated and was skipped")
                    return
                place += len(text)

    def messages(self, places: Iterable[int]) -> Iterator[Message]:
        """The messages whose lines begin at these places."""
        known: dict[str, Participant] = {}
        with self.opened() as file:
            for place in places:
                file.seek(place)
                record = parse_line(file.readline(), 0, self.name, known).record
                if isinstance(record, Message):
                    yield record
