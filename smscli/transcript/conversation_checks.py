"""The checks that judge a whole conversation, at the end of its log."""

from collections.abc import Iterator
from datetime import timedelta

from smscli.model import MessageType, Role, Session, State
from smscli.transcript.judging import (
    Conversation,
    Judgement,
    LogFacts,
    Outage,
    Result,
    Value,
    ok,
    quote,
    warn,
    who,
)

_WAIT_SECONDS = 120.0
_INVITATION = timedelta(minutes=1)
_TYPING = timedelta(minutes=10)
_WAITED_LONG = timedelta(minutes=5)
_LEFT_ALONE = timedelta(minutes=10)
_NO_STATE = "not judged: no state is known"


def waiting(conversation: Conversation) -> Iterator[Judgement]:
    """A customer waits: `warn` from 2 minutes, `fail` from the limit."""
    wait, now = conversation.wait, conversation.now
    if wait is None:
        yield from _waits_at_unknown_times(conversation)
        return
    customer = _customer(conversation)
    seconds = wait.seconds(now)
    if seconds is None:
        told = "{} waits since {}; for how long is not known"
        yield Judgement("warn", told, (customer, wait.since), wait.message_index, wait.since)
        return
    limit, for_ = conversation.limit, timedelta(seconds=seconds)
    result: Result = "fail" if seconds >= limit else "warn" if seconds >= _WAIT_SECONDS else "ok"
    told, hint = "last word is the customer's, not answered for {}: {}", None
    values: tuple[Value, ...] = (for_, customer)
    if wait.no_agent:
        told, hint = "no agent since {}: {} has waited for {}", "have an agent join"
        values = (wait.since, customer, for_)
    yield Judgement(result, told, values, wait.message_index, wait.since, hint)


def _waits_at_unknown_times(conversation: Conversation) -> Iterator[Judgement]:
    """No wait by the times that can be read; a text without one may still wait."""
    asked = conversation.log.unanswered()
    if asked and not conversation.has_ended and not conversation.activity.attendance.is_left_by_customers:
        yield warn("last word is the customer's; since when is not known: {}", who(asked), about=asked)


def _customer(conversation: Conversation) -> Value:
    asked, wait = conversation.log.unanswered(), conversation.wait
    if asked and wait and not wait.no_agent:
        return who(asked)
    return quote(wait.customer) if wait and wait.customer else "the customer"


def agent(conversation: Conversation) -> Iterator[Judgement]:
    """A live session without an agent whom the customer can see."""
    activity, attendance = conversation.activity, conversation.activity.attendance
    if not conversation.is_live:
        yield ok("the session has ended" if conversation.has_ended else _NO_STATE)
    elif attendance.is_attended:
        return
    elif not attendance.was_attended:
        since = conversation.since(activity.began_at)
        if since is None:
            yield ok("no agent has joined; since when is not known")
        else:
            result: Result = "ok" if since < _INVITATION else "warn"
            yield Judgement(result, "no agent has joined for {}", (since,), at=activity.began_at)
    else:
        left, waits = conversation.log.sides.last_leave.get(Role.AGENT), conversation.wait is not None
        text = "no agent is there whom the customer can see" + (": {} left last" if left else "")
        text += ", and the customer waits" if waits else ""
        index, at = (left.index, left.at) if left else (None, None)
        yield Judgement("fail" if waits else "warn", text, (who(left),) if left else (), index, at)


def whisper(conversation: Conversation) -> Iterator[Judgement]:
    """A customer waits, and the latest agent's text since then went to agents only."""
    wait, last = conversation.wait, conversation.log.last_agent_text
    if wait is None or last is None or last.is_public:
        return
    if wait.message_index is not None and last.order is not None:
        is_since = last.order > wait.message_index
    else:
        is_since = last.at is not None and last.at >= wait.since
    if is_since:
        yield warn("a customer waits, and the last text of {} went to agents only", who(last), about=last)


