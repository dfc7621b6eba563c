"""Searches outputs, files and processes of whole commands for secrets."""

import sys
from collections.abc import Iterator

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line, count_at_most
from tests.support.secret_search import cases, search_all

_MOST_TOLD = 20


def secrets(bench: BenchRun) -> Iterator[Line]:
    """Search the places of every case; no secret may be found."""
    found = search_all(cases(quick=bench.quick), bench.folder)
    for one in found.occurrences[:_MOST_TOLD]:
        print(one, file=sys.stderr)
    detail = f"{found.runs} runs, {found.places} places searched"
    measure = "password, token, cookie, CSRF token in output, traceback, files, process list"
    yield count_at_most(measure, len(found.occurrences), 0, detail=detail)
