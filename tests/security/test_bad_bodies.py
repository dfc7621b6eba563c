"""Endless and malformed responses, through whole commands: refused soon, in bounded memory, with one line
of error and the option that helps."""

import gzip
import json
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

from smscli.errors import ResponseTooLarge
from smscli.gws import http
from smscli.gws.http import BODY_LIMIT, Server, Transport
from tests.support.command import Smscli
from tests.support.wire_server import Line, Reply, Request, WireServer, answer, drip, in_turn, whole

pytestmark = pytest.mark.usefixtures("quick_retries")

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PACKED = OK + b"Content-Encoding: gzip\r\n\r\n"


def packed_blocks() -> tuple[bytes, bytes]:
    """16 MiB of blanks as the start of a gzip member, and as a block that can be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    first = packer.compress(b" " * 2**24) + packer.flush(zlib.Z_FULL_FLUSH)
    return first, packer.compress(b" " * 2**24) + packer.flush(zlib.Z_FULL_FLUSH)


START, BLOCK = packed_blocks()


def flood(head: bytes, piece: bytes) -> Reply:
    """Sends a head, then the same piece until the client closes."""

    def say(line: Line) -> None:
        line.send(head)
        while not line.over.is_set():
            line.send(piece)

    return say


def told(reply: Reply, smscli: Smscli, *arguments: str, timeout: str = "10") -> tuple[int, str]:
    """The exit code and stderr, with HOST for the server; checks that it is quick and stdout empty."""
    with WireServer(in_turn(reply)) as server:
        began = time.monotonic()
        done = smscli(
            *arguments,
            SMSCLI_URL=server.base_url,
            SMSCLI_USERNAME="demo",
            SMSCLI_PASSWORD="demo",
            SMSCLI_TIMEOUT=timeout,
        )
        assert time.monotonic() - began < 30
        assert done.out == ""
        return done.code, done.err.replace(f"localhost:{server.port}", "HOST")


# --- too much of it ---

ENDLESS_BODIES = {
    "streamed": flood(OK + b"\r\n", b" " * 65536),
    "chunked": flood(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "a packed bomb": flood(PACKED + START, BLOCK),
    "packed bombs in a row": flood(PACKED, gzip.compress(b" " * 2**24)),
}


@pytest.mark.slow
@pytest.mark.parametrize("reply", ENDLESS_BODIES.values(), ids=ENDLESS_BODIES.keys())
def test_an_endless_body_is_refused_with_the_option_that_helps(reply: Reply, smscli: Smscli) -> None:
    said = "error: the response of HOST is over 64 MiB\n"
    hint = "hint: ask for fewer messages: --count N\n"

    assert told(reply, smscli, "list") == (1, said)
    assert told(reply, smscli, "messages", "0000Na9B26EF") == (1, said + hint)


def test_a_gzip_bomb_takes_little_more_memory_than_the_longest_body() -> None:
    def bomb(line: Line) -> None:
        line.send(PACKED + START + BLOCK * 2)
        # Read by now: the rest is unpacked when much is held already.
        line.over.wait(0.3)
        line.send(BLOCK * 16)

    with WireServer(in_turn(bomb)) as server:
        transport = Transport(
            Server(server.base_url), lambda: ("Authorization", "Bearer t"), {}, clock=time.monotonic
        )
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLarge):
                transport.get("me", {})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            transport.close()
    assert peak < 2.25 * BODY_LIMIT


def many(value: bytes, count: int) -> Reply:
    """A gzip list of `count` equal messages."""
    body = gzip.compress(b'{"messages":[' + b",".join([value] * count) + b"]}")
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    return whole(head + body)


@pytest.mark.slow
@pytest.mark.parametrize(("value", "count"), [(b"{}", 2_100_000), (b"[]", 2_100_000), (b"0,0", 2_100_000)])
def test_too_many_json_values_are_refused(value: bytes, count: int, smscli: Smscli) -> None:
    """8 MiB of empty objects took 845 MiB of memory; compressed they have 9 kB."""
    said = "error: the response of HOST has more than 4,000,000 values\n"
    hint = "hint: ask for fewer messages: --count N\n"
    assert told(many(value, count), smscli, "messages", "0000Na9B26EF") == (1, said + hint)


@pytest.mark.slow
def test_commas_in_texts_are_not_counted(smscli: Smscli) -> None:
    text = b",[{" * 2_000_000
    reply = many(b'{"index":1,"type":"Text","text":"%b\\""}' % text, 1)
    with WireServer(in_turn(reply, answer([]))) as server:
        environ = {"SMSCLI_URL": server.base_url, "SMSCLI_TOKEN": "t"}
        outcome = smscli("messages", "0000Na9B26EF", "--json", "--start-index", "1", **environ)
    assert outcome.code == 0
    assert json.loads(outcome.out)[0]["text"] == f'{text.decode()}"'


UNFINISHED = {
    "a cut text of quotes": b'"' + b'\\"' * 10_000_000,
    "a text of escapes": b'"' + b"\\u00e9," * 5_000_000 + b'"]',
    "many cut texts": b'"\\' * 10_000_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_the_search_for_texts_is_linear(text: bytes, smscli: Smscli) -> None:
    """A backtracking search would need hours here."""
    body = b"[" + b"0," * 4_000_001 + text
    reply = whole(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert told(reply, smscli, "list") == (1, "error: the response of HOST has more than 4,000,000 values\n")


def test_the_longest_transcript_within_the_limit_is_accepted() -> None:
    sender = b'{"nickname":"M","participantId":"0090000000000001","type":"Customer"}'
    shortest = b'{"index":123456,"from":%b,"text":"","visibility":"All","type":"Text",' % sender
    shortest += b'"timestamp":"2026-11-25T13:02:47.000+0000"},'
    body = b'{"messages":[' + shortest * (BODY_LIMIT // len(shortest) - 1)
    assert not http._has_too_many_values(body)


NESTED = {
    "lists": b"[" * 1_000_000,
    "whole lists": b"[" * 1_000_000 + b"]" * 1_000_000,
    "objects": b'{"messages":' * 1_000_000,
    "under a key nobody knows": b'{"messages":[{"index":1,"type":"Text","x":' + b"[" * 1_000_000,
}


@pytest.mark.parametrize("body", NESTED.values(), ids=NESTED.keys())
def test_a_million_nested_values_are_refused(body: bytes, smscli: Smscli) -> None:
    url = "http://HOST/api/v2/me/smsessions/0000Na9B26EF/messages"
    reply = whole(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    code, err = told(reply, smscli, "messages", "0000Na9B26EF")

    assert (code, err) == (1, f"error: the server's response is nested too deeply, at {url}\n")


@pytest.mark.parametrize("body", NESTED.values(), ids=NESTED.keys())
def test_a_recording_with_a_million_nested_values_is_refused(
    body: bytes, smscli: Smscli, tmp_path: Path
) -> None:
    recording = tmp_path / "log.jsonl"
    recording.write_bytes(b'{"sessionId":"S1","type":"Text","index":1,"text":"hello"}\n' + body + b"\n")

    done = smscli("messages", f"@{recording}", "--jsonl")

    assert done.code == 1
    assert json.loads(done.out)["text"] == "hello"
    assert json.loads(done.err)["error"]["message"] == f"line 2 of {recording} is not a message"


NO_HTTP = {
    "a hundred thousand headers": flood(OK, b"X-Flood: y\r\n" * 100_000),
    "a header without end": flood(OK + b"X: ", b"y" * 2**20),
    "a status without end": flood(b"HTTP/1.1 200 ", b"y" * 2**20),
    "a chunk's size without end": flood(CHUNKED + b"1;", b"x" * 2**20),
}


@pytest.mark.parametrize("reply", NO_HTTP.values(), ids=NO_HTTP.keys())
def test_a_flood_of_headers_is_refused(reply: Reply, smscli: Smscli) -> None:
    assert told(reply, smscli, "list") == (1, "error: the response of HOST is not valid HTTP\n")


SLOW = {
    "a head": drip(OK, b"X", 0.02),
    "a first line": drip(b"HTTP/1.1 2", b"0", 0.02),
    "a body": drip(OK + b"\r\n", b" ", 0.02),
    "a trailer": drip(CHUNKED + b"2\r\n[]\r\n0\r\nX: ", b"y", 0.02),
    "chunks of one byte": flood(CHUNKED, b"1\r\n \r\n" * 10_000),
    "long names of short chunks": flood(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\n \r\n"),
    "trailers": flood(CHUNKED + b"2\r\n[]\r\n0\r\n", b"X: y\r\n" * 10_000),
    "promises": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000),
    "packed nothing": flood(PACKED, gzip.compress(b"") * 3_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW.keys())
def test_an_endless_response_times_out(reply: Reply, smscli: Smscli) -> None:
    late = "error: HOST did not send the whole response in time\nhint: wait longer: --timeout SECONDS\n"
    # On a machine that is busy a drop may take longer than it should.
    none = (
        "error: HOST did not answer within 0.2 s\n"
        "hint: is the URL right, and is the server up? some are reached through a VPN only; "
        "wait longer: --timeout SECONDS\n"
    )

    assert told(reply, smscli, "list", timeout="0.2") in ((3, late), (3, none))


# --- CometD ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("news", "said"),
    [
        (b'{"channel":"/x"},' * 1_000_000, "the server does not reply to a handshake"),
        (b'{"channel":"/x"},' * 2_100_000, "the response of HOST has more than 4,000,000 values"),
        (
            b"[" * 1_000_000,
            "the server's response is nested too deeply, at http://HOST/api/v2/notifications",
        ),
        (b'{"channel":"/v2/me/smssession","data":{}},' * 1_600_000, "the response of HOST is over 64 MiB"),
    ],
    ids=["a million messages", "too many messages", "a million lists", "more than there may be"],
)
def test_a_flood_of_notifications_is_no_push(news: bytes, said: str, smscli: Smscli) -> None:
    def choose(request: Request) -> Reply:
        if request.method == "POST":
            return answer(b"[" + news + b'{"channel":"/x"}]')
        return answer({"user": {"userName": "demo"}, "smsessions": [], "services": []})

    with WireServer(choose) as server:
        done = smscli("doctor", SMSCLI_URL=server.base_url, SMSCLI_USERNAME="demo", SMSCLI_PASSWORD="demo")

    push = done.out.replace(f"localhost:{server.port}", "HOST").splitlines()[-1].split("\t")
    told = f"no push, at the handshake or subscription: {said}; no CSRF token is in use"
    assert push[:3] == ["push", "warn", told]
    assert (done.code, done.err) == (0, "")
