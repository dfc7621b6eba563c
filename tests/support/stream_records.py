"""Records in a stream, published without smscli's own publisher."""

from collections.abc import Iterable
from datetime import datetime

from smscli.jetstream.address import parse_address
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.subjects import collector_subject, message_subject, session_subject
from smscli.model import Message
from smscli.recordings.format import EndedRecord, Record, SessionRecord, line_of
from smscli.records import json_text, rfc3339

SERVER = "gws:443"


def opened(url: str, *, timeout: float = 10.0) -> StreamConnection:
    """A connection to a stream, which is created where it is missing."""
    connection = StreamConnection(parse_address(url), timeout=timeout)
    connection.open()
    try:
        connection.ensure_stream()
    except BaseException:
        connection.close()
        raise
    return connection


def subject_of(stream: str, record: Record, server: str = SERVER, collector: str = "c1") -> str:
    """Where a record belongs."""
    match record:
        case Message(session_id=session_id):
            return message_subject(stream, server, session_id)
        case SessionRecord(_, session):
            return session_subject(stream, server, session.id)
        case EndedRecord(_, session_id, _):
            return session_subject(stream, server, session_id)
    return collector_subject(stream, collector)


def publish(
    connection: StreamConnection,
    *records: Record,
    server: str = SERVER,
    collector: str = "c1",
    masked: bool = False,
) -> None:
    """Publish records, each where it belongs."""
    stream = connection.address.stream
    publish_raw(
        connection,
        (
            (
                subject_of(stream, one, server, collector),
                line_of(one, server, masked=masked).removesuffix(b"\n"),
            )
            for one in records
        ),
    )


def publish_alive(connection: StreamConnection, at: datetime, *servers: str, collector: str = "c1") -> None:
    """Publish a collector's sign of life."""
    value = {"record": "alive", "at": rfc3339(at), "profiles": ["default"], "servers": servers}
    subject = collector_subject(connection.address.stream, collector)
    publish_raw(connection, [(subject, json_text(value).encode())])


def publish_raw(connection: StreamConnection, messages: Iterable[tuple[str, bytes]]) -> None:
    """Publish payloads on subjects, in this order."""

    async def send() -> None:
        jetstream = connection.jetstream
        for subject, payload in messages:
            await jetstream.publish_async(subject, payload)
        await jetstream.publish_async_completed()

    connection.run(send, 60)
