"""How many problems a second each skill makes on one core, level by level, and what judging an answer costs.

    python -m benchmarks.generators [--skills bin sy] [--levels 1 5 10 20 30 50] [--count 1000] [--json FILE]

Problems are training problems of the mix, worded and hashed; answers judged are the right ones. Counted is the processor time of
this process, so that other programs do not make a generator look slower than it is. The first problem of a level is made
beforehand: reading the stock of words is told apart.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from benchmarks.figures import table
from benchmarks.options import parser
from skills.contract import Skill
from skills.registry import get_skill, skill_ids

MIXES = ("full", "hatchling")
LEVELS = (1, 5, 8, 10, 15, 20, 30, 40, 50)
ROUNDS = 3


def pace(skill: Skill, level: int, mix: str, count: int) -> dict[str, float]:
    """Problems made and answers judged in a second of processor time: the median of three rounds."""
    problems = [skill.generate(level, index, "train", mix) for index in range(8)]
    made, judged = [], []
    for round_ in range(ROUNDS):
        first = 8 + round_ * count
        began = time.process_time()
        problems = [skill.generate(level, index, "train", mix) for index in range(first, first + count)]
        made.append(count / (time.process_time() - began))
        began = time.process_time()
        for problem in problems:
            skill.score(problem, problem.answer)
        judged.append(count / (time.process_time() - began))
    return {"made_per_s": statistics.median(made), "judged_per_s": statistics.median(judged)}


def rows_of(skill_id: str, levels: list[int], count: int) -> list[dict[str, Any]]:
    """One row for each level and mix of a skill."""
    skill, rows = get_skill(skill_id), []
    for mix in (m for m in MIXES if m in skill.config.mixes):
        began = time.process_time()
        skill.generate(1, 0, "train", mix)
        first = time.process_time() - began
        for level in (n for n in levels if n <= skill.config.max_level):
            found = pace(skill, level, mix, count)
            rows.append(
                {
                    "skill": skill_id,
                    "mix": mix,
                    "level": level,
                    "made_per_s": round(found["made_per_s"]),
                    "judged_per_s": round(found["judged_per_s"]),
                    "first_s": round(first, 3) if level == levels[0] else None,
                }
            )
    return rows


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    options = parser("generators", __doc__)
    options.add_argument("--skills", nargs="+", default=list(skill_ids()), metavar="ID")
    options.add_argument("--levels", nargs="+", type=int, default=list(LEVELS), metavar="N")
    options.add_argument("--count", type=int, default=1000, metavar="N", help="problems a round")
    chosen = options.parse_args(arguments)
    rows = [row for skill_id in chosen.skills for row in rows_of(skill_id, chosen.levels, chosen.count)]
    table("Problems a second of one core", rows)
    slowest = {
        skill_id: min(row["made_per_s"] for row in rows if row["skill"] == skill_id) for skill_id in chosen.skills
    }
    print("\nslowest level: " + ", ".join(f"{skill_id} {pace_:,}/s" for skill_id, pace_ in slowest.items()))
    if chosen.json:
        chosen.json.write_text(json.dumps({"rows": rows, "slowest": slowest}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
