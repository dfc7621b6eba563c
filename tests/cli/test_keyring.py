"""Whole commands with a keyring that is locked, missing, broken, empty, plain text, or hangs."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smscli.context import AppContext
from smscli.errors import AuthError
from smscli.settings import credentials
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.captured_terminal import CapturedTerminal
from tests.support.command import COMPLETE, Smscli, running
from tests.support.odd_keyrings import Hanging
from tests.support.on_terminal import OnTerminal

Environ = dict[str, str]

ID = "0000Na9B26EF0001"
WITHOUT_KEYRING = "set SMSCLI_PASSWORD, SMSCLI_COOKIE or SMSCLI_TOKEN, or give the profile a password_command"
LOCKED = ("the keyring is locked", f"unlock it; or {WITHOUT_KEYRING}")
MISSING = ("there is no keyring on this machine", WITHOUT_KEYRING)
BROKEN = ("the keyring can't be used: Failed to create the collection: no session bus.", WITHOUT_KEYRING)
PLAIN = ("the keyring is configured to store secrets as plain text", WITHOUT_KEYRING)
ABSENT = ("the keyring can't be used: No module named 'no_such_vault'", WITHOUT_KEYRING)
FAILURES = {
    "tests.support.odd_keyrings.Locked": LOCKED,
    "keyring.backends.fail.Keyring": MISSING,
    "tests.support.odd_keyrings.Broken": BROKEN,
    "tests.support.odd_keyrings.PlaintextKeyring": PLAIN,
    "no_such_vault.Keyring": ABSENT,
}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(ID, customer="Mika", agents=("Robin",))
        yield server


@pytest.fixture
def environ(home: Environ, server: FakeServer, tmp_path: Path) -> Environ:
    """A user whose profile leaves the secret to the keyring."""
    config = Path(home["HOME"], ".config", "smscli", "config.toml")
    config.parent.mkdir(parents=True)
    config.write_text(f'[profiles.default]\nurl = "{server.url}"\nuser = "demo"\n')
    return {**home, "PATH": os.environ["PATH"], "TEST_UNLOCKED": str(tmp_path / "unlocked")}


@pytest.fixture(params=FAILURES)
def failure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", request.param)
    return FAILURES[request.param]


def as_lines(failure: tuple[str, str]) -> str:
    return f"error: {failure[0]}\nhint: {failure[1]}\n"


def instead(home: Environ, server: FakeServer) -> str:
    """What a sign-in suggests where the keyring can't be used."""
    url = f"{server.url}/api/v2"
    path = f"{home['HOME']}/.config/smscli/config.toml"
    return (
        f": `smscli auth login --profile default --url {url} --user demo"
        f" --password-command 'PROGRAM ARGUMENT'`, or this line at the beginning of {path}: profiles.default"
        f' = {{ url = "{url}", user = "demo", auth = "basic", password_command = ["PROGRAM", "ARGUMENT"] }}'
    )


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", ID], ["messages", ID], ["tail", "--all"], ["auth", "logout"]],
    ids=" ".join,
)
def test_each_keyring_failure_is_one_line_with_a_hint(
    smscli: Smscli, server: FakeServer, environ: Environ, failure: tuple[str, str], arguments: list[str]
) -> None:
    outcome = smscli(*arguments, **environ)
    assert (outcome.code, outcome.out, outcome.err) == (4, "", as_lines(failure))
    assert list(server.requests) == []


def test_each_keyring_failure_is_an_object_with_json(
    smscli: Smscli, environ: Environ, failure: tuple[str, str]
) -> None:
    error = json.loads(smscli("list", "--json", **environ).err)["error"]
    assert (error["kind"], error["exitCode"], error["message"], error["hint"]) == ("auth", 4, *failure)


def test_status_and_doctor_report_it_too(smscli: Smscli, environ: Environ, failure: tuple[str, str]) -> None:
    status = smscli("auth", "status", "--json", **environ)
    found = json.loads(status.out)
    assert (status.code, found["secretSource"], found["accepted"]) == (4, None, None)
    doctor = smscli("doctor", "--json", **environ)
    secret = next(one for one in json.loads(doctor.out) if one["check"] == "secret")
    assert (doctor.code, secret["finding"], secret["hint"]) == (4, *failure)


def pipe_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def login(server: FakeServer) -> list[str]:
    return ["auth", "login", "--password-stdin", "--url", server.url, "--user", "demo"]


