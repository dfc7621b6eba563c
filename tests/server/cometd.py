"""The test server's CometD channel: refusals, crowded browsers, silence, floods, and lost notifications."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from itertools import count, cycle, islice

from smscli.demo.cometd import (
    SMS_TOPICS,
    Caller,
    CometdChannel,
    CometdClient,
    ConnectAborted,
    Delivery,
    failure,
    published,
)
from smscli.demo.notifications import NotificationFormat, message_log_update
from smscli.demo.resources import ResourceFormat
from smscli.demo.store import Change, Json, SessionStore, StoredSession
from tests.server.faults import random_numbers
from tests.server.options import Options
from tests.server.responses import FaultyResponse

# The switches may change while a connect is held, so it looks at them every so many seconds.
_CHECK = 0.25
_FLOOD_CHECK = 0.01
_MOST_RECEIVED = 10_000
_MOST_RECENT = 100
_CHATS, _CALLS = "/v2/me/chats", "/v2/me/calls"
# A session that is in no list.
FOREIGN_SESSION = "0000Nf0000000000"


class FakeChannel(CometdChannel):
    """A channel as the switches say; `received` holds the latest Bayeux messages of the clients.

    `count_fault` is called with the kind of each fault that takes effect.
    """

    def __init__(
        self,
        store: SessionStore,
        resources: ResourceFormat,
        notifications: NotificationFormat,
        options: Callable[[], Options],
        count_fault: Callable[[str], None],
    ) -> None:
        self.received: deque[Json] = deque(maxlen=_MOST_RECEIVED)
        self._options = options
        self._resources = resources
        self._count_fault = count_fault
        self._recent: dict[str, deque[object]] = defaultdict(lambda: deque(maxlen=_MOST_RECENT))
        self._flooded: dict[str, float] = {}
        self._cut: set[CometdClient] = set()
        self._to_lose = 0
        self._swapped: list[Delivery] = []
        self._foreign = count()
        self._malformed = count()
        self._random: Iterator[float] | None = None
        super().__init__(store, notifications)

    @property
    def longest_hold(self) -> float:
        return self._options().hold

    @property
    def expiry(self) -> float:
        return self._options().push_interval / 1000 + self._options().push_expiry

    @property
    def topic(self) -> str:
        return self._options().topic

    def await_listeners(self, count: int, timeout: float) -> bool:
        """Wait until so many subscribed clients have a connect held; False after `timeout` seconds."""

        def listening() -> bool:
            return sum(1 for client in self.clients.values() if client.held and client.topics) >= count

        with self.changed:
            return self.changed.wait_for(listening, timeout)

    def lose(self, times: int) -> None:
        """Lose the next `times` notifications."""
        with self.changed:
            self._to_lose = times

    def cut(self) -> bool:
        """Reset the connections of all held connects; whether there were any."""
        with self.changed:
            held = {client for client in self.clients.values() if client.held}
            self._cut |= held
            self.changed.notify_all()
            return bool(held)

    def drop(self) -> bool:
        """Forget every client; whether there were any."""
        with self.changed:
            clients = list(self.clients.values())
            for client in clients:
                self.end(client, "expired")
            return bool(clients)

    def exchange(self, messages: list[Json], caller: Caller) -> list[object]:
        self.received += messages
        return super().exchange(messages, caller)

    def recognizes(self, client: CometdClient, caller: Caller) -> bool:
        if self._options().push_cookies == "demanded":
            return super().recognizes(client, caller)
        return client.caller.user == caller.user

    def advice(self) -> Json:
        return super().advice() | {"interval": self._options().push_interval}

    def connect_advice(self, client: CometdClient, requested: object) -> Json | None:
        reconnect = self._options().push_reconnect
        if reconnect == "retry":
            return super().connect_advice(client, requested)
        return self.advice() | {"reconnect": reconnect}

    def handshake(self, caller: Caller) -> Json:
        if self._options().push_refuse == "handshake":
            return failure("403::Handshake denied") | {"advice": {"reconnect": "none"}}
        reply = super().handshake(caller)
        self._flooded[reply["clientId"]] = time.monotonic()
        return reply

    def accepts(self, topic: str) -> bool:
        options = self._options()
        if options.push_refuse == "subscribe" or options.push_refuse == "topics" and topic in SMS_TOPICS:
            return False
        return topic in options.topics

    def connect(self, client: CometdClient, message: Json, *, alone: bool) -> Json:
        if alone and not client.queue and self._is_crowded(client):
            client.connects += 1
            self.changed.notify_all()
            return self._crowded_reply()
        return super().connect(client, message, alone=alone)

    def is_due(self, client: CometdClient, deadline: float) -> bool:
        if client in self._cut:
            self._cut.remove(client)
            raise ConnectAborted(FaultyResponse(reset=True))
        options = self._options()
        if options.silence:
            return False
        if options.flood:
            self._flood(client, options.flood)
        return super().is_due(client, deadline)

    def pause(self, deadline: float) -> float:
        options = self._options()
        check = _FLOOD_CHECK if options.flood else _CHECK
        return check if options.silence else min(check, super().pause(deadline))

    def enqueue(self, client: CometdClient, element: object) -> None:
        super().enqueue(client, element)
        self._recent[client.id].append(element)

    def deliveries(self, change: Change, session: StoredSession) -> list[Delivery]:
        """The change's notification, perhaps lost, repeated, swapped with the next, or in bad company."""
        return [
            delivery
            for notification in super().deliveries(change, session)
            for delivery in self._transported(notification)
        ]

    def _transported(self, notification: Delivery) -> Iterator[Delivery]:
        options = self._options()
        if self._to_lose:
            self._to_lose -= 1
            self._count_fault("notification-lost")
            return
        if self._by_chance(options.push_lost):
            return
        swapped, self._swapped = self._swapped, []
        if not swapped and self._by_chance(options.push_reordered):
            self._swapped.append(notification)
            return
        if self._by_chance(options.push_foreign):
            yield _foreign(next(self._foreign), options.topic, self._resources)
        if self._by_chance(options.push_malformed):
            yield _malformed(next(self._malformed), options.topic)
        yield notification
        if self._by_chance(options.push_repeated):
            yield notification
        yield from swapped

    def _by_chance(self, share: float) -> bool:
        if not share:
            return False
        if self._random is None:
            self._random = random_numbers(self._options().fault_seed)
        return next(self._random) < share

    def _is_crowded(self, client: CometdClient) -> bool:
        """Whether this browser has as many held connects of other clients as it may have."""
        others = [
            other
            for other in self.clients.values()
            if other.held and other is not client and other.caller.browser == client.caller.browser
        ]
        return len(others) >= self._options().browser_sessions

    def _crowded_reply(self) -> Json:
        interval = self._options().crowded_interval
        advice: Json = {"multiple-clients": True, "reconnect": "retry" if interval else "none"}
        if interval:
            advice["interval"] = interval
        return {"successful": bool(interval), "advice": advice}

    def _flood(self, client: CometdClient, rate: float) -> None:
        """Queue the copies that are due by now, those of the last second at most."""
        now = time.monotonic()
        last = max(self._flooded.get(client.id, now), now - 1)
        due = int((now - last) * rate)
        self._flooded[client.id] = last + due / rate
        client.queue += islice(cycle(self._recent[client.id]), due)


