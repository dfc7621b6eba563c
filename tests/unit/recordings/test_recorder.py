"""What `tail --record` writes of a feed's events, and to which file."""

import errno
import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from smscli.errors import LocalError
from smscli.gws.decode import message_from_json, session_from_json
from smscli.model import (
    Event,
    Idle,
    Listing,
    ListRead,
    Message,
    NewMessages,
    Notice,
    Session,
    SessionEnded,
    SessionStarted,
)
from smscli.recordings.format import PositionRecord
from smscli.recordings.recorder import Recorder
from smscli.recordings.server import FollowedServer
from smscli.records import message_key

posix = pytest.mark.skipif(sys.platform == "win32", reason="on Windows an open file can't be moved")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIKA = {"type": "Customer", "nickname": "Mika", "participantId": "p1"}


class Stage:
    """A recorder with its clock, and what it said."""

    def __init__(self, name: Path | str, *, server: str = "gws:443", redact: bool = False) -> None:
        self.now = NOON
        self.said: list[str] = []
        self.recorder = Recorder(
            str(name),
            servers={server: FollowedServer(lambda: self.now)},
            redact=redact,
            notice=self.said.append,
            clock=lambda: self.now.timestamp(),
        )
        self.resumed = [one.record for one in self.recorder.resume()]
        self.server = server

    def play(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, Idle):
                self.recorder.sync()
            else:
                self.recorder.on_event(event, self.server)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def session(state: str = "Chatting", **more: Any) -> Session:
    return session_from_json({"id": "S1", "state": state, "participants": [MIKA], **more})


