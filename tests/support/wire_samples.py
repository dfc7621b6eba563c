"""The documented samples and their variants: a fixture each, with the records that decoding must give.

Used by the tests, and counted by the bench."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from smscli.errors import WireError
from smscli.gws import decode, json_body
from smscli.gws.cometd import BayeuxClient
from smscli.gws.decode import Service, Status, User
from smscli.gws.http import HttpResponse
from smscli.model import Message, Participant, Session, Wake, WakeKind
from tests.support.paths import WIRE_FIXTURES

FIXTURES = WIRE_FIXTURES
ID = "0000Na9B26EF002G"
AGENT = Participant("Agent", "Agent1", "009052BDEE4A003E")
CUSTOMER = Participant("Customer", "PersonP", "009052BDEE39003C")
NOON = datetime(2013, 12, 27, 21, 16, 41, tzinfo=UTC)
NEW_YEAR = datetime(2014, 1, 9, 9, 58, 12, 35000, tzinfo=UTC)


def body(name: str) -> bytes:
    """A fixture's bytes; a name without a suffix is JSON."""
    return (FIXTURES / (name if name.endswith(".txt") else f"{name}.json")).read_bytes()


def sessions(name: str) -> tuple[tuple[Session, ...], bool]:
    found = decode.sessions_from_json(json_body.decode(body(name)))
    return found.sessions, found.uris_only


def session(name: str) -> Session:
    (only,), _ = sessions(name)
    return only


def messages(name: str) -> tuple[Message, ...]:
    return decode.messages_from_json(json_body.decode(body(name)), ID).messages


def at(hour: int, minute: int, second: int, milli: int = 0) -> datetime:
    return datetime(2013, 12, 27, hour, minute, second, milli * 1000, tzinfo=UTC)


def status(name: str) -> Status | None:
    return decode.status_from_json(json_body.decode(body(name)))


def user(name: str) -> User:
    return decode.user_from_json(json_body.decode(body(name)))


def services(name: str) -> tuple[Service, ...]:
    return decode.services_from_json(json_body.decode(body(name)))


def wake(name: str) -> Wake | None:
    return decode.wake_from_json(json_body.decode(body(name)))


URI = f"http://localhost:8080/api/v2/smssessions/{ID}"
FIRST, SECOND = Session("s1", "Chatting"), Session("s2", "Invited")
FULL_AGENT = Participant("Agent", "Agent1", "009052BDEE4A003E", "All")
LATER = datetime(2014, 1, 9, 9, 58, 13, tzinfo=UTC)
LIST = Wake(WakeKind.LIST)
NEWS = Wake(WakeKind.MESSAGES, ID)

SAMPLE_LIST = (
    (
        Session(
            id=ID,
            state="Chatting",
            uri="http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
            participants=(AGENT, CUSTOMER),
            capabilities=(
                "AttachUserData",
                "UpdateUserData",
                "DeleteUserData",
                "Leave",
                "LeaveAndComplete",
                "Transfer",
                "Invite",
                "Consult",
            ),
            user_data={},
        ),
    ),
    False,
)

SAMPLE_LOG = (
    Message(ID, 1, "ParticipantJoined", CUSTOMER, "All", at(21, 16, 41)),
    Message(ID, 2, "ParticipantJoined", AGENT, "All", at(21, 16, 41, 18)),
    Message(ID, 3, "TypingStarted", CUSTOMER, "All", at(21, 16, 41, 186)),
    Message(ID, 4, "Text", CUSTOMER, "All", at(21, 16, 41, 187), text="dddd"),
)

AS_PRINTED = [
    "messages_sample_as_printed.txt",
    "messages_sample_first_block.txt",
    "notification_complete_as_printed.txt",
    "notification_send_message_as_printed.txt",
    "notification_error_as_printed.txt",
]

