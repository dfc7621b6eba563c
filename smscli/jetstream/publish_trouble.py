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
        self._failing: dict[object, float] = {}
        self._told: set[str] = set()
        self._last: SmscliError | None = None
        self._late = 0

    def failed(self, subject: object, error: SmscliError, since: float) -> None:
        """A publish that began then has failed."""
        self._failing.setdefault(subject, since)
        self._last = error
        self.look()

    def look(self) -> None:
        """Say what is due by now; to be called several times a second."""
        if not self._failing or self._last is None:
            return
        error = self._last
        is_lasting = self._clock() - min(self._failing.values()) >= _SILENT_SECONDS
        # How an engine is away may change from try to try: said once.
        what = "away" if isinstance(error, Unreachable) else error.message
        if isinstance(error, NotPermitted):
            # One permission may be missing for every subject.
            what = "not permitted"
        if what not in self._told and (isinstance(error, _AT_ONCE) or (is_lasting and not self._told)):
            self._told.add(what)
            hint = f"; {error.hint}" if isinstance(error, _AT_ONCE) and error.hint else ""
            self._say(StreamNotice("stream", f"stream can't be written, retrying ({error.message}{hint})"))

    def passed(self, subject: object, late: Callable[[], int]) -> bool:
        """A publish has succeeded; whether those before had failed. The end of all trouble is said with how
        many records are late."""
        if self._failing.pop(subject, None) is None:
            return False
        # When the last subject works again, others have published already.
        self._late = max(self._late, late())
        if not self._failing:
            self._end()
        return True

    def _end(self) -> None:
        if self._told:
            late_ones = f", {self._late} {_records(self._late)} late" if self._late else ""
            self._say(StreamNotice("stream", f"stream can be written again{late_ones}"))
        self._told.clear()
        self._last, self._late = None, 0


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
