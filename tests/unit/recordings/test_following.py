"""Following recordings that grow: each message once, whatever the files hold twice."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smscli.gws.decode import message_from_json
from smscli.model import Message, NewMessages, Session
from smscli.recordings.following import RecordedFeed
from smscli.recordings.format import EndedRecord, Record, SessionRecord, line_of
from smscli.recordings.reads import RecordedReads

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LIVE, OVER = Session("S1", "Chatting", sent={"state": "Chatting"}), Session("S2", "Completed")


def text(index: int, of: str = "S1") -> Message:
    sent = {"index": index, "type": "Text", "text": f"{index}", "timestamp": "2026-03-02T12:00:00.000+0000"}
    return message_from_json(sent, of)


def append(path: Path, *records: Record) -> None:
    with path.open("ab") as file:
        file.write(b"".join(line_of(one, "gws:443") for one in records))


def followed(pattern: Path, *steps: Callable[[], object]) -> list[tuple[str, list[int | None]]]:
    """The messages that are followed until the steps, one at each wait, are over."""
    left = list(steps)

    def wait(seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    found: list[tuple[str, list[int | None]]] = []
    with pytest.raises(KeyboardInterrupt):
        for event in RecordedFeed(RecordedReads([str(pattern)], pytest.fail), wait).events(None):
            if isinstance(event, NewMessages) and event.messages:
                found.append((event.session_id, [one.index for one in event.messages]))
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows an open file can't be moved")
def test_a_file_that_was_moved_is_not_read_twice_under_its_new_name(tmp_path: Path) -> None:
    path = tmp_path / "sms.jsonl"
    append(path, SessionRecord(NOON, LIVE), text(1))
    found = followed(
        tmp_path / "sms.jsonl*",
        lambda: append(path, text(2)),
        lambda: path.rename(tmp_path / "sms.jsonl.1"),
        lambda: append(path, SessionRecord(NOON, LIVE), text(3)),
        lambda: None,
        lambda: None,
    )
    assert found == [("S1", [1]), ("S1", [2]), ("S1", [3])]


def test_what_two_recorders_write_is_followed_once(tmp_path: Path) -> None:
    for name in "ab":
        append(tmp_path / f"sms-{name}", SessionRecord(NOON, LIVE), text(1))
    found = followed(
        tmp_path / "sms-?",
        lambda: [append(tmp_path / f"sms-{name}", text(2)) for name in "ab"],
        lambda: None,
    )
    assert found == [("S1", [1]), ("S1", [2])]


def test_sessions_that_had_ended_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "sms"
    append(path, SessionRecord(NOON, OVER), text(1, "S2"), EndedRecord(NOON, "S2", "Completed"))
    found = followed(
        path, lambda: append(path, text(2, "S2"), SessionRecord(NOON, LIVE), text(1)), lambda: None
    )
    assert found == [("S1", [1])]


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows an open file can't be moved")
def test_a_pattern_that_fits_no_file_for_a_moment_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "sms.jsonl"
    append(path, SessionRecord(NOON, LIVE), text(1))
    found = followed(
        tmp_path / "sms*.jsonl",
        path.unlink,
        lambda: append(path, SessionRecord(NOON, LIVE), text(2)),
        lambda: None,
        lambda: None,
    )
    assert found == [("S1", [1]), ("S1", [2])]
