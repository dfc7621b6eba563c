"""A cluster of nats-server, and what its streams hold, read with plain nats-py rather than with smscli."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.bench.processes import Failed, NoPeer
from tests.support.nats_nodes import PROGRAM, NatsCluster, NatsNode

try:
    import nats
    import nats.errors
    import nats.js.errors
except ImportError:
    HAS_CLIENT = False
else:
    HAS_CLIENT = True

OnMessage = Callable[[Any], Coroutine[Any, Any, None]]

STREAM = "CC"
_CONTROL = "CONTROL"
_TRIES = 10
_PAUSE = 0.5
_TIMEOUT = 5.0
_GOODBYE = 10.0


class StreamRecord(NamedTuple):
    """A message of a stream; `at` is when its leader took it, or when it was received, in epoch seconds."""

    subject: str
    payload: bytes
    at: float


@contextmanager
def cluster(folder: Path) -> Iterator[NatsCluster]:
    """Three nodes with JetStream. Raises NoPeer where they can't be had."""
    if PROGRAM is None:
        raise NoPeer("no nats-server")
    if not HAS_CLIENT:
        raise NoPeer("no nats-py")
    nodes = NatsCluster(folder)
    try:
        nodes.__enter__()
    except AssertionError as error:
        raise Failed(f"the nodes of nats-server don't form a cluster: {error}") from error
    try:
        yield nodes
    finally:
        nodes.kill()


def target(nodes: NatsCluster) -> str:
    """The address of a stream on all three nodes, for `--to`."""
    return f"{nodes.url(STREAM)}?replicas={len(nodes.nodes)}"


def read_stream(nodes: NatsCluster, kind: str = ">") -> list[StreamRecord]:
    """The whole stream in its order, or the records of one kind. Raises Failed."""
    for _ in range(_TRIES):
        # While a cluster elects a leader nobody answers, or half of a read.
        with suppress(nats.errors.Error, OSError):
            return asyncio.run(_read(nodes.nodes, f"{STREAM}.{kind}"))
        time.sleep(_PAUSE)
    raise Failed("the stream can't be read")


async def _read(nodes: list[NatsNode], subject: str) -> list[StreamRecord]:
    client = await _connected(nodes)
    try:
        jetstream = client.jetstream(timeout=_TIMEOUT)
        subscription = await jetstream.subscribe(subject, stream=STREAM, ordered_consumer=True)
        found: list[StreamRecord] = []
        info = await subscription.consumer_info()
        pending = info.num_pending + info.delivered.consumer_seq
        while pending:
            one = await subscription.next_msg(timeout=_TIMEOUT)
            found.append(StreamRecord(one.subject, one.data, one.metadata.timestamp.timestamp()))
            pending = one.metadata.num_pending
        return found
    finally:
        await client.close()


async def _connected(nodes: list[NatsNode]) -> Any:
    async def quietly(error: Exception) -> None:
        """Without this nats-py prints on stderr."""

    servers = [one.url("") for one in nodes]
    return await nats.connect(servers, connect_timeout=2, error_cb=quietly)


def epoch(timestamp: str) -> float:
    """Epoch seconds of a timestamp in a record."""
    return datetime.fromisoformat(timestamp).timestamp()


class Reader:
    """Notes when the stream delivers what is published to it from now on: right after its publisher gets the
    acknowledgement, which needs two of three nodes.

    Beside it `rate` messages a second are published to another stream of the same kind, as a control.
    """

    def __init__(self, nodes: NatsCluster, rate: float) -> None:
        self._nodes = nodes.nodes
        self._rate = rate
        self._records: list[StreamRecord] = []
        self._control: list[tuple[float, float]] = []
        self._error: Exception | None = None
        self._ready = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_TRIES * _TIMEOUT):
            raise self._error or Failed("the stream can't be read")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(_GOODBYE)

    @property
    def records(self) -> list[StreamRecord]:
        """What was delivered, in order. Raises Failed if the reader has failed."""
        self._check()
        return list(self._records)

    @property
    def control(self) -> list[tuple[float, float]]:
        """When each message of the control was published and was delivered, in epoch seconds."""
        self._check()
        return list(self._control)

    def _check(self) -> None:
        if self._error:
            raise Failed(f"the stream can't be read: {self._error}") from self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        except Exception as error:
            self._error = error

    async def _follow(self) -> None:
        client = await _connected(self._nodes)
        try:
            jetstream = client.jetstream(timeout=_TIMEOUT)
            await jetstream.add_stream(name=_CONTROL, subjects=[_CONTROL], num_replicas=len(self._nodes))
            await self._subscribe(jetstream, STREAM, f"{STREAM}.message.>", self._on_record)
            await self._subscribe(jetstream, _CONTROL, _CONTROL, self._on_control)
            self._ready.set()
            begun, number = time.monotonic(), 0
            while not self._stopped.is_set():
                number += 1
                await asyncio.sleep(max(0.0, begun + number / self._rate - time.monotonic()))
                await jetstream.publish(_CONTROL, b"%r" % time.time() + b" " * 400)
        finally:
            await client.close()

    async def _subscribe(self, jetstream: Any, stream: str, subject: str, on_message: OnMessage) -> None:
        """As soon as the stream is there."""
        from nats.js.api import DeliverPolicy

        for _ in range(_TRIES):
            with suppress(nats.js.errors.NotFoundError):
                await jetstream.stream_info(stream)
                break
            await asyncio.sleep(_PAUSE)
        await jetstream.subscribe(
            subject, stream=stream, cb=on_message, ordered_consumer=True, deliver_policy=DeliverPolicy.NEW
        )

    async def _on_record(self, message: Any) -> None:
        self._records.append(StreamRecord(message.subject, message.data, time.time()))

    async def _on_control(self, message: Any) -> None:
        self._control.append((float(message.data), time.time()))
