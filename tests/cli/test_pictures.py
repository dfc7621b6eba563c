"""The README's pictures show what the commands show today, load nothing and have words for who can't see."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pyte.screens import Char

from tests.support.paths import README
from tests.support.pictures import FOLDER, PICTURES, Picture, drawn, svg

pytestmark = pytest.mark.slow

SVG = "{http://www.w3.org/2000/svg}"


def named(picture: Picture) -> str:
    return picture.name


def cells(text: str, **style: object) -> list[Char]:
    return [Char(letter, **style) for letter in text]


def marks(picture: str, tag: str) -> list[ElementTree.Element]:
    """What is drawn below the title, the style sheet, the frame and the prompt."""
    return [one for one in [*ElementTree.fromstring(picture)][4:] if one.tag == f"{SVG}{tag}"]


@pytest.mark.parametrize("picture", PICTURES, ids=named)
def test_a_picture_shows_what_its_command_shows(picture: Picture, tmp_path: Path) -> None:
    """Where it does not, and should: `python -m tests.support.pictures` draws it anew."""
    wanted = (FOLDER / f"{picture.name}.svg").read_text(encoding="utf-8")
    # A view that counts seconds may be photographed in the next one on a busy machine.
    for attempt in range(3 if picture.until else 1):
        found = drawn(picture, tmp_path / str(attempt))
        if found == wanted:
            break
    assert found == wanted


def test_the_readme_shows_every_picture_in_words_too() -> None:
    shown = re.findall(r"^!\[([^]]+)\]\(tests/golden/(\w+)\.svg\)$", README.read_text("utf-8"), re.MULTILINE)
    assert sorted(name for _, name in shown) == sorted(picture.name for picture in PICTURES)
    assert all(len(words) > 40 for words, _ in shown)
    assert sorted(file.stem for file in FOLDER.glob("*.svg")) == sorted(name for _, name in shown)


@pytest.mark.parametrize("picture", PICTURES, ids=named)
def test_a_picture_loads_nothing(picture: Picture) -> None:
    text = (FOLDER / f"{picture.name}.svg").read_text(encoding="utf-8")
    assert {one.tag for one in ElementTree.fromstring(text).iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "title", "style", "rect", "path", "text", "tspan")
    }
    assert not re.search(r"\b(href|src|on\w+)=|url\(|@import|@font-face", text)


def test_each_phrase_keeps_its_columns_and_its_style() -> None:
    row = [
        *cells("a <b>  "),
        *cells("c", fg="0087d7", bold=True),
        *cells(" d", fg="brightblack", italics=True, underscore=True),
    ]
    seen = [
        (one.text, one.get("x"), one.get("textLength"), one.get("fill"), one.get("class"))
        for one in marks(svg("list", [row]), "text")
    ]
    # Cells are 8.4 wide, and the first begins at 16.
    assert seen == [
        ("a <b>", "16", "42", "#dce2e8", None),
        ("c", "74.8", "8.4", "#0087d7", "b"),
        ("d", "91.6", "8.4", "#8e99a5", "i u"),
    ]


def test_a_wide_letter_has_two_cells_and_is_written_once() -> None:
    row = [*cells("a"), Char("\U0001f44d"), Char(""), *cells("b")]
    text = marks(svg("list", [row]), "text")[0]
    assert (text.text, text.get("textLength")) == ("a\U0001f44db", "33.6")


def test_lines_and_blocks_are_drawn_from_side_to_side() -> None:
    picture = svg("list", [cells("╭──││██")])
    # The line of cells below the prompt reaches from 35 down to 54.
    assert [one.get("d") for one in marks(picture, "path")] == [
        "M20.2 54Q20.2 44.5 24.4 44.5",
        "M32.8 44.5L24.4 44.5M32.8 44.5L41.2 44.5",
        "M45.4 44.5L45.4 35M45.4 44.5L45.4 54",
        "M53.8 44.5L53.8 35M53.8 44.5L53.8 54",
    ]
    assert [(one.get("x"), one.get("width"), one.get("height")) for one in marks(picture, "rect")] == [
        ("58", "16.8", "15.2")
    ]
