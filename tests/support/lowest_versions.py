"""Prints constraints for pip that hold each dependency at the lowest version that pyproject.toml declares."""

import re
import tomllib

from tests.support.paths import ROOT


def constraints(requirements: list[str]) -> list[str]:
    """`["rich>=13.9"]` becomes `["rich==13.9"]`; ValueError for a requirement without a lowest version."""
    return [_lowest(requirement) for requirement in requirements]


def _lowest(requirement: str) -> str:
    declared = re.match(r"([\w.-]+)>=([\w.]+)", requirement)
    if declared is None:
        raise ValueError(f"no lowest version: {requirement}")
    return f"{declared[1]}=={declared[2]}"


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    print("\n".join(constraints(project["dependencies"])))
