"""The demo's store: its sessions and their message logs, moved on by a clock and by whoever holds it."""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any, Literal, NamedTuple, Protocol

Json = dict[str, Any]
CueKind = Literal["open", "message", "update", "gone"]
CHATTING_CAPABILITIES = [
    "AttachUserData",
    "UpdateUserData",
    "DeleteUserData",
    "Leave",
    "LeaveAndComplete",
    "Transfer",
    "Invite",
    "Consult",
    "SetDisposition",
    "SendMessage",
    "SendStartTypingNotification",
    "SendStopTypingNotification",
]
CAPABILITIES = {
    "Invited": ["Accept", "Reject"],
    "Chatting": CHATTING_CAPABILITIES,
    "LeftChat": ["Complete", "SetDisposition", "AttachUserData", "UpdateUserData"],
}


class Cue(NamedTuple):
    """One thing that a script lets happen: `at` in epoch seconds, `serial` to order equal times."""

    at: float
    serial: int
    kind: CueKind
    session_id: str
    body: Json


class Change(NamedTuple):
    """What subscribers are told: `message` only where the kind is `message`."""

    kind: Literal["message", "state", "participants", "properties", "removed"]
    session_id: str
    message: Json | None = None


class Head(Protocol):
    """The part of a log that is made by formula rather than kept."""

    def __len__(self) -> int: ...
    def __getitem__(self, position: int) -> Json: ...
    def encoded(self, begin: int, end: int) -> Iterator[bytes]: ...
    def position(self, index: int) -> int: ...
    def last_index(self) -> int: ...


