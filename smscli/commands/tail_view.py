"""What is seen of a follow: the stream of entries, the notices, and the live line at the bottom."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property

from smscli.commands.live import Arrivals, ServerClock, StatusReporter, WaitAlert, wait_and_refresh
from smscli.commands.notices import notice_unmatched
from smscli.commands.writers import EntryWriter, SessionLog
from smscli.context import AppContext
from smscli.follow.feed import Wait
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
from smscli.transcript.activity import Activity
from smscli.transcript.filters import EntryFilter, EntryQuery, FilterTally, LastEntries, SelectedEntry
from smscli.transcript.fold import ActiveTyping


@dataclass(frozen=True, slots=True)
class TailOptions:
    """How sessions are seen: how typing is shown, which entries are wanted, how many of those said before,
    and for how many seconds a customer may wait before that is told."""

    typing: str
    query: EntryQuery
    keep: int | None
    waiting: float | None = None
    bell: bool = False
    redact: bool = False
    zone: tzinfo | None = None


class SessionView:
    """One session on the screen: its log, the end of its history until that has been read, and who waits,
    whatever is shown of it."""

    def __init__(self, log: SessionLog, history: LastEntries, activity: Activity) -> None:
        self.activity = activity
        self._log = log
        self._history: LastEntries | None = history

    @property
    def is_live(self) -> bool:
        """Whether what comes now is news."""
        return self._history is None

    def chosen(self, read: NewMessages) -> Iterable[SelectedEntry]:
        """What to write now: nothing of the history before it is read, and of that no more than asked for."""
        for message in read.messages:
            self.activity.add(message)
        fresh = self._log.add(read.messages)
        if self._history is None or not read.first:
            self._history = None
            return fresh
        self._history.extend(fresh)
        if not read.done:
            return ()
        history, self._history = self._history, None
        return history.release()

    def expire(self, now: datetime | None) -> Iterable[SelectedEntry]:
        """The drafts given up by now; none while the history is read, whose time is not now."""
        return self._log.expire(now) if self.is_live else ()

    def end(self, now: datetime | None) -> Iterable[SelectedEntry]:
        """The drafts given up with the session."""
        return self._log.end(now)

    def typing(self, now: datetime | None) -> Iterable[ActiveTyping]:
        """Who types now."""
        return self._log.typing(now)


class TailView:
    """Takes a feed's events and shows what a person wants to know of them."""

    def __init__(self, app: AppContext, writer: EntryWriter, wait: Wait, view: TailOptions) -> None:
        self._app = app
        self._writer = writer
        self._wait = wait
        self._view = view
        self._followed: dict[str, SessionView] = {}
        # Also of those that have ended: one that comes back is read on from where it was.
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

    def take(self, event: Event) -> None:
        match event:
            case ListRead():
                for session in event.listing.sessions:
                    self._activities[session.id].session = session
            case NewMessages():
                self._read(event)
            case SessionStarted():
                self._activities[event.session.id].session = event.session
                # All that is said in a session that begins now is news.
                self._follow(event.session.id, None if event.announce else self._view.keep)
            case SessionEnded():
                self._end(event.session_id)
            case Idle():
                self._idle()
        self._reporter.take(event)

    def finish(self) -> None:
        """Nothing more will come."""
        self._report_unmatched()
        self._writer.close()

    def wait(self, seconds: float) -> Arrivals:
        """Until something wakes the feed, for so long at most; the live line is kept true meanwhile."""
        return wait_and_refresh(self._app, self._wait, seconds, self._tick)

    def _read(self, read: NewMessages) -> None:
        self._server_clock.set(read.at)
        followed = self._followed.get(read.session_id) or self._follow(read.session_id, self._view.keep)
        is_news = followed.is_live or not read.first
        chosen = followed.chosen(read)
        self._writer.write(chosen)
        if followed.is_live:
            # The next read is a wait too.
            self._writer.flush()
        if self._view.bell and is_news and any(_calls(one.entry.message) for one in chosen):
            self._app.terminal.ring()

    def _follow(self, session_id: str, keep: int | None) -> SessionView:
        log = SessionLog(self._view.typing, self._filter, self._tally, redact=self._view.redact)
        history = LastEntries(keep, self._filter.context)
        self._followed[session_id] = SessionView(log, history, self._activities[session_id])
        return self._followed[session_id]

    def _end(self, session_id: str) -> None:
        followed = self._followed.pop(session_id, None)
        if followed:
            self._writer.write(followed.end(self._server_clock.now()))

    def _idle(self) -> None:
        now = self._server_clock.now()
        for followed in self._followed.values():
            self._writer.write(followed.expire(now))
        self._writer.flush()
        if self._followed and all(one.is_live for one in self._followed.values()):
            self._report_unmatched()
        self._tick()

    def _report_unmatched(self) -> None:
        """Once, when the history has been read: which filters match nothing."""
        if not self._has_reported:
            self._has_reported = True
            notice_unmatched(self._app, self._tally, redact=self._view.redact)

    def _tick(self) -> None:
        """What time alone changes: who waits for too long, and the live line."""
        if self._alert.limit is not None:
            now = self._server_clock.now()
            live = ((one, seen.activity) for one, seen in self._followed.items() if seen.is_live)
            overdue = (self._alert.exceeded(one, activity, now) for one, activity in live)
            self._waiting = [words for words in overdue if words]
        if self._app.terminal.has_live_line and not self._app.json_stderr:
            self._app.terminal.live(self._live_line)

    def _typing(self) -> list[ActiveTyping]:
        now = self._server_clock.now()
        typing = [one for followed in self._followed.values() for one in followed.typing(now)]
        # What a customer is writing is what one waits for.
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


def _calls(message: Message) -> bool:
    """Whether a customer says something in it."""
    return message.type in SAID_TYPES and message.sender is not None and message.sender.role == Role.CUSTOMER
