"""`auth login` on a terminal: what is asked for, in which order, and what reaches which server."""

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.on_terminal import OnTerminal
from tests.support.wire_server import WireServer, answer, in_turn

pytestmark = pytest.mark.slow

Environ = dict[str, str]
FORM = b"<html><form>user, password</form></html>"


@pytest.fixture
def environ(home: Environ) -> Environ:
    return {**home, "PYTHON_KEYRING_BACKEND": "tests.support.memory_keyring.Memory"}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty", cookies={"c1": "demo"})) as server:
        yield server


@pytest.fixture
def intranet() -> Iterator[WireServer]:
    """A web server that answers everything with a page."""
    with WireServer(in_turn(answer(FORM, headers={"Content-Type": "text/html"}))) as server:
        yield server


class Login(OnTerminal):
    """`auth login` on a terminal."""

    def __init__(self, environ: Environ, *options: str) -> None:
        super().__init__("auth", "login", *options, environ=environ, columns=400)
        self._answered = 0

    def reply(self, prompt: str, answer: str) -> None:
        """Answer a prompt when it comes."""
        while prompt.encode() not in self.written[self._answered :]:
            assert self.look(), self.screen
        self._answered = len(self.written)
        self.press(f"{answer}\r")


def lines(seen: OnTerminal) -> list[str]:
    """What stands on the screen when it has ended."""
    return [line for line in [*seen.scrolled, *seen.screen] if line]


def saved(environ: Environ) -> dict[str, object] | None:
    """The config file, None if there is none."""
    path = Path(environ["HOME"], ".config", "smscli", "config.toml")
    return tomllib.loads(path.read_text()) if path.exists() else None


def test_the_server_is_asked_for_until_one_answers(
    environ: Environ, server: FakeServer, intranet: WireServer
) -> None:
    with Login(environ) as seen:
        seen.reply("server URL: ", intranet.base_url)
        seen.until("hint: ")
        seen.reply("server URL: ", "http://127.0.0.1:1")
        seen.until("refuses the connection")
        seen.reply("server URL: ", server.url)
        seen.reply("user (empty for a token): ", "demo")
        seen.reply("password of demo at 127.0.0.1: ", "demo")
        assert seen.ended() == 0
        assert lines(seen)[-2:] == [
            "signed in to 127.0.0.1 as demo, profile default",
            "next: smscli list",
        ]
    assert saved(environ) == {
        "default": "default",
        "profiles": {"default": {"url": f"{server.url}/api/v2", "user": "demo", "auth": "basic"}},
    }
    assert [dict(one.headers).get("authorization") for one in intranet.requests] == [None]
    assert [user for _, _, user in server.requests] == [None, "demo"]


def test_the_third_wrong_server_ends_it(environ: Environ, intranet: WireServer) -> None:
    with Login(environ) as seen:
        for _ in range(2):
            seen.reply("server URL: ", "http://127.0.0.1:1")
        seen.reply("server URL: ", intranet.base_url)
        assert seen.ended() == 1
    with Login(environ) as seen:
        for _ in range(3):
            seen.reply("server URL: ", "http://127.0.0.1:1")
        assert seen.ended() == 3
    assert saved(environ) is None


