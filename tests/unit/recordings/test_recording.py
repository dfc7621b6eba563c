"""The recording: whole lines after a crash at any byte, each message once, read back as it came."""

import errno
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from io import BytesIO, FileIO, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.errors import LocalError, NotFound, SmscliError
from smscli.gws.decode import message_from_json
from smscli.gws.json_body import decode
from smscli.model import Message
from smscli.output.export import entry_json
from smscli.recordings.format import line_of
from smscli.recordings.reads import RecordedReads
from smscli.recordings.writing import RecordingFile
from smscli.records import message_json
from smscli.transcript.fold import Entry
from tests.support.keys import key_of
from tests.support.paths import ROOT

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes, devices and signals of POSIX")

HELLO = (
    '{"sessionId":"0000A","key":"4d605fb2706799bbcdb7debdde34be48","index":1,'
    '"from":{"type":"Customer","nickname":"Zoë","participantId":"p1"},'
    '"text":"Grüße 👋","visibility":"All","type":"Text","timestamp":"2026-03-02T10:00:00.123Z"}\n'
).encode()
ANSWER = (
    b'{"sessionId":"0000A","key":"fcf49b5a78cce2ea32f5e025bd323a19","index":2,'
    b'"from":{"type":"Agent","nickname":"kim","participantId":"p2"},'
    b'"text":"hello","visibility":"All","type":"Text","timestamp":"2026-03-02T10:00:04.000Z"}\n'
)
OTHER = (
    b'{"sessionId":"0000B","key":"4cfe13de82e204ac5fdb7a54b611c18d","index":1,"from":null,"visibility":null,'
    b'"type":"Notice","noticeText":"closed",'
    b'"timestamp":null,"timestampRaw":"yesterday"}\n'
)
NOTICE = b'{"notice":{"kind":"lost","sessionId":null,"message":"connection lost, retrying"}}\n'


def text(index: int, body: str, session: str = "0000A", **more: object) -> Message:
    return message_from_json({"index": index, "type": "Text", "text": body, **more}, session)


def hello() -> Message:
    sender = {"type": "Customer", "nickname": "Zoë", "participantId": "p1"}
    at = "2026-03-02T11:00:00.123+0100"
    return message_from_json(
        {
            "index": 1,
            "type": "Text",
            "from": sender,
            "text": "Grüße 👋",
            "visibility": "All",
            "timestamp": at,
        },
        "0000A",
    )


def answer() -> Message:
    sender = {"type": "Agent", "nickname": "kim", "participantId": "p2"}
    at = "2026-03-02T10:00:04.000+0000"
    return message_from_json(
        {"index": 2, "type": "Text", "from": sender, "text": "hello", "visibility": "All", "timestamp": at},
        "0000A",
    )


def lines_of(messages: Iterable[Message], *, redact: bool = False) -> bytes:
    return b"".join(line_of(one, masked=redact) for one in messages)


def messages_of(recording: RecordingFile) -> list[Message]:
    return [line.record for line in recording.lines() if isinstance(line.record, Message)]


def kept(path: Path, **options: Any) -> list[Message]:
    with closing(RecordingFile.open(str(path), **options)) as recording:
        return messages_of(recording)


def keep(path: Path, *messages: Message, **options: Any) -> None:
    with closing(RecordingFile.open(str(path), **options)) as recording:
        messages_of(recording)
        recording.append(lines_of(messages, **options))


def marked(line: bytes) -> bytes:
    """The line with the mark of a masked recording."""
    return line.removesuffix(b"}\n") + b',"masked":true}\n'


def refusal(path: Path, **options: Any) -> tuple[str, str | None]:
    with pytest.raises(LocalError) as caught:
        RecordingFile.open(str(path), **options)
    return caught.value.message, caught.value.hint


def read_messages(
    source: str, session: str | None = None, *, stdin: BinaryIO, notice: Callable[[str], object]
) -> Generator[Message, None, None]:
    """The messages of one session or of all; `stdin` is the standard input."""
    with patched_stdin(stdin):
        reads = RecordedReads([source], notice)
        pages = reads.log(streamed=True) if session is None else reads.messages(session)
        for page in pages:
            yield from page.messages


