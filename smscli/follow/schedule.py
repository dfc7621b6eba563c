"""Which read starts next: the order of what is due, and what is read while the connection is lost."""

from collections.abc import Iterable, Mapping
from math import inf

from smscli.follow.connection import Connection
from smscli.follow.rate import PushTrust
from smscli.follow.slots import ReadSlots
from smscli.follow.targets import Due, FollowedSession, Phase, Priority, SessionList, SignIn, Target

_BACKGROUND_EVERY = 5.0
_LIST_EVERY = 4


class Schedule:
    """Chooses the next read of the list and the sessions; none while it `is_paused`."""

    def __init__(
        self,
        session_list: SessionList,
        sessions: Mapping[str, FollowedSession],
        connection: Connection,
        trust: PushTrust,
        slots: ReadSlots,
        now: float,
    ) -> None:
        self.is_paused = False
        self.sign_in = SignIn(0.0, now)
        self._under_way: list[Target] = []
        self._slots = slots
        self._list = session_list
        self._sessions = sessions
        self._connection = connection
        self._trust = trust
        self._background_due = now + _BACKGROUND_EVERY
        self._background_reads = 0

    def next(self, now: float) -> Due | None:
        """The read to start now, or the first one to start later; None before another result has arrived."""
        if self.is_paused or self._slots.is_full:
            return None
        if self._list.last is None:
            # With many profiles before the logs of those whose lists are known.
            first = self._list.next()._replace(priority=Priority.FIRST)
            return first if self._list not in self._under_way else None
        if self._connection.is_down:
            target = self._next_try(now)
            return Due(self._connection.backoff.until, Priority.WAKE, now, target) if target else None
        dues = [one.next() for one in (self._list, *self._readable()) if self._may_start(one)]
        if self._trust.trusted:
            at = max(self._background_due, self._slots.background_at)
            dues.append(Due(at, Priority.BACKGROUND, self._background_due, self._list))
        ready = [due for due in dues if due.at <= now]
        if ready:
            return min(ready, key=lambda due: (due.priority, due.since))
        return min(dues, key=lambda due: due.at, default=None)

    def start(self, due: Due, now: float, sign_ins: int) -> Target | None:
        """Start what is to be read now that `due` is; None if nothing is left to read in the background."""
        target = self._background_target(now) if due.priority is Priority.BACKGROUND else due.target
        if target:
            target.start(now, due.priority, self._connection.is_down, sign_ins)
            self._under_way.append(target)
            self._slots.start(target)
        return target

    def start_sign_in(self) -> None:
        """Start to sign in again; nothing else is read meanwhile."""
        self.is_paused = True
        self._under_way.append(self.sign_in)
        self._slots.start(self.sign_in)

    def finish(self, target: Target) -> None:
        """The result of a read was handled."""
        self._under_way.remove(target)
        self._slots.reads.remove(target)

    def abandon(self, now: float) -> None:
        """No result of a read under way will be handled."""
        for target in [*self._under_way]:
            self.finish(target)
            self._slots.limit.finish(now)

    @property
    def is_reading(self) -> bool:
        return bool(self._under_way)

    def _background_target(self, now: float) -> Target | None:
        self._background_due = now + _BACKGROUND_EVERY
        self._slots.start_background(now)
        self._background_reads += 1
        session = self._longest_unread([one for one in self._readable() if one.backoff.until <= now], now)
        if session is None or self._background_reads % _LIST_EVERY == 0:
            return self._list if self._may_start(self._list) else None
        return session

    def _may_start(self, target: Target) -> bool:
        return target not in self._under_way and self._slots.have_room_for(target)

    def behind(self, now: float) -> set[str]:
        """The sessions that should have been read by now."""
        waiting = [one for one in self._sessions.values() if one.is_waiting]
        return {one.id for one in waiting if one in self._under_way or one.next().since <= now}

    def poll_all(self, at: float) -> None:
        """As polls, not wake-ups: a live message must not wait behind hundreds of sessions."""
        for one in (self._list, *self._sessions.values()):
            one.poll_by(at)

    def stop_polling(self, now: float) -> None:
        """Rely on push and background reads from now on; polls that are already due remain."""
        self._background_due = now + _BACKGROUND_EVERY
        for one in self._sessions.values():
            if one.due > now:
                one.due = inf

    def _readable(self) -> list[FollowedSession]:
        """Sessions that must be read, and may be."""
        return [one for one in self._sessions.values() if one.is_waiting and self._slots.have_room_for(one)]

    def _next_try(self, now: float) -> Target | None:
        """While the connection is down: the list, and every other time the session longest unread."""
        if any(one.is_try for one in self._under_way):
            return None
        session = self._longest_unread(self._sessions.values(), now)
        if self._list not in self._under_way and (self._connection.backoff.failures % 2 or session is None):
            return self._list
        return session

    def _longest_unread(self, sessions: Iterable[FollowedSession], now: float) -> FollowedSession | None:
        waiting = [
            one
            for one in sessions
            if one.is_reader and one.phase is not Phase.ENDED and one not in self._under_way
        ]
        return max(waiting, key=lambda one: one.age(now), default=None)
