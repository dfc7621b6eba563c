"""`smscli messages`: read what was said in one session, or in a recording."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import groupby
from operator import attrgetter

from smscli.commands.log import Log
from smscli.commands.options import (
    NO_FILTERS,
    CountOption,
    Filters,
    FromFileOption,
    HtmlOption,
    JsonlOption,
    JsonOption,
    LastOption,
    RecordedArgument,
    RedactOption,
    SinceOption,
    StartIndexOption,
    TranscriptArgument,
    TypingOption,
    TzOption,
    UntilOption,
    UtcOption,
    last_entries,
    recording_named,
    typing_mode,
    window,
)
from smscli.commands.writers import EntryWriter, entry_writer
from smscli.commands.zones import zone_of
from smscli.context import AppContext
from smscli.errors import LocalError, UsageError
from smscli.model import Message, Page
from smscli.output.terminal import Terminal
from smscli.transcript import filters as selection

_SESSION = attrgetter("session_id")
_PAGE = 500
# A read that takes no longer needs no progress.
_SOON = 1.0


def messages(
    app: AppContext,
    session_id: TranscriptArgument = None,
    recorded_id: RecordedArgument = None,
    from_file: FromFileOption = None,
    json: JsonOption = False,
    jsonl: JsonlOption = False,
    last: LastOption = None,
    start_index: StartIndexOption = None,
    count: CountOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    filters: Filters = NO_FILTERS,
    typing: TypingOption = None,
    html: HtmlOption = None,
    redact: RedactOption = False,
    utc: UtcOption = False,
    tz: TzOption = None,
) -> None:
    """Read what was said in one session.

    The whole transcript, with what was typed and never sent. A recording, as `tail --record` keeps them, is
    read in place of the server: @FILE, or --from-file FILE with the ID of one of its sessions.
    """
    zone, mode = zone_of(utc, tz), typing_mode(typing, json=json or jsonl)
    entry_filter = selection.entry_filter(
        now=datetime.now(UTC),
        report=lambda message: app.notice("skipped", message),
        zone=zone,
        since=since,
        until=until,
        **filters._asdict(),
    )
    if html is not None and (json or jsonl):
        raise UsageError("--html goes with neither --json nor --jsonl")
    source = _source((session_id, recorded_id), from_file, last, start_index, count)
    reading = Reading(app, mode, entry_filter, last_entries(last))
    writer = (
        source.page_writer(app, html, redact, zone)
        if html is not None
        else entry_writer(app.terminal, mode, json=json, jsonl=jsonl, many=source.is_many, zone=zone)
    )
    try:
        reading.write(source.pages(app, redact, writer.check), writer)
        writer.whole = True
    finally:
        writer.close()
    if not reading.found:
        source.tell_empty(app)


@dataclass(frozen=True, slots=True)
class Source:
    """Where messages are read from: a session's log, a window of it, or a recording."""

    session_id: str | None
    recording: str | None
    start: int | None
    count: int | None

    @property
    def is_window(self) -> bool:
        return self.start is not None or self.count is not None

    @property
    def is_many(self) -> bool:
        """Whether it may hold several sessions."""
        return self.recording is not None and self.session_id is None

    def page_writer(self, app: AppContext, path: str, redact: bool, zone: tzinfo | None) -> EntryWriter:
        """The writer of a page that says what it was read from."""
        from smscli.commands.html_writer import PageWriter

        session = None
        if self.recording is None:
            session = app.reads(redact).sessions().find(self.session_id or "")
        # Where a file lies, and who it is named after, is nothing for a ticket.
        title = f"SMS session {self.session_id}" if self.session_id else "SMS sessions of a recording"
        facts = [("masked", "long numbers, e-mail addresses and user data")] if redact else []
        return PageWriter(app, path, title, session, facts, zone, self.is_many)

    def pages(self, app: AppContext, redact: bool, meanwhile: Callable[[], None]) -> Iterable[Page]:
        """What it holds; `meanwhile` is called now and then where that takes long."""
        if self.recording is not None:
            return _recorded(app, self.recording, self.session_id, redact)
        if self.is_window:
            return [app.reads(redact).window(self.session_id or "", self.start, self.count)]
        return app.reads(redact).messages(self.session_id or "", meanwhile=meanwhile)

    def tell_empty(self, app: AppContext) -> None:
        if self.recording is not None:
            app.notice("whose", "no messages in the recording")
        elif not self.is_window:
            app.notice("whose", f"no messages yet in session {self.session_id}", self.session_id)


