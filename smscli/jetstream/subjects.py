"""The subjects of a stream: one for each session's messages, its states, and each collector."""

import re
from hashlib import sha256
from typing import Literal, NamedTuple

Kind = Literal["message", "session", "collector"]

MESSAGE: Kind = "message"
SESSION: Kind = "session"
COLLECTOR: Kind = "collector"
ACCOUNT_HEADER = "Smscli-Account"
"""The header of a state that says which account saw it: the profiles of two users may have one name."""

_ESCAPED = re.compile(b"[^A-Za-z0-9_-]")
_TOKEN = re.compile("=|(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
# NATS has no empty token; an `=` without two digits behind it occurs in no other.
_EMPTY = "="


class SubjectParts(NamedTuple):
    """What a subject names: of a message or session its site and id, of a collector its name."""

    kind: Kind
    site: str | None = None
    session_id: str | None = None
    collector: str | None = None


def subjects_of(stream: str) -> list[str]:
    """The subjects that a stream of ours is configured with."""
    return [all_of(stream, kind) for kind in (MESSAGE, SESSION, COLLECTOR)]


def all_of(stream: str, kind: Kind) -> str:
    """The wildcard of all subjects of one kind."""
    return f"{stream}.{kind}.*" if kind == COLLECTOR else f"{stream}.{kind}.*.*"


def message_subject(stream: str, site: str, session_id: str) -> str:
    return f"{stream}.{MESSAGE}.{encode_token(site)}.{encode_token(session_id)}"


def session_subject(stream: str, site: str, session_id: str) -> str:
    return f"{stream}.{SESSION}.{encode_token(site)}.{encode_token(session_id)}"


def collector_subject(stream: str, name: str) -> str:
    return f"{stream}.{COLLECTOR}.{encode_token(name)}"


def account_id(server: str, user: str) -> str:
    """A user of a server, without naming anybody."""
    return sha256(f"{server}\n{user}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def parse_subject(subject: str) -> SubjectParts | None:
    """What a subject of any stream of ours names; None for one that isn't ours."""
    try:
        match subject.split("."):
            case [_, "message" | "session" as kind, site, session_id]:
                return SubjectParts(kind, decode_token(site), decode_token(session_id))
            case [_, "collector", name]:
                return SubjectParts(COLLECTOR, collector=decode_token(name))
    except ValueError:
        pass
    return None


def encode_token(text: str) -> str:
    """Text as one token of a subject: every byte of its UTF-8 outside `A-Z a-z 0-9 _ -` becomes `=HH`, a
    lone surrogate's too, and the empty text a single `=`."""
    data = text.encode("utf-8", "surrogatepass")
    return _ESCAPED.sub(lambda match: b"=%02X" % match[0][0], data).decode("ascii") or _EMPTY


def decode_token(token: str) -> str:
    """The text of a token. ValueError for a token that `encode_token` doesn't make."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"not a token: {token!r}")
    if token == _EMPTY:
        return ""
    data = re.sub(b"=(..)", lambda match: bytes.fromhex(match[1].decode()), token.encode())
    text = data.decode("utf-8", "surrogatepass")
    if encode_token(text) != token:
        raise ValueError(f"not a token: {token!r}")
    return text
