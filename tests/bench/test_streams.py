"""The comparison of streams with logs and states, the schedule of kills, and what makes a row miss."""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench import engine
from tests.bench.__main__ import RELIABILITY, ROWS, Row, measured
from tests.bench.bench_run import BenchRun
from tests.bench.engine import Reader, StreamRecord, cluster, read_stream, target
from tests.bench.figures import Line, falls_short
from tests.bench.processes import Failed
from tests.bench.recording_check import Verdict
from tests.bench.stream_check import StateVerdict, judge_messages, judge_states
from tests.bench.stream_kills import (
    COLLECTORS,
    NODES,
    CollectorProcess,
    Outcome,
    Step,
    lines,
    schedule,
)
from tests.bench.streaming import published_delays
from tests.support.nats_nodes import needs_nats

LATEST = 9.0
READY = 3.0
STATES = {"A": ("Chatting", 2), "B": ("Completed", None)}


def text(index: int) -> dict[str, Any]:
    return {
        "index": index,
        "type": "Text",
        "from": {"type": "Customer", "nickname": "Mika", "participantId": "00900001"},
        "text": f"message {index} of this run",
        "visibility": "All",
        "timestamp": f"2026-03-02T09:00:{index:02d}.000+00:00",
    }


LOG = {"A": [text(index) for index in range(1, 5)]}


def message(index: int, **more: object) -> StreamRecord:
    value = {"sessionId": "A", **text(index), **more}
    return StreamRecord("CC.message.north.A", json.dumps(value).encode(), 0.0)


def state(session_id: str, name: str, change: int | None = None) -> StreamRecord:
    data = {} if change is None else {"change": change}
    value = {"record": "session", "session": {"id": session_id, "state": name, "userData": data}}
    return StreamRecord(f"CC.session.north.{session_id}", json.dumps(value).encode(), 0.0)


def ended(session_id: str, name: str | None = "Completed") -> StreamRecord:
    value = {"record": "ended", "sessionId": session_id, "state": name}
    return StreamRecord(f"CC.session.north.{session_id}", json.dumps(value).encode(), 0.0)


def alive() -> StreamRecord:
    return StreamRecord("CC.collector.desk", b'{"record": "alive"}', 0.0)


def counts(*records: StreamRecord) -> tuple[int, ...]:
    """Missing, twice, out of order, unknown."""
    return judge_messages([*records, alive(), state("A", "Chatting")], [LOG])[1:5]


RIGHT = (
    *(state("A", "Chatting"), state("A", "Chatting", 1), state("A", "Chatting", 2)),
    *(state("B", "Chatting"), state("B", "Completed"), ended("B")),
)


def told(*records: StreamRecord) -> tuple[tuple[str, ...], ...]:
    """The sessions whose last record is wrong, that repeat one, and that have an older one."""
    return judge_states([*records, alive(), message(1)], STATES)[2:]


# Messages


def test_a_stream_that_is_the_log_has_no_faults() -> None:
    assert counts(message(1), message(2), message(3), message(4)) == (0, 0, 0, 0)


def test_a_missing_a_doubled_and_a_misplaced_message_are_found() -> None:
    assert counts(message(1), message(3), message(4)) == (1, 0, 0, 0)
    assert counts(message(1), message(2), message(3), message(4), message(2)) == (0, 1, 0, 0)
    assert counts(message(2), message(1), message(3), message(4)) == (0, 0, 1, 0)


def test_a_late_message_is_in_order_if_it_is_marked() -> None:
    assert counts(message(1), message(3), message(2, late=True), message(4)) == (0, 0, 0, 0)
    assert counts(message(1), message(2, late=True), message(3), message(4)) == (0, 0, 1, 0)


def test_a_record_that_is_no_message_of_the_log_is_unknown() -> None:
    torn = StreamRecord("CC.message.north.A", b'{"sessionId"', 0.0)
    assert counts(message(1), message(2), message(3), message(4), message(5), torn) == (0, 0, 0, 2)


# States


def test_the_last_records_say_the_states() -> None:
    assert judge_states(RIGHT, STATES) == StateVerdict(2, 6)


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        (RIGHT[:2] + RIGHT[3:], "A"),
        (RIGHT[:-1], "B"),
        (RIGHT[:-1] + (ended("B", None),), "B"),
        (RIGHT[:3], "B"),
        ((*RIGHT, ended("A")), "A"),
        ((*RIGHT, state("C", "Chatting")), "C"),
    ],
)
def test_a_last_record_that_says_another_state_is_found(
    records: tuple[StreamRecord, ...], wrong: str
) -> None:
    assert told(*records) == ((wrong,), (), ())


def test_a_repeated_record_is_found() -> None:
    assert told(RIGHT[0], *RIGHT) == ((), ("A",), ())
    assert told(*RIGHT, ended("B")) == ((), ("B",), ())


def test_an_older_state_behind_a_newer_one_is_found() -> None:
    assert told(*RIGHT, *RIGHT[1:3]) == ((), (), ("A",))
    assert told(*RIGHT, state("B", "Chatting"), ended("B")) == ((), (), ("B",))


# The row's lines


def misses(outcome: Outcome, kills: int = 2) -> list[str]:
    found = list(lines(outcome, kills))
    missed = [one.measure for one in found if not one.holds]
    assert falls_short(found, counts_only=True) == bool(missed)
    return missed


GOOD = Outcome(Counter(n1=1, a=1), 0, Verdict(100), StateVerdict(2, 6))


