"""`smscli messages`: the messages of one session or of a recording."""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cached_property
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, BinaryIO

from smscli.commands import options as opt
from smscli.commands.naming import with_session_id
from smscli.commands.notices import notice_unmatched
from smscli.commands.writers import SessionLog
from smscli.context import AppContext
from smscli.errors import LocalError, SmscliError, UsageError
from smscli.model import Message, Page
from smscli.output.formats import RecordWriter, output_format
from smscli.output.terminal import Terminal
from smscli.output.view import EntryView
from smscli.transcript.filters import EntryFilter, EntryQuery, FilterTally, LastEntries, SelectedEntry

if TYPE_CHECKING:
    from smscli.commands.html_writer import HtmlWriter

_SESSION = attrgetter("session_id")
_PAGE = 500
_MASKED = "long numbers, e-mail addresses and user data"
# Shorter reads need no progress.
_PROGRESS_AFTER_SECONDS = 1.0


def messages(
    app: AppContext,
    session_id: opt.TranscriptArgument = None,
    recorded_id: opt.RecordedArgument = None,
    from_file: opt.FromFileOption = None,
    json: opt.JsonOption = False,
    jsonl: opt.JsonlOption = False,
    last: opt.LastOption = None,
    start_index: opt.StartIndexOption = None,
    count: opt.CountOption = None,
    since: opt.SinceOption = None,
    until: opt.UntilOption = None,
    filters: opt.Filters = opt.NO_FILTERS,
    typing: opt.TypingOption = None,
    html: opt.HtmlOption = None,
    redact: opt.RedactOption = False,
    customer_view: opt.CustomerViewOption = False,
    wide: opt.WideOption = False,
    utc: opt.UtcOption = False,
    tz: opt.TzOption = None,
) -> None:
    """Read the messages of one session.

    The whole transcript, with drafts that were never sent. A recording, as `tail --record` writes it, is read
    in place of the server: @FILE, or --from-file FILE with the ID of one of its sessions.
    """
    zone = opt.zone_option(utc, tz)
    form = output_format(app.terminal, json=json, jsonl=jsonl, zone=zone)
    if html is not None and (json or jsonl):
        raise UsageError("--html goes with neither --json nor --jsonl")
    mode = opt.typing_mode(typing, "hide" if customer_view else form.typing)
    if customer_view and mode != "hide":
        raise UsageError(f"--customer-view shows no typing, so it excludes --typing {mode}")
    query = opt.parse_entry_query(app, filters, zone, since=since, until=until)
    source = _source(app, (session_id, recorded_id), from_file, last, start_index, count)
    page_file = app.file(html) if html is not None else None
    reader = TranscriptReader(
        app, mode, query, opt.last_entries(last), redact=redact, customer_view=customer_view
    )
    if page_file is not None:
        from smscli.commands.html_writer import check_new_file

        check_new_file(page_file)
    try:
        source, pages = source.open(app, query, redact=redact)
    except SmscliError:
        if page_file is None:
            # JSON is a whole document after an error too.
            form.entries(mode).close()
        raise
    with (
        source.page_writer(app, page_file, zone, redact=redact, customer_view=customer_view)
        if page_file is not None
        else form.entries(mode, EntryView(source.is_many, once_needed=True, wide=wide))
    ) as writer:
        reader.write(pages, writer, is_window=source.is_window)
    if reader.found_any and not reader.found_public:
        app.notice("no-match", "the customer was sent none of the messages")
    elif reader.found_any:
        notice_unmatched(app, reader.tally, redact=redact)
    else:
        source.notice_empty(app)


@dataclass(frozen=True, slots=True)
class MessageSource:
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

    def page_writer(
        self, app: AppContext, path: str, zone: tzinfo | None, *, redact: bool, customer_view: bool
    ) -> "HtmlWriter":
        """The writer of an HTML page about this source."""
        from smscli.commands.html_writer import HtmlWriter

        session = None
        if self.recording is None and not customer_view:
            session = app.reads(redact).sessions().find(self.session_id or "")
        # A file's name and folder may name people, and a page goes into tickets.
        title = f"SMS session {self.session_id}" if self.session_id else "SMS sessions of a recording"
        masked = "long numbers and e-mail addresses" if customer_view else _MASKED
        facts = [("masked", masked)] if redact else []
        return HtmlWriter(
            app, path, title, session, facts, zone, many=self.is_many, timeline=not customer_view
        )

    def open(
        self, app: AppContext, query: EntryQuery, *, redact: bool
    ) -> "tuple[MessageSource, Iterable[Page]]":
        """The source with the id of the session that was named, and its messages."""
        if self.recording is not None:
            return self, _recorded(app, self.recording, self.session_id, read_ahead=query.is_relative)
        return with_session_id(app, self.session_id or "", lambda one: self._read(app, one), redact=redact)

    def _read(self, app: AppContext, session_id: str) -> "tuple[MessageSource, Iterable[Page]]":
        source = replace(self, session_id=session_id)
        if self.is_window:
            return source, [app.client.window(session_id, self.start, self.count)]
        pages = app.client.messages(session_id, on_wait=app.terminal.check)
        # Before anything is written: the server may know no such session.
        return source, chain([next(pages)], pages)

    def notice_empty(self, app: AppContext) -> None:
        """Say that there are no messages at all."""
        if self.recording is not None:
            app.notice("whose", "no messages in the recording")
        elif not self.is_window:
            app.notice("whose", f"no messages yet in session {self.session_id}", self.session_id)


