"""Filters for entries and sessions, built from the reading options.

Entries are filtered one by one as they are read; context takes constant memory per session.
"""

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import count
from typing import NamedTuple

from smscli.errors import UsageError
from smscli.model import MessageType, Participant, Role, Session, State
from smscli.transcript.fold import Entry
from smscli.transcript.text_search import Span, TextSearch

_TYPES = tuple(one.value for one in MessageType)
_STATES = tuple(one.value for one in State)
_DURATION = re.compile("(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_UNITS = (86400, 3600, 60, 1)
# Bounds the entries of each session that are kept in memory.
_MAX_CONTEXT = 1000
_OFFSET = re.compile("([+-])([01][0-9]|2[0-3]):?([0-5][0-9])?")


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries of a transcript to show; all by default.

    `since` and `until` are aware and inclusive. `types` are spelled as the server spells them, `people` are
    nicknames or roles, case folded; `context` is a number of entries on either side.
    """

    since: datetime | None = None
    until: datetime | None = None
    types: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    grep: TextSearch | None = None
    exclude: TextSearch | None = None
    highlight: TextSearch | None = None
    context: int = 0

    def marks(self, entry: Entry) -> tuple[Span, ...] | None:
        """The spans to mark in `searched_text(entry)`; None for an entry that does not pass."""
        if not self._admits(entry):
            return None
        text = searched_text(entry)
        if self.exclude and self.exclude.find(text) is not None:
            return None
        found = self.grep.find(text, on_timeout=()) if self.grep else ()
        return None if found is None else _joined((*found, *self.highlighted(entry)))

    def highlighted(self, entry: Entry) -> tuple[Span, ...]:
        """The spans of `--highlight`, whether the entry passes or not."""
        return (self.highlight and self.highlight.find(searched_text(entry))) or ()

    def _admits(self, entry: Entry) -> bool:
        """Whether time, type and sender pass; an entry without a time passes `since` and `until`."""
        message = entry.message
        if self.types and message.type not in self.types:
            return False
        if message.at and self.since and message.at < self.since:
            return False
        if message.at and self.until and message.at > self.until:
            return False
        return not self.people or (message.sender is not None and self._is_person(message.sender))

    def _is_person(self, sender: Participant) -> bool:
        return any(name is not None and name.casefold() in self.people for name in sender.person)


class SelectedEntry(NamedTuple):
    """An entry to show. `marks` are spans of its `searched_text`, in order and disjoint.

    `context`: it did not pass the filter, but is near an entry that did. `gap`: entries were left out between
    it and the one shown before it; set with `--context` only.
    """

    entry: Entry
    marks: tuple[Span, ...] = ()
    context: bool = False
    gap: bool = False


class Selection:
    """Selects from the entries of one session, added in order."""

    def __init__(self, entry_filter: EntryFilter) -> None:
        self._filter = entry_filter
        self._before: deque[Entry] = deque(maxlen=entry_filter.context)
        self._after = 0
        self._has_shown = False
        self._has_left_out = False

    def add(self, entry: Entry) -> Sequence[SelectedEntry]:
        """What to show now: nothing, the entry, or the entry with its context before it."""
        marks = self._filter.marks(entry)
        if marks is not None:
            return self._pass(SelectedEntry(entry, marks))
        if self._after:
            self._after -= 1
            return (self._context(entry),)
        self._has_left_out = len(self._before) == self._filter.context
        self._before.append(entry)
        return ()

    def _pass(self, selected: SelectedEntry) -> Sequence[SelectedEntry]:
        shown = [*map(self._context, self._before), selected]
        if self._has_left_out and self._has_shown and self._filter.context:
            shown[0] = shown[0]._replace(gap=True)
        self._before.clear()
        self._after = self._filter.context
        self._has_shown, self._has_left_out = True, False
        return shown

    def _context(self, entry: Entry) -> SelectedEntry:
        return SelectedEntry(entry, self._filter.highlighted(entry), context=True)


class LastEntries:
    """Buffers the last `limit` entries that passed (None: all) with their context, of any sessions."""

    def __init__(self, limit: int | None, context: int) -> None:
        self._limit = limit
        self._context = context
        self._counter = count()
        self._buffers: dict[str, deque[tuple[int, SelectedEntry]]] = {}
        self._passed: deque[str] = deque()

    def extend(self, entries: Iterable[SelectedEntry]) -> None:
        for one in entries:
            session = one.entry.message.session_id
            self._buffers.setdefault(session, deque()).append((next(self._counter), one))
            if not one.context:
                self._passed.append(session)
                if self._limit is not None and len(self._passed) > self._limit:
                    self._drop(self._passed.popleft())

    def release(self) -> list[SelectedEntry]:
        """The buffered entries in the order in which they were added; empties the buffer."""
        numbered = [one for buffer in self._buffers.values() for one in self._trimmed(buffer)]
        self._buffers.clear()
        self._passed.clear()
        return [selected for _, selected in sorted(numbered, key=lambda one: one[0])]

    def _drop(self, session: str) -> None:
        """Drop the session's first entry that passed, and all before it.

        Context after it stays, since it may also be context before the next one: at most twice the context.
        """
        buffer = self._buffers[session]
        while buffer.popleft()[1].context:
            pass

    def _trimmed(self, buffer: Iterable[tuple[int, SelectedEntry]]) -> list[tuple[int, SelectedEntry]]:
        """Without the context of entries that have been dropped."""
        lines = list(buffer)
        passed = next((place for place, (_, one) in enumerate(lines) if not one.context), None)
        if passed is None:
            return []
        first = max(0, passed - self._context)
        number, selected = lines[first]
        return [(number, selected._replace(gap=False)), *lines[first + 1 :]]


def searched_text(entry: Entry) -> str:
    """The text that searches see: the body, or the last wording of a draft."""
    return entry.draft_text or entry.message.body


def entry_filter(
    *,
    now: datetime,
    report: Callable[[str], None],
    zone: tzinfo | None = None,
    since: str | None = None,
    until: str | None = None,
    types: Iterable[str] | None = None,
    people: Iterable[str] | None = None,
    grep: str | None = None,
    exclude: str | None = None,
    highlight: str | None = None,
    context: int = 0,
    ignore_case: bool = False,
) -> EntryFilter:
    """The filter of the options of these names; `zone` None is the machine's own. UsageError.

    `report` gets a message when a search first times out, once for each option.
    """
    begin = moment("--since", since, now, zone) if since is not None else None
    end = moment("--until", until, now, zone) if until is not None else None
    if begin and begin > now:
        raise UsageError(f"--since {since} is in the future")
    if begin and end and begin > end:
        raise UsageError(f"--since {since} is later than --until {until}")
    if not 0 <= context <= _MAX_CONTEXT:
        raise UsageError(f"--context takes a number from 0 to {_MAX_CONTEXT}, not {context}")

    def search(option: str, expression: str | None) -> TextSearch | None:
        if expression is None:
            return None
        return TextSearch(option, expression, ignore_case=ignore_case, report=report)

    return EntryFilter(
        begin,
        end,
        frozenset(_known("type", name, _TYPES) for name in types or ()),
        frozenset(name.casefold() for name in people or ()),
        search("--grep", grep),
        search("--exclude", exclude),
        search("--highlight", highlight),
        context,
    )


def duration(option: str, text: str) -> float:
    """Seconds from `90s`, `5m`, `2h30m` or `1d`. UsageError."""
    seconds = _seconds(text)
    if seconds is None:
        raise UsageError(f"{option} takes a duration such as 90s, 5m, 2h30m or 1d, not {text!r}")
    return float(seconds)


def moment(option: str, text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """A time in UTC: so long before `now`, or in ISO 8601, without an offset in `zone` (None: the machine's
    own); a date alone is its midnight. UsageError."""
    seconds = _seconds(text)
    try:
        if seconds is not None:
            return now.astimezone(UTC) - timedelta(seconds=seconds)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"{option} takes 90s, 5m, 2h30m, 1d or a time such as 2026-03-02T10:00, not {text!r}"
        ) from error


def zone(text: str) -> tzinfo:
    """The zone of a name such as `Europe/Berlin`, of `UTC`, or of an offset such as `+02:00`. UsageError."""
    from zoneinfo import ZoneInfo, available_timezones

    if text.upper() in ("UTC", "Z"):
        return UTC
    if offset := _OFFSET.fullmatch(text):
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-ahead if offset[1] == "-" else ahead)
    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError) as error:
        # A folder of zones, such as Europe, is refused as one or the other by different versions of Python.
        examples = "zones: Europe/Berlin, America/New_York, UTC, +02:00 and the like"
        raise unknown("zone", text, available_timezones(), examples) from error


def unknown(what: str, name: str, known: Collection[str], examples: str | None = None) -> UsageError:
    """The error for a name that is none of `known`: its hint has the nearest ones, and all or `examples`."""
    from difflib import get_close_matches

    spelled = {one.casefold(): one for one in sorted(known)}
    near = [repr(spelled[one]) for one in get_close_matches(name[:100].casefold(), spelled)]
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return UsageError(
        f"there is no {what} {name!r}", hint=meant + (examples or f"{what}s: {', '.join(known)}")
    )


def states(names: Iterable[str]) -> frozenset[str]:
    """The states of these names, as the server spells them. UsageError."""
    return frozenset(_known("state", name, _STATES) for name in names)


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions to show: those in one of `states` with `customer` in a customer's nickname."""

    states: frozenset[str] = frozenset()
    customer: str | None = None

    def passes(self, session: Session) -> bool:
        part = (self.customer or "").casefold()
        return (not self.states or session.state in self.states) and (
            not part or any(part in name.casefold() for name in session.nicknames(Role.CUSTOMER))
        )


def _known(what: str, name: str, known: Collection[str]) -> str:
    """One of `known`, found whatever its case."""
    found = next((one for one in known if one.casefold() == name.casefold()), None)
    if found is None:
        raise unknown(what, name, known)
    return found


def _seconds(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    if not found or not text:
        return None
    return sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS, strict=True))


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans in order, those that overlap or touch merged."""
    if len(spans) < 2:
        return tuple(spans)
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)
