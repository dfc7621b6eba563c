"""Demo servers for a test, closed when it ends."""

from collections.abc import Callable, Iterator

import pytest

from smscli.demo.options import Options
from smscli.demo.server import DemoServer
from tests.support.demo_peer import Clock

Serve = Callable[..., DemoServer]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve(clock: Clock) -> Iterator[Serve]:
    """Start a server with these options, by default one without conversations, under the hand-set clock."""
    servers: list[DemoServer] = []

    def start(**options: object) -> DemoServer:
        server = DemoServer(Options(**{"scene": "empty", **options}), clock).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
