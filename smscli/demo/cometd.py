"""The demo server's CometD: Bayeux 1.0 over long polling, as the CometD servers of that time speak it."""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Literal, NamedTuple

from smscli.demo.connection import Answer, Request, json_bytes
from smscli.demo.notifications import Notices
from smscli.demo.options import SMS_TOPICS, Options
from smscli.demo.store import Change, Json, SessionStore

_COOKIE = "BAYEUX_BROWSER"
# The switches may change while a connect is held; so often it looks at them.
_GLANCE = 0.25
_FLOOD_GLANCE = 0.01
_MOST_RECEIVED = 10_000
_MOST_RECENT = 100


class _Caller(NamedTuple):
    """Who sends a request: the user, and the cookies that say from where."""

    user: str
    http_session: str
    browser: str


@dataclass(slots=True, eq=False)
class _Client:
    """A CometD client: what it hears, what waits for it, and which of its connects is held (0: none).

    `connects` counts them; `active` and `flooded` are the monotonic times of its latest answer and copy.
    """

    id: str
    caller: _Caller
    active: float
    flooded: float
    topics: set[str] = field(default_factory=set)
    queue: list[object] = field(default_factory=list)
    recent: deque[object] = field(default_factory=lambda: deque(maxlen=_MOST_RECENT))
    connects: int = 0
    held: int = 0
    ended: Literal["", "disconnected", "forgotten"] = ""

    def hears(self, channel: str | None) -> bool:
        """Whether a subscription covers this channel; None is everyone's."""
        return channel is None or any(_covers(topic, channel) for topic in self.topics)


