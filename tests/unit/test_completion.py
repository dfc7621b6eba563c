"""Shell completion: commands, options and choices of the table, ids of a live server."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from smscli.completion import (
    FILES,
    Choice,
    clear_cache,
    complete,
    live_ids,
    plain,
    read_cache,
    write_cache,
)
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support import completion_table
from tests.support.command import COMPLETE
from tests.support.paths import ROOT

FIRST, SECOND = Choice("0000Na9B26EF0001", "Chatting Mika"), Choice("0000Na9B26EF0002", "Invited Noor")
GLOBAL = [
    "--profile", "--url", "--user", "--demo", "--timeout", "--ca-bundle", "--client-cert", "--color",
    "--debug", "--version", "--help",
]  # fmt: skip


def no_ids(options: Mapping[str, str]) -> Iterable[Choice]:
    raise AssertionError("the ids were asked for")


def two(options: Mapping[str, str]) -> Iterable[Choice]:
    return [FIRST, SECOND]


def values(*words: str, environ: Mapping[str, str] | None = None) -> list[str]:
    return [one.value for one in complete(words, environ or {}, no_ids)]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty")) as server:
        yield server


@pytest.fixture
def environ(home: dict[str, str], server: FakeServer) -> dict[str, str]:
    """The environment of a user who signs in to the server."""
    return {
        **home,
        "SMSCLI_URL": server.url,
        "SMSCLI_USERNAME": "demo",
        "SMSCLI_PASSWORD": "demo",
        "PYTHONPATH": str(ROOT),
    }


def process(*words: str, environ: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    done = subprocess.run([*COMPLETE, *words], env=environ, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_table_is_made_from_the_commands_as_they_are() -> None:
    assert completion_table.FILE.read_text(encoding="utf-8") == completion_table.table(), (
        "write it anew: python -m tests.support.completion_table"
    )


def test_commands_come_with_what_they_do() -> None:
    assert complete(["sessions", ""], {}, no_ids) == [
        Choice("list", "List the live sessions and their participants"),
        Choice("show", "Show one session participants user data activity"),
        Choice("messages", "Read the messages of one session"),
        Choice("tail", "Follow sessions live message by message"),
        Choice("check", "Find out what is wrong with conversations"),
    ]


def test_a_command_is_found_by_its_first_letters_after_options_too() -> None:
    assert values("mes") == ["messages"]
    assert values("--demo", "--color", "never", "sessions", "sh") == ["show"]
    assert values("--color=never", "-pwork", "sessions", "sh") == ["show"]


def test_nothing_follows_a_word_that_is_no_command() -> None:
    assert values("mesages", "") == []


def test_options_are_the_commands_own_then_those_of_every_command() -> None:
    assert values("doctor", "--") == ["--json", *GLOBAL]
    assert values("doctor", "") == ["--json", *GLOBAL]
    assert values("auth", "logout", "--a") == ["--all"]


def test_an_option_is_offered_once_unless_it_may_be_repeated() -> None:
    assert values("--deb") == ["--debug"]
    assert values("--debug", "--deb") == []
    assert values("list", "--state", "Invited", "--stat") == ["--state"]


def test_choices_stand_behind_a_blank_or_an_equals_sign() -> None:
    assert values("list", "--color", "") == ["auto", "always", "never"]
    assert values("tail", "--push=o") == ["--push=off"]
    assert values("tail", "--all", "--typing", "s") == ["show"]
    assert values("list", "--state", "In") == ["Invited"]
    assert values("list", "--sort", "rec") == ["receivedDate"]


def test_free_values_have_no_completions() -> None:
    assert values("tail", "--since", "") == []
    assert values("--url", "") == []
    assert values("tail", "--nonsense=") == []
    assert values("demo", "--port", "") == []


def test_the_shell_is_asked_for_file_names() -> None:
    assert values("tail", "--record", "ca") == [FILES]
    assert values("--ca-bundle=") == [FILES]


def test_ids_are_offered_with_state_and_customer() -> None:
    assert complete(["show", ""], {}, two) == [FIRST, SECOND]
    assert complete(["sessions", "messages", "--utc", "0000Na9B26EF0002"], {}, two) == [SECOND]


def test_an_id_is_offered_to_tail_once_and_to_show_only_one() -> None:
    assert complete(["tail", FIRST.value, ""], {}, two) == [SECOND]
    assert [one.value for one in complete(["show", FIRST.value, "--j"], {}, no_ids)] == ["--json"]
    assert FIRST not in complete(["show", FIRST.value, ""], {}, no_ids)


def test_a_dash_behind_two_dashes_begins_no_option() -> None:
    assert complete(["show", "--", "-"], {}, two) == []
    assert complete(["show", "--", "0000Na9B26EF0001"], {}, two) == [FIRST]


def test_the_ids_are_those_of_the_server_that_the_options_name() -> None:
    seen: list[Mapping[str, str]] = []

    def ids(options: Mapping[str, str]) -> Iterable[Choice]:
        seen.append(options)
        return []

    complete(["-p", "work", "--demo", "tail", "--user=mika", "--all", ""], {}, ids)

    assert seen == [{"--profile": "work", "--demo": "", "--user": "mika", "--all": ""}]


def test_profiles_are_offered_with_user_and_server(home: dict[str, str]) -> None:
    folder = Path(home["HOME"], ".config", "smscli")
    folder.mkdir(parents=True)
    folder.joinpath("config.toml").write_text(
        '[profiles.work]\nurl = "https://gws.example.com"\nuser = "robin"\n'
        '[profiles."my lab"]\nurl = "http://lab.example:8080"\n'
        '[profiles."$(reboot)"]\nurl = "http://lab.example"\n'
    )

    assert complete(["auth", "use", ""], home, no_ids) == [
        Choice("work", "robin gws.example.com 443"),
        Choice("my lab", "lab.example 8080"),
    ]
    assert complete(["--profile=my l"], home, no_ids) == [Choice("--profile=my lab", "lab.example 8080")]


@pytest.mark.parametrize(
    "value",
    ["$(touch x)", "`touch x`", "a;b", "a'b", 'a"b', "a:b", "a\nb", "a\tb", "a\\b", "a/b", "a|b", "a*",
     "a{b}", "~", "--demo", "-p", " a", "a ", "", "a\u202eb", "a\x1b[2J", "a\x9b", "a\ud800", "=a", "a%b",
     "a#", "!a", "\u3164", "a\u115fb", "a\u200bb", "a\U000e0041"],
)  # fmt: skip
def test_an_id_that_a_shell_could_take_for_more_is_left_out(value: str) -> None:
    assert complete(["show", ""], {}, lambda options: [Choice(value, "Chatting"), SECOND]) == [SECOND]


def test_a_description_is_reduced_to_words() -> None:
    assert plain('$(touch x) `id` "a" b\'s c:d\ne\tf\\g') == "touch x id a bs c d e f g"
    assert plain("Chatting \x1b[31mMika\u202e\x9b\ud800 ~/*?") == "Chatting 31mMika"
    assert (
        plain("Chatting Žofie 山田 robin@example.com +1_0-2.")
        == "Chatting Žofie 山田 robin@example.com +1_0-2"
    )
    assert plain("Chatting \u3164\uffa0Mika\u1160") == "Chatting Mika"
    assert plain("a" * 1_000_000) == "a" * 60


def test_ids_are_cached_for_ten_seconds(server: FakeServer, environ: dict[str, str]) -> None:
    server.store.add_session("S1", state="Invited", customer="Mika$(id)", agents=())
    found = [Choice("S1", "Invited Mika id")]

    assert live_ids({}, environ, 30.0) == found
    server.store.add_session("S2")
    assert live_ids({}, environ, 30.0) == found
    assert [path for _, path, _ in server.requests] == ["/api/v2/me/smsessions?fields=*"]

    owner, now = [server.url, "demo", None], time.time()
    write_cache(environ, owner, found, now)
    assert [read_cache(environ, owner, now + later) for later in (9.9, 10, -1)] == [found, None, None]


def test_cached_ids_belong_to_one_server_user_and_profile(home: dict[str, str]) -> None:
    write_cache(home, ["https://a.example:443", "robin", "work"], [FIRST], 1000.0)

    assert read_cache(home, ["https://a.example:443", "robin", "work"], 1000.0) == [FIRST]
    assert read_cache(home, ["https://b.example:443", "robin", "work"], 1000.0) is None
    assert read_cache(home, ["https://a.example:443", "sasha", "work"], 1000.0) is None
    assert read_cache(home, ["https://a.example:443", "robin", None], 1000.0) is None


def test_the_id_cache_is_private(home: dict[str, str]) -> None:
    write_cache(home, ["demo", None, None], [FIRST], 1000.0)

    file = Path(home["HOME"], ".cache", "smscli", "sessions.json")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)]
    assert modes == [0o600, 0o700]
    clear_cache(home)
    clear_cache(home)
    assert not file.exists()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", "null", '{"owner": ["demo", null, null], "at": "x", "sessions": []}',
     '{"owner": ["demo", null, null], "at": 1000, "sessions": [1]}'],
)  # fmt: skip
def test_a_broken_id_cache_is_ignored(content: str, home: dict[str, str]) -> None:
    write_cache(home, ["demo", None, None], [FIRST], 1000.0)
    Path(home["HOME"], ".cache", "smscli", "sessions.json").write_text(content)

    assert read_cache(home, ["demo", None, None], 1000.0) is None


def test_an_id_cache_that_cannot_be_written_is_no_error(server: FakeServer, environ: dict[str, str]) -> None:
    Path(environ["HOME"], ".cache").write_text("in the way")
    server.store.add_session("S1", agents=())

    assert live_ids({}, environ, 30.0) == [Choice("S1", "Chatting Mika")]


def test_a_server_that_hangs_is_given_up_and_nothing_is_cached(
    server: FakeServer, environ: dict[str, str]
) -> None:
    server.fail_next("hang")
    begun = time.monotonic()

    assert live_ids({}, environ, 0.2) == []
    assert time.monotonic() - begun < 5
    assert not Path(environ["HOME"], ".cache").exists()


@pytest.mark.parametrize(
    "fault", ["reset", "cut", "500", "502html", "html", "redirect", "truncated-json", "empty"]
)
def test_a_bad_answer_is_no_answer(fault: str, server: FakeServer, environ: dict[str, str]) -> None:
    server.fail_next(fault, times=2)

    assert live_ids({}, environ, 30.0) == []


def test_the_demo_server_has_ids_too(home: dict[str, str]) -> None:
    assert Choice("0000Na9C009E6UOL", "Chatting Toni") in live_ids({"--demo": ""}, home, 30.0)


def test_a_password_command_is_given_up_and_ended(server: FakeServer, environ: dict[str, str]) -> None:
    folder = Path(environ["HOME"], ".config", "smscli")
    folder.mkdir(parents=True)
    pid = folder / "pid"
    folder.joinpath("config.toml").write_text(
        f'default = "work"\n[profiles.work]\nurl = "{server.url}"\nuser = "demo"\n'
        f"password_command = {json.dumps(['sh', '-c', f'echo $$ > {pid}; exec sleep 600'])}\n"
    )
    own = {key: value for key, value in environ.items() if not key.startswith("SMSCLI")}

    assert live_ids({}, own, 0.8) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_locked_keyring_is_not_waited_for(environ: dict[str, str], tmp_path: Path) -> None:
    tmp_path.joinpath("locked_keyring.py").write_text(
        "import time\n"
        "from keyring.backend import KeyringBackend\n\n"
        "class Locked(KeyringBackend):\n"
        "    priority = 1\n\n"
        "    def get_password(self, service, username):\n"
        "        time.sleep(600)\n\n"
        "    set_password = delete_password = get_password\n"
    )
    locked = {
        **environ,
        "SMSCLI_PASSWORD": "",
        "PYTHON_KEYRING_BACKEND": "locked_keyring.Locked",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
    }
    begun = time.monotonic()

    command = [sys.executable, "-m", "smscli", "__complete", "show", ""]
    done = subprocess.run(command, env=locked, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert 0.8 <= time.monotonic() - begun < 10


def test_lines_are_a_value_a_tab_and_a_description(server: FakeServer, environ: dict[str, str]) -> None:
    server.store.add_session("S1", customer="a:$(touch ran)\n", agents=())
    server.store.add_session("$(touch ran)", agents=())

    assert process("show", "", environ=environ) == (0, b"S1\tChatting a touch ran\n", b"")
    assert process("tail", "--push", "", environ=environ) == (0, b"auto\noff\n", b"")


@pytest.mark.parametrize(
    "setting",
    [
        {"SMSCLI_URL": "http://127.0.0.1:9"},
        {"SMSCLI_URL": "nonsense"},
        {"SMSCLI_PASSWORD": "wrong"},
        {"SMSCLI_PASSWORD": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        {"SMSCLI_PROFILE": "missing"},
        {"SMSCLI_CA_BUNDLE": "/missing"},
        {"SMSCLI_DEBUG": "1", "SMSCLI_PASSWORD": "wrong"},
    ],
    ids=lambda setting: " ".join(f"{key}={value}" for key, value in setting.items()),
)
def test_errors_print_nothing(setting: dict[str, str], environ: dict[str, str]) -> None:
    assert process("show", "", environ={**environ, **setting}) == (0, b"", b"")


def test_a_broken_config_file_prints_nothing(environ: dict[str, str]) -> None:
    folder = Path(environ["HOME"], ".config", "smscli")
    folder.mkdir(parents=True)
    folder.joinpath("config.toml").write_text("nonsense")

    assert process("show", "", environ=environ) == (0, b"", b"")
    assert process("auth", "use", "", environ=environ) == (0, b"", b"")


def test_no_bytes_go_out_that_the_locale_has_no_signs_for(
    server: FakeServer, environ: dict[str, str]
) -> None:
    server.store.add_session("S1", customer="Žofie", agents=())
    server.store.add_session("Sÿ", agents=())
    ascii_only = {**environ, "PYTHONIOENCODING": "ascii"}

    assert process("show", "S", environ=ascii_only) == (0, b"S1\tChatting ofie\n", b"")


def test_commands_and_choices_load_nothing_slow(environ: dict[str, str]) -> None:
    script = (
        "import sys; from smscli.completion import run; run(['list', '--']); run(['show', '--color', '']);"
        "slow = {'typer', 'rich', 'requests', 'keyring', 'tomlkit'} & set(sys.modules);"
        "print(sorted(slow), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, timeout=60, check=True
    )

    assert done.stderr == b"[]\n"
