"""The comparison of recordings with logs, and that each deviation makes a row fail."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from smscli.transcript.findings import CHECKS
from tests.bench.__main__ import RELIABILITY, main
from tests.bench.bench_run import BenchRun
from tests.bench.conversations import misjudged
from tests.bench.faults import POLL, PUSH, dealt, delay_lines, lines
from tests.bench.figures import Line, falls_short
from tests.bench.processes import Failed
from tests.bench.recorded import Recorder, judge_recording
from tests.bench.recording_check import RecordedLine, Verdict, compare, read_recording, total
from tests.server.schedule import KINDS, FaultSchedule
from tests.support.conversations import PLANTS, planted

Json = dict[str, Any]


def message(index: int, text: str, second: int = 0) -> Json:
    """As in the server's JSON."""
    return {
        "index": index,
        "type": "Text",
        "from": {"type": "Customer", "nickname": "Mika", "participantId": "00900001"},
        "text": text,
        "visibility": "All",
        "timestamp": f"2026-03-02T09:00:{second:02d}.000+0000",
    }


LOGS = {"A": [message(1, "one"), message(2, "two", 1), message(3, "three", 2)], "B": [message(1, "one")]}


def line(session_id: str, said: Json, **more: object) -> bytes:
    """As a line of a recording."""
    at = said["timestamp"].replace("+0000", "Z")
    return json.dumps({"sessionId": session_id, **said, "timestamp": at, **more}).encode() + b"\n"


def lines_of(logs: dict[str, list[Json]]) -> list[bytes]:
    return [line(session_id, said) for session_id, log in logs.items() for said in log]


def judged(recording: list[bytes], *lives: dict[str, list[Json]]) -> Verdict:
    return compare(read_recording(recording), lives or (LOGS,))


def counts(verdict: Verdict) -> tuple[int, ...]:
    """Lost, twice, misplaced, strange."""
    return verdict[1:5]


def test_a_recording_that_is_the_log_has_no_faults() -> None:
    verdict = judged(lines_of(LOGS))

    assert verdict == Verdict(said=4)
    assert verdict.faults == 0


def test_a_dropped_line_is_a_lost_message() -> None:
    recording = lines_of(LOGS)
    del recording[1]

    assert judged(recording) == Verdict(4, lost=1, instances=("lost: session A, index 2 of life 0, two",))


def test_a_doubled_line_is_a_duplicate() -> None:
    recording = lines_of(LOGS)
    recording.append(recording[2])

    assert judged(recording) == Verdict(4, twice=1, instances=("twice: session A, index 3 of life 0, three",))


def test_swapped_lines_are_out_of_order() -> None:
    first, second, *rest = lines_of(LOGS)

    assert judged([second, first, *rest]) == Verdict(
        4, misplaced=1, instances=("misplaced: session A, index 1 of life 0, one",)
    )


def test_a_message_that_is_late_and_marked_late_is_in_order() -> None:
    one, two, three = LOGS["A"]
    recording = [line("A", one), line("A", three), line("A", two, late=True), line("B", LOGS["B"][0])]

    assert counts(judged(recording)) == (0, 0, 0, 0)


def test_a_message_that_is_marked_late_but_is_not_is_misplaced() -> None:
    one, two, three = LOGS["A"]
    recording = [line("A", one), line("A", two, late=True), line("A", three), line("B", LOGS["B"][0])]

    assert counts(judged(recording)) == (0, 0, 1, 0)


def test_sessions_have_no_order_among_them() -> None:
    *of_a, of_b = lines_of(LOGS)

    assert counts(judged([of_b, *of_a])) == (0, 0, 0, 0)


def test_after_a_restart_the_lower_indices_follow_the_higher_ones() -> None:
    old, new = {"A": [message(8, "eight"), message(9, "nine")]}, {"A": [message(1, "anew", 5)]}

    assert counts(judged(lines_of(old) + lines_of(new), old, new)) == (0, 0, 0, 0)


