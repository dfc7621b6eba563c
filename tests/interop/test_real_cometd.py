"""Following a session through the CometD project's own server for node, which no one here wrote."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smscli.follow.feed import Feed
from smscli.follow.loop import FeedLoop
from smscli.follow.requests import MessagesRequest, ReadResult, Request
from smscli.follow.slots import ReadSlots
from smscli.gws.client import GwsClient, Server
from smscli.gws.cometd import Advice, BayeuxClient
from smscli.gws.http import Transport
from smscli.gws.pool import Inbox
from smscli.gws.push import Push
from smscli.model import Event, Idle, NewMessages, Notice, SessionEnded, SessionStarted, Wake, WakeKind

HERE = Path(__file__).parent
ID = "0000Na9B26EF002G"
EVERYTHING = Wake(WakeKind.EVERYTHING)
BROKEN = Wake(WakeKind.BROKEN)
NEWS = Wake(WakeKind.MESSAGES, ID)
CONNECTS = ["/meta/connect"]
SUBSCRIBED = ["/meta/subscribe"] * 4

pytestmark = [pytest.mark.slow, pytest.mark.system]


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm package, as the lock file has it."""
    if not _node_version() >= 18 or not shutil.which("npm"):
        pytest.skip("node 18 or later and npm are not installed")
    folder = tmp_path_factory.mktemp("peers")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=100)
    if done.returncode and "CI" not in os.environ:
        pytest.skip("npm can't install cometd-nodejs-server")
    assert done.returncode == 0, done.stderr
    return folder / "node_modules"


def _node_version() -> int:
    if not shutil.which("node"):
        return 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20).stdout
    return int(said.strip().removeprefix("v").partition(".")[0] or 0)


