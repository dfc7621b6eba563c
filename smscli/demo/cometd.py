"""CometD's server side: Bayeux 1.0 over long polling, with the behaviour of CometD 3."""

import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from smscli.demo.http_server import DemoRequest, DemoResponse, Disconnected, json_bytes
from smscli.demo.notifications import TOPIC, NotificationFormat
from smscli.demo.store import Change, Json, SessionStore, StoredSession

SMS_TOPICS = ("/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions")
TOPICS = (
    "/**",
    "/v2/me/*",
    *SMS_TOPICS,
    "/v2/me/calls",
    "/v2/me/channels",
    "/v2/me/chats",
    "/v2/me/devices",
    "/notifications/services",
)
_COOKIE = "BAYEUX_BROWSER"


class Caller(NamedTuple):
    """Who sends a request: the user and the cookies of the HTTP session and the browser."""

    user: str
    http_session: str
    browser: str


@dataclass(slots=True, eq=False)
class CometdClient:
    """A client: its subscriptions, its queue, and which of its connects is held (0 if none is).

    `connects` counts them; `active` is the monotonic time of its latest response.
    """

    id: str
    caller: Caller
    active: float
    topics: set[str] = field(default_factory=set)
    queue: list[object] = field(default_factory=list)
    connects: int = 0
    held: int = 0
    ended: Literal["", "disconnected", "expired"] = ""

    def hears(self, channel: str | None) -> bool:
        """Whether a subscription covers this channel; None is for every client."""
        return channel is None or any(_covers(topic, channel) for topic in self.topics)


class Delivery(NamedTuple):
    """One element of a Bayeux response, for the subscribers of `channel`; None is for every client."""

    channel: str | None
    element: object


class ConnectAborted(Exception):
    """A held connect that ends with an HTTP response in place of a Bayeux reply."""

    def __init__(self, response: DemoResponse) -> None:
        super().__init__(response.status)
        self.response = response


