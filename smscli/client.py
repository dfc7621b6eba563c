"""The REST edge: the Web Services' read end points, one method each, and nothing that changes anything.

A refusal is one of our errors, told by the HTTP status or, with HTTP 200 too, by the body's `statusCode`.
"""

import http.client
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from smscli import wire
from smscli.errors import (
    AuthError,
    NotFound,
    NotPermitted,
    ServerError,
    SignInRefused,
    SmscliError,
    Throttled,
    TimedOut,
    Unreachable,
    Untrusted,
    WireError,
    did_you_mean,
)
from smscli.model import Listing, Page
from smscli.paging import Paging
from smscli.transport import Answer, Server, TooLong, Transport

if TYPE_CHECKING:
    from smscli.ahead import Ahead

__all__ = ["GwsClient", "Server"]

# The pages contradict each other; the newest one has the first.
SPELLINGS = ("smsessions", "smssessions")
# One-shot commands wait no longer than this in all before they give up.
_WAITED_AT_MOST = 3.0

_MEANINGS = {
    1: "a required parameter is missing",
    2: "a parameter is not valid in this state",
    3: "the operation is forbidden",
    4: "internal error",
    5: "the user lacks a permission",
    6: "no such resource",
    7: "done in part only",
    8: "the password must be changed first",
    9: "processing is incomplete",
    10: "the input is not valid",
    11: "the property can't be changed",
    12: "the resource can't be read",
    13: "the resource can't be created",
    14: "the resource can't be updated",
    15: "the resource can't be deleted",
    16: "the resource can't be assigned",
    17: "the resource can't be unassigned",
    18: "the resource exists already",
    19: "the resource is in use",
    20: "not signed in",
}
_BY_CODE: dict[int, type[SmscliError]] = {
    3: NotPermitted,
    5: NotPermitted,
    6: NotFound,
    8: AuthError,
    20: SignInRefused,
}
_BY_HTTP: dict[int, type[SmscliError]] = {
    401: SignInRefused,
    403: NotPermitted,
    404: NotFound,
    429: Throttled,
    503: Throttled,
}
_HINTS: dict[type[SmscliError], str] = {
    SignInRefused: "sign in again: `smscli auth login`",
    NotPermitted: "the user needs the feature api-multimedia-chat and a role that may read SMS sessions",
    AuthError: "change the password in the agent's desktop, then `smscli auth login`",
}

_INVALID_INPUT = (2, 10)
# Pages on their way at a time: with the look beyond the end, no more than four requests too many.
_AHEAD = 3

_T = TypeVar("_T")