def test_a_message_of_the_lost_log_can_not_come_after_one_of_the_new_log() -> None:
    old, new = {"A": [message(8, "eight"), message(9, "nine")]}, {"A": [message(1, "anew", 5)]}
    eight, nine = lines_of(old)
    late = line("A", old["A"][1], late=True)

    assert counts(judged([eight, *lines_of(new), late], old, new)) == (0, 0, 1, 0)
    assert counts(judged([eight, nine], old, new)) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    "stranger",
    [
        line("A", message(2, "too")),
        line("B", message(2, "two", 1)),
        line("A", message(2, "two", 2)),
        b'{"sessionId":"A","ind',
        b"\n",
        b"null\n",
        b'{"notice":{"kind":"lost"}}\n',
    ],
)
def test_a_line_that_is_not_a_message_of_the_log_is_strange(stranger: bytes) -> None:
    assert counts(judged([*lines_of(LOGS), stranger])) == (0, 0, 0, 1)


def test_verdicts_add_up() -> None:
    one = Verdict(4, 1, 2, 3, 4, ("lost: one",))

    assert total([one, Verdict(10, 1), one]) == Verdict(18, 3, 4, 6, 8, ("lost: one", "lost: one"))
    assert total([one]).faults == 10
    assert total([one] * 4).instances == ("lost: one",) * 3


def befallen(**fewer: int) -> Counter[str]:
    return Counter(dict.fromkeys(KINDS, 60)) - Counter(fewer)


def misses(outcome: Iterator[Line]) -> list[str]:
    """The measures of the lines that miss, where the run as a whole does."""
    found = list(outcome)
    missed = [one.measure for one in found if not one.holds]
    assert falls_short(found, counts_only=True) == bool(missed)
    return missed


