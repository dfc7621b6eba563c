"""Reads side by side, and how late messages get while reads are slow or fail: played on the stage."""

from functools import partial
from random import Random

import pytest

from smscli.errors import RequestTimeout, ServerError, SignInRefused, Unreachable, WireError
from smscli.model import NewMessages, WakeKind
from tests.support.feed_stage import Stage

FAILURES = (Unreachable("reset"), ServerError("500"), WireError("cut"))


def opened(*session_ids: str, latency: float = 0.0) -> Stage:
    stage = Stage(latency=latency)
    stage.open(*session_ids)
    return stage


def names(count: int, letter: str = "S") -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def test_up_to_four_reads_are_under_way_at_once() -> None:
    stage = opened(*names(12), latency=0.3)
    stage.play(3)
    assert stage.most_at_once() == 4
    assert [one.at for one in stage.asked[:9]] == pytest.approx([0.0] + [0.3] * 4 + [0.6] * 4)


def test_never_two_of_one_session_or_of_the_list() -> None:
    stage = opened("A", "B", latency=0.3)
    for second in range(10, 60):
        stage.at(second / 10, partial(stage.wake, "A"), partial(stage.wake, kind=WakeKind.LIST))
    stage.play(7)
    assert stage.most_at_once("A") == 1
    lists = [one for one in stage.asked if one.session_id is None]
    assert all(after.at >= before.answered for before, after in zip(lists, lists[1:], strict=False))


def test_a_list_under_way_is_not_read_twice_when_the_connection_is_lost() -> None:
    stage = opened("A")
    stage.state("A", "Completed")
    stage.at(4, lambda: stage.latencies.update({None: 20.0}), partial(stage.wake, kind=WakeKind.LIST))
    stage.at(8, partial(stage.fail, Unreachable("reset"), "A", 5), partial(stage.wake, "A"))
    stage.play(60)
    assert stage.lists() == [0.0, 2.0, 4.0, 24.0, 44.0]


def test_a_wake_up_during_a_read_leads_to_another_one_right_after_it() -> None:
    stage = opened("A", latency=0.4)
    stage.fill("A", 1)
    stage.at(3.1, partial(stage.wake, "A"))
    stage.at(3.2, lambda: stage.say("A", "before the answer"))
    stage.at(3.3, partial(stage.wake, "A"), partial(stage.wake, "A"))
    stage.play(6, "A", interval=60)
    assert [one.at for one in stage.asked if one.at > 3] == pytest.approx([3.1, 3.5])


def test_a_break_of_the_channel_during_a_read_has_the_session_read_again() -> None:
    stage = opened("A", latency=0.4)
    stage.fill("A", 1)
    stage.at(3.0, partial(stage.wake, "A"))
    stage.at(3.1, partial(stage.wake, kind=WakeKind.EVERYTHING))
    stage.play(4.5, "A", trusted=True)
    assert [one.at for one in stage.asked if one.session_id == "A" and one.at >= 3] == pytest.approx(
        [3.0, 3.4]
    )


def test_a_session_that_ends_during_a_read_is_read_once_more() -> None:
    stage = opened("A")
    stage.fill("A", 1)
    stage.latencies["A"] = 0.4
    stage.at(3.0, partial(stage.wake, "A"), partial(stage.wake, kind=WakeKind.LIST))
    stage.at(3.0, lambda: stage.state("A", "Completed"))
    stage.play(6, "A", trusted=True)
    assert [one.at for one in stage.asked if one.session_id == "A" and one.at >= 3] == pytest.approx(
        [3.0, 3.4]
    )
    assert stage.news()[1:] == ["ended A Completed"]


@pytest.mark.parametrize(("seconds", "most"), [(0.4, 4), (0.6, 2)])
def test_slow_sessions_hold_at_most_two_of_the_four(seconds: float, most: int) -> None:
    slow = names(6, "slow")
    stage = opened(*slow)
    stage.latencies.update(dict.fromkeys(slow, seconds))
    for second in range(10, 20):
        stage.at(second, *[partial(stage.wake, one) for one in slow])
    stage.play(22)
    # Only a read can tell that a session is slow.
    stage.asked = [one for one in stage.asked if one.at >= 10]
    assert stage.most_at_once(*slow) == most


def test_a_session_that_timed_out_is_slow_and_one_that_is_fast_again_is_not() -> None:
    sessions = ["A", "B", "C"]
    stage = opened(*sessions)
    stage.latencies.update(dict.fromkeys(sessions, 0.4))
    stage.at(5, *[partial(stage.fail, RequestTimeout("no answer"), one) for one in sessions])
    stage.at(5, *[partial(stage.wake, one) for one in sessions])
    stage.at(10, *[partial(stage.wake, one) for one in sessions])
    stage.play(12, interval=60)
    retried = [one.at for one in stage.asked if one.session_id and 5.1 < one.at < 10]
    # Each is tried again after half a second, but only two at a time.
    assert retried == pytest.approx([5.9, 5.9, 6.3])
    assert [one.at for one in stage.asked if one.session_id and one.at >= 10] == [10.0] * 3


