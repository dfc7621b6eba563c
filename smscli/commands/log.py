"""A session's log on its way to the writer: folded into entries first, then chosen among."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from smscli.model import Message
from smscli.transcript.filters import Chosen, Selection, Wanted
from smscli.transcript.fold import Entry, Transcript, Typing, transcript_for


class Log:
    """One session's messages in, what is to be shown of them out; `typing` is `fold`, `show` or `hide`."""

    def __init__(self, typing: str, wanted: Wanted) -> None:
        self._transcript: Transcript = transcript_for(typing)()
        self._selection = None if wanted == Wanted() else Selection(wanted)

    def add(self, messages: Iterable[Message]) -> Sequence[Chosen]:
        """What can be shown now that these messages have come."""
        fold = self._transcript.add
        return self._chosen(entry for message in messages for entry in fold(message))

    def expire(self, now: datetime | None) -> Sequence[Chosen]:
        """The drafts given up by now, the session's time."""
        return self._chosen(self._transcript.expire(now))

    def at_end(self, now: datetime | None) -> Sequence[Chosen]:
        """The drafts still open where the reading ends."""
        return self._chosen(self._transcript.at_end(now))

    def end(self, now: datetime | None) -> Sequence[Chosen]:
        """The drafts given up with the session."""
        return self._chosen(self._transcript.end(now))

    def typing(self, now: datetime | None) -> Sequence[Typing]:
        """Who types now."""
        return self._transcript.typing(now)

    def _chosen(self, entries: Iterable[Entry]) -> Sequence[Chosen]:
        if self._selection is None:
            return [Chosen(entry) for entry in entries]
        return [chosen for entry in entries for chosen in self._selection.add(entry)]
