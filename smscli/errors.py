"""The error classes, each with a kind and an exit code; `cli` turns them into text and the exit status.

Exception
├── ReaderGone               broken pipe: silent, exit 141
└── SmscliError              internal     1   itself: a bug in smscli
    ├── UsageError           usage        2
    ├── ConfigError          config       1   the configuration can't be read or written
    │   └── NotConfigured    config       4   nothing says which server
    ├── AuthError            auth         4   no usable secret
    │   ├── SignInRefused    auth         4   the server rejects the secret
    │   └── NotPermitted     auth         4   the server accepts it, but forbids the read
    ├── NotFound             not_found    5
    ├── ServerError          server       1   the server answered with an error
    │   ├── Redirected       server       1   a redirect, which is not followed
    │   └── ServerBusy       server       1   429 or 503: retry later
    ├── WireError            wire         1   the response is invalid
    │   └── ResponseTooLarge wire         1   over the size limit
    ├── Unreachable          unreachable  3   no response
    │   ├── RequestTimeout   unreachable  3
    │   │   └── HandshakeTimeout  unreachable  3  no TLS in time; retried only while following
    │   └── TlsError         unreachable  3   TLS verification failed; never retried
    └── LocalError           io           1   a local file or the output
"""

from collections.abc import Collection
from typing import ClassVar

UNREACHABLE_HINT = "is the URL right, and is the server up? some are reached through a VPN only"
HTTPS_HINT = "is it https:// in place of http://?"
CHECK_FAILED = 6
"""Exit code of `check` when it found something that needs action."""


class ReaderGone(Exception):
    """The reader of our output has closed it (broken pipe)."""


class SmscliError(Exception):
    """An error with a one-line `message`, a next step (`hint`), and a kind and exit code for scripts.

    `http_status` and `status_code` are from the server's response, None without one; `status_code` is the
    `statusCode` of the Return Values page. `retry_after` is its `Retry-After`, in seconds.
    """

    kind: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        http_status: int | None = None,
        status_code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.http_status = http_status
        self.status_code = status_code
        self.retry_after = retry_after

    @property
    def facts(self) -> dict[str, object]:
        """What the JSON object of an error has."""
        return {
            "kind": self.kind,
            "exitCode": self.exit_code,
            "message": self.message,
            "hint": self.hint,
            "httpStatus": self.http_status,
            "statusCode": self.status_code,
        }


class UsageError(SmscliError):
    kind = "usage"
    exit_code = 2


class ConfigError(SmscliError):
    kind = "config"


class NotConfigured(ConfigError):
    exit_code = 4


class AuthError(SmscliError):
    kind = "auth"
    exit_code = 4


class SignInRefused(AuthError):
    pass


class NotPermitted(AuthError):
    pass


class NotFound(SmscliError):
    kind = "not_found"
    exit_code = 5


class ServerError(SmscliError):
    kind = "server"


class Redirected(ServerError):
    """The server redirects; `to_https`: to the same host with TLS, which is no sign-in."""

    to_https = False


class ServerBusy(ServerError):
    """429 or 503."""


class WireError(SmscliError):
    kind = "wire"


class ResponseTooLarge(WireError):
    """A response over the size limit; it was dropped."""


class Unreachable(SmscliError):
    kind = "unreachable"
    exit_code = 3


class RequestTimeout(Unreachable):
    pass


class HandshakeTimeout(RequestTimeout):
    """The server accepts the connection and sends no TLS: it is busy, or has none."""


class TlsError(Unreachable):
    pass


class LocalError(SmscliError):
    kind = "io"


def did_you_mean(meant: str | None, hint: str | None) -> str | None:
    """`hint`, preceded by a suggestion when `meant` is one."""
    return " ".join(filter(None, (f"did you mean {meant}?" if meant else None, hint))) or None


def unknown_name(what: str, name: str, known: Collection[str], examples: str | None = None) -> UsageError:
    """The error for a name that is none of `known`: its hint has the nearest ones, and all or `examples`."""
    from difflib import get_close_matches

    spelled = {one.casefold(): one for one in sorted(known)}
    near = [repr(spelled[one]) for one in get_close_matches(name[:100].casefold(), spelled)]
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return UsageError(
        f"there is no {what} {name!r}", hint=meant + (examples or f"{what}s: {', '.join(known)}")
    )