@contextmanager
def patched_stdin(stdin: BinaryIO) -> Iterator[None]:
    before, sys.stdin = sys.stdin, TextIOWrapper(stdin)
    try:
        yield
    finally:
        sys.stdin.detach()
        sys.stdin = before


def shown(data: bytes, session: str | None = None) -> list[str]:
    """The messages of a recording on standard input, as JSON, and the notices among them."""
    lines: list[str] = []
    for message in read_messages("-", session, stdin=BytesIO(data), notice=lines.append):
        lines.append(message_json(message))
    return lines


def complaint(data: bytes, session: str | None = None) -> SmscliError:
    with pytest.raises(SmscliError) as caught:
        shown(data, session)
    return caught.value


def as_text(*lines: bytes) -> list[str]:
    return [line.decode().removesuffix("\n") for line in lines]


# Keeping


def test_a_recording_holds_the_lines_that_tail_writes_as_json(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep(path, hello(), answer())
    assert path.read_bytes() == HELLO + ANSWER


def test_a_recording_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep(path, hello())
    keep(path, answer())
    assert path.read_bytes() == HELLO + ANSWER


def test_nothing_but_the_recording_is_left_beside_it(tmp_path: Path) -> None:
    keep(tmp_path / "log.jsonl", hello())
    assert os.listdir(tmp_path) == ["log.jsonl"]


@posix
def test_a_new_recording_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep(path)
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o600, b"")


@posix
def test_a_recording_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(HELLO)
    path.chmod(0o664)
    keep(path, answer())
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o600, HELLO + ANSWER)


@posix
def test_a_recording_through_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "log.jsonl")
    keep(link, hello())
    assert link.is_symlink()
    assert (tmp_path / "log.jsonl").read_bytes() == HELLO


# Refusing


def test_a_recording_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "log.jsonl"
    assert refusal(path) == (f"{path} can't be opened: No such file or directory", None)


@posix
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/null") if kind == "device" else tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    assert refusal(path) == (f"{path} can't be opened: not a regular file", None)


@pytest.mark.parametrize(
    "content",
    [
        b"milk\neggs\n",
        b"milk",
        b"milk\neggs",
        b'{"id":"0000A","state":"Chatting"}\n',
        b'[{"sessionId":"0000A","type":"Text"}]\n',
        b"\x89PNG\r\n\x1a\n\0\0\0",
        b"7",
        b'{"sessionId":7,"type":"Text"}\n',
        b'{"notice":{},"error":{}}\n',
    ],
)
def test_a_file_that_is_no_recording_is_refused_and_left_as_it_was(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    path.chmod(0o644)
    assert refusal(path) == (f"{path} is not a recording; it is unchanged", "name a new file")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o644, content)


def test_a_broken_line_in_the_middle_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(HELLO + HELLO[:50] + b"\n" + ANSWER)
    with closing(RecordingFile.open(str(path))) as recording, pytest.raises(LocalError) as caught:
        messages_of(recording)
    assert caught.value.message == f"line 2 of {path} is not a message"


