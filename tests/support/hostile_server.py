"""A hostile server, and a user who runs commands against it in this process."""

import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from tests.support import hostile_documents as documents
from tests.support.hostile_documents import HostileText, Json, Scene
from tests.support.hostile_outputs import Output, View
from tests.support.wire_server import Reply, Request, WireServer, answer, whole


@dataclass(frozen=True)
class Written:
    """What one run of a command wrote."""

    code: int
    out: str
    err: str


class HostileServer(WireServer):
    """Answers every read with documents in which every field is hostile.

    `mode`: what goes wrong. `scene`: what there is for a command that follows.
    """

    def __init__(self, hostile: HostileText) -> None:
        super().__init__(self._answer)
        self.mode = "good"
        self.scene: Scene | None = None
        self._hostile = hostile

    def _answer(self, request: Request) -> Reply:
        if self.mode in ("good", "odd headers"):
            return self._good(request)
        if self.mode == "nothing" and not request.path.endswith("messages"):
            return self._good(request)
        return self._bad()

    def _good(self, request: Request) -> Reply:
        if request.method == "POST":
            return answer(self._hostile.document(documents.HANDSHAKE))
        match request.path.rpartition("/")[2]:
            case "me":
                return self._success(user=documents.USER)
            case "services":
                return self._success(services=[documents.SERVICE, documents.OTHER_SERVICE])
            case "messages":
                log = self.scene.messages(request.path) if self.scene else documents.MESSAGES
                start, count = (int(request.query.get(key, "0")) for key in ("startIndex", "count"))
                first = max(start - 1, 0)
                return self._success(messages=log[first : first + (count or 999)])
        return self._success(smsessions=self._sessions())

    def _sessions(self) -> Sequence[Json]:
        if self.scene:
            return self.scene.sessions
        return [] if self.mode == "nothing" else [documents.SESSION, documents.ENDED, documents.OFFERED]

    def _success(self, **fields: object) -> Reply:
        body = self._hostile.document({**documents.ENVELOPE, **fields})
        if self.mode == "odd headers":
            return self._with_odd_headers(200, json.dumps(body).encode())
        return answer(body, headers={"Date": self.scene.date} if self.scene else None)

    def _bad(self) -> Reply:
        refusal = self._hostile.document(documents.REFUSAL)
        match self.mode:
            case "refused":
                return answer(refusal)
            case "bad request":
                return answer(refusal, 400)
            case "no list":
                return answer(self._hostile.document(documents.NO_LIST))
            case "redirected":
                return self._with_odd_headers(302, b"")
            case "no JSON":
                return answer(self._hostile.fill(documents.NO_JSON).encode("utf-8", "surrogatepass"))
        return answer({"statusCode": 6}, 404)

    def _with_odd_headers(self, status: int, body: bytes) -> Reply:
        """An answer whose headers and reason phrase are hostile."""
        odd = re.sub(r"[\r\n\x00]", "", self._hostile.payload)
        values = {
            "Content-Length": f"{len(body)}",
            "Location": f"http://user:word@{self._hostile.fill(documents.ORIGIN)}/x",
            **dict.fromkeys(("Date", "Retry-After", "Set-Cookie", "X-CSRF-HEADER", "X-CSRF-TOKEN"), odd),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in values.items())
        return whole(f"HTTP/1.1 {status} {odd}\r\n{head}\r\n".encode("latin-1", "replace") + body)


class HostileHome:
    """A user's home with a hostile profile in its config and a hostile recording, and the hostile server."""

    def __init__(self, hostile: HostileText) -> None:
        self.hostile = hostile
        self.server = HostileServer(hostile)
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        self._exits.enter_context(self.server)
        self.home = Path(self._exits.enter_context(TemporaryDirectory(prefix="smscli-hostile-")))
        self._exits.enter_context(
            _environment_variable("PYTHON_KEYRING_BACKEND", "tests.support.memory_keyring.Memory")
        )
        session_id = self.hostile.text("id")
        messages = self.hostile.document(documents.MESSAGES)
        self.recording = self.home / "recording.jsonl"
        listed = (documents.SESSION, documents.ENDED, documents.OFFERED)
        sessions = [self.hostile.document(one) for one in listed]
        records = [
            *({"record": "session", "at": "2026-03-02T10:00:00.000Z", "session": one} for one in sessions),
            *({"sessionId": session_id, **message} for message in messages),
        ]
        self.recording.write_text("".join(json.dumps(one) + "\n" for one in records))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.defpath,
            "TERM": "xterm-256color",
            "TZ": "UTC",
            "SMSCLI_URL": self.server.base_url,
            "SMSCLI_TOKEN": "t0k3n",
        }

    def write_config(self) -> None:
        folder = self.home / ".config" / "smscli"
        folder.mkdir(parents=True, exist_ok=True)
        profile, user, other = (
            _toml_escaped(self.hostile.fill(mark))
            for mark in (documents.PROFILE, documents.USER_NAME, documents.OTHER_USER)
        )
        url = self.server.base_url
        (folder / "config.toml").write_text(
            f'default = "work"\n[profiles."{profile}"]\nurl = "{url}"\nuser = "{user}"\nauth = "token"\n'
            f'[profiles.work]\nurl = "{url}"\nuser = "{other}"\n'
        )

    def words(self, output: Output) -> list[str]:
        """The command line, with the hostile text in it."""
        return [self.hostile.fill(word.replace("RECORDING", str(self.recording))) for word in output.words]

    def run(self, output: Output, view: View) -> Written:
        from smscli.cli import run
        from tests.support.captured_terminal import CapturedTerminal

        self.server.mode = output.mode
        # Each time anew: some commands change it.
        self.write_config()
        terminal = CapturedTerminal(
            width=view.width, tty=view.tty, color=view.color, encoding=view.encoding, environ=self.environ
        )
        stdin = self.recording.read_bytes() if "-" in output.words else b"s3cret=x\n"
        with _standard_input(stdin):
            code = run(self.words(output), self.environ, terminal)
        return Written(code, terminal.out_text, terminal.err_text)


def _toml_escaped(text: str) -> str:
    """TOML can hold anything but a lone surrogate."""
    return "".join(f"\\U{ord(one):08x}" if not "\ud800" <= one <= "\udfff" else "?" for one in text)


@contextmanager
def _environment_variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({name: before} if before is not None else {})


@contextmanager
def _standard_input(data: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
    try:
        yield
    finally:
        sys.stdin = before
