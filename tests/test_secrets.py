"""Where secrets must not go: to another origin, into anything printed or kept, and unsaid over plain HTTP."""

import json

import pytest

from smscli.context import AppContext
from smscli.terminal import Terminal
from tests.conftest import Smscli
from tests.wire_server import WireServer, answer, in_turn

EMPTY_LIST = answer({"statusCode": 0, "smsessions": []})
EMPTY = "no live SMS sessions for maja at gws.example; the server shows a user's own sessions only"
EXPOSED = "no TLS to gws.example: others on the way can read secret and messages"


# --- without TLS ---


def plain(proxy: WireServer, **environ: str) -> dict[str, str]:
    """A server somewhere else, which only this machine's proxy leads to."""
    through = f"http://localhost:{proxy.port}"
    signed_in = {"SMSCLI_USERNAME": "maja", "SMSCLI_PASSWORD": "hunter2"}
    return {"SMSCLI_URL": "http://gws.example", "HTTP_PROXY": through, **signed_in, **environ}


def test_plain_http_to_another_machine_is_told(smscli: Smscli) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as proxy:
        outcome = smscli("list", **plain(proxy))
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"{EXPOSED}\n{EMPTY}\n")
    assert [one.target for one in proxy.requests] == ["http://gws.example/api/v2/me/smsessions?fields=*"]


def test_a_script_is_told_in_an_object(smscli: Smscli) -> None:
    with WireServer(in_turn(EMPTY_LIST)) as proxy:
        outcome = smscli("list", "--json", **plain(proxy))
    assert (outcome.code, outcome.out) == (0, "[]\n")
    assert [json.loads(line)["notice"] for line in outcome.err.splitlines()] == [
        {"kind": "insecure", "sessionId": None, "message": EXPOSED},
        {"kind": "whose", "sessionId": None, "message": EMPTY},
    ]


def test_it_is_told_once_a_run(home: dict[str, str]) -> None:
    terminal = Terminal.for_test(tty=False)
    with WireServer(in_turn(EMPTY_LIST)) as proxy:
        app = AppContext({**home, **plain(proxy)}, machine=False, terminal=terminal)
        for _ in range(2):
            app.connect().sessions()
        app.close()
    assert (len(proxy.requests), terminal.err_text) == (2, f"{EXPOSED}\n")


@pytest.mark.parametrize("url", ["http://[::1]:1", "https://x.invalid"])
def test_neither_this_machine_nor_tls_is_told_of(smscli: Smscli, url: str) -> None:
    outcome = smscli("list", SMSCLI_URL=url, SMSCLI_USERNAME="maja", SMSCLI_PASSWORD="hunter2")
    assert (outcome.code, len(outcome.err.splitlines())) == (3, 1)
    assert outcome.err.startswith("error: ")
