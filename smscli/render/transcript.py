"""The transcript for people: entries as lines of a terminal, like a good chat log.

A line is when, a shape and a colour for who, then what. What nobody said (joins, notices, drafts) has a dot
before it and is dim, so that no message can pass for it.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple
from zlib import crc32

from smscli.model import VISIBLE_TO_ALL, Message, MessageType, Participant, Role
from smscli.render.layout import (
    PLAIN,
    Look,
    Piece,
    Solid,
    cells,
    cut,
    duration,
    fold,
    local_time,
    offset_words,
    paint,
    shape,
)
from smscli.text import clean, clean_lines
from smscli.transcript import Entry

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NO_TIME = "--:--:--"
_TWO = tuple(f"{number:02}" for number in range(60))
_TEXT = MessageType.TEXT.value

# 256-colour numbers in the middle of the brightness scale: readable on black and on white. Customers are
# green to blue, agents yellow to red, whoever else violet.
_CUSTOMERS = (32, 29, 68, 30, 65, 31)
_AGENTS = (166, 168, 136, 131, 167, 130)
_OTHERS = (98, 133, 97)
_FAMILIES = {Role.CUSTOMER.value: _CUSTOMERS, Role.AGENT.value: _AGENTS}
_DOTS = "·-"

# Sessions have a handful of people; only a hostile server sends so many that they would fill the memory.
_MOST_PEOPLE = 4096

_NARROW = 60
_SHORTEST = 24
_LONGEST_NAME = 16
_ID_CELLS = 16

_DONE = {
    MessageType.LEFT.value: "left",
    MessageType.TYPING_STOPPED.value: "stopped typing",
    MessageType.TRANSCRIPT_SAVE_DONE.value: "transcript saved",
}
_JOINED = {MessageType.JOINED.value: "joined", MessageType.REJOINED.value: "rejoined"}
_NOTICES = frozenset({MessageType.NOTICE.value, MessageType.CUSTOM_NOTICE.value})
_SPOKEN = frozenset({MessageType.TEXT.value, MessageType.PUSH_URL.value})

Person = tuple[str | None, str | None]


class _Layout(NamedTuple):
    """How a line is divided: `name` cells for the nickname, `padded` where they are a column of their own,
    `session` cells for the session's id and the blanks after it; what is folded is indented by `indent`."""

    width: int
    name: int
    padded: bool
    session: int
    indent: int
    gap: str


class _Label(NamedTuple):
    """Shape and nickname of a person, painted, up to where the body begins."""

    said: str
    happened: str
    cells: int


