"""A stranger's text, made harmless."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.sanitize import clean, clean_lines, pipe_joined, pipe_value

ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
TEXAS = "🏴\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f"
ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("Hello [bold]there[/bold]", "Hello [bold]there[/bold]"),
        ("\x1b[31mred", "\\u{1B}[31mred"),
        ("\x1b]8;;https://evil.example\x07click", "\\u{1B}]8;;https://evil.example\\u{7}click"),
        ("\x9b2J", "\\u{9B}2J"),
        ("\x7f\x00", "\\u{7F}\\u{0}"),
        ("a\u202ebc\u2066d\u200f", "a\\u{202E}bc\\u{2066}d\\u{200F}"),
        ("a\ufeffc\u00add", "a\\u{FEFF}c\\u{AD}d"),
        (
            "\u1781\u17d2\u1789\u17bb\u17c6\u200b\u1791\u17c5 a\u2060b",
            "\u1781\u17d2\u1789\u17bb\u17c6\u200b\u1791\u17c5 a\u2060b",
        ),
        (f"go {ENGLAND}{TEXAS}!", f"go {ENGLAND}{TEXAS}!"),
        # Tags alone, behind another emoji, without an end, too short, too long, or with others among them.
        ("\U000e0067\U000e007f", "\\u{E0067}\\u{E007F}"),
        ("🏁\U000e0067\U000e0062\U000e0065\U000e007f", "🏁\\u{E0067}\\u{E0062}\\u{E0065}\\u{E007F}"),
        ("🏴\U000e0067\U000e0062\U000e0065", "🏴\\u{E0067}\\u{E0062}\\u{E0065}"),
        ("🏴\U000e0067\U000e007f", "🏴\\u{E0067}\\u{E007F}"),
        ("🏴" + "\U000e0061" * 8 + "\U000e007f", "🏴" + "\\u{E0061}" * 8 + "\\u{E007F}"),
        ("🏴\U000e0067\U000e0020\U000e0065\U000e007f", "🏴\\u{E0067}\\u{E0020}\\u{E0065}\\u{E007F}"),
        ("🏴\x1b[2J", "🏴\\u{1B}[2J"),
        ("one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"),
        ("one\u2028two", "one\\u{2028}two"),
        ("a\u034fb\u115fc\u3164d\uffa0e", "a\\u{34F}b\\u{115F}c\\u{3164}d\\u{FFA0}e"),
        ("a\U000e0041b\U0001d173c\u2065", "a\\u{E0041}b\\u{1D173}c\\u{2065}"),
        ("half \ud83d of it", "half \\u{D83D} of it"),
        ("C:\\temp", "C:\\temp"),
        ("Grüße 你好 👩‍🚒", "Grüße 你好 👩‍🚒"),
        ("می\u200cخواهم ❤\ufe0f 辻\U000e0100 ᠠ\u180b", "می\u200cخواهم ❤\ufe0f 辻\U000e0100 ᠠ\u180b"),
        ("", ""),
    ],
)
def test_what_could_act_on_a_terminal_becomes_visible(sent: str, seen: str) -> None:
    assert clean(sent) == seen


# Default_Ignorable_Code_Point of DerivedCoreProperties.txt (Unicode 16), first and last of each range.
IGNORABLE = (
    "00AD 034F 061C 115F..1160 17B4..17B5 180B..180F 200B..200F 202A..202E 2060..206F 3164 FE00..FE0F FEFF"
    " FFA0 FFF0..FFF8 1BCA0..1BCA3 1D173..1D17A E0000..E0FFF"
)
# Emoji and scripts are written with these: joiners, breaks, and variation selectors of all three blocks.
WRITTEN = "180B..180D 180F 200B..200D 2060 FE00..FE0F E0100..E01EF"


def characters(ranges: str) -> set[str]:
    ends = ((first, last or first) for first, _, last in (one.partition("..") for one in ranges.split()))
    return {chr(code) for first, last in ends for code in range(int(first, 16), int(last, 16) + 1)}


def test_what_unicode_lets_nobody_see_is_shown_unless_people_write_with_it() -> None:
    written = characters(WRITTEN)
    hidden = characters(IGNORABLE) - written
    assert {one for one in hidden if clean(one) != f"\\u{{{ord(one):X}}}"} == set()
    assert {one for one in written if clean(one) != one} == set()


def test_a_character_is_shown_in_the_same_way_each_time() -> None:
    sent = "é\u00ad\ud800😀\U000e0041"
    assert clean(sent) == clean(sent) == "é\\u{AD}\\u{D800}😀\\u{E0041}"


def test_lines_are_kept_apart_and_each_is_clean() -> None:
    assert clean_lines("one\r\ntwo\n\n\tthree\rfour") == ["one", "two", "", "\\tthree\\rfour"]
    assert clean_lines("") == [""]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("a\tb\nc\rd\\e", "a\\tb\\nc\\rd\\\\e"),
        ("\x1b[0m", "\\u{1B}[0m"),
        ("\u202e\ud800", "\\u{202E}\\u{D800}"),
        ("a,b", "a,b"),
    ],
)
def test_a_value_of_a_row_stays_one_value(value: str, written: str) -> None:
    assert pipe_value(value) == written


def test_flags_written_with_tags_stay_in_rows_and_lines() -> None:
    assert pipe_value(f"a\\{ENGLAND}\U000e0067") == f"a\\\\{ENGLAND}\\u{{E0067}}"
    assert pipe_joined([ENGLAND, f"{TEXAS},"]) == f"{ENGLAND},{TEXAS}\\,"
    assert clean_lines(f"{ENGLAND}\n{TEXAS}") == [ENGLAND, TEXAS]


def test_joined_values_can_be_told_apart() -> None:
    assert pipe_joined(["Agent1", "Doe, J.", "a\\b\tc"]) == "Agent1,Doe\\, J.,a\\\\b\\tc"
    assert pipe_joined([]) == ""


@given(ANY_TEXT)
def test_no_control_bidi_or_surrogate_character_is_left(sent: str) -> None:
    for seen in (clean(sent), *clean_lines(sent), pipe_value(sent), pipe_joined([sent, sent])):
        assert not {unicodedata.category(one) for one in seen} & {"Cc", "Cs", "Zl", "Zp"}
        assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", seen)


@given(ANY_TEXT)
def test_a_row_loses_nothing(sent: str) -> None:
    named = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}

    def back(match: re.Match[str]) -> str:
        return chr(int(match[2], 16)) if match[2] else named[match[1]]

    assert re.sub(r"\\(u\{([0-9A-F]+)\}|[tnr\\])", back, pipe_value(sent)) == sent
