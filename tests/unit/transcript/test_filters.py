"""Which entries and which sessions are shown: what each option asks for, and what stands beside a match."""

import sys
import time
import tracemalloc
import zoneinfo
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.errors import UsageError, unknown_name
from smscli.model import Json, Listing, Message, Participant, Session
from smscli.transcript import filters, times
from smscli.transcript.filters import (
    EntryFilter,
    EntryQuery,
    FilterTally,
    LastEntries,
    SelectedEntry,
    Selection,
    SessionFilter,
    session_filter,
)
from smscli.transcript.fold import Entry, TypingFold

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
KIWI = Participant("Customer", "kiwi", "C1")
ANA = Participant("Agent", "Ana", "A1")
NAMELESS = Participant("Agent", None, "A7")


def said(
    text: str, by: Participant | None = KIWI, minute: int | None = 0, kind: str = "Text", session: str = "S1"
) -> Entry:
    at = None if minute is None else NOON + timedelta(minutes=minute)
    return Entry(Message(session, None, kind, by, "All", at, text or None))


def asked(**options: Any) -> EntryFilter:
    """The filter of options given at one o'clock."""
    return query(**options).resolve(NOON + timedelta(hours=1))


def query(**options: Any) -> EntryQuery:
    return filters.entry_query(now=NOON + timedelta(hours=1), report=pytest.fail, **options)


def picture(chosen: Iterable[SelectedEntry]) -> list[str]:
    """One line for each entry: `>` before one that passed, `[]` around what is marked, `--` for a gap."""
    lines = []
    for one in chosen:
        text = filters.searched_text(one.entry)
        for begin, end in reversed(one.marks):
            text = f"{text[:begin]}[{text[begin:end]}]{text[end:]}"
        lines += ["--"] if one.gap else []
        lines.append(f"{' ' if one.context else '>'} {text}")
    return lines


def shown(wanted: EntryFilter, entries: Iterable[Entry]) -> list[str]:
    one_session = Selection(wanted)
    return picture(chosen for entry in entries for chosen in one_session.add(entry))


def usage(wrong: Any, *arguments: Any, **options: Any) -> tuple[str, str | None]:
    with pytest.raises(UsageError) as caught:
        wrong(*arguments, **options)
    return caught.value.message, caught.value.hint


# What passes.


TALK = (
    said("kiwi joined", KIWI, 0, "ParticipantJoined"),
    said("where is my parcel?", KIWI, 1),
    said("Good afternoon", ANA, 2),
    said("on its way", ANA, 3),
    said("https://parcels.example/7", NAMELESS, 4, "PushUrl"),
    said("system says hello", None, None, "Notice"),
)
WHOLE = ["> " + filters.searched_text(entry) for entry in TALK]


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"since": "2026-03-02T12:02:00Z"}, [2, 3, 4, 5]),
        ({"until": "2026-03-02T12:02:00Z"}, [0, 1, 2, 5]),
        ({"since": "58m", "until": "57m"}, [2, 3, 5]),
        ({"types": ["text"]}, [1, 2, 3]),
        ({"types": ["Text", "PUSHURL"]}, [1, 2, 3, 4]),
        ({"people": ["kiwi"]}, [0, 1]),
        ({"people": ["ANA"]}, [2, 3]),
        ({"people": ["agent"]}, [2, 3, 4]),
        ({"people": ["a7", "customer"]}, [0, 1, 4]),
        ({"people": ["nobody"]}, []),
        ({"people": ["an"]}, []),
        ({"exclude": "i"}, [2, 4, 5]),
        ({"types": ["Text"], "people": ["Agent"], "exclude": "way"}, [2]),
    ],
)
def test_each_option_lets_some_entries_pass(options: dict[str, Any], passed: list[int]) -> None:
    assert shown(asked(**options), TALK) == [WHOLE[number] for number in passed]


def test_what_is_searched_for_is_marked() -> None:
    assert shown(asked(grep="parcel|o"), TALK) == [
        "> kiwi j[o]ined",
        "> where is my [parcel]?",
        "> G[oo]d aftern[oo]n",
        "> [o]n its way",
        "> https://[parcel]s.example/7",
        "> system says hell[o]",
    ]


