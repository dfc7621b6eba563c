"""Client of the Web Services' REST API: one method per read endpoint. It changes nothing on the server."""

import copy
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from smscli.errors import NotFound, ResponseTooLarge, ServerError, SmscliError, did_you_mean
from smscli.gws import decode
from smscli.gws.http import HttpResponse, Server, Transport
from smscli.gws.http_auth import Header
from smscli.gws.responses import is_invalid_parameter, parse, retry_pause
from smscli.model import Listing, Page
from smscli.paging import PageWindow, Paging

__all__ = ["GwsClient", "Server"]

# The documentation pages contradict each other; the newest one has the first.
SPELLINGS = ("smsessions", "smssessions")
# One-shot commands give up after this many seconds of waiting in all.
_MAX_WAIT = 3.0
# Of a read that failed temporarily, in one-shot commands.
_RETRIES = 2
# With the main thread's own request that makes at most four at a time.
_MAX_PREFETCHED = 3

_T = TypeVar("_T")
_P = ParamSpec("_P")


class _SharedState:
    """What the clones of a client share: what they found out, and what only its own thread may report."""

    def __init__(self, spelling: str | None) -> None:
        self.spelling = spelling
        self.now: datetime | None = None
        self.reports: deque[Callable[[], None]] = deque()


class GwsClient:
    """Reads the sessions of the signed-in user.

    `sign_in` returns the header that signs in. `spelling` is the sessions' path segment if it
    is known; `on_spelling` is called when another one works. `on_skipped` is called once for the list, and
    once for each session, with a notice of entries that are left out. For use by one thread; `clone` makes
    another one for another thread.
    """

    def __init__(
        self,
        server: Server,
        sign_in: Callable[[], Header],
        *,
        spelling: str | None = None,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        on_spelling: Callable[[str], None] = lambda spelling: None,
        on_skipped: Callable[[str, str | None], None] = lambda message, session_id: None,
        debug: Callable[[str], None] | None = None,
        environ: Mapping[str, str],
    ) -> None:
        self.transport = Transport(server, sign_in, environ, clock=clock, debug=debug)
        self._base_url = server.base_url
        self._state = _SharedState(spelling)
        self._wait = wait
        self._on_spelling = on_spelling
        self._on_skipped = on_skipped
        self._skips_reported: set[str | None] = set()
        self._debug = debug

    def clone(self) -> "GwsClient":
        """A client for another thread, with connections of its own; `report` passes on what it reports."""
        other = copy.copy(self)
        other._debug = self._later(self._debug) if self._debug else None
        other._on_spelling = self._later(self._on_spelling)
        other._on_skipped = self._later(self._on_skipped)
        other.transport = self.transport.clone(other._debug)
        return other

    def _later(self, callback: Callable[_P, None]) -> Callable[_P, None]:
        def later(*args: _P.args, **kwargs: _P.kwargs) -> None:
            self._state.reports.append(lambda: callback(*args, **kwargs))

        return later

    def report(self) -> None:
        """Calls back, in this thread, what the clones had to report."""
        reports = self._state.reports
        while reports:
            reports.popleft()()

    @property
    def spelling(self) -> str | None:
        """The sessions' path segment, None while it is not known."""
        return self._state.spelling

    @property
    def now(self) -> datetime | None:
        """The server's clock at its last response, None if it sent none."""
        return self._state.now

    def me(self, *, features: bool = False) -> decode.User:
        """The signed-in user (`GET me`), with the list of features if the server sends one."""
        query = {"subresources": "features"} if features else {}
        return self._resource("me", query, decode.user_from_json)

    def services(self) -> tuple[decode.Service, ...]:
        """The services behind this server and their status (Services page)."""
        return self._resource("services", {"fields": "*"}, decode.services_from_json)

    def sessions(self, *, retries: int | None = None) -> Listing:
        """The user's live sessions. Raises ServerError if neither spelling of the path leads to a list."""
        return self.inspect_sessions(retries=retries)[0]

    def inspect_sessions(self, *, retries: int | None = None) -> tuple[Listing, object]:
        """Like `sessions`, with the JSON document as the server sent it."""
        for spelling in self._spellings():
            try:
                listing = self._listing(spelling, retries)
            except NotFound as error:
                missing = error
                continue
            self._keep_spelling(spelling)
            return listing
        raise self._no_web_services(missing) from missing

    def page(
        self,
        session_id: str,
        start: int | None = None,
        count: int | None = None,
        *,
        retries: int | None = None,
    ) -> Page:
        """One page of a session's messages, from index `start` on and at most `count` of them.

        Raises NotFound if the server knows no messages of it, ResponseTooLarge if they are too many.
        """
        return self._page(session_id, PageWindow(start, count), retries=retries)[0]

    def inspect_page(self, session_id: str, count: int) -> tuple[Page, object]:
        """The first page, at most `count` messages, with the JSON document as the server sent it."""
        return self._page(session_id, PageWindow(limit=count))

    def window(self, session_id: str, start: int | None = None, count: int | None = None) -> Page:
        """Like `page`, but for a listed session whose messages are not found: it has none yet."""
        try:
            return self.page(session_id, start, count)
        except NotFound as error:
            missing = error
        return self._listed_page(session_id, PageWindow(start, count), missing)

    def messages(
        self,
        session_id: str,
        start: int = 1,
        *,
        on_wait: Callable[[], None] = lambda: None,
        prefetch: bool = True,
    ) -> Iterator[Page]:
        """A session's messages from index `start` on, page by page; only the first page can be empty.

        Prefetches pages once the first one was taken. `on_wait` is called every 0.1 s during a wait.
        """
        from smscli.gws.prefetch import Prefetcher

        def fetch(client: GwsClient, window: PageWindow) -> HttpResponse:
            return client.transport.get(*self._messages_request(session_id, window))

        paging, ahead = Paging(start), _MAX_PREFETCHED if prefetch else 0
        prefetcher = Prefetcher(self.clone, fetch, _MAX_PREFETCHED, on_wait)
        try:
            first = self._first_page(session_id, paging)
            yield Page(paging.merge(first.messages), first.at)
            prefetcher.schedule(paging.upcoming(ahead))
            while not paging.done:
                prefetched = prefetcher.result(paging.window)
                if prefetched is not None:
                    self.report()
                page = self._next_page(session_id, paging, prefetched)
                new = paging.merge(page.messages)
                prefetcher.schedule(paging.upcoming(ahead))
                if new:
                    yield Page(new, page.at)
        finally:
            running = prefetcher.close()
            if prefetch:
                self.report()
            for window in running:
                self.transport.trace_abandoned(*self._messages_request(session_id, window))

    def _first_page(self, session_id: str, paging: Paging) -> Page:
        """The first page of a log.

        A server may refuse the first index of an empty log, or a page of our size: then a read without
        parameters remains.
        """
        try:
            return self.window(session_id, paging.start, paging.count)
        except ServerError as error:
            if not is_invalid_parameter(error):
                raise
        paging.ask_for_all()
        return self.window(session_id)

    def _next_page(
        self, session_id: str, paging: Paging, prefetched: HttpResponse | Exception | None = None
    ) -> Page:
        """The next page, prefetched or not; an empty one beyond the end of the log.

        How a server answers a start beyond the end is not documented: it may be invalid, or not found.
        """
        try:
            return self._page(session_id, paging.window, prefetched=prefetched)[0]
        except ResponseTooLarge:
            if not paging.narrow():
                raise
            return self._next_page(session_id, paging)
        except NotFound:
            # Unless the read before found nothing new either: is the session still there?
            if not paging.was_empty:
                self._page(session_id, PageWindow(paging.highest, 1))
        except ServerError as error:
            if not is_invalid_parameter(error):
                raise
        return Page(())

    def close(self) -> None:
        self.transport.close()

    def _spellings(self) -> list[str]:
        """The spellings of the sessions' path, the known one first."""
        return sorted(SPELLINGS, key=lambda one: one != self.spelling)

    def _keep_spelling(self, spelling: str) -> None:
        if spelling != self.spelling:
            self._state.spelling = spelling
            self._on_spelling(spelling)

    def _listing(self, spelling: str, retries: int | None = None) -> tuple[Listing, object]:
        (sessions, uris_only, skipped), document, at = self._get(
            f"me/{spelling}", {"fields": "*"}, decode.sessions_from_json, retries=retries
        )
        self._report_skipped(skipped, None)
        return Listing(sessions, at, uris_only), document

    def _messages_request(
        self, session_id: str, window: PageWindow, spelling: str | None = None
    ) -> tuple[str, dict[str, str]]:
        """Path and query of a read of messages."""
        named = {"startIndex": window.start, "count": window.limit}
        query = {key: str(value) for key, value in named.items() if value is not None}
        quoted = quote(session_id, safe="", errors="surrogatepass")
        return f"me/{spelling or self._spellings()[0]}/{quoted}/messages", query

    def _page(
        self,
        session_id: str,
        window: PageWindow,
        *,
        spelling: str | None = None,
        retries: int | None = None,
        prefetched: HttpResponse | Exception | None = None,
    ) -> tuple[Page, object]:
        """A page and its JSON document; `spelling` is by default the known one."""
        # None of these three is a path segment: a server or proxy that normalizes paths would read another.
        if session_id in ("", ".", ".."):
            raise self._no_session(session_id, NotFound(""))
        spelling = spelling or self._spellings()[0]
        path, query = self._messages_request(session_id, window, spelling)
        parser = partial(decode.messages_from_json, session_id=session_id)
        try:
            (messages, skipped), document, at = self._get(
                path, query, parser, retries=retries, prefetched=prefetched
            )
        except NotFound as error:
            raise self._no_session(session_id, error) from error
        except ResponseTooLarge as error:
            raise ResponseTooLarge(error.message, hint="ask for fewer messages: --count N") from error
        self._keep_spelling(spelling)
        self._report_skipped(skipped, session_id)
        return Page(messages, at), document

    def _report_skipped(self, number: int, session_id: str | None) -> None:
        if number and session_id not in self._skips_reported:
            self._skips_reported.add(session_id)
            entries = "1 entry" if number == 1 else f"{number} entries"
            place = f"the messages of session {session_id}" if session_id else "the session list"
            self._on_skipped(f"left out {entries} of {place}: not JSON objects", session_id)

    def _no_session(self, session_id: str, error: NotFound) -> NotFound:
        return NotFound(
            f"no SMS session {session_id} at {self._base_url}",
            hint="`smscli list` shows the live ones",
            http_status=error.http_status,
            status_code=error.status_code,
        )

    def _listed_page(self, session_id: str, window: PageWindow, missing: NotFound) -> Page:
        """Looks a session up in the lists of both spellings after its messages were not found.

        A listed session without messages gives an empty page, any other NotFound.
        """
        tried, is_list_known, meant = self._spellings()[0], False, None
        for spelling in self._spellings():
            try:
                listing, _ = self._listing(spelling)
            except NotFound:
                continue
            if not is_list_known:
                self._keep_spelling(spelling)
            is_list_known = True
            meant = meant or listing.similar_id(session_id)
            if spelling != tried:
                with suppress(NotFound):
                    return self._page(session_id, window, spelling=spelling)[0]
            if listing.find(session_id):
                return Page((), listing.at)
        if not is_list_known:
            raise self._no_web_services(missing)
        missing.hint = did_you_mean(meant, missing.hint)
        raise missing

    def _no_web_services(self, error: NotFound) -> ServerError:
        return ServerError(
            f"nothing like Genesys Web Services answers at {self._base_url}",
            hint="is the URL right? see `smscli doctor`",
            http_status=error.http_status,
            status_code=error.status_code,
        )

    def _resource(self, path: str, query: Mapping[str, str], parser: Callable[[object], _T]) -> _T:
        try:
            return self._get(path, query, parser)[0]
        except NotFound as error:
            raise self._no_web_services(error) from error

    def _get(
        self,
        path: str,
        query: Mapping[str, str],
        parser: Callable[[object], _T],
        *,
        retries: int | None = None,
        prefetched: HttpResponse | Exception | None = None,
    ) -> tuple[_T, object, datetime | None]:
        """One read: the parsed value, its JSON document, and the server's clock (`Date`).

        Retried while it fails temporarily; `prefetched` is the result of the first try.
        """
        failures, waited = 0, 0.0
        limit = _RETRIES if retries is None else retries
        while True:
            try:
                if isinstance(prefetched, Exception):
                    raise prefetched
                response = prefetched or self.transport.get(path, query)
                self._state.now = response.at
                url, mask = self.transport.url(path), self.transport.mask_secrets
                by_cookie = self.transport.auth.is_by_cookie
                return *parse(response, parser, url, mask, by_cookie=by_cookie), response.at
            except SmscliError as error:
                failures += 1
                pause = retry_pause(error, failures)
                if pause is None or failures > limit or waited + pause > _MAX_WAIT:
                    raise
            prefetched = None
            waited += pause
            self._wait(pause)
