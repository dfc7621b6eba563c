"""Whole commands over TLS: trusted and refused certificates, and that nothing turns verification off."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from smscli.gws.tls import tls_context
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Outcome, Smscli, running
from tests.support.on_terminal import OnTerminal
from tests.support.profiles import north_server, profiles
from tests.support.tls_front import TlsFront

Environ = dict[str, str]

ID = "0000Na9B26EF0001"
SIGNED_IN = {"SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
UNKNOWN = "unable to get local issuer certificate"
AUTHORITY = "if it was issued by your own CA, name that: --ca-bundle FILE"
CLOCK = "is this machine's clock right? if it is, the server needs a new certificate"
READS = [["list"], ["show", ID], ["messages", ID], ["tail", ID], ["doctor"], ["auth", "status"]]
DAY = timedelta(days=1)
LONG_AGO, NOW = datetime(2001, 1, 1, tzinfo=UTC), datetime.now(UTC)


@pytest.fixture(scope="module")
def ours() -> trustme.CA:
    return trustme.CA(organization_name="Ours")


@pytest.fixture(scope="module")
def theirs() -> trustme.CA:
    return trustme.CA(organization_name="Theirs")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server whose only session has ended, so that `tail` ends by itself."""
    with FakeServer(Options(scene="empty")) as server:
        server.store.add_session(ID, state="Completed", customer="Mika", agents=("Robin",))
        server.store.say(ID, "is anybody there?", by="Mika")
        yield server


def serving(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


@pytest.fixture
def front(server: FakeServer, ours: trustme.CA) -> Iterator[TlsFront]:
    with TlsFront(server, serving(ours.issue_cert("localhost"))) as front:
        yield front


def written(blobs: list[trustme.Blob], path: Path) -> str:
    path.write_bytes(b"".join(blob.bytes() for blob in blobs))
    return str(path)


@pytest.fixture
def bundle(ours: trustme.CA, tmp_path: Path) -> str:
    return written([ours.cert_pem], tmp_path / "ours.pem")


def at(front: TlsFront) -> Environ:
    return {**SIGNED_IN, "SMSCLI_URL": front.url}


def refused(front: TlsFront, why: str, hint: str = AUTHORITY) -> str:
    return f"error: the certificate of localhost:{front.port} is not trusted: {why}\nhint: {hint}\n"


# --- the server's certificate ---


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_each_command_accepts_a_ca_bundle(
    smscli: Smscli, front: TlsFront, bundle: str, arguments: list[str]
) -> None:
    outcome = smscli(*arguments, "--ca-bundle", bundle, **at(front))
    assert (outcome.code, front.refusals) == (0, []), outcome.err
    assert outcome.out


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_each_command_refuses_an_unknown_ca_after_one_connection(
    smscli: Smscli, server: FakeServer, front: TlsFront, arguments: list[str]
) -> None:
    outcome = smscli(*arguments, **at(front))
    assert (outcome.code, outcome.err) == (3, refused(front, UNKNOWN))
    assert (front.connections, list(server.requests)) == (1, [])


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_a_server_without_tls_is_told_at_once(smscli: Smscli, arguments: list[str]) -> None:
    # As servers answer that read whole lines only after a glance at the first bytes.
    with one_answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as place:
        outcome = smscli(*arguments, **SIGNED_IN, SMSCLI_URL=f"https://{place}")
    told = f"error: {place} answers without TLS\nhint: is it http:// in place of https://?\n"
    assert (outcome.code, outcome.err) == (3, told)


def test_a_server_that_waits_for_the_rest_of_the_greeting_is_asked_once(smscli: Smscli) -> None:
    with one_answer(None) as place:
        outcome = smscli("list", "--timeout", "0.5", **SIGNED_IN, SMSCLI_URL=f"https://{place}")
    told = f"error: {place} did not answer in TLS in time\n"
    hint = "hint: is it http:// in place of https://? else wait longer: --timeout SECONDS\n"
    assert (outcome.code, outcome.err) == (3, told + hint)


def test_a_server_that_expects_tls_is_told(smscli: Smscli) -> None:
    # The alert `unexpected message` of TLS 1.2.
    with one_answer(b"\x15\x03\x03\x00\x02\x02\x0a") as place:
        outcome = smscli("list", **SIGNED_IN, SMSCLI_URL=f"http://{place}")
    told = f"error: {place} answers in TLS\nhint: is it https:// in place of http://?\n"
    assert (outcome.code, outcome.err) == (3, told)


@pytest.mark.parametrize(
    "said",
    [
        "<center>The plain HTTP request was sent to HTTPS port</center>",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
        "Bad Request\nThis combination of host and port requires TLS.",
        "Client sent an HTTP request to an HTTPS server.",
    ],
    ids=["nginx", "Apache", "Tomcat", "Go"],
)
def test_a_server_that_says_it_expects_tls_is_told(smscli: Smscli, said: str) -> None:
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(said)}\r\n\r\n"
    with one_answer((head + said).encode()) as place:
        outcome = smscli("list", **SIGNED_IN, SMSCLI_URL=f"http://{place}")
    told = f"error: the server answers: bad request (HTTP 400), at http://{place}/api/v2/me/smsessions\n"
    assert (outcome.code, outcome.err) == (1, f"{told}hint: is it https:// in place of http://?\n")


