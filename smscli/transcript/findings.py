"""What is wrong with a conversation, by fixed rules: the table of checks, and `Checkup`, which runs them.

A check judges each message as it is read, or the whole conversation at the end of its log. Memory is
constant: checks keep facts and a window of recent texts, never the log.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from smscli.model import Message, Session
from smscli.transcript import conversation_checks as whole
from smscli.transcript import message_checks as each
from smscli.transcript.judging import DEFAULT_LIMIT, Conversation, Judgement, LogFacts, Outage, Quote, Result

# A log that is damaged throughout must not fill the memory with findings.
_MOST_OF_A_CHECK = 1000


class Finding(NamedTuple):
    """What a check found in a conversation, and the next step; `hint` is None where the result is `ok`."""

    check: str
    judgement: Judgement
    hint: str | None = None

    @property
    def result(self) -> Result:
        return self.judgement.result


class Check(NamedTuple):
    """One check: `help` says what it looks for, `ok` what holds where it finds nothing, `hint` is the next
    step where it does.

    `judge` is called once, at the end of the log; `judge_message` with each message.
    """

    name: str
    help: str
    ok: str
    hint: str
    judge: Callable[[Conversation], Iterator[Judgement]] | None = None
    judge_message: Callable[[Message, LogFacts], Iterator[Judgement]] | None = None


CHECKS = (
    Check(
        "waiting",
        "a customer waits for an answer, or for an agent: warn from 2 minutes, fail from 10 or --waiting",
        "no customer waits",
        "answer the customer",
        whole.waiting,
    ),
    Check(
        "agent",
        "a live session without an agent whom the customer can see",
        "an agent is present",
        "have an agent join, or complete the session",
        whole.agent,
    ),
    Check(
        "whisper",
        "a customer waits, and the latest text of an agent went to agents only",
        "no customer waits for an answer that went to agents only",
        "send the answer to the customer too",
        whole.whisper,
    ),
    Check(
        "ending",
        "how it ended, and whether a customer was left without an answer for 5 minutes",
        "not ended",
        "contact the customer again: they got no answer",
        whole.ending,
    ),
    Check(
        "state",
        "live though every customer has left or the user data says otherwise; texts after the end",
        "nothing contradicts the state",
        "complete the session, or find out why the server keeps it open",
        whole.state,
        each.after_end,
    ),
    Check(
        "typing",
        "a participant who is present began to type over 10 minutes ago",
        "no participant has been typing for over 10 min",
        "ask them whether they are still there",
        whole.typing,
    ),
    Check(
        "duplicates",
        "the same text of one sender twice within 30 seconds",
        "no text was repeated within 30 s",
        "compare with the SMS driver's log whether it was sent twice",
        judge_message=each.duplicates,
    ),
    Check(
        "order",
        "a time over 1 second before that of the message before",
        "the times are in the order of the indices",
        "rely on the indices; check the server's clock",
        judge_message=each.order,
    ),
    Check("gaps", "missing indices, which are normal", "no index is missing", "", whole.gaps),
    Check(
        "encoding",
        "damaged characters",
        "no sign of damaged characters",
        "check the character encoding between the SMS driver and the server",
        judge_message=each.encoding,
    ),
    Check(
        "parts",
        "an agent's text of several SMS: warn from 4, or where plain characters make it fewer",
        "every text of an agent is one SMS",
        "shorten it",
        judge_message=each.parts,
    ),
    Check(
        "links",
        "an address that is incomplete or private",
        "no incomplete or private address",
        "send the link again, complete and public",
        judge_message=each.links,
    ),
    Check(
        "connection",
        "when the recorder was disconnected, and sessions that can't be read",
        "the log was read to its end",
        "read the session from the server while it has it: `smscli messages ID`",
        whole.connection,
    ),
)
"""All checks, in the order in which they are shown."""

_MESSAGE_CHECKS = tuple((one.name, one.judge_message) for one in CHECKS if one.judge_message)


class SessionFindings(NamedTuple):
    """What the checks found in one session, at the time `now`, None if that isn't known; `profile`: through
    which it was seen, None where only one is read."""

    session: Session
    findings: tuple[Finding, ...]
    now: datetime | None = None
    profile: str | None = None

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Those that are not `ok`."""
        return tuple(one for one in self.findings if one.result != "ok")

    @property
    def checks_ok(self) -> int:
        """The number of checks without a problem."""
        return len({one.check for one in self.findings} - {one.check for one in self.problems})

    @property
    def fails(self) -> bool:
        """Whether something needs action now."""
        return any(one.result == "fail" for one in self.findings)

    def masked(self, mask: Callable[[str], str]) -> "SessionFindings":
        """The same with everything that people wrote masked; `session` must be masked by the caller."""
        return self._replace(findings=tuple(_masked(one, mask) for one in self.findings))


