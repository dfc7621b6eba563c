"""Secrets: their sources, invalid ones, and failures of keyring and password command."""

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringError, KeyringLocked, NoKeyringError, PasswordDeleteError

from smscli.errors import AuthError
from smscli.settings import credentials
from smscli.settings.auth_schemes import BASIC, SCHEMES, TOKEN, AuthScheme
from smscli.settings.config import Settings
from smscli.settings.credentials import (
    Credential,
    Keyring,
    decode_secret,
    find_credential,
    run_password_command,
)
from smscli.signals import StopSignal, stop_signals_raised
from tests.support.paths import ROOT

WITHOUT_KEYRING = "set SMSCLI_PASSWORD, SMSCLI_COOKIE or SMSCLI_TOKEN, or give the profile a password_command"
MAJA = "maja@https://gws.example.com:443"


NOTHING = Settings(
    profile="work",
    base_url="https://gws.example.com/api/v2",
    origin="https://gws.example.com:443",
    user="maja",
    auth=BASIC,
    timeout=10.0,
    ca_bundle=None,
    client_cert=None,
    password_command=(),
    debug=False,
    demo=False,
)


def settings(**changes: Any) -> Settings:
    return replace(NOTHING, **changes)


@dataclass
class MemoryBackend:
    """A keyring in memory."""

    secrets: dict[tuple[str, str], str] = field(default_factory=dict)

    def get_password(self, service: str, username: str) -> str | None:
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.secrets[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.secrets:
            raise PasswordDeleteError("No such password!")
        del self.secrets[service, username]


class Failing(MemoryBackend):
    """A keyring that answers everything with one error."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error


class Hanging(MemoryBackend):
    """A keyring that answers only when it is unlocked."""

    def __init__(self) -> None:
        super().__init__({("smscli", MAJA): "hunter2"})
        self.unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.unlocked.wait(20)
        return super().get_password(service, username)


def store_of(
    backend: KeyringBackend | MemoryBackend,
    *,
    limit: float = 10.0,
    on_terminal: bool = False,
    notice: Callable[[str], None] = pytest.fail,
) -> Keyring:
    store = Keyring(on_terminal=on_terminal, notice=notice, limit=limit)
    vars(store)["_backend"] = backend
    return store


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


NO_STORE = store_of(Failing(AssertionError("the keyring was asked")))


def error_of(call: Callable[[], object]) -> tuple[str, str | None]:
    """Message and hint of the AuthError that `call` raises."""
    with pytest.raises(AuthError) as caught:
        call()
    return caught.value.message, caught.value.hint


# Which secret.


def test_a_token_of_the_environment_comes_first() -> None:
    wanted = settings(secret="t0ken", auth=TOKEN, password_command=("never-run",))
    assert find_credential(wanted, NO_STORE) == Credential("maja", TOKEN, "t0ken", "environment")


def test_a_password_of_the_environment_comes_before_command_and_keyring() -> None:
    wanted = settings(secret="hunter2", password_command=("never-run",))
    assert find_credential(wanted, NO_STORE) == Credential("maja", BASIC, "hunter2", "environment")


def test_the_command_comes_before_the_keyring() -> None:
    wanted = settings(password_command=("echo", "hunter2"))
    assert find_credential(wanted, NO_STORE) == Credential("maja", BASIC, "hunter2", "command")


def test_the_keyring_holds_a_secret_for_a_user_and_an_origin() -> None:
    store = store_of(MemoryBackend({("smscli", MAJA): "hunter2"}))
    assert find_credential(settings(), store) == Credential("maja", BASIC, "hunter2", "keyring")
    assert error_of(lambda: find_credential(settings(user="theo"), store)) == (
        "no password is stored for theo@https://gws.example.com:443",
        "sign in: smscli auth login --profile work, or set SMSCLI_PASSWORD",
    )
    assert error_of(
        lambda: find_credential(settings(origin="https://other.example:443", profile=None), store)
    ) == (
        "no password is stored for maja@https://other.example:443",
        "sign in: smscli auth login, or set SMSCLI_PASSWORD",
    )


def test_a_stored_token_belongs_to_the_profile_and_not_to_a_user() -> None:
    store = store_of(MemoryBackend({("smscli", "my lab@https://gws.example.com:443"): "t0ken"}))
    wanted = settings(profile="my lab", user=None, auth=TOKEN)
    assert find_credential(wanted, store) == Credential(None, TOKEN, "t0ken", "keyring")
    assert error_of(lambda: find_credential(replace(wanted, origin="http://lab.example:80"), store)) == (
        "no token is stored for my lab@http://lab.example:80",
        "sign in: smscli auth login --profile 'my lab', or set SMSCLI_TOKEN",
    )


@pytest.mark.parametrize("password", [None, "hunter2"])
def test_a_password_needs_a_user(password: str | None) -> None:
    assert error_of(
        lambda: find_credential(settings(user=None, secret=password, profile="default"), NO_STORE)
    ) == (
        "no user to sign in with",
        "name one with --user, or sign in: smscli auth login",
    )


@pytest.mark.parametrize(
    ("auth", "user", "profile", "origin", "name"),
    [
        ("basic", "maja", "work", "https://gws.example.com:443", MAJA),
        ("token", "maja", "work", "https://gws.example.com:443", "work@https://gws.example.com:443"),
        ("basic", "maja@hq", None, "http://[::1]:80", "maja@hq@http://[::1]:80"),
        ("basic", None, "work", "https://gws.example.com:443", None),
        ("token", "maja", None, "https://gws.example.com:443", None),
        ("basic", "maja", "work", None, None),
    ],
)
def test_an_account_names_owner_and_origin(
    auth: str, user: str | None, profile: str | None, origin: str | None, name: str | None
) -> None:
    assert SCHEMES[auth].account(user, profile, origin) == name


# What is sent.


@pytest.mark.parametrize(
    ("user", "secret", "content"),
    [
        ("maja", "hunter2", b"maja:hunter2"),
        ("maja", "h:2 ", b"maja:h:2 "),
        ("zoë", "grün", "zoë:grün".encode("latin-1")),
        ("zoë", "grün€", "zoë:grün€".encode()),
        ("maja", "gr\udcfcn", b"maja:gr\xfcn"),
    ],
)
def test_basic_is_latin_1_where_it_fits_and_else_utf_8(user: str, secret: str, content: bytes) -> None:
    header = Credential(user, BASIC, secret, "environment").header()[1]
    assert header == f"Basic {base64.b64encode(content).decode()}"


def test_a_token_is_sent_as_it_is() -> None:
    assert Credential(None, TOKEN, "t0k.en==", "environment").header() == ("Authorization", "Bearer t0k.en==")


@pytest.mark.parametrize("secret", ["", "two words", "line\n", "tökn", "t\x01"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(secret: str) -> None:
    assert error_of(lambda: Credential(None, TOKEN, secret, "environment")) == (
        "the token (environment) is empty, or has a character that tokens can't have",
        None,
    )


@pytest.mark.parametrize("user", [None, "", "maja:x", "maja\n"])
def test_a_user_that_basic_cannot_carry_is_refused(user: str | None) -> None:
    assert error_of(lambda: Credential(user, BASIC, "hunter2", "login")) == (
        "the user name is empty, or has a colon or a control character in it",
        None,
    )


def test_an_empty_password_is_refused() -> None:
    assert error_of(lambda: Credential("maja", BASIC, "", "keyring")) == (
        "the password (keyring) is empty",
        None,
    )


def test_no_secret_shows_in_a_repr() -> None:
    shown = repr(Credential("maja", BASIC, "hunter2", "keyring"))
    assert shown == "Credential(user='maja', scheme=basic, source='keyring')"


# The keyring.


def test_a_secret_is_stored_found_and_deleted() -> None:
    chest = MemoryBackend()
    store = store_of(chest)
    assert store.get(MAJA) is None
    store.set(MAJA, "hunter2")
    assert chest.secrets == {("smscli", MAJA): "hunter2"}
    assert store.get(MAJA) == "hunter2"
    assert store.delete(MAJA) is True
    assert chest.secrets == {}
    assert store.delete(MAJA) is False


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (NoKeyringError("No recommended backend"), "there is no keyring on this machine", WITHOUT_KEYRING),
        (KeyringLocked("Failed to unlock!"), "the keyring is locked", f"unlock it; or {WITHOUT_KEYRING}"),
        (
            InitError("Failed to create\nthe collection."),
            "the keyring can't be used: Failed to create the collection.",
            WITHOUT_KEYRING,
        ),
        (KeyringError(), "the keyring can't be used: KeyringError", WITHOUT_KEYRING),
        (OSError("no bus"), "the keyring can't be used: no bus", WITHOUT_KEYRING),
        (SystemExit(3), "the keyring can't be used: 3", WITHOUT_KEYRING),
        (ValueError("x" * 1000), f"the keyring can't be used: {'x' * 200}", WITHOUT_KEYRING),
    ],
)
def test_every_error_of_a_back_end_is_one_of_ours(error: BaseException, message: str, hint: str) -> None:
    store = store_of(Failing(error))
    for call in (lambda: store.get(MAJA), lambda: store.set(MAJA, "hunter2"), lambda: store.delete(MAJA)):
        assert error_of(call) == (message, hint)


def test_the_back_ends_own_error_is_the_cause() -> None:
    error = InitError("no bus")
    with pytest.raises(AuthError) as caught:
        store_of(Failing(error)).get(MAJA)
    assert caught.value.__cause__ is error


class Full(MemoryBackend):
    """A keyring that can be read, and says why it keeps nothing more."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def set_password(self, service: str, username: str, password: str) -> None:
        raise ValueError(self.words)


@pytest.mark.parametrize("length", [1281, 2561, 100_000])
def test_a_secret_that_the_back_end_refuses_for_its_length_is_too_long(length: int) -> None:
    # The Credential Manager's error has nothing but a number and `CredWrite`.
    store = store_of(Full("(1783, 'CredWrite', 'The stub received bad data')"))
    assert error_of(lambda: store.set(MAJA, "x" * length)) == (
        f"the secret of {length} characters is too long for this keyring",
        WITHOUT_KEYRING,
    )


def test_a_short_secret_is_not_called_too_long() -> None:
    assert error_of(lambda: store_of(Full("full")).set(MAJA, "x" * 999)) == (
        "the keyring can't be used: ValueError",
        WITHOUT_KEYRING,
    )


@pytest.mark.parametrize("error", [NoKeyringError(), KeyringLocked()])
def test_another_failure_with_a_long_secret_is_not_called_too_long(error: Exception) -> None:
    class LockedForWriting(MemoryBackend):
        def set_password(self, service: str, username: str, password: str) -> None:
            raise error

    message, _ = error_of(lambda: store_of(LockedForWriting()).set(MAJA, "x" * 3000))
    assert message in ("there is no keyring on this machine", "the keyring is locked")


@pytest.mark.parametrize("words", ["no room for hunter2", "no room for HUNTER2", "no room for hunt..."])
def test_the_text_of_an_error_that_may_contain_the_secret_is_left_out(words: str) -> None:
    with pytest.raises(AuthError) as caught:
        store_of(Full(words)).set(MAJA, "hunter2")
    assert caught.value.message == "the keyring can't be used: ValueError"
    assert caught.value.__cause__ is None


def test_a_lone_surrogate_is_refused_without_showing_the_secret() -> None:
    with pytest.raises(AuthError) as caught:
        Credential("maja", BASIC, "hunter2\ud800é", "keyring")
    assert caught.value.message == "user or password (keyring) has a lone surrogate in it"


@pytest.mark.parametrize(("scheme", "what"), [(BASIC, "password"), (TOKEN, "token")])
def test_a_secret_from_a_file_in_utf16_is_refused_with_a_hint(scheme: AuthScheme, what: str) -> None:
    with pytest.raises(AuthError) as caught:
        Credential("maja", scheme, decode_secret("hunter2\r\n".encode("utf-16")), "command")
    assert (caught.value.message, caught.value.hint) == (
        f"the {what} (command) has a NUL character in it",
        "if its file is UTF-16, save it as UTF-8",
    )


def test_the_bytes_of_a_secret_are_sent_as_they_are_on_every_platform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "getfilesystemencodeerrors", lambda: "surrogatepass")
    secret = decode_secret(b"p\xe4ss\n")
    assert Credential("maja", BASIC, secret, "command").header() == (
        "Authorization",
        f"Basic {base64.b64encode(b'maja:p' + bytes([0xE4]) + b'ss').decode()}",
    )


