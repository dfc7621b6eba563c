"""The session list on terminals of every width, as whole pieces of screen."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message, Participant, Session
from smscli.output.columns import (
    ACTIVITY_COLUMNS,
    COLUMNS,
    DEFAULT_COLUMNS,
    Column,
    ListedSession,
    SessionTable,
    parse_columns,
    user_data_column,
)
from smscli.output.render.layout import cells
from smscli.output.render.session_list import sessions_table
from smscli.transcript.activity import ActivitySummary

CUSTOMER = Participant("Customer", "PersonP", "009052BDEE39003C", "All")
AGENT = Participant("Agent", "Agent1", "009052BDEE4A003E", "All")
COACH = Participant("Agent", "Coach", "009052BDEE4A003F", "Agents")
RECEIVED = datetime(2013, 12, 27, 21, 16, 41, tzinfo=UTC)
PACIFIC = timezone(timedelta(hours=-8))
SESSIONS = [
    Session("0000Na9B26EF002G", "Chatting", None, (AGENT, CUSTOMER), received=RECEIVED),
    Session("0000Na9B26EF003H", "Invited", None, (Participant("Customer", "客户李"), AGENT, COACH)),
    Session("0000Na9B26EF004J"),
]
CAPTION = "SMS sessions of agent1 at gws.example.com"


@dataclass
class Paper:
    width: int = 80
    color: bool = False
    ascii: bool = False


def drawn(
    sessions: Sequence[Session | ListedSession],
    paper: Paper,
    columns: Sequence[Column] = DEFAULT_COLUMNS,
    *,
    caption: str = "mine",
    zone: tzinfo = UTC,
) -> str:
    listed = [ListedSession(one) if isinstance(one, Session) else one for one in sessions]
    return sessions_table(SessionTable(listed, columns, caption), paper, zone)


def test_at_80_columns_each_session_has_one_line() -> None:
    assert drawn(SESSIONS, Paper(), caption=CAPTION, zone=PACIFIC) == (
        "id                state     customer  agents         received (UTC-08:00)\n"
        "0000Na9B26EF002G  Chatting  PersonP   Agent1         2013-12-27 13:16:41\n"
        "0000Na9B26EF003H  Invited   客户李    Agent1, Coach\n"
        "0000Na9B26EF004J\n"
        "SMS sessions of agent1 at gws.example.com\n"
    )


def test_long_names_are_cut_in_their_middle_so_that_phone_numbers_differ() -> None:
    people = [
        (
            Participant("Customer", f"+49 151 2345678{number}0{number}"),
            Participant("Agent", "Maximiliane von Hohenfels"),
        )
        for number in (1, 2)
    ]
    sessions = [
        Session(f"0000Na9B26EF000{n}", "Chatting", None, one, received=RECEIVED)
        for n, one in enumerate(people)
    ]
    assert drawn(sessions, Paper()) == (
        "id                state     customer        agents           received (UTC)\n"
        "0000Na9B26EF0000  Chatting  +49 151…678101  Maximil…henfels  2013-12-27 21:16:41\n"
        "0000Na9B26EF0001  Chatting  +49 151…678202  Maximil…henfels  2013-12-27 21:16:41\n"
        "mine\n"
    )


def test_an_invitation_without_an_agent_says_so_in_bold() -> None:
    invited = Session("0000Na9B26EF005K", "Invited", None, (CUSTOMER,))
    assert drawn([invited], Paper(), parse_columns("id,state,customer,agents")) == (
        "id                state    customer  agents\n0000Na9B26EF005K  Invited  PersonP   no agent\nmine\n"
    )
    line = drawn([invited], Paper(color=True)).splitlines()[1]
    assert "\x1b[1mInvited\x1b[0m" in line
    assert "\x1b[1mno agent\x1b[0m" in line


def test_in_ascii_nothing_else_is_drawn() -> None:
    long = Session("0000Na9B26EF004J", participants=(Participant("Customer", "x" * 40 + "y" * 40),))
    assert drawn([long], Paper(ascii=True), parse_columns("id,customer")) == (
        f"id                customer\n0000Na9B26EF004J  {'x' * 30}..{'y' * 30}\nmine\n"
    )


def test_at_40_columns_each_session_is_a_card() -> None:
    assert drawn(SESSIONS, Paper(40), caption=CAPTION, zone=PACIFIC) == (
        "0000Na9B26EF002G\n"
        "  Chatting  ▶ PersonP  ◆ Agent1\n"
        "  received (UTC-08:00) 2013-12-27\n"
        "  13:16:41\n"
        "0000Na9B26EF003H\n"
        "  Invited  ▶ 客户李  ◆ Agent1, Coach\n"
        "0000Na9B26EF004J\n"
        "SMS sessions of agent1 at\n"
        "gws.example.com\n"
    )


LAST = Message("S1", 4, "Text", CUSTOMER, "All", RECEIVED + timedelta(hours=1), "Is anybody\nthere?")
WITH_ACTIVITY = [
    ListedSession(SESSIONS[0], ActivitySummary(3, (), None, LAST.at, None, 150.0, None, ("PersonP",), LAST)),
    ListedSession(SESSIONS[1], ActivitySummary(0, (), waiting_seconds=12.5)),
    ListedSession(SESSIONS[2]),
]
ALL_COLUMNS = DEFAULT_COLUMNS + ACTIVITY_COLUMNS


def test_at_120_columns_the_last_message_stands_in_the_line() -> None:
    assert drawn(WITH_ACTIVITY, Paper(120), ALL_COLUMNS) == (
        "id                state     customer  agents         received  waiting     typing   last message\n"
        "0000Na9B26EF002G  Chatting  PersonP   Agent1         21:16:41  2 min 30 s  PersonP  "
        "22:16:41 PersonP: Is anybody\\nthere?\n"
        "0000Na9B26EF003H  Invited   客户李    Agent1, Coach            12 s\n"
        "0000Na9B26EF004J\n"
        "mine, times are UTC\n"
    )


def test_at_80_columns_the_last_message_stands_below() -> None:
    assert drawn(WITH_ACTIVITY, Paper(), ALL_COLUMNS) == (
        "id                state     customer  agents       received  waiting     typing\n"
        "0000Na9B26EF002G  Chatting  PersonP   Agent1       21:16:41  2 min 30 s  PersonP\n"
        "    22:16:41 PersonP: Is anybody\\nthere?\n"
        "0000Na9B26EF003H  Invited   客户李    Agent…Coach            12 s\n"
        "0000Na9B26EF004J\n"
        "mine, times are UTC\n"
    )


def test_beside_messages_a_time_of_an_earlier_day_has_its_date() -> None:
    earlier = Session("0000Na9B26EF006L", received=RECEIVED - timedelta(days=3))
    shown = drawn([WITH_ACTIVITY[0], ListedSession(earlier)], Paper(160), ALL_COLUMNS)
    assert [line.split()[4 if place == 1 else 1] for place, line in enumerate(shown.splitlines())][1:3] == [
        "21:16:41",
        "12-24",
    ]


@pytest.mark.parametrize(
    ("zone", "offset", "time"),
    [
        (UTC, "UTC", "2013-12-27 21:16:41"),
        (ZoneInfo("Asia/Kathmandu"), "UTC+05:45", "2013-12-28 03:01:41"),
        (timezone(-timedelta(hours=3.5)), "UTC-03:30", "2013-12-27 17:46:41"),
    ],
)
def test_the_title_of_the_times_names_their_offset(zone: tzinfo, offset: str, time: str) -> None:
    assert drawn(SESSIONS[:1], Paper(), parse_columns("id,receivedDate"), zone=zone) == (
        f"id                received ({offset})\n0000Na9B26EF002G  {time}\nmine\n"
    )


def test_a_time_with_another_offset_says_so() -> None:
    summer = Session("1", received=datetime(2026, 7, 1, 12, tzinfo=UTC))
    winter = Session("2", received=datetime(2026, 12, 1, 12, tzinfo=UTC))
    assert drawn(
        [summer, winter], Paper(), parse_columns("receivedDate"), zone=ZoneInfo("Europe/Berlin")
    ) == ("received (UTC+02:00)\n2026-07-01 14:00:00\n2026-12-01 13:00:00 UTC+01:00\nmine\n")


def test_the_columns_of_the_list_can_be_chosen() -> None:
    data = {"Code": "Sold", "n": 7, "ok": True, "nothing": None, "deep": {"é": [1]}}
    session = Session("17", None, "http://x/17", (), ("Leave", "Transfer"), data, None, "hm")
    columns = [*map(user_data_column, data), *parse_columns("comment,capabilities,uri")]
    assert drawn([session], Paper(100), columns) == (
        "Code  n  ok   nothing  deep        comment  capabilities     uri\n"
        'Sold  7  yes           {"é": [1]}  hm       Leave, Transfer  http://x/17\n'
        "mine\n"
    )


def test_an_id_is_never_cut_however_long() -> None:
    for width in (10, 40, 80):
        assert "x" * 100 in drawn([Session("x" * 100, "Chatting")], Paper(width))


@pytest.mark.parametrize("columns", [DEFAULT_COLUMNS, ALL_COLUMNS])
@pytest.mark.parametrize("width", [80, 81, 100, 132, 200])
def test_from_80_columns_on_no_line_is_wider_than_the_terminal(width: int, columns: Sequence[Column]) -> None:
    crowd = tuple(Participant("Agent", f"Agent{number}") for number in range(20))
    sessions = [*WITH_ACTIVITY, ListedSession(Session("0000Na9B26EF007M", "x" * 500, participants=crowd))]
    shown = drawn(sessions, Paper(width), columns).splitlines()
    assert max(map(cells, shown)) <= width
    if columns is DEFAULT_COLUMNS:
        assert len(shown) == len(sessions) + 2


def test_each_person_has_their_own_colour() -> None:
    session = Session("0000Na9B26EF002G", participants=(CUSTOMER, AGENT, Participant("Agent", "Agent2")))
    line = drawn([session], Paper(color=True), parse_columns("id,customer,agents")).splitlines()[1]
    assert line == (
        "\x1b[1m0000Na9B26EF002G\x1b[0m  \x1b[38;5;31mPersonP\x1b[0m   "
        "\x1b[38;5;130mAgent1\x1b[0m, \x1b[38;5;161mAgent2\x1b[0m"
    )


def test_the_environment_changes_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    papers = [Paper(72), Paper(72, color=True)]
    before = [drawn(SESSIONS, paper) for paper in papers]
    for name, value in {"TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "1", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
        assert [drawn(SESSIONS, paper) for paper in papers] == before


def test_markup_is_no_markup() -> None:
    assert drawn(
        [Session("[red]1[/red]", "[b]")], Paper(), parse_columns("id,state"), caption="[i]c[/i]"
    ) == ("id            state\n[red]1[/red]  [b]\n[i]c[/i]\n")


NASTY = st.text(st.characters(exclude_categories=[]), max_size=20)
PEOPLE = st.builds(Participant, st.sampled_from(["Customer", "Agent"]) | NASTY, st.none() | NASTY)
ANY_SESSION = st.builds(
    Session, NASTY, NASTY, NASTY, st.lists(PEOPLE, max_size=3).map(tuple), comment=st.none() | NASTY
)
SAID = st.builds(Message, NASTY, st.none(), st.just("Text"), PEOPLE, st.none() | NASTY, text=NASTY)
SUMMARIES = st.builds(
    ActivitySummary,
    st.integers(0, 9),
    st.just(()),
    waiting_seconds=st.none() | st.floats(0, 1e6),
    typing=st.lists(NASTY, max_size=2).map(tuple),
    last_message=st.none() | SAID,
)


@pytest.mark.parametrize("color", [False, True])
@given(st.builds(ListedSession, ANY_SESSION, st.none() | SUMMARIES), NASTY, st.integers(0, 120))
def test_nothing_but_our_own_codes_reaches_the_terminal(
    color: bool, listed: ListedSession, text: str, width: int
) -> None:
    shown = drawn([listed], Paper(width, color), [*COLUMNS.values(), user_data_column(text)], caption=text)
    ours = re.compile(r"\x1b\[[0-9;]+m" if color else "(?!)")
    for line in ours.sub("", shown).split("\n"):
        assert not {unicodedata.category(one) for one in line} & {"Cc", "Cs", "Zl", "Zp"}
        assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", line)
