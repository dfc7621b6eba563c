"""Several profiles on `list` and `check`: whose session is whose, what is shared, whose trouble is whose."""

import json

import pytest

from tests.server.server import FakeServer
from tests.support.command import Outcome, Smscli
from tests.support.profiles import BOTH, CLOSED, MIKA, NOOR, profiles, with_ended_view

pytestmark = pytest.mark.usefixtures("quick_retries")

Home = dict[str, str]


@pytest.fixture
def home(profile_home: Home) -> Home:
    return profile_home


def rows(outcome: Outcome) -> list[list[str]]:
    return [line.split("\t") for line in outcome.out.splitlines()]


@pytest.mark.parametrize(
    "words",
    [("-p", "north,west,south"), ("-p", "*"), ("--all-profiles",), ("-p", " north, west,south,west ")],
)
def test_every_line_says_whose_it_is(smscli: Smscli, three: Home, words: tuple[str, ...]) -> None:
    outcome = smscli("list", *words)
    assert (outcome.code, outcome.err) == (0, "")
    at = "2026-03-02T10:00:00.000Z"
    assert rows(outcome) == [
        [MIKA, "Chatting", "Mika", "Robin", at, "north"],
        [BOTH, "Chatting", "Otto", "Robin", at, "north"],
        [NOOR, "Chatting", "Noor", "Robin", at, "west"],
        [MIKA, "Chatting", "Yuki", "Robin", at, "south"],
    ]


def test_on_a_terminal_the_profile_is_the_last_column(smscli: Smscli, three: Home) -> None:
    outcome = smscli("list", "-p", "west,south", "--utc", tty=True, color="never")
    assert outcome.out == (
        "id                state     customer  agents  received (UTC)       profile\n"
        f"{NOOR}  Chatting  Noor      Robin   2026-03-02 10:00:00  west\n"
        f"{BOTH}  Chatting  Otto      Robin   2026-03-02 10:00:00  west\n"
        f"{MIKA}  Chatting  Yuki      Robin   2026-03-02 10:00:00  south\n"
        "SMS sessions of 2 profiles\n"
    )


def test_json_names_the_profile(smscli: Smscli, three: Home) -> None:
    listed = json.loads(smscli("list", "-p", "*", "--activity", "--json").out)
    assert [(one["id"], one["profile"], one["activity"]["lastMessage"]["text"]) for one in listed] == [
        (MIKA, "north", "hello from 1"),
        (BOTH, "north", "hello from 3"),
        (NOOR, "west", "hello from 2"),
        (MIKA, "south", "hello from the south"),
    ]
    assert "profile" not in json.loads(smscli("list", "-p", "north", "--json").out)[0]


