"""What the tool learned of servers and would only have to find out again: kept by origin in `state.json`.

Nothing depends on it: a file that can't be read or written is passed over, which only `debug` is told.
"""

from collections.abc import Callable, Mapping
from errno import EINVAL
from pathlib import Path
from typing import NamedTuple

from smscli.settings.files import app_folder, locked, replace_file

_Document = dict[str, object]


class ServerInfo(NamedTuple):
    """What is known of a server: the path segment of its sessions, and whether its push can be relied on."""

    spelling: str | None = None
    trusted: bool = False


class ServerCache:
    """What earlier runs have learned, read when it is first asked for, and what this one learns.

    `debug` takes one line; no method raises an error of the file's. `patience` is in seconds, for another
    process that writes: it is done in milliseconds, and a follow stands still meanwhile.
    """

    def __init__(self, path: Path, debug: Callable[[str], None], patience: float = 2.0) -> None:
        self._path = path
        self._debug = debug
        self._patience = patience
        self._read_before: _Document | None = None

    @classmethod
    def load(cls, environ: Mapping[str, str], debug: Callable[[str], None]) -> "ServerCache":
        """The state of the user whose environment this is."""
        return cls(app_folder(environ, "XDG_STATE_HOME", ".local/state") / "state.json", debug)

    def get(self, origin: str) -> ServerInfo:
        """What is known of a server; `origin` as in `https://gws.example.com:443`."""
        entry = self._document().get(origin)
        if not isinstance(entry, dict):
            return ServerInfo()
        spelling = entry.get("spelling")
        return ServerInfo(spelling if isinstance(spelling, str) else None, entry.get("pushTrusted") is True)

    def update(self, origin: str, *, spelling: str | None = None, trusted: bool | None = None) -> None:
        """Keep what is given and new; where nothing is, nothing is written."""
        known = self.get(origin)
        news: _Document = {}
        if spelling not in (None, known.spelling):
            news["spelling"] = spelling
        if trusted not in (None, known.trusted):
            news["pushTrusted"] = trusted
        if news:
            self._change(lambda document: _with(document, origin, news))

    def remove(self, origin: str) -> None:
        """Know nothing of that server any more."""
        if origin in self._document():
            self._change(lambda document: {key: value for key, value in document.items() if key != origin})

    def _document(self) -> _Document:
        if self._read_before is None:
            try:
                self._read_before = self._read()
            except OSError as error:
                self._debug(f"{self._path} is ignored: {error.strerror}")
                self._read_before = {}
        return self._read_before

    def _change(self, change: Callable[[_Document], _Document]) -> None:
        """Change what is known here, and what the file says now: other processes write it too."""
        import json

        self._read_before = change(self._document())
        try:
            with locked(self._path, self._patience):
                changed = change(self._read())
                replace_file(self._path, json.dumps(changed, indent=2) + "\n")
        except (OSError, RecursionError) as error:
            # What is nested too deep to be written can still be read.
            self._debug(f"{self._path} can't be written: {error}")
        else:
            self._read_before = changed

    def _read(self) -> _Document:
        """The file's object, empty where it has none. OSError."""
        try:
            if self._path.exists() and not self._path.is_file():
                raise OSError(EINVAL, "it is no file")  # reading a pipe could wait for ever
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        import json

        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            self._debug(f"{self._path} is ignored: it holds no JSON object")
            return {}
        return document


def _with(document: _Document, origin: str, news: _Document) -> _Document:
    """A document in which that server's entry says the news, and nothing else is changed."""
    entry = document.get(origin)
    return {**document, origin: {**(entry if isinstance(entry, dict) else {}), **news}}
