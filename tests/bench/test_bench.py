"""The bench's arithmetic and table, and that a row can fail."""

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.__main__ import ROWS, main, measured
from tests.bench.bench_run import BenchRun
from tests.bench.figures import (
    Line,
    Samples,
    at_most,
    count_at_most,
    exactly,
    falls_short,
    lost,
    mebibytes,
    milliseconds,
    most_within,
    percentile,
    ratio,
    repeated,
    seconds,
    under,
)
from tests.bench.processes import Failed, NoPeer, NotMeasured, check, run
from tests.bench.table import table
from tests.bench.team import follow_team, issue_certificate

HOLDS = Line("starts", "0.50 x", "1 s / 2 s", "at most 0.5 x", True)
MISSES = Line("starts", "0.51 x", "1 s / 2 s", "at most 0.5 x", False)
MISCOUNTS = Line("asks", "3", "", "exactly 2", False, counted=True)
UNKNOWN = Line("help", "", "no httpie: a|b", "", None)
UNMEASURED = Line("memory", "", "no /proc on this system", "", None, counted=True)


def test_a_ratio_is_the_median_of_the_rounds_and_holds_up_to_its_bar() -> None:
    ours = Samples((0.9, 0.1, 2.0), seconds)
    theirs = Samples((0.4, 0.4, 4.0), seconds)
    detail = "0.25..2.25 x; 900 ms (100 ms..2.00 s) / 400 ms (400 ms..4.00 s)"

    assert ratio("starts", ours, theirs, 0.5) == Line("starts", "0.50 x", detail, "at most 0.5 x", True)
    assert ratio("starts", ours, theirs, 0.49) == Line("starts", "0.50 x", detail, "at most 0.49 x", False)


def test_figures_are_formatted_in_their_units() -> None:
    assert [seconds(0.0184), seconds(0.9994), seconds(1.5)] == ["18 ms", "999 ms", "1.50 s"]
    assert [milliseconds(0.0184), milliseconds(2.15)] == ["18 ms", "2150 ms"]
    assert [mebibytes(1024 * 1024), mebibytes(36_123_456)] == ["1.0 MiB", "34.5 MiB"]


def test_a_figure_may_be_as_high_as_its_bar_and_not_higher() -> None:
    late = "p99", 0.0601, 0.06, milliseconds, "300 messages"

    assert at_most(*late) == Line("p99", "60 ms", "300 messages", "at most 60 ms", False)
    assert at_most("p99", 0.06, 0.06, milliseconds).holds
    assert count_at_most("asks", 24, 24) == Line("asks", "24", "", "at most 24", True, counted=True)
    assert not count_at_most("asks", 25, 24).holds


def test_what_must_be_under_its_bar_may_not_reach_it() -> None:
    busy = under("idle", 0.01, 0.01, "{:.1%}".format)

    assert busy == Line("idle", "1.0%", "", "under 1.0%", False)
    assert under("idle", 0.0099, 0.01, "{:.1%}".format).holds


def test_an_exact_count_may_be_neither_higher_nor_lower() -> None:
    assert [exactly("asks", count, 2).holds for count in (1, 2, 3)] == [False, True, False]
    assert exactly("asks", 3, 2) == MISCOUNTS


@pytest.mark.parametrize(
    ("share", "value"), [(0, 10.0), (50, 20.0), (51, 30.0), (75, 30.0), (76, 40.0), (100, 40.0)]
)
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([40.0, 10.0, 30.0, 20.0], share) == value


def test_the_99th_percentile_of_300_passes_over_three() -> None:
    assert percentile([float(number) for number in range(300)], 99) == 296.0


def test_the_busiest_second_may_begin_anywhere() -> None:
    stamps = [0.0, 0.9, 1.0, 1.1, 1.85, 1.95, 3.0]

    # 0.9, 1.0, 1.1 and 1.85; then 1.0, 1.1, 1.85 and 1.95.
    assert most_within(stamps, 1.0) == 4
    assert most_within([0.0, 1.0, 2.0], 1.0) == 1
    assert most_within([], 1.0) == 0


def test_missing_and_repeated_numbers_are_counted() -> None:
    assert (lost([7, 8, 10, 11], 4), repeated([7, 8, 10, 11])) == (1, 0)
    assert (lost([7, 8, 8, 9, 7], 3), repeated([7, 8, 8, 9, 7])) == (0, 2)


def test_messages_that_never_came_after_some_point_are_missing_too() -> None:
    assert lost([7, 8, 9], 60) == 57
    assert lost([], 60) == 60


def test_a_quick_run_is_judged_by_its_counts() -> None:
    assert falls_short([HOLDS, MISSES], counts_only=False)
    assert not falls_short([HOLDS, MISSES, UNKNOWN], counts_only=True)
    assert falls_short([HOLDS, MISCOUNTS], counts_only=True)
    assert not falls_short([HOLDS, UNKNOWN], counts_only=False)


