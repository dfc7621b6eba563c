"""Compares a recording with the server's log: none lost or duplicated, in order except for late ones."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

_NAMED = 3
Logs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Each session's messages in the order of the log, as the server's JSON."""


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """The identity of one message of a log."""

    session_id: str
    index: int
    type: str
    participant_id: str
    body: str | None
    at: datetime


class RecordedLine(NamedTuple):
    """One line of a recording; `said` is None if it isn't a message."""

    said: LoggedMessage | None
    late: bool = False


class Verdict(NamedTuple):
    """The number of messages, and of the recording's deviations from the log; `instances` names a few.

    `strange`: lines that aren't a message of any log.
    """

    said: int = 0
    lost: int = 0
    twice: int = 0
    misplaced: int = 0
    strange: int = 0
    instances: tuple[str, ...] = ()

    @property
    def faults(self) -> int:
        return self.lost + self.twice + self.misplaced + self.strange


def total(verdicts: Iterable[Verdict]) -> Verdict:
    """The sum of the verdicts."""
    *counts, instances = zip(*verdicts, strict=True)
    named = [one for some in instances for one in some]
    return Verdict(*map(sum, counts), tuple(named[:_NAMED]))


def read_recording(lines: Iterable[bytes]) -> Iterator[RecordedLine]:
    """A recording's lines, parsed independently of smscli."""
    for line in lines:
        try:
            message = json.loads(line)
            if "record" in message:
                continue
            yield RecordedLine(_said(message["sessionId"], message), message.get("late", False))
        except (ValueError, KeyError, TypeError):
            yield RecordedLine(None)


def compare(recording: Iterable[RecordedLine], lives: Sequence[Logs]) -> Verdict:
    """Compare a recording with the logs of a server, one set of logs per life between restarts.

    A message must be marked late exactly if a later one of its log was recorded before it.
    """
    places = {
        _said(session_id, message): (life, place)
        for life, logs in enumerate(lives)
        for session_id, log in logs.items()
        for place, message in enumerate(log)
    }
    counted: Counter[LoggedMessage] = Counter()
    last: dict[str, tuple[int, int]] = {}
    strange, misplaced = 0, []
    for said, late in recording:
        if said not in places:
            strange += 1
            continue
        counted[said] += 1
        place, before = places[said], last.get(said.session_id, (0, -1))
        if counted[said] == 1 and (late != (place < before) or place[0] < before[0]):
            misplaced.append(said)
        last[said.session_id] = max(place, before)
    lost = [said for said in places if said not in counted]
    twice = [said for said, times in counted.items() if times > 1]
    found = {"lost": lost, "twice": twice, "misplaced": misplaced}
    instances = tuple(
        _instance(what, said, places[said][0]) for what in found for said in found[what][:_NAMED]
    )
    again = counted.total() - len(counted)
    return Verdict(len(places), len(lost), again, len(misplaced), strange, instances)


def _said(session_id: str, message: Mapping[str, Any]) -> LoggedMessage:
    body = message.get("text") or message.get("url") or message.get("noticeText")
    sender, at = message["from"]["participantId"], datetime.fromisoformat(message["timestamp"])
    return LoggedMessage(session_id, message["index"], message["type"], sender, body, at)


def _instance(what: str, said: LoggedMessage, life: int) -> str:
    return f"{what}: session {said.session_id}, index {said.index} of life {life}, {str(said.body)[:30]}"
