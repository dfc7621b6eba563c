"""Following, sentence by sentence, played on a stage without a server and without sleeping."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smscli.errors import (
    AuthError,
    NotFound,
    NotPermitted,
    RequestTimeout,
    ServerBusy,
    ServerError,
    SignInRefused,
    SmscliError,
    TlsError,
    Unreachable,
    WireError,
)
from smscli.follow.cursor import Cursor
from smscli.model import ListRead, Message, NewMessages, SessionStarted, Wake, WakeKind
from tests.support.feed_stage import EPOCH, Stage


def opened(*session_ids: str) -> Stage:
    stage = Stage()
    stage.open(*session_ids)
    return stage


# Identity


def test_every_message_is_shown_once_across_polls() -> None:
    stage = opened("A")
    stage.fill("A", 2)
    stage.at(3, lambda: stage.say("A", "hello"))
    stage.at(9, lambda: stage.say("A", "are you there?"))
    stage.play(60, "A")
    assert stage.texts() == ["old 0", "old 1", "hello", "are you there?"]


def test_a_message_that_the_server_repeats_is_shown_once() -> None:
    stage = opened("A")
    first = stage.say("A", "hello")
    stage.logs["A"].append(first)
    stage.at(3, lambda: stage.logs["A"].append(first))
    stage.play(10, "A")
    assert stage.texts() == ["hello"]


def test_index_minus_one_has_no_place_in_the_order() -> None:
    stage = opened("A")
    stage.say("A", "hello")
    stage.say("A", "saved", index=-1)
    stage.at(3, lambda: stage.say("A", "bye"))
    stage.play(10, "A")
    assert sorted(stage.texts()) == ["bye", "hello", "saved"]
    assert stage.reads("A")[2] == (2.0, 1, None)
    assert "reset" not in stage.notices()


def test_two_messages_that_share_an_index_are_both_shown() -> None:
    stage = opened("A")
    stage.say("A", "one")
    stage.say("A", "another", index=1)
    stage.play(10, "A")
    assert stage.texts() == ["one", "another"]
    assert stage.notices() == []


# First reads


def test_a_first_read_goes_by_pages_of_500_and_ends_where_nothing_is_new() -> None:
    stage = opened("A")
    stage.fill("A", 1100)
    stage.play(1, "A")
    assert stage.reads("A") == [(0.0, 1, 500), (0.0, 500, 500), (0.0, 999, 500), (0.0, 1100, None)]
    assert stage.texts() == [f"old {number}" for number in range(1100)]


def test_a_log_of_exactly_one_page_is_asked_for_a_second_one() -> None:
    stage = opened("A")
    stage.fill("A", 500)
    stage.play(1, "A")
    assert stage.reads("A") == [(0.0, 1, 500), (0.0, 500, 500), (0.0, 500, None)]


def test_the_pages_of_a_first_read_are_marked_and_so_is_the_last() -> None:
    stage = opened("A")
    stage.fill("A", 600)
    stage.at(3, lambda: stage.say("A", "hello"))
    stage.play(10, "A")
    reads = [event for _, event in stage.played if isinstance(event, NewMessages)]
    assert [(len(one.messages), one.first, one.done) for one in reads] == [
        (500, True, False),
        (100, True, False),
        (0, True, True),
        (1, False, True),
    ]
    assert reads[0].at == EPOCH


def test_sessions_take_turns_page_by_page() -> None:
    stage = opened("A", "B")
    stage.latency = 0.01
    stage.fill("A", 900)
    stage.fill("B", 900)
    stage.play(1, "A", "B")
    assert [(one.session_id, one.start) for one in stage.asked[1:5]] == [
        ("A", 1),
        ("B", 1),
        ("A", 500),
        ("B", 500),
    ]


def test_a_session_without_messages_has_a_first_read_too() -> None:
    stage = opened("A")
    stage.at(3, lambda: stage.say("A", "hello"))
    stage.play(10, "A")
    reads = [event for _, event in stage.played if isinstance(event, NewMessages)]
    assert [(len(one.messages), one.first, one.done) for one in reads] == [
        (0, True, False),
        (0, True, True),
        (1, False, True),
    ]


def test_a_server_that_ignores_the_start_is_read_once_and_in_whole() -> None:
    stage = opened("A")
    stage.ignores_start = True
    stage.fill("A", 700)
    stage.play(10, "A")
    assert stage.reads("A")[:4] == [(0.0, 1, 500), (0.0, 500, 500), (0.0, None, None), (2.0, 700, None)]
    assert stage.texts() == [f"old {number}" for number in range(700)]


def test_a_first_read_ends_at_no_cap_of_the_server() -> None:
    stage = opened("A")
    stage.cap = 100
    stage.fill("A", 450, age=600)
    stage.play(1, "A")
    assert [start for _, start, _ in stage.reads("A")] == [1, 100, 199, 298, 397, 450]
    assert stage.texts() == [f"old {number}" for number in range(450)]
    reads = [event for _, event in stage.played if isinstance(event, NewMessages)]
    assert [(one.first, one.done) for one in reads] == [(True, False)] * 5 + [(True, True)]


def test_a_server_that_cuts_its_answers_is_asked_on_at_once_while_following() -> None:
    stage = opened("A")
    stage.cap = 100
    stage.fill("A", 1)
    stage.at(3, lambda: stage.fill("A", 250, age=2))
    stage.play(6, "A")
    assert stage.reads("A")[3:] == [(5.0, 1, None), (5.0, 100, None), (5.0, 199, None), (5.0, 251, None)]
    assert len(stage.texts()) == 251


# Inclusive reads and resets


def test_reads_start_at_the_highest_index_without_a_count() -> None:
    stage = opened("A")
    stage.fill("A", 3)
    stage.at(3, lambda: stage.say("A", "hello"))
    stage.play(7, "A")
    assert stage.reads("A")[1:] == [(0.0, 3, None), (2.0, 3, None), (5.0, 3, None)]


def test_a_log_that_starts_again_with_lower_indices_is_read_from_its_start() -> None:
    stage = opened("A")
    stage.fill("A", 5)
    stage.at(3, lambda: stage.restart("A"), lambda: stage.say("A", "after"))
    stage.at(3, lambda: stage.say("A", "the restart"))
    stage.play(20, "A")
    assert stage.texts()[5:] == ["after", "the restart"]
    assert stage.news()[1:] == ["reset: the log of session A was reset: reading it again"]


def test_a_new_log_that_has_grown_past_the_old_one_is_noticed() -> None:
    stage = opened("A")
    stage.fill("A", 2)
    stage.at(3, lambda: stage.restart("A"), *[lambda: stage.say("A", "new") for _ in range(4)])
    stage.play(20, "A")
    assert stage.texts() == ["old 0", "old 1", "new", "new", "new", "new"]
    assert stage.notices() == ["reset"]


def test_a_log_that_begins_anew_during_its_first_read_loses_nothing() -> None:
    stage = opened("A")
    stage.latency = 0.1
    stage.fill("A", 2)
    stage.at(0.25, lambda: stage.restart("A"), *[partial(stage.say, "A", text) for text in "abc"])
    stage.play(10, "A")
    assert stage.texts() == ["old 0", "old 1", "a", "b", "c"]
    assert stage.notices() == ["reset"]


def test_a_long_log_is_read_again_by_pages() -> None:
    stage = opened("A")
    stage.fill("A", 5)
    stage.at(3, lambda: stage.restart("A"), lambda: stage.fill("A", 600, age=1))
    stage.play(6, "A")
    assert stage.reads("A")[3:] == [(5.0, 5, None), (5.0, 1, 500), (5.0, 500, 500), (5.0, 600, None)]
    assert len(stage.texts()) == 605


def test_an_answer_that_was_empty_by_mistake_repeats_nothing() -> None:
    stage = opened("A")
    stage.fill("A", 5)
    kept = list(stage.logs["A"])
    stage.at(1.5, lambda: stage.restart("A"))
    stage.at(2.5, lambda: stage.logs.update({"A": kept}))
    stage.at(2.6, lambda: stage.say("A", "hello"))
    stage.play(20, "A")
    assert stage.texts() == ["old 0", "old 1", "old 2", "old 3", "old 4", "hello"]
    assert stage.notices() == ["reset"]


def test_a_log_numbered_otherwise_is_read_whole_each_time_and_reported_once() -> None:
    stage = opened("A")
    stage.start_shift = 1
    stage.say("A", "one", index=2)
    stage.say("A", "two")
    for second in range(3, 60, 3):
        stage.at(second, lambda: stage.say("A", "more"))
    stage.play(60, "A")
    assert len(stage.texts()) == 2 + len(range(3, 60, 3))
    assert stage.notices() == ["reset"]


def test_a_second_reset_after_a_good_read_is_reported_again() -> None:
    stage = opened("A")
    stage.fill("A", 3)
    for second in (3, 30):
        stage.at(second, lambda: stage.restart("A"), lambda: stage.say("A", "new"))
    stage.play(60, "A")
    assert stage.notices() == ["reset", "reset"]


def test_a_reset_forgets_the_gaps_of_the_old_log() -> None:
    stage = opened("A")
    stage.fill("A", 5)
    stage.at(3, lambda: stage.say("A", "far", index=9))
    stage.at(5.5, lambda: stage.restart("A"), lambda: stage.say("A", "new"))
    stage.play(40, "A")
    assert stage.texts()[5:] == ["far", "new"]
    assert stage.notices() == ["reset"]
    assert [read for read in stage.reads("A") if read[2] == 500] == [(0.0, 1, 500), (7.0, 1, 500)]


def test_a_page_out_of_order_is_put_in_order() -> None:
    stage = opened("A")
    stage.shuffled = True
    stage.fill("A", 3)
    stage.at(3, *[lambda: stage.say("A", "new") for _ in range(3)])
    stage.play(10, "A")
    indices = [
        one.index for _, event in stage.played if isinstance(event, NewMessages) for one in event.messages
    ]
    assert indices == [1, 2, 3, 4, 5, 6]
    assert stage.notices() == []


# Gaps


def test_a_gap_is_read_again_after_2_and_10_seconds_and_its_message_is_late() -> None:
    stage = opened("A")
    stage.fill("A", 2)
    stage.at(3, lambda: stage.hide("A", 3), lambda: stage.say("A", "held back"))
    stage.at(3, lambda: stage.say("A", "after it"))
    stage.at(13, lambda: stage.show("A", 3))
    stage.play(40, "A")
    assert stage.texts()[2:] == ["after it", "held back (late)"]
    assert [at for at, start, _ in stage.reads("A") if start == 2][-2:] == [7.0, 15.0]
    assert stage.shown_at("held back") == 15.0
    assert stage.notices() == []


def test_without_the_servers_clock_a_gap_seen_while_following_is_read_again_too() -> None:
    stage = opened("A")
    stage.has_clock = False
    stage.fill("A", 2)
    stage.at(3, lambda: stage.hide("A", 3), *[lambda: stage.say("A", "new") for _ in range(2)])
    stage.at(6, lambda: stage.show("A", 3))
    stage.play(20, "A")
    assert stage.texts()[2:] == ["new", "new (late)"]


def test_a_gap_is_named_when_debugging() -> None:
    stage = opened("A")
    stage.fill("A", 2)
    stage.say("A", "far", index=9)
    stage.play(1, "A")
    assert stage.debug == ["session A: no messages between 2 and 9"]


def test_an_old_gap_of_a_first_read_is_never_read_again() -> None:
    stage = opened("A")
    stage.say("A", "one", age=100)
    stage.say("A", "three", index=3, age=61)
    stage.play(30, "A")
    assert {start for _, start, _ in stage.reads("A")[1:]} == {3}


def test_a_gap_of_a_first_read_under_a_minute_old_is_read_again() -> None:
    stage = opened("A")
    stage.say("A", "one", age=100)
    stage.hide("A", 2)
    stage.say("A", "two", age=59)
    stage.say("A", "three", age=59)
    stage.at(1, lambda: stage.show("A", 2))
    stage.play(5, "A")
    assert stage.reads("A")[2] == (2.0, 1, None)
    assert stage.texts() == ["one", "three", "two (late)"]


def test_messages_missing_before_the_first_one_are_a_gap_too() -> None:
    stage = opened("A")
    stage.hide("A", 1)
    stage.say("A", "one")
    stage.say("A", "two")
    stage.at(5, lambda: stage.show("A", 1))
    stage.play(30, "A")
    assert stage.texts() == ["two", "one (late)"]
    assert stage.notices() == []


def test_all_gaps_of_a_session_are_read_again_together() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, *[lambda index=index: stage.say("A", "far", index=index) for index in (3, 6, 9)])
    stage.at(3, lambda: stage.wake("A"))
    stage.play(30, "A", interval=60)
    from_the_lowest = [read for read in stage.reads("A") if read[1] == 1]
    assert from_the_lowest == [
        (0.0, 1, 500),
        (0.0, 1, None),
        (3.0, 1, None),
        (5.0, 1, None),
        (13.0, 1, None),
    ]


def test_both_of_two_gaps_are_read_again_though_the_server_cuts_its_answers_short() -> None:
    stage = opened("A")
    stage.cap = 3
    stage.fill("A", 1)
    stage.at(3, lambda: stage.hide("A", 2), lambda: stage.hide("A", 4))
    stage.at(3, *[lambda text=text: stage.say("A", text) for text in ("two", "three", "four", "five")])
    stage.at(8, lambda: stage.show("A", 2), lambda: stage.show("A", 4))
    stage.play(30, "A")
    assert stage.texts()[1:] == ["three", "five", "two (late)", "four (late)"]
    assert stage.notices() == []


# Wake-ups


def test_a_message_notification_reads_its_session_at_once() -> None:
    stage = opened("A", "B")
    stage.at(2.5, lambda: stage.say("A", "hello"), lambda: stage.wake("A"))
    stage.play(3, "A", "B")
    assert stage.shown_at("hello") == 2.5
    assert stage.read_times("B") == [0.0, 2.0]


def test_wake_ups_of_a_session_are_coalesced() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(2.5, *[lambda: stage.wake("A") for _ in range(5)])
    stage.play(3, "A")
    assert stage.read_times("A") == [0.0, 2.0, 2.5]


def test_a_wake_up_during_a_read_leads_to_another_one() -> None:
    stage = opened("A")
    stage.latency = 0.4
    stage.fill("A", 1)
    stage.at(2.0, lambda: stage.wake("A"))
    stage.at(2.3, lambda: stage.wake("A"))
    stage.play(3, "A", interval=30)
    assert stage.read_times("A") == [0.4, 0.8, 2.0, 2.4]


def test_a_state_notification_and_an_unknown_session_read_the_list() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.wake(kind=WakeKind.LIST))
    stage.at(1.5, lambda: stage.wake("unheard of"))
    stage.play(1.9, "A")
    assert stage.lists() == [0.0, 1.0, 1.5]


def test_a_message_of_a_session_that_is_not_followed_reads_nothing() -> None:
    stage = opened("A", "B")
    stage.at(1, lambda: stage.wake("B"))
    stage.play(1.9, "A")
    assert [one.at for one in stage.asked] == [0.0, 0.0, 0.0]


def test_a_break_of_the_channel_reads_all_once() -> None:
    stage = opened("A", "B")
    stage.fill("A", 1)
    stage.fill("B", 1)
    stage.at(3, lambda: stage.wake(kind=WakeKind.EVERYTHING))
    stage.play(4.9, trusted=True)
    assert [one.session_id for one in stage.asked if one.at == 3] == [None, "A", "B"]
    assert [one.at for one in stage.asked if one.at > 0] == [3, 3, 3]


# Trust


def test_a_wake_up_that_comes_before_a_poll_finds_the_message_wins_trust() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(2.5, lambda: stage.say("A", "hello"), lambda: stage.wake("A"))
    stage.play(60, "A")
    assert stage.notices() == ["push-trusted"]
    assert len([at for at in stage.read_times("A") if at > 8]) == 8
    assert len([at for at in stage.lists() if at > 8]) == 2


def test_a_wake_up_after_the_poll_wins_nothing() -> None:
    stage = opened("A")
    stage.at(3, lambda: stage.say("A", "hello"))
    stage.at(5.5, lambda: stage.wake("A"))
    stage.play(10, "A")
    assert stage.texts() == ["hello"]
    assert stage.notices() == []


def test_a_background_read_that_finds_a_message_without_a_wake_up_ends_the_trust() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, lambda: stage.say("A", "lost"))
    stage.play(20, "A", trusted=True)
    assert stage.shown_at("lost") == 5.0
    assert stage.news()[1:] == ["push-lost: a message came without a wake-up: polling as well"]
    assert stage.read_times("A")[:5] == [0.0, 5.0, 10.0, 12.0, 14.0]


@pytest.mark.parametrize("second", [0.5, 9.5])
def test_a_wake_up_within_5_seconds_of_a_background_read_keeps_the_trust(second: float) -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(second, lambda: stage.wake("A"))
    stage.at(3, lambda: stage.say("A", "found"))
    stage.play(30, "A", trusted=True)
    assert stage.shown_at("found") == 5.0
    assert stage.notices() == []


@pytest.mark.parametrize("second", [1.0, 19.5])
def test_a_wake_up_farther_from_the_background_read_does_not(second: float) -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(second, lambda: stage.wake("A"))
    stage.at(6.5, lambda: stage.say("A", "found"))
    stage.play(30, "A", trusted=True)
    assert stage.shown_at("found") == 10.0
    assert "push-lost" in stage.notices()


def test_a_break_explains_a_missing_wake_up() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, lambda: stage.say("A", "found"))
    stage.at(7, lambda: stage.wake(kind=WakeKind.EVERYTHING))
    stage.play(30, "A", trusted=True)
    assert stage.notices() == []


def test_a_break_shortly_before_explains_it_too() -> None:
    stage = opened("A", "B")
    stage.fill("A", 1)
    stage.fill("B", 1)
    stage.at(3, lambda: stage.wake(kind=WakeKind.EVERYTHING))
    stage.at(4, lambda: stage.say("A", "found"))
    stage.play(30, trusted=True)
    assert stage.texts("A")[1:] == ["found"]
    assert stage.notices() == []


def test_slow_answers_do_not_put_off_the_end_of_the_trust() -> None:
    stage = opened("A")
    stage.latency = 0.2
    stage.fill("A", 1)
    stage.at(3, lambda: stage.say("A", "lost"))
    stage.play(20, "A", trusted=True)
    lost = next(at for at, event in stage.played if getattr(event, "kind", "") == "push-lost")
    assert lost == pytest.approx(stage.shown_at("lost") + 5)


def test_the_first_message_of_a_session_is_judged_too() -> None:
    stage = opened("A")
    stage.at(3, lambda: stage.say("A", "lost"))
    stage.play(20, "A", trusted=True)
    assert stage.notices() == ["push-lost"]


def test_a_late_message_is_no_sign_against_push() -> None:
    stage = opened("A")
    stage.ignores_start = True
    stage.fill("A", 1)
    stage.at(0.5, lambda: stage.hide("A", 2), lambda: stage.say("A", "held back"))
    stage.at(0.6, lambda: stage.say("A", "after it"), lambda: stage.wake("A"))
    stage.at(9, lambda: stage.show("A", 2))
    stage.play(30, "A", trusted=True)
    assert stage.shown_at("held back") == 10.0
    assert stage.notices() == []


def test_trust_is_won_again_after_a_minute_and_each_change_is_reported_once() -> None:
    stage = opened("A")
    stage.fill("A", 1)

    def pushed(second: float) -> None:
        stage.at(second, lambda: stage.say("A", f"pushed {second}"), lambda: stage.wake("A"))

    stage.at(3, lambda: stage.say("A", "lost"))  # found at 5, distrust at 10
    pushed(69.1)  # too soon
    stage.at(69.5, lambda: stage.say("A", "polled"))
    pushed(70.3)
    stage.at(76, lambda: stage.say("A", "lost again"))  # found at 80.3, distrust at 85.3
    pushed(200)
    stage.at(201, lambda: stage.say("A", "lost for a third time"))
    stage.play(300, "A", trusted=True)
    assert stage.notices() == ["push-lost", "push-trusted"]
    assert stage.shown_at("polled") == pytest.approx(70.3)
    assert stage.shown_at("lost again") == pytest.approx(80.3)
    assert stage.shown_at("lost for a third time") in (205, 210)


def test_missing_push_is_reported_with_its_reason_and_polling_goes_on() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(6, lambda: stage.push(Wake(WakeKind.OFF, reason="404 Not Found")))
    stage.play(12, "A", trusted=True)
    assert stage.news()[1:] == ["polling: no push (404 Not Found): polling every 2 s"]
    assert stage.read_times("A") == [0.0, 5.0, 6.0, 9.0]


# The background


def test_one_background_read_every_5_seconds_and_every_fourth_is_the_list() -> None:
    stage = opened("A", "B", "C")
    for one in "ABC":
        stage.fill(one, 1)
    stage.play(41, trusted=True)
    assert [(one.at, one.session_id) for one in stage.asked[7:]] == [
        (5.0, "A"),
        (10.0, "B"),
        (15.0, "C"),
        (20.0, None),
        (25.0, "A"),
        (30.0, "B"),
        (35.0, "C"),
        (40.0, None),
    ]


def test_a_session_active_in_the_last_5_minutes_counts_four_times() -> None:
    stage = opened("A", "B", "C", "D", "E", "F")
    for one in "ABCDE":
        stage.fill(one, 1)
    stage.say("F", "just now", age=10)
    stage.play(62, trusted=True)
    order = [one.session_id for one in stage.asked[13:] if one.session_id]
    assert order == ["F", "F", "F", "F", "A", "F", "B", "F", "C"]


def test_fifty_idle_sessions_take_12_requests_a_minute() -> None:
    stage = opened(*[f"S{number}" for number in range(50)])
    stage.play(70, trusted=True)
    assert len([one for one in stage.asked if one.at < 10]) == 102
    assert len([one for one in stage.asked if 10 <= one.at < 70]) == 12


def test_a_session_missing_from_a_list_brings_the_next_list_after_5_seconds() -> None:
    stage = opened("A", "B")
    stage.at(1, lambda: stage.remove("A"), lambda: stage.wake(kind=WakeKind.LIST))
    stage.play(8, trusted=True)
    assert stage.lists() == [0.0, 1.0, 6.0]
    assert stage.news()[2:] == ["ended A None"]


# Polling


def test_an_active_session_is_polled_each_interval_and_a_quiet_one_less_and_less() -> None:
    stage = opened("A")
    stage.say("A", "just now")
    stage.play(130, "A")
    times = stage.read_times("A")
    steps = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert steps[:30] == [2.0] * 30
    assert steps[30:] == pytest.approx(
        [3.0, 4.5, 6.75, 10.0, 10.0, 10.0, 10.0, 10.0][: len(steps) - 30], abs=0.2
    )


def test_a_message_brings_the_interval_back() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(50, lambda: stage.say("A", "hello"))
    stage.play(70, "A")
    found = stage.shown_at("hello")
    assert [at - found for at in stage.read_times("A") if at > found][:4] == [2, 4, 6, 8]


def test_the_interval_is_from_start_to_start() -> None:
    stage = opened("A")
    stage.latency = 0.5
    stage.say("A", "just now")
    stage.play(10, "A")
    assert stage.read_times("A")[:3] == [0.5, 1.0, 3.0]


def test_the_list_is_polled_in_the_same_way() -> None:
    stage = opened("A")
    stage.at(30, lambda: stage.open("B"))
    stage.play(60)
    assert stage.lists()[:6] == [0.0, 2.0, 5.0, 9.5, 16.25, 26.25]
    seen = next(
        at for at, event in stage.played if isinstance(event, SessionStarted) and event.session.id == "B"
    )
    assert [at - seen for at in stage.lists() if at > seen][:3] == [2, 4, 6]


# The request rate


@pytest.mark.slow
def test_no_second_has_more_than_20_reads_and_intervals_stretch() -> None:
    stage = opened(*[f"S{number}" for number in range(500)])
    for one in stage.sessions_listed:
        stage.say(one, "hello")
    stage.play(90)
    assert stage.most_in_a_second() == 20
    assert stage.notices() == ["stretched"]
    assert len(stage.texts()) == 500
    assert min(len(stage.reads(one)) for one in stage.sessions_listed) >= 2


def test_a_slow_answer_does_not_let_a_21st_read_into_a_second() -> None:
    stage = opened(*[f"S{number}" for number in range(60)])
    stage.latency = 0.5
    stage.at(0.4, lambda: setattr(stage, "latency", 0.0))
    stage.play(10)
    assert [one.at for one in stage.asked][:20] == [0.0] + [0.5] * 19
    assert stage.asked[20].at > 1.5


def test_a_burst_is_allowed_and_stretches_nothing() -> None:
    stage = opened(*[f"S{number}" for number in range(19)])
    stage.play(30)
    assert len([one for one in stage.asked if one.at == 0.0]) == 20
    assert stage.notices() == []


def test_wake_ups_go_before_first_reads_and_those_before_polls() -> None:
    stage = opened("polled", *[f"S{number}" for number in range(30)])
    stage.fill("S29", 600)
    stage.at(3.5, lambda: stage.open("new"), lambda: stage.say("new", "hi", age=500))
    stage.at(3.5, lambda: stage.wake("S3"), lambda: stage.wake("new"))
    stage.play(7)
    order = [one.session_id for one in stage.asked if one.at >= 3.5]
    assert set(order[:2]) == {"S3", None}
    assert order.index("new") < order.index("polled")
    assert order.index("S29") < order.index("polled")


def test_background_reads_go_last() -> None:
    stage = opened(*[f"S{number}" for number in range(120)])
    for one in stage.sessions_listed:
        stage.say(one, "hello")
    stage.play(15, trusted=True)
    assert stage.asked[240].at > 10
    assert len({(one.session_id, one.count) for one in stage.asked[1:241]}) == 240


@pytest.mark.slow
def test_throttling_halves_the_rate_for_a_minute() -> None:
    stage = opened(*[f"S{number}" for number in range(100)])
    for one in stage.sessions_listed:
        stage.say(one, "hello")
    stage.at(20, lambda: stage.fail(ServerBusy("too many requests", retry_after=3), "S5"))
    stage.play(100)
    assert stage.news()[-1] == "stretched: the server asks for no requests for 3 s (too many requests)"
    lost = stage.notice_times("stretched")[-1]
    times = [one.at for one in stage.asked]
    assert len([at for at in times if lost < at < lost + 3]) == 0
    busy = [at for at in times if lost + 4 <= at < lost + 59]
    assert max(sum(1 for other in busy if one <= other < one + 1) for one in busy) == 10
    after = [at for at in times if at > lost + 62]
    assert max(sum(1 for other in after if one <= other < one + 1) for one in after) == 20


# Failures


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("no route"),
        SignInRefused("401"),
        ServerError("500"),
        WireError("not JSON"),
        ServerBusy("429"),
        NotPermitted("403"),
    ],
)
def test_until_the_first_good_list_a_failure_is_raised(error: SmscliError) -> None:
    stage = opened("A")
    stage.fail(error)
    with pytest.raises(type(error)):
        stage.play(10, "A")
    assert stage.renewed == 0


def test_a_lost_connection_is_reported_once_and_its_end_with_what_was_late() -> None:
    stage = opened("A", "B")
    stage.fill("A", 1)
    stage.fill("B", 1)
    stage.at(3, lambda: stage.fail_all(Unreachable("connection refused")))
    stage.at(40, lambda: stage.say("A", "one"), lambda: stage.say("B", "two"))
    stage.at(45, lambda: stage.say("A", "three"), stage.heal)
    stage.play(120, "A", "B")
    assert stage.news()[2:] == [
        "lost: connection lost, retrying (connection refused)",
        "reconnected: reconnected, 3 messages late",
    ]
    assert stage.texts("A")[1:] == ["one", "three"]


def tries(stage: Stage) -> list[tuple[float, str | None]]:
    """What was read after the connection was lost, and how long after."""
    (lost,) = stage.notice_times("lost")
    return [(one.at - lost, one.session_id) for one in stage.asked if one.at > lost]


def test_the_connection_is_lost_when_three_reads_failed_and_none_succeeded_for_3_seconds() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail_all(ServerError("500")))
    stage.play(10, "A")
    # Read well at 0; both are polled at 2 s, and again after 0.5 s.
    assert stage.notice_times("lost") == [3.5]
    assert stage.news()[1:] == ["lost: connection lost, retrying (500)"]


def test_before_3_seconds_no_number_of_failures_is_a_loss() -> None:
    stage = opened(*"ABCDEF")
    stage.at(2.5, lambda: stage.fail_all(ServerError("500")))
    stage.at(2.5, *[lambda one=one: stage.wake(one) for one in "ABCDEF"])
    stage.at(4.9, stage.heal)
    stage.play(20, trusted=False)
    assert len([one for one in stage.asked if 2.5 <= one.at < 4.9]) >= 12
    assert stage.notices() == []


def test_two_failures_are_no_loss_however_much_time_passes() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(4, lambda: stage.fail(RequestTimeout("no answer"), "A", times=2))
    stage.at(4, lambda: stage.latencies.update({"A": 10.0, None: 40.0}))
    stage.at(24, stage.latencies.clear)
    stage.play(45, "A", trusted=True)
    assert [(one.at, one.answered) for one in stage.asked if 4 <= one.at < 30] == [
        (5.0, 15.0),
        (10.0, inf),
        (15.5, 25.5),
        (26.5, 26.5),
    ]
    assert stage.notices() == []


def test_while_one_read_in_two_succeeds_nothing_is_lost() -> None:
    stage = opened("bad", "good")
    stage.fill("good", 1)
    stage.at(1, lambda: stage.fail(ServerError("500"), "bad", times=1000))
    stage.at(1, lambda: stage.say("good", "on"))
    stage.play(9, "bad", "good")
    assert stage.notices() == []


def test_while_it_is_lost_only_the_list_and_every_other_time_the_session_longest_unread_are_tried() -> None:
    stage = opened("A", "B")
    stage.at(2.2, lambda: stage.wake("A"))
    stage.at(2.5, lambda: stage.fail_all(RequestTimeout("no answer")))
    stage.play(40)
    assert tries(stage)[:8] == [
        (0.5, None),
        (1.5, "B"),
        (3.5, None),
        (7.5, "B"),
        (12.5, None),
        (17.5, "B"),
        (22.5, None),
        (27.5, "B"),
    ]


def test_tries_come_every_5_seconds_for_five_minutes_and_every_30_seconds_later() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail_all(Unreachable("gone")))
    stage.play(500)
    times = [after for after, _ in tries(stage)]
    steps = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert set(steps[4:60]) == {5.0}
    assert {step for at, step in zip(times, steps, strict=False) if at >= 305} == {30.0}


def test_a_wake_up_does_not_shorten_the_back_off_of_a_lost_connection() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail_all(Unreachable("gone")))
    for second in range(20, 40):
        stage.at(second / 2, lambda: stage.wake("A"), lambda: stage.wake(kind=WakeKind.LIST))
    stage.play(25, "A")
    assert [after for after, _ in tries(stage)] == [0.5, 1.5, 3.5, 7.5, 12.5, 17.5]


@pytest.mark.parametrize("well", [None, "A"])
def test_any_good_answer_ends_a_loss(well: str | None) -> None:
    bad = "A" if well is None else None
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(2.5, lambda: stage.fail_all(ServerError("500")))
    stage.at(12, stage.heal, lambda: stage.fail(ServerError("500"), bad, times=1))
    stage.play(20, "A")
    (end,) = stage.notice_times("reconnected")
    first = next(one for one in stage.asked if one.at >= 12 and one.session_id == well)
    assert end in (first.at, first.at + 0.5)


def test_the_end_of_a_loss_clears_the_back_offs_and_what_waited_longest_is_read_first() -> None:
    stage = opened(*[f"S{number}" for number in range(30)])
    stage.latency = 0.01
    stage.at(20, lambda: stage.fail_all(ServerError("500")))
    for number in range(30):
        second = 21 + (number * 7 % 30) / 10
        stage.at(second, partial(stage.say, f"S{number}", f"{second}"), partial(stage.wake, f"S{number}"))
    stage.at(45, stage.heal)
    stage.play(60, trusted=True)
    (end,) = stage.notice_times("reconnected")
    back = next(at for at, event in stage.played if at > 45 and isinstance(event, ListRead | NewMessages))
    assert end - back < 1.6
    times = [float(text) for text in stage.texts()]
    assert len(times) == 30
    # One may have been the try that ended the loss; four at a time are under way.
    assert all(time >= before - 0.4 for before, time in zip(times[1:], times[2:], strict=False))
    assert stage.most_in_a_second() <= 20
    assert stage.news()[-1] == "reconnected: reconnected, 30 messages late"


def test_a_failed_read_is_tried_again_after_half_a_second_then_1_then_every_2() -> None:
    stage = opened("bad", "good")
    stage.say("good", "just now")
    stage.at(1, lambda: stage.fail(ServerError("500"), "bad", times=6))
    stage.play(13, "bad", "good")
    assert stage.read_times("bad")[:8] == [0.0, 2.0, 2.5, 3.5, 5.5, 7.5, 9.5, 11.5]
    assert stage.read_times("good") == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]


def test_retries_have_jitter() -> None:
    stage = opened("A")
    stage.jitter = 1.0
    stage.at(1, lambda: stage.fail(ServerError("500"), "A", times=3))
    stage.play(6, "A")
    assert stage.read_times("A")[:5] == [0.0, 2.0, 2.25, 2.75, 3.75]


def test_a_wake_up_does_not_shorten_a_back_off() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(2.5, lambda: stage.fail(ServerError("500"), "A", times=2), lambda: stage.wake("A"))
    for second in (2.6, 2.8, 3.2, 3.6):
        stage.at(second, lambda: stage.wake("A"))
    stage.play(4.4, "A")
    assert stage.read_times("A") == [0.0, 2.0, 2.5, 3.0, 4.0]


def test_a_failed_read_keeps_its_place_among_the_wake_ups() -> None:
    stage = opened("A", *[f"S{number}" for number in range(40)])
    stage.at(10, lambda: stage.fail(ServerError("500"), "A"), lambda: stage.wake("A"))
    stage.at(10.4, *[partial(stage.wake, f"S{number}") for number in range(40)])
    stage.play(13, trusted=True)
    order = [one.session_id for one in stage.asked if one.at > 10.4]
    assert order[0] == "A"


def test_after_a_sessions_second_failure_in_a_row_the_list_is_read() -> None:
    stage = opened("bad")
    stage.at(5.5, lambda: stage.fail(WireError("cut"), "bad", times=3), lambda: stage.wake("bad"))
    stage.play(9.2, "bad", trusted=True)
    assert stage.read_times("bad") == [0.0, 5.0, 5.5, 6.0, 7.0, 9.0]
    assert stage.lists() == [0.0, 6.0, 7.0]


def test_a_session_that_fails_alone_is_never_a_lost_connection() -> None:
    stage = opened("bad")
    stage.at(1, lambda: stage.fail(WireError("cut"), "bad", times=1000))
    stage.play(300, "bad", trusted=True)
    assert stage.news()[1:] == ["lost: session bad can't be read, retrying (cut)"]


def test_retry_after_holds_all_reads_and_is_reported_once() -> None:
    stage = opened("A", "B")
    stage.at(1, lambda: stage.fail(ServerBusy("come back later", retry_after=17), "A"))
    stage.at(25, lambda: stage.fail(ServerBusy("come back later", retry_after=3)))
    stage.play(60)
    assert [one for one in stage.asked if 2 < one.at < 19] == []
    assert next(one.at for one in stage.asked if one.at > 2) == 19.0
    assert stage.news()[2:] == ["stretched: the server asks for no requests for 17 s (come back later)"]


def test_a_retry_after_of_a_clock_gone_wrong_is_not_waited_for() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail(ServerBusy("come back later", retry_after=1e9)))
    stage.play(4000, "A")
    assert stage.read_times("A")[-1] > 3600


def test_wake_ups_during_a_loss_are_read_afterwards() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(4, lambda: stage.fail_all(Unreachable("gone")))
    stage.at(6, lambda: stage.say("A", "hello"), lambda: stage.wake("A"))
    stage.at(7, stage.heal)
    stage.play(15, "A", trusted=True)
    assert stage.texts()[1:] == ["hello"]
    assert stage.notices() == ["lost", "reconnected"]


def test_one_session_that_can_not_be_read_does_not_stop_the_others() -> None:
    stage = opened("bad", "good")
    stage.at(1, lambda: stage.fail(WireError("no answer of the server"), "bad", times=8))
    for second in (3, 5, 7, 9, 11):
        stage.at(second, lambda: stage.say("good", "on"), lambda: stage.say("bad", "held up"))
    stage.play(40)
    assert stage.texts("good") == ["on"] * 5
    assert stage.texts("bad") == ["held up"] * 5
    assert stage.shown_at("held up") > stage.shown_at("on")
    # Failing since 2 s.
    assert stage.notice_times("lost") == [13.5]
    assert stage.news()[2:] == [
        "lost: session bad can't be read, retrying (no answer of the server)",
        "reconnected: session bad can be read again",
    ]


def test_a_session_that_fails_for_less_than_10_seconds_gives_no_notice() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail(ServerError("500"), "A", times=7))
    stage.at(1, lambda: stage.say("A", "hello"))
    stage.play(20, "A")
    assert stage.notices() == []
    assert stage.shown_at("hello") == 13.5


def test_a_list_that_fails_while_messages_are_read_is_reported_once_and_is_no_loss() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(1, lambda: stage.fail(NotPermitted("403"), times=1000))
    for second in range(1, 100):
        stage.at(second, lambda: stage.say("A", "hello"), lambda: stage.wake("A"))
    stage.play(100, "A")
    assert stage.news()[1:] == [
        "push-trusted: push works: polling rests",
        "stale: list can't be read, retrying (403)",
    ]
    assert len(stage.texts()) == 100


def test_a_list_that_fails_twice_gives_no_notice() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail(NotPermitted("403"), times=2))
    stage.play(20, "A")
    assert stage.notices() == []


def test_a_server_that_answers_everything_with_an_error_is_a_lost_connection() -> None:
    stage = opened(*[f"S{number}" for number in range(15)])
    stage.at(1, lambda: stage.fail_all(ServerError("502 Bad Gateway")))
    stage.at(30, stage.heal)
    stage.play(100)
    assert stage.notices() == ["lost", "reconnected"]


def test_a_session_that_always_times_out_does_not_hide_the_others() -> None:
    stage = opened("heavy", "light")
    stage.latencies["heavy"] = 10.0
    stage.at(12, lambda: stage.fail(RequestTimeout("no answer in time"), "heavy", times=10_000))
    for second in range(20, 100, 5):
        stage.at(second, lambda: stage.say("light", "on"))
    stage.play(130)
    assert len(stage.texts("light")) == 16
    assert stage.news()[2:] == ["lost: session heavy can't be read, retrying (no answer in time)"]


def test_a_failing_session_does_not_delay_the_notice_that_the_others_are_back() -> None:
    stage = opened("bad", "good")
    stage.at(1, lambda: stage.fail(WireError("no answer of the server"), "bad", times=1000))
    stage.at(60, lambda: stage.fail_all(Unreachable("gone")))
    stage.at(70, stage.heal, lambda: stage.fail(WireError("no answer of the server"), "bad", times=1000))
    stage.play(120)
    back = next(one.at for one in stage.asked if one.at >= 70 and one.session_id != "bad")
    assert stage.notice_times("reconnected") == [back]


def test_a_background_read_that_fails_is_soon_tried_again() -> None:
    stage = opened("A", "B", "C")
    for one in "ABC":
        stage.fill(one, 1)
    stage.at(4, lambda: stage.fail(ServerError("500"), "A"))
    stage.play(7, trusted=True)
    assert stage.read_times("A") == [0.0, 5.0, 5.5]


def test_with_push_too_errors_everywhere_are_a_lost_connection() -> None:
    stage = opened("A", "B", "C")
    stage.at(3, lambda: stage.fail_all(ServerError("502 Bad Gateway")))
    stage.at(3, *[lambda one=one: stage.wake(one) for one in "ABC"])
    stage.at(30, stage.heal)
    stage.play(100, trusted=True)
    assert stage.notices() == ["lost", "reconnected"]


def test_a_refused_certificate_ends_it() -> None:
    for session_id in (None, "A"):
        stage = opened("A")
        stage.at(1, partial(stage.fail, TlsError("certificate expired"), session_id))
        with pytest.raises(TlsError):
            stage.play(20, "A")


def test_a_fault_of_our_own_is_not_retried() -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail(AuthError("the keyring is locked"), "A"))
    with pytest.raises(AuthError):
        stage.play(20, "A")


@pytest.mark.parametrize("target", [None, "A"])
def test_a_sign_in_refused_after_a_success_is_renewed_once_and_goes_on(target: str | None) -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail(SignInRefused("401"), target))
    stage.at(1, lambda: stage.say("A", "hello"))
    stage.at(30, lambda: stage.fail(SignInRefused("401"), target))
    stage.play(60, "A")
    assert stage.renewed == 2
    assert stage.texts() == ["hello"]
    assert stage.notices() == []


@pytest.mark.parametrize("target", [None, "A"])
def test_a_sign_in_refused_again_ends_it(target: str | None) -> None:
    stage = opened("A")
    stage.at(1, lambda: stage.fail(SignInRefused("401"), target, times=2))
    with pytest.raises(SignInRefused):
        stage.play(20, "A")
    assert stage.renewed == 1


def test_a_renewal_that_is_refused_ends_it_and_one_that_gets_no_answer_is_tried_again() -> None:
    stage = opened("A")
    stage.renewals = [Unreachable("gone"), SignInRefused("the password has changed")]
    stage.at(1, lambda: stage.fail(SignInRefused("401"), None, times=3))
    with pytest.raises(SignInRefused, match="the password has changed"):
        stage.play(20, "A")
    assert stage.renewed == 2
    assert stage.notices() == []


def test_reads_refused_together_are_renewed_once_and_nothing_is_read_meanwhile() -> None:
    stage = opened(*"ABCD")
    stage.latency = 0.1
    stage.at(4, *[partial(stage.fail, SignInRefused("401"), one) for one in "ABCD"])
    stage.at(4, *[lambda one=one: stage.say(one, "hello") for one in "ABCD"])
    stage.at(4, *[partial(stage.wake, one) for one in "ABCD"])
    stage.play(6, interval=60)
    assert stage.renewed == 1
    assert [one.at for one in stage.asked if one.at >= 4] == pytest.approx([4.0] * 4 + [4.2] * 4)
    assert stage.texts() == ["hello"] * 4


def test_a_read_begun_before_the_renewal_and_refused_after_it_is_just_repeated() -> None:
    stage = opened("A", "B")
    stage.latencies["B"] = 1.0
    stage.at(4, partial(stage.wake, "A"), partial(stage.wake, "B"))
    stage.at(4, *[partial(stage.fail, SignInRefused("401"), one) for one in "AB"])
    stage.play(8, interval=60)
    assert stage.renewed == 1
    assert [one.at for one in stage.asked if one.session_id == "B" and one.at >= 4] == [4.0, 5.0]


# Ends


@pytest.mark.parametrize("state", ["Completed", "Revoked", "LeftChat"])
def test_a_session_ends_by_its_state_after_one_more_read(state: str) -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, lambda: stage.say("A", "bye"), lambda: stage.state("A", state))
    stage.at(3, lambda: stage.wake(kind=WakeKind.LIST))
    stage.play(20, "A", trusted=True)
    assert stage.texts() == ["old 0", "bye"]
    assert stage.news() == ["started A quietly", f"ended A {state}"]
    assert stage.now == 3.0


def test_an_unknown_state_is_live() -> None:
    stage = opened("A")
    stage.at(3, lambda: stage.state("A", "Pondering"))
    stage.play(20, "A")
    assert stage.news() == ["started A quietly"]
    assert stage.now == 20.0


def test_a_session_gone_from_two_lists_5_seconds_apart_has_ended() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, lambda: stage.remove("A"), lambda: stage.say("A", "bye"))
    stage.play(40, "A")
    assert stage.news()[1:] == ["ended A None"]
    assert stage.texts() == ["old 0", "bye"]
    missed = next(at for at in stage.lists() if at >= 3)
    assert stage.now == missed + 5


def test_a_session_that_one_list_lacks_goes_on() -> None:
    stage = opened("A")
    stage.at(4, lambda: stage.remove("A"))
    stage.at(6, lambda: stage.open("A"))
    stage.at(40, lambda: stage.remove("A"))
    stage.at(45, lambda: stage.open("A"))
    stage.play(60, "A")
    assert stage.news() == ["started A quietly"]


def test_lists_that_fail_do_not_end_a_session() -> None:
    stage = opened("A")
    stage.at(4, lambda: stage.remove("A"))
    stage.at(6, lambda: stage.fail(ServerError("500"), times=2))
    stage.at(8, lambda: stage.open("A"))
    stage.play(60, "A")
    assert stage.news() == ["started A quietly"]


def test_following_ends_when_every_named_session_has_ended() -> None:
    stage = opened("A", "B", "C")
    stage.at(3, lambda: stage.state("A", "Completed"))
    stage.at(9, lambda: stage.state("B", "Completed"))
    stage.play(100, "A", "B")
    assert stage.news() == [
        "started A quietly",
        "started B quietly",
        "ended A Completed",
        "ended B Completed",
    ]
    assert stage.now < 20


def test_an_unknown_id_is_refused_at_the_start() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    with pytest.raises(NotFound):
        stage.play(10, "A", "nobody")
    assert stage.texts() == []


def test_an_id_that_only_messages_knows_is_shown_and_has_ended() -> None:
    stage = opened("A")
    stage.say("old", "we talked")
    stage.play(60, "old")
    assert stage.news() == ["started old quietly", "ended old None"]
    assert stage.texts() == ["we talked"]
    assert stage.lists() == [0.0, 2.0, 5.0]


def test_an_unknown_id_is_refused_too_when_the_answer_is_delayed_by_a_failure() -> None:
    stage = opened("A")
    stage.fail(Unreachable("gone"), "nobody")
    with pytest.raises(NotFound):
        stage.play(10, "A", "nobody")


def test_no_log_yet_is_no_end_while_the_list_has_the_session() -> None:
    stage = opened("A")
    del stage.logs["A"]
    stage.at(30, lambda: stage.say("A", "hello"))
    stage.play(60, "A")
    assert stage.texts() == ["hello"]
    assert stage.news() == ["started A quietly"]
    assert len(stage.reads("A")) < 20


def test_a_404_on_messages_counts_as_a_list_without_the_session() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, lambda: stage.logs.pop("A"), lambda: stage.remove("A"), lambda: stage.wake("A"))
    stage.play(30, "A", trusted=True)
    assert stage.lists() == [0.0, 8.0]
    assert stage.news()[1:] == ["ended A None"]


def test_all_announces_sessions_that_come_and_go() -> None:
    stage = opened("A")
    stage.at(10, lambda: stage.open("B", state="Invited"))
    stage.at(20, lambda: stage.say("B", "hello"))
    stage.at(30, lambda: stage.remove("A"))
    stage.play(100)
    assert stage.news() == ["started A quietly", "started B", "ended A None"]
    assert stage.texts() == ["hello"]
    assert stage.now == 100


def test_a_session_that_comes_back_is_announced_and_repeats_nothing() -> None:
    stage = opened("A")
    stage.say("A", "hello")
    stage.at(3, lambda: stage.state("A", "LeftChat"))
    stage.at(30, lambda: stage.state("A", "Chatting"), lambda: stage.say("A", "back again"))
    stage.play(60)
    assert stage.news() == ["started A quietly", "ended A LeftChat", "started A"]
    assert stage.texts() == ["hello", "back again"]


def test_a_session_that_came_and_went_between_two_lists_is_shown() -> None:
    stage = opened("A")
    stage.at(3, lambda: stage.open("B", state="Completed"), lambda: stage.say("B", "quick"))
    stage.play(30)
    assert stage.news() == ["started A quietly", "started B", "ended B Completed"]
    assert stage.texts() == ["quick"]


def test_a_message_after_the_end_is_shown_when_it_is_announced() -> None:
    stage = opened("A", "B")
    stage.at(3, lambda: stage.state("A", "Completed"), lambda: stage.wake(kind=WakeKind.LIST))
    stage.at(9, lambda: stage.say("A", "saved", index=-1), lambda: stage.wake("A"))
    stage.play(20, trusted=True)
    assert stage.texts() == ["saved"]
    assert stage.news() == ["started A quietly", "started B quietly", "ended A Completed"]


def test_an_end_waits_for_the_late_messages_of_a_fresh_gap() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, lambda: stage.hide("A", 2), lambda: stage.say("A", "bye"), lambda: stage.say("A", "bye bye"))
    stage.at(3, lambda: stage.state("A", "Completed"), lambda: stage.wake(kind=WakeKind.LIST))
    stage.at(11, lambda: stage.show("A", 2))
    stage.play(60, "A", trusted=True)
    assert stage.texts()[1:] == ["bye bye", "bye (late)"]
    assert stage.now == 13.0


def test_a_last_read_that_keeps_failing_is_given_up() -> None:
    stage = opened("A")
    stage.at(
        3, lambda: stage.fail(ServerError("500"), "A", times=1000), lambda: stage.state("A", "Completed")
    )
    stage.play(200, "A")
    assert stage.news()[-1] == "ended A Completed"
    assert stage.now < 60


def test_a_last_read_is_not_given_up_while_the_connection_is_lost() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(3, lambda: stage.say("A", "bye"), lambda: stage.state("A", "Completed"))
    stage.at(3, lambda: stage.fail(ServerError("500"), "A", times=2), lambda: stage.wake(kind=WakeKind.LIST))
    # The list was read well meanwhile, so the session has failed alone.
    stage.at(3.6, lambda: stage.fail_all(ServerError("500")))
    stage.at(100, stage.heal)
    stage.play(200, "A")
    assert stage.texts() == ["old 0", "bye"]
    assert stage.news()[-1] == "ended A Completed"


# Going on where an earlier run stopped


def kept(*messages: Message) -> dict[str, Cursor]:
    cursors: dict[str, Cursor] = {}
    for message in messages:
        cursors.setdefault(message.session_id, Cursor()).recall(message)
    return cursors


def test_a_resumed_session_goes_on_at_its_last_message() -> None:
    stage = opened("A")
    stage.fill("A", 5)
    resume = kept(*stage.logs["A"])
    stage.say("A", "missed")
    stage.play(5, "A", resume=resume)
    assert stage.reads("A")[0] == (0.0, 5, None)
    assert stage.texts() == ["missed"]
    assert all(not event.first for _, event in stage.played if isinstance(event, NewMessages))


def test_gaps_of_the_last_minute_of_the_file_count_as_just_seen() -> None:
    stage = opened("A")
    for age, index in ((200, 1), (190, 3), (50, 5), (10, 7)):
        stage.say("A", f"{index}", index=index, age=age)
    resume = kept(*stage.logs["A"])
    stage.at(5, lambda: stage.say("A", "6", index=6, age=40))
    stage.at(5, lambda: stage.say("A", "2", index=2, age=195))
    stage.play(30, "A", resume=resume)
    assert [start for _, start, _ in stage.reads("A")[:2]] == [3, 3]
    assert stage.texts() == ["6 (late)"]


def test_a_late_message_of_the_file_is_not_where_it_ends() -> None:
    stage = opened("A")
    stage.fill("A", 4)
    stage.say("A", "newest", age=600)
    log = stage.logs["A"]
    stage.play(1, "A", resume=kept(log[0], log[2], log[3], log[4], replace(log[1], late=True)))
    assert stage.reads("A") == [(0.0, 5, None)]


def test_a_file_that_holds_a_reset_goes_on_in_the_new_log() -> None:
    stage = opened("A")
    stage.fill("A", 5)
    old = list(stage.logs["A"])
    stage.restart("A")
    stage.fill("A", 2, age=60)
    resume = kept(*old, *stage.logs["A"])
    stage.say("A", "missed")
    stage.play(5, "A", resume=resume)
    assert stage.reads("A")[0] == (0.0, 2, None)
    assert stage.texts() == ["missed"]
    assert stage.notices() == []


def test_messages_of_a_session_that_ended_between_two_runs_are_fetched_without_a_notice() -> None:
    stage = opened("A")
    stage.say("gone", "kept", age=600)
    stage.say("forgotten", "long ago", age=200_000)
    resume = kept(*stage.logs["gone"], *stage.logs["forgotten"])
    stage.say("gone", "missed", age=500)
    stage.play(30, resume=resume)
    assert stage.texts() == ["missed"]
    assert stage.news() == ["started A quietly"]
    assert stage.reads("forgotten") == []


def test_a_recorded_session_that_is_nowhere_any_more_ends_at_once() -> None:
    stage = opened("A")
    resume = kept(stage.say("gone", "kept"))
    del stage.logs["gone"]
    stage.play(30, "gone", resume=resume)
    assert stage.texts() == []
    assert stage.now == 5.0


# Clocks


def test_a_clock_that_jumps_ahead_does_not_hammer_the_server() -> None:
    stage = opened(*[f"S{number}" for number in range(30)])
    stage.at(10, lambda: setattr(stage, "now", 5000.0))
    stage.play(5010)
    assert stage.most_in_a_second() <= 20
    assert 20 <= len([one for one in stage.asked if one.at >= 5000]) <= 200


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_the_servers_clock_set_otherwise_does_not_stop_following(jump: timedelta) -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.at(5, lambda: setattr(stage, "offset", jump))
    stage.at(10, lambda: stage.say("A", "hello"))
    stage.play(40, "A")
    assert stage.texts()[1:] == ["hello"]
    assert len(stage.reads("A")) < 40


def test_waiting_is_announced_with_its_length() -> None:
    stage = opened("A")
    stage.play(4, "A")
    assert stage.idles()[0] == 2.0


# Whatever happens

PASSING = [
    Unreachable("reset"),
    RequestTimeout("no answer in time"),
    ServerError("500"),
    WireError("cut in the middle"),
    ServerBusy("429"),
    ServerBusy("503", retry_after=3),
]
SESSIONS = ("A", "B", "C")
happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("say"), st.sampled_from(SESSIONS), st.sampled_from(["pushed", "lost", "twice", "no"])
        ),
        st.tuples(st.just("hold back"), st.sampled_from(SESSIONS), st.floats(0.1, 8)),
        st.tuples(st.just("burst"), st.sampled_from(SESSIONS), st.integers(2, 700)),
        st.tuples(st.just("restart"), st.sampled_from(SESSIONS), st.just(None)),
        st.tuples(st.just("blank"), st.sampled_from(SESSIONS), st.integers(1, 3)),
        st.tuples(st.just("fail"), st.sampled_from([None, *SESSIONS]), st.sampled_from(PASSING)),
        st.tuples(st.just("outage"), st.floats(0.5, 20), st.sampled_from(PASSING)),
        st.tuples(st.just("break"), st.just(None), st.just(None)),
        st.tuples(st.just("storm"), st.integers(2, 20), st.just(None)),
    ).flatmap(lambda what: st.tuples(st.floats(0, 6), st.just(what))),
    max_size=30,
)


class Play:
    """Random happenings on a stage, and what must have been shown of them in the end."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.logs: list[list[Message]] = []
        self.unread: set[str | None] = set()
        self.calm_until = 1.0  # the first list must be good
        self._number = 0

    def script(self, happenings: list[tuple[float, tuple[str, Any, Any]]]) -> float:
        second = 0.0
        for after, what in happenings:
            second += after
            self.stage.at(second, partial(self._happen, *what))
        return second

    def _happen(self, what: str, which: Any, how: Any) -> None:
        stage = self.stage
        if what == "say":
            self._say(which)
            for _ in range({"pushed": 1, "twice": 2}.get(how, 0)):
                stage.wake(which)
        elif what == "hold back":
            index = len(stage.logs[which]) + 1
            stage.hide(which, index)
            self._say(which)
            stage.at(stage.now + how, lambda: stage.show(which, index))
        elif what == "burst":
            for _ in range(how):
                self._say(which)
        elif what == "restart":
            self.logs.append(stage.logs[which])
            shown = set(stage.texts(which))
            self.unread |= {one.text for one in stage.logs[which] if one.text not in shown}
            stage.restart(which)
        elif what == "blank":
            stage.blanks[which] = how
        elif what in ("fail", "outage") and stage.now < self.calm_until:
            return
        elif what == "fail":
            stage.fail(how, which)
        elif what == "outage":
            stage.fail_all(how)
            stage.at(stage.now + which, stage.heal)
        elif what == "storm":
            for number in range(which):
                stage.at(stage.now + number / 20, lambda: stage.wake(kind=WakeKind.EVERYTHING))
        else:
            stage.wake(kind=WakeKind.EVERYTHING)

    def _say(self, session_id: str) -> None:
        self._number += 1
        self.stage.say(session_id, f"{self._number}")

    def check(self) -> None:
        shown = self.stage.messages()
        texts = [one.text for one in shown]
        assert len(texts) == len(set(texts))
        logs = [*self.logs, *self.stage.logs.values()]
        assert {one.text for log in logs for one in log} - set(texts) <= self.unread
        for log in logs:
            places = {one.text: place for place, one in enumerate(log)}
            order = [places[one.text] for one in shown if one.text in places and not one.late]
            assert order == sorted(order)


