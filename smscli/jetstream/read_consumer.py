"""An ephemeral consumer of a stream, which tells when it is lost; in the connection's thread."""

import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.stream_errors import UNAVAILABLE
from smscli.jetstream.subjects import ACCOUNT_HEADER

if TYPE_CHECKING:
    import asyncio

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
    from nats.js import JetStreamContext
    from nats.js.api import StreamInfo

# A stranger's messages may have a megabyte each.
_PAGE_BYTES = 16 * 1024 * 1024
_HEARTBEAT_SECONDS = 1.0
_SILENCE_SECONDS = 2.5
# A consumer outlives a reader that was killed by this long.
_INACTIVE_SECONDS = 15.0
_REQUEST_SECONDS = 2.0
RETRY_SECONDS = 0.25

_Result = TypeVar("_Result")


class StreamMessage(NamedTuple):
    """A message of a stream; `at` is the engine's time, `pending` how many follow on the same subjects, and
    `account` who saw a state, None where it doesn't say."""

    sequence: int
    subject: str
    payload: bytes
    at: datetime
    pending: int
    account: str | None = None


class StreamSelection(NamedTuple):
    """What to read: one subject or the subjects of a wildcard, None for all; from a sequence or from a time
    of the engine on, or with `last_only` the last message of each subject.

    The engine takes a wildcard only within the subjects that the stream is configured with.
    """

    subject: str | None
    start: int = 1
    since: datetime | None = None
    last_only: bool = False


class ConsumerLost(Exception):
    """The consumer is gone, or a message on its way was."""


async def retried(call: Callable[[], Awaitable[_Result]]) -> _Result:
    """The result of a request, repeated while no node can answer; the caller limits the time."""
    import asyncio

    while True:
        try:
            return await call()
        except Exception as error:
            if not is_temporary(error):
                raise
        await asyncio.sleep(RETRY_SECONDS)


def is_temporary(error: Exception) -> bool:
    """Whether the engine may answer soon: a leader is being elected, or the connection made again."""
    import nats.errors
    import nats.js.errors as js

    if isinstance(error, js.APIError):
        return error.err_code == UNAVAILABLE or (error.err_code is None and error.code == 503)
    temporary = (
        ConsumerLost,
        TimeoutError,
        nats.errors.TimeoutError,
        nats.errors.NoRespondersError,
        nats.errors.ConnectionClosedError,
        nats.errors.ConnectionReconnectingError,
        nats.errors.OutboundBufferLimitError,
    )
    return isinstance(error, temporary)


def is_of_engine(error: Exception) -> bool:
    """Whether it is no fault of ours: a stream may be missing, or full, until an administrator mends it."""
    import nats.errors

    return is_temporary(error) or isinstance(error, nats.errors.Error | OSError)


async def stream_info(connection: StreamConnection) -> "StreamInfo":
    """What the engine knows of the stream."""
    return await retried(lambda: jetstream_of(connection).stream_info(connection.address.stream))


async def stream_subjects(connection: StreamConnection, wildcard: str) -> list[str]:
    """The subjects of the stream that fit the wildcard. The engine gives at most 100,000 in one answer, and
    nats-py asks for the first ones only."""
    from nats.js.errors import APIError

    found: list[str] = []

    async def page() -> Any:
        request = json.dumps({"subjects_filter": wildcard, "offset": len(found)}).encode()
        subject = f"$JS.API.STREAM.INFO.{connection.address.stream}"
        answer = json.loads((await connection.client.request(subject, request, _REQUEST_SECONDS)).data)
        if "error" in answer:
            raise APIError.from_error(answer["error"])
        return answer

    while True:
        answer = await retried(page)
        subjects = answer["state"].get("subjects") or ()
        found += subjects
        if not subjects or len(found) >= answer.get("total", 0):
            return found


def jetstream_of(connection: StreamConnection) -> "JetStreamContext":
    """JetStream's calls, with a short time limit: what fails is tried again."""
    return connection.client.jetstream(timeout=_REQUEST_SECONDS)


