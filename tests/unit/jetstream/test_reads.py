"""A stream as a source: the same sessions, messages and replays as a recording of the same records."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smscli.errors import NotFound, ServerError, Unreachable
from smscli.gws.decode import message_from_json, session_from_json
from smscli.jetstream.address import parse_address
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.read_consumer import stream_subjects
from smscli.jetstream.reads import StreamReads
from smscli.jetstream.subjects import message_subject, session_subject
from smscli.model import Listing, Message, Participant, Session
from smscli.recordings.format import ConnectionRecord, EndedRecord, Record, SessionRecord, line_of
from smscli.recordings.index import Disconnection
from smscli.recordings.reads import RecordedReads, SourceReads
from tests.support.nats_nodes import NatsNode, needs_nats
from tests.support.stream_records import SERVER, opened, publish, publish_alive, publish_raw

pytestmark = needs_nats

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIKA = {"type": "Customer", "nickname": "Mika", "participantId": "p1"}


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def text(index: int, words: str = "hi", of: str = "S1", *, late: bool = False) -> Message:
    at = after(index).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    sent = {"index": index, "type": "Text", "from": MIKA, "text": words, "timestamp": at}
    message = message_from_json(sent, of)
    message.late = late
    return message


def session(session_id: str, state: str = "Chatting", received: float = 0) -> Session:
    at = after(received).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    return session_from_json({"id": session_id, "state": state, "receivedDate": at, "participants": [MIKA]})


def began(session_id: str, seconds: float = 0, state: str = "Chatting", received: float = 0) -> SessionRecord:
    return SessionRecord(after(seconds), session(session_id, state, received))


def reads(connection: StreamConnection) -> StreamReads:
    return StreamReads(connection, pytest.fail)


def states(listing: Listing) -> list[tuple[str, str | None, bool]]:
    return [(one.id, one.state, one.ended) for one in listing.sessions]


def indices(source: SourceReads, session_id: str = "S1") -> list[int | None]:
    return [one.index for page in source.messages(session_id) for one in page.messages]


class Log:
    """A reader that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def add(self, message: Message) -> None:
        self.told.append((message.index, message.text))

    def end(self, at: datetime | None, *, exact: bool) -> None:
        self.told.append(("ended", at, exact))

    def mask(self) -> None:
        self.told.append("masked")


RECORDS: list[tuple[str, Record]] = [
    (SERVER, began("S1")),
    (SERVER, text(1)),
    (SERVER, text(3)),
    ("other:443", began("S1", 4)),
    ("other:443", text(1, "elsewhere")),
    (SERVER, text(2, "late", late=True)),
    (SERVER, ConnectionRecord(after(5), "lost", "connection lost, retrying")),
    (SERVER, ConnectionRecord(after(8), "reconnected", "reconnected, 2 messages late")),
    (SERVER, began("S2", 9)),
    (SERVER, began("S1", 10, "LeftChat")),
    (SERVER, EndedRecord(after(11), "S1", "Completed")),
    (SERVER, text(12, of="S2")),
    (SERVER, EndedRecord(after(13), "S2", None)),
    (SERVER, began("S3", 14)),
    (SERVER, text(20, of="S3")),
    (SERVER, ConnectionRecord(after(15), "lost", "connection lost, retrying")),
]


def outcome(source: SourceReads) -> dict[str, object]:
    """Everything that can be read of sessions and messages."""
    listing = source.sessions()
    found: dict[str, object] = {"sessions": [(one, one.sent) for one in listing.sessions], "at": listing.at}
    for one in listing.sessions:
        found[one.id] = [(m, m.sent) for page in source.messages(one.id) for m in page.messages]
    found["log"] = [m for page in source.log(streamed=False) for m in page.messages]
    for ids in (None, {"S2", f"{SERVER}/S1"}, {"S3"}):
        found[f"replay {ids}"] = {
            one.session.id: (one.session, one.reader.told, one.has_state, [*map(shown, one.disconnections)])
            for one in source.replay(Log, ids)
        }
    return found