def test_every_deviation_is_a_miss() -> None:
    assert misses(GOOD) == []
    assert misses(GOOD, kills=3) == [
        "`kill -9` of nodes and collectors of a three-node stream, at random moments"
    ]
    for verdict in (Verdict(9, lost=1), Verdict(9, twice=1), Verdict(9, misplaced=1), Verdict(9, strange=1)):
        assert misses(GOOD._replace(messages=verdict)) == [
            "messages in the stream missing, twice, out of order, or unknown"
        ]
    assert misses(GOOD._replace(states=StateVerdict(2, 6, wrong=("A",)))) == [
        "sessions whose last record in the stream does not say their state"
    ]
    for states in (StateVerdict(2, 6, repeated=("A",)), StateVerdict(2, 6, older=("A",))):
        assert misses(GOOD._replace(states=states)) == [
            "records of a session's state that repeat the one before, or are older"
        ]


# The kills


def ready_nodes(steps: list[Step], at: float) -> set[str]:
    """The nodes that are up and have had the time to find the others."""
    return {
        node
        for node in NODES
        if not any(
            kill.what == start.what == node and kill.at <= at < start.at + READY
            for kill in steps
            for start in steps
            if (kill.action, start.action) == ("kill", "start") and 0 <= start.at - kill.at <= LATEST
        )
    }


@pytest.mark.parametrize("seed", range(20))
def test_one_node_is_always_left_up(seed: int) -> None:
    steps = schedule(f"{seed}", 60, 6.5)
    assert all(ready_nodes(steps, step.at) for step in steps)
    running = Counter([*NODES, *COLLECTORS])
    for step in steps:
        running[step.what] += 1 if step.action == "start" else -1
        assert set(running.values()) <= {0, 1}
    assert set(running.values()) == {1}


def test_the_kills_are_those_of_the_seed() -> None:
    steps = schedule("1", 60, 6.5)
    assert steps == schedule("1", 60, 6.5) != schedule("2", 60, 6.5)
    assert [one.at for one in steps] == sorted(one.at for one in steps)
    killed = Counter(one.what for one in steps if one.action == "kill")
    assert killed.total() == 60
    assert killed.keys() == {*NODES, *COLLECTORS}
    assert steps[-1].at < 600


def collector(tmp_path: Path, program: str) -> CollectorProcess:
    one = CollectorProcess([sys.executable, "-c", program], {}, tmp_path / "notices")
    one.start()
    return one


def test_a_collector_that_finds_no_stream_is_started_again(tmp_path: Path) -> None:
    one = collector(tmp_path, "import sys; sys.exit(3)")
    try:
        while not one.started_again:
            one.check()
            time.sleep(0.01)
    finally:
        one.kill()
    one.check()
    assert one.started_again == 1


def test_a_collector_that_ends_otherwise_is_a_failure(tmp_path: Path) -> None:
    one = collector(tmp_path, "import sys; sys.exit('error: no such option')")
    try:
        with pytest.raises(Failed, match=r"^tail ended with 1: error: no such option$"):
            while True:
                one.check()
                time.sleep(0.01)
    finally:
        one.kill()


# Speed


def stored(index: int, late: float) -> StreamRecord:
    published = json.loads(message(index).payload)["timestamp"]
    at = engine.epoch(published) + late
    return message(index)._replace(at=at)


def test_delays_are_those_of_the_span() -> None:
    begin = engine.epoch("2026-03-02T09:00:02.000Z")
    records = [stored(index, index / 4) for index in range(1, 6)]
    assert published_delays(records, begin, begin + 3, rate=1) == [0.5, 0.75, 1.0]
    for wrong in (records[:2] + records[3:], [*records, records[2]]):
        with pytest.raises(Failed, match=r"missing, .* duplicates$"):
            published_delays(wrong, begin, begin + 3, rate=1)


# The engine


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("stream-kills", RELIABILITY["stream-kills"]),
        ("tail-stream", ROWS["tail-stream"]),
        ("centre", ROWS["centre"]),
    ],
)
def test_without_an_engine_nothing_is_measured(
    name: str, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = BenchRun(tmp_path)
    monkeypatch.setattr(engine, "PROGRAM", None)
    assert list(measured(row, bench, name)) == [Line(name, "", "no nats-server", "", None)]
    monkeypatch.setattr(engine, "PROGRAM", "nats-server")
    monkeypatch.setattr(engine, "HAS_CLIENT", False)
    assert list(measured(row, replace(bench), name)) == [Line(name, "", "no nats-py", "", None)]


class TestCluster:
    pytestmark = [*needs_nats, pytest.mark.slow]

    def test_a_stream_is_read_as_it_is(self, tmp_path: Path) -> None:
        with cluster(tmp_path) as nodes:
            assert target(nodes).endswith("/CC?replicas=3")
            asyncio.run(publish(nodes.url(""), create=True))
            first = read_stream(nodes)
            assert [(one.subject, one.payload) for one in first] == [
                ("CC.message.north.A", b"1"),
                ("CC.session.north.A", b"2"),
            ]
            assert all(abs(one.at - time.time()) < 60 for one in first)
            with Reader(nodes, rate=100) as reader:
                asyncio.run(publish(nodes.url("")))
                while len(reader.control) < 10 or not reader.records:
                    time.sleep(0.01)
            assert [one.payload for one in reader.records] == [b"1"]
            assert all(0 <= seen - at < 5 for at, seen in reader.control)
            assert len(read_stream(nodes, "session.>")) == 2


async def publish(url: str, *, create: bool = False) -> None:
    """A message and the record of a session, with plain nats-py."""
    import nats

    client = await nats.connect(url.removesuffix("/").split(","))
    jetstream = client.jetstream(timeout=10)
    if create:
        await jetstream.add_stream(name="CC", subjects=["CC.>"], num_replicas=3)
    await jetstream.publish("CC.message.north.A", b"1")
    await jetstream.publish("CC.session.north.A", b"2")
    await client.close()
