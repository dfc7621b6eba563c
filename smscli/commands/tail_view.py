"""The view of `tail`: writes entries, reports notices and keeps the live line."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import NamedTuple

from smscli.commands.live import ServerClocks, StatusReporter, WaitAlert, session_key
from smscli.commands.notices import notice_no_match
from smscli.commands.writers import SessionLog
from smscli.context import AppContext
from smscli.model import (
    SAID_TYPES,
    Event,
    Idle,
    Listing,
    ListRead,
    Message,
    NewMessages,
    ReaderChanged,
    Role,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.output.formats import RecordWriter
from smscli.records import SessionKey
from smscli.transcript.activity import Activity
from smscli.transcript.filters import EntryFilter, EntryQuery, FilterTally, LastEntries, SelectedEntry
from smscli.transcript.fold import ActiveTyping

# How long the first entries of several sessions are held, to be shown in order of time.
_HOLD_SECONDS = 2.0
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class TailOptions(NamedTuple):
    """What to show: `typing` is the typing mode, `keep` the number of first entries (None: all), `waiting`
    the seconds after which a waiting customer is reported, `ids` those that were named (None: all)."""

    typing: str
    query: EntryQuery
    keep: int | None
    waiting: float | None = None
    bell: bool = False
    redact: bool = False
    zone: tzinfo | None = None
    ids: tuple[str, ...] | None = None


class SessionView:
    """One session: the profile that reads it, its log, its first entries until all are read, and its
    unfiltered activity."""

    def __init__(self, app: AppContext, log: SessionLog, history: LastEntries, activity: Activity) -> None:
        self.app = app
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


class FirstEntries:
    """Holds the first entries of several sessions on a terminal, to show them in order of time.

    They are released once all sessions are read, or two seconds after the first one.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self._held: list[SelectedEntry] = []

    def add(self, selected: Iterable[SelectedEntry]) -> None:
        self._since = self._clock() if self._since is None else self._since
        self._held += selected

    @property
    def is_due(self) -> bool:
        return self._since is not None and self._clock() - self._since >= _HOLD_SECONDS

    def release(self) -> list[SelectedEntry]:
        """All of them in order of time; an entry without one stays behind the entry before it."""
        times: list[datetime] = []
        for one in self._held:
            times.append(one.entry.message.at or (times[-1] if times else _BEGINNING))
        order = sorted(range(len(times)), key=times.__getitem__)
        return [self._held[place] for place in order]


