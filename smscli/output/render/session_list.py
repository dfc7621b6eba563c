"""Renders the sessions of `list` and `list --watch`, one line each, in columns that fit the width."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from smscli.model import Message, Participant, Role, Session, State
from smscli.output.columns import LAST_MESSAGE, WAITING, Column, ListedSession, SessionTable
from smscli.output.render.colors import ALARM, person_style
from smscli.output.render.layout import (
    PLAIN,
    Display,
    NoWrap,
    Paint,
    Piece,
    cells,
    cut,
    cut_middle,
    duration,
    fold,
    local_time,
    offset_words,
    paint,
    shape,
)
from smscli.output.render.wording import NO_TIME, remarks, said, shown
from smscli.sanitize import clean

_GAP = "  "
# Beside a last message no column of names or texts grows beyond this.
_MOST_CELLS = 24
# What is made narrower keeps this much.
_LEAST_CELLS = 7
# With less room the last message has a line to itself.
_MESSAGE_CELLS = 24
# So that one session does not fill the screen.
_MOST_NAMES = 6
_CHANGED = "bold color(130)"


class SessionRow(NamedTuple):
    """A session as it is now: `overdue` when its customer has waited for too long; in a live list also
    `changed` a moment ago, and `gone` from the server's list."""

    listed: ListedSession
    overdue: bool = False
    changed: bool = False
    gone: bool = False

    @property
    def session(self) -> Session:
        return self.listed.session


def sessions_table(table: SessionTable, display: Display, zone: tzinfo | None = None) -> str:
    """A line for each session, the caption below."""
    rows = [SessionRow(one) for one in table.sessions]
    session_lines = SessionLines(display, table.columns, zone)
    head, *blocks = session_lines.draw(rows, display.width)
    caption = clean(table.caption) + session_lines.times_note
    below = fold([(caption, paint("dim", display.color))], display.width, display.width)
    lines = [*head, *(line for block in blocks for line in block), *below]
    return "".join(f"{line.rstrip()}\n" for line in lines)


