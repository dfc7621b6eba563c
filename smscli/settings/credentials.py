"""Secrets: found in the environment, by a password command or in the keyring; kept in the keyring alone.

A keyring is somebody else's program: it may be missing, locked, broken or silent, and each of these is an
AuthError that says how to do without.
"""

import base64
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Protocol, TypeVar

from smscli.errors import AuthError
from smscli.signals import signals_deferred

_SERVICE = "smscli"
_COMMAND_SECONDS = 10.0
_KEYRING_SECONDS = 5.0
# A person may have to find and type the keyring's own password.
_KEYRING_SECONDS_ON_A_TERMINAL = 60.0
_SILENT_SECONDS = 1.0
_AFTERWARDS_SECONDS = 0.5
# Windows does not let Ctrl-C into a wait before it ends.
_SLICE_SECONDS = 0.1
_LONGEST_LINE = 65536
_DO_WITHOUT = "set SMSCLI_PASSWORD or SMSCLI_TOKEN, or give the profile a password_command"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Credential:
    """Who signs in, with what, and where the secret came from. AuthError where HTTP could not carry it.

    `user` is None where nobody said whose token it is; `scheme` is "basic" or "token"; `source` is
    "environment", "command", "keyring", "demo", or "login" for a secret just typed or piped in.
    """

    user: str | None
    scheme: str
    secret: str = field(repr=False)
    source: str

    def __post_init__(self) -> None:
        if self.scheme == "token":
            if (
                not self.secret
                or " " in self.secret
                or not (self.secret.isascii() and self.secret.isprintable())
            ):
                raise AuthError(
                    f"the token ({self.source}) is empty, or has a character in it that no token has"
                )
            return
        if not self.secret:
            raise AuthError(f"the password ({self.source}) is empty")
        if not self.user or any(sign == ":" or sign < " " or sign == "\x7f" for sign in self.user):
            raise AuthError("the user name is empty, or has a colon or a control character in it")
        self.header()

    def header(self) -> str:
        """The value of the `Authorization` header; Basic is Latin-1 where it fits, else UTF-8."""
        if self.scheme == "token":
            return f"Bearer {self.secret}"
        pair = f"{self.user}:{self.secret}"
        try:
            content = pair.encode("latin-1")
        except UnicodeEncodeError:
            # What the environment holds beside the locale's encoding arrives as surrogates for its bytes.
            content = self._encoded(pair)
        return f"Basic {base64.b64encode(content).decode()}"

    def _encoded(self, pair: str) -> bytes:
        try:
            return pair.encode("utf-8", sys.getfilesystemencodeerrors())
        except UnicodeEncodeError:
            # Its own words would hold the pair.
            raise AuthError(f"user or password ({self.source}) has half a character in it") from None


class SignIn(Protocol):
    """What of the settings decides whose secret is wanted; `password` and `token` are the environment's."""

    @property
    def profile(self) -> str | None: ...
    @property
    def origin(self) -> str | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def auth(self) -> str: ...
    @property
    def password(self) -> str | None: ...
    @property
    def token(self) -> str | None: ...
    @property
    def password_command(self) -> tuple[str, ...]: ...


