"""Times of day and days, as options name them."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from smscli.transcript.times import moment

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BERLIN, KIRITIMATI = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Kiritimati")


@pytest.mark.parametrize(
    ("text", "zone", "found"),
    [
        ("09:00", UTC, "2026-03-02T09:00+00:00"),
        ("9:00", UTC, "2026-03-02T09:00+00:00"),
        ("12:00", UTC, "2026-03-02T12:00+00:00"),
        ("12:00:01", UTC, "2026-03-01T12:00:01+00:00"),
        ("23:59", UTC, "2026-03-01T23:59+00:00"),
        ("09:00", BERLIN, "2026-03-02T08:00+00:00"),
        ("12:30", BERLIN, "2026-03-02T11:30+00:00"),
        ("01:00", KIRITIMATI, "2026-03-02T11:00+00:00"),
        ("03:00", KIRITIMATI, "2026-03-01T13:00+00:00"),
        ("today", UTC, "2026-03-02T00:00+00:00"),
        ("Today", BERLIN, "2026-03-01T23:00+00:00"),
        ("yesterday", UTC, "2026-03-01T00:00+00:00"),
        ("yesterday", KIRITIMATI, "2026-03-01T10:00+00:00"),
    ],
)
def test_a_time_of_day_is_the_latest_one_and_a_day_begins_at_midnight(
    text: str, zone: tzinfo, found: str
) -> None:
    assert moment("--since", text, zone).resolve(NOON) == datetime.fromisoformat(found)


def test_a_day_of_the_change_to_summer_time_begins_at_its_own_midnight() -> None:
    # Clocks go forward at 2:00 on that day.
    now = datetime(2026, 3, 29, 12, tzinfo=UTC)
    found = [moment("--since", text, BERLIN).resolve(now) for text in ("today", "yesterday", "09:00")]
    assert found == [
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 27, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 7, tzinfo=UTC),
    ]


def test_the_first_day_of_the_calendar_is_no_trouble() -> None:
    first = datetime.min.replace(tzinfo=UTC)
    assert moment("--since", "yesterday", UTC).resolve(first) == first
