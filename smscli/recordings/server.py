"""What is recorded of one server: the records that an event leads to, and what is known of its sessions."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from smscli.model import (
    Event,
    ListRead,
    NewMessages,
    Notice,
    ProfileFailed,
    ReaderChanged,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.recordings.format import ConnectionRecord, EndedRecord, PositionRecord, Record, SessionRecord
from smscli.recordings.state import RecordedState, session_facts

# As in the feed, a session has ended that is missing from two lists this far apart.
_GONE_SECONDS = 5.0


class FollowedServer(NamedTuple):
    """A server that is followed: its time, None while it isn't known, and the profiles that see it."""

    now: Callable[[], datetime | None]
    profiles: Collection[str] = ()


class ProfileRecord(NamedTuple):
    """A record, and the profile that it came from; None where only one profile is followed, but for the
    record of a session, which says whose list has it."""

    record: Record
    profile: str | None


class RecordedServer:
    """Turns the events of one server's feeds into records, each change of a session once.

    `now` is the time of the server, None while it isn't known; `clock` counts epoch seconds. `profiles` are
    those whose lists are read. `state` is what has been written.
    """

    def __init__(
        self,
        now: Callable[[], datetime | None],
        clock: Callable[[], float] = time.time,
        profiles: Collection[str] = (),
    ) -> None:
        self.state = RecordedState()
        self._now = now
        self._profiles = profiles
        self._clock = clock
        # When the last list was read, by the server's time.
        self._listed_at: datetime | None = None
        # What each session's last record says, written or waiting, and whether its end is recorded.
        self._told: dict[str, tuple[str | None, bool]] = {}
        # The sessions that are followed, and the profile that reads each.
        self._followed: dict[str, str | None] = {}
        # The profiles whose list was read: what is lost before that is no interruption of the recording.
        self._begun: set[str | None] = set()
        # When each session that is not followed was first missing from the list.
        self._missing_since: dict[str, float] = {}

    def records(self, event: Event, profile: str | None = None) -> Iterator[ProfileRecord]:
        """The records that an event of this profile leads to."""
        if isinstance(event, NewMessages | ReaderChanged) and event.session_id in self._followed:
            self._followed[event.session_id] = profile
        if isinstance(event, ListRead):
            self._begun.add(profile)
        for record in self._records(event, profile):
            if isinstance(record, SessionRecord):
                only = next(iter(self._profiles), None) if profile is None else None
                yield ProfileRecord(record, self._followed.get(record.session.id, profile) or only)
            else:
                yield ProfileRecord(record, profile)

    def recall(self, record: Record, profile: str | None = None) -> None:
        """Note what an earlier run has recorded."""
        self.state.add(record, profile)
        match record:
            case SessionRecord(_, session):
                self._told[session.id] = session_facts(session), False
            case EndedRecord(_, session_id):
                self._told[session_id] = self._told.get(session_id, (None, False))[0], True
            case PositionRecord(_, session_id):
                # A file begins with the live sessions: of one with a position only the end is recorded.
                self._told.setdefault(session_id, (None, True))

    def tell_again(self, session_id: str) -> None:
        """Have the state of a session recorded by the next list that has it, or its end by the next two that
        don't."""
        if session_id in self._followed:
            self._told.pop(session_id, None)
        else:
            self.recall(SessionRecord(None, Session(session_id)))

    @property
    def at(self) -> datetime:
        """The time of a record that is made now."""
        return self._now() or datetime.now(UTC)

    def _records(self, event: Event, profile: str | None) -> Iterator[Record]:
        match event:
            case NewMessages(_, messages):
                yield from messages
            case SessionStarted(session):
                self._followed[session.id] = profile
                yield from self._changes([session])
            case ListRead(listing, is_complete):
                self._listed_at = listing.at
                yield from self._changes(one for one in listing.sessions if one.id in self._followed)
                if is_complete:
                    yield from self._ends_missed({one.id for one in listing.sessions})
            case SessionEnded(session_id, state):
                yield from self._end(session_id, state)
            case Notice("lost" | "reconnected" as kind, message, None) if profile in self._begun:
                yield ConnectionRecord(self.at, kind, message)
            case ProfileFailed(message) if profile in self._begun:
                yield ConnectionRecord(self.at, "lost", message)

    def _changes(self, sessions: Iterable[Session]) -> Iterator[Record]:
        """A record of each session that is not as it was recorded last."""
        for session in sessions:
            facts = session_facts(session)
            told, has_ended = self._told.get(session.id, (None, False))
            if has_ended and session.ended and told is None:
                continue  # An older file tells of it.
            if facts != told or (has_ended and not session.ended):
                self._told[session.id] = facts, False
                yield SessionRecord(self._listed_at or self.at, session)

    def _end(self, session_id: str, state: str | None) -> Iterator[Record]:
        self._followed.pop(session_id, None)
        facts, has_ended = self._told.get(session_id, (None, False))
        if not has_ended:
            self._told[session_id] = facts, True
            yield EndedRecord(self.at, session_id, state)

    def _ends_missed(self, listed: set[str]) -> Iterator[Record]:
        """The end of sessions that ended between two runs; the feed reports the others. Those whose end is
        recorded are dropped: nothing more comes of them. Of those that another profile recorded, the lists
        that are read say nothing."""
        now = self._clock()
        known = {one for one, seen in self.state.sessions.items() if seen.profile in (None, *self._profiles)}
        missing = known - self._followed.keys() - listed
        self._missing_since = {one: self._missing_since.get(one, now) for one in sorted(missing)}
        for session_id, since in self._missing_since.items():
            is_gone = now - since >= _GONE_SECONDS
            _, has_ended = self._told.get(session_id, (None, False))
            if has_ended or (is_gone and self.state.sessions[session_id].session is None):
                self._told.pop(session_id, None)
                self.state.forget(session_id)
            elif is_gone:
                yield from self._end(session_id, None)
