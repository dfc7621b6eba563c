"""A session's place in its log: identities in little memory, and what to ask for next."""

import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.follow.cursor import Cursor, PageRequest, PageResult, Position, SeenIds
from smscli.model import Message, Page

NOON = datetime(2025, 1, 1, 12, 0, tzinfo=UTC)


def message(index: int | None, text: str = "", at: datetime | None = NOON) -> Message:
    return Message("A", index, "Text", at=at, text=text)


def page(*indices: int | None, at: datetime | None = NOON + timedelta(hours=1)) -> Page:
    return Page(tuple(message(index, "said") for index in indices), at)


def read_log(cursor: Cursor, log: Page, now: float = 0.0) -> None:
    """Read a log of one page to its end, which the second answer shows."""
    for answer in (log, Page(log.messages[-1:], log.at)):
        cursor.record(cursor.next_request(now), answer, now)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-40, 40)))
def test_seen_is_a_set(identities: list[int]) -> None:
    seen = SeenIds()
    kept: set[int] = set()
    for identity in identities:
        # 0 marks a free place, and so stands for 1.
        identity = identity or 1
        assert (identity in seen) == (identity in kept)
        assert seen.add(identity) == (identity not in kept)
        kept.add(identity)
    assert all(identity in seen for identity in kept)


@pytest.mark.slow
def test_a_seen_message_takes_at_most_64_bytes_while_the_table_grows_too() -> None:
    messages = 100_000
    tracemalloc.start()
    try:
        seen = SeenIds()
        new = sum(seen.add(hash((identity, "A"))) for identity in range(messages))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert new == messages
    assert peak / messages <= 64


def test_a_new_cursor_reads_the_log_by_pages_from_1() -> None:
    cursor = Cursor()
    request = cursor.next_request(0.0)
    assert request == PageRequest(1, 500, None, True, 0.0, paged=True)
    result = cursor.record(request, page(*range(1, 501)), 0.0)
    assert (len(result.messages), result.done) == (500, False)
    assert cursor.next_request(1.0) == PageRequest(500, 500, 500, True, 1.0, paged=True)
    result = cursor.record(cursor.next_request(1.0), page(500, 501), 1.0)
    assert result == PageResult(page(501).messages, done=False)
    assert cursor.next_request(2.0) == PageRequest(501, None, 501, True, 2.0, paged=True)
    assert cursor.record(cursor.next_request(2.0), page(501), 2.0) == PageResult(())
    assert cursor.next_request(3.0) == PageRequest(501, None, 501, False, 3.0)


def test_an_answer_without_its_anchor_is_dropped_and_the_log_asked_for_again() -> None:
    cursor = Cursor()
    read_log(cursor, page(1, 2, 3))
    result = cursor.record(cursor.next_request(1.0), page(), 1.0)
    assert result == PageResult((), done=False, reset=True)
    assert cursor.doubtful
    assert cursor.next_request(1.0) == PageRequest(1, 500, None, False, 1.0, paged=True)
    assert cursor.record(cursor.next_request(1.0), page(1), 1.0) == PageResult((), done=False)
    assert cursor.record(cursor.next_request(1.0), page(1), 1.0) == PageResult(())
    assert cursor.record(cursor.next_request(3.0), page(1), 3.0) == PageResult(())
    assert not cursor.doubtful


def test_another_message_in_the_anchors_place_is_a_reset_too() -> None:
    cursor = Cursor()
    read_log(cursor, page(1, 2, 3))
    other = Page((message(3, "another"), message(4, "one more")), NOON)
    assert cursor.record(cursor.next_request(1.0), other, 1.0).reset


def test_gaps_are_named_and_noted_for_2_and_10_seconds_later() -> None:
    cursor = Cursor()
    read_log(cursor, page(1, 2))
    result = cursor.record(cursor.next_request(5.0), page(2, 5, 9), 5.5)
    assert result.gaps == ((2, 5), (5, 9))
    assert cursor.reread_due == 7.5
    assert cursor.next_request(7.4).start == 9
    assert cursor.next_request(7.5) == PageRequest(2, None, 2, False, 7.5)
    late = cursor.record(cursor.next_request(7.5), page(2, 3, 5, 9), 7.6)
    assert [(one.index, one.late) for one in late.messages] == [(3, True)]
    assert cursor.reread_due == 15.5
    cursor.record(cursor.next_request(15.5), page(2, 3, 5, 9), 15.6)
    assert cursor.reread_due == inf


