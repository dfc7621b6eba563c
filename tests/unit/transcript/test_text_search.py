"""Searches for a typed regular expression: its matches, its errors, its time limit, NFC."""

import subprocess
import sys
import threading
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.errors import UsageError
from smscli.transcript.text_search import Span, TextSearch

RUNS_AWAY, SLOW_TEXT = "(a|aa)+$", "a" * 60 + "b"


def search(expression: str, option: str = "--grep", *, ignore_case: bool = False) -> TextSearch:
    return TextSearch(option, expression, ignore_case=ignore_case, report=pytest.fail)


def usage(expression: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        search(expression, "--exclude")
    return caught.value


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
        ("(?r)parcel", "my parcel, a parcel", ((3, 9), (13, 19))),
        (r"\p{Lu}", "my Parcel", ((3, 4),)),
        # VERSION0: a set is no nested one.
        ("[[a]", "[", ((0, 1),)),
    ],
)
def test_matches_are_given_as_spans(expression: str, text: str, spans: tuple[Span, ...] | None) -> None:
    assert search(expression).find(text) == spans


def test_case_can_be_ignored() -> None:
    assert search("straße|É", ignore_case=True).find("STRAßE é") == ((0, 6), (7, 8))
    assert search("straße|É").find("STRAßE é") is None


def test_the_whole_of_a_long_text_is_searched() -> None:
    text = "." * 5000 + "needle" + "." * 1_000_000 + "needle"
    assert search("needle").find(text) == ((5000, 5006), (1_005_006, 1_005_012))


@pytest.mark.parametrize(
    ("expression", "text", "marked"),
    [
        ("josé", "ask Jose\u0301, jose\u0301!", ["jose\u0301"]),
        ("jose\u0301", "josé", ["josé"]),
        ("^é$", "e\u0301", ["e\u0301"]),
        # A base letter alone is not the accented one.
        ("jose", "jose\u0301", None),
        # What stands before and after is found in its place.
        ("b", "e\u0301 a\u0308 b o\u0302", ["b"]),
        ("a.c", "x e\u0301 abc e\u0301 adc", ["abc", "adc"]),
        # Marks in another order than the canonical one, and one that composes with no letter.
        ("q", "q\u0307\u0323r", ["q\u0307\u0323"]),
        ("ệ", "e\u0302\u0323", ["e\u0302\u0323"]),
        # Hangul, whose vowels are no combining marks, and a character that composes into another one.
        ("각", "\u1100\u1161\u11a8", ["\u1100\u1161\u11a8"]),
        ("Ω", "\u2126", ["\u2126"]),
        # Two marks in one character, of which the first stands for itself.
        ("x", "x\u0f73\u0f39 x", ["x\u0f73\u0f39", "x"]),
    ],
)
def test_text_and_expression_are_compared_composed(
    expression: str, text: str, marked: list[str] | None
) -> None:
    spans = search(expression).find(text)
    assert (None if spans is None else [text[begin:end] for begin, end in spans]) == marked


@given(st.text("e\u0301\u0323\u0f73\u0f39\u1100\u1161\u11a8\u212ba\U000110a5 \u09c7\u09be", max_size=12))
def test_each_character_is_marked_where_it_stands(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    for place, letter in enumerate(composed):
        spans = search(f"(?s)(?<=^.{{{place}}}).").find(text)
        # A line's begin: the lookbehind finds its place in the first line only, and there is no other.
        assert spans is not None and len(spans) == 1
        begin, end = spans[0]
        assert letter in unicodedata.normalize("NFC", text[begin:end])
        assert (
            unicodedata.normalize("NFC", text[:begin])
            == composed[: len(unicodedata.normalize("NFC", text[:begin]))]
        )


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("[ab", "unterminated character set at position 3"),
        ("(refund", "missing ) at position 7"),
        ("a**", "multiple repeat at position 2"),
        ("one)", "unbalanced parenthesis at position 3"),
        ("(?a)(?u)x", "ASCII, LOCALE and UNICODE flags are mutually incompatible"),
        ("(?V1)x", "VERSION0 and VERSION1 flags are mutually incompatible"),
        ("a{99999999999}", "repeat count too big at position 2"),
        ("(" * 20_000, "nested too deeply"),
    ],
)
def test_an_expression_that_does_not_compile_is_wrong_usage_in_one_line(expression: str, reason: str) -> None:
    assert usage(expression).message == f"--exclude is not a regular expression: {reason}"


@pytest.mark.parametrize(
    "expression",
    [
        "parcel{e}",
        "(?:parcel){e<=1}",
        "a{1<=e<=2}",
        "a{i<=1,s<=2}",
        "a{2i+1s<=3}",
        "(?x)a{ e }",
        "é{d<3:[a-z]}",
        "a{error}",
    ],
)
def test_fuzzy_counts_are_refused(expression: str) -> None:
    error = usage(expression)
    assert error.message == "--exclude takes no fuzzy counts such as {e<=1}"
    assert error.hint == "write \\{ to search for a brace"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("a\\{e}", "a{e}"),
        ("[{]e}", "{e}"),
        ("[]{e]+}", "{e]}"),
        ("a{2}", "aa"),
        ("a{,3}b", "aaab"),
        ("\\p{Ll}", "a"),
        ("\\P{dash}", "a"),
        ("a{foo}", "a{foo}"),
        ("\\\\e", "\\e"),
        ("a{1}e", "ae"),
    ],
)
def test_other_braces_are_no_fuzzy_counts(expression: str, text: str) -> None:
    assert search(expression).find(text) == ((0, len(text)),)


@pytest.mark.slow
@pytest.mark.parametrize("on_timeout", [None, ()])
def test_a_timeout_returns_what_was_asked_for_and_is_reported_once(
    on_timeout: tuple[Span, ...] | None,
) -> None:
    reports: list[str] = []
    slow = TextSearch("--grep", RUNS_AWAY, report=reports.append)
    started = time.process_time()
    assert slow.find(SLOW_TEXT, on_timeout) == on_timeout
    assert 1 <= time.process_time() - started < 2
    assert slow.find(SLOW_TEXT, on_timeout) == on_timeout
    assert reports == ["--grep takes more than 1 s for a text; such texts are shown as without --grep"]
    assert slow.find("aa", on_timeout) == ((0, 2),)


@pytest.mark.slow
def test_a_search_times_out_in_any_thread() -> None:
    reports: list[str] = []
    found: list[object] = []
    slow = TextSearch("--exclude", RUNS_AWAY, report=reports.append)
    thread = threading.Thread(target=lambda: found.append(slow.find(SLOW_TEXT)))
    thread.start()
    thread.join()
    assert (found, len(reports)) == ([None], 1)


def test_regex_is_loaded_with_the_first_expression_only() -> None:
    program = (
        "import sys; from smscli.transcript.filters import EntryFilter; before = 'regex' in sys.modules\n"
        "from smscli.transcript.text_search import TextSearch; TextSearch('--grep', 'a', report=print)\n"
        "print(before, 'regex' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


@given(
    st.text(alphabet="ab(){}[]|*+?.^$\\-,019:=<P!# \n\ud800éeids&~", max_size=12),
    st.text("ab\n é", max_size=12),
)
def test_any_expression_compiles_or_is_wrong_usage(expression: str, text: str) -> None:
    try:
        made = TextSearch("--grep", expression, report=lambda message: None)
    except UsageError as error:
        assert "\n" not in error.message
        return
    spans = made.find(text)
    assert spans is None or all(0 <= begin < end <= len(text) for begin, end in spans)
