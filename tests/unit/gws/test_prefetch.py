"""Prefetching: scheduled keys are fetched in the background, as many as the depth allows and no others."""

import threading
from collections.abc import Iterator
from itertools import islice
from queue import SimpleQueue

import pytest

from smscli.gws.client import GwsClient
from smscli.gws.client import Server as Address
from smscli.gws.prefetch import Prefetcher
from tests.support.wire_server import Reply, Request, WireServer, answer


class Server:
    """Answers a number with its square, each fetch held until it is let go; a negative one with an error."""

    def __init__(self, held: bool = False) -> None:
        self.asked: SimpleQueue[int] = SimpleQueue()
        self.opened = 0
        self.closed: SimpleQueue[None] = SimpleQueue()
        self._gate = threading.Semaphore(0 if held else 1_000_000)

    def open(self) -> "Server":
        self.opened += 1
        return self

    def fetch(self, number: int) -> int:
        self.asked.put(number)
        self._gate.acquire()
        if number < 0:
            raise OSError("no such number")
        return number * number

    def let_go(self, fetches: int = 1) -> None:
        self._gate.release(fetches)

    def close(self) -> None:
        self.closed.put(None)

    def next_asked(self, number: int) -> set[int]:
        return {self.asked.get(timeout=10) for _ in range(number)}


def idle() -> None:
    """Nothing to do while one waits."""


def test_an_unscheduled_key_has_no_result() -> None:
    server = Server()
    prefetcher = Prefetcher(server.open, Server.fetch, 3, idle)
    assert prefetcher.result(1) is None
    assert server.opened == 0


def test_the_depth_grows_with_each_used_result() -> None:
    server = Server()
    prefetcher = Prefetcher(server.open, Server.fetch, 3, idle)
    for first, asked in ((1, {1}), (2, {2, 3}), (3, {4, 5}), (4, {6}), (5, {7})):
        prefetcher.schedule(range(first, first + 5))
        assert server.next_asked(len(asked)) == asked
        assert prefetcher.result(first) == first * first
    assert server.opened in (2, 3)
    assert server.asked.empty()


def test_several_keys_are_fetched_at_once() -> None:
    server = Server()
    prefetcher = Prefetcher(server.open, Server.fetch, 3, idle)
    prefetcher.schedule([1])
    assert prefetcher.result(1) == 1
    held = Server(held=True)
    prefetcher = Prefetcher(held.open, Server.fetch, 2, idle)
    prefetcher.schedule([5])
    held.let_go()
    assert prefetcher.result(5) == 25
    prefetcher.schedule([6, 7, 8])
    assert held.next_asked(3) == {5, 6, 7}
    held.let_go(2)
    assert (prefetcher.result(6), prefetcher.result(7)) == (36, 49)


def test_after_a_wrong_schedule_the_depth_stays_at_one() -> None:
    server = Server()
    prefetcher = Prefetcher(server.open, Server.fetch, 3, idle)
    prefetcher.schedule([1, 2, 3])
    assert prefetcher.result(1) == 1
    prefetcher.schedule([2, 3])
    assert prefetcher.result(2) == 4
    assert server.next_asked(3) == {1, 2, 3}
    prefetcher.schedule([10, 11, 12])
    assert prefetcher.result(10) == 100
    prefetcher.schedule([11, 12, 13])
    assert prefetcher.result(11) == 121
    assert prefetcher.result(12) is None
    assert server.next_asked(2) == {10, 11}
    assert server.asked.empty()


def test_the_error_of_a_fetch_is_its_result() -> None:
    server = Server()
    prefetcher = Prefetcher(server.open, Server.fetch, 3, idle)
    prefetcher.schedule([-1])
    error = prefetcher.result(-1)
    assert isinstance(error, OSError) and str(error) == "no such number"
    prefetcher.schedule([2, 3])
    assert prefetcher.result(2) == 4
    assert server.next_asked(2) == {-1, 2}
    assert server.asked.empty()


def test_on_wait_may_end_the_wait() -> None:
    server = Server(held=True)

    def look_round() -> None:
        raise EOFError

    prefetcher = Prefetcher(server.open, Server.fetch, 3, look_round)
    prefetcher.schedule([1])
    server.next_asked(1)
    with pytest.raises(EOFError):
        prefetcher.result(1)
    assert prefetcher.close() == [1]
    server.let_go()


def test_close_returns_the_running_keys() -> None:
    server = Server(held=True)
    prefetcher = Prefetcher(server.open, Server.fetch, 3, idle)
    prefetcher.schedule([1])
    server.next_asked(1)
    server.let_go()
    assert prefetcher.result(1) == 1
    prefetcher.schedule([2, 3])
    assert server.next_asked(2) == {2, 3}
    assert prefetcher.close() == [2, 3]
    server.let_go(2)


@pytest.mark.parametrize("held", [False, True])
def test_every_thread_closes_its_client(held: bool) -> None:
    server = Server(held)
    prefetcher = Prefetcher(server.open, Server.fetch, 3, idle)
    prefetcher.schedule([1])
    server.next_asked(1)
    prefetcher.close()
    server.let_go()
    server.closed.get(timeout=10)
    assert prefetcher.result(1) is None
    assert server.asked.empty()


# --- a session's log, read with prefetching ---

LONG = 10_000


def full_pages(request: Request) -> Reply:
    """A log of LONG messages, which obeys `startIndex` and `count`."""
    start = int(request.query["startIndex"])
    end = min(start + int(request.query.get("count", LONG)), LONG + 1)
    return answer({"messages": [{"index": index, "type": "Text"} for index in range(start, end)]})


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer(full_pages) as server:
        yield server


@pytest.fixture
def client(server: WireServer) -> Iterator[GwsClient]:
    client = GwsClient(
        Address(server.base_url, 10), lambda: ("Authorization", "Bearer t"), spelling="smsessions", environ={}
    )
    yield client
    client.close()


def test_a_long_log_uses_one_connection_per_thread(server: WireServer, client: GwsClient) -> None:
    assert sum(len(page.messages) for page in client.messages("s1")) == LONG
    assert len(server.requests) > LONG / 500
    assert max(one.connection for one in server.requests) <= 1 + 3


@pytest.mark.parametrize("more", [0, LONG], ids=["left early", "read to its end"])
def test_prefetch_threads_end_with_the_read(client: GwsClient, more: int) -> None:
    others = set(threading.enumerate())
    log = client.messages("s1")
    assert len(list(islice(log, 5))) == 5
    threads = [one for one in set(threading.enumerate()) - others if one.name == "reads"]
    _ = list(islice(log, more))
    log.close()
    for thread in threads:
        thread.join(10)
    assert threads and not any(thread.is_alive() for thread in threads)
