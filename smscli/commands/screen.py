"""What is seen of a follow: the stream of entries, the notices, and the live line at the bottom."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from smscli.commands.logs import Log
from smscli.commands.writers import EntryWriter
from smscli.context import AppContext
from smscli.model import Ended, Event, Idle, Listed, Message, MessageType, Read, Role, Started, Turn, Wake
from smscli.selection import Chosen, Last, Wanted
from smscli.transcript import Typing

# How long a resize or the end of somebody's typing may wait to be seen in the live line.
_REPAINT_SECONDS = 0.25
_SAID = frozenset({MessageType.TEXT, MessageType.PUSH_URL})

Nap = Callable[[float], Sequence[Wake]]
"""Sleeps so many seconds, or until the server wakes us."""


@dataclass(frozen=True, slots=True)
class View:
    """How sessions are seen: how typing is shown, which entries are wanted, how many of those said before."""

    typing: str
    wanted: Wanted
    keep: int | None
    bell: bool = False


class Followed:
    """One session on the screen: its log, and the end of its history until that has been read."""

    def __init__(self, view: View, keep: int | None) -> None:
        self._log = Log(view.typing, view.wanted)
        self._history: Last | None = Last(keep, view.wanted.context)

    @property
    def is_live(self) -> bool:
        """Whether what comes now is news."""
        return self._history is None

    def chosen(self, read: Read) -> Iterable[Chosen]:
        """What to write now: nothing of the history before it is read, and of that no more than asked for."""
        fresh = [chosen for message in read.messages for chosen in self._log.add(message)]
        if self._history is None or not read.first:
            self._history = None
            return fresh
        self._history.extend(fresh)
        if not read.done:
            return ()
        history, self._history = self._history, None
        return history.release()

    def expire(self, now: datetime | None) -> Iterable[Chosen]:
        """The drafts given up by now; none while the history is read, whose time is not now."""
        return self._log.expire(now) if self.is_live else ()

    def end(self, now: datetime | None) -> Iterable[Chosen]:
        """The drafts given up with the session."""
        return self._log.end(now)

    def typing(self, now: datetime | None) -> Iterable[Typing]:
        """Who types now."""
        return self._log.typing(now)


class Screen:
    """Takes a feed's events and shows what a person wants to know of them."""

    def __init__(self, app: AppContext, writer: EntryWriter, nap: Nap, view: View) -> None:
        self._app = app
        self._writer = writer
        self._nap = nap
        self._view = view
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
            self._app.terminal.check()
            if wakes or left <= _REPAINT_SECONDS:
                return wakes
            self._paint()

    def _read(self, read: Read) -> None:
        if read.at:
            self._server_time = (read.at, self._app.clock())
        self._status = "live"
        followed = self._followed.get(read.session_id) or self._follow(read.session_id, self._view.keep)
        is_news = followed.is_live or not read.first
        chosen = followed.chosen(read)
        self._writer.write(chosen)
        if self._view.bell and is_news and any(_calls(one.entry.message) for one in chosen):
            self._app.terminal.ring()

    def _follow(self, session_id: str, keep: int | None) -> Followed:
        self._followed[session_id] = Followed(self._view, keep)
        return self._followed[session_id]

    def _started(self, event: Started) -> None:
        session = event.session
        # All that is said in a session that begins now is news.
        self._follow(session.id, None if event.announce else self._view.keep)
        if event.announce:
            who = ", ".join(session.nicknames(Role.CUSTOMER))
            told = f"session {session.id} started" + (f": {who}" if who else "")
            self._app.notice("session-started", told, session.id)

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


def _calls(message: Message) -> bool:
    """Whether a customer says something in it."""
    return message.type in _SAID and message.sender is not None and message.sender.type == Role.CUSTOMER
