"""Every command and output that a hostile text can reach, and which fields each must show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Form = Literal["people", "pipe", "json", "html"]
Names = frozenset[str]


@dataclass(frozen=True)
class View:
    """How an output is looked at."""

    name: str
    tty: bool = True
    width: int = 80
    color: str = "auto"
    encoding: str = "utf-8"

    @property
    def paint(self) -> bool:
        return self.color == "always" or (self.color == "auto" and self.tty)


PIPE = View("a pipe", tty=False)
VIEWS: Mapping[Form, Sequence[View]] = {
    "people": (
        View("80 columns in colour"),
        View("80 columns", color="never"),
        View("20 columns in colour", width=20),
        View("20 columns in ASCII", width=20, color="never", encoding="ascii"),
        View("a pipe in colour", tty=False, color="always"),
    ),
    "pipe": (PIPE,),
    "json": (View("a terminal"), PIPE),
    "html": (PIPE,),
}


@dataclass(frozen=True)
class Output:
    """One command line and one form of what it writes.

    `shows` are the fields that it must show, `cuts` those of them that end where there is no more room, and
    `quotes` those of which it repeats what it can use, or says no more than what is wrong with them. `mode`
    is what the server does. `holds` is what its JSON must hold exactly, but for the keys `ours`; `signs` are
    put by the tool around what it marks.
    """

    words: tuple[str, ...]
    form: Form
    shows: Names = frozenset()
    cuts: Names = frozenset()
    quotes: Names = frozenset()
    mode: str = "good"
    holds: str = ""
    ours: Names = frozenset()
    signs: str = ""

    @property
    def name(self) -> str:
        mode = "" if self.mode == "good" else f" ({self.mode})"
        return f"{' '.join(self.words)}{mode}: {self.form}"


@dataclass(frozen=True)
class Followed(Output):
    """An output on a terminal that changes while it is looked at.

    `redraws` is what changes it, module and method of the terminal, and `sees` are the words, without blanks,
    by which it is known that a scene has come to be seen.
    """

    redraws: str = ""
    sees: Mapping[str, str] = field(default_factory=dict)


def named(words: str) -> Names:
    """Fields by their names."""
    return frozenset(words.split())


_LISTED = named("id endedId cu ag offeredName state offeredState")
_FACTS = named("id state uri comment capability receivedDate dataKey")
_PEOPLE = named("cu customerId presence ag agentId st strangerId role")
_EXTRA = named("sessionKey sessionValue parentKey parentValue personKey personValue")
_MASKED = named("dataValue plainValue treeKey treeValue rowValue")
_OTHERS = named("endedId collection offeredName offeredState")
_SESSION = _FACTS | _PEOPLE | _EXTRA | _MASKED
# Who is known from messages alone; unknown fields of a participant stand in JSON and rows only.
_CARD = (_SESSION | {"na"}) - named("personKey personValue")

_NAMES_SAID = named("cu ag st na")
_WORDS = named(
    "text visibility whisper url link linkText notice type strange role nameless file captioned picture"
    " unplaced extra deep"
)
_DRAFTS = named("givenUp preview")
_SAID = _NAMES_SAID | _WORDS | _DRAFTS
# A row has one body, in which a link's words and a caption come first; its nickname is one or none.
_ROWS = (_SAID | {"id"}) - named("link picture na")
_MESSAGE = (
    _SAID
    | named("customerId presence agentId strangerId personKey personValue fileKey fileValue index timestamp")
    | named("messageKey messageValue originKey hopKey hop id")
)
_FOLDING = named("composingSeconds draft")


def _in_forms(
    words: str,
    people: Names,
    rows: Names,
    objects: Names,
    *,
    flag: str = "--json",
    cuts: Names = frozenset(),
    quotes: Names = frozenset(),
    mode: str = "good",
    holds: str = "",
    ours: Names = frozenset(),
) -> Iterator[Output]:
    """A command for people, in a pipe and as JSON."""
    line = tuple(words.split())
    yield Output(line, "people", people, cuts, quotes, mode)
    yield Output(line, "pipe", rows, cuts, quotes, mode)
    yield Output((*line, flag), "json", objects, cuts, quotes, mode, holds, ours)


def _lists() -> Iterator[Output]:
    objects = _SESSION | _OTHERS
    yield from _in_forms("list", _LISTED, _LISTED, objects, holds="sessions")
    yield from _in_forms("sessions list", _LISTED, _LISTED, objects, flag="--jsonl", holds="sessions")
    columns = "id,state,customer,agents,receivedDate,uri,comment,capabilities,userData.plain,userData.tree"
    words = ("list", "--columns", f"{columns},userData.§dataKey", "--sort", "userData.§dataKey")
    chosen = _LISTED | named("uri collection comment capability plainValue treeKey treeValue dataValue")
    yield Output(words, "people", chosen | {"dataKey"})
    yield Output(words, "pipe", chosen)
    # Without ids, which are never folded, there is room for a table.
    grid = named("state offeredState cu offeredName dataKey dataValue")
    yield Output(("list", "--columns", "state,customer,userData.§dataKey"), "people", grid)
    found = _LISTED - {"offeredName", "offeredState"}
    yield from _in_forms("list --customer §cu --utc", found, found, _SESSION | named("endedId collection"))
    yield from _in_forms("list --redact", _LISTED, _LISTED, objects - _MASKED)
    yield from _in_forms("list --profile §profile", _LISTED | {"user"}, _LISTED, objects)
    yield from _in_forms("list", _LISTED, _LISTED, objects, mode="odd headers")


def _cards() -> Iterator[Output]:
    all_ = _CARD | _EXTRA
    yield from _in_forms("show §id", _CARD, all_, all_, holds="session", ours=named("activity"))
    masked = all_ - _MASKED
    yield from _in_forms("sessions show §id --redact --tz Asia/Tokyo", _CARD - _MASKED, masked, masked)


def _transcripts() -> Iterator[Output]:
    cuts, ours = _NAMES_SAID, _FOLDING
    read = "sessions messages §id --typing show"
    yield from _in_forms("messages §id", _SAID, _ROWS, _MESSAGE, cuts=cuts, holds="messages", ours=ours)
    yield from _in_forms(read, _SAID, _ROWS, _MESSAGE, flag="--jsonl", cuts=cuts, holds="messages", ours=ours)
    said, rows, objects = (names - _DRAFTS for names in (_SAID, _ROWS, _MESSAGE))
    yield from _in_forms("messages §id --typing hide", said, rows, objects, cuts=cuts)
    yield Output(("messages", "§id", "--highlight", "[^ -~]+"), "people", _SAID, cuts, signs="⟦⟧[]")
    yield Output(("messages", "§id", "--highlight", "Q"), "people", _SAID, cuts, signs="⟦⟧[]")
    yield Output(("messages", "§id", "--grep", "(?s)."), "people", _SAID - {"role"}, cuts, signs="⟦⟧[]")
    told = named("id")
    words = "messages §id --redact --debug"
    yield from _in_forms(words, _SAID, _ROWS, _MESSAGE, cuts=cuts, quotes=told)
    said = named("st role type strange")
    yield from _in_forms(
        "messages §id --from §st", said, said | {"id"}, said | {"id", "strangerId"}, cuts=cuts
    )
    said = named("ag linkText notice st type strange")
    rows, objects = said | {"role", "id"}, said | named("role id link agentId strangerId")
    window = "messages §id --start-index 4 --count 3"
    yield from _in_forms(window, said | {"link"}, rows, objects, cuts=cuts)


def _recordings() -> Iterator[Output]:
    cuts, ours = _NAMES_SAID, _FOLDING
    said = _SAID | {"id"}
    for words in ("messages @RECORDING", "messages -"):
        yield from _in_forms(words, said, _ROWS, _MESSAGE, cuts=cuts, holds="messages", ours=ours)
    words = "messages --from-file RECORDING §id --redact --last 99"
    yield from _in_forms(words, _SAID, _ROWS, _MESSAGE, cuts=cuts)
    yield from _in_forms("messages @RECORDING nobody", told := named("id"), told, told, cuts=told)


def _pages() -> Iterator[Output]:
    known = named("id state comment cu ag dataKey") | _MASKED
    yield Output(("messages", "§id", "--html", "-"), "html", _SAID | known)
    yield Output(
        ("messages", "§id", "--html", "-", "--redact", "--grep", "Q"),
        "html",
        (_SAID | known) - _MASKED - {"role"},
    )
    yield Output(("messages", "@RECORDING", "--html", "-"), "html", _SAID | {"id"})


def _follows() -> Iterator[Output]:
    cuts = _NAMES_SAID
    said, rows, objects = (names - {"id"} | {"endedId"} for names in (_SAID, _ROWS, _MESSAGE))
    words = "tail §endedId --last all --push off --interval 0.1"
    yield from _in_forms(words, said, rows, objects, cuts=cuts, holds="ended")
    words = "sessions tail §endedId --last all --push off --interval 0.1 --redact --bell --typing show"
    yield from _in_forms(words, said, rows, objects, cuts=cuts)


def _sign_ins() -> Iterator[Output]:
    found = named("collection handshakeError id serviceStatus userName")
    # Only what could be a collection's name is taken from a uri.
    cuts, quotes = named("handshakeError collection"), named("uri")
    yield from _in_forms("doctor", found, found, found, cuts=cuts, quotes=quotes)
    found |= named("profile user")
    yield from _in_forms("doctor --profile §profile", found, found, found, cuts=cuts, quotes=quotes)
    own = named("profile user")
    yield from _in_forms("auth status --profile §profile", own, own, own)
    kept = own | {"keptUser"}
    yield from _in_forms("auth list", kept, kept, kept)
    yield Output(("auth", "use", "§profile"), "people", named("profile"))
    yield Output(("auth", "logout", "--profile", "§profile"), "people", named("profile"))
    yield Output(("auth", "logout", "--all"), "people", named("profile"))
    yield Output(
        ("auth", "login", "--token-stdin", "--profile", "§profile"), "people", named("profile userName")
    )


def _failures() -> Iterator[Output]:
    said = named("refusal")
    for words in ("list", "show §id", "messages §id", "tail §id --push off", "auth status"):
        yield from _in_forms(words, said, said, said, mode="refused", cuts=said, quotes=named("id"))
    yield from _in_forms("doctor", said, said, said, mode="bad request", cuts=said)
    for words in ("show §id", "messages §id", "tail §id --push off"):
        yield from _in_forms(words, told := named("id"), told, told, mode="nothing")
    yield from _in_forms("list", keys := named("answerKey"), keys, keys, mode="no list", cuts=keys)
    for mode in ("redirected", "no JSON"):
        yield from _in_forms("doctor", none := frozenset(), none, none, quotes=named("origin"), mode=mode)
    # What is no header of HTTP is not sent back: push may fail for that.
    found, quotes = named("collection id serviceStatus userName"), named("handshakeError uri")
    cuts = named("collection")
    yield from _in_forms("doctor", found, found, found, cuts=cuts, quotes=quotes, mode="odd headers")


def _slips() -> Iterator[Output]:
    """What a person may paste from a stranger's text into a command."""
    none, quotes = frozenset[str](), named("word profile")
    slips = (
        "list --sort §word", "list --columns §word", "list --state §word", "list --tz §word", "list --§word",
        "§word", "list --profile §word", "list --url ftp://§word", "messages §word nobody", "messages @§word",
        "list --url https://127.0.0.1:9 --ca-bundle §word", "messages §word --since §word", "auth use §word",
        "doctor --profile §word",
        "messages §word --grep (§word", "messages §word --type §word", "messages §word --last §word",
        "messages §word --html /§word/§word", "tail §word --all", "tail --all --interval §word",
        "tail --all --record /§word/§word",
    )  # fmt: skip
    for words in slips:
        yield from _in_forms(words, none, none, none, quotes=quotes)


