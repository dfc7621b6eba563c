"""One client of a CometD server, in Bayeux 1.0 over long polling: what is said, and what its answers mean.

Nothing but /meta/handshake, /meta/subscribe, /meta/connect and /meta/disconnect is ever sent.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from smscli.errors import ServerError, SignInRefused, Throttled, WireError
from smscli.gws import decode
from smscli.gws.http import Answer, Transport
from smscli.model import Json, Wake

# The name of the SMS topic is printed nowhere. The wildcard should cover it; a server may refuse wildcards.
TOPICS = ("/v2/me/*", "/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions")
# Where three public clients of the Web Services find CometD.
_PATH = "notifications"
# By this cookie CometD counts the clients of a browser, among them one that is gone but not yet missed.
_BROWSER_COOKIE = "BAYEUX_BROWSER"
# A connect that is held for its full time is answered then: only later it is given up.
_GRACE = 10.0
_LONGEST_HOLD = 600.0
_LONGEST_INTERVAL = 300.0


class NoPush(Exception):
    """There is no push to be had here, and why."""


class Forgotten(Exception):
    """The server does not know the client any more, or wants it to begin anew."""


@dataclass(frozen=True, slots=True)
class Advice:
    """How the server wants to be asked: how long after the last answer, and how long it holds; in seconds."""

    interval: float = 0.0
    timeout: float = 30.0

    def updated(self, sent: object) -> "Advice":
        """With what `sent`, in milliseconds, says of it; what can't be obeyed changes nothing."""
        given = sent if isinstance(sent, dict) else {}
        return Advice(
            _seconds(given.get("interval"), self.interval, _LONGEST_INTERVAL),
            _seconds(given.get("timeout"), self.timeout, _LONGEST_HOLD),
        )


def _seconds(sent: object, known: float, most: float) -> float:
    if isinstance(sent, bool) or not isinstance(sent, int | float) or sent < 0:
        return known
    return min(sent, most * 1000) / 1000