LISTS = [
    ("list_bare_array", ((FIRST, SECOND), False)),
    ("list_smssessions", ((FIRST, SECOND), False)),
    ("list_smsessions", ((FIRST, SECOND), False)),
    ("list_smsssessions_three_s", ((FIRST, SECOND), False)),
    ("list_smssession_singular", ((FIRST,), False)),
    ("list_smsession_singular", ((FIRST,), False)),
    ("list_smsssession_singular_three_s", ((FIRST,), False)),
    ("list_SMSsessions_capitals", ((FIRST,), False)),
    ("list_empty", ((), False)),
    ("list_entry_no_object", ((Session("s1", "Chatting"),), False)),
    ("list_null", ((), False)),
    ("list_uris_empty", ((), False)),
    (
        "list_uris",
        (
            (
                Session("s1", uri="http://gws.example/api/v2/smsessions/s1"),
                Session("s 2", uri="http://gws.example/api/v2/smssessions/s%202/"),
            ),
            True,
        ),
    ),
]

NO_LISTS = [
    ("list_status_alone", "the server's response has no session list, but an object with statusCode"),
    (
        "list_other_resource",
        "the server's response has no session list, but an object with statusCode, chats",
    ),
    ("list_entry_without_id", "session 2 of the list has no id, but an object with state"),
    (
        "notification_error",
        "the server's response has no session list, but an object with notificationType, errorMessage,"
        " referenceId",
    ),
]

PAGES = [
    ("messages_object", (Message(ID, 1, "Text", text="hello"),)),
    ("messages_with_status", (Message(ID, 1, "Text", text="hello"),)),
    ("messages_bare_array", (Message(ID, 1, "Text", text="hello"),)),
    ("messages_bare_message", (Message(ID, 1, "Text", text="hello"),)),
    ("messages_empty", ()),
    ("messages_entry_no_object", (Message(ID, 1, "Text", text="hello"),)),
    ("messages_null", ()),
    ("status_null", ()),
    ("byte_order_mark", (Message(ID, 1, "Text", text="hello"),)),
]

NO_PAGES = [
    ("messages_missing", "the server's response has no messages, but an object with statusCode"),
]

TYPES = [
    ("type_text", Message(ID, 1, "Text", CUSTOMER, "All", NOON, text="is my order on its way?")),
    ("type_participant_joined", Message(ID, 1, "ParticipantJoined", CUSTOMER, "All", NOON)),
    ("type_participant_left", Message(ID, 1, "ParticipantLeft", CUSTOMER, "All", NOON)),
    ("type_participant_rejoined", Message(ID, 1, "ParticipantRejoined", CUSTOMER, "All", NOON)),
    ("type_typing_started", Message(ID, 1, "TypingStarted", CUSTOMER, "All", NOON)),
    (
        "type_typing_started_with_preview",
        Message(ID, 1, "TypingStarted", CUSTOMER, "All", NOON, text="is my or"),
    ),
    ("type_typing_stopped", Message(ID, 1, "TypingStopped", CUSTOMER, "All", NOON)),
    (
        "type_push_url",
        Message(ID, 1, "PushUrl", AGENT, "All", NOON, url="https://shop.example/track?n=7"),
    ),
    ("type_notice", Message(ID, 1, "Notice", AGENT, "All", NOON, text="transfer to billing")),
    ("type_notice_without_text_or_sender", Message(ID, 1, "Notice", None, "All", NOON)),
    ("type_transcript_save_done", Message(ID, -1, "TranscriptSaveDone", at=NOON)),
    ("type_custom_notice", Message(ID, 1, "CustomNotice", AGENT, "Agents", NOON, notice="on hold")),
    ("type_unknown", Message(ID, 1, "Sticker", CUSTOMER, "All", NOON, text="thumbs up")),
    ("type_missing", Message(ID, 1, "", CUSTOMER, None, NOON, text="hello")),
]

