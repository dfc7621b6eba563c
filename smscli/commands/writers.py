"""In which form things are written: chosen once, before the first is read."""

from collections.abc import Callable, Iterable
from datetime import tzinfo

from smscli.output.export import entry_json, entry_row
from smscli.output.terminal import Terminal
from smscli.records import message_json
from smscli.transcript.filters import SelectedEntry

Form = Callable[[SelectedEntry], str]


class EntryWriter:
    """Writes entries one after the other, each with its newline. `whole` is set when nothing is missing."""

    whole = False

    def __init__(self, terminal: Terminal, form: Form) -> None:
        self._terminal = terminal
        self._form = form

    def write(self, selected: Iterable[SelectedEntry]) -> None:
        # At once: a call of the terminal's for each of a million entries would be felt.
        self._terminal.write("".join(map(self._form, selected)))

    def flush(self) -> None:
        """Let the reader have what was written so far."""
        self._terminal.flush()

    def check(self) -> None:
        """For one who waits: raise `ReaderGone` where nobody reads what was written."""
        self._terminal.check()

    def close(self) -> None:
        self._terminal.flush()


class ArrayWriter(EntryWriter):
    """Writes entries as one JSON array, complete even when an error cuts the reading short."""

    def __init__(self, terminal: Terminal, form: Form) -> None:
        super().__init__(terminal, form)
        self._before = "["

    def write(self, selected: Iterable[SelectedEntry]) -> None:
        if text := ",\n".join(map(self._form, selected)):
            self._terminal.write(self._before + text)
            self._before = ",\n"

    def close(self) -> None:
        self._terminal.write("[]\n" if self._before == "[" else "]\n")
        super().close()


def entry_writer(
    terminal: Terminal, typing: str, *, json: bool, jsonl: bool, many: bool, zone: tzinfo | None
) -> EntryWriter:
    """The writer for a transcript; `typing` is how typing is shown, `many`: lines say whose they are."""
    if json:
        return ArrayWriter(terminal, _folded_json if typing == "fold" else _message_json)
    if jsonl:
        return EntryWriter(terminal, _folded_line if typing == "fold" else _message_line)
    return EntryWriter(terminal, _row if terminal.pipe else _lines(terminal, many, zone))


def _folded_json(selected: SelectedEntry) -> str:
    return entry_json(selected.entry)


def _folded_line(selected: SelectedEntry) -> str:
    return entry_json(selected.entry) + "\n"


def _message_json(selected: SelectedEntry) -> str:
    return message_json(selected.entry.message)


def _message_line(selected: SelectedEntry) -> str:
    return message_json(selected.entry.message) + "\n"


def _row(selected: SelectedEntry) -> str:
    return entry_row(selected.entry) + "\n"


def _lines(terminal: Terminal, many: bool, zone: tzinfo | None) -> Form:
    from smscli.output.render.transcript import Lines

    lines = Lines(terminal, zone=zone, many=many)
    return lambda selected: (lines.gap() if selected.gap else "") + lines(selected.entry, selected.marks)