def unreadable(session: Session, why: str) -> SessionFindings:
    """The findings of a session whose log can't be read."""
    judgement = Judgement("fail", "the session can't be read: {}", (why,))
    return SessionFindings(session, (Finding("connection", judgement, "see `smscli doctor`"),))


class Checkup:
    """Checks one conversation: `add` each message in the order of the log, then ask for the findings."""

    def __init__(self) -> None:
        self.facts = LogFacts()
        self._found: dict[str, list[Judgement]] = {}
        self._left_out: dict[str, int] = {}

    def end(self, at: datetime | None, *, exact: bool) -> None:
        """The state says since then that the session has ended; None: it is live again. `exact`: it ended
        then, rather than before."""
        self.facts.ended_at, self.facts.is_end_exact = at, exact

    def mask(self) -> None:
        """The texts and user data are masked."""
        self.facts.is_masked = True

    def add(self, message: Message) -> None:
        """Judge one message, and keep what the other checks need."""
        for name, judge in _MESSAGE_CHECKS:
            for judgement in judge(message, self.facts):
                self._keep(name, judgement)
        self.facts.add(message)

    def findings(
        self,
        session: Session | None,
        now: datetime | None,
        *,
        limit: float | None = None,
        outages: Sequence[Outage] = (),
        recorded: str | None = None,
        stale: str | None = None,
    ) -> tuple[Finding, ...]:
        """What each check found, `ok` where it is nothing. `now` is the server's time, of a recording its
        newest.

        `session` is None where its state is not known. `limit`: seconds of waiting that fail, 600 by default.
        `outages`: when the recorder was disconnected. `recorded`: what the log was read from, None for the
        server; `stale`: that nothing new comes from there.
        """
        seconds = DEFAULT_LIMIT if limit is None else limit
        conversation = Conversation(session, self.facts, now, tuple(outages), recorded, stale, seconds)
        return tuple(self._findings(conversation))

    def _findings(self, conversation: Conversation) -> Iterator[Finding]:
        for check in CHECKS:
            judged = [*(check.judge(conversation) if check.judge else ()), *self._found.get(check.name, ())]
            for judgement in judged or [Judgement("ok", check.ok)]:
                hint = None if judgement.result == "ok" else judgement.hint or check.hint
                yield Finding(check.name, judgement, hint)
            if more := self._left_out.get(check.name):
                yield Finding(check.name, Judgement("warn", f"and {more} more like these"), check.hint)

    def _keep(self, check: str, judgement: Judgement) -> None:
        found = self._found.setdefault(check, [])
        if len(found) < _MOST_OF_A_CHECK:
            found.append(judgement)
        elif judgement.result != "ok":
            self._left_out[check] = self._left_out.get(check, 0) + 1


def _masked(finding: Finding, mask: Callable[[str], str]) -> Finding:
    judgement = finding.judgement
    values = tuple(Quote(mask(one)) if isinstance(one, Quote) else one for one in judgement.values)
    return finding._replace(judgement=replace(judgement, values=values))
