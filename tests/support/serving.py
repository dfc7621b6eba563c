"""Demo servers for a test, closed when it ends."""

from collections.abc import Callable, Iterator

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.demo_peer import Clock

Serve = Callable[..., FakeServer]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve(clock: Clock) -> Iterator[Serve]:
    """Start a server with these options, by default one without conversations, under the hand-set clock."""
    servers: list[FakeServer] = []

    def start(**options: object) -> FakeServer:
        server = FakeServer(Options(**{"scene": "empty", **options}), clock).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
