"""What is recorded of a server's sessions, and with which time."""

from datetime import UTC, datetime, timedelta

from smscli.gws.decode import session_from_json
from smscli.model import Event, Listing, ListRead, Session, SessionEnded, SessionStarted
from smscli.recordings.format import EndedRecord, Record, SessionRecord
from smscli.recordings.server import RecordedServer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def session(state: str = "Chatting") -> Session:
    return session_from_json({"id": "S1", "state": state})


def listed(state: str, seconds: int) -> ListRead:
    return ListRead(Listing((session(state),), NOON + timedelta(seconds=seconds)))


def played(server: RecordedServer, *events: Event) -> list[Record]:
    return [one.record for event in events for one in server.records(event)]


def test_a_state_has_the_time_of_the_list_that_told_it() -> None:
    """Not of what was read since: another collector's newer state would be taken for older."""
    server = RecordedServer(lambda: NOON + timedelta(seconds=9))
    found = played(server, listed("Invited", 1), SessionStarted(session("Invited")), listed("Chatting", 3))
    assert found == [
        SessionRecord(NOON + timedelta(seconds=1), session("Invited")),
        SessionRecord(NOON + timedelta(seconds=3), session("Chatting")),
    ]


def test_a_list_without_a_time_has_the_servers_last_one() -> None:
    server = RecordedServer(lambda: NOON)
    found = played(server, ListRead(Listing((session(),), None)), SessionStarted(session()))
    assert found == [SessionRecord(NOON, session())]


def test_an_end_that_is_asked_for_again_comes_when_two_lists_lack_the_session() -> None:
    clock = [0.0]
    server = RecordedServer(lambda: NOON, lambda: clock[0])
    played(server, listed("Chatting", 1), SessionStarted(session()), SessionEnded("S1", "Completed"))
    server.tell_again("S1")
    gone = ListRead(Listing((), NOON))
    assert played(server, gone) == []
    clock[0] += 5
    assert played(server, gone) == [EndedRecord(NOON, "S1", None)]
    assert played(server, gone) == []


def test_a_state_that_is_asked_for_again_comes_with_the_next_list() -> None:
    server = RecordedServer(lambda: NOON)
    played(server, listed("Chatting", 1), SessionStarted(session()))
    assert played(server, listed("Chatting", 2)) == []
    server.tell_again("S1")
    assert played(server, listed("Chatting", 3)) == [SessionRecord(NOON + timedelta(seconds=3), session())]
    assert played(server, listed("Chatting", 4)) == []
