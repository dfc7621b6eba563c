"""Times, durations and time zones as options name them."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

from smscli.errors import UsageError, unknown_name

_DURATION = re.compile("(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_UNITS = (86400, 3600, 60, 1)
_OFFSET = re.compile("([+-])([01][0-9]|2[0-3]):?([0-5][0-9])?")
_CLOCK = re.compile("([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_DAYS = {"today": 0, "yesterday": 1}


class Moment(NamedTuple):
    """A time that an option names: `at` in UTC; so long `ago`; the latest time of day `clock` in `zone`; or
    midnight there so many `days` ago. `zone` None is the machine's own."""

    at: datetime | None = None
    ago: timedelta | None = None
    clock: time | None = None
    days: int = 0
    zone: tzinfo | None = None

    def resolve(self, now: datetime) -> datetime:
        """The time in UTC; `now` is aware."""
        if self.at is not None:
            return self.at
        try:
            if self.ago is not None:
                return now.astimezone(UTC) - self.ago
            day = now.astimezone(self.zone).date() - timedelta(days=self.days)
            found = self._in_utc(day)
            return found if found <= now else self._in_utc(day - timedelta(days=1))
        except (OverflowError, ValueError, OSError):
            return datetime.min.replace(tzinfo=UTC)

    def _in_utc(self, day: date) -> datetime:
        return datetime.combine(day, self.clock or time(), self.zone).astimezone(UTC)


def duration(option: str, text: str) -> float:
    """Seconds from `90s`, `5m`, `2h30m` or `1d`. UsageError."""
    seconds = _seconds(text)
    if seconds is None:
        raise UsageError(f"{option} takes a duration such as 90s, 5m, 2h30m or 1d, not {text!r}")
    return float(seconds)


def moment(option: str, text: str, zone: tzinfo | None = None) -> Moment:
    """A duration before now, the latest such time of day, `today`, `yesterday`, or an ISO 8601 time.

    Without an offset it is in `zone` (None: the machine's own); a date alone is its midnight. UsageError.
    """
    if text.casefold() in _DAYS:
        return Moment(days=_DAYS[text.casefold()], zone=zone)
    if clock := _CLOCK.fullmatch(text):
        hour, minute, second = (int(one or 0) for one in clock.groups())
        return Moment(clock=time(hour, minute, second), zone=zone)
    seconds = _seconds(text)
    try:
        if seconds is not None:
            return Moment(ago=timedelta(seconds=seconds))
        at = datetime.fromisoformat(text)
        return Moment((at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC))
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"{option} takes 90s, 5m, 2h30m, 09:00, today, yesterday or a time such as 2026-03-02T10:00,"
            f" not {text!r}"
        ) from error


def zone(text: str) -> tzinfo:
    """The zone of a name such as `Europe/Berlin`, of `UTC`, or of an offset such as `+02:00`. UsageError."""
    from zoneinfo import ZoneInfo, available_timezones

    if text.upper() in ("UTC", "Z"):
        return UTC
    if offset := _OFFSET.fullmatch(text):
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-ahead if offset[1] == "-" else ahead)
    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError) as error:
        known = available_timezones()
        if not known:
            raise UsageError(
                "there is no time zone database on this machine",
                hint="install it: `pip install tzdata`; or give an offset such as +02:00",
            ) from error
        # A folder of zones, such as Europe, is refused as one or the other by different versions of Python.
        examples = "zones: Europe/Berlin, America/New_York, UTC, +02:00 and the like"
        raise unknown_name("zone", text, known, examples) from error


def _seconds(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    if not found or not text:
        return None
    return sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS, strict=True))
