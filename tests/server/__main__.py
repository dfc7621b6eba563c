"""Runs the test server: `python -m tests.server --scene bulk`.

Its switches are the options. It first prints a line of JSON, {"url", "sessions": [id]}, then answers each
command on standard input (see `tests.server.control`) with a line of JSON. It ends with standard input, or
when it is interrupted or terminated.
"""

import json
import signal
import sys
from collections.abc import Iterable

from tests.server.command_line import parse
from tests.server.control import ControlledServer


def main(commands: Iterable[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    with ControlledServer(parse()) as server:
        sessions = [session.id for session in server.listed]
        print(json.dumps({"url": server.url, "sessions": sessions}), flush=True)
        for command in commands:
            print(json.dumps(server.obey(command)), flush=True)


def _exit(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main(sys.stdin)
