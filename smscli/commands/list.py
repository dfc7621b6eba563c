"""`smscli list`: the live sessions, once or kept on the screen."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

from smscli.commands import option_values as values
from smscli.commands import options as opt
from smscli.commands.notices import no_live_sessions, none_matches, notice_no_match
from smscli.commands.profiles import Lists, SharedSession, read_lists, selected_profiles
from smscli.commands.sources import command_line, open_sources
from smscli.context import AppContext
from smscli.errors import SmscliError, UsageError
from smscli.model import ENDED_STATES, Session, caseless
from smscli.output.columns import (
    ACTIVITY_COLUMNS,
    COLUMNS,
    DEFAULT_COLUMNS,
    LIVE_COLUMNS,
    LONGEST_WAIT_FIRST,
    PROFILE,
    Column,
    ListedSession,
    SessionTable,
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
    opt.output_option("--sort", metavar="KEY", help="Sort by one of the columns, descending with -KEY."),
]
ColumnsOption = Annotated[
    str | None,
    opt.output_option("--columns", metavar="A,B", help=f"Columns to show: {_COLUMN_NAMES}."),
]


class ListQuery(NamedTuple):
    """Which sessions to show, in which order (None: the server's), with which columns. `waiting`: only those
    whose customer has waited so many seconds."""

    columns: tuple[Column, ...]
    filter: "SessionFilter | None" = None
    order: SortOrder | None = None
    waiting: float | None = None

    @property
    def needs_activity(self) -> bool:
        """Whether the sessions' logs must be read."""
        ordered = self.order is not None and self.order.column.of_activity
        return ordered or self.waiting is not None or any(one.of_activity for one in self.columns)

    def with_activity(self) -> "ListQuery":
        """The same with the activity columns behind the chosen ones."""
        added = tuple(one for one in ACTIVITY_COLUMNS if one not in self.columns)
        return self._replace(columns=self.columns + added)

    def passes(self, session: Session) -> bool:
        """Whether a session passes the filters on what the list says of it."""
        return self.filter is None or self.filter.passes(session)

    def arrange(self, sessions: Iterable[ListedSession]) -> tuple[ListedSession, ...]:
        """Those whose customers wait long enough, in order."""
        passed = tuple(one for one in sessions if self.waiting is None or _waits(one) >= self.waiting)
        return self.order.sorted(passed) if self.order else passed

    def notices(self, sessions: Sequence[Session]) -> Iterator[str]:
        """One for each state and each key of the user data that none of the sessions has."""
        if self.filter:
            yield from self.filter.notices(sessions)
        yield from _unmatched("--columns", self.columns, sessions)
        yield from _unmatched("--sort", [self.order.column] if self.order else [], sessions)


def _waits(listed: ListedSession) -> float:
    seconds = listed.activity.waiting_seconds if listed.activity else None
    return -1.0 if seconds is None else seconds


def list_(
    app: AppContext,
    recordings: opt.RecordingsArgument = None,
    source: opt.SourceOption = None,
    nats_creds: opt.CredentialsOption = None,
    json: opt.JsonOption = False,
    jsonl: opt.JsonlOption = False,
    state: opt.StateOption = None,
    customer: opt.CustomerOption = None,
    sort: SortOption = None,
    columns: ColumnsOption = None,
    activity: opt.ActivityOption = False,
    watch: opt.WatchOption = False,
    waiting: opt.WaitingOption = None,
    interval: opt.IntervalOption = None,
    push: opt.PushOption = None,
    redact: opt.RedactOption = False,
    utc: opt.UtcOption = False,
    tz: opt.TzOption = None,
    every: opt.AllProfilesOption = False,
) -> int:
    """List the live sessions and their participants.

    A server shows the sessions of the signed-in user only; a recording has ended sessions too, with their
    last state. --activity reads their messages too: who waits, who is typing, the last message. With --watch
    the list stays on the screen.
    """
    zone = values.zone_option(utc, tz)
    form = output_format(app.terminal, json=json, jsonl=jsonl, zone=zone)
    query = _query(state or (), customer, sort, columns, waiting, live=watch)
    seconds, pushed = values.interval_seconds(interval), values.uses_push(push)
    if names := open_sources(app, recordings, source, nats_creds):
        raise UsageError(
            f"list takes no session, but {names[0]!r} was given", hint="see `smscli show --help`"
        )
    if watch:
        if app.reads_recordings:
            command = command_line(app, "tail")
            raise UsageError(
                "--watch works with a server only, not with a recording or a stream",
                hint=f"`{command}` follows it" if command else None,
            )
        if json or jsonl:
            raise UsageError("--watch can't be combined with --json or --jsonl")
        from smscli.commands.following import configured
        from smscli.commands.watch import WatchOptions, watch_list

        apps = configured(selected_profiles(app, every=every))
        all_waits = query._replace(waiting=None)
        if len(apps) > 1:
            all_waits = all_waits._replace(columns=(*query.columns, PROFILE))
        watch_list(apps, WatchOptions(all_waits, query.waiting, seconds, pushed, redact, zone))
        return 0
    if interval is not None or push is not None:
        option = "--push" if interval is None else "--interval"
        raise UsageError(f"{option} requires --watch", hint="try `smscli list --watch`")
    if activity:
        query = query.with_activity()
    apps = selected_profiles(app, every=every)
    lists = read_lists(apps, ended=_are_ended(state or ()))
    if len(apps) > 1:
        query = query._replace(columns=(*query.columns, PROFILE))
    known = [one.session for one in lists.sessions]
    chosen = [one for one in lists.sessions if query.passes(one.session)]
    selected, failure = [ListedSession(one.session, None, one.profile) for one in chosen], lists.failure
    if query.needs_activity:
        selected, unread = _with_activity(app, chosen)
        failure = failure or unread
    sessions = query.arrange(selected)
    if redact:
        # After filtering and sorting: masked values are all alike.
        sessions = tuple(map(_masked, sessions))
    whose = app.whose if len(apps) == 1 else f"of {len(apps)} profiles"
    table = SessionTable(sessions, query.columns, f"SMS sessions {whose}", query.needs_activity)
    app.terminal.write(form.sessions(table))
    notice_no_match(app, query.notices(known), redact=redact)
    has_unread = query.needs_activity and any(one.activity is None for one in selected)
    is_live = not app.recorded or (app.recorded.is_shared and not _are_ended(state or ()))
    _notice_empty(
        apps, lists, is_empty=not sessions and not has_unread, kind="live" if is_live else "recorded"
    )
    return failure.exit_code if failure else 0


def _with_activity(
    app: AppContext, sessions: Sequence[SharedSession]
) -> tuple[list[ListedSession], SmscliError | None]:
    """The sessions with their activity, None for one that can't be read, and the first error."""
    from smscli.commands.activity import SessionReader, read_logs, report_unread

    reads, failure = report_unread(read_logs(app, sessions, SessionReader))
    listed = []
    for one in reads:
        now = one.shared.app.server_time
        activity = None if one.error else one.reader.summary(now)
        listed.append(ListedSession(one.session, activity, one.shared.profile))
    return listed, failure


def _are_ended(states: Sequence[str]) -> bool:
    """Whether one of these states is one in which a session has ended."""
    return bool({*map(caseless, states)} & {*map(caseless, ENDED_STATES)})


def _query(
    states: Sequence[str],
    customer: str | None,
    sort: str | None,
    columns: str | None,
    waiting: str | None,
    *,
    live: bool,
) -> ListQuery:
    filter = None
    if states or customer is not None:
        from smscli.transcript.filters import session_filter

        filter = session_filter(states, customer)
    default = LIVE_COLUMNS if live else DEFAULT_COLUMNS
    query = ListQuery(
        parse_columns(columns) if columns is not None else default,
        filter,
        parse_order(sort) if sort is not None else LONGEST_WAIT_FIRST if live else None,
        values.waiting_seconds(waiting),
    )
    return query.with_activity() if live else query


def _masked(one: ListedSession) -> ListedSession:
    from smscli.transcript import redact

    activity = redact.mask_activity(one.activity) if one.activity else None
    return ListedSession(redact.mask_session(one.session), activity, one.profile)


def _unmatched(option: str, columns: Iterable[Column], sessions: Sequence[Session]) -> Iterator[str]:
    for column in columns:
        keys = unmatched_user_data(column, sessions)
        if sessions and keys is not None:
            from smscli.transcript.filters import listed

            found = f"user data found here: {listed(keys)}" if keys else "no session has user data"
            yield f"{option} {column.name} matches nothing; {found}"


def _notice_empty(apps: Sequence[AppContext], lists: Lists, *, is_empty: bool, kind: str) -> None:
    """Say why the list is empty, or has ids only."""
    app = apps[0]
    if not lists.sessions:
        for one in apps:
            one.notice("whose", no_live_sessions(one))
    elif is_empty:
        app.notice("no-match", none_matches(len(lists.sessions), kind))
    if any(listing.uris_only for listing in lists.listings):
        app.notice("whose", "the server sent addresses in place of sessions: of those only the ids are known")