class TailView:
    """Shows the events of the profiles that are followed."""

    def __init__(
        self, apps: Sequence[AppContext], writer: RecordWriter[SelectedEntry], view: TailOptions
    ) -> None:
        self._apps = apps
        self._app = app = apps[0]
        self._writer = writer
        self._view = view
        self._followed: dict[SessionKey, SessionView] = {}
        # Kept after a session has ended: if it comes back, its log is read on from where it was.
        self._activities: defaultdict[SessionKey, Activity] = defaultdict(Activity)
        self._clocks = ServerClocks(app.clock)
        self._reporter = StatusReporter(apps, self._clocks, view.zone)
        self._alert = WaitAlert(view.waiting, view.zone)
        self._waiting: list[str] = []
        self._tally = FilterTally(view.query)
        self._has_reported = self._has_named = False
        is_merged = view.keep is not None and (view.ids is None or len(view.ids) > 1)
        holds = is_merged and not app.terminal.pipe and not app.json_stderr
        self._first: FirstEntries | None = FirstEntries(app.clock) if holds else None

    @cached_property
    def _filter(self) -> EntryFilter:
        return self._view.query.resolve(self._app.now)

    def on_event(self, app: AppContext, event: Event) -> None:
        match event:
            case ListRead():
                self._clocks.set(app, event.listing.at)
                for session in event.listing.sessions:
                    self._activities[session_key(app, session.id)].session = session
                self._report_targets(event.listing)
            case NewMessages():
                self._read(app, event)
            case SessionStarted():
                self._activities[session_key(app, event.session.id)].session = event.session
                # A session that begins while we follow is shown from its start.
                self._follow(app, event.session.id, None if event.announce else self._view.keep)
            case SessionEnded():
                self._end(app, event.session_id)
            case ReaderChanged():
                if followed := self._followed.get(session_key(app, event.session_id)):
                    followed.app = app
            case Idle():
                self._idle()
        self._reporter.report(app, event)

    def _report_targets(self, listing: Listing) -> None:
        """Once, with the first list: whose sessions are followed, and which."""
        if self._has_named:
            return
        self._has_named = True
        of = self._app.whose if len(self._apps) == 1 else f"of {len(self._apps)} profiles"
        if self._view.ids is None:
            self._app.root.notice("whose", f"following the SMS sessions {of}")
            return
        # Where there are several profiles, the list is that of one server only.
        find = listing.find if len(self._apps) == 1 else lambda session_id: None
        named = ", ".join(_named(one, find(one)) for one in self._view.ids)
        self._app.root.notice("whose", f"following session{'s' * (len(self._view.ids) > 1)} {named} {of}")

    def finish(self) -> None:
        """Write what is left; no more events follow."""
        self._release_first(True)
        self._report_unmatched()
        self._writer.close()

    def refresh(self) -> None:
        """Update what only time changes: first entries, wait alerts and the live line."""
        self._release_first(False)
        if self._alert.limit is not None:
            live = ((key, one) for key, one in self._current.items() if one.is_live)
            overdue = (
                self._alert.exceeded(one.app, key.session_id, one.activity, self._clocks.now(one.app))
                for key, one in live
            )
            self._waiting = [words for words in overdue if words]
        if self._app.terminal.has_live_line and not self._app.json_stderr:
            self._app.terminal.live(self._live_line)

    def _read(self, app: AppContext, read: NewMessages) -> None:
        self._clocks.set(app, read.at)
        followed = self._followed.get(session_key(app, read.session_id))
        followed = followed or self._follow(app, read.session_id, self._view.keep)
        followed.app = app
        is_new = followed.is_live or not read.first
        selected = followed.select(read)
        self._write(app, selected)
        if followed.is_live:
            # The next read may wait.
            self._writer.flush()
        if self._view.bell and is_new and any(_is_from_customer(one.entry.message) for one in selected):
            self._app.terminal.ring()

    def _write(self, app: AppContext, selected: Iterable[SelectedEntry]) -> None:
        if app.label is not None:
            selected = [one._replace(profile=app.label) for one in selected]
        if self._first is None:
            self._writer.write(selected)
            return
        self._first.add(selected)
        is_read = all(one.is_live for one in self._followed.values())
        self._release_first(is_read and not self._reporter.is_connecting)

    def _release_first(self, is_complete: bool) -> None:
        """Write the first entries in order of time, once they are complete or the wait is over."""
        if self._first is not None and (is_complete or self._first.is_due):
            first, self._first = self._first, None
            self._writer.write(first.release())
            self._writer.flush()

    def _follow(self, app: AppContext, session_id: str, keep: int | None) -> SessionView:
        log = SessionLog(self._view.typing, self._filter, self._tally, redact=self._view.redact)
        history = LastEntries(keep, self._filter.context)
        key = session_key(app, session_id)
        self._followed[key] = SessionView(app, log, history, self._activities[key])
        return self._followed[key]

    def _end(self, app: AppContext, session_id: str) -> None:
        followed = self._followed.pop(session_key(app, session_id), None)
        if followed:
            log = followed.log
            self._write(app, log.select(log.transcript.end(self._clocks.now(app))))

    def _idle(self) -> None:
        # Not before the first read is complete: its messages are from an earlier time.
        live = [one for one in self._followed.values() if one.is_live]
        for followed in live:
            log = followed.log
            self._write(followed.app, log.select(log.transcript.expire(self._clocks.now(followed.app))))
        self._writer.flush()
        if live and len(live) == len(self._followed):
            self._report_unmatched()
        self.refresh()

    def _report_unmatched(self) -> None:
        """Once, when the history has been read: which filters match nothing."""
        if not self._has_reported:
            self._has_reported = True
            notice_no_match(self._app.root, self._tally.notices(), redact=self._view.redact)

    def _typing(self) -> list[ActiveTyping]:
        connected = (one for one in self._followed.values() if self._reporter.is_connected(one.app))
        typing = [one for seen in connected for one in seen.log.typing(self._clocks.now(seen.app))]
        # Customers first: agents wait for what they write.
        return sorted(typing, key=lambda one: one.participant.role != Role.CUSTOMER)

    @property
    def _current(self) -> dict[SessionKey, SessionView]:
        """The sessions of which something may come: those of profiles that were given up are left out."""
        return {key: one for key, one in self._followed.items() if self._reporter.is_followed(one.app)}

    def _live_line(self, width: int) -> str:
        from smscli.output.render.status_line import live_line

        return live_line(
            self._reporter.status,
            len(self._current),
            self._typing(),
            width,
            waiting=self._waiting,
            ascii=self._app.terminal.ascii,
            connected=self._reporter.is_live,
        )


def _named(session_id: str, session: Session | None) -> str:
    customers = ", ".join(session.nicknames(Role.CUSTOMER)) if session else ""
    return f"{session_id} ({customers})" if customers else session_id


def _is_from_customer(message: Message) -> bool:
    """Whether a customer sent it."""
    return message.type in SAID_TYPES and message.sender is not None and message.sender.role == Role.CUSTOMER
