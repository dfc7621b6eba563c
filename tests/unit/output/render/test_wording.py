"""The words that the terminal's transcript and the page share."""

from datetime import date

import pytest

from smscli.output.render.wording import day_words, parts, shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ("a\nb", "a\nb"),
        (["é", {"a": None}], '["é", {"a": null}]'),
    ],
)
def test_a_value_for_a_person(value: object, words: str) -> None:
    assert shown(value) == words


def test_a_day_has_its_weekday_and_four_figures_for_its_year() -> None:
    assert [day_words(date(2013, 12, 27)), day_words(date(1, 1, 1))] == ["Fri 2013-12-27", "Mon 0001-01-01"]


def test_marks_divide_a_text() -> None:
    assert [*parts("hello", [(1, 3), (4, 9)])] == [
        ("h", False), ("el", True), ("l", False), ("o", True), ("", False),
    ]  # fmt: skip
    assert [*parts("hello", [])] == [("hello", False)]


def test_no_mark_divides_a_line_end() -> None:
    assert [*parts("a\r\nb", [(2, 3)])] == [("a", False), ("\r\n", True), ("b", False)]
    assert [*parts("a\r\nb", [(0, 2)])] == [("", False), ("a", True), ("\r\nb", False)]
