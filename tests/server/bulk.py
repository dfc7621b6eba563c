"""Sessions of any size: messages are computed from their place in the log, so a million need no memory."""

import json
from collections.abc import Iterator
from itertools import count

from smscli.demo.store import Json, TimedEvent, iso_time
from tests.server.options import Options
from tests.server.store import FakeStore

_NAMES = ("Mika", "Noor", "Toni", "Yuki", "Alex", "Ines", "Sami", "Rowan")
_MESSAGES: tuple[tuple[str, str, Json], ...] = (
    ("Customer", "Text", {"text": "Hi, the parcel you sent on Monday is still not here."}),
    ("Agent", "TypingStarted", {}),
    ("Agent", "Text", {"text": "Good morning, thanks for writing. Could you send me the order number?"}),
    ("Customer", "TypingStarted", {"text": "It is 55"}),
    ("Customer", "Text", {"text": "It is 5512-0447"}),
    ("Agent", "Text", {"text": "Found it. It left our depot at 6:40 and is on its way to you."}),
    ("Customer", "Text", {"text": "Great, can I move the delivery to my neighbour's?"}),
    ("Agent", "PushUrl", {"url": "https://parcels.example/change/5512-0447"}),
    ("Customer", "TypingStarted", {"text": "Perfect, that"}),
    ("Customer", "TypingStopped", {}),
    ("Customer", "Text", {"text": "Perfect, that worked: caf\u00e9 next door, 4 p.m. \U0001f44d"}),
    ("Agent", "CustomNotice", {"noticeText": "delivery changed"}),
    ("Agent", "Text", {"text": "Noted. Is there anything else I can do for you today?"}),
    ("Customer", "Text", {"text": 'No, "all good" \\o/ thanks a lot!'}),
    ("Agent", "Text", {"text": "You are welcome, have a good day."}),
    ("Customer", "Text", {"text": "Same to you."}),
)

EVERYBODY = "*"
"""In place of an owner: each user but `sample` sees the session."""


class BulkHead:
    """A log of `length` messages, one a second, the last of them a second before `start` (epoch seconds)."""

    def __init__(
        self, people: dict[str, Json], length: int, start: float, first_index: int, gaps: int
    ) -> None:
        self._length = length
        self._first_second = int(start) - length
        self._first_index = first_index
        self._gaps = gaps
        self._joins = [_template(people[role], "ParticipantJoined", {}) for role in ("Customer", "Agent")]
        self._cycle = [_template(people[role], kind, body) for role, kind, body in _MESSAGES]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, position: int) -> Json:
        message: Json = json.loads(next(self.encoded(position, position + 1)))
        message["timestampSeconds"] = (self._first_second + position) * 1000
        return message

    def encoded(self, begin: int, end: int) -> Iterator[bytes]:
        """The JSON of the messages at these places, as it is written if no switch changes messages."""
        joins, cycle = self._joins, self._cycle
        for place, stamp in zip(range(begin, end), _stamps(self._first_second + begin), strict=False):
            template = joins[place] if place < 2 else cycle[(place - 2) % len(cycle)]
            yield template % (self.index(place), stamp)

    def index(self, position: int) -> int:
        """The index of the message at this place."""
        positive = position + self._first_index
        skipped = (positive - 1) // (self._gaps - 1) if self._gaps and positive else 0
        return positive + skipped

    def position(self, index: int) -> int:
        """The place of the first message numbered `index` or above."""
        if index <= 0:
            return 0
        below = index - 1
        kept = below - below // self._gaps if self._gaps else below
        return min(kept + 1 - self._first_index, self._length)

    def last_index(self) -> int:
        """The index of the last message."""
        return self.index(self._length - 1) if self._length else self._first_index - 1


def _template(sender: Json, kind: str, body: Json) -> bytes:
    """The message with placeholders for its index and its time."""
    fields = {"type": kind, "from": sender, **body, "visibility": "All"}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return b'{"index":%d,' + text[1:-1].replace(b"%", b"%%") + b',"timestamp":"%s"}'


def _stamps(second: int) -> Iterator[bytes]:
    """Times from this epoch second on, one per second; formatted once per minute, for speed."""
    while True:
        minute = iso_time(second * 1000)[:17].encode()
        for tail in _SECONDS[second % 60 :]:
            yield minute + tail
        second += 60 - second % 60


_SECONDS = tuple(b"%02d.000+0000" % second for second in range(60))


def bulk_ids(options: Options) -> list[str]:
    """The ids of the bulk scene's sessions."""
    return [f"0000Nb{number:010d}" for number in range(options.sessions)]


def add_bulk(store: FakeStore, options: Options, start: float) -> None:
    """Fill the store with the bulk scene's sessions."""
    for number, session_id in enumerate(bulk_ids(options)):
        agent = {"type": "Agent", "nickname": "Robin", "participantId": f"0090{number:08X}0000"}
        customer = {
            "type": "Customer",
            "nickname": _NAMES[number % len(_NAMES)],
            "participantId": f"0090{number:08X}0001",
        }
        head = BulkHead(
            {"Agent": agent, "Customer": customer}, options.messages, start, options.first_index, options.gaps
        )
        owner = options.owners[number % len(options.owners)] if options.owners else EVERYBODY
        store.add_session(
            session_id,
            participants=[agent, customer],
            owner=None if owner == EVERYBODY else owner,
            head=head,
        )


def arrivals(options: Options, start: float) -> Iterator[TimedEvent]:
    """The messages that arrive while the bulk scene runs, in one session after the other."""
    ids = bulk_ids(options)
    if not options.rate or not ids:
        return
    for number in count():
        at = start + (number + 1) / options.rate
        session = number % len(ids)
        role, place = ("Agent", 0) if number // len(ids) % 2 else ("Customer", 1)
        sender = {
            "type": role,
            "nickname": "Robin" if role == "Agent" else _NAMES[session % len(_NAMES)],
            "participantId": f"0090{session:08X}{place:04X}",
        }
        body = {
            "type": "Text",
            "from": sender,
            "text": f"message {number + 1} of this run",
            "timestampSeconds": int(at * 1000),
        }
        yield TimedEvent(at, number, "message", ids[session], body)
