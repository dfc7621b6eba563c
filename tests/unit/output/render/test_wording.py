"""The words that the terminal's transcript and the page share."""

from datetime import UTC, datetime

import pytest

from smscli.output.render.wording import DayClock, DayHeading, parts, shown


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
    clock = DayClock(UTC)
    assert clock(datetime(2013, 12, 27, 9, 5, 1, tzinfo=UTC)) == (
        "09:05:01",
        DayHeading("Fri 2013-12-27", ", times are UTC"),
    )
    assert clock(datetime(1, 1, 1, tzinfo=UTC)) == ("00:00:00", DayHeading("Mon 0001-01-01", ""))
    assert clock(datetime(1, 1, 1, 23, 59, 59, tzinfo=UTC)) == ("23:59:59", None)


def test_marks_divide_a_text() -> None:
    assert [*parts("hello", [(1, 3), (4, 9)])] == [
        ("h", False), ("el", True), ("l", False), ("o", True), ("", False),
    ]  # fmt: skip
    assert [*parts("hello", [])] == [("hello", False)]


def test_no_mark_divides_a_line_end() -> None:
    assert [*parts("a\r\nb", [(2, 3)])] == [("a", False), ("\r\n", True), ("b", False)]
    assert [*parts("a\r\nb", [(0, 2)])] == [("", False), ("a", True), ("\r\nb", False)]
