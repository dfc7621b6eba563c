"""`messages --html` as a whole command; the page itself is tested in `render/` and in a real browser."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from smscli.demo.http_server import DemoRequest, DemoResponse
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

ID = "0000Na9B26EF0001"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(ID, customer="Mika", agents=("Robin",))
        server.store.say(ID, "is <b>anybody</b> there? 555-010-4711", by="Mika")
        server.store.say(ID, "I am", by="Robin")
        yield server


def test_a_page_is_written_to_a_new_private_file(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    outcome = smscli("messages", ID, "--html", str(file), server=server)
    page = file.read_text(encoding="utf-8")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"wrote {file} (2 messages)\n")
    assert page.startswith("<!DOCTYPE html>")
    assert "<b>anybody</b>" not in page
    assert "&lt;b&gt;anybody&lt;/b&gt;" in page
    assert page.rstrip().endswith("</html>")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_dash_is_standard_output(smscli: Smscli, server: FakeServer) -> None:
    page = smscli("messages", ID, "--html", "-", "--from", "agent", "--redact", server=server).out
    assert "I am" in page
    assert "anybody" not in page


def test_a_masked_page_holds_nothing_that_was_masked(smscli: Smscli, server: FakeServer) -> None:
    page = smscli("messages", ID, "--html", "-", "--redact", server=server).out
    assert "***-***-**11" in page
    assert "<dt>masked</dt><dd>long numbers, e-mail addresses and user data</dd>" in page
    assert "555-010" not in page


def test_where_a_recording_lies_is_not_told(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "mika@example.com.jsonl"
    file.write_text(smscli("messages", ID, "--jsonl", server=server).out, encoding="utf-8")
    page = smscli("messages", f"@{file}", "--html", "-").out
    assert f"<h1>SMS session {ID}</h1>" in page
    assert "mika@example.com" not in page
    assert "masked" not in page


@pytest.mark.slow
def test_a_page_that_was_cut_short_is_closed_and_says_so(smscli: Smscli) -> None:
    with FakeServer(Options(scene="bulk", sessions=1, messages=1200)) as server:
        session_id = next(one for one in server.store.sessions if one.startswith("0000Nb"))
        server.fail_next("500", "startIndex=501", times=9)
        outcome = smscli("messages", session_id, "--html", "-", server=server)
    assert outcome.code == 1
    assert "The reading was cut short: this is not all." in outcome.out
    assert outcome.out.rstrip().endswith("</html>")


def test_a_failed_command_leaves_no_file(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    page = ["--html", str(file)]
    assert smscli("messages", "0000Na9B26EF0404", *page, server=server).code == 5
    assert smscli("messages", f"@{tmp_path}/none.jsonl", *page).code == 1
    assert smscli("messages", ID, *page, server=server, SMSCLI_PASSWORD="wrong").code == 4
    assert smscli("messages", ID, *page, "--grep", "(", server=server).code == 2
    assert smscli("messages", ID, *page, SMSCLI_URL="http://127.0.0.1:9", SMSCLI_USERNAME="a").code != 0
    assert not file.exists()
    assert smscli("messages", ID, *page, server=server).code == 0
    assert file.exists()


@pytest.mark.slow
def test_a_page_that_was_cut_short_leaves_no_file(smscli: Smscli, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    with FakeServer(Options(scene="bulk", sessions=1, messages=1200)) as server:
        session_id = next(one for one in server.store.sessions if one.startswith("0000Nb"))
        server.fail_next("500", "startIndex=501", times=9)
        outcome = smscli("messages", session_id, "--html", str(file), server=server)
    assert (outcome.code, file.exists()) == (1, False)
    assert "wrote" not in outcome.err


def test_a_recording_with_an_unreadable_line_leaves_no_file(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    file, recording = tmp_path / "page.html", tmp_path / "log.jsonl"
    recording.write_text(smscli("messages", ID, "--jsonl", server=server).out + "nonsense\n{}\n")
    assert smscli("messages", f"@{recording}", "--html", str(file)).code == 1
    assert not file.exists()


def test_a_page_without_entries_is_written_all_the_same(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    outcome = smscli("messages", ID, "--html", str(file), "--grep", "pear", server=server)
    assert (outcome.code, outcome.err) == (0, f"wrote {file} (0 messages)\nno entry of 2 matches\n")
    assert "nothing to show" in file.read_text()


def test_a_file_that_appears_meanwhile_is_left_as_it_is(
    smscli: Smscli, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, answer = tmp_path / "page.html", server.api.answer

    def answer_and_write(request: DemoRequest, user: str | None) -> DemoResponse:
        page.write_text("of another run")
        return answer(request, user)

    monkeypatch.setattr(server.api, "answer", answer_and_write)
    outcome = smscli("messages", ID, "--html", str(page), server=server)
    assert (outcome.code, outcome.err) == (1, f"error: {page} can't be written: File exists\n")
    assert page.read_text() == "of another run"


def test_a_file_that_exists_is_left_as_it_is(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("precious")
    outcome = smscli("messages", ID, "--html", str(file), server=server)
    assert (outcome.code, outcome.err) == (1, f"error: {file} exists already\nhint: name a new file\n")
    assert file.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "error: {} is a folder\nhint: name a new file\n"),
        ("none/page.html", "error: {} can't be written: No such file or directory\n"),
    ],
)
def test_what_can_be_no_file_is_one_line(
    smscli: Smscli, server: FakeServer, tmp_path: Path, name: str, told: str
) -> None:
    path = str(tmp_path / name) if name else str(tmp_path)
    outcome = smscli("messages", ID, "--html", path, server=server)
    assert (outcome.code, outcome.out, outcome.err) == (1, "", told.format(path))


def test_a_recording_becomes_a_page_too(smscli: Smscli, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(smscli("messages", ID, "--jsonl", server=server).out)
    outcome = smscli("messages", f"@{file}", "--html", "-")
    assert (outcome.code, outcome.err) == (0, "")
    assert "I am" in outcome.out


def test_show_draws_who_spoke_when(smscli: Smscli, server: FakeServer) -> None:
    out = smscli("show", ID, server=server, tty=True, color="never").out
    assert "timeline\n" in out
