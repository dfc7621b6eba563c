"""The checks that judge each message by itself, or beside those just before it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from smscli.model import SAID_TYPES, TYPING_TYPES, Message, MessageType, Role
from smscli.transcript.judging import Judgement, LogFacts, ok, quote, role, warn, who
from smscli.transcript.sms_parts import code_point, sms_parts

_AFTER_END = timedelta(seconds=5)
_BACKWARDS = timedelta(seconds=1)
_MOST_PARTS = 3
_SHORTEST_OF_TWO_PARTS = 71
_MOST_CHARACTERS = 5


def after_end(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """Said after the state had said that the session has ended."""
    if log.ended_at and message.at and message.type in SAID_TYPES:
        late = message.at - log.ended_at
        if late > _AFTER_END:
            told, hint = "{} wrote {} after the state said ended", "find out whether it was received"
            yield warn(told, who(message), late, about=message, hint=hint)


def duplicates(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """The same text by the same sender under another index, within 30 seconds."""
    if message.type == MessageType.TEXT:
        first = log.earlier_copy(message)
        if first is not None:
            told = f"the same text of {{}} at index {first} and {message.index}"
            hint = None if message.is_public else "compare with the server's log: only agents were sent it"
            yield warn(told, who(message), about=message, hint=hint)


def order(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """A time before that of the message before; one without an index has no place to be judged at."""
    before, place = log.last_timed, message.order
    # A lower index begins a renumbered log.
    if message.at and place is not None and before and before.at and place >= (before.order or 0):
        back = before.at - message.at
        if back > _BACKWARDS:
            yield warn(f"its time is {{}} before that of index {before.index}", back, about=message)


_LOST_LETTERS = re.compile(r"[^\W\d_]\?{4,}[^\W\d_]")
# The two or three bytes of a character in UTF-8, as Windows-1252 or Latin-1 reads them.
_READ = (
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014"
    "\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]"
)
# French puts blanks and quotation marks behind such letters.
_GARBLED = re.compile(
    f"[\u00c2\u00c3](?![\u00a0\u00ab\u00bb]){_READ}|\u00e2(?![\u00a0\u00ab\u00bb]){_READ}{{2}}"
)
_CONTROLS = range(0x80, 0xA0)


def encoding(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """Characters that were lost or read in another encoding."""
    if message.type in TYPING_TYPES:
        return
    text = message.text or message.notice
    if not text or (text.isascii() and "????" not in text):
        return
    if "\ufffd" in text:
        yield warn("{}: the text has the replacement character U+FFFD", who(message), about=message)
    if lost := _LOST_LETTERS.search(text):
        told = "{}: four or more question marks between letters: {}"
        yield warn(told, who(message), quote(lost[0]), about=message)
    if garbled := _garbled(text):
        told = "{}: this looks like UTF-8 read in another encoding: {} for {}"
        yield warn(told, who(message), *map(quote, garbled), about=message)


def _garbled(text: str) -> tuple[str, str] | None:
    """Characters that are the bytes of another one in UTF-8, and that one; None without any."""
    for found in _GARBLED.finditer(text):
        restored = _restored(found[0])
        if restored and ord(restored) not in _CONTROLS:
            return found[0], restored
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
    told, hint = f"{sms.number} SMS in GSM 03.38", "shorten it"
    helps = sms.plain_number is not None and sms.plain_number < sms.number
    if sms.is_ucs2:
        named = [code_point(one) if one.isspace() else f"{{}} ({code_point(one)})" for one in sms.forcing]
        more = len(named) - _MOST_CHARACTERS
        told = f"{sms.number} SMS in UCS-2" + (f", {sms.plain_number} without " if helps else " because of ")
        told += ", ".join(named[:_MOST_CHARACTERS]) + (f" and {more} more" if more > 0 else "")
        hint = "use the plain characters" if helps else "shorten it, or leave out these characters"
    values = [quote(one) for one in sms.forcing[:_MOST_CHARACTERS] if not one.isspace()]
    if helps or sms.number > _MOST_PARTS:
        yield warn(f"{{}}: {told}", who(message), *values, about=message, hint=hint)
    else:
        yield ok(f"{{}}: {told}", who(message), *values, about=message)


def _is_sent_by_agent(message: Message) -> bool:
    return message.type == MessageType.TEXT and role(message) == Role.AGENT and message.is_public


_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
# A name with a dot, or localhost, is a host before its port.
_SCHEME = re.compile(r"(?!localhost:)[a-z][a-z0-9+-]*:", re.IGNORECASE)
_TRAILING = ".,;:!?)]}>\"'*\u2026\u2019\u201d\u00bb"
_OPENING = {")": "(", "]": "["}
# RFC 1918 and 4193; Python's `is_private` holds documentation and test ranges too.
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


def links(message: Message, log: LogFacts) -> Iterator[Judgement]:
    """An address that the customer can't open."""
    if message.type == MessageType.PUSH_URL and message.url is not None:
        for told in _faults(message.url):
            yield warn(f"{{}} sent an address {told}: {{}}", who(message), quote(message.url), about=message)
    elif message.text and "://" in message.text and _is_sent_by_agent(message):
        for found in _ADDRESS.findall(message.text):
            address = found.rstrip(_TRAILING)
            if _is_private(address):
                yield warn("{} sent a private address: {}", who(message), quote(address), about=message)


def _faults(url: str) -> Iterator[str]:
    if not _SCHEME.match(url):
        yield "without a scheme"
    last = url[-1:]
    if any(one.isspace() for one in url):
        yield "with a blank in it"
    elif last and last in _TRAILING and _OPENING.get(last, "\0") not in url:
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
    except ValueError:
        return False
    is_own = address.is_loopback or address.is_link_local
    return is_own or any(address in network for network in _PRIVATE if network.version == address.version)
