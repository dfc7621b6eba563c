"""Cost of starting: the rows of one short command."""

import os
import sys
from collections.abc import Iterator

from tests.bench.bench_run import BenchRun
from tests.bench.figures import Line, exactly, ratio
from tests.bench.processes import check

_SESSIONS = 20
_LOGS = 50
_LOG_LENGTH = 100


def version(bench: BenchRun) -> Iterator[Line]:
    ours = bench.smscli("--version"), bench.environ()
    typer = [sys.executable, "-c", "import typer"], bench.environ()
    check(*ours, 1, 1)
    check(*typer, 0, 0)
    yield ratio("`smscli --version` / `import typer`", *bench.times(ours, typer), bar=0.5)


def help_(bench: BenchRun) -> Iterator[Line]:
    ours = bench.smscli("--help"), bench.environ()
    httpie = [bench.httpie, "--help"], bench.with_httpie()
    check(*ours, 10, 100)
    check(*httpie, 10, 2000)
    yield ratio("`smscli --help` / httpie's `http --help`", *bench.times(ours, httpie), bar=0.5)


def list_(bench: BenchRun) -> Iterator[Line]:
    with bench.serve(sessions=_SESSIONS) as server:
        ours = bench.smscli("list", "--json"), bench.environ(server)
        floor = bench.floor("list", server.list_url), bench.environ(server)
        for side in (ours, floor):
            check(*side, _SESSIONS, _SESSIONS)
        yield ratio("`list --json`, secret from the environment / floor", *bench.times(ours, floor), bar=1.25)


def list_keyring(bench: BenchRun) -> Iterator[Line]:
    with bench.serve(sessions=_SESSIONS) as server:
        ours = bench.smscli("list", "--json"), bench.with_keyring(server)
        floor = bench.floor("list", server.list_url), bench.environ(server)
        for side in (ours, floor):
            check(*side, _SESSIONS, _SESSIONS)
        yield ratio("`list --json`, profile and keyring / floor", *bench.times(ours, floor), bar=1.6)


def list_httpie(bench: BenchRun) -> Iterator[Line]:
    with bench.serve(sessions=_SESSIONS) as server:
        ours = bench.smscli("list", "--json"), bench.environ(server)
        asking = ["--ignore-stdin", "--check-status", "--auth", "demo:demo", "GET", server.list_url]
        httpie = [bench.httpie, *asking], bench.with_httpie()
        check(*ours, _SESSIONS, _SESSIONS)
        check(*httpie, 1, sys.maxsize)
        yield ratio("`list --json` / httpie's `http GET`", *bench.times(ours, httpie), bar=0.75)


def list_activity(bench: BenchRun) -> Iterator[Line]:
    """Reading logs side by side, 30 ms added to each answer."""
    with bench.serve(sessions=_LOGS, messages=_LOG_LENGTH, **{"delay-ms": 30}) as server:
        ours = bench.smscli("list", "--activity", "--jsonl"), bench.environ(server)
        urls = map(server.messages_url, server.sessions)
        floor = bench.floor("activity", *urls), bench.environ(server)
        for side in (ours, floor):
            check(*side, _LOGS, _LOGS)
        measure = (
            f"`list --activity` of {_LOGS} sessions, 30 ms added to each answer / one log after the other"
        )
        yield ratio(measure, *bench.times(ours, floor), bar=0.4)


def complete(bench: BenchRun) -> Iterator[Line]:
    """Completion of an id with a cold and with a warm cache."""
    with bench.serve(sessions=_SESSIONS) as server:
        completing = bench.smscli("__complete", "show", "")
        floor = [sys.executable, "-c", "import typer, requests"], bench.environ()
        # A path below a regular file can't be created, so nothing is cached.
        cold = completing, bench.environ(server, XDG_CACHE_HOME=os.devnull)
        warm = completing, bench.environ(server)
        for side in (cold, warm):
            check(*side, _SESSIONS, _SESSIONS)
        yield ratio(
            "a completed id, cold cache / `import typer, requests`", *bench.times(cold, floor), bar=1.6
        )
        yield ratio("a completed id, warm cache / the same", *bench.times(warm, floor), bar=1.1)


def requests_list(bench: BenchRun) -> Iterator[Line]:
    with bench.serve(sessions=_SESSIONS) as server:
        check(bench.smscli("list", "--json"), bench.environ(server), _SESSIONS, _SESSIONS)
        yield exactly("requests of `list`", len(server.requests()), 1)
