"""The demo server's switches: what it serves, how it spells its answers, and what goes wrong."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Options:
    """Every switch of the demo server; the defaults follow the documentation where it speaks.

    The first group shapes the world when the server is made; the others are read at each request and
    may be changed while it runs. Times are in seconds unless the name says otherwise.
    """

    port: int = 0
    scene: Literal["live", "empty", "bulk"] = "live"
    sessions: int = 20
    """Sessions of the bulk scene."""
    messages: int = 1000
    """Messages each of them starts with."""
    rate: float = 0.0
    """Messages a second that arrive in the bulk scene, in all."""
    first_index: Literal[0, 1] = 1
    gaps: int = 0
    """Every so-many-th index (2 or more) is left out of the numbering; 0 leaves none out."""

    users: dict[str, str] = field(default_factory=dict)
    """Further users and their passwords, beside `demo` and `sample`."""
    tokens: dict[str, str] = field(default_factory=lambda: {"demo-token": "demo"})
    """Bearer tokens and the user each stands for."""
    refuse: Literal["401", "200"] = "401"
    """The HTTP status that goes with status code 20."""
    csrf: bool = False
    features: tuple[str, ...] = ("api-multimedia-chat", "api-multimedia", "api-voice")
    feature_form: Literal["objects", "names", "uris"] = "objects"
    media: Literal["up", "down", "missing"] = "up"

    spelling: Literal["single", "double", "both"] = "single"
    """Which path answers: `smsessions`, `smssessions`, or either."""
    keys: Literal["path", "single", "double"] = "path"
    """How JSON keys and uris are spelled: as the path asked for, or always one way."""
    uri_base: str = ""
    """The URL down to `/api/v2` that resources name as theirs, where it is not the server's own."""
    unknown_path: Literal["404", "404html", "200"] = "404"
    envelope: Literal["keyed", "bare-array", "bare-object", "singular", "uris"] = "keyed"
    message_envelope: Literal["keyed", "bare-array"] = "keyed"
    no_status_code: bool = False
    """Successful answers lack `statusCode`, as the printed samples do."""

    timestamps: Literal["iso", "blank", "glued", "spaced", "colon", "z", "mixed", "unreadable", "absent"] = (
        "iso"
    )
    timestamp_seconds: bool = False
    utc_offset: int = 0
    """Minutes east of UTC in which times are written."""

    count_cap: int = 0
    """The most messages in one answer; 0 is no limit."""
    count_window: bool = False
    """`count` spans that many indices, rather than that many messages."""
    ignore_start: bool = False
    ignore_count: bool = False
    start_zero_error: bool = False
    beyond_end: Literal["empty", "404", "error"] = "empty"
    """The answer to a `startIndex` above the last index."""
    invited_messages: Literal["empty", "404"] = "empty"
    gone: Literal["404", "readable"] = "404"
    """The messages of a session that has left the list."""
    index_minus_one: bool = False
    """Each page of messages ends with the service message, whatever was asked for."""

    minimal: bool = False
    """Sessions have `state`, `id` and `uri` only."""
    null_fields: bool = False
    from_extra: bool = False
    unknown: bool = False
    """Types, states and keys that no page documents."""
    printed_sample: bool = False
    """Messages come as the documentation prints them, which is not JSON."""

    delay_ms: float = 0.0
    """Added to each answer."""
    fault: tuple[str, ...] = ()
    """Kinds of fault (`smscli.demo.faults`), one of which befalls a request."""
    fault_rate: float = 1.0
    """The share of requests that a fault befalls."""
    fault_seed: int = 0
    fault_path: str = ""
    """Only requests whose path and query hold this text."""

    def __post_init__(self) -> None:
        if self.gaps == 1:
            raise ValueError("gaps: every index would be left out; 0 leaves none out")
