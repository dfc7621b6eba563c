"""`smscli sessions`: list them, show one, read its messages."""

import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice

from smscli.activity import Activity
from smscli.commands.writers import EntryWriter, array, entry_writer
from smscli.context import AppContext
from smscli.errors import NotFound, UsageError
from smscli.export import pair_rows, session_json, session_object, session_row
from smscli.model import Listing, Page, Session
from smscli.options import (
    CountOption,
    FromFileOption,
    IdArgument,
    JsonlOption,
    JsonOption,
    LastOption,
    StartIndexOption,
    TranscriptArgument,
    last_entries,
    recording_named,
    window,
)
from smscli.transcript import Entry, Transcript, transcript_for

_PAGE = 500


def list_(app: AppContext, json: JsonOption = False, jsonl: JsonlOption = False) -> None:
    """List the live sessions: who is in them, since when.

    A server shows the sessions of the user that signs in, and no others.
    """
    listing = app.client.sessions()
    if json:
        app.terminal.write(array([session_json(session) for session in listing.sessions]))
    elif jsonl:
        app.terminal.write("".join(f"{session_json(session)}\n" for session in listing.sessions))
    elif app.terminal.pipe:
        app.terminal.write("".join(f"{session_row(session)}\n" for session in listing.sessions))
    elif listing.sessions:
        app.terminal.write(_table(app, listing))
    _tell_whose(app, listing)


def _table(app: AppContext, listing: Listing) -> str:
    from smscli.render.tables import sessions_table

    return sessions_table(listing.sessions, f"SMS sessions of {app.user} at {app.host}", app.terminal)


def _tell_whose(app: AppContext, listing: Listing) -> None:
    """Say what a reader of a list may wonder about: why it is empty, or so bare."""
    if not listing.sessions:
        app.notice(
            "whose",
            f"no live SMS sessions for {app.user} at {app.host}; the server shows a user's own sessions only",
        )
    if listing.uris_only:
        app.notice("whose", "the server sent addresses in place of sessions: of those only the ids are known")


def show(app: AppContext, session_id: IdArgument, json: JsonOption = False) -> None:
    """Show one session: who, what data, how active.

    Its participants, capabilities and user data, who said how much, who waits, who is typing.
    """
    session = _listed(app, session_id)
    activity, transcript = Activity(), transcript_for("fold")()
    for page in app.client.messages(session.id):
        for message in page.messages:
            for entry in transcript.add(message):
                activity.add(entry.message, entry.composing)
    now = app.server_time
    typing = [one.participant for one in transcript.typing(now)]
    summary = activity.summary(now, session.ended, typing)
    if json:
        app.terminal.write(session_json(session, summary) + "\n")
    elif app.terminal.pipe:
        app.terminal.write("".join(f"{row}\n" for row in pair_rows(session_object(session, summary))))
    else:
        from smscli.render.tables import session_card

        app.terminal.write(session_card(session, summary, app.terminal))


def _listed(app: AppContext, session_id: str) -> Session:
    session = app.client.sessions().find(session_id)
    if session is None:
        raise NotFound(
            f"no such session: {session_id}", hint=f"`smscli list` shows the live sessions of {app.user}"
        )
    return session


def messages(
    app: AppContext,
    session_id: TranscriptArgument = None,
    from_file: FromFileOption = None,
    json: JsonOption = False,
    jsonl: JsonlOption = False,
    last: LastOption = None,
    start_index: StartIndexOption = None,
    count: CountOption = None,
) -> None:
    """Read what was said in one session.

    The whole transcript, with what was typed and never sent. A recording, as `tail --record` keeps them, is
    read in place of the server: @FILE, or --from-file FILE with the ID of one of its sessions.
    """
    recording = recording_named(session_id, from_file)
    if recording is None and session_id is None:
        raise UsageError("messages takes a session's id, or a recording", hint="`smscli list` shows the ids")
    only_window = start_index is not None or count is not None
    if only_window and (last is not None or recording is not None):
        raise UsageError("--start-index and --count go with neither --last nor a recording")
    window(start_index, count)
    reading = Reading(app, "show" if json or jsonl else "fold", last_entries(last))
    only = session_id if from_file is not None else None
    many = recording is not None and only is None
    writer = entry_writer(app.terminal, reading.typing, json=json, jsonl=jsonl, many=many)
    try:
        if recording is not None:
            reading.write(_recorded(app, recording, only), writer)
        elif only_window:
            reading.write([app.client.window(session_id or "", start_index, count)], writer)
        else:
            reading.write(app.client.messages(session_id or ""), writer)
    finally:
        writer.close()
    if not reading.found and not only_window:
        what = f"session {session_id}" if recording is None else "the recording"
        app.notice("whose", f"no messages yet in {what}", session_id if recording is None else None)


def _recorded(app: AppContext, source: str, session_id: str | None) -> Iterator[Page]:
    """A recording as pages; what comes down a pipe is shown as it comes."""
    from smscli.recording import read

    found = read(source, session_id, stdin=sys.stdin.buffer, notice=lambda line: app.notice("lost", line))
    at_once = 1 if source == "-" else _PAGE
    while page := tuple(islice(found, at_once)):
        yield Page(page)


class Reading:
    """One reading of a log, a recording's sessions told apart: messages in, entries to the writer."""

    def __init__(self, app: AppContext, typing: str, keep: int | None) -> None:
        self.typing = typing
        self.found = False
        self._app = app
        self._keep = keep
        self._transcripts: defaultdict[str, Transcript] = defaultdict(transcript_for(typing))

    def write(self, pages: Iterable[Page], writer: EntryWriter) -> None:
        """Write entries as they are read, or the last `keep` of them at the end."""
        kept: deque[Entry] = deque(maxlen=self._keep)
        take: Callable[[Iterable[Entry]], None] = writer.write if self._keep is None else kept.extend
        for page in pages:
            for message in page.messages:
                take(self._transcripts[message.session_id].add(message))
            self.found = self.found or bool(page.messages)
            writer.flush()
        for transcript in self._transcripts.values():
            take(transcript.at_end(self._now()))
        writer.write(kept)

    def _now(self) -> datetime | None:
        """The server's clock; None for a recording, which has none."""
        return self._app.server_time
