"""Reads side by side: the threads of a pool, and the inbox on which they bring what they read."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from smscli.gws.pool import ClientPool, Inbox, Pool
from smscli.model import Wake, WakeKind

SOON = 10.0
LIST = Wake(WakeKind.LIST)


def messages(session_id: str) -> Wake:
    return Wake(WakeKind.MESSAGES, session_id)


class Connection:
    """A connection that notes in which threads it is made, used and closed."""

    def __init__(self) -> None:
        self.made_in = threading.current_thread()
        self.used_in: set[threading.Thread] = set()
        self.closed = threading.Event()

    def use(self) -> None:
        self.used_in.add(threading.current_thread())

    def close(self) -> None:
        self.closed.set()


class Pooled:
    """A pool of threads, one of connections, and an inbox for what comes of the jobs."""

    def __init__(self, size: int) -> None:
        self.connections: list[Connection] = []
        self.inbox: Inbox[str] = Inbox()
        self.pool = Pool(size)
        self.clients = ClientPool(self._connect)

    def _connect(self) -> Connection:
        self.connections.append(Connection())
        return self.connections[-1]

    def run(self, name: str, wait: Callable[[], object] = lambda: None) -> None:
        connection = self.clients.take()

        def job() -> None:
            connection.use()
            wait()
            self.clients.give_back(connection)
            self.inbox.put(name)

        self.pool.submit(job)

    def next(self) -> list[Wake | str]:
        return self.inbox.take(SOON)


@contextmanager
def pooled(size: int) -> Iterator[Pooled]:
    one = Pooled(size)
    try:
        yield one
    finally:
        one.pool.close()
        one.clients.close()
        assert all(connection.closed.wait(SOON) for connection in one.connections)


def test_jobs_run_side_by_side_each_on_a_connection_of_its_own() -> None:
    together = threading.Barrier(3)
    with pooled(3) as one:
        for name in "abc":
            one.run(name, lambda: together.wait(SOON))
        came: list[Wake | str] = []
        while len(came) < 3:
            came += one.next()
    assert sorted(map(str, came)) == ["a", "b", "c"]
    threads = [connection.used_in for connection in one.connections]
    assert len(threads) == 3 == len(set[threading.Thread]().union(*threads))


def test_connections_are_made_in_the_thread_that_takes_them() -> None:
    with pooled(2) as one:
        one.run("a")
        assert one.next() == ["a"]
    assert [connection.made_in for connection in one.connections] == [threading.current_thread()]


def test_no_more_threads_than_the_size_and_no_job_is_lost() -> None:
    gate = threading.Event()
    with pooled(2) as one:
        for number in range(7):
            one.run(f"{number}", lambda: gate.wait(SOON))
        gate.set()
        came: list[Wake | str] = []
        while len(came) < 7:
            came += one.next()
    used_in = set[threading.Thread]().union(*(connection.used_in for connection in one.connections))
    assert len(used_in) <= 2
    assert sorted(map(str, came)) == [f"{number}" for number in range(7)]


def test_one_job_after_the_other_takes_one_connection_and_one_thread() -> None:
    used_in = set[threading.Thread]()
    with pooled(4) as one:
        for number in range(5):
            one.run(f"{number}")
            assert one.next() == [f"{number}"]
            used_in |= one.connections[0].used_in
        assert len(one.connections) == 1
    # The first thread may not yet have put down its job when the next one was submitted.
    assert len(used_in) <= 2


def test_a_connection_in_use_is_closed_once_its_job_has_ended() -> None:
    gate = threading.Event()
    one = Pooled(1)
    one.run("a", lambda: gate.wait(SOON))
    one.pool.close()
    one.clients.close()
    assert not one.connections[0].closed.is_set()
    gate.set()
    assert one.next() == ["a"]
    assert one.connections[0].closed.wait(SOON)


# The inbox


def test_wake_ups_come_in_order_and_each_once() -> None:
    inbox: Inbox[str] = Inbox()
    for wake in (messages("s2"), LIST, messages("s1"), LIST, messages("s2")):
        inbox.wake(wake)
    assert inbox.take(0) == [messages("s2"), LIST, messages("s1")]
    assert inbox.take(0) == []
    inbox.wake(LIST)
    assert inbox.take(0) == [LIST]


def test_items_come_every_one_and_beside_the_wake_ups() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("page")
    inbox.wake(LIST)
    inbox.put("page")
    assert inbox.take(0) == [LIST, "page", "page"]
    assert inbox.take(0) == []


@pytest.mark.parametrize("what", ["wake", "put"])
def test_a_waiting_reader_is_woken(what: str) -> None:
    inbox: Inbox[Wake] = Inbox()
    timer = threading.Timer(0.01, getattr(inbox, what), [LIST])
    timer.start()
    assert inbox.take(SOON) == [LIST]
    timer.join()
