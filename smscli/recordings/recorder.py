"""`tail --record`: what is written of the events of a feed, to which file, and where an earlier run stopped.

If the file was moved, removed or truncated, or the time pattern in its name gives a new name, recording goes
on in a new file. What can't be written is kept in memory: the tail on the screen goes on.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from smscli.errors import LocalError
from smscli.model import (
    Event,
    Idle,
    ListRead,
    Message,
    NewMessages,
    Notice,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.recordings.format import (
    ConnectionRecord,
    EndedRecord,
    PositionRecord,
    Record,
    SessionRecord,
    file_error,
    line_of,
)
from smscli.recordings.names import RecordingName
from smscli.recordings.reading import Source
from smscli.recordings.state import RecordedState, session_facts
from smscli.recordings.writing import RecordingFile, is_held
from smscli.settings.files import replace_file
from smscli.signals import signals_deferred

_RETRY_SECONDS = 1.0
# As in the feed, a session has ended that is missing from two lists this far apart.
_GONE_SECONDS = 5.0
# About a day of a busy site. Beyond it the run ends: the server may still have the messages.
_MOST_WAITING = 100_000


class Recorder:
    """Records the events of a feed, each message before it is shown. Every method raises LocalError.

    `server` names the server in every record; `notice` reports what happens to the file; `now` is the time of
    the server, None while it isn't known; `clock` counts epoch seconds. The file is locked at once, and
    refused if it can't be recorded to; `resume` comes next.
    """

    def __init__(
        self,
        name: str,
        *,
        server: str,
        redact: bool,
        notice: Callable[[str], None],
        now: Callable[[], datetime | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = RecordingName(name)
        self._server = server
        self._redact = redact
        self._notice = notice
        self._now = now
        self._clock = clock
        self._state = RecordedState()
        # Sessions of two servers are two sessions; those of the other servers are carried on as they are.
        self._other_states: dict[str, RecordedState] = {}
        # What each session's last record says, written or waiting, and whether its end is recorded.
        self._told: dict[str, tuple[str | None, bool]] = {}
        self._followed: set[str] = set()
        # When each session that is not followed was first missing from the list.
        self._missing_since: dict[str, float] = {}
        self._waiting: deque[tuple[Record, bytes]] = deque()
        self._failure: LocalError | None = None
        self._retry_at = 0.0
        # Until the first list the newest file of before: what has ended meanwhile is not carried on.
        self._has_begun = False
        self._path = self._newest(self._name.at(clock()))
        self._file: RecordingFile | None = RecordingFile.open(self._path, redact=redact)

    def _newest(self, path: str) -> str:
        """The file at which an earlier run stopped; `path`, which has the present name, if there is none."""
        is_new = _is_empty(path)
        if not is_new and not self._name.changes:
            return path
        newest = next(filter(_is_recording, self._name.others(path)), path)
        # A name that comes around again may lead to an old file.
        return newest if is_new or os.path.getmtime(newest) > os.path.getmtime(path) else path

    def resume(self) -> Iterator[Message | PositionRecord]:
        """What an earlier run recorded of this server, in its order; exhaust it before the first event."""
        assert self._file
        for line in self._file.lines():
            if line.server not in (None, self._server):
                self._other_states.setdefault(line.server, RecordedState()).add(line.record)
                continue
            self._recall(line.record)
            if isinstance(line.record, Message | PositionRecord):
                yield line.record
        path = self._name.at(self._clock())
        if path != self._path:
            self._notice(f"recording to {path}, going on from {self._path}")
        elif _is_empty(path):
            self._notice(f"recording to {path}, a new file")

    def older_messages(self, session_id: str) -> Iterator[Message]:
        """What all files of the recording hold of a session, for a log that was renumbered."""
        for path in (self._path, *self._name.others(self._path)):
            with suppress(LocalError):
                for _, line in Source(path).lines():
                    record, is_ours = line.record, line.server in (None, self._server)
                    if is_ours and isinstance(record, Message) and record.session_id == session_id:
                        yield record

    def on_event(self, event: Event) -> None:
        """Record an event. LocalError when too much waits to be written."""
        for record in self._records(event):
            self._waiting.append((record, line_of(record, self._server, masked=self._redact)))
        self._has_begun = True
        self.write()
        if isinstance(event, Idle) and self._file and not self._failure:
            self._attempt(self._file.sync)

    def close(self) -> None:
        """Write what waits, sync and unlock. LocalError if something can't be written."""
        self._retry_at = 0.0
        try:
            self.write()
        finally:
            if self._file:
                self._attempt(self._file.close)
        if self._failure:
            hint = "run tail again with the same file: it reads the rest from the server"
            raise LocalError(self._failure.message, hint=hint) from self._failure

    # What is recorded

    def _records(self, event: Event) -> Iterator[Record]:
        match event:
            case NewMessages(_, messages):
                yield from messages
            case SessionStarted(session):
                self._followed.add(session.id)
                yield from self._changes([session])
            case ListRead(listing):
                yield from self._changes(one for one in listing.sessions if one.id in self._followed)
                yield from self._ends_missed({one.id for one in listing.sessions})
            case SessionEnded(session_id, state):
                yield from self._end(session_id, state)
            case Notice("lost" | "reconnected" as kind, message, None):
                yield ConnectionRecord(self._at(), kind, message)

    def _changes(self, sessions: Iterable[Session]) -> Iterator[Record]:
        """A record of each session that is not as it was recorded last."""
        for session in sessions:
            facts = session_facts(session)
            told, has_ended = self._told.get(session.id, (None, False))
            if has_ended and session.ended and told is None:
                continue  # An older file tells of it.
            if facts != told or (has_ended and not session.ended):
                self._told[session.id] = facts, False
                yield SessionRecord(self._at(), session)

    def _end(self, session_id: str, state: str | None) -> Iterator[Record]:
        self._followed.discard(session_id)
        facts, has_ended = self._told.get(session_id, (None, False))
        if not has_ended:
            self._told[session_id] = facts, True
            yield EndedRecord(self._at(), session_id, state)

    def _ends_missed(self, listed: set[str]) -> Iterator[Record]:
        """The end of sessions that ended between two runs; the feed reports the others. Those whose end is
        recorded are dropped: nothing more comes of them."""
        now = self._clock()
        missing = self._state.sessions.keys() - self._followed - listed
        self._missing_since = {one: self._missing_since.get(one, now) for one in sorted(missing)}
        for session_id, since in self._missing_since.items():
            is_gone = now - since >= _GONE_SECONDS
            _, has_ended = self._told.get(session_id, (None, False))
            if has_ended or (is_gone and self._state.sessions[session_id].session is None):
                self._told.pop(session_id, None)
                self._state.forget(session_id)
            elif is_gone:
                yield from self._end(session_id, None)

    def _recall(self, record: Record) -> None:
        """Note what an earlier run has recorded."""
        self._state.add(record)
        match record:
            case SessionRecord(_, session):
                self._told[session.id] = session_facts(session), False
            case EndedRecord(_, session_id):
                self._told[session_id] = self._told.get(session_id, (None, False))[0], True
            case PositionRecord(_, session_id):
                # A file begins with the live sessions: of one with a position only the end is recorded.
                self._told.setdefault(session_id, (None, True))

    def _at(self) -> datetime:
        return self._now() or datetime.now(UTC)

    # Where it is written

    def write(self) -> None:
        """Write what waits, to the file of this moment; where that fails it waits for the next attempt.

        To be called several times a second while no event comes, too: the file may have been moved, or a new
        name be due. LocalError when too much waits to be written.
        """
        now = self._clock()
        if not self._has_begun or (self._failure and now < self._retry_at):
            return
        self._attempt(lambda: self._write_to(self._name.at(now)))
        if self._failure:
            self._retry_at = now + _RETRY_SECONDS
            if len(self._waiting) > _MOST_WAITING:
                raise self._failure

    def _write_to(self, path: str) -> None:
        if path != self._path or self._file is None or not self._file.is_current():
            self._begin(path)
        if self._waiting and self._file:
            # A signal between the two would have them written once more.
            with signals_deferred():
                self._file.append(b"".join(line for _, line in self._waiting))
                while self._waiting:
                    self._state.add(self._waiting.popleft()[0])

    def _attempt(self, action: Callable[[], None]) -> None:
        """Report the first failure in a row, and when it is over."""
        try:
            action()
        except LocalError as error:
            if self._failure is None:
                self._notice(
                    f"{error.message}: what is not recorded is kept in memory until the file can be written"
                )
            self._failure = error
        else:
            if self._failure and not self._waiting:
                self._failure = None
                self._notice(f"{self._path} can be written again")

    def _begin(self, path: str) -> None:
        """Go on in another file, which takes its place whole: a kill leaves either all of it or nothing."""
        if self._file:
            # Not the failed one again; where it fails to be synced nothing of it can be saved any more.
            file, self._file = self._file, None
            with suppress(LocalError):
                file.close()
        try:
            replace_file(Path(path), chain(self._content(path), self._opening()))
        except OSError as error:
            raise file_error(path, "written", error) from error
        self._path = path
        self._file = RecordingFile.open(path, redact=self._redact)

    def _opening(self) -> Iterator[bytes]:
        """The lines that a new file begins with."""
        for record in self._state.opening(self._at()):
            yield line_of(record, self._server, masked=self._redact)
        for server, state in self._other_states.items():
            for record in state.opening():
                yield line_of(record, server, masked=self._redact)

    def _content(self, path: str) -> Iterator[bytes]:
        """What a file whose name comes around again holds, in whole lines."""
        if not _is_empty(path):
            with closing(RecordingFile.open(path, redact=self._redact)), open(path, "rb") as file:
                yield from file


def _is_empty(path: str) -> bool:
    try:
        return os.stat(path).st_size == 0
    except OSError:
        # What else is wrong with it is said where it is opened.
        return not os.path.exists(path)


def _is_recording(path: str) -> bool:
    """Whether the first line of a file is one of a recording, and no other process writes it."""
    try:
        next(Source(path).lines(), None)
    except LocalError:
        return False
    return not is_held(path)
