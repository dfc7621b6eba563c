"""Cost of following: latency, requests of an idle tail, the limit of reads, memory."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
READS_A_SECOND = 20
START = 90.0
# After the first entries: until push is trusted and the first rereads are done.
SETTLE = 10.0
# The text that the server's `say` command sends as the customer.
_SAID = "is anybody there?"


@dataclass(frozen=True)
class Load:
    """A followed load and what is wrong with its server. `rate`: messages a second; `slow`: so many sessions
    more take 2 s per read; `failing`: the share of reads that fail; `outage`: for so many seconds all do;
    `grace`: the seconds after the load until every message must be printed."""

    push: str = "auto"
    interval: float = _INTERVAL
    grace: float = 2.0
    slow: int = 0
    failing: float = 0.0
    outage: float = 0.0


def tail_push(bench: BenchRun) -> Iterator[Line]:
    measure = f"`tail` with push, 20 sessions, {_RATE} messages a second: published to printed"
    yield from _latency(bench, Load(), measure, {50: 0.015, 99: 0.060})


def tail_poll(bench: BenchRun) -> Iterator[Line]:
    measure = f"`tail` without push, same load, interval {_INTERVAL:g} s: published to printed"
    load = Load("off", grace=2 * _INTERVAL)
    yield from _latency(bench, load, measure, {99: _INTERVAL + 0.150})


def tail_slow(bench: BenchRun) -> Iterator[Line]:
    measure = "`tail` with push, same load, six more sessions take 2 s per read: the others"
    yield from _latency(bench, Load(grace=20.0, slow=6), measure, {99: 0.250})


def tail_failing(bench: BenchRun) -> Iterator[Line]:
    measure = "`tail` with push, same load, one read in ten fails: published to printed"
    yield from _latency(bench, Load(grace=20.0, failing=0.1), measure, {50: 0.100, 99: 3.0})


def tail_failing_often(bench: BenchRun) -> Iterator[Line]:
    measure = "`tail` with push, same load, three reads in ten fail: published to printed"
    yield from _latency(bench, Load(grace=40.0, failing=0.3), measure, {99: 8.0})


def tail_poll_failing(bench: BenchRun) -> Iterator[Line]:
    measure = "`tail` without push, same load, interval 1 s, one read in ten fails: published to printed"
    yield from _latency(bench, Load("off", 1.0, grace=20.0, failing=0.1), measure, {99: 5.0})


def tail_outage(bench: BenchRun) -> Iterator[Line]:
    """Every read fails with a 500, while messages are published and pushed."""
    seconds = 15.0 if bench.quick else 60.0

    def run() -> Iterator[Line]:
        begin, arrivals = _followed(bench, Load(grace=20.0, outage=seconds))
        held_up = [one.printed for one in arrivals if one.published < begin + seconds < one.printed]
        if not held_up:
            raise Failed("the outage has held up no message")
        measure = f"after {seconds:g} s in which every read fails: the last held-up message"
        behind = max(held_up) - begin - seconds
        yield at_most(measure, behind, 8.0, milliseconds, f"{len(held_up)} messages")

    yield from best_of_three(bench, run)


def _latency(bench: BenchRun, load: Load, measure: str, bars: Mapping[int, float]) -> Iterator[Line]:
    """A line for each percentile with a bar, in seconds from published to printed."""

    def run() -> Iterator[Line]:
        _, arrivals = _followed(bench, load)
        delays, detail = _delays(arrivals)
        for share, bar in bars.items():
            yield at_most(f"{measure}, p{share}", percentile(delays, share), bar, milliseconds, detail)

    yield from best_of_three(bench, run)


def best_of_three(bench: BenchRun, run: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    """The lines of the first run whose bars hold, of at most three: the machine may be shared."""
    for _ in range(1 if bench.quick else 3):
        lines = list(run())
        if all(line.holds for line in lines):
            break
    yield from lines


def _followed(bench: BenchRun, load: Load) -> tuple[float, list[Arrival]]:
    """The begin of a span of a tail, and the messages published in it, without those of slow sessions.

    Raises Failed unless each message is printed exactly once.
    """
    span = load.outage or (6.0 if bench.quick else 60.0)
    sessions = 20 + load.slow
    rate = _RATE * sessions / 20
    with (
        bench.serve(sessions=sessions, messages=100, rate=rate) as server,
        tail(bench, bench.environ(server), "--all", "--json", *_options(load)) as running,
    ):
        running.await_sessions(sessions, START)
        running.watch(SETTLE)
        slow = set(server.sessions[:: sessions // load.slow][: load.slow] if load.slow else ())
        server.set(slow=dict.fromkeys(slow, 2.0), fault_path="/me/smsessions", fault_rate=load.failing)
        if load.failing:
            server.set(fault=("reset", "500", "cut"))
        if load.slow:
            running.watch(SETTLE)
        begin = time.time()
        if load.outage:
            server.start_outage(load.outage)
        running.watch(span)
        server.set(fault=())
        running.watch(load.grace)
        arrivals = exactly_once(running, begin, begin + span, rate)
    return begin, [one for one in arrivals if one.session_id not in slow]


def _options(load: Load) -> list[str]:
    return ["--push", load.push, "--interval", str(load.interval)]


def exactly_once(running: Tail, begin: float, end: float, rate: float = _RATE) -> list[Arrival]:
    """The messages published between these epoch seconds at `rate`; Failed unless each is printed once."""
    arrivals = [one for one in running.arrivals() if begin <= one.published < end]
    numbers = [one.number for one in arrivals]
    # The first and the last message may fall just outside the span.
    missing, again = lost(numbers, floor((end - begin) * rate) - 1), repeated(numbers)
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
        tail_on_terminal(bench, bench.environ(server), "--all") as running,
    ):
        running.wait_until(lambda: len(server.reads()) > 50, START, "has not read every session")
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
    running.watch(SETTLE)


def _check_awake(running: Tail, server: ServerProcess, asked: Sequence[str]) -> None:
    """Raises Failed unless this tail has polled and still receives messages: one that hangs costs nothing."""
    for what, place in (("the list", "/smsessions?"), ("any messages", "/messages")):
        if not any(place in one for one in asked):
            raise Failed(f"tail has not read {what} while it was idle")
    said = running.count(_SAID)
    server.say(server.sessions[-1], _SAID)
    running.wait_until(lambda: running.count(_SAID) > said, SETTLE, "has not printed what was said to it")


def many_push(bench: BenchRun) -> Iterator[Line]:
    yield _many(bench, "auto", lambda around: 10.0)


def many_poll(bench: BenchRun) -> Iterator[Line]:
    yield _many(bench, "off", lambda around: 1.6 * around)


def _many(bench: BenchRun, push: str, lag: Callable[[float], float]) -> Line:
    """Raises Failed if a message is not printed within `lag`, given the time to read all sessions once."""
    sessions, span = (200, 10.0) if bench.quick else (500, 30.0)
    around = sessions / READS_A_SECOND
    with (
        bench.serve(sessions=sessions, messages=20, rate=_RATE) as server,
        tail(bench, bench.environ(server), "--all", "--json", "--push", push) as running,
    ):
        running.await_sessions(sessions, START)
        begin = time.time()
        running.watch(span + lag(around))
        arrivals = exactly_once(running, begin, begin + span)
        stamps = server.reads()
    most = most_within(stamps, 1.0)
    way = "with push" if push == "auto" else "without push"
    measure = f"`tail --all` over {sessions} sessions {way}: most reads in any second"
    return count_at_most(
        measure, most, READS_A_SECOND, detail=f"{len(stamps)} reads, {len(arrivals)} messages followed"
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
        tail(bench, bench.environ(server), "--all", "--json") as running,
    ):
        running.await_sessions(sessions, 3 * START)
        return running.peak()
