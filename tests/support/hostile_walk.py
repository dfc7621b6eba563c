"""Walks every hostile field through every command and output, and tells what went wrong there.

A hostile server answers the commands, which run in this process. A field that an output must show and does
not, or shows and nobody expected it to, is told like a control that came through.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from tests.support import hostile_documents as documents
from tests.support.hostile_documents import Json, Planted, Scene, before
from tests.support.hostile_outputs import Output, View
from tests.support.hostile_reader import (
    BIDI,
    HIDING,
    acts,
    hides,
    json_values,
    lines_seen,
    page_read,
    strings_of,
    turns,
    values_of,
)
from tests.support.wire_server import Reply, Request, WireServer, answer, whole

_UNSEEN = re.compile(f"[\x00-\x1f\x7f-\x9f{BIDI}{HIDING}\ud800-\udfff]")
_LINE_ENDS = re.compile("[ \t\n\r\u2028\u2029]")
_GOOD = ("good", "odd headers")
_CUT = re.compile(r"(?:\\|\\u|\\u\{[0-9A-F]*)?(?:\.{1,3}|…)")


@dataclass(frozen=True)
class Written:
    """What one run of a command wrote."""

    code: int
    out: str
    err: str


class HostileServer(WireServer):
    """Answers every read with documents in which every field is hostile; `mode` is what goes wrong, `scene`
    what is there for one who follows."""

    def __init__(self, planted: Planted) -> None:
        super().__init__(self._answer)
        self.mode = "good"
        self.scene: Scene | None = None
        self._planted = planted

    def _answer(self, request: Request) -> Reply:
        if self.mode in _GOOD or (self.mode == "nothing" and not request.path.endswith("messages")):
            return self._good(request)
        return self._bad()

    def _good(self, request: Request) -> Reply:
        document = self._planted.document
        if request.method == "POST":
            return answer(document(documents.HANDSHAKE))
        last = request.path.rpartition("/")[2]
        if last == "me":
            return self._succeed(user=documents.USER)
        if last == "services":
            return self._succeed(services=[documents.SERVICE, documents.OTHER_SERVICE])
        if last == "messages":
            first, count = (int(request.query.get(key, "0")) for key in ("startIndex", "count"))
            begin = max(first - 1, 0)
            log = self.scene.messages(request.path) if self.scene else documents.MESSAGES
            return self._succeed(messages=log[begin : begin + (count or 999)])
        return self._succeed(smsessions=self._sessions())

    def _sessions(self) -> Sequence[Json]:
        if self.scene:
            return self.scene.sessions
        return [] if self.mode == "nothing" else [documents.SESSION, documents.ENDED, documents.OFFERED]

    def _succeed(self, **fields: object) -> Reply:
        body = self._planted.document({"statusCode": 0, "§envelopeKey": "§envelopeValue", **fields})
        if self.mode == "odd headers":
            return self._oddly(200, json.dumps(body).encode())
        return answer(body, headers={"Date": self.scene.date} if self.scene else None)

    def _bad(self) -> Reply:
        refusal = self._planted.document(documents.REFUSAL)
        match self.mode:
            case "refused":
                return answer(refusal)
            case "bad request":
                return answer(refusal, 400)
            case "no list":
                return answer(self._planted.document(documents.NO_LIST))
            case "redirected":
                return self._oddly(302, b"")
            case "no JSON":
                return answer(self._planted.text("garbage").encode("utf-8", "surrogatepass"))
        return answer({"statusCode": 6}, 404)

    def _oddly(self, status: int, body: bytes) -> Reply:
        """An answer whose headers, and the reason beside its status, are hostile too."""
        odd = re.sub(r"[\r\n\x00]", "", self._planted.payload)
        values = {
            "Content-Length": f"{len(body)}",
            "Location": f"http://user:word@{self._planted.text('origin')}/x",
            **dict.fromkeys(("Date", "Retry-After", "Set-Cookie", "X-CSRF-HEADER", "X-CSRF-TOKEN"), odd),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in values.items())
        return whole(f"HTTP/1.1 {status} {odd}\r\n{head}\r\n".encode("latin-1", "replace") + body)


class Desk:
    """A user's place: a home with a hostile profile in its config, a recording, and the hostile server."""

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        self.server = HostileServer(self.planted)
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        self._ending.enter_context(self.server)
        self.home = Path(self._ending.enter_context(TemporaryDirectory(prefix="smscli-hostile-")))
        self._ending.enter_context(
            _environment("PYTHON_KEYRING_BACKEND", "tests.support.memory_keyring.Memory")
        )
        self.recording.write_text(self._recorded())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    @property
    def recording(self) -> Path:
        return self.home / "recording.jsonl"

    @property
    def environ(self) -> dict[str, str]:
        """What signs in to the server."""
        return {
            "HOME": str(self.home),
            "PATH": os.defpath,
            "TERM": "xterm-256color",
            "TZ": "UTC",
            "SMSCLI_URL": self.server.base_url,
            "SMSCLI_TOKEN": "t0k3n",
        }

    def configure(self) -> None:
        """Write the config that has the hostile profile."""
        folder = self.home / ".config" / "smscli"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(self._config())

    def words(self, output: Output) -> list[str]:
        """The command line, with what is hostile in it."""
        return [self.planted.fill(word.replace("RECORDING", str(self.recording))) for word in output.words]

    def run(self, output: Output, view: View) -> Written:
        """Run a command as it is looked at."""
        from smscli.cli import run
        from smscli.output.terminal import Terminal

        self.server.mode = output.mode
        # Anew each time: some commands change it.
        self.configure()
        terminal = Terminal.for_test(
            width=view.width, tty=view.tty, color=view.color, encoding=view.encoding, environ=self.environ
        )
        with _piped(self._piped(output)):
            code = run(self.words(output), self.environ, terminal)
        return Written(code, terminal.out_text, terminal.err_text)

    def _piped(self, output: Output) -> bytes:
        return self.recording.read_bytes() if "-" in output.words else b"s3cret\n"

    def _recorded(self) -> str:
        session_id = self.planted.text("id")
        messages = self.planted.document(documents.MESSAGES)
        return "".join(json.dumps({"sessionId": session_id, **one}) + "\n" for one in messages)

    def _config(self) -> str:
        """TOML can hold anything but a lone surrogate."""
        name, user, plain = (_toml(self.planted.text(one)) for one in ("profile", "user", "keptUser"))
        url = self.server.base_url
        return (
            f'default = "work"\n[profiles."{name}"]\nurl = "{url}"\nuser = "{user}"\nauth = "token"\n'
            f'[profiles.work]\nurl = "{url}"\nuser = "{plain}"\n'
        )


