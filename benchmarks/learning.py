"""What a newborn hero learns in ten minutes: levels won and held, accuracy per operation, and what blocks the next level.

    python -m benchmarks.learning [--seeds 5] [--first 0] [--beside 1] [--marks 2 5 10] [--json FILE]

Each seed is a new save, played by ``realm run`` as a player would. The clock starts with the command: imports, exams and
checkpoints count. At every mark the engine writes a checkpoint, which is set aside; after the run all of them sit one common
fresh exam, won levels or not: up to 128 problems a level (256 at the last mark), which no gate has asked. "held" is the
game's own count at the mark (mastered levels that are not lost); "at .70" counts levels on the common exam.

Takes seeds x the last mark, and the exams.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil

from benchmarks.figures import spread, table
from benchmarks.living import REALM, home
from configs.errors import RealmError
from configs.loader import load_game, load_hero
from configs.paths import SaveFolder
from engine.chat.template import answer_text, encode_prompt
from engine.generate import greedy
from engine.hero.loading import load_folder
from engine.hero.model import Hero
from engine.link.ring import RingReader
from engine.placement import choose
from engine.precision import exact_matmul
from saves.database import open_save
from skills.contract import Skill
from skills.registry import get_skill

SKILL = "bin"
HELD_SHARE = 0.70
FAR = 20_000
"""Index of the common exam's first problem: further than the gate gets in an hour."""
GIVE_UP_BELOW = 0.30
"""Levels above one that answers so few are not asked."""


@dataclass(slots=True)
class Mark:
    """The hero at one moment of one run."""

    minutes: float
    step: int
    won: int
    held: int
    checkpoint: Path
    levels: dict[int, float] = field(default_factory=dict)
    """Share of right answers on the common exam, by level."""

    @property
    def good(self) -> int:
        """Levels at or above .70 on the common exam."""
        return sum(share >= HELD_SHARE for share in self.levels.values())


@dataclass(slots=True)
class Life:
    """One seed."""

    seed: int
    first_step_s: float | None
    won_at_s: dict[int, float]
    marks: list[Mark]
    operations: dict[str, dict[str, Any]]
    """Of the last gate exams, from the machine contract: correct, items, chance."""
    weakest: str | None
    lost: list[int]
    at_chance: list[str]


