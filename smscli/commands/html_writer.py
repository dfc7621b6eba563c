"""`messages --html FILE`: the transcript as an HTML page, written while it is read."""

import errno
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from types import TracebackType
from typing import TextIO

from smscli.context import AppContext
from smscli.errors import LocalError
from smscli.model import Session
from smscli.output.formats import RecordWriter
from smscli.output.render.wording import counted
from smscli.transcript.filters import SelectedEntry


class HtmlWriter(RecordWriter[SelectedEntry]):
    """Writes entries as one page. As a context it completes the page, which after an error says that it is
    cut short.

    `path` is a new file's, or `-` for stdout; `facts` are shown at the head of the page. The file is created
    with the first entry, or on success; after any error none is left. LocalError where it can't be written.
    """

    def __init__(
        self,
        app: AppContext,
        path: str,
        title: str,
        session: Session | None,
        facts: Sequence[tuple[str, str]],
        zone: tzinfo | None,
        *,
        many: bool,
        timeline: bool,
    ) -> None:
        from smscli.output.render.html import HtmlPage

        super().__init__(app.terminal, self._entry)
        self._app = app
        self._path = path
        self._is_live = session is not None and not session.ended
        read = ("read", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        self._page = HtmlPage(
            title, session=session, facts=(read, *facts), zone=zone, many=many, timeline=timeline
        )
        self._file: TextIO | None = None
        self._unwritten = self._page.begin()
        self._entries = 0

    def write(self, records: Iterable[SelectedEntry]) -> None:
        for one in records:
            self._put(self._text(one))
            self._entries += 1

    def _entry(self, one: SelectedEntry) -> str:
        return (self._page.gap() if one.gap else "") + self._page.entry(one.entry, one.marks)

    def flush(self) -> None:
        if self._path == "-":
            self._app.terminal.flush()

    def check(self) -> None:
        if self._path == "-":
            self._app.terminal.check()

    def close(self) -> None:
        """Complete the page and report the file."""
        self._end()
        if self._path == "-":
            self._app.terminal.flush()
            return
        self._close_file()
        self._app.notice("written", f"wrote {self._path} ({counted(self._entries, 'message')})")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._path == "-":
            self._end("The reading was cut short: this is not all.")
            self._app.terminal.flush()
        else:
            self._remove_file()

    def _end(self, warning: str | None = None) -> None:
        now = self._app.server_time if self._is_live else None
        self._put(self._page.end(now=now, warning=warning))

    def _put(self, text: str) -> None:
        text, self._unwritten = self._unwritten + text, ""
        if self._path == "-":
            self._app.terminal.write(text)
            return
        try:
            self._file = self._file or _created(self._path)
            self._file.write(text)
        except OSError as error:
            raise self._failed(error) from error

    def _close_file(self) -> None:
        try:
            if self._file:
                self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> LocalError:
        self._remove_file()
        return LocalError(f"{self._path} can't be written: {error.strerror}")

    def _remove_file(self) -> None:
        """Remove what was written: half a page could pass for a whole one."""
        if self._file:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                os.unlink(self._path)
            self._file = None


def check_new_file(path: str) -> None:
    """Refuse a file that can't be created, before anything is read. LocalError."""
    if path == "-":
        return
    if os.path.lexists(path):
        kind = "is a folder" if os.path.isdir(path) else "exists already"
        raise LocalError(f"{path} {kind}", hint="name a new file")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise LocalError(f"{path} can't be written: {os.strerror(errno.ENOENT)}")


def _created(path: str) -> TextIO:
    """A new file that only its owner can read."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} can't be written: {getattr(error, 'strerror', None) or error}") from error
    return open(number, "w", encoding="utf-8", newline="\n")
