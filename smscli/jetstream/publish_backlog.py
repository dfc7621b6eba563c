"""How much waits to be published, and what isn't taken any more: its sessions are behind.

The only part of publishing that several threads use; every method may be called by any of them.
"""

import threading

from smscli.jetstream.publish_lanes import Waiting
from smscli.model import Message
from smscli.recordings.format import EndedRecord, SessionRecord
from smscli.records import SessionKey

MOST_WAITING = 10_000


class Backlog:
    """At most `most` records wait. Beyond that a session's messages are read again later, and of its states
    the newest is kept."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting = 0
        self._incoming: list[tuple[SessionKey, Waiting]] = []
        # Whether something was missed since the session's log began to be read again.
        self._behind: dict[SessionKey, bool] = {}
        # The sessions whose logs must be read again from their start, though that has begun.
        self._restarted: set[SessionKey] = set()
        self._held: dict[SessionKey, list[Waiting]] = {}

    @property
    def waiting(self) -> int:
        """How many records are taken, or held, and not published."""
        with self._lock:
            return self._waiting + sum(map(len, self._held.values()))

    @property
    def behind(self) -> list[SessionKey]:
        """The sessions whose logs must be read again, in the order in which they came to be behind."""
        with self._lock:
            return list(self._behind)

    @property
    def has_room(self) -> bool:
        with self._lock:
            return self._waiting <= self._most // 2

    def take(self, key: SessionKey, waiting: Waiting) -> bool:
        """Take a record of a session, unless too much waits; whether there is something to collect now."""
        with self._lock:
            is_full = self._waiting >= self._most
            if isinstance(waiting.record, Message):
                if is_full or key in self._behind:
                    self._behind[key] = True
                    return False
            elif is_full or key in self._held:
                self._hold(key, waiting)
                return False
            self._add(key, waiting)
            return True

    def collect(self) -> list[tuple[SessionKey, Waiting]]:
        """What was taken since, in order."""
        with self._lock:
            found, self._incoming = self._incoming, []
            return found

    def done(self, number: int) -> None:
        """So many of the taken records are published, or needn't be."""
        with self._lock:
            self._waiting -= number

    def release(self) -> bool:
        """Take the states that were held; whether there is something to collect now."""
        with self._lock:
            held, self._held = self._held, {}
            for key, records in held.items():
                for one in records:
                    self._add(key, one)
            return bool(held)

    def fall_behind(self, key: SessionKey) -> None:
        """Have the session's log read again."""
        with self._lock:
            self._behind[key] = True

    def start_over(self, key: SessionKey) -> None:
        """Have the session's log read again from its start, also where it is being read."""
        with self._lock:
            self._behind[key] = True
            self._restarted.add(key)

    def begin(self, key: SessionKey) -> None:
        """The session's log is being read again from now on."""
        with self._lock:
            self._behind[key] = False
            self._restarted.discard(key)

    def add(self, key: SessionKey, messages: list[Waiting]) -> bool:
        """Messages of a session that is behind, as they were read again; False if that must start over."""
        with self._lock:
            if key in self._restarted:
                return False
            for one in messages:
                self._add(key, one)
            return True

    def finish(self, key: SessionKey) -> bool:
        """The log is read; False if something came meanwhile, so that it must be read again."""
        with self._lock:
            if self._behind.get(key):
                return False
            self._behind.pop(key, None)
            return True

    def give_up(self, key: SessionKey) -> None:
        """The session's log can't be read any more."""
        with self._lock:
            self._behind.pop(key, None)

    def _add(self, key: SessionKey, waiting: Waiting) -> None:
        self._waiting += 1
        self._incoming.append((key, waiting))

    def _hold(self, key: SessionKey, waiting: Waiting) -> None:
        """Keep the newest state, and behind it an end."""
        held = self._held.get(key, [])
        match waiting.record:
            case SessionRecord():
                self._held[key] = [waiting]
            case EndedRecord():
                states = [one for one in held if isinstance(one.record, SessionRecord)]
                self._held[key] = [*states, waiting]
