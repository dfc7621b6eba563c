"""`list --activity`, its columns and `--waiting`, as whole commands."""

import json
from collections.abc import Iterator

import pytest

from smscli.commands.activity import SessionReader, read_logs, report_unread
from smscli.commands.profiles import SharedSession
from smscli.context import AppContext
from smscli.model import Session
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.captured_terminal import CapturedTerminal
from tests.support.command import Smscli

START = 1772445600.0  # 2026-03-02T10:00:00Z
IDS = ("0000Na9B26EF0001", "0000Na9B26EF0002", "0000Na9B26EF0003")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Three sessions: a question of two minutes ago, an answered one, an invitation of ten minutes."""
    now = [START]
    with FakeServer(Options(scene="empty"), clock=lambda: now[0]) as server:
        server.store.add_session(IDS[0], age=300, customer="Mika")
        server.store.say(IDS[0], "Hello", by="Robin")
        server.store.say(IDS[0], "is anybody there?\nhello")
        server.store.add_session(IDS[1], age=200, customer="+49 151 23456789")
        server.store.say(IDS[1], "thanks")
        server.store.say(IDS[1], "You're welcome", by="Robin")
        now[0] += 120
        server.store.add_session(IDS[2], state="Invited", agents=(), age=600, customer="Yuki")
        yield server


def test_in_a_pipe_three_columns_are_added(smscli: Smscli, server: FakeServer) -> None:
    assert smscli("list", "--activity", server=server).out == (
        f"{IDS[0]}\tChatting\tMika\tRobin\t2026-03-02T09:55:00.000Z\t120\t\tis anybody there?\\nhello\n"
        f"{IDS[1]}\tChatting\t+49 151 23456789\tRobin\t2026-03-02T09:56:40.000Z\t\t\tYou're welcome\n"
        f"{IDS[2]}\tInvited\tYuki\t\t2026-03-02T09:52:00.000Z\t600\t\t\n"
    )


def test_on_a_terminal_the_last_message_stands_below_its_session(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", "-a", "--utc", tty=True, color="never", server=server)
    assert (outcome.code, outcome.out, outcome.err) == (
        0,
        "id                state     customer         agents    received  waiting  typing\n"
        f"{IDS[0]}  Chatting  Mika             Robin     09:55:00  2 min\n"
        "    10:00:00 Mika: is anybody there?\\nhello\n"
        f"{IDS[1]}  Chatting  +49 151…3456789  Robin     09:56:40\n"
        "    10:00:00 Robin: You're welcome\n"
        f"{IDS[2]}  Invited   Yuki             no agent  09:52:00  10 min\n"
        "SMS sessions of demo at 127.0.0.1, times are UTC\n",
        "",
    )


def test_json_has_the_activity_that_show_has(smscli: Smscli, server: FakeServer) -> None:
    listed = json.loads(smscli("list", "--activity", "--json", server=server).out)
    assert listed == [json.loads(smscli("show", one, "--json", server=server).out) for one in IDS]
    lines = smscli("list", "--activity", "--jsonl", server=server).out.splitlines()
    assert [json.loads(line) for line in lines] == listed


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("--waiting 2m", (IDS[0], IDS[2])),
        ("--waiting 2m1s", (IDS[2],)),
        ("--waiting 1h", ()),
        ("--sort -waiting", (IDS[2], IDS[0], IDS[1])),
        ("--sort lastMessage", (IDS[0], IDS[1], IDS[2])),
        ("--sort -messages", (IDS[0], IDS[1], IDS[2])),
        ("--waiting 0s --customer mik", (IDS[0],)),
    ],
)
def test_filters_and_sort_keys_read_the_logs_and_add_no_columns(
    words: str, ids: tuple[str, ...], smscli: Smscli, server: FakeServer
) -> None:
    rows = [row.split("\t") for row in smscli("list", *words.split(), server=server).out.splitlines()]
    assert [row[0] for row in rows] == list(ids)
    assert {len(row) for row in rows} <= {5}
    found = json.loads(smscli("list", *words.split(), "--json", server=server).out)
    assert [(one["id"], "activity" in one) for one in found] == [(one, True) for one in ids]


def test_nobody_who_waits_that_long_is_said(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", "--waiting", "1h", server=server)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "none of the 3 live SMS sessions matches the filters\n"


def test_activity_columns_can_be_chosen(smscli: Smscli, server: FakeServer) -> None:
    columns = "customer,waiting,lastMessageAt,messages,typing,lastMessage"
    assert smscli("list", "--columns", columns, server=server).out == (
        "Mika\t120\t2026-03-02T10:00:00.000Z\t2\t\tis anybody there?\\nhello\n"
        "+49 151 23456789\t\t2026-03-02T10:00:00.000Z\t2\t\tYou're welcome\n"
        "Yuki\t600\t\t0\t\t\n"
    )


def test_without_activity_the_list_is_one_request(smscli: Smscli, server: FakeServer) -> None:
    smscli("list", server=server)
    assert len(server.requests) == 1
    smscli("list", "--customer", "mika", "--activity", server=server)
    # The list again, and a log to its end: those that the filter leaves out are not read.
    assert [target.rpartition("/")[2] for _, target, _ in [*server.requests][1:]] == [
        "smsessions?fields=*",
        "messages?startIndex=1&count=500",
        "messages?startIndex=3",
    ]


@pytest.mark.slow
def test_one_session_that_cannot_be_read_is_one_notice(smscli: Smscli, server: FakeServer) -> None:
    server.start_outage(60, "403", IDS[1])
    outcome = smscli("list", "--activity", "--json", server=server)
    assert outcome.code == 4
    assert [(one["id"], one["activity"] is None) for one in json.loads(outcome.out)] == [
        (IDS[0], False),
        (IDS[1], True),
        (IDS[2], False),
    ]
    (notice,) = [json.loads(line)["notice"] for line in outcome.err.splitlines()]
    assert (notice["kind"], notice["sessionId"]) == ("lost", IDS[1])
    assert notice["message"].startswith(f"session {IDS[1]} can't be read: ")
    rows = smscli("list", "--activity", server=server).out.splitlines()
    assert rows[1] == f"{IDS[1]}\tChatting\t+49 151 23456789\tRobin\t2026-03-02T09:56:40.000Z\t\t\t"


def test_a_session_that_has_ended_meanwhile_is_left_out(server: FakeServer) -> None:
    terminal = CapturedTerminal()
    environ = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    app = AppContext(environ, json_stderr=False, terminal=terminal)
    ids = (IDS[0], "0000Na9B26EF0009", IDS[1])
    sessions = [SharedSession(((app, Session(one)),)) for one in ids]
    app.client.sessions()
    reads, failure = report_unread(read_logs(app, sessions, SessionReader))
    app.close()
    assert [one.session.id for one in reads] == [IDS[0], IDS[1]]
    assert (failure, terminal.err_text) == (None, "")


def test_redact_masks_names_and_words_and_sorts_by_what_was_said(smscli: Smscli, server: FakeServer) -> None:
    server.store.say(IDS[1], "call 0151 1234567")
    assert smscli("list", "--redact", "--columns", "customer,lastMessage", server=server).out == (
        "Mika\tis anybody there?\\nhello\n+** *** ******89\tcall **** *****67\nYuki\t\n"
    )


@pytest.mark.slow
def test_of_sessions_that_can_not_be_read_nothing_is_concluded(smscli: Smscli, server: FakeServer) -> None:
    server.fail_next("403", "/messages", times=99)
    outcome = smscli("list", "--waiting", "1m", server=server)
    assert (outcome.code, outcome.out) == (4, "")
    assert all("can't be read" in line for line in outcome.err.splitlines())
    assert len(outcome.err.splitlines()) == 3
