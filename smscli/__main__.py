"""The program: answers a sole `--version`, and shells that complete a word, before anything else is loaded;
else hands over to `cli`."""

import signal
import sys


def main() -> None:
    """Run smscli with the process's own arguments and end with its exit code."""
    # Python's own way with Ctrl-C is a traceback; until `cli` is loaded and listens, it has nothing to end.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:] == ["--version"]:
        sys.exit(_version())
    if sys.argv[1:2] == ["__complete"]:
        from smscli.completion import run as complete

        sys.exit(complete(sys.argv[2:]))
    import gc

    # Of a million messages none leads back to itself: looking for such circles took 6 % of a long read.
    gc.set_threshold(100_000, 50, 50)
    from smscli.cli import run

    code = run(sys.argv[1:])
    _let_go_of_stdout()
    sys.exit(code)


def _let_go_of_stdout() -> None:
    """What help could not write has been told: at its end Python would tell it again, and end with 120."""
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
    except BrokenPipeError:
        sys.stdout = None
        return 141
    except (OSError, AttributeError) as error:  # a process may be started without a stdout at all
        sys.stdout = None
        if sys.stderr:
            reason = getattr(error, "strerror", "it is closed")
            sys.stderr.write(f"error: output can't be written: {reason}\n")
        return 1


if __name__ == "__main__":
    main()
