"""The names of a recording's files."""

import os
from pathlib import Path

import pytest

from smscli.errors import UsageError
from smscli.recordings.names import RecordingName

# 2026-03-02T08:15:07Z; tests run in UTC.
NOW = 1772439307.0


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("sms.jsonl", "sms.jsonl"),
        ("/var/log/%Y/sms.jsonl", "/var/log/%Y/sms.jsonl"),
        ("sms-%Y-%m-%d.jsonl", "sms-2026-03-02.jsonl"),
        ("a/%H%M%S-%j-100%%.jsonl", "a/081507-061-100%.jsonl"),
    ],
)
def test_codes_in_the_last_part_are_the_local_time(pattern: str, name: str) -> None:
    assert Path(RecordingName(pattern).at(NOW)) == Path(name)


@pytest.mark.parametrize("pattern", ["sms-%y.jsonl", "sms-%", "%-d", "%F"])
def test_any_other_code_is_wrong_usage(pattern: str) -> None:
    with pytest.raises(UsageError, match="is not known in the name of a recording"):
        RecordingName(pattern)


def write(folder: Path, *names: str) -> None:
    for age, name in enumerate(names):
        (folder / name).write_text("x")
        os.utime(folder / name, (NOW - age, NOW - age))


def found(folder: Path, pattern: str) -> list[str]:
    name = RecordingName(str(folder / pattern))
    return [Path(one).name for one in name.others(name.at(NOW))]


def test_the_files_before_are_those_of_other_times_the_newest_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        *("sms-2026-03-02.jsonl", "sms-2026-02-28.jsonl", "sms-2026-03-01.jsonl", "sms-2026-03-01.jsonl.1"),
        *("sms-x.jsonl", "sms-2026-02-27.jsonl.gz", ".sms-2026-03-02.jsonl.ab12", "other.jsonl"),
    )
    (tmp_path / "sms-2026-02-20.jsonl").touch()
    assert found(tmp_path, "sms-%Y-%m-%d.jsonl") == [
        "sms-2026-02-28.jsonl",
        "sms-2026-03-01.jsonl",
        "sms-2026-03-01.jsonl.1",
    ]


def test_the_files_before_are_those_that_logrotate_moved(tmp_path: Path) -> None:
    write(tmp_path, "sms.jsonl", "sms.jsonl.1", "sms.jsonl-20260301", "sms.jsonl.2.gz", "sms.json")
    assert found(tmp_path, "sms.jsonl") == ["sms.jsonl.1", "sms.jsonl-20260301"]


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert found(tmp_path / "missing", "sms.jsonl") == []