class PlainContext(ssl.SSLContext):
    """Of a server without TLS, which sends `answer` to the greeting, and waits for the rest of a request."""

    answer = b""

    def wrap_socket(self, sock: socket.socket, *args: object, **kwargs: object) -> ssl.SSLSocket:
        sock.recv(65536)
        sock.sendall(self.answer)
        while sock.recv(65536):
            pass
        raise OSError


@pytest.mark.parametrize(
    ("answer", "told", "hint"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers without TLS", ""),
        (b"", "did not answer in TLS in time", " else wait longer: --timeout SECONDS"),
    ],
    ids=["answers", "waits"],
)
def test_a_server_without_tls_is_told_through_a_proxy(
    smscli: Smscli, server: FakeServer, answer: bytes, told: str, hint: str
) -> None:
    context = PlainContext(ssl.PROTOCOL_TLS_SERVER)
    context.answer = answer
    with TlsFront(server, context, tunnel=True) as proxy:
        environ = {"SMSCLI_URL": "https://gws.example", "HTTPS_PROXY": f"http://localhost:{proxy.port}"}
        outcome = smscli("list", "--timeout", "1", **SIGNED_IN, **environ)
    assert (outcome.code, outcome.err, proxy.connections) == (
        3,
        f"error: gws.example {told}\nhint: is it http:// in place of https://?{hint}\n",
        1,
    )


@pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])
def test_doctor_tells_a_server_without_tls(smscli: Smscli, tty: bool) -> None:
    with one_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as place:
        outcome = smscli("doctor", tty=tty, color="never", **SIGNED_IN, SMSCLI_URL=f"https://{place}")
    unchecked = ["sign-in", "features", "services", "sessions", "messages", "push"]
    if tty:
        out = (
            f"ok    configuration  no profile, https://{place}/api/v2\n"
            "ok    secret         the password of demo, from: environment\n"
            "ok    proxy          none, as always on this machine\n"
            f"fail  name and TLS   {place} answers without TLS\n"
            "                     hint: is it http:// in place of https://?\n"
        ) + "".join(f"skip  {name:13}  not checked: name and TLS failed\n" for name in unchecked)
    else:
        out = (
            f"configuration\tok\tno profile, https://{place}/api/v2\t\n"
            "secret\tok\tthe password of demo, from: environment\t\n"
            "proxy\tok\tnone, as always on this machine\t\n"
            f"name and TLS\tfail\t{place} answers without TLS\tis it http:// in place of https://?\n"
        ) + "".join(f"{name}\tskip\tnot checked: name and TLS failed\t\n" for name in unchecked)
    told = f"error: {place} answers without TLS\nhint: is it http:// in place of https://?\n"
    assert outcome == Outcome(3, out, told)


