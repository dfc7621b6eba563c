"""Masks long numbers, e-mail addresses and user data in messages and sessions.

What is masked already stays as it is, and a record with nothing to mask is handed back itself.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from operator import is_

from smscli.model import Json, Listing, Message, Page, Participant, Reads, Session
from smscli.transcript.activity import ActivitySummary
from smscli.transcript.fold import ActiveTyping, Entry

MASK = "***"
"""The replacement of a value that is masked whole."""

_ADDRESS = "***@***"
_SHOWN = 2
_SHORTEST = 7

# Copied from an address book a number comes with bidi marks around it, and from a telephone's keypad with a
# variation selector and a keycap on each digit; controls, fillers and blanks without width can't be seen.
_UNSEEN = (
    "\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e0fff"
)
_DOTS = ".\u00b7\u2022\u2024\u2027\u2219\u22c5\u3002\u30fb\uff0e\uff61\uff65"
_DASHES = "\\-\u058a\u05be\u2010-\u2015\u2043\u207b\u208b\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d"
_BRACKETS = "()\\[\\]{}\uff08\uff09\uff3b\uff3d\uff5b\uff5d"
_BETWEEN = rf"\s\u2800{_DOTS}{_DASHES}{_BRACKETS}{_UNSEEN}"

_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(rf"\d[\d{_BETWEEN}]{{{_SHORTEST - 2},}}\d")
# A link writes a blank as + or %20, and a bracket as %28 or %29.
_NUMBER_IN_LINK = re.compile(rf"\d[\d{_BETWEEN}+%]{{{_SHORTEST - 2},}}\d")
_SIGN = re.compile("[@\ufe6b\uff20]|%40")
_DOT = ".\u3002\uff0e"
_AROUND = r"\s<>()\[\]{},;:\"/\\|?&=#\u00ab\u00bb\u201c-\u201e\u3001\uff08\uff09\uff0c\uff1a\uff1b"
# Word by word, and only then what is in a word: a search for the whole address takes the square of the time
# on a long word made to waste it.
_WORD = re.compile(rf"[^{_AROUND}]+")
_HOST = re.compile(rf"[^{_DOT}]+[{_DOT}][^{_DOT}]")

# What the server's pages name in a session, a message, a participant and an attachment, and what a recording
# adds: ids, times, places in the log, types, states and addresses of resources.
_KEPT = frozenset(
    (
        *("id", "sessionId", "participantId", "fileId", "documentId", "key", "index"),
        *("type", "chatType", "state", "visibility", "uri", "path"),
        *("timestamp", "timestampRaw", "timestampSeconds", "receivedDate", "receivedDateRaw"),
    )
)
_TEXTS = frozenset({"text", "url", "noticeText", "nickname", "comment", "name"})
_RECORDS = frozenset({"from", "participants", "attachment"})
_USER_DATA = "userData"
# Values nested deeper are masked whole: hostile nesting would exhaust the stack.
_DEEPEST = 50
_LONGEST_REMEMBERED = 200


def mask_text(value: str) -> str:
    """`value` with e-mail addresses masked, and long numbers but for their last two digits."""
    masked = _remembered(value) if len(value) <= _LONGEST_REMEMBERED else _masked(value)
    return value if masked == value else masked


def _masked(value: str) -> str:
    masked = value
    if "@" in value or "%40" in value or "\uff20" in value or "\ufe6b" in value:
        masked = _WORD.sub(_word, masked)
    number = _NUMBER_IN_LINK if "://" in value or "%2" in value else _NUMBER
    return number.sub(_number, masked)


# Each text is masked twice (in the message and in `sent`), and a nickname with every message.
_remembered = lru_cache(maxsize=1024)(_masked)


def _word(match: re.Match[str]) -> str:
    word = match[0]
    parts = _SIGN.split(word)
    if any(user and _HOST.match(host) for user, host in pairwise(parts)):
        return _ADDRESS + word[len(word.rstrip(".!'")) :]
    return word


def _number(match: re.Match[str]) -> str:
    digits = len(_DIGIT.findall(match[0]))
    return _DIGIT.sub("*", match[0], digits - _SHOWN) if digits >= _SHORTEST else match[0]


def mask_message(one: Message) -> Message:
    """The message with texts, nickname, attachment and the server's own object masked."""
    sender = mask_participant(one.sender) if one.sender else None
    said = (_optional(one.text), _optional(one.url), _optional(one.notice))
    attachment = _record(one.attachment) if one.attachment else one.attachment
    sent = _record(one.sent)
    same = sent is one.sent and sender is one.sender and attachment is one.attachment
    if same and said == (one.text, one.url, one.notice):
        return one
    # Several times faster than `replace`.
    return Message(
        one.session_id,
        one.index,
        one.type,
        sender,
        one.visibility,
        one.at,
        *said,
        attachment,
        one.late,
        sent,
        one,
    )


