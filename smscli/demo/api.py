"""The REST resources under /api/v2: routing, envelopes, the window of messages, and refusals."""

import time
from collections.abc import Callable

from smscli.demo.authentication import SESSION_COOKIE, USERS, HttpSession, basic_user, new_cookie
from smscli.demo.cometd import CometdChannel
from smscli.demo.http_server import DemoRequest, DemoResponse, json_bytes
from smscli.demo.resources import ResourceFormat
from smscli.demo.store import Json, MessageLog, SessionStore

PREFIX = "/api/v2"
_SUBRESOURCES = ("features", "devices", "channels", "settings")
_FEATURES = ("api-multimedia-chat", "api-multimedia", "api-voice")
_SERVICES = (
    ("provisioning", "Provisioning", "Provisioning"),
    ("tserver1", "TServer_Main", "Voice"),
    ("statserver1", "StatServer_Main", "Reporting"),
    ("ixnserver1", "InteractionServer_Main", "Media"),
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class ApiError(Exception):
    """A request that is refused with a `statusCode` (page Return Values)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ResourceNotFound(ApiError):
    """`statusCode` 6."""

    def __init__(self) -> None:
        super().__init__(6, "Resource not found")


class Api:
    """Answers requests from the store; `clock` gives the Date header's epoch seconds."""

    def __init__(
        self,
        store: SessionStore,
        resources: ResourceFormat,
        channel: CometdChannel,
        clock: Callable[[], float],
    ) -> None:
        self.store = store
        self.resources = resources
        self.channel = channel
        self._clock = clock

    def respond(self, request: DemoRequest) -> DemoResponse:
        """The response to one request; a connect of CometD takes as long as it is held."""
        self.store.advance()
        response = self.answer(request, self.user(request))
        response.headers += (("Date", http_date(self._clock())),)
        return response

    def user(self, request: DemoRequest) -> str | None:
        """The authenticated user, None if the request has no valid credentials."""
        return basic_user(request, USERS)

    def http_session(self, request: DemoRequest) -> HttpSession:
        """The HTTP session whose cookie the request carries, otherwise a new one."""
        cookie = request.cookie(SESSION_COOKIE)
        return HttpSession(cookie or new_cookie(), new=not cookie)

    def answer(self, request: DemoRequest, user: str | None) -> DemoResponse:
        """The response to a request of this user, without its Date."""
        if user is None:
            return self.unauthenticated()
        session = self.http_session(request)
        try:
            response = self.route(request, user, session)
        except ApiError as error:
            response = self.refuse(error)
        response.headers += self.session_headers(request, session)
        return response

    def session_headers(self, request: DemoRequest, session: HttpSession) -> tuple[tuple[str, str], ...]:
        """The headers of the HTTP session: the cookie of a new one."""
        cookie = f"{SESSION_COOKIE}={session.cookie};Path=/;HttpOnly"
        return (("Set-Cookie", cookie),) if session.new else ()

    def segments(self, request: DemoRequest) -> list[str]:
        """The segments of the path below `/api/v2`, empty for any other path."""
        before, _, path = request.path.partition(f"{PREFIX}/")
        return path.rstrip("/").split("/") if not before else []

    def route(self, request: DemoRequest, user: str, session: HttpSession) -> DemoResponse:
        """The response of the resource that the path names; ApiError if there is none."""
        segments = self.segments(request)
        if segments[:1] == ["notifications"]:
            return self.channel.answer(request, user, session.cookie)
        if request.method != "GET":
            raise ApiError(3, "Operation forbidden")
        match segments:
            case ["me"]:
                return self.success(user=self._user_resource(user, request.query))
            case ["services"]:
                return self._services(request.query)
            case ["services", service_id]:
                return self._service(service_id)
            case ["me", segment] if self.is_collection(segment):
                return self.sessions(user, self.key(segment), request.query)
            case ["me", segment, session_id, "messages"] if self.is_collection(segment):
                return self.messages(user, session_id, request.query)
        raise ResourceNotFound

    def is_collection(self, segment: str) -> bool:
        """Whether this path segment names the SMS sessions."""
        return segment == "smsessions"

    def key(self, segment: str) -> str:
        """The singular JSON key for an answer to a path with this segment."""
        return segment.removesuffix("s")

    def features(self) -> list[object]:
        """The user's features (`GET me?subresources=features`, seen in public clients)."""
        return [{"id": name, "uri": self.resources.url(f"/features/{name}")} for name in _FEATURES]

    def services(self) -> list[Json]:
        """The servers behind GWS and their status (page Services)."""
        return [
            {
                "id": service_id,
                "name": name,
                "type": kind,
                "status": "Active",
                "uri": self.resources.url(f"/services/{service_id}"),
            }
            for service_id, name, kind in _SERVICES
        ]

    def sessions(self, user: str, key: str, query: dict[str, str]) -> DemoResponse:
        """The user's sessions (page SMSResources)."""
        with self.store.lock:
            listed = [self.resources.session(session, key) for session in self.store.visible_to(user)]
        listed = [resource for resource in listed if _matches(resource, query)]
        if "fields" not in query:
            return self.success(uris=[resource["uri"] for resource in listed])
        return self.session_list(key, [_selected(resource, query["fields"]) for resource in listed])

    def session_list(self, key: str, resources: list[Json]) -> DemoResponse:
        """The list in its envelope, an array named after the collection (page Return Values)."""
        return self.success(**{f"{key}s": resources})

    def messages(self, user: str, session_id: str, query: dict[str, str]) -> DemoResponse:
        """The messages of a session (page SMSResources)."""
        session = self.store.find(user, session_id)
        if not session:
            raise ResourceNotFound
        with self.store.lock:
            log = self.store.logs[session.id]
            begin, end = self.window(log, query)
            page = [self.resources.message(stored) for stored in log.messages[begin:end]]
        return self.success(messages=page)

    def window(self, log: MessageLog, query: dict[str, str]) -> tuple[int, int]:
        """The places of the log that a read asks for, end excluded; `startIndex` is inclusive."""
        start, count = number(query, "startIndex"), number(query, "count")
        if count is not None and count < 0:
            raise ApiError(10, "Input validation error")
        begin = 0 if start is None else log.position(start)
        return begin, len(log) if count is None else begin + count

    def success(self, **fields: object) -> DemoResponse:
        """A response with `statusCode` 0."""
        return json_response({"statusCode": 0, **fields})

    def unauthenticated(self) -> DemoResponse:
        """The refusal of a request without valid credentials."""
        response = error_response(ApiError(20, "Authentication required"), status=401)
        response.headers = (("WWW-Authenticate", 'Basic realm="Genesys Web Services"'),)
        return response

    def refuse(self, error: ApiError) -> DemoResponse:
        """The response to a request that is refused."""
        return error_response(error, status=404 if isinstance(error, ResourceNotFound) else 200)

    def _user_resource(self, user: str, query: dict[str, str]) -> Json:
        resource: Json = {
            "id": user.encode().hex().rjust(32, "0")[-32:],
            "userName": user,
            "firstName": user.capitalize(),
            "lastName": "Agent",
            "roles": ["ROLE_AGENT"],
            "uri": self.resources.url("/me"),
            "skills": [],
        }
        wanted = query.get("subresources", "")
        for name in _SUBRESOURCES if wanted == "*" else wanted.split(","):
            if name in _SUBRESOURCES:
                resource[name] = self.features() if name == "features" else []
        return resource

    def _services(self, query: dict[str, str]) -> DemoResponse:
        services = self.services()
        if "fields" not in query:
            return self.success(uris=[service["uri"] for service in services])
        return self.success(services=[_selected(service, query["fields"]) for service in services])

    def _service(self, service_id: str) -> DemoResponse:
        for service in self.services():
            if service["id"] == service_id:
                return self.success(service=service)
        raise ResourceNotFound


def http_date(seconds: float) -> str:
    """Epoch seconds as a Date header, in English whatever the locale."""
    moment = time.gmtime(seconds)
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02d} {month} {moment.tm_year} {time.strftime('%H:%M:%S', moment)} GMT"


def json_response(value: object) -> DemoResponse:
    """HTTP 200 with this JSON."""
    return DemoResponse(body=json_bytes(value))


def error_response(error: ApiError, status: int) -> DemoResponse:
    """A refusal in the documented envelope (page Return Values)."""
    body = json_bytes({"statusCode": error.code, "statusMessage": error.message})
    return DemoResponse(status, body)


def number(query: dict[str, str], name: str) -> int | None:
    """An integer parameter, None if it is absent; ApiError if it is no integer."""
    try:
        return int(query[name]) if name in query else None
    except ValueError as error:
        raise ApiError(10, f"Input validation error: {name}") from error


def _selected(resource: Json, fields: str) -> Json:
    """The fields asked for: `*` or a comma list (page RequestTypes)."""
    if fields == "*":
        return resource
    wanted = [name.strip() for name in fields.split(",")]
    return {name: resource[name] for name in wanted if name in resource}


def _matches(resource: Json, query: dict[str, str]) -> bool:
    """Whether the resource passes the parameters named like its fields (page RequestTypes)."""
    return all(str(resource[name]) == value for name, value in query.items() if name in resource)
