"""Every trap that the papers list has tests that carry its number, and every such test's trap is listed."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \|$", re.M)
TEST = re.compile(r"^\s*(?:async )?def (test_traps?_[\w]+)\(", re.M)


def proofs_by_trap() -> dict[int, set[str]]:
    """Names of tests by the numbers in them: ``test_trap_04_…``, ``test_traps_11_and_26_…``."""
    found: dict[int, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in TEST.findall(path.read_text(encoding="utf-8")):
            numbers = re.match(r"test_traps?_(\d\d)(?:_and_(\d\d))?_", name)
            assert numbers is not None, f"{name} in {path.name} names no number"
            for number in filter(None, numbers.groups()):
                found.setdefault(int(number), set()).add(path.relative_to(ROOT).as_posix())
    return found


def listed() -> dict[int, str]:
    """The last cell of each row of the table of traps."""
    text = (ROOT / "docs" / "DEVELOPMENT.md").read_text(encoding="utf-8")
    section = text.split("## Traps", 1)[1].split("\n## ", 1)[0]
    return {int(number): where for number, _, where in ROW.findall(section)}


def test_every_trap_is_listed_with_the_files_that_prove_it() -> None:
    found, rows = proofs_by_trap(), listed()
    assert sorted(rows) == list(range(1, 31))
    for number, where in rows.items():
        if where.startswith("not yet"):
            assert number not in found, f"trap {number} has tests now: list them"
        else:
            assert set(re.findall(r"`([^`]+)`", where)) == found.get(number, set()), f"trap {number}"
