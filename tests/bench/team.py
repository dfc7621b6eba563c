"""Following the sessions of many agents in one stream, over https."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import trustme

from tests.bench.bench_run import BenchRun
from tests.bench.figures import (
    Line,
    Samples,
    count_at_most,
    mebibytes,
    milliseconds,
    most_within,
    percentile,
    ratio,
)
from tests.bench.following import READS_A_SECOND, SETTLE, START, exactly_once
from tests.bench.processes import Environ
from tests.bench.tail import Arrival, tail
from tests.server.process import Switch

_AGENTS = 50
_SESSIONS = 2
_RATE = 10
_GRACE = 2.0
# A round takes minutes, and its figures hardly vary.
_MOST_ROUNDS = 3
_PASSWORD = "p"


class TeamRun(NamedTuple):
    """A tail of one profile per agent: its peak memory in bytes, when the server was read from, in monotonic
    seconds, and the messages published in its span."""

    peak: int
    reads: list[float]
    arrivals: list[Arrival]

    @property
    def most_reads(self) -> int:
        """The most reads in any second."""
        return most_within(self.reads, 1.0)


class Certificate(NamedTuple):
    """PEM files: a certificate for localhost with its key, and the certificate of its CA."""

    server: Path
    authority: Path


def team(bench: BenchRun) -> Iterator[Line]:
    """A tail of many profiles beside one of a single profile, to which as many messages are published."""
    span = 15.0 if bench.quick else 60.0
    certificate = issue_certificate(bench.folder)
    rounds = range(1 if bench.quick else min(bench.rounds, _MOST_ROUNDS))
    runs = [[follow_team(bench, agents, span, certificate) for agents in (_AGENTS, 1)] for _ in rounds]
    many, one = zip(*runs, strict=True)
    ours, theirs = (Samples(tuple(each.peak for each in side), mebibytes) for side in (many, one))
    what = f"`tail --all -p '*'` over https, {_AGENTS} profiles of {_SESSIONS} sessions each"
    yield ratio(f"peak memory of {what} / of one profile", ours, theirs, 2.0, counted=True)
    busiest = max(many, key=lambda each: each.most_reads)
    measure = f"{what}: most reads in any second"
    yield count_at_most(measure, busiest.most_reads, READS_A_SECOND, detail=_detail(busiest))


def _detail(run: TeamRun) -> str:
    delays = [one.printed - one.published for one in run.arrivals]
    p50, p99 = (milliseconds(percentile(delays, share)) for share in (50, 99))
    return f"{len(run.reads)} reads; {len(delays)} messages, published to printed: p50 {p50}, p99 {p99}"


def follow_team(
    bench: BenchRun, agents: int, span: float, certificate: Certificate, settle: float = SETTLE
) -> TeamRun:
    """Follow the sessions of so many agents for `span` seconds, and `settle` seconds before it.

    Raises Failed unless each message of the span is printed exactly once.
    """
    users = {f"agent{number}": _PASSWORD for number in range(agents)}
    load: dict[str, Switch] = {"sessions": _SESSIONS * agents, "messages": 20, "rate": _RATE}
    served = bench.serve(**load, users=users, owners=tuple(users), certificate=str(certificate.server))
    with served as server:
        environ = _with_profiles(bench, server.url, users, certificate.authority)
        with tail(bench, environ, "--all", "--json", "-p", "*") as running:
            running.await_sessions(_SESSIONS * agents, START)
            running.watch(settle)
            begin = time.time()
            running.watch(span + _GRACE)
            arrivals = exactly_once(running, begin, begin + span, _RATE)
            return TeamRun(running.peak(), server.reads(), arrivals)


def _with_profiles(bench: BenchRun, url: str, users: Iterable[str], authority: Path) -> Environ:
    """The environment of a tail, with a profile for each user."""
    config = bench.folder / "team"
    config.mkdir(exist_ok=True)
    command = json.dumps(["echo", _PASSWORD])
    settings = f'url = "{url}"\nca_bundle = "{authority}"\npassword_command = {command}\n'
    profiles = [f'[profiles.{user}]\nuser = "{user}"\n{settings}' for user in users]
    (config / "config.toml").write_text("".join(profiles))
    return bench.environ(SMSCLI_CONFIG_DIR=str(config))


def issue_certificate(folder: Path) -> Certificate:
    """A certificate from a CA of its own, written to this folder."""
    authority, files = trustme.CA(), Certificate(folder / "localhost.pem", folder / "authority.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(files.server))
    authority.cert_pem.write_to_path(str(files.authority))
    return files
