"""Messages folded into entries: composing time, drafts that were given up, and who types now."""

import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message, Participant
from smscli.transcript.fold import TRANSCRIPTS, ActiveTyping, Entry, TypingFold

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
KIWI = Participant("Customer", "kiwi", "C1")
ANA = Participant("Agent", "ana", "A1")
BEN = Participant("Agent", "ben", "A2")


def after(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def said(kind: str, at: float | None, text: str | None = None, by: Participant | None = KIWI) -> Message:
    return Message("S1", None, kind, by, "All", after(at), text)


def starts(at: float | None, wording: str | None = None, by: Participant | None = KIWI) -> Message:
    return said("TypingStarted", at, wording, by)


def stops(at: float | None, by: Participant | None = KIWI) -> Message:
    return said("TypingStopped", at, None, by)


def sends(at: float | None, text: str = "hello", by: Participant | None = KIWI) -> Message:
    return said("Text", at, text, by)


def shown(entries: Iterable[Entry]) -> list[str]:
    """Each entry as one line: type, who, composing time, and of a draft what became of it and its wording."""
    return [_line(entry) for entry in entries]


def _line(entry: Entry) -> str:
    who = entry.message.sender.nickname if entry.message.sender else None
    words = [entry.message.type, str(who), f"{entry.composing}"]
    if entry.draft:
        words += [entry.draft, repr(entry.draft_text)] + ["at end"] * entry.at_end
    return " ".join(words)


def folded(*messages: Message) -> list[str]:
    fold = TypingFold()
    return shown(entry for message in messages for entry in fold.add(message))


SENTENCES = {
    "a message nobody typed for has no composing time": (
        [sends(0), said("Notice", 1, None, None), said("ParticipantJoined", 2, None, ANA)],
        ["Text kiwi None", "Notice None None", "ParticipantJoined ana None"],
    ),
    "typing is folded per participant": (
        [starts(0), starts(2, by=ANA), sends(5, by=ANA), sends(9)],
        ["Text ana 3.0", "Text kiwi 9.0"],
    ),
    "two agents of one nickname are two participants": (
        [starts(0, by=ANA), sends(5, by=replace(ANA, participant_id="A9")), sends(9, by=ANA)],
        ["Text ana None", "Text ana 9.0"],
    ),
    "a second TypingStarted refreshes the draft": (
        [starts(0), starts(50), starts(100), sends(130)],
        ["Text kiwi 130.0"],
    ),
    "TypingStopped pauses the draft and a later TypingStarted begins a new span": (
        [starts(0), stops(5), starts(30), sends(37.5)],
        ["Text kiwi 12.5"],
    ),
    "what was stopped before the message counts up to the stop": (
        [starts(0), stops(5), sends(30)],
        ["Text kiwi 5.0"],
    ),
    "a second TypingStopped changes nothing": (
        [starts(0), stops(5), stops(25), sends(30)],
        ["Text kiwi 5.0"],
    ),
    "60 s without a refresh pause the draft where they end": (
        [starts(0), sends(179.999)],
        ["Text kiwi 60.0"],
    ),
    "exactly 60 s are still one span": ([starts(0), sends(60)], ["Text kiwi 60.0"]),
    "after 60 s without a refresh a later TypingStarted begins a new span": (
        [starts(0), starts(100), sends(110)],
        ["Text kiwi 70.0"],
    ),
    "a TypingStopped after the pause changes nothing": (
        [starts(0), stops(90), starts(100), sends(110)],
        ["Text kiwi 70.0"],
    ),
    "a TypingStopped after the pause does not put off giving up": (
        [starts(0), stops(90), sends(180, by=ANA)],
        ["TypingStarted kiwi 60.0 given-up None", "Text ana None"],
    ),
    "a PushUrl closes the draft": ([starts(0), said("PushUrl", 4)], ["PushUrl kiwi 4.0"]),
    "a message closes the draft whatever its visibility": (
        [starts(0, by=ANA), replace(sends(4, by=ANA), visibility="Agents"), sends(9, by=ANA)],
        ["Text ana 4.0", "Text ana None"],
    ),
    "a Notice of its author leaves the draft open": (
        [starts(0), said("Notice", 4), said("CustomNotice", 5), sends(9)],
        ["Notice kiwi None", "CustomNotice kiwi None", "Text kiwi 9.0"],
    ),
    "a TypingStarted without a time gives no composing time": ([starts(None), sends(9)], ["Text kiwi None"]),
    "a message without a time gives none": ([starts(0), sends(None)], ["Text kiwi None"]),
    "a refresh without a time gives none": ([starts(0), starts(None), sends(9)], ["Text kiwi None"]),
    "a TypingStopped without a time gives none": (
        [starts(0), stops(None), starts(5), sends(9)],
        ["Text kiwi None"],
    ),
    "a span that was over before the message without a time counts": (
        [starts(0), stops(5), sends(None)],
        ["Text kiwi 5.0"],
    ),
    "a time that goes backwards gives none": ([starts(9), sends(8)], ["Text kiwi None"]),
    "a refresh that goes backwards gives none": ([starts(9), starts(8), sends(12)], ["Text kiwi None"]),
    "composing times are to the millisecond": ([starts(0.1), sends(0.3)], ["Text kiwi 0.2"]),
    "a draft is given up when its author leaves": (
        [starts(0, "He"), starts(4, "Hello"), said("ParticipantLeft", 6)],
        ["TypingStarted kiwi 6.0 given-up 'Hello'", "ParticipantLeft kiwi None"],
    ),
    "a draft is given up when its author rejoins": (
        [starts(0, "He"), stops(4), said("ParticipantRejoined", 6)],
        ["TypingStarted kiwi 4.0 given-up 'He'", "ParticipantRejoined kiwi None"],
    ),
    "a draft stays when somebody else leaves": (
        [starts(0), said("ParticipantLeft", 6, None, ANA), sends(8)],
        ["ParticipantLeft ana None", "Text kiwi 8.0"],
    ),
    "a draft paused for two minutes of the session's time is given up": (
        [starts(0, "He"), stops(5), sends(125, by=ANA), sends(126)],
        ["TypingStarted kiwi 5.0 given-up 'He'", "Text ana None", "Text kiwi None"],
    ),
    "a draft paused for less than two minutes stays": (
        [starts(0, "He"), stops(5), sends(124, by=ANA), sends(124.999)],
        ["Text ana None", "Text kiwi 5.0"],
    ),
    "a draft that paused by itself is given up two minutes later": (
        [starts(0, "He"), sends(180, by=ANA)],
        ["TypingStarted kiwi 60.0 given-up 'He'", "Text ana None"],
    ),
    "a message of the author two minutes later is no end of the draft": (
        [starts(0, "He"), stops(5), sends(125)],
        ["TypingStarted kiwi 5.0 given-up 'He'", "Text kiwi None"],
    ),
    "a TypingStarted two minutes later opens another draft": (
        [starts(0, "He"), stops(5), starts(125, "Good"), sends(128)],
        ["TypingStarted kiwi 5.0 given-up 'He'", "Text kiwi 3.0"],
    ),
    "drafts given up by one message come in the order in which they were given up": (
        [starts(0), starts(1, by=ANA), stops(2, by=ANA), starts(3, by=BEN), stops(3, by=BEN), sends(500)],
        [
            "TypingStarted ana 1.0 given-up None",
            "TypingStarted ben 0.0 given-up None",
            "TypingStarted kiwi 60.0 given-up None",
            "Text kiwi None",
        ],
    ),
    "a message without a time does not make the session's time pass": (
        [starts(0), stops(5), sends(None, by=ANA), sends(30)],
        ["Text ana None", "Text kiwi 5.0"],
    ),
    "the wording of a draft given up is the last that was not empty": (
        [starts(0, "He"), starts(1, "Hello"), starts(2), starts(3, ""), said("ParticipantLeft", 4)],
        ["TypingStarted kiwi 4.0 given-up 'Hello'", "ParticipantLeft kiwi None"],
    ),
    "a wording ends with its draft": (
        [starts(0, "He"), sends(1), starts(2), said("ParticipantLeft", 4)],
        ["Text kiwi 1.0", "TypingStarted kiwi 2.0 given-up None", "ParticipantLeft kiwi None"],
    ),
    "a draft given up without all its times tells no seconds": (
        [starts(None, "He"), said("ParticipantLeft", 4)],
        ["TypingStarted kiwi None given-up 'He'", "ParticipantLeft kiwi None"],
    ),
    "TypingStopped without a draft changes nothing": (
        [stops(0), sends(5), stops(6), sends(9)],
        ["Text kiwi None", "Text kiwi None"],
    ),
    "a typing message without participantId changes nothing": (
        [
            starts(0, by=Participant("Customer", "kiwi")),
            starts(1, by=replace(KIWI, participant_id="")),
            starts(2, by=None),
            sends(5),
            sends(6, by=Participant("Customer", "kiwi")),
            sends(7, by=replace(KIWI, participant_id="")),
            sends(8, by=None),
        ],
        ["Text kiwi None", "Text kiwi None", "Text kiwi None", "Text None None"],
    ),
    "a late typing message changes nothing": (
        [
            replace(starts(0), late=True),
            sends(5),
            starts(6),
            replace(stops(8), late=True),
            replace(starts(500), late=True),
            sends(10),
        ],
        ["Text kiwi None", "Text kiwi 4.0"],
    ),
    "a late message closes the draft that stands before it": (
        [replace(starts(0), index=5), replace(sends(4), index=6, late=True), replace(sends(9), index=8)],
        ["Text kiwi 4.0", "Text kiwi None"],
    ),
    "a late message leaves the draft that stands after it": (
        [replace(starts(5), index=7), replace(sends(4), index=6, late=True), replace(sends(9), index=8)],
        ["Text kiwi None", "Text kiwi 4.0"],
    ),
    "a late departure leaves the draft that stands after it": (
        [
            replace(starts(5), index=7),
            replace(said("ParticipantRejoined", 4), index=6, late=True),
            replace(sends(9), index=8),
        ],
        ["ParticipantRejoined kiwi None", "Text kiwi 4.0"],
    ),
    "a log numbered anew closes the draft all the same": (
        [replace(starts(0), index=40), replace(sends(4), index=2)],
        ["Text kiwi 4.0"],
    ),
    "an unknown type is an entry like any other": (
        [starts(0), said("Applause", 1), said("", 2), sends(3)],
        ["Applause kiwi None", " kiwi None", "Text kiwi 3.0"],
    ),
}


@pytest.mark.parametrize(("messages", "expected"), SENTENCES.values(), ids=SENTENCES.keys())
def test_typing_is_folded(messages: list[Message], expected: list[str]) -> None:
    assert folded(*messages) == expected


ENDS = {
    "is typing within 15 s of the server's clock": (
        [starts(0, "He"), starts(10, "Hello")],
        25,
        ["TypingStarted kiwi 25.0 typing 'Hello'"],
    ),
    "is typing by a clock that lags behind": (
        [starts(0, "He"), starts(10, "Hello")],
        -5,
        ["TypingStarted kiwi 10.0 typing 'Hello'"],
    ),
    "was typing after more than 15 s": (
        [starts(0, "He"), starts(10, "Hello")],
        25.001,
        ["TypingStarted kiwi 25.001 given-up 'Hello' at end"],
    ),
    "was typing by a clock that is more than 15 s behind": (
        [starts(10, "Hello")],
        -5.001,
        ["TypingStarted kiwi 0.0 given-up 'Hello' at end"],
    ),
    "was typing after a stop, however fresh": (
        [starts(0, "He"), stops(3)],
        4,
        ["TypingStarted kiwi 3.0 given-up 'He' at end"],
    ),
    "was typing for no longer than the pause": (
        [starts(0, "He")],
        100,
        ["TypingStarted kiwi 60.0 given-up 'He' at end"],
    ),
    "was typing in a recording, up to what is known": (
        [starts(0, "He"), starts(10, "Hello")],
        None,
        ["TypingStarted kiwi 10.0 given-up 'Hello' at end"],
    ),
    "was typing where its time is not known": (
        [starts(None, "He")],
        10,
        ["TypingStarted kiwi None given-up 'He' at end"],
    ),
    "gave up two minutes after the pause": (
        [starts(0, "He"), stops(5)],
        125,
        ["TypingStarted kiwi 5.0 given-up 'He'"],
    ),
    "two at once, each by itself": (
        [starts(0, "He", KIWI), stops(5, KIWI), starts(100, "Let me", ANA)],
        101,
        ["TypingStarted kiwi 5.0 given-up 'He' at end", "TypingStarted ana 1.0 typing 'Let me'"],
    ),
    "nothing where nobody wrote": ([sends(0)], 5, []),
}


@pytest.mark.parametrize(("messages", "now", "expected"), ENDS.values(), ids=ENDS.keys())
def test_a_draft_open_at_the_end_of_a_read(
    messages: list[Message], now: float | None, expected: list[str]
) -> None:
    fold = TypingFold()
    for message in messages:
        fold.add(message)
    assert shown(fold.at_end(after(now))) == expected
    assert shown(fold.at_end(after(now))) == []


def test_a_draft_open_where_a_window_ends_is_cut_without_a_composing_time() -> None:
    fold = TypingFold()
    first, second = starts(0, "Hel"), starts(300, "Hello", ANA)
    assert shown([*fold.add(first), *fold.add(starts(5, "", KIWI))]) == []
    # What was paused for too long before the window's end is given up there as anywhere.
    assert [entry.draft for entry in fold.add(second)] == ["given-up"]
    assert [*fold.cut()] == [Entry(second, None, "cut", "Hello")]
    assert [*fold.cut()] == []
    for mode in ("show", "hide"):
        transcript = TRANSCRIPTS[mode]()
        transcript.add(first)
        assert [*transcript.cut()] == []


def test_a_given_up_draft_is_its_last_typing_started() -> None:
    fold = TypingFold()
    last = starts(4, "")
    assert [*fold.add(starts(0, "Hello")), *fold.add(last)] == []
    left = said("ParticipantLeft", 6)
    assert [*fold.add(left)] == [Entry(last, 6.0, "given-up", "Hello"), Entry(left)]


@pytest.mark.parametrize(("now", "seconds"), [(7, 7.0), (None, 4.0), (-9, 4.0)])
def test_drafts_are_given_up_when_the_session_ends(now: float | None, seconds: float) -> None:
    fold = TypingFold()
    fold.add(starts(0, "He"))
    fold.add(starts(4, "Hello"))
    assert shown(fold.end(after(now))) == [f"TypingStarted kiwi {seconds} given-up 'Hello'"]
    assert shown(fold.end(after(now))) == []


def test_the_servers_clock_gives_up_a_draft_while_nobody_says_anything() -> None:
    fold = TypingFold()
    fold.add(starts(0, "He"))
    fold.add(stops(5))
    assert shown(fold.expire(after(124.999))) == []
    assert shown(fold.expire(None)) == []
    assert shown(fold.expire(after(125))) == ["TypingStarted kiwi 5.0 given-up 'He'"]
    assert shown(fold.expire(after(125))) == []


def test_a_refresh_puts_off_giving_up() -> None:
    fold = TypingFold()
    fold.add(starts(0))
    fold.add(stops(5))
    fold.add(starts(100))
    assert shown(fold.expire(after(279.999))) == []
    assert shown(fold.expire(after(280))) == ["TypingStarted kiwi 65.0 given-up None"]


def test_who_types_now_is_told_with_the_latest_wording() -> None:
    fold = TypingFold()
    fold.add(starts(0, "He"))
    fold.add(starts(3, by=ANA))
    fold.add(starts(4, "Hello"))
    fold.add(starts(6))
    assert fold.typing(after(7)) == [ActiveTyping(KIWI, "Hello"), ActiveTyping(ANA, None)]


def test_an_emptied_preview_is_no_wording() -> None:
    fold = TypingFold()
    fold.add(starts(0, "He"))
    fold.add(starts(3, ""))
    assert fold.typing(after(4)) == [ActiveTyping(KIWI, None)]


def test_nobody_types_after_the_message_the_stop_or_15_s_without_a_refresh() -> None:
    fold = TypingFold()
    fold.add(starts(0, by=KIWI))
    fold.add(starts(0, by=ANA))
    fold.add(starts(0, by=BEN))
    fold.add(sends(1, by=KIWI))
    fold.add(stops(1, by=ANA))
    assert fold.typing(after(15)) == [ActiveTyping(BEN, None)]
    assert fold.typing(after(15.001)) == []
    assert fold.typing(None) == []


def test_asking_who_types_changes_nothing() -> None:
    fold = TypingFold()
    fold.add(starts(0, "He"))
    for now in (0, 10, 500):
        fold.typing(after(now))
    assert shown(fold.add(sends(9))) == ["Text kiwi 9.0"]


def test_show_leaves_the_messages_as_they_are() -> None:
    messages = [starts(0, "He"), stops(2), sends(5), starts(6)]
    transcript = TRANSCRIPTS["show"]()
    assert [entry for message in messages for entry in transcript.add(message)] == [
        Entry(message) for message in messages
    ]
    assert [
        *transcript.expire(NOON),
        *transcript.at_end(NOON),
        *transcript.end(),
        *transcript.typing(NOON),
    ] == []


def test_hide_drops_typing_and_what_comes_of_it() -> None:
    transcript = TRANSCRIPTS["hide"]()
    messages = [starts(0, "He"), stops(2), sends(5), starts(6)]
    assert shown(entry for message in messages for entry in transcript.add(message)) == ["Text kiwi None"]
    assert [
        *transcript.expire(NOON),
        *transcript.at_end(NOON),
        *transcript.end(),
        *transcript.typing(NOON),
    ] == []


def test_fold_is_a_way_of_its_own() -> None:
    assert isinstance(TRANSCRIPTS["fold"](), TypingFold)


def test_a_crowd_that_types_is_bounded_and_loses_nothing() -> None:
    fold = TypingFold()
    crowd = [starts(0, str(n), Participant("Customer", None, f"P{n}")) for n in range(1000)]
    crowded_out = [entry for message in crowd for entry in fold.add(message)]
    assert crowded_out == [Entry(message, 0.0, "given-up", message.text) for message in crowd[:900]]
    assert fold.at_end(after(1)) == [Entry(message, 1.0, "typing", message.text) for message in crowd[900:]]


def test_a_crowd_that_is_full_still_lets_its_people_go_on() -> None:
    fold = TypingFold()
    crowd = [Participant("Customer", None, f"P{n}") for n in range(100)]
    for one in crowd:
        fold.add(starts(0, by=one))
    assert [*fold.add(starts(1, by=crowd[0]))] == []
    assert [*fold.add(starts(1, by=ANA))] == [Entry(starts(1, by=crowd[0]), 1.0, "given-up")]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log() -> None:
    assert _peak(20_000) < 1.25 * _peak(2_000) + 4096


def _peak(count: int) -> int:
    fold = TypingFold()
    tracemalloc.start()
    for n in range(count):
        fold.add((starts, stops, sends, starts)[n % 4](n, by=(KIWI, ANA)[n % 2]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


# Folding all at once: each draft is found by looking back and forth in the whole log.


@dataclass
class Draft:
    """Its first message's place in the log, where it ended, when it was due, and what became of it."""

    opened: int
    place: int
    due: datetime
    entry: Entry


NEVER = datetime.max.replace(tzinfo=UTC)


def folded_at_once(log: list[Message]) -> list[Entry]:
    drafts = [draft for author in ("C1", "A1") for draft in _drafts(log, author)]
    unsent = sorted((one for one in drafts if one.entry.draft), key=lambda one: (one.due, one.opened))
    sent = {one.place: one.entry for one in drafts if not one.entry.draft}
    entries: list[Entry] = []
    for place, message in enumerate(log):
        entries += [one.entry for one in unsent if one.place == place]
        if not _is_typing(message):
            entries.append(sent.get(place, Entry(message)))
    return entries + [one.entry for one in unsent if one.place == len(log)]


def _drafts(log: list[Message], author: str) -> Iterator[Draft]:
    typed: list[Message] = []
    opened = start = 0
    own = [place for place, one in enumerate(log) if one.participant_id == author and not _ignored(one)]
    for place in [*own, len(log)]:
        due = _due(typed)
        passed = [at for at in range(start, min(place + 1, len(log))) if _tells(log[at], due)]
        if typed and passed:
            yield Draft(opened, passed[0], due, _unsent(typed, due))
            typed = []
        kind = log[place].type if place < len(log) else "the end"
        if kind == "the end" and typed:
            entry = _unsent(typed, _last_started(typed).at)._replace(at_end=True)
            yield Draft(opened, place, NEVER, entry)
        elif kind == "TypingStarted" or (typed and kind == "TypingStopped"):
            opened = opened if typed else place
            typed.append(log[place])
        elif typed and kind in ("Text", "PushUrl"):
            yield Draft(opened, place, NEVER, Entry(log[place], _sum(typed, log[place].at)))
            typed = []
        elif typed and kind in ("ParticipantLeft", "ParticipantRejoined"):
            yield Draft(opened, place, NEVER, _unsent(typed, log[place].at))
            typed = []
        start = place + 1


def _is_typing(message: Message) -> bool:
    return message.type.startswith("Typing")


def _ignored(message: Message) -> bool:
    return _is_typing(message) and message.late


def _tells(message: Message, due: datetime) -> bool:
    return not _ignored(message) and message.at is not None and message.at >= due


def _last_started(typed: list[Message]) -> Message:
    return [one for one in typed if one.type == "TypingStarted"][-1]


def _due(typed: list[Message]) -> datetime:
    """Two minutes after the pause, which the first stop after the last start began, or 60 s."""
    if not typed:
        return NEVER
    last = _last_started(typed)
    stops_after = typed[typed.index(last) + 1 :]
    pauses = [last.at + timedelta(seconds=60)] if last.at else []
    pauses += [stops_after[0].at] if stops_after and stops_after[0].at else []
    return min(pauses) + timedelta(seconds=120) if pauses else NEVER


def _sum(typed: list[Message], end: datetime | None) -> float | None:
    ends = [one.at for one in typed[1:]] + [end]
    steps = []
    for message, until in zip(typed, ends, strict=True):
        if message.type == "TypingStarted":
            if message.at is None or until is None or until < message.at:
                return None
            steps.append(min(until - message.at, timedelta(seconds=60)))
    return round(sum(steps, timedelta()).total_seconds(), 3)


def _unsent(typed: list[Message], end: datetime | None) -> Entry:
    wordings = [one.text for one in typed if one.type == "TypingStarted" and one.text]
    return Entry(_last_started(typed), _sum(typed, end), "given-up", wordings[-1] if wordings else None)


KINDS = ["TypingStarted"] * 4 + ["TypingStopped"] * 2
KINDS += ["Text", "PushUrl", "Notice", "ParticipantLeft", "ParticipantRejoined"]


@st.composite
def logs(draw: st.DrawFn) -> list[Message]:
    """Up to two people, mostly forwards in time by steps around the limits of 60 s and two minutes."""
    clock = 0.0
    log: list[Message] = []
    for index in range(draw(st.integers(0, 25))):
        clock += draw(st.sampled_from([0.25, 3, 10, 50, 59.999, 60, 65, 120, 179.999, 180, -7]))
        log.append(
            Message(
                "S1",
                index,
                draw(st.sampled_from(KINDS)),
                draw(st.sampled_from([KIWI, ANA])),
                "All",
                after(draw(st.sampled_from([clock] * 9 + [None]))),
                draw(st.sampled_from([None, "", "He", "Hello"])),
                late=draw(st.sampled_from([False] * 9 + [True])),
            )
        )
    return log


@given(logs())
def test_folding_one_by_one_and_all_at_once_agree(log: list[Message]) -> None:
    fold = TypingFold()
    one_by_one = [entry for message in log for entry in fold.add(message)]
    assert [*one_by_one, *fold.at_end(None)] == folded_at_once(log)


@given(logs(), st.sets(st.integers(0, 24)))
def test_looking_at_the_clock_in_between_changes_nothing(log: list[Message], looks: set[int]) -> None:
    fold, watched = TypingFold(), TypingFold()
    entries = [entry for message in log for entry in fold.add(message)]
    seen: list[Entry] = []
    for place, message in enumerate(log):
        seen += watched.add(message)
        if place in looks and not _ignored(message):
            seen += watched.expire(message.at)
            watched.typing(message.at)
    assert seen == entries


ANYBODY = st.builds(Participant, *[st.none() | st.text(max_size=2)] * 4)
ANYTHING = st.builds(
    Message,
    st.just("S1"),
    st.none() | st.integers(),
    st.sampled_from(KINDS) | st.text(max_size=3),
    st.none() | ANYBODY,
    st.none() | st.text(max_size=3),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.none() | st.text(max_size=3),
    late=st.booleans(),
)


@given(st.lists(ANYTHING), st.none() | st.datetimes(timezones=st.just(UTC)))
def test_no_message_is_lost_whatever_the_server_sends(log: list[Message], now: datetime | None) -> None:
    fold = TypingFold()
    entries = [entry for message in log for entry in fold.add(message)]
    assert [entry.message for entry in entries if not entry.draft] == [
        message for message in log if message.type not in ("TypingStarted", "TypingStopped")
    ]
    assert all(entry.draft for entry in fold.at_end(now))


@given(logs() | st.lists(ANYTHING), st.none() | st.datetimes(timezones=st.just(UTC)))
def test_nobody_composes_for_less_than_no_time_or_longer_than_the_pauses_allow(
    log: list[Message], now: datetime | None
) -> None:
    fold = TypingFold()
    entries = [entry for message in log for entry in fold.add(message)] + [*fold.at_end(now)]
    steps = sum(message.type in ("TypingStarted", "TypingStopped") for message in log)
    for entry in entries:
        assert entry.composing is None or 0 <= entry.composing <= 60 * steps


@given(
    st.lists(ANYTHING), st.none() | st.datetimes(timezones=st.just(UTC)), st.sampled_from(["show", "hide"])
)
def test_unfolded_every_message_comes_once_and_nothing_else(
    log: list[Message], now: datetime | None, typing: str
) -> None:
    transcript = TRANSCRIPTS[typing]()
    entries = [entry for message in log for entry in transcript.add(message)]
    wanted = [one for one in log if typing == "show" or one.type not in ("TypingStarted", "TypingStopped")]
    assert entries == [Entry(message) for message in wanted]
    assert [*transcript.at_end(now), *transcript.end(now)] == []