class Lines:
    """Turns entries into lines, in the order in which they are to be shown.

    The width is asked for each entry, so that a terminal may change its size; `zone` None is the machine's
    own; `many` says of each line which session it belongs to.
    """

    def __init__(self, look: Look, *, zone: tzinfo | None = None, many: bool = False) -> None:
        self._look = look
        self._colour = colour = look.colour
        self._ascii = look.ascii
        self._zone = zone
        self._many = many
        self._asked = look.width
        self._layout = _layout(self._asked, many)
        self._labels: dict[Person | None, _Label] = {}
        self._hues: dict[Person, int] = {}
        self._met = dict.fromkeys((_CUSTOMERS, _AGENTS, _OTHERS), 0)
        self._session: str | None = None
        self._whose = ""
        self._date: date | None = None
        self._offset = timedelta()
        self._offset_from = self._offset_until = datetime.min.replace(tzinfo=UTC)
        self._offset_words = self._offset_told = ""
        self._quiet = paint("dim", colour)
        self._mark = paint("bold", colour)
        self._link = paint("underline", colour)
        self._notice = paint("italic", colour)

    def __call__(self, entry: Entry) -> str:
        """The lines of one entry, each ending in a newline; above them the day or session if it changed."""
        if self._look.width != self._asked:
            self._measure()
        message = entry.message
        clock, above = self._clock(message.at)
        if self._many and message.session_id != self._session:
            above += self._turn_to(message.session_id)
        sender = message.sender
        label = self._labels.get(sender.person if sender else None) or self._label(sender)
        body = self._quick(entry, label) or self._full(entry, label)
        return f"{above}{self._whose}{self._quiet.before}{clock}{self._quiet.after}{body}"

    def _quick(self, entry: Entry, label: _Label) -> str | None:
        """What `_full` says of a plain text that fits its line, in far less time; None for any other."""
        message = entry.message
        text = message.text
        if (
            not text
            or message.type != _TEXT
            or not (text.isascii() and text.isprintable())
            or (message.visibility and message.visibility != VISIBLE_TO_ALL)
            or message.late
            or message.attachment
            or entry.draft
        ):
            return None
        typed = _typed(entry) if entry.composing else ""
        tail = f" {typed}" if typed else ""
        if label.cells + len(text) + len(tail) > self._layout.width:
            return None
        return f"{label.said}{text}{self._quiet(tail)}\n" if tail else f"{label.said}{text}\n"

    def _full(self, entry: Entry, label: _Label) -> str:
        spoken = entry.message.type in _SPOKEN and not entry.draft
        start = label.said if spoken else label.happened
        body = self._spoken(entry.message) if spoken else [[self._happened(entry)]]
        body[0][:0] = [(f"{mark} ", self._mark) for mark in _marks(entry.message)]
        for tail in _tails(entry):
            body[-1] += [(" ", self._quiet), (Solid(tail), self._quiet)]
        room = self._layout.width - self._layout.indent
        lines = fold(body[0], self._layout.width - label.cells, room)
        for pieces in body[1:]:
            lines += fold(pieces, room, room)
        indent = " " * self._layout.indent
        below = "".join(f"{indent}{line}\n" if line else "\n" for line in lines[1:])
        return f"{start}{lines[0]}\n{below}"

    def _spoken(self, message: Message) -> list[list[Piece]]:
        """A message's own words, line by line."""
        if message.type == MessageType.PUSH_URL and message.url:
            return [[("link: ", self._quiet), (clean(message.url), self._link)]]
        words = _words(message).rstrip("\r\n")
        if not words and not message.attachment:
            return [[("(no text)", self._quiet)]]
        return [[(line, PLAIN)] for line in clean_lines(words)]

    def _happened(self, entry: Entry) -> Piece:
        """What is going on, in our words, and how that is painted."""
        message = entry.message
        words = clean(_words(message))
        if entry.draft:
            return _draft_words(entry), self._quiet
        if message.type in _DONE:
            return _DONE[message.type], self._quiet
        if message.type in _JOINED:
            role = message.sender.type if message.sender else None
            return _JOINED[message.type] + (f" ({clean(role)})" if role else ""), self._quiet
        if message.type == MessageType.TYPING_STARTED:
            return f'typing: "{words}"' if words else "typing", self._quiet
        if message.type in _NOTICES:
            return f"notice: {words}" if words else "notice", self._notice
        return f"[{clean(message.type) or 'no type'}] {words}".rstrip(), self._notice

    def _clock(self, at: datetime | None) -> tuple[str, str]:
        """The time of day, and the line above it where a new day begins."""
        if at is None:
            return _NO_TIME, ""
        if not self._offset_from <= at < self._offset_until:
            self._find_offset(at)
        try:
            local = at + self._offset
        except OverflowError:
            local = at
        above = "" if local.date() == self._date else self._new_day(local.date())
        return f"{_TWO[local.hour]}:{_TWO[local.minute]}:{_TWO[local.second]}", above

    def _find_offset(self, at: datetime) -> None:
        """Ask the zone, once for each quarter of an hour: none changes its offset within one."""
        local = local_time(at, self._zone)
        self._offset = local.utcoffset() or timedelta()
        self._offset_from = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
        self._offset_until = self._offset_from.replace(
            minute=at.minute // 15 * 15 + 14, second=59, microsecond=999999
        )
        if offset_words(local) != self._offset_words:
            self._offset_words = offset_words(local)
            self._date = None

    def _new_day(self, day: date) -> str:
        """The day; with it, the first time and when it has changed, how far its times are from UTC."""
        self._date = day
        told = "" if self._offset_words == self._offset_told else f", times are {self._offset_words}"
        self._offset_told = self._offset_words
        rule = "-" if self._ascii else "─"
        return self._mark(f"{rule} {_WEEKDAYS[day.weekday()]} {day.isoformat()}{told} {rule}") + "\n"

    def _turn_to(self, session_id: str) -> str:
        """Let the next lines belong to that session; a line that says so where they have no room for it."""
        self._session = session_id
        shown = clean(session_id)
        blanks = self._layout.session - cells(shown)
        if blanks >= 2:
            self._whose = self._quiet(shown) + " " * blanks
            return ""
        self._whose = " " * self._layout.session
        return self._mark(f"session {shown}") + "\n"

    def _measure(self) -> None:
        """Divide the lines anew."""
        self._asked = self._look.width
        self._layout = _layout(self._asked, self._many)
        self._labels.clear()
        self._session = None

    def _label(self, sender: Participant | None) -> _Label:
        """Made once for each person and width."""
        layout = self._layout
        dot, name, ink = _DOTS[self._ascii], "system", self._quiet
        mark = dot
        if sender:
            mark, name = shape(sender.type, self._ascii), clean(sender.person[1] or "unknown")
            ink = paint(f"color({self._hue(sender.person)})", self._colour)
        label = f"{mark} {cut(name, layout.name, '..' if self._ascii else '…')}"
        blanks = layout.name + 2 - cells(label) if layout.padded else 0
        shown = f"{layout.gap}{ink(label)}{' ' * blanks}"
        used = layout.session + len(_NO_TIME) + len(layout.gap) + cells(label) + blanks + 3
        made = _Label(f"{shown}   ", f"{shown} {self._quiet(dot)} ", used)
        if len(self._labels) >= _MOST_PEOPLE:
            self._labels.clear()
        self._labels[sender.person if sender else None] = made
        return made

    def _hue(self, person: Person) -> int:
        """A colour of the family of that person's type: the next one, and the same one ever after."""
        family = _FAMILIES.get(person[0] or "", _OTHERS)
        if person in self._hues:
            return self._hues[person]
        if len(self._hues) >= _MOST_PEOPLE:
            return family[crc32(repr(person).encode()) % len(family)]
        hue = self._hues[person] = family[self._met[family] % len(family)]
        self._met[family] += 1
        return hue


