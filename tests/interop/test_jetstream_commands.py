"""`tail --to` and `--source` as whole commands against a real nats-server."""

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smscli.jetstream.address import parse_address
from smscli.jetstream.connection import StreamConnection
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Outcome, Smscli, running
from tests.support.nats_nodes import PROGRAM, NatsNode, needs_nats, until
from tests.support.paths import README
from tests.support.profiles import BOTH, MIKA, NOOR, north_server, profiles
from tests.support.published import held
from tests.support.readme import blocks, lines, the

pytestmark = [*needs_nats, pytest.mark.slow]

FIRST, SECOND = "0000Na9B26EF0001", "0000Na9B26EF0002"
_PASSWORD = "s3cret-of-the-agent"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty", users={"ann": _PASSWORD})) as one:
        one.store.add_session(FIRST, customer="Mika", agents=("Robin",))
        one.store.add_session(SECOND, customer="Noor", agents=("Robin",))
        one.store.say(FIRST, "my card 4929123456781234 was refused", by="Mika")
        one.store.say(FIRST, "let me look", by="Robin")
        one.store.say(SECOND, "hello", by="Noor")
        yield one


@pytest.fixture
def environ(home: dict[str, str], server: FakeServer) -> dict[str, str]:
    return {**home, "SMSCLI_URL": server.url, "SMSCLI_USERNAME": "ann", "SMSCLI_PASSWORD": _PASSWORD}


