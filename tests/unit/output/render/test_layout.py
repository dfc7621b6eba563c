"""Cells, folding, paint, and times in words."""

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.output.render.layout import (
    PLAIN,
    NoWrap,
    Paint,
    cells,
    chop,
    cut,
    duration,
    fold,
    local_time,
    offset_words,
    paint,
    shape,
)

WORDS = st.text(st.sampled_from("ab 客户é-👩\u200d\ufe0f\u0301"), max_size=60)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("plain", 5),
        ("Grüße", 5),
        ("客户", 4),
        ("e\u0301", 1),
        ("👩‍🚒", 4),
        ("❤\ufe0f", 2),
        ("\ufe0f", 1),
        ("", 0),
    ],
)
def test_cells_of_a_text(text: str, size: int) -> None:
    assert cells(text) == size


@pytest.mark.parametrize(
    ("text", "width", "seen"),
    [
        ("PersonP", 7, "PersonP"),
        ("PersonPeter", 7, "Person…"),
        ("客户李先生", 7, "客户李…"),
        ("客户李先生", 6, "客户…"),
        ("ab", 1, ""),
    ],
)
def test_cut_to_a_width(text: str, width: int, seen: str) -> None:
    assert cut(text, width, "…") == seen


@pytest.mark.parametrize(
    ("text", "first", "width", "lines"),
    [
        ("one two three", 20, 20, ["one two three"]),
        ("one two three", 7, 7, ["one two", "three"]),
        ("one two three", 3, 9, ["one", "two three"]),
        ("one two", 0, 7, ["", "one two"]),
        ("  indented", 10, 10, ["  indented"]),
        ("a    b", 3, 3, ["a", "b"]),
        ("abcdefghij", 4, 4, ["abcd", "efgh", "ij"]),
        ("x abcdefghij", 4, 5, ["x ab", "cdefg", "hij"]),
        ("abc   ", 3, 3, ["abc"]),
        ("abc  d", 4, 4, ["abc", "d"]),
        ("abc  \u0301", 4, 4, ["abc", "\u0301"]),
        ("客户李先生", 5, 5, ["客户", "李先", "生"]),
        ("abc 客户李先生", 5, 5, ["abc", "客户", "李先", "生"]),
        ("", 5, 5, [""]),
    ],
)
def test_lines_end_between_words(text: str, first: int, width: int, lines: list[str]) -> None:
    assert fold([(text, PLAIN)], first, width) == lines


def test_a_solid_text_is_not_broken_at_its_blanks() -> None:
    assert fold([("one two ", PLAIN), (NoWrap("(a b)"), PLAIN)], 10, 10) == ["one two", "(a b)"]


def test_each_line_is_painted_by_itself_and_neighbours_together() -> None:
    bold, dim = Paint("<b>", "</b>"), Paint("<d>", "</d>")
    assert fold([("one ", bold), ("two three", dim), (" four", dim)], 9, 9) == [
        "<b>one </b><d>two</d>",
        "<d>three</d>",
        "<d>four</d>",
    ]


def test_a_word_of_many_pieces_is_one_word() -> None:
    bold = Paint("<b>", "</b>")
    assert fold([("one tw", PLAIN), ("o-thr", bold), ("ee four", PLAIN)], 9, 9) == [
        "one",
        "tw<b>o-thr</b>ee",
        "four",
    ]


def test_a_piece_that_goes_on_in_the_next_line_is_painted_in_both() -> None:
    bold = Paint("<b>", "</b>")
    assert fold([("one ", PLAIN), ("two three fourfivesix", bold), (" 7", PLAIN)], 9, 9) == [
        "one <b>two</b>",
        "<b>three fou</b>",
        "<b>rfivesix</b>",
        "7",
    ]


INKS = st.sampled_from([PLAIN, Paint("<b>", "</b>"), Paint("<d>", "</d>")])


@given(st.lists(st.tuples(WORDS, INKS), max_size=5), st.integers(2, 30), st.integers(2, 30))
def test_paint_changes_no_line(pieces: list[tuple[str, Paint]], first: int, width: int) -> None:
    plain = fold([("".join(text for text, _ in pieces), PLAIN)], first, width)
    painted = [re.sub("</?[bd]>", "", line) for line in fold(pieces, first, width)]
    assert painted == plain


@given(WORDS, st.integers(2, 30), st.integers(2, 30))
def test_folding_fits_and_loses_only_blanks(text: str, first: int, width: int) -> None:
    lines = fold([(text, PLAIN)], first, width)
    assert cells(lines[0]) <= first
    assert all(cells(line) <= width for line in lines[1:])
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(WORDS, st.integers(0, 10), st.integers(1, 10))
def test_chopping_loses_nothing(text: str, first: int, width: int) -> None:
    assert "".join(chop(text, first, width)) == text


@pytest.mark.slow
def test_a_text_of_a_mebibyte_is_folded_at_once() -> None:
    lines = fold([("客" * 350_000, PLAIN)], 50, 50)
    assert (len(lines), lines[-1]) == (14_000, "客" * 25)


def test_a_long_text_with_thousands_of_painted_pieces_is_folded_at_once() -> None:
    bold = Paint("<b>", "</b>")
    pieces = [(text, ink) for _ in range(4_000) for text, ink in (("a", PLAIN), ("b", bold))]
    lines = fold([*pieces, (" word" * 200_000, PLAIN)], 50, 50)
    assert (len(lines), lines[0]) == (20_160, "a<b>b</b>" * 25)


def test_paint_is_the_codes_of_a_style_or_nothing() -> None:
    assert paint("bold red", True)("x") == "\x1b[1;31mx\x1b[0m"
    assert paint("color(32)", True)("x") == "\x1b[38;5;32mx\x1b[0m"
    assert paint("bold red", False)("x") == "x"
    assert paint("bold", True)("") == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (12.9, "12 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90000, "25 h"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (UTC, "UTC"),
        (timezone(timedelta(hours=1)), "UTC+01:00"),
        (timezone(timedelta(hours=-3, minutes=-30)), "UTC-03:30"),
        (ZoneInfo("Asia/Kathmandu"), "UTC+05:45"),
    ],
)
def test_offsets_in_words(zone: timezone, words: str) -> None:
    assert offset_words(datetime(2026, 1, 1, tzinfo=zone)) == words


def test_a_time_its_zone_does_not_have_stays_in_utc() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert local_time(last, timezone(timedelta(hours=1))) == last
    assert local_time(last, timezone(timedelta(hours=1))).utcoffset() == timedelta()


def test_a_shape_for_each_type() -> None:
    assert [shape(role, False) for role in ("Customer", "Agent", "External", None)] == ["▶", "◆", "■", "■"]
    assert [shape(role, True) for role in ("Customer", "Agent", "External", None)] == [">", "*", "#", "#"]
