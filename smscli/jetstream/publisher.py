"""Publishes the records of `tail` to a stream, each once; the main thread never waits for the engine."""

import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from math import inf
from typing import TYPE_CHECKING

from smscli.errors import NotPermitted, SmscliError, Unreachable
from smscli.jetstream.connection import StreamConnection
from smscli.jetstream.publish_backlog import MOST_WAITING, Backlog
from smscli.jetstream.publish_catch_up import CatchUp, ReadLog
from smscli.jetstream.publish_lanes import (
    CollectorLane,
    Lane,
    MessageLane,
    SessionLane,
    SignOfLife,
    Waiting,
)
from smscli.jetstream.publish_trouble import CONNECTION, Notices, PublishTrouble, StreamNotice, not_published
from smscli.jetstream.read_consumer import retried
from smscli.jetstream.subjects import collector_subject, message_subject, session_subject
from smscli.model import Message
from smscli.recordings.format import ConnectionRecord, EndedRecord, Record, SessionRecord
from smscli.records import SessionKey
from smscli.signals import interruptible

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from smscli.jetstream.publish_writing import LaneWriter

_ALIVE_SECONDS = 30.0
_TICK_SECONDS = 0.1
# A lane that nothing has come for is dropped; its subject is read again when something does.
_IDLE_SECONDS = 600.0
_CLOSE_SECONDS = 5.0
_CLOSE_TICK = 0.02
_SILENT_CLOSE = 1.0
# nats-server refuses lines over 4,096 bytes, and a consumer's request holds the subject twice.
_LONGEST_SUBJECT = 1000
_LONGEST_NAME = 80
_REPLACED = "the stream was deleted and created again: the followed sessions are published to it anew"


def collector_name(profiles: Sequence[str], host: str | None = None) -> str:
    """The name of the collector on this host for these profiles: the same at each start, and another one
    than that of a collector for other profiles on the same host."""
    name = "-".join([host or socket.gethostname(), *sorted(profiles)])
    if len(name) <= _LONGEST_NAME:
        return name
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}-{digest}"


