"""`smscli list`: the live sessions, once or kept on the screen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from smscli.commands import options as opt
from smscli.commands.notices import no_live_sessions, none_matches, notice_no_match
from smscli.context import AppContext
from smscli.errors import UsageError
from smscli.model import Listing, Session
from smscli.output.columns import (
    COLUMNS,
    DEFAULT_COLUMNS,
    LIVE_COLUMNS,
    WAITING,
    Column,
    SortOrder,
    parse_columns,
    parse_order,
    unmatched_user_data,
)
from smscli.output.formats import output_format

if TYPE_CHECKING:
    from smscli.transcript.filters import SessionFilter

_COLUMN_NAMES = f"{', '.join(COLUMNS)} and userData.KEY"

SortOption = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="KEY",
        help=f"Sort by a column, descending with -KEY; with --watch also by {WAITING.name}.",
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B", help=f"Columns to show, comma-separated: {_COLUMN_NAMES}."),
]


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

    def notices(self, sessions: Sequence[Session]) -> Iterator[str]:
        """One for each state and each key of the user data that none of the sessions has."""
        if self.filter:
            yield from self.filter.notices(sessions)
        yield from _unmatched("--columns", self.columns, sessions)
        yield from _unmatched("--sort", [self.order.column] if self.order else [], sessions)


def list_(
    app: AppContext,
    json: opt.JsonOption = False,
    jsonl: opt.JsonlOption = False,
    state: opt.StateOption = None,
    customer: opt.CustomerOption = None,
    sort: SortOption = None,
    columns: ColumnsOption = None,
    watch: opt.WatchOption = False,
    waiting: opt.WaitingOption = None,
    interval: opt.IntervalOption = None,
    push: opt.PushOption = None,
    redact: opt.RedactOption = False,
    utc: opt.UtcOption = False,
    tz: opt.TzOption = None,
) -> None:
    """List the live sessions and their participants.

    A server shows the sessions of the signed-in user only. With --watch the list stays on the screen, with
    who waits, who is typing and the last message.
    """
    zone = opt.zone_option(utc, tz)
    form = output_format(app.terminal, json=json, jsonl=jsonl, zone=zone)
    query = _query(state or (), customer, sort, columns, live=watch)
    seconds, pushed = opt.interval_seconds(interval), opt.uses_push(push)
    if watch:
        if json or jsonl:
            raise UsageError("--watch goes with neither --json nor --jsonl")
        from smscli.commands.watch import WatchOptions, watch_list

        watch_list(app, WatchOptions(query, waiting, seconds, pushed, redact, zone))
        return
    _need_watch({"--waiting": waiting, "--interval": interval, "--push": push})
    listing = app.client.sessions()
    sessions = query.apply(listing.sessions)
    if redact:
        from smscli.transcript import redact as masking

        # Masked after filtering and sorting: masked values are all alike.
        sessions = tuple(map(masking.mask_session, sessions))
    caption = f"SMS sessions of {app.user} at {app.host}"
    app.terminal.write(form.sessions(sessions, query.columns, caption))
    notice_no_match(app, query.notices(listing.sessions), redact=redact)
    _notice_empty(app, listing, len(sessions))


def _query(
    states: Sequence[str], customer: str | None, sort: str | None, columns: str | None, *, live: bool
) -> ListQuery:
    filter = None
    if states or customer is not None:
        from smscli.transcript import filters

        filter = filters.session_filter(states, customer)
    return ListQuery(
        parse_columns(columns) if columns is not None else LIVE_COLUMNS if live else DEFAULT_COLUMNS,
        filter,
        parse_order(sort, live=live) if sort is not None else None,
    )


def _unmatched(option: str, columns: Iterable[Column], sessions: Sequence[Session]) -> Iterator[str]:
    for column in columns:
        keys = unmatched_user_data(column, sessions)
        if sessions and keys is not None:
            from smscli.transcript.filters import listed

            found = f"user data found here: {listed(keys)}" if keys else "no session has user data"
            yield f"{option} {column.name} matches nothing; {found}"


def _need_watch(options: dict[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} goes with --watch", hint="try `smscli list --watch`")


def _notice_empty(app: AppContext, listing: Listing, shown: int) -> None:
    """Say why the list is empty, or has ids only."""
    if not listing.sessions:
        app.notice("whose", no_live_sessions(app))
    elif not shown:
        app.notice("no-match", none_matches(len(listing.sessions)))
    if listing.uris_only:
        app.notice("whose", "the server sent addresses in place of sessions: of those only the ids are known")