def test_highlighting_marks_and_hides_nothing() -> None:
    marked = list(WHOLE)
    marked[3] = "> on its [way]"
    assert shown(asked(highlight="way"), TALK) == marked


def test_marks_that_overlap_are_one() -> None:
    assert shown(asked(grep="is my", highlight="my par|here"), TALK) == ["> w[here] [is my par]cel?"]


def test_a_mark_inside_another_is_none() -> None:
    assert shown(asked(grep="here is my", highlight="is"), TALK) == ["> w[here is my] parcel?"]


def test_a_pattern_that_matches_nothing_at_all_passes_everything_unmarked() -> None:
    assert shown(asked(grep="q*"), TALK) == WHOLE
    assert shown(asked(exclude="q*"), TALK) == []


def test_every_kind_of_body_is_searched() -> None:
    link = Entry(Message("S1", 1, "PushUrl", ANA, url="https://parcels.example/7"))
    notice = Entry(Message("S1", 2, "CustomNotice", ANA, notice="parcel scanned"))
    file = Entry(Message("S1", 3, "Text", ANA, attachment={"name": "parcel.pdf"}))
    assert shown(asked(grep="parcel"), [link, notice, file]) == [
        "> https://[parcel]s.example/7",
        "> [parcel] scanned",
        "> [parcel].pdf",
    ]


def test_a_draft_is_judged_by_its_last_wording_as_typing_that_started() -> None:
    fold = TypingFold()
    typed = [
        Message("S1", 1, "TypingStarted", KIWI, "All", NOON, "cancel my order"),
        Message("S1", 2, "TypingStarted", KIWI, "All", NOON + timedelta(seconds=5), ""),
        Message("S1", 3, "ParticipantLeft", KIWI, "All", NOON + timedelta(seconds=9)),
    ]
    entries = [entry for message in typed for entry in fold.add(message)]
    assert shown(asked(grep="cancel", types=["typingstarted"]), entries) == ["> [cancel] my order"]
    assert shown(asked(exclude="cancel"), entries) == ["> "]


# What stands beside it.


def letters(text: str, session: str = "S1") -> list[Entry]:
    """One entry for each letter; capitals are what is searched for below."""
    return [said(letter, session=session) for letter in text]


def test_context_is_shown_on_either_side_and_gaps_between() -> None:
    assert shown(asked(grep="[A-Z]", context=2), letters("abcdEfghijklMnOp")) == [
        "  c", "  d", "> [E]", "  f", "  g", "--", "  k", "  l", "> [M]", "  n", "> [O]", "  p",
    ]  # fmt: skip


def test_groups_that_touch_have_no_gap_between_them() -> None:
    assert shown(asked(grep="[A-Z]", context=1), letters("AbcD")) == ["> [A]", "  b", "  c", "> [D]"]
    assert shown(asked(grep="[A-Z]", context=1), letters("AbxcD")) == ["> [A]", "  b", "--", "  c", "> [D]"]


def test_without_context_there_are_no_gaps() -> None:
    assert shown(asked(grep="[A-Z]"), letters("AbcdE")) == ["> [A]", "> [E]"]


def test_context_is_highlighted_but_never_marked_as_found() -> None:
    entries = [said("ab", ANA), said("ab", KIWI)]
    assert shown(asked(grep="a", people=["kiwi"], highlight="b", context=1), entries) == ["  a[b]", "> [ab]"]


def test_each_session_has_its_own_context() -> None:
    wanted = asked(grep="[A-Z]", context=1)
    first, second = Selection(wanted), Selection(wanted)
    stream = [(first, "a"), (second, "x"), (second, "Y"), (first, "B"), (second, "z"), (first, "c")]
    lines = [line for one, letter in stream for line in picture(one.add(said(letter)))]
    assert lines == ["  x", "> [Y]", "  a", "> [B]", "  z", "  c"]


def last(keep: int | None, wanted: EntryFilter, entries: Iterable[Entry]) -> list[str]:
    kept, chosen = LastEntries(keep, wanted.context), Selection(wanted)
    for entry in entries:
        kept.extend(chosen.add(entry))
    return picture(kept.release())


