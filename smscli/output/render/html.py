"""Renders a conversation as one self-contained HTML page for a ticket, without scripts.

The page is handed out piece by piece, so that a log of any length takes constant memory. What a stranger
wrote stands between tags only, never in one; there is no script, no link and nothing to load.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import groupby

from smscli.model import VISIBLE_TO_ALL, Message, MessageType, Participant, Role, Session
from smscli.output.findings import finding_place, finding_text
from smscli.output.render.colors import person_number
from smscli.output.render.layout import Span, duration, local_time, offset_words, shape
from smscli.output.render.timeline import Drawing, Side, Timeline
from smscli.output.render.wording import (
    NO_TIME,
    DayClock,
    counted,
    happened,
    is_spoken,
    parts,
    remarks,
    said,
    shown,
    typed,
)
from smscli.sanitize import clean, clean_lines
from smscli.transcript.findings import Finding, SessionFindings
from smscli.transcript.fold import Entry

Pair = tuple[str, str]
"""A name and a value, as strangers may have written them."""

_SIDES = {Role.CUSTOMER: "customer", Role.AGENT: "agent"}
# The number of colours of each side.
_HUES = 4
# More user data than this is folded away.
_OPEN = 12
# The timeline's columns, and the height of a side of it, in its own units.
_COLUMNS = 240
_ROW = 20


def _policy(style: str) -> str:
    """What a browser may do with the page: apply its one style sheet, known by its hash, and nothing else."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