class Backend(Protocol):
    """What we use of a keyring back end."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


def account(auth: str, user: str | None, profile: str | None, origin: str | None) -> str | None:
    """The keyring's name for a secret, `USER@https://host:443`; USER is the profile's name for a token."""
    owner = profile if auth == "token" else user
    return f"{owner}@{origin}" if owner and origin else None


def find(sign_in: SignIn, store: "Keyring") -> Credential:
    """The environment's secret, else the password command's, else the keyring's.

    AuthError where there is none that can be used, with the next step.
    """
    if sign_in.token:
        return Credential(sign_in.user, "token", sign_in.token, "environment")
    if sign_in.auth == "basic" and not sign_in.user:
        raise AuthError(
            "no user to sign in with", hint=f"name one with --user, or sign in: {_login(sign_in.profile)}"
        )
    if sign_in.password:
        return Credential(sign_in.user, "basic", sign_in.password, "environment")
    if sign_in.password_command:
        return Credential(
            sign_in.user, sign_in.auth, run_password_command(sign_in.password_command), "command"
        )
    return _kept(sign_in, store)


def _kept(sign_in: SignIn, store: "Keyring") -> Credential:
    name = account(sign_in.auth, sign_in.user, sign_in.profile, sign_in.origin)
    secret = store.get(name) if name else None
    if secret is None:
        what, variable = ("token", "TOKEN") if sign_in.auth == "token" else ("password", "PASSWORD")
        raise AuthError(
            f"no {what} is kept for {name or sign_in.user}",
            hint=f"sign in: {_login(sign_in.profile)}, or set SMSCLI_{variable}",
        )
    return Credential(sign_in.user, sign_in.auth, secret, "keyring")


def _login(profile: str | None) -> str:
    named = f" --profile {shlex.quote(profile)}" if profile not in (None, "default") else ""
    return f"smscli auth login{named}"


class Keyring:
    """The system's keyring, asked in a thread of its own, so that one that hangs holds up only its answer.

    Accounts are those of `account`. Every method raises AuthError: a keyring that is missing, locked, broken
    or plain text, or does not answer in time: `limit` seconds, else 60 where a person can unlock it
    (`on_terminal`; `notice` is then told that we wait) and 5 where nobody can.
    """

    def __init__(
        self,
        *,
        on_terminal: bool,
        notice: Callable[[str], None],
        load: Callable[[], Backend] | None = None,
        limit: float | None = None,
        silent: float = _SILENT_SECONDS,
    ) -> None:
        self._on_terminal = on_terminal
        self._notice = notice
        self._load = load or _system_keyring
        self._limit = limit or (_KEYRING_SECONDS_ON_A_TERMINAL if on_terminal else _KEYRING_SECONDS)
        self._silent = silent
        self._backend: Backend | None = None

    def get(self, account: str) -> str | None:
        """The secret of an account, None where none is kept."""
        secret = self._ask(lambda keyring: keyring.get_password(_SERVICE, account))
        if secret is not None and not isinstance(secret, str):
            raise AuthError("the keyring gives something that is no text", hint=_DO_WITHOUT)
        return secret

    def set(self, account: str, secret: str) -> None:
        """Keep a secret in place of the account's last one, and see that it is kept."""

        def keep(keyring: Backend) -> bool:
            keyring.set_password(_SERVICE, account, secret)
            return keyring.get_password(_SERVICE, account) == secret

        # A keyring that can't be used says why only where its words can hold no secret.
        self.get(account)
        if not self._ask(keep, is_given=True):
            raise AuthError("the keyring does not keep what it is given", hint=_DO_WITHOUT)

    def delete(self, account: str) -> bool:
        """Forget the account's secret; False where there was none."""

        def forget(keyring: Backend) -> bool | None:
            if keyring.get_password(_SERVICE, account) is None:
                return False
            keyring.delete_password(_SERVICE, account)
            return True if keyring.get_password(_SERVICE, account) is None else None

        forgotten = self._ask(forget)
        if forgotten is None:
            raise AuthError(
                "the keyring does not forget what it is told to", hint="remove it with its own tool"
            )
        return forgotten

    def _ask(self, question: Callable[[Backend], _T], *, is_given: bool = False) -> _T:
        answers: list[_T] = []
        failures: list[BaseException] = []
        done = threading.Event()

        def ask() -> None:
            try:
                self._backend = self._backend or self._load()
                answers.append(question(self._backend))
            except BaseException as error:
                failures.append(error)
            finally:
                done.set()

        threading.Thread(target=ask, name="keyring", daemon=True).start()
        self._wait(done)
        if failures:
            raise _explained(failures[0], is_given=is_given)
        return answers[0]

    def _wait(self, done: threading.Event) -> None:
        begun, told = time.monotonic(), not self._on_terminal
        while not done.wait(_SLICE_SECONDS):
            waited = time.monotonic() - begun
            if waited >= self._limit:
                raise AuthError(
                    f"the keyring did not answer within {self._limit:g} seconds", hint=_DO_WITHOUT
                )
            if waited >= self._silent and not told:
                told = True
                self._notice("waiting for the keyring to be unlocked")


