"""Decoding of the documented JSON samples, and of generated values."""

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.errors import WireError
from smscli.gws import decode, json_body
from smscli.gws.decode import Status, User
from smscli.gws.responses import one_line
from smscli.model import Message, Participant, Session, Wake, WakeKind
from smscli.records import compact_json, json_text, message_json, session_object
from smscli.signals import call_in_thread
from tests.support.documented_shapes import DOCUMENTED, missed
from tests.support.wire_samples import (
    AS_PRINTED,
    FILES,
    FIXTURES,
    ID,
    LIST,
    LISTS,
    MESSAGES,
    NEWS,
    NO_JSON,
    NO_LISTS,
    NO_PAGES,
    NOTIFIED_MESSAGES,
    NOTIFIED_SESSIONS,
    PAGES,
    SAMPLE_LIST,
    SAMPLE_LOG,
    SAMPLES,
    SERVICES,
    SESSIONS,
    STATES,
    STATUSES,
    TIMES,
    TYPES,
    USERS,
    WAKES,
    Refused,
    Sample,
    body,
    delivered,
    messages,
    services,
    session,
    sessions,
)

# --- the samples of the SMS Session Resource page ---


def test_the_session_sample_is_read_as_a_list_of_one() -> None:
    assert sessions("session_sample") == SAMPLE_LIST


@pytest.mark.parametrize("name", AS_PRINTED)
def test_a_sample_as_printed_is_no_json(name: str) -> None:
    """The exact position of the error depends on the Python version."""
    with pytest.raises(WireError) as raised:
        json_body.decode(body(name))
    assert re.fullmatch(r"the server's response is not JSON \(line \d+, column \d+\)", raised.value.message)


def test_the_message_sample_mended_into_one_array_is_read() -> None:
    assert messages("messages_sample_mended") == SAMPLE_LOG


# --- envelopes and spellings ---


@pytest.mark.parametrize(("name", "expected"), LISTS)
def test_every_envelope_of_the_list_is_read(name: str, expected: object) -> None:
    assert sessions(name) == expected


@pytest.mark.parametrize(("name", "why"), NO_LISTS)
def test_an_answer_without_a_session_list_says_what_it_is(name: str, why: str) -> None:
    with pytest.raises(WireError) as raised:
        sessions(name)
    assert raised.value.message == why


@pytest.mark.parametrize(("name", "expected"), PAGES)
def test_every_envelope_of_messages_is_read(name: str, expected: object) -> None:
    assert messages(name) == expected


@pytest.mark.parametrize(("name", "why"), NO_PAGES)
def test_an_answer_without_messages_says_what_it_is(name: str, why: str) -> None:
    with pytest.raises(WireError) as raised:
        messages(name)
    assert raised.value.message == why


@pytest.mark.parametrize(
    ("value", "met"),
    [
        (None, "null"),
        (True, "true"),
        (7, "a number"),
        ("sessions", "a text"),
        ({}, "an empty object"),
        ({"smssessions": 7}, "smssessions in the server's response is not a list, but a number"),
        ({"a\n \x1bb": 1}, "an object with a\n \x1bb"),
    ],
)
def test_an_error_describes_the_unexpected_value(value: object, met: str) -> None:
    with pytest.raises(WireError) as raised:
        decode.sessions_from_json(value)
    assert raised.value.message.endswith(met)


# --- messages of each type ---


@pytest.mark.parametrize(("name", "expected"), TYPES)
def test_a_message_of_each_type(name: str, expected: Message) -> None:
    assert messages(name) == (expected,)


@pytest.mark.parametrize(("name", "expected"), FILES)
def test_a_file_is_a_notice_with_an_attachment(name: str, expected: Message) -> None:
    assert messages(name) == (expected,)


def test_transcript_save_done_has_no_place_in_the_order_wherever_it_stands() -> None:
    read = messages("type_transcript_save_done_in_the_middle")
    assert [(one.index, one.order, one.type) for one in read] == [
        (1, 1, "Text"),
        (-1, None, "TranscriptSaveDone"),
        (2, 2, "Text"),
    ]


# --- missing, unknown and odd fields ---


@pytest.mark.parametrize(("name", "expected"), MESSAGES)
def test_a_message_is_kept_whatever_its_fields(name: str, expected: Message) -> None:
    assert messages(name) == (expected,)


