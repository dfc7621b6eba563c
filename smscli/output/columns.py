"""Columns of the session list, one row each: name, title, value and sort key.

Options, completion, TSV, tables, the live list and sorting read this table.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from smscli.errors import unknown_name
from smscli.model import Role, Session, caseless
from smscli.records import json_number

if TYPE_CHECKING:
    from smscli.transcript.activity import ActivitySummary

SortKey = tuple[int, float, str]
"""Numbers sort before texts."""

_USER_DATA = "userData."
# Numbers in user data often come as strings (SMSAttachUserData page).
_NUMBER = re.compile("-?[0-9]{1,30}([.][0-9]{1,30})?")


class ListedSession(NamedTuple):
    """A session of the list; `activity` is None where its log was not read, `profile` where only one is."""

    session: Session
    activity: "ActivitySummary | None" = None
    profile: str | None = None


def _text_key(value: object) -> SortKey | None:
    """Sorts texts regardless of case and times by their order; None for an empty value."""
    if isinstance(value, datetime):
        return (0, value.timestamp(), "")
    text = ",".join(value) if isinstance(value, tuple) else value
    return (1, 0, caseless(text)) if isinstance(text, str) and text else None


def _number_key(value: object) -> SortKey | None:
    """Sorts numbers, those in strings too, before texts, and texts before lists and objects."""
    if isinstance(value, str) and (number := _NUMBER.fullmatch(value)):
        value = float(value) if number[1] else int(value)
    if isinstance(value, int | float):
        return (0, value, "")
    return (1, 0, caseless(value) if isinstance(value, str) else "") if value else None


class Column(NamedTuple):
    """One column. `value` returns a text, a time, a tuple of texts, a number, for user data any JSON value,
    or None.

    `role`: the participants that the column names. Ids are copied by people and never folded or cut.
    `of_activity`: the session's log must be read for it.
    """

    name: str
    title: str
    value: Callable[[ListedSession], object]
    key: Callable[[object], SortKey | None] = _text_key
    role: Role | None = None
    is_id: bool = False
    is_time: bool = False
    of_activity: bool = False


def _of_session(name: str, title: str, value: Callable[[Session], object], **more: Any) -> Column:
    return Column(name, title, lambda listed: value(listed.session), **more)


def _of_activity(name: str, title: str, value: "Callable[[ActivitySummary], object]", **more: Any) -> Column:
    return Column(
        name,
        title,
        lambda listed: value(listed.activity) if listed.activity else None,
        of_activity=True,
        **more,
    )


def _last_words(activity: "ActivitySummary") -> str | None:
    last = activity.last_message
    return (last.text or last.url) if last else None


WAITING = _of_activity("waiting", "waiting", lambda one: json_number(one.waiting_seconds), key=_number_key)
"""Seconds for which a customer has been waiting."""

LAST_MESSAGE = _of_activity("lastMessage", "last message", _last_words)
"""Text or URL of the last message."""

PROFILE = Column("profile", "profile", lambda listed: listed.profile)
"""Through which profile a session is seen, as the last column where several are read."""

_ROWS = (
    _of_session("id", "id", lambda one: one.id, is_id=True),
    _of_session("state", "state", lambda one: one.state or None),
    _of_session("customer", "customer", lambda one: tuple(one.nicknames(Role.CUSTOMER)), role=Role.CUSTOMER),
    _of_session("agents", "agents", lambda one: tuple(one.nicknames(Role.AGENT)), role=Role.AGENT),
    _of_session("receivedDate", "received", lambda one: one.received, is_time=True),
    _of_session("uri", "uri", lambda one: one.uri or None),
    _of_session("comment", "comment", lambda one: one.comment or None),
    _of_session("capabilities", "capabilities", lambda one: one.capabilities),
    WAITING,
    _of_activity("typing", "typing", lambda one: one.typing),
    LAST_MESSAGE,
    _of_activity("lastMessageAt", "last at", lambda one: one.last_message_at, is_time=True),
    _of_activity("messages", "messages", lambda one: one.messages, key=_number_key),
)
COLUMNS = {column.name: column for column in _ROWS}
"""The columns beside `userData.KEY`, by name."""

DEFAULT_COLUMNS = tuple(COLUMNS[name] for name in ("id", "state", "customer", "agents", "receivedDate"))
"""The columns of a list without `--columns`."""

LIVE_COLUMNS = DEFAULT_COLUMNS[:4]
"""The same for `list --watch`."""

ACTIVITY_COLUMNS = tuple(COLUMNS[name] for name in ("waiting", "typing", "lastMessage"))
"""The columns that `--activity` and `--watch` add."""


class SessionTable(NamedTuple):
    """The sessions to print, the columns to show of them, and a caption for people. `has_activity`: JSON has
    the activity too."""

    sessions: Sequence[ListedSession]
    columns: Sequence[Column] = DEFAULT_COLUMNS
    caption: str = ""
    has_activity: bool = False


_TITLES = frozenset(COLUMNS) | {column.title for column in _ROWS}


def unmatched_user_data(column: Column, sessions: Iterable[Session]) -> list[str] | None:
    """The keys that the sessions have, if `column` is of user data and none has its key; else None."""
    key = column.name.removeprefix(_USER_DATA)
    keys = dict.fromkeys(_composed(one) for session in sessions for one in session.user_data)
    return None if key == column.name or _composed(key) in keys else list(keys)


def _user_datum(session: Session, key: str) -> object:
    if key.isascii() or key in session.user_data:
        return session.user_data.get(key)
    composed = _composed(key)
    return next((value for one, value in session.user_data.items() if _composed(one) == composed), None)


def _composed(key: str) -> str:
    """A key for comparison: case counts, how accented letters are composed (NFC) does not."""
    if key.isascii():
        return key
    from unicodedata import normalize

    return normalize("NFC", key)


class SortOrder(NamedTuple):
    """What `--sort` asks for."""

    column: Column
    descending: bool = False

    def sorted(self, sessions: Iterable[ListedSession]) -> tuple[ListedSession, ...]:
        """The sessions in this order: equal ones as they come, those without a value last."""
        keyed = [(self.column.key(self.column.value(session)), session) for session in sessions]
        filled = [(key, session) for key, session in keyed if key is not None]
        filled.sort(key=lambda one: one[0], reverse=self.descending)
        empty = [session for key, session in keyed if key is None]
        return (*(session for _, session in filled), *empty)


LONGEST_WAIT_FIRST = SortOrder(WAITING, descending=True)
"""The order of the live list."""


def parse_columns(text: str) -> tuple[Column, ...]:
    """The columns of `--columns`, comma-separated. UsageError."""
    return tuple(_column(name.strip()) for name in text.split(","))


def parse_order(text: str) -> SortOrder:
    """The order of `--sort`: a column, descending with `-` before it. UsageError."""
    return SortOrder(_column(text.removeprefix("-")), text.startswith("-"))


def _column(name: str) -> Column:
    folded = name.casefold()
    found = next((column for known, column in COLUMNS.items() if known.casefold() == folded), None)
    if found is not None:
        return found
    key = name[len(_USER_DATA) :]
    if key and folded.startswith(_USER_DATA.casefold()):
        return user_data_column(key)
    raise unknown_name("column", name, (*COLUMNS, f"{_USER_DATA}KEY"))


def user_data_column(key: str) -> Column:
    """The column of a user-data key, titled with the key alone unless another column has that title."""
    name = _USER_DATA + key
    title = name if key in _TITLES else key
    return _of_session(name, title, lambda one: _user_datum(one, key), key=_number_key)
