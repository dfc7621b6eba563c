"""The world behind the server: logs, what happens to them, and who is told."""

import pytest

from smscli.demo.world import Change, Cue, World
from tests.support.demo_peer import START, Clock, get, indices
from tests.unit.demo.conftest import Serve


def test_a_late_message_is_in_the_log_at_once_and_read_when_it_is_due(serve: Serve, clock: Clock) -> None:
    server = serve()
    session = server.world.add_session()
    server.world.say(session, "one")
    server.world.append(session, {"type": "Text", "text": "two"}, late=4)
    server.world.say(session, "three")
    assert [message["index"] for message in server.world.logs[session]] == [1, 2, 3]
    assert indices(server, session) == [1, 3]
    clock.now += 3.9
    assert indices(server, session) == [1, 3]
    clock.now += 0.2
    assert indices(server, session) == [1, 2, 3]


def test_a_message_with_an_index_takes_its_place(clock: Clock) -> None:
    world = World(clock)
    session = world.add_session()
    for index in (1, 5, 3):
        world.append(session, {"type": "Text", "index": index})
    world.say(session, "next")
    assert [message["index"] for message in world.logs[session]] == [1, 3, 5, 6]


def test_a_restart_loses_the_logs_and_numbers_from_the_start(serve: Serve) -> None:
    server = serve()
    session = server.world.add_session()
    for number in range(3):
        server.world.say(session, f"old {number}")
    old = server.world.restart()
    server.world.say(session, "new")
    assert [message["text"] for message in old[session]] == ["old 0", "old 1", "old 2"]
    assert indices(server, session) == [1]


def test_subscribers_hear_of_every_change_in_order(clock: Clock) -> None:
    world, heard = World(clock), list[Change]()
    unsubscribe = world.subscribe(heard.append)
    session = world.add_session(state="Invited")
    world.set_state(session, "Chatting")
    message = world.say(session, "hello")
    world.append(session, {"type": "Text"}, late=5)
    world.update(session, participants=[])
    world.update(session, comment="x")
    world.end(session)
    world.remove(session)
    unsubscribe()
    world.add_session()
    assert heard == [
        Change("state", session),
        Change("state", session),
        Change("message", session, message),
        Change("participants", session),
        Change("properties", session),
        Change("state", session),
        Change("removed", session),
    ]


def test_participants_speak_by_nickname_id_or_type(clock: Clock) -> None:
    world = World(clock)
    session = world.add_session(customer="Noor", agents=("Robin", "Sasha"))
    by = ["Sasha", "0090000000000002", "Agent"]
    assert [world.say(session, "x", name)["from"]["nickname"] for name in by] == ["Sasha", "Noor", "Robin"]
    with pytest.raises(KeyError):
        world.say(session, "x", "Nobody")


def test_only_its_owner_sees_an_owned_session(clock: Clock) -> None:
    world = World(clock)
    everyones, owned = world.add_session(), world.add_session(owner="robin")
    assert [session.id for session in world.visible_to("robin")] == [everyones, owned]
    assert [session.id for session in world.visible_to("demo")] == [everyones]
    assert world.visible_to("sample") == []


def test_generated_ids_stay_different_after_a_removal(clock: Clock) -> None:
    world = World(clock)
    first = world.add_session()
    world.remove(first)
    assert [first, world.add_session(), world.add_session()] == [
        "0000Nt0000000000",
        "0000Nt0000000001",
        "0000Nt0000000002",
    ]


def test_cues_happen_when_the_clock_reaches_them(clock: Clock) -> None:
    opening = {"state": "Invited", "participants": [], "received": int(START * 1000)}
    cues = [
        Cue(START + 1, 0, "open", "A", opening),
        Cue(START + 2, 1, "message", "A", {"type": "Text", "timestampSeconds": int(START * 1000) + 500}),
        Cue(START + 3, 2, "update", "A", {"state": "Completed"}),
        Cue(START + 4, 3, "gone", "A", {}),
    ]
    world = World(clock, cues=cues)
    assert (world.advance(), list(world.sessions)) == (START + 1, [])
    clock.now += 2
    assert world.advance() == START + 3
    assert [message["timestamp"] for message in world.logs["A"]] == ["2026-03-02T09:00:00.500+0000"]
    clock.now += 1
    world.advance()
    assert world.sessions["A"].resource["state"] == "Completed"
    clock.now += 60
    assert (world.advance(), list(world.sessions), list(world.logs)) == (None, [], [])


def test_a_script_passes_over_a_session_that_was_removed(serve: Serve, clock: Clock) -> None:
    server = serve(scene="live")
    listed = get(server, "/api/v2/me/smsessions?fields=id").json()["smsessions"]
    for session in listed:
        server.world.remove(session["id"])
    clock.now += 600
    left = {session["id"] for session in get(server, "/api/v2/me/smsessions?fields=id").json()["smsessions"]}
    assert left
    assert not left & {session["id"] for session in listed}
