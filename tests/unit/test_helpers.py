"""Where helpers of the tests stand: in `support` and `server`; no test imports from another test."""

import ast

from tests.support.paths import TESTS

HELPERS = {"support", "server"}
# `bench` is a program of its own: only its modules and its tests import from it.
BENCH = {*HELPERS, "bench"}


def wrong_imports(code: str, *, allowed: set[str]) -> set[str]:
    """The modules under `tests` that the code imports although it may not."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    names = {name for name in found if name.startswith("tests.")}
    return {name for name in names if name.split(".")[1] not in allowed or is_test(name)}


def is_test(name: str) -> bool:
    return any(part.startswith("test_") or part == "conftest" for part in name.split(".")[1:])


def test_helpers_are_imported_from_support_only() -> None:
    wrong = {}
    for path in TESTS.rglob("*.py"):
        allowed = BENCH if path.is_relative_to(TESTS / "bench") else HELPERS
        wrong[path.relative_to(TESTS)] = wrong_imports(path.read_text(encoding="utf-8"), allowed=allowed)
    assert {path: names for path, names in wrong.items() if names} == {}


def test_the_check_sees_an_import_from_a_test() -> None:
    code = "import tests.cli.test_tail\nfrom tests.bench.test_bench import A\nfrom tests.support import b\n"
    assert wrong_imports(code, allowed=BENCH) == {"tests.cli.test_tail", "tests.bench.test_bench.A"}
    assert wrong_imports("from tests.bench import figures\n", allowed=HELPERS) == {"tests.bench.figures"}
