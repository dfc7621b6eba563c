"""Renders the live list: sessions with waiting time, typing and last message, in a given size."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from smscli.output.columns import Column
from smscli.output.render.colors import ALARM
from smscli.output.render.layout import Display, cut, fold, local_time, offset_words, paint
from smscli.output.render.session_list import SessionLines, SessionRow
from smscli.output.render.wording import counted, lamp
from smscli.sanitize import clean

_MOST_BELOW = 3


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
        self._lines = SessionLines(display, columns, zone, marks=True)
        self._zone = zone
        self._ellipsis = ".." if display.ascii else "…"

    def below(self, said: Sequence[str], lines: int) -> list[str]:
        """The last notices, on at most a quarter of the screen's lines."""
        most = min(_MOST_BELOW, lines // 4)
        width = max(self._display.width - 1, 1)
        return [cut(one, width, self._ellipsis) for one in said[len(said) - most :] if most]

    def __call__(
        self, status: FollowStatus, rows: Sequence[SessionRow], lines: int, empty: str = ""
    ) -> list[str]:
        """The screen in this many lines, with a count of the sessions that have no room: none of those waits
        for too long while another one is shown. `empty` says why there are none.
        """
        width = max(self._display.width - 1, 1)
        nothing = fold([(clean(empty), paint("dim", self._display.color))], width, width)
        head, *blocks = self._lines.draw(rows, width) if rows else [nothing]
        picture = [self._heading(status, len(rows), width), *head]
        room = lines - len(picture)
        if sum(map(len, blocks)) <= room:
            return [*picture, *(line for block in blocks for line in block)][:lines]
        shown = _chosen(rows, [len(block) for block in blocks], room - 1)
        picture += [line for place in sorted(shown) for line in blocks[place]]
        hidden = [row for place, row in enumerate(rows) if place not in shown]
        return [*picture, self._more(hidden, width)][:lines]

    def _more(self, hidden: Sequence[SessionRow], width: int) -> str:
        """How many sessions have no room, and how many wait there for too long."""
        overdue = sum(row.overdue for row in hidden)
        told = f", {overdue} waiting for too long" if overdue else ""
        ink = paint(ALARM if overdue else "dim", self._display.color)
        return ink(cut(f"{self._ellipsis} and {len(hidden)} more{told}", width, self._ellipsis))

    def _heading(self, status: FollowStatus, rows: int, width: int) -> str:
        """Connection status, server time, and whose sessions these are."""
        local = local_time(status.at, self._zone) if status.at else None
        clock = [f"{local:%H:%M:%S} {offset_words(local)}"] if local else []
        words = [status.status, *clock, f"{counted(rows, 'SMS session')} {self._whose}"]
        between = " - " if self._display.ascii else " · "
        text = f"{lamp(status.connected, self._display.ascii)} {between.join(map(clean, words))}"
        return paint("bold", self._display.color)(cut(text, width, self._ellipsis))


def _chosen(rows: Sequence[SessionRow], sizes: Sequence[int], room: int) -> set[int]:
    """The places of the rows that fit into so many lines: overdue ones first, then the others in order."""
    shown: set[int] = set()
    for place in sorted(range(len(rows)), key=lambda place: not rows[place].overdue):
        if sizes[place] > room:
            break
        shown.add(place)
        room -= sizes[place]
    return shown
