"""The README's pictures: real commands on a real terminal against the demo, its clock standing.

`python -m tests.support.pictures` draws them anew, into `tests/golden/`.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyte
from pyte.screens import Char

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.on_terminal import OnTerminal
from tests.support.paths import GOLDEN

FOLDER = GOLDEN

# 2026-03-02T08:15:00Z
_START = 1772439300.0

# All in pixels: a cell, the size of its letters, how far their base line is from its top, and the margin.
_WIDE, _HIGH, _SIZE, _BASE, _MARGIN = 8.4, 19, 14, 14, 16
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_PAPER, _FRAME = "#14181d", "#343c46"
_INKS = {"default": "#dce2e8", "brightblack": "#8e99a5"}

# What a letter's font would draw with gaps: lines by the sides of the cell that they reach, blocks by height.
_LINES = {
    "─": "LR", "│": "UD", "├": "UDR", "┤": "UDL", "┬": "DLR", "┴": "ULR", "┼": "UDLR",
    "╭": "DR", "╮": "DL", "╰": "UR", "╯": "UL",
}  # fmt: skip
_ROUND = "╭╮╰╯"
_BLOCKS = {"▂": 0.25, "▄": 0.5, "▆": 0.75, "█": 1.0, "░": 1.0}
_DRAWN = frozenset([*_LINES, *_BLOCKS])
# Of these, neighbours are one mark.
_JOINED = frozenset(["─", *_BLOCKS])


@dataclass(frozen=True)
class Picture:
    """A command line, at how many seconds of the demo it is run, and what its terminal is like.

    `until` is what is to be seen of a command that does not end by itself.
    """

    name: str
    arguments: str
    moment: float
    until: tuple[str, ...] = ()
    columns: int = 84
    lines: int = 60


PICTURES = (
    Picture("tail", "tail 0000Na9C00I9GKGE", 94, ("Noor is typing: works!! th",)),
    Picture("list", "list", 16),
    Picture(
        "watch",
        "list --watch --waiting 2m",
        0,
        (
            "● live",
            "Toni has been",
            "Ines: it's off",
            "Mika: tomorrow",
            "Sasha: [agents",
            "no agent      20 s",
        ),
        lines=18,
    ),
    Picture("show", "show 0000Na9C00I9GKGE", 58),
)


class Style(NamedTuple):
    """How a run of cells is drawn."""

    ink: str
    bold: bool
    italic: bool
    underlined: bool

    @classmethod
    def of(cls, cell: Char) -> "Style":
        ink = _INKS.get(cell.fg) or f"#{int(cell.fg, 16):06x}"
        return cls(ink, cell.bold, cell.italics, cell.underscore)


class _Dimming(pyte.HistoryScreen):
    """A screen that knows dim letters, which the emulator drops: they are its bright black."""

    def select_graphic_rendition(self, *attributes: int) -> None:
        # Elsewhere than in front a 2 may be part of a colour (38;5;2).
        dim = attributes[:1] == (2,)
        super().select_graphic_rendition(*((90, *attributes[1:]) if dim else attributes))


class _Photographed(OnTerminal):
    """A command on a terminal whose cells are looked at one by one."""

    def __init__(self, picture: Picture, environ: Mapping[str, str]) -> None:
        arguments = picture.arguments.split()
        super().__init__(*arguments, environ=environ, columns=picture.columns, lines=picture.lines)
        self._screen = _Dimming(picture.columns, picture.lines)
        self._stream = pyte.ByteStream(self._screen)

    def rows(self) -> list[list[Char]]:
        """The cells of each line, down to the last that is not empty."""
        columns = range(self._screen.columns)
        rows = [[self._screen.buffer[line][column] for column in columns] for line in range(len(self.screen))]
        while rows and not any(cell.data.strip() for cell in rows[-1]):
            rows.pop()
        return rows


class Standing:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> float:
        return self.now


def drawn(picture: Picture, home: Path) -> str:
    """The picture as SVG; `home` is an empty folder."""
    clock = Standing()
    with FakeServer(Options(uri_base="https://gws.example.com/api/v2"), clock=clock) as server:
        clock.now += picture.moment
        environ = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
            "SMSCLI_URL": server.url,
            "SMSCLI_USERNAME": "demo",
            "SMSCLI_PASSWORD": "demo",
        }
        with _Photographed(picture, environ) as seen:
            for text in picture.until:
                seen.until(text)
            if not picture.until:
                assert seen.ended() == 0
            return svg(f"smscli {picture.arguments}", seen.rows())


def svg(command: str, rows: Sequence[Sequence[Char]]) -> str:
    """A window with these cells below the command; it loads nothing, and needs no font of its own."""
    width = 2 * _MARGIN + max(map(len, rows)) * _WIDE
    height = 2 * _MARGIN + (len(rows) + 1) * _HIGH
    prompt = f'<tspan class="b" fill="{_INKS["brightblack"]}">$ </tspan>{escape(command)}'
    body = "".join(mark for number, row in enumerate(rows, start=1) for mark in _row(number, row))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height}" '
        f'width="{width:g}" height="{height}">\n'
        f"<title>{escape(command)}</title>\n"
        f"<style>text{{font:{_SIZE}px {_FONT};white-space:pre}}"
        ".b{font-weight:700}.i{font-style:italic}.u{text-decoration:underline}</style>\n"
        f'<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1}" rx="8" '
        f'fill="{_PAPER}" stroke="{_FRAME}"/>\n'
        f'<text x="{_MARGIN}" y="{_MARGIN + _BASE}" fill="{_INKS["default"]}">{prompt}</text>\n'
        f"{body}</svg>\n"
    )


def _row(number: int, row: Sequence[Char]) -> Iterator[str]:
    """The marks of one line: runs of letters of one style, and of one shape that is drawn, not written."""
    top, place = _MARGIN + number * _HIGH, 0
    for (style, shape), run in groupby(row, lambda cell: (Style.of(cell), cell.data in _DRAWN and cell.data)):
        cells = [*run]
        end = place + len(cells)
        if shape:
            step = len(cells) if shape in _JOINED else 1
            yield from (_shape(shape, left, step, top, style.ink) for left in range(place, end, step))
        else:
            yield from _letters(cells, place, top, style)
        place = end


def _letters(cells: Sequence[Char], place: int, top: int, style: Style) -> Iterator[str]:
    """Each phrase at its own place and as wide as its cells, so that every font keeps the columns."""
    # The second cell of a wide letter is empty.
    text = "".join(cell.data or "\0" for cell in cells)
    kinds = "".join(
        name for name, is_so in zip("biu", (style.bold, style.italic, style.underlined), strict=True) if is_so
    )
    named = f' class="{" ".join(kinds)}"' if kinds else ""
    for phrase in re.finditer(r"\S+(?: \S+)*", text):
        length = len(phrase[0]) * _WIDE
        yield (
            f'<text x="{_x(place + phrase.start())}" y="{top + _BASE}" textLength="{length:g}" '
            f'lengthAdjust="spacingAndGlyphs" fill="{style.ink}"{named}>'
            f"{escape(phrase[0].replace(chr(0), ''))}</text>\n"
        )


def _shape(letter: str, place: int, number: int, top: int, ink: str) -> str:
    """So many cells of a block, or lines from their middle to their sides, in a corner round."""
    left, width = float(_x(place)), number * _WIDE
    if letter in _BLOCKS:
        height = _HIGH * 0.8 * _BLOCKS[letter]
        faint = ' opacity=".35"' if letter == "░" else ""
        y = top + _HIGH * 0.9 - height
        return f'<rect x="{left:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{ink}"{faint}/>\n'
    x, y = left + width / 2, top + _HIGH / 2
    ends = {"U": (x, top), "D": (x, top + _HIGH), "L": (left, y), "R": (left + width, y)}
    sides = [f"{ends[side][0]:g} {ends[side][1]:g}" for side in _LINES[letter]]
    first, *others = sides
    path = (
        f"M{first}Q{x:g} {y:g} {others[0]}"
        if letter in _ROUND
        else "".join(f"M{x:g} {y:g}L{side}" for side in sides)
    )
    return f'<path d="{path}" stroke="{ink}" fill="none"/>\n'


def _x(column: int) -> str:
    return f"{_MARGIN + column * _WIDE:g}"


def main() -> None:
    """Draw them all anew."""
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        with tempfile.TemporaryDirectory() as home:
            (FOLDER / f"{picture.name}.svg").write_text(drawn(picture, Path(home)), encoding="utf-8")


if __name__ == "__main__":
    main()
