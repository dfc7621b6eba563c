"""The bench's arithmetic: turns measurements into lines of the table, each with its bar."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True)
class Line:
    """One line of the table. `holds` is None if it could not be measured.

    `counted`: a count, independent of the machine's load; it also misses its bar when it isn't measured.
    """

    measure: str
    figure: str
    detail: str
    bar: str
    holds: bool | None
    counted: bool = False


@dataclass(frozen=True)
class Samples:
    """The measurements of one side of a comparison, one per round."""

    values: tuple[float, ...]
    unit: Callable[[float], str]

    @property
    def median(self) -> float:
        return median(self.values)

    def __str__(self) -> str:
        """The median with minimum and maximum: the machine may be shared."""
        return f"{self.unit(self.median)} ({self.unit(min(self.values))}..{self.unit(max(self.values))})"


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def milliseconds(value: float) -> str:
    return f"{value * 1000:.0f} ms"


def mebibytes(value: float) -> str:
    return f"{value / 2**20:.1f} MiB"


def ratio(measure: str, ours: Samples, theirs: Samples, bar: float, *, counted: bool = False) -> Line:
    """The ratio of both sides: the median over the rounds, at most `bar`.

    Both sides of a round run under the same load, which may differ between rounds.
    """
    rounds = [one / other for one, other in zip(ours.values, theirs.values, strict=True)]
    figure = median(rounds)
    detail = f"{min(rounds):.2f}..{max(rounds):.2f} x; {ours} / {theirs}"
    return Line(measure, f"{figure:.2f} x", detail, f"at most {bar:g} x", figure <= bar, counted)


def at_most(measure: str, figure: float, bar: float, unit: Callable[[float], str], detail: str = "") -> Line:
    """A figure that must not be higher than its bar."""
    return Line(measure, unit(figure), detail, f"at most {unit(bar)}", figure <= bar)


def under(measure: str, figure: float, bar: float, unit: Callable[[float], str], detail: str = "") -> Line:
    """A figure that must be lower than its bar."""
    return Line(measure, unit(figure), detail, f"under {unit(bar)}", figure < bar)


def count_at_most(
    measure: str, count: float, bar: float, unit: Callable[[float], str] = "{:g}".format, detail: str = ""
) -> Line:
    """A count that must not be higher than its bar."""
    return Line(measure, unit(count), detail, f"at most {unit(bar)}", count <= bar, counted=True)


def count_at_least(measure: str, count: int, bar: int, detail: str = "") -> Line:
    """A count that must not be lower than its bar."""
    return Line(measure, f"{count:,}", detail, f"at least {bar:,}", count >= bar, counted=True)


def exactly(measure: str, count: int, bar: int, detail: str = "") -> Line:
    """A count that must be exact."""
    return Line(measure, f"{count}", detail, f"exactly {bar}", count == bar, counted=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` per cent of the values don't exceed."""
    return sorted(values)[max(ceil(len(values) * share / 100) - 1, 0)]


def most_within(stamps: Sequence[float], span: float) -> int:
    """The most events in any window of `span` seconds, its end excluded; `stamps` ascend."""
    most = first = 0
    for place, stamp in enumerate(stamps):
        while stamp - stamps[first] >= span:
            first += 1
        most = max(most, place - first + 1)
    return most


def lost(numbers: Sequence[int], expected: int) -> int:
    """How many of at least `expected` consecutive numbers are missing."""
    found = set(numbers)
    length = max(found) - min(found) + 1 if found else 0
    return max(length, expected) - len(found)


def repeated(numbers: Sequence[int]) -> int:
    """How many are duplicates."""
    return len(numbers) - len(set(numbers))


def falls_short(lines: Sequence[Line], *, counts_only: bool) -> bool:
    """Whether a bar is missed; with `counts_only` the bar of a count."""
    return any(line.counted or (line.holds is False and not counts_only) for line in lines if not line.holds)
