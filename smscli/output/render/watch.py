"""Renders the live list: sessions with waiting time, typing and last message, in a given size."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from smscli.model import Message, Session
from smscli.output.columns import Column
from smscli.output.render.colors import ALARM
from smscli.output.render.layout import (
    PLAIN,
    Display,
    NoWrap,
    Paint,
    Piece,
    cells,
    cut,
    duration,
    fold,
    local_time,
    offset_words,
    paint,
    shape,
)
from smscli.output.render.tables import TimeFormatter, column_style, column_text, column_title
from smscli.output.render.wording import NO_TIME, counted, lamp, remarks, said
from smscli.sanitize import clean

_GAP = "  "
# No column grows beyond this, and what is made narrower keeps this much.
_MOST_CELLS = 24
_LEAST_CELLS = 7
_MOST_BELOW = 3
# With less room the last message has a line to itself.
_MESSAGE_CELLS = 30
_CHANGED = "bold color(130)"


class LiveRow(NamedTuple):
    """One session as it is now.

    `waiting` is in seconds, `overdue` when that is too long; `typing` are nicknames; `changed` a moment ago,
    `gone` from the list.
    """

    session: Session
    waiting: float | None = None
    overdue: bool = False
    typing: Sequence[str] = ()
    last: Message | None = None
    changed: bool = False
    gone: bool = False


class FollowStatus(NamedTuple):
    """The connection's status in words, whether the server answers, and its clock."""

    status: str
    connected: bool
    at: datetime | None


