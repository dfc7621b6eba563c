"""What one subject of a stream holds behind a sequence number, read in nats-py's loop."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

from smscli.jetstream.stream_errors import NO_MESSAGE

if TYPE_CHECKING:
    from nats.js import JetStreamContext

# What came since is asked for one by one: a consumer that begins in the middle of a stream takes the engine
# 2 s to create for each million messages behind it, one for all of a subject some milliseconds.
_FEW = 100
_BATCH = 200
_IDLE_SECONDS = 10.0
_FETCH_SECONDS = 2.0


class Stored(NamedTuple):
    """A record as the stream holds it."""

    subject: str
    sequence: int
    payload: bytes


async def last_of(jetstream: "JetStreamContext", stream: str, subject: str) -> Stored | None:
    """The last record of a subject, which may be a wildcard; None without one."""
    return await _message(jetstream, stream, None, subject)


async def stored_at(jetstream: "JetStreamContext", stream: str, sequence: int) -> Stored | None:
    """The record with a sequence number; None if there is none any more."""
    return await _message(jetstream, stream, sequence, None)


async def gained(
    jetstream: "JetStreamContext", stream: str, subject: str, after: int, last: int
) -> AsyncIterator[Stored]:
    """What a subject holds behind the sequence number `after`, up to `last`."""
    for _ in range(_FEW if after else 0):
        if after >= last:
            return
        found = await _message(jetstream, stream, after + 1, subject)
        if found is None:
            return
        after = found.sequence
        yield found
    if after < last:
        async for found in _consumed(jetstream, stream, subject, after, last):
            yield found


async def _message(
    jetstream: "JetStreamContext", stream: str, sequence: int | None, subject: str | None
) -> Stored | None:
    """One record: the first of the subject from that sequence number on, else its last, else that one."""
    from nats.js.errors import NotFoundError

    try:
        found = await jetstream.get_msg(
            stream, sequence, subject, next=sequence is not None and subject is not None
        )
    except NotFoundError as error:
        if error.err_code == NO_MESSAGE:
            return None
        raise
    return Stored(found.subject or "", found.seq or 0, found.data or b"")


async def _consumed(
    jetstream: "JetStreamContext", stream: str, subject: str, after: int, last: int
) -> AsyncIterator[Stored]:
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE if after else DeliverPolicy.ALL,
        opt_start_seq=after + 1 if after else None,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=_IDLE_SECONDS,
    )
    consumer = await jetstream.pull_subscribe(subject, stream=stream, config=config)
    try:
        while after < last:
            for message in await consumer.fetch(_BATCH, timeout=_FETCH_SECONDS):
                after = message.metadata.sequence.stream
                yield Stored(message.subject, after, message.data)
    finally:
        await consumer.unsubscribe()
