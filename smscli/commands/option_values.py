"""What the values of options mean, checked before the first request."""

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from smscli.commands.options import DEFAULT_INTERVAL, Filters
from smscli.context import AppContext
from smscli.errors import UsageError

if TYPE_CHECKING:
    from smscli.transcript.filters import EntryQuery

# The server counts in Java integers.
_MAX_INDEX = 2**31 - 1


def last_entries(value: str | None) -> int | None:
    """The number of entries `--last` asks for; None for `all` and when not given. UsageError."""
    if value is None or value == "all":
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    raise UsageError(f"--last takes a whole number or `all`, not {value!r}")


def typing_mode(value: str | None, default: str) -> str:
    """`fold`, `show` or `hide`, as `--typing` says. UsageError."""
    if value not in (None, "fold", "show", "hide"):
        raise UsageError(f"--typing takes fold, show or hide, not {value!r}")
    return value or default


def check_window(start: int | None, count: int | None) -> None:
    """Refuse a `--start-index` or `--count` outside the server's range. UsageError."""
    if start is not None and not 0 <= start <= _MAX_INDEX:
        raise UsageError(f"--start-index takes a number from 0 to {_MAX_INDEX}, not {start}")
    if count is not None and not 1 <= count <= _MAX_INDEX:
        raise UsageError(f"--count takes a number from 1 to {_MAX_INDEX}, not {count}")


def record_file(value: str | None) -> str | None:
    """The file to record to. UsageError."""
    if value == "-":
        raise UsageError("--record takes a file", hint="`tail --json` writes to standard output")
    return value


def uses_push(value: str | None) -> bool:
    """Whether `--push` allows server push. UsageError."""
    if value not in (None, "auto", "off"):
        raise UsageError(f"--push takes auto or off, not {value!r}")
    return value != "off"


def interval_seconds(value: float | None) -> float:
    """The polling interval in seconds. UsageError."""
    if value is None:
        return DEFAULT_INTERVAL
    # A shorter one only meets the request limit; one over a day is a mistake.
    if not 0.1 <= value <= 86400:
        raise UsageError(f"--interval takes 0.1 to 86400 seconds, not {value:g}")
    return value


def waiting_seconds(value: str | None) -> float | None:
    """The seconds of `--waiting`; None when not given. UsageError."""
    if value is None:
        return None
    from smscli.transcript.times import duration

    return duration("--waiting", value)


def zone_option(utc: bool, tz: str | None) -> tzinfo | None:
    """The zone of displayed times; None for the machine's own. UsageError."""
    if utc and tz is not None:
        raise UsageError("--utc and --tz exclude each other")
    if tz is None:
        return UTC if utc else None
    from smscli.transcript.times import zone

    return zone(tz)


def parse_entry_query(
    app: AppContext,
    filters: Filters,
    zone: tzinfo | None,
    *,
    since: str | None = None,
    until: str | None = None,
) -> "EntryQuery":
    """What the filter options ask for. UsageError."""
    from smscli.transcript.filters import entry_query

    return entry_query(
        now=datetime.now(UTC),
        report=lambda message: app.notice("skipped", message),
        zone=zone,
        since=since,
        until=until,
        **filters._asdict(),
    )
