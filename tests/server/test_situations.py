"""What the documents leave open or real servers do: clocks, sign-in pages, odd entries, who has left."""

import gzip
import time
from http.client import IncompleteRead
from typing import Any

import pytest

from tests.server.server import FakeServer
from tests.support.demo_bayeux import Peer
from tests.support.demo_peer import DEMO, LIST, Clock, basic, get, indices, messages
from tests.support.serving import Serve

A = "/api/v2/me/smsessions/A/messages"
ROBIN = {"type": "Agent", "nickname": "Robin", "participantId": "0090000000000000"}
MIKA = {"type": "Customer", "nickname": "Mika", "participantId": "0090000000000001"}


@pytest.fixture
def server(serve: Serve) -> FakeServer:
    """With one session of two messages."""
    server = serve(hold=0.001)
    server.store.add_session("A")
    for text in ("a", "b"):
        server.store.say("A", text)
    return server


def listed(server: FakeServer) -> dict[str, Any]:
    return dict(get(server, LIST).json()["smsessions"][0])


def kinds(server: FakeServer) -> list[str]:
    return [message["type"] for message in messages(server, "A")]


# Attachments


def attach(server: FakeServer) -> None:
    attachment = {"id": "f1", "name": "photo.jpg", "uri": "http://h/f1"}
    server.store.append(
        "A", {"type": "SystemCommand", "noticeText": "file-uploaded", "attachment": attachment}
    )


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        ("stable", ["http://h/f1", "http://h/f1"]),
        ("signed-query", ["http://h/f1?sig=1", "http://h/f1?sig=2"]),
        ("signed-path", ["http://h/sig-1/f1", "http://h/sig-2/f1"]),
    ],
)
def test_an_attachment_may_be_signed_anew_at_each_read(
    server: FakeServer, uris: str, expected: list[str]
) -> None:
    attach(server)
    server.options.attachment_uris = uris
    reads = [messages(server, "A", "?startIndex=3")[0] for _ in range(2)]
    assert [one["attachment"]["uri"] for one in reads] == expected
    assert [one["attachment"]["id"] for one in reads] == ["f1", "f1"]


def test_a_notification_has_a_signature_of_its_own(server: FakeServer) -> None:
    server.options.attachment_uris = "signed-query"
    with Peer(server) as peer:
        peer.begin()
        attach(server)
        [notification] = peer.connect()[:-1]
    [message] = notification["data"]["messages"]
    assert message["attachment"]["uri"] == "http://h/f1?sig=1"
    assert messages(server, "A", "?startIndex=3")[0]["attachment"]["uri"] == "http://h/f1?sig=2"


# Clocks


def test_the_server_s_clock_may_be_minutes_behind(serve: Serve) -> None:
    server = serve(clock_offset=-600)
    server.store.say(server.store.add_session("A"), "a")
    assert get(server, LIST).headers["Date"] == "Mon, 02 Mar 2026 08:50:00 GMT"
    assert messages(server, "A")[0]["timestamp"] == "2026-03-02T08:50:00.000+0000"
    assert listed(server)["receivedDate"] == "2026-03-02T08:50:00.000+0000"


def test_the_clock_may_be_set_right_while_the_server_runs(serve: Serve) -> None:
    server = serve(clock_offset=600)
    server.options.clock_offset = 0
    assert get(server, LIST).headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"


def test_the_date_may_be_absent_or_unreadable(server: FakeServer) -> None:
    server.options.date = "absent"
    assert "Date" not in get(server, LIST).headers
    server.options.date = "unreadable"
    assert get(server, LIST).headers["Date"] == "a little after nine"


# Sign-in pages


@pytest.mark.parametrize(
    ("which", "redirected"),
    [
        ("me", [True, True, False, False]),
        ("unauthenticated", [False, True, False, True]),
        ("all", [True] * 4),
    ],
)
def test_a_saml_site_redirects_to_its_identity_provider(
    server: FakeServer, which: str, redirected: list[bool]
) -> None:
    server.options.sso_url, server.options.sso_for = "https://idp.example/saml", which
    answers = [
        get(server, target, headers)
        for target in ("/api/v2/me", LIST)
        for headers in (DEMO, basic("demo", "wrong"))
    ]
    assert [answer.status == 302 for answer in answers] == redirected
    assert [answer.headers.get("Location") for answer in answers if answer.status == 302] == [
        "https://idp.example/saml"
    ] * sum(redirected)


# Bodies


@pytest.mark.parametrize(("encoding", "padding"), [("gzip", b""), ("gzip-padded", bytes(8))])
def test_a_body_may_be_compressed_and_padded_with_zero_bytes(
    server: FakeServer, encoding: str, padding: bytes
) -> None:
    plain = get(server, A).body
    server.options.encoding = encoding
    assert get(server, A).body == plain
    answer = get(server, A, {**DEMO, "Accept-Encoding": "gzip, deflate"})
    assert answer.headers["Content-Encoding"] == "gzip"
    member = gzip.compress(plain, compresslevel=1)
    assert (len(answer.body), answer.body.endswith(padding)) == (len(member) + len(padding), True)
    assert gzip.decompress(answer.body) == plain


