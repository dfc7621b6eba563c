"""One word for one thing: a class name occurs once in the package."""

import ast
from collections import Counter

from tests.support.paths import PACKAGE


def class_names() -> list[str]:
    """The classes of all modules, without a leading underscore."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]
    return [node.name.lstrip("_") for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]


def test_no_class_name_occurs_twice() -> None:
    counted = Counter(class_names())
    assert len(counted) > 100
    assert [name for name, times in counted.items() if times > 1] == []
