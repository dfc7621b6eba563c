"""The test server's REST interface: the demo server's, as the switches change it."""

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice

from smscli.demo.api import Api, ApiError, ResourceNotFound, error_response, http_date, json_response, number
from smscli.demo.authentication import SESSION_COOKIE, USERS, HttpSession, basic_user, new_cookie
from smscli.demo.http_server import DemoRequest, DemoResponse, json_bytes
from smscli.demo.sample import MESSAGES
from smscli.demo.store import Json, StoredSession
from tests.server.cometd import FakeChannel
from tests.server.faults import Faults
from tests.server.options import Options
from tests.server.resources import KEYS, FakeResourceFormat
from tests.server.responses import FaultyResponse, compressed
from tests.server.store import FakeLog, FakeStore

_COLLECTIONS = {"single": ("smsessions",), "double": ("smssessions",), "both": ("smsessions", "smssessions")}
_CSRF_HEADER = "X-CSRF-TOKEN"
# More than any test counts.
_MOST_REQUESTS = 200_000
# A client without a cookie jar opens one HTTP session per request.
_MOST_HTTP_SESSIONS = 1000
# Above this many messages a response is streamed rather than built.
_STREAMED_ABOVE = 5000
_PIECE = 500


class FakeApi(Api):
    """Answers requests as the switches say, and logs each in `requests`.

    A request is (method, path with query, user), its user None if it was not authenticated.
    """

    store: FakeStore
    resources: FakeResourceFormat
    channel: FakeChannel

    def __init__(
        self,
        store: FakeStore,
        resources: FakeResourceFormat,
        channel: FakeChannel,
        clock: Callable[[], float],
        options: Callable[[], Options],
        faults: Faults,
    ) -> None:
        super().__init__(store, resources, channel, clock)
        self.requests: deque[tuple[str, str, str | None]] = deque(maxlen=_MOST_REQUESTS)
        self.http_sessions = HttpSessions()
        self._renewed: set[str] = set()
        self._options = options
        self._faults = faults

    def respond(self, request: DemoRequest) -> DemoResponse:
        """The response with its delay and its fault."""
        options = self._options()
        self.store.advance()
        user = self.user(request)
        self.requests.append((request.method, request.target, user))
        fault = self._faults.draw(request.target, options)
        response = FaultyResponse.of(self.answer(request, user))
        response.headers += self._date()
        response.delay = options.delay_ms / 1000 + self._slowness(request)
        if options.encoding != "identity" and "gzip" in request.headers.get("accept-encoding", ""):
            response = compressed(response, padding=8 if options.encoding == "gzip-padded" else 0)
        if fault:
            return self._faults.apply(fault, response)
        if response.left_out:
            self._faults.count("late", response.left_out)
        return response

    def user(self, request: DemoRequest) -> str | None:
        options = self._options()
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return options.tokens.get(credentials)
        if not scheme:
            return options.cookies.get(request.cookie(SESSION_COOKIE))
        return basic_user(request, USERS | options.users)

    def answer(self, request: DemoRequest, user: str | None) -> DemoResponse:
        options = self._options()
        me = request.method == "GET" and self.segments(request) == ["me"]
        if options.sso_url and {"me": me, "unauthenticated": user is None, "all": True}[options.sso_for]:
            return DemoResponse(302, type="text/html", headers=(("Location", options.sso_url),))
        return super().answer(request, user)

    def http_session(self, request: DemoRequest) -> HttpSession:
        cookies, cookie = self._options().cookies, request.cookie(SESSION_COOKIE)
        if cookie not in cookies and "authorization" in request.headers:
            return self.http_sessions.enter(request)
        if self._options().renews_cookies and cookie not in self._renewed:
            # None where another request of the same moment has replaced it: this one was in time.
            user = cookies.pop(cookie, None)
            if user is not None:
                renewed = new_cookie()
                self._renewed.add(renewed)
                cookies[renewed] = user
                return HttpSession(renewed, new=True)
        return HttpSession(cookie, new=False)

    def session_headers(self, request: DemoRequest, session: HttpSession) -> tuple[tuple[str, str], ...]:
        """Also the CSRF headers of a GET (page CSRFProtection)."""
        headers = super().session_headers(request, session)
        if self._options().csrf and request.method == "GET":
            headers += (("X-CSRF-HEADER", _CSRF_HEADER), ("X-CSRF-TOKEN", csrf_token(session.cookie)))
        return headers

    def route(self, request: DemoRequest, user: str, session: HttpSession) -> DemoResponse:
        options = self._options()
        push = self.segments(request)[:1] == ["notifications"]
        if push and options.push == "off":
            raise ResourceNotFound
        protected = options.csrf_connect == "demanded" if push else request.method != "GET"
        token = request.headers.get(_CSRF_HEADER.lower())
        if options.csrf and protected and token != csrf_token(session.cookie):
            return DemoResponse(403, b"Missing or invalid Csrf token", "text/plain")
        return super().route(request, user, session)

    def is_collection(self, segment: str) -> bool:
        return segment in _COLLECTIONS[self._options().spelling]

    def key(self, segment: str) -> str:
        keys = self._options().keys
        return super().key(segment) if keys == "path" else KEYS[keys]

    def features(self) -> list[object]:
        options = self._options()
        if options.feature_form == "names":
            return list(options.features)
        uris = [self.resources.url(f"/features/{feature}") for feature in options.features]
        if options.feature_form == "uris":
            return list(uris)
        return [{"id": name, "uri": uri} for name, uri in zip(options.features, uris, strict=True)]

    def services(self) -> list[Json]:
        """Media, which SMS needs, may be down or missing."""
        media, services = self._options().media, super().services()
        if media == "missing":
            return [service for service in services if service["type"] != "Media"]
        if media == "down":
            return [s | {"status": "Unavailable"} if s["type"] == "Media" else s for s in services]
        return services

    def sessions(self, user: str, key: str, query: dict[str, str]) -> DemoResponse:
        if self._options().envelope == "uris":
            query = {name: value for name, value in query.items() if name != "fields"}
        return super().sessions(user, key, query)

    def session_list(self, key: str, resources: list[Json]) -> DemoResponse:
        """The list in every envelope that the pages print or leave open (Return Values, SMSResources)."""
        resources = list(self.resources.with_odd_entries("sessions", resources))
        first = resources[0] if resources else {}
        match self._options().envelope:
            case "bare-array":
                return json_response(resources)
            case "bare-object":
                return json_response(first)
            case "singular":
                return self.success(**{key: first})
        return super().session_list(key, resources)

    def messages(self, user: str, session_id: str, query: dict[str, str]) -> DemoResponse:
        options = self._options()
        session = self.store.find(user, session_id, removed=options.gone == "readable")
        if not session or (options.invited_messages == "404" and session.resource["state"] == "Invited"):
            raise ResourceNotFound
        if options.printed_sample:
            return DemoResponse(body=printed_sample().encode())
        with self.store.lock:
            log = self.store.logs[session.id]
            begin, end = self.window(log, query)
            left_out = log.leave_out(begin, end, self._clock())
            pieces = self._pieces(session, log, begin, end)
            if end - begin > _STREAMED_ABOVE:
                body = self._enclosed(_joined(pieces))
                return FaultyResponse(body=body, framing="chunked", left_out=left_out)
            return FaultyResponse(body=b"".join(self._enclosed([b",".join(pieces)])), left_out=left_out)

    def window(self, log: FakeLog, query: dict[str, str]) -> tuple[int, int]:
        options = self._options()
        ignored = {"startIndex"} if options.ignore_start else set()
        ignored |= {"count"} if options.ignore_count else set()
        query = {name: value for name, value in query.items() if name not in ignored}
        begin, end = super().window(log, query)
        start, size = number(query, "startIndex"), number(query, "count")
        if start == 0 and options.start_zero_error:
            raise ApiError(10, "Input validation error")
        if start is not None and start > log.last_index() and options.beyond_end != "empty":
            raise ResourceNotFound if options.beyond_end == "404" else ApiError(10, "Input validation error")
        if size is not None and options.count_window:
            end = log.position((log.first_index() if start is None else start) + size)
        if options.count_cap:
            end = min(end, begin + options.count_cap)
        return begin, min(end, len(log))

    def success(self, **fields: object) -> DemoResponse:
        return json_response(fields) if self._options().omit_status_code else super().success(**fields)

    def unauthenticated(self) -> DemoResponse:
        if self._options().refuse == "401":
            return super().unauthenticated()
        return error_response(ApiError(20, "Authentication required"), status=200)

    def refuse(self, error: ApiError) -> DemoResponse:
        if not isinstance(error, ResourceNotFound):
            return super().refuse(error)
        match self._options().unknown_path:
            case "404html":
                return DemoResponse(404, b"<html><body><h2>HTTP ERROR 404</h2></body></html>", "text/html")
            case "200":
                return error_response(error, status=200)
        return super().refuse(error)

    def _date(self) -> tuple[tuple[str, str], ...]:
        match self._options().date:
            case "sent":
                return (("Date", http_date(self._clock())),)
            case "unreadable":
                return (("Date", "a little after nine"),)
        return ()

    def _slowness(self, request: DemoRequest) -> float:
        """The delay of the session whose messages are read."""
        match self.segments(request):
            case ["me", _, session_id, "messages"]:
                return self._options().slow.get(session_id, 0.0)
        return 0.0

    def _enclosed(self, pieces: Iterator[bytes] | list[bytes]) -> Iterator[bytes]:
        """The messages in their envelope."""
        options = self._options()
        if options.message_envelope == "bare-array":
            return chain([b"["], pieces, [b"]"])
        status = b"" if options.omit_status_code else b'"statusCode":0,'
        return chain([b"{" + status + b'"messages":['], pieces, [b"]}"])

    def _pieces(self, session: StoredSession, log: FakeLog, begin: int, end: int) -> Iterator[bytes]:
        """Each message of the window as JSON."""
        if log.head and self.resources.is_plain():
            computed = min(end, len(log.head))
            yield from log.head.encoded(begin, computed)
            begin = max(begin, computed)
        now = self._clock()
        stored = (one for one in log.between(begin, end) if not log.is_withheld(one, now))
        messages = map(self.resources.message, stored)
        yield from map(json_bytes, self.resources.with_odd_entries("messages", messages))
        if self._options().index_minus_one:
            yield json_bytes(self.resources.service_message(session))