@pytest.mark.parametrize(
    ("keep", "lines"),
    [
        (None, ["> [A]", "  b", "--", "  d", "> [E]", "  f", "> [G]", "  h"]),
        (3, ["> [A]", "  b", "--", "  d", "> [E]", "  f", "> [G]", "  h"]),
        (2, ["  d", "> [E]", "  f", "> [G]", "  h"]),
        (1, ["  f", "> [G]", "  h"]),
        (0, []),
    ],
)
def test_the_last_are_counted_without_their_context(keep: int | None, lines: list[str]) -> None:
    assert last(keep, asked(grep="[A-Z]", context=1), letters("AbcdEfGhi")) == lines


def test_an_entry_beyond_the_last_is_no_context_of_the_next() -> None:
    assert last(1, asked(grep="[A-Z]", context=3), letters("abCDef")) == ["> [D]", "  e", "  f"]


def test_the_last_of_several_sessions_keep_the_order_in_which_they_came() -> None:
    wanted = asked(grep="[A-Z]", context=1)
    first, second = Selection(wanted), Selection(wanted)
    kept = LastEntries(2, 1)
    for one, letter, session in [
        (first, "A", "S1"), (second, "P", "S2"), (first, "b", "S1"), (second, "q", "S2"),
        (first, "C", "S1"), (second, "r", "S2"), (first, "d", "S1"), (second, "S", "S2"),
    ]:  # fmt: skip
        kept.extend(one.add(said(letter, session=session)))
    assert picture(kept.release()) == ["  b", "> [C]", "  d", "  r", "> [S]"]


def test_what_was_released_is_not_kept() -> None:
    kept = LastEntries(5, 0)
    kept.extend([SelectedEntry(said("a"))])
    assert kept.release() == [SelectedEntry(said("a"))]
    assert kept.release() == []


WANTED = st.text(alphabet="abcdeX", max_size=60)


def naive(text: str, keep: int | None, context: int) -> list[str]:
    """The same from the whole: a letter is shown where an X that counts is near enough."""
    passed = [place for place, letter in enumerate(text) if letter == "X"]
    counted = passed if keep is None else passed[max(0, len(passed) - keep) :]
    dropped = passed[: len(passed) - len(counted)]
    begin = dropped[-1] + 1 if dropped else 0
    near = [
        place for place in range(begin, len(text)) if any(abs(place - match) <= context for match in counted)
    ]
    lines = []
    for number, place in enumerate(near):
        if context and number and near[number - 1] != place - 1:
            lines.append("--")
        lines.append("> [X]" if text[place] == "X" else f"  {text[place]}")
    return lines


@given(WANTED, st.integers(0, 4))
def test_entries_one_by_one_are_chosen_as_from_the_whole(text: str, context: int) -> None:
    assert shown(asked(grep="X", context=context), letters(text)) == naive(text, None, context)


@given(WANTED, st.none() | st.integers(0, 6), st.integers(0, 4))
def test_the_last_entries_are_those_of_the_whole(text: str, keep: int | None, context: int) -> None:
    assert last(keep, asked(grep="X", context=context), letters(text)) == naive(text, keep, context)


@given(
    st.lists(st.tuples(st.sampled_from(["S1", "S2", "S3"]), st.sampled_from("abX")), max_size=60),
    st.integers(0, 6),
    st.integers(0, 3),
)
def test_the_last_of_many_sessions_are_those_of_each(
    stream: list[tuple[str, str]], keep: int, context: int
) -> None:
    wanted = asked(grep="X", context=context)
    selections = {session: Selection(wanted) for session in ("S1", "S2", "S3")}
    kept = LastEntries(keep, context)
    for session, letter in stream:
        kept.extend(selections[session].add(said(letter, session=session)))
    released = kept.release()
    found = [session for session, letter in stream if letter == "X"]
    counted = found[max(0, len(found) - keep) :]
    assert [one.entry.message.session_id for one in released if not one.context] == counted
    for session in selections:
        text = "".join(letter for owner, letter in stream if owner == session)
        own = [one for one in released if one.entry.message.session_id == session]
        assert picture(own) == naive(text, counted.count(session), context)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log() -> None:
    wanted = asked(grep="X", context=3)

    def peak(length: int) -> int:
        one_session, kept = Selection(wanted), LastEntries(10, 3)
        tracemalloc.start()
        for number in range(length):
            kept.extend(one_session.add(said("X" if number % 7 == 0 else "a")))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(10_000) < 5 * peak(500)


