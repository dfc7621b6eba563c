"""What a follow asks the server for, and what comes back: the door between its scheduler and the threads
that read."""

from typing import NamedTuple

from smscli.model import Listing, Page


class ListRequest(NamedTuple):
    """The session list; the first one of a run is repeated like a one-shot command's."""

    is_first: bool = False


class MessagesRequest(NamedTuple):
    """One session's messages from index `start` on (`startIndex`), at most `length` of them (`count`).

    A 404 is answered by NotFound, without asking the list.
    """

    session_id: str
    start: int | None
    length: int | None


class SignInRequest(NamedTuple):
    """Sign in again: cookies dropped, the secret read again, one `GET me`."""


Request = ListRequest | MessagesRequest | SignInRequest


class Answer(NamedTuple):
    """What became of a request after so many `seconds`: a result or an error; a sign-in has neither."""

    request: Request
    result: Listing | Page | None = None
    error: Exception | None = None
    seconds: float = 0.0
