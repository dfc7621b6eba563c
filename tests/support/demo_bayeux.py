"""A minimal CometD client: one connection, its cookies, and Bayeux messages written out."""

import json
from typing import Any

from tests.server.server import FakeServer
from tests.support.demo_peer import DEMO, Reply, connect

PATH = "/api/v2/notifications"
HANDSHAKE = {
    "channel": "/meta/handshake",
    "id": "1",
    "version": "1.0",
    "supportedConnectionTypes": ["long-polling"],
}
Message = dict[str, Any]


class Peer:
    """A context manager; `cookies` and `client_id` may be set to those of another client."""

    def __init__(self, server: FakeServer, headers: dict[str, str] = DEMO, path: str = PATH) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}
        self.client_id = ""
        self.headers = headers
        self._path = path
        self._connection = connect(server)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, body: bytes, method: str = "POST") -> None:
        headers = {**self.headers, "Content-Type": "application/json"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self._connection.request(method, self._path, body=body, headers=headers)

    def receive(self) -> Reply:
        answer = self._connection.getresponse()
        for name, value in answer.getheaders():
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return Reply(answer.status, dict(answer.getheaders()), answer.read())

    def post(self, body: bytes, method: str = "POST") -> Reply:
        self.send(body, method)
        return self.receive()

    def say(self, *messages: Message) -> Any:
        """Send these messages and return the response."""
        return self.post(_body(messages)).json()

    def message(self, kind: str, **fields: object) -> Message:
        return {"channel": f"/meta/{kind}", "clientId": self.client_id, **fields}

    def handshake(self) -> Message:
        [reply] = self.say(HANDSHAKE)
        self.client_id = reply.get("clientId", "")
        return dict(reply)

    def subscribe(self, *topics: str) -> list[Message]:
        return list(self.say(*(self.message("subscribe", subscription=topic) for topic in topics)))

    def connect(self, **fields: object) -> Any:
        return self.say(self.message("connect", connectionType="long-polling", **fields))

    def send_connect(self, **fields: object) -> None:
        """Send a connect without waiting for its response."""
        self.send(_body((self.message("connect", connectionType="long-polling", **fields),)))

    def begin(self, *topics: str) -> "Peer":
        """Handshake, subscribe, and send the first connect, so that the next one is held."""
        self.handshake()
        self.subscribe(*topics or ("/v2/me/*",))
        self.connect()
        return self

    def hang(self, **fields: object) -> None:
        """Send a connect and wait until it is held."""
        self.send_connect(**fields)
        assert self.server.await_listeners()

    def notifications(self) -> list[Message]:
        """The notifications that the held connect brings."""
        *notifications, reply = self.receive().json()
        assert reply == {"channel": "/meta/connect", "successful": True}
        return notifications


def _body(messages: tuple[Message, ...]) -> bytes:
    return json.dumps(messages).encode()