HOLDER = """
import sys
from contextlib import closing
from smscli.recordings.writing import RecordingFile
with closing(RecordingFile.open(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()


def test_a_second_process_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep(path, hello())
    with held_elsewhere(path):
        with path.open("ab") as file:
            file.write(ANSWER[:30])
        assert refusal(path) == (
            f"another process is recording to {path}",
            "use one file per tail",
        )
        assert path.read_bytes() == HELLO + ANSWER[:30]


def test_a_killed_process_gives_the_recording_free(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with held_elsewhere(path) as child:
        child.kill()
        child.wait()
        keep(path, hello())
    assert path.read_bytes() == HELLO


def test_a_refused_recording_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep(path, hello())
    refusal(path, redact=True)
    keep(path, answer())
    assert path.read_bytes() == HELLO + ANSWER


# The setting it was begun under


def test_masked_lines_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep(path, hello(), redact=True)
    keep(path, answer(), redact=True)
    assert path.read_bytes() == marked(HELLO) + marked(ANSWER)
    assert [message_json(one) for one in kept(path, redact=True)] == as_text(HELLO, ANSWER)
    assert shown(path.read_bytes()) == as_text(HELLO, ANSWER)


def test_going_on_under_the_other_setting_is_refused(tmp_path: Path) -> None:
    plain, masked = tmp_path / "plain", tmp_path / "masked"
    keep(plain, hello())
    keep(masked, hello(), redact=True)
    assert refusal(plain, redact=True) == (
        f"{plain} was started without --redact",
        "run tail without it, or record to another file",
    )
    assert refusal(masked) == (
        f"{masked} was started with --redact",
        "run tail with it, or record to another file",
    )
    assert (plain.read_bytes(), masked.read_bytes()) == (HELLO, marked(HELLO))


def test_a_line_under_the_other_setting_further_down_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(NOTICE + HELLO + marked(ANSWER))
    with closing(RecordingFile.open(str(path))) as recording, pytest.raises(LocalError) as caught:
        messages_of(recording)
    assert caught.value.message == f"{path} was started with --redact"


@pytest.mark.parametrize("content", [b"", b"\n", b" " + HELLO[:40]])
def test_a_file_without_a_message_has_no_setting(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    keep(path, hello())
    assert path.read_bytes() == (b"\n" if content == b"\n" else b"") + HELLO


# Crashes


def whole_lines(lines: list[bytes], cut: int) -> list[bytes]:
    """What a crash after `cut` bytes leaves: a line that lacks its newline alone says all that it had to."""
    ends = [len(b"".join(lines[: n + 1])) for n in range(len(lines))]
    return [line for line, end in zip(lines, ends, strict=True) if end - 1 <= cut]


@pytest.mark.slow
@pytest.mark.parametrize("redact", [False, True])
def test_a_crash_at_any_byte_leaves_whole_lines_to_go_on_from(tmp_path: Path, redact: bool) -> None:
    mark = marked if redact else bytes
    log = [hello(), answer(), text(3, "x" * 200)]
    lines = [mark(HELLO), mark(ANSWER), mark(message_json(log[2]).encode() + b"\n")]
    whole = b"".join(lines)
    path = tmp_path / "log.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        held = whole_lines(lines, cut)
        with closing(RecordingFile.open(str(path), redact=redact)) as recording:
            assert path.read_bytes() == b"".join(held)
            assert messages_of(recording) == log[: len(held)]
            recording.append(lines_of(log[len(held) :], redact=redact))
        assert path.read_bytes() == whole


LOG = [hello(), answer(), *(text(index, "hm" * index) for index in range(3, 9))]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.booleans()), max_size=8), st.booleans())
def test_whatever_is_cut_off_and_however_often_the_log_is_whole_in_the_end(
    runs: list[tuple[int, float, bool]], redact: bool
) -> None:
    """Each run keeps a few messages, and then some end of the file is lost, or zeros stand there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.jsonl")
        for wanted, share, zeros in [*runs, (len(LOG), 1.0, False)]:
            with closing(RecordingFile.open(str(path), redact=redact)) as recording:
                held = messages_of(recording)
                assert held == LOG[: len(held)]
                for message in LOG[len(held) : len(held) + wanted]:
                    recording.append(lines_of([message], redact=redact))
            whole = path.read_bytes()
            cut = round(len(whole) * share)
            path.write_bytes(whole[:cut] + b"\0" * ((len(whole) - cut) * zeros))
        mark = marked if redact else bytes
        assert path.read_bytes() == b"".join(mark(message_json(one).encode() + b"\n") for one in LOG)


@pytest.mark.parametrize(
    "torn", [b"\0" * 100, HELLO[:30] + b"\0" * 70_000, b"\xf0\x9f", b"7", b'{"notice":{}}', b"x" * 200_000]
)
def test_whatever_stands_in_place_of_a_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(HELLO + torn)
    keep(path, answer())
    assert path.read_bytes() == HELLO + ANSWER


