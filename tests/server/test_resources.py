"""`me`, `services`, the list of sessions: their fields, spellings and envelopes."""

import pytest

from tests.server.server import FakeServer
from tests.support.demo_peer import LIST, Clock, get
from tests.support.serving import Serve

SINGLE, DOUBLE = "/api/v2/me/smsessions", "/api/v2/me/smssessions"
NOT_FOUND = {"statusCode": 6, "statusMessage": "Resource not found"}


@pytest.fixture
def server(serve: Serve) -> FakeServer:
    """With two sessions of invented people."""
    server = serve()
    server.store.add_session("0000Na9C26EF001A", customer="Noor", user_data={"Order Number": "17", "x": None})
    server.store.add_session("0000Na9C26EF001B", state="Invited", customer="Toni", agents=())
    return server


def first_session(server: FakeServer, key: str = "smsessions") -> dict[str, object]:
    return {
        "state": "Chatting",
        "id": "0000Na9C26EF001A",
        "uri": f"{server.url}/api/v2/{key}/0000Na9C26EF001A",
        "participants": [
            {"type": "Agent", "nickname": "Robin", "participantId": "0090000000000000"},
            {"type": "Customer", "nickname": "Noor", "participantId": "0090000000000001"},
        ],
        "userData": {"Order Number": "17", "x": None},
        "capabilities": [
            "AttachUserData",
            "UpdateUserData",
            "DeleteUserData",
            "Leave",
            "LeaveAndComplete",
            "Transfer",
            "Invite",
            "Consult",
            "SetDisposition",
            "SendMessage",
            "SendStartTypingNotification",
            "SendStopTypingNotification",
        ],
        "receivedDate": "2026-03-02T09:00:00.000+0000",
        "chatType": "Inbound",
    }


def second_session(server: FakeServer) -> dict[str, object]:
    return {
        "state": "Invited",
        "id": "0000Na9C26EF001B",
        "uri": f"{server.url}/api/v2/smsessions/0000Na9C26EF001B",
        "participants": [{"type": "Customer", "nickname": "Toni", "participantId": "0090000000010000"}],
        "userData": {},
        "capabilities": ["Accept", "Reject"],
        "receivedDate": "2026-03-02T09:00:00.000+0000",
        "chatType": "Inbound",
    }


def test_the_list_holds_every_field_of_every_session(server: FakeServer) -> None:
    listed = {"statusCode": 0, "smsessions": [first_session(server), second_session(server)]}
    assert get(server, LIST).json() == listed


def test_without_fields_the_list_is_uris(server: FakeServer) -> None:
    uris = [f"{server.url}/api/v2/smsessions/0000Na9C26EF001{letter}" for letter in "AB"]
    assert get(server, SINGLE).json() == {"statusCode": 0, "uris": uris}


def test_fields_and_filters_select(server: FakeServer) -> None:
    selected = get(server, f"{SINGLE}?fields=id,state,nothing&state=Invited").json()
    assert selected["smsessions"] == [{"id": "0000Na9C26EF001B", "state": "Invited"}]


def test_resources_may_name_another_host(server: FakeServer) -> None:
    server.options.uri_base = "https://balancer.example/api/v2"
    uri = get(server, LIST).json()["smsessions"][0]["uri"]
    assert uri == "https://balancer.example/api/v2/smsessions/0000Na9C26EF001A"


@pytest.mark.parametrize(
    ("spelling", "single", "double"), [("single", 200, 404), ("double", 404, 200), ("both", 200, 200)]
)
def test_the_path_has_the_chosen_spelling(
    server: FakeServer, spelling: str, single: int, double: int
) -> None:
    server.options.spelling = spelling
    assert (get(server, f"{SINGLE}?fields=*").status, get(server, f"{DOUBLE}?fields=*").status) == (
        single,
        double,
    )
    path = SINGLE if single == 200 else DOUBLE
    assert get(server, f"{path}/0000Na9C26EF001A/messages").json() == {"statusCode": 0, "messages": []}


def test_keys_follow_the_path_or_have_one_spelling(server: FakeServer) -> None:
    server.options.spelling = "both"
    assert get(server, f"{DOUBLE}?fields=*").json()["smssessions"][0] == first_session(server, "smssessions")
    server.options.keys = "single"
    assert get(server, f"{DOUBLE}?fields=*").json()["smsessions"][0] == first_session(server)
    server.options.keys = "double"
    assert get(server, f"{SINGLE}?fields=*").json()["smssessions"][0] == first_session(server, "smssessions")


def test_each_envelope_is_served(server: FakeServer) -> None:
    first, second = first_session(server), second_session(server)
    expected: dict[str, object] = {
        "keyed": {"statusCode": 0, "smsessions": [first, second]},
        "bare-array": [first, second],
        "bare-object": first,
        "singular": {"statusCode": 0, "smsession": first},
        "uris": {"statusCode": 0, "uris": [first["uri"], second["uri"]]},
    }
    for envelope, body in expected.items():
        server.options.envelope = envelope
        assert get(server, LIST).json() == body
    server.options.envelope, server.options.omit_status_code = "keyed", True
    assert get(server, LIST).json() == {"smsessions": [first, second]}