@contextmanager
def one_answer(answer: bytes | None) -> Iterator[str]:
    """A server that sends these bytes to each connection and closes it; with None it waits. A refused command
    may try more than once only where another answer could follow."""

    def serve() -> None:
        while True:
            connection = listener.accept()[0]
            accepted.append(connection)
            connection.recv(65536)
            if answer is not None:
                connection.sendall(answer)
                connection.close()

    def until_closed() -> None:
        with suppress(OSError):
            serve()

    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=until_closed, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    for connection in accepted:
        connection.close()
    assert len(accepted) == 1


def test_json_errors_name_host_and_reason(smscli: Smscli, front: TlsFront) -> None:
    error = json.loads(smscli("list", "--json", **at(front)).err)["error"]
    assert (error["kind"], error["exitCode"]) == ("unreachable", 3)
    assert error["message"] == f"the certificate of localhost:{front.port} is not trusted: {UNKNOWN}"


@pytest.mark.parametrize(
    ("name", "begins", "ends", "why", "hint"),
    [
        ("localhost", LONG_AGO, LONG_AGO + DAY, "certificate has expired", CLOCK),
        ("localhost", NOW + 2 * DAY, NOW + 3 * DAY, "certificate is not yet valid", CLOCK),
        (
            "gws.example",
            NOW - DAY,
            NOW + DAY,
            "Hostname mismatch, certificate is not valid for 'localhost'",
            "is the name in the URL the one that the certificate is for?",
        ),
    ],
)
def test_a_trusted_ca_is_not_enough(
    smscli: Smscli,
    front: TlsFront,
    ours: trustme.CA,
    bundle: str,
    name: str,
    begins: datetime,
    ends: datetime,
    why: str,
    hint: str,
) -> None:
    front.context = serving(ours.issue_cert(name, not_before=begins, not_after=ends))
    outcome = smscli("list", "--ca-bundle", bundle, **at(front))
    assert (outcome.code, outcome.out, outcome.err) == (3, "", refused(front, why, hint))
    assert front.connections == 1


def test_a_tls_error_through_a_proxy_names_the_server(
    smscli: Smscli, server: FakeServer, ours: trustme.CA, bundle: str
) -> None:
    with TlsFront(server, serving(ours.issue_cert("gws.example")), tunnel=True) as proxy:
        environ = {
            **SIGNED_IN,
            "SMSCLI_URL": "https://gws.example",
            "HTTPS_PROXY": f"http://localhost:{proxy.port}",
        }
        good = smscli("list", "--ca-bundle", bundle, **environ)
        bad = smscli("list", **environ)
    assert (good.code, good.err) == (0, "")
    assert (bad.code, proxy.connections) == (3, 2)
    assert bad.err == f"error: the certificate of gws.example is not trusted: {UNKNOWN}\nhint: {AUTHORITY}\n"


@pytest.mark.slow
def test_a_refused_certificate_ends_tail(
    front: TlsFront, server: FakeServer, theirs: trustme.CA, bundle: str, home: Environ
) -> None:
    server.store.add_session("s2", customer="Noor", agents=())
    server.store.say("s2", "hello", by="Noor")
    environ = {**home, **at(front), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "smscli", "tail", "s2", "--ca-bundle", bundle, "--interval", "0.2"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True) as child:
        try:
            assert child.stdout
            assert "hello" in child.stdout.readline()
            front.context = serving(theirs.issue_cert("localhost"))
            front.cut()
            _, told = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (child.returncode, told.splitlines()[-2:]) == (3, refused(front, UNKNOWN).splitlines())


