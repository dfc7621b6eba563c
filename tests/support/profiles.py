"""Two servers and the saved profiles of three agents, for commands that read several profiles."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer

START = 1772445600.0  # 2026-03-02T10:00:00Z
MIKA, NOOR, BOTH = "0000Na9B26EF0001", "0000Na9B26EF0002", "0000Na9B26EF0003"
CLOSED = "http://127.0.0.1:1"
_PASSWORD = json.dumps([sys.executable, "-c", "print('p')"])


@contextmanager
def north_server(clock: Callable[[], float] | None = None) -> Iterator[FakeServer]:
    """A session of each of two agents, and one that both have."""
    options = Options(scene="empty", users={"ann": "p", "bob": "p"})
    with FakeServer(options, **({"clock": clock} if clock else {})) as server:
        server.store.add_session(MIKA, customer="Mika", owner="ann")
        server.store.add_session(NOOR, customer="Noor", owner="bob")
        server.store.add_session(BOTH, customer="Otto")
        for session_id in (MIKA, NOOR, BOTH):
            server.store.say(session_id, f"hello from {session_id[-1]}")
        yield server


@contextmanager
def south_server(clock: Callable[[], float] | None = None) -> Iterator[FakeServer]:
    """A session with the id of one of the other server."""
    options = Options(scene="empty", users={"ann": "p"})
    with FakeServer(options, **({"clock": clock} if clock else {})) as server:
        server.store.add_session(MIKA, customer="Yuki")
        server.store.say(MIKA, "hello from the south")
        yield server


def profiles(home: Mapping[str, str], more: str = "", **saved: tuple[str, str]) -> None:
    """Save profiles: the URL and the user of each, and `more` lines of each."""
    path = Path(home["SMSCLI_CONFIG_DIR"], "config.toml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(
            f'[profiles.{name}]\nurl = "{url}"\nuser = "{user}"\npassword_command = {_PASSWORD}\n{more}'
            for name, (url, user) in saved.items()
        )
    )


def with_ended_view(monkeypatch: pytest.MonkeyPatch, server: FakeServer, user: str, session_id: str) -> None:
    """For this user the session has ended, as for an agent who has left a conference."""
    usual = server.api.answer

    def answer(request: object, asker: str | None) -> object:
        answered = usual(request, asker)  # type: ignore[arg-type]
        if asker == user and b'"smsessions"' in answered.body:
            document = json.loads(answered.body)
            for session in document["smsessions"]:
                if session["id"] == session_id:
                    session["state"] = "Completed"
            answered.body = json.dumps(document).encode()
        return answered

    monkeypatch.setattr(server.api, "answer", answer)
