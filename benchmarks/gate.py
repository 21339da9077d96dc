"""How often the gate and the screening of mastered levels err: simulated with the game's real transitions, and exact.

    python benchmarks/gate.py [--runs 1000] [--seed 0] [--json FILE]

A simulated hero answers every question right with one fixed probability, independently; real heroes change while they learn,
and small levels ask the same few problems again, for which nothing is claimed here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from configs.loader import load_game
from configs.schema import ExamRules
from engine.curriculum.simulate import (
    climb,
    found_probability,
    lost_probability,
    pass_probability,
    win_probability,
)
from engine.statistics import interval

EXAMS = 300
MANY = 2000
OPERATIONS = tuple(f"operation{i}" for i in range(14))


def gate_rows(rules: ExamRules, runs: int, seed: int) -> list[dict[str, Any]]:
    """Level-ups of heroes of fixed accuracy within 300 exams at one level."""
    rows = []
    for accuracy in (0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90):
        climbs = [climb({"all": accuracy}, rules, exams=EXAMS, seed=seed + run) for run in range(runs)]
        won = [c for c in climbs if c.won]
        rows.append(
            {
                "accuracy": accuracy,
                "runs": runs,
                "won": len(won),
                "share": len(won) / runs,
                "interval": interval(len(won), runs, 0.05),
                "exact": win_probability(accuracy, rules, exams=EXAMS),
                f"exact_{MANY}": win_probability(accuracy, rules, exams=MANY),
                "one_exam": pass_probability(accuracy, rules),
                "median_items": statistics.median(c.items for c in won) if won else None,
                "within_400": sum(c.items <= 400 for c in won) / runs,
                "steps": max(c.steps for c in climbs),
            }
        )
    return rows


def floor_rows(rules: ExamRules, runs: int, seed: int) -> list[dict[str, Any]]:
    """A hero at .95 in 13 of 14 operations: how often the last one holds it back."""
    rows = []
    for weak in (0.30, 0.40, 0.50, 0.60, 0.70, 0.95):
        accuracies = {**dict.fromkeys(OPERATIONS, 0.95), OPERATIONS[0]: weak}
        climbs = [climb(accuracies, rules, exams=40, seed=seed + run) for run in range(runs)]
        won = [c for c in climbs if c.won]
        rows.append(
            {
                "weak_operation": weak,
                "won_within_40_exams": len(won) / runs,
                "at_the_third": sum(c.exams == rules.streak for c in won) / runs,
                "median_exams": statistics.median(c.exams for c in won) if won else None,
            }
        )
    return rows


def held_rows(rules: ExamRules, runs: int, seed: int) -> list[dict[str, Any]]:
    """One mastered level of known accuracy at the first screening of a level-up."""
    rows = []
    for accuracy in (0.50, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90):
        climbs = [
            climb({"all": 1.0}, rules, exams=rules.streak, seed=seed + run, held=[accuracy]) for run in range(runs)
        ]
        lost = lost_probability(accuracy, rules)
        rows.append(
            {
                "accuracy": accuracy,
                "lost": sum(c.blocked for c in climbs) / runs,
                "lost_exact": lost,
                "any_of_10_lost": 1 - (1 - lost) ** 10,
                "any_of_25_lost": 1 - (1 - lost) ** 25,
                "found_again": found_probability(accuracy, rules),
            }
        )
    return rows


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows under their keys."""
    cells = [[_text(value) for value in row.values()] for row in rows]
    heads = list(rows[0])
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    print(f"\n{title}")
    for line in [heads, *cells]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{part:.4f}" for part in value) + "]"
    return str(value)


def main(arguments: list[str]) -> int:
    """Print the tables; write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    rules = load_game().exams
    facts = {
        "gate": gate_rows(rules, options.runs, options.seed),
        "floor": floor_rows(rules, options.runs, options.seed),
        "held": held_rows(rules, options.runs, options.seed),
        "gate_400_exams_exact": {p: win_probability(p, rules, exams=400) for p in (0.65, 0.70, 0.75)},
    }
    table(f"Wins of one level within {EXAMS} exams of {rules.items}, by true accuracy", facts["gate"])  # type: ignore[arg-type]
    table("A single weak operation among 14, the others at .95", facts["floor"])  # type: ignore[arg-type]
    table("Screening of one mastered level, by true accuracy", facts["held"])  # type: ignore[arg-type]
    print(f"\nwithin 400 exams, exact: {facts['gate_400_exams_exact']}")
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
