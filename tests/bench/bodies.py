"""Generated bodies through whole commands, in several processes at once."""

import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import islice
from multiprocessing import get_context

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line
from tests.bench.processes import Failed
from tests.support.generated_bodies import Tally, tally

_LONG, _QUICK = 100_000, 5_000
# A failed read is retried after half a second, so many cases can wait while one runs.
_WORKERS = 24
_AT_A_TIME = 40
# The slowest case is a tail that rereads a gap; it takes less.
_TIMEOUT = 240.0
_SHOWN = 5


def bodies(bench: BenchRun) -> Iterator[Line]:
    """Damaged bodies through whole commands, in several processes at once."""
    seed = bench.seed
    total = _played(seed, _QUICK if bench.quick else _LONG)
    for fault in total.faults[:_SHOWN]:
        print(f"python -m tests.support.generated_bodies {fault}", file=sys.stderr)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(total.kinds.items()))
    detail = f"{total.damaged} damaged bodies in {total.cases} commands, seed {seed}: {told}"
    measure = "generated bodies: neither output nor a defined error"
    yield Line(measure, str(len(total.faults)), detail, "exactly 0", not total.faults, counted=True)


def _played(seed: int, wanted: int) -> Tally:
    """Run cases until `wanted` bodies were damaged. Raises Failed if one doesn't end."""
    total = Tally()
    firsts = iter(range(1, sys.maxsize, _AT_A_TIME))
    pool = ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn"))
    try:
        waiting = deque((first, _submitted(pool, seed, first)) for first in islice(firsts, 2 * _WORKERS))
        while total.damaged < wanted:
            first, future = waiting.popleft()
            total.add(_result(future, seed, first))
            first = next(firsts)
            waiting.append((first, _submitted(pool, seed, first)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return total


def _submitted(pool: ProcessPoolExecutor, seed: int, first: int) -> "Future[Tally]":
    return pool.submit(tally, seed, range(first, first + _AT_A_TIME))


def _result(future: "Future[Tally]", seed: int, first: int) -> Tally:
    try:
        return future.result(_TIMEOUT)
    except FutureTimeout as error:
        raise Failed(f"seed {seed}: one of the cases from {first} on does not end") from error
