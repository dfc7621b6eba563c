"""Kills `tail --record` repeatedly at random moments, and compares the recording with the server's log."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line, exactly
from tests.bench.processes import Failed
from tests.bench.recorded import Recorder, judge_recordings
from tests.bench.recording_check import Verdict, total

_SESSIONS = 20
# More than one page, so that the first read takes several requests.
_MESSAGES = 700
_RATE = 30.0
# One kill in four may come before anything is read; the others come up to 1.5 s after the first line.
_EARLY_EACH = 4
_LATEST = 1.5
_START = 60.0
_GAP_EACH = 3
# Every fifth kill comes about when the file is moved, or right before; every fifth recording has a new name
# each second.
_MOVED_EACH = 5
_PULSE = 0.005
_QUIET = 120.0


class Outcome(NamedTuple):
    """`grown`: kills of runs that had written something; `torn`: kills that left a partial line."""

    kills: int
    grown: int
    torn: int
    verdict: Verdict


def kills(bench: BenchRun) -> Iterator[Line]:
    """Several recordings at a time, each with its own server."""
    chains, each = (4, 5) if bench.quick else (5, 40)
    with ThreadPoolExecutor(chains) as pool:
        outcomes = list(pool.map(lambda number: _killed(bench, number, each), range(chains)))
    verdict = total(one.verdict for one in outcomes)
    done, grown, torn = (sum(counts) for counts in list(zip(*outcomes, strict=True))[:3])
    counts = f"{verdict.lost}, {verdict.twice}, {verdict.misplaced}, {verdict.strange}"
    detail = f"{grown} runs had written something, {torn} kills left a partial line; {chains} recordings"
    what = "`kill -9` of a tail that records, at random moments, with files moved and new names"
    yield exactly(what, done, chains * each, detail)
    yield exactly(
        "messages lost, duplicated, out of order, or unknown",
        verdict.faults,
        0,
        "; ".join([f"{counts} of {verdict.said:,}", *verdict.instances]),
    )


def _killed(bench: BenchRun, number: int, kills: int) -> Outcome:
    chance = Random(f"{bench.seed} kills-{number}")
    switches = {"fault-seed": chance.getrandbits(32)}
    grown = torn = 0
    with bench.serve(sessions=_SESSIONS, messages=_MESSAGES, **switches) as server:
        name = f"kills-{number}-%H%M%S.jsonl" if number % _MOVED_EACH == 1 else f"kills-{number}.jsonl"
        recorder = Recorder(bench, server, bench.folder / name, "--interval", "0.5")
        server.publish(_RATE)
        try:
            for kill in range(kills):
                if kill % _GAP_EACH == 0:
                    server.inject("late")
                before = recorder.size
                recorder.start()
                if kill % _EARLY_EACH:
                    _await_growth(recorder, before)
                time.sleep(chance.uniform(0, _LATEST))
                is_moved, is_running = kill % _MOVED_EACH == 0, kill % 2 == 0
                if is_moved and is_running:
                    recorder.move()
                    time.sleep(chance.uniform(0, _LATEST))
                recorder.kill()
                grown += recorder.size > before
                torn += any(map(_is_torn, recorder.files))
                if is_moved and not is_running:
                    recorder.move()
            recorder.start()
            server.publish(0)
            recorder.await_all(server, _QUIET)
            recorder.end()
        finally:
            recorder.abandon()
        return Outcome(kills, grown, torn, judge_recordings(server, recorder.files))


def _await_growth(recorder: Recorder, size: int) -> None:
    """Raises Failed if nothing is written."""
    end = time.monotonic() + _START
    while recorder.size <= size:
        if time.monotonic() >= end:
            raise Failed(f"after {_START:g} s tail has written nothing")
        time.sleep(_PULSE)


def _is_torn(file: Path) -> bool:
    return file.stat().st_size > 0 and not file.read_bytes().endswith(b"\n")
