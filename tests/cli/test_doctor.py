"""`doctor` as a whole command, against every variant and every fault that the demo server plays."""

import io
import json
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.server.faults import KINDS
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Outcome, Smscli
from tests.support.wire_server import Reply, Request, WireServer, answer

pytestmark = pytest.mark.usefixtures("quick_retries")

ISO = "timestamp yyyy-MM-ddTHH:mm:ss.SSS+hhmm"
PAGE = "an array under messages, with statusCode; indices from 1"
OBEYED = "startIndex obeyed, count obeyed"
SESSIONS = (
    "1 session at me/smsessions; an array under smsessions, with statusCode; "
    "uris say smsessions; fields obeyed"
)
MESSAGES = f"4 messages of 0000Na9B26EF002G; {PAGE}; {OBEYED}; {ISO}"
TOPICS = "/v2/me/*, /v2/me/smssession, /v2/me/smssessions, /v2/me/smsessions"
PUSH = f"handshake, subscription to {TOPICS} and connect accepted"
NO_COMETD = (
    "the server answers: no such resource (statusCode 6, HTTP 404): Resource not found, "
    "at http://{place}/api/v2/notifications"
)
NO_CSRF = "no CSRF token is in use"
POLLS = "without push `smscli tail` polls the server: see --interval"
ASK = "ask the server's administrator"
REPORT = f"try again; if it fails again, {ASK}: --debug names the requests"
OPTIONAL = "not needed while sessions and messages can be read"
OUTSIDE = "is the URL right, and is the server up? some are reached through a VPN only"

NAMES = [
    "configuration",
    "secret",
    "proxy",
    "name and TLS",
    "sign-in",
    "features",
    "services",
    "sessions",
    "messages",
    "push",
]


def checked(smscli: Smscli, server: FakeServer, *arguments: str) -> tuple[Outcome, dict[str, list[object]]]:
    """The outcome for the user `sample`, and each check's result, finding and hint."""
    outcome = smscli("--user", "sample", "doctor", "--json", *arguments, server=server)
    found = json.loads(outcome.out)
    assert [one["check"] for one in found] == NAMES
    said = {one["check"]: [one["result"], one["finding"], one["hint"]] for one in found}
    return outcome, said


def differences(smscli: Smscli, options: Options, *arguments: str) -> tuple[int, dict[str, list[object]]]:
    """The exit code, and what is said otherwise than of a server as documented."""
    with FakeServer(options) as server:
        outcome, said = checked(smscli, server, *arguments)
        place = server.url.removeprefix("http://")
        usual = as_documented(place)
        return outcome.code, {name: said[name] for name in NAMES if said[name] != usual[name]}


def as_documented(place: str) -> dict[str, list[object]]:
    return {
        "configuration": ["ok", f"no profile, http://{place}/api/v2", None],
        "secret": ["ok", "the password of sample, from: environment", None],
        "proxy": ["ok", "none, as always on this machine", None],
        "name and TLS": ["ok", f"{place} answers, on this machine, without TLS", None],
        "sign-in": ["ok", "the server knows sample", None],
        "features": ["ok", "the user has api-multimedia-chat", None],
        "services": ["ok", "Media is up", None],
        "sessions": ["ok", SESSIONS, None],
        "messages": ["ok", MESSAGES, None],
        "push": ["ok", f"{PUSH}; {NO_CSRF}", None],
    }


def test_a_server_as_documented_is_well_in_all_checks(smscli: Smscli, empty_server: FakeServer) -> None:
    outcome, said = checked(smscli, empty_server)
    assert (outcome.code, outcome.err) == (0, "")
    assert said == as_documented(empty_server.url.removeprefix("http://"))


