"""Kills nodes of a three-node stream and the two collectors that fill it at random moments, and compares the
stream with the server's logs."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from tests.bench.bench_run import BenchRun
from tests.bench.engine import StreamRecord, cluster, read_stream, target
from tests.bench.figures import Line, exactly
from tests.bench.processes import Command, Environ, Failed, start_quietly
from tests.bench.recording_check import Verdict
from tests.bench.stream_check import StateVerdict, judge_messages, judge_states
from tests.server.process import ServerProcess
from tests.support.nats_nodes import NatsCluster

NODES = ("n1", "n2", "n3")
COLLECTORS = ("a", "b")
# How long each is down after its kill, and until it counts as up again: a node must find the others first.
_DOWN = {"node": (0.5, 9.0), "collector": (0.0, 3.0)}
_READY = {"node": 3.0, "collector": 0.0}
_PROFILES = ("ann", "bob")
_SESSIONS = 16
_MESSAGES = 30
_RATE = 10.0
# One of these is done, on average, in each pulse of half a second.
_PULSE = 0.5
_CHANGE_EACH, _LATE_EACH, _END_EACH = 2, 12, 60
_START = 60.0
# A late message is held back for less than 8 s. If a push is lost, a background read finds its message: each
# session has its turn within two minutes.
_LATE = 8.0
_QUIET = 180.0
_AFTER = 10.0
_UNREACHABLE = 3
_NAMED = 3


class Step(NamedTuple):
    """Something to do `at` so many seconds from the beginning."""

    at: float
    action: Literal["kill", "start"]
    what: str


class Outcome(NamedTuple):
    """`started`: how often a collector had to be started again since it couldn't reach the stream."""

    kills: Counter[str]
    started: int
    messages: Verdict
    states: StateVerdict


def stream_kills(bench: BenchRun) -> Iterator[Line]:
    """Two collectors with the same profiles publish to one stream."""
    kills, pause = (6, 2.5) if bench.quick else (60, 6.5)
    steps = schedule(f"{bench.seed} stream-kills", kills, pause)
    with (
        cluster(bench.folder / "nodes") as nodes,
        bench.serve(
            sessions=_SESSIONS,
            messages=_MESSAGES,
            owners=(*_PROFILES, "*"),
            users=dict.fromkeys(_PROFILES, "demo"),
            fault_seed=bench.seed,
        ) as server,
    ):
        yield from lines(_killed(bench, nodes, server, steps), kills)


def lines(outcome: Outcome, kills: int) -> Iterator[Line]:
    """The row's lines."""
    done, verdict, states = outcome.kills, outcome.messages, outcome.states
    parts = [f"{done[one]} of {one}" for one in (*NODES, *COLLECTORS)]
    parts.append(f"{outcome.started} starts of a collector found no stream in time")
    what = "`kill -9` of nodes and collectors of a three-node stream, at random moments"
    yield exactly(what, done.total(), kills, "; ".join(parts))
    counts = f"{verdict.lost}, {verdict.twice}, {verdict.misplaced}, {verdict.strange} of {verdict.said:,}"
    measure = "messages in the stream missing, twice, out of order, or unknown"
    yield exactly(measure, verdict.faults, 0, "; ".join([counts, *verdict.instances]))
    measure = "sessions whose last record in the stream does not say their state"
    detail = "; ".join([f"{states.sessions} sessions", *states.wrong[:_NAMED]])
    yield exactly(measure, len(states.wrong), 0, detail)
    measure = "records of a session's state that repeat the one before, or are older"
    counts = f"{len(states.repeated)}, {len(states.older)} of {states.records:,}"
    named = [*states.repeated[:_NAMED], *states.older[:_NAMED]]
    yield exactly(measure, len(states.repeated + states.older), 0, "; ".join([counts, *named]))


def schedule(seed: str, kills: int, pause: float) -> list[Step]:
    """So many kills at random moments, `pause` seconds apart on average, and the starts after them: the same
    for the same seed. One node is always up, and has been for some seconds."""
    chance = Random(seed)
    steps: list[Step] = []
    down: dict[str, float] = {}
    now = 0.0
    for _ in range(kills):
        now += chance.uniform(0, 2 * pause)
        while not (able := _able(down, now)):
            now = min(until for until in down.values() if until > now)
        what = chance.choice(able)
        kind = "node" if what in NODES else "collector"
        start = now + chance.uniform(*_DOWN[kind])
        steps += [Step(now, "kill", what), Step(start, "start", what)]
        down[what] = start + _READY[kind]
    # What starts again and is killed at once must start first.
    return sorted(steps, key=lambda one: (one.at, one.action == "kill"))


def _able(down: dict[str, float], now: float) -> list[str]:
    """What may be killed now."""
    up = [one for one in (*NODES, *COLLECTORS) if down.get(one, 0.0) <= now]
    return up if sum(one in NODES for one in up) > 1 else [one for one in up if one not in NODES]


