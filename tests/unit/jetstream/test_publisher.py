"""What is published behind what, what waits, and what is said: what needs no engine."""

from datetime import timedelta

import pytest

from smscli.errors import LocalError, NotFound, NotPermitted, RequestTimeout, Unreachable
from smscli.jetstream.publish_backlog import Backlog
from smscli.jetstream.publish_lanes import (
    CollectorLane,
    Lane,
    MessageLane,
    SessionKey,
    SessionLane,
    SignOfLife,
    Waiting,
    masked_of,
)
from smscli.jetstream.publish_trouble import PublishTrouble, StreamNotice, not_published
from smscli.jetstream.publisher import collector_name
from smscli.model import Session
from smscli.recordings.format import ConnectionRecord, Record, SessionRecord, line_of
from smscli.records import message_key
from tests.support.demo_peer import Clock
from tests.support.published import START, ended_record, message, session_record

KEY = SessionKey("site", "s1")


def wait(lane: Lane, *records: Record) -> None:
    lane.waiting.extend(Waiting(one, "site") for one in records)


def absorb(lane: Lane, *records: Record) -> None:
    for one in records:
        lane.absorb(line_of(one, "site"), lane.sequence + 1)


def published(lane: Lane) -> list[tuple[bytes, int | None]]:
    """All that is published if nobody else publishes: payloads, and the sequence numbers they come behind."""
    found = []
    while one := lane.next(masked=False):
        found.append((one.payload + b"\n", one.after))
        lane.published(lane.sequence + 1)
    return found


def messages() -> MessageLane:
    return MessageLane("CC.message.site.s1", KEY)


def states() -> SessionLane:
    return SessionLane("CC.session.site.s1", KEY)


def test_messages_that_the_subject_holds_are_dropped_by_their_keys() -> None:
    lane = messages()
    absorb(lane, message(1), message(3))
    wait(lane, message(1), message(2), message(3), message(4))
    late = message(2, late=True)
    assert published(lane) == [(line_of(late, "site"), 2), (line_of(message(4), "site"), 3)]
    assert lane.dropped == 4


def test_an_id_is_the_key_until_another_subject_has_taken_it() -> None:
    lane = messages()
    wait(lane, message(1), message(2))
    first = lane.next(masked=False)
    lane.take_another_id()
    second = lane.next(masked=False)
    lane.published(1)
    third = lane.next(masked=False)
    assert first and second and third
    assert first.id == message_key(message(1))
    assert second.id not in (first.id, message_key(message(2)))
    assert second.payload == first.payload
    assert third.id == message_key(message(2))


def test_a_state_is_published_when_it_differs_from_the_last_one() -> None:
    lane = states()
    absorb(lane, session_record("Invited"), session_record("Chatting", 1))
    again, back = session_record("Chatting", 2), session_record("Invited", 3)
    wait(lane, again, back, ended_record(4), ended_record(5), session_record("Invited", 6))
    assert published(lane) == [
        (line_of(back, "site"), 2),
        (line_of(ended_record(4), "site"), 3),
        (line_of(session_record("Invited", 6), "site"), 4),
    ]


def test_an_ended_state_behind_the_end_is_no_return() -> None:
    lane = states()
    absorb(lane, session_record("Completed"), ended_record(1))
    wait(lane, session_record("Completed", 2))
    assert published(lane) == []


def test_a_state_older_than_another_collectors_is_dropped_but_our_own_clock_may_go_back() -> None:
    lane = states()
    absorb(lane, session_record("Chatting", 5))
    wait(lane, session_record("Invited", 4), session_record("Invited", 6), session_record("Chatting", 3))
    assert published(lane) == [
        (line_of(session_record("Invited", 6), "site"), 1),
        (line_of(session_record("Chatting", 3), "site"), 2),
    ]
    assert lane.is_doubtful


def test_of_two_collectors_states_of_one_second_a_later_list_tells_which_is_the_older() -> None:
    lane = states()
    absorb(lane, session_record("Chatting", 5))
    wait(lane, session_record("Invited", 5))
    assert (published(lane), lane.is_doubtful) == ([], True)


def test_an_end_before_another_collectors_state_is_asked_for_again() -> None:
    lane = states()
    absorb(lane, session_record("Chatting", 5))
    wait(lane, ended_record(4))
    assert (published(lane), lane.is_doubtful) == ([], True)


