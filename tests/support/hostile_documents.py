"""What a hostile server sends: the kinds of hostile text, and documents in which every field holds one.

In a document `§nickname` is a field's own hostile text, which begins and ends with words that tell it from
all others, so that each can be found in what is written, and nothing of it can be missing unseen.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = dict[str, Any]

_SEQUENCES = (
    "\x1b[2J\x1b[1;31mred\x1b[?1049h\x1b[6n\x1b[8m\x1b[10;1Hup\x1bc\x1b(0",
    "\x1b]0;title\x07\x1b]8;;http://evil.example\x07link\x1b]8;;\x1b\\\x1b]52;c;T1dORUQ=\x07\x1b]1337;File=:\x07",
    "\x1bPq#0;2;0;0;0\x1b\\\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\",
    "\x9b2J\x9b31m\x9d52;c;T1dORUQ=\x9c\x90q\x9c\x9fapc\x9c\r\x1b[J\b\b\b",
)
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_HIDDEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029\u2060\u2061\u2062\u2063\u2064\u2065\u206a"
    "\u206f\u3164\ufeff\uffa0\ufff0\ufff8\ufff9\ufffa\ufffb\U0001bca0\U0001bca3\U0001d173\U0001d17a"
    "\U000e0000\U000e0001\U000e0020\U000e0041\U000e007f\U000e00ff\U000e01f0\U000e0fff"
)
# What people write: joined emoji, a flag, Persian, a variant of an ideograph, Mongolian, accents, Arabic.
_WRITTEN = "👩\u200d🚒 ❤\ufe0f 🇩🇪 می\u200cخواهم 辻\U000e0100 ᠠ\u180bᠡ e\u0301ñ مرحبا 你好 ½²"
_MARKUP = (
    "[bold red]x[/bold red][/] [link=http://evil.example]y[/link] [/nothing] :smile: \\[z] [#fff on red] "
    "<b>&amp;&#27;</b></title></style><script>alert(1)</script><img src=x onerror=alert(1)> ' \" --> ]]>"
)
OWNED = "OWNED"
"""The file that a shell would make which runs any of the next."""

_SHELL = (
    "$(touch OWNED) `touch OWNED` ${IFS} ; touch OWNED | touch OWNED & && || >OWNED <x * ? ~ ! # % {a,b} ' \""
    " \\ \\u{1B} \\t \\x1b \\033[2J %s %n {0} -rf --help"
)

PAYLOADS: Mapping[str, str] = {
    "C0": "".join(map(chr, range(0x20))) + "\x7f",
    "C1": "".join(map(chr, range(0x7F, 0xA0))),
    "sequences": "".join(_SEQUENCES),
    "bidi": "".join(f"a{mark}b" for mark in _BIDI),
    "hidden": "".join(f"a{sign}b" for sign in _HIDDEN),
    "written": _WRITTEN,
    "surrogates": "\ud800a\udbffb\udc00c\udfffd\udc00\ud800",
    "markup": _MARKUP,
    "shell": _SHELL,
    "lines": "one\ntwo\r\nthree\rfour\tfive,six\\seven\n\n\teight\x0bnine\x0cten\x85eleven\u2028twelve",
}

_MIB = 2**20
_PIECE = "żółw [b]\x1b[31m\u200b\U000e0041 " + "x" * 4000 + "e" + "\u0301" * 200
LONG: Mapping[str, str] = {
    "letters": "x" * _MIB,
    "words, signs and controls": _PIECE * (_MIB // len(_PIECE)),
}

CUSTOMER: Json = {
    "type": "Customer",
    "nickname": "§cu",
    "participantId": "§customerId",
    "visibility": "§presence",
    "§personKey": "§personValue",
}
AGENT: Json = {"type": "Agent", "nickname": "§ag", "participantId": "§agentId"}
STRANGER: Json = {"type": "§role", "nickname": "§st", "participantId": "§strangerId"}
NAMELESS: Json = {"participantId": "§na"}

SESSION: Json = {
    "id": "§id",
    "state": "§state",
    "uri": "§uri",
    "comment": "§comment",
    "receivedDate": "§receivedDate",
    "capabilities": ["§capability", "Leave"],
    "participants": [CUSTOMER, AGENT, STRANGER],
    "userData": {
        "§dataKey": "§dataValue",
        "plain": "§plainValue",
        "tree": {"§treeKey": "§treeValue"},
        "row": ["§rowValue", 7],
    },
    "§sessionKey": "§sessionValue",
    "parent": {"§parentKey": ["§parentValue"]},
}
# Ended, so that who follows it comes to an end.
ENDED: Json = {**SESSION, "id": "§endedId", "uri": "/api/v2/§collection/ended", "state": "Completed"}
# One that a shell may be offered.
OFFERED: Json = {
    "id": "0000Na9B26EF0001",
    "state": "§offeredState",
    "participants": [{"type": "Customer", "nickname": "§offeredName"}],
}
# One that begins while another is followed, and is over soon.
NEWCOMER: Json = {
    "id": "§newId",
    "state": "Chatting",
    "participants": [{"type": "Customer", "nickname": "§newName"}],
}

_SAID: tuple[Json, ...] = (
    {"type": "Text", "from": CUSTOMER, "visibility": "All", "text": "§text"},
    {"type": "Text", "from": AGENT, "visibility": "§visibility", "text": "§whisper"},
    {"type": "PushUrl", "from": AGENT, "visibility": "All", "url": "§url"},
    {"type": "PushUrl", "from": AGENT, "visibility": "All", "url": "§link", "text": "§linkText"},
    {"type": "Notice", "noticeText": "§notice"},
    {"type": "§type", "from": STRANGER, "text": "§strange"},
    {"type": "ParticipantJoined", "from": STRANGER},
    {"type": "Text", "from": NAMELESS, "text": "§nameless"},
    {"type": "Text", "from": AGENT, "attachment": {"name": "§file", "§fileKey": "§fileValue"}},
    {"type": "Text", "from": AGENT, "text": "§captioned", "attachment": {"name": "§picture"}},
    {"type": "Text", "from": CUSTOMER, "text": "§unplaced", "index": "§index", "timestamp": "§timestamp"},
    {"type": "Text", "from": CUSTOMER, "text": "§extra", "§messageKey": "§messageValue"},
    {"type": "Text", "from": CUSTOMER, "text": "§deep", "origin": {"§originKey": [{"§hopKey": "§hop"}]}},
    {"type": "TypingStarted", "from": CUSTOMER, "text": "§givenUp"},
    {"type": "ParticipantLeft", "from": CUSTOMER},
    {"type": "TypingStarted", "from": AGENT, "text": "§preview"},
)
MESSAGES: tuple[Json, ...] = tuple(
    {"index": place, "timestamp": f"2026-03-02T10:00:{place:02}.000+0000", **said}
    for place, said in enumerate(_SAID, 1)
)

# A hostile name leaves no room for what is said beside it.
KIM: Json = {"type": "Agent", "nickname": "Kim", "participantId": "kim"}
# By the second in which it is said.
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
    """A moment of what is followed: the server's clock, and its list; of the talk there is what was said."""

    second: int
    sessions: tuple[Json, ...]

    @property
    def date(self) -> str:
        return f"Mon, 02 Mar 2026 10:00:{self.second:02} GMT"

    def messages(self, path: str) -> list[Json]:
        """The log at that path; none but the first session has one."""
        if before("id") not in path:
            return []
        said = [(second, one) for second, one in _TALK.items() if second < self.second]
        return [
            {"index": place, "timestamp": f"2026-03-02T10:00:{second:02}.000+0000", **one}
            for place, (second, one) in enumerate(said, 1)
        ]


