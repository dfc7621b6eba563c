"""Output formats: terminal, TSV, JSON document and JSON lines, one class each, chosen once per command."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

from smscli.errors import UsageError
from smscli.model import Session
from smscli.output.columns import SessionTable
from smscli.output.export import (
    entry_json,
    entry_row,
    listed_json,
    pair_rows,
    session_row,
    session_with_activity,
    unfolded_json,
)
from smscli.output.terminal import Terminal
from smscli.output.view import ONE_SESSION, EntryView
from smscli.records import json_text
from smscli.sanitize import pipe_value

if TYPE_CHECKING:
    from smscli.transcript.activity import ActivitySummary
    from smscli.transcript.filters import SelectedEntry
    from smscli.transcript.findings import SessionFindings

Record = TypeVar("Record")

Pairs = Mapping[str, object]
"""One record whose keys are the columns, in order."""

Picture = Callable[[], Sequence[str]]
"""Draws lines for a terminal."""


class ShownSession(NamedTuple):
    """What `show` shows: a session and its activity, and what is made for people only: the timeline, and one
    line on what `check` finds (empty for nothing)."""

    session: Session
    summary: "ActivitySummary"
    timeline: Picture
    findings: Callable[[], str]


class Frame(NamedTuple):
    """The text around and between the records of a stream."""

    begin: str = ""
    between: str = ""
    end: str = ""


_LINES = Frame()
_ARRAY = Frame("[", ",\n", "]\n")


class RecordWriter(Generic[Record]):
    """Writes records to stdout as they come. As a context it completes the document, also after an error."""

    def __init__(self, terminal: Terminal, text: Callable[[Record], str], frame: Frame = _LINES) -> None:
        self._terminal = terminal
        self._text = text
        self._frame = frame
        self._before = frame.begin

    def write(self, records: Iterable[Record]) -> None:
        # One call of the terminal for all: a call each costs time on a million entries.
        if text := self._frame.between.join(map(self._text, records)):
            self._terminal.write(self._before + text)
            self._before = self._frame.between

    def flush(self) -> None:
        """Write out what is buffered."""
        self._terminal.flush()

    def close(self) -> None:
        """Complete the document."""
        is_empty = self._before == self._frame.begin
        self._terminal.write((self._frame.begin if is_empty else "") + self._frame.end)
        self._terminal.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OutputFormat(ABC):
    """Turns results into text for stdout."""

    typing = "fold"
    """How `--typing` is shown by default."""

    def __init__(self, terminal: Terminal, zone: tzinfo | None = None) -> None:
        """`zone` is that of displayed times; None is the machine's own."""
        self._terminal = terminal
        self._zone = zone

    @abstractmethod
    def sessions(self, table: SessionTable) -> str:
        """The session list."""

    @abstractmethod
    def session(self, shown: ShownSession) -> str:
        """One session with its activity; for people its timeline and findings too."""

    @abstractmethod
    def profiles(self, profiles: Sequence[Pairs]) -> str:
        """Saved profiles: name, url, user and whether it is the default."""

    @abstractmethod
    def pairs(self, pairs: Pairs) -> str:
        """One record as names and values."""

    @abstractmethod
    def entries(self, typing: str, view: EntryView = ONE_SESSION) -> "RecordWriter[SelectedEntry]":
        """A writer of transcript entries."""

    @abstractmethod
    def checks(self, names: Iterable[str]) -> RecordWriter[Pairs]:
        """A writer of the doctor's checks: check, result, finding and hint. `names` are all the checks."""

    @abstractmethod
    def findings(self, *, verbose: bool) -> "RecordWriter[SessionFindings]":
        """A writer of what was found in sessions; for people only what is not `ok`, unless `verbose`."""


class TerminalFormat(OutputFormat):
    """Tables and a transcript for people."""

    def sessions(self, table: SessionTable) -> str:
        from smscli.output.render.session_list import sessions_table

        return sessions_table(table, self._terminal, self._zone) if table.sessions else ""

    def session(self, shown: ShownSession) -> str:
        from smscli.output.render.tables import session_card

        terminal = self._terminal
        return session_card(
            shown.session,
            shown.summary,
            terminal,
            zone=self._zone,
            timeline=shown.timeline(),
            findings=shown.findings(),
            screen=terminal.height if terminal.has_live_line else None,
        )

    def profiles(self, profiles: Sequence[Pairs]) -> str:
        from smscli.output.render.tables import profiles_table

        return profiles_table([_profile(one) for one in profiles], self._terminal) if profiles else ""

    def pairs(self, pairs: Pairs) -> str:
        from smscli.output.render.tables import pairs_table

        return pairs_table(pairs, self._terminal)

    def entries(self, typing: str, view: EntryView = ONE_SESSION) -> "RecordWriter[SelectedEntry]":
        from smscli.output.render.transcript import TranscriptLines

        lines = TranscriptLines(self._terminal, view, self._zone)
        return RecordWriter(
            self._terminal,
            lambda one: (lines.gap() if one.gap else "") + lines(one.entry, one.marks, one.profile),
        )

    def checks(self, names: Iterable[str]) -> RecordWriter[Pairs]:
        from smscli.output.render.checks import check_lines

        terminal, widest = self._terminal, max(map(len, names))
        return RecordWriter(terminal, lambda one: check_lines(terminal, widest, *_texts(one)))

    def findings(self, *, verbose: bool) -> "RecordWriter[SessionFindings]":
        from smscli.output.render.findings import findings_text

        return RecordWriter(
            self._terminal,
            lambda one: findings_text(one, self._terminal, self._zone, verbose=verbose),
            Frame(between="\n"),
        )


