"""Publishing to a real nats-server: each record once, whatever happens to engine and collectors."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from smscli.errors import LocalError, NotFound, NotPermitted, ServerError
from smscli.jetstream.address import parse_address
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.subjects import message_subject
from smscli.model import Message, Page, Session
from smscli.recordings.format import ConnectionRecord, SessionRecord, line_of
from smscli.records import SessionKey, message_key
from tests.support.nats_nodes import NatsCluster, NatsNode, needs_nats, until
from tests.support.published import (
    SITE,
    START,
    Collector,
    ended_record,
    held,
    message,
    messages_held,
    session_record,
    session_states,
)

pytestmark = [*needs_nats, pytest.mark.slow]


def test_each_kind_of_record_has_its_subject(node: NatsNode) -> None:
    with Collector(node.url(), name="desk", clock=START.timestamp) as collector:
        collector.take(session_record("Chatting"), message(1), ended_record())
        until(lambda: held(node.url(), "collector.*"))
        collector.take(ConnectionRecord(START, "lost", "connection lost, retrying"))
    found = held(node.url())
    assert {one.subject: one.value for one in found if one.subject != "CC.collector.desk"} == {
        "CC.message.gws=2Eexample=2Ecom=3A443.s1": {
            "sessionId": "s1",
            "key": message_key(message(1)),
            "index": 1,
            "text": "text 1",
            "from": None,
            "visibility": None,
            "type": "Text",
            "timestamp": "2026-03-02T10:00:01.000Z",
            "server": SITE,
        },
        "CC.session.gws=2Eexample=2Ecom=3A443.s1": {
            "record": "ended",
            "at": "2026-03-02T10:00:00.000Z",
            "sessionId": "s1",
            "state": "Completed",
            "server": SITE,
        },
    }
    assert session_states(node.url()) == ["Chatting", "ended"]
    assert [one.value for one in found if one.subject == "CC.collector.desk"] == [
        {"record": "alive", "at": "2026-03-02T10:00:00.000Z", "profiles": ["default"], "servers": []},
        {
            "record": "lost",
            "at": "2026-03-02T10:00:00.000Z",
            "message": "connection lost, retrying",
            "server": SITE,
        },
    ]
    assert collector.said == []


def test_a_message_has_its_key_as_id(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        collector.take(message(1))
    (found,) = held(node.url(), "message.>")
    assert found.headers["Nats-Msg-Id"] == found.value["key"] == message_key(message(1))


def test_two_servers_may_have_the_same_session_and_message(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        for site in ("a", "b", "c"):
            collector.take(message(1), message(2), session_record("Chatting"), server=site)
    for site in ("a", "b", "c"):
        assert messages_held(node.url(), site) == [1, 2]
    assert session_states(node.url()) == ["Chatting"] * 3


def test_two_collectors_publish_each_message_once_and_in_order(node: NatsNode) -> None:
    sessions = [f"s{number}" for number in range(10)]
    with Collector(node.url()) as one, Collector(node.url()) as other:
        for index in range(1, 101):
            for collector in (one, other):
                collector.take(*(message(index, session) for session in sessions))
    for session in sessions:
        assert messages_held(node.url(), "*", session) == list(range(1, 101))
    assert one.said == other.said == []


def test_a_killed_leader_costs_no_message_and_doubles_none(tmp_path: Path) -> None:
    sessions = [f"s{number}" for number in range(5)]
    with NatsCluster(tmp_path) as cluster:
        url = f"{cluster.url()}?replicas=3"
        with Collector(url) as one, Collector(url) as other:
            killed = None
            for index in range(1, 601):
                for collector in (one, other):
                    collector.take(*(message(index, session) for session in sessions))
                if index == 200:
                    until(lambda: len(held(url, "message.>")) > 100)
                    killed = cluster.leader()
                    killed.kill()
                time.sleep(0.002)
            one.settle()
            other.settle()
            assert killed
            killed.restart()
            # The states of a session, there and back.
            one.take(session_record("Chatting"), session_record("Invited", 1), session_record("Chatting", 2))
        for session in sessions:
            assert messages_held(url, "*", session) == list(range(1, 601))
        assert session_states(url) == ["Chatting", "Invited", "Chatting"]


def test_what_waits_while_the_engine_is_away_follows_when_it_is_back(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        collector.take(message(1))
        collector.settle()
        node.kill()
        collector.take(message(2), message(3), session_record("Chatting"))
        until(lambda: collector.says("stream can't be written"))
        node.restart()
        until(lambda: collector.says("can be written again"))
        collector.settle()
    assert messages_held(node.url()) == [1, 2, 3]
    assert session_states(node.url()) == ["Chatting"]
    assert collector.said == [
        (
            "stream",
            f"stream can't be written, retrying (127.0.0.1:{node.port} refuses the connection)",
        ),
        ("stream", "stream can be written again, 3 records late"),
    ]


def test_beyond_the_limit_the_log_is_read_again(node: NatsNode) -> None:
    log = [message(index) for index in range(1, 301)]
    reads = []

    def read_log(server: str, session_id: str) -> Iterator[tuple[Page, str | None]]:
        reads.append((server, session_id))
        if session_id == "gone":
            raise NotFound("no session gone")
        yield Page(tuple(log[:200])), None
        yield Page(tuple(log[200:])), None

    with Collector(node.url(), read_log=read_log, most_waiting=100) as collector:
        node.kill()
        until(lambda: not collector.connection.connected)
        collector.take(*log[:150])
        collector.take(session_record("Invited"), session_record("Chatting", 1), ended_record(2))
        collector.take(session_record("Chatting", session_id="gone"), message(1, "gone"))
        collector.take(*log[150:])
        assert collector.waiting == 103
        node.restart()
        collector.settle()
    assert messages_held(node.url(), "*", "s1") == list(range(1, 301))
    assert messages_held(node.url(), "*", "gone") == []
    assert session_states(node.url(), "s1") == ["Chatting", "ended"]
    assert session_states(node.url(), "gone") == ["Chatting"]
    assert reads == [(SITE, "s1"), (SITE, "gone")]
    lost = (
        "session gone can't be read any more: what came while the stream couldn't be written is missing there"
    )
    assert ("lost", lost) in collector.said


def test_a_message_that_came_while_the_log_was_read_again_is_not_missed(node: NatsNode) -> None:
    log = [message(index) for index in range(1, 51)]
    reads = []

    def read_log(server: str, session_id: str) -> Iterator[tuple[Page, str | None]]:
        reads.append(len(log))
        yield Page(tuple(log)), None
        if len(reads) == 1:
            log.append(message(51))
            collector.take(log[-1])

    with Collector(node.url(), read_log=read_log, most_waiting=10) as collector:
        collector.take(*log)
        collector.settle()
    assert messages_held(node.url()) == list(range(1, 52))
    assert reads == [50, 51]


def test_a_restart_outside_the_duplicate_window_repeats_nothing(node: NatsNode) -> None:
    url = f"{node.url()}?max_age=1s"
    setup = StreamConnection(parse_address(node.url()), timeout=5)
    setup.open()
    setup.run(
        lambda: setup.jetstream.add_stream(
            name="CC", subjects=["CC.message.*.*", "CC.session.*.*", "CC.collector.*"], duplicate_window=0.1
        )
    )
    setup.close()
    log = [message(index) for index in range(1, 101) if index != 50]
    with Collector(url) as collector:
        collector.take(session_record("Chatting"), *log)
        collector.settle()
        collector.take(message(50, late=True))
    time.sleep(0.3)
    # The server's log has the late one in its place.
    again = [message(index) for index in range(1, 131)]
    with Collector(url) as collector:
        collector.take(session_record("Chatting", 9), *again)
    indices = [*range(1, 50), *range(51, 101), 50, *range(101, 131)]
    assert messages_held(node.url()) == indices
    assert session_states(node.url()) == ["Chatting"]


def test_a_message_that_came_late_while_nobody_published_is_marked(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        collector.take(message(1), message(2), message(4))
    with Collector(node.url()) as collector:
        collector.take(*map(message, range(1, 6)))
    found = [(one.value["index"], one.value.get("late")) for one in held(node.url(), "message.>")]
    assert found == [(1, None), (2, None), (4, None), (3, True), (5, None)]


def test_a_renumbered_log_is_published_without_a_mark(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        collector.take(message(1), message(2), message(3))
        collector.take(message(1, text="new 1"), message(2, text="new 2"))
    found = [
        (one.value["index"], one.value["text"], one.value.get("late"))
        for one in held(node.url(), "message.>")
    ]
    assert found == [
        (1, "text 1", None),
        (2, "text 2", None),
        (3, "text 3", None),
        (1, "new 1", None),
        (2, "new 2", None),
    ]


def test_a_state_there_and_back_is_kept_and_an_equal_one_is_not_repeated(node: NatsNode) -> None:
    with Collector(node.url()) as one, Collector(node.url()) as other:
        for second, state in enumerate(["Invited", "Chatting", "Invited", "Chatting"]):
            for collector in (one, other):
                collector.take(session_record(state, second))
                collector.settle()
        for collector in (one, other):
            collector.take(ended_record(5))
            collector.settle()
        one.take(session_record("Chatting", 6))
    assert session_states(node.url()) == ["Invited", "Chatting", "Invited", "Chatting", "ended", "Chatting"]


def test_an_old_answer_is_not_published_behind_a_newer_one(node: NatsNode) -> None:
    with Collector(node.url()) as one, Collector(node.url()) as other:
        one.take(session_record("Chatting", 5))
        one.settle()
        other.take(session_record("Invited", 4), ended_record(3))
        other.settle()
        other.take(session_record("Completed", 6))
    assert session_states(node.url()) == ["Chatting", "Completed"]


def test_of_two_states_in_one_second_the_later_collector_asks_again(node: NatsNode) -> None:
    asked: list[SessionKey] = []
    with Collector(node.url()) as one, Collector(node.url(), on_doubt=asked.append) as other:
        one.take(session_record("Chatting", 5))
        one.settle()
        other.take(session_record("Invited", 5))
        until(lambda: other.publisher.report() or asked)
        assert session_states(node.url()) == ["Chatting"]
        other.take(session_record("Chatting", 6))
        other.settle()
        other.take(session_record("Completed", 7))
    assert asked == [SessionKey(SITE, "s1")]
    assert session_states(node.url()) == ["Chatting", "Completed"]


def test_masked_and_unmasked_records_do_not_mix(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        collector.take(message(1))
    masked = Collector(node.url(), redact=True)
    with pytest.raises(LocalError) as refused:
        masked.publisher.open()
    assert refused.value.message == f"the stream {node.url()} was started without --redact"
    assert refused.value.hint == "run tail without it, or publish to another stream"


def _entered(collectors: list[Collector]) -> list[int]:
    """Which of these collectors, all opened at the same moment, were not refused."""
    gate, entered = threading.Barrier(len(collectors)), []

    def enter(number: int) -> None:
        gate.wait()
        with suppress(LocalError):
            collectors[number].publisher.open()
            entered.append(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(len(collectors))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return entered


def _assert_one_setting(url: str) -> None:
    collectors = [Collector(url, redact=one % 2 > 0, name=f"c{one}") for one in range(6)]
    entered = _entered(collectors)
    for one in collectors:
        one.publisher.close()
    assert sorted(entered) in ([0, 2, 4], [1, 3, 5])
    assert len(held(url)) == 3


def test_of_collectors_that_begin_at_the_same_moment_one_setting_is_refused(node: NatsNode) -> None:
    for number in range(5):
        _assert_one_setting(node.url(f"S{number}"))


def test_of_collectors_that_begin_on_three_nodes_one_setting_is_refused(tmp_path: Path) -> None:
    with NatsCluster(tmp_path) as cluster:
        for number in range(5):
            _assert_one_setting(f"{cluster.url(f'S{number}')}?replicas=3")


def test_mixing_is_refused_when_it_is_found_later(node: NatsNode) -> None:
    masked = Collector(node.url(), redact=True)
    masked.publisher.open()
    delete_stream(masked)
    with Collector(node.url()) as plain:
        plain.take(message(1))
        plain.settle()
        masked.take(message(1), message(2))
        with pytest.raises(LocalError):
            until(lambda: masked.publisher.report())
    masked.publisher.close()
    assert messages_held(node.url()) == [1]
    assert masked.said == [_not_published("2 records were")]


def test_a_record_over_the_limit_is_passed_over(tmp_path: Path) -> None:
    with NatsNode(tmp_path, "max_payload: 4096") as node, Collector(node.url()) as collector:
        collector.take(message(1), message(2, text="x" * 3700), message(3, text="y" * 5000), message(4))
        collector.settle()
        assert messages_held(node.url()) == [1, 4]
        assert collector.says("message 2 of session s1 is too large for the stream (")
        assert collector.says("message 3 of session s1 is too large for the stream (")
        assert [kind for kind, _ in collector.said] == ["skipped", "skipped"]


def test_a_record_that_cannot_be_written_is_passed_over(node: NatsNode) -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    bad_message = replace(message(1), sent={"index": 1, "deep": deep})
    bad_session = SessionRecord(START, Session("s1", sent={"userData": deep}))
    with Collector(node.url()) as collector:
        collector.take(bad_message, bad_session, message(2))
        collector.settle()
        collector.publisher.report()
    assert messages_held(node.url()) == [2]
    assert sorted(collector.said) == [
        ("skipped", "message 1 of session s1 is nested too deeply: not published"),
        ("skipped", "the state of session s1 is nested too deeply: not published"),
    ]


def test_a_session_id_too_long_for_a_subject_is_passed_over_once(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        collector.take(message(1, "x" * 5000), message(2, "x" * 5000), message(1))
        collector.settle()
        collector.publisher.report()
    assert messages_held(node.url()) == [1]
    assert collector.said == [("skipped", f"the id of session {'x' * 20}... is too long for a stream")]


def test_any_site_and_session_id_has_a_subject(node: NatsNode) -> None:
    ids = ["a.b", "*", ">", "a b", "", "=2E", "\ud800", "ä\r\n"]
    with Collector(node.url()) as collector:
        for session_id in ids:
            collector.take(message(1, session_id), server="x y.*")
    assert {one.value["sessionId"] for one in held(node.url(), "message.>")} == set(ids)


_REPLACED = (
    "stream",
    "the stream was deleted and created again: the followed sessions are published to it anew",
)


def _not_published(what: str) -> tuple[str, str]:
    return "stream", f"{what} not published to the stream; the next start publishes what the server still has"


class Followed:
    """What is followed: the logs of sessions, and their states, which are taken again when the stream is
    another one."""

    def __init__(self, **logs: list[Message]) -> None:
        self.logs = logs
        self.collector: Collector | None = None

    def read_log(self, server: str, session_id: str) -> Iterator[tuple[Page, str | None]]:
        yield Page(tuple(self.logs[session_id])), None

    def on_replaced(self) -> list[SessionKey]:
        assert self.collector
        self.collector.take(*(session_record("Chatting", 0, one) for one in self.logs))
        return [SessionKey(SITE, one) for one in self.logs]


@contextmanager
def following(node: NatsNode, followed: Followed) -> Iterator[Collector]:
    """A collector that has published what is followed."""
    with Collector(
        node.url(), read_log=followed.read_log, on_replaced=followed.on_replaced
    ) as followed.collector:
        followed.on_replaced()
        for log in followed.logs.values():
            followed.collector.take(*log)
        followed.collector.settle()
        yield followed.collector


def delete_stream(collector: Collector) -> None:
    collector.connection.run(lambda: collector.connection.jetstream.delete_stream("CC"))


def test_a_deleted_stream_is_said_and_filled_again_once_it_is_back(node: NatsNode) -> None:
    log = [message(1), message(2)]
    with following(node, Followed(s1=log)) as collector:
        delete_stream(collector)
        log.append(message(3))
        collector.take(log[-1])
        until(lambda: collector.says("was deleted"))
        collector.connection.ensure_stream()
        until(lambda: collector.says("can be written again"))
        until(lambda: len(messages_held(node.url())) == 3)
        until(lambda: session_states(node.url()) == ["Chatting"])
    where = f"127.0.0.1:{node.port}"
    told = f"the stream CC at {where} was deleted; start tail again to create it"
    assert collector.said[:2] == [("stream", f"stream can't be written, retrying ({told})"), _REPLACED]
    # With how many of them are late.
    assert len(collector.said) == 3
    assert messages_held(node.url()) == [1, 2, 3]


def test_a_stream_that_is_replaced_between_two_publishes_is_filled_again(node: NatsNode) -> None:
    """By a message of one session; the others have nothing new to publish."""
    logs = {"s1": [message(1), message(2)], "s2": [message(1, "s2"), message(2, "s2")]}
    with following(node, Followed(**logs)) as collector:
        delete_stream(collector)
        collector.connection.ensure_stream()
        logs["s1"].append(message(3))
        collector.take(logs["s1"][-1])
        until(lambda: collector.says("created again"))
        until(lambda: len(messages_held(node.url())) == 5)
    assert collector.said == [_REPLACED]
    assert messages_held(node.url(), session_id="s1") == [1, 2, 3]
    assert messages_held(node.url(), session_id="s2") == [1, 2]
    assert not any(one.value.get("late") for one in held(node.url(), "message.>"))
    assert session_states(node.url()) == ["Chatting", "Chatting"]


def test_a_stream_that_is_replaced_while_a_log_is_read_again_is_filled_in_order(node: NatsNode) -> None:
    log = [message(index) for index in range(1, 31)]
    may_go_on = threading.Event()

    def read_log(server: str, session_id: str) -> Iterator[tuple[Page, str | None]]:
        for start in range(0, 30, 10):
            yield Page(tuple(log[start : start + 10])), None
            assert may_go_on.wait(20)

    keys = [SessionKey(SITE, "s1")]
    with Collector(node.url(), read_log=read_log, on_replaced=lambda: keys) as collector:
        collector.take(log[0], session_record("Invited"))
        collector.settle()
        collector.publisher.catch_up(*keys[0])
        until(lambda: len(messages_held(node.url())) == 10)
        delete_stream(collector)
        collector.connection.ensure_stream()
        # Whose subject is not what it was.
        collector.take(session_record("Chatting", 1))
        until(lambda: collector.says("created again"))
        time.sleep(0.3)
        may_go_on.set()
        until(lambda: len(messages_held(node.url(), session_id="s1")) == 30)
    assert messages_held(node.url(), session_id="s1") == [*range(1, 31)]
    assert not any(one.value.get("late") for one in held(node.url(), "message.>"))


def test_a_replaced_stream_is_noticed_on_a_quiet_centre(
    node: NatsNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smscli.jetstream.publisher._ALIVE_SECONDS", 0.3)
    with following(node, Followed(s1=[message(1), message(2)])) as collector:
        delete_stream(collector)
        collector.connection.ensure_stream()
        until(lambda: collector.says("created again"))
        until(lambda: messages_held(node.url()) == [1, 2])
    assert collector.said == [_REPLACED]


def test_a_deleted_stream_is_noticed_on_a_quiet_centre(
    node: NatsNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smscli.jetstream.publisher._ALIVE_SECONDS", 0.3)
    with following(node, Followed(s1=[message(1)])) as collector:
        delete_stream(collector)
        until(lambda: bool(collector.said) or collector.says("stream"))
        collector.publisher.close(0.0)
    where = f"127.0.0.1:{node.port}"
    told = f"the stream CC at {where} was deleted; start tail again to create it"
    assert collector.said[0] == ("stream", f"stream can't be written, retrying ({told})")


def test_a_full_stream_is_said_and_retried(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        until(lambda: held(node.url()))
        jetstream = collector.connection.jetstream
        config = collector.connection.run(lambda: jetstream.stream_info("CC")).config
        from nats.js.api import DiscardPolicy

        full = config.evolve(max_msgs=3, discard=DiscardPolicy.NEW)
        collector.connection.run(lambda: jetstream.update_stream(full))
        collector.take(*map(message, range(1, 6)))
        until(lambda: collector.says("is full"))
        collector.connection.run(lambda: jetstream.update_stream(config.evolve(max_msgs=-1)))
        until(lambda: collector.says("can be written again"))
    assert messages_held(node.url()) == [1, 2, 3, 4, 5]


_USERS = """
accounts {{ A: {{ jetstream: enabled, users: [
  {{ user: admin, password: x }},
  {{ user: anyone, password: x, permissions: {{ publish: [{allowed}], subscribe: "_INBOX.>" }} }}
] }} }}
no_auth_user: anyone
"""


def test_a_missing_permission_is_said_and_ends_nothing(tmp_path: Path) -> None:
    allowed = '"$JS.API.>", "CC.message.>", "CC.collector.>"'
    with NatsNode(tmp_path, _USERS.format(allowed=allowed)) as node, Collector(node.url()) as collector:
        collector.take(session_record("Chatting"), message(1))
        until(lambda: collector.says("doesn't permit publishing to CC.session.gws=2Eexample=2Ecom=3A443.s1"))
        assert messages_held(node.url()) == [1]
        collector.publisher.close(0.0)
    assert len(collector.said) == 2
    assert collector.said[-1] == _not_published("1 record was")


def test_a_missing_permission_is_said_once_though_another_collector_publishes(tmp_path: Path) -> None:
    allowed = '"$JS.API.>", "CC.session.>", "CC.collector.>"'
    log = [message(index) for index in range(1, 6)]
    with NatsNode(tmp_path, _USERS.format(allowed=allowed)) as node, Collector(node.url()) as collector:
        for one in log:
            collector.take(one, session_record("Chatting", one.index or 0))
            until(lambda: collector.says("doesn't permit publishing to CC.message"))
            asyncio.run(_publish_as_admin(node, one))
            collector.settle()
        assert messages_held(node.url()) == [1, 2, 3, 4, 5]
    assert len(collector.said) == 1


async def _publish_as_admin(node: NatsNode, one: Message) -> None:
    import nats

    client = await nats.connect(f"nats://admin:x@127.0.0.1:{node.port}")
    subject = message_subject("CC", SITE, one.session_id)
    await client.jetstream().publish(subject, line_of(one, SITE).removesuffix(b"\n"))
    await client.close()


def test_a_stream_that_is_replaced_by_one_for_other_subjects_ends_it(node: NatsNode) -> None:
    with pytest.raises(ServerError) as refused, following(node, Followed(s1=[message(1)])) as collector:
        delete_stream(collector)
        jetstream = collector.connection.jetstream
        collector.connection.run(lambda: jetstream.add_stream(name="CC", subjects=["orders.>"]))
        collector.take(message(2))
        until(lambda: collector.publisher.report())
    assert refused.value.message == (
        f"the stream CC at 127.0.0.1:{node.port} is configured for other subjects than smscli's"
    )


def test_a_collector_that_may_publish_nothing_gets_4(tmp_path: Path) -> None:
    allowed = '"$JS.API.>"'
    with NatsNode(tmp_path, _USERS.format(allowed=allowed)) as node:
        collector = Collector(node.url(), name="c1")
        with pytest.raises(NotPermitted) as refused:
            collector.publisher.open()
    assert refused.value.exit_code == 4
    where = f"127.0.0.1:{node.port}"
    assert refused.value.message == f"{where} doesn't permit publishing to CC.collector.c1"


def test_a_user_who_may_not_look_at_streams_gets_4(tmp_path: Path) -> None:
    with NatsNode(tmp_path, _USERS.format(allowed='"CC.>"')) as node, pytest.raises(NotPermitted) as refused:
        Collector(node.url())
    assert refused.value.exit_code == 4


def test_a_stream_with_other_subjects_is_refused(node: NatsNode) -> None:
    setup = StreamConnection(parse_address(node.url()), timeout=5)
    setup.open()
    setup.run(lambda: setup.jetstream.add_stream(name="CC", subjects=["orders.>"]))
    setup.close()
    with pytest.raises(ServerError) as refused:
        Collector(node.url())
    assert refused.value.exit_code == 1


def test_closing_without_an_engine_says_what_is_left(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        node.kill()
        collector.take(message(1), message(2))
        begun = time.monotonic()
        collector.publisher.close(0.5)
        assert time.monotonic() - begun < 3
    assert collector.said == [_not_published("2 records were")]
    assert not [one.name for one in threading.enumerate() if one.name == "nats"]


def test_a_close_that_takes_long_says_what_it_waits_for(node: NatsNode) -> None:
    with Collector(node.url()) as collector:
        node.kill()
        collector.take(message(1))
        collector.publisher.close(1.2)
    assert collector.said == [
        ("stream", "publishing what waits, for up to 1.2 s (Ctrl-C ends it at once)"),
        _not_published("1 record was"),
    ]


def test_taking_never_waits(node: NatsNode) -> None:
    with Collector(node.url(), most_waiting=1000) as collector:
        node.kill()
        begun = time.monotonic()
        collector.take(*map(message, range(1, 20_001)))
        assert time.monotonic() - begun < 2
        assert collector.waiting == 1000
        collector.publisher.close(0.0)
    assert collector.said == [_not_published("1000 records and messages of 1 session were")]
