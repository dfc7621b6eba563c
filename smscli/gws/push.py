"""The CometD edge: long polling in a thread of its own, which turns what the server pushes into wake-ups."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from smscli.backoff import Backoff
from smscli.errors import SignInRefused, SmscliError, Throttled, Untrusted, WireError
from smscli.gws.cometd import Channel, Forgotten, NoPush
from smscli.gws.http import Transport
from smscli.model import Wake, WakeKind

# Seconds from one connect to the next that even a server gets whose answers come at once: with news, and
# without, where it grows.
_BETWEEN_NEWS = 0.02
_BETWEEN_NOTHING = 1.0
# A channel that breaks again sooner is not well yet.
_SETTLED = 10.0
# Time for whoever reads to see that the sign-in is refused, and to renew it.
_AFTER_REFUSAL = 5.0
# So many answers in a row that are none, before there ever was a good one, and it is no CometD.
_NO_ANSWERS = 3
_FAREWELL = 1.0
_MOST_WAKES = 1000
_MOST_LINES = 1000
_EVERYTHING = Wake(WakeKind.EVERYTHING)


class Push:
    """Wake-ups from the server, on connections of its own beside those of `transport`.

    `BROKEN` comes when the channel goes, `EVERYTHING` when it is there and each time it is back, and `OFF`,
    the last one, when there is none to be had. `rest(seconds)` is how the thread pauses, by default until it
    is over; `debug` hears of each request, within `wait` and `close`.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        rest: Callable[[float], object] | None = None,
        debug: Callable[[str], None] | None = None,
    ) -> None:
        self._debug = debug
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._transport = transport.beside(self._lines.append if debug else None)
        self._inbox = Inbox()
        self._channel = Channel(self._transport, self._inbox.put)
        self._over = threading.Event()
        self._listener = _Listener(self._channel, self._inbox.put, clock, jitter, rest or self._over.wait)
        self._thread = threading.Thread(target=self._listen, name="push", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def wait(self, seconds: float) -> list[Wake]:
        """The wake-ups that came since, each once; where there are none, those of the next `seconds`."""
        wakes = self._inbox.take(seconds)
        self._tell()
        return wakes

    def close(self) -> None:
        """Take leave of the server, which gets a second for it. A connect that is held ends by itself."""
        self._over.set()
        if self._thread.is_alive():
            # Finding the server's address may take longer than any time-out.
            farewell = threading.Thread(target=self._take_leave, name="push-farewell", daemon=True)
            farewell.start()
            farewell.join(_FAREWELL)
            self._tell()

    def _tell(self) -> None:
        """Pass on what the other threads noted: whoever is told need not be ready for them."""
        while self._debug and self._lines:
            self._debug(self._lines.popleft())

    def _take_leave(self) -> None:
        with suppress(SmscliError):
            second = self._transport.beside(self._lines.append)
            try:
                self._channel.leave(second, _FAREWELL)
            finally:
                second.close()

    def _listen(self) -> None:
        try:
            while not self._over.is_set():
                self._listener.turn()
        except NoPush as end:
            self._end(str(end))
        except Exception as error:
            # Nobody must take a dead thread for a quiet server.
            self._end(f"internal error: {type(error).__name__}")
        finally:
            self._transport.close()

    def _end(self, reason: str) -> None:
        if not self._over.is_set():
            self._inbox.put(Wake(WakeKind.OFF, reason=reason))


class Inbox:
    """Wake-ups on their way to another thread, each once; too many different ones are one for everything."""

    def __init__(self) -> None:
        self._wakes: dict[Wake, None] = {}
        self._lock = threading.Lock()
        # A condition variable can be left in disorder by a signal that ends a wait; this queue can't.
        self._bell: SimpleQueue[None] = SimpleQueue()

    def put(self, wake: Wake) -> None:
        with self._lock:
            if not self._wakes:
                self._bell.put(None)
            elif len(self._wakes) >= _MOST_WAKES:
                self._wakes = {_EVERYTHING: None}
            self._wakes[wake] = None

    def take(self, seconds: float) -> list[Wake]:
        """What came since, in order; waits up to `seconds` for the first one."""
        try:
            self._bell.get(timeout=max(seconds, 0.0))
        except Empty:
            return []
        with self._lock:
            wakes, self._wakes = self._wakes, {}
        return list(wakes)


class _Listener:
    """Keeps a channel going: when to connect next, and what to do about a break."""

    def __init__(
        self,
        channel: Channel,
        wake: Callable[[Wake], None],
        clock: Callable[[], float],
        jitter: Callable[[], float],
        rest: Callable[[float], object],
    ) -> None:
        self._channel = channel
        self._wake = wake
        self._clock = clock
        self._jitter = jitter
        self._rest = rest
        self._backoff = Backoff()
        self._is_lost = True
        self._is_told = False
        self._back_at = 0.0
        self._is_refused = False
        self._nothings = 0

    def turn(self) -> None:
        """One connect, what must come before it, and the pause after it. Raises NoPush."""
        started = self._clock()
        try:
            if not self._channel.is_open:
                self._channel.open()
            # Held, it would tell only with the next news that the channel is back.
            has_news = self._channel.connect(at_once=self._is_lost)
        except Forgotten:
            self._begin_anew()
        except SmscliError as error:
            self._fail(error)
        else:
            self._go_on(started, self._recover() or has_news)

    def _recover(self) -> bool:
        """Note that all is well; whether it was not, and wake-ups may have been lost."""
        now, was_lost = self._clock(), self._is_lost
        self._is_lost = self._is_refused = self._is_told = False
        if was_lost:
            self._back_at = now
            self._wake(_EVERYTHING)
        elif now - self._back_at >= _SETTLED:
            self._backoff.passed()
        return was_lost

    def _go_on(self, started: float, has_news: bool) -> None:
        passed = self._clock() - started
        self._nothings = 0 if has_news or passed >= _BETWEEN_NOTHING else self._nothings + 1
        between = min(_BETWEEN_NEWS * 2 ** min(self._nothings, 10), _BETWEEN_NOTHING)
        # A clock that jumped back stretches nothing.
        pause = max(self._channel.advice.interval, min(between - passed, between))
        if pause > 0:
            self._rest(pause)

    def _begin_anew(self) -> None:
        """At once, as advised, but for a server that forgets again and again."""
        at_once, interval = not self._backoff.failures, self._channel.advice.interval
        pause = self._lose(None)
        self._rest(interval if at_once else max(pause, interval))

    def _fail(self, error: SmscliError) -> None:
        if isinstance(error, Untrusted):
            raise NoPush(error.message) from error
        if isinstance(error, SignInRefused):
            self._rest(self._lose(self._refused(error)))
        elif isinstance(error, WireError) and self._is_no_cometd():
            raise NoPush(error.message) from error
        else:
            self._rest(self._lose(error.retry_after if isinstance(error, Throttled) else None))

    def _refused(self, error: SignInRefused) -> float:
        """How long to wait before the second and last try: a read, asked for here, may renew the sign-in."""
        if self._is_refused:
            raise NoPush(error.message) from error
        self._is_refused = True
        self._wake(Wake(WakeKind.LIST))
        return _AFTER_REFUSAL

    def _is_no_cometd(self) -> bool:
        return not self._channel.has_worked and self._backoff.failures + 1 >= _NO_ANSWERS

    def _lose(self, retry_after: float | None) -> float:
        """Note a break; the seconds until it is time to try again."""
        now = self._clock()
        if not self._is_told:
            self._wake(Wake(WakeKind.BROKEN))
        self._is_lost = self._is_told = True
        self._backoff.failed(now, self._jitter(), retry_after)
        return self._backoff.until - now
