"""A connection to NATS: nats-py's asyncio loop in a thread of its own, behind plain calls."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from smscli.errors import NotPermitted, SmscliError, Unreachable
from smscli.jetstream.address import StreamAddress
from smscli.jetstream.stream_client import for_nats, new_client
from smscli.jetstream.stream_credentials import CredentialsFile
from smscli.jetstream.stream_errors import (
    NAME_IN_USE,
    NO_STREAM,
    SERVER_HINT,
    UNAVAILABLE,
    Denied,
    has_our_subjects,
    package_missing,
    stream_error,
    timed_out,
    worst,
    wrong_subjects,
)
from smscli.jetstream.subjects import subjects_of
from smscli.signals import interruptible, start_thread

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from nats.aio.client import Client
    from nats.js import JetStreamContext

_Result = TypeVar("_Result")

# With nats-py's own 120 s a frozen node holds us up for over half a minute.
_PING_SECONDS = 2
_RETRY_SECONDS = 0.5
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_CONNECT = 2.0
_LONGEST_REQUEST = 5.0
# Of one try to find or create the stream: during an election no node answers.
_TRY_SECONDS = 2.0
_CLOSE_SECONDS = 1.0
_LONGEST_WINDOW = 3600.0
_REMOVE_CONSUMER = "$JS.API.CONSUMER.DELETE."


class StreamConnection:
    """One connection, which reconnects for ever once it was there. Every call raises SmscliError.

    `credentials` is a credentials file, `timeout` in seconds holds for the first connection and, without
    another one, for each call.
    """

    def __init__(
        self,
        address: StreamAddress,
        *,
        credentials: str | None = None,
        timeout: float = 10.0,
        ca_bundle: str | None = None,
    ) -> None:
        self.address = address
        self.timeout = timeout
        self._credentials = CredentialsFile(credentials) if credentials else None
        self._ca_bundle = ca_bundle
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connected = False
        self._closing = False
        self._failures: list[Exception] = []
        self._denials: set[asyncio.Future[str]] = set()
        self._denied: list[tuple[float, str]] = []

    # For any thread

    def open(self) -> None:
        """Connect. Unreachable, TlsError, NotPermitted; UsageError without the package."""
        try:
            import nats.aio.client  # noqa: F401
            import nkeys  # noqa: F401
        except ImportError as error:
            raise package_missing() from error
        if self._credentials:
            self._credentials.check()
        # Without a handler Python prints what a library logs on stderr.
        logging.getLogger("nats").addHandler(logging.NullHandler())
        logging.getLogger("asyncio").addHandler(logging.NullHandler())
        try:
            self._start()
            self.run(self._connect_first, self.timeout + _CLOSE_SECONDS)
        except BaseException:
            self.close()
            raise

    def run(
        self,
        work: Callable[[], Coroutine[Any, Any, _Result]] | Coroutine[Any, Any, _Result],
        seconds: float | None = None,
    ) -> _Result:
        """The result of a coroutine, run in the connection's thread within so many seconds (`timeout`).

        A stop signal in the main thread ends the wait and the coroutine.
        """
        limit = self.timeout if seconds is None else seconds
        future = self.start(self._limited(work, limit))
        # Unlike a future's own wait, one of a SimpleQueue can be interrupted at any point.
        done: queue.SimpleQueue[None] = queue.SimpleQueue()
        future.add_done_callback(lambda _: done.put(None))
        try:
            interruptible(done.get)
            return future.result()
        except Exception as error:
            raise self.error(error, limit) from error
        finally:
            future.cancel()

    def start(self, coroutine: Coroutine[Any, Any, _Result]) -> "Future[_Result]":
        """Start a coroutine in the connection's thread, without waiting for it. Unreachable once closed."""
        import asyncio

        if self._loop is None or self._closing:
            coroutine.close()
            raise Unreachable(f"the connection to {self.address.host} is closed")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, function: Callable[[], None]) -> None:
        """Have a function called in the connection's thread; nothing once it is closed."""
        if self._loop is not None and not self._closing:
            with suppress(RuntimeError):  # The loop was closed this moment.
                self._loop.call_soon_threadsafe(function)

    @property
    def client(self) -> "Client":
        """nats-py's client; another one after the engine has closed the connection for good."""
        assert self._client, "open() comes first"
        return self._client

    @property
    def jetstream(self) -> "JetStreamContext":
        """nats-py's JetStream calls; to be asked for anew, like `client`."""
        return self.client.jetstream(timeout=min(self.timeout, _LONGEST_REQUEST))

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def trouble(self) -> SmscliError | None:
        """Why the connection can't be made again, None while it is there or nothing is known."""
        found = None if self._connected else worst(self._failures)
        return stream_error(found, self.address, self.timeout) if found else None

    def error(self, error: BaseException, seconds: float | None = None) -> SmscliError:
        """The SmscliError for an exception of a call of nats-py's."""
        return stream_error(error, self.address, self.timeout if seconds is None else seconds)

    def denial_of(self, subject: str, since: float) -> NotPermitted | None:
        """The error when the engine has denied the use of a subject since then (`time.monotonic`): a request
        whose subject is denied just times out."""
        for at, text in self._denied:
            if at >= since and (f'"{subject}"' in text or "_INBOX" in text):
                error = self.error(Denied(text))
                return error if isinstance(error, NotPermitted) else None
        return None

    def check_stream(self) -> None:
        """NotFound if the stream isn't there, ServerError if it has other subjects than ours."""
        self.run(lambda: self._found(create=False))

    def ensure_stream(self) -> None:
        """Create the stream where it is missing; one that is there is used as it is. ServerError."""
        self.run(lambda: self._found(create=True))

    def close(self) -> None:
        """Close the connection and end its thread; may be called again."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or self._closing:
            return
        with suppress(SmscliError):
            future = self.start(self._close())
            self._closing = True
            with suppress(Exception):
                future.result(_CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_CLOSE_SECONDS)
        if not thread.is_alive():
            loop.close()

    # In the connection's thread

    def _start(self) -> None:
        import asyncio

        self._loop = asyncio.new_event_loop()
        # The error of a task without a waiting caller would be printed on stderr.
        self._loop.set_exception_handler(lambda *_: None)
        self._thread = start_thread(self._loop.run_forever, name="nats")

    async def _limited(
        self, work: Callable[[], Coroutine[Any, Any, _Result]] | Coroutine[Any, Any, _Result], seconds: float
    ) -> _Result:
        """Its result, within that time and until the engine denies a permission."""
        import asyncio

        coroutine = work() if callable(work) else work

        denial: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._denials.add(denial)
        task = asyncio.ensure_future(coroutine)
        try:
            limit = seconds if seconds < threading.TIMEOUT_MAX else None
            both: set[asyncio.Future[Any]] = {task, denial}
            await asyncio.wait(both, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if denial.done():
                raise Denied(denial.result())
            raise self.trouble or timed_out(self.address, seconds)
        finally:
            task.cancel()
            self._denials.discard(denial)

    async def _connect_first(self) -> None:
        """One try, and one more for each server: nats-py by itself would go on for over 10 s."""
        import asyncio

        client = new_client(tls=self.address.tls, ca_bundle=self._ca_bundle)
        try:
            await asyncio.wait_for(client.connect(**self._options(client)), self.timeout)
        except Exception as error:
            with suppress(Exception):
                await asyncio.wait_for(client.close(), _CLOSE_SECONDS)
            found = worst(self._failures) or error
            if isinstance(found, TimeoutError):
                raise timed_out(self.address, self.timeout, SERVER_HINT) from error
            raise self.error(found) from error
        client.options.update(max_reconnect_attempts=-1, reconnect_time_wait=_RETRY_SECONDS)
        self._set_connected(True)
        self._client = client

    def _options(self, client: "Client") -> dict[str, Any]:
        scheme = "tls" if self.address.tls else "nats"
        options: dict[str, Any] = {
            "servers": [f"{scheme}://{one}" for one in self.address.servers],
            "name": "smscli",
            "connect_timeout": max(0.1, min(_LONGEST_CONNECT, self.timeout / 2)),
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": _FIRST_RETRY_SECONDS,
            "ping_interval": _PING_SECONDS,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnect,
            "reconnected_cb": self._on_reconnect,
            "closed_cb": self._on_closed(client),
        }
        if self._credentials:
            options["user_jwt_cb"] = for_nats(self._credentials.token)
            options["signature_cb"] = for_nats(self._credentials.sign)
        return options

    async def _on_error(self, error: Exception) -> None:
        if not isinstance(error, Denied):
            self._failures = [*self._failures[-9:], error]
            return
        text = str(error)
        if _REMOVE_CONSUMER in text:
            # The engine removes what nobody uses.
            return
        self._denied = [*self._denied[-99:], (time.monotonic(), text)]
        for denial in self._denials:
            if not denial.done():
                denial.set_result(text)

    async def _on_disconnect(self) -> None:
        self._set_connected(False)

    async def _on_reconnect(self) -> None:
        self._set_connected(True)

    def _on_closed(self, client: "Client") -> Callable[[], Coroutine[Any, Any, None]]:
        async def on_closed() -> None:
            """The engine closed the connection with a reason, after which nats-py doesn't try again."""
            if client is self._client and not self._closing:
                self._set_connected(False)
                if client.last_error:
                    await self._on_error(client.last_error)
                await self._reconnect()

        return on_closed

    async def _reconnect(self) -> None:
        import asyncio

        while not self._closing:
            await asyncio.sleep(_RETRY_SECONDS)
            with suppress(SmscliError):
                await self._connect_first()
                return

    def _set_connected(self, connected: bool) -> None:
        self._connected = connected
        if connected:
            self._failures = []

    async def _found(self, *, create: bool) -> None:
        """Find the stream, or create it, once the engine can tell."""
        import asyncio

        import nats.errors
        from nats.js.errors import APIError

        while True:
            try:
                return await self._find(create=create)
            except APIError as error:
                if error.err_code not in (NAME_IN_USE, UNAVAILABLE):
                    raise
            except nats.errors.TimeoutError:
                pass
            await asyncio.sleep(_RETRY_SECONDS)

    async def _find(self, *, create: bool) -> None:
        from nats.js.errors import APIError

        jetstream = self.client.jetstream(timeout=min(self.timeout, _TRY_SECONDS))
        try:
            found = await jetstream.stream_info(self.address.stream)
        except APIError as error:
            if error.err_code != NO_STREAM or not create:
                raise
            found = await self._created(jetstream)
        if not has_our_subjects(found):
            raise wrong_subjects(self.address)

    async def _created(self, jetstream: "JetStreamContext") -> Any:
        """The new stream. Several collectors may create it at once, with the same settings or not."""
        from nats.js.api import StorageType

        max_age = self.address.max_age
        return await jetstream.add_stream(
            name=self.address.stream,
            subjects=subjects_of(self.address.stream),
            storage=StorageType.FILE,
            num_replicas=self.address.replicas,
            max_age=max_age or 0,
            duplicate_window=min(_LONGEST_WINDOW, max_age or _LONGEST_WINDOW),
        )

    async def _close(self) -> None:
        """Close the client, which waits while it reconnects, and end what is still under way."""
        import asyncio

        if self._client:
            with suppress(Exception):
                await asyncio.wait_for(self._client.close(), _CLOSE_SECONDS / 2)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS / 4)