def test_a_shared_session_is_live_while_one_view_is(
    smscli: Smscli, three: Home, north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_ended_view(monkeypatch, north, "ann", BOTH)
    shown = rows(smscli("list", "-p", "north,west"))
    assert [(row[0], row[1], row[5]) for row in shown] == [
        (MIKA, "Chatting", "north"),
        (BOTH, "Chatting", "west"),
        (NOOR, "Chatting", "west"),
    ]


def test_what_one_profile_cannot_read_the_next_one_does(
    smscli: Smscli, three: Home, north: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = north.api.user
    monkeypatch.setattr(
        north.api,
        "user",
        lambda request: None if BOTH in request.target and usual(request) == "ann" else usual(request),
    )
    answered = north.api.answer

    def answer(request: object, user: str | None) -> object:
        """With an entry that is no message."""
        answer = answered(request, user)  # type: ignore[arg-type]
        answer.body = answer.body.replace(b'"messages":[{', b'"messages":[7,{')
        return answer

    monkeypatch.setattr(north.api, "answer", answer)
    outcome = smscli("list", "-p", "north,west", "--customer", "Otto", "--columns", "id,lastMessage")
    assert (outcome.code, rows(outcome)) == (0, [[BOTH, "hello from 3", "north"]])
    left_out = f"left out 1 entry of the messages of session {BOTH}: not JSON objects"
    assert outcome.err == f"profile west: {left_out}\n"


def test_one_profiles_trouble_stops_no_other(smscli: Smscli, home: Home, north: FakeServer) -> None:
    profiles(home, north=(north.url, "ann"), dead=(CLOSED, "ann"), wrong=(north.url, "nobody"))
    outcome = smscli("list", "--all-profiles")
    assert (outcome.code, [row[5] for row in rows(outcome)]) == (3, ["north", "north"])
    first, second = outcome.err.splitlines()
    assert first == "profile dead: can't be read: 127.0.0.1:1 refuses the connection"
    assert second.startswith("profile wrong: can't be read: the server answers: not signed in")
    assert second.endswith("used the password of nobody from password_command of profile wrong")
    notices = [json.loads(line)["notice"] for line in smscli("list", "-p", "*", "--json").err.splitlines()]
    assert [(one["kind"], one["profile"]) for one in notices] == [("lost", "dead"), ("lost", "wrong")]


def test_if_all_fail_the_first_error_counts(smscli: Smscli, home: Home, north: FakeServer) -> None:
    profiles(home, wrong=(north.url, "nobody"), dead=(CLOSED, "ann"))
    outcome = smscli("list", "-p", "*")
    assert (outcome.code, outcome.out) == (4, "")
    assert outcome.err.startswith("error: profile wrong: the server answers: not signed in")
    assert smscli("list", "-p", "dead,wrong").code == 3


def test_a_check_of_several_profiles(smscli: Smscli, three: Home) -> None:
    outcome = smscli("check", "--all", "-p", "*", "--waiting", "0s")
    assert outcome.code == 6
    assert [(row[0], row[2], row[7]) for row in rows(outcome) if row[1] == "waiting"] == [
        (MIKA, "fail", "north"),
        (BOTH, "fail", "north"),
        (NOOR, "fail", "west"),
        (MIKA, "fail", "south"),
    ]
    named = smscli("check", "Noor", "Yuki", "-p", "*", "--jsonl")
    found = [json.loads(line) for line in named.out.splitlines()]
    assert [(one["sessionId"], one["profile"]) for one in found[::13]] == [(NOOR, "west"), (MIKA, "south")]
    assert smscli("check", MIKA, "-p", "north,west").code == 0
    several = smscli("check", MIKA, "-p", "*")
    assert (several.code, several.err.splitlines()[0]) == (5, f"error: {MIKA} fits 2 sessions")
    shown = smscli("check", "Yuki", "-p", "*", "--utc", tty=True, color="never")
    assert shown.out.splitlines()[0] == f"session {MIKA} (Yuki), Chatting, profile south, times are UTC"


@pytest.mark.parametrize(
    ("words", "environ", "told"),
    [
        (("list", "-p", "north,west", "--url", CLOSED), {}, "--url can't be combined with several profiles"),
        (("list", "-p", "*", "--user", "x"), {}, "--user can't be combined with several profiles"),
        *(
            (("check", "--all", "-p", "*"), {name: "x"}, f"{name} can't be combined with several profiles")
            for name in (
                *("SMSCLI_URL", "SMSCLI_USERNAME", "SMSCLI_PASSWORD", "SMSCLI_COOKIE", "SMSCLI_TOKEN"),
            )
        ),
        (("show", "Mika", "-p", "north,west"), {}, "several profiles work with list, tail and check only"),
        (("list", "-p", "north,nobody"), {}, "there is no profile 'nobody'"),
        (
            ("tail", "--all", "-p", "*"),
            {"SMSCLI_TOKEN": "x"},
            "SMSCLI_TOKEN can't be combined with several profiles",
        ),
        (("messages", "Mika", "-p", "*"), {}, "several profiles work with list, tail and check only"),
        (
            ("auth", "login", "-p", "a,b"),
            {},
            "a profile's name can't have a comma or an asterisk in it: 'a,b'",
        ),
    ],
)
def test_wrong_usage_is_refused_before_any_request(
    smscli: Smscli,
    three: Home,
    north: FakeServer,
    words: tuple[str, ...],
    environ: dict[str, str],
    told: str,
) -> None:
    outcome = smscli(*words, **environ)
    assert (outcome.code, outcome.out, [*north.requests]) == (2, "", [])
    assert outcome.err.splitlines()[0] == f"error: {told}"


def test_a_name_that_exists_as_written_is_one_profile(smscli: Smscli, home: Home, north: FakeServer) -> None:
    profiles(home, **{'"a,b"': (north.url, "ann"), "a": (CLOSED, "x"), "b": (CLOSED, "x")})
    assert [len(row) for row in rows(smscli("list", "-p", "a,b"))] == [5, 5]


def test_other_commands_use_the_first_profile_of_the_environment(smscli: Smscli, three: Home) -> None:
    outcome = smscli("show", "Mika", SMSCLI_PROFILE="north,west")
    assert outcome.code == 0
    assert outcome.err.splitlines()[0] == "SMSCLI_PROFILE names several profiles: using north"
    assert [row[5] for row in rows(smscli("list", SMSCLI_PROFILE="west,south"))] == ["west", "west", "south"]


def test_one_saved_profile_is_read_as_always(smscli: Smscli, home: Home, north: FakeServer) -> None:
    profiles(home, only=(north.url, "ann"))
    assert smscli("list", "--all-profiles").out == smscli("list", "-p", "only").out
    assert [len(row) for row in rows(smscli("list", "-p", "*"))] == [5, 5]


def test_without_any_profile_there_is_nothing_to_read(smscli: Smscli) -> None:
    outcome = smscli("list", "--all-profiles")
    assert (outcome.code, outcome.err.splitlines()[0]) == (4, "error: no profile is saved")
