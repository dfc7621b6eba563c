"""Which entries and sessions to show: what the reading options say, as values, and the judging by them.

Entries are judged one by one in the order in which they come, a session's neighbours in constant memory.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import count
from typing import NamedTuple

from smscli.errors import UsageError
from smscli.model import MessageType, Participant, Role, Session, State
from smscli.transcript.fold import Entry
from smscli.transcript.pattern import Pattern, Span, pattern

_TYPES = tuple(one.value for one in MessageType)
_STATES = tuple(one.value for one in State)
_DURATION = re.compile("(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_UNITS = (86400, 3600, 60, 1)
# So many entries of each session are kept in memory.
_MOST_CONTEXT = 1000
_OFFSET = re.compile("([+-])([01][0-9]|2[0-3]):?([0-5][0-9])?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the entries of a transcript; nothing by default.

    `since` and `until` are aware, and both belong to what is wanted. `types` are as the server spells them,
    `people` nicknames or roles with their case folded; `context` is a number of entries on either side.
    """

    since: datetime | None = None
    until: datetime | None = None
    types: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    grep: Pattern | None = None
    exclude: Pattern | None = None
    highlight: Pattern | None = None
    context: int = 0

    def judge(self, entry: Entry) -> tuple[Span, ...] | None:
        """The spans of its wording to be marked; None for an entry that does not pass."""
        if not self._admits(entry):
            return None
        text = wording(entry)
        if self.exclude and self.exclude.find(text) is not None:
            return None
        found = self.grep.find(text) if self.grep else ()
        return None if found is None else _joined((*found, *self.highlighted(entry)))

    def highlighted(self, entry: Entry) -> tuple[Span, ...]:
        """The spans that are only to be marked, whatever becomes of the entry."""
        return (self.highlight and self.highlight.find(wording(entry))) or ()

    def _admits(self, entry: Entry) -> bool:
        """Whether time, type and sender are wanted ones; an entry without a time is of any time."""
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


class Chosen(NamedTuple):
    """An entry to show. `marks` are spans of its `wording`, in order and apart from each other.

    `context`: it did not pass itself, one beside it did. `gap`: entries were left out between it and the one
    shown before it, which is told where context is wanted.
    """

    entry: Entry
    marks: tuple[Span, ...] = ()
    context: bool = False
    gap: bool = False


class Selection:
    """Chooses among the entries of one session, in the order in which they come."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._before: deque[Entry] = deque(maxlen=wanted.context)
        self._after = 0
        self._shown = False
        self._left_out = False

    def add(self, entry: Entry) -> Sequence[Chosen]:
        """What is to be shown now: nothing, the entry, or the entry with those before it."""
        marks = self._wanted.judge(entry)
        if marks is not None:
            return self._pass(Chosen(entry, marks))
        if self._after:
            self._after -= 1
            return (self._beside(entry),)
        self._left_out = len(self._before) == self._wanted.context
        self._before.append(entry)
        return ()

    def _pass(self, chosen: Chosen) -> Sequence[Chosen]:
        shown = [*map(self._beside, self._before), chosen]
        if self._left_out and self._shown and self._wanted.context:
            shown[0] = shown[0]._replace(gap=True)
        self._before.clear()
        self._after = self._wanted.context
        self._shown, self._left_out = True, False
        return shown

    def _beside(self, entry: Entry) -> Chosen:
        return Chosen(entry, self._wanted.highlighted(entry), context=True)


class Last:
    """Keeps the last `keep` entries that passed (None: all) and what is beside those, of any sessions."""

    def __init__(self, keep: int | None, context: int) -> None:
        self._keep = keep
        self._context = context
        self._places = count()
        self._kept: dict[str, deque[tuple[int, Chosen]]] = {}
        self._passed: deque[str] = deque()

    def extend(self, chosen: Iterable[Chosen]) -> None:
        for one in chosen:
            session = one.entry.message.session_id
            self._kept.setdefault(session, deque()).append((next(self._places), one))
            if not one.context:
                self._passed.append(session)
                if self._keep is not None and len(self._passed) > self._keep:
                    self._drop(self._passed.popleft())

    def release(self) -> list[Chosen]:
        """What is kept, in the order in which it came; afterwards nothing is."""
        placed = [one for kept in self._kept.values() for one in self._trimmed(kept)]
        self._kept.clear()
        self._passed.clear()
        return [chosen for _, chosen in sorted(placed, key=lambda one: one[0])]

    def _drop(self, session: str) -> None:
        """Forget the first entry of a session that passed, and all before it.

        Entries after it stay, since they may stand before the next one: twice the context at most.
        """
        kept = self._kept[session]
        while kept.popleft()[1].context:
            pass

    def _trimmed(self, kept: Iterable[tuple[int, Chosen]]) -> list[tuple[int, Chosen]]:
        """Without what was chosen only for entries that have been dropped."""
        lines = list(kept)
        passed = next((place for place, (_, one) in enumerate(lines) if not one.context), None)
        if passed is None:
            return []
        first = max(0, passed - self._context)
        place, chosen = lines[first]
        return [(place, chosen._replace(gap=False)), *lines[first + 1 :]]


def wording(entry: Entry) -> str:
    """The text by which an entry is judged: its body, or the last wording of a draft."""
    return entry.draft_text or entry.message.body


def wanted(
    *,
    now: datetime,
    zone: tzinfo | None = None,
    since: str | None = None,
    until: str | None = None,
    types: Iterable[str] | None = None,
    people: Iterable[str] | None = None,
    grep: str | None = None,
    exclude: str | None = None,
    highlight: str | None = None,
    context: int = 0,
) -> Wanted:
    """What the options of these names ask for; `zone` None is the machine's own. UsageError."""
    begin = moment("--since", since, now, zone) if since is not None else None
    end = moment("--until", until, now, zone) if until is not None else None
    if begin and begin > now:
        raise UsageError(f"--since {since} is in the future")
    if begin and end and begin > end:
        raise UsageError(f"--since {since} is later than --until {until}")
    if not 0 <= context <= _MOST_CONTEXT:
        raise UsageError(f"--context takes a number from 0 to {_MOST_CONTEXT}, not {context}")
    return Wanted(
        begin,
        end,
        frozenset(_known("type", name, _TYPES) for name in types or ()),
        frozenset(name.casefold() for name in people or ()),
        pattern("--grep", grep) if grep is not None else None,
        pattern("--exclude", exclude) if exclude is not None else None,
        pattern("--highlight", highlight) if highlight is not None else None,
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
    """The spans in order, those that overlap or touch made one."""
    if len(spans) < 2:
        return tuple(spans)
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)
