"""The demo server's start and end, and that it publishes its conversations."""

import threading
import time
from queue import Queue

from smscli.demo.server import DemoServer
from smscli.demo.store import Change
from tests.support.demo_bayeux import Peer
from tests.support.demo_peer import DEMO, LIST, Clock, connect


def demo_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("demo-")]


def test_closing_ends_every_thread_at_once_though_connections_are_open() -> None:
    server = DemoServer().start()
    connections = [connect(server) for _ in range(3)]
    for connection in connections:
        connection.request("GET", LIST, headers=DEMO)
        connection.getresponse().read()
    with Peer(server) as peer:
        peer.handshake()
        peer.connect()
        peer.send_connect()
        begin = time.monotonic()
        server.close()
    assert time.monotonic() - begin < 2
    assert demo_threads() == []
    for connection in connections:
        connection.close()


def test_a_server_never_started_closes_too() -> None:
    DemoServer().close()
    assert demo_threads() == []


def test_a_closed_server_can_be_closed_again() -> None:
    with DemoServer() as server:
        server.close()
    assert demo_threads() == []


def test_scripted_events_reach_subscribers_without_any_request() -> None:
    changes: Queue[Change] = Queue()
    with DemoServer() as server:
        server.store.subscribe(changes.put)
        change = changes.get(timeout=10)
    assert (change.kind, change.session_id) == ("message", "0000Na9C00R4QA87")
    assert change.message is not None
    assert change.message["type"] == "TypingStarted"


def test_the_store_follows_a_clock_that_is_set_forward(demo: DemoServer, clock: Clock) -> None:
    changes: Queue[Change] = Queue()
    demo.store.subscribe(changes.put)
    clock.now += 0.9
    assert changes.get(timeout=10).session_id == "0000Na9C00R4QA87"
