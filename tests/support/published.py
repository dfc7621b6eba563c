"""Publishing in tests: records, a publisher whose notices are kept, and what a stream holds in the end."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, Self

from smscli.jetstream.address import parse_address
from smscli.jetstream.publish_catch_up import ReadLog
from smscli.jetstream.publisher import Publisher
from smscli.model import Message, Session
from smscli.recordings.format import EndedRecord, SessionRecord
from tests.support.nats_nodes import until
from tests.support.stream_records import opened

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
_TRIES = 5
SITE = "gws.example.com:443"


def message(index: int, session_id: str = "s1", text: str | None = None, *, late: bool = False) -> Message:
    at = START + timedelta(seconds=index)
    sent = {"index": index, "text": text or f"text {index}"}
    return Message(session_id, index, "Text", at=at, text=text or f"text {index}", late=late, sent=sent)


def session_record(state: str, second: int = 0, session_id: str = "s1") -> SessionRecord:
    return SessionRecord(START + timedelta(seconds=second), Session(session_id, state, sent={"state": state}))


def ended_record(second: int = 0, state: str | None = "Completed", session_id: str = "s1") -> EndedRecord:
    return EndedRecord(START + timedelta(seconds=second), session_id, state)


class Published(NamedTuple):
    """A record in a stream."""

    subject: str
    value: dict[str, Any]
    headers: dict[str, str]
    sequence: int


def held(url: str, pattern: str = ">") -> list[Published]:
    """What a stream holds, in its order. While a cluster elects a leader nobody tells."""
    import nats.errors

    for _ in range(_TRIES):
        with suppress(nats.errors.Error):
            return asyncio.run(_held(url, pattern))
    return asyncio.run(_held(url, pattern))


def messages_held(url: str, site: str = "*", session_id: str = "*") -> list[int]:
    """The indices of the messages, in the stream's order."""
    return [one.value["index"] for one in held(url, f"message.{site}.{session_id}")]


def session_states(url: str, session_id: str = "*") -> list[str | None]:
    """The states of the session records, in the stream's order; of an end `ended`."""
    found = [one.value for one in held(url, f"session.*.{session_id}")]
    return [one["session"]["state"] if one["record"] == "session" else "ended" for one in found]


async def _held(url: str, pattern: str) -> list[Published]:
    import nats
    from nats.js.api import DeliverPolicy

    address = parse_address(url)
    client = await nats.connect([f"nats://{one}" for one in address.servers], connect_timeout=5)
    try:
        jetstream = client.jetstream(timeout=10)
        subscription = await jetstream.subscribe(
            f"{address.stream}.{pattern}",
            stream=address.stream,
            ordered_consumer=True,
            deliver_policy=DeliverPolicy.ALL,
        )
        info = await subscription.consumer_info()
        found = []
        for _ in range(info.num_pending + info.delivered.consumer_seq):
            one = await subscription.next_msg(timeout=10)
            sequence = one.metadata.sequence.stream
            found.append(Published(one.subject, json.loads(one.data), dict(one.headers or {}), sequence))
        return found
    finally:
        await client.close()


class Collector:
    """A connection and a publisher, whose notices are kept in `said`."""

    def __init__(
        self,
        url: str,
        *,
        redact: bool = False,
        read_log: ReadLog | None = None,
        timeout: float = 10.0,
        **options: Any,
    ) -> None:
        self.said: list[tuple[str, str]] = []
        connection = opened(url, timeout=timeout)
        self.publisher = Publisher(
            connection,
            redact=redact,
            profiles=["default"],
            notice=lambda kind, text, session_id: self.said.append((kind, text)),
            read_log=read_log,
            **options,
        )
        self.connection = connection

    def __enter__(self) -> Self:
        self.publisher.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not error and not self.publisher.is_closed:
            # Else a slow machine has it said that closing takes long.
            self.settle()
        self.publisher.close(0.0 if error else 20.0)

    def take(self, *records: Any, server: str = SITE) -> None:
        for one in records:
            self.publisher.take(server, one)

    def says(self, text: str) -> bool:
        """Whether it was said by now."""
        self.publisher.report()
        return any(text in one for _, one in self.said)

    @property
    def waiting(self) -> int:
        """How many records wait."""
        return self.publisher._backlog.waiting

    def settle(self) -> None:
        """Wait until all that was taken is acknowledged, and all missed is read again."""
        until(lambda: not self.waiting and not self.publisher._backlog.behind)