class HtmlPage:
    """One page: `begin`, then each entry in its order, then `end`.

    `facts` stand at the head beside what `session` tells of itself; `zone` None is the machine's own;
    `many` says above entries which session they belong to; `timeline` draws one below them.
    """

    def __init__(
        self,
        title: str,
        *,
        session: Session | None = None,
        facts: Sequence[Pair] = (),
        zone: tzinfo | None = None,
        many: bool = False,
        timeline: bool = True,
    ) -> None:
        self._title = title
        self._known = session
        self._facts = facts
        self._zone = zone
        self._many = many
        self._timeline = Timeline(session) if timeline else None
        self._is_empty = True
        self._clock = DayClock(zone)
        self._session: str | None = None
        self._speaker: Participant | None = None

    def begin(self, findings: Sequence[SessionFindings] = ()) -> str:
        """Everything above the conversation, with what the checks found in it."""
        title = _text(self._title)
        style = files("smscli.output.render").joinpath("page.css").read_text(encoding="utf-8")
        return (
            "<!DOCTYPE html>\n"
            '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">\n'
            '<meta name="referrer" content="no-referrer">\n'
            '<meta name="robots" content="noindex">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
            f"<header>\n<h1>{title}</h1>\n{self._card()}</header>\n{''.join(self._found(findings))}"
            '<section class="log">\n'
        )

    def entry(self, entry: Entry, marks: Sequence[Span] = ()) -> str:
        """One entry, below its day or its session where that changed; `marks` are spans of its text."""
        message = entry.message
        self._is_empty = False
        if self._timeline:
            self._timeline.judge(message)
            self._timeline.add(entry)
        clock, above = self._time(message.at)
        if self._many and message.session_id != self._session:
            self._session, self._speaker = message.session_id, None
            above += f'<div class="session"><b>session {_text(message.session_id)}</b></div>\n'
        if is_spoken(entry):
            return above + self._bubble(entry, clock, _spoken(entry, marks))
        if entry.draft:
            return above + self._bubble(entry, clock, _told(entry, marks))
        return above + self._event(entry, clock, marks)

    def gap(self) -> str:
        """The mark for entries that were left out."""
        self._speaker = None
        return '<div class="gap">⋯</div>\n'

    def end(self, *, now: datetime | None = None, warning: str | None = None) -> str:
        """The timeline, up to the server's clock `now` while the session lives, and the end of the page.

        `warning` says in one line why this is not all.
        """
        told = f'<p class="remark">{_text(warning)}</p>\n' if warning else ""
        drawing = self._timeline.draw(_COLUMNS, now) if self._timeline else None
        drawn = "".join(self._drawn(drawing)) if drawing else ""
        nothing = "<p>nothing to show</p>\n" if self._is_empty else ""
        below = f"{told}{nothing}{drawn}"
        footer = f"<footer>\n{below}</footer>\n" if below else ""
        return f"</section>\n{footer}</main>\n</body>\n</html>\n"

    def _card(self) -> str:
        session = self._known
        if session is None:
            return _list(self._facts)
        received = self._moment(session.received) if session.received else ""
        known = [
            ("state", session.state or ""),
            *(
                (shape(role, False) + f" {name}", ", ".join(session.nicknames(role)))
                for role, name in _SIDES.items()
            ),
            ("received", received),
            ("comment", session.comment or ""),
        ]
        pairs = [(key, shown(value)) for key, value in session.user_data.items()]
        opened = " open" if len(pairs) <= _OPEN else ""
        folded = f"<details{opened}><summary>user data ({len(pairs)})</summary>{_list(pairs)}</details>\n"
        return _list([*(pair for pair in known if pair[1]), *self._facts]) + (folded if pairs else "")

    def _found(self, findings: Sequence[SessionFindings]) -> Iterator[str]:
        """A section with the findings that are not `ok`, and the number of checks that are."""
        if findings:
            yield '<section class="findings">\n<h2>findings</h2>\n'
        for checked in findings:
            if self._many:
                yield f'<p class="session"><b>session {_text(checked.session.id)}</b></p>\n'
            yield from map(self._finding, checked.problems)
            yield f"<p>{counted(checked.checks_ok, 'check')} ok</p>\n" if checked.checks_ok else ""
        if findings:
            yield "</section>\n"

    def _finding(self, one: Finding) -> str:
        told, where = _text(finding_text(one, self._moment)), finding_place(one, self._moment)
        return (
            f'<p class="{one.result}"><b>{one.result}</b> {one.check}: {told}{where}</p>\n'
            f'<p class="hint">hint: {_text(one.hint or "")}</p>\n'
        )

    def _moment(self, at: datetime) -> str:
        local = local_time(at, self._zone)
        return f"{local.replace(tzinfo=None).isoformat(' ', 'seconds')} {offset_words(local)}"

    def _time(self, at: datetime | None) -> tuple[str, str]:
        """The time of day, and the line above it where a new day or another offset from UTC begins."""
        if at is None:
            return f"<time>{NO_TIME}</time>", ""
        clock, heading = self._clock(at)
        stamp = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        time = f'<time datetime="{stamp}Z">{clock}</time>'
        if heading is None:
            return time, ""
        self._speaker = None
        return time, f'<div class="day"><b>{heading.day}</b>{heading.offset}</div>\n'

    def _bubble(self, entry: Entry, clock: str, body: str) -> str:
        """What somebody said, or never sent, on its author's side; the name once while nobody else speaks."""
        message = entry.message
        side = _side(message.sender.role if message.sender else None)
        more = message.sender is not None and message.sender == self._speaker
        self._speaker = message.sender
        kind = ["say", side, "more" if more else "", "unsent" if entry.draft else ""]
        if message.visibility and message.visibility != VISIBLE_TO_ALL:
            kind.append("hidden")
        notes = [f'<span class="remark">{_text(remark)}</span>' for remark in remarks(message)]
        head = " ".join([*([] if more else [self._name(message.sender)]), clock, *notes, _text(typed(entry))])
        shown_as = " ".join(filter(None, kind))
        return f'<div class="{shown_as}"><p class="head">{head.rstrip()}</p>{body}</div>\n'

    def _event(self, entry: Entry, clock: str, marks: Sequence[Span]) -> str:
        """What happened, in the middle and without a bubble, so that no message can pass for it."""
        self._speaker = None
        notes = "".join(f'<span class="remark">{_text(remark)}</span> ' for remark in remarks(entry.message))
        name = self._name(entry.message.sender) + " " if entry.message.sender else ""
        return f'<div class="did">{clock} {name}{notes}{_told(entry, marks)}</div>\n'

    def _name(self, sender: Participant | None) -> str:
        """Shape and nickname of a person, whose colour stays the same on the whole page."""
        if sender is None:
            return '<b class="o0">system</b>'
        name = _text(sender.person[1] or "unknown")
        number = person_number(sender, _HUES)
        return f'<b class="{_side(sender.role)[0]}{number}">{shape(sender.type, False)} {name}</b>'

    def _drawn(self, drawing: Drawing) -> Iterator[str]:
        """The timeline: a lane for each side, its times, and what the shapes mean."""
        yield "<h2>timeline</h2>\n"
        most = max(max(side.said) for side in drawing.sides)
        for side in drawing.sides:
            name = f"{shape(side.role, False)} {_side(side.role)}"
            lane = "".join(_lane(side, max(most, 1)))
            hue = _side(side.role)[0]
            box = f'viewBox="0 0 {_COLUMNS} {_ROW}" preserveAspectRatio="none" aria-hidden="true"'
            yield f'<div class="lane {hue}0"><span>{name}</span><svg {box}>{lane}</svg></div>\n'
        lasted = duration((drawing.end - drawing.begin).total_seconds())
        times = (self._moment(drawing.begin), lasted, self._moment(drawing.end))
        yield f'<p class="ends">{"".join(f"<span>{time}</span>" for time in times)}</p>\n'
        keys = (("bar", "said"), ("typed", "typed"), ("wait", "the customer waits"))
        box = '<svg viewBox="0 0 1 1" aria-hidden="true">'
        signs = (f'{box}<rect class="{kind}" width="1" height="1"/></svg>{words}' for kind, words in keys)
        yield f'<p class="key">{" ".join(signs)}</p>\n'


