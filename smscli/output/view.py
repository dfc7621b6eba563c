"""How people see transcript entries."""

from typing import NamedTuple


class EntryView(NamedTuple):
    """How entries are shown on a terminal.

    `many`: each says which session it belongs to; with `once_needed` only when a second session appears.
    `wide`: with index, milliseconds and participantId. `profiles`: they come from several profiles.
    """

    many: bool = False
    once_needed: bool = False
    wide: bool = False
    profiles: bool = False


ONE_SESSION = EntryView()