def test_a_login_that_can_store_no_secret_saves_no_profile(
    smscli: Smscli,
    home: Environ,
    server: FakeServer,
    failure: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe_in(monkeypatch, "demo\n")
    outcome = smscli(*login(server))
    assert (outcome.code, outcome.err) == (4, as_lines((failure[0], failure[1] + instead(home, server))))
    assert [path for _, path, _ in server.requests] == ["/api/v2/me"], "no secret was sent"
    assert not Path(home["HOME"], ".config").exists()


def test_a_keyring_that_stores_nothing_is_reported(
    smscli: Smscli, server: FakeServer, environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    outcome = smscli("list", **environ)
    none = (
        f"no password is stored for demo@{server.url}",
        "sign in: smscli auth login, or set SMSCLI_PASSWORD",
    )
    assert (outcome.code, outcome.err) == (4, as_lines(none))
    pipe_in(monkeypatch, "demo\n")
    kept = smscli(*login(server), **environ)
    assert (kept.code, kept.err) == (4, as_lines(("the keyring does not store secrets", WITHOUT_KEYRING)))
    forgotten = smscli("auth", "logout", **environ)
    assert (forgotten.code, forgotten.err) == (0, "no secret was stored for profile default\n")


def test_with_a_secret_in_the_environment_no_keyring_is_asked(
    smscli: Smscli, environ: Environ, failure: tuple[str, str]
) -> None:
    outcome = smscli("list", SMSCLI_PASSWORD="demo", **environ)
    assert (outcome.code, outcome.err) == (0, "")


# --- one that does not answer ---


def silent(environ: Environ) -> Environ:
    return {**environ, "PYTHON_KEYRING_BACKEND": "tests.support.odd_keyrings.Hanging"}


def timed(arguments: list[str], environ: Environ) -> tuple[int, str, str, float]:
    command = [sys.executable, "-m", "smscli", *arguments]
    begun = time.monotonic()
    done = subprocess.run(
        command, env=environ, input="demo\n", capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr, time.monotonic() - begun


@pytest.mark.slow
def test_without_a_terminal_a_keyring_call_times_out_after_five_seconds(
    server: FakeServer, environ: Environ
) -> None:
    asked = [["list"], ["tail", "--all"], login(server), ["auth", "logout"]]
    with ThreadPoolExecutor(len(asked)) as hands:
        ends = list(hands.map(lambda arguments: timed(arguments, silent(environ)), asked))
    error = as_lines(("the keyring did not answer within 5 seconds", WITHOUT_KEYRING))
    told = [end[:2] + (end[2].replace(instead(environ, server), ""),) for end in ends]
    assert told == [(4, "", error)] * len(asked)
    assert all(5 <= seconds < 15 for *_, seconds in ends)


def test_a_login_killed_before_the_secret_is_stored_is_reported_by_the_next_command(
    smscli: Smscli, home: Environ, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    killing = {**home, "PYTHON_KEYRING_BACKEND": "tests.support.odd_keyrings.Killing"}
    assert timed(login(server), killing)[:3] == (9, "", "")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    none = (
        f"no password is stored for demo@{server.url}",
        "sign in: smscli auth login, or set SMSCLI_PASSWORD",
    )
    outcome = smscli("list")
    assert (outcome.code, outcome.out, outcome.err) == (4, "", as_lines(none))


@pytest.mark.slow
def test_on_a_terminal_there_is_more_time_to_unlock_it(environ: Environ) -> None:
    with OnTerminal("list", environ=silent(environ)) as seen:
        seen.until("waiting for the keyring to be unlocked")
        end = time.monotonic() + 5
        while time.monotonic() < end:
            assert seen.look()
        Path(environ["TEST_UNLOCKED"]).touch()
        seen.until("SMS sessions of demo at 127.0.0.1")
        assert seen.ended() == 0
        assert len([line for line in seen.screen if "waiting" in line]) == 1


def test_on_a_terminal_a_keyring_call_times_out_too(
    environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_UNLOCKED", environ["TEST_UNLOCKED"])
    terminal = CapturedTerminal()
    app = AppContext(environ, json_stderr=False, terminal=terminal)
    monkeypatch.setattr(credentials, "_NOTICE_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(credentials, "_system_keyring", Hanging)
    app.__dict__["keyring"] = credentials.Keyring(
        on_terminal=True, notice=lambda message: app.notice("keyring", message), limit=0.4
    )
    with pytest.raises(AuthError) as given_up:
        app.read_credential()
    Path(environ["TEST_UNLOCKED"]).touch()
    assert given_up.value.message == "the keyring did not answer within 0.4 seconds"
    assert terminal.err_text == "waiting for the keyring to be unlocked\n"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["list"], ["tail", "--all"], ["auth", "logout"]], ids=" ".join)
def test_ctrl_c_ends_the_wait_for_the_keyring(environ: Environ, arguments: list[str]) -> None:
    with OnTerminal(*arguments, environ=silent(environ)) as seen:
        seen.until("waiting for the keyring to be unlocked")
        begun = time.monotonic()
        seen.press("\x03")
        assert (seen.ended(), seen.cursor, seen.cursor_hidden) == (130, (1, 0), False)
        assert time.monotonic() - begun < 3
        (line,) = [line for line in seen.screen if line]
        assert re.fullmatch(r"(\d\d:\d\d:\d\d  )?waiting for the keyring to be unlocked", line)


@pytest.mark.slow
def test_a_signal_ends_the_wait_in_a_pipe(environ: Environ) -> None:
    asked = Path(environ["TEST_UNLOCKED"]).with_name("asked")
    with running(silent(environ), "list") as child:
        while not asked.exists():
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        assert (child.wait(20), child.communicate()) == (143, ("", ""))


def test_a_word_is_completed_without_a_keyring(environ: Environ, failure: tuple[str, str]) -> None:
    code, out, err, seconds = timed(["__complete", "show", ""], {**os.environ, **environ})
    assert (code, out, err) == (0, "", "")
    assert seconds < 10


# A back end must not write to stdout and stderr, nor leave the terminal without echo.


def of_kind(environ: Environ, kind: str) -> Environ:
    return {
        **environ,
        "PYTHON_KEYRING_BACKEND": f"tests.support.odd_keyrings.{kind}",
        "TEST_TALK_AT_IMPORT": "1",
    }


def without_time(notices: str) -> str:
    """Notices of two runs, in JSON, to be compared."""
    return re.sub(r'"at":"[^"]*"', '"at":"NOW"', notices)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["list", "--json"], ["messages", ID, "--jsonl"], ["list"]], ids=" ".join)
def test_a_back_end_that_prints_does_not_write_to_our_output(
    smscli: Smscli, server: FakeServer, environ: Environ, command: list[str]
) -> None:
    code, out, err, _ = timed(command, of_kind(environ, "Talking"))
    expected = smscli(*command, server=server)
    assert (code, out, without_time(err)) == (0, expected.out, without_time(expected.err))


@pytest.mark.slow
def test_a_back_end_that_prints_and_fails_leaves_one_json_line(environ: Environ) -> None:
    code, out, err, _ = timed(["list", "--json"], of_kind(environ, "Failing"))
    assert (code, out) == (4, "")
    assert json.loads(err)["error"]["message"] == "the keyring can't be used: no session bus"


@pytest.mark.slow
def test_a_back_end_that_prints_for_ever_leaves_one_line(environ: Environ) -> None:
    code, out, err, _ = timed(["list"], of_kind(environ, "Stuck"))
    late = as_lines(("the keyring did not answer within 5 seconds", WITHOUT_KEYRING))
    assert (code, out, err) == (4, "", late)


def test_a_back_end_that_prints_does_not_write_into_completions(server: FakeServer, environ: Environ) -> None:
    command, talking = [*COMPLETE, "show", ""], of_kind({**os.environ, **environ}, "Talking")
    done = subprocess.run(command, env=talking, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ID}\tChatting Mika\n", "")


def test_a_back_end_that_prints_does_not_write_to_the_terminal(environ: Environ) -> None:
    with OnTerminal("list", environ=of_kind(environ, "Talking")) as seen:
        seen.until("SMS sessions of demo at 127.0.0.1")
        assert seen.ended() == 0
    assert not [line for line in seen.screen if "talk" in line]


def asking(environ: Environ) -> Environ:
    return {**environ, "PYTHON_KEYRING_BACKEND": "tests.support.odd_keyrings.Asking"}


def test_a_back_end_may_ask_on_the_terminal(environ: Environ) -> None:
    with OnTerminal("list", environ=asking(environ)) as seen:
        seen.until("keyring password:")
        assert not seen.echoes
        seen.press("demo\r")
        seen.until("SMS sessions of demo at 127.0.0.1")
        assert (seen.ended(), seen.echoes) == (0, True)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("command", [["list"], ["tail", "--all"], ["auth", "logout"]], ids=" ".join)
def test_a_signal_while_a_back_end_asks_leaves_the_echo_on(
    environ: Environ, command: list[str], number: int, code: int
) -> None:
    with OnTerminal(*command, environ=asking(environ)) as seen:
        seen.until("keyring password:")
        assert not seen.echoes
        os.kill(seen.pid, number)
        assert (seen.ended(), seen.echoes) == (code, True)


def test_ctrl_c_while_a_back_end_asks_leaves_the_echo_on(environ: Environ) -> None:
    with OnTerminal("list", environ=asking(environ)) as seen:
        seen.until("keyring password:")
        seen.press("hunt\x03")
        assert (seen.ended(), seen.echoes) == (130, True)


@pytest.mark.slow
def test_a_back_end_that_asks_too_long_leaves_the_echo_on(environ: Environ) -> None:
    # In a pipe the limit is 5 seconds; getpass asks on the terminal nevertheless.
    program = ["sh", "-c", f"exec {sys.executable} -m smscli list 2>/dev/null"]
    with OnTerminal(program=program, environ=asking(environ)) as seen:
        seen.until("keyring password:")
        assert not seen.echoes
        assert (seen.ended(), seen.echoes) == (4, True)
