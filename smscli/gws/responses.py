"""What an HTTP response of the server means, for REST and CometD alike: a document or one of our errors.

A refusal shows in the HTTP status or, with HTTP 200 too, in the body's `statusCode` (Return Values page).
"""

import http.client
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from smscli.errors import (
    HTTPS_HINT,
    AuthError,
    HandshakeTimeout,
    NotFound,
    NotPermitted,
    Redirected,
    RequestTimeout,
    ServerBusy,
    ServerError,
    SignInRefused,
    SmscliError,
    TlsError,
    Unreachable,
    WireError,
)
from smscli.gws import decode, json_body
from smscli.gws.http import HttpResponse

_STATUS_CODES = {
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
_ERRORS_BY_STATUS_CODE: dict[int, type[SmscliError]] = {
    3: NotPermitted,
    5: NotPermitted,
    6: NotFound,
    8: AuthError,
    20: SignInRefused,
}
_ERRORS_BY_HTTP_STATUS: dict[int, type[SmscliError]] = {
    401: SignInRefused,
    403: NotPermitted,
    404: NotFound,
    429: ServerBusy,
    503: ServerBusy,
}
_HINTS: dict[type[SmscliError], str] = {
    SignInRefused: "sign in again: `smscli auth login`",
    NotPermitted: "the user needs the feature api-multimedia-chat and a role that may read SMS sessions",
    AuthError: "change the password in the agent's desktop, then `smscli auth login`",
}
_REDIRECT_HINT = "redirects are not followed; if the Web Services are there, name them with --url"
_SSO_HINT = (
    "this looks like single sign-on (SSO): sign in with a browser, and give its cookie to "
    "`smscli auth login --cookie-stdin`; if the Web Services are there, name them with --url"
)
# What nginx, Apache, Tomcat and Go answer to plain HTTP at a port for TLS.
_TLS_ONLY = re.compile(rb"HTTPS (?:port|server)|SSL-enabled|requires TLS")
_INTERNAL_ERROR = 4
_INVALID_PARAMETER = (2, 10)
# CometD answers 408 to a connect that a newer one replaces; a server without CometD may answer 501 to a POST.
_REQUEST_TIMEOUT, _NOT_IMPLEMENTED = 408, 501
_RETRY_SECONDS = 0.5

# Without the control characters that Python takes for blanks: those are to be made visible.
_BLANKS = re.compile(r"[^\S\x0b\x0c\x1c-\x1f\x85]+")

_T = TypeVar("_T")


def parse(
    response: HttpResponse,
    parser: Callable[[object], _T],
    url: str,
    mask: Callable[[str], str],
    *,
    by_cookie: bool = False,
) -> tuple[_T, object]:
    """The parsed value and the JSON document of a good response.

    Raises the error that the response means, WireError where it is none of the documented forms. The server's
    texts in errors go through `mask`. `by_cookie`: the sign-in is a cookie, so a redirect refuses it.
    """
    is_ok = 200 <= response.status < 300
    status = None
    try:
        document = json_body.decode(response.body)
        status = decode.status_from_json(document)
        if is_ok and status is None:
            return parser(document), document
    except WireError as error:
        if is_ok:
            message = f"{one_line(mask(error.message))}, at {url}"
            raise type(error)(message, hint=error.hint, http_status=response.status) from error
    raise _refusal(response, status, url, mask, by_cookie)


def is_temporary(error: SmscliError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, Unreachable):
        return not isinstance(error, TlsError)
    http_status = error.http_status or 0
    return (
        isinstance(error, ServerBusy | json_body.TruncatedJson)
        or (http_status >= 500 and http_status != _NOT_IMPLEMENTED)
        or http_status == _REQUEST_TIMEOUT
        or error.status_code == _INTERNAL_ERROR
    )


def retry_pause(error: SmscliError, failures: int) -> float | None:
    """Seconds before the next try after this many failures in a row; None if another try can't help."""
    if not is_temporary(error) or isinstance(error, HandshakeTimeout):
        return None
    if isinstance(error, RequestTimeout) and failures > 1:
        return None
    if error.retry_after is not None:
        return error.retry_after
    return _RETRY_SECONDS * failures


def is_invalid_parameter(error: SmscliError) -> bool:
    """Whether the server refuses a value of the request, such as a `startIndex` beyond the end."""
    return error.status_code in _INVALID_PARAMETER


def is_csrf_refusal(response: HttpResponse) -> bool:
    """Whether a POST was refused for its CSRF token (CSRFProtection)."""
    return response.status == 403 and b"csrf" in response.body.lower()


def one_line(text: str) -> str:
    """A text of the server on one line of at most 200 characters, not yet sanitized."""
    line = _BLANKS.sub(" ", text).strip(" ")
    return line[:200] + "..." if len(line) > 200 else line


def _refusal(
    response: HttpResponse,
    status: decode.Status | None,
    url: str,
    mask: Callable[[str], str],
    by_cookie: bool,
) -> SmscliError:
    code = status.code if status else None
    is_redirect = 300 <= response.status < 400
    if is_redirect and (response.location or by_cookie):
        return _redirect(response, mask(response.location or ""), url, by_cookie)
    error_class = _ERRORS_BY_STATUS_CODE.get(code or 0) or _ERRORS_BY_HTTP_STATUS.get(
        response.status, ServerError
    )
    message = f"the server answers: {_meaning(response, status, mask)}, at {url}"
    if response.retry_after is not None:
        message += f": retry after {response.retry_after:.0f} s"
    wants_tls = response.status == 400 and url.startswith("http://") and _TLS_ONLY.search(response.body)
    return error_class(
        message,
        hint=HTTPS_HINT if wants_tls else _HINTS.get(error_class),
        http_status=response.status,
        status_code=code,
        retry_after=response.retry_after,
    )


def _meaning(response: HttpResponse, status: decode.Status | None, mask: Callable[[str], str]) -> str:
    """`internal error (statusCode 4, HTTP 500): the server's own message`."""
    numbers = [f"statusCode {status.code}"] if status else []
    if response.status != 200:
        numbers.append(f"HTTP {response.status}")
    http_reason = http.client.responses.get(response.status, "").lower()
    meaning = _STATUS_CODES.get(status.code) if status else http_reason
    # Masked before it is cut: half a secret is a secret too.
    detail = f": {one_line(mask(status.message))}" if status and status.message else ""
    return f"{meaning or 'an error'} ({', '.join(numbers)}){detail}"


def _redirect(response: HttpResponse, location: str, url: str, by_cookie: bool) -> SmscliError:
    asked, is_upgrade = urlsplit(url), False
    try:
        target = urlsplit(urljoin(url, location))
        origin = one_line(f"{target.scheme}://{target.netloc.rpartition('@')[2]}")
        # Without a port it is the same server, but for the scheme.
        is_elsewhere = target.hostname != asked.hostname or target.port not in (None, asked.port)
        is_upgrade = not is_elsewhere and target.scheme != asked.scheme
    except ValueError:
        origin, is_elsewhere = "an unreadable address", False
    message = f"the server redirects to {origin} (HTTP {response.status}), at {url}"
    if by_cookie and not is_upgrade:
        return SignInRefused(message, http_status=response.status)
    hint = _SSO_HINT if is_elsewhere else _REDIRECT_HINT
    error = Redirected(message, hint=hint, http_status=response.status)
    error.to_https = is_upgrade
    return error
