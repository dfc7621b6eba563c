"""Documents of a hostile server. Each field is one row: where it stands, its name, and where it is shown.

`field("comment", "card page")` puts the mark `§comment` into a document. A mark is later replaced by hostile
text between the words `qcommentQ` and `Qcommentq`, which tell that field from all others in what is written.
To add a field, put a `field(...)` into the document that has it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = dict[str, Any]
Names = frozenset[str]

_SHOWN: dict[str, Names] = {}

# Places in which a field is shown:
#   list        the default columns of `list`        sessions    the JSON of `list`
#   card        `show` for people                    show        `show` as rows or JSON
#   transcript  `messages` and `tail` for people     row, json   the same as rows and as JSON
#   page        the head of the HTML page, which has the transcript below it
#   doctor      `doctor`
# and how: `masked` fields are left out with --redact, `draft` fields with --typing hide, and a `narrow` one
# ends with dots where its column ends.
_SESSION = "sessions card show"
_MESSAGE = "transcript row json"


def field(name: str, *places: str) -> str:
    """The mark of a field; `places` are the words above, none where no output shows the field."""
    _SHOWN[name] = frozenset(" ".join(places).split())
    return f"§{name}"


def shown_in(place: str) -> Names:
    """The fields that are shown there."""
    return frozenset(name for name, places in _SHOWN.items() if place in places)


# Nicknames must be short: of a long one a narrow column shows the beginning only.
CUSTOMER: Json = {
    "type": "Customer",
    "nickname": field("cu", "list", _SESSION, _MESSAGE, "narrow"),
    "participantId": field("customerId", _SESSION, "json"),
    "visibility": field("presence", _SESSION, "json"),
    field("personKey", "sessions show json"): field("personValue", "sessions show json"),
}
AGENT: Json = {
    "type": "Agent",
    "nickname": field("ag", "list", _SESSION, _MESSAGE, "narrow"),
    "participantId": field("agentId", _SESSION, "json"),
}
STRANGER: Json = {
    "type": field("role", _SESSION, _MESSAGE),
    "nickname": field("st", _SESSION, _MESSAGE, "narrow"),
    "participantId": field("strangerId", _SESSION, "json"),
}
# In no session: known from messages alone.
NAMELESS: Json = {"participantId": field("na", "card show transcript json narrow")}
# With a name that leaves room for other things on its line.
KIM: Json = {"type": "Agent", "nickname": "Kim", "participantId": "kim"}

SESSION: Json = {
    "id": field("id", "list", _SESSION, "row json page doctor"),
    "state": field("state", "list", _SESSION, "page"),
    "uri": field("uri", _SESSION),
    "comment": field("comment", _SESSION, "page"),
    "receivedDate": field("receivedDate", _SESSION),
    "capabilities": [field("capability", _SESSION), "Leave"],
    "participants": [CUSTOMER, AGENT, STRANGER],
    "userData": {
        field("dataKey", _SESSION, "page"): field("dataValue", _SESSION, "page masked"),
        "plain": field("plainValue", _SESSION, "page masked"),
        "tree": {
            field("treeKey", _SESSION, "page masked"): field("treeValue", _SESSION, "page masked"),
        },
        "row": [field("rowValue", _SESSION, "page masked"), 7],
    },
    field("sessionKey", _SESSION): field("sessionValue", _SESSION),
    "parent": {field("parentKey", _SESSION): [field("parentValue", _SESSION)]},
}
# A `tail` of this one ends by itself.
ENDED: Json = {
    **SESSION,
    "id": field("endedId", "list sessions"),
    "uri": f"/api/v2/{field('collection', 'sessions doctor')}/ended",
    "state": "Completed",
}
# The only one whose id may be offered to a shell.
OFFERED: Json = {
    "id": "0000Na9B26EF0001",
    "state": field("offeredState", "list sessions"),
    "participants": [{"type": "Customer", "nickname": field("offeredName", "list sessions")}],
}
# Starts while another one is followed, and ends soon.
NEWCOMER: Json = {
    "id": field("newId", "live"),
    "state": "Chatting",
    "participants": [{"type": "Customer", "nickname": field("newName", "live")}],
}

_LOG: tuple[Json, ...] = (
    {"type": "Text", "from": CUSTOMER, "visibility": "All", "text": field("text", _MESSAGE)},
    {
        "type": "Text",
        "from": AGENT,
        "visibility": field("visibility", _MESSAGE),
        "text": field("whisper", _MESSAGE),
    },
    {"type": "PushUrl", "from": AGENT, "visibility": "All", "url": field("url", _MESSAGE)},
    # A row has one body: a link's text, or a caption, comes before the link or the file.
    {
        "type": "PushUrl",
        "from": AGENT,
        "visibility": "All",
        "url": field("link", "transcript json"),
        "text": field("linkText", _MESSAGE),
    },
    {"type": "Notice", "noticeText": field("notice", _MESSAGE)},
    {"type": field("type", _MESSAGE), "from": STRANGER, "text": field("strange", _MESSAGE)},
    {"type": "ParticipantJoined", "from": STRANGER},
    {"type": "Text", "from": NAMELESS, "text": field("nameless", _MESSAGE)},
    {
        "type": "Text",
        "from": AGENT,
        "attachment": {
            "name": field("file", _MESSAGE),
            field("fileKey", "json"): field("fileValue", "json"),
        },
    },
    {
        "type": "Text",
        "from": AGENT,
        "text": field("captioned", _MESSAGE),
        "attachment": {"name": field("picture", "transcript json")},
    },
    {
        "type": "Text",
        "from": CUSTOMER,
        "text": field("unplaced", _MESSAGE),
        "index": field("index", "json"),
        "timestamp": field("timestamp", "json"),
    },
    {
        "type": "Text",
        "from": CUSTOMER,
        "text": field("extra", _MESSAGE),
        field("messageKey", "json"): field("messageValue", "json"),
    },
    {
        "type": "Text",
        "from": CUSTOMER,
        "text": field("deep", "show", _MESSAGE),
        "origin": {field("originKey", "json"): [{field("hopKey", "json"): field("hop", "json")}]},
    },
    {"type": "TypingStarted", "from": CUSTOMER, "text": field("givenUp", _MESSAGE, "draft")},
    {"type": "ParticipantLeft", "from": CUSTOMER},
    {"type": "TypingStarted", "from": AGENT, "text": field("preview", _MESSAGE, "draft")},
)
MESSAGES: tuple[Json, ...] = tuple(
    {"index": number, "timestamp": f"2026-03-02T10:00:{number:02}.000+0000", **message}
    for number, message in enumerate(_LOG, 1)
)

USER: Json = {
    "id": field("userId"),
    "userName": field("userName", "doctor"),
    "roles": [field("userRole")],
    "features": ["api-multimedia-chat", field("feature")],
    field("userKey"): field("userValue"),
}
SERVICE: Json = {
    "id": field("serviceId"),
    "name": field("serviceName"),
    "type": "Media",
    "status": field("serviceStatus", "doctor"),
}
OTHER_SERVICE: Json = {
    "id": field("otherServiceId"),
    "type": field("serviceType"),
    "status": field("otherStatus"),
}
ENVELOPE: Json = {"statusCode": 0, field("envelopeKey"): field("envelopeValue")}
REFUSAL: Json = {
    "statusCode": 7,
    "statusMessage": field("refusal", "error"),
    field("refusalKey"): field("refusalValue"),
}
NO_LIST: Json = {field("answerKey", "error"): field("answerValue")}
NO_JSON = field("garbage")
HANDSHAKE: list[Json] = [
    {
        "channel": field("channel"),
        "data": {"messageType": field("messageType"), "smssessionUri": field("wakeUri")},
    },
    {
        "channel": "/meta/handshake",
        "successful": False,
        "error": field("handshakeError", "doctor"),
        "advice": {
            "reconnect": "none",
            "interval": field("interval"),
            field("adviceKey"): field("adviceValue"),
        },
    },
]
# In a header, in the config file, and on the command line.
ORIGIN = field("origin")
PROFILE, USER_NAME, OTHER_USER = field("profile", "auth"), field("user", "auth"), field("keptUser", "auth")
WORD = field("word")

NAMES: Names = frozenset(_SHOWN)
"""Every field that holds hostile text."""

NEVER_SHOWN: Names = frozenset(name for name, places in _SHOWN.items() if not places)
"""What the tool only uses to decide, and what it shows in part only, if at all."""

SINGLE_LINE: Names = frozenset({"collection", "handshakeError", "refusal", "answerKey"})
"""Fields of which the tool makes one line: the ends of their lines become blanks."""


# What is said in the session that is followed, by the second in which it is said.
_TALK: Mapping[int, Json] = {
    1: {"type": "Text", "from": CUSTOMER, "visibility": "All", "text": "hello"},
    11: {"type": "Text", "from": KIM, "text": "§text"},
    13: {"type": "PushUrl", "from": KIM, "url": "§url"},
    15: {"type": "Text", "from": KIM, "visibility": "§visibility", "text": "look"},
    17: {"type": "Notice", "noticeText": "§notice"},
    19: {"type": "TypingStarted", "from": STRANGER},
    49: {"type": "TypingStarted", "from": KIM, "text": "§preview"},
}


class Scene(NamedTuple):
    """A moment while sessions are followed: the server's second, and its list."""

    second: int
    sessions: tuple[Json, ...]

    @property
    def date(self) -> str:
        return f"Mon, 02 Mar 2026 10:00:{self.second:02} GMT"

    def messages(self, path: str) -> list[Json]:
        """The log at that path, as far as it has come; only the first session has one."""
        if before("id") not in path:
            return []
        said = [(second, message) for second, message in _TALK.items() if second < self.second]
        return [
            {"index": number, "timestamp": f"2026-03-02T10:00:{second:02}.000+0000", **message}
            for number, (second, message) in enumerate(said, 1)
        ]