@pytest.mark.parametrize(
    ("index", "read"),
    [(3, 3), (3.0, 3), ("3", 3), (-1, -1), (3.5, None), (True, None), ("three", None), (None, None)],
)
def test_an_index_is_a_whole_number_however_it_was_sent(index: object, read: int | None) -> None:
    message = decode.message_from_json({"index": index, "from": {"participantId": "p"}}, ID)
    assert (message.index, type(message.index)) == (read, type(read))
    assert message == Message(ID, read, "", Participant(participant_id="p"))


def test_a_message_keeps_the_servers_own_object() -> None:
    (message,) = messages("message_unknown_fields")
    assert message.sent == {
        "index": 1,
        "type": "Text",
        "text": "hello",
        "intendedFor": "someone",
        "treatAs": {"a": [1, 2]},
    }


@pytest.mark.parametrize(("name", "expected"), SESSIONS)
def test_a_session_is_kept_whatever_its_fields(name: str, expected: Session) -> None:
    assert session(name) == expected


@pytest.mark.parametrize(("state", "ended"), STATES)
def test_every_state_passes_through_and_three_are_the_end(state: str, ended: bool) -> None:
    read = session(f"state_{state}")
    assert (read, read.ended) == (Session(ID, state), ended)


# --- timestamps ---


@pytest.mark.parametrize(("name", "expected"), TIMES)
def test_every_layout_of_a_timestamp(name: str, expected: datetime | None) -> None:
    (message,) = messages(name)
    assert message.at == expected
    assert message.at is None or message.at.tzinfo is UTC


def test_a_timestamp_that_cannot_be_read_keeps_its_message() -> None:
    assert messages("time_unreadable") == (Message(ID, 1, "Text", text="still here"),)


@pytest.mark.parametrize(
    "literal",
    [
        "",
        "T",
        "2013-12-27",
        "2013-W52-5T13:16:41.00-08:00",
        "0001-01-01T00:00:00.000+2359",
        "9999-12-31T23:59:59.999-2359",
        "2013-12-27T13:16:41.000-9999",
        "2013-12-27T25:16:41.000-0800",
        "2013-12-27T13:16:60.000-0800",
        "٢٠١٣-12-27T13:16:41.000-0800",
        "٢٠١٣-12-27 13:16:41.000-0800",
    ],
)
def test_an_unreadable_time_is_none(literal: str) -> None:
    assert decode.parse_time(literal) is None


# --- what the operation pages print as notifications ---


@pytest.mark.parametrize(("name", "expected"), NOTIFIED_SESSIONS)
def test_the_session_in_a_notification_is_read(name: str, expected: Session) -> None:
    assert session(name) == expected


@pytest.mark.parametrize(("name", "expected"), NOTIFIED_MESSAGES)
def test_the_messages_in_a_notification_are_read(name: str, expected: Message) -> None:
    assert messages(name) == (expected,)


@pytest.mark.parametrize(
    ("uri", "session_id"),
    [
        ("http://localhost:8080/api/v2/smsessions/abc", "abc"),
        ("/smssessions/abc", "abc"),
        ("/smssessions/abc/", "abc"),
        ("http: //localhost: 8080/api/v2/smssessions/abc ", "abc"),
        ("/smssessions/a%2Fb?fields=*#top", "a/b"),
        ("abc", "abc"),
        ("", ""),
        ("/", ""),
    ],
)
def test_a_session_is_named_by_the_last_segment_of_its_uri(uri: str, session_id: str) -> None:
    assert decode.session_id_from_uri(uri) == session_id


# --- statuses ---


@pytest.mark.parametrize(("name", "expected"), STATUSES)
def test_a_status_is_read(name: str, expected: Status | None) -> None:
    assert decode.status_from_json(json_body.decode(body(name))) == expected


def test_a_status_message_is_put_on_one_line() -> None:
    said = " a\r\n\tb\x0b\x1c\x85\u2028c\u200d\ud800\x00 "
    assert one_line(said) == "a b\x0b\x1c\x85 c\u200d\ud800\x00"


# --- me and services ---


@pytest.mark.parametrize(("name", "expected"), USERS)
def test_the_user_is_read(name: str, expected: User) -> None:
    assert decode.user_from_json(json_body.decode(body(name))) == expected


