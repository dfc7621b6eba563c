"""The demo server's REST resources, without any switch of the test server."""

import json
import re
from typing import Any

import pytest

from smscli.demo.server import DemoServer
from tests.support.demo_peer import DEMO, LIST, SAMPLE, Clock, basic, get, indices

PARCEL = "0000Na9C00R4QA87"
TARGET = f"/api/v2/me/smsessions/{PARCEL}/messages"


def test_a_session_has_the_documented_fields(demo: DemoServer) -> None:
    session = get(demo, LIST).json()["smsessions"][4]
    assert session == {
        "state": "Invited",
        "id": "0000Na9C000IX4WS",
        "uri": f"{demo.url}/api/v2/smsessions/0000Na9C000IX4WS",
        "participants": [{"type": "Customer", "nickname": "Yuki", "participantId": "0090000278DC003A"}],
        "userData": {
            "Subject": "Move an appointment",
            "PhoneNumber": "555-0128",
            "ServiceType": "Appointments",
            "OccuredAt": "2026-03-02T08:15:41Z",
            "RTenant": "Resources",
            "language": None,
        },
        "capabilities": ["Accept", "Reject"],
        "receivedDate": "2026-03-02T08:59:39.254+0000",
        "chatType": "Inbound",
    }


def test_a_message_has_the_documented_fields(demo: DemoServer) -> None:
    assert get(demo, f"{TARGET}?startIndex=2&count=1").json() == {
        "statusCode": 0,
        "messages": [
            {
                "type": "TypingStarted",
                "from": {"type": "Customer", "nickname": "Mika", "participantId": "009000009E37003A"},
                "text": "Hi, parcel",
                "visibility": "All",
                "timestamp": "2026-03-02T08:57:52.454+0000",
                "index": 2,
            }
        ],
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?startIndex=3&count=2", [3, 4]),
        ("?count=2", [1, 2]),
        ("?startIndex=2&count=3", [2, 3, 4]),
        ("?startIndex=0&count=1", [1]),
        ("?startIndex=-4&count=1", [1]),
        ("?startIndex=700", []),
        ("?count=0", []),
    ],
)
def test_start_index_is_inclusive_and_count_is_messages(
    demo: DemoServer, query: str, expected: list[int]
) -> None:
    assert indices(demo, PARCEL, query) == expected


def test_without_a_window_all_messages_come(demo: DemoServer) -> None:
    whole = indices(demo, PARCEL)
    assert whole == list(range(1, len(whole) + 1))
    assert indices(demo, PARCEL, f"?startIndex={len(whole) - 1}&count=100") == whole[-2:]


@pytest.mark.parametrize("query", ["?startIndex=x", "?count=-1", "?count="])
def test_an_invalid_window_is_an_input_error(demo: DemoServer, query: str) -> None:
    answer = get(demo, TARGET + query)
    assert (answer.status, answer.json()["statusCode"]) == (200, 10)


def test_fields_and_filters_select(demo: DemoServer) -> None:
    path = "/api/v2/me/smsessions"
    assert get(demo, path, SAMPLE).json()["uris"] == [
        "http://localhost:8080/api/v2/smsessions/0000Na9B26EF002G"
    ]
    selected = get(demo, f"{path}?fields=id,state,nothing&state=Invited").json()
    assert selected["smsessions"] == [{"id": "0000Na9C000IX4WS", "state": "Invited"}]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("demo", "wrong"),
        basic("other", "demo"),
        {"Authorization": "Bearer demo-token"},
        {"Authorization": "Basic !"},
    ],
)
def test_missing_and_wrong_credentials_are_refused(demo: DemoServer, headers: dict[str, str]) -> None:
    answer = get(demo, LIST, headers)
    assert answer.json() == {"statusCode": 20, "statusMessage": "Authentication required"}
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="Genesys Web Services"')


def test_a_session_cookie_is_set_once(demo: DemoServer) -> None:
    cookie = get(demo, LIST).headers["Set-Cookie"].partition(";")[0]
    assert re.fullmatch(r"JSESSIONID=node0[0-9a-f]{24}", cookie)
    assert "Set-Cookie" not in get(demo, LIST, {**DEMO, "Cookie": cookie}).headers


def test_no_operation_is_allowed(demo: DemoServer) -> None:
    answer = get(demo, f"/api/v2/me/smsessions/{PARCEL}", DEMO, "POST")
    assert answer.json() == {"statusCode": 3, "statusMessage": "Operation forbidden"}


def test_me_lists_the_features_on_request(demo: DemoServer) -> None:
    def user(query: str) -> dict[str, Any]:
        return dict(get(demo, f"/api/v2/me{query}").json()["user"])

    names = ["api-multimedia-chat", "api-multimedia", "api-voice"]
    features = [{"id": name, "uri": f"{demo.url}/api/v2/features/{name}"} for name in names]
    assert user("") == {
        "id": "00000000000000000000000064656d6f",
        "userName": "demo",
        "firstName": "Demo",
        "lastName": "Agent",
        "roles": ["ROLE_AGENT"],
        "uri": f"{demo.url}/api/v2/me",
        "skills": [],
    }
    assert user("?subresources=*")["features"] == features
    assert user("?subresources=devices,features")["features"] == features


def test_services_are_all_active(demo: DemoServer) -> None:
    services = get(demo, "/api/v2/services?fields=type,status").json()["services"]
    kinds = ["Provisioning", "Voice", "Reporting", "Media"]
    assert services == [{"type": kind, "status": "Active"} for kind in kinds]
    [media] = [uri for uri in get(demo, "/api/v2/services").json()["uris"] if uri.endswith("ixnserver1")]
    assert get(demo, media.removeprefix(demo.url)).json()["service"]["type"] == "Media"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/x/api/v2/me",
        "/api/v2/nothing",
        "/api/v2/services/none",
        "/api/v2/me/smssessions?fields=*",
        "/api/v2/me/smsessions/none/messages",
        f"/api/v2/me/smsessions/{PARCEL}",
    ],
)
def test_other_paths_are_not_found(demo: DemoServer, target: str) -> None:
    answer = get(demo, target)
    assert (answer.status, json.loads(answer.body)) == (
        404,
        {"statusCode": 6, "statusMessage": "Resource not found"},
    )


@pytest.mark.slow
def test_the_date_is_that_of_the_clock(demo: DemoServer, clock: Clock) -> None:
    assert get(demo, LIST).headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"
    clock.now += 86400 + 61
    assert get(demo, LIST).headers["Date"] == "Tue, 03 Mar 2026 09:01:01 GMT"
