"""Follows recordings that another process writes, as the events of a feed."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import BinaryIO

from smscli.errors import NotFound
from smscli.model import (
    Event,
    Idle,
    Listing,
    ListRead,
    Message,
    NewMessages,
    Notice,
    Participant,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.recordings.format import (
    ConnectionRecord,
    EndedRecord,
    Record,
    SessionRecord,
    file_error,
    parse_line,
)
from smscli.recordings.reads import RecordedReads
from smscli.recordings.writing import is_unchanged

_POLL_SECONDS = 0.25


class GrowingFile:
    """What is appended to a file, from a place on.

    A file that was moved, removed or cut is read to its end, then the one of its name from the start.
    """

    def __init__(self, path: str, place: int) -> None:
        self.path = path
        self._place = place
        self._number = 0
        self._known: dict[str, Participant] = {}
        # Opened at once: another file may have the name when the first records are read.
        self._file = self._opened()

    def records(self) -> Iterator[Record]:
        """The records of whole lines that have come. LocalError names one that is no record."""
        self._file = self._file or self._opened()
        if self._file is None:
            return
        # Judged before reading: what the moved file still gets is read first.
        is_replaced = not is_unchanged(self._file, self.path, self._place)
        self._file.seek(self._place)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            self._number += 1
            self._place += len(line)
            yield parse_line(line, self._number, self.path, self._known).record
        if is_replaced:
            self.close()

    def _opened(self) -> BinaryIO | None:
        if not os.path.exists(self.path):
            self._place = 0
            return None
        return open(self.path, "rb")

    def close(self) -> None:
        if self._file:
            self._file.close()
        self._file, self._place = None, 0


class RecordedFeed:
    """The events of recordings: what they hold, then what is appended.

    `wait(seconds)` waits, and may raise to end it. LocalError for a file that can't be read.
    """

    def __init__(self, reads: RecordedReads, wait: Callable[[float], None]) -> None:
        self._reads = reads
        self._wait = wait
        self._files: dict[str, GrowingFile] = {}
        self._live: set[str] = set()
        # Sessions that had ended at the start, or have since: what an older file tells of them is not new.
        self._over: set[str] = set()
        # The identities of messages: a file may hold what another one does.
        self._seen: set[int] = set()
        self._ids: set[str] | None = None

    def events(self, ids: Sequence[str] | None) -> Iterator[Event]:
        """Follow these sessions until all have ended; with None all that are live, and those to come, without
        end. NotFound."""
        listing = self._reads.sessions()
        self._ids = set(ids) if ids is not None else None
        if missing := [one for one in ids or () if listing.find(one) is None]:
            raise NotFound(f"no session {missing[0]} in {self._reads.name}")
        followed = [one for one in listing.sessions if self._follows(one.id) and (ids or not one.ended)]
        self._over = {one.id for one in listing.sessions if one.ended} - {one.id for one in followed}
        yield ListRead(listing)
        try:
            self._open_files()
            for session in followed:
                yield from self._begin(session, listing)
            while self._ids is None or self._live:
                yield Idle(_POLL_SECONDS)
                self._wait(_POLL_SECONDS)
                yield from self._appended()
        finally:
            for file in self._files.values():
                file.close()

    def _follows(self, session_id: str) -> bool:
        return self._ids is None or session_id in self._ids

    def _begin(self, session: Session, listing: Listing) -> Iterator[Event]:
        self._live.add(session.id)
        yield SessionStarted(session, announce=False)
        for page in self._reads.messages(session.id):
            self._seen.update(one.identity for one in page.messages)
            yield NewMessages(session.id, page.messages, listing.at, first=True, done=False)
        yield NewMessages(session.id, (), listing.at, first=True)
        if session.ended:
            yield from self._end(session.id, session.state)

    def _open_files(self) -> None:
        """Open the files that there are, and those that a pattern fits by now."""
        for path, place in self._reads.ends().items():
            if path not in self._files:
                self._files[path] = GrowingFile(path, place)

    def _appended(self) -> Iterator[Event]:
        """What came since, of each file in its order."""
        self._open_files()
        for path, file in self._files.items():
            try:
                records = list(file.records())
            except OSError as error:
                raise file_error(path, "read", error) from error
            for session_id, group in groupby(
                records, lambda one: one.session_id if isinstance(one, Message) else None
            ):
                if session_id is None:
                    yield from self._others(group)
                elif new := tuple(one for one in group if isinstance(one, Message) and self._is_new(one)):
                    yield NewMessages(session_id, new, new[-1].at)

    def _is_new(self, message: Message) -> bool:
        if not self._follows(message.session_id) or message.session_id in self._over:
            return False
        is_new = message.identity not in self._seen
        self._seen.add(message.identity)
        return is_new

    def _others(self, records: Iterable[Record]) -> Iterator[Event]:
        for record in records:
            match record:
                case SessionRecord(at, session) if self._follows(session.id):
                    yield ListRead(Listing((session,), at))
                    if session.id not in self._live | self._over and not session.ended:
                        self._live.add(session.id)
                        yield SessionStarted(session)
                case EndedRecord(_, session_id, state) if self._follows(session_id):
                    yield from self._end(session_id, state)
                case ConnectionRecord(_, kind, message):
                    yield Notice(kind, message)

    def _end(self, session_id: str, state: str | None) -> Iterator[Event]:
        if session_id in self._live:
            self._live.discard(session_id)
            self._over.add(session_id)
            yield SessionEnded(session_id, state)