class Collector:
    """A `tail --to` in a process of its own."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.child = child
        self.shown: list[str] = []
        self.notices: list[dict[str, Any]] = []
        for target in (self._read, self._listen):
            threading.Thread(target=target, daemon=True).start()

    def _read(self) -> None:
        assert self.child.stdout
        self.shown.extend(json.loads(line)["text"] for line in self.child.stdout)

    def _listen(self) -> None:
        assert self.child.stderr
        for line in self.child.stderr:
            value = json.loads(line)
            self.notices.append(value.get("notice", value))

    def said(self, kind: str) -> list[str]:
        return [one["message"] for one in self.notices if one.get("kind") == kind]

    def end(self) -> int:
        self.child.send_signal(signal.SIGINT)
        return self.child.wait(30)


@contextmanager
def collecting(environ: dict[str, str], url: str, *more: str) -> Iterator[Collector]:
    arguments = ["tail", "--all", "--json", "--interval", "0.2", "--to", url, *more]
    with running(environ, *arguments) as child:
        yield Collector(child)


def texts(node: NatsNode) -> list[str]:
    """What the messages in the stream say; nothing before it is there."""
    if not node.streams():
        return []
    return sorted(one.value["text"] for one in held(node.url(), "message.>"))


def run(environ: dict[str, str], *arguments: str) -> Outcome:
    command = [sys.executable, "-m", "smscli", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_a_stream_reads_as_the_server_does(
    server: FakeServer, environ: dict[str, str], home: dict[str, str], node: NatsNode
) -> None:
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3)
        until(lambda: len(held(node.url(), "session.>")) == 2)
        assert collector.end() == 130
    assert sorted(collector.shown) == texts(node)
    for command in (
        ("list", "--json"),
        ("list", "--jsonl"),
        ("list", "--columns", "id,customer,messages,lastMessage"),
        ("list", "--redact", "--json"),
        ("show", "Mika", "--json"),
        ("messages", FIRST, "--json"),
        ("messages", "Noor", "--jsonl", "--typing", "fold"),
        ("messages", FIRST, "--redact", "--grep", "4929"),
        ("messages", FIRST, "--last", "1"),
    ):
        live, streamed = run(environ, *command), run(home, *command, "--source", node.url())
        assert (streamed.code, _without_waits(streamed.out)) == (live.code, _without_waits(live.out)), command


def _without_waits(text: str) -> str:
    """Without what depends on the moment of the read."""
    if '"activity"' not in text:
        return text
    value = json.loads(text)
    value["activity"].pop("waitingSeconds")
    return json.dumps(value)


def test_check_of_a_stream(
    server: FakeServer, environ: dict[str, str], home: dict[str, str], node: NatsNode
) -> None:
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3 and len(held(node.url(), "session.>")) == 2)
        server.store.end(SECOND)
        until(lambda: len(held(node.url(), "session.>")) >= 3)
        assert collector.end() == 130
    everything = run(home, "check", "--all", "--source", node.url())
    rows = [line.split("\t") for line in everything.out.splitlines()]
    assert [row[0] for row in rows[::13]] == [FIRST, SECOND]
    assert [row[2] for row in rows if row[1] == "connection"] == ["ok", "ok"]
    named = run(home, "check", "Noor", "--waiting", "0s", "--source", node.url())
    assert {line.split("\t")[0] for line in named.out.splitlines()} == {SECOND}
    assert run(home, "list", "--source", node.url()).out.startswith(f"{FIRST}\tChatting")
    ended = run(home, "list", "--state", "completed", "--source", node.url()).out
    assert ended.startswith(f"{SECOND}\tCompleted")


def test_a_desk_follows_the_stream_live_without_signing_in(
    server: FakeServer, environ: dict[str, str], home: dict[str, str], node: NatsNode
) -> None:
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3)
        with running(home, "tail", "Mika", "--json", "--source", node.url()) as child:
            desk = Collector(child)
            until(lambda: len(desk.shown) == 2)
            server.store.say(FIRST, "found it", by="Robin")
            until(lambda: len(desk.shown) == 3)
            server.store.end(FIRST)
            assert child.wait(30) == 0
        assert desk.shown == ["my card 4929123456781234 was refused", "let me look", "found it"]
        assert desk.said("session-ended") == [f"session {FIRST} ended (Completed)"]
        assert collector.end() == 130


def test_while_the_engine_is_away_the_screen_goes_on_and_nothing_is_lost(
    server: FakeServer, environ: dict[str, str], node: NatsNode
) -> None:
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3)
        node.kill()
        server.store.say(FIRST, "said meanwhile", by="Robin")
        until(lambda: "said meanwhile" in collector.shown)
        until(lambda: collector.said("stream"))
        node.restart()
        until(lambda: "said meanwhile" in texts(node))
        until(lambda: len(collector.said("stream")) == 2)
        assert collector.end() == 130
    lost, back = collector.said("stream")
    assert "retrying" in lost, lost
    assert "again" in back, back
    assert len(texts(node)) == len(set(texts(node))) == 4


def test_a_recording_that_goes_on_fills_the_stream_with_whole_logs(
    server: FakeServer, environ: dict[str, str], node: NatsNode, tmp_path: Path
) -> None:
    file = tmp_path / "log.jsonl"
    with running(environ, "tail", "--all", "--json", "--record", str(file)) as child:
        before = Collector(child)
        until(lambda: len(before.shown) == 3)
        assert before.end() == 130
    server.store.say(FIRST, "later", by="Robin")
    with collecting(environ, node.url(), "--record", str(file)) as collector:
        until(lambda: len(texts(node)) == 4)
        assert collector.end() == 130
    assert collector.shown == ["later"]
    recorded = [json.loads(line) for line in file.read_text().splitlines()]
    assert len([one for one in recorded if "text" in one]) == 4


def test_several_profiles_are_published_each_with_its_name(
    profile_home: dict[str, str], node: NatsNode
) -> None:
    with north_server() as server:
        profiles(profile_home, north=(server.url, "ann"), west=(server.url, "bob"))
        with collecting(profile_home, node.url(), "-p", "*") as collector:
            until(lambda: len(texts(node)) == 3)
            until(lambda: len(held(node.url(), "session.>")) == 3)
            until(lambda: held(node.url(), "collector.>"))
            assert collector.end() == 130
        site = server.url.removeprefix("http://")
    found = {one.value["sessionId"]: one.value["profile"] for one in held(node.url(), "message.>")}
    # Which of the two agents' lists came first varies.
    assert found.pop(BOTH) in ("north", "west")
    assert found == {MIKA: "north", NOOR: "west"}
    (alive, *_) = held(node.url(), "collector.>")
    assert {**alive.value, "at": None} == {
        "record": "alive",
        "at": None,
        "profiles": ["north", "west"],
        "servers": [site],
    }


def test_the_readmes_commands_and_configuration_work(
    server: FakeServer, environ: dict[str, str], node: NatsNode, tmp_path: Path
) -> None:
    typed = [line.split() for line in lines() if "nats://" in line]
    assert len(typed) == 3
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3 and len(held(node.url(), "session.>")) == 2)
        assert collector.end() == 130
    server.store.end(SECOND)
    for _, *words in typed:
        words = [node.url() if "nats://" in word else word for word in words]
        if words[0] == "tail":
            with running(environ, *words, "--json") as child:
                desk = Collector(child)
                until(lambda desk=desk: desk.shown == ["hello"])
                assert desk.end() == 130
        else:
            outcome = run(environ, *words)
            assert (outcome.code, FIRST in outcome.out) == (0, True), outcome.err
    config = tmp_path / "readme.conf"
    config.write_text(the(blocks("conf"), "jetstream").replace("/var/lib/nats", str(tmp_path)))
    subprocess.run([str(PROGRAM), "-t", "-c", str(config)], check=True, capture_output=True)
    (unit,) = re.findall("^ExecStart=(.*--to.*)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    to = shlex.split(unit)[-1]
    address = parse_address(to)
    assert (address.replicas, address.max_age, address.stream) == (3, 30 * 86400, "CENTRE")


def _permitted(who: str) -> str:
    """A configuration in which everybody may do what the README lists for one part."""
    row = re.search(rf"^\| {who} \|(.*)\|(.*)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert row
    publish, subscribe = (
        ", ".join(f'"{one}"' for one in re.findall("`(.*?)`", cell)) for cell in row.groups()
    )
    rights = f"permissions: {{ publish: [{publish}], subscribe: [{subscribe}] }}"
    user = f"{{ user: anyone, password: x, {rights} }}"
    return f"accounts {{ A: {{ jetstream: enabled, users: [ {user} ] }} }}\nno_auth_user: anyone\n"


def _stored(node: NatsNode) -> int:
    """How many records the only stream has, as the engine says itself."""
    return sum(one["state"]["messages"] for one in node.streams())


def test_the_permissions_that_the_readme_lists_are_enough(
    server: FakeServer, environ: dict[str, str], tmp_path: Path
) -> None:
    store = f'jetstream {{ store_dir: "{tmp_path / "store"}" }}\n'
    node = NatsNode(tmp_path, _permitted("collector"))
    node.configure(store + _permitted("collector"))
    url = node.url("CENTRE")
    with node:
        # Messages, states and a sign of life. The second collector begins with what the stream holds.
        for number in (6, 7):
            with collecting(environ, url) as collector:
                until(lambda number=number: _stored(node) >= number)
                assert collector.end() == 130
            assert not collector.said("stream")
        node.stop()
        node.configure(store + _permitted("desk"))
        node.restart()
        for command in (["list"], ["show", FIRST], ["messages", FIRST], ["check", "--all"]):
            outcome = run(environ, *command, "--source", url)
            assert (outcome.code, outcome.err) == (0, "")
        with running(environ, "tail", "--all", "--json", "--source", url) as child:
            desk = Collector(child)
            until(lambda: len(desk.shown) == 3)
            assert desk.end() == 130
            assert not desk.said("stream")
        refused = run(environ, "tail", "--all", "--to", url)
    assert refused.code == 4
    assert refused.err.splitlines()[0] == (
        f"error: 127.0.0.1:{node.port} doesn't permit publishing to $JS.API.STREAM.MSG.GET.CENTRE"
    )


def last_states(node: NatsNode) -> dict[str, str]:
    """Which kind of record is each session's last."""
    found: dict[str, str] = {}
    for one in held(node.url(), "session.>"):
        kind = one.value["record"]
        found[one.value["sessionId"] if kind == "ended" else one.value["session"]["id"]] = kind
    return found


