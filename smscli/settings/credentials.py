"""Secrets: read from the environment, a password command or the keyring; stored in the keyring only."""

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
from typing import IO, TYPE_CHECKING, Any, TypeVar

from smscli.errors import AuthError
from smscli.settings.auth_schemes import COOKIE, VARIABLES, AuthScheme, Header
from smscli.settings.config import Settings
from smscli.signals import call_in_thread, signals_deferred

if TYPE_CHECKING:
    from concurrent.futures import Future

    from keyring.backend import KeyringBackend

_SERVICE = "smscli"
# The place of `lflag` in the list that termios gives.
_LOCAL_FLAGS = 3
# The statusCode for a password that has to be changed (Return Values page).
_EXPIRED = 8
_COMMAND_SECONDS = 10.0
_KEYRING_SECONDS = 5.0
# The user may have to find and type the keyring's own password.
_KEYRING_SECONDS_ON_TERMINAL = 60.0
_NOTICE_AFTER_SECONDS = 1.0
_PIPE_SECONDS = 0.5
# On Windows Ctrl-C does not interrupt a wait.
_POLL_SECONDS = 0.1
_MAX_LINE = 65536
# Windows' Credential Manager stores 1,280 characters, and has no error of its own for more.
_LONG_SECRET = 1000
_WITHOUT_KEYRING = f"set {VARIABLES}, or give the profile a password_command"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Credential:
    """A user's secret and where it came from. AuthError where HTTP can't carry it.

    `user` is None for a token without a user name; `source` is "environment", "command", "keyring", "demo",
    "login" for a secret that was just typed or piped in, or "option" for one of `--password-command`.
    """

    user: str | None
    scheme: AuthScheme
    secret: str = field(repr=False)
    source: str

    def __post_init__(self) -> None:
        self.scheme.check(self.user, self.secret, self.source)

    def header(self) -> Header:
        """The header that signs in."""
        return self.scheme.header(self.user, self.secret)

    def explain_refusal(self, error: AuthError, profile: str | None) -> None:
        """Add to a server's refusal the user, the source of the secret, and a hint for that source."""
        variable, command = self.scheme.variable, f"password_command of profile {profile}"
        place, hint = {
            "environment": (variable, f"set {variable} anew"),
            "command": (command, f"see {command}"),
            "option": ("--password-command", "run the command by hand, and check the user"),
            "keyring": ("the keyring", f"sign in again: `{_login(profile, self.scheme)}`"),
            "demo": ("the demo server", "leave out --user"),
            "login": (
                "the prompt or standard input",
                f"check the {'user and the ' * self.scheme.needs_user}{self.scheme.secret_name}",
            ),
        }[self.source]
        if self.scheme is COOKIE and self.source in ("environment", "command"):
            hint += f", or sign in again: `{_login(profile, self.scheme)}`"
        owner = f" of {self.user}" if self.user and self.scheme is not COOKIE else ""
        used = f"; used the {self.scheme.secret_name}{owner} from {place}"
        if self.scheme is COOKIE:
            used += ", which has expired or is not accepted"
        if error.message.endswith(used):
            return
        error.message += used
        if error.status_code == _EXPIRED:
            hint = f"change the password in the agent's desktop, then {hint}"
        error.hint = hint


def find_credential(
    settings: Settings, keyring: "Keyring", *, command_seconds: float | None = None
) -> Credential:
    """The environment's secret, else the password command's, else the keyring's.

    `command_seconds` limits the command (default: 10). AuthError where there is no usable secret.
    """
    scheme, user = settings.auth, settings.user
    if scheme.needs_user and not user:
        raise AuthError(
            "no user to sign in with",
            hint=f"name one with --user, or sign in: {_login(settings.profile, scheme)}",
        )
    if settings.secret:
        return Credential(user, scheme, settings.secret, "environment")
    if settings.password_command:
        secret = run_password_command(settings.password_command, command_seconds or _COMMAND_SECONDS)
        return Credential(user, scheme, secret, "command")
    return _from_keyring(settings, keyring)


def _from_keyring(settings: Settings, keyring: "Keyring") -> Credential:
    scheme = settings.auth
    account = scheme.account(settings.user, settings.profile, settings.origin)
    secret = keyring.get(account) if account else None
    if secret is None:
        raise AuthError(
            f"no {scheme.secret_name} is stored for {account or settings.user}",
            hint=f"sign in: {_login(settings.profile, scheme)}, or set {scheme.variable}",
        )
    return Credential(settings.user, scheme, secret, "keyring")


