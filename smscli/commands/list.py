"""`smscli list`: the live sessions, once or kept on the screen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING

from smscli.commands.notices import none_as_asked, none_live
from smscli.commands.options import (
    ColumnsOption,
    CustomerOption,
    IntervalOption,
    JsonlOption,
    JsonOption,
    PushOption,
    RedactOption,
    SortOption,
    StateOption,
    TzOption,
    UtcOption,
    WaitingOption,
    WatchOption,
    interval_seconds,
    wants_push,
)
from smscli.commands.zones import zone_of
from smscli.context import AppContext
from smscli.errors import UsageError
from smscli.model import Listing, Session
from smscli.output.columns import DEFAULT_COLUMNS, LIVE_COLUMNS, Column, SortOrder, parse_columns, parse_order
from smscli.output.export import json_array, session_row
from smscli.records import session_json

if TYPE_CHECKING:
    from smscli.transcript.filters import SessionFilter


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which sessions to show, in which order (None: the server's), with which columns."""

    columns: tuple[Column, ...]
    filter: "SessionFilter | None" = None
    order: SortOrder | None = None

    def apply(self, sessions: Iterable[Session]) -> tuple[Session, ...]:
        """The sessions that pass, in order."""
        passed = tuple(one for one in sessions if self.filter is None or self.filter.passes(one))
        return self.order.sorted(passed) if self.order else passed


def list_(
    app: AppContext,
    json: JsonOption = False,
    jsonl: JsonlOption = False,
    state: StateOption = None,
    customer: CustomerOption = None,
    sort: SortOption = None,
    columns: ColumnsOption = None,
    watch: WatchOption = False,
    waiting: WaitingOption = None,
    interval: IntervalOption = None,
    push: PushOption = None,
    redact: RedactOption = False,
    utc: UtcOption = False,
    tz: TzOption = None,
) -> None:
    """List the live sessions: who is in them, since when.

    A server shows the sessions of the user that signs in, and no others. With --watch the list stays on the
    screen and tells who waits, who is typing, and what was said last.
    """
    zone = zone_of(utc, tz)
    query = _query(state or (), customer, sort, columns, live=watch)
    rhythm, pushed = interval_seconds(interval), wants_push(push)
    if watch:
        if json or jsonl:
            raise UsageError("--watch goes with neither --json nor --jsonl")
        from smscli.commands.watch import Asked, keep_watch

        keep_watch(app, Asked(query, waiting, rhythm, pushed, redact, zone))
        return
    _need_watch(("--waiting", waiting), ("--interval", interval), ("--push", push))
    listing = app.client.sessions()
    sessions = query.apply(listing.sessions)
    if redact:
        from smscli.transcript import redact as masking

        # Chosen and sorted by what is masked, or all would be alike.
        sessions = tuple(map(masking.session, sessions))
    if json:
        app.terminal.write(json_array([session_json(session) for session in sessions]))
    elif jsonl:
        app.terminal.write("".join(f"{session_json(session)}\n" for session in sessions))
    else:
        _write_rows(app, sessions, query.columns, zone)
    _tell_whose(app, listing, len(sessions))


def _query(
    states: Sequence[str], customer: str | None, sort: str | None, columns: str | None, *, live: bool
) -> ListQuery:
    filter = None
    if states or customer is not None:
        from smscli.transcript import filters

        filter = filters.SessionFilter(filters.states(states), customer)
    return ListQuery(
        parse_columns(columns) if columns is not None else LIVE_COLUMNS if live else DEFAULT_COLUMNS,
        filter,
        parse_order(sort, live=live) if sort is not None else None,
    )


def _need_watch(*options: tuple[str, object]) -> None:
    for name, value in options:
        if value is not None:
            raise UsageError(f"{name} goes with --watch", hint="try `smscli list --watch`")


def _write_rows(
    app: AppContext, sessions: Sequence[Session], columns: Sequence[Column], zone: tzinfo | None
) -> None:
    """A line or a table's row for each session."""
    if app.terminal.pipe:
        app.terminal.write("".join(f"{session_row(session, columns)}\n" for session in sessions))
    elif sessions:
        from smscli.output.render.tables import sessions_table

        caption = f"SMS sessions of {app.user} at {app.host}"
        app.terminal.write(sessions_table(sessions, caption, app.terminal, columns=columns, zone=zone))


def _tell_whose(app: AppContext, listing: Listing, shown: int) -> None:
    """Say what a reader of a list may wonder about: why it is empty, or so bare."""
    if not listing.sessions:
        app.notice("whose", none_live(app))
    elif not shown:
        app.notice("whose", none_as_asked(len(listing.sessions)))
    if listing.uris_only:
        app.notice("whose", "the server sent addresses in place of sessions: of those only the ids are known")
