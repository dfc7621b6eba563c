"""Generated conversations for `check`: healthy ones, and the same with one planted fault.

They are written from the contract's rules, without the code that judges them. Each is as a recording has it:
lines of one session, which has a server of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Json = dict[str, Any]
Problem = tuple[str, str, int | None]
"""Check, result and index."""

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
_HIDDEN = "Agents"
_SHORT = ("ok", "yes", "no", "thanks", "ok", "👍", "??", "7")
_ODD = (
    "what???? again",
    "I live in SÃO PAULO",
    "« Â » is a letter, Âge too",
    "naïve façade, coöperate",
    "هل وصل الطرد؟",
    "北京 is far",
    "👩‍🚒 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿 flags",
    "see http://192.168.0.1/setup on my router",
    "it’s “fine” – really…",
    "a???b or 1????2",
)
_LONG = (
    "Please restart the router, wait until the light is green, and tell me the number on its label. " * 2,
    "We can deliver tomorrow between 8 and 12 or on Friday between 14 and 18, which suits you better? " * 4,
    "Ваш заказ уже в пути и будет доставлен завтра. " * 3,
    "All done 😀 " * 9,
)


@dataclass
class Conversation:
    """A conversation as it is written; `clock` is in seconds, `problems` what a check must find."""

    id: str
    random: Random
    customer: str
    agents: list[str]
    state: str = "Chatting"
    user_data: Json = field(default_factory=dict)
    clock: float = 0.0
    index: int = 0
    silence: float = 0.0
    ended_at: float | None = None
    messages: list[tuple[float, Json]] = field(default_factory=list)
    records: list[tuple[float, Json]] = field(default_factory=list)
    people: dict[str, Json] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _said: int = 0
    _used: set[str] = field(default_factory=set)

    def pause(self, least: float, most: float) -> None:
        self.clock += self.random.uniform(least, most)

    def add(self, kind: str, by: str | None = None, to: str = "All", **body: object) -> int:
        """Append a message, now and then behind a gap; returns its index."""
        self.index += 1 + (self.random.random() < 0.05) * self.random.randint(1, 3)
        message: Json = {"index": self.index, "type": kind, "visibility": to, **body}
        if by:
            message["from"] = self.person(by)
        self.messages.append((self.clock, message))
        return self.index

    def person(self, name: str) -> Json:
        known = {"nickname": name, "participantId": f"P{name}", "type": "Agent"}
        if name.startswith("Customer"):
            known["type"] = "Customer"
        return known

    def join(self, name: str, to: str = "All") -> None:
        self.people[name] = {**self.person(name), "visibility": to}
        self.add("ParticipantJoined", name, to)

    def leave(self, name: str) -> int:
        self.people.pop(name)
        return self.add("ParticipantLeft", name)

    def new_text(self) -> str:
        """A text that nobody sent before."""
        self._said += 1
        return f"{self.random.choice(('about parcel', 'and invoice', 'Line', 'Ticket'))} {self._said}, please"

    def unusual(self, texts: Sequence[str]) -> str:
        """One of these texts that nobody sent before, else another new one."""
        left = [one for one in texts if one not in self._used]
        text = self.random.choice(left) if left else self.new_text()
        self._used.add(text)
        return text

    def say(self, by: str, text: str | None = None, to: str = "All") -> int:
        if self.random.random() < 0.4:
            self.type(by)
        return self.add("Text", by, to, text=self.new_text() if text is None else text)

    def type(self, by: str, *, gives_up: bool = False) -> None:
        self.add("TypingStarted", by, text="so I")
        self.pause(0.5, 3)
        if gives_up:
            self.add("TypingStopped", by)

    def answered(self) -> None:
        """A question and its answer, each in one of many forms."""
        random, agent = self.random, self.agents[0]
        self.pause(5, 90)
        self.say(self.customer, random.choice((None, None, random.choice(_SHORT), self.unusual(_ODD))))
        if random.random() < 0.2:
            # The same again, but later.
            self.pause(31, 60)
            self.say(self.customer, "Are you still there?")
            self.pause(31, 60)
            self.say(self.customer, "Are you still there?")
        self.pause(3, 60)
        form = random.random()
        if form < 0.1:
            self.add("PushUrl", agent, url=f"https://shop.example/{self.id}?a=(1)")
        elif form < 0.25:
            self.say(agent, self.unusual(_LONG))
        elif form < 0.4:
            self.say(agent, f"{self.new_text()} http://10.0.0.1/", _HIDDEN)
            self.pause(2, 10)
            self.say(agent)
        else:
            self.say(agent, random.choice((None, random.choice(_SHORT), self.unusual(_ODD[:4]))))

    def happen(self) -> None:
        """One of the things that happen in healthy conversations."""
        self.random.choice(
            (
                self.transfer,
                self.confer,
                self.supervise,
                self.notify,
                self.draft,
                self.rejoin,
                self.be_silent,
                self.save,
            )
        )()

    def transfer(self) -> None:
        new = f"Agent{self.random.randint(10, 99)}x{len(self.messages)}"
        self.pause(1, 20)
        self.join(new)
        self.pause(1, 20)
        self.leave(self.agents[0])
        self.agents[0] = new

    def confer(self) -> None:
        new = f"Second{len(self.messages)}"
        self.join(new)
        self.pause(1, 20)
        self.say(new, "let me have a look", _HIDDEN)
        self.say(new, None)
        self.pause(1, 20)
        self.leave(new)

    def supervise(self) -> None:
        hidden = f"Coach{len(self.messages)}"
        self.join(hidden, _HIDDEN)
        self.pause(1, 20)
        self.say(hidden, "be friendly", _HIDDEN)
        if self.random.random() < 0.5:
            self.leave(hidden)

    def notify(self) -> None:
        self.add("CustomNotice", None, noticeText="line test: fine")

    def draft(self) -> None:
        self.type(self.random.choice([self.customer, self.agents[0]]), gives_up=True)

    def rejoin(self) -> None:
        self.add("ParticipantLeft", self.customer)
        self.pause(5, 60)
        self.add("ParticipantRejoined", self.customer)

    def save(self) -> None:
        """A message that has no place in the order."""
        self.index -= 1
        self.add("TranscriptSaveDone")
        self.messages[-1][1]["index"] = -1
        self.clock += 1

    def be_silent(self) -> None:
        """As long as a ferry takes."""
        self.pause(600, 20_000)

    def lines(self) -> Iterator[Json]:
        """The lines of a recording: it ends `silence` seconds before NOW."""
        start = NOW - timedelta(seconds=self.clock + self.silence)

        def stamp(seconds: float) -> str:
            return (
                (start + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            )

        session: Json = {
            "id": self.id,
            "state": "Chatting",
            "participants": [{**self.person(self.customer)}],
            "userData": self.user_data,
        }
        yield {"record": "session", "at": stamp(0), "session": session}
        lines: list[tuple[float, Json]] = []
        for seconds, message in self.messages:
            lines.append(
                (seconds, {"sessionId": self.id, **message, "timestamp": stamp(message.pop("at", seconds))})
            )
        for seconds, record in self.records:
            lines.append((seconds, {**record, "at": stamp(seconds)}))
        if self.ended_at is not None:
            ended = {"record": "ended", "at": stamp(self.ended_at), "sessionId": self.id, "state": self.state}
            lines.append((self.ended_at, ended))
        elif self.state != "Chatting":
            lines.append(
                (
                    self.clock,
                    {
                        "record": "session",
                        "at": stamp(self.clock),
                        "session": {**session, "state": self.state},
                    },
                )
            )
        ordered = [line for _, line in sorted(lines, key=lambda one: one[0])]
        yield from self._late(ordered)

    def _late(self, lines: list[Json]) -> list[Json]:
        """Now and then a message comes after the next one."""
        places = [
            place
            for place, (one, other) in enumerate(zip(lines, lines[1:], strict=False))
            if "index" in one and "index" in other and one["index"] < other["index"]
        ]
        if places and self.random.random() < 0.15:
            place = self.random.choice(places)
            lines[place : place + 2] = [lines[place + 1], {**lines[place], "late": True}]
        return lines


def healthy(id_: str, random: Random, *, live: bool | None = None) -> Conversation:
    """A conversation in which nothing is wrong; `live` None leaves it open whether it has ended."""
    one = _begun(id_, random)
    for _ in range(random.randint(1, 6)):
        one.answered()
        if random.random() < 0.5:
            one.happen()
    is_live = random.random() < 0.5 if live is None else live
    if not is_live:
        _end(one)
    elif live is None and random.random() < 0.3:
        one.pause(1, 5)
        one.say(one.customer)
        one.silence = random.uniform(0, 100)
    else:
        one.silence = random.choice((random.uniform(0, 100), random.uniform(1000, 30_000)))
    return one


def _begun(id_: str, random: Random) -> Conversation:
    one = Conversation(id_, random, f"Customer{random.randint(1, 9)}", [f"Agent{random.randint(1, 9)}"])
    one.join(one.customer)
    one.pause(1, 40)
    one.join(one.agents[0])
    if random.random() < 0.3:
        one.say(one.agents[0], "Good morning, how can I help?")
    return one


def _end(one: Conversation) -> None:
    """Either side leaves first, and a last word that is answered, or was said just before the end."""
    random = one.random
    if random.random() < 0.4:
        one.pause(1, 20)
        one.say(one.customer, "thanks a lot, bye")
    one.pause(1, 60)
    leaving = [one.customer, *[name for name in one.people if name != one.customer]]
    if random.random() < 0.5:
        leaving.reverse()
    for name in leaving:
        one.leave(name)
        one.pause(0, 30)
    one.state = "Completed"
    one.ended_at = one.clock
    one.silence = random.uniform(0, 50_000)


Plant = Callable[[Conversation], None]


def planted(id_: str, random: Random, kind: str) -> Conversation:
    """A conversation with one fault of this kind, and what a check must find."""
    one = healthy(id_, random, live=True)
    # What is planted comes after everything else has been answered.
    one.clock += one.silence
    one.silence = 0.0
    PLANTS[kind](one)
    return one


def _wait(one: Conversation, seconds: float, result: str) -> None:
    index = one.say(one.customer)
    one.silence = seconds
    one.problems = [("waiting", result, index)]


def _waits_a_little(one: Conversation) -> None:
    _wait(one, one.random.uniform(120, 599), "warn")


def _waits_long(one: Conversation) -> None:
    _wait(one, one.random.uniform(600, 50_000), "fail")


def _agents_gone(one: Conversation) -> None:
    index = _all_agents_leave(one)
    one.silence = one.random.uniform(0, 5000)
    one.problems = [("agent", "warn", index)]


def _agents_gone_and_asked(one: Conversation) -> None:
    index = _all_agents_leave(one)
    one.pause(1, 10)
    one.say(one.customer)
    one.silence = one.random.uniform(0, 100)
    one.problems = [("agent", "fail", index)]


def _all_agents_leave(one: Conversation) -> int:
    return [one.leave(name) for name in [*one.people] if name != one.customer][-1]


def _whisper(one: Conversation) -> None:
    one.say(one.customer)
    one.pause(2, 20)
    index = one.say(one.agents[0], None, _HIDDEN)
    one.silence = one.random.uniform(0, 60)
    one.problems = [("whisper", "warn", index)]


def _left_unanswered(one: Conversation) -> None:
    index = one.say(one.customer)
    one.pause(300, 5000)
    one.leave(one.customer)
    _complete(one)
    one.problems = [("ending", "warn", index)]


def _ended_unanswered(one: Conversation) -> None:
    index = one.say(one.customer)
    one.pause(300, 5000)
    _all_agents_leave(one)
    _complete(one)
    one.problems = [("ending", "warn", index)]


def _complete(one: Conversation) -> None:
    one.state = "Completed"
    one.ended_at = one.clock + 1
    one.silence = one.random.uniform(2, 5000)


def _left_chat(one: Conversation) -> None:
    index = _all_agents_leave(one)
    one.state = "LeftChat"
    one.silence = one.random.uniform(601, 9000)
    one.problems = [("ending", "warn", index)]


def _customer_gone(one: Conversation) -> None:
    one.pause(1, 10)
    index = one.leave(one.customer)
    one.silence = one.random.uniform(0, 9000)
    one.problems = [("state", "warn", index)]


def _offline(one: Conversation) -> None:
    one.user_data["IsOnline"] = one.random.choice((False, "false", "0"))
    one.problems = [("state", "warn", None)]


def _after_the_end(one: Conversation) -> None:
    one.leave(one.customer)
    one.state = "Completed"
    one.ended_at = one.clock
    one.pause(5.1, 300)
    index = one.add("Text", one.agents[0], text="one more thing for you")
    one.problems = [("state", "warn", index)]


def _typing(one: Conversation) -> None:
    index = one.add("TypingStarted", one.random.choice([one.customer, one.agents[0]]), text="well")
    one.silence = one.random.uniform(601, 9000)
    one.problems = [("typing", "warn", index)]


def _duplicate(one: Conversation) -> None:
    text = "this is what I said"
    one.add("Text", one.agents[0], text=text)
    one.pause(0, 29)
    index = one.add("Text", one.agents[0], text=f" {text}\n")
    one.problems = [("duplicates", "warn", index)]


def _order(one: Conversation) -> None:
    one.pause(10, 20)
    one.add("CustomNotice", None, noticeText="before")
    back = one.random.uniform(1.1, 9)
    index = one.add("CustomNotice", None, noticeText="after", at=one.clock - back)
    one.problems = [("order", "warn", index)]


def _garbled(one: Conversation) -> None:
    text = one.random.choice(("itâ€™s late", "cafÃ© noir", "Â£5 please", "na\ufffdve", "Gr????e aus Wien"))
    index = one.add("Text", one.agents[0], text=text)
    one.problems = [("encoding", "warn", index)]


def _long(one: Conversation) -> None:
    texts = ("a" * 460, "ж" * 202, "[" * 240, "it’s fine " * 8, "“Your order” … " * 6)
    index = one.add("Text", one.agents[0], text=one.random.choice(texts))
    one.problems = [("parts", "warn", index)]


def _pushed(one: Conversation) -> None:
    urls = ("www.shop.example/a", "https://shop.example/a b", "https://shop.example/a.", "https://10.1.2.3/a")
    index = one.add("PushUrl", one.agents[0], url=one.random.choice(urls))
    one.problems = [("links", "warn", index)]


def _private(one: Conversation) -> None:
    index = one.add("Text", one.agents[0], text="open (http://localhost:8080/a), please")
    one.problems = [("links", "warn", index)]


def _disconnected(one: Conversation) -> None:
    one.records.append((one.clock, {"record": "lost", "message": "connection lost, retrying"}))
    one.pause(5, 500)
    one.records.append((one.clock, {"record": "reconnected", "message": "reconnected, 0 late"}))
    one.problems = [("connection", "warn", None)]


PLANTS: Mapping[str, Plant] = {
    "waits a little": _waits_a_little,
    "waits long": _waits_long,
    "agents gone": _agents_gone,
    "agents gone and asked": _agents_gone_and_asked,
    "whisper": _whisper,
    "left unanswered": _left_unanswered,
    "ended unanswered": _ended_unanswered,
    "left chat": _left_chat,
    "customer gone": _customer_gone,
    "offline": _offline,
    "after the end": _after_the_end,
    "typing": _typing,
    "duplicate": _duplicate,
    "order": _order,
    "garbled": _garbled,
    "long": _long,
    "pushed": _pushed,
    "private": _private,
    "disconnected": _disconnected,
}
"""The faults by what happens; together they belong to every check but `gaps`, which never fails."""