def test_slow_sessions_delay_no_other_one() -> None:
    slow, fast = names(6, "slow"), names(10, "fast")
    stage = opened(*slow, *fast, latency=0.01)
    stage.latencies.update(dict.fromkeys(slow, 2.0))
    chance = Random(7)
    pushed: dict[str, float] = {}
    for number in range(400):
        second = 20 + number / 10
        session_id = chance.choice([*slow, *fast])
        if session_id in fast:
            pushed[f"text {number}"] = second
        stage.at(second, partial(stage.say, session_id, f"text {number}"), partial(stage.wake, session_id))
    stage.play(90)
    delays = sorted(stage.shown_at(text) - second for text, second in pushed.items())
    assert len(delays) > 200
    assert delays[-1] < 0.1
    assert len(stage.texts()) == 400
    assert stage.most_in_a_second() <= 20


def test_wake_ups_of_slow_sessions_wait_in_the_order_they_came() -> None:
    slow = names(4, "slow")
    stage = opened(*slow)
    stage.latencies.update(dict.fromkeys(slow, 1.0))
    for number, session_id in enumerate([slow[2], slow[0], slow[3], slow[1]]):
        stage.at(20 + number / 10, partial(stage.wake, session_id))
    stage.play(25, interval=300)
    order = [one.session_id for one in stage.asked if one.at >= 20]
    assert order == [slow[2], slow[0], slow[3], slow[1]]


def test_a_read_that_never_ends_stops_neither_the_others_nor_the_flushing() -> None:
    stage = opened("stuck", "good")
    stage.at(2.5, lambda: stage.latencies.update(stuck=1000.0), partial(stage.wake, "stuck"))
    for second in range(3, 60):
        stage.at(second, lambda: stage.say("good", "on"), partial(stage.wake, "good"))
    stage.play(61)
    assert len(stage.texts("good")) == 57
    assert len([one for one in stage.idles() if one > 0]) >= 57


def test_the_history_is_flushed_soon_while_another_read_is_under_way() -> None:
    stage = opened("quick", "slow")
    stage.say("quick", "hello")
    stage.latencies["slow"] = 10.0
    stage.play(12)
    idles = [at for at, event in stage.played if type(event).__name__ == "Idle"]
    shown = stage.shown_at("hello")
    assert min(at for at in idles if at >= shown) - shown <= 0.25


# How late messages get


def delays(stage: Stage, seconds: int, count: int, rate: int, chance: Random, pushed: bool) -> list[float]:
    """How late each of `rate` messages a second in `count` sessions is shown."""
    sent: dict[str, float] = {}
    for number in range(seconds * rate):
        second = 10 + number / rate
        session_id = f"S{chance.randrange(count)}"
        sent[f"text {number}"] = second
        stage.at(second, partial(stage.say, session_id, f"text {number}"))
        if pushed:
            stage.at(second + 0.002, partial(stage.wake, session_id))
    stage.at(10 + seconds, lambda: setattr(stage, "chance", lambda: None))
    stage.play(seconds + 60, trusted=pushed, interval=2.0 if pushed else 1.0)
    shown: dict[str, float] = {}
    for at, event in stage.played:
        if isinstance(event, NewMessages):
            shown.update({one.text or "": at for one in event.messages})
    assert shown.keys() == sent.keys()
    assert stage.most_in_a_second() <= 20
    return sorted(shown[text] - second for text, second in sent.items())


def failing(share: float, seed: int) -> tuple[Stage, Random]:
    stage = opened(*names(20), latency=0.005)
    chance = Random(seed)
    stage.chance = lambda: chance.choice(FAILURES) if chance.random() < share else None
    return stage, chance


@pytest.mark.parametrize("seed", range(3))
def test_with_one_read_in_ten_failing_messages_are_late_by_100_ms_and_seldom_by_3_seconds(seed: int) -> None:
    stage, chance = failing(0.1, seed)
    late = delays(stage, 60, 20, 10, chance, pushed=True)
    assert late[len(late) // 2] < 0.1
    assert late[len(late) * 99 // 100] < 3.0
    assert "lost" not in stage.notices()


@pytest.mark.parametrize("seed", range(3))
def test_with_three_reads_in_ten_failing_they_are_seldom_late_by_8_seconds(seed: int) -> None:
    stage, chance = failing(0.3, seed)
    late = delays(stage, 60, 20, 10, chance, pushed=True)
    assert late[len(late) * 99 // 100] < 8.0


@pytest.mark.parametrize("seed", range(3))
def test_by_polling_with_one_read_in_ten_failing_they_are_seldom_late_by_5_seconds(seed: int) -> None:
    stage, chance = failing(0.1, seed)
    late = delays(stage, 60, 20, 10, chance, pushed=False)
    assert late[len(late) * 99 // 100] < 5.0


def test_after_a_minute_of_500s_the_last_message_comes_within_8_seconds() -> None:
    stage = opened(*names(20), latency=0.005)
    stage.at(10, partial(stage.fail_all, ServerError("500")))
    stage.at(70, stage.heal)
    chance = Random(1)
    for number in range(600):
        session_id = f"S{chance.randrange(20)}"
        stage.at(
            10 + number / 10, partial(stage.say, session_id, f"{number}"), partial(stage.wake, session_id)
        )
    stage.play(100, trusted=True)
    assert max(at for at, event in stage.played if isinstance(event, NewMessages)) <= 78
    assert stage.news()[-1].startswith("reconnected: reconnected, ")
    assert len(stage.texts()) == 600


# Signing in


def test_four_reads_refused_together_renew_the_sign_in_once() -> None:
    stage = opened(*names(4), latency=0.1)
    stage.at(4, *[partial(stage.fail, SignInRefused("401"), one) for one in names(4)])
    stage.at(4, *[partial(stage.wake, one) for one in names(4)])
    stage.play(8, interval=60)
    assert stage.renewed == 1
