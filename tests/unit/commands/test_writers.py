"""A session's log: folding, filtering and masking, in this order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.commands.writers import SessionLog
from smscli.model import Message, Participant
from smscli.transcript.filters import EntryQuery, FilterTally, SelectedEntry, entry_query
from smscli.transcript.redact import mask_entry, mask_message

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PEOPLE = [
    Participant("Customer", "+44 7700 900123", "C1"),
    Participant("Customer", "+44 7700 900223"),
    Participant("Agent", "kiwi@peel.example", "A1"),
    None,
]
TEXTS = ["call 555-010-4711", "call 555-010-9911", "write to kiwi@peel.example", "thanks", ""]
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["Text", "TypingStarted", "TypingStopped", "Notice", "CoBrowse"]),
        st.sampled_from(PEOPLE),
        st.sampled_from(TEXTS),
    ),
    max_size=12,
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "people": st.sampled_from([["+44 7700 900123"], ["customer"], ["KIWI@peel.example"]]),
        "types": st.sampled_from([["Text"], ["cobrowse", "Notice"]]),
        "grep": st.sampled_from(["4711", "555.*11", "peel", "t"]),
        "exclude": st.sampled_from(["010-4", "example"]),
        "context": st.integers(0, 2),
    },
).filter(lambda options: "grep" in options or "context" not in options)


def log(messages: list[tuple[str, Participant | None, str]]) -> list[Message]:
    return [
        Message("S1", index, kind, by, "All", NOON + timedelta(seconds=index), text or None)
        for index, (kind, by, text) in enumerate(messages, 1)
    ]


def asked(**options: Any) -> EntryQuery:
    return entry_query(now=NOON, report=pytest.fail, **options)


def shown(query: EntryQuery, messages: list[Message], *, redact: bool) -> list[SelectedEntry]:
    one = SessionLog("fold", query.resolve(NOON), FilterTally(query), redact=redact)
    return [*one.add(messages), *one.select(one.transcript.at_end(None))]


@given(MESSAGES, OPTIONS)
def test_filters_commute_with_masking(
    messages: list[tuple[str, Participant | None, str]], options: dict[str, Any]
) -> None:
    """What is shown masked is what is shown otherwise, masked; whether the reads were masked or not."""
    said, query = log(messages), asked(**options)
    expected = [(mask_entry(one.entry), one.context, one.gap) for one in shown(query, said, redact=False)]
    for read in (said, [mask_message(one) for one in said]):
        masked = shown(query, read, redact=True)
        assert [(one.entry, one.context, one.gap) for one in masked] == expected


def test_a_message_that_came_late_says_so_when_it_is_masked_too() -> None:
    from dataclasses import replace

    masked = replace(mask_message(log([("Text", PEOPLE[0], TEXTS[0])])[0]), late=True)
    (one,) = shown(asked(grep="4711"), [masked], redact=True)
    assert (one.entry.message.late, one.entry.message.text) == (True, "call ***-***-**11")


def test_marks_are_those_of_the_masked_text() -> None:
    (one,) = shown(asked(grep="call|4711", highlight="11"), log([("Text", None, TEXTS[0])]), redact=True)
    assert [one.entry.message.text[begin:end] for begin, end in one.marks] == ["call", "11"]


def test_who_is_typing_is_masked() -> None:
    query = asked()
    one = SessionLog("fold", query.resolve(NOON), FilterTally(query), redact=True)
    one.add(log([("TypingStarted", PEOPLE[0], TEXTS[0])]))
    (typing,) = one.typing(NOON + timedelta(seconds=2))
    assert (typing.participant.nickname, typing.preview) == ("+** **** ****23", "call ***-***-**11")
