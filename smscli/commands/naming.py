"""Finds the session that a command's ID argument names: by its id, its customer, or a part of its id."""

import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TypeVar

from smscli.commands.notices import masked_text, no_live_sessions
from smscli.commands.profiles import Lists, SharedSession
from smscli.context import AppContext
from smscli.errors import NotFound, ServerError, did_you_mean
from smscli.gws.responses import is_invalid_parameter
from smscli.model import Listing, Role, Session
from smscli.output.render.wording import counted

# Ids look like this; a name that does is tried as an id before the list is asked.
_ID = re.compile("[A-Za-z0-9]{12,}")
_MOST_CANDIDATES = 10

_Result = TypeVar("_Result")


def find_session(app: AppContext, listing: Listing, name: str, *, redact: bool) -> Session:
    """The session of the list that `name` stands for, reported if it is not its id. NotFound if none or
    several fit; the hint then has the candidates."""
    found = listing.named(name)
    if len(found) != 1:
        raise _not_found(app, listing, name, found, redact=redact)
    (session,) = found
    if session.id != name:
        message = f"{masked_text(name, redact=redact)} is session {session.id}{_customers(session, redact)}"
        if session.ended and app.recorded and app.recorded.is_shared:
            # A customer of a centre has many sessions, and may have been expected to have a live one.
            message += ", which has ended"
        app.notice("whose", message, session.id)
    return session


def named_sessions(
    apps: Sequence[AppContext], lists: Lists, names: Sequence[str], *, redact: bool
) -> list[SharedSession]:
    """The sessions of several profiles that are named, each once; without names all. NotFound."""
    if not names:
        return [*lists.sessions]
    listing = Listing(tuple(one.session for one in lists.sessions))
    known = {id(one.session): one for one in lists.sessions}
    named = [find_session(apps[0], listing, name, redact=redact) for name in names]
    return [*{id(one): known[id(one)] for one in named}.values()]


def only_session(app: AppContext, listing: Listing, names: Sequence[str], *, redact: bool) -> Session:
    """The session that is named, else the only one that there is. NotFound."""
    if names:
        return find_session(app, listing, names[0], redact=redact)
    if len(listing.sessions) == 1:
        return listing.sessions[0]
    has = counted(len(listing.sessions), "session")
    raise NotFound(
        f"there {'is no session' if not listing.sessions else f'are {has}'} {app.whose}",
        hint=f"name one of {candidates(listing.sessions, redact=redact)}" if listing.sessions else None,
    )


def session_ids(app: AppContext, names: Sequence[str], *, redact: bool, by_list: bool = False) -> list[str]:
    """The ids that `names` stand for: what looks like an id itself, anything else by the list; with `by_list`
    all of them."""
    if not by_list and all(map(_ID.fullmatch, names)):
        return [*names]
    listing = _listing(app, names)
    found = (
        name if not by_list and _ID.fullmatch(name) else find_session(app, listing, name, redact=redact).id
        for name in names
    )
    return list(dict.fromkeys(found))


def with_session_id(app: AppContext, name: str, read: Callable[[str], _Result], *, redact: bool) -> _Result:
    """What `read` returns for the id that `name` stands for.

    What looks like an id is tried first, without a further request. If the server has no such session, the
    list decides.
    """
    (tried,) = session_ids(app, [name], redact=redact)
    try:
        return read(tried)
    except (NotFound, ServerError) as error:
        if tried != name or not (isinstance(error, NotFound) or is_invalid_parameter(error)):
            raise
        listing = _listing(app, [name])
        found = listing.named(name)
        if not found or found[0].id == name:
            raise
    return read(find_session(app, listing, name, redact=redact).id)


def _listing(app: AppContext, names: Sequence[str]) -> Listing:
    return app.recorded.sessions_named(names) if app.recorded else app.source.sessions()


def _not_found(
    app: AppContext, listing: Listing, name: str, found: tuple[Session, ...], *, redact: bool
) -> NotFound:
    if not found:
        hint = _contents(app, listing, redact=redact)
        return NotFound(f"no such session: {name}", hint=did_you_mean(listing.similar_id(name), hint))
    return NotFound(f"{name} fits {counted(len(found), 'session')}", hint=candidates(found, redact=redact))


def _contents(app: AppContext, listing: Listing, *, redact: bool) -> str:
    """Where to look for the sessions that there are."""
    if not listing.sessions:
        if app.label:
            return "none of the profiles has a live session"
        return f"the {app.recorded.kind} contains no session" if app.recorded else no_live_sessions(app)
    named = candidates(listing.sessions, redact=redact)
    if app.recorded:
        return f"the {app.recorded.kind} contains {named}"
    return f"`smscli list` shows the live sessions of {'the profiles' if app.label else app.user}: {named}"


def candidates(sessions: Sequence[Session], *, redact: bool) -> str:
    """The first few sessions, live ones first, with their customers."""
    first = sorted(sessions, key=attrgetter("ended"))[:_MOST_CANDIDATES]
    named = [f"{one.id}{_customers(one, redact)}" for one in first]
    more = [f"and {len(sessions) - _MOST_CANDIDATES} more"] if len(sessions) > _MOST_CANDIDATES else []
    return ", ".join([*named, *more])


def _customers(session: Session, redact: bool) -> str:
    names = ", ".join(masked_text(one, redact=redact) for one in session.nicknames(Role.CUSTOMER))
    return f" ({names})" if names else ""