MESSAGES = [
    ("message_without_index", Message(ID, None, "Text", text="hello")),
    ("message_index_as_text", Message(ID, 12, "Text", text="hello")),
    ("message_index_no_number", Message(ID, None, "Text", text="hello")),
    ("message_index_beyond_64_bits", Message(ID, None, "Text", text="hello")),
    ("message_nothing_but_braces", Message(ID, None, "")),
    ("message_unknown_fields", Message(ID, 1, "Text", text="hello")),
    ("message_numbers_for_text", Message(ID, 1, "Text", text="42", url="true", notice="1.5")),
    ("message_objects_for_text", Message(ID, 1, "")),
    ("message_lone_surrogate", Message(ID, 1, "Text", text="\ud83d")),
    (
        "message_visibility_agents",
        Message(ID, 1, "Text", AGENT, "Agents", NOON, text="can you take over?"),
    ),
    (
        "message_visibility_unknown",
        Message(ID, 1, "Text", AGENT, "Supervisors", NOON, text="careful here"),
    ),
    (
        "message_sender_fullest",
        Message(
            ID,
            1,
            "CustomNotice",
            Participant("Agent", "Agent1", "009052BDEE4A003E", "All"),
            "Agents",
            NEW_YEAR,
            notice="on hold",
        ),
    ),
]

SESSIONS = [
    ("session_id_alone", Session(ID)),
    ("session_id_as_number", Session("4711")),
    ("session_uri_alone", Session(ID, uri=f"http://gws.example/api/v2/smssessions/{ID}")),
    ("session_unknown_fields", Session(ID)),
    ("session_odd_fields", Session(ID, capabilities=("Leave", "7"), comment="5")),
    ("session_participants_odd", Session(ID, participants=(AGENT, Participant()))),
    (
        "session_user_data",
        Session(
            ID,
            user_data={
                "PegAGChat distribution for processing": "1",
                "CBR-Interaction_cost": None,
                "PegAG?:2>1": 3,
                "_data_id": "x",
                "OccuredAt": "2015-11-26T16:39:41Z",
                "RVQDBID": "",
            },
        ),
    ),
    (
        "session_received_date_no_separator",
        Session(ID, received=datetime(2014, 5, 5, 18, 8, 45, tzinfo=UTC)),
    ),
    ("session_received_date_unreadable", Session(ID)),
    (
        "session_capabilities",
        Session(
            ID,
            capabilities=(
                "AttachUserData",
                "UpdateUserData",
                "DeleteUserData",
                "Leave",
                "LeaveAndComplete",
                "Transfer",
                "Invite",
                "Consult",
                "Complete",
                "InFocus",
                "SetInFocus",
                "SetDisposition",
                "SendMessage",
                "SendStartTypingNotification",
                "SendStopTypingNotification",
                "SendToAgents",
                "SendStartTypingToAgentsNotification",
                "SendStopTypingToAgentsNotification",
                "SwitchToMonitor",
                "SwitchToCoach",
                "SwitchBargeIn",
                "Accept",
                "Reject",
            ),
        ),
    ),
    (
        "session_user_data_routing",
        Session(
            ID,
            user_data={
                "RTargetAgentSelected": "x",
                "RTargetPlaceSelected": "x",
                "RTargetObjectSelected": "x",
                "RTargetAgentGroup": "x",
                "RTargetRequested": "x",
                "RTargetTypeSelected": "x",
                "RTenant": "x",
                "RVQID": "x",
                "RVQDBID": "",
                "RStrategyName": "x",
                "RStrategyDBID": "101",
                "RRequestedSkills": "x",
                "RRequestedSkillCombination": "x",
                "CustomerSegment": "x",
                "ServiceType": "x",
                "ServiceObjective": None,
                "ChatServerAppName": "x",
                "ChatServerHost": "x",
                "ChatServerPort": "4858",
                "ChatServerDBID": "130",
                "IdentifyCreateContact": 3,
                "Subject": "x",
                "TimeZone": 0,
                "OccuredAt": "2015-11-26T16:39:41Z",
            },
        ),
    ),
    ("session_path", Session(ID, uri=URI)),
    (
        "session_id_hex_lower",
        Session("00004a2b9c3d5e6f", uri="http://localhost:8080/api/v2/smssessions/00004a2b9c3d5e6f"),
    ),
    ("session_id_fifteen", Session("0000Xx9X00XX000", "Chatting")),
]

STATES = [
    ("Invited", False),
    ("Chatting", False),
    ("LeftChat", True),
    ("Completed", True),
    ("Revoked", True),
    ("WaitingForAgent", False),
    ("Idle", False),
    ("Initiating", False),
    ("Talking", False),
    ("Alerting", False),
    ("Paused", False),
]

