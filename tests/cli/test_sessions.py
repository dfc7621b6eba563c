"""`list`, `show` and `messages` as whole commands, most of them on the documented sample."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli
from tests.support.keys import key_of

LISTED, READ = "0000Na9B26EF002G", "009052BDEE39003A"

SAMPLE = {
    "state": "Chatting",
    "id": "0000Na9B26EF002G",
    "uri": "http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G",
    "participants": [
        {"type": "Agent", "nickname": "Agent1", "participantId": "009052BDEE4A003E"},
        {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"},
    ],
    "capabilities": [
        "AttachUserData",
        "UpdateUserData",
        "DeleteUserData",
        "Leave",
        "LeaveAndComplete",
        "Transfer",
        "Invite",
        "Consult",
    ],
    "userData": {},
}
CUSTOMER = {"type": "Customer", "nickname": "PersonP", "participantId": "009052BDEE39003C"}
AGENT = {"type": "Agent", "nickname": "Agent1", "participantId": "009052BDEE4A003E"}


def printed(index: int, type_: str, sender: dict[str, str], at: str, **body: str) -> dict[str, object]:
    return {
        "sessionId": READ,
        "key": key_of(READ, index, type_, at, sender["participantId"], body.get("text")),
        "index": index,
        "type": type_,
        "from": sender,
        "visibility": "All",
        "timestamp": at,
        **body,
    }


SAMPLE_MESSAGES = [
    printed(1, "ParticipantJoined", CUSTOMER, "2013-12-27T21:16:41.000Z"),
    printed(2, "ParticipantJoined", AGENT, "2013-12-27T21:16:41.018Z"),
    printed(3, "TypingStarted", CUSTOMER, "2013-12-27T21:16:41.186Z"),
    printed(4, "Text", CUSTOMER, "2013-12-27T21:16:41.187Z", text="dddd"),
]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server without sessions but the sample's, its clock standing at 2026-03-02T10:00:00Z."""
    with FakeServer(Options(scene="empty"), clock=lambda: 1772445600.0) as server:
        yield server


def sample(smscli: Smscli, server: FakeServer, *arguments: str, **how: object) -> tuple[int, str, str]:
    outcome = smscli("--user", "sample", *arguments, server=server, **how)
    return outcome.code, outcome.out, outcome.err


def test_a_list_in_a_pipe_is_one_tab_separated_line_a_session(smscli: Smscli, server: FakeServer) -> None:
    assert sample(smscli, server, "list") == (0, f"{LISTED}\tChatting\tPersonP\tAgent1\t\n", "")


def test_a_list_on_a_terminal_is_a_table_that_says_whose_it_is(smscli: Smscli, server: FakeServer) -> None:
    table = (
        "id                state     customer  agents  received\n"
        "0000Na9B26EF002G  Chatting  PersonP   Agent1\n"
        "SMS sessions of sample at 127.0.0.1\n"
    )
    assert sample(smscli, server, "list", tty=True, color="never") == (0, table, "")


def test_a_list_as_json_is_an_array_of_the_servers_own_objects(smscli: Smscli, server: FakeServer) -> None:
    code, out, err = sample(smscli, server, "list", "--json")
    assert (code, json.loads(out), err) == (0, [SAMPLE], "")


def test_a_list_as_json_lines_is_one_object_a_line(smscli: Smscli, server: FakeServer) -> None:
    code, out, err = sample(smscli, server, "sessions", "list", "--jsonl")
    assert (code, [json.loads(line) for line in out.splitlines()], err) == (0, [SAMPLE], "")


