"""Every command and output that hostile text can reach, and which fields each must show.

To add a command or an option, put a row into `OUTPUTS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from tests.support.hostile_documents import Names, shown_in

Form = Literal["people", "pipe", "json", "html"]


@dataclass(frozen=True)
class View:
    """The terminal or pipe that an output is written to."""

    name: str
    tty: bool = True
    width: int = 80
    color: str = "auto"
    encoding: str = "utf-8"

    @property
    def has_color(self) -> bool:
        return self.color == "always" or (self.color == "auto" and self.tty)


PIPE = View("a pipe", tty=False)
VIEWS: Mapping[Form, Sequence[View]] = {
    "people": (
        View("80 columns in color"),
        View("80 columns", color="never"),
        View("20 columns in color", width=20),
        View("20 columns in ASCII", width=20, color="never", encoding="ascii"),
        View("a pipe in color", tty=False, color="always"),
    ),
    "pipe": (PIPE,),
    "json": (View("a terminal"), PIPE),
    "html": (PIPE,),
}


@dataclass(frozen=True)
class Output:
    """One command line and one form of what it writes.

    `shows`: the fields that it must show. `cuts`: those that may end with dots where their column ends.
    `quotes`: those that it may show in part, as an error message does with a wrong value.
    `mode`: what the server does. `holds`: what its JSON must equal, but for the keys `adds`.
    `marks`: the characters that it puts around what matches a pattern.
    """

    words: tuple[str, ...]
    form: Form
    shows: Names = frozenset()
    cuts: Names = frozenset()
    quotes: Names = frozenset()
    mode: str = "good"
    holds: str = ""
    adds: Names = frozenset()
    marks: str = ""

    @property
    def name(self) -> str:
        mode = "" if self.mode == "good" else f" ({self.mode})"
        return f"{' '.join(self.words)}{mode}: {self.form}"


@dataclass(frozen=True)
class LiveOutput(Output):
    """An output that changes on its terminal.

    `redraws`: the module and the method of the terminal that redraw it. `awaits`: for each scene the text,
    without blanks, that shows that it has arrived; scenes without new text are left out.
    """

    redraws: str = ""
    awaits: Mapping[str, str] = field(default_factory=dict)


def names(words: str) -> Names:
    """Fields by their names."""
    return frozenset(words.split())


NONE: Names = frozenset()
LIST, SESSIONS = shown_in("list"), shown_in("sessions")
CARD, SHOW = shown_in("card"), shown_in("show")
TRANSCRIPT, ROWS, MESSAGES = shown_in("transcript"), shown_in("row"), shown_in("json")
PAGE = TRANSCRIPT | shown_in("page")
DOCTOR, MASKED, DRAFTS, NARROW = map(shown_in, ("doctor", "masked", "draft", "narrow"))
WIDE = TRANSCRIPT | names("customerId agentId strangerId")
FIRST_FACTS = names("cu ag st na text url deep")
ID, WRONG = names("id"), names("word profile")
PROFILE = names("profile user")
REFUSED = names("refusal")
SERVER_WORDS = names("handshakeError collection")
FOLDING = names("composingSeconds draft")

QUOTED = names("ag state link url")
EVERY_CHECK = QUOTED | names("id endedId")
EVERY_CARD = EVERY_CHECK | names("cu offeredName offeredState")

COLUMNS = (
    "id,state,customer,agents,receivedDate,uri,comment,capabilities,userData.plain,userData.tree,"
    "userData.§dataKey"
)
CHOSEN = LIST | names("uri collection comment capability plainValue treeKey treeValue dataValue")
TABLE = names("state offeredState cu offeredName dataKey dataValue")
OFFERED = names("offeredName offeredState")
CANDIDATES = names("id endedId cu offeredName")
BY_STRANGER, STRANGER_JSON = names("st role type strange"), names("st role type strange id strangerId")
WINDOW = names("ag linkText notice st type strange")
SENT = names("cu text ag url linkText notice nameless file captioned")
TAIL = "tail §endedId --last all --push off --interval 0.1"
FOLLOWED = [shown - ID | names("endedId") for shown in (TRANSCRIPT, ROWS, MESSAGES)]


def one(line: str, form: Form, shows: Names, **more: Any) -> tuple[Output, ...]:
    """A command in one form."""
    return (Output(tuple(line.split()), form, shows, **more),)


def forms(
    line: str, people: Names, pipe: Names, json: Names, *, flag: str = "--json", holds: str = "", **more: Any
) -> tuple[Output, ...]:
    """A command for people, in a pipe and, with `flag`, as JSON."""
    adds = more.pop("adds", NONE)
    return (
        *one(line, "people", people, **more),
        *one(line, "pipe", pipe, **more),
        *one(f"{line} {flag}", "json", json, holds=holds, adds=adds, **more),
    )


def same(line: str, shows: Names, **more: Any) -> tuple[Output, ...]:
    """A command that shows the same fields in all three forms."""
    return forms(line, shows, shows, shows, **more)


messages = partial(forms, cuts=NARROW)
all_messages = partial(messages, people=TRANSCRIPT, pipe=ROWS, json=MESSAGES)
marked = partial(one, form="people", cuts=NARROW, marks="⟦⟧[]")

# fmt: off
OUTPUTS_BY_GROUP: Mapping[str, tuple[Output, ...]] = {
    "lists": (
        *forms("list", LIST, LIST, SESSIONS, holds="sessions"),
        *forms("sessions list", LIST, LIST, SESSIONS, flag="--jsonl", holds="sessions"),
        *one(f"list --columns {COLUMNS} --sort userData.§dataKey", "people", CHOSEN | names("dataKey")),
        *one(f"list --columns {COLUMNS} --sort userData.§dataKey", "pipe", CHOSEN),
        # Ids are never wrapped: only without them is there room for a table.
        *one(
            "list --columns state,customer,userData.§dataKey", "people", TABLE - OFFERED,
            cuts=TABLE, quotes=OFFERED,
        ),
        # The last message of a line is cut.
        *one("list --activity", "people", LIST, cuts=LIST, quotes=names("deep")),
        *one("list -a", "pipe", LIST | names("deep")),
        *one("list -a --json", "json", SESSIONS | names("deep na"), adds=names("activity")),
        *forms("list --customer §cu --utc", LIST - OFFERED, LIST - OFFERED, SESSIONS - OFFERED),
        *forms("list --redact", LIST, LIST, SESSIONS - MASKED),
        # Refused: a secret in the environment goes to one server only.
        *same("list --all-profiles", NONE),
        *same("list --source nats://127.0.0.1:1/S --nats-creds nowhere", NONE),
        *forms("list --profile §profile", LIST | names("user"), LIST, SESSIONS),
        *forms("list", LIST, LIST, SESSIONS, mode="odd headers"),
    ),
    "cards": (
        # Its first lines are cut, so that all of them are on the screen.
        # The command that it names has the id as a shell takes it.
        *one("show §id", "people", CARD, cuts=FIRST_FACTS, quotes=ID),
        *one("show §id", "pipe", SHOW),
        *one("show §id --json", "json", SHOW, holds="session", adds=names("activity")),
        *one(
            "sessions show §id --redact --tz Asia/Tokyo", "people", CARD - MASKED - names("dataKey"),
            cuts=FIRST_FACTS, quotes=ID,
        ),
        *one("sessions show §id --redact --tz Asia/Tokyo", "pipe", SHOW - MASKED),
        *one("sessions show §id --redact --tz Asia/Tokyo --json", "json", SHOW - MASKED),
    ),
    "transcripts": (
        *all_messages("messages §id", holds="messages", adds=FOLDING),
        *all_messages(
            "sessions messages §id --typing show", flag="--jsonl", holds="messages", adds=FOLDING
        ),
        *messages("messages §id --typing hide", TRANSCRIPT - DRAFTS, ROWS - DRAFTS, MESSAGES - DRAFTS),
        *marked("messages §id --highlight [^\\x20-~]+", shows=TRANSCRIPT),
        *marked("messages §id --highlight Q", shows=TRANSCRIPT),
        *marked("messages §id --grep (?s).", shows=TRANSCRIPT - names("role")),
        *all_messages("messages §id --redact --debug", quotes=ID),
        *messages("messages §id --wide", WIDE, ROWS, MESSAGES),
        *messages(
            "messages §id --customer-view",
            SENT | names("na link picture"),
            SENT | ID,
            SENT | ID | names("na link picture customerId agentId presence"),
        ),
        *messages("messages §id --from §st", BY_STRANGER, BY_STRANGER | ID, STRANGER_JSON),
        *messages(
            "messages §id --start-index 4 --count 3",
            WINDOW | names("link"),
            WINDOW | names("id role"),
            WINDOW | names("id role link agentId strangerId"),
        ),
    ),
    "recordings": (
        *messages("messages @RECORDING", TRANSCRIPT | ID, ROWS, MESSAGES, holds="messages", adds=FOLDING),
        *messages("messages -", TRANSCRIPT | ID, ROWS, MESSAGES, holds="messages", adds=FOLDING),
        *all_messages("messages --source RECORDING §id --redact --last 99"),
        *forms("list @RECORDING", LIST, LIST, SESSIONS, holds="sessions"),
        *forms("list --source RECORDING --redact", LIST, LIST, SESSIONS - MASKED),
        *one("show --source RECORDING §id", "people", CARD, cuts=FIRST_FACTS, quotes=ID),
        *one("show @RECORDING §id", "pipe", SHOW),
        *one("show @RECORDING §id --json", "json", SHOW, holds="session", adds=names("activity")),
        *same("show @RECORDING", CANDIDATES),
        *same("show --source nats://127.0.0.1:1/S --nats-creds nowhere §id", NONE),
        *same("messages --source nats://127.0.0.1:1/S --nats-creds nowhere §id", NONE),
        *same("tail --source RECORDING §endedId", names("endedId"), quotes=names("endedId ended cu")),
        *same("messages @RECORDING nobody", CANDIDATES),
    ),
    "pages": (
        *one("messages §id --html -", "html", PAGE, cuts=QUOTED),
        *one("messages §id --html - --redact --grep Q", "html", PAGE - MASKED - names("role"), cuts=QUOTED),
        *one("messages §id --html - --customer-view", "html", ID | SENT | names("na link picture")),
        *one("messages @RECORDING --html -", "html", TRANSCRIPT | EVERY_CHECK, cuts=QUOTED),
    ),
    # A finding quotes the beginning of what somebody wrote.
    "checks": (
        *forms("check §id", QUOTED | names("id cu"), QUOTED | ID, QUOTED | ID, cuts=QUOTED),
        *forms(
            "check --all --verbose",
            EVERY_CARD,
            EVERY_CHECK | names("cu"),
            EVERY_CHECK | names("cu"),
            cuts=QUOTED | names("cu"),
        ),
        *forms(
            "sessions check §id --redact", QUOTED | names("id cu"), QUOTED | ID, QUOTED | ID, cuts=QUOTED
        ),
        *forms(
            "check @RECORDING --waiting 5m --tz Asia/Tokyo", EVERY_CARD, EVERY_CHECK, EVERY_CHECK, cuts=QUOTED
        ),
        *same("check --all --all-profiles", NONE),
        *same("check --all --source nats://127.0.0.1:1/S --nats-creds nowhere", NONE),
        *one("check --source RECORDING --jsonl --utc", "json", EVERY_CHECK, cuts=QUOTED),
    ),
    "follows": (
        *messages(TAIL, *FOLLOWED, holds="ended"),
        *messages(f"sessions {TAIL} --redact --bell --typing show", *FOLLOWED),
        *same("tail --all --all-profiles", NONE),
        # What a stream holds is read as a recording is.
        *same("tail --all --to nats://127.0.0.1:1/S --nats-creds nowhere", NONE),
        *one(f"{TAIL} --wide", "people", WIDE - ID | names("endedId"), cuts=NARROW),
    ),
    "sign-ins": (
        # Of a uri only what could be the name of a collection is taken.
        *same("doctor", DOCTOR, cuts=SERVER_WORDS, quotes=names("uri")),
        *same("doctor --profile §profile", DOCTOR | PROFILE, cuts=SERVER_WORDS, quotes=names("uri")),
        *same("auth status --profile §profile", PROFILE),
        *same("auth list", PROFILE | names("keptUser")),
        *one("auth use §profile", "people", names("profile")),
        *one("auth logout --profile §profile", "people", names("profile")),
        *one("auth logout --all", "people", names("profile")),
        # The next command names the profile as a shell takes it.
        *one(
            "auth login --token-stdin --profile §profile",
            "people",
            names("userName"),
            quotes=names("profile"),
        ),
        *one(
            "auth login --cookie-stdin --profile §profile",
            "people",
            names("userName"),
            quotes=names("profile"),
        ),
        *one("auth login --password-command §word --profile §profile", "people", NONE, quotes=WRONG),
    ),
    "failures": (
        *same("list", REFUSED, mode="refused", cuts=REFUSED, quotes=ID),
        *same("show §id", REFUSED, mode="refused", cuts=REFUSED, quotes=ID),
        *same("messages §id", REFUSED, mode="refused", cuts=REFUSED, quotes=ID),
        *same("tail §id --push off", REFUSED, mode="refused", cuts=REFUSED, quotes=ID),
        *same("auth status", REFUSED, mode="refused", cuts=REFUSED, quotes=ID),
        *same("doctor", REFUSED, mode="bad request", cuts=REFUSED),
        *same("show §id", ID, mode="nothing"),
        *same("messages §id", ID, mode="nothing"),
        *same("tail §id --push off", ID, mode="nothing"),
        *same("list", names("answerKey"), mode="no list", cuts=names("answerKey")),
        *same("doctor", NONE, mode="redirected", quotes=names("origin")),
        *same("doctor", NONE, mode="no JSON", quotes=names("origin")),
        # A header that HTTP does not allow is not sent back; push may fail for that.
        *same(
            "doctor", DOCTOR - names("handshakeError"), mode="odd headers",
            cuts=names("collection"), quotes=names("uri handshakeError"),
        ),
    ),
    # What a user may paste from a stranger's text into a command.
    "wrong values": (
        *same("list --sort §word", NONE, quotes=WRONG),
        *same("list --columns §word", NONE, quotes=WRONG),
        *same("list --state §word", NONE, quotes=WRONG),
        *same("list --tz §word", NONE, quotes=WRONG),
        *same("list --§word", NONE, quotes=WRONG),
        *same("§word", NONE, quotes=WRONG),
        *same("list --profile §word", NONE, quotes=WRONG),
        *same("list --url ftp://§word", NONE, quotes=WRONG),
        *same("list --url https://127.0.0.1:9 --ca-bundle §word", NONE, quotes=WRONG),
        *same("messages §word nobody", NONE, quotes=WRONG),
        *same("messages @§word", NONE, quotes=WRONG),
        *same("messages §word --since §word", NONE, quotes=WRONG),
        *same("messages §word --grep (§word", NONE, quotes=WRONG),
        *same("messages §word --type §word", NONE, quotes=WRONG),
        *same("messages §word --last §word", NONE, quotes=WRONG),
        *same("messages §word --html /§word/§word", NONE, quotes=WRONG),
        *same("auth use §word", NONE, quotes=WRONG),
        *same("doctor --profile §word", NONE, quotes=WRONG),
        *same("tail §word --all", NONE, quotes=WRONG),
        *same("tail --all --interval §word", NONE, quotes=WRONG),
        *same("tail --all --record /§word/§word", NONE, quotes=WRONG),
    ),
}
# fmt: on
OUTPUTS: tuple[Output, ...] = tuple(output for group in OUTPUTS_BY_GROUP.values() for output in group)


_LIVE_TAIL: Mapping[str, str] = {
    "no session": "refused:§handshakeError",
    "a customer waits": "!§cu",
    "an agent answers": "§text",
    "a link is sent": "§url",
    "a restricted message": "[visibility",
    "a notice": "§notice",
    "a stranger types": "§st",
    "a preview of a draft": "Kimistyping:§preview",
    "a second session": "§newName",
    "the second session has ended": "ended(Completed)",
}
_WATCHED_ROWS: Mapping[str, str] = {
    "no session": "for§user",
    "a customer waits": "§cu",
    "an agent answers": "Kim:§text",
    "a link is sent": "Kim:§url",
    "a restricted message": "Kim:[visibility",
    "a stranger types": "§st",
    "a second session": "session§newId",
}
_WATCHED_CARDS: Mapping[str, str] = {
    **_WATCHED_ROWS,
    "no session": "nopush(",
    "a customer waits": "waiting!",
    "the second session has ended": "Completed",
}
_WATCHED = names("user id cu st text url newId newName")
_CARDS = _WATCHED | names(
    "state ag uri comment capability treeKey treeValue dataKey dataValue handshakeError"
)
_TAILED = _WATCHED | names("visibility notice preview handshakeError")


def _live(line: str, shows: Names, cuts: Names, redraws: str, awaits: Mapping[str, str]) -> LiveOutput:
    words = (*line.split(), "--interval", "0.1", "--profile", "§profile")
    return LiveOutput(words, "people", shows, cuts, redraws=redraws, awaits=awaits)


LIVE_OUTPUTS: Mapping[str, LiveOutput] = {
    "a live line": _live(
        "tail --all --last all --waiting 1s --bell", _TAILED, _TAILED, "tail_view.live", _LIVE_TAIL
    ),
    "a list of cards": _live(
        "list --watch --waiting 1s --columns id,state,customer,agents,uri,comment,capabilities,"
        "userData.tree,userData.§dataKey",
        _CARDS,
        _CARDS | names("visibility"),
        "watch.show",
        _WATCHED_CARDS,
    ),
    "a list in rows": _live(
        "sessions list -w --push off --columns customer,userData.§dataKey",
        _WATCHED,
        _CARDS | names("visibility"),
        "watch.show",
        _WATCHED_ROWS,
    ),
}
"""Outputs of commands that redraw; what is redrawn may be cut anywhere."""
