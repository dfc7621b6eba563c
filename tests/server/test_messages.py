"""The messages resource: its window, its forms, and what the documentation leaves open."""

import pytest

from tests.server.server import FakeServer
from tests.support.demo_peer import Clock, get, indices, messages
from tests.support.serving import Serve

ID = "0000Na9C26EF001A"
TARGET = f"/api/v2/me/smsessions/{ID}/messages"
CUSTOMER = {"type": "Customer", "nickname": "Noor", "participantId": "0090000000000001"}


def with_session(serve: Serve, length: int = 0, **options: object) -> FakeServer:
    """A server with one session of `length` short messages."""
    server = serve(**options)
    server.store.add_session(ID, customer="Noor")
    for number in range(length):
        server.store.say(ID, f"line {number}")
    return server


def test_a_message_has_the_documented_fields(serve: Serve, clock: Clock) -> None:
    server = with_session(serve)
    clock.now += 1.25
    server.store.say(ID, "Hello", "Robin", visibility="Agents")
    robin = {"type": "Agent", "nickname": "Robin", "participantId": "0090000000000000"}
    message = {
        "index": 1,
        "type": "Text",
        "from": robin,
        "text": "Hello",
        "visibility": "Agents",
        "timestamp": "2026-03-02T09:00:01.250+0000",
    }
    assert get(server, TARGET).json() == {"statusCode": 0, "messages": [message]}
    server.options.omit_status_code = True
    assert get(server, TARGET).json() == {"messages": [message]}
    server.options.message_envelope = "bare-array"
    assert get(server, TARGET).json() == [message]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("?startIndex=3", [3, 4, 5, 6]),
        ("?count=2", [1, 2]),
        ("?startIndex=5&count=10", [5, 6]),
        ("?startIndex=2&count=3", [2, 3, 4]),
        ("?startIndex=0&count=1", [1]),
        ("?startIndex=-4", [1, 2, 3, 4, 5, 6]),
        ("?startIndex=7", []),
        ("?count=0", []),
    ],
)
def test_start_index_is_inclusive_and_count_is_messages(
    serve: Serve, query: str, expected: list[int]
) -> None:
    assert indices(with_session(serve, 6), ID, query) == expected


@pytest.mark.parametrize("query", ["?startIndex=x", "?count=-1", "?count="])
def test_an_invalid_window_is_an_input_error(serve: Serve, query: str) -> None:
    answer = get(with_session(serve, 1), TARGET + query)
    assert (answer.status, answer.json()["statusCode"]) == (200, 10)


def test_an_answer_can_be_capped(serve: Serve) -> None:
    server = with_session(serve, 6, count_cap=2)
    assert indices(server, ID, "?startIndex=3&count=5") == [3, 4]
    assert indices(server, ID) == [1, 2]


def test_start_index_and_count_can_be_ignored(serve: Serve) -> None:
    server = with_session(serve, 4, ignore_start=True)
    assert indices(server, ID, "?startIndex=3&count=3") == [1, 2, 3]
    server.options.ignore_count = True
    assert indices(server, ID, "?startIndex=3&count=3") == [1, 2, 3, 4]
    server.options.ignore_start = False
    assert indices(server, ID, "?startIndex=3&count=1") == [3, 4]


def test_start_index_zero_can_be_an_error(serve: Serve) -> None:
    server = with_session(serve, 1, start_zero_error=True)
    assert get(server, f"{TARGET}?startIndex=0").json()["statusCode"] == 10
    assert indices(server, ID, "?startIndex=1") == [1]


def test_a_start_beyond_the_end_can_be_an_error(serve: Serve) -> None:
    server = with_session(serve, 2, beyond_end="404")
    assert get(server, f"{TARGET}?startIndex=3").status == 404
    server.options.beyond_end = "error"
    assert get(server, f"{TARGET}?startIndex=3").json()["statusCode"] == 10
    assert indices(server, ID, "?startIndex=2") == [2]


def test_indices_can_have_gaps_and_begin_at_zero(serve: Serve) -> None:
    assert indices(with_session(serve, 6, gaps=3), ID) == [1, 2, 4, 5, 7, 8]
    server = with_session(serve, 6, gaps=3, first_index=0)
    assert indices(server, ID) == [0, 1, 2, 4, 5, 7]
    assert indices(server, ID, "?startIndex=3&count=2") == [4, 5]


def test_count_can_span_indices_so_that_a_page_falls_into_a_gap(serve: Serve) -> None:
    server = with_session(serve, 2, count_window=True)
    server.store.append(ID, {"type": "Text", "index": 9, "text": "far"})
    assert indices(server, ID, "?startIndex=1&count=2") == [1, 2]
    assert indices(server, ID, "?startIndex=3&count=5") == []
    assert indices(server, ID, "?startIndex=3") == [9]
    assert indices(server, ID, "?count=1") == [1]


def test_the_service_message_keeps_its_place(serve: Serve) -> None:
    server = with_session(serve, 2)
    server.store.append(ID, {"type": "TranscriptSaveDone", "index": -1})
    server.store.say(ID, "after")
    assert indices(server, ID) == [1, 2, -1, 3]
    assert indices(server, ID, "?startIndex=2") == [2, -1, 3]
    assert indices(server, ID, "?startIndex=3") == [3]


