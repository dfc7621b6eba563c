"""Consoles and pipes, with what other platforms lack taken away."""

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO, TextIOWrapper

import pytest

from smscli.errors import LocalError, ReaderGone
from smscli.output.console import (
    enable_escape_sequences,
    has_reader,
    is_reader_gone,
    room,
    shell_encoding,
    whole_characters,
    with_variable,
)
from smscli.output.terminal import Terminal
from smscli.output.writer import Stream
from tests.support.windows import ConsoleFile, FakeConsole, PipeWithoutReader

polled = pytest.mark.skipif(not hasattr(select, "poll"), reason="pipes are polled on POSIX")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        with suppress(OSError):
            os.close(fd)


def console(fd: int) -> Stream:
    return Stream(ConsoleFile(fd), tty=True)


# --- the console's mode


def test_escape_sequences_are_on_until_the_terminal_is_closed() -> None:
    api = FakeConsole(mode=3)
    terminal = Terminal(console(1), console(2), {}, api)
    assert (api.modes, terminal.has_live_line, terminal.color) == ([(1, 7), (2, 7)], True, True)
    terminal.close()
    assert (api.modes[2:], api.mode_now) == ([(2, 7), (1, 3)], 3)


def test_a_mode_is_restored_when_the_output_can_not_be_written(pipe: tuple[int, int]) -> None:
    api = FakeConsole(mode=3)
    terminal = Terminal(Stream(PipeWithoutReader(pipe[1]), tty=False), console(2), {}, api)
    terminal.write("x\n")
    with pytest.raises(ReaderGone):
        terminal.close()
    assert api.modes == [(2, 7), (2, 3)]


@pytest.mark.parametrize("api", [FakeConsole(accepts=False), FakeConsole(mode=None)])
def test_a_console_without_escape_sequences_is_a_dumb_terminal(api: FakeConsole) -> None:
    terminal = Terminal(console(1), console(2), {"TERM": "xterm"}, api)
    terminal.live(lambda width: "live")
    terminal.close()
    assert (terminal.has_live_line, terminal.color, terminal.pipe, api.modes) == (False, False, False, [])


def test_the_mode_of_a_pipe_is_not_changed() -> None:
    api = FakeConsole()
    Terminal(Stream(BytesIO(), tty=False), Stream(BytesIO(), tty=False), {}, api).close()
    assert api.modes == []


def test_a_platform_without_console_calls_needs_none() -> None:
    assert enable_escape_sequences(None, 1) is not None


# --- encodings


def test_the_shell_reads_what_the_code_page_of_its_console_says() -> None:
    file = TextIOWrapper(BytesIO(), encoding="cp1252")
    pages = (850, 65001, 0, 99999)
    assert [shell_encoding(FakeConsole(code_page=one), file) for one in pages] == [
        "cp850",
        "utf-8",
        "cp1252",
        "ascii",
    ]
    assert shell_encoding(None, file) == "cp1252"


# --- commands to paste


def test_a_command_with_a_variable_is_written_for_the_shells_of_the_platform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = "smscli --url http://127.0.0.1:8090 tail --all"
    monkeypatch.setattr(sys, "platform", "linux")
    assert with_variable("SMSCLI_PASSWORD", "demo", command) == [
        "SMSCLI_PASSWORD=demo smscli --url http://127.0.0.1:8090 tail --all"
    ]
    monkeypatch.setattr(sys, "platform", "win32")
    assert with_variable("SMSCLI_PASSWORD", "demo", command) == [
        "PowerShell:  $env:SMSCLI_PASSWORD='demo'; smscli --url http://127.0.0.1:8090 tail --all",
        'cmd:         set "SMSCLI_PASSWORD=demo" && smscli --url http://127.0.0.1:8090 tail --all',
    ]


# --- pieces


@pytest.mark.parametrize(
    ("text", "size", "whole"), [("aé", 2, 1), ("a€b", 3, 1), ("😀😀", 7, 4), ("abc", 2, 2), ("é", 2, 2)]
)
def test_no_character_is_cut_in_two(text: str, size: int, whole: int) -> None:
    assert whole_characters(text.encode(), size) == whole


class Pieces(BytesIO):
    """Records each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self.pieces.append(data)
        return len(data)


def test_a_console_gets_whole_characters() -> None:
    file, text = Pieces(), "x" + "€" * 5000
    terminal = Terminal(Stream(file, tty=True), Stream(BytesIO(), tty=True), {})
    terminal.write(text)
    terminal.flush()
    assert len(file.pieces) > 1
    assert "".join(piece.decode() for piece in file.pieces) == text


# --- readers that are gone


def test_einval_of_a_pipe_is_a_reader_gone_and_of_nothing_else(pipe: tuple[int, int]) -> None:
    error = OSError(errno.EINVAL, "Invalid argument")
    assert is_reader_gone(error, pipe[1])
    assert not is_reader_gone(error, None)
    with open(os.devnull, "wb") as file:
        assert not is_reader_gone(error, file.fileno())


def test_a_terminal_in_such_a_pipe_ends_silently(pipe: tuple[int, int]) -> None:
    terminal = Terminal(Stream(PipeWithoutReader(pipe[1]), tty=False), Stream(BytesIO(), tty=False), {})
    terminal.write("x\n")
    with pytest.raises(ReaderGone):
        terminal.flush()
    terminal.close()


def test_einval_of_a_file_is_an_error() -> None:
    class Broken(BytesIO):
        def write(self, data: bytes, /) -> int:
            raise OSError(errno.EINVAL, "Invalid argument")

    terminal = Terminal(Stream(Broken(), tty=False), Stream(BytesIO(), tty=False), {})
    terminal.write("x\n")
    with pytest.raises(LocalError, match="output can't be written: Invalid argument"):
        terminal.flush()


@polled
def test_a_reader_is_looked_for(pipe: tuple[int, int]) -> None:
    assert has_reader(pipe[1])
    os.close(pipe[0])
    assert not has_reader(pipe[1])


class PollOfMacOS:
    """Reports a closed reader only if POLLOUT is asked for, and as POLLHUP."""

    def register(self, fd: int, events: int) -> None:
        self._asked = events

    def poll(self, timeout: int) -> list[tuple[int, int]]:
        return [(1, select.POLLHUP)] if self._asked & select.POLLOUT else []


@polled
def test_a_reader_is_looked_for_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "poll", PollOfMacOS)
    assert not has_reader(1)


@polled
def test_without_poll_a_write_may_block(monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]) -> None:
    monkeypatch.delattr(select, "poll")
    monkeypatch.delattr(select, "select")
    os.close(pipe[0])
    assert has_reader(pipe[1])
    assert room(pipe[1], tty=False, timeout=None) >= 512
