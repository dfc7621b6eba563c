"""Hostile text in every field that a stranger or the server controls, through every command and output."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from smscli import model
from smscli.gws import decode
from smscli.output.terminal import Line, Terminal
from tests.support import hostile_documents as documents
from tests.support.hostile_documents import LONG, NAMES, PAYLOADS, SCENES, Planted, after, before, begun
from tests.support.hostile_outputs import (
    FOLLOWED,
    GROUPS,
    OUTPUTS,
    VIEWS,
    Followed,
    Form,
    Output,
    View,
    named,
)
from tests.support.hostile_reader import acts, hides, lines_seen, page_read, turns
from tests.support.hostile_walk import Desk, Written, harm, judge, walk
from tests.support.on_terminal import OnTerminal
from tests.support.paths import ROOT

# The bench walks each kind by itself, in all views.
MIXED = {
    "controls": PAYLOADS["C0"] + PAYLOADS["C1"] + PAYLOADS["sequences"],
    "unseen": PAYLOADS["bidi"] + PAYLOADS["hidden"] + PAYLOADS["surrogates"],
    "markup": PAYLOADS["written"] + PAYLOADS["markup"],
    "shell": PAYLOADS["shell"] + PAYLOADS["lines"],
}
# What nobody asks for, what only decides about something else, and what is shown only in part, if it can be.
NEVER_WHOLE = named(
    "feature userId userRole userKey userValue serviceId serviceName serviceType otherServiceId otherStatus"
    " refusalKey refusalValue answerValue channel messageType wakeUri interval adviceKey adviceValue"
    " envelopeKey envelopeValue garbage origin word"
)
EVERY = (*OUTPUTS, *FOLLOWED.values())


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("kind", MIXED)
def test_every_field_is_harmless_and_whole_in_every_output(
    kind: str, group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    number = list(MIXED).index(kind)
    faults = []
    with Desk(Planted(MIXED[kind])) as desk:
        for place, output in enumerate(GROUPS[group]):
            views = VIEWS[output.form]
            chosen = views[(place + number) % len(views)]
            for view, judged in walk(desk, output, [chosen]):
                faults += [f"{output.name}, {view.name}: {fault}" for fault in judged.faults]
    assert faults == []
    assert list(tmp_path.iterdir()) == []


def records() -> Iterator[Any]:
    """Every record of what a server sends, read from the hostile documents."""
    planted = Planted("\x1b")
    session = decode.session_from_json(planted.document(documents.SESSION))
    yield session
    yield from session.participants
    yield from decode.messages_from_json(planted.document(documents.MESSAGES), planted.text("id"))
    yield decode.user_from_json(planted.document(documents.USER))
    yield from decode.services_from_json(planted.document([documents.SERVICE, documents.OTHER_SERVICE]))
    yield decode.status_from_json(planted.document(documents.REFUSAL))


def can_hold_text(kind: object) -> bool:
    """Whether a field of this type is or has a text; a record in it is looked at by itself."""
    if kind is str or kind == model.Json:
        return True
    return not is_dataclass(kind) and any(can_hold_text(one) for one in get_args(kind))


KINDS = (model.Session, model.Participant, model.Message, decode.User, decode.Service, decode.Status)


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_of_a_record_is_hostile_in_the_walk(kind: type) -> None:
    found = [one for one in records() if type(one) is kind]
    hints = get_type_hints(kind)
    texts = [name for name, hint in hints.items() if can_hold_text(hint)]
    tame = [name for name in texts if not any("\\x1b" in repr(getattr(one, name)) for one in found)]
    assert texts
    assert tame == [], f"not hostile in hostile_documents: {kind.__name__}.{', '.join(tame)}"


def test_every_hostile_field_is_shown_by_some_output() -> None:
    shown = frozenset[str]().union(*(output.shows for output in EVERY))
    assert set(NAMES) - shown == NEVER_WHOLE


UNKNOWN = named("index timestamp messageKey messageValue originKey hopKey hop fileKey fileValue")


@pytest.mark.parametrize(
    ("form", "left_out"),
    [
        ("people", UNKNOWN | named("personKey personValue")),
        ("pipe", UNKNOWN | named("link picture")),
        ("json", frozenset()),
        ("html", UNKNOWN | named("personKey personValue presence customerId agentId strangerId")),
    ],
)
def test_each_form_leaves_out_no_more_than_it_may(form: Form, left_out: frozenset[str]) -> None:
    shown = frozenset[str]().union(*(output.shows for output in OUTPUTS if output.form == form))
    assert set(documents.names_in(documents.MESSAGES)) - shown == left_out


def test_every_command_is_walked() -> None:
    table = json.loads((ROOT / "smscli" / "completion.json").read_bytes())
    walked = {word for output in OUTPUTS for word in (output.words[0], " ".join(output.words[:2]))}
    # The demo tells nothing but where it is.
    assert set(_leaves(table["commands"], "")) - walked == {"demo"}


def _leaves(commands: dict[str, Any], path: str) -> Iterator[str]:
    for name, inner in commands.items():
        yield from _leaves(inner["commands"], f"{path}{name} ") if inner["commands"] else [path + name]


# They choose or mark what other outputs show whole, say what time it is elsewhere, or are for a secret.
WITHOUT_TEXT = named(
    "--since --until --type --from --grep --exclude --highlight --context --utc --tz --password-stdin"
)


def test_every_option_is_walked() -> None:
    table = json.loads((ROOT / "smscli" / "completion.json").read_bytes())
    walked = {(command_of(output.words), word) for output in EVERY for word in output.words}
    left_out = {
        f"{command} {names[0]}"
        for command, names in options_of(table["commands"], "")
        if not walked & {(command, name) for name in names} and WITHOUT_TEXT.isdisjoint(names)
    }
    assert left_out == {"demo --port"}


def command_of(words: Sequence[str]) -> str:
    """The command that a line begins with; those of `sessions` have short names too."""
    words = words[1:] if words[0] == "sessions" else words
    return " ".join(words[:2]) if words[0] == "auth" else words[0]


def options_of(commands: dict[str, Any], path: str) -> Iterator[tuple[str, list[str]]]:
    for name, inner in commands.items():
        yield from options_of(inner["commands"], f"{path}{name} ")
        yield from ((command_of([*path.split(), name]), one["names"]) for one in inner["options"])


def redraws(way: object) -> bool:
    """Whether a method of the terminal takes lines that stand where others stood before."""
    return callable(way) and not {Line | None, Sequence[str]}.isdisjoint(get_type_hints(way).values())


def test_everything_that_is_redrawn_is_walked() -> None:
    ways = "|".join(name for name, way in vars(Terminal).items() if name[0] != "_" and redraws(way))
    found = {
        f"{module.stem}.{way}"
        for module in (ROOT / "smscli").rglob("*.py")
        for way in re.findall(rf"terminal\.({ways})\(", module.read_text())
    }
    # How far a long read has come is a number.
    assert found - {output.redraws for output in FOLLOWED.values()} == {"messages.progress"}


PLAIN = View("a pipe", tty=False)


def faults_of(form: Form, out: str) -> tuple[str, ...]:
    """What the judge says of an output that was to show one nickname."""
    return judge(Output(("list",), form), PLAIN, Written(0, out, ""), Planted("a\x1bb\u202ec")).faults


@pytest.mark.parametrize(
    ("form", "out"),
    [
        ("people", "qcuQa\x1bb\\u{202E}cQcuq"),
        ("people", "qcuQa\\u{1B}b\u202ecQcuq"),
        ("people", "qcuQab\\u{202E}cQcuq"),
        ("people", "qcuQa\\u{1B}b\\u{202E}c"),
        ("people", "\x1b[31mqcuQa\\u{1B}b\\u{202E}cQcuq"),
        ("people", "\x1b[H"),
        ("people", "\x07"),
        ("people", "\u200b"),
        ("people", "\U000e0041"),
        ("people", "one\rtwo"),
        ("pipe", "qcuQa\\u{1B}bcQcuq\tx"),
        ("pipe", "a\u3164b"),
        ("json", '["qcuQa\\u001bbcQcuq"]'),
        ("json", '["\u202e"]'),
        ("json", '["\x9b"]'),
        ("html", "<p>qcuQa\\u{1B}b\\u{202E}cQcuq<script></p>"),
        ("html", '<p onclick="">'),
        ("html", "<p>&#8203;</p>"),
    ],
)
def test_the_judge_sees_what_is_wrong(form: Form, out: str) -> None:
    assert faults_of(form, out)


def faults_of_picture(out: str) -> tuple[str, ...]:
    """What the judge says of what a list that is watched was drawn with."""
    output, view = Output(("list", "--watch"), "people"), View("a terminal")
    return judge(output, view, Written(130, out, ""), Planted("\x1b")).faults


@pytest.mark.parametrize("out", ["\x1b[2J", "\x1b[5;1H", "\x1b[?25l", "\x1bc", "\x07", "qcuQ\x1b[KQcuq"])
def test_the_judge_sees_what_no_picture_is_drawn_with(out: str) -> None:
    assert faults_of_picture(out)


def test_the_judge_passes_what_a_picture_is_drawn_with() -> None:
    assert faults_of_picture("\x1b[?1049h\x1b[HqcuQ\\u{1B}Qcuq\x1b[K\r\nx\x1b[K\x1b[J\x1b[?1049l") == ()


def test_the_judge_sees_a_traceback() -> None:
    told = Written(1, "", "Traceback (most recent call last)")
    assert judge(Output(("list",), "people"), PLAIN, told, Planted("")).faults


@pytest.mark.parametrize(
    ("form", "out"),
    [
        ("people", "│ qcuQa\\u{1B} │ x │\n│ b\\u{202E}cQcuq │ y │\n"),
        ("people", "qcuQa\\u{1B}b\n    \\u{202E}cQcuq\n"),
        ("pipe", "qcuQa\\u{1B}b\\u{202E}cQcuq\tx\n"),
        ("json", '["qcuQa\\u001bb\\u202ecQcuq"]'),
        ("html", "<p>qcuQa\\u{1B}b\n\\u{202E}cQcuq</p>"),
    ],
)
def test_the_judge_passes_what_is_right(form: Form, out: str) -> None:
    assert faults_of(form, out) == ()


def test_the_judge_sees_json_that_was_changed() -> None:
    planted = Planted("\x1b")
    sent = json.dumps([{"id": planted.text("id"), "userData": {"a": 1}}])
    output = Output(("list",), "json", holds="sessions")
    faults = judge(output, PLAIN, Written(0, sent, ""), planted).faults
    assert [fault[:10] for fault in faults] == ["JSON lacks"] * 3 + ["JSON holds"]


def until_seen(seen: OnTerminal, words: str, start: int) -> None:
    """Look until these words, which have no blanks, were written after so many bytes."""
    end = time.monotonic() + 60
    while not any(words in text for text in lines_seen(seen.written[start:].decode("utf-8", "replace"))):
        assert time.monotonic() < end and seen.look(), f"{words} not in {bytes(seen.written[-2000:])!r}"


def play(desk: Desk, output: Followed, columns: int) -> str:
    """What a terminal is sent while scene after scene comes to be seen."""
    desk.configure()
    desk.server.scene = next(iter(SCENES.values()))
    environ = {**desk.environ, "PATH": os.environ["PATH"]}
    with OnTerminal(*desk.words(output), environ=environ, columns=columns, lines=400) as seen:
        for name, desk.server.scene in SCENES.items():
            start = len(seen.written)
            if name in output.sees:
                until_seen(seen, begun(output.sees[name]), start)
        # At a Ctrl-C a terminal drops what it has not shown yet.
        os.kill(seen.pid, signal.SIGINT)
        assert seen.ended() == 130
        return seen.written.decode("utf-8")


@pytest.mark.parametrize("columns", [120, 40])
@pytest.mark.parametrize("kind", ["controls", "unseen"])
@pytest.mark.parametrize("what", FOLLOWED)
def test_on_a_real_terminal_only_our_own_sequences_arrive(what: str, kind: str, columns: int) -> None:
    output, planted = FOLLOWED[what], Planted(MIXED[kind])
    with Desk(planted) as desk:
        written = Written(130, play(desk, output, columns), "")
    judged = judge(output, View("a terminal", width=columns), written, planted)
    assert judged.faults == ()
    assert output.shows <= judged.shown


def test_a_shell_is_offered_nothing_but_plain_words() -> None:
    for payload in MIXED.values():
        with Desk(Planted(payload)) as desk:
            command = [sys.executable, "-c", _PATIENT, "__complete", "show", ""]
            environ = {**desk.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
            out = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=True).stdout
        text = out.decode("utf-8")
        # The hostile ids are not offered, and of the state no more is left than words.
        assert re.fullmatch(r"0000Na9B26EF0001\tqofferedStateQ[\w.+@ -]*\n", text), text
        assert [*acts(text.replace("\t", ""), paint=False, live=False), *turns(text), *hides(text)] == []


# The machine may be busy; a person would not wait so long.
_PATIENT = (
    "import sys; from smscli import completion; completion._PATIENCE = 30; "
    "sys.exit(completion.run(sys.argv[2:]))"
)


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize(
    ("words", "form", "field"),
    [
        ("list", "people", "state"),
        ("list", "pipe", "state"),
        ("list --json", "json", "state"),
        ("show §id", "people", "plainValue"),
        ("show §id", "pipe", "plainValue"),
        ("messages §id", "people", "text"),
        ("messages §id --highlight [bx]{4}", "people", "text"),
        ("messages §id --redact", "pipe", "text"),
        ("messages §id --json", "json", "text"),
        ("messages @RECORDING", "people", "text"),
        ("messages §id --html -", "html", "text"),
        ("tail §endedId --last all --push off", "people", "preview"),
        ("doctor", "people", "serviceStatus"),
    ],
)
def test_a_line_of_a_mebibyte_passes_in_time(kind: str, words: str, form: Form, field: str) -> None:
    planted = Planted(LONG[kind], frozenset({field}))
    output, view = Output(tuple(words.split()), form), VIEWS[form][0]
    with Desk(planted) as desk:
        started = time.process_time()
        written = desk.run(output, view)
        took = time.process_time() - started
    assert [*harm(output, view, written)] == []
    texts = page_read(written.out)[1] if form == "html" else lines_seen(written.out)
    assert any(before(field) in one and after(field) in one for one in texts)
    # A few seconds at most; what takes the square of the length takes hours.
    assert took < 30
