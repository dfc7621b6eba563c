"""Facts about servers that are cached between runs, by origin, in `state.json`.

Nothing depends on the file: one that can't be read or written is ignored, which only `debug` reports.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from smscli.settings.files import app_folder, replace_file

_Document = dict[str, object]


class ServerInfo(NamedTuple):
    """A server's spelling of the sessions path segment, and whether its push notifications are reliable."""

    spelling: str | None = None
    trusted: bool = False


class ServerCache:
    """The cached facts in the state folder; no method raises an OSError. Without a home nothing is kept.

    `debug` gets one line per problem.
    """

    def __init__(self, environ: Mapping[str, str], debug: Callable[[str], None]) -> None:
        folder = app_folder(environ, "state")
        self._path = folder and folder / "state.json"
        self._debug = debug

    def get(self, origin: str) -> ServerInfo:
        """What is known about a server; `origin` as in `https://gws.example.com:443`."""
        return _info(_entry(self._read(), origin))

    def update(self, origin: str, *, spelling: str | None = None, trusted: bool | None = None) -> None:
        """Store the given facts; the file is written only if one of them changes."""
        document = self._read()
        entry = _entry(document, origin)
        known = _info(entry)
        changes: _Document = {}
        if spelling not in (None, known.spelling):
            changes["spelling"] = spelling
        if trusted not in (None, known.trusted):
            changes["pushTrusted"] = trusted
        if changes:
            self._write({**document, origin: {**entry, **changes}})

    def remove(self, origin: str) -> None:
        document = self._read()
        if document.pop(origin, None) is not None:
            self._write(document)

    def _read(self) -> _Document:
        """The file's JSON object, empty where there is none."""
        try:
            content = self._path.read_bytes() if self._path else b"{}"
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._debug(f"{self._path} is ignored: {error.strerror}")
            return {}
        import json

        with suppress(ValueError, RecursionError):
            document = json.loads(content)
            if isinstance(document, dict):
                return document
        self._debug(f"{self._path} is ignored: not a JSON object")
        return {}

    def _write(self, document: _Document) -> None:
        import json

        # Without a lock: a fact that two processes find at once and one of them loses is found again.
        try:
            if self._path:
                os.makedirs(self._path.parent, mode=0o700, exist_ok=True)
                replace_file(self._path, json.dumps(document, indent=2) + "\n")
        except OSError as error:
            self._debug(f"{self._path} can't be written: {error.strerror}")


def _entry(document: _Document, origin: str) -> _Document:
    entry = document.get(origin)
    return entry if isinstance(entry, dict) else {}


def _info(entry: _Document) -> ServerInfo:
    spelling, trusted = entry.get("spelling"), entry.get("pushTrusted") is True
    return ServerInfo(spelling if isinstance(spelling, str) else None, trusted)
