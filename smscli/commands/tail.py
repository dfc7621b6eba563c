"""`smscli sessions tail`: follow sessions live."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from smscli.commands.writers import EntryWriter, entry_writer
from smscli.context import AppContext
from smscli.cursor import Cursor
from smscli.errors import UsageError
from smscli.feed import Following, follow
from smscli.model import Ended, Event, Idle, Listed, Listing, Read, Role, Started, Turn, Wake
from smscli.options import (
    AllOption,
    IdsArgument,
    IntervalOption,
    PushOption,
    RecordOption,
    TailJsonOption,
    TailLastOption,
    interval_seconds,
    last_entries,
    wants_push,
)
from smscli.transcript import Entry, Transcript, Typing, transcript_for

if TYPE_CHECKING:
    from smscli.client import GwsClient

# How long a resize or the end of somebody's typing may wait to be seen in the live line.
_REPAINT_SECONDS = 0.25


Nap = Callable[[float], Sequence[Wake]]
"""Sleeps so many seconds, or until the server wakes us."""


def _sleep(seconds: float) -> Sequence[Wake]:
    time.sleep(seconds)
    return ()


def _woken(app: AppContext) -> Nap:
    # Asked for at the first wait, and so after the first list: a server that refuses us is told once.
    return lambda seconds: app.push.wait(seconds)


class Reads:
    """A follower's reads: as patient as a one-shot command's until the first list, then without retries."""

    def __init__(self, client: "GwsClient") -> None:
        self._client = client
        self.page = client.page
        self.renew = client.renew

    def sessions(self) -> Listing:
        listing = self._client.sessions()
        self._client.retries = 0
        return listing


class Followed:
    """One session on the screen: its transcript, and the end of its history until that has been read."""

    def __init__(self, transcript: Transcript, keep: int | None) -> None:
        self._transcript = transcript
        self._history: deque[Entry] | None = deque(maxlen=keep)

    def entries(self, read: Read) -> Iterable[Entry]:
        """What to write now: nothing of the history before it is read, and of that no more than asked for."""
        fresh = [entry for message in read.messages for entry in self._transcript.add(message)]
        if self._history is None or not read.first:
            self._history = None
            return fresh
        self._history.extend(fresh)
        if not read.done:
            return ()
        history, self._history = self._history, None
        return history

    def expire(self, now: datetime | None) -> Iterable[Entry]:
        """The drafts given up by now; none while the history is read, whose time is not now."""
        return self._transcript.expire(now) if self._history is None else ()

    def end(self, now: datetime | None) -> Iterable[Entry]:
        """The drafts given up with the session."""
        return self._transcript.end(now)

    def typing(self, now: datetime | None) -> Iterable[Typing]:
        """Who types now."""
        return self._transcript.typing(now)


class Screen:
    """What is seen of a follow: the stream of entries, the notices, the live line at the bottom."""

    def __init__(self, app: AppContext, writer: EntryWriter, nap: Nap, typing: str, keep: int | None) -> None:
        self._app = app
        self._writer = writer
        self._nap = nap
        self._way = transcript_for(typing)
        self._keep = keep
        self._followed: dict[str, Followed] = {}
        self._status = "connecting"
        self._server_time: tuple[datetime, float] | None = None

    def take(self, event: Event) -> None:
        match event:
            case Read():
                self._read(event)
            case Listed():
                self._status = "live"
            case Started():
                self._started(event)
            case Ended():
                self._ended(event)
            case Turn():
                self._turn(event)
            case Idle():
                self._idle()

    def wait(self, seconds: float) -> Sequence[Wake]:
        """Until something wakes the feed, for so long at most; the live line is kept true meanwhile."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            wakes = self._nap(max(0.0, min(left, _REPAINT_SECONDS)))
            if wakes or left <= _REPAINT_SECONDS:
                return wakes
            self._app.terminal.check()
            self._paint()

    def _read(self, read: Read) -> None:
        if read.at:
            self._server_time = (read.at, self._app.clock())
        self._status = "live"
        followed = self._followed.setdefault(read.session_id, Followed(self._way(), self._keep))
        self._writer.write(followed.entries(read))

    def _started(self, event: Started) -> None:
        session = event.session
        # All that is said in a session that begins now is news.
        self._followed[session.id] = Followed(self._way(), None if event.announce else self._keep)
        if event.announce:
            who = ", ".join(session.nicknames("Customer"))
            self._app.notice(
                "session-started", f"session {session.id} started" + (f": {who}" if who else ""), session.id
            )

    def _ended(self, event: Ended) -> None:
        followed = self._followed.pop(event.session_id, None)
        if followed:
            self._writer.write(followed.end(self._now()))
        how = f" ({event.state})" if event.state else ""
        self._app.notice("session-ended", f"session {event.session_id} ended{how}", event.session_id)

    def _turn(self, event: Turn) -> None:
        if event.kind == "lost" and event.session_id is None:
            self._status = "connection lost, retrying"
        elif event.kind == "reconnected":
            self._status = "live"
        self._app.notice(event.kind, event.message, event.session_id)

    def _idle(self) -> None:
        now = self._now()
        for followed in self._followed.values():
            self._writer.write(followed.expire(now))
        self._writer.flush()
        self._paint()

    def _now(self) -> datetime | None:
        """The server's clock, carried on from its last answer."""
        if self._server_time is None:
            return None
        at, read = self._server_time
        return at + timedelta(seconds=max(0.0, self._app.clock() - read))

    def _typing(self) -> list[Typing]:
        now = self._now()
        typing = [one for followed in self._followed.values() for one in followed.typing(now)]
        # What a customer is writing is what one waits for.
        return sorted(typing, key=lambda one: one.participant.type != Role.CUSTOMER)

    def _paint(self) -> None:
        if self._app.terminal.lively:
            self._app.terminal.live(self._live_line)

    def _live_line(self, width: int) -> str:
        from smscli.render.live import live_line

        ascii, up = self._app.terminal.ascii, self._status == "live"
        return live_line(self._status, len(self._followed), self._typing(), width, ascii=ascii, connected=up)


