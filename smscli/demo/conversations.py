"""The live scene: scripted conversations laid out over time, the same at each start, and without end."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any

from smscli.demo.steps import Script, Step, Who
from smscli.demo.store import Cue, CueKind, Json
from smscli.demo.talks import TALKS, UNDER_WAY

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
# Seconds between previews of what is being typed.
_PREVIEW = 1.6
# Seconds between signs of typing without a preview.
_REFRESH = 5.0
# When the first new customer arrives, and how often one does from then on.
_FIRST_ARRIVAL = 14.0
_ARRIVALS = 22.0
# A conversation that has rested before the demo's start rests no longer than this when it is played again.
_LONGEST_REST = 12.0
_LISTED_AFTER_END = 15.0


def timeline(start: float) -> Iterator[Cue]:
    """Everything that happens, in order of time, before and after `start` (epoch seconds). It never ends."""
    waiting: list[Cue] = []
    serial = count()
    for play in _plays(start):
        while waiting and waiting[0].at < play.begin:
            yield heappop(waiting)
        for at, kind, body in play.cues:
            heappush(waiting, Cue(at, next(serial), kind, play.session_id, body))


def session_id(number: int) -> str:
    """The id of the demo's so-many-th session, in the 16 characters of the printed ones."""
    # The factor shares no divisor with 36, so no six digits repeat for two thousand million sessions.
    left, digits = (number + 1) * 1_640_531_527 % 36**6, ""
    while len(digits) < 6:
        left, digit = divmod(left, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return "0000Na9C00" + digits


def _plays(start: float) -> Iterator["_Play"]:
    """Every conversation, by the time at which it begins."""
    first = [_Play(number, start, under_way=True) for number in range(UNDER_WAY)]
    yield from sorted(first, key=lambda play: play.begin)
    for number in count(UNDER_WAY):
        yield _Play(number, start + _FIRST_ARRIVAL + _ARRIVALS * (number - UNDER_WAY), under_way=False)


class _Play:
    """One performance of a script: its `cues` (epoch second, kind, body), begun at `begin`.

    One that is under way stands between its opening and its live part at `time`; any other begins then.
    """

    def __init__(self, number: int, time: float, *, under_way: bool) -> None:
        script = TALKS[number % len(TALKS)]
        self.session_id = session_id(number)
        self.cues: list[tuple[float, CueKind, Json]] = []
        self._start = time if under_way else None
        tag = (number + 1) * 40_503 % 16**8
        self._people = {
            who: {"type": kind, "nickname": name, "participantId": f"0090{tag:08X}{place:04X}"}
            for place, (who, kind, name) in enumerate(_cast(number), start=0x3A)
        }
        self._present: list[Who] = ["customer"]
        self._values = {"customer": self._people["customer"]["nickname"], "ref": str(4471 + 37 * number)}
        self._user_data = {key: self._filled(value) for key, value in script.user_data.items()}
        # Until the agent accepts, nothing is in the log (SMSAccept: the history comes with the acceptance).
        self._held: list[Json] | None = []
        self.begin = self._at = time - script.behind() if under_way else time
        self._perform(script)

    def _perform(self, script: Script) -> None:
        opening = {"state": "Invited", "participants": self._participants(), "userData": self._user_data}
        self._cue("open", {**opening, "received": _ms(self._at)})
        self._message("ParticipantJoined", "customer")
        self._play_all(script.opening)
        if self._start is None:
            self._at += min(script.idle, _LONGEST_REST)
        else:
            self._at = self._start + script.live_at
        self._play_all(script.live)

    def _play_all(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self._at += step.after
            self._play(step)

    def _play(self, step: Step) -> None:
        match step.kind:
            case "say":
                self._type(step)
                self._message("Text", step.who, step.visibility, text=self._filled(step.text))
            case "falter":
                self._type(step)
                self._message("TypingStopped", step.who, step.visibility)
            case "url":
                self._message("PushUrl", step.who, url=self._filled(step.text))
            case "custom-notice":
                self._message("CustomNotice", step.who, step.visibility, noticeText=self._filled(step.text))
            case "notice":
                self._message("Notice", None, text=step.text)
            case "saved":
                self._message("TranscriptSaveDone", None, index=-1)
            case "comment":
                self._cue("update", {"comment": step.text})
            case "dispose":
                self._cue("update", {"userData": {**self._user_data, "DispositionCode": step.text}})
            case _:
                self._come_or_go(step)

    def _come_or_go(self, step: Step) -> None:
        match step.kind:
            case "accept":
                self._accept()
            case "join":
                self._present.insert(-1, step.who)
                self._cue("update", {"participants": self._participants()})
                self._message("ParticipantJoined", step.who)
            case "rejoin":
                self._present.append(step.who)
                self._cue("update", {"participants": self._participants()})
                self._message("ParticipantRejoined", step.who)
            case "leave":
                self._present.remove(step.who)
                self._cue("update", {"participants": self._participants()})
                self._message("ParticipantLeft", step.who)
            case "end":
                self._message("ParticipantLeft", "agent")
                self._cue("update", {"state": step.text})
                self._at += _LISTED_AFTER_END
                self._cue("gone", {})

    def _accept(self) -> None:
        self._present.insert(0, "agent")
        self._cue("update", {"state": "Chatting"})
        self._cue("update", {"participants": self._participants()})
        held, self._held = self._held or [], None
        for message in held:
            self._cue("message", message)
        self._message("ParticipantJoined", "agent")

    def _type(self, step: Step) -> None:
        """Typing messages up to the moment when the step's author sends or stops."""
        text, begin = self._filled(step.text), self._at
        customer = step.who == "customer"
        every = _PREVIEW if customer else _REFRESH
        for number in range(int(step.typing / every) + 1):
            self._at = begin + number * every
            written = int(len(text) * (number + 0.6) * every / step.typing)
            # Servers preview the typing of customers only.
            preview: Json = {"text": text[:written]} if customer else {}
            self._message("TypingStarted", step.who, step.visibility, **preview)
        self._at = begin + step.typing

    def _message(self, kind: str, who: Who | None, visibility: str = "All", **body: object) -> None:
        sender = {"from": self._people[who]} if who else {}
        message = {"type": kind, **sender, **body, "visibility": visibility}
        message["timestampSeconds"] = _ms(self._at)
        if self._held is not None:
            self._held.append(message)
        else:
            self._cue("message", message)

    def _cue(self, kind: CueKind, body: Json) -> None:
        self.cues.append((self._at, kind, body))

    def _participants(self) -> list[Json]:
        return [self._people[who] for who in self._present]

    def _filled(self, value: Any) -> Any:
        """Script text with this play's names and numbers in it; what is no text stays."""
        return value.format_map(self._values) if isinstance(value, str) else value


def _cast(number: int) -> tuple[tuple[Who, str, str], ...]:
    customer = _CUSTOMERS[number % len(_CUSTOMERS)]
    return (
        ("customer", "Customer", customer),
        ("agent", "Agent", _AGENT),
        ("colleague", "Agent", _COLLEAGUE),
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