class FakeProcess:
    """A command that does not end by itself."""

    pid = 4711

    def __init__(self, calls: list[list[str]]) -> None:
        self._calls = calls

    def kill(self) -> None:
        self._calls.append(["kill"])

    def wait(self) -> None:
        self._calls.append(["wait"])


def test_on_windows_the_children_of_a_command_are_killed_by_taskkill(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr("subprocess.run", lambda command, **_: calls.append(command))
    monkeypatch.setattr(sys, "platform", "win32")
    credentials._kill(FakeProcess(calls))
    assert calls == [["taskkill", "/T", "/F", "/PID", "4711"], ["kill"], ["wait"]]


def test_a_command_is_run_by_its_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows by itself finds no `.cmd` file."""
    places = {"gwspass": sys.executable}
    monkeypatch.setattr("shutil.which", places.get)
    assert run_password_command(["gwspass", "-c", "print('hunter2')"], limit=20) == "hunter2"


def test_a_back_end_that_fails_to_load_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> KeyringBackend:
        raise ImportError("No module named 'vault'")

    monkeypatch.setattr(credentials, "_system_keyring", load)
    store = Keyring(on_terminal=False, notice=pytest.fail)
    assert error_of(lambda: store.get(MAJA)) == (
        "the keyring can't be used: No module named 'vault'",
        WITHOUT_KEYRING,
    )


def test_a_keyring_that_stores_nothing_is_an_error() -> None:
    store = store_of(keyring.backends.null.Keyring())
    assert store.get(MAJA) is None
    assert error_of(lambda: store.set(MAJA, "hunter2")) == (
        "the keyring does not store secrets",
        WITHOUT_KEYRING,
    )


def test_the_librarys_fail_back_end_means_no_keyring() -> None:
    assert error_of(lambda: store_of(keyring.backends.fail.Keyring()).get(MAJA)) == (
        "there is no keyring on this machine",
        WITHOUT_KEYRING,
    )


# A keyring that does not answer.


def test_a_keyring_call_times_out() -> None:
    hanging = Hanging()
    assert error_of(lambda: store_of(hanging, limit=0.2).get(MAJA)) == (
        "the keyring did not answer within 0.2 seconds",
        WITHOUT_KEYRING,
    )
    hanging.unlocked.set()


def test_on_a_terminal_one_notice_says_that_the_keyring_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = Hanging()
    notices: list[str] = []

    def notice(text: str) -> None:
        notices.append(text)
        threading.Timer(0.3, hanging.unlocked.set).start()

    monkeypatch.setattr(credentials, "_NOTICE_AFTER_SECONDS", 0.05)
    store = store_of(hanging, on_terminal=True, notice=notice)
    assert store.get(MAJA) == "hunter2"
    assert notices == ["waiting for the keyring to be unlocked"]


def test_without_a_terminal_there_is_no_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = Hanging()
    monkeypatch.setattr(credentials, "_NOTICE_AFTER_SECONDS", 0.0)
    store = store_of(hanging, limit=0.2)
    assert error_of(lambda: store.get(MAJA))[0] == "the keyring did not answer within 0.2 seconds"
    hanging.unlocked.set()


HANG = """
import time
from smscli.settings import credentials
from smscli.errors import AuthError

def notice(text):
    print(text, flush=True)

def load():
    time.sleep(60)

credentials._system_keyring = load
credentials._NOTICE_AFTER_SECONDS = 0.1
store = credentials.Keyring(on_terminal={on_terminal}, notice=notice, limit={limit})
try:
    store.get("maja")
except AuthError as error:
    print(error.message)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture
def ours_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Python that the test starts find the package under test."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.usefixtures("ours_in_path")
def test_a_back_end_that_hangs_does_not_hold_up_the_end_of_the_program() -> None:
    line = run_password_command(python(HANG.format(on_terminal=False, limit=0.1)), limit=20)
    assert line == "the keyring did not answer within 0.1 seconds"


@pytest.mark.usefixtures("ours_in_path")
def test_ctrl_c_ends_the_wait_for_a_keyring_at_once() -> None:
    with subprocess.Popen(python(HANG.format(on_terminal=True, limit=60)), stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"waiting for the keyring to be unlocked\n"
        asking.send_signal(signal.SIGINT)
        output, _ = asking.communicate(timeout=20)
    assert (output, asking.returncode) == (b"interrupted\n", 0)


# The keyring library itself, in a process of its own and with its own configuration.

CHOSEN = """
import sys
from smscli.settings.credentials import Keyring
from smscli.errors import AuthError
store = Keyring(on_terminal=False, notice=print)
try:
    store.set("maja", "hunter2")
    print("kept", store.get("maja"))
except AuthError as error:
    print(error.message)
"""


def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, module: str = "") -> str:
    (tmp_path / "chest.py").write_text(module)
    (tmp_path / "ask.py").write_text(CHOSEN)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    return run_password_command([sys.executable, str(tmp_path / "ask.py")], limit=30)


MEMORY = """
import keyring.backend

class MemoryKeyring(keyring.backend.KeyringBackend):
    priority = 1
    kept = {}
    def get_password(self, service, username):
        return self.kept.get((service, username))
    def set_password(self, service, username, password):
        self.kept[service, username] = password

class PlaintextKeyring(MemoryKeyring):
    pass

class MyOwn(PlaintextKeyring):
    pass
"""


def test_the_back_end_that_the_library_is_configured_for_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen(tmp_path, monkeypatch, "chest.MemoryKeyring", MEMORY) == "kept hunter2"


@pytest.mark.slow
def test_a_plug_in_that_fails_to_load_prints_nothing(tmp_path: Path) -> None:
    """The keyring library logs its traceback, which Python writes to stderr if there is no handler."""
    plug_in = tmp_path / "vault-1.0.dist-info"
    plug_in.mkdir()
    (plug_in / "METADATA").write_text("Metadata-Version: 2.1\nName: vault\nVersion: 1.0\n")
    (plug_in / "entry_points.txt").write_text("[keyring.backends]\nvault = no_such_vault\n")
    environ = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    code = "import keyring.core; keyring.core.init_backend()"
    ours = "from smscli.settings.credentials import _system_keyring; _system_keyring()"
    output = [
        subprocess.run([sys.executable, "-c", one], env=environ, stderr=subprocess.PIPE, text=True).stderr
        for one in (code, ours)
    ]
    assert ("no_such_vault" in output[0], output[1]) == (True, "")


@pytest.mark.parametrize("name", ["PlaintextKeyring", "MyOwn"])
def test_plain_text_is_refused_even_where_the_library_is_configured_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    output = chosen(tmp_path, monkeypatch, f"chest.{name}", MEMORY)
    assert output == "the keyring is configured to store secrets as plain text"


def test_a_back_end_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = chosen(tmp_path, monkeypatch, "no_such_vault.Keyring")
    assert output == "the keyring can't be used: No module named 'no_such_vault'"


# The password command.


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("print('hunter2')", "hunter2"),
        ("print('hunter2', end='')", "hunter2"),
        ("print(' two words ', 'user: maja', sep='\\n')", " two words "),
        ("print('hunter2', end='\\r\\n')", "hunter2"),
        ("import sys; sys.stdout.buffer.write(b'\\xef\\xbb\\xbfhunter2\\r\\n')", "hunter2"),
        ("import sys; sys.stdout.buffer.write('gr\\u00fcn'.encode())", "grün"),
        ("import sys; sys.stdout.buffer.write(b'gr\\xfcn')", "gr\udcfcn"),
        ("print('hunter2'); print('x' * 1_000_000)", "hunter2"),
    ],
)
def test_the_first_line_is_the_secret(code: str, line: str) -> None:
    assert run_password_command(python(code), limit=20) == line


