"""Finding the line that matters: filters, marks, times, columns, order, and errors that teach."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli
from tests.support.on_terminal import OnTerminal

ID, OTHER = "0000Na9B26EF0001", "0000Na9B26EF0002"
NOW = 1772445600.0  # 2026-03-02T10:00:00Z
SAID = [
    (0, "Mika", "the parcel is late"),
    (60, "Robin", "which parcel?"),
    (120, "Mika", "number 4711"),
    (180, "Robin", "I see it in the depot"),
    (240, "Mika", "at last"),
]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """One session of five lines, a minute apart, the last one at 09:59; and a second, invited one."""
    time = [NOW - 300]
    with FakeServer(Options(scene="empty"), clock=lambda: time[0]) as server:
        data = {"Queue": "post", "Order No.": "4711"}
        server.store.add_session(ID, customer="Mika", agents=("Robin",), user_data=data)
        server.store.add_session(
            OTHER, state="Invited", customer="Noor", agents=(), user_data={"Queue": "bank"}
        )
        for after, who, text in SAID:
            time[0] = NOW - 300 + after
            server.store.say(ID, text, by=who)
        time[0] = NOW
        yield server


def texts(out: str) -> list[str]:
    return [line.split("\t")[7] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--grep", "parcel"], [0, 1]),
        (["--grep", "PARCEL"], []),
        (["--grep", "(?i)PARCEL", "--exclude", r"\?"], [0]),
        (["--from", "customer"], [0, 2, 4]),
        (["--from", "robin"], [1, 3]),
        (["--from", "robin", "--from", "Mika"], [0, 1, 2, 3, 4]),
        (["--type", "text", "--last", "2"], [3, 4]),
        (["--type", "PushUrl"], []),
        (["--grep", "4711", "--context", "1"], [1, 2, 3]),
        (["--grep", "parcel", "--last", "1"], [1]),
        (["--since", "2026-03-02T09:57:00Z"], [2, 3, 4]),
        (["--since", "2026-03-02T10:57:00", "--tz", "Europe/Berlin"], [2, 3, 4]),
        (["--until", "2026-03-02T09:56:00Z"], [0, 1]),
        (["--since", "2026-03-02T09:56:00Z", "--until", "2026-03-02T09:58:00Z"], [1, 2, 3]),
        (["--highlight", "parcel"], [0, 1, 2, 3, 4]),
    ],
)
def test_only_what_is_wanted_is_shown(
    smscli: Smscli, server: FakeServer, options: list[str], shown: list[int]
) -> None:
    outcome = smscli("messages", ID, *options, server=server)
    assert (outcome.code, texts(outcome.out)) == (0, [SAID[number][2] for number in shown])


def test_a_match_is_marked_by_more_than_colour_and_left_out_lines_are_told(
    smscli: Smscli, server: FakeServer
) -> None:
    options = ["--grep", "late|last", "--context", "1", "--utc"]
    outcome = smscli("messages", ID, *options, server=server, tty=True, color="never")
    assert outcome.out == (
        "─ Mon 2026-03-02, times are UTC ─\n"
        "09:55:00  ▶ Mika            the parcel is ⟦late⟧\n"
        "09:56:00  ◆ Robin           which parcel?\n"
        "--\n"
        "09:58:00  ◆ Robin           I see it in the depot\n"
        "09:59:00  ▶ Mika            at ⟦last⟧\n"
    )


def test_times_are_shown_in_the_zone_asked_for(smscli: Smscli, server: FakeServer) -> None:
    options = ["--last", "1", "--tz", "Asia/Kathmandu"]
    outcome = smscli("messages", ID, *options, server=server, tty=True, color="never")
    assert outcome.out == ("─ Mon 2026-03-02, times are UTC+05:45 ─\n15:44:00  ▶ Mika            at last\n")


def test_tail_filters_history_and_news_alike(smscli: Smscli, server: FakeServer) -> None:
    server.store.set_state(ID, "Completed")
    tail = ["tail", ID, "--push", "off", "--interval", "0.1", "--json"]
    outcome = smscli(*tail, "--grep", "parcel", server=server)
    assert [json.loads(line)["text"] for line in outcome.out.splitlines()] == [SAID[0][2], SAID[1][2]]
    outcome = smscli(*tail, "--from", "agent", "--last", "1", server=server)
    assert [json.loads(line)["text"] for line in outcome.out.splitlines()] == [SAID[3][2]]


def typing(server: FakeServer, *words: str) -> None:
    sender = {"type": "Customer", "nickname": "Mika", "participantId": "0090000000000001"}
    for word in words:
        message = {"type": "TypingStarted", "from": sender, "text": word, "visibility": "All"}
        server.store.append(ID, message)


@pytest.mark.parametrize(
    ("mode", "types"),
    [
        (None, ["Text"] * 5 + ["TypingStarted"]),
        ("fold", ["Text"] * 5 + ["TypingStarted"]),
        ("show", ["Text"] * 5 + ["TypingStarted", "TypingStarted"]),
        ("hide", ["Text"] * 5),
    ],
)
def test_typing_is_shown_as_asked_in_a_pipe(
    smscli: Smscli, server: FakeServer, mode: str | None, types: list[str]
) -> None:
    typing(server, "I", "I am")
    outcome = smscli("messages", ID, *(["--typing", mode] if mode else []), server=server)
    assert [line.split("\t")[3] for line in outcome.out.splitlines()] == types


def test_folded_json_has_composing_time_and_drafts(smscli: Smscli, server: FakeServer) -> None:
    typing(server, "I", "I am")
    outcome = smscli("messages", ID, "--jsonl", "--typing", "fold", "--last", "2", server=server)
    said, draft = (json.loads(line) for line in outcome.out.splitlines())
    assert (said["text"], said["composingSeconds"], "draft" in said) == ("at last", None, False)
    assert (draft["type"], draft["text"], draft["draft"]) == ("TypingStarted", "I am", "typing")


def rows(out: str) -> list[list[str]]:
    return [line.split("\t") for line in out.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--columns", "id,userData.Queue"], [[ID, "post"], [OTHER, "bank"]]),
        (["--columns", "id", "--sort", "customer"], [[ID], [OTHER]]),
        (["--columns", "id", "--sort", "-customer"], [[OTHER], [ID]]),
        (["--columns", "id", "--sort", "userData.Queue"], [[OTHER], [ID]]),
        (["--columns", "id", "--sort", "-userData.Order No."], [[ID], [OTHER]]),
        (["--columns", "id", "--state", "invited"], [[OTHER]]),
        (["--columns", "id", "--state", "Invited", "--state", "Chatting"], [[ID], [OTHER]]),
        (["--columns", "customer", "--customer", "IK"], [["Mika"]]),
    ],
)
def test_a_list_is_filtered_ordered_and_cut_to_columns(
    smscli: Smscli, server: FakeServer, options: list[str], expected: list[list[str]]
) -> None:
    outcome = smscli("list", *options, server=server)
    assert (outcome.code, rows(outcome.out)) == (0, expected)


def test_columns_leave_json_alone_and_sort_orders_it(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", "--json", "--columns", "id", "--sort", "-id", server=server)
    found = json.loads(outcome.out)
    assert [one["id"] for one in found] == [OTHER, ID]
    assert found[1]["userData"] == {"Queue": "post", "Order No.": "4711"}


def test_a_list_without_the_sessions_asked_for_says_so(smscli: Smscli, server: FakeServer) -> None:
    outcome = smscli("list", "--customer", "nobody", server=server)
    told = "none of the 2 live SMS sessions matches the filters\n"
    assert (outcome.code, outcome.out, outcome.err) == (0, "", told)


def unknown(what: str, name: str, nearest: str) -> str:
    return f"error: there is no {what} {name!r}\nhint: did you mean {nearest!r}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list", "--columns", "id,custmer"], unknown("column", "custmer", "customer")),
        (["list", "--sort", "sate"], unknown("column", "sate", "state")),
        (["list", "--state", "Chat-ing"], unknown("state", "Chat-ing", "Chatting")),
        (["list", "--tz", "Europe/Berln"], unknown("zone", "Europe/Berln", "Europe/Berlin")),
        (["list", "--utc", "--tz", "UTC"], "error: --utc and --tz exclude each other\n"),
        (["messages", ID, "--type", "Text?"], unknown("type", "Text?", "Text")),
        (["messages", ID, "--grep", "("], "error: --grep is not a regular expression: "),
        (["messages", ID, "--since", "2999-01-01"], "error: --since 2999-01-01 is in the future\n"),
        (["messages", ID, "--since", "soon"], "error: --since takes 90s, 5m, 2h30m, 09:00, today"),
        (["messages", ID, "--typing", "off"], "error: --typing takes fold, show or hide, not 'off'\n"),
        (["messages", ID, "--grep", "x", "--context", "-1"], "error: --context takes a number from 0 to "),
        (["messages", ID, "--context", "2"], "error: --context requires --grep\n"),
        (["messages", ID, "-i"], "error: --ignore-case requires --grep, --exclude or --highlight\n"),
        (["messages", ID, "--wide", "--html", "f"], "error: --html can't be combined with --wide\n"),
        (["messages", ID, "--context", "0", "--exclude", "x"], "error: --context requires --grep\n"),
        (["tail", ID, "--context", "1", "--highlight", "x"], "error: --context requires --grep\n"),
        (["messages", "@"], "error: a file name is empty\n"),
        (["messages", "@", ID, "--since", "5m"], "error: a file name is empty\n"),
        (["messages", "--source", ""], "error: a file name is empty\n"),
        (["messages", ID, "--html", ""], "error: a file name is empty\n"),
        (["tail", ID, "--record", ""], "error: a file name is empty\n"),
        (["list", "--ca-bundle", ""], "error: a file name is empty\n"),
        (["list", "--client-cert", ""], "error: a file name is empty\n"),
        (["tail", ID, "--push", "on"], "error: --push takes auto or off, not 'on'\n"),
    ],
)
def test_an_error_teaches_before_any_request(
    smscli: Smscli, server: FakeServer, arguments: list[str], told: str
) -> None:
    outcome = smscli(*arguments, server=server)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(told)
    assert len(outcome.err.splitlines()) <= 2
    assert list(server.requests) == []


@pytest.mark.slow
def test_a_search_that_times_out_shows_the_text_and_says_so_once(smscli: Smscli, server: FakeServer) -> None:
    for _ in range(2):
        server.store.say(ID, "a" * 60 + "b", by="Mika")
    outcome = smscli("messages", ID, "--grep", "(a|aa)+$", "--json", server=server)
    assert outcome.code == 0
    assert [one["text"] for one in json.loads(outcome.out)] == ["a" * 60 + "b"] * 2
    told = "--grep takes more than 1 s for a text; such texts are shown as without --grep"
    (notice,) = [json.loads(line)["notice"] for line in outcome.err.splitlines()]
    assert (notice["kind"], notice["sessionId"], notice["message"]) == ("skipped", None, told)


def test_case_is_ignored_where_asked_for(smscli: Smscli, server: FakeServer) -> None:
    server.store.say(ID, "A PARCEL, a parcel", by="Mika")
    outcome = smscli("messages", ID, "-i", "--grep", "a parcel, A", "--json", "--last", "1", server=server)
    assert [one["text"] for one in json.loads(outcome.out)] == ["A PARCEL, a parcel"]


def test_what_was_learned_of_a_server_is_kept(smscli: Smscli, home: dict[str, str]) -> None:
    state = Path(home["HOME"], ".local", "state", "smscli", "state.json")
    with FakeServer(Options(scene="empty", spelling="double")) as server:
        assert smscli("list", server=server).code == 0
        assert json.loads(state.read_text()) == {server.url: {"spelling": "smssessions"}}
        server.requests.clear()
        assert smscli("list", server=server).code == 0
        paths = [path for _, path, _ in server.requests]
    assert paths == ["/api/v2/me/smssessions?fields=*"]


def test_a_broken_state_file_is_ignored_and_told_with_debug(
    smscli: Smscli, server: FakeServer, home: dict[str, str]
) -> None:
    state = Path(home["HOME"], ".local", "state", "smscli", "state.json")
    state.parent.mkdir(parents=True)
    state.write_text("{")
    assert smscli("list", server=server).err == ""
    state.write_text("{")
    told = smscli("list", "--debug", server=server).err.splitlines()[0]
    assert told == f"debug: {state} is ignored: not a JSON object"


def test_a_customers_message_rings_and_typing_does_not(server: FakeServer, home: dict[str, str]) -> None:
    signed_in = {"SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    with OnTerminal("tail", ID, "--bell", "--interval", "0.1", environ={**home, **signed_in}) as seen:
        seen.until("● live")
        typing(server, "I am")
        seen.until("is typing: I am")
        server.store.say(ID, "an answer", by="Robin")
        seen.until("an answer")
        assert seen.bells == 0
        server.store.say(ID, "a question", by="Mika")
        seen.until("a question")
        server.store.say(ID, "a second answer", by="Robin")
        seen.until("a second answer")
        seen.press("\x03")
        assert seen.ended() == 130
        # Counted at the end: the bell comes after the text, which may be seen first.
        assert seen.bells == 1