def _source(
    arguments: tuple[str | None, str | None],
    from_file: str | None,
    last: str | None,
    start: int | None,
    count: int | None,
) -> Source:
    first, second = arguments
    recording = recording_named(first, from_file)
    if recording is None and first is None:
        raise UsageError("messages takes a session's id, or a recording", hint="`smscli list` shows the ids")
    is_short = recording is not None and from_file is None
    if second is not None and not is_short:
        raise UsageError(f"messages takes one session's id, not {second!r} too")
    session_id = second if is_short else first
    source = Source(session_id, recording, start, count)
    if source.is_window and (last is not None or recording is not None):
        raise UsageError("--start-index and --count go with neither --last nor a recording")
    window(start, count)
    return source


def _recorded(app: AppContext, source: str, session_id: str | None, redact: bool) -> Iterator[Page]:
    """A recording as pages; what comes down a pipe is shown as it comes."""
    from smscli.recordings.recording import read
    from smscli.transcript import redact as masking

    stdin = sys.stdin.buffer if sys.stdin is not None else None
    found = read(source, session_id, stdin=stdin, notice=lambda line: app.notice("lost", line))
    for page in _pages(found, 1 if source == "-" else _PAGE):
        yield masking.page(page) if redact else page


def _pages(found: Iterable[Message], size: int) -> Iterator[Page]:
    """Messages as pages; those before a line that can't be read are not lost with it."""
    page: list[Message] = []
    try:
        for message in found:
            page.append(message)
            if len(page) == size:
                yield Page(tuple(page))
                page.clear()
    except LocalError:
        yield Page(tuple(page))
        raise
    yield Page(tuple(page))


class Reading:
    """Reads pages, folds and filters each session's messages, and writes the selected entries."""

    def __init__(
        self, app: AppContext, typing: str, entry_filter: selection.EntryFilter, keep: int | None
    ) -> None:
        self.found = False
        self._app = app
        self._keep = keep
        self._last = selection.LastEntries(keep, entry_filter.context)
        self._logs: defaultdict[str, Log] = defaultdict(lambda: Log(typing, entry_filter))
        self._progress = Progress(app.terminal, streams=keep is None)

    def write(self, pages: Iterable[Page], writer: EntryWriter) -> None:
        """Write entries as they are read, or the last ones at the end."""
        take: Callable[[Iterable[selection.SelectedEntry]], None] = (
            writer.write if self._keep is None else self._last.extend
        )
        for page in pages:
            for session_id, messages in groupby(page.messages, _SESSION):
                take(self._logs[session_id].add(messages))
            self.found = self.found or bool(page.messages)
            writer.flush()
            self._progress.add(len(page.messages))
        for log in self._logs.values():
            take(log.at_end(self._app.server_time))
        self._progress.end()
        writer.write(self._last.release())


class Progress:
    """Says on stderr how far a long read has come, to a person who sees nothing of it on stdout."""

    def __init__(self, terminal: Terminal, *, streams: bool) -> None:
        self._terminal = terminal
        self._shows = terminal.err_tty and not (streams and terminal.lively)
        self._since = time.monotonic()
        self._read = 0

    def add(self, messages: int) -> None:
        self._read += messages
        if self._shows and time.monotonic() - self._since >= _SOON:
            self._terminal.progress(self._line)

    def end(self) -> None:
        if self._shows:
            self._terminal.progress(None)

    def _line(self, width: int) -> str:
        return f"{self._read:,} messages read"[:width]