class GwsClient:
    """Reads the sessions of the user that signs in.

    `authorization` gives the Authorization header's whole value. `spelling` is the sessions' path segment
    where it is known, `learn` is told when another one works; `now` is the server's clock at its last answer,
    None where it told none. `look`, where it is set, is shown each good answer as it came. A read that fails
    in passing is repeated, at most `retries` times.
    """

    def __init__(
        self,
        server: Server,
        authorization: Callable[[], str],
        *,
        spelling: str | None = None,
        retries: int = 2,
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
        self.retries = retries
        self._wait = wait
        self._learn = learn
        self._debug = debug
        self._told: deque[str] = deque()

    def me(self, *, features: bool = False) -> wire.User:
        """Who signed in (`GET me`), with the list of features where the server gives one."""
        query = {"subresources": "features"} if features else {}
        return self._resource("me", query, wire.user_from_json)

    def services(self) -> tuple[wire.Service, ...]:
        """The servers behind this one and how they are (Services page)."""
        return self._resource("services", {"fields": "*"}, wire.services_from_json)

    def sessions(self) -> Listing:
        """The user's live sessions. Raises ServerError where neither spelling of the path leads to a list."""
        for spelling in self._spellings():
            try:
                listing = self._listing(spelling)
            except NotFound as error:
                missing = error
                continue
            self._take(spelling)
            return listing
        raise self._no_sessions(missing) from missing

    def page(self, session_id: str, start: int | None = None, count: int | None = None) -> Page:
        """One read of a session's messages, from index `start` and at most `count` of them where given.

        Raises NotFound where the server knows no messages of it, TooLong for an answer over the limit.
        """
        return self._page(self._spellings()[0], session_id, start, count)

    def window(self, session_id: str, start: int | None = None, count: int | None = None) -> Page:
        """The same; where the server knows no messages of the session the list decides: one that is in it has
        none yet, any other is NotFound."""
        spelling = self._spellings()[0]
        try:
            return self._page(spelling, session_id, start, count)
        except NotFound as error:
            missing = error
        return self._confirmed(spelling, session_id, start, count, missing)

    def messages(self, session_id: str, start: int = 1) -> Iterator[Page]:
        """A session's log from index `start` on, each message once; only the first page can be empty.

        The first page is handed on before anything else is asked for; from then on pages are read ahead.
        """
        from smscli.ahead import Ahead

        paging = Paging(start)
        ahead = Ahead(lambda: self._page_fetcher(session_id), _AHEAD)
        try:
            first = self.window(session_id, paging.start, paging.count)
            yield Page(paging.take(first.messages), first.at)
            ahead.foresee(paging.foreseen(_AHEAD))
            while not paging.done and (page := self._next_page(session_id, paging, ahead)):
                new = paging.take(page.messages)
                ahead.foresee(paging.foreseen(_AHEAD))
                if new:
                    yield Page(new, page.at)
        finally:
            ahead.close()

    def _next_page(self, session_id: str, paging: Paging, ahead: "Ahead[Window, Answer]") -> Page | None:
        """What is to be read next, from what was read ahead if that went well; None at the log's end."""
        answer = ahead.take((paging.start, paging.count))
        self._tell()
        if answer is not None:
            with suppress(SmscliError):
                return self._page_of(answer, session_id)
        try:
            return self.window(session_id, paging.start, paging.count)
        except TooLong:
            if not paging.narrow():
                raise
            return self._next_page(session_id, paging, ahead)
        except ServerError as error:
            # What is said to a start beyond the log's end is documented nowhere; to some it is invalid.
            if error.status_code not in _INVALID_INPUT:
                raise
            return None

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

    def _listing(self, spelling: str) -> Listing:
        (sessions, uris_only), at = self._get(f"me/{spelling}", {"fields": "*"}, wire.sessions_from_json)
        return Listing(sessions, at, uris_only)

    def _page(self, spelling: str, session_id: str, start: int | None, count: int | None) -> Page:
        # As a path segment these three are none; whoever normalises the path would read something else.
        if session_id in ("", ".", ".."):
            raise self._no_session(session_id)
        path, query = _messages_path(spelling, session_id), _window_query((start, count))
        try:
            messages, at = self._get(path, query, lambda body: wire.messages_from_json(body, session_id))
        except NotFound as error:
            raise self._no_session(session_id, error) from error
        except TooLong as error:
            raise TooLong(error.message, hint="ask for fewer messages: --count N") from error
        self._take(spelling)
        return Page(messages, at)

    def _page_of(self, answer: Answer, session_id: str) -> Page:
        """The page in an answer that was fetched ahead; raises what `page` raises."""
        parse = self._shown(lambda body: wire.messages_from_json(body, session_id))
        messages = _parsed(answer, parse, self._base_url)
        self.now = answer.at
        return Page(messages, answer.at)

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
        self, path: str, query: Mapping[str, str], parse: Callable[[object], _T]
    ) -> tuple[_T, datetime | None]:
        """One read, repeated while that may help, and the server's clock when it answered."""
        tried, waited = 0, 0.0
        while True:
            try:
                answer = self.transport.get(path, query)
                self.now = answer.at
                return _parsed(answer, self._shown(parse), f"{self._base_url}/{path}"), answer.at
            except (Unreachable, ServerError) as error:
                tried += 1
                pause = _pause(error, tried)
                if pause is None or tried > self.retries or waited + pause > _WAITED_AT_MOST:
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


Window = tuple[int | None, int | None]
"""`startIndex` and `count` of a read of messages."""


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


def _parsed(answer: Answer, parse: Callable[[object], _T], url: str) -> _T:
    """The answer as `parse` reads it. Raises what it is instead: a refusal, or nothing we know."""
    good = 200 <= answer.status < 300
    status = None
    try:
        document = wire.decode(answer.body)
        status = wire.status_from_json(document)
        if good and status is None:
            return parse(document)
    except WireError as error:
        if good:
            raise WireError(
                f"{error.message}, at {url}", hint=error.hint, http_status=answer.status
            ) from error
    raise _refusal(answer, status, url)


def _refusal(answer: Answer, status: wire.Status | None, url: str) -> SmscliError:
    code = status.code if status else None
    if answer.location and 300 <= answer.status < 400:
        return _redirect(answer, answer.location, url)
    kind = _BY_CODE.get(code or 0) or _BY_HTTP.get(answer.status, ServerError)
    said = f"the server answers: {_meaning(answer, status)}, at {url}"
    if kind is Throttled:
        return _throttled(answer, code, said)
    return kind(said, hint=_HINTS.get(kind), http_status=answer.status, status_code=code)


def _meaning(answer: Answer, status: wire.Status | None) -> str:
    """`internal error (statusCode 4, HTTP 500): what the server says of it`."""
    numbers = [f"statusCode {status.code}"] if status else []
    if answer.status != 200:
        numbers.append(f"HTTP {answer.status}")
    what = _MEANINGS.get(status.code) if status else http.client.responses.get(answer.status, "").lower()
    said = f": {status.message}" if status and status.message else ""
    return f"{what or 'an error'} ({', '.join(numbers)}){said}"


def _throttled(answer: Answer, code: int | None, said: str) -> Throttled:
    seconds = answer.retry_after
    return Throttled(
        said if seconds is None else f"{said}: come back in {seconds:.0f} s",
        http_status=answer.status,
        status_code=code,
        retry_after=seconds,
    )


def _redirect(answer: Answer, location: str, url: str) -> ServerError:
    try:
        target = urlsplit(urljoin(url, location))
        origin = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
    except ValueError:
        origin = "nowhere"
    return ServerError(
        f"the server redirects to {origin} (HTTP {answer.status}), at {url}",
        hint="redirects are not followed; if the Web Services are there, name them with --url",
        http_status=answer.status,
    )
