"""`smscli check`: what is wrong with conversations, by fixed rules."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from smscli.commands import option_values as values
from smscli.commands import options as opt
from smscli.commands.activity import LogRead, read_logs, report_unread
from smscli.commands.naming import find_session, named_sessions
from smscli.commands.notices import no_live_sessions
from smscli.commands.profiles import SharedSession, read_lists, selected_profiles
from smscli.commands.sources import check_named, open_sources
from smscli.context import AppContext
from smscli.errors import CHECK_FAILED, SmscliError
from smscli.model import Listing, Page, Session
from smscli.output.formats import output_format
from smscli.transcript.findings import Checkup, SessionFindings, unreadable
from smscli.transcript.judging import Outage

EverySessionOption = Annotated[
    bool, opt.filter_option("--all", help="Check every session of the list, ended ones too.")
]
LimitOption = Annotated[
    str | None,
    opt.filter_option(
        "--waiting", metavar="TIME", help="Fail when a customer has waited this long (default: 10m)."
    ),
]
VerboseOption = Annotated[
    bool, opt.output_option("--verbose", "-v", help="On a terminal, show the checks that are ok too.")
]
CheckArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[@FILE|-]... [ID]...",
        help=f"Session ids, nicknames, beginnings or ends of ids; in front of them {opt.SOURCES}.",
    ),
]


def check(
    app: AppContext,
    sessions: CheckArgument = None,
    source: opt.SourceOption = None,
    nats_creds: opt.CredentialsOption = None,
    every: EverySessionOption = False,
    waiting: LimitOption = None,
    verbose: VerboseOption = False,
    json: opt.JsonOption = False,
    jsonl: opt.JsonlOption = False,
    redact: opt.RedactOption = False,
    utc: opt.UtcOption = False,
    tz: opt.TzOption = None,
    every_profile: opt.AllProfilesOption = False,
) -> int:
    """Find out what is wrong with conversations.

    Does a customer wait, did an answer go to agents only, how did it end, is it stuck, were messages lost,
    doubled or damaged, how many SMS did a text become. Exits with 6 when something needs action now.

    Delivery to the handset can't be seen here: see the SMS driver's log and the carrier's receipts. A last
    "thanks" counts as waiting until the agent completes the session.
    """
    zone = values.zone_option(utc, tz)
    form = output_format(app.terminal, json=json, jsonl=jsonl, zone=zone)
    limit = values.waiting_seconds(waiting)
    names = open_sources(app, sessions, source, nats_creds)
    check_named(app, "check", names, every=every)
    apps, failure = selected_profiles(app, every=every_profile), None
    if app.recorded:
        found = recorded_findings(
            app, lambda listing: _named(app, listing, names, redact=redact), limit, names=names
        )
    else:
        lists = read_lists(apps)
        selected = named_sessions(apps, lists, names, redact=redact)
        found, failure = _live_findings(app, selected, limit, is_only=not every and len(selected) == 1)
        failure = lists.failure or failure
    if redact:
        found = [masked_findings(one) for one in found]
    with form.findings(verbose=verbose) as writer:
        writer.write(found)
    if not found:
        empty = f"the {app.recorded.kind} contains no session" if app.recorded else no_live_sessions(app)
        app.notice("whose", empty)
    if any(one.fails for one in found):
        return CHECK_FAILED
    return failure.exit_code if failure else 0


def recorded_findings(
    app: AppContext,
    select: Callable[[Listing], Sequence[Session]],
    limit: float | None = None,
    *,
    names: Sequence[str] = (),
) -> list[SessionFindings]:
    """The findings of the sessions of recordings that `select` chooses, which have one of these names; of
    recordings everything is read first, of a stream only what is named."""
    recorded = app.recorded
    assert recorded
    wanted: set[str] | None = None
    if names and recorded.is_shared:
        wanted = {one.id for one in select(recorded.sessions_named(names))}
    replayed = recorded.replay(Checkup, wanted)
    if wanted is None:
        wanted = {one.id for one in select(recorded.sessions())}
    now, stale = recorded.now, recorded.stale_message(datetime.now(UTC))
    return [
        SessionFindings(
            one.session,
            one.reader.findings(
                one.session if one.has_state else None,
                now,
                limit=limit,
                outages=[Outage(*lost[1:4]) for lost in one.disconnections],
                recorded=recorded.kind,
                stale=stale,
            ),
            now,
        )
        for one in replayed
        if one.session.id in wanted
    ]


class ReadFindings:
    """The findings of the session, or of the whole recording, whose messages are being read."""

    def __init__(
        self, app: AppContext, session_id: str | None, session: Session | None, *, redact: bool
    ) -> None:
        """`session` is None where the list has it not, or for a whole recording (`session_id` None)."""
        self._app = app
        self._session_id = session_id
        self._session = session
        self._redact = redact
        self._checkup = Checkup()

    def judged(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages, judged as they are read; those of recordings are read again at the end."""
        for page in pages:
            if not self._app.recorded:
                for message in page.messages:
                    self._checkup.add(message.unmasked)
            yield page

    def __call__(self) -> Sequence[SessionFindings]:
        """What was found; to be called when everything is read."""
        found = self._recorded() if self._app.recorded else [self._live()]
        return [masked_findings(one) for one in found] if self._redact else found

    def _recorded(self) -> list[SessionFindings]:
        wanted = self._session_id

        def named(listing: Listing) -> list[Session]:
            return [one for one in listing.sessions if wanted in (None, one.id)]

        return recorded_findings(self._app, named, names=[wanted] if wanted else ())

    def _live(self) -> SessionFindings:
        now = self._app.now
        shown = self._session or Session(self._session_id or "")
        return SessionFindings(shown, self._checkup.findings(self._session, now), now)


def masked_findings(found: SessionFindings) -> SessionFindings:
    """The same with everything that people wrote masked."""
    from smscli.transcript.redact import mask_session, mask_text

    return found.masked(mask_text)._replace(session=mask_session(found.session))


def _live_findings(
    app: AppContext, sessions: Sequence[SharedSession], limit: float | None, *, is_only: bool
) -> tuple[list[SessionFindings], SmscliError | None]:
    """The findings of these sessions, and the first error; that of the only session is raised."""
    reads = read_logs(app, sessions, lambda session: Checkup())
    if is_only and (error := reads[0].error):
        raise error
    reads, failure = report_unread(reads)
    return [_findings(one, limit) for one in reads], failure


def _findings(read: LogRead[Checkup], limit: float | None) -> SessionFindings:
    app, profile = read.shared.app, read.shared.profile
    if read.error is not None:
        return unreadable(read.session, read.error.message)._replace(profile=profile)
    if read.reader.facts.is_empty:
        app.notice("whose", f"no messages yet in session {read.session.id}", read.session.id)
    found = read.reader.findings(read.session, app.now, limit=limit)
    return SessionFindings(read.session, found, app.now, profile)


def _named(app: AppContext, listing: Listing, names: Sequence[str], *, redact: bool) -> list[Session]:
    """The sessions of the list that are named; without names all. NotFound."""
    if not names:
        return [*listing.sessions]
    return [find_session(app, listing, name, redact=redact) for name in names]
