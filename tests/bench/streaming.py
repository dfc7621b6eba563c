"""Cost of `tail --to`: how soon messages are in a three-node stream, and one collector for a whole centre."""

import json
import re
import time
from collections.abc import Iterator, Sequence

from tests.bench.bench_run import BenchRun
from tests.bench.engine import Reader, StreamRecord, cluster, epoch, read_stream, target
from tests.bench.figures import (
    Line,
    at_most,
    count_at_most,
    exactly,
    lost,
    mebibytes,
    milliseconds,
    most_within,
    percentile,
    repeated,
)
from tests.bench.following import best_of_three
from tests.bench.processes import Failed
from tests.bench.recording_check import Verdict
from tests.bench.stream_check import judge_messages
from tests.bench.tail import Tail, tail
from tests.server.process import ServerProcess
from tests.support.nats_nodes import NatsCluster

_RATE = 10.0
_TEXT = re.compile(r"message (\d+) of this run")
_START = 90.0
# Until push is trusted and the first rereads are done.
_SETTLE = 10.0
_AFTER = 3.0
_READS_A_SECOND = 20
_SESSIONS_EACH = 2
# If a notification is lost, a background read finds its message: at four a second all have their turn.
_BACKGROUND_EACH = 0.25
_PULSE = 1.0


def tail_stream(bench: BenchRun) -> Iterator[Line]:
    """From published by the server to delivered by the stream, which is right after the acknowledgement."""

    def run(folder: str) -> Iterator[Line]:
        delays, control = _stream_delays(bench, folder)
        measure = f"`tail --to`, 20 sessions, {_RATE:g} messages a second: published to acknowledged, p99"
        detail = f"seen by a reader of the stream; {_spread(delays)}"
        yield at_most(measure, percentile(delays, 99), 0.150, milliseconds, detail)
        measure = "the same rate published by bare nats-py beside it: published to acknowledged, p99"
        yield Line(measure, milliseconds(percentile(control, 99)), _spread(control), "none", True)

    folders = iter(("nodes-1", "nodes-2", "nodes-3"))
    yield from best_of_three(bench, lambda: run(next(folders)))


def centre(bench: BenchRun) -> Iterator[Line]:
    """One collector for all agents of a centre."""
    agents, span = (30, 10.0) if bench.quick else (300, 60.0)
    users = [f"agent{number:03}" for number in range(agents)]
    sessions = agents * _SESSIONS_EACH
    with (
        cluster(bench.folder / "centre") as nodes,
        bench.serve(
            sessions=sessions, messages=5, owners=tuple(users), users=dict.fromkeys(users, "demo")
        ) as server,
        tail(
            bench,
            bench.with_profiles(server, users, bench.folder / "centre-home"),
            *("--all", "-p", "*", "--json", "--to", target(nodes)),
        ) as running,
    ):
        running.await_sessions(sessions, _START + sessions / 4)
        running.watch(_SETTLE)
        begun, used = time.monotonic(), running.processor_seconds()
        server.publish(_RATE)
        running.watch(span)
        ended = time.monotonic()
        share = (running.processor_seconds() - used) / (ended - begun)
        server.publish(0)
        verdict = _await_all(running, nodes, server, _START + sessions * _BACKGROUND_EACH)
        peak, reads = running.peak(), server.reads()
    meanwhile = sum(begun <= at < ended for at in reads)
    whom = f"one collector for {agents} agents, {sessions} sessions, {_RATE:g} messages a second, {span:g} s"
    yield count_at_most(
        f"{whom}: most reads in any second",
        most_within(reads, 1.0),
        _READS_A_SECOND,
        detail=f"{len(reads)} reads from the start on; {meanwhile / (ended - begun):.1f} a second meanwhile",
    )
    counts = f"{verdict.lost}, {verdict.twice}, {verdict.misplaced}, {verdict.strange} of {verdict.said:,}"
    yield exactly(
        f"{whom}: messages in the stream missing, twice, out of order, or unknown",
        verdict.faults,
        0,
        "; ".join([counts, *verdict.instances]),
    )
    yield Line(f"{whom}: peak memory", mebibytes(peak), "", "none", True)
    yield Line(f"{whom}: processor time", f"{share:.0%}", "of one core", "none", True)


def _stream_delays(bench: BenchRun, folder: str) -> tuple[list[float], list[float]]:
    """The delays of the followed messages and those of the control, in seconds.

    Raises Failed unless each message is in the stream exactly once.
    """
    span = 6.0 if bench.quick else 60.0
    with (
        cluster(bench.folder / folder) as nodes,
        bench.serve(sessions=20, messages=100, rate=_RATE) as server,
        tail(bench, bench.environ(server), "--all", "--json", "--to", target(nodes)) as running,
    ):
        running.await_sessions(20, _START)
        with Reader(nodes, _RATE) as reader:
            running.watch(_SETTLE)
            begin = time.time()
            running.watch(span + _AFTER)
            delays = published_delays(reader.records, begin, begin + span)
            control = [seen - at for at, seen in reader.control if begin <= at < begin + span]
    if not control:
        raise Failed("the control has published nothing")
    return delays, control


def published_delays(
    records: Sequence[StreamRecord], begin: float, end: float, rate: float = _RATE
) -> list[float]:
    """Those of the messages that the server published in this time. Raises Failed."""
    delays, numbers = [], []
    for record in records:
        message = json.loads(record.payload)
        published = epoch(message["timestamp"])
        if (number := _TEXT.fullmatch(message.get("text") or "")) and begin <= published < end:
            numbers.append(int(number[1]))
            delays.append(record.at - published)
    # The first and the last message may fall just outside the span.
    missing, again = lost(numbers, int((end - begin) * rate) - 1), repeated(numbers)
    if missing or again:
        raise Failed(f"of the stream's messages {missing} are missing, {again} are duplicates")
    return delays


def _spread(delays: Sequence[float]) -> str:
    shown = (percentile(delays, share) for share in (0, 50, 100))
    least, middle, most = map(milliseconds, shown)
    return f"{len(delays)} messages, p50 {middle} ({least}..{most})"


def _await_all(running: Tail, nodes: NatsCluster, server: ServerProcess, limit: float) -> Verdict:
    """The verdict on the stream once it holds all messages, or after so many seconds."""
    end = time.monotonic() + limit
    while True:
        verdict = judge_messages(read_stream(nodes), server.logs())
        if not verdict.lost or time.monotonic() >= end:
            return verdict
        running.watch(_PULSE)
