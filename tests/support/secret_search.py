"""Searches for leaked secrets: every command, with and without faults, with `--debug`; its output, its
traceback, the files it leaves, and what other users of the machine can see of the process."""

import json
import os
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from subprocess import PIPE
from urllib.parse import quote, quote_plus

from keyring.backend import KeyringBackend

from smscli.demo.http_server import DemoRequest, DemoResponse
from tests.server.api import HttpSessions, csrf_token
from tests.server.faults import KINDS
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.paths import ROOT

_PROC = Path("/proc")
_WORKERS = 2
_LONGEST = 80
_PATIENCE = 60.0
_PULSE = 0.005
# So long a password command runs, so that its environment can be read.
_LINGER = 0.1

USER = "maja"
# Characters that URLs and JSON escape, and a letter that is another byte in Latin-1.
PASSWORD = 'pÄss/"w0rd+&% of maja'
TOKEN = "t0ken/of+maja.x=="
COOKIE = "node0c00kie/of+maja.x"
ID = "0000Na9B26EF0001"

# Runs the tool with one function broken, named in the first argument.
_BROKEN = """
import importlib, sys
place, function = sys.argv.pop(1).rsplit(":", 1)
module, _, inner = place.partition(".of.")
owner = importlib.import_module(module)
owner = getattr(owner, inner) if inner else owner
def broken(*given, **named):
    raise RuntimeError("broken")
setattr(owner, function, broken)
from smscli.__main__ import main
main()
"""
BREAKS = (
    "smscli.settings.credentials.of.Credential:header",
    "smscli.gws.http_auth.of.HttpAuth:store_csrf_token",
    "smscli.gws.http:_trace",
    "requests.adapters.of.HTTPAdapter:send",
    "http.client.of.HTTPConnection:putheader",
)
# The server repeats the request headers in an error message: at once, or after a good list.
QUOTES = ("quoted", "quoted later")
# The last three are retried by the tool, which takes long.
TROUBLES = ("", "refused", "403", "redirect", "html", *QUOTES, *BREAKS, "500", "cut", "gone")
QUICK = TROUBLES[:-3]
SOURCES = ("environment", "token", "keyring", "command", "cookie")
LOGIN = ("auth", "login")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("list", "--json"),
    ("show", ID),
    ("messages", ID),
    ("tail", ID),
    ("tail", ID, "--profile", "default,second"),
    ("doctor",),
    ("auth", "status"),
    LOGIN,
    ("auth", "list"),
    ("auth", "logout"),
    ("__complete", "show", ""),
)


class FileKeyring(KeyringBackend):
    """A keyring in a file outside the home that is searched."""

    priority = 1

    @property
    def _file(self) -> Path:
        return Path(os.environ["FILE_KEYRING"])

    def get_password(self, service: str, username: str) -> str | None:
        return self._file.read_text() if self._file.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file.write_text(password)

    def delete_password(self, service: str, username: str) -> None:
        self._file.unlink()


class RecordedHttpSessions(HttpSessions):
    """HTTP sessions of the server that remember every cookie and CSRF token they issued."""

    def __init__(self) -> None:
        super().__init__()
        self.given: set[str] = set()

    def open(self) -> str:
        cookie = super().open()
        self.given |= {cookie, csrf_token(cookie)}
        return cookie


@dataclass(frozen=True)
class Case:
    """One run: the command, where its secret comes from, and the fault."""

    command: tuple[str, ...]
    source: str
    trouble: str = ""

    def __str__(self) -> str:
        return f"{' '.join(self.command)}, secret from {self.source}, {self.trouble or 'no fault'}"


@dataclass
class SearchResult:
    """How many texts were searched, and where a secret was found."""

    places: int = 0
    occurrences: list[str] = field(default_factory=list)
    runs: int = 1

    def look(self, where: str, text: bytes, forms: Sequence[bytes]) -> None:
        self.places += 1
        self.occurrences += [f"{where}: {form!r}" for form in forms if form in text]


class SecretServer(FakeServer):
    """A server with the fault of the case; it demands CSRF tokens and remembers what it issued."""

    def __init__(self, case: Case) -> None:
        options = Options(scene="empty", csrf=True, users={USER: PASSWORD}, tokens={TOKEN: USER})
        options.cookies = {COOKIE: USER}
        if case.trouble == "refused":
            options = Options(scene="empty", csrf=True)
        elif case.trouble in KINDS:
            options.fault = (case.trouble,)
        super().__init__(options)
        self.api.http_sessions = self.issued = RecordedHttpSessions()
        if case.trouble in QUOTES:
            self._quote(("notifications", "messages") if case.trouble == QUOTES[1] else ("",))
        self.store.add_session(ID, customer="Mika", agents=("Robin",))
        self.store.say(ID, "is anybody there?", by="Mika")

    def _quote(self, ends: tuple[str, ...]) -> None:
        """Refuse requests whose path ends so, with an error message that repeats their headers."""
        usual = self.api.answer

        def answer(request: DemoRequest, user: str | None) -> DemoResponse:
            answered = usual(request, user)
            if request.path.endswith(ends):
                answered.status, answered.body = _quoting(request)
            return answered

        self.api.answer = answer

    @contextmanager
    def ended_in_time(self, case: Case) -> Iterator[None]:
        """Within the block the session ends as soon as it is followed, so that `tail` ends too."""
        ending = threading.Thread(target=self._end_when_listened_to)
        if case.command[0] == "tail" and not case.trouble:
            ending.start()
        yield
        if ending.ident:
            ending.join()

    def _end_when_listened_to(self) -> None:
        self.await_listeners()
        self.store.end(ID)


