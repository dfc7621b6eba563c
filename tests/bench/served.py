"""The demo server in a process of its own, with a log of what it was asked and when: a program.

It takes the demo server's options and first prints a line of JSON, {"url", "sessions": [id]}. To each line
on its standard input it answers with another: `requests` with [[seconds, method, path with query, user]]
since the last `forget` (seconds of the clock that does not run backwards); `say ID` lets the customer say
something. It ends with its standard input.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterable

from tests.server.command_line import parse
from tests.server.options import Options
from tests.server.server import FakeServer

Asked = tuple[float, str, str, str | None]


class Log(deque[Asked]):
    """The server's log of requests, each with its time."""

    def append(self, request: tuple[str, str, str | None]) -> None:
        super().append((time.monotonic(), *request))


class Watched(FakeServer):
    """A demo server that knows when it was asked."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.api.requests = Log()

    def obey(self, command: str) -> object:
        """The answer to one line of standard input."""
        match command.split():
            case ["requests"]:
                return list(self.requests)
            case ["forget"]:
                self.requests.clear()
            case ["say", session_id]:
                self.store.say(session_id, "is anybody there?")
            case _:
                raise ValueError(command)
        return None


def main(commands: Iterable[str]) -> None:
    with Watched(parse()) as server:
        sessions = [session.id for session in server.store.visible_to(server.user)]
        print(json.dumps({"url": server.url, "sessions": sessions}), flush=True)
        for command in commands:
            print(json.dumps(server.obey(command)), flush=True)


if __name__ == "__main__":
    main(sys.stdin)
