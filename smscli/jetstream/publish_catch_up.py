"""Reads the logs of sessions that are behind again, and has them published."""

import threading
from collections.abc import Callable, Iterator

from smscli.errors import NotFound, SmscliError
from smscli.jetstream.publish_backlog import Backlog
from smscli.jetstream.publish_lanes import Waiting
from smscli.jetstream.publish_trouble import StreamNotice
from smscli.model import Page
from smscli.records import SessionKey
from smscli.signals import start_thread

ReadLog = Callable[[str, str], Iterator[tuple[Page, str | None]]]
"""Reads the whole log of a server's session: its pages, each with the profile that read it, of several."""

_ROOM_SECONDS = 0.1
_RETRY_SECONDS = 5.0


class CatchUp:
    """One session after the other, in a thread of its own, with no more read than there is room for.

    `collect` is called when something is to be collected from the backlog.
    """

    def __init__(
        self,
        backlog: Backlog,
        read_log: ReadLog,
        collect: Callable[[], None],
        say: Callable[[StreamNotice], None],
    ) -> None:
        self._backlog = backlog
        self._read_log = read_log
        self._collect = collect
        self._say = say
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, unless it is running."""
        if not self.is_running and not self._stopped.is_set():
            self._thread = start_thread(self._run, name="catch-up")

    def stop(self) -> None:
        """Stop reading, without waiting for a read that is under way."""
        self._stopped.set()

    def _run(self) -> None:
        for key in self._backlog.behind:
            try:
                while not self._read(key):
                    pass
            except NotFound:
                self._backlog.give_up(key)
                self._say(lost_session(key.session_id))
            except SmscliError:
                # The feed reports that the server is unavailable.
                self._stopped.wait(_RETRY_SECONDS)
            if self._stopped.is_set():
                return

    def _read(self, key: SessionKey) -> bool:
        """Read a log to its end. False if it must be read once more: something came meanwhile, or the stream
        is another one."""
        self._backlog.begin(key)
        for page, profile in self._read_log(*key):
            while not self._backlog.has_room and not self._stopped.is_set():
                self._stopped.wait(_ROOM_SECONDS)
            if self._stopped.is_set():
                self._backlog.fall_behind(key)
                return True
            if not self._backlog.add(key, [Waiting(one, key.server, profile) for one in page.messages]):
                return False
            self._collect()
        return self._backlog.finish(key)


def lost_session(session_id: str) -> StreamNotice:
    return StreamNotice(
        "lost",
        f"session {session_id} can't be read any more: what came while the stream couldn't be written"
        " is missing there",
        session_id,
    )
