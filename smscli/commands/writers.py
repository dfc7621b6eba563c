"""Folds and filters a session's messages for the writer of the chosen output format."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from smscli.model import Message
from smscli.transcript.filters import EntryFilter, FilterTally, SelectedEntry, Selection
from smscli.transcript.fold import TRANSCRIPTS, ActiveTyping, Entry


class SessionLog:
    """One session's messages in, the entries to show out; `typing` is `fold`, `show` or `hide`.

    What `transcript` has in progress is ended there, and goes through `select`. With `redact` the entries are
    masked after the filter has judged them.
    """

    def __init__(self, typing: str, entry_filter: EntryFilter, tally: FilterTally, *, redact: bool) -> None:
        self._filter = entry_filter
        self._tally = tally
        self._redact = redact
        self.transcript = TRANSCRIPTS[typing]()
        self._selection = None if entry_filter == EntryFilter() else Selection(entry_filter)

    def add(self, messages: Iterable[Message]) -> Sequence[SelectedEntry]:
        """The entries that these messages complete."""
        fold = self.transcript.add
        return self.select(entry for message in messages for entry in fold(message.unmasked))

    def typing(self, now: datetime | None) -> Sequence[ActiveTyping]:
        """Who is typing now."""
        typing = self.transcript.typing(now)
        if not self._redact:
            return typing
        from smscli.transcript.redact import mask_typing

        return [mask_typing(one) for one in typing]

    def select(self, entries: Iterable[Entry]) -> Sequence[SelectedEntry]:
        """What to show of entries that `transcript` has completed or ended."""
        if self._selection is None:
            selected = [SelectedEntry(entry) for entry in entries]
        else:
            selected = [one for entry in entries for one in self._judged(self._selection, entry)]
        return [self._masked(one) for one in selected] if self._redact else selected

    def _judged(self, selection: Selection, entry: Entry) -> Sequence[SelectedEntry]:
        selected = selection.add(entry)
        self._tally.add(entry, passed=any(not one.context for one in selected))
        return selected

    def _masked(self, selected: SelectedEntry) -> SelectedEntry:
        from smscli.transcript.redact import mask_entry

        masked = mask_entry(selected.entry)
        if masked is selected.entry:
            return selected
        return selected._replace(entry=masked, marks=self._filter.masked_marks(selected, masked))