def shown(one: Disconnection) -> Disconnection:
    return one._replace(sources=frozenset())


@pytest.mark.parametrize("masked", [False, True])
def test_a_stream_and_a_recording_of_the_same_records_read_the_same(
    connection: StreamConnection, tmp_path: Path, masked: bool
) -> None:
    for server, record in RECORDS:
        publish(connection, record, server=server, masked=masked)
    path = tmp_path / "sms.jsonl"
    path.write_bytes(b"".join(line_of(one, server, masked=masked) for server, one in RECORDS))
    found = outcome(reads(connection))
    assert found == outcome(RecordedReads([str(path)], pytest.fail))
    names = [one.id for one, _ in found["sessions"]]  # type: ignore[attr-defined]
    assert names == ["gws:443/S1", "other:443/S1", "S2", "S3"]
    assert found["replay {'S3'}"] == {
        "S3": (
            session("S3"),
            [*(["masked"] if masked else []), ("ended", None, True)]
            + [*(["masked"] if masked else []), (20, "hi")],
            True,
            [Disconnection(SERVER, after(15))],
        )
    }


def test_a_list_of_live_sessions_has_them_by_the_date_they_were_received(
    connection: StreamConnection,
) -> None:
    publish(connection, began("S1", 1, received=1), began("S2", 2, received=2), began("S3", 3, received=3))
    publish(connection, EndedRecord(after(4), "S2", "Completed"), began("S1", 5, "Invited", received=1))
    publish(connection, text(9, of="S3"))
    source = reads(connection)
    assert states(source.live()) == [("S1", "Invited", False), ("S3", "Chatting", False)]
    assert source.live().at == after(9)


def test_the_last_record_decides_whether_a_session_is_live(connection: StreamConnection) -> None:
    publish(connection, began("S1", 9), EndedRecord(after(10), "S1", None), began("S1", 8, "Invited"))
    assert states(reads(connection).live()) == [("S1", "Invited", False)]
    assert states(reads(connection).sessions()) == [("S1", "Invited", False)]


def test_a_session_that_has_ended_has_its_last_state(connection: StreamConnection) -> None:
    publish(connection, began("S1"), began("S2"), EndedRecord(after(4), "S1", None))
    publish(connection, EndedRecord(after(5), "S2", "Completed"))
    source = reads(connection)
    assert source.live() == Listing((), after(5))
    assert states(source.sessions()) == [("S1", "Chatting", True), ("S2", "Completed", True)]
    assert states(source.sessions_named(["S2"])) == [("S2", "Completed", True)]


def test_names_that_are_no_ids_need_all_sessions(connection: StreamConnection) -> None:
    publish(connection, began("S1"), began("S2"))
    source = reads(connection)
    assert states(source.sessions_named(["S1", "Mika"])) == states(source.live())
    assert states(source.sessions_named(["S2", "S1"])) == [
        ("S2", "Chatting", False),
        ("S1", "Chatting", False),
    ]


def test_sessions_whose_states_have_expired_are_known_by_their_messages(connection: StreamConnection) -> None:
    publish(connection, began("S1"), text(1, of="S2"))
    listing = reads(connection).sessions()
    assert listing.find("S2") == Session("S2", participants=(Participant("Customer", "Mika", "p1"),))
    assert states(listing) == [("S1", "Chatting", False), ("S2", None, False)]
    # Nothing says that it is live.
    assert states(reads(connection).live()) == [("S1", "Chatting", False)]


