"""The demo server's end points under /api/v2: routes, envelopes, paging, and refusals."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice

from smscli.demo.cometd import Push
from smscli.demo.connection import Answer, Request, json_bytes
from smscli.demo.faults import Faults
from smscli.demo.options import Options
from smscli.demo.sample import printed
from smscli.demo.signin import HttpSession, HttpSessions, user_of
from smscli.demo.store import Json, Log, Session, SessionStore
from smscli.demo.variants import is_plain, key_for, message_json, service_message, session_json

PREFIX = "/api/v2"
_SEGMENTS = {"single": ("smsessions",), "double": ("smssessions",), "both": ("smsessions", "smssessions")}
_SUBRESOURCES = ("features", "devices", "channels", "settings")
_SERVICES = (
    ("provisioning", "Provisioning", "Provisioning"),
    ("tserver1", "TServer_Main", "Voice"),
    ("statserver1", "StatServer_Main", "Reporting"),
    ("ixnserver1", "InteractionServer_Main", "Media"),
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Enough requests to count in any test; a demo left open all day must not grow.
_MOST_LOGGED = 200_000
# Above this many messages an answer is streamed rather than built.
_STREAMED_ABOVE = 5000
_PIECE = 500


class Refusal(Exception):
    """A request that is answered with a status code (Return Values)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotFound(Refusal):
    """Status code 6, in whichever HTTP dress the options say."""

    def __init__(self) -> None:
        super().__init__(6, "Resource not found")