def test_an_end_in_the_same_second_as_another_collectors_state_is_published() -> None:
    lane = states()
    absorb(lane, session_record("Chatting", 5))
    wait(lane, ended_record(5))
    assert published(lane) == [(line_of(ended_record(5), "site"), 1)]


def test_a_repeated_state_has_the_same_id_and_the_same_state_later_another_one() -> None:
    lane = states()
    wait(lane, *(session_record(one) for one in ("Invited", "Chatting", "Invited")))
    ids = []
    for sequence in range(3):
        one, again = lane.next(masked=False), lane.next(masked=False)
        assert one and one == again
        ids.append(one.id)
        lane.published(sequence + 1)
    assert len(set(ids)) == 3


def test_an_emptied_subject_takes_the_present_state_again() -> None:
    lane = states()
    wait(lane, session_record("Chatting"))
    published(lane)
    lane.restart()
    wait(lane, session_record("Chatting", 1))
    assert published(lane) == [(line_of(session_record("Chatting", 1), "site"), 0)]


def test_of_signs_of_life_the_latest_waits_behind_what_is_being_published() -> None:
    lane = CollectorLane("CC.collector.desk")
    lost = ConnectionRecord(START, "lost", "connection lost")
    for second in range(3):
        lane.add(Waiting(SignOfLife(START + timedelta(seconds=second), ("a", "b"), ("x",)), ""))
    lane.add(Waiting(lost, "site"))
    assert published(lane) == [
        (b'{"record":"alive","at":"2026-03-02T10:00:00.000Z","profiles":["a","b"],"servers":["x"]}\n', None),
        (b'{"record":"alive","at":"2026-03-02T10:00:02.000Z","profiles":["a","b"],"servers":["x"]}\n', None),
        (line_of(lost, "site"), None),
    ]


def test_a_masked_sign_of_life_says_so() -> None:
    lane = CollectorLane("CC.collector.desk")
    lane.add(Waiting(SignOfLife(START, ()), ""))
    found = lane.next(masked=True)
    assert found
    assert (
        found.payload
        == b'{"record":"alive","at":"2026-03-02T10:00:00.000Z","profiles":[],"servers":[],"masked":true}'
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (line_of(message(1), masked=True), True),
        (line_of(message(1)), False),
        (b"\xff", None),
        (b"[]", None),
        (b"", None),
    ],
)
def test_whether_a_payload_is_masked(payload: bytes, expected: bool | None) -> None:
    assert masked_of(payload) is expected


def test_a_record_that_cannot_be_written_is_an_error() -> None:
    lane = states()
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    wait(lane, SessionRecord(START, Session("s1", sent={"userData": deep})))
    with pytest.raises((LocalError, RecursionError)):
        lane.next(masked=False)


# What waits


def test_beyond_the_limit_a_session_is_behind_until_its_log_is_read_whole() -> None:
    backlog = Backlog(2)
    taken = [backlog.take(KEY, Waiting(message(index), "site")) for index in (1, 2, 3)]
    assert taken == [True, True, False]
    assert backlog.behind == [KEY]
    backlog.done(2)
    assert not backlog.take(KEY, Waiting(message(4), "site"))
    backlog.begin(KEY)
    assert not backlog.take(KEY, Waiting(message(5), "site"))
    assert not backlog.finish(KEY)
    backlog.begin(KEY)
    assert backlog.finish(KEY)
    assert backlog.take(KEY, Waiting(message(6), "site"))
    assert [one.record for _, one in backlog.collect()] == [message(1), message(2), message(6)]


def test_beyond_the_limit_the_newest_state_of_each_session_is_held() -> None:
    backlog = Backlog(1)
    backlog.take(KEY, Waiting(message(1), "site"))
    for record in (
        session_record("Invited"),
        session_record("Chatting", 1),
        ended_record(2),
        ended_record(3),
    ):
        assert not backlog.take(KEY, Waiting(record, "site"))
    assert backlog.waiting == 3
    backlog.done(1)
    assert not backlog.take(KEY, Waiting(ended_record(4), "site"))
    assert backlog.release()
    assert not backlog.release()
    found = [one.record for _, one in backlog.collect()]
    assert found == [message(1), session_record("Chatting", 1), ended_record(4)]


# What is said


