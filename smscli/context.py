"""What a command works with, each made when first asked for: settings, terminal, the client and, for
`--demo`, the server inside this process; and how a notice or an error is told."""

import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from smscli.errors import NotConfigured, SmscliError
from smscli.output.terminal import Terminal
from smscli.sanitize import clean
from smscli.settings.config import Config, Given, Settings, is_demo, resolve

if TYPE_CHECKING:
    from smscli.demo.server import DemoServer
    from smscli.gws.client import GwsClient
    from smscli.gws.push import Push
    from smscli.model import Reads
    from smscli.settings.credentials import Credential, Store
    from smscli.settings.server_cache import Learned, State


class AppContext:
    """Everything one run of one command shares. `machine`: stderr speaks JSON objects, for a script."""

    def __init__(
        self, environ: Mapping[str, str], *, machine: bool, terminal: Terminal | None = None
    ) -> None:
        self.environ = environ
        self.machine = machine
        self.clock: Callable[[], float] = time.monotonic
        self.given = Given()
        self._new_profile = False
        self._is_warned = False
        self._closing = ExitStack()
        self._closing.callback(lambda: self.terminal.close())
        if terminal is not None:
            self.__dict__["terminal"] = terminal

    def take(self, given: Given) -> None:
        """Add what options said; what comes later on the command line wins."""
        said = {name: value for name, value in given._asdict().items() if value is not None}
        self.given = self.given._replace(**said)
        self.__dict__.pop("settings", None)
        if self.given.color:
            self.terminal.color = self.given.color

    def begin_login(self) -> None:
        """From now on the profile may be one that is not saved yet."""
        self._new_profile = True
        self.__dict__.pop("settings", None)

    @cached_property
    def config(self) -> Config:
        return Config.load(self.environ)

    @cached_property
    def settings(self) -> Settings:
        if is_demo(self.given, self.environ):
            return resolve(self.given, self.environ, Config.none(self.environ))
        return resolve(self.given, self.environ, self.config, new_profile=self._new_profile)

    @cached_property
    def terminal(self) -> Terminal:
        return Terminal.of_process(self.environ, json=self.machine)

    @cached_property
    def server(self) -> "DemoServer":
        """The demo server inside this process, started."""
        from smscli.demo.server import DemoServer

        server = DemoServer()
        server.start()
        self.at_close(server.close)
        return server

    @property
    def base_url(self) -> str:
        """The server's address up to and with `/api/v2`."""
        if self.settings.demo:
            return f"{self.server.url}/api/v2"
        if self.settings.base_url is None:
            raise NotConfigured(
                "no server is configured",
                hint="sign in with `smscli auth login`, or try `smscli --demo list`",
            )
        return self.settings.base_url

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @cached_property
    def store(self) -> "Store":
        """The system's keyring."""
        from smscli.settings.credentials import Store

        on_terminal = self.terminal.err_tty
        return Store(on_terminal=on_terminal, notice=lambda message: self.notice("keyring", message))

    def credential(self) -> "Credential":
        """The secret for this server and user, read from its source at each call."""
        from smscli.settings.credentials import Credential, find

        if self.settings.demo:
            user = self.settings.user or self.server.user
            return Credential(user, "basic", self.server.password, "demo")
        _ = self.base_url  # says so where nothing is configured, before any keyring is asked
        return find(self.settings, self.store)

    @cached_property
    def signed_in(self) -> "Credential":
        return self.credential()

    @property
    def user(self) -> str:
        """Whose sessions these are, as far as is known without asking the server."""
        return self.signed_in.user or self.settings.profile or "the token's user"

    @cached_property
    def state(self) -> "State":
        """What earlier runs have learned of servers."""
        from smscli.settings.server_cache import State

        return State.load(self.environ, self.debug if self.settings.debug else lambda line: None)

    @property
    def learned(self) -> "Learned":
        """What is known of this server."""
        from smscli.settings.server_cache import Learned

        return self.state.of(self.settings.origin) if self.settings.origin else Learned()

    def learn(self, *, spelling: str | None = None, trusted: bool | None = None) -> None:
        """Keep for later runs what this server turned out to be; the demo server is new each time."""
        if self.settings.origin:
            self.state.learn(self.settings.origin, spelling=spelling, trusted=trusted)

    def connect(self, credential: "Credential | None" = None) -> "GwsClient":
        """A client that signs in with `credential`, else with what is found, and found again when it signs in
        anew."""
        from smscli.gws.client import GwsClient, Server

        settings = self.settings
        server = Server(self.base_url, settings.timeout, settings.ca_bundle, settings.client_cert)
        known = [credential or self.signed_in]
        client = GwsClient(
            server,
            lambda: (known.pop() if known else credential or self.credential()).header(),
            spelling=self.learned.spelling,
            learn=lambda spelling: self.learn(spelling=spelling),
            debug=self.debug if settings.debug else None,
            environ=self.environ,
        )
        self.at_close(client.close)
        if client.transport.is_exposed:
            self._warn_of_exposure(client.host)
        return client

    def _warn_of_exposure(self, host: str) -> None:
        if not self._is_warned:
            self._is_warned = True
            self.notice("insecure", f"no TLS to {host}: others on the way can read secret and messages")

    @cached_property
    def client(self) -> "GwsClient":
        return self.connect()

    @cached_property
    def push(self) -> "Push":
        """The server's wake-ups, listened to from the first time this is asked for."""
        from smscli.gws.push import Push

        push = Push(self.client.transport, debug=self.debug if self.settings.debug else None)
        self.at_close(push.close)
        push.start()
        return push

    @property
    def server_time(self) -> datetime | None:
        """The server's clock at its last answer; None where it was not asked, or told none."""
        client: GwsClient | None = self.__dict__.get("client")
        return client.now if client else None

    def reads(self, redact: bool) -> "Reads":
        """The client's reads, masked before anybody sees them where asked for."""
        if not redact:
            return self.client
        from smscli.transcript.redact import Masked

        return Masked(self.client)

    def tell(self, text: str) -> None:
        """Tell a person something in one line, whoever wrote what is in it."""
        self.terminal.say(clean(text))

    def debug(self, line: str) -> None:
        """Tell one of `--debug`'s lines."""
        self.notice("debug", line if self.machine else f"debug: {line}")

    def notice(self, kind: str, message: str, session_id: str | None = None) -> None:
        """Tell a person, or a script, something about the run; `kind` is one of the notice kinds."""
        said = {"kind": kind, "sessionId": session_id, "message": message}
        if self.machine:
            self.terminal.say(self._object("notice", said))
        else:
            self.tell(message)

    def report(self, error: SmscliError, cause: Exception) -> int:
        """Tell an error and its next step; the exit code."""
        if error.kind == "internal" and (self.given.debug or self._sets(lambda settings: settings.debug)):
            for line in "".join(traceback.format_exception(cause)).splitlines():
                self.debug(line)
        if self.machine:
            self.terminal.say(self._object("error", _fields(error)))
            return error.exit_code
        self.tell(f"error: {error.message}")
        if error.hint:
            self.tell(f"hint: {self._hint(error.hint)}")
        return error.exit_code

    def _hint(self, hint: str) -> str:
        """The next step, where the demo server was asked at that server."""
        reading = ("list", "show", "messages", "tail", "doctor")
        if self._sets(lambda settings: settings.demo):
            for verb in reading:
                hint = hint.replace(f"`smscli {verb}", f"`smscli --demo {verb}")
        return hint

    def _sets(self, read: Callable[[Settings], bool]) -> bool:
        """What the settings say, where they can be found out at all."""
        try:
            return read(self.settings)
        except Exception:
            # This is asked while an error is told, which may be just that they can't be found out.
            return False

    def _object(self, key: str, value: object) -> str:
        from smscli.records import json_text

        return json_text({key: value})

    def at_close(self, end: Callable[[], None]) -> None:
        """Have `end` called when the command is over, however it ends; the last one first."""
        self._closing.callback(end)

    def close(self) -> None:
        """End what was started, the last first, and leave the terminal in order, whatever fails or is
        interrupted on the way."""
        self._closing.close()


def _fields(error: SmscliError) -> dict[str, object]:
    return {
        "kind": error.kind,
        "exitCode": error.exit_code,
        "message": error.message,
        "hint": error.hint,
        "httpStatus": error.http_status,
        "statusCode": error.status_code,
    }
