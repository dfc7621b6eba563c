"""The constraints with which CI tests the lowest declared versions."""

import pytest

from tests.support.lowest_versions import constraints


def test_the_lowest_version_of_each_dependency_is_pinned() -> None:
    assert constraints(["typer>=0.28,<0.29", "requests>=2.32.3"]) == ["typer==0.28", "requests==2.32.3"]


def test_a_dependency_without_a_lowest_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="no lowest version: rich<14"):
        constraints(["rich<14"])