# What the options say.


def test_options_become_values() -> None:
    assert asked(
        since="2h30m", until="2026-03-02T12:15:00Z", types=["text"], people=["KIWI", "Agent"]
    ) == EntryFilter(
        since=datetime(2026, 3, 2, 10, 30, tzinfo=UTC),
        until=datetime(2026, 3, 2, 12, 15, tzinfo=UTC),
        types={"text": "Text"},
        people={"kiwi": "KIWI", "agent": "Agent"},
    )
    assert asked(grep="x", context=2).context == 2
    assert asked() == EntryFilter()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": "2026-03-04"}, "--since 2026-03-04 is in the future"),
        ({"since": "5m", "until": "10m"}, "--since 5m is later than --until 10m"),
        ({"context": 0}, "--context requires --grep"),
        ({"context": 2, "exclude": "x", "highlight": "y"}, "--context requires --grep"),
        ({"grep": "x", "context": -1}, "--context takes a number from 0 to 1000, not -1"),
        ({"grep": "x", "context": 1001}, "--context takes a number from 0 to 1000, not 1001"),
        ({"grep": "("}, "--grep is not a regular expression: missing ) at position 1"),
        (
            {"until": "later"},
            "--until takes 90s, 5m, 2h30m, 09:00, today, yesterday or a time such as 2026-03-02T10:00,"
            " not 'later'",
        ),
    ],
)
def test_an_option_that_can_mean_nothing_is_wrong_usage(options: dict[str, Any], message: str) -> None:
    assert usage(asked, **options) == (message, None)


def test_an_until_in_the_future_is_none_of_our_business() -> None:
    assert asked(until="2030-01-01").until == datetime(2030, 1, 1, tzinfo=UTC)


def test_an_unknown_type_names_the_nearest_ones() -> None:
    assert usage(asked, types=["TypingStart."]) == (
        "there is no type 'TypingStart.'",
        "did you mean 'TypingStarted' or 'TypingStopped'? types: Text, ParticipantJoined, ParticipantLeft, "
        "ParticipantRejoined, TypingStarted, TypingStopped, PushUrl, Notice, TranscriptSaveDone, "
        "CustomNotice, SystemCommand",
    )


def test_relative_times_count_from_the_now_that_is_handed_in() -> None:
    asked = query(since="10m", until="2026-03-02T12:00Z")
    assert asked.is_relative
    assert [asked.resolve(NOON + timedelta(minutes=shift)).since for shift in (0, -30)] == [
        NOON - timedelta(minutes=10),
        NOON - timedelta(minutes=40),
    ]
    assert not query(since="2026-03-02T11:00Z").is_relative


def test_a_time_a_little_ahead_of_our_clock_may_be_past_by_the_servers() -> None:
    assert asked(since="2026-03-02T13:30:00Z").since == NOON + timedelta(minutes=90)


JOSE_NFC, JOSE_NFD = "jos\u00e9", "Jose\u0301"


@pytest.mark.parametrize(
    ("asked_for", "nickname"),
    [(JOSE_NFC, JOSE_NFD), (JOSE_NFD, JOSE_NFC), ("STRASSE", "Stra\u00dfe"), ("\u1100\u1161", "\uac00")],
)
def test_names_are_compared_composed_and_without_case(asked_for: str, nickname: str) -> None:
    by = Participant("Customer", nickname, "C9")
    assert shown(asked(people=[asked_for]), [said("hello", by=by), said("no")]) == ["> hello"]
    one = Session("S9", participants=(by,))
    assert session_filter([], asked_for).passes(one)
    assert not session_filter([], asked_for + "x").passes(one)
    assert Listing((one,)).named(asked_for) == (one,)


@pytest.mark.parametrize("kind", ["CoBrowse", "cobrowse", "COBROWSE"])
def test_a_type_that_the_documents_do_not_list_is_found(kind: str) -> None:
    assert shown(asked(types=[kind]), [said("x", kind="CoBrowse"), said("y")]) == ["> x"]


