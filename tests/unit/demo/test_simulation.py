"""The scripted conversations: the same at each start, active from the first second, without end."""

import re
from collections import Counter
from itertools import pairwise, takewhile

import pytest

from smscli.demo.server import DemoServer
from smscli.demo.simulation import events
from smscli.demo.store import TimedEvent
from tests.support.demo_peer import LIST, START, Clock, get, messages

HOUR = 3600


def events_until(seconds: float, start: float = START) -> list[TimedEvent]:
    return list(takewhile(lambda event: event.at <= start + seconds, events(start)))


def test_the_events_are_the_same_at_each_start() -> None:
    monday, later = events_until(600), events_until(600, START + 12345)
    assert [(event.kind, event.session_id, event.body.get("text")) for event in monday] == [
        (event.kind, event.session_id, event.body.get("text")) for event in later
    ]
    assert [round(event.at - START, 3) for event in monday] == [
        round(event.at - START - 12345, 3) for event in later
    ]


def test_events_are_in_order_of_time() -> None:
    times = [event.at for event in events_until(HOUR)]
    assert times == sorted(times)


def test_ids_have_the_documented_form_and_never_repeat() -> None:
    opened = [event.session_id for event in events_until(6 * HOUR) if event.kind == "open"]
    assert len(opened) > 900
    assert len(set(opened)) == len(opened)
    assert all(re.fullmatch(r"0000Na9C00[0-9A-Z]{6}", session_id) for session_id in opened)


def test_five_sessions_are_in_progress_at_the_start_and_one_is_not_accepted(demo: DemoServer) -> None:
    listed = get(demo, LIST).json()["smsessions"]
    assert [
        (session["id"], session["state"], [person["nickname"] for person in session["participants"]])
        for session in listed
    ] == [
        ("0000Na9C009E6UOL", "Chatting", ["Robin", "Toni"]),
        ("0000Na9C00I9GKGE", "Chatting", ["Robin", "Sasha", "Noor"]),
        ("0000Na9C00RNNF4Z", "Chatting", ["Robin", "Ines"]),
        ("0000Na9C00R4QA87", "Chatting", ["Robin", "Mika"]),
        ("0000Na9C000IX4WS", "Invited", ["Yuki"]),
    ]
    assert messages(demo, "0000Na9C000IX4WS") == []


def test_each_chat_has_minutes_of_history_and_one_customer_is_waiting(demo: DemoServer) -> None:
    history = {
        session["id"]: messages(demo, session["id"])
        for session in get(demo, LIST).json()["smsessions"]
        if session["state"] == "Chatting"
    }
    for log in history.values():
        assert log[0]["type"] == "ParticipantJoined"
        assert log[0]["timestamp"] < "2026-03-02T08:58:30"
        assert [message["index"] for message in log] == list(range(1, len(log) + 1))
    last = history["0000Na9C009E6UOL"][-1]
    assert (last["from"]["type"], last["type"]) == ("Customer", "Text")
    assert last["timestamp"] < "2026-03-02T08:56:00"


def test_user_data_has_every_kind_of_key_and_value(demo: DemoServer) -> None:
    parcel = get(demo, LIST).json()["smsessions"][3]
    assert parcel["userData"] == {
        "Subject": "Parcel overdue",
        "PhoneNumber": "555-0142",
        "Order Number": "4471",
        "CustomerSegment": "Gold",
        "ServiceType": "Delivery",
        "RTargetAgentSelected": "robin",
        "CBR-Interaction_cost": "0",
        "PegAGChat distribution for processing": 1,
        "TimeZone": None,
    }


def test_a_message_comes_within_three_seconds_and_every_four_from_then_on() -> None:
    arrivals = [
        event.at - START for event in events_until(2 * HOUR) if event.kind == "message" and event.at > START
    ]
    assert arrivals[0] < 1
    assert max(later - earlier for earlier, later in pairwise(arrivals)) < 4
    lasting = [
        event.at - START
        for event in events_until(2 * HOUR)
        if event.kind == "message" and event.at > START and not event.body["type"].startswith("Typing")
    ]
    assert lasting[0] < 3
    assert max(later - earlier for earlier, later in pairwise(lasting)) < 8


