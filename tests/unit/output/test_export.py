"""TSV, and JSON with what folding and activity add: whole lines, written down from the contract."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.gws.decode import message_from_json, session_from_json
from smscli.model import Message, Participant, Session
from smscli.output.columns import ListedSession, parse_columns
from smscli.output.export import (
    entry_json,
    entry_row,
    pair_rows,
    session_row,
    session_with_activity,
)
from smscli.records import message_json
from smscli.transcript.activity import ActivitySummary, CustomerWait, PersonActivity
from smscli.transcript.fold import Entry

CUSTOMER = {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"}
TEXT = {
    "index": 4,
    "type": "Text",
    "from": CUSTOMER,
    "text": "dddd",
    "visibility": "All",
    "timestamp": "2013-12-27T13:16:41.187-0800",
}


def sent(**changes: object) -> dict[str, object]:
    return {**TEXT, **changes}


def message(value: dict[str, Any]) -> Any:
    return message_from_json(value, "0000Na9B26EF002G")


def written(value: dict[str, Any]) -> dict[str, Any]:
    read = json.loads(message_json(message(value)))
    assert isinstance(read, dict)
    return read


def test_a_folded_entry_tells_how_long_it_was_composed() -> None:
    assert json.loads(entry_json(Entry(message(TEXT), 12.5))) == {**written(TEXT), "composingSeconds": 12.5}
    assert entry_json(Entry(message(TEXT), 12.0)).endswith(',"composingSeconds":12}')
    assert json.loads(entry_json(Entry(message(TEXT)))) == {**written(TEXT), "composingSeconds": None}


@pytest.mark.parametrize(("draft", "at_end"), [("given-up", False), ("given-up", True), ("typing", False)])
def test_a_draft_is_its_last_typing_message(draft: Any, at_end: bool) -> None:
    typing = sent(type="TypingStarted", text="I would")
    entry = Entry(message(typing), 14.2, draft, "I would", at_end)
    assert json.loads(entry_json(entry)) == {**written(typing), "composingSeconds": 14.2, "draft": draft}


def test_a_servers_own_composing_time_does_not_stand_twice() -> None:
    entry = Entry(message(sent(composingSeconds="x", draft="y")), 1.5)
    assert json.loads(entry_json(entry)) == {**written(TEXT), "composingSeconds": 1.5}
    assert '"draft"' not in entry_json(entry)
    assert written(sent(composingSeconds="x"))["composingSeconds"] == "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
FIELDS = st.sampled_from([*TEXT, "late", "url", "noticeText", "timestampSeconds", "sessionId", "draft"])


@given(st.dictionaries(FIELDS | st.text(max_size=5), JSON, max_size=8))
def test_any_object_is_written_whole_and_harmless(value: dict[str, Any]) -> None:
    for text in (message_json(message(value)), entry_json(Entry(message(value), 2.25))):
        text.encode("utf-8")
        assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", text)
        read = json.loads(text)
        ours = {"key", "sessionId", "type", "timestamp", "timestampRaw", "from", "composingSeconds", "draft"}
        kept = {key: one for key, one in value.items() if key not in ours}
        assert {key: read[key] for key in kept} == kept
        assert {"key", "sessionId", "index", "type", "from", "visibility", "timestamp"} <= read.keys()


@given(st.dictionaries(FIELDS, JSON, max_size=8))
def test_no_key_stands_twice(value: dict[str, Any]) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    json.loads(entry_json(Entry(message(value), 2.25, "typing")), object_pairs_hook=once)


def test_a_row_has_nine_columns() -> None:
    assert entry_row(Entry(message(TEXT), 12.345)).split("\t") == [
        "2013-12-27T21:16:41.187Z",
        "0000Na9B26EF002G",
        "4",
        "Text",
        "Customer",
        "PersonP",
        "All",
        "dddd",
        "12.345",
    ]
    assert entry_row(Entry(message({}))) == "\t0000Na9B26EF002G\t\t\t\t\t\t\t"


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"text": "a\tb\nc\\d"}, "a\\tb\\nc\\\\d"),
        ({"text": None, "type": "PushUrl", "url": "https://example.com"}, "https://example.com"),
        ({"text": None, "type": "CustomNotice", "noticeText": "recorded"}, "recorded"),
        ({"text": None, "type": "Text", "attachment": {"name": "a.jpg"}}, "a.jpg"),
        ({"text": "\x1b\u202e\ud800"}, "\\u{1B}\\u{202E}\\u{D800}"),
    ],
)
def test_the_body_of_a_row_is_what_the_message_says(fields: dict[str, Any], body: str) -> None:
    assert entry_row(Entry(message(sent(**fields)))).split("\t")[7] == body


def test_the_row_of_a_draft_has_its_last_wording() -> None:
    entry = Entry(message(sent(type="TypingStarted", text="")), 14.0, "given-up", "I would")
    assert entry_row(entry).split("\t")[7:] == ["I would", "14"]


SESSION = {
    "state": "Chatting",
    "id": "0000Na9B26EF002G",
    "uri": "http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
    "participants": [
        {"type": "Agent", "nickname": "Agent1", "participantId": "009052BDEE4A003E"},
        {"type": "Agent", "nickname": "Doe, J.", "participantId": "009052BDEE4A003F"},
        CUSTOMER,
    ],
    "capabilities": ["Leave", "Transfer"],
    "userData": {"DispositionCode": "Sold", "n": 7, "nothing": None},
}
BEGIN = datetime(2013, 12, 27, 21, 16, 41, tzinfo=UTC)
SUMMARY = ActivitySummary(
    3,
    (
        PersonActivity("009052BDEE39003C", "PersonP", "Customer", 2, 42.5, BEGIN, None, True),
        PersonActivity("009052BDEE4A003E", "Agent1", "Agent", 1, None, BEGIN, BEGIN, False, "All"),
    ),
    BEGIN,
    None,
    14.0,
    3.5,
    CustomerWait(BEGIN, "PersonP"),
    ("PersonP",),
    Message(
        "0000Na9B26EF002G",
        4,
        "PushUrl",
        Participant("Agent", "Agent1"),
        "All",
        BEGIN,
        url="https://a.example",
    ),
)
ACTIVITY = {
    "messages": 3,
    "firstMessageAt": "2013-12-27T21:16:41.000Z",
    "lastMessageAt": None,
    "firstResponseSeconds": 14,
    "waitingSeconds": 3.5,
    "waitingSince": "2013-12-27T21:16:41.000Z",
    "typing": ["PersonP"],
    "lastMessage": {
        "index": 4,
        "timestamp": "2013-12-27T21:16:41.000Z",
        "nickname": "Agent1",
        "type": "PushUrl",
        "text": "https://a.example",
    },
    "participants": [
        {
            "participantId": "009052BDEE39003C",
            "nickname": "PersonP",
            "type": "Customer",
            "messages": 2,
            "composingSeconds": 42.5,
            "joinedAt": "2013-12-27T21:16:41.000Z",
            "leftAt": None,
            "present": True,
        },
        {
            "participantId": "009052BDEE4A003E",
            "nickname": "Agent1",
            "type": "Agent",
            "messages": 1,
            "composingSeconds": None,
            "joinedAt": "2013-12-27T21:16:41.000Z",
            "leftAt": "2013-12-27T21:16:41.000Z",
            "present": False,
        },
    ],
}


def test_a_session_with_its_activity() -> None:
    assert session_with_activity(session_from_json(SESSION), SUMMARY) == {**SESSION, "activity": ACTIVITY}
    nothing = session_with_activity(session_from_json(SESSION), ActivitySummary(0, ()))
    assert nothing["activity"] == {
        "messages": 0,
        "firstMessageAt": None,
        "lastMessageAt": None,
        "firstResponseSeconds": None,
        "waitingSeconds": None,
        "waitingSince": None,
        "typing": [],
        "lastMessage": None,
        "participants": [],
    }


def test_a_session_whose_log_was_not_read_has_no_activity() -> None:
    assert session_with_activity(session_from_json(SESSION), None) == {**SESSION, "activity": None}


def test_a_session_row_with_activity() -> None:
    listed = ListedSession(Session("17"), SUMMARY._replace(waiting_seconds=12.0, typing=("Doe, J.", "Ana")))
    columns = parse_columns("id,waiting,typing,lastMessage,lastMessageAt,messages")
    assert session_row(listed, columns).split("\t") == [
        "17",
        "12",
        "Doe\\, J.,Ana",
        "https://a.example",
        "",
        "3",
    ]
    assert session_row(ListedSession(Session("17")), columns) == "17\t\t\t\t\t"


def test_a_session_row_has_five_columns() -> None:
    session = session_from_json({**SESSION, "receivedDate": "2014-05-0511:08:45.000-0700"})
    assert session_row(ListedSession(session)).split("\t") == [
        "0000Na9B26EF002G",
        "Chatting",
        "PersonP",
        "Agent1,Doe\\, J.",
        "2014-05-05T18:08:45.000Z",
    ]
    assert session_row(ListedSession(Session("17"))) == "17\t\t\t\t"


def test_the_columns_of_a_session_row_can_be_chosen() -> None:
    session = session_from_json({**SESSION, "comment": "a\tb"})
    columns = parse_columns("userData.n,userData.nothing,userData.DispositionCode,comment,capabilities,uri")
    assert session_row(ListedSession(session), columns).split("\t") == [
        "7",
        "",
        "Sold",
        "a\\tb",
        "Leave,Transfer",
        "http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
    ]


def test_pairs_lead_into_lists_and_objects() -> None:
    assert pair_rows(session_with_activity(session_from_json(SESSION), SUMMARY)) == [
        "id\t0000Na9B26EF002G",
        "state\tChatting",
        "uri\thttp://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
        "participants.0.type\tAgent",
        "participants.0.nickname\tAgent1",
        "participants.0.participantId\t009052BDEE4A003E",
        "participants.1.type\tAgent",
        "participants.1.nickname\tDoe, J.",
        "participants.1.participantId\t009052BDEE4A003F",
        "participants.2.type\tCustomer",
        "participants.2.nickname\tPersonP",
        "participants.2.participantId\t009052BDEE39003C",
        "capabilities\tLeave,Transfer",
        "userData.DispositionCode\tSold",
        "userData.n\t7",
        "userData.nothing\t",
        "activity.messages\t3",
        "activity.firstMessageAt\t2013-12-27T21:16:41.000Z",
        "activity.lastMessageAt\t",
        "activity.firstResponseSeconds\t14",
        "activity.waitingSeconds\t3.5",
        "activity.waitingSince\t2013-12-27T21:16:41.000Z",
        "activity.typing\tPersonP",
        "activity.lastMessage.index\t4",
        "activity.lastMessage.timestamp\t2013-12-27T21:16:41.000Z",
        "activity.lastMessage.nickname\tAgent1",
        "activity.lastMessage.type\tPushUrl",
        "activity.lastMessage.text\thttps://a.example",
        "activity.participants.0.participantId\t009052BDEE39003C",
        "activity.participants.0.nickname\tPersonP",
        "activity.participants.0.type\tCustomer",
        "activity.participants.0.messages\t2",
        "activity.participants.0.composingSeconds\t42.5",
        "activity.participants.0.joinedAt\t2013-12-27T21:16:41.000Z",
        "activity.participants.0.leftAt\t",
        "activity.participants.0.present\ttrue",
        "activity.participants.1.participantId\t009052BDEE4A003E",
        "activity.participants.1.nickname\tAgent1",
        "activity.participants.1.type\tAgent",
        "activity.participants.1.messages\t1",
        "activity.participants.1.composingSeconds\t",
        "activity.participants.1.joinedAt\t2013-12-27T21:16:41.000Z",
        "activity.participants.1.leftAt\t2013-12-27T21:16:41.000Z",
        "activity.participants.1.present\tfalse",
    ]


def test_pairs_of_odd_values() -> None:
    deep = {"a": {"b": {"c": {"d": {"e": 1}}}}, "ok": True, "empty": {}, "none": [], "k\ty": "v\nw"}
    assert pair_rows(deep) == [
        'a.b.c.d\t{"e":1}',
        "ok\ttrue",
        "empty\t",
        "none\t",
        "k\\ty\tv\\nw",
    ]
