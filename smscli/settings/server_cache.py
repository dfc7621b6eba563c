"""Facts about servers that are cached between runs, by origin, in `state.json`.

Nothing depends on the file: one that can't be read or written is ignored, which only `debug` reports.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from smscli.settings.files import app_folder, locked, replace_file

_Document = dict[str, object]


class ServerInfo(NamedTuple):
    """A server's spelling of the sessions path segment, and whether its push notifications are reliable."""

    spelling: str | None = None
    trusted: bool = False


class ServerCache:
    """The cached facts, read on first use; no method raises an OSError. Without a `path` nothing is kept.

    `debug` gets one line per problem. `timeout` in seconds limits the wait for another process's lock, which
    is held for milliseconds; a command that follows sessions stands still meanwhile.
    """

    def __init__(self, path: Path | None, debug: Callable[[str], None], timeout: float = 2.0) -> None:
        self._path = path
        self._debug = debug
        self._timeout = timeout
        self._loaded: _Document | None = None

    @classmethod
    def load(cls, environ: Mapping[str, str], debug: Callable[[str], None]) -> "ServerCache":
        """The cache in the state folder of this environment."""
        folder = app_folder(environ, "state")
        return cls(folder and folder / "state.json", debug)

    def get(self, origin: str) -> ServerInfo:
        """What is known about a server; `origin` as in `https://gws.example.com:443`."""
        entry = self._document().get(origin)
        if not isinstance(entry, dict):
            return ServerInfo()
        spelling = entry.get("spelling")
        return ServerInfo(spelling if isinstance(spelling, str) else None, entry.get("pushTrusted") is True)

    def update(self, origin: str, *, spelling: str | None = None, trusted: bool | None = None) -> None:
        """Store the given facts; the file is written only if one of them changes."""
        known = self.get(origin)
        changes: _Document = {}
        if spelling not in (None, known.spelling):
            changes["spelling"] = spelling
        if trusted not in (None, known.trusted):
            changes["pushTrusted"] = trusted
        if changes:
            self._change(lambda document: _with(document, origin, changes))

    def remove(self, origin: str) -> None:
        """Forget a server."""
        if origin in self._document():
            self._change(lambda document: {key: value for key, value in document.items() if key != origin})

    def _document(self) -> _Document:
        if self._loaded is None:
            try:
                self._loaded = self._read(self._path) if self._path else {}
            except OSError as error:
                self._debug(f"{self._path} is ignored: {error.strerror}")
                self._loaded = {}
        return self._loaded

    def _change(self, change: Callable[[_Document], _Document]) -> None:
        """Change the document in memory and in the file, which other processes write too."""
        import json

        self._loaded = change(self._document())
        if self._path is None:
            return
        try:
            with locked(self._path, self._timeout):
                changed = change(self._read(self._path))
                replace_file(self._path, json.dumps(changed, indent=2) + "\n")
        except OSError as error:
            self._debug(f"{self._path} can't be written: {error}")
        else:
            self._loaded = changed

    def _read(self, path: Path) -> _Document:
        """The file's JSON object, empty where there is none. OSError."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return {}
        import json

        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            self._debug(f"{path} is ignored: not a JSON object")
            return {}
        return document


def _with(document: _Document, origin: str, changes: _Document) -> _Document:
    """The document with these keys changed in the server's entry."""
    entry = document.get(origin)
    return {**document, origin: {**(entry if isinstance(entry, dict) else {}), **changes}}
