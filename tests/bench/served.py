"""A program that runs the test server with a timed log of its requests.

It takes the server's options and first prints a line of JSON, {"url", "sessions": [id]}. It answers each line
of standard input with a line of JSON: `requests` with [[monotonic seconds, method, path with query, user]]
since the last `forget`; `say ID` sends a message as the customer. It ends at the end of standard input.
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
    """The log of requests, each with its time."""

    def append(self, request: tuple[str, str, str | None]) -> None:
        super().append((time.monotonic(), *request))


class Watched(FakeServer):
    """A test server that logs the time of each request."""

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
