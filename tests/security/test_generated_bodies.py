"""Whole commands against generated bodies, and proof that the check can fail."""

from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

import pytest

from tests.support.generated_bodies import Case, DamagedServer, Outcome, case, faults, tally


# A thread's connection that an answer broke off in may be left to the collector, which is no matter here.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_generated_bodies_give_a_result_or_a_documented_error() -> None:
    seed = SystemRandom().randrange(2**32)

    total = tally(seed, range(1, 81))

    assert total.faults == []
    assert total.damaged > 80, f"seed {seed}"
    assert total.kinds["answer"] > 5, f"seed {seed}"


def test_a_case_can_be_repeated() -> None:
    with TemporaryDirectory() as folder, DamagedServer() as server:
        # A list: what a checkup reads depends on how long its answers took.
        first, second = (server.play(case(7, 1), Path(folder, "home")) for _ in range(2))

    assert [one.sent for _, one in first.answers] == [one.sent for _, one in second.answers]
    assert first.answers
    assert (first.code, first.out) == (second.code, second.out)


SAID = (
    '{"error":{"kind":"wire","exitCode":1,"message":"m","hint":null,"httpStatus":null,"statusCode":null}}\n'
)


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        ("list", 0, "s1\t\t\t\t\n", ""),
        ("list", 1, "", "a notice\nerror: no\nhint: do\n"),
        (
            "list --json",
            0,
            "[]\n",
            '{"notice":{"kind":"whose","sessionId":null,"message":"m","at":"2026-03-02T10:00:00.000Z"}}\n',
        ),
        ("list --json", 1, "", SAID),
        ("messages S1 --json", 1, "[]\n", SAID),
        ("messages S1 --jsonl", 1, '{"index":1}\n', SAID),
        ("messages S1", 1, "\t\t\t\t\t\t\t\t\n", "error: internal error (statusCode 4)\n"),
        ("auth status --json", 1, "", SAID),
    ],
)
def test_the_check_accepts_results_and_documented_errors(command: str, code: int, out: str, err: str) -> None:
    assert faults(Case(1, 1, command, tty=False), Outcome(code, out, err)) == []


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        ("list", 1, "", "error: internal error: KeyError\nhint: report it\n"),
        (
            "tail --all --json",
            0,
            "",
            '{"notice":{"kind":"polling","sessionId":null,"message":"no push (internal error: KeyError)"}}\n',
        ),
        ("list", 1, "", "Traceback (most recent call last):\nerror: no\n"),
        ("list", 1, "", "error: one\nerror: two\n"),
        ("list", 1, "", "error: no\x1b[2J\n"),
        ("list", 1, "", ""),
        ("list", 0, "", "error: no\n"),
        ("list", 2, "", "error: no\n"),
        ("list", 0, "", "hint: do\n"),
        ("list --json", 0, "[", ""),
        ("list --json", 0, "[NaN]", ""),
        ("list --json", 0, "{}", ""),
        ("list --json", 1, "[]\n", SAID),
        ("list --json", 3, "", SAID),
        ("list --json", 1, "", SAID.replace("wire", "internal")),
        ("list --json", 1, "", SAID + SAID),
        ("list --json", 1, "", "error: no\n"),
        ("list --json", 1, "", SAID.replace('"m"', '"m\\n"')),
        ("list --json", 0, "[]", '{"notice":{"kind":"whose"}}\n'),
        ("messages S1 --json", 1, "[{}", SAID),
        ("messages S1 --jsonl", 0, "[]\n", ""),
        ("messages S1", 0, "one\ttwo\n", ""),
        ("show S1 --json", 0, "[]", ""),
    ],
)
def test_the_check_finds_everything_else(command: str, code: int, out: str, err: str) -> None:
    assert faults(Case(1, 1, command, tty=False), Outcome(code, out, err))