GROUPS: Mapping[str, tuple[Output, ...]] = {
    "lists": tuple(_lists()),
    "cards": tuple(_cards()),
    "transcripts": tuple(_transcripts()),
    "recordings": tuple(_recordings()),
    "pages": tuple(_pages()),
    "follows": tuple(_follows()),
    "sign-ins": tuple(_sign_ins()),
    "failures": tuple(_failures()),
    "slips": tuple(_slips()),
}
OUTPUTS: tuple[Output, ...] = tuple(output for group in GROUPS.values() for output in group)

# By what it is known that a scene has come to be seen; in the others nothing new is.
_WATCHED: Mapping[str, str] = {
    "nobody is there": "for§user",
    "a customer waits": "§cu",
    "an agent answers": "Kim:§text",
    "a link is sent": "Kim:§url",
    "some can see it": "Kim:[visibility",
    "a stranger types": "§st",
    "another begins": "session§newId",
}
_WAITED_FOR = {"nobody is there": "nopush(", "a customer waits": "waiting!", "it is over": "Completed"}
_TOLD: Mapping[str, str] = {
    "nobody is there": "refused:§handshakeError",
    "a customer waits": "!§cu",
    "an agent answers": "§text",
    "a link is sent": "§url",
    "some can see it": "[visibility",
    "a notice comes": "§notice",
    "a stranger types": "§st",
    "words are typed": "Kimistyping:§preview",
    "another begins": "§newName",
    "it is over": "ended(Completed)",
}


