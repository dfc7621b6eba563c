"""Every sample shape, spelling and layout that the server's documents print, and whether it is read."""

from collections.abc import Iterator, Sequence

from tests.bench.figures import Line
from tests.bench.setting import Setting
from tests.support.wire_samples import SAMPLES, Sample

Shape = tuple[str, str, str]
"""Where in the documents, what, and the fixture that has it."""

_MOST_NAMED = 10
_STATES = (
    "Invited",
    "Chatting",
    "LeftChat",
    "Completed",
    "Revoked",
    "WaitingForAgent",
    "Idle",
    "Initiating",
    "Talking",
    "Alerting",
)
DOCUMENTED: tuple[Shape, ...] = (
    ("SMSResources", "the session, one bare object", "session_sample"),
    ("SMSResources", "the messages as printed", "messages_sample_as_printed.txt"),
    ("SMSResources", "their first block as printed", "messages_sample_first_block.txt"),
    ("SMSResources", "the four messages as one array", "messages_sample_mended"),
    ("SMSResources", "messages under their key", "messages_object"),
    ("SMSResources", "Text", "type_text"),
    ("SMSResources", "ParticipantJoined", "type_participant_joined"),
    ("SMSResources", "ParticipantLeft", "type_participant_left"),
    ("SMSResources", "ParticipantRejoined", "type_participant_rejoined"),
    ("SMSResources", "TypingStarted", "type_typing_started"),
    ("SMSResources", "TypingStarted with a preview", "type_typing_started_with_preview"),
    ("SMSResources", "TypingStopped", "type_typing_stopped"),
    ("SMSResources", "PushUrl", "type_push_url"),
    ("SMSResources", "Notice", "type_notice"),
    ("SMSResources", "Notice without its optional text", "type_notice_without_text_or_sender"),
    ("SMSResources", "TranscriptSaveDone, index -1", "type_transcript_save_done"),
    ("SMSResources", "TranscriptSaveDone among others", "type_transcript_save_done_in_the_middle"),
    ("SMSSendCustomNotice", "CustomNotice", "type_custom_notice"),
    ("ChatUploadFile", "SystemCommand, file-uploaded", "type_system_command_file_uploaded"),
    ("ChatDeleteFile", "SystemCommand, file-deleted", "type_system_command_file_deleted"),
    ("spellings", "smsessions", "list_smsessions"),
    ("spellings", "smssessions", "list_smssessions"),
    ("spellings", "smsssession", "list_smsssession_singular_three_s"),
    ("spellings", "smssession", "list_smssession_singular"),
    ("spellings", "smsession", "list_smsession_singular"),
    ("spellings", "smssessionUri", "notification_send_message"),
    ("spellings", "smsessionUri", "notification_typing_stopped"),
    ("spellings", "smsessionPath and smsessionUri", "notification_custom_notice"),
    ("spellings", "smssessionPath and smssessionUri", "notification_custom_notice_to_agents"),
    ("spellings", "smsession in a state change", "notification_set_disposition"),
    ("list envelopes", "a bare array", "list_bare_array"),
    ("list envelopes", "statusCode and uris", "list_uris"),
    ("SMSAccept", "ParticipantsUpdated", "notification_accept_participants"),
    ("SMSAccept", "StatusChange, type `test_accept `", "notification_accept_status"),
    ("SMSReject", "blanks in the uri, no capabilities", "notification_reject"),
    ("SMSComplete", "state, id, uri alone", "notification_complete"),
    ("SMSComplete", "as printed", "notification_complete_as_printed.txt"),
    ("SMSLeave", "LeftChat, no participants", "notification_leave"),
    ("SMSSendMessage", "as printed, with 035L", "notification_send_message_as_printed.txt"),
    ("SMSSendUrl", "url, a sender with uri and visibility", "notification_send_url"),
    ("SMSSendStartType", "TypingStarted", "notification_typing_started"),
    ("SMSSendStartTypingToAgentsNotification", "to agents", "notification_typing_started_to_agents"),
    ("SMSSendToAgents", "Text to agents", "notification_send_to_agents"),
    ("SMSAttachUserData", "userData in a session", "notification_attach_user_data"),
    ("SMSUpdateUserData", "userData in a session", "notification_update_user_data"),
    ("SMSSetDisposition", "a key of its own", "notification_set_disposition_named"),
    ("SMSAddComment", "comment", "notification_add_comment"),
    ("SMSSwitchtoCoach", "SwitchBargeIn, receivedDate", "notification_switch_to_coach"),
    ("SMSSwitchtoBargeIn", "chatType, three participants", "notification_switch_to_barge_in"),
    ("SMSCancelConsult", "Error, Request failed", "notification_error"),
    ("SMSCancelConsult", "Error, user data", "notification_error_user_data"),
    ("SMSCancelConsult", "as printed, in Python", "notification_error_as_printed.txt"),
    ("SMSInvite", "statusCode and referenceId", "status_ok_with_reference"),
    ("properties", "an id in lower-case hex", "session_id_hex_lower"),
    ("properties", "an id of 15 characters", "session_id_fifteen"),
    ("properties", "path", "session_path"),
    ("properties", "every capability", "session_capabilities"),
    ("properties", "userData: blanks, signs, integers, null", "session_user_data"),
    ("properties", "userData: the routing keys", "session_user_data_routing"),
    *(("states", state, f"state_{state}") for state in _STATES),
    ("message fields", "the sender's fullest form", "message_sender_fullest"),
    ("message fields", "visibility Agents", "message_visibility_agents"),
    ("message fields", "timestampSeconds, in milliseconds", "time_seconds_are_milliseconds"),
    ("timestamps", "2013-12-27T13:16:41.000-0800", "time_basic_offset"),
    ("timestamps", "2014-01-09 11:58:12.035+0200", "time_blank"),
    ("timestamps", "2014-05-1502:24:00.000-0700", "time_no_separator"),
    ("timestamps", "2014-05-0511:08:45.000-0700 in receivedDate", "session_received_date_no_separator"),
    ("timestamps", "2013-11-2521: 02: 22.000+0200", "time_blanks_after_colons"),
    ("timestamps", "2013-11-25 21:02:22.000+0200", "time_blank_history"),
    ("timestamps", "2015-11-26T16:39:41Z", "time_utc"),
    ("Return Values", "statusCode 0 alone", "status_ok"),
    ("Return Values", "statusCode and statusMessage", "status_not_found"),
    ("Return Values", "statusCode 20", "status_not_authenticated"),
    ("RequestTypes", "me, under user", "me"),
    ("RequestTypes", "me with all subresources", "me_subresources"),
    ("RequestTypes", "features as objects", "me_features_objects"),
    ("CSRFProtection", "the refusal's text", "no_json_csrf.txt"),
    ("Services", "services", "services"),
    ("ChatMessageType", "data in a delivery", "delivery"),
    ("ChatMessageType", "ChatStateChangeMessage", "notification_chat_state"),
    ("ChatMessageType", "MessageLogUpdated of a chat", "notification_chat_log"),
    ("FacebookPMMessageType", "FacebooksessionStateChangeMessage", "notification_facebook_state"),
    ("FacebookPMMessageType", "MessageLogUpdated", "notification_facebook_log"),
    ("IMSessionMessageType", "IMSessionStateChangeMessage", "notification_im_state"),
    ("IMSessionMessageType", "IMLogUpdateMessage, NewMessage", "notification_im_log"),
    ("AsynchronousEvents", "CallStateChangeMessage", "notification_call_state"),
    ("CHGetInteractionContent", "the log in it", "notification_interaction_content"),
    ("CHGetContactInteractions", "GetInteractionsHistoryMessage", "notification_interactions_history"),
)


def samples(setting: Setting) -> Iterator[Line]:
    """How many of the documents' shapes are read, and how many of the fixtures in all."""
    yield _share("sample shapes, spellings and layouts of the documents, read", DOCUMENTED, SAMPLES)
    every = [("fixture", name, name) for name in dict.fromkeys(one.fixture for one in SAMPLES)]
    yield _share("these, and what a server might make of them", every, SAMPLES)


def _share(measure: str, shapes: Sequence[Shape], known: Sequence[Sample]) -> Line:
    wrong = missed(shapes, known)
    figure = f"{len(shapes) - len(wrong)} of {len(shapes)}"
    return Line(measure, figure, "; ".join(wrong[:_MOST_NAMED]), "all", not wrong, counted=True)


def missed(shapes: Sequence[Shape], known: Sequence[Sample]) -> list[str]:
    """The shapes without a sample, and those of which not every sample is read as it should be."""
    good: dict[str, bool] = {}
    for one in known:
        good[one.fixture] = good.get(one.fixture, True) and one.found == one.expected
    return [f"{place} {what}" for place, what, fixture in shapes if not good.get(fixture, False)]
