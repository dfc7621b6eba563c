"""The checks that judge each message by itself, or beside those just before it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from smscli.model import SAID_TYPES, Message, MessageType, Role
from smscli.transcript.judging import Judgement, LogFacts, ok, role, warn, who
from smscli.transcript.sms_parts import code_point, sms_parts

_AFTER_END = timedelta(seconds=5)
_BACKWARDS = timedelta(seconds=-1)
_MOST_PARTS = 3
_SHORTEST_OF_TWO_PARTS = 71
_MOST_CHARACTERS = 5


def after_end(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """Said after the state had said that the session has ended."""
    if log.ended_at and message.at and message.type in SAID_TYPES:
        late = message.at - log.ended_at
        if late > _AFTER_END:
            yield warn("{} wrote {} after the state said ended", who(message), late, about=message)


def duplicates(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """The same text by the same sender under another index, within 30 seconds."""
    if message.type == MessageType.TEXT:
        first = log.earlier_copy(message)
        if first is not None:
            told = f"{{}} sent the same text at index {first} and {message.index}"
            yield warn(told, who(message), about=message)


def order(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """A time before that of the message before."""
    before = log.last_timed
    if message.at and before and before.at and message.at - before.at < _BACKWARDS:
        back = before.at - message.at
        yield warn(f"its time is {{}} before that of index {before.index}", back, about=message)


# Four or more question marks between letters; UTF-8 that was read as Windows-1252 or Latin-1.
_LOST_LETTERS = re.compile(r"[^\W\d_]\?{4,}[^\W\d_]")
_GARBLED = re.compile(
    "[\u00c2\u00c3\u00e2][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6"
    "\u02dc\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]+"
)
# French puts blanks and quotation marks behind such letters.
_NOT_GARBLED = "\u00a0\u00ab\u00bb"


def encoding(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """Characters that were lost or read in another encoding."""
    text = message.text if message.type == MessageType.TEXT else message.notice
    if not text or (text.isascii() and "????" not in text):
        return
    if "\ufffd" in text:
        yield warn("{}: the text has the replacement character U+FFFD", who(message), about=message)
    if lost := _LOST_LETTERS.search(text):
        yield warn("{}: question marks in place of letters: {}", who(message), lost[0], about=message)
    if garbled := _garbled(text):
        told = "{}: UTF-8 was read in another encoding: {} should be {}"
        yield warn(told, who(message), *garbled, about=message)


def _garbled(text: str) -> tuple[str, str] | None:
    """A run of characters that are the bytes of others in UTF-8, and those; None without one."""
    for run in _GARBLED.finditer(text):
        if run[0][1] not in _NOT_GARBLED:
            for size in range(len(run[0]), 1, -1):
                if restored := _restored(run[0][:size]):
                    return run[0][:size], restored
    return None


def _restored(text: str) -> str | None:
    for encoding in ("windows-1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except ValueError:
            continue
    return None


def parts(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """An agent's text that becomes several SMS."""
    text = message.text
    if not text or len(text) * 2 < _SHORTEST_OF_TWO_PARTS or not _is_sent_by_agent(message):
        return
    sms = sms_parts(text)
    if sms.number == 1:
        return
    told, values = f"{sms.number} SMS in {'UCS-2' if sms.is_ucs2 else 'GSM 03.38'}", list[str]()
    if sms.forcing:
        named = [f"{{}} ({code_point(one)})" for one in sms.forcing[:_MOST_CHARACTERS]]
        values = [*sms.forcing[:_MOST_CHARACTERS]]
        more = len(sms.forcing) - len(named)
        told += f", {sms.plain_number} without " if sms.plain_number else " because of "
        told += ", ".join(named) + (f" and {more} more" if more else "")
    is_long = sms.number > _MOST_PARTS or sms.plain_number is not None
    yield (warn if is_long else ok)(f"{{}}: {told}", who(message), *values, about=message)


def _is_sent_by_agent(message: Message) -> bool:
    return message.type == MessageType.TEXT and role(message) == Role.AGENT and message.is_public


_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
# A name with a dot, or localhost, is a host before its port.
_SCHEME = re.compile(r"(?!localhost:)[a-z][a-z0-9+-]*:", re.IGNORECASE)
_TRAILING = ".,;:!?)]}>\"'"


def links(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """An address that the customer can't open."""
    if message.type == MessageType.PUSH_URL and message.url is not None:
        for told in _faults(message.url):
            yield warn(f"{{}} sent an address {told}: {{}}", who(message), message.url, about=message)
    elif message.text and "://" in message.text and _is_sent_by_agent(message):
        for found in _ADDRESS.findall(message.text):
            address = found.rstrip(_TRAILING)
            if _is_private(address):
                yield warn("{} sent a private address: {}", who(message), address, about=message)


def _faults(url: str) -> Iterator[str]:
    if not _SCHEME.match(url):
        yield "without https://"
    if any(one.isspace() for one in url):
        yield "with a blank in it"
    elif url.endswith(tuple(_TRAILING)) and not (url.endswith(")") and "(" in url):
        yield "with punctuation behind it"
    if _is_private(url):
        yield "that is private"


def _is_private(url: str) -> bool:
    """Whether an address leads to this machine or into a private network."""
    try:
        host = (urlsplit(url if "://" in url else f"//{url}").hostname or "").rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        address = ip_address(host)
        return address.is_private or address.is_loopback or address.is_link_local
    except ValueError:
        return False
