"""The test server as a whole: its log of requests, its options, and its end."""

import threading
import time
from queue import Queue

from smscli.demo.store import Change
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.demo_peer import DEMO, LIST, connect, get
from tests.support.serving import Serve


def test_every_request_of_a_connection_is_logged(serve: Serve) -> None:
    server = serve()
    connection = connect(server)
    for _ in range(3):
        connection.request("GET", LIST, headers=DEMO)
        assert connection.getresponse().read() == b'{"statusCode":0,"smsessions":[]}'
    connection.close()
    assert list(server.requests) == [("GET", LIST, "demo")] * 3


def test_options_can_be_replaced_while_it_runs(serve: Serve) -> None:
    server = serve()
    server.options = Options(scene="empty", omit_status_code=True)
    assert get(server, LIST).json() == {"smsessions": []}


def test_subscribers_hear_of_scheduled_messages_without_any_request() -> None:
    changes: Queue[Change] = Queue()
    with FakeServer(Options(scene="bulk", sessions=1, messages=0, rate=50.0)) as server:
        server.store.subscribe(changes.put)
        change = changes.get(timeout=10)
    assert (change.kind, change.session_id) == ("message", "0000Nb0000000000")
    assert change.message is not None
    assert change.message["type"] == "Text"


def test_closing_ends_a_response_that_hangs() -> None:
    server = FakeServer(Options(scene="empty")).start()
    connection = connect(server)
    server.fail_next("hang")
    connection.request("GET", LIST, headers=DEMO)
    begin = time.monotonic()
    server.close()
    assert time.monotonic() - begin < 2
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("demo-")] == []
    connection.close()