def _system_keyring() -> Backend:
    """The back end that the keyring library chooses or is told to use. AuthError for a plain-text one."""
    import logging

    import keyring.core

    # The library logs a plug-in that does not load with its traceback, which would end up on stderr.
    logging.getLogger("keyring").addHandler(logging.NullHandler())
    keyring.core.init_backend(keyring.core.recommended)
    chosen = keyring.get_keyring()
    # The limit above passes over these, but not where the library's own configuration asks for one.
    if any(base.__name__ == "PlaintextKeyring" for base in type(chosen).__mro__):
        raise AuthError("the keyring library is set to keep secrets as plain text", hint=_DO_WITHOUT)
    return chosen


def _explained(error: BaseException, *, is_given: bool) -> AuthError:
    """An error of a back end in our words. One that was given a secret may repeat it in any form: of its own
    words nothing is told."""
    from keyring import errors

    if isinstance(error, AuthError):
        return error
    said = "" if is_given else _said(error)
    if isinstance(error, errors.NoKeyringError):
        explained = AuthError("there is no keyring on this machine", hint=_DO_WITHOUT)
    elif isinstance(error, errors.KeyringLocked):
        explained = AuthError("the keyring is locked", hint=f"unlock it; or {_DO_WITHOUT}")
    else:
        explained = AuthError(f"the keyring can't be used: {said or type(error).__name__}", hint=_DO_WITHOUT)
    explained.__cause__ = None if is_given else error
    return explained


def _said(error: BaseException) -> str:
    """A back end's own words on one short line."""
    try:
        return " ".join(str(error).split())[:200]
    except Exception:
        return ""


def run_password_command(command: Sequence[str], limit: float = _COMMAND_SECONDS) -> str:
    """The first line that a password command prints, run without a shell, a terminal or our standard input.

    AuthError, which names only the command's first word: not found, failed, nothing said, or not ended
    within `limit` seconds; it is then killed with all it started.
    """
    lines: list[bytes] = []
    ended, process = False, None
    try:
        # A signal between the starts would leave it running, or unread.
        with signals_deferred():
            process = _started(command)
            reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
            reader.start()
        ended = _ended(process, reader, lines, limit)
    finally:
        if process is not None and not ended:
            _kill(process)
    if not ended:
        raise _unusable(command, f"did not end within {limit:g} seconds")
    if process.returncode != 0:
        raise _unusable(command, f"failed with exit code {process.returncode}")
    line = lines[0].rstrip(b"\r\n")
    if not 0 < len(line) < _LONGEST_LINE:
        raise _unusable(command, "printed nothing on its first line, or far too much")
    return line.decode("utf-8", "surrogateescape")


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _unusable(command, "can't be run") from error


def _unusable(command: Sequence[str], what: str) -> AuthError:
    return AuthError(
        f"the password_command {command[0]!r} {what}", hint="run it by hand, or mend it in the config file"
    )


def _read(stream: IO[bytes], lines: list[bytes]) -> None:
    """Take the first line; read on, so that a command with more to say can end."""
    with stream:
        lines.append(stream.readline(_LONGEST_LINE))
        while stream.read(_LONGEST_LINE):
            pass


def _ended(
    process: subprocess.Popen[bytes], reader: threading.Thread, lines: list[bytes], limit: float
) -> bool:
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        return False
    # What it started, an agent perhaps, may hold its output open for as long as it likes.
    reader.join(_AFTERWARDS_SECONDS)
    return bool(lines)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command together with its children, which may hold its output or wait for a person."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
