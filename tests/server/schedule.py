"""Troubles for a long run: what goes wrong at the server and when, the same for the same seed."""

from random import Random
from typing import NamedTuple

from smscli.demo.store import Log
from tests.server.server import FakeServer

# Faults of one read: a connect has its own kinds.
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
# A message that comes late has come by then, in seconds.
_LATEST = 7.5


class Trouble(NamedTuple):
    """One trouble: its kind, and what passes between the one before and it."""

    after: float
    kind: str


class Troubles:
    """The troubles of one seed, in whatever unit the pauses between them are."""

    def __init__(self, seed: int | str) -> None:
        self._random = Random(seed)

    def schedule(self, each: int, pause: float) -> list[Trouble]:
        """Every kind `each` times, in any order, a `pause` apart on the average."""
        kinds = list(KINDS) * each
        self._random.shuffle(kinds)
        return [Trouble(self._random.uniform(0, 2 * pause), kind) for kind in kinds]

    def befall(self, server: FakeServer, kind: str) -> dict[str, Log]:
        """Let one trouble happen now, or to the next read; returns the logs that it loses.

        `server.befallen` tells whether it did. ValueError when there is no such kind.
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
        """Add two messages to a session, the lower of which readers get seconds later."""
        store = server.store
        with store.lock:
            sessions = [one for one in store.visible_to(server.user) if one.resource["participants"]]
            if not sessions:
                return
            session = self._random.choice(sessions)
            sender = session.resource["participants"][-1]
            late = {"type": "Text", "from": dict(sender), "text": "this one took its time"}
            store.append(session.id, late, late=self._random.uniform(0.5, _LATEST))
            store.append(session.id, late | {"text": "this one was quicker"})
