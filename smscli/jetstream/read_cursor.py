"""Reads a selection of a stream's messages, in the connection's thread, also when its consumer is lost.

nats-py's own consumers repeat messages after a restart, or lose their place when the leader changes. A cursor
remembers the sequence that was reached, and creates its consumer again from there.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from smscli.errors import Unreachable
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.read_consumer import (
    RETRY_SECONDS,
    PullConsumer,
    StreamMessage,
    StreamSelection,
    is_of_engine,
    is_temporary,
    jetstream_of,
)

_PAGE = 500
_PAGE_SECONDS = 3.0
_FOLLOW_SECONDS = 30.0
# A leader that has just been elected may not have applied all yet.
_CATCH_UP_SECONDS = 10.0


class StreamCursor:
    """A selection of a stream's messages, each once and in order, also when the consumer is lost."""

    def __init__(self, connection: StreamConnection, selection: StreamSelection) -> None:
        self._connection = connection
        self._selection = selection
        self._stream = connection.address.stream
        self.reached = selection.start - 1
        # How many of this consumer's messages are left, and whether it is the first one.
        self._left = 0
        self._is_first = True
        self._consumer: PullConsumer | None = None
        # Kept when the time of a call is over.
        self._page: list[StreamMessage] = []
        # When the stream was created, and when the engine had the last message that we read.
        self._created: datetime | None = None
        self._reached_at: datetime | None = None
        self._since = selection.since

    async def page(self, end: int) -> list[StreamMessage]:
        """The next messages up to the sequence `end`, which doesn't count for the last ones of subjects;
        none at the end. Repeats what fails: the caller limits the time."""
        while True:
            try:
                consumer = self._consumer or await self._create(end)
                if not self._left or self._is_past(end):
                    break
                before = self.reached
                async for one in consumer.pull(min(_PAGE, self._left), _PAGE_SECONDS):
                    self._count(one)
                    if self._is_new(one) and (self._selection.last_only or one.sequence <= end):
                        self._page.append(one)
                    self.reached = max(self.reached, one.sequence)
                if self.reached == before:
                    # What was left has expired: a new consumer counts anew.
                    await self.close()
            except Exception as error:
                if not is_temporary(error):
                    raise
                await self._lose()
            if self._page:
                break
        page, self._page = self._page, []
        return page

    async def follow(
        self,
        put: Callable[[StreamMessage], Awaitable[None]],
        on_state: Callable[[Exception | None], None],
    ) -> None:
        """Pass on each message as it comes, without end; `on_state` is told whenever reading fails, and when
        it works."""
        while True:
            try:
                if self._created is None:
                    self._created = (await jetstream_of(self._connection).stream_info(self._stream)).created
                consumer = self._consumer or await self._create(self.reached)
                on_state(None)
                async for one in consumer.pull(_PAGE, _FOLLOW_SECONDS):
                    if self._is_new(one):
                        self.reached, self._reached_at = one.sequence, one.at
                        await put(one)
            except Exception as error:
                if not is_of_engine(error):
                    raise
                on_state(error)
                await self._lose()

    async def close(self) -> None:
        """Remove the consumer, without waiting for the engine."""
        consumer, self._consumer = self._consumer, None
        if consumer:
            with suppress(Exception):
                await consumer.close()

    def discard(self) -> None:
        """Have the consumer removed, from any thread; nothing if the connection is closed."""
        with suppress(Unreachable):
            self._connection.start(self.close())

    def _is_past(self, end: int) -> bool:
        return not self._selection.last_only and self.reached >= end

    def _is_new(self, one: StreamMessage) -> bool:
        return one.sequence > self.reached

    def _count(self, one: StreamMessage) -> None:
        """Note how many are left: of the last messages of subjects as many as there were at first, since new
        ones go on to come."""
        self._left = min(self._left - 1, one.pending) if self._selection.last_only else one.pending

    async def _lose(self) -> None:
        import asyncio

        await self.close()
        await asyncio.sleep(RETRY_SECONDS)

    async def _create(self, needed: int) -> PullConsumer:
        """A consumer from the reached sequence on; the stream must have grown to `needed`."""
        if not self._is_first:
            await self._check_grown(needed)
        consumer = PullConsumer(self._connection)
        try:
            self._left = await consumer.create(self._options())
        except BaseException:
            with suppress(Exception):
                await consumer.close()
            raise
        self._is_first = False
        self._consumer = consumer
        return consumer

    async def _check_grown(self, needed: int) -> None:
        """Wait for a new leader to catch up. If it doesn't, the engine has lost messages in a crash, and
        numbers anew, or the stream is another one: reading goes on with what it has got since."""
        import asyncio

        until = time.monotonic() + _CATCH_UP_SECONDS
        while True:
            info = await jetstream_of(self._connection).stream_info(self._stream)
            is_other = self._created is not None and info.created != self._created
            if not is_other and (info.state.last_seq >= needed or self._selection.last_only):
                return
            if is_other or info.config.num_replicas == 1 or time.monotonic() > until:
                break
            await asyncio.sleep(RETRY_SECONDS)
        self._created = info.created
        if self._reached_at is not None:
            self._since = self._reached_at + timedelta(microseconds=1)
        self.reached = 0 if self._since or is_other else min(self.reached, info.state.last_seq)

    def _options(self) -> dict[str, Any]:
        from nats.js.api import DeliverPolicy

        chosen = self._selection
        options: dict[str, Any] = {"filter_subject": chosen.subject} if chosen.subject else {}
        if chosen.last_only:
            # After a loss all of them come again: those up to the reached one are passed over.
            return {**options, "deliver_policy": DeliverPolicy.LAST_PER_SUBJECT}
        if self._since is not None and not self.reached:
            by_time = {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": self._since}
            return {**options, **by_time}
        start = self.reached + 1
        return {**options, "deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": start}
