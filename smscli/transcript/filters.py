"""Filters for entries and sessions, built from the reading options.

Entries are filtered one by one as they are read; context takes constant memory per session.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import count
from typing import NamedTuple

from smscli.errors import UsageError, unknown_name
from smscli.model import MessageType, Role, Session, State, caseless
from smscli.transcript.fold import Entry
from smscli.transcript.text_search import Span, TextSearch
from smscli.transcript.times import Moment, moment

_TYPES = tuple(one.value for one in MessageType)
_STATES = tuple(one.value for one in State)
_ROLES = tuple(one.value for one in Role)
# States, types and roles that the documents don't list look like this too.
_VALUE = re.compile("[A-Za-z][A-Za-z0-9]*")
_MAX_CLOCK_ERROR = timedelta(days=1)
# Values collected and named for a notice.
_MAX_COLLECTED = 1000
_MAX_NAMED = 10
# Bounds the entries of each session that are kept in memory.
_MAX_CONTEXT = 1000


class EntryFilter(NamedTuple):
    """Which entries of a transcript to show; all by default.

    `since` and `until` are aware and inclusive. `types` and `people` (nicknames or roles) have the
    spelling for notices under the `caseless` one; `context` is a number of entries on either side.
    """

    since: datetime | None = None
    until: datetime | None = None
    types: Mapping[str, str] = {}
    people: Mapping[str, str] = {}
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

    def masked_marks(self, selected: "SelectedEntry", masked: Entry) -> tuple[Span, ...]:
        """The spans to mark in the masked form of a selected entry."""
        grep = None if selected.context else self.grep
        found = (grep and grep.find(searched_text(masked))) or ()
        return _joined((*found, *self.highlighted(masked)))

    def highlighted(self, entry: Entry) -> tuple[Span, ...]:
        """The spans of `--highlight`, whether the entry passes or not."""
        return (self.highlight and self.highlight.find(searched_text(entry))) or ()

    def _admits(self, entry: Entry) -> bool:
        """Whether time, type and sender pass; an entry without a time passes `since` and `until`."""
        message = entry.message
        if self.types and caseless(message.type) not in self.types:
            return False
        if message.at and self.since and message.at < self.since:
            return False
        if message.at and self.until and message.at > self.until:
            return False
        if not self.people or message.sender is None:
            return not self.people
        names = (*message.sender.person, message.sender.role)
        return any(name is not None and caseless(name) in self.people for name in names)


class SelectedEntry(NamedTuple):
    """An entry to show. `marks` are spans of its `searched_text`, in order and disjoint.

    `context`: it did not pass the filter, but is near an entry that did. `gap`: entries were left out between
    it and the one shown before it; set with `--context` only. `profile`: the profile that read it, of
    several.
    """

    entry: Entry
    marks: tuple[Span, ...] = ()
    context: bool = False
    gap: bool = False
    profile: str | None = None


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


class EntryQuery(NamedTuple):
    """What the filter options ask for: an `EntryFilter` whose times may be relative to now."""

    untimed: EntryFilter
    since: Moment | None
    until: Moment | None

    def resolve(self, now: datetime) -> EntryFilter:
        """The filter at `now`, the time of the server or of the recording."""
        since = self.since.resolve(now) if self.since else None
        until = self.until.resolve(now) if self.until else None
        return self.untimed._replace(since=since, until=until)

    @property
    def is_relative(self) -> bool:
        """Whether `now` makes a difference."""
        return any(one is not None and one.at is None for one in (self.since, self.until))


def entry_query(
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
    context: int | None = None,
    ignore_case: bool = False,
) -> EntryQuery:
    """The query of the options of these names; `zone` None is the machine's own. UsageError.

    `now` is our own clock, which only tells that a time is in the future whatever the server's clock says.

    `report` gets a message when a search first times out, once for each option.
    """
    begin = moment("--since", since, zone) if since is not None else None
    end = moment("--until", until, zone) if until is not None else None
    if begin and begin.at and begin.at > now + _MAX_CLOCK_ERROR:
        raise UsageError(f"--since {since} is in the future")
    if begin and end and _is_later(begin, end):
        raise UsageError(f"--since {since} is later than --until {until}")
    if context is not None and grep is None:
        raise UsageError("--context requires --grep")
    if ignore_case and grep is None and exclude is None and highlight is None:
        raise UsageError("--ignore-case requires --grep, --exclude or --highlight")
    if not 0 <= (context or 0) <= _MAX_CONTEXT:
        raise UsageError(f"--context takes a number from 0 to {_MAX_CONTEXT}, not {context}")

    def search(option: str, expression: str | None) -> TextSearch | None:
        if expression is None:
            return None
        return TextSearch(option, expression, ignore_case=ignore_case, report=report)

    untimed = EntryFilter(
        types={caseless(one): _value("type", one, _TYPES) for one in types or ()},
        people={caseless(one): one for one in people or ()},
        grep=search("--grep", grep),
        exclude=search("--exclude", exclude),
        highlight=search("--highlight", highlight),
        context=context or 0,
    )
    return EntryQuery(untimed, begin, end)


def _is_later(begin: Moment, end: Moment) -> bool:
    """Whether a period ends before it begins; between a time and a duration only now can tell."""
    if begin.at and end.at:
        return begin.at > end.at
    return begin.ago is not None and end.ago is not None and begin.ago < end.ago


class FilterTally:
    """Counts entries and collects values, for the notices about filters that match nothing."""

    def __init__(self, query: EntryQuery) -> None:
        self._filter = query.untimed
        self._entries = 0
        self._passed = 0
        self._types: dict[str, str] = {}
        self._people: dict[str, str] = {}

    def add(self, entry: Entry, passed: bool) -> None:
        """Count an entry that was judged."""
        self._entries += 1
        self._passed += passed
        if self._filter.types:
            _collect(self._types, entry.message.type)
        if self._filter.people and entry.message.sender:
            for name in entry.message.sender.person:
                _collect(self._people, name)

    def notices(self) -> Iterator[str]:
        """What to say at the end of a read: unknown values that never occurred, and that nothing passed."""
        yield from _unmatched("--type", self._filter.types.values(), "types", _TYPES, self._types)
        yield from _unmatched("--from", self._filter.people.values(), "roles", _ROLES, self._people)
        if self._entries and not self._passed:
            yield f"no entry of {self._entries:,} matches"


def _collect(found: dict[str, str], value: str | None) -> None:
    # Bounded: a hostile server could send any number.
    if value and len(found) < _MAX_COLLECTED:
        found.setdefault(caseless(value), value)


def _unmatched(
    option: str, values: Iterable[str], what: str, known: Sequence[str], found: Mapping[str, str]
) -> Iterator[str]:
    """A notice for each value that is neither documented nor occurs."""
    documented = {caseless(one) for one in known}
    for value in values:
        if found and caseless(value) not in documented | found.keys():
            here = listed(list(found.values()))
            yield f"{option} {value} matches nothing; known {what}: {', '.join(known)}; found here: {here}"


def listed(values: Sequence[str]) -> str:
    """The first few values, comma-separated."""
    return ", ".join(values[:_MAX_NAMED]) + (", ..." if len(values) > _MAX_NAMED else "")


class SessionFilter(NamedTuple):
    """Which sessions to show: those in one of `states` with `customer` in a customer's nickname."""

    states: tuple[str, ...] = ()
    customer: str | None = None

    def passes(self, session: Session) -> bool:
        part = caseless(self.customer or "")
        in_state = not self.states or caseless(session.state or "") in map(caseless, self.states)
        return in_state and (
            not part or any(part in caseless(name) for name in session.nicknames(Role.CUSTOMER))
        )

    def notices(self, sessions: Iterable[Session]) -> Iterator[str]:
        """One for each undocumented state in which no session is."""
        found: dict[str, str] = {}
        for session in sessions:
            _collect(found, session.state)
        yield from _unmatched("--state", self.states, "states", _STATES, found)


def session_filter(states: Iterable[str], customer: str | None) -> SessionFilter:
    """The filter of `--state` and `--customer`. UsageError."""
    return SessionFilter(tuple(_value("state", name, _STATES) for name in states), customer)


def _value(what: str, name: str, known: Sequence[str]) -> str:
    """One of `known`, whatever its case, or a name that the documents don't list. UsageError."""
    folded = caseless(name)
    found = next((one for one in known if caseless(one) == folded), None)
    if found is None and not _VALUE.fullmatch(name):
        raise unknown_name(what, name, known)
    return found or name


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