SCENES: Mapping[str, Scene] = {
    "no session": Scene(0, ()),
    "a customer waits": Scene(10, (SESSION,)),
    "an agent answers": Scene(12, (SESSION,)),
    "a link is sent": Scene(14, (SESSION,)),
    "a restricted message": Scene(16, (SESSION,)),
    "a notice": Scene(18, (SESSION,)),
    "a stranger types": Scene(20, (SESSION,)),
    "a preview of a draft": Scene(50, (SESSION,)),
    "a second session": Scene(51, (SESSION, NEWCOMER)),
    "the second session has ended": Scene(52, (SESSION, {**NEWCOMER, "state": "Completed"})),
}
"""What happens while sessions are followed; each scene brings something new to see."""


_FIELD = re.compile(r"§(\w+)")
_SURROGATES = re.compile("[\ud800-\udfff]")
# Characters that can't stand in a field: the tool takes a part of an address only, neither a file name nor
# TOML can hold a lone surrogate, a column name has no comma, and a command line has neither these nor a NUL.
_IMPOSSIBLE = {
    "collection": re.compile(r"[/?#\\[\]@\x00-\x20]"),
    "origin": re.compile(r"[/?#\\[\]@:\x00-\x20]"),
    "dataKey": re.compile("[,\0\ud800-\udfff]"),
    **dict.fromkeys(("word", "profile"), re.compile("[\0\ud800-\udfff]")),
    **dict.fromkeys(("user", "keptUser"), _SURROGATES),
}


