"""The store: logs, changes, subscribers, and scripted events."""

import pytest

from smscli.demo.store import Change, TimedEvent
from tests.server.store import FakeStore
from tests.support.demo_peer import START, Clock, get, indices
from tests.support.serving import Serve


def test_a_late_message_is_in_the_log_at_once_and_read_when_it_is_due(serve: Serve, clock: Clock) -> None:
    server = serve()
    session = server.store.add_session()
    server.store.say(session, "one")
    server.store.append(session, {"type": "Text", "text": "two"}, late=4)
    server.store.say(session, "three")
    assert [message["index"] for message in server.store.logs[session]] == [1, 2, 3]
    assert indices(server, session) == [1, 3]
    clock.now += 3.9
    assert indices(server, session) == [1, 3]
    clock.now += 0.2
    assert indices(server, session) == [1, 2, 3]


def test_a_message_with_an_index_takes_its_place(clock: Clock) -> None:
    store = FakeStore(clock)
    session = store.add_session()
    for index in (1, 5, 3):
        store.append(session, {"type": "Text", "index": index})
    store.say(session, "next")
    assert [message["index"] for message in store.logs[session]] == [1, 3, 5, 6]


def test_a_restart_loses_the_logs_and_numbers_from_the_start(serve: Serve) -> None:
    server = serve()
    session = server.store.add_session()
    for number in range(3):
        server.store.say(session, f"old {number}")
    old = server.store.restart()
    server.store.say(session, "new")
    assert [message["text"] for message in old[session]] == ["old 0", "old 1", "old 2"]
    assert indices(server, session) == [1]


def test_subscribers_hear_of_every_change_in_order(clock: Clock) -> None:
    store, changes = FakeStore(clock), list[Change]()
    unsubscribe = store.subscribe(changes.append)
    session = store.add_session(state="Invited")
    store.set_state(session, "Chatting")
    message = store.say(session, "hello")
    store.append(session, {"type": "Text"}, late=5)
    store.update(session, participants=[])
    store.update(session, comment="x")
    store.end(session)
    store.remove(session)
    unsubscribe()
    store.add_session()
    assert changes == [
        Change("state", session),
        Change("state", session),
        Change("message", session, message),
        Change("participants", session),
        Change("properties", session),
        Change("state", session),
        Change("removed", session),
    ]


def test_a_sender_is_named_by_nickname_id_or_type(clock: Clock) -> None:
    store = FakeStore(clock)
    session = store.add_session(customer="Noor", agents=("Robin", "Sasha"))
    by = ["Sasha", "0090000000000002", "Agent"]
    assert [store.say(session, "x", name)["from"]["nickname"] for name in by] == ["Sasha", "Noor", "Robin"]
    with pytest.raises(KeyError):
        store.say(session, "x", "Nemo")


def test_only_its_owner_sees_an_owned_session(clock: Clock) -> None:
    store = FakeStore(clock)
    everyones, owned = store.add_session(), store.add_session(owner="robin")
    assert [session.id for session in store.visible_to("robin")] == [everyones, owned]
    assert [session.id for session in store.visible_to("demo")] == [everyones]
    assert store.visible_to("sample") == []


def test_generated_ids_stay_different_after_a_removal(clock: Clock) -> None:
    store = FakeStore(clock)
    first = store.add_session()
    store.remove(first)
    assert [first, store.add_session(), store.add_session()] == [
        "0000Nt0000000000",
        "0000Nt0000000001",
        "0000Nt0000000002",
    ]


def test_events_are_applied_when_the_clock_reaches_them(clock: Clock) -> None:
    opening = {"state": "Invited", "participants": [], "received": int(START * 1000)}
    events = [
        TimedEvent(START + 1, 0, "open", "A", opening),
        TimedEvent(
            START + 2, 1, "message", "A", {"type": "Text", "timestampSeconds": int(START * 1000) + 500}
        ),
        TimedEvent(START + 3, 2, "update", "A", {"state": "Completed"}),
        TimedEvent(START + 4, 3, "remove", "A", {}),
    ]
    store = FakeStore(clock, events=events)
    assert (store.advance(), list(store.sessions)) == (START + 1, [])
    clock.now += 2
    assert store.advance() == START + 3
    assert [message["timestamp"] for message in store.logs["A"]] == ["2026-03-02T09:00:00.500+0000"]
    clock.now += 1
    store.advance()
    assert store.sessions["A"].resource["state"] == "Completed"
    clock.now += 60
    assert (store.advance(), list(store.sessions), list(store.logs)) == (None, [], [])


def test_events_of_a_removed_session_are_skipped(serve: Serve, clock: Clock) -> None:
    server = serve(scene="live")
    listed = get(server, "/api/v2/me/smsessions?fields=id").json()["smsessions"]
    for session in listed:
        server.store.remove(session["id"])
    clock.now += 600
    left = {session["id"] for session in get(server, "/api/v2/me/smsessions?fields=id").json()["smsessions"]}
    assert left
    assert not left & {session["id"] for session in listed}
