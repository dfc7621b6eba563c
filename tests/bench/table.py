"""Formats the results as an aligned Markdown table."""

from collections.abc import Iterable, Sequence

from tests.bench.figures import Line

_HEAD = ("row", "measure", "measured", "bar", "", "of what")
_VERDICTS = {True: "holds", False: "MISSES", None: "not measured"}


def table(rows: Iterable[tuple[str, Line]]) -> str:
    """One line per result, columns aligned; a `|` inside a cell is escaped."""
    cells = [_HEAD, *(_cells(name, line) for name, line in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    head, *body = (_drawn(row, widths) for row in cells)
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "".join(f"{line}\n" for line in (head, rule, *body))


def verdict(line: Line) -> str:
    """Whether the bar holds, in capitals if it is missed."""
    word = _VERDICTS[line.holds]
    return word.upper() if line.counted and line.holds is None else word


def _cells(name: str, line: Line) -> tuple[str, ...]:
    texts = (name, line.measure, line.figure, line.bar, verdict(line), line.detail)
    return tuple(" ".join(text.split()).replace("|", "\\|") for text in texts)


def _drawn(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
