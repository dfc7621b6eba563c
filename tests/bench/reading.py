"""Cost of reading a long log: time compared with the baseline, requests, memory."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line, count_at_most, exactly, ratio
from tests.bench.processes import Command, Environ, check
from tests.server.process import ServerProcess

_PAGE = 500
_PAGES = 20
_AHEAD = 4
_SMALL = 10_000
_CHECKS = 13
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# The last message's text in logs of 10,000, 100,000 and a million messages.
_LAST = rb"thanks a lot!"


class Form(NamedTuple):
    """An output format: its options, patterns of its first and last line, and extra environment variables."""

    options: tuple[str, ...]
    first: bytes
    last: bytes
    environ: Mapping[str, str] = {}

    def check(self, run: tuple[Command, Environ], least: int, most: int) -> None:
        """Check the format and the number of lines. Raises Failed."""
        check(*run, least, most, self.first, self.last)


_STAMPED = rb"[0-9-]{10}T[0-9:.]{12}Z(\t.*){6}\t"
FORMS = {
    "jsonl": Form(("--jsonl",), rb"\{.*\}", rb"\{.*%b.*\}" % _LAST),
    "json": Form(("--json",), rb"\[\{.*\},", rb"\{.*%b.*\}\]" % _LAST),
    "transcript": Form(
        ("--color", "always"),
        rb"\x1b\[1m.*\x1b\[0m",
        rb"\x1b\[2m[0-9:]{8}\x1b\[0m .*%b" % _LAST,
        {"COLUMNS": "100"},
    ),
    "tsv": Form((), _STAMPED + rb".*", rb"%b.*%b\t.*" % (_STAMPED, _LAST)),
    "html": Form(("--html", "-"), rb"<!DOCTYPE html>", rb"</html>"),
    "last": Form(("--last", "10"), _STAMPED + rb".*", rb"%b.*%b\t.*" % (_STAMPED, _LAST)),
}


def _messages(bench: BenchRun, server: ServerProcess, form: str) -> tuple[Command, Environ]:
    options, environ = FORMS[form].options, bench.environ(server, **FORMS[form].environ)
    return bench.smscli("messages", server.sessions[0], *options), environ


def _floor(bench: BenchRun, server: ServerProcess) -> tuple[Command, Environ]:
    return bench.floor("messages", server.messages_url(server.sessions[0])), bench.environ(server)


def requests_messages(bench: BenchRun) -> Iterator[Line]:
    with bench.serve(sessions=1, messages=_PAGE - 1) as server:
        check(*_messages(bench, server, "jsonl"), _PAGE - 1, _PAGE - 1)
        yield exactly("requests of `messages`, a session of one page, not full", len(server.requests()), 2)
    for length in (_PAGES * _PAGE, _PAGES * _PAGE - 1):
        with bench.serve(sessions=1, messages=length) as server:
            check(*_messages(bench, server, "jsonl"), length, length)
            measure = f"requests of `messages`, {_PAGES} pages, {length:,} messages"
            yield count_at_most(measure, len(server.requests()), _PAGES + _AHEAD)


def jsonl(bench: BenchRun) -> Iterator[Line]:
    yield _against_floor(bench, "`messages --jsonl`, {:,} messages / floor", 1.5)


def jsonl_slow(bench: BenchRun) -> Iterator[Line]:
    yield _against_floor(bench, "the same, 30 ms added to each answer", 0.4, delay=30)


def _against_floor(bench: BenchRun, measure: str, bar: float, delay: int = 0) -> Line:
    with bench.serve(sessions=1, messages=bench.size, **{"delay-ms": delay}) as server:
        sides = _messages(bench, server, "jsonl"), _floor(bench, server)
        for side in sides:
            FORMS["jsonl"].check(side, bench.size, bench.size)
        return ratio(measure.format(bench.size), *bench.times(*sides), bar=bar)


def transcript(bench: BenchRun) -> Iterator[Line]:
    with bench.serve(sessions=1, messages=bench.size) as server:
        ours, jsonl = (_messages(bench, server, form) for form in ("transcript", "jsonl"))
        FORMS["transcript"].check(ours, bench.size // 2, bench.size * 2)
        FORMS["jsonl"].check(jsonl, bench.size, bench.size)
        measure = f"transcript in colour, 100 columns, {bench.size:,} messages / `--jsonl`"
        yield ratio(measure, *bench.times(ours, jsonl), bar=1.5)


def grep(bench: BenchRun) -> Iterator[Line]:
    """A search that matches once in nearly every text, so that it saves no output."""
    with bench.serve(sessions=1, messages=bench.size) as server:
        plain, environ = _messages(bench, server, "jsonl")
        searching = [*plain, "--grep", "^[A-Za-z]"], environ
        FORMS["jsonl"].check(searching, bench.size // 2, bench.size)
        measure = f"`messages --jsonl --grep`, {bench.size:,} messages / without"
        yield ratio(measure, *bench.times(searching, (plain, environ)), bar=1.5)


def check_recording(bench: BenchRun) -> Iterator[Line]:
    """A healthy log, so that both write little or nothing but the log itself."""
    recording = _recording(bench, bench.size)
    checking, environ = bench.smscli("check", f"@{recording}"), bench.environ()
    reading = bench.smscli("messages", f"@{recording}", "--jsonl"), environ
    check(checking, environ, _CHECKS, _CHECKS, rb".*\twaiting\tok\t.*", rb".*\tconnection\tok\t.*")
    FORMS["jsonl"].check(reading, bench.size, bench.size)
    measure = f"`check @FILE`, {bench.size:,} messages / `messages @FILE --jsonl`"
    yield ratio(measure, *bench.times((checking, environ), reading), bar=1.5)


def memory_check(bench: BenchRun) -> Iterator[Line]:
    sides = []
    for length in (bench.size, _SMALL):
        command = bench.smscli("check", f"@{_recording(bench, length)}"), bench.environ()
        check(*command, _CHECKS, _CHECKS, rb".*\twaiting\tok\t.*", rb".*\tconnection\tok\t.*")
        sides.append(command)
    measure = f"peak memory, `check @FILE`, {bench.size:,} messages / {_SMALL:,}"
    yield ratio(measure, *bench.peaks(*sides), bar=1.25, counted=True)


def _recording(bench: BenchRun, length: int) -> Path:
    """A recording of one healthy session of so many messages: questions and answers, two seconds apart."""
    file = bench.folder / f"check-{length}.jsonl"
    if file.exists():
        return file
    people = [
        {"type": kind, "nickname": name, "participantId": name}
        for kind, name in (("Customer", "Mika"), ("Agent", "Robin"))
    ]
    session = {"id": "S1", "state": "Chatting", "participants": people}
    with file.open("w", encoding="utf-8") as lines:
        lines.write(json.dumps({"record": "session", "at": _stamp(0), "session": session}) + "\n")
        for index in range(1, length + 1):
            message = {
                "sessionId": "S1",
                "index": index,
                "type": "Text",
                "from": people[(index + 1) % 2],
                "text": f"message {index}, {_LAST.decode()}",
                "visibility": "All",
                "timestamp": _stamp(2 * index),
            }
            lines.write(json.dumps(message) + "\n")
    return file


def _stamp(seconds: int) -> str:
    return (_BEGIN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def memory(bench: BenchRun, form: str) -> Iterator[Line]:
    """The row of one format."""
    with (
        bench.serve(sessions=1, messages=bench.size) as long,
        bench.serve(sessions=1, messages=_SMALL) as short,
    ):
        sides = [_messages(bench, server, form) for server in (long, short)]
        for side, length in zip(sides, (bench.size, _SMALL), strict=True):
            FORMS[form].check(side, *((10, 20) if form == "last" else (length // 2, length * 2)))
        measure = f"peak memory, {form}, {bench.size:,} messages / {_SMALL:,}"
        yield ratio(measure, *bench.peaks(*sides), bar=1.25, counted=True)
