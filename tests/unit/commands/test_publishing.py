"""The time of what `tail --to` publishes of itself."""

from datetime import UTC, datetime, timedelta

import pytest

from smscli.commands import publishing
from smscli.commands.publishing import StreamPublishing
from smscli.context import AppContext
from smscli.model import Listing, ListRead
from tests.support.captured_terminal import CapturedTerminal

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class NoPublisher:
    """Takes what is published."""

    def take(self, *record: object) -> None:
        pass


def test_the_time_of_a_silent_server_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(publishing.time, "monotonic", lambda: now[0])
    terminal = CapturedTerminal()
    app = AppContext({"SMSCLI_URL": "https://gws.example.com"}, json_stderr=False, terminal=terminal)
    publisher = StreamPublishing([app], redact=False, resumed=())
    monkeypatch.setattr(publisher, "_publisher", NoPublisher())
    read = []
    for seconds in (0, 30, 50):
        if seconds != 30:
            publisher.on_event(app, ListRead(Listing((), NOON + timedelta(seconds=seconds))))
        read.append(publisher._time() - NOON.timestamp())
        now[0] += 30
    assert read == [0, 30, 50]