def test_in_a_pipe_a_check_is_a_tab_separated_line(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty", push="off")) as server:
        outcome = smscli("--user", "sample", "doctor", server=server)
        place = server.url.removeprefix("http://")
    usual = as_documented(place)
    usual["push"] = [
        "warn",
        f"no push, at the handshake or subscription: {NO_COMETD.format(place=place)}; {NO_CSRF}",
        POLLS,
    ]
    lines = ["\t".join([name, *(str(value or "") for value in usual[name])]) + "\n" for name in NAMES]
    assert (outcome.code, outcome.out, outcome.err) == (0, "".join(lines), "")


def test_on_a_terminal_a_check_is_a_line_with_its_next_step_below(smscli: Smscli) -> None:
    outcome = smscli("doctor", tty=True, color="never", SMSCLI_URL="http://127.0.0.1:9", width=72)
    assert (outcome.code, outcome.out) == (
        4,
        "ok    configuration  no profile, http://127.0.0.1:9/api/v2\n"
        "fail  secret         no user to sign in with\n"
        "                     hint: name one with --user, or sign in: smscli auth\n"
        "                     login\n"
        "ok    proxy          none, as always on this machine\n"
        "fail  name and TLS   127.0.0.1:9 refuses the connection\n"
        "                     hint: is the URL right, and is the server up? some\n"
        "                     are reached through a VPN only\n"
        "skip  sign-in        not checked: secret failed\n"
        "skip  features       not checked: secret failed\n"
        "skip  services       not checked: secret failed\n"
        "skip  sessions       not checked: secret failed\n"
        "skip  messages       not checked: secret failed\n"
        "skip  push           not checked: secret failed\n",
    )
    assert outcome.err == (
        "error: no user to sign in with\nhint: name one with --user, or sign in: smscli auth login\n"
    )


LOCKED = {
    "SMSCLI_USERNAME": "sample",
    "PYTHON_KEYRING_BACKEND": "tests.support.odd_keyrings.Locked",
}
LOCKED_HINT = (
    "unlock it; or set SMSCLI_PASSWORD, SMSCLI_COOKIE or SMSCLI_TOKEN, or give the profile a password_command"
)
AFTER_SECRET = "".join(f"{name}\tskip\tnot checked: secret failed\t\n" for name in NAMES[4:])


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring that stays locked."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", LOCKED["PYTHON_KEYRING_BACKEND"])


