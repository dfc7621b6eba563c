"""Folders, locks and atomic writes of our own files."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from smscli.errors import UsageError
from smscli.settings.files import app_folder, expand_home, home_folder, locked, replace_file
from tests.support.paths import ROOT

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes and links of POSIX")


def test_an_xdg_variable_names_the_folder() -> None:
    folder = app_folder(
        {"XDG_STATE_HOME": "/srv/state", "HOME": "/home/maja"}, "XDG_STATE_HOME", ".local/state"
    )
    assert folder == Path("/srv/state/smscli")


@pytest.mark.parametrize("value", ["", "relative/state"])
def test_an_empty_or_relative_xdg_variable_is_ignored(value: str) -> None:
    folder = app_folder({"XDG_STATE_HOME": value, "HOME": "/home/maja"}, "XDG_STATE_HOME", ".local/state")
    assert folder == Path("/home/maja/.local/state/smscli")


@pytest.mark.parametrize(
    ("environ", "folder"),
    [({"HOME": "/h"}, "/h"), ({"HOME": "h"}, None), ({"HOME": "~"}, None), ({"HOME": "./h"}, None)],
)
def test_a_relative_home_is_no_home(environ: dict[str, str], folder: str | None) -> None:
    assert home_folder(environ) == folder
    assert app_folder(environ, "XDG_STATE_HOME", "s") == (Path(folder, "s/smscli") if folder else None)


@pytest.mark.parametrize(
    ("name", "expanded"),
    [
        ("~/rec.jsonl", "/h/rec.jsonl"),
        ("~", "/h"),
        ("./~/x", "./~/x"),
        ("a~b", "a~b"),
        ("-", "-"),
        ("", ""),
        ("/x/~", "/x/~"),
    ],
)
def test_a_tilde_at_the_beginning_is_expanded(name: str, expanded: str) -> None:
    assert expand_home(name, {"HOME": "/h"}) == expanded


@posix
def test_a_tilde_of_another_user_is_expanded() -> None:
    import pwd

    entry = pwd.getpwall()[0]
    assert expand_home(f"~{entry.pw_name}/x", {}) == f"{entry.pw_dir}/x"
    with pytest.raises(UsageError, match="there is no home folder ~no-such-user for ~no-such-user/x"):
        expand_home("~no-such-user/x", {"HOME": "/h"})


@posix
def test_a_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "smscli" / "state.json"
    with locked(path):
        replace_file(path, "{}\n")
    assert path.read_text() == "{}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(os.listdir(path.parent)) == [".state.json.lock", "state.json"]


@posix
def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real, link = tmp_path / "dotfiles" / "config.toml", tmp_path / "config.toml"
    real.write_text("old")
    link.symlink_to(real)
    replace_file(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_text_that_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "\udce9")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_signal_that_comes_as_a_file_is_replaced_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, replace = tmp_path / "state.json", os.replace

    def interrupted(source: str, target: str) -> None:
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, "new")
    assert path.read_text() == "new"


def test_a_lock_held_elsewhere_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with locked(path), pytest.raises(TimeoutError, match="another process holds it"), locked(path, 0.05):
        pass
    with locked(path):
        pass


HOLD = """
import sys
from pathlib import Path
from smscli.settings.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(TimeoutError), locked(path, 0.05):
            pass
        holder.kill()
        holder.wait()
        with locked(path):
            pass
