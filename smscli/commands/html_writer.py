"""`messages --html FILE`: the transcript as an HTML page, written while it is read."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from types import TracebackType
from typing import Self, TextIO

from smscli.context import AppContext
from smscli.errors import LocalError
from smscli.model import Session
from smscli.transcript.filters import SelectedEntry


class HtmlWriter:
    """Writes entries as one page. As a context it completes the page, which after an error says that it is
    cut short.

    `path` is a new file's, or `-` for stdout; `facts` are shown at the head of the page. LocalError where the
    file exists or can't be written; no file is left then.
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
        self._is_live = session is not None and not session.ended
        read = ("read", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        self._page = HtmlPage(title, session=session, facts=(read, *facts), zone=zone, many=many)
        self._file = _created(path) if path != "-" else None
        self._put(self._page.begin())

    def write(self, records: Iterable[SelectedEntry]) -> None:
        for one in records:
            gap = self._page.gap() if one.gap else ""
            self._put(gap + self._page.entry(one.entry, one.marks))

    def flush(self) -> None:
        if self._file is None:
            self._app.terminal.flush()

    def check(self) -> None:
        if self._file is None:
            self._app.terminal.check()

    def close(self, warning: str | None = None) -> None:
        """Complete the page; `warning` says why it is not whole."""
        if self._file is not None and self._file.closed:
            return
        self._put(self._page.end(now=self._app.server_time if self._is_live else None, warning=warning))
        if self._file is None:
            self._app.terminal.flush()
            return
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close("The reading was cut short: this is not all." if kind else None)

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
    """A new file that only its owner can read."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        kind = "is a folder" if os.path.isdir(path) else "exists already"
        raise LocalError(f"{path} {kind}", hint="name a new file") from error
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} can't be written: {getattr(error, 'strerror', None) or error}") from error
    return open(number, "w", encoding="utf-8", newline="\n")