@pytest.mark.slow
def test_tail_outlasts_a_server_that_answers_no_handshake(
    front: TlsFront, server: FakeServer, bundle: str, home: Environ
) -> None:
    server.store.add_session("s2", customer="Noor", agents=())
    server.store.say("s2", "hello", by="Noor")
    environ = {**home, **at(front), "PATH": os.environ["PATH"], "SMSCLI_TIMEOUT": "2"}
    usual = front.context
    with running(environ, "tail", "s2", "--ca-bundle", bundle, "--interval", "0.2") as child:
        assert child.stdout
        assert child.stderr
        assert "hello" in child.stdout.readline()
        front.context = PlainContext(ssl.PROTOCOL_TLS_SERVER)
        front.cut()
        assert any("connection lost" in line for line in child.stderr)
        front.context = usual
        server.store.say("s2", "still there?", by="Noor")
        assert "still there?" in child.stdout.readline()


@pytest.mark.slow
def test_servers_that_hang_in_the_handshake_delay_no_other_profile(
    profile_home: dict[str, str], bundle: str, ours: trustme.CA
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        north_server() as server,
        TlsFront(server, serving(ours.issue_cert("localhost"))) as front,
    ):
        hung = f"https://localhost:{silent.getsockname()[1]}"
        saved = {f"a{number}": (hung, "ann") for number in range(8)}
        profiles(profile_home, f'ca_bundle = "{bundle}"\n', **saved, north=(front.url, "ann"))
        with running(profile_home, "tail", "--all", "-p", "*", "--json") as child:
            assert child.stdout
            begun = time.monotonic()
            assert "hello" in child.stdout.readline()
            assert time.monotonic() - begun < 4.0
            child.send_signal(signal.SIGTERM)
            assert child.wait(5) == 143