class Publisher:
    """Publishes to a stream whose connection is open and which is there.

    `notice(kind, message, session_id)` is called by `report` only; `read_log(server, session_id)` reads a
    session's whole log again, masked with `redact`, in a thread of the publisher's; `clock` counts epoch
    seconds. `profiles` are read, of these `servers`, as its signs of life say. `on_replaced` is called by
    `report` when the stream was deleted and created again: it returns the sessions whose logs are to be read
    again, and has their states taken again. So does `on_doubt` for a session of which two collectors say
    different things: its state is to be taken again as a later list has it.
    """

    def __init__(
        self,
        connection: StreamConnection,
        *,
        redact: bool,
        profiles: Sequence[str],
        servers: Sequence[str] = (),
        notice: Callable[[str, str, str | None], None],
        name: str | None = None,
        read_log: ReadLog | None = None,
        on_replaced: Callable[[], Collection[SessionKey]] = tuple,
        on_doubt: Callable[[SessionKey], None] = lambda key: None,
        clock: Callable[[], float] = time.time,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._connection = connection
        self._stream = connection.address.stream
        self._redact = redact
        self._profiles, self._servers = tuple(profiles), tuple(servers)
        self._notice = notice
        self._clock = clock
        self._on_replaced = on_replaced
        self._is_replaced = False
        self._on_doubt = on_doubt
        self._doubtful: deque[SessionKey] = deque()
        self._notices = Notices()
        self._backlog = Backlog(most_waiting)
        self._trouble = PublishTrouble(self._notices.add, time.monotonic)
        self._catch_up = CatchUp(self._backlog, read_log, self._wake, self._notices.add) if read_log else None
        # From here on in the connection's thread only.
        self._own = CollectorLane(collector_subject(self._stream, name or collector_name(profiles)))
        self._lanes: dict[str, Lane] = {self._own.subject: self._own}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._too_long: set[str] = set()
        self._lost_at: float | None = None
        self._alive_at = -inf
        self._idle_at = time.monotonic()
        self._writer: LaneWriter | None = None
        self._supervisor: Future[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self.is_closed = False

    # In the main thread

    def open(self) -> None:
        """Begin to publish. LocalError if the stream is one of the other setting of `redact`, NotPermitted if
        no sign of life may be published; the errors of `StreamConnection.run`. These close the connection."""
        from smscli.jetstream.publish_writing import LaneWriter

        self._writer = writer = LaneWriter(
            self._connection,
            masked=self._redact,
            trouble=self._trouble,
            say=self._notices.add,
            done=self._backlog.done,
            late=lambda: self._backlog.waiting,
            on_replaced=self._set_replaced,
        )
        try:
            self._connection.run(lambda: retried(writer.check))
            self._enter(writer)
            if writer.refused:
                raise writer.refused
            self._supervisor = self._connection.start(self._supervise(writer))
        except BaseException:
            self._connection.close()
            raise

    def _enter(self, writer: "LaneWriter") -> None:
        """Give the first sign of life."""
        try:
            self._connection.run(lambda: retried(lambda: writer.enter(self._first_sign())))
        except NotPermitted:
            raise
        except SmscliError:
            # Such as a full stream: it is said, and retried, with what follows.
            return
        self._alive_at = time.monotonic()

    def take(
        self, server: str, record: Record, profile: str | None = None, account: str | None = None
    ) -> None:
        """Publish a record in time; returns at once. Positions, which only files need, are left out."""
        waiting = Waiting(record, server, profile, account)
        match record:
            case ConnectionRecord():
                self._call(lambda: self._add_own(waiting))
            case Message() | EndedRecord():
                self._take(SessionKey(server, record.session_id), waiting)
            case SessionRecord(_, session):
                self._take(SessionKey(server, session.id), waiting)

    def catch_up(self, server: str, session_id: str) -> None:
        """Have a session's whole log read again: the stream may lack messages that `take` is not given."""
        self._backlog.fall_behind(SessionKey(server, session_id))

    def report(self) -> None:
        """Hand over what there is to say. LocalError when a collector with the other setting of `redact`
        publishes to the stream too, ServerError when it was replaced by one for other subjects; nothing is
        published any more then."""
        for one in self._notices.taken():
            self._notice(*one)
        if self.is_closed:
            return
        while self._doubtful:
            self._on_doubt(self._doubtful.popleft())
        if self._is_replaced:
            self._is_replaced = False
            keys = self._on_replaced()
            with suppress(Unreachable):  # The connection is being closed.
                self._connection.start(self._begin_anew(keys))
        if self._writer and self._writer.refused:
            raise self._writer.refused
        if self._supervisor and self._supervisor.done():
            self._supervisor.result()

    def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Publish what waits, for at most so many seconds; close the connection and say what is left over."""
        if self.is_closed:
            return
        now = time.monotonic()
        notice_at, end = now + _SILENT_CLOSE, now + seconds
        try:
            while not self._is_done and now < end:
                if now >= notice_at:
                    notice_at = end
                    told = f"publishing what waits, for up to {seconds:g} s (Ctrl-C ends it at once)"
                    self._notice("stream", told, None)
                self.report()
                interruptible(lambda: time.sleep(_CLOSE_TICK))
                now = time.monotonic()
        finally:
            self.is_closed = True
            if self._catch_up:
                self._catch_up.stop()
            self._connection.close()
            left, behind = self._backlog.waiting, len(self._backlog.behind)
            if left or behind:
                self._notices.add(not_published(left, behind))
            self.report()

    @property
    def _is_done(self) -> bool:
        refused = self._writer is None or self._writer.refused is not None
        behind = self._catch_up and self._backlog.behind
        return refused or not (self._backlog.waiting or behind or self._own.waiting)

    def _take(self, key: SessionKey, waiting: Waiting) -> None:
        if self._backlog.take(key, waiting):
            self._wake()

    def _wake(self) -> None:
        """Have what was taken published; for any thread."""
        self._call(self._collect)

    def _call(self, function: Callable[[], None]) -> None:
        self._connection.call(function)

    # In the connection's thread

    def _collect(self) -> None:
        for key, waiting in self._backlog.collect():
            lane = self._lane_for(key, is_message=isinstance(waiting.record, Message))
            if lane is None:
                self._backlog.done(1)
            else:
                lane.waiting.append(waiting)
                self._start(lane)

    def _lane_for(self, key: SessionKey, *, is_message: bool) -> Lane | None:
        """The lane of a session's messages or states; None if its id is too long for a subject."""
        subject_of = message_subject if is_message else session_subject
        subject = subject_of(self._stream, *key)
        if len(subject) > _LONGEST_SUBJECT:
            if key.session_id not in self._too_long:
                self._too_long.add(key.session_id)
                shown = f"{key.session_id[:20]}..."
                self._notices.add(
                    StreamNotice("skipped", f"the id of session {shown} is too long for a stream")
                )
            return None
        if subject not in self._lanes:
            lane_type = MessageLane if is_message else SessionLane
            self._lanes[subject] = lane_type(subject, key)
        return self._lanes[subject]

    def _add_own(self, waiting: Waiting) -> None:
        self._own.add(waiting)
        self._start(self._own)

    def _start(self, lane: Lane) -> None:
        """Have a lane written, unless it is being written."""
        import asyncio

        lane.used_at = time.monotonic()
        if self._writer and lane.subject not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._writer.write(lane))
            self._tasks[lane.subject] = task
            task.add_done_callback(lambda _: self._on_written(lane))

    def _on_written(self, lane: Lane) -> None:
        del self._tasks[lane.subject]
        if isinstance(lane, SessionLane) and lane.is_doubtful:
            lane.is_doubtful = False
            self._doubtful.append(lane.key)
        if lane.waiting and self._writer and not self._writer.refused and not self.is_closed:
            self._start(lane)

    async def _supervise(self, writer: "LaneWriter") -> None:
        """What is due from time to time."""
        import asyncio

        while True:
            now = time.monotonic()
            self._watch_connection(writer, now)
            if now - self._alive_at >= _ALIVE_SECONDS:
                self._alive_at = now
                self._add_own(self._sign_of_life())
                self._checking = asyncio.get_running_loop().create_task(self._check(writer))
            self._resume(now)
            await asyncio.sleep(_TICK_SECONDS)

    def _watch_connection(self, writer: "LaneWriter", now: float) -> None:
        writer.set_connected(self._connection.connected)
        if self._connection.connected:
            self._lost_at = None
            if not self._backlog.waiting:
                self._trouble.passed(CONNECTION, lambda: 0)
        else:
            self._lost_at = self._lost_at or now
            lost = Unreachable(f"no connection to {self._connection.address.host}")
            self._trouble.failed(CONNECTION, self._connection.trouble or lost, self._lost_at)
        self._trouble.look()

    async def _check(self, writer: "LaneWriter") -> None:
        """Another collector may have begun with the other setting, about other sessions; the stream may be
        another one."""
        try:
            await writer.check()
        except Exception:
            # The engine is away, which publishing finds out too.
            return

    def _resume(self, now: float) -> None:
        """Once there is room: take what was held, and read again what was missed."""
        if self._connection.connected and self._backlog.has_room:
            if self._backlog.release():
                self._collect()
            if self._catch_up and self._backlog.behind:
                self._catch_up.start()
        if now - self._idle_at >= _IDLE_SECONDS:
            self._idle_at = now
            idle = [
                subject
                for subject, lane in self._lanes.items()
                if lane is not self._own
                and subject not in self._tasks
                and now - lane.used_at >= _IDLE_SECONDS
            ]
            for subject in idle:
                del self._lanes[subject]

    def _set_replaced(self) -> None:
        """The stream is another one: nothing of what was published is in it."""
        if not self._is_replaced:
            self._is_replaced = True
            self._notices.add(StreamNotice("stream", _REPLACED))

    async def _begin_anew(self, keys: Collection[SessionKey]) -> None:
        """Fill the new stream: read the logs of these sessions again, in place of what waits of them."""
        assert self._writer
        writer = self._writer
        for key in keys:
            self._backlog.start_over(key)
        self._collect()
        for lane in self._lanes.values():
            lane.forget()
            if isinstance(lane, MessageLane) and lane.key in keys:
                lane.leave_out()
        try:
            await retried(lambda: writer.enter(self._first_sign()))
        finally:
            writer.go_on()

    def _first_sign(self) -> CollectorLane:
        lane = CollectorLane(self._own.subject)
        lane.add(self._sign_of_life())
        return lane

    def _sign_of_life(self) -> Waiting:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return Waiting(SignOfLife(now, self._profiles, self._servers), "")
