"""What a command writes to: pipes, files, and terminals as an emulator and the kernel see them."""

import errno
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from io import BytesIO, FileIO
from pathlib import Path

import pyte
import pytest

from smscli.errors import LocalError, ReaderGone
from smscli.output.terminal import Terminal
from smscli.output.writer import Stream
from tests.support.captured_terminal import CapturedTerminal


class Screen:
    """A terminal emulator beside a terminal under test."""

    def __init__(self, terminal: Terminal, columns: int, lines: int = 6) -> None:
        self._terminal = terminal
        self._seen = 0
        self._screen = pyte.HistoryScreen(columns, lines, history=100)
        self._screen.set_mode(pyte.modes.LNM)  # the kernel's newline: down and to the first column
        self._stream = pyte.Stream(self._screen)

    def rows(self) -> list[str]:
        """Scrollback and screen, blank rows at the end left out."""
        text = self._terminal.out_text
        self._stream.feed(text[self._seen :])
        self._seen = len(text)
        above = [
            "".join(row[x].data for x in range(self._screen.columns)) for row in self._screen.history.top
        ]
        rows = [row.rstrip() for row in (*above, *self._screen.display)]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def cursor(self) -> tuple[int, int]:
        return self._screen.cursor.x, self._screen.cursor.y

    def resize(self, columns: int) -> None:
        self._screen.resize(columns=columns)
        self._terminal.resize(columns)


class Full:
    """A disk without room, after so many bytes."""

    def __init__(self, room: int) -> None:
        self.taken = b""
        self._room = room

    def write(self, data: bytes, /) -> int:
        if len(self.taken) >= self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = data[: self._room - len(self.taken)]
        self.taken += part
        return len(part)

    def fileno(self) -> int:
        raise OSError(errno.EBADF, "no file")


def on(out: object, err: object | None = None, **environ: str) -> Terminal:
    return Terminal(Stream(out, tty=False), Stream(err or BytesIO(), tty=False), environ)


# --- a picture


def test_a_picture_stands_alone_and_its_last_one_stays_behind() -> None:
    terminal = CapturedTerminal()
    terminal.write("before\n")
    terminal.show(["one", "two"], ["said"])
    terminal.show(["three"])
    assert terminal.out_text == (
        "before\n\x1b[?1049h\x1b[Hone\x1b[K\r\ntwo\x1b[K\r\nsaid\x1b[K\x1b[J\x1b[Hthree\x1b[K\x1b[J"
    )
    terminal.close()
    assert terminal.out_text.endswith("\x1b[J\x1b[?1049lthree\n")


def test_what_is_said_during_a_picture_is_kept_for_a_person_and_not_for_a_pipe() -> None:
    seen, piped = CapturedTerminal(), CapturedTerminal(err_tty=False)
    for terminal in (seen, piped):
        terminal.say("first")
        terminal.show(["one"])
        for number in range(150):
            terminal.say(f"notice {number}")
    assert seen.err_text == "first\n"
    assert list(seen.held_lines)[-1] == "notice 149"
    assert piped.err_text == "first\n" + "".join(f"notice {number}\n" for number in range(150))
    seen.close()
    assert seen.err_text == "first\n50 earlier lines were dropped:\n" + "".join(
        f"notice {number}\n" for number in range(50, 150)
    )


# --- form, colour, width


