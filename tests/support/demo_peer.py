"""A plain HTTP reader of the demo server, and a clock that is set by hand."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.server.server import FakeServer

# Monday 2 March 2026, nine o'clock UTC.
START = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
LIST = "/api/v2/me/smsessions?fields=*"


class Clock:
    """Epoch seconds that pass only when a test says so."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def basic(user: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode(encoding)).decode()}


DEMO = basic("demo", "demo")
SAMPLE = basic("sample", "demo")


def connect(server: FakeServer, timeout: float = 60) -> HTTPConnection:
    return HTTPConnection(urlsplit(server.url).netloc, timeout=timeout)


def get(
    server: FakeServer, target: str, headers: dict[str, str] = DEMO, method: str = "GET", timeout: float = 60
) -> Reply:
    """One request on a connection of its own."""
    connection = connect(server, timeout)
    try:
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def messages(server: FakeServer, session_id: str, query: str = "") -> list[dict[str, Any]]:
    body = get(server, f"/api/v2/me/smsessions/{session_id}/messages{query}").json()
    return list(body["messages"])


def indices(server: FakeServer, session_id: str, query: str = "") -> list[int]:
    return [message["index"] for message in messages(server, session_id, query)]
