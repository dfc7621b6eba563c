"""The view of `tail`: writes entries, reports notices and keeps the live line."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property

from smscli.commands.live import ServerClock, StatusReporter, WaitAlert
from smscli.commands.notices import notice_unmatched
from smscli.commands.writers import SessionLog
from smscli.context import AppContext
from smscli.model import (
    SAID_TYPES,
    Event,
    Idle,
    ListRead,
    Message,
    NewMessages,
    Role,
    SessionEnded,
    SessionStarted,
)
from smscli.output.formats import RecordWriter
from smscli.transcript.activity import Activity
from smscli.transcript.filters import EntryFilter, EntryQuery, FilterTally, LastEntries, SelectedEntry
from smscli.transcript.fold import ActiveTyping


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What to show: `typing` is the typing mode, `keep` the number of first entries (None: all), `waiting`
    the seconds after which a waiting customer is reported."""

    typing: str
    query: EntryQuery
    keep: int | None
    waiting: float | None = None
    bell: bool = False
    redact: bool = False
    zone: tzinfo | None = None


class SessionView:
    """One session: its log, its first entries until all are read, and its unfiltered activity."""

    def __init__(self, log: SessionLog, history: LastEntries, activity: Activity) -> None:
        self.activity = activity
        self.log = log
        self._history: LastEntries | None = history

    @property
    def is_live(self) -> bool:
        """Whether the first read is complete."""
        return self._history is None

    def select(self, read: NewMessages) -> Iterable[SelectedEntry]:
        """The entries to write now; the first ones when all are read, and then only the last of them."""
        for message in read.messages:
            self.activity.add(message)
        fresh = self.log.add(read.messages)
        if self._history is None or not read.first:
            self._history = None
            return fresh
        self._history.extend(fresh)
        if not read.done:
            return ()
        history, self._history = self._history, None
        return history.release()


class TailView:
    """Shows the events of a feed."""

    def __init__(self, app: AppContext, writer: RecordWriter[SelectedEntry], view: TailOptions) -> None:
        self._app = app
        self._writer = writer
        self._view = view
        self._followed: dict[str, SessionView] = {}
        # Kept after a session has ended: if it comes back, its log is read on from where it was.
        self._activities: defaultdict[str, Activity] = defaultdict(Activity)
        self._reporter = StatusReporter(app)
        self._server_clock = ServerClock(app.clock)
        self._alert = WaitAlert(app, view.waiting, view.zone)
        self._waiting: list[str] = []
        self._tally = FilterTally(view.query)
        self._has_reported = False

    @cached_property
    def _filter(self) -> EntryFilter:
        return self._view.query.resolve(self._app.now)

    def on_event(self, event: Event) -> None:
        match event:
            case ListRead():
                for session in event.listing.sessions:
                    self._activities[session.id].session = session
            case NewMessages():
                self._read(event)
            case SessionStarted():
                self._activities[event.session.id].session = event.session
                # A session that begins while we follow is shown from its start.
                self._follow(event.session.id, None if event.announce else self._view.keep)
            case SessionEnded():
                self._end(event.session_id)
            case Idle():
                self._idle()
        self._reporter.report(event)

    def finish(self) -> None:
        """Write what is left; no more events follow."""
        self._report_unmatched()
        self._writer.close()

    def refresh(self) -> None:
        """Update what only time changes: wait alerts and the live line."""
        if self._alert.limit is not None:
            now = self._server_clock.now()
            live = ((one, seen.activity) for one, seen in self._followed.items() if seen.is_live)
            overdue = (self._alert.exceeded(one, activity, now) for one, activity in live)
            self._waiting = [words for words in overdue if words]
        if self._app.terminal.has_live_line and not self._app.json_stderr:
            self._app.terminal.live(self._live_line)

    def _read(self, read: NewMessages) -> None:
        self._server_clock.set(read.at)
        followed = self._followed.get(read.session_id) or self._follow(read.session_id, self._view.keep)
        is_new = followed.is_live or not read.first
        selected = followed.select(read)
        self._writer.write(selected)
        if followed.is_live:
            # The next read may wait.
            self._writer.flush()
        if self._view.bell and is_new and any(_is_from_customer(one.entry.message) for one in selected):
            self._app.terminal.ring()

    def _follow(self, session_id: str, keep: int | None) -> SessionView:
        log = SessionLog(self._view.typing, self._filter, self._tally, redact=self._view.redact)
        history = LastEntries(keep, self._filter.context)
        self._followed[session_id] = SessionView(log, history, self._activities[session_id])
        return self._followed[session_id]

    def _end(self, session_id: str) -> None:
        followed = self._followed.pop(session_id, None)
        if followed:
            self._writer.write(followed.log.end(self._server_clock.now()))

    def _idle(self) -> None:
        now = self._server_clock.now()
        # Not before the first read is complete: its messages are from an earlier time.
        live = [one for one in self._followed.values() if one.is_live]
        for followed in live:
            self._writer.write(followed.log.expire(now))
        self._writer.flush()
        if live and len(live) == len(self._followed):
            self._report_unmatched()
        self.refresh()

    def _report_unmatched(self) -> None:
        """Once, when the history has been read: which filters match nothing."""
        if not self._has_reported:
            self._has_reported = True
            notice_unmatched(self._app, self._tally, redact=self._view.redact)

    def _typing(self) -> list[ActiveTyping]:
        now = self._server_clock.now()
        typing = [one for followed in self._followed.values() for one in followed.log.typing(now)]
        # Customers first: agents wait for what they write.
        return sorted(typing, key=lambda one: one.participant.role != Role.CUSTOMER)

    def _live_line(self, width: int) -> str:
        from smscli.output.render.status_line import live_line

        return live_line(
            self._reporter.status,
            len(self._followed),
            self._typing(),
            width,
            waiting=self._waiting,
            ascii=self._app.terminal.ascii,
            connected=self._reporter.is_live,
        )


def _is_from_customer(message: Message) -> bool:
    """Whether a customer sent it."""
    return message.type in SAID_TYPES and message.sender is not None and message.sender.role == Role.CUSTOMER
