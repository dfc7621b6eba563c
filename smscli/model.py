"""Sessions, messages and participants as frozen records, and the events of following.

Types, states and roles are plain strings, compared with the names below: the server's documentation lists no
complete set of any, so unknown values pass through unchanged.

Records that every command loads are named tuples where possible: defining a frozen dataclass takes seven
times as long, at each start.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

Json = Mapping[str, object]
"""A JSON object as the server sent it; never modified."""

_NOTHING: Json = {}


class MessageType(StrEnum):
    """Message types of the SMS Session Resource page; the last two are from related pages."""

    TEXT = "Text"
    JOINED = "ParticipantJoined"
    LEFT = "ParticipantLeft"
    REJOINED = "ParticipantRejoined"
    TYPING_STARTED = "TypingStarted"
    TYPING_STOPPED = "TypingStopped"
    PUSH_URL = "PushUrl"
    NOTICE = "Notice"
    TRANSCRIPT_SAVE_DONE = "TranscriptSaveDone"
    CUSTOM_NOTICE = "CustomNotice"
    SYSTEM_COMMAND = "SystemCommand"


class Role(StrEnum):
    """The role of a participant. A supervisor is an Agent too, with another `visibility`."""

    AGENT = "Agent"
    CUSTOMER = "Customer"


_ROLES = {"agent": Role.AGENT, "customer": Role.CUSTOMER, "client": Role.CUSTOMER}


def role_of(kind: str | None) -> Role | None:
    """The role of a participant's type, whatever its case; sibling media call a customer `Client`."""
    return _ROLES.get(kind.casefold()) if kind else None


class State(StrEnum):
    """States named on the SMS pages; any other one is live."""

    INVITED = "Invited"
    CHATTING = "Chatting"
    LEFT_CHAT = "LeftChat"
    COMPLETED = "Completed"
    REVOKED = "Revoked"


ENDED_STATES = frozenset({State.LEFT_CHAT, State.COMPLETED, State.REVOKED})
TYPING_TYPES = frozenset({MessageType.TYPING_STARTED, MessageType.TYPING_STOPPED})
SAID_TYPES = frozenset({MessageType.TEXT, MessageType.PUSH_URL})
"""The types of messages that somebody wrote to somebody."""

VISIBLE_TO_ALL = "All"


def caseless(text: str) -> str:
    """`text` for comparing names: case is ignored, and so is how accented letters are composed (NFC)."""
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    return normalize("NFC", normalize("NFC", text).casefold())


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant of a session, or the `from` of a message."""

    type: str | None = None
    nickname: str | None = None
    participant_id: str | None = None
    visibility: str | None = None
    sent: Json = field(default_factory=lambda: _NOTHING, compare=False, repr=False)

    @property
    def role(self) -> Role | None:
        return role_of(self.type)

    @property
    def person(self) -> tuple[str | None, str | None]:
        """Identifies the person in displays and colours: type, and nickname or else participantId."""
        return (self.type, self.nickname if self.nickname else self.participant_id)

    @property
    def key(self) -> object:
        """Tells the participants of one session apart."""
        return self.participant_id or self.person

    @property
    def name(self) -> str:
        """The name to display: the nickname, else the participantId."""
        return self.nickname or self.participant_id or "somebody"


@dataclass(frozen=True, slots=True)
class Session:
    """One SMS session. Everything but the id may be missing (SMSComplete sends three fields). `gone`: it has
    ended, though its last state, in a recording, is not one of the ended ones."""

    id: str
    state: str | None = None
    uri: str | None = None
    participants: tuple[Participant, ...] = ()
    capabilities: tuple[str, ...] = ()
    user_data: Json = field(default_factory=lambda: _NOTHING)
    received: datetime | None = None
    comment: str | None = None
    sent: Json = field(default_factory=lambda: _NOTHING, compare=False, repr=False)
    gone: bool = False

    @property
    def ended(self) -> bool:
        """Whether it has ended: its state is one of the ended states, or it is gone."""
        return self.gone or self.state in ENDED_STATES

    def nicknames(self, role: Role) -> list[str]:
        """The nicknames of its participants of one role, in the server's order."""
        return [one.nickname for one in self.participants if one.role == role and one.nickname]


