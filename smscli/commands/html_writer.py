"""`messages --html FILE`: the transcript as a page, written as it is read."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import TextIO

from smscli.commands.writers import EntryWriter
from smscli.context import AppContext
from smscli.errors import LocalError
from smscli.model import Session
from smscli.transcript.filters import SelectedEntry


class PageWriter(EntryWriter):
    """Writes entries as one page; one that an error cut short is closed all the same, and says so.

    `path` is a new file's, or `-` for stdout; `facts` stand at the page's head. LocalError where the file
    exists already or can't be written; half a page, that might pass for a whole one, is not left behind.
    """

    def __init__(
        self,
        app: AppContext,
        path: str,
        title: str,
        session: Session | None,
        facts: Sequence[tuple[str, str]],
        zone: tzinfo | None,
        many: bool,
    ) -> None:
        from smscli.output.render.html import HtmlPage

        self._app = app
        self._path = path
        self._lives = session is not None and not session.ended
        read = ("read", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        self._page = HtmlPage(title, session=session, facts=(read, *facts), zone=zone, many=many)
        self._file = _created(path) if path != "-" else None
        self._put(self._page.begin())

    def write(self, selected: Iterable[SelectedEntry]) -> None:
        for one in selected:
            gap = self._page.gap() if one.gap else ""
            self._put(gap + self._page.entry(one.entry, one.marks))

    def flush(self) -> None:
        if self._file is None:
            self._app.terminal.flush()

    def check(self) -> None:
        if self._file is None:
            self._app.terminal.check()

    def close(self) -> None:
        if self._file is not None and self._file.closed:
            return
        warning = None if self.whole else "The reading was cut short: this is not all."
        self._put(self._page.end(now=self._app.server_time if self._lives else None, warning=warning))
        if self._file is None:
            self._app.terminal.flush()
            return
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _put(self, text: str) -> None:
        if self._file is None:
            self._app.terminal.write(text)
            return
        try:
            self._file.write(text)
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> LocalError:
        with suppress(OSError):
            os.unlink(self._path)
        return LocalError(f"{self._path} can't be written: {error.strerror}")


def _created(path: str) -> TextIO:
    """A new file that its owner alone reads: a conversation is nobody else's business."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        kind = "is a folder" if os.path.isdir(path) else "exists already"
        raise LocalError(f"{path} {kind}", hint="name a new file") from error
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} can't be written: {getattr(error, 'strerror', None) or error}") from error
    return open(number, "w", encoding="utf-8", newline="\n")