SCENES: Mapping[str, Scene] = {
    "nobody is there": Scene(0, ()),
    "a customer waits": Scene(10, (SESSION,)),
    "an agent answers": Scene(12, (SESSION,)),
    "a link is sent": Scene(14, (SESSION,)),
    "some can see it": Scene(16, (SESSION,)),
    "a notice comes": Scene(18, (SESSION,)),
    "a stranger types": Scene(20, (SESSION,)),
    "words are typed": Scene(50, (SESSION,)),
    "another begins": Scene(51, (SESSION, NEWCOMER)),
    "it is over": Scene(52, (SESSION, {**NEWCOMER, "state": "Completed"})),
}
"""What happens while sessions are followed; in each scene something else is seen."""

USER: Json = {
    "id": "§userId",
    "userName": "§userName",
    "roles": ["§userRole"],
    "features": ["api-multimedia-chat", "§feature"],
    "§userKey": "§userValue",
}
SERVICE: Json = {"id": "§serviceId", "name": "§serviceName", "type": "Media", "status": "§serviceStatus"}
OTHER_SERVICE: Json = {"id": "§otherServiceId", "type": "§serviceType", "status": "§otherStatus"}
REFUSAL: Json = {"statusCode": 7, "statusMessage": "§refusal", "§refusalKey": "§refusalValue"}
NO_LIST: Json = {"§answerKey": "§answerValue"}
HANDSHAKE: list[Json] = [
    {"channel": "§channel", "data": {"messageType": "§messageType", "smssessionUri": "§wakeUri"}},
    {
        "channel": "/meta/handshake",
        "successful": False,
        "error": "§handshakeError",
        "advice": {"reconnect": "none", "interval": "§interval", "§adviceKey": "§adviceValue"},
    },
]
DOCUMENTS = (SESSION, ENDED, OFFERED, NEWCOMER, MESSAGES, USER, SERVICE, OTHER_SERVICE)

