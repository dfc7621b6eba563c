"""The live list, drawn for terminals of every width."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from smscli.model import Message, Participant, Session
from smscli.output.columns import ACTIVITY_COLUMNS, LIVE_COLUMNS, ListedSession
from smscli.output.render.layout import cells
from smscli.output.render.session_list import SessionRow
from smscli.output.render.watch import FollowStatus, LiveList
from smscli.transcript.activity import ActivitySummary

AT = datetime(2026, 3, 2, 10, 5, 30, tzinfo=UTC)
MIKA = Participant("Customer", "Mika", "C1")
ROBIN = Participant("Agent", "Robin", "A1")
LIVE = FollowStatus("live", True, AT)
ASKED = Message("0000Na9B26EF0001", 7, "Text", MIKA, "All", AT.replace(minute=3), "is anybody\nthere?")
TOLD = Message("0000Na9B26EF0002", 9, "Text", ROBIN, "Agents", AT.replace(minute=4), "line 3 is down")


@dataclass
class Display:
    width: int = 80
    color: bool = False
    ascii: bool = False


def session(number: int, *people: Participant, state: str = "Chatting") -> Session:
    return Session(f"0000Na9B26EF000{number}", state, participants=people)


def row(
    session: Session,
    waiting: float | None = None,
    typing: tuple[str, ...] = (),
    last: Message | None = None,
    *,
    overdue: bool = False,
    changed: bool = False,
    gone: bool = False,
) -> SessionRow:
    summary = ActivitySummary(0, (), waiting_seconds=waiting, typing=typing, last_message=last)
    return SessionRow(ListedSession(session, summary), overdue, changed, gone)


COLUMNS = LIVE_COLUMNS + ACTIVITY_COLUMNS
ROWS = (
    row(session(1, MIKA, ROBIN), 150.0, (), ASKED, overdue=True, changed=True),
    row(session(2, Participant("Customer", "Noor"), ROBIN), 12.0, ("Noor", "Robin"), TOLD),
    row(session(3, state="Invited")),
)


def drawn(
    width: int,
    rows: tuple[SessionRow, ...] = ROWS,
    *,
    lines: int = 24,
    ascii: bool = False,
    color: bool = False,
) -> list[str]:
    live = LiveList(
        Display(width, color, ascii), "of demo at 127.0.0.1", LIVE_COLUMNS + ACTIVITY_COLUMNS, UTC
    )
    return [line.rstrip() for line in live(LIVE, rows, lines, "nobody is here")]


def test_where_there_is_room_each_session_has_one_line() -> None:
    assert drawn(120) == [
        "● live · 10:05:30 UTC · 3 SMS sessions of demo at 127.0.0.1",
        "   id                state     customer  agents    waiting       typing       last message",
        "●  0000Na9B26EF0001  Chatting  Mika      Robin     ! 2 min 30 s               "
        "10:03:30 Mika: is anybody\\nthere?",
        "   0000Na9B26EF0002  Chatting  Noor      Robin     12 s          Noor, Robin  "
        "10:04:30 Robin: [agents only] line 3 is …",
        "   0000Na9B26EF0003  Invited             no agent",
    ]


def test_on_eighty_columns_the_last_message_stands_below() -> None:
    assert drawn(80) == [
        "● live · 10:05:30 UTC · 3 SMS sessions of demo at 127.0.0.1",
        "   id                state     customer  agents    waiting       typing",
        "●  0000Na9B26EF0001  Chatting  Mika      Robin     ! 2 min 30 s",
        "    10:03:30 Mika: is anybody\\nthere?",
        "   0000Na9B26EF0002  Chatting  Noor      Robin     12 s          Noor, Robin",
        "    10:04:30 Robin: [agents only] line 3 is down",
        "   0000Na9B26EF0003  Invited             no agent",
    ]


def test_on_forty_columns_each_session_is_a_small_card() -> None:
    assert drawn(40) == [
        "● live · 10:05:30 UTC · 3 SMS sessions…",
        "● 0000Na9B26EF0001",
        "  Chatting  ▶ Mika  ◆ Robin",
        "  waiting ! 2 min 30 s",
        "  10:03:30 Mika: is anybody\\nthere?",
        "0000Na9B26EF0002",
        "  Chatting  ▶ Noor  ◆ Robin",
        "  waiting 12 s  typing Noor, Robin",
        "  10:04:30 Robin: [agents only] line 3…",
        "0000Na9B26EF0003",
        "  Invited  ◆ no agent",
    ]


def test_in_ascii_nothing_else_is_drawn() -> None:
    assert drawn(40, ROWS[:1], ascii=True) == [
        "* live - 10:05:30 UTC - 1 SMS session..",
        "* 0000Na9B26EF0001",
        "  Chatting  > Mika  * Robin",
        "  waiting ! 2 min 30 s",
        "  10:03:30 Mika: is anybody\\nthere?",
    ]


@pytest.mark.parametrize("width", [5, 20, 39, 40, 60, 79, 80, 100, 132, 200])
def test_no_line_is_as_wide_as_the_terminal(width: int) -> None:
    assert all(cells(line) < width for line in drawn(width))


def test_a_terminal_of_no_width_is_no_trouble() -> None:
    assert len(drawn(1)) > 1
    assert len(drawn(0)) > 1


def test_what_has_no_room_is_counted() -> None:
    assert drawn(120, lines=4)[2:] == [drawn(120)[2], "… and 2 more"]
    assert drawn(120, lines=5) == drawn(120)
    assert drawn(80, lines=5)[2:] == [*drawn(80)[2:4], "… and 2 more"]
    assert len(drawn(120, lines=1)) == 1


def test_those_who_wait_for_too_long_are_shown_before_the_others() -> None:
    assert drawn(120, ROWS[::-1], lines=4)[2:] == [drawn(120)[2], "… and 2 more"]
    overdue = tuple(row(session(n), 300.0, overdue=True) for n in range(1, 4))
    shown = drawn(120, (ROWS[2], *overdue), lines=5)
    assert [line.split()[0] for line in shown[2:4]] == ["0000Na9B26EF0001", "0000Na9B26EF0002"]
    assert shown[4] == "… and 2 more, 1 waiting for too long"


def test_a_session_that_has_gone_says_so_and_one_that_ended_how() -> None:
    gone, ended = row(session(1), gone=True), row(session(2, state="Completed"), gone=True)
    assert [line.split() for line in drawn(80, (gone, ended))[2:]] == [
        ["0000Na9B26EF0001", "gone"],
        ["0000Na9B26EF0002", "Completed"],
    ]


def test_an_empty_list_says_why() -> None:
    assert drawn(80, ()) == ["● live · 10:05:30 UTC · 0 SMS sessions of demo at 127.0.0.1", "nobody is here"]


def test_who_waits_too_long_is_marked_in_colour_too() -> None:
    line = drawn(120, color=True)[2]
    assert "\x1b[1;38;5;162m! 2 min 30 s\x1b[0m" in line
    assert "\x1b[1;38;5;130m●\x1b[0m" in line


def test_strangers_words_are_shown_and_not_executed() -> None:
    hostile = Participant("Customer", "a\x1b[2J\u202eb", "C2")
    message = Message("s", 1, "Text", hostile, "All", AT, "x\x07\r\x9by")
    shown = row(Session("id\x1b]0;t\x07", "st\nate", participants=(hostile,)), 1.0, ("t\x1bt",), message)
    for width in (40, 80, 160):
        text = "".join(drawn(width, (shown,)))
        assert text.isprintable()
        assert "a\\u{1B}[2J" in text


WHOLE = """\
● live · 10:02:35 UTC · 3 SMS sessions of demo at 127.0.0.1
   id                state     customer  agents    waiting       typing
   0000Na9C009E6UOL  Chatting  Toni      Robin     ! 5 min 25 s
    09:57:10 Toni: that was me, the pump failed twice. please unblock it, peop…
