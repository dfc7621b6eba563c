"""Where a command reads from: the server, or recordings that it names."""

from collections.abc import Sequence

from smscli.context import AppContext
from smscli.errors import UsageError

_STDIN = "-"


def open_sources(
    app: AppContext,
    arguments: Sequence[str] | None,
    sources: Sequence[str] | None,
    *,
    stdin: bool = True,
) -> list[str]:
    """Have `app` read from the recordings that `@FILE` and `-` among the arguments and `--source` name.

    Returns the other arguments. UsageError for an empty name, and for `-` unless `stdin` can be read.
    """
    names, files = [], [*(sources or ())]
    for one in arguments or ():
        if one.startswith("@"):
            files.append(one[1:])
        elif one == _STDIN:
            files.append(one)
        else:
            names.append(one)
    if _STDIN in files and not stdin:
        raise UsageError("tail can't follow standard input", hint="record to a file, and follow that")
    if files:
        app.read_recordings([one if one == _STDIN else app.file(one) for one in files])
    return names


def check_named(app: AppContext, command: str, ids: Sequence[str], *, every: bool) -> None:
    """Raises UsageError unless exactly one of ids and `--all` is given; of recordings all sessions are
    read without either."""
    if bool(ids) == every and (ids or not app.reads_recordings):
        wrong = "takes ids or --all, not both" if ids else "takes the ids of sessions, or --all"
        raise UsageError(f"{command} {wrong}", hint="`smscli list` shows the ids")