def realm(save: str, *words: str) -> Any:
    """A command's JSON answer about one save."""
    done = subprocess.run([*REALM, *words, "--save", save, "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"realm {' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def live(seed: int, marks: list[float], aside: Path, *, processor: bool = False) -> Life:
    """Play one seed to the last mark; with ``processor`` the marks are processor time of the process that trains."""
    save = f"seed-{seed}"
    began_at, began = time.time(), time.monotonic()
    minutes = f"{marks[-1] * (20 if processor else 1) + 1:g}"
    player = subprocess.Popen(
        [*REALM, "run", "--save", save, "--seed", str(seed), "--minutes", minutes],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    seen: list[Mark] = []
    try:
        for mark in marks:
            if processor:
                _spent(save, player, 60 * mark)
            else:
                with suppress(subprocess.TimeoutExpired):
                    player.wait(timeout=max(0.0, began + 60 * mark - time.monotonic()))
            if player.poll() is not None:
                error = player.stderr.read().decode() if player.stderr else ""
                raise SystemExit(f"the run of seed {seed} ended by itself: {error.strip()}")
            skill = realm(save, "status")["skills"][SKILL]
            written = realm(save, "checkpoint")["result"]
            source = SaveFolder.named(save).checkpoints / written["name"]
            target = aside / f"{save}-{mark:g}"
            shutil.copytree(source, target)
            seen.append(Mark(mark, written["step"], skill["mastered"], skill["held"], target))
            print(f"  seed {seed}: {mark:g} min, step {written['step']}, won {skill['mastered']}", file=sys.stderr)
        status = realm(save, "status")
    finally:
        subprocess.run([*REALM, "stop", "--save", save], capture_output=True, check=False)
        player.wait(timeout=120)
    skill = status["skills"][SKILL]
    won, first = _times(SaveFolder.named(save), began_at)
    return Life(seed, first, won, seen, skill["operations"], skill["weakest"], skill["lost"], skill["at_chance"])


def _spent(save: str, player: subprocess.Popen[bytes], seconds: float) -> None:
    """Until the trainer of ``save`` has used so much processor time, imports included, or the player has ended."""
    folder = SaveFolder.named(save)
    while player.poll() is None:
        with suppress(RealmError, psutil.Error):
            with RingReader(folder.ring) as ring:
                times = psutil.Process(ring.pid).cpu_times()
            if times.user + times.system >= seconds:
                return
        time.sleep(0.25)


def _times(folder: SaveFolder, began_at: float) -> tuple[dict[int, float], float | None]:
    """Seconds after the command at which each level was won, and at which the first window of steps began."""
    conn = open_save(folder, write=False)
    try:
        found = conn.execute("SELECT to_level, at FROM level_ups WHERE skill = ? ORDER BY at", (SKILL,)).fetchall()
        won = {row["to_level"]: row["at"] - began_at for row in found}
        row = conn.execute("SELECT MIN(first_at) AS at FROM step_windows").fetchone()
    finally:
        conn.close()
    return won, row["at"] - began_at if row["at"] is not None else None


def examine(mark: Mark, most: int) -> None:
    """The common exam of one checkpoint, off the clock."""
    config, rules = load_hero("pip"), load_game()
    placement = choose(config, rules.engine)
    hero = load_folder(config, mark.checkpoint, placement)
    hero.model.eval()
    skill, mix = get_skill(SKILL), config.skills[SKILL]
    for level in range(1, skill.config.max_level + 1):
        mark.levels[level] = _share(hero, skill, mix, level, most)
        if mark.levels[level] < GIVE_UP_BELOW and level > mark.won:
            break


def _share(hero: Hero, skill: Skill, mix: str, level: int, most: int) -> float:
    pool = skill.exam_pool(level, mix, most)
    first = FAR if pool == most else 0
    problems = [skill.generate(level, first + n, "exam", mix) for n in range(pool)]
    prompts = [encode_prompt(hero, [{"role": "user", "content": p.prompt}]) for p in problems]
    with exact_matmul():
        given = greedy(hero, prompts, max(len(p.answer) for p in problems) + 8)
    right = [skill.score(p, answer_text(hero, ids)).correct for p, ids in zip(problems, given, strict=True)]
    return sum(right) / pool


def report(lives: list[Life]) -> dict[str, Any]:
    """Print the tables; the same as plain values."""
    rows = [
        {
            "seed": life.seed,
            "min": mark.minutes,
            "steps": mark.step,
            "won": mark.won,
            "held": mark.held,
            "at .70": mark.good,
            "L1 s": life.won_at_s.get(1),
        }
        for life in lives
        for mark in life.marks
    ]
    table("Levels", rows)
    firsts = [life.won_at_s[1] for life in lives if 1 in life.won_at_s]
    print(
        f"\nfirst level-up: median {statistics.median(firsts):.1f} s of {len(firsts)} seeds" if firsts else "\nno level"
    )
    for life in lives:
        shown = [
            {"operation": name, "share": tally["correct"] / tally["items"], **tally}
            for name, tally in sorted(life.operations.items())
            if tally["items"]
        ]
        table(f"Seed {life.seed}: operations in the last exams of the level", shown)
        print(
            f"  weakest: {life.weakest or '–'}; at chance: {', '.join(life.at_chance) or '–'}; lost: {life.lost or '–'}"
        )
    return {
        "first_level_s": spread(firsts, 1),
        "levels": rows,
        "lives": [
            {
                "seed": life.seed,
                "first_step_s": life.first_step_s,
                "won_at_s": {level: round(at, 1) for level, at in life.won_at_s.items()},
                "common_exam": {f"{mark.minutes:g}": mark.levels for mark in life.marks},
                "operations": life.operations,
                "weakest": life.weakest,
                "at_chance": life.at_chance,
                "lost": life.lost,
            }
            for life in lives
        ],
    }


def main(arguments: list[str]) -> int:
    """Run all seeds, one after the other or a few side by side, each engine on one core."""
    about, _, how = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning",
        description=about,
        epilog=how,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed [0]")
    parser.add_argument("--beside", type=int, default=1, help="how many run side by side [1]")
    parser.add_argument("--marks", type=float, nargs="+", default=[2, 5, 10], metavar="MIN")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    marks = sorted(options.marks)
    with home() as root:
        aside = root / "aside"
        seeds = range(options.first, options.first + options.seeds)
        with ThreadPoolExecutor(options.beside) as pool:
            lives = list(pool.map(lambda seed: live(seed, marks, aside), seeds))
        for life in lives:
            for mark in life.marks:
                examine(mark, 256 if mark.minutes == marks[-1] else 128)
        found = report(lives)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