def test_a_session_that_ended_while_no_collector_ran_has_ended_in_the_stream(
    profile_home: dict[str, str], node: NatsNode
) -> None:
    with north_server() as server:
        profiles(profile_home, north=(server.url, "ann"), west=(server.url, "bob"))
        with collecting(profile_home, node.url(), "-p", "*") as collector:
            until(lambda: len(texts(node)) == 3 and len(held(node.url(), "session.>")) == 3)
            assert collector.end() == 130
        server.store.remove(MIKA)
        server.store.remove(NOOR)
        # ann's profile alone tells of her sessions only.
        with collecting(profile_home, node.url(), "-p", "north") as collector:
            until(lambda: last_states(node)[MIKA] == "ended")
            assert collector.end() == 130
        assert last_states(node) == {MIKA: "ended", NOOR: "session", BOTH: "session"}
        with collecting(profile_home, node.url(), "-p", "*") as collector:
            until(lambda: last_states(node)[NOOR] == "ended")
            assert collector.end() == 130


@pytest.mark.parametrize("sign_in", ["profile", "token"])
def test_two_users_whose_profiles_have_one_name_do_not_end_each_others_sessions(
    profile_home: dict[str, str], node: NatsNode, sign_in: str
) -> None:
    def as_user(name: str) -> dict[str, str]:
        if sign_in == "token":
            return {**profile_home, "SMSCLI_URL": server.url, "SMSCLI_TOKEN": name}
        profiles(profile_home, default=(server.url, name))
        return profile_home

    with north_server() as server:
        server.options.tokens = {"ann": "ann", "bob": "bob"}
        with collecting(as_user("ann"), node.url()) as collector:
            until(lambda: len(texts(node)) == 2 and len(held(node.url(), "session.>")) == 2)
            assert collector.end() == 130
        server.store.remove(NOOR)
        server.store.add_session("0000Na9B26EF0009", customer="Ines", owner="bob")
        with collecting(as_user("bob"), node.url()) as collector:
            until(lambda: len(last_states(node)) == 3)
            # Longer than a session must be missing to have ended.
            time.sleep(6.0)
            assert collector.end() == 130
    assert last_states(node) == {MIKA: "session", BOTH: "session", "0000Na9B26EF0009": "session"}


