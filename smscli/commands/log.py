"""Folds a session's messages into entries and selects those to show."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from smscli.model import Message
from smscli.transcript.filters import EntryFilter, SelectedEntry, Selection
from smscli.transcript.fold import Entry, Transcript, Typing, transcript_for


class Log:
    """The entries to show of one session; `typing` is `fold`, `show` or `hide`."""

    def __init__(self, typing: str, entry_filter: EntryFilter) -> None:
        self._transcript: Transcript = transcript_for(typing)()
        self._selection = None if entry_filter == EntryFilter() else Selection(entry_filter)

    def add(self, messages: Iterable[Message]) -> Sequence[SelectedEntry]:
        """The entries that these messages complete."""
        fold = self._transcript.add
        return self._select(entry for message in messages for entry in fold(message))

    def expire(self, now: datetime | None) -> Sequence[SelectedEntry]:
        """The drafts given up by now, the session's time."""
        return self._select(self._transcript.expire(now))

    def at_end(self, now: datetime | None) -> Sequence[SelectedEntry]:
        """The drafts still open where the read ends."""
        return self._select(self._transcript.at_end(now))

    def end(self, now: datetime | None) -> Sequence[SelectedEntry]:
        """The drafts given up with the session."""
        return self._select(self._transcript.end(now))

    def typing(self, now: datetime | None) -> Sequence[Typing]:
        """Who types now."""
        return self._transcript.typing(now)

    def _select(self, entries: Iterable[Entry]) -> Sequence[SelectedEntry]:
        if self._selection is None:
            return [SelectedEntry(entry) for entry in entries]
        return [selected for entry in entries for selected in self._selection.add(entry)]