def notices(entries: Iterable[Entry], **options: Any) -> list[str]:
    """What is said at the end of a read of these entries."""
    tally, selection = FilterTally(query(**options)), Selection(asked(**options))
    for entry in entries:
        tally.add(entry, passed=any(not one.context for one in selection.add(entry)))
    return list(tally.notices())


TYPES_SAID = "Text, ParticipantJoined, ParticipantLeft, ParticipantRejoined, TypingStarted, TypingStopped, "
TYPES_SAID += "PushUrl, Notice, TranscriptSaveDone, CustomNotice, SystemCommand"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"types": ["Text"]}, []),
        (
            {"types": ["Txt", "Text"]},
            [f"--type Txt matches nothing; known types: {TYPES_SAID}; found here: Text"],
        ),
        ({"types": ["Notice"]}, ["no entry of 2 matches"]),
        ({"people": ["kiwi"]}, []),
        (
            {"people": ["Supervisor", "ana"]},
            [
                "--from Supervisor matches nothing; known roles: Agent, Customer; "
                "found here: Customer, kiwi, Agent, Ana"
            ],
        ),
        (
            {"people": ["kiwis"]},
            [
                "--from kiwis matches nothing; known roles: Agent, Customer; "
                "found here: Customer, kiwi, Agent, Ana",
                "no entry of 2 matches",
            ],
        ),
        ({"grep": "pear", "context": 1}, ["no entry of 2 matches"]),
        ({"exclude": "."}, ["no entry of 2 matches"]),
        ({"since": "1s"}, ["no entry of 2 matches"]),
    ],
)
def test_filters_that_match_nothing_are_named(options: dict[str, Any], told: list[str]) -> None:
    assert notices([said("apple"), said("plum", by=ANA)], **options) == told


def test_of_nothing_read_nothing_is_said() -> None:
    assert notices([], types=["Txt"], people=["nobody"], grep="x") == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("5m", 300.0), ("2h30m", 9000.0), ("1d", 86400.0), ("1d2h3m4s", 93784.0), ("0s", 0.0)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert times.duration("--waiting", text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "5x", "-5m", "5m2h", "1.5h", " 5m", "5 m", "5M", "٥m", "9" * 5000 + "s"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    assert usage(times.duration, "--waiting", text) == (
        f"--waiting takes a duration such as 90s, 5m, 2h30m or 1d, not {text!r}",
        None,
    )


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("90s", None, datetime(2026, 3, 2, 11, 58, 30, tzinfo=UTC)),
        ("1d", BERLIN, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-02T10:00:00Z", BERLIN, datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("2026-03-02T10:00:00.250+02:00", None, datetime(2026, 3, 2, 8, 0, 0, 250000, tzinfo=UTC)),
        ("2026-03-02T10:00", BERLIN, datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-07-02 10:00", BERLIN, datetime(2026, 7, 2, 8, tzinfo=UTC)),
        ("2026-03-02", BERLIN, datetime(2026, 3, 1, 23, tzinfo=UTC)),
        ("2026-03-02", UTC, datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260302T1000", UTC, datetime(2026, 3, 2, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time_in_the_zone(text: str, zone: tzinfo | None, at: datetime) -> None:
    found = filters.moment("--since", text, zone).resolve(NOON)
    assert (found, found.tzinfo) == (at, UTC)


def test_without_a_zone_a_moment_is_in_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    assert filters.moment("--since", "2026-03-02T10:00").resolve(NOON) == datetime(2026, 3, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "24:00",
        "2026-13-01",
        "2026-02-30",
        "2026-03-02T25:00",
        "0001-01-01T00:00+05:00",
    ],
)
def test_what_is_no_time_is_wrong_usage(text: str) -> None:
    assert usage(filters.moment, "--since", text) == (
        "--since takes 90s, 5m, 2h30m, 09:00, today, yesterday or a time such as 2026-03-02T10:00,"
        f" not {text!r}",
        None,
    )


def test_a_duration_before_the_first_year_is_from_the_first_year_on() -> None:
    assert filters.moment("--since", "9999999d").resolve(NOON) == datetime.min.replace(tzinfo=UTC)


@given(st.text(max_size=30) | st.text(alphabet="0123456789-:TZ+.dhmsW ", max_size=30))
def test_any_text_is_a_moment_or_wrong_usage(text: str) -> None:
    try:
        assert filters.moment("--since", text, BERLIN).resolve(NOON).tzinfo is UTC
    except UsageError as error:
        assert repr(text) in error.message


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Europe/Berlin", BERLIN),
        ("UTC", UTC),
        ("utc", UTC),
        ("Z", UTC),
        ("+02:00", timezone(timedelta(hours=2))),
        ("-0330", timezone(-timedelta(hours=3, minutes=30))),
        ("+05", timezone(timedelta(hours=5))),
    ],
)
def test_a_zone_has_a_name_or_an_offset(text: str, zone: tzinfo) -> None:
    assert times.zone(text) == zone


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("europe/berlin", "did you mean 'Europe/Berlin' or "),
        ("Europe/Berln", "did you mean 'Europe/Berlin' or "),
        ("Europe", ""),
        ("", ""),
        ("../etc/passwd", ""),
        ("/etc/passwd", ""),
        ("+25:00", ""),
        ("a\0b", ""),
        ("\udc80", ""),
        ("9" * 100_000, ""),
    ],
)
def test_a_zone_that_does_not_exist_names_the_nearest_ones(text: str, meant: str) -> None:
    message, hint = usage(times.zone, text)
    assert message == f"there is no zone {text!r}"
    assert hint is not None
    assert hint.endswith("zones: Europe/Berlin, America/New_York, UTC, +02:00 and the like")
    assert hint.startswith(meant)


