"""The switches of the test server: what it serves, how it writes it, and what fails."""

from dataclasses import dataclass, field
from typing import Literal

from smscli.demo.cometd import TOPICS
from smscli.demo.notifications import TOPIC


@dataclass(slots=True)
class Options:
    """All switches; the defaults follow the documentation, and the demo server where it is silent.

    The first group is used when the server is made; the others are read at each request and may be
    changed while it runs. Times are in seconds unless the name says otherwise.
    """

    port: int = 0
    certificate: str = ""
    """A PEM file with the key and the certificate for `localhost`: the program then serves https."""
    scene: Literal["live", "empty", "bulk"] = "live"
    sessions: int = 20
    """Sessions of the bulk scene."""
    messages: int = 1000
    """Messages that each of them has at the start."""
    rate: float = 0.0
    """Messages per second that arrive in the bulk scene, over all sessions."""
    owners: tuple[str, ...] = ()
    """The users who own the bulk scene's sessions, in turn; `*` or no owner: all but `sample` see them."""
    first_index: Literal[0, 1] = 1
    gaps: int = 0
    """Every index that this number divides (2 or more) is left out; 0 leaves none out."""

    users: dict[str, str] = field(default_factory=dict)
    """Passwords by user, in addition to `demo` and `sample`."""
    tokens: dict[str, str] = field(default_factory=lambda: {"demo-token": "demo"})
    """The user of each Bearer token."""
    clock_offset: float = 0.0
    """How far the server's clock is ahead: its timestamps and its Date header."""
    date: Literal["sent", "absent", "unreadable"] = "sent"
    """The Date header, which HTTP leaves to servers without a reliable clock."""

    cookies: dict[str, str] = field(default_factory=dict)
    """The user of each JSESSIONID of a session that was signed in elsewhere."""
    renews_cookies: bool = False
    """Such a cookie is replaced by another one at its first request, and then no longer accepted."""
    refuse: Literal["401", "200"] = "401"
    """The HTTP status that goes with `statusCode` 20."""
    sso_url: str = ""
    """The sign-in page of a SAML identity provider, to which requests are redirected."""
    sso_for: Literal["me", "unauthenticated", "all"] = "me"
    """Which requests: `GET me` whatever its credentials, every request without valid ones, or every one."""
    csrf: bool = False
    features: tuple[str, ...] = ("api-multimedia-chat", "api-multimedia", "api-voice")
    feature_form: Literal["objects", "names", "uris"] = "objects"
    media: Literal["up", "down", "missing"] = "up"

    spelling: Literal["single", "double", "both"] = "single"
    """Which path is served: `smsessions`, `smssessions`, or both."""
    keys: Literal["path", "single", "double"] = "path"
    """The spelling of JSON keys and uris: as in the request's path, or always the same."""
    uri_base: str = ""
    """The URL up to `/api/v2` in the uris of resources, if it is not the server's own."""
    unknown_path: Literal["404", "404html", "200"] = "404"
    envelope: Literal["keyed", "bare-array", "bare-object", "singular", "uris"] = "keyed"
    message_envelope: Literal["keyed", "bare-array"] = "keyed"
    omit_status_code: bool = False
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
    """Each page of messages ends with the service message, whatever its window."""

    encoding: Literal["identity", "gzip", "gzip-padded"] = "identity"
    """How bodies are encoded for clients that accept gzip; padded has zero bytes after the gzip member."""
    odd_entries: tuple[str, ...] = ()
    """JSON values that are no objects, as in `null` or `[]`: one follows each entry of a list, in turn."""
    odd_entries_in: tuple[str, ...] = ("messages", "sessions", "participants", "notifications")
    """The lists that have them; `notifications` stands for the messages of one."""
    attachment_uris: Literal["stable", "signed-query", "signed-path"] = "stable"
    """Whether the `uri` of an attachment is signed anew at each read, in its query or in its path."""

    minimal: bool = False
    """Sessions have `state`, `id` and `uri` only."""
    null_fields: bool = False
    from_extra: bool = False
    unknown: bool = False
    """Add types, states and keys that no page documents."""
    printed_sample: bool = False
    """Messages are written as the documentation prints them, which is not valid JSON."""

    push: Literal["on", "off"] = "on"
    """With `off`, the path of notifications is not found."""
    hold: float = 30.0
    """How long a connect is held at most; the advice's timeout."""
    push_interval: int = 0
    """Milliseconds between connects; the advice's interval."""
    push_reconnect: Literal["retry", "handshake", "none"] = "retry"
    """The advice's `reconnect` after a connect."""
    push_expiry: float = 10.0
    """After how long without a connect a client expires."""
    push_cookies: Literal["demanded", "free"] = "demanded"
    """Whether a client is recognized only with the cookies of its handshake."""
    browser_sessions: int = 1
    """How many connects are held for one browser cookie."""
    crowded_interval: int = 2000
    """The interval advised to more clients of that browser, in milliseconds; 0 refuses them."""
    csrf_connect: Literal["demanded", "none"] = "demanded"
    """With `csrf`, whether CometD requests need the token too."""
    push_refuse: Literal["nothing", "handshake", "subscribe", "topics"] = "nothing"
    """What is refused: handshakes, every subscription, or those to the topics for SMS."""
    topic: str = TOPIC
    """Where SMS notifications are published."""
    topics: tuple[str, ...] = TOPICS
    """The subscriptions that are accepted."""
    push_keys: Literal["single", "double"] = "double"
    push_address: Literal["uri", "path", "both", "none"] = "uri"
    """How a message notification names its session: by `smssessionUri`, by `smssessionPath`, both, or not."""
    push_lost: float = 0.0
    """The share of notifications that get lost; the next four are shares, too."""
    push_repeated: float = 0.0
    push_reordered: float = 0.0
    """The share that is swapped with the next one."""
    push_foreign: float = 0.0
    """The share that is preceded by one of a chat, a call, a failed operation or another user's session."""
    push_malformed: float = 0.0
    """The share that is preceded by an element that is no valid notification."""
    silence: bool = False
    """Connects are not answered at all."""
    flood: float = 0.0
    """How many copies of its latest notifications a client gets per second."""

    delay_ms: float = 0.0
    """Delay of each response."""
    slow: dict[str, float] = field(default_factory=dict)
    """Delay of each read of these sessions' messages, by session id."""
    fault: tuple[str, ...] = ()
    """Kinds of fault (`tests.server.faults`), one of which is chosen for a response."""
    fault_rate: float = 1.0
    """The share of responses that get a fault."""
    fault_seed: int = 0
    fault_path: str = ""
    """Only requests whose path and query contain this text."""

    def __post_init__(self) -> None:
        if self.gaps == 1:
            raise ValueError("gaps: every index would be left out; 0 leaves none out")
