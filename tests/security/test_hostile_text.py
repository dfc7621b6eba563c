"""Hostile text in every field that a stranger or the server controls, through every command and output."""

import json
import os
import re
import signal
import subprocess
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
from tests.support.command import COMPLETE
from tests.support.hostile_check import check, run_and_check, terminal_faults
from tests.support.hostile_documents import (
    MESSAGES,
    NAMES,
    NEVER_SHOWN,
    SCENES,
    HostileText,
    after,
    before,
    beginnings,
    names_in,
)
from tests.support.hostile_outputs import (
    LIVE_OUTPUTS,
    OUTPUTS,
    OUTPUTS_BY_GROUP,
    VIEWS,
    Form,
    LiveOutput,
    Output,
    View,
    names,
)
from tests.support.hostile_payloads import LONG, PAYLOADS
from tests.support.hostile_server import HostileHome, Written
from tests.support.on_terminal import OnTerminal
from tests.support.output_reader import (
    bidi_characters,
    invisible_characters,
    read_page,
    terminal_actions,
    visible_texts,
)
from tests.support.paths import ROOT

# The bench runs each kind by itself, in all views.
MIXED = {
    "controls": PAYLOADS["C0"] + PAYLOADS["C1"] + PAYLOADS["sequences"],
    "unseen": PAYLOADS["bidi"] + PAYLOADS["hidden"] + PAYLOADS["surrogates"],
    "markup": PAYLOADS["written"] + PAYLOADS["markup"],
    "shell": PAYLOADS["shell"] + PAYLOADS["lines"],
}
EVERY_OUTPUT = (*OUTPUTS, *LIVE_OUTPUTS.values())