def test_an_answer_without_a_user_says_what_it_is() -> None:
    with pytest.raises(WireError) as raised:
        decode.user_from_json(json_body.decode(body("me_no_user")))
    assert raised.value.message == "the server's response has no user, but an object with statusCode"


def test_the_services_are_read() -> None:
    assert services("services") == SERVICES


def test_an_answer_without_services_says_what_it_is() -> None:
    with pytest.raises(WireError) as raised:
        decode.services_from_json(json_body.decode(body("services_none")))
    assert (
        raised.value.message == "the server's response has no services, but an object with statusCode, uris"
    )


# --- what is no JSON ---


@pytest.mark.parametrize(("name", "why"), NO_JSON)
def test_json_errors(name: str, why: str) -> None:
    with pytest.raises(WireError) as raised:
        json_body.decode(body(name))
    assert raised.value.message == f"the server's response {why}"


def test_a_web_page_has_a_hint() -> None:
    with pytest.raises(WireError) as raised:
        json_body.decode(body("no_json_login_page.txt"))
    assert raised.value.hint == "is a login page or a proxy in the way? see `smscli doctor`"


@pytest.mark.parametrize("bomb", [b"[" * 1_000_000, b'{"a":' * 1_000_000, b"[" * 100_000 + b"]" * 100_000])
def test_a_nesting_bomb_is_refused(bomb: bytes) -> None:
    with pytest.raises(WireError) as raised:
        json_body.decode(bomb)
    assert raised.value.message == "the server's response is nested too deeply"


def test_senders_nested_too_deeply_to_compare_are_refused() -> None:
    def deep() -> object:
        value: object = None
        for _ in range(100_000):
            value = [value]
        return {"from": {"participantId": "p", "more": value}}

    with pytest.raises(WireError) as raised:
        decode.messages_from_json([deep(), deep()], ID)
    assert raised.value.message == "the server's response is nested too deeply"


def test_a_number_of_ten_thousand_digits_is_refused() -> None:
    with pytest.raises(WireError) as raised:
        json_body.decode(b"[" + b"9" * 10_000 + b"]")
    assert raised.value.message == "the server's response has a number that is too large or not a number"


def test_large_numbers_stay_exact() -> None:
    assert json_body.decode(b"[1389261492035123456789, 0.1]") == [1389261492035123456789, 0.1]


# --- what notifications ask for ---


def log_update(**fields: object) -> dict[str, object]:
    return {"messageType": "MessageLogUpdated", "notificationType": "NewMessages", "messages": []} | fields


@pytest.mark.parametrize(("name", "expected"), WAKES)
def test_a_printed_notification_is_a_wake_up(name: str, expected: Wake | None) -> None:
    assert decode.wake_from_json(json_body.decode(body(name))) == expected


@pytest.mark.parametrize(
    "address",
    [
        {"smssessionUri": f"https://gws.example/api/v2/smssessions/{ID}"},
        {"smsessionUri": f"https://gws.example/api/v2/smsessions/{ID}"},
        {"smsssessionUri": f"https://gws.example/api/v2/smsssessions/{ID}"},
        {"SMSsessionUri": f"http: //localhost: 8080/api/v2/smssessions/{ID}"},
        {"smssessionPath": f"/smssessions/{ID}"},
        {"smsessionPath": f"/smsessions/{ID}/"},
        {"smssessionUri": None, "smssessionPath": f"/smssessions/{ID}"},
        {"chatUri": "/chats/1", "smssessionPath": f"/smssessions/{ID}"},
    ],
)
def test_every_spelling_of_a_session_s_address_leads_to_its_messages(address: dict[str, object]) -> None:
    assert decode.wake_from_json(log_update(**address)) == NEWS


@pytest.mark.parametrize(
    "data",
    [
        log_update(),
        log_update(smssessionUri=""),
        log_update(smssessionUri=7),
        log_update(smssessionUri=None),
        log_update(smssessionUri="///"),
        {"messageType": "SMSsessionStateChangeMessage"},
        {"messageType": " smsSessionStateChangeMessage "},
        {"messageType": "SMSsessionStateChangeMessage", "smssession": {"id": 7}},
        {"messageType": None, "smsession": {"state": "Chatting"}},
        {"messageType": ["MessageLogUpdated"], "smssession": None},
        {"smssession": "0000Na9B26EF002G"},
    ],
)
def test_a_notification_without_a_session_wakes_the_list(data: object) -> None:
    assert decode.wake_from_json(data) == LIST


