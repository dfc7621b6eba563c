"""Folds and filters a session's messages for the writer of the chosen output format."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from smscli.model import Message
from smscli.transcript.filters import EntryFilter, FilterTally, SelectedEntry, Selection
from smscli.transcript.fold import TRANSCRIPTS, ActiveTyping, Entry


class SessionLog:
    """One session's messages in, the entries to show out; `typing` is `fold`, `show` or `hide`.

    With `redact` the entries are masked after the filter has judged them.
    """

    def __init__(self, typing: str, entry_filter: EntryFilter, tally: FilterTally, *, redact: bool) -> None:
        self._filter = entry_filter
        self._tally = tally
        self._redact = redact
        self._transcript = TRANSCRIPTS[typing]()
        self._selection = None if entry_filter == EntryFilter() else Selection(entry_filter)

    def add(self, messages: Iterable[Message]) -> Sequence[SelectedEntry]:
        """The entries that these messages complete."""
        fold = self._transcript.add
        return self._select(entry for message in messages for entry in fold(message.unmasked))

    def expire(self, now: datetime | None) -> Sequence[SelectedEntry]:
        """The drafts given up by now, in the session's time."""
        return self._select(self._transcript.expire(now))

    def at_end(self, now: datetime | None) -> Sequence[SelectedEntry]:
        """The drafts still open where the read ends."""
        return self._select(self._transcript.at_end(now))

    def cut(self) -> Sequence[SelectedEntry]:
        """The drafts still open where a window of the log ends."""
        return self._select(self._transcript.cut())

    def end(self, now: datetime | None) -> Sequence[SelectedEntry]:
        """The drafts given up because the session ended."""
        return self._select(self._transcript.end(now))

    def typing(self, now: datetime | None) -> Sequence[ActiveTyping]:
        """Who is typing now."""
        typing = self._transcript.typing(now)
        if not self._redact:
            return typing
        from smscli.transcript.redact import mask_typing

        return [mask_typing(one) for one in typing]

    def _select(self, entries: Iterable[Entry]) -> Sequence[SelectedEntry]:
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
