"""Who may import whom: the rooms of the package and the doors between them."""

import ast
from pathlib import Path

import pytest

from tests.support.paths import PACKAGE

# Our own rooms and ground-floor modules that each room may import.
OURS: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli", "completion", "output", ""},
    "errors": set(),
    "sanitize": set(),
    "signals": set(),
    "model": {"errors"},
    "backoff": {"errors"},
    "paging": {"model"},
    "transcript": {"errors", "model", "sanitize"},
    "follow": {"backoff", "errors", "model", "paging"},
    "gws": {"backoff", "errors", "model", "paging", "signals", ""},
    "settings": {"errors", "sanitize", "signals"},
    "records": {"errors", "model", "sanitize"},
    "output": {"errors", "model", "records", "sanitize", "signals", "transcript"},
    "recordings": {"errors", "gws", "model", "records", "settings", "signals"},
    "jetstream": {"backoff", "errors", "gws", "model", "recordings", "records", "signals"},
    "demo": set(),
    "context": {
        "demo", "errors", "gws", "model", "output", "recordings", "records", "sanitize", "settings",
        "transcript", "",
    },
    "completion": {
        "context", "demo", "errors", "gws", "model", "output", "sanitize", "settings", "signals",
    },
    "commands": {
        "completion", "context", "demo", "errors", "follow", "gws", "jetstream", "model", "output",
        "recordings", "records", "sanitize", "settings", "signals", "transcript",
    },
    "cli": {"commands", "context", "errors", "output", "settings", "signals", ""},
}  # fmt: skip

# Third parties that each room may import; the standard library is everybody's.
THEIRS: dict[str, set[str]] = {
    "gws": {"idna", "requests", "truststore", "urllib3"},
    "settings": {"idna", "keyring", "tomlkit"},
    "jetstream": {"nats", "nkeys"},
    "output": {"rich"},
    "transcript": {"regex"},
    "commands": {"typer"},
    "cli": {"typer"},
}

# Slow to import, and so never at the top of a module that every command loads.
LAZY = {"keyring", "nats", "nkeys", "regex", "requests", "rich", "tomlkit", "truststore", "urllib3"}
LOADED_BY_EVERY_COMMAND = {
    "__main__", "cli", "commands", "context", "errors", "model", "output.terminal", "output.writer",
    "sanitize", "settings", "signals",
}  # fmt: skip

MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "smscli":
            names |= {f"smscli.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
    return names


def at_the_top(tree: ast.Module) -> set[str]:
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return imported(ast.Module(body=list(top), type_ignores=[]))


def ours(names: set[str], own: str) -> set[str]:
    parts = {name.split(".")[1] for name in names if name.startswith("smscli.")}
    known = {room(path) for path in MODULES}
    return {part if part in known else "" for part in parts} - {own}


def third_parties(names: set[str]) -> set[str]:
    import sys

    roots = {name.split(".")[0] for name in names}
    return roots - set(sys.stdlib_module_names) - {"smscli", ""}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_its_neighbours(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = room(path)
    assert own in OURS, f"{own} has no place in the layout"
    assert ours(imported(tree), own) <= OURS[own]
    assert third_parties(imported(tree)) <= THEIRS.get(own, set())
    if {own, dotted(path)} & LOADED_BY_EVERY_COMMAND:
        assert not third_parties(at_the_top(tree)) & LAZY


def test_the_ground_floor_is_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 15


def test_the_check_sees_a_forbidden_import() -> None:
    tree = ast.parse(
        "def late() -> None:\n    from smscli.gws.client import GwsClient\n    import requests\n"
    )
    assert ours(imported(tree), "follow") == {"gws"}
    assert third_parties(imported(tree)) == {"requests"}
    assert at_the_top(tree) == set()
