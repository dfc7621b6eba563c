"""How many SMS a text becomes (3GPP TS 23.038, GSM 03.38), and which characters make it longer.

A text of the GSM alphabet has 160 characters in one SMS and 153 in each part of several, those of its
extension table counting two; any other text is UCS-2 with 70 and 67 units of UTF-16. Neither an extension
character nor a surrogate pair is split between two parts.
"""

from collections.abc import Iterator
from typing import NamedTuple

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
# What word processors and phones put in place of a character of the alphabet.
_PLAIN = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"',
    "\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2014": "-", "\u2026": "...",
    "\u00a0": " ", "\u202f": " ",
}  # fmt: skip

_GSM_SINGLE, _GSM_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67


class SmsParts(NamedTuple):
    """The number of SMS that a text becomes; `forcing` are the characters that force UCS-2, each once.

    `plain_number` is the number with their plain equivalents, None where one of them has none.
    """

    number: int
    is_ucs2: bool = False
    forcing: tuple[str, ...] = ()
    plain_number: int | None = None


def sms_parts(text: str) -> SmsParts:
    """How many SMS `text` becomes."""
    forcing = tuple(dict.fromkeys(one for one in text if one not in _BASIC and one not in _EXTENSION))
    if not forcing:
        return SmsParts(_number(_gsm_lengths(text), _GSM_SINGLE, _GSM_PART))
    number = _number(_ucs2_lengths(text), _UCS2_SINGLE, _UCS2_PART)
    if not all(one in _PLAIN for one in forcing):
        return SmsParts(number, True, forcing)
    plain = "".join(_PLAIN.get(one, one) for one in text)
    return SmsParts(number, True, forcing, _number(_gsm_lengths(plain), _GSM_SINGLE, _GSM_PART))


def code_point(character: str) -> str:
    """The code point of a character, as `U+2019`."""
    return f"U+{ord(character):04X}"


def _gsm_lengths(text: str) -> Iterator[int]:
    return (2 if one in _EXTENSION else 1 for one in text)


def _ucs2_lengths(text: str) -> Iterator[int]:
    return (2 if ord(one) > 0xFFFF else 1 for one in text)


def _number(lengths: Iterator[int], single: int, part: int) -> int:
    """The number of SMS for characters of these lengths, none of which is split."""
    total, parts, used = 0, 1, 0
    for length in lengths:
        total += length
        if used + length > part:
            parts, used = parts + 1, 0
        used += length
    return 1 if total <= single else parts
