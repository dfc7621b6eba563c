"""Publishes what waits in a lane: the asyncio side of publishing, in the connection's thread."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from smscli.backoff import Backoff
from smscli.errors import LocalError, NotFound, SmscliError
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.publish_lanes import Lane, Publication, masked_of
from smscli.jetstream.publish_trouble import CONNECTION, PublishTrouble, StreamNotice
from smscli.jetstream.stream_errors import TOO_LARGE, WRONG_SEQUENCE, has_our_subjects, wrong_subjects
from smscli.jetstream.stream_reading import gained, last_of, stored_at
from smscli.jetstream.subjects import ACCOUNT_HEADER, COLLECTOR, MESSAGE, SESSION, all_of
from smscli.model import Message

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import PubAck

_REQUEST_SECONDS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_CONFLICT_PAUSE = 0.05
# A record that the engine takes for known, but that can't be found: it may be in a log not yet applied.
_MOST_REFUSALS = 5
_REFUSAL_PAUSE = 0.5
_SIDE_BY_SIDE = 64
# The engine counts the headers too: names, an id of 32 digits, an account, a sequence number, the stream.
_HEADER_SIZE = 260


class LaneWriter:
    """Publishes lanes, different ones side by side.

    `done(n)` is called when n records of sessions have come to their end, and `late` tells how many wait.
    `on_replaced` is called when the stream is another one than before: it was deleted, and created again.
    Nothing is published then until `go_on`.
    """

    def __init__(
        self,
        connection: StreamConnection,
        *,
        masked: bool,
        trouble: PublishTrouble,
        say: Callable[[StreamNotice], None],
        done: Callable[[int], None],
        late: Callable[[], int],
        on_replaced: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._stream = connection.address.stream
        self._masked = masked
        self._trouble = trouble
        self._say = say
        self._done = done
        self._late = late
        self._on_replaced = on_replaced
        self._context: tuple[Client, JetStreamContext] | None = None
        self._slots = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._wake = asyncio.Event()
        # Connected, and to the stream that we know.
        self._ready = asyncio.Event()
        self._created: datetime | None = None
        self._is_deleted = self._is_replaced = False
        self.refused: SmscliError | None = None

    async def write(self, lane: Lane) -> None:
        """Publish what waits in a lane, retrying for ever, until nothing waits or publishing is refused."""
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while lane.waiting and not self.refused:
            await self._ready.wait()
            async with self._slots:
                began, dropped = time.monotonic(), lane.dropped
                try:
                    await self._step(lane)
                except Exception as error:
                    self._failed(lane, error, began)
                    backoff.failed(time.monotonic(), random.random())
                else:
                    backoff.passed()
                if lane.is_compared:
                    self._done(lane.dropped - dropped)
            if (pause := backoff.until - time.monotonic()) > 0:
                await self._pause(pause)

    def set_connected(self, connected: bool) -> None:
        if connected and not self._is_replaced:
            self._ready.set()
        else:
            self._ready.clear()

    def go_on(self) -> None:
        """Publish to the stream that is there now."""
        self._is_replaced = False

    async def check(self) -> bool:
        """Note whether the stream is another one than before, and whether it is one of the other `--redact`
        setting. Whether the last records tell the setting."""
        await self._check_created()
        is_told = False
        for kind in (MESSAGE, SESSION, COLLECTOR):
            if found := await last_of(self.jetstream, self._stream, all_of(self._stream, kind)):
                is_masked = masked_of(found.payload)
                is_told = is_told or is_masked is not None
                self._check_masked(is_masked)
        return is_told

    async def enter(self, lane: Lane) -> None:
        """Publish a collector's first record, unless the stream is one of the other setting. Where no record
        tells the setting this one does, so it must be the next one of the whole stream: of two collectors
        that begin at the same moment the second finds what the first has published."""
        from nats.js.errors import APIError

        while True:
            last = (await self.jetstream.stream_info(self._stream)).state.last_seq
            is_told = await self.check()
            publication = lane.next(masked=self._masked)
            if self.refused or publication is None:
                return
            behind = {} if is_told else {"Nats-Expected-Last-Sequence": str(last)}
            try:
                done = await self._send(lane, publication, behind)
            except APIError as error:
                if error.err_code != WRONG_SEQUENCE:
                    raise
            else:
                lane.published(done.seq)
                return

    @property
    def jetstream(self) -> "JetStreamContext":
        client = self._connection.client
        if self._context is None or self._context[0] is not client:
            self._context = client, client.jetstream(timeout=_REQUEST_SECONDS)
        return self._context[1]

    async def _step(self, lane: Lane) -> None:
        """Publish the first record of a lane, or find out what the subject has gained."""
        if lane.must_read:
            await self._read(lane)
            lane.must_read = False
        if self.refused or self._is_replaced:
            return
        try:
            publication = lane.next(masked=self._masked)
        except (LocalError, RecursionError):
            self._skip(lane, f"{_named(lane)} is nested too deeply")
            return
        if publication is None:
            self._passed(lane, is_stored=False)
        elif len(publication.payload) + _HEADER_SIZE > self._connection.client.max_payload:
            self._skip(lane, self._too_large(lane, publication))
        else:
            await self._publish(lane, publication)

    async def _read(self, lane: Lane) -> None:
        last = await last_of(self.jetstream, self._stream, lane.subject) if lane.is_compared else None
        is_less = lane.sequence > (last.sequence if last else 0)
        if is_less:
            lane.restart()
        if is_less or self._is_deleted or not lane.is_compared:
            await self._check_created()
        if last is None or self._is_replaced:
            return
        async for one in gained(self.jetstream, self._stream, lane.subject, lane.sequence, last.sequence):
            self._check_masked(lane.absorb(one.payload, one.sequence))

    async def _publish(self, lane: Lane, publication: Publication) -> None:
        from nats.js.errors import APIError

        is_compared = publication.after is not None
        after = {"Nats-Expected-Last-Subject-Sequence": str(publication.after)} if is_compared else {}
        try:
            done = await self._send(lane, publication, after)
        except APIError as error:
            if error.err_code == WRONG_SEQUENCE:
                await self._on_conflict(lane)
            elif error.err_code == TOO_LARGE:
                self._skip(lane, self._too_large(lane, publication))
            else:
                raise
            return
        if done.duplicate and is_compared:
            await self._on_duplicate(lane, done.seq)
        else:
            lane.published(done.seq)
            self._passed(lane)

    async def _send(self, lane: Lane, publication: Publication, headers: dict[str, str]) -> "PubAck":
        headers = {"Nats-Msg-Id": publication.id, **headers}
        if publication.account is not None:
            headers[ACCOUNT_HEADER] = publication.account
        return await self.jetstream.publish(
            lane.subject, publication.payload, _REQUEST_SECONDS, self._stream, headers
        )

    async def _on_conflict(self, lane: Lane) -> None:
        """Somebody else has published on the subject."""
        lane.must_read = True
        lane.conflicts += 1
        if lane.conflicts > 1:
            # What the engine compares with can be ahead of what it lets us read.
            await asyncio.sleep(min(_CONFLICT_PAUSE * lane.conflicts, 1.0))

    async def _on_duplicate(self, lane: Lane, sequence: int) -> None:
        """The id is known: of this record, which is then found in the subject, or of another subject's."""
        lane.must_read = True
        lane.refusals += 1
        found = await stored_at(self.jetstream, self._stream, sequence) if sequence else None
        if (found and found.subject != lane.subject) or lane.refusals > _MOST_REFUSALS:
            lane.take_another_id()
        elif found and found.sequence <= lane.sequence:
            lane.restart()
        elif lane.refusals > 1:
            await asyncio.sleep(_REFUSAL_PAUSE)

    def _passed(self, lane: Lane, *, is_stored: bool = True) -> None:
        """Nothing of the lane fails now. A denial ends only when something of its kind is stored: another
        collector may have published what we may not."""
        lane.conflicts = 0
        ended = [CONNECTION, lane.subject, *([_kind(lane)] if is_stored else [])]
        had_failed = [self._trouble.passed(one, self._late) for one in ended]
        if any(had_failed):
            self._wake.set()
            self._wake = asyncio.Event()

    def _failed(self, lane: Lane, error: Exception, since: float) -> None:
        lane.must_read = True
        if denial := self._connection.denial_of(lane.subject, since):
            self._trouble.failed(_kind(lane), denial, since)
        else:
            self._trouble.failed(lane.subject, self._explained(error), since)

    def _explained(self, error: Exception) -> SmscliError:
        lost = None if self._connection.connected else self._connection.trouble
        found = lost or self._connection.error(error, _REQUEST_SECONDS)
        if not isinstance(found, NotFound):
            return found
        self._is_deleted = True
        address = self._connection.address
        return NotFound(
            f"the stream {address.stream} at {address.host} was deleted", hint="start tail again to create it"
        )

    async def _check_created(self) -> None:
        info = await self.jetstream.stream_info(self._stream)
        created = info.created
        self._is_deleted = False
        if not has_our_subjects(info):
            self.refused = wrong_subjects(self._connection.address)
        elif self._created not in (None, created):
            self._is_replaced = True
            self._ready.clear()
            self._on_replaced()
        self._created = created

    def _check_masked(self, masked: bool | None) -> None:
        if masked is None or masked == self._masked or self.refused:
            return
        begun = "without" if self._masked else "with"
        self.refused = LocalError(
            f"the stream {self._connection.address.url} was started {begun} --redact",
            hint=f"run tail {begun} it, or publish to another stream",
        )

    def _skip(self, lane: Lane, why: str) -> None:
        self._say(StreamNotice("skipped", f"{why}: not published", lane.session_id))
        lane.drop()
        self._passed(lane, is_stored=False)

    def _too_large(self, lane: Lane, publication: Publication) -> str:
        size = len(publication.payload)
        return f"{_named(lane)} is too large for the stream ({size} bytes; raise the engine's max_payload)"

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until the stream can be written again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)


def _kind(lane: Lane) -> str:
    """What permissions differ by."""
    return lane.subject.split(".")[1]


def _named(lane: Lane) -> str:
    """The record that is published next, for messages."""
    record = lane.waiting[0].record
    what = f"message {record.index}" if isinstance(record, Message) else "the state"
    return f"{what} of session {lane.session_id}"
