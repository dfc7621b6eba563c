"""The figures of a session: who said how much, how soon it was answered, who waits and who types."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message, Participant
from smscli.transcript.activity import Activity, ActivitySummary, PersonActivity

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
KIWI = Participant("Customer", "kiwi", "C1")
ANA = Participant("Agent", "ana", "A1")
BEN = Participant("Agent", "ben", "A2")


def after(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def said(by: Participant | None, at: float | None, kind: str = "Text", to: str | None = "All") -> Message:
    return Message("S1", None, kind, by, to, after(at))


def late(message: Message, index: int) -> Message:
    return replace(message, index=index, late=True)


def at_place(message: Message, index: int) -> Message:
    return replace(message, index=index)


def counted(*messages: Message) -> Activity:
    activity = Activity()
    for message in messages:
        activity.add(message)
    return activity


def test_a_session_in_figures() -> None:
    activity = counted(
        said(KIWI, -2, "ParticipantJoined"),
        said(KIWI, 0),
        said(ANA, 5, "ParticipantJoined"),
        said(None, 6, "Notice"),
    )
    activity.add(said(ANA, 30), 0.1)
    activity.add(said(ANA, 40, "PushUrl"), 0.2)
    activity.add(said(KIWI, 60), None)
    activity.add(said(ANA, 70, "TypingStarted"), 4.1)
    assert activity.summary(after(90), typing=[ANA, Participant("Agent", None, "A7")]) == ActivitySummary(
        messages=4,
        participants=(
            PersonActivity("C1", "kiwi", "Customer", 2, None),
            PersonActivity("A1", "ana", "Agent", 2, 4.4),
        ),
        first_message_at=after(0),
        last_message_at=after(60),
        first_response_seconds=30.0,
        waiting_seconds=30.0,
        typing=("ana", "A7"),
    )


def test_a_session_without_messages() -> None:
    assert Activity().summary(NOON) == ActivitySummary(0, (), None, None, None, None, ())


def test_a_participant_is_a_participant_id_else_a_type_and_a_nickname() -> None:
    nameless = Participant("Agent", "ana")
    activity = counted(said(ANA, 0), said(replace(ANA, participant_id="A9"), 1), said(nameless, 2))
    assert [one.participant_id for one in activity.summary().participants] == ["A1", "A9", None]


def test_messages_without_a_time_are_counted_and_date_nothing() -> None:
    summary = counted(said(KIWI, None), said(ANA, None)).summary(NOON)
    assert summary == ActivitySummary(
        2,
        (PersonActivity("C1", "kiwi", "Customer", 1, None), PersonActivity("A1", "ana", "Agent", 1, None)),
        None,
        None,
        None,
        None,
        (),
    )


def test_a_message_that_came_late_is_not_the_last() -> None:
    activity = counted(said(KIWI, 0), said(ANA, 20), late(said(KIWI, 10), 2))
    assert activity.summary().last_message_at == after(20)


def test_a_hostile_crowd_is_counted_without_a_row_for_each() -> None:
    activity = counted(*[said(Participant("Customer", None, f"P{n}"), n) for n in range(1500)])
    activity.add(said(Participant("Customer", None, "P7"), 1501))
    summary = activity.summary()
    assert summary.messages == 1501
    assert len(summary.participants) == 1000
    assert summary.participants[7] == PersonActivity("P7", None, "Customer", 2, None)


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
    "a late answer that stands before the question is none": (
        [at_place(said(KIWI, 10), 4), late(said(ANA, 5), 3), at_place(said(ANA, 30), 5)],
        20.0,
    ),
}


@pytest.mark.parametrize(("messages", "seconds"), RESPONSES.values(), ids=RESPONSES.keys())
def test_first_response(messages: list[Message], seconds: float | None) -> None:
    assert counted(*messages).summary(after(100)).first_response_seconds == seconds


WAITS = {
    "since the oldest customer Text": ([said(KIWI, 0), said(KIWI, 10)], 100.0),
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
    "not for a PushUrl of the customer": ([said(KIWI, 0, "PushUrl")], None),
    "not for an agent": ([said(ANA, 0)], None),
    "for no less than no time": ([said(KIWI, 130)], 0.0),
    "since the oldest whose time is known": ([said(KIWI, None), said(KIWI, 10)], 90.0),
    "unknown without a time": ([said(KIWI, None)], None),
    "not once it is answered at an unknown time": ([said(KIWI, 0), said(ANA, None)], None),
    "to the millisecond": ([said(KIWI, 99.9)], 0.1),
    "not for a late question that stands before the answer": (
        [at_place(said(ANA, 20), 7), late(said(KIWI, 10), 6)],
        None,
    ),
    "for a late question that stands after the answer": (
        [at_place(said(ANA, 20), 7), late(said(KIWI, 30), 8)],
        70.0,
    ),
    "since a late question that stands before the others": (
        [at_place(said(KIWI, 30), 8), late(said(KIWI, 20), 7)],
        80.0,
    ),
    "through a late answer that stands before the question": (
        [at_place(said(KIWI, 30), 8), late(said(ANA, 20), 7)],
        70.0,
    ),
    "through a late answer that stands before the newest question": (
        [
            at_place(said(KIWI, 10), 4),
            at_place(said(KIWI, 30), 8),
            late(said(KIWI, 15), 5),
            late(said(ANA, 20), 7),
        ],
        90.0,
    ),
    "not after a late answer that stands after the question": (
        [at_place(said(KIWI, 10), 4), late(said(ANA, 20), 7)],
        None,
    ),
    "not after an answer in a log numbered anew": (
        [at_place(said(KIWI, 10), 40), at_place(said(ANA, 20), 2)],
        None,
    ),
}


@pytest.mark.parametrize(("messages", "seconds"), WAITS.values(), ids=WAITS.keys())
def test_who_waits(messages: list[Message], seconds: float | None) -> None:
    activity = counted(*messages)
    assert activity.waiting(after(100)) == seconds
    assert activity.summary(after(100)).waiting_seconds == seconds


def test_the_one_who_waits_is_named_until_an_answer_comes() -> None:
    lee = Participant("Customer", None, "C2")
    assert counted().who_waits is None
    assert counted(said(KIWI, 0), said(lee, 10)).who_waits == "kiwi"
    assert counted(said(lee, 0)).who_waits == "C2"
    assert counted(said(KIWI, 0), said(ANA, 5, to="Agents")).who_waits == "kiwi"
    assert counted(said(KIWI, 0), said(ANA, 5)).who_waits is None


def test_nobody_waits_in_an_ended_session_nor_in_a_recording() -> None:
    activity = counted(said(KIWI, 0))
    assert activity.summary(after(100), ended=True).waiting_seconds is None
    assert activity.summary(None).waiting_seconds is None
    assert activity.waiting(None) is None


PEOPLE = st.sampled_from([KIWI, ANA, BEN, None, Participant()])
KINDS = st.sampled_from(["Text", "PushUrl", "Notice", "TypingStarted"])
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
    """Since the oldest question behind the last answer."""
    last = max((place for place, one in enumerate(log) if is_answer(one)), default=-1)
    times = [one.at for one in log[last + 1 :] if is_question(one) and one.at]
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
        activity.add(message, composing)
    summary = activity.summary(now)
    messages = [message for message, _ in log]
    times = [one.at for one in messages if one.type in ("Text", "PushUrl") and one.at]
    assert summary.first_response_seconds == defined_first_response(messages)
    assert summary.waiting_seconds == activity.waiting(now) == defined_waiting(messages, now)
    assert (summary.first_message_at, summary.last_message_at) == (
        (times[0], times[-1]) if times else (None, None)
    )
    shares = {one.participant_id: (one.messages, one.composing_seconds) for one in summary.participants}
    assert list(shares.items()) == list(defined_shares(log).items())
