"""The bulk scene: large computed logs, which must look like any other."""

import json
import tracemalloc

import pytest

from tests.server.bulk import BulkHead
from tests.server.store import FakeLog
from tests.support.demo_peer import DEMO, START, Clock, get, indices, messages
from tests.support.serving import Serve

PEOPLE = {
    "Agent": {"type": "Agent", "nickname": "Robin", "participantId": "A"},
    "Customer": {"type": "Customer", "nickname": "100% Noor", "participantId": "C"},
}
FIRST, SECOND = "0000Nb0000000000", "0000Nb0000000001"


def test_sessions_and_messages_are_as_many_as_asked(serve: Serve) -> None:
    server = serve(scene="bulk", sessions=3, messages=7)
    listed = get(server, "/api/v2/me/smsessions?fields=id").json()["smsessions"]
    assert [session["id"] for session in listed] == [FIRST, SECOND, "0000Nb0000000002"]
    assert indices(server, SECOND) == [1, 2, 3, 4, 5, 6, 7]


def test_a_bulk_message_reads_like_any_other(serve: Serve) -> None:
    server = serve(scene="bulk", sessions=2, messages=5000)
    assert messages(server, SECOND, "?startIndex=4999") == [
        {
            "index": 4999,
            "type": "Text",
            "from": {"type": "Customer", "nickname": "Noor", "participantId": "0090000000010001"},
            "text": "It is 5512-0447",
            "visibility": "All",
            "timestamp": "2026-03-02T08:59:58.000+0000",
        },
        {
            "index": 5000,
            "type": "Text",
            "from": {"type": "Agent", "nickname": "Robin", "participantId": "0090000000010000"},
            "text": "Found it. It left our depot at 6:40 and is on its way to you.",
            "visibility": "All",
            "timestamp": "2026-03-02T08:59:59.000+0000",
        },
    ]


def test_switches_apply_to_computed_messages_too(serve: Serve) -> None:
    server = serve(scene="bulk", sessions=1, messages=40)
    plain = messages(server, FIRST)
    server.options.timestamps = "z"
    assert messages(server, FIRST) == [
        {**message, "timestamp": f"2026-03-02T08:59:{20 + place}Z"} for place, message in enumerate(plain)
    ]


@pytest.mark.parametrize("first_index", [0, 1])
@pytest.mark.parametrize("gaps", [0, 2, 3, 10])
def test_numbering_is_that_of_a_stored_log(first_index: int, gaps: int) -> None:
    head = BulkHead(PEOPLE, 50, START, first_index, gaps)
    made, kept = FakeLog(first_index, gaps, head), FakeLog(first_index, gaps)
    for _ in range(60):
        kept.add({"type": "Text"})
    for _ in range(10):
        made.add({"type": "Text"})
    numbers = [message["index"] for message in kept]
    assert [message["index"] for message in made] == numbers
    assert [made.position(index) for index in range(-2, 120)] == [
        kept.position(index) for index in range(-2, 120)
    ]


def test_encoded_messages_equal_the_single_ones() -> None:
    head = BulkHead(PEOPLE, 400, START, 1, 7)
    fast = [json.loads(message) for message in head.encoded(0, 400)]
    slow = [head[place] for place in range(400)]
    assert [
        {**message, "timestampSeconds": slow[place]["timestampSeconds"]} for place, message in enumerate(fast)
    ] == slow
    assert slow[0]["from"]["nickname"] == "100% Noor"
    assert slow[399]["timestampSeconds"] == (int(START) - 1) * 1000


def test_messages_arrive_at_their_rate_in_each_session_in_turn(serve: Serve, clock: Clock) -> None:
    server = serve(scene="bulk", sessions=2, messages=3, rate=4.0)
    clock.now += 1.1
    arrived = messages(server, FIRST, "?startIndex=4")
    assert [(message["index"], message["timestamp"]) for message in arrived] == [
        (4, "2026-03-02T09:00:00.250+0000"),
        (5, "2026-03-02T09:00:00.750+0000"),
    ]
    assert [message["from"]["nickname"] for message in arrived] == ["Mika", "Robin"]
    assert indices(server, SECOND) == [1, 2, 3, 4, 5]


def test_a_page_across_computed_and_stored_messages_is_complete(serve: Serve) -> None:
    server = serve(scene="bulk", sessions=1, messages=5)
    server.store.say(FIRST, "live")
    assert [message.get("text") for message in messages(server, FIRST, "?startIndex=5&count=2")] == [
        "Good morning, thanks for writing. Could you send me the order number?",
        "live",
    ]


def test_a_whole_large_log_is_streamed_in_little_memory(serve: Serve) -> None:
    server = serve(scene="bulk", sessions=1, messages=20_000, count_cap=0)
    answer = get(server, f"/api/v2/me/smsessions/{FIRST}/messages", DEMO)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert [message["index"] for message in answer.json()["messages"]] == list(range(1, 20_001))
    tracemalloc.start()
    try:
        million = BulkHead(PEOPLE, 1_000_000, START, 1, 0)
        assert million[999_999]["index"] == 1_000_000
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_the_sessions_belong_to_their_owners_in_turn(serve: Serve) -> None:
    server = serve(scene="bulk", sessions=5, messages=1, owners=("ann", "bob", "*"))
    of = {user: [one.id[-1] for one in server.store.visible_to(user)] for user in ("ann", "bob", "demo")}
    assert of == {"ann": ["0", "2", "3"], "bob": ["1", "2", "4"], "demo": ["2"]}
