"""Subjects: any site and session id fits into one token, and comes back out of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.jetstream.subjects import (
    SubjectParts,
    collector_subject,
    decode_token,
    encode_token,
    message_subject,
    parse_subject,
    session_subject,
    subjects_of,
)

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def test_the_subjects_of_a_stream() -> None:
    assert subjects_of("CC") == ["CC.message.*.*", "CC.session.*.*", "CC.collector.*"]
    assert (
        message_subject("CC", "gws.example.com:443", "00aB_-")
        == "CC.message.gws=2Eexample=2Ecom=3A443.00aB_-"
    )
    assert session_subject("CC", "site1", "s=1") == "CC.session.site1.s=3D1"
    assert collector_subject("CC", "desk 1") == "CC.collector.desk=201"


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("", "="),
        ("=", "=3D"),
        ("ä", "=C3=A4"),
        ("*", "=2A"),
        (">", "=3E"),
        ("\ud800", "=ED=A0=80"),
        ("\0", "=00"),
    ],
)
def test_a_token_of_odd_text(text: str, token: str) -> None:
    assert encode_token(text) == token
    assert decode_token(token) == text


@given(ANY_TEXT)
def test_any_text_is_one_token_and_comes_back(text: str) -> None:
    token = encode_token(text)
    assert re.fullmatch("[A-Za-z0-9_=-]+", token)
    assert decode_token(token) == text


@given(ANY_TEXT, ANY_TEXT)
def test_a_subject_comes_back_as_its_parts(site: str, session_id: str) -> None:
    assert parse_subject(message_subject("CC", site, session_id)) == SubjectParts("message", site, session_id)
    assert parse_subject(session_subject("CC", site, session_id)) == SubjectParts("session", site, session_id)
    assert parse_subject(collector_subject("CC", site)) == SubjectParts("collector", collector=site)


@pytest.mark.parametrize("token", ["=2", "=2e", "=41", "a.b", "==", "=FF", "", "ä", "a="])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r"not a token|can't decode"):
        decode_token(token)


@pytest.mark.parametrize(
    "subject",
    ["CC", "CC.message.a", "CC.message.a.b.c", "CC.other.a.b", "CC.message.a.=2", "CC.collector.a.b", ""],
)
def test_a_subject_that_is_not_ours_has_no_parts(subject: str) -> None:
    assert parse_subject(subject) is None
