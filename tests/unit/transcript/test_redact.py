"""What is masked of messages and sessions, what never is, and that masking twice is masking once."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.gws.decode import message_from_json, session_from_json
from smscli.model import Json, Listing, Message, Page, Participant, Session
from smscli.records import json_text, message_json, session_object
from smscli.transcript import redact

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
# What is found in a talk, and what somebody who tries to slip through would write.
PIECES = st.one_of(
    st.sampled_from(
        ["kiwi@peel.example", "@", "%40", "://", "%20", "+", ".", "-", " ", "(", "*", "/", "\u200b"]
    ),
    st.sampled_from(["1", "55", "0151", "2345678", "٠١٢٣٤٥٦٧", "a", "\ud83d"]),
    st.text(st.characters(exclude_categories=[]), max_size=4),
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
KEYS = st.one_of(
    st.sampled_from(
        ["text", "url", "from", "userData", "attachment", "participants", "id", "type", "nickname"]
    ),
    st.sampled_from(["uri", "comment", "noticeText", "timestamp", "index", "state", "queue"]),
)
OBJECTS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=4),
    lambda inner: st.dictionaries(KEYS, st.one_of(inner, st.lists(inner, max_size=2), LEAVES), max_size=4),
    max_leaves=8,
)


# Numbers


@pytest.mark.parametrize(
    ("sent", "masked"),
    [
        ("call 5550123 now", "call *****23 now"),
        ("555012", "555012"),
        ("202-555-0123", "***-***-**23"),
        ("(202) 555.0123", "(***) ***.**23"),
        ("+49 (0) 151 234-5678", "+** (*) *** ***-**78"),
        ("+49 (0) 151/234-5678", "+49 (0) 151/***-**78"),
        ("[202] {555} 0123", "[***] {***} **23"),
        ("5 5 5 - 0 1 2 3", "* * * - * * 2 3"),
        ("5550123, 5550124", "*****23, *****24"),
        ("5550123\n5550124", "*******\n*****24"),
        ("order 12, 3 of 4, at 10:30", "order 12, 3 of 4, at 10:30"),
        ("a5550123b", "a*****23b"),
        ("555_0123", "555_0123"),
        ("", ""),
    ],
)
def test_a_long_number_keeps_its_last_two_digits(sent: str, masked: str) -> None:
    assert redact.mask_text(sent) == masked


@pytest.mark.parametrize(
    "between", list(".-()[]{} \t\n\u00a0\u2007\u202f\u3000\u2010\u2011\u2013\u2014\u2212\uff0d")
)
def test_blanks_dots_dashes_and_brackets_of_every_kind_hold_a_number_together(between: str) -> None:
    assert redact.mask_text(f"555{between}01{between}23") == f"***{between}**{between}23"


@pytest.mark.parametrize(
    "unseen",
    [
        "\u200b",
        "\u200d",
        "\u202a",
        "\u2060",
        "\ufeff",
        "\u00ad",
        "\x00",
        "\x1b",
        "\ufe0f\u20e3",
        "\U000e0020",
    ],
)
def test_what_cannot_be_seen_does_not_split_a_number(unseen: str) -> None:
    assert redact.mask_text(f"555{unseen}01{unseen}23") == f"***{unseen}**{unseen}23"


@pytest.mark.parametrize("other", [",", "/", ":", ";", "_", "x", "+", "%", "#", "<", "é", "你"])
def test_anything_else_between_ends_a_number(other: str) -> None:
    assert redact.mask_text(f"555012{other}3") == f"555012{other}3"


@pytest.mark.parametrize("digits", ["٥٥٥٠١٢٣", "۵۵۵۰۱۲۳", "５５５０１２３", "५५५०१२३"])
def test_digits_of_every_script_are_masked(digits: str) -> None:
    assert redact.mask_text(f"kiwi: {digits}!") == f"kiwi: *****{digits[-2:]}!"


@pytest.mark.parametrize(
    ("sent", "masked"),
    [
        ("https://peel.example/call?to=202+555+0123&x=1", "https://peel.example/call?to=***+***+**23&x=1"),
        ("https://peel.example/5550123/7", "https://peel.example/*****23/7"),
        ("https://peel.example/?to=202%20555%200123", "https://peel.example/?to=***%*****%****23"),
        ("tel:%28202%29%20555", "tel:%*****%**%***55"),
        ("1000+2500 is 3500", "1000+2500 is 3500"),
        ("100% of 5550123", "100% of *****23"),
    ],
)
def test_a_link_may_write_its_blanks_otherwise(sent: str, masked: str) -> None:
    assert redact.mask_text(sent) == masked


# Addresses


@pytest.mark.parametrize(
    ("sent", "masked"),
    [
        ("write to kiwi@peel.example.", "write to ***@***."),
        ("<kiwi.peel+sms@mail.peel.example>, thanks", "<***@***>, thanks"),
        ("mailto:kiwi@peel.example?subject=peel", "mailto:***@***?subject=peel"),
        ("https://peel.example/?m=kiwi@peel.example&x=1", "https://peel.example/?m=***@***&x=1"),
        ("https://peel.example/?m=kiwi%40peel.example&x=1", "https://peel.example/?m=***@***&x=1"),
        ("5550123@peel.example", "***@***"),
        ("o'kiwi@peel.example!", "***@***!"),
        ("kiwi＠peel．example", "***@***"),
        ("kiwi@пример.рф", "***@***"),
        ("kiwi@उदाहरण.भारत", "***@***"),
        ("kiwi@\u200bpeel.example", "***@***"),
        ("kiwi@peel.example+ana@peel.example", "***@***"),
        ("kiwi@peel.example,ana@peel.example", "***@***,***@***"),
        ("@kiwi.fruit, see you @ 5 or kiwi@work", "@kiwi.fruit, see you @ 5 or kiwi@work"),
    ],
)
def test_an_address_is_masked_whole(sent: str, masked: str) -> None:
    assert redact.mask_text(sent) == masked


# Whole records

SENT: Json = {
    "index": 1234567,
    "type": "Type 5550123",
    "from": {
        "type": "Agent 5550123",
        "nickname": "+1 202 555 0123",
        "participantId": "0090521234567",
        "id": "0090521234567",
        "uri": "http://gws.example/api/v2/users/1234567",
        "path": "/users/1234567",
        "visibility": "All 5550123",
        "extension": "555-0123",
    },
    "text": "call 5550123",
    "url": "https://peel.example/5550123",
    "noticeText": "kiwi@peel.example called",
    "attachment": {
        "fileId": "f-1234567",
        "id": "f-1234567",
        "name": "bill 5550123.pdf",
        "path": "/files/1234567",
        "size": 1234567,
        "uri": "http://gws.example/api/v2/files/1234567",
        "by": "kiwi@peel.example",
    },
    "visibility": "Agents 5550123",
    "timestamp": "2026-03-02T12:00:00.000+0000",
    "timestampSeconds": "1772452800000",
    "queue": "555-0123",
    "attributes": {"id": "5550123", "list": ["5550123", {"type": "5550123", "count": 5550123}], "text": None},
    "userData": {"phone": "1", "count": 7},
    "late": False,
}
MASKED: Json = {
    "index": 1234567,
    "type": "Type 5550123",
    "from": {
        "type": "Agent 5550123",
        "nickname": "+* *** *** **23",
        "participantId": "0090521234567",
        "id": "0090521234567",
        "uri": "http://gws.example/api/v2/users/1234567",
        "path": "/users/1234567",
        "visibility": "All 5550123",
        "extension": "***-**23",
    },
    "text": "call *****23",
    "url": "https://peel.example/*****23",
    "noticeText": "***@*** called",
    "attachment": {
        "fileId": "f-1234567",
        "id": "f-1234567",
        "name": "bill *****23.pdf",
        "path": "/files/1234567",
        "size": 1234567,
        "uri": "http://gws.example/api/v2/files/1234567",
        "by": "***@***",
    },
    "visibility": "Agents 5550123",
    "timestamp": "2026-03-02T12:00:00.000+0000",
    "timestampSeconds": "1772452800000",
    "queue": "***-**23",
    "attributes": {"id": "*****23", "list": ["*****23", {"type": "*****23", "count": 5550123}], "text": None},
    "userData": {"phone": "***", "count": "***"},
    "late": False,
}


def test_a_message_is_masked_in_its_fields_and_in_what_was_sent() -> None:
    masked = redact.mask_message(message_from_json(SENT, "S5550123"))
    assert masked == message_from_json(MASKED, "S5550123")
    assert masked.sent == MASKED
    assert masked.sender is not None
    assert masked.sender.sent == MASKED["from"]
    assert list(masked.sent) == list(SENT)


def test_a_masked_recording_reads_back_with_the_same_identity() -> None:
    masked = redact.mask_message(message_from_json(SENT, "S1"))
    read = message_from_json(json.loads(message_json(masked)), "S1")
    assert redact.mask_message(read) is read
    assert read.identity == masked.identity


def test_what_a_recording_adds_to_a_message_stays_as_it_is() -> None:
    one = message_from_json({"index": 1, "type": "Text", "timestamp": "20260302120000"}, "S5550123")
    line = message_json(one)
    assert redact.mask_message(one) is one
    assert '"sessionId":"S5550123"' in line
    assert '"timestampRaw":"20260302120000"' in line
    read = message_from_json(json.loads(line), "S5550123")
    assert redact.mask_message(read) is read


def test_what_was_sent_as_a_number_in_place_of_a_text_is_masked_too() -> None:
    masked = redact.mask_message(
        message_from_json({"index": 1, "type": "Text", "text": 5550123, "queue": 5550123}, "S1")
    )
    assert (masked.text, masked.sent) == (
        "*****23",
        {"index": 1, "type": "Text", "text": "*****23", "queue": 5550123},
    )


def test_an_id_that_is_no_plain_value_is_no_id() -> None:
    sent = {
        "index": ["5550123"],
        "type": "Text",
        "from": "5550123",
        "attachment": ["5550123"],
        "id": {"id": "5550123"},
    }
    assert redact.mask_message(message_from_json(sent, "S1")).sent == {
        "index": ["*****23"],
        "type": "Text",
        "from": "*****23",
        "attachment": ["*****23"],
        "id": {"id": "*****23"},
    }


def test_a_message_made_without_what_was_sent_is_masked() -> None:
    sender = Participant("Customer", "kiwi 5550123", "C1")
    message = Message(
        "S1", 1, "Text", sender, "All", NOON, "5550123", "a@b.example", "5550124", {"name": "5550125"}
    )
    assert redact.mask_message(message) == Message(
        "S1",
        1,
        "Text",
        Participant("Customer", "kiwi *****23", "C1"),
        "All",
        NOON,
        "*****23",
        "***@***",
        "*****24",
        {"name": "*****25"},
    )


def test_a_message_with_nothing_to_mask_is_the_same_object() -> None:
    sent = {
        "index": 1,
        "type": "Text",
        "text": "hello, 12 of 34",
        "from": {"nickname": "kiwi", "participantId": "C1"},
    }
    once, again = (message_from_json(json.loads(json.dumps(sent)), "S1") for _ in "12")
    assert redact.mask_message(once) is once
    assert redact.mask_message(again) is again  # equal to one seen before, and yet another object


def test_a_session_loses_its_user_data_its_comment_and_its_peoples_numbers() -> None:
    sent = {
        "id": "1234567",
        "state": "State 5550123",
        "uri": "http://gws.example/api/v2/smsessions/1234567",
        "participants": [
            {"type": "Customer", "nickname": "5550123", "participantId": "1234567", "phone": "555 0123"},
            {"type": "Agent", "nickname": "Ana", "participantId": "1234568"},
        ],
        "capabilities": ["Leave"],
        "userData": {"Subject": "peel", "RVQDBID": 42, "nothing": None, "5550123": {"deep": "peel"}},
        "receivedDate": "2026-03-0212:00:00.000+0000",
        "comment": "called from 5550123",
        "chatType": "Inbound 5550123",
        "queue": "kiwi@peel.example",
    }
    expected = {
        **sent,
        "participants": [
            {"type": "Customer", "nickname": "*****23", "participantId": "1234567", "phone": "*** **23"},
            {"type": "Agent", "nickname": "Ana", "participantId": "1234568"},
        ],
        "userData": {"Subject": "***", "RVQDBID": "***", "nothing": "***", "5550123": "***"},
        "comment": "called from *****23",
        "queue": "***@***",
    }
    masked = redact.mask_session(session_from_json(sent))
    assert masked == session_from_json(expected)
    assert masked.sent == expected
    assert [one.sent for one in masked.participants] == expected["participants"]
    assert json_text(session_object(masked)) == json_text(session_object(session_from_json(expected)))


@pytest.mark.parametrize(
    ("sent", "masked"),
    [("5", "***"), (7, "***"), ("", "***"), (0, "***"), (["peel"], "***"), ({}, {}), (None, None)],
)
def test_user_data_that_is_no_object_is_masked_whole(sent: object, masked: object) -> None:
    one = redact.mask_session(session_from_json({"id": "S1", "userData": sent}))
    assert one.sent["userData"] == masked
    read = session_from_json(json.loads(json.dumps(one.sent)))
    assert redact.mask_session(read) is read


def test_a_number_in_a_participant_alone_is_enough_to_mask_a_session() -> None:
    one = Session("S1", participants=(Participant("Customer", "kiwi", sent={"phone": "5550123"}),))
    assert redact.mask_session(one).participants[0].sent == {"phone": "*****23"}


def test_a_session_with_nothing_to_mask_is_the_same_object() -> None:
    one = session_from_json({"id": "1234567", "participants": [{"nickname": "kiwi"}], "userData": {}})
    assert redact.mask_session(one) is one


def test_what_is_nested_without_end_is_masked_at_some_depth() -> None:
    deep: object = "5550123"
    for _ in range(900):
        deep = [{"inner": deep}]
    masked = redact.mask_message(message_from_json({"index": 1, "type": "Text", "deep": deep}, "S1"))
    text = json.dumps(masked.sent)
    assert text.count("inner") == 25
    assert re.findall(r'"[^"]*\*[^"]*"', text) == ['"***"']
    assert redact.mask_message(masked) is masked


# Reads


class RecordedReads:
    """A source of one session with one message, which records each call."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.message = Message("S1", 1, "Text", text="5550123")

    def sessions(self, *, retries: int = 2) -> Listing:
        self.asked.append(("sessions", retries))
        return Listing((Session("S1", comment="5550123"),), NOON, uris_only=True)

    def page(
        self, session_id: str, start: int | None = None, count: int | None = None, *, retries: int = 2
    ) -> Page:
        self.asked.append(("page", session_id, start, count, retries))
        return Page((self.message,), NOON)

    def messages(
        self, session_id: str, start: int = 1, *, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Page]:
        self.asked.append(("messages", session_id, start))
        yield Page((self.message,), NOON)
        yield Page((), NOON)


