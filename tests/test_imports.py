"""Who may import whom: the rooms of the package and the doors between them."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "smscli"

MODEL = {"model"}
RENDER = {"model", "text", "transcript", "activity"}
COMMANDS = {
    "activity",
    "bayeux",
    "complete",
    "client",
    "config",
    "context",
    "credentials",
    "cursor",
    "demo",
    "errors",
    "export",
    "feed",
    "model",
    "options",
    "proxy",
    "recording",
    "redact",
    "render",
    "selection",
    "shapes",
    "terminal",
    "text",
    "transcript",
    "transport",
}

# Our own modules that each module may import.
OURS: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli", "complete", ""},
    "complete": {"client", "config", "credentials", "demo", "files", "model", "state"},
    "errors": set(),
    "model": set(),
    "text": set(),
    "wire": {"errors", "model"},
    "proxy": {"errors"},
    "signin": {"errors"},
    "connections": {"errors"},
    "failures": {"errors"},
    "transport": {"connections", "errors", "failures", "proxy", "signin", ""},
    "bayeux": {"errors", "model", "transport", "wire"},
    "push": {"bayeux", "errors", "model", "pace", "transport"},
    "paging": MODEL,
    "shapes": {"model", "wire"},
    "ahead": set(),
    "answers": {"errors", "transport", "wire"},
    "client": {"ahead", "answers", "errors", "model", "paging", "transport", "wire"},
    "cursor": MODEL,
    "pace": set(),
    "followed": {"cursor", "errors", "model", "pace"},
    "feed": {"cursor", "errors", "followed", "model", "pace"},
    "transcript": MODEL,
    "activity": MODEL,
    "pattern": {"errors"},
    "redact": {"errors", "model"},
    "selection": {"errors", "model", "pattern", "transcript"},
    "state": {"errors", "files"},
    "files": set(),
    "origin": {"errors"},
    "config": {"errors", "files", "origin"},
    "credentials": {"errors", "interrupts"},
    "interrupts": set(),
    "stream": {"errors", "interrupts"},
    "terminal": {"errors", "interrupts", "stream"},
    "export": {"model", "text", "transcript", "activity"},
    "options": {"errors"},
    "recording": {"errors", "export", "files", "model", "wire"},
    "context": {
        "client",
        "config",
        "credentials",
        "demo",
        "errors",
        "export",
        "push",
        "redact",
        "state",
        "terminal",
        "text",
        "",
    },
    "cli": {"commands", "config", "context", "errors", "interrupts", "options", "terminal", ""},
    "commands": COMMANDS,
    "render": RENDER,
    "demo": set(),
}

# Third parties that each module may import; the standard library is everybody's.
THEIRS: dict[str, set[str]] = {
    "signin": {"requests"},
    "connections": {"requests", "truststore", "urllib3"},
    "failures": {"requests", "urllib3"},
    "transport": {"requests", "urllib3"},
    "config": {"tomlkit"},
    "credentials": {"keyring"},
    "terminal": {"rich"},
    "render": {"rich"},
    "options": {"typer"},
    "commands": {"typer"},
    "cli": {"typer"},
}

# Slow to import, and so never at the top of a module that every command loads.
LAZY = {"requests", "keyring", "rich", "tomlkit", "truststore", "urllib3"}
LOADED_BY_EVERY_COMMAND = {
    "__main__", "cli", "commands", "config", "context", "credentials", "errors", "interrupts", "model",
    "options", "stream", "terminal", "text",
}  # fmt: skip

MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


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
    if own in LOADED_BY_EVERY_COMMAND:
        assert not third_parties(at_the_top(tree)) & LAZY


def test_the_check_sees_a_forbidden_import() -> None:
    tree = ast.parse("def late() -> None:\n    from smscli.client import GwsClient\n    import requests\n")
    assert ours(imported(tree), "feed") == {"client"}
    assert third_parties(imported(tree)) == {"requests"}
    assert at_the_top(tree) == set()
