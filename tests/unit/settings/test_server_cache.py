"""The server cache: a file that may be missing, broken or shared without an error."""

import json
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.settings.server_cache import ServerCache, ServerInfo

LAB = "http://lab.example:8080"
WORK = "https://gws.example.com:443"

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")


class CacheFile:
    """A state file in a folder of its own, and what was debug_lines of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "smscli" / "state.json"
        self.environ = {"XDG_STATE_HOME": str(folder), "HOME": "/nowhere"}
        self.debug_lines: list[str] = []

    def cache(self) -> ServerCache:
        return ServerCache(self.environ, self.debug_lines.append)

    def write(self, text: str) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(text, encoding="utf-8")

    def read(self) -> object:
        return json.loads(self.path.read_text(encoding="utf-8"))


@pytest.fixture
def file(tmp_path: Path) -> CacheFile:
    return CacheFile(tmp_path)


def test_an_empty_cache_knows_nothing(file: CacheFile) -> None:
    assert file.cache().get(WORK) == ServerInfo(spelling=None, trusted=False)
    assert file.debug_lines == []
    assert not file.path.parent.exists()


def test_facts_are_known_in_this_run_and_in_the_next(file: CacheFile) -> None:
    cache = file.cache()
    cache.update(WORK, spelling="smsessions")
    cache.update(WORK, trusted=True)
    cache.update(LAB, spelling="smssessions")
    for one in (cache, file.cache()):
        assert one.get(WORK) == ServerInfo("smsessions", True)
        assert one.get(LAB) == ServerInfo("smssessions", False)
        assert one.get("https://other.example:443") == ServerInfo()
    assert file.debug_lines == []


def test_the_file_has_one_entry_for_each_server(file: CacheFile) -> None:
    cache = file.cache()
    cache.update(WORK, spelling="smsessions", trusted=True)
    cache.update(LAB, trusted=True)
    assert file.path.read_text(encoding="utf-8") == (
        "{\n"
        '  "https://gws.example.com:443": {\n'
        '    "spelling": "smsessions",\n'
        '    "pushTrusted": true\n'
        "  },\n"
        '  "http://lab.example:8080": {\n'
        '    "pushTrusted": true\n'
        "  }\n"
        "}\n"
    )


def test_trust_that_is_lost_is_lost_for_the_next_run_too(file: CacheFile) -> None:
    file.cache().update(WORK, spelling="smsessions", trusted=True)
    file.cache().update(WORK, trusted=False)
    assert file.cache().get(WORK) == ServerInfo("smsessions", False)


def test_a_spelling_gives_way_to_a_newer_one(file: CacheFile) -> None:
    file.cache().update(WORK, spelling="smsessions")
    file.cache().update(WORK, spelling="smssessions")
    assert file.cache().get(WORK) == ServerInfo("smssessions")


def test_without_the_variable_the_file_is_in_the_usual_folder(tmp_path: Path) -> None:
    ServerCache({"HOME": str(tmp_path)}, pytest.fail).update(WORK, trusted=True)
    assert (tmp_path / ".local" / "state" / "smscli" / "state.json").exists()


@posix
def test_the_file_and_its_folder_are_private(file: CacheFile) -> None:
    file.cache().update(WORK, trusted=True)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_known_facts_are_not_written_again(file: CacheFile) -> None:
    file.cache().update(WORK, spelling="smsessions", trusted=True)
    before = file.path.stat()
    cache = file.cache()
    cache.update(WORK, spelling="smsessions", trusted=True)
    cache.update(WORK)
    cache.update(LAB, trusted=False)
    cache.remove(LAB)
    after = file.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_forgotten_server_leaves_the_others(file: CacheFile) -> None:
    cache = file.cache()
    cache.update(WORK, spelling="smsessions")
    cache.update(LAB, trusted=True)
    cache.remove(WORK)
    assert cache.get(WORK) == file.cache().get(WORK) == ServerInfo()
    assert file.read() == {LAB: {"pushTrusted": True}}


def test_forgetting_an_unknown_server_creates_no_file(file: CacheFile) -> None:
    file.cache().remove(WORK)
    assert not file.path.parent.exists()


def test_keys_of_other_versions_stay(file: CacheFile) -> None:
    file.write(f'{{"version": 7, "{WORK}": {{"spelling": "smsessions", "taste": [1.5, null]}}}}')
    file.cache().update(WORK, trusted=True)
    assert file.read() == {
        "version": 7,
        WORK: {"spelling": "smsessions", "taste": [1.5, None], "pushTrusted": True},
    }


@pytest.mark.parametrize(
    "entry",
    ["null", "3", '"smsessions"', "[]", '{"spelling": 5, "pushTrusted": "yes"}', '{"pushTrusted": 1}'],
)
def test_an_entry_of_wrong_types_is_ignored(file: CacheFile, entry: str) -> None:
    file.write(f'{{"{WORK}": {entry}}}')
    cache = file.cache()
    assert cache.get(WORK) == ServerInfo()
    cache.update(WORK, spelling="smsessions", trusted=True)
    assert file.cache().get(WORK) == ServerInfo("smsessions", True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1e', "\x00"])
def test_a_broken_file_is_ignored_and_replaced_by_the_next_update(file: CacheFile, text: str) -> None:
    file.write(text)
    cache = file.cache()
    assert cache.get(WORK) == ServerInfo()
    assert file.debug_lines == [f"{file.path} is ignored: not a JSON object"]
    cache.update(WORK, trusted=True)
    assert file.read() == {WORK: {"pushTrusted": True}}


def test_bytes_that_are_not_utf_8_are_ignored(file: CacheFile) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(b"\xff\xfe\xfa{}")
    assert file.cache().get(WORK) == ServerInfo()
    assert file.debug_lines == [f"{file.path} is ignored: not a JSON object"]


def test_a_folder_in_place_of_the_file_is_reported(file: CacheFile) -> None:
    file.path.mkdir(parents=True)
    cache = file.cache()
    assert cache.get(WORK) == ServerInfo()
    cache.update(WORK, spelling="smsessions")
    assert file.debug_lines == [
        f"{file.path} is ignored: Is a directory",
        f"{file.path} is ignored: Is a directory",
        f"{file.path} can't be written: Is a directory",
    ]


def test_a_file_in_place_of_the_folder_is_reported(file: CacheFile) -> None:
    file.path.parent.write_text("", encoding="utf-8")
    cache = file.cache()
    cache.update(WORK, trusted=True)
    assert len(file.debug_lines) == 2
    assert all(str(file.path) in line for line in file.debug_lines)


def test_updates_of_another_process_are_not_overwritten(file: CacheFile) -> None:
    ours, theirs = file.cache(), file.cache()
    assert ours.get(WORK) == theirs.get(WORK) == ServerInfo()
    theirs.update(WORK, spelling="smssessions")
    theirs.update(LAB, trusted=True)
    ours.update(WORK, trusted=True)
    assert file.read() == {
        WORK: {"spelling": "smssessions", "pushTrusted": True},
        LAB: {"pushTrusted": True},
    }
    assert ours.get(LAB) == ServerInfo(trusted=True)


def test_a_server_that_another_process_removed_does_not_come_back(file: CacheFile) -> None:
    file.cache().update(LAB, trusted=True)
    ours = file.cache()
    assert ours.get(LAB) == ServerInfo(trusted=True)
    file.cache().remove(LAB)
    ours.update(WORK, trusted=True)
    assert file.read() == {WORK: {"pushTrusted": True}}


def test_nothing_is_read_before_it_is_asked_for(file: CacheFile) -> None:
    file.write("{")
    cache = file.cache()
    assert file.debug_lines == []
    file.write(f'{{"{WORK}": {{"pushTrusted": true}}}}')
    assert cache.get(WORK) == ServerInfo(trusted=True)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0aé\\ ', max_size=60).map(str.encode))
def test_no_content_of_the_file_is_an_error(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = CacheFile(Path(folder))
        file.path.parent.mkdir()
        file.path.write_bytes(content)
        cache = file.cache()
        assert cache.get(WORK) == ServerInfo()
        cache.update(WORK, spelling="smsessions")
        assert file.cache().get(WORK) == ServerInfo("smsessions")
