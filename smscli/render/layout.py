"""What the writers for people share: cell widths, folding to a width, paint, and times in words."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple, Protocol

from smscli.model import Role

_WORDS = re.compile(" +|[^ ]+")
_EMOJI_STYLE = "\ufe0f"


_SHAPES = {Role.CUSTOMER.value: "▶>", Role.AGENT.value: "◆*"}


class Look(Protocol):
    """What there is to write for: cells in a line, whether colour is wanted, whether shapes must be ASCII."""

    @property
    def width(self) -> int: ...
    @property
    def colour(self) -> bool: ...
    @property
    def ascii(self) -> bool: ...


class Paint(NamedTuple):
    """The escape codes around a text; both empty where there is no colour."""

    before: str = ""
    after: str = ""

    def __call__(self, text: str) -> str:
        return f"{self.before}{text}{self.after}" if text else ""


class Solid(str):
    """A text that is not broken at its blanks."""

    __slots__ = ()


PLAIN = Paint()
Piece = tuple[str, Paint]
"""A text without line ends, and how it is painted."""


@lru_cache(maxsize=256)
def paint(style: str, colour: bool) -> Paint:
    """The paint of one of rich's styles, such as `bold red`."""
    if not colour or not style:
        return PLAIN
    from rich.color import ColorSystem
    from rich.style import Style

    before, after = Style.parse(style).render("|", color_system=ColorSystem.EIGHT_BIT).split("|")
    return Paint(before, after)


def cells(text: str) -> int:
    """How many cells a cleaned text fills on a terminal, never too few.

    Joined emoji count each by itself, and one in emoji style twice: many terminals draw them so.
    """
    return len(text) if text.isascii() else sum(map(_cell_size(), text))


def cut(text: str, width: int, ellipsis: str) -> str:
    """`text` in at most `width` cells; what does not fit gives way to the ellipsis."""
    if cells(text) <= width:
        return text
    return next(chop(text, width - len(ellipsis), width), "") + ellipsis if width > len(ellipsis) else ""


def chop(text: str, first: int, width: int) -> Iterator[str]:
    """Parts of `text` of at most `width` cells, the first of at most `first`; at least one character each."""
    start, used, room = 0, 0, first
    for place, size in enumerate(map(_cell_size(), text)):
        if used + size > room and used:
            yield text[start:place]
            start, used, room = place, 0, width
        used += size
    yield text[start:]


def fold(pieces: Sequence[Piece], first: int, width: int) -> list[str]:
    """`pieces` one after the other, painted, in lines of at most `width` cells, the first of at most `first`.

    Lines end between words where they can; the blanks there are dropped.
    """
    lines = _Lines(first, width)
    for text, ink in pieces:
        for word in [text] if isinstance(text, Solid) else _WORDS.findall(text):
            lines.add(word, ink)
    return lines.done()


class _Lines:
    """Lines being filled word by word."""

    def __init__(self, first: int, width: int) -> None:
        self._width = width
        self._room = first
        self._line: list[Piece] = []
        self._lines: list[str] = []

    def add(self, word: str, ink: Paint) -> None:
        size = cells(word)
        if size <= self._room:
            self._put(word, size, ink)
        elif word[0] == " ":
            self._end()
        elif size <= self._width:
            self._end()
            self._put(word, size, ink)
        else:
            self._add_long(word, ink)

    def done(self) -> list[str]:
        return [*self._lines, _painted(self._line)]

    def _add_long(self, word: str, ink: Paint) -> None:
        if self._room < 2:
            self._end()
        for number, part in enumerate(chop(word, self._room, self._width)):
            if number:
                self._end()
            self._put(part, cells(part), ink)

    def _put(self, text: str, size: int, ink: Paint) -> None:
        self._line.append((text, ink))
        self._room -= size

    def _end(self) -> None:
        while self._line and self._line[-1][0].isspace():
            self._line.pop()
        self._lines.append(_painted(self._line))
        self._line = []
        self._room = self._width


def _painted(pieces: Sequence[Piece]) -> str:
    """Neighbours of one paint are painted together."""
    joined: list[tuple[Paint, list[str]]] = []
    for text, ink in pieces:
        if joined and joined[-1][0] is ink:
            joined[-1][1].append(text)
        else:
            joined.append((ink, [text]))
    return "".join(ink("".join(texts)) for ink, texts in joined)


@lru_cache(maxsize=1)
def _cell_size() -> Callable[[str], int]:
    from rich.cells import get_character_cell_size

    return lambda character: 1 if character == _EMOJI_STYLE else get_character_cell_size(character)


def shape(role: str | None, ascii: bool) -> str:
    """What tells a participant's type beside its colour."""
    return _SHAPES.get(role or "", "■#")[ascii]


def duration(seconds: float) -> str:
    """`12 s`, `2 min 5 s`, `1 h 4 min`: whole seconds, at most two units."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def local_time(at: datetime, zone: tzinfo | None) -> datetime:
    """`at` in `zone`, None for the machine's own; in UTC where that zone has no such time."""
    try:
        return at.astimezone(zone)
    except (OverflowError, ValueError, OSError):
        # The first and last days of the calendar, and years a C library does not know.
        return at


def offset_words(at: datetime) -> str:
    """How far a local time is from UTC: `UTC`, `UTC+01:00`, `UTC-03:30`."""
    name = at.strftime("%z")
    return f"UTC{name[:3]}:{name[3:5]}" if name.strip("+-0") else "UTC"
