"""Renders the checks of `doctor` and `check` for people: result, finding and next step."""

from smscli.output.render.layout import PLAIN, Display, cells, fold, paint
from smscli.sanitize import clean

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
_RESULT_CELLS = max(map(len, _STYLES))
# Beside a column of names, a finding with less room is hard to read.
_LEAST_CELLS = 30


def check_lines(
    display: Display, widest: int, check: str, result: str, finding: str, hint: str | None
) -> str:
    """The lines of one check, written before the next one is known; the longest name has `widest` cells."""

    def folded(indent: int) -> list[str]:
        room = max(display.width - indent, 1)
        return [part for line in lines for part in fold([(line, PLAIN)], room, room)]

    lines = [clean(finding), *([clean(f"hint: {hint}")] if hint else [])]
    ink = paint(_STYLES.get(result, ""), display.color)
    before = f"{ink(result)}{' ' * (_RESULT_CELLS - len(result))}  "
    indent = _RESULT_CELLS + 2
    beside = indent + widest + 2
    if display.width - beside >= _LEAST_CELLS:
        first = f"{before}{check}{' ' * (widest - cells(check) + 2)}"
        return first + f"\n{' ' * beside}".join(folded(beside)) + "\n"
    return before + f"\n{' ' * indent}".join([check, *folded(indent)]) + "\n"