def spoken() -> tuple[PublishTrouble, list[StreamNotice], Clock]:
    said: list[StreamNotice] = []
    clock = Clock()
    return PublishTrouble(said.append, clock), said, clock


def test_a_short_change_of_leader_is_not_said() -> None:
    trouble, said, clock = spoken()
    trouble.failed("a", Unreachable("no leader"), clock())
    clock.now += 1.9
    trouble.look()
    assert trouble.passed("a", lambda: 3)
    assert said == []


def test_an_engine_that_is_away_is_said_once_and_its_return_once() -> None:
    trouble, said, clock = spoken()
    trouble.failed("a", Unreachable("no leader"), clock())
    clock.now += 2
    trouble.look()
    trouble.failed("b", RequestTimeout("no answer", hint="wait"), clock())
    trouble.look()
    late = iter([5, 1])
    assert trouble.passed("a", lambda: next(late))
    assert not trouble.passed("a", lambda: 0)
    assert trouble.passed("b", lambda: next(late))
    assert said == [
        StreamNotice("stream", "stream can't be written, retrying (no leader)"),
        StreamNotice("stream", "stream can be written again, 5 records late"),
    ]


def test_an_engine_that_is_away_is_said_also_while_a_permission_is_missing() -> None:
    trouble, said, clock = spoken()
    trouble.failed("message", NotPermitted("not permitted", hint="ask"), clock())
    clock.now += 10
    trouble.failed("a", Unreachable("no answer"), clock())
    trouble.look()
    clock.now += 2
    trouble.look()
    assert trouble.passed("a", lambda: 3)
    trouble.look()
    assert trouble.passed("message", lambda: 0)
    assert [one.message for one in said] == [
        "stream can't be written, retrying (not permitted; ask)",
        "stream can't be written, retrying (no answer)",
        "stream can be written again, 3 records late",
        "stream can be written again",
    ]


def test_what_somebody_must_mend_is_said_at_once_with_the_next_step() -> None:
    trouble, said, clock = spoken()
    for _ in range(2):
        trouble.failed("a", NotPermitted("not permitted", hint="ask"), clock())
        trouble.failed("b", NotFound("deleted", hint="create it"), clock())
    assert said == [
        StreamNotice("stream", "stream can't be written, retrying (not permitted; ask)"),
        StreamNotice("stream", "stream can't be written, retrying (deleted; create it)"),
    ]


@pytest.mark.parametrize(
    ("number", "behind", "expected"),
    [
        (1, 0, "1 record was"),
        (2, 0, "2 records were"),
        (0, 1, "messages of 1 session were"),
        (1, 2, "1 record and messages of 2 sessions were"),
    ],
)
def test_what_is_left_over_is_counted(number: int, behind: int, expected: str) -> None:
    told = f"{expected} not published to the stream; the next start publishes what the server still has"
    assert not_published(number, behind) == StreamNotice("stream", told)


def test_a_collector_keeps_its_name_and_shares_it_with_no_other() -> None:
    assert collector_name(["b", "a"], "desk") == "desk-a-b"
    assert collector_name([], "desk") == "desk"
    long = collector_name([f"profile{number}" for number in range(50)], "desk")
    assert long != collector_name([f"profile{number}" for number in range(51)], "desk")
    assert len(long) == 80


def test_states_that_another_collector_told_in_the_same_second_are_not_told_again() -> None:
    lane = SessionLane("CC.session.site.s1", KEY)
    told = [SessionRecord(START, Session("s1", state)) for state in ("Invited", "Chatting")]
    lane.waiting.extend(Waiting(one, "site") for one in told)
    for sequence, one in enumerate(told, 1):
        lane.absorb(line_of(one, "site"), sequence)
    assert lane.next(masked=False) is None


def test_a_state_that_was_told_long_ago_is_told_again_when_it_is_back() -> None:
    lane = SessionLane("CC.session.site.s1", KEY)
    lane.absorb(line_of(SessionRecord(START, Session("s1", "Chatting")), "site"), 1)
    lane.absorb(line_of(SessionRecord(START, Session("s1", "Consulting")), "site"), 2)
    later = SessionRecord(START + timedelta(seconds=60), Session("s1", "Chatting"))
    lane.waiting.append(Waiting(later, "site"))
    found = lane.next(masked=False)
    assert found and found.payload == line_of(later, "site").removesuffix(b"\n")