def _side(role: Role | None) -> str:
    return _SIDES[role] if role else "other"


def _text(text: str) -> str:
    """A stranger's text on one line, as it may stand between tags."""
    return escape(clean(text), quote=False)


def _list(pairs: Sequence[Pair]) -> str:
    items = (f"<dt>{_text(name)}</dt><dd>{_lines(value)}</dd>\n" for name, value in pairs)
    return f"<dl>\n{''.join(items)}</dl>\n"


def _lines(text: str) -> str:
    """A stranger's text in its own lines."""
    return "\n".join(escape(line, quote=False) for line in clean_lines(text))


def _marked(text: str, marks: Sequence[Span]) -> str:
    """`text` in its own lines, the marked parts marked."""
    found = ((_lines(part), marked) for part, marked in parts(text, marks))
    return "".join(f"<mark>{part}</mark>" if marked else part for part, marked in found)


def _spoken(entry: Entry, marks: Sequence[Span]) -> str:
    """A message's own words, its link above them."""
    message = entry.message
    words, link = said(message), ""
    if message.type == MessageType.PUSH_URL and message.url:
        # The words beside a link, where there are any, are what is marked. It can't be clicked: browsers look
        # up the names in links in advance, which would tell a stranger that somebody reads this page.
        words, url = message.text or "", _marked(message.url, () if message.text else marks)
        link = _paragraph(f'link: <span class="url">{url}</span>')
    body = link + _paragraph(_marked(words.rstrip("\r\n"), marks))
    return body + _paragraph(_file(message, () if said(message) else marks)) or _paragraph("(no text)")


def _told(entry: Entry, marks: Sequence[Span]) -> str:
    """The text of an event."""
    what = happened(entry)
    words = f'<bdi class="text">{_marked(what.said, marks)}</bdi>' if what.said else ""
    file = _file(entry.message, () if what.said else marks)
    return f"{_text(what.before)}{words}{_text(what.after)}{' ' + file if file else ''}"


def _file(message: Message, marks: Sequence[Span]) -> str:
    name = message.attachment.get("name") if message.attachment else None
    return f'<span class="file">[file {_marked(name, marks)}]</span>' if isinstance(name, str) else ""


def _paragraph(inner: str) -> str:
    return f'<p class="text" dir="auto">{inner}</p>' if inner else ""


def _lane(side: Side, most: int) -> Iterator[str]:
    """One side's shapes: who waits at the foot, typing above it, and a bar as high as much was said."""
    for kind, flags, y, height in (("wait", side.waited, _ROW - 4, 4), ("typed", side.typed, _ROW - 9, 9)):
        for begin, length in _runs(flags):
            yield f'<rect class="{kind}" x="{begin}" y="{y}" width="{length}" height="{height}"/>'
    for place, number in enumerate(side.said):
        if number:
            height = 8 + (_ROW - 8) * number // most
            yield f'<rect class="bar" x="{place}" y="{_ROW - height}" width="1" height="{height}"/>'


def _runs(flags: Sequence[bool]) -> Iterator[Span]:
    """The runs of true flags: the first column of each, and its number of columns."""
    place = 0
    for holds, run in groupby(flags):
        length = len([*run])
        if holds:
            yield place, length
        place += length
