"""Cost of starting: the rows of one short command."""

import os
import sys
from collections.abc import Iterator

from tests.bench.children import check
from tests.bench.figures import Line, exactly, ratio
from tests.bench.setting import Setting

_SESSIONS = 20


def version(setting: Setting) -> Iterator[Line]:
    ours = setting.smscli("--version"), setting.environ()
    typer = [sys.executable, "-c", "import typer"], setting.environ()
    check(*ours, 1, 1)
    check(*typer, 0, 0)
    yield ratio("`smscli --version` / `import typer`", *setting.times(ours, typer), bar=0.5)


def help_(setting: Setting) -> Iterator[Line]:
    ours = setting.smscli("--help"), setting.environ()
    httpie = [setting.httpie, "--help"], setting.with_httpie()
    check(*ours, 10, 100)
    check(*httpie, 10, 2000)
    yield ratio("`smscli --help` / httpie's `http --help`", *setting.times(ours, httpie), bar=0.5)


def list_(setting: Setting) -> Iterator[Line]:
    with setting.serve(sessions=_SESSIONS) as server:
        ours = setting.smscli("list", "--json"), setting.environ(server)
        floor = setting.floor("list", server.list_url), setting.environ(server)
        for side in (ours, floor):
            check(*side, _SESSIONS, _SESSIONS)
        yield ratio(
            "`list --json`, secret from the environment / floor", *setting.times(ours, floor), bar=1.25
        )


def list_keyring(setting: Setting) -> Iterator[Line]:
    with setting.serve(sessions=_SESSIONS) as server:
        ours = setting.smscli("list", "--json"), setting.with_keyring(server)
        floor = setting.floor("list", server.list_url), setting.environ(server)
        for side in (ours, floor):
            check(*side, _SESSIONS, _SESSIONS)
        yield ratio("`list --json`, profile and keyring / floor", *setting.times(ours, floor), bar=1.6)


def list_httpie(setting: Setting) -> Iterator[Line]:
    with setting.serve(sessions=_SESSIONS) as server:
        ours = setting.smscli("list", "--json"), setting.environ(server)
        asking = ["--ignore-stdin", "--check-status", "--auth", "demo:demo", "GET", server.list_url]
        httpie = [setting.httpie, *asking], setting.with_httpie()
        check(*ours, _SESSIONS, _SESSIONS)
        check(*httpie, 1, sys.maxsize)
        yield ratio("`list --json` / httpie's `http GET`", *setting.times(ours, httpie), bar=0.75)


def complete(setting: Setting) -> Iterator[Line]:
    """Completion of an id with a cold and with a warm cache."""
    with setting.serve(sessions=_SESSIONS) as server:
        completing = setting.smscli("__complete", "show", "")
        floor = [sys.executable, "-c", "import typer, requests"], setting.environ()
        # A path below a regular file can't be created, so nothing is cached.
        cold = completing, setting.environ(server, XDG_CACHE_HOME=os.devnull)
        warm = completing, setting.environ(server)
        for side in (cold, warm):
            check(*side, _SESSIONS, _SESSIONS)
        yield ratio(
            "a completed id, cold cache / `import typer, requests`", *setting.times(cold, floor), bar=1.6
        )
        yield ratio("a completed id, warm cache / the same", *setting.times(warm, floor), bar=1.1)


def requests_list(setting: Setting) -> Iterator[Line]:
    with setting.serve(sessions=_SESSIONS) as server:
        check(setting.smscli("list", "--json"), setting.environ(server), _SESSIONS, _SESSIONS)
        yield exactly("requests of `list`", len(server.requests()), 1)