def without_time(line: str) -> dict[str, object]:
    """The notice in a line of JSON; its time must be now, in UTC."""
    notice = dict(json.loads(line)["notice"])
    at = notice.pop("at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(at)) < timedelta(minutes=1)
    return notice


EMPTY = "no live SMS sessions for demo at 127.0.0.1; the server shows a user's own sessions only"


def test_an_empty_list_says_whose_sessions_are_not_there(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", server=server)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"{EMPTY}\n")


def test_an_empty_list_as_json_is_an_empty_array_and_a_notice(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", "--json", server=server)
    notice = {"kind": "whose", "sessionId": None, "message": EMPTY}
    assert (outcome.code, outcome.out) == (0, "[]\n")
    assert without_time(outcome.err) == notice


def test_a_server_that_sends_addresses_only_still_lists_ids_and_says_so(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty", envelope="uris")) as server:
        code, out, err = sample(smscli, server, "list")
    told = "the server sent addresses in place of sessions: of those only the ids are known\n"
    assert (code, out, err) == (0, f"{LISTED}\t\t\t\t\n", told)


def test_show_as_json_adds_the_sessions_activity(smscli: Smscli, server: FakeServer) -> None:
    code, out, err = sample(smscli, server, "show", LISTED, "--json")
    activity = {
        "messages": 1,
        "participants": [
            {
                "participantId": "009052BDEE39003C",
                "nickname": "PersonP",
                "type": "Customer",
                "messages": 1,
                "composingSeconds": 0.001,
                "joinedAt": "2013-12-27T21:16:41.000Z",
                "leftAt": None,
                "present": True,
            },
            {
                "participantId": "009052BDEE4A003E",
                "nickname": "Agent1",
                "type": "Agent",
                "messages": 0,
                "composingSeconds": None,
                "joinedAt": "2013-12-27T21:16:41.018Z",
                "leftAt": None,
                "present": True,
            },
        ],
        "firstMessageAt": "2013-12-27T21:16:41.187Z",
        "lastMessageAt": "2013-12-27T21:16:41.187Z",
        "firstResponseSeconds": None,
        # From the printed message to the server's clock.
        "waitingSeconds": 384266598.813,
        "waitingSince": "2013-12-27T21:16:41.187Z",
        "typing": [],
        "lastMessage": {
            "index": 4,
            "timestamp": "2013-12-27T21:16:41.187Z",
            "nickname": "PersonP",
            "type": "Text",
            "text": "dddd",
        },
    }
    assert (code, json.loads(out), err) == (0, {**SAMPLE, "activity": activity}, "")


def test_show_of_an_unknown_session_names_the_list(smscli: Smscli, server: FakeServer) -> None:
    told = "error: no such session: NOPE\nhint: `smscli list` shows the live sessions of sample: "
    told += f"{LISTED} (PersonP)\n"
    assert sample(smscli, server, "show", "NOPE") == (5, "", told)


def test_messages_in_a_pipe_fold_typing_and_keep_every_column(smscli: Smscli, server: FakeServer) -> None:
    out = (
        f"2013-12-27T21:16:41.000Z\t{READ}\t1\tParticipantJoined\tCustomer\tPersonP\tAll\t\t\n"
        f"2013-12-27T21:16:41.018Z\t{READ}\t2\tParticipantJoined\tAgent\tAgent1\tAll\t\t\n"
        f"2013-12-27T21:16:41.187Z\t{READ}\t4\tText\tCustomer\tPersonP\tAll\tdddd\t0.001\n"
    )
    assert sample(smscli, server, "messages", READ) == (0, out, "")


def test_messages_on_a_terminal_are_a_transcript(smscli: Smscli, server: FakeServer) -> None:
    transcript = (
        "─ Fri 2013-12-27, times are UTC ─\n"
        "21:16:41  ▶ PersonP       · joined (Customer)\n"
        "21:16:41  ◆ Agent1        · joined (Agent)\n"
        "21:16:41  ▶ PersonP         dddd\n"
    )
    assert sample(smscli, server, "messages", READ, tty=True, color="never") == (0, transcript, "")


def test_messages_as_json_are_every_message_of_the_server(smscli: Smscli, server: FakeServer) -> None:
    code, out, err = sample(smscli, server, "messages", READ, "--json")
    assert (code, json.loads(out), err) == (0, SAMPLE_MESSAGES, "")


def test_messages_as_json_lines_are_the_same_one_a_line(smscli: Smscli, server: FakeServer) -> None:
    code, out, err = sample(smscli, server, "messages", READ, "--jsonl")
    assert (code, [json.loads(line) for line in out.splitlines()], err) == (0, SAMPLE_MESSAGES, "")


def test_last_keeps_the_last_entries_only(smscli: Smscli, server: FakeServer) -> None:
    code, out, err = sample(smscli, server, "messages", LISTED, "--last", "1")
    assert (code, out.split("\t")[2:4], err) == (0, ["4", "Text"], "")


def test_a_window_is_passed_to_the_server_in_one_request(smscli: Smscli, server: FakeServer) -> None:
    code, out, _ = sample(smscli, server, "messages", READ, "--start-index", "2", "--count", "1", "--jsonl")
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, [SAMPLE_MESSAGES[1]])
    path = f"/api/v2/me/smsessions/{READ}/messages?startIndex=2&count=1"
    assert list(server.requests) == [("GET", path, "sample")]


def test_nothing_is_ever_sent_but_gets(smscli: Smscli, server: FakeServer) -> None:
    for command in (["list"], ["show", LISTED], ["messages", READ]):
        sample(smscli, server, *command)
    assert {method for method, _, _ in server.requests} == {"GET"}


def test_an_invited_session_has_no_messages_yet(smscli: Smscli, server: FakeServer) -> None:
    server.store.add_session("0000Na9B26EF0042", state="Invited")
    outcome = smscli("messages", "0000Na9B26EF0042", "--json", server=server)
    notice = {
        "kind": "whose",
        "sessionId": "0000Na9B26EF0042",
        "message": "no messages yet in session 0000Na9B26EF0042",
    }
    assert (outcome.code, outcome.out) == (0, "[]\n")
    assert without_time(outcome.err) == notice


def test_an_unknown_id_is_no_such_session(smscli: Smscli, server: FakeServer) -> None:
    code, out, err = sample(smscli, server, "messages", "NOPE", "--jsonl")
    error = json.loads(err)["error"]
    assert (code, out, error["kind"], error["exitCode"]) == (5, "", "not_found", 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], "--count takes a number from 1 to 2147483647, not 0"),
        (["--count", "-5"], "--count takes a number from 1 to 2147483647, not -5"),
        (["--count", "99999999999"], "--count takes a number from 1 to 2147483647, not 99999999999"),
        (["--start-index", "-1"], "--start-index takes a number from 0 to 2147483647, not -1"),
        (
            ["--last", "2", "--count", "5"],
            "--start-index and --count can't be combined with --last, a recording or a stream",
        ),
        (["--last", "-1"], "--last takes a whole number or `all`, not '-1'"),
    ],
)
def test_a_window_that_makes_no_sense_is_wrong_usage(
    smscli: Smscli, server: FakeServer, arguments: list[str], message: str
) -> None:
    assert sample(smscli, server, "messages", READ, *arguments) == (2, "", f"error: {message}\n")
    assert list(server.requests) == []


