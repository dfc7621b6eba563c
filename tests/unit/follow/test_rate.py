"""The arithmetic of how fast to read."""

from math import inf

import pytest

from smscli.follow.rate import Rhythm, Trust, Window


def test_20_reads_are_free_and_the_21st_waits_out_the_second_of_the_first() -> None:
    window = Window()
    for number in range(20):
        assert window.free_at(5.0) <= 5.0
        window.start()
        window.finish(5.0 + number / 100)
    assert window.free_at(5.5) == pytest.approx(6.01)


def test_a_read_under_way_counts_until_a_second_after_its_answer() -> None:
    window = Window()
    for _ in range(4):
        window.start()
    for _ in range(16):
        window.start()
        window.finish(5.0)
    assert window.free_at(5.5) == pytest.approx(6.01)
    window.start()
    for _ in range(15):
        window.start()
    assert window.free_at(9.0) == inf
    window.finish(9.0)
    assert window.free_at(9.0) == pytest.approx(10.01)


def test_a_halved_window_lets_10_through_for_a_minute() -> None:
    window = Window()
    window.halve(0.0)
    for _ in range(10):
        window.start()
        window.finish(59.0)
    assert window.limit(59.0) == 10
    assert window.free_at(59.0) == pytest.approx(60.01)
    assert window.limit(60.0) == 20
    assert window.free_at(60.0) == -inf


def test_a_rhythm_slows_down_after_a_minute_and_starts_again() -> None:
    rhythm = Rhythm(2.0)
    rhythm.on_messages(100.0)
    rhythm.on_empty_read(159.0)
    assert rhythm.interval == 2.0
    met = []
    for _ in range(5):
        rhythm.on_empty_read(160.0)
        met.append(rhythm.interval)
    assert met == [3.0, 4.5, 6.75, 10.0, 10.0]
    rhythm.on_messages(200.0)
    assert rhythm.interval == 2.0


def test_a_message_from_a_clock_ahead_counts_as_just_sent() -> None:
    rhythm = Rhythm(2.0)
    rhythm.on_messages(100.0, age=-1000.0)
    assert rhythm.active_at == 100.0


def test_trust_is_lost_5_seconds_after_a_message_without_a_wake_up() -> None:
    trust = Trust(trusted=True)
    trust.on_background_page("A", 10.0)
    trust.on_wake("B", 11.0)
    assert (trust.judge(14.9), trust.deadline) == (False, 15.0)
    assert trust.judge(15.0)
    assert not trust.trusted


def test_what_the_background_finds_without_trust_is_no_matter() -> None:
    trust = Trust(trusted=False)
    trust.on_background_page("A", 10.0)
    assert trust.deadline == inf
