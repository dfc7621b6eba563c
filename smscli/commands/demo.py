"""`smscli demo`: run the built-in demo server in the foreground."""

import threading

from smscli.commands.options import PortOption
from smscli.context import AppContext
from smscli.errors import LocalError


def demo(app: AppContext, port: PortOption = 8090) -> None:
    """Run the built-in demo server and print how to reach it."""
    from smscli.demo.server import DemoServer

    try:
        server = DemoServer(port)
        server.start()
    except OSError as error:
        raise LocalError(
            f"the demo server can't listen on port {port}: {error.strerror}",
            hint="choose another port with --port N",
        ) from error
    try:
        app.terminal.write(
            f"demo server at {server.url}; Ctrl-C ends it\n"
            f"in another terminal:\n"
            f"  SMSCLI_PASSWORD={server.password} smscli --url {server.url} --user {server.user} tail --all\n"
        )
        app.terminal.flush()
        threading.Event().wait()
    finally:
        server.close()
