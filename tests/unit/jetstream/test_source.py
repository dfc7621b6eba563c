"""A stream's messages as records: each checked against its subject; and what collectors say of themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.gws.decode import message_from_json
from smscli.jetstream.read_consumer import StreamMessage
from smscli.jetstream.read_outages import CollectorSigns
from smscli.jetstream.source import StreamParser
from smscli.model import Message, Session
from smscli.recordings.format import (
    ConnectionRecord,
    EndedRecord,
    Line,
    OtherRecord,
    Record,
    SessionRecord,
    line_of,
)
from smscli.recordings.index import Disconnection
from smscli.records import json_text, rfc3339

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SAID = message_from_json(
    {"index": 1, "type": "Text", "text": "hi", "timestamp": "2026-03-02T12:00:00.000+0000"}, "S1"
)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def stored(subject: str, payload: bytes, sequence: int = 7) -> StreamMessage:
    return StreamMessage(sequence, subject, payload, NOON, 0)


def payload(record: Record, server: str | None = "gws") -> bytes:
    return line_of(record, server).removesuffix(b"\n")


class Parsed:
    """A parser and what it tells."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._parser = StreamParser("nats://host/CC", self.told.append)

    def line(self, subject: str, content: bytes) -> Line | None:
        return self._parser.line(stored(subject, content))


@pytest.mark.parametrize(
    ("subject", "record"),
    [
        ("CC.message.gws.S1", SAID),
        ("CC.session.gws.S1", SessionRecord(NOON, Session("S1", sent={"id": "S1"}))),
        ("CC.session.gws.S1", EndedRecord(NOON, "S1", None)),
        ("CC.collector.c1", ConnectionRecord(NOON, "lost", "connection lost, retrying")),
    ],
)
def test_a_record_is_read_where_it_belongs(subject: str, record: Record) -> None:
    parsed = Parsed()
    line = parsed.line(subject, payload(record))
    assert line is not None
    assert (line.record, line.server, parsed.told) == (record, "gws", [])


@pytest.mark.parametrize(
    ("subject", "content"),
    [
        ("CC.message.gws.S2", payload(SAID)),
        ("CC.message.other.S1", payload(SAID)),
        ("CC.message.gws.S1", payload(SAID, None)),
        ("CC.session.gws.S1", payload(SAID)),
        ("CC.message.gws.S1", payload(SessionRecord(NOON, Session("S1")))),
        ("CC.message.gws.S1", payload(ConnectionRecord(NOON, "lost", "lost"))),
        ("CC.collector.c1", payload(EndedRecord(NOON, "S1", None))),
        ("CC.message.gws.S1", b"milk"),
        ("CC.message.gws.S1", b"\xff\x00"),
        ("CC.message.gws.S1", b"[" * 100_000),
        ("CC.message.gws.=4g", payload(SAID)),
        ("CC.message.gws", payload(SAID)),
        ("other", payload(SAID)),
    ],
)
def test_what_is_no_record_for_its_subject_is_passed_over_and_said_once(subject: str, content: bytes) -> None:
    parsed = Parsed()
    assert [parsed.line(subject, content) for _ in range(2)] == [None, None]
    assert parsed.told == [
        "message 7 of nats://host/CC is no record for its subject: "
        "it was passed over, as others like it will be"
    ]


def test_records_of_later_versions_are_no_reason_for_a_notice() -> None:
    parsed = Parsed()
    content = b'{"record":"mood","at":"2026-03-02T12:00:00.000Z","sessionId":"S1"}'
    assert parsed.line("CC.session.gws.S1", content) == Line(OtherRecord(NOON), size=len(content))
    assert parsed.told == []


@given(st.text(max_size=40), st.binary(max_size=200))
def test_whatever_is_published_reads_as_a_record_or_as_none(subject: str, content: bytes) -> None:
    line = Parsed().line(subject, content)
    assert line is None or line.size == len(content)


