"""Whole commands against damaged responses: each gives an answer or one of our errors, never a traceback.

As a program it runs one case again and shows it: `python -m tests.support.generated_bodies SEED NUMBER`.
"""

import json
import shutil
import socket
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from smscli.cli import run
from tests.support import damaged_responses
from tests.support.captured_terminal import CapturedTerminal
from tests.support.damaged_responses import SESSION, Response

# After so many responses the sign-in is refused: otherwise `tail` would never end.
_ENOUGH = 15

CODES = {
    "config": {1, 4},
    "auth": {4},
    "not_found": {5},
    "server": {1},
    "wire": {1},
    "unreachable": {3},
    "io": {1},
}
"""The kinds of error that a server can cause, each with its exit codes."""

# Not the meaning of statusCode 4, which has its number in brackets.
_INTERNAL = "internal error: "
_ERROR_KEYS = {"kind", "exitCode", "message", "hint", "httpStatus", "statusCode"}
_NOTICE_KEYS = {"kind", "sessionId", "message", "at"}
_MESSAGE_COLUMNS = 9
COMMANDS = (
    *("list", "list --json", "list --jsonl", "list --sort -receivedDate --state Chatting --utc"),
    *("list --columns id,userData.Phone,uri,comment,capabilities", "list --redact --json --customer p"),
    *(f"show {SESSION}", f"show {SESSION} --json", f"show {SESSION} --redact --tz Asia/Kolkata"),
    *(f"messages {SESSION}", f"messages {SESSION} --json", f"messages {SESSION} --jsonl"),
    *(f"messages {SESSION} --jsonl --typing fold --redact", f"messages {SESSION} --html - --utc"),
    *(f"messages {SESSION} --typing show --last 3", f"messages {SESSION} --json --start-index 2 --count 5"),
    *(f"messages {SESSION} --typing hide --since 2013-12-27T21:00:00Z --type Text --utc",),
    *(f"messages {SESSION} --grep e --context 1 --highlight d+ --from Customer",),
    *("doctor", "doctor --json", "auth status", "auth status --json"),
)
TAILS = (
    f"tail {SESSION} --interval 0.1 --push off",
    f"tail {SESSION} --interval 0.1 --json --last all",
    "tail --all --interval 0.1 --json --typing fold --redact",
    "tail --all --interval 0.1 --last 3",
)


@dataclass(frozen=True)
class Case:
    """One command line, and whether stdout is a terminal; both follow from seed and number."""

    seed: int
    number: int
    command: str
    tty: bool

    @property
    def is_follower(self) -> bool:
        return self.command.startswith("tail")

    def random(self, *what: object) -> Random:
        return Random(f"{self.seed}/{self.number}/{'/'.join(map(str, what))}")


def case(seed: int, number: int) -> Case:
    random = Random(f"{seed}/{number}")
    # `doctor` reads more kinds of responses than all others.
    some = random.choices((COMMANDS, ("doctor", "doctor --json"), TAILS), (0.5, 0.47, 0.03))[0]
    command = random.choice(some)
    return Case(seed, number, command, random.random() < 0.3)


@dataclass(frozen=True)
class Outcome:
    """What a command did: exit code, stdout, stderr, and the responses that it got."""

    code: int
    out: str
    err: str
    answers: tuple[tuple[str, Response], ...] = ()

    @property
    def damaged(self) -> int:
        return sum(answer.is_damaged for _, answer in self.answers)


@dataclass
class Tally:
    """The results of many cases; each of `faults` names its case."""

    damaged: int = 0
    cases: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.damaged += other.damaged
        self.cases += other.cases
        self.kinds.update(other.kinds)
        self.faults += other.faults


# The server


class DamagedServer:
    """Serves the damaged responses of one case after another, from the start of a `with` block to its end."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._begin(case(0, 0))

    def _begin(self, played: Case) -> None:
        with self._lock:
            self._case = played
            self._asked: Counter[str] = Counter()
            self._answers: list[tuple[str, Response]] = []

    def __enter__(self) -> "DamagedServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # A blocked accept does not notice a close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def play(self, played: Case, home: Path) -> Outcome:
        """Run the case's command against its answers."""
        self._begin(played)
        environ = {
            "HOME": str(home),
            "SMSCLI_URL": f"http://127.0.0.1:{self._port}/{played.number}",
            "SMSCLI_USERNAME": "demo",
            "SMSCLI_PASSWORD": "demo",
            "SMSCLI_TIMEOUT": "20",
        }
        terminal = CapturedTerminal(tty=played.tty, err_tty=False, environ=environ)
        code = run(played.command.split(), environ, terminal)
        # The state that this case has saved must not affect the next one.
        shutil.rmtree(home, ignore_errors=True)
        with self._lock:
            return Outcome(code, terminal.out_text, terminal.err_text, tuple(self._answers))

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, suppress(OSError), connection.makefile("rb") as file:
            while request := _read(file):
                answer = self._answer(*request)
                connection.sendall(answer.sent)
                if answer.is_last:
                    return

    def _answer(self, target: str, body: bytes) -> Response:
        number, _, path = target.lstrip("/").partition("/")
        with self._lock:
            played = self._case
            if int(number) != played.number:
                return _REFUSED
            kind = damaged_responses.resource(path)
            self._asked[kind] += 1
            if played.is_follower and len(self._answers) >= _ENOUGH:
                return _REFUSED
            random = played.random(kind, self._asked[kind])
            answer = damaged_responses.response(random, kind, body, is_follower=played.is_follower)
            self._answers.append((target, answer))
        return answer


