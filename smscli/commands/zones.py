"""In which zone times are shown."""

from datetime import UTC, tzinfo

from smscli.errors import UsageError


def zone_of(utc: bool, tz: str | None) -> tzinfo | None:
    """The zone that `--utc` or `--tz` names; None for the machine's own."""
    if utc and tz is not None:
        raise UsageError("--utc and --tz exclude each other")
    if tz is None:
        return UTC if utc else None
    from smscli.transcript.filters import zone

    return zone(tz)
