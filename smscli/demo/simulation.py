"""Plays the scripted conversations over time: the same events at each start, without end."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any

from smscli.demo.conversations import CONVERSATIONS, IN_PROGRESS
from smscli.demo.script import Role, Script, Step
from smscli.demo.store import EventKind, Json, TimedEvent

_CUSTOMERS = (
    "Mika",
    "Noor",
    "Toni",
    "Yuki",
    "Ines",
    "Sami",
    "Rowan",
    "Lou",
    "Juno",
    "Ana",
    "Bo",
    "Kai",
    "Fen",
)
_AGENT = "Robin"
_COLLEAGUE = "Sasha"
# Seconds between previews of a draft.
_PREVIEW = 1.6
# Seconds between typing messages without a preview.
_REFRESH = 5.0
# Seconds until the first new customer arrives, and between later ones.
_FIRST_ARRIVAL = 14.0
_ARRIVALS = 22.0
# Upper bound, in seconds, for how long a script that runs again was idle before the demo's start.
_LONGEST_IDLE = 12.0
_LISTED_AFTER_END = 15.0


def events(start: float) -> Iterator[TimedEvent]:
    """Yields every event before and after `start` (epoch seconds) in order of time, without end."""
    waiting: list[TimedEvent] = []
    serial = count()
    for run in _runs(start):
        while waiting and waiting[0].at < run.begin:
            yield heappop(waiting)
        for at, kind, body in run.events:
            heappush(waiting, TimedEvent(at, next(serial), kind, run.session_id, body))


def session_id(number: int) -> str:
    """The id of the session with this number, in the form of the documented ones (16 characters)."""
    # The factor shares no divisor with 36, so no six digits repeat for two thousand million sessions.
    left, digits = (number + 1) * 1_640_531_527 % 36**6, ""
    while len(digits) < 6:
        left, digit = divmod(left, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return "0000Na9C00" + digits


def _runs(start: float) -> Iterator["_ScriptRun"]:
    """Every conversation, ordered by its beginning."""
    first = [_ScriptRun(number, start, in_progress=True) for number in range(IN_PROGRESS)]
    yield from sorted(first, key=lambda run: run.begin)
    for number in count(IN_PROGRESS):
        arrival = start + _FIRST_ARRIVAL + _ARRIVALS * (number - IN_PROGRESS)
        yield _ScriptRun(number, arrival, in_progress=False)


class _ScriptRun:
    """One run of a script: its `events` are (epoch second, kind, body), the first at `begin`.

    One that is in progress is between its opening and its live part at `time`; any other begins then.
    """

    def __init__(self, number: int, time: float, *, in_progress: bool) -> None:
        script = CONVERSATIONS[number % len(CONVERSATIONS)]
        self.session_id = session_id(number)
        self.events: list[tuple[float, EventKind, Json]] = []
        self._start = time if in_progress else None
        tag = (number + 1) * 40_503 % 16**8
        self._people = {
            role: {"type": kind, "nickname": name, "participantId": f"0090{tag:08X}{place:04X}"}
            for place, (role, kind, name) in enumerate(_cast(number), start=0x3A)
        }
        self._present: list[Role] = ["customer"]
        self._values = {"customer": self._people["customer"]["nickname"], "ref": str(4471 + 37 * number)}
        self._user_data = {key: self._filled(value) for key, value in script.user_data.items()}
        # Until the agent accepts, nothing is in the log (SMSAccept: the history comes with the acceptance).
        self._unlogged: list[Json] | None = []
        self.begin = self._at = time - script.age() if in_progress else time
        self._run_script(script)

    def _run_script(self, script: Script) -> None:
        opening = {"state": "Invited", "participants": self._participants(), "userData": self._user_data}
        self._event("open", {**opening, "received": _ms(self._at)})
        self._message("ParticipantJoined", "customer")
        self._run_steps(script.opening)
        if self._start is None:
            self._at += min(script.idle, _LONGEST_IDLE)
        else:
            self._at = self._start + script.live_at
        self._run_steps(script.live)

    def _run_steps(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self._at += step.after
            self._run(step)

    def _run(self, step: Step) -> None:
        match step.kind:
            case "send":
                self._type(step)
                self._message("Text", step.role, step.visibility, text=self._filled(step.text))
            case "draft":
                self._type(step)
                self._message("TypingStopped", step.role, step.visibility)
            case "push-url":
                self._message("PushUrl", step.role, url=self._filled(step.text))
            case "custom-notice":
                self._message("CustomNotice", step.role, step.visibility, noticeText=self._filled(step.text))
            case "notice":
                self._message("Notice", None, text=step.text)
            case "transcript-saved":
                self._message("TranscriptSaveDone", None, index=-1)
            case "comment":
                self._event("update", {"comment": step.text})
            case "disposition":
                self._event("update", {"userData": {**self._user_data, "DispositionCode": step.text}})
            case _:
                self._change_participants(step)

    def _change_participants(self, step: Step) -> None:
        match step.kind:
            case "accept":
                self._accept()
            case "join":
                self._present.insert(-1, step.role)
                self._event("update", {"participants": self._participants()})
                self._message("ParticipantJoined", step.role)
            case "rejoin":
                self._present.append(step.role)
                self._event("update", {"participants": self._participants()})
                self._message("ParticipantRejoined", step.role)
            case "leave":
                self._present.remove(step.role)
                self._event("update", {"participants": self._participants()})
                self._message("ParticipantLeft", step.role)
            case "end":
                self._message("ParticipantLeft", "agent")
                self._event("update", {"state": step.text})
                self._at += _LISTED_AFTER_END
                self._event("remove", {})

    def _accept(self) -> None:
        self._present.insert(0, "agent")
        self._event("update", {"state": "Chatting"})
        self._event("update", {"participants": self._participants()})
        unlogged, self._unlogged = self._unlogged or [], None
        for message in unlogged:
            self._event("message", message)
        self._message("ParticipantJoined", "agent")

    def _type(self, step: Step) -> None:
        """The typing messages until the step's author sends or stops."""
        text, begin = self._filled(step.text), self._at
        customer = step.role == "customer"
        every = _PREVIEW if customer else _REFRESH
        for number in range(int(step.typing / every) + 1):
            self._at = begin + number * every
            written = int(len(text) * (number + 0.6) * every / step.typing)
            # Servers preview the typing of customers only.
            preview: Json = {"text": text[:written]} if customer else {}
            self._message("TypingStarted", step.role, step.visibility, **preview)
        self._at = begin + step.typing

    def _message(self, kind: str, role: Role | None, visibility: str = "All", **body: object) -> None:
        sender = {"from": self._people[role]} if role else {}
        message = {"type": kind, **sender, **body, "visibility": visibility}
        message["timestampSeconds"] = _ms(self._at)
        if self._unlogged is not None:
            self._unlogged.append(message)
        else:
            self._event("message", message)

    def _event(self, kind: EventKind, body: Json) -> None:
        self.events.append((self._at, kind, body))

    def _participants(self) -> list[Json]:
        return [self._people[role] for role in self._present]

    def _filled(self, value: Any) -> Any:
        """Script text with the names and numbers of this run; any other value is returned as it is."""
        return value.format_map(self._values) if isinstance(value, str) else value


def _cast(number: int) -> tuple[tuple[Role, str, str], ...]:
    customer = _CUSTOMERS[number % len(_CUSTOMERS)]
    return (
        ("customer", "Customer", customer),
        ("agent", "Agent", _AGENT),
        ("colleague", "Agent", _COLLEAGUE),
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