@pytest.mark.parametrize(
    "data",
    [
        None,
        17,
        "MessageLogUpdated",
        [],
        {},
        {"messageType": 5},
        {"messageType": "ChatStateChangeMessage", "notificationType": "StatusChange", "chat": {"id": "1"}},
        {"messageType": "FacebooksessionStateChangeMessage", "facebooksession": {"id": "1"}},
        {"messageType": "IMLogUpdateMessage", "notificationType": "NewMessage"},
        {"messageType": "CallStateChangeMessage", "call": {}},
        {"messageType": "GetInteractionContentMessage", "interaction": {}, "messages": []},
        {"notificationType": "Error", "messageType": "SMSsessionStateChangeMessage", "errorMessage": "no"},
        log_update(chatUri="http://gws.example/api/v2/chats/1", chatPath="/chats/1"),
        log_update(chatPath="/chats/1"),
        log_update(facebooksessionUri="http://gws.example/api/v2/facebooksessions/1"),
    ],
)
def test_notifications_of_other_media_wake_nothing(data: object) -> None:
    assert decode.wake_from_json(data) is None


# --- anything at all ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KEYS = st.sampled_from(
    ["id", "uri", "uris", "state", "participants", "capabilities", "userData", "receivedDate", "comment"]
    + ["smssessions", "smsession", "messages", "index", "type", "from", "nickname", "participantId", "text"]
    + ["url", "noticeText", "attachment", "visibility", "timestamp", "timestampSeconds", "statusCode"]
    + ["statusMessage", "user", "userName", "roles", "features", "services", "name", "status"]
    + ["messageType", "notificationType", "smssessionUri", "smsessionPath", "chatUri"]
)
ALMOST = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=8)
)

LITTLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=3,
)


def read_everything(document: object) -> None:
    """Every decoder returns records or raises WireError; any other exception fails the test."""
    wake = decode.wake_from_json(document)
    assert wake is None or wake.kind in (WakeKind.LIST, WakeKind.MESSAGES)
    try:
        for listed in decode.sessions_from_json(document)[0]:
            check_session(listed)
    except WireError as error:
        assert error.message
    for read in (
        decode.status_from_json,
        decode.user_from_json,
        decode.services_from_json,
    ):
        try:
            read(document)
        except WireError as error:
            assert error.message
    try:
        for message in decode.messages_from_json(document, ID).messages:
            check_types(message)
    except WireError as error:
        assert error.message


def check_types(message: Message) -> None:
    assert message.index is None or -(2**63) <= message.index < 2**63
    for name in ("type", "visibility", "text", "url", "notice"):
        assert isinstance(getattr(message, name), str | None), name
    assert message.at is None or message.at.tzinfo is UTC
    assert isinstance(message.identity, int)
    assert json.dumps(message.sent) is not None


def check_session(read: Session) -> None:
    assert read.id
    for name in ("id", "state", "uri", "comment"):
        assert isinstance(getattr(read, name), str | None), name
    assert read.received is None or read.received.tzinfo is UTC
    assert all(isinstance(one, str) for one in read.capabilities)
    assert isinstance(read.user_data, dict)
    for one in read.participants:
        told = (one.type, one.nickname, one.participant_id, one.visibility)
        assert all(isinstance(text, str | None) for text in told)


@given(st.lists(st.dictionaries(KEYS, LITTLE, max_size=6), max_size=4))
def test_any_objects_are_as_many_messages_in_their_order(entries: list[Any]) -> None:
    read = decode.messages_from_json({"messages": entries}, ID).messages
    assert [one.sent for one in read] == entries
    assert {one.session_id for one in read} <= {ID}


@given(st.lists(st.dictionaries(KEYS, LITTLE, max_size=6).map(lambda one: {**one, "id": "s1"}), max_size=4))
def test_any_objects_with_an_id_are_as_many_sessions_in_their_order(entries: list[Any]) -> None:
    listed, uris_only, _ = decode.sessions_from_json({"smssessions": entries})
    without_people = [{**one.sent, "participants": None} for one in listed]
    assert without_people == [{**one, "participants": None} for one in entries]
    assert not uris_only
    for one in listed:
        check_session(one)


