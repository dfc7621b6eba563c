"""A CometD server with scripted replies per kind of message, and good ones otherwise."""

import json
from collections.abc import Iterable
from typing import Any

from tests.support.wire_server import Reply, Request, answer, hang

Message = dict[str, Any]
UNKNOWN: Message = {
    "channel": "/meta/connect",
    "successful": False,
    "error": "402::Unknown client",
    "advice": {"reconnect": "handshake", "interval": 0},
}
NEWS: Message = {
    "channel": "/v2/me/smssession",
    "data": {"messageType": "MessageLogUpdated", "smssessionUri": "http://gws/api/v2/smssessions/s1"},
}
REFUSED = answer({"statusCode": 20}, 401)


def connected(**advice: object) -> list[Message]:
    """The reply to a good connect."""
    reply = {"channel": "/meta/connect", "successful": True}
    return [reply | ({"advice": advice} if advice else {})]


class CometdScript:
    """The replies for each kind of message in turn; good ones for None and after the last.

    A reply is one of `wire_server`, or the elements of the response, sent as JSON. A good connect is held
    unless the client asks for an immediate one; a good GET returns a CSRF token.
    """

    def __init__(self, **kinds: Iterable[object]) -> None:
        self._scripted = {kind: iter(replies) for kind, replies in kinds.items()}
        self._clients = 0
        self.requests: list[tuple[Request, list[Message]]] = []

    def __call__(self, request: Request) -> Reply:
        if request.method == "GET":
            self.requests.append((request, []))
            return answer({}, headers={"X-CSRF-HEADER": "X-CSRF-TOKEN", "X-CSRF-TOKEN": "t0k3n"})
        messages = json.loads(request.body)
        self.requests.append((request, messages))
        kind = messages[0]["channel"].removeprefix("/meta/")
        scripted = next(self._scripted.get(kind, iter(())), None)
        if scripted is None:
            return self._good(kind, messages)
        return scripted if callable(scripted) else answer(scripted)

    def _good(self, kind: str, messages: list[Message]) -> Reply:
        if kind == "connect" and "advice" not in messages[0]:
            return hang
        replies = [{"channel": one["channel"], "id": one["id"], "successful": True} for one in messages]
        headers = {}
        if kind == "handshake":
            self._clients += 1
            replies[0]["clientId"] = f"c{self._clients}"
            headers["Set-Cookie"] = f"BAYEUX_BROWSER=b{self._clients}; Path=/"
        return answer(replies, headers=headers)

    @property
    def kinds(self) -> list[str]:
        """The requests in order: paths of GETs and kinds of messages."""
        return [
            messages[0]["channel"].removeprefix("/meta/")
            if messages
            else request.target.removeprefix("/api/v2/")
            for request, messages in list(self.requests)
        ]

    def sent(self, kind: str) -> list[Message]:
        """The messages of one kind, without their ids."""
        return [
            {name: value for name, value in message.items() if name != "id"}
            for _, messages in list(self.requests)
            for message in messages
            if message["channel"] == f"/meta/{kind}"
        ]

    def headers(self, kind: str, name: str) -> list[str | None]:
        """One header of each request of a kind."""
        wanted = f"/meta/{kind}"
        return [
            request.headers.get(name)
            for request, sent in list(self.requests)
            if sent and sent[0]["channel"] == wanted
        ]
