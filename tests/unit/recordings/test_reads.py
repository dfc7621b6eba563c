"""Recordings as a source: several files as one, each message once, in order."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.errors import LocalError, NotFound
from smscli.gws.decode import message_from_json
from smscli.model import Message, Participant, Session
from smscli.recordings.format import ConnectionRecord, EndedRecord, Record, SessionRecord, line_of
from smscli.recordings.index import Disconnection
from smscli.recordings.reads import RecordedReads

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIKA = {"type": "Customer", "nickname": "Mika", "participantId": "p1"}


def text(index: int | None, words: str = "hi", seconds: float | None = None, of: str = "S1") -> Message:
    moment = NOON + timedelta(seconds=(index or 0) if seconds is None else seconds)
    at = moment.strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    sent = {"index": index, "type": "Text", "from": MIKA, "text": words, "timestamp": at}
    return message_from_json(sent, of)


def write(path: Path, *records: Record, server: str | None = "gws:443") -> None:
    path.write_bytes(b"".join(line_of(one, server) for one in records))


def reads(*paths: Path | str) -> RecordedReads:
    return RecordedReads([str(one) for one in paths], pytest.fail)


def indices(source: RecordedReads, session_id: str = "S1") -> list[int | None]:
    return [one.index for page in source.messages(session_id) for one in page.messages]


LOG = [text(index, f"words {index}") for index in range(1, 13)]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6), st.randoms())
def test_any_split_of_a_log_into_overlapping_files_reads_as_the_log(
    cuts: list[tuple[int, int]], random: Random
) -> None:
    spans = [(0, 12), *cuts] if not cuts else [(0, max(cuts[0])), *cuts, (max(cuts[0]), 12)]
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (one, two) in enumerate(spans):
            part = LOG[min(one, two) : max(one, two)]
            path = Path(folder, f"{number}.jsonl")
            write(path, *part)
            paths.append(path)
        random.shuffle(paths)
        source = reads(*paths)
        assert [one for page in source.messages("S1") for one in page.messages] == LOG


def test_a_late_message_stands_where_it_belongs_when_files_overlap(tmp_path: Path) -> None:
    late = text(2)
    late.late = True
    write(tmp_path / "a", text(1), text(3), late)
    write(tmp_path / "b", text(2), text(3), text(4))
    assert indices(reads(tmp_path / "a", tmp_path / "b")) == [1, 2, 3, 4]


def test_a_log_that_was_renumbered_in_a_later_file_comes_behind(tmp_path: Path) -> None:
    write(tmp_path / "a", text(7), text(8))
    write(tmp_path / "b", text(1, seconds=60), text(2, seconds=61))
    assert indices(reads(tmp_path / "b", tmp_path / "a")) == [7, 8, 1, 2]


def test_a_session_has_its_last_state(tmp_path: Path) -> None:
    first = Session("S1", "Chatting", sent={"state": "Chatting"})
    last = Session("S1", "LeftChat", sent={"state": "LeftChat"})
    write(tmp_path / "b", SessionRecord(NOON + timedelta(1), last))
    write(tmp_path / "a", SessionRecord(NOON, first), text(1))
    listing = reads(tmp_path / "b", tmp_path / "a").sessions()
    assert [(one.id, one.state) for one in listing.sessions] == [("S1", "LeftChat")]
    assert listing.at == NOON + timedelta(1)


def test_of_one_file_the_last_line_tells_the_state_even_if_the_clock_went_back(tmp_path: Path) -> None:
    live, done = (Session("S1", state, sent={"state": state}) for state in ("Chatting", "Completed"))
    write(tmp_path / "a", SessionRecord(NOON, live), SessionRecord(NOON - timedelta(seconds=9), done))
    (session,) = reads(tmp_path / "a").sessions().sessions
    assert session.state == "Completed"


@pytest.mark.parametrize(("state", "shown"), [("Completed", "Completed"), (None, "Chatting")])
def test_a_session_that_has_ended_has_ended(tmp_path: Path, state: str | None, shown: str) -> None:
    live = Session("S1", "Chatting", sent={"state": "Chatting"})
    write(tmp_path / "a", SessionRecord(NOON, live), EndedRecord(NOON, "S1", state))
    (session,) = reads(tmp_path / "a").sessions().sessions
    assert (session.state, session.ended) == (shown, True)


def test_a_recording_of_messages_only_has_sessions_without_a_state(tmp_path: Path) -> None:
    write(tmp_path / "a", text(1), text(1, of="S2"), server=None)
    first, second = reads(tmp_path / "a").sessions().sessions
    assert (first.id, first.state, first.ended, second.id) == ("S1", None, False, "S2")
    assert first.participants == (Participant("Customer", "Mika", "p1"),)


def test_sessions_of_two_servers_are_two_sessions(tmp_path: Path) -> None:
    write(tmp_path / "a", text(1, "one"))
    write(tmp_path / "b", text(1, "two"), server="other:443")
    source = reads(tmp_path / "a", tmp_path / "b")
    names = [one.id for one in source.sessions().sessions]
    assert names == ["gws:443/S1", "other:443/S1"]
    said = [[one.text for page in source.messages(name) for one in page.messages] for name in names]
    assert said == [["one"], ["two"]]
    with pytest.raises(NotFound):
        indices(source)


def test_lines_of_an_older_version_belong_to_the_only_server(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(line_of(text(1)) + line_of(text(2), "gws:443"))
    assert indices(reads(path)) == [1, 2]


def test_patterns_are_expanded_and_sorted_by_name(tmp_path: Path) -> None:
    for day in (2, 1, 3):
        write(tmp_path / f"sms-{day}.jsonl", text(day))
    write(tmp_path / "other", text(9))
    assert indices(reads(tmp_path / "sms-?.jsonl")) == [1, 2, 3]
    with pytest.raises(LocalError, match=r"no file fits .*none-\*"):
        reads(tmp_path / "none-*")


def test_what_stands_before_a_broken_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(line_of(text(1)) + b"milk\n" + line_of(text(2)))
    found: list[int | None] = []
    with pytest.raises(LocalError, match="line 2 of .* is not a message"):
        found.extend(one.index for page in reads(path).messages("S1") for one in page.messages)
    with pytest.raises(LocalError):
        reads(path).sessions()


def test_a_broken_line_of_one_of_several_files_is_an_error_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(line_of(text(1)) + b"milk\n" + line_of(text(2)))
    write(tmp_path / "b", text(3))
    found: list[int | None] = []
    with pytest.raises(LocalError, match="line 2 of .* is not a message"):
        for page in reads(tmp_path / "a", tmp_path / "b").log(streamed=True):
            found += [one.index for one in page.messages]
    assert found == [1, 3]


def test_several_files_are_shown_session_by_session(tmp_path: Path) -> None:
    write(tmp_path / "a", text(1), text(1, of="S2"))
    write(tmp_path / "b", text(2), text(2, of="S2"))
    pages = reads(tmp_path / "a", tmp_path / "b").log(streamed=True)
    found = [(one.session_id, one.index) for page in pages for one in page.messages]
    assert found == [("S1", 1), ("S1", 2), ("S2", 1), ("S2", 2)]


def test_a_page_begins_at_its_index(tmp_path: Path) -> None:
    write(tmp_path / "a", *LOG)
    assert [one.index for one in reads(tmp_path / "a").page("S1", 5, 2).messages] == [5, 6]


class Log:
    """A reader that keeps what it is told: indices, and when the session had ended by then."""

    def __init__(self) -> None:
        self.told: list[int | str | None] = []

    def add(self, message: Message) -> None:
        self.told.append(message.index)

    def end(self, at: datetime | None, *, exact: bool) -> None:
        before = "" if exact else " or before"
        self.told.append(f"ended {at:%H:%M:%S}{before}" if at else "live")

    def mask(self) -> None:
        self.told.append("masked")


def replayed(*paths: Path) -> dict[str, list[int | str | None]]:
    return {one.session.id: one.reader.told for one in reads(*paths).replay(Log)}


def test_sessions_are_replayed_in_the_order_of_the_file(tmp_path: Path) -> None:
    live, done = Session("S1", "Chatting"), Session("S1", "Completed")
    write(
        tmp_path / "a",
        SessionRecord(NOON, live),
        text(1),
        text(1, of="S2"),
        SessionRecord(NOON + timedelta(seconds=5), done),
        text(2),
        EndedRecord(NOON + timedelta(seconds=9), "S1", "Completed"),
        text(2, of="S2"),
    )
    assert replayed(tmp_path / "a") == {
        "S1": ["live", 1, "ended 12:00:05", 2, "ended 12:00:05"],
        "S2": [1, 2],
    }


def test_only_named_sessions_are_replayed(tmp_path: Path) -> None:
    write(tmp_path / "a", text(1), text(1, of="S2"), text(2))
    found = reads(tmp_path / "a").replay(Log, {"S1"})
    assert [(one.session.id, one.reader.told) for one in found] == [("S1", [1, 2])]


def test_late_and_repeated_messages_are_replayed_at_their_place(tmp_path: Path) -> None:
    late = text(2)
    late.late = True
    write(tmp_path / "a", text(1), text(3), late, text(4), EndedRecord(NOON, "S1", "Completed"))
    assert replayed(tmp_path / "a") == {"S1": ["ended 12:00:00", 1, 2, 3, 4]}
    write(tmp_path / "b", text(3), text(4), text(5))
    assert replayed(tmp_path / "a", tmp_path / "b") == {"S1": ["ended 12:00:00", 1, 2, 3, 4, 5]}
    last = text(4)
    last.late = True
    write(tmp_path / "c", text(2), text(1), last)
    assert replayed(tmp_path / "c") == {"S1": [2, 1, 4]}


def test_a_live_session_has_not_ended_before(tmp_path: Path) -> None:
    live, done = Session("S1", "Chatting"), Session("S1", "Completed")
    records = [SessionRecord(NOON, done), SessionRecord(NOON + timedelta(seconds=1), live)]
    write(tmp_path / "a", *records)
    assert replayed(tmp_path / "a") == {"S1": ["ended 12:00:00 or before", "live"]}


def test_a_session_that_is_gone_may_have_ended_before(tmp_path: Path) -> None:
    write(tmp_path / "a", SessionRecord(NOON, Session("S1", "Chatting")), EndedRecord(NOON, "S1", None))
    assert replayed(tmp_path / "a") == {"S1": ["live", "ended 12:00:00 or before"]}


def test_a_replay_knows_that_it_is_masked(tmp_path: Path) -> None:
    records = [SessionRecord(NOON, Session("S1", "Chatting")), text(1)]
    (tmp_path / "a").write_bytes(b"".join(line_of(one, "gws:443", masked=True) for one in records))
    assert replayed(tmp_path / "a") == {"S1": ["masked", "live", "masked", 1]}


def test_what_has_no_place_in_the_order_is_replayed_once(tmp_path: Path) -> None:
    write(tmp_path / "a", text(1), text(-1, "saved", 9), text(2))
    write(tmp_path / "b", text(-1, "saved", 9), text(3))
    assert replayed(tmp_path / "a") == {"S1": [1, -1, 2]}
    assert replayed(tmp_path / "a", tmp_path / "b") == {"S1": [-1, 1, 2, 3]}


def test_a_replay_knows_what_is_recorded_of_a_session(tmp_path: Path) -> None:
    def after(seconds: float) -> datetime:
        return NOON + timedelta(seconds=seconds)

    write(
        tmp_path / "a",
        SessionRecord(after(0), Session("S1", "Chatting")),
        ConnectionRecord(after(10), "reconnected", "reconnected"),
        ConnectionRecord(after(20), "lost", "connection lost"),
        ConnectionRecord(after(21), "lost", "connection lost"),
        EndedRecord(after(25), "S1", None),
        ConnectionRecord(after(30), "reconnected", "reconnected, 2 late"),
        text(1, seconds=40, of="S2"),
        ConnectionRecord(after(50), "lost", "connection lost"),
    )
    write(tmp_path / "b", text(1, seconds=1, of="S3"), server="other:443")
    first = Disconnection("gws:443", after(20), after(30), "reconnected, 2 late", frozenset({0}))
    last = Disconnection("gws:443", after(50), sources=frozenset({0}))
    found = reads(tmp_path / "a", tmp_path / "b").replay(Log)
    assert [(one.session, one.has_state, one.disconnections) for one in found] == [
        (Session("S1", "Chatting", gone=True), True, [first]),
        (Session("S2", participants=(Participant("Customer", "Mika", "p1"),)), False, [last]),
        (Session("S3", participants=(Participant("Customer", "Mika", "p1"),)), False, []),
    ]


def test_disconnections_belong_to_their_recorder(tmp_path: Path) -> None:
    def after(seconds: float) -> datetime:
        return NOON + timedelta(seconds=seconds)

    lost, back = (
        ConnectionRecord(after(10), "lost", "lost"),
        ConnectionRecord(after(20), "reconnected", "back"),
    )
    write(tmp_path / "1", text(1, seconds=1), lost)
    write(tmp_path / "2", back, text(2, seconds=30))
    write(tmp_path / "3", text(1, seconds=1, of="S2"), text(2, seconds=30, of="S2"))
    found = reads(tmp_path / "3", tmp_path / "2", tmp_path / "1").replay(Log)
    both = Disconnection("gws:443", after(10), after(20), "back", frozenset({1, 2}))
    assert {one.session.id: one.disconnections for one in found} == {"S1": [both], "S2": []}


def test_a_line_that_cannot_be_read_ends_a_replay(tmp_path: Path) -> None:
    write(tmp_path / "a", text(1))
    with (tmp_path / "a").open("a") as file:
        file.write("nothing\n")
    with pytest.raises(LocalError, match="line 2 of .* is not a message"):
        reads(tmp_path / "a").replay(Log)