def _quoting(request: DemoRequest) -> tuple[int, bytes]:
    """The status and body of a refusal that repeats the headers of the request."""
    words = "refused: " + " ".join(request.headers.values())
    if request.path.endswith("notifications"):
        reply = {"channel": "/meta/handshake", "successful": False, "error": f"403::{words}"}
        return 200, json.dumps([reply]).encode()
    return 401, json.dumps({"statusCode": 20, "statusMessage": words}).encode()


def cases(*, quick: bool) -> list[Case]:
    """Each command with each fault and each source of the secret; `quick`: with one source per command."""
    if not quick:
        return [Case(*one) for one in product(COMMANDS, SOURCES, TROUBLES)]
    return [
        Case(command, SOURCES[(row + column) % len(SOURCES)], trouble)
        for row, trouble in enumerate(QUICK)
        for column, command in enumerate(COMMANDS)
    ]


def forms(secret: str) -> list[bytes]:
    """A secret verbatim, as URLs, JSON and Python escape it, and in base64, alone and as in Basic."""
    spelled = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    spelled |= {repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    codes = ("utf-8", "latin-1")
    found = {one.encode(code) for one in spelled for code in codes}
    found |= {b64encode(one.encode(code)) for one in (secret, f"{USER}:{secret}") for code in codes}
    return sorted(found)


def search(case: Case, folder: Path) -> SearchResult:
    """Run the case and search everywhere; `folder` gets its home, and the keyring file beside it."""
    with SecretServer(case) as server:
        environ = _environ(case, server, folder)
        if case.trouble == "gone":
            server.close()
        return _search(case, server, environ, folder / "home")


def _search(case: Case, server: SecretServer, environ: Mapping[str, str], home: Path) -> SearchResult:
    process = subprocess.Popen(
        _command(case, server), env=environ, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    with (
        watch_process(process.pid, own_environ=case.source in ("keyring", "command")) as seen,
        server.ended_in_time(case),
    ):
        typed = {"token": TOKEN, "cookie": f"JSESSIONID={COOKIE}"}.get(case.source, PASSWORD)
        out, err = process.communicate(f"{typed}\n".encode(), timeout=_PATIENCE)
    seen |= {"stdout": out, "stderr": err}
    seen |= {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    secrets = [form for secret in (PASSWORD, TOKEN, COOKIE, *server.issued.given) for form in forms(secret)]
    found = SearchResult()
    for where, text in seen.items():
        found.look(f"{where} of {case}", text, secrets)
    return found


def _command(case: Case, server: SecretServer) -> list[str]:
    words = list(case.command)
    if case.command == LOGIN:
        words += [f"--{case.source if case.source in ('token', 'cookie') else 'password'}-stdin"]
        words += ["--url", server.url, "--user", USER]
    if words[0] != "__complete":
        words.append("--debug")
    start = ["-c", _BROKEN, case.trouble] if ":" in case.trouble else ["-m", "smscli"]
    return [sys.executable, *start, *words]


def _environ(case: Case, server: SecretServer, folder: Path) -> dict[str, str]:
    """A home with a profile, and the secret where the case has it, always outside the home."""
    config, chest = folder / "home" / ".config" / "smscli", folder / "chest"
    config.mkdir(parents=True)
    chest.write_text(TOKEN if case.source == "token" else PASSWORD)
    lines = ["[profiles.default]", f'url = "{server.url}"', f'user = "{USER}"']
    if case.source == "command":
        lines.append(f'password_command = ["sh", "-c", "sleep {_LINGER}; cat {chest}"]')
    if "default,second" in case.command:
        lines += ["[profiles.second]", *lines[1:]]
    (config / "config.toml").write_text("\n".join(lines) + "\n")
    environ = {
        "HOME": str(folder / "home"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHON_KEYRING_BACKEND": "tests.support.secret_search.FileKeyring",
        "FILE_KEYRING": str(chest),
    }
    given = {
        "environment": {"SMSCLI_PASSWORD": PASSWORD},
        "token": {"SMSCLI_TOKEN": TOKEN},
        "cookie": {"SMSCLI_COOKIE": f"JSESSIONID={COOKIE}"},
    }
    return environ | given.get(case.source, {})


@contextmanager
def watch_process(process_id: int, *, own_environ: bool) -> Iterator[dict[str, bytes]]:
    """What can be seen of a process and its children while they run: command lines and environments. The
    process's own environment is left out unless `own_environ`: users may put a secret there themselves."""
    seen: dict[str, bytes] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_PULSE):
            with suppress(OSError):
                for one in (process_id, *_children(process_id)):
                    _note(seen, one, with_environ=own_environ or one != process_id)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def _note(seen: dict[str, bytes], process_id: int, *, with_environ: bool) -> None:
    for name in ("cmdline", "environ") if with_environ else ("cmdline",):
        text = (_PROC / str(process_id) / name).read_bytes()
        if text:
            seen[f"{name} {text[:_LONGEST]!r}"] = text


def _children(process_id: int) -> list[int]:
    tasks = (_PROC / str(process_id) / "task").glob("*/children")
    return [int(number) for task in tasks for number in task.read_text().split()]


def search_all(asked: Sequence[Case], folder: Path) -> SearchResult:
    """All these cases, each in a folder of its own."""
    folders = [folder / f"case-{number}" for number in range(len(asked))]
    with ThreadPoolExecutor(_WORKERS) as workers:
        results = list(workers.map(search, asked, folders))
    places = sum(one.places for one in results)
    return SearchResult(places, [told for one in results for told in one.occurrences], len(results))
