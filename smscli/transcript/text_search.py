"""Searches texts for a regular expression that a user typed, within a time limit for each text."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from smscli.errors import UsageError

if TYPE_CHECKING:
    import regex

Span = tuple[int, int]
"""Begin and end of a part of a text, in code points."""

TIMEOUT = 1.0
"""Seconds of processor time for one text."""

# What `regex` reads as a fuzzy count, or refuses in place of the literal that `re` reads: behind an escape or
# a set, which come first, a brace begins none.
_FUZZY = re.compile(
    r"\\[pPN]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<fuzzy>\{\s*(?:e|\d*\s*[dis]|\d+\s*<))", re.DOTALL
)


class TextSearch:
    """A regular expression of the option `option`; `report` gets one message at the first timeout."""

    def __init__(
        self, option: str, expression: str, *, ignore_case: bool = False, report: Callable[[str], None]
    ) -> None:
        """Python's syntax as the `regex` package reads it; `^` and `$` match at lines. UsageError."""
        self._option = option
        self._compiled = _compiled(option, unicodedata.normalize("NFC", expression), ignore_case)
        self._report = report
        self._has_timed_out = False

    def find(self, text: str, on_timeout: tuple[Span, ...] | None = None) -> tuple[Span, ...] | None:
        """The spans of all matches, in order, without empty ones; None where nothing matches.

        `on_timeout` is returned for a text that takes longer than `TIMEOUT`.
        """
        composed = text if text.isascii() else unicodedata.normalize("NFC", text)
        try:
            spans = [match.span() for match in self._compiled.finditer(composed, timeout=TIMEOUT)]
        except TimeoutError:
            self._report_timeout()
            return on_timeout
        if not spans:
            return None
        found = sorted(span for span in spans if span[0] < span[1])
        return tuple(found if composed == text else _in_original(text, found))

    def _report_timeout(self) -> None:
        if not self._has_timed_out:
            self._has_timed_out = True
            self._report(
                f"{self._option} takes more than {TIMEOUT:g} s for a text; "
                f"such texts are shown as without {self._option}"
            )


def _compiled(option: str, expression: str, ignore_case: bool) -> "regex.Pattern[str]":
    import regex

    if any(match["fuzzy"] for match in _FUZZY.finditer(expression)):
        raise UsageError(
            f"{option} takes no fuzzy counts such as {{e<=1}}", hint="write \\{ to search for a brace"
        )
    flags = regex.VERSION0 | regex.MULTILINE | (regex.IGNORECASE if ignore_case else 0)
    try:
        return regex.compile(expression, flags)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{option} is not a regular expression: {reason}") from error


def _in_original(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """The spans of NFC(text) as spans of `text`, each widened to whole characters as a reader sees them."""
    import regex

    begins: list[int] = []
    ends: list[int] = []
    # NFC never composes across the bounds of a grapheme cluster.
    for cluster in regex.finditer(r"\X", text):
        composed = len(unicodedata.normalize("NFC", cluster[0]))
        begins += [cluster.start()] * composed
        ends += [cluster.end()] * composed
    return ((begins[first], ends[last - 1]) for first, last in spans)
