"""Fixtures: a clock set by hand, the demo server, and test servers with options."""

from collections.abc import Callable, Iterator

import pytest

from smscli.demo.server import DemoServer
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.demo_peer import Clock

Serve = Callable[..., FakeServer]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def demo(clock: Clock) -> Iterator[DemoServer]:
    """The demo server itself."""
    with DemoServer(clock=clock) as server:
        yield server


@pytest.fixture
def serve(clock: Clock) -> Iterator[Serve]:
    """Starts a test server with these options, by default one without sessions."""
    servers: list[FakeServer] = []

    def start(**options: object) -> FakeServer:
        server = FakeServer(Options(**{"scene": "empty", **options}), clock).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
