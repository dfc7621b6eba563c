"""Numbers of SMS at the boundaries of 3GPP TS 23.038 and 23.040, counted by hand."""

import pytest

from smscli.transcript.sms_parts import SmsParts, code_point, sms_parts

GRIN = "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 459, 3),
        ("a" * 460, 4),
        # The euro sign and brackets count two.
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("[" * 80, 1),
        # None of them is split: the first part ends with an unused septet.
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 151 + "€" + "a" * 153, 2),
        ("€" * 76 + "€" * 76, 2),
        ("€" * 153, 3),
        ("äöüßñÆ" * 26 + "aaaa", 1),
        ("Δ" * 160, 1),
    ],
)
def test_a_text_of_the_gsm_alphabet(text: str, number: int) -> None:
    assert sms_parts(text) == SmsParts(number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("ж" * 201, 3),
        ("ж" * 202, 4),
    ],
)
def test_any_other_text_is_ucs_2(text: str, number: int) -> None:
    assert sms_parts(text) == SmsParts(number, True, ("ж",))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (GRIN * 35, 1),
        (GRIN * 36, 2),
        # 33 pairs in each part: the 67th unit can't take half of one.
        (GRIN * 66, 2),
        (GRIN * 67, 3),
        ("a" * 66 + GRIN + "a" * 65, 2),
        ("a" * 66 + GRIN + "a" * 66, 3),
        ("a" * 65 + GRIN + "a" * 67, 2),
    ],
)
def test_a_surrogate_pair_is_not_split(text: str, number: int) -> None:
    assert sms_parts(text) == SmsParts(number, True, (GRIN,))


@pytest.mark.parametrize(
    ("sign", "plain_number"),
    [("’", 1), ("“", 1), ("”", 1), ("–", 1), ("\u00a0", 1), ("‘", 1), ("—", 1)],
)
def test_what_has_a_plain_equivalent_is_counted_without_it(sign: str, plain_number: int) -> None:
    assert sms_parts("a" * 159 + sign) == SmsParts(3, True, (sign,), plain_number)


def test_three_dots_take_three_places() -> None:
    assert sms_parts("a" * 157 + "…") == SmsParts(3, True, ("…",), 1)
    assert sms_parts("a" * 158 + "…") == SmsParts(3, True, ("…",), 2)


def test_one_character_without_an_equivalent_decides() -> None:
    assert sms_parts("’" * 70 + "ж’") == SmsParts(2, True, ("’", "ж"))


def test_characters_are_named_by_their_code_points() -> None:
    assert [code_point(one) for one in ("’", GRIN, "\u00a0")] == ["U+2019", "U+1F600", "U+00A0"]
