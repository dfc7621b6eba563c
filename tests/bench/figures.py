"""The bench's arithmetic: from what was measured to a line of the table, its bar beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True)
class Line:
    """One line of the table. `holds` is None where it could not be measured.

    `counted`: a count, much the same however busy the machine is; unmeasured it falls short too, or else it
    would hold wherever nobody can tell.
    """

    measure: str
    figure: str
    detail: str
    bar: str
    holds: bool | None
    counted: bool = False


@dataclass(frozen=True)
class Samples:
    """What one side of a comparison came to, round by round."""

    values: tuple[float, ...]
    unit: Callable[[float], str]

    @property
    def median(self) -> float:
        return median(self.values)

    def __str__(self) -> str:
        """The median, with the least and the most: the machine may be shared."""
        return f"{self.unit(self.median)} ({self.unit(min(self.values))}..{self.unit(max(self.values))})"


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def milliseconds(value: float) -> str:
    return f"{value * 1000:.0f} ms"


def mebibytes(value: float) -> str:
    return f"{value / 2**20:.1f} MiB"


def ratio(measure: str, ours: Samples, theirs: Samples, bar: float, *, counted: bool = False) -> Line:
    """How many times as much as the other side: the median of the rounds, at most `bar`.

    Both sides of a round meet the same machine, whose pace may be another one at the next.
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
    """A count that must be just this."""
    return Line(measure, f"{count}", detail, f"exactly {bar}", count == bar, counted=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values that so many per cent of them don't exceed."""
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
    """How many of a series' numbers are missing, where at least `expected` in a row should be there."""
    found = set(numbers)
    length = max(found) - min(found) + 1 if found else 0
    return max(length, expected) - len(found)


def repeated(numbers: Sequence[int]) -> int:
    """How many came again."""
    return len(numbers) - len(set(numbers))


def falls_short(lines: Sequence[Line], *, counts_only: bool) -> bool:
    """Whether a bar is missed; where it is quick and the machine busy, one of a count."""
    return any(line.counted or (line.holds is False and not counts_only) for line in lines if not line.holds)
