"""The REST edge: the Web Services' read end points, one method each, and nothing that changes anything."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from smscli.errors import (
    NotFound,
    ServerError,
    SmscliError,
    Throttled,
    TimedOut,
    Unreachable,
    Untrusted,
    did_you_mean,
)
from smscli.gws import decode
from smscli.gws.http import Answer, Server, TooLong, Transport
from smscli.gws.responses import parsed
from smscli.model import READ_RETRIES, Listing, Message, Page
from smscli.paging import Paging

if TYPE_CHECKING:
    from smscli.gws.prefetch import Ahead

__all__ = ["GwsClient", "Server"]

# The pages contradict each other; the newest one has the first.
SPELLINGS = ("smsessions", "smssessions")
# One-shot commands wait no longer than this in all before they give up.
_WAITED_AT_MOST = 3.0

_INVALID_INPUT = (2, 10)
# Pages on their way at a time: with the look beyond the end, no more than four requests too many.
_AHEAD = 3

_T = TypeVar("_T")
Window = tuple[int | None, int | None]
"""`startIndex` and `count` of a read of messages."""


class GwsClient:
    """Reads the sessions of the user that signs in.

    `authorization` gives the Authorization header's whole value. `spelling` is the sessions' path segment
    where it is known, `learn` is told when another one works; `now` is the server's clock at its last answer,
    None where it told none. `look`, where it is set, is shown each good answer as it came.
    """

    def __init__(
        self,
        server: Server,
        authorization: Callable[[], str],
        *,
        spelling: str | None = None,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        learn: Callable[[str], None] | None = None,
        debug: Callable[[str], None] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.transport = Transport(server, authorization, environ, clock=clock, debug=debug)
        self._base_url = server.base_url
        self.host = self.transport.host
        self.spelling = spelling
        self.now: datetime | None = None
        self.look: Callable[[object], None] | None = None
        self._wait = wait
        self._learn = learn
        self._debug = debug
        self._told: deque[str] = deque()

    def me(self, *, features: bool = False) -> decode.User:
        """Who signed in (`GET me`), with the list of features where the server gives one."""
        query = {"subresources": "features"} if features else {}
        return self._resource("me", query, decode.user_from_json)

    def services(self) -> tuple[decode.Service, ...]:
        """The servers behind this one and how they are (Services page)."""
        return self._resource("services", {"fields": "*"}, decode.services_from_json)

    def sessions(self, *, retries: int = READ_RETRIES) -> Listing:
        """The user's live sessions. Raises ServerError where neither spelling of the path leads to a list."""
        for spelling in self._spellings():
            try:
                listing = self._listing(spelling, retries)
            except NotFound as error:
                missing = error
                continue
            self._take(spelling)
            return listing
        raise self._no_sessions(missing) from missing

    def page(
        self,
        session_id: str,
        start: int | None = None,
        count: int | None = None,
        *,
        retries: int = READ_RETRIES,
    ) -> Page:
        """One read of a session's messages, from index `start` and at most `count` of them where given.

        Raises NotFound where the server knows no messages of it, TooLong for an answer over the limit.
        """
        return self._page(self._spellings()[0], session_id, start, count, retries=retries)

    def window(self, session_id: str, start: int | None = None, count: int | None = None) -> Page:
        """The same; where the server knows no messages of the session the list decides: one that is in it has
        none yet, any other is NotFound."""
        spelling = self._spellings()[0]
        try:
            return self._page(spelling, session_id, start, count)
        except NotFound as error:
            missing = error
        return self._confirmed(spelling, session_id, start, count, missing)

    def messages(
        self, session_id: str, start: int = 1, *, meanwhile: Callable[[], None] = lambda: None
    ) -> Iterator[Page]:
        """A session's log from index `start` on, each message once; only the first page can be empty.

        The first page is handed on before anything else is asked for; from then on pages are read ahead, and
        `meanwhile` is called now and then while one of those is waited for.
        """
        from smscli.gws.prefetch import Ahead

        paging = Paging(start)
        ahead = Ahead(lambda: self._page_fetcher(session_id), _AHEAD, meanwhile)
        try:
            first = self._first_page(session_id, paging)
            yield Page(paging.merge(first.messages), first.at)
            ahead.foresee(paging.foreseen(_AHEAD))
            while not paging.done:
                page = self._next_page(session_id, paging, ahead)
                new = paging.merge(page.messages)
                ahead.foresee(paging.foreseen(_AHEAD))
                if new:
                    yield Page(new, page.at)
        finally:
            self._give_up(session_id, ahead.close())

    def _first_page(self, session_id: str, paging: Paging) -> Page:
        """The page a log begins with.

        An empty log has nothing even at its first index, which some servers may call invalid, as they may a
        page of our length: then the read without parameters is left.
        """
        try:
            return self.window(session_id, paging.start, paging.count)
        except ServerError as error:
            if error.status_code not in _INVALID_INPUT:
                raise
        paging.ask_for_all()
        return self.window(session_id)

    def _next_page(self, session_id: str, paging: Paging, ahead: "Ahead[Window, Answer]") -> Page:
        """What is to be read next, from what was read ahead where it was; an empty page beyond the log's end.

        What is said of a start beyond the end is documented nowhere: to some servers it is invalid, to some
        no resource.
        """
        spelling, window = self._spellings()[0], (paging.start, paging.count)
        try:
            return self._page(spelling, session_id, *window, lambda: self._taken(ahead, window))
        except TooLong:
            if not paging.narrow():
                raise
            return self._next_page(session_id, paging, ahead)
        except NotFound as error:
            # After a page that brought nothing nobody need be asked again.
            return Page(()) if paging.was_empty else self._beyond(session_id, paging, error)
        except ServerError as error:
            if error.status_code not in _INVALID_INPUT:
                raise
            return Page(())

    def _beyond(self, session_id: str, paging: Paging, missing: NotFound) -> Page:
        """What is beyond the last page, where the server has no such resource: nothing, if the list has the
        session or its last message can still be read. Raises NotFound where it has gone meanwhile."""
        spelling = self._spellings()[0]
        try:
            return self._confirmed(spelling, session_id, paging.start, paging.count, missing)
        except NotFound:
            if paging.highest < 0:
                raise
            self._page(spelling, session_id, paging.highest, 1)
        return Page(())

    def _taken(self, ahead: "Ahead[Window, Answer]", window: Window) -> Answer | None:
        """What was read ahead; raises what reading it raised."""
        try:
            return ahead.take(window)
        finally:
            self._tell()

    def _give_up(self, session_id: str, windows: Iterable[Window]) -> None:
        """Tell of reads that are under way, and that nobody waits for."""
        self._tell()
        for window in windows:
            path = _messages_path(self._spellings()[0], session_id)
            self.transport.give_up(path, _window_query(window))

    def _tell(self) -> None:
        """Pass on what other threads' requests were, in the thread of whoever is told."""
        while self._debug and self._told:
            self._debug(self._told.popleft())

    def renew(self) -> None:
        """Sign in anew: cookies are dropped, the secret is asked for again and tried once."""
        self.transport.renew()
        self.me()

    def close(self) -> None:
        self.transport.close()

    def _spellings(self) -> list[str]:
        """The spellings of the sessions' path, the known one first."""
        return sorted(SPELLINGS, key=lambda one: one != self.spelling)

    def _take(self, spelling: str) -> None:
        if spelling != self.spelling:
            self.spelling = spelling
            if self._learn:
                self._learn(spelling)

    def _listing(self, spelling: str, retries: int = READ_RETRIES) -> Listing:
        (sessions, uris_only), at = self._get(
            f"me/{spelling}", {"fields": "*"}, decode.sessions_from_json, retries=retries
        )
        return Listing(sessions, at, uris_only)

    def _page(
        self,
        spelling: str,
        session_id: str,
        start: int | None,
        count: int | None,
        taken: Callable[[], Answer | None] = lambda: None,
        retries: int = READ_RETRIES,
    ) -> Page:
        # As a path segment these three are none; whoever normalises the path would read something else.
        if session_id in ("", ".", ".."):
            raise self._no_session(session_id)
        path, query = _messages_path(spelling, session_id), _window_query((start, count))

        def parse(body: object) -> tuple[Message, ...]:
            return decode.messages_from_json(body, session_id)

        try:
            messages, at = self._get(path, query, parse, taken, retries)
        except NotFound as error:
            raise self._no_session(session_id, error) from error
        except TooLong as error:
            raise TooLong(error.message, hint="ask for fewer messages: --count N") from error
        self._take(spelling)
        return Page(messages, at)

    def _page_fetcher(self, session_id: str) -> "_PageFetcher":
        """For another thread, on a connection of its own."""
        return _PageFetcher(
            self.transport.beside(self._told.append if self._debug else None),
            _messages_path(self._spellings()[0], session_id),
        )

    def _no_session(self, session_id: str, error: NotFound | None = None) -> NotFound:
        return NotFound(
            f"no SMS session {session_id} at {self._base_url}",
            hint="`smscli list` shows the live ones",
            http_status=error.http_status if error else None,
            status_code=error.status_code if error else None,
        )

    def _confirmed(
        self, tried: str, session_id: str, start: int | None, count: int | None, missing: NotFound
    ) -> Page:
        """What the lists of both spellings make of a session whose messages were not found under `tried`."""
        listed, meant = False, None
        for spelling in self._spellings():
            try:
                listing = self._listing(spelling)
            except NotFound:
                continue
            if not listed:
                self._take(spelling)
            listed = True
            meant = meant or listing.meant(session_id)
            if spelling != tried:
                with suppress(NotFound):
                    return self._page(spelling, session_id, start, count)
            if listing.find(session_id):
                return Page((), listing.at)
        if not listed:
            raise self._no_sessions(missing)
        missing.hint = did_you_mean(meant, missing.hint)
        raise missing

    def _no_sessions(self, error: NotFound) -> ServerError:
        return ServerError(
            f"no SMS sessions at {self._base_url}",
            hint="is the URL right? see `smscli doctor`",
            http_status=error.http_status,
            status_code=error.status_code,
        )

    def _resource(self, path: str, query: Mapping[str, str], parse: Callable[[object], _T]) -> _T:
        try:
            return self._get(path, query, parse)[0]
        except NotFound as error:
            raise ServerError(
                f"no Genesys Web Services at {self._base_url}",
                hint="is the URL right? it ends where /api/v2 begins",
                http_status=error.http_status,
                status_code=error.status_code,
            ) from error

    def _get(
        self,
        path: str,
        query: Mapping[str, str],
        parse: Callable[[object], _T],
        taken: Callable[[], Answer | None] = lambda: None,
        retries: int = READ_RETRIES,
    ) -> tuple[_T, datetime | None]:
        """One read, repeated while that may help, and the server's clock when it answered.

        What `taken` gives, or raises, is the first try's.
        """
        tried, waited = 0, 0.0
        while True:
            try:
                answer = (None if tried else taken()) or self.transport.get(path, query)
                self.now = answer.at
                url = f"{self._base_url}/{path}"
                return parsed(answer, self._shown(parse), url, self.transport.veiled), answer.at
            except (Unreachable, ServerError) as error:
                tried += 1
                pause = _pause(error, tried)
                if pause is None or tried > retries or waited + pause > _WAITED_AT_MOST:
                    raise
            waited += pause
            self._wait(pause)

    def _shown(self, parse: Callable[[object], _T]) -> Callable[[object], _T]:
        """`parse`, after whoever looks at the answers themselves."""
        look = self.look
        if look is None:
            return parse

        def shown(document: object) -> _T:
            look(document)
            return parse(document)

        return shown


class _PageFetcher:
    """Fetches windows of one session's messages for one thread."""

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport = transport
        self._path = path

    def __call__(self, window: Window) -> Answer:
        return self._transport.get(self._path, _window_query(window))

    def close(self) -> None:
        self._transport.close()


def _messages_path(spelling: str, session_id: str) -> str:
    return f"me/{spelling}/{quote(session_id, safe='', errors='surrogatepass')}/messages"


def _window_query(window: Window) -> dict[str, str]:
    named = zip(("startIndex", "count"), window, strict=True)
    return {key: str(value) for key, value in named if value is not None}


def _pause(error: SmscliError, tried: int) -> float | None:
    """Seconds until a read that failed `tried` times may be repeated; None when that can't help."""
    if isinstance(error, Untrusted) or (isinstance(error, TimedOut) and tried > 1):
        return None
    if isinstance(error, Throttled) and error.retry_after is not None:
        return error.retry_after
    passing = isinstance(error, Unreachable) or (error.http_status or 0) >= 500 or error.status_code == 4
    return 0.5 * tried if passing or isinstance(error, Throttled) else None