def _login(profile: str | None, scheme: AuthScheme) -> str:
    named = f" --profile {shlex.quote(profile)}" if profile not in (None, "default") else ""
    return " ".join(filter(None, [f"smscli auth login{named}", scheme.login_option]))


class Keyring:
    """The system's keyring. Each call runs in a thread of its own, so that one that hangs can be given up.

    Every method raises AuthError: a keyring that is missing, locked, broken, stores plain text, or does not
    answer within `limit` seconds (default: 60 on a terminal, where somebody can unlock it, else 5). On a
    terminal `notice` gets one line when a call takes long. `isolate` is called before any code of the keyring
    library or a back end runs; it has to keep them from writing to stdout and stderr.
    """

    def __init__(
        self,
        *,
        on_terminal: bool,
        notice: Callable[[str], None],
        isolate: Callable[[], None] = lambda: None,
        limit: float | None = None,
    ) -> None:
        self._on_terminal = on_terminal
        self._notice = notice
        self._isolate = isolate
        self._limit = limit or (_KEYRING_SECONDS_ON_TERMINAL if on_terminal else _KEYRING_SECONDS)
        self._backend: KeyringBackend | None = None
        self._left_echo: TerminalEcho | None = None

    def get(self, account: str) -> str | None:
        """The secret of an account, None where there is none."""
        return self._call(lambda backend: backend.get_password(_SERVICE, account))

    def set(self, account: str, secret: str) -> None:
        """Store a secret in place of the account's last one."""

        def store(backend: "KeyringBackend") -> bool:
            backend.set_password(_SERVICE, account, secret)
            # The null back end, which turns keyrings off, accepts everything and stores nothing.
            return backend.get_password(_SERVICE, account) == secret

        # An unusable keyring shows here, where the text of its error can't contain the secret.
        self.get(account)
        if not self._call(store, secret=secret):
            raise _not_stored(secret)

    def delete(self, account: str) -> bool:
        """Delete the account's secret; False where there was none."""

        def delete(backend: "KeyringBackend") -> bool:
            if backend.get_password(_SERVICE, account) is None:
                return False
            backend.delete_password(_SERVICE, account)
            return True

        return self._call(delete)

    def hurry(self) -> None:
        """Wait for a second only from now on, where a call was given up or interrupted."""
        if self._left_echo is not None:
            self._limit = _NOTICE_AFTER_SECONDS

    def close(self) -> None:
        """Restore the terminal's echo, which a call that was given up may have turned off meanwhile."""
        if self._left_echo is not None:
            self._left_echo.restore()

    def _call(self, function: "Callable[[KeyringBackend], _T]", *, secret: str | None = None) -> _T:
        def call() -> _T:
            self._backend = self._backend or _system_keyring()
            return function(self._backend)

        if self._backend is None:
            self._isolate()
        echo = self._left_echo = TerminalEcho()
        try:
            future = call_in_thread(call, name="keyring")
            self._wait(future)
        finally:
            echo.restore()
        self._left_echo = None
        echo.close()
        error = future.exception()
        if error is not None:
            raise _as_auth_error(error, secret)
        return future.result()

    def _wait(self, future: "Future[_T]") -> None:
        from concurrent.futures import wait

        start, noticed = time.monotonic(), not self._on_terminal
        while not wait([future], _POLL_SECONDS).done:
            waited = time.monotonic() - start
            if waited >= self._limit:
                raise AuthError(
                    f"the keyring did not answer within {self._limit:g} seconds", hint=_WITHOUT_KEYRING
                )
            if waited >= _NOTICE_AFTER_SECONDS and not noticed:
                noticed = True
                self._notice("waiting for the keyring to be unlocked")


class TerminalEcho:
    """The echo of the controlling terminal, if there is one.

    A back end that asks for a password turns it off, and can't turn it on again when the program ends before
    the answer.
    """

    def __init__(self) -> None:
        self._terminal: int | None = None
        self._mode: list[Any] | None = None
        if sys.platform == "win32":
            return
        with suppress(ImportError, OSError):
            import termios

            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
            with suppress(termios.error):
                mode = termios.tcgetattr(self._terminal)
                self._mode = mode if mode[_LOCAL_FLAGS] & termios.ECHO else None

    def restore(self) -> None:
        """Turn the echo on again if it was on, and discard what was typed for the back end."""
        if sys.platform == "win32" or self._terminal is None or self._mode is None:
            return
        import termios

        with suppress(termios.error):
            if not termios.tcgetattr(self._terminal)[_LOCAL_FLAGS] & termios.ECHO:
                termios.tcsetattr(self._terminal, termios.TCSAFLUSH, self._mode)

    def close(self) -> None:
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None