def _foreign(number: int, topic: str, resources: ResourceFormat) -> Delivery:
    """A notification that is not about the user's SMS sessions; `number` chooses one in turn."""
    message = {"index": 1, "type": "Text", "text": "elsewhere", "visibility": "All"}
    chat_path, chat_uri = "/chats/0000Nc0000000001", resources.url("/chats/0000Nc0000000001")
    chat = {"id": "0000Nc0000000001", "state": "Chatting", "uri": chat_uri}
    foreign = (
        (_CHATS, {"messageType": "ChatStateChangeMessage", "notificationType": "StatusChange", "chat": chat}),
        (_CHATS, message_log_update(message) | {"chatUri": chat_uri, "chatPath": chat_path}),
        (_CALLS, {"messageType": "CallStateChangeMessage", "notificationType": "StatusChange", "call": {}}),
        # SMSCancelConsult: no message type, no session.
        (topic, {"notificationType": "Error", "errorMessage": "Request failed", "referenceId": 5}),
        (
            topic,
            message_log_update(message) | {"smssessionUri": resources.url(f"/smssessions/{FOREIGN_SESSION}")},
        ),
    )
    return published(*foreign[number % len(foreign)])


def _malformed(number: int, topic: str) -> Delivery:
    """An element that is no notification, or one without content; `number` chooses one in turn."""
    elements: tuple[object, ...] = (
        17,
        None,
        "junk",
        [[]],
        {},
        {"channel": topic},
        {"channel": topic, "data": None},
        {"channel": topic, "data": "text"},
        {"channel": topic, "data": {}},
        {"channel": 5, "data": {"messageType": "MessageLogUpdated"}},
        {"channel": topic, "data": {"messageType": ["MessageLogUpdated"]}},
        {"channel": topic, "data": {"messageType": "MessageLogUpdated", "messages": []}},
        {"channel": topic, "data": {"messageType": "MessageLogUpdated", "smssessionUri": 7, "messages": 7}},
        {
            "channel": topic,
            "data": {"messageType": "MessageLogUpdated", "smssessionUri": "", "messages": [1]},
        },
        {"channel": topic, "data": {"messageType": "SMSsessionStateChangeMessage"}},
        {"channel": topic, "data": {"messageType": "SMSsessionStateChangeMessage", "smssession": None}},
        {"channel": topic, "data": {"messageType": "SMSsessionStateChangeMessage", "smssession": {"id": 7}}},
    )
    return Delivery(None, elements[number % len(elements)])