@pytest.mark.slow
@settings(max_examples=200)
@given(
    happenings,
    st.booleans(),
    st.sampled_from([None, 40, 500]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.03]),
    st.floats(0.5, 120),
)
def test_whatever_happens_the_log_is_shown_exactly_once_and_in_order(
    happenings: list[tuple[float, tuple[str, Any, Any]]],
    trusted: bool,
    cap: int | None,
    shuffled: bool,
    repeats: bool,
    latency: float,
    stopped_at: float,
) -> None:
    stage = opened(*SESSIONS)
    stage.cap, stage.shuffled, stage.repeats, stage.latency = cap, shuffled, repeats, latency
    play = Play(stage)
    stage.at(play.script(happenings) + 30, stage.heal, stage.blanks.clear)
    stage.play(stopped_at, trusted=trusted)
    assert stage.most_in_a_second() <= 20
    stage.asked.clear()  # the limit is each process's own
    stage.heal()
    play.calm_until = stage.now + 1
    stage.play(330, trusted=trusted, resume=kept(*stage.messages()))
    play.check()
    assert stage.most_in_a_second() <= 20


def test_idle_events_come_although_some_read_is_always_due() -> None:
    stage = Stage(latency=0.4)
    stage.open("A", "B")
    stage.play(10, interval=0.1)
    assert len(stage.idles()) >= 10
