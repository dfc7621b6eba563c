"""Messages and sessions as JSON: whole objects, written down from the contract."""

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.gws.decode import message_from_json, session_from_json
from smscli.model import Session
from smscli.records import json_text, message_json, message_key, session_object
from smscli.transcript import redact
from tests.support.keys import key_of

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
        '{"sessionId":"0000Na9B26EF002G","key":"fbee4f231d4c557d509aa9041329e8a3","index":4,"from":{"type":"Customer","nickname":"PersonP",'
        '"participantId":"009052BDEE39003C"},"text":"dddd","visibility":"All","type":"Text",'
        '"timestamp":"2013-12-27T21:16:41.187Z"}'
    )


def test_keys_that_were_not_sent_are_there_all_the_same() -> None:
    assert written({"type": "TranscriptSaveDone", "index": -1}) == {
        "sessionId": "0000Na9B26EF002G",
        "key": "a55d22f02470de771d667ab8bfa27460",
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


def test_harmful_characters_are_escaped_and_the_data_is_the_same() -> None:
    hostile = "\x1b[31m\x7f\x9b\u202e\u2028\ud800 Grüße 👩‍🚒"
    text = message_json(message(sent(text=hostile, **{hostile: hostile})))
    assert "\\u001b[31m\\u007f\\u009b\\u202e\\u2028\\ud800 Grüße 👩‍🚒" in text
    assert json.loads(text)["text"] == json.loads(text)[hostile] == hostile
    assert json_text({"error": {"message": "\x85\u2066"}}) == '{"error":{"message":"\\u0085\\u2066"}}'


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


def test_a_session_is_the_servers_own_object() -> None:
    assert json.loads(json_text(session_object(session_from_json(SESSION)))) == SESSION
    assert json_text(session_object(session_from_json(SESSION))).startswith(
        '{"id":"0000Na9B26EF002G","state":"Chatting"'
    )


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
    assert json.loads(json_text(session_object(bare))) == expected
    assert json.loads(json_text(session_object(Session("17")))) == expected


def test_a_session_known_by_its_uri_alone() -> None:
    assert json.loads(json_text(session_object(session_from_json("http://x/api/v2/smsessions/17")))) == {
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


# --- key ---

UPLOAD = {
    "index": 2,
    "type": "SystemCommand",
    "noticeText": "file-uploaded",
    "from": {"participantId": "p1"},
    "timestamp": "2026-11-25T10:00:00.000+0000",
    "attachment": {"id": "f1", "name": "photo.jpg", "uri": "http://h/f1?sig=1"},
}


@pytest.mark.parametrize(
    ("session_id", "value", "key"),
    [
        # sha256 of ["0000Na9B26EF002G",4,"Text","2013-12-27T21:16:41.187Z","009052BDEE39003C","dddd",...]
        ("0000Na9B26EF002G", TEXT, "fbee4f231d4c557d509aa9041329e8a3"),
        ("S1", UPLOAD, "2692afdd060e53f12fd153c82fbddda8"),
        (
            "S1",
            {"type": "PushUrl", "url": "http://h/\xe9", "timestamp": "yesterday"},
            "df503646559035ee047e8609f06b6ea5",
        ),
    ],
)
def test_known_messages_have_known_keys(session_id: str, value: dict[str, Any], key: str) -> None:
    one = message_from_json(value, session_id)
    assert message_key(one) == key
    assert json.loads(message_json(one))["key"] == key


@pytest.mark.parametrize(
    "attachment",
    [
        {"id": "f1", "uri": "http://h/f1?sig=2"},
        {"uri": "http://h/f1?sig=1", "name": "photo.jpg", "id": "f1"},
        {"fileId": "f1", "name": "other.jpg"},
        {"id": None, "fileId": {"id": 1}, "documentId": "f1"},
        {"id": True, "name": "f1", "size": 7},
    ],
)
def test_only_what_names_an_attachment_counts(attachment: dict[str, Any]) -> None:
    one, other = message(UPLOAD), message({**UPLOAD, "attachment": attachment})
    assert (message_key(one), one.identity) == (message_key(other), other.identity)


@pytest.mark.parametrize(
    "changes",
    [
        {"attachment": {"id": "f2", "name": "photo.jpg", "uri": "http://h/f1?sig=1"}},
        {"attachment": {"uri": "http://h/f1?sig=1"}},
        {"attachment": None},
        {"index": 3},
        {"type": "CustomNotice"},
        {"timestamp": "2026-11-25T10:00:00.001+0000"},
        {"timestamp": "soon"},
        {"from": {"participantId": "p2"}},
        {"text": "file-uploaded"},
        {"url": "file-uploaded"},
        {"noticeText": ""},
    ],
)
def test_what_tells_messages_apart_counts(changes: dict[str, Any]) -> None:
    one, other = message(UPLOAD), message({**UPLOAD, **changes})
    assert message_key(one) != message_key(other)
    assert one.identity != other.identity


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (1, "1"), (0, False)])
def test_equal_numbers_that_are_not_the_same_json_agree_in_key_and_identity(one: Any, other: Any) -> None:
    first, second = (message({**UPLOAD, "attachment": {"id": value}}) for value in (one, other))
    assert (message_key(first) == message_key(second)) == (first.identity == second.identity) is False


KEYED = st.fixed_dictionaries(
    {"index": st.integers(-1, 2), "type": st.sampled_from(["Text", "PushUrl"])},
    optional={
        "text": st.sampled_from(["", "a"]),
        "url": st.sampled_from(["", "a"]),
        "noticeText": st.text(max_size=1),
        "timestamp": st.sampled_from(["2026-11-25T10:00:00.000+0000", "2026-11-25T12:00:00.000+0200", "x"]),
        "from": st.dictionaries(st.sampled_from(["participantId", "nickname"]), st.sampled_from("ab")),
        "attachment": st.dictionaries(
            st.sampled_from(["id", "fileId", "documentId", "name", "uri"]),
            st.sampled_from([None, "a", 1, {"id": 1}]),
        ),
    },
)


def reordered(value: object, random: Random) -> object:
    if not isinstance(value, dict):
        return value
    items = [(key, reordered(one, random)) for key, one in value.items()]
    random.shuffle(items)
    return dict(items)


@given(KEYED, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(value: dict[str, Any], random: Random) -> None:
    other: Any = reordered(value, random)
    assert message_key(message(value)) == message_key(message(other))
    assert message(value).identity == message(other).identity


@given(KEYED, KEYED)
def test_key_and_identity_agree(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = message(one), message(other)
    assert (message_key(first) == message_key(second)) == (first.identity == second.identity)


@given(KEYED)
def test_a_message_read_back_has_its_key(value: dict[str, Any]) -> None:
    text = message_json(message(value))
    assert message_json(message(json.loads(text))) == text


def test_a_masked_message_has_the_key_of_what_is_shown() -> None:
    one = redact.mask_message(message({**TEXT, "text": "call 5550123"}))
    assert json.loads(message_json(one))["key"] == key_of(
        "0000Na9B26EF002G", 4, "Text", "2013-12-27T21:16:41.187Z", "009052BDEE39003C", "call *****23"
    )


def test_a_servers_own_key_is_replaced() -> None:
    assert written(sent(key="theirs")) == written(TEXT)
