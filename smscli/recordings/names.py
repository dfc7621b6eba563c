"""The names of a recording's files: FILE itself, or one for each day or hour, and those it had before."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from smscli.errors import UsageError

_CODES = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "S": r"\d\d", "j": r"\d{3}"}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".lz4", ".Z")


@dataclass(frozen=True, slots=True)
class RecordingName:
    """The name that `--record` gives; `%Y %m %d %H %M %S %j` in its last part are the local time."""

    pattern: str

    def __post_init__(self) -> None:
        """UsageError for any other `%`."""
        for code in re.findall("%(.?)", self._last):
            if code not in (*_CODES, "%"):
                raise UsageError(
                    f"--record: %{code} is not known in the name of a recording",
                    hint="known are %Y %m %d %H %M %S %j; %% is a percent sign",
                )

    @property
    def _last(self) -> str:
        return os.path.basename(self.pattern)

    def at(self, seconds: float) -> str:
        """The name at this time, in epoch seconds."""
        if not self.changes:
            return self.pattern
        local = time.localtime(seconds)
        name = re.sub(
            "%(.)", lambda code: "%" if code[1] == "%" else time.strftime(code[0], local), self._last
        )
        return os.path.join(os.path.dirname(self.pattern), name)

    @property
    def changes(self) -> bool:
        """Whether the name depends on the time."""
        return "%" in self._last

    def others(self, current: str) -> list[str]:
        """The other files of this recording, newest first: of other times, or moved aside, as logrotate's
        FILE.1; no compressed, temporary or empty one."""
        folder = os.path.dirname(self.pattern) or "."
        whole = re.compile(self._expression)
        found = []
        for entry in _entries(folder):
            path = os.path.join(os.path.dirname(self.pattern), entry.name)
            if whole.match(entry.name) and path != current and not entry.name.endswith(_COMPRESSED):
                status = entry.stat()
                if status.st_size:
                    found.append((status.st_mtime_ns, path))
        return [path for _, path in sorted(found, reverse=True)]

    @property
    def _expression(self) -> str:
        parts = re.split("%(.)", self._last)
        # Every second part is a code.
        return "".join(
            re.escape(part) if number % 2 == 0 else _CODES.get(part, "%") for number, part in enumerate(parts)
        )


def _entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if entry.is_file())
    except OSError:
        return