# Not frozen, which would make each of a million six times as slow to create; nothing changes one.
@dataclass(slots=True)
class Message:
    """One line of a session's log.

    `index` is None if the server sent none; -1 (TranscriptSaveDone) has no place in the order. `at` is
    aware and in UTC, None if absent or unparsable. `sent` is the server's own object, for export.
    `original` is the message that this one masks, for filters only.
    """

    session_id: str
    index: int | None
    type: str
    sender: Participant | None = None
    visibility: str | None = None
    at: datetime | None = None
    text: str | None = None
    url: str | None = None
    notice: str | None = None
    attachment: Json | None = None
    late: bool = False
    sent: Json = field(default_factory=lambda: _NOTHING, compare=False, repr=False)
    original: "Message | None" = field(default=None, compare=False, repr=False)

    @property
    def order(self) -> int | None:
        """Its position in the log; None without one."""
        return self.index if self.index is not None and self.index >= 0 else None

    @property
    def unmasked(self) -> "Message":
        """The message that filters judge: the original of a masked one."""
        if self.original is None:
            return self
        return replace(self.original, late=True) if self.late else self.original

    @property
    def participant_id(self) -> str | None:
        return self.sender.participant_id if self.sender else None

    @property
    def is_public(self) -> bool:
        """The SMS Session Resource page gives each message a visibility; where it lacks one, its sender's
        (which SMSSendUrl sends) counts, else it is for all."""
        visibility = self.visibility or (self.sender and self.sender.visibility)
        return not visibility or visibility == VISIBLE_TO_ALL

    @property
    def body(self) -> str:
        """Its content: text, url, notice or the attachment's name."""
        name = self.attachment.get("name") if self.attachment else None
        return self.text or self.url or self.notice or (name if isinstance(name, str) else "")

    @property
    def raw_time(self) -> str | None:
        """The server's timestamp if it can't be parsed, else None."""
        if self.at is not None:
            return None
        # A recording has it under the second key.
        raw = (self.sent.get("timestamp"), self.sent.get("timestampRaw"))
        return next((one for one in raw if isinstance(one, str)), None)

    @property
    def attachment_id(self) -> str | int | float | None:
        """The attachment's identifier, not its address: that may be signed anew at each read."""
        values = (self.attachment.get(name) for name in _ATTACHMENT_IDS) if self.attachment else ()
        names = (one for one in values if isinstance(one, str | int | float) and not isinstance(one, bool))
        return next(names, None)

    @property
    def identity(self) -> int:
        """A 64-bit hash of the fields that `key` is computed from (see `records`); for one process only."""
        return hash(
            (
                self.session_id,
                self.index,
                self.type,
                self.at or self.raw_time,
                self.participant_id,
                self.text,
                self.url,
                self.notice,
                # 1, 1.0 and true are equal, but not the same JSON.
                repr(self.attachment_id),
            )
        )


_ATTACHMENT_IDS = ("id", "fileId", "documentId", "name")


class Page(NamedTuple):
    """One response of the messages resource, and the server's clock (`Date`) at that time."""

    messages: tuple[Message, ...]
    at: datetime | None = None


_SHORTEST_PART = 4


