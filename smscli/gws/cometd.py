"""A Bayeux 1.0 client over long polling: handshake, subscriptions, connects and their replies.

It sends nothing but /meta/handshake, /meta/subscribe, /meta/connect and /meta/disconnect.
"""

import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

from smscli.errors import ServerError, SignInRefused, SmscliError, WireError
from smscli.gws import decode, responses
from smscli.gws.http import HttpResponse, Transport
from smscli.model import Json, Wake

# The SMS topic is documented nowhere. The wildcard should cover it, but a server may refuse wildcards.
TOPICS = ("/v2/me/*", "/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions")
# The path that three public clients of the Web Services use for CometD.
_PATH = "notifications"
# CometD counts the clients of a browser by this cookie, and still counts the one that a handshake replaces.
_BROWSER_COOKIE = "BAYEUX_BROWSER"
# The server answers a held connect at the end of its hold time: time out only after that.
_GRACE = 10.0
_MAX_HOLD = 600.0
_MAX_INTERVAL = 300.0


class PushUnavailable(Exception):
    """This server offers no push; the message is the reason."""


class ClientUnknown(Exception):
    """The server does not know the client any more, or asks for a new handshake."""


class Advice(NamedTuple):
    """The server's advice: `interval` between connects and `timeout` of a held connect, in seconds."""

    interval: float = 0.0
    timeout: float = 30.0

    def updated(self, sent: object) -> "Advice":
        """With the values of a message's `advice`, which are in milliseconds; unusable ones are ignored."""
        advice = sent if isinstance(sent, dict) else {}
        return Advice(
            _seconds(advice.get("interval"), self.interval, _MAX_INTERVAL),
            _seconds(advice.get("timeout"), self.timeout, _MAX_HOLD),
        )


def _seconds(milliseconds: object, default: float, maximum: float) -> float:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float) or milliseconds < 0:
        return default
    return min(milliseconds, maximum * 1000) / 1000


