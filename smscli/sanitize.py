"""Escapes control, bidi, invisible and surrogate characters in text from customers and the server.

Nothing is dropped: each such character is shown as `\\u{HEX}`, a newline as `\\n`, a tab as `\\t`.
"""

import re

_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
# Unicode's default ignorable characters are invisible, and its own line separators would break a line.
# Joiners, word breaks and variation selectors are kept: emoji and several scripts need them.
_INVISIBLE = (
    *(0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x2028, 0x2029),
    *range(0x2061, 0x2066),
    *range(0x206A, 0x2070),
    *(0x3164, 0xFEFF, 0xFFA0),
    *range(0xFFF0, 0xFFFC),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
)
_BLACK_FLAG = "\U0001f3f4"
# The flag of a country's part: its code in at most seven tags (UTS #51), too few to hide a text in.
_FLAG = re.compile(f"({_BLACK_FLAG}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{3,7}}\U000e007f)")
_NAMED = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}


class _Table(dict[int, str | int]):
    """A table for `str.translate` that caches characters it has seen: a miss costs many times as much."""

    def __missing__(self, code: int) -> str | int:
        # Surrogates and tags are too many for the table. Outside flags, tags hide ASCII; variation selectors
        # lie between them.
        is_hidden = 0xD800 <= code <= 0xDFFF or 0xE0000 <= code <= 0xE00FF or 0xE01F0 <= code <= 0xE0FFF
        shown = f"\\u{{{code:X}}}" if is_hidden else code
        # Hostile text could fill the memory with the million characters above.
        if code < 0x10000:
            self[code] = shown
        return shown


def _visible() -> dict[int, str]:
    shown = {code: f"\\u{{{code:X}}}" for code in (*range(0x20), *range(0x7F, 0xA0), *_BIDI, *_INVISIBLE)}
    return shown | _NAMED


_TERMINAL = _Table(_visible())
_PIPE = _Table(_visible() | {0x5C: "\\\\"})
_JOINED = _Table(_visible() | {0x5C: "\\\\", 0x2C: "\\,"})


def clean(text: str) -> str:
    """`text` as one line that is safe on a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return _translate(text, _TERMINAL)


def clean_lines(text: str) -> list[str]:
    """The lines of `text` (ended by `\\n` or `\\r\\n`), each safe on a terminal; at least one."""
    if text.isascii() and text.isprintable():
        return [text]
    return [clean(line) for line in text.replace("\r\n", "\n").split("\n")]


def pipe_value(text: str) -> str:
    """`text` as a value of a tab-separated line, escaped as `\\t`, `\\n`, `\\r`, `\\\\` and `\\u{HEX}`."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return _translate(text, _PIPE)


def pipe_joined(texts: list[str]) -> str:
    """Several values joined by `,`; a comma inside a value becomes `\\,`."""
    return ",".join(_translate(text, _JOINED) for text in texts)


def _translate(text: str, table: _Table) -> str:
    """`text` by the table, but for flags written with tags."""
    if _BLACK_FLAG not in text:
        return text.translate(table)
    # Every second part is a flag.
    parts = _FLAG.split(text)
    return "".join(part if place % 2 else part.translate(table) for place, part in enumerate(parts))
