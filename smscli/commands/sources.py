"""Where a command reads from: the server, or recordings or a stream that it names."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from smscli.context import AppContext
from smscli.errors import UsageError
from smscli.output.console import shell_words

if TYPE_CHECKING:
    from smscli.jetstream.address import StreamAddress
    from smscli.jetstream.connection import StreamConnection
    from smscli.recordings.reads import SourceReads

_STDIN = "-"
# As `jetstream.address` has them, which not every command must import.
_STREAM_SCHEMES = ("nats://", "tls://")


def open_sources(
    app: AppContext,
    arguments: Sequence[str] | None,
    sources: Sequence[str] | None,
    credentials: str | None = None,
    *,
    stdin: bool = True,
) -> list[str]:
    """Have `app` read from the recordings that `@FILE` and `-` among the arguments name, and the recordings
    or the stream of `--source`; `credentials` is the file of `--nats-creds`.

    Returns the other arguments. UsageError for an empty name, for `-` unless `stdin` can be read, for another
    address than a stream's, and for a stream beside something else.
    """
    names, files = [], [*(sources or ())]
    for one in arguments or ():
        if is_stream(one):
            stream_address(one)
            raise UsageError("a stream is read with --source", hint=f"write --source {shell_words([one])}")
        if one.startswith("@"):
            files.append(one[1:])
        elif one == _STDIN:
            files.append(one)
        else:
            names.append(one)
    if _STDIN in files and not stdin:
        raise UsageError("tail can't follow standard input", hint="record to a file, and follow that")
    if any(is_stream(one) for one in files):
        _read_stream(app, files, credentials)
    elif address := next((one for one in files if "://" in one), None):
        raise UsageError(
            f"{address!r} is neither a recording nor the address of a stream",
            hint="a stream is nats://HOST[:PORT][,HOST...]/STREAM, or tls://",
        )
    elif files:
        _read_recordings(app, [one if one == _STDIN else app.file(one) for one in files])
    return names


def is_stream(source: str) -> bool:
    """Whether it is the address of a stream, and not a file."""
    return source.lower().startswith(_STREAM_SCHEMES)


def stream_address(text: str) -> "StreamAddress":
    """The stream that an option names. UsageError."""
    from smscli.jetstream.address import parse_address

    return parse_address(text)


def connect_stream(app: AppContext, address: "StreamAddress", credentials: str | None) -> "StreamConnection":
    """A connection to NATS, open. UsageError without the package; Unreachable, NotPermitted."""
    from smscli.jetstream.connection import StreamConnection

    file = credentials or app.environ.get("SMSCLI_NATS_CREDS")
    connection = StreamConnection(
        address,
        credentials=app.file(file) if file else None,
        timeout=app.settings.timeout,
        ca_bundle=app.settings.ca_bundle,
    )
    connection.open()
    app.root.on_close(connection.close)
    return connection


def _read_recordings(app: AppContext, files: list[str]) -> None:
    def opened() -> "SourceReads":
        from smscli.recordings.reads import RecordedReads

        return RecordedReads(files, lambda message: app.notice("lost", message))

    app.read_recorded([one if one == _STDIN else f"@{one}" for one in files], opened)


def _read_stream(app: AppContext, sources: Sequence[str], credentials: str | None) -> None:
    if len(sources) > 1:
        raise UsageError(
            "a stream can't be read together with another one or with a recording",
            hint="give one --source with the address of the stream",
        )
    (source,) = sources
    address = stream_address(source)

    def opened() -> "SourceReads":
        from smscli.jetstream.reads import StreamReads

        connection = connect_stream(app, address, credentials)
        reads = StreamReads(connection, lambda message: app.notice("skipped", message))
        if stale := reads.stale_message(datetime.now(UTC)):
            app.notice("stale", stale)
        return reads

    app.read_recorded(["--source", source], opened)


def command_line(app: AppContext, *words: str) -> str | None:
    """A command line for the same source, as a shell takes it; `words` are a command and
    its arguments. None where standard input is read."""
    if _STDIN in app.source_words:
        return None
    demo = ["--demo"] if app.setting(lambda one: one.demo) else []
    return shell_words(["smscli", *demo, words[0], *app.source_words, *words[1:]])


def check_named(app: AppContext, command: str, ids: Sequence[str], *, every: bool) -> None:
    """Raises UsageError unless exactly one of ids and `--all` is given; of recordings all sessions are
    read without either."""
    if bool(ids) == every and (ids or not app.reads_recordings):
        wrong = "takes ids or --all, not both" if ids else "takes the ids of sessions, or --all"
        raise UsageError(f"{command} {wrong}", hint="`smscli list` shows the ids")