TIMES = [
    ("time_basic_offset", NOON),
    ("time_blank", NEW_YEAR),
    ("time_no_separator", datetime(2014, 5, 15, 9, 24, tzinfo=UTC)),
    ("time_blanks_after_colons", datetime(2013, 11, 25, 19, 2, 22, tzinfo=UTC)),
    ("time_blank_history", datetime(2013, 11, 25, 19, 2, 22, tzinfo=UTC)),
    ("time_utc", datetime(2015, 11, 26, 16, 39, 41, tzinfo=UTC)),
    ("time_colon_in_offset", datetime(2013, 12, 27, 21, 16, 41, 500000, tzinfo=UTC)),
    ("time_seconds_are_milliseconds", NEW_YEAR),
    ("time_seconds_alone", NEW_YEAR),
    ("time_seconds_as_text", NEW_YEAR),
    ("time_seconds_beyond_the_calendar", datetime(2015, 11, 26, 16, 39, 41, tzinfo=UTC)),
    ("time_unreadable", None),
    ("time_without_offset", None),
    ("time_no_text", None),
    ("time_thirteenth_month", None),
]

NOTIFIED_SESSIONS = [
    (
        "notification_accept_participants",
        Session(
            ID,
            "Chatting",
            URI,
            (AGENT, CUSTOMER),
            (
                "Transfer",
                "Complete",
                "Leave",
                "InFocus",
                "SendMessage",
                "SendStartTypingNotification",
                "SendStopTypingNotification",
            ),
        ),
    ),
    (
        "notification_accept_status",
        Session(ID, "Chatting", URI, (), ("Transfer", "Complete", "Leave", "InFocus")),
    ),
    (
        "notification_reject",
        Session(ID, "Completed", f"http: //localhost: 8080/api/v2/smssessions/{ID}"),
    ),
    ("notification_complete", Session(ID, "Completed", URI)),
    (
        "notification_leave",
        Session(ID, "LeftChat", URI, (), ("Transfer", "Complete", "Leave", "InFocus")),
    ),
    (
        "notification_switch_to_barge_in",
        Session(
            ID,
            "Chatting",
            f"http://gws.example:9090/api/v2/smssessions/{ID}",
            (
                Participant("Agent", "Agent1", "009052BDEE4A003E", "All"),
                Participant("Agent", "Lead", "009052BDEE4B003F", "All"),
                Participant("Customer", "PersonP", "009052BDEE39003C", "All"),
            ),
            ("SendMessage", "SwitchToMonitor", "SwitchToCoach"),
            received=datetime(2014, 5, 5, 18, 8, 45, tzinfo=UTC),
        ),
    ),
    ("notification_add_comment", Session(ID, "Chatting", URI, comment="calls back on Monday")),
    (
        "notification_set_disposition",
        Session(
            ID,
            "Chatting",
            f"http://localhost:8080/api/v2/smsessions/{ID}",
            user_data={"DispositionCode": "sold"},
        ),
    ),
    (
        "notification_attach_user_data",
        Session(
            ID,
            "Chatting",
            URI,
            (AGENT,),
            ("AttachUserData",),
            {"tier": "gold", "score": 7, "note": None},
        ),
    ),
    (
        "notification_switch_to_coach",
        Session(
            ID,
            "Chatting",
            URI,
            (
                Participant("Agent", "Agent1", "009052BDEE4A003E", "All"),
                Participant("Customer", "PersonP", "009052BDEE39003C", "All"),
            ),
            ("SwitchToMonitor", "SwitchBargeIn"),
            received=datetime(2014, 5, 5, 18, 8, 45, tzinfo=UTC),
        ),
    ),
    ("notification_update_user_data", Session(ID, "Chatting", URI, user_data={"tier": "silver"})),
    (
        "notification_set_disposition_named",
        Session(
            ID,
            "Chatting",
            f"http://localhost:8080/api/v2/smsessions/{ID}",
            user_data={"DISP_KEY": "sold"},
        ),
    ),
]

