"""Records 20 sessions with `tail` during injected faults, and compares the recording with the server's log.

Several tails, each with its own server, share the schedule of faults, which the seed determines.
"""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line, count_at_least, exactly, percentile, seconds
from tests.bench.processes import Failed
from tests.bench.recorded import Recorder, judge_recording
from tests.bench.recording_check import Verdict, total
from tests.server.process import ServerProcess, Switch
from tests.server.schedule import CHANNEL, KINDS, FaultSchedule, ScheduledFault

_NAMES = {
    "reset": "reset",
    "cut": "cut in the body",
    "500": "500",
    "502html": "502 as HTML",
    "503": "503 with `Retry-After`",
    "429": "429",
    "hang": "hang",
    "truncated-json": "truncated JSON",
    "wrong-json": "wrong JSON",
    "empty": "empty body",
    "repeat": "repeats",
    "reorder": "reordered page",
    "late": "index gap filled within 8 s",
    "notification-lost": "notification lost",
    "push-cut": "push channel lost, its connection reset",
    "push-dropped": "push channel lost, its client forgotten",
    "restart": "server restarted with lower indices",
}
_SESSIONS = 20
_MESSAGES = 12
# Average number of good reads between two faults: the next one may come before the recovery is complete.
_BETWEEN = 8
# Other behaviour of servers: gaps in the indices, and capped pages.
_QUIRKS: tuple[dict[str, Switch], ...] = ({}, {"gaps": 9}, {}, {"count-cap": 5})
# What a hang costs; short, but long enough for a busy machine.
_TIMEOUT = 2.0
_START = 60.0
# A fault waits for a request that it applies to, as long as a tail may be silent while messages arrive. A gap
# is filled by then; a push channel is there to be cut at once or not at all.
_FAULT_TIMEOUT = 40.0
_FAULT_TIMEOUTS = {"late": 8.0, "push-cut": 0.0, "push-dropped": 0.0}
_PULSE = 0.03
# A background read finds a message whose notification was lost: 20 sessions, one every 5 or 10 s.
_QUIET = 240.0
_AFTER = 3.0