class Api:
    """Answers requests from the store. `options` may be changed or replaced at any time.

    `base` is the server's URL down to `/api/v2`; `requests` logs each one as
    (method, path with query, user or None).
    """

    def __init__(self, options: Options, store: SessionStore, clock: Callable[[], float]) -> None:
        self.options = options
        self.store = store
        self.base = ""
        self.faults = Faults()
        self.http_sessions = HttpSessions()
        self.push = Push(store, lambda: self.options, self._base, self.faults.count)
        self.requests: deque[tuple[str, str, str | None]] = deque(maxlen=_MOST_LOGGED)
        self._clock = clock

    def respond(self, request: Request) -> Answer:
        """The answer to one request, with whatever fault and delay are due."""
        options = self.options
        self.store.advance()
        user = user_of(request, options)
        self.requests.append((request.method, request.target, user))
        fault = self.faults.draw(request.target, options)
        answer = self._answer(request, user)
        answer.headers += (("Date", http_date(self._clock())),)
        answer.hold = options.delay_ms / 1000
        if fault:
            return self.faults.strike(fault, answer)
        if answer.left_out:
            self.faults.count("late", answer.left_out)
        return answer

    def _answer(self, request: Request, user: str | None) -> Answer:
        if user is None:
            return self._unauthenticated()
        session = self.http_sessions.enter(request)
        try:
            answer = self._routed(request, user, session)
        except NotFound as refusal:
            answer = self._not_found(refusal)
        except Refusal as refusal:
            answer = _refused(refusal)
        answer.headers += session.headers(request, self.options)
        return answer

    def _routed(self, request: Request, user: str, session: HttpSession) -> Answer:
        before, _, path = request.path.partition(f"{PREFIX}/")
        segments = path.rstrip("/").split("/") if not before else []
        if segments[:1] == ["notifications"]:
            return self._notifications(request, user, session)
        if request.method != "GET":
            return self._operation(request, session)
        match segments:
            case ["me"]:
                return self._me(user, request)
            case ["services"]:
                return self._services(request)
            case ["services", service_id]:
                return self._service(service_id)
            case ["me", segment] if segment in _SEGMENTS[self.options.spelling]:
                return self._sessions(user, segment, request)
            case ["me", segment, session_id, "messages"] if segment in _SEGMENTS[self.options.spelling]:
                return self._messages(user, session_id, request)
        raise NotFound

    def _operation(self, request: Request, session: HttpSession) -> Answer:
        """Operations are recorded and refused: nothing that inspects may send one."""
        if self.options.csrf and session.forged(request):
            return _forged()
        raise Refusal(3, "Operation forbidden")

    def _notifications(self, request: Request, user: str, session: HttpSession) -> Answer:
        """CometD's requests, to this path or below it as its clients like."""
        options = self.options
        if options.push == "off":
            raise NotFound
        if options.csrf and options.csrf_connect == "demanded" and session.forged(request):
            return _forged()
        return self.push.answer(request, user, session.cookie)

    def _me(self, user: str, request: Request) -> Answer:
        resource: Json = {
            "id": user.encode().hex().rjust(32, "0")[-32:],
            "userName": user,
            "firstName": user.capitalize(),
            "lastName": "Agent",
            "roles": ["ROLE_AGENT"],
            "uri": f"{self._base()}/me",
            "skills": [],
        }
        asked = request.query.get("subresources", "")
        for name in _SUBRESOURCES if asked == "*" else asked.split(","):
            if name in _SUBRESOURCES:
                resource[name] = self._features() if name == "features" else []
        return self._success(user=resource)

    def _features(self) -> list[object]:
        form = self.options.feature_form
        if form == "names":
            return list(self.options.features)
        uris = [f"{self._base()}/features/{feature}" for feature in self.options.features]
        if form == "uris":
            return list(uris)
        return [{"id": name, "uri": uri} for name, uri in zip(self.options.features, uris, strict=True)]

    def _services(self, request: Request) -> Answer:
        services = self._all_services()
        if "fields" not in request.query:
            return self._success(uris=[service["uri"] for service in services])
        return self._success(services=[_selected(service, request.query["fields"]) for service in services])

    def _service(self, service_id: str) -> Answer:
        for service in self._all_services():
            if service["id"] == service_id:
                return self._success(service=service)
        raise NotFound

    def _all_services(self) -> list[Json]:
        media = self.options.media
        return [
            {
                "id": service_id,
                "name": name,
                "type": kind,
                "status": "Unavailable" if kind == "Media" and media == "down" else "Active",
                "uri": f"{self._base()}/services/{service_id}",
            }
            for service_id, name, kind in _SERVICES
            if kind != "Media" or media != "missing"
        ]

    def _sessions(self, user: str, segment: str, request: Request) -> Answer:
        options, key, query = self.options, key_for(segment, self.options), request.query
        with self.store.lock:
            visible = self.store.visible_to(user)
            resources = [session_json(session, key, self._base(), options) for session in visible]
        resources = [resource for resource in resources if _matches(resource, query)]
        if "fields" not in query or options.envelope == "uris":
            return self._success(uris=[resource["uri"] for resource in resources])
        resources = [_selected(resource, query["fields"]) for resource in resources]
        if options.envelope == "bare-array":
            return _json_answer(resources)
        first = resources[0] if resources else {}
        if options.envelope == "bare-object":
            return _json_answer(first)
        return self._success(**({key: first} if options.envelope == "singular" else {f"{key}s": resources}))

    def _messages(self, user: str, session_id: str, request: Request) -> Answer:
        options = self.options
        session = self.store.find(user, session_id, also_removed=options.gone == "readable")
        if not session or (options.invited_messages == "404" and session.resource["state"] == "Invited"):
            raise NotFound
        if options.printed_sample:
            return Answer(body=printed().encode())
        with self.store.lock:
            log = self.store.logs[session.id]
            begin, end = _window(log, request.query, options)
            left_out = log.leave_out(begin, end, self._clock())
            pieces = self._pieces(session, log, begin, end)
            if end - begin > _STREAMED_ABOVE:
                return Answer(body=self._enclosed(_joined(pieces)), framing="chunked", left_out=left_out)
            return Answer(body=b"".join(self._enclosed([b",".join(pieces)])), left_out=left_out)

    def _enclosed(self, pieces: "Iterator[bytes] | list[bytes]") -> Iterator[bytes]:
        if self.options.message_envelope == "bare-array":
            return chain([b"["], pieces, [b"]"])
        status = b"" if self.options.no_status_code else b'"statusCode":0,'
        return chain([b"{" + status + b'"messages":['], pieces, [b"]}"])

    def _pieces(self, session: Session, log: Log, begin: int, end: int) -> Iterator[bytes]:
        """Each message of the window as JSON."""
        options = self.options
        if log.head and is_plain(options):
            made = min(end, len(log.head))
            yield from log.head.encoded(begin, made)
            begin = max(begin, made)
        now = self._clock()
        for message in log.between(begin, end):
            if not log.hidden(message, now):
                yield json_bytes(message_json(message, self._base(), options))
        if options.index_minus_one:
            yield json_bytes(message_json(service_message(session), self._base(), options))

    def _base(self) -> str:
        return self.options.uri_base or self.base

    def _success(self, **fields: object) -> Answer:
        return _json_answer(fields if self.options.no_status_code else {"statusCode": 0, **fields})

    def _unauthenticated(self) -> Answer:
        answer = _refused(Refusal(20, "Authentication required"))
        if self.options.refuse == "401":
            answer.status = 401
            answer.headers = (("WWW-Authenticate", 'Basic realm="Genesys Web Services"'),)
        return answer

    def _not_found(self, refusal: NotFound) -> Answer:
        if self.options.unknown_path == "404html":
            return Answer(404, b"<html><body><h2>HTTP ERROR 404</h2></body></html>", "text/html")
        answer = _refused(refusal)
        answer.status = 404 if self.options.unknown_path == "404" else 200
        return answer