class _Broken(Exception):
    """A held connect that ends without its reply."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Push:
    """The channel under `/api/v2/notifications`: hears the store's changes and tells its clients.

    `received` holds the Bayeux messages that came in, the latest ones. `options` and `base` give the
    switches and the server's URL down to `/api/v2` as they are when called. `befell` hears of each
    notification that is lost on demand.
    """

    def __init__(
        self,
        store: SessionStore,
        options: Callable[[], Options],
        base: Callable[[], str],
        befell: Callable[[str], None],
    ) -> None:
        self.received: deque[Json] = deque(maxlen=_MOST_RECEIVED)
        self._store = store
        self._options = options
        self._base = base
        self._notices = Notices(befell)
        self._clients: dict[str, _Client] = {}
        # Taken after the store's lock, never before it: changes are heard under that one.
        self._changed = threading.Condition()
        self._cuts = 0
        self._closed = False
        store.subscribe(self._hear)

    def answer(self, request: Request, user: str, http_session: str) -> Answer:
        """The answer to one request, which may take as long as a connect is held."""
        messages = _parsed(request)
        if not messages:
            return Answer(400, type="text/plain")
        browser = request.cookie(_COOKIE)
        caller = _Caller(user, http_session, browser or os.urandom(20).hex())
        with self._changed:
            self._forget_idle()
            self.received += messages
            try:
                elements = self._exchange(messages, caller)
            except _Broken as broken:
                return broken.answer
        answer = Answer(body=json_bytes(elements))
        if not browser and messages[0].get("channel") == "/meta/handshake":
            answer.headers = (("Set-Cookie", f"{_COOKIE}={caller.browser};Path=/;HttpOnly"),)
        return answer

    def await_listeners(self, count: int, timeout: float) -> bool:
        """Wait until so many subscribed clients have a connect held; False after `timeout` seconds."""

        def listening() -> bool:
            return sum(1 for one in self._clients.values() if one.held and one.topics) >= count

        with self._changed:
            return self._changed.wait_for(listening, timeout)

    def lose(self, times: int) -> None:
        """Let the next `times` notifications get lost."""
        with self._changed:
            self._notices.to_lose = times

    def cut(self) -> bool:
        """Reset the connections of all held connects; whether there were any."""
        with self._changed:
            self._cuts += 1
            self._changed.notify_all()
            return any(client.held for client in self._clients.values())

    def drop(self) -> bool:
        """Forget every client; whether there was any."""
        with self._changed:
            known = list(self._clients.values())
            for client in known:
                self._end(client, "forgotten")
            return bool(known)

    def close(self) -> None:
        """Let go of everything that is held."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _hear(self, change: Change) -> None:
        """Queue what the change means for those who see its session; called under the store's lock."""
        with self._changed:
            self._forget_idle()
            hearers = [
                (client, session)
                for client in self._clients.values()
                if client.topics and (session := self._store.find(client.caller.user, change.session_id))
            ]
            if not hearers:
                return
            for channel, element in self._notices.of(change, hearers[0][1], self._base(), self._options()):
                for client, _ in hearers:
                    if client.hears(channel):
                        client.queue.append(element)
                        client.recent.append(element)
            self._changed.notify_all()

    def _exchange(self, messages: list[Json], caller: _Caller) -> list[object]:
        """What waited for the client, then the replies."""
        client: _Client | None = None
        replies: list[object] = []
        queued: list[object] = []
        for message in messages:
            client = self._client(message, caller)
            replies.append(self._reply(message, client, caller, alone=len(messages) == 1))
        if client:
            queued, client.queue = client.queue, []
            client.active = time.monotonic()
        return [*queued, *replies]

    def _client(self, message: Json, caller: _Caller) -> _Client | None:
        client = self._clients.get(str(message.get("clientId")))
        if client is None or client.caller.user != caller.user:
            return None
        bound = self._options().push_cookies == "demanded"
        return None if bound and client.caller != caller else client

    def _reply(self, message: Json, client: _Client | None, caller: _Caller, *, alone: bool) -> Json:
        channel = message.get("channel")
        if channel == "/meta/handshake":
            fields = self._handshake(caller)
        elif client is None:
            fields = _unknown(channel)
        elif channel == "/meta/connect":
            fields = self._connect(client, message, alone)
        elif channel == "/meta/disconnect":
            fields = self._end(client, "disconnected")
        elif channel in ("/meta/subscribe", "/meta/unsubscribe"):
            fields = self._subscribe(client, message)
        else:
            fields = _failure(f"403:{channel}:publish_denied")
        echoed: Json = {name: message[name] for name in ("id", "channel") if name in message}
        return {**echoed, **fields}

    def _handshake(self, caller: _Caller) -> Json:
        if self._options().push_refuse == "handshake":
            return _failure("403::Handshake denied") | {"advice": {"reconnect": "none"}}
        now = time.monotonic()
        client = _Client(os.urandom(20).hex(), caller, active=now, flooded=now)
        self._clients[client.id] = client
        return {
            "version": "1.0",
            "minimumVersion": "1.0",
            "supportedConnectionTypes": ["callback-polling", "long-polling"],
            "clientId": client.id,
            "successful": True,
            "advice": self._advice(),
        }

    def _advice(self) -> Json:
        options = self._options()
        return {
            "reconnect": "retry",
            "interval": options.push_interval,
            "timeout": int(options.hold * 1000),
        }

    def _subscribe(self, client: _Client, message: Json) -> Json:
        """One topic or several at once, all of them or none."""
        asked = message.get("subscription")
        given = asked if isinstance(asked, list) else [asked]
        topics = [topic for topic in given if isinstance(topic, str) and topic.startswith("/")]
        if len(topics) < len(given):
            return _failure("400::subscription_invalid")
        if message["channel"] == "/meta/unsubscribe":
            client.topics.difference_update(topics)
        elif refused := [topic for topic in topics if not self._accepts(topic)]:
            return _failure(f"403:{','.join(refused)}:subscribe_denied") | {"subscription": asked}
        else:
            client.topics.update(topics)
        return {"successful": True, "subscription": asked}

    def _accepts(self, topic: str) -> bool:
        options = self._options()
        if options.push_refuse == "subscribe" or options.push_refuse == "topics" and topic in SMS_TOPICS:
            return False
        return topic in options.topics

    def _connect(self, client: _Client, message: Json, alone: bool) -> Json:
        """The reply to a connect, when there is news or the time is up; the first one comes at once."""
        client.connects += 1
        # An older connect of this client that is still held gives way.
        self._changed.notify_all()
        options = self._options()
        reply: Json = {"successful": True}
        asked = message.get("advice")
        if client.connects == 1 or asked or options.push_reconnect != "retry":
            reply["advice"] = self._advice() | {"reconnect": options.push_reconnect}
        if client.queue or not alone:
            seconds = 0.0
        elif self._crowded(client):
            seconds, reply = 0.0, self._crowded_reply()
        else:
            seconds = 0.0 if client.connects == 1 else _seconds(asked, options.hold)
        if seconds or options.silence:
            self._hold(client, seconds)
        if client.ended == "forgotten":
            return _unknown("/meta/connect")
        return {**reply, "advice": {"reconnect": "none"}} if client.ended else reply

    def _crowded(self, client: _Client) -> bool:
        """Whether as many connects as one browser may have are held for others with this client's cookie."""
        others = [
            other
            for other in self._clients.values()
            if other.held and other is not client and other.caller.browser == client.caller.browser
        ]
        return len(others) >= self._options().browser_sessions

    def _crowded_reply(self) -> Json:
        interval = self._options().crowded_interval
        advice: Json = {"multiple-clients": True, "reconnect": "retry" if interval else "none"}
        if interval:
            advice["interval"] = interval
        return {"successful": bool(interval), "advice": advice}

    def _hold(self, client: _Client, seconds: float) -> None:
        """Wait until there is something to tell; _Broken where the connection ends instead."""
        turn, cuts, end = client.connects, self._cuts, time.monotonic() + seconds
        client.held = turn
        self._changed.notify_all()
        try:
            while not client.ended:
                options = self._options()
                if self._closed or cuts != self._cuts:
                    raise _Broken(Answer(reset=True))
                if client.connects != turn:
                    raise _Broken(Answer(408, type="text/plain"))
                if not options.silence:
                    if options.flood:
                        _flood(client, options.flood)
                    if client.queue or time.monotonic() >= end:
                        return
                glance = _FLOOD_GLANCE if options.flood else _GLANCE
                self._changed.wait(glance if options.silence else min(glance, end - time.monotonic()))
        finally:
            client.active = time.monotonic()
            if client.held == turn:
                client.held = 0

    def _end(self, client: _Client, how: Literal["disconnected", "forgotten"]) -> Json:
        self._clients.pop(client.id, None)
        client.queue.clear()
        client.ended = how
        self._changed.notify_all()
        return {"successful": True}

    def _forget_idle(self) -> None:
        """Forget those who have sent no connect for too long (CometD's maxInterval)."""
        options = self._options()
        before = time.monotonic() - options.push_interval / 1000 - options.push_expiry
        for client in [one for one in self._clients.values() if not one.held and one.active < before]:
            self._end(client, "forgotten")