def _source(
    app: AppContext,
    arguments: tuple[str | None, str | None],
    from_file: str | None,
    last: str | None,
    start: int | None,
    count: int | None,
) -> MessageSource:
    first, second = arguments
    recording = opt.recording_named(first, from_file)
    recording = app.file(recording) if recording is not None else None
    if recording is None and first is None:
        raise UsageError("messages takes a session's id, or a recording", hint="`smscli list` shows the ids")
    is_argument = recording is not None and from_file is None
    if second is not None and not is_argument:
        raise UsageError(f"messages takes one session's id, not {second!r} too")
    source = MessageSource(second if is_argument else first, recording, start, count)
    if source.is_window and (last is not None or recording is not None):
        raise UsageError("--start-index and --count go with neither --last nor a recording")
    opt.check_window(start, count)
    return source


def _recorded(app: AppContext, source: str, session_id: str | None, *, read_ahead: bool) -> Iterator[Page]:
    """A recording as pages; standard input is shown as it arrives, unless times are relative to its end.

    `read_ahead`: `app.now` is to be the newest time of the recording.
    """
    from smscli.recordings.reading import buffered, newest_time, read_messages

    stdin: BinaryIO | None = sys.stdin.buffer if sys.stdin is not None else None
    size = 1 if source == "-" else _PAGE
    if read_ahead:
        if not os.path.isfile(source):
            source, stdin = "-", buffered(source, stdin)
        app.recorded_until = newest_time(source, stdin)
        if stdin and source == "-":
            stdin.seek(0)
    found = read_messages(source, session_id, stdin=stdin, notice=lambda line: app.notice("lost", line))
    yield from _pages(found, size)


def _pages(found: Iterable[Message], size: int) -> Iterator[Page]:
    """Messages as pages; those before an unreadable line are kept."""
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


class TranscriptReader:
    """Reads pages of messages, of one or several sessions, and writes the entries that pass the filter."""

    def __init__(
        self,
        app: AppContext,
        typing: str,
        query: EntryQuery,
        keep: int | None,
        *,
        redact: bool,
        customer_view: bool,
    ) -> None:
        """`keep`: only the last so many entries; None for all."""
        self.found_any = self.found_public = False
        self.tally = FilterTally(query)
        self._app = app
        self._typing = typing
        self._query = query
        self._keep = keep
        self._redact = redact
        self._customer_view = customer_view
        self._last = LastEntries(keep, query.untimed.context)
        self._logs: defaultdict[str, SessionLog] = defaultdict(self._new_log)
        self._progress = ReadProgress(app.terminal, streams=keep is None)

    @cached_property
    def _filter(self) -> EntryFilter:
        # Resolved with the first page, which tells the server's time.
        return self._query.resolve(self._app.now)

    def _new_log(self) -> SessionLog:
        return SessionLog(self._typing, self._filter, self.tally, redact=self._redact)

    def write(self, pages: Iterable[Page], writer: RecordWriter[SelectedEntry], *, is_window: bool) -> None:
        """Write entries as they are read, or the last ones at the end; a window may end amid typing."""
        add: Callable[[Iterable[SelectedEntry]], None] = (
            writer.write if self._keep is None else self._last.extend
        )
        for page in pages:
            shown = self._shown(page.messages)
            for session_id, messages in groupby(shown, _SESSION):
                add(self._logs[session_id].add(messages))
            self.found_public = self.found_public or bool(shown)
            self.found_any = self.found_any or bool(page.messages)
            writer.flush()
            self._progress.add(len(page.messages))
        for log in self._logs.values():
            add(log.cut() if is_window else log.at_end(self._app.server_time))
        self._progress.end()
        writer.write(self._last.release())

    def _shown(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages to show, before any filter judges them."""
        if not self._customer_view:
            return messages
        from smscli.transcript.customer_view import customer_message

        return [shown for shown in map(customer_message, messages) if shown]


class ReadProgress:
    """Shows on stderr how many messages a long read has read, when stdout shows nothing meanwhile."""

    def __init__(self, terminal: Terminal, *, streams: bool) -> None:
        self._terminal = terminal
        self._shows = terminal.err_tty and not (streams and terminal.has_live_line)
        self._since = time.monotonic()
        self._read = 0

    def add(self, messages: int) -> None:
        self._read += messages
        if self._shows and time.monotonic() - self._since >= _PROGRESS_AFTER_SECONDS:
            self._terminal.progress(self._line)

    def end(self) -> None:
        if self._shows:
            self._terminal.progress(None)

    def _line(self, width: int) -> str:
        return f"{self._read:,} messages read"[:width]