@pytest.mark.slow
@pytest.mark.parametrize("group", OUTPUTS_BY_GROUP)
@pytest.mark.parametrize("kind", MIXED)
def test_every_field_is_harmless_and_whole_in_every_output(
    kind: str, group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    number = list(MIXED).index(kind)
    faults = []
    with HostileHome(HostileText(MIXED[kind])) as home:
        for place, output in enumerate(OUTPUTS_BY_GROUP[group]):
            views = VIEWS[output.form]
            chosen = views[(place + number) % len(views)]
            for view, result in run_and_check(home, output, [chosen]):
                faults += [f"{output.name}, {view.name}: {fault}" for fault in result.faults]
    assert faults == []
    assert list(tmp_path.iterdir()) == []


def records() -> Iterator[Any]:
    """Every record of what a server sends, read from the hostile documents."""
    hostile = HostileText("\x1b")
    session = decode.session_from_json(hostile.document(documents.SESSION))
    yield session
    yield from session.participants
    yield from decode.messages_from_json(hostile.document(documents.MESSAGES), hostile.text("id")).messages
    yield decode.user_from_json(hostile.document(documents.USER))
    yield from decode.services_from_json(hostile.document([documents.SERVICE, documents.OTHER_SERVICE]))
    yield decode.status_from_json(hostile.document(documents.REFUSAL))


def can_hold_text(kind: object) -> bool:
    """Whether a field of this type is a string or holds one; a record in it is checked by itself."""
    if kind is str or kind == model.Json:
        return True
    return not is_dataclass(kind) and any(can_hold_text(one) for one in get_args(kind))


KINDS = (model.Session, model.Participant, model.Message, decode.User, decode.Service, decode.Status)


@pytest.mark.parametrize("kind", KINDS)
def test_the_documents_have_hostile_text_in_every_string_of_a_record(kind: type) -> None:
    found = [one for one in records() if type(one) is kind]
    hints = get_type_hints(kind)
    texts = [name for name, hint in hints.items() if can_hold_text(hint)]
    plain = [name for name in texts if not any("\\x1b" in repr(getattr(one, name)) for one in found)]
    assert texts
    assert plain == [], f"no hostile text in hostile_documents: {kind.__name__}.{', '.join(plain)}"


def test_every_field_is_shown_by_some_output() -> None:
    shown = frozenset[str]().union(*(output.shows for output in EVERY_OUTPUT))
    assert NAMES - shown == NEVER_SHOWN
    assert (
        names(
            "feature userId userRole userKey userValue serviceId serviceName serviceType otherServiceId"
            " otherStatus refusalKey refusalValue answerValue channel messageType wakeUri interval adviceKey"
            " adviceValue envelopeKey envelopeValue garbage origin word"
        )
        == NEVER_SHOWN
    )


UNKNOWN = names("index timestamp messageKey messageValue originKey hopKey hop fileKey fileValue")


@pytest.mark.parametrize(
    ("form", "left_out"),
    [
        ("people", UNKNOWN | names("personKey personValue")),
        ("pipe", UNKNOWN | names("picture")),
        ("json", frozenset()),
        ("html", UNKNOWN | names("personKey personValue presence customerId agentId strangerId")),
    ],
)
def test_each_form_leaves_out_no_more_fields_of_messages_than_it_may(
    form: Form, left_out: frozenset[str]
) -> None:
    shown = frozenset[str]().union(*(output.shows for output in OUTPUTS if output.form == form))
    assert set(names_in(MESSAGES)) - shown == left_out


def test_the_table_has_every_command() -> None:
    table = json.loads((ROOT / "smscli" / "completion.json").read_bytes())
    tested = {word for output in OUTPUTS for word in (output.words[0], " ".join(output.words[:2]))}
    # They read nothing from a server.
    assert set(_leaves(table["commands"], "")) - tested == {"demo", "completion", "help"}


def _leaves(commands: dict[str, Any], path: str) -> Iterator[str]:
    for name, inner in commands.items():
        yield from _leaves(inner["commands"], f"{path}{name} ") if inner["commands"] else [path + name]


# They filter or mark what other outputs show whole, choose a time zone, or read a secret.
WITHOUT_TEXT = names(
    "--since --until --type --from --grep --exclude --highlight --ignore-case --context --utc --tz"
    " --password-stdin"
)


def test_the_table_has_every_option() -> None:
    table = json.loads((ROOT / "smscli" / "completion.json").read_bytes())
    tested = {(command_of(output.words), word) for output in EVERY_OUTPUT for word in output.words}
    left_out = {
        f"{command} {names[0]}"
        for command, names in options_of(table["commands"], "")
        if not tested & {(command, name) for name in names} and WITHOUT_TEXT.isdisjoint(names)
    }
    assert left_out == {"demo --port"}


def command_of(words: Sequence[str]) -> str:
    """The command at the start of a line; those of `sessions` have short names too."""
    words = words[1:] if words[0] == "sessions" else words
    return " ".join(words[:2]) if words[0] == "auth" else words[0]


def options_of(commands: dict[str, Any], path: str) -> Iterator[tuple[str, list[str]]]:
    for name, inner in commands.items():
        yield from options_of(inner["commands"], f"{path}{name} ")
        yield from ((command_of([*path.split(), name]), one["names"]) for one in inner["options"])


def redraws(method: object) -> bool:
    """Whether a method of the terminal takes lines that replace others."""
    return callable(method) and not {Line | None, Sequence[str]}.isdisjoint(get_type_hints(method).values())


def test_the_table_has_everything_that_is_redrawn() -> None:
    methods = "|".join(name for name, method in vars(Terminal).items() if name[0] != "_" and redraws(method))
    found = {
        f"{module.stem}.{method}"
        for module in (ROOT / "smscli").rglob("*.py")
        for method in re.findall(rf"terminal\.({methods})\(", module.read_text())
    }
    # The progress of a long read is a number.
    numbers = {"messages.progress", "profiles.progress"}
    assert found - {output.redraws for output in LIVE_OUTPUTS.values()} == numbers


PLAIN = View("a pipe", tty=False)


def faults_of(form: Form, out: str) -> tuple[str, ...]:
    """The faults found in an output of one nickname."""
    return check(Output(("list",), form), PLAIN, Written(0, out, ""), HostileText("a\x1bb\u202ec")).faults


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
        ("people", "\u2061"),
        ("people", "\U000e0041"),
        ("people", "one\rtwo"),
        ("pipe", "qcuQa\\u{1B}bcQcuq\tx"),
        ("pipe", "a\u3164b"),
        ("json", '["qcuQa\\u001bbcQcuq"]'),
        ("json", '["\u202e"]'),
        ("json", '["\x9b"]'),
        ("html", "<p>qcuQa\\u{1B}b\\u{202E}cQcuq<script></p>"),
        ("html", '<p onclick="">'),
        ("html", "<p>&#8289;</p>"),
    ],
)
def test_the_check_finds_faults(form: Form, out: str) -> None:
    assert faults_of(form, out)


def faults_of_full_screen(out: str) -> tuple[str, ...]:
    """The faults found in what `list --watch` sent to a terminal."""
    output, view = Output(("list", "--watch"), "people"), View("a terminal")
    return check(output, view, Written(130, out, ""), HostileText("\x1b")).faults


