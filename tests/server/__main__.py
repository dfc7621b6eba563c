"""Runs the test server until it is interrupted or terminated; its switches are the options."""

import signal
import threading

from tests.server.command_line import parse
from tests.server.server import FakeServer


def main() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with FakeServer(parse()) as server:
        print(f"listening on {server.url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
