"""The demo server's switches: what it serves, how it spells its answers, and what goes wrong."""

from dataclasses import dataclass, field
from typing import Literal

SMS_TOPICS = ("/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions")
TOPICS = (
    "/**",
    "/v2/me/*",
    *SMS_TOPICS,
    "/v2/me/calls",
    "/v2/me/channels",
    "/v2/me/chats",
    "/v2/me/devices",
    "/notifications/services",
)


@dataclass(slots=True)
class Options:
    """Every switch of the demo server; the defaults follow the documentation where it speaks.

    The first group shapes the store when the server is made; the others are read at each request and
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

    push: Literal["on", "off"] = "on"
    """Off, the notifications' path is not found."""
    hold: float = 30.0
    """The longest that a connect is held, told to clients as the advice's timeout."""
    push_interval: int = 0
    """Milliseconds to wait between connects, as the advice says."""
    push_reconnect: Literal["retry", "handshake", "none"] = "retry"
    """What the advice tells a client to do after a connect."""
    push_expiry: float = 10.0
    """A client is forgotten when it sends no connect for so long."""
    push_cookies: Literal["demanded", "free"] = "demanded"
    """Whether a client is known only together with the cookies it was made under."""
    browser_sessions: int = 1
    """How many connects are held for one browser cookie."""
    crowded_interval: int = 2000
    """Milliseconds between connects advised to clients beyond that; 0 refuses them."""
    csrf_connect: Literal["demanded", "none"] = "demanded"
    """With `csrf`, whether the notifications' path needs the token too."""
    push_refuse: Literal["nothing", "handshake", "subscribe", "topics"] = "nothing"
    """What is refused: handshakes, every subscription, or those to topics made for SMS."""
    topic: str = "/v2/me/smssession"
    """Where SMS notifications are published."""
    topics: tuple[str, ...] = TOPICS
    """The subscriptions that are accepted."""
    push_keys: Literal["single", "double"] = "double"
    push_address: Literal["uri", "path", "both", "none"] = "uri"
    """Which key of a message notification names its session: `smssessionUri`, `smssessionPath`; or none."""
    push_lost: float = 0.0
    """The share of notifications that never arrive; the next four are shares too."""
    push_repeated: float = 0.0
    push_reordered: float = 0.0
    """These change places with the next one."""
    push_foreign: float = 0.0
    """These come with one about a chat, a call, a failed operation or a stranger's session."""
    push_malformed: float = 0.0
    """These come with one that is no notification."""
    silence: bool = False
    """Connects are not answered at all."""
    flood: float = 0.0
    """Further copies of its latest notifications that a client gets, a second."""

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
