"""The rate limit, the poll interval, and the trust in push."""

from math import inf

import pytest

from smscli.follow.rate import PollInterval, PushTrust, RateLimit


def test_20_reads_are_free_and_the_21st_waits_out_the_second_of_the_first() -> None:
    limit = RateLimit()
    for number in range(20):
        assert limit.free_at(5.0) <= 5.0
        limit.start()
        limit.finish(5.0 + number / 100)
    assert limit.free_at(5.5) == pytest.approx(6.01)


def test_a_read_under_way_counts_until_a_second_after_its_answer() -> None:
    limit = RateLimit()
    for _ in range(4):
        limit.start()
    for _ in range(16):
        limit.start()
        limit.finish(5.0)
    assert limit.free_at(5.5) == pytest.approx(6.01)
    limit.start()
    for _ in range(15):
        limit.start()
    assert limit.free_at(9.0) == inf
    limit.finish(9.0)
    assert limit.free_at(9.0) == pytest.approx(10.01)


def test_a_halved_limit_lets_10_through_for_a_minute() -> None:
    limit = RateLimit()
    assert limit.throttle(0.0, None) == 0.0
    for _ in range(10):
        limit.start()
        limit.finish(59.0)
    assert limit.per_second(59.0) == 10
    assert limit.free_at(59.0) == pytest.approx(60.01)
    assert limit.per_second(60.0) == 20
    assert limit.free_at(60.0) <= 60.0


def test_an_interval_grows_down_after_a_minute_and_starts_again() -> None:
    interval = PollInterval(2.0)
    interval.on_messages(100.0)
    interval.on_empty_read(159.0)
    assert interval.interval == 2.0
    met = []
    for _ in range(5):
        interval.on_empty_read(160.0)
        met.append(interval.interval)
    assert met == [3.0, 4.5, 6.75, 10.0, 10.0]
    interval.on_messages(200.0)
    assert interval.interval == 2.0


def test_a_message_from_a_clock_ahead_counts_as_just_sent() -> None:
    interval = PollInterval(2.0)
    interval.on_messages(100.0, age=-1000.0)
    assert interval.active_at == 100.0


def test_trust_is_lost_5_seconds_after_a_message_without_a_wake_up() -> None:
    trust = PushTrust(trusted=True)
    trust.on_background_page("A", 10.0)
    trust.on_wake("B", 11.0)
    assert (trust.expires(14.9), trust.deadline) == (False, 15.0)
    assert trust.expires(15.0)
    assert not trust.trusted


def test_what_the_background_finds_without_trust_is_no_matter() -> None:
    trust = PushTrust(trusted=False)
    trust.on_background_page("A", 10.0)
    assert trust.deadline == inf
