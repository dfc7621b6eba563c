"""The test server with commands: a log of requests with times, random messages, faults, changed switches."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from random import Random

from smscli.demo.store import Json, StoredSession
from tests.server.command_line import switches
from tests.server.options import Options
from tests.server.schedule import KINDS, READS, FaultSchedule
from tests.server.server import FakeServer
from tests.server.store import FakeLog

_READ = "/me/smsessions"
# While messages arrive, a connect is held only briefly.
_CONNECT_TIMEOUT = 2.0
# One message in 40 is larger than a disk block.
_LONG_EACH = 40
_LONG = " and so on" * 4_000
ENDED = "Completed"
CHANGE = "change"


class TimedLog(deque[tuple[float, str, str, str | None]]):
    """The requests, each with its monotonic time, and a count of all reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def append(self, request: tuple[str, str, str | None]) -> None:
        self.reads += _READ in request[1]
        super().append((time.monotonic(), *request))


class ControlledServer(FakeServer):
    """A test server that obeys commands, and keeps the logs that it has lost in restarts."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.api.requests = self._log = TimedLog()
        self._lost: list[dict[str, FakeLog]] = []
        self._schedule = FaultSchedule(options.fault_seed)
        self._messages = RandomMessages(self)
        self._changes = count(1)

    @property
    def listed(self) -> list[StoredSession]:
        """The sessions in the lists of their owners, or without owners in that of `demo`."""
        users = self.options.owners or (self.user,)
        found = {session.id: session for user in users for session in self.store.visible_to(user)}
        return [*found.values()]

    @property
    def live(self) -> list[StoredSession]:
        """Those of them that have not ended."""
        return [session for session in self.listed if session.resource["state"] != ENDED]

    def obey(self, command: str) -> object:
        """The answer to a command, which can be written as JSON; ValueError if there is no such command.

        - `requests`: [[monotonic seconds, method, path with query, user]] since the last `forget`;
        - `say ID TEXT`: a message of the customer, with a unique text by default;
        - `publish RATE`: so many random messages per second in live sessions from now on, 0 stops them;
        - `change ID`: another number under `change` in the session's user data, each higher than the last;
        - `end ID`: the session is completed, and stays in the list;
        - `states`: {id: [state, `change` of the user data]};
        - `inject KIND`: a fault, now or in the next read to which it applies;
        - `outage SECONDS KIND`: every read fails for so long, by default with a 500;
        - `set SWITCHES`: switches as on the command line, from now on;
        - `cancel`: no fault that has not occurred yet, no outage any more;
        - `state`: {"faults": {kind: times}, "good": successful reads, "messages": how many in all logs};
        - `logs`: [{id: [message]}], the logs as the API's JSON, those lost in restarts first.
        """
        match command.split():
            case ["requests"]:
                return list(self._log)
            case ["state"]:
                return self._state()
            case ["states"]:
                return {one.id: _state_of(one) for one in self.listed}
            case ["logs"]:
                return list(self._logs())
            case words:
                self._change(words)
        return None

    def _change(self, words: list[str]) -> None:
        match words:
            case ["forget"]:
                self._log.clear()
            case ["say", session_id]:
                self.store.append(session_id, self._messages.next(session_id))
            case ["say", session_id, *text]:
                self.store.say(session_id, " ".join(text))
            case ["publish", rate]:
                self._messages.publish(float(rate))
            case ["change", session_id]:
                self.store.update(session_id, userData={CHANGE: next(self._changes)})
            case ["end", session_id]:
                self.store.end(session_id)
            case ["inject", kind]:
                self._inject(kind)
            case ["outage", seconds, *kind]:
                self.start_outage(float(seconds), *kind)
            case ["set", *given]:
                self.options = replace(self.options, **switches(given))
            case ["cancel"]:
                self.cancel_faults()
            case _:
                raise ValueError(f"no such command: {' '.join(words)}")

    def _inject(self, kind: str) -> None:
        if kind == "push-cut":
            self.await_listeners(timeout=_CONNECT_TIMEOUT)
        if lost := self._schedule.apply(self, kind):
            self._lost.append(lost)

    def _state(self) -> Json:
        faults = {kind: self.fault_counts[kind] for kind in KINDS}
        bad = sum(faults[kind] for kind in READS if kind not in ("repeat", "reorder"))
        messages = sum(len(log) for logs in self._lives() for log in logs.values())
        return {"faults": faults, "good": self._log.reads - bad, "messages": messages}

    def _logs(self) -> Iterator[dict[str, list[Json]]]:
        with self.store.lock:
            for logs in self._lives():
                yield {one: [self.api.resources.message(sent) for sent in log] for one, log in logs.items()}

    def _lives(self) -> Iterator[dict[str, FakeLog]]:
        """The logs of the listed sessions, one set for each time between two restarts."""
        listed = [session.id for session in self.listed]
        for logs in [*self._lost, self.store.logs]:
            yield {one: logs[one] for one in listed}


def _state_of(session: StoredSession) -> tuple[str, int | None]:
    return session.resource["state"], session.resource["userData"].get(CHANGE)


class RandomMessages:
    """Publishes messages of several types in random sessions, each with a unique text."""

    def __init__(self, server: ControlledServer) -> None:
        self._rate = 0.0
        self._changed = threading.Condition()
        self._server = server
        self._random = Random(server.options.fault_seed)
        self._numbers = count(1)
        threading.Thread(target=self._run, name="random-messages", daemon=True).start()

    def publish(self, rate: float) -> None:
        """Set the messages per second; with 0 the last one is published on return."""
        with self._changed:
            self._rate = rate
            self._changed.notify_all()

    def next(self, session_id: str) -> Json:
        """The next message of a session."""
        number = next(self._numbers)
        kind = ("Text", "Text", "TypingStarted", "Text", "PushUrl")[number % 5]
        text = f"message {number}" + (_LONG if number % _LONG_EACH == 0 else "")
        sender = self._server.store.participant(session_id, self._random.choice(("Agent", "Customer")))
        return {"type": kind, "from": sender, "url" if kind == "PushUrl" else "text": text}

    def _run(self) -> None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._rate > 0)
                # Waits without the lock; a new rate makes the next pause anew.
                if not self._changed.wait(self._random.expovariate(self._rate)) and self._rate:
                    with self._server.store.lock:  # It must not end meanwhile.
                        session_id = self._random.choice(self._server.live).id
                        self._server.store.append(session_id, self.next(session_id))