class Listing(NamedTuple):
    """One response of the session list; `uris_only`: the server ignored `fields` and sent only URIs.

    `original` is the list that this one masks, for finding sessions only.
    """

    sessions: tuple[Session, ...]
    at: datetime | None = None
    uris_only: bool = False
    original: "Listing | None" = None

    def find(self, session_id: str) -> Session | None:
        return next((one for one in self.sessions if one.id == session_id), None)

    def named(self, name: str) -> tuple[Session, ...]:
        """The sessions that `name` may stand for: with this id, else with a customer of this nickname, else
        with an id that begins or ends with it (four characters or more). Case counts in whole ids only."""
        if self.original is not None:
            return self.original.named(name)
        sought = caseless(name)

        def is_part(session: Session) -> bool:
            folded = caseless(session.id)
            return len(name) >= _SHORTEST_PART and (folded.startswith(sought) or folded.endswith(sought))

        steps: tuple[Callable[[Session], bool], ...] = (
            lambda one: one.id == name,
            lambda one: sought in map(caseless, one.nicknames(Role.CUSTOMER)),
            is_part,
        )
        found = (tuple(filter(step, self.sessions)) for step in steps)
        return next((one for one in found if one), ())

    def similar_id(self, name: str) -> str | None:
        """The id that is nearly `name`, None if there is none."""
        from difflib import get_close_matches

        ids = {caseless(one.id): one.id for one in self.sessions}
        return next(
            (ids[near] for near in get_close_matches(caseless(name)[:100], ids, n=1, cutoff=0.8)), None
        )


class Reads(Protocol):
    """Where sessions and messages come from: the server, a recording or a stream, masked or not.

    Each read raises SmscliError. `retries` is how often a read that failed temporarily is repeated,
    by default as often as in a one-shot command.
    """

    def sessions(self, *, retries: int | None = None) -> Listing:
        """The sessions of the signed-in user, of a recording or of a stream."""
        ...

    def page(
        self,
        session_id: str,
        start: int | None = None,
        count: int | None = None,
        *,
        retries: int | None = None,
    ) -> Page:
        """One page of a session's messages, from index `start` on and at most `count` of them."""
        ...

    def messages(
        self, session_id: str, start: int = 1, *, on_wait: Callable[[], None] = ...
    ) -> Iterator[Page]:
        """All messages of a session from index `start` on, page by page; only the first can be empty."""
        ...


class NewMessages(NamedTuple):
    """New messages of one session, in the log's order; `first` while its log is read for the first time, and
    then `done` with the last page, which may be empty. `at` is the server's clock."""

    session_id: str
    messages: tuple[Message, ...]
    at: datetime | None = None
    first: bool = False
    done: bool = True


class ListRead(NamedTuple):
    """A successful read of the list; of several profiles of one server their lists as one, complete once each
    of them was read."""

    listing: Listing
    is_complete: bool = True


class SessionStarted(NamedTuple):
    """A session is followed from now on; `announce` is False for those that existed at the start."""

    session: Session
    announce: bool = True


class SessionEnded(NamedTuple):
    """A session has ended and its log was read to the end."""

    session_id: str
    state: str | None


class Notice(NamedTuple):
    """A notice about following, sent once; `kind` is a notice kind."""

    kind: str
    message: str
    session_id: str | None = None


class ReaderChanged(NamedTuple):
    """The log of a session is read by another profile from now on, whose view of it is shown."""

    session_id: str


class ProfileFailed(NamedTuple):
    """A profile can't be read, while others can; `is_retried`: it is tried again."""

    message: str
    is_retried: bool


class Idle(NamedTuple):
    """Nothing to read for `seconds`, or until a wake-up: time to flush output."""

    seconds: float


Event = NewMessages | ListRead | SessionStarted | SessionEnded | ReaderChanged | ProfileFailed | Notice | Idle


class WakeKind(StrEnum):
    """What a wake-up asks for, or the state of the push channel."""

    MESSAGES = "messages"
    LIST = "list"
    EVERYTHING = "everything"
    BROKEN = "broken"
    OFF = "off"


class Wake(NamedTuple):
    """A hint from the push channel: read one session's messages, the list, or everything after a break.

    `BROKEN`: the channel is down, and nothing will be pushed before the next `EVERYTHING`.
    `OFF`: there is no push at this server, `reason` says why.
    """

    kind: WakeKind
    session_id: str | None = None
    reason: str | None = None