def test_many_sessions_without_a_state_are_read_at_once(
    connection: StreamConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smscli.jetstream.reads._MOST_SOURCES", 2)
    publish(connection, began("S0"), *(text(index, of=f"S{index % 4}") for index in range(1, 9)))
    assert states(reads(connection).sessions()) == [
        ("S0", "Chatting", False),
        ("S1", None, False),
        ("S2", None, False),
        ("S3", None, False),
    ]


@pytest.mark.slow
def test_more_subjects_than_the_engine_gives_in_one_answer_are_all_known(
    connection: StreamConnection,
) -> None:
    stream = connection.address.stream
    publish_raw(
        connection, ((message_subject(stream, "gws", f"S{number}"), b"{}") for number in range(100_002))
    )
    found = connection.run(lambda: stream_subjects(connection, f"{stream}.message.*.*"), 60)
    assert len(set(found)) == 100_002


def test_a_name_stands_for_a_live_session_before_those_that_have_ended(connection: StreamConnection) -> None:
    who = {"type": "Customer", "nickname": "Noor", "participantId": "p2"}
    noor = session_from_json({"id": "S3", "state": "Chatting", "participants": [who]})
    gone = EndedRecord(after(1), "S3", "Completed")
    publish(connection, began("S1"), EndedRecord(after(1), "S1", "Completed"), began("S2"))
    publish(connection, SessionRecord(NOON, noor), gone)
    source = reads(connection)
    assert states(source.sessions_named(["mika"])) == [("S2", "Chatting", False)]
    # S1 has ended, and is none of those that are meant.
    assert {one.id for one in source.sessions_named(["noor"]).sessions} == {"S2", "S3"}
    assert {one.id for one in source.sessions_named(["mika", "noor"]).sessions} == {"S2", "S3"}
    assert {one.id for one in source.sessions_named(["mika", "S1"]).sessions} == {"S1", "S2"}


def test_an_id_may_be_anything(connection: StreamConnection) -> None:
    ids = ["*", ">", "a/b", "gws:443/S1", "a.b c", "=2A", "é\n", "x" * 200]
    for number, one in enumerate(ids):
        publish(connection, began(one), text(number, of=one))
    source = reads(connection)
    assert [one.id for one in source.sessions().sessions] == ids
    for number, one in enumerate(ids):
        assert indices(reads(connection), one) == [number]


def test_a_session_that_is_not_there_is_not_found(connection: StreamConnection) -> None:
    publish(connection, began("S1"))
    with pytest.raises(NotFound, match="no session S2 in nats://127"):
        indices(reads(connection), "S2")
    with pytest.raises(NotFound):
        reads(connection).replay(Log, ["S2"])


def test_a_long_log_is_read_to_its_end_in_pages(connection: StreamConnection) -> None:
    publish(connection, *(text(index) for index in range(1, 1203)), text(1, of="S2"))
    pages = [*reads(connection).messages("S1")]
    assert [len(one.messages) for one in pages] == [500, 500, 202]
    assert [one.index for page in pages for one in page.messages] == [*range(1, 1203)]
    assert [one.index for one in reads(connection).page("S1", 700, 2).messages] == [700, 701]


@pytest.mark.slow
def test_messages_that_are_removed_while_reading_are_not_waited_for(connection: StreamConnection) -> None:
    publish(connection, *(text(index) for index in range(1, 1001)))
    pages = reads(connection).messages("S1")
    first = next(pages)

    async def purge() -> None:
        await connection.jetstream.purge_stream(connection.address.stream)

    connection.run(purge)
    assert [len(first.messages), *(len(one.messages) for one in pages)] == [500]


def test_reading_ends_where_the_stream_ended_at_the_first_read(connection: StreamConnection) -> None:
    publish(connection, *(text(index) for index in range(1, 601)))
    source = reads(connection)
    pages = source.messages("S1")
    first = next(pages)
    publish(connection, text(601))
    assert [len(first.messages), *(len(one.messages) for one in pages)] == [500, 100]
    assert len(indices(reads(connection))) == 601


def test_an_empty_stream_has_no_sessions(connection: StreamConnection) -> None:
    source = reads(connection)
    assert (source.sessions(), source.live(), source.now) == (Listing(()), Listing(()), None)
    assert ([*source.log(streamed=False)][0].messages, source.replay(Log)) == ((), [])
    assert source.stale_message(NOON) is None


def test_a_stream_whose_newest_record_is_over_90_s_old_is_stale(connection: StreamConnection) -> None:
    publish(connection, began("S1"), text(10))
    told = f"the newest record of {reads(connection).name} is of 2026-03-02T12:00:10.000Z"
    assert reads(connection).stale_message(after(100)) is None
    assert reads(connection).stale_message(after(101)) == f"{told}: is a collector running?"
    publish_alive(connection, after(40))
    # What was published since may be much, and a late message older.
    publish(connection, *(text(1, of="S2", late=True) for _ in range(150)))
    assert reads(connection).now == after(40)
    assert reads(connection).stale_message(after(101)) is None


@pytest.mark.parametrize("ids", [None, ["S1"]])
def test_a_session_whose_collectors_fell_silent_was_not_followed(
    connection: StreamConnection, ids: list[str] | None
) -> None:
    for seconds in (0, 30):
        publish_alive(connection, after(seconds), SERVER)
    publish(connection, began("S1"), text(1))
    for seconds in range(0, 301, 30):
        publish_alive(connection, after(seconds), "other:443", collector="c2")
    (found,) = reads(connection).replay(Log, ids)
    assert found.disconnections == [Disconnection(SERVER, after(30))]


def test_what_others_publish_is_passed_over_and_said_once(connection: StreamConnection) -> None:
    stream = connection.address.stream
    publish(connection, began("S1"), text(1))
    hostile = [
        (message_subject(stream, SERVER, "S1"), b"milk"),
        (message_subject(stream, SERVER, "S1"), line_of(text(2, of="S2"), SERVER)),
        (session_subject(stream, SERVER, "S1"), b'{"record":"ended","sessionId":"S2","state":"Completed"}'),
        (session_subject(stream, SERVER, "S1"), b'{"record":"mood"}'),
        (f"{stream}.session.x.=zz", b"{}"),
        (f"{stream}.collector.x", b'{"record":"lost","at":5,"message":5}'),
    ]
    publish_raw(connection, hostile)
    publish(connection, text(2))
    told: list[str] = []
    source = StreamReads(connection, told.append)
    assert states(source.live()) == states(source.sessions()) == [("S1", "Chatting", False)]
    assert indices(source) == [1, 2]
    assert [one.reader.told for one in source.replay(Log)] == [[("ended", None, True), (1, "hi"), (2, "hi")]]
    assert [one.partition(" is no record")[0] for one in told] == [f"message 7 of {source.name}"]


def test_a_stream_that_does_not_exist_is_not_found(shared_node: NatsNode) -> None:
    connection = StreamConnection(parse_address(shared_node.url("NONE")))
    connection.open()
    try:
        with pytest.raises(NotFound, match="there is no stream NONE"):
            reads(connection).sessions()
    finally:
        connection.close()


def test_a_stream_for_other_subjects_is_refused(connection: StreamConnection, shared_node: NatsNode) -> None:
    async def create() -> None:
        await connection.jetstream.add_stream(name="ORDERS", subjects=["orders.>"])

    connection.run(create)
    other = StreamConnection(parse_address(shared_node.url("ORDERS")))
    other.open()
    try:
        with pytest.raises(ServerError, match="other subjects"):
            reads(other).live()
    finally:
        other.close()


def test_no_consumer_is_left(connection: StreamConnection) -> None:
    publish(connection, began("S1"), *(text(index) for index in range(1, 1001)))
    source = reads(connection)
    states(source.live())
    assert len(indices(source)) == 1000
    next(source.messages("S1"))

    async def consumers() -> int:
        info = await connection.jetstream.stream_info(connection.address.stream)
        return info.state.consumer_count

    assert connection.run(consumers) == 0


@pytest.mark.slow
def test_an_engine_that_stays_away_is_unreachable(tmp_path: Path) -> None:
    with NatsNode(tmp_path) as node:
        connection = opened(node.url(), timeout=3)
        try:
            publish(connection, *(text(index) for index in range(1, 1001)))
            pages = reads(connection).messages("S1")
            found = [len(next(pages).messages)]
            node.kill()
            with pytest.raises(Unreachable, match="refuses|did not answer"):
                found += [len(one.messages) for one in pages]
            assert found[0] == 500
        finally:
            connection.close()