def _toml(text: str) -> str:
    named = (f"\\U{ord(one):08x}" if not "\ud800" <= one <= "\udfff" else "?" for one in text)
    return "".join(named)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({name: before} if before is not None else {})


@contextmanager
def _piped(data: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
    try:
        yield
    finally:
        sys.stdin = before


@dataclass(frozen=True)
class Judgement:
    """What an output showed, and everything that is wrong with it."""

    shown: frozenset[str]
    faults: tuple[str, ...]


def judge(output: Output, view: View, written: Written, planted: Planted) -> Judgement:
    """Read what a command wrote as its reader would."""
    seen = _Seen(output, view, planted)
    seen.read(written)
    faults = [*harm(output, view, written), *seen.faults]
    if "Traceback" in written.err or "internal error" in written.err:
        faults.append(f"a fault of its own: {written.err[:200]!r}")
    if output.form == "json":
        faults += _lost(output, written.out, planted)
    return Judgement(frozenset(seen.shown), tuple(faults))


def harm(output: Output, view: View, written: Written) -> Iterator[str]:
    """What a terminal would do, and what could be read wrongly."""
    people = output.form == "people"
    live = view.tty and people and "tail" in output.words
    picture = view.tty and not {"-w", "--watch"}.isdisjoint(output.words)
    rows = written.out.replace("\t", "") if output.form == "pipe" else written.out
    bell = live and "--bell" in output.words
    yield from acts(rows, paint=view.paint and people, live=live, bell=bell, picture=picture)
    yield from acts(written.err, paint=False, live=False)
    for text in (written.out, written.err):
        yield from turns(text)
        yield from hides(text) if output.form != "json" else ()


class _Seen:
    """The hostile texts that are found in what was written, each whole and as it is to be shown."""

    def __init__(self, output: Output, view: View, planted: Planted) -> None:
        self.shown: set[str] = set()
        self.faults: list[str] = []
        self._output = output
        self._ascii = view.encoding == "ascii"
        self._planted = planted

    def read(self, written: Written) -> None:
        match self._output.form:
            case "people":
                self._by_a_person(lines_seen(written.out, signs=self._output.signs))
            case "pipe":
                self._by_a_program(values_of(written.out))
            case "json":
                self._by_a_program(list(strings_of(json_values(written.out))))
                self._by_a_program(list(strings_of(json_values(written.err))))
                return
            case "html":
                faults, texts = page_read(written.out)
                self.faults += [*faults, *(fault for text in texts for fault in hides(text))]
                self._by_a_person(texts)
        self._by_a_person(lines_seen(written.err))

    def _by_a_person(self, texts: list[str]) -> None:
        for name in documents.NAMES:
            found = [text[one.start() :] for text in texts for one in re.finditer(before(name), text)]
            if not found:
                continue
            self.shown.add(name)
            signs = self._signs_of(name)
            pattern = re.compile("".join(signs))
            for text in found if name not in self._output.quotes else ():
                if not self._is_cut_by_sight(name, signs, text) and not pattern.match(text):
                    self.faults.append(f"{name} is not whole: {text[:200]!r}")

    def _by_a_program(self, texts: list[str]) -> None:
        for name in documents.NAMES:
            whole = self._planted.text(name)
            for text in texts:
                start = text.find(before(name))
                if start < 0:
                    continue
                self.shown.add(name)
                within = json.dumps(whole, ensure_ascii=False)[1:-1]
                found = text[start:]
                if name in documents.ON_ONE_LINE:
                    whole, found = _LINE_ENDS.sub("", whole), _LINE_ENDS.sub("", found)
                is_whole = found.startswith((whole, within)) or self._is_cut(name, whole, found)
                if not is_whole and name not in self._output.quotes:
                    self.faults.append(f"{name} is not whole: {found[:200]!r}")

    def _signs_of(self, name: str) -> list[str]:
        """How a person sees each character of a field."""
        text = self._planted.text(name).replace("\r\n", "\n")
        signs = [(one, self._sign(one)) for one in text if one not in self._output.signs]
        if name not in documents.ON_ONE_LINE:
            return [sign for _, sign in signs]
        return [f"(?:{sign})?" if _LINE_ENDS.match(one) else sign for one, sign in signs]

    def _sign(self, one: str) -> str:
        """How a person sees a character; a blank or the end of a line can't be told from ours."""
        hexed = rf"\\u\{{{ord(one):X}\}}"
        if one in "\t\n\r":
            short = {"\t": r"\\t", "\n": r"(?:\\r)?\\n", "\r": r"\\r"}[one]
            return f"(?:{short})?" if one == "\n" else short
        if _UNSEEN.match(one):
            # Within JSON, which a value that is no text is shown as, it is named in JSON's own way.
            in_json = {"\b": r"\\b", "\f": r"\\f"}.get(one, rf"\\u{ord(one):04x}")
            return f"(?:{hexed}|{in_json})" if one < " " else hexed
        if one == " ":
            return ""
        if self._ascii and not one.isascii():
            return hexed
        return {'"': r'\\??"', "\\": r"\\\\??"}.get(one, re.escape(one))

    def _is_cut_by_sight(self, name: str, signs: list[str], text: str) -> bool:
        """The same for what a person sees, which may be cut within an escape."""
        if name not in self._output.cuts:
            return False
        place = number = 0
        while number < len(signs) and (met := re.compile(signs[number]).match(text, place)):
            place, number = met.end(), number + 1
        return number >= len(before(name)) and _CUT.match(text, place) is not None

    def _is_cut(self, name: str, whole: str, text: str) -> bool:
        """Whether it is shown as far as there is room, where an output may do so, and then dots."""
        same = len(os.path.commonprefix([whole, text]))
        return name in self._output.cuts and same >= len(before(name)) and text[same:].startswith(("..", "…"))


def _lost(output: Output, out: str, planted: Planted) -> Iterator[str]:
    """What JSON holds otherwise than it was sent."""
    expected = _EXPECTED.get(output.holds)
    if expected is None:
        return
    found = [inner for one in json_values(out) for inner in (one if isinstance(one, list) else [one])]
    found = [{key: value for key, value in one.items() if key not in output.ours} for one in found]
    for one in expected(planted):
        if one in found:
            found.remove(one)
        else:
            yield f"JSON lacks {str(one)[:300]!r}"
    yield from (f"JSON holds {str(one)[:300]!r}" for one in found)


def _sessions(planted: Planted) -> list[Json]:
    return [_session(planted, one) for one in (documents.SESSION, documents.ENDED, documents.OFFERED)]


def _session(planted: Planted, template: Json) -> Json:
    sent = planted.document(template)
    empty: Json = {"uri": None, "participants": [], "capabilities": [], "userData": {}}
    if "receivedDate" in sent:
        sent |= {"receivedDate": None, "receivedDateRaw": sent["receivedDate"]}
    return {**empty, **sent}


def _messages(planted: Planted, session: str) -> list[Json]:
    return [_message(one, planted.text(session)) for one in planted.document(documents.MESSAGES)]


def _message(sent: Json, session_id: str) -> Json:
    nobody = {"type": None, "nickname": None, "participantId": None}
    sender = {**nobody, **sent["from"]} if "from" in sent else None
    expected = {"visibility": None, **sent, "sessionId": session_id, "from": sender}
    literal = sent["timestamp"]
    if literal.endswith("+0000"):
        return {**expected, "timestamp": literal.replace("+0000", "Z")}
    return {**expected, "timestamp": None, "timestampRaw": literal}


_EXPECTED: Mapping[str, Any] = {
    "sessions": _sessions,
    "session": lambda planted: [_session(planted, documents.SESSION)],
    "messages": lambda planted: _messages(planted, "id"),
    "ended": lambda planted: _messages(planted, "endedId"),
}


def walk(desk: Desk, output: Output, views: Sequence[View]) -> Iterator[tuple[View, Judgement]]:
    """One output in these views, judged; what it should have shown and did not is a fault."""
    for view in views:
        judged = judge(output, view, desk.run(output, view), desk.planted)
        missing, new = output.shows - judged.shown, judged.shown - output.shows - output.quotes
        faults = [f"{name} is not shown" for name in sorted(missing)]
        faults += [f"{name} is shown, and nobody expected it" for name in sorted(new)]
        faults += ["a shell has run what was said"] if Path(documents.OWNED).exists() else []
        yield view, Judgement(judged.shown, (*judged.faults, *faults))
