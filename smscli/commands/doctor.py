"""`smscli doctor`: checks configuration, connection, sign-in and the server, each with a next step."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from smscli.commands.options import JsonOption
from smscli.context import AppContext
from smscli.errors import (
    UNREACHABLE_HINT,
    ConfigError,
    LocalError,
    NotFound,
    NotPermitted,
    ServerError,
    SmscliError,
    Unreachable,
)
from smscli.model import Listing, Message, Session
from smscli.output.formats import output_format
from smscli.output.render.wording import counted

if TYPE_CHECKING:
    from smscli.gws.http import Transport

_FEATURE = "api-multimedia-chat"
_MEDIA = "media"
# The Services page breaks off before it lists the status values.
_UP = frozenset({"active", "available", "connected", "ok", "online", "running", "started", "up"})
_DOWN = frozenset(
    {"disconnected", "down", "failed", "inactive", "offline", "stopped", "unavailable", "unknown"}
)
_PAGE = 500
# With fewer messages a server that ignores `startIndex` or `count` can't be told from one that obeys.
_MIN_MESSAGES = 3
_MAX_SESSIONS = 5
_DISCONNECT_SECONDS = 1.0
_MAX_ITEMS = 8
_ASK = "ask the server's administrator"
_REPORT = f"try again; if it fails again, {_ASK}: --debug names the requests"
_OPTIONAL = "not needed while sessions and messages can be read"
_POLLS = "without push `smscli tail` polls the server: see --interval"


class Diagnosis(NamedTuple):
    """The result of a check in one line, and the next step."""

    text: str
    hint: str | None = None
    result: Literal["ok", "warn", "fail", "skip"] = "ok"


class ServerCheck(NamedTuple):
    """One check, skipped where one that it needs has failed. `run` raises SmscliError on failure.

    `hint` is the next step for an error without one.
    """

    name: str
    needs: tuple[str, ...]
    run: Callable[["Doctor"], Diagnosis]
    hint: str


@dataclass(slots=True)
class Sample:
    """A page of one session's log, its envelope, and whether a window of one message `obeyed` `startIndex`
    and `count`; None where that was not tried."""

    session_id: str
    messages: tuple[Message, ...] = ()
    shape: str = ""
    obeyed: tuple[bool, bool] | None = None

    @property
    def orders(self) -> list[int]:
        """The indices of the messages, in order."""
        return sorted({one.order for one in self.messages if one.order is not None})


def doctor(app: AppContext, json: JsonOption = False) -> None:
    """Check configuration, connection and server, with a next step for each problem.

    Covers configuration, secret, proxy, TLS, sign-in, and the layout of the server's responses.
    """
    diagnosis = Doctor(app)
    form = output_format(app.terminal, json=json)
    with form.checks(check.name for check in CHECKS) as writer:
        for name, one in diagnosis.findings():
            writer.write([{"check": name, "result": one.result, "finding": one.text, "hint": one.hint}])
            writer.flush()
    if diagnosis.problem:
        raise diagnosis.problem


class Doctor:
    """Runs the checks in order; `problem` is the error of the first failed one."""

    def __init__(self, app: AppContext) -> None:
        self.problem: SmscliError | None = None
        self._app = app
        self._blocked: dict[str, str] = {}
        self._name: str | None = None
        self._refused: SmscliError | None = None
        self._listing: Listing | None = None

    def findings(self) -> Iterator[tuple[str, Diagnosis]]:
        for check in CHECKS:
            cause = next((self._blocked[need] for need in check.needs if need in self._blocked), None)
            if cause:
                self._blocked[check.name] = cause
                yield check.name, _unchecked(f"{cause} failed")
            else:
                yield check.name, self._found(check)

    def _found(self, check: ServerCheck) -> Diagnosis:
        try:
            return check.run(self)
        except SmscliError as error:
            self._blocked[check.name] = check.name
            self._app.explain(error)
            # The advice to run `doctor` is dropped.
            error.hint = (error.hint or "").removesuffix(" see `smscli doctor`") or check.hint
            self.problem = self.problem or error
            return Diagnosis(error.message, error.hint, "fail")

    def configuration(self) -> Diagnosis:
        app = self._app
        url = app.base_url
        if app.settings.demo:
            return Diagnosis(f"the demo server, {url}")
        profile = f"profile {app.settings.profile}" if app.settings.profile else "no profile"
        return Diagnosis(f"{profile}, {url}")

    def secret(self) -> Diagnosis:
        credential = self._app.credential
        secret = credential.scheme.secret_name
        return Diagnosis(f"the {secret} of {self._app.user}, from: {credential.source}")

    def proxy(self) -> Diagnosis:
        from smscli.gws.proxy import is_loopback, proxy_for

        proxy = proxy_for(self._app.base_url, self._app.environ)
        if proxy:
            parts = urlsplit(proxy)
            return Diagnosis(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
        return Diagnosis("none, as always on this machine" if is_loopback(self._app.host) else "none")

    def connection(self) -> Diagnosis:
        """Whether anything answers. A refusal is kept for the sign-in check: a secret is tried once."""
        from smscli.gws.proxy import is_loopback

        place = urlsplit(self._app.base_url)
        try:
            client = self._app.connect_anonymously() if "secret" in self._blocked else self._app.client
            self._name = client.me().name
        except (Unreachable, LocalError, ConfigError):
            raise
        except SmscliError as error:
            self._refused = error
        if place.scheme == "https":
            return Diagnosis(f"{place.netloc} answers, its certificate is trusted")
        if is_loopback(self._app.host):
            return Diagnosis(f"{place.netloc} answers, on this machine, without TLS")
        return Diagnosis(
            f"{place.netloc} answers without TLS: others can read the secret and the messages",
            "use https:// if the server has it",
            "warn",
        )

    def sign_in(self) -> Diagnosis:
        if self._refused:
            raise self._refused
        return Diagnosis(f"the server knows {self._name or 'the user, and gives no name'}")

    def features(self) -> Diagnosis:
        try:
            features = self._app.client.me(features=True).features
        except SmscliError as error:
            return _unread(f"can't be read: {error.message}")
        if features is None:
            return _unread("the server lists no features")
        if _FEATURE not in features:
            raise NotPermitted(
                f"the user lacks {_FEATURE}", hint=f"{_ASK} to give the user the feature {_FEATURE}"
            )
        return Diagnosis(f"the user has {_FEATURE}")

    def services(self) -> Diagnosis:
        try:
            services = self._app.client.services()
        except SmscliError as error:
            return _unread(f"can't be read: {error.message}")
        statuses = [one.status or "nothing" for one in services if (one.type or "").casefold() == _MEDIA]
        words = {status.casefold() for status in statuses}
        if words & _UP:
            return Diagnosis("Media is up")
        if not statuses:
            return Diagnosis("the server lists no Media service, which SMS needs", _ASK, "warn")
        finding = f"Media has the status: {_first_few(statuses)}"
        if words <= _DOWN:
            raise ServerError(finding, hint=f"SMS needs the Media service: {_ASK}")
        return Diagnosis(finding, "SMS needs the Media service to be up", "warn")

    def sessions(self) -> Diagnosis:
        from smscli.commands import envelopes

        client = self._app.client
        listing, document = client.inspect_sessions()
        self._listing = listing
        collections = [envelopes.collection_of(one.uri) for one in listing.sessions if one.uri]
        spelled = list(dict.fromkeys(one for one in collections if one))
        parts = [
            f"{counted(len(listing.sessions), 'session')} at me/{client.spelling}",
            client.transport.mask_secrets(envelopes.of_sessions(document)),
            *([client.transport.mask_secrets(f"uris say {_first_few(spelled)}")] if spelled else []),
        ]
        if listing.uris_only:
            hint = "without fields a session has no more than its id"
            return Diagnosis("; ".join([*parts, "fields ignored"]), hint, "warn")
        obeyed = "fields obeyed" if listing.sessions else "fields not tried: no session"
        return Diagnosis("; ".join([*parts, obeyed]))

    def messages(self) -> Diagnosis:
        sample = self._sampled(self._listing.sessions if self._listing else ())
        if sample is None:
            return _unchecked("no live session with messages", "try again when there is one")
        window, ignored = _window(sample)
        times, unread = _times(sample.messages)
        numbers = f"indices from {sample.orders[0]}" if sample.orders else "no indices"
        count = counted(len(sample.messages), "message")
        text = "; ".join([f"{count} of {sample.session_id}", sample.shape, numbers, window, times])
        if ignored:
            return Diagnosis(text, "logs are read whole instead, which takes longer", "warn")
        return Diagnosis(text, unread, "warn") if unread else Diagnosis(text)

    def _sampled(self, sessions: Sequence[Session]) -> Sample | None:
        """The first log that is long enough, else the longest of a few."""
        best: Sample | None = None
        for session in sessions[:_MAX_SESSIONS]:
            # A session that ended after it was listed tells nothing about the server.
            with suppress(NotFound):
                sample = self._read(session.id)
                if sample.messages and (best is None or len(sample.messages) > len(best.messages)):
                    best = sample
                if len(sample.orders) >= _MIN_MESSAGES:
                    return sample
        return best

    def _read(self, session_id: str) -> Sample:
        from smscli.commands import envelopes

        client = self._app.client
        page, document = client.inspect_page(session_id, _PAGE)
        sample = Sample(session_id, page.messages)
        if not sample.messages:
            return sample
        sample.shape = client.transport.mask_secrets(envelopes.of_messages(document))
        if len(sample.orders) >= _MIN_MESSAGES:
            second = sample.orders[1]
            one = Sample(session_id, client.page(session_id, second, 1).messages)
            sample.obeyed = one.orders[:1] == [second], len(one.orders) <= 1
        return sample

    def push(self) -> Diagnosis:
        from smscli.gws.cometd import BayeuxClient, ClientUnknown, PushUnavailable

        transport = self._app.client.transport
        bayeux = BayeuxClient(transport, lambda wake: None)
        step = "handshake or subscription"
        try:
            bayeux.open()
            step = "connect"
            bayeux.connect(immediate=True, timeout=self._app.settings.timeout)
        except ClientUnknown:
            return Diagnosis(f"no push, at the {step}: the server forgets its clients", _POLLS, "warn")
        except (PushUnavailable, SmscliError) as error:
            return Diagnosis(f"no push, at the {step}: {error}; {_csrf(transport)}", _POLLS, "warn")
        finally:
            with suppress(SmscliError):
                bayeux.disconnect(transport, _DISCONNECT_SECONDS)
        topics = f" to {', '.join(bayeux.topics)}" if bayeux.topics else ""
        return Diagnosis(f"handshake, subscription{topics} and connect accepted; {_csrf(transport)}")


CHECKS = (
    ServerCheck("configuration", (), Doctor.configuration, "correct it, or give --url"),
    ServerCheck("secret", ("configuration",), Doctor.secret, "sign in: `smscli auth login`"),
    ServerCheck("proxy", ("configuration",), Doctor.proxy, "correct it, or name the server in NO_PROXY"),
    ServerCheck("name and TLS", ("configuration", "proxy"), Doctor.connection, UNREACHABLE_HINT),
    ServerCheck(
        "sign-in",
        ("secret", "name and TLS"),
        Doctor.sign_in,
        f"is the URL that of the Web Services? else {_ASK}",
    ),
    ServerCheck("features", ("sign-in",), Doctor.features, _ASK),
    ServerCheck("services", ("sign-in",), Doctor.services, _ASK),
    ServerCheck("sessions", ("sign-in",), Doctor.sessions, _REPORT),
    ServerCheck("messages", ("sessions",), Doctor.messages, _REPORT),
    ServerCheck("push", ("sign-in",), Doctor.push, _POLLS),
)


def _unchecked(why: str, hint: str | None = None) -> Diagnosis:
    return Diagnosis(f"not checked: {why}", hint, "skip")


def _unread(text: str) -> Diagnosis:
    """A warning for a check that only helps to explain failures."""
    return Diagnosis(text, _OPTIONAL, "warn")


def _first_few(items: Sequence[str]) -> str:
    """The first few words: a faulty server could send thousands."""
    return ", ".join(items[:_MAX_ITEMS]) + (", ..." if len(items) > _MAX_ITEMS else "")


def _csrf(transport: "Transport") -> str:
    return "its CSRF token is sent along" if transport.auth.csrf else "no CSRF token is in use"


def _window(sample: Sample) -> tuple[str, bool]:
    """Whether windows are obeyed, in words, and whether any parameter is ignored."""
    if sample.obeyed is None:
        return "startIndex and count not tried: too few messages", False
    start, count = ("obeyed" if one else "ignored" for one in sample.obeyed)
    return f"startIndex {start}, count {count}", not all(sample.obeyed)


def _times(messages: Sequence[Message]) -> tuple[str, str | None]:
    """The layouts of the timestamps, in words, and a hint where some can't be read."""
    from smscli.commands import envelopes

    layouts = dict.fromkeys(envelopes.of_time(one.sent) for one in messages)
    named = [f"timestamp {layout}" for layout in layouts if layout]
    if any(envelopes.has_milliseconds(one.sent) for one in messages):
        named.append("timestampSeconds")
    words = _first_few(named) or "no timestamp that can be read"
    without = sum(1 for one in messages if one.at is None)
    if not without:
        return words, None
    return f"{words}, {counted(without, 'message')} without a time", "these pass --since and --until"