def iso_time(ms: int) -> str:
    """Epoch milliseconds as SMSResources prints its timestamps, in UTC."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}+0000"


@dataclass(slots=True)
class Session:
    """A session as the server keeps it; `resource` holds its JSON fields but `uri` and `receivedDate`.

    `owner` is the one user who sees it; None is every user but `sample`. `received` is in epoch milliseconds.
    """

    id: str
    resource: Json
    owner: str | None = None
    received: int | None = None

    def participant(self, by: str) -> Json:
        """The `from` of a message by this nickname, participant id or type, the first such; else KeyError."""
        for key in ("nickname", "participantId", "type"):
            for participant in self.resource["participants"]:
                if participant[key] == by:
                    return dict(participant)
        raise KeyError(by)


@dataclass(slots=True)
class Log:
    """The messages of one session in order: an optional formula-made head, then those kept one by one.

    Each is the server's JSON with `timestampSeconds` (epoch milliseconds) beside `timestamp`.
    """

    first_index: int = 1
    gaps: int = 0
    head: Head | None = None
    messages: list[Json] = field(default_factory=list)
    # The highest index so far at each place, so that a message numbered -1 keeps its place among the others.
    order: list[int] = field(default_factory=list)
    withheld: dict[int, float] = field(default_factory=dict)
    # Those of them that were passed over in an answer.
    passed: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return self._head_length() + len(self.messages)

    def __iter__(self) -> Iterator[Json]:
        return self.between(0, len(self))

    def last_index(self) -> int:
        """The highest index, or one below the first while the log is empty."""
        if self.order:
            return self.order[-1]
        return self.head.last_index() if self.head else self.first_index - 1

    def add(self, message: Json) -> Json:
        """Put a message at its index, without one at the next; returned as it is kept."""
        kept = {"index": self._next_index(), **message}
        index = self.last_index() if kept["index"] == -1 else kept["index"]
        place = bisect_right(self.order, index)
        self.order.insert(place, index)
        self.messages.insert(place, kept)
        return kept

    def position(self, index: int) -> int:
        """The place of the first message numbered `index` or above."""
        if self.head and index <= self.head.last_index():
            return self.head.position(index)
        return self._head_length() + bisect_left(self.order, index)

    def between(self, begin: int, end: int) -> Iterator[Json]:
        """The messages at these places, end excluded."""
        made = self._head_length()
        if self.head:
            yield from map(self.head.__getitem__, range(begin, min(end, made)))
        yield from islice(self.messages, max(begin - made, 0), max(end - made, 0))

    def hidden(self, message: Json, now: float) -> bool:
        """Whether this message is still withheld from readers."""
        return self.withheld.get(message["index"], now) > now

    def leave_out(self, begin: int, end: int, now: float) -> int:
        """How many withheld messages an answer with these places is the first to pass over."""
        waiting = {index for index, until in self.withheld.items() if until > now} - self.passed
        if not waiting:
            return 0
        shown = [one["index"] for one in self.between(begin, end)]
        last = max((index for index in shown if self.withheld.get(index, now) <= now), default=-1)
        passed = {index for index in waiting.intersection(shown) if index < last}
        self.passed |= passed
        return len(passed)

    def _head_length(self) -> int:
        return len(self.head) if self.head else 0

    def _next_index(self) -> int:
        index = self.last_index() + 1
        return index + 1 if self.gaps and index and index % self.gaps == 0 else index


class SessionStore:
    """All sessions and logs. Every method may be called from any thread; each first lets due cues happen.

    `logs` holds each session's whole log, the truth to compare a reader with; it outlives `remove`.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        first_index: int = 1,
        gaps: int = 0,
        cues: Iterable[Cue] = (),
    ) -> None:
        self.sessions: dict[str, Session] = {}
        self.removed: dict[str, Session] = {}
        self.logs: dict[str, Log] = {}
        self.aliases: dict[str, str] = {}
        self.lock = threading.RLock()
        self._clock = clock
        self._first_index = first_index
        self._gaps = gaps
        self._cues = iter(cues)
        self._next_cue = next(self._cues, None)
        self._numbers = count()
        self._listeners: list[Callable[[Change], None]] = []

    def advance(self) -> float | None:
        """Let happen what is due by the clock; the epoch second of what comes next, if anything does."""
        with self.lock:
            now = self._clock()
            while self._next_cue and self._next_cue.at <= now:
                cue, self._next_cue = self._next_cue, next(self._cues, None)
                self._perform(cue)
            return self._next_cue.at if self._next_cue else None

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` with each change, in order and under the store's lock; returns what ends it."""
        with self.lock:
            self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

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
        **fields: object,
    ) -> str:
        """Open a session and return its id; `fields` are set in its resource as they are."""
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
            self._open(session_id, resource, owner, int(self._clock() * 1000), head)
        return session_id

    def say(self, session_id: str, text: str, by: str = "Customer", **fields: object) -> Json:
        """Append a Text by a participant (nickname, participant id or type)."""
        with self.lock:
            sender = self.sessions[session_id].participant(by)
            return self.append(session_id, {"type": "Text", "from": sender, "text": text, **fields})

    def append(self, session_id: str, message: Mapping[str, Any], late: float = 0.0) -> Json:
        """Append a message as given, with index, visibility and time filled in where it lacks them.

        One with an `index` of its own takes that place. With `late` it stands in the log at once, but
        readers see it only so many seconds later and subscribers are not told.
        """
        self.advance()
        with self.lock:
            return self._append(session_id, message, late)

    def update(self, session_id: str, **fields: object) -> None:
        """Set fields of a session's resource; a new state brings its capabilities unless they are given."""
        self.advance()
        with self.lock:
            self._update(session_id, fields)

    def set_state(self, session_id: str, state: str) -> None:
        """Give a session a new state."""
        self.update(session_id, state=state)

    def end(self, session_id: str) -> None:
        """Complete a session; it stays in the list until it is removed."""
        self.set_state(session_id, "Completed")

    def remove(self, session_id: str) -> None:
        """Take a session off the list; its log is kept."""
        self.advance()
        with self.lock:
            self.removed[session_id] = self.sessions.pop(session_id)
            self._tell(Change("removed", session_id))

    def restart(self) -> dict[str, Log]:
        """Lose every log, as a restarted server does: new messages are numbered from the first index again.

        Returns the old logs.
        """
        self.advance()
        with self.lock:
            old, self.logs = self.logs, {}
            for session_id in old:
                self.logs[session_id] = Log(self._first_index, self._gaps)
            return old

    def visible_to(self, user: str) -> list[Session]:
        """The sessions in this user's list."""
        with self.lock:
            return [session for session in self.sessions.values() if _sees(user, session)]

    def find(self, user: str, session_id: str, *, also_removed: bool = False) -> Session | None:
        """The session of this id or alias, where the user sees it."""
        with self.lock:
            session_id = self.aliases.get(session_id, session_id)
            session = self.sessions.get(session_id)
            if session is None and also_removed:
                session = self.removed.get(session_id)
            return session if session and _sees(user, session) else None

    def _perform(self, cue: Cue) -> None:
        if cue.kind == "open":
            resource = dict(cue.body)
            self._open(cue.session_id, resource, None, resource.pop("received"), None)
        elif cue.session_id not in self.sessions:
            # Whoever holds the store has removed it; the script goes on without it.
            return
        elif cue.kind == "message":
            self._append(cue.session_id, cue.body, 0.0)
        elif cue.kind == "update":
            self._update(cue.session_id, cue.body)
        else:
            # Scripts go on for days: what they leave behind is not kept.
            del self.sessions[cue.session_id], self.logs[cue.session_id]
            self._tell(Change("removed", cue.session_id))

    def _open(
        self, session_id: str, resource: Json, owner: str | None, received: int | None, head: Head | None
    ) -> None:
        resource.setdefault("capabilities", CAPABILITIES.get(resource["state"], []))
        self.sessions[session_id] = Session(session_id, resource, owner, received)
        self.logs[session_id] = Log(self._first_index, self._gaps, head)
        self._tell(Change("state", session_id))

    def _append(self, session_id: str, given: Mapping[str, Any], late: float) -> Json:
        message = dict(given)
        message.setdefault("visibility", "All")
        if "timestamp" not in given:
            ms = message.pop("timestampSeconds", int(self._clock() * 1000))
            message.update(timestamp=iso_time(ms), timestampSeconds=ms)
        log = self.logs[session_id]
        message = log.add(message)
        if late:
            log.withheld[message["index"]] = self._clock() + late
        else:
            self._tell(Change("message", session_id, message))
        return message

    def _update(self, session_id: str, fields: Mapping[str, object]) -> None:
        resource = self.sessions[session_id].resource
        resource.update(fields)
        if "state" in fields:
            resource["capabilities"] = fields.get("capabilities", CAPABILITIES.get(resource["state"], []))
            self._tell(Change("state", session_id))
        elif "participants" in fields:
            self._tell(Change("participants", session_id))
        else:
            self._tell(Change("properties", session_id))

    def _tell(self, change: Change) -> None:
        for listener in list(self._listeners):
            listener(change)


def _sees(user: str, session: Session) -> bool:
    return session.owner == user if session.owner else user != "sample"
