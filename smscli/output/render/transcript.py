"""Renders transcript entries as terminal lines.

A line is when, a shape and a colour for who, then what. What nobody said (joins, notices, drafts) has a dot
before it and is dim, so that no message can pass for it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from smscli.model import VISIBLE_TO_ALL, Message, MessageType, Participant
from smscli.output.render.colors import person_style
from smscli.output.render.layout import (
    PLAIN,
    Display,
    NoWrap,
    Paint,
    Piece,
    Span,
    cells,
    cut_id,
    cut_middle,
    fold,
    paint,
    session_lines,
    shape,
)
from smscli.output.render.wording import NO_TIME, DayClock, happened, is_spoken, parts, remarks, said, typed
from smscli.output.view import ONE_SESSION, EntryView
from smscli.sanitize import clean, clean_lines
from smscli.transcript.fold import Entry

_TEXT = MessageType.TEXT.value

_DOTS = "·-"

# Style of matches: a colour that no person has, or brackets that rarely occur in texts («these» are quotation
# marks in many languages).
_MARKED = "bold underline color(162)"
_SIGNS = (("⟦", "⟧"), ("[[", "]]"))

# Bounds the cached labels against a hostile server.
_MOST_PEOPLE = 4096

_NARROW = 60
_SHORTEST = 20
_LONGEST_NAME = 16
# Narrower terminals show the two ends of a session's id.
_WIDE = 100
_ID_CELLS = 16
_SHORT_ID_CELLS = 9
# With the profile in front.
_OWNED_ID_CELLS = 24
_SHORT_OWNED_ID_CELLS = 12
_SHORTEST_ID_CELLS = 5
# With `--wide`: the index and the blank behind it, and the milliseconds.
_INDEX_CELLS = 7
_FRACTION_CELLS = len(".000")
# Of several sessions the texts have this much room at least.
_TEXT_CELLS = 45


class _Layout(NamedTuple):
    """How a line is divided: `name` cells for the nickname, `padded` where they are a column of their own,
    `front` cells for session, index and time; what is folded is indented by `indent`."""

    width: int
    name: int
    padded: bool
    session: int
    front: int
    indent: int
    gap: str


class _Label(NamedTuple):
    """Shape and nickname of a person, painted, up to where the body begins."""

    said: str
    happened: str
    cells: int


class TranscriptLines:
    """Turns entries into lines, in the order in which they are to be shown.

    The width is asked for each entry, so that a terminal may change its size; `zone` None is the machine's
    own.
    """

    def __init__(self, display: Display, view: EntryView = ONE_SESSION, zone: tzinfo | None = None) -> None:
        self._display = display
        color = display.color
        self._ellipsis = ".." if display.ascii else "…"
        self._many = view.many
        self._has_column = view.many and not view.once_needed
        self._wide = view.wide
        self._id_cells = _ID_CELLS, _SHORT_ID_CELLS
        if view.profiles:
            self._id_cells = _OWNED_ID_CELLS, _SHORT_OWNED_ID_CELLS
        self._labels: dict[object, _Label] = {}
        self._session: tuple[str | None, str] | None = None
        self._whose = ""
        self._measure()
        self._clock = DayClock(zone, milliseconds=view.wide)
        self._quiet = paint("dim", color)
        self._strong = paint("bold", color)
        self._link = paint("underline", color)
        self._notice = paint("italic", color)
        self._marked = paint(_MARKED, color)
        self._signs = ("", "") if color else _SIGNS[display.ascii]

    def __call__(self, entry: Entry, marks: Sequence[Span] = (), profile: str | None = None) -> str:
        """The lines of one entry, each ending in a newline; above them the day or session if it changed.

        `marks` are spans of its body, or of a draft's last wording, as they came: in code points, in order,
        apart from each other. They are shown bold, underlined and coloured; without colour as `⟦marked⟧`, in
        ASCII `[[marked]]`. Nothing else changes but, for the room that signs take, where lines end. `profile`
        is that of several from which it came.
        """
        if self._display.width != self._width:
            self._measure()
        message = entry.message
        clock, above = self._time(message.at)
        if self._many and (profile, message.session_id) != self._session:
            above += self._turn_to(profile, message.session_id)
        sender = message.sender
        label = self._labels.get(self._key(sender)) or self._label(sender)
        index = self._index(message) if self._wide else ""
        body = (not marks and self._quick(entry, label)) or self._full(entry, label, marks)
        return f"{above}{self._whose}{index}{self._quiet.before}{clock}{self._quiet.after}{body}"

    def _key(self, sender: Participant | None) -> object:
        """What a label is cached by."""
        if sender is None:
            return None
        return (sender.person, sender.participant_id) if self._wide else sender.person

    def _index(self, message: Message) -> str:
        shown = "" if message.index is None else f"#{message.index}"
        return f"{self._quiet(shown)}{' ' * (_INDEX_CELLS - len(shown))}"

    def gap(self) -> str:
        """The line for entries that were left out."""
        return self._quiet("--") + "\n"

    def _quick(self, entry: Entry, label: _Label) -> str | None:
        """Fast path for plain text that fits its line: the same as `_full`; None for any other entry."""
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
        composing = typed(entry) if entry.composing else ""
        tail = f" {composing}" if composing else ""
        if label.cells + len(text) + len(tail) > self._layout.width:
            return None
        return f"{label.said}{text}{self._quiet(tail)}\n" if tail else f"{label.said}{text}\n"

    def _full(self, entry: Entry, label: _Label, marks: Sequence[Span]) -> str:
        room = self._layout.width - self._layout.indent
        spoken = is_spoken(entry)
        start = label.said if spoken else label.happened
        body = self._spoken(entry.message, marks) if spoken else [self._happened(entry, marks)]
        body[0][:0] = [(f"{remark} ", self._strong) for remark in remarks(entry.message)]
        body[-1] += self._file(entry, marks)
        if composing := typed(entry):
            self._add_composing(composing, body, room)
        lines = fold(body[0], self._layout.width - label.cells, room)
        for pieces in body[1:]:
            lines += fold(pieces, room, room)
        indent = " " * self._layout.indent
        below = "".join(f"{indent}{line}\n" if line else "\n" for line in lines[1:])
        return f"{start}{lines[0]}\n{below}"

    def _add_composing(self, composing: str, body: list[list[Piece]], room: int) -> None:
        """Add the composing time beside the last word, or before the text where that word is too long: it has
        a line of its own on narrow terminals only."""
        last_word = "".join(text for text, _ in body[-1]).rpartition(" ")[2]
        for sign in filter(None, self._signs):
            last_word = last_word.replace(sign, "")
        if cells(last_word) + len(composing) < room:
            body[-1] = [*_joined(body[-1]), (NoWrap(f" {composing}"), self._quiet)]
        elif room >= _TEXT_CELLS:
            body[0].insert(0, (f"{composing} ", self._quiet))
        else:
            body[-1] += [(" ", self._quiet), (NoWrap(composing), self._quiet)]

    def _spoken(self, message: Message, marks: Sequence[Span]) -> list[list[Piece]]:
        """A message's own words, line by line."""
        if message.type == MessageType.PUSH_URL and message.url:
            # Marks belong to the text beside a link, if there is one.
            link = self._cleaned(message.url, () if message.text else marks, self._link)
            below = self._lines(message.text, marks) if message.text else []
            return [[("link: ", self._quiet), *link], *below]
        words = said(message)
        if not words.rstrip("\r\n") and not message.attachment:
            return [[("(no text)", self._quiet)]]
        return self._lines(words, marks)

    def _lines(self, text: str, marks: Sequence[Span]) -> list[list[Piece]]:
        """`text` in its own lines, without the empty ones at its end."""
        lines: list[list[Piece]] = [[]]
        for part, ink in self._parts(text.rstrip("\r\n"), marks, PLAIN):
            first, *others = clean_lines(part)
            lines[-1].append((first, ink))
            lines += [[(line, ink)] for line in others]
        return lines

    def _happened(self, entry: Entry, marks: Sequence[Span]) -> list[Piece]:
        """What is going on, in our words, and what was said of it."""
        what = happened(entry)
        ink = self._notice if what.notice else self._quiet
        return [(what.before, ink), *self._cleaned(what.said, marks, ink), (what.after, ink)]

    def _file(self, entry: Entry, marks: Sequence[Span]) -> list[Piece]:
        """What follows a body: the name of its attachment, if it has one."""
        name = (entry.message.attachment or {}).get("name")
        if not isinstance(name, str):
            return []
        is_body = not entry.draft_text and not said(entry.message)
        named = self._cleaned(name, marks if is_body else (), self._quiet)
        solid = [(NoWrap(text), ink) for text, ink in (("[file ", self._quiet), *named, ("]", self._quiet))]
        return [(" ", self._quiet), *solid]

    def _cleaned(self, text: str, marks: Sequence[Span], ink: Paint) -> list[Piece]:
        """`text` on one line."""
        return [(clean(part), paint) for part, paint in self._parts(text, marks, ink)]

    def _parts(self, text: str, marks: Sequence[Span], ink: Paint) -> Iterator[Piece]:
        """`text` as it came, its marked parts with their paint or their signs."""
        before, after = self._signs
        for part, marked in parts(text, marks):
            yield (f"{before}{part}{after}", self._marked) if marked else (part, ink)

    def _time(self, at: datetime | None) -> tuple[str, str]:
        """The time of day, and the line above it where a new day or another offset from UTC begins."""
        if at is None:
            return NO_TIME + (" " * _FRACTION_CELLS if self._wide else ""), ""
        clock, heading = self._clock(at)
        if heading is None:
            return clock, ""
        rule = "-" if self._display.ascii else "─"
        words, _, last = f"{rule} {heading.day}{heading.offset}".rpartition(" ")
        pieces = [(f"{words} ", self._strong), (NoWrap(f"{last} {rule}"), self._strong)]
        return clock, "".join(f"{line}\n" for line in fold(pieces, self._layout.width, self._layout.width))

    def _turn_to(self, profile: str | None, session_id: str) -> str:
        """Let the next lines belong to that session; a line that says so where they have no room for it."""
        if self._session is not None and not self._has_column:
            self._has_column = True
            self._measure()
        self._session = profile, session_id
        owner, shown = f"{clean(profile)}/" if profile else "", clean(session_id)
        room = self._layout.session - 2
        if room > 0:
            if owner:
                owner = cut_middle(owner[:-1], room - 1 - _SHORTEST_ID_CELLS, self._ellipsis) + "/"
            shown = owner + cut_id(shown, room - cells(owner), self._ellipsis)
            self._whose = self._quiet(shown) + " " * (self._layout.session - cells(shown))
            return ""
        return "".join(f"{self._strong(line)}\n" for line in session_lines(owner + shown, self._layout.width))

    def _measure(self) -> None:
        """Compute the layout for the current width."""
        self._width = self._display.width
        self._layout = _layout(self._width, self._id_cells if self._has_column else None, self._wide)
        self._labels.clear()
        self._session = None

    def _label(self, sender: Participant | None) -> _Label:
        """The label of a person, cached per width."""
        layout = self._layout
        dot = mark = _DOTS[self._display.ascii]
        name, ink = "system", self._quiet
        if sender:
            mark, name = shape(sender.type, self._display.ascii), clean(sender.person[1] or "unknown")
            ink = paint(person_style(sender), self._display.color)
        label = f"{mark} {cut_middle(name, layout.name, self._ellipsis)}"
        blanks = layout.name + 2 - cells(label) if layout.padded else 0
        shown = f"{layout.gap}{ink(label)}{' ' * blanks}"
        used = layout.front + len(layout.gap) + cells(label) + blanks + 3
        if self._wide:
            participant_id = clean((sender and sender.participant_id) or "")
            shown += f"  {self._quiet(participant_id)}{' ' * (_ID_CELLS - cells(participant_id))}"
            used += 2 + max(cells(participant_id), _ID_CELLS)
        made = _Label(f"{shown}   ", f"{shown} {self._quiet(dot)} ", used)
        if len(self._labels) >= _MOST_PEOPLE:
            self._labels.clear()
        self._labels[self._key(sender)] = made
        return made


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The pieces, the last word not to be wrapped from what follows it."""
    place = next((n for n in range(len(pieces) - 1, 0, -1) if " " in pieces[n][0]), 0)
    text, ink = pieces[place]
    before, blank, word = text.rpartition(" ")
    last = [(NoWrap(word), ink), *((NoWrap(one), paint) for one, paint in pieces[place + 1 :])]
    return [*pieces[:place], (before + blank, ink), *last]


def _layout(asked: int, id_cells: tuple[int, int] | None, wide: bool) -> _Layout:
    """`id_cells`: of the column for the session where there is one, on a wide and on a narrower terminal."""
    width = max(asked, _SHORTEST)
    session = (id_cells[0] if width >= _WIDE else id_cells[1]) + 2 if id_cells and width >= 80 else 0
    front = session + len(NO_TIME) + (_INDEX_CELLS + _FRACTION_CELLS if wide else 0)
    left = width - session
    if left < _NARROW:
        return _Layout(width, min(_LONGEST_NAME, left // 3), False, session, front, 2, " ")
    name = min(_LONGEST_NAME, left // 6)
    if id_cells:
        name = min(name, left - len(NO_TIME) - 7 - _TEXT_CELLS)
    indent = min(front + 2 + 2 + name + 3 + (_ID_CELLS + 2 if wide else 0), width // 2)
    return _Layout(width, name, True, session, front, indent, "  ")
