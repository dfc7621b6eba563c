"""Colours of people."""

import re

import pytest

from smscli.model import Participant, Role
from smscli.output.render import colors
from smscli.output.render.colors import person_number, person_style, role_style

FAMILIES = {"Customer": colors._CUSTOMERS, "Agent": colors._AGENTS, "Bot": colors._OTHERS}
NAMES = [f"Person{number}" for number in range(100)]


def luminance(number: int) -> float:
    """The relative luminance (WCAG 2) of an xterm colour of the 6 x 6 x 6 cube."""
    steps = (number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6
    parts = [(0 if step == 0 else 55 + 40 * step) / 255 for step in steps]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("number", [162, *(one for family in FAMILIES.values() for one in family)])
def test_a_colour_has_a_contrast_of_four_on_black_and_on_white(number: int) -> None:
    assert (luminance(number) + 0.05) / 0.05 >= 4
    assert 1.05 / (luminance(number) + 0.05) >= 4


def test_the_luminance_is_that_of_the_standard() -> None:
    assert (luminance(16), luminance(231)) == (0, pytest.approx(1))


def test_families_share_no_colour() -> None:
    numbers = [162, *(one for family in FAMILIES.values() for one in family)]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("kind", FAMILIES)
def test_people_have_all_colours_of_their_family_and_no_other(kind: str) -> None:
    found = {person_style(Participant(kind, name)) for name in NAMES}
    assert found == {f"color({number})" for number in FAMILIES[kind]}


def test_a_person_has_the_same_colour_however_the_name_is_written_and_wherever_they_are() -> None:
    styles = {
        person_style(Participant(kind, name, number))
        for kind in ("Customer", "client")
        for name in ("Zoë", "ZOE\u0308")
        for number in ("1", "2")
    }
    assert len(styles) == 1


def test_a_person_without_a_nickname_goes_by_the_participant_id() -> None:
    found = {person_style(Participant("Agent", None, str(number))) for number in range(100)}
    assert len(found) == len(FAMILIES["Agent"])
    assert person_number(Participant("Agent"), 4) == 0


def test_a_role_has_a_colour_of_its_family() -> None:
    assert [role_style(role) for role in (Role.CUSTOMER, Role.AGENT, None)] == [
        "color(28)",
        "color(130)",
        "color(98)",
    ]
    assert re.fullmatch(r"color\(\d+\)", person_style(Participant(None, "\ud800")))
