"""`tail --record`: what is written of the events of a feed, to which file, and where an earlier run stopped.

If the file was moved, removed or truncated, or the time pattern in its name gives a new name, recording goes
on in a new file. What can't be written is kept in memory: the tail on the screen goes on.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from smscli.errors import LocalError
from smscli.model import Event, Message
from smscli.recordings.format import Line, PositionRecord, Record, file_error, line_of
from smscli.recordings.names import RecordingName
from smscli.recordings.reading import Source
from smscli.recordings.server import FollowedServer, ProfileRecord, RecordedServer
from smscli.recordings.state import RecordedState
from smscli.recordings.writing import RecordingFile, is_held
from smscli.settings.files import replace_file
from smscli.signals import signals_deferred

_RETRY_SECONDS = 1.0
# About a day of a busy site. Beyond it the run ends: the server may still have the messages.
_MOST_WAITING = 100_000


class ResumedRecord(NamedTuple):
    """Something that an earlier run recorded of a server, and through which profile, where that is known."""

    server: str
    record: Message | PositionRecord
    profile: str | None


class Recorder:
    """Records the events of feeds, each message before it is shown. Every method raises LocalError.

    `servers` are the servers that are followed, by the names that they have in the records; `notice` reports
    what happens to the file; `clock` counts epoch seconds. The file is locked at once, and refused if it
    can't be recorded to; `resume` comes next.
    """

    def __init__(
        self,
        name: str,
        *,
        servers: Mapping[str, FollowedServer],
        redact: bool,
        notice: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = RecordingName(name)
        self._redact = redact
        self._notice = notice
        self._clock = clock
        # Sessions of two servers are two sessions.
        self._servers = {name: RecordedServer(one.now, clock, one.profiles) for name, one in servers.items()}
        # Those of servers that are not followed are carried on as they are.
        self._other_states: dict[str, RecordedState] = {}
        self._waiting: deque[tuple[str, ProfileRecord, bytes]] = deque()
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

    def resume(self) -> Iterator[ResumedRecord]:
        """What an earlier run recorded of the servers, in its order; exhaust it before the first event."""
        assert self._file
        for line in self._file.lines():
            yield from self._recall(line)
        path = self._name.at(self._clock())
        if path != self._path:
            self._notice(f"recording to {path}, going on from {self._path}")
        elif _is_empty(path):
            self._notice(f"recording to {path}, a new file")

    def _recall(self, line: Line) -> Iterator[ResumedRecord]:
        if line.server is not None and line.server not in self._servers:
            self._other_states.setdefault(line.server, RecordedState()).add(line.record, line.profile)
            return
        # A line that names no server may be of any.
        for name in self._servers if line.server is None else (line.server,):
            self._servers[name].recall(line.record, line.profile)
            if isinstance(line.record, Message | PositionRecord):
                known = self._servers[name].state.sessions[line.record.session_id]
                yield ResumedRecord(name, line.record, known.profile)

    def older_messages(self, server: str, session_id: str) -> Iterator[Message]:
        """What all files of the recording hold of a session, for a log that was renumbered."""
        for path in (self._path, *self._name.others(self._path)):
            with suppress(LocalError):
                for _, line in Source(path).lines():
                    record, is_ours = line.record, line.server in (None, server)
                    if is_ours and isinstance(record, Message) and record.session_id == session_id:
                        yield record

    def on_event(self, event: Event, server: str, profile: str | None = None) -> None:
        """Record an event of a server, as this profile sees it. LocalError when too much waits to be
        written."""
        for one in self._servers[server].records(event, profile):
            self._waiting.append((server, one, self._line(server, *one)))
        self._has_begun = True
        self.write()

    def sync(self) -> None:
        """Write what waits, and have it survive a power failure: to be called when nothing is read."""
        self.write()
        if self._file and not self._failure:
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
                self._file.append(b"".join(line for _, _, line in self._waiting))
                while self._waiting:
                    server, one, _ = self._waiting.popleft()
                    self._servers[server].state.add(one.record, one.profile)

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
        for name, server in self._servers.items():
            for record, profile in server.state.opening(server.at):
                yield self._line(name, record, profile)
        for name, state in self._other_states.items():
            for record, profile in state.opening():
                yield self._line(name, record, profile)

    def _line(self, server: str, record: Record, profile: str | None) -> bytes:
        return line_of(record, server, masked=self._redact, profile=profile)

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