def test_every_read_comes_back_masked() -> None:
    reads = RecordedReads()
    masked = redact.MaskedReads(reads)
    page = Page((Message("S1", 1, "Text", text="*****23"),), NOON)
    listing = masked.sessions(retries=1)
    assert listing == Listing((Session("S1", comment="*****23"),), NOON, True, listing.original)
    assert listing.original == RecordedReads().sessions(retries=1)
    assert masked.page("S1", 7, 5, retries=0) == page
    assert list(masked.messages("S1", 9)) == [page, Page((), NOON)]
    assert reads.asked == [
        ("sessions", 1),
        ("page", "S1", 7, 5, 0),
        ("messages", "S1", 9),
    ]


# For everything


def long_numbers(text: str) -> list[str]:
    """Numbers as the rule tells them, read by another way than the module's: character by character."""
    found, digits = [], ""
    for one in text:
        if one.isdecimal():
            digits += one
        elif not (one.isspace() or one in ".-()[]{}\u200b"):
            found, digits = [*found, digits], ""
    return [one for one in [*found, digits] if len(one) >= 7]


@given(TEXTS)
def test_no_long_number_and_no_address_is_left_of_any_text(text: str) -> None:
    masked = redact.mask_text(text)
    assert long_numbers(masked) == []
    assert "kiwi@peel.example" not in masked
    assert redact.mask_text(masked) == masked


