"""Renders the checks of `doctor` for people: result, finding and next step."""

from smscli.output.render.layout import PLAIN, Display, cells, fold, paint
from smscli.sanitize import clean

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
_RESULT_CELLS = max(map(len, _STYLES))
# Beside a column of names, a finding with less room is hard to read.
_LEAST_CELLS = 30


class CheckLines:
    """Writes one check after the other, before the next one is known; the longest name has `widest` cells."""

    def __init__(self, display: Display, widest: int) -> None:
        self._display = display
        self._widest = widest

    def __call__(self, check: str, result: str, finding: str, hint: str | None) -> str:
        color = self._display.color
        before = f"{paint(_STYLES.get(result, ''), color)(result)}{' ' * (_RESULT_CELLS - len(result))}  "
        indent = _RESULT_CELLS + 2
        beside = indent + self._widest + 2
        lines = [clean(finding), *([clean(f"hint: {hint}")] if hint else [])]
        if self._display.width - beside >= _LEAST_CELLS:
            first = f"{before}{check}{' ' * (self._widest - cells(check) + 2)}"
            folded = self._folded(lines, beside)
            return first + f"\n{' ' * beside}".join(folded) + "\n"
        return before + f"\n{' ' * indent}".join([check, *self._folded(lines, indent)]) + "\n"

    def _folded(self, lines: list[str], indent: int) -> list[str]:
        room = max(self._display.width - indent, 1)
        return [part for line in lines for part in fold([(line, PLAIN)], room, room)]
