"""Compares a stream with what its server's sessions said and say: messages, and the records of states."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.bench.engine import StreamRecord
from tests.bench.recording_check import Logs, Verdict, compare, read_recording

States = Mapping[str, tuple[str, int | None]]
"""Each session's state, and the number in its user data that gets higher with each change."""


class StateVerdict(NamedTuple):
    """The number of sessions and of their records; the ids of those whose last record doesn't say their
    state, and, once for each, of records that repeat the one before or tell of an older state than it."""

    sessions: int = 0
    records: int = 0
    wrong: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    older: tuple[str, ...] = ()


class _Told(NamedTuple):
    """What a record of a session says: its state, its number, whether it has ended, and all of it."""

    state: str | None
    change: int
    has_ended: bool
    document: Any = None


def judge_messages(records: Sequence[StreamRecord], lives: Sequence[Logs]) -> Verdict:
    """The verdict on the messages of a stream, whose order is that of its records."""
    return compare(read_recording(one.payload for one in records if _kind(one) == "message"), lives)


def judge_states(records: Sequence[StreamRecord], states: States) -> StateVerdict:
    """The verdict on the records of states: the last one of a subject says how the session is now."""
    told: dict[str, list[_Told]] = {one: [] for one in states}
    for record in records:
        if _kind(record) == "session":
            session_id, said = _told(json.loads(record.payload))
            told.setdefault(session_id, []).append(said)
    wrong = tuple(one for one in told if not _is_right(told[one], states.get(one)))
    repeated = tuple(one for one, said in told.items() for pair in _pairs(said) if _is_repeated(*pair))
    older = tuple(one for one, said in told.items() for pair in _pairs(said) if _is_older(*pair))
    return StateVerdict(len(states), sum(map(len, told.values())), wrong, repeated, older)


def _kind(record: StreamRecord) -> str:
    return record.subject.split(".")[1]


def _told(value: dict[str, Any]) -> tuple[str, _Told]:
    if value["record"] == "ended":
        return value["sessionId"], _Told(value["state"], -1, True)
    session = value["session"]
    return session["id"], _Told(session["state"], session["userData"].get("change") or 0, False, session)


def _is_right(told: Sequence[_Told], state: tuple[str, int | None] | None) -> bool:
    if not told or state is None:
        return False
    name, change = state
    if name == "Completed":
        return told[-1].has_ended and told[-1].state == name
    return not told[-1].has_ended and (told[-1].state, told[-1].change) == (name, change or 0)


def _pairs(told: Sequence[_Told]) -> Iterator[tuple[_Told, _Told]]:
    return zip(told, told[1:], strict=False)


def _is_repeated(before: _Told, after: _Told) -> bool:
    return before.has_ended == after.has_ended and before.document == after.document


def _is_older(before: _Told, after: _Told) -> bool:
    """No session of the server goes on after its end."""
    return not after.has_ended and (before.has_ended or after.change < before.change)
