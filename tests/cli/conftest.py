"""What the tests of several profiles share."""

from collections.abc import Iterator

import pytest

from tests.server.server import FakeServer
from tests.support.profiles import START, north_server, profiles, south_server


@pytest.fixture
def north() -> Iterator[FakeServer]:
    with north_server(lambda: START) as server:
        yield server


@pytest.fixture
def south() -> Iterator[FakeServer]:
    with south_server(lambda: START) as server:
        yield server


@pytest.fixture
def three(profile_home: dict[str, str], north: FakeServer, south: FakeServer) -> dict[str, str]:
    """Two agents of one server, and one of another; the environment that has their profiles."""
    profiles(profile_home, north=(north.url, "ann"), west=(north.url, "bob"), south=(south.url, "ann"))
    return profile_home
