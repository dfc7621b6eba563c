"""What the tool keeps of servers: one small file that may be missing, broken or shared, and never matters."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.settings.files import locked
from smscli.settings.server_cache import ServerCache, ServerInfo
from tests.support.paths import ROOT

LAB = "http://lab.example:8080"
WORK = "https://gws.example.com:443"

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")


class Kept:
    """A state file in a folder of its own, and what was said of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "smscli" / "state.json"
        self.environ = {"XDG_STATE_HOME": str(folder), "HOME": "/nowhere"}
        self.said: list[str] = []

    def state(self) -> ServerCache:
        return ServerCache.load(self.environ, self.said.append)

    def write(self, text: str) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(text, encoding="utf-8")

    def read(self) -> object:
        return json.loads(self.path.read_text(encoding="utf-8"))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_nothing_is_known_before_anything_was_learned(kept: Kept) -> None:
    assert kept.state().get(WORK) == ServerInfo(spelling=None, trusted=False)
    assert kept.said == []
    assert not kept.path.parent.exists()


def test_what_was_learned_is_known_in_this_run_and_in_the_next(kept: Kept) -> None:
    state = kept.state()
    state.update(WORK, spelling="smsessions")
    state.update(WORK, trusted=True)
    state.update(LAB, spelling="smssessions")
    for one in (state, kept.state()):
        assert one.get(WORK) == ServerInfo("smsessions", True)
        assert one.get(LAB) == ServerInfo("smssessions", False)
        assert one.get("https://other.example:443") == ServerInfo()
    assert kept.said == []


