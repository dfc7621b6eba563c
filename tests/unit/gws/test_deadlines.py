"""The deadline of a response: what takes too long is closed, and nothing else."""

import threading
import time

from smscli.gws.deadlines import Deadlines

SOON = 10.0


class Closed:
    """Counts how often a connection is closed."""

    def __init__(self) -> None:
        self.times = 0
        self._event = threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self._event.set()

    def wait(self) -> bool:
        return self._event.wait(SOON)


def test_what_takes_too_long_is_closed_and_told_so() -> None:
    closed = Closed()
    with Deadlines().within(0.01, closed) as deadline:
        assert closed.wait()
    assert deadline.is_over


def test_what_ends_in_time_is_never_closed() -> None:
    closed, deadlines = Closed(), Deadlines()
    with deadlines.within(0.05, closed) as deadline:
        pass
    other = Closed()
    with deadlines.within(0.1, other):
        assert other.wait()
    assert (closed.times, deadline.is_over) == (0, False)


def test_a_connection_that_could_not_be_closed_yet_is_closed_again() -> None:
    closed = Closed()
    with Deadlines().within(0.01, closed):
        end = time.monotonic() + SOON
        while closed.times < 3:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_an_earlier_deadline_is_enforced_while_a_later_one_is_waited_for() -> None:
    deadlines, late, early = Deadlines(), Closed(), Closed()
    with deadlines.within(SOON, late), deadlines.within(0.01, early):
        assert early.wait()
    assert late.times == 0


def test_requests_of_all_threads_share_one_thread() -> None:
    deadlines, closed = Deadlines(), [Closed() for _ in range(5)]

    def request(close: Closed) -> None:
        with deadlines.within(0.01, close):
            assert close.wait()

    before = threading.active_count()
    threads = [threading.Thread(target=request, args=(one,)) for one in closed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one.times for one in closed)
    assert threading.active_count() == before + 1
