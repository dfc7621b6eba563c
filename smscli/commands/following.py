"""What `tail` and `list --watch` follow: the events of one or several profiles, or of recordings."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from smscli.commands.follow_reads import FollowReads
from smscli.context import AppContext
from smscli.errors import SmscliError
from smscli.follow.cursor import Cursor
from smscli.follow.feed import Feed
from smscli.follow.loop import FeedBegan, FeedFailed, FeedLoop
from smscli.follow.rate import LIMIT, RateLimit
from smscli.follow.slots import ReadSlots
from smscli.model import (
    Event,
    ListRead,
    NewMessages,
    Notice,
    Page,
    ProfileFailed,
    SessionStarted,
)

if TYPE_CHECKING:
    from smscli.recordings.server import FollowedServer


ProfileEvent = tuple[AppContext, Event]
"""An event, and the context of the profile that it came from."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where an earlier run stopped in the logs of one server: cursors by session id, and the profile that
    read each of them last, where that is recorded."""

    cursors: dict[str, Cursor] = field(default_factory=dict)
    profiles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FollowOptions:
    """How profiles are followed: with masking, the polling interval in seconds, whether to use push, what
    redraws the screen while nothing arrives, where an earlier run stopped, by server, and how many reads may
    start in a second."""

    redact: bool
    interval: float
    pushed: bool
    refresh: Callable[[], None]
    resume: Mapping[str, Resumed] = field(default_factory=dict)
    reads_per_second: int = LIMIT


def events(
    apps: Sequence[AppContext],
    ids: Mapping[AppContext, Sequence[str]] | None,
    options: FollowOptions,
) -> Iterator[ProfileEvent]:
    """Follow the sessions with these ids of each profile, or all sessions; raises what `FeedLoop.events`
    raises."""
    by_name = {app.label or "": app for app in apps}
    reads = FollowReads(by_name, options)
    loop = FeedLoop(
        _feeds(by_name, ids, options, reads),
        wait=reads.wait,
        clock=apps[0].clock,
        # A shared session is asked for in the order of names.
        groups=[sorted(group) for group in _grouped(by_name, lambda app: app.server_name) if len(group) > 1],
    )
    try:
        yield from _events(loop, by_name, apps[0].root)
    except SmscliError as error:
        if loop.failed:
            by_name[loop.failed].explain_as_profile(error)
        raise


def _events(loop: FeedLoop, by_name: Mapping[str, AppContext], root: AppContext) -> Iterator[ProfileEvent]:
    for name, event in loop.events():
        app = by_name[name] if name is not None else root
        if isinstance(event, Notice) and event.kind in ("push-trusted", "push-lost"):
            app.update_server_info(trusted=event.kind == "push-trusted")
        yield app, _explained(app, event)
        if isinstance(event, FeedFailed) and not event.is_retried:
            # Its push channel too.
            app.close()


def followed_servers(apps: Sequence[AppContext]) -> "dict[str, FollowedServer]":
    """The servers of these profiles by their names; the time of each is the newest answer's."""
    from smscli.recordings.server import FollowedServer

    servers: dict[str, list[AppContext]] = {}
    for app in apps:
        servers.setdefault(app.server_name, []).append(app)

    def followed(of_server: list[AppContext]) -> FollowedServer:
        def now() -> datetime | None:
            return max(filter(None, (app.server_time for app in of_server)), default=None)

        return FollowedServer(now, [one for app in of_server if (one := app.profile_name)])

    return {server: followed(of_server) for server, of_server in servers.items()}


def configured(apps: Sequence[AppContext]) -> list[AppContext]:
    """Those of several profiles whose settings say which server to ask; the others are reported. SmscliError
    if there is none."""
    if len(apps) == 1:
        return [*apps]
    usable, failures = [], []
    for app in apps:
        try:
            _ = app.server_name
            usable.append(app)
        except SmscliError as error:
            failures.append((app, error))
    if not usable:
        raise failures[0][1]
    for app, failure in failures:
        app.notice("lost", f"can't be read: {failure.message}")
    return usable


def _feeds(
    apps: Mapping[str, AppContext],
    ids: Mapping[AppContext, Sequence[str]] | None,
    options: FollowOptions,
    reads: "FollowReads",
) -> dict[str, Feed]:
    process = RateLimit(limit=options.reads_per_second)
    slots = {
        name: slot
        for group in _grouped(apps, lambda app: app.base_url)
        for slot in [ReadSlots(process)]
        for name in group
    }
    feeds = {}
    for name, app in apps.items():
        resumed = options.resume.get(app.server_name, Resumed())
        feeds[name] = Feed(
            reads.profiles[name].start,
            clock=app.clock,
            interval=options.interval,
            slots=slots[name],
            ids=None if ids is None else ids[app],
            are_known=len(apps) > 1,
            trusted=options.pushed and app.server_info.trusted,
            resume=resumed.cursors,
            unfinished=_unfinished(app, apps.values(), resumed),
        )
    return feeds


def _unfinished(app: AppContext, apps: Iterable[AppContext], resumed: Resumed) -> list[str]:
    """The sessions of an earlier run that this profile reads even where its list lacks them: those that it
    recorded; the first profile also those of which that isn't known."""
    is_first = app is next(one for one in apps if one.server_name == app.server_name)
    whose = {one: resumed.profiles.get(one) for one in resumed.cursors}
    return [one for one, name in whose.items() if (is_first if name is None else name == app.profile_name)]


def _grouped(apps: Mapping[str, AppContext], key: Callable[[AppContext], str]) -> list[list[str]]:
    """The names of the profiles with the same key together."""
    groups: dict[str, list[str]] = {}
    for name, app in apps.items():
        groups.setdefault(key(app), []).append(name)
    return [*groups.values()]


def _explained(app: AppContext, event: Event | FeedFailed | FeedBegan) -> Event:
    match event:
        case FeedBegan():
            return Notice("reconnected", "can be read now")
        case FeedFailed(error, is_retried):
            app.explain(error)
            return ProfileFailed(error.message, is_retried)
    return event


def recorded_events(
    app: AppContext, ids: Sequence[str] | None, *, redact: bool, refresh: Callable[[], None]
) -> Iterator[ProfileEvent]:
    """Follow the sessions of recordings or of a stream, as `events` those of servers."""

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        app.terminal.check()
        refresh()

    assert app.recorded
    for event in app.recorded.follow(wait, ids):
        yield app, _masked(event) if redact else event


def _masked(event: Event) -> Event:
    from smscli.transcript.redact import mask_listing, mask_page, mask_session

    match event:
        case NewMessages(_, messages):
            return event._replace(messages=mask_page(Page(messages)).messages)
        case ListRead(listing):
            return ListRead(mask_listing(listing))
        case SessionStarted(session):
            return event._replace(session=mask_session(session))
    return event
