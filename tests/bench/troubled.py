"""The demo server in a process of its own, where people talk all the while and troubles befall: a program.

It takes the demo server's options and first prints a line of JSON, {"url", "sessions": [id]}. To each line
on its standard input it answers with another:

- `talk RATE`: from now on so many messages a second are said, in sessions at random, none with 0;
- `say ID`: the customer says something; `trouble KIND`: this is to happen; `heal`: what has not happened yet
  is not to happen any more;
- `state`: {"befallen": {kind: times}, "good": reads answered well, "said": messages in all logs ever};
- `logs`: [{id: [message]}], each server's logs as the API words them, those lost in a restart first.
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
_PATIENCE = 2.0
# So often somebody has a great deal to say: more than a disk's block.
_LONG_EACH = 40
_LONG = " and so on" * 4_000


class Reads(Requests):
    """Requests, the reads among them counted."""

    reads = 0

    def append(self, request: tuple[str, str, str | None]) -> None:
        self.reads += _READ in request[1]
        super().append(request)


class Troubled(Watched):
    """A demo server with its talk, its troubles, and the logs of all its lives."""

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
                    # While people talk a connect is held for moments only.
                    self.await_listeners(timeout=_PATIENCE)
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
        """The logs of the sessions that are followed, those of each life of the server."""
        followed = [session.id for session in self.store.visible_to(self.user)]
        for logs in [*self._lost, self.store.logs]:
            yield {one: logs[one] for one in followed}


class Talk:
    """Messages of all kinds in all sessions, each with words of its own."""

    def __init__(self, server: Troubled) -> None:
        self._rate = 0.0
        self._turn = threading.Lock()
        self._server = server
        self._random = Random(server.options.fault_seed)
        self._numbers = count(1)
        self._sessions = [session.id for session in server.store.visible_to(server.user)]
        threading.Thread(target=self._go_on, name="talk", daemon=True).start()

    def go_on_at(self, rate: float) -> None:
        """So many messages a second; with 0 the last one has been said on return."""
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
