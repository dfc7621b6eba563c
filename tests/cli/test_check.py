"""`check` as whole commands: live, of recordings, in every format; findings on a page and in `show`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

START = 1772445600.0  # 2026-03-02T10:00:00Z
MIKA, NOOR = "0000Na9B26EF0001", "0000Na9B26EF0002"
# Sessions of the demo.
TONI, INES, NOOR_OF_DEMO = "0000Na9C009E6UOL", "0000Na9C00RNNF4Z", "0000Na9C00I9GKGE"
CHECKS = [
    *("waiting", "agent", "whisper", "ending", "state", "typing", "duplicates", "order", "gaps"),
    *("encoding", "parts", "links", "connection"),
]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A question of three minutes ago whose answer went to agents only, and an answered one."""
    now = [START]
    with FakeServer(Options(scene="empty"), clock=lambda: now[0]) as server:
        server.store.add_session(MIKA, age=300, customer="Mika")
        server.store.say(MIKA, "Hello", by="Robin")
        server.store.say(MIKA, "my number is 0163 2960000, cafÃ© order", by="Mika")
        now[0] += 60
        server.store.say(MIKA, "which cafe?", by="Robin", visibility="Agents")
        server.store.add_session(NOOR, age=200, customer="Noor")
        server.store.say(NOOR, "thanks")
        server.store.say(NOOR, "You're welcome", by="Robin")
        now[0] += 120
        yield server


def rows(out: str) -> list[tuple[str, ...]]:
    """Session, check, result and index of each row that is not `ok`."""
    cells = [line.split("\t") for line in out.splitlines()]
    assert all(len(row) == 7 for row in cells)
    return [(row[0], row[1], row[2], row[3]) for row in cells if row[2] != "ok"]