NOTIFIED_MESSAGES = [
    (
        "notification_send_message",
        Message(ID, 3, "Text", AGENT, "All", NEW_YEAR, text="good morning"),
    ),
    (
        "notification_send_url",
        Message(
            ID,
            4,
            "PushUrl",
            FULL_AGENT,
            "All",
            datetime(2014, 5, 15, 9, 24, tzinfo=UTC),
            url="https://shop.example/help",
        ),
    ),
    ("notification_typing_started", Message(ID, 4, "TypingStarted", AGENT, "All", LATER)),
    ("notification_typing_stopped", Message(ID, 5, "TypingStopped", AGENT, "All", LATER)),
    (
        "notification_send_to_agents",
        Message(ID, 5, "Text", AGENT, "Agents", NEW_YEAR, text="please help"),
    ),
    (
        "notification_custom_notice",
        Message(ID, 6, "CustomNotice", FULL_AGENT, "All", NEW_YEAR, notice="on hold"),
    ),
    (
        "notification_custom_notice_to_agents",
        Message(ID, 7, "CustomNotice", FULL_AGENT, "Agents", NEW_YEAR, notice="take over?"),
    ),
    ("notification_typing_started_to_agents", Message(ID, 4, "TypingStarted", AGENT, "Agents", LATER)),
    (
        "notification_interaction_content",
        Message(ID, 1, "Text", CUSTOMER, "All", datetime(2013, 11, 25, 19, 2, 22, tzinfo=UTC), text="hello"),
    ),
]

STATUSES = [
    ("status_ok", None),
    ("status_null", None),
    ("status_no_number", None),
    ("session_sample", None),
    ("messages_bare_array", None),
    ("status_not_found", Status(6, "Resource not found")),
    ("status_not_authenticated", Status(20, "Not authenticated")),
    ("status_as_text", Status(20, "Not authenticated")),
    ("status_without_message", Status(4, None)),
    ("status_unknown_code", Status(99, "flux")),
    ("status_hostile_message", Status(4, "two\nlines\x1b[31m\u202ered")),
    ("status_ok_with_reference", None),
]

USERS = [
    ("me", User("agent.one")),
    ("me_bare", User("agent.one")),
    ("me_features_objects", User("agent.one", features=("api-multimedia-chat", "api-voice"))),
    ("me_features_texts", User("agent.one", features=("api-multimedia-chat",))),
    ("me_features_uris", User("agent.one", features=("api-multimedia-chat",))),
    ("me_subresources", User("agent.one", ("api-multimedia-chat",))),
]

NO_JSON = [
    ("no_json_empty.txt", "is empty"),
    ("no_json_blank.txt", "is empty"),
    ("no_json_login_page.txt", "is a web page, not JSON"),
    ("no_json_cut.txt", "is cut short (after 38 bytes)"),
    ("no_json_cut_between_values.txt", "is cut short (after 28 bytes)"),
    ("no_json_latin_1.txt", "is not UTF-8 text (byte 28)"),
    ("no_json_not_a_number.txt", "has a number that is too large or not a number"),
    ("no_json_infinite.txt", "has a number that is too large or not a number"),
    ("no_json_word.txt", "is not JSON (line 1, column 14)"),
    ("no_json_csrf.txt", "is not JSON (line 1, column 1)"),
]

WAKES = [
    ("notification_accept_participants", LIST),
    ("notification_accept_status", LIST),
    ("notification_reject", LIST),
    ("notification_complete", LIST),
    ("notification_leave", LIST),
    ("notification_switch_to_barge_in", LIST),
    ("notification_add_comment", LIST),
    ("notification_set_disposition", LIST),
    ("notification_attach_user_data", LIST),
    ("notification_send_message", NEWS),
    ("notification_send_url", NEWS),
    ("notification_send_to_agents", NEWS),
    ("notification_typing_started", NEWS),
    ("notification_typing_stopped", NEWS),
    ("notification_custom_notice", NEWS),
    ("notification_error", None),
    ("notification_switch_to_coach", LIST),
    ("notification_update_user_data", LIST),
    ("notification_set_disposition_named", LIST),
    ("notification_custom_notice_to_agents", NEWS),
    ("notification_typing_started_to_agents", NEWS),
    ("notification_error_user_data", None),
    ("notification_chat_state", None),
    ("notification_chat_log", None),
    ("notification_facebook_state", None),
    ("notification_facebook_log", None),
    ("notification_im_state", None),
    ("notification_im_log", None),
    ("notification_call_state", None),
    ("notification_interaction_content", None),
    ("notification_interactions_history", None),
]


