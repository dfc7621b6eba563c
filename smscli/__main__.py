"""Entry point: handles `--version` and shell completion without further imports; `cli` does the rest."""

import signal
import sys
from io import TextIOWrapper


def main() -> None:
    """Run smscli with the arguments of the process, and exit."""
    # Until `cli` installs its handlers, Ctrl-C ends the process without Python's traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Output for pipes ends its lines with LF on every platform; help and version are written as text.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(newline="\n")
    if sys.argv[1:] == ["--version"]:
        sys.exit(_version())
    if sys.argv[1:2] == ["__complete"]:
        from smscli.completion import run as complete

        sys.exit(complete(sys.argv[2:]))
    import gc

    # Messages form no reference cycles; the default thresholds cost 6 % on long reads.
    gc.set_threshold(100_000, 50, 50)
    from smscli.cli import run

    code = run(sys.argv[1:])
    _detach_broken_stdout()
    sys.exit(code)


def _detach_broken_stdout() -> None:
    """Drop stdout if it can't be flushed: Python would report the error again, and exit with 120."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        sys.stdout = None


def _version() -> int:
    from smscli import __version__

    try:
        sys.stdout.write(f"smscli {__version__}\n")
        sys.stdout.flush()
        return 0
    except (OSError, AttributeError) as error:  # stdout is None if the process was started without one
        sys.stdout = None
        from smscli.output.console import is_reader_gone

        if isinstance(error, OSError) and is_reader_gone(error, 1):
            return 141
        if sys.stderr:
            reason = getattr(error, "strerror", "it is closed")
            sys.stderr.write(f"error: output can't be written: {reason}\n")
        return 1


if __name__ == "__main__":
    main()
