"""Who is there, who waits, and the figures of a session."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message, Participant, Session
from smscli.transcript.activity import Activity, ActivitySummary, CustomerWait, PersonActivity

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
KIWI = Participant("Customer", "kiwi", "C1")
ANA = Participant("Agent", "ana", "A1")
BEN = Participant("Agent", "ben", "A2")
LEE = Participant("Customer", "lee", "C2")


def after(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def said(by: Participant | None, at: float | None, kind: str = "Text", to: str | None = "All") -> Message:
    return Message("S1", None, kind, by, to, after(at))


def late(message: Message, index: int) -> Message:
    return replace(message, index=index, late=True)


def at_place(message: Message, index: int) -> Message:
    return replace(message, index=index)


def counted(*messages: Message, session: Session | None = None) -> Activity:
    activity = Activity(session)
    for message in messages:
        activity.add(message)
    return activity


def test_a_session_in_figures() -> None:
    activity = counted(
        said(KIWI, -2, "ParticipantJoined"),
        said(KIWI, 0),
        said(ANA, 5, "ParticipantJoined"),
        said(None, 6, "Notice"),
        said(ANA, 30),
        said(ANA, 40, "PushUrl"),
        last := said(KIWI, 60),
        said(ANA, 70, "TypingStarted"),
        said(ANA, 80, "ParticipantLeft"),
    )
    activity.add_composing(ANA, 0.1)
    activity.add_composing(ANA, 4.3)
    activity.add_composing(ANA, None)
    activity.add_composing(None, 2.0)
    assert activity.summary(after(90), [ANA, Participant("Agent", None, "A7")]) == ActivitySummary(
        messages=4,
        participants=(
            PersonActivity("C1", "kiwi", "Customer", 2, None, after(-2), None, True),
            PersonActivity("A1", "ana", "Agent", 2, 4.4, after(5), after(80), False),
        ),
        first_message_at=after(0),
        last_message_at=after(60),
        first_response_seconds=30.0,
        waiting_seconds=30.0,
        wait=CustomerWait(NOON + timedelta(seconds=60), "kiwi"),
        typing=("ana", "A7"),
        last_message=last,
    )


def test_a_session_without_messages() -> None:
    assert Activity().summary(NOON) == ActivitySummary(0, ())


def test_a_participant_is_a_participant_id_else_a_type_and_a_nickname() -> None:
    nameless = Participant("Agent", "ana")
    activity = counted(said(ANA, 0), said(replace(ANA, participant_id="A9"), 1), said(nameless, 2))
    assert [one.participant_id for one in activity.summary().participants] == ["A1", "A9", None]


def test_messages_without_a_time_are_counted_and_date_nothing() -> None:
    log = said(KIWI, None), said(ANA, None)
    assert counted(*log).summary(NOON) == ActivitySummary(
        2,
        (
            PersonActivity("C1", "kiwi", "Customer", 1, present=True),
            PersonActivity("A1", "ana", "Agent", 1, present=True),
        ),
        last_message=log[1],
    )


def test_a_message_that_came_late_is_not_the_last() -> None:
    activity = counted(said(KIWI, 0), answer := at_place(said(ANA, 20), 3), late(said(KIWI, 10), 2))
    assert activity.summary().last_message_at == after(20)
    assert activity.summary().last_message == answer


def test_a_hostile_crowd_is_counted_without_a_row_for_each() -> None:
    activity = counted(*[said(Participant("Customer", None, f"P{n}"), n) for n in range(1500)])
    activity.add(said(Participant("Customer", None, "P7"), 1501))
    summary = activity.summary()
    assert summary.messages == 1501
    assert len(summary.participants) == 1000
    assert summary.participants[7] == PersonActivity(
        "P7", None, "Customer", 2, joined_at=after(7), present=True
    )


RESPONSES = {
    "the first answer to the first customer Text": (
        [said(KIWI, 0), said(KIWI, 10), said(ANA, 25), said(ANA, 50)],
        25.0,
    ),
    "a PushUrl is an answer": ([said(KIWI, 0), said(ANA, 25, "PushUrl")], 25.0),
    "none yet": ([said(KIWI, 0)], None),
    "what an agent said before is no response": ([said(ANA, 0), said(KIWI, 10), said(ANA, 25)], 15.0),
    "nobody has asked": ([said(ANA, 0), said(ANA, 9)], None),
    "a customer's PushUrl asks nothing": ([said(KIWI, 0, "PushUrl"), said(ANA, 9)], None),
    "a customer does not answer a customer": ([said(KIWI, 0), said(KIWI, 9)], None),
    "agents-only text is no answer": (
        [said(KIWI, 0), said(ANA, 5, "Text", "Agents"), said(ANA, 9, "PushUrl", "Agents"), said(BEN, 25)],
        25.0,
    ),
    "an unknown visibility is no answer": ([said(KIWI, 0), said(ANA, 5, "Text", "Supervisors")], None),
    "a message without visibility is for all": ([said(KIWI, 0), said(ANA, 5, "Text", None)], 5.0),
    "a message without visibility has its sender's": (
        [said(KIWI, 0), said(replace(BEN, visibility="Agents"), 5, "Text", None), said(ANA, 8)],
        8.0,
    ),
    "a message's own visibility counts": (
        [said(KIWI, 0), said(replace(BEN, visibility="Agents"), 5, "Text", "All")],
        5.0,
    ),
    "joins, notices and typing are no answers": (
        [
            said(KIWI, 0),
            said(ANA, 1, "ParticipantJoined"),
            said(ANA, 2, "Notice"),
            said(ANA, 3, "CustomNotice"),
            said(ANA, 4, "TypingStarted"),
            said(ANA, 5, "TypingStopped"),
            said(ANA, 6, "Applause"),
        ],
        None,
    ),
    "a text from nobody is no answer": ([said(KIWI, 0), said(None, 5)], None),
    "unknown where the question has no time": ([said(KIWI, None), said(KIWI, 3), said(ANA, 9)], None),
    "unknown where the answer has no time": ([said(KIWI, 0), said(ANA, None), said(ANA, 9)], None),
    "unknown where time goes backwards": ([said(KIWI, 10), said(ANA, 9), said(ANA, 20)], None),
    "a late answer that stands between the question and the first one": (
        [at_place(said(KIWI, 0), 2), at_place(said(ANA, 30), 5), late(said(BEN, 10), 4)],
        10.0,
    ),
    "a late question that stands before an earlier answer": (
        [
            at_place(said(ANA, 5), 3),
            at_place(said(KIWI, 10), 4),
            at_place(said(ANA, 30), 5),
            late(said(KIWI, 1), 2),
        ],
        4.0,
    ),
    "a late answer that stands before the question is none": (
        [at_place(said(KIWI, 10), 4), late(said(ANA, 5), 3), at_place(said(ANA, 30), 5)],
        20.0,
    ),
}


@pytest.mark.parametrize(("messages", "seconds"), RESPONSES.values(), ids=RESPONSES.keys())
def test_first_response(messages: list[Message], seconds: float | None) -> None:
    assert counted(*messages).summary(after(100)).first_response_seconds == seconds


# Who is there


def people(*log: Message, session: Session | None = None) -> dict[str | None, tuple[object, object, bool]]:
    """Of each person by participantId: joined and left in seconds after noon, and whether present."""
    return {
        one.participant_id: (seconds_of(one.joined_at), seconds_of(one.left_at), one.present)
        for one in counted(*log, session=session).summary(NOON).participants
    }


def seconds_of(at: datetime | None) -> float | None:
    return None if at is None else (at - NOON).total_seconds()


@pytest.mark.parametrize(
    "kind", ["ParticipantJoined", "ParticipantRejoined", "Text", "PushUrl", "TypingStarted"]
)
def test_what_somebody_does_lets_them_in_also_after_a_leave(kind: str) -> None:
    assert people(said(KIWI, 3, kind)) == {"C1": (3.0, None, True)}
    assert people(said(KIWI, 1, "ParticipantLeft"), said(KIWI, 3, kind)) == {"C1": (3.0, None, True)}


@pytest.mark.parametrize(
    "kind",
    ["Notice", "CustomNotice", "SystemCommand", "TypingStopped", "TranscriptSaveDone", "Applause"],
)
def test_notices_commands_and_the_rest_let_nobody_in(kind: str) -> None:
    assert people(said(KIWI, 3, kind)) == {"C1": (None, None, False)}
    left = said(KIWI, 1, "ParticipantLeft")
    assert people(left, said(KIWI, 3, kind)) == {"C1": (None, 1.0, False)}


def test_the_first_join_and_the_last_leave_count() -> None:
    log = [
        said(KIWI, 0, "ParticipantJoined"),
        said(KIWI, 5, "ParticipantLeft"),
        said(KIWI, 8, "ParticipantRejoined"),
        said(KIWI, 13, "ParticipantLeft"),
    ]
    assert people(*log) == {"C1": (0.0, 13.0, False)}
    assert people(*log[:3]) == {"C1": (0.0, None, True)}


def test_times_that_cannot_be_read_are_passed_over() -> None:
    log = [said(KIWI, None, "ParticipantJoined"), said(KIWI, 5), said(KIWI, None, "ParticipantLeft")]
    assert people(*log) == {"C1": (5.0, None, False)}


def test_the_log_decides_against_the_session() -> None:
    session = Session("S1", "Chatting", participants=(KIWI, ANA, BEN))
    log = [said(KIWI, 0), said(ANA, 1), said(ANA, 2, "ParticipantLeft"), said(BEN, 3, "CustomNotice")]
    assert people(*log, session=session) == {
        "C1": (0.0, None, True),
        "A1": (1.0, 2.0, False),
        # Neither let in nor out: the session has him.
        "A2": (None, None, True),
    }
    assert people(said(KIWI, 0), session=Session("S1", "Chatting")) == {"C1": (0.0, None, True)}


def test_one_whom_only_the_session_names_is_there() -> None:
    session = Session("S1", "Invited", participants=(KIWI,))
    assert people(session=session) == {"C1": (None, None, True)}


@pytest.mark.parametrize(("state", "present"), [("Completed", False), ("LeftChat", False), ("Idle", True)])
def test_nobody_is_there_once_the_session_has_ended(state: str, present: bool) -> None:
    session = Session("S1", state, participants=(KIWI, BEN))
    assert people(said(KIWI, 0), session=session) == {
        "C1": (0.0, None, present),
        "A2": (None, None, present),
    }


def test_a_late_message_is_judged_at_its_place() -> None:
    left, text = at_place(said(KIWI, 10, "ParticipantLeft"), 4), at_place(said(KIWI, 20), 6)
    assert people(left, late(said(KIWI, 5), 3)) == {"C1": (5.0, 10.0, False)}
    assert people(left, late(said(KIWI, 15), 5)) == {"C1": (15.0, None, True)}
    assert people(text, late(said(KIWI, 10, "ParticipantLeft"), 5)) == {"C1": (20.0, None, True)}
    assert people(text, late(said(KIWI, 30, "ParticipantLeft"), 7)) == {"C1": (20.0, 30.0, False)}


def test_people_without_an_id_are_told_apart_by_type_and_nickname() -> None:
    first, second = Participant("Customer", "kiwi"), Participant("Agent", "kiwi")
    log = [said(first, 0, "ParticipantJoined"), said(second, 1), said(first, 2, "ParticipantLeft")]
    summary = counted(*log).summary(NOON)
    assert [(one.type, one.present) for one in summary.participants] == [("Customer", False), ("Agent", True)]


# Who waits

INVITED = Session("S1", "Invited", participants=(KIWI,), received=after(-30))
WAITS = {
    "since the oldest customer Text": ([said(ANA, -1), said(KIWI, 0), said(KIWI, 10)], 100.0),
    "not once it is answered": ([said(KIWI, 0), said(KIWI, 10), said(ANA, 20)], None),
    "not once it is answered by a PushUrl": ([said(KIWI, 0), said(ANA, 20, "PushUrl")], None),
    "again after the answer": ([said(KIWI, 0), said(ANA, 20), said(KIWI, 40), said(KIWI, 50)], 60.0),
    "through agents-only text, joins, notices and typing": (
        [
            said(KIWI, 0),
            said(ANA, 1, "Text", "Agents"),
            said(BEN, 2, "ParticipantJoined"),
            said(ANA, 3, "CustomNotice"),
            said(ANA, 4, "TypingStarted"),
        ],
        100.0,
    ),
    "through a text whose sender only agents can see": (
        [said(ANA, -1), said(KIWI, 0), said(replace(BEN, visibility="Agents"), 5, to=None)],
        100.0,
    ),
    "not after a text for all of one whom only agents can see": (
        [said(ANA, -1), said(KIWI, 0), said(replace(BEN, visibility="Agents"), 5, to="All")],
        None,
    ),
    "for a Client as for a Customer": (
        [
            said(ANA, -1),
            said(replace(KIWI, type="client"), 0),
            said(replace(ANA, type="AGENT"), -5, "Notice"),
        ],
        100.0,
    ),
    "not for a Bot": ([said(ANA, -1), said(replace(KIWI, type="Bot"), 0)], None),
    "not for a PushUrl of the customer": ([said(ANA, -1), said(KIWI, 0, "PushUrl")], None),
    "not for an agent": ([said(ANA, 0)], None),
    "for no less than no time": ([said(ANA, -1), said(KIWI, 130)], 0.0),
    "since the oldest whose time is known": ([said(ANA, -1), said(KIWI, None), said(KIWI, 10)], 90.0),
    "unknown without a time": ([said(ANA, -1), said(KIWI, None)], None),
    "not once it is answered at an unknown time": ([said(KIWI, 0), said(ANA, None)], None),
    "to the millisecond": ([said(ANA, -1), said(KIWI, 99.9)], 0.1),
    "not for a late question that stands before the answer": (
        [at_place(said(ANA, 20), 7), late(said(KIWI, 10), 6)],
        None,
    ),
    "for a late question that stands after the answer": (
        [at_place(said(ANA, 20), 7), late(said(KIWI, 30), 8)],
        70.0,
    ),
    "since a late question that stands before the others": (
        [at_place(said(ANA, 10), 6), at_place(said(KIWI, 30), 8), late(said(KIWI, 20), 7)],
        80.0,
    ),
    "through a late answer that stands before the question": (
        [at_place(said(KIWI, 30), 8), late(said(ANA, 20), 7)],
        70.0,
    ),
    "since the newest question behind a late answer": (
        [
            at_place(said(KIWI, 10), 4),
            at_place(said(KIWI, 30), 8),
            late(said(KIWI, 15), 5),
            late(said(ANA, 20), 7),
        ],
        70.0,
    ),
    "not after a late answer that stands after the question": (
        [at_place(said(KIWI, 10), 4), late(said(ANA, 20), 7)],
        None,
    ),
    "not after an answer in a log numbered anew": (
        [at_place(said(KIWI, 10), 40), at_place(said(ANA, 20), 2)],
        None,
    ),
    "not once the customer has left": (
        [said(KIWI, 0, "ParticipantJoined"), said(ANA, 1), said(KIWI, 2), said(KIWI, 9, "ParticipantLeft")],
        None,
    ),
    "again once the customer is back": (
        [
            said(ANA, 1),
            said(KIWI, 2),
            said(KIWI, 9, "ParticipantLeft"),
            said(KIWI, 12, "ParticipantRejoined"),
        ],
        98.0,
    ),
    "while another customer is there": (
        [said(ANA, 1), said(KIWI, 2), said(LEE, 5, "ParticipantJoined"), said(KIWI, 9, "ParticipantLeft")],
        98.0,
    ),
    "not while only an agent is there": (
        [said(ANA, 1), said(KIWI, 2), said(BEN, 5), said(KIWI, 9), said(KIWI, 10, "ParticipantLeft")],
        None,
    ),
    "not after a late leave behind the last text": (
        [said(ANA, 1), at_place(said(KIWI, 2), 5), late(said(KIWI, 9, "ParticipantLeft"), 6)],
        None,
    ),
    "after a late leave before the last text": (
        [said(ANA, 1), at_place(said(KIWI, 12), 7), late(said(KIWI, 9, "ParticipantLeft"), 6)],
        88.0,
    ),
    "since the log's first entry while no agent has been there": (
        [said(KIWI, 10, "ParticipantJoined"), said(None, 11, "Notice"), said(KIWI, 20)],
        90.0,
    ),
    "since the first entry whose time can be read": ([said(KIWI, None), said(None, 11, "Notice")], 89.0),
    "since a late entry that stands first": (
        [at_place(said(KIWI, 10, "ParticipantJoined"), 2), late(said(None, 5, "Notice"), 1)],
        95.0,
    ),
    "not once an agent has been there": (
        [
            said(KIWI, 10, "ParticipantJoined"),
            said(ANA, 11, "ParticipantJoined"),
            said(ANA, 12, "ParticipantLeft"),
        ],
        None,
    ),
    "while only one whom the customer can't see has been there": (
        [
            said(KIWI, 10, "ParticipantJoined"),
            said(replace(BEN, visibility="Agents"), 11, "ParticipantJoined"),
        ],
        90.0,
    ),
    "not once one whom the customer can't see is seen": (
        [
            said(KIWI, 10, "ParticipantJoined"),
            said(replace(BEN, visibility="Agents"), 11, "ParticipantJoined"),
            said(replace(BEN, visibility="All"), 12, "ParticipantRejoined"),
        ],
        None,
    ),
    "while an agent only appears in a notice": (
        [said(KIWI, 10, "ParticipantJoined"), said(ANA, 11, "CustomNotice")],
        90.0,
    ),
}


@pytest.mark.parametrize(("messages", "seconds"), WAITS.values(), ids=WAITS.keys())
def test_who_waits(messages: list[Message], seconds: float | None) -> None:
    assert counted(*messages).summary(after(100)).waiting_seconds == seconds


def test_an_invitation_waits_since_it_was_received() -> None:
    assert Activity(INVITED).wait() == CustomerWait(NOON - timedelta(seconds=30), "kiwi", no_agent=True)
    assert Activity(replace(INVITED, participants=())).wait() == CustomerWait(
        INVITED.received, None, no_agent=True
    )
    assert Activity(replace(INVITED, received=None)).wait() is None
    assert Activity(replace(INVITED, participants=(KIWI, ANA))).wait() is None
    supervisor = replace(BEN, visibility="Agents")
    assert Activity(replace(INVITED, participants=(supervisor,))).wait() == CustomerWait(
        NOON - timedelta(seconds=30), None, no_agent=True
    )
    assert Activity(replace(INVITED, state="Revoked")).wait() is None


def test_the_earlier_of_a_text_and_no_agent_counts() -> None:
    log = [said(KIWI, -60)]
    assert counted(*log, session=INVITED).wait() == CustomerWait(NOON - timedelta(seconds=60), "kiwi")
    log = [said(KIWI, -10)]
    assert counted(*log, session=INVITED).wait() == CustomerWait(
        NOON - timedelta(seconds=30), "kiwi", no_agent=True
    )
    # An agent who only the session says is there attends; the text still waits.
    attended = replace(INVITED, participants=(KIWI, ANA))
    assert counted(*log, session=attended).wait() == CustomerWait(NOON - timedelta(seconds=10), "kiwi")


def test_a_visibility_that_the_session_tells_beats_the_logs() -> None:
    log = [said(ANA, 0, "ParticipantJoined")]
    coach = replace(INVITED, participants=(KIWI, replace(ANA, visibility="Agents")))
    assert counted(*log, session=coach).wait() == CustomerWait(
        NOON - timedelta(seconds=30), "kiwi", no_agent=True
    )
    assert counted(*log, session=INVITED).wait() is None


def test_a_session_that_changes_is_judged_anew() -> None:
    activity = counted(said(KIWI, 0), session=INVITED)
    assert activity.wait() is not None
    activity.session = replace(INVITED, state="Completed")
    assert activity.wait() is None
    activity.session = replace(INVITED, state="Chatting", participants=(KIWI, ANA))
    assert activity.wait() == CustomerWait(NOON, "kiwi")


def test_case_b1_a_customer_who_left_after_an_inactivity_notice_does_not_wait() -> None:
    session = Session("S1", "Chatting", participants=(KIWI, ANA), received=after(-5))
    log = [
        said(KIWI, 0, "ParticipantJoined"),
        said(ANA, 1, "ParticipantJoined"),
        said(KIWI, 2),
        said(None, 3, "Notice"),
    ]
    assert counted(*log, session=session).wait() == CustomerWait(NOON + timedelta(seconds=2), "kiwi")
    log.append(said(KIWI, 4, "ParticipantLeft"))
    assert counted(*log, session=session).wait() is None


def test_case_b3_an_agent_who_left_has_left_whatever_the_session_says() -> None:
    session = Session("S1", "Chatting", participants=(KIWI, ANA))
    log = [said(ANA, 1, "ParticipantJoined"), said(ANA, 2), said(ANA, 3, "ParticipantLeft")]
    assert people(*log, session=session) == {"A1": (1.0, 3.0, False), "C1": (None, None, True)}


def test_the_one_who_waits_is_named_until_an_answer_comes() -> None:
    def who(*log: Message) -> str | None:
        wait = counted(said(ANA, -1), *log).wait()
        return wait.customer if wait else None

    lee = replace(LEE, nickname=None)
    assert who() is None
    assert who(said(KIWI, 0), said(lee, 10)) == "kiwi"
    assert who(said(lee, 0)) == "C2"
    assert who(said(KIWI, 0), said(ANA, 5, to="Agents")) == "kiwi"
    assert who(said(KIWI, 0), said(ANA, 5)) is None


def test_nobody_waits_in_an_ended_session_nor_for_so_long_without_a_clock() -> None:
    activity = counted(said(KIWI, 0))
    assert activity.summary(None).waiting_seconds is None
    assert activity.summary(None).wait == CustomerWait(NOON, "kiwi")
    activity.session = Session("S1", "Completed")
    ended = activity.summary(after(100))
    assert ended == ended._replace(waiting_seconds=None, wait=None)


def test_a_customer_who_never_stops_takes_constant_memory() -> None:
    activity = counted(said(ANA, -1), *[said(KIWI, n) for n in range(3000)])
    assert activity.wait() == CustomerWait(NOON, "kiwi")
    activity.add(said(ANA, 3001))
    assert activity.wait() is None


PEOPLE = st.sampled_from([KIWI, ANA, BEN, None, Participant()])
KINDS = st.sampled_from(
    ["Text", "PushUrl", "Notice", "TypingStarted", "ParticipantJoined", "ParticipantLeft"]
)
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
MESSAGES = st.builds(
    Message,
    st.just("S1"),
    st.none() | st.integers(),
    KINDS,
    PEOPLE,
    st.sampled_from([None, "", "All", "Agents"]),
    TIMES,
    late=st.booleans(),
)


@given(st.lists(MESSAGES), TIMES)
def test_any_log_has_figures_that_make_sense(log: list[Message], now: datetime | None) -> None:
    summary = counted(*log).summary(now)
    assert summary.messages == sum(message.type in ("Text", "PushUrl") for message in log)
    assert sum(one.messages for one in summary.participants) == sum(
        message.type in ("Text", "PushUrl") and message.sender is not None for message in log
    )
    assert summary.first_response_seconds is None or summary.first_response_seconds >= 0
    assert summary.waiting_seconds is None or summary.waiting_seconds >= 0


@given(st.lists(MESSAGES), TIMES, st.sampled_from([None, "Chatting", "Completed"]))
def test_who_waits_never_outlives_the_last_customers_leaving(
    log: list[Message], received: datetime | None, state: str | None
) -> None:
    """Whatever was said before, in a session that still names everybody."""
    session = Session("S1", state, participants=(KIWI, ANA, BEN), received=received)
    activity = counted(*log, said(KIWI, 0), session=session)
    activity.add(replace(said(KIWI, None, "ParticipantLeft"), index=None))
    assert activity.wait() is None
    assert [one.present for one in activity.summary().participants if one.participant_id == "C1"] == [False]


@given(st.permutations(range(6)), st.data())
def test_late_messages_count_as_if_they_had_come_in_time(order: list[int], data: st.DataObject) -> None:
    """A log in order, and the same with some of its messages after those behind them, marked as late."""
    log = [
        Message(
            "S1",
            index,
            data.draw(KINDS),
            data.draw(st.sampled_from([KIWI, KIWI, ANA, BEN])),
            data.draw(st.sampled_from(["All", "Agents"])),
            after(index),
        )
        for index in range(6)
    ]
    highest = -1
    arriving = []
    for index in order:
        arriving.append(replace(log[index], late=index < highest))
        highest = max(highest, index)
    summary, straight = counted(*arriving).summary(after(9)), counted(*log).summary(after(9))

    def by_id(one: PersonActivity) -> str:
        return one.participant_id or ""

    assert summary._replace(
        participants=tuple(sorted(summary.participants, key=by_id)),
        first_message_at=None,
        last_message=None,
    ) == straight._replace(
        participants=tuple(sorted(straight.participants, key=by_id)),
        first_message_at=None,
        last_message=None,
    )


def seconds_between(first: datetime | None, second: datetime | None) -> float | None:
    return None if first is None or second is None else round((second - first).total_seconds(), 3)


def is_question(message: Message) -> bool:
    return message.type == "Text" and message.sender == KIWI


def is_answer(message: Message) -> bool:
    seen = message.visibility in (None, "", "All")
    return message.type in ("Text", "PushUrl") and message.sender in (ANA, BEN) and seen


def defined_first_response(log: list[Message]) -> float | None:
    """From the first question to the first answer behind it."""
    questions = [place for place, one in enumerate(log) if is_question(one)]
    answers = [
        place for place, one in enumerate(log) if is_answer(one) and questions and place > questions[0]
    ]
    if not answers:
        return None
    seconds = seconds_between(log[questions[0]].at, log[answers[0]].at)
    return None if seconds is None or seconds < 0 else seconds


def defined_waiting(log: list[Message], now: datetime | None) -> float | None:
    """Since the oldest question behind the last answer; before any agent, since the first entry."""
    last = max((place for place, one in enumerate(log) if is_answer(one)), default=-1)
    times = [one.at for one in log[last + 1 :] if is_question(one) and one.at]
    if not any(one.sender in (ANA, BEN) and one.type != "Notice" for one in log):
        times += [one.at for one in log if one.at][:1]
    seconds = seconds_between(min(times), now) if times else None
    return None if seconds is None else max(seconds, 0.0)


def defined_shares(log: list[tuple[Message, float | None]]) -> dict[str | None, tuple[int, float | None]]:
    """For each person in the order of their first message: how much was said, how long it took in all."""
    shares: dict[str | None, tuple[int, float | None]] = {}
    for who in dict.fromkeys(one.sender for one, _ in log if one.sender):
        own = [(one, composing) for one, composing in log if one.sender == who]
        took = [composing for _, composing in own if composing is not None]
        said_so_far = sum(one.type in ("Text", "PushUrl") for one, _ in own)
        shares[who.participant_id] = (said_so_far, round(sum(took), 3) if took else None)
    return shares


@st.composite
def logs_in_order(draw: st.DrawFn) -> list[tuple[Message, float | None]]:
    """What a read of a log brings: clocks go forwards, some times can't be read."""
    clock = 0.0
    log = []
    for index in range(draw(st.integers(0, 12))):
        clock += draw(st.sampled_from([0, 0.001, 1, 59.999, 3600]))
        message = Message(
            "S1",
            index,
            draw(st.sampled_from(["Text", "Text", "Text", "PushUrl", "Notice", "TypingStarted"])),
            draw(st.sampled_from([KIWI, KIWI, KIWI, ANA, BEN, None])),
            draw(st.sampled_from([None, "", "All", "All", "Agents"])),
            after(draw(st.sampled_from([clock] * 5 + [None]))),
        )
        log.append((message, draw(st.sampled_from([None, 0.0, 0.25, 61.0]))))
    return log


@given(logs_in_order(), st.sampled_from([None, after(30), after(100_000), after(100_000)]))
def test_the_figures_are_those_of_their_definitions(
    log: list[tuple[Message, float | None]], now: datetime | None
) -> None:
    activity = Activity()
    for message, composing in log:
        activity.add(message)
        activity.add_composing(message.sender, composing)
    summary = activity.summary(now)
    messages = [message for message, _ in log]
    times = [one.at for one in messages if one.type in ("Text", "PushUrl") and one.at]
    assert summary.first_response_seconds == defined_first_response(messages)
    assert summary.waiting_seconds == defined_waiting(messages, now)
    assert (summary.first_message_at, summary.last_message_at) == (
        (times[0], times[-1]) if times else (None, None)
    )
    shares = {one.participant_id: (one.messages, one.composing_seconds) for one in summary.participants}
    assert list(shares.items()) == list(defined_shares(log).items())