def _system_keyring() -> "KeyringBackend":
    """The back end that the keyring library chooses or is configured to use. AuthError for plain text."""
    import logging

    import keyring.core

    # The library logs a plug-in that fails to load with its traceback; without a handler it goes to stderr.
    logging.getLogger("keyring").addHandler(logging.NullHandler())
    keyring.core.init_backend(keyring.core.recommended)
    backend = keyring.get_keyring()
    # Not a recommended back end, but the library's own configuration can still ask for it.
    if any(base.__name__ == "PlaintextKeyring" for base in type(backend).__mro__):
        raise AuthError("the keyring is configured to store secrets as plain text", hint=_WITHOUT_KEYRING)
    return backend


def _not_stored(secret: str) -> AuthError:
    if len(secret) < _LONG_SECRET:
        return AuthError("the keyring does not store secrets", hint=_WITHOUT_KEYRING)
    return AuthError(
        f"the secret of {len(secret)} characters is too long for this keyring", hint=_WITHOUT_KEYRING
    )


def _as_auth_error(error: BaseException, secret: str | None) -> AuthError:
    """An error of a back end as ours. A back end that had the `secret` may repeat it in any form in the text
    of its error, which is left out then."""
    from keyring import errors

    if isinstance(error, AuthError):
        return error
    text = " ".join(str(error).split())[:200] if secret is None else ""
    if isinstance(error, errors.NoKeyringError):
        ours = AuthError("there is no keyring on this machine", hint=_WITHOUT_KEYRING)
    elif isinstance(error, errors.KeyringLocked):
        ours = AuthError("the keyring is locked", hint=f"unlock it; or {_WITHOUT_KEYRING}")
    elif secret is not None and len(secret) >= _LONG_SECRET:
        ours = _not_stored(secret)
    else:
        ours = AuthError(f"the keyring can't be used: {text or type(error).__name__}", hint=_WITHOUT_KEYRING)
    ours.__cause__ = error if secret is None else None
    return ours


def run_password_command(command: Sequence[str], limit: float = _COMMAND_SECONDS) -> str:
    """The first line that a password command prints; it runs without a shell, terminal or standard input.

    AuthError, which names only the command's first word: not found, failed, no output, or still running
    after `limit` seconds; it is then killed with its child processes.
    """
    lines: list[bytes] = []
    ended, process = False, None
    try:
        # A signal in between would leave the process running, or its output unread.
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
    secret = decode_secret(lines[0])
    if not secret or len(lines[0]) >= _MAX_LINE:
        raise _unusable(command, "printed no first line, or one that is too long")
    return secret


def decode_secret(line: bytes) -> str:
    """A secret from a line of bytes, in any encoding, without line end and byte order mark.

    PowerShell writes the mark before what it pipes into a program.
    """
    return line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").decode("utf-8", "surrogateescape")


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    import shutil

    try:
        return subprocess.Popen(
            # Without the full path Windows finds `.exe` files only, not `.cmd`.
            [shutil.which(command[0]) or command[0], *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _unusable(command, "can't be run") from error


def _unusable(command: Sequence[str], what: str) -> AuthError:
    return AuthError(
        f"the password_command {command[0]!r} {what}",
        hint="run it by hand, or correct it in the config file",
    )


def _read(stream: IO[bytes], lines: list[bytes]) -> None:
    """Keep the first line and discard the rest, so that a command with more output can end."""
    with stream:
        lines.append(stream.readline(_MAX_LINE))
        while stream.read(_MAX_LINE):
            pass


def _ended(
    process: subprocess.Popen[bytes], reader: threading.Thread, lines: list[bytes], limit: float
) -> bool:
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        return False
    # A background process that it started (an agent) may keep the pipe open.
    reader.join(_PIPE_SECONDS)
    return bool(lines)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command together with its children."""
    if sys.platform == "win32":
        tree = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(tree, capture_output=True, timeout=_COMMAND_SECONDS, check=False)
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