class CometdChannel:
    """The channel at `/api/v2/notifications`: subscribes to the store and publishes each change.

    Times are CometD's defaults, in seconds: a connect is held for `longest_hold`, and a client expires
    `expiry` after its last one (CometD's maxInterval).
    """

    longest_hold: float = 30.0
    expiry: float = 10.0
    topic: str = TOPIC

    def __init__(self, store: SessionStore, notifications: NotificationFormat) -> None:
        self.store = store
        self.notifications = notifications
        self.clients: dict[str, CometdClient] = {}
        # Acquired after the store's lock, never before it: changes are published under that one.
        self.changed = threading.Condition()
        self._closed = False
        store.subscribe(self._publish)

    def answer(self, request: DemoRequest, user: str, http_session: str) -> DemoResponse:
        """The response to one request; takes as long as a connect is held. Disconnected on `close`."""
        messages = _parsed(request)
        if not messages:
            return DemoResponse(400, type="text/plain")
        browser = request.cookie(_COOKIE)
        caller = Caller(user, http_session, browser or os.urandom(20).hex())
        with self.changed:
            self._expire()
            try:
                elements = self.exchange(messages, caller)
            except ConnectAborted as aborted:
                return aborted.response
        response = DemoResponse(body=json_bytes(elements))
        if not browser and messages[0].get("channel") == "/meta/handshake":
            response.headers = (("Set-Cookie", f"{_COOKIE}={caller.browser};Path=/;HttpOnly"),)
        return response

    def close(self) -> None:
        """End every held connect."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()

    def exchange(self, messages: list[Json], caller: Caller) -> list[object]:
        """What was queued for the client, then the reply to each message."""
        client: CometdClient | None = None
        replies: list[object] = []
        queued: list[object] = []
        for message in messages:
            client = self._client(message, caller)
            replies.append(self._reply(message, client, caller, alone=len(messages) == 1))
        if client:
            queued, client.queue = client.queue, []
            client.active = time.monotonic()
        return [*queued, *replies]

    def recognizes(self, client: CometdClient, caller: Caller) -> bool:
        """Whether this caller may speak for the client: only with the cookies of its handshake."""
        return client.caller == caller

    def advice(self) -> Json:
        """The advice of a handshake."""
        return {"reconnect": "retry", "interval": 0, "timeout": int(self.longest_hold * 1000)}

    def connect_advice(self, client: CometdClient, requested: object) -> Json | None:
        """The advice of a connect: with the first one, and if the client sent an advice itself."""
        return self.advice() if client.connects == 1 or requested else None

    def handshake(self, caller: Caller) -> Json:
        """The reply to a handshake."""
        client = CometdClient(os.urandom(20).hex(), caller, active=time.monotonic())
        self.clients[client.id] = client
        return {
            "version": "1.0",
            "minimumVersion": "1.0",
            "supportedConnectionTypes": ["callback-polling", "long-polling"],
            "clientId": client.id,
            "successful": True,
            "advice": self.advice(),
        }

    def accepts(self, topic: str) -> bool:
        """Whether this topic may be subscribed to."""
        return topic in TOPICS

    def connect(self, client: CometdClient, message: Json, *, alone: bool) -> Json:
        """The reply to a connect, which is held until something is queued; the first one is not held."""
        client.connects += 1
        # Ends an older connect of this client that is still held.
        self.changed.notify_all()
        reply: Json = {"successful": True}
        if advice := self.connect_advice(client, message.get("advice")):
            reply["advice"] = advice
        hold = self.hold_seconds(message.get("advice")) if alone and client.connects > 1 else 0.0
        self._hold(client, time.monotonic() + hold)
        if client.ended == "expired":
            return unknown_client("/meta/connect")
        return {**reply, "advice": {"reconnect": "none"}} if client.ended else reply

    def hold_seconds(self, requested: object) -> float:
        """How long to hold a connect; its advice may ask for less."""
        timeout = requested.get("timeout") if isinstance(requested, dict) else None
        if not isinstance(timeout, int):
            return self.longest_hold
        return min(max(timeout / 1000, 0), self.longest_hold)

    def is_due(self, client: CometdClient, deadline: float) -> bool:
        """Whether a held connect is to be answered; ConnectAborted if it ends otherwise."""
        return bool(client.queue) or time.monotonic() >= deadline

    def pause(self, deadline: float) -> float:
        """How many seconds a held connect waits at most before it is looked at again."""
        return deadline - time.monotonic()

    def deliveries(self, change: Change, session: StoredSession) -> list[Delivery]:
        """What is published for a change."""
        data = self.notifications.data(change, session)
        return [published(self.topic, data)] if data else []

    def enqueue(self, client: CometdClient, element: object) -> None:
        """Queue an element for a client's next response."""
        client.queue.append(element)

    def end(self, client: CometdClient, how: Literal["disconnected", "expired"]) -> Json:
        """Remove a client; its held connect is answered."""
        self.clients.pop(client.id, None)
        client.queue.clear()
        client.ended = how
        self.changed.notify_all()
        return {"successful": True}

    def _publish(self, change: Change) -> None:
        """Queue a change for the subscribers who see its session; called under the store's lock."""
        with self.changed:
            self._expire()
            recipients = [
                (client, session)
                for client in self.clients.values()
                if client.topics and (session := self.store.find(client.caller.user, change.session_id))
            ]
            if not recipients:
                return
            for channel, element in self.deliveries(change, recipients[0][1]):
                for client, _ in recipients:
                    if client.hears(channel):
                        self.enqueue(client, element)
            self.changed.notify_all()

    def _client(self, message: Json, caller: Caller) -> CometdClient | None:
        client = self.clients.get(str(message.get("clientId")))
        return client if client and self.recognizes(client, caller) else None

    def _reply(self, message: Json, client: CometdClient | None, caller: Caller, *, alone: bool) -> Json:
        channel = message.get("channel")
        if channel == "/meta/handshake":
            fields = self.handshake(caller)
        elif client is None:
            fields = unknown_client(channel)
        elif channel == "/meta/connect":
            fields = self.connect(client, message, alone=alone)
        elif channel == "/meta/disconnect":
            fields = self.end(client, "disconnected")
        elif channel in ("/meta/subscribe", "/meta/unsubscribe"):
            fields = self._subscribe(client, message)
        else:
            fields = failure(f"403:{channel}:publish_denied")
        echoed: Json = {name: message[name] for name in ("id", "channel") if name in message}
        return {**echoed, **fields}

    def _subscribe(self, client: CometdClient, message: Json) -> Json:
        """One topic or several at once, all of them or none."""
        requested = message.get("subscription")
        given = requested if isinstance(requested, list) else [requested]
        topics = [topic for topic in given if isinstance(topic, str) and topic.startswith("/")]
        if len(topics) < len(given):
            return failure("400::subscription_invalid")
        if message["channel"] == "/meta/unsubscribe":
            client.topics.difference_update(topics)
        elif refused := [topic for topic in topics if not self.accepts(topic)]:
            return failure(f"403:{','.join(refused)}:subscribe_denied") | {"subscription": requested}
        else:
            client.topics.update(topics)
        return {"successful": True, "subscription": requested}

    def _hold(self, client: CometdClient, deadline: float) -> None:
        """Wait until the connect is to be answered."""
        number = client.held = client.connects
        self.changed.notify_all()
        try:
            while not client.ended:
                if self._closed:
                    raise Disconnected
                if client.connects != number:
                    raise ConnectAborted(DemoResponse(408, type="text/plain"))
                if self.is_due(client, deadline):
                    return
                self.changed.wait(self.pause(deadline))
        finally:
            client.active = time.monotonic()
            if client.held == number:
                client.held = 0

    def _expire(self) -> None:
        """Remove the clients that have sent no connect for too long."""
        before = time.monotonic() - self.expiry
        for client in [one for one in self.clients.values() if not one.held and one.active < before]:
            self.end(client, "expired")


def published(channel: str, data: object) -> Delivery:
    """A notification for the subscribers of a channel."""
    return Delivery(channel, {"channel": channel, "data": data})


def failure(error: str) -> Json:
    """A reply that refuses."""
    return {"successful": False, "error": error}


def unknown_client(channel: object) -> Json:
    """The reply to a client that is not known (any more): a connect is advised to handshake."""
    reply = failure("402::Unknown client")
    if channel == "/meta/connect":
        reply["advice"] = {"reconnect": "handshake", "interval": 0}
    return reply


def _parsed(request: DemoRequest) -> list[Json]:
    """The Bayeux messages of a request's body, empty if it holds anything else."""
    try:
        body = json.loads(request.body) if request.method == "POST" else None
    except (ValueError, RecursionError):
        return []
    given = body if isinstance(body, list) else [body]
    messages = [message for message in given if isinstance(message, dict)]
    return messages if len(messages) == len(given) else []


def _covers(topic: str, channel: str) -> bool:
    """Whether a subscription to this topic covers the channel: `*` is one segment, `**` any number."""
    stem, _, last = topic.rpartition("/")
    rest = channel.removeprefix(f"{stem}/") if channel.startswith(f"{stem}/") else ""
    if last == "**":
        return bool(rest)
    return topic == channel or last == "*" and bool(rest) and "/" not in rest
