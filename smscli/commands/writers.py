"""In which form things are written: chosen once, before the first is read."""

from collections.abc import Callable, Iterable, Sequence

from smscli.export import entry_json, entry_row, message_json
from smscli.terminal import Terminal
from smscli.transcript import Entry

Form = Callable[[Entry], str]


class EntryWriter:
    """Writes entries one after the other, each with its newline."""

    def __init__(self, terminal: Terminal, form: Form) -> None:
        self._terminal = terminal
        self._form = form

    def write(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._terminal.write(self._form(entry))

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

    def write(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._terminal.write(self._before + self._form(entry))
            self._before = ",\n"

    def close(self) -> None:
        self._terminal.write("[]\n" if self._before == "[" else "]\n")
        super().close()


def entry_writer(terminal: Terminal, typing: str, *, json: bool, jsonl: bool, many: bool) -> EntryWriter:
    """The writer for a transcript; `typing` is how typing is shown, `many`: lines say whose they are."""
    as_json = entry_json if typing == "fold" else _message_json
    if json:
        return ArrayWriter(terminal, as_json)
    if jsonl:
        return EntryWriter(terminal, lambda entry: as_json(entry) + "\n")
    if terminal.pipe:
        return EntryWriter(terminal, lambda entry: entry_row(entry) + "\n")
    return EntryWriter(terminal, _lines(terminal, many))


def _message_json(entry: Entry) -> str:
    return message_json(entry.message)


def _lines(terminal: Terminal, many: bool) -> Form:
    from smscli.render.transcript import Lines

    return Lines(terminal, many=many)


def array(items: Sequence[str]) -> str:
    """JSON texts as one array."""
    return "[" + ",\n".join(items) + "]\n"