def mask_entry(one: Entry) -> Entry:
    """The entry with its message and its draft masked."""
    message, draft_text = mask_message(one.message), _optional(one.draft_text)
    if message is one.message and draft_text == one.draft_text:
        return one
    return one._replace(message=message, draft_text=draft_text)


def mask_typing(one: ActiveTyping) -> ActiveTyping:
    """Who is typing, with name and preview masked."""
    return one._replace(participant=mask_participant(one.participant), preview=_optional(one.preview))


def mask_participant(one: Participant) -> Participant:
    """The participant with the nickname masked."""
    nickname, sent = _optional(one.nickname), _record(one.sent)
    if nickname == one.nickname and sent is one.sent:
        return one
    return Participant(one.type, nickname, one.participant_id, one.visibility, sent)


def mask_session(one: Session) -> Session:
    """The session with participants, comment and the server's own object masked, and all user data."""
    people = tuple(map(mask_participant, one.participants))
    user_data, comment, sent = _hidden_values(one.user_data), _optional(one.comment), _record(one.sent)
    same = sent is one.sent and user_data is one.user_data and comment == one.comment
    if same and all(map(is_, people, one.participants)):
        return one
    return replace(one, participants=people, user_data=user_data, comment=comment, sent=sent)


def mask_activity(one: ActivitySummary) -> ActivitySummary:
    """The activity with names and the last message masked."""
    people = tuple(person._replace(nickname=_optional(person.nickname)) for person in one.participants)
    wait = one.wait._replace(customer=_optional(one.wait.customer)) if one.wait else None
    last = mask_message(one.last_message) if one.last_message else None
    typing = tuple(map(mask_text, one.typing))
    return one._replace(participants=people, wait=wait, typing=typing, last_message=last)


def mask_page(one: Page) -> Page:
    return one._replace(messages=tuple(map(mask_message, one.messages)))


def mask_listing(one: Listing) -> Listing:
    return one._replace(sessions=tuple(map(mask_session, one.sessions)), original=one)


class MaskedReads:
    """Wraps reads and masks every session and message."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def sessions(self, *, retries: int | None = None) -> Listing:
        return mask_listing(self._reads.sessions(retries=retries))

    def page(
        self,
        session_id: str,
        start: int | None = None,
        count: int | None = None,
        *,
        retries: int | None = None,
    ) -> Page:
        return mask_page(self._reads.page(session_id, start, count, retries=retries))

    def messages(
        self, session_id: str, start: int = 1, *, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Page]:
        return map(mask_page, self._reads.messages(session_id, start, on_wait=on_wait))


def _optional(value: str | None) -> str | None:
    return mask_text(value) if value else value


def _record(sent: Json, depth: int = 0, *, known: bool = True) -> Json:
    """A JSON object with its values masked, or the same object if nothing changed.

    `known`: it is the server's for a session, a message, a participant or an attachment, so that the keys in
    `_KEPT` are kept.
    """
    changed: dict[str, object] = {}
    for key, value in sent.items():
        if known and key in _KEPT and not isinstance(value, dict | list):
            continue
        masked = _user_data(value) if key == _USER_DATA else _value(key, value, depth, known)
        if masked is not value:
            changed[key] = masked
    return {**sent, **changed} if changed else sent


def _value(key: str, value: object, depth: int, known: bool) -> object:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict | list) and depth >= _DEEPEST:
        return MASK
    if isinstance(value, dict):
        return _record(value, depth + 1, known=known and key in _RECORDS)
    if isinstance(value, list):
        masked = [_value(key, one, depth + 1, known and key in _RECORDS) for one in value]
        return value if all(map(is_, value, masked)) else masked
    if isinstance(value, int | float) and known and key in _TEXTS:
        # A number in a text field is masked like a text.
        digits = mask_text(str(value))
        return value if digits == str(value) else digits
    return value


def _user_data(value: object) -> object:
    if isinstance(value, dict):
        return _hidden_values(value)
    return value if value is None or value == MASK else MASK


def _hidden_values(values: Json) -> Json:
    """Every value masked; the keys stay."""
    return values if all(one == MASK for one in values.values()) else dict.fromkeys(values, MASK)