def _followed() -> Iterator[tuple[str, Followed]]:
    how = ("--interval", "0.1", "--profile", "§profile")
    shown = named("user id cu st text url newId newName")
    told = shown | named("visibility notice preview handshakeError")
    words = ("tail", "--all", "--last", "all", "--waiting", "1s", "--bell", *how)
    yield "a live line", Followed(words, "people", told, told, redraws="tail_view.live", sees=_TOLD)
    fields = "id,state,customer,agents,uri,comment,capabilities,userData.tree,userData.§dataKey"
    cards = shown | named(
        "state ag uri comment capability treeKey treeValue dataKey dataValue handshakeError"
    )
    # What is watched may be cut anywhere, and in a narrow line before anybody's words.
    cuts = cards | {"visibility"}
    words = ("list", "--watch", "--waiting", "1s", "--columns", fields, *how)
    seen = {**_WATCHED, **_WAITED_FOR}
    yield "a list of cards", Followed(words, "people", cards, cuts, redraws="watch.show", sees=seen)
    words = ("sessions", "list", "-w", "--push", "off", "--columns", "customer,userData.§dataKey", *how)
    yield "a list in rows", Followed(words, "people", shown, cuts, redraws="watch.show", sees=_WATCHED)


FOLLOWED: Mapping[str, Followed] = dict(_followed())
