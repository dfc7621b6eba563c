"""Reads the logs of several sessions side by side."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from smscli.context import AppContext
from smscli.errors import NotFound, SmscliError
from smscli.gws.pool import Pool
from smscli.model import Message, Session
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


class LogReader(Protocol):
    """Takes the messages of one session's log."""

    def add(self, message: Message) -> object: ...


Reader = TypeVar("Reader", bound=LogReader)


class LogRead(NamedTuple, Generic[Reader]):
    """A session whose log was read; `error` says why it could not be."""

    session: Session
    reader: Reader
    error: Exception | None = None


def read_logs(
    app: AppContext, sessions: Sequence[Session], new: Callable[[Session], Reader]
) -> list[LogRead[Reader]]:
    """Have a new reader read each session's log, side by side."""
    reads = (_read_recorded if app.recorded else _read_all)(app, sessions, new)
    return [reads[session.id] for session in sessions]


def report_unread(
    app: AppContext, reads: Sequence[LogRead[Reader]]
) -> tuple[list[LogRead[Reader]], SmscliError | None]:
    """The reads without the sessions that have ended meanwhile, and the first error.

    One that could not be read is reported.
    """
    remaining, failure = [], None
    for one in reads:
        if isinstance(one.error, NotFound):
            continue
        if isinstance(one.error, SmscliError):
            failure = failure or one.error
            told = f"session {one.session.id} can't be read: {one.error.message}"
            app.notice("lost", told, one.session.id)
        elif one.error is not None:
            raise one.error
        remaining.append(one)
    return remaining, failure


def _read_all(
    app: AppContext, sessions: Sequence[Session], new: Callable[[Session], Reader]
) -> dict[str, LogRead[Reader]]:
    """Every session's log by its id."""
    done: SimpleQueue[LogRead[Reader]] = SimpleQueue()
    pool = Pool(app.client.clone, _READS_UNDER_WAY)
    app.on_close(pool.close)
    for session in sessions:
        pool.submit(partial(_read, session, new(session), done))
    found: dict[str, LogRead[Reader]] = {}
    while len(found) < len(sessions):
        one = _next(app, done, f"{len(found)} of {len(sessions)} sessions read")
        found[one.session.id] = one
    app.terminal.progress(None)
    app.client.report()
    return found


def _read_recorded(
    app: AppContext, sessions: Sequence[Session], new: Callable[[Session], Reader]
) -> dict[str, LogRead[Reader]]:
    """The same of recordings, one after the other."""
    found = {}
    for session in sessions:
        reader = new(session)
        for page in app.source.messages(session.id, on_wait=app.terminal.check):
            for message in page.messages:
                reader.add(message)
        found[session.id] = LogRead(session, reader)
    return found


def _read(
    session: Session, reader: Reader, done: "SimpleQueue[LogRead[Reader]]", client: "GwsClient"
) -> None:
    failure = None
    try:
        for page in client.messages(session.id, prefetch=False):
            for message in page.messages:
                reader.add(message)
    except Exception as error:
        # An internal error too: the main thread raises it.
        failure = error
    done.put(LogRead(session, reader, failure))


def _next(app: AppContext, done: "SimpleQueue[LogRead[Reader]]", progress: str) -> LogRead[Reader]:
    while True:
        try:
            return done.get(timeout=_WAIT_SECONDS)
        except Empty:
            app.terminal.check()
            app.terminal.progress(lambda width: progress[:width])
