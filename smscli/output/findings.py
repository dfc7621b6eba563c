"""The findings of `check` as text: their words, JSON objects and tab-separated lines."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from smscli.output.render.layout import duration
from smscli.records import json_text, rfc3339
from smscli.sanitize import pipe_value
from smscli.transcript.judging import Quote, Value

if TYPE_CHECKING:
    from smscli.transcript.findings import Finding, SessionFindings

# A finding goes into a ticket; what it quotes may be of any length.
_LONGEST_QUOTE = 100


def finding_text(finding: "Finding", time: Callable[[datetime], str] = rfc3339) -> str:
    """What was found, with times as `time` shows them. It may hold what strangers wrote."""

    def shown(value: Value) -> str:
        if isinstance(value, datetime):
            return time(value)
        if isinstance(value, timedelta):
            return duration(value.total_seconds())
        is_long = isinstance(value, Quote) and len(value) > _LONGEST_QUOTE
        return f"{value[:_LONGEST_QUOTE]}..." if is_long else value

    judgement = finding.judgement
    return judgement.text.format(*map(shown, judgement.values))


def finding_place(finding: "Finding", time: Callable[[datetime], str]) -> str:
    """Index and time of the message that it is about, as ` (index 4, 10:00:05)`; empty without either."""
    index, at = finding.judgement.index, finding.judgement.at
    places = [f"index {index}"] if index is not None else []
    places += [time(at)] if at else []
    return f" ({', '.join(places)})" if places else ""


def finding_lines(checked: "SessionFindings") -> Iterator[str]:
    """Each finding as one JSON object."""
    for one in checked.findings:
        at = one.judgement.at
        yield json_text(
            {
                "sessionId": checked.session.id,
                "check": one.check,
                "result": one.result,
                "index": one.judgement.index,
                "timestamp": rfc3339(at) if at else None,
                "finding": finding_text(one),
                "hint": one.hint,
                **({"profile": checked.profile} if checked.profile else {}),
            }
        )


def finding_rows(checked: "SessionFindings") -> Iterator[str]:
    """Each finding as session, check, result, index, time, finding and hint, separated by tabs."""
    for one in checked.findings:
        index, at = one.judgement.index, one.judgement.at
        yield "\t".join(
            (
                pipe_value(checked.session.id),
                one.check,
                one.result,
                "" if index is None else str(index),
                rfc3339(at) if at else "",
                pipe_value(finding_text(one)),
                one.hint or "",
                *([pipe_value(checked.profile)] if checked.profile else []),
            )
        )
