"""Reads the logs of several sessions side by side."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from smscli.commands.profiles import SharedSession, side_by_side
from smscli.context import AppContext
from smscli.errors import NotFound, SmscliError
from smscli.model import Message, Page, Session
from smscli.transcript.activity import Activity, ActivitySummary
from smscli.transcript.fold import Entry, TypingFold

if TYPE_CHECKING:
    from smscli.gws.client import GwsClient


class SessionReader:
    """Folds the messages of one session into its activity."""

    def __init__(self, session: Session) -> None:
        self.activity = Activity(session)
        self._transcript = TypingFold()

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

    shared: SharedSession
    reader: Reader
    error: SmscliError | None = None

    @property
    def session(self) -> Session:
        return self.shared.session


def read_logs(
    app: AppContext, sessions: Sequence[SharedSession], new: Callable[[Session], Reader]
) -> list[LogRead[Reader]]:
    """Have a new reader read each session's log, side by side; through the next profile that has the session
    where the first one fails."""
    if app.recorded:
        recorded = app.source.messages
        return [LogRead(one, _read(recorded(one.session.id), new(one.session))) for one in sessions]

    @cache
    def client_of(thread: int, view: AppContext) -> "GwsClient":
        # `thread` is there for the cache: a client is for use by one thread.
        client = view.client.clone()
        view.on_close(client.close)
        return client

    def read(shared: SharedSession) -> Reader:
        failure = None
        for view, session in shared.views:
            try:
                pages = client_of(threading.get_ident(), view).messages(session.id, prefetch=False)
                return _read(pages, new(shared.session))
            except SmscliError as error:
                failure = failure or error
        assert failure
        raise failure

    outcomes = side_by_side(app, sessions, read, "sessions read")
    for app in {id(view): view for one in sessions for view, _ in one.views}.values():
        app.client.report()
    return [
        LogRead(one.item, one.result or new(one.item.session), one.error)
        for one in outcomes
        if one.error is None or isinstance(one.error, SmscliError)
    ]


def report_unread(reads: Sequence[LogRead[Reader]]) -> tuple[list[LogRead[Reader]], SmscliError | None]:
    """The reads without the sessions that have ended meanwhile, and the first error.

    One that could not be read is reported.
    """
    remaining, failure = [], None
    for one in reads:
        if isinstance(one.error, NotFound):
            continue
        if one.error is not None:
            failure = failure or one.error
            told = f"session {one.session.id} can't be read: {one.error.message}"
            one.shared.app.notice("lost", told, one.session.id)
        remaining.append(one)
    return remaining, failure


def _read(pages: Iterable[Page], reader: Reader) -> Reader:
    for page in pages:
        for message in page.messages:
            reader.add(message)
    return reader
