"""Checks an output of hostile text: it must not act on the terminal, and show its fields whole."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import hostile_documents as documents
from tests.support.hostile_documents import HostileText, Json, Names, before
from tests.support.hostile_outputs import Output, View
from tests.support.hostile_payloads import OWNED
from tests.support.hostile_server import HostileHome, Written
from tests.support.keys import key_of
from tests.support.output_reader import (
    BIDI,
    INVISIBLE,
    bidi_characters,
    invisible_characters,
    json_strings,
    json_values,
    read_page,
    terminal_actions,
    tsv_values,
    visible_texts,
)

_ESCAPED = re.compile(f"[\x00-\x1f\x7f-\x9f{BIDI}{INVISIBLE}\ud800-\udfff]")
_LINE_ENDS = re.compile("[ \t\n\r\u2028\u2029]")
# Where a text is cut: dots, perhaps within an escape.
_CUT = re.compile(r"(?:\\|\\u|\\u\{[0-9A-F]*)?(?:\.{1,3}|…)")


@dataclass(frozen=True)
class Result:
    """The fields that an output showed, and everything that is wrong with it."""

    shown: Names
    faults: tuple[str, ...]


def run_and_check(home: HostileHome, output: Output, views: Sequence[View]) -> Iterator[tuple[View, Result]]:
    """One output in these views; a field that it should have shown and did not is a fault, and vice versa."""
    for view in views:
        result = check(output, view, home.run(output, view), home.hostile)
        missing, new = output.shows - result.shown, result.shown - output.shows - output.quotes
        faults = [f"{name} is not shown" for name in sorted(missing)]
        faults += [f"{name} is shown, and the table does not say so" for name in sorted(new)]
        faults += ["a shell has run a payload"] if Path(OWNED).exists() else []
        yield view, Result(result.shown, (*result.faults, *faults))


def check(output: Output, view: View, written: Written, hostile: HostileText) -> Result:
    """Read what a command wrote as its reader would."""
    search = _FieldSearch(output, view, hostile)
    search.read(written)
    faults = [*terminal_faults(output, view, written), *search.faults]
    if "Traceback" in written.err or "internal error" in written.err:
        faults.append(f"an internal error: {written.err[:200]!r}")
    if output.form == "json":
        faults += _json_differences(output, written.out, hostile)
    return Result(frozenset(search.shown), tuple(faults))


def terminal_faults(output: Output, view: View, written: Written) -> Iterator[str]:
    """What a terminal would do, and what could be misread."""
    people = output.form == "people"
    live_line = view.tty and people and "tail" in output.words
    full_screen = view.tty and not {"-w", "--watch"}.isdisjoint(output.words)
    out = written.out.replace("\t", "") if output.form == "pipe" else written.out
    yield from terminal_actions(
        out,
        color=view.has_color and people,
        live_line=live_line,
        bell=live_line and "--bell" in output.words,
        full_screen=full_screen,
    )
    yield from terminal_actions(written.err, color=False, live_line=False)
    for text in (written.out, written.err):
        yield from bidi_characters(text)
        yield from invisible_characters(text) if output.form != "json" else ()


class _FieldSearch:
    """Finds the hostile texts in what was written; each must be whole and escaped as it should be."""

    def __init__(self, output: Output, view: View, hostile: HostileText) -> None:
        self.shown: set[str] = set()
        self.faults: list[str] = []
        self._output = output
        self._is_ascii = view.encoding == "ascii"
        self._hostile = hostile
        self._patterns: dict[str, tuple[list[str], re.Pattern[str]]] = {}

    def read(self, written: Written) -> None:
        match self._output.form:
            case "people":
                self._read_visible(visible_texts(written.out, marks=self._output.marks))
            case "pipe":
                self._read_values(tsv_values(written.out))
            case "json":
                self._read_values(list(json_strings(json_values(written.out))))
                self._read_values(list(json_strings(json_values(written.err))))
                return
            case "html":
                faults, texts = read_page(written.out)
                self.faults += [*faults, *(fault for text in texts for fault in invisible_characters(text))]
                self._read_visible(texts)
        self._read_visible(visible_texts(written.err))

    def _read_visible(self, texts: list[str]) -> None:
        for name, found in self._found(texts):
            parts, pattern = self._visible(name)
            # In this order: on a cut text the pattern would backtrack for minutes.
            if not self._is_visibly_cut(name, parts, found) and not pattern.match(found):
                self._add_fault(name, found)

    def _read_values(self, texts: list[str]) -> None:
        for name, found in self._found(texts):
            whole = self._hostile.text(name)
            within_json = json.dumps(whole, ensure_ascii=False)[1:-1]
            if name in documents.SINGLE_LINE:
                whole, found = _LINE_ENDS.sub("", whole), _LINE_ENDS.sub("", found)
            if not found.startswith((whole, within_json)) and not self._is_cut(name, whole, found):
                self._add_fault(name, found)

    def _found(self, texts: list[str]) -> Iterator[tuple[str, str]]:
        """The fields that are there and must be whole, each with the text from its first word on."""
        for name in documents.NAMES:
            found = [text[match.start() :] for text in texts for match in re.finditer(before(name), text)]
            self.shown |= {name} if found else set()
            if name not in self._output.quotes:
                yield from ((name, text) for text in found)

    def _add_fault(self, name: str, found: str) -> None:
        self.faults.append(f"{name} is not whole: {found[:200]!r}")

    def _visible(self, name: str) -> tuple[list[str], re.Pattern[str]]:
        """A pattern of what a person sees of a field, and the part of it for each character."""
        if name not in self._patterns:
            text = self._hostile.text(name).replace("\r\n", "\n")
            parts = [self._visible_part(one, name) for one in text if one not in self._output.marks]
            self._patterns[name] = parts, re.compile("".join(parts))
        return self._patterns[name]

    def _visible_part(self, character: str, name: str) -> str:
        """Blanks and line ends can't be told from the tool's own, and so may be missing."""
        part = self._visible_character(character)
        return f"(?:{part})?" if name in documents.SINGLE_LINE and _LINE_ENDS.match(character) else part

    def _visible_character(self, character: str) -> str:
        escape = rf"\\u\{{{ord(character):X}\}}"
        if character in "\t\n\r":
            short = {"\t": r"\\t", "\n": r"(?:\\r)?\\n", "\r": r"\\r"}[character]
            return f"(?:{short})?" if character == "\n" else short
        if "\U000e0030" <= character <= "\U000e007f" and not self._is_ascii:
            # Within a flag it is shown as it is.
            return f"(?:{escape}|{character})"
        if _ESCAPED.match(character):
            # A value that is no string is shown as JSON, which has escapes of its own.
            in_json = {"\b": r"\\b", "\f": r"\\f"}.get(character, rf"\\u{ord(character):04x}")
            return f"(?:{escape}|{in_json})" if character < " " else escape
        if character == " ":
            return ""
        if self._is_ascii and not character.isascii():
            return escape
        return {'"': r'\\??"', "\\": r"\\\\??"}.get(character, re.escape(character))

    def _is_visibly_cut(self, name: str, parts: list[str], text: str) -> bool:
        if name not in self._output.cuts:
            return False
        position = number = 0
        while number < len(parts) and (match := re.compile(parts[number]).match(text, position)):
            position, number = match.end(), number + 1
        return number >= len(before(name)) and _CUT.match(text, position) is not None

    def _is_cut(self, name: str, whole: str, text: str) -> bool:
        same = len(os.path.commonprefix([whole, text]))
        return name in self._output.cuts and same >= len(before(name)) and text[same:].startswith(("..", "…"))


def _json_differences(output: Output, out: str, hostile: HostileText) -> Iterator[str]:
    """Where JSON is not what the server sent."""
    if output.holds not in _EXPECTED:
        return
    found = [item for value in json_values(out) for item in (value if isinstance(value, list) else [value])]
    found = [{key: value for key, value in item.items() if key not in output.adds} for item in found]
    for item in _EXPECTED[output.holds](hostile):
        if item in found:
            found.remove(item)
        else:
            yield f"JSON lacks {str(item)[:300]!r}"
    yield from (f"JSON holds {str(item)[:300]!r}" for item in found)


def _session(hostile: HostileText, template: Json) -> Json:
    sent = hostile.document(template)
    absent: Json = {"uri": None, "participants": [], "capabilities": [], "userData": {}}
    if "receivedDate" in sent:
        sent |= {"receivedDate": None, "receivedDateRaw": sent["receivedDate"]}
    return {**absent, **sent}


def _sessions(hostile: HostileText) -> list[Json]:
    return [_session(hostile, one) for one in (documents.SESSION, documents.ENDED, documents.OFFERED)]


def _message(sent: Json, session_id: str) -> Json:
    unknown = {"type": None, "nickname": None, "participantId": None}
    sender = {**unknown, **sent["from"]} if "from" in sent else None
    expected = {"visibility": None, **sent, "sessionId": session_id, "from": sender}
    timestamp = sent["timestamp"]
    time = timestamp.replace("+0000", "Z")
    expected["key"] = _key(expected, time)
    if timestamp.endswith("+0000"):
        return {**expected, "timestamp": time}
    return {**expected, "timestamp": None, "timestampRaw": timestamp}


def _key(message: Json, time: str) -> str:
    attachment = message.get("attachment") or {}
    names = (attachment.get(name) for name in ("id", "fileId", "documentId", "name"))
    return key_of(
        message["sessionId"],
        # An index that is not a number is no index.
        message["index"] if isinstance(message["index"], int) else None,
        message["type"],
        time,
        (message["from"] or {}).get("participantId"),
        message.get("text"),
        message.get("url"),
        message.get("noticeText"),
        next((one for one in names if one is not None), None),
    )


def _messages(hostile: HostileText, session: str) -> list[Json]:
    return [_message(one, hostile.text(session)) for one in hostile.document(documents.MESSAGES)]


_EXPECTED: Mapping[str, Callable[[HostileText], list[Json]]] = {
    "sessions": _sessions,
    "session": lambda hostile: [_session(hostile, documents.SESSION)],
    "messages": lambda hostile: _messages(hostile, "id"),
    "ended": lambda hostile: _messages(hostile, "endedId"),
}