class BayeuxClient:
    """A client of the CometD server behind `transport`; `on_wake` receives each wake-up.

    `topics` are the subscriptions that were accepted by name. The methods raise PushUnavailable where the
    server offers no push, ClientUnknown where `open` must come next, and SmscliError for temporary failures.
    """

    def __init__(self, transport: Transport, on_wake: Callable[[Wake], None]) -> None:
        self.advice = Advice()
        self.has_worked = False
        self.topics: tuple[str, ...] = ()
        self._transport = transport
        self._on_wake = on_wake
        self._client_id: str | None = None
        self._ids = count(1)
        self._was_notified = False

    @property
    def is_open(self) -> bool:
        return self._client_id is not None

    def open(self) -> None:
        """Handshake, then subscribe to all topics that may be the one of SMS."""
        self._client_id = None
        self._transport.forget_cookies(_BROWSER_COOKIE)
        self.advice = Advice()
        client_id = self._handshake()
        self._subscribe(client_id)
        self._client_id = client_id
        self.has_worked = True

    def connect(self, *, immediate: bool, timeout: float | None = None) -> bool:
        """One long poll; returns whether it brought notifications.

        `immediate` asks the server not to hold it. `timeout` is in seconds, by default the server's hold time
        and some more.
        """
        self._was_notified = False
        message: dict[str, object] = {"clientId": self._client_id, "connectionType": "long-polling"}
        if immediate:
            message["advice"] = {"timeout": 0}
        timeout = self.advice.timeout + _GRACE if timeout is None else timeout
        self._check_connect(self._only_reply("connect", message, timeout))
        return self._was_notified

    def disconnect(self, transport: Transport, timeout: float) -> None:
        """Ends the client, over another transport than the one that waits for a connect."""
        if self._client_id is not None:
            transport.post(_PATH, self._body("disconnect", [{"clientId": self._client_id}]), timeout)

    def _handshake(self) -> str:
        offer = {"version": "1.0", "minimumVersion": "1.0", "supportedConnectionTypes": ["long-polling"]}
        reply = self._only_reply("handshake", offer)
        if reply.get("successful") is not True:
            error, reconnect = f"the handshake is refused: {self._error(reply)}", _reconnect(reply)
            if reconnect in ("retry", "handshake") or (reconnect is None and self.has_worked):
                raise ServerError(error)
            raise PushUnavailable(error)
        client_id = reply.get("clientId")
        if not isinstance(client_id, str) or not client_id:
            raise WireError("the handshake's reply names no client")
        return client_id

    def _subscribe(self, client_id: str) -> None:
        """Asks for all topics at once; one accepted is enough."""
        requests = [{"clientId": client_id, "subscription": topic} for topic in TOPICS]
        replies = self._exchange("subscribe", requests)
        accepted = [reply.get("subscription") for reply in replies if reply.get("successful") is True]
        if accepted:
            self.topics = tuple(topic for topic in TOPICS if topic in accepted)
            return
        if any(map(_is_unknown, replies)):
            raise ClientUnknown
        if not replies:
            raise WireError("the server does not reply to a subscription")
        raise PushUnavailable(f"the subscription is refused: {self._error(replies[0])}")

    def _check_connect(self, reply: Json) -> None:
        """Raises unless a connect's reply allows the next connect."""
        reconnect = _reconnect(reply)
        if reconnect == "none":
            raise PushUnavailable("the server wants no more connects")
        if reconnect == "handshake" or _is_unknown(reply):
            self._client_id = None
            raise ClientUnknown
        if reply.get("successful") is not True:
            if reconnect != "retry":
                self._client_id = None
            raise ServerError(f"the connect is refused: {self._error(reply)}")

    def _only_reply(self, kind: str, message: Json, timeout: float | None = None) -> Json:
        replies = self._exchange(kind, [message], timeout)
        if not replies:
            raise WireError(f"the server does not reply to a {kind}")
        return replies[0]

    def _exchange(self, kind: str, messages: Sequence[Json], timeout: float | None = None) -> list[Json]:
        """Sends messages of one kind and returns their replies; a response also brings notifications."""
        replies: list[Json] = []
        for element in self._elements(self._post(self._body(kind, messages), timeout)):
            if not isinstance(element, dict):
                continue
            channel = element.get("channel")
            if isinstance(channel, str) and channel.startswith("/meta/"):
                self.advice = self.advice.updated(element.get("advice"))
                if channel == f"/meta/{kind}":
                    replies.append(element)
            else:
                self._was_notified = True
                if wake := decode.wake_from_json(element.get("data")):
                    self._on_wake(wake)
        return replies

    def _body(self, kind: str, messages: Sequence[Json]) -> bytes:
        addressed = [{"id": str(next(self._ids)), "channel": f"/meta/{kind}", **one} for one in messages]
        return json.dumps(addressed).encode()

    def _post(self, body: bytes, timeout: float | None) -> HttpResponse:
        response = self._transport.post(_PATH, body, timeout)
        if responses.is_csrf_refusal(response):
            # The token belongs to the HTTP session, and any GET returns the current one (CSRFProtection).
            self._transport.get("me", {})
            response = self._transport.post(_PATH, body, timeout)
        return response

    def _elements(self, response: HttpResponse) -> list[object]:
        """The elements of a response: replies and notifications."""
        url, mask = self._transport.url(_PATH), self._transport.mask_secrets
        try:
            return responses.parse(response, _bayeux_messages, url, mask)[0]
        except (SignInRefused, WireError):
            raise
        except SmscliError as error:
            if self.has_worked or responses.is_temporary(error):
                raise
            raise PushUnavailable(error.message) from error

    def _error(self, reply: Json) -> str:
        """A reply's error on one line, such as `402::Unknown client`."""
        error = reply.get("error")
        if not isinstance(error, str) or not error:
            return "no reason given"
        return responses.one_line(self._transport.mask_secrets(error))


def _bayeux_messages(document: object) -> list[object]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and "channel" in document:
        return [document]
    raise WireError("the response has no Bayeux messages")


def _is_unknown(reply: Json) -> bool:
    """Whether the server does not know this client."""
    return str(reply.get("error")).startswith("402")


def _reconnect(reply: Json) -> object:
    """A reply's advice on what to do next: `retry`, `handshake` or `none`; None without any."""
    advice = reply.get("advice")
    return advice.get("reconnect") if isinstance(advice, dict) else None