def test_a_reread_that_the_server_cuts_short_goes_on_where_it_ends() -> None:
    cursor = Cursor()
    read_log(cursor, page(1, 2))
    cursor.record(cursor.next_request(5.0), page(2, 5, 6, 9), 5.0)
    assert cursor.next_request(7.0) == PageRequest(2, None, 2, False, 7.0)
    cursor.record(cursor.next_request(7.0), page(2, 5, 6), 7.0)
    assert cursor.reread_due == 7.0
    assert cursor.next_request(7.1) == PageRequest(6, None, 6, False, 7.1)
    late = cursor.record(cursor.next_request(7.1), page(6, 7), 7.1)
    assert [(one.index, one.late) for one in late.messages] == [(7, True)]
    assert cursor.next_request(7.2) == PageRequest(7, None, 7, False, 7.2)
    cursor.record(cursor.next_request(7.2), page(7, 9), 7.2)
    assert cursor.reread_due == 15.0


def test_a_reread_that_brings_its_anchor_alone_is_over() -> None:
    cursor = Cursor()
    read_log(cursor, page(1, 2))
    cursor.record(cursor.next_request(5.0), page(2, 5), 5.0)
    cursor.record(cursor.next_request(7.0), page(2), 7.0)
    assert cursor.reread_due == 15.0


def test_messages_without_an_index_stay_behind_the_one_they_came_after() -> None:
    cursor = Cursor()
    answer = page(3, None, 1, -1, 2)
    result = cursor.record(cursor.next_request(0.0), answer, 0.0)
    assert [one.index for one in result.messages] == [1, -1, 2, 3, None]


def test_a_log_without_any_index_is_read_whole_each_time() -> None:
    cursor = Cursor()
    read_log(cursor, page(None))
    assert cursor.next_request(2.0) == PageRequest(1, None, None, False, 2.0)
    assert cursor.record(cursor.next_request(2.0), page(None), 2.0) == PageResult(())


def test_recalled_gaps_of_a_log_that_was_reset_are_forgotten() -> None:
    cursor = Cursor()
    for one in (message(1), message(5), message(1, "new log"), message(2)):
        cursor.recall(one)
    cursor.settle(NOON, 0.0)
    assert cursor.next_request(0.0) == PageRequest(2, None, 2, False, 0.0)
    assert cursor.reread_due == inf


def test_a_recalled_gap_is_asked_for_at_once_and_twice_more() -> None:
    cursor = Cursor()
    for one in (message(1), message(5)):
        cursor.recall(one)
    cursor.settle(NOON + timedelta(seconds=60), 100.0)
    assert cursor.next_request(100.0) == PageRequest(1, None, 1, False, 100.0)
    cursor.record(cursor.next_request(100.0), Page((message(1), message(5)), NOON), 100.0)
    assert cursor.reread_due == 102.0


def test_a_gap_of_unknown_age_in_a_first_read_is_left_alone() -> None:
    cursor = Cursor()
    read_log(cursor, page(1, 5, at=None))
    assert cursor.reread_due == inf


def test_a_log_that_begins_anew_while_it_is_paged_is_read_from_its_start() -> None:
    cursor = Cursor()
    cursor.record(cursor.next_request(0.0), page(1, 2), 0.0)
    other = Page((message(2, "another"), message(3, "one more")), NOON)
    assert cursor.record(cursor.next_request(1.0), other, 1.0) == PageResult((), done=False, reset=True)
    assert cursor.next_request(1.0) == PageRequest(1, 500, None, True, 1.0, paged=True)
    anew = Page((message(1, "the first"), *other.messages), NOON)
    assert cursor.record(cursor.next_request(1.0), anew, 1.0).messages == anew.messages


def test_the_same_right_after_a_reset_is_noticed_too() -> None:
    cursor = Cursor()
    read_log(cursor, page(1, 2, 3))
    assert cursor.record(cursor.next_request(1.0), page(), 1.0).reset
    second = Page((message(1, "second log"), message(2, "of three")), NOON)
    assert cursor.record(cursor.next_request(1.0), second, 1.0).messages == second.messages
    third = Page((message(2, "third log"),), NOON)
    assert cursor.record(cursor.next_request(2.0), third, 2.0).reset
    whole = Page((message(1, "of it"), *third.messages), NOON)
    assert cursor.record(cursor.next_request(2.0), whole, 2.0).messages == whole.messages