class Channel:
    """A Bayeux client of the server that `transport` leads to; `heard` takes the wake-ups as they come, and
    `topics` are the subscriptions that were accepted by name.

    Its methods raise NoPush when the server will have none of it, Forgotten when `open` must come next, and
    SmscliError for what may pass: SignInRefused, Unreachable, ServerError, WireError.
    """

    def __init__(self, transport: Transport, heard: Callable[[Wake], None]) -> None:
        self.advice = Advice()
        self.has_worked = False
        self.topics: tuple[str, ...] = ()
        self._transport = transport
        self._heard = heard
        self._client_id: str | None = None
        self._ids = count(1)
        self._had_news = False

    @property
    def is_open(self) -> bool:
        return self._client_id is not None

    def open(self) -> None:
        """Become a client, and subscribe to whatever may be the topic of SMS."""
        self._client_id = None
        self._transport.forget_cookies(_BROWSER_COOKIE)
        self.advice = Advice()
        client_id = self._shake_hands()
        self._subscribe(client_id)
        self._client_id = client_id
        self.has_worked = True

    def connect(self, *, at_once: bool, patience: float | None = None) -> bool:
        """One long poll; whether it brought news. `at_once` asks the server not to hold it; `patience` is for
        the answer, in seconds, by default as long as the server holds one and some more."""
        self._had_news = False
        message: dict[str, object] = {"clientId": self._client_id, "connectionType": "long-polling"}
        if at_once:
            message["advice"] = {"timeout": 0}
        timeout = self.advice.timeout + _GRACE if patience is None else patience
        self._obey(self._only_reply("connect", message, timeout))
        return self._had_news

    def leave(self, transport: Transport, timeout: float) -> None:
        """Tell the server that the client ends, on another transport than the one that holds a connect."""
        if self._client_id is not None:
            transport.post(_PATH, self._body("disconnect", [{"clientId": self._client_id}]), timeout)

    def forget(self) -> None:
        """Begin anew with the next `open`."""
        self._client_id = None

    def _shake_hands(self) -> str:
        terms = {"version": "1.0", "minimumVersion": "1.0", "supportedConnectionTypes": ["long-polling"]}
        reply = self._only_reply("handshake", terms)
        if reply.get("successful") is not True:
            error, reconnect = f"the handshake is refused: {self._error(reply)}", _reconnect(reply)
            if reconnect in ("retry", "handshake") or (reconnect is None and self.has_worked):
                raise ServerError(error)
            raise NoPush(error)
        client_id = reply.get("clientId")
        if not isinstance(client_id, str) or not client_id:
            raise WireError("the handshake's reply names no client")
        return client_id

    def _subscribe(self, client_id: str) -> None:
        """One accepted is enough."""
        asked = [{"clientId": client_id, "subscription": topic} for topic in TOPICS]
        replies = self._say("subscribe", asked)
        accepted = [reply.get("subscription") for reply in replies if reply.get("successful") is True]
        if accepted:
            self.topics = tuple(topic for topic in TOPICS if topic in accepted)
            return
        if any(map(_is_unknown, replies)):
            raise Forgotten
        if not replies:
            raise WireError("the server does not reply to a subscription")
        raise NoPush(f"the subscription is refused: {self._error(replies[0])}")

    def _obey(self, reply: Json) -> None:
        """Go on only if a connect's reply says so."""
        reconnect = _reconnect(reply)
        if reconnect == "none":
            raise NoPush("the server wants no more connects")
        if reconnect == "handshake" or _is_unknown(reply):
            self.forget()
            raise Forgotten
        if reply.get("successful") is not True:
            if reconnect != "retry":
                self.forget()
            raise ServerError(f"the connect is refused: {self._error(reply)}")

    def _only_reply(self, kind: str, message: Json, timeout: float | None = None) -> Json:
        replies = self._say(kind, [message], timeout)
        if not replies:
            raise WireError(f"the server does not reply to a {kind}")
        return replies[0]

    def _say(self, kind: str, messages: Sequence[Json], timeout: float | None = None) -> list[Json]:
        """Send messages of one kind; the replies to them. What else comes along is advice and news."""
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
                self._take(element.get("data"))
        return replies

    def _take(self, data: object) -> None:
        self._had_news = True
        if wake := decode.wake_from_json(data):
            self._heard(wake)

    def _body(self, kind: str, messages: Sequence[Json]) -> bytes:
        addressed = [{"id": str(next(self._ids)), "channel": f"/meta/{kind}", **one} for one in messages]
        return json.dumps(addressed).encode()

    def _post(self, body: bytes, timeout: float | None) -> Answer:
        answer = self._transport.post(_PATH, body, timeout)
        if answer.status == 403 and b"csrf" in answer.body.lower():
            # The token goes with the HTTP session, and any GET brings the present one (CSRFProtection).
            self._transport.get("me", {})
            answer = self._transport.post(_PATH, body, timeout)
        return answer

    def _elements(self, answer: Answer) -> list[object]:
        if not 200 <= answer.status < 300:
            raise self._refusal(answer)
        document = decode.decode(answer.body)
        if isinstance(document, list):
            return document
        if isinstance(document, dict) and "channel" in document:
            return [document]
        if status := decode.status_from_json(document):
            raise self._refusal(answer, status.code)
        raise WireError("the answer holds no Bayeux messages", http_status=answer.status)

    def _error(self, reply: Json) -> str:
        """Why a reply is not successful, on one line; such as `402::Unknown client`."""
        error = reply.get("error")
        if not isinstance(error, str) or not error:
            return "no reason given"
        return decode.one_line(self._transport.veiled(error))

    def _refusal(self, answer: Answer, code: int | None = None) -> Exception:
        status = answer.status
        said = f"the server answers HTTP {status}" + (f", statusCode {code}" if code else "")
        if status == 401 or code == 20:
            return SignInRefused(said, http_status=status, status_code=code)
        if status in (429, 503):
            return Throttled(said, http_status=status, retry_after=answer.retry_after)
        # 408 is what CometD answers to a connect that gives way to a newer one; 501 knows no POST here.
        passing = status >= 500 and status != 501 or status == 408 or code == 4
        if passing or self.has_worked:
            return ServerError(said, http_status=status, status_code=code)
        return NoPush(said)


def _is_unknown(reply: Json) -> bool:
    """Whether the server says that it does not know this client."""
    return str(reply.get("error")).startswith("402")


def _reconnect(reply: Json) -> object:
    """What a reply advises to do next: `retry`, `handshake` or `none`; None where it says nothing."""
    advice = reply.get("advice")
    return advice.get("reconnect") if isinstance(advice, dict) else None
