"""The fault schedule of a long run: which fault comes when, the same for the same seed."""

from random import Random
from typing import NamedTuple

from tests.server.server import FakeServer
from tests.server.store import FakeLog

# Faults of one read; the push channel has its own.
READS = (
    "reset",
    "cut",
    "500",
    "502html",
    "503",
    "429",
    "hang",
    "truncated-json",
    "wrong-json",
    "empty",
    "repeat",
    "reorder",
)
CHANNEL = ("notification-lost", "push-cut", "push-dropped")
KINDS = (*READS, "late", *CHANNEL, "restart")
# How late a message is at most, in seconds.
_LATEST = 7.5


class ScheduledFault(NamedTuple):
    """A fault and the pause between the one before and it."""

    after: float
    kind: str


class FaultSchedule:
    """The faults of one seed; the unit of their pauses is the caller's."""

    def __init__(self, seed: int | str) -> None:
        self._random = Random(seed)

    def schedule(self, each: int, pause: float) -> list[ScheduledFault]:
        """Every kind `each` times in random order, the pauses `pause` on average."""
        kinds = list(KINDS) * each
        self._random.shuffle(kinds)
        return [ScheduledFault(self._random.uniform(0, 2 * pause), kind) for kind in kinds]

    def apply(self, server: FakeServer, kind: str) -> dict[str, FakeLog]:
        """Make one fault happen now, or to the next read; returns the logs that it loses.

        `server.fault_counts` tells whether it has taken effect. ValueError if there is no such kind.
        """
        match kind:
            case "late":
                self._send_late(server)
            case "notification-lost":
                server.lose_notifications()
            case "push-cut":
                server.cut_push()
            case "push-dropped":
                server.drop_push()
            case "restart":
                return server.restart()
            case _:
                server.fail_next(kind, "sessions")
        return {}

    def _send_late(self, server: FakeServer) -> None:
        """Add two messages to a session; readers get the first one seconds after the second."""
        store = server.store
        with store.lock:
            sessions = [
                one
                for one in store.visible_to(server.user)
                if one.resource["participants"] and one.resource["state"] != "Completed"
            ]
            if not sessions:
                return
            session = self._random.choice(sessions)
            sender = dict(session.resource["participants"][-1])
            late = {"type": "Text", "from": sender, "text": "this one is late"}
            store.append(session.id, late, late=self._random.uniform(0.5, _LATEST))
            store.append(session.id, late | {"text": "this one is on time"})