def test_words_reach_the_command_as_they_are() -> None:
    assert run_password_command(["echo", "$HOME; *", "`id`"], limit=20) == "$HOME; * `id`"


def test_the_command_has_no_standard_input_and_no_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.stderr.write('hunter2'); print(repr(sys.stdin.read()))"
    assert run_password_command(python(code), limit=20) == "''"
    assert capfd.readouterr() == ("", "")


NOTHING_USABLE = "printed no first line, or one that is too long"
HINT = "run it by hand, or correct it in the config file"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["no-such-command", "hunter2"], "can't be run"),
        (["/", "hunter2"], "can't be run"),
        (["echo\0", "hunter2"], "can't be run"),
        (["false", "hunter2"], "failed with exit code 1"),
        (["sh", "-c", "echo hunter2; exit 3"], "failed with exit code 3"),
        (["sh", "-c", "kill -9 $$", "hunter2"], "failed with exit code -9"),
        (["true", "hunter2"], NOTHING_USABLE),
        (["sh", "-c", "echo; echo hunter2"], NOTHING_USABLE),
        (["sh", "-c", "yes hunter2 | tr -d '\\n' | head -c 99999"], NOTHING_USABLE),
    ],
)
def test_a_command_without_a_secret_is_named_by_its_first_word_alone(command: list[str], what: str) -> None:
    with pytest.raises(AuthError) as caught:
        run_password_command(command, limit=20)
    assert (caught.value.message, caught.value.hint) == (f"the password_command {command[0]!r} {what}", HINT)
    assert "hunter2" not in f"{caught.value.__cause__}{caught.value.__context__}"


