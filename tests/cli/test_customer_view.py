"""`messages --customer-view` as a whole command: only what the customer was sent, in any form."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

ID = "0000Na9B26EF0001"
MIKA = {"type": "Customer", "nickname": "Mika", "participantId": "p1"}
ROBIN = {"type": "Agent", "nickname": "Robin", "participantId": "p2", "visibility": "All"}
COACH = {"type": "Agent", "nickname": "Sasha", "participantId": "p3", "visibility": "Agents"}
LOG: tuple[dict[str, Any], ...] = (
    {"type": "ParticipantJoined", "from": MIKA, "visibility": "All"},
    {"type": "ParticipantJoined", "from": {**ROBIN, "visibility": None}},
    {"type": "ParticipantJoined", "from": COACH},
    {"type": "ParticipantJoined", "from": COACH, "visibility": "All"},
    {"type": "TypingStarted", "from": MIKA, "visibility": "All", "text": "secret draft"},
    {"type": "Text", "from": MIKA, "visibility": "All", "text": "my router blinks"},
    {"type": "Text", "from": ROBIN, "visibility": "Agents", "text": "secret whisper"},
    {"type": "Text", "from": COACH, "text": "secret advice"},
    {"type": "Text", "from": ROBIN, "text": "I look", "agentNote": "secret note", "composingSeconds": 9},
    {"type": "Text", "from": COACH, "visibility": "All", "text": "all is well"},
    {"type": "PushUrl", "from": ROBIN, "visibility": "All", "url": "https://example.com/a"},
    {"type": "Notice", "noticeText": "this chat is recorded"},
    {"type": "CustomNotice", "from": ROBIN, "visibility": "All", "noticeText": "a ticket is open"},
    {"type": "CustomNotice", "from": ROBIN, "visibility": "Agents", "noticeText": "secret notice"},
    {
        "type": "SystemCommand",
        "from": ROBIN,
        "visibility": "All",
        "noticeText": "file-uploaded",
        "attachment": {"name": "bill.pdf"},
    },
    {"type": "SystemCommand", "from": ROBIN, "visibility": "All", "noticeText": "secret command"},
    {"type": "Scored", "from": ROBIN, "visibility": "All", "text": "secret score"},
    {"type": "TypingStarted", "from": ROBIN, "visibility": "All", "text": "secret reply"},
    {"type": "ParticipantLeft", "from": ROBIN},
    {"type": "TranscriptSaveDone", "index": -1},
)
ROWS = """\
2026-03-02T10:00:00.000Z\t0000Na9B26EF0001\t1\tParticipantJoined\tCustomer\tMika\tAll\t\t
2026-03-02T10:00:05.000Z\t0000Na9B26EF0001\t6\tText\tCustomer\tMika\tAll\tmy router blinks\t
2026-03-02T10:00:08.000Z\t0000Na9B26EF0001\t9\tText\tAgent\tRobin\t\tI look\t
2026-03-02T10:00:09.000Z\t0000Na9B26EF0001\t10\tText\tAgent\t\tAll\tall is well\t
2026-03-02T10:00:10.000Z\t0000Na9B26EF0001\t11\tPushUrl\tAgent\tRobin\tAll\thttps://example.com/a\t
2026-03-02T10:00:11.000Z\t0000Na9B26EF0001\t12\tNotice\t\t\t\tthis chat is recorded\t
2026-03-02T10:00:12.000Z\t0000Na9B26EF0001\t13\tCustomNotice\tAgent\tRobin\tAll\ta ticket is open\t
2026-03-02T10:00:14.000Z\t0000Na9B26EF0001\t15\tSystemCommand\tAgent\tRobin\tAll\tfile-uploaded\t
2026-03-02T10:00:18.000Z\t0000Na9B26EF0001\t19\tParticipantLeft\tAgent\tRobin\t\t\t
"""
LINES = """\
─ Mon 2026-03-02, times are UTC ─
10:00:00  ▶ Mika          · joined (Customer)
10:00:05  ▶ Mika            my router blinks
10:00:08  ◆ Robin           I look
10:00:09  ◆ unknown         all is well
10:00:10  ◆ Robin           link: https://example.com/a
10:00:11  · system        · notice: this chat is recorded
10:00:12  ◆ Robin         · notice: a ticket is open
10:00:14  ◆ Robin         · [SystemCommand] file-uploaded [file bill.pdf]
10:00:18  ◆ Robin         · left
"""
HIDDEN = (
    "secret",
    "Sasha",
    "p3",
    "composingSeconds",
    "4711",
    "called twice",
    "Chatting",
    "timeline",
    "user data",
)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    file = tmp_path / "log.jsonl"
    lines = [
        {"index": number, "timestamp": f"2026-03-02T10:00:{number - 1:02}.000Z", **message, "sessionId": ID}
        for number, message in enumerate(LOG, 1)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return f"@{file}"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty"), clock=lambda: 1772445600.0) as server:
        server.store.add_session(ID, customer="Mika", user_data={"Account": "4711", "note": "secret"})
        server.store.set_fields(ID, {"comment": "called twice"})
        for message in LOG:
            server.store.add_message(ID, {"visibility": None, **message})
        yield server


def test_a_pipe_has_what_the_customer_was_sent(smscli: Smscli, recording: str) -> None:
    outcome = smscli("messages", recording, "--customer-view")
    assert (outcome.code, outcome.out, outcome.err) == (0, ROWS, "")


def test_a_terminal_has_what_the_customer_was_sent(smscli: Smscli, recording: str) -> None:
    outcome = smscli("messages", recording, "--customer-view", "--utc", tty=True, NO_COLOR="1")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == LINES


def test_json_has_only_fields_of_a_message(smscli: Smscli, recording: str) -> None:
    found = json.loads(smscli("messages", recording, "--customer-view", "--json").out)
    assert [one["index"] for one in found] == [1, 6, 9, 10, 11, 12, 13, 15, 19]
    by_index = {one["index"]: one for one in found}
    assert by_index[9].keys() == {
        "sessionId",
        "key",
        "index",
        "type",
        "from",
        "visibility",
        "timestamp",
        "text",
    }
    assert by_index[10]["from"] == {"type": "Agent", "nickname": None, "participantId": None}
    assert by_index[15]["attachment"] == {"name": "bill.pdf"}


@pytest.mark.parametrize(
    "form",
    [(), ("--json",), ("--jsonl",), ("--html", "-"), ("--html", "-", "--redact"), ("--typing", "hide")],
)
def test_nothing_hidden_is_in_any_output(
    form: tuple[str, ...], smscli: Smscli, server: FakeServer, recording: str
) -> None:
    for source in (ID, recording):
        outcome = smscli("messages", source, "--customer-view", *form, server=server)
        told = outcome.out.partition("</style>")[2] or outcome.out
        assert (outcome.code, outcome.err) == (0, "")
        assert "my router blinks" in told
        assert [text for text in HIDDEN if text in told] == []
        assert "<footer>" not in told


def test_a_filter_sees_nothing_else_either(smscli: Smscli, recording: str) -> None:
    outcome = smscli("messages", recording, "--customer-view", "--grep", "secret", "--context", "9")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "no entry of 9 matches\n")
    last = smscli("messages", recording, "--customer-view", "--last", "2").out
    assert last == "".join(ROWS.splitlines(keepends=True)[-2:])


def test_a_log_of_which_nothing_was_sent_says_so(smscli: Smscli, tmp_path: Path) -> None:
    file, page = tmp_path / "log.jsonl", tmp_path / "page.html"
    file.write_text(json.dumps({"sessionId": ID, "index": 1, **LOG[6]}) + "\n")
    outcome = smscli("messages", f"@{file}", "--customer-view")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "the customer was sent none of the messages\n"
    smscli("messages", f"@{file}", "--customer-view", "--html", str(page))
    assert "<p>nothing to show</p>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["fold", "show"])
def test_typing_can_not_be_asked_for_too(mode: str, smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("messages", ID, "--customer-view", "--typing", mode, server=server)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: --customer-view shows no typing, so it excludes --typing {mode}\n"
    assert not server.requests


def test_who_is_hidden_by_the_session_is_hidden_and_so_is_what_nobody_can_read(
    smscli: Smscli, tmp_path: Path
) -> None:
    boss = {"type": "Agent", "nickname": "Boss", "participantId": "p4"}
    file = tmp_path / "log.jsonl"
    session = {"id": ID, "state": "Chatting", "participants": [MIKA, {**boss, "visibility": "Agents"}]}
    attachment = {"id": "f1", "name": "bill.pdf", "internalComment": "secret"}
    upload = {"type": "SystemCommand", "noticeText": "file-uploaded", "attachment": attachment}
    log: list[dict[str, Any]] = [
        {"record": "session", "at": "2026-03-02T10:00:00.000Z", "session": session},
        {"type": "ParticipantJoined", "from": boss},
        {"type": "Text", "from": boss, "text": "secret advice"},
        {"type": "Text", "from": boss, "visibility": "All", "text": "all is well"},
        {"type": "Text", "from": ROBIN, "visibility": {"x": 1}, "text": "secret whisper"},
        {**upload, "from": ROBIN, "visibility": "All"},
    ]
    lines = [{"sessionId": ID, "index": number, **line} for number, line in enumerate(log)]
    lines[0] = log[0]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    outcome = smscli("messages", f"@{file}", "--customer-view", "--jsonl")
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(one["index"], one["from"]["nickname"]) for one in found] == [(3, None), (5, "Robin")]
    assert found[1]["attachment"] == {"id": "f1", "name": "bill.pdf"}
    assert "secret" not in outcome.out and "Boss" not in outcome.out
