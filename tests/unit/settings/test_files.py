"""Folders, locks and atomic writes of our own files."""

import os
import stat
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from smscli.errors import UsageError
from smscli.settings import files
from smscli.settings.files import app_folder, expand_home, home_folder, locked, option_file, replace_file
from tests.support.paths import ROOT

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes, links and paths of POSIX")


@posix
@pytest.mark.parametrize(
    ("kind", "variable", "folder"),
    [
        ("config", "XDG_CONFIG_HOME", "/home/maja/.config/smscli"),
        ("state", "XDG_STATE_HOME", "/home/maja/.local/state/smscli"),
        ("cache", "XDG_CACHE_HOME", "/home/maja/.cache/smscli"),
    ],
)
def test_an_xdg_variable_names_the_folder(kind: Any, variable: str, folder: str) -> None:
    environ = {"HOME": "/home/maja", "APPDATA": "/roaming", "LOCALAPPDATA": "/local"}
    assert app_folder(environ, kind) == Path(folder)
    assert app_folder({**environ, variable: "/srv/x"}, kind) == Path("/srv/x/smscli")


@posix
@pytest.mark.parametrize("value", ["", "relative/state"])
def test_an_empty_or_relative_xdg_variable_is_ignored(value: str) -> None:
    folder = app_folder({"XDG_STATE_HOME": value, "HOME": "/home/maja"}, "state")
    assert folder == Path("/home/maja/.local/state/smscli")


@posix
@pytest.mark.parametrize(
    ("kind", "folder", "without_variable"),
    [
        ("config", "/roaming/smscli", "/home/maja/AppData/Roaming/smscli"),
        ("state", "/local/smscli", "/home/maja/AppData/Local/smscli"),
        ("cache", "/local/smscli", "/home/maja/AppData/Local/smscli"),
    ],
)
def test_windows_has_folders_of_its_own(
    monkeypatch: pytest.MonkeyPatch, kind: Any, folder: str, without_variable: str
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    environ = {"HOME": "/home/maja", "APPDATA": "/roaming", "LOCALAPPDATA": "/local"}
    assert app_folder(environ, kind) == Path(folder)
    assert app_folder({"HOME": "/home/maja"}, kind) == Path(without_variable)
    chosen = {**environ, "XDG_CONFIG_HOME": "/x", "XDG_STATE_HOME": "/x", "XDG_CACHE_HOME": "/x"}
    assert app_folder(chosen, kind) == Path("/x/smscli")


@posix
@pytest.mark.parametrize(
    ("environ", "folder"),
    [({"HOME": "/h"}, "/h"), ({"HOME": "h"}, None), ({"HOME": "~"}, None), ({"HOME": "./h"}, None)],
)
def test_a_relative_home_is_no_home(environ: dict[str, str], folder: str | None) -> None:
    assert home_folder(environ) == folder
    expected = Path(folder, ".local/state/smscli") if folder else None
    assert app_folder(environ, "state") == expected


@posix
@pytest.mark.parametrize(
    ("name", "expanded"),
    [
        ("~/rec.jsonl", "/h/rec.jsonl"),
        ("~", "/h"),
        ("./~/x", "./~/x"),
        ("a~b", "a~b"),
        ("-", "-"),
        ("/x/~", "/x/~"),
    ],
)
def test_a_tilde_at_the_beginning_is_expanded(name: str, expanded: str) -> None:
    assert expand_home(name, {"HOME": "/h"}) == expanded


@posix
def test_windows_separates_folders_by_a_backslash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sep", "\\")
    monkeypatch.setattr(os, "altsep", "/")
    names = ("~\\rec.jsonl", "~/a\\rec.jsonl", "~\\a/rec.jsonl", "~")
    assert [expand_home(name, {"HOME": "/h"}) for name in names] == [
        "/h\\rec.jsonl",
        "/h/a\\rec.jsonl",
        "/h\\a/rec.jsonl",
        "/h",
    ]


@pytest.mark.parametrize("name", ["ab:c.jsonl", "C:\\logs\\a:b.jsonl", "C:a.jsonl:x"])
def test_on_windows_a_file_name_has_no_colon(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert option_file(name, {}) == name
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError) as caught:
        option_file(name, {})
    assert (caught.value.message, caught.value.hint) == (
        f"{name} has a colon in it",
        "on Windows no file name can have one",
    )


@pytest.mark.parametrize("name", ["C:\\logs\\a.jsonl", "c:a.jsonl", "\\\\server\\logs\\a.jsonl", "a.jsonl"])
def test_on_windows_a_drive_may_be_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert option_file(name, {}) == name


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


class InUse:
    """`os.replace` of Windows for a file that another process has open for so many tries."""

    def __init__(self, tries: int, winerror: int | None) -> None:
        self.tries = tries
        self._error = PermissionError(13, "Access is denied", None, winerror)
        if winerror is not None and sys.platform != "win32":
            vars(self._error)["winerror"] = winerror
        self._replace = os.replace

    def __call__(self, source: str, target: Path) -> None:
        self.tries -= 1
        if self.tries >= 0:
            raise self._error
        self._replace(source, target)


@pytest.mark.parametrize("winerror", [5, 32])
def test_a_file_that_windows_keeps_open_is_replaced_a_little_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, winerror: int
) -> None:
    monkeypatch.setattr("os.replace", InUse(3, winerror))
    replace_file(tmp_path / "config.toml", "new")
    assert (tmp_path / "config.toml").read_text() == "new"


def test_a_file_that_stays_open_is_an_error_after_two_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, times = InUse(1000, 5), chain([0.0, 1.9], repeat(2.1))
    monkeypatch.setattr("os.replace", replace)
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    with pytest.raises(PermissionError):
        replace_file(tmp_path / "config.toml", "new")
    assert (replace.tries, os.listdir(tmp_path)) == (998, [])


def test_a_missing_permission_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = InUse(5, None)
    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(PermissionError):
        replace_file(tmp_path / "config.toml", "new")
    assert replace.tries == 4


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


def test_a_lock_held_elsewhere_is_waited_for_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LOCK_SECONDS", 0.05)
    path = tmp_path / "state.json"
    with locked(path), pytest.raises(TimeoutError, match="another process holds it"), locked(path):
        pass
    with locked(path):
        pass


HOLD = """
import sys
from pathlib import Path
from smscli.settings import files
from smscli.settings.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LOCK_SECONDS", 0.05)
    path = tmp_path / "state.json"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(TimeoutError), locked(path):
            pass
        holder.kill()
        holder.wait()
        with locked(path):
            pass
