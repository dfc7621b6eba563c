"""The scripted conversations: always the same, alive from the first second, and without end."""

import re
from collections import Counter
from itertools import pairwise, takewhile

import pytest

from smscli.demo.simulation import events
from smscli.demo.store import TimedEvent
from tests.support.demo_peer import LIST, START, Clock, get, messages
from tests.support.serving import Serve

HOUR = 3600


def cues(until: float, start: float = START) -> list[TimedEvent]:
    return list(takewhile(lambda cue: cue.at <= start + until, events(start)))


def test_the_same_things_happen_at_each_start() -> None:
    monday, later = cues(600), cues(600, START + 12345)
    assert [(cue.kind, cue.session_id, cue.body.get("text")) for cue in monday] == [
        (cue.kind, cue.session_id, cue.body.get("text")) for cue in later
    ]
    assert [round(cue.at - START, 3) for cue in monday] == [round(cue.at - START - 12345, 3) for cue in later]


def test_everything_happens_in_order_of_time() -> None:
    times = [cue.at for cue in cues(HOUR)]
    assert times == sorted(times)


def test_ids_have_the_printed_form_and_never_repeat() -> None:
    opened = [cue.session_id for cue in cues(6 * HOUR) if cue.kind == "open"]
    assert len(opened) > 900
    assert len(set(opened)) == len(opened)
    assert all(re.fullmatch(r"0000Na9C00[0-9A-Z]{6}", session_id) for session_id in opened)


def test_five_sessions_are_under_way_at_the_start_and_one_still_rings(serve: Serve) -> None:
    server = serve(scene="live")
    listed = get(server, LIST).json()["smsessions"]
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
    assert messages(server, "0000Na9C000IX4WS") == []


def test_each_chat_begins_with_minutes_of_history_and_one_customer_waits(serve: Serve) -> None:
    server = serve(scene="live")
    history = {
        session["id"]: messages(server, session["id"])
        for session in get(server, LIST).json()["smsessions"]
        if session["state"] == "Chatting"
    }
    for log in history.values():
        assert log[0]["type"] == "ParticipantJoined"
        assert log[0]["timestamp"] < "2026-03-02T08:58:30"
        assert [message["index"] for message in log] == list(range(1, len(log) + 1))
    last = history["0000Na9C009E6UOL"][-1]
    assert (last["from"]["type"], last["type"]) == ("Customer", "Text")
    assert last["timestamp"] < "2026-03-02T08:56:00"


def test_user_data_is_rich_and_has_its_oddities(serve: Serve) -> None:
    parcel = get(serve(scene="live"), LIST).json()["smsessions"][3]
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


def test_something_is_seen_within_three_seconds_and_every_four_from_then_on() -> None:
    arrivals = [cue.at - START for cue in cues(2 * HOUR) if cue.kind == "message" and cue.at > START]
    assert arrivals[0] < 1
    assert max(later - earlier for earlier, later in pairwise(arrivals)) < 4
    lasting = [
        cue.at - START
        for cue in cues(2 * HOUR)
        if cue.kind == "message" and cue.at > START and not cue.body["type"].startswith("Typing")
    ]
    assert lasting[0] < 3
    assert max(later - earlier for earlier, later in pairwise(lasting)) < 8


def test_within_a_quarter_of_an_hour_everything_documented_has_happened() -> None:
    seen = cues(15 * 60)
    types = Counter(cue.body["type"] for cue in seen if cue.kind == "message")
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
    states = {cue.body["state"] for cue in seen if "state" in cue.body}
    assert states == {"Invited", "Chatting", "Completed", "LeftChat"}
    assert {cue.body["visibility"] for cue in seen if cue.kind == "message"} == {"All", "Agents"}
    assert {cue.body["index"] for cue in seen if "index" in cue.body} == {-1}
    assert any("comment" in cue.body for cue in seen)


def test_previews_grow_until_the_message_is_sent() -> None:
    parcel = [cue.body for cue in cues(8) if cue.session_id == "0000Na9C00R4QA87" and cue.at > START]
    assert [(body["type"], body["text"]) for body in parcel[:5]] == [
        ("TypingStarted", "Does the s"),
        ("TypingStarted", "Does the shop on Mill Lane c"),
        ("TypingStarted", "Does the shop on Mill Lane count? I could be "),
        ("TypingStarted", "Does the shop on Mill Lane count? I could be there after 5"),
        ("Text", "Does the shop on Mill Lane count? I could be there after 5"),
    ]


def test_a_draft_is_given_up_when_its_author_leaves() -> None:
    roaming = [cue.body for cue in cues(60) if cue.session_id == "0000Na9C00RNNF4Z" and cue.kind == "message"]
    left = [place for place, body in enumerate(roaming) if body["type"] == "ParticipantLeft"]
    assert [roaming[place - 1]["type"] for place in left[:2]] == ["TypingStopped", "TypingStopped"]
    assert roaming[left[0] - 2]["text"].startswith("honestly if you don't refund")


def test_history_enters_the_log_with_its_own_times_when_the_agent_accepts(serve: Serve, clock: Clock) -> None:
    server = serve(scene="live")
    clock.now += 7.4
    assert messages(server, "0000Na9C000IX4WS") == []
    clock.now += 0.2
    log = messages(server, "0000Na9C000IX4WS")
    assert (log[0]["type"], log[0]["from"]["type"]) == ("ParticipantJoined", "Customer")
    assert log[0]["timestamp"] < "2026-03-02T08:59:45"
    joined = [message for message in log if message["type"] == "ParticipantJoined"][1]
    assert (joined["from"]["nickname"], joined["timestamp"]) == ("Robin", "2026-03-02T09:00:07.500+0000")


def test_a_session_is_listed_as_ended_for_a_while_and_then_gone(serve: Serve, clock: Clock) -> None:
    ended = next(cue for cue in cues(300) if cue.body.get("state") == "LeftChat")
    server = serve(scene="live")
    clock.now = ended.at + 1

    def state() -> list[str]:
        listed = get(server, LIST).json()["smsessions"]
        return [session["state"] for session in listed if session["id"] == ended.session_id]

    assert state() == ["LeftChat"]
    clock.now = ended.at + 16
    assert state() == []
    assert get(server, f"/api/v2/me/smsessions/{ended.session_id}/messages").status == 404


@pytest.mark.parametrize("hours", [1, 8])
def test_it_goes_on_all_day_without_piling_up(serve: Serve, clock: Clock, hours: int) -> None:
    server = serve(scene="live")
    clock.now += hours * HOUR
    listed = get(server, LIST).json()["smsessions"]
    assert 4 <= len(listed) <= 10
    assert len(server.store.logs) == len(listed) + 1