def test_the_file_has_one_entry_for_each_server(kept: Kept) -> None:
    state = kept.state()
    state.update(WORK, spelling="smsessions", trusted=True)
    state.update(LAB, trusted=True)
    assert kept.path.read_text(encoding="utf-8") == (
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


def test_trust_that_is_lost_is_lost_for_the_next_run_too(kept: Kept) -> None:
    kept.state().update(WORK, spelling="smsessions", trusted=True)
    kept.state().update(WORK, trusted=False)
    assert kept.state().get(WORK) == ServerInfo("smsessions", False)


def test_a_spelling_gives_way_to_a_newer_one(kept: Kept) -> None:
    kept.state().update(WORK, spelling="smsessions")
    kept.state().update(WORK, spelling="smssessions")
    assert kept.state().get(WORK) == ServerInfo("smssessions")


def test_without_the_variable_the_file_is_in_the_usual_folder(tmp_path: Path) -> None:
    ServerCache.load({"HOME": str(tmp_path)}, pytest.fail).update(WORK, trusted=True)
    assert (tmp_path / ".local" / "state" / "smscli" / "state.json").exists()


@posix
def test_the_file_and_its_folder_are_their_owners_alone(kept: Kept) -> None:
    kept.state().update(WORK, trusted=True)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700


def test_what_is_known_already_is_not_written_again(kept: Kept) -> None:
    kept.state().update(WORK, spelling="smsessions", trusted=True)
    before = kept.path.stat()
    state = kept.state()
    state.update(WORK, spelling="smsessions", trusted=True)
    state.update(WORK)
    state.update(LAB, trusted=False)
    state.remove(LAB)
    after = kept.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_forgotten_server_leaves_the_others(kept: Kept) -> None:
    state = kept.state()
    state.update(WORK, spelling="smsessions")
    state.update(LAB, trusted=True)
    state.remove(WORK)
    assert state.get(WORK) == kept.state().get(WORK) == ServerInfo()
    assert kept.read() == {LAB: {"pushTrusted": True}}


def test_forgetting_where_nothing_is_known_leaves_no_trace(kept: Kept) -> None:
    kept.state().remove(WORK)
    assert not kept.path.parent.exists()


def test_keys_of_other_versions_stay(kept: Kept) -> None:
    kept.write(f'{{"version": 7, "{WORK}": {{"spelling": "smsessions", "taste": [1.5, null]}}}}')
    kept.state().update(WORK, trusted=True)
    assert kept.read() == {
        "version": 7,
        WORK: {"spelling": "smsessions", "taste": [1.5, None], "pushTrusted": True},
    }


@pytest.mark.parametrize(
    "entry",
    ["null", "3", '"smsessions"', "[]", '{"spelling": 5, "pushTrusted": "yes"}', '{"pushTrusted": 1}'],
)
def test_an_entry_that_says_nothing_we_understand_is_nothing_known(kept: Kept, entry: str) -> None:
    kept.write(f'{{"{WORK}": {entry}}}')
    state = kept.state()
    assert state.get(WORK) == ServerInfo()
    state.update(WORK, spelling="smsessions", trusted=True)
    assert kept.state().get(WORK) == ServerInfo("smsessions", True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1e', "\x00"])
def test_a_broken_file_is_ignored_and_the_next_news_mends_it(kept: Kept, text: str) -> None:
    kept.write(text)
    state = kept.state()
    assert state.get(WORK) == ServerInfo()
    assert kept.said == [f"{kept.path} is ignored: not a JSON object"]
    state.update(WORK, trusted=True)
    assert kept.read() == {WORK: {"pushTrusted": True}}


def test_bytes_that_are_no_text_are_ignored(kept: Kept) -> None:
    kept.path.parent.mkdir()
    kept.path.write_bytes(b"\xff\xfe\xfa{}")
    assert kept.state().get(WORK) == ServerInfo()
    assert kept.said == [f"{kept.path} is ignored: not a JSON object"]


def test_a_folder_in_the_files_place_is_told_and_changes_nothing_else(kept: Kept) -> None:
    kept.path.mkdir(parents=True)
    state = kept.state()
    assert state.get(WORK) == ServerInfo()
    state.update(WORK, spelling="smsessions")
    assert state.get(WORK) == ServerInfo("smsessions")
    assert kept.said == [
        f"{kept.path} is ignored: Is a directory",
        f"{kept.path} can't be written: [Errno 21] Is a directory: '{kept.path}'",
    ]


def test_a_file_in_the_folders_place_is_told_and_changes_nothing_else(kept: Kept) -> None:
    kept.path.parent.write_text("", encoding="utf-8")
    state = kept.state()
    state.update(WORK, trusted=True)
    assert state.get(WORK) == ServerInfo(trusted=True)
    assert len(kept.said) == 2
    assert all(str(kept.path) in line for line in kept.said)


def test_news_of_another_process_is_not_overwritten(kept: Kept) -> None:
    ours, theirs = kept.state(), kept.state()
    assert ours.get(WORK) == theirs.get(WORK) == ServerInfo()
    theirs.update(WORK, spelling="smssessions")
    theirs.update(LAB, trusted=True)
    ours.update(WORK, trusted=True)
    assert kept.read() == {
        WORK: {"spelling": "smssessions", "pushTrusted": True},
        LAB: {"pushTrusted": True},
    }
    assert ours.get(LAB) == ServerInfo(trusted=True)


def test_what_another_process_forgot_does_not_come_back(kept: Kept) -> None:
    kept.state().update(LAB, trusted=True)
    ours = kept.state()
    assert ours.get(LAB) == ServerInfo(trusted=True)
    kept.state().remove(LAB)
    ours.update(WORK, trusted=True)
    assert kept.read() == {WORK: {"pushTrusted": True}}


LEARN = """
import sys
from smscli.settings.server_cache import ServerCache
state = ServerCache.load({"XDG_STATE_HOME": sys.argv[1]}, print)
for number in range(10):
    state.update(f"https://{sys.argv[2]}-{number}.example:443", spelling="smsessions", trusted=True)
"""


def test_processes_that_write_at_once_lose_nothing(kept: Kept) -> None:
    folder = kept.environ["XDG_STATE_HOME"]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", LEARN, folder, str(number)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for number in range(3)
    ]
    assert [writer.communicate()[0] for writer in writers] == ["", "", ""]
    assert kept.read() == {
        f"https://{writer}-{number}.example:443": {"spelling": "smsessions", "pushTrusted": True}
        for writer in range(3)
        for number in range(10)
    }


def test_a_lock_that_is_never_given_back_is_told(kept: Kept) -> None:
    state = ServerCache(kept.path, kept.said.append, timeout=0.05)
    with locked(kept.path):
        state.update(WORK, trusted=True)
    assert kept.said == [f"{kept.path} can't be written: [Errno 0] another process holds it"]
    assert state.get(WORK) == ServerInfo(trusted=True)


def test_nothing_is_read_before_it_is_asked_for(kept: Kept) -> None:
    kept.write("{")
    state = kept.state()
    assert kept.said == []
    kept.write(f'{{"{WORK}": {{"pushTrusted": true}}}}')
    assert state.get(WORK) == ServerInfo(trusted=True)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0aé\\ ', max_size=60).map(str.encode))
def test_no_content_of_the_file_is_an_error(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        kept = Kept(Path(folder))
        kept.path.parent.mkdir()
        kept.path.write_bytes(content)
        state = kept.state()
        assert state.get(WORK) == ServerInfo()
        state.update(WORK, spelling="smsessions")
        assert kept.state().get(WORK) == ServerInfo("smsessions")