def test_a_refused_password_is_asked_for_again_and_nothing_else(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--url", server.url, "--user", "demo", "--profile", "lab") as seen:
        seen.reply("password of demo at 127.0.0.1: ", "wrong")
        seen.until("hint: check the user and the password")
        seen.reply("password of demo at 127.0.0.1: ", "wrong again")
        seen.reply("password of demo at 127.0.0.1: ", "demo")
        assert seen.ended() == 0
        assert "next: smscli list" in lines(seen)
        assert not [line for line in lines(seen) if "wrong" in line]


def test_the_third_refused_password_ends_it(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--url", server.url, "--user", "demo") as seen:
        for _ in range(3):
            seen.reply("password of demo at 127.0.0.1: ", "wrong")
        assert seen.ended() == 4
    assert saved(environ) is None
    assert [user for _, _, user in server.requests] == [None] * 4


def test_an_empty_user_leads_to_a_token(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--url", server.url) as seen:
        seen.reply("user (empty for a token): ", "")
        seen.reply("token at 127.0.0.1: ", "demo-token")
        assert seen.ended() == 0
    profile = {"url": f"{server.url}/api/v2", "auth": "token"}
    assert saved(environ) == {"default": "default", "profiles": {"default": profile}}


def test_single_sign_on_leads_to_a_cookie(environ: Environ, server: FakeServer) -> None:
    server.options.sso_url, server.options.sso_for = "https://idp.example/saml", "unauthenticated"
    with Login(environ, "--url", server.url) as seen:
        seen.reply("cookie at 127.0.0.1: ", "JSESSIONID=expired")
        seen.until("which has expired or is not accepted")
        seen.reply("cookie at 127.0.0.1: ", "Cookie: other=1; JSESSIONID=c1")
        assert seen.ended() == 0
        assert not [line for line in lines(seen) if "c1" in line]
    profile = {"url": f"{server.url}/api/v2", "auth": "cookie"}
    assert saved(environ) == {"default": "default", "profiles": {"default": profile}}


def test_a_second_profile_is_named_in_the_next_command(environ: Environ, server: FakeServer) -> None:
    for name in ("lab", "the other"):
        with Login(environ, "--url", server.url, "--user", "demo", "--profile", name) as seen:
            seen.reply("password of demo at 127.0.0.1: ", "demo")
            assert seen.ended() == 0
    assert lines(seen)[-1] == "next: smscli --profile 'the other' list"


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "tests.support.odd_keyrings.Locked"])
def test_without_a_keyring_no_secret_is_asked_for(environ: Environ, server: FakeServer, backend: str) -> None:
    with Login({**environ, "PYTHON_KEYRING_BACKEND": backend}, "--url", server.url, "--user", "demo") as seen:
        assert seen.ended() == 4
        told = " ".join(lines(seen))
    assert "password of" not in told
    assert "--user demo --password-command 'PROGRAM ARGUMENT'`" in told
    assert 'profiles.default = { url = "' in told


def test_variables_that_take_precedence_are_named(environ: Environ, server: FakeServer) -> None:
    environ |= {"SMSCLI_TOKEN": "t", "SMSCLI_USERNAME": "theo"}
    with Login(environ, "--url", server.url, "--user", "demo", "--password-command", "echo demo") as seen:
        assert seen.ended() == 0
        told = "SMSCLI_TOKEN, SMSCLI_USERNAME in the environment take precedence over the profile"
        assert told in lines(seen)


def test_what_an_intranet_page_gets_without_a_terminal(
    environ: Environ, intranet: WireServer, tmp_path: Path
) -> None:
    script = "smscli auth login --url $URL --user demo --password-stdin"
    program = ("sh", "-c", f"echo s3cret | python -m {script}")
    environ |= {
        "URL": intranet.base_url,
        "PATH": f"{Path(__import__('sys').executable).parent}:/bin:/usr/bin",
    }
    with OnTerminal(environ=environ, program=program, columns=400) as seen:
        assert seen.ended() == 1
    assert [dict(one.headers).get("authorization") for one in intranet.requests] == [None]
    assert json.dumps([one.target for one in intranet.requests]) == '["/api/v2/me"]'


@pytest.mark.parametrize(
    ("location", "status"),
    [("https://sso.example/login", 302), ("https://127.0.0.1/api/v2/me", 301), (None, 304)],
)
@pytest.mark.parametrize("option", ["--password-stdin", "--token-stdin"])
def test_what_only_redirects_gets_no_secret(
    environ: Environ, option: str, location: str | None, status: int
) -> None:
    headers = {"Location": location} if location else {}
    with WireServer(in_turn(answer(b"", status, headers))) as server:
        program = (
            "sh",
            "-c",
            f"echo s3cret | {sys.executable} -m smscli auth login --url $URL --user demo {option}",
        )
        with OnTerminal(environ=environ | {"URL": server.base_url}, program=program, columns=160) as seen:
            assert seen.ended() == 1
        assert [dict(one.headers).get("authorization") for one in server.requests] == [None]
    assert saved(environ) is None


def test_a_secret_option_on_a_terminal_asks_without_echo(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--cookie-stdin") as seen:
        seen.reply("server URL: ", server.url)
        seen.reply("cookie at 127.0.0.1: ", "JSESSIONID=c1")
        assert seen.ended() == 0
        assert not [line for line in lines(seen) if "c1" in line]


def test_a_mistyped_secret_is_asked_for_again(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--url", server.url, "--cookie-stdin") as seen:
        seen.reply("cookie at 127.0.0.1: ", "c1")
        seen.until("error: the cookie is not of the form NAME=VALUE")
        seen.reply("cookie at 127.0.0.1: ", "JSESSIONID=c1")
        assert seen.ended() == 0
    with Login(environ, "--url", server.url, "--user", "demo") as seen:
        seen.reply("password of demo at 127.0.0.1: ", "")
        seen.until("error: the password is empty")
        seen.reply("password of demo at 127.0.0.1: ", "demo")
        assert seen.ended() == 0


def test_a_wrong_user_is_told_before_the_password(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--url", server.url, "--user", "a:b") as seen:
        assert seen.ended() == 4
        assert not [line for line in lines(seen) if line.startswith("password")]


@pytest.mark.skipif(sys.platform == "darwin", reason="its terminals cut lines sooner")
def test_a_secret_that_the_terminal_cuts_is_told_as_that(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--url", server.url, "--cookie-stdin") as seen:
        seen.reply("cookie at 127.0.0.1: ", "a=" + "x" * 5000)
        seen.until("error: the cookie was cut by the terminal, at 4095 characters")
        seen.until("hint: write it to a file, and use --cookie-stdin < FILE")


def test_enter_alone_is_asked_again(environ: Environ, server: FakeServer) -> None:
    with Login(environ) as seen:
        seen.reply("server URL: ", "")
        seen.reply("server URL: ", "ftp://x")
        seen.reply("server URL: ", "")
        assert seen.ended() == 1


def test_a_command_prints_the_cookie_of_single_sign_on(environ: Environ, server: FakeServer) -> None:
    server.options.sso_url, server.options.sso_for = "https://idp.example/saml", "unauthenticated"
    with Login(environ, "--url", server.url, "--password-command", "echo JSESSIONID=c1") as seen:
        assert seen.ended() == 0
    with Login(environ, "--url", server.url, "--password-command", "echo JSESSIONID=c2") as seen:
        assert seen.ended() == 4
        assert "used the cookie from --password-command" in " ".join(lines(seen))


def test_a_cookie_belongs_to_no_saved_user(environ: Environ, server: FakeServer) -> None:
    with Login(environ, "--url", server.url, "--user", "sample") as seen:
        seen.reply("password of sample at 127.0.0.1: ", "demo")
        assert seen.ended() == 0
    with Login(environ, "--cookie-stdin") as seen:
        seen.reply("cookie at 127.0.0.1: ", "JSESSIONID=c1")
        assert seen.ended() == 0
    profile = {"url": f"{server.url}/api/v2", "auth": "cookie"}
    assert saved(environ) == {"default": "default", "profiles": {"default": profile}}