def _layout(asked: int, many: bool) -> _Layout:
    width = max(asked, _SHORTEST)
    session = _ID_CELLS + 2 if many and width >= 80 else 0
    left = width - session
    if left < _NARROW:
        return _Layout(width, min(_LONGEST_NAME, left // 3), False, session, 2, " ")
    name = min(_LONGEST_NAME, left // 6)
    return _Layout(width, name, True, session, session + len(_NO_TIME) + 2 + 2 + name + 3, "  ")


def _words(message: Message) -> str:
    """What a message says, in whichever field; an attachment's name is told apart."""
    return message.text or message.url or message.notice or ""


def _marks(message: Message) -> Iterator[str]:
    if message.visibility == "Agents":
        yield "[agents only]"
    elif message.visibility and message.visibility != VISIBLE_TO_ALL:
        yield f"[visibility {clean(message.visibility)}]"
    if message.late:
        yield "[late]"


def _tails(entry: Entry) -> Iterator[str]:
    """What follows a body: its attachment, and how long it took to type."""
    name = entry.message.attachment.get("name") if entry.message.attachment else None
    if isinstance(name, str):
        yield f"[file {clean(name)}]"
    if not entry.draft and (typed := _typed(entry)):
        yield typed


def _typed(entry: Entry) -> str:
    """How long it took to type; of less than a second nobody wants to know."""
    composing = entry.composing or 0.0
    return f"(typed {duration(composing)})" if composing >= 1 else ""


def _draft_words(entry: Entry) -> str:
    wording = f': "{clean(entry.draft_text)}"' if entry.draft_text else ""
    if entry.draft == "typing":
        return f"is typing{wording}"
    if entry.at_end:
        return f"was typing, not sent{wording}"
    composing = entry.composing or 0.0
    return "gave up a draft" + (f" after {duration(composing)}" if composing >= 1 else "") + wording
