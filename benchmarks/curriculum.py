"""The game against plain training: levels learnt in the same processor time, judged by one common exam.

    python -m benchmarks.curriculum [--seeds 5] [--first 0] [--beside 1] [--marks 2 5 10] [--ways game uniform-8 ...]
                                   [--rules FILE] [--json FILE]

Ways: ``game`` (the whole game: curriculum, exams, checkpoints, as a player runs it), ``uniform-N`` (the same engine on a uniform mix of
levels 1 to N) and ``trl-N`` (SFTTrainer on that mix; needs the extra ``bench``). The clock is the processor time of the one process
that trains, one thread, imports included: it runs equally fast on a quiet and on a busy machine, nearly. Everything beside training
that the game does in that process counts against it; ``--rules`` lays a player's ``game.yaml`` over the shipped rules. What is set aside at a mark sits the exam of `benchmarks.learning` afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.figures import table
from benchmarks.learning import Mark, examine, live
from benchmarks.living import home

WAYS = ("game", "uniform-8", "uniform-12", "uniform-20", "uniform-30", "trl-12")


@dataclass(frozen=True, slots=True)
class Task:
    """One way with one seed."""

    way: str
    seed: int


def train(task: Task, marks: list[float], aside: Path) -> list[Mark]:
    """What was set aside on the way."""
    if task.way == "game":
        return live(task.seed, marks, aside, processor=True).marks
    kind, _, levels = task.way.partition("-")
    folder = aside / f"{task.way}-{task.seed}"
    words = ["trl" if kind == "trl" else "engine", levels, str(task.seed), str(folder), *(f"{m:g}" for m in marks)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.plain_training", *words], stdout=subprocess.PIPE, text=True, check=False
    )
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"minutes"')]
    if len(told) != len(marks):
        raise SystemExit(f"{task.way} with seed {task.seed} ended before its last mark")
    print(f"  {task.way}, seed {task.seed}: {told[-1]['step']} steps", file=sys.stderr)
    return [Mark(t["minutes"], t["step"], 0, 0, Path(t["folder"])) for t in told]


def report(found: dict[Task, list[Mark]], marks: list[float]) -> list[dict[str, Any]]:
    """Print the table: levels at .70 or above by way and mark, over the seeds."""
    rows = []
    for way in dict.fromkeys(task.way for task in found):
        row: dict[str, Any] = {"way": way, "seeds": sum(task.way == way for task in found)}
        for mark in marks:
            good = [m.good for task, seen in found.items() if task.way == way for m in seen if m.minutes == mark]
            row[f"{mark:g} min"] = f"{statistics.median(good):g} ({min(good)}-{max(good)})"
        row["steps"] = statistics.median(seen[-1].step for task, seen in found.items() if task.way == way)
        rows.append(row)
    table("Levels of 30 at .70 or above on the common exam, by processor minutes: median (range)", rows)
    return rows


def main(arguments: list[str]) -> int:
    """Train all ways and seeds, then examine."""
    about, _, how = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.curriculum",
        description=about,
        epilog=how,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed [0]")
    parser.add_argument("--beside", type=int, default=1, help="how many run side by side [1]")
    parser.add_argument("--marks", type=float, nargs="+", default=[2, 5, 10], metavar="MIN")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), metavar="WAY")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="a game.yaml for the way `game`")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    marks = sorted(options.marks)
    tasks = [Task(way, options.first + n) for n in range(options.seeds) for way in options.ways]
    found: dict[Task, list[Mark]] = {}
    with home() as root, ThreadPoolExecutor(options.beside) as pool:
        if options.rules:
            (root / "config").mkdir(exist_ok=True)
            shutil.copy(options.rules, root / "config" / "game.yaml")
        for task, seen in zip(tasks, pool.map(lambda t: train(t, marks, root / "aside"), tasks), strict=True):
            for mark in seen:
                mark.won = 30
                examine(mark, 128)
            found[task] = seen
            if options.json:
                options.json.write_text(json.dumps(_plain(found, []), indent=1))
        rows = report(found, marks)
    if options.json:
        options.json.write_text(json.dumps(_plain(found, rows), indent=1))
    return 0


def _plain(found: dict[Task, list[Mark]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "table": rows,
        "runs": [
            {
                "way": task.way,
                "seed": task.seed,
                "marks": [{"minutes": m.minutes, "step": m.step, "good": m.good, "levels": m.levels} for m in seen],
            }
            for task, seen in found.items()
        ],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
