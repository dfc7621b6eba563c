"""Whole commands against a server whose responses are odd, as other clients of it put up with."""

import gzip
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Outcome, Smscli
from tests.support.wire_server import Reply, Request, WireServer, answer

SESSION = {"id": "0000Na9B26EF002G", "state": "Chatting"}
ID = SESSION["id"]


def said(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "type": "Text", "text": text}


def run(smscli: Smscli, reply: Reply, *arguments: str, sessions: object = (SESSION,)) -> Outcome:
    """A command against a server that gives this reply to each read of messages."""

    def choose(request: Request) -> Reply:
        if request.path.endswith("/messages"):
            return reply
        return answer({"statusCode": 0, "smsessions": sessions})

    with WireServer(choose) as server:
        return smscli(*arguments, SMSCLI_URL=server.base_url, SMSCLI_TOKEN="t0k3n")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_zero_bytes_after_a_gzip_response_are_ignored(smscli: Smscli) -> None:
    packed = gzip.compress(json.dumps({"messages": [said(1, "a")]}).encode()) + b"\0" * 7
    done = run(smscli, answer(packed, headers={"Content-Encoding": "gzip"}), "messages", ID, "--jsonl")
    assert (done.code, done.err, [one["text"] for one in lines(done.out)]) == (0, "", ["a"])


def test_an_entry_that_is_not_a_message_is_left_out_with_a_notice(smscli: Smscli) -> None:
    log = {"messages": [said(1, "a"), None, said(2, "b")]}
    done = run(smscli, answer(log), "messages", ID, "--jsonl")
    assert (done.code, [one["text"] for one in lines(done.out)]) == (0, ["a", "b"])
    [notice] = [one["notice"] for one in lines(done.err)]
    assert (notice["kind"], notice["sessionId"]) == ("skipped", ID)
    assert notice["message"] == f"left out 1 entry of the messages of session {ID}: not JSON objects"


def test_an_entry_that_is_not_a_session_is_left_out_with_a_notice(smscli: Smscli) -> None:
    done = run(smscli, answer({}), "list", "--json", sessions=[7, SESSION, None])
    assert (done.code, [one["id"] for one in json.loads(done.out)]) == (0, [ID])
    assert lines(done.err)[0]["notice"]["message"] == (
        "left out 2 entries of the session list: not JSON objects"
    )


def test_a_participant_that_is_not_an_object_is_left_out(smscli: Smscli) -> None:
    people = [None, {"nickname": "Pat", "type": "Customer"}]
    done = run(
        smscli, answer({"messages": []}), "list", "--json", sessions=[{**SESSION, "participants": people}]
    )
    assert (done.code, json.loads(done.out)[0]["participants"]) == (0, [people[1]])
    assert "left out 1 entry of the session list" in done.err


def test_a_redirected_sign_in_names_single_sign_on(smscli: Smscli) -> None:
    with WireServer(lambda request: answer(b"", 302, {"Location": "https://idp.example/saml"})) as server:
        done = smscli("auth", "status", SMSCLI_URL=server.base_url, SMSCLI_TOKEN="t0k3n")
        listed = smscli("list", SMSCLI_URL=server.base_url, SMSCLI_TOKEN="t0k3n")
    assert (done.code, listed.code) == (1, 1)
    for outcome in (done, listed):
        assert "redirects to https://idp.example (HTTP 302)" in outcome.err
        assert "hint: this looks like single sign-on (SSO)" in outcome.err


@pytest.mark.parametrize("name", ["id", "fileId", "documentId", "name"])
def test_an_attachment_signed_anew_at_each_read_is_one_message(
    smscli: Smscli, tmp_path: Path, name: str
) -> None:
    reads = count(1)

    def choose(request: Request) -> Reply:
        if not request.path.endswith("/messages"):
            state = "Chatting" if next(reads) < 5 else "Completed"
            return answer({"statusCode": 0, "smsessions": [{**SESSION, "state": state}]})
        attachment = {name: "f1", "uri": f"http://h/f1?sig={next(reads)}"}
        upload = {"type": "SystemCommand", "noticeText": "file-uploaded", "attachment": attachment}
        return answer({"messages": [said(1, "a"), {"index": 2, **upload}]})

    recording = tmp_path / "log.jsonl"
    options = ("--push", "off", "--interval", "0.2", "--json", "--record", str(recording))
    with WireServer(choose) as server:
        done = smscli("tail", ID, *options, SMSCLI_URL=server.base_url, SMSCLI_TOKEN="t0k3n")
    assert done.code == 0
    assert [one["index"] for one in lines(done.out)] == [1, 2]
    assert len({one["key"] for one in lines(done.out)}) == 2
    assert [one["index"] for one in lines(recording.read_text()) if "index" in one] == [1, 2]
    assert "reset" not in done.err
