"""Reads the logs of several sessions side by side, for the activity columns of `list`."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from smscli.context import AppContext
from smscli.errors import NotFound, SmscliError
from smscli.gws.pool import Pool
from smscli.model import Message, Session
from smscli.output.columns import ListedSession
from smscli.transcript.activity import Activity, ActivitySummary
from smscli.transcript.fold import Entry, transcript_for

if TYPE_CHECKING:
    from smscli.gws.client import GwsClient

_READS_UNDER_WAY = 4
_WAIT_SECONDS = 0.1


class SessionReader:
    """Folds the messages of one session into its activity."""

    def __init__(self, session: Session) -> None:
        self.activity = Activity(session)
        self._transcript = transcript_for("fold")()

    def add(self, message: Message) -> Sequence[Entry]:
        """Count one message of the log; returns the entries that it completes."""
        self.activity.add(message)
        entries = self._transcript.add(message)
        for entry in entries:
            self.activity.add_composing(entry.message.sender, entry.composing)
        return entries

    def summary(self, now: datetime | None) -> ActivitySummary:
        """The activity at the server's time `now`, None where it is not known."""
        typing = [one.participant for one in self._transcript.typing(now)]
        return self.activity.summary(now, typing)


class _SessionRead(NamedTuple):
    """A session whose log was read; `error` says why it could not be."""

    session_id: str
    reader: SessionReader
    error: Exception | None = None


def read_sessions(
    app: AppContext, sessions: Sequence[ListedSession]
) -> tuple[list[ListedSession], SmscliError | None]:
    """The sessions with their activity, read side by side, and the first error.

    The activity is None for one that can't be read, which is reported; one that has ended meanwhile is left
    out.
    """
    reads = (_read_recorded if app.recorded else _read_all)(app, [one.session for one in sessions])
    listed, failure, now = [], None, app.server_time
    for one in sessions:
        _, reader, error = reads[one.session.id]
        if error is None:
            listed.append(ListedSession(one.session, reader.summary(now)))
        elif not isinstance(error, SmscliError):
            raise error
        elif not isinstance(error, NotFound):
            failure = failure or error
            listed.append(one)
            app.notice("lost", f"session {one.session.id} can't be read: {error.message}", one.session.id)
    return listed, failure


def _read_all(app: AppContext, sessions: Sequence[Session]) -> dict[str, _SessionRead]:
    """Every session's log by its id."""
    done: SimpleQueue[_SessionRead] = SimpleQueue()
    pool = Pool(app.client.clone, _READS_UNDER_WAY)
    app.on_close(pool.close)
    for session in sessions:
        pool.submit(partial(_read, session, done))
    found: dict[str, _SessionRead] = {}
    while len(found) < len(sessions):
        one = _next(app, done, f"{len(found)} of {len(sessions)} sessions read")
        found[one.session_id] = one
    app.terminal.progress(None)
    app.client.report()
    return found


def _read_recorded(app: AppContext, sessions: Sequence[Session]) -> dict[str, _SessionRead]:
    """The same of recordings, one after the other."""
    found = {}
    for session in sessions:
        reader = SessionReader(session)
        for page in app.source.messages(session.id, on_wait=app.terminal.check):
            for message in page.messages:
                reader.add(message)
        found[session.id] = _SessionRead(session.id, reader)
    return found


def _read(session: Session, done: "SimpleQueue[_SessionRead]", client: "GwsClient") -> None:
    reader, failure = SessionReader(session), None
    try:
        for page in client.messages(session.id, prefetch=False):
            for message in page.messages:
                reader.add(message)
    except Exception as error:
        # An internal error too: the main thread raises it.
        failure = error
    done.put(_SessionRead(session.id, reader, failure))


def _next(app: AppContext, done: "SimpleQueue[_SessionRead]", progress: str) -> _SessionRead:
    while True:
        try:
            return done.get(timeout=_WAIT_SECONDS)
        except Empty:
            app.terminal.check()
            app.terminal.progress(lambda width: progress[:width])