@pytest.mark.parametrize(
    ("tty", "choice", "environ", "pipe", "color"),
    [
        (True, "auto", {}, False, True),
        (False, "auto", {}, True, False),
        (True, "never", {}, False, False),
        (False, "always", {}, False, True),
        (True, "auto", {"NO_COLOR": "1"}, False, False),
        (True, "auto", {"NO_COLOR": ""}, False, True),
        (True, "always", {"NO_COLOR": "1"}, False, True),
        (False, "auto", {"CLICOLOR_FORCE": "1"}, False, True),
        (False, "auto", {"CLICOLOR_FORCE": "0"}, True, False),
        (False, "never", {"CLICOLOR_FORCE": "1"}, True, False),
        (False, "auto", {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, False),
        (True, "auto", {"TERM": "dumb"}, False, False),
        (True, "auto", {"TERM": "dumb", "CLICOLOR_FORCE": "1"}, False, True),
    ],
)
def test_form_and_color(tty: bool, choice: str, environ: dict[str, str], pipe: bool, color: bool) -> None:
    terminal = CapturedTerminal(tty=tty, color=choice, environ=environ)
    assert (terminal.pipe, terminal.color) == (pipe, color)


def test_colour_is_judged_for_each_stream() -> None:
    terminal = CapturedTerminal(tty=False, err_tty=True)
    assert (terminal.pipe, terminal.color, terminal.notices_in_color, terminal.err_tty) == (
        True,
        False,
        True,
        True,
    )


def test_the_choice_of_colour_may_come_after_the_terminal() -> None:
    terminal = CapturedTerminal(tty=False)
    terminal.color_choice = "always"
    assert (terminal.pipe, terminal.color) == (False, True)


@pytest.mark.parametrize(
    ("environ", "width"),
    [
        ({}, 80),
        ({"COLUMNS": "40"}, 40),
        ({"COLUMNS": "0"}, 80),
        ({"COLUMNS": "wide"}, 80),
        ({"COLUMNS": "999999999"}, 80),
    ],
)
def test_the_width_of_a_pipe_is_columns_or_80(environ: dict[str, str], width: int) -> None:
    assert on(BytesIO(), **environ).width == width


@pytest.mark.parametrize(("encoding", "ascii"), [("utf-8", False), ("gb18030", False), ("latin-1", True)])
def test_shapes_are_ascii_where_the_encoding_lacks_them(encoding: str, ascii: bool) -> None:
    assert CapturedTerminal(encoding=encoding).ascii is ascii


def test_what_an_encoding_lacks_is_visible() -> None:
    terminal = CapturedTerminal(encoding="latin-1")
    terminal.write("Grüße 你 \U0001f600\n")
    assert terminal.out_text == "Grüße \\u{4F60} \\u{1F600}\n"


# --- writing


def test_data_waits_for_a_flush_and_a_line_on_stderr_comes_after_it() -> None:
    both = BytesIO()
    terminal = on(both, both)
    terminal.write("one\n")
    assert both.getvalue() == b""
    terminal.say("two")
    terminal.write("three\n")
    terminal.close()
    assert both.getvalue() == b"one\ntwo\nthree\n"


def test_data_goes_out_in_chunks_without_a_flush() -> None:
    out = BytesIO()
    terminal = on(out)
    terminal.write("x" * 65536)
    assert len(out.getvalue()) == 65536


def test_a_prompt_has_no_newline() -> None:
    terminal = CapturedTerminal()
    terminal.ask("password: ")
    assert (terminal.out_text, terminal.err_text) == ("", "password: ")


def test_a_closed_pipe_is_a_reader_gone_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with FileIO(writer, "w") as pipe:
        terminal = on(pipe)
        terminal.write("x\n")
        with pytest.raises(ReaderGone):
            terminal.flush()
        terminal.write("y\n")
        terminal.close()


def test_a_full_disk_is_an_error_in_words_and_nothing_is_lost_before_it() -> None:
    disk = Full(5)
    terminal = on(disk)
    terminal.write("0123456789\n")
    with pytest.raises(LocalError) as caught:
        terminal.close()
    assert caught.value.message == "output can't be written: No space left on device"
    assert disk.taken == b"01234"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_dev_full_is_full() -> None:
    with FileIO("/dev/full", "w") as full, pytest.raises(LocalError, match="No space left on device"):
        terminal = on(full)
        terminal.write("x\n")
        terminal.flush()


def test_a_process_started_without_stdout_can_not_write() -> None:
    terminal = Terminal(Stream.of(None), Stream.of(None), {})
    terminal.say("nobody reads this")
    terminal.write("x\n")
    with pytest.raises(LocalError) as caught:
        terminal.flush()
    assert caught.value.message == "output can't be written: it is closed"


def test_saying_something_keeps_a_failure_of_stdout_for_the_next_flush() -> None:
    err = BytesIO()
    terminal = on(Full(0), err)
    terminal.write("x\n")
    terminal.say("error: something else")
    assert err.getvalue() == b"error: something else\n"
    with pytest.raises(LocalError):
        terminal.flush()
    terminal.close()


def test_nobody_reading_stderr_stops_nothing() -> None:
    out = BytesIO()
    terminal = on(out, Full(0))
    terminal.say("a notice")
    terminal.write("x\n")
    terminal.close()
    assert out.getvalue() == b"x\n"


class Interrupted(BytesIO):
    """Takes three bytes, then the user presses Ctrl-C, once."""

    def write(self, data: bytes, /) -> int:
        if self.tell() == 3 and not hasattr(self, "again"):
            self.again = True
            raise KeyboardInterrupt
        return super().write(data if self.tell() else data[:3])


def test_what_an_interrupt_left_over_is_written_at_the_end() -> None:
    out = Interrupted()
    terminal = on(out)
    terminal.write("0123456789\n")
    with pytest.raises(KeyboardInterrupt):
        terminal.flush()
    terminal.write("]\n")
    terminal.close()
    assert out.getvalue() == b"0123456789\n]\n"


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    got: list[bytes] = []

    def read() -> None:
        with FileIO(reader) as pipe:
            while part := pipe.read(65536):
                got.append(part)

    thread = threading.Thread(target=read)
    with FileIO(writer, "w") as pipe:
        terminal = on(pipe)
        thread.start()
        terminal.write("x" * 3_000_000)  # far more than a pipe holds
        terminal.close()
    thread.join()
    assert len(b"".join(got)) == 3_000_000


# --- the live line


def test_the_live_line_stands_below_everything_and_the_cursor_before_it() -> None:
    terminal = CapturedTerminal(width=20)
    screen = Screen(terminal, 20)
    terminal.live(lambda width: "live"[:width])
    terminal.write("one\n")
    assert screen.rows() == ["one", "live"]
    assert screen.cursor() == (0, 1)
    terminal.write("two\n")
    assert screen.rows() == ["one", "two", "live"]


def test_a_line_on_stderr_pushes_the_live_line_down() -> None:
    both = BytesIO()
    terminal = Terminal(Stream(both, tty=True), Stream(both, tty=True), {"COLUMNS": "20", "NO_COLOR": "1"})
    terminal.write("one\n")
    terminal.live(lambda width: "live")
    terminal.say("notice")
    assert both.getvalue() == b"one\nlive\r\r\x1b[Jnotice\nlive\r"


def test_the_live_line_never_gets_into_the_scrollback() -> None:
    terminal = CapturedTerminal(width=20)
    screen = Screen(terminal, 20, lines=4)
    for number in range(30):
        terminal.live(lambda width, number=number: f"live {number}")
        terminal.write(f"line {number}\n")
        screen.rows()
    assert screen.rows() == [f"line {number}" for number in range(30)] + ["live 29"]


def test_closing_takes_the_live_line_away_and_leaves_the_cursor_in_an_empty_line() -> None:
    terminal = CapturedTerminal(width=20)
    screen = Screen(terminal, 20)
    terminal.write("one\n")
    terminal.live(lambda width: "live")
    assert screen.rows() == ["one", "live"]
    terminal.close()
    assert screen.rows() == ["one"]
    assert screen.cursor() == (0, 1)


def test_the_live_line_gets_one_cell_less_than_there_is_also_after_a_resize() -> None:
    terminal = CapturedTerminal(width=20)
    screen = Screen(terminal, 20)
    terminal.live(lambda width: "x" * width)
    terminal.write("one\n")
    assert screen.rows() == ["one", "x" * 19]
    screen.resize(10)
    terminal.write("two\n")
    assert screen.rows() == ["one", "two", "x" * 9]
    screen.resize(30)
    terminal.write("three\n")
    assert screen.rows() == ["one", "two", "three", "x" * 29]


def test_a_terminal_that_reflows_when_made_narrower_keeps_no_remains() -> None:
    terminal = CapturedTerminal(width=20, color="never")
    terminal.write("one\n")
    terminal.live(lambda width: "x" * width)
    before = terminal.out_text
    terminal.resize(8)
    terminal.write("two\n")
    after = terminal.out_text[len(before) :]
    # What such a terminal shows then: the line broken in three, the cursor still at its first cell.
    screen = pyte.Screen(8, 6)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed("one\n" + "x" * 19 + "\r\x1b[2A" + after)
    assert [row.rstrip() for row in screen.display] == ["one", "two", "x" * 7, "", "", ""]


def test_the_live_line_waits_for_the_end_of_an_unfinished_line() -> None:
    terminal = CapturedTerminal(width=20)
    screen = Screen(terminal, 20)
    terminal.live(lambda width: "live")
    terminal.write("hal")
    assert screen.rows() == ["hal"]
    terminal.write("f\n")
    assert screen.rows() == ["half", "live"]


def test_a_live_line_that_stays_the_same_is_not_written_again() -> None:
    terminal = CapturedTerminal()
    terminal.live(lambda width: "live")
    before = terminal.out_text
    terminal.live(lambda width: "live")
    assert terminal.out_text == before


def test_the_live_line_is_dim_where_there_is_colour() -> None:
    terminal = CapturedTerminal()
    terminal.live(lambda width: "live")
    assert terminal.out_text == "\x1b[2mlive\x1b[0m\r"


@pytest.mark.parametrize(
    ("tty", "environ"), [(False, {}), (False, {"CLICOLOR_FORCE": "1"}), (True, {"TERM": "dumb"})]
)
def test_there_is_no_live_line_in_a_pipe_or_on_a_dumb_terminal(tty: bool, environ: dict[str, str]) -> None:
    terminal = CapturedTerminal(tty=tty, environ=environ)
    terminal.live(lambda width: "live")
    terminal.write("one\n")
    assert (terminal.has_live_line, terminal.out_text) == (False, "one\n")


def test_progress_stands_on_stderr_while_data_goes_to_a_pipe() -> None:
    terminal = CapturedTerminal(tty=False, err_tty=True, color="never")
    terminal.progress(lambda width: "500 messages")
    terminal.write("row\n")
    terminal.flush()
    terminal.progress(None)
    assert (terminal.out_text, terminal.err_text) == ("row\n", "500 messages\r\r\x1b[J")


def test_progress_gives_way_to_data_on_the_same_terminal() -> None:
    both = BytesIO()
    terminal = Terminal(Stream(both, tty=True), Stream(both, tty=True), {"COLUMNS": "20", "NO_COLOR": "1"})
    terminal.progress(lambda width: "reading")
    terminal.write("one\n")
    terminal.flush()
    assert both.getvalue() == b"reading\r\r\x1b[Jone\nreading\r"


def test_there_is_no_progress_where_nobody_looks() -> None:
    terminal = CapturedTerminal(tty=True, err_tty=False)
    terminal.progress(lambda width: "reading")
    assert (terminal.out_text, terminal.err_text) == ("", "")


# --- the process's own


@pytest.mark.parametrize(
    ("encoding", "expected"), [("ascii", b'"\\u00e9 \\ud83d\\ude00"'), ("latin-1", b'"\xe9 \\ud83d\\ude00"')]
)
def test_json_stays_json_where_the_terminal_lacks_a_character(encoding: str, expected: bytes) -> None:
    raw = BytesIO()
    stream = Stream(raw, tty=True, encoding=encoding, json=True)
    stream.add('"é 😀"')
    stream.drain()
    assert raw.getvalue() == expected


def child(code: str, **environ: str) -> subprocess.Popen[bytes]:
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **environ}
    start = "import os; from smscli.output.terminal import Terminal; t = Terminal.of_process(os.environ)\n"
    return subprocess.Popen([sys.executable, "-c", start + code], env=own, stdout=-1, stderr=-1, stdin=-1)


