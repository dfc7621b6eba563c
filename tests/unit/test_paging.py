"""The reads that bring a log in to its end, from servers that page in every way the documents allow."""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message
from smscli.paging import Paging

Ask = tuple[int | None, int | None]
Log = Callable[[int | None, int | None], Sequence[Message]]


def text(index: int | None, words: str = "") -> Message:
    return Message("s1", index, "Text", text=words)


def texts(*indices: int) -> list[Message]:
    return [text(index) for index in indices]


def documented(log: Sequence[Message], cap: int | None = None) -> Log:
    """`startIndex` is inclusive, `count` a number of messages; at most `cap` in one answer."""

    def read(start: int | None, count: int | None) -> Sequence[Message]:
        rest = [one for one in log if one.order is None or start is None or one.order >= start]
        return rest[: min(count or len(rest), cap or len(rest))]

    return read


def read_all(log: Log, start: int = 1, at_most: int = 200) -> tuple[list[Ask], list[Message]]:
    """What was asked in turn, and what came out."""
    paging, asked, got = Paging(start), list[Ask](), list[Message]()
    while not paging.done:
        asked.append((paging.start, paging.count))
        assert len(asked) <= at_most
        got += paging.merge(tuple(log(paging.start, paging.count)))
    return asked, got


def test_a_log_of_one_page_takes_two_reads() -> None:
    log = texts(1, 2, 3)
    assert read_all(documented(log)) == ([(1, 500), (4, None)], log)


def test_full_pages_follow_one_another_until_a_short_one() -> None:
    log = texts(*range(1, 1201))
    asked = [(1, 500), (501, 500), (1001, 500), (1201, None)]
    assert read_all(documented(log)) == (asked, log)


def test_a_last_page_that_is_full_is_followed_by_an_empty_one_and_a_look_beyond() -> None:
    log = texts(*range(1, 501))
    assert read_all(documented(log)) == ([(1, 500), (501, 500), (501, None)], log)


def test_an_empty_log_takes_two_reads() -> None:
    assert read_all(documented([])) == ([(1, 500), (1, None)], [])


def test_a_cap_of_the_servers_is_no_end() -> None:
    log = texts(*range(1, 251))
    asked = [(1, 500), (101, None), (201, None), (251, None)]
    assert read_all(documented(log, cap=100)) == (asked, log)


def test_a_gap_wider_than_a_page_is_crossed_where_count_is_a_range_of_indices() -> None:
    log = texts(1, 2, 5000, 5001)

    def ranged(start: int | None, count: int | None) -> Sequence[Message]:
        low = start or 1
        return [one for one in log if low <= (one.index or 0) and (count is None or one.index < low + count)]

    assert read_all(ranged) == ([(1, 500), (3, None), (5002, None)], log)


def test_where_start_index_is_ignored_one_read_without_parameters_is_the_last() -> None:
    log = texts(*range(1, 701))

    def ignoring(_: int | None, count: int | None) -> Sequence[Message]:
        return log[:count]

    assert read_all(ignoring) == ([(1, 500), (501, 500), (None, None)], log)


def test_where_both_parameters_are_ignored_each_message_comes_once() -> None:
    log = texts(*range(1, 701))
    assert read_all(lambda *_: log) == ([(1, 500), (701, 500), (None, None)], log)


def test_a_log_that_begins_with_0_is_read_whole() -> None:
    log = texts(0, 1, 2)
    assert read_all(lambda *_: log) == ([(1, 500), (None, None)], log)


def test_reading_on_from_an_index_leaves_out_what_is_below() -> None:
    log = texts(1, 2, 3, 4)
    assert read_all(documented(log), start=3) == ([(3, 500), (5, None)], texts(3, 4))
    assert read_all(lambda *_: log, start=3) == ([(3, 500), (None, None)], texts(3, 4))


def test_messages_without_a_place_come_once_and_count_for_nothing() -> None:
    saved, odd = Message("s1", -1, "TranscriptSaveDone"), text(None, "odd")
    asked, got = read_all(documented([text(1), saved, text(2), odd]))
    assert (asked, got) == ([(1, 500), (3, None)], [text(1), saved, text(2), odd])


def test_a_log_without_any_index_ends() -> None:
    log = [text(None, "one"), text(None, "two")]
    assert read_all(documented(log)) == ([(1, 500), (1, None)], log)


def test_a_reordered_page_is_put_in_order_and_what_has_no_place_stays_behind_its_neighbour() -> None:
    saved = Message("s1", -1, "TranscriptSaveDone")
    _, got = read_all(documented([text(3), text(1), saved, text(2)]))
    assert got == [text(1), saved, text(2), text(3)]


def test_a_repeat_on_one_page_comes_once_and_another_message_of_the_same_index_stays() -> None:
    _, got = read_all(documented([text(1, "a"), text(2, "b"), text(2, "b"), text(2, "c")]))
    assert got == [text(1, "a"), text(2, "b"), text(2, "c")]


def read_narrowly(log: Sequence[Message], limit: int) -> tuple[list[Ask], list[Message]]:
    """From a server whose `count` is a range of indices; an answer over `limit` messages is too long."""
    paging, asked, got = Paging(), list[Ask](), list[Message]()
    while not paging.done:
        asked.append((paging.start, paging.count))
        low = paging.start or 1
        high = low + paging.count if paging.count else 10**9
        page = [one for one in log if one.index is not None and low <= one.index < high]
        if len(page) > limit:
            assert paging.narrow()
        else:
            got += paging.merge(tuple(page))
    return asked, got


def test_what_is_too_long_without_count_is_read_in_counted_pages() -> None:
    log = texts(*range(1, 7000, 10))
    asked, got = read_narrowly(log, limit=600)
    assert got == log
    assert asked[:4] == [(1, 500), (492, None), (492, 500), (992, 500)]
    assert asked[-2:] == [(6992, 500), (6992, None)]


def test_the_width_of_counted_pages_doubles_over_a_gap() -> None:
    log = texts(1, *range(3000, 3700))
    asked, got = read_narrowly(log, limit=600)
    assert got == log
    assert asked == [
        (1, 500),
        (2, None),
        (2, 500),
        (2, None),
        (2, 1000),
        (2, None),
        (2, 2000),
        (2, None),
        (2, 4000),
        (2, 3000),
        (3002, 500),
        (3502, 500),
        (3700, 500),
        (3700, None),
    ]


def test_an_answer_too_long_that_was_counted_is_the_callers_problem() -> None:
    paging = Paging()
    assert not paging.narrow()
    paging.merge(tuple(texts(1)))
    assert (paging.start, paging.count, paging.narrow()) == (2, None, True)
    assert (paging.start, paging.count, paging.narrow()) == (2, 500, False)


@given(
    indices=st.lists(st.integers(0, 3000), unique=True, max_size=40).map(sorted),
    cap=st.none() | st.integers(1, 10),
    obeyed=st.booleans(),
)
def test_every_message_comes_once_and_in_order(indices: list[int], cap: int | None, obeyed: bool) -> None:
    log = texts(*indices)
    documented_log = documented(log, cap)
    _, got = read_all(documented_log if obeyed else lambda *_: log)
    # A server that numbers from 0 and obeys `startIndex` is asked from 1, as the documents number.
    assert got == [one for one in log if one.index or not obeyed]
