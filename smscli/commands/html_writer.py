"""`messages --html FILE`: the transcript as an HTML page, written while it is read."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from smscli.context import AppContext
from smscli.errors import LocalError
from smscli.output.formats import RecordWriter
from smscli.output.render.wording import counted
from smscli.settings.files import open_private
from smscli.transcript.filters import SelectedEntry

if TYPE_CHECKING:
    from smscli.output.render.html import HtmlPage
    from smscli.transcript.findings import SessionFindings

# Bytes that wait for the end in memory, and characters copied at a time.
_IN_MEMORY = 1 << 20
_READ_CHARACTERS = 1 << 16


class HtmlWriter(RecordWriter[SelectedEntry]):
    """Writes entries as one page. As a context it completes the page, which after an error says that it is
    cut short.

    `path` is a new file's, or `-` for stdout; at the head of `page` stands what `findings` says when
    everything is read: entries wait for that in a temporary file. `is_live`: the page's session has not
    ended. The file is created on success only. LocalError where it can't be written.
    """

    def __init__(
        self,
        app: AppContext,
        path: str,
        page: "HtmlPage",
        findings: Callable[[], Sequence["SessionFindings"]],
        *,
        is_live: bool,
    ) -> None:
        super().__init__(app.terminal, self._entry)
        self._app = app
        self._path = path
        self._page = page
        self._findings = findings
        self._is_live = is_live
        # Closed at the end of the context that this is.
        self._log = SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="\n")  # noqa: SIM115
        self._entries = 0

    def write(self, records: Iterable[SelectedEntry]) -> None:
        for one in records:
            with _reported("the temporary file"):
                self._log.write(self._text(one))
            self._entries += 1

    def _entry(self, one: SelectedEntry) -> str:
        return (self._page.gap() if one.gap else "") + self._page.entry(one.entry, one.marks)

    def flush(self) -> None:
        """Nothing: the page is written when everything is read."""

    def close(self) -> None:
        """Write the page and report the file."""
        parts = self._parts(self._findings())
        if self._path == "-":
            self._print(parts)
            return
        with _reported(self._path):
            file = open(self._path, "x", encoding="utf-8", newline="\n", opener=open_private)  # noqa: SIM115
        try:
            with _reported(self._path), file:
                file.writelines(parts)
        except BaseException:
            # Half a page could pass for a whole one.
            with suppress(OSError):
                os.unlink(self._path)
            raise
        self._app.notice("written", f"wrote {self._path} ({counted(self._entries, 'message')})")

    def __exit__(self, kind: object = None, *_: object) -> None:
        with self._log:
            if kind is None:
                self.close()
            elif self._path == "-":
                self._print(self._parts((), "The reading was cut short: this is not all."))

    def _parts(self, findings: Sequence["SessionFindings"], warning: str | None = None) -> Iterator[str]:
        """The page, piece by piece."""
        now = self._app.server_time if self._is_live else None
        yield self._page.begin(findings)
        self._log.seek(0)
        while part := self._log.read(_READ_CHARACTERS):
            yield part
        yield self._page.end(now=now, warning=warning)

    def _print(self, parts: Iterable[str]) -> None:
        for part in parts:
            self._app.terminal.write(part)
        self._app.terminal.flush()


def check_new_file(path: str) -> None:
    """Refuse a file that can't be created, before anything is read. LocalError."""
    if path == "-":
        return
    if os.path.lexists(path):
        kind = "is a folder" if os.path.isdir(path) else "exists already"
        raise LocalError(f"{path} {kind}", hint="name a new file")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise LocalError(f"{path} can't be written: {os.strerror(errno.ENOENT)}")


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Raises LocalError where the file can't be written."""
    try:
        yield
    except OSError as error:
        raise LocalError(f"{name} can't be written: {error.strerror}") from error