class LiveList:
    """Draws rows; waiting, typing and the last message follow `columns`; `zone` None is the machine's own."""

    def __init__(self, display: Display, whose: str, columns: Sequence[Column], zone: tzinfo | None) -> None:
        self._display = display
        self._whose = whose
        self._columns = columns
        self._zone = zone

    def below(self, said: Sequence[str], lines: int) -> list[str]:
        """The last notices, on at most a quarter of the screen's lines."""
        most = min(_MOST_BELOW, lines // 4)
        return [self._cut(one, max(self._display.width - 1, 1)) for one in said[len(said) - most :] if most]

    def __call__(
        self, going: FollowStatus, rows: Sequence[LiveRow], lines: int, empty: str = ""
    ) -> list[str]:
        """The screen in this many lines, with a count of the sessions that have no room.

        `empty` says why there are none.
        """
        width = max(self._display.width - 1, 1)
        head, *blocks = self._drawn(rows, width) if rows else [self._empty(empty, width)]
        picture = [self._heading(going, len(rows), width), *head]
        for place, block in enumerate(blocks):
            if len(picture) + len(block) + (place + 1 < len(blocks)) > lines:
                return [*picture, self._more(rows[place:], width)][:lines]
            picture += block
        return picture[:lines]

    def _more(self, hidden: Sequence[LiveRow], width: int) -> str:
        """How many sessions have no room, and how many wait there for too long."""
        overdue = sum(row.overdue for row in hidden)
        told = f", {overdue} waiting for too long" if overdue else ""
        ink = self._ink(ALARM if overdue else "dim")
        return ink(self._cut(f"{self._ellipsis} and {len(hidden)} more{told}", width))

    def _empty(self, why: str, width: int) -> list[str]:
        return fold([(clean(why), self._ink("dim"))], width, width)

    def _heading(self, going: FollowStatus, rows: int, width: int) -> str:
        """Connection status, server time, and whose sessions these are."""
        local = local_time(going.at, self._zone) if going.at else None
        clock = [f"{local:%H:%M:%S} {offset_words(local)}"] if local else []
        words = [going.status, *clock, f"{counted(rows, 'SMS session')} {self._whose}"]
        between = " - " if self._display.ascii else " · "
        text = f"{lamp(going.connected, self._display.ascii)} {between.join(map(clean, words))}"
        return self._ink("bold")(self._cut(text, width))

    def _drawn(self, rows: Sequence[LiveRow], width: int) -> list[list[str]]:
        """The titles' lines, then the lines of each row."""
        times = TimeFormatter((row.session.received for row in rows), self._zone)
        titles = [" ", *(clean(column_title(one, times)) for one in self._columns), "waiting", "typing"]
        values = [self._values(row, times) for row in rows]
        widths = [max(map(cells, column)) for column in zip(titles, *values, strict=True)]
        whole = [False, *(one.is_id for one in self._columns), True, False]
        widths = [size if kept else min(size, _MOST_CELLS) for size, kept in zip(widths, whole, strict=True)]
        beside = width - sum(widths) - len(_GAP) * len(widths)
        if beside >= _MESSAGE_CELLS:
            head = [self._ink("bold")(f"{self._titles(titles, widths)}last message")]
            return [head, *(self._beside(*one, widths, beside) for one in zip(rows, values, strict=True))]
        if not _shrunk(widths, whole, width):
            return [[], *(self._stacked(*one, titles, width) for one in zip(rows, values, strict=True))]
        head = [self._ink("bold")(self._titles(titles, widths).rstrip())]
        return [head, *(self._above(*one, widths, width) for one in zip(rows, values, strict=True))]

    def _values(self, row: LiveRow, times: TimeFormatter) -> list[str]:
        mark = ("*" if self._display.ascii else "●") if row.changed else ""
        chosen = [clean(self._column(row, one, times)) for one in self._columns]
        waiting = "" if row.waiting is None else duration(row.waiting)
        typing = ", ".join(map(clean, row.typing))
        return [mark, *chosen, f"! {waiting}" if row.overdue else waiting, typing]

    def _column(self, row: LiveRow, column: Column, times: TimeFormatter) -> str:
        if column.name == "state" and row.gone and not row.session.ended:
            return "gone"
        return column_text(row.session, column, times)

    def _beside(self, row: LiveRow, values: Sequence[str], widths: Sequence[int], room: int) -> list[str]:
        """One line, the last message at its end."""
        line = self._line(values, widths, self._inks(row))
        return [line + self._ink("dim")(self._cut(self._said(row), room))]

    def _above(self, row: LiveRow, values: Sequence[str], widths: Sequence[int], width: int) -> list[str]:
        """Two lines, the last message below."""
        words = self._cut(f"{_GAP * 2}{self._said(row)}", width) if row.last else ""
        line = self._line(values, widths, self._inks(row)).rstrip()
        return [line, *([self._ink("dim")(words)] if words else [])]

    def _line(self, values: Sequence[str], widths: Sequence[int], inks: Sequence[Paint]) -> str:
        """The values in their columns, each with a gap behind it."""
        shown = [self._cut(value, size) for value, size in zip(values, widths, strict=True)]
        blanks = [" " * (size - cells(value)) for value, size in zip(shown, widths, strict=True)]
        return "".join(
            f"{ink(value)}{blank}{_GAP}" for value, blank, ink in zip(shown, blanks, inks, strict=True)
        )

    def _inks(self, row: LiveRow) -> list[Paint]:
        if row.gone:
            return [self._ink("dim")] * (len(self._columns) + 3)
        chosen = [self._ink(column_style(one)) for one in self._columns]
        return [self._ink(_CHANGED), *chosen, self._ink(ALARM if row.overdue else ""), PLAIN]

    def _stacked(self, row: LiveRow, values: Sequence[str], titles: Sequence[str], width: int) -> list[str]:
        """A small card: where there is no room for columns."""
        mark, first, *others = values
        inks = self._inks(row)
        title = f"{inks[0](mark)} " if mark else ""
        named = zip((None, *self._columns, None, None), titles, values, inks, strict=True)
        pieces = [piece for one in [*named][2:] for piece in self._named(*one)]
        room = max(width - len(_GAP), 1)
        lines = fold(pieces, room, room) if pieces else []
        words = self._said(row)
        below = [self._ink("dim")(self._cut(words, room))] if words else []
        head = title + inks[1](self._cut(first, max(width - 2 * bool(mark), 1)))
        return [head, *(f"{_GAP}{line}" for line in (*lines, *below))]

    def _named(self, column: Column | None, title: str, value: str, ink: Paint) -> Iterator[Piece]:
        """A labelled value as one piece that is never wrapped, and the gap behind it."""
        if not value:
            return
        if column and column.role:
            value = f"{shape(column.role, self._display.ascii)} {value}"
        elif column is None or column.name != "state":
            value = f"{title} {value}"
        yield NoWrap(value), ink
        yield _GAP, PLAIN

    def _said(self, row: LiveRow) -> str:
        """When, who and what, on one line."""
        message = row.last
        if message is None:
            return ""
        at = f"{local_time(message.at, self._zone):%H:%M:%S}" if message.at else NO_TIME
        who = clean(message.sender.person[1] or "unknown") if message.sender else "system"
        return f"{at} {' '.join([f'{who}:', *remarks(message), clean(said(message))])}"

    def _titles(self, titles: Sequence[str], widths: Sequence[int]) -> str:
        return self._line(titles, widths, [PLAIN] * len(titles))

    def _ink(self, style: str) -> Paint:
        return paint(style, self._display.color)

    def _cut(self, text: str, width: int) -> str:
        return cut(text, width, self._ellipsis)

    @property
    def _ellipsis(self) -> str:
        return ".." if self._display.ascii else "…"


def _shrunk(widths: list[int], whole: Sequence[bool], width: int) -> bool:
    """Narrow the widest columns, except the `whole` ones, until the row fits; False if it can't."""
    room = width - len(_GAP) * (len(widths) - 1)
    free = [place for place, kept in enumerate(whole) if not kept]
    while sum(widths) > room:
        widest = max(free, key=lambda place: widths[place])
        if widths[widest] <= _LEAST_CELLS:
            return False
        widths[widest] -= 1
    return True
