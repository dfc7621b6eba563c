"""Where things stand in a checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
PACKAGE = ROOT / "smscli"
README = ROOT / "README.md"
GOLDEN = TESTS / "golden"
WIRE_FIXTURES = TESTS / "fixtures" / "wire"