def test_without_a_time_zone_database_an_offset_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(())
    try:
        assert usage(times.zone, "Pacific/Chatham") == (
            "there is no time zone database on this machine",
            "install it: `pip install tzdata`; or give an offset such as +02:00",
        )
        assert times.zone("+02:00") == timezone(timedelta(hours=2))
    finally:
        zoneinfo.reset_tzpath()


# Sessions.


def session(
    name: str,
    state: str | None = "Chatting",
    customer: str | None = None,
    received: datetime | None = None,
    user_data: Json | None = None,
) -> Session:
    people = (Participant("Agent", "Ana", "A1"),)
    people += (Participant("Customer", customer, "C1"),) if customer else ()
    return Session(name, state, participants=people, received=received, user_data=user_data or {})


LISTED = (
    session("S3", "Chatting", "Kiwi", NOON, {"Score": 10, "Tier": "gold"}),
    session("S1", "Invited", "papaya", None, {"Score": "9", "Tier": "Basic"}),
    session("S4", "Parked", None, NOON - timedelta(days=1), {"Score": "", "Tier": None}),
    session("s2", None, "kiwi fruit", NOON, {"Score": "n/a", "Tier": ["x"]}),
)


def passed(filter: SessionFilter) -> list[str]:
    return [one.id for one in LISTED if filter.passes(one)]


def test_without_options_every_session_passes() -> None:
    assert passed(SessionFilter()) == ["S3", "S1", "S4", "s2"]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["chatting"], ["S3"]),
        (["parked"], ["S4"]),
        (["Unheard0f"], []),
        (["Invited", "Chatting"], ["S3", "S1"]),
        (["Revoked"], []),
    ],
)
def test_sessions_in_a_state(names: list[str], chosen: list[str]) -> None:
    assert passed(session_filter(names, None)) == chosen


@pytest.mark.parametrize(
    ("customer", "chosen"),
    [("KIWI", ["S3", "s2"]), ("fruit", ["s2"]), ("ana", []), ("", ["S3", "S1", "S4", "s2"])],
)
def test_sessions_of_a_customer(customer: str, chosen: list[str]) -> None:
    assert passed(SessionFilter(customer=customer)) == chosen


def test_an_unknown_state_names_the_nearest_ones() -> None:
    assert usage(session_filter, ["Chat-ting"], None) == (
        "there is no state 'Chat-ting'",
        "did you mean 'Chatting'? states: Invited, Chatting, LeftChat, Completed, Revoked",
    )


def test_whatever_else_is_unknown_can_be_told_likewise() -> None:
    error = unknown_name("command", "lst", ["list", "show", "tail"])
    assert (error.message, error.hint) == (
        "there is no command 'lst'",
        "did you mean 'list'? commands: list, show, tail",
    )
