"""`smscli sessions`: list them, show one, read its messages."""

from collections import deque
from collections.abc import Callable, Iterable

from smscli.activity import Activity
from smscli.commands.writers import EntryWriter, array, entry_writer
from smscli.context import AppContext
from smscli.errors import NotFound, UsageError
from smscli.export import pair_rows, session_json, session_object, session_row
from smscli.model import Listing, Page, Session
from smscli.options import (
    CountOption,
    IdArgument,
    JsonlOption,
    JsonOption,
    LastOption,
    StartIndexOption,
    last_entries,
    window,
)
from smscli.transcript import Entry, transcript_for


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
        app.notice("whose", "the server sent nothing but addresses: the ids are all there is to list")


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
    now = app.client.now
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
    session_id: IdArgument,
    json: JsonOption = False,
    jsonl: JsonlOption = False,
    last: LastOption = None,
    start_index: StartIndexOption = None,
    count: CountOption = None,
) -> None:
    """Read what was said in one session.

    The whole transcript, with what was typed and never sent.
    """
    only_window = start_index is not None or count is not None
    if only_window and last is not None:
        raise UsageError("--last goes with neither --start-index nor --count")
    window(start_index, count)
    keep = last_entries(last)
    client = app.client
    pages = [client.window(session_id, start_index, count)] if only_window else client.messages(session_id)
    typing = "show" if json or jsonl else "fold"
    writer = entry_writer(app.terminal, typing, json=json, jsonl=jsonl, many=False)
    try:
        found = _write(app, pages, writer, typing, keep)
    finally:
        writer.close()
    if not found:
        app.notice("whose", f"no messages yet in session {session_id}", session_id)


def _write(
    app: AppContext, pages: Iterable[Page], writer: EntryWriter, typing: str, keep: int | None
) -> bool:
    """Write entries as they are read, or the last `keep` of them at the end; whether there were messages."""
    transcript, found = transcript_for(typing)(), False
    kept: deque[Entry] = deque(maxlen=keep)
    take: Callable[[Iterable[Entry]], None] = writer.write if keep is None else kept.extend
    for page in pages:
        for message in page.messages:
            found = True
            take(transcript.add(message))
        writer.flush()
    take(transcript.at_end(app.client.now))
    writer.write(kept)
    return found
