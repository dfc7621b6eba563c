"""Cost of following: latency, requests of an idle tail, the limit of reads, memory."""

import time
from collections.abc import Callable, Iterator, Sequence
from math import floor

from tests.bench.bench_run import BenchRun
from tests.bench.figures import (
    Line,
    Samples,
    at_most,
    count_at_most,
    lost,
    mebibytes,
    milliseconds,
    most_within,
    percentile,
    repeated,
    under,
)
from tests.bench.processes import Failed
from tests.bench.tail import Arrival, Tail, tail, tail_on_terminal
from tests.server.process import ServerProcess

_RATE = 10
_INTERVAL = 2.0
_READS_A_SECOND = 20
_START = 60.0
# After the first entries: until push is trusted and the first rereads are done.
_SETTLE = 10.0
# The text that the server's `say` command sends as the customer.
_SAID = "is anybody there?"


def tail_push(bench: BenchRun) -> Iterator[Line]:
    arrivals = _followed(bench, "auto", grace=2.0)
    delays, detail = _delays(arrivals)
    measure = f"`tail` with push, 20 sessions, {_RATE} messages a second: published to printed"
    yield at_most(f"{measure}, p50", percentile(delays, 50), 0.015, milliseconds, detail)
    yield at_most(f"{measure}, p99", percentile(delays, 99), 0.060, milliseconds, detail)


def tail_poll(bench: BenchRun) -> Iterator[Line]:
    arrivals = _followed(bench, "off", grace=2 * _INTERVAL)
    delays, detail = _delays(arrivals)
    measure = f"`tail` without push, same load, interval {_INTERVAL:g} s: published to printed, p99"
    yield at_most(measure, percentile(delays, 99), _INTERVAL + 0.150, milliseconds, detail)


def _followed(bench: BenchRun, push: str, grace: float) -> list[Arrival]:
    """The messages published during a span of a tail. Raises Failed unless each is printed exactly once."""
    span = 6.0 if bench.quick else 60.0
    with (
        bench.serve(sessions=20, messages=100, rate=_RATE) as server,
        tail(bench, server, "--all", "--json", "--push", push, "--interval", str(_INTERVAL)) as running,
    ):
        running.await_sessions(20, _START)
        running.watch(_SETTLE)
        begin = time.time()
        running.watch(span + grace)
        return _exactly_once(running, begin, begin + span)


def _exactly_once(running: Tail, begin: float, end: float) -> list[Arrival]:
    arrivals = [one for one in running.arrivals() if begin <= one.published < end]
    numbers = [one.number for one in arrivals]
    # The first and the last message may fall just outside the span.
    missing, again = lost(numbers, floor((end - begin) * _RATE) - 1), repeated(numbers)
    if missing or again:
        raise Failed(
            f"of {len(set(numbers)) + missing} messages {missing} are missing, {again} are duplicates"
        )
    return arrivals


def _delays(arrivals: list[Arrival]) -> tuple[list[float], str]:
    delays = [one.printed - one.published for one in arrivals]
    least, most = milliseconds(min(delays)), milliseconds(max(delays))
    return delays, f"{len(delays)} messages ({least}..{most})"


def idle(bench: BenchRun) -> Iterator[Line]:
    """On a terminal, where the status line is updated too."""
    span = 30.0 if bench.quick else 60.0
    with (
        bench.serve(sessions=50, messages=20) as server,
        tail_on_terminal(bench, server, "--all") as running,
    ):
        running.wait_until(lambda: len(server.reads()) > 50, _START, "has not read every session")
        _win_trust(running, server)
        server.forget()
        begun = running.processor_seconds()
        running.watch(span)
        asked, used = server.requests(), running.processor_seconds() - begun
        _check_awake(running, server, asked)
    detail = f"{sum('/notifications' in one for one in asked)} of them for push"
    measure = f"requests of an idle `tail --all`, 50 sessions, push trusted, {span:g} s"
    yield count_at_most(measure, len(asked), span / 3, detail=detail)
    yield under(
        "processor time of that tail, on a terminal", used / span, 0.01, "{:.2%}".format, f"{used:.2f} s"
    )


def _win_trust(running: Tail, server: ServerProcess) -> None:
    """Publish a few messages, so that notifications arrive before polls find anything."""
    running.watch(2.0)
    for session in server.sessions[:3]:
        server.say(session, _SAID)
        running.watch(1.0)
    running.watch(_SETTLE)


def _check_awake(running: Tail, server: ServerProcess, asked: Sequence[str]) -> None:
    """Raises Failed unless this tail has polled and still receives messages: one that hangs costs nothing."""
    for what, place in (("the list", "/smsessions?"), ("any messages", "/messages")):
        if not any(place in one for one in asked):
            raise Failed(f"tail has not read {what} while it was idle")
    said = running.count(_SAID)
    server.say(server.sessions[-1], _SAID)
    running.wait_until(lambda: running.count(_SAID) > said, _SETTLE, "has not printed what was said to it")


def many_push(bench: BenchRun) -> Iterator[Line]:
    yield _many(bench, "auto", lambda around: 10.0)


def many_poll(bench: BenchRun) -> Iterator[Line]:
    yield _many(bench, "off", lambda around: 1.6 * around)


def _many(bench: BenchRun, push: str, lag: Callable[[float], float]) -> Line:
    """Raises Failed if a message is not printed within `lag`, given the time to read all sessions once."""
    sessions, span = (200, 10.0) if bench.quick else (500, 30.0)
    around = sessions / _READS_A_SECOND
    with (
        bench.serve(sessions=sessions, messages=20, rate=_RATE) as server,
        tail(bench, server, "--all", "--json", "--push", push) as running,
    ):
        running.await_sessions(sessions, _START)
        begin = time.time()
        running.watch(span + lag(around))
        arrivals = _exactly_once(running, begin, begin + span)
        stamps = server.reads()
    most = most_within(stamps, 1.0)
    way = "with push" if push == "auto" else "without push"
    measure = f"`tail --all` over {sessions} sessions {way}: most reads in any second"
    return count_at_most(
        measure, most, _READS_A_SECOND, detail=f"{len(stamps)} reads, {len(arrivals)} messages followed"
    )


def memory_follow(bench: BenchRun) -> Iterator[Line]:
    sessions, lengths = 4, (500, 20_000 if bench.quick else 50_000)
    # This figure hardly varies, so a quick run needs one round.
    rounds = range(1 if bench.quick else bench.rounds)
    peaks = [[_follow_peak(bench, sessions, length) for length in lengths] for _ in rounds]
    short, long = (Samples(side, mebibytes) for side in zip(*peaks, strict=True))
    messages = sessions * (lengths[1] - lengths[0])
    measure = f"memory of a follow, per message, {sessions} sessions of {lengths[1]:,}"
    figure = (long.median - short.median) / messages
    yield count_at_most(
        measure, figure, 64, "{:.0f} bytes".format, f"{long} - {short}, {messages:,} messages"
    )


def _follow_peak(bench: BenchRun, sessions: int, length: int) -> int:
    with (
        bench.serve(sessions=sessions, messages=length) as server,
        tail(bench, server, "--all", "--json") as running,
    ):
        running.await_sessions(sessions, 3 * _START)
        return running.peak()
