"""`smscli messages`: the messages of one session or of a recording."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from smscli.commands import option_values as values
from smscli.commands import options as opt
from smscli.commands.naming import candidates, with_session_id
from smscli.commands.notices import notice_no_match
from smscli.commands.sources import open_sources
from smscli.commands.writers import SessionLog
from smscli.context import AppContext
from smscli.errors import SmscliError, UsageError
from smscli.model import Message, Page
from smscli.output.formats import RecordWriter, output_format
from smscli.output.terminal import Terminal
from smscli.output.view import EntryView
from smscli.transcript.filters import EntryFilter, EntryQuery, FilterTally, LastEntries, SelectedEntry

if TYPE_CHECKING:
    from smscli.commands.html_writer import HtmlWriter
    from smscli.transcript.customer_view import CustomerView

_SESSION = attrgetter("session_id")
_MASKED = "long numbers, e-mail addresses and user data"
# Shorter reads need no progress.
_PROGRESS_AFTER_SECONDS = 1.0


def messages(
    app: AppContext,
    session: opt.SessionArgument = None,
    source: opt.SourceOption = None,
    nats_creds: opt.CredentialsOption = None,
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

    The whole transcript, with drafts that were never sent. Of recordings, as `tail --record` writes them, all
    sessions are shown where none is named.
    """
    zone = values.zone_option(utc, tz)
    form = output_format(app.terminal, json=json, jsonl=jsonl, zone=zone)
    if html is not None and (json or jsonl):
        raise UsageError("--html can't be combined with --json or --jsonl")
    mode = values.typing_mode(typing, "hide" if customer_view else form.typing)
    if html is not None and wide:
        raise UsageError("--html can't be combined with --wide")
    if customer_view and mode != "hide":
        raise UsageError(f"--customer-view shows no typing, so it excludes --typing {mode}")
    query = values.parse_entry_query(app, filters, zone, since=since, until=until)
    names = open_sources(app, session, source, nats_creds)
    read = _source(app, names, last, start_index, count)
    page_file = app.file(html) if html is not None else None
    reader = TranscriptReader(
        app, mode, query, values.last_entries(last), redact=redact, customer_view=customer_view
    )
    if page_file is not None:
        from smscli.commands.html_writer import check_new_file

        check_new_file(page_file)
    try:
        if read.session_id is None and (page_file is not None or customer_view):
            read = read.chosen(app, redact=redact, customer_view=customer_view)
        read, pages = read.open(app, query, redact=redact)
    except SmscliError:
        if page_file is None:
            # JSON is a whole document after an error too.
            form.entries(mode).close()
        raise
    writer: RecordWriter[SelectedEntry]
    if page_file is None:
        writer = form.entries(mode, EntryView(read.is_many, once_needed=True, wide=wide))
    else:
        writer, pages = read.page(app, page_file, zone, pages, redact=redact, customer_view=customer_view)
    with writer:
        reader.write(pages, writer, is_window=read.is_window)
    if reader.found_any and not reader.found_public:
        app.notice("no-match", "the customer was sent none of the messages")
    elif reader.found_any:
        notice_no_match(app, reader.tally.notices(), redact=redact)
    else:
        read.notice_empty(app)


