"""Renders the findings of one session for people."""

from datetime import tzinfo

from smscli.model import Role
from smscli.output.findings import finding_place, finding_text
from smscli.output.render.checks import check_lines
from smscli.output.render.layout import Display, cells, fold, paint
from smscli.output.render.tables import TimeFormatter
from smscli.output.render.wording import counted
from smscli.sanitize import clean
from smscli.transcript.findings import SessionFindings


def findings_text(
    checked: SessionFindings, display: Display, zone: tzinfo | None, *, verbose: bool = False
) -> str:
    """A heading, each finding that is not `ok` (`verbose`: those too), and the number of checks that are."""
    times = TimeFormatter((checked.now,), zone)
    findings = checked.findings if verbose else checked.problems
    widest = max((cells(one.check) for one in checked.findings), default=0)
    lines = [_heading(checked, times, display)]
    for one in findings:
        text = finding_text(one, times.short) + finding_place(one, times.short)
        lines.append(check_lines(display, widest, one.check, one.result, text, one.hint))
    number = checked.checks_ok
    if number:
        lines.append(f"{counted(number, 'check')} ok\n")
    return "".join(lines)


def _heading(checked: SessionFindings, times: TimeFormatter, display: Display) -> str:
    session = checked.session
    customers = ", ".join(session.nicknames(Role.CUSTOMER))
    facts = [f"session {session.id}" + (f" ({customers})" if customers else "")]
    facts += [session.state] if session.state else []
    facts += [f"profile {checked.profile}"] if checked.profile else []
    facts += [f"times are {times.offset}"] if times.offset else []
    width = max(display.width, 1)
    bold = paint("bold", display.color)
    return "".join(f"{line}\n" for line in fold([(clean(", ".join(facts)), bold)], width, width))
