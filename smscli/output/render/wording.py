"""Wording of transcript entries, for the terminal and for HTML."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from json import dumps
from typing import NamedTuple

from smscli.model import SAID_TYPES, VISIBLE_TO_ALL, Message, MessageType
from smscli.output.render.layout import Span, duration, local_time, offset_words
from smscli.sanitize import clean
from smscli.transcript.fold import Entry

NO_TIME = "--:--:--"
"""Shown for an entry without a time."""

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DONE = {
    MessageType.LEFT.value: "left",
    MessageType.TYPING_STOPPED.value: "stopped typing",
    MessageType.TRANSCRIPT_SAVE_DONE.value: "transcript saved",
}
_JOINED = {MessageType.JOINED.value: "joined", MessageType.REJOINED.value: "rejoined"}
_NOTICES = frozenset({MessageType.NOTICE.value, MessageType.CUSTOM_NOTICE.value})


class EventText(NamedTuple):
    """The text of an event: our words around the server's text `said`."""

    before: str
    said: str = ""
    after: str = ""
    notice: bool = False


def is_spoken(entry: Entry) -> bool:
    """Whether it is a message that was sent, rather than an event."""
    return entry.message.type in SAID_TYPES and not entry.draft


def said(message: Message) -> str:
    """The text of a message, from whichever field has it; attachment names are shown separately."""
    return message.text or message.url or message.notice or ""


def happened(entry: Entry) -> EventText:
    """The text of an entry that is not `is_spoken`."""
    message = entry.message
    if entry.draft:
        return _quoted(_draft(entry), entry.draft_text)
    if message.type in _DONE:
        return EventText(_DONE[message.type])
    if message.type in _JOINED:
        role = message.sender.type if message.sender else None
        return EventText(_JOINED[message.type] + (f" ({clean(role)})" if role else ""))
    words = said(message)
    if message.type == MessageType.TYPING_STARTED:
        return _quoted("typing", words)
    known = message.type in _NOTICES
    what, colon = ("notice", ": ") if known else (f"[{clean(message.type) or 'no type'}]", " ")
    return EventText(what + (colon if words else ""), words, notice=True)


def remarks(message: Message) -> Iterator[str]:
    """Remarks before the text: restricted visibility, and late arrival."""
    if message.visibility == "Agents":
        yield "[agents only]"
    elif message.visibility and message.visibility != VISIBLE_TO_ALL:
        yield f"[visibility {clean(message.visibility)}]"
    if message.late:
        yield "[late]"


def typed(entry: Entry) -> str:
    """The composing time; empty under one second."""
    composing = entry.composing or 0.0
    return f"(typed {duration(composing)})" if composing >= 1 and not entry.draft else ""


def parts(text: str, marks: Sequence[Span]) -> Iterator[tuple[str, bool]]:
    """Splits `text` into parts, each with whether it is marked; no mark splits a `\\r\\n`."""
    place = 0
    for begin, end in marks:
        begin, end = _beside_line_end(text, begin), _beside_line_end(text, min(end, len(text)))
        if begin < end:
            yield text[place:begin], False
            yield text[begin:end], True
            place = end
    yield text[place:], False


def lamp(connected: bool, ascii: bool) -> str:
    """The shape for whether the server answers."""
    return ("*" if connected else "o") if ascii else ("●" if connected else "○")


def counted(number: int, what: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"1 {what}" if number == 1 else f"{number} {what}s"


class DayHeading(NamedTuple):
    """`Fri 2013-12-27`, and `, times are UTC+01:00` where the offset is another one than before."""

    day: str
    offset: str


class DayClock:
    """Local times of day, with milliseconds if asked for; `zone` None is the machine's own."""

    def __init__(self, zone: tzinfo | None, *, milliseconds: bool = False) -> None:
        self._zone = zone
        self._unit = "milliseconds" if milliseconds else "seconds"
        self._date: date | None = None
        self._offset: timedelta | None = None

    def __call__(self, at: datetime) -> tuple[str, DayHeading | None]:
        """The time of day, and what to write above it where a new day or another offset from UTC begins."""
        local = local_time(at, self._zone)
        clock, day, offset = local.time().isoformat(self._unit), local.date(), local.utcoffset()
        if day == self._date and offset == self._offset:
            return clock, None
        changed = "" if offset == self._offset else f", times are {offset_words(local)}"
        self._date, self._offset = day, offset
        return clock, DayHeading(f"{_WEEKDAYS[day.weekday()]} {day.isoformat()}", changed)


def shown(value: object) -> str:
    """A JSON value as text for a person."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)


def _quoted(what: str, words: str | None) -> EventText:
    return EventText(f'{what}: "', words, '"') if words else EventText(what)


def _draft(entry: Entry) -> str:
    if entry.draft == "typing":
        return "is typing"
    if entry.draft == "cut":
        return "typing (the window ends here)"
    if entry.at_end:
        return "was typing, not sent"
    composing = entry.composing or 0.0
    return "gave up a draft" + (f" after {duration(composing)}" if composing >= 1 else "")


def _beside_line_end(text: str, place: int) -> int:
    """`place`, moved out of the middle of a `\\r\\n`."""
    within = text.startswith("\n", place) and text.endswith("\r", 0, place)
    return place - 1 if within else place