def _parsed(request: Request) -> list[Json]:
    """The Bayeux messages of a request's body; none where it is anything else."""
    try:
        body = json.loads(request.body) if request.method == "POST" else None
    except (ValueError, RecursionError):
        return []
    given = body if isinstance(body, list) else [body]
    messages = [message for message in given if isinstance(message, dict)]
    return messages if len(messages) == len(given) else []


def _covers(topic: str, channel: str) -> bool:
    """Whether a subscription to this topic hears the channel: `*` is one segment, `**` any number."""
    stem, _, last = topic.rpartition("/")
    rest = channel.removeprefix(f"{stem}/") if channel.startswith(f"{stem}/") else ""
    if last == "**":
        return bool(rest)
    return topic == channel or last == "*" and bool(rest) and "/" not in rest


def _seconds(advice: object, hold: float) -> float:
    """How long to hold a connect whose client may ask for less."""
    asked = advice.get("timeout") if isinstance(advice, dict) else None
    return min(max(asked, 0), hold * 1000) / 1000 if isinstance(asked, int) else hold


def _flood(client: _Client, rate: float) -> None:
    """Queue the copies due by now, of no more than the last second."""
    now = time.monotonic()
    client.flooded = max(client.flooded, now - 1)
    due = int((now - client.flooded) * rate)
    client.flooded += due / rate
    client.queue += islice(cycle(client.recent), due)


def _failure(error: str) -> Json:
    return {"successful": False, "error": error}


def _unknown(channel: object) -> Json:
    reply = _failure("402::Unknown client")
    if channel == "/meta/connect":
        reply["advice"] = {"reconnect": "handshake", "interval": 0}
    return reply