@pytest.mark.parametrize("torn", [b"{", HELLO[:30], b'{"record":"session","at":"2026-03-02T10'])
def test_a_torn_line_may_be_the_only_one(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(torn)
    keep(path, hello())
    assert path.read_bytes() == HELLO


def test_zeros_in_place_of_the_first_line_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\0" * 4096)
    keep(path, hello())
    assert path.read_bytes() == HELLO


def test_a_long_last_line_without_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    long = text(3, "ü" * 100_000)
    path.write_bytes(HELLO + message_json(long).encode())
    keep(path, answer())
    assert path.read_bytes() == HELLO + message_json(long).encode() + b"\n" + ANSWER


WRITER = """
import sys
from contextlib import closing
from smscli.recordings.format import line_of
from smscli.recordings.writing import RecordingFile
from smscli.gws.decode import message_from_json

def message(index):
    return message_from_json({"index": index, "type": "Text", "text": f"{index} " + "é" * 900}, "0000A")

with closing(RecordingFile.open(sys.argv[1])) as recording:
    start, end = sum(1 for _ in recording.lines()), int(sys.argv[2])
    print(start, flush=True)
    for index in range(start, end, 50):
        lines = [line_of(message(one)) for one in range(index, min(index + 50, end))]
        recording.append(b"".join(lines))
"""


def written(path: Path, end: int, kill_after: float | None) -> int:
    """Let a process record messages up to `end`, and kill it that many seconds after it began."""
    command = [sys.executable, "-c", WRITER, str(path), str(end)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip().isdigit()
        try:
            child.wait(kill_after)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.returncode


@pytest.mark.slow
@posix
def test_a_recording_killed_again_and_again_is_exactly_the_log(tmp_path: Path) -> None:
    path, chance = tmp_path / "log.jsonl", random.Random(7)
    codes = [written(path, 1_000_000, chance.uniform(0, 0.006)) for _ in range(40)]
    assert codes == [-signal.SIGKILL] * 40
    end = path.read_bytes().count(b"\n") + 100
    assert written(path, end, None) == 0
    bodies = [f"{index} {'é' * 900}" for index in range(end)]
    lines = (
        f'{{"sessionId":"0000A","key":"{key_of("0000A", index, "Text", text=body)}","index":{index},'
        f'"text":"{body}","from":null,"visibility":null,"type":"Text","timestamp":null}}\n'
        for index, body in enumerate(bodies)
    )
    assert path.read_bytes() == "".join(lines).encode()


# Failing disks and interrupts


class Disk(FileIO):
    """A file whose writes take no more than `takes` says, one entry a write: a number of bytes, an error."""

    def __init__(self, path: Path, *takes: int | BaseException, truncates: bool = True) -> None:
        super().__init__(path, "a+")
        self.takes = list(takes)
        self.truncates = truncates

    def write(self, data: Any) -> int:
        take = self.takes.pop(0) if self.takes else len(data)
        if isinstance(take, BaseException):
            raise take
        return super().write(bytes(data[:take]))

    def truncate(self, size: int | None = None) -> int:
        if not self.truncates:
            raise OSError(errno.EIO, "Input/output error")
        return super().truncate(size)


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_short_write_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with closing(RecordingFile(Disk(path, 1, 20, 3), "log")) as recording:
        recording.append(lines_of([hello(), answer()]))
    assert path.read_bytes() == HELLO + ANSWER


def test_a_full_disk_is_an_error_and_nothing_of_the_append_stays(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    recording = RecordingFile(Disk(path, len(HELLO) + 40, FULL), "log.jsonl")
    with pytest.raises(LocalError) as caught:
        recording.append(lines_of([hello(), answer()]))
    assert caught.value.message == "log.jsonl can't be written: No space left on device"
    assert caught.value.hint is None
    assert path.read_bytes() == b""
    recording.close()


def test_half_a_line_that_cannot_be_cut_off_is_never_continued(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    disk = Disk(path, 40, FULL, truncates=False)
    recording = RecordingFile(disk, "log.jsonl")
    for _ in range(2):
        with pytest.raises(LocalError):
            recording.append(lines_of([hello()]))
        assert path.read_bytes() == HELLO[:40]
    disk.truncates = True
    recording.append(lines_of([hello()]))
    recording.close()
    assert path.read_bytes() == HELLO


@pytest.mark.parametrize("written_before", range(0, len(HELLO + ANSWER), 13))
def test_an_interrupt_in_a_write_leaves_nothing_of_it(tmp_path: Path, written_before: int) -> None:
    path = tmp_path / "log.jsonl"
    recording = RecordingFile(Disk(path, written_before, KeyboardInterrupt()), "log.jsonl")
    with pytest.raises(KeyboardInterrupt):
        recording.append(lines_of([hello(), answer()]))
    third = text(3, "still there?")
    recording.append(lines_of([third]))
    recording.close()
    assert path.read_bytes() == message_json(third).encode() + b"\n"


LIMITED = """
import resource, sys
from contextlib import closing
from smscli.errors import LocalError
from smscli.recordings.format import line_of
from smscli.recordings.writing import RecordingFile
from smscli.gws.decode import message_from_json

def message(index):
    return message_from_json({"index": index, "type": "Text", "text": "x" * 100}, "0000A")

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

limit(1200)
try:
    with closing(RecordingFile.open(sys.argv[1])) as recording:
        recording.append(b"".join(line_of(message(one)) for one in range(20)))
except LocalError as error:
    print(error.message)
limit(resource.RLIM_INFINITY)
with closing(RecordingFile.open(sys.argv[1])) as recording:
    held = len(list(recording.lines()))
    print(held)
    recording.append(b"".join(line_of(message(one)) for one in range(held, 20)))
"""


@posix
def test_a_disk_that_is_really_full_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    command = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    # Each line has 241 to 242 bytes: the fifth does not fit, and all or none are written.
    line = (
        '{{"sessionId":"0000A","key":"{}","index":{},"text":"{}","from":null,"visibility":null,'
        '"type":"Text","timestamp":null}}\n'
    )
    assert done.stdout == f"{path} can't be written: File too large\n0\n"
    said = "x" * 100
    lines = (line.format(key_of("0000A", one, "Text", text=said), one, said) for one in range(20))
    assert path.read_text() == "".join(lines)


# Syncing


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.synced: list[float] = []

    def __call__(self) -> float:
        return self.now

    def fsync(self, handle: int) -> None:
        self.synced.append(self.now)


def test_a_busy_recording_is_synced_each_second(tmp_path: Path) -> None:
    clock = Clock()
    with closing(RecordingFile(Disk(tmp_path / "log"), "log", clock=clock, fsync=clock.fsync)) as recording:
        for tenth in range(1, 35):
            clock.now = tenth / 10
            recording.append(lines_of([hello()]))
        assert clock.synced == [1.0, 2.0, 3.0]
    assert clock.synced == [1.0, 2.0, 3.0, 3.4]


def test_an_idle_recording_is_synced_once(tmp_path: Path) -> None:
    clock = Clock()
    with closing(RecordingFile(Disk(tmp_path / "log"), "log", clock=clock, fsync=clock.fsync)) as recording:
        recording.sync()
        recording.append(lines_of([hello()]))
        clock.now = 0.2
        recording.sync()
        clock.now = 5.0
        recording.sync()
        assert clock.synced == [0.2]
    assert clock.synced == [0.2]


def failing_fsync(handle: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_a_disk_that_cannot_be_synced_is_an_error(tmp_path: Path) -> None:
    recording = RecordingFile(Disk(tmp_path / "log"), "log", fsync=failing_fsync)
    recording.append(lines_of([hello()]))
    for attempt in (recording.sync, recording.close):
        with pytest.raises(LocalError) as caught:
            attempt()
        assert caught.value.message == "log can't be written: Input/output error"


# Reading back what was kept


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=6,
)
TIMES = st.sampled_from(
    ["2026-03-02T10:00:00.123+0000", "2013-12-27 13 : 16 : 41.187-08:00", "2026-02-30T10:00:00Z", "soon", ""]
)
SENDERS = st.dictionaries(
    st.sampled_from(["type", "nickname", "participantId", "visibility", "uri"]), VALUES | st.just("p1")
)
SENT = st.fixed_dictionaries(
    {},
    optional={
        "index": VALUES | st.integers(-1, 5),
        "type": VALUES | st.sampled_from(["Text", "Notice"]),
        "from": VALUES | SENDERS,
        "visibility": VALUES,
        "text": VALUES,
        "url": VALUES,
        "noticeText": VALUES,
        "attachment": VALUES | st.dictionaries(st.just("name"), VALUES),
        "timestamp": VALUES | TIMES,
        "timestampSeconds": VALUES | st.integers(0, 2**53),
        "sessionId": VALUES,
        "late": VALUES,
        "draft": VALUES,
        "Ünknown\n": VALUES,
    },
)


def received(sent: dict[str, object], late: bool) -> Message:
    """As it comes out of the server's answer, in which a pair of surrogates is one character."""
    message = message_from_json(decode(json.dumps(sent).encode()), "0000A")
    return replace(message, late=late)


@given(st.lists(st.builds(received, SENT, st.booleans()), max_size=4), st.booleans())
def test_what_is_read_back_is_what_was_kept(log: list[Message], redact: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.jsonl")
        keep(path, *log, redact=redact)
        back = kept(path, redact=redact)
        lines = shown(path.read_bytes())
    assert [one.identity for one in back] == [one.identity for one in log]
    assert [replace(one, late=False) for one in back] == [replace(one, late=False) for one in log]
    assert [one.late for one in back] == [one.late or one.sent.get("late") is True for one in log]
    assert [message_json(one) for one in back] == [message_json(one) for one in log] == lines


def test_a_late_message_is_late_when_read_back(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep(path, replace(hello(), late=True), answer())
    assert [one.late for one in kept(path)] == [True, False]


def test_a_time_that_cannot_be_read_is_the_servers_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    message = text(1, "hm", timestamp="tomorrow")
    keep(path, message)
    [back] = kept(path)
    assert (back.at, back.sent["timestamp"], back.identity) == (None, "tomorrow", message.identity)


def test_any_number_of_participants_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = [text(n, "hi", **{"from": {"participantId": f"p{n}"}}) for n in range(3000)]
    keep(path, *log)
    assert kept(path) == log


def test_a_message_nested_too_deeply_is_refused() -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(LocalError) as caught:
        line_of(text(2, "hm", more=deep))
    assert caught.value.message == "message 2 of session 0000A is nested too deeply to be recorded"


# messages --source


def test_without_an_id_all_sessions_are_read_in_the_files_order() -> None:
    log = HELLO + OTHER + ANSWER
    assert shown(log) == [
        *as_text(HELLO),
        '{"sessionId":"0000B","key":"4cfe13de82e204ac5fdb7a54b611c18d","index":1,"from":null,"visibility":null,'
        '"noticeText":"closed",'
        '"timestampRaw":"yesterday","type":"Notice","timestamp":null}',
        *as_text(ANSWER),
    ]


def test_one_session_is_chosen_by_its_id() -> None:
    assert shown(HELLO + OTHER + ANSWER, "0000A") == as_text(HELLO, ANSWER)


def test_a_session_that_is_not_in_the_recording_is_said() -> None:
    error = complaint(HELLO + OTHER + ANSWER, "0000C")
    assert isinstance(error, NotFound)
    assert error.message == "no session 0000C in standard input"


def test_an_empty_recording_has_no_messages_and_no_session() -> None:
    assert shown(b"") == []
    assert complaint(b"", "0000C").exit_code == 5


def test_a_file_is_read_like_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(HELLO + ANSWER)
    notices: list[str] = []
    found = read_messages(str(path), "0000A", stdin=BytesIO(), notice=notices.append)
    assert [message_json(one) for one in found] == as_text(HELLO, ANSWER)
    with pytest.raises(NotFound) as caught:
        list(read_messages(str(path), "0000C", stdin=BytesIO(), notice=notices.append))
    assert caught.value.message == f"no session 0000C in {path}"
    assert notices == []


def test_a_message_is_there_before_the_next_one_is_written() -> None:
    inward, outward = os.pipe()
    with open(inward, "rb") as stdin, open(outward, "wb", buffering=0) as writer:
        messages = read_messages("-", stdin=stdin, notice=pytest.fail)
        for line, body in ((HELLO, "Grüße 👋"), (ANSWER, "hello")):
            writer.write(line)
            assert next(messages).text == body
        messages.close()


def test_repeated_lines_are_shown_as_often_as_they_stand() -> None:
    assert shown(HELLO + HELLO) == as_text(HELLO, HELLO)


def test_blank_lines_and_what_was_said_on_stderr_are_passed_over() -> None:
    fault = b'{"error":{"kind":"unreachable","exitCode":3,"message":"no answer"}}\n'
    assert shown(NOTICE + HELLO + b"\n" + fault + b" \r\n" + ANSWER) == as_text(HELLO, ANSWER)


def test_windows_line_ends_and_a_byte_order_mark_are_harmless() -> None:
    assert shown(b"\xef\xbb\xbf" + (HELLO + ANSWER).replace(b"\n", b"\r\n")) == as_text(HELLO, ANSWER)


def test_the_lines_of_a_folded_transcript_can_be_read() -> None:
    line = entry_json(Entry(hello(), composing=4.0)).encode() + b"\n"
    found = list(read_messages("-", stdin=BytesIO(line), notice=pytest.fail))
    assert [one.identity for one in found] == [hello().identity]


def test_a_last_line_without_its_newline_is_read() -> None:
    assert shown(HELLO + ANSWER[:-1]) == as_text(HELLO, ANSWER)


@pytest.mark.parametrize("torn", [HELLO[:3], HELLO[:-2], HELLO[:40], b"\0\0\0"])
@pytest.mark.parametrize("before", [b"", HELLO])
def test_a_torn_last_line_is_said_and_left_out(before: bytes, torn: bytes) -> None:
    said = "the last line of standard input is truncated and was skipped"
    assert shown(before + torn) == [*as_text(*before.splitlines(keepends=True)), said]


def test_a_notice_that_is_cut_short_at_the_end_is_no_error() -> None:
    assert len(shown(HELLO + NOTICE[:20])) == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"milk", 1),
        (b"milk\n", 1),
        (HELLO + HELLO[:40] + b"\n" + ANSWER, 2),
        (HELLO + ANSWER[:40] + b"\n", 2),
        (HELLO + b"\n\n[1]\n", 4),
        (HELLO + b"null\n", 2),
        (HELLO + b'{"sessionId":"0000A"}\n', 2),
        (HELLO + b'{"sessionId":null,"type":"Text"}\n', 2),
        (HELLO + b'{"id":"0000A","state":"Chatting"}\n', 2),
        (HELLO + b'{"sessionId":"0000A","type":"\xff"}\n', 2),
        (HELLO + b'{"sessionId":"0000A","type":"Text","index":NaN}\n', 2),
        (HELLO + b'{"sessionId":"0000A","type":"Text","index":' + b"9" * 5000 + b"}\n", 2),
        (HELLO + b'{"sessionId":"0000A","type":"Text","more":' + b"[" * 5000 + b"}\n", 2),
        (b'[{"sessionId":"0000A","type":"Text"},\n{"sessionId":"0000A","type":"Text"}]\n', 1),
    ],
)
def test_a_line_that_is_no_message_is_named(content: bytes, line: int) -> None:
    error = complaint(content)
    assert isinstance(error, LocalError)
    assert error.message == f"line {line} of standard input is not a message"
    assert error.hint == "a recording has one message per line, as --record and `messages --jsonl` write them"


def test_a_recording_in_utf16_is_named_so() -> None:
    error = complaint(HELLO.decode().encode("utf-16"))
    assert isinstance(error, LocalError)
    assert error.message == "line 1 of standard input is not a message"
    assert error.hint == "it is UTF-16, as `>` of PowerShell writes; use --record FILE, or save it as UTF-8"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(LocalError) as caught:
            list(read_messages(str(path), stdin=BytesIO(), notice=pytest.fail))
        assert caught.value.message == f"{path} can't be read: {reason}"


@given(st.lists(st.binary() | st.sampled_from([HELLO, ANSWER, NOTICE, b"\n", b'{"sessionId":"'])))
def test_any_bytes_are_messages_or_an_error_of_ours(parts: list[bytes]) -> None:
    try:
        shown(b"".join(parts))
    except SmscliError as error:
        assert error.message.startswith("line ")