@pytest.mark.usefixtures("locked")
def test_with_a_locked_keyring_name_and_tls_are_checked(
    smscli: Smscli, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with secure(authority, status=401) as server:
        place = f"localhost:{server.port}"
        given = {**LOCKED, "SMSCLI_URL": f"https://{place}", "SMSCLI_CA_BUNDLE": str(bundle)}
        outcome = smscli("doctor", **given)
        asked = [(one.target, one.headers.get("authorization")) for one in server.requests]
    assert outcome == Outcome(
        4,
        f"configuration\tok\tno profile, https://{place}/api/v2\t\n"
        f"secret\tfail\tthe keyring is locked\t{LOCKED_HINT}\n"
        "proxy\tok\tnone, as always on this machine\t\n"
        f"name and TLS\tok\t{place} answers, its certificate is trusted\t\n{AFTER_SECRET}",
        f"error: the keyring is locked\nhint: {LOCKED_HINT}\n",
    )
    assert asked == [("/api/v2/me", None)]


@pytest.mark.usefixtures("locked")
def test_with_a_locked_keyring_a_wrong_name_is_told(smscli: Smscli) -> None:
    outcome = smscli("doctor", SMSCLI_URL="https://gws.invalid", **LOCKED)
    assert outcome == Outcome(
        4,
        "configuration\tok\tno profile, https://gws.invalid/api/v2\t\n"
        f"secret\tfail\tthe keyring is locked\t{LOCKED_HINT}\n"
        "proxy\tok\tnone\t\n"
        f"name and TLS\tfail\tthe name gws.invalid can't be resolved\t{OUTSIDE}\n{AFTER_SECRET}",
        f"error: the keyring is locked\nhint: {LOCKED_HINT}\n",
    )


@pytest.mark.usefixtures("locked")
def test_with_a_locked_keyring_an_untrusted_certificate_is_told(
    smscli: Smscli, authority: trustme.CA
) -> None:
    with secure(authority) as server:
        outcome = smscli("doctor", SMSCLI_URL=server.base_url, **LOCKED)
        place = f"localhost:{server.port}"
    assert outcome.out.splitlines()[3] == (
        f"name and TLS\tfail\tthe certificate of {place} is not trusted: "
        "unable to get local issuer certificate\tif it was issued by your own CA, name that: --ca-bundle FILE"
    )


def test_in_json_a_check_that_cannot_run_is_skip(smscli: Smscli) -> None:
    outcome = smscli("doctor", "--json", SMSCLI_URL="http://127.0.0.1:9", SMSCLI_TOKEN="t")
    refusal = ["fail", "127.0.0.1:9 refuses the connection", OUTSIDE]
    skipped = ["skip", "not checked: name and TLS failed", None]
    rows: list[list[object]] = [
        ["ok", "no profile, http://127.0.0.1:9/api/v2", None],
        ["ok", "the token of the token's user, from: environment", None],
        ["ok", "none, as always on this machine", None],
        refusal,
        *[skipped] * 6,
    ]
    keys = ("check", "result", "finding", "hint")
    assert json.loads(outcome.out) == [
        dict(zip(keys, [name, *row], strict=True)) for name, row in zip(NAMES, rows, strict=True)
    ]
    error = {
        "kind": "unreachable",
        "exitCode": 3,
        "message": refusal[1],
        "hint": OUTSIDE,
        "httpStatus": None,
        "statusCode": None,
    }
    assert (outcome.code, json.loads(outcome.err)) == (3, {"error": error})


def test_in_a_narrow_window_a_finding_has_lines_of_its_own(smscli: Smscli) -> None:
    outcome = smscli("doctor", tty=True, color="never", width=24)
    assert outcome.out.startswith(
        "fail  configuration\n"
        "      no server is\n"
        "      configured\n"
        "      hint: sign in with\n"
        "      `smscli auth\n"
        "      login`, or try\n"
        "      `smscli --demo\n"
        "      list`\n"
        "skip  secret\n"
        "      not checked:\n"
        "      configuration\n"
        "      failed\n"
    )
    assert outcome.code == 4


def test_results_are_coloured_words(smscli: Smscli) -> None:
    outcome = smscli("doctor", tty=True, color="always", SMSCLI_URL="http://127.0.0.1:9")
    starts = [line.partition("  ")[0] for line in outcome.out.splitlines()]
    assert starts[:2] == ["\x1b[32mok\x1b[0m", "\x1b[1;31mfail\x1b[0m"]
    assert starts[-1] == "\x1b[2mskip\x1b[0m"


def test_the_demo_is_well(smscli: Smscli) -> None:
    outcome = smscli("doctor", "--demo", "--json")
    found = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert [one["check"] for one in found] == NAMES
    assert {one["result"] for one in found} == {"ok"}
    assert found[0]["finding"].startswith("the demo server, http://127.0.0.1:")


def test_the_error_of_the_first_failed_check_is_told_as_usual(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty", features=(), media="down")) as server:
        outcome, said = checked(smscli, server)
    error = {
        "kind": "auth",
        "exitCode": 4,
        "message": "the user lacks api-multimedia-chat",
        "hint": f"{ASK} to give the user the feature api-multimedia-chat",
        "httpStatus": None,
        "statusCode": None,
    }
    assert (outcome.code, json.loads(outcome.err)) == (4, {"error": error})
    assert [name for name in NAMES if said[name][0] == "fail"] == ["features", "services"]


def sessions(path: str, rest: str) -> dict[str, list[object]]:
    return {"sessions": ["ok", f"1 session at me/{path}; {rest}; fields obeyed", None]}


def messages(finding: str, hint: str | None = None) -> dict[str, list[object]]:
    return {"messages": ["warn" if hint else "ok", f"4 messages of 0000Na9B26EF002G; {finding}", hint]}


def push(finding: str) -> dict[str, list[object]]:
    return {"push": ["ok", f"{PUSH}; {finding}", None]}


def no_push(finding: str) -> dict[str, list[object]]:
    return {"push": ["warn", f"no push, at the {finding}", POLLS]}


WHOLE = "logs are read whole instead, which takes longer"
TIMELESS = "no timestamp that can be read, 4 messages without a time"
AT_FIRST = "handshake or subscription"
DENIED = f"{AT_FIRST}: the subscription is refused: 403:/v2/me/*:subscribe_denied; {NO_CSRF}"
DOUBLE = sessions("smssessions", "an array under smssessions, with statusCode; uris say smsessions")
BARE = "a bare array; uris say smsessions"
URIS = "1 session at me/smsessions; an array under uris, with statusCode; uris say smsessions; fields ignored"


@pytest.mark.parametrize(
    ("variant", "otherwise"),
    [
        ({"spelling": "double"}, DOUBLE),
        ({"spelling": "double", "unknown_path": "404html"}, DOUBLE),
        ({"spelling": "double", "unknown_path": "200"}, DOUBLE),
        ({"spelling": "both"}, {}),
        (
            {"keys": "double"},
            sessions("smsessions", "an array under smssessions, with statusCode; uris say smsessions"),
        ),
        ({"uri_base": "http://gws.example.com/api/v2"}, {}),
        ({"envelope": "bare-array"}, sessions("smsessions", BARE)),
        (
            {"envelope": "bare-object"},
            sessions("smsessions", "one bare object, without statusCode; uris say smsessions"),
        ),
        (
            {"envelope": "singular"},
            sessions("smsessions", "one object under smsession, with statusCode; uris say smsessions"),
        ),
        (
            {"envelope": "uris"},
            {"sessions": ["warn", URIS, "without fields a session has no more than its id"]},
        ),
        (
            {"message_envelope": "bare-array"},
            messages(f"a bare array; indices from 1; {OBEYED}; {ISO}"),
        ),
        (
            {"omit_status_code": True},
            {
                **sessions(
                    "smsessions", "an array under smsessions, without statusCode; uris say smsessions"
                ),
                **messages(f"an array under messages, without statusCode; indices from 1; {OBEYED}; {ISO}"),
            },
        ),
        (
            {"timestamps": "absent"},
            messages(f"{PAGE}; {OBEYED}; {TIMELESS}", "these pass --since and --until"),
        ),
        (
            {"count_cap": 2},
            {
                "messages": [
                    "ok",
                    f"2 messages of 0000Na9B26EF002G; {PAGE}; "
                    f"startIndex and count not tried: too few messages; {ISO}",
                    None,
                ]
            },
        ),
        ({"count_window": True}, {}),
        ({"ignore_start": True}, messages(f"{PAGE}; startIndex ignored, count obeyed; {ISO}", WHOLE)),
        ({"ignore_count": True}, messages(f"{PAGE}; startIndex obeyed, count ignored; {ISO}", WHOLE)),
        (
            {"ignore_start": True, "ignore_count": True},
            messages(f"{PAGE}; startIndex ignored, count ignored; {ISO}", WHOLE),
        ),
        ({"start_zero_error": True}, {}),
        ({"beyond_end": "404"}, {}),
        ({"beyond_end": "error"}, {}),
        ({"invited_messages": "404"}, {}),
        ({"gone": "readable"}, {}),
        (
            {"index_minus_one": True},
            {"messages": ["ok", f"5 messages of 0000Na9B26EF002G; {PAGE}; {OBEYED}; {ISO}", None]},
        ),
        ({"minimal": True}, {}),
        ({"null_fields": True}, {}),
        ({"from_extra": True}, {}),
        ({"unknown": True}, {}),
        ({"feature_form": "names"}, {}),
        ({"feature_form": "uris"}, {}),
        (
            {"media": "missing"},
            {"services": ["warn", "the server lists no Media service, which SMS needs", ASK]},
        ),
        ({"csrf": True}, push("its CSRF token is sent along")),
        ({"csrf": True, "csrf_connect": "none"}, push("its CSRF token is sent along")),
        ({"push_interval": 2000}, {}),
        ({"push_reconnect": "handshake"}, no_push("connect: the server forgets its clients")),
        ({"push_reconnect": "none"}, no_push(f"connect: the server wants no more connects; {NO_CSRF}")),
        ({"push_cookies": "free"}, {}),
        (
            {"push_refuse": "handshake"},
            no_push(f"{AT_FIRST}: the handshake is refused: 403::Handshake denied; {NO_CSRF}"),
        ),
        ({"push_refuse": "subscribe"}, no_push(DENIED)),
        ({"topics": ()}, no_push(DENIED)),
        (
            {"push_refuse": "topics"},
            {
                "push": [
                    "ok",
                    f"handshake, subscription to /v2/me/* and connect accepted; {NO_CSRF}",
                    None,
                ]
            },
        ),
        ({"push_keys": "single", "push_address": "path", "push_foreign": 1.0, "push_malformed": 1.0}, {}),
        ({"delay_ms": 20.0}, {}),
    ],
    ids=str,
)
def test_a_variant_is_named_and_no_failure(
    smscli: Smscli, variant: dict[str, object], otherwise: dict[str, list[object]]
) -> None:
    assert differences(smscli, Options(scene="empty", **variant)) == (0, otherwise)


def test_a_server_without_cometd_is_no_push(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty", push="off")) as server:
        outcome, said = checked(smscli, server)
        place = server.url.removeprefix("http://")
    assert outcome.code == 0
    assert {"push": said["push"]} == no_push(f"{AT_FIRST}: {NO_COMETD.format(place=place)}; {NO_CSRF}")


def test_a_connect_without_answer_is_no_push(smscli: Smscli) -> None:
    options = Options(scene="empty", silence=True)
    code, otherwise = differences(smscli, options, "--timeout", "0.5")
    assert (code, list(otherwise), otherwise["push"][0]) == (0, ["push"], "warn")
    assert "did not answer within 0.5 s" in str(otherwise["push"][1])


@pytest.mark.parametrize(
    ("layout", "named"),
    [
        ("iso", ISO),
        ("blank", "timestamp yyyy-MM-dd HH:mm:ss.SSS+hhmm"),
        ("glued", "timestamp yyyy-MM-ddHH:mm:ss.SSS+hhmm"),
        ("spaced", "timestamp yyyy-MM-ddHH: mm: ss.SSS+hhmm"),
        ("colon", "timestamp yyyy-MM-ddTHH:mm:ss.SSS+hh:mm"),
        ("z", "timestamp yyyy-MM-ddTHH:mm:ssZ"),
    ],
)
def test_the_layout_of_the_timestamps_is_named(smscli: Smscli, layout: str, named: str) -> None:
    with bulk(timestamps=layout, utc_offset=-480) as server:
        outcome, line = messages_line(smscli, server)
    assert (outcome.code, line["result"], line["finding"].rpartition("; ")[2]) == (0, "ok", named)


def test_layouts_that_are_mixed_are_all_named(smscli: Smscli) -> None:
    with bulk(timestamps="mixed", timestamp_seconds=True) as server:
        _, line = messages_line(smscli, server)
    named = line["finding"].rpartition("; ")[2].split(", ")
    assert (len(named), named[-1], ISO in named) == (7, "timestampSeconds", True)


def test_timestamps_that_cannot_be_read_are_told(smscli: Smscli) -> None:
    with bulk(timestamps="unreadable") as server:
        outcome, line = messages_line(smscli, server)
    told = "no timestamp that can be read, 8 messages without a time"
    assert (outcome.code, line["result"], line["finding"].rpartition("; ")[2]) == (0, "warn", told)


def test_milliseconds_make_up_for_timestamps_that_cannot_be_read(smscli: Smscli) -> None:
    with bulk(timestamps="unreadable", timestamp_seconds=True) as server:
        _, line = messages_line(smscli, server)
    assert (line["result"], line["finding"].rpartition("; ")[2]) == ("ok", "timestampSeconds")


def test_numbers_from_zero_are_told(smscli: Smscli) -> None:
    with bulk(first_index=0, start_zero_error=True) as server:
        _, line = messages_line(smscli, server)
    assert line["finding"].split("; ")[2:4] == ["indices from 0", OBEYED]


def bulk(**variant: object) -> FakeServer:
    return FakeServer(Options(scene="bulk", sessions=1, messages=8, **variant), clock=lambda: 1772445600.0)


def messages_line(smscli: Smscli, server: FakeServer) -> tuple[Outcome, dict[str, str]]:
    outcome = smscli("doctor", "--json", server=server)
    return outcome, json.loads(outcome.out)[NAMES.index("messages")]


NO_SESSIONS = (
    "0 sessions at me/smsessions; an array under smsessions, with statusCode; fields not tried: no session"
)


def test_without_sessions_the_messages_are_skipped(smscli: Smscli, empty_server: FakeServer) -> None:
    empty_server.store.sessions.clear()
    outcome, said = checked(smscli, empty_server)
    place = empty_server.url.removeprefix("http://")
    assert (outcome.code, outcome.err) == (0, "")
    assert said == {
        **as_documented(place),
        "sessions": ["ok", NO_SESSIONS, None],
        "messages": ["skip", "not checked: no live session with messages", "try again when there is one"],
    }


def test_on_a_terminal_skip_is_no_failure(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty")) as server:
        outcome = smscli("doctor", server=server, tty=True, color="never", width=200)
        place = server.url.removeprefix("http://")
    assert outcome == Outcome(
        0,
        f"ok    configuration  no profile, http://{place}/api/v2\n"
        "ok    secret         the password of demo, from: environment\n"
        "ok    proxy          none, as always on this machine\n"
        f"ok    name and TLS   {place} answers, on this machine, without TLS\n"
        "ok    sign-in        the server knows demo\n"
        "ok    features       the user has api-multimedia-chat\n"
        "ok    services       Media is up\n"
        f"ok    sessions       {NO_SESSIONS}\n"
        "skip  messages       not checked: no live session with messages\n"
        "                     hint: try again when there is one\n"
        f"ok    push           {PUSH}; {NO_CSRF}\n",
        "",
    )


READS = [
    ["list"],
    ["show", "0000Na9B26EF002G"],
    ["messages", "0000Na9B26EF002G"],
    ["tail", "0000Na9B26EF002G"],
    ["tail", "--all"],
    ["doctor"],
    ["auth", "status"],
    ["auth", "login", "--token-stdin"],
]


@pytest.mark.slow
@pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_in_each_command_a_server_out_of_reach_has_the_hint_of_doctor(
    smscli: Smscli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], tty: bool
) -> None:
    def failed(url: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"t\n")))
        outcome = smscli(
            *arguments, "--timeout", "0.3", tty=tty, color="never", SMSCLI_URL=url, SMSCLI_TOKEN="t"
        )
        return outcome.code, outcome.err

    refused = "error: 127.0.0.1:9 refuses the connection\n"
    assert failed("http://127.0.0.1:9") == (3, f"{refused}hint: {OUTSIDE}\n")
    unknown = "error: the name gws.invalid can't be resolved\n"
    assert failed("https://gws.invalid") == (3, f"{unknown}hint: {OUTSIDE}\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        late = f"error: {place} did not answer within 0.3 s\n"
        assert failed(f"http://{place}") == (3, f"{late}hint: {OUTSIDE}; wait longer: --timeout SECONDS\n")


# From Python 3.13 on the comma before a closing bracket is the fault, until then the bracket.
PLACE = "line 13, column 6" if sys.version_info >= (3, 13) else "line 14, column 3"
NOT_JSON = f"the server's response is not JSON ({PLACE}), at "


def test_the_printed_sample_is_no_answer(smscli: Smscli) -> None:
    code, otherwise = differences(smscli, Options(scene="empty", printed_sample=True))
    result, finding, hint = otherwise["messages"]
    assert (code, list(otherwise), result, hint) == (1, ["messages"], "fail", REPORT)
    assert str(finding).startswith(NOT_JSON)


@pytest.mark.parametrize("refuse", ["401", "200"])
def test_a_wrong_secret_is_tried_once(smscli: Smscli, refuse: str) -> None:
    with FakeServer(Options(scene="empty", refuse=refuse)) as server:
        outcome = smscli("doctor", "--json", server=server, SMSCLI_PASSWORD="wrong")
        asked = [target for _, target, _ in server.requests]
    results = {one["check"]: one["result"] for one in json.loads(outcome.out)}
    assert (outcome.code, asked) == (4, ["/api/v2/me"])
    assert [name for name in NAMES if results[name] == "fail"] == ["sign-in"]


PASSING = {"no-length", "chunked", "reorder", "repeat", "slow"}
NO_WAY = {"reset", "cut", "hang"}
FORBIDDEN = {"401", "403"}


def code_of(kind: str) -> int:
    return 0 if kind in PASSING else 3 if kind in NO_WAY else 4 if kind in FORBIDDEN else 1


def faulty(smscli: Smscli, kind: str, path_part: str) -> tuple[Outcome, dict[str, list[object]]]:
    """What is found by a doctor, with no time to waste, when each such request goes wrong."""
    value = {"hang": "hang:2", "slow": "slow:0.001", "huge": "huge:65", "gzip-bomb": "gzip-bomb:80"}
    with FakeServer(Options(scene="empty")) as server:
        server.fail_next(value.get(kind, kind), path_part, times=99)
        timeout = "0.2" if kind == "hang" else "5"
        return checked(smscli, server, "--timeout", timeout)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_of_the_first_answer_fails_one_check_and_stops_the_rest(smscli: Smscli, kind: str) -> None:
    outcome, said = faulty(smscli, kind, "me")
    failed = [name for name in NAMES if said[name][0] == "fail"]
    if kind in PASSING:
        assert (outcome.code, failed) == (0, [])
        return
    culprit = "name and TLS" if kind in NO_WAY else "sign-in"
    assert (outcome.code, failed) == (code_of(kind), [culprit])
    assert said[culprit][2] is not None
    unchecked = {tuple(said[name]) for name in NAMES[NAMES.index(culprit) + 1 :]}
    assert unchecked == {("skip", f"not checked: {culprit} failed", None)}
    assert json.loads(outcome.err)["error"]["message"] == said[culprit][1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"slow", "huge", "gzip-bomb"}))
