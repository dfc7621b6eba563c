"""Tables and cards for people: one session, profiles, and pairs of a name and a value."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from io import StringIO

from smscli.model import VISIBLE_TO_ALL, Role, Session, role_of
from smscli.output.render.layout import (
    PLAIN,
    Display,
    NoWrap,
    cells,
    duration,
    fold,
    local_time,
    offset_words,
    paint,
    session_lines,
    shape,
)
from smscli.output.render.session_list import message_line
from smscli.output.render.wording import counted, shown
from smscli.sanitize import clean, clean_lines
from smscli.transcript.activity import ActivitySummary, PersonActivity
from smscli.transcript.redact import MASK

Pair = tuple[str, str]
"""A name and a value, not yet cleaned; a NoWrap value is never folded, since people copy it."""

# A narrower column would break most words.
_LEAST_CELLS = 10
_NOTHING = "-"
_LONGEST_FACT, _LONGEST_MESSAGE = 120, 180
_PEOPLE_TITLES = ("who", "id", "messages", "typed", "joined", "left")
_ON_THE_CARD = frozenset(
    ("id", "state", "uri", "participants", "capabilities", "userData", "receivedDate", "comment")
)


def session_card(
    session: Session,
    summary: ActivitySummary,
    display: Display,
    *,
    zone: tzinfo | None = None,
    timeline: Sequence[str] = (),
    findings: str = "",
    screen: int | None = None,
) -> str:
    """Everything known of one session; `timeline` are the lines of its picture, `findings` says how many the
    checks have, if any.

    A card that is longer than the `screen`, in lines, ends with what it began with, which has scrolled away.
    """
    times = TimeFormatter((session.received, summary.first_message_at, summary.last_message_at), zone)
    people = [_person(one, times, display) for one in summary.participants]
    first = _first_facts(session, summary, times)
    first += [("check", findings)] if findings else []
    facts = _card_heading(session, times, display) + _pairs(first, display)
    parts = [
        facts,
        _heading("participants", display),
        _table(_PEOPLE_TITLES, people, display, [1]) if people else "  none\n",
        _heading("activity", display),
        _pairs(_activity(summary, times), display),
    ]
    if timeline:
        parts += [_heading("timeline", display), *(f"{line}\n" for line in timeline)]
    parts += [
        _heading("user data", display),
        _user_data(session, display),
        _heading("capabilities", display),
        _paragraph(", ".join(session.capabilities) or "none", display),
        _heading("session", display),
        _pairs(_card(session, times), display),
    ]
    card = "".join(parts)
    # The prompt takes a line too.
    return card if screen is None or card.count("\n") < screen else card + facts


def profiles_table(profiles: Sequence[Sequence[str]], display: Display) -> str:
    """Name, URL and user of each profile, and what marks the default one."""
    return _table(("name", "url", "user", "default"), profiles, display, [0])


def pairs_table(pairs: Mapping[str, object], display: Display) -> str:
    """A name and a value on each line; `yes`, `no` and `-` for true, false and null."""
    return _pairs([(key, shown(value)) for key, value in pairs.items()], display)


class TimeFormatter:
    """Times as a person reads them; `offset` says once how far they are from UTC."""

    def __init__(self, times: Iterable[datetime | None], zone: tzinfo | None) -> None:
        self.zone = zone
        first = next((local_time(at, zone) for at in times if at), None)
        self._day = first.date() if first else None
        self.offset = offset_words(first) if first else ""

    def words(self, at: datetime | None) -> str:
        """Date and time, with the offset where it is another one (summer time began or ended between)."""
        if at is None:
            return ""
        local = local_time(at, self.zone)
        text = local.replace(tzinfo=None).isoformat(" ", "seconds")
        return text if offset_words(local) == self.offset else f"{text} {offset_words(local)}"

    def short(self, at: datetime | None) -> str:
        """The time of day on the day of the first time, else date and time."""
        words = self.words(at)
        return words.removeprefix(f"{self._day} ") if self._day else words


def _card_heading(session: Session, times: TimeFormatter, display: Display) -> str:
    """Which session, and how far its times are from UTC: on one line where there is room."""
    words = session_lines(clean(session.id), display.width)
    words += [f"times are {times.offset}"] if times.offset else []
    together = ", ".join(words)
    lines = [together] if cells(together) <= display.width else words
    return "".join(_heading(line, display) for line in lines)


def _first_facts(session: Session, summary: ActivitySummary, times: TimeFormatter) -> list[Pair]:
    """What a reader looks for first: state, people, who waits, and the last message."""
    last = message_line(summary.last_message, times.zone) if summary.last_message else ""
    # Shortened, so that all of them stand within the first lines of a screen.
    return [
        ("state", session.state or _NOTHING),
        ("customer", _shortened(", ".join(session.nicknames(Role.CUSTOMER)))),
        ("agents", _shortened(", ".join(session.nicknames(Role.AGENT)))),
        ("waiting", _waiting(summary, times)),
        ("last message", _shortened(last, _LONGEST_MESSAGE)),
        ("typing", _shortened(", ".join(summary.typing))),
    ]


def _shortened(text: str, most: int = _LONGEST_FACT) -> str:
    return (text if len(text) <= most else f"{text[:most]}...") or _NOTHING


def _user_data(session: Session, display: Display) -> str:
    """The user data; masked values are counted."""
    values = session.user_data
    if values and all(value == MASK for value in values.values()):
        return _paragraph(f"{counted(len(values), 'value')} masked", display)
    return _pairs([(key, shown(value)) for key, value in values.items()], display) or "  none\n"


def _card(session: Session, times: TimeFormatter) -> list[Pair]:
    """The session's other fields, those too that we don't know."""
    received = times.words(session.received) or shown(session.sent.get("receivedDate"))
    known = [
        ("received", received),
        ("comment", session.comment or _NOTHING),
        ("uri", session.uri or _NOTHING),
    ]
    return known + [(key, shown(value)) for key, value in session.sent.items() if key not in _ON_THE_CARD]


def _person(one: PersonActivity, times: TimeFormatter, display: Display) -> Sequence[str]:
    """A row of the participants; shapes tell customers from agents, others have their type in words."""
    remarks = [one.type] if one.type and role_of(one.type) is None else []
    remarks += [one.visibility] if one.visibility and one.visibility != VISIBLE_TO_ALL else []
    remark = f" ({', '.join(remarks)})" if remarks else ""
    composing = one.composing_seconds
    return (
        f"{shape(one.type, display.ascii)} {one.nickname or _NOTHING}{remark}",
        one.participant_id or _NOTHING,
        str(one.messages),
        duration(composing) if composing and composing >= 1 else _NOTHING,
        times.short(one.joined_at) or _NOTHING,
        times.short(one.left_at) or _NOTHING,
    )


def _activity(summary: ActivitySummary, times: TimeFormatter) -> list[Pair]:
    response = summary.first_response_seconds
    return [
        ("messages", str(summary.messages)),
        ("first message", times.words(summary.first_message_at) or _NOTHING),
        ("last message", times.words(summary.last_message_at) or _NOTHING),
        ("first response", _NOTHING if response is None else duration(response)),
    ]


def _waiting(summary: ActivitySummary, times: TimeFormatter) -> str:
    if summary.wait is None:
        return _NOTHING
    since = f"{'no agent ' if summary.wait.no_agent else ''}since {times.words(summary.wait.since)}"
    waited = summary.waiting_seconds
    return since if waited is None else f"{duration(waited)}, {since}"


def _heading(text: str, display: Display) -> str:
    return paint("bold", display.color)(clean(text)) + "\n"


def _paragraph(text: str, display: Display) -> str:
    room = display.width - 2
    return "".join(f"  {line}\n" for line in fold([(clean(text), PLAIN)], room, room))


def _pairs(pairs: Sequence[Pair], display: Display) -> str:
    """Names in a column, values beside it; a name too long for the column has a line to itself."""
    names = [clean(name) for name, _ in pairs]
    most = min(display.width * 2 // 5, display.width - 4 - _LEAST_CELLS)
    column = max((size for size in map(cells, names) if size <= most), default=max(display.width // 4, 0))
    quiet, room = paint("dim", display.color), max(display.width - column - 4, _LEAST_CELLS)
    text = ""
    for name, (_, value) in zip(names, pairs, strict=True):
        lines = [clean(value)] if isinstance(value, NoWrap) else _folded(value, room)
        wide = cells(lines[0]) > room
        beside = cells(name) <= column and not wide
        first = " " * (column - cells(name) + 2) + lines.pop(0) if beside else ""
        title = "\n  ".join(fold([(name, quiet)], display.width - 2, display.width - 2))
        text += f"  {title}{first}\n"
        text += "".join(f"{' ' * (4 if wide else column + 4)}{line}\n" for line in lines)
    return text


def _folded(value: str, room: int) -> list[str]:
    return [line for one in clean_lines(value) for line in fold([(one, PLAIN)], room, room)]


def _table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], display: Display, whole: Sequence[int]
) -> str:
    """A table, or a stack of small cards where there is no room for one.

    The columns in `whole` hold what people copy, and are never folded.
    """
    rows = [[clean(value) for value in row] for row in rows]
    longest = [max(map(cells, (title, *column))) for title, *column in zip(titles, *rows, strict=True)]
    least = [size if place in whole else min(size, _LEAST_CELLS) for place, size in enumerate(longest)]
    if sum(least) + 3 * len(titles) + 1 > display.width:
        return _stack(titles, rows, display, whole)
    return _grid(titles, rows, display, whole, least)


def _grid(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    display: Display,
    whole: Sequence[int],
    least: Sequence[int],
) -> str:
    """A table drawn by rich, each column at least so wide."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ASCII if display.ascii else box.ROUNDED, header_style="bold", border_style="dim")
    for place, title in enumerate(titles):
        table.add_column(title, min_width=least[place], no_wrap=place in whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(value) for value in row))
    out = StringIO()
    # Set every option: rich takes the others from the environment.
    console = Console(
        file=out,
        width=display.width,
        height=25,
        no_color=False,
        color_system="256" if display.color else None,
        force_terminal=display.color,
        legacy_windows=False,
    )
    console.print(table)
    return out.getvalue()


def _stack(
    titles: Sequence[str], rows: Sequence[Sequence[str]], display: Display, whole: Sequence[int]
) -> str:
    """Each row as its first value and, below, the others that have one."""
    text = ""
    for row in rows:
        values = [NoWrap(value) if place in whole else value for place, value in enumerate(row)]
        named = [(title, value) for title, value in zip(titles[1:], values[1:], strict=True) if value]
        text += _heading(row[0] or _NOTHING, display) + _pairs(named, display)
    return text