def documented(*patterns: str) -> list[str]:
    return sorted(path.stem for pattern in patterns for path in FIXTURES.glob(pattern))


@pytest.mark.parametrize("name", documented("type_*.json", "time_*.json", "message_*.json"))
def test_an_exported_message_is_read_back_the_same(name: str) -> None:
    for message in messages(name):
        (again,) = decode.messages_from_json([json_body.decode(message_json(message).encode())], ID).messages
        assert again == message


@pytest.mark.parametrize("name", documented("session_*.json", "state_*.json"))
def test_an_exported_session_is_read_back_the_same(name: str) -> None:
    for one in sessions(name)[0]:
        assert decode.session_from_json(json_body.decode(json_text(session_object(one)).encode())) == one


@given(ALMOST)
def test_any_json_value_gives_records_or_our_error(document: object) -> None:
    read_everything(document)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_give_records_or_our_error(given_bytes: bytes) -> None:
    try:
        document = json_body.decode(given_bytes)
    except WireError as error:
        assert error.message
    else:
        read_everything(document)


@given(st.data())
def test_a_sample_with_a_damaged_byte_gives_records_or_our_error(data: st.DataObject) -> None:
    whole = body(data.draw(st.sampled_from(["session_sample", "messages_sample_mended", "me", "services"])))
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + 1 :]
    try:
        document = json_body.decode(damaged)
    except WireError:
        return
    read_everything(document)


def test_equal_senders_of_a_page_are_one_record() -> None:
    first, _, third, fourth = messages("messages_sample_mended")
    assert first.sender is third.sender is fourth.sender


def test_a_changed_nickname_makes_a_new_sender() -> None:
    renamed = [{"from": {"participantId": "p", "nickname": name}} for name in ("one", "two", "one")]
    read = decode.messages_from_json(renamed, ID).messages
    assert [one.sender.nickname for one in read if one.sender] == ["one", "two", "one"]


def test_a_delivery_wakes_for_sms_only() -> None:
    assert delivered("delivery") == [NEWS]


# --- all of them ---


def test_every_fixture_is_a_sample() -> None:
    names = {path.name.removesuffix(".json") for path in FIXTURES.iterdir()}
    assert {one.fixture for one in SAMPLES} == names


def test_every_documented_shape_is_a_sample_and_read() -> None:
    every = [("fixture", one.fixture, one.fixture) for one in SAMPLES]
    assert missed([*DOCUMENTED, *every], SAMPLES) == []


def test_a_sample_that_differs_or_is_missing_is_a_miss() -> None:
    read = Sample("session_id_alone", session, Session(ID))
    otherwise = Sample("session_id_alone", session, Session("another"))
    refused = Sample("list_status_alone", sessions, Refused("something else"))
    shapes = (("1", "an id", "session_id_alone"), ("2", "a status", "list_status_alone"), ("3", "x", "none"))
    assert missed(shapes, [read, refused]) == ["2 a status", "3 x"]
    assert missed(shapes[:1], [read, otherwise]) == ["1 an id"]


def test_every_field_of_a_record_is_filled_by_some_sample() -> None:
    (full,) = messages("type_system_command_file_uploaded")
    (text,) = messages("type_text")
    (link,) = messages("type_push_url")
    filled = {one.name for one in fields(Message) if any(getattr(m, one.name) for m in (full, text, link))}
    assert {one.name for one in fields(Message)} - filled == {"late", "original"}


def test_the_deepest_value_that_a_thread_reads_can_be_written_by_another_with_a_fuller_stack() -> None:
    def deepest(low: int, high: int) -> object:
        found: object = None
        while low < high:
            depth = (low + high + 1) // 2
            try:
                found = json_body.decode(b"[" * depth + b"]" * depth)
                low = depth
            except WireError:
                high = depth - 1
        return found

    def written(frames: int, value: object) -> str:
        return written(frames - 1, value) if frames else compact_json(value)

    value = call_in_thread(lambda: deepest(1, 100_000), name="reads").result()
    assert value is not None
    assert written(100, value).startswith("[[")
