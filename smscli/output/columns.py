"""Columns of the session list, one row each: name, title, value and sort key.

Options, completion, TSV, tables, the live list and sorting read this table.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from smscli.errors import UsageError
from smscli.model import Role, Session, caseless

SortKey = tuple[int, float, str]
"""Numbers sort before texts."""

_USER_DATA = "userData."
# Numbers in user data often come as strings (SMSAttachUserData page).
_NUMBER = re.compile("-?[0-9]{1,30}([.][0-9]{1,30})?")


def _text_key(value: object) -> SortKey | None:
    """Sorts texts regardless of case and times by their order; None for an empty value."""
    if isinstance(value, datetime):
        return (0, value.timestamp(), "")
    text = ",".join(value) if isinstance(value, tuple) else value
    return (1, 0, caseless(text)) if isinstance(text, str) and text else None


def _user_data_key(value: object) -> SortKey | None:
    """Sorts numbers, those in strings too, before texts, and texts before lists and objects."""
    if isinstance(value, str) and (number := _NUMBER.fullmatch(value)):
        value = float(value) if number[1] else int(value)
    if isinstance(value, int | float):
        return (0, value, "")
    return (1, 0, caseless(value) if isinstance(value, str) else "") if value else None


class Column(NamedTuple):
    """One column. `value` returns a text, a time, a tuple of texts, for user data any JSON value, or None.

    `role`: the participants that the column names. Ids are copied by people and never folded or cut.
    """

    name: str
    title: str
    value: Callable[[Session], object]
    key: Callable[[object], SortKey | None] = _text_key
    role: Role | None = None
    is_id: bool = False
    is_time: bool = False


def _nicknames(session: Session, role: Role) -> tuple[str, ...]:
    return tuple(session.nicknames(role))


_ROWS = (
    Column("id", "id", lambda session: session.id, is_id=True),
    Column("state", "state", lambda session: session.state or None),
    Column("customer", "customer", lambda session: _nicknames(session, Role.CUSTOMER), role=Role.CUSTOMER),
    Column("agents", "agents", lambda session: _nicknames(session, Role.AGENT), role=Role.AGENT),
    Column("receivedDate", "received", lambda session: session.received, is_time=True),
    Column("uri", "uri", lambda session: session.uri or None),
    Column("comment", "comment", lambda session: session.comment or None),
    Column("capabilities", "capabilities", lambda session: session.capabilities),
)
COLUMNS = {column.name: column for column in _ROWS}
"""The columns beside `userData.KEY`, by name."""

DEFAULT_COLUMNS = tuple(COLUMNS[name] for name in ("id", "state", "customer", "agents", "receivedDate"))
"""The columns of a list without `--columns`."""

LIVE_COLUMNS = DEFAULT_COLUMNS[:4]
"""The same for `list --watch`, which adds waiting, typing and the last message."""

WAITING = Column("waiting", "waiting", lambda session: None)
"""A sort key of `list --watch` only, which knows the value and sorts by it."""

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

    def sorted(self, sessions: Iterable[Session]) -> tuple[Session, ...]:
        """The sessions in this order: equal ones as they come, those without a value last."""
        keyed = [(self.column.key(self.column.value(session)), session) for session in sessions]
        filled = [(key, session) for key, session in keyed if key is not None]
        filled.sort(key=lambda one: one[0], reverse=self.descending)
        empty = [session for key, session in keyed if key is None]
        return (*(session for _, session in filled), *empty)


def parse_columns(text: str) -> tuple[Column, ...]:
    """The columns of `--columns`, comma-separated. UsageError."""
    return tuple(_column(name.strip()) for name in text.split(","))


def parse_order(text: str, *, live: bool = False) -> SortOrder:
    """The order of `--sort`: a column, descending with `-` before it; `live`: also `waiting`. UsageError."""
    name, descending = text.removeprefix("-"), text.startswith("-")
    if name.casefold() != WAITING.name:
        return SortOrder(_column(name), descending)
    if not live:
        raise UsageError(f"--sort {WAITING.name} goes with --watch", hint="try `smscli list --watch`")
    return SortOrder(WAITING, descending)


def _column(name: str) -> Column:
    folded = name.casefold()
    found = next((column for known, column in COLUMNS.items() if known.casefold() == folded), None)
    if found is not None:
        return found
    key = name[len(_USER_DATA) :]
    if key and folded.startswith(_USER_DATA.casefold()):
        return user_data_column(key)
    from smscli.transcript.filters import unknown

    raise unknown("column", name, (*COLUMNS, f"{_USER_DATA}KEY"))


def user_data_column(key: str) -> Column:
    """The column of a user-data key, titled with the key alone unless another column has that title."""
    name = _USER_DATA + key
    title = name if key in _TITLES else key
    return Column(name, title, lambda session: _user_datum(session, key), _user_data_key)
