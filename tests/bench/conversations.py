"""Generated conversations through `check`: no false alarm in healthy ones, each planted fault found."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line
from tests.bench.processes import Failed
from tests.support.conversations import PLANTS, Conversation, Problem, healthy, planted

_EACH = 1000
_QUICK = 200
_SHOWN = 5
_EXIT_CODES = (0, 6)


def conversations(bench: BenchRun) -> Iterator[Line]:
    """One recording of healthy conversations, and one with a fault in each."""
    size = _QUICK if bench.quick else _EACH
    random = Random(bench.seed)
    kinds = list(PLANTS)
    for what, made in (
        ("healthy conversations with a false alarm", [healthy(_name(n), random) for n in range(size)]),
        (
            f"planted faults of {len(kinds)} kinds, not found at their index, or with others",
            [planted(_name(n), random, kinds[n % len(kinds)]) for n in range(size)],
        ),
    ):
        file = bench.folder / "conversations.jsonl"
        write_recording(file, made)
        wrong = list(misjudged(made, _found(bench, file)))
        for one in wrong[:_SHOWN]:
            print(one, file=sys.stderr)
        detail = f"of {size:,}, seed {bench.seed}"
        yield Line(what, str(len(wrong)), detail, "exactly 0", not wrong, counted=True)


def _name(number: int) -> str:
    return f"0000Nc{number:010}"


def write_recording(file: Path, made: Iterable[Conversation]) -> None:
    """One recording of all conversations, each with a server of its own: connections are lost one by one."""
    with file.open("w", encoding="utf-8") as lines:
        for one in made:
            for line in one.lines():
                lines.write(json.dumps({**line, "server": one.id}) + "\n")


def misjudged(made: Iterable[Conversation], found: dict[str, list[Problem]]) -> Iterator[str]:
    """Each conversation whose problems are not what they should be."""
    for one in made:
        if sorted(found[one.id], key=str) != sorted(one.problems, key=str):
            yield f"{one.id}: found {found[one.id]}, planted {one.problems}"


def _found(bench: BenchRun, file: Path) -> dict[str, list[Problem]]:
    """The problems by session. Raises Failed."""
    command = bench.smscli("check", f"@{file}", "--jsonl")
    run = subprocess.run(command, env=bench.environ(), capture_output=True, text=True)
    if run.returncode not in _EXIT_CODES or run.stderr:
        raise Failed(f"check ended with {run.returncode}: {run.stderr.strip()}")
    problems: dict[str, list[Problem]] = defaultdict(list)
    for line in run.stdout.splitlines():
        one = json.loads(line)
        if one["result"] != "ok":
            problems[one["sessionId"]].append((one["check"], one["result"], one["index"]))
    return problems