def test_the_system_store_is_used_together_with_the_bundle(
    front: TlsFront, theirs: trustme.CA, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For OpenSSL the system store is the file SSL_CERT_FILE and the folder SSL_CERT_DIR."""
    monkeypatch.setenv("SSL_CERT_FILE", written([theirs.cert_pem], tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    context = tls_context(bundle)
    with socket.create_connection(("127.0.0.1", front.port)) as line:
        context.wrap_socket(line, server_hostname="localhost").close()
    loaded = [dict(pair[0] for pair in one["subject"]) for one in context.get_ca_certs()]
    assert sorted(one["organizationName"] for one in loaded) == ["Ours", "Theirs"]


# --- the client's certificate ---


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def demanding(request: pytest.FixtureRequest, front: TlsFront, ours: trustme.CA) -> TlsFront:
    """A TLS front that requires a client certificate."""
    ours.configure_trust(front.context)
    front.context.verify_mode = ssl.CERT_REQUIRED
    front.context.minimum_version = front.context.maximum_version = request.param
    return front


def own_certificate(authority: trustme.CA, path: Path) -> str:
    return written([authority.issue_cert("agent@gws.example").private_key_and_cert_chain_pem], path)


@pytest.mark.slow
def test_a_client_certificate_is_shown_to_a_server_that_demands_one(
    smscli: Smscli, demanding: TlsFront, ours: trustme.CA, bundle: str, tmp_path: Path
) -> None:
    own = own_certificate(ours, tmp_path / "own.pem")
    for arguments in READS:
        outcome = smscli(*arguments, "--ca-bundle", bundle, "--client-cert", own, **at(demanding))
        assert (outcome.code, demanding.refusals) == (0, []), outcome.err


def without(smscli: Smscli, front: TlsFront, bundle: str, *more: str) -> Outcome:
    """A refused read is reported in one line and not retried."""
    outcome = smscli("list", "--ca-bundle", bundle, *more, **at(front))
    assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (3, "", 1)
    assert outcome.err.startswith(f"error: no TLS connection to localhost:{front.port}: ")
    assert front.connections == 1
    return outcome


def test_a_missing_client_certificate_is_one_line(smscli: Smscli, demanding: TlsFront, bundle: str) -> None:
    assert "alert" in without(smscli, demanding, bundle).err
    assert demanding.refusals == ["PEER_DID_NOT_RETURN_A_CERTIFICATE"]


def test_an_unknown_client_certificate_is_one_line(
    smscli: Smscli, demanding: TlsFront, theirs: trustme.CA, bundle: str, tmp_path: Path
) -> None:
    own = own_certificate(theirs, tmp_path / "own.pem")
    assert "alert" in without(smscli, demanding, bundle, "--client-cert", own).err


def encrypted(leaf: trustme.LeafCert, path: Path) -> str:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    path.write_bytes(locked + leaf.cert_chain_pems[0].bytes())
    return str(path)


def test_an_encrypted_key_is_an_error_without_a_prompt(
    front: TlsFront, ours: trustme.CA, tmp_path: Path, home: Environ
) -> None:
    """On a terminal OpenSSL itself would prompt."""
    own = encrypted(ours.issue_cert("agent@gws.example"), tmp_path / "own.pem")
    environ = {**home, **at(front), "PATH": os.environ["PATH"]}
    with OnTerminal("list", "--client-cert", own, environ=environ) as seen:
        assert seen.ended() == 1
        assert [line for line in seen.screen if line] == [
            "error: the key in the client certificate's file is encrypted",
            "hint: decrypt it first: openssl pkey -in FILE -out FILE",
        ]
    assert front.connections == 0


def test_a_key_of_another_certificate_is_an_error(
    smscli: Smscli, front: TlsFront, ours: trustme.CA, theirs: trustme.CA, tmp_path: Path
) -> None:
    one, other = ours.issue_cert("a@gws.example"), theirs.issue_cert("b@gws.example")
    own = written([one.private_key_pem, *other.cert_chain_pems], tmp_path / "own.pem")
    outcome = smscli("list", "--client-cert", own, **at(front))
    assert (outcome.code, outcome.err) == (
        1,
        f"error: the client certificate {own} is not a PEM file of that kind\n",
    )
    assert front.connections == 0


# --- no way around it ---

SWITCHES = {
    "PYTHONHTTPSVERIFY": "0",
    "SMSCLI_INSECURE": "1",
    "SMSCLI_VERIFY": "0",
    "SMSCLI_TLS_VERIFY": "0",
    "GIT_SSL_NO_VERIFY": "1",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
}


def in_a_process(environ: Environ, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "smscli", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.slow
def test_no_variable_turns_verification_off(home: Environ, front: TlsFront, bundle: str) -> None:
    """Nor do variables that other programs take their CAs from."""
    others = {"REQUESTS_CA_BUNDLE": bundle, "CURL_CA_BUNDLE": bundle, "PIP_CERT": bundle}
    environ = {**home, **at(front), **SWITCHES, **others, "PATH": os.environ["PATH"]}
    assert in_a_process(environ, "list") == (3, refused(front, UNKNOWN))


def test_no_key_of_a_profile_turns_verification_off(smscli: Smscli, home: Environ, front: TlsFront) -> None:
    config = Path(home["HOME"], ".config", "smscli", "config.toml")
    config.parent.mkdir(parents=True)
    keys = ["verify = false", "insecure = true", "tls_verify = false", "ssl_verify = false"]
    config.write_text("\n".join(["[profiles.default]", f'url = "{front.url}"', 'user = "demo"', *keys]))
    outcome = smscli("list", SMSCLI_PASSWORD="demo")
    unknown = "unknown keys in profile default: verify, insecure, tls_verify, ssl_verify\n"
    assert (outcome.code, outcome.err) == (3, unknown + refused(front, UNKNOWN))


@pytest.mark.parametrize(
    "option", ["--insecure", "-k", "--no-verify", "--verify=no", "--no-check-certificate"]
)
def test_no_option_turns_verification_off(smscli: Smscli, front: TlsFront, option: str) -> None:
    outcome = smscli("list", option, **at(front))
    assert (outcome.code, front.connections) == (2, 0)
    assert outcome.err.startswith("error: no such option")


def test_a_redirect_to_tls_is_not_followed(smscli: Smscli, server: FakeServer, front: TlsFront) -> None:
    server.fail_next(f"redirect:{front.url}/api/v2/me/smsessions")
    outcome = smscli("list", server=server)
    assert (outcome.code, front.connections) == (1, 0)