class Signs(CollectorSigns):
    """Signs of collectors, in seconds after noon."""

    def said(self, name: str, seconds: float, kind: str, server: str = "gws", message: str = "") -> None:
        if kind == "alive":
            value = {"record": "alive", "at": rfc3339(after(seconds)), "profiles": [server]}
            content, line = json_text(value).encode(), Line(OtherRecord(after(seconds)))
        else:
            known = "lost" if kind == "lost" else "reconnected"
            record = ConnectionRecord(after(seconds), known, message or kind)
            content, line = payload(record, server), Line(record, server)
        self.add(stored(f"CC.collector.{name}", content), line)

    def alive(self, name: str, start: int, end: int, server: str = "gws") -> None:
        """Signs of life every 30 s."""
        for seconds in range(start, end + 1, 30):
            self.said(name, seconds, "alive", server)

    def found(self, newest: float, server: str = "gws") -> list[tuple[float, float | None, str | None]]:
        """The outages, in seconds after noon."""
        return [
            (
                (one.lost_at - NOON).total_seconds() if one.lost_at else -1,
                (one.back_at - NOON).total_seconds() if one.back_at else None,
                one.message,
            )
            for one in self.outages(server, after(newest))
        ]


def test_an_only_collector_s_lost_connection_is_an_outage() -> None:
    signs = Signs()
    signs.said("c1", 10, "reconnected")
    signs.said("c1", 20, "lost")
    signs.said("c1", 21, "lost")
    signs.said("c1", 30, "reconnected", message="reconnected, 2 late")
    signs.said("c1", 50, "lost")
    assert signs.found(60) == [(20, 30, "reconnected, 2 late"), (50, None, None)]
    assert signs.outages("gws", after(60))[0] == Disconnection(
        "gws", after(20), after(30), "reconnected, 2 late"
    )


def test_a_connection_that_another_collector_had_is_no_outage() -> None:
    signs = Signs()
    signs.alive("c1", 0, 300)
    signs.alive("c2", 0, 300)
    signs.said("c1", 20, "lost")
    signs.said("c1", 90, "reconnected")
    assert signs.found(300) == []


def test_an_outage_is_when_no_collector_was_connected() -> None:
    signs = Signs()
    signs.alive("c1", 0, 300)
    signs.alive("c2", 0, 300)
    signs.said("c1", 20, "lost")
    signs.said("c2", 50, "lost")
    signs.said("c1", 70, "reconnected", message="reconnected, 3 late")
    signs.said("c2", 90, "reconnected")
    signs.said("c2", 200, "lost")
    assert signs.found(300) == [(50, 70, "reconnected, 3 late")]


def test_a_collector_that_was_silent_for_over_90_seconds_was_not_there() -> None:
    signs = Signs()
    signs.alive("c1", 0, 60)
    signs.alive("c1", 200, 290)
    signs.said("c1", 380, "alive")
    assert signs.found(380) == [(60, 200, "collector c1 was silent before")]
    assert signs.found(500) == [(60, 200, "collector c1 was silent before"), (380, None, None)]


def test_a_collector_that_began_ends_an_outage() -> None:
    signs = Signs()
    signs.alive("c1", 0, 60)
    signs.alive("c2", 120, 600)
    assert signs.found(600) == [(60, 120, "collector c2 began")]


def test_collectors_of_another_server_count_for_that_one_only() -> None:
    signs = Signs()
    signs.alive("c1", 0, 300)
    signs.alive("c2", 0, 300, server="other")
    signs.said("c1", 20, "lost")
    signs.said("c1", 60, "reconnected")
    assert (signs.found(300), signs.found(300, "other"), signs.found(300, "third")) == (
        [(20, 60, "reconnected")],
        [],
        [],
    )


def test_a_session_s_message_is_no_sign_of_a_collector() -> None:
    signs = Signs()
    signs.add(stored("CC.message.gws.S1", payload(SAID)), Line(SAID, "gws"))
    signs.add(stored("CC.collector.c1", b"[]"), Line(OtherRecord(NOON)))
    assert isinstance(SAID, Message) and signs.found(300) == []