@pytest.mark.parametrize(
    ("envelope", "body"),
    [("keyed", {"statusCode": 0, "smsessions": []}), ("bare-object", {}), ("bare-array", [])],
)
def test_an_empty_list_keeps_its_envelope(serve: Serve, envelope: str, body: object) -> None:
    assert get(serve(envelope=envelope), LIST).json() == body


def test_minimal_sessions_have_three_fields(server: FakeServer) -> None:
    server.options.minimal = True
    uri = f"{server.url}/api/v2/smsessions/0000Na9C26EF001A"
    minimal = {"state": "Chatting", "id": "0000Na9C26EF001A", "uri": uri}
    assert get(server, LIST).json()["smsessions"][0] == minimal


def test_null_fields_are_all_but_id_and_uri(server: FakeServer) -> None:
    server.options.null_fields = True
    first = get(server, LIST).json()["smsessions"][0]
    expected = dict.fromkeys(first_session(server))
    assert first == {**expected, "id": "0000Na9C26EF001A", "uri": first_session(server)["uri"]}


def test_states_and_keys_can_be_unknown(server: FakeServer) -> None:
    server.options.unknown = True
    first, second = get(server, LIST).json()["smsessions"]
    extra = {"priority": 3, "parent": {"kind": "campaign", "ids": [7, None]}}
    assert first == {**first_session(server), **extra, "state": "Parked"}
    assert second == {**second_session(server), **extra}


def test_a_comment_and_a_new_state_show_in_the_list(server: FakeServer) -> None:
    server.store.update("0000Na9C26EF001A", comment="called back")
    server.store.set_state("0000Na9C26EF001A", "LeftChat")
    left = {
        **first_session(server),
        "comment": "called back",
        "state": "LeftChat",
        "capabilities": ["Complete", "SetDisposition", "AttachUserData", "UpdateUserData"],
    }
    assert get(server, LIST).json()["smsessions"][0] == left


def test_me_is_the_user_who_signs_in(server: FakeServer) -> None:
    assert get(server, "/api/v2/me").json() == {
        "statusCode": 0,
        "user": {
            "id": "00000000000000000000000064656d6f",
            "userName": "demo",
            "firstName": "Demo",
            "lastName": "Agent",
            "roles": ["ROLE_AGENT"],
            "uri": f"{server.url}/api/v2/me",
            "skills": [],
        },
    }


@pytest.mark.parametrize("asked", ["features", "*", "devices,features"])
def test_features_come_as_a_subresource(server: FakeServer, asked: str) -> None:
    server.options.features = ("api-multimedia-chat",)
    user = get(server, f"/api/v2/me?subresources={asked}").json()["user"]
    uri = f"{server.url}/api/v2/features/api-multimedia-chat"
    assert user["features"] == [{"id": "api-multimedia-chat", "uri": uri}]
    server.options.feature_form = "names"
    user = get(server, f"/api/v2/me?subresources={asked}").json()["user"]
    assert user["features"] == ["api-multimedia-chat"]
    server.options.feature_form = "uris"
    assert get(server, f"/api/v2/me?subresources={asked}").json()["user"]["features"] == [uri]
    server.options.features = ()
    assert get(server, f"/api/v2/me?subresources={asked}").json()["user"]["features"] == []


def test_services_tell_whether_media_is_up(server: FakeServer) -> None:
    target = "/api/v2/services?fields=type,status"
    up = [
        {"type": "Provisioning", "status": "Active"},
        {"type": "Voice", "status": "Active"},
        {"type": "Reporting", "status": "Active"},
        {"type": "Media", "status": "Active"},
    ]
    assert get(server, target).json() == {"statusCode": 0, "services": up}
    server.options.media = "down"
    assert get(server, target).json()["services"] == [*up[:3], {"type": "Media", "status": "Unavailable"}]
    server.options.media = "missing"
    assert get(server, target).json()["services"] == up[:3]


def test_one_service_answers_by_its_id(server: FakeServer) -> None:
    uris = get(server, "/api/v2/services").json()["uris"]
    assert get(server, uris[3].removeprefix(server.url)).json() == {
        "statusCode": 0,
        "service": {
            "id": "ixnserver1",
            "name": "InteractionServer_Main",
            "type": "Media",
            "status": "Active",
            "uri": uris[3],
        },
    }


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/api/v2",
        "/x/api/v2/me",
        "/api/v2/nothing",
        "/api/v2/services/none",
        "/api/v2/me/smsessions/none/messages",
        "/api/v2/me/smsessions/0000Na9C26EF001A",
        "/api/v2/me/smsessions/0000Na9C26EF001A/participants",
    ],
)
def test_not_found_has_three_forms(server: FakeServer, target: str) -> None:
    answer = get(server, target)
    assert (answer.status, answer.json()) == (404, NOT_FOUND)
    server.options.unknown_path = "200"
    answer = get(server, target)
    assert (answer.status, answer.json()) == (200, NOT_FOUND)
    server.options.unknown_path = "404html"
    answer = get(server, target)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html")


def test_the_date_is_that_of_the_clock(server: FakeServer, clock: Clock) -> None:
    assert get(server, LIST).headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"
    clock.now += 86400 + 61
    assert get(server, LIST).headers["Date"] == "Tue, 03 Mar 2026 09:01:01 GMT"
