"""A typed regular expression: where it matches, what is wrong with it, and that it always comes back."""

import signal
import sys
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.errors import UsageError
from smscli.transcript.pattern import Pattern, Span, pattern

no_timer_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="no timer that ends a search")


def find(expression: str, text: str) -> tuple[Span, ...] | None:
    return pattern("--grep", expression).find(text)


@pytest.mark.parametrize(
    ("expression", "text", "spans"),
    [
        ("parcel", "my parcel, a parcel", ((3, 9), (13, 19))),
        ("parcel", "my Parcel", None),
        ("(?i)parcel", "my Parcel", ((3, 9),)),
        ("o|parcel", "no", ((1, 2),)),
        ("x*", "no", ()),
        ("", "", ()),
        ("^hi$", "hello\nhi\nbye", ((6, 8),)),
        (r"\d{3}", "555-0142", ((0, 3), (4, 7))),
        ("🙂", "ok 🙂", ((3, 4),)),
        ("parcel", "", None),
    ],
)
def test_matches_are_told_by_their_place(expression: str, text: str, spans: tuple[Span, ...] | None) -> None:
    assert find(expression, text) == spans


def test_of_a_long_text_the_first_4096_characters_are_seen() -> None:
    text = "." * 4095 + "x" + "." * 100_000 + "x"
    assert find("x", text) == ((4095, 4096),)
    assert find("x", "." + text) is None


def test_two_of_the_same_are_equal() -> None:
    assert pattern("--grep", "a") == pattern("--grep", "a")
    assert pattern("--grep", "a") != pattern("--exclude", "a")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("[ab", "unterminated character set at character 1"),
        ("(refund", "missing ), unterminated subpattern at character 1"),
        ("a**", "multiple repeat at character 3"),
        ("one\n(two", "missing ), unterminated subpattern at character 5"),
        ("(?<=a+)", "look-behind requires fixed-width pattern"),
        ("(?a)(?u)x", "ASCII and UNICODE flags are incompatible"),
        ("a{99999999999}", "the repetition number is too large"),
        ("(" * 20_000, "nested too deep"),
    ],
)
def test_what_does_not_compile_is_wrong_usage_in_one_line(expression: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        pattern("--exclude", expression)
    assert caught.value.message == f"--exclude is no regular expression: {reason}"


def test_what_python_only_warns_of_is_taken_in_silence() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert find("[[a]", "[") == ((0, 1),)
    assert warned == []


@no_timer_on_windows
@pytest.mark.parametrize(
    ("expression", "text", "short"),
    [("(a+)+$", "a" * 40 + "b", "aa"), (".*.*.*.*x", "a" * 1_000_000, "x")],
)
def test_a_search_that_runs_away_is_ended(expression: str, text: str, short: str) -> None:
    runs_away = pattern("--grep", expression)
    started = time.process_time()
    with pytest.raises(UsageError) as caught:
        runs_away.find(text)
    assert time.process_time() - started < 2
    assert caught.value.message == "--grep takes more than 1 s for a single message"
    assert caught.value.hint == "repeat nothing that is itself repeated, as (a+)+ does"
    assert runs_away.find(short) == ((0, len(short)),)


@no_timer_on_windows
def test_between_searches_no_time_is_counted() -> None:
    assert find("parcel", "my parcel") == ((3, 9),)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


@no_timer_on_windows
def test_a_timer_that_comes_too_late_ends_nothing() -> None:
    quick = pattern("--grep", "parcel")
    signal.raise_signal(signal.SIGVTALRM)
    assert quick.find("my parcel") == ((3, 9),)


@given(
    st.text(alphabet="ab(){}[]|*+?.^$\\-,019:=<P!# \n\ud800é", max_size=12), st.text("ab\n é", max_size=12)
)
def test_any_pattern_is_a_pattern_or_wrong_usage(expression: str, text: str) -> None:
    try:
        made = pattern("--grep", expression)
    except UsageError as error:
        assert "\n" not in error.message
        return
    assert isinstance(made, Pattern)
    spans = made.find(text)
    assert spans is None or all(0 <= begin < end <= len(text) for begin, end in spans)
