"""In-memory store of sessions and message logs; scripted events change it as the clock advances."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

Json = dict[str, Any]
EventKind = Literal["open", "message", "update", "remove"]
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


class TimedEvent(NamedTuple):
    """A scripted change: `at` in epoch seconds, `serial` orders events of the same time."""

    at: float
    serial: int
    kind: EventKind
    session_id: str
    body: Json


class Change(NamedTuple):
    """What subscribers get; `message` is set only if the kind is `message`."""

    kind: Literal["message", "state", "participants", "properties", "removed"]
    session_id: str
    message: Json | None = None


def iso_time(ms: int) -> str:
    """Epoch milliseconds in UTC, in the layout of the page SMSResources."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}+0000"


@dataclass(slots=True)
class StoredSession:
    """A session; `resource` holds its JSON fields without `id`, `uri` and `receivedDate`.

    `owner` is the only user who sees it; None stands for every user but `sample`. `received` is in epoch
    milliseconds.
    """

    id: str
    resource: Json
    owner: str | None = None
    received: int | None = None


class MessageLog:
    """The messages of one session, oldest first: JSON with `timestampSeconds` beside `timestamp`.

    `timestampSeconds` holds epoch milliseconds, as on the page SMSSendMessage.
    """

    def __init__(self) -> None:
        self.messages: list[Json] = []
        # The highest index so far at each place: a message with index -1 keeps its place among the others.
        self.order: list[int] = []

    def __len__(self) -> int:
        return len(self.messages)

    def last_index(self) -> int:
        """The highest index, 0 if the log is empty."""
        return self.order[-1] if self.order else 0

    def add(self, message: Json) -> Json:
        """Append a message, with the next index unless it has one; returns the stored message."""
        stored = {"index": self.last_index() + 1, **message}
        self.order.append(max(self.last_index(), stored["index"]))
        self.messages.append(stored)
        return stored

    def position(self, index: int) -> int:
        """The place of the first message with this index or a higher one."""
        return bisect_left(self.order, index)


class SessionStore:
    """All sessions and logs, for any thread; `lock` protects several reads in a row."""

    def __init__(self, clock: Callable[[], float], events: Iterable[TimedEvent] = ()) -> None:
        self.sessions: dict[str, StoredSession] = {}
        self.logs: dict[str, MessageLog] = {}
        self.aliases: dict[str, str] = {}
        self.lock = threading.RLock()
        self._clock = clock
        self._events = iter(events)
        self._next_event = next(self._events, None)
        self._subscribers: list[Callable[[Change], None]] = []

    def advance(self) -> float | None:
        """Apply every event that is due; returns the epoch second of the next one, None after the last."""
        with self.lock:
            now = self._clock()
            while self._next_event and self._next_event.at <= now:
                event, self._next_event = self._next_event, next(self._events, None)
                self.apply(event)
            return self._next_event.at if self._next_event else None

    def subscribe(self, subscriber: Callable[[Change], None]) -> Callable[[], None]:
        """Call `subscriber` with each change, in order, under the lock; returns a function that stops it."""
        with self.lock:
            self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def visible_to(self, user: str) -> list[StoredSession]:
        """The sessions in this user's list."""
        with self.lock:
            return [session for session in self.sessions.values() if is_visible(session, user)]

    def find(self, user: str, session_id: str) -> StoredSession | None:
        """The session with this id or alias, None if the user sees no such session."""
        with self.lock:
            session = self.sessions.get(self.aliases.get(session_id, session_id))
            return session if session and is_visible(session, user) else None

    def new_log(self) -> MessageLog:
        """An empty log for a session."""
        return MessageLog()

    def apply(self, event: TimedEvent) -> None:
        """Make the change of one event; called under the lock."""
        match event.kind:
            case "open":
                resource = dict(event.body)
                received = resource.pop("received")
                self.open_session(
                    StoredSession(event.session_id, resource, received=received), self.new_log()
                )
            case "message":
                self.add_message(event.session_id, event.body)
            case "update":
                self.set_fields(event.session_id, event.body)
            case "remove":
                # The scripts run for days, so nothing is kept of a session that has gone.
                del self.sessions[event.session_id], self.logs[event.session_id]
                self.notify(Change("removed", event.session_id))

    def notify(self, change: Change) -> None:
        """Notify every subscriber of a change; called under the lock."""
        for subscriber in list(self._subscribers):
            subscriber(change)

    def open_session(self, session: StoredSession, log: MessageLog) -> None:
        """Add a session, with the capabilities of its state unless it has its own; called under the lock."""
        session.resource.setdefault("capabilities", CAPABILITIES.get(session.resource["state"], []))
        self.sessions[session.id] = session
        self.logs[session.id] = log
        self.notify(Change("state", session.id))

    def add_message(self, session_id: str, message: Mapping[str, Any]) -> Json:
        """Append a message to a log and return it as it is stored; called under the lock."""
        stored = self.logs[session_id].add(self.completed(message))
        self.notify(Change("message", session_id, stored))
        return stored

    def completed(self, message: Mapping[str, Any]) -> Json:
        """The message with the visibility and time that it lacks."""
        complete = dict(message)
        complete.setdefault("visibility", "All")
        if "timestamp" not in complete:
            ms = complete.pop("timestampSeconds", int(self._clock() * 1000))
            complete.update(timestamp=iso_time(ms), timestampSeconds=ms)
        return complete

    def set_fields(self, session_id: str, fields: Mapping[str, object]) -> None:
        """Set fields of a session's resource; a new state brings its capabilities unless they are given."""
        resource = self.sessions[session_id].resource
        resource.update(fields)
        if "state" in fields:
            resource["capabilities"] = fields.get("capabilities", CAPABILITIES.get(resource["state"], []))
            self.notify(Change("state", session_id))
        elif "participants" in fields:
            self.notify(Change("participants", session_id))
        else:
            self.notify(Change("properties", session_id))


def is_visible(session: StoredSession, user: str) -> bool:
    """Whether the session is in this user's list."""
    return session.owner == user if session.owner else user != "sample"
