"""The test server's store: sessions and messages that a test adds, late messages, gaps, and a restart."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, islice
from typing import Any, Protocol

from smscli.demo.store import Change, Json, MessageLog, SessionStore, StoredSession, TimedEvent, is_visible


class Head(Protocol):
    """The part of a log that is computed rather than stored."""

    def __len__(self) -> int: ...
    def __getitem__(self, position: int) -> Json: ...
    def encoded(self, begin: int, end: int) -> Iterator[bytes]: ...
    def position(self, index: int) -> int: ...
    def last_index(self) -> int: ...


class FakeLog(MessageLog):
    """A log with an optional computed head, whose numbering may leave indices out.

    A withheld message is in the log, but no reader gets it before its time (epoch seconds).
    """

    def __init__(self, first_index: int = 1, gaps: int = 0, head: Head | None = None) -> None:
        super().__init__()
        self.head = head
        self.withheld: dict[int, float] = {}
        self._first_index = first_index
        self._gaps = gaps
        # Withheld messages that a response has left out, though later ones were in it.
        self._passed: set[int] = set()

    def __len__(self) -> int:
        return self._head_length() + len(self.messages)

    def __iter__(self) -> Iterator[Json]:
        return self.between(0, len(self))

    def first_index(self) -> int:
        return self._first_index

    def last_index(self) -> int:
        """The highest index, or one below the first if the log is empty."""
        if self.order:
            return self.order[-1]
        return self.head.last_index() if self.head else self._first_index - 1

    def add(self, message: Mapping[str, Any]) -> Json:
        """Insert a message at its index, by default the next one."""
        stored = {"index": self._next_index(), **message}
        index = self.last_index() if stored["index"] == -1 else stored["index"]
        place = bisect_right(self.order, index)
        self.order.insert(place, index)
        self.messages.insert(place, stored)
        return stored

    def position(self, index: int) -> int:
        if self.head and index <= self.head.last_index():
            return self.head.position(index)
        return self._head_length() + bisect_left(self.order, index)

    def between(self, begin: int, end: int) -> Iterator[Json]:
        """The messages at these places, end excluded."""
        computed = self._head_length()
        if self.head:
            yield from map(self.head.__getitem__, range(begin, min(end, computed)))
        yield from islice(self.messages, max(begin - computed, 0), max(end - computed, 0))

    def is_withheld(self, message: Json, now: float) -> bool:
        return self.withheld.get(message["index"], now) > now

    def leave_out(self, begin: int, end: int, now: float) -> int:
        """How many withheld messages a response with these places is the first to leave out."""
        waiting = {index for index, until in self.withheld.items() if until > now} - self._passed
        if not waiting:
            return 0
        indices = [one["index"] for one in self.between(begin, end)]
        last = max((index for index in indices if self.withheld.get(index, now) <= now), default=-1)
        passed = {index for index in waiting.intersection(indices) if index < last}
        self._passed |= passed
        return len(passed)

    def _head_length(self) -> int:
        return len(self.head) if self.head else 0

    def _next_index(self) -> int:
        index = self.last_index() + 1
        return index + 1 if self._gaps and index and index % self._gaps == 0 else index


class FakeStore(SessionStore):
    """A store that tests change; each method first applies the events that are due.

    `logs` holds every message, to compare a reader's with; that of a session in `removed`, too.
    """

    logs: dict[str, FakeLog]

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        first_index: int = 1,
        gaps: int = 0,
        events: Iterable[TimedEvent] = (),
    ) -> None:
        super().__init__(clock, events)
        self._first_index = first_index
        self._gaps = gaps
        self.removed: dict[str, StoredSession] = {}
        self._numbers = count()
        self._joined = count()

    def new_log(self, head: Head | None = None) -> FakeLog:
        return FakeLog(self._first_index, self._gaps, head)

    def apply(self, event: TimedEvent) -> None:
        # A test may have removed the session.
        if event.kind == "open" or event.session_id in self.sessions:
            super().apply(event)

    def find(self, user: str, session_id: str, *, removed: bool = False) -> StoredSession | None:
        """The session that the user sees; with `removed`, also after it was removed."""
        with self.lock:
            session = self.removed.get(session_id) if removed else None
            return session if session and is_visible(session, user) else super().find(user, session_id)

    def add_session(
        self,
        session_id: str | None = None,
        *,
        state: str = "Chatting",
        customer: str = "Mika",
        agents: Iterable[str] = ("Robin",),
        user_data: Mapping[str, object] | None = None,
        owner: str | None = None,
        head: Head | None = None,
        age: float = 0.0,
        **fields: object,
    ) -> str:
        """Open a session, received `age` seconds ago, and return its id.

        `fields` are set in its resource as they are. An invitation that no agent has accepted has the state
        `Invited` and no agents.
        """
        self.advance()
        with self.lock:
            number = next(self._numbers)
            session_id = session_id or f"0000Nt{number:010d}"
            people = [("Agent", name) for name in agents] + [("Customer", customer)]
            participants = [
                {"type": kind, "nickname": name, "participantId": f"0090{number:08X}{place:04X}"}
                for place, (kind, name) in enumerate(people)
            ]
            resource = {
                "state": state,
                "participants": participants,
                "userData": dict(user_data or {}),
                **fields,
            }
            session = StoredSession(session_id, resource, owner, int((self._clock() - age) * 1000))
            self.open_session(session, self.new_log(head))
        return session_id

    def participant(self, session_id: str, by: str) -> Json:
        """The first participant with this nickname, participant id or type; KeyError if there is none."""
        participants = self.sessions[session_id].resource["participants"]
        for key in ("nickname", "participantId", "type"):
            for participant in participants:
                if participant[key] == by:
                    return dict(participant)
        raise KeyError(by)

    def say(self, session_id: str, text: str, by: str = "Customer", **fields: object) -> Json:
        """Append a Text by a participant (nickname, participant id or type)."""
        with self.lock:
            sender = self.participant(session_id, by)
            return self.append(session_id, {"type": "Text", "from": sender, "text": text, **fields})

    def append(self, session_id: str, message: Mapping[str, Any], late: float = 0.0) -> Json:
        """Add a message with the index, visibility and time that it lacks.

        With `late`, it is in the log at once, but readers get it so many seconds later and subscribers
        get no notification.
        """
        self.advance()
        with self.lock:
            if not late:
                return self.add_message(session_id, message)
            log = self.logs[session_id]
            stored = log.add(self.completed(message))
            log.withheld[stored["index"]] = self._clock() + late
            return stored

    def update(self, session_id: str, **fields: object) -> None:
        """Set fields of a session's resource; a new state brings its capabilities unless they are given."""
        self.advance()
        with self.lock:
            self.set_fields(session_id, fields)

    def join(self, session_id: str, nickname: str, kind: str = "Agent") -> Json:
        """Let another participant join: `participants`, then the message."""
        with self.lock:
            others = self.sessions[session_id].resource["participants"]
            participant = {
                "type": kind,
                "nickname": nickname,
                "participantId": f"00A0{next(self._joined):08X}0000",
            }
            self.update(session_id, participants=[participant, *others])
            return self.append(session_id, {"type": "ParticipantJoined", "from": participant})

    def leave(self, session_id: str, by: str = "Customer", *, listed: bool = False) -> Json:
        """Let a participant leave (nickname, participant id or type); the session's state stays.

        With `listed`, `participants` still lists who has left, as a server that is late may do.
        """
        with self.lock:
            participant = self.participant(session_id, by)
            if not listed:
                others = self.sessions[session_id].resource["participants"]
                remaining = [one for one in others if one["participantId"] != participant["participantId"]]
                self.update(session_id, participants=remaining)
            return self.append(session_id, {"type": "ParticipantLeft", "from": participant})

    def rejoin(self, session_id: str, participant: Json) -> Json:
        """Let a participant (the `from` of its ParticipantLeft) come back."""
        with self.lock:
            others = self.sessions[session_id].resource["participants"]
            if participant not in others:
                self.update(session_id, participants=[*others, participant])
            return self.append(session_id, {"type": "ParticipantRejoined", "from": participant})

    def end_for_inactivity(self, session_id: str, *, listed: bool = False) -> None:
        """End the chat as Chat Server does after a silence (page ChatInactivity); the state stays.

        Its notice, then the customer's ParticipantLeft.
        """
        text = "Chat session closed due to inactivity of chat participants."
        self.append(session_id, {"type": "Notice", "text": text})
        self.leave(session_id, listed=listed)

    def set_state(self, session_id: str, state: str) -> None:
        self.update(session_id, state=state)

    def end(self, session_id: str) -> None:
        """Complete a session; it stays in the list until it is removed."""
        self.set_state(session_id, "Completed")

    def remove(self, session_id: str) -> None:
        """Take a session off the list; its log stays."""
        self.advance()
        with self.lock:
            self.removed[session_id] = self.sessions.pop(session_id)
            self.notify(Change("removed", session_id))

    def restart(self) -> dict[str, FakeLog]:
        """Lose every log, as a restarted server does; returns the old ones.

        New messages are numbered from the first index again.
        """
        self.advance()
        with self.lock:
            old, self.logs = self.logs, {}
            self.logs.update({session_id: self.new_log() for session_id in old})
            return old