def test_the_service_message_can_end_every_page(serve: Serve, clock: Clock) -> None:
    server = with_session(serve, 2, index_minus_one=True)
    saved = {
        "index": -1,
        "type": "TranscriptSaveDone",
        "visibility": "All",
        "timestamp": "2026-03-02T09:00:00.000+0000",
    }
    clock.now += 60
    assert messages(server, ID, "?startIndex=2")[1:] == [saved]
    assert messages(server, ID, "?startIndex=3") == [saved]


@pytest.mark.parametrize(
    ("layout", "offset", "expected"),
    [
        ("iso", 0, "2026-03-02T09:00:01.250+0000"),
        ("iso", -480, "2026-03-02T01:00:01.250-0800"),
        ("iso", 345, "2026-03-02T14:45:01.250+0545"),
        ("blank", 120, "2026-03-02 11:00:01.250+0200"),
        ("glued", -420, "2026-03-0202:00:01.250-0700"),
        ("spaced", 120, "2026-03-0211: 00: 01.250+0200"),
        ("colon", -480, "2026-03-02T01:00:01.250-08:00"),
        ("colon", 345, "2026-03-02T14:45:01.250+05:45"),
        ("z", 120, "2026-03-02T09:00:01Z"),
        ("unreadable", 0, "a little after nine"),
    ],
)
def test_times_are_written_in_every_printed_layout(
    serve: Serve, clock: Clock, layout: str, offset: int, expected: str
) -> None:
    clock.now += 1.25
    server = with_session(serve, 1, timestamps=layout, utc_offset=offset)
    assert messages(server, ID)[0]["timestamp"] == expected
    assert get(server, "/api/v2/me/smsessions?fields=receivedDate").json()["smsessions"] == [
        {"receivedDate": expected}
    ]


def test_layouts_can_change_from_message_to_message(serve: Serve) -> None:
    server = with_session(serve, 3, timestamps="mixed")
    assert [message["timestamp"] for message in messages(server, ID)] == [
        "2026-03-02 09:00:00.000+0000",
        "2026-03-0209:00:00.000+0000",
        "2026-03-0209: 00: 00.000+0000",
    ]


def test_times_can_be_absent_and_milliseconds_present(serve: Serve) -> None:
    server = with_session(serve, timestamps="absent")
    server.store.append(ID, {"type": "TypingStopped", "from": CUSTOMER})
    assert messages(server, ID) == [
        {"index": 1, "type": "TypingStopped", "from": CUSTOMER, "visibility": "All"}
    ]
    assert "receivedDate" not in get(server, "/api/v2/me/smsessions?fields=*").json()["smsessions"][0]
    server.options.timestamp_seconds = True
    assert messages(server, ID)[0]["timestampSeconds"] == 1772442000000


def test_a_sender_can_have_the_fullest_form(serve: Serve) -> None:
    server = with_session(serve, 1, from_extra=True)
    user = "00000000000000000090000000000001"
    assert messages(server, ID)[0]["from"] == {
        **CUSTOMER,
        "id": "0090000000000001",
        "path": f"/users/{user}",
        "uri": f"{server.url}/api/v2/users/{user}",
        "visibility": "All",
    }


def test_types_and_keys_can_be_unknown(serve: Serve) -> None:
    server = with_session(serve, 4, unknown=True)
    assert [message["type"] for message in messages(server, ID)] == ["Text", "Text", "ReactionAdded", "Text"]
    extra = {"origin": "gateway-2", "hops": [1, 2], "retry": None}
    assert [message["eventAttributes"] for message in messages(server, ID)] == [extra] * 4


def test_absent_fields_can_be_null(serve: Serve) -> None:
    server = with_session(serve, null_fields=True)
    server.store.append(ID, {"type": "Notice"})
    assert messages(server, ID) == [
        {
            "index": 1,
            "type": "Notice",
            "from": None,
            "text": None,
            "url": None,
            "noticeText": None,
            "visibility": "All",
            "timestamp": "2026-03-02T09:00:00.000+0000",
        }
    ]


def test_hostile_values_travel_as_they_were_given(serve: Serve) -> None:
    server = with_session(serve)
    hostile = {"type": "Text\x1b]0;", "text": "\ud800 \x9b31m \u202e ünï", "from": None, "timestamp": None}
    server.store.append(ID, hostile)
    assert messages(server, ID) == [{**hostile, "index": 1, "visibility": "All"}]


def test_an_invited_session_has_no_messages_or_no_such_resource(serve: Serve) -> None:
    server = serve()
    session = server.store.add_session(state="Invited")
    assert messages(server, session) == []
    server.options.invited_messages = "404"
    assert get(server, f"/api/v2/me/smsessions/{session}/messages").status == 404


def test_the_messages_of_a_removed_session_are_gone_or_still_there(serve: Serve) -> None:
    server = with_session(serve, 2)
    server.store.remove(ID)
    assert get(server, "/api/v2/me/smsessions?fields=*").json()["smsessions"] == []
    assert get(server, TARGET).status == 404
    server.options.gone = "readable"
    assert indices(server, ID) == [1, 2]