class NodeServer:
    """The node program, and what it is told."""

    def __init__(self, modules: Path, options: dict[str, object]) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "server.js"), json.dumps(options)],
            env={**os.environ, "NODE_PATH": str(modules)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.base_url = f"http://127.0.0.1:{self._answer()['port']}/api/v2"

    def tell(self, **what: str) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        return dict(json.loads(self._process.stdout.readline()))

    @property
    def seen(self) -> list[list[str]]:
        """The channels of each request's messages."""
        return list(self.tell()["seen"])

    def await_listener(self) -> None:
        """Wait until a connect is held."""
        self.tell(do="await")

    def close(self) -> None:
        self._process.communicate(timeout=20)


Start = Callable[..., NodeServer]


class Listener(Push):
    """A push whose wake-ups wait in an inbox."""

    def __init__(self, base_url: str, pause: Callable[[float], object]) -> None:
        client = GwsClient(Server(base_url), lambda: ("Authorization", "Bearer t"), environ={})
        self.inbox: Inbox[ReadResult] = Inbox()
        super().__init__(client, self.inbox.wake, pause=pause)
        self.start()
        assert self.wait(10) == [EVERYTHING]

    def wait(self, seconds: float) -> list[Wake | ReadResult]:
        return self.inbox.take(seconds)


Listen = Callable[[NodeServer], Listener]


@pytest.fixture
def start(modules: Path) -> Iterator[Start]:
    servers: list[NodeServer] = []

    def make(**options: object) -> NodeServer:
        servers.append(NodeServer(modules, options))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def broken_and_back(push: Listener) -> bool:
    """Whether the next that is heard of the channel is that it broke, and then that it is back."""
    wakes: list[Wake | ReadResult] = []
    while EVERYTHING not in wakes:
        heard = push.wait(10)
        assert heard, "nothing came"
        wakes += heard
    return wakes == [BROKEN, EVERYTHING]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """A push that listens, its pauses as short as can be."""
    pushes: list[Listener] = []

    def make(server: NodeServer) -> Listener:
        push = Listener(server.base_url, lambda seconds: time.sleep(min(seconds, 0.01)))
        pushes.append(push)
        server.await_listener()
        return push

    yield make
    for push in pushes:
        push.close()


@pytest.mark.parametrize("topic", ["/v2/me/smssession", "/v2/me/smssessions", "/v2/me/smsessions"])
def test_news_arrive_whatever_the_topic(start: Start, listen: Listen, topic: str) -> None:
    server = start(topic=topic)
    push = listen(server)
    server.tell(say="hello")
    # This server delivers once for the wildcard and once for the topic itself.
    assert set(push.wait(10) + push.wait(0.05)) == {NEWS}


def test_news_of_a_topic_nobody_would_guess_arrive_once(start: Start, listen: Listen) -> None:
    server = start(topic="/v2/me/anything")
    push = listen(server)
    server.tell(say="hello")
    assert push.wait(10) == [NEWS]
    assert push.wait(0.05) == []


def test_a_connect_is_held_for_the_time_the_server_says(start: Start, listen: Listen) -> None:
    server = start(timeout=30)
    listen(server)
    since, before = time.monotonic(), len(server.seen)
    while len(server.seen) < before + 4:
        time.sleep(0.01)
    assert time.monotonic() - since >= 0.09


def test_a_cut_connect_is_sent_again_by_the_same_client_and_alone(start: Start, listen: Listen) -> None:
    server = start()
    push = listen(server)
    server.tell(do="cut")
    assert broken_and_back(push)
    server.await_listener()
    server.tell(say="hello")
    assert push.wait(10) == [NEWS]
    assert [one for one in server.seen if one != CONNECTS] == [["/meta/handshake"], SUBSCRIBED]


def test_a_server_that_knows_nothing_any_more_gets_a_handshake(start: Start, listen: Listen) -> None:
    server = start()
    push = listen(server)
    for text in ("one", "two"):
        server.tell(do="restart")
        assert broken_and_back(push)
        server.await_listener()
        server.tell(say=text)
        assert push.wait(10) == [NEWS]
    opened = [one for one in server.seen if one != CONNECTS]
    assert opened == [["/meta/handshake"], SUBSCRIBED] * 3


def test_a_client_that_begins_anew_is_not_counted_with_what_it_was_before(start: Start) -> None:
    server = start(timeout=300)
    before = Transport(
        Server(server.base_url), lambda: ("Authorization", "Bearer t"), {}, clock=time.monotonic
    )
    after = before.clone()
    old, new = (BayeuxClient(transport, lambda _: None) for transport in (before, after))
    old.open()
    held = threading.Thread(target=old.connect, kwargs={"immediate": False})
    held.start()
    server.await_listener()
    new.open()
    new.connect(immediate=False)
    held.join()
    # One of many clients would be told to wait two seconds.
    assert new.advice == Advice(0.0, 0.3)
    before.close()
    after.close()


def test_a_client_that_the_server_missed_for_too_long_begins_anew(start: Start) -> None:
    server = start(maxInterval=30, timeout=20)
    late = iter([0.3])
    push = Listener(server.base_url, lambda seconds: time.sleep(next(late, 0.0)))
    assert broken_and_back(push)
    push.close()
    assert [one for one in server.seen if one[0] == "/meta/handshake"] == [["/meta/handshake"]] * 2


def test_the_server_is_told_of_the_end(start: Start, listen: Listen) -> None:
    server = start()
    push = listen(server)
    push.close()
    assert server.seen[-1] == ["/meta/disconnect"]


def test_a_session_is_followed_to_its_end_by_push_alone(start: Start, listen: Listen) -> None:
    server = start(topic="/v2/me/smssession")
    server.tell(say="before")
    push = listen(server)
    client = GwsClient(Server(server.base_url), lambda: ("Authorization", "Bearer t"), environ={})

    def wait(seconds: float) -> list[Wake | ReadResult]:
        """No poll is due before a wake-up comes: the interval is five minutes."""
        return push.wait(min(seconds, 10))

    def begin(request: Request) -> None:
        if isinstance(request, MessagesRequest):
            page = client.page(request.session_id, request.page.start, request.page.count)
            push.inbox.put(ReadResult(request, page))
        else:
            push.inbox.put(ReadResult(request, client.sessions()))

    told: list[Event] = []
    feed = Feed(begin, clock=time.monotonic, interval=300, slots=ReadSlots(), ids=[ID])
    loop = FeedLoop(
        {"": feed}, wait=lambda seconds: [("", one) for one in wait(seconds)], clock=time.monotonic
    )
    events = (event for _, event in loop.events())

    def until(what: Callable[[Event], bool]) -> None:
        for event in events:
            if not isinstance(event, Idle):
                told.append(event)
            if what(event):
                return

    def hear(text: str) -> None:
        server.await_listener()
        server.tell(say=text)
        until(lambda event: isinstance(event, NewMessages) and text in [one.text for one in event.messages])

    until(lambda event: isinstance(event, NewMessages) and event.done)
    hear("first")
    server.tell(do="restart")
    until(lambda event: isinstance(event, Idle))
    hear("second")
    server.tell(do="end")
    until(lambda event: isinstance(event, SessionEnded))
    client.close()
    texts = [message.text for event in told if isinstance(event, NewMessages) for message in event.messages]
    assert texts == ["before", "first", "second"]
    assert [event.session.id for event in told if isinstance(event, SessionStarted)] == [ID]
    assert [event.kind for event in told if isinstance(event, Notice)] == ["push-trusted"]
    assert told[-1] == SessionEnded(ID, "Completed")
