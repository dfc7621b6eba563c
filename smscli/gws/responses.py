"""What an HTTP answer says: what was asked for, or which error it is.

A refusal is told by the HTTP status or, with HTTP 200 too, by the body's `statusCode`.
"""

import http.client
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from smscli.errors import (
    AuthError,
    NotFound,
    NotPermitted,
    ServerError,
    SignInRefused,
    SmscliError,
    Throttled,
    WireError,
)
from smscli.gws import decode
from smscli.gws.http import Answer

_MEANINGS = {
    1: "a required parameter is missing",
    2: "a parameter is not valid in this state",
    3: "the operation is forbidden",
    4: "internal error",
    5: "the user lacks a permission",
    6: "no such resource",
    7: "done in part only",
    8: "the password must be changed first",
    9: "processing is incomplete",
    10: "the input is not valid",
    11: "the property can't be changed",
    12: "the resource can't be read",
    13: "the resource can't be created",
    14: "the resource can't be updated",
    15: "the resource can't be deleted",
    16: "the resource can't be assigned",
    17: "the resource can't be unassigned",
    18: "the resource exists already",
    19: "the resource is in use",
    20: "not signed in",
}
_BY_CODE: dict[int, type[SmscliError]] = {
    3: NotPermitted,
    5: NotPermitted,
    6: NotFound,
    8: AuthError,
    20: SignInRefused,
}
_BY_HTTP: dict[int, type[SmscliError]] = {
    401: SignInRefused,
    403: NotPermitted,
    404: NotFound,
    429: Throttled,
    503: Throttled,
}
_HINTS: dict[type[SmscliError], str] = {
    SignInRefused: "sign in again: `smscli auth login`",
    NotPermitted: "the user needs the feature api-multimedia-chat and a role that may read SMS sessions",
    AuthError: "change the password in the agent's desktop, then `smscli auth login`",
}

_T = TypeVar("_T")


def parsed(answer: Answer, parse: Callable[[object], _T], url: str, veiled: Callable[[str], str]) -> _T:
    """The answer as `parse` reads it. Raises what it is instead: a refusal, or nothing we know; in which the
    server's words are `veiled`."""
    good = 200 <= answer.status < 300
    status = None
    try:
        document = decode.decode(answer.body)
        status = decode.status_from_json(document)
        if good and status is None:
            return parse(document)
    except WireError as error:
        if good:
            met = decode.one_line(veiled(error.message))
            raise WireError(f"{met}, at {url}", hint=error.hint, http_status=answer.status) from error
    raise _refusal(answer, status, url, veiled)


def _refusal(
    answer: Answer, status: decode.Status | None, url: str, veiled: Callable[[str], str]
) -> SmscliError:
    code = status.code if status else None
    if answer.location and 300 <= answer.status < 400:
        return _redirect(answer, veiled(answer.location), url)
    kind = _BY_CODE.get(code or 0) or _BY_HTTP.get(answer.status, ServerError)
    said = f"the server answers: {_meaning(answer, status, veiled)}, at {url}"
    if kind is Throttled:
        return _throttled(answer, code, said)
    return kind(said, hint=_HINTS.get(kind), http_status=answer.status, status_code=code)


def _meaning(answer: Answer, status: decode.Status | None, veiled: Callable[[str], str]) -> str:
    """`internal error (statusCode 4, HTTP 500): what the server says of it`."""
    numbers = [f"statusCode {status.code}"] if status else []
    if answer.status != 200:
        numbers.append(f"HTTP {answer.status}")
    what = _MEANINGS.get(status.code) if status else http.client.responses.get(answer.status, "").lower()
    # Veiled before it is cut: half a secret is one too.
    said = f": {decode.one_line(veiled(status.message))}" if status and status.message else ""
    return f"{what or 'an error'} ({', '.join(numbers)}){said}"


def _throttled(answer: Answer, code: int | None, said: str) -> Throttled:
    seconds = answer.retry_after
    return Throttled(
        said if seconds is None else f"{said}: come back in {seconds:.0f} s",
        http_status=answer.status,
        status_code=code,
        retry_after=seconds,
    )


def _redirect(answer: Answer, location: str, url: str) -> ServerError:
    try:
        target = urlsplit(urljoin(url, location))
        origin = decode.one_line(f"{target.scheme}://{target.netloc.rpartition('@')[2]}")
    except ValueError:
        origin = "nowhere"
    return ServerError(
        f"the server redirects to {origin} (HTTP {answer.status}), at {url}",
        hint="redirects are not followed; if the Web Services are there, name them with --url",
        http_status=answer.status,
    )