class SessionLines:
    """Draws rows of the chosen columns. `marks`: a column in front marks what has changed."""

    def __init__(
        self, display: Display, columns: Sequence[Column], zone: tzinfo | None, *, marks: bool = False
    ) -> None:
        self._display = display
        # The last message fills the rest of the line.
        self._columns = [one for one in columns if one is not LAST_MESSAGE]
        # Never cut: ids are copied, times and waits are read.
        self._whole = [one.is_id or one.is_time or one is WAITING for one in self._columns]
        self._has_message = LAST_MESSAGE in columns
        self._zone = zone
        self._marks = marks
        self._strong, self._quiet = paint("bold", display.color), paint("dim", display.color)
        self._ellipsis = ".." if display.ascii else "…"
        self._offset = ""

    @property
    def times_note(self) -> str:
        """How far the times are from UTC, where no title says it."""
        return f", times are {self._offset}" if self._has_message and self._offset else ""

    def draw(self, rows: Sequence[SessionRow], width: int) -> list[list[str]]:
        """The titles' lines, then the lines of each row, all at most `width` cells wide."""
        times = [local_time(one, self._zone) for row in rows for one in self._times(row)]
        self._offset = offset_words(times[0]) if times else ""
        self._today = max(times).date() if times else None
        titles = [clean(self._title(column)) for column in self._columns]
        values = [[self._pieces(row, column) for column in self._columns] for row in rows]
        most = _MOST_CELLS if self._has_message else max(width, _MOST_CELLS)
        widths = []
        for whole, title, *column in zip(self._whole, titles, *values, strict=True):
            size = max(map(cells, (title, *map(_text, column))))
            widths.append(size if whole else min(size, max(most, cells(title))))
        front = 1 + len(_GAP) if self._marks else 0
        room = width - front - len(_GAP) * (len(widths) - 1)
        beside = room - sum(widths) - len(_GAP)
        if self._has_message and beside >= _MESSAGE_CELLS:
            return self._lines(rows, titles, values, widths, width, beside)
        if _narrow(widths, self._whole, room):
            return self._lines(rows, titles, values, widths, width, 0)
        return [[], *(self._card(row, one, titles, width) for row, one in zip(rows, values, strict=True))]

    def _lines(
        self,
        rows: Sequence[SessionRow],
        titles: Sequence[str],
        values: Sequence[Sequence[Sequence[Piece]]],
        widths: Sequence[int],
        width: int,
        beside: int,
    ) -> list[list[str]]:
        """One line for each row; its last message beside it in so many cells, or below it where that is 0."""
        head = self._line([[(title, self._strong)] for title in titles], widths, self._front())
        blocks = [[f"{head}{_GAP}{self._strong('last message')}" if beside else head]]
        for row, pieces in zip(rows, values, strict=True):
            line = self._line(pieces, widths, self._front(row), self._quiet if row.gone else None)
            words = self._last_message(row)
            if words and beside:
                blocks.append([f"{line}{_GAP}{self._message(words, beside)}"])
            else:
                blocks.append([line, self._message(_GAP * 2 + words, width)] if words else [line])
        return blocks

    def _message(self, words: str, width: int) -> str:
        return self._quiet(cut(words, width, self._ellipsis))

    def _line(
        self, values: Sequence[Sequence[Piece]], widths: Sequence[int], front: str, ink: Paint | None = None
    ) -> str:
        """Values in their columns; `ink` paints all of them, None each as it is."""
        parts = []
        for pieces, size in zip(values, widths, strict=True):
            fitted = self._fitted(pieces, size)
            text = "".join((ink or own)(one) for one, own in fitted)
            parts.append(text + " " * (size - cells(_text(fitted))))
        return front + _GAP.join(parts)

    def _fitted(self, pieces: Sequence[Piece], size: int) -> Sequence[Piece]:
        """The pieces in so many cells: what does not fit is cut in its middle."""
        if cells(_text(pieces)) <= size:
            return pieces
        return [(cut_middle(_text(pieces), size, self._ellipsis), pieces[0][1])]

    def _front(self, row: SessionRow | None = None) -> str:
        if not self._marks:
            return ""
        mark = paint(_CHANGED, self._display.color)("*" if self._display.ascii else "●")
        return (mark if row and row.changed else " ") + _GAP

    def _card(
        self, row: SessionRow, values: Sequence[Sequence[Piece]], titles: Sequence[str], width: int
    ) -> list[str]:
        """A session on a terminal too narrow for columns: the first value, below it the others."""
        room = max(width - len(_GAP), 1)
        pieces: list[Piece] = []
        for column, title, value in zip(self._columns[1:], titles[1:], values[1:], strict=True):
            if _text(value):
                labelled = [(_label(column, title, self._display.ascii), PLAIN), *value]
                fits = cells(_text(labelled)) <= room
                pieces += [(NoWrap(text) if fits else text, ink) for text, ink in labelled if text]
                pieces.append((_GAP, PLAIN))
        below = fold(pieces[:-1], room, room) if pieces else []
        if words := self._last_message(row):
            below.append(self._message(words, room))
        head = f"{self._front(row).rstrip()} " if self._marks and row.changed else ""
        first = _text(values[0])
        if not self._columns[0].is_id:
            first = cut(first, max(width - cells(head), 1), self._ellipsis)
        head += (self._quiet if row.gone else self._strong)(first)
        return [head, *(f"{_GAP}{line}" for line in below)]

    def _times(self, row: SessionRow) -> Iterator[datetime]:
        shown = [column.value(row.listed) for column in self._columns if column.is_time]
        if self._has_message and row.listed.activity:
            shown.append(row.listed.activity.last_message_at)
        yield from (one for one in shown if isinstance(one, datetime))

    def _title(self, column: Column) -> str:
        has_offset = column.is_time and self._offset and not self._has_message
        return f"{column.title} ({self._offset})" if has_offset else column.title

    def _pieces(self, row: SessionRow, column: Column) -> Sequence[Piece]:
        """What a column shows of a session, cleaned; each person in their own colour."""
        color = self._display.color
        if column.role:
            people = [one for one in row.session.participants if one.role == column.role and one.nickname]
            if not people and column.role == Role.AGENT and row.session.state == State.INVITED:
                return [("no agent", self._strong)]
            return [*_separated(people, color)]
        if column is WAITING:
            return self._waiting(row)
        if column.name == "state":
            is_invitation = row.session.state == State.INVITED
            text = "gone" if row.gone and not row.session.ended else row.session.state or ""
            return [(clean(text), self._strong if is_invitation else PLAIN)]
        return [(clean(self._value(row, column)), self._strong if column.is_id else PLAIN)]

    def _waiting(self, row: SessionRow) -> Sequence[Piece]:
        seconds = WAITING.value(row.listed)
        if row.gone or not isinstance(seconds, int | float):
            return [("", PLAIN)]
        if row.overdue:
            return [(f"! {duration(seconds)}", paint(ALARM, self._display.color))]
        return [(duration(seconds), PLAIN)]

    def _value(self, row: SessionRow, column: Column) -> str:
        value = column.value(row.listed)
        if isinstance(value, datetime):
            return self._moment(local_time(value, self._zone))
        if isinstance(value, tuple):
            return ", ".join(value)
        return "" if value is None else shown(value)

    def _moment(self, local: datetime) -> str:
        """Date and time, with the offset where it is another one (summer time began or ended between); beside
        a last message the time alone, of another day than the newest with its date."""
        text = local.replace(tzinfo=None).isoformat(" ", "seconds")
        if self._has_message:
            text = text[11:] if local.date() == self._today else text[5:16]
        return text if offset_words(local) == self._offset else f"{text} {offset_words(local)}"

    def _last_message(self, row: SessionRow) -> str:
        """Empty where there is none, or no column for it."""
        activity = row.listed.activity if self._has_message else None
        last = activity.last_message if activity else None
        return message_line(last, self._zone) if last else ""


def message_line(message: Message, zone: tzinfo | None) -> str:
    """When, who and what, on one line."""
    at = f"{local_time(message.at, zone):%H:%M:%S}" if message.at else NO_TIME
    who = clean(message.sender.person[1] or "unknown") if message.sender else "system"
    return f"{at} {' '.join([f'{who}:', *remarks(message), clean(said(message))])}"


def _separated(people: Sequence[Participant], color: bool) -> Iterator[Piece]:
    for place, one in enumerate(people[:_MOST_NAMES]):
        if place:
            yield ", ", PLAIN
        yield clean(one.nickname or ""), paint(person_style(one), color)
    if len(people) > _MOST_NAMES:
        yield f" and {len(people) - _MOST_NAMES} more", PLAIN


def _text(pieces: Sequence[Piece]) -> str:
    return "".join(text for text, _ in pieces)


def _label(column: Column, title: str, ascii: bool) -> str:
    """What stands before a value on a card."""
    if column.role:
        return f"{shape(column.role, ascii)} "
    return "" if column.name == "state" else f"{title} "


def _narrow(widths: list[int], whole: Sequence[bool], room: int) -> bool:
    """Narrow the widest columns, except the `whole` ones, until the row fits; False if it can't."""
    free = [place for place, kept in enumerate(whole) if not kept]
    while sum(widths) > room:
        widest = max(free, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= _LEAST_CELLS:
            return False
        widths[widest] -= 1
    return True