class HttpSessions:
    """The open HTTP sessions by their cookies."""

    def __init__(self) -> None:
        self._cookies: dict[str, None] = {}

    def enter(self, request: DemoRequest) -> HttpSession:
        """The session whose cookie the request carries, otherwise a new one."""
        cookie = request.cookie(SESSION_COOKIE)
        if cookie in self._cookies:
            return HttpSession(cookie, new=False)
        return HttpSession(self.open(), new=True)

    def open(self) -> str:
        """Open a session and return its cookie; the oldest one is closed if there are too many."""
        cookie = new_cookie()
        self._cookies[cookie] = None
        if len(self._cookies) > _MOST_HTTP_SESSIONS:
            self._cookies.pop(next(iter(self._cookies)), None)
        return cookie

    def expire(self) -> None:
        """Close every session, as after a restart or half an hour without a request."""
        self._cookies = {}


def csrf_token(cookie: str) -> str:
    """The CSRF token of an HTTP session."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, cookie))


def printed_sample() -> str:
    """The sample's messages as the page SMSResources prints them: stray commas, no array, no JSON."""
    first, *rest = (json.dumps(message, indent=2) for message in MESSAGES)
    messages = first.replace("\n", "\n    ")
    opening = f'{{\n  "messages": [\n    {messages},\n  ],\n}}\n'
    others = ",\n".join(f"  {message}".replace("\n", "\n  ") for message in rest)
    return f"{opening}\n{{\n{others}\n}}\n"


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces separated by commas, many in one."""
    comma = b""
    while batch := list(islice(pieces, _PIECE)):
        yield comma + b",".join(batch)
        comma = b","
