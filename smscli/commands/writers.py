"""In which form things are written: chosen once, before the first is read."""

from collections.abc import Callable, Iterable
from datetime import tzinfo

from smscli.export import entry_json, entry_row, message_json
from smscli.selection import Chosen
from smscli.terminal import Terminal

Form = Callable[[Chosen], str]


class EntryWriter:
    """Writes entries one after the other, each with its newline. `whole` is set when nothing is missing."""

    whole = False

    def __init__(self, terminal: Terminal, form: Form) -> None:
        self._terminal = terminal
        self._form = form

    def write(self, chosen: Iterable[Chosen]) -> None:
        for one in chosen:
            self._terminal.write(self._form(one))

    def flush(self) -> None:
        """Let the reader have what was written so far."""
        self._terminal.flush()

    def close(self) -> None:
        self._terminal.flush()


class ArrayWriter(EntryWriter):
    """Writes entries as one JSON array, complete even when an error cuts the reading short."""

    def __init__(self, terminal: Terminal, form: Form) -> None:
        super().__init__(terminal, form)
        self._before = "["

    def write(self, chosen: Iterable[Chosen]) -> None:
        for one in chosen:
            self._terminal.write(self._before + self._form(one))
            self._before = ",\n"

    def close(self) -> None:
        self._terminal.write("[]\n" if self._before == "[" else "]\n")
        super().close()


def entry_writer(
    terminal: Terminal, typing: str, *, json: bool, jsonl: bool, many: bool, zone: tzinfo | None
) -> EntryWriter:
    """The writer for a transcript; `typing` is how typing is shown, `many`: lines say whose they are."""
    as_json = _folded_json if typing == "fold" else _message_json
    if json:
        return ArrayWriter(terminal, as_json)
    if jsonl:
        return EntryWriter(terminal, lambda chosen: as_json(chosen) + "\n")
    if terminal.pipe:
        return EntryWriter(terminal, lambda chosen: entry_row(chosen.entry) + "\n")
    return EntryWriter(terminal, _lines(terminal, many, zone))


def _folded_json(chosen: Chosen) -> str:
    return entry_json(chosen.entry)


def _message_json(chosen: Chosen) -> str:
    return message_json(chosen.entry.message)


def _lines(terminal: Terminal, many: bool, zone: tzinfo | None) -> Form:
    from smscli.render.transcript import Lines

    lines = Lines(terminal, zone=zone, many=many)
    return lambda chosen: (lines.gap() if chosen.gap else "") + lines(chosen.entry, chosen.marks)
