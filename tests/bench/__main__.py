"""Measures speed and cost, with --reliability reliability, and prints a table of figures with bars; exits
with 1 if one misses its bar. --quick is the short form that CI runs, --seed repeats a randomized run."""

import argparse
import os
import platform
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import following, reading, start
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line, falls_short
from tests.bench.processes import Failed, NoPeer, NotMeasured
from tests.bench.table import table, verdict

_QUICK_ROUNDS = 3
_LONG = 1_000_000
_CPUINFO = Path("/proc/cpuinfo")

Row = Callable[[BenchRun], Iterator[Line]]


def _loaded_for(module: str, row: str) -> Row:
    """A row whose module is imported when it runs: a large process can't measure a small one's memory."""
    return lambda bench: getattr(import_module(f"tests.bench.{module}"), row)(bench)


ROWS: dict[str, Row] = {
    "version": start.version,
    "help": start.help_,
    "list": start.list_,
    "list-keyring": start.list_keyring,
    "list-httpie": start.list_httpie,
    "list-activity": start.list_activity,
    "complete": start.complete,
    "requests-list": start.requests_list,
    "requests-messages": reading.requests_messages,
    "jsonl": reading.jsonl,
    "jsonl-slow": reading.jsonl_slow,
    "transcript": reading.transcript,
    "grep": reading.grep,
    "check": reading.check_recording,
    **{f"memory-{form}": partial(reading.memory, form=form) for form in reading.FORMS},
    "memory-check": reading.memory_check,
    "tail-push": following.tail_push,
    "tail-poll": following.tail_poll,
    "tail-slow": following.tail_slow,
    "tail-failing": following.tail_failing,
    "tail-failing-often": following.tail_failing_often,
    "tail-poll-failing": following.tail_poll_failing,
    "tail-outage": following.tail_outage,
    "idle": following.idle,
    "many-push": following.many_push,
    "many-poll": following.many_poll,
    "memory-follow": following.memory_follow,
    "team": _loaded_for("team", "team"),
    "tail-stream": _loaded_for("streaming", "tail_stream"),
    "centre": _loaded_for("streaming", "centre"),
}

# What a quick run leaves out: rows that can't fail there, or that the faults of the reliability table cover.
TIMED = frozenset(
    {
        *("version", "help", "list", "list-keyring", "list-httpie", "list-activity", "complete"),
        *("jsonl", "jsonl-slow", "transcript", "grep", "check"),
        *("tail-poll", "tail-failing", "tail-failing-often", "tail-poll-failing", "tail-outage"),
        "tail-stream",
    }
)


# These rows count faults, so they don't depend on the speed of the machine.
RELIABILITY: dict[str, Row] = {
    "faults-push": _loaded_for("faults", "faults_push"),
    "faults-poll": _loaded_for("faults", "faults_poll"),
    "kills": _loaded_for("kills", "kills"),
    "stream-kills": _loaded_for("stream_kills", "stream_kills"),
    "check": _loaded_for("conversations", "conversations"),
    "hostile": _loaded_for("hostile", "hostile"),
    "bodies": _loaded_for("bodies", "bodies"),
    "secrets": _loaded_for("secrets", "secrets"),
    "samples": _loaded_for("samples", "samples"),
}


def main(arguments: Sequence[str]) -> int:
    """Measure the rows asked for and print them; the exit code."""
    asked = _parser().parse_args(arguments)
    rows = RELIABILITY if asked.reliability else ROWS
    if asked.list:
        print("\n".join(rows))
        return 0
    if asked.rounds is not None and asked.rounds < 1:
        _parser().error("--rounds takes a number from 1")
    unknown = sorted(set(asked.rows) - rows.keys())
    if unknown:
        _parser().error(f"no such row: {', '.join(unknown)}; --list names them")
    names = [name for name in rows if name in asked.rows] or [
        name for name in rows if not (asked.quick and name in TIMED) or rows is RELIABILITY
    ]
    rounds = asked.rounds or (_QUICK_ROUNDS if asked.quick else 7)
    size = _LONG if asked.long else 100_000
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    how = f"seed {seed}" if asked.reliability else f"{rounds} rounds"
    heading = f"{_where()}; `{' '.join(['python -m tests.bench', *arguments])}`, {how}"
    # Printed first, so that a run that fails before its table can be repeated.
    print(heading, file=sys.stderr, flush=True)
    with TemporaryDirectory(prefix="smscli-bench-") as folder:
        bench = BenchRun(Path(folder), rounds, asked.quick, size, seed)
        lines = list(_told({name: rows[name] for name in names}, bench))
    print(f"{heading}\n\n{table(lines)}")
    counts_only = asked.quick and not asked.reliability
    return int(falls_short([line for _, line in lines], counts_only=counts_only))


def _told(rows: Mapping[str, Row], bench: BenchRun) -> Iterator[tuple[str, Line]]:
    """The lines of the rows, each reported on stderr as it is measured."""
    for name, row in rows.items():
        for line in measured(row, bench, name):
            told = f"{line.figure} ({line.bar})" if line.bar else f"{verdict(line)}: {line.detail}"
            print(f"{name}: {line.measure}: {told}", file=sys.stderr, flush=True)
            yield name, line


def measured(row: Row, bench: BenchRun, name: str) -> Iterator[Line]:
    """The row's lines; a row that can't be measured, or whose program fails, is a line with the reason.

    A missing peer doesn't count as a miss, since installing it needs a package index. Anything else does.
    """
    try:
        yield from row(bench)
    except NotMeasured as error:
        yield Line(name, "", str(error), "", None, counted=not isinstance(error, NoPeer))
    except Failed as error:
        yield Line(name, "failed", str(error), "", False, counted=True)


def _where() -> str:
    """The date and the machine of the measurement."""
    cpu = platform.processor() or platform.machine()
    if _CPUINFO.exists():
        models = [line for line in _CPUINFO.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {cpu}, Python {platform.python_version()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these rows")
    parser.add_argument("--reliability", action="store_true", help="the table of reliability")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of the random choices, as printed by an earlier run"
    )
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each comparison (default 7)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few and short rounds; of speed and cost only rows that count something can fail, and run",
    )
    parser.add_argument("--long", action="store_true", help=f"logs of {_LONG:,} messages in place of 100,000")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
