"""Hostile text of every kind in every field, through every output in every view."""

from collections.abc import Iterator

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line
from tests.support.hostile_check import run_and_check
from tests.support.hostile_documents import NAMES, HostileText
from tests.support.hostile_outputs import OUTPUTS, VIEWS
from tests.support.hostile_payloads import PAYLOADS
from tests.support.hostile_server import HostileHome

_QUICK_KINDS = ("C0", "hidden")


def hostile(bench: BenchRun) -> Iterator[Line]:
    """How often hostile text was unescaped, lost or evaluated."""
    kinds = _QUICK_KINDS if bench.quick else tuple(PAYLOADS)
    runs, faults = 0, list[str]()
    for kind in kinds:
        with HostileHome(HostileText(PAYLOADS[kind])) as home:
            for output in OUTPUTS:
                for _, result in run_and_check(home, output, VIEWS[output.form]):
                    runs += 1
                    faults += result.faults
    measure = (
        f"hostile text: {len(kinds)} kinds in {len(NAMES)} fields, {len(OUTPUTS)} outputs, {runs:,} runs"
    )
    yield Line(measure, f"{len(faults)}", "; ".join(faults[:3]), "0", not faults, counted=True)
