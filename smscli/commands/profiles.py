"""Selects profiles, reads several side by side, and tells which of their sessions are one."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from smscli.context import AppContext
from smscli.errors import NotConfigured, SmscliError
from smscli.model import Listing, Session
from smscli.settings.config import CliOptions, check_several_profiles, profile_names, uses_demo
from smscli.signals import start_thread

_READS_UNDER_WAY = 4
_WAIT_SECONDS = 0.1

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Outcome(NamedTuple, Generic[_Item, _Result]):
    """What came of one of several jobs: a result or an error."""

    item: _Item
    result: _Result | None = None
    error: Exception | None = None


def side_by_side(
    app: AppContext, items: Sequence[_Item], job: Callable[[_Item], _Result], progress: str
) -> list[Outcome[_Item, _Result]]:
    """Do a job for each item, at most four at once, in threads; the outcomes in the order of the items.

    `progress` names the items in the plural. An internal error is raised.
    """
    from queue import Empty, SimpleQueue

    waiting: SimpleQueue[int | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, Outcome[_Item, _Result]]] = SimpleQueue()

    def work() -> None:
        while (place := waiting.get()) is not None:
            try:
                done.put((place, Outcome(items[place], job(items[place]))))
            except Exception as error:
                done.put((place, Outcome(items[place], error=error)))

    threads = min(_READS_UNDER_WAY, len(items))
    for place in range(len(items)):
        waiting.put(place)
    for _ in range(threads):
        waiting.put(None)
        start_thread(work, name="reads")
    found: dict[int, Outcome[_Item, _Result]] = {}
    while len(found) < len(items):
        try:
            place, outcome = done.get(timeout=_WAIT_SECONDS)
            found[place] = outcome
        except Empty:
            app.terminal.check()
            app.terminal.progress(_cut(f"{len(found)} of {len(items)} {progress}"))
    app.terminal.progress(None)
    for outcome in found.values():
        if outcome.error is not None and not isinstance(outcome.error, SmscliError):
            raise outcome.error
    return [found[place] for place in range(len(items))]


def _cut(text: str) -> Callable[[int], str]:
    return lambda width: text[:width]


def selected_profiles(app: AppContext, *, every: bool) -> list[AppContext]:
    """The contexts of the profiles that are to be read, `every` for all saved ones: `app` alone, or one for
    each. UsageError for what must not go to several servers."""
    if uses_demo(app.options, app.environ) or app.reads_recordings:
        return [app]
    saved = app.config
    names = tuple(saved.profiles) if every else profile_names(app.options, app.environ, saved)
    if every and not names:
        raise NotConfigured("no profile is saved", hint="sign in with `smscli auth login`")
    if len(names) > 1:
        check_several_profiles(app.options, app.environ)
        return [app.of_profile(name) for name in names]
    if names:
        app.add_options(CliOptions(profile=names[0]))
    return [app]


class SharedSession(NamedTuple):
    """A session as the profiles that have it see it, in the order in which they are to be asked: live views
    first, each by the profile's name. Whose view is shown, `app`, comes first."""

    views: tuple[tuple[AppContext, Session], ...]

    @property
    def app(self) -> AppContext:
        return self.views[0][0]

    @property
    def session(self) -> Session:
        return self.views[0][1]

    @property
    def profile(self) -> str | None:
        """The name of the profile; None where only one is read."""
        return self.app.label


class Lists(NamedTuple):
    """The sessions of all profiles that could be read, each once, and the first error."""

    sessions: tuple[SharedSession, ...]
    listings: tuple[Listing, ...]
    failure: SmscliError | None = None


def read_lists(apps: Sequence[AppContext], *, ended: bool = False) -> Lists:
    """Read the list of each profile; one that fails is reported. SmscliError if all fail. `ended`: of a
    stream, read sessions that have ended too."""
    if len(apps) == 1:
        (app,) = apps
        listing = app.recorded.listed(ended=ended) if app.recorded else app.source.sessions()
        return Lists(tuple(SharedSession(((app, one),)) for one in listing.sessions), (listing,))
    failures = _run_password_commands(apps)
    # Other secrets are read here: a keyring may ask for its password, and threads must not.
    clients = {id(app): failures.get(id(app)) or _connected(app) for app in apps}

    def read(app: AppContext) -> Listing:
        client = clients[id(app)]
        if isinstance(client, SmscliError):
            raise client
        return app.source.sessions()

    outcomes = side_by_side(apps[0], apps, read, "profiles read")
    failure = next((one.error for one in outcomes if isinstance(one.error, SmscliError)), None)
    listed = [(one.item, one.result) for one in outcomes if one.result is not None]
    if failure and not listed:
        outcomes[0].item.explain_as_profile(failure)
        raise failure
    for app, error in ((one.item, one.error) for one in outcomes):
        if isinstance(error, SmscliError):
            app.explain(error)
            app.notice("lost", f"can't be read: {error.message}")
    return Lists(shared_sessions(listed), tuple(listing for _, listing in listed), failure)


def _run_password_commands(apps: Sequence[AppContext]) -> dict[int, Exception]:
    """Read the secrets that come from commands side by side; the errors by the ids of the contexts."""
    commands = [app for app in apps if app.has_password_command]
    outcomes = side_by_side(apps[0], commands, lambda app: app.read_credential(), "secrets read")
    for one in outcomes:
        if one.result is not None:
            one.item.use_next(one.result)
    return {id(one.item): one.error for one in outcomes if one.error is not None}


def _connected(app: AppContext) -> object:
    """The profile's client, signed in as far as that takes no request, or the error."""
    try:
        app.client.transport.auth.read()
    except SmscliError as error:
        return error
    return app.client


def shared_sessions(listed: Sequence[tuple[AppContext, Listing]]) -> tuple[SharedSession, ...]:
    """The sessions of the lists, in their order; one that several agents of a server have is one."""
    views: dict[tuple[str, str], list[tuple[AppContext, Session]]] = {}
    for app, listing in listed:
        for session in listing.sessions:
            views.setdefault((app.server_name, session.id), []).append((app, session))
    return tuple(SharedSession(tuple(sorted(one, key=_rank))) for one in views.values())


def _rank(view: tuple[AppContext, Session]) -> tuple[bool, str]:
    app, session = view
    return session.ended, app.label or ""