class PullConsumer:
    """One ephemeral consumer, and the inbox where its messages come in."""

    def __init__(self, connection: StreamConnection) -> None:
        self._client = connection.client
        self._jetstream = jetstream_of(connection)
        self._stream = connection.address.stream
        # Ours, so that it can be removed also when the answer to its creation didn't come.
        self._name = f"smscli-{token_hex(8)}"
        self._subscription: Subscription | None = None
        self._received: deque[Msg] = deque()
        self._arrival: asyncio.Event | None = None
        self._delivered = 0
        self._reconnects = self._client.stats["reconnects"]

    async def create(self, options: dict[str, Any]) -> int:
        """Create it; returns how many messages it has for us."""
        import asyncio

        from nats.js.api import AckPolicy

        self._arrival = asyncio.Event()
        self._subscription = await self._client.subscribe(self._client.new_inbox(), cb=self._receive)
        info = await self._jetstream.add_consumer(
            self._stream,
            name=self._name,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_INACTIVE_SECONDS,
            mem_storage=True,
            num_replicas=1,
            **options,
        )
        # Servers before 2.9 take no names.
        self._name = info.name
        return info.num_pending or 0

    async def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            request = f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}"
            # An answer is needed for the request to be one, not to go on.
            await self._client.publish(request, b"", reply=self._client.new_inbox())
        finally:
            await subscription.unsubscribe()

    async def pull(self, count: int, seconds: float) -> AsyncIterator[StreamMessage]:
        """Up to `count` messages as they come, for so many seconds. Raises what tells that the consumer is
        lost."""
        request = {
            "batch": count,
            "max_bytes": _PAGE_BYTES,
            "expires": int(seconds * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_SECONDS * 1e9),
        }
        await self._request(request)
        seen = 0
        while seen < count:
            message = await self._next()
            if not message.headers or "Status" not in message.headers:
                seen += 1
                yield self._read(message)
            elif message.headers["Status"] == "100":
                self._check_heartbeat(message.headers)
            elif not seen and _is_too_large(message.headers):
                del request["max_bytes"]
                request["batch"] = count = 1
                await self._request(request)
            elif message.headers["Status"] in ("404", "408") or _is_too_large(message.headers):
                return
            else:
                raise ConsumerLost

    async def _request(self, request: dict[str, int]) -> None:
        assert self._subscription
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._client.publish(subject, json.dumps(request).encode(), reply=self._subscription.subject)

    async def _receive(self, message: "Msg") -> None:
        assert self._arrival
        self._received.append(message)
        self._arrival.set()

    async def _next(self) -> "Msg":
        import asyncio

        assert self._arrival
        until = time.monotonic() + _SILENCE_SECONDS
        while not self._received:
            # A new connection has not asked for anything.
            is_new = self._client.stats["reconnects"] != self._reconnects
            if is_new or time.monotonic() > until:
                raise ConsumerLost
            self._arrival.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), RETRY_SECONDS)
        return self._received.popleft()

    def _read(self, message: "Msg") -> StreamMessage:
        found = message.metadata
        self._delivered += 1
        # What was under way when the connection broke is not sent again.
        if found.sequence.consumer != self._delivered:
            raise ConsumerLost
        return StreamMessage(
            found.sequence.stream,
            message.subject,
            message.data,
            found.timestamp,
            found.num_pending,
            (message.headers or {}).get(ACCOUNT_HEADER),
        )

    def _check_heartbeat(self, headers: dict[str, str]) -> None:
        last = headers.get("Nats-Last-Consumer")
        if last is not None and last != str(self._delivered):
            raise ConsumerLost


def _is_too_large(headers: dict[str, str]) -> bool:
    """Whether the next message would have gone beyond the bytes of a request."""
    return headers["Status"] == "409" and "size exceeds" in headers.get("Description", "").lower()
