"""The picture of a conversation: who spoke when, who typed, who waited."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message, Participant
from smscli.output.render.layout import cells
from smscli.output.render.timeline import Drawing, Side, Timeline
from smscli.transcript.fold import Entry
from tests.support.entries import (
    AGENT,
    CHAT,
    CUSTOMER,
    PACIFIC,
    START,
    Paper,
    after,
    entry,
)

BOT = Participant("Bot", "BotB", "B1")


def timeline(*entries: Entry) -> Timeline:
    made = Timeline()
    for one in entries:
        made.judge(one.message)
        made.add(one)
    return made


def drawing(*entries: Entry, columns: int = 10, now: float | None = None) -> Drawing:
    at = None if now is None else START + timedelta(seconds=now)
    drawn = timeline(*entries).draw(columns, at)
    assert drawn
    return drawn


def signs(*values: int) -> tuple[bool, ...]:
    return tuple(map(bool, values))


def test_a_conversation_at_80_columns() -> None:
    assert timeline(*CHAT[:-2]).picture(Paper(), zone=PACIFIC) == [
        "  ▶ customer  ·░░░░░░░░░░░░█·····              ░░░░░░░░░░░░░░░                 █",
        "  ◆ agents                      █   █     █",
        "              13:16:41                    1 min 10 s                    13:17:51",
        "              █ said  ░ typed  · waiting",
    ]


def test_a_conversation_at_40_columns_in_ascii() -> None:
    assert timeline(*CHAT[:-2]).picture(Paper(40, ascii=True), zone=PACIFIC) == [
        "  > ~~~~~~~#...       ~~~~~~~~         #",
        "  *           # #  #",
        "    13:16:41     1 min 10 s     13:17:51",
        "    # said  ~ typed  . waiting",
    ]


def test_a_conversation_at_20_columns() -> None:
    assert timeline(*CHAT[:-2]).picture(Paper(20), zone=PACIFIC) == [
        "  ▶ ░░░█·   ░░░░   █",
        "  ◆     ███",
        "    13:16:41",
        "    13:17:51",
        "    █ said  ░ typed",
        "    · waiting",
    ]


def test_the_sides_have_the_colours_of_the_list() -> None:
    question = after(9, entry("Text", CUSTOMER, "Hello"))._replace(composing=3.0)
    picture = timeline(entry("ParticipantJoined", AGENT), question, after(15, entry("Text", AGENT, "Hi")))
    assert picture.picture(Paper(24, color=True), zone=UTC)[:2] == [
        "  \x1b[38;5;28m▶\x1b[0m         \x1b[38;5;28m░░░░█\x1b[0m\x1b[2m·······\x1b[0m",
        "  \x1b[38;5;130m◆\x1b[0m                    \x1b[38;5;130m█\x1b[0m",
    ]


def test_each_side_has_what_it_said_and_typed_and_the_customer_how_long_they_waited() -> None:
    asked = after(30, entry("Text", CUSTOMER, "Hello"))._replace(composing=20.0)
    answered = after(80, entry("Text", AGENT, "Hi"))
    left = after(100, entry("ParticipantLeft", CUSTOMER))
    assert drawing(entry("ParticipantJoined", CUSTOMER), asked, answered, left) == Drawing(
        START,
        START + timedelta(seconds=100),
        (
            Side(
                "Customer",
                (0, 0, 0, 1, 0, 0, 0, 0, 0, 0),
                signs(0, 1, 1, 1, 0, 0, 0, 0, 0, 0),
                # No agent is there before the answer.
                signs(1, 1, 1, 1, 1, 1, 1, 1, 1, 0),
            ),
            Side("Agent", (0, 0, 0, 0, 0, 0, 0, 0, 1, 0), signs(*[0] * 10), signs(*[0] * 10)),
        ),
    )


def test_who_waits_still_waits_until_now() -> None:
    log = entry("ParticipantJoined", AGENT), after(50, entry("Text", CUSTOMER, "Hello"))
    assert drawing(*log, now=100).sides[0].waited == signs(0, 0, 0, 0, 0, 1, 1, 1, 1, 1)
    alone = entry("ParticipantJoined", CUSTOMER), after(50, entry("Text", CUSTOMER, "Hello"))
    assert drawing(*alone, now=100).sides[0].waited == signs(*[1] * 10)
    assert drawing(*log).sides[0].waited == signs(0, 0, 0, 0, 0, 0, 0, 0, 0, 1)


def test_a_clock_that_lags_behind_cuts_nothing_off() -> None:
    log = entry("ParticipantJoined", CUSTOMER), after(50, entry("Text", CUSTOMER, "Hello"))
    assert drawing(*log, now=10) == drawing(*log)


def test_a_note_among_agents_is_no_answer() -> None:
    note = after(50, entry("Text", AGENT, "who takes it?", visibility="Agents"))
    log = entry("Text", CUSTOMER, "Hello"), note, after(100, entry("Notice", None))
    assert drawing(*log).sides[0].waited == signs(*[1] * 10)


def test_whoever_is_neither_customer_nor_agent_has_a_line_where_they_spoke() -> None:
    log = entry("Text", BOT, "I am a bot"), after(100, entry("Text", None, "so am I"))
    assert [side.role for side in drawing(*log).sides] == ["Customer", "Agent", None]
    assert drawing(*log).sides[2].said == (1, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    quiet = entry("ParticipantJoined", BOT), after(100, entry("ParticipantLeft", BOT))
    assert [side.role for side in drawing(*quiet).sides] == ["Customer", "Agent"]


def test_the_more_was_said_the_higher() -> None:
    busy = [after(second / 10, entry("Text", AGENT, "one")) for second in range(8)]
    log = [*busy, after(50, entry("Text", AGENT, "two")), after(99, entry("Text", AGENT, "three"))]
    assert timeline(*log).picture(Paper(24), zone=UTC)[1] == "  ◆ █         ▂        ▂"


def test_an_entry_without_a_time_draws_nothing() -> None:
    assert timeline().picture(Paper()) == []
    assert timeline(entry("Text", CUSTOMER, "Hello", at=None)).picture(Paper()) == []


def test_one_moment_is_a_picture_too() -> None:
    assert timeline(entry("Text", CUSTOMER, "Hello")).picture(Paper(20, ascii=True), zone=UTC) == [
        "  > #",
        "  *",
        "    21:16:41",
        "    21:16:41",
        "    # said  ~ typed",
        "    . waiting",
    ]


def test_a_log_that_goes_backwards_is_drawn_where_its_times_are() -> None:
    late = after(90, entry("Text", AGENT, "Hi")), after(-10, entry("Text", CUSTOMER, "Hello"))
    drawn = drawing(*late)
    assert (drawn.begin, drawn.end) == (START - timedelta(seconds=10), START + timedelta(seconds=90))
    assert [side.said for side in drawn.sides] == [
        (1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    ]


def test_the_first_and_the_last_day_of_the_calendar() -> None:
    days = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    log = [entry("Text", CUSTOMER, "Hello", at=day)._replace(composing=1e9) for day in days]
    lines = timeline(*log).picture(Paper(), zone=PACIFIC)
    assert lines[0] == "  ▶ customer  █" + "·" * 64 + "█"


@pytest.mark.slow
def test_a_long_log_keeps_its_shape() -> None:
    """Ten days by the minute: slots grow to almost an hour, and what was said stays in its own."""
    log = [after(60 * minute, entry("Text", (CUSTOMER, AGENT)[minute % 2], "x")) for minute in range(14_400)]
    customer, agent = drawing(*log).sides
    assert sum(customer.said) == sum(agent.said) == 7_200
    assert all(abs(said - 720) <= 28 for said in (*customer.said, *agent.said))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log() -> None:
    made = Timeline()
    random = Random(5)

    def add(first: int, last: int) -> None:
        for second in range(first, last):
            message = Message("0000Na9B26EF002G", second, "Text", (CUSTOMER, AGENT)[random.random() < 0.5])
            at = START + timedelta(seconds=random.random() * second)
            made.add(Entry(_at(message, at), random.random() * 100))

    add(1, 5_000)
    tracemalloc.start()
    add(5_000, 30_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 400_000


def _at(message: Message, at: datetime) -> Message:
    return Message(message.session_id, message.index, message.type, message.sender, None, at, "x")


TIMES = st.datetimes(timezones=st.just(UTC)) | st.datetimes(
    datetime(2026, 3, 2), datetime(2026, 3, 3), timezones=st.just(UTC)
)
ENTRIES = st.builds(
    lambda type, sender, at, composing: entry(type, sender, at=at)._replace(composing=composing),
    st.sampled_from(["Text", "PushUrl", "ParticipantLeft", "TypingStarted"]),
    st.sampled_from([CUSTOMER, AGENT, BOT, None]),
    st.none() | TIMES,
    st.none() | st.floats(0, 1e12),
)


@pytest.mark.parametrize("ascii", [False, True])
@given(entries=st.lists(ENTRIES, max_size=20), width=st.integers(20, 120), now=st.none() | TIMES)
def test_no_log_draws_beyond_the_width(
    ascii: bool, entries: list[Entry], width: int, now: datetime | None
) -> None:
    lines = timeline(*entries).picture(Paper(width, ascii=ascii), zone=PACIFIC, now=now)
    assert all(cells(line) <= width for line in lines)
    said = [one for one in entries if one.message.at and one.message.type in ("Text", "PushUrl")]
    drawn = timeline(*entries).draw(width, now)
    assert sum(sum(side.said) for side in drawn.sides) == len(said) if drawn else not said