def on_pty(code: str, columns: int = 33, **environ: str) -> bytes:
    """What a process writes whose stdout is a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", **environ}
    start = "import os; from smscli.output.terminal import Terminal; t = Terminal.of_process(os.environ)\n"
    process = subprocess.Popen([sys.executable, "-c", start + code], env=own, stdout=slave, stderr=-1)
    got = b""
    os.close(slave)
    try:
        while part := os.read(master, 4096):
            got += part
    except OSError:  # Linux says so when the last process has closed the terminal
        pass
    os.close(master)
    assert process.stderr is not None
    with process, process.stderr as errors:
        assert errors.read() == b""
    return got


ASK = "t.write(f'{t.width} {t.pipe} {t.color} {t.ascii} {t.has_live_line} é●\\n'); t.close()"


def test_a_real_terminal_tells_its_width() -> None:
    assert on_pty(ASK, LC_ALL="C.UTF-8").decode() == "33 False True False True é●\r\n"
    assert on_pty(ASK, LC_ALL="C.UTF-8", COLUMNS="44").decode() == "33 False True False True é●\r\n"


def test_a_real_terminal_in_the_c_locale_gets_ascii() -> None:
    assert on_pty(ASK, LC_ALL="C").decode() == "33 False True True True \\u{E9}\\u{25CF}\r\n"


def test_the_width_follows_a_resize() -> None:
    code = """
import fcntl, struct, termios
for columns in (20, 70, 0):
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
    t.write(f"{t.width}\\n")
t.close()
"""
    assert on_pty(code) == b"20\r\n70\r\n80\r\n"


def test_a_pipe_is_utf_8_in_any_locale() -> None:
    with child(ASK, LC_ALL="C") as process:
        assert process.communicate() == ("80 True False False False é●\n".encode(), b"")


def test_a_reader_that_goes_leaves_no_words_behind() -> None:
    code = """
from smscli.errors import ReaderGone
import sys
try:
    for n in range(200000):
        t.write(f"{n}\\n")
    t.close()
except ReaderGone:
    t.close()
    sys.exit(141)
"""
    with child(code) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
