"""Each check with a planted fault and a near miss; conversations are written as a log would have them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from smscli.model import Message, Participant, Session
from smscli.transcript.findings import CHECKS, Checkup, Finding, SessionFindings, unreadable
from smscli.transcript.judging import Judgement, Outage

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANNA = Participant("Customer", "Anna", "C1")
OTTO = Participant("Customer", "Otto", "C2")
BEN = Participant("Agent", "Ben", "A1", "All")
CARA = Participant("Agent", "Cara", "A2", "All")
COACH = Participant("Agent", "Coach", "A3", "Agents")
LIVE = Session("S1", "Chatting", participants=(ANNA, BEN))
DONE = replace(LIVE, state="Completed", participants=())


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def log(
    *steps: tuple[float, Participant | None, str] | tuple[float, Participant | None, str, str],
) -> list[Message]:
    """Messages with indices from 1: seconds after noon, sender, what happened or is said, and to whom.

    `+` is a join, `-` a leave, `...` typing, `!` before a notice, `>` before a pushed address.
    """
    return [_message(index, *step) for index, step in enumerate(steps, 1)]


def _message(index: int, seconds: float, by: Participant | None, what: str, to: str = "All") -> Message:
    kinds = {"+": "ParticipantJoined", "-": "ParticipantLeft", "...": "TypingStarted"}
    said = {"index": index, "sender": by, "visibility": to, "at": at(seconds), "session_id": "S1"}
    if what in kinds:
        return Message(type=kinds[what], **said)
    if what.startswith("!"):
        return Message(type="Notice", notice=what[1:], **said)
    if what.startswith(">"):
        return Message(type="PushUrl", url=what[1:], **said)
    return Message(type="Text", text=what, **said)


OPENING = ((0.0, ANNA, "+"), (5.0, BEN, "+"))
"""Index 1 and 2 of most logs."""


def checked(
    messages: Iterable[Message],
    now: float,
    session: Session | None = LIVE,
    *,
    ended_at: float | None = None,
    exact: bool = True,
    masked: bool = False,
    **more: object,
) -> tuple[Finding, ...]:
    checkup = Checkup()
    if ended_at is not None:
        checkup.end(at(ended_at), exact=exact)
    if masked:
        checkup.mask()
    for message in messages:
        checkup.add(message)
    return checkup.findings(session, at(now), **more)  # type: ignore[arg-type]


def words(finding: Finding) -> str:
    """What it says, with times of day, and durations in seconds."""

    def shown(value: object) -> str:
        if isinstance(value, timedelta):
            return f"{value.total_seconds():g} s"
        return f"{value:%H:%M:%S}" if isinstance(value, datetime) else str(value)

    judgement = finding.judgement
    return judgement.text.format(*map(shown, judgement.values))


def problems(
    messages: Iterable[Message], now: float, session: Session | None = LIVE, **more: object
) -> list[tuple[str, str, int | None, str]]:
    """Check, result, index and words of everything that is not `ok`."""
    return [
        (one.check, one.result, one.judgement.index, words(one))
        for one in checked(messages, now, session, **more)  # type: ignore[arg-type]
        if one.result != "ok"
    ]


def of(check: str, findings: Iterable[Finding]) -> list[tuple[str, int | None, str]]:
    """Result, index and words of one check."""
    return [(one.result, one.judgement.index, words(one)) for one in findings if one.check == check]


def test_a_healthy_conversation_is_ok_throughout() -> None:
    found = checked(log(*OPENING, (10, ANNA, "hello there"), (20, BEN, "good morning")), 25)
    assert [(one.check, one.result, words(one), one.hint) for one in found] == [
        ("waiting", "ok", "no customer waits", None),
        ("agent", "ok", "an agent is present", None),
        ("whisper", "ok", "no customer waits for an answer that went to agents only", None),
        ("ending", "ok", "not ended", None),
        ("state", "ok", "nothing contradicts the state", None),
        ("typing", "ok", "no participant has been typing for over 10 min", None),
        ("duplicates", "ok", "no text was repeated within 30 s", None),
        ("order", "ok", "the times are in the order of the indices", None),
        ("gaps", "ok", "no index is missing", None),
        ("encoding", "ok", "no sign of damaged characters", None),
        ("parts", "ok", "every text of an agent is one SMS", None),
        ("links", "ok", "no incomplete or private address", None),
        ("connection", "ok", "the log was read to its end", None),
    ]


def test_every_problem_has_a_next_step() -> None:
    assert [one.name for one in CHECKS if not one.hint] == ["gaps"]


# waiting


@pytest.mark.parametrize(
    ("now", "result", "told"),
    [
        (129.9, "ok", "119.9 s"),
        (130, "warn", "120 s"),
        (609.9, "warn", "599.9 s"),
        (610, "fail", "600 s"),
    ],
)
def test_a_text_that_waits(now: float, result: str, told: str) -> None:
    found = checked(log(*OPENING, (10, ANNA, "hello?"), (12, ANNA, "anybody?")), now)
    assert of("waiting", found) == [
        (result, 3, f"last word is the customer's, not answered for {told}: Anna")
    ]


@pytest.mark.parametrize(
    ("limit", "now", "result"),
    [(30, 39.9, "ok"), (30, 40, "fail"), (3600, 3609, "warn"), (3600, 3610, "fail"), (0, 10, "fail")],
)
def test_the_limit_of_waiting(limit: float, now: float, result: str) -> None:
    found = checked(log(*OPENING, (10, ANNA, "hello?")), now, limit=limit)
    assert [one[0] for one in of("waiting", found)] == [result]


def test_a_session_without_any_agent_waits_since_it_was_received() -> None:
    invited = replace(LIVE, state="Invited", participants=(ANNA,), received=at(-600))
    found = checked(log((0, ANNA, "+"), (3, ANNA, "hello?")), 20, invited)
    assert of("waiting", found) == [("fail", None, "no agent since 11:50:00: Anna has waited for 620 s")]
    assert of("agent", found) == [("warn", None, "no agent has joined for 620 s")]


def test_without_the_time_of_now_how_long_somebody_waits_is_not_known() -> None:
    checkup = Checkup()
    for message in log(*OPENING, (10, ANNA, "hello?")):
        checkup.add(message)
    found = checkup.findings(LIVE, None)
    assert of("waiting", found) == [("warn", 3, "Anna waits since 12:00:10; for how long is not known")]


# agent


@pytest.mark.parametrize(("now", "result"), [(59.9, "ok"), (60, "warn"), (119.9, "warn")])
def test_an_invitation(now: float, result: str) -> None:
    invited = replace(LIVE, state="Invited", participants=(ANNA,), received=NOON)
    assert of("agent", checked([], now, invited)) == [(result, None, f"no agent has joined for {now:g} s")]


def test_no_agent_is_left() -> None:
    gone = replace(LIVE, participants=(ANNA,))
    answered = log(*OPENING, (10, ANNA, "hello?"), (20, BEN, "yes"), (30, BEN, "-"))
    assert problems(answered, 40, gone) == [
        ("agent", "warn", 5, "no agent is there whom the customer can see: Ben left last")
    ]
    asked = [*answered, *log(*OPENING, *[(0, ANNA, "+")] * 3, (50, ANNA, "and now?"))[5:]]
    assert problems(asked, 60, gone) == [
        (
            "agent",
            "fail",
            5,
            "no agent is there whom the customer can see: Ben left last, and the customer waits",
        )
    ]


def test_agents_who_are_there_or_whom_nobody_sees() -> None:
    transfer = log(*OPENING, (10, CARA, "+"), (12, BEN, "-"))
    assert problems(transfer, 20) == []
    hidden = log(*OPENING, (10, COACH, "+"), (12, BEN, "-"))
    assert problems(hidden, 20) == [
        ("agent", "warn", 4, "no agent is there whom the customer can see: Ben left last")
    ]
    # A participant who writes is present, also after a leave.
    assert problems(log(*OPENING, (10, BEN, "-"), (20, BEN, "back again")), 30) == []


def test_without_a_known_state_agents_are_not_judged() -> None:
    left = log(*OPENING, (10, ANNA, "thanks"), (20, BEN, "-"))
    found = checked(left, 30, None)
    assert of("agent", found) == [("ok", None, "not judged: no state is known")]
    assert of("state", found) == [("ok", None, "not judged: no state is known")]


# whisper


def test_an_answer_to_agents_only() -> None:
    asked = (*OPENING, (10, ANNA, "hello?"))
    told = "a customer waits, and the last text of Ben went to agents only"
    assert problems(log(*asked, (20, BEN, "who is she?", "Agents")), 30) == [("whisper", "warn", 4, told)]
    assert problems(log(*asked, (20, BEN, "who is she?", "Agents"), (25, BEN, "hello")), 30) == []
    assert problems(log(*OPENING, (8, BEN, "who is she?", "Agents"), (10, ANNA, "hello?")), 30) == []


# ending


def test_how_it_ended() -> None:
    messages = log(*OPENING, (10, ANNA, "thanks"), (12, BEN, "bye"), (20, ANNA, "-"), (21, BEN, "-"))
    assert of("ending", checked(messages, 30, DONE)) == [
        ("ok", 5, "ended (Completed), Anna left first, at 12:00:20")
    ]
    silent = log(
        *OPENING, (10, BEN, "hello?"), (265, None, "!closed soon due to inactivity"), (310, BEN, "-")
    )
    assert of("ending", checked(silent, 320, DONE)) == [
        ("ok", 5, "ended (Completed), Ben left first, at 12:05:10, after a notice of inactivity")
    ]
    assert of("ending", checked(log(*OPENING), 9, DONE)) == [("ok", None, "ended (Completed)")]


def test_one_who_left_and_came_back_did_not_leave_first() -> None:
    messages = log(*OPENING, (10, ANNA, "-"), (15, ANNA, "+"), (20, BEN, "-"), (21, ANNA, "-"))
    assert of("ending", checked(messages, 30, DONE)) == [
        ("ok", 5, "ended (Completed), Ben left first, at 12:00:20")
    ]


@pytest.mark.parametrize(("left", "found"), [(310, True), (309.9, False)])
def test_a_customer_who_left_without_an_answer(left: float, found: bool) -> None:
    messages = log(*OPENING, (10, ANNA, "hello?"), (left, ANNA, "-"), (left + 400, BEN, "-"))
    told = ("ending", "warn", 3, "Anna left after a text of theirs that had waited 300 s for an answer")
    assert problems(messages, left + 500, DONE) == ([told] if found else [])


@pytest.mark.parametrize(("end", "found"), [(310, True), (309.9, False)])
def test_a_session_that_ended_without_an_answer(end: float, found: bool) -> None:
    messages = log(*OPENING, (10, ANNA, "hello?"), (end, BEN, "-"))
    told = ("ending", "warn", 3, "the session ended after a text of Anna that had waited 300 s for an answer")
    assert problems(messages, 9000, DONE) == ([told] if found else [])


def test_a_recording_knows_when_it_ended() -> None:
    messages = log(*OPENING, (10, ANNA, "hello?"))
    assert problems(messages, 9000, DONE) == []
    told = "the session ended after a text of Anna that had waited 300 s for an answer"
    assert problems(messages, 9000, DONE, ended_at=310) == [("ending", "warn", 3, told)]


@pytest.mark.parametrize(("now", "found"), [(620.1, True), (620, False)])
def test_an_agents_chat_that_nobody_completes(now: float, found: bool) -> None:
    left_chat = replace(LIVE, state="LeftChat")
    messages = log(*OPENING, (10, ANNA, "thanks"), (12, BEN, "bye"), (20, BEN, "-"))
    told = ("ending", "warn", 5, "LeftChat, and no agent came back since Ben left, 600.1 s ago")
    assert problems(messages, now, left_chat) == ([told] if found else [])
    back = [*messages, *log(*OPENING, *OPENING, (0, ANNA, "+"), (25, CARA, "+"))[5:]]
    assert problems(back, now, left_chat) == []


# state


def test_a_live_session_that_customers_have_left() -> None:
    messages = log(*OPENING, (6, OTTO, "+"), (10, ANNA, "-"), (20, OTTO, "-"))
    told = ("state", "warn", 5, "Chatting, though every customer has left")
    assert problems(messages, 30) == [told]
    assert problems(messages[:4], 30) == []
    assert problems([*messages, _message(6, 40, OTTO, "+")], 50) == []
    assert problems(messages, 30, DONE) == []


@pytest.mark.parametrize("value", [False, "false", "False", "0", 0])
def test_user_data_that_says_that_the_customer_is_gone(value: object) -> None:
    session = replace(LIVE, user_data={"IsOnline": value})
    told = ("state", "warn", None, "Chatting, though IsOnline in the user data says that the chat has ended")
    assert problems(log(*OPENING), 10, session) == [told]
    assert problems(log(*OPENING), 10, session, masked=True) == []
    assert problems(log(*OPENING), 10, replace(session, state="Completed")) == []


@pytest.mark.parametrize("value", [True, "true", "1", 1, "", None, "no idea"])
def test_user_data_that_does_not_say_so(value: object) -> None:
    assert problems(log(*OPENING), 10, replace(LIVE, user_data={"IsOnline": value})) == []


@pytest.mark.parametrize(("seconds", "found"), [(105.1, True), (105, False)])
def test_a_text_after_the_end(seconds: float, found: bool) -> None:
    messages = log(*OPENING, (seconds, BEN, "and one more thing"))
    told = ("state", "warn", 3, "Ben wrote 5.1 s after the state said ended")
    assert problems(messages, 200, DONE, ended_at=100) == ([told] if found else [])
    assert problems(log(*OPENING, (200, BEN, "-")), 300, DONE, ended_at=100) == []


# typing


@pytest.mark.parametrize(("now", "found"), [(610.1, True), (610, False)])
def test_typing_that_never_ended(now: float, found: bool) -> None:
    messages = log(*OPENING, (10, BEN, "..."))
    told = ("typing", "warn", 3, "Ben began to type 600.1 s ago, and nothing came of it")
    assert problems(messages, now) == ([told] if found else [])
    assert problems([*messages, _message(4, 20, BEN, "done")], now) == []
    assert problems(messages, now, DONE) == []


# duplicates


@pytest.mark.parametrize(
    ("first", "second", "later", "found"),
    [
        ("On my way", "On my way", 30, True),
        ("On my way", " On my way\n", 1, True),
        ("caf\u00e9 at 8", "cafe\u0301 at 8", 1, True),
        ("On my way", "On my way", 30.1, False),
        ("7 chars", "7 chars", 1, False),
        ("On my way", "on my way", 1, False),
    ],
)
def test_a_text_that_was_sent_twice(first: str, second: str, later: float, found: bool) -> None:
    messages = log(*OPENING, (10, BEN, first), (10 + later, BEN, second))
    told = ("duplicates", "warn", 4, "the same text of Ben at index 3 and 4")
    assert problems(messages, 60) == ([told] if found else [])


def test_the_same_text_of_others_or_under_one_index_is_none() -> None:
    assert problems(log(*OPENING, (10, BEN, "On my way"), (11, ANNA, "On my way"), (12, BEN, "ok")), 60) == []
    once = log(*OPENING, (10, BEN, "On my way"))
    assert problems([*once, once[-1]], 60) == []


# order


@pytest.mark.parametrize(("back", "found"), [(1.1, True), (1, False)])
def test_a_clock_that_was_set_back(back: float, found: bool) -> None:
    messages = log(*OPENING, (20, BEN, "one"), (20 - back, BEN, "two"))
    told = ("order", "warn", 4, "its time is 1.1 s before that of index 3")
    assert problems(messages, 60) == ([told] if found else [])


# gaps


def test_missing_indices_are_named_and_ok() -> None:
    messages = log(*OPENING, *[(n, BEN, f"{n}") for n in range(6, 14)])
    kept = [one for one in messages if one.index not in (3, 6, 7)]
    assert of("gaps", checked(kept, 60)) == [("ok", None, "no message with index 3, 6 to 7")]
    sparse = [replace(messages[0], index=2 * n) for n in range(1, 14)]
    told = "no message with index 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 and 2 more"
    assert of("gaps", checked(sparse, 60)) == [("ok", None, told)]


# encoding


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("caf\ufffd", "Anna: the text has the replacement character U+FFFD"),
        ("Gr????e", "Anna: four or more question marks between letters: r????e"),
        ("cafÃ©", "Anna: this looks like UTF-8 read in another encoding: Ã© for é"),
        ("itâ€™s", "Anna: this looks like UTF-8 read in another encoding: â€™ for ’"),
        ("Â£5", "Anna: this looks like UTF-8 read in another encoding: Â£ for £"),
        # As Latin-1 reads it, with a control character.
        ("Ã\x89tage", "Anna: this looks like UTF-8 read in another encoding: Ã\x89 for É"),
    ],
)
def test_damaged_characters(text: str, told: str) -> None:
    assert problems(log(*OPENING, (10, ANNA, text), (11, BEN, "ok")), 20) == [("encoding", "warn", 3, told)]


@pytest.mark.parametrize(
    "text",
    [
        "what????",
        "a???b",
        "why ???? because",
        "1????2",
        "SÃO PAULO",
        "château",
        "Â\u00a0: oui",
        "«Â»",
        "Ã«",
        "Âge",
        "naïve façade, 北京, 😀",
    ],
)
def test_text_that_only_looks_damaged(text: str) -> None:
    assert problems(log(*OPENING, (10, ANNA, text), (11, BEN, "ok")), 20) == []


# parts


def test_texts_of_several_sms() -> None:
    def parts(text: str, by: Participant = BEN, to: str = "All") -> list[tuple[str, int | None, str]]:
        return of("parts", checked(log(*OPENING, (10, by, text, to)), 20))

    fine = [("ok", None, "every text of an agent is one SMS")]
    assert parts("a" * 160) == fine
    assert parts("ж" * 70) == fine
    assert parts("it’s " * 14) == fine
    assert parts("a" * 161) == [("ok", 3, "Ben: 2 SMS in GSM 03.38")]
    assert parts("a" * 459) == [("ok", 3, "Ben: 3 SMS in GSM 03.38")]
    assert parts("a" * 460) == [("warn", 3, "Ben: 4 SMS in GSM 03.38")]
    assert parts("ж" * 71) == [("ok", 3, "Ben: 2 SMS in UCS-2 because of ж (U+0436)")]
    assert parts("ж" * 202) == [("warn", 3, "Ben: 4 SMS in UCS-2 because of ж (U+0436)")]
    assert parts("it’s “ok” " * 8) == [
        ("warn", 3, "Ben: 2 SMS in UCS-2, 1 without ’ (U+2019), “ (U+201C), ” (U+201D)")
    ]
    assert parts("a" * 161, ANNA) == parts("a" * 161, BEN, "Agents") == fine


def test_only_a_few_characters_are_named() -> None:
    text = "абвгдежз" * 10
    (found,) = of("parts", checked(log(*OPENING, (10, BEN, text)), 20))
    named = "а (U+0430), б (U+0431), в (U+0432), г (U+0433), д (U+0434) and 3 more"
    assert found == ("ok", 3, f"Ben: 2 SMS in UCS-2 because of {named}")


# links


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        ("https://example.com/pay", []),
        ("https://example.com/a_(b)", []),
        ("HTTPS://example.com", []),
        ("tel:+441632960000", []),
        ("https://93.184.215.14/", []),
        ("www.example.com/pay", ["without a scheme"]),
        ("example.com:8080/pay", ["without a scheme"]),
        ("https://example.com/pay now", ["with a blank in it"]),
        ("https://example.com/pay.", ["with punctuation behind it"]),
        ("https://example.com/pay)", ["with punctuation behind it"]),
        ("https://10.1.2.3/pay", ["that is private"]),
        ("http://localhost:8080/", ["that is private"]),
        ("http://[::1]/", ["that is private"]),
        ("192.168.0.7/pay", ["without a scheme", "that is private"]),
    ],
)
def test_pushed_addresses(url: str, faults: list[str]) -> None:
    assert problems(log(*OPENING, (10, BEN, f">{url}")), 20) == [
        ("links", "warn", 3, f"Ben sent an address {fault}: {url}") for fault in faults
    ]


def test_addresses_in_an_agents_text() -> None:
    told = "Ben sent a private address: http://192.168.0.7/pay"
    text = "see (http://192.168.0.7/pay), or https://example.com."
    assert problems(log(*OPENING, (10, BEN, text)), 20) == [("links", "warn", 3, told)]
    assert problems(log(*OPENING, (10, BEN, text, "Agents")), 20) == []
    assert problems(log(*OPENING, (10, ANNA, text), (11, BEN, "ok")), 20) == []
    assert problems(log(*OPENING, (10, BEN, "http://[broken and www.example.com")), 20) == []


# connection


def test_when_the_recorder_was_disconnected() -> None:
    outages = [
        Outage(at(10), at(70), "reconnected, 2 late"),
        Outage(at(90)),
        Outage(None, None, "reconnected"),
    ]
    found = checked(log(*OPENING), 100, outages=outages, recorded="recording")
    assert of("connection", found) == [
        ("warn", None, "the recorder was disconnected for 60 s: reconnected, 2 late"),
        ("warn", None, "the recorder was disconnected for 10 s, to the end of the recording"),
        ("warn", None, "the recorder was disconnected: reconnected"),
    ]
    found = checked(log(*OPENING), 100, recorded="recording")
    assert of("connection", found) == [("ok", None, "the recording names no lost connection")]


def test_a_session_that_cant_be_read() -> None:
    assert unreadable(LIVE, "the server broke off") == SessionFindings(
        LIVE,
        (
            Finding(
                "connection",
                Judgement("fail", "the session can't be read: {}", ("the server broke off",)),
                "see `smscli doctor`",
            ),
        ),
    )


# all together


def test_braces_in_a_text_are_only_text() -> None:
    brace = replace(BEN, nickname="{0} {x}")
    messages = log(*OPENING, (10, brace, "On my way {}"), (11, brace, "On my way {}"))
    assert problems(messages, 20) == [("duplicates", "warn", 4, "the same text of {0} {x} at index 3 and 4")]


def test_what_people_wrote_is_masked_and_nothing_else() -> None:
    found = checked(log(*OPENING, (10, BEN, ">www.example.com/01632960000")), 1234567)
    masked = SessionFindings(LIVE, found).masked(lambda text: text.upper())
    assert [(words(one), one.judgement.index) for one in masked.problems] == [
        ("BEN sent an address without a scheme: WWW.EXAMPLE.COM/01632960000", 3)
    ]


def test_findings_of_a_log_that_is_damaged_throughout_are_counted() -> None:
    messages = [replace(_message(n, n, BEN, "caf\ufffd"), text=f"caf\ufffd {n}") for n in range(1, 1204)]
    found = of("encoding", checked(messages, 1300))
    assert (len(found), found[-1]) == (1001, ("warn", None, "and 203 more like these"))


def test_messages_without_index_or_time_are_passed_over() -> None:
    bare = [
        replace(one, at=None, index=None) for one in log(*OPENING, (10, ANNA, "hi"), (20, BEN, "hello!!!"))
    ]
    assert problems([*bare, *bare], 10_000) == []


# what a log can look like


def test_messages_without_a_place_in_the_order_are_not_judged_by_their_times() -> None:
    saved = replace(_message(1, 100, None, "!saved"), type="TranscriptSaveDone", index=-1)
    bare = replace(_message(1, 200, BEN, "hello hello"), index=None)
    messages = log(*OPENING, (10, ANNA, "hi"), (20, BEN, "hello"))
    assert problems([*messages[:3], saved, bare, *messages[3:]], 60) == []


def test_a_renumbered_log_is_judged_anew() -> None:
    messages = log(*OPENING, (10, ANNA, "hello there"), (20, BEN, "good morning"))
    renumbered = [replace(one, index=(one.index or 0) - 1) for one in messages]
    assert problems([*messages, *renumbered], 60) == []


def test_masked_texts_are_no_duplicates_of_each_other() -> None:
    messages = log(*OPENING, (10, ANNA, "it is ***@***"), (15, ANNA, "it is ***@***"), (20, BEN, "ok"))
    assert problems(messages, 60, masked=True) == []
    assert [one[0] for one in problems(messages, 60)] == ["duplicates"]


def test_what_agents_alone_were_sent_is_compared_with_the_servers_log() -> None:
    hidden, shown = (10, BEN, "I will look", "Agents"), (15, BEN, "I will look")
    assert problems(log(*OPENING, hidden, shown), 60) == []
    (found,) = [one for one in checked(log(*OPENING, hidden, (15, *hidden[1:])), 60) if one.result == "warn"]
    assert found.hint == "compare with the server's log: only agents were sent it"


def test_a_text_whose_time_cannot_be_read_waits_too() -> None:
    asked = replace(_message(3, 0, ANNA, "hello?"), at=None)
    told = "last word is the customer's; since when is not known: Anna"
    assert problems([*log(*OPENING), asked], 60) == [("waiting", "warn", 3, told)]
    assert problems([*log(*OPENING), asked, _message(4, 9, BEN, "yes")], 60) == []
    assert problems([*log(*OPENING), asked], 60, DONE) == []


def test_each_customer_leaves_after_a_text_of_their_own() -> None:
    two = (*OPENING, (6, OTTO, "+"), (10, ANNA, "hello?"))
    told = ("ending", "warn", 4, "Anna left after a text of theirs that had waited 600 s for an answer")
    assert problems(log(*two, (70, ANNA, "-"), (610, OTTO, "-"), (611, BEN, "-")), 620, DONE) == []
    late = (*two, (610, ANNA, "-"), (615, BEN, "I am here now"), (620, OTTO, "-"), (621, BEN, "-"))
    assert problems(log(*late), 630, DONE) == [told]
    assert problems(log(*late[:5], (612, ANNA, "-"), *late[5:]), 630, DONE) == [told]


def test_how_people_part_is_told_from_the_end() -> None:
    def told(
        *steps: tuple[float, Participant | None, str] | tuple[float, Participant | None, str, str],
    ) -> str:
        (found,) = of("ending", checked(log(*OPENING, *steps), 9000, DONE))
        return found[2].removeprefix("ended (Completed), ")

    bye = ((3900, ANNA, "-"), (3960, CARA, "-"))
    assert told((10, CARA, "+"), (20, BEN, "-"), (30, ANNA, "ok"), (35, CARA, "ok"), *bye) == (
        "Anna left first, at 13:05:00"
    )
    assert told((10, COACH, "+", "Agents"), (20, COACH, "-", "Agents"), (30, BEN, "-"), (40, ANNA, "-")) == (
        "Ben left first, at 12:00:30"
    )
    again = replace(ANNA, participant_id="C9")
    assert told((10, ANNA, "-"), (20, again, "+"), (30, BEN, "-"), (40, again, "-")) == (
        "Ben left first, at 12:00:30"
    )
    assert told((10, BEN, "-"), (20, ANNA, "-"), (30, BEN, "-")) == "Ben left first, at 12:00:10"


def test_a_notice_of_inactivity_counts_while_nothing_is_said() -> None:
    def found(*steps: tuple[float, Participant | None, str]) -> bool:
        (one,) = of("ending", checked(log(*OPENING, *steps), 9000, DONE))
        return "after a notice of inactivity" in one[2]

    soon, closed = "!closed soon due to inactivity", "!closed due to inactivity"
    assert found((265, None, soon), (310, ANNA, "-"), (311, None, closed), (312, BEN, "-"))
    assert not found((265, None, soon), (270, ANNA, "wait"), (280, BEN, "ok"), (310, ANNA, "-"))
    assert not found((310, ANNA, "-"), (311, None, closed))


def test_when_a_session_was_found_to_have_ended_is_no_waiting_time() -> None:
    messages = log(*OPENING, (10, ANNA, "hello?"))
    assert problems(messages, 60_000, DONE, ended_at=50_000, exact=False) == []


def test_a_supervisor_who_answered_in_the_open_attended() -> None:
    openly = replace(COACH, visibility="All")
    messages = log((0, ANNA, "+"), (10, ANNA, "hello?"), (20, openly, "yes"), (30, COACH, "aside", "Agents"))
    assert problems(messages, 900, replace(LIVE, participants=(ANNA,), received=NOON)) == [
        ("agent", "warn", None, "no agent is there whom the customer can see")
    ]


def test_the_visible_agent_who_left_last_is_named() -> None:
    messages = log(*OPENING, (10, COACH, "+", "Agents"), (20, BEN, "-"), (30, COACH, "-", "Agents"))
    assert problems(messages, 40) == [
        ("agent", "warn", 4, "no agent is there whom the customer can see: Ben left last")
    ]


def test_ids_are_never_masked() -> None:
    nameless = replace(BEN, nickname=None, participant_id="9876543210AB")
    alone = replace(LIVE, participants=(ANNA,))
    found = checked(log((0, ANNA, "+"), (5, nameless, "+"), (10, nameless, "-")), 20, alone)
    masked = SessionFindings(LIVE, found).masked(lambda text: "***")
    assert [words(one) for one in masked.problems] == [
        "no agent is there whom the customer can see: 9876543210AB left last"
    ]


def test_without_a_state_nothing_is_said_of_the_end() -> None:
    found = checked(log(*OPENING), 9, None)
    assert of("ending", found) == [("ok", None, "not judged: no state is known")]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["Ã" + "¿" * 1_000_000, "a" + "\u0300\u0316" * 500_000, "a" + "?" * 1_000_000]
)
def test_a_text_made_to_take_time_takes_little(text: str) -> None:
    assert problems(log(*OPENING, (10, BEN, text), (50, ANNA, text), (51, BEN, "ok")), 60)


def test_what_is_kept_of_a_text_is_short() -> None:
    found = checked(log(*OPENING, (10, BEN, ">www.example.com/" + "a" * 1_000_000)), 20)
    assert max(len(str(value)) for one in found for value in one.judgement.values) == 200


def test_the_advice_on_sms_helps() -> None:
    def hint(text: str) -> str | None:
        (found,) = [one for one in checked(log(*OPENING, (10, BEN, text)), 20) if one.check == "parts"]
        return found.hint

    assert hint("it’s “ok” " * 8) == "use the plain characters"
    assert hint("a" * 460) == "shorten it"
    assert hint("ж" * 202) == "shorten it, or leave out these characters"
    # Three dots for one character, and the euro sign takes two places.
    assert hint("…" * 130) is None
    assert hint("€" * 100 + "’") is None


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        ("http://[2606:4700::1111]", []),
        ("http://[2606:4700::1111]/a]", []),
        ("http://192.0.2.1/", []),
        ("http://198.18.0.1/", []),
        ("https://x.example/a…", ["with punctuation behind it"]),
        ("//shop.example/x", ["without a scheme"]),
        ("http://172.31.0.1/", ["that is private"]),
        ("http://[fd00::1]/", ["that is private"]),
        ("http://169.254.0.1/", ["that is private"]),
    ],
)
def test_more_pushed_addresses(url: str, faults: list[str]) -> None:
    assert [one[3] for one in problems(log(*OPENING, (10, BEN, f">{url}")), 20)] == [
        f"Ben sent an address {fault}: {url}" for fault in faults
    ]


@pytest.mark.parametrize("text", ["see “http://10.0.0.1”", "**http://10.0.0.1**", "http://10.0.0.1…"])
def test_quoted_private_addresses(text: str) -> None:
    assert [one[3] for one in problems(log(*OPENING, (10, BEN, text)), 20)] == [
        "Ben sent a private address: http://10.0.0.1"
    ]


@pytest.mark.parametrize("text", ["LÂ’AMI", "QUOTÂ“"])
def test_what_would_be_a_control_character_is_no_damage(text: str) -> None:
    assert problems(log(*OPENING, (10, ANNA, text), (11, BEN, "ok")), 20) == []