@given(TEXTS.filter(lambda text: not re.search(r"\d|@|%40|\uff20|\ufe6b", text)))
def test_a_text_without_digits_and_addresses_stays_as_it_is(text: str) -> None:
    assert redact.mask_text(text) is text


# What cli.md, section 4 says is never masked: ids, times, indices, types, states, uri.
NEVER = {"id", "sessionId", "participantId", "fileId", "index", "type", "state", "visibility", "uri", "path"}
NEVER |= {"timestamp", "timestampSeconds", "receivedDate", "chatType", "timestampRaw", "receivedDateRaw"}


def readable(value: object, known: bool = True) -> Iterator[str]:
    """Every text in an object that came of the server but what is never masked; its keys are ours."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not known or key not in NEVER or isinstance(inner, dict | list):
                yield from readable(inner, known and key in ("from", "participants", "attachment"))
    elif isinstance(value, list):
        for inner in value:
            yield from readable(inner, known)
    elif isinstance(value, str):
        yield value


@given(OBJECTS)
def test_no_long_number_and_no_address_is_left_anywhere(sent: Json) -> None:
    message = redact.mask_message(message_from_json(sent, "S5550123"))
    session = redact.mask_session(session_from_json({**sent, "id": "S5550123"}))
    for text in [*readable(message.sent), *readable(session.sent)]:
        assert long_numbers(text) == []
        assert "kiwi@peel.example" not in text
    for shown in (message.body, message.sender and message.sender.nickname, session.comment):
        assert long_numbers(shown or "") == []


@given(OBJECTS)
def test_ids_times_and_places_are_never_masked(sent: Json) -> None:
    before = message_from_json(sent, "S5550123")
    masked = redact.mask_message(before)
    for key in NEVER & sent.keys():
        assert isinstance(sent[key], dict | list) or masked.sent[key] == sent[key], key
    for name in ("session_id", "index", "type", "visibility", "at", "late", "participant_id", "order"):
        assert getattr(masked, name) == getattr(before, name), name
    session = session_from_json({**sent, "id": "S5550123"})
    masked_session = redact.mask_session(session)
    for name in ("id", "state", "uri", "received", "capabilities"):
        assert getattr(masked_session, name) == getattr(session, name), name
    assert set(masked_session.user_data) == set(session.user_data)
    assert set(masked_session.user_data.values()) <= {redact.MASK}
    for one, other in zip(masked_session.participants, session.participants, strict=True):
        assert (one.type, one.participant_id) == (other.type, other.participant_id)


@given(OBJECTS)
def test_masking_a_masked_message_changes_nothing(sent: Json) -> None:
    masked = redact.mask_message(message_from_json(sent, "S1"))
    assert redact.mask_message(masked) is masked
    assert masked == message_from_json(masked.sent, "S1")


@given(OBJECTS)
def test_masking_a_masked_session_changes_nothing(sent: Json) -> None:
    masked = redact.mask_session(session_from_json({**sent, "id": "S1"}))
    assert redact.mask_session(masked) is masked


@pytest.mark.parametrize(
    "long",
    [
        "1" * 2**20,
        "1 " * 2**19,
        "1" + " " * 2**20,
        "a" * 2**20 + "@",
        "a@" * 2**19,
        "%40" * 2**18,
        "a@" + "a." * 2**19,
    ],
    ids=["digits", "spaced", "blanks", "word", "signs", "escapes", "dots"],
)
def test_a_text_of_a_megabyte_is_masked_in_no_time(long: str) -> None:
    began = time.process_time()
    redact.mask_text(long)
    assert time.process_time() - began < 5