_REFUSED = Response(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", is_damaged=False)


def _read(file: BinaryIO) -> tuple[str, bytes] | None:
    """The target and the body of the next request."""
    first = file.readline()
    if not first:
        return None
    length = 0
    while (line := file.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return first.split()[1].decode("latin-1"), file.read(length)


# The check


def faults(played: Case, outcome: Outcome) -> list[str]:
    """What is wrong with how a case ended; nothing if that is an answer or one of our errors."""
    machine = "--json" in played.command
    told = _machine_faults(outcome) if machine else _plain_faults(outcome)
    return [*told, *_output_faults(played, outcome)]


def kind_of(outcome: Outcome) -> str:
    """`answer`, or the kind of error, or the exit code where stderr does not name the kind."""
    if not outcome.code:
        return "answer"
    told = [_parsed(line) for line in outcome.err.splitlines() if line.startswith("{")]
    kinds = [str(one["error"]["kind"]) for one in told if "error" in one]
    return kinds[-1] if kinds else f"exit code {outcome.code}"


def _plain_faults(outcome: Outcome) -> list[str]:
    """stderr for people: at most one error, on one line, and one hint."""
    lines = outcome.err.split("\n")
    errors = [line for line in lines if line.startswith("error: ")]
    hints = [line for line in lines if line.startswith("hint: ")]
    found = []
    if outcome.code not in set().union(*CODES.values(), {0}):
        found.append(f"exit code {outcome.code}")
    if len(errors) != bool(outcome.code) or len(hints) > len(errors):
        found.append(f"{len(errors)} errors and {len(hints)} hints with exit code {outcome.code}")
    if _INTERNAL in outcome.err or "Traceback" in outcome.err:
        found.append("an internal error")
    # Emoji and several scripts need joiners, which are not escaped.
    if not all(one.replace("\u200c", "").replace("\u200d", "").isprintable() for one in lines):
        found.append("stderr has invisible characters")
    return found


def _machine_faults(outcome: Outcome) -> list[str]:
    """stderr for programs: an object a line, one of them an error where the exit code is one."""
    try:
        said = [_object(line) for line in outcome.err.splitlines()]
    except ValueError:
        return [f"a line of stderr is no JSON object: {outcome.err!r}"]
    errors = [one["error"] for one in said if one.keys() == {"error"}]
    notices = [one["notice"] for one in said if one.keys() == {"notice"}]
    found = []
    if len(errors) + len(notices) != len(said) or len(errors) != bool(outcome.code):
        found.append(f"{len(errors)} errors among {len(said)} lines with exit code {outcome.code}")
    found += [f"not an error: {one}" for one in errors if not _is_error(one, outcome.code)]
    found += [f"not a notice: {one}" for one in notices if one.keys() != _NOTICE_KEYS]
    if _INTERNAL in outcome.err:
        found.append("an internal error")
    return found


def _is_error(error: Any, code: int) -> bool:
    if error.keys() != _ERROR_KEYS or error["exitCode"] != code:
        return False
    return code in CODES.get(error["kind"], ()) and "\n" not in error["message"] + (error["hint"] or "")


def _output_faults(played: Case, outcome: Outcome) -> list[str]:
    """stdout: valid in its form, also where an error ended it early."""
    words = played.command.split()
    try:
        if played.is_follower and played.tty:
            # The live line is redrawn between the others.
            return []
        if "--jsonl" in words or (played.is_follower and "--json" in words):
            for line in outcome.out.splitlines():
                _object(line)
        elif "--json" in words:
            return _document_faults(words[0], outcome)
        elif words[0] in ("messages", "tail") and "--html" not in words and not played.tty:
            short = [row for row in outcome.out.splitlines() if row.count("\t") != _MESSAGE_COLUMNS - 1]
            return [f"no row: {row!r}" for row in short]
    except ValueError as error:
        return [f"stdout is not JSON: {error}"]
    return []


def _document_faults(verb: str, outcome: Outcome) -> list[str]:
    """One document: an array that is written piece by piece is closed whatever happens."""
    if outcome.code and verb in ("list", "show"):
        return ["an error beside data"] if outcome.out else []
    if outcome.code and verb == "auth" and not outcome.out:
        return []
    document = _parsed(outcome.out)
    wanted = dict if verb in ("show", "auth") else list
    return [] if isinstance(document, wanted) else [f"stdout holds {type(document).__name__}"]


def _object(line: str) -> dict[str, Any]:
    value = _parsed(line)
    if not isinstance(value, dict):
        raise ValueError(f"no object: {line[:80]}")
    return value


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON")


# Many cases


def tally(seed: int, numbers: Sequence[int]) -> Tally:
    """Play these cases one after the other; only in the main thread, which alone can handle signals."""
    total = Tally()
    with TemporaryDirectory(prefix="smscli-bodies-") as folder, DamagedServer() as server:
        for number in numbers:
            played = case(seed, number)
            outcome = server.play(played, Path(folder, "home"))
            total.cases += 1
            total.damaged += outcome.damaged
            total.kinds[kind_of(outcome)] += 1
            total.faults += [f"{seed} {number} ({played.command}): {one}" for one in faults(played, outcome)]
    return total


def main(seed: int, number: int) -> int:
    """Play one case and print all of it; 1 if it has a fault."""
    played = case(seed, number)
    with TemporaryDirectory(prefix="smscli-bodies-") as folder, DamagedServer() as server:
        outcome = server.play(played, Path(folder, "home"))
    for target, answer in outcome.answers:
        print(f"{target}\n    {answer.sent[:2000]!r}{' and more' * (len(answer.sent) > 2000)}")
    found = faults(played, outcome)
    print(f"smscli {played.command}{' (on a terminal)' * played.tty}: exit code {outcome.code}")
    print(f"{outcome.out!r}\n{outcome.err!r}")
    print("\n".join(found) or "no fault")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
