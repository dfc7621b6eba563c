"""What a command works with: settings, terminal, client, keyring, demo server, each made on first use."""

import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from smscli.errors import AuthError, NotConfigured, NotPermitted, SmscliError
from smscli.output.terminal import Terminal
from smscli.sanitize import clean
from smscli.settings.config import CliOptions, Config, Settings, profile_names, resolve, uses_demo

if TYPE_CHECKING:
    from smscli.demo.server import DemoServer
    from smscli.gws.client import GwsClient
    from smscli.model import Reads
    from smscli.recordings.reads import SourceReads
    from smscli.settings.credentials import Credential, Keyring
    from smscli.settings.server_cache import ServerCache, ServerInfo


class AppContext:
    """What one run of one command shares. `json_stderr`: notices and errors are JSON objects, one a line."""

    def __init__(
        self, environ: Mapping[str, str], *, json_stderr: bool, terminal: Terminal | None = None
    ) -> None:
        self.environ = environ
        self.json_stderr = json_stderr
        self.clock: Callable[[], float] = time.monotonic
        self.options = CliOptions()
        self.source_words: list[str] = []
        self._open_source: Callable[[], SourceReads] | None = None
        self._time_limit: float | None = None
        self._new_profile_allowed = False
        self._is_warned = False
        self._signing_in: Credential | None = None
        self._next_credential: Credential | None = None
        self._notice_style: Callable[[str, str], str] | None = None
        self._closing = ExitStack()
        self._closing.callback(lambda: self.terminal.close())
        # Whose notices and records these are, where one command reads several profiles, and the context for
        # what concerns all of them.
        self.label: str | None = None
        self.root = self
        if terminal is not None:
            self.__dict__["terminal"] = terminal

    @classmethod
    def for_completion(cls, environ: Mapping[str, str], options: CliOptions, seconds: float) -> "AppContext":
        """For shell completion: prints nothing; password command, keyring and request get `seconds` each."""
        app = cls(environ, json_stderr=False)
        app.options = options
        app._time_limit = seconds
        return app

    def of_profile(self, name: str) -> "AppContext":
        """The context of one of several profiles that a command reads; closed with this one."""
        child = AppContext(self.environ, json_stderr=self.json_stderr, terminal=self.terminal)
        child.options = self.options._replace(profile=name)
        child.label, child.root = name, self
        child.clock = self.clock
        # The terminal is closed once, at the end of the command.
        child._closing = ExitStack()
        self.on_close(child.close)
        return child

    def add_options(self, options: CliOptions) -> None:
        """Merge further options; the later ones on the command line win."""
        given = {name: value for name, value in options._asdict().items() if value is not None}
        self.options = self.options._replace(**given)
        self.__dict__.pop("settings", None)
        if self.options.color:
            self.terminal.color_choice = self.options.color

    def allow_new_profile(self) -> None:
        """From now on the profile may be one that is not saved yet (signing in)."""
        self._new_profile_allowed = True
        self.__dict__.pop("settings", None)

    @cached_property
    def config(self) -> Config:
        return Config.load(self.environ)

    @cached_property
    def settings(self) -> Settings:
        if uses_demo(self.options, self.environ):
            return resolve(self.options, self.environ, Config())
        return resolve(self.options, self.environ, self.config, new_profile=self._new_profile_allowed)

    @cached_property
    def terminal(self) -> Terminal:
        return Terminal.of_process(self.environ, json=self.json_stderr)

    @cached_property
    def server(self) -> "DemoServer":
        """The demo server in this process, started."""
        from smscli.demo.server import DemoServer

        server = DemoServer()
        server.start()
        self.on_close(server.close)
        return server

    @property
    def base_url(self) -> str:
        """The server's URL, ending in `/api/v2`. NotConfigured."""
        if self.settings.demo:
            return f"{self.server.url}/api/v2"
        if self.settings.base_url is None:
            raise NotConfigured(
                "no server is configured",
                hint="sign in with `smscli auth login`, or try `smscli --demo list`",
            )
        return self.settings.base_url

    @property
    def profile_name(self) -> str | None:
        """The saved profile that is read; None without one."""
        return self.label or self.settings.profile or None

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def server_name(self) -> str:
        """What names the server in records: the profile's `site`, else host and port. The demo's port is
        another one at each run."""
        if self.settings.demo or self.settings.site:
            return self.settings.site or "demo"
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    @cached_property
    def keyring(self) -> "Keyring":
        """The system's keyring."""
        from smscli.settings.credentials import Keyring

        keyring = Keyring(
            on_terminal=self.terminal.err_tty,
            notice=lambda message: self.notice("keyring", message),
            isolate=self.terminal.isolate,
            limit=self._time_limit,
        )
        self.on_close(keyring.close)
        return keyring

    def read_credential(self) -> "Credential":
        """The credential for this server and user, read from its source at each call. AuthError."""
        if self._next_credential:
            credential, self._next_credential = self._next_credential, None
            return credential
        from smscli.settings.auth_schemes import BASIC
        from smscli.settings.credentials import Credential, find_credential

        if self.settings.demo:
            user = self.settings.user or self.server.user
            return Credential(user, BASIC, self.server.password, "demo")
        _ = self.base_url  # raises NotConfigured before the keyring is asked
        return find_credential(self.settings, self.keyring, command_seconds=self._time_limit)

    @property
    def has_password_command(self) -> bool:
        """Whether the secret comes from a command; False where the settings can't be resolved."""
        return bool(self.setting(lambda one: bool(one.password_command)))

    def use_next(self, credential: "Credential") -> None:
        """Have the next sign-in use this one, which was read in another thread."""
        self._next_credential = credential

    @cached_property
    def credential(self) -> "Credential":
        return self.read_credential()

    @property
    def user(self) -> str:
        """The user to name in output, as far as known without a request."""
        return self.credential.user or self.settings.profile or "the token's user"

    @cached_property
    def server_cache(self) -> "ServerCache":
        """What earlier runs found out about servers."""
        from smscli.settings.server_cache import ServerCache

        return ServerCache(self.environ, self.debug if self.settings.debug else lambda line: None)

    @property
    def server_info(self) -> "ServerInfo":
        """What earlier runs found out about this server."""
        from smscli.settings.server_cache import ServerInfo

        return self.server_cache.get(self.settings.origin) if self.settings.origin else ServerInfo()

    def update_server_info(self, *, spelling: str | None = None, trusted: bool | None = None) -> None:
        """Store facts about this server for later runs; not for the demo server, which is new at each run."""
        if self.settings.origin:
            self.server_cache.update(self.settings.origin, spelling=spelling, trusted=trusted)

    def file(self, name: str) -> str:
        """The file that an option names, with `~` expanded. UsageError."""
        from smscli.settings.files import option_file

        return option_file(name, self.environ)

    def connect(self, credential: "Credential | None" = None) -> "GwsClient":
        """A client that signs in with `credential`, else with the one found, which is read again when the
        server asks to sign in again."""
        self._signing_in = credential
        first = [credential or self.credential]
        return self._client(lambda: (first.pop() if first else credential or self.read_credential()).header())

    def connect_anonymously(self) -> "GwsClient":
        """A client that does not sign in, to find out whether the server answers at all."""
        return self._client(lambda: ("", ""))

    def _client(self, sign_in: Callable[[], tuple[str, str]]) -> "GwsClient":
        from smscli.gws.client import GwsClient, Server

        settings = self.settings
        timeout = settings.timeout if self._time_limit is None else self._time_limit
        client = GwsClient(
            Server(self.base_url, timeout, settings.ca_bundle, settings.client_cert, settings.headers),
            sign_in,
            spelling=self.server_info.spelling,
            on_skipped=lambda message, session_id: self.notice("skipped", message, session_id),
            on_spelling=lambda spelling: self.update_server_info(spelling=spelling),
            debug=self.debug if settings.debug else None,
            environ=self.environ,
        )
        self.on_close(client.close)
        if not self._is_warned:
            self._is_warned = True
            self._warn(client)
        return client

    def _warn(self, client: "GwsClient") -> None:
        """Say once what is wrong with the connection and its profile."""
        if client.transport.is_exposed:
            host = client.transport.host
            self.notice("insecure", f"no TLS to {host}: the network can read the secret and the messages")
        if not self.options.profile:
            names = profile_names(self.options, self.environ, self.config)
            if len(names) > 1:
                self.notice("config", f"SMSCLI_PROFILE names several profiles: using {names[0]}")
        if self.settings.unknown_keys:
            keys = ", ".join(self.settings.unknown_keys)
            self.notice("config", f"unknown keys in profile {self.settings.profile}: {keys}")

    @cached_property
    def client(self) -> "GwsClient":
        return self.connect()

    def read_recorded(self, words: list[str], open_source: "Callable[[], SourceReads]") -> None:
        """Read recordings or a stream in place of the server, opened on first use; `words` name them on a
        command line (`-`: standard input)."""
        self.source_words, self._open_source = words, open_source

    @property
    def reads_recordings(self) -> bool:
        """Whether recordings or a stream are read in place of the server."""
        return self._open_source is not None

    @cached_property
    def recorded(self) -> "SourceReads | None":
        """The recordings or the stream that is read in place of the server, if any."""
        return self._open_source() if self._open_source else None

    @property
    def source(self) -> "Reads":
        """Where sessions and messages are read from."""
        return self.recorded or self.client

    @property
    def whose(self) -> str:
        """Whose sessions these are, as `of USER at HOST` or `in FILE`."""
        return f"in {self.recorded.name}" if self.recorded else f"of {self.user} at {self.host}"

    @property
    def server_time(self) -> datetime | None:
        """The server's clock at its last answer, of a recording its newest time; None if it isn't known."""
        if self.recorded:
            return self.recorded.now
        client: GwsClient | None = self.__dict__.get("client")
        return client.now if client else None

    @property
    def now(self) -> datetime:
        """The time that relative times count from: the server's or the recording's, else our own."""
        return self.server_time or datetime.now(UTC)

    def say(self, text: str) -> None:
        """Print one line on stderr; control characters in it are made visible."""
        self.terminal.say(clean(text))

    def debug(self, line: str) -> None:
        """Print a line of `--debug`."""
        self.notice("debug", line if self.json_stderr else f"debug: {line}")

    def notice(self, kind: str, message: str, session_id: str | None = None) -> None:
        """Print a notice on stderr, as text or as JSON; `kind` is one of the notice kinds."""
        if self._time_limit is not None:
            return
        if self.json_stderr:
            from smscli.records import rfc3339

            at = rfc3339(datetime.now(UTC))
            profile = {"profile": self.label} if self.label else {}
            value = {"kind": kind, "sessionId": session_id, "message": message, "at": at, **profile}
            self._say_json("notice", value)
            return
        # Those of `whose` name a session, or the user and the host.
        message = f"profile {self.label}: {message}" if self.label and kind != "whose" else message
        if self._notice_style is None:
            self.say(message)
        else:
            self.terminal.say(self._notice_style(kind, clean(message)))

    def style_notices(self, style: Callable[[str, str], str]) -> None:
        """Have notices on a terminal written by `style`, from the notice's kind and its cleaned message."""
        if self.terminal.err_tty:
            self._notice_style = style

    def report_error(self, error: SmscliError, cause: Exception) -> int:
        """Print an error and its hint; returns the exit code."""
        if error.kind == "internal" and (self.options.debug or self.setting(lambda one: one.debug)):
            for line in "".join(traceback.format_exception(cause)).splitlines():
                self.debug(line)
        self.explain(error)
        if self.json_stderr:
            self._say_json("error", error.facts)
            return error.exit_code
        self.say(f"error: {error.message}")
        if error.hint:
            self.say(f"hint: {self._hint(error.hint)}")
        return error.exit_code

    def explain(self, error: SmscliError) -> None:
        """Name user and source of the secret in a server's refusal of it."""
        credential: Credential | None = self._signing_in or self.__dict__.get("credential")
        if credential is None or not isinstance(error, AuthError) or isinstance(error, NotPermitted):
            return
        if error.http_status is not None:
            credential.explain_refusal(error, self.settings.profile)

    def explain_as_profile(self, error: SmscliError) -> None:
        """Like `explain`, for the error that ends a command of several profiles: name this one."""
        self.explain(error)
        if self.label:
            error.message = f"profile {self.label}: {error.message}"

    def _hint(self, hint: str) -> str:
        """The hint; the commands it names get `--demo` where the demo server was used."""
        if self.setting(lambda one: one.demo):
            for command in ("list", "show", "messages", "tail", "check", "doctor"):
                hint = hint.replace(f"`smscli {command}", f"`smscli --demo {command}")
        return hint

    def setting(self, read: Callable[[Settings], bool]) -> bool:
        """A setting, False where the settings can't be resolved: that may be the error being reported."""
        try:
            return read(self.settings)
        except Exception:
            return False

    def _say_json(self, key: str, value: object) -> None:
        from smscli.records import json_text

        self.terminal.say(json_text({key: value}))

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call `callback` at the end of the command, however it ends; the last registered one first."""
        self._closing.callback(callback)

    def close(self) -> None:
        """Run the callbacks and restore the terminal, even when some of them fail or are interrupted."""
        self._closing.close()


def masked(reads: "Reads", redact: bool) -> "Reads":
    """The same reads, masked with `redact`."""
    if not redact:
        return reads
    from smscli.transcript.redact import MaskedReads

    return MaskedReads(reads)
