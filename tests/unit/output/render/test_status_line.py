"""The live line."""

import pytest

from smscli.model import Participant
from smscli.output.render.layout import cells
from smscli.output.render.status_line import live_line
from smscli.transcript.fold import ActiveTyping

PERSON = Participant("Customer", "PersonP", "009052BDEE39003C")
AGENT = Participant("Agent", None, "A1")
HOSTILE = Participant("Agent", "a\tb")


def typing(wording: str | None = None, who: Participant = PERSON) -> ActiveTyping:
    return ActiveTyping(who, wording)


def line(*who: ActiveTyping, width: int = 79, ascii: bool = False) -> str:
    return live_line("live", 2, who, width, ascii=ascii)


def test_how_it_goes_and_how_many_are_followed() -> None:
    assert live_line("live", 1, [], 79, ascii=False) == "● live · 1 session"
    assert live_line("live", 0, [], 79, ascii=True) == "* live - 0 sessions"
    lost = live_line("retrying in 4 s", 3, [], 79, ascii=False, connected=False)
    assert lost == "○ retrying in 4 s · 3 sessions"
    assert live_line("lost", 3, [], 79, ascii=True, connected=False) == "o lost - 3 sessions"


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ([typing()], "PersonP is typing"),
        ([typing("hello")], "PersonP is typing: hello"),
        ([typing("hello"), typing(who=AGENT)], "PersonP is typing: hello · A1 is typing"),
        ([typing(who=Participant())], "somebody is typing"),
        ([typing("\x1b[2J\u202e", HOSTILE)], "a\\tb is typing: \\u{1B}[2J\\u{202E}"),
    ],
)
def test_who_is_typing_what(who: list[ActiveTyping], seen: str) -> None:
    assert line(*who) == f"● live · 2 sessions · {seen}"


def test_what_does_not_fit_gives_way_to_an_ellipsis() -> None:
    assert line(typing("a long preview"), width=42) == "● live · 2 sessions · PersonP is typing: …"
    assert (
        line(typing("a long preview"), width=42, ascii=True) == "* live - 2 sessions - PersonP is typing..."
    )


def test_where_it_is_narrow_whoever_is_typing_comes_alone() -> None:
    assert line(typing("a long preview"), width=39) == "● PersonP is typing: a long preview"
    assert line(typing("a long preview"), width=19) == "● PersonP is typin…"
    assert line(typing(), typing(who=AGENT), width=39, ascii=True) == "* PersonP is typing - A1 is typing"
    assert line(width=19) == "● live · 2 sessions"
    assert line(width=18, ascii=True) == "* live - 2 sess..."


def test_where_it_is_narrow_trouble_is_still_told() -> None:
    lost = live_line("retrying in 4 s", 3, [typing()], 39, ascii=False, connected=False)
    assert lost == "○ retrying in 4 s · PersonP is typing"
    assert live_line("lost", 3, [typing()], 19, ascii=True, connected=False) == "o lost - PersonP..."


@pytest.mark.parametrize("width", range(60))
def test_it_never_fills_more_cells_than_it_may(width: int) -> None:
    assert cells(line(typing("客户李👩‍🚒 " * 20), width=width)) <= width


def test_who_waits_too_long_comes_before_who_types() -> None:
    who, waits = [typing("hello")], ["Noor waits 5 min", "a\x1bb waits 1 h"]
    assert live_line("live", 2, who, 79, waiting=waits[:1], ascii=False) == (
        "● live · 2 sessions · ! Noor waits 5 min · PersonP is typing: hello"
    )
    assert live_line("live", 2, [], 30, waiting=waits, ascii=True) == "* ! Noor waits 5 min - ! a\\..."
