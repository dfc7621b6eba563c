"""`tail --to`: publishes what is followed to a stream."""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from smscli.commands.following import followed_servers
from smscli.commands.live import ServerClocks, session_key
from smscli.commands.sources import connect_stream, stream_address
from smscli.context import AppContext
from smscli.errors import NotFound
from smscli.jetstream.subjects import account_id
from smscli.model import Event, ListRead, NewMessages, Page, SessionStarted
from smscli.recordings.format import EndedRecord, SessionRecord
from smscli.recordings.server import ProfileRecord, RecordedServer
from smscli.records import SessionKey

if TYPE_CHECKING:
    from smscli.jetstream.connection import StreamConnection
    from smscli.jetstream.publisher import Publisher


# A little over one, so that rounding can't allow one read more.
_SECOND = 1.05


class StreamPublishing:
    """Publishes the records of the events of these profiles.

    `reads_per_second`: how many reads may catch up on what could not be published; the others of a run leave
    room for them. `resumed` are the sessions that a recording goes on with: what it holds of them already is
    read again, since the stream may not have it.
    """

    reads_per_second = 5

    def __init__(self, apps: Sequence[AppContext], *, redact: bool, resumed: Collection[SessionKey]) -> None:
        self._apps = apps
        self._redact = redact
        self._resumed = set(resumed)
        self._servers = {
            name: RecordedServer(one.now, profiles=one.profiles)
            for name, one in followed_servers(apps).items()
        }
        # Who reads each session's log.
        self._readers: dict[SessionKey, AppContext] = {}
        # The last state of each live session.
        self._states: dict[SessionKey, ProfileRecord] = {}
        self._publisher: Publisher | None = None
        # They run on while a server doesn't answer.
        self._clocks = ServerClocks(time.monotonic)

    def open(self, address: str, credentials: str | None) -> None:
        """Connect, and create the stream where it is missing. SmscliError."""
        from smscli.jetstream.publisher import Publisher

        app = self._apps[0]
        connection = connect_stream(app, stream_address(address), credentials)
        connection.ensure_stream()
        self._recall(connection)
        self._publisher = Publisher(
            connection,
            redact=self._redact,
            profiles=[self._name(one) for one in self._apps],
            servers=[*self._servers],
            notice=app.root.notice,
            read_log=self._read_log,
            on_replaced=self._begin_anew,
            on_doubt=lambda key: self._servers[key.server].tell_again(key.session_id),
            clock=self._time,
        )
        self._publisher.open()
        app.root.on_close(self._publisher.close)

    def _time(self) -> float:
        """The newest time of the servers, as of every other record, in epoch seconds."""
        told = filter(None, map(self._clocks.now, self._apps))
        return max(told, default=self._apps[0].now).timestamp()

    def _name(self, app: AppContext) -> str:
        """The profile's name, else the user's, which `--redact` leaves out."""
        return app.profile_name or (self._redact and _account(app)) or app.user

    def _recall(self, connection: "StreamConnection") -> None:
        """Note which sessions of these accounts the stream has as live: those that have ended meanwhile are
        recorded so. Of tokens no user is known: several profiles are told by their names, of others another
        collector may tell."""
        from smscli.jetstream.reads import StreamReads

        accounts = set(map(_account, self._apps))
        labels = {(one.server_name, one.label) for one in self._apps if one.label and not one.settings.user}
        for line, account in StreamReads(connection, lambda message: None).last_states():
            server, record = self._servers.get(line.server or ""), line.record
            is_ours = account in accounts if account else (line.server, line.profile) in labels
            if server and is_ours and isinstance(record, SessionRecord) and not record.session.ended:
                server.recall(record)

    def on_event(self, app: AppContext, event: Event) -> None:
        """Publish an event in time; returns at once."""
        assert self._publisher
        if isinstance(event, ListRead):
            self._clocks.set(app, event.listing.at)
        if isinstance(event, NewMessages | SessionStarted):
            id_ = event.session_id if isinstance(event, NewMessages) else event.session.id
            self._on_read(app, session_key(app, id_))
        for one in self._servers[app.server_name].records(event, app.label):
            if isinstance(one.record, SessionRecord):
                self._states[session_key(app, one.record.session.id)] = one
            elif isinstance(one.record, EndedRecord):
                self._states.pop(session_key(app, one.record.session_id), None)
            self._take(app.server_name, one)

    def _begin_anew(self) -> set[SessionKey]:
        """Publish the states of all live sessions to a stream that is another one; which these are."""
        assert self._publisher
        for key, one in self._states.items():
            self._take(key.server, one)
        return set(self._states)

    def _take(self, server: str, one: ProfileRecord) -> None:
        assert self._publisher
        account = None
        if isinstance(one.record, SessionRecord):
            reader = self._readers.get(SessionKey(server, one.record.session.id))
            account = _account(reader) if reader else None
        self._publisher.take(server, one.record, one.profile, account)

    def report(self) -> None:
        """Say what publishing had to report. LocalError if it can't go on."""
        assert self._publisher
        self._publisher.report()

    def _on_read(self, app: AppContext, key: SessionKey) -> None:
        assert self._publisher
        self._readers[key] = app
        if key in self._resumed:
            self._resumed.discard(key)
            self._publisher.catch_up(*key)

    def _read_log(self, server: str, session_id: str) -> Iterator[tuple[Page, str | None]]:
        """A session's whole log, masked, and the profile that reads it, for the publisher's thread."""
        app = self._readers.get(SessionKey(server, session_id))
        if app is None:
            raise NotFound(f"session {session_id} is not followed")
        # The secret was read when the session was.
        client = app.client.clone()
        try:
            for page in client.messages(session_id, prefetch=False):
                yield self._masked(page), app.label
                time.sleep(_SECOND / self.reads_per_second)
        finally:
            client.close()

    def _masked(self, page: Page) -> Page:
        if not self._redact:
            return page
        from smscli.transcript.redact import mask_page

        return mask_page(page)


def _account(app: AppContext) -> str | None:
    user = app.settings.user
    return account_id(app.server_name, user) if user else None
