"""Transcript entries for tests of what renders them: a conversation and its people."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from smscli.model import Message, Participant
from smscli.transcript.fold import Entry

CUSTOMER = Participant("Customer", "PersonP", "009052BDEE39003C")
AGENT = Participant("Agent", "Agent1", "009052BDEE4A003E")
START = datetime(2013, 12, 27, 21, 16, 41, tzinfo=UTC)
PACIFIC = timezone(timedelta(hours=-8))


@dataclass
class Paper:
    width: int = 80
    color: bool = False
    ascii: bool = False


def message(type: str, sender: Participant | None, text: str | None = None, **more: object) -> Message:
    return replace(Message("0000Na9B26EF002G", 1, type, sender, "All", START, text), **more)


def entry(type: str, sender: Participant | None, text: str | None = None, **more: object) -> Entry:
    return Entry(message(type, sender, text, **more))


def after(seconds: float, one: Entry) -> Entry:
    return one._replace(message=replace(one.message, at=START + timedelta(seconds=seconds)))


CHAT = [
    entry("ParticipantJoined", CUSTOMER),
    after(1, entry("ParticipantJoined", AGENT)),
    after(14, entry("Text", CUSTOMER, "Hello, the router has been blinking red since this morning."))
    ._replace(composing=12.4),
    after(20, entry("Text", AGENT, "Good morning!")),
    after(24, entry("Text", AGENT, "Shall I take this one?", visibility="Agents")),
    after(30, entry("PushUrl", AGENT, url="https://example.com/help")),
    after(50, entry("TypingStarted", CUSTOMER))
    ._replace(composing=14.0, draft="given-up", draft_text="I would rather cancel"),
    after(60, entry("CustomNotice", None, notice="This chat is recorded")),
    after(70, entry("Text", CUSTOMER, "one\ntwo\n\n  three\n")),
    entry("TranscriptSaveDone", None, at=None, index=-1),
    after(90000, entry("ParticipantLeft", CUSTOMER)),
]  # fmt: skip