def test_pages_of_a_server_whose_start_is_exclusive_end_the_read_all_the_same() -> None:
    cursor = Cursor()
    cursor.record(cursor.next_request(0.0), page(2, 3), 0.0)
    assert cursor.record(cursor.next_request(0.0), page(), 0.0) == PageResult(())
    assert cursor.record(cursor.next_request(2.0), page(4), 2.0).reset
    assert cursor.record(cursor.next_request(2.0), page(2, 3, 4), 2.0).messages == page(4).messages
    # Without its anchor, but nothing stands in its place.
    assert cursor.record(cursor.next_request(2.0), page(5), 2.0) == PageResult(page(5).messages, done=False)
    assert cursor.record(cursor.next_request(2.0), page(), 2.0) == PageResult(())


# Going on at a position


def position(order: int, *gaps: tuple[int, int, datetime | None], older: Sequence[Message] = ()) -> Position:
    last = message(order, "said")
    return Position(order, lambda one: one == last, gaps, lambda: older, NOON)


def test_a_position_is_gone_on_from_without_its_messages() -> None:
    cursor = Cursor()
    cursor.restore(position(7))
    assert cursor.next_request(0.0) == PageRequest(7, None, 7, False, 0.0)
    result = cursor.record(cursor.next_request(0.0), page(7, 8, 9), 0.0)
    assert ([one.index for one in result.messages], result.reset) == ([8, 9], False)


def test_messages_recorded_behind_a_position_go_on_from_there() -> None:
    cursor = Cursor()
    cursor.restore(position(7))
    cursor.recall(message(8, "said"))
    assert cursor.next_request(0.0) == PageRequest(8, None, 8, False, 0.0)
    result = cursor.record(cursor.next_request(0.0), page(8, 9), 0.0)
    assert [one.index for one in result.messages] == [9]


def test_an_open_gap_below_a_position_is_read_again() -> None:
    cursor = Cursor()
    cursor.restore(position(7, (3, 6, NOON)))
    cursor.settle(NOON + timedelta(seconds=30), 0.0)
    assert cursor.next_request(0.0) == PageRequest(3, None, 3, False, 0.0)
    result = cursor.record(cursor.next_request(0.0), page(3, 4, 6, 7, 8), 0.0)
    assert [(one.index, one.late) for one in result.messages] == [(4, True), (8, False)]


def test_messages_without_a_place_are_not_new_behind_a_position() -> None:
    cursor = Cursor()
    cursor.restore(Position(7, lambda one: one in (message(7, "said"), message(-1)), (), tuple, NOON))
    log = Page((message(7, "said"), message(-1), message(-1, "another")), NOON)
    result = cursor.record(cursor.next_request(0.0), log, 0.0)
    assert [one.text for one in result.messages] == ["another"]


def test_of_a_position_before_the_first_index_the_log_is_read_whole() -> None:
    cursor = Cursor()
    cursor.restore(Position(None, lambda one: one == message(-1), (), tuple, NOON))
    assert cursor.next_request(0.0) == PageRequest(1, None, None, False, 0.0)
    result = cursor.record(cursor.next_request(0.0), Page((message(1), message(-1)), NOON), 0.0)
    assert [one.index for one in result.messages] == [1]


def test_another_message_at_a_position_means_a_reset_and_older_files_are_asked() -> None:
    cursor = Cursor()
    cursor.restore(position(7, older=[message(1, "the first"), message(2, "the second")]))
    other = Page((message(7, "another"),), NOON)
    assert cursor.record(cursor.next_request(0.0), other, 0.0) == PageResult((), done=False, reset=True)
    anew = Page((message(1, "the first"), message(2, "the second"), message(3, "new")), NOON)
    result = cursor.record(cursor.next_request(1.0), anew, 1.0)
    assert [one.text for one in result.messages] == ["new"]


def test_a_log_that_was_renumbered_behind_a_position_is_another_log() -> None:
    cursor = Cursor()
    cursor.restore(position(30))
    cursor.recall(message(1, "first of the new log"))
    result = cursor.record(
        cursor.next_request(0.0), Page((message(1, "first of the new log"), message(2, "next")), NOON), 0.0
    )
    assert [one.text for one in result.messages] == ["next"]
