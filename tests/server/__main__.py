"""Runs the test server: `python -m tests.server --scene bulk`.

Its switches are the options. It first prints a line of JSON, {"url", "sessions": [id]}, then answers each
command on standard input (see `tests.server.control`) with a line of JSON. It ends with standard input, or
when it is interrupted or terminated.
"""

import json
import signal
import ssl
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.server.command_line import parse
from tests.server.control import ControlledServer
from tests.support.tls_front import TlsFront


def main(commands: Iterable[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    with ControlledServer(parse()) as server, _reached(server) as url:
        sessions = [session.id for session in server.listed]
        print(json.dumps({"url": url, "sessions": sessions}), flush=True)
        for command in commands:
            print(json.dumps(server.obey(command)), flush=True)


@contextmanager
def _reached(server: ControlledServer) -> Iterator[str]:
    """The URL of the server, that of its TLS front if it has a certificate."""
    if not server.options.certificate:
        yield server.url
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.options.certificate)
    with TlsFront(server, context) as front:
        yield front.url


def _exit(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main(sys.stdin)
