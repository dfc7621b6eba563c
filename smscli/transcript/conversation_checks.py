"""The checks that judge a whole conversation, at the end of its log."""

from collections.abc import Iterator
from datetime import timedelta

from smscli.model import MessageType, Session, State
from smscli.transcript.judging import Conversation, Judgement, Outage, Result, Value, ok, warn, who

_WAIT_SECONDS = 120.0
_INVITATION = timedelta(minutes=1)
_TYPING = timedelta(minutes=10)
_WAITED_LONG = timedelta(minutes=5)
_LEFT_ALONE = timedelta(minutes=10)


def waiting(conversation: Conversation) -> Iterator[Judgement]:
    """A customer waits: `warn` from 2 minutes, `fail` from the limit."""
    wait = conversation.wait
    if wait is None:
        return
    seconds = wait.seconds(conversation.now)
    if seconds is None:
        yield ok("a customer waits; how long is not known")
        return
    for_ = timedelta(seconds=seconds)
    limit = conversation.limit
    result: Result = "fail" if seconds >= limit else "warn" if seconds >= _WAIT_SECONDS else "ok"
    customer = wait.customer or "the customer"
    told, values = "last word is the customer's, not answered for {}: {}", list[Value]([for_, customer])
    if wait.no_agent:
        told, values = "no agent since {}: {} waits for {}", [wait.since, customer, for_]
    yield Judgement(result, told, tuple(values), wait.message_index, wait.since)


def agent(conversation: Conversation) -> Iterator[Judgement]:
    """A live session without an agent whom the customer can see."""
    activity = conversation.activity
    if not conversation.is_live:
        yield ok("the session has ended" if conversation.has_ended else "not judged: no state is known")
    elif activity.is_attended:
        return
    elif not activity.was_attended:
        since = conversation.since(activity.began_at)
        if since is None:
            yield ok("no agent has joined; since when is not known")
        else:
            yield Judgement(
                "ok" if since < _INVITATION else "warn",
                "no agent has joined for {}",
                (since,),
                at=activity.began_at,
            )
    else:
        left, waits = conversation.log.last_agent_leave, conversation.wait is not None
        text = "no agent is present" + (": {} left last" if left else "")
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
    session, log = conversation.session, conversation.log
    is_left = conversation.activity.is_left_by_customers
    if session and session.state == State.LEFT_CHAT and not conversation.activity.is_attended:
        left = log.last_agent_leave
        since = conversation.since(left.at) if left else None
        if left and since and since > _LEFT_ALONE:
            yield warn(
                "LeftChat, and no agent came back since {} left, {} ago",
                who(left),
                since,
                about=left,
                hint="find out why it was not completed",
            )
    unanswered = log.customer_left_unanswered if is_left else None
    if conversation.has_ended and not is_left:
        unanswered = log.unanswered_for(log.ended_at or log.last_at)
    if unanswered and unanswered[1] >= _WAITED_LONG:
        asked, waited = unanswered
        how = "{} left" if is_left else "the session ended"
        told = f"{how} after a text that had waited {{}} for an answer"
        yield warn(told, *([who(asked)] if is_left else []), waited, about=asked)
    if is_left or conversation.has_ended:
        yield _how_it_ended(conversation, session)


def _how_it_ended(conversation: Conversation, session: Session | None) -> Judgement:
    log = conversation.log
    texts: list[str] = []
    values: list[Value] = []
    if session and session.ended:
        texts.append("ended")
        if session.state:
            texts[0], values = "ended ({})", [session.state]
    first = next(iter(log.departed.values()), None)
    if first:
        texts.append("{} left first, at {}" if first.at else "{} left first")
        values += [who(first), *([first.at] if first.at else [])]
        notice = log.inactivity_notice
        if notice and _is_before(notice.order, first.order):
            texts.append("after a notice of inactivity")
    elif log.inactivity_notice:
        texts.append("after a notice of inactivity")
    return ok(", ".join(texts), *values, about=first)


def _is_before(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one < other


def state(conversation: Conversation) -> Iterator[Judgement]:
    """The state says that the session is live, and its log or user data says otherwise."""
    session = conversation.session
    if session is None:
        yield ok("not judged: no state is known")
        return
    if session.ended:
        return
    named = session.state or "live"
    if conversation.activity.is_left_by_customers:
        left = conversation.log.last_customer_leave
        yield warn("{}, though every customer has left", named, about=left)
    online = str(session.user_data.get("IsOnline")).casefold()
    if not conversation.is_masked and online in ("false", "0"):
        yield warn("{}, though the user data says that the customer is not online", named)


def typing(conversation: Conversation) -> Iterator[Judgement]:
    """Somebody who is present began to type, and nothing came of it for ten minutes."""
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
    if conversation.is_recorded and not conversation.outages:
        yield ok("the recording names no lost connection")


def _outage(one: Outage, conversation: Conversation) -> Judgement:
    end = one.back_at or conversation.now
    text, values = "the recorder was disconnected", list[Value]()
    if one.lost_at and end:
        text, values = f"{text} for {{}}", [max(end - one.lost_at, timedelta())]
    if one.message is None:
        return Judgement("warn", f"{text}, to the end of the recording", tuple(values), at=one.lost_at)
    return Judgement("warn", f"{text}: {{}}", (*values, one.message), at=one.lost_at)