class TsvFormat(OutputFormat):
    """Tab-separated lines for pipes, with fixed columns."""

    def sessions(self, table: SessionTable) -> str:
        return "".join(f"{session_row(one, table.columns)}\n" for one in table.sessions)

    def session(self, shown: ShownSession) -> str:
        return self.pairs(session_with_activity(shown.session, shown.summary))

    def profiles(self, profiles: Sequence[Pairs]) -> str:
        return "".join(_row(_profile(one)) for one in profiles)

    def pairs(self, pairs: Pairs) -> str:
        return "".join(f"{row}\n" for row in pair_rows(pairs))

    def entries(self, typing: str, view: EntryView = ONE_SESSION) -> "RecordWriter[SelectedEntry]":
        return RecordWriter(self._terminal, lambda one: entry_row(one.entry, one.profile) + "\n")

    def checks(self, names: Iterable[str]) -> RecordWriter[Pairs]:
        return RecordWriter(self._terminal, lambda one: _row(_texts(one)))

    def findings(self, *, verbose: bool) -> "RecordWriter[SessionFindings]":
        from smscli.output.findings import finding_rows

        return RecordWriter(self._terminal, lambda one: "".join(f"{row}\n" for row in finding_rows(one)))


class JsonFormat(OutputFormat):
    """One JSON document."""

    typing = "show"
    _end = ""
    _frame = _ARRAY

    def sessions(self, table: SessionTable) -> str:
        return self._joined(listed_json(one, with_activity=table.has_activity) for one in table.sessions)

    def session(self, shown: ShownSession) -> str:
        return json_text(session_with_activity(shown.session, shown.summary)) + "\n"

    def profiles(self, profiles: Sequence[Pairs]) -> str:
        return self._joined(map(json_text, profiles))

    def pairs(self, pairs: Pairs) -> str:
        return json_text(pairs) + "\n"

    def entries(self, typing: str, view: EntryView = ONE_SESSION) -> "RecordWriter[SelectedEntry]":
        end = self._end
        if typing == "fold":
            return self._writer(lambda one: entry_json(one.entry, one.profile) + end)
        return self._writer(lambda one: unfolded_json(one.entry.message, one.profile) + end)

    def checks(self, names: Iterable[str]) -> RecordWriter[Pairs]:
        return self._writer(lambda one: json_text(one) + self._end)

    def findings(self, *, verbose: bool) -> "RecordWriter[SessionFindings]":
        from smscli.output.findings import finding_lines

        between, end = self._frame.between, self._end
        return self._writer(lambda one: between.join(line + end for line in finding_lines(one)))

    def _writer(self, text: Callable[[Record], str]) -> RecordWriter[Record]:
        return RecordWriter(self._terminal, text, self._frame)

    def _joined(self, texts: Iterable[str]) -> str:
        between = self._frame.between
        return self._frame.begin + between.join(text + self._end for text in texts) + self._frame.end


class JsonLinesFormat(JsonFormat):
    """One JSON object per line."""

    _end = "\n"
    _frame = _LINES


def output_format(
    terminal: Terminal, *, json: bool = False, jsonl: bool = False, zone: tzinfo | None = None
) -> OutputFormat:
    """The format that the options and stdout ask for. UsageError."""
    if json and jsonl:
        raise UsageError("--json and --jsonl exclude each other")
    if json or jsonl:
        return (JsonFormat if json else JsonLinesFormat)(terminal, zone)
    return (TsvFormat if terminal.pipe else TerminalFormat)(terminal, zone)


def _profile(profile: Pairs) -> list[str]:
    return _texts({**profile, "default": "yes" if profile["default"] else None})


def _texts(pairs: Pairs) -> list[str]:
    return ["" if value is None else str(value) for value in pairs.values()]


def _row(values: Sequence[str]) -> str:
    return "\t".join(map(pipe_value, values)) + "\n"