def tail(
    app: AppContext,
    ids: IdsArgument = None,
    every: AllOption = False,
    json: TailJsonOption = False,
    last: TailLastOption = "10",
    interval: IntervalOption = 2.0,
    push: PushOption = "auto",
    record: RecordOption = None,
) -> None:
    """Follow sessions live, message by message.

    Begins with what was said last. Ends when every named session has ended; with --all it goes on until
    Ctrl-C.
    """
    if bool(ids) == every:
        raise UsageError("tail takes the ids of sessions, or --all", hint="`smscli list` shows the ids")
    keep, pushed = last_entries(last), wants_push(push)
    following = Following(interval=interval_seconds(interval))
    typing = "show" if json else "fold"
    writer = entry_writer(app.terminal, typing, json=False, jsonl=json, many=every or len(ids or ()) > 1)
    screen = Screen(app, writer, _woken(app) if pushed else _sleep, typing, keep)
    recorder = Recorder(app, record) if record is not None else None
    takers = [screen.take] if recorder is None else [recorder.take, screen.take]
    app.notice("whose", f"following the SMS sessions of {app.user} at {app.host}")
    debug = app.debug if app.settings.debug else None
    events = follow(
        Reads(app.client),
        ids,
        wait=screen.wait,
        clock=app.clock,
        settings=following,
        resume=recorder.cursors if recorder else None,
        debug=debug,
    )
    for event in events:
        for take in takers:
            take(event)
    writer.close()


class Recorder:
    """Keeps every message in a file before it is shown, and knows where an earlier run left off."""

    def __init__(self, app: AppContext, path: str) -> None:
        from smscli.recording import Recording

        self._recording = Recording.open(path)
        app.at_close(self._recording.close)
        self.cursors: dict[str, Cursor] = {}
        for message in self._recording.messages():
            self.cursors.setdefault(message.session_id, Cursor()).recall(message)

    def take(self, event: Event) -> None:
        if isinstance(event, Read):
            self._recording.append(event.messages)
        elif isinstance(event, Idle):
            self._recording.sync()