def test_a_fault_of_the_messages_fails_that_check_alone(smscli: Smscli, kind: str) -> None:
    outcome, said = faulty(smscli, kind, "messages")
    expected = [] if kind in PASSING or kind == "404" else ["messages"]
    assert [name for name in NAMES if said[name][0] == "fail"] == expected
    assert outcome.code == (code_of(kind) if expected else 0)
    assert said["push"][0] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["html", "403", "404", "wrong-json", "deep", "truncated-json", "redirect"])
@pytest.mark.parametrize(
    ("path_part", "check"), [("features", "features"), ("services", "services"), ("notifications", "push")]
)
def test_what_only_explains_or_speeds_up_is_a_warning(
    smscli: Smscli, kind: str, path_part: str, check: str
) -> None:
    outcome, said = faulty(smscli, kind, path_part)
    assert (outcome.code, outcome.err) == (0, "")
    assert [name for name in NAMES if said[name][0] != "ok"] == [check]
    assert said[check][2] == (POLLS if check == "push" else OPTIONAL)


@pytest.mark.slow
def test_a_server_without_sms_is_told_without_sending_back_here(smscli: Smscli) -> None:
    with FakeServer(Options(scene="empty")) as server:
        server.fail_next("404", "sessions", times=9)
        outcome, said = checked(smscli, server)
        base = f"{server.url}/api/v2"
    assert (outcome.code, said["sessions"]) == (
        1,
        ["fail", f"nothing like Genesys Web Services answers at {base}", "is the URL right?"],
    )
    assert said["messages"] == ["skip", "not checked: sessions failed", None]
    assert json.loads(outcome.err)["error"]["hint"] == "is the URL right?"


