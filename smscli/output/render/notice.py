"""Notices of followed runs on a terminal."""

from datetime import datetime, tzinfo

from smscli.output.render.layout import paint

_LOST = "bold red"


def notice_line(kind: str, message: str, at: datetime, zone: tzinfo | None, *, color: bool) -> str:
    """A cleaned message behind its local time (`zone` None is the machine's own); a loss is red."""
    line = f"{at.astimezone(zone):%H:%M:%S}  {message}"
    return paint(_LOST if kind == "lost" else "", color)(line)