_FIELD = re.compile(r"§(\w+)")
_SURROGATES = re.compile("[\ud800-\udfff]")
# What can't stand in a field: of an address the tool takes a part only, a file's name and TOML have no lone
# surrogates, a column's name has no comma, and no word of a command line has any of these or a NUL.
_LEFT_OUT = {
    "collection": re.compile(r"[/?#\\[\]@\x00-\x20]"),
    "origin": re.compile(r"[/?#\\[\]@:\x00-\x20]"),
    "dataKey": re.compile("[,\0\ud800-\udfff]"),
    **dict.fromkeys(("word", "profile"), re.compile("[\0\ud800-\udfff]")),
    **dict.fromkeys(("user", "keptUser"), _SURROGATES),
}


class Planted:
    """The documents with one kind of hostile text in every field, or in `only` these."""

    def __init__(self, payload: str, only: frozenset[str] | None = None) -> None:
        self.payload = payload
        self._only = only

    def text(self, name: str) -> str:
        """A field's hostile text."""
        payload = self.payload if self._only is None or name in self._only else ""
        payload = _LEFT_OUT[name].sub("", payload) if name in _LEFT_OUT else payload
        return f"{before(name)}{payload}{after(name)}"

    def fill(self, template: str) -> str:
        return _FIELD.sub(lambda match: self.text(match[1]), template)

    def document(self, template: Any) -> Any:
        """A document, its keys too."""
        if isinstance(template, str):
            return self.fill(template)
        if isinstance(template, dict):
            return {self.fill(key): self.document(value) for key, value in template.items()}
        if isinstance(template, list | tuple):
            return [self.document(one) for one in template]
        return template


def begun(template: str) -> str:
    """A template with no more of each field than its beginning."""
    return _FIELD.sub(lambda match: before(match[1]), template)


def before(name: str) -> str:
    """The word with which a field's hostile text begins."""
    return f"q{name}Q"


def after(name: str) -> str:
    """The word with which it ends."""
    return f"Q{name}q"


def names_in(template: object) -> Iterator[str]:
    """The fields of a document that hold hostile text."""
    if isinstance(template, str):
        yield from _FIELD.findall(template)
    elif isinstance(template, dict):
        for key, value in template.items():
            yield from names_in(key)
            yield from names_in(value)
    elif isinstance(template, list | tuple):
        for one in template:
            yield from names_in(one)


# Fields that are in no document: of the config, of headers, and of an answer that is none.
_ELSEWHERE = (
    "word",
    "profile",
    "user",
    "keptUser",
    "origin",
    "garbage",
    "envelopeKey",
    "envelopeValue",
)
NAMES: tuple[str, ...] = tuple(
    dict.fromkeys([*names_in([*DOCUMENTS, REFUSAL, NO_LIST, HANDSHAKE]), *_ELSEWHERE])
)

# What the tool makes one line of first: the ends of its lines become blanks.
ON_ONE_LINE = frozenset({"collection", "handshakeError", "refusal", "answerKey"})