def test_a_server_that_is_not_there_is_exit_3(smscli: Smscli) -> None:
    outcome = smscli(
        "doctor",
        "--json",
        SMSCLI_URL="http://127.0.0.1:9",
        SMSCLI_USERNAME="demo",
        SMSCLI_PASSWORD="demo",
    )
    assert outcome.code == 3
    assert json.loads(outcome.out)[3] == {
        "check": "name and TLS",
        "result": "fail",
        "finding": "127.0.0.1:9 refuses the connection",
        "hint": OUTSIDE,
    }


def test_a_profile_that_does_not_exist_fails_the_configuration(smscli: Smscli) -> None:
    outcome = smscli("doctor", "--profile", "nowhere")
    assert outcome.code == 2
    assert outcome.out.startswith("configuration\tfail\tthere is no profile 'nowhere'\tprofiles: none yet")


def test_a_proxy_is_named_without_its_password(smscli: Smscli) -> None:
    outcome = smscli(
        "doctor",
        "--timeout",
        "1",
        SMSCLI_URL="http://gws.example.com",
        SMSCLI_TOKEN="t",
        HTTP_PROXY="http://someone:hidden@127.0.0.1:9",
    )
    assert outcome.code == 3
    assert outcome.out.splitlines()[2] == "proxy\tok\thttp://127.0.0.1:9\t"
    assert "the proxy 127.0.0.1:9 refuses the connection" in outcome.out
    assert "hidden" not in outcome.out + outcome.err


