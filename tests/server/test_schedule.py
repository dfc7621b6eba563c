"""The fault schedule of a long run: how often each fault comes, and what it does."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.server.schedule import KINDS, FaultSchedule, ScheduledFault
from tests.server.server import FakeServer
from tests.support.demo_bayeux import Peer
from tests.support.demo_peer import LIST, Clock, get, indices
from tests.support.serving import Serve


@pytest.fixture
def server(serve: Serve) -> Iterator[FakeServer]:
    server = serve(hold=0.001)
    server.store.add_session("A")
    return server


def test_each_kind_comes_equally_often_and_in_the_same_order_for_a_seed() -> None:
    first = FaultSchedule(1).schedule(each=60, pause=0.5)
    assert Counter(fault.kind for fault in first) == dict.fromkeys(KINDS, 60)
    assert first == FaultSchedule(1).schedule(each=60, pause=0.5)
    assert [fault.kind for fault in first] != [
        fault.kind for fault in FaultSchedule(2).schedule(each=60, pause=0.5)
    ]


def test_pauses_have_the_given_average() -> None:
    pauses = [fault.after for fault in FaultSchedule(1).schedule(each=60, pause=0.5)]
    assert 0.45 < sum(pauses) / len(pauses) < 0.55
    assert 0 <= min(pauses) < max(pauses) <= 1.0


def test_an_unknown_fault_is_refused(server: FakeServer) -> None:
    with pytest.raises(ValueError, match="no such fault: 'rain'"):
        FaultSchedule(1).apply(server, "rain")


def test_a_fault_of_reads_occurs_at_the_next_read_and_no_connect(server: FakeServer) -> None:
    assert FaultSchedule(1).apply(server, "500") == {}
    with Peer(server) as peer:
        peer.begin()
    assert [get(server, LIST).status for _ in range(2)] == [500, 200]


def test_a_late_message_leaves_a_gap_for_less_than_eight_seconds(server: FakeServer, clock: Clock) -> None:
    assert FaultSchedule(1).apply(server, "late") == {}
    assert server.fault_counts["late"] == 0
    assert [indices(server, "A") for _ in range(2)] == [[2], [2]]
    assert server.fault_counts["late"] == 1
    clock.now += 7.5
    assert indices(server, "A") == [1, 2]


def test_a_gap_in_no_response_does_not_count(server: FakeServer, clock: Clock) -> None:
    FaultSchedule(1).apply(server, "late")
    server.fail_next("500", "/messages")
    assert get(server, "/api/v2/me/smsessions/A/messages").status == 500
    assert server.fault_counts["late"] == 0
    FaultSchedule(1).apply(server, "late")
    clock.now += 7.5
    assert indices(server, "A") == [1, 2, 3, 4]
    assert server.fault_counts["late"] == 0


def test_a_late_message_with_nothing_after_it_leaves_no_gap(server: FakeServer) -> None:
    server.store.append("A", {"type": "Text", "text": "last"}, late=3)
    assert indices(server, "A") == []
    assert server.fault_counts["late"] == 0


def test_a_late_message_needs_a_session(serve: Serve) -> None:
    assert FaultSchedule(1).apply(serve(), "late") == {}


def test_exactly_one_notification_is_lost(server: FakeServer) -> None:
    with Peer(server) as peer:
        peer.begin()
        FaultSchedule(1).apply(server, "notification-lost")
        for text in ("one", "two"):
            server.store.say("A", text)
        notifications = peer.connect()[:-1]
    assert [notice["data"]["messages"][0]["text"] for notice in notifications] == ["two"]
    assert server.fault_counts["notification-lost"] == 1


def test_a_notification_without_subscribers_is_not_lost(server: FakeServer) -> None:
    with Peer(server) as peer:
        peer.handshake()
        FaultSchedule(1).apply(server, "notification-lost")
        server.store.say("A", "one")
        assert server.fault_counts["notification-lost"] == 0
        peer.subscribe("/v2/me/*")
        server.cancel_faults()
        server.store.say("A", "two")
        notifications = peer.connect()[:-1]
    assert [notice["data"]["messages"][0]["text"] for notice in notifications] == ["two"]


def test_a_dropped_channel_forgets_its_clients(server: FakeServer) -> None:
    with Peer(server) as peer:
        peer.begin()
        FaultSchedule(1).apply(server, "push-dropped")
        assert peer.connect()[0]["error"] == "402::Unknown client"
        FaultSchedule(1).apply(server, "push-dropped")
    assert server.fault_counts["push-dropped"] == 1


def test_a_cut_channel_resets_a_held_connect(server: FakeServer) -> None:
    server.options.hold = 30
    with Peer(server) as peer:
        peer.begin()
        FaultSchedule(1).apply(server, "push-cut")
        assert server.fault_counts["push-cut"] == 0
        peer.hang()
        FaultSchedule(1).apply(server, "push-cut")
        assert server.fault_counts["push-cut"] == 1
        with pytest.raises(ConnectionError):
            peer.receive()


def test_a_restart_returns_the_logs_that_it_loses(server: FakeServer) -> None:
    server.store.say("A", "old")
    lost = FaultSchedule(1).apply(server, "restart")
    assert [message["text"] for message in lost["A"]] == ["old"]
    assert indices(server, "A") == []
    assert server.fault_counts == {"restart": 1}


def test_a_scheduled_fault_is_a_pause_and_a_kind() -> None:
    [fault] = [fault for fault in FaultSchedule(3).schedule(each=1, pause=0) if fault.kind == "restart"]
    assert fault == ScheduledFault(0.0, "restart")