def ending(conversation: Conversation) -> Iterator[Judgement]:
    """How the session ended, and whether a customer was left without an answer."""
    session, log, attendance = conversation.session, conversation.log, conversation.activity.attendance
    is_left = attendance.is_left_by_customers
    left = log.sides.last_leave.get(Role.AGENT)
    if session and session.state == State.LEFT_CHAT and left and not attendance.is_attended:
        since = conversation.since(left.at)
        if since and since > _LEFT_ALONE:
            told = "LeftChat, and no agent came back since {} left, {} ago"
            yield warn(told, who(left), since, about=left, hint="find out why it was not completed")
    for asked, waited in log.left_unanswered.values():
        if waited >= _WAITED_LONG:
            told = "{} left after a text of theirs that had waited {} for an answer"
            yield warn(told, who(asked), waited, about=asked)
    if conversation.has_ended and not is_left:
        yield from _ended_unanswered(log)
    if is_left or conversation.has_ended:
        yield _how_it_ended(conversation, session)
    elif session is None:
        yield ok(_NO_STATE)


def _ended_unanswered(log: LogFacts) -> Iterator[Judgement]:
    """The session ended while a customer was there, without an answer to their text."""
    asked = log.unanswered()
    end = log.ended_at if log.ended_at and log.is_end_exact else log.last_at
    if asked and asked.at and end and end - asked.at >= _WAITED_LONG:
        told = "the session ended after a text of {} that had waited {} for an answer"
        yield warn(told, who(asked), end - asked.at, about=asked)


def _how_it_ended(conversation: Conversation, session: Session | None) -> Judgement:
    sides = conversation.log.sides
    texts: list[str] = []
    values: list[Value] = []
    if session and session.ended:
        texts.append("ended ({})" if session.state else "ended")
        values += [session.state] if session.state else []
    first = sides.parted
    if first:
        texts.append("{} left first, at {}" if first.at else "{} left first")
        values += [who(first), *([first.at] if first.at else [])]
    if sides.inactivity:
        texts.append("after a notice of inactivity")
    return ok(", ".join(texts) or "every customer has left", *values, about=first)


def state(conversation: Conversation) -> Iterator[Judgement]:
    """The state says that the session is live, and its log or user data says otherwise."""
    session = conversation.session
    if session is None:
        yield ok(_NO_STATE)
        return
    if session.ended:
        return
    named = session.state or "live"
    if conversation.activity.attendance.is_left_by_customers:
        left = conversation.log.sides.last_leave.get(Role.CUSTOMER)
        yield warn("{}, though every customer has left", named, about=left)
    online = str(session.user_data.get("IsOnline")).casefold()
    if not conversation.log.is_masked and online in ("false", "0"):
        yield warn("{}, though IsOnline in the user data says that the chat has ended", named)


def typing(conversation: Conversation) -> Iterator[Judgement]:
    """A participant who is present began to type, and nothing came of it for ten minutes."""
    present = set(conversation.present())
    for key, last in conversation.log.last_of.items():
        since = conversation.since(last.at)
        if last.type == MessageType.TYPING_STARTED and key in present and since and since > _TYPING:
            yield warn("{} began to type {} ago, and nothing came of it", who(last), since, about=last)


def gaps(conversation: Conversation) -> Iterator[Judgement]:
    """Indices that the log lacks, which is normal."""
    log = conversation.log
    if log.gaps:
        named = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in log.gaps)
        more = f" and {log.gaps_left_out} more" if log.gaps_left_out else ""
        yield ok(f"no message with index {named}{more}")


def connection(conversation: Conversation) -> Iterator[Judgement]:
    """When the recorder had no connection."""
    for one in conversation.outages:
        yield _outage(one, conversation)
    if conversation.stale and not conversation.has_ended:
        yield Judgement("warn", "{}", (conversation.stale,))
    elif conversation.recorded and not conversation.outages:
        yield ok(f"the {conversation.recorded} names no lost connection")
    elif conversation.log.is_empty:
        yield ok("the log is empty")


def _outage(one: Outage, conversation: Conversation) -> Judgement:
    end = one.back_at or conversation.now
    text, values = "the recorder was disconnected", list[Value]()
    if one.lost_at and end:
        text, values = f"{text} for {{}}", [max(end - one.lost_at, timedelta())]
    if one.message is None:
        return Judgement(
            "warn", f"{text}, to the end of the {conversation.recorded}", tuple(values), at=one.lost_at
        )
    return Judgement("warn", f"{text}: {{}}", (*values, one.message), at=one.lost_at)
