"""Columns of the list: parsing, sorting and values."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.errors import UsageError
from smscli.model import Json, Message, Participant, Session
from smscli.output.columns import COLUMNS, ListedSession, SortOrder, parse_columns, parse_order
from smscli.transcript.activity import ActivitySummary

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def session(
    name: str,
    state: str | None = "Chatting",
    customer: str | None = None,
    received: datetime | None = None,
    user_data: Json | None = None,
    activity: ActivitySummary | None = None,
) -> ListedSession:
    people = (Participant("Agent", "Ana", "A1"),)
    people += (Participant("Customer", customer, "C1"),) if customer else ()
    session = Session(name, state, participants=people, received=received, user_data=user_data or {})
    return ListedSession(session, activity)


def ids(chosen: Sequence[ListedSession]) -> list[str]:
    return [one.session.id for one in chosen]


LISTED = (
    session("S3", "Chatting", "Kiwi", NOON, {"Score": 10, "Tier": "gold"}),
    session("S1", "Invited", "papaya", None, {"Score": "9", "Tier": "Basic"}),
    session("S4", "Parked", None, NOON - timedelta(days=1), {"Score": "", "Tier": None}),
    session("s2", None, "kiwi fruit", NOON, {"Score": "n/a", "Tier": ["x"]}),
)


@pytest.mark.parametrize(
    ("key", "chosen"),
    [
        ("id", ["S1", "s2", "S3", "S4"]),
        ("-id", ["S4", "S3", "s2", "S1"]),
        ("state", ["S3", "S1", "S4", "s2"]),
        ("-state", ["S4", "S1", "S3", "s2"]),
        ("customer", ["S3", "s2", "S1", "S4"]),
        ("-customer", ["S1", "s2", "S3", "S4"]),
        ("receivedDate", ["S4", "S3", "s2", "S1"]),
        ("-receiveddate", ["S3", "s2", "S4", "S1"]),
        ("agents", ["S3", "S1", "S4", "s2"]),
        ("-agents", ["S3", "S1", "S4", "s2"]),
        ("userData.Score", ["S1", "S3", "s2", "S4"]),
        ("-userData.Score", ["s2", "S3", "S1", "S4"]),
        ("userData.Tier", ["s2", "S1", "S3", "S4"]),
        ("userData.Nothing", ["S3", "S1", "S4", "s2"]),
        ("comment", ["S3", "S1", "S4", "s2"]),
        ("uri", ["S3", "S1", "S4", "s2"]),
        ("capabilities", ["S3", "S1", "S4", "s2"]),
    ],
)
def test_sorting_keeps_the_servers_order_among_equals_and_has_the_empty_ones_last(
    key: str, chosen: list[str]
) -> None:
    assert ids(parse_order(key).sorted(LISTED)) == chosen


SCALAR = st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.booleans()


@given(
    st.lists(SCALAR | st.lists(SCALAR, max_size=2) | st.from_regex("-?[0-9]{1,40}[.]?[0-9]*", fullmatch=True))
)
def test_any_user_data_can_be_sorted(values: list[object]) -> None:
    listed = [session(str(number), user_data={"K": value}) for number, value in enumerate(values)]
    ascending = parse_order("userData.K").sorted(listed)
    assert sorted(ids(ascending), key=int) == ids(listed)
    empty = [one for one in listed if one.session.user_data["K"] in (None, "", [])]
    assert list(ascending[len(ascending) - len(empty) :]) == empty
    descending = parse_order("-userData.K").sorted(listed)
    assert list(descending[len(descending) - len(empty) :]) == empty


def test_columns_are_named_with_commas_between() -> None:
    found = parse_columns("id, RECEIVEDDATE,userdata.PegAG?:2>1,userData.Last Called,id")
    names = ["id", "receivedDate", "userData.PegAG?:2>1", "userData.Last Called", "id"]
    assert [column.name for column in found] == names


def test_user_data_is_titled_by_its_key_but_not_as_another_column() -> None:
    titles = [column.title for column in parse_columns("receivedDate,userData.Tier,userData.state")]
    assert titles == ["received", "Tier", "userData.state"]


def test_a_sort_key_descends_with_a_dash() -> None:
    assert parse_order("customer") == SortOrder(COLUMNS["customer"], descending=False)
    column, descending = parse_order("-userData.-x")
    assert (column.name, descending) == ("userData.-x", True)


def message(text: str | None, url: str | None = None) -> Message:
    return Message("S1", 1, "Text", text=text, url=url)


WITH_ACTIVITY = (
    session("S1", activity=ActivitySummary(3, (), None, NOON, None, 12.5, None, (), message("b"))),
    session("S2"),
    session("S3", activity=ActivitySummary(20, (), None, NOON - timedelta(1), None, 100.0, None, ("Ana",))),
    session("S4", activity=ActivitySummary(0, (), last_message=message(None, "http://a"))),
)


@pytest.mark.parametrize(
    ("key", "chosen"),
    [
        ("waiting", ["S1", "S3", "S2", "S4"]),
        ("-Waiting", ["S3", "S1", "S2", "S4"]),
        ("typing", ["S3", "S1", "S2", "S4"]),
        ("lastMessage", ["S1", "S4", "S2", "S3"]),
        ("lastMessageAt", ["S3", "S1", "S2", "S4"]),
        ("-messages", ["S3", "S1", "S4", "S2"]),
    ],
)
def test_sorting_by_activity_has_sessions_without_a_value_last(key: str, chosen: list[str]) -> None:
    order = parse_order(key)
    assert order.column.of_activity
    assert ids(order.sorted(WITH_ACTIVITY)) == chosen


NAMES = (
    "columns: id, state, customer, agents, receivedDate, uri, comment, capabilities,"
    " waiting, typing, lastMessage, lastMessageAt, messages, userData.KEY"
)


@pytest.mark.parametrize(
    ("wrong", "name", "hint"),
    [
        (lambda: parse_columns("id,agent"), "agent", f"did you mean 'agents'? {NAMES}"),
        (lambda: parse_columns("id,,state"), "", NAMES),
        (lambda: parse_columns("userData."), "userData.", f"did you mean 'userData.KEY'? {NAMES}"),
        (lambda: parse_order("-recieved"), "recieved", f"did you mean 'receivedDate'? {NAMES}"),
        (lambda: parse_order("--id"), "-id", f"did you mean 'id'? {NAMES}"),
    ],
)
def test_an_unknown_column_names_the_nearest_ones(wrong: Any, name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        wrong()
    assert (caught.value.message, caught.value.hint) == (f"there is no column {name!r}", hint)