def test_within_a_quarter_of_an_hour_every_documented_type_and_state_occurs() -> None:
    seen = events_until(15 * 60)
    types = Counter(event.body["type"] for event in seen if event.kind == "message")
    assert types.keys() == {
        "Text",
        "ParticipantJoined",
        "ParticipantLeft",
        "ParticipantRejoined",
        "TypingStarted",
        "TypingStopped",
        "PushUrl",
        "Notice",
        "CustomNotice",
        "TranscriptSaveDone",
    }
    states = {event.body["state"] for event in seen if "state" in event.body}
    assert states == {"Invited", "Chatting", "Completed", "LeftChat"}
    assert {event.body["visibility"] for event in seen if event.kind == "message"} == {"All", "Agents"}
    assert {event.body["index"] for event in seen if "index" in event.body} == {-1}
    assert any("comment" in event.body for event in seen)


def test_previews_grow_until_the_message_is_sent() -> None:
    parcel = [
        event.body for event in events_until(8) if event.session_id == "0000Na9C00R4QA87" and event.at > START
    ]
    assert [(body["type"], body["text"]) for body in parcel[:5]] == [
        ("TypingStarted", "Does the s"),
        ("TypingStarted", "Does the shop on Mill Lane c"),
        ("TypingStarted", "Does the shop on Mill Lane count? I could be "),
        ("TypingStarted", "Does the shop on Mill Lane count? I could be there after 5"),
        ("Text", "Does the shop on Mill Lane count? I could be there after 5"),
    ]


def test_a_draft_is_not_sent_when_its_author_leaves() -> None:
    roaming = [
        event.body
        for event in events_until(60)
        if event.session_id == "0000Na9C00RNNF4Z" and event.kind == "message"
    ]
    left = [place for place, body in enumerate(roaming) if body["type"] == "ParticipantLeft"]
    assert [roaming[place - 1]["type"] for place in left[:2]] == ["TypingStopped", "TypingStopped"]
    assert roaming[left[0] - 2]["text"].startswith("honestly if you don't refund")


def test_history_enters_the_log_with_its_own_times_when_the_agent_accepts(
    demo: DemoServer, clock: Clock
) -> None:
    clock.now += 7.4
    assert messages(demo, "0000Na9C000IX4WS") == []
    clock.now += 0.2
    log = messages(demo, "0000Na9C000IX4WS")
    assert (log[0]["type"], log[0]["from"]["type"]) == ("ParticipantJoined", "Customer")
    assert log[0]["timestamp"] < "2026-03-02T08:59:45"
    joined = [message for message in log if message["type"] == "ParticipantJoined"][1]
    assert (joined["from"]["nickname"], joined["timestamp"]) == ("Robin", "2026-03-02T09:00:07.500+0000")


def test_an_ended_session_stays_listed_for_a_while_and_then_disappears(
    demo: DemoServer, clock: Clock
) -> None:
    ended = next(event for event in events_until(300) if event.body.get("state") == "LeftChat")
    clock.now = ended.at + 1

    def state() -> list[str]:
        listed = get(demo, LIST).json()["smsessions"]
        return [session["state"] for session in listed if session["id"] == ended.session_id]

    assert state() == ["LeftChat"]
    clock.now = ended.at + 16
    assert state() == []
    assert get(demo, f"/api/v2/me/smsessions/{ended.session_id}/messages").status == 404


@pytest.mark.slow
@pytest.mark.parametrize("hours", [1, 8])
def test_sessions_and_logs_do_not_accumulate_over_a_day(demo: DemoServer, clock: Clock, hours: int) -> None:
    clock.now += hours * HOUR
    listed = get(demo, LIST).json()["smsessions"]
    assert 4 <= len(listed) <= 10
    assert len(demo.store.logs) == len(listed) + 1