def test_on_a_terminal_problems_stand_under_their_session(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("check", "--all", "--utc", tty=True, server=server, color="never")
    assert (outcome.code, outcome.out, outcome.err) == (
        0,
        f"session {MIKA} (Mika), Chatting, times are UTC\n"
        "warn  waiting     last word is the customer's, not answered for 3 min: Mika\n"
        "                  (index 2, 10:00:00)\n"
        "                  hint: answer the customer\n"
        "warn  whisper     a customer waits, and the last text of Robin went to agents\n"
        "                  only (index 3, 10:01:00)\n"
        "                  hint: send the answer to the customer too\n"
        "warn  encoding    Mika: this looks like UTF-8 read in another encoding: Ã© for é\n"
        "                  (index 2, 10:00:00)\n"
        "                  hint: check the character encoding between the SMS driver and\n"
        "                  the server\n"
        "10 checks ok\n"
        "\n"
        f"session {NOOR} (Noor), Chatting, times are UTC\n"
        "13 checks ok\n",
        "",
    )


def test_verbose_shows_what_is_ok_too(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("check", "-v", "Noor", tty=True, server=server, color="never")
    assert (outcome.code, outcome.out, outcome.err) == (
        0,
        f"session {NOOR} (Noor), Chatting, times are UTC\n"
        "ok    waiting     no customer waits\n"
        "ok    agent       an agent is present\n"
        "ok    whisper     no customer waits for an answer that went to agents only\n"
        "ok    ending      not ended\n"
        "ok    state       nothing contradicts the state\n"
        "ok    typing      no participant has been typing for over 10 min\n"
        "ok    duplicates  no text was repeated within 30 s\n"
        "ok    order       the times are in the order of the indices\n"
        "ok    gaps        no index is missing\n"
        "ok    encoding    no sign of damaged characters\n"
        "ok    parts       every text of an agent is one SMS\n"
        "ok    links       no incomplete or private address\n"
        "ok    connection  the log was read to its end\n"
        "13 checks ok\n",
        f"Noor is session {NOOR} (Noor)\n",
    )


def test_a_pipe_has_every_check(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("check", "--waiting", "2m", MIKA, server=server)
    lines = outcome.out.splitlines()
    assert (outcome.code, outcome.err, [line.split("\t")[1] for line in lines]) == (6, "", CHECKS)
    assert lines[0] == (
        f"{MIKA}\twaiting\tfail\t2\t2026-03-02T10:00:00.000Z\t"
        "last word is the customer's, not answered for 3 min: Mika\tanswer the customer"
    )
    assert lines[1] == f"{MIKA}\tagent\tok\t\t\tan agent is present\t"


def test_json_has_every_check(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("check", NOOR, MIKA, "--json", server=server)
    found = json.loads(outcome.out)
    assert outcome.code == 0
    assert [(one["sessionId"], one["check"]) for one in found] == [
        (session, check) for session in (NOOR, MIKA) for check in CHECKS
    ]
    assert found[13] == {
        "sessionId": MIKA,
        "check": "waiting",
        "result": "warn",
        "index": 2,
        "timestamp": "2026-03-02T10:00:00.000Z",
        "finding": "last word is the customer's, not answered for 3 min: Mika",
        "hint": "answer the customer",
    }
    assert found[0] == {
        "sessionId": NOOR,
        "check": "waiting",
        "result": "ok",
        "index": None,
        "timestamp": None,
        "finding": "no customer waits",
        "hint": None,
    }
    lines = smscli("check", NOOR, MIKA, "--jsonl", server=server).out.splitlines()
    assert [json.loads(line) for line in lines] == found


def test_a_session_is_read_once(smscli: Smscli, server: FakeServer) -> None:
    smscli("check", MIKA, server=server)
    assert [target.rpartition("/")[2] for _, target, _ in server.requests] == [
        "smsessions?fields=*",
        "messages?startIndex=1&count=500",
        "messages?startIndex=4",
    ]


def test_what_people_wrote_is_masked_after_it_was_judged(smscli: Smscli, server: FakeServer) -> None:
    server.store.add_session("0000Na9B26EF0003", customer="+44 1632 960000")
    server.store.append(
        "0000Na9B26EF0003",
        {
            "type": "PushUrl",
            "from": server.store.participant("0000Na9B26EF0003", "Agent"),
            "url": "www.example.com/01632960000",
        },
    )
    outcome = smscli("check", "0000Na9B26EF0003", "--redact", "--utc", tty=True, server=server, color="never")
    assert (outcome.code, outcome.out) == (
        0,
        "session 0000Na9B26EF0003 (+** **** ****00), Chatting, times are UTC\n"
        "warn  links       Robin sent an address without a scheme:\n"
        "                  www.example.com/*********00 (index 1, 10:03:00)\n"
        "                  hint: send the link again, complete and public\n"
        "12 checks ok\n",
    )


@pytest.mark.slow
def test_one_of_many_that_cannot_be_read_fails(smscli: Smscli, server: FakeServer) -> None:
    server.start_outage(60, "403", MIKA)
    outcome = smscli("check", "--all", "--json", server=server)
    first, *others = json.loads(outcome.out)
    assert outcome.code == 6
    assert {key: first[key] for key in ("sessionId", "check", "result", "index", "hint")} == {
        "sessionId": MIKA,
        "check": "connection",
        "result": "fail",
        "index": None,
        "hint": "see `smscli doctor`",
    }
    assert first["finding"].startswith("the session can't be read: ")
    assert [one["sessionId"] for one in others] == [NOOR] * 13
    (notice,) = [json.loads(line)["notice"] for line in outcome.err.splitlines()]
    assert (notice["kind"], notice["sessionId"]) == ("lost", MIKA)


@pytest.mark.slow
def test_the_only_one_that_cannot_be_read_is_an_error(smscli: Smscli, server: FakeServer) -> None:
    server.start_outage(60, "403", MIKA)
    outcome = smscli("check", MIKA, server=server)
    assert (outcome.code, outcome.out) == (4, "")
    assert outcome.err.startswith("error: ")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("", "check takes the ids of sessions, or --all"),
        ("Mika --all", "check takes ids or --all, not both"),
        ("--all --json --jsonl", "--json and --jsonl exclude each other"),
        ("--all --waiting soon", "--waiting takes a duration such as 90s, 5m, 2h30m or 1d, not 'soon'"),
    ],
)
def test_wrong_usage_is_refused_before_any_request(
    words: str, error: str, smscli: Smscli, server: FakeServer
) -> None:
    outcome = smscli("check", *words.split(), server=server)
    assert (outcome.code, outcome.out, [*server.requests]) == (2, "", [])
    assert error in outcome.err


def test_no_such_session(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("check", "Nora", server=server)
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err.startswith("error: no such session: Nora\n")


def test_without_sessions_there_is_nothing_to_find(smscli: Smscli, server: FakeServer) -> None:
    server.store.sessions.clear()
    outcome = smscli("check", "--all", "--json", server=server)
    assert (outcome.code, outcome.out) == (0, "[]\n")
    assert "no live SMS sessions for demo at 127.0.0.1" in outcome.err


# recordings


def record(smscli: Smscli, server: FakeServer, file: Path) -> None:
    """Record both sessions to their end."""
    for session_id in (MIKA, NOOR):
        server.store.set_state(session_id, "Completed")
    words = ["--interval", "0.1", "--push", "off", "--last", "0", "--record", str(file)]
    assert smscli("tail", MIKA, NOOR, *words, server=server).code == 0


def test_a_recording_is_checked_whole(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "sms.jsonl"
    record(smscli, server, file)
    everything = smscli("check", f"@{file}")
    assert (everything.code, everything.err) == (0, "")
    assert rows(everything.out) == [(MIKA, "encoding", "warn", "2")]
    assert len(everything.out.splitlines()) == 26
    assert smscli("check", f"@{file}", "--all").out == everything.out
    assert smscli("check", f"@{file}", "Noor").out == "".join(everything.out.splitlines(True)[13:])
    assert [line.split("\t")[5] for line in everything.out.splitlines()[3:4]] == ["ended (Completed)"]


def test_masked_recordings_and_their_user_data(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    server.store.update(NOOR, userData={"IsOnline": "false"})
    words = ["--interval", "0.1", "--push", "off", "--last", "0", "--record"]
    plain, masked = tmp_path / "plain", tmp_path / "masked"
    # A live session is written down when it is met; the recorder ends with the other session.
    for file, redact in ((plain, ()), (masked, ("--redact",))):
        server.store.set_state(MIKA, "Completed")
        assert smscli("tail", MIKA, *words, str(file), *redact, server=server).code == 0
        session = f'{{"id":"{NOOR}","state":"Chatting","userData":{{"IsOnline":"false"}}}}'
        mark = ',"masked":true' if redact else ""
        with file.open("a") as log:
            log.write(f'{{"record":"session","at":"2026-03-02T10:03:00Z","session":{session}{mark}}}\n')
    assert rows(smscli("check", f"@{plain}", NOOR).out) == [(NOOR, "state", "warn", "")]
    assert rows(smscli("check", f"@{masked}", NOOR).out) == []


def test_the_documented_sample_is_clean_as_a_recording_and_waits_live(smscli: Smscli, tmp_path: Path) -> None:
    with FakeServer() as server:
        live = smscli("--user", "sample", "check", "--all", server=server)
        words = ("--user", "sample", "messages", "0000Na9B26EF002G", "--jsonl")
        exported = smscli(*words, server=server)
    assert (live.code, rows(live.out)) == (6, [("0000Na9B26EF002G", "waiting", "fail", "4")])
    file = tmp_path / "sample.jsonl"
    file.write_text(exported.out)
    outcome = smscli("check", f"@{file}")
    assert (outcome.code, rows(outcome.out), len(outcome.out.splitlines())) == (0, [], 13)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # Toni's last question is open when the demo begins; the others are answered, or just received.
        (0, [(TONI, "waiting", "warn", "last word is the customer's, not answered for 4 min 22 s: Toni")]),
        (30, []),
        # Ines has left; the session is completed some seconds later.
        (50, [(INES, "state", "warn", "Chatting, though every customer has left")]),
        # Noor asked, and the agents confer before they answer.
        (
            70,
            [
                (
                    *(NOOR_OF_DEMO, "whisper", "warn"),
                    "a customer waits, and the last text of Sasha went to agents only",
                )
            ],
        ),
    ],
)
def test_the_demo_has_the_findings_that_are_true(
    seconds: int, expected: list[tuple[str, ...]], smscli: Smscli
) -> None:
    now = [START]
    with FakeServer(clock=lambda: now[0]) as server:
        now[0] += seconds
        outcome = smscli("check", "--all", "--json", server=server)
    found = [one for one in json.loads(outcome.out) if one["result"] != "ok"]
    assert outcome.code == 0
    assert [(one["sessionId"], one["check"], one["result"], one["finding"]) for one in found] == expected


# a page, and one session


def test_a_page_has_the_findings_above_the_transcript(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    page = smscli("messages", MIKA, "--html", "-", "--utc", "--last", "1", server=server).out
    section = page[page.index('<section class="findings">') : page.index('<section class="log">')]
    assert section == (
        '<section class="findings">\n<h2>findings</h2>\n'
        '<p class="warn"><b>warn</b> waiting: last word is the customer\'s, not answered for 3 min: Mika'
        " (index 2, 2026-03-02 10:00:00 UTC)</p>\n"
        '<p class="hint">hint: answer the customer</p>\n'
        '<p class="warn"><b>warn</b> whisper: a customer waits, and the last text of Robin went to agents'
        " only (index 3, 2026-03-02 10:01:00 UTC)</p>\n"
        '<p class="hint">hint: send the answer to the customer too</p>\n'
        '<p class="warn"><b>warn</b> encoding: Mika: this looks like UTF-8 read in another encoding: Ã© for é'
        " (index 2, 2026-03-02 10:00:00 UTC)</p>\n"
        '<p class="hint">hint: check the character encoding between the SMS driver and the server</p>\n'
        "<p>10 checks ok</p>\n</section>\n"
    )
    assert len(server.requests) == 3  # the log to its end, and the list


def test_a_page_for_a_customer_or_of_a_window_has_no_findings(smscli: Smscli, server: FakeServer) -> None:
    for more in (["--customer-view"], ["--start-index", "2"]):
        assert (
            "findings"
            not in smscli("messages", MIKA, "--html", "-", *more, server=server).out.split("</style>")[1]
        )


def test_a_page_of_a_recording_names_each_session(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "sms.jsonl"
    record(smscli, server, file)
    page = smscli("messages", f"@{file}", "--html", "-", "--redact").out
    section = page[page.index('<section class="findings">') : page.index('<section class="log">')]
    assert [line for line in section.splitlines() if "session " in line or " ok" in line] == [
        f'<p class="session"><b>session {MIKA}</b></p>',
        "<p>12 checks ok</p>",
        f'<p class="session"><b>session {NOOR}</b></p>',
        "<p>13 checks ok</p>",
    ]


def test_show_says_how_many_findings_there_are(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    shown = smscli("show", MIKA, tty=True, server=server, color="never").out
    assert f"  check         3 findings: smscli check {MIKA}\n" in shown
    assert "check" not in smscli("show", NOOR, tty=True, server=server, color="never").out
    assert "check" not in smscli("show", MIKA, server=server).out
    file = tmp_path / "sms.jsonl"
    record(smscli, server, file)
    recorded = smscli("show", f"@{file}", MIKA, tty=True, width=300, color="never").out
    assert f"  check         1 finding: smscli check @{file} {MIKA}\n" in recorded
