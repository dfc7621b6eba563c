"""Messages and sessions as JSON: whole objects, written down from the contract."""

import json
from dataclasses import replace
from typing import Any

import pytest

from smscli.gws.decode import message_from_json, session_from_json
from smscli.model import Session
from smscli.records import json_text, message_json, session_json, session_object

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
    assert json.loads(session_json(session_from_json(SESSION))) == SESSION
    assert session_json(session_from_json(SESSION)).startswith('{"id":"0000Na9B26EF002G","state":"Chatting"')


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
