"""Layout shared by the renderers: cell widths, line folding, styles, times and durations as text."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple, Protocol

from smscli.model import Role, role_of

_WORDS = re.compile(" +|[^ ]+")
_EMOJI_STYLE = "\ufe0f"

# Ids and phone numbers differ in their last digits.
_SHOWN_AT_END = 4
_LEAST_FOR_BOTH_ENDS = 9

_SHAPES = {Role.CUSTOMER: "▶>", Role.AGENT: "◆*"}


class Display(Protocol):
    """The output device: width in cells, whether to use colour, whether shapes must be ASCII."""

    @property
    def width(self) -> int: ...
    @property
    def color(self) -> bool: ...
    @property
    def ascii(self) -> bool: ...


class Paint(NamedTuple):
    """The escape codes around a text; both empty where there is no colour."""

    before: str = ""
    after: str = ""

    def __call__(self, text: str) -> str:
        return f"{self.before}{text}{self.after}" if text else ""


class NoWrap(str):
    """A text that is not wrapped at its blanks."""

    __slots__ = ()


PLAIN = Paint()
Piece = tuple[str, Paint]
"""A text without line ends, and how it is painted."""

Span = tuple[int, int]
"""Begin and end of a part of a text, in code points."""


@lru_cache(maxsize=256)
def paint(style: str, color: bool) -> Paint:
    """The paint of one of rich's styles, such as `bold red`."""
    if not color or not style:
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
    return _fitting(text, width - len(ellipsis)) + ellipsis if width > len(ellipsis) else ""


def cut_middle(text: str, width: int, ellipsis: str) -> str:
    """Like `cut`, but where there is room both ends are shown: those of phone numbers tell them apart."""
    if cells(text) <= width:
        return text
    room = width - len(ellipsis)
    if width < _LEAST_FOR_BOTH_ENDS:
        return cut(text, width, ellipsis)
    end = max(room // 2, min(_SHOWN_AT_END, room - 1))
    return _fitting(text, room - end) + ellipsis + _fitting(text[::-1], end)[::-1]


def cut_id(text: str, width: int, ellipsis: str) -> str:
    """Like `cut_middle`, but in little room the end is shown, which tells ids apart."""
    if width >= _LEAST_FOR_BOTH_ENDS or cells(text) <= width:
        return cut_middle(text, width, ellipsis)
    return ellipsis + _fitting(text[::-1], width - len(ellipsis))[::-1]


def _fitting(text: str, width: int) -> str:
    """The beginning of `text` that fits into so many cells."""
    used = 0
    for place, size in enumerate(map(_cell_size(), text)):
        used += size
        if used > width:
            return text[:place]
    return text


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

    Lines end between words where they can, however the words are painted; the blanks there are dropped.
    """
    text = "".join(text for text, _ in pieces)
    fits = len(text) <= first and cells(text) <= first
    lines = [(0, len(text))] if fits else _filled(text, _words(pieces), first, width)
    return [*_painted(text, pieces, lines)]


def _words(pieces: Sequence[Piece]) -> Iterator[str]:
    """The words, and the blanks between them; solid pieces are one word with those beside them."""
    for solid, alike in groupby(pieces, lambda piece: isinstance(piece[0], NoWrap)):
        text = "".join(text for text, _ in alike)
        yield from [text] if solid else _WORDS.findall(text)


def _filled(text: str, words: Iterable[str], first: int, width: int) -> Iterator[Span]:
    """Where the lines of `text`, which these words are, begin and end."""
    begin = end = place = 0
    room = first
    for word in words:
        size = cells(word)
        if size > room and word.startswith(" "):
            # Blanks at the end of a line are dropped, and whatever comes next begins another one.
            place += len(word)
            room = -1
            continue
        is_long = size > max(room, width)
        for part in chop(word, room if room > 1 else width, width) if is_long else [word]:
            size = cells(part)
            if size > room:
                yield begin, begin + len(text[begin:end].rstrip(" "))
                begin, room = place, width
            end = place = place + len(part)
            room -= size
    yield begin, end


def _painted(text: str, pieces: Sequence[Piece], lines: Iterable[Span]) -> Iterator[str]:
    """Each line by itself; neighbours of one paint are painted together."""
    inks: list[Paint] = []
    ends: list[int] = []
    for (_, ink), end in zip(pieces, accumulate(len(text) for text, _ in pieces), strict=True):
        if inks and inks[-1] is ink:
            ends[-1] = end
        else:
            inks.append(ink)
            ends.append(end)
    for begin, end in lines:
        first, last = bisect_right(ends, begin), bisect_left(ends, end)
        bounds = pairwise((begin, *ends[first:last], end))
        runs = zip(bounds, inks[first : last + 1], strict=False)
        yield "".join(ink(text[start:stop]) for (start, stop), ink in runs)


@lru_cache(maxsize=1)
def _cell_size() -> Callable[[str], int]:
    from rich.cells import get_character_cell_size

    return lambda character: 1 if character == _EMOJI_STYLE else get_character_cell_size(character)


def shape(kind: str | None, ascii: bool) -> str:
    """The shape of a participant's type, so that colour is not the only carrier."""
    role = role_of(kind)
    return (_SHAPES[role] if role else "■#")[ascii]


def session_lines(session_id: str, width: int) -> list[str]:
    """`session ID`, of a cleaned id, on two lines where only so the id, which people copy, stays whole."""
    together = f"session {session_id}"
    return ["session", session_id] if cells(session_id) <= width < cells(together) else [together]


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