class HostileText:
    """Replaces the marks by hostile text of one kind, in all fields or only in those named by `only`."""

    def __init__(self, payload: str, only: Names = NAMES) -> None:
        self.payload = payload
        self._only = only

    def text(self, name: str) -> str:
        """A field's hostile text."""
        payload = self.payload if name in self._only else ""
        payload = _IMPOSSIBLE[name].sub("", payload) if name in _IMPOSSIBLE else payload
        return f"{before(name)}{payload}{after(name)}"

    def fill(self, template: str) -> str:
        return _FIELD.sub(lambda mark: self.text(mark[1]), template)

    def document(self, template: Any) -> Any:
        """A document with all marks replaced, those in keys too."""
        if isinstance(template, str):
            return self.fill(template)
        if isinstance(template, dict):
            return {self.fill(key): self.document(value) for key, value in template.items()}
        if isinstance(template, list | tuple):
            return [self.document(item) for item in template]
        return template


def before(name: str) -> str:
    """The word with which a field's hostile text begins."""
    return f"q{name}Q"


def after(name: str) -> str:
    """The word with which it ends."""
    return f"Q{name}q"


def beginnings(template: str) -> str:
    """A template with the first word of each field in place of its mark."""
    return _FIELD.sub(lambda mark: before(mark[1]), template)


def names_in(template: object) -> Iterator[str]:
    """The fields of a document."""
    if isinstance(template, str):
        yield from _FIELD.findall(template)
    elif isinstance(template, dict):
        for key, value in template.items():
            yield from names_in(key)
            yield from names_in(value)
    elif isinstance(template, list | tuple):
        for item in template:
            yield from names_in(item)