●  0000Na9C00RNNF4Z  Chatting  Ines      Robin     7 s           Ines
    10:02:28 Ines: it's off
   0000Na9C000IX4WS  Invited   Yuki      no agent
Toni has been waiting for 5 min in session 0000Na9C009E6UOL"""


def test_a_whole_screen() -> None:
    toni, ines, yuki = (Participant("Customer", name) for name in ("Toni", "Ines", "Yuki"))
    at = datetime(2026, 11, 25, 10, 2, 35, tzinfo=UTC)
    before = datetime(2026, 11, 25, 9, 57, 10, tzinfo=UTC)
    pump = "that was me, the pump failed twice. please unblock it, people are queueing"
    rows = (
        row(
            Session("0000Na9C009E6UOL", "Chatting", participants=(toni, ROBIN)),
            325.0,
            (),
            Message("0000Na9C009E6UOL", 9, "Text", toni, "All", before, pump),
            overdue=True,
        ),
        row(
            Session("0000Na9C00RNNF4Z", "Chatting", participants=(ines, ROBIN)),
            7.0,
            ("Ines",),
            Message("0000Na9C00RNNF4Z", 5, "Text", ines, "All", at.replace(second=28), "it's off"),
            changed=True,
        ),
        row(Session("0000Na9C000IX4WS", "Invited", participants=(yuki,))),
    )
    live = LiveList(Display(80), "of demo at 127.0.0.1", COLUMNS, UTC)
    said = live.below(["Toni has been waiting for 5 min in session 0000Na9C009E6UOL"], 24)
    picture = [*live(FollowStatus("live", True, at), rows, 24), *said]
    assert "\n".join(line.rstrip() for line in picture) == WHOLE