def test_a_user_of_another_server_is_another_user(profile_home: dict[str, str], node: NatsNode) -> None:
    with north_server() as north, north_server() as south:
        profiles(profile_home, south=(south.url, "ann"))
        with collecting(profile_home, node.url(), "-p", "south") as collector:
            until(lambda: texts(node) and len(held(node.url(), "session.>")) == 2)
            assert collector.end() == 130
        profiles(profile_home, north=(north.url, "ann"), south=(south.url, "bob"))
        with collecting(profile_home, node.url(), "-p", "*") as collector:
            until(lambda: len(held(node.url(), "session.>")) == 5)
            time.sleep(6.0)
            assert collector.end() == 130
    assert [one.value["record"] for one in held(node.url(), "session.>")] == ["session"] * 5


def test_what_ended_meanwhile_has_ended_also_without_a_saved_profile(
    server: FakeServer, environ: dict[str, str], node: NatsNode
) -> None:
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3 and len(held(node.url(), "session.>")) == 2)
        assert collector.end() == 130
    server.store.remove(SECOND)
    with collecting(environ, node.url()) as collector:
        until(lambda: last_states(node)[SECOND] == "ended")
        assert collector.end() == 130
    assert last_states(node) == {FIRST: "session", SECOND: "ended"}


def test_a_stream_that_replaces_a_deleted_one_is_filled_again(
    server: FakeServer, environ: dict[str, str], node: NatsNode
) -> None:
    def states() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in held(node.url(), "session.>") if node.streams() else ():
            found.setdefault(one.value["session"]["id"], []).append(one.value["session"]["state"])
        return found

    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3 and len(states()) == 2)
        before = states()
        setup = StreamConnection(parse_address(node.url()))
        setup.open()
        setup.run(lambda: setup.jetstream.delete_stream("CC"))
        setup.ensure_stream()
        setup.close()
        server.store.say(FIRST, "found it", by="Robin")
        until(lambda: len(texts(node)) == 4 and states() == before)
        assert collector.end() == 130
        assert collector.said("stream") == [
            "the stream was deleted and created again: the followed sessions are published to it anew"
        ]
    assert [one.value["text"] for one in held(node.url(), f"message.*.{FIRST}")] == [
        "my card 4929123456781234 was refused",
        "let me look",
        "found it",
    ]


