"""A program that runs the test server with continuous random messages and injected faults.

It takes the server's options and first prints a line of JSON, {"url", "sessions": [id]}. It answers each line
of standard input with a line of JSON:

- `talk RATE`: from now on publish so many messages a second, in random sessions; 0 stops;
- `say ID`: send a message as the customer; `trouble KIND`: inject a fault; `heal`: cancel pending faults;
- `state`: {"befallen": {kind: times}, "good": successful reads, "said": messages in all logs ever};
- `logs`: [{id: [message]}], the logs as the API's JSON, those lost in a restart first.
"""

import json
import sys
import threading
from collections.abc import Iterable, Iterator
from itertools import count
from random import Random

from smscli.demo.store import Json
from tests.bench.served import Log as Requests
from tests.bench.served import Watched
from tests.server.command_line import parse
from tests.server.options import Options
from tests.server.schedule import KINDS, READS, FaultSchedule
from tests.server.store import FakeLog

_READ = "/me/smsessions"
_TIMEOUT = 2.0
# One message in 40 is larger than a disk block.
_LONG_EACH = 40
_LONG = " and so on" * 4_000


class Reads(Requests):
    """The log of requests, with a count of reads."""

    reads = 0

    def append(self, request: tuple[str, str, str | None]) -> None:
        self.reads += _READ in request[1]
        super().append(request)


class Troubled(Watched):
    """A test server with random messages, faults, and the logs of all its lives."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._asked = self.api.requests = Reads()
        self._lost: list[dict[str, FakeLog]] = []
        self._schedule = FaultSchedule(options.fault_seed)
        self._talk = Talk(self)

    def obey(self, command: str) -> object:
        match command.split():
            case ["talk", rate]:
                self._talk.go_on_at(float(rate))
            case ["say", session_id]:
                self.store.append(session_id, self._talk.word(session_id))
            case ["trouble", kind]:
                if kind == "push-cut":
                    # While messages arrive a connect is held only briefly.
                    self.await_listeners(timeout=_TIMEOUT)
                if lost := self._schedule.apply(self, kind):
                    self._lost.append(lost)
            case ["heal"]:
                self.cancel_faults()
            case ["state"]:
                return self._state()
            case ["logs"]:
                return list(self._logs())
            case _:
                return super().obey(command)
        return None

    def _state(self) -> Json:
        befallen = {kind: self.fault_counts[kind] for kind in KINDS}
        bad = sum(befallen[kind] for kind in READS if kind not in ("repeat", "reorder"))
        said = sum(len(log) for logs in self._lives() for log in logs.values())
        return {"befallen": befallen, "good": self._asked.reads - bad, "said": said}

    def _logs(self) -> Iterator[dict[str, list[Json]]]:
        with self.store.lock:
            for logs in self._lives():
                yield {one: [self.api.resources.message(said) for said in log] for one, log in logs.items()}

    def _lives(self) -> Iterator[dict[str, FakeLog]]:
        """The logs of the followed sessions, one set per life of the server."""
        followed = [session.id for session in self.store.visible_to(self.user)]
        for logs in [*self._lost, self.store.logs]:
            yield {one: logs[one] for one in followed}


class Talk:
    """Publishes messages of all types in all sessions, each with a unique text."""

    def __init__(self, server: Troubled) -> None:
        self._rate = 0.0
        self._turn = threading.Lock()
        self._server = server
        self._random = Random(server.options.fault_seed)
        self._numbers = count(1)
        self._sessions = [session.id for session in server.store.visible_to(server.user)]
        threading.Thread(target=self._go_on, name="talk", daemon=True).start()

    def go_on_at(self, rate: float) -> None:
        """Set the messages per second; with 0 the last one is published on return."""
        with self._turn:
            self._rate = rate

    def word(self, session_id: str) -> Json:
        """The next message in a session."""
        number = next(self._numbers)
        kind = ("Text", "Text", "TypingStarted", "Text", "PushUrl")[number % 5]
        said = f"message {number}" + (_LONG if number % _LONG_EACH == 0 else "")
        speaker = self._server.store.participant(session_id, self._random.choice(("Agent", "Customer")))
        return {"type": kind, "from": speaker, "url" if kind == "PushUrl" else "text": said}

    def _go_on(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._random.expovariate(self._rate) if self._rate else 0.02)
            with self._turn:
                if self._rate:
                    session_id = self._random.choice(self._sessions)
                    self._server.store.append(session_id, self.word(session_id))


def main(commands: Iterable[str]) -> None:
    with Troubled(parse()) as server:
        sessions = [session.id for session in server.store.visible_to(server.user)]
        print(json.dumps({"url": server.url, "sessions": sessions}), flush=True)
        for command in commands:
            print(json.dumps(server.obey(command)), flush=True)


if __name__ == "__main__":
    main(sys.stdin)