def text(index: int, words: str = "hi", seconds: float = 0, of: str = "S1") -> Message:
    at = (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    sent = {"index": index, "type": "Text", "from": MIKA, "text": words, "timestamp": at}
    return message_from_json(sent, of)


def news(*messages: Message) -> NewMessages:
    return NewMessages(messages[0].session_id, messages, NOON)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kinds(paths: Iterable[Path] | Path) -> list[str]:
    """The kind of each record, or the index of a message."""
    files = [paths] if isinstance(paths, Path) else paths
    return [str(one.get("record", one.get("index"))) for path in files for one in records(path)]


AT = "2026-03-02T12:00:00.000Z"


def test_each_change_of_a_session_its_end_and_lost_connections_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "sms.jsonl"
    stage = Stage(path)
    stage.play(
        ListRead(Listing((session(),), NOON)),
        SessionStarted(session(), announce=False),
        news(text(1)),
        ListRead(Listing((session(),), NOON)),
        ListRead(Listing((session(userData={"PIN": "1"}),), NOON)),
        Notice("lost", "connection lost, retrying"),
        Notice("lost", "session S1 can't be read", "S1"),
        Notice("reconnected", "reconnected"),
        ListRead(Listing((session("Completed"),), NOON)),
        SessionEnded("S1", "Completed"),
    )
    stage.recorder.close()
    server = {"server": "gws:443"}
    recorded = {"id": "S1", "participants": [MIKA], "uri": None, "capabilities": []}
    assert records(path) == [
        {
            "record": "session",
            "at": AT,
            "session": {**recorded, "state": "Chatting", "userData": {}},
            **server,
        },
        {
            "sessionId": "S1",
            "key": message_key(text(1)),
            "index": 1,
            "type": "Text",
            "from": MIKA,
            "visibility": None,
            "text": "hi",
            "timestamp": AT,
            **server,
        },
        {
            "record": "session",
            "at": AT,
            "session": {**recorded, "state": "Chatting", "userData": {"PIN": "1"}},
            **server,
        },
        {"record": "lost", "at": AT, "message": "connection lost, retrying", **server},
        {"record": "reconnected", "at": AT, "message": "reconnected", **server},
        {
            "record": "session",
            "at": AT,
            "session": {**recorded, "state": "Completed", "userData": {}},
            **server,
        },
        {"record": "ended", "at": AT, "sessionId": "S1", "state": "Completed", **server},
    ]
    assert stage.said == [f"recording to {path}, a new file"]


def test_sessions_that_are_not_followed_are_not_recorded(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms.jsonl")
    stage.play(ListRead(Listing((session(),), NOON)))
    stage.recorder.close()
    assert records(tmp_path / "sms.jsonl") == []


def test_with_redact_every_record_is_masked(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms.jsonl", redact=True)
    stage.play(SessionStarted(session()), news(text(1)), SessionEnded("S1", None))
    stage.recorder.close()
    assert [one["masked"] for one in records(tmp_path / "sms.jsonl")] == [True] * 3


def test_a_restart_records_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "sms.jsonl"
    for state in ("Chatting", "Chatting", "Completed", "Completed"):
        stage = Stage(path)
        ended = [SessionEnded("S1", state)] if state == "Completed" else []
        stage.play(SessionStarted(session(state)), *ended)
        stage.recorder.close()
    assert kinds(path) == ["session", "session", "ended"]
    assert stage.resumed == []


def test_a_session_that_ended_between_two_runs_has_ended(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    stage.play(SessionStarted(session()), news(text(1)), news(text(1, of="S2")))
    stage.recorder.close()
    again = Stage(tmp_path / "sms-%d.jsonl")
    gone = ListRead(Listing((), NOON))
    for seconds in (4, 0.5, 1, 1, 1):
        again.play(gone)
        again.later(seconds)
    assert records(tmp_path / "sms-02.jsonl")[3:] == [
        {
            "record": "ended",
            "at": "2026-03-02T12:00:05.500Z",
            "sessionId": "S1",
            "state": None,
            "server": "gws:443",
        }
    ]
    # Neither it nor S2, of which no state is known, is carried on for ever.
    again.later(86400)
    again.play(Idle(1.0))
    again.recorder.close()
    assert records(tmp_path / "sms-03.jsonl") == []


def test_a_run_for_each_file_carries_no_ended_sessions_on(tmp_path: Path) -> None:
    for day in range(3):
        stage = Stage(tmp_path / "sms-%d.jsonl")
        stage.later(day * 86400)
        stage.play(ListRead(Listing((), NOON)), news(text(1, of=f"S{day}")), SessionEnded(f"S{day}", None))
        stage.recorder.close()
    assert [kinds(tmp_path / f"sms-0{day}.jsonl") for day in (2, 3, 4)] == [["1", "ended"]] * 3


def test_a_session_that_is_missing_from_one_list_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "sms.jsonl"
    stage = Stage(path)
    stage.play(SessionStarted(session()))
    stage.recorder.close()
    again = Stage(path)
    for sessions in ((), (session(),), ()):
        again.play(ListRead(Listing(sessions, NOON)))
        again.later(4)
    again.recorder.close()
    assert kinds(path) == ["session"]


@pytest.mark.parametrize(
    ("state", "written"), [("Completed", ["position"]), ("Chatting", ["position", "session"])]
)
def test_of_a_session_that_had_ended_the_next_file_tells_only_if_it_is_live(
    tmp_path: Path, state: str, written: list[str]
) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    stage.play(SessionStarted(session("Completed")), news(text(1)), SessionEnded("S1", "Completed"))
    stage.later(86400)
    stage.play(Idle(1.0))
    stage.recorder.close()
    os.utime(tmp_path / "sms-02.jsonl", (0, 0))
    again = Stage(tmp_path / "sms-%d.jsonl")
    ended = [SessionEnded("S1", "Completed")] if state == "Completed" else []
    again.play(SessionStarted(session(state)), ListRead(Listing((session(state),), NOON)), *ended)
    again.recorder.close()
    assert kinds(tmp_path / "sms-02.jsonl")[3:] == written


def test_sessions_of_another_server_are_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "sms.jsonl"
    stage = Stage(path)
    stage.play(SessionStarted(session()), news(text(1)))
    stage.recorder.close()
    other = Stage(path, server="other:443")
    assert other.resumed == []
    other.play(SessionStarted(session()))
    other.recorder.close()
    assert [one["server"] for one in records(path)] == ["gws:443", "gws:443", "other:443"]


def test_sessions_of_another_server_are_carried_on_as_they_are(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    stage.play(SessionStarted(session()), news(text(1), text(4)))
    stage.recorder.close()
    other = Stage(tmp_path / "sms-%d.jsonl", server="other:443")
    other.later(86400)
    other.play(ListRead(Listing((), NOON)), ListRead(Listing((), NOON)))
    other.recorder.close()
    (tmp_path / "sms-02.jsonl").unlink()
    again = Stage(tmp_path / "sms-%d.jsonl")
    assert again.resumed == [position(4, (1, 4, NOON))]
    again.later(86400)
    again.play(ListRead(Listing((session(),), NOON)), SessionStarted(session()))
    again.recorder.close()
    assert [(one["record"], one["server"]) for one in records(tmp_path / "sms-03.jsonl")] == [
        ("session", "gws:443"),
        ("position", "gws:443"),
    ]


def position(order: int, *gaps: tuple[int, int, datetime | None], at: datetime = NOON) -> PositionRecord:
    return PositionRecord(at, "S1", order, message_key(text(order)), gaps)


@posix
@pytest.mark.parametrize("change", ["moved", "removed", "truncated", "created anew"])
def test_a_file_that_is_taken_away_is_begun_anew_with_the_state(tmp_path: Path, change: str) -> None:
    path, old = tmp_path / "sms.jsonl", tmp_path / "sms.jsonl.1"
    stage = Stage(path)
    stage.play(SessionStarted(session()), news(text(1), text(2)))
    if change == "truncated":
        os.truncate(path, 0)
    elif change == "removed":
        path.unlink()
    else:
        path.rename(old)
    if change == "created anew":
        path.touch()
    stage.play(Idle(1.0), news(text(3)))
    stage.recorder.close()
    assert kinds(path) == ["session", "position", "3"]
    assert records(path)[1] == {
        "record": "position",
        "at": AT,
        "sessionId": "S1",
        "index": 2,
        "key": message_key(text(2)),
        "gaps": [],
        "server": "gws:443",
    }
    again = Stage(path)
    assert again.resumed == [position(2), text(3)]
    again.recorder.close()


@posix
def test_a_moved_file_is_begun_anew_and_a_new_name_begun_without_an_event(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    stage.play(SessionStarted(session()), news(text(1)))
    (tmp_path / "sms-02.jsonl").rename(tmp_path / "sms-02.jsonl.1")
    stage.recorder.write()
    assert kinds(tmp_path / "sms-02.jsonl") == ["session", "position"]
    stage.later(86400)
    stage.recorder.write()
    assert kinds(tmp_path / "sms-03.jsonl") == ["session", "position"]
    stage.recorder.close()


@posix
def test_a_missing_file_goes_on_from_the_newest_that_was_moved(tmp_path: Path) -> None:
    path, old = tmp_path / "sms.jsonl", tmp_path / "sms.jsonl.1"
    stage = Stage(path)
    stage.play(SessionStarted(session()), news(text(1), text(5, seconds=-30)))
    stage.recorder.close()
    path.rename(old)
    (tmp_path / "sms.jsonl.notes").write_text("milk\n")
    again = Stage(path)
    assert again.resumed == [text(1), text(5, seconds=-30)]
    assert again.said == [f"recording to {path}, going on from {old}"]
    again.recorder.write()
    assert not path.exists()
    again.play(ListRead(Listing((session(),), NOON)))
    assert kinds(path) == ["session", "position"]
    assert records(path)[1]["gaps"] == [[1, 5, "2026-03-02T11:59:30.000Z"]]
    again.play(SessionStarted(session()))
    again.recorder.close()
    assert kinds(path) == ["session", "position"]


def test_messages_without_a_place_in_the_log_are_told_to_the_next_file(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    done = [message_from_json({"index": -1, "type": "TranscriptSaveDone"}, of) for of in ("S1", "S2")]
    stage.play(news(text(1)), news(done[0]), news(done[1]))
    stage.later(86400)
    stage.play(Idle(1.0))
    stage.recorder.close()
    told = {"record": "position", "at": "2026-03-03T12:00:00.000Z", "server": "gws:443", "gaps": []}
    keys = [message_key(one) for one in done]
    assert records(tmp_path / "sms-03.jsonl") == [
        {**told, "sessionId": "S1", "index": 1, "key": message_key(text(1)), "unplaced": keys[:1]},
        {**told, "sessionId": "S2", "index": None, "key": None, "unplaced": keys[1:]},
    ]
    again = Stage(tmp_path / "sms-%d.jsonl")
    at = NOON + timedelta(days=1)
    assert again.resumed == [
        PositionRecord(at, "S1", 1, message_key(text(1)), (), (keys[0],)),
        PositionRecord(at, "S2", None, None, (), (keys[1],)),
    ]
    again.recorder.close()


def test_a_new_day_is_a_new_file(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    stage.play(SessionStarted(session()), news(text(1)))
    stage.later(86400)
    stage.play(news(text(2)))
    stage.play(SessionEnded("S1", "Completed"), ListRead(Listing((), NOON)))
    stage.later(86400)
    stage.play(Idle(1.0))
    stage.recorder.close()
    files = [tmp_path / f"sms-0{day}.jsonl" for day in (2, 3, 4)]
    assert list(map(kinds, files)) == [["session", "1"], ["session", "position", "2", "ended"], []]


def test_a_name_that_comes_around_again_is_appended_to(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%H.jsonl")
    stage.play(SessionStarted(session()), news(text(1)))
    stage.later(3600)
    stage.play(news(text(2)))
    stage.later(23 * 3600)
    stage.play(news(text(3)))
    stage.recorder.close()
    assert kinds(tmp_path / "sms-12.jsonl") == ["session", "1", "session", "position", "3"]


def test_an_old_file_of_this_hour_is_not_what_a_restart_goes_on_from(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%H.jsonl")
    stage.play(SessionStarted(session()), news(text(1)))
    stage.later(3600)
    stage.play(news(text(2)))
    stage.recorder.close()
    os.utime(tmp_path / "sms-12.jsonl", (0, 0))
    again = Stage(tmp_path / "sms-%H.jsonl")
    assert again.resumed == [position(1, at=NOON + timedelta(hours=1)), text(2)]
    again.play(ListRead(Listing((session(),), NOON)))
    again.recorder.close()
    assert kinds(tmp_path / "sms-12.jsonl") == ["session", "1", "session", "position"]


def test_a_second_recorder_of_the_file_is_refused(tmp_path: Path) -> None:
    first = Stage(tmp_path / "sms.jsonl")
    with pytest.raises(LocalError, match="another process is recording to"):
        Stage(tmp_path / "sms.jsonl")
    first.recorder.close()


@posix
def test_what_can_not_be_written_waits_and_is_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    path = folder / "sms.jsonl"
    stage = Stage(path)
    stage.play(SessionStarted(session()), news(text(1)))
    folder.rename(tmp_path / "gone")
    stage.said.clear()
    stage.play(news(text(2)), Idle(1.0), news(text(3)))
    told = f"{path} can't be written: No such file or directory"
    assert stage.said == [f"{told}: what is not recorded is kept in memory until the file can be written"]
    folder.mkdir()
    stage.later(2)
    stage.play(Idle(1.0))
    assert stage.said[1:] == [f"{path} can be written again"]
    stage.recorder.close()
    assert kinds([tmp_path / "gone" / "sms.jsonl", path]) == ["session", "1", "session", "position", "2", "3"]


@pytest.mark.parametrize("room", [1, 300, 700])
def test_after_a_full_disk_nothing_is_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "sms.jsonl"
    stage = Stage(path)
    stage.play(SessionStarted(session()), news(text(1)))
    full = path.stat().st_size + room

    class Full(FileIO):
        def write(self, data: Any) -> int:
            left = full - self.seek(0, os.SEEK_END)
            if left <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(bytes(data[:left]))

    file = stage.recorder._file
    assert file
    file._file.close()
    file._file = Full(path, "a+")
    stage.play(news(text(2), text(3), text(4)))
    full = 1 << 20
    stage.play(news(text(5)))
    stage.later(2)
    stage.play(Idle(1.0))
    stage.recorder.close()
    assert kinds(path) == ["session", "1", "2", "3", "4", "5"]


@posix
def test_what_is_never_written_is_an_error_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    stage = Stage(folder / "sms.jsonl")
    folder.rename(tmp_path / "gone")
    stage.play(news(text(1)))
    with pytest.raises(LocalError) as caught:
        stage.recorder.close()
    assert caught.value.hint == "run tail again with the same file: it reads the rest from the server"


def test_a_late_message_splits_its_gap(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    late = text(3)
    late.late = True
    stage.play(SessionStarted(session()), news(text(1), text(6)), news(late))
    stage.later(43200)
    stage.play(Idle(1.0))
    stage.recorder.close()
    # A gap of yesterday is not read again.
    assert records(tmp_path / "sms-03.jsonl")[1]["gaps"] == []


def test_older_files_are_read_for_a_session_that_was_renumbered(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "sms-%d.jsonl")
    stage.play(SessionStarted(session()), news(text(1), text(2)), news(text(1, of="S2")))
    stage.later(86400)
    stage.play(news(text(3)))
    stage.recorder.close()
    again = Stage(tmp_path / "sms-%d.jsonl")
    assert sorted(one.index or 0 for one in again.recorder.older_messages(again.server, "S1")) == [1, 2, 3]
    again.recorder.close()