def test_all_kinds_often_enough_without_deviation_is_no_miss() -> None:
    assert misses(lines(PUSH, befallen(), Verdict(1000), 60, 8)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_occurred_too_seldom_is_a_miss(kind: str) -> None:
    of_kind, in_all = misses(lines(PUSH, befallen(**{kind: 1}), Verdict(1000), 60, 8))

    assert of_kind.startswith("by push: ")
    assert in_all == "by push: faults in all"


def test_a_kind_that_never_occurred_is_a_miss_even_if_others_occurred_more_often() -> None:
    outcome = lines(POLL, befallen(reorder=60) + Counter(repeat=60), Verdict(1000), 60, 8)

    assert misses(outcome) == ["by polling: reordered page"]


@pytest.mark.parametrize(
    "verdict", [Verdict(9, lost=1), Verdict(9, twice=1), Verdict(9, misplaced=1), Verdict(9, strange=1)]
)
def test_one_fault_of_a_recording_is_a_miss(verdict: Verdict) -> None:
    outcome = lines(PUSH, befallen(), verdict, 60, 8)

    assert misses(outcome) == ["by push: messages lost, duplicated, out of order, or unknown"]


def test_every_fault_is_assigned_once_and_in_the_order_of_the_schedule() -> None:
    schedule = FaultSchedule("1 push").schedule(9, 8)
    shares = dealt(schedule, 16, PUSH)

    assert Counter(one for share in shares for one in share) == Counter(schedule)
    assert {len(share) for share in shares} == {9, 10}
    for share in shares:
        assert [schedule.index(one) for one in share] == sorted(schedule.index(one) for one in share)


def test_a_tail_without_push_gets_no_faults_of_the_channel() -> None:
    shares = dealt(FaultSchedule("1 polling").schedule(9, 8), 16, POLL)
    channel = {"notification-lost", "push-cut", "push-dropped"}

    for number, share in enumerate(shares):
        assert bool(channel & {one.kind for one in share}) == (number % 2 == 0)
    assert {len(share) for share in shares} == {9, 10}


@pytest.mark.slow
def test_a_recorder_that_ends_by_itself_is_a_failure(tmp_path: Path) -> None:
    bench = BenchRun(tmp_path)
    with bench.serve(sessions=1, messages=2) as server:
        recorder = Recorder(bench, server, tmp_path / "log.jsonl", "--interval", "soon")
        recorder.start()
        with pytest.raises(Failed, match=r"^tail ended with 2: .*soon"):
            recorder.await_all(server, 30)


@pytest.mark.slow
def test_a_real_recording_is_judged_by_the_real_log(tmp_path: Path) -> None:
    bench = BenchRun(tmp_path)
    with bench.serve(sessions=2, messages=3) as server:
        recorder = Recorder(bench, server, tmp_path / "log.jsonl", "--interval", "0.1")
        recorder.start()
        try:
            assert recorder.await_all(server, 30)
            server.inject("restart")
            server.say(server.sessions[0])
            assert recorder.await_all(server, 30)
            recorder.end()
        finally:
            recorder.abandon()
        assert judge_recording(server, recorder.file) == Verdict(said=7)
        *kept, _ = recorder.file.read_bytes().splitlines(keepends=True)
        recorder.file.write_bytes(b"".join(kept))
        assert counts(judge_recording(server, recorder.file)) == (1, 0, 0, 0)


def test_missing_messages_are_waited_for_only_once(tmp_path: Path) -> None:
    with BenchRun(tmp_path).serve(sessions=1, messages=3) as server:
        file = tmp_path / "log.jsonl"
        recorder = Recorder(BenchRun(tmp_path), server, file)
        file.write_bytes(b"1\n2\n3 is tor")
        assert not recorder.await_all(server, 0)
        assert recorder.await_all(server, 0)
        server.say(server.sessions[0])
        assert not recorder.await_all(server, 0)
        file.write_bytes(b"1\n2\n4\n")
        assert recorder.await_all(server, 0)


def test_the_reliability_rows_have_a_table_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--reliability", "--list"]) == 0
    assert capsys.readouterr().out.split() == list(RELIABILITY)
    with pytest.raises(SystemExit):
        main(["--reliability", "version"])
    assert "no such row: version" in capsys.readouterr().err


def test_the_seed_is_printed_and_passed_to_the_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = []

    def row(bench: BenchRun) -> Iterator[Line]:
        seeds.append(bench.seed)
        yield Line("lost", "1", "", "exactly 0", False)

    monkeypatch.setitem(RELIABILITY, "kills", row)
    for more in (["--seed", "7"], [], []):
        assert main(["--reliability", "--quick", "kills", *more]) == 1

    assert seeds[0] == 7
    assert seeds[1] != seeds[2]
    told = [one.rpartition(" ")[2] for one in capsys.readouterr().out.splitlines() if "seed" in one]
    assert told == [f"{seed}" for seed in seeds]


def test_a_line_is_late_only_if_it_is_marked_late() -> None:
    one = line("A", message(1, "one"))

    [kept] = read_recording([one])
    assert kept.said and kept.said.index == 1
    assert [late for _, late in read_recording([one, line("A", message(1, "one"), late=True)])] == [
        False,
        True,
    ]
    assert list(read_recording([b"{}"])) == [RecordedLine(None)]


def test_the_delays_of_all_tails_are_told_by_kind_of_fault() -> None:
    outcomes = [{"reset": [0.1] * 98, "hang": [2.0]}, {"reset": [0.3, 5.0]}]

    lines = [(line.measure, line.figure, line.detail) for line in delay_lines(PUSH, outcomes)]
    assert lines == [
        ("by push: delays after reset: p50, p99, worst", "100 ms, 300 ms, 5.00 s", "100 messages"),
        ("by push: delays after hang: p50, p99, worst", "2.00 s, 2.00 s, 2.00 s", "1 messages"),
    ]


def test_a_conversation_that_is_judged_otherwise_is_a_miss() -> None:
    made = [planted(f"S{number}", Random(number), kind) for number, kind in enumerate(PLANTS)]
    right = {one.id: one.problems[::-1] for one in made}
    assert all(right.values())
    assert list(misjudged(made, right)) == []
    other = {**right, "S0": [], "S1": [*right["S1"], ("order", "warn", 1)], "S2": [("agent", "warn", 0)]}
    assert [line.partition(":")[0] for line in misjudged(made, other)] == ["S0", "S1", "S2"]


def test_the_faults_belong_to_every_check_that_can_fail() -> None:
    found = {problem[0] for kind in PLANTS for problem in planted("S", Random(1), kind).problems}
    assert found == {check.name for check in CHECKS} - {"gaps"}
