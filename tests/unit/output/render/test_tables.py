"""Tables and cards, as whole pieces of screen."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message, Participant, Session
from smscli.output.render.tables import pairs_table, session_card
from smscli.transcript.activity import ActivitySummary, CustomerWait, PersonActivity
from smscli.transcript.redact import MASK

CUSTOMER = Participant("Customer", "PersonP", "009052BDEE39003C", "All")
AGENT = Participant("Agent", "Agent1", "009052BDEE4A003E", "All")
COACH = Participant("Agent", "Coach", "009052BDEE4A003F", "Agents")
RECEIVED = datetime(2013, 12, 27, 21, 16, 41, tzinfo=UTC)
PACIFIC = timezone(timedelta(hours=-8))


@dataclass
class Paper:
    width: int = 80
    color: bool = False
    ascii: bool = False


FULL = Session(
    "0000Na9B26EF002G",
    "Chatting",
    "http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
    (AGENT, CUSTOMER, COACH),
    ("AttachUserData", "UpdateUserData", "DeleteUserData", "Leave", "LeaveAndComplete", "Transfer"),
    {"DispositionCode": "Sold", "PegAGChat distribution for processing": 1, "empty": None},
    RECEIVED,
    "first line\nsecond line",
    {"id": "0000Na9B26EF002G", "chatType": "Inbound"},
)
SUMMARY = ActivitySummary(
    12,
    (
        PersonActivity("009052BDEE4A003E", "Agent1", "Agent", present=True, visibility="All"),
        PersonActivity("009052BDEE39003C", "PersonP", "Customer", 7, 42.5, RECEIVED, None, True),
        PersonActivity("009052BDEE4A003F", "Coach", "Agent", present=True, visibility="Agents"),
        PersonActivity("A9", "Gone", "Agent", 5, None, RECEIVED, RECEIVED + timedelta(hours=1)),
    ),
    RECEIVED,
    RECEIVED + timedelta(hours=1),
    14.2,
    125.0,
    CustomerWait(RECEIVED + timedelta(hours=1), "PersonP"),
    ("PersonP",),
)


def test_the_card_at_80_columns() -> None:
    assert session_card(FULL, SUMMARY, Paper(), zone=PACIFIC) == (
        "session 0000Na9B26EF002G, times are UTC-08:00\n"
        "  state         Chatting\n"
        "  customer      PersonP\n"
        "  agents        Agent1, Coach\n"
        "  waiting       2 min 5 s, since 2013-12-27 14:16:41\n"
        "  last message  -\n"
        "  typing        PersonP\n"
        "participants\n"
        "╭──────────────────┬──────────────────┬──────────┬───────┬──────────┬──────────╮\n"
        "│ who              │ id               │ messages │ typed │ joined   │ left     │\n"
        "├──────────────────┼──────────────────┼──────────┼───────┼──────────┼──────────┤\n"
        "│ ◆ Agent1         │ 009052BDEE4A003E │ 0        │ -     │ -        │ -        │\n"
        "│ ▶ PersonP        │ 009052BDEE39003C │ 7        │ 42 s  │ 13:16:41 │ -        │\n"
        "│ ◆ Coach (Agents) │ 009052BDEE4A003F │ 0        │ -     │ -        │ -        │\n"
        "│ ◆ Gone           │ A9               │ 5        │ -     │ 13:16:41 │ 14:16:41 │\n"
        "╰──────────────────┴──────────────────┴──────────┴───────┴──────────┴──────────╯\n"
        "activity\n"
        "  messages        12\n"
        "  first message   2013-12-27 13:16:41\n"
        "  last message    2013-12-27 14:16:41\n"
        "  first response  14 s\n"
        "user data\n"
        "  DispositionCode  Sold\n"
        "  PegAGChat distribution for processing\n"
        "                   1\n"
        "  empty            -\n"
        "capabilities\n"
        "  AttachUserData, UpdateUserData, DeleteUserData, Leave, LeaveAndComplete,\n"
        "  Transfer\n"
        "session\n"
        "  received  2013-12-27 13:16:41\n"
        "  comment   first line\n"
        "            second line\n"
        "  uri       http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G\n"
        "  chatType  Inbound\n"
    )


def test_people_who_are_neither_and_days_and_waits_in_words() -> None:
    bot = PersonActivity(
        "B1", None, "Bot", 1, None, RECEIVED - timedelta(days=1), None, True, visibility="Agents"
    )
    summary = ActivitySummary(
        1, (bot,), RECEIVED, RECEIVED, None, 61.0, CustomerWait(RECEIVED, None, no_agent=True)
    )
    card = session_card(FULL, summary, Paper(90), zone=PACIFIC)
    assert "│ ■ - (Bot, Agents) │ B1 │ 1        │ -     │ 2013-12-26 13:16:41 │ -    │\n" in card
    assert "  waiting       1 min 1 s, no agent since 2013-12-27 13:16:41\n" in card
    unknown = session_card(FULL, summary._replace(waiting_seconds=None), Paper(90), zone=PACIFIC)
    assert "  waiting       no agent since 2013-12-27 13:16:41\n" in unknown


def test_the_card_at_40_columns_in_ascii() -> None:
    session = Session("17", "Chatting", "http://localhost:8080/api/v2/smsessions/17", (CUSTOMER,))
    assert session_card(session, SUMMARY, Paper(40, ascii=True), zone=PACIFIC) == (
        "session 17, times are UTC-08:00\n"
        "  state         Chatting\n"
        "  customer      PersonP\n"
        "  agents        -\n"
        "  waiting       2 min 5 s, since\n"
        "                2013-12-27 14:16:41\n"
        "  last message  -\n"
        "  typing        PersonP\n"
        "participants\n"
        "* Agent1\n"
        "  id        009052BDEE4A003E\n"
        "  messages  0\n"
        "  typed     -\n"
        "  joined    -\n"
        "  left      -\n"
        "> PersonP\n"
        "  id        009052BDEE39003C\n"
        "  messages  7\n"
        "  typed     42 s\n"
        "  joined    13:16:41\n"
        "  left      -\n"
        "* Coach (Agents)\n"
        "  id        009052BDEE4A003F\n"
        "  messages  0\n"
        "  typed     -\n"
        "  joined    -\n"
        "  left      -\n"
        "* Gone\n"
        "  id        A9\n"
        "  messages  5\n"
        "  typed     -\n"
        "  joined    13:16:41\n"
        "  left      14:16:41\n"
        "activity\n"
        "  messages        12\n"
        "  first message   2013-12-27 13:16:41\n"
        "  last message    2013-12-27 14:16:41\n"
        "  first response  14 s\n"
        "user data\n"
        "  none\n"
        "capabilities\n"
        "  none\n"
        "session\n"
        "  received  -\n"
        "  comment   -\n"
        "  uri       http://localhost:8080/api/v2\n"
        "            /smsessions/17\n"
    )


def test_the_card_at_20_columns() -> None:
    session = Session("0000Na9B26EF002G", "Chatting", participants=(CUSTOMER,), received=RECEIVED)
    person = PersonActivity("009052BDEE39003C", "PersonP", "Customer", present=True)
    summary = ActivitySummary(1, (person,), RECEIVED)
    assert session_card(session, summary, Paper(20), zone=PACIFIC) == (
        "session\n"
        "0000Na9B26EF002G\n"
        "times are UTC-08:00\n"
        "  state   Chatting\n"
        "  customer\n"
        "          PersonP\n"
        "  agents  -\n"
        "  waiting\n"
        "          -\n"
        "  last message\n"
        "          -\n"
        "  typing  -\n"
        "participants\n"
        "▶ PersonP\n"
        "  id\n"
        "    009052BDEE39003C\n"
        "  messages\n"
        "          0\n"
        "  typed   -\n"
        "  joined  -\n"
        "  left    -\n"
        "activity\n"
        "  messages\n"
        "         1\n"
        "  first message\n"
        "         2013-12-27\n"
        "         13:16:41\n"
        "  last message\n"
        "         -\n"
        "  first response\n"
        "         -\n"
        "user data\n"
        "  none\n"
        "capabilities\n"
        "  none\n"
        "session\n"
        "  received\n"
        "       2013-12-27\n"
        "       13:16:41\n"
        "  comment\n"
        "       -\n"
        "  uri  -\n"
    )


def test_the_card_of_a_session_of_which_nothing_is_known() -> None:
    nothing = ActivitySummary(0, ())
    session = Session("17", sent={"id": "17", "receivedDate": "soon"})
    assert session_card(session, nothing, Paper(), zone=PACIFIC) == (
        "session 17\n"
        "  state         -\n"
        "  customer      -\n"
        "  agents        -\n"
        "  waiting       -\n"
        "  last message  -\n"
        "  typing        -\n"
        "participants\n"
        "  none\n"
        "activity\n"
        "  messages        0\n"
        "  first message   -\n"
        "  last message    -\n"
        "  first response  -\n"
        "user data\n"
        "  none\n"
        "capabilities\n"
        "  none\n"
        "session\n"
        "  received  soon\n"
        "  comment   -\n"
        "  uri       -\n"
    )


def test_pairs_of_a_name_and_a_value() -> None:
    pairs = {
        "profile": "default",
        "url": "https://gws.example.com/api/v2/and/more",
        "user": None,
        "accepted": True,
    }
    assert pairs_table(pairs, Paper(40)) == (
        "  profile   default\n"
        "  url       https://gws.example.com/api/\n"
        "            v2/and/more\n"
        "  user      -\n"
        "  accepted  yes\n"
    )
    assert pairs_table({"accepted": False}, Paper(color=True)) == "  \x1b[2maccepted\x1b[0m  no\n"
    assert pairs_table({}, Paper()) == ""


def test_masked_user_data_is_counted_on_one_line() -> None:
    masked = Session("17", user_data={"Card": MASK, "Name": MASK})
    card = session_card(masked, ActivitySummary(0, ()), Paper())
    assert "user data\n  2 values masked\ncapabilities\n" in card


def test_what_is_looked_for_first_stands_within_twelve_lines_at_80_columns() -> None:
    crowd = tuple(Participant(kind, f"{kind}{n:03}") for kind in ("Customer", "Agent") for n in range(300))
    words = Message("17", 1, "Text", CUSTOMER, "All", RECEIVED, "word " * 300)
    wait = CustomerWait(RECEIVED, "PersonP")
    summary = ActivitySummary(
        1, (), waiting_seconds=61.0, wait=wait, typing=("x" * 99,) * 9, last_message=words
    )
    card = session_card(Session("17", "Chatting", participants=crowd), summary, Paper(), zone=PACIFIC)
    first = "\n".join(card.splitlines()[:12])
    for title in ("state", "customer", "agents", "waiting", "last message"):
        assert f"\n  {title} " in first


NASTY = st.text(st.characters(exclude_categories=[]), max_size=20) | st.just(
    "[bold]客户[/bold]\x1b[2J\x9b\u202e"
)
PEOPLE = st.builds(Participant, NASTY, st.none() | NASTY, NASTY, NASTY)
SESSIONS_OF_ANY_KIND = st.builds(
    Session,
    NASTY.filter(bool),
    NASTY,
    NASTY,
    st.lists(PEOPLE, max_size=2).map(tuple),
    st.lists(NASTY, max_size=3).map(tuple),
    st.dictionaries(NASTY, NASTY | st.none() | st.integers(), max_size=2),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    NASTY,
    st.dictionaries(NASTY, NASTY, max_size=2),
)


@pytest.mark.parametrize("color", [False, True])
@given(SESSIONS_OF_ANY_KIND, NASTY, st.integers(0, 120))
def test_nothing_but_our_own_codes_reaches_the_terminal(
    color: bool, session: Session, text: str, width: int
) -> None:
    paper = Paper(width, color)
    for shown in (
        session_card(session, SUMMARY, paper),
        pairs_table({text: text}, paper),
    ):
        ours = re.compile(r"\x1b\[[0-9;]+m" if color else "(?!)")
        for line in ours.sub("", shown).split("\n"):
            assert not {unicodedata.category(one) for one in line} & {"Cc", "Cs", "Zl", "Zp"}
            assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", line)