def test_lists_may_hold_entries_that_are_no_objects(server: FakeServer) -> None:
    server.options.odd_entries = ("null", "7", "[]")
    entries = get(server, A).json()["messages"]
    assert [one if not isinstance(one, dict) else one["text"] for one in entries] == ["a", None, "b", 7]
    sessions = get(server, LIST).json()["smsessions"]
    assert sessions[1:] == [None]
    assert sessions[0]["participants"] == [ROBIN, None, MIKA, 7]
    with Peer(server) as peer:
        peer.begin()
        server.store.say("A", "c")
        [notification] = peer.connect()[:-1]
    assert notification["data"]["messages"][1:] == [None]


def test_only_some_lists_may_hold_them(server: FakeServer) -> None:
    server.options.odd_entries, server.options.odd_entries_in = ("null",), ("messages",)
    assert len(get(server, A).json()["messages"]) == 4
    assert get(server, LIST).json()["smsessions"] == [listed(server)]
    assert listed(server)["participants"] == [ROBIN, MIKA]


# Who is there


def test_an_invitation_has_a_time_and_no_agent(server: FakeServer) -> None:
    server.store.remove("A")
    server.store.add_session("B", state="Invited", agents=(), age=600)
    session = listed(server)
    assert [session["state"], session["receivedDate"]] == ["Invited", "2026-03-02T08:50:00.000+0000"]
    assert [person["type"] for person in session["participants"]] == ["Customer"]
    assert messages(server, "B") == []


def test_a_customer_may_leave_a_session_that_goes_on(server: FakeServer) -> None:
    server.store.leave("A")
    session = listed(server)
    assert (session["state"], session["participants"]) == ("Chatting", [ROBIN])
    last = messages(server, "A")[-1]
    assert (last["type"], last["from"]) == ("ParticipantLeft", MIKA)


def test_a_chat_ends_for_inactivity_with_a_notice_and_the_customer_s_leaving(server: FakeServer) -> None:
    server.store.end_for_inactivity("A")
    notice, left = messages(server, "A")[-2:]
    assert (notice["type"], "from" in notice) == ("Notice", False)
    assert notice["text"] == "Chat session closed due to inactivity of chat participants."
    assert (left["type"], left["from"], listed(server)["state"]) == ("ParticipantLeft", MIKA, "Chatting")


def test_participants_may_still_list_an_agent_who_has_left(server: FakeServer) -> None:
    server.store.leave("A", "Robin", listed=True)
    assert listed(server)["participants"] == [ROBIN, MIKA]
    assert kinds(server) == ["Text", "Text", "ParticipantLeft"]


def test_a_participant_joins_leaves_and_comes_back(server: FakeServer) -> None:
    sasha = server.store.join("A", "Sasha")["from"]
    assert listed(server)["participants"] == [sasha, ROBIN, MIKA]
    left = server.store.leave("A", "Sasha")["from"]
    assert listed(server)["participants"] == [ROBIN, MIKA]
    server.store.rejoin("A", left)
    assert listed(server)["participants"] == [ROBIN, MIKA, sasha]
    assert kinds(server)[2:] == ["ParticipantJoined", "ParticipantLeft", "ParticipantRejoined"]


# Load


def test_the_reads_of_single_sessions_may_be_slow(server: FakeServer) -> None:
    server.store.add_session("B")
    server.options.slow = {"A": 0.05}

    def seconds(target: str) -> float:
        begin = time.monotonic()
        get(server, target)
        return time.monotonic() - begin

    assert seconds(A) >= 0.05
    assert min(seconds(A.replace("/A/", "/B/")) for _ in range(3)) < 0.05
    assert min(seconds(LIST) for _ in range(3)) < 0.05


def test_a_given_share_of_reads_fails(serve: Serve) -> None:
    def failures(seed: int) -> list[str]:
        server = serve(fault=("reset", "500", "cut"), fault_rate=0.3, fault_seed=seed, fault_path="sessions")
        for _ in range(50):
            try:
                get(server, LIST)
            except (ConnectionError, IncompleteRead):
                continue
        with Peer(server) as peer:
            assert peer.handshake()["successful"] is True
        return sorted(server.fault_counts.elements())

    found = failures(1)
    assert 6 < len(found) < 25
    assert set(found) == {"reset", "500", "cut"}
    assert failures(1) == found


def test_an_outage_fails_every_read_for_a_time(server: FakeServer) -> None:
    server.start_outage(0.2)
    assert [get(server, target).status for target in (LIST, A, "/api/v2/me")] == [500, 500, 200]
    time.sleep(0.25)
    assert get(server, LIST).status == 200
    assert server.fault_counts == {"500": 2}


def test_an_outage_can_be_ended(server: FakeServer) -> None:
    server.start_outage(60, "503:1")
    assert get(server, LIST).headers["Retry-After"] == "1"
    server.cancel_faults()
    assert get(server, LIST).status == 200
    with pytest.raises(ValueError, match="no such fault"):
        server.start_outage(1, "rain")


def test_a_late_clock_does_not_stop_scheduled_messages(serve: Serve, clock: Clock) -> None:
    server = serve(scene="bulk", sessions=1, messages=0, rate=1.0, clock_offset=-600)
    clock.now += 2.5
    assert indices(server, "0000Nb0000000000") == [1, 2]
