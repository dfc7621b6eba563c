"""The time of what `tail --to` publishes of itself."""

from datetime import UTC, datetime, timedelta

import pytest

from smscli.commands import publishing

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_time_of_a_silent_server_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [100.0], [NOON]
    monkeypatch.setattr(publishing.time, "monotonic", lambda: now[0])
    clock = publishing.RunningClock(lambda: told[0])
    read = [clock()]
    now[0] += 30
    read.append(clock())
    now[0] += 30
    told[0] += timedelta(seconds=50)
    read.append(clock())
    now[0] += 4
    read.append(clock())
    assert [one - NOON.timestamp() for one in read] == [0, 30, 50, 54]