@pytest.mark.parametrize("out", ["\x1b[2J", "\x1b[5;1H", "\x1b[?25l", "\x1bc", "\x07", "qcuQ\x1b[KQcuq"])
def test_the_check_finds_sequences_that_draw_no_full_screen(out: str) -> None:
    assert faults_of_full_screen(out)


def test_the_check_accepts_what_draws_the_full_screen() -> None:
    assert faults_of_full_screen("\x1b[?1049h\x1b[HqcuQ\\u{1B}Qcuq\x1b[K\r\nx\x1b[K\x1b[J\x1b[?1049l") == ()


def test_the_check_finds_a_traceback() -> None:
    written = Written(1, "", "Traceback (most recent call last)")
    assert check(Output(("list",), "people"), PLAIN, written, HostileText("")).faults


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
def test_the_check_accepts_whole_fields(form: Form, out: str) -> None:
    assert faults_of(form, out) == ()


def test_the_check_finds_changed_json() -> None:
    hostile = HostileText("\x1b")
    sent = json.dumps([{"id": hostile.text("id"), "userData": {"a": 1}}])
    output = Output(("list",), "json", holds="sessions")
    faults = check(output, PLAIN, Written(0, sent, ""), hostile).faults
    assert [fault[:10] for fault in faults] == ["JSON lacks"] * 3 + ["JSON holds"]


def wait_for_text(terminal: OnTerminal, text: str, start: int) -> None:
    """Wait until this text, which has no blanks, was written after so many bytes."""
    end = time.monotonic() + 60
    while True:
        written = terminal.written[start:].decode("utf-8", "replace")
        if any(text in seen for seen in visible_texts(written)):
            return
        assert time.monotonic() < end and terminal.look(), f"{text} not in {written[-2000:]!r}"


def play_scenes(home: HostileHome, output: LiveOutput, columns: int) -> str:
    """What a terminal is sent while the server plays one scene after the other."""
    home.write_config()
    home.server.scene = next(iter(SCENES.values()))
    environ = {**home.environ, "PATH": os.environ["PATH"]}
    with OnTerminal(*home.words(output), environ=environ, columns=columns, lines=400) as terminal:
        for name, home.server.scene in SCENES.items():
            start = len(terminal.written)
            if name in output.awaits:
                wait_for_text(terminal, beginnings(output.awaits[name]), start)
        # At a Ctrl-C a terminal drops what it has not shown yet.
        os.kill(terminal.pid, signal.SIGINT)
        assert terminal.ended() == 130
        return terminal.written.decode("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [120, 40])
@pytest.mark.parametrize("kind", ["controls", "unseen"])
@pytest.mark.parametrize("what", LIVE_OUTPUTS)
def test_a_real_terminal_gets_no_sequences_but_our_own(what: str, kind: str, columns: int) -> None:
    output, hostile = LIVE_OUTPUTS[what], HostileText(MIXED[kind])
    with HostileHome(hostile) as home:
        written = Written(130, play_scenes(home, output, columns), "")
    result = check(output, View("a terminal", width=columns), written, hostile)
    assert result.faults == ()
    assert output.shows <= result.shown


@pytest.mark.slow
def test_completion_offers_a_shell_nothing_but_plain_words() -> None:
    for payload in MIXED.values():
        with HostileHome(HostileText(payload)) as home:
            command = [*COMPLETE, "show", ""]
            environ = {**home.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
            out = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=True).stdout
        text = out.decode("utf-8")
        # The hostile ids are not offered, and of the state only words are left.
        assert re.fullmatch(r"0000Na9B26EF0001\tqofferedStateQ[\w.+@ -]*\n", text), text
        actions = terminal_actions(text.replace("\t", ""), color=False, live_line=False)
        assert [*actions, *bidi_characters(text), *invisible_characters(text)] == []


@pytest.mark.slow
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
def test_a_line_of_a_mebibyte_takes_seconds_at_most(kind: str, words: str, form: Form, field: str) -> None:
    hostile = HostileText(LONG[kind], only=frozenset({field}))
    output, view = Output(tuple(words.split()), form), VIEWS[form][0]
    with HostileHome(hostile) as home:
        started = time.process_time()
        written = home.run(output, view)
        took = time.process_time() - started
    assert [*terminal_faults(output, view, written)] == []
    texts = read_page(written.out)[1] if form == "html" else visible_texts(written.out)
    assert any(before(field) in one and after(field) in one for one in texts)
    # Quadratic time in the length would be hours.
    assert took < 30
