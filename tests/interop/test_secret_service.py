"""Signing in with a real Secret Service: gnome-keyring, on a session bus of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer

NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
ID = "0000Na9B26EF0001"
UNLOCK = b"the chest's own password"
DO_WITHOUT = "set SMSCLI_PASSWORD, SMSCLI_COOKIE or SMSCLI_TOKEN, or give the profile a password_command"
LOCK = """
import secretstorage
bus = secretstorage.dbus_init()
collection = secretstorage.get_default_collection(bus)
collection.lock()
assert collection.is_locked()
"""
LABELS = """
import secretstorage
bus = secretstorage.dbus_init()
for item in secretstorage.get_default_collection(bus).get_all_items():
    print(item.get_label())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.skipif(
        not all(map(shutil.which, NEEDED)), reason="gnome-keyring and dbus-run-session are not installed"
    ),
]


@contextmanager
def _bus(environ: dict[str, str]) -> Iterator[str]:
    """The address of a session bus that lasts as long as the block."""
    command = ["dbus-run-session", "--", "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat']
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environ, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as session:
        assert session.stdout
        yield session.stdout.readline().strip()
        session.communicate(timeout=20)


@contextmanager
def _keyring(environ: dict[str, str]) -> Iterator[None]:
    """The daemon, its chest unlocked by the password on its standard input."""
    command = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as daemon:
        try:
            assert daemon.stdin
            daemon.stdin.write(UNLOCK)
            daemon.stdin.close()
            _await_service(environ)
            yield
        finally:
            daemon.terminate()


def _await_service(environ: dict[str, str]) -> None:
    end = time.monotonic() + 20
    while subprocess.run([sys.executable, "-c", LABELS], env=environ, capture_output=True).returncode:
        assert time.monotonic() < end, "no Secret Service"
        time.sleep(0.1)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(ID, customer="Mika", agents=("Robin",))
        yield server


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user's environment with a session bus in it."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    own = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(runtime)}
    with _bus(own) as address:
        yield {**own, "DBUS_SESSION_BUS_ADDRESS": address}


@pytest.fixture
def environ(bus: dict[str, str]) -> Iterator[dict[str, str]]:
    """The same with a Secret Service."""
    with _keyring(bus):
        yield bus


def smscli(environ: dict[str, str], *arguments: str, typed: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "smscli", *arguments],
        env=environ,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def labels(environ: dict[str, str]) -> list[str]:
    """What the chest says of the entries in it."""
    done = subprocess.run([sys.executable, "-c", LABELS], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def login(environ: dict[str, str], server: FakeServer) -> tuple[int, str, str]:
    arguments = ["auth", "login", "--password-stdin", "--url", server.url, "--user", "demo"]
    return smscli(environ, *arguments, typed="demo\n")


def test_a_secret_is_stored_used_and_deleted(environ: dict[str, str], server: FakeServer) -> None:
    signed_in = (0, "", "signed in to 127.0.0.1 as demo, profile default\nnext: smscli list\n")
    assert login(environ, server) == signed_in
    assert labels(environ) == [f"Password for 'demo@{server.url}' on 'smscli'"]
    code, out, err = smscli(environ, "auth", "status", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "profile": "default",
        "url": f"{server.url}/api/v2",
        "user": "demo",
        "secretSource": "keyring",
        "accepted": True,
    }
    code, out, err = smscli(environ, "list")
    assert (code, out.split("\t")[:3], err) == (0, [ID, "Chatting", "Mika"], "")
    signed_out = f"signed out of {server.url}/api/v2, profile default\n"
    assert smscli(environ, "auth", "logout") == (0, "", signed_out)
    assert labels(environ) == []
    code, out, err = smscli(environ, "list")
    assert (code, out) == (4, "")
    assert err.startswith(f"error: no password is stored for demo@{server.url}\n")


def test_a_locked_collection_does_not_hang_a_pipe(environ: dict[str, str], server: FakeServer) -> None:
    assert login(environ, server)[0] == 0
    subprocess.run([sys.executable, "-c", LOCK], env=environ, check=True, timeout=20)
    begun = time.monotonic()
    code, out, err = smscli(environ, "list")
    assert time.monotonic() - begun < 15
    assert (code, out) == (4, "")
    assert err == f"error: the keyring is locked\nhint: unlock it; or {DO_WITHOUT}\n"


def test_a_collection_that_is_not_unlocked_does_not_hang_a_pipe(
    bus: dict[str, str], server: FakeServer
) -> None:
    begun = time.monotonic()
    code, out, err = login(bus, server)
    assert time.monotonic() - begun < 15
    assert (code, out) == (4, "")
    why, hint = err.splitlines()
    assert why.startswith("error: the keyring can't be used: ")
    assert hint.startswith(f"hint: {DO_WITHOUT}: `smscli auth login --profile default --url ")
