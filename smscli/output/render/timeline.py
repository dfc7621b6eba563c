"""Renders a conversation as a timeline: messages, typing and waiting of each side.

Time is kept in slots that double their length whenever they become too many, so that a log of any length
takes constant memory.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from typing import NamedTuple

from smscli.model import Message, Role, Session
from smscli.output.render.colors import role_style
from smscli.output.render.layout import (
    PLAIN,
    Display,
    NoWrap,
    Piece,
    cells,
    duration,
    fold,
    local_time,
    paint,
    shape,
)
from smscli.output.render.wording import is_spoken
from smscli.transcript.activity import Activity
from smscli.transcript.fold import Entry

_MOST_SLOTS = 512
_SHORTEST_SLOT = 100  # milliseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Others get a row only if they have messages or typing.
_ROLES = (Role.CUSTOMER, Role.AGENT, None)
# The place of waiting among a slot's steps, after each side's typing.
_WAITING = len(_ROLES)

_NAMES = {Role.CUSTOMER: "customer", Role.AGENT: "agents", None: "others"}
# Each of them in shapes, then in ASCII; the height tells how much was said.
_HEIGHTS = ("▂▄▆█", "|#")
_TYPED = "░~"
_WAITED = "·."
_NARROW = 50


class Side(NamedTuple):
    """The row of one side; `role` is None for those who are neither customer nor agent.

    Each tuple has a value for each column: how many messages were said, whether somebody typed, and whether
    a customer waited for an answer (on the customers' side alone).
    """

    role: Role | None
    said: tuple[int, ...]
    typed: tuple[bool, ...]
    waited: tuple[bool, ...]


class Drawing(NamedTuple):
    """The sides, customers first, between two times."""

    begin: datetime
    end: datetime
    sides: tuple[Side, ...]


_Slot = Counter[tuple[str, int]]
"""Counts of one time slot, by what is counted (messages `said`, spans `begun` or `ended` there) and a side's
place in `_ROLES`, or `_WAITING`."""


class _Columns(NamedTuple):
    """So many columns between two times, in milliseconds."""

    number: int
    begin: int
    end: int

    def at(self, moment: int) -> int:
        """The column of a time."""
        into = max(moment - self.begin, 0) * self.number // max(self.end - self.begin, 1)
        return min(into, self.number - 1)

    def covered(self, spans: Iterable[tuple[int, int]]) -> tuple[bool, ...]:
        """Which columns have a part of these spans."""
        covered = [False] * self.number
        for begin, end in spans:
            for place in range(self.at(begin), self.at(end) + 1):
                covered[place] = True
        return tuple(covered)


class Timeline:
    """Collects messages, typing and waits, entry by entry.

    Typing is drawn in one piece that ends with its message, however often its author paused.
    """

    def __init__(self, session: Session | None = None) -> None:
        # Past waits depend on the log, not on who is present today.
        self._activity = Activity(replace(session, state=None, participants=()) if session else None)
        self._slots: defaultdict[int, _Slot] = defaultdict(Counter)
        self._length = _SHORTEST_SLOT
        self._begin = self._end = 0  # milliseconds
        self._waits = False

    def add(self, entry: Entry) -> None:
        """Count one entry; without a time it can't be drawn."""
        message = entry.message
        if message.at is None:
            return
        moment = _milliseconds(message.at)
        side = _ROLES.index(message.sender.role if message.sender else None)
        self._slot(moment)["said", side] += is_spoken(entry)
        if entry.composing:
            self._begin_span(side, moment - round(entry.composing * 1000))
            self._slot(moment)["ended", side] += 1

    def judge(self, message: Message) -> None:
        """Note who waits from a message of the log on; to be called before its entries are added."""
        self._activity.add(message)
        wait = self._activity.wait()
        if message.at is None or (wait is not None) == self._waits:
            return
        self._waits = not self._waits
        slot = self._slot(_milliseconds(message.at))
        if wait is None:
            slot["ended", _WAITING] += 1
        else:
            self._begin_span(_WAITING, _milliseconds(min(wait.since, message.at)))

    def draw(self, columns: int, now: datetime | None = None) -> Drawing | None:
        """The timeline in this many columns, up to `now` if later; None where no entry has a time."""
        if not self._slots:
            return None
        within = _Columns(columns, self._begin, max(self._end, _milliseconds(now) if now else self._end))
        sides = [self._drawn(number, role, within) for number, role in enumerate(_ROLES)]
        shown = tuple(side for side in sides if side.role or any(side.said) or any(side.typed))
        return Drawing(_time(within.begin), _time(within.end), shown)

    def picture(
        self, display: Display, *, zone: tzinfo | None = None, now: datetime | None = None
    ) -> list[str]:
        """A line for each side, their times below, and what the signs mean; no lines where none has a time.

        `now` is the server's clock while the session lives: a customer who waits has waited until then.
        """
        wide = display.width >= _NARROW
        indent = 14 if wide else 4
        drawing = self.draw(max(display.width - indent, 1), now)
        if drawing is None:
            return []
        most = max(max(side.said) for side in drawing.sides)
        lines = [
            (_label(side.role, display, wide) + _row(side, most, display)).rstrip() for side in drawing.sides
        ]
        return [*lines, *_below(drawing, display, indent, zone)]

    def _slot(self, moment: int) -> _Slot:
        """The slot of that time; slot lengths double when there are too many."""
        if not self._slots:
            self._begin = self._end = moment
        self._begin, self._end = min(self._begin, moment), max(self._end, moment)
        while self._end // self._length - self._begin // self._length >= _MOST_SLOTS:
            self._length *= 2
            slots, self._slots = self._slots, defaultdict(Counter)
            for number, slot in slots.items():
                self._slots[number // 2].update(slot)
        return self._slots[moment // self._length]

    def _begin_span(self, number: int, moment: int) -> None:
        # Nothing is drawn from before the first entry.
        self._slot(max(moment, self._begin))["begun", number] += 1

    def _drawn(self, number: int, role: Role | None, within: _Columns) -> Side:
        said = [0] * within.number
        for place, slot in self._slots.items():
            said[within.at(place * self._length)] += slot["said", number]
        typed = within.covered(self._spans(number, within.end))
        waited = within.covered(self._spans(_WAITING, within.end) if role == Role.CUSTOMER else ())
        return Side(role, tuple(said), typed, waited)

    def _spans(self, number: int, end: int) -> Iterator[tuple[int, int]]:
        """From when to when somebody typed, or a customer waited; to the end where nothing has ended it."""
        going = since = 0
        for place, slot in sorted(self._slots.items(), key=lambda item: item[0]):
            since = since if going > 0 else place * self._length
            was_going = going > 0 or slot["begun", number] > 0
            going += slot["begun", number] - slot["ended", number]
            if was_going and going <= 0:
                yield since, place * self._length
        if going > 0:
            yield since, end


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _time(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _label(role: Role | None, display: Display, wide: bool) -> str:
    label, ink = shape(role, display.ascii), paint(role_style(role), display.color)
    label += f" {_NAMES[role]}" if wide else ""
    return f"  {ink(label)}{' ' * ((12 if wide else 2) - cells(label))}"


def _row(side: Side, most: int, display: Display) -> str:
    """One side's line; neighbours of one kind are painted together."""
    heights, quiet = _HEIGHTS[display.ascii], paint("dim", display.color)
    ink = paint(role_style(side.role), display.color)
    signs: list[Piece] = []
    for said, typed, waited in zip(side.said, side.typed, side.waited, strict=True):
        if said:
            signs.append((heights[(said * len(heights) - 1) // most], ink))
        elif typed:
            signs.append((_TYPED[display.ascii], ink))
        else:
            signs.append((_WAITED[display.ascii], quiet) if waited else (" ", PLAIN))
    runs = groupby(signs, lambda sign: sign[1])
    return "".join(ink("".join(sign for sign, _ in run)) for ink, run in runs)


def _below(drawing: Drawing, display: Display, indent: int, zone: tzinfo | None) -> Iterator[str]:
    """From when to when, and what the signs mean."""
    room, quiet = max(display.width - indent, 1), paint("dim", display.color)
    first, last = (f"{local_time(at, zone):%H:%M:%S}" for at in (drawing.begin, drawing.end))
    between = room - len(first) - len(last)
    lasted = duration((drawing.end - drawing.begin).total_seconds())
    times = first + (lasted.center(between) if between > len(lasted) + 1 else " " * max(between, 1)) + last
    signs = _HEIGHTS[display.ascii][-1], _TYPED[display.ascii], _WAITED[display.ascii]
    meant = [f"{sign} {word}" for sign, word in zip(signs, ("said", "typed", "waiting"), strict=True)]
    legend = [piece for words in meant for piece in (("  ", quiet), (NoWrap(words), quiet))][1:]
    for pieces in ([(times, quiet)], legend):
        for line in fold(pieces, room, room):
            yield " " * indent + line
