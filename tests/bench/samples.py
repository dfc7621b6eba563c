"""The sample shapes, spellings and layouts of the server's documentation, and whether they are parsed."""

from collections.abc import Iterator, Sequence

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line
from tests.support.documented_shapes import DOCUMENTED, Shape, missed
from tests.support.wire_samples import SAMPLES, Sample

_MOST_NAMED = 10


def samples(bench: BenchRun) -> Iterator[Line]:
    """How many of the documented shapes are parsed, and how many of all fixtures."""
    yield _share("sample shapes, spellings and layouts of the documents, read", DOCUMENTED, SAMPLES)
    every = [("fixture", name, name) for name in dict.fromkeys(one.fixture for one in SAMPLES)]
    yield _share("these, and what a server might make of them", every, SAMPLES)


def _share(measure: str, shapes: Sequence[Shape], known: Sequence[Sample]) -> Line:
    wrong = missed(shapes, known)
    figure = f"{len(shapes) - len(wrong)} of {len(shapes)}"
    return Line(measure, figure, "; ".join(wrong[:_MOST_NAMED]), "all", not wrong, counted=True)