class CollectorProcess:
    """A `tail --to` that can be killed and started again, with its own home and configuration."""

    def __init__(self, command: Command, environ: Environ, notes: Path) -> None:
        self._command = command
        self._environ = environ
        self._notes = notes
        self._process: subprocess.Popen[bytes] | None = None
        self.started_again = 0

    def start(self) -> None:
        self._process = start_quietly(self._command, self._environ, self._notes)

    def kill(self) -> None:
        """kill -9"""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def check(self) -> None:
        """Start it again if it found no stream when it started, as a service manager would. Raises Failed if
        it has ended for another reason."""
        if self._process is None or self._process.poll() is None:
            return
        if self._process.returncode != _UNREACHABLE:
            said = self._notes.read_text(errors="replace").strip().splitlines() or ["no message"]
            raise Failed(f"tail ended with {self._process.returncode}: {said[-1]}")
        self.started_again += 1
        self.start()


class Stage:
    """The nodes, the collectors and the server, in whose sessions messages and changes come constantly."""

    def __init__(self, bench: BenchRun, nodes: NatsCluster, server: ServerProcess) -> None:
        self._nodes = {one.name: one for one in nodes.nodes}
        self.collectors = {one: _collector(bench, nodes, server, one) for one in COLLECTORS}
        self._server = server
        self._chance = Random(bench.seed)
        # The others are shared by both profiles; late messages come in them alone, so they end last.
        self._may_end = [one for number, one in enumerate(server.sessions) if number % 3 < len(_PROFILES)]
        self._open = list(server.sessions)

    def apply(self, step: Step) -> None:
        changed = {**self._nodes, **self.collectors}[step.what]
        if step.action == "kill":
            changed.kill()
        else:
            changed.start()

    def live_until(self, end: float) -> None:
        """Let sessions change until this time (`time.monotonic`). Raises Failed if a collector ends."""
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(_PULSE, left))
            self._check()
            if self._is_due(_CHANGE_EACH):
                self._server.change(self._chance.choice(self._open))
            if self._is_due(_LATE_EACH):
                self._server.inject("late")
            if self._is_due(_END_EACH) and len(self._may_end) > 2:
                self._end(self._may_end.pop())

    def rest(self) -> None:
        """Let nothing happen any more but late messages and the end of some sessions."""
        self._server.publish(0)
        end = time.monotonic() + _LATE
        while time.monotonic() < end:
            time.sleep(_PULSE)
            self._check()
        for session_id in self._open[::3]:
            self._end(session_id)

    def watch(self, seconds: float) -> None:
        """Raises Failed if a collector ends."""
        time.sleep(seconds)
        self._check()

    def _is_due(self, each: int) -> bool:
        return self._chance.randrange(each) == 0

    def _end(self, session_id: str) -> None:
        self._open.remove(session_id)
        self._server.end(session_id)

    def _check(self) -> None:
        for one in self.collectors.values():
            one.check()


def _collector(bench: BenchRun, nodes: NatsCluster, server: ServerProcess, name: str) -> CollectorProcess:
    home = bench.folder / f"collector-{name}"
    command = bench.smscli("tail", "--all", "-p", "*", "--to", target(nodes), "--json", "--last", "0")
    environ = bench.with_profiles(server, _PROFILES, home)
    return CollectorProcess(command, environ, home / "notices")


def _killed(bench: BenchRun, nodes: NatsCluster, server: ServerProcess, steps: Sequence[Step]) -> Outcome:
    stage = Stage(bench, nodes, server)
    collectors = stage.collectors.values()
    try:
        for one in collectors:
            one.start()
        _await(stage, nodes, server, _START)
        server.publish(_RATE)
        begin = time.monotonic()
        for step in steps:
            stage.live_until(begin + step.at)
            stage.apply(step)
        stage.rest()
        _await(stage, nodes, server, _QUIET)
        # What comes twice may come last.
        stage.watch(_AFTER)
        kills = Counter(one.what for one in steps if one.action == "kill")
        started = sum(one.started_again for one in collectors)
        return Outcome(kills, started, *_judged(read_stream(nodes), server))
    finally:
        for one in collectors:
            one.kill()


def _await(stage: Stage, nodes: NatsCluster, server: ServerProcess, limit: float) -> None:
    """Wait until the stream holds all messages and states, for so many seconds at most."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        stage.watch(_PULSE)
        messages, states = _judged(read_stream(nodes), server)
        if not messages.lost and not states.wrong:
            return


def _judged(records: Sequence[StreamRecord], server: ServerProcess) -> tuple[Verdict, StateVerdict]:
    return judge_messages(records, server.logs()), judge_states(records, server.states())
