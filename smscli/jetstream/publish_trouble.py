"""When a stream can't be written, and when it can again: what is said of it, each once."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from smscli.errors import NotFound, NotPermitted, SmscliError, Unreachable
from smscli.jetstream.stream_errors import StreamFull

# A change of leader is over within a few seconds, most are within two.
_SILENT_SECONDS = 2.0
CONNECTION = "connection"
"""What fails beside the subjects."""
# What doesn't mend itself.
_AT_ONCE = (NotFound, NotPermitted, StreamFull)
_DENIED = "not permitted"


class _FailingPublish(NamedTuple):
    error: SmscliError
    since: float


class StreamNotice(NamedTuple):
    """What `tail` is to say; `kind` is a notice kind."""

    kind: str
    message: str
    session_id: str | None = None


class PublishTrouble:
    """Which subjects can't be published to now, and why. Nothing here waits; `clock` counts seconds.

    An engine that can't be reached, or doesn't answer, is named once it has been so for two seconds. What an
    administrator must mend (a permission, a full or a deleted stream) is named at once.
    """

    def __init__(self, say: Callable[[StreamNotice], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._failing: dict[object, _FailingPublish] = {}
        self._told: set[str] = set()
        self._late = 0

    def failed(self, subject: object, error: SmscliError, since: float) -> None:
        """A publish that began then has failed."""
        before = self._failing.get(subject)
        self._failing[subject] = _FailingPublish(error, before.since if before else since)
        self.look()

    def look(self) -> None:
        """Say what is due by now; to be called several times a second."""
        now = self._clock()
        for error, since in self._failing.values():
            what = _cause(error)
            is_due = isinstance(error, _AT_ONCE)
            if not is_due and now - since >= _SILENT_SECONDS:
                # How an engine fails may change from try to try: said once.
                is_due = not self._told - {_DENIED}
            if is_due and what not in self._told:
                self._told.add(what)
                hint = f"; {error.hint}" if isinstance(error, _AT_ONCE) and error.hint else ""
                self._say(
                    StreamNotice("stream", f"stream can't be written, retrying ({error.message}{hint})")
                )

    def passed(self, subject: object, late: Callable[[], int]) -> bool:
        """A publish has succeeded; whether those before had failed. The end of all trouble, but for a missing
        permission, is said with how many records are late."""
        if self._failing.pop(subject, None) is None:
            return False
        # When the last subject works again, others have published already.
        self._late = max(self._late, late())
        left = {_cause(one.error) for one in self._failing.values()}
        if not left - {_DENIED}:
            over = self._told - left
            if over:
                late_ones = f", {self._late} {_records(self._late)} late" if self._late else ""
                self._say(StreamNotice("stream", f"stream can be written again{late_ones}"))
            self._told -= over
            self._late = 0
        return True


def _cause(error: SmscliError) -> str:
    """What is said once. How an engine is away may change, and a permission may be missing for many
    subjects."""
    if isinstance(error, NotPermitted):
        return _DENIED
    return "away" if isinstance(error, Unreachable) else error.message


class Notices:
    """What is to be said, until the main thread asks for it."""

    def __init__(self) -> None:
        self._waiting: deque[StreamNotice] = deque()

    def add(self, notice: StreamNotice) -> None:
        self._waiting.append(notice)

    def taken(self) -> list[StreamNotice]:
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found


def not_published(number: int, behind: int) -> StreamNotice:
    """What is said at the end of records that are left over, and of sessions whose messages weren't taken."""
    parts = [f"{number} {_records(number)}"] if number else []
    parts += [f"messages of {behind} {'session' if behind == 1 else 'sessions'}"] if behind else []
    is_one = number == 1 and not behind
    return StreamNotice(
        "stream",
        f"{' and '.join(parts)} {'was' if is_one else 'were'} not published to the stream;"
        " the next start publishes what the server still has",
    )


def _records(number: int) -> str:
    return "record" if number == 1 else "records"
