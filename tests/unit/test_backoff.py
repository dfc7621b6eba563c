"""Back-off: delays, jitter and Retry-After."""

from math import inf, nan

import pytest

from smscli.backoff import Backoff, capped


@pytest.mark.parametrize(
    ("jitter", "delays"), [(0.0, [1, 2, 4, 8, 16, 30, 30]), (1.0, [0.5, 1, 2, 4, 8, 15, 15])]
)
def test_back_off_doubles_and_jitter_takes_up_to_half(jitter: float, delays: list[float]) -> None:
    backoff = Backoff()
    met = []
    for _ in delays:
        backoff.failed(100.0, jitter)
        met.append(backoff.until - 100)
    assert met == delays
    backoff.passed()
    assert (backoff.failures, backoff.until) == (0, -inf)


@pytest.mark.parametrize(
    ("retry_after", "delay"), [(7.0, 7.0), (0.0, 1.0), (-5.0, 1.0), (1e12, 3600.0), (nan, 1.0)]
)
def test_retry_after_is_obeyed_up_to_an_hour(retry_after: float, delay: float) -> None:
    backoff = Backoff()
    backoff.failed(0.0, 0.0, retry_after)
    assert backoff.until == delay


def test_the_first_and_the_longest_delay_can_be_chosen_and_changed() -> None:
    backoff = Backoff(0.5, 2.0)
    delays = []
    for _ in range(4):
        backoff.failed(10.0, 0.0)
        delays.append(backoff.until - 10)
    backoff.longest = 60.0
    backoff.failed(10.0, 0.0)
    assert (delays, backoff.until - 10) == ([0.5, 1.0, 2.0, 2.0], 8.0)


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(None, 0.0), (7.0, 7.0), (-5.0, 0.0), (1e12, 3600.0), (nan, 0.0)]
)
def test_a_retry_after_has_an_upper_bound(retry_after: float | None, seconds: float) -> None:
    assert capped(retry_after) == seconds


def test_thousands_of_failures_are_no_overflow() -> None:
    backoff = Backoff()
    for _ in range(5000):
        backoff.failed(0.0, 0.0)
    assert backoff.until == 30.0
