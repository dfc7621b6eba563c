"""What programs read: whole lines, written down from the contract."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.gws.decode import message_from_json, session_from_json
from smscli.model import Session
from smscli.output.export import (
    entry_json,
    entry_row,
    json_text,
    message_json,
    pair_rows,
    session_json,
    session_object,
    session_row,
)
from smscli.transcript.activity import PersonActivity, Summary
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


def test_a_message_is_the_servers_own_object_with_the_session_and_a_readable_time() -> None:
    assert message_json(message(TEXT)) == (
        '{"sessionId":"0000Na9B26EF002G","index":4,"from":{"type":"Customer","nickname":"PersonP",'
        '"participantId":"009052BDEE39003C"},"text":"dddd","visibility":"All","type":"Text",'
        '"timestamp":"2013-12-27T21:16:41.187Z"}'
    )


def test_keys_that_were_not_sent_are_there_all_the_same() -> None:
    assert written({"type": "TranscriptSaveDone", "index": -1}) == {
        "sessionId": "0000Na9B26EF002G",
        "index": -1,
        "type": "TranscriptSaveDone",
        "from": None,
        "visibility": None,
        "timestamp": None,
    }
    assert written({})["index"] is None
    assert written({"from": {"type": "External"}})["from"] == {
        "type": "External",
        "nickname": None,
        "participantId": None,
    }


def test_keys_nobody_knows_stay_as_they_came() -> None:
    unknown = {"treatAs": "NORMAL", "n": [1, 2.5, True, None], "deep": {"a": {"b": []}}, "big": 10**30}
    read = written(sent(**unknown))
    assert {key: read[key] for key in unknown} == unknown
    assert written(sent(**{"from": {**CUSTOMER, "uri": "x", "id": 7}}))["from"] == {
        **CUSTOMER,
        "uri": "x",
        "id": 7,
    }


def test_values_that_are_equal_but_not_the_same_are_not_mixed_up() -> None:
    assert '"id":1' in message_json(message(sent(**{"from": {**CUSTOMER, "id": 1}})))
    assert '"id":true' in message_json(message(sent(**{"from": {**CUSTOMER, "id": True}})))


def test_a_nickname_that_changes_is_written_as_it_is_now() -> None:
    assert written(TEXT)["from"]["nickname"] == "PersonP"
    assert written(sent(**{"from": {**CUSTOMER, "nickname": "Pat"}}))["from"]["nickname"] == "Pat"


def test_a_server_can_not_pass_a_message_off_as_another_sessions() -> None:
    assert written(sent(sessionId="someone else's"))["sessionId"] == "0000Na9B26EF002G"


@pytest.mark.parametrize(
    ("timestamp", "shown"),
    [
        ("2014-01-09 11:58:12.035+0200", {"timestamp": "2014-01-09T09:58:12.035Z"}),
        ("2014-05-1502:24:00.000-0700", {"timestamp": "2014-05-15T09:24:00.000Z"}),
        ("0001-01-02T00:00:00.000+0000", {"timestamp": "0001-01-02T00:00:00.000Z"}),
        ("yesterday", {"timestamp": None, "timestampRaw": "yesterday"}),
        (17, {"timestamp": None, "timestampRaw": 17}),
        (None, {"timestamp": None}),
    ],
)
def test_a_time_is_in_one_layout_or_kept_as_sent(timestamp: object, shown: dict[str, object]) -> None:
    read = written(sent(timestamp=timestamp))
    assert {key: read[key] for key in read if key.startswith("timestamp")} == shown


def test_what_was_written_is_read_back_and_written_the_same() -> None:
    for value in (TEXT, sent(timestamp="yesterday"), sent(late=True), {}):
        once = message_json(message(value))
        assert message_json(message(json.loads(once))) == once


def test_a_late_message_says_so() -> None:
    late = replace(message(TEXT), late=True)
    assert json.loads(message_json(late)) == {**written(TEXT), "late": True}
    assert "late" not in written(TEXT)


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


def test_harmful_characters_are_escaped_and_the_data_is_the_same() -> None:
    hostile = "\x1b[31m\x7f\x9b\u202e\u2028\ud800 Grüße 👩‍🚒"
    text = message_json(message(sent(text=hostile, **{hostile: hostile})))
    assert "\\u001b[31m\\u007f\\u009b\\u202e\\u2028\\ud800 Grüße 👩‍🚒" in text
    assert json.loads(text)["text"] == json.loads(text)[hostile] == hostile
    assert json_text({"error": {"message": "\x85\u2066"}}) == '{"error":{"message":"\\u0085\\u2066"}}'


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
        ours = {"sessionId", "type", "timestamp", "timestampRaw", "from", "composingSeconds", "draft"}
        kept = {key: one for key, one in value.items() if key not in ours}
        assert {key: read[key] for key in kept} == kept
        assert {"sessionId", "index", "type", "from", "visibility", "timestamp"} <= read.keys()


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
SUMMARY = Summary(
    3,
    (PersonActivity("009052BDEE39003C", "PersonP", "Customer", 2, 42.5),),
    datetime(2013, 12, 27, 21, 16, 41, tzinfo=UTC),
    None,
    14.0,
    None,
    ("PersonP",),
)
ACTIVITY = {
    "messages": 3,
    "participants": [
        {
            "participantId": "009052BDEE39003C",
            "nickname": "PersonP",
            "type": "Customer",
            "messages": 2,
            "composingSeconds": 42.5,
        }
    ],
    "firstMessageAt": "2013-12-27T21:16:41.000Z",
    "lastMessageAt": None,
    "firstResponseSeconds": 14,
    "waitingSeconds": None,
    "typing": ["PersonP"],
}


def test_a_session_is_the_servers_own_object() -> None:
    assert json.loads(session_json(session_from_json(SESSION))) == SESSION
    assert session_json(session_from_json(SESSION)).startswith('{"id":"0000Na9B26EF002G","state":"Chatting"')


def test_a_session_with_its_activity() -> None:
    assert session_object(session_from_json(SESSION), SUMMARY) == {**SESSION, "activity": ACTIVITY}


def test_a_bare_session_has_every_key() -> None:
    expected = {
        "id": "17",
        "state": None,
        "uri": None,
        "participants": [],
        "capabilities": [],
        "userData": {},
    }
    bare = session_from_json({"id": 17, "participants": None, "userData": None})
    assert json.loads(session_json(bare)) == expected
    assert json.loads(session_json(Session("17"))) == expected


def test_a_session_known_by_its_uri_alone() -> None:
    assert json.loads(session_json(session_from_json("http://x/api/v2/smsessions/17"))) == {
        "id": "17",
        "state": None,
        "uri": "http://x/api/v2/smsessions/17",
        "participants": [],
        "capabilities": [],
        "userData": {},
    }


@pytest.mark.parametrize(
    ("received", "shown"),
    [
        ("2014-05-0511:08:45.000-0700", {"receivedDate": "2014-05-05T18:08:45.000Z"}),
        ("soon", {"receivedDate": None, "receivedDateRaw": "soon"}),
    ],
)
def test_the_received_date_is_in_one_layout_or_kept_as_sent(received: str, shown: dict[str, object]) -> None:
    value = session_object(session_from_json({"id": "17", "receivedDate": received, "chatType": "Inbound"}))
    assert value["chatType"] == "Inbound"
    assert {key: value[key] for key in value if key.startswith("received")} == shown


def test_a_session_row_has_five_columns() -> None:
    session = session_from_json({**SESSION, "receivedDate": "2014-05-0511:08:45.000-0700"})
    assert session_row(session).split("\t") == [
        "0000Na9B26EF002G",
        "Chatting",
        "PersonP",
        "Agent1,Doe\\, J.",
        "2014-05-05T18:08:45.000Z",
    ]
    assert session_row(Session("17")) == "17\t\t\t\t"


def test_the_columns_of_a_session_row_can_be_chosen() -> None:
    session = session_from_json({**SESSION, "comment": "a\tb"})
    columns = ["userData.n", "userData.nothing", "userData.DispositionCode", "comment", "capabilities", "uri"]
    assert session_row(session, columns).split("\t") == [
        "7",
        "",
        "Sold",
        "a\\tb",
        "Leave,Transfer",
        "http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
    ]


def test_pairs_lead_into_lists_and_objects() -> None:
    assert pair_rows(session_object(session_from_json(SESSION), SUMMARY)) == [
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
        "activity.participants.0.participantId\t009052BDEE39003C",
        "activity.participants.0.nickname\tPersonP",
        "activity.participants.0.type\tCustomer",
        "activity.participants.0.messages\t2",
        "activity.participants.0.composingSeconds\t42.5",
        "activity.firstMessageAt\t2013-12-27T21:16:41.000Z",
        "activity.lastMessageAt\t",
        "activity.firstResponseSeconds\t14",
        "activity.waitingSeconds\t",
        "activity.typing\tPersonP",
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
