"""Reads what the tool has written as a terminal, a program or a browser would, and finds what is dangerous.

It shares no code with the tool: the dangerous characters are listed once more, from Unicode's own lists.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import pyte

# Bidi_Control of PropList.txt.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Default_Ignorable_Code_Point of DerivedCoreProperties.txt without the bidi marks and what scripts and emoji
# need (U+200B to U+200D, U+2060, variation selectors); and what ends a line or annotates one invisibly.
INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2061-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    "\u2028\u2029\ufff9-\ufffb"
)
_BIDI = re.compile(f"[{BIDI}]")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
# The flag of a region such as England: a black flag, letters and digits as tags, and the tag that ends them.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")

_COLOR = re.compile(r"\x1b\[[0-9]+(?:;[0-9]+)*m")
_ERASE_LIVE_LINE = "\r\x1b[J"
_FULL_SCREEN = re.compile(r"\x1b\[(?:\?1049[hl]|[HKJ])")
# The emulator takes seconds for more; the rest is searched for control characters, the only way to act on it.
_EMULATED = 2**18
_PLAIN_EVENTS = {"draw", "linefeed"}
_COLOR_EVENTS = {"select_graphic_rendition"}
_LIVE_LINE_EVENTS = {"carriage_return", "erase_in_display"}
_FULL_SCREEN_EVENTS = {*_LIVE_LINE_EVENTS, "cursor_position", "erase_in_line", "set_mode", "reset_mode"}

_TAGS = (
    "html head meta title style body main header h1 h2 dl dt dd details summary section div b p span bdi mark"
    " time footer svg rect"
)
_ATTRIBUTES = (
    "lang charset http-equiv content name class dir open datetime viewbox preserveaspectratio aria-hidden x y"
    " width height"
)


class _EventLog:
    """In place of a terminal emulator's screen: notes which methods are called."""

    def __init__(self) -> None:
        self.events: set[str] = set()

    def __getattr__(self, event: str) -> Any:
        return lambda *arguments, **keywords: self.events.add(event)


def terminal_actions(
    text: str, *, color: bool, live_line: bool, bell: bool = False, full_screen: bool = False
) -> Iterator[str]:
    """What a terminal would do beyond showing `text`; the flags allow what the tool itself may ask for."""
    left = _COLOR.sub("", text) if color else text
    left = left.replace(_ERASE_LIVE_LINE, "").replace("\r", "") if live_line else left
    left = _FULL_SCREEN.sub("", left).replace("\r", "") if full_screen else left
    left = left.replace("\a", "") if bell else left
    for character in sorted(set(left) - {"\n"}):
        if unicodedata.category(character) in ("Cc", "Cs"):
            yield f"control U+{ord(character):04X}"
    log = _EventLog()
    pyte.Stream(log).feed(text[:_EMULATED])  # type: ignore[arg-type]
    allowed = _PLAIN_EVENTS | {"bell"}
    allowed |= _COLOR_EVENTS if color else set()
    allowed |= _LIVE_LINE_EVENTS if live_line else set()
    allowed |= _FULL_SCREEN_EVENTS if full_screen else set()
    yield from (f"terminal event: {event}" for event in sorted(log.events - allowed))


def bidi_characters(text: str) -> Iterator[str]:
    """The characters in `text` that change the order of what is seen."""
    yield from (f"bidi U+{ord(found):04X}" for found in sorted(set(_BIDI.findall(text))))


def invisible_characters(text: str) -> Iterator[str]:
    """The characters in `text` that nobody sees."""
    yield from (
        f"invisible U+{ord(found):04X}" for found in sorted(set(_INVISIBLE.findall(_FLAG.sub("", text))))
    )


def visible_texts(text: str, *, marks: str = "") -> list[str]:
    """What a person can read in what a terminal was sent, without blanks: all text outside tables as one,
    then each column of the tables. `marks`, characters that the tool has added, are left out."""
    plain = _FULL_SCREEN.sub("\n", _COLOR.sub("", text).replace(_ERASE_LIVE_LINE, "\n")).replace("\r", "\n")
    flow: list[str] = []
    columns: dict[int, list[str]] = {}
    for line in plain.split("\n"):
        if line.startswith("│"):
            for number, cell in enumerate(line.split("│")):
                columns.setdefault(number, []).append(cell)
        else:
            flow.append(line)
    texts = ["".join(flow), *("".join(cells) for cells in columns.values())]
    return [re.sub(f"[ {re.escape(marks)}]", "", one) for one in texts]


def tsv_values(rows: str) -> list[str]:
    """Every value of tab-separated rows, unescaped."""
    return [_unescaped(cell) for row in rows.split("\n") for cell in row.split("\t")]


_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\", ",": ","}


def _unescaped(cell: str) -> str:
    def original(match: re.Match[str]) -> str:
        return chr(int(match[2], 16)) if match[2] else _ESCAPES[match[1]]

    return re.sub(r"\\(u\{([0-9A-F]+)\}|[tnr\\,])", original, cell)


def json_strings(value: object) -> Iterator[str]:
    """Every key and every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from json_strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from json_strings(inner)


def json_values(text: str) -> list[Any]:
    """The JSON document that `text` is, or those on its lines."""
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


def read_page(text: str) -> tuple[list[str], list[str]]:
    """The tags and attributes of a page that the tool never writes, and its text as one, without blanks."""
    page = _Page()
    page.feed(text)
    page.close()
    return page.faults, [re.sub(r"[ \n]", "", "".join(page.texts))]