def test_under_steady_load_it_is_said_that_the_stream_can_not_be_written(
    server: FakeServer, environ: dict[str, str], node: NatsNode
) -> None:
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3)
        node.kill()
        begun, number = time.monotonic(), 0
        while not collector.said("stream") and time.monotonic() - begun < 20:
            number += 1
            server.store.say(FIRST, f"busy {number}", by="Robin")
            time.sleep(0.02)
        assert collector.said("stream")
        assert collector.end() == 130


def test_masked_and_unmasked_collectors_do_not_mix(
    server: FakeServer, environ: dict[str, str], node: NatsNode
) -> None:
    with collecting(environ, node.url(), "--redact") as collector:
        until(lambda: len(texts(node)) == 3)
        assert collector.end() == 130
    assert not [one for one in held(node.url()) if b"4929123456781234" in json.dumps(one.value).encode()]
    assert all(one.value["masked"] is True for one in held(node.url()))
    refused = run(environ, "tail", "--all", "--to", node.url())
    assert refused.code == 1
    assert refused.err.splitlines()[0] == f"error: the stream {node.url()} was started with --redact"


def test_no_secret_is_in_the_stream(server: FakeServer, environ: dict[str, str], node: NatsNode) -> None:
    with collecting(environ, node.url()) as collector:
        until(lambda: len(texts(node)) == 3 and held(node.url(), "collector.>"))
        assert collector.end() == 130
    assert not [one for one in held(node.url()) if _PASSWORD.encode() in json.dumps(one.value).encode()]


@pytest.mark.parametrize("option", ["--to", "--source"])
def test_an_engine_that_is_not_there_is_an_error_of_its_own(
    smscli: Smscli, server: FakeServer, option: str, tmp_path: Path
) -> None:
    words = ("tail", "--all", option, "nats://127.0.0.1:1/CC")
    begun = time.monotonic()
    outcome = smscli(*words, server=server, SMSCLI_TIMEOUT="2")
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.splitlines()[0] == "error: 127.0.0.1:1 refuses the connection"
    assert time.monotonic() - begun < 4
    missing = smscli(*words, "--nats-creds", str(tmp_path / "none"), server=server)
    assert (missing.code, len(missing.err.splitlines())) == (4, 2)


def test_a_stream_that_is_not_there_is_no_such_stream(smscli: Smscli, node: NatsNode) -> None:
    for command in ("list", "show x", "messages", "check --all", "tail --all"):
        outcome = smscli(*command.split(), "--source", node.url("NOWHERE"), "--json")
        assert (outcome.code, json.loads(outcome.err)["error"]["kind"]) == (5, "not_found"), command


def test_without_the_package_the_extra_is_named(
    smscli: Smscli, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)
    for option in ("--to", "--source"):
        outcome = smscli("tail", "--all", option, "nats://127.0.0.1:1/CC", server=server)
        assert outcome.code == 2
        assert "pip install 'smscli[nats]'" in outcome.err


def test_a_stale_stream_is_said_once(home: dict[str, str], node: NatsNode) -> None:
    from smscli.jetstream.connection import StreamConnection
    from tests.support.published import message

    connection = StreamConnection(parse_address(node.url()))
    connection.open()
    try:
        connection.ensure_stream()
        value = {"sessionId": FIRST, "index": 1, "type": "Text", "text": "old", "server": "gws:443"}
        value["timestamp"] = message(1).at.isoformat()  # type: ignore[union-attr]
        subject = f"CC.message.gws=3A443.{FIRST}"
        connection.run(lambda: connection.jetstream.publish(subject, json.dumps(value).encode()))
    finally:
        connection.close()
    for command in ("list", f"messages {FIRST}", "check --all"):
        outcome = run(home, *command.split(), "--source", node.url())
        assert outcome.err.count("stale" if "--json" in command else "newest record") == 1, outcome.err
    checked = run(home, "check", "--all", "--source", node.url()).out
    (row,) = [line.split("\t") for line in checked.splitlines() if "\tconnection\t" in line]
    assert row[2] == "warn"
