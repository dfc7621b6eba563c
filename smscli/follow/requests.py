"""The requests that `feed` starts, and their results, which the reading threads return."""

from typing import NamedTuple

from smscli.follow.cursor import PageRequest
from smscli.model import Listing, Page


class ListRequest(NamedTuple):
    """The session list; the first one of a run is retried as in a one-shot command."""

    is_first: bool = False


class MessagesRequest(NamedTuple):
    """A page of a session's messages; a 404 must result in NotFound without asking the list."""

    session_id: str
    page: PageRequest


class SignInRequest(NamedTuple):
    """Sign in again: drop the cookies, read the secret again, `GET me`."""


Request = ListRequest | MessagesRequest | SignInRequest


class ReadResult(NamedTuple):
    """The result of a request or its error, neither for a sign-in that succeeded; it took `seconds`."""

    request: Request
    result: Listing | Page | None = None
    error: Exception | None = None
    seconds: float = 0.0