def gone(process_id: int) -> bool:
    """Whether a process has ended, within a few seconds; a child without a parent is reaped by the system."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    noted = tmp_path / "child"
    script = f"sleep 60 & echo $! >{noted}; wait"
    begun = time.monotonic()
    assert error_of(lambda: run_password_command(["sh", "-c", script], limit=0.5)) == (
        "the password_command 'sh' did not end within 0.5 seconds",
        HINT,
    )
    assert time.monotonic() - begun < 10
    assert gone(int(noted.read_text()))


def test_a_background_process_of_the_command_is_not_waited_for(tmp_path: Path) -> None:
    noted = tmp_path / "child"
    begun = time.monotonic()
    assert run_password_command(["sh", "-c", f"sleep 60 & echo $! >{noted}; echo hunter2"]) == "hunter2"
    assert time.monotonic() - begun < 5
    os.kill(int(noted.read_text()), signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.usefixtures("ours_in_path")
def test_ctrl_c_ends_the_command_too(tmp_path: Path) -> None:
    noted = tmp_path / "command"
    script = f"echo $$ >{noted}.new; mv {noted}.new {noted}; exec sleep 60"
    code = (
        "from smscli.settings.credentials import run_password_command as run\n"
        f"run(['sh', '-c', {script!r}], limit=50)"
    )
    with subprocess.Popen(python(code), stderr=subprocess.DEVNULL) as asking:
        while not noted.exists():
            assert asking.poll() is None
            time.sleep(0.01)
        # The command may be faster than its parent process.
        time.sleep(0.2)
        asking.send_signal(signal.SIGINT)
        asking.wait(20)
    assert gone(int(noted.read_text()))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_ctrl_c_while_the_command_is_being_started_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    execute: Any = subprocess.Popen._execute_child

    def interrupted(process: Any, *arguments: Any) -> None:
        execute(process, *arguments)
        started.append(process.pid)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "_execute_child", interrupted)
    with pytest.raises(StopSignal), stop_signals_raised():
        run_password_command(["sleep", "60"])
    assert gone(started[0])


def test_endless_output_of_a_command_does_not_fill_the_memory() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert error_of(lambda: run_password_command(["yes", "hunter2"], limit=0.5))[0] == (
        "the password_command 'yes' did not end within 0.5 seconds"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