@dataclass(frozen=True)
class Way:
    """With push or by polling. `tails`: their number, and that of a quick run; `rate`: each one's per second.

    `polls`: every other tail has no push; the notifications of the others name no session, so that push is
    never trusted and each notification causes a read of the list beside the polls.
    """

    name: str
    tails: tuple[int, int]
    rate: float
    polls: bool = False

    @property
    def listening(self) -> str:
        return "half of them with push that names no session" if self.polls else "all with push"

    def switches(self, number: int) -> dict[str, Switch]:
        """The switches of the server of tail `number`."""
        quirks = _QUIRKS[number // 2 % len(_QUIRKS)]
        return quirks | ({"push-address": "none"} if self.polls else {})


PUSH = Way("push", (8, 20), 8.0)
POLL = Way("polling", (8, 20), 4.0, polls=True)


class Outcome(NamedTuple):
    """The faults that one tail met, and the verdict on its recording."""

    befallen: Counter[str]
    verdict: Verdict
    delays: dict[str, list[float]]
    """By kind of fault the delays in seconds of the messages recorded between one of that kind and the next
    fault."""


def faults_push(bench: BenchRun) -> Iterator[Line]:
    yield from _way(bench, PUSH)


def faults_poll(bench: BenchRun) -> Iterator[Line]:
    yield from _way(bench, POLL)


def _way(bench: BenchRun, way: Way) -> Iterator[Line]:
    each = 9 if bench.quick else 60
    tails = way.tails[bench.quick]
    schedule = FaultSchedule(f"{bench.seed} {way.name}").schedule(each, _BETWEEN)
    with ThreadPoolExecutor(tails) as pool:
        runs = [
            pool.submit(_followed, bench, way, number, share)
            for number, share in enumerate(dealt(schedule, tails, way))
        ]
        outcomes = [run.result() for run in runs]
    befallen = sum((one.befallen for one in outcomes), Counter())
    yield from lines(way, befallen, total(one.verdict for one in outcomes), each, tails)
    yield from delay_lines(way, [one.delays for one in outcomes])


def lines(way: Way, befallen: Counter[str], verdict: Verdict, each: int, tails: int) -> Iterator[Line]:
    """The row's lines: how often each kind of fault occurred, and how the recordings differ from the logs."""
    for kind, name in _NAMES.items():
        yield count_at_least(f"by {way.name}: {name}", befallen[kind], each)
    detail = f"{verdict.said:,} messages, {tails} tails of {_SESSIONS} sessions, {way.listening}"
    yield count_at_least(f"by {way.name}: faults in all", befallen.total(), each * len(KINDS), detail)
    measure = f"by {way.name}: messages lost, duplicated, out of order, or unknown"
    counts = f"{verdict.lost}, {verdict.twice}, {verdict.misplaced}, {verdict.strange}"
    yield exactly(measure, verdict.faults, 0, "; ".join([counts, *verdict.instances]))


def delay_lines(way: Way, outcomes: Sequence[Mapping[str, Sequence[float]]]) -> Iterator[Line]:
    """A line without a bar for each kind of fault: how late it made messages."""
    for kind, name in _NAMES.items():
        delays = [delay for outcome in outcomes for delay in outcome.get(kind, ())]
        if delays:
            shown = [percentile(delays, 50), percentile(delays, 99), max(delays)]
            figure = ", ".join(map(seconds, shown))
            detail = f"{len(delays):,} messages"
            yield Line(f"by {way.name}: delays after {name}: p50, p99, worst", figure, detail, "none", True)


def dealt(schedule: Sequence[ScheduledFault], tails: int, way: Way) -> list[list[ScheduledFault]]:
    """The schedule divided among the tails in about equal parts; those with push get the channel's faults."""
    shares: list[list[int]] = [[] for _ in range(tails)]
    for place, (_, kind) in sorted(enumerate(schedule), key=lambda one: one[1].kind not in CHANNEL):
        able = [share for number, share in enumerate(shares) if kind not in CHANNEL or _hears(way, number)]
        min(able, key=len).append(place)
    return [[schedule[place] for place in sorted(share)] for share in shares]


def _hears(way: Way, number: int) -> bool:
    """Whether tail `number` has a push channel."""
    return not way.polls or number % 2 == 0


def _followed(bench: BenchRun, way: Way, number: int, share: Sequence[ScheduledFault]) -> Outcome:
    name = f"{way.name}-{number}"
    seed = Random(f"{bench.seed} {name}").getrandbits(32)
    push = "auto" if _hears(way, number) else "off"
    options = ("--push", push, "--interval", "0.5", "--timeout", str(_TIMEOUT))
    with bench.serve(
        sessions=_SESSIONS, messages=_MESSAGES, **{"fault-seed": seed}, **way.switches(number)
    ) as server:
        recorder = Recorder(bench, server, bench.folder / f"{name}.jsonl", *options)
        recorder.start()
        try:
            soak = Soak(server, recorder, Random(seed), way.rate)
            soak.begin()
            soak.endure(share)
            soak.rest()
            recorder.end()
        finally:
            recorder.abandon()
        verdict = judge_recording(server, recorder.file)
        return Outcome(Counter(server.fault_counts), verdict, soak.delays())


class Soak:
    """One tail and its server, from the first good read to the last fault."""

    def __init__(self, server: ServerProcess, recorder: Recorder, chance: Random, rate: float) -> None:
        self._server = server
        self._recorder = recorder
        self._chance = chance
        self._rate = rate
        # The faults that took effect, each with its time in epoch seconds.
        self._faults: list[tuple[float, str]] = []

    def begin(self) -> None:
        """Wait for the first reads: until then `tail` behaves like a one-shot command. Raises Failed."""
        if not self._recorder.await_all(self._server, _START):
            raise Failed(f"after {_START:g} s tail has not read every session")
        self._server.publish(self._rate)

    def endure(self, share: Sequence[ScheduledFault]) -> None:
        """Inject one fault after the other; one that found no request to apply to is tried again later."""
        left = list(share)
        while left:
            trouble = left.pop(0)
            self._pass(trouble.after)
            befell = self._restart() if trouble.kind == "restart" else self._befalls(trouble.kind)
            if befell:
                self._faults.append((time.time(), trouble.kind))
            else:
                left.insert(self._chance.randint(0, len(left)), trouble)

    def rest(self) -> None:
        """Wait without faults until the recording is complete, or the time is over."""
        self._until(lambda: False, _AFTER)
        self._server.publish(0)
        self._recorder.await_all(self._server, _QUIET)

    def delays(self) -> dict[str, list[float]]:
        """By kind of fault the delays of the messages that were recorded before the next fault."""
        found: dict[str, list[float]] = {}
        times = [at for at, _ in self._faults]
        for published, seen in self._recorder.arrivals():
            place = bisect_right(times, seen) - 1
            # Older ones were there at the start.
            if place >= 0 and published >= times[0]:
                found.setdefault(self._faults[place][1], []).append(max(seen - published, 0.0))
        return found

    def _pass(self, reads: float) -> None:
        """Wait for this many good reads."""
        target = self._server.good_reads + reads
        self._until(lambda: self._server.good_reads >= target)

    def _befalls(self, kind: str) -> bool:
        before = self._server.fault_counts[kind]
        self._server.inject(kind)
        timeout = _FAULT_TIMEOUTS.get(kind, _FAULT_TIMEOUT)
        befell = self._until(lambda: self._server.fault_counts[kind] > before, timeout)
        self._server.cancel_faults()
        return befell

    def _restart(self) -> bool:
        """Restart the server once everything is recorded: what was not read is lost with the log."""
        self._server.publish(0)
        for session_id in self._server.sessions:
            self._server.say(session_id)
        self._recorder.await_all(self._server, _QUIET)
        self._server.inject("restart")
        self._server.publish(self._rate)
        return True

    def _until(self, condition: Callable[[], bool], timeout: float = _FAULT_TIMEOUT) -> bool:
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= end:
                return False
            _ = self._recorder.lines  # Raises Failed if the tail has ended.
            time.sleep(_PULSE)
        return True