@dataclass(frozen=True, slots=True)
class MessageSource:
    """Which messages are read: a session's log, a window of it, or with no session all of a recording."""

    session_id: str | None
    start: int | None
    count: int | None

    @property
    def is_window(self) -> bool:
        return self.start is not None or self.count is not None

    @property
    def is_many(self) -> bool:
        """Whether it may hold several sessions."""
        return self.session_id is None

    def page(
        self,
        app: AppContext,
        path: str,
        zone: tzinfo | None,
        pages: Iterable[Page],
        *,
        redact: bool,
        customer_view: bool,
    ) -> "tuple[HtmlWriter, Iterable[Page]]":
        """The writer of an HTML page about this source, and its messages, checked as they are read."""
        from smscli.commands.html_writer import HtmlWriter
        from smscli.output.render.html import HtmlPage

        session, findings = None, None
        if self.session_id is not None and not customer_view:
            session = app.source.sessions().find(self.session_id)
        if not self.is_window and not customer_view:
            # The whole log is read, even where a part of it is shown.
            from smscli.commands.check import ReadFindings

            findings = ReadFindings(app, self.session_id, session, redact=redact)
            pages = findings.judged(pages)
        if session and redact:
            from smscli.transcript.redact import mask_session

            session = mask_session(session)
        facts = [("read", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")]
        if redact:
            facts.append(("masked", "long numbers and e-mail addresses" if customer_view else _MASKED))
        made = HtmlPage(
            # A file's name and folder may name people, and a page goes into tickets.
            f"SMS session {self.session_id}" if self.session_id else f"SMS sessions of a {_kind(app)}",
            session=session,
            facts=facts,
            zone=zone,
            many=self.is_many,
            timeline=not customer_view,
        )
        is_live = session is not None and not session.ended
        return HtmlWriter(app, path, made, findings or tuple, is_live=is_live), pages

    def chosen(self, app: AppContext, *, redact: bool, customer_view: bool) -> "MessageSource":
        """The only session of a recording, for what is about one session.

        UsageError for a page that goes to a customer and would show several.
        """
        sessions = app.source.sessions().sessions
        if len(sessions) == 1:
            return replace(self, session_id=sessions[0].id)
        if customer_view and sessions:
            raise UsageError(
                "--customer-view takes one session",
                hint=f"name one of {candidates(sessions, redact=redact)}",
            )
        return self

    def open(
        self, app: AppContext, query: EntryQuery, *, redact: bool
    ) -> "tuple[MessageSource, Iterable[Page]]":
        """The source with the id of the session that was named, and its messages."""
        if app.recorded and self.session_id is None:
            return self, app.recorded.log(streamed=not query.is_relative)
        return with_session_id(app, self.session_id or "", lambda one: self._read(app, one), redact=redact)

    def _read(self, app: AppContext, session_id: str) -> "tuple[MessageSource, Iterable[Page]]":
        source = replace(self, session_id=session_id)
        if self.is_window:
            return source, [app.client.window(session_id, self.start, self.count)]
        pages = app.source.messages(session_id, on_wait=app.terminal.check)
        # Before anything is written: there may be no such session.
        return source, chain([next(pages)], pages)

    def notice_empty(self, app: AppContext) -> None:
        """Say that there are no messages at all."""
        if self.session_id is None:
            app.notice("whose", f"no messages in the {_kind(app)}")
        elif not self.is_window:
            app.notice("whose", f"no messages yet in session {self.session_id}", self.session_id)


def _kind(app: AppContext) -> str:
    """What is read in place of the server."""
    assert app.recorded
    return app.recorded.kind


def _source(
    app: AppContext, names: Sequence[str], last: str | None, start: int | None, count: int | None
) -> MessageSource:
    if not names and not app.reads_recordings:
        raise UsageError(
            "messages takes a session's id, a recording or a stream", hint="`smscli list` shows the ids"
        )
    if len(names) > 1:
        raise UsageError(f"messages takes one session, not {names[1]!r} too")
    source = MessageSource(names[0] if names else None, start, count)
    if source.is_window and (last is not None or app.reads_recordings):
        raise UsageError("--start-index and --count can't be combined with --last, a recording or a stream")
    values.check_window(start, count)
    return source


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
        self._query = query
        self._keep = keep
        self._customer_view = customer_view
        self._last = LastEntries(keep, query.untimed.context)
        self._logs = defaultdict[str, SessionLog](
            lambda: SessionLog(typing, self._filter, self.tally, redact=redact)
        )
        self._customer_view_of: dict[str, CustomerView] = {}
        self._progress = ReadProgress(app.terminal, streams=keep is None)

    @cached_property
    def _filter(self) -> EntryFilter:
        # With the first page, which tells the server's time; of a recording that takes a read of all.
        query = self._query
        return query.resolve(self._app.now if query.is_relative else datetime.now(UTC))

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
            now = None if self._app.recorded else self._app.server_time
            add(log.select(log.transcript.cut() if is_window else log.transcript.at_end(now)))
        self._progress.end()
        writer.write(self._last.release())

    def _shown(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages to show, before any filter judges them."""
        if not self._customer_view:
            return messages
        shown = (self._view_of(one.session_id).message(one) for one in messages)
        return [one for one in shown if one]

    def _view_of(self, session_id: str) -> "CustomerView":
        if session_id not in self._customer_view_of:
            from smscli.transcript.customer_view import CustomerView

            session = self._app.source.sessions().find(session_id)
            self._customer_view_of[session_id] = CustomerView(session.participants if session else ())
        return self._customer_view_of[session_id]


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