def http_date(seconds: float) -> str:
    """Epoch seconds as a Date header, whatever the locale."""
    moment = time.gmtime(seconds)
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02d} {month} {moment.tm_year} {time.strftime('%H:%M:%S', moment)} GMT"


def _forged() -> Answer:
    return Answer(403, b"Missing or invalid Csrf token", "text/plain")


def _json_answer(value: object) -> Answer:
    return Answer(body=json_bytes(value))


def _refused(refusal: Refusal) -> Answer:
    return _json_answer({"statusCode": refusal.code, "statusMessage": refusal.message})


def _selected(resource: Json, fields: str) -> Json:
    """The fields asked for (RequestTypes): `*` or a comma list."""
    if fields == "*":
        return resource
    wanted = [name.strip() for name in fields.split(",")]
    return {name: resource[name] for name in wanted if name in resource}


def _matches(resource: Json, query: dict[str, str]) -> bool:
    """Filtering by parameters named like fields (RequestTypes)."""
    return all(str(resource[name]) == value for name, value in query.items() if name in resource)


def _window(log: Log, query: dict[str, str], options: Options) -> tuple[int, int]:
    """The places of the log that a read asks for, end excluded."""
    start = None if options.ignore_start else _number(query, "startIndex")
    count = None if options.ignore_count else _number(query, "count")
    if start == 0 and options.start_zero_error or count is not None and count < 0:
        raise Refusal(10, "Input validation error")
    if start is not None and start > log.last_index() and options.beyond_end != "empty":
        raise NotFound if options.beyond_end == "404" else Refusal(10, "Input validation error")
    begin = 0 if start is None else log.position(start)
    end = len(log)
    if count is not None and options.count_window:
        end = log.position((log.first_index if start is None else start) + count)
    elif count is not None:
        end = begin + count
    if options.count_cap:
        end = min(end, begin + options.count_cap)
    return begin, min(end, len(log))


def _number(query: dict[str, str], name: str) -> int | None:
    try:
        return int(query[name]) if name in query else None
    except ValueError as error:
        raise Refusal(10, f"Input validation error: {name}") from error


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same, comma separated, many to a piece."""
    comma = b""
    while batch := list(islice(pieces, _PIECE)):
        yield comma + b",".join(batch)
        comma = b","
