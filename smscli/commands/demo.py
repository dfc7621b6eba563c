"""`smscli demo`: run the built-in demo server in the foreground."""

import time

from smscli.commands.options import PortOption
from smscli.context import AppContext
from smscli.errors import LocalError
from smscli.output.console import with_variable

# On Windows no signal interrupts a wait.
_WAIT_SECONDS = 0.2


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
    app.on_close(server.close)
    command = f"smscli --url {server.url} --user {server.user} tail --all"
    lines = with_variable("SMSCLI_PASSWORD", server.password, command)
    app.terminal.write(
        f"demo server at {server.url}; Ctrl-C ends it\nin another terminal:\n"
        + "".join(f"  {line}\n" for line in lines)
    )
    app.terminal.flush()
    while True:
        time.sleep(_WAIT_SECONDS)
