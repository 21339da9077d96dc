"""Which combinations of family, method and optimizer a test really trains: every pair of family and method, and of method and optimizer."""

from __future__ import annotations

from dataclasses import dataclass

from tests.families.folders import FORMATS

METHODS = ("full", "lora", "dora", "qlora", "lora_8bit", "galore")
PLAIN = ("adamw", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "muon", "sgd")
GALORE = ("galore_adamw", "galore_adamw_8bit")


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination."""

    family: str
    method: str
    optimizer: str

    def __str__(self) -> str:
        return f"{self.family}-{self.method}-{self.optimizer}"


CELLS = [
    Cell(
        family,
        method,
        GALORE[row % len(GALORE)] if method == "galore" else PLAIN[(row + column) % len(PLAIN)],
    )
    for row, family in enumerate(FORMATS)
    for column, method in enumerate(METHODS)
]


def table() -> str:
    """The combinations as a Markdown table: a row for each family, a column for each method."""
    lines = [f"| family | {' | '.join(METHODS)} |", "|---" * (len(METHODS) + 1) + "|"]
    for family in FORMATS:
        found = {cell.method: cell.optimizer for cell in CELLS if cell.family == family}
        lines.append(f"| {family} | {' | '.join(found[method] for method in METHODS)} |")
    return "\n".join(lines)