@pytest.mark.parametrize("counts_only", [False, True])
def test_a_count_that_was_not_measured_is_a_miss(counts_only: bool) -> None:
    assert falls_short([HOLDS, UNMEASURED], counts_only=counts_only)


def test_the_table_is_aligned_and_can_be_pasted_as_markdown() -> None:
    rows = [("version", HOLDS), ("requests", MISCOUNTS), ("help", UNKNOWN), ("idle", UNMEASURED)]
    assert table(rows) == (
        "| row      | measure | measured | bar           |              | of what                 |\n"
        "|----------|---------|----------|---------------|--------------|-------------------------|\n"
        "| version  | starts  | 0.50 x   | at most 0.5 x | holds        | 1 s / 2 s               |\n"
        "| requests | asks    | 3        | exactly 2     | MISSES       |                         |\n"
        "| help     | help    |          |               | not measured | no httpie: a\\|b         |\n"
        "| idle     | memory  |          |               | NOT MEASURED | no /proc on this system |\n"
    )


def test_a_row_whose_program_fails_is_a_miss_with_the_reason(tmp_path: Path) -> None:
    def row(bench: BenchRun) -> Iterator[Line]:
        yield HOLDS
        raise Failed("smscli list ended with 3: error: no answer")

    lines = list(measured(row, BenchRun(tmp_path), "list"))

    assert lines == [
        HOLDS,
        Line("list", "failed", "smscli list ended with 3: error: no answer", "", False, counted=True),
    ]


def test_a_row_without_its_peer_is_no_miss(tmp_path: Path) -> None:
    def row(bench: BenchRun) -> Iterator[Line]:
        raise NoPeer("no httpie: a|b")

    assert list(measured(row, BenchRun(tmp_path), "help")) == [UNKNOWN]


def test_a_row_that_can_not_be_measured_for_any_other_reason_is_a_miss(tmp_path: Path) -> None:
    def row(bench: BenchRun) -> Iterator[Line]:
        raise NotMeasured("no /proc on this system")

    assert list(measured(row, BenchRun(tmp_path), "memory")) == [UNMEASURED]


def test_without_pip_there_is_no_httpie(tmp_path: Path) -> None:
    # It shadows Python's own module: environments are created from within their folder.
    home = tmp_path / "httpie"
    home.mkdir()
    (home / "ensurepip.py").write_text("raise SystemExit('No module named ensurepip')\n")

    lines = list(measured(ROWS["help"], BenchRun(tmp_path), "help"))

    assert lines == [Line("help", "", "no httpie: No module named ensurepip", "", None)]


def test_a_program_that_ends_badly_or_prints_too_little_is_no_measurement() -> None:
    with pytest.raises(Failed, match=r"ended with 3: gone$"):
        run([sys.executable, "-c", "import sys; print('gone', file=sys.stderr); sys.exit(3)"], os.environ)
    with pytest.raises(Failed, match=r"printed 1 lines$"):
        check([sys.executable, "-c", "print()"], os.environ, 2, 3)


def test_what_a_program_prints_must_begin_and_end_as_it_should() -> None:
    table = [sys.executable, "-c", "print('one\\ttwo\\nthree\\tfour')"]

    check(table, os.environ, 2, 2, rb"one\t.*", rb".*\tfour")
    with pytest.raises(Failed, match=r"does not begin with b'<.*': b'one\\ttwo\\n'$"):
        check(table, os.environ, 2, 2, rb"<.*", rb".*\tfour")
    with pytest.raises(Failed, match=r"does not end with b'five': b'three\\tfour\\n'$"):
        check(table, os.environ, 2, 2, rb"one.*", rb"five")


@pytest.mark.slow
def test_the_memory_of_a_program_is_its_peak() -> None:
    # More than the peak of the test process.
    most = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) + 100
    hungry = f"held = bytearray(b'x') * ({most} << 20); del held"

    assert most << 20 < run([sys.executable, "-c", hungry], os.environ).peak < most + 100 << 20


def test_memory_below_the_peak_of_the_bench_is_not_measured() -> None:
    with pytest.raises(NotMeasured):
        _ = run([sys.executable, "-S", "-E", "-c", ""], os.environ).peak


@pytest.mark.slow
def test_list_is_one_request(tmp_path: Path) -> None:
    lines = list(measured(ROWS["requests-list"], BenchRun(tmp_path), "requests-list"))

    assert lines == [Line("requests of `list`", "1", "", "exactly 1", True, counted=True)]


@pytest.mark.slow
def test_a_team_is_followed_over_https(tmp_path: Path) -> None:
    run = follow_team(BenchRun(tmp_path), 2, 1.0, issue_certificate(tmp_path), settle=0.0)

    assert {one.session_id[-1] for one in run.arrivals} == {"0", "1", "2", "3"}
    assert run.peak > 10 << 20
    assert 0 < run.most_reads <= len(run.reads)


def test_an_unknown_row_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["version", "verison"])

    assert ended.value.code == 2
    assert "no such row: verison; --list names them" in capsys.readouterr().err
