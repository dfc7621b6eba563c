"""Server push: CometD long polling in a background thread, which turns notifications into wake-ups."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from smscli.backoff import Backoff
from smscli.errors import SignInRefused, SmscliError, TlsError, WireError
from smscli.gws.client import GwsClient
from smscli.gws.cometd import BayeuxClient, ClientUnknown, PushUnavailable
from smscli.model import Wake, WakeKind
from smscli.signals import start_thread

# Least seconds between connects to a server that does not hold them: with notifications, and without any,
# where the pause doubles up to the second value.
_MIN_PERIOD = 0.02
_MAX_IDLE_PERIOD = 1.0
# The back-off is reset only after the connection has worked for this many seconds.
_STABLE_SECONDS = 10.0
# Seconds for a read in the main thread to notice the refused sign-in and to renew it.
_REFUSAL_PAUSE = 5.0
# Malformed responses, without a good one, after which the server is taken not to speak CometD.
_MAX_MALFORMED = 3
_DISCONNECT_TIMEOUT = 1.0


class Push:
    """Wake-ups from the server, over connections of its own.

    `on_wake` is called in a thread of its own: `BROKEN` when the channel is lost, `EVERYTHING` when it works
    and each time it works again, and finally `OFF` if this server offers no push. `pause(seconds)` is how the
    thread waits, by default until `close`.
    """

    def __init__(
        self,
        client: GwsClient,
        on_wake: Callable[[Wake], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._client = client
        self._transport = client.clone().transport
        self._bayeux = BayeuxClient(self._transport, on_wake)
        self._on_wake = on_wake
        self._clock = clock
        self._jitter = jitter
        self._is_closed = threading.Event()
        self._pause = pause or self._is_closed.wait
        self._thread: threading.Thread | None = None
        self._disconnecting: threading.Thread | None = None
        self._backoff = Backoff()
        self._is_lost = True
        self._is_loss_reported = False
        self._reconnected_at = 0.0
        self._is_refused = False
        self._idle_connects = 0

    def start(self) -> None:
        self._thread = start_thread(self._run, name="push")

    def begin_close(self) -> None:
        """Begins to disconnect. A held connect ends by itself, in the background."""
        if not self._is_closed.is_set() and self._thread and self._thread.is_alive():
            # In a thread, since name resolution has no timeout.
            self._disconnecting = start_thread(self._disconnect, name="push-disconnect")
        self._is_closed.set()

    def close(self, seconds: float = _DISCONNECT_TIMEOUT) -> None:
        """Disconnects, for so many seconds at most."""
        self.begin_close()
        if self._disconnecting:
            self._disconnecting.join(seconds)
            self._disconnecting = None
            self._client.report()

    def _disconnect(self) -> None:
        transport = self._client.clone().transport
        with suppress(SmscliError):
            self._bayeux.disconnect(transport, _DISCONNECT_TIMEOUT)
        transport.close()

    def _run(self) -> None:
        try:
            while not self._is_closed.is_set():
                self._connect()
        except PushUnavailable as reason:
            self._report_off(str(reason))
        except Exception as error:
            # Otherwise a dead thread would look like a quiet server.
            self._report_off(f"internal error: {type(error).__name__}")
        finally:
            self._transport.close()

    def _report_off(self, reason: str) -> None:
        if not self._is_closed.is_set():
            self._on_wake(Wake(WakeKind.OFF, reason=reason))

    def _connect(self) -> None:
        """One connect, after a handshake if needed, and the pause after it. Raises PushUnavailable."""
        started = self._clock()
        try:
            if not self._bayeux.is_open:
                self._bayeux.open()
            # A held connect would report only with the next notification that the channel works again.
            was_notified = self._bayeux.connect(immediate=self._is_lost)
        except ClientUnknown:
            self._on_client_unknown()
        except SmscliError as error:
            self._on_error(error)
        else:
            self._pause_between_connects(started, self._on_success() or was_notified)

    def _on_success(self) -> bool:
        """Resets the state of a loss; returns whether there was one, in which wake-ups may have been lost."""
        now, was_lost = self._clock(), self._is_lost
        self._is_lost = self._is_refused = self._is_loss_reported = False
        if was_lost:
            self._reconnected_at = now
            self._on_wake(Wake(WakeKind.EVERYTHING))
        elif now - self._reconnected_at >= _STABLE_SECONDS:
            self._backoff.passed()
        return was_lost

    def _pause_between_connects(self, started: float, was_notified: bool) -> None:
        elapsed = self._clock() - started
        is_idle = not was_notified and elapsed < _MAX_IDLE_PERIOD
        self._idle_connects = self._idle_connects + 1 if is_idle else 0
        period = min(_MIN_PERIOD * 2 ** min(self._idle_connects, 10), _MAX_IDLE_PERIOD)
        # At most the period, also when the clock was set back.
        seconds = max(self._bayeux.advice.interval, min(period - elapsed, period))
        if seconds > 0:
            self._pause(seconds)

    def _on_client_unknown(self) -> None:
        """Pauses before the new handshake, with back-off if the connect before failed too."""
        is_first, interval = not self._backoff.failures, self._bayeux.advice.interval
        backoff = self._record_loss(None)
        self._pause(interval if is_first else max(backoff, interval))

    def _on_error(self, error: SmscliError) -> None:
        """Pauses before the next try. Raises PushUnavailable if none can help."""
        retry_after = error.retry_after
        if isinstance(error, SignInRefused) and not self._is_refused:
            self._is_refused = True
            # The read of the list may renew the sign-in.
            self._on_wake(Wake(WakeKind.LIST))
            retry_after = _REFUSAL_PAUSE
        elif isinstance(error, TlsError | SignInRefused) or self._is_other_service(error):
            raise PushUnavailable(error.message) from error
        self._pause(self._record_loss(retry_after))

    def _is_other_service(self, error: SmscliError) -> bool:
        is_first = not self._bayeux.has_worked
        return is_first and isinstance(error, WireError) and self._backoff.failures + 1 >= _MAX_MALFORMED

    def _record_loss(self, retry_after: float | None) -> float:
        """Records a failure and reports the first one; returns the seconds until the next try."""
        now = self._clock()
        if not self._is_loss_reported:
            self._on_wake(Wake(WakeKind.BROKEN))
        self._is_lost = self._is_loss_reported = True
        self._backoff.failed(now, self._jitter(), retry_after)
        return self._backoff.until - now
