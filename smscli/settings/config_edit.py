"""Edits the config file in place: comments, unknown keys and layout are kept."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from smscli.errors import ConfigError
from smscli.settings.files import locked, replace_file


def edit(
    path: Path,
    read: Callable[[Path], tuple[str, dict[str, Any]]],
    change: Callable[[MutableMapping[str, Any]], None],
    then: Callable[[], object],
) -> dict[str, Any]:
    """Change the file under its lock, call `then`, and return the new document.

    If `then` raises an error, the earlier text is restored. ConfigError: the file can't be written, or
    tomlkit would damage the rest of it.
    """
    import tomllib

    import tomlkit

    try:
        with locked(path):
            existed = path.exists()
            text, expected = read(path)
            change(expected)
            document = tomlkit.parse(text)
            change(document)
            written = tomlkit.dumps(document)
            if tomllib.loads(written) != expected:
                raise ValueError("tomlkit changed more than it should")
            try:
                replace_file(path, written)
                then()
            except BaseException:
                _restore(path, text if existed else None)
                raise
            return expected
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    except (ValueError, tomlkit.exceptions.TOMLKitError) as error:
        raise ConfigError(f"{path} can't be changed by smscli", hint="change it with an editor") from error


def _restore(path: Path, text: str | None) -> None:
    """The former text; None: there was no file. A link to it stays."""
    with suppress(OSError):
        if text is None:
            path.resolve().unlink()
        else:
            replace_file(path, text)


def update_table(table: Any, values: Mapping[str, object]) -> None:
    """Set the keys of a table; those that are None are removed.

    New keys go before the comments at its end, which belong to the next table.
    """
    from tomlkit import items

    body = table.value.body if isinstance(table, items.Table) else []
    end = len(body)
    while end and body[end - 1][0] is None:
        end -= 1
    last, body[end:] = body[end:], []
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif table.get(key) != value:
            table[key] = value
    body.extend(last)
