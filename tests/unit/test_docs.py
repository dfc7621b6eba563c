"""The documents for contributors name only files, folders and modules that exist."""

import re
from pathlib import Path

import pytest

from tests.support.paths import PACKAGE, ROOT

DOCUMENTS = [
    path
    for path in (
        PACKAGE / "README.md",
        PACKAGE / "gws" / "README.md",
        ROOT / "tests" / "README.md",
        ROOT / ".github" / "CONTRIBUTING.md",
    )
    if path.exists()
]

_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_DOTTED = re.compile(r"(?:smscli|tests)(?:\.\w+)+")


def missing(text: str) -> list[str]:
    """The paths and modules in inline code of a Markdown text that stand for no file of the project.

    A path begins with a top-level name of the project or of the package, or ends in `.py`.
    """
    tops = {one.name for folder in (ROOT, PACKAGE) for one in folder.iterdir()}
    absent: list[str] = []
    for span in _CODE.findall(_FENCED.sub("", text)):
        for word in span.split():
            name = word.split("::")[0].rstrip("/")
            if _DOTTED.fullmatch(name):
                name = name.replace(".", "/")
            elif not (name.endswith(".py") or ("/" in name and name.split("/")[0] in tops)):
                continue
            if not any(_exists(folder, name) for folder in (ROOT, PACKAGE)):
                absent.append(word)
    return absent


def _exists(folder: Path, name: str) -> bool:
    return any(folder.glob(name)) or (folder / name).with_suffix(".py").exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_is_named_exists(document: Path) -> None:
    assert missing(document.read_text(encoding="utf-8")) == []


def test_a_name_that_does_not_exist_is_found() -> None:
    text = "`gws/decode.py` `gws/nothing.py` `gws/decode` `/api/v2` `tests.bench` `-m tests.nothing`"
    fenced = "```\n`gws/nowhere.py`\n```\n"
    assert missing(fenced + text) == ["gws/nothing.py", "tests.nothing"]