@pytest.mark.slow
def test_a_json_array_cut_short_by_an_error_is_closed(smscli: Smscli) -> None:
    options = Options(scene="bulk", sessions=1, messages=1200)
    with FakeServer(options) as server:
        session_id = next(one for one in server.store.sessions if one not in (LISTED, READ))
        server.fail_next("500", "startIndex=501", times=9)
        outcome = smscli("messages", session_id, "--json", server=server)
    error = json.loads(outcome.err)["error"]
    assert (outcome.code, len(json.loads(outcome.out)), error["kind"], error["httpStatus"]) == (
        1,
        500,
        "server",
        500,
    )


@pytest.mark.parametrize("beyond_end", ["empty", "error", "404"])
def test_however_a_server_says_that_the_log_is_over_it_is_read(
    smscli: Smscli, server: FakeServer, beyond_end: str
) -> None:
    server.options.beyond_end = beyond_end
    code, out, err = sample(smscli, server, "messages", LISTED, "--last", "1")
    assert (code, out.split("\t")[2:4], err) == (0, ["4", "Text"], "")


def test_a_card_tells_who_said_how_much_but_no_composing_under_a_second(
    smscli: Smscli, server: FakeServer
) -> None:
    code, out, _ = sample(smscli, server, "show", LISTED, tty=True, color="never")
    people = [line for line in out.splitlines() if "0090" in line]
    assert code == 0
    assert people == [
        "│ ▶ PersonP │ 009052BDEE39003C │ 1        │ -     │ 21:16:41 │ -    │",
        "│ ◆ Agent1  │ 009052BDEE4A003E │ 0        │ -     │ 21:16:41 │ -    │",
    ]


def test_people_without_a_participant_id_are_told_apart(smscli: Smscli, server: FakeServer) -> None:
    server.store.add_session("0000Na9B26EF0042", customer="Mika", agents=())
    for nickname in ("A", "B"):
        sender = {"type": "Agent", "nickname": nickname}
        message = {"type": "Text", "from": sender, "text": "hello", "visibility": "All"}
        server.store.append("0000Na9B26EF0042", message)
    out = smscli("show", "0000Na9B26EF0042", server=server, tty=True, color="never").out
    rows = [[cell.strip() for cell in line.split("│")[1:4]] for line in out.splitlines() if "│ ◆" in line]
    assert rows == [["◆ A", "-", "1"], ["◆ B", "-", "1"]]