ATTACHMENT = {
    "fileId": "f-1",
    "id": "f-1",
    "name": "receipt.pdf",
    "path": "/files/f-1",
    "size": 2048,
    "uri": "http://gws.example/api/v2/files/f-1",
}

FILES = [
    (
        f"type_system_command_{done}",
        Message(
            ID,
            1,
            "SystemCommand",
            CUSTOMER,
            "All",
            NOON,
            notice=done.replace("_", "-"),
            attachment=ATTACHMENT,
        ),
    )
    for done in ("file_uploaded", "file_deleted")
]

_NO_USER = "the server's response has no user, but an object with statusCode"
_NO_SERVICES = "the server's response has no services, but an object with statusCode, uris"
SERVICES = (Service("Voice", "Active"), Service("Media", "Inactive"))


# --- all of them ---


@dataclass(frozen=True)
class Refused:
    """The error message for a fixture that can't be read."""

    message: str


@dataclass(frozen=True)
class Sample:
    """A fixture, its decoder and the expected result."""

    fixture: str
    read: Callable[[str], object]
    expected: object

    @property
    def found(self) -> object:
        """The result of decoding it."""
        try:
            return self.read(self.fixture)
        except WireError as error:
            return Refused(error.message)


def _message(name: str) -> Message:
    (only,) = messages(name)
    return only


def _time(name: str) -> datetime | None:
    return _message(name).at


def _orders(name: str) -> list[int | None]:
    return [one.order for one in messages(name)]


def _state(name: str) -> tuple[Session, bool]:
    return session(name), session(name).ended


def _is_json(name: str) -> bool:
    try:
        json_body.decode(body(name))
    except WireError as error:
        # Where exactly it stops being JSON is told differently by newer Pythons.
        return not error.message.startswith("the server's response is not JSON (line ")
    return True


class _Wire:
    """A transport with one response."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def url(self, path: str) -> str:
        return path

    def mask_secrets(self, text: str) -> str:
        return text

    def post(self, path: str, sent: bytes, timeout: float | None = None) -> HttpResponse:
        return HttpResponse(200, self._body)


def delivered(name: str) -> list[Wake]:
    """The wake-ups from the response of a long poll."""
    heard: list[Wake] = []
    BayeuxClient(_Wire(body(name)), heard.append).connect(immediate=False, timeout=1.0)
    return heard


_TABLES: list[tuple[Callable[[str], object], Iterable[tuple[str, object]]]] = [
    (sessions, [("session_sample", SAMPLE_LIST), *LISTS]),
    (messages, [("messages_sample_mended", SAMPLE_LOG), *PAGES]),
    (_is_json, [(name, False) for name in AS_PRINTED]),
    (sessions, [(name, Refused(why)) for name, why in NO_LISTS]),
    (messages, [(name, Refused(why)) for name, why in NO_PAGES]),
    (_message, [*TYPES, *FILES, *MESSAGES, *NOTIFIED_MESSAGES]),
    (_orders, [("type_transcript_save_done_in_the_middle", [1, None, 2])]),
    (session, [*SESSIONS, *NOTIFIED_SESSIONS]),
    (_state, [(f"state_{state}", (Session(ID, state), ended)) for state, ended in STATES]),
    (_time, TIMES),
    (status, STATUSES),
    (user, [*USERS, ("me_no_user", Refused(_NO_USER))]),
    (services, [("services", SERVICES), ("services_none", Refused(_NO_SERVICES))]),
    (wake, WAKES),
    (delivered, [("delivery", [NEWS])]),
    (
        lambda name: json_body.decode(body(name)),
        [(name, Refused(f"the server's response {why}")) for name, why in NO_JSON],
    ),
]
SAMPLES = [Sample(name, read, expected) for read, table in _TABLES for name, expected in table]
