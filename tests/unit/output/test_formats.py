"""One class per output format: what each writes of the same results."""

from datetime import UTC, datetime

import pytest

from smscli.errors import UsageError
from smscli.model import Message, Participant, Session
from smscli.output.columns import ListedSession, SessionTable, parse_columns
from smscli.output.formats import Frame, OutputFormat, RecordWriter, output_format
from smscli.transcript.filters import SelectedEntry
from smscli.transcript.fold import Entry
from tests.support.captured_terminal import CapturedTerminal

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIKA = Participant("Customer", "Mika", "C1")
SESSIONS = [
    ListedSession(Session("S1", "Chatting", participants=(MIKA,))),
    ListedSession(Session("S2", "Invited")),
]
PROFILES = [
    {"name": "default", "url": "https://gws.example.com", "user": None, "default": True},
    {"name": "b", "url": None, "user": "maja", "default": False},
]
CHECKS = [
    {"check": "secret", "result": "ok", "finding": "from the\tkeyring", "hint": None},
    {"check": "push", "result": "warn", "finding": "no push", "hint": "see --interval"},
]


def form(name: str) -> tuple[OutputFormat, CapturedTerminal]:
    terminal = CapturedTerminal(tty=name == "terminal", color="never" if name == "terminal" else "auto")
    return output_format(terminal, json=name == "json", jsonl=name == "jsonl", zone=UTC), terminal


def said(text: str) -> SelectedEntry:
    message = Message("S1", 1, "Text", MIKA, "All", NOON, text, sent={"index": 1, "text": text})
    return SelectedEntry(Entry(message, 2.5))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tsv", "S1\tMika\nS2\t\n"),
        (
            "terminal",
            "id  customer\nS1  Mika\nS2\nmine\n",
        ),
        (
            "json",
            '[{"id":"S1","state":"Chatting","uri":null,"participants":[],"capabilities":[],"userData":{}},\n'
            '{"id":"S2","state":"Invited","uri":null,"participants":[],"capabilities":[],"userData":{}}]\n',
        ),
        (
            "jsonl",
            '{"id":"S1","state":"Chatting","uri":null,"participants":[],"capabilities":[],"userData":{}}\n'
            '{"id":"S2","state":"Invited","uri":null,"participants":[],"capabilities":[],"userData":{}}\n',
        ),
    ],
)
def test_a_session_list(name: str, text: str) -> None:
    assert form(name)[0].sessions(SessionTable(SESSIONS, parse_columns("id,customer"), "mine")) == text


@pytest.mark.parametrize(("name", "text"), [("tsv", ""), ("terminal", ""), ("json", "[]\n"), ("jsonl", "")])
def test_an_empty_list(name: str, text: str) -> None:
    assert form(name)[0].sessions(SessionTable([], parse_columns("id"), "mine")) == text
    assert form(name)[0].profiles([]) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tsv", "default\thttps://gws.example.com\t\tyes\nb\t\tmaja\t\n"),
        (
            "json",
            '[{"name":"default","url":"https://gws.example.com","user":null,"default":true},\n'
            '{"name":"b","url":null,"user":"maja","default":false}]\n',
        ),
    ],
)
def test_profiles(name: str, text: str) -> None:
    assert form(name)[0].profiles(PROFILES) == text


@pytest.mark.parametrize(
    ("name", "typing", "text"),
    [
        ("tsv", "fold", "2026-03-02T12:00:00.000Z\tS1\t1\tText\tCustomer\tMika\tAll\thello\t2.5\n"),
        (
            "terminal",
            "fold",
            "─ Mon 2026-03-02, times are UTC ─\n12:00:00  ▶ Mika            hello (typed 2 s)\n",
        ),
        (
            "jsonl",
            "show",
            '{"sessionId":"S1","key":"a6a07f39e9058d22ed29a7befaf544a4","index":1,"text":"hello",'
            '"from":null,"visibility":null,"type":"Text",'
            '"timestamp":"2026-03-02T12:00:00.000Z"}\n',
        ),
        (
            "json",
            "fold",
            '[{"sessionId":"S1","key":"a6a07f39e9058d22ed29a7befaf544a4","index":1,"text":"hello",'
            '"from":null,"visibility":null,"type":"Text",'
            '"timestamp":"2026-03-02T12:00:00.000Z","composingSeconds":2.5}]\n',
        ),
    ],
)
def test_entries(name: str, typing: str, text: str) -> None:
    chosen, terminal = form(name)
    with chosen.entries(typing) as writer:
        writer.write([said("hello")])
    assert terminal.out_text == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tsv", "secret\tok\tfrom the\\tkeyring\t\npush\twarn\tno push\tsee --interval\n"),
        (
            "json",
            '[{"check":"secret","result":"ok","finding":"from the\\tkeyring","hint":null},\n'
            '{"check":"push","result":"warn","finding":"no push","hint":"see --interval"}]\n',
        ),
    ],
)
def test_checks(name: str, text: str) -> None:
    chosen, terminal = form(name)
    with chosen.checks(["secret", "push"]) as writer:
        for check in CHECKS:
            writer.write([check])
    assert terminal.out_text == text


def test_typing_is_folded_for_people_and_shown_for_programs() -> None:
    assert {name: form(name)[0].typing for name in ("tsv", "terminal", "json", "jsonl")} == {
        "tsv": "fold",
        "terminal": "fold",
        "json": "show",
        "jsonl": "show",
    }


def test_json_and_jsonl_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--json and --jsonl exclude each other"):
        output_format(CapturedTerminal(), json=True, jsonl=True)


def test_an_array_is_closed_after_an_error() -> None:
    terminal = CapturedTerminal(tty=False)

    def fail(writer: RecordWriter[str]) -> None:
        with writer:
            writer.write(["1", "2"])
            writer.write([])
            writer.write(["3"])
            raise KeyError

    with pytest.raises(KeyError):
        fail(RecordWriter(terminal, str, Frame("[", ",", "]\n")))
    with RecordWriter(terminal, str, Frame("[", ",", "]\n")):
        pass
    assert terminal.out_text == "[1,2,3]\n[]\n"