def test_a_proxy_that_is_none_stops_what_would_go_through_it(smscli: Smscli) -> None:
    outcome = smscli(
        "doctor", SMSCLI_URL="http://gws.example.com", SMSCLI_TOKEN="t", HTTP_PROXY="socks5://127.0.0.1:9"
    )
    lines = outcome.out.splitlines()
    told = "the proxy that HTTP_PROXY names is not an http:// or https:// address"
    assert (outcome.code, lines[2]) == (1, f"proxy\tfail\t{told}\tcorrect it, or name the server in NO_PROXY")
    assert lines[3] == "name and TLS\tskip\tnot checked: proxy failed\t"


@pytest.fixture
def authority() -> Iterator[trustme.CA]:
    yield trustme.CA()


def secure(authority: trustme.CA, status: int = 200) -> WireServer:
    def reply(request: Request) -> Reply:
        body = {"statusCode": 0, "user": {"userName": "demo"}, "services": [], "smsessions": []}
        return answer(body, status)

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    return WireServer(reply, tls)


def test_a_certificate_is_trusted_or_it_is_not(smscli: Smscli, authority: trustme.CA, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with secure(authority) as server:
        given = {"SMSCLI_URL": server.base_url, "SMSCLI_TOKEN": "t"}
        trusted = smscli("doctor", "--ca-bundle", str(bundle), **given).out.splitlines()
        refused = smscli("doctor", **given)
        place = f"localhost:{server.port}"
    assert trusted[3] == f"name and TLS\tok\t{place} answers, its certificate is trusted\t"
    assert trusted[5] == f"features\twarn\tthe server lists no features\t{OPTIONAL}"
    assert refused.code == 3
    assert refused.out.splitlines()[3].endswith(
        "\tif it was issued by your own CA, name that: --ca-bundle FILE"
    )


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ([{"type": "MEDIA", "status": "Running"}], "services\tok\tMedia is up\t"),
        (
            [{"type": "Media", "status": "Down"}, {"type": "Media", "state": "active"}],
            "services\tok\tMedia is up\t",
        ),
        (
            [{"type": "Media", "status": "\x1b[31mHalf\n"}],
            "services\twarn\tMedia has the status: \\u{1B}[31mHalf\\n\tSMS needs the Media service to be up",
        ),
        (
            [{"type": "Media"}],
            "services\twarn\tMedia has the status: nothing\tSMS needs the Media service to be up",
        ),
    ],
)
def test_the_words_for_media_are_understood_or_told(
    smscli: Smscli, services: list[dict[str, str]], told: str
) -> None:
    def reply(request: Request) -> Reply:
        user = {"userName": "demo", "features": ["api-multimedia-chat"]}
        return answer({"statusCode": 0, "user": user, "services": services, "smsessions": []})

    with WireServer(reply) as server:
        outcome = smscli("doctor", SMSCLI_URL=server.base_url, SMSCLI_TOKEN="t")
    assert outcome.out.splitlines()[6] == told


def test_hostile_words_fill_no_screen(smscli: Smscli) -> None:
    listed = [{"id": f"s{n}", "uri": f"/api/\x1b]0;{n}\x07/s{n}"} for n in range(500)]

    def reply(request: Request) -> Reply:
        body = {"statusCode": 0, "user": {"userName": "\u202edemo"}, "smsessions": listed, "messages": []}
        return answer(body)

    with WireServer(reply) as server:
        given = {"SMSCLI_URL": server.base_url, "SMSCLI_TOKEN": "t"}
        outcome = smscli("doctor", tty=True, color="never", width=80, **given)
    assert outcome.code == 0
    assert "the server knows \\u{202E}demo\n" in outcome.out
    assert outcome.out.replace("\n", "").isprintable()
    assert len(outcome.out.splitlines()) < 40
