"""Reads what the tool has written as a terminal, a program or a browser would, and tells what should not be
there. It shares nothing with the tool: what is hostile is said here once more, from Unicode's own lists."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import pyte

# Bidi_Control of PropList.txt.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Default_Ignorable_Code_Point of DerivedCoreProperties.txt without the bidi marks and those that scripts and
# emoji are written with (joiners, variation selectors); and what ends a line or annotates one unseen.
HIDING = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    "\u2028\u2029\ufff9-\ufffb"
)
_BIDI = re.compile(f"[{BIDI}]")
_HIDING = re.compile(f"[{HIDING}]")

# The colours, what takes the live line away, and what a picture is drawn with on a screen of its own.
_PAINT = re.compile(r"\x1b\[[0-9]+(?:;[0-9]+)*m")
_ERASE = "\r\x1b[J"
_DRAWING = re.compile(r"\x1b\[(?:\?1049[hl]|[HKJ])")
# The emulator takes seconds for more; the rest is read for controls alone, which is all it could act on.
_EMULATED = 2**18
_EVENTS = {"draw", "linefeed"}
_PAINTED = {"select_graphic_rendition"}
_LIVELY = {"carriage_return", "erase_in_display"}
_DRAWN = {*_LIVELY, "cursor_position", "erase_in_line", "set_mode", "reset_mode"}

_TAGS = (
    "html head meta title style body main header h1 h2 dl dt dd details summary section div b p span bdi mark"
    " time footer svg rect"
)
_ATTRIBUTES = (
    "lang charset http-equiv content name class dir open datetime viewbox preserveaspectratio aria-hidden x y"
    " width height"
)


class _Events:
    """Stands where a terminal emulator has its screen, and notes what the screen was to do."""

    def __init__(self) -> None:
        self.met: set[str] = set()

    def __getattr__(self, event: str) -> Any:
        return lambda *arguments, **named: self.met.add(event)


def acts(text: str, *, paint: bool, live: bool, bell: bool = False, picture: bool = False) -> Iterator[str]:
    """What a terminal would do beyond showing `text`, but for what the tool itself may ask of it.

    `paint`: it may colour; `live`: it may have a live line; `bell`: it may ring; `picture`: it may draw one.
    """
    left = _PAINT.sub("", text) if paint else text
    left = left.replace(_ERASE, "").replace("\r", "") if live else left
    left = _DRAWING.sub("", left).replace("\r", "") if picture else left
    left = left.replace("\a", "") if bell else left
    for sign in sorted(set(left) - {"\n"}):
        if unicodedata.category(sign) in ("Cc", "Cs"):
            yield f"control U+{ord(sign):04X}"
    events = _Events()
    pyte.Stream(events).feed(text[:_EMULATED])  # type: ignore[arg-type]
    allowed = _EVENTS | (_PAINTED if paint else set()) | (_LIVELY if live else set())
    allowed |= _DRAWN if picture else set()
    yield from (f"the terminal was told: {one}" for one in sorted(events.met - allowed - {"bell"}))


def turns(text: str) -> Iterator[str]:
    """The characters in `text` that change the order of what is seen."""
    yield from (f"bidi U+{ord(one):04X}" for one in sorted(set(_BIDI.findall(text))))


def hides(text: str) -> Iterator[str]:
    """The characters in `text` that stand there without being seen."""
    yield from (f"hidden U+{ord(one):04X}" for one in sorted(set(_HIDING.findall(text))))


def lines_seen(text: str, *, signs: str = "") -> list[str]:
    """The texts a person can read in what a terminal was sent, each without its blanks: all that is no table,
    in one, then each column of the tables. `signs` are the tool's own and left out."""
    plain = _DRAWING.sub("\n", _PAINT.sub("", text).replace(_ERASE, "\n")).replace("\r", "\n")
    flow: list[str] = []
    columns: dict[int, list[str]] = {}
    for line in plain.split("\n"):
        if line.startswith("│"):
            for place, cell in enumerate(line.split("│")):
                columns.setdefault(place, []).append(cell)
        else:
            flow.append(line)
    texts = ["".join(flow), *("".join(cells) for cells in columns.values())]
    return [re.sub(f"[ {re.escape(signs)}]", "", one) for one in texts]


def values_of(rows: str) -> list[str]:
    """Every value of tab-separated rows, as it was before it was written down."""
    return [_unescaped(cell) for row in rows.split("\n") for cell in row.split("\t")]


_NAMED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\", ",": ","}


def _unescaped(cell: str) -> str:
    def back(match: re.Match[str]) -> str:
        return chr(int(match[2], 16)) if match[2] else _NAMED[match[1]]

    return re.sub(r"\\(u\{([0-9A-F]+)\}|[tnr\\,])", back, cell)


def strings_of(value: object) -> Iterator[str]:
    """Every key and every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_of(inner)


def json_values(text: str) -> list[Any]:
    """The JSON document that `text` is, or those that its lines are."""
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if tag not in _TAGS.split():
            self.faults.append(f"tag {tag}")
        self.faults += [f"attribute {name} of {tag}" for name, _ in attrs if name not in _ATTRIBUTES.split()]

    def handle_comment(self, data: str) -> None:
        self.faults.append("a comment")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_read(text: str) -> tuple[list[str], list[str]]:
    """What a page has that ours has not, and its text, in one and without its blanks."""
    page = _Page()
    page.feed(text)
    page.close()
    return page.faults, [re.sub(r"[ \n]", "", "".join(page.texts))]
